//! The page at `/` and what it calls: the live state, and, in simulation, the parts of shop, buyer and saboteur.
//!
//! Everything but the page itself needs an API key. In simulation the page is served with the key in it, if the key was
//! made up: it then opens nothing but the simulation. So it is with an operator's key. Even so the page of a stranger
//! must not read them: it is served to who calls this machine by its address or as `localhost`, and others are asked
//! for the key.

mod acts;
mod board;
mod pools;
mod state;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::QueueAttributeName;
use axum::Router;
use axum::extract::State;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use common::answer::{Rejection, json};
use common::auth::Verifier;
use common::domain::id::ChatId;
use common::domain::link_pool::Targets;
use common::store::RateLimits;
use http::header::{
    CONTENT_SECURITY_POLICY, HOST, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::uri::Authority;
use http::{HeaderMap, StatusCode};
use simulators::aws::Aws;
use simulators::clock::Clock;
use simulators::telegram::{Limit, Rights, Status};
use tokio::sync::watch;

use crate::bundle::admin_key;
use crate::esm::EventSourceMapping;
use crate::folder::Folder;
use crate::functions::env_of;
use crate::routes::{Served, answer};
use crate::supervision::Watch;
use crate::timeline::Timeline;
use crate::world::World;

const PAGE: &str = include_str!("../page/index.html");
/// What the page may do: run its own script, and call where it came from.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// How long it is believed whether the stores answer.
const HEALTH_FOR: Duration = Duration::from_secs(1);
/// How long they may take.
const HEALTH_PATIENCE: Duration = Duration::from_secs(2);

/// What of the bundle the page reaches.
pub(crate) struct Stage {
    pub(crate) aws: Aws,
    pub(crate) dynamo: aws_sdk_dynamodb::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) queue_url: String,
    pub(crate) world: World,
    pub(crate) clock: Clock,
    pub(crate) worker: Arc<EventSourceMapping>,
    pub(crate) timeline: Timeline,
    pub(crate) watch: Arc<Watch>,
    pub(crate) stopping: watch::Receiver<bool>,
    pub(crate) folder: Option<Folder>,
    /// Whether the page is served with the key in it: it is made up, and opens nothing but a simulation.
    pub(crate) shows_key: bool,
    /// The same of an operator's key.
    pub(crate) shows_admin_key: bool,
}

impl Stage {
    async fn stores_answer(&self) -> bool {
        let table = self
            .dynamo
            .get_item()
            .table_name("InviteRequests")
            .key("requestId", AttributeValue::S("healthz".to_owned()));
        let queue = self
            .sqs
            .get_queue_attributes()
            .queue_url(&self.queue_url)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessages);
        let asked = async { tokio::join!(table.send(), queue.send()) };
        match tokio::time::timeout(HEALTH_PATIENCE, asked).await {
            Ok((table, queue)) => table.is_ok() && queue.is_ok(),
            Err(_) => false,
        }
    }
}

/// What the page sees and does.
pub(crate) struct Demo {
    keys: Verifier,
    page: String,
    api_key: String,
    limits: RateLimits,
    /// The chats by which payments are known.
    chats: Vec<ChatId>,
    stage: Stage,
    pools: pools::Pools,
    board: Arc<board::Board>,
    /// Tells this process from an earlier one.
    boot: u32,
    /// The limit that the visitor has set on simulated Telegram.
    limit: Mutex<Option<Limit>>,
    health: tokio::sync::Mutex<Option<(Instant, bool)>>,
}

impl Demo {
    pub(crate) fn new(env: &HashMap<String, String>, stage: Stage) -> Self {
        let value = |name| env.get(name).map(String::as_str).unwrap_or_default();
        let api_key = value("API_KEYS")
            .split(',')
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned();
        let key_in_page = if stage.shows_key {
            api_key.as_str()
        } else {
            ""
        };
        let admin_key_in_page = if stage.shows_admin_key {
            admin_key(env)
        } else {
            ""
        };
        let mut functions_env = env_of(env);
        let chats = functions_env.chats();
        let chats = chats.all().map(|(_, pool)| pool).collect();
        Self {
            keys: Verifier::api_keys(&mut env_of(env)),
            page: with_key(
                &with_key(PAGE, "admit-one-key", key_in_page),
                "admit-one-admin-key",
                admin_key_in_page,
            ),
            api_key,
            limits: RateLimits::from_env(stage.dynamo.clone(), &mut functions_env),
            chats,
            pools: pools::Pools::new(targets_of(env)),
            board: board::Board::start(stage.aws.clone()),
            boot: fastrand::u32(1..),
            stage,
            limit: Mutex::default(),
            health: tokio::sync::Mutex::default(),
        }
    }
}

fn targets_of(env: &HashMap<String, String>) -> Targets {
    let mut env = env_of(env);
    let chats = env.chats();
    env.link_pool_targets(&chats)
}

/// The page with a key in the `meta` element of this name.
fn with_key(page: &str, name: &str, key: &str) -> String {
    let element = |key| format!(r#"<meta name="{name}" content="{key}">"#);
    page.replacen(&element(""), &element(&attribute(key)), 1)
}

/// A text as the value of an HTML attribute.
fn attribute(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
}

/// The routes of the page.
pub(crate) fn routes() -> Router<Served> {
    Router::new()
        .route("/", get(page))
        .route("/healthz", get(healthz))
        .route("/bundle/state", get(state::state))
        .nest("/bundle/demo", acts::routes())
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

async fn page(State(served): State<Served>, headers: HeaderMap) -> Response {
    let page = if means_this_machine(&headers) {
        served.demo.page.clone()
    } else {
        PAGE.to_owned()
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
    match served.demo.is_healthy().await {
        true => answer(json(StatusCode::OK, &serde_json::json!({"ok": true}))),
        false => answer(Rejection::Unavailable.answer()),
    }
}

impl Demo {
    /// Whether the caller knows a key.
    pub(crate) fn admits(&self, headers: &HeaderMap) -> bool {
        self.keys.knows_api_key(headers)
    }

    fn limit(&self) -> Option<Limit> {
        *self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether tables and queues answer, as of the last second.
    pub(crate) async fn is_healthy(&self) -> bool {
        let mut known = self.health.lock().await;
        if let Some((at, is_healthy)) = *known
            && at.elapsed() < HEALTH_FOR
        {
            return is_healthy;
        }
        let is_healthy = !self.stage.aws.has_failed() && self.stage.stores_answer().await;
        *known = Some((Instant::now(), is_healthy));
        is_healthy
    }

    /// Whether simulated Telegram lets the bot make links.
    fn can_invite(&self) -> bool {
        self.stage.world.telegram.as_ref().is_some_and(|telegram| {
            telegram.server.status(telegram.chat_id, telegram.bot_id)
                == Status::Administrator(Rights::all())
        })
    }

    /// The refusal of a caller without key.
    fn refusal() -> Response {
        answer(Rejection::Unauthorized.answer())
    }
}
