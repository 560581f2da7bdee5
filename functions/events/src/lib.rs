//! The event queue: tells WebEngage each fact, once as far as it can tell.
//!
//! ```text
//! read the flag --(set)--> nothing to do
//!      |
//! deliver        die here: delivered again with the same x-request-id, ingested once
//!      |
//! set the flag   die here: the flag is set, the message is found delivered
//! ```
//!
//! Beside events there are promises of them: what a promise is worth is in the record of its request.

use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use common::aws;
use common::clock::Clock;
use common::config::Env;
use common::domain::event::{Event, EventName, Promise};
use common::domain::id::RequestId;
use common::domain::invite::Status;
use common::domain::retry::backoff;
use common::domain::time::Timestamp;
use common::lambda::{hand_back, message_id};
use common::queue::{EventQueue, attempt_of, not_before_of, trace_of};
use common::store::{Invites, Marked, StoreError};
use common::telemetry::chain;
use common::trace;
use common::webengage::{DeliveryFault, WebEngage};
use futures_util::future::join_all;
use serde::Deserialize;
use tracing::{error, info, warn};

/// When to stop: SQS forgets a message 14 days after it was first sent, and the dead-letter queue counts from then on.
const GIVE_UP_AFTER: Duration = Duration::from_secs(13 * 24 * 3600);

/// When a promise is looked into again whose request is not there yet.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(20);

/// What the handler needs.
pub struct App {
    webengage: WebEngage,
    invites: Invites,
    queue: EventQueue,
    base_backoff: Duration,
    clock: Clock,
}

impl App {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, clock: Clock) -> Self {
        let aws = aws::Shared::from_env(env);
        Self {
            webengage: WebEngage::from_env(env),
            invites: Invites::from_env(aws.dynamodb(), env),
            queue: EventQueue::from_env(aws.sqs(), env),
            base_backoff: env.base_backoff(),
            clock,
        }
    }
}

/// Delivers a batch. Messages that it answers as failed are shown again by SQS, and after five times go to the
/// dead-letter queue; all others are delivered, put back, or known to have been delivered.
pub async fn handle(app: &App, batch: SqsEvent) -> SqsBatchResponse {
    let failed = join_all(batch.records.iter().map(async |message| {
        (!trace::within(trace_of(message), deliver(app, message)).await)
            .then(|| message_id(message))
    }));
    hand_back(failed.await.into_iter().flatten())
}

/// A message of the event queue.
#[derive(Deserialize)]
#[serde(untagged)]
enum Message {
    Event(Event),
    Promise(Promise),
}

/// Sees to one message; answers whether SQS may delete it.
async fn deliver(app: &App, message: &SqsMessage) -> bool {
    match serde_json::from_str(message.body.as_deref().unwrap_or_default()) {
        Ok(Message::Event(event)) => tell(app, event, message).await,
        Ok(Message::Promise(promise)) => look_into(app, &promise, attempt_of(message)).await,
        Err(_) => {
            error!(
                message.id = message_id(message),
                fault = "poison",
                "a message of the event queue is no event"
            );
            false
        }
    }
}

/// Delivers the event that was promised, if the request has become DONE.
async fn look_into(app: &App, promise: &Promise, attempt: u32) -> bool {
    let (id, now) = (promise.request_id, app.clock.now());
    let invite = match app.invites.get(id).await {
        Ok(invite) => invite,
        Err(fault) => return unchecked(id, &fault),
    };
    match invite {
        None if promise.is_open(now) => {
            let at = now.plus(LOOK_AGAIN_AFTER);
            let sent = app
                .queue
                .promise(promise, at, attempt.saturating_add(1), now)
                .await;
            sent.inspect_err(|fault| {
                error!(invite.id = %id, fault = "unavailable", "a promise could not be put back: {}", chain(fault));
            })
            .is_ok()
        }
        None => {
            info!(invite.id = %id, outcome = "dropped", "a promised event never came true");
            true
        }
        Some(invite) => match invite.unsent_link_event() {
            Some(event) if invite.status == Status::Done => send(app, &event, 0).await,
            // Served by the queue after all: the worker tells.
            None if invite.status != Status::Done => true,
            _ => delivered_before(id, EventName::LinkCreated),
        },
    }
}

fn unchecked(id: RequestId, fault: &StoreError) -> bool {
    error!(invite.id = %id, fault = "unavailable", "an event could not be checked: {}", chain(fault));
    false
}

fn delivered_before(id: RequestId, name: EventName) -> bool {
    info!(invite.id = %id, event.name = name.as_str(), outcome = "duplicate", "event was delivered before");
    true
}

/// Delivers an event, unless that was done before or is not due.
async fn tell(app: &App, event: Event, message: &SqsMessage) -> bool {
    let id = event.request_id;
    let now = app.clock.now();
    if let Some(at) = not_before_of(message).filter(|at| *at > now) {
        return put_back(app, &event, attempt_of(message), at).await;
    }
    match app.invites.get(id).await {
        Ok(Some(invite)) if is_of_replaced(&event, invite.issue) => replaced(id),
        Ok(Some(invite)) if fired(&event, invite.link_event_fired, invite.join_event_fired) => {
            delivered_before(id, event.event_name)
        }
        // A request that is forgotten by now still tells its fact.
        Ok(_) => send(app, &event, attempt_of(message)).await,
        Err(fault) => unchecked(id, &fault),
    }
}

/// Delivers an event, or puts it back.
async fn send(app: &App, event: &Event, attempt: u32) -> bool {
    let id = event.request_id;
    match app.webengage.deliver(event).await {
        Ok(()) => mark(app, event).await,
        Err(fault) => {
            let sentence = chain(&fault);
            match fault.fault() {
                DeliveryFault::Again(after) => {
                    again(app, event, attempt, after.unwrap_or_default(), &sentence).await
                }
                DeliveryFault::Person => {
                    error!(invite.id = %id, event.name = event.event_name.as_str(), fault = "webengage_refused", "{sentence}");
                    false
                }
            }
        }
    }
}

const fn fired(event: &Event, link_event_fired: bool, join_event_fired: bool) -> bool {
    match event.event_name {
        EventName::LinkCreated => link_event_fired,
        EventName::Joined => join_event_fired,
    }
}

/// Whether the event tells of a link that was replaced by another: nobody must be sent to it.
fn is_of_replaced(event: &Event, issue: u32) -> bool {
    event.event_name == EventName::LinkCreated && event.issue != issue
}

fn replaced(id: RequestId) -> bool {
    info!(invite.id = %id, outcome = "replaced", "an event of a link that was replaced is dropped");
    true
}

async fn mark(app: &App, event: &Event) -> bool {
    let (id, name) = (event.request_id, event.event_name);
    let marked = app
        .invites
        .mark_fired(id, name, event.issue, app.clock.now());
    match marked.await {
        // Replaced while it was on its way: the next link has an event of its own.
        Ok(Marked::Replaced) => replaced(id),
        Ok(marked) => {
            let known = marked == Marked::Fired;
            info!(invite.id = %id, event.name = name.as_str(), outcome = "delivered", invite.known = known, "event delivered");
            true
        }
        Err(fault) => {
            error!(invite.id = %id, fault = "unavailable", "a delivered event could not be marked yet: {}", chain(&fault));
            false
        }
    }
}

/// Puts an event back for another try, unless it is too old.
async fn again(app: &App, event: &Event, attempt: u32, after: Duration, reason: &str) -> bool {
    let (id, name) = (event.request_id, event.event_name.as_str());
    if app.clock.now().since(event.event_time) > GIVE_UP_AFTER {
        error!(invite.id = %id, event.name = name, job.attempt = attempt, fault = "webengage_down", "given up after 13 days: {reason}");
        return false;
    }
    let delay = backoff(app.base_backoff, attempt, fastrand::f64()).max(after);
    warn!(invite.id = %id, event.name = name, job.attempt = attempt, delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
        outcome = "put_back", "event not delivered yet: {reason}");
    let at = app.clock.now().plus(delay);
    put_back(app, event, attempt.saturating_add(1), at).await
}

/// Sends the event again for later; answers whether SQS may delete this message.
async fn put_back(app: &App, event: &Event, attempt: u32, at: Timestamp) -> bool {
    let sent = app
        .queue
        .put_back(event, at, attempt, app.clock.now())
        .await;
    sent.inspect_err(|fault| {
        error!(invite.id = %event.request_id, fault = "unavailable", "an event could not be put back: {}", chain(fault));
    })
    .is_ok()
}
