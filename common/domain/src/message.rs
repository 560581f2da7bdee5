//! Messages of a bot to people and groups: what one is, and how it ends.
//!
//! ```text
//! QUEUED --> SENT                  Telegram took it
//!    |   --> EXPIRED               its time was over before it could be sent
//!    |   --> UNREACHABLE           the person has blocked the bot, or never started it
//!    |   --> REFUSED               Telegram does not copy such a message, which its sender is told, or does not
//!    |                             do what an actor called
//!    |   --> PARKED                refused, or given up: a person must act
//!    +-----> SENDING --> SENT, UNREACHABLE, PARKED      only of classes that are sent at most once
//!               +------> UNKNOWN   nobody can tell whether it was sent: it is not sent again
//! ```

mod fault;
mod lane;
mod outbox;
mod pace;
mod topic;
mod turns;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::actor::{ActorMark, ActorRole};
use super::id::{BotId, ChatId, TelegramUserId};
use super::marked::TextMark;
use super::texts::Language;
use super::time::Timestamp;

pub use fault::{Ending, SendFault, Verdict};
pub use lane::{MESSAGE_SHARDS, MessageKey, MessageLane, MessageTask, is_soon};
pub use outbox::{Outbox, OutboxPage, Step};
pub use pace::{ChatPace, MESSAGE_INTERVAL, PauseScope, Scopes};
pub use topic::{Adoption, NoTopicOwner, TopicOwner, TopicState, TopicStep};
pub use turns::LastTurns;

/// What a message is known by in its chat: the time of its cause, in milliseconds since the Unix epoch with a fixed width,
/// and the cause. Never made of the clock, so that a cause that is met again has the same message.
///
/// The ids of a chat stand in the order of their causes' times.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(String);

/// Stands behind the cause of a message that is sent once more.
const AGAIN: &str = "#again";
/// How many digits the time has: enough until the year 2286.
const TIME_DIGITS: usize = 13;

/// A text that is not the id of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMessageId;

impl MessageId {
    /// The message that `cause` asks for, which came about at `at`. A cause is a short text, at most 500 bytes; one that
    /// asks for several messages to one chat names each.
    #[must_use]
    pub fn new(at: Timestamp, cause: &str) -> Self {
        Self(format!("{:0TIME_DIGITS$}#{cause}", at.ms().max(0)))
    }

    /// The message that follows from this one, right behind it; `what` names it among those that do.
    #[must_use]
    pub fn then(&self, what: &str) -> Self {
        Self(format!("{}#{what}", self.0))
    }

    /// The same message once more, because of something at `at`.
    #[must_use]
    pub fn again(&self, at: Timestamp) -> Self {
        let cause = self.0.split_once('#').map_or("", |(_, cause)| cause);
        let cause = cause.strip_suffix(AGAIN).unwrap_or(cause);
        Self::new(at, &format!("{cause}{AGAIN}"))
    }

    /// What kind of cause it has: the words of the cause, without its numbers and ids.
    #[must_use]
    pub fn kind(&self) -> String {
        let cause = self.0.strip_suffix(AGAIN).unwrap_or(&self.0);
        let parts = cause.split('#').skip(1);
        let words = parts.filter(|part| !part.bytes().any(|c| c.is_ascii_digit()));
        words.collect::<Vec<_>>().join("#")
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// When its cause came about.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        let ms = self.0.split('#').next().and_then(|ms| ms.parse().ok());
        Timestamp::from_ms(ms.unwrap_or_default())
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for MessageId {
    type Err = NoMessageId;

    fn from_str(text: &str) -> Result<Self, NoMessageId> {
        let (time, _) = text.split_once('#').ok_or(NoMessageId)?;
        let is_time = time.len() >= TIME_DIGITS && time.bytes().all(|c| c.is_ascii_digit());
        match is_time && time.parse::<i64>().is_ok() {
            true => Ok(Self(text.to_owned())),
            false => Err(NoMessageId),
        }
    }
}

/// What a message is for, in the order of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Access, receipts, payments.
    Transactional,
    /// A person to a person.
    Operator,
    /// The answer to a command.
    Reply,
    /// Whatever nobody asked for.
    Marketing,
}

impl Class {
    /// All, in the order of service.
    pub const ALL: [Self; 4] = [
        Self::Transactional,
        Self::Operator,
        Self::Reply,
        Self::Marketing,
    ];

    /// The word for lanes, records and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transactional => "transactional",
            Self::Operator => "operator",
            Self::Reply => "reply",
            Self::Marketing => "marketing",
        }
    }

    /// What it is that an actor of this role sends in the answer of its webhook: what an operator does is a person's to a
    /// person, and a program's answer is one to whatever came.
    #[must_use]
    pub const fn of_actor(role: ActorRole) -> Self {
        match role {
            ActorRole::Operator => Self::Operator,
            ActorRole::Backend => Self::Reply,
            ActorRole::Aggregator => Self::Marketing,
        }
    }

    /// Whether one whose outcome is unknown is sent again: somebody needs it, and twice is better than never.
    #[must_use]
    pub const fn is_sent_again(self) -> bool {
        match self {
            Self::Transactional | Self::Operator => true,
            Self::Reply | Self::Marketing => false,
        }
    }
}

/// A text that does not name a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoClass;

impl FromStr for Class {
    type Err = NoClass;

    fn from_str(text: &str) -> Result<Self, NoClass> {
        let found = Self::ALL.into_iter().find(|class| class.as_str() == text);
        found.ok_or(NoClass)
    }
}

/// A message to a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is known by in its chat.
    pub id: MessageId,
    /// The bot that sends it.
    pub bot: BotId,
    /// The person's private chat, whose id is the person's, or a group.
    pub chat: ChatId,
    /// The topic, in a forum.
    pub thread: Option<i64>,
    /// What it is for.
    pub class: Class,
    /// What it says.
    pub content: Content,
    /// Not to be sent before this.
    pub not_before: Option<Timestamp>,
    /// Not worth sending after this: it is dropped, and its record says so.
    pub not_after: Option<Timestamp>,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Content {
    /// A text with buttons below it.
    Text {
        /// Telegram's HTML, at most 4096 UTF-16 units after its tags are read.
        html: String,
        /// Rows of buttons.
        buttons: Vec<Vec<Button>>,
        /// Whether it can't be forwarded or saved.
        protect: bool,
        /// Whether it arrives without a sound.
        silent: bool,
    },
    /// A text that answers a message of the same chat, and stands in its topic.
    Answer {
        /// The message that it answers.
        to: i64,
        /// Telegram's HTML.
        html: String,
    },
    /// A text about what a person wrote, or did, in a topic where it is not clear whom it is about. It arrives without a sound.
    About {
        /// The person.
        person: TelegramUserId,
        /// Telegram's HTML.
        html: String,
    },
    /// A text that is pinned once it is sent.
    Pinned {
        /// Telegram's HTML.
        html: String,
    },
    /// A line of what a person was sent, which arrives without a sound: it is said in a topic that is open, and opens none.
    Line {
        /// Telegram's HTML.
        html: String,
    },
    /// A copy of a message of another chat, which does not say where it comes from.
    Copy {
        /// The other chat.
        from: ChatId,
        /// The message there.
        message: i64,
        /// What it says, if it is nothing but text: several that wait become one message.
        text: Option<String>,
        /// What it says instead of its own caption.
        caption: Option<String>,
        /// What is marked in the text, or in the caption.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        marks: Vec<TextMark>,
        /// Whether it is said in these words, and not copied: the original shows what is not to be shown.
        #[serde(default)]
        as_words: bool,
        /// The message there by which somebody asked for it; without one, it is for the copied message itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asked_by: Option<i64>,
        /// The language of whoever sent it, to tell them if it can't be copied.
        language: Language,
    },
    /// Copies of the parts of an album, which stays one.
    Album {
        /// The other chat.
        from: ChatId,
        /// Its `media_group_id`.
        group: String,
        /// The part that was seen first.
        first: i64,
        /// The language of whoever sent it.
        language: Language,
    },
    /// The copy of a message of another chat is to say something else.
    Edit {
        /// The other chat.
        from: ChatId,
        /// The message there.
        message: i64,
        /// What its copy is to say.
        text: String,
        /// What is marked in it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        marks: Vec<TextMark>,
        /// Whether that is its text or the caption of a file.
        part: EditedPart,
        /// The language of whoever edited it.
        language: Language,
    },
    /// The copy of a message of another chat is taken back.
    Delete {
        /// The other chat.
        from: ChatId,
        /// The message there.
        message: i64,
        /// The message there by which somebody asked for it.
        asked_by: i64,
        /// The language of whoever asked.
        language: Language,
    },
    /// The bot shows by a reaction that a message was passed on.
    React {
        /// The message.
        message: i64,
    },
    /// A message is pinned.
    Pin {
        /// The message.
        message: i64,
    },
    /// A call that stood in the answer of an actor's webhook; nobody sees its result. Its chat is the one that it names, or
    /// that of the update.
    Call {
        /// The actor, as it was when it answered.
        actor: ActorMark,
        /// The method, as the Bot API writes it.
        method: String,
        /// Its parameters.
        parameters: Map<String, Value>,
    },
    /// The topic is closed.
    CloseTopic,
    /// The topic is deleted, with all that stands in it.
    DeleteTopic,
    /// The topic gets another name.
    RenameTopic {
        /// 1 to 128 characters.
        name: String,
    },
    /// What is said, or done, in the topic of somebody, which is made first if there is none.
    InTopic {
        /// Whose topic.
        owner: TopicOwner,
        /// The name of the topic, if it is to be made.
        topic_name: String,
        /// The language of those who read there.
        language: Language,
        /// What.
        post: Box<Content>,
    },
}

/// What of a message is edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EditedPart {
    /// Its text.
    Text,
    /// The caption of its file.
    Caption,
}

/// A button below a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// What stands on it.
    pub text: String,
    /// What a tap does.
    pub action: ButtonAction,
}

/// What a tap on a button does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ButtonAction {
    /// Opens an address.
    Url(String),
    /// Sends a callback query with these 1 to 64 bytes.
    Callback(String),
    /// Copies 1 to 256 characters.
    Copy(String),
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageState {
    /// It is to be sent.
    Queued,
    /// It is being sent, at most once: whoever finds it so without having begun it must not send it.
    Sending,
    /// Telegram took it.
    Sent,
    /// Its time was over before it could be sent.
    Expired,
    /// Whoever it is for can't be reached by the bot.
    Unreachable,
    /// Nobody can tell whether it was sent, and it is not sent again.
    Unknown,
    /// Telegram does not copy such a message, which its sender is told; or an actor's call was refused.
    Refused,
    /// It was given up: a person must act.
    Parked,
}

impl MessageState {
    const ALL: [Self; 8] = [
        Self::Queued,
        Self::Sending,
        Self::Sent,
        Self::Expired,
        Self::Unreachable,
        Self::Unknown,
        Self::Refused,
        Self::Parked,
    ];

    /// Whether it is over, whatever a task says: nothing is sent any more. What is parked is sent once its task is in its lane
    /// again.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        match self {
            Self::Sent | Self::Expired | Self::Unreachable | Self::Unknown | Self::Refused => true,
            Self::Queued | Self::Sending | Self::Parked => false,
        }
    }

    /// The word for records and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Sending => "SENDING",
            Self::Sent => "SENT",
            Self::Expired => "EXPIRED",
            Self::Unreachable => "UNREACHABLE",
            Self::Unknown => "UNKNOWN",
            Self::Refused => "REFUSED",
            Self::Parked => "PARKED",
        }
    }
}

/// Which of the messages to a person, newest first, each with its state, are to be sent again at `now`, when the person can be
/// reached: of each kind the newest, if it did not reach them and its time is not over.
#[must_use]
pub fn missed(messages: &[(Message, MessageState)], now: Timestamp) -> Vec<&Message> {
    let mut kinds = std::collections::BTreeSet::new();
    let newest = messages
        .iter()
        .filter(|(message, _)| message.class == Class::Transactional)
        .filter(|(message, _)| kinds.insert(message.id.kind()));
    newest
        .filter(|(_, state)| *state == MessageState::Unreachable)
        .map(|(message, _)| message)
        .filter(|message| message.not_after.is_none_or(|at| at > now))
        .collect()
}

/// A text that does not name a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMessageState;

impl FromStr for MessageState {
    type Err = NoMessageState;

    fn from_str(text: &str) -> Result<Self, NoMessageState> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or(NoMessageState)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stand_in_the_order_of_their_causes_and_are_read_back() {
        let id = |ms, cause| MessageId::new(Timestamp::from_ms(ms), cause);
        let sorted = [
            id(-5, "before"),
            id(999, "z"),
            id(1_763_640_000_000, "7#access"),
            id(1_763_640_000_000, "8"),
            id(1_763_640_000_001, "1"),
        ];
        assert!(sorted.is_sorted());
        assert_eq!(sorted[2].as_str(), "1763640000000#7#access");
        assert_eq!(sorted[2].at(), Timestamp::from_ms(1_763_640_000_000));
        for id in sorted {
            assert_eq!(id.as_str().parse(), Ok(id));
        }
        for text in ["", "7", "x#7", "12#7", "+763640000000#7", "1763640000000"] {
            assert_eq!(text.parse::<MessageId>(), Err(NoMessageId), "{text}");
        }
    }

    #[test]
    fn an_actors_call_is_read_as_it_is_written() {
        let call = Content::Call {
            actor: "crm@17".parse().unwrap(),
            method: "sendMessage".to_owned(),
            parameters: Map::from_iter([
                ("kind".to_owned(), "x".into()),
                ("method".to_owned(), 7.into()),
                ("latitude".to_owned(), 1.5.into()),
            ]),
        };
        let written = serde_json::to_string(&call).unwrap();
        assert_eq!(serde_json::from_str::<Content>(&written).unwrap(), call);
        let id = MessageId::new(Timestamp::from_ms(1), "call#crm@17#9");
        assert_eq!(id.kind(), "call");
    }

    #[test]
    fn of_each_kind_the_newest_is_sent_again_if_it_was_missed() {
        let message = |cause: &str, class, state| {
            let message = Message {
                id: MessageId::new(Timestamp::from_ms(1), cause),
                bot: BotId(7),
                chat: ChatId(5),
                thread: None,
                class,
                content: Content::CloseTopic,
                not_before: None,
                not_after: None,
            };
            (message, state)
        };
        let (money, unreachable) = (Class::Transactional, MessageState::Unreachable);
        let newest_first = [
            message("update#9", money, unreachable),
            message("update#8#joined", money, MessageState::Sent),
            message("update#7#joined", money, unreachable),
            message("update#6", money, unreachable),
            message("update#5#offer", Class::Marketing, unreachable),
        ];
        let now = Timestamp::from_ms(5000);
        let ids = |messages: &[(Message, MessageState)]| {
            let again = missed(messages, now).into_iter();
            let ids = again.map(|message| message.id.as_str().to_owned());
            ids.collect::<Vec<_>>()
        };
        assert_eq!(ids(&newest_first), ["0000000000001#update#9"]);
        // A link that is dead by now helps nobody, and the one before it was replaced.
        for (ms, expected) in [(5000, 0), (5001, 1)] {
            let mut with_end = newest_first.clone();
            with_end[0].0.not_after = Some(Timestamp::from_ms(ms));
            assert_eq!(ids(&with_end).len(), expected, "{ms}");
        }
        // However often it is missed, it stays of its kind.
        let once = newest_first[1].0.id.again(Timestamp::from_ms(2));
        let twice = once.again(Timestamp::from_ms(3));
        assert_eq!(twice.as_str(), "0000000000003#update#8#joined#again");
        assert_eq!(twice.kind(), newest_first[1].0.id.kind());
    }

    #[test]
    fn the_words_of_classes_and_states_are_read_back() {
        for class in Class::ALL {
            assert_eq!(class.as_str().parse(), Ok(class));
        }
        for state in MessageState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert_eq!("sale".parse::<Class>(), Err(NoClass));
        assert_eq!("LOST".parse::<MessageState>(), Err(NoMessageState));
    }
}
