//! Endpoints: who is told what happens, by signed calls.
//!
//! Each call may be repeated, but for the one that registers: an answer that was lost has made an endpoint whose secret nobody
//! knows; it is listed, and deleted.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::hook::{
    Announcement, DisabledBy, Endpoint, EndpointId, HookEventId, HookKind, HookSecret, HookState,
    KeptSecret, SECRET_OVERLAP, Subscription,
};
use domain::time::Timestamp;
use runtime::body::read;
use runtime::response::Rejection;
use serde::Deserialize;
use serde_json::{Value, json};
use store::queue::HookBell;
use store::{Changed, DeliveryRecord, DeliveryReplayed};
use tracing::info;
use uuid::Uuid;

use crate::{App, unavailable};

/// The most endpoints: each announcement costs a write for each.
const ENDPOINTS_MAX: usize = 20;
/// How many deliveries one answer shows.
const PAGE: usize = 50;
/// How many deliveries one call replays at most.
const REPLAYED_MAX: usize = 200;

/// What is asked for about one endpoint.
#[derive(Clone, Copy)]
pub(crate) enum EndpointCall {
    Delete,
    Enable,
    Disable,
    RotateSecret,
    Test,
    Replay,
    Deliveries,
}

impl EndpointCall {
    /// The call that a path names, and its method.
    pub(crate) fn named(name: &str) -> Option<(&'static str, Self)> {
        Some(match name {
            "enable" => ("POST", Self::Enable),
            "disable" => ("POST", Self::Disable),
            "rotate-secret" => ("POST", Self::RotateSecret),
            "test" => ("POST", Self::Test),
            "replay" => ("POST", Self::Replay),
            "deliveries" => ("GET", Self::Deliveries),
            _ => return None,
        })
    }
}

/// The body of a registration.
#[derive(Deserialize)]
pub(crate) struct Registration {
    url: String,
    /// What it wants; without, everything.
    types: Option<Vec<String>>,
    /// Whether it wants links.
    #[serde(default)]
    links: bool,
}

/// The body of a replay: one delivery, or those that were given up, or all, of a time.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Replay {
    event_id: Option<String>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    /// Whether those that were delivered are delivered again.
    #[serde(default)]
    delivered: bool,
}

/// All endpoints.
pub(crate) async fn list(app: &App) -> Result<Value, Rejection> {
    let mut endpoints = Vec::new();
    for (id, _) in app.endpoints.directory().await.map_err(unavailable)? {
        if let Some(endpoint) = app.endpoints.get(&id).await.map_err(unavailable)? {
            endpoints.push(view(&endpoint));
        }
    }
    Ok(json!({"endpoints": endpoints}))
}

/// Registers an endpoint; the answer alone shows its secret.
pub(crate) async fn register(
    app: &App,
    who: &str,
    asked: Registration,
) -> Result<Value, Rejection> {
    let url = app
        .targets
        .check(&asked.url)
        .map_err(|_| Rejection::InvalidTarget)?;
    let kinds: BTreeSet<HookKind> = match &asked.types {
        None => HookKind::ALL.into(),
        Some(words) => {
            let kind = |word: &String| HookKind::ALL.into_iter().find(|kind| kind.as_str() == word);
            let kinds: Option<_> = words.iter().map(kind).collect();
            kinds.ok_or(Rejection::InvalidParameter)?
        }
    };
    if kinds.is_empty() {
        return Err(Rejection::InvalidParameter);
    }
    if app.endpoints.directory().await.map_err(unavailable)?.len() >= ENDPOINTS_MAX {
        return Err(Rejection::TooManyEndpoints);
    }
    let (secret, now) = (secret(), app.clock.now());
    let endpoint = Endpoint {
        id: EndpointId::of(Uuid::new_v4()),
        url: url.into(),
        kinds,
        wants_links: asked.links,
        secrets: vec![KeptSecret {
            secret: secret.clone(),
            until: None,
        }],
        disabled: None,
        created_at: now,
        told_since: now,
        failing_since: None,
        paused_until: None,
        is_full: false,
        version: 1,
    };
    app.endpoints.create(&endpoint).await.map_err(unavailable)?;
    info!(endpoint.id = %endpoint.id, operator.name = who, outcome = "registered", "an operator registered an endpoint");
    Ok(json!({"endpoint": view(&endpoint), "secret": secret.expose()}))
}

/// Answers a call about one endpoint.
pub(crate) async fn call(
    app: &App,
    who: &str,
    id: &str,
    call: EndpointCall,
    query: &str,
    body: &[u8],
) -> Result<Value, Rejection> {
    let id: EndpointId = id.parse().map_err(|_| Rejection::NotFound)?;
    let now = app.clock.now();
    let (outcome, answer) = match call {
        EndpointCall::Delete => {
            get(app, &id).await?;
            app.endpoints.delete(&id).await.map_err(unavailable)?;
            ("deleted", json!({"endpointId": id.as_str()}))
        }
        EndpointCall::Enable => {
            let endpoint = change(app, &id, |endpoint| endpoint.enabled(now)).await?;
            ("enabled", json!({"endpoint": view(&endpoint)}))
        }
        EndpointCall::Disable => {
            // Also one that failed: from now on what happens is not kept for it.
            let disable = |endpoint: Endpoint| Endpoint {
                disabled: Some(DisabledBy::Operator),
                ..endpoint
            };
            let endpoint = change(app, &id, disable).await?;
            ("disabled", json!({"endpoint": view(&endpoint)}))
        }
        EndpointCall::RotateSecret => {
            let secret = secret();
            let rotate = |endpoint: Endpoint| endpoint.rotated(secret.clone(), now);
            let endpoint = change(app, &id, rotate).await?;
            let until = now.plus(SECRET_OVERLAP);
            let answer = json!({"endpoint": view(&endpoint), "secret": secret.expose(), "oldSecretUntil": until});
            ("rotated", answer)
        }
        EndpointCall::Test => ("tested", test(app, &id, now).await?),
        EndpointCall::Replay => ("replayed", replay(app, &id, &read(body)?, now).await?),
        EndpointCall::Deliveries => return deliveries(app, &id, query).await,
    };
    info!(endpoint.id = %id, operator.name = who, outcome, "an operator acted on an endpoint");
    Ok(answer)
}

/// Puts a delivery that says nothing but that it is a test.
async fn test(app: &App, id: &EndpointId, now: Timestamp) -> Result<Value, Rejection> {
    let endpoint = enabled(app, id).await?;
    let announcement = Announcement::endpoint_test(now);
    let to = Subscription {
        is_full: false,
        ..endpoint.subscription().ok_or(Rejection::EndpointDisabled)?
    };
    let put = app.hook_deliveries.put(&announcement, &to, now).await;
    put.map_err(unavailable)?;
    app.hook_bells.ring(HookBell::Work).await;
    Ok(json!({"eventId": announcement.id().as_str()}))
}

/// Has deliveries made again.
async fn replay(
    app: &App,
    id: &EndpointId,
    asked: &Replay,
    now: Timestamp,
) -> Result<Value, Rejection> {
    enabled(app, id).await?;
    let answer = match (&asked.event_id, asked.from, asked.to) {
        (Some(event), None, None) => {
            let event: HookEventId = event.parse().map_err(|_| Rejection::InvalidParameter)?;
            match app
                .hook_deliveries
                .replay(id, &event, now)
                .await
                .map_err(unavailable)?
            {
                DeliveryReplayed::Done => json!({"replayed": 1}),
                DeliveryReplayed::Waiting => json!({"replayed": 0}),
                DeliveryReplayed::Missing => return Err(Rejection::NotFound),
            }
        }
        (None, Some(from), to) => {
            let to = to.unwrap_or(now);
            if to < from {
                return Err(Rejection::InvalidParameter);
            }
            let before = to.to_string();
            let state = (!asked.delivered).then_some(HookState::Parked);
            let page = app
                .hook_deliveries
                .of(id, (from, &before), state, REPLAYED_MAX);
            let page = page.await.map_err(unavailable)?;
            let mut replayed = 0_u64;
            for record in &page.found {
                let done = app.hook_deliveries.replay(id, &record.event, now).await;
                replayed += u64::from(done.map_err(unavailable)? == DeliveryReplayed::Done);
            }
            // The latest come first: what is left lies before that one, or came about in the same millisecond.
            let left = page.next.as_ref();
            let left = left.map(|next| next.at().plus(Duration::from_millis(1)));
            json!({"replayed": replayed, "isMore": left.is_some(), "to": left})
        }
        _ => return Err(Rejection::InvalidParameter),
    };
    app.hook_bells.ring(HookBell::Work).await;
    Ok(answer)
}

/// The log of an endpoint, the latest first. Never a body.
async fn deliveries(app: &App, id: &EndpointId, query: &str) -> Result<Value, Rejection> {
    get(app, id).await?;
    let (mut state, mut before) = (None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "state" => {
                let word = value.to_uppercase();
                state = Some(
                    word.parse::<HookState>()
                        .map_err(|()| Rejection::InvalidParameter)?,
                );
            }
            "before" => {
                let event: HookEventId = value.parse().map_err(|_| Rejection::InvalidParameter)?;
                before = Some(event.sort_key());
            }
            _ => return Err(Rejection::InvalidParameter),
        }
    }
    // Behind every digit.
    let before = before.unwrap_or_else(|| "~".to_owned());
    let all = (Timestamp::from_ms(0), before.as_str());
    let page = app.hook_deliveries.of(id, all, state, PAGE).await;
    let page = page.map_err(unavailable)?;
    let found: Vec<Value> = page.found.iter().map(delivery_view).collect();
    let next = page.next.as_ref().map(HookEventId::as_str);
    Ok(json!({"deliveries": found, "isMore": next.is_some(), "before": next}))
}

async fn get(app: &App, id: &EndpointId) -> Result<Endpoint, Rejection> {
    let found = app.endpoints.get(id).await.map_err(unavailable)?;
    found.ok_or(Rejection::NotFound)
}

async fn enabled(app: &App, id: &EndpointId) -> Result<Endpoint, Rejection> {
    let endpoint = get(app, id).await?;
    match endpoint.disabled {
        None => Ok(endpoint),
        Some(_) => Err(Rejection::EndpointDisabled),
    }
}

async fn change(
    app: &App,
    id: &EndpointId,
    decide: impl Fn(Endpoint) -> Endpoint,
) -> Result<Endpoint, Rejection> {
    match app
        .endpoints
        .change(id, decide)
        .await
        .map_err(unavailable)?
    {
        Changed::Done(endpoint) => Ok(*endpoint),
        Changed::Missing => Err(Rejection::NotFound),
    }
}

/// A new secret: 32 bytes, 244 bits of them random.
fn secret() -> HookSecret {
    let mut bytes = [0; 32];
    for half in bytes.chunks_exact_mut(16) {
        half.copy_from_slice(Uuid::new_v4().as_bytes());
    }
    HookSecret::of_bytes(bytes)
}

fn view(endpoint: &Endpoint) -> Value {
    let types: Vec<&str> = endpoint.kinds.iter().map(|kind| kind.as_str()).collect();
    let mut view = json!({
        "endpointId": endpoint.id.as_str(), "url": endpoint.url, "types": types, "links": endpoint.wants_links,
        "isEnabled": endpoint.disabled.is_none(), "isFull": endpoint.is_full, "createdAt": endpoint.created_at,
    });
    if let Some(by) = endpoint.disabled {
        view["disabledBy"] = by.as_str().into();
    }
    let instants = [
        ("failingSince", endpoint.failing_since),
        ("pausedUntil", endpoint.paused_until),
    ];
    for (name, at) in instants {
        if let Some(at) = at {
            view[name] = json!(at);
        }
    }
    view
}

fn delivery_view(record: &DeliveryRecord) -> Value {
    let tries = record.tries.iter().map(|tried| {
        let status: Option<u16> = tried.answer.parse().ok();
        match status {
            Some(status) => json!({"at": tried.at, "ms": tried.ms, "status": status}),
            None => json!({"at": tried.at, "ms": tried.ms, "fault": tried.answer}),
        }
    });
    let mut view = json!({
        "eventId": record.event.as_str(), "type": record.kind.as_str(), "at": record.event.at(),
        "state": record.state.as_str(), "tries": tries.collect::<Vec<_>>(),
    });
    if let Some(next) = record.due_at {
        view["nextAt"] = json!(next);
    }
    view
}
