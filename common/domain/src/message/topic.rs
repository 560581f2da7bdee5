//! Topics of the operators' chat: whose each is, how one comes about, and which of two stays.
//!
//! ```text
//! none, WANTED --> CREATING --> OPEN <--> CLOSED
//!                     |          ^
//!                     +----------+   the answer was lost: Telegram's own service message names the person
//! ```
//!
//! `createForumTopic` can't be repeated without harm, so a topic whose creation was not answered is waited for before another
//! one is made; whichever is known first stays, and the other is closed.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::id::TelegramUserId;
use super::super::time::Timestamp;

/// How long the service message of a topic is waited for whose creation was not answered.
const ADOPTION_WAIT: Duration = Duration::from_secs(15);
/// What stands before the id in the name of a topic.
const BEFORE_ID: &str = " · ";
/// The longest name of a topic, in characters (Bot API, `createForumTopic`).
const NAME_MAX_CHARS: usize = 128;
/// The word for the topic that new people share.
const NEWCOMERS: &str = "newcomers";

/// Whose a topic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TopicOwner {
    /// One person's.
    Person(TelegramUserId),
    /// Of new people, while more of them come than topics may be made for.
    Newcomers,
}

impl fmt::Display for TopicOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(person) => write!(f, "{person}"),
            Self::Newcomers => f.write_str(NEWCOMERS),
        }
    }
}

/// A text that does not name the owner of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoTopicOwner;

impl fmt::Display for NoTopicOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the owner of a topic")
    }
}

impl FromStr for TopicOwner {
    type Err = NoTopicOwner;

    fn from_str(text: &str) -> Result<Self, NoTopicOwner> {
        if text == NEWCOMERS {
            return Ok(Self::Newcomers);
        }
        let id = text.parse().ok().filter(|id: &i64| *id > 0);
        id.map(|id| Self::Person(TelegramUserId(id)))
            .ok_or(NoTopicOwner)
    }
}

impl TryFrom<String> for TopicOwner {
    type Error = NoTopicOwner;

    fn try_from(text: String) -> Result<Self, NoTopicOwner> {
        text.parse()
    }
}

impl From<TopicOwner> for String {
    fn from(owner: TopicOwner) -> Self {
        owner.to_string()
    }
}

impl TopicOwner {
    /// The name of the topic: that of the person, and the id, by which a topic is known whose creation was not answered.
    #[must_use]
    pub fn topic_name(self, shown_name: &str) -> String {
        let end = format!("{BEFORE_ID}{self}");
        let room = NAME_MAX_CHARS.saturating_sub(end.chars().count());
        let words: Vec<&str> = shown_name.split_whitespace().collect();
        let shown: String = words.join(" ").chars().take(room).collect();
        format!("{}{end}", shown.trim_end())
    }

    /// Whose a topic of this name is.
    #[must_use]
    pub fn of_topic_name(name: &str) -> Option<Self> {
        let (_, id) = name.rsplit_once(BEFORE_ID.trim())?;
        id.trim().parse().ok()
    }
}

/// Where the topic of somebody stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicState {
    /// It is to be made, once something is to be said there.
    Wanted,
    /// `createForumTopic` was called, at this time, and is not answered.
    Creating(Timestamp),
    /// It is there; its `message_thread_id`.
    Open(i64),
    /// It is there, and closed.
    Closed(i64),
}

/// What comes first if something is to be said in a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicStep {
    /// The topic is made.
    Create,
    /// A topic may be there already: Telegram tells it by then.
    WaitUntil(Timestamp),
    /// The topic is opened again.
    Reopen(i64),
    /// It is said there.
    Use(i64),
}

/// What becomes of a topic that Telegram tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adoption {
    /// It is the topic of its owner from now on.
    Adopt,
    /// It was known.
    Known,
    /// Its owner has another one: it is closed.
    Second,
}

impl TopicState {
    /// What comes first, at `now`, if something is to be said in the topic of which this is known.
    #[must_use]
    pub fn step(known: Option<Self>, now: Timestamp) -> TopicStep {
        match known {
            None | Some(Self::Wanted) => TopicStep::Create,
            Some(Self::Creating(since)) if since.plus(ADOPTION_WAIT) > now && since <= now => {
                TopicStep::WaitUntil(since.plus(ADOPTION_WAIT))
            }
            // Also by a clock that was ahead.
            Some(Self::Creating(_)) => TopicStep::Create,
            Some(Self::Open(thread)) => TopicStep::Use(thread),
            Some(Self::Closed(thread)) => TopicStep::Reopen(thread),
        }
    }

    /// Its `message_thread_id`, if it is there.
    #[must_use]
    pub const fn thread(self) -> Option<i64> {
        match self {
            Self::Wanted | Self::Creating(_) => None,
            Self::Open(thread) | Self::Closed(thread) => Some(thread),
        }
    }

    /// What becomes of the topic `thread` whose owner's topic stands so.
    #[must_use]
    pub fn adoption(known: Option<Self>, thread: i64) -> Adoption {
        match known.and_then(Self::thread) {
            None => Adoption::Adopt,
            Some(own) if own == thread => Adoption::Known,
            Some(_) => Adoption::Second,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: TopicOwner = TopicOwner::Person(TelegramUserId(77));
    const NOW: Timestamp = Timestamp::from_ms(1_763_640_000_000);

    #[test]
    fn a_topic_is_found_by_the_id_in_its_name_whatever_people_call_themselves() {
        for shown in ["Ann", "", "Ann · 8", "  a \n b ", &"long ".repeat(60)] {
            let name = ANN.topic_name(shown);
            assert!(name.chars().count() <= NAME_MAX_CHARS, "{name}");
            assert_eq!(TopicOwner::of_topic_name(&name), Some(ANN), "{name}");
        }
        assert_eq!(ANN.topic_name("Ann  Lee"), "Ann Lee · 77");
        // Telegram takes the space away with which a name begins.
        assert_eq!(TopicOwner::of_topic_name("· 77"), Some(ANN));
        let newcomers = TopicOwner::Newcomers.topic_name("New people");
        assert_eq!(
            TopicOwner::of_topic_name(&newcomers),
            Some(TopicOwner::Newcomers)
        );
        for name in ["Ann", "Ann · ", "Ann · x", "Ann · -5", "77"] {
            assert_eq!(TopicOwner::of_topic_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_topic_is_made_once_waited_for_and_opened_again() {
        let after = |seconds| NOW.plus(Duration::from_secs(seconds));
        let creating = Some(TopicState::Creating(NOW));
        for (known, at, step) in [
            (None, NOW, TopicStep::Create),
            (Some(TopicState::Wanted), NOW, TopicStep::Create),
            (creating, NOW, TopicStep::WaitUntil(after(15))),
            (creating, after(14), TopicStep::WaitUntil(after(15))),
            (creating, after(15), TopicStep::Create),
            (
                Some(TopicState::Creating(after(60))),
                NOW,
                TopicStep::Create,
            ),
            (Some(TopicState::Open(5)), NOW, TopicStep::Use(5)),
            (Some(TopicState::Closed(5)), NOW, TopicStep::Reopen(5)),
        ] {
            assert_eq!(TopicState::step(known, at), step, "{known:?}");
        }
    }

    #[test]
    fn of_two_topics_the_one_that_is_known_first_stays() {
        for (known, adoption) in [
            (None, Adoption::Adopt),
            (Some(TopicState::Creating(NOW)), Adoption::Adopt),
            (Some(TopicState::Open(5)), Adoption::Known),
            (Some(TopicState::Closed(5)), Adoption::Known),
            (Some(TopicState::Open(6)), Adoption::Second),
        ] {
            assert_eq!(TopicState::adoption(known, 5), adoption, "{known:?}");
        }
    }

    #[test]
    fn an_owner_is_read_as_it_is_written() {
        for owner in [ANN, TopicOwner::Newcomers] {
            assert_eq!(owner.to_string().parse(), Ok(owner));
        }
        for text in ["", "0", "-7", "x"] {
            assert_eq!(text.parse::<TopicOwner>(), Err(NoTopicOwner), "{text}");
        }
    }
}
