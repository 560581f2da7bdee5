//! What is known of a person who talks with the bot, and how much of what they send is taken.

use std::fmt;

use super::command::Role;
use super::id::TelegramUserId;
use super::texts::Language;
use super::time::Timestamp;

/// A person, as an update names them.
#[derive(Clone, PartialEq, Eq)]
pub struct Sender {
    /// Who.
    pub person: TelegramUserId,
    /// The name that they gave themselves, of one or two parts. It identifies nobody.
    pub name: String,
    /// Their username without `@`, if they have one. It identifies nobody: it can be given up and taken.
    pub username: Option<String>,
    /// The language of their app, as an IETF tag, if Telegram tells it.
    pub language_code: Option<String>,
}

/// Without the names, which are the person's own.
impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sender({})", self.person)
    }
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Who: the only thing that identifies them.
    pub id: TelegramUserId,
    /// The language that they chose, if they did.
    pub language: Option<Language>,
    /// The role that they were given, if they were.
    pub role: Option<Role>,
    /// The name that they gave themselves, for display alone.
    pub name: String,
    /// Their username without `@`, for display and search alone.
    pub username: Option<String>,
    /// Whether the bot can write to them.
    pub reachable: Reachable,
    /// Whether they want no marketing.
    pub opted_out: bool,
    /// Whether what they write is passed on to nobody.
    pub blocked: bool,
    /// When they first wrote.
    pub created_at: Timestamp,
    /// When they last wrote.
    pub last_seen_at: Timestamp,
}

/// Whether the bot can write to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reachable {
    /// They never started it.
    Unknown,
    /// They wrote to it, and did not block it since.
    Yes,
    /// They blocked it.
    No,
}

impl Reachable {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Unknown, Self::Yes, Self::No];

    /// The word for records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Yes => "yes",
            Self::No => "no",
        }
    }
}

/// What a person sent that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// A command.
    Command,
    /// A press of a button.
    Press,
    /// A message to be passed on.
    Message,
}

/// How much of what one person sends is taken in a minute. Who answers people may send ten times that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PersonLimits {
    /// Commands.
    pub commands: u32,
    /// Messages to be passed on; an album is one.
    pub messages: u32,
}

/// Presses of buttons of one person in a minute.
const PRESSES: u32 = 60;
/// By how much more whoever answers people may send.
const OPERATOR_FACTOR: u32 = 10;

/// What becomes of something that a person sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intake {
    /// It is taken.
    Taken,
    /// It is the first of this minute that is not taken: they are told so.
    Told,
    /// It is not taken, and they know why.
    Silent,
}

impl PersonLimits {
    /// What becomes of the `count`th of its kind in a minute (1 is the first) that somebody of `role` sends.
    #[must_use]
    pub const fn intake(&self, counted: Counted, count: u32, role: Role) -> Intake {
        let limit = match counted {
            Counted::Command => self.commands,
            Counted::Press => PRESSES,
            Counted::Message => self.messages,
        };
        let limit = match role {
            Role::Public | Role::Member => limit,
            Role::Operator | Role::Admin | Role::Owner => limit.saturating_mul(OPERATOR_FACTOR),
        };
        if count <= limit {
            Intake::Taken
        } else if count - limit == 1 {
            Intake::Told
        } else {
            Intake::Silent
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_commands_are_taken_one_is_explained_and_the_rest_is_silence() {
        let limits = PersonLimits {
            commands: 10,
            messages: 30,
        };
        for (counted, count, role, intake) in [
            (Counted::Command, 1, Role::Public, Intake::Taken),
            (Counted::Command, 10, Role::Member, Intake::Taken),
            (Counted::Command, 11, Role::Public, Intake::Told),
            (Counted::Command, 12, Role::Public, Intake::Silent),
            (Counted::Command, u32::MAX, Role::Public, Intake::Silent),
            (Counted::Command, 100, Role::Operator, Intake::Taken),
            (Counted::Command, 101, Role::Owner, Intake::Told),
            (Counted::Press, 60, Role::Public, Intake::Taken),
            (Counted::Press, 61, Role::Public, Intake::Told),
            (Counted::Message, 30, Role::Public, Intake::Taken),
            (Counted::Message, 31, Role::Public, Intake::Told),
        ] {
            assert_eq!(
                limits.intake(counted, count, role),
                intake,
                "{counted:?} {count} {role:?}"
            );
        }
    }
}
