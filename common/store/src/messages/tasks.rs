//! The lanes of messages that are still to be sent, the oldest first.
//!
//! In this table `messageId` is the place in a lane: the message's id, and its chat behind it, since one cause may write to
//! many chats of a lane at once.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem, Update};

use super::super::item::{Item, Reader, n, s};
use super::super::{StoreError, Table};
use super::attributes::*;
use super::{Messages, cut, unlocked};
use domain::id::{BotId, ChatId, TelegramUserId};
use domain::message::{MessageKey, MessageLane, MessageState, MessageTask, OutboxPage};
use domain::time::Timestamp;

/// A task of a message as it was read.
#[derive(Clone, Debug)]
pub enum FoundMessage {
    /// It is one.
    Task(Box<MessageTask>),
    /// It does not have the form that this version writes.
    Malformed(MalformedMessage),
}

/// An item that is not a task of ours, as it lies in its lane.
#[derive(Clone)]
pub struct MalformedMessage {
    /// Where it lies.
    pub key: MessageKey,
    /// The attribute that is not as it should be.
    pub attribute: String,
    item: Item,
}

impl std::fmt::Debug for MalformedMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MalformedMessage({}, {})", self.key, self.attribute)
    }
}

/// A part of a lane, in order.
#[derive(Debug, Default)]
pub struct MessagePage {
    /// What stands there.
    pub found: Vec<FoundMessage>,
    /// The last place, if the lane goes on.
    pub more_after: Option<String>,
}

impl MessagePage {
    /// The tasks of the page, and what is not one.
    #[must_use]
    pub fn split(self) -> (OutboxPage, Vec<MalformedMessage>) {
        let (mut tasks, mut malformed) = (Vec::with_capacity(self.found.len()), Vec::new());
        for found in self.found {
            match found {
                FoundMessage::Task(task) => tasks.push(*task),
                FoundMessage::Malformed(other) => malformed.push(other),
            }
        }
        let more_after = self.more_after;
        (OutboxPage { tasks, more_after }, malformed)
    }
}

/// For how long a process relies on having listed a group.
const LISTED_FOR: Duration = Duration::from_secs(3600);
/// How long ago a group was listed that no process relies on any more, whatever its clock says.
const UNLISTED_AFTER: Duration = Duration::from_secs(24 * 3600);

/// A group that a bot has messages for, or had not long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedGroup {
    /// Which.
    pub chat: ChatId,
    /// When a process listed it last, if that was noted.
    listed_at: Option<Timestamp>,
}

impl ListedGroup {
    /// Whether no process relies on its being listed: if its lane is empty, it need not be.
    #[must_use]
    pub fn is_old(&self, now: Timestamp) -> bool {
        let is_old = |at| now.since(at) >= UNLISTED_AFTER;
        self.listed_at.is_some_and(is_old)
    }
}

/// The partition that lists the groups of a bot: no key tells which lanes there are.
fn groups_of(bot: BotId) -> String {
    format!("{bot}#groups")
}

impl Messages {
    /// The groups that a bot may have messages for, as of now.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn groups(&self, bot: BotId) -> Result<Vec<ListedGroup>, StoreError> {
        let (mut groups, mut after) = (Vec::new(), None);
        loop {
            let call = self
                .tasks
                .client
                .query()
                .table_name(&self.tasks.name)
                .key_condition_expression("lane = :lane")
                .expression_attribute_values(":lane", s(groups_of(bot)))
                .consistent_read(true)
                .set_exclusive_start_key(after);
            let answer = call.send().await;
            let answer = answer.map_err(self.tasks.fault("Query of groups"))?;
            for item in answer.items.unwrap_or_default() {
                let reader = Reader {
                    table: &self.tasks,
                    item: &item,
                };
                let listed_at = reader.optional_instant(LISTED_AT)?;
                groups.push(ListedGroup {
                    chat: ChatId(reader.parsed(MESSAGE_ID)?),
                    listed_at,
                });
            }
            after = answer.last_evaluated_key;
            if after.is_none() {
                return Ok(groups);
            }
        }
    }

    /// Takes a group out of the list whose lane was found empty, if it is old and nobody has listed it since. A function that puts a
    /// task there has listed the group within the hour, so no lane is unknown that holds one. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; it is then met again.
    pub async fn unlist(
        &self,
        bot: BotId,
        group: ListedGroup,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(listed_at) = group.listed_at.filter(|_| group.is_old(now)) else {
            return Ok(());
        };
        let call = self
            .tasks
            .client
            .delete_item()
            .table_name(&self.tasks.name)
            .set_key(Some(key_of(&groups_of(bot), &group.chat.to_string())))
            .condition_expression("listedAt = :listed")
            .expression_attribute_values(":listed", s(listed_at));
        let Err(error) = call.send().await else {
            return Ok(());
        };
        match error.as_service_error() {
            Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(()),
            _ => Err(self.tasks.fault("DeleteItem of a group")(error)),
        }
    }

    /// Lists the group of a task, unless this process has within the hour. It is listed before the task is put, so that no
    /// lane is unknown.
    pub(super) async fn list_group(
        &self,
        task: &MessageTask,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let MessageLane::Group(bot, chat) = task.key().lane else {
            return Ok(());
        };
        let listed_at = unlocked(&self.groups).get(&(bot, chat)).copied();
        if listed_at.is_some_and(|at| now.since(at) < LISTED_FOR) {
            return Ok(());
        }
        let mut entry = key_of(&groups_of(bot), &chat.to_string());
        entry.insert(LISTED_AT.to_owned(), s(now));
        let call = self
            .tasks
            .client
            .put_item()
            .table_name(&self.tasks.name)
            .set_item(Some(entry));
        let listed = call.send().await;
        listed.map_err(self.tasks.fault::<PutItemError>("PutItem of a group"))?;
        unlocked(&self.groups).insert((bot, chat), now);
        Ok(())
    }

    /// The oldest tasks of a lane behind the place `after`, up to `limit`, as of now. Costs 1 read unit for some 15 of them.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn page(
        &self,
        lane: MessageLane,
        after: Option<&str>,
        limit: i32,
    ) -> Result<MessagePage, StoreError> {
        let name = lane.to_string();
        let call = self
            .tasks
            .client
            .query()
            .table_name(&self.tasks.name)
            .key_condition_expression("lane = :lane")
            .expression_attribute_values(":lane", s(&name))
            .consistent_read(true)
            .set_exclusive_start_key(after.map(|after| key_of(&name, after)))
            .limit(limit);
        let answer = call.send().await.map_err(self.tasks.fault("Query"))?;
        let more_after = answer.last_evaluated_key.and_then(|last| {
            let place = last.get(MESSAGE_ID)?.as_s().ok()?;
            Some(place.clone())
        });
        let items = answer.items.unwrap_or_default().into_iter();
        Ok(MessagePage {
            found: items.map(|item| self.found(lane, item)).collect(),
            more_after,
        })
    }

    /// The task of a key, as of now (1 read unit).
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn task(&self, key: &MessageKey) -> Result<Option<FoundMessage>, StoreError> {
        let call = self
            .tasks
            .client
            .get_item()
            .table_name(&self.tasks.name)
            .set_key(Some(key_of(&key.lane.to_string(), &key.place)))
            .consistent_read(true);
        let answer = call.send().await;
        let answer = answer.map_err(self.tasks.fault("GetItem of a task"))?;
        Ok(answer.item.map(|item| self.found(key.lane, item)))
    }

    /// Has a message wait until `at`, after `attempts` tries that failed for its own sake. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; it is then met again before its time.
    pub async fn defer(
        &self,
        task: &MessageTask,
        at: Timestamp,
        attempts: u32,
        error: &str,
    ) -> Result<(), StoreError> {
        let values = [
            (":at", s(at)),
            (":attempts", n(attempts)),
            (":error", s(cut(error))),
        ];
        let set = "SET retryAt = :at, attempts = :attempts, lastError = :error";
        self.change_task(task, set, values).await
    }

    /// Notes that the process died while it worked on this message alone, for the `crashes`th time, and has it wait until
    /// `at`. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told.
    pub async fn note_death(
        &self,
        task: &MessageTask,
        crashes: u32,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let values = [(":at", s(at)), (":crashes", n(crashes))];
        self.change_task(task, "SET retryAt = :at, crashes = :crashes", values)
            .await
    }

    async fn change_task<const N: usize>(
        &self,
        task: &MessageTask,
        expression: &str,
        values: [(&str, AttributeValue); N],
    ) -> Result<(), StoreError> {
        let key = task.key();
        let mut call = self
            .tasks
            .client
            .update_item()
            .table_name(&self.tasks.name)
            .set_key(Some(key_of(&key.lane.to_string(), &key.place)))
            .update_expression(expression)
            .condition_expression("attribute_exists(lane)");
        for (name, value) in values {
            call = call.expression_attribute_values(name, value);
        }
        let Err(error) = call.send().await else {
            return Ok(());
        };
        match error.as_service_error() {
            // It is settled meanwhile.
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
            _ => Err(self.tasks.fault("UpdateItem of a task")(error)),
        }
    }

    /// Takes a task out of its lane. Durable on return; done twice it is as done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; the task is then met again, and its message found settled.
    pub async fn delete(&self, key: &MessageKey) -> Result<(), StoreError> {
        let call = self
            .tasks
            .client
            .delete_item()
            .table_name(&self.tasks.name)
            .set_key(Some(key_of(&key.lane.to_string(), &key.place)));
        let deleted = call.send().await;
        deleted.map(|_| ()).map_err(self.tasks.fault("DeleteItem"))
    }

    /// Gives a message up: its record says so with the reason, and its task lies in the lane of parked ones, all by one
    /// transaction. A task without a record is moved alone. Durable on return; done twice it is as done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; the message is then met again.
    pub async fn park(
        &self,
        task: &MessageTask,
        error: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let error = cut(error);
        let parked = MessageTask {
            last_error: Some(error.clone()),
            retry_at: None,
            attempts: 0,
            crashes: 0,
            ..task.clone()
        };
        let record = Update::builder()
            .table_name(&self.records.name)
            .key(CHAT_ID, s(task.chat))
            .key(MESSAGE_ID, s(&task.message))
            .update_expression(
                "SET #state = :parked, parkedAt = :now, #error = :error REMOVE sendingBy",
            )
            .condition_expression("attribute_exists(chatId)")
            .expression_attribute_names("#state", STATE)
            .expression_attribute_names("#error", ERROR)
            .expression_attribute_values(":parked", s(MessageState::Parked.as_str()))
            .expression_attribute_values(":now", s(now))
            .expression_attribute_values(":error", s(&error))
            .build();
        let item = item_of(&parked, &MessageLane::Parked(task.bot));
        let moved = self.moved(&task.key(), item.clone());
        let writes = record.and_then(|record| {
            let mut writes = moved?;
            writes.push(TransactWriteItem::builder().update(record).build());
            Ok(writes)
        });
        let operation = "TransactWriteItems to park a message";
        if !self.transact(writes, operation).await? {
            let writes = self.moved(&task.key(), item);
            self.transact(writes, operation).await?;
        }
        Ok(())
    }

    /// Moves an item that is not a task of ours to the lane of parked ones, as it is. Durable on return; done twice it is as
    /// done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told.
    pub async fn set_aside(
        &self,
        bot: BotId,
        malformed: &MalformedMessage,
    ) -> Result<(), StoreError> {
        let mut item = malformed.item.clone();
        item.insert(LANE.to_owned(), s(MessageLane::Parked(bot)));
        item.insert(
            LAST_ERROR.to_owned(),
            s(format_args!("malformed: {}", malformed.attribute)),
        );
        let writes = self.moved(&malformed.key, item);
        self.transact(writes, "TransactWriteItems to set a task aside")
            .await
            .map(|_| ())
    }

    /// The writes that move a task.
    fn moved(&self, from: &MessageKey, item: Item) -> Result<Vec<TransactWriteItem>, BuildError> {
        let put = Put::builder().table_name(&self.tasks.name);
        let put = put.set_item(Some(item)).build()?;
        let delete = Delete::builder()
            .table_name(&self.tasks.name)
            .set_key(Some(key_of(&from.lane.to_string(), &from.place)))
            .build()?;
        Ok(vec![
            TransactWriteItem::builder().put(put).build(),
            TransactWriteItem::builder().delete(delete).build(),
        ])
    }

    /// Sends a transaction; answers whether its conditions held, without which it has no effect.
    async fn transact(
        &self,
        writes: Result<Vec<TransactWriteItem>, BuildError>,
        operation: &'static str,
    ) -> Result<bool, StoreError> {
        let writes = writes
            .map_err(SdkError::<TransactWriteItemsError>::construction_failure)
            .map_err(self.tasks.fault(operation))?;
        let call = self.tasks.client.transact_write_items();
        let Err(error) = call.set_transact_items(Some(writes)).send().await else {
            return Ok(true);
        };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(exception))
                if exception
                    .cancellation_reasons()
                    .iter()
                    .any(|reason| reason.code() == Some("ConditionalCheckFailed")) =>
            {
                Ok(false)
            }
            _ => Err(self.tasks.fault(operation)(error)),
        }
    }

    /// A task into its lane, as a part of a transaction.
    pub(super) fn insertion(
        &self,
        task: &MessageTask,
        lane: &MessageLane,
    ) -> Result<Put, BuildError> {
        Put::builder()
            .table_name(&self.tasks.name)
            .set_item(Some(item_of(task, lane)))
            .build()
    }

    fn found(&self, lane: MessageLane, item: Item) -> FoundMessage {
        let task = task_of(&self.tasks, &item).and_then(|task| {
            // One that lies elsewhere could be sent again and again, and never be taken out.
            match lane == task.key().lane {
                true => Ok(task),
                false => Err(self.tasks.malformed(LANE)),
            }
        });
        match task {
            Ok(task) => FoundMessage::Task(Box::new(task)),
            Err(fault) => {
                let attribute = match fault {
                    StoreError::Malformed { attribute, .. } => attribute.to_owned(),
                    other => other.to_string(),
                };
                let place = item.get(MESSAGE_ID).and_then(|place| place.as_s().ok());
                let place = place.cloned().unwrap_or_default();
                FoundMessage::Malformed(MalformedMessage {
                    key: MessageKey { lane, place },
                    attribute,
                    item,
                })
            }
        }
    }
}

fn key_of(lane: &str, place: &str) -> HashMap<String, AttributeValue> {
    [
        (LANE.to_owned(), s(lane)),
        (MESSAGE_ID.to_owned(), s(place)),
    ]
    .into()
}

fn item_of(task: &MessageTask, lane: &MessageLane) -> Item {
    let mut item = key_of(&lane.to_string(), &task.key().place);
    let values = [
        (BOT_ID, Some(n(task.bot))),
        (CHAT_ID, Some(s(task.chat))),
        (CLASS, Some(s(task.class.as_str()))),
        (NOT_BEFORE, task.not_before.map(s)),
        (NOT_AFTER, task.not_after.map(s)),
        (OWNER, task.owner.map(s)),
        (AUTHOR, task.author.map(s)),
        (RETRY_AT, task.retry_at.map(s)),
        (ATTEMPTS, (task.attempts > 0).then(|| n(task.attempts))),
        (CRASHES, (task.crashes > 0).then(|| n(task.crashes))),
        (LAST_ERROR, task.last_error.as_ref().map(s)),
        (TRACE, task.trace.as_ref().map(s)),
    ];
    for (name, value) in values {
        if let Some(value) = value {
            item.insert(name.to_owned(), value);
        }
    }
    item
}

fn task_of(table: &Table, item: &Item) -> Result<MessageTask, StoreError> {
    let reader = Reader { table, item };
    let chat = ChatId(reader.parsed(CHAT_ID)?);
    let place = reader.text(MESSAGE_ID)?;
    let id = place.strip_suffix(&format!("#{chat}"));
    let id = id.ok_or_else(|| table.malformed(MESSAGE_ID))?;
    let owner = reader.optional_text(OWNER)?.map(str::parse);
    let author = |text: &str| match text.parse() {
        Ok(id) => Ok(TelegramUserId(id)),
        Err(_) => Err(table.malformed(AUTHOR)),
    };
    Ok(MessageTask {
        message: id.parse().map_err(|_| table.malformed(MESSAGE_ID))?,
        bot: BotId(reader.number(BOT_ID)?),
        chat,
        class: reader.parsed(CLASS)?,
        not_before: reader.optional_instant(NOT_BEFORE)?,
        not_after: reader.optional_instant(NOT_AFTER)?,
        owner: owner.transpose().map_err(|_| table.malformed(OWNER))?,
        author: reader.optional_text(AUTHOR)?.map(author).transpose()?,
        retry_at: reader.optional_instant(RETRY_AT)?,
        attempts: reader.optional_number(ATTEMPTS)?.unwrap_or_default(),
        crashes: reader.optional_number(CRASHES)?.unwrap_or_default(),
        last_error: reader.optional_text(LAST_ERROR)?.map(str::to_owned),
        trace: reader.optional_text(TRACE)?.map(str::to_owned),
    })
}
