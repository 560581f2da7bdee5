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
use domain::claim::{ChatDeliveries, PublicUrl};
use domain::delivery::{AfterDelivery, DeliveryFault, NextTry, Tried};
use domain::event::{Event, EventMessage, EventName, PendingEvents};
use domain::id::RequestId;
use domain::invite::EventState;
use futures_util::future::join_all;
use runtime::aws;
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::lambda::{failed_messages, message_id};
use runtime::settings;
use runtime::telemetry::chain;
use runtime::trace;
use store::queue::{Envelope, Queue, trace_of};
use store::{ClaimLinks, Invites, Marked, StoreError};
use tracing::{error, info, warn};
use webengage::WebEngage;

/// What the handler needs.
pub struct App {
    webengage: WebEngage,
    invites: Invites,
    queue: Queue<EventMessage>,
    base_backoff: Duration,
    claim_links: ClaimLinks,
    public_url: Option<PublicUrl>,
    clock: Clock,
}

impl App {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, clock: Clock) -> Self {
        let aws = aws::Shared::from_env(env);
        Self {
            webengage: WebEngage::from_env(env),
            invites: Invites::from_env(aws.dynamodb(), env),
            queue: Queue::from_env(aws.sqs(), env),
            base_backoff: settings::base_backoff(env),
            claim_links: ClaimLinks::from_env(env, &ChatDeliveries::default(), &aws),
            public_url: settings::public_url(env),
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
    failed_messages(failed.await.into_iter().flatten())
}

/// Sees to one message; answers whether SQS may delete it.
async fn deliver(app: &App, message: &SqsMessage) -> bool {
    let Ok(envelope) = Envelope::open(message) else {
        error!(
            message.id = message_id(message),
            fault = "poison",
            "unparseable message in EventQueue"
        );
        return false;
    };
    let tried = envelope.tried;
    match envelope.message {
        EventMessage::Event(event) => deliver_event(app, event, &tried).await,
        EventMessage::Pending(pending) => deliver_pending(app, &pending, &tried).await,
    }
}

/// Delivers what of a request was not delivered.
async fn deliver_pending(app: &App, pending: &PendingEvents, tried: &Tried) -> bool {
    let id = pending.request_id;
    match app.invites.get(id).await {
        Ok(None) => {
            info!(invite.id = %id, outcome = "dropped", "a request with pending events is gone");
            true
        }
        Ok(Some(invite)) => {
            let events = invite.pending_events().into_iter();
            let sent = join_all(events.map(|event| send(app, event, tried)));
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
async fn deliver_event(app: &App, event: Event, tried: &Tried) -> bool {
    let id = event.request_id;
    let now = app.clock.now();
    if let Some(next) = tried.not_due(now) {
        return defer(app, event, tried, next).await;
    }
    match app.invites.get(id).await {
        // The event of a request that is forgotten by now is delivered all the same.
        Ok(record) => match record.map_or(EventState::Wanted, |invite| invite.state_of(&event)) {
            EventState::Wanted => send(app, event, tried).await,
            EventState::Delivered => delivered_before(id, event.event_name),
            EventState::GivenUp => given_up(id, event.event_name),
            EventState::Replaced => replaced(id),
        },
        Err(fault) => {
            unchecked(id, &fault);
            let next = tried.after_our_fault(app.base_backoff, fastrand::f64(), now);
            defer(app, event, tried, next).await
        }
    }
}

/// Delivers an event, or has it wait.
async fn send(app: &App, event: Event, tried: &Tried) -> bool {
    let (id, name, attempt) = (event.request_id, event.event_name.as_str(), tried.attempt);
    let beside = app
        .claim_links
        .beside(event.claim_beside(), app.clock.now());
    let told = event
        .clone()
        .with_claim(beside.await.as_ref(), app.public_url.as_ref());
    let Err(failure) = app.webengage.deliver(&told).await else {
        return mark(app, event, tried).await;
    };
    let (fault, sentence, now) = (failure.fault(), chain(&failure), app.clock.now());
    let after = tried.after(fault, app.base_backoff, fastrand::f64(), now);
    if let AfterDelivery::Again(next) = after {
        let delay_ms = u64::try_from(next.at.since(now).as_millis()).unwrap_or(u64::MAX);
        warn!(invite.id = %id, event.name = name, task.attempt = attempt, delay_ms, outcome = "deferred",
            "event not delivered yet: {sentence}");
    } else if fault == DeliveryFault::Person {
        error!(invite.id = %id, event.name = name, fault = "webengage_refused", "{sentence}");
    } else {
        error!(invite.id = %id, event.name = name, task.attempt = attempt, fault = "webengage_down",
            "given up after 13 days: {sentence}");
    }
    let noted = match after {
        AfterDelivery::Again(NextTry { at, .. }) | AfterDelivery::ShownAgain(at) => {
            app.invites.put_off(id, at).await
        }
        AfterDelivery::Dead => app.invites.stop_resending(id).await,
    };
    if let Err(fault) = noted {
        warn!(invite.id = %id, fault = "unavailable", "the sweeper may send this event once more: {}", chain(&fault));
    }
    match after {
        AfterDelivery::Again(next) => defer(app, event, tried, next).await,
        AfterDelivery::ShownAgain(_) | AfterDelivery::Dead => false,
    }
}

fn replaced(id: RequestId) -> bool {
    info!(invite.id = %id, outcome = "replaced", "an event of a link that was replaced or voided is dropped");
    true
}

fn given_up(id: RequestId, name: EventName) -> bool {
    info!(invite.id = %id, event.name = name.as_str(), outcome = "given_up", "an event that an operator gave up is dropped");
    true
}

async fn mark(app: &App, event: Event, tried: &Tried) -> bool {
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
            let next = tried.after_our_fault(app.base_backoff, fastrand::f64(), now);
            defer(app, event, tried, next).await
        }
    }
}

/// Sends the event again for later; answers whether SQS may delete this message.
async fn defer(app: &App, event: Event, tried: &Tried, next: NextTry) -> bool {
    let id = event.request_id;
    let sent = app.queue.defer(event, tried, next, app.clock.now()).await;
    sent.inspect_err(|fault| {
        error!(invite.id = %id, fault = "unavailable", "an event could not be sent again for later: {}", chain(fault));
    })
    .is_ok()
}
