//! The whole product on one thread: the functions, Lambda's pollers, the schedules, AWS, Telegram and WebEngage, without
//! a socket. Time stands still while anything can run and jumps when all wait, so a day takes moments, and what happens
//! is the same for the same seed.

mod actions;
mod bot;
mod claims;
mod messages;
mod providers;
mod schedules;

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use aws_lambda_events::sqs::SqsEvent;
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use domain::id::{BotId, PendingShard};
use domain::time::Timestamp;
use futures_util::FutureExt as _;
use http::{Request, StatusCode};
use runtime::clock::Clock;
use runtime::transport::Transport;
use serde_json::{Value, json};
use simulators::Reset;
use simulators::aws::{Aws, Storage};
use simulators::telegram::{ChatKind, Deliver, Rights, Telegram, User};
use simulators::webengage::WebEngage;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::schedules::{Schedules, is_due, of_bot, run_every_minute};
use super::logs::{self, Logs};
use super::providers::Providers;
use super::wire::{self, LAMBDA, Wire};
use super::workers::Workers;
use local::env::env_of;
use local::event_source_mapping::{EventSourceMapping, Gate, Handler, Terms};
use local::functions::{FUNCTIONS, Started, Trigger, sources};
use local::resources::{self, EVENTS, INVITES, PAYMENTS, Source};

/// When every simulated world begins, in milliseconds since the Unix epoch.
const START_MS: i64 = 1_763_640_000_000;
/// The API key of the shop.
const API_KEY: &str = "verify-key";
/// The key of the operator.
const ADMIN_KEY: &str = "verify-admin-key-0123456789";
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
    /// Whether the tick of the worker and the sweeper run every minute.
    pub schedules: bool,
    /// Whether what serves the bot does so, too: `messenger`, `hooks` and the replay of updates.
    pub bot_schedules: bool,
    /// How far the clocks of the worker's processes are off, one after the other, in milliseconds.
    pub skews_ms: Vec<i64>,
    /// How far the clocks of these functions are off, in milliseconds.
    pub clocks_ms: Vec<(&'static str, i64)>,
    /// Whether orders are sold: Stripe and NOWPayments are there, and on.
    pub sells: bool,
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
            schedules: true,
            bot_schedules: false,
            sells: false,
            skews_ms: vec![0],
            clocks_ms: Vec::new(),
            idle_polls: false,
            env: Vec::new(),
        }
    }
}

/// An answer that a shop got.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Value,
}

/// What the world outside was told by the product, for the invariants.
#[derive(Default)]
pub(crate) struct Observed {
    /// Answers with 200, by request.
    pub(crate) accepted: BTreeMap<String, Vec<Value>>,
    /// What shops asked, and what they were told.
    pub(crate) asked: Vec<(Value, Reply)>,
    /// When each accepted request was first asked for, and first answered.
    pub(crate) times: BTreeMap<String, (Timestamp, Timestamp)>,
    /// When each body was first sent.
    first_asked: BTreeMap<String, Timestamp>,
    /// Joins, as Telegram saw them.
    pub(crate) joins: Vec<Join>,
}

/// Somebody joined by a link.
#[derive(Clone, Debug)]
pub(crate) struct Join {
    pub(crate) link: String,
    pub(crate) person: i64,
    pub(crate) at: Timestamp,
}

/// A simulated world. Dropped, everything in it stops.
pub struct World {
    /// Tables and queues.
    pub aws: Aws,
    /// Telegram.
    pub telegram: Telegram,
    /// WebEngage.
    pub webengage: WebEngage,
    /// Who takes money, if orders are sold.
    providers: Option<Providers>,
    /// The way of every call.
    pub wire: Wire,
    /// The ids of the bots.
    pub bots: Vec<i64>,
    /// The ids of the chats.
    pub chats: Vec<i64>,
    /// The pollers of the queues, by function.
    mappings: BTreeMap<&'static str, Arc<EventSourceMapping>>,
    /// Its clock.
    pub clock: Clock,
    /// The worker's processes.
    pub workers: Arc<Workers>,
    /// What the functions logged.
    pub logs: Logs,
    pub(crate) observed: Mutex<Observed>,
    /// The environment of the functions.
    pub(crate) env: HashMap<String, String>,
    /// The clock of what is simulated around them.
    pub(crate) sim_clock: simulators::clock::Clock,
    functions: BTreeMap<&'static str, Started>,
    schedules: Arc<Schedules>,
    /// Reads and writes past the wire: it takes no time, is not counted, and nobody decides over it.
    pub(crate) admin: runtime::aws::Shared,
    /// How many links the pool of each chat is to hold.
    pool_target: AtomicUsize,
    _tasks: JoinSet<()>,
}

/// The ids of so many chats.
pub(crate) fn chat_ids(chats: usize) -> Vec<i64> {
    (0..chats as i64).map(|n| FIRST_CHAT - n).collect()
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
        let webengage =
            WebEngage::in_process(sim_clock.clone(), "in~verify", "verify-webengage-key");
        webengage.set_limit(u32::MAX);
        let wire = Wire::new(
            aws.clone(),
            telegram.clone(),
            webengage.clone(),
            plan.latency,
        );
        let providers = match plan.sells {
            true => Some(Providers::start(&sim_clock).await?),
            false => None,
        };

        let chats = chat_ids(plan.chats);
        let bots: Vec<i64> = (0..plan.bots as i64).map(|n| FIRST_BOT + n).collect();
        let (mut tokens, mut secrets) = (Vec::new(), Vec::new());
        for chat in &chats {
            telegram.add_chat(*chat, "Verified", ChatKind::Supergroup);
        }
        for bot in &bots {
            let token = format!("{bot}:verify-token-of-bot-{bot}");
            telegram.add_bot(&token);
            for chat in &chats {
                telegram.make_admin(*bot, *chat, Rights::all());
            }
            tokens.push(token);
            secrets.push(format!("verify-secret-{bot}"));
        }
        let chat_ids: Vec<String> = chats.iter().map(ToString::to_string).collect();
        let mut env: HashMap<String, String> = [
            ("API_KEYS", API_KEY.to_owned()),
            ("ADMIN_KEYS", format!("operator:{ADMIN_KEY}")),
            ("TELEGRAM_BOT_TOKEN", tokens.join(",")),
            ("TELEGRAM_WEBHOOK_SECRET", secrets.join(",")),
            ("TELEGRAM_CHAT_ID", chat_ids.join(",")),
            ("TELEGRAM_API_BASE", telegram.url()),
            ("EXPORTS_URL", "https://verify.example".to_owned()),
            ("WEBENGAGE_LICENSE_CODE", "in~verify".to_owned()),
            ("WEBENGAGE_API_KEY", "verify-webengage-key".to_owned()),
            ("WEBENGAGE_API_BASE", webengage.url()),
            ("AWS_ENDPOINT_URL", aws.url()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "verify".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "verify".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        for source in sources(&FUNCTIONS) {
            let urls = [
                (source.url_variable, source.queue),
                (source.dead_letters_variable, source.dead_letters),
            ];
            env.extend(urls.map(|(name, queue)| (name.to_owned(), aws.queue_url(queue))));
        }
        if let Some(providers) = &providers {
            wire.reaches(providers.clone());
            let settings = providers
                .env()
                .map(|(name, value)| (name.to_owned(), value));
            env.extend(settings);
        }
        for (name, value) in &plan.env {
            env.insert((*name).to_owned(), value.clone());
        }
        let of_each = env.get("LINK_POOL_TARGET");
        let of_each: usize = of_each.map_or(Ok(0), |target| target.parse())?;
        let pool_target = AtomicUsize::new(of_each);
        let env_of_all = env_of;
        let env_of = |caller| env_of_all(&env).on(wire.transport(caller));
        let mut on_admin = env_of_all(&env).on(past_the_wire(&aws));
        let admin = runtime::aws::Shared::from_env(&mut on_admin);
        resources::create_tables(&admin.dynamodb()).await?;
        resources::create_queues(&admin.sqs(), sources(&FUNCTIONS)).await?;

        let mut functions = BTreeMap::new();
        for function in &FUNCTIONS {
            // `setup` and `monitor` have no part in what is simulated.
            if !["setup", "monitor"].contains(&function.name) {
                let mut env = env_of(function.name);
                let off = plan
                    .clocks_ms
                    .iter()
                    .find(|(name, _)| *name == function.name);
                let clock = match off {
                    Some((_, off)) => Clock::simulated(Timestamp::from_ms(start_ms + off)),
                    None => clock.clone(),
                };
                let started = (function.start)(&mut env, clock);
                env.check().context("starting a function")?;
                functions.insert(function.name, started);
            }
        }
        let workers = Workers::new(&wire, &env, start_ms, &plan.skews_ms);

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
        let sqs = runtime::aws::Shared::from_env(&mut env_of(LAMBDA)).sqs();
        let mut mappings = BTreeMap::new();
        for function in &FUNCTIONS {
            for trigger in function.triggers {
                let Trigger::Queue(source) = *trigger else {
                    continue;
                };
                let (wire, started) = (wire.clone(), functions[function.name].clone());
                // Each invocation of the worker has a process to itself.
                let processes = (function.name == "worker").then(|| Arc::clone(&workers));
                let handler: Handler = Arc::new(move |batch, deadline| {
                    let (wire, ids) = (wire.clone(), message_ids(&batch));
                    let (started, processes) = (started.clone(), processes.clone());
                    async move {
                        let answer = match processes {
                            Some(processes) => processes.answer(batch, deadline).await,
                            None => started.batch(batch, deadline).await,
                        };
                        wire.show_again(ids, answer)
                    }
                    .boxed()
                });
                let at_once = match function.name {
                    "worker" => plan.workers,
                    "events" if plan.events => plan.event_workers,
                    "events" => 0,
                    _ => source.maximum_concurrency,
                };
                let mapping = EventSourceMapping::start_on(
                    &mut tasks,
                    &sqs,
                    source,
                    terms(at_once, source),
                    aws.queue_url(source.queue),
                    handler,
                );
                mappings.insert(function.name, mapping);
            }
        }
        let schedules = Arc::<Schedules>::default();
        if plan.schedules {
            let (schedules, wire) = (Arc::clone(&schedules), wire.clone());
            let workers = Arc::clone(&workers);
            let tables = admin.dynamodb();
            let always = pool_target.load(Ordering::SeqCst) > 0;
            let now = clock.clone();
            let is_due = move || is_due(tables.clone(), always, now.now()).boxed();
            let by_clock = functions["sweeper"].clone();
            let others = match plan.bot_schedules {
                true => of_bot(&functions, &admin.dynamodb()),
                false => Vec::new(),
            };
            let own = (workers, by_clock, is_due);
            tasks.spawn(run_every_minute(schedules, wire, own, others));
        }
        let world = Self {
            aws,
            telegram,
            webengage,
            providers,
            wire,
            bots,
            chats,
            mappings,
            clock,
            workers,
            logs: logs::here(),
            observed: Mutex::default(),
            env: env.clone(),
            sim_clock,
            functions,
            schedules,
            admin,
            pool_target,
            _tasks: tasks,
        };
        world.make_claims_ready().await?;
        world.take_updates(&secrets).await?;
        if let Some(providers) = &world.providers {
            providers.deliver_to(&world.transport_to("payments"));
        }
        Ok(world)
    }

    /// Registers a webhook for each bot and takes what is delivered to them.
    async fn take_updates(&self, secrets: &[String]) -> anyhow::Result<()> {
        self.telegram.deliver_to(self.transport());
        self.telegram.only_https_webhooks(false);
        for (place, (bot, secret)) in self.bots.iter().zip(secrets).enumerate() {
            let url = "http://127.0.0.1/v1/telegram/webhook";
            let url = telegram::webhook_address(url, place, BotId(u64::try_from(*bot)?));
            let set = json!({"url": url, "secret_token": secret,
                "allowed_updates": self.allowed_updates(place)});
            let uri = format!(
                "{}/bot{bot}:verify-token-of-bot-{bot}/setWebhook",
                self.telegram.url()
            );
            let request = Request::post(uri).header("content-type", "application/json");
            let request = request.body(Bytes::from(set.to_string()))?;
            let answer = self.telegram.call(request).await?;
            anyhow::ensure!(answer.status() == StatusCode::OK, "setWebhook: {answer:?}");
        }
        Ok(())
    }

    /// The function of this name.
    #[must_use]
    pub fn function(&self, name: &str) -> &Started {
        &self.functions[name]
    }

    /// How many invocations by queues run now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.mappings
            .values()
            .map(|mapping| mapping.running())
            .sum()
    }

    /// Kills the invocations of the worker by its queue that run now.
    pub fn kill_worker(&self) {
        self.mappings["worker"].kill();
    }

    /// The way of an update to the webhook, for [`Telegram::deliver_to`].
    #[must_use]
    pub fn transport(&self) -> Deliver {
        self.transport_to("webhook")
    }

    /// A shop reports a payment; `None` if the function died over it, or could not be reached.
    pub async fn buy(&self, body: &Value) -> Option<Reply> {
        self.buy_as(body, None).await
    }

    /// As [`World::buy`], with an `Idempotency-Key` if there is one.
    pub async fn buy_as(&self, body: &Value, idempotency_key: Option<&str>) -> Option<Reply> {
        let mut request = Request::post("/v1/invite/request").header("x-api-key", API_KEY);
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Bytes::from(body.to_string())).ok()?;
        let asked = self.clock.now();
        let name = format!("{body}{idempotency_key:?}");
        let asked = *self.observed().first_asked.entry(name).or_insert(asked);
        let reply = self.call("request", request).await?;
        let mut observed = self.observed();
        observed.asked.push((body.clone(), reply.clone()));
        if reply.status == 200 {
            let id = reply.body["requestId"].as_str().unwrap_or_default();
            let times = (asked, self.clock.now());
            observed.times.entry(id.to_owned()).or_insert(times);
            let answers = observed.accepted.entry(id.to_owned()).or_default();
            answers.push(reply.body.clone());
        }
        Some(reply)
    }

    /// As [`World::buy`], again and again until it is accepted, as a shop does; gives up after `tries`.
    pub async fn buy_until_accepted(&self, body: &Value, tries: u32) -> Option<Reply> {
        for _ in 0..tries {
            match self.buy(body).await {
                Some(reply) if reply.status < 500 => return Some(reply),
                _ => tokio::time::sleep(Duration::from_secs(2)).await,
            }
        }
        None
    }

    /// The tick of the worker, past its schedule. `None` if the function died over it.
    pub async fn tick(&self) -> Option<Value> {
        let workers = Arc::clone(&self.workers);
        let invocation = tokio::spawn(async move { workers.tick().await });
        self.wire.watch(invocation.abort_handle());
        invocation.await.ok()
    }

    /// No run by the clock begins until [`World::resume_schedules`].
    pub fn pause_schedules(&self) {
        self.schedules.paused.store(true, Ordering::SeqCst);
    }

    /// What runs by the clock runs again.
    pub fn resume_schedules(&self) {
        self.schedules.paused.store(false, Ordering::SeqCst);
    }

    /// An operator calls; `None` if the function died over it.
    pub async fn operate(&self, path: &str, body: &Value) -> Option<Reply> {
        let request = Request::post(format!("/v1/admin/{path}")).header("x-admin-key", ADMIN_KEY);
        let request = request.body(Bytes::from(body.to_string())).ok()?;
        self.call("admin", request).await
    }

    /// A shop changes a request of its own; `None` if the function died over it.
    pub(crate) async fn change(&self, id: &str, action: &str, body: &Value) -> Option<Reply> {
        let request = Request::post(format!("/v1/invite/{id}/{action}"))
            .header("x-api-key", API_KEY)
            .body(Bytes::from(body.to_string()))
            .ok()?;
        self.call("request", request).await
    }

    /// Somebody calls a function; `None` if it died over it.
    pub(crate) async fn call(&self, name: &str, request: Request<Bytes>) -> Option<Reply> {
        let function = self.function(name).clone();
        let invocation = tokio::spawn(async move { function.call(request).await });
        self.wire.watch(invocation.abort_handle());
        let answer = invocation.await.ok()?;
        Some(Reply {
            status: answer.status().as_u16(),
            body: serde_json::from_slice(answer.body()).unwrap_or_default(),
        })
    }

    /// Where a request stands, by the API.
    pub async fn status_of(&self, request_id: &str) -> Option<Value> {
        let request = common_http_get(&format!("/v1/invite/{request_id}"))?;
        let answer = self.function("status").call(request).await;
        (answer.status() == StatusCode::OK)
            .then(|| serde_json::from_slice(answer.body()).ok())
            .flatten()
    }
}

/// The way of calls that are no part of what is simulated.
fn past_the_wire(aws: &Aws) -> Transport {
    let aws = aws.clone();
    Transport::new(move |request| {
        let aws = aws.clone();
        async move { aws.call(request).await.map_err(|Reset| wire::broken()) }.boxed()
    })
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
