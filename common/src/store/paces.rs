//! The table of paces: one record per bot and chat, changed by read, decide, write-if-unchanged.

use std::fmt;
use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use uuid::Uuid;

use super::attributes::*;
use super::item::{Item, Reader, n, s};
use super::{StoreError, Table};
use crate::config::Env;
use crate::domain::id::{BotId, ChatId};
use crate::domain::pace::{Pace, Stop, Tickets};
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

impl PaceKey {
    /// The line of a bot for all its chats, for limits that they share. No chat has the id 0.
    #[must_use]
    pub const fn of_bot(bot: BotId) -> Self {
        Self {
            bot,
            chat: ChatId(0),
        }
    }
}

/// A line as it was read.
#[derive(Clone, Debug)]
pub struct Line {
    /// Whose it is.
    pub key: PaceKey,
    /// Its state.
    pub pace: Pace,
    version: u64,
}

/// What a try to store a line came to.
#[derive(Debug)]
pub enum Stored {
    /// It is stored; this is the line as it is now.
    Done(Line),
    /// Somebody else was first; this is theirs.
    Newer(Line),
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
        let mut line = self.read(key).await?;
        for _ in 0..TRIES {
            let mut pace = line.pace.clone();
            let decision = decide(&mut pace);
            if pace == line.pace {
                return Ok(decision);
            }
            match self.store(&line, pace, now).await? {
                Stored::Done(_) => return Ok(decision),
                Stored::Newer(newer) => line = newer,
            }
        }
        Err(StoreError::Contended {
            table: self.table.name.clone(),
        })
    }

    /// The present state of a line. Costs 1 read unit.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn read(&self, key: PaceKey) -> Result<Line, StoreError> {
        let item = self.item(key).await?;
        self.parse(key, item.as_ref())
    }

    /// Stores `pace` as the new state of `line`, unless somebody else has stored one since it was read. On
    /// [`Stored::Done`] it is durable.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was stored; slots that it gave must not be used.
    pub async fn store(
        &self,
        line: &Line,
        pace: Pace,
        now: Timestamp,
    ) -> Result<Stored, StoreError> {
        let Line { key, version, .. } = *line;
        Ok(match self.write(key, &pace, version, now).await? {
            None => Stored::Done(Line {
                key,
                pace,
                version: version + 1,
            }),
            Some(newer) => Stored::Newer(self.parse(key, Some(&newer))?),
        })
    }

    async fn item(&self, key: PaceKey) -> Result<Option<Item>, StoreError> {
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
        let writer = Uuid::new_v4().to_string();
        let mut call = self
            .table
            .client
            .put_item()
            .table_name(&self.table.name)
            .item(PACE_KEY, s(key))
            .item(INTERVAL_MS, n(format_args!("{:.3}", pace.interval_ms)))
            .item(NEXT_SLOT_MS, n(pace.next_slot.ms()))
            .item(STEP, n(pace.step))
            .item(DROP, n(pace.drop))
            .item(STREAK, n(pace.streak))
            .item(PAUSED_UNTIL, s(pace.paused_until))
            .item(HOLDS, n(pace.holds))
            .item(WRITER, s(&writer))
            .item(VERSION, n(version + 1))
            .item(HELD_UNTIL, s(pace.held_until))
            .item(EXPIRES_AT, n(forgotten_at(pace, now).seconds()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        if let Some(ceiling_ms) = pace.ceiling_ms {
            call = call.item(CEILING_MS, n(format_args!("{ceiling_ms:.3}")));
        }
        if let Some(stop) = &pace.stop {
            call = call.item(STOP, stop_value(stop));
        }
        if let Some(chat) = pace.migrated_to {
            call = call.item(MIGRATED_TO, n(chat));
        }
        if !pace.tickets.is_empty() {
            let tickets = pace.tickets.iter().map(|(chat, tickets)| {
                let counts = [
                    (DRAWN, n(tickets.drawn)),
                    (SERVED, n(tickets.served)),
                    (SEEN_MS, n(tickets.seen.ms())),
                ];
                let counts = counts.map(|(name, value)| (name.to_owned(), value));
                (chat.to_string(), AttributeValue::M(counts.into()))
            });
            call = call.item(TICKETS, AttributeValue::M(tickets.collect()));
        }
        if let Some((chat, until)) = pace.last_wait {
            call = call
                .item(LAST_WAIT_CHAT, n(chat))
                .item(LAST_WAIT_UNTIL, s(until))
                .item(IS_WAIT_SHARED, AttributeValue::Bool(pace.is_wait_shared))
                .item(COINCIDENCES, n(pace.coincidences))
                .item(SHARED_UNTIL, s(pace.shared_until));
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
                let newer = refusal.item.clone().unwrap_or_default();
                // The SDK repeats a write whose answer was lost, and then finds its own.
                let is_ours = newer.get(WRITER) == Some(&s(&writer));
                Ok((!is_ours).then_some(newer))
            }
            _ => Err(self.table.fault("PutItem of a pace")(error)),
        }
    }

    fn parse(&self, key: PaceKey, item: Option<&Item>) -> Result<Line, StoreError> {
        let Some(item) = item.filter(|item| !item.is_empty()) else {
            return Ok(Line {
                key,
                pace: Pace::new(self.starting_interval),
                version: 0,
            });
        };
        let reader = Reader {
            table: &self.table,
            item,
        };
        let mut pace = Pace {
            interval_ms: Pace::bounded_interval(reader.number(INTERVAL_MS)?),
            ceiling_ms: reader.optional_number(CEILING_MS)?,
            step: reader.number(STEP)?,
            drop: reader.number(DROP)?,
            streak: reader.number(STREAK)?,
            next_slot: Timestamp::from_ms(reader.number(NEXT_SLOT_MS)?),
            paused_until: reader.parsed(PAUSED_UNTIL)?,
            holds: reader.number(HOLDS)?,
            held_until: reader
                .optional_instant(HELD_UNTIL)?
                .unwrap_or(Timestamp::from_ms(0)),
            stop: reader
                .optional_map(STOP)?
                .map(|reader| stop(&reader))
                .transpose()?,
            migrated_to: reader.optional_number(MIGRATED_TO)?.map(ChatId),
            ..Pace::new(self.starting_interval)
        };
        if let Some(AttributeValue::M(tickets)) = item.get(TICKETS) {
            for (chat, counts) in tickets {
                let malformed = || self.table.malformed(TICKETS);
                let chat = ChatId(chat.parse().map_err(|_| malformed())?);
                let counts = Reader {
                    table: &self.table,
                    item: counts.as_m().map_err(|_| malformed())?,
                };
                let counts = Tickets {
                    drawn: counts.number(DRAWN)?,
                    served: counts.number(SERVED)?,
                    seen: Timestamp::from_ms(counts.number(SEEN_MS)?),
                };
                pace.tickets.insert(chat, counts);
            }
        }
        if let Some(chat) = reader.optional_number(LAST_WAIT_CHAT)? {
            pace.last_wait = Some((ChatId(chat), reader.parsed(LAST_WAIT_UNTIL)?));
            pace.is_wait_shared = reader.flag(IS_WAIT_SHARED);
            pace.coincidences = reader.number(COINCIDENCES)?;
            pace.shared_until = reader.parsed(SHARED_UNTIL)?;
        }
        Ok(Line {
            key,
            pace,
            version: reader.number(VERSION)?,
        })
    }
}

/// When the record may be forgotten: not while anything is to be waited for.
fn forgotten_at(pace: &Pace, now: Timestamp) -> Timestamp {
    let stopped_until = match &pace.stop {
        Some(stop) if stop.lasts(now) => stop.until.unwrap_or(Timestamp::from_ms(i64::MAX)),
        _ => now,
    };
    now.max(pace.paused_until)
        .max(stopped_until)
        .plus(FORGET_AFTER)
}

fn stop_value(stop: &Stop) -> AttributeValue {
    let lifted = stop.lifted.as_ref();
    let fields = [
        (REASON, Some(s(&stop.reason))),
        (WHO, Some(s(&stop.who))),
        (AT, Some(s(stop.at))),
        (UNTIL, stop.until.map(s)),
        (LIFTED_AT, lifted.map(|(at, _)| s(at))),
        (LIFTED_BY, lifted.map(|(_, who)| s(who))),
    ];
    let fields = fields.into_iter();
    AttributeValue::M(
        fields
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect(),
    )
}

fn stop(reader: &Reader<'_>) -> Result<Stop, StoreError> {
    let lifted_by = reader.optional_text(LIFTED_BY)?.map(str::to_owned);
    Ok(Stop {
        reason: reader.text(REASON)?.to_owned(),
        who: reader.text(WHO)?.to_owned(),
        at: reader.parsed(AT)?,
        until: reader.optional_instant(UNTIL)?,
        lifted: reader.optional_instant(LIFTED_AT)?.zip(lifted_by),
    })
}
