//! The processes of the worker: each invocation has one to itself, and one that dies is replaced by another.

use std::cell::Cell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use common::clock::Clock;
use common::domain::time::Timestamp;
use tokio::time::Instant;

use super::wire::Wire;
use crate::functions::env_of;
use crate::resources::TICK_TIMEOUT;

/// The processes of the worker.
pub struct Workers {
    wire: Wire,
    env: Mutex<HashMap<String, String>>,
    /// The clocks that processes have, one after the other.
    clocks: Vec<Clock>,
    idle: Mutex<Vec<Arc<worker::App>>>,
    started: AtomicUsize,
    spans: Mutex<Vec<Duration>>,
}

tokio::task_local! {
    /// Until when the process of this invocation is frozen.
    static FROZEN_UNTIL: Cell<Option<Instant>>;
}

/// Freezes the process that runs this code, from its next wait on: nothing of it runs, and its timers go off late.
/// Outside of a worker's process nothing happens.
pub(super) async fn freeze(time: Duration) {
    let until = Instant::now() + time;
    if FROZEN_UNTIL
        .try_with(|frozen| frozen.set(Some(until)))
        .is_ok()
    {
        tokio::task::yield_now().await;
    }
}

/// Runs an invocation, but for the time that it is frozen.
async fn freezable<T>(invocation: impl Future<Output = T>) -> T {
    let mut invocation = pin!(invocation);
    let mut thaw = pin!(tokio::time::sleep_until(Instant::now()));
    let run = poll_fn(|context| {
        loop {
            if let Some(until) = FROZEN_UNTIL.with(Cell::take) {
                thaw.as_mut().reset(until);
            }
            // Once it is thawed, polling the timer again is harmless.
            if thaw.deadline() > Instant::now() {
                match thaw.as_mut().poll(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(()) => {}
                }
            }
            match invocation.as_mut().poll(context) {
                Poll::Ready(done) => return Poll::Ready(done),
                Poll::Pending if FROZEN_UNTIL.with(Cell::get).is_none() => return Poll::Pending,
                Poll::Pending => {}
            }
        }
    });
    FROZEN_UNTIL.scope(Cell::new(None), run).await
}

/// A process while it serves. Dropped before its invocation is over, it is dead.
struct Process<'a> {
    of: &'a Workers,
    app: Arc<worker::App>,
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
            Arc::new(worker::App::from_env(&mut env, clock))
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
        let answer = freezable(worker::answer_bells(&process.app, batch, deadline)).await;
        process.done();
        answer
    }

    /// One invocation by the clock.
    pub async fn tick(&self) -> worker::Ticked {
        let process = self.take();
        let deadline = Instant::now() + TICK_TIMEOUT;
        let ticked = freezable(worker::tick(&process.app, deadline)).await;
        process.done();
        ticked
    }
}
