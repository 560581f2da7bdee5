//! The tables of messages: a record for each, which makes a repeat harmless and is the timeline, and a task for each that is
//! still to be sent.
//!
//! ```text
//! put      record and task, together or not at all       a message that is there already stays as it is
//! begin    record: SENDING, by this run                  only what is sent at most once
//! settle   record: its end, and when it is forgotten     die here: the task is met again, and found settled
//!          the task is deleted
//! ```

mod attributes;
mod tasks;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};

use self::attributes::*;
use super::item::{Item, Reader, n, s};
use super::{StoreError, Table};
use domain::id::{BotId, ChatId};
use domain::message::{Content, Message, MessageId, MessageState, MessageTask};
use domain::time::Timestamp;
use runtime::config::Env;
use runtime::trace;

pub use tasks::{FoundMessage, ListedGroup, MalformedMessage, MessagePage};

/// How often a message is put anew because another wrote it at the same moment.
const TRIES: u32 = 4;
/// The longest error that is kept, in characters.
const ERROR_MAX_CHARS: usize = 300;

/// The tables of messages.
#[derive(Clone)]
pub struct Messages {
    records: Table,
    tasks: Table,
    /// When this process listed each group last.
    groups: Arc<Mutex<BTreeMap<(BotId, ChatId), Timestamp>>>,
}

/// What became of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is to be sent.
    New,
    /// It was put before, and is as it was.
    Known,
}

/// A message as its record has it.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageRecord {
    /// The message.
    pub message: Message,
    /// Where it stands.
    pub state: MessageState,
    /// The run that sends it, if it is sent at most once.
    pub sending_by: Option<String>,
    /// The id that Telegram gave it in its chat.
    pub telegram_message_id: Option<i64>,
    /// What went wrong, if anything did.
    pub error: Option<String>,
}

/// What became of a beginning.
#[derive(Debug)]
pub enum Begun {
    /// This run may send it, and nobody else; this is its record.
    Ours(Box<MessageRecord>),
    /// It can't be told whether another run has sent it.
    Unknown,
    /// It is settled.
    Settled,
    /// It has no record.
    Gone,
}

/// How a message is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// Where it stands then.
    pub state: MessageState,
    /// The id that Telegram gave it in its chat.
    pub telegram_message_id: Option<i64>,
    /// What went wrong, if anything did.
    pub error: Option<String>,
}

impl Messages {
    /// The tables `Messages` and `MessageTasks`.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self {
            records: Table::from_env(client.clone(), env, "Messages", "MESSAGES_TABLE"),
            tasks: Table::from_env(client, env, "MessageTasks", "MESSAGE_TASKS_TABLE"),
            groups: Arc::default(),
        }
    }

    /// Puts a message, which is to be sent once it is due; the bell is the caller's. Costs 4 write units, whether it was
    /// there or not, and 1 more for the first one of a process to a group in an hour. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written; putting it again is harmless.
    pub async fn put(&self, message: &Message, now: Timestamp) -> Result<Put, StoreError> {
        let operation = "TransactWriteItems to put a message";
        let task = MessageTask {
            trace: trace::header(),
            ..MessageTask::of(message)
        };
        self.list_group(&task, now).await?;
        let built = |fault| {
            let fault = SdkError::<TransactWriteItemsError>::construction_failure(fault);
            self.records.fault(operation)(fault)
        };
        let record = aws_sdk_dynamodb::types::Put::builder()
            .table_name(&self.records.name)
            .set_item(Some(record_item(message, now)))
            .condition_expression("attribute_not_exists(chatId)")
            .build()
            .map_err(built)?;
        let task = self.insertion(&task, &task.key().lane).map_err(built)?;
        for _ in 0..TRIES {
            // The SDK makes up a token, the same for all its tries, so that one whose answer was lost is not refused by
            // its own effect.
            let call = self
                .records
                .client
                .transact_write_items()
                .transact_items(TransactWriteItem::builder().put(record.clone()).build())
                .transact_items(TransactWriteItem::builder().put(task.clone()).build());
            let Err(error) = call.send().await else {
                return Ok(Put::New);
            };
            let says = |code: &str| match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(exception)) => {
                    let reasons = exception.cancellation_reasons();
                    reasons.iter().any(|reason| reason.code() == Some(code))
                }
                _ => false,
            };
            if says("ConditionalCheckFailed") {
                return Ok(Put::Known);
            }
            if !says("TransactionConflict") {
                return Err(self.records.fault(operation)(error));
            }
        }
        Err(StoreError::Contended {
            table: self.records.name.clone(),
        })
    }

    /// The record of a message, as of now (1 read unit for 4 KB).
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn get(
        &self,
        chat: ChatId,
        id: &MessageId,
    ) -> Result<Option<MessageRecord>, StoreError> {
        let call = self
            .records
            .client
            .get_item()
            .table_name(&self.records.name)
            .key(CHAT_ID, s(chat))
            .key(MESSAGE_ID, s(id))
            .consistent_read(true);
        let answer = call.send().await.map_err(self.records.fault("GetItem"))?;
        answer.item.map(|item| self.record(&item)).transpose()
    }

    /// The last messages of a chat, the newest first, at most `limit`, without those that this version can't read. Moments
    /// behind.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn last(&self, chat: ChatId, limit: i32) -> Result<Vec<MessageRecord>, StoreError> {
        let call = self
            .records
            .client
            .query()
            .table_name(&self.records.name)
            .key_condition_expression("chatId = :chat")
            .expression_attribute_values(":chat", s(chat))
            .scan_index_forward(false)
            .limit(limit);
        let answer = call
            .send()
            .await
            .map_err(self.records.fault("Query of messages"))?;
        let items = answer.items.unwrap_or_default();
        let records = items.iter().filter_map(|item| self.record(item).ok());
        Ok(records.collect())
    }

    /// Has the run `run` send a message that is sent at most once. On [`Begun::Ours`] that is durable, and no other run
    /// sends it.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; the message is then not to be sent.
    pub async fn begin(&self, task: &MessageTask, run: &str) -> Result<Begun, StoreError> {
        let call = self
            .change(task)
            .update_expression("SET #state = :sending, sendingBy = :run")
            .condition_expression("#state IN (:queued, :parked)")
            .expression_attribute_names("#state", STATE)
            .expression_attribute_values(":parked", s(MessageState::Parked.as_str()))
            .expression_attribute_values(":sending", s(MessageState::Sending.as_str()))
            .expression_attribute_values(":queued", s(MessageState::Queued.as_str()))
            .expression_attribute_values(":run", s(run))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let error = match call.send().await {
            Ok(answer) => {
                let record = self.record(&answer.attributes.unwrap_or_default())?;
                return Ok(Begun::Ours(Box::new(record)));
            }
            Err(error) => error,
        };
        let Some(UpdateItemError::ConditionalCheckFailedException(refusal)) =
            error.as_service_error()
        else {
            return Err(self.records.fault("UpdateItem to begin a message")(error));
        };
        let Some(item) = refusal.item().filter(|item| !item.is_empty()) else {
            return Ok(Begun::Gone);
        };
        let record = self.record(item)?;
        Ok(match record.state {
            // The SDK repeats a write whose answer was lost, and then finds its own.
            MessageState::Sending if record.sending_by.as_deref() == Some(run) => {
                Begun::Ours(Box::new(record))
            }
            MessageState::Sending => Begun::Unknown,
            _ => Begun::Settled,
        })
    }

    /// Has a message that was begun wait again: it surely was not sent. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; the message then counts as one that may have been sent.
    pub async fn unbegin(&self, task: &MessageTask, run: &str) -> Result<(), StoreError> {
        let call = self
            .change(task)
            .update_expression("SET #state = :queued REMOVE sendingBy")
            .condition_expression("#state = :sending AND sendingBy = :run")
            .expression_attribute_names("#state", STATE)
            .expression_attribute_values(":sending", s(MessageState::Sending.as_str()))
            .expression_attribute_values(":queued", s(MessageState::Queued.as_str()))
            .expression_attribute_values(":run", s(run));
        self.conditional(call, "UpdateItem to put a message back")
            .await
    }

    /// Settles a message: its record says how it ended and is forgotten after `retention`, and its task is gone. What is SENT
    /// stays so. Durable on return; done twice it is as done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; the message is then met again.
    pub async fn settle(
        &self,
        task: &MessageTask,
        settlement: &Settlement,
        retention: Duration,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut set = "SET #state = :state, settledAt = :now, expiresAt = :expires".to_owned();
        let mut call = self
            .change(task)
            .condition_expression("attribute_exists(chatId) AND #state <> :sent")
            .expression_attribute_names("#state", STATE)
            .expression_attribute_values(":state", s(settlement.state.as_str()))
            .expression_attribute_values(":sent", s(MessageState::Sent.as_str()))
            .expression_attribute_values(":now", s(now))
            .expression_attribute_values(":expires", n(now.plus(retention).seconds()));
        if let Some(id) = settlement.telegram_message_id {
            set.push_str(", telegramMessageId = :id");
            call = call.expression_attribute_values(":id", n(id));
        }
        if let Some(error) = &settlement.error {
            set.push_str(", #error = :error");
            call = call
                .expression_attribute_names("#error", ERROR)
                .expression_attribute_values(":error", s(cut(error)));
        }
        let call = call.update_expression(format!("{set} REMOVE sendingBy"));
        self.conditional(call, "UpdateItem to settle a message")
            .await?;
        self.delete(&task.key()).await
    }

    fn change(&self, task: &MessageTask) -> UpdateItemFluentBuilder {
        self.records
            .client
            .update_item()
            .table_name(&self.records.name)
            .key(CHAT_ID, s(task.chat))
            .key(MESSAGE_ID, s(&task.message))
    }

    /// Sends an update whose condition may fail: what it was to change is otherwise by now.
    async fn conditional(
        &self,
        call: UpdateItemFluentBuilder,
        operation: &'static str,
    ) -> Result<(), StoreError> {
        let Err(error) = call.send().await else {
            return Ok(());
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
            _ => Err(self.records.fault(operation)(error)),
        }
    }

    fn record(&self, item: &Item) -> Result<MessageRecord, StoreError> {
        let reader = Reader {
            table: &self.records,
            item,
        };
        let content = serde_json::from_str::<Content>(reader.text(CONTENT)?);
        Ok(MessageRecord {
            message: Message {
                id: reader.parsed(MESSAGE_ID)?,
                bot: BotId(reader.number(BOT_ID)?),
                chat: ChatId(reader.parsed(CHAT_ID)?),
                thread: reader.optional_number(THREAD_ID)?,
                class: reader.parsed(CLASS)?,
                content: content.map_err(|_| self.records.malformed(CONTENT))?,
                not_before: reader.optional_instant(NOT_BEFORE)?,
                not_after: reader.optional_instant(NOT_AFTER)?,
            },
            state: reader.parsed(STATE)?,
            sending_by: reader.optional_text(SENDING_BY)?.map(str::to_owned),
            telegram_message_id: reader.optional_number(TELEGRAM_MESSAGE_ID)?,
            error: reader.optional_text(ERROR)?.map(str::to_owned),
        })
    }
}

fn record_item(message: &Message, now: Timestamp) -> Item {
    // Of strings, lists and flags: nothing that JSON could refuse.
    let content = serde_json::to_string(&message.content).unwrap_or_default();
    let mut item = Item::from([
        (CHAT_ID.to_owned(), s(message.chat)),
        (MESSAGE_ID.to_owned(), s(&message.id)),
        (BOT_ID.to_owned(), n(message.bot)),
        (CLASS.to_owned(), s(message.class.as_str())),
        (CONTENT.to_owned(), s(content)),
        (STATE.to_owned(), s(MessageState::Queued.as_str())),
        (QUEUED_AT.to_owned(), s(now)),
    ]);
    let optional = [
        (THREAD_ID, message.thread.map(n)),
        (NOT_BEFORE, message.not_before.map(s)),
        (NOT_AFTER, message.not_after.map(s)),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            item.insert(name.to_owned(), value);
        }
    }
    item
}

/// An error as it is kept.
fn cut(error: &str) -> String {
    error.chars().take(ERROR_MAX_CHARS).collect()
}

/// The groups that a process has listed, unlocked.
fn unlocked(
    groups: &Mutex<BTreeMap<(BotId, ChatId), Timestamp>>,
) -> std::sync::MutexGuard<'_, BTreeMap<(BotId, ChatId), Timestamp>> {
    groups.lock().unwrap_or_else(PoisonError::into_inner)
}
