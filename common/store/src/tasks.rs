//! The table of tasks: what is due for a chat, lane by lane, the oldest first.

mod waiting;

use std::collections::HashMap;

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, ReturnValue, TransactWriteItem};

use super::item::{Item, Reader, link, n, s};
use super::{StoreError, Table};
use domain::id::{BotId, ChatId, InviteLink, TelegramUserId};
use domain::lanes;
use domain::link_pool::SlotId;
use domain::task::{Decline, KeyRange, Lane, Mint, Replace, Revoke, Task, TaskKey, Work};
use domain::time::Timestamp;
use runtime::config::Env;

const REQUEST_ID: &str = "requestId";
const USER_ID: &str = "userId";
const TRANSACTION_ID: &str = "transactionId";
const CHAT_ID: &str = "chatId";
const ATTEMPTS: &str = "attempts";
const INVITE_LINK: &str = "inviteLink";
const CREATED_AT: &str = "createdAt";
const LINK_VERSION: &str = "linkVersion";
const BOT_ID: &str = "botId";
const SLOT: &str = "slot";
const TELEGRAM_USER_ID: &str = "telegramUserId";
const HELD_UNTIL: &str = "heldUntil";
const LANE: &str = "lane";
const KEY: &str = "key";
const KIND: &str = "kind";
const NOT_BEFORE: &str = "notBefore";
const CRASHES: &str = "crashes";
const LAST_ERROR: &str = "lastError";
const TRACE: &str = "trace";

/// The longest error that is kept with a task, in characters.
const ERROR_MAX_CHARS: usize = 300;

/// The table of tasks.
#[derive(Clone)]
pub struct Tasks(pub(super) Table);

/// A task as it was read.
#[derive(Clone, Debug)]
pub enum Found {
    /// It is one.
    Task(Task),
    /// It does not have the form that this version writes.
    Malformed(Malformed),
}

/// An item that is not a task of ours, as it lies in its lane.
#[derive(Clone)]
pub struct Malformed {
    /// Where it lies.
    pub key: TaskKey,
    /// The attribute that is not as it should be.
    pub attribute: String,
    item: Item,
}

impl std::fmt::Debug for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Malformed({}, {})", self.key, self.attribute)
    }
}

/// A part of a lane, in order.
#[derive(Debug, Default)]
pub struct LanePage {
    /// What stands there.
    pub found: Vec<Found>,
    /// The last key, if the lane goes on.
    pub more_after: Option<String>,
}

impl LanePage {
    /// The tasks of the page, and what is not one.
    #[must_use]
    pub fn split(self) -> (lanes::Page, Vec<Malformed>) {
        let (mut tasks, mut malformed) = (Vec::with_capacity(self.found.len()), Vec::new());
        for found in self.found {
            match found {
                Found::Task(task) => tasks.push(task),
                Found::Malformed(other) => malformed.push(other),
            }
        }
        let more_after = self.more_after;
        (lanes::Page { tasks, more_after }, malformed)
    }
}

impl Tasks {
    /// The table `ChatTasks`.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self(Table::from_env(
            client,
            env,
            "ChatTasks",
            "CHAT_TASKS_TABLE",
        ))
    }

    /// Puts a task into its lane; one that is there already stays as it is. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written; putting it again is harmless.
    pub async fn put(&self, task: &Task) -> Result<(), StoreError> {
        let call = self
            .0
            .client
            .put_item()
            .table_name(&self.0.name)
            .set_item(Some(item_of(task, &task.key().lane)))
            .condition_expression(IS_NEW);
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(
                    error.as_service_error(),
                    Some(PutItemError::ConditionalCheckFailedException(_))
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(self.0.fault("PutItem")(error)),
        }
    }

    /// Takes a task out of its lane: it is done. Durable on return; done twice it is as done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; the task is then met again, and found done.
    pub async fn delete(&self, key: &TaskKey) -> Result<(), StoreError> {
        let call = self
            .0
            .client
            .delete_item()
            .table_name(&self.0.name)
            .set_key(Some(key_of(&key.lane.to_string(), &key.key)));
        call.send()
            .await
            .map(|_| ())
            .map_err(self.0.fault("DeleteItem"))
    }

    /// Has a task wait until `at`, after `attempts` tries of its own. Durable on return; a task that is gone stays gone.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; the task is then met again before its time.
    pub async fn defer(
        &self,
        task: &Task,
        at: Timestamp,
        attempts: u32,
        error: &str,
    ) -> Result<(), StoreError> {
        let error: String = error.chars().take(ERROR_MAX_CHARS).collect();
        self.change(
            task,
            "SET notBefore = :at, attempts = :attempts, lastError = :error",
            [
                (":at", s(at)),
                (":attempts", n(attempts)),
                (":error", s(error)),
            ],
        )
        .await
    }

    /// Notes that the process died while it worked on this task alone, for the `crashes`th time, and has it wait until
    /// `at`. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told.
    pub async fn note_crash(
        &self,
        task: &Task,
        crashes: u32,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.change(
            task,
            "SET notBefore = :at, crashes = :crashes",
            [(":at", s(at)), (":crashes", n(crashes))],
        )
        .await
    }

    async fn change<const N: usize>(
        &self,
        task: &Task,
        expression: &str,
        values: [(&str, AttributeValue); N],
    ) -> Result<(), StoreError> {
        let key = task.key();
        let mut call = self
            .0
            .client
            .update_item()
            .table_name(&self.0.name)
            .set_key(Some(key_of(&key.lane.to_string(), &key.key)))
            .update_expression(expression)
            .condition_expression("attribute_exists(lane)")
            .return_values(ReturnValue::None);
        for (name, value) in values {
            call = call.expression_attribute_values(name, value);
        }
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(
                    error.as_service_error(),
                    Some(UpdateItemError::ConditionalCheckFailedException(_))
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(self.0.fault("UpdateItem")(error)),
        }
    }

    /// The task of a key, as of now (1 read unit).
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn get(&self, lane: Lane, key: &str) -> Result<Option<Found>, StoreError> {
        let call = self
            .0
            .client
            .get_item()
            .table_name(&self.0.name)
            .set_key(Some(key_of(&lane.to_string(), key)))
            .consistent_read(true);
        let answer = call.send().await.map_err(self.0.fault("GetItem"))?;
        Ok(answer.item.map(|item| self.read(lane, item)))
    }

    /// The oldest tasks of a lane behind the key `after`, up to `limit`, as of now. Costs 1 read unit for some 10 of them.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn page(
        &self,
        lane: Lane,
        after: Option<&str>,
        limit: i32,
    ) -> Result<LanePage, StoreError> {
        let name = lane.to_string();
        let call = self
            .0
            .client
            .query()
            .table_name(&self.0.name)
            .key_condition_expression("lane = :lane")
            .expression_attribute_values(":lane", s(&name))
            .consistent_read(true)
            .set_exclusive_start_key(after.map(|after| key_of(&name, after)))
            .limit(limit);
        let answer = call.send().await.map_err(self.0.fault("Query"))?;
        Ok(self.page_of(lane, answer.items, answer.last_evaluated_key))
    }

    /// The same of a part of a lane: the oldest of a kind behind the key `after`.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn part(
        &self,
        lane: Lane,
        range: KeyRange,
        after: Option<&str>,
        limit: i32,
    ) -> Result<LanePage, StoreError> {
        let name = lane.to_string();
        let call = self
            .0
            .client
            .query()
            .table_name(&self.0.name)
            .key_condition_expression("lane = :lane AND #key BETWEEN :from AND :to")
            .expression_attribute_names("#key", KEY)
            .expression_attribute_values(":lane", s(&name))
            .expression_attribute_values(":from", s(range.from))
            .expression_attribute_values(":to", s(range.to))
            .consistent_read(true)
            .set_exclusive_start_key(after.map(|after| key_of(&name, after)))
            .limit(limit);
        let answer = call.send().await.map_err(self.0.fault("Query"))?;
        Ok(self.page_of(lane, answer.items, answer.last_evaluated_key))
    }

    fn page_of(&self, lane: Lane, items: Option<Vec<Item>>, last: Option<Item>) -> LanePage {
        let more_after = last.and_then(|last| {
            let key = last.get(KEY)?.as_s().ok()?;
            Some(key.clone())
        });
        let items = items.unwrap_or_default().into_iter();
        LanePage {
            found: items.map(|item| self.read(lane, item)).collect(),
            more_after,
        }
    }

    /// The keys of a lane behind the key `after`, as of a moment ago. A page of DynamoDB's own size: some 10,000 keys of
    /// fill tasks, for some 130 read units.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn keys(
        &self,
        lane: Lane,
        after: Option<&str>,
    ) -> Result<(Vec<String>, Option<String>), StoreError> {
        let name = lane.to_string();
        let call = self
            .0
            .client
            .query()
            .table_name(&self.0.name)
            .key_condition_expression("lane = :lane")
            .expression_attribute_values(":lane", s(&name))
            .projection_expression("#key")
            .expression_attribute_names("#key", KEY)
            .set_exclusive_start_key(after.map(|after| key_of(&name, after)));
        let answer = call.send().await.map_err(self.0.fault("Query of keys"))?;
        let text = |item: &Item| item.get(KEY).and_then(|key| key.as_s().ok()).cloned();
        let keys = answer.items.unwrap_or_default();
        let keys = keys.iter().filter_map(text).collect();
        Ok((keys, answer.last_evaluated_key.as_ref().and_then(text)))
    }

    /// Moves an item that is not a task of ours to the lane of failed ones, as it is. Durable on return; done twice it is
    /// as done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told.
    pub async fn set_aside(&self, chat: ChatId, malformed: &Malformed) -> Result<(), StoreError> {
        let mut item = malformed.item.clone();
        item.insert(LANE.to_owned(), s(Lane::Failed(chat)));
        item.insert(
            LAST_ERROR.to_owned(),
            s(format_args!("malformed: {}", malformed.attribute)),
        );
        self.move_item(&malformed.key, item).await
    }

    /// Moves a task to the lane of failed ones, with the reason, until somebody retries it. Durable on return; done twice it
    /// is as done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; the task is then met again.
    pub async fn fail(&self, task: &Task, error: &str) -> Result<(), StoreError> {
        let failed = Task {
            last_error: Some(error.chars().take(ERROR_MAX_CHARS).collect()),
            not_before: None,
            attempts: 0,
            crashes: 0,
            ..task.clone()
        };
        self.move_item(&task.key(), item_of(&failed, &Lane::Failed(task.chat)))
            .await
    }

    /// Moves a task from the lane of failed ones back to its own, where it is due at once. Durable on return; done twice it
    /// is as done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told.
    pub async fn retry(&self, failed: &Task) -> Result<(), StoreError> {
        let (from, to) = (Lane::Failed(failed.chat), failed.key());
        let anew = Task {
            last_error: None,
            ..failed.clone()
        };
        let from = TaskKey {
            lane: from,
            key: to.key,
        };
        self.move_item(&from, item_of(&anew, &to.lane)).await
    }

    async fn move_item(&self, from: &TaskKey, item: Item) -> Result<(), StoreError> {
        let operation = "TransactWriteItems to move a task";
        let put = Put::builder().table_name(&self.0.name).set_item(Some(item));
        let writes = put.build().and_then(|put| {
            Ok([
                TransactWriteItem::builder().put(put).build(),
                TransactWriteItem::builder()
                    .delete(self.deletion(from)?)
                    .build(),
            ])
        });
        let writes = writes
            .map_err(SdkError::<TransactWriteItemsError>::construction_failure)
            .map_err(self.0.fault(operation))?;
        let call = self.0.client.transact_write_items();
        call.set_transact_items(Some(writes.into()))
            .send()
            .await
            .map(|_| ())
            .map_err(self.0.fault(operation))
    }

    /// A task into its lane, or into that of failed ones, as a part of a transaction.
    pub(super) fn insertion(&self, task: &Task, lane: Lane) -> Result<Put, BuildError> {
        Put::builder()
            .table_name(&self.0.name)
            .set_item(Some(item_of(task, &lane)))
            .build()
    }

    /// A task out of its lane, as a part of a transaction.
    pub(super) fn deletion(&self, key: &TaskKey) -> Result<Delete, BuildError> {
        Delete::builder()
            .table_name(&self.0.name)
            .set_key(Some(key_of(&key.lane.to_string(), &key.key)))
            .build()
    }

    fn read(&self, lane: Lane, item: Item) -> Found {
        let reader = Reader {
            table: &self.0,
            item: &item,
        };
        let task = task_of(&reader).and_then(|task| {
            // One that lies elsewhere could be done again and again, and never be taken out.
            match lane == task.key().lane || matches!(lane, Lane::Failed(_)) {
                true => Ok(task),
                false => Err(self.0.malformed(LANE)),
            }
        });
        match task {
            Ok(task) => Found::Task(task),
            Err(fault) => {
                let attribute = match fault {
                    StoreError::Malformed { attribute, .. } => attribute.to_owned(),
                    other => other.to_string(),
                };
                let key = reader.text(KEY).unwrap_or_default().to_owned();
                Found::Malformed(Malformed {
                    key: TaskKey { lane, key },
                    attribute,
                    item,
                })
            }
        }
    }
}

/// The condition that no such task is there.
const IS_NEW: &str = "attribute_not_exists(lane)";
const MINT: &str = "mint";
const REPLACE: &str = "replace";
const REVOKE: &str = "revoke";
const FILL: &str = "fill";
const APPROVE: &str = "approve";
const DECLINE: &str = "decline";
const REMOVE: &str = "remove";

fn key_of(lane: &str, key: &str) -> HashMap<String, AttributeValue> {
    [(LANE.to_owned(), s(lane)), (KEY.to_owned(), s(key))].into()
}

fn item_of(task: &Task, lane: &Lane) -> Item {
    let mut item = key_of(&lane.to_string(), &task.key().key);
    let mut add = |name: &str, value: AttributeValue| {
        item.insert(name.to_owned(), value);
    };
    add(CHAT_ID, n(task.chat));
    add(CREATED_AT, s(task.created_at));
    match &task.work {
        Work::Mint(mint) => {
            add(KIND, s(MINT));
            add(REQUEST_ID, s(mint.request_id));
            add(USER_ID, s(&mint.user_id));
            add(TRANSACTION_ID, s(&mint.transaction_id));
            add(LINK_VERSION, n(mint.link_version));
        }
        Work::Replace(replace) => {
            add(KIND, s(REPLACE));
            add(REQUEST_ID, s(replace.request_id));
            add(BOT_ID, n(replace.bot));
            add(LINK_VERSION, n(replace.link_version));
        }
        Work::Revoke(revoke) => {
            add(KIND, s(REVOKE));
            add(INVITE_LINK, link(&revoke.invite_link));
            add(BOT_ID, n(revoke.bot));
            if let Some(id) = revoke.request_id {
                add(REQUEST_ID, s(id));
            }
        }
        Work::Fill(slot) => {
            add(KIND, s(FILL));
            add(SLOT, n(slot.number));
        }
        Work::Approve(person) => {
            add(KIND, s(APPROVE));
            add(TELEGRAM_USER_ID, n(person));
        }
        Work::Decline(decline) => {
            add(KIND, s(DECLINE));
            add(TELEGRAM_USER_ID, n(decline.person));
            add(HELD_UNTIL, s(decline.held_until));
        }
        Work::Remove(person) => {
            add(KIND, s(REMOVE));
            add(TELEGRAM_USER_ID, n(person));
        }
    }
    if task.attempts > 0 {
        add(ATTEMPTS, n(task.attempts));
    }
    if task.crashes > 0 {
        add(CRASHES, n(task.crashes));
    }
    let texts = [
        (NOT_BEFORE, task.not_before.map(s)),
        (LAST_ERROR, task.last_error.as_ref().map(s)),
        (TRACE, task.trace.as_ref().map(s)),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            add(name, value);
        }
    }
    item
}

fn task_of(reader: &Reader<'_>) -> Result<Task, StoreError> {
    let chat = ChatId(reader.number(CHAT_ID)?);
    let work = match reader.text(KIND)? {
        MINT => Work::Mint(Mint {
            request_id: reader.parsed(REQUEST_ID)?,
            user_id: reader.text(USER_ID)?.to_owned(),
            transaction_id: reader.text(TRANSACTION_ID)?.to_owned(),
            link_version: reader.number(LINK_VERSION)?,
        }),
        REPLACE => Work::Replace(Replace {
            request_id: reader.parsed(REQUEST_ID)?,
            bot: BotId(reader.number(BOT_ID)?),
            link_version: reader.number(LINK_VERSION)?,
        }),
        REVOKE => Work::Revoke(Revoke {
            invite_link: InviteLink::new(reader.text(INVITE_LINK)?),
            bot: BotId(reader.number(BOT_ID)?),
            request_id: match reader.optional_text(REQUEST_ID)? {
                None => None,
                Some(_) => Some(reader.parsed(REQUEST_ID)?),
            },
        }),
        APPROVE => Work::Approve(TelegramUserId(reader.number(TELEGRAM_USER_ID)?)),
        DECLINE => Work::Decline(Decline {
            person: TelegramUserId(reader.number(TELEGRAM_USER_ID)?),
            held_until: reader.parsed(HELD_UNTIL)?,
        }),
        REMOVE => Work::Remove(TelegramUserId(reader.number(TELEGRAM_USER_ID)?)),
        FILL => Work::Fill(SlotId {
            pool: chat,
            number: reader.number(SLOT)?,
        }),
        _ => return Err(reader.table.malformed(KIND)),
    };
    let task = Task {
        chat,
        work,
        created_at: reader.parsed(CREATED_AT)?,
        not_before: reader.optional_instant(NOT_BEFORE)?,
        attempts: reader.optional_number(ATTEMPTS)?.unwrap_or_default(),
        crashes: reader.optional_number(CRASHES)?.unwrap_or_default(),
        last_error: reader.optional_text(LAST_ERROR)?.map(str::to_owned),
        trace: reader.optional_text(TRACE)?.map(str::to_owned),
    };
    // What it says must be what its place says: a task is deleted by its place.
    if reader.text(KEY)? != task.key().key {
        return Err(reader.table.malformed(KEY));
    }
    Ok(task)
}
