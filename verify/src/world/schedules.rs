//! What runs by the clock in a world.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use local::functions::Started;
use local::resources::{MINUTE, SWEEP_TIMEOUT};
use tokio::time::Instant;

use crate::wire::Wire;
use crate::workers::Workers;

/// What runs by the clock.
#[derive(Default)]
pub(super) struct Schedules {
    pub(super) running: AtomicUsize,
    pub(super) paused: AtomicBool,
}

/// A run by the clock; dropped, it is over, however it ended.
struct Running(Arc<Schedules>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Schedules {
    fn begin(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::SeqCst);
        Running(Arc::clone(self))
    }
}

/// Runs the tick and the sweeper every minute, each run beside those that still go on.
pub(super) async fn run_every_minute(
    schedules: Arc<Schedules>,
    wire: Wire,
    workers: Arc<Workers>,
    sweeper: Started,
    is_due: impl Fn() -> BoxFuture<'static, bool> + Send,
) {
    let mut at = Instant::now();
    loop {
        at += MINUTE;
        tokio::time::sleep_until(at).await;
        if schedules.paused.load(Ordering::SeqCst) || !is_due().await {
            continue;
        }
        let (running, workers) = (schedules.begin(), Arc::clone(&workers));
        let tick = tokio::spawn(async move {
            let _running = running;
            workers.tick().await;
        });
        wire.watch(tick.abort_handle());
        let (running, sweeper) = (schedules.begin(), sweeper.clone());
        let sweep = tokio::spawn(async move {
            let _running = running;
            sweeper.tick(Instant::now() + SWEEP_TIMEOUT).await;
        });
        wire.watch(sweep.abort_handle());
    }
}

/// Whether a run by the clock would find anything: a task, a pending event, a pool. Without, it reads and does nothing, and
/// a world that idles for days is spared that.
#[expect(clippy::disallowed_methods, reason = "a test looks at everything")]
pub(super) async fn is_due(tables: aws_sdk_dynamodb::Client, always: bool) -> bool {
    let tasks = tables.scan().table_name("ChatTasks").limit(1).send().await;
    let pending = tables
        .scan()
        .table_name("InviteRequests")
        .index_name("Pending");
    let pending = pending.limit(1).send().await;
    always
        || tasks.map_or(true, |page| page.count > 0)
        || pending.map_or(true, |page| page.count > 0)
}
