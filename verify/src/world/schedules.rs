//! What runs by the clock in a world.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use domain::time::Timestamp;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use local::functions::Started;
use local::resources::{
    HOOKS_TICK_TIMEOUT, MESSAGES_TICK_TIMEOUT, MINUTE, REPLAY_TIMEOUT, SWEEP_TIMEOUT,
};
use tokio::time::Instant;

use super::bot::{Feed, have_messages, is_feed_read, parked_updates};
use super::providers::is_payment_due;
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

/// Whether a run by the clock would find anything.
type IsDue = Box<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

/// A function that runs by the clock, and how long it may.
pub(super) struct Scheduled {
    function: Started,
    timeout: Duration,
    is_due: IsDue,
}

/// What serves the bot by the clock, each while there is something to do.
pub(super) fn of_bot(
    functions: &BTreeMap<&'static str, Started>,
    tables: &aws_sdk_dynamodb::Client,
) -> Vec<Scheduled> {
    let scheduled =
        |name, timeout, is_due: fn(aws_sdk_dynamodb::Client) -> BoxFuture<'static, bool>| {
            let (function, tables): (&Started, _) = (&functions[name], tables.clone());
            Scheduled {
                function: function.clone(),
                timeout,
                is_due: Box::new(move || is_due(tables.clone())),
            }
        };
    vec![
        scheduled("messenger", MESSAGES_TICK_TIMEOUT, |tables| {
            async move { have_messages(&tables).await.unwrap_or(true) }.boxed()
        }),
        scheduled("hooks", HOOKS_TICK_TIMEOUT, |tables| {
            let read = async move { is_feed_read(&tables, Feed::Sent).await };
            async move { !read.await.unwrap_or(false) }.boxed()
        }),
        scheduled("webhook", REPLAY_TIMEOUT, |tables| {
            let parked = async move { parked_updates(&tables, "REPLAY").await };
            async move { parked.await.is_ok_and(|parked| !parked.is_empty()) }.boxed()
        }),
    ]
}

/// Runs the tick and the sweeper every minute, and the `others`, each run beside those that still go on.
pub(super) async fn run_every_minute(
    schedules: Arc<Schedules>,
    wire: Wire,
    (workers, sweeper, is_due): (
        Arc<Workers>,
        Started,
        impl Fn() -> BoxFuture<'static, bool> + Send,
    ),
    others: Vec<Scheduled>,
) {
    let mut at = Instant::now();
    loop {
        at += MINUTE;
        tokio::time::sleep_until(at).await;
        if schedules.paused.load(Ordering::SeqCst) {
            continue;
        }
        for other in &others {
            if (other.is_due)().await {
                let (running, function) = (schedules.begin(), other.function.clone());
                let deadline = Instant::now() + other.timeout;
                let run = tokio::spawn(async move {
                    let _running = running;
                    function.tick(deadline).await;
                });
                wire.watch(run.abort_handle());
            }
        }
        if !is_due().await {
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

/// Whether a run by the clock would find anything: a task, a pending event, a pool, a payment. Without, it reads and does nothing, and
/// a world that idles for days is spared that.
#[expect(clippy::disallowed_methods, reason = "a test looks at everything")]
pub(super) async fn is_due(tables: aws_sdk_dynamodb::Client, always: bool, now: Timestamp) -> bool {
    let tasks = tables.scan().table_name("ChatTasks").limit(1).send().await;
    let pending = tables
        .scan()
        .table_name("InviteRequests")
        .index_name("Pending");
    let pending = pending.limit(1).send().await;
    always
        || tasks.map_or(true, |page| page.count > 0)
        || pending.map_or(true, |page| page.count > 0)
        || is_payment_due(&tables, now).await.unwrap_or(true)
}
