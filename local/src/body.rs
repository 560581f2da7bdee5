//! How bodies come in and answers go out: within bounds of size and time.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::StatusCode;
use runtime::response::{Rejection, json};

/// The largest body that is read to its end, so that a caller hears that it is too large: one that is cut off in
/// mid-sentence hears nothing.
const BODY_READ_MAX_BYTES: usize = 16 * 1024 * 1024;
/// How long a caller may take to send its body.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What is done with a body once it is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Kept,
    /// Of a caller who shows no secret, and is refused whatever it holds: many of them must not fill the memory.
    Forgotten,
}

/// Reads the whole body of a caller who has shown a key, within bounds of size and time.
pub(crate) async fn whole(request: Request, most: usize) -> Result<http::Request<Bytes>, Response> {
    read_within(request, most, Fate::Kept, BODY_TIMEOUT).await
}

/// Reads the whole body within bounds of size and time.
pub(crate) async fn read_within(
    request: Request,
    most: usize,
    fate: Fate,
    timeout: Duration,
) -> Result<http::Request<Bytes>, Response> {
    let (parts, body) = request.into_parts();
    match tokio::time::timeout(timeout, read(body, most, fate)).await {
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
        if length > BODY_READ_MAX_BYTES.max(most) {
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

/// A handler's answer as the server sends it.
pub(crate) fn answer(response: http::Response<Bytes>) -> Response {
    response.map(Body::from).into_response()
}
