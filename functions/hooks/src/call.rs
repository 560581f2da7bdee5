//! One delivery: claimed, called, settled.

use std::collections::HashMap;
use std::time::Duration;

use domain::hook::{AfterHookTry, Endpoint, HookAnswer, HookState, HookTry, TRIES_MAX, after_try};
use runtime::outbound::Called;
use store::{Claiming, DeliveryRecord, DueDelivery, StoreError};
use tracing::{error, info, warn};

use crate::App;

/// Retries of up to this are rung for; the tick finds the others.
const RUNG_FOR_MAX: Duration = Duration::from_secs(60);

/// Makes a delivery that is due. Answers what came of its call; nothing if there was none, since somebody else has it.
pub(crate) async fn deliver(
    app: &App,
    endpoint: &Endpoint,
    due: &DueDelivery,
) -> Result<Option<Called>, StoreError> {
    let Claiming::Ours(record, claimed) = app.deliveries.claim(due, app.clock.now()).await? else {
        return Ok(None);
    };
    if record.begun > TRIES_MAX {
        // The run that made the last try died over it.
        app.deliveries
            .settle(due, claimed, None, HookState::Parked, None)
            .await?;
        parked(due, &record, "the last try was not ended");
        return Ok(None);
    }
    let began = app.clock.now();
    let headers = HashMap::from([
        ("webhook-id", record.event.to_string()),
        ("webhook-timestamp", began.seconds().to_string()),
        (
            "webhook-signature",
            endpoint.signatures(record.event.as_str(), &record.body, began),
        ),
    ]);
    let called = app
        .caller
        .post(&endpoint.url, &headers, record.body.clone())
        .await;
    let (answer, asked) = called;
    let now = app.clock.now();
    let tried = HookTry {
        at: began,
        answer: answer.to_string(),
        ms: u64::try_from(now.since(began).as_millis()).unwrap_or(u64::MAX),
    };
    let after = match answer {
        _ if answer.is_success() => None,
        // It is there no more.
        _ if answer.is_gone() => Some(AfterHookTry::Park),
        _ => Some(after_try(record.begun, asked, now)),
    };
    let (state, next) = match after {
        None => (HookState::Delivered, None),
        Some(AfterHookTry::Park) => (HookState::Parked, None),
        Some(AfterHookTry::Again(at)) => (HookState::Waiting, Some(at)),
    };
    app.deliveries
        .settle(due, claimed, Some(&tried), state, next)
        .await?;
    tell(due, &record, answer, &tried, after);
    if let Some(wait) = next
        .map(|next| next.since(now))
        .filter(|wait| *wait <= RUNG_FOR_MAX)
        && let Err(fault) = app.bells.send(store::queue::HookBell::Work, wait).await
    {
        warn!(
            fault = "unavailable",
            "no bell could be sent, the tick will look: {fault}"
        );
    }
    Ok(Some(called))
}

fn tell(
    due: &DueDelivery,
    record: &DeliveryRecord,
    answer: HookAnswer,
    tried: &HookTry,
    after: Option<AfterHookTry>,
) {
    let (endpoint, event, kind) = (&due.endpoint, &due.event, record.kind.as_str());
    match after {
        None => {
            info!(endpoint.id = %endpoint, hook.event = %event, hook.kind = kind, task.attempt = record.begun, answer = %answer, ms = tried.ms, outcome = "delivered", "an endpoint took what was announced");
        }
        Some(AfterHookTry::Again(at)) => {
            warn!(endpoint.id = %endpoint, hook.event = %event, hook.kind = kind, task.attempt = record.begun, answer = %answer, ms = tried.ms, next = %at, outcome = "deferred", "an endpoint did not take what was announced, it is tried again");
        }
        Some(AfterHookTry::Park) => parked(due, record, &answer.to_string()),
    }
}

fn parked(due: &DueDelivery, record: &DeliveryRecord, why: &str) {
    error!(endpoint.id = %due.endpoint, hook.event = %due.event, hook.kind = record.kind.as_str(), task.attempt = record.begun, answer = why, fault = "endpoint_failing", outcome = "parked",
        "a delivery is given up, it can be replayed: {why}");
}
