//! The feed: what actors may read of the bot's updates, numbered anew.
//!
//! Calls that handle updates run beside one another and end out of order, so Telegram's numbers can't be offsets: a reader
//! that has confirmed 7 would never see a 6 that is written later. So each update takes the next number of its bot's feed,
//! and is written under it:
//!
//! ```text
//! writer   takes 6                    writes 6, unless a tombstone is there: then it takes the next number
//! writer        takes 7   writes 7
//! reader                     sees 7, and that 6 is missing: stops before it
//! reader   15 s after 7 was written: puts a tombstone at 6, unless 6 is there by now, and goes on
//! ```
//!
//! Whoever took a number longer ago than [`GAP_FORGOTTEN`] has died: a signed request is not taken any more by then.

pub mod subject;

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::actor::{Actor, ActorMark, ActorRole};
use super::id::FeedSeq;
use super::time::Timestamp;
use subject::FeedTopic;

/// How long a reader waits for a number that is missing before it puts a tombstone there. The function that writes is ended
/// after 10 s.
pub const TOMBSTONE_AFTER: Duration = Duration::from_secs(15);
/// How old what follows a gap is when nobody can write into the gap any more: what is missing there has ended by itself.
pub const GAP_FORGOTTEN: Duration = Duration::from_secs(3600);
/// The most tombstones that are put at once.
const TOMBSTONES_MAX: usize = 50;
/// The most updates of one answer (Bot API, `getUpdates`).
pub const LIMIT_MAX: usize = 100;

/// What stands under a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedItem {
    /// The number.
    pub seq: FeedSeq,
    /// When it was written.
    pub at: Timestamp,
    /// The update; nothing is a tombstone.
    pub update: Option<FeedUpdate>,
}

/// An update as the feed has it.
#[derive(Clone, PartialEq, Eq)]
pub struct FeedUpdate {
    /// Its kind, the name of its field in Telegram's `Update`.
    pub kind: String,
    /// Whom it may concern.
    pub topic: FeedTopic,
    /// The actor that sent the message whose button was pressed.
    pub sent_by: Option<ActorMark>,
    /// The update as Telegram sent it.
    pub body: String,
}

/// Without the body, which is a person's own.
impl fmt::Debug for FeedUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FeedUpdate({}, {:?}, …)", self.kind, self.topic)
    }
}

impl FeedUpdate {
    /// Whether this actor is to see it.
    #[must_use]
    pub fn is_for(&self, actor: &Actor) -> bool {
        let may_see = match self.topic {
            FeedTopic::Talk => actor.role.reads(),
            FeedTopic::Press => match actor.role {
                ActorRole::Backend => true,
                ActorRole::Operator => self.sent_by == Some(actor.mark()),
                ActorRole::Aggregator => false,
            },
            FeedTopic::Group(chat) => actor.role.reads() && actor.chats.contains(&chat),
            FeedTopic::Backend => actor.role == ActorRole::Backend,
        };
        may_see && is_asked_for(&self.kind, actor)
    }
}

/// Whether an actor asks for updates of this kind. Unless it names kinds, it gets all but those that Telegram leaves out,
/// too (Bot API, `allowed_updates`).
fn is_asked_for(kind: &str, actor: &Actor) -> bool {
    match &actor.allowed_updates {
        Some(kinds) if !kinds.is_empty() => kinds.contains(kind),
        _ => kind != "chat_member",
    }
}

/// Where a poll begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollStart {
    /// After this number; all up to it is confirmed.
    After(FeedSeq),
    /// With the last so many that the actor sees; all before them are dropped.
    Last(usize),
}

/// Where a poll with this `offset` begins, if all up to `cursor` was confirmed and `head` is the last number that was
/// taken. An offset beyond that was another bot's: it counts as none.
#[must_use]
pub fn poll_start(offset: i64, cursor: FeedSeq, head: FeedSeq) -> PollStart {
    if offset < 0 {
        let last = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
        return PollStart::Last(last.min(LIMIT_MAX));
    }
    match i32::try_from(offset.saturating_sub(1)).map(FeedSeq) {
        Ok(confirmed) if confirmed <= head => PollStart::After(confirmed.max(cursor)),
        _ => PollStart::After(cursor),
    }
}

/// What a reader makes of a page.
#[derive(Debug, PartialEq, Eq)]
pub struct FeedWalk<'a> {
    /// What the actor sees, in order.
    pub updates: Vec<(FeedSeq, &'a FeedUpdate)>,
    /// All up to this was looked at.
    pub position: FeedSeq,
    /// The numbers that need a tombstone before it goes on.
    pub missing: Option<RangeInclusive<i32>>,
}

/// Reads a page of the feed for an actor: `items` are those after `after`, in order and without one left out that is in the
/// table. What is older than `retention` has ended, whether it is still there or not.
#[must_use]
pub fn walk<'a>(
    actor: &Actor,
    after: FeedSeq,
    items: &'a [FeedItem],
    limit: usize,
    retention: Duration,
    now: Timestamp,
) -> FeedWalk<'a> {
    let mut walked = FeedWalk {
        updates: Vec::new(),
        position: after,
        missing: None,
    };
    for item in items {
        let expected = walked.position.next();
        let age = now.since(item.at);
        if item.seq > expected && age < GAP_FORGOTTEN {
            if age >= TOMBSTONE_AFTER {
                let most = i32::try_from(TOMBSTONES_MAX).unwrap_or(1) - 1;
                let last = item.seq.before().0.min(expected.0.saturating_add(most));
                walked.missing = Some(expected.0..=last);
            }
            break;
        }
        if walked.updates.len() >= limit {
            break;
        }
        walked.position = item.seq;
        if let Some(update) = &item.update
            && age < retention
            && update.is_for(actor)
        {
            walked.updates.push((item.seq, update));
        }
    }
    walked
}

/// The number before the last `count` updates that an actor sees: `items` are the last of the feed, the newest first. Of
/// fewer it is `floor`.
#[must_use]
pub fn before_last(
    actor: &Actor,
    items: &[FeedItem],
    count: usize,
    floor: FeedSeq,
    retention: Duration,
    now: Timestamp,
) -> FeedSeq {
    let is_seen = |item: &&FeedItem| {
        let update = item.update.as_ref();
        now.since(item.at) < retention && update.is_some_and(|update| update.is_for(actor))
    };
    let mut seen = items.iter().filter(is_seen);
    match count.checked_sub(1).and_then(|skipped| seen.nth(skipped)) {
        Some(item) => item.seq.before().max(floor),
        None => floor,
    }
}

#[cfg(test)]
mod tests;
