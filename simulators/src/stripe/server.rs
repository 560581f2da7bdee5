//! The HTTP side: from a request to an operation, through keys, limits, kept answers and faults, to an answer.
//!
//! A request is carried out by a task of its own, so that it goes on when its client has left: as with the real server, a
//! client that gives up early never knows what happened.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::ask::{StripeAsk, StripeResult};
use super::expand;
use super::fault::StripeFault;
use super::form;
use super::idempotency::KeptAnswer;
use super::journal::StripeCall;
use super::keys;
use super::limit;
use super::page;
use super::refusal::StripeRefusal;
use super::routes::{self, StripeOperation};
use super::schema;
use super::shared::{StripeShared, StripeState};
use super::values::random_text;
use super::world::API_VERSION;
use crate::server::until;
use crate::socket::Cut;

const BAD_GATEWAY: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway\
</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";

/// What the client gets.
enum StripeReply {
    Json {
        status: u16,
        body: Value,
        request_id: String,
        /// The request that was answered first, if the answer had been kept.
        original: Option<String>,
        /// If Stripe asks the client not to try again, or to.
        should_retry: Option<bool>,
    },
    Html(u16, String),
    Redirect(String),
    Garbage,
    Cut,
}

impl StripeReply {
    fn status(&self) -> u16 {
        match self {
            Self::Json { status, .. } | Self::Html(status, _) => *status,
            Self::Redirect(_) => 303,
            Self::Garbage => 200,
            Self::Cut => 0,
        }
    }
}

#[derive(Clone)]
struct StripeSite {
    shared: Arc<StripeShared>,
    stopped: watch::Receiver<bool>,
}

/// A request as it came.
struct RawRequest {
    method: String,
    path: String,
    authorization: Option<String>,
    version: Option<String>,
    idempotency_key: Option<String>,
    params: Result<Map<String, Value>, StripeRefusal>,
}

pub(super) fn router(shared: Arc<StripeShared>, stopped: watch::Receiver<bool>) -> Router {
    Router::new()
        .fallback(handle)
        .with_state(StripeSite { shared, stopped })
}

async fn handle(
    State(site): State<StripeSite>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let clock = site.shared.clock.clone();
    let reply = if uri.path().starts_with("/v1/") {
        let raw = raw(&method, &uri, &headers, &body);
        match tokio::spawn(receive(site, raw)).await {
            Ok(reply) => reply,
            Err(_) => StripeReply::Cut,
        }
    } else {
        let form = form::read(&String::from_utf8_lossy(&body)).unwrap_or_default();
        match page::serve(&site.shared, method.as_str(), uri.path(), &form) {
            page::PageAnswer::Html(status, html) => StripeReply::Html(status, html),
            page::PageAnswer::Redirect(to) => StripeReply::Redirect(to),
        }
    };
    let mut response = render(reply, &cut);
    // By the simulated clock: the server below would tell the real time.
    let now = Duration::from_millis(u64::try_from(clock.now_ms()).unwrap_or(0));
    if let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(UNIX_EPOCH + now)) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

fn raw(method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> RawRequest {
    let text = |name: &str| {
        let value = headers.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let kind = text("content-type").unwrap_or_default().to_lowercase();
    let params = if body.is_empty() {
        form::read(uri.query().unwrap_or_default())
    } else if kind.starts_with("application/x-www-form-urlencoded") {
        let query = form::read(uri.query().unwrap_or_default());
        let body = form::read(&String::from_utf8_lossy(body));
        query.and_then(|mut query| {
            query.extend(body?);
            Ok(query)
        })
    } else {
        Err(StripeRefusal::invalid(
            "Invalid request (check that your POST content type is application/x-www-form-urlencoded). If you have any \
             questions, we can help at https://support.stripe.com/.",
        )
        .validation())
    };
    RawRequest {
        method: method.as_str().to_owned(),
        path: uri.path().to_owned(),
        authorization: text("authorization"),
        version: text("stripe-version"),
        idempotency_key: text("idempotency-key"),
        params,
    }
}

/// A request that got as far as the faults and the operation.
struct AdmittedRequest {
    operation: &'static StripeOperation,
    id: String,
    livemode: bool,
    request_id: String,
    /// The key under which the answer is kept.
    key: Option<String>,
    params: Map<String, Value>,
}

enum Admission {
    Go(Box<AdmittedRequest>),
    Kept(KeptAnswer),
}

async fn receive(site: StripeSite, raw: RawRequest) -> StripeReply {
    let shared = Arc::clone(&site.shared);
    let request_id = format!("req_{}", random_text(14));
    let (number, admission) = shared.change(|state| {
        let at_ms = shared.clock.now_ms();
        let number = state.journal.arrived(StripeCall {
            method: raw.method.clone(),
            path: raw.path.clone(),
            params: raw.params.clone().map_or(Value::Null, Value::Object),
            idempotency_key: raw.idempotency_key.clone(),
            was_replayed: false,
            status: 0,
            message: None,
            at_ms,
        });
        (number, admit(state, &raw, &request_id, at_ms))
    });
    let reply = match admission {
        Err(refusal) => refused(&refusal, &request_id),
        Ok(Admission::Kept(kept)) => StripeReply::Json {
            status: kept.status,
            body: kept.body,
            request_id,
            original: Some(kept.request_id),
            should_retry: None,
        },
        Ok(Admission::Go(request)) => carry_out(&site, *request, &raw.path).await,
    };
    shared.change(|state| {
        state.journal.answered(number, |call| {
            call.status = reply.status();
            if let StripeReply::Json { body, original, .. } = &reply {
                call.was_replayed = original.is_some();
                call.message = body["error"]["message"].as_str().map(str::to_owned);
            }
        });
    });
    reply
}

fn refused(refusal: &StripeRefusal, request_id: &str) -> StripeReply {
    StripeReply::Json {
        status: refusal.status,
        body: refusal.body(request_id),
        request_id: request_id.to_owned(),
        original: None,
        should_retry: (refusal.status == 409 || refusal.status == 429).then_some(true),
    }
}

/// Everything that comes before an operation begins to execute.
fn admit(
    state: &mut StripeState,
    raw: &RawRequest,
    request_id: &str,
    now_ms: i64,
) -> Result<Admission, StripeRefusal> {
    let api_key = state.keys.check(raw.authorization.as_deref())?;
    let livemode = keys::is_live(&api_key);
    if let Some(version) = raw
        .version
        .as_deref()
        .filter(|version| *version != API_VERSION)
    {
        let versions = &schema::document()["paths"]["/v1/webhook_endpoints"]["post"]["requestBody"]
            ["content"]["application/x-www-form-urlencoded"]["schema"]["properties"]["api_version"]
            ["enum"];
        let is_known = versions
            .as_array()
            .is_some_and(|known| known.iter().any(|known| known == version));
        return Err(if is_known {
            StripeRefusal::not_simulated(&format!("the API version {version}"))
        } else {
            StripeRefusal::invalid(format!("Invalid Stripe API version: {version}")).validation()
        });
    }
    let Some((operation, id)) = routes::find(&raw.method, &raw.path) else {
        let message = format!(
            "Unrecognized request URL ({}: {}). Please see https://stripe.com/docs or we can help at \
             https://support.stripe.com/.",
            raw.method, raw.path
        );
        return Err(StripeRefusal::new(404, "invalid_request_error", message).validation());
    };
    state.keys.allow(&api_key, operation.right)?;
    let endpoint = format!("{} {}", operation.method, operation.path);
    state.counts.admit(livemode, &endpoint, now_ms)?;
    let params = raw.params.clone()?;
    let key = raw
        .idempotency_key
        .clone()
        .filter(|_| operation.method == "POST");
    if let Some(key) = &key {
        let given = Value::Object(params.clone());
        let fingerprint = format!("{} {} {given}", raw.method, raw.path);
        if let Some(kept) = state.kept.begin(livemode, key, &fingerprint, now_ms)? {
            return Ok(Admission::Kept(kept));
        }
    }
    Ok(Admission::Go(Box::new(AdmittedRequest {
        operation,
        id,
        livemode,
        request_id: request_id.to_owned(),
        key,
        params,
    })))
}

async fn carry_out(site: &StripeSite, request: AdmittedRequest, path: &str) -> StripeReply {
    let shared = &site.shared;
    let now_ms = shared.clock.now_ms();
    let fault = shared.change(|state| state.faults.catch(request.operation.method, path));
    let internal = || {
        StripeRefusal::new(
            500,
            "api_error",
            "An unknown error occurred. If you have any questions, we can help at https://support.stripe.com/.",
        )
    };
    let Some(fault) = fault else {
        return perform(shared, &request);
    };
    match fault {
        StripeFault::Internal => finish(shared, &request, Err(internal())),
        StripeFault::InternalAfterEffect => {
            let _ = execute(shared, &request);
            finish(shared, &request, Err(internal()))
        }
        StripeFault::BadGateway => {
            give_free(shared, &request);
            StripeReply::Html(502, BAD_GATEWAY.to_owned())
        }
        StripeFault::RateLimited => finish(shared, &request, Err(limit::rate_limited())),
        StripeFault::LockTimeout => finish(shared, &request, Err(limit::lock_timeout())),
        StripeFault::HangThenSucceed(span) => {
            if !hang(site, now_ms + millis(span)).await {
                return StripeReply::Cut;
            }
            perform(shared, &request)
        }
        StripeFault::AnswerLate(span) => {
            let reply = perform(shared, &request);
            if hang(site, now_ms + millis(span)).await {
                reply
            } else {
                StripeReply::Cut
            }
        }
        StripeFault::HangForever => {
            until(site.stopped.clone()).await;
            StripeReply::Cut
        }
        StripeFault::ResetBefore => {
            give_free(shared, &request);
            StripeReply::Cut
        }
        StripeFault::ResetAfter => {
            perform(shared, &request);
            StripeReply::Cut
        }
        StripeFault::Garbage => {
            perform(shared, &request);
            StripeReply::Garbage
        }
        StripeFault::Refuse(refusal) => finish(shared, &request, Err(refusal)),
    }
}

fn perform(shared: &StripeShared, request: &AdmittedRequest) -> StripeReply {
    let result = execute(shared, request);
    finish(shared, request, result)
}

fn execute(shared: &StripeShared, request: &AdmittedRequest) -> StripeResult {
    let operation = request.operation;
    let params = schema::check(
        operation.method,
        operation.path,
        request.params.clone(),
        operation.simulated,
    )?;
    let ask = StripeAsk {
        id: request.id.clone(),
        params,
    };
    shared.change(|state| {
        let is_elsewhere = {
            let other = state.world(!request.livemode);
            super::kind::ObjectKind::of_id(&ask.id)
                .is_some_and(|kind| other.get(kind, &ask.id).is_some())
        };
        let world = state.world(request.livemode);
        world.request = (Some(request.request_id.clone()), request.key.clone());
        let result = (operation.run)(world, &ask).and_then(|mut answer| {
            expand::expand(world, &mut answer, &ask.params["expand"])?;
            Ok(answer)
        });
        world.request = (None, None);
        result.map_err(|mut refusal| {
            if is_elsewhere && refusal.code.as_deref() == Some("resource_missing") {
                let (this, other) = if request.livemode {
                    ("live", "test")
                } else {
                    ("test", "live")
                };
                refusal.message.push_str(&format!(
                    "; a similar object exists in {other} mode, but a {this} mode key was used to make this request."
                ));
            }
            refusal
        })
    })
}

/// Forms the answer, and keeps it under the request's key if it is to be kept.
fn finish(shared: &StripeShared, request: &AdmittedRequest, result: StripeResult) -> StripeReply {
    let request_id = &request.request_id;
    let (status, body, is_kept) = match &result {
        Ok(body) => (200, body.clone(), true),
        Err(refusal) => (
            refusal.status,
            refusal.body(request_id),
            !refusal.is_validation,
        ),
    };
    if let Some(key) = &request.key {
        let answer = is_kept.then(|| KeptAnswer {
            status,
            body: body.clone(),
            request_id: request_id.clone(),
        });
        shared.change(|state| state.kept.end(request.livemode, key, answer));
    }
    match result {
        Err(refusal) => refused(&refusal, request_id),
        Ok(_) => StripeReply::Json {
            status,
            body,
            request_id: request_id.clone(),
            original: None,
            should_retry: None,
        },
    }
}

/// The request left no trace.
fn give_free(shared: &StripeShared, request: &AdmittedRequest) {
    if let Some(key) = &request.key {
        shared.change(|state| state.kept.end(request.livemode, key, None));
    }
}

/// False if the server stopped first.
async fn hang(site: &StripeSite, until_ms: i64) -> bool {
    tokio::select! {
        biased;
        () = site.shared.clock.sleep_until(until_ms) => true,
        () = until(site.stopped.clone()) => false,
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 2)
}

fn render(reply: StripeReply, cut: &Cut) -> Response {
    let Ok(status) = StatusCode::from_u16(reply.status()) else {
        cut.cut();
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut headers: Vec<(HeaderName, String)> = Vec::new();
    let (kind, text) = match reply {
        StripeReply::Json {
            body,
            request_id,
            original,
            should_retry,
            ..
        } => {
            headers.push((HeaderName::from_static("request-id"), request_id));
            headers.push((
                HeaderName::from_static("stripe-version"),
                API_VERSION.to_owned(),
            ));
            if let Some(original) = original {
                headers.push((HeaderName::from_static("original-request"), original));
                headers.push((
                    HeaderName::from_static("idempotent-replayed"),
                    "true".to_owned(),
                ));
            }
            if let Some(should_retry) = should_retry {
                headers.push((
                    HeaderName::from_static("stripe-should-retry"),
                    should_retry.to_string(),
                ));
            }
            let text = serde_json::to_string_pretty(&body).unwrap_or_default();
            ("application/json", text)
        }
        StripeReply::Html(_, html) => ("text/html; charset=utf-8", html),
        StripeReply::Redirect(to) => {
            headers.push((header::LOCATION, to));
            ("text/html; charset=utf-8", String::new())
        }
        StripeReply::Garbage => ("application/json", "{\"id\": \"cs_te".to_owned()),
        StripeReply::Cut => ("text/plain", String::new()),
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let shown = response.headers_mut();
    shown.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            shown.insert(name, value);
        }
    }
    response
}
