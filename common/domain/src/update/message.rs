//! What people write: to the bot in private, and as a command in a group.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use super::{Chat, Sender, UpdateKind, User, paying};
use crate::id::{ChatId, TelegramUserId};
use crate::relay::WrittenMessage;
use crate::time::Timestamp;

impl From<User> for Sender {
    fn from(user: User) -> Self {
        let name = format!("{} {}", user.first_name, user.last_name);
        Self {
            person: TelegramUserId(user.id),
            name: name.trim().to_owned(),
            username: user.username.filter(|name| !name.is_empty()),
            language_code: user.language_code,
        }
    }
}

/// A person wrote to the bot in private.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateMessage {
    /// Who. The chat has their id.
    pub from: Sender,
    /// The number of the message in the chat.
    pub message_id: i64,
    /// When, to the second, by Telegram's clock.
    pub at: Timestamp,
    /// The text; nothing of a photo, a sticker and the like.
    pub text: Option<String>,
    /// What the relay reads of it.
    pub written: WrittenMessage,
}

/// Without the text, which is the person's own.
impl fmt::Debug for PrivateMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateMessage({:?}, {}, …)", self.from, self.at)
    }
}

/// A person wrote a command in a group.
#[derive(Clone, PartialEq, Eq)]
pub struct GroupMessage {
    /// The group.
    pub chat: ChatId,
    /// The topic in which it stands, in a forum.
    pub thread: Option<i64>,
    /// Who.
    pub from: Sender,
    /// When, to the second, by Telegram's clock.
    pub at: Timestamp,
    /// The text, which begins with `/`.
    pub text: String,
}

/// A group has become a supergroup: <https://core.telegram.org/bots/api#message>, `migrate_to_chat_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChatMoved {
    /// The id of the group.
    pub chat: ChatId,
    /// The id of the supergroup.
    pub to: ChatId,
}

/// Without the text, which is the person's own.
impl fmt::Debug for GroupMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chat, from, at, .. } = self;
        write!(f, "GroupMessage({chat}, {from:?}, {at}, …)")
    }
}

/// `Message`.
#[derive(Deserialize)]
pub(super) struct Message {
    message_id: i64,
    chat: Chat,
    from: Option<User>,
    sender_chat: Option<Chat>,
    date: i64,
    text: Option<String>,
    migrate_to_chat_id: Option<i64>,
    message_thread_id: Option<i64>,
    #[serde(default)]
    is_topic_message: bool,
    successful_payment: Option<Value>,
    refunded_payment: Option<Value>,
}

/// `raw` is the message as it came.
pub(super) fn kind_of(message: Message, raw: &str) -> UpdateKind {
    if let Some(to) = message.migrate_to_chat_id
        && message.chat.kind == "group"
    {
        return UpdateKind::Moved(ChatMoved {
            chat: ChatId(message.chat.id),
            to: ChatId(to),
        });
    }
    let payment = (
        message.successful_payment.as_ref(),
        message.refunded_payment.as_ref(),
    );
    if payment.0.is_some() || payment.1.is_some() {
        let at = message.date;
        let from = message
            .from
            .filter(|from| !from.is_bot && from.id == message.chat.id);
        return paying::told(payment, from, at);
    }
    if message.sender_chat.is_some() {
        return UpdateKind::Ignored("written in the name of a chat");
    }
    let Some(from) = message.from.filter(|from| !from.is_bot) else {
        return UpdateKind::Ignored("not a person's message");
    };
    let at = Timestamp::from_seconds(message.date);
    match message.chat.kind.as_str() {
        // In a private chat the chat is the person.
        "private" if from.id == message.chat.id => {
            let fields = serde_json::from_str(raw).unwrap_or_default();
            let Some(written) = WrittenMessage::read(&fields) else {
                return UpdateKind::Ignored("not a Message");
            };
            UpdateKind::Private(PrivateMessage {
                from: from.into(),
                message_id: message.message_id,
                at,
                text: message.text,
                written,
            })
        }
        "group" | "supergroup" => match message.text {
            Some(text) if text.starts_with('/') => UpdateKind::Group(GroupMessage {
                chat: ChatId(message.chat.id),
                thread: message
                    .message_thread_id
                    .filter(|_| message.is_topic_message),
                from: from.into(),
                at,
                text,
            }),
            _ => UpdateKind::Ignored("talk in a group"),
        },
        _ => UpdateKind::Ignored("not a person's message"),
    }
}
