//! Calls out: brings what was announced to the endpoints that want it, signed, and their updates to actors that have webhooks
//! (`feeds`).
//!
//! The ledger of deliveries is the record of the work, and SQS is the bell: a message of the hook queue says that deliveries may
//! be due, and nothing else. Each delivery is claimed for a minute before its call; the tick, once a minute and past the
//! queue, finds what nobody rang for.
//!
//! ```text
//! claim the delivery (conditional)    die here: due again in a minute, one try less
//! call the endpoint                   die here: called again with the same id, by which the receiver knows the repeat
//! settle the delivery (conditional)   die here: it is as it should be; the endpoint's failures are counted by its next call
//! note what the endpoint did
//! ```
//!
//! It has no token of a bot, and no right but to these tables, to read the feed of actors, to put messages, and to its queue.

mod answered;
mod call;
mod feeds;
mod run;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use futures_util::future::join;
use runtime::aws;
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::lambda::{Invocation, Tick, failed_messages, message_id};
use runtime::outbound::{self, Caller};
use serde::Serialize;
use store::queue::{Envelope, HookBell, HookBells, MessageBells};
use store::{Actors, BotInfos, Deliveries, Endpoints, Messages, UpdateFeed};
use tokio::time::Instant;
use tracing::error;

pub use run::HooksTicked;
use run::RunTime;

/// How long a run that a bell woke begins calls.
const DELIVER_OF_BELL: Duration = Duration::from_secs(10);
/// How long one does that the tick woke.
const DELIVER_OF_TICK: Duration = Duration::from_secs(30);
/// What a delivery may take after it was begun: our own writes before and after, and the endpoint's answer.
const DELIVERY_TIME: Duration =
    Duration::from_secs(outbound::CALL_TIMEOUT.as_secs() + 3 * aws::CALL_TIMEOUT.as_secs());

/// What the handler needs.
pub struct App {
    endpoints: Endpoints,
    deliveries: Deliveries,
    actors: Actors,
    feed: UpdateFeed,
    bots: BotInfos,
    bells: HookBells,
    messages: Messages,
    message_bells: MessageBells,
    caller: Caller,
    clock: Clock,
    is_stopping: AtomicBool,
}

impl App {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, clock: Clock) -> Self {
        let aws = aws::Shared::from_env(env);
        Self {
            endpoints: Endpoints::from_env(aws.dynamodb(), env),
            deliveries: Deliveries::from_env(aws.dynamodb(), env),
            actors: Actors::from_env(aws.dynamodb(), env),
            feed: UpdateFeed::from_env(aws.dynamodb(), env),
            bots: BotInfos::from_env(aws.dynamodb(), env),
            bells: HookBells::from_env(aws.sqs(), env, &clock),
            messages: Messages::from_env(aws.dynamodb(), env),
            message_bells: MessageBells::from_env(aws.sqs(), env, &clock),
            caller: Caller::from_env(env),
            clock,
            is_stopping: AtomicBool::new(false),
        }
    }

    /// No delivery is begun from now on: the process is about to end.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
    }

    /// Whether nothing is to be begun any more.
    fn is_over(&self, until: Instant) -> bool {
        self.clock.monotonic() >= until || self.is_stopping.load(Ordering::SeqCst)
    }
}

/// What the function answers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum HooksAnswer {
    /// The bells that SQS is to show again.
    Batch(SqsBatchResponse),
    /// What the tick did.
    Tick(HooksTicked),
}

/// Handles one invocation. It begins no delivery that could outlast `deadline`.
pub async fn handle(app: &App, invocation: Invocation, deadline: Instant) -> HooksAnswer {
    match invocation {
        Invocation::Batch(batch) => HooksAnswer::Batch(answer_bells(app, batch, deadline).await),
        Invocation::Tick(Tick::Tick) => HooksAnswer::Tick(tick(app, deadline).await),
    }
}

/// Makes the deliveries that are due, and sends actors their updates. Messages that it answers as failed are shown again by SQS,
/// and after five times go to the dead-letter queue; nothing is lost by that.
pub async fn answer_bells(app: &App, batch: SqsEvent, deadline: Instant) -> SqsBatchResponse {
    let is_bell = |message: &&_| Envelope::<HookBell>::open(message).is_ok();
    let (bells, poison): (Vec<_>, Vec<_>) = batch.records.iter().partition(is_bell);
    for message in &poison {
        error!(
            message.id = message_id(message),
            fault = "poison",
            "unparseable message in HookQueue"
        );
    }
    if !bells.is_empty() {
        let time = RunTime {
            until: until(app, DELIVER_OF_BELL, deadline),
            latest: until(app, Duration::MAX, deadline),
            is_rung: true,
        };
        join(run::serve(app, time), feeds::serve(app, time.until)).await;
    }
    failed_messages(poison.into_iter().map(message_id))
}

/// The same past the queue; looks how much waits for each endpoint, too.
pub async fn tick(app: &App, deadline: Instant) -> HooksTicked {
    let time = RunTime {
        until: until(app, DELIVER_OF_TICK, deadline),
        latest: until(app, Duration::MAX, deadline),
        is_rung: false,
    };
    let (ticked, served) = join(run::tick(app, time), feeds::serve(app, time.until)).await;
    HooksTicked {
        delivered: ticked.delivered + served.delivered,
        failed: ticked.failed + served.failed,
    }
}

/// Until when deliveries may be begun: none that could outlast the invocation.
fn until(app: &App, length: Duration, deadline: Instant) -> Instant {
    let left = deadline.saturating_duration_since(Instant::now());
    app.clock.monotonic() + length.min(left.saturating_sub(DELIVERY_TIME))
}
