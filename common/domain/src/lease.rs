//! The lease of a chat, or of a bot's messages: who dispatches the tasks, and what all who ever do must know.
//!
//! ```text
//! 0 s    take: 30 s          the tasks that are due are looked at, and called in order
//! 10 s   renew: 30 s more    and at least that often; each renewal is followed by a look
//! 28 s   begin nothing more without a renewal: a call may still be under way
//! 30 s   lapses              another one takes it; what is settled late is refused by its own condition
//! 90 s   no renewal of one that was taken then: a dispatcher that hangs loses it
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::id::{BotId, ChatId};
use super::limiter::{CLOCK_AHEAD, Limiter, PAUSE_MAX, Pause};
use super::message::LastTurns;
use super::time::Timestamp;

/// How long the lease lasts without a renewal.
pub const LEASE: Duration = Duration::from_secs(30);
/// How long before its end nothing is begun any more.
pub const LEASE_RESERVE: Duration = Duration::from_secs(2);
/// The longest that one holder renews it.
pub const LEASE_MAX: Duration = Duration::from_secs(90);
/// The longest wait that a run holds on for: releasing and coming again costs as much as the time that it saves.
pub const WAIT_MAX: Duration = Duration::from_secs(4);
/// The longest delay of a bell. A longer wait is left to the tick.
pub const BELL_DELAY_MAX: Duration = Duration::from_secs(900);
/// How long before its time a bell may arrive: it must find the lease to be had, and the run waits the rest.
const BELL_EARLY: Duration = Duration::from_secs(2);
/// How many deaths in a row are no chance: then the tasks are done one by one.
const DEATHS_MAX: u32 = 2;
/// The longest reason of a pause by a person, in characters.
const REASON_MAX_CHARS: usize = 200;
/// The longest pause by a person that ends by itself, in minutes: 30 days.
const PAUSE_MAX_MINUTES: u64 = 30 * 24 * 60;
/// How long a pause without an end is waited for before it is looked at again.
const RECHECK: Duration = Duration::from_secs(3600);

/// What a lease is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitKey {
    /// The tasks of a chat.
    Chat(ChatId),
    /// The messages of a bot.
    Messages(BotId),
    /// What all actors of a bot send.
    Actors(BotId),
    /// The refunds that are made without a person, in the hour that begins then.
    Refunds(Timestamp),
}

impl From<ChatId> for LimitKey {
    fn from(chat: ChatId) -> Self {
        Self::Chat(chat)
    }
}

impl From<BotId> for LimitKey {
    fn from(bot: BotId) -> Self {
        Self::Messages(bot)
    }
}

impl fmt::Display for LimitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chat(chat) => chat.fmt(f),
            Self::Messages(bot) => write!(f, "bot#{bot}"),
            Self::Actors(bot) => write!(f, "actors#{bot}"),
            Self::Refunds(hour) => write!(f, "refunds#{hour}"),
        }
    }
}

/// Whom a wait of Telegram's is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paused {
    /// A bot: in the chat of the lease, or with all its messages.
    Bot(BotId),
    /// The messages of a bot to this chat.
    Chat(ChatId),
}

/// What a holder stores of what it has learned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Learned {
    /// The rate limiters, by bot.
    pub limiters: BTreeMap<BotId, Limiter>,
    /// How many times a person had resumed the chat when they became what they are.
    pub resumes: u64,
    /// Of a bot's messages: when each chat may be written to next, where that lies ahead.
    pub chat_slots: BTreeMap<ChatId, Timestamp>,
    /// Of a bot's messages: whose turn it was last in each group, where others wait.
    pub turns: LastTurns,
}

/// The record of a chat, or of a bot's messages, in the table of rate limits.
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
    /// Of a bot's messages: the same, by chat.
    pub chat_pauses: BTreeMap<ChatId, Pause>,
    /// Of a bot's messages: when each chat may be written to next, where that lay ahead.
    pub chat_slots: BTreeMap<ChatId, Timestamp>,
    /// Of a bot's messages: whose turn it was last in each group, where others waited.
    pub turns: LastTurns,
    /// The last pause by a person.
    pub operator_pause: Option<OperatorPause>,
    /// How many times a person resumed the chat.
    pub resumes: u64,
    /// A person resumed it after the last holder stored what it knew: its waits are not believed.
    pub is_resumed: bool,
    /// What the chat has become: the id that was called, and the new one.
    pub migrated: Option<(ChatId, ChatId)>,
}

/// Why a run of the holder ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// Nothing is due.
    Idle,
    /// Nothing is due before then.
    Later(Timestamp),
    /// The time is over; there may be more.
    Budget,
    /// The lease is lost, or a write failed.
    Broken,
}

/// How a lease is released.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Releasing {
    /// Only if no bell came since the last renewal.
    pub unless_rung: bool,
    /// No bot may call before this.
    pub wake_at: Option<Timestamp>,
    /// The delayed bell that is to be sent.
    pub bell_at: Option<Timestamp>,
}

impl ChatLease {
    /// How the holder of this lease releases it after `calls` calls, if the first bot may call again at `free_at`.
    #[must_use]
    pub fn releasing(
        &self,
        over: RunEnd,
        free_at: Option<Timestamp>,
        calls: u32,
        now: Timestamp,
    ) -> Releasing {
        let all_wait = free_at.filter(|at| *at > now.plus(WAIT_MAX));
        let wake_at = all_wait.max(self.stopped_until(now));
        let at = match over {
            RunEnd::Idle | RunEnd::Broken => None,
            // A bell of others that comes while all wait finds the lease not to be had: this one is for them too, whatever
            // is due later.
            RunEnd::Later(at) => Some(wake_at.unwrap_or(at)),
            RunEnd::Budget => Some(wake_at.unwrap_or(now)),
        };
        // A run that made no call and waits for nothing does not ring: the tick does not need it.
        let at = at.filter(|at| calls > 0 || *at > now);
        // A bell that comes before the lease can be had wakes nobody.
        let from = wake_at.map_or(now, |wake| wake.minus(BELL_EARLY));
        let is_covered = |at: &Timestamp| {
            self.bell_at
                .is_some_and(|bell| bell > now && bell >= from && bell <= *at)
        };
        Releasing {
            unless_rung: matches!(over, RunEnd::Idle | RunEnd::Later(_)) && wake_at.is_none(),
            wake_at: wake_at
                .filter(|_| over != RunEnd::Idle)
                .map(|at| at.minus(BELL_EARLY)),
            bell_at: at.filter(|at| *at <= now.plus(BELL_DELAY_MAX) && !is_covered(at)),
        }
    }

    /// Whether the process died so often that tasks are to be done one by one.
    #[must_use]
    pub const fn needs_care(&self) -> bool {
        self.deaths >= DEATHS_MAX
    }

    /// What ends when a person resumes the chat: whether that is anything at all, and the pause, lifted by `who`.
    #[must_use]
    pub fn resumed(&self, who: &str, now: Timestamp) -> (bool, Option<OperatorPause>) {
        let is_open = self
            .limiters
            .values()
            .any(|limiter| limiter.circuit.is_open());
        let lasting = self.operator_pause.clone().filter(|pause| pause.lasts(now));
        let lifted = lasting.map(|pause| OperatorPause {
            lifted: Some((now, who.to_owned())),
            ..pause
        });
        (is_open || lifted.is_some(), lifted)
    }

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
    /// The pause that `who` asks for at `now`, for so many minutes, or until somebody lifts it; nothing if the reason or the
    /// length is out of bounds.
    #[must_use]
    pub fn ask(reason: &str, who: &str, minutes: Option<u64>, now: Timestamp) -> Option<Self> {
        let reason = reason.trim();
        let is_reason = (1..=REASON_MAX_CHARS).contains(&reason.chars().count());
        let is_length = minutes.is_none_or(|minutes| (1..=PAUSE_MAX_MINUTES).contains(&minutes));
        (is_reason && is_length).then(|| Self {
            reason: reason.to_owned(),
            who: who.to_owned(),
            at: now,
            until: minutes.map(|minutes| now.plus(Duration::from_secs(minutes * 60))),
            lifted: None,
        })
    }

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
    fn a_pause_has_a_reason_and_at_most_thirty_days() {
        let ask = |reason: &str, minutes| OperatorPause::ask(reason, "ann", minutes, NOW);
        let pause = ask(" audit ", Some(60)).unwrap();
        assert_eq!(
            (pause.reason.as_str(), pause.until),
            ("audit", Some(NOW.plus(HOUR)))
        );
        assert_eq!(ask("x", None).unwrap().until, None);
        assert!(ask("x", Some(43_200)).is_some());
        assert!(ask(&"\u{e9}".repeat(200), None).is_some());
        for (reason, minutes) in [
            (" ", None),
            (&*"x".repeat(201), None),
            ("x", Some(0)),
            ("x", Some(43_201)),
        ] {
            assert_eq!(ask(reason, minutes), None, "{reason} {minutes:?}");
        }
    }

    #[test]
    fn a_resume_lifts_what_lasts_and_closes_what_is_open() {
        let (resumed, lifted) = paused(None).resumed("bob", NOW);
        assert!(resumed);
        assert_eq!(lifted.unwrap().lifted, Some((NOW, "bob".to_owned())));
        let over = paused(Some(NOW)).resumed("bob", NOW);
        assert_eq!(over, (false, None));
        let mut limiter = Limiter::new(Duration::from_secs(1));
        limiter.circuit.chat_fault(NOW);
        let open = ChatLease {
            limiters: BTreeMap::from([(BotId(7), limiter)]),
            ..ChatLease::default()
        };
        assert_eq!(open.resumed("bob", NOW), (true, None));
    }

    #[test]
    fn a_run_that_is_over_rings_for_what_is_left_unless_a_bell_covers_it() {
        let at = |seconds| NOW.plus(Duration::from_secs(seconds));
        let free = ChatLease::default();
        let release =
            |lease: &ChatLease, over, free_at, calls| lease.releasing(over, free_at, calls, NOW);
        let nothing = Releasing::default();
        let idle = release(&free, RunEnd::Idle, None, 9);
        let unless_rung = Releasing {
            unless_rung: true,
            ..nothing
        };
        assert_eq!(idle, unless_rung);
        let waits = release(&free, RunEnd::Idle, Some(at(60)), 9);
        assert_eq!(waits, nothing, "a bell that comes meanwhile waits as well");
        assert_eq!(release(&free, RunEnd::Broken, None, 9), nothing);

        let later = release(&free, RunEnd::Later(at(30)), Some(at(4)), 0);
        let bell_at = Some(at(30));
        assert_eq!(
            later,
            Releasing {
                bell_at,
                ..unless_rung
            }
        );
        let too_late = release(&free, RunEnd::Later(at(901)), None, 9);
        assert_eq!(too_late, unless_rung, "left to the tick");

        let all_wait = release(&free, RunEnd::Later(at(30)), Some(at(60)), 0);
        let (wake_at, bell_at) = (Some(at(58)), Some(at(60)));
        let woken = Releasing {
            wake_at,
            bell_at,
            ..nothing
        };
        assert_eq!(all_wait, woken);
        let broken = release(&free, RunEnd::Broken, Some(at(60)), 9);
        assert_eq!(broken, Releasing { wake_at, ..nothing });

        let more = release(&free, RunEnd::Budget, None, 1);
        let bell_at = Some(NOW);
        assert_eq!(more, Releasing { bell_at, ..nothing });
        assert_eq!(release(&free, RunEnd::Budget, None, 0), nothing);

        for (bell, is_covered) in [(57, false), (58, true), (60, true), (61, false)] {
            let rung = ChatLease {
                bell_at: Some(at(bell)),
                ..ChatLease::default()
            };
            let bell_at = release(&rung, RunEnd::Later(at(30)), Some(at(60)), 1).bell_at;
            assert_eq!(bell_at.is_none(), is_covered, "{bell}");
        }
    }

    #[test]
    fn two_deaths_in_a_row_are_no_chance() {
        let died = |deaths| ChatLease {
            deaths,
            ..ChatLease::default()
        };
        assert!(!died(1).needs_care());
        assert!(died(2).needs_care());
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
