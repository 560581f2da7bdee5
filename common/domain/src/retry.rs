//! How long to wait before the next try.

use std::time::Duration;

/// The longest wait between two tries.
pub const BACKOFF_CAP: Duration = Duration::from_secs(3600);

/// The smallest base of the waits after refusals that are not understood.
const REFUSAL_BASE: Duration = Duration::from_secs(10);

/// When and how often a task is tried again.
#[derive(Clone, Copy, Debug)]
pub struct RetryRules {
    /// Real tries at Telegram before a request is FAILED.
    pub max_attempts: u32,
    /// The base of the exponential backoff.
    pub base_backoff: Duration,
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
#[must_use]
pub fn refusal_backoff(base: Duration, earlier: u32, jitter: f64) -> Duration {
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
}
