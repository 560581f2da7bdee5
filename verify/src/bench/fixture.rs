//! What the functions are measured on: an embedded AWS of their own, the simulated outside, and the local stack's routes.
//!
//! Nothing here works off the queues, so that what is measured is the function that is called and nothing beside it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use domain::id::ChatId;
use local::env::env_of;
use local::functions::{FUNCTIONS, Functions, sources};
use local::harness::TestStack;
use local::serve::{Bounds, serve};
use local::{api, resources};
use runtime::aws::Shared;
use runtime::clock::Clock;
use serde_json::json;
use simulators::aws::{Aws, Storage};
use simulators::telegram::{ChatKind, Rights};
use store::{BotInfos, ChatInfos};
use tokio::task::JoinSet;

/// The chats that mints are spread over: each has a limiter of its own, so that none has to wait for its slot.
pub(crate) const CHATS: i64 = 100;
/// Longest call.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The operators' chat.
pub(crate) const OPERATORS: i64 = -1_001_777_000_111;

/// A running fixture; dropped, it stops.
pub(crate) struct Fixture {
    /// The environment of the functions.
    pub(crate) env: HashMap<String, String>,
    /// Where the local stack's routes are served, in this process.
    pub(crate) url: String,
    /// The tables and queues.
    pub(crate) shared: Shared,
    /// The first of the chats.
    pub(crate) first_chat: i64,
    aws: Aws,
    /// Keeps the simulated outside alive; its own queues stay empty.
    pub(crate) outside: TestStack,
    people: AtomicU64,
    _api: JoinSet<()>,
}

impl Fixture {
    /// Starts one, in memory.
    ///
    /// # Errors
    /// What could not be started.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        Self::with(&[]).await
    }

    /// As [`Fixture::start`], with claimed chats and an operators' chat.
    ///
    /// # Errors
    /// What could not be started.
    pub(crate) async fn that_talks() -> anyhow::Result<Self> {
        let operators = OPERATORS.to_string();
        let fixture = Self::with(&[
            ("CHAT_DELIVERY", "claim"),
            ("OPERATOR_CHAT_ID", &operators),
            // A few people write as much as all.
            ("RELAY_PER_MINUTE", "1000"),
            ("NEW_TOPICS_PER_HOUR", "1000"),
        ])
        .await?;
        fixture.make_claims_ready().await?;
        Ok(fixture)
    }

    /// As [`Fixture::start`], with a product on sale, and Stripe and NOWPayments simulated.
    ///
    /// # Errors
    /// What could not be started.
    pub(crate) async fn that_sells() -> anyhow::Result<Self> {
        let fixture = Self::with(&[("PAYMENTS_MODE", "test")]).await?;
        let product = json!({
            "title": "Premium Club", "chats": [fixture.first_chat], "owner": "o1", "feeBps": 300,
            "tiers": [{"id": "month", "title": "One month", "length": {"days": 30}, "prices": {"usd": 3000}}],
        });
        let keys = fixture
            .value("ADMIN_KEYS")
            .split(',')
            .next()
            .unwrap_or_default();
        let key = keys.split_once(':').map_or(keys, |(_, key)| key);
        let http = runtime::http::client(TIMEOUT).map_err(anyhow::Error::msg)?;
        let url = format!("{}/v1/admin/products/club", fixture.url);
        let written = http
            .put(url)
            .header("x-admin-key", key)
            .body(product.to_string())
            .send();
        written.await?.error_for_status()?;
        Ok(fixture)
    }

    /// Copies what `setup` has written for the outside.
    async fn make_claims_ready(&self) -> anyhow::Result<()> {
        let (from, to) = (self.outside.dynamodb(), self.shared.dynamodb());
        let now = Clock::real().now();
        let tables = |client| {
            let mut env = env_of(&self.env);
            let bots = BotInfos::from_env(aws_sdk_dynamodb::Client::clone(client), &mut env);
            (bots, ChatInfos::from_env(client.clone(), &mut env))
        };
        let ((bots, chats), (own_bots, own_chats)) = (tables(&from), tables(&to));
        let front = bots.front().await?.context("no front bot")?;
        own_bots.put_front(&front, now).await?;
        let info = chats.get(ChatId(self.first_chat)).await?;
        own_chats.put(&info.context("no chat")?, now).await?;
        Ok(())
    }

    async fn with(variables: &[(&str, &str)]) -> anyhow::Result<Self> {
        let any_port = local::harness::any_port();
        let stack = TestStack::with(variables).await;
        let aws = Aws::start(any_port, Storage::Memory, stack.clock.clone()).await?;
        let mut env = stack.env().clone();
        env.insert("AWS_ENDPOINT_URL".to_owned(), aws.url());
        // As deployed: metrics are a part of what logs cost.
        env.insert("METRICS_NAMESPACE".to_owned(), "AdmitOne/bench".to_owned());
        let shared = Shared::from_env(&mut env_of(&env));
        resources::create_tables(&shared.dynamodb()).await?;
        let queues = resources::create_queues(&shared.sqs(), sources(&FUNCTIONS)).await?;
        let queues = queues.into_iter();
        env.extend(queues.map(|(name, url)| (name.to_owned(), url)));

        let chats = stack.chat_id..stack.chat_id + CHATS;
        for chat in chats.clone().skip(1) {
            let telegram = &stack.telegram;
            telegram.add_chat(chat, "Benchmark", ChatKind::Supergroup);
            telegram.make_admin(stack.bot_id, chat, Rights::all());
        }
        stack.webengage.set_limit(u32::MAX);
        let first_chat = stack.chat_id;
        let chats: Vec<String> = chats.map(|chat| chat.to_string()).collect();
        env.insert("TELEGRAM_CHAT_ID".to_owned(), chats.join(","));

        let functions = Arc::new(Functions::start(
            &FUNCTIONS,
            &mut env_of(&env),
            &Clock::real(),
        )?);
        let listener = tokio::net::TcpListener::bind(any_port).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = api::served(api::routes(&functions), &FUNCTIONS);
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, router, Bounds::default()));
        Ok(Self {
            env,
            url,
            shared,
            first_chat,
            aws,
            outside: stack,
            people: AtomicU64::new(0),
            _api: tasks,
        })
    }

    /// Calls of AWS since the start.
    pub(crate) fn aws_calls(&self) -> u64 {
        self.aws.wire().counts().values().sum()
    }

    /// The first of so many numbers of people and updates that nobody else has.
    pub(crate) fn people(&self, count: u64) -> u64 {
        self.people.fetch_add(count, Ordering::Relaxed) + 1
    }

    /// A variable of the functions' environment.
    #[must_use]
    pub(crate) fn value(&self, name: &str) -> &str {
        self.env.get(name).map(String::as_str).unwrap_or_default()
    }
}
