//! Delivery of updates to the registered webhooks.
//!
//! Any 2xx is a success. A failure is tried again at once, then after 2, 4, 8 .. seconds, at most a random 60 to 120,
//! or after the `Retry-After` of the answer. The rules are the inbox's; here they meet the network, or the function that
//! stands for it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response};
use reqwest::Client;
use reqwest::redirect::Policy;
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::inbox::{Attempt, Outcome, Webhook};
use super::journal::Delivery;
use super::server;
use super::shared::Shared;
use crate::clock::Clock;
use crate::server::until;
use crate::socket::Reset;

const RESPONSE_TIMEOUT_MS: i64 = 60_000;
/// Of real time: a test that turns the clock far does not time out an answer that is about to come.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);
const LONGEST_REPLY: usize = 1 << 20;
const TIMED_OUT: &str = "Read timeout expired";
const REFUSED: &str = "Connection refused";
const CLOSED: &str = "Webhook connection closed";

/// A function in the place of the network: it is given the request of one delivery, and answers as the webhook would.
pub type Deliver = Arc<
    dyn Fn(Request<Bytes>) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, Reset>> + Send>>
        + Send
        + Sync,
>;

/// The way of an update to its webhook.
#[derive(Clone, Default)]
pub(crate) enum Road {
    /// None: every connection is refused.
    #[default]
    Closed,
    Network(Client),
    Function(Deliver),
}

impl std::fmt::Debug for Road {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Closed => "Closed",
            Self::Network(_) => "Network",
            Self::Function(_) => "Function",
        })
    }
}

impl Road {
    pub(crate) fn network() -> Self {
        match client() {
            Ok(client) => Self::Network(client),
            Err(error) => {
                tracing::error!(%error, "no HTTP client for webhooks: none will be delivered");
                Self::Closed
            }
        }
    }

    /// The answer, or why there is none, as `getWebhookInfo` tells it.
    async fn carry(self, request: Request<Bytes>) -> Result<Response<Bytes>, &'static str> {
        match self {
            Self::Closed => Err(REFUSED),
            Self::Network(client) => send(&client, request).await,
            Self::Function(deliver) => deliver(request).await.map_err(|Reset| CLOSED),
        }
    }
}

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

async fn deliver(shared: Arc<Shared>, parcel: Parcel) {
    let Parcel {
        bot_id,
        epoch,
        webhook,
        attempt,
    } = parcel;
    let at_ms = shared.clock.now_ms();
    let road = shared.road().clone();
    let answer = tokio::select! {
        biased;
        answer = road.carry(request(&webhook, &attempt)) => answer,
        () = time_out(&shared.clock, at_ms) => Err(TIMED_OUT),
    };
    let (outcome, status, reply) = judge(answer);
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

async fn send(client: &Client, request: Request<Bytes>) -> Result<Response<Bytes>, &'static str> {
    let (head, body) = request.into_parts();
    let sent = client
        .post(head.uri.to_string())
        .headers(head.headers)
        .body(body)
        .send();
    let mut response = match sent.await {
        Ok(response) => response,
        Err(error) if error.is_timeout() => return Err(TIMED_OUT),
        Err(error) if error.is_connect() => return Err(REFUSED),
        Err(_) => return Err(CLOSED),
    };
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = response.status();
    *answer.headers_mut() = std::mem::take(response.headers_mut());
    if response
        .content_length()
        .is_some_and(|length| length <= LONGEST_REPLY as u64)
    {
        // A body that breaks off is no call in reply; the status stands.
        *answer.body_mut() = response.bytes().await.unwrap_or_default();
    }
    Ok(answer)
}

async fn time_out(clock: &Clock, since_ms: i64) {
    tokio::time::sleep(SHORTEST_TIMEOUT).await;
    clock.sleep_until(since_ms + RESPONSE_TIMEOUT_MS).await;
}

fn judge(
    answer: Result<Response<Bytes>, &str>,
) -> (Outcome, Option<u16>, Option<Map<String, Value>>) {
    let failed = |error: &str, status, retry_after_seconds| Outcome::Failed {
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
        return (Outcome::Delivered, code, reply(response.body()));
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
