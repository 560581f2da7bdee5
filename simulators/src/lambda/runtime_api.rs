//! The runtime API of one execution environment: `next`, `response`, `error`, `init/error`, version 2018-06-01.
//!
//! Keeps the rule that an event is answered at most once, and only under its own request id.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// Lambda's limit for a synchronous request or response.
const MAX_PAYLOAD_BYTES: usize = 6 * 1024 * 1024;

/// An error that a function reported itself, by `error` or `init/error`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase", default)]
#[error("{error_type}: {error_message}")]
pub struct FunctionFault {
    /// The error's class, as the runtime names it.
    pub error_type: String,
    /// The error's text.
    pub error_message: String,
}

impl FunctionFault {
    fn parse(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_else(|_| Self {
            error_type: "Unreadable".to_owned(),
            error_message: String::from_utf8_lossy(body).into_owned(),
        })
    }
}

/// What an invocation came to, as far as the function told.
pub(super) type FunctionOutcome = Result<Vec<u8>, FunctionFault>;

/// One event on its way to the function.
pub(super) struct Invocation {
    pub(super) request_id: String,
    pub(super) deadline_ms: i64,
    pub(super) payload: Vec<u8>,
    pub(super) answer: oneshot::Sender<FunctionOutcome>,
}

/// How far the function has come; watched by whoever waits for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    pub(super) ready_after: Option<Duration>,
    pub(super) init_fault: Option<FunctionFault>,
    pub(super) exit: Option<std::process::ExitStatus>,
}

/// What the API's routes share.
pub(super) struct RuntimeApi {
    spawned_at: Instant,
    function_arn: String,
    queue: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    in_flight: Mutex<Option<(String, oneshot::Sender<FunctionOutcome>)>>,
    progress: watch::Sender<Progress>,
}

impl RuntimeApi {
    /// The API of a process that is about to be spawned. Time to ready counts from here.
    pub(super) fn new(
        function_arn: String,
        queue: mpsc::Receiver<Invocation>,
        progress: watch::Sender<Progress>,
    ) -> Arc<Self> {
        Arc::new(Self {
            spawned_at: Instant::now(),
            function_arn,
            queue: tokio::sync::Mutex::new(queue),
            in_flight: Mutex::new(None),
            progress,
        })
    }

    /// The API's routes.
    pub(super) fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route(
                "/2018-06-01/runtime/invocation/{request_id}/response",
                post(response),
            )
            .route(
                "/2018-06-01/runtime/invocation/{request_id}/error",
                post(error),
            )
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .layer(DefaultBodyLimit::max(MAX_PAYLOAD_BYTES))
            .with_state(self)
    }

    fn in_flight(&self) -> MutexGuard<'_, Option<(String, oneshot::Sender<FunctionOutcome>)>> {
        self.in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, request_id: &str, outcome: FunctionOutcome) -> StatusCode {
        match self.in_flight().take_if(|(id, _)| id == request_id) {
            Some((_, answer)) => {
                // Nobody listens any more when the invocation has just timed out.
                let _ = answer.send(outcome);
                StatusCode::ACCEPTED
            }
            None => StatusCode::BAD_REQUEST,
        }
    }
}

/// Hands out the next event, whenever it comes. The first call is what "ready" means.
async fn next(State(api): State<Arc<RuntimeApi>>) -> Response {
    let ready_after = api.spawned_at.elapsed();
    api.progress.send_if_modified(|progress| {
        let first = progress.ready_after.is_none();
        progress.ready_after.get_or_insert(ready_after);
        first
    });
    let Some(invocation) = api.queue.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let trace_id = format!(
        "Root=1-{:08x}-{}",
        invocation.deadline_ms / 1000,
        invocation
            .request_id
            .replace('-', "")
            .get(..24)
            .unwrap_or_default()
    );
    let headers = [
        (
            "lambda-runtime-aws-request-id",
            invocation.request_id.clone(),
        ),
        (
            "lambda-runtime-deadline-ms",
            invocation.deadline_ms.to_string(),
        ),
        (
            "lambda-runtime-invoked-function-arn",
            api.function_arn.clone(),
        ),
        ("lambda-runtime-trace-id", trace_id),
        (header::CONTENT_TYPE.as_str(), "application/json".to_owned()),
    ];
    *api.in_flight() = Some((invocation.request_id, invocation.answer));
    (headers, Body::from(invocation.payload)).into_response()
}

async fn response(
    State(api): State<Arc<RuntimeApi>>,
    Path(request_id): Path<String>,
    body: Bytes,
) -> StatusCode {
    api.settle(&request_id, Ok(body.to_vec()))
}

async fn error(
    State(api): State<Arc<RuntimeApi>>,
    Path(request_id): Path<String>,
    body: Bytes,
) -> StatusCode {
    api.settle(&request_id, Err(FunctionFault::parse(&body)))
}

async fn init_error(State(api): State<Arc<RuntimeApi>>, body: Bytes) -> StatusCode {
    api.progress
        .send_modify(|progress| progress.init_fault = Some(FunctionFault::parse(&body)));
    StatusCode::ACCEPTED
}
