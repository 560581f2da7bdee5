//! Delivery of updates to the registered webhooks.
//!
//! Any 2xx is a success. A failure is tried again at once, then after 2, 4, 8 .. seconds, at most a random 60 to 120,
//! or after the `Retry-After` of the answer. The rules are the inbox's; here they meet the network.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::inbox::{Attempt, Outcome, Webhook};
use super::journal::Delivery;
use super::server;
use super::shared::Shared;
use crate::clock::Clock;
use crate::server::until;

const RESPONSE_TIMEOUT_MS: i64 = 60_000;
/// Of real time: a test that turns the clock far does not time out an answer that is about to come.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);
const LONGEST_REPLY: usize = 1 << 20;

/// One delivery under way.
struct Parcel {
    bot_id: i64,
    epoch: u64,
    webhook: Webhook,
    attempt: Attempt,
}

/// Delivers until the server stops.
pub(crate) async fn deliver_all(shared: Arc<Shared>, stopped: watch::Receiver<bool>) {
    let client = match client() {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(%error, "no HTTP client for webhooks: none will be delivered");
            return;
        }
    };
    let mut under_way = JoinSet::new();
    let stop = until(stopped);
    tokio::pin!(stop);
    loop {
        let changed = shared.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        let (parcels, wakes_at_ms) = ready(&shared);
        for parcel in parcels {
            under_way.spawn(deliver(Arc::clone(&shared), client.clone(), parcel));
        }
        while under_way.try_join_next().is_some() {}
        tokio::select! {
            () = &mut changed => {}
            () = sleep(&shared.clock, wakes_at_ms) => {}
            () = &mut stop => return,
        }
    }
}

/// A client as Telegram's: no redirects, and a limit on connecting; on the answer, the clock's.
fn client() -> Result<Client, Box<dyn std::error::Error + Send + Sync>> {
    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(Duration::from_secs(10))
        .timeout(Duration::from_secs(120))
        .build()?;
    Ok(client)
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

async fn deliver(shared: Arc<Shared>, client: Client, parcel: Parcel) {
    let Parcel {
        bot_id,
        epoch,
        webhook,
        attempt,
    } = parcel;
    let at_ms = shared.clock.now_ms();
    let mut request = client.post(&webhook.url).json(attempt.update.as_ref());
    if let Some(secret) = &webhook.secret_token {
        request = request.header("X-Telegram-Bot-Api-Secret-Token", secret);
    }
    let (outcome, status, reply) = tokio::select! {
        answer = request.send() => judge(answer).await,
        () = time_out(&shared.clock, at_ms) => (failed(None, "Read timeout expired", None), None, None),
    };
    let error = match &outcome {
        Outcome::Delivered => None,
        Outcome::Failed { error, .. } => Some(error.clone()),
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
        server::call_in_reply(&shared, bot_id, reply);
    }
}

async fn time_out(clock: &Clock, since_ms: i64) {
    tokio::time::sleep(SHORTEST_TIMEOUT).await;
    clock.sleep_until(since_ms + RESPONSE_TIMEOUT_MS).await;
}

fn failed(status: Option<u16>, error: &str, retry_after_seconds: Option<i64>) -> Outcome {
    Outcome::Failed {
        status,
        error: error.to_owned(),
        retry_after_seconds,
    }
}

async fn judge(
    answer: reqwest::Result<Response>,
) -> (Outcome, Option<u16>, Option<Map<String, Value>>) {
    let response = match answer {
        Ok(response) => response,
        Err(error) if error.is_timeout() => {
            return (failed(None, "Read timeout expired", None), None, None);
        }
        Err(error) if error.is_connect() => {
            return (failed(None, "Connection refused", None), None, None);
        }
        Err(_) => return (failed(None, "Webhook connection closed", None), None, None),
    };
    let status = response.status();
    if status.is_success() {
        return (
            Outcome::Delivered,
            Some(status.as_u16()),
            reply(response).await,
        );
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
    (
        failed(Some(status.as_u16()), &error, retry_after),
        Some(status.as_u16()),
        None,
    )
}

/// A method call in the answer of a webhook; its result is never seen.
async fn reply(response: Response) -> Option<Map<String, Value>> {
    if response
        .content_length()
        .is_none_or(|length| length > LONGEST_REPLY as u64)
    {
        return None;
    }
    let body = response.bytes().await.ok()?;
    serde_json::from_slice::<Map<String, Value>>(&body)
        .ok()
        .filter(|reply| reply.contains_key("method"))
}
