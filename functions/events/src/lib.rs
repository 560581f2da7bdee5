//! The event queue: delivers each event to WebEngage, once as far as it can tell.
//!
//! ```text
//! read the flag --(set)--> nothing to do
//!      |
//! deliver        die here: delivered again with the same x-request-id, ingested once
//!      |
//! set the flag   die here: the message is shown again, and delivered again as above
//! ```
//!
//! An event that can't be delivered waits in the queue, and its request says until when (`pendingSince`), so that the
//! sweeper sends no second message while one lives. A wait never fails a message: the dead letters are for what WebEngage
//! refuses for good, and for poison.

use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use domain::event::{Event, EventName, PendingEvents};
use domain::id::RequestId;
use domain::invite::EventState;
use domain::retry::backoff;
use domain::time::Timestamp;
use futures_util::future::join_all;
use runtime::aws;
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::lambda::{hand_back, message_id};
use runtime::telemetry::chain;
use runtime::trace;
use serde::Deserialize;
use store::queue::{EventQueue, attempt_of, first_sent_of, not_before_of, receives_of, trace_of};
use store::{Invites, Marked, StoreError};
use tracing::{error, info, warn};
use webengage::{DeliveryFault, WebEngage};

/// How long an event is tried that WebEngage fails to take: from then on it is a dead letter, which a person sees. A rate
/// limit ends no event, however old it is: a redrive of many brings one about.
const GIVE_UP_AFTER: Duration = Duration::from_secs(13 * 24 * 3600);

/// How often SQS shows a message before it is a dead letter: the queue's `maxReceiveCount`.
pub const MAX_RECEIVE_COUNT: u32 = 5;
/// When SQS shows a message again that failed: the queue's visibility time-out.
pub const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(180);

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
/// dead-letter queue; all others are delivered, deferred, or known to have been delivered.
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
    Pending(PendingEvents),
}

/// Sees to one message; answers whether SQS may delete it.
async fn deliver(app: &App, message: &SqsMessage) -> bool {
    match serde_json::from_str(message.body.as_deref().unwrap_or_default()) {
        Ok(Message::Event(event)) => deliver_event(app, event, message).await,
        Ok(Message::Pending(pending)) => deliver_pending(app, &pending, message).await,
        Err(_) => {
            error!(
                message.id = message_id(message),
                fault = "poison",
                "unparseable message in EventQueue"
            );
            false
        }
    }
}

/// Delivers what of a request was not delivered.
async fn deliver_pending(app: &App, pending: &PendingEvents, message: &SqsMessage) -> bool {
    let id = pending.request_id;
    match app.invites.get(id).await {
        Ok(None) => {
            info!(invite.id = %id, outcome = "dropped", "a request with pending events is gone");
            true
        }
        Ok(Some(invite)) => {
            let events = invite.pending_events();
            let sent = join_all(events.iter().map(|event| send(app, event, message)));
            sent.await.into_iter().all(|is_seen_to| is_seen_to)
        }
        // Not shown again, since a table that is away must not make dead letters: the sweeper sends another message.
        Err(fault) => {
            unchecked(id, &fault);
            true
        }
    }
}

fn unchecked(id: RequestId, fault: &StoreError) {
    error!(invite.id = %id, fault = "unavailable", "an event could not be checked: {}", chain(fault));
}

fn delivered_before(id: RequestId, name: EventName) -> bool {
    info!(invite.id = %id, event.name = name.as_str(), outcome = "duplicate", "event was delivered before");
    true
}

/// Delivers an event, unless that was done before or is not due.
async fn deliver_event(app: &App, event: Event, message: &SqsMessage) -> bool {
    let id = event.request_id;
    let now = app.clock.now();
    if let Some(at) = not_before_of(message).filter(|at| *at > now) {
        return defer(app, &event, message, attempt_of(message), at).await;
    }
    match app.invites.get(id).await {
        // The event of a request that is forgotten by now is delivered all the same.
        Ok(record) => match record.map_or(EventState::Wanted, |invite| invite.state_of(&event)) {
            EventState::Wanted => send(app, &event, message).await,
            EventState::Delivered => delivered_before(id, event.event_name),
            EventState::GivenUp => given_up(id, event.event_name),
            EventState::Replaced => replaced(id),
        },
        // Waited for in the queue: a table that is away must not make dead letters.
        Err(fault) => {
            unchecked(id, &fault);
            let attempt = attempt_of(message).saturating_add(1);
            let delay = backoff(app.base_backoff, attempt, fastrand::f64());
            defer(app, &event, message, attempt, now.plus(delay)).await
        }
    }
}

/// Delivers an event, or has it wait.
async fn send(app: &App, event: &Event, message: &SqsMessage) -> bool {
    let id = event.request_id;
    match app.webengage.deliver(event).await {
        Ok(()) => mark(app, event, message).await,
        Err(fault) => {
            let sentence = chain(&fault);
            match fault.fault() {
                DeliveryFault::Again(_) if is_too_old(app, message) => {
                    error!(invite.id = %id, event.name = event.event_name.as_str(), job.attempt = attempt_of(message),
                        fault = "webengage_down", "given up after 13 days: {sentence}");
                    dies(app, id, message).await
                }
                DeliveryFault::RateLimited(after) | DeliveryFault::Again(after) => {
                    again(app, event, message, after.unwrap_or_default(), &sentence).await
                }
                DeliveryFault::Person => {
                    error!(invite.id = %id, event.name = event.event_name.as_str(), fault = "webengage_refused", "{sentence}");
                    dies(app, id, message).await
                }
            }
        }
    }
}

/// SQS shows the message again, or moves it to the dead letters if this was the last time; the record says which. Answers
/// that SQS must not delete it.
async fn dies(app: &App, id: RequestId, message: &SqsMessage) -> bool {
    let noted = if receives_of(message) >= MAX_RECEIVE_COUNT {
        app.invites.stop_resending(id).await
    } else {
        let at = app.clock.now().plus(VISIBILITY_TIMEOUT);
        app.invites.put_off(id, at).await
    };
    if let Err(fault) = noted {
        warn!(invite.id = %id, fault = "unavailable", "the sweeper may send this event once more: {}", chain(&fault));
    }
    false
}

fn replaced(id: RequestId) -> bool {
    info!(invite.id = %id, outcome = "replaced", "an event of a link that was replaced or voided is dropped");
    true
}

fn given_up(id: RequestId, name: EventName) -> bool {
    info!(invite.id = %id, event.name = name.as_str(), outcome = "given_up", "an event that an operator gave up is dropped");
    true
}

async fn mark(app: &App, event: &Event, message: &SqsMessage) -> bool {
    let (id, name) = (event.request_id, event.event_name);
    let now = app.clock.now();
    let marked = app
        .invites
        .mark_delivered(id, name, event.link_version, now);
    match marked.await {
        // Replaced while it was on its way: the next link, and the next join, has an event of its own.
        Ok(Marked::Replaced) => {
            info!(invite.id = %id, event.name = name.as_str(), outcome = "delivered", "event delivered, of a link that was replaced meanwhile");
            true
        }
        Ok(marked) => {
            let known = marked == Marked::Delivered;
            info!(invite.id = %id, event.name = name.as_str(), outcome = "delivered", invite.known = known, "event delivered");
            true
        }
        // Delivered again then, with the same id.
        Err(fault) => {
            error!(invite.id = %id, fault = "unavailable", "a delivered event could not be marked yet: {}", chain(&fault));
            let attempt = attempt_of(message).saturating_add(1);
            let delay = backoff(app.base_backoff, attempt, fastrand::f64());
            defer(app, event, message, attempt, now.plus(delay)).await
        }
    }
}

/// Whether an event has been tried long enough.
fn is_too_old(app: &App, message: &SqsMessage) -> bool {
    let first_sent = first_sent_of(message);
    first_sent.is_some_and(|sent| app.clock.now().since(sent) > GIVE_UP_AFTER)
}

/// Has an event wait for another try.
async fn again(
    app: &App,
    event: &Event,
    message: &SqsMessage,
    after: Duration,
    reason: &str,
) -> bool {
    let (id, name) = (event.request_id, event.event_name.as_str());
    let (attempt, now) = (attempt_of(message), app.clock.now());
    let delay = backoff(app.base_backoff, attempt, fastrand::f64()).max(after);
    warn!(invite.id = %id, event.name = name, job.attempt = attempt, delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
        outcome = "deferred", "event not delivered yet: {reason}");
    let at = now.plus(delay);
    if let Err(fault) = app.invites.put_off(id, at).await {
        warn!(invite.id = %id, fault = "unavailable", "the sweeper may send this event once more: {}", chain(&fault));
    }
    defer(app, event, message, attempt.saturating_add(1), at).await
}

/// Sends the event again for later; answers whether SQS may delete this message.
async fn defer(
    app: &App,
    event: &Event,
    message: &SqsMessage,
    attempt: u32,
    at: Timestamp,
) -> bool {
    let now = app.clock.now();
    let first_sent = first_sent_of(message).unwrap_or(now);
    let sent = app.queue.defer(event, at, attempt, first_sent, now);
    let sent = sent.await;
    sent.inspect_err(|fault| {
        error!(invite.id = %event.request_id, fault = "unavailable", "an event could not be sent again for later: {}", chain(fault));
    })
    .is_ok()
}
