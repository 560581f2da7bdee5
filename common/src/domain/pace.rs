//! The pace at which one bot calls Telegram for one chat: learned from its answers, shared by all workers.
//!
//! Telegram publishes no limit, so each bot and chat has one *line*, kept in one record, which tells two things.
//!
//! **When the next call may be made.** Slots follow one another by the interval. A success narrows the interval by
//! `step`, a 429 widens it by `drop` and pauses the line:
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
//!
//! **Who is next.** A job that finds the line busy draws a ticket. How long it has to wait follows from the tickets
//! served since, at the interval of now. It looks in again on the way, so when the pace recovers, all come sooner.

mod stop;
mod turns;

use std::collections::BTreeMap;
use std::time::Duration;

use super::id::ChatId;
use super::time::Timestamp;
pub use stop::Stop;
pub use turns::{Candidate, Place, Turn, take};

/// The narrowest interval that is learned: 30 calls a second, Telegram's published bound for one bot's messages.
const INTERVAL_MIN_MS: f64 = 34.0;
/// The widest interval that is learned.
const INTERVAL_MAX_MS: f64 = 60_000.0;
/// What a success adds to the rate before any 429 was met: from 4 to 30 calls a second within 70 calls.
const STEP_FIRST: f64 = 0.03;
/// What the first 429 sets the step to: the limit lies within a factor of 2 below, so it is near within 20 calls.
const STEP_SEARCH: f64 = 0.04;
/// The smallest step a call, which makes the 429s of a settled line a third of a percent of its calls.
const STEP_MIN: f64 = 7e-5;
/// The smallest step a second. A pause costs a fast line more calls than a slow one, so a fast line probes by time.
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
/// The longest wait that is believed. Flood waits are seconds to hours; a longer one is a unit misread on the way.
const PAUSE_MAX: Duration = Duration::from_secs(24 * 3600);
/// The first hold of a broken chat; each further one is twice as long.
const HOLD_FIRST: Duration = Duration::from_secs(30);
/// The longest hold: how long a mended chat may go unnoticed.
const HOLD_MAX: Duration = Duration::from_secs(600);
/// A chat whose jobs did not look in for so long has none.
const ABSENT_AFTER: Duration = Duration::from_secs(1000);
/// Nobody took a free slot for so long: the tickets still out are lost.
const IDLE_AFTER: Duration = Duration::from_secs(60);

/// How near two waits must end to end at the same moment: `retry_after` counts whole seconds.
const SAME_MOMENT: Duration = Duration::from_millis(1500);
/// How many shared waits in a row are no chance.
const COINCIDENCES: u32 = 3;
/// How long chats are taken to share a limit before that is learned anew.
const SHARED_FOR: Duration = Duration::from_secs(24 * 3600);

/// The tickets of one chat in a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tickets {
    /// How many were drawn.
    pub drawn: u64,
    /// How many were served.
    pub served: u64,
    /// When a job of the chat last looked in.
    pub seen: Timestamp,
}

impl Tickets {
    const fn none(now: Timestamp) -> Self {
        Self {
            drawn: 0,
            served: 0,
            seen: now,
        }
    }

    /// How many are waiting.
    #[must_use]
    pub const fn out(&self) -> u64 {
        self.drawn.saturating_sub(self.served)
    }
}

/// Calls that went well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Successes {
    /// All of them.
    pub all: u32,
    /// Those that followed the one before them as soon as the interval allows.
    pub paced: u32,
}

/// The line of one bot and chat; or of one bot and all its chats, if they were found to share a limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Pace {
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
    /// No call before this.
    pub paused_until: Timestamp,
    /// How many times in a row the chat was found broken; 0 if it works.
    pub holds: u32,
    /// Until when the last hold of a broken chat lasts or lasted.
    pub held_until: Timestamp,
    /// The last pause by a person.
    pub stop: Option<Stop>,
    /// The chat that this one has become.
    pub migrated_to: Option<ChatId>,
    /// Who waits, by chat.
    pub tickets: BTreeMap<ChatId, Tickets>,
    /// In a bot's line for all its chats: the chat that was last told to wait, and until when.
    pub last_wait: Option<(ChatId, Timestamp)>,
    /// Whether another chat was refused during that wait.
    pub is_wait_shared: bool,
    /// How many waits in a row were shared.
    pub coincidences: u32,
    /// Until when the chats of the bot are taken to share one limit.
    pub shared_until: Timestamp,
}

impl Pace {
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
            holds: 0,
            held_until: never,
            stop: None,
            migrated_to: None,
            tickets: BTreeMap::new(),
            last_wait: None,
            is_wait_shared: false,
            coincidences: 0,
            shared_until: never,
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

    /// Whole milliseconds, rounded up: a slot that comes a fraction early would meet a strict limit.
    fn interval(&self) -> Duration {
        Duration::from_secs_f64(self.interval_ms.ceil() / 1000.0)
    }

    /// The first slot that may be taken.
    fn free(&self, now: Timestamp) -> Timestamp {
        self.next_slot.max(self.paused_until).max(now)
    }

    fn smallest_step(&self) -> f64 {
        STEP_MIN.min(STEP_MIN_PER_SECOND * self.interval_ms / 1000.0)
    }

    /// Calls went well since the state was last stored: the chat is not broken, and after each of those that followed
    /// the one before them at the interval, a little faster. One that came by itself says nothing of the limit.
    pub fn succeeded(&mut self, successes: Successes) {
        if successes.all > 0 {
            self.holds = 0;
        }
        self.streak = self.streak.saturating_add(successes.all);
        for _ in 0..successes.paced.min(1000) {
            if self
                .ceiling_ms
                .is_some_and(|ceiling| self.interval_ms * PAST_CEILING < ceiling)
            {
                self.step = (self.step * STEP_GROWTH).min(STEP_FIRST);
            }
            self.interval_ms = (self.interval_ms / (1.0 + self.step)).max(INTERVAL_MIN_MS);
        }
    }

    /// Whether a call at this slot follows the one before it about as soon as the interval allows.
    fn is_paced(&self, slot: Timestamp) -> bool {
        slot <= self.next_slot.plus(self.interval() / 2)
    }

    /// The interval that waits are told by. Before a limit was met it may still become much narrower, and who comes too
    /// early only looks in once more.
    fn expected_interval_ms(&self) -> f64 {
        match self.ceiling_ms {
            Some(_) => self.interval_ms,
            None => INTERVAL_MIN_MS,
        }
    }

    /// Telegram said 429: nobody calls until `after` is over, and slower from then on. Several answers to one burst
    /// slow it once; so does a storm that goes on although each wait was kept.
    pub fn rate_limited(&mut self, after: Duration, now: Timestamp) {
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
            // Without any success since the last one, a 429 tells of the wait that it asked for, not of the pace.
            if self.ceiling_ms.is_none() || self.streak > 0 {
                self.ceiling_ms = Some(self.interval_ms);
                self.interval_ms = Self::bounded_interval(self.interval_ms / (1.0 - self.drop));
                self.streak = 0;
            }
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
            self.held_until = self.paused_until;
            self.holds = self.holds.saturating_add(1);
        }
    }

    /// Notes, in the line that a bot has for all its chats, that a 429 for `chat` asked to wait until `until`. When
    /// wait after wait another chat is refused too before it is over, they are taken to share one limit, for a day.
    /// Chats with limits of their own rarely wait at the same time, and hardly ever three times in a row.
    pub fn compare_wait(&mut self, chat: ChatId, until: Timestamp, now: Timestamp) {
        let running = self.last_wait.filter(|(_, end)| *end > now);
        match running {
            Some((of, _)) if of == chat => {}
            Some((_, end)) if end.max(until).since(end.min(until)) <= SAME_MOMENT => {
                if !self.is_wait_shared {
                    self.coincidences += 1;
                    self.is_wait_shared = true;
                }
                if self.coincidences >= COINCIDENCES {
                    self.shared_until = now.plus(SHARED_FOR);
                    self.coincidences = 0;
                }
            }
            Some(_) => self.coincidences = 0,
            None => {
                if !self.is_wait_shared {
                    self.coincidences = 0;
                }
                self.is_wait_shared = false;
                self.last_wait = Some((chat, until));
            }
        }
    }

    /// Whether nobody took a free slot for so long that the tickets still out must be lost.
    fn is_idle(&self, now: Timestamp) -> bool {
        let awake = self.next_slot.max(self.paused_until);
        awake.max(self.awake_since()).plus(IDLE_AFTER) < now
    }
}

#[cfg(test)]
mod tests;
