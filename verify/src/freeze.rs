//! A process that stands still for a while, as Lambda's sandbox does between two invocations.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

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
pub(super) async fn freezable<T>(invocation: impl Future<Output = T>) -> T {
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
