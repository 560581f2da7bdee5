//! The page at `/`, the till at `/local/till`, and what they call: the live state, and, in simulation, the parts of shop, buyer, saboteur
//! and of people with their phones.
//!
//! Everything but the page itself needs an API key. In simulation the page is served with the key in it, if the key was
//! made up: it then opens nothing but the simulation. So it is with an operator's key. Even so the page of a stranger
//! must not read them: it is served to who calls this machine by its address or as `localhost`, and others are asked
//! for the key.

mod actions;
mod board;
mod cast;
mod context;
mod phone;
mod pools;
mod state;
mod till;

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use http::header::{
    CONTENT_SECURITY_POLICY, HOST, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::uri::Authority;
use http::{HeaderMap, StatusCode};
use runtime::response::{Rejection, json};

use crate::body::answer;
use crate::functions::Functions;

pub(crate) use context::{Handles, Page};
use context::{KeyedPage, Served};

/// What the page may do: run its own script, and call where it came from.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The routes of the page.
pub(crate) fn routes(page: Arc<Page>, functions: Arc<Functions>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/healthz", get(healthz))
        .route("/local/state", get(state::state))
        .route("/local/till", get(till_page))
        .route("/local/till/state", get(till::state))
        .nest(
            "/local/actions",
            actions::routes()
                .merge(phone::routes())
                .merge(till::routes()),
        )
        .with_state(Served { functions, page })
}

/// Whether the caller means this machine: by an address, or as `localhost`. A browser sends the name that its address bar
/// shows, so a name that a stranger has pointed at this machine (DNS rebinding) is seen here.
fn means_this_machine(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let authority = host.and_then(|host| host.parse::<Authority>().ok());
    authority.is_some_and(|authority| {
        let name = authority.host();
        let rest = authority.as_str().strip_prefix(name);
        let is_whole = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
        let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        is_whole && (is_address || name.eq_ignore_ascii_case("localhost"))
    })
}

async fn index(State(served): State<Served>, headers: HeaderMap) -> Response {
    html(&served.page.index, &headers)
}

async fn till_page(State(served): State<Served>, headers: HeaderMap) -> Response {
    html(&served.page.till_page, &headers)
}

fn html(page: &KeyedPage, headers: &HeaderMap) -> Response {
    let page = if means_this_machine(headers) {
        page.with_keys.clone()
    } else {
        page.plain.clone()
    };
    let mut response = Html(page).into_response();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (http::header::CACHE_CONTROL, "no-store"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether the stores answer, for who watches this machine or balances load. Needs no key, so it asks at most once a
/// second, whoever calls how often.
async fn healthz(State(served): State<Served>) -> Response {
    match served.page.is_healthy().await {
        true => answer(json(StatusCode::OK, &serde_json::json!({"ok": true}))),
        false => answer(Rejection::Unavailable.answer()),
    }
}
