//! The clock of the simulated world: real time plus an offset that tests turn forward.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Real time plus a shared offset in milliseconds. Clones share the offset, and so does whoever was given
/// [`Clock::offset_ms`], so one turn moves the product and its world together.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_ms: Arc<AtomicI64>,
}

impl Clock {
    /// A clock at real time, not turned yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
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
        let real = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(real.as_millis()).unwrap_or(i64::MAX) + self.offset_ms.load(Ordering::SeqCst)
    }

    /// Turns the clock forward. What waits for an instant that has now passed wakes within 20 ms.
    pub fn turn(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.offset_ms.fetch_add(by, Ordering::SeqCst);
    }

    /// Waits until the clock shows `at_ms` (milliseconds since the Unix epoch), however it gets there.
    pub async fn sleep_until(&self, at_ms: i64) {
        loop {
            let left = at_ms - self.now_ms();
            if left <= 0 {
                return;
            }
            let slice = u64::try_from(left.min(20)).unwrap_or(20);
            tokio::time::sleep(Duration::from_millis(slice)).await;
        }
    }
}
