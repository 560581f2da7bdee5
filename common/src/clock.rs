//! The one place that reads the wall clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::domain::time::Timestamp;

/// The longest nap while waiting: how soon a turned clock is noticed.
const NAP: Duration = Duration::from_millis(20);

/// The wall clock, which a test can turn forward.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_ms: Arc<AtomicI64>,
}

impl Clock {
    /// The real time.
    #[must_use]
    pub fn real() -> Self {
        Self::default()
    }

    /// Real time plus a number of milliseconds that somebody else turns.
    #[must_use]
    pub const fn turned_by(offset_ms: Arc<AtomicI64>) -> Self {
        Self { offset_ms }
    }

    /// Now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock's module")]
    pub fn now(&self) -> Timestamp {
        let real = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let real_ms = i64::try_from(real.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_ms(real_ms.saturating_add(self.offset_ms.load(Ordering::Relaxed)))
    }

    /// Waits until the clock shows `at`, however it gets there.
    pub async fn sleep_until(&self, at: Timestamp) {
        loop {
            let left = at.since(self.now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(NAP)).await;
        }
    }
}
