//! The HTTP side: who may call, how often, and what is answered.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

use super::fault::{self, Mode};
use super::rules;
use super::store::{Attempt, IngestOutcome, Store};
use crate::clock::Clock;
use crate::server::until;
use crate::socket::Cut;

const DOWN: &str = "<html><head><title>503 Service Temporarily Unavailable</title></head><body><center><h1>503 Service \
Temporarily Unavailable</h1></center></body></html>";
const CHALLENGE: &str =
    "<html><head><title>Just a moment...</title></head><body>Checking your browser</body></html>";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) license: String,
    pub(super) api_key: Mutex<String>,
    store: Mutex<Store>,
    pub(super) changed: Notify,
}

impl Shared {
    pub(super) fn new(clock: Clock, license: &str, api_key: &str, limit_per_minute: u32) -> Self {
        Self {
            clock,
            license: license.to_owned(),
            api_key: Mutex::new(api_key.to_owned()),
            store: Mutex::new(Store::new(limit_per_minute)),
            changed: Notify::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_key(&self, headers: &HeaderMap) -> bool {
        let key = self.api_key.lock().unwrap_or_else(PoisonError::into_inner);
        let given = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        given.and_then(|value| value.strip_prefix("Bearer ")) == Some(key.as_str())
    }
}

#[derive(Clone)]
struct Site {
    shared: Arc<Shared>,
    stopped: watch::Receiver<bool>,
}

/// What the client gets.
struct Reply {
    status: u16,
    body: Result<Value, &'static str>,
    outcome: IngestOutcome,
    retry_after: Option<u32>,
    remaining: Option<(u32, u32)>,
}

impl Reply {
    fn error(status: u16, message: impl Into<String>) -> Self {
        let body = json!({"response": {"status": "error", "message": message.into()}});
        Self {
            status,
            body: Ok(body),
            outcome: IngestOutcome::Refused,
            retry_after: None,
            remaining: None,
        }
    }

    fn cut(outcome: IngestOutcome) -> Self {
        Self {
            status: 0,
            body: Err(""),
            outcome,
            retry_after: None,
            remaining: None,
        }
    }

    fn message(&self) -> Option<String> {
        self.body
            .as_ref()
            .ok()
            .and_then(|body| body["response"]["message"].as_str())
            .map(str::to_owned)
    }
}

pub(super) fn router(shared: Arc<Shared>, stopped: watch::Receiver<bool>) -> Router {
    let not_found = || async { StatusCode::NOT_FOUND };
    Router::new()
        .route("/v1/accounts/{license}/events", post(events))
        .fallback(not_found)
        .with_state(Site { shared, stopped })
}

async fn events(
    State(site): State<Site>,
    Path(license): Path<String>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    // A task of its own: what was accepted goes on when the client leaves.
    match tokio::spawn(receive(site, license, headers, body)).await {
        Ok(reply) => render(reply, &cut),
        Err(_) => render(Reply::cut(IngestOutcome::Refused), &cut),
    }
}

async fn receive(site: Site, license: String, headers: HeaderMap, body: Bytes) -> Reply {
    let shared = Arc::clone(&site.shared);
    let body: Option<Value> = serde_json::from_slice(&body).ok();
    let request_id = headers
        .get(REQUEST_ID)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let at_ms = shared.clock.now_ms();
    let event_name = body
        .as_ref()
        .and_then(|body| body["eventName"].as_str())
        .unwrap_or_default()
        .to_owned();
    let (number, mode) = {
        let mut store = shared.lock();
        let number = store.arrived(Attempt {
            request_id: request_id.clone(),
            body: body.clone().unwrap_or(Value::Null),
            status: 0,
            outcome: IngestOutcome::Waiting,
            message: None,
            at_ms,
        });
        let Store { failures, mode, .. } = &mut *store;
        (number, fault::next(failures, mode, &event_name))
    };
    shared.changed.notify_waiters();
    let genuine = || {
        process(
            &shared,
            &license,
            &headers,
            request_id.as_deref(),
            body.clone(),
        )
    };
    let reply = match mode {
        Mode::Up => genuine(),
        Mode::Down => Reply {
            body: Err(DOWN),
            ..Reply::error(503, "")
        },
        Mode::Page => Reply {
            body: Err(CHALLENGE),
            ..Reply::error(200, "")
        },
        Mode::Forbidden => Reply {
            body: Err(CHALLENGE),
            ..Reply::error(403, "")
        },
        Mode::Challenge => Reply {
            body: Err(CHALLENGE),
            retry_after: Some(30),
            ..Reply::error(202, "")
        },
        Mode::ErrorWithin200 => Reply::error(200, "Something went wrong"),
        Mode::InternalError => Reply::error(500, "Internal server error"),
        Mode::InternalErrorAfterIngesting => Reply {
            outcome: genuine().outcome,
            ..Reply::error(500, "Internal server error")
        },
        Mode::RateLimited { retry_after } => {
            let limit = shared.lock().limit_per_minute;
            Reply {
                retry_after,
                remaining: Some((limit, 0)),
                ..Reply::error(429, "Rate limit exceeded")
            }
        }
        Mode::Unauthorized => Reply::error(401, "Authentication failed"),
        Mode::NotFound => Reply::error(404, "Account not found"),
        Mode::BadRequest => Reply::error(400, "Invalid request"),
        Mode::Hang(span) => {
            let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 2);
            tokio::select! {
                biased;
                () = shared.clock.sleep_until(at_ms + span) => genuine(),
                () = until(site.stopped.clone()) => Reply::cut(IngestOutcome::Refused),
            }
        }
        Mode::HangForever => {
            until(site.stopped.clone()).await;
            Reply::cut(IngestOutcome::Refused)
        }
        Mode::ResetBefore => Reply::cut(IngestOutcome::Refused),
        Mode::ResetAfter => Reply::cut(genuine().outcome),
    };
    shared
        .lock()
        .answered(number, reply.status, reply.outcome, reply.message());
    shared.changed.notify_waiters();
    reply
}

fn process(
    shared: &Shared,
    license: &str,
    headers: &HeaderMap,
    id: Option<&str>,
    body: Option<Value>,
) -> Reply {
    if license != shared.license {
        return Reply::error(404, "Account not found");
    }
    if !shared.has_key(headers) {
        return Reply::error(401, "Authentication failed");
    }
    let now_ms = shared.clock.now_ms();
    let mut store = shared.lock();
    let limit = store.limit_per_minute;
    let Some(left) = store.admit(now_ms) else {
        return Reply {
            remaining: Some((limit, 0)),
            ..Reply::error(429, "Rate limit exceeded")
        };
    };
    let remaining = Some((limit, left));
    let bad = |message: String| Reply {
        remaining,
        ..Reply::error(400, message)
    };
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if !kind.to_lowercase().starts_with("application/json") {
        return bad("Content-Type must be application/json".into());
    }
    let Some(body) = body else {
        return bad("The request body is not JSON".into());
    };
    if let Err(message) = rules::check(&body) {
        return bad(message);
    }
    if let Some(id) = id
        && (id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        return bad("simulator: x-request-id must be hexadecimal".into());
    }
    let outcome = store.ingest(id, body, now_ms);
    let queued = json!({"response": {"status": "queued"}});
    Reply {
        status: 201,
        body: Ok(queued),
        outcome,
        retry_after: None,
        remaining,
    }
}

fn render(reply: Reply, cut: &Cut) -> Response {
    let Ok(status) = StatusCode::from_u16(reply.status) else {
        cut.cut();
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let (kind, text) = match reply.body {
        Ok(body) => ("application/json", body.to_string()),
        Err(page) => ("text/html", page.to_owned()),
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(seconds) = reply.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some((limit, left)) = reply.remaining {
        headers.insert(LIMIT, HeaderValue::from(limit));
        headers.insert(REMAINING, HeaderValue::from(left));
    }
    response
}
