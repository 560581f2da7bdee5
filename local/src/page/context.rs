//! What the page sees and reaches.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::QueueAttributeName;
use axum::response::Response;
use domain::id::ChatId;
use domain::link_pool::Targets;
use http::HeaderMap;
use runtime::auth::Verifier;
use runtime::response::Rejection;
use runtime::settings;
use simulators::aws::Aws;
use simulators::clock::Clock;
use simulators::telegram::{Limit, MemberStatus, Rights};
use store::RateLimits;
use tokio::sync::watch;

use super::{board, cast, pools, till};
use crate::body::answer;
use crate::data_dir::DataDir;
use crate::env::env_of;
use crate::event_source_mapping::EventSourceMapping;
use crate::externals::Externals;
use crate::functions::Functions;
use crate::keys::admin_key;
use crate::supervision::Watch;
use crate::timeline::Timeline;

/// What the pages share of their looks.
const LOOKS: &str = include_str!("looks.css");

/// How long it is believed whether the stores answer.
const HEALTH_FOR: Duration = Duration::from_secs(1);
/// How long they may take.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);

/// What the routes of the page reach.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) functions: Arc<Functions>,
    pub(super) page: Arc<Page>,
}

/// What of the local stack the page reaches.
pub(crate) struct Handles {
    pub(crate) aws: Aws,
    pub(crate) dynamo: aws_sdk_dynamodb::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) queue_url: String,
    pub(crate) externals: Externals,
    pub(crate) clock: Clock,
    pub(crate) worker: Arc<EventSourceMapping>,
    pub(crate) timeline: Timeline,
    pub(crate) watch: Arc<Watch>,
    pub(crate) stopping: watch::Receiver<bool>,
    pub(crate) data_dir: Option<DataDir>,
    /// Whether the page is served with the key in it: it is made up, and opens nothing but a simulation.
    pub(crate) shows_key: bool,
    /// The same of an operator's key.
    pub(crate) shows_admin_key: bool,
}

impl Handles {
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
        match tokio::time::timeout(HEALTH_TIMEOUT, asked).await {
            Ok((table, queue)) => table.is_ok() && queue.is_ok(),
            Err(_) => false,
        }
    }
}

/// A page as those get it who may see the keys, and as others do.
pub(super) struct KeyedPage {
    pub(super) with_keys: String,
    pub(super) plain: String,
}

impl KeyedPage {
    fn new(page: &str, key: &str, admin_key: &str) -> Self {
        let plain = page.replacen("/* looks.css */", LOOKS, 1);
        let with_key_of_shop = with_key(&plain, "admit-one-key", key);
        Self {
            with_keys: with_key(&with_key_of_shop, "admit-one-admin-key", admin_key),
            plain,
        }
    }
}

/// What the page sees and does.
pub(crate) struct Page {
    keys: Verifier,
    pub(super) index: KeyedPage,
    pub(super) till_page: KeyedPage,
    pub(super) till: till::Till,
    pub(super) api_key: String,
    pub(super) limits: RateLimits,
    /// The chats by which payments are known.
    pub(super) chats: Vec<ChatId>,
    /// Whether the buyers of a chat get claim links.
    pub(super) is_claimed: bool,
    /// Whose phone the page shows.
    pub(super) cast: cast::Cast,
    pub(super) handles: Handles,
    pub(super) pools: pools::Pools,
    pub(super) board: Arc<board::InviteBoard>,
    /// Tells this process from an earlier one.
    pub(super) boot: u32,
    /// The limit that the visitor has set on simulated Telegram.
    pub(super) limit: Mutex<Option<Limit>>,
    health: tokio::sync::Mutex<Option<(Instant, bool)>>,
}

impl Page {
    pub(crate) fn new(env: &HashMap<String, String>, handles: Handles) -> Self {
        let value = |name| env.get(name).map(String::as_str).unwrap_or_default();
        let api_key = value("API_KEYS")
            .split(',')
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned();
        let key_in_page = if handles.shows_key {
            api_key.as_str()
        } else {
            ""
        };
        let admin_key_in_page = if handles.shows_admin_key {
            admin_key(env)
        } else {
            ""
        };
        let keyed = |page| KeyedPage::new(page, key_in_page, admin_key_in_page);
        let mut functions_env = env_of(env);
        let chats = settings::chats(&mut functions_env);
        let is_claimed = settings::chat_deliveries(&mut functions_env, &chats).has_claims();
        let chats = chats.all().map(|(_, pool)| pool).collect();
        Self {
            keys: Verifier::api_keys(&mut env_of(env)),
            index: keyed(include_str!("index.html")),
            till_page: keyed(include_str!("till.html")),
            till: till::Till::default(),
            api_key,
            limits: RateLimits::from_env(handles.dynamo.clone(), &mut functions_env),
            chats,
            is_claimed,
            cast: cast::Cast::new(),
            pools: pools::Pools::new(targets_of(env)),
            board: board::InviteBoard::start(handles.aws.clone()),
            boot: fastrand::u32(1..),
            handles,
            limit: Mutex::default(),
            health: tokio::sync::Mutex::default(),
        }
    }
}

fn targets_of(env: &HashMap<String, String>) -> Targets {
    let mut env = env_of(env);
    let chats = settings::chats(&mut env);
    settings::link_pool_targets(&mut env, &chats)
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

impl Page {
    /// Whether the caller knows a key.
    pub(crate) fn admits(&self, headers: &HeaderMap) -> bool {
        self.keys.knows_api_key(headers)
    }

    pub(super) fn limit(&self) -> Option<Limit> {
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
        let is_healthy = !self.handles.aws.has_failed() && self.handles.stores_answer().await;
        *known = Some((Instant::now(), is_healthy));
        is_healthy
    }

    /// Whether simulated Telegram lets the bot make links.
    pub(super) fn can_invite(&self) -> bool {
        self.handles
            .externals
            .telegram
            .as_ref()
            .is_some_and(|telegram| {
                telegram.server.status(telegram.chat_id, telegram.bot_id)
                    == MemberStatus::Administrator(Rights::all())
            })
    }

    /// The refusal of a caller without key.
    pub(super) fn refusal() -> Response {
        answer(Rejection::Unauthorized.answer())
    }
}
