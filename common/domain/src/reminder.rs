//! What a bot is to look at when its time has come, and not before. Reminders lie apart from messages, by their time: one
//! that is due in days is not read before.
//!
//! ```text
//! a stranger adds the bot         ForeignChat, 10 min later          at its time: the bot leaves,
//!        an owner acts there          WantedChat, 10 min later       unless this one lies behind it
//! ```

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::id::{ChatId, TelegramUserId};
use super::time::Timestamp;

/// How long nobody says anything in a topic before it is closed.
const SILENCE: Duration = Duration::from_secs(14 * 24 * 3600);
/// How long a bot stays in a chat that is none of ours.
const STAY: Duration = Duration::from_secs(600);

/// What is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reminder {
    /// Whether the topic of a person is silent.
    Silence(TelegramUserId),
    /// Whether a chat to which somebody without a role added the bot is one of ours by now: else the bot leaves it.
    ForeignChat(ChatId),
    /// Nothing: somebody with a role wants the bot in a chat, which is not left then. It lasts as long as a leaving that was
    /// decided on before can be ahead.
    WantedChat(ChatId),
}

/// A text that is no reminder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoReminder;

/// As it is stored.
impl fmt::Display for Reminder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silence(person) => write!(f, "silence#{person}"),
            Self::ForeignChat(chat) => write!(f, "chat#{chat}"),
            Self::WantedChat(chat) => write!(f, "wanted#{chat}"),
        }
    }
}

impl FromStr for Reminder {
    type Err = NoReminder;

    fn from_str(text: &str) -> Result<Self, NoReminder> {
        let (word, id) = text.split_once('#').ok_or(NoReminder)?;
        let id: i64 = id.parse().map_err(|_| NoReminder)?;
        match word {
            "silence" => Ok(Self::Silence(TelegramUserId(id))),
            "chat" => Ok(Self::ForeignChat(ChatId(id))),
            "wanted" => Ok(Self::WantedChat(ChatId(id))),
            _ => Err(NoReminder),
        }
    }
}

/// When the bot leaves a chat to which it was added at `at`; and until when it is known that somebody wants it there who acted
/// at `at`.
#[must_use]
pub fn leaves_at(at: Timestamp) -> Timestamp {
    at.plus(STAY)
}

/// Between which times the word of somebody lies who wants the bot in a chat, if they acted after what has it leave at `at`, and
/// before that.
#[must_use]
pub fn wanted_between(at: Timestamp) -> (Timestamp, Timestamp) {
    (at, at.plus(STAY))
}

/// When a topic is silent in which the last word was said at `last`.
#[must_use]
pub fn silent_at(last: Timestamp) -> Timestamp {
    last.plus(SILENCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reminder_is_read_as_it_is_written() {
        for reminder in [
            Reminder::Silence(TelegramUserId(7)),
            Reminder::ForeignChat(ChatId(-100)),
            Reminder::WantedChat(ChatId(-100)),
        ] {
            assert_eq!(reminder.to_string().parse(), Ok(reminder));
        }
        for text in ["", "silence", "chat#", "chat#x", "other#7"] {
            assert_eq!(text.parse::<Reminder>(), Err(NoReminder), "{text}");
        }
    }
}
