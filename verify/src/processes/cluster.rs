//! The processes of one world, their gates, and what Lambda, SQS and the shop do for them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use aws_lambda_events::sqs::SqsBatchResponse;
use aws_sdk_sqs::types::MessageSystemAttributeName;
use axum::body::Body;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use simulators::Reset;
use simulators::lambda::Function;
use simulators::telegram::{Fault, FaultRule, Tap};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::driven;
use crate::crash::{CallSites, Case, Flow};
use crate::wire::Wire;
use crate::world::{Plan, Reply, World};
use local::event_source_mapping;
use local::functions::{FUNCTIONS, Trigger};
use local::resources::{INVITES, Source};

const SHOP: &str = include_str!("../../../events/request-new.json");
const UPDATE: &str = include_str!("../../../events/webhook-join.json");
/// The largest body that a gate takes, in bytes.
const BODY_MAX_BYTES: usize = 1024 * 1024;
/// The longest run of a function: the worker's.
const TIMEOUT: Duration = Duration::from_secs(INVITES.timeout_seconds);
/// Longer than any visibility time-out.
const TURN: Duration = Duration::from_secs(400);
/// How long all may take to become quiet, of real time.
const QUIET_WITHIN: Duration = Duration::from_secs(60);
/// How often the shop tries before something must be wrong.
const TRIES: u32 = 20;

type Running = Arc<Mutex<BTreeMap<&'static str, Arc<Function>>>>;

/// The functions as processes; one that was killed is started again at its next event.
#[derive(Clone)]
struct Processes {
    folder: PathBuf,
    env: BTreeMap<&'static str, Vec<(String, String)>>,
    running: Running,
}

impl Processes {
    /// The answer, or nothing if the process died over it.
    async fn invoke(&self, name: &'static str, event: &Value) -> anyhow::Result<Option<Value>> {
        let known = self.running().get(name).cloned();
        let function = match known {
            Some(function) => function,
            None => {
                let binary = crate::bench::find_binary(&self.folder, name)?;
                let env = self.env.get(name).cloned().unwrap_or_default();
                let function = Function::spawn(binary, env, TIMEOUT).await?;
                let function = Arc::new(function);
                self.running().insert(name, Arc::clone(&function));
                function
            }
        };
        match function.invoke(event.to_string().into_bytes()).await {
            Ok(answer) => Ok(Some(serde_json::from_slice(&answer)?)),
            Err(simulators::lambda::InvokeError::Crashed(_)) => {
                self.running().remove(name);
                Ok(None)
            }
            Err(error) => {
                let logs = function.logs().join("\n");
                Err(error).with_context(|| format!("{name}: {logs}"))
            }
        }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<&'static str, Arc<Function>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct ProcessCluster {
    pub(super) world: World,
    call_sites: CallSites,
    processes: Processes,
    _gates: JoinSet<()>,
}

impl ProcessCluster {
    pub(super) async fn start(
        case: &Case,
        call_sites: &CallSites,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let plan = Plan {
            workers: 0,
            events: false,
            schedules: false,
            env: vec![("BASE_BACKOFF_SEC", "1".to_owned())],
            ..case.flow.plan()
        };
        let world = World::start_at(runtime::clock::Clock::real().now().ms(), &plan).await?;
        world.wire.fault_policy(call_sites.fault_policy());
        let mut processes = Processes {
            folder: folder.to_owned(),
            env: BTreeMap::new(),
            running: Arc::default(),
        };
        let mut gates = JoinSet::new();
        for name in driven() {
            let any_port = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
            let listener = TcpListener::bind(any_port).await?;
            let url = format!("http://{}", listener.local_addr()?);
            let mut env = world.env.clone();
            for base in [
                "AWS_ENDPOINT_URL",
                "TELEGRAM_API_BASE",
                "WEBENGAGE_API_BASE",
            ] {
                env.insert(base.to_owned(), url.clone());
            }
            processes.env.insert(name, env.into_iter().collect());
            let gate = gate(world.wire.clone(), name);
            gates.spawn(async move {
                let _ = axum::serve(listener, gate).await;
            });
            let running = Arc::clone(&processes.running);
            world.wire.kills(
                name,
                Box::new(move || {
                    let running = running.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(function) = running.get(name).cloned() {
                        tokio::spawn(async move { function.kill().await });
                    }
                }),
            );
        }
        let transport = processes.clone();
        world.telegram.deliver_to(Arc::new(move |request| {
            let transport = transport.clone();
            async move { deliver(&transport, request).await.ok_or(Reset) }.boxed()
        }));
        Ok(Self {
            world,
            call_sites: call_sites.clone(),
            processes,
            _gates: gates,
        })
    }

    /// Ends all processes; what they logged is the world's log.
    pub(super) async fn stop(&self) {
        let running: Vec<Arc<Function>> = self.processes.running().values().cloned().collect();
        for function in running {
            function.kill().await;
            for line in function.logs() {
                self.world.logs.add(&line);
            }
        }
    }

    /// Runs a flow until all is quiet, and lets the customer join.
    pub(super) async fn run(&self, flow: Flow) -> anyhow::Result<()> {
        if flow == Flow::MintLimited {
            let limit = Fault::TooManyRequests { retry_after: 1 };
            let rule = FaultRule::on("createChatInviteLink", limit);
            self.world.telegram.fail(rule.times(1));
        }
        if flow != Flow::Join {
            self.call_sites.open();
        }
        let payment_body = &flow.payments()[0].body;
        self.sell(payment_body).await?;
        self.quiet().await?;
        if matches!(flow, Flow::Join | Flow::Events) {
            self.call_sites.open();
            self.join()?;
            self.quiet().await?;
        }
        self.call_sites.close();
        if !matches!(flow, Flow::Join | Flow::Events) {
            self.join()?;
            self.quiet().await?;
        }
        Ok(())
    }

    /// The customer taps the link that was handed out.
    fn join(&self) -> anyhow::Result<()> {
        let events = self.world.webengage.ingested();
        let link = events
            .iter()
            .find_map(|event| event.body["eventData"]["inviteLink"].as_str())
            .context("no link was told")?;
        let tap = self.world.tap(link, 1000);
        anyhow::ensure!(tap == Tap::Joined, "the customer tapped and got {tap:?}");
        Ok(())
    }

    /// The shop reports a payment until it is answered.
    async fn sell(&self, body: &Value) -> anyhow::Result<()> {
        let mut event: Value = serde_json::from_str(SHOP)?;
        event["headers"]["x-api-key"] = json!(self.world.env.get("API_KEYS"));
        event["body"] = json!(body.to_string());
        for _ in 0..TRIES {
            if let Some(answer) = self.processes.invoke("request", &event).await? {
                let reply = Reply {
                    status: status_of(&answer),
                    body: serde_json::from_str(answer["body"].as_str().unwrap_or_default())?,
                };
                anyhow::ensure!(reply.status == 200, "the shop was told {}", reply.status);
                let mut observed = self.world.observed();
                observed.asked.push((body.clone(), reply.clone()));
                let id = reply.body["requestId"].as_str().unwrap_or_default();
                let answers = observed.accepted.entry(id.to_owned()).or_default();
                answers.push(reply.body);
                return Ok(());
            }
        }
        anyhow::bail!("the shop was never answered")
    }

    /// Feeds the functions from their queues until nothing is left.
    async fn quiet(&self) -> anyhow::Result<()> {
        let all = async {
            loop {
                let mut worked = false;
                for function in &FUNCTIONS {
                    for trigger in function.triggers {
                        if let Trigger::Queue(source) = trigger {
                            worked |= self.feed(source, function.name).await?;
                        }
                    }
                }
                if self.world.is_quiet().await? {
                    return anyhow::Ok(());
                }
                if !worked {
                    self.processes
                        .invoke("worker", &json!({"kind": "tick"}))
                        .await?;
                    tokio::time::sleep(Duration::from_millis(30)).await;
                    self.world.sim_clock.advance(TURN);
                }
            }
        };
        tokio::time::timeout(QUIET_WITHIN, all)
            .await
            .context("not quiet within a minute")?
    }

    /// Receives one batch and invokes the function; answers whether there was one.
    async fn feed(&self, source: &Source, function: &'static str) -> anyhow::Result<bool> {
        let sqs = self.world.admin.sqs();
        let url = self.world.aws.queue_url(source.queue);
        let received = sqs
            .receive_message()
            .queue_url(&url)
            .max_number_of_messages(source.batch_size)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await?;
        let messages = received.messages.unwrap_or_default();
        if messages.is_empty() {
            return Ok(false);
        }
        let event = event_source_mapping::event(&messages, source.queue);
        let Some(answer) = self.processes.invoke(function, &event).await? else {
            // Its clock can't be turned, so its lease is made to lapse.
            self.world.set_lease("until", 0).await?;
            return Ok(true);
        };
        let answer: SqsBatchResponse = serde_json::from_value(answer)?;
        for message in &messages {
            let failed = answer.batch_item_failures.iter().any(|failure| {
                Some(failure.item_identifier.as_str()) == message.message_id.as_deref()
            });
            if !failed {
                let call = sqs.delete_message().queue_url(&url);
                let call = call.set_receipt_handle(message.receipt_handle.clone());
                call.send().await?;
            }
        }
        Ok(true)
    }
}

/// An update on its way to the webhook's process.
async fn deliver(processes: &Processes, request: Request<Bytes>) -> Option<Response<Bytes>> {
    let mut event: Value = serde_json::from_str(UPDATE).ok()?;
    let secret = "x-telegram-bot-api-secret-token";
    event["headers"][secret] = json!(request.headers().get(secret)?.to_str().ok()?);
    event["body"] = json!(String::from_utf8_lossy(request.body()));
    let answer = processes.invoke("webhook", &event).await.ok()??;
    let mut response = Response::new(Bytes::from(
        answer["body"].as_str().unwrap_or_default().to_owned(),
    ));
    *response.status_mut() = StatusCode::from_u16(status_of(&answer)).ok()?;
    Some(response)
}

fn status_of(answer: &Value) -> u16 {
    let status = answer["statusCode"].as_u64();
    status
        .and_then(|status| u16::try_from(status).ok())
        .unwrap_or_default()
}

/// Takes the calls of one process and carries them over the wire.
fn gate(wire: Wire, caller: &'static str) -> axum::Router {
    let transport = wire.transport(caller);
    axum::Router::new().fallback(move |request: Request<Body>| {
        let transport = transport.clone();
        async move {
            let (mut head, body) = request.into_parts();
            let path = head.uri.path().to_owned();
            let host = match path.split('/').nth(1) {
                Some(bot) if bot.starts_with("bot") => "telegram.invalid",
                Some("v1") => "webengage.invalid",
                _ => "aws.invalid",
            };
            let body = axum::body::to_bytes(body, BODY_MAX_BYTES).await;
            let (Ok(uri), Ok(body)) = (format!("http://{host}{path}").parse(), body) else {
                return Response::new(Body::empty());
            };
            head.uri = uri;
            match transport.call(Request::from_parts(head, body)).await {
                Ok(answer) => answer.map(Body::from),
                Err(_) => {
                    let mut broken = Response::new(Body::empty());
                    *broken.status_mut() = StatusCode::BAD_GATEWAY;
                    broken
                }
            }
        }
    })
}
