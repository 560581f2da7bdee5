//! What bots are to look at when its time has come, in `MessageTasks`: the partition `<botId>#reminders`, by time.
//!
//! In this partition `messageId` is the time, in milliseconds since the Unix epoch with a fixed width, and what is to be
//! looked at. An item has nothing else.

use aws_sdk_dynamodb::Client;

use super::item::{Reader, s};
use super::{StoreError, Table};
use domain::id::BotId;
use domain::reminder::Reminder;
use domain::time::Timestamp;
use runtime::config::Env;

const LANE: &str = "lane";
const PLACE: &str = "messageId";

/// The reminders of bots.
#[derive(Clone)]
pub struct Reminders(Table);

/// A reminder whose time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueReminder {
    /// Its time.
    pub at: Timestamp,
    /// What is to be looked at; nothing if this version can't read it.
    pub reminder: Option<Reminder>,
    place: String,
}

impl Reminders {
    /// The table `MessageTasks`.
    pub fn from_env(client: Client, env: &mut Env) -> Self {
        Self(Table::from_env(
            client,
            env,
            "MessageTasks",
            "MESSAGE_TASKS_TABLE",
        ))
    }

    /// Has a bot look at something at `at` (1 write unit). Durable on return; put twice it is there once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written.
    pub async fn put(
        &self,
        bot: BotId,
        at: Timestamp,
        reminder: Reminder,
    ) -> Result<(), StoreError> {
        let call = self.0.client.put_item().table_name(&self.0.name);
        call.item(LANE, s(lane(bot)))
            .item(PLACE, s(place(at, reminder)))
            .send()
            .await
            .map_err(self.0.fault("PutItem of a reminder"))?;
        Ok(())
    }

    /// Whether a bot has this reminder at a time from `from` to `to`, as of now (1 read unit, or more where very many lie there).
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn has_between(
        &self,
        bot: BotId,
        reminder: Reminder,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<bool, StoreError> {
        let (mut after, written) = (time(from), reminder.to_string());
        loop {
            let call = self.0.client.query().table_name(&self.0.name);
            let answer = call
                .key_condition_expression("lane = :lane AND messageId BETWEEN :from AND :to")
                .expression_attribute_values(":lane", s(lane(bot)))
                .expression_attribute_values(":from", s(&after))
                .expression_attribute_values(":to", s(place(to, reminder)))
                .consistent_read(true)
                .send()
                .await
                .map_err(self.0.fault("Query of a reminder"))?;
            let items = answer.items.unwrap_or_default();
            let places = items.iter().map(|item| {
                let reader = Reader {
                    table: &self.0,
                    item,
                };
                reader.text(PLACE).map(str::to_owned)
            });
            let places: Vec<String> = places.collect::<Result<_, _>>()?;
            let is_it = |place: &String| place.split_once('#').is_some_and(|(_, of)| of == written);
            if places.iter().any(is_it) {
                return Ok(true);
            }
            match (answer.last_evaluated_key, places.last()) {
                // Behind the last of them nothing can begin with it.
                (Some(_), Some(last)) => after = format!("{last}\u{0}"),
                _ => return Ok(false),
            }
        }
    }

    /// The oldest reminders of a bot whose time has come by `now`, up to `limit`, as of now (1 read unit).
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn due(
        &self,
        bot: BotId,
        now: Timestamp,
        limit: i32,
    ) -> Result<Vec<DueReminder>, StoreError> {
        let call = self.0.client.query().table_name(&self.0.name);
        let answer = call
            .key_condition_expression("lane = :lane AND messageId < :after")
            .expression_attribute_values(":lane", s(lane(bot)))
            .expression_attribute_values(
                ":after",
                s(time(now.plus(std::time::Duration::from_millis(1)))),
            )
            .consistent_read(true)
            .limit(limit)
            .send()
            .await
            .map_err(self.0.fault("Query of reminders"))?;
        let items = answer.items.unwrap_or_default();
        let due = items.iter().map(|item| {
            let reader = Reader {
                table: &self.0,
                item,
            };
            let place = reader.text(PLACE)?;
            let (ms, reminder) = place.split_once('#').unwrap_or_default();
            Ok(DueReminder {
                at: Timestamp::from_ms(ms.parse().unwrap_or_default()),
                reminder: reminder.parse().ok(),
                place: place.to_owned(),
            })
        });
        due.collect()
    }

    /// Deletes a reminder that was looked at; one that is gone is gone.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; it is then looked at again.
    pub async fn delete(&self, bot: BotId, due: &DueReminder) -> Result<(), StoreError> {
        let call = self.0.client.delete_item().table_name(&self.0.name);
        call.key(LANE, s(lane(bot)))
            .key(PLACE, s(&due.place))
            .send()
            .await
            .map_err(self.0.fault("DeleteItem of a reminder"))?;
        Ok(())
    }
}

/// The place of a reminder in the partition of its bot.
pub(super) fn place(at: Timestamp, reminder: Reminder) -> String {
    format!("{}#{reminder}", time(at))
}

/// The partition of a bot's reminders.
pub(super) fn lane(bot: BotId) -> String {
    format!("{bot}#reminders")
}

/// Of fixed width until the year 2286, so that times stand in order.
fn time(at: Timestamp) -> String {
    format!("{:013}", at.ms().max(0))
}
