//! The table of paces: one record per bot and chat, changed by read, decide, write-if-unchanged.

use std::fmt;
use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};

use super::attributes::*;
use super::item::{Item, Reader, n, s};
use super::{StoreError, Table};
use crate::config::Env;
use crate::domain::id::{BotId, ChatId};
use crate::domain::pace::Pace;
use crate::domain::time::Timestamp;

/// How often a writer that lost to another one decides anew. Each loss means that another writer came through.
const TRIES: u32 = 50;
/// How long a pace that nobody uses is remembered. What it knows is learned again within a minute.
const FORGET_AFTER: Duration = Duration::from_secs(30 * 24 * 3600);

/// Whose pace it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PaceKey {
    /// The bot that calls.
    pub bot: BotId,
    /// The chat that it calls for.
    pub chat: ChatId,
}

impl fmt::Display for PaceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.bot, self.chat)
    }
}

/// The table of paces.
#[derive(Clone)]
pub struct Paces {
    table: Table,
    starting_interval: Duration,
}

impl Paces {
    /// The table that `PACE_TABLE` names, and the interval of `SAFE_RPS_SLEEP_MS` that a pair starts with.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self {
            table: Table {
                client,
                name: env.required("PACE_TABLE"),
            },
            starting_interval: Duration::from_millis(env.number(
                "SAFE_RPS_SLEEP_MS",
                220,
                34..=60_000,
            )),
        }
    }

    /// Changes the pace of `key` by `decide`, which is called again with the newer state if another writer came first.
    /// On return the change is durable; a state that `decide` left as it was costs 1 read unit and no write.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether the change was stored; slots that it gave must not be used.
    pub async fn change<T>(
        &self,
        key: PaceKey,
        now: Timestamp,
        mut decide: impl FnMut(&mut Pace) -> T,
    ) -> Result<T, StoreError> {
        let mut item = self.read(key).await?;
        for _ in 0..TRIES {
            let (before, version) = self.parse(item.as_ref())?;
            let mut pace = before.clone();
            let decision = decide(&mut pace);
            if pace == before {
                return Ok(decision);
            }
            match self.write(key, &pace, version, now).await? {
                None => return Ok(decision),
                Some(newer) => item = Some(newer),
            }
        }
        Err(StoreError::Contended {
            table: self.table.name.clone(),
        })
    }

    async fn read(&self, key: PaceKey) -> Result<Option<Item>, StoreError> {
        let call = self
            .table
            .client
            .get_item()
            .table_name(&self.table.name)
            .key(PACE_KEY, s(key))
            .consistent_read(true);
        Ok(call
            .send()
            .await
            .map_err(self.table.fault("GetItem of a pace"))?
            .item)
    }

    /// Writes the state if nobody else has since `version`; otherwise answers the newer one.
    async fn write(
        &self,
        key: PaceKey,
        pace: &Pace,
        version: u64,
        now: Timestamp,
    ) -> Result<Option<Item>, StoreError> {
        let mut call = self
            .table
            .client
            .put_item()
            .table_name(&self.table.name)
            .item(PACE_KEY, s(key))
            .item(INTERVAL_MS, n(format_args!("{:.3}", pace.interval_ms)))
            .item(NEXT_SLOT_MS, n(pace.next_slot.ms()))
            .item(RETURNED_UNTIL_MS, n(pace.returned_until.ms()))
            .item(LINE_UNTIL_MS, n(pace.line_until.ms()))
            .item(REVOCATIONS_UNTIL_MS, n(pace.revocations_until.ms()))
            .item(PAUSED_UNTIL, s(pace.paused_until))
            .item(SLOWED, AttributeValue::Bool(pace.slowed))
            .item(HOLDS, n(pace.holds))
            .item(VERSION, n(version + 1))
            .item(
                EXPIRES_AT,
                n(now.max(pace.paused_until).plus(FORGET_AFTER).seconds()),
            )
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        if let Some(chat) = pace.migrated_to {
            call = call.item(MIGRATED_TO, n(chat));
        }
        call = match version {
            0 => call.condition_expression("attribute_not_exists(paceKey)"),
            _ => call
                .condition_expression("version = :version")
                .expression_attribute_values(":version", n(version)),
        };
        let Err(error) = call.send().await else {
            return Ok(None);
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(refusal)) => {
                Ok(Some(refusal.item.clone().unwrap_or_default()))
            }
            _ => Err(self.table.fault("PutItem of a pace")(error)),
        }
    }

    fn parse(&self, item: Option<&Item>) -> Result<(Pace, u64), StoreError> {
        let Some(item) = item.filter(|item| !item.is_empty()) else {
            return Ok((Pace::new(self.starting_interval), 0));
        };
        let reader = Reader {
            table: &self.table,
            item,
        };
        let instant = |attribute| reader.number(attribute).map(Timestamp::from_ms);
        let pace = Pace {
            interval_ms: Pace::bounded_interval(reader.number(INTERVAL_MS)?),
            next_slot: instant(NEXT_SLOT_MS)?,
            returned_until: instant(RETURNED_UNTIL_MS)?,
            line_until: instant(LINE_UNTIL_MS)?,
            revocations_until: instant(REVOCATIONS_UNTIL_MS)?,
            paused_until: reader.parsed(PAUSED_UNTIL)?,
            slowed: reader.flag(SLOWED),
            holds: reader.number(HOLDS)?,
            migrated_to: reader.optional_number(MIGRATED_TO)?.map(ChatId),
        };
        Ok((pace, reader.number(VERSION)?))
    }
}
