//! The commands that the bot knows: who may use each, and where.
//!
//! One table. `/help`, Telegram's menus, the page `docs/COMMANDS.md` and the reading of what a person writes come from it.
//! What a command does is not decided here.

mod payload;
mod written;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use payload::StartPayload;
pub use written::{WrittenCommand, nearest};

/// What a person may do; each role may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everybody.
    Public,
    /// Has a seat now.
    Member,
    /// Answers people.
    Operator,
    /// Gives and takes seats, and looks after the deployment.
    Admin,
    /// Named by the deployment itself.
    Owner,
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Self; 5] = [
        Self::Public,
        Self::Member,
        Self::Operator,
        Self::Admin,
        Self::Owner,
    ];

    /// The word for records and answers, and behind `/role`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Member => "member",
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// The role of a word, in any letter case.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|role| role.as_str().eq_ignore_ascii_case(word))
    }
}

/// Where a command is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandPlace {
    /// The private chat of a person with the bot.
    Private,
    /// A chat of many people. The answer there is a button to the private chat.
    Group,
    /// The operators' chat. In a topic it is about its person, if it names nobody else.
    Topic,
}

/// A command: an entry of [`COMMANDS`].
#[derive(Clone, Copy, Debug)]
pub struct CommandEntry {
    /// Which.
    pub command: CommandName,
    /// What a person writes after the slash, and menus show: `[a-z0-9_]{1,32}` (Bot API, `BotCommand`).
    pub name: &'static str,
    /// What a person may write instead. No menu shows them.
    pub aliases: &'static [&'static str],
    /// The least role that may use it.
    pub role: Role,
    /// Where it is taken.
    pub places: &'static [CommandPlace],
}

impl CommandEntry {
    /// Whether somebody of this role may use it there.
    #[must_use]
    pub fn is_for(&self, role: Role, place: CommandPlace) -> bool {
        role >= self.role && self.places.contains(&place)
    }
}

/// The private chat alone.
const PRIVATE: &[CommandPlace] = &[CommandPlace::Private];
/// Where people ask for it among others, too.
const PRIVATE_AND_GROUP: &[CommandPlace] = &[CommandPlace::Private, CommandPlace::Group];
/// Where operators look after people.
const PRIVATE_AND_TOPIC: &[CommandPlace] = &[CommandPlace::Private, CommandPlace::Topic];
/// Everywhere.
const ANYWHERE: &[CommandPlace] = &[
    CommandPlace::Private,
    CommandPlace::Group,
    CommandPlace::Topic,
];
/// Where it means the person of the topic.
const TOPIC: &[CommandPlace] = &[CommandPlace::Topic];

/// The table and the enum, so that no command is in one of them alone.
macro_rules! commands {
    ($($command:ident $name:literal $aliases:expr, $role:ident, $places:expr;)+) => {
        /// Which command.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum CommandName {
            $(#[doc = concat!("`/", $name, "`")] $command,)+
        }

        /// All commands, in the order in which people see them.
        pub const COMMANDS: &[CommandEntry] = &[$(CommandEntry {
            command: CommandName::$command,
            name: $name,
            aliases: &$aliases,
            role: Role::$role,
            places: $places,
        },)+];
    };
}

commands! {
    Start "start" [], Public, PRIVATE;
    Access "access" ["link", "links"], Public, PRIVATE_AND_GROUP;
    Shop "shop" ["buy", "checkout"], Public, PRIVATE;
    Orders "orders" ["receipts"], Public, PRIVATE;
    Coupon "coupon" ["code"], Public, PRIVATE;
    Gift "gift" ["present"], Public, PRIVATE;
    Support "support" ["contact"], Public, PRIVATE_AND_GROUP;
    Help "help" ["commands"], Public, ANYWHERE;
    Language "language" ["lang"], Public, PRIVATE;
    PaySupport "paysupport" ["refund"], Public, PRIVATE;
    Terms "terms" ["tos"], Public, PRIVATE;
    Privacy "privacy" ["gdpr"], Public, PRIVATE;
    Stop "stop" ["unsubscribe"], Public, PRIVATE;
    Buyer "buyer" ["who"], Operator, PRIVATE_AND_TOPIC;
    Reply "reply" [], Operator, TOPIC;
    Note "note" [], Operator, TOPIC;
    Delete "delete" ["del"], Operator, TOPIC;
    Close "close" [], Operator, TOPIC;
    Block "block" [], Operator, TOPIC;
    Unblock "unblock" [], Operator, TOPIC;
    Grant "grant" [], Admin, PRIVATE_AND_TOPIC;
    Extend "extend" [], Admin, PRIVATE_AND_TOPIC;
    End "end" [], Admin, PRIVATE_AND_TOPIC;
    Allow "allow" [], Admin, PRIVATE_AND_TOPIC;
    Doctor "doctor" [], Admin, PRIVATE_AND_TOPIC;
    Pause "pause" [], Admin, PRIVATE_AND_TOPIC;
    Resume "resume" [], Admin, PRIVATE_AND_TOPIC;
    Role "role" ["roles"], Admin, PRIVATE_AND_TOPIC;
}

impl CommandName {
    /// Its entry.
    #[must_use]
    pub const fn entry(self) -> &'static CommandEntry {
        &COMMANDS[self as usize]
    }

    /// The command of a name or an alias, in any letter case.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        let is_it = |name: &str| name.eq_ignore_ascii_case(word);
        COMMANDS
            .iter()
            .find(|entry| is_it(entry.name) || entry.aliases.iter().any(|alias| is_it(alias)))
            .map(|entry| entry.command)
    }
}

/// As a person writes it: `/help`. Telegram makes it a link in a message.
impl fmt::Display for CommandName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.entry().name)
    }
}

#[cfg(test)]
mod tests;
