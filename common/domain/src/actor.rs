//! Actors: programs of the owner's that share the front bot, each by a key that looks like a bot's token.
//!
//! Telegram gives a bot one token, one webhook and one poller, and whoever has the token may do everything. An actor has a
//! key instead, of the form that libraries of the Bot API take, `<front bot id>:` and 35 of `A-Za-z0-9_-`, and a role that
//! says which methods are its own. Only the SHA-256 of a key is kept.

pub mod bucket;
mod methods;
pub mod passing;
pub mod scope;
pub mod seal;
pub mod webhook;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::id::{BotId, ChatId, FeedSeq};
use super::time::Timestamp;
use webhook::{ActorWebhook, WebhookProgress};

pub use methods::{CallRight, MethodRule, method};

/// Characters of a key after its colon: several libraries refuse a token of any other length.
const KEY_CHARS: usize = 35;
/// The longest name of an actor.
const NAME_MAX_CHARS: usize = 32;
/// The most chats that a key names.
pub const ACTOR_CHATS_MAX: usize = 20;
/// The most actors of a deployment: each reads the feed by itself.
pub const ACTORS_MAX: usize = 50;

/// What an actor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ActorRole {
    /// The owner's own server: sees and does all that an actor may.
    Backend,
    /// Talks with people.
    Operator,
    /// Sends and sees nothing.
    Aggregator,
}

impl ActorRole {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Backend, Self::Operator, Self::Aggregator];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Backend => "backend",
            Self::Operator => "operator",
            Self::Aggregator => "aggregator",
        }
    }

    /// Whether it reads what people send.
    #[must_use]
    pub const fn reads(self) -> bool {
        self.may(CallRight::Read)
    }

    /// Whether it may call the methods that need `right`.
    #[must_use]
    pub const fn may(self, right: CallRight) -> bool {
        match right {
            CallRight::Own | CallRight::Send => true,
            CallRight::Read | CallRight::Change => !matches!(self, Self::Aggregator),
            CallRight::Ask => matches!(self, Self::Backend),
            CallRight::Nobody => false,
        }
    }
}

impl FromStr for ActorRole {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut all = Self::ALL.into_iter();
        all.find(|role| role.as_str() == text).ok_or(())
    }
}

/// Why an actor is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorRejection {
    /// There is one of this name.
    Exists,
    /// There are as many as may be.
    TooMany,
}

impl ActorRejection {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Exists, Self::TooMany];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Exists => "actor_exists",
            Self::TooMany => "too_many_actors",
        }
    }

    /// What its caller is told.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Exists => "There is an actor of this name; rotate its key, or delete it first.",
            Self::TooMany => "There are 50 actors already; delete one first.",
        }
    }
}

/// What an actor is called: it stands in paths, logs and records.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorName(String);

impl ActorName {
    /// The name itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ActorName {
    type Err = ();

    /// Up to 32 of `a-z0-9-`, beginning with a letter.
    fn from_str(text: &str) -> Result<Self, ()> {
        let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let is_name = (1..=NAME_MAX_CHARS).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(is_part);
        is_name.then(|| Self(text.to_owned())).ok_or(())
    }
}

impl fmt::Display for ActorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which actor, among all that ever had its name: what one of them sent, or was shown, is not another one's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActorMark(String);

impl ActorMark {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the actor, or of another one that has it by now.
    #[must_use]
    pub fn name(&self) -> Option<ActorName> {
        self.0.split_once('@')?.0.parse().ok()
    }
}

impl FromStr for ActorMark {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_mark = text.split_once('@').is_some();
        is_mark.then(|| Self(text.to_owned())).ok_or(())
    }
}

/// As it is stored.
impl fmt::Display for ActorMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The key of an actor: whoever holds it speaks as the bot, as far as its role goes. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct ActorKey(String);

impl ActorKey {
    /// The key that `random` makes, of which at least 210 bits must be unguessable.
    #[must_use]
    pub fn make(front_bot: BotId, random: &[u8; 32]) -> Self {
        let mut secret = URL_SAFE_NO_PAD.encode(Sha256::digest(random));
        secret.truncate(KEY_CHARS);
        Self(format!("{front_bot}:{secret}"))
    }

    /// Reads a key of `front_bot` as it stands in a path; nothing if it has another form. `%3A` is taken for the colon.
    #[must_use]
    pub fn read(front_bot: BotId, text: &str) -> Option<Self> {
        let text = text.replacen("%3A", ":", 1).replacen("%3a", ":", 1);
        let (bot, characters) = text.split_once(':')?;
        let is_part = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        let is_key = bot == front_bot.to_string()
            && characters.len() == KEY_CHARS
            && characters.chars().all(is_part);
        is_key.then_some(Self(text))
    }

    /// The key itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is kept of it: the SHA-256, in hexadecimal digits.
    #[must_use]
    pub fn hash(&self) -> ActorKeyHash {
        let digest = Sha256::digest(&self.0);
        ActorKeyHash(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Debug for ActorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ActorKey(…)")
    }
}

/// The SHA-256 of a key, which opens nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ActorKeyHash(String);

impl fmt::Display for ActorKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An actor, as its record has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// What it is called.
    pub name: ActorName,
    /// What it is.
    pub role: ActorRole,
    /// The chats that its key names, beside the people who wrote to the bot.
    pub chats: BTreeSet<ChatId>,
    /// How many messages a second it may send, at most.
    pub rate: u32,
    /// When its keys end to work, if they do.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// All up to this it has read.
    pub cursor: FeedSeq,
    /// The kinds of update that it asked for last; nothing before it asked for some.
    pub allowed_updates: Option<BTreeSet<String>>,
    /// Where its updates are sent, if it does not ask for them.
    pub webhook: Option<ActorWebhook>,
    /// How far they were sent beyond the cursor.
    pub progress: WebhookProgress,
    /// The poll that is under way, or was last: a name that no other poll has.
    pub poll: Option<String>,
    /// The offset that was asked for last, as it was written.
    pub asked_offset: Option<i64>,
}

impl Actor {
    /// Whether its keys work at `now`.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| end > now)
    }

    /// Which one it is: its name, and when it was made.
    #[must_use]
    pub fn mark(&self) -> ActorMark {
        ActorMark(format!("{}@{}", self.name, self.created_at.ms()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOT: BotId = BotId(123_456);

    #[test]
    fn a_key_has_the_form_of_a_token_and_is_read_back() {
        let key = ActorKey::make(BOT, &[7; 32]);
        let (bot, secret) = key.expose().split_once(':').unwrap();
        assert_eq!((bot, secret.len()), ("123456", 35));
        assert_eq!(ActorKey::read(BOT, key.expose()), Some(key.clone()));
        let encoded = key.expose().replace(':', "%3A");
        assert_eq!(ActorKey::read(BOT, &encoded), Some(key.clone()));
        assert_ne!(key, ActorKey::make(BOT, &[8; 32]));
        assert_eq!(format!("{key:?}"), "ActorKey(…)");
        assert_eq!(key.hash().to_string().len(), 64);
    }

    #[test]
    fn what_has_another_form_is_not_a_key() {
        let secret = "A".repeat(35);
        for text in [
            String::new(),
            ":".to_owned(),
            format!("123457:{secret}"),
            format!("0123456:{secret}"),
            format!("123456:{secret}A"),
            format!("123456:{}", &secret[1..]),
            format!("123456:{}é", &secret[2..]),
            format!("123456:{}/", &secret[1..]),
            secret,
        ] {
            assert_eq!(ActorKey::read(BOT, &text), None, "{text}");
        }
    }

    #[test]
    fn a_name_is_short_and_plain() {
        for name in ["a", "crm", "crm-2", &"a".repeat(32)] {
            assert!(name.parse::<ActorName>().is_ok(), "{name}");
        }
        for name in ["", "2a", "-a", "A", "a b", "a#b", "é", &"a".repeat(33)] {
            assert!(name.parse::<ActorName>().is_err(), "{name}");
        }
    }

    #[test]
    fn each_role_may_what_the_table_says() {
        use ActorRole::{Aggregator, Backend, Operator};
        let table = [
            (CallRight::Own, [true, true, true]),
            (CallRight::Read, [true, true, false]),
            (CallRight::Send, [true, true, true]),
            (CallRight::Change, [true, true, false]),
            (CallRight::Ask, [true, false, false]),
            (CallRight::Nobody, [false, false, false]),
        ];
        for (right, may) in table {
            for (role, may) in [Backend, Operator, Aggregator].into_iter().zip(may) {
                assert_eq!(role.may(right), may, "{role:?} {right:?}");
            }
        }
        for role in ActorRole::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
    }
}
