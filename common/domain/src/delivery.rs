//! When an event is delivered again, and when its message is a dead letter.
//!
//! A wait never fails a message: the dead letters are for what WebEngage refuses for good or does not take for 13 days.

use std::time::Duration;

use super::retry::backoff;
use super::time::Timestamp;

/// How often SQS shows a message before it is a dead letter: the queue's `maxReceiveCount`.
pub const MAX_RECEIVE_COUNT: u32 = 5;
/// When SQS shows a message again that failed: the queue's visibility time-out.
pub const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(180);
/// How long an event is tried that WebEngage fails to take: from then on it is a dead letter, which a person sees. A rate
/// limit ends no event, however old it is: a redrive of many brings one about.
const GIVE_UP_AFTER: Duration = Duration::from_secs(13 * 24 * 3600);

/// What is to be done about a failed delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryFault {
    /// WebEngage wants fewer calls: deliver it again later, not before the time that was asked for, if any.
    RateLimited(Option<Duration>),
    /// Deliver it again later; not before the time that was asked for, if any.
    Again(Option<Duration>),
    /// Delivering it again does not help until a person acts.
    Person,
}

/// What a message tells of the tries to deliver it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// How many ended in a wait.
    pub attempt: u32,
    /// How many times SQS has shown the message, this time included.
    pub receives: u32,
    /// It is not to be delivered before this.
    pub not_before: Option<Timestamp>,
    /// When its event was sent first, if the message tells.
    pub first_sent: Option<Timestamp>,
}

/// The next try of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextTry {
    /// Not before this.
    pub at: Timestamp,
    /// How many tries will have ended in a wait by then.
    pub attempt: u32,
}

/// What becomes of a message whose event was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterDelivery {
    /// Another message takes its place.
    Again(NextTry),
    /// It fails, and SQS shows it again at this time.
    ShownAgain(Timestamp),
    /// It fails for the last time, and is a dead letter.
    Dead,
}

impl Tried {
    /// The try that an event waits for which is not due at `now`.
    #[must_use]
    pub fn not_due(&self, now: Timestamp) -> Option<NextTry> {
        let at = self.not_before.filter(|at| *at > now)?;
        let attempt = self.attempt;
        Some(NextTry { at, attempt })
    }

    /// What follows when a delivery fails by `fault` at `now`. `jitter` is drawn from [0, 1).
    #[must_use]
    pub fn after(
        &self,
        fault: DeliveryFault,
        base: Duration,
        jitter: f64,
        now: Timestamp,
    ) -> AfterDelivery {
        let is_old = self
            .first_sent
            .is_some_and(|sent| now.since(sent) > GIVE_UP_AFTER);
        match fault {
            DeliveryFault::Again(after) if !is_old => self.wait(after, base, jitter, now),
            DeliveryFault::RateLimited(after) => self.wait(after, base, jitter, now),
            DeliveryFault::Again(_) | DeliveryFault::Person => {
                if self.receives >= MAX_RECEIVE_COUNT {
                    AfterDelivery::Dead
                } else {
                    AfterDelivery::ShownAgain(now.plus(VISIBILITY_TIMEOUT))
                }
            }
        }
    }

    fn wait(
        &self,
        after: Option<Duration>,
        base: Duration,
        jitter: f64,
        now: Timestamp,
    ) -> AfterDelivery {
        let wait = backoff(base, self.attempt, jitter).max(after.unwrap_or_default());
        AfterDelivery::Again(NextTry {
            at: now.plus(wait),
            attempt: self.attempt.saturating_add(1),
        })
    }

    /// The next try after a table failed: it is waited for in the queue, since a table that is away must not make dead
    /// letters.
    #[must_use]
    pub fn after_our_fault(&self, base: Duration, jitter: f64, now: Timestamp) -> NextTry {
        let attempt = self.attempt.saturating_add(1);
        NextTry {
            at: now.plus(backoff(base, attempt, jitter)),
            attempt,
        }
    }

    /// What the message tells that is sent at `now` for the next try.
    #[must_use]
    pub fn and(&self, next: NextTry, now: Timestamp) -> Self {
        Self {
            attempt: next.attempt,
            receives: 0,
            not_before: Some(next.at),
            first_sent: Some(self.first_sent.unwrap_or(now)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_763_640_000_000);
    const BASE: Duration = Duration::from_secs(5);

    fn again(seconds: u64, attempt: u32) -> AfterDelivery {
        let at = NOW.plus(Duration::from_secs(seconds));
        AfterDelivery::Again(NextTry { at, attempt })
    }

    fn of_age(days: u64) -> Tried {
        let age = Duration::from_secs(days * 24 * 3600 + 1);
        Tried {
            receives: 1,
            first_sent: Some(NOW.minus(age)),
            ..Tried::default()
        }
    }

    #[test]
    fn an_event_waits_by_its_tries_or_for_what_was_asked_if_that_is_longer() {
        let tried = Tried {
            attempt: 3,
            ..of_age(0)
        };
        let after = |fault| tried.after(fault, BASE, 1.0, NOW);
        assert_eq!(after(DeliveryFault::Again(None)), again(40, 4));
        let asked = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(after(DeliveryFault::RateLimited(asked(7))), again(40, 4));
        assert_eq!(after(DeliveryFault::Again(asked(90))), again(90, 4));
        let next = tried.after_our_fault(BASE, 1.0, NOW);
        assert_eq!(AfterDelivery::Again(next), again(80, 4));
    }

    #[test]
    fn what_is_not_taken_for_thirteen_days_fails_and_a_rate_limit_ends_no_event() {
        let after = |tried: Tried, fault| tried.after(fault, BASE, 1.0, NOW);
        let shown = AfterDelivery::ShownAgain(NOW.plus(VISIBILITY_TIMEOUT));
        assert_eq!(after(of_age(12), DeliveryFault::Again(None)), again(5, 1));
        assert_eq!(after(of_age(13), DeliveryFault::Again(None)), shown);
        assert_eq!(
            after(of_age(13), DeliveryFault::RateLimited(None)),
            again(5, 1)
        );
        let untried = Tried::default();
        assert_eq!(after(untried, DeliveryFault::Again(None)), again(5, 1));
    }

    #[test]
    fn what_a_person_must_see_is_a_dead_letter_at_the_fifth_receive() {
        for (receives, is_dead) in [(1, false), (4, false), (5, true), (6, true)] {
            let tried = Tried {
                receives,
                ..of_age(0)
            };
            let after = tried.after(DeliveryFault::Person, BASE, 1.0, NOW);
            assert_eq!(after == AfterDelivery::Dead, is_dead, "{receives}");
        }
    }

    #[test]
    fn a_wait_that_sqs_cut_short_goes_on_as_the_same_try() {
        let later = NOW.plus(BASE);
        let tried = Tried {
            attempt: 2,
            not_before: Some(later),
            ..of_age(1)
        };
        let next = tried.not_due(NOW).unwrap();
        assert_eq!((next.at, next.attempt), (later, 2));
        assert_eq!(tried.not_due(later), None);
        let merged = tried.and(next, NOW);
        assert_eq!(merged.first_sent, tried.first_sent);
        assert_eq!(Tried::default().and(next, NOW).first_sent, Some(NOW));
    }
}
