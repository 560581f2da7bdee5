//! What a bot has still to send: the tasks of its lanes.
//!
//! ```text
//! <botId>#<class>#0..7   the private chats of a shard: one person's messages of a class stay in one lane
//! <botId>#g<chatId>      a group: a slow one stops nobody
//! <botId>#parked         what was given up, until somebody sees to it
//! ```
//!
//! A task says where its message lies and when it may be sent; what it says is in the message's record.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::super::id::{BotId, ChatId, TelegramUserId};
use super::super::retry::AfterFailure;
use super::super::time::Timestamp;
use super::{Class, Content, Message, MessageId, TopicOwner};

/// Over how many lanes the private chats of a bot and class are spread.
pub const MESSAGE_SHARDS: u8 = 8;
/// How often the process may die of a message before it is parked.
const CRASHES_MAX: u32 = 5;
/// How long a message waits that the process died of, for each time, more or less: its neighbours go first.
const CRASH_WAIT: Duration = Duration::from_secs(60);

/// Where tasks of a bot lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MessageLane {
    /// One shard of the private chats.
    Private(BotId, Class, u8),
    /// A group, with all its classes.
    Group(BotId, ChatId),
    /// What was given up.
    Parked(BotId),
}

impl MessageLane {
    /// The lane of the messages of a class to a chat.
    #[must_use]
    pub const fn of(bot: BotId, chat: ChatId, class: Class) -> Self {
        if is_group(chat) {
            return Self::Group(bot, chat);
        }
        // Ids of people are as good as drawn: their last digits are spread evenly.
        let shard = chat.0.rem_euclid(MESSAGE_SHARDS as i64);
        Self::Private(bot, class, shard as u8)
    }

    /// The lanes of all private chats of a bot.
    pub fn private(bot: BotId) -> impl Iterator<Item = Self> {
        let of_class =
            move |class| (0..MESSAGE_SHARDS).map(move |shard| Self::Private(bot, class, shard));
        Class::ALL.into_iter().flat_map(of_class)
    }

    /// Whether it may hold messages of this class.
    #[must_use]
    pub fn may_hold(self, class: Class) -> bool {
        match self {
            Self::Private(_, of_lane, _) => of_lane == class,
            Self::Group(..) => true,
            Self::Parked(_) => false,
        }
    }
}

/// Whether a chat has several members: the ids of groups and channels are negative (Bot API, `Chat`).
pub(super) const fn is_group(chat: ChatId) -> bool {
    chat.0 < 0
}

impl fmt::Display for MessageLane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Private(bot, class, shard) => write!(f, "{bot}#{}#{shard}", class.as_str()),
            Self::Group(bot, chat) => write!(f, "{bot}#g{chat}"),
            Self::Parked(bot) => write!(f, "{bot}#parked"),
        }
    }
}

/// A text that does not name a lane of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMessageLane;

impl FromStr for MessageLane {
    type Err = NoMessageLane;

    fn from_str(text: &str) -> Result<Self, NoMessageLane> {
        let parts: Vec<&str> = text.split('#').collect();
        let bot = |text: &str| text.parse().map(BotId).map_err(|_| NoMessageLane);
        match parts[..] {
            [id, "parked"] => Ok(Self::Parked(bot(id)?)),
            [id, group] => {
                let chat = group.strip_prefix('g').and_then(|chat| chat.parse().ok());
                Ok(Self::Group(bot(id)?, ChatId(chat.ok_or(NoMessageLane)?)))
            }
            [id, class, shard] => {
                let shard = shard.parse().ok().filter(|shard| *shard < MESSAGE_SHARDS);
                let class = class.parse().map_err(|_| NoMessageLane)?;
                Ok(Self::Private(bot(id)?, class, shard.ok_or(NoMessageLane)?))
            }
            _ => Err(NoMessageLane),
        }
    }
}

/// Where a task lies.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageKey {
    /// Its lane.
    pub lane: MessageLane,
    /// Its place in the lane: the message's id, and the chat, since one cause may write to many at once.
    pub place: String,
}

impl MessageKey {
    /// Where the task of a message lies.
    #[must_use]
    pub fn of(bot: BotId, chat: ChatId, class: Class, message: &MessageId) -> Self {
        Self {
            lane: MessageLane::of(bot, chat, class),
            place: format!("{message}#{chat}"),
        }
    }
}

impl fmt::Display for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|{}", self.lane, self.place)
    }
}

impl FromStr for MessageKey {
    type Err = NoMessageLane;

    fn from_str(text: &str) -> Result<Self, NoMessageLane> {
        let (lane, place) = text.split_once('|').ok_or(NoMessageLane)?;
        Ok(Self {
            lane: lane.parse()?,
            place: place.to_owned(),
        })
    }
}

impl Content {
    /// Who wrote what is passed on, or did what is told; nobody if that is an operator, or the bot itself.
    #[must_use]
    pub fn author(&self) -> Option<TelegramUserId> {
        match self {
            Self::InTopic { post, .. } => post.author(),
            Self::About { person, .. } => Some(*person),
            // A private chat has the id of its person.
            Self::Copy { from, .. } | Self::Album { from, .. } | Self::Edit { from, .. } => {
                (!is_group(*from)).then_some(TelegramUserId(from.0))
            }
            _ => None,
        }
    }
}

/// A message that is still to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageTask {
    /// The message.
    pub message: MessageId,
    /// The bot that sends it.
    pub bot: BotId,
    /// Where to.
    pub chat: ChatId,
    /// What it is for.
    pub class: Class,
    /// Not to be sent before this, as it was asked for. Younger messages do not wait for it.
    pub not_before: Option<Timestamp>,
    /// Not worth sending after this.
    pub not_after: Option<Timestamp>,
    /// In whose topic of the chat it is said, if in one.
    pub owner: Option<TopicOwner>,
    /// Who wrote it, if several write in that topic.
    pub author: Option<TelegramUserId>,
    /// Not to be tried before this, since a try failed. Younger messages of its class to its chat, and in the same topic, wait
    /// for it.
    pub retry_at: Option<Timestamp>,
    /// Tries that failed for its own sake.
    pub attempts: u32,
    /// How many times the process died while it worked on this message alone.
    pub crashes: u32,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// The X-Ray trace that it belongs to.
    pub trace: Option<String>,
}

/// Others who share a topic with a message wait for it so long at most.
const SHARED_WAIT: Duration = Duration::from_secs(5);

/// Whether others who share a topic with a message that is tried again at `at` wait for it at `now`.
#[must_use]
pub fn is_soon(at: Timestamp, now: Timestamp) -> bool {
    at <= now.plus(SHARED_WAIT)
}

impl MessageTask {
    /// The task of a message that nothing has happened to yet.
    #[must_use]
    pub fn of(message: &Message) -> Self {
        let owner = match &message.content {
            Content::InTopic { owner, .. } => Some(*owner),
            _ => None,
        };
        Self {
            message: message.id.clone(),
            bot: message.bot,
            chat: message.chat,
            class: message.class,
            not_before: message.not_before,
            not_after: message.not_after,
            owner,
            author: message
                .content
                .author()
                .filter(|_| owner == Some(TopicOwner::Newcomers)),
            retry_at: None,
            attempts: 0,
            crashes: 0,
            last_error: None,
            trace: None,
        }
    }

    /// Where it lies.
    #[must_use]
    pub fn key(&self) -> MessageKey {
        MessageKey::of(self.bot, self.chat, self.class, &self.message)
    }

    /// Who takes turns with others in a group: its author, or whose topic it is; nobody for all that stands in no topic.
    #[must_use]
    pub fn turn_of(&self) -> Option<TopicOwner> {
        self.author.map(TopicOwner::Person).or(self.owner)
    }

    /// Whether it is tried again so soon that others who share its topic wait for it.
    #[must_use]
    pub fn waits_shortly(&self, now: Timestamp) -> bool {
        self.retry_at.is_some_and(|at| at > now && is_soon(at, now))
    }

    /// Whether its time is over at `now`.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.not_after.is_some_and(|at| at < now)
    }

    /// Whether there is something to do about it at `now`.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        let is_over = |at: Option<Timestamp>| at.is_none_or(|at| at <= now);
        self.is_expired(now) || (is_over(self.not_before) && is_over(self.retry_at))
    }

    /// What follows when the process died once more while it worked on this message alone. `jitter` is drawn from [0, 1).
    #[must_use]
    pub fn after_crash(&self, jitter: f64) -> AfterFailure {
        let crashes = self.crashes.saturating_add(1);
        if crashes >= CRASHES_MAX {
            AfterFailure::GiveUp
        } else {
            AfterFailure::Wait(CRASH_WAIT.mul_f64(0.5 + jitter.clamp(0.0, 1.0)) * crashes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOT: BotId = BotId(7);

    #[test]
    fn a_lane_and_a_place_are_read_as_they_are_written() {
        let id = MessageId::new(Timestamp::from_ms(1_763_640_000_000), "update#9|x");
        let lanes = [
            (MessageLane::of(BOT, ChatId(19), Class::Reply), "7#reply#3"),
            (
                MessageLane::of(BOT, ChatId(-1001), Class::Marketing),
                "7#g-1001",
            ),
            (MessageLane::Parked(BOT), "7#parked"),
        ];
        for (lane, text) in lanes {
            assert_eq!(lane.to_string(), text);
            let key = MessageKey {
                lane,
                place: format!("{id}#19"),
            };
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        for text in [
            "",
            "7",
            "x#parked",
            "7#g",
            "7#sale#1",
            "7#reply#8",
            "7#reply#x",
            "7#a#b#c",
        ] {
            assert_eq!(text.parse::<MessageLane>(), Err(NoMessageLane), "{text}");
        }
        assert_eq!(MessageLane::private(BOT).count(), 32);
    }

    #[test]
    fn one_person_stays_in_one_lane_and_all_lanes_are_used() {
        let lane = |id| MessageLane::of(BOT, ChatId(id), Class::Operator);
        assert_eq!(lane(6_123_456_789), lane(6_123_456_789));
        let used: std::collections::BTreeSet<_> = (100..164).map(lane).collect();
        assert_eq!(used.len(), 8);
    }

    #[test]
    fn a_message_that_kills_the_process_waits_longer_each_time_and_is_parked_at_the_fifth() {
        let message = Message {
            id: MessageId::new(Timestamp::from_ms(1), "a"),
            bot: BOT,
            chat: ChatId(1),
            thread: None,
            class: Class::Reply,
            content: super::super::Content::Text {
                html: String::new(),
                buttons: vec![],
                protect: false,
                silent: false,
            },
            not_before: None,
            not_after: None,
        };
        let after = |crashes| {
            let task = MessageTask {
                crashes,
                ..MessageTask::of(&message)
            };
            task.after_crash(0.5)
        };
        let wait = |seconds| AfterFailure::Wait(Duration::from_secs(seconds));
        assert_eq!((after(0), after(3)), (wait(60), wait(240)));
        assert_eq!(after(4), AfterFailure::GiveUp);
    }
}
