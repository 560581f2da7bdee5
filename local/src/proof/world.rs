//! The whole product on one thread: the five functions, Lambda's pollers, AWS, Telegram and WebEngage, without a
//! socket. Time stands still while anything can run and jumps when all wait, so a day takes moments, and what happens
//! is the same for the same seed.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use aws_lambda_events::sqs::SqsEvent;
use bytes::Bytes;
use common::clock::Clock;
use common::config::Env;
use common::domain::time::Timestamp;
use futures_util::FutureExt as _;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use simulators::Reset;
use simulators::aws::{Aws, Storage};
use simulators::telegram::{ChatKind, Deliver, Rights, Telegram, User};
use simulators::webengage::WebEngage;
use tokio::task::JoinSet;

use super::logs::{self, Logs};
use super::wire::{LAMBDA, Wire};
use crate::esm::{EventSourceMapping, Gate, Handler, Terms};
use crate::functions::env_of;
use crate::resources::{self, EVENTS, INVITES, Source};

/// When every simulated world begins, in milliseconds since the Unix epoch.
const START_MS: i64 = 1_763_640_000_000;
/// The API key of the shop.
const API_KEY: &str = "proof-key";
/// The first bot; the others count on.
const FIRST_BOT: i64 = 100;
/// The first chat; the others count down.
const FIRST_CHAT: i64 = -1_001_000_000_000;
/// The longest that a world may take to settle, of its own time.
const SETTLE_MAX: Duration = Duration::from_secs(40 * 24 * 3600);

/// What a world consists of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many bots share the chats.
    pub bots: usize,
    /// How many chats there are; the first is the default.
    pub chats: usize,
    /// Workers at once.
    pub workers: usize,
    /// The longest way of a call of AWS, each direction.
    pub latency: Duration,
    /// Whether events are delivered; if not, they wait in their queue.
    pub events: bool,
    /// Invocations of `events` at once.
    pub event_workers: usize,
    /// Whether Lambda asks an empty queue again and again, as it does, or waits without a call.
    pub idle_polls: bool,
    /// Variables of the functions.
    pub env: Vec<(&'static str, String)>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            bots: 1,
            chats: 1,
            workers: INVITES.maximum_concurrency,
            latency: Duration::ZERO,
            events: true,
            event_workers: EVENTS.maximum_concurrency,
            idle_polls: true,
            env: Vec::new(),
        }
    }
}

/// An answer that a shop got.
#[derive(Clone, Debug)]
pub struct Told {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Value,
}

/// What the world outside was told by the product, for the invariants.
#[derive(Default)]
pub(crate) struct Heard {
    /// Answers with 200, by request.
    pub(crate) accepted: BTreeMap<String, Vec<Value>>,
    /// What shops asked, and what they were told.
    pub(crate) asked: Vec<(Value, Told)>,
    /// Joins: the link and the person, as Telegram saw them.
    pub(crate) joins: Vec<(String, i64)>,
}

/// A simulated world. Dropped, everything in it stops.
pub struct World {
    /// Tables and queues.
    pub aws: Aws,
    /// Telegram.
    pub telegram: Telegram,
    /// WebEngage.
    pub webengage: WebEngage,
    /// The way of every call.
    pub wire: Wire,
    /// The ids of the bots.
    pub bots: Vec<i64>,
    /// The ids of the chats.
    pub chats: Vec<i64>,
    /// The worker's pollers.
    pub worker: Arc<EventSourceMapping>,
    /// The pollers of `events`.
    pub events: Arc<EventSourceMapping>,
    /// Its clock.
    pub clock: Clock,
    /// How long each invocation of the worker ran to its end.
    pub worker_spans: Arc<Mutex<Vec<Duration>>>,
    /// What the functions logged.
    pub logs: Logs,
    pub(crate) heard: Mutex<Heard>,
    /// The environment of the functions.
    pub(crate) env: HashMap<String, String>,
    /// The clock of what is simulated around them.
    pub(crate) sim_clock: simulators::clock::Clock,
    pub(crate) request: Arc<request::App>,
    pub(crate) status: Arc<status::App>,
    pub(crate) webhook: Arc<webhook::App>,
    stock: Arc<stock::App>,
    /// A worker and an `events` that no poller feeds: for batches by hand.
    pub(crate) spare: (worker::App, Arc<events::App>),
    pub(crate) admin: common::aws::Shared,
    _tasks: JoinSet<()>,
}

/// Runs a world to its end, on this thread, by this seed. Nothing of it outlives the call.
///
/// # Errors
/// If there is no runtime.
pub fn run<T, F: Future<Output = anyhow::Result<T>>>(seed: u64, world: F) -> anyhow::Result<T> {
    fastrand::seed(seed);
    let _listening = logs::listen();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    runtime.block_on(world)
}

impl World {
    /// Builds the world. To be called within [`run`].
    ///
    /// # Errors
    /// What refuses to start.
    pub async fn start(plan: &Plan) -> anyhow::Result<Self> {
        Self::start_at(START_MS, plan).await
    }

    /// As [`World::start`], in a world that begins at this time, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// What refuses to start.
    pub async fn start_at(start_ms: i64, plan: &Plan) -> anyhow::Result<Self> {
        let sim_clock = simulators::clock::Clock::simulated(start_ms);
        let clock = Clock::simulated(Timestamp::from_ms(start_ms));
        let aws = Aws::in_process(Storage::Memory, sim_clock.clone())?;
        let telegram = Telegram::in_process(sim_clock.clone());
        let webengage = WebEngage::in_process(sim_clock.clone(), "in~proof", "proof-webengage-key");
        webengage.set_limit(u32::MAX);
        let wire = Wire::new(
            aws.clone(),
            telegram.clone(),
            webengage.clone(),
            plan.latency,
        );

        let chats: Vec<i64> = (0..plan.chats as i64).map(|n| FIRST_CHAT - n).collect();
        let bots: Vec<i64> = (0..plan.bots as i64).map(|n| FIRST_BOT + n).collect();
        let (mut tokens, mut secrets) = (Vec::new(), Vec::new());
        for chat in &chats {
            telegram.add_chat(*chat, "Proof", ChatKind::Supergroup);
        }
        for bot in &bots {
            let token = format!("{bot}:proof-token-of-bot-{bot}");
            telegram.add_bot(&token);
            for chat in &chats {
                telegram.make_admin(*bot, *chat, Rights::all());
            }
            tokens.push(token);
            secrets.push(format!("proof-secret-{bot}"));
        }
        let chat_ids: Vec<String> = chats.iter().map(ToString::to_string).collect();
        let mut env: HashMap<String, String> = [
            ("API_KEYS", API_KEY.to_owned()),
            ("TELEGRAM_BOT_TOKEN", tokens.join(",")),
            ("TELEGRAM_WEBHOOK_SECRET", secrets.join(",")),
            ("TELEGRAM_CHAT_ID", chat_ids.join(",")),
            ("TELEGRAM_API_BASE", telegram.url()),
            ("WEBENGAGE_LICENSE_CODE", "in~proof".to_owned()),
            ("WEBENGAGE_API_KEY", "proof-webengage-key".to_owned()),
            ("WEBENGAGE_API_BASE", webengage.url()),
            ("AWS_ENDPOINT_URL", aws.url()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "proof".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "proof".to_owned()),
            ("INVITE_QUEUE_URL", aws.queue_url(INVITES.queue)),
            ("EVENT_QUEUE_URL", aws.queue_url(EVENTS.queue)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        env.extend(resources::table_names());
        for (name, value) in &plan.env {
            env.insert((*name).to_owned(), value.clone());
        }
        let env_of = |caller| env_of(&env).on(wire.transport(caller));

        let admin = common::aws::Shared::from_env(&mut env_of(LAMBDA));
        resources::create_tables(&admin.dynamodb()).await?;
        resources::create_queues(&admin.sqs()).await?;

        let request = Arc::new(app(env_of("request"), &clock, request::App::from_env)?);
        let status = Arc::new(app(env_of("status"), &clock, status::App::from_env)?);
        let webhook = Arc::new(app(env_of("webhook"), &clock, webhook::App::from_env)?);
        let events = Arc::new(app(env_of("events"), &clock, events::App::from_env)?);
        let stock = Arc::new(app(env_of("stock"), &clock, stock::App::from_env)?);
        // Each worker at once is a process of its own, and knows nothing of the others.
        let workers: Vec<_> = (0..plan.workers)
            .map(|_| app(env_of("worker"), &clock, worker::App::from_env).map(Arc::new))
            .collect::<anyhow::Result<_>>()?;

        let spare = app(env_of("worker"), &clock, worker::App::from_env)?;
        let spare = (spare, Arc::clone(&events));

        let mut tasks = JoinSet::new();
        let terms = |concurrency, source: &'static Source| {
            let (wire, queues) = (wire.clone(), aws.clone());
            let gate = move || {
                let queues = queues.clone();
                async move { queues.until_due(source.queue).await }.boxed()
            };
            Terms {
                concurrency,
                watch: Some(Box::new(move |invocation| wire.watch(invocation))),
                gate: (!plan.idle_polls).then_some(Box::new(gate) as Gate),
            }
        };
        let idle = Arc::new(Mutex::new(workers));
        let spans: Arc<Mutex<Vec<Duration>>> = Arc::default();
        let worker_spans = Arc::clone(&spans);
        let of_worker = wire.clone();
        let on_worker: Handler = Arc::new(move |batch, deadline| {
            let (wire, ids) = (of_worker.clone(), message_ids(&batch));
            let (idle, spans) = (Arc::clone(&idle), Arc::clone(&spans));
            async move {
                let take = || idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
                // As many pollers as processes: one is always idle, unless its process died with the invocation.
                let Some(app) = take() else {
                    return Default::default();
                };
                let lease = Lease { app, idle };
                let began = tokio::time::Instant::now();
                let answer = worker::handle(&lease.app, batch, deadline).await;
                let mut spans = spans.lock().unwrap_or_else(PoisonError::into_inner);
                spans.push(began.elapsed());
                wire.show_again(ids, answer)
            }
            .boxed()
        });
        let of_events = wire.clone();
        let on_events: Handler = Arc::new(move |batch, _| {
            let (wire, ids) = (of_events.clone(), message_ids(&batch));
            let events = Arc::clone(&events);
            async move { wire.show_again(ids, events::handle(&events, batch).await) }.boxed()
        });
        let sqs = admin.sqs();
        let worker = EventSourceMapping::start_on(
            &mut tasks,
            &sqs,
            &INVITES,
            terms(plan.workers, &INVITES),
            aws.queue_url(INVITES.queue),
            on_worker,
        );
        let events = EventSourceMapping::start_on(
            &mut tasks,
            &sqs,
            &EVENTS,
            terms(if plan.events { plan.event_workers } else { 0 }, &EVENTS),
            aws.queue_url(EVENTS.queue),
            on_events,
        );
        let world = Self {
            aws,
            telegram,
            webengage,
            wire,
            bots,
            chats,
            worker,
            events,
            clock,
            worker_spans,
            logs: logs::here(),
            heard: Mutex::default(),
            env: env.clone(),
            sim_clock,
            request,
            status,
            webhook,
            stock,
            spare,
            admin,
            _tasks: tasks,
        };
        world.take_updates(&secrets).await?;
        Ok(world)
    }

    /// Registers a webhook for each bot and takes what is delivered to them.
    async fn take_updates(&self, secrets: &[String]) -> anyhow::Result<()> {
        self.telegram.deliver_to(self.road());
        self.telegram.only_https_webhooks(false);
        for (bot, secret) in self.bots.iter().zip(secrets) {
            let set = json!({"url": "http://127.0.0.1/v1/telegram/webhook", "secret_token": secret,
                "allowed_updates": webhook::ALLOWED_UPDATES});
            let uri = format!(
                "{}/bot{bot}:proof-token-of-bot-{bot}/setWebhook",
                self.telegram.url()
            );
            let request = Request::post(uri).header("content-type", "application/json");
            let request = request.body(Bytes::from(set.to_string()))?;
            let answer = self.telegram.call(request).await?;
            anyhow::ensure!(answer.status() == StatusCode::OK, "setWebhook: {answer:?}");
        }
        Ok(())
    }

    /// The way of an update to the webhook, for [`Telegram::deliver_to`].
    #[must_use]
    pub fn road(&self) -> Deliver {
        let (webhook, wire) = (Arc::clone(&self.webhook), self.wire.clone());
        Arc::new(move |request| {
            let (webhook, wire) = (Arc::clone(&webhook), wire.clone());
            async move {
                let invocation =
                    tokio::spawn(async move { webhook::handle(&webhook, request).await });
                wire.watch(invocation.abort_handle());
                invocation.await.map_err(|_| Reset)
            }
            .boxed()
        })
    }

    /// A shop reports a payment; `None` if the function died over it, or could not be reached.
    pub async fn buy(&self, body: &Value) -> Option<Told> {
        self.buy_as(body, None).await
    }

    /// As [`World::buy`], with an `Idempotency-Key` if there is one.
    pub async fn buy_as(&self, body: &Value, idempotency_key: Option<&str>) -> Option<Told> {
        let mut request = Request::post("/v1/invite/request").header("x-api-key", API_KEY);
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Bytes::from(body.to_string())).ok()?;
        let app = Arc::clone(&self.request);
        let invocation = tokio::spawn(async move { request::handle(&app, request).await });
        self.wire.watch(invocation.abort_handle());
        let answer = invocation.await.ok()?;
        let told = Told {
            status: answer.status().as_u16(),
            body: serde_json::from_slice(answer.body()).unwrap_or_default(),
        };
        let mut heard = self.heard();
        heard.asked.push((body.clone(), told.clone()));
        if told.status == 200 {
            let id = told.body["requestId"].as_str().unwrap_or_default();
            let answers = heard.accepted.entry(id.to_owned()).or_default();
            answers.push(told.body.clone());
        }
        Some(told)
    }

    /// As [`World::buy`], again and again until it is accepted, as a shop does; gives up after `tries`.
    pub async fn buy_until_accepted(&self, body: &Value, tries: u32) -> Option<Told> {
        for _ in 0..tries {
            match self.buy(body).await {
                Some(told) if told.status < 500 => return Some(told),
                _ => tokio::time::sleep(Duration::from_secs(2)).await,
            }
        }
        None
    }

    /// The minute of the schedule: the stock is seen to. `None` if the function died over it.
    pub async fn restock(&self) -> Option<stock::Done> {
        let app = Arc::clone(&self.stock);
        let invocation = tokio::spawn(async move { stock::handle(&app).await });
        self.wire.watch(invocation.abort_handle());
        invocation.await.ok()
    }

    /// Where a request stands, by the API.
    pub async fn status_of(&self, request_id: &str) -> Option<Value> {
        let request = common_http_get(&format!("/v1/invite/{request_id}"))?;
        let answer = status::handle(&self.status, request).await;
        (answer.status() == StatusCode::OK)
            .then(|| serde_json::from_slice(answer.body()).ok())
            .flatten()
    }

    /// Somebody taps a link.
    pub fn tap(&self, link: &str, person: i64) -> simulators::telegram::Tap {
        let tap = self.telegram.tap(link, User::new(person));
        if tap == simulators::telegram::Tap::Joined {
            self.heard().joins.push((link.to_owned(), person));
        }
        tap
    }

    /// Lets time pass.
    pub async fn wait(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Whether anything is left to do.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let queues = [INVITES.queue, EVENTS.queue];
        let left: u64 = queues
            .iter()
            .filter_map(|queue| self.aws.queue_depth(queue))
            .map(simulators::aws::sqs::Depth::total)
            .sum();
        let pending: usize = self
            .bots
            .iter()
            .map(|bot| self.telegram.pending_updates(*bot))
            .sum();
        left == 0 && pending == 0 && self.worker.running() + self.events.running() == 0
    }

    /// Waits until nothing is left to do.
    ///
    /// # Errors
    /// If there is still something after 40 days of the world's time.
    pub async fn settle(&self) -> anyhow::Result<()> {
        let start = tokio::time::Instant::now();
        let mut nap = Duration::from_millis(100);
        while !self.is_quiet() {
            let depths = [INVITES.queue, EVENTS.queue].map(|queue| self.aws.queue_depth(queue));
            anyhow::ensure!(
                start.elapsed() < SETTLE_MAX,
                "not settled after {SETTLE_MAX:?}: queues {depths:?}"
            );
            tokio::time::sleep(nap).await;
            nap = (nap * 2).min(Duration::from_secs(30));
        }
        Ok(())
    }

    /// Sends a message to a queue, past the functions.
    ///
    /// # Errors
    /// What SQS says.
    pub async fn send(&self, queue: &str, body: &Value) -> anyhow::Result<()> {
        let call = self.admin.sqs().send_message();
        call.queue_url(self.aws.queue_url(queue))
            .message_body(body.to_string())
            .send()
            .await?;
        Ok(())
    }

    /// The lease of a request lapses now, whoever holds it: its owner is that slow.
    ///
    /// # Errors
    /// What DynamoDB says.
    pub async fn lapse(&self, request_id: &str) -> anyhow::Result<()> {
        use aws_sdk_dynamodb::types::AttributeValue;
        let call = self.admin.dynamodb().update_item();
        call.table_name("InviteRequests")
            .key("requestId", AttributeValue::S(request_id.to_owned()))
            .update_expression("SET leaseUntil = :now")
            .expression_attribute_values(":now", AttributeValue::N("0".to_owned()))
            .send()
            .await?;
        Ok(())
    }

    /// All items of a table. Only a test may scan.
    ///
    /// # Errors
    /// What DynamoDB says.
    #[expect(clippy::disallowed_methods, reason = "a test reads all there is")]
    pub async fn items(&self, table: &str) -> anyhow::Result<Vec<Value>> {
        let dynamo = self.admin.dynamodb();
        let mut pages = dynamo.scan().table_name(table).into_paginator().send();
        let mut items = Vec::new();
        while let Some(page) = pages.next().await {
            items.extend(page?.items.unwrap_or_default().iter().map(plain));
        }
        Ok(items)
    }

    pub(crate) fn heard(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A worker's process while it serves; given back even if its invocation dies.
struct Lease {
    app: Arc<worker::App>,
    idle: Arc<Mutex<Vec<Arc<worker::App>>>>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(Arc::clone(&self.app));
    }
}

fn app<A>(
    mut env: Env,
    clock: &Clock,
    from_env: impl FnOnce(&mut Env, Clock) -> A,
) -> anyhow::Result<A> {
    let app = from_env(&mut env, clock.clone());
    env.check().context("starting a function")?;
    Ok(app)
}

fn message_ids(batch: &SqsEvent) -> Vec<String> {
    let messages = batch.records.iter();
    messages
        .filter_map(|message| message.message_id.clone())
        .collect()
}

fn common_http_get(path: &str) -> Option<Request<Bytes>> {
    Request::get(path)
        .header("x-api-key", API_KEY)
        .body(Bytes::new())
        .ok()
}

/// An item as plain JSON: texts, numbers and flags.
fn plain(item: &HashMap<String, aws_sdk_dynamodb::types::AttributeValue>) -> Value {
    use aws_sdk_dynamodb::types::AttributeValue::{Bool, M, N, S};
    let value = |value: &_| match value {
        S(text) => json!(text),
        N(number) => number.parse::<i64>().map_or_else(
            |_| json!(number.parse::<f64>().unwrap_or_default()),
            |whole| json!(whole),
        ),
        Bool(flag) => json!(flag),
        M(map) => plain(map),
        _ => Value::Null,
    };
    item.iter()
        .map(|(name, of)| (name.clone(), value(of)))
        .collect()
}
