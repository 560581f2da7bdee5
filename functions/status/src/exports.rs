//! `GET /v1/exports/{file}`: the file of all that is known of a person, for those who have its address.
//!
//! The address is its key: 32 drawn digits that the person was sent, or an operator. It works for a day, and as often as it
//! is opened until then: apps open an address by themselves to show what is behind it.

use bytes::Bytes;
use domain::job::JobId;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, Request, Response};
use runtime::auth::is_same_secret;
use runtime::response::Rejection;
use runtime::telemetry::chain;
use store::{ExportFile, StoreError};
use tracing::{error, info};

use crate::App;

/// What the path begins with.
pub(crate) const PATH: &str = "/v1/exports/";

pub(crate) async fn answer(app: &App, request: &Request<Bytes>) -> Response<Bytes> {
    match page(app, request).await {
        Ok(text) => file(text),
        Err(rejection) => {
            info!(outcome = rejection.code(), "a file was refused");
            rejection.answer()
        }
    }
}

async fn page(app: &App, request: &Request<Bytes>) -> Result<String, Rejection> {
    let (_, name) = request
        .uri()
        .path()
        .split_once(PATH)
        .ok_or(Rejection::NotFound)?;
    let (id, secret) = name.split_once('.').ok_or(Rejection::NotFound)?;
    let id: JobId = id.parse().map_err(|_| Rejection::NotFound)?;
    let page = match request.uri().query() {
        None | Some("") => 1,
        Some(query) => query
            .strip_prefix("page=")
            .and_then(|page| page.parse().ok())
            .ok_or(Rejection::InvalidParameter)?,
    };
    let unavailable = |fault: StoreError| {
        error!(job.id = %id, fault = "unavailable", "a file could not be read: {}", chain(&fault));
        Rejection::Unavailable
    };
    let job = app.jobs.get(&id).await.map_err(unavailable)?;
    let now = app.clock.now();
    let is_open = |file: &ExportFile| is_same_secret(&file.secret, secret) && now < file.until;
    let file = job.and_then(|job| job.file).filter(is_open);
    let file = file.ok_or(Rejection::NotFound)?;
    let text = app.jobs.page(&id, &file, page).await.map_err(unavailable)?;
    text.ok_or(Rejection::NotFound)
}

/// A file to be saved, never to be kept on the way.
fn file(text: String) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from(text));
    let headers = answer.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, "application/x-ndjson"),
        (CACHE_CONTROL, "no-store"),
        (
            CONTENT_DISPOSITION,
            "attachment; filename=\"my-data.jsonl\"",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}
