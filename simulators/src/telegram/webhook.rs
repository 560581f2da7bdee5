//! Delivery of updates to the registered webhooks.
//!
//! Any 2xx is a success. A failure is tried again at once, then after 2, 4, 8 .. seconds, at most a random 60 to 120,
//! or after the `Retry-After` of the answer. The rules are the inbox's; here they meet the network, or the function that
//! stands for it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response};
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::inbox::{Attempt, DeliveryOutcome, Webhook};
use super::journal::Delivery;
use super::server;
use super::shared::Shared;
use crate::clock::Clock;
use crate::server::until;
use crate::transport::LONGEST_REPLY;

const RESPONSE_TIMEOUT_MS: i64 = 60_000;
/// Of real time: a test that turns the clock far does not time out an answer that is about to come.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);
const TIMED_OUT: &str = "Read timeout expired";

/// One delivery under way.
struct Parcel {
    bot_id: i64,
    epoch: u64,
    webhook: Webhook,
    attempt: Attempt,
}

/// Delivers until the server stops.
pub(crate) async fn deliver_all(shared: Arc<Shared>, stopped: watch::Receiver<bool>) {
    let mut under_way = JoinSet::new();
    let stop = until(stopped);
    tokio::pin!(stop);
    loop {
        let changed = shared.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        let (parcels, wakes_at_ms) = ready(&shared);
        for parcel in parcels {
            under_way.spawn(deliver(Arc::clone(&shared), parcel));
        }
        while under_way.try_join_next().is_some() {}
        tokio::select! {
            biased;
            () = &mut stop => return,
            () = &mut changed => {}
            () = sleep(&shared.clock, wakes_at_ms) => {}
        }
    }
}

fn ready(shared: &Shared) -> (Vec<Parcel>, Option<i64>) {
    let mut state = shared.lock();
    let now_ms = shared.clock.now_ms();
    let mut parcels = Vec::new();
    let mut wakes_at_ms: Option<i64> = None;
    for (bot_id, bot) in &mut state.world.bots {
        let Some(webhook) = bot.inbox.webhook.clone() else {
            continue;
        };
        while let Some(attempt) = bot.inbox.take(now_ms) {
            parcels.push(Parcel {
                bot_id: *bot_id,
                epoch: bot.inbox.epoch,
                webhook: webhook.clone(),
                attempt,
            });
        }
        // What is ready but has no connection waits for one, not for an instant.
        let next = bot.inbox.wakes_at_ms().filter(|at| *at > now_ms);
        wakes_at_ms = [wakes_at_ms, next].into_iter().flatten().min();
    }
    (parcels, wakes_at_ms)
}

async fn sleep(clock: &Clock, until_ms: Option<i64>) {
    match until_ms {
        Some(at_ms) => clock.sleep_until(at_ms).await,
        None => std::future::pending().await,
    }
}

async fn deliver(shared: Arc<Shared>, parcel: Parcel) {
    let Parcel {
        bot_id,
        epoch,
        webhook,
        attempt,
    } = parcel;
    let at_ms = shared.clock.now_ms();
    let transport = shared.transport().clone();
    let answer = tokio::select! {
        biased;
        answer = transport.carry(request(&webhook, &attempt)) => answer,
        () = time_out(&shared.clock, at_ms) => Err(TIMED_OUT),
    };
    let (outcome, status, reply) = outcome_of(answer);
    let error = match &outcome {
        DeliveryOutcome::Delivered => None,
        DeliveryOutcome::Failed { error, .. } => Some(error.clone()),
    };
    shared.change(|state, now_ms| {
        state.journal.delivery(Delivery {
            bot_id,
            update_id: attempt.update_id,
            kind: attempt.kind.clone(),
            attempt: attempt.number,
            update: Arc::clone(&attempt.update),
            status,
            error,
            at_ms,
        });
        if let Some(bot) = state.world.bots.get_mut(&bot_id)
            && bot.inbox.epoch == epoch
        {
            bot.inbox.settle(attempt.seq, &outcome, now_ms);
        }
    });
    if let Some(reply) = reply {
        server::call_in_reply(&shared, bot_id, reply).await;
    }
}

fn request(webhook: &Webhook, attempt: &Attempt) -> Request<Bytes> {
    let mut request = Request::new(Bytes::from(attempt.update.to_string()));
    *request.method_mut() = Method::POST;
    // What `setWebhook` took is a URL; one that is no URI after all leads nowhere.
    *request.uri_mut() = webhook.url.parse().unwrap_or_default();
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(secret) = &webhook.secret_token
        && let Ok(secret) = HeaderValue::from_str(secret)
    {
        headers.insert("x-telegram-bot-api-secret-token", secret);
    }
    request
}

async fn time_out(clock: &Clock, since_ms: i64) {
    tokio::time::sleep(SHORTEST_TIMEOUT).await;
    clock.sleep_until(since_ms + RESPONSE_TIMEOUT_MS).await;
}

fn outcome_of(
    answer: Result<Response<Bytes>, &str>,
) -> (DeliveryOutcome, Option<u16>, Option<Map<String, Value>>) {
    let failed = |error: &str, status, retry_after_seconds| DeliveryOutcome::Failed {
        status,
        error: error.to_owned(),
        retry_after_seconds,
    };
    let response = match answer {
        Ok(response) => response,
        Err(error) => return (failed(error, None, None), None, None),
    };
    let (status, code) = (response.status(), Some(response.status().as_u16()));
    if status.is_success() {
        return (DeliveryOutcome::Delivered, code, reply(response.body()));
    }
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let reason = status.canonical_reason().unwrap_or_default();
    let error = format!(
        "Wrong response from the webhook: {} {reason}",
        status.as_u16()
    );
    (failed(&error, code, retry_after), code, None)
}

/// A method call in the answer of a webhook; its result is never seen.
fn reply(body: &Bytes) -> Option<Map<String, Value>> {
    if body.len() > LONGEST_REPLY {
        return None;
    }
    serde_json::from_slice::<Map<String, Value>>(body)
        .ok()
        .filter(|reply| reply.contains_key("method"))
}
