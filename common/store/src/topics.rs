//! The topics of the operators' chat, in `People`: where the topic of each person stands, and when they last wrote there.
//!
//! ```text
//! claim    CREATING, since now       one run at a time calls createForumTopic
//! give back   WANTED                  Telegram surely made none
//! open     OPEN, with its thread     unless another one is known; die before it: Telegram's service message does it
//! ```
//!
//! A topic is one of its chat: where another chat is the operators' by now, there is none until one is made there, which takes the
//! place of the one before.
//!
//! The topic that new people share stands there too, under a key of its own, with the count of topics that were made for new
//! people in an hour.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValue;

use super::item::{Item, Reader, n, s};
use super::{StoreError, Table};
use domain::id::ChatId;
use domain::message::{MessageId, TopicOwner, TopicState};
use domain::relay::RelayBacklog;
use domain::time::Timestamp;
use runtime::config::Env;

const PERSON: &str = "telegramUserId";
const STATE: &str = "topicState";
const CHAT: &str = "topicChat";
const THREAD: &str = "topicThread";
const SINCE: &str = "topicSince";
const NAME: &str = "topicName";
const WANTED_BY: &str = "topicWantedBy";
const RELAYED_AT: &str = "relayedAt";
const CONVERSATION_BY: &str = "conversationBy";
const ANSWERED_AT: &str = "answeredAt";
const REMINDER_AT: &str = "topicReminderAt";
const MARK: &str = "relayMark";
const COUNT: &str = "relayCount";
const WANTED: &str = "WANTED";
const CREATING: &str = "CREATING";
const OPEN: &str = "OPEN";
const CLOSED: &str = "CLOSED";
/// The condition that no topic of this chat is known.
const ELSEWHERE: &str =
    "attribute_not_exists(topicState) OR attribute_not_exists(topicChat) OR topicChat <> :chat";
/// The length of the time for which new topics are counted.
const HOUR_SECONDS: i64 = 3600;

/// The topics of the operators' chat.
#[derive(Clone)]
pub struct Topics(Table);

/// What is known of the topic of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicRecord {
    /// Where it stands; nothing if it was never wanted in this chat, or is gone.
    pub state: Option<TopicState>,
    /// The number of the update by which it was first wanted.
    pub wanted_by: Option<i64>,
    /// Its name.
    pub name: Option<String>,
    /// Whether an operator has blocked the person.
    pub is_blocked: bool,
    /// When the person's last word was passed on.
    pub relayed_at: Option<Timestamp>,
    /// The number of the update that began their conversation.
    pub conversation_by: Option<i64>,
    /// When an operator last answered the person.
    pub answered_at: Option<Timestamp>,
    /// When it is looked whether the topic is silent, if that is to be looked at.
    pub reminder_at: Option<Timestamp>,
}

impl Topics {
    /// The table `People`.
    pub fn from_env(client: aws_sdk_dynamodb::Client, env: &mut Env) -> Self {
        Self(Table::from_env(client, env, "People", "PEOPLE_TABLE"))
    }

    /// What is known of somebody, and of their topic in this chat, as of now (1 read unit).
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn get(&self, owner: TopicOwner, chat: ChatId) -> Result<TopicRecord, StoreError> {
        let call = self.0.client.get_item().table_name(&self.0.name);
        let answer = call
            .key(PERSON, s(owner))
            .consistent_read(true)
            .send()
            .await
            .map_err(self.0.fault("GetItem of a topic"))?;
        match &answer.item {
            Some(item) => self.record(item, chat),
            None => Ok(TopicRecord::default()),
        }
    }

    /// Has a topic be made in this chat once something is said in it, because of an update. One that is known there stays as it
    /// is.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written; writing it again is harmless.
    pub async fn want(
        &self,
        owner: TopicOwner,
        chat: ChatId,
        update: i64,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let call = self
            .change(owner)
            .update_expression("SET topicState = :wanted, topicChat = :chat, topicWantedBy = :update, createdAt = if_not_exists(createdAt, :now) \
                                REMOVE topicThread, topicName, topicSince")
            .expression_attribute_values(":now", s(now))
            .condition_expression(ELSEWHERE)
            .expression_attribute_values(":chat", n(chat))
            .expression_attribute_values(":update", n(update))
            .expression_attribute_values(":wanted", s(WANTED));
        self.conditional(call, "UpdateItem of a topic").await?;
        Ok(())
    }

    /// Claims the creation of a topic in this chat of which `seen` was read; answers whether it is this caller's.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; no topic is then to be made.
    pub async fn claim(
        &self,
        owner: TopicOwner,
        chat: ChatId,
        seen: Option<TopicState>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let call = self
            .change(owner)
            .update_expression("SET topicState = :creating, topicChat = :chat, topicSince = :now, createdAt = if_not_exists(createdAt, :now) \
                                REMOVE topicThread, topicName")
            .expression_attribute_values(":chat", n(chat))
            .expression_attribute_values(":creating", s(CREATING))
            .expression_attribute_values(":now", s(now));
        let call = match seen {
            Some(TopicState::Creating(since)) => call
                .condition_expression(
                    "topicState = :creating AND topicSince = :since AND topicChat = :chat",
                )
                .expression_attribute_values(":since", s(since)),
            _ => call
                .condition_expression(format!("{ELSEWHERE} OR topicState = :wanted"))
                .expression_attribute_values(":wanted", s(WANTED)),
        };
        self.conditional(call, "UpdateItem to claim a topic").await
    }

    /// Gives back a creation that was claimed at `since` and surely made nothing: the next word tries it at once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written; writing it again is harmless.
    pub async fn give_back(&self, owner: TopicOwner, since: Timestamp) -> Result<(), StoreError> {
        let call = self
            .change(owner)
            .update_expression("SET topicState = :wanted REMOVE topicSince")
            .condition_expression("topicState = :creating AND topicSince = :since")
            .expression_attribute_values(":wanted", s(WANTED))
            .expression_attribute_values(":creating", s(CREATING))
            .expression_attribute_values(":since", s(since));
        self.conditional(call, "UpdateItem to give a topic back")
            .await?;
        Ok(())
    }

    /// Writes that a topic is there and open, unless its owner has another one in its chat; answers whether that is so. Durable
    /// on return; done twice it is as done once.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written.
    pub async fn open(
        &self,
        owner: TopicOwner,
        (chat, thread): (ChatId, i64),
        name: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut set = "SET topicState = :open, topicChat = :chat, topicThread = :thread, createdAt = if_not_exists(createdAt, :now)".to_owned();
        let mut call = self
            .change(owner)
            .condition_expression(format!(
                "{ELSEWHERE} OR attribute_not_exists(topicThread) OR topicThread = :thread"
            ))
            .expression_attribute_values(":chat", n(chat))
            .expression_attribute_values(":open", s(OPEN))
            .expression_attribute_values(":now", s(now))
            .expression_attribute_values(":thread", n(thread));
        if let Some(name) = name {
            set.push_str(", topicName = :name");
            call = call.expression_attribute_values(":name", s(name));
        }
        let call = call.update_expression(format!("{set} REMOVE topicSince"));
        self.conditional(call, "UpdateItem of an open topic").await
    }

    /// Writes that a topic is closed, if it is its owner's.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written; writing it again is harmless.
    pub async fn close(
        &self,
        owner: TopicOwner,
        (chat, thread): (ChatId, i64),
    ) -> Result<(), StoreError> {
        let call = self
            .change(owner)
            .update_expression("SET topicState = :closed")
            .condition_expression("topicChat = :chat AND topicThread = :thread")
            .expression_attribute_values(":chat", n(chat))
            .expression_attribute_values(":closed", s(CLOSED))
            .expression_attribute_values(":thread", n(thread));
        self.conditional(call, "UpdateItem of a closed topic")
            .await?;
        Ok(())
    }

    /// Writes that a topic is gone, if it is its owner's: the next word makes another one.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written; writing it again is harmless.
    pub async fn forget(
        &self,
        owner: TopicOwner,
        (chat, thread): (ChatId, i64),
    ) -> Result<(), StoreError> {
        let call = self
            .change(owner)
            .update_expression(
                "REMOVE topicState, topicChat, topicThread, topicSince, topicName, topicWantedBy",
            )
            .condition_expression("topicChat = :chat AND topicThread = :thread")
            .expression_attribute_values(":chat", n(chat))
            .expression_attribute_values(":thread", n(thread));
        self.conditional(call, "UpdateItem of a topic that is gone")
            .await?;
        Ok(())
    }

    /// Notes that a person's word is passed on, and if it begins a conversation, by which update it does; also when it is looked
    /// whether the topic is silent, if there is a reminder of it and none before.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written; writing it again is harmless.
    pub async fn note_word(
        &self,
        owner: TopicOwner,
        at: Timestamp,
        begun_by: Option<i64>,
        reminder_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let mut set = "SET relayedAt = :at, createdAt = if_not_exists(createdAt, :at)".to_owned();
        let mut call = self.change(owner).expression_attribute_values(":at", s(at));
        if let Some(update) = begun_by {
            set.push_str(", conversationBy = :update");
            call = call.expression_attribute_values(":update", n(update));
        }
        if let Some(reminder_at) = reminder_at {
            set.push_str(", topicReminderAt = if_not_exists(topicReminderAt, :reminder)");
            call = call.expression_attribute_values(":reminder", s(reminder_at));
        }
        let call = call.update_expression(set);
        self.conditional(call, "UpdateItem of a conversation")
            .await?;
        Ok(())
    }

    /// Counts what a person wrote towards what may wait of theirs; the first one, `next`, is the mark. Durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; counted twice it harms nobody.
    pub async fn count_word(
        &self,
        owner: TopicOwner,
        next: &MessageId,
        now: Timestamp,
    ) -> Result<RelayBacklog, StoreError> {
        let set = "SET relayMark = if_not_exists(relayMark, :next), createdAt = if_not_exists(createdAt, :now) \
                   ADD relayCount :one";
        let answer = self
            .change(owner)
            .update_expression(set)
            .expression_attribute_values(":next", s(next))
            .expression_attribute_values(":now", s(now))
            .expression_attribute_values(":one", n(1))
            .return_values(ReturnValue::AllNew)
            .send()
            .await
            .map_err(self.0.fault("UpdateItem to count a word"))?;
        let item = answer.attributes.unwrap_or_default();
        let reader = Reader {
            table: &self.0,
            item: &item,
        };
        Ok(RelayBacklog {
            mark: reader.parsed(MARK)?,
            count: reader.number(COUNT)?,
        })
    }

    /// Has `next` be the mark of a person, in place of `former`, and the first that is counted; answers whether that was still
    /// the mark.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told.
    pub async fn mark(
        &self,
        owner: TopicOwner,
        former: &MessageId,
        next: &MessageId,
    ) -> Result<bool, StoreError> {
        let call = self
            .change(owner)
            .update_expression("SET relayMark = :next, relayCount = :one")
            .condition_expression("relayMark = :former")
            .expression_attribute_values(":next", s(next))
            .expression_attribute_values(":former", s(former))
            .expression_attribute_values(":one", n(1));
        self.conditional(call, "UpdateItem of a mark").await
    }

    /// Notes when it is looked whether a topic is silent, of which there is no reminder yet.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written; writing it again is harmless.
    pub async fn note_reminder(
        &self,
        owner: TopicOwner,
        reminder_at: Timestamp,
    ) -> Result<(), StoreError> {
        let call = self
            .change(owner)
            .update_expression("SET topicReminderAt = if_not_exists(topicReminderAt, :reminder)")
            .condition_expression("attribute_exists(topicState)")
            .expression_attribute_values(":reminder", s(reminder_at));
        self.conditional(call, "UpdateItem of a topic's first reminder")
            .await?;
        Ok(())
    }

    /// Notes that an operator answered in a topic that is known.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written; writing it again is harmless.
    pub async fn note_answer(&self, owner: TopicOwner, at: Timestamp) -> Result<(), StoreError> {
        let call = self
            .change(owner)
            .update_expression("SET answeredAt = :at")
            .condition_expression("attribute_exists(topicState)")
            .expression_attribute_values(":at", s(at));
        self.conditional(call, "UpdateItem of an answer").await?;
        Ok(())
    }

    /// Has a topic whose reminder is at `from` have one at `to`, or none.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told whether it was written; writing it again is harmless.
    pub async fn remind(
        &self,
        owner: TopicOwner,
        from: Timestamp,
        to: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let call = self
            .change(owner)
            .condition_expression("topicReminderAt = :from")
            .expression_attribute_values(":from", s(from));
        let call = match to {
            Some(to) => call
                .update_expression("SET topicReminderAt = :to")
                .expression_attribute_values(":to", s(to)),
            None => call.update_expression("REMOVE topicReminderAt"),
        };
        self.conditional(call, "UpdateItem of a topic's reminder")
            .await?;
        Ok(())
    }

    /// Counts a topic for a new person; answers whether it is among the first `limit` of the hour. Counted twice if its caller
    /// dies, which harms nobody.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told.
    pub async fn count_new(&self, now: Timestamp, limit: u32) -> Result<bool, StoreError> {
        let operation = "UpdateItem to count new topics";
        let hour = n(now.seconds().div_euclid(HOUR_SECONDS));
        let further = || {
            self.change(TopicOwner::Newcomers)
                .update_expression("ADD newTopics :one")
                .condition_expression("newTopicsHour = :hour AND newTopics < :limit")
                .expression_attribute_values(":one", n(1))
                .expression_attribute_values(":hour", hour.clone())
                .expression_attribute_values(":limit", n(limit))
        };
        if self.conditional(further(), operation).await? {
            return Ok(true);
        }
        let first = self
            .change(TopicOwner::Newcomers)
            .update_expression("SET newTopics = :one, newTopicsHour = :hour")
            .condition_expression("attribute_not_exists(newTopicsHour) OR newTopicsHour < :hour")
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":hour", hour.clone());
        if self.conditional(first, operation).await? {
            return Ok(true);
        }
        // Another one was the first of this hour meanwhile.
        self.conditional(further(), operation).await
    }

    fn change(&self, owner: TopicOwner) -> UpdateItemFluentBuilder {
        let call = self.0.client.update_item().table_name(&self.0.name);
        call.key(PERSON, s(owner))
    }

    /// Sends an update whose condition may fail; answers whether it was carried out.
    async fn conditional(
        &self,
        call: UpdateItemFluentBuilder,
        operation: &'static str,
    ) -> Result<bool, StoreError> {
        let Err(error) = call.send().await else {
            return Ok(true);
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(false),
            _ => Err(self.0.fault(operation)(error)),
        }
    }

    fn record(&self, item: &Item, chat: ChatId) -> Result<TopicRecord, StoreError> {
        let reader = Reader {
            table: &self.0,
            item,
        };
        // What an older version wrote does not say its chat, and may be of any.
        let is_here = reader.optional_number(CHAT)? == Some(chat.0);
        let state = match reader.optional_text(STATE)?.filter(|_| is_here) {
            None => None,
            Some(WANTED) => Some(TopicState::Wanted),
            Some(CREATING) => Some(TopicState::Creating(reader.parsed(SINCE)?)),
            Some(OPEN) => Some(TopicState::Open(reader.number(THREAD)?)),
            Some(CLOSED) => Some(TopicState::Closed(reader.number(THREAD)?)),
            Some(_) => return Err(self.0.malformed(STATE)),
        };
        Ok(TopicRecord {
            state,
            wanted_by: reader.optional_number(WANTED_BY)?.filter(|_| is_here),
            name: reader
                .optional_text(NAME)?
                .filter(|_| is_here)
                .map(str::to_owned),
            is_blocked: reader.flag("blocked"),
            relayed_at: reader.optional_instant(RELAYED_AT)?,
            conversation_by: reader.optional_number(CONVERSATION_BY)?,
            answered_at: reader.optional_instant(ANSWERED_AT)?,
            reminder_at: reader.optional_instant(REMINDER_AT)?,
        })
    }
}
