//! How often and how long after each other something is tried, and when it is given up.

use std::time::Duration;

use super::fault::Fault;

/// The longest wait between two tries.
pub const BACKOFF_CAP: Duration = Duration::from_secs(3600);

/// The smallest base of the waits after refusals that are not understood.
const REFUSAL_BASE: Duration = Duration::from_secs(10);

/// A refusal that is not understood is believed when it comes for the fifth time; other trouble between does not count.
const REFUSALS_MAX: u32 = 5;

/// When and how often a task is tried again.
#[derive(Clone, Copy, Debug)]
pub struct RetryRules {
    /// Real tries at Telegram before a request is FAILED.
    pub max_attempts: u32,
    /// The base of the exponential backoff.
    pub base_backoff: Duration,
}

/// The tries that a request has behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tries {
    /// Real tries at Telegram.
    pub attempts: u32,
    /// How many of them ended in a refusal that may be final.
    pub refusals: u32,
}

/// What follows when something failed for its own sake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// It waits that long before the next try.
    Wait(Duration),
    /// It is given up: a person must act.
    GiveUp,
}

impl Tries {
    /// One more, which failed by `fault`.
    #[must_use]
    pub const fn and(self, fault: Fault) -> Self {
        Self {
            attempts: self.attempts.saturating_add(1),
            refusals: if fault.is_refusal() {
                self.refusals.saturating_add(1)
            } else {
                self.refusals
            },
        }
    }
}

impl RetryRules {
    /// What follows when a try for a request fails by `fault`, which `earlier` others came before. `jitter` is drawn from
    /// [0, 1).
    #[must_use]
    pub fn of_request(&self, earlier: Tries, fault: Fault, jitter: f64) -> AfterFailure {
        let tries = earlier.and(fault);
        let is_spent = tries.attempts >= self.max_attempts;
        let (is_last, earlier) = match fault {
            // What every buyer of a chat may meet alike is no one buyer's before it came often.
            Fault::Permanent | Fault::Refused | Fault::Migrated(_) => {
                (is_spent || tries.refusals >= REFUSALS_MAX, earlier.refusals)
            }
            Fault::Retry | Fault::Unknown => (is_spent, earlier.attempts),
            Fault::RateLimited { .. } | Fault::ChatFault => (false, earlier.attempts),
        };
        if is_last {
            AfterFailure::GiveUp
        } else {
            AfterFailure::Wait(self.wait(fault, earlier, jitter))
        }
    }

    /// What follows when the revocation of a link fails by `fault`, which `earlier` tries came before.
    #[must_use]
    pub fn of_revocation(&self, earlier: u32, fault: Fault, jitter: f64) -> AfterFailure {
        if earlier.saturating_add(1) >= self.max_attempts {
            AfterFailure::GiveUp
        } else {
            AfterFailure::Wait(self.wait(fault, earlier, jitter))
        }
    }

    /// How long something waits that failed by `fault`, which `earlier` failures came before.
    #[must_use]
    pub fn wait(&self, fault: Fault, earlier: u32, jitter: f64) -> Duration {
        if fault.is_refusal() {
            refusal_backoff(self.base_backoff, earlier, jitter)
        } else {
            backoff(self.base_backoff, earlier, jitter)
        }
    }
}

/// The wait after the try that `earlier_tries` others came before: full jitter over `base * 2^earlier_tries`, at most
/// an hour, at least a second (the queue counts in seconds). `jitter` is drawn from [0, 1).
#[must_use]
pub fn backoff(base: Duration, earlier_tries: u32, jitter: f64) -> Duration {
    let ceiling = base
        .saturating_mul(1_u32.checked_shl(earlier_tries).unwrap_or(u32::MAX))
        .min(BACKOFF_CAP);
    ceiling
        .mul_f64(jitter.clamp(0.0, 1.0))
        .max(Duration::from_secs(1))
}

/// The wait after a refusal that is not understood, which `earlier` others came before: at least half of
/// `max(base, 10 s) * 2^earlier`, so that five of them are spread over more than a minute.
fn refusal_backoff(base: Duration, earlier: u32, jitter: f64) -> Duration {
    let base = base.max(REFUSAL_BASE);
    let ceiling = base
        .saturating_mul(1_u32.checked_shl(earlier).unwrap_or(u32::MAX))
        .min(BACKOFF_CAP);
    ceiling.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backoff_doubles_up_to_an_hour() {
        let base = Duration::from_secs(5);
        let ceilings: Vec<u64> = (0..12)
            .map(|tries| backoff(base, tries, 1.0).as_secs())
            .collect();
        assert_eq!(
            ceilings,
            [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]
        );
        assert_eq!(backoff(base, u32::MAX, 1.0), BACKOFF_CAP);
        assert_eq!(backoff(base, 3, 0.5).as_secs(), 20);
        assert_eq!(backoff(base, 3, 0.0).as_secs(), 1);
    }

    #[test]
    fn five_refusals_take_more_than_a_minute() {
        let base = Duration::from_secs(1);
        let least: Duration = (0..4)
            .map(|earlier| refusal_backoff(base, earlier, 0.0))
            .sum();
        assert!(least > Duration::from_secs(60), "{least:?}");
        assert_eq!(refusal_backoff(base, 60, 1.0), BACKOFF_CAP);
    }

    const RULES: RetryRules = RetryRules {
        max_attempts: 50,
        base_backoff: Duration::from_secs(5),
    };

    fn gives_up(attempts: u32, refusals: u32, fault: Fault) -> bool {
        let tries = Tries { attempts, refusals };
        RULES.of_request(tries, fault, 0.5) == AfterFailure::GiveUp
    }

    #[test]
    fn a_request_is_given_up_by_the_fifth_refusal_or_when_its_tries_are_spent() {
        assert!(!gives_up(0, 0, Fault::Permanent));
        assert!(gives_up(4, 4, Fault::Permanent));
        assert!(!gives_up(4, 3, Fault::Refused));
        assert!(gives_up(4, 4, Fault::Refused));
        assert!(!gives_up(9, 0, Fault::Refused));
        assert!(gives_up(49, 0, Fault::Refused));
        assert!(!gives_up(48, 0, Fault::Unknown));
        assert!(!gives_up(48, 4, Fault::Unknown));
        assert!(gives_up(49, 0, Fault::Retry));
        let limited = Fault::RateLimited {
            after: Duration::ZERO,
        };
        assert!(!gives_up(99, 99, limited));
        assert!(!gives_up(99, 99, Fault::ChatFault));
    }

    #[test]
    fn a_request_waits_by_the_tries_or_by_the_refusals_alone() {
        let tries = Tries {
            attempts: 7,
            refusals: 1,
        };
        let wait = |fault| RULES.of_request(tries, fault, 1.0);
        let by_tries = AfterFailure::Wait(Duration::from_secs(640));
        assert_eq!(wait(Fault::Unknown), by_tries);
        let by_refusals = AfterFailure::Wait(Duration::from_secs(20));
        assert_eq!(wait(Fault::Refused), by_refusals);
        let (attempts, refusals) = (8, 1);
        assert_eq!(tries.and(Fault::Unknown), Tries { attempts, refusals });
        let (attempts, refusals) = (8, 2);
        assert_eq!(tries.and(Fault::Permanent), Tries { attempts, refusals });
    }

    #[test]
    fn a_revocation_is_given_up_when_its_tries_are_spent_whatever_they_failed_by() {
        for fault in [Fault::Retry, Fault::Refused] {
            let after = |earlier| RULES.of_revocation(earlier, fault, 0.5);
            assert_eq!(after(49), AfterFailure::GiveUp);
            assert!(matches!(after(48), AfterFailure::Wait(_)));
        }
    }
}
