//! The listener and its connections, and the single request: bytes in, bytes out. What a call means is decided in
//! `dispatch`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Body;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::AwsState;
use super::call::Service;
use super::dispatch::{self, DispatchOutcome};
use super::response::AwsResponse;
use crate::socket::{Cut, Reset, Stream};

/// DynamoDB's own limit.
const DYNAMODB_BODY_BYTES: usize = 16 * 1024 * 1024;
/// A message of 1 MiB whose every byte is written as `\u00XX`, and the rest of the request.
const SQS_BODY_BYTES: usize = 6 * 1024 * 1024 + 256 * 1024;

/// Accepts until aborted. The connections are this task's own, so they end with it.
pub(crate) async fn serve(listener: TcpListener, state: Arc<AwsState>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&state)));
                }
                Err(error) => {
                    // Out of file descriptors, most likely: the listener is sound and a pause lets some go.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
}

async fn connection(stream: TcpStream, state: Arc<AwsState>) {
    let cut = Cut::default();
    let io = TokioIo::new(Stream::new(stream, cut.clone()));
    let service = service_fn(move |request| {
        let state = Arc::clone(&state);
        let cut = cut.clone();
        async move {
            let answered = answer(request, &state).await;
            if answered.is_err() {
                cut.cut();
            }
            answered.map(|response| response.map(Full::new))
        }
    });
    if let Err(error) = hyper::server::conn::http1::Builder::new()
        .serve_connection(io, service)
        .await
    {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Answers one request, on the task that asks.
pub(crate) async fn answer<B>(
    request: Request<B>,
    state: &Arc<AwsState>,
) -> Result<Response<Bytes>, Reset>
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    if head.method == Method::GET {
        return Ok(AwsResponse::ok("healthy").into_response());
    }
    let target = dispatch::target(&head.headers);
    let limit = match target {
        Some((Service::DynamoDb, _)) => DYNAMODB_BODY_BYTES,
        _ => SQS_BODY_BYTES,
    };
    // A length that is told is judged by itself: not one byte of such a body is read.
    if body.size_hint().lower() > limit as u64 {
        return Ok(AwsResponse::too_large().into_response());
    }
    let body = match Limited::new(body, limit).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Ok(AwsResponse::too_large().into_response());
        }
        Err(_) => return Err(Reset),
    };
    let Some((service, operation)) = target else {
        return Ok(AwsResponse::unknown_operation().into_response());
    };
    if let Some(refusal) = dispatch::unauthenticated(service, &head.headers, head.uri.query()) {
        return Ok(refusal.into_response());
    }
    match dispatch::call(state, service, operation, &body).await {
        DispatchOutcome::AwsResponse(answer) => Ok(answer.into_response()),
        DispatchOutcome::Reset => Err(Reset),
    }
}
