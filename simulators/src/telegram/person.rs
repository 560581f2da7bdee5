//! People apart from chats, and their private chats with bots.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::conversation::MessageLog;
use super::member::User;

/// How a bot stands with a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The person never started it.
    #[default]
    NotStarted,
    Open,
    Blocked,
}

#[derive(Debug, Default)]
pub(crate) struct PrivateChat {
    pub(crate) reach: Reach,
    pub(crate) log: MessageLog,
}

#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) user: User,
    pub(crate) is_deactivated: bool,
    pub(crate) is_in_too_many_chats: bool,
    /// When they last asked to join chats.
    pub(crate) attempts_ms: Vec<i64>,
    /// By the bot's id.
    pub(crate) private: BTreeMap<i64, PrivateChat>,
}

impl Person {
    pub(crate) fn new(user: User) -> Self {
        Self {
            user,
            is_deactivated: false,
            is_in_too_many_chats: false,
            attempts_ms: Vec::new(),
            private: BTreeMap::new(),
        }
    }
}

/// The `Chat` that a private chat with this person is.
pub(crate) fn private_chat(user: &User) -> Value {
    let mut chat = json!({"id": user.id, "type": "private", "first_name": user.first_name});
    if let Some(username) = &user.username {
        chat["username"] = json!(username);
    }
    chat
}
