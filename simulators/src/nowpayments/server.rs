//! The HTTP side: from a request to a call of the API, through what goes wrong, to an answer; and the page of an invoice.
//!
//! A call is carried out by a task of its own, so that it goes on when its client has left: a client that gives up early
//! never knows what happened.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State as Extracted};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::sync::watch;

use super::api;
use super::fault::{self, Trouble};
use super::page;
use super::refusal::Refusal;
use super::request::{Answer, Request};
use super::shared::{ApiCall, Shared};
use crate::server::until;
use crate::socket::Cut;

const BAD_GATEWAY: &str = "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center>\
</body></html>";
const FIREWALL: &str =
    "<html><head><title>Just a moment...</title></head><body>Checking your browser</body></html>";
const JSON: &str = "application/json; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// What the client gets.
enum Reply {
    Sent(u16, &'static str, String),
    RateLimited(Option<u32>),
    Cut,
}

impl Reply {
    const fn status(&self) -> u16 {
        match self {
            Self::Sent(status, ..) => *status,
            Self::RateLimited(_) => 429,
            Self::Cut => 0,
        }
    }

    fn html(status: u16, page: &str) -> Self {
        Self::Sent(status, HTML, page.to_owned())
    }

    fn refusal(refusal: &Refusal) -> Self {
        Self::Sent(refusal.status, JSON, refusal.js().stringify())
    }
}

#[derive(Clone)]
struct Site {
    shared: Arc<Shared>,
    stopped: watch::Receiver<bool>,
}

pub(super) fn router(shared: Arc<Shared>, stopped: watch::Receiver<bool>) -> Router {
    Router::new()
        .fallback(handle)
        .with_state(Site { shared, stopped })
}

async fn handle(
    Extracted(site): Extracted<Site>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(path) = uri.path().strip_prefix("/v1/") else {
        let answer = page::answer(&site.shared, &method, &uri, &body);
        return answer.unwrap_or_else(|| StatusCode::NOT_FOUND.into_response());
    };
    let text = |name| {
        let value: Option<&HeaderValue> = headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let (endpoint, id) = api::route(&method, path).unwrap_or(("?", String::new()));
    let bearer = text(header::AUTHORIZATION);
    let request = Request {
        endpoint,
        id,
        query: uri.query().unwrap_or_default().to_owned(),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        api_key: text(header::HeaderName::from_static("x-api-key")),
        token: bearer.and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned)),
    };
    match tokio::spawn(call(site, request)).await {
        Ok(reply) => render(reply, &cut),
        Err(_) => render(Reply::Cut, &cut),
    }
}

async fn call(site: Site, request: Request) -> Reply {
    let shared = Arc::clone(&site.shared);
    let (number, trouble) = shared.change(|state, at_ms| {
        let number = state.arrived(ApiCall {
            endpoint: request.endpoint,
            id: request.id.clone(),
            body: request.body.clone(),
            status: 0,
            at_ms,
        });
        (number, fault::catch(&mut state.troubles, request.endpoint))
    });
    let reply = match trouble {
        Some(trouble) => suffer(&site, &request, trouble).await,
        None => perform(&shared, &request),
    };
    shared.change(|state, _| state.answered(number, reply.status()));
    reply
}

fn perform(shared: &Shared, request: &Request) -> Reply {
    if request.endpoint == "?" {
        return Reply::refusal(&Refusal::not_found("endpoint"));
    }
    let answer = shared.change(|state, now_ms| api::perform(state, request, now_ms));
    match answer {
        Ok(Answer::Json(status, body)) => Reply::Sent(status, JSON, body.stringify()),
        Ok(Answer::Text(text)) => Reply::Sent(200, HTML, text.to_owned()),
        Err(refusal) => Reply::refusal(&refusal),
    }
}

async fn suffer(site: &Site, request: &Request, trouble: Trouble) -> Reply {
    let shared = &site.shared;
    match trouble {
        Trouble::RateLimited { retry_after } => Reply::RateLimited(retry_after),
        Trouble::Internal => {
            let refusal = Refusal::new(500, "INTERNAL_ERROR", "Internal error");
            Reply::refusal(&refusal)
        }
        Trouble::BadGateway => Reply::html(502, BAD_GATEWAY),
        Trouble::BadGatewayAfterEffect => {
            perform(shared, request);
            Reply::html(502, BAD_GATEWAY)
        }
        Trouble::Firewall => Reply::html(403, FIREWALL),
        Trouble::Hang(span) => {
            if hang(site, span).await {
                perform(shared, request)
            } else {
                Reply::Cut
            }
        }
        Trouble::AnswerLate(span) => {
            let reply = perform(shared, request);
            if hang(site, span).await {
                reply
            } else {
                Reply::Cut
            }
        }
        Trouble::HangForever => {
            until(site.stopped.clone()).await;
            Reply::Cut
        }
        Trouble::ResetBefore => Reply::Cut,
        Trouble::ResetAfter => {
            perform(shared, request);
            Reply::Cut
        }
        Trouble::Garbage => {
            perform(shared, request);
            Reply::Sent(200, JSON, "{\"id\":\"45".to_owned())
        }
        Trouble::Refuse {
            status,
            code,
            message,
        } => Reply::refusal(&Refusal::new(status, &code, message)),
    }
}

/// False if the server stopped first.
async fn hang(site: &Site, span: Duration) -> bool {
    let span_ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 2);
    let until_ms = site.shared.clock.now_ms().saturating_add(span_ms);
    tokio::select! {
        biased;
        () = site.shared.clock.sleep_until(until_ms) => true,
        () = until(site.stopped.clone()) => false,
    }
}

fn render(reply: Reply, cut: &Cut) -> Response {
    let (status, kind, text, retry_after) = match reply {
        Reply::Sent(status, kind, text) => (status, kind, text, None),
        Reply::RateLimited(retry_after) => {
            let refusal = Refusal::new(429, "TOO_MANY_REQUESTS", "Too many requests");
            (429, JSON, refusal.js().stringify(), retry_after)
        }
        Reply::Cut => {
            cut.cut();
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(seconds) = retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
