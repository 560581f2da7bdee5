//! Once a minute: sends the events again that stayed pending for too long, since their message was lost; and rings `settlement`
//! if payment events or orders are due, whose bell was lost or that wait for a time.
//!
//! ```text
//! query the index of pending events, the longest waiting first
//! move the request on, so that no other sweeper sends it too   die here: it is due again in an hour
//! send a message that names the request                        die here: as above
//! ```
//!
//! It also closes the days of the books, see `books`.
//!
//! What waits in the queue, or lies in the dead letters, is never sent once more: `events` moves the request on whenever a
//! delivery fails, and takes it out when its last message died.

mod books;

use std::time::Duration;

use domain::event::{EventMessage, PendingEvents};
use domain::id::{ORDER_SHARDS, PendingShard, RequestId};
use domain::time::Timestamp;
use futures_util::future::{join, join_all};
use runtime::aws;
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::telemetry::chain;
use serde::Serialize;
use store::queue::{PaymentBell, Queue, QueueError};
use store::{Books, Invites, Orders, PaymentEvents, StoreError};
use tokio::time::Instant;
use tracing::{error, info, warn};

/// How many requests of one part are seen to in one run. What is seen to moves behind those that wait longer.
const OF_SHARD_MAX: i32 = 100;
/// How many parts are seen to side by side.
const TOGETHER: usize = 4;
/// How long before its deadline a run begins nothing more.
const RESERVE: Duration = Duration::from_secs(15);

/// What the handler needs.
pub struct App {
    invites: Invites,
    events: Queue<EventMessage>,
    orders: Orders,
    payment_events: PaymentEvents,
    payments: Queue<PaymentBell>,
    books: Books,
    clock: Clock,
}

impl App {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, clock: Clock) -> Self {
        let aws = aws::Shared::from_env(env);
        Self {
            invites: Invites::from_env(aws.dynamodb(), env),
            events: Queue::from_env(aws.sqs(), env),
            orders: Orders::from_env(aws.dynamodb(), env),
            payment_events: PaymentEvents::from_env(aws.dynamodb(), env),
            payments: Queue::of_payments(aws.sqs(), env),
            books: Books::from_env(aws.dynamodb(), env),
            clock,
        }
    }
}

/// What one run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// Requests whose pending events were sent again.
    pub events: u64,
    /// Whether `settlement` was rung, since payment events or orders were due.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_settlement_rung: bool,
    /// Days of the books that were closed.
    #[serde(skip_serializing_if = "is_none")]
    pub closed_days: u64,
    /// Parts of the run that failed; the next one tries again.
    pub failed: u64,
}

const fn is_none(count: &u64) -> bool {
    *count == 0
}

/// Our own fault: the next run tries again.
#[derive(Debug, thiserror::Error)]
enum SweepError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Sends what stayed. What it did is durable; what it could not do is logged and left to the next run. It begins nothing
/// more shortly before `deadline`.
pub async fn handle(app: &App, deadline: Instant) -> Done {
    let mut done = Done::default();
    let mut shards: Vec<PendingShard> = PendingShard::all().collect();
    // Whichever comes last may be left out.
    fastrand::shuffle(&mut shards);
    for some in shards.chunks(TOGETHER) {
        let swept = some.iter().map(|shard| sweep(app, *shard, deadline));
        for (events, failure) in join_all(swept).await {
            done.events += events;
            if let Err(fault) = failure {
                error!(
                    fault = "unavailable",
                    "a part of the pending events can't be seen to: {}",
                    chain(&fault)
                );
                done.failed += 1;
            }
        }
    }
    match ring_for_payments(app).await {
        Ok(is_rung) => done.is_settlement_rung = is_rung,
        Err(fault) => {
            error!(
                fault = "unavailable",
                "settlement could not be rung for what is due: {}",
                chain(&fault)
            );
            done.failed += 1;
        }
    }
    match books::close(app, deadline).await {
        Ok(closed) => done.closed_days = closed,
        Err(fault) => {
            error!(
                fault = "unavailable",
                "the books could not be closed: {}",
                chain(&fault)
            );
            done.failed += 1;
        }
    }
    if done.events > 0 {
        warn!(
            outcome = "swept",
            events = done.events,
            failed = done.failed,
            "events whose message was lost were sent again"
        );
    } else {
        info!(
            outcome = "swept",
            events = 0,
            failed = done.failed,
            "nothing was to be sent again"
        );
    }
    done
}

/// Rings `settlement` once if anything of it is due; answers whether it did.
async fn ring_for_payments(app: &App) -> Result<bool, SweepError> {
    let now = app.clock.now();
    for shard in 0..ORDER_SHARDS {
        let events = app.payment_events.open(shard, now, 1);
        let orders = app.orders.due(shard, now, 1);
        let (events, orders) = join(events, orders).await;
        if !events?.is_empty() || !orders?.is_empty() {
            app.payments.ring(PaymentBell::Work).await?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// Sees to one part; answers how many requests it sent, and why it stopped early.
async fn sweep(app: &App, shard: PendingShard, deadline: Instant) -> (u64, Result<(), SweepError>) {
    let mut sent = 0;
    let swept = async {
        let now = app.clock.now();
        for (id, since) in app.invites.pending(shard, now, OF_SHARD_MAX).await? {
            if deadline.saturating_duration_since(Instant::now()) < RESERVE {
                break;
            }
            match send(app, id, since).await {
                Ok(is_sent) => sent += u64::from(is_sent),
                // Its record alone is broken: that must not hide the others.
                Err(SweepError::Store(fault @ StoreError::Malformed { .. })) => {
                    error!(invite.id = %id, fault = "poison", "the pending events of a request can't be told: {}", chain(&fault));
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    };
    let swept = swept.await;
    (sent, swept)
}

/// Sends the pending events of one request; answers whether there were any.
async fn send(app: &App, id: RequestId, since: Timestamp) -> Result<bool, SweepError> {
    let claimed = app
        .invites
        .claim_pending(id, since, app.clock.now())
        .await?;
    let has_any = claimed.is_some_and(|invite| !invite.pending_events().is_empty());
    if has_any {
        let pending = PendingEvents { request_id: id };
        app.events.send_now(pending).await?;
    }
    Ok(has_any)
}
