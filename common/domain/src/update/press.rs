//! A tap on a button below a message of the bot.

use std::fmt;

use serde::Deserialize;

use super::{Sender, UpdateKind, User};

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
}

pub(super) fn kind_of(query: CallbackQuery) -> UpdateKind {
    match query.data {
        Some(data) if !query.from.is_bot => UpdateKind::Press(ButtonPress {
            id: query.id,
            from: query.from.into(),
            data,
        }),
        _ => UpdateKind::Ignored("not a press of a person"),
    }
}
