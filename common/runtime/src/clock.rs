//! The one place that reads the wall clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use domain::time::Timestamp;

/// The longest nap while waiting: how soon a turned clock is noticed.
const NAP: Duration = Duration::from_millis(20);

/// The clock of a function: the wall clock, which a test can turn forward, or the time of a simulation.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    Wall { offset_ms: Arc<AtomicI64> },
    Simulated { start: Timestamp, since: Instant },
}

impl Default for Clock {
    fn default() -> Self {
        Self::real()
    }
}

impl Clock {
    /// The real time.
    #[must_use]
    pub fn real() -> Self {
        Self::advanced_by(Arc::default())
    }

    /// Real time plus a number of milliseconds that somebody else turns.
    #[must_use]
    pub const fn advanced_by(offset_ms: Arc<AtomicI64>) -> Self {
        Self(Source::Wall { offset_ms })
    }

    /// The runtime's own time, counted from `start` on: in a runtime whose clock is paused, that of its timers.
    #[must_use]
    pub fn simulated(start: Timestamp) -> Self {
        Self(Source::Simulated {
            start,
            since: Instant::now(),
        })
    }

    /// Now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock's module")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::Wall { offset_ms } => {
                let real = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                let real_ms = i64::try_from(real.as_millis()).unwrap_or(i64::MAX);
                Timestamp::from_ms(real_ms.saturating_add(offset_ms.load(Ordering::Relaxed)))
            }
            Source::Simulated { start, since } => start.plus(since.elapsed()),
        }
    }

    /// What measures how much time has passed: no setting of the machine's clock moves it, only a test's turning.
    #[must_use]
    pub fn monotonic(&self) -> Instant {
        match &self.0 {
            Source::Wall { offset_ms } => {
                let turned = u64::try_from(offset_ms.load(Ordering::Relaxed)).unwrap_or(0);
                Instant::now() + Duration::from_millis(turned)
            }
            Source::Simulated { .. } => Instant::now(),
        }
    }

    /// Waits until the clock shows `at`, however it gets there.
    pub async fn sleep_until(&self, at: Timestamp) {
        loop {
            let left = at.since(self.now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(match &self.0 {
                Source::Wall { .. } => left.min(NAP),
                Source::Simulated { .. } => left,
            })
            .await;
        }
    }
}
