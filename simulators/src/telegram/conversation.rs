//! What is said in a chat: messages as they are kept, as bots are shown them, and as people see them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::entities::{Entity, Formatted};
use super::member::User;

/// How many messages of one chat are kept, the newest; older ones are not found any more.
pub const REMEMBERED_MESSAGES: usize = 1000;

/// Where something is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversation {
    /// The private chat of a person and a bot. Its chat id is the person's id.
    Private {
        /// The bot.
        bot_id: i64,
        /// The person.
        user_id: i64,
    },
    /// A group, a supergroup or a channel.
    Chat {
        /// Its id.
        chat_id: i64,
    },
}

impl Conversation {
    /// The private chat of a person and a bot.
    #[must_use]
    pub fn private(bot_id: i64, user_id: i64) -> Self {
        Self::Private { bot_id, user_id }
    }

    /// A group, a supergroup or a channel.
    #[must_use]
    pub fn chat(chat_id: i64) -> Self {
        Self::Chat { chat_id }
    }

    /// The `chat_id` by which a bot names it.
    #[must_use]
    pub fn chat_id(self) -> i64 {
        match self {
            Self::Private { user_id, .. } => user_id,
            Self::Chat { chat_id } => chat_id,
        }
    }
}

/// A message as people see it.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenMessage {
    /// Its id, unique in its chat only.
    pub message_id: i64,
    /// The user that it is from: a person, a bot, or the stand-in of an anonymous sender. Absent in a channel.
    pub from_id: Option<i64>,
    /// The text, or the caption, without markup.
    pub text: String,
    /// The `MessageEntity` objects of the text.
    pub entities: Vec<Value>,
    /// The buttons below it, row by row.
    pub buttons: Vec<Vec<SeenButton>>,
    /// The texts before each edit, oldest first.
    pub former_texts: Vec<String>,
    /// Whether it was deleted: people see it no longer.
    pub is_deleted: bool,
    /// Whether it can be neither forwarded nor saved.
    pub is_protected: bool,
    /// Whether it came without a sound.
    pub is_silent: bool,
    /// The topic that it is in.
    pub thread_id: Option<i64>,
    /// The album that it is a part of.
    pub album: Option<String>,
    /// The emoji that bots set below it.
    pub reactions: Vec<String>,
    /// When it was sent, in epoch seconds.
    pub date: i64,
}

/// A button below a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenButton {
    /// What it says.
    pub text: String,
    /// The link that it opens.
    pub url: Option<String>,
    /// The data that it sends to the bot. People don't see it, but their apps have it.
    pub callback_data: Option<String>,
}

/// Who a message is from, as the Bot API says it.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    pub(crate) user: Option<User>,
    /// The chat on whose behalf it was sent.
    pub(crate) chat: Option<Value>,
}

impl From<User> for Sender {
    fn from(user: User) -> Self {
        Self {
            user: Some(user),
            chat: None,
        }
    }
}

/// What is to be said.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) sender: Sender,
    pub(crate) said: Formatted,
    /// The `InlineKeyboardMarkup`.
    pub(crate) keyboard: Option<Value>,
    pub(crate) reply_to: Option<i64>,
    pub(crate) is_protected: bool,
    pub(crate) is_silent: bool,
    pub(crate) thread_id: Option<i64>,
    pub(crate) album: Option<String>,
    /// Fields that only some messages have: of a service message, of a photo.
    pub(crate) more: Map<String, Value>,
}

impl Draft {
    pub(crate) fn new(sender: impl Into<Sender>, said: Formatted) -> Self {
        Self {
            sender: sender.into(),
            said,
            keyboard: None,
            reply_to: None,
            is_protected: false,
            is_silent: false,
            thread_id: None,
            album: None,
            more: Map::new(),
        }
    }

    /// A message about something that happened.
    pub(crate) fn service(sender: impl Into<Sender>, field: &str, value: Value) -> Self {
        let mut draft = Self::new(sender, Formatted::default());
        draft.more.insert(field.to_owned(), value);
        draft
    }
}

/// A message as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct ChatMessage {
    pub(crate) id: i64,
    pub(crate) date: i64,
    pub(crate) edit_date: Option<i64>,
    pub(crate) is_deleted: bool,
    pub(crate) former_texts: Vec<String>,
    /// By the bot.
    pub(crate) reactions: BTreeMap<i64, String>,
    pub(crate) draft: Draft,
}

impl ChatMessage {
    pub(crate) fn is_from(&self, user_id: i64) -> bool {
        let user = self.draft.sender.user.as_ref();
        user.is_some_and(|user| user.id == user_id) && self.draft.sender.chat.is_none()
    }

    /// Whether it tells of something that happened; nobody said it.
    pub(crate) fn is_service(&self) -> bool {
        self.draft.said.text.is_empty() && !self.is_media()
    }

    pub(crate) fn is_media(&self) -> bool {
        self.draft.more.contains_key("photo")
    }

    pub(crate) fn edit(&mut self, said: Formatted, now_ms: i64) {
        self.edit_date = Some(now_ms / 1000);
        if self.draft.said.text != said.text {
            let former = std::mem::take(&mut self.draft.said.text);
            self.former_texts.push(former);
        }
        self.draft.said = said;
    }

    /// The `Message`, without what it replies to.
    pub(crate) fn json(&self, chat: &Value) -> Value {
        let mut message = json!({"message_id": self.id, "date": self.date, "chat": chat});
        if let Some(user) = &self.draft.sender.user {
            message["from"] = user.json();
        }
        if let Some(chat) = &self.draft.sender.chat {
            message["sender_chat"] = chat.clone();
        }
        if let Some(date) = self.edit_date {
            message["edit_date"] = json!(date);
        }
        if self.draft.is_protected {
            message["has_protected_content"] = json!(true);
        }
        if let Some(thread_id) = self.draft.thread_id {
            message["message_thread_id"] = json!(thread_id);
            message["is_topic_message"] = json!(true);
        }
        if let Some(album) = &self.draft.album {
            message["media_group_id"] = json!(album);
        }
        let said = &self.draft.said;
        let (text, entities) = if self.is_media() {
            ("caption", "caption_entities")
        } else {
            ("text", "entities")
        };
        if !said.text.is_empty() {
            message[text] = json!(said.text);
        }
        if !said.entities.is_empty() {
            message[entities] = said.entities.iter().map(Entity::json).collect();
        }
        if let Some(keyboard) = &self.draft.keyboard {
            message["reply_markup"] = keyboard.clone();
        }
        if let Some(message) = message.as_object_mut() {
            message.extend(self.draft.more.clone());
        }
        message
    }

    pub(crate) fn seen(&self) -> SeenMessage {
        let rows = self.draft.keyboard.as_ref();
        let rows = rows.and_then(|keyboard| keyboard["inline_keyboard"].as_array());
        let buttons = |row: &Value| row.as_array().into_iter().flatten().map(button).collect();
        SeenMessage {
            message_id: self.id,
            from_id: self.draft.sender.user.as_ref().map(|user| user.id),
            text: self.draft.said.text.clone(),
            entities: self.draft.said.entities.iter().map(Entity::json).collect(),
            buttons: rows.into_iter().flatten().map(buttons).collect(),
            former_texts: self.former_texts.clone(),
            is_deleted: self.is_deleted,
            is_protected: self.draft.is_protected,
            is_silent: self.draft.is_silent,
            thread_id: self.draft.thread_id,
            album: self.draft.album.clone(),
            reactions: self.reactions.values().cloned().collect(),
            date: self.date,
        }
    }
}

fn button(button: &Value) -> SeenButton {
    let field = |name: &str| button[name].as_str().map(str::to_owned);
    SeenButton {
        text: field("text").unwrap_or_default(),
        url: field("url"),
        callback_data: field("callback_data"),
    }
}

/// The messages of one chat, by their ids.
#[derive(Debug)]
pub(crate) struct MessageLog {
    next_id: i64,
    kept: BTreeMap<i64, ChatMessage>,
    pub(crate) pinned: BTreeSet<i64>,
}

impl Default for MessageLog {
    fn default() -> Self {
        Self {
            next_id: 1,
            kept: BTreeMap::new(),
            pinned: BTreeSet::new(),
        }
    }
}

impl MessageLog {
    /// That of a group or channel: its message 1 is the one by which it was made, and the id of a forum's General.
    pub(crate) fn of_chat() -> Self {
        Self {
            next_id: 2,
            kept: BTreeMap::new(),
            pinned: BTreeSet::new(),
        }
    }

    pub(crate) fn put(&mut self, draft: Draft, now_ms: i64) -> ChatMessage {
        let message = ChatMessage {
            id: self.next_id,
            date: now_ms / 1000,
            edit_date: None,
            is_deleted: false,
            former_texts: Vec::new(),
            reactions: BTreeMap::new(),
            draft,
        };
        self.next_id += 1;
        self.kept.insert(message.id, message.clone());
        if self.kept.len() > REMEMBERED_MESSAGES {
            let forgotten = self.kept.pop_first();
            forgotten.map(|(id, _)| self.pinned.remove(&id));
        }
        message
    }

    /// A message that is there still.
    pub(crate) fn get(&self, id: i64) -> Option<&ChatMessage> {
        self.kept.get(&id).filter(|message| !message.is_deleted)
    }

    pub(crate) fn get_mut(&mut self, id: i64) -> Option<&mut ChatMessage> {
        self.kept.get_mut(&id).filter(|message| !message.is_deleted)
    }

    /// Deletes all messages of a topic.
    pub(crate) fn delete_thread(&mut self, thread_id: i64) {
        let of_thread = |message: &&mut ChatMessage| message.draft.thread_id == Some(thread_id);
        for message in self.kept.values_mut().filter(of_thread) {
            message.is_deleted = true;
        }
    }

    /// All that is kept, deleted ones too, oldest first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &ChatMessage> {
        self.kept.values()
    }
}
