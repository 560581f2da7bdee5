//! The table of erasures: who was erased, by a mark that names nobody, so that nothing which Telegram sends again brings
//! them back. What a person sends after it begins anew.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;

use super::item::{Reader, n, s};
use super::{StoreError, Table};
use domain::erasure::ErasureKeys;
use domain::id::TelegramUserId;
use domain::time::Timestamp;
use runtime::config::Env;

const PERSON_MARK: &str = "personMark";
const UNHEARD_SINCE: &str = "unheardSince";
const UNHEARD_UNTIL: &str = "unheardUntil";
/// Whether Telegram's word on where the person is counts all the same.
const IS_LEAVING: &str = "isLeaving";
/// How long a mark is kept: longer than any backup.
const KEPT: Duration = Duration::from_secs(400 * 24 * 3600);

/// What is not heard of a person who is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unheard {
    /// What they say, press and ask for. Where Telegram says they are counts: they are taken out of the chats.
    Words,
    /// That, and where they are.
    All,
}

/// For how long a person who is erased is not heard.
#[derive(Clone, Copy, Debug)]
pub struct UnheardSpan {
    /// What they do after it is heard when the erasure is over: Telegram is to send it again.
    pub since: Timestamp,
    /// Until when nothing is taken.
    pub until: Timestamp,
}

/// Why something that a person did is not heard now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// What is not heard.
    pub what: Unheard,
    /// Whether they are being erased at this moment.
    pub is_under_way: bool,
    /// Whether it is to come again: they did it after what is erased.
    pub is_for_later: bool,
}

/// The table of erasures.
#[derive(Clone)]
pub struct Erasures {
    table: Table,
    keys: ErasureKeys,
}

impl Erasures {
    /// The table `Erasures`; marks are made with `TELEGRAM_WEBHOOK_SECRET`, which outlives what Telegram sends again.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        let keys = env.required("TELEGRAM_WEBHOOK_SECRET");
        Self {
            table: Table::from_env(client, env, "Erasures", "ERASURES_TABLE"),
            keys: ErasureKeys::parse(&keys),
        }
    }

    /// Has `what` not be heard of a person for a span. Durable on return; done twice, the last one counts.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written.
    pub async fn mark(
        &self,
        person: TelegramUserId,
        (what, span): (Unheard, UnheardSpan),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(mark) = self.keys.marks(person).next() else {
            return Ok(());
        };
        let call = self.table.client.put_item().table_name(&self.table.name);
        call.item(PERSON_MARK, s(mark.as_str()))
            .item(UNHEARD_SINCE, s(span.since))
            .item(UNHEARD_UNTIL, s(span.until))
            .item(IS_LEAVING, AttributeValue::Bool(what == Unheard::Words))
            .item("expiresAt", n(now.plus(KEPT).seconds()))
            .send()
            .await
            .map_err(self.table.fault("PutItem of an erasure"))?;
        Ok(())
    }

    /// Why what a person did at `at` is not heard at `now`, since they are erased, or were after it; nothing if it is (half a
    /// read unit for each key).
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn of(
        &self,
        person: TelegramUserId,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Silence>, StoreError> {
        for mark in self.keys.marks(person) {
            let call = self.table.client.get_item().table_name(&self.table.name);
            let answer = call
                .key(PERSON_MARK, s(mark.as_str()))
                .send()
                .await
                .map_err(self.table.fault("GetItem of an erasure"))?;
            let Some(item) = answer.item else {
                continue;
            };
            let reader = Reader {
                table: &self.table,
                item: &item,
            };
            let until = reader.parsed::<Timestamp>(UNHEARD_UNTIL)?;
            let since = reader.optional_instant(UNHEARD_SINCE)?.unwrap_or(until);
            if at > until {
                continue;
            }
            let is_under_way = now < until;
            return Ok(Some(Silence {
                what: match reader.flag(IS_LEAVING) {
                    true => Unheard::Words,
                    false => Unheard::All,
                },
                is_under_way,
                is_for_later: is_under_way && at > since,
            }));
        }
        Ok(None)
    }
}
