//! The bundle's routes: those of the API gateway, and those of the page.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use bytes::Bytes;
use common::answer::{Rejection, json};
use futures_util::StreamExt as _;
use http::header::{CONNECTION, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{Method, StatusCode};

use crate::demo::Demo;
use crate::functions::Functions;

/// The largest body that is taken, in bytes: API Gateway's own limit is 10 MB, Lambda's 6 MB.
const BODY_MAX_BYTES: usize = 6 * 1024 * 1024;
/// The largest body that is read to its end, so that a caller hears that it is too large: one that is cut off in
/// mid-sentence hears nothing.
const BODY_READ_MAX_BYTES: usize = 16 * 1024 * 1024;
/// How long a caller may take to send its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What the routes reach.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) functions: Arc<Functions>,
    pub(crate) demo: Arc<Demo>,
}

/// All routes.
pub(crate) fn router(functions: Arc<Functions>, demo: Arc<Demo>) -> Router {
    Router::new()
        .route("/v1/invite/request", post(request))
        .route("/v1/invite/{request_id}", get(status))
        .route("/v1/invite/{request_id}/{action}", any(change))
        .route("/v1/telegram/webhook", post(webhook))
        .route("/v1/admin/{*rest}", any(admin))
        .merge(crate::demo::routes())
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(async || answer(Rejection::NotFound.answer()))
        .layer(from_fn(close_after_chunks))
        .with_state(Served { functions, demo })
}

/// A body in chunks ends its connection. If it told a length as well, a proxy in front may have believed that one, and
/// take what follows for somebody else's (RFC 9112, section 6.3); the server below shows us no such length.
async fn close_after_chunks(request: Request, next: Next) -> Response {
    let is_in_chunks = request.headers().contains_key(TRANSFER_ENCODING);
    let mut response = next.run(request).await;
    if is_in_chunks {
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// What is done with a body once it is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    /// Of a caller who shows no secret, and is refused whatever it holds: many of them must not fill the memory.
    Forgotten,
}

impl Served {
    async fn whole(&self, request: Request) -> Result<http::Request<Bytes>, Response> {
        let request = with_headers_joined(request);
        let fate = match self.functions.knows(request.headers()) {
            true => Fate::Kept,
            false => Fate::Forgotten,
        };
        read_within(request, BODY_MAX_BYTES, fate).await
    }
}

/// The request as API Gateway passes it on: of a header that is sent several times, the values are one, with commas between.
fn with_headers_joined(mut request: Request) -> Request {
    let headers = request.headers_mut();
    let names: Vec<HeaderName> = headers.keys().cloned().collect();
    for name in names {
        let values: Vec<&[u8]> = headers
            .get_all(&name)
            .iter()
            .map(HeaderValue::as_bytes)
            .collect();
        if values.len() > 1 {
            // Bytes of header values with commas between are a header value.
            if let Ok(joined) = HeaderValue::from_bytes(&values.join(&b","[..])) {
                headers.insert(name, joined);
            }
        }
    }
    request
}

async fn request(State(served): State<Served>, request: Request) -> Response {
    match served.whole(request).await {
        Ok(request) => answer(request::handle(&served.functions.request, request).await),
        Err(refusal) => refusal,
    }
}

async fn change(State(served): State<Served>, request: Request) -> Response {
    match served.whole(request).await {
        Ok(request) => answer(request::handle(&served.functions.request, request).await),
        Err(refusal) => refusal,
    }
}

async fn status(State(served): State<Served>, request: Request) -> Response {
    match served.whole(request).await {
        Ok(request) => answer(status::handle(&served.functions.status, request).await),
        Err(refusal) => refusal,
    }
}

async fn webhook(State(served): State<Served>, request: Request) -> Response {
    match served.whole(request).await {
        Ok(request) => answer(webhook::handle(&served.functions.webhook, request).await),
        Err(refusal) => refusal,
    }
}

async fn admin(State(served): State<Served>, request: Request) -> Response {
    // A route of `GET` takes `HEAD` too, and the function knows none.
    let is_head = request.method() == Method::HEAD;
    match served.whole(request).await {
        Ok(mut request) => {
            if is_head {
                *request.method_mut() = Method::GET;
            }
            answer(served.functions.administer(request).await)
        }
        Err(refusal) => refusal,
    }
}

/// Reads the whole body of a caller who has shown a key, within bounds of size and time.
pub(crate) async fn whole(request: Request, most: usize) -> Result<http::Request<Bytes>, Response> {
    read_within(request, most, Fate::Kept).await
}

async fn read_within(
    request: Request,
    most: usize,
    fate: Fate,
) -> Result<http::Request<Bytes>, Response> {
    let (parts, body) = request.into_parts();
    match tokio::time::timeout(BODY_TIMEOUT, read(body, most, fate)).await {
        Ok(Ok(body)) => Ok(http::Request::from_parts(parts, body)),
        Ok(Err(rejection)) => Err(answer(rejection.answer())),
        Err(_) => {
            let error = serde_json::json!({"ok": false, "code": "timeout", "error": "The body did not come within 10 seconds."});
            Err(answer(json(StatusCode::REQUEST_TIMEOUT, &error)))
        }
    }
}

async fn read(body: Body, most: usize, fate: Fate) -> Result<Bytes, Rejection> {
    let (mut chunks, mut kept, mut length) = (body.into_data_stream(), Vec::new(), 0_usize);
    while let Some(chunk) = chunks.next().await {
        // Not in chunks as it says, or cut off.
        let chunk = chunk.map_err(|_| Rejection::InvalidJson)?;
        length = length.saturating_add(chunk.len());
        if length > BODY_READ_MAX_BYTES {
            break;
        }
        if length > most {
            kept = Vec::new();
        } else if fate == Fate::Kept {
            kept.extend_from_slice(&chunk);
        }
    }
    if length > most {
        return Err(Rejection::TooLarge);
    }
    Ok(kept.into())
}

async fn method_not_allowed(request: Request) -> Response {
    let path = request.uri().path();
    let takes_post = ["/v1/invite/request", "/v1/telegram/webhook"].contains(&path)
        || path.starts_with("/bundle/demo/");
    let allowed = if takes_post { "POST" } else { "GET" };
    answer(Rejection::MethodNotAllowed(allowed).answer())
}

/// A handler's answer as the server sends it.
pub(crate) fn answer(response: http::Response<Bytes>) -> Response {
    response.map(Body::from).into_response()
}
