//! The processes of the worker: each invocation has one to itself, and one that dies is replaced by another.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use domain::time::Timestamp;
use runtime::clock::Clock;
use serde_json::Value;
use tokio::time::Instant;

use super::freeze::freezable;
use super::wire::Wire;
use local::env::env_of;
use local::functions::{Started, function};
use local::resources::TICK_TIMEOUT;

/// The processes of the worker.
pub struct Workers {
    wire: Wire,
    env: Mutex<HashMap<String, String>>,
    /// The clocks that processes have, one after the other.
    clocks: Vec<Clock>,
    idle: Mutex<Vec<Started>>,
    started: AtomicUsize,
    spans: Mutex<Vec<Duration>>,
}

/// A process while it serves. Dropped before its invocation is over, it is dead.
struct Process<'a> {
    of: &'a Workers,
    app: Started,
    began: Instant,
}

impl Process<'_> {
    fn done(self) {
        self.of.lock_spans().push(self.began.elapsed());
        let mut idle = self.of.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(self.app);
    }
}

impl Workers {
    pub(super) fn new(
        wire: &Wire,
        env: &HashMap<String, String>,
        start_ms: i64,
        skews_ms: &[i64],
    ) -> Arc<Self> {
        let clock = |skew: &i64| Clock::simulated(Timestamp::from_ms(start_ms + skew));
        Arc::new(Self {
            wire: wire.clone(),
            env: Mutex::new(env.clone()),
            clocks: skews_ms.iter().map(clock).collect(),
            idle: Mutex::default(),
            started: AtomicUsize::new(0),
            spans: Mutex::default(),
        })
    }

    /// All processes end and others start with this variable, as a deployment does it. Invocations under way go on.
    pub fn redeploy(&self, name: &str, value: &str) {
        let mut env = self.env.lock().unwrap_or_else(PoisonError::into_inner);
        env.insert(name.to_owned(), value.to_owned());
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.clear();
    }

    /// How long each invocation ran that came to its end.
    #[must_use]
    pub fn spans(&self) -> Vec<Duration> {
        self.lock_spans().clone()
    }

    fn lock_spans(&self) -> MutexGuard<'_, Vec<Duration>> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Process<'_> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let app = idle.unwrap_or_else(|| {
            let number = self.started.fetch_add(1, Ordering::SeqCst);
            let clock = self.clocks[number % self.clocks.len()].clone();
            let env = self.env.lock().unwrap_or_else(PoisonError::into_inner);
            let mut env = env_of(&env).on(self.wire.transport("worker"));
            (function("worker").start)(&mut env, clock)
        });
        Process {
            of: self,
            app,
            began: Instant::now(),
        }
    }

    /// One invocation by a queue.
    pub async fn answer(&self, batch: SqsEvent, deadline: Instant) -> SqsBatchResponse {
        let process = self.take();
        let answer = freezable(process.app.batch(batch, deadline)).await;
        process.done();
        answer
    }

    /// One invocation by the clock.
    pub async fn tick(&self) -> Value {
        let process = self.take();
        let deadline = Instant::now() + TICK_TIMEOUT;
        let ticked = freezable(process.app.tick(deadline)).await;
        process.done();
        ticked
    }
}
