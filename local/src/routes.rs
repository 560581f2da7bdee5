//! The bundle's routes: those of the API gateway, and those of the page.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use common::answer::{Rejection, json};
use http::StatusCode;
use http::header::{ALLOW, HeaderValue};

use crate::demo::Demo;
use crate::functions::Functions;

/// The largest body that is read at all, in bytes: API Gateway's own limit is 10 MB, Lambda's 6 MB.
const BODY_MAX_BYTES: usize = 6 * 1024 * 1024;
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
        .route("/v1/telegram/webhook", post(webhook))
        .merge(crate::demo::routes())
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(async || answer(Rejection::NotFound.answer()))
        .with_state(Served { functions, demo })
}

async fn request(State(served): State<Served>, request: Request) -> Response {
    match whole(request).await {
        Ok(request) => {
            let response = request::handle(&served.functions.request, request).await;
            served.demo.saw_request(&response);
            answer(response)
        }
        Err(refusal) => refusal,
    }
}

async fn status(State(served): State<Served>, request: Request) -> Response {
    match whole(request).await {
        Ok(request) => answer(status::handle(&served.functions.status, request).await),
        Err(refusal) => refusal,
    }
}

async fn webhook(State(served): State<Served>, request: Request) -> Response {
    match whole(request).await {
        Ok(request) => answer(webhook::handle(&served.functions.webhook, request).await),
        Err(refusal) => refusal,
    }
}

/// Reads the whole body, within bounds of size and time.
async fn whole(request: Request) -> Result<http::Request<Bytes>, Response> {
    let (parts, body) = request.into_parts();
    match tokio::time::timeout(BODY_TIMEOUT, axum::body::to_bytes(body, BODY_MAX_BYTES)).await {
        Ok(Ok(body)) => Ok(http::Request::from_parts(parts, body)),
        Ok(Err(_)) => Err(answer(Rejection::TooLarge.answer())),
        Err(_) => {
            let error = serde_json::json!({"ok": false, "code": "timeout", "error": "The body did not come within 10 seconds."});
            Err(answer(json(StatusCode::REQUEST_TIMEOUT, &error)))
        }
    }
}

async fn method_not_allowed(request: Request) -> Response {
    let path = request.uri().path();
    let takes_post = ["/v1/invite/request", "/v1/telegram/webhook"].contains(&path)
        || path.starts_with("/bundle/demo/");
    let allowed = if takes_post { "POST" } else { "GET" };
    let error = serde_json::json!({"ok": false, "code": "method_not_allowed", "error": format!("This route takes {allowed}.")});
    let mut response = answer(json(StatusCode::METHOD_NOT_ALLOWED, &error));
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// A handler's answer as the server sends it.
pub(crate) fn answer(response: http::Response<Bytes>) -> Response {
    response.map(Body::from).into_response()
}
