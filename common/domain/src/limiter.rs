//! The rate limiter of one bot in one chat, learned from Telegram's answers by AIMD (additive increase, multiplicative
//! decrease), and its circuit breaker.
//!
//! Telegram publishes no limit. Calls follow one another by the interval. A success narrows the interval by `step`, a
//! 429 widens it by `drop` and pauses the bot:
//!
//! ```text
//! rate          the limit                      .-- a 429: drop, and a smaller step
//!  |  - - - - - - - - - - - - - - - - -.-*- - /- - - - - - - -.-*- -
//!  |              .-*              .-'    `-'           .-'
//!  |    .-*    .-'    `-.      .-'        below the limit most of the time, at it once in some 300 calls
//!  | .-'   `-.'          `--'
//!  +-----------------------------------------------------------------> calls
//! ```
//!
//! Each 429 quarters the step, so the search narrows, until the step is so small that a probe meets the limit once in
//! some 300 calls or 3 minutes, whichever is longer. A limit that was lowered shows in 429s without successes between
//! them: the drop doubles. One that was raised shows in calls that go well past the last 429: the step grows again.

mod circuit;

use std::time::Duration;

use super::time::Timestamp;
pub use circuit::{Cause, Charged, Circuit};

/// The narrowest interval that is learned: 30 calls a second, Telegram's published bound for one bot's messages.
const INTERVAL_MIN_MS: f64 = 34.0;
/// The widest interval that is learned.
const INTERVAL_MAX_MS: f64 = 60_000.0;
/// What a success adds to the rate before any 429 was met: from 4 to 30 calls a second within 70 calls.
const STEP_FIRST: f64 = 0.03;
/// What the first 429 sets the step to: the limit lies within a factor of 2 below, so it is near within 20 calls.
const STEP_SEARCH: f64 = 0.04;
/// The smallest step a call, which makes the 429s of a settled limiter a third of a percent of its calls.
const STEP_MIN: f64 = 7e-5;
/// The smallest step a second. A pause costs a fast limiter more calls than a slow one, so a fast one probes by time.
const STEP_MIN_PER_SECOND: f64 = 1.3e-4;
/// By what the step grows with each success past the rate of the last 429.
const STEP_GROWTH: f64 = 1.1;
/// How far past the rate of the last 429 the limit is taken to have been raised.
const PAST_CEILING: f64 = 1.01;
/// What a 429 takes off the rate at least: more than clocks and rounding hide.
const DROP_MIN: f64 = 0.012;
/// What a 429 takes off the rate at most, and the first one does.
const DROP_MAX: f64 = 0.5;
/// Fewer successes than this between two 429s say that the drop was too small.
const STREAK_SHORT: u32 = 3;
/// Climbing back from a large drop takes at most this many calls.
const CLIMB_CALLS: f64 = 50.0;
/// Added to `retry_after`: its seconds are whole, and calls do not arrive in the order in which they leave.
const PAUSE_MARGIN: Duration = Duration::from_millis(500);
/// The longest pause that is believed. Flood waits are seconds to hours; a longer one is a unit misread on the way.
pub const PAUSE_MAX: Duration = Duration::from_secs(24 * 3600);
/// A next slot further ahead than the longest interval was stored by a clock that was ahead.
const SLOT_AHEAD_MAX: Duration = Duration::from_secs(60);

/// The rate limiter of one bot in one chat.
#[derive(Clone, Debug, PartialEq)]
pub struct Limiter {
    /// Time between two calls, in milliseconds.
    pub interval_ms: f64,
    /// The interval that met the last 429, if one ever did.
    pub ceiling_ms: Option<f64>,
    /// What a success adds to the rate, as a part of it.
    pub step: f64,
    /// What the last 429 took off the rate, as a part of it.
    pub drop: f64,
    /// Successes since the last 429.
    pub streak: u32,
    /// The first slot that is not taken.
    pub next_slot: Timestamp,
    /// Telegram's wait: no call before this.
    pub paused_until: Timestamp,
    /// Whether the bot's calls fail whatever they are about.
    pub circuit: Circuit,
    /// How many calls a second of what was learned are left free for others, who call beside this one.
    pub spared: u32,
}

impl Limiter {
    /// The state of a pair that was never called, at the configured starting interval.
    #[must_use]
    pub fn new(starting_interval: Duration) -> Self {
        let never = Timestamp::from_ms(0);
        Self {
            interval_ms: Self::bounded_interval(starting_interval.as_secs_f64() * 1000.0),
            ceiling_ms: None,
            step: STEP_FIRST,
            drop: DROP_MAX,
            streak: 0,
            next_slot: never,
            paused_until: never,
            circuit: Circuit::default(),
            spared: 0,
        }
    }

    /// The interval within the bounds that are learned, whatever a record says.
    #[must_use]
    pub const fn bounded_interval(interval_ms: f64) -> f64 {
        if interval_ms.is_nan() {
            INTERVAL_MAX_MS
        } else {
            interval_ms.clamp(INTERVAL_MIN_MS, INTERVAL_MAX_MS)
        }
    }

    /// The time between two calls: whole milliseconds, rounded up, since a strict limit would refuse a call that comes a
    /// fraction early.
    #[must_use]
    pub fn interval(&self) -> Duration {
        let mut interval_ms = self.interval_ms;
        if self.spared > 0 {
            // Of a rate that is hardly more than what is spared, half is kept.
            let rate = 1000.0 / interval_ms;
            interval_ms = 1000.0 / (rate - f64::from(self.spared)).max(rate / 2.0);
        }
        Duration::from_secs_f64(interval_ms.ceil() / 1000.0)
    }

    /// When the bot may call next; in the past if it may call now. A slot that lies further ahead than the longest
    /// interval is taken as free.
    #[must_use]
    pub fn free_at(&self, now: Timestamp) -> Timestamp {
        let slot = if self.next_slot > now.plus(SLOT_AHEAD_MAX) {
            now
        } else {
            self.next_slot
        };
        slot.max(self.waits_until(now))
    }

    /// Until when the bot may not call, whatever its interval: Telegram's wait, and an open circuit.
    #[must_use]
    pub fn waits_until(&self, now: Timestamp) -> Timestamp {
        self.paused_until.max(self.circuit.waits_until(now))
    }

    /// Takes the next slot, and answers when it is and whether it follows the one before it about as soon as the
    /// interval allows.
    pub fn take_slot(&mut self, now: Timestamp) -> (Timestamp, Pacing) {
        let slot = self.free_at(now).max(now);
        let pacing = if slot <= self.next_slot.plus(self.interval() / 2) {
            Pacing::Paced
        } else {
            Pacing::Alone
        };
        self.next_slot = slot.plus(self.interval());
        (slot, pacing)
    }

    /// A call sends so many messages more than one: the next slot is that much later, as far as one may lie ahead.
    pub fn take_more(&mut self, messages: u32) {
        let more = (self.interval() * messages).min(SLOT_AHEAD_MAX / 2);
        self.next_slot = self.next_slot.plus(more);
    }

    /// A call leaves at `now`. If it leaves late, the next slot must not be early: a strict limit would refuse it.
    pub fn called(&mut self, now: Timestamp) {
        self.next_slot = self.next_slot.max(now.plus(self.interval()));
    }

    /// A call went well: the circuit is closed, and after a call that followed the one before it at the interval, a
    /// little faster. One that came by itself says nothing of the limit.
    pub fn succeeded(&mut self, pacing: Pacing) {
        self.circuit = Circuit::default();
        self.streak = self.streak.saturating_add(1);
        if pacing == Pacing::Alone {
            return;
        }
        if self
            .ceiling_ms
            .is_some_and(|ceiling| self.interval_ms * PAST_CEILING < ceiling)
        {
            self.step = (self.step * STEP_GROWTH).min(STEP_FIRST);
        }
        self.interval_ms = (self.interval_ms / (1.0 + self.step)).max(INTERVAL_MIN_MS);
    }

    fn smallest_step(&self) -> f64 {
        STEP_MIN.min(STEP_MIN_PER_SECOND * self.interval_ms / 1000.0)
    }

    /// Telegram said 429: no call until `after` is over, and slower from then on. Several answers to one burst slow it
    /// once; so does a storm that goes on although each wait was kept. Answers the wait that this one asked for.
    pub fn rate_limited(&mut self, after: Duration, now: Timestamp) -> Pause {
        if self.paused_until <= now {
            if self.ceiling_ms.is_none() {
                (self.drop, self.step) = (DROP_MAX, STEP_SEARCH);
            } else if self.streak >= STREAK_SHORT {
                // A limit that allows bursts is met only when we are past it for a while: the faster the climb, the
                // further past it (by the root of the step, for a bucket of few calls).
                self.drop = ((2.0 * self.step).sqrt() + DROP_MIN).min(DROP_MAX);
                self.step = self.smallest_step().max(self.step / 4.0);
            } else if self.streak > 0 {
                self.drop = (self.drop * 2.0).clamp(DROP_MIN, DROP_MAX);
                self.step = self.step.max((self.drop / CLIMB_CALLS).min(STEP_SEARCH));
            }
            // Without any success since the last one, a 429 tells of the wait that it asked for, not of the rate.
            if self.ceiling_ms.is_none() || self.streak > 0 {
                self.ceiling_ms = Some(self.interval_ms);
                self.interval_ms = Self::bounded_interval(self.interval_ms / (1.0 - self.drop));
                self.streak = 0;
            }
        }
        let pause = Pause::new(after, now);
        self.paused_until = self.paused_until.max(pause.until);
        pause
    }
}

/// Whether a call followed the one before it as soon as the interval allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pacing {
    /// It did: its success says that the interval is wide enough.
    Paced,
    /// It came by itself, and says nothing of the limit.
    Alone,
}

/// A wait that Telegram asked for, as it is stored: with its length and the time of storing, so that one that was
/// stored by a clock that was ahead can be told, and put right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// No call before this.
    pub until: Timestamp,
    /// How long it was, when it was stored.
    pub length: Duration,
    /// When it was stored.
    pub stored_at: Timestamp,
}

impl Pause {
    /// A wait of `after` from `now` on, and a margin.
    #[must_use]
    pub fn new(after: Duration, now: Timestamp) -> Self {
        let length = after.min(PAUSE_MAX).saturating_add(PAUSE_MARGIN);
        Self {
            until: now.plus(length),
            length,
            stored_at: now,
        }
    }

    /// What to put in its place, if it was stored by a clock that is ahead of ours: the same wait, from now on.
    #[must_use]
    pub fn corrected(&self, now: Timestamp) -> Option<Self> {
        (self.stored_at > now.plus(CLOCK_AHEAD)).then(|| Self {
            until: now.plus(self.length),
            length: self.length,
            stored_at: now,
        })
    }
}

/// How far a stored time may lie ahead of our clock and still be believed: more than clocks of healthy machines differ.
pub const CLOCK_AHEAD: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
