//! The clock of the simulated world: real time, or the time of the tokio runtime, plus an offset that tests turn forward.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use tokio::time::Instant;

/// The longest nap while waiting by the real clock: how soon a turned offset is noticed.
const NAP: Duration = Duration::from_millis(20);

/// Time plus a shared offset in milliseconds. Clones share the offset, and so does whoever was given
/// [`Clock::offset_ms`], so one turn moves the product and its world together.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_ms: Arc<AtomicI64>,
    time: Time,
}

/// What passes by itself.
#[derive(Clone, Debug, Default)]
enum Time {
    #[default]
    Real,
    Simulated {
        start_ms: i64,
        since: Instant,
        turned: Arc<Notify>,
    },
}

impl Clock {
    /// A clock at real time, not turned yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A clock that shows `start_ms` (milliseconds since the Unix epoch) now and then follows the clock of the tokio
    /// runtime: `start_ms` plus the milliseconds by [`tokio::time::Instant`] since this call, plus the offset. Where the
    /// runtime's clock is paused, it stands still while anything can run and jumps when all wait for an instant, so hours
    /// take no time. To be made and read inside the runtime.
    #[must_use]
    pub fn simulated(start_ms: i64) -> Self {
        Self {
            offset_ms: Arc::default(),
            time: Time::Simulated {
                start_ms,
                since: Instant::now(),
                turned: Arc::default(),
            },
        }
    }

    /// The offset itself, for a clock of another crate to read.
    #[must_use]
    pub fn offset_ms(&self) -> Arc<AtomicI64> {
        Arc::clone(&self.offset_ms)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock's module")]
    pub fn now_ms(&self) -> i64 {
        let (from_ms, passed) = match &self.time {
            Time::Real => (
                0,
                SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default(),
            ),
            Time::Simulated {
                start_ms, since, ..
            } => (*start_ms, Instant::now().saturating_duration_since(*since)),
        };
        let passed_ms = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
        from_ms
            .saturating_add(passed_ms)
            .saturating_add(self.offset_ms.load(Ordering::SeqCst))
    }

    /// Turns the clock forward. What waits for an instant that has now passed wakes within 20 ms, and at once by a
    /// simulated clock.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.offset_ms.fetch_add(by, Ordering::SeqCst);
        if let Time::Simulated { turned, .. } = &self.time {
            turned.notify_waiters();
        }
    }

    /// Waits until the clock shows `at_ms` (milliseconds since the Unix epoch), however it gets there.
    pub async fn sleep_until(&self, at_ms: i64) {
        match &self.time {
            Time::Real => {
                while let Some(left) = self.left(at_ms) {
                    tokio::time::sleep(left.min(NAP)).await;
                }
            }
            Time::Simulated { turned, .. } => loop {
                // Listening starts before looking, so that no turn in between is missed.
                let turn = turned.notified();
                let Some(left) = self.left(at_ms) else { return };
                tokio::select! {
                    biased;
                    () = turn => {}
                    () = tokio::time::sleep(left) => {}
                }
            },
        }
    }

    fn left(&self, at_ms: i64) -> Option<Duration> {
        let left = u64::try_from(at_ms.saturating_sub(self.now_ms())).ok()?;
        (left > 0).then(|| Duration::from_millis(left))
    }
}
