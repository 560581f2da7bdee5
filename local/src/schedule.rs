//! What EventBridge does for a function that runs by the clock: invokes it at every interval, one run after another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use runtime::clock::Clock;
use serde_json::Value;
use tokio::task::JoinSet;
use tracing::error;

/// What runs, and what it answers.
pub type Run = Arc<dyn Fn() -> BoxFuture<'static, Value> + Send + Sync>;

/// A schedule; it ends with the tasks that it was started in.
#[derive(Default)]
pub struct Schedule {
    running: AtomicUsize,
    paused: AtomicBool,
}

impl Schedule {
    /// Runs `run` in `tasks` every `interval` of the clock, first after `first`. What the clock jumps over is left out.
    pub fn start(
        tasks: &mut JoinSet<()>,
        clock: Clock,
        first: Duration,
        interval: Duration,
        run: Run,
    ) -> Arc<Self> {
        let schedule = Arc::<Self>::default();
        let own = Arc::clone(&schedule);
        tasks.spawn(async move {
            let mut wait = first;
            loop {
                clock.sleep_until(clock.now().plus(wait)).await;
                wait = interval;
                if own.paused.load(Ordering::SeqCst) {
                    continue;
                }
                own.running.fetch_add(1, Ordering::SeqCst);
                // A task of its own: a panic ends the run, not the schedule.
                if tokio::spawn(run()).await.is_err() {
                    error!(fault = "killed", "a run by the clock ended in mid-work");
                }
                own.running.fetch_sub(1, Ordering::SeqCst);
            }
        });
        schedule
    }

    /// How many runs there are now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    /// Whether no run begins any more.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::SeqCst)
    }

    /// No run begins from now on.
    pub fn pause(&self) {
        self.paused.store(true, Ordering::SeqCst);
    }
}
