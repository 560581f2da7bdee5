//! What bots and people do with the topics of a forum, and what people see of them.

use std::collections::BTreeMap;

use serde_json::json;

use super::Telegram;
use super::chat::OWNER_ID;
use super::conversation::{Conversation, Draft, Sender};
use super::entities::Formatted;
use super::member::User;
use super::refusal::Refusal;
use super::state::TelegramState;
use super::talk::Edited;
use super::topic::Topic;

/// A topic as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenTopic {
    /// Its `message_thread_id`.
    pub thread_id: i64,
    /// Its name.
    pub name: String,
    /// Whether only administrators may write there.
    pub is_closed: bool,
}

impl TelegramState {
    fn topics_mut(&mut self, chat_id: i64) -> Option<&mut BTreeMap<i64, Topic>> {
        self.chats.get_mut(&chat_id)?.topics.as_mut()
    }

    pub(crate) fn topic(&self, chat_id: i64, thread_id: i64) -> Option<&Topic> {
        self.chats.get(&chat_id)?.topics.as_ref()?.get(&thread_id)
    }

    /// Begins a topic and gives its id. None if the chat is no forum.
    pub(crate) fn begin_topic(
        &mut self,
        chat_id: i64,
        by: User,
        topic: Topic,
        now_ms: i64,
    ) -> Option<i64> {
        self.topics_mut(chat_id)?;
        let conversation = Conversation::chat(chat_id);
        let begun = json!({"name": topic.name, "icon_color": topic.icon_color});
        let draft = Draft::service(by, "forum_topic_created", begun);
        let message = self.post(conversation, draft, now_ms)?;
        let started = self.log_mut(conversation)?.get_mut(message.id)?;
        started.draft.thread_id = Some(message.id);
        let started = started.clone();
        self.topics_mut(chat_id)?.insert(message.id, topic);
        self.spread(conversation, &started, Edited::No, now_ms);
        Some(message.id)
    }

    /// Closes or opens a topic, which a service message tells.
    pub(crate) fn set_topic_closed(
        &mut self,
        chat_id: i64,
        thread_id: i64,
        by: impl Into<Sender>,
        is_closed: bool,
        now_ms: i64,
    ) -> Result<(), Refusal> {
        let topics = self.topics_mut(chat_id);
        let topic = topics.and_then(|topics| topics.get_mut(&thread_id));
        let topic = topic.ok_or_else(|| Refusal::bad_request("TOPIC_ID_INVALID"))?;
        if topic.is_closed == is_closed {
            return Err(Refusal::bad_request("TOPIC_NOT_MODIFIED"));
        }
        topic.is_closed = is_closed;
        let field = if is_closed {
            "forum_topic_closed"
        } else {
            "forum_topic_reopened"
        };
        let mut draft = Draft::service(by, field, json!({}));
        draft.thread_id = Some(thread_id);
        self.say(Conversation::chat(chat_id), draft, now_ms);
        Ok(())
    }

    /// Deletes a topic with its messages; no update tells. False if there is none.
    pub(crate) fn delete_topic(&mut self, chat_id: i64, thread_id: i64) -> bool {
        let topics = self.topics_mut(chat_id);
        if topics
            .and_then(|topics| topics.remove(&thread_id))
            .is_none()
        {
            return false;
        }
        if let Some(chat) = self.chats.get_mut(&chat_id) {
            chat.log.delete_thread(thread_id);
        }
        true
    }
}

impl Telegram {
    /// Gives the supergroup topics.
    pub fn make_forum(&self, chat_id: i64) {
        self.shared.change(|state, _| {
            if let Some(chat) = state.world.chats.get_mut(&chat_id) {
                chat.topics.get_or_insert_default();
            }
        });
    }

    /// The chats that are forums: the id and the title of each.
    #[must_use]
    pub fn forums(&self) -> Vec<(i64, String)> {
        let state = self.shared.lock();
        let chats = state.world.chats.values();
        chats
            .filter(|chat| chat.topics.is_some() && !chat.deleted)
            .map(|chat| (chat.id, chat.title.clone()))
            .collect()
    }

    /// The topics of a forum, oldest first.
    #[must_use]
    pub fn topics(&self, chat_id: i64) -> Vec<SeenTopic> {
        let state = self.shared.lock();
        let chat = state.world.chats.get(&chat_id);
        let topics = chat.and_then(|chat| chat.topics.as_ref());
        let seen = |(thread_id, topic): (&i64, &Topic)| SeenTopic {
            thread_id: *thread_id,
            name: topic.name.clone(),
            is_closed: topic.is_closed,
        };
        topics.into_iter().flatten().map(seen).collect()
    }

    /// The person begins a topic, and gets its id; 0 if the chat is no forum.
    pub fn opens_topic(&self, chat_id: i64, user: &User, name: &str) -> i64 {
        self.shared.change(|state, now_ms| {
            let topic = Topic {
                name: name.to_owned(),
                icon_color: 7_322_096,
                is_closed: false,
            };
            let begun = state
                .world
                .begin_topic(chat_id, user.clone(), topic, now_ms);
            begun.unwrap_or_default()
        })
    }

    /// The person says something in a topic, and gets the id of the message; 0 if the topic is gone or closed.
    pub fn says_in_topic(&self, chat_id: i64, thread_id: i64, user: &User, text: &str) -> i64 {
        self.shared.change(|state, now_ms| {
            let world = &mut state.world;
            let topic = world.topic(chat_id, thread_id);
            if topic.is_none_or(|topic| topic.is_closed) {
                return 0;
            }
            let mut draft = Draft::new(user.clone(), Formatted::plain(text));
            draft.thread_id = Some(thread_id);
            let said = world.say(Conversation::chat(chat_id), draft, now_ms);
            said.unwrap_or_default()
        })
    }

    /// The owner closes a topic. False if it is gone or closed.
    pub fn closes_topic(&self, chat_id: i64, thread_id: i64) -> bool {
        let owner = User::new(OWNER_ID).named("Owner");
        self.shared.change(|state, now_ms| {
            let world = &mut state.world;
            world
                .set_topic_closed(chat_id, thread_id, owner, true, now_ms)
                .is_ok()
        })
    }

    /// The owner opens a topic again. False if it is gone or open.
    pub fn reopens_topic(&self, chat_id: i64, thread_id: i64) -> bool {
        let owner = User::new(OWNER_ID).named("Owner");
        self.shared.change(|state, now_ms| {
            let world = &mut state.world;
            world
                .set_topic_closed(chat_id, thread_id, owner, false, now_ms)
                .is_ok()
        })
    }

    /// The owner deletes a topic with its messages; no update tells. False if it is gone.
    pub fn deletes_topic(&self, chat_id: i64, thread_id: i64) -> bool {
        self.shared
            .change(|state, _| state.world.delete_topic(chat_id, thread_id))
    }
}
