//! The pace at which one bot calls Telegram for one chat: learned from its answers, shared by all workers.
//!
//! Telegram publishes no limit, so there is one *line* per bot and chat, kept in one record:
//!
//! ```text
//! now        next slot                         end of the line
//!  |  (taken)    |<- interval ->|  put-back jobs  |   a new job joins here
//! -+-------------+--------------+-----------------+----------------------> time
//! ```
//!
//! A job takes the next slot if that is near; otherwise it goes back to the queue until its place in the line comes up.
//! Jobs that come back go before new ones. A 429 moves everything past its `retry_after` and widens the interval; each
//! success narrows it a little.

use std::time::Duration;

use super::id::ChatId;
use super::time::Timestamp;

/// The narrowest interval that is learned: 30 calls a second, Telegram's published bound for one bot's messages.
const INTERVAL_MIN_MS: f64 = 34.0;
/// The widest interval that is learned.
const INTERVAL_MAX_MS: f64 = 60_000.0;
/// What a 429 does to the interval.
const SLOWER: f64 = 1.5;
/// What a success does to the interval.
const FASTER: f64 = 0.99;
/// Added to `retry_after`: Telegram's clock and ours differ, and its seconds are whole.
const PAUSE_MARGIN: Duration = Duration::from_secs(1);
/// The longest wait that is believed. Flood waits are seconds to hours; a longer one is a unit misread on the way.
const PAUSE_MAX: Duration = Duration::from_secs(24 * 3600);
/// The first hold of a broken chat; each further one is twice as long.
const HOLD_FIRST: Duration = Duration::from_secs(30);
/// The longest hold: how long a mended chat may go unnoticed.
const HOLD_MAX: Duration = Duration::from_secs(600);

/// The shared state of one bot and chat.
#[derive(Clone, Debug, PartialEq)]
pub struct Pace {
    /// Time between two calls, in milliseconds.
    pub interval_ms: f64,
    /// The first slot that is not taken.
    pub next_slot: Timestamp,
    /// Where jobs that came back and found no slot wait next: never behind the new ones.
    pub returned_until: Timestamp,
    /// The end of the line.
    pub line_until: Timestamp,
    /// Where the next revocation waits that is put back.
    pub revocations_until: Timestamp,
    /// No call before this.
    pub paused_until: Timestamp,
    /// No call went well since a 429 widened the interval: further 429s say nothing new about the pace.
    pub slowed: bool,
    /// How many times in a row the chat was found broken; 0 if it works.
    pub holds: u32,
    /// The chat that this one has become.
    pub migrated_to: Option<ChatId>,
}

/// What a job wants of the line, in the order in which jobs that come together are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ticket {
    /// A mint that was put back and whose time has come.
    Returned,
    /// A mint that was never put back.
    New,
    /// A revocation: yields to every mint.
    Revocation,
}

/// What the line gives a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// A slot of its own, soon enough to wait for it.
    Slot(Timestamp),
    /// Nothing yet: come back then.
    Later(Timestamp),
}

impl Pace {
    /// The state of a pair that was never called, at the configured starting interval.
    #[must_use]
    pub fn new(starting_interval: Duration) -> Self {
        let interval_ms = starting_interval.as_secs_f64() * 1000.0;
        let never = Timestamp::from_ms(0);
        Self {
            interval_ms: Self::bounded_interval(interval_ms),
            next_slot: never,
            returned_until: never,
            line_until: never,
            revocations_until: never,
            paused_until: never,
            slowed: false,
            holds: 0,
            migrated_to: None,
        }
    }

    /// The interval within the bounds that are learned, whatever a record says.
    #[must_use]
    pub fn bounded_interval(interval_ms: f64) -> f64 {
        if interval_ms.is_nan() {
            INTERVAL_MAX_MS
        } else {
            interval_ms.clamp(INTERVAL_MIN_MS, INTERVAL_MAX_MS)
        }
    }

    /// Gives each ticket its turn, in order. `patience` is how far off a slot may be to be waited for.
    ///
    /// What the line gives is ours only once the changed state is stored; if `self` is unchanged, nothing need be.
    pub fn take(&mut self, tickets: &[Ticket], now: Timestamp, patience: Duration) -> Vec<Turn> {
        let near = now.plus(patience);
        let turns = tickets.iter().map(|ticket| match ticket {
            Ticket::New | Ticket::Returned => self.turn(*ticket, now, near),
            Ticket::Revocation => self.turn_of_revocation(now, now.plus(patience / 2)),
        });
        turns.collect()
    }

    /// The first slot that may be taken, and the end of the line.
    fn free_and_line_end(&self, now: Timestamp) -> (Timestamp, Timestamp) {
        let free = self.next_slot.max(self.paused_until).max(now);
        (free, self.line_until.max(self.returned_until).max(free))
    }

    fn interval(&self) -> Duration {
        Duration::from_secs_f64(self.interval_ms / 1000.0)
    }

    fn turn(&mut self, ticket: Ticket, now: Timestamp, near: Timestamp) -> Turn {
        let (free, line_end) = self.free_and_line_end(now);
        let is_returned = ticket == Ticket::Returned;
        // A slot that nobody in the line has come back for is better used than wasted.
        if free <= near
            && (is_returned || self.line_until.max(self.returned_until) <= now || free == now)
        {
            self.next_slot = free.plus(self.interval());
            Turn::Slot(free)
        } else if is_returned {
            let at = self.returned_until.max(free);
            self.returned_until = at.plus(self.interval());
            Turn::Later(at)
        } else {
            self.line_until = line_end.plus(self.interval());
            Turn::Later(line_end)
        }
    }

    /// A revocation takes a slot only while no mint waits, and holds a mint that comes next up for half of what it
    /// would wait anyway. Put back, revocations come back one by one, behind all mints that wait now.
    fn turn_of_revocation(&mut self, now: Timestamp, near: Timestamp) -> Turn {
        let (free, line_end) = self.free_and_line_end(now);
        if line_end == free && free <= near {
            self.next_slot = free.plus(self.interval());
            return Turn::Slot(free);
        }
        let at = self.revocations_until.max(line_end).plus(self.interval());
        self.revocations_until = at;
        Turn::Later(at)
    }

    /// A number of calls went well since the state was last stored: a little faster, and the chat is not broken.
    pub fn succeeded(&mut self, calls: u32) {
        if calls > 0 {
            self.holds = 0;
            self.slowed = false;
            self.interval_ms = (self.interval_ms
                * FASTER.powi(i32::try_from(calls).unwrap_or(i32::MAX)))
            .max(INTERVAL_MIN_MS);
        }
    }

    /// Telegram said 429: nobody calls until `after` is over, and slower from then on. Several answers to one burst
    /// slow it once, and so does a storm in which no call goes well although each wait was kept.
    pub fn rate_limited(&mut self, after: Duration, now: Timestamp) {
        if self.paused_until <= now && !self.slowed {
            self.interval_ms = (self.interval_ms * SLOWER).min(INTERVAL_MAX_MS);
            self.slowed = true;
        }
        let after = after.min(PAUSE_MAX);
        self.paused_until = self.paused_until.max(now.plus(after).plus(PAUSE_MARGIN));
    }

    /// The chat was found broken: hold its jobs, and probe with one of them when the hold is over.
    pub fn hold(&mut self, now: Timestamp) {
        if self.paused_until <= now {
            self.paused_until = now.plus(
                HOLD_FIRST
                    .saturating_mul(1_u32.checked_shl(self.holds).unwrap_or(u32::MAX))
                    .min(HOLD_MAX),
            );
            self.holds = self.holds.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(2);
    const NOW: Timestamp = Timestamp::from_ms(1_763_640_000_000);

    fn at(ms: u64) -> Timestamp {
        NOW.plus(Duration::from_millis(ms))
    }

    fn pace(interval_ms: u64) -> Pace {
        Pace::new(Duration::from_millis(interval_ms))
    }

    #[test]
    fn an_idle_line_serves_at_once_and_then_by_the_interval() {
        let mut pace = pace(1000);
        let turns = pace.take(&[Ticket::New; 5], NOW, PATIENCE);
        use Turn::{Later, Slot};
        assert_eq!(
            turns,
            [
                Slot(at(0)),
                Slot(at(1000)),
                Slot(at(2000)),
                Later(at(3000)),
                Later(at(4000))
            ]
        );
    }

    #[test]
    fn who_was_put_back_goes_before_who_comes_new() {
        let mut pace = pace(1000);
        pace.take(&[Ticket::New; 6], NOW, PATIENCE);
        // The line ends at 6000; at 3000 the first of it is back, together with two new ones.
        let turns = pace.take(
            &[Ticket::New, Ticket::Returned, Ticket::New],
            at(3000),
            PATIENCE,
        );
        assert_eq!(
            turns,
            [
                Turn::Slot(at(3000)),
                Turn::Slot(at(4000)),
                Turn::Later(at(6000))
            ]
        );
    }

    #[test]
    fn nobody_new_overtakes_jobs_that_came_back_and_had_to_wait_again() {
        let mut pace = pace(1000);
        pace.rate_limited(Duration::from_secs(9), NOW);
        pace.take(&[Ticket::Returned; 4], NOW, PATIENCE);
        pace.take(&[Ticket::Returned], at(10_000), PATIENCE);
        let [Turn::Later(place)] = pace.take(&[Ticket::New], at(10_100), PATIENCE)[..] else {
            panic!("a new job took the slot of one that had to wait");
        };
        assert!(place > at(13_000));
    }

    #[test]
    fn an_absurd_wait_is_believed_for_a_day() {
        let mut pace = pace(1000);
        pace.rate_limited(Duration::MAX, NOW);
        assert_eq!(pace.paused_until.since(NOW).as_secs(), 24 * 3600 + 1);
    }

    #[test]
    fn no_two_jobs_share_a_slot_whatever_comes() {
        let mut pace = pace(220);
        let mut taken = Vec::new();
        let tickets = [
            Ticket::New,
            Ticket::Returned,
            Ticket::Revocation,
            Ticket::New,
        ];
        for round in 0..200 {
            for turn in pace.take(&tickets, at(round * 137), PATIENCE) {
                if let Turn::Slot(slot) = turn {
                    taken.push(slot);
                }
            }
        }
        assert!(taken.len() > 100);
        assert!(
            taken
                .windows(2)
                .all(|pair| pair[1].since(pair[0]) >= Duration::from_millis(220))
        );
    }

    #[test]
    fn revocations_yield_to_every_mint() {
        let mut pace = pace(1000);
        assert_eq!(
            pace.take(&[Ticket::Revocation], NOW, PATIENCE),
            [Turn::Slot(at(0))]
        );
        pace.take(&[Ticket::New], NOW, PATIENCE);
        let mut later = pace.take(&[Ticket::Revocation; 2], NOW, PATIENCE);
        later.extend(pace.take(&[Ticket::Revocation], NOW, PATIENCE));
        assert_eq!(later, [3000, 4000, 5000].map(|ms| Turn::Later(at(ms))));
        // What they were told holds up no mint.
        assert_eq!(
            pace.take(&[Ticket::New], at(2000), PATIENCE),
            [Turn::Slot(at(2000))]
        );
    }

    #[test]
    fn a_429_holds_everyone_for_at_least_what_was_asked() {
        for seconds in [3, 40, 2000] {
            let mut pace = pace(220);
            pace.rate_limited(Duration::from_secs(seconds), NOW);
            for ticket in [Ticket::New, Ticket::Returned, Ticket::Revocation] {
                let [Turn::Later(until)] = pace.take(&[ticket], at(500), PATIENCE)[..] else {
                    panic!("{ticket:?} was let through")
                };
                assert!(until.since(NOW) > Duration::from_secs(seconds));
            }
        }
    }

    #[test]
    fn one_burst_of_429s_slows_once_and_successes_make_up_for_it() {
        let mut pace = pace(1000);
        for _ in 0..5 {
            pace.rate_limited(Duration::from_secs(3), NOW);
        }
        assert!((pace.interval_ms - 1500.0).abs() < 1.0);
        for minute in 1..10 {
            pace.rate_limited(Duration::from_secs(3), at(minute * 60_000));
        }
        assert!((pace.interval_ms - 1500.0).abs() < 1.0);
        pace.succeeded(41);
        assert!(pace.interval_ms < 1000.0);
        pace.succeeded(u32::MAX);
        assert!((pace.interval_ms - INTERVAL_MIN_MS).abs() < f64::EPSILON);
    }

    #[test]
    fn a_broken_chat_is_probed_ever_more_slowly_but_at_least_every_ten_minutes() {
        let mut pace = pace(220);
        let mut now = NOW;
        let mut holds = Vec::new();
        for _ in 0..7 {
            pace.hold(now);
            pace.hold(now);
            holds.push(pace.paused_until.since(now).as_secs());
            now = pace.paused_until;
        }
        assert_eq!(holds, [30, 60, 120, 240, 480, 600, 600]);
        pace.succeeded(1);
        pace.hold(now);
        assert_eq!(pace.paused_until.since(now).as_secs(), 30);
    }
}
