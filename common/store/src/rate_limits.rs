//! The table of rate limits: of each chat, and of each bot's messages, one record, which is its lease and holds its limiters.
//!
//! Whoever holds the lease dispatches the tasks. A bell that comes meanwhile is marked:
//!
//! ```text
//! free -take--> held -bell--> held, rung -renew: clears it, then looks--> held -release--> free
//! ```

mod actors;
mod attributes;
mod refunds;
mod values;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};

use self::attributes::*;
use super::item::{Item, Reader, n, s};
use super::{StoreError, Table};
use domain::id::{BotId, ChatId};
use domain::lease::{
    ChatLease, LEASE, LEASE_MAX, Learned, LimitKey, OperatorPause, Paused, Releasing,
};
use domain::limiter::{CLOCK_AHEAD, Circuit, Limiter, PAUSE_MAX, Pause};
use domain::message::MESSAGE_INTERVAL;
use domain::time::Timestamp;
use runtime::config::Env;
use runtime::settings;
use values::{
    chat_slots_of, limiter_of, operator_pause_of, operator_pause_value, pause_of, pause_value,
    turns_of, with_learned,
};

/// What the attributes of pauses begin with; in the record of a chat, the id of a bot follows, in that of a bot's messages
/// the id of a chat.
const PAUSE_PREFIX: &str = "pause#";
/// In the record of a bot's messages, the pause of them all.
const PAUSE_OF_BOT: &str = "pause#bot";

/// The table of rate limits.
#[derive(Clone)]
pub struct RateLimits {
    table: Table,
    starting_interval: Duration,
}

/// What became of a try to take a lease.
pub enum Taking {
    /// It is ours; this is its record.
    Ours(Box<ChatLease>),
    /// Nobody holds it, and no bot may call yet.
    Waiting,
    /// Somebody holds it, and knows already that there is more to look at.
    HeldAndRung,
    /// Somebody holds it.
    Held,
}

/// What became of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marking {
    /// The holder will look again before it releases.
    Rung,
    /// Nobody holds the lease any more.
    Free,
}

/// What became of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Released {
    /// It is free, or another's.
    Done,
    /// It is still ours: a bell came.
    Rung,
}

impl RateLimits {
    /// The table `RateLimits` for what is due of chats, and the interval of `SAFE_RPS_SLEEP_MS` that a limiter starts with.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self {
            starting_interval: settings::starting_interval(env),
            ..Self::of_messages(client, env)
        }
    }

    /// The table `RateLimits` for what asks for no tasks of a chat: messages of bots, refunds.
    pub fn of_messages(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self {
            table: Table::from_env(client, env, "RateLimits", "RATE_LIMITS_TABLE"),
            starting_interval: MESSAGE_INTERVAL,
        }
    }

    /// A limiter that was never used.
    #[must_use]
    pub fn new_limiter(&self) -> Limiter {
        Limiter::new(self.starting_interval)
    }

    /// Takes the lease of `key` for `owner`, a name that no other take has, if nobody holds it and a bot of `bots` (all
    /// of them, as the last holder would write them) may call. On [`Taking::Ours`] it is durable for [`LEASE`].
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; the lease then lapses by itself.
    pub async fn take(
        &self,
        key: impl Into<LimitKey>,
        owner: &str,
        bots: &str,
        now: Timestamp,
    ) -> Result<Taking, StoreError> {
        let call = self
            .update(key)
            .update_expression(
                "SET #owner = :owner, #until = :until, takenAt = :now ADD deaths :one REMOVE rung, wakeAt, wakeBots",
            )
            .condition_expression(
                "(attribute_not_exists(#owner) OR #until < :now OR #until > :latest) \
                 AND (attribute_not_exists(wakeAt) OR wakeAt <= :now OR wakeAt > :day OR takenAt > :ahead OR wakeBots <> :bots \
                      OR (attribute_exists(resumes) AND (attribute_not_exists(resumesSeen) OR resumes > resumesSeen)))",
            )
            .expression_attribute_names("#owner", OWNER)
            .expression_attribute_names("#until", UNTIL)
            .expression_attribute_values(":owner", s(owner))
            .expression_attribute_values(":until", n(now.plus(LEASE).ms()))
            .expression_attribute_values(":now", n(now.ms()))
            .expression_attribute_values(":latest", n(now.plus(LEASE_MAX).ms()))
            .expression_attribute_values(":day", n(now.plus(PAUSE_MAX).ms()))
            .expression_attribute_values(":ahead", n(now.plus(CLOCK_AHEAD).ms()))
            .expression_attribute_values(":bots", s(bots))
            .expression_attribute_values(":one", n(1));
        Ok(match self.send(call, "UpdateItem to take a lease").await? {
            Written::Done(item) => Taking::Ours(Box::new(self.read(&item)?)),
            Written::Refused(item) => {
                let found = self.read(&item)?;
                if found.owner.as_deref() == Some(owner) {
                    // The SDK repeats a write whose answer was lost, and then finds its own.
                    Taking::Ours(Box::new(found))
                } else if !found.is_held(now) {
                    Taking::Waiting
                } else if found.is_rung {
                    Taking::HeldAndRung
                } else {
                    Taking::Held
                }
            }
        })
    }

    /// Leaves word with the holder that there may be tasks that it has not seen. On [`Marking::Rung`] that is durable.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; marking twice is harmless.
    pub async fn mark(
        &self,
        key: impl Into<LimitKey>,
        now: Timestamp,
    ) -> Result<Marking, StoreError> {
        let call = self
            .update(key)
            .update_expression("SET rung = :yes")
            .condition_expression("attribute_exists(#owner) AND #until >= :now")
            .expression_attribute_names("#owner", OWNER)
            .expression_attribute_names("#until", UNTIL)
            .expression_attribute_values(":yes", AttributeValue::Bool(true))
            .expression_attribute_values(":now", n(now.ms()))
            .return_values(ReturnValue::None);
        Ok(match self.send(call, "UpdateItem to mark a lease").await? {
            Written::Done(_) => Marking::Rung,
            Written::Refused(_) => Marking::Free,
        })
    }

    /// The record of `key`, as of now (1 read unit).
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn get(&self, key: impl Into<LimitKey>) -> Result<ChatLease, StoreError> {
        let call = self
            .table
            .client
            .get_item()
            .table_name(&self.table.name)
            .key(LIMIT_KEY, s(key.into()))
            .consistent_read(true);
        let answer = call
            .send()
            .await
            .map_err(self.table.fault("GetItem of a lease"))?;
        self.read(&answer.item.unwrap_or_default())
    }

    /// Renews the lease of `owner` for [`LEASE`] from `now` on, clears its bell, and stores what was learned. A look must
    /// follow. Answers the record then; nothing if the lease is lost or was held for too long.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told.
    pub async fn renew(
        &self,
        key: impl Into<LimitKey>,
        owner: &str,
        learned: &Learned,
        now: Timestamp,
    ) -> Result<Option<ChatLease>, StoreError> {
        let (set, remove, call) = with_learned(self.update(key), learned);
        let call = call
            .update_expression(format!("SET #until = :until, {set} REMOVE rung{remove}"))
            .condition_expression("#owner = :owner AND takenAt > :latest")
            .expression_attribute_names("#owner", OWNER)
            .expression_attribute_names("#until", UNTIL)
            .expression_attribute_values(":owner", s(owner))
            .expression_attribute_values(":until", n(now.plus(LEASE).ms()))
            .expression_attribute_values(":latest", n(now.minus(LEASE_MAX).ms()));
        Ok(
            match self.send(call, "UpdateItem to renew a lease").await? {
                Written::Done(item) => Some(self.read(&item)?),
                Written::Refused(_) => None,
            },
        )
    }

    /// Stores that nobody must call for `paused` before `pause` is over, unless a longer wait is known. Whoever met the limit
    /// does this before anything else, whether it still holds the lease or not. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; storing it again is harmless.
    pub async fn pause(
        &self,
        key: impl Into<LimitKey>,
        paused: Paused,
        pause: Pause,
    ) -> Result<(), StoreError> {
        let key = key.into();
        let call = self
            .update(key)
            .update_expression("SET #pause = :pause")
            .condition_expression("attribute_not_exists(#pause) OR #pause.#until < :until")
            .expression_attribute_names("#pause", pause_name(key, paused))
            .expression_attribute_names("#until", UNTIL)
            .expression_attribute_values(":pause", pause_value(pause))
            .expression_attribute_values(":until", n(pause.until.ms()))
            .return_values(ReturnValue::None);
        self.send(call, "UpdateItem to store a pause").await?;
        Ok(())
    }

    /// Puts `corrected` in the place of `stored`, a pause whose time of storing lies ahead, unless it was changed.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; it is then found again.
    pub async fn correct_pause(
        &self,
        key: impl Into<LimitKey>,
        paused: Paused,
        stored: Pause,
        corrected: Pause,
    ) -> Result<(), StoreError> {
        let key = key.into();
        let call = self
            .update(key)
            .update_expression("SET #pause = :pause")
            .condition_expression("#pause = :stored")
            .expression_attribute_names("#pause", pause_name(key, paused))
            .expression_attribute_values(":pause", pause_value(corrected))
            .expression_attribute_values(":stored", pause_value(stored))
            .return_values(ReturnValue::None);
        self.send(call, "UpdateItem to correct a pause").await?;
        Ok(())
    }

    /// Forgets the wait `stored` of a chat, which is over, unless it was changed.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; it is then found again.
    pub async fn forget_pause(
        &self,
        bot: BotId,
        chat: ChatId,
        stored: Pause,
    ) -> Result<(), StoreError> {
        let key = LimitKey::Messages(bot);
        let call = self
            .update(key)
            .update_expression("REMOVE #pause")
            .condition_expression("#pause = :stored")
            .expression_attribute_names("#pause", pause_name(key, Paused::Chat(chat)))
            .expression_attribute_values(":stored", pause_value(stored))
            .return_values(ReturnValue::None);
        self.send(call, "UpdateItem to forget a pause").await?;
        Ok(())
    }

    /// Releases the lease of `owner` and stores what was learned. `bots` are those that `wake_at` speaks of. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; the lease then lapses by itself.
    pub async fn release(
        &self,
        key: impl Into<LimitKey>,
        owner: &str,
        learned: &Learned,
        bots: &str,
        how: Releasing,
    ) -> Result<Released, StoreError> {
        let (learned_set, remove, call) = with_learned(self.update(key), learned);
        let mut set = format!("SET deaths = :zero, {learned_set}");
        let mut call = call
            .expression_attribute_names("#owner", OWNER)
            .expression_attribute_names("#until", UNTIL)
            .expression_attribute_values(":owner", s(owner))
            .expression_attribute_values(":zero", n(0));
        if let Some(at) = how.wake_at {
            set.push_str(", wakeAt = :wake, wakeBots = :bots");
            call = call
                .expression_attribute_values(":wake", n(at.ms()))
                .expression_attribute_values(":bots", s(bots));
        }
        if let Some(at) = how.bell_at {
            set.push_str(", bellAt = :bell");
            call = call.expression_attribute_values(":bell", n(at.ms()));
        }
        let condition = if how.unless_rung {
            "#owner = :owner AND attribute_not_exists(rung)"
        } else {
            "#owner = :owner"
        };
        let call = call
            .update_expression(format!("{set} REMOVE #owner, #until, rung, doing{remove}"))
            .condition_expression(condition)
            .return_values(ReturnValue::None);
        Ok(
            match self.send(call, "UpdateItem to release a lease").await? {
                Written::Done(_) => Released::Done,
                Written::Refused(item) => {
                    let found = self.read(&item)?;
                    if found.owner.as_deref() == Some(owner) {
                        Released::Rung
                    } else {
                        Released::Done
                    }
                }
            },
        )
    }

    /// Notes what the holder works on alone, or that it is done; answers whether the lease is still its own. Durable then.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told.
    pub async fn set_doing(
        &self,
        key: impl Into<LimitKey>,
        owner: &str,
        task: Option<&str>,
    ) -> Result<bool, StoreError> {
        let mut call = self
            .update(key)
            .condition_expression("#owner = :owner")
            .expression_attribute_names("#owner", OWNER)
            .expression_attribute_values(":owner", s(owner))
            .return_values(ReturnValue::None);
        call = match task {
            None => call.update_expression("REMOVE doing"),
            Some(task) => call
                .update_expression("SET doing = :doing")
                .expression_attribute_values(":doing", s(task)),
        };
        let written = self.send(call, "UpdateItem of what is done alone").await?;
        Ok(matches!(written, Written::Done(_)))
    }

    /// Notes that the chat that is called as `from` has become `to`. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; noting it again is harmless.
    pub async fn migrate(&self, chat: ChatId, from: ChatId, to: ChatId) -> Result<(), StoreError> {
        let call = self
            .update(chat)
            .update_expression("SET migratedFrom = :from, migratedTo = :to")
            .expression_attribute_values(":from", n(from))
            .expression_attribute_values(":to", n(to))
            .return_values(ReturnValue::None);
        self.send(call, "UpdateItem of a chat that moved").await?;
        Ok(())
    }

    /// Stores a pause by a person. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; storing it again is harmless.
    pub async fn operator_pause(
        &self,
        chat: ChatId,
        pause: &OperatorPause,
    ) -> Result<(), StoreError> {
        let call = self
            .update(chat)
            // What was waited for may have been a longer pause.
            .update_expression("SET operatorPause = :pause REMOVE wakeAt")
            .expression_attribute_values(":pause", operator_pause_value(pause))
            .return_values(ReturnValue::None);
        self.send(call, "UpdateItem to pause a chat").await?;
        Ok(())
    }

    /// Ends a pause by a person, and has every open circuit closed; a wait that Telegram asked for goes on. `pause` is the
    /// pause as it was read, lifted. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn resume(
        &self,
        chat: ChatId,
        pause: Option<&OperatorPause>,
    ) -> Result<(), StoreError> {
        let mut call = self
            .update(chat)
            .expression_attribute_values(":one", n(1))
            .return_values(ReturnValue::None);
        call = match pause {
            None => call.update_expression("REMOVE wakeAt ADD resumes :one"),
            Some(pause) => call
                .update_expression("SET operatorPause = :pause REMOVE wakeAt ADD resumes :one")
                .expression_attribute_values(":pause", operator_pause_value(pause)),
        };
        self.send(call, "UpdateItem to resume a chat").await?;
        Ok(())
    }

    /// Ends what keeps a chat from being worked on, by the hand of `who`: a pause, and each circuit that is open. Answers
    /// whether there was any. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn resume_by(
        &self,
        chat: ChatId,
        who: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (resumed, lifted) = self.get(chat).await?.resumed(who, now);
        self.resume(chat, lifted.as_ref()).await?;
        Ok(resumed)
    }

    fn update(&self, key: impl Into<LimitKey>) -> UpdateItemFluentBuilder {
        let call = self.table.client.update_item().table_name(&self.table.name);
        call.key(LIMIT_KEY, s(key.into()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    async fn send(
        &self,
        update: UpdateItemFluentBuilder,
        operation: &'static str,
    ) -> Result<Written, StoreError> {
        let error: SdkError<UpdateItemError> = match update.send().await {
            Ok(answer) => return Ok(Written::Done(answer.attributes.unwrap_or_default())),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refusal)) => {
                Ok(Written::Refused(refusal.item.clone().unwrap_or_default()))
            }
            _ => Err(self.table.fault(operation)(error)),
        }
    }

    fn read(&self, item: &Item) -> Result<ChatLease, StoreError> {
        let reader = Reader {
            table: &self.table,
            item,
        };
        let instant = |attribute| {
            let ms: Option<i64> = reader.optional_number(attribute)?;
            Ok::<_, StoreError>(ms.map(Timestamp::from_ms))
        };
        let key = reader.optional_text(LIMIT_KEY)?.unwrap_or_default();
        let bot_of_messages = key.strip_prefix("bot#").and_then(|bot| bot.parse().ok());
        let (mut pauses, mut chat_pauses) = (BTreeMap::new(), BTreeMap::new());
        for (name, value) in item {
            let Some(id) = name.strip_prefix(PAUSE_PREFIX) else {
                continue;
            };
            let malformed = || self.table.malformed("pause");
            let pause = Reader {
                table: &self.table,
                item: value.as_m().map_err(|_| malformed())?,
            };
            let pause = pause_of(&pause)?;
            match bot_of_messages {
                Some(bot) if name == PAUSE_OF_BOT => {
                    pauses.insert(BotId(bot), pause);
                }
                Some(_) => {
                    chat_pauses.insert(ChatId(id.parse().map_err(|_| malformed())?), pause);
                }
                None => {
                    pauses.insert(BotId(id.parse().map_err(|_| malformed())?), pause);
                }
            }
        }
        let mut limiters = BTreeMap::new();
        if let Some(AttributeValue::M(all)) = item.get(LIMITERS) {
            for (bot, value) in all {
                let malformed = || self.table.malformed(LIMITERS);
                let bot = BotId(bot.parse().map_err(|_| malformed())?);
                let reader = Reader {
                    table: &self.table,
                    item: value.as_m().map_err(|_| malformed())?,
                };
                limiters.insert(bot, limiter_of(&reader, self.new_limiter())?);
            }
        }
        let resumes: u64 = reader.optional_number(RESUMES)?.unwrap_or_default();
        // A person resumed the chat after these were stored, most often while no dispatcher was at work.
        let is_resumed = resumes > reader.optional_number(RESUMES_SEEN)?.unwrap_or_default();
        if is_resumed {
            let all = limiters.values_mut();
            all.for_each(|limiter| limiter.circuit = Circuit::default());
        }
        for (bot, pause) in &pauses {
            let limiter = limiters.entry(*bot).or_insert_with(|| self.new_limiter());
            limiter.paused_until = pause.until;
        }
        Ok(ChatLease {
            owner: reader.optional_text(OWNER)?.map(str::to_owned),
            until: instant(UNTIL)?,
            is_rung: reader.flag(RUNG),
            bell_at: instant(BELL_AT)?,
            wake_at: instant(WAKE_AT)?,
            taken_at: instant(TAKEN_AT)?,
            wake_bots: reader.optional_text(WAKE_BOTS)?.map(str::to_owned),
            deaths: reader.optional_number(DEATHS)?.unwrap_or_default(),
            doing: reader.optional_text(DOING)?.map(str::to_owned),
            limiters,
            pauses,
            chat_pauses,
            chat_slots: chat_slots_of(&reader)?,
            turns: turns_of(&reader)?,
            operator_pause: reader
                .optional_map(OPERATOR_PAUSE)?
                .map(|reader| operator_pause_of(&reader))
                .transpose()?,
            resumes,
            is_resumed,
            migrated: reader
                .optional_number(MIGRATED_FROM)?
                .zip(reader.optional_number(MIGRATED_TO)?)
                .map(|(from, to)| (ChatId(from), ChatId(to))),
        })
    }
}

/// The attribute of a pause.
fn pause_name(key: LimitKey, paused: Paused) -> String {
    match (key, paused) {
        (LimitKey::Messages(_), Paused::Bot(_)) => PAUSE_OF_BOT.to_owned(),
        (LimitKey::Chat(_) | LimitKey::Actors(_) | LimitKey::Refunds(_), Paused::Bot(bot)) => {
            format!("{PAUSE_PREFIX}{bot}")
        }
        (_, Paused::Chat(chat)) => format!("{PAUSE_PREFIX}{chat}"),
    }
}

/// A conditional update's two good ends.
enum Written {
    Done(Item),
    Refused(Item),
}
