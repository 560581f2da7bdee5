//! A tap on a button below a message of the bot.

use std::fmt;

use serde::Deserialize;

use super::{Chat, Sender, UpdateKind, User};
use crate::id::ChatId;

/// A person pressed a button below a message of the bot. Its data can be made up: who may do what is decided by the
/// person and the record that the data names.
#[derive(Clone, PartialEq, Eq)]
pub struct ButtonPress {
    /// What `answerCallbackQuery` names it by.
    pub id: String,
    /// Who.
    pub from: Sender,
    /// What stands behind the button.
    pub data: String,
    /// The chat in which the button stands, if Telegram tells it.
    pub chat: Option<ChatId>,
    /// The topic there, in a forum.
    pub thread: Option<i64>,
}

impl fmt::Debug for ButtonPress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ButtonPress({:?}, {})", self.from, self.data)
    }
}

/// `CallbackQuery`.
#[derive(Deserialize)]
pub(super) struct CallbackQuery {
    id: String,
    from: User,
    data: Option<String>,
    message: Option<PressedMessage>,
}

/// `MaybeInaccessibleMessage`.
#[derive(Deserialize)]
struct PressedMessage {
    chat: Chat,
    message_thread_id: Option<i64>,
    #[serde(default)]
    is_topic_message: bool,
}

pub(super) fn kind_of(query: CallbackQuery) -> UpdateKind {
    match query.data {
        Some(data) if !query.from.is_bot => UpdateKind::Press(ButtonPress {
            id: query.id,
            from: query.from.into(),
            data,
            chat: query.message.as_ref().map(|below| ChatId(below.chat.id)),
            thread: query
                .message
                .and_then(|below| below.message_thread_id.filter(|_| below.is_topic_message)),
        }),
        _ => UpdateKind::Ignored("not a press of a person"),
    }
}
