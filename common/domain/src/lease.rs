//! The lease of a chat: who dispatches its tasks, and what all who ever do must know.
//!
//! ```text
//! 0 s    take: 30 s          the tasks that are due are looked at, and called in order
//! 10 s   renew: 30 s more    and at least that often; each renewal is followed by a look
//! 28 s   begin nothing more without a renewal: a call may still be under way
//! 30 s   lapses              another one takes it; what is settled late is refused by its own condition
//! 90 s   no renewal of one that was taken then: a dispatcher that hangs loses it
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use super::id::{BotId, ChatId};
use super::limiter::{CLOCK_AHEAD, Limiter, PAUSE_MAX, Pause};
use super::time::Timestamp;

/// How long the lease lasts without a renewal.
pub const LEASE: Duration = Duration::from_secs(30);
/// How long before its end nothing is begun any more.
pub const LEASE_RESERVE: Duration = Duration::from_secs(2);
/// The longest that one holder renews it.
pub const LEASE_MAX: Duration = Duration::from_secs(90);
/// How long a pause without an end is waited for before it is looked at again.
const RECHECK: Duration = Duration::from_secs(3600);

/// The record of a chat in the table of rate limits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChatLease {
    /// The dispatcher that holds it: a name that no other take has.
    pub owner: Option<String>,
    /// Until when.
    pub until: Option<Timestamp>,
    /// Whether a bell came while it was held: there may be tasks that the holder has not seen.
    pub is_rung: bool,
    /// The delayed bell that was sent last.
    pub bell_at: Option<Timestamp>,
    /// When it was taken last.
    pub taken_at: Option<Timestamp>,
    /// No bot may call before this.
    pub wake_at: Option<Timestamp>,
    /// Which bots that speaks of.
    pub wake_bots: Option<String>,
    /// How many holders in a row did not release it, the present one included.
    pub deaths: u32,
    /// What the last holder worked on alone, if it died of that.
    pub doing: Option<String>,
    /// The rate limiters, by bot. Their pauses are those of `pauses`.
    pub limiters: BTreeMap<BotId, Limiter>,
    /// The waits that Telegram asked for, by bot.
    pub pauses: BTreeMap<BotId, Pause>,
    /// The last pause by a person.
    pub operator_pause: Option<OperatorPause>,
    /// How many times a person resumed the chat.
    pub resumes: u64,
    /// A person resumed it after the last holder stored what it knew: its waits are not believed.
    pub is_resumed: bool,
    /// What the chat has become: the id that was called, and the new one.
    pub migrated: Option<(ChatId, ChatId)>,
}

impl ChatLease {
    /// The id to call the chat by, which is configured as `configured`.
    #[must_use]
    pub fn current_id(&self, configured: ChatId) -> ChatId {
        match self.migrated {
            Some((from, to)) if from == configured => to,
            _ => configured,
        }
    }

    /// Until when a person has stopped the chat; nothing if nobody did.
    #[must_use]
    pub fn stopped_until(&self, now: Timestamp) -> Option<Timestamp> {
        let pause = self
            .operator_pause
            .as_ref()
            .filter(|pause| pause.lasts(now))?;
        let recheck = now.plus(RECHECK);
        Some(pause.end().unwrap_or(recheck).min(recheck))
    }

    /// Whether somebody holds it at `now`. An end that lies too far ahead was stored by a clock that was ahead.
    #[must_use]
    pub fn is_held(&self, now: Timestamp) -> bool {
        self.owner.is_some()
            && self
                .until
                .is_some_and(|until| until >= now && until <= now.plus(LEASE_MAX))
    }

    /// Whether none of `bots` may call yet, as far as the last holder knew and can be believed.
    #[must_use]
    pub fn is_waiting(&self, bots: &str, now: Timestamp) -> bool {
        self.wake_at
            .is_some_and(|at| at > now && at <= now.plus(PAUSE_MAX))
            && self.taken_at.is_none_or(|at| at <= now.plus(CLOCK_AHEAD))
            && self.wake_bots.as_deref() == Some(bots)
            && !self.is_resumed
    }
}

/// A pause by a person: nobody calls for the chat until it is over or lifted, whatever Telegram says meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorPause {
    /// Why.
    pub reason: String,
    /// Who asked for it: the name of an operator's key.
    pub who: String,
    /// When.
    pub at: Timestamp,
    /// When it ends by itself; without, somebody must lift it.
    pub until: Option<Timestamp>,
    /// When and by whom it was lifted.
    pub lifted: Option<(Timestamp, String)>,
}

impl OperatorPause {
    /// When it ended, or will by itself; nothing if it lasts until it is lifted.
    fn end(&self) -> Option<Timestamp> {
        match (&self.lifted, self.until) {
            (Some((at, _)), Some(until)) => Some((*at).min(until)),
            (Some((at, _)), None) => Some(*at),
            (None, until) => until,
        }
    }

    /// Whether it lasts at `now`.
    #[must_use]
    pub fn lasts(&self, now: Timestamp) -> bool {
        match &self.lifted {
            // Whatever the clocks say that set and lifted it.
            Some(_) => false,
            None => self.until.is_none_or(|end| end > now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_763_640_000_000);
    const HOUR: Duration = Duration::from_secs(3600);

    fn paused(until: Option<Timestamp>) -> ChatLease {
        ChatLease {
            operator_pause: Some(OperatorPause {
                reason: "audit".to_owned(),
                who: "ann".to_owned(),
                at: NOW,
                until,
                lifted: None,
            }),
            ..ChatLease::default()
        }
    }

    #[test]
    fn a_pause_lasts_until_its_end_or_until_it_is_lifted() {
        let lease = paused(Some(NOW.plus(HOUR / 2)));
        assert_eq!(lease.stopped_until(NOW), Some(NOW.plus(HOUR / 2)));
        assert_eq!(lease.stopped_until(NOW.plus(HOUR / 2)), None);
        let mut lease = paused(None);
        assert_eq!(lease.stopped_until(NOW), Some(NOW.plus(HOUR)));
        let later = NOW.plus(HOUR * 24 * 365);
        assert_eq!(lease.stopped_until(later), Some(later.plus(HOUR)));
        if let Some(pause) = &mut lease.operator_pause {
            pause.lifted = Some((NOW, "bob".to_owned()));
        }
        assert_eq!(lease.stopped_until(NOW), None);
    }

    #[test]
    fn what_lies_too_far_ahead_is_not_believed() {
        let lease = |until: Duration, wake: Duration| ChatLease {
            owner: Some("a".to_owned()),
            until: Some(NOW.plus(until)),
            wake_at: Some(NOW.plus(wake)),
            wake_bots: Some("1".to_owned()),
            ..ChatLease::default()
        };
        assert!(lease(LEASE, HOUR).is_held(NOW));
        assert!(!lease(HOUR, HOUR).is_held(NOW));
        assert!(lease(LEASE, HOUR).is_waiting("1", NOW));
        assert!(!lease(LEASE, HOUR * 25).is_waiting("1", NOW));
        assert!(
            !lease(LEASE, HOUR).is_waiting("1,2", NOW),
            "another bot may"
        );
        let ahead = ChatLease {
            taken_at: Some(NOW.plus(HOUR)),
            ..lease(LEASE, HOUR)
        };
        assert!(!ahead.is_waiting("1", NOW));
        let resumed = ChatLease {
            is_resumed: true,
            ..lease(LEASE, HOUR)
        };
        assert!(!resumed.is_waiting("1", NOW));
    }

    #[test]
    fn a_chat_that_moved_is_called_by_its_new_id() {
        let moved = ChatLease {
            migrated: Some((ChatId(-5), ChatId(-1005))),
            ..ChatLease::default()
        };
        assert_eq!(moved.current_id(ChatId(-5)), ChatId(-1005));
        assert_eq!(moved.current_id(ChatId(-1005)), ChatId(-1005));
        assert_eq!(ChatLease::default().current_id(ChatId(-5)), ChatId(-5));
    }
}
