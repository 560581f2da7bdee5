//! The table of updates: which of them are handled, so that one that Telegram sends again is not handled again.
//!
//! ```text
//! (none) --> CLAIMED --> DONE      handled; it stays so for two days, twice as long as Telegram sends an update again
//!               |   ^
//!               v   |              the lease is over or was given back: whoever meets it next handles it
//!            (lease over)
//!               |
//!               +------> PARKED    five handlings ended badly: its body is kept, and an operator has it handled once more
//! ```

use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};

use super::item::{Item, Reader, n, s};
use super::{StoreError, Table};
use domain::id::BotId;
use domain::time::Timestamp;
use runtime::config::Env;

const UPDATE_KEY: &str = "updateKey";
const STATE: &str = "updateState";
const OWNER: &str = "owner";
const LEASE_UNTIL: &str = "leaseUntil";
const ATTEMPTS: &str = "attempts";
const BODY: &str = "body";
const CREATED_AT: &str = "createdAt";
const KIND: &str = "kind";
const PARKED: &str = "parked";
const PARKED_AT: &str = "parkedAt";
/// The index of the updates that are parked, and of those to be handled once more.
const PARKED_INDEX: &str = "Parked";
const CLAIMED: &str = "CLAIMED";
const DONE: &str = "DONE";

/// How long one handling may take: longer than the function may run.
const LEASE: Duration = Duration::from_secs(15);
/// How often an update is handled before it is parked.
const ATTEMPTS_MAX: u32 = 5;
/// How long an update is known to be handled.
const KEPT: Duration = Duration::from_secs(48 * 3600);
/// How long a parked update is kept.
const KEPT_PARKED: Duration = Duration::from_secs(30 * 24 * 3600);

/// The table of updates.
#[derive(Clone)]
pub struct Updates(Table);

/// An update of a bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UpdateKey {
    /// The bot that gets it.
    pub bot: BotId,
    /// Its number among those of the bot.
    pub id: i64,
}

impl std::fmt::Display for UpdateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}#{}", self.bot, self.id)
    }
}

impl std::str::FromStr for UpdateKey {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (bot, id) = text.split_once('#').ok_or(())?;
        let bot = bot.parse().map(BotId).map_err(|_| ())?;
        let id = id.parse().map_err(|_| ())?;
        Ok(Self { bot, id })
    }
}

/// What became of claiming an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateClaim {
    /// It is the caller's to handle.
    Taken {
        /// When it was first met.
        since: Timestamp,
        /// How often it was begun before, and ended badly.
        attempts: u32,
        /// Whether nobody met it before.
        is_first: bool,
    },
    /// Somebody else handles it, at most until then.
    Busy(Timestamp),
    /// It is handled, or parked.
    Settled,
    /// It is the caller's to park: it was handled often enough.
    Exhausted {
        /// How often it was begun, and ended badly.
        attempts: u32,
    },
}

/// A parked update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedUpdate {
    /// Which.
    pub key: UpdateKey,
    /// What kind it is, as the Bot API calls the field.
    pub kind: String,
    /// When it was parked.
    pub parked_at: Timestamp,
    /// Whether it is to be handled once more.
    pub is_replayed: bool,
}

/// Which of the parked updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parking {
    /// Those that wait for an operator.
    Parked,
    /// Those that an operator wants handled.
    Replay,
}

impl Parking {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Parked => "PARKED",
            Self::Replay => "REPLAY",
        }
    }
}

impl Updates {
    /// The table `Updates`.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self(Table::from_env(client, env, "Updates", "UPDATES_TABLE"))
    }

    /// Claims an update for `owner`, a text that no other call uses (1 write unit). On [`UpdateClaim::Taken`] nobody else
    /// handles it before the lease is over; the caller settles it, or gives it back.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told.
    pub async fn claim(
        &self,
        key: UpdateKey,
        owner: &str,
        now: Timestamp,
    ) -> Result<UpdateClaim, StoreError> {
        let call = self
            .update(key)
            .update_expression(
                "SET updateState = :claimed, #owner = :owner, leaseUntil = :until, expiresAt = :end, createdAt = if_not_exists(createdAt, :at) ADD attempts :one",
            )
            .condition_expression(
                "attribute_not_exists(updateState) OR (updateState = :claimed AND leaseUntil <= :now)",
            )
            .expression_attribute_names("#owner", OWNER)
            .expression_attribute_values(":claimed", s(CLAIMED))
            .expression_attribute_values(":owner", s(owner))
            .expression_attribute_values(":until", n(now.plus(LEASE).ms()))
            .expression_attribute_values(":now", n(now.ms()))
            .expression_attribute_values(":at", s(now))
            .expression_attribute_values(":end", n(now.plus(KEPT).seconds()))
            .expression_attribute_values(":one", n(1));
        let (item, is_applied) = match self.send(call, "UpdateItem to claim an update").await? {
            Ok(item) => (item, true),
            Err(item) => (item, false),
        };
        let reader = self.reader(&item);
        if reader.text(STATE)? != CLAIMED {
            return Ok(UpdateClaim::Settled);
        }
        // Refused by its own effect: the answer of the first try was lost.
        let is_own = reader.optional_text(OWNER)? == Some(owner);
        if !is_applied && !is_own {
            let until = Timestamp::from_ms(reader.number(LEASE_UNTIL)?);
            return Ok(UpdateClaim::Busy(until));
        }
        let attempts: u32 = reader.number(ATTEMPTS)?;
        let since = reader.parsed(CREATED_AT)?;
        // Without this one.
        let attempts = attempts.saturating_sub(1);
        Ok(match attempts >= ATTEMPTS_MAX {
            true => UpdateClaim::Exhausted { attempts },
            false => UpdateClaim::Taken {
                since,
                attempts,
                is_first: since == now,
            },
        })
    }

    /// Writes that an update is handled; durable on return. Of one that was parked, the body is forgotten.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn settle(&self, key: UpdateKey) -> Result<(), StoreError> {
        let call = self
            .update(key)
            .update_expression(
                "SET updateState = :done REMOVE leaseUntil, #owner, body, parked, parkedAt, #kind",
            )
            .condition_expression("attribute_exists(updateKey)")
            .expression_attribute_names("#owner", OWNER)
            .expression_attribute_names("#kind", KIND)
            .expression_attribute_values(":done", s(DONE));
        // Gone: its time was over meanwhile.
        self.send(call, "UpdateItem to settle an update")
            .await
            .map(drop)
    }

    /// Gives back an update that `owner` had claimed, so that it is handled when it is met again, with so many attempts that
    /// ended badly. Done twice it is as done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; then its lease ends.
    pub async fn give_back(
        &self,
        key: UpdateKey,
        owner: &str,
        attempts: u32,
    ) -> Result<(), StoreError> {
        let call = self
            .update(key)
            .update_expression("SET leaseUntil = :none, attempts = :attempts")
            .condition_expression("updateState = :claimed AND #owner = :owner")
            .expression_attribute_names("#owner", OWNER)
            .expression_attribute_values(":none", n(0))
            .expression_attribute_values(":claimed", s(CLAIMED))
            .expression_attribute_values(":owner", s(owner))
            .expression_attribute_values(":attempts", n(attempts));
        self.send(call, "UpdateItem to give an update back")
            .await
            .map(drop)
    }

    /// Parks an update with its body, for an operator, after so many attempts that ended badly; durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn park(
        &self,
        key: UpdateKey,
        (kind, body): (&str, &str),
        attempts: u32,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let call = self
            .update(key)
            .update_expression(
                "SET updateState = :parked, attempts = :attempts, parked = :parked, parkedAt = :at, createdAt = if_not_exists(createdAt, :at), body = :body, #kind = :kind, expiresAt = :end REMOVE leaseUntil, #owner",
            )
            .expression_attribute_names("#owner", OWNER)
            .expression_attribute_names("#kind", KIND)
            .expression_attribute_values(":parked", s(Parking::Parked.as_str()))
            .expression_attribute_values(":at", s(now))
            .expression_attribute_values(":body", s(body))
            .expression_attribute_values(":attempts", n(attempts))
            .expression_attribute_values(":kind", s(kind))
            .expression_attribute_values(":end", n(now.plus(KEPT_PARKED).seconds()));
        self.send(call, "UpdateItem to park an update")
            .await
            .map(drop)
    }

    /// The parked updates, the oldest first, at most `limit` of those that wait and of those that are to be handled.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn parked(&self, limit: i32) -> Result<Vec<ParkedUpdate>, StoreError> {
        let mut updates = Vec::new();
        for parking in [Parking::Parked, Parking::Replay] {
            for key in self.listed(parking, limit).await? {
                let Some(item) = self.get(key).await? else {
                    continue;
                };
                let reader = self.reader(&item);
                // The index is a moment behind.
                if reader.optional_text(PARKED)?.is_some() {
                    updates.push(ParkedUpdate {
                        key,
                        kind: reader.text(KIND)?.to_owned(),
                        parked_at: reader.parsed(PARKED_AT)?,
                        is_replayed: parking == Parking::Replay,
                    });
                }
            }
        }
        Ok(updates)
    }

    /// Asks for a parked update to be handled once more; answers whether it is parked. Durable then.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn replay(&self, key: UpdateKey) -> Result<bool, StoreError> {
        let call = self
            .update(key)
            .update_expression("SET parked = :replay")
            .condition_expression("attribute_exists(parked)")
            .expression_attribute_values(":replay", s(Parking::Replay.as_str()));
        let asked = self.send(call, "UpdateItem to replay an update").await?;
        Ok(asked.is_ok())
    }

    /// The updates that are to be handled once more, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn replays(&self, limit: i32) -> Result<Vec<UpdateKey>, StoreError> {
        self.listed(Parking::Replay, limit).await
    }

    /// Claims a parked update that is to be handled once more; answers its body, when it was first met, and after how many attempts
    /// it was parked. The caller
    /// settles or parks it.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; then its lease ends.
    pub async fn take_replay(
        &self,
        key: UpdateKey,
        now: Timestamp,
    ) -> Result<Option<(String, Timestamp, u32)>, StoreError> {
        let call = self
            .update(key)
            // A wish is one try: an update that kills whoever handles it holds up no other.
            .update_expression("SET updateState = :claimed, leaseUntil = :until, parked = :parked")
            .condition_expression(
                "parked = :replay AND (updateState = :parked OR leaseUntil <= :now)",
            )
            .expression_attribute_values(":claimed", s(CLAIMED))
            .expression_attribute_values(":parked", s(Parking::Parked.as_str()))
            .expression_attribute_values(":replay", s(Parking::Replay.as_str()))
            .expression_attribute_values(":until", n(now.plus(LEASE).ms()))
            .expression_attribute_values(":now", n(now.ms()));
        match self.send(call, "UpdateItem to take a replay").await? {
            Ok(item) => {
                let reader = self.reader(&item);
                let body = reader.text(BODY)?.to_owned();
                let attempts = reader.optional_number(ATTEMPTS)?.unwrap_or_default();
                Ok(Some((body, reader.parsed(CREATED_AT)?, attempts)))
            }
            Err(_) => Ok(None),
        }
    }

    async fn get(&self, key: UpdateKey) -> Result<Option<Item>, StoreError> {
        let call = self.0.client.get_item().table_name(&self.0.name);
        let answer = call.key(UPDATE_KEY, s(key)).send().await;
        Ok(answer.map_err(self.0.fault("GetItem of an update"))?.item)
    }

    async fn listed(&self, parking: Parking, limit: i32) -> Result<Vec<UpdateKey>, StoreError> {
        let call = self.0.client.query().table_name(&self.0.name);
        let answer = call
            .index_name(PARKED_INDEX)
            .key_condition_expression("parked = :parking")
            .expression_attribute_values(":parking", s(parking.as_str()))
            .limit(limit)
            .send()
            .await
            .map_err(self.0.fault("Query of parked updates"))?;
        let items = answer.items.unwrap_or_default();
        let keys = items
            .iter()
            .map(|item| self.reader(item).parsed(UPDATE_KEY));
        keys.collect()
    }

    const fn reader<'a>(&'a self, item: &'a Item) -> Reader<'a> {
        Reader {
            table: &self.0,
            item,
        }
    }

    fn update(&self, key: UpdateKey) -> UpdateItemFluentBuilder {
        let call = self.0.client.update_item().table_name(&self.0.name);
        call.key(UPDATE_KEY, s(key))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    /// The item as it is written, or as it stands if its state does not allow the write.
    async fn send(
        &self,
        call: UpdateItemFluentBuilder,
        operation: &'static str,
    ) -> Result<Result<Item, Item>, StoreError> {
        let error = match call.send().await {
            Ok(answer) => return Ok(Ok(answer.attributes.unwrap_or_default())),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refusal)) => {
                Ok(Err(refusal.item.clone().unwrap_or_default()))
            }
            _ => Err(self.0.fault(operation)(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back() {
        let key = UpdateKey {
            bot: BotId(7),
            id: 9,
        };
        assert_eq!(key.to_string(), "7#9");
        assert_eq!("7#9".parse(), Ok(key));
        for text in ["", "7", "#9", "7#", "x#9", "7#x"] {
            assert_eq!(text.parse::<UpdateKey>(), Err(()), "{text}");
        }
    }
}
