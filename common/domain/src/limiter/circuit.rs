//! The circuit breaker of one bot in one chat: while its calls fail whatever they are about, it makes one now and then.
//!
//! ```text
//! closed --(three different tasks in a row fail alike, or the chat is broken)--> open --(its time is over)--> one probe
//!   ^                                                                              ^--------(it fails)----------+
//!   +--------------------------------------(it goes well)------------------------------------------------------+
//! ```
//!
//! A failure that opens the circuit, or that a probe meets, is not the task's own: no try is counted, so an outage or a
//! broken chat gives up no request.

use std::time::Duration;

use super::super::fault::Fault;
use super::super::time::Timestamp;
use super::CLOCK_AHEAD;

/// How many different tasks in a row must fail alike.
const TASKS: usize = 3;
/// How long the circuit of trouble is open first; each time again twice as long.
const TROUBLE_FIRST: Duration = Duration::from_secs(5);
/// The longest.
const TROUBLE_MAX: Duration = Duration::from_secs(60);
/// The same of a broken chat, which a person must fix.
const CHAT_FIRST: Duration = Duration::from_secs(30);
/// The longest: how long a fixed chat may go unnoticed.
const CHAT_MAX: Duration = Duration::from_secs(600);
/// How much later than the probe of an open circuit the task is due that opened it: another one probes.
const AFTER_PROBE: Duration = Duration::from_secs(1);

/// What a call failed by, as far as other tasks may meet the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No answer, or none of use: Telegram or the way there is broken.
    Failure,
    /// Telegram refuses with these words, which are not understood.
    Refused(String),
}

impl Cause {
    /// The cause that `fault` is, of a failure that is known by `kind`: by its structure, not by its words.
    #[must_use]
    pub fn of(fault: Fault, kind: String) -> Self {
        match fault {
            Fault::Retry | Fault::Unknown | Fault::RateLimited { .. } => Self::Failure,
            Fault::ChatFault | Fault::Permanent | Fault::Refused | Fault::Migrated(_) => {
                Self::Refused(kind)
            }
        }
    }
}

/// Whose failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charged {
    /// As far as can be told, the task's own.
    Own,
    /// The bot's in this chat: the circuit is open.
    Opened,
}

/// The circuit breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circuit {
    /// How many times in a row it was opened; 0 if it is closed.
    pub opened: u32,
    /// No call before this.
    pub open_until: Timestamp,
    /// How long that was, when it was stored.
    pub open_for: Duration,
    /// What the last calls failed by, while nothing went well.
    pub cause: Option<Cause>,
    /// The different tasks that failed by it.
    pub tasks: Vec<String>,
}

impl Default for Circuit {
    fn default() -> Self {
        Self {
            opened: 0,
            open_until: Timestamp::from_ms(0),
            open_for: Duration::ZERO,
            cause: None,
            tasks: Vec::new(),
        }
    }
}

impl Circuit {
    /// Whether it is open, or waits for its probe: then one call at a time is made.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.opened > 0
    }

    /// Until when no call is made. A time that lies further ahead than its length was stored by a clock that was ahead.
    #[must_use]
    pub fn waits_until(&self, now: Timestamp) -> Timestamp {
        let latest = now.plus(self.open_for).plus(CLOCK_AHEAD);
        match self.open_until > latest {
            true => Timestamp::from_ms(0),
            false => self.open_until,
        }
    }

    /// When the task is due that opened it.
    #[must_use]
    pub fn due_after_probe(&self) -> Timestamp {
        self.open_until.plus(AFTER_PROBE)
    }

    /// A call of `task` failed by `cause`. Of calls that were under way together, the first counts.
    pub fn failed(&mut self, task: &str, cause: Cause, now: Timestamp) -> Charged {
        if self.is_open() {
            self.open(TROUBLE_FIRST, TROUBLE_MAX, now);
            return Charged::Opened;
        }
        if self.cause.as_ref() != Some(&cause) {
            self.cause = Some(cause);
            self.tasks.clear();
        }
        if !self.tasks.iter().any(|known| known == task) {
            self.tasks.push(task.to_owned());
        }
        if self.tasks.len() < TASKS {
            return Charged::Own;
        }
        self.open(TROUBLE_FIRST, TROUBLE_MAX, now);
        Charged::Opened
    }

    /// The bot can't work in the chat: that is nobody's own failure.
    pub fn chat_fault(&mut self, now: Timestamp) {
        self.open(CHAT_FIRST, CHAT_MAX, now);
    }

    fn open(&mut self, first: Duration, most: Duration, now: Timestamp) {
        if self.waits_until(now) > now {
            return;
        }
        let doubled = first.saturating_mul(1_u32.checked_shl(self.opened).unwrap_or(u32::MAX));
        self.open_for = doubled.min(most);
        self.open_until = now.plus(self.open_for);
        self.opened = self.opened.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_763_640_000_000);

    fn refused(text: &str) -> Cause {
        Cause::Refused(text.to_owned())
    }

    #[test]
    fn three_different_tasks_in_a_row_open_it_and_one_alone_never_does() {
        let mut circuit = Circuit::default();
        for _ in 0..10 {
            assert_eq!(circuit.failed("a", refused("X"), NOW), Charged::Own);
        }
        assert_eq!(circuit.failed("b", refused("X"), NOW), Charged::Own);
        assert_eq!(circuit.failed("c", refused("Y"), NOW), Charged::Own);
        assert_eq!(circuit.failed("a", refused("Y"), NOW), Charged::Own);
        assert_eq!(circuit.failed("b", refused("Y"), NOW), Charged::Opened);
        assert!(circuit.is_open());
    }

    #[test]
    fn it_opens_for_twice_as_long_each_time_and_calls_under_way_count_once() {
        let (mut circuit, mut now, mut waits) = (Circuit::default(), NOW, Vec::new());
        for task in ["a", "b", "c", "d", "e"] {
            circuit.failed(task, Cause::Failure, now);
        }
        for _ in 0..6 {
            waits.push(circuit.open_until.since(now).as_secs());
            now = circuit.open_until;
            assert_eq!(circuit.failed("a", Cause::Failure, now), Charged::Opened);
        }
        assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
    }

    #[test]
    fn a_broken_chat_is_probed_ever_more_slowly_but_at_least_every_ten_minutes() {
        let (mut circuit, mut now, mut waits) = (Circuit::default(), NOW, Vec::new());
        for _ in 0..7 {
            circuit.chat_fault(now);
            circuit.chat_fault(now);
            waits.push(circuit.open_until.since(now).as_secs());
            now = circuit.open_until;
        }
        assert_eq!(waits, [30, 60, 120, 240, 480, 600, 600]);
    }
}
