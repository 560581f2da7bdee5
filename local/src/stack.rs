//! The local stack: everything of one process, started and stopped together.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::FutureExt as _;
use runtime::aws;
use runtime::clock::Clock;
use setup::check::Check;
use setup::registration::WEBHOOK_PATH;
use simulators::aws::{Aws, Storage};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tracing::warn;

use crate::api;
use crate::claims;
use crate::data_dir::DataDir;
use crate::env::env_of;
use crate::event_source_mapping::{EventSourceMapping, Handler};
use crate::externals::Externals;
use crate::functions::{Function, Functions, Trigger, sources};
use crate::keys::{self, Keys};
use crate::page::{self, Handles, Page};
use crate::resources::{self, MINUTE};
use crate::schedule::{Run, Schedule};
use crate::serve::{Bounds, serve_until};
use crate::supervision::{self, Machine, Supervision, Watch};
use crate::timeline::Timeline;
use crate::updates;

/// How long a stop waits for what is under way: with what follows it is within ten seconds.
const STOP_TIMEOUT: Duration = Duration::from_secs(8);
/// How often it looks meanwhile.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Where the local stack's data lies.
pub enum Data {
    /// In this folder: it survives a restart and a `kill -9`.
    Folder(PathBuf),
    /// In this folder, but nothing waits for the disk: a power cut may take what was answered last.
    Unsynced(PathBuf),
    /// In memory.
    Ephemeral,
}

/// How to start.
pub struct Options {
    /// Where the API listens; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where the AWS wire listens; port 0 picks a free one.
    pub aws_listen: SocketAddr,
    /// Where the data lies.
    pub data: Data,
    /// The environment, as `template.yaml` would set it; what is missing is made up or simulated.
    pub env: HashMap<String, String>,
    /// The clock of everything in the process.
    pub clock: simulators::clock::Clock,
    /// Where the page finds the log lines.
    pub timeline: Timeline,
    /// Whether it watches itself.
    pub supervision: Supervision,
    /// The functions that it runs.
    pub functions: &'static [Function],
    /// What the simulated chat is: a group may become a supergroup.
    pub chat: simulators::telegram::ChatKind,
}

/// A running local stack; dropped, it stops.
pub struct Stack {
    /// Where the API is.
    pub url: String,
    /// The embedded AWS.
    pub aws: Aws,
    /// The environment that the functions were started with.
    pub env: HashMap<String, String>,
    /// Whether Telegram is simulated.
    pub is_simulated: bool,
    pub(crate) externals: Externals,
    pub(crate) functions: Arc<Functions>,
    /// The mappings of the queues, by function.
    pub mappings: BTreeMap<&'static str, Arc<EventSourceMapping>>,
    /// What runs by the clock, by function.
    pub(crate) schedules: BTreeMap<&'static str, Arc<Schedule>>,
    watch: Arc<Watch>,
    machine: Machine,
    clock: Clock,
    stopping: watch::Sender<bool>,
    server: JoinHandle<()>,
    _tasks: JoinSet<()>,
}

impl Stack {
    /// Starts everything; on return it serves.
    ///
    /// # Errors
    /// A sentence about what could not be started: an address in use, a missing name, an unusable folder.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let Options {
            listen,
            aws_listen,
            data,
            mut env,
            clock,
            timeline,
            supervision,
            functions: registry,
            chat,
        } = options;
        let given = env.clone();
        let is_synced = matches!(data, Data::Folder(_));
        let folder = match data {
            Data::Ephemeral => None,
            Data::Folder(path) | Data::Unsynced(path) => Some(DataDir::take(path).await?),
        };
        let (storage, keys) = match &folder {
            None => (Storage::Memory, Keys::new()),
            Some(folder) => {
                let path = folder.path().to_owned();
                let keys = Keys::of_data_dir(&path)?;
                match is_synced {
                    true => (Storage::Folder(path), keys),
                    false => (Storage::Unsynced(path), keys),
                }
            }
        };
        let machine = |externals: &Externals| Machine {
            given,
            telegram_is_simulated: externals.telegram.is_some(),
            webengage_is_simulated: externals.webengage.is_some(),
            folder: folder.as_ref().map(|folder| folder.path().to_owned()),
            is_synced,
        };
        let listener = tokio::net::TcpListener::bind(listen)
            .await
            .with_context(|| format!("listening on {listen}"))?;
        let url = format!("http://{}", listener.local_addr()?);
        let aws = Aws::start(aws_listen, storage, clock.clone()).await?;
        let externals = Externals::start(&mut env, &clock, chat, &url).await?;
        let is_simulated = externals.telegram.is_some() && externals.webengage.is_some();
        if let Some(folder) = &folder {
            folder.recall_clock(&clock, is_simulated)?;
        }
        // A key of the caller's own may open more than a simulation: the page asks for it.
        let is_key_ours = !supervision::is_set(&env, "API_KEYS");
        let is_admin_key_ours = !supervision::is_set(&env, "ADMIN_KEYS");
        let machine = machine(&externals);
        keys::fill_in_keys(&mut env, keys);
        env.extend(embedded_aws(&aws));
        let in_simulation = || {
            externals
                .telegram
                .as_ref()
                .map(|_| format!("{url}{WEBHOOK_PATH}"))
        };
        let webhook_url = updates::public_webhook(&env).or_else(in_simulation);
        let looked_at = webhook_url.as_deref().unwrap_or(monitor::POLLING);
        env.insert("WEBHOOK_URL".to_owned(), looked_at.to_owned());
        // The people of a simulation reach us where we serve.
        if externals.telegram.is_some() {
            env.insert("PUBLIC_URL".to_owned(), url.clone());
        }
        // Without an address that others reach, files of exports are fetched on this machine.
        let exports_url = match supervision::is_set(&env, "PUBLIC_URL") {
            true => env["PUBLIC_URL"].clone(),
            false => url.clone(),
        };
        env.insert("EXPORTS_URL".to_owned(), exports_url);
        let shared = aws::Shared::from_env(&mut env_of(&env));
        let (dynamo, sqs) = (shared.dynamodb(), shared.sqs());
        resources::create_tables(&dynamo).await?;
        let queues = resources::create_queues(&sqs, sources(registry)).await?;
        env.extend(queues.into_iter().map(|(name, url)| (name.to_owned(), url)));
        let product_clock = Clock::advanced_by(clock.offset_ms());
        let functions = Arc::new(Functions::start(
            registry,
            &mut env_of(&env),
            &product_clock,
        )?);

        let mut tasks = JoinSet::new();
        // What a killed process left in a queue's function is gone on with at once.
        let first_run = match folder {
            Some(_) => {
                resources::free_leases(&dynamo, &env).await?;
                Duration::ZERO
            }
            None => MINUTE,
        };
        let watch = Arc::<Watch>::default();
        let (mut mappings, mut schedules) = (BTreeMap::new(), BTreeMap::new());
        for function in registry {
            for trigger in function.triggers {
                match *trigger {
                    Trigger::Queue(source) => {
                        let started = functions.get(function.name).clone();
                        let handler: Handler = Arc::new(move |batch, deadline| {
                            let started = started.clone();
                            async move { started.batch(batch, deadline).await }.boxed()
                        });
                        let url = env[source.url_variable].clone();
                        let mapping =
                            EventSourceMapping::start(&mut tasks, &sqs, source, url, handler);
                        mappings.insert(function.name, mapping);
                    }
                    Trigger::Schedule { every, timeout } => {
                        let started = functions.get(function.name).clone();
                        let run: Run = Arc::new(move || {
                            let started = started.clone();
                            async move { started.tick(Instant::now() + timeout).await }.boxed()
                        });
                        let run = match (function.name, supervision) {
                            ("monitor", Supervision::Off) => continue,
                            ("monitor", Supervision::On) => supervision::with_alarms(
                                run,
                                Arc::clone(&watch),
                                timeline.clone(),
                                product_clock.clone(),
                                aws.clone(),
                            ),
                            _ => run,
                        };
                        let has_queue = |trigger: &Trigger| matches!(trigger, Trigger::Queue(_));
                        let first = match function.triggers.iter().any(has_queue) {
                            true => first_run.min(every),
                            false => every,
                        };
                        let clock = product_clock.clone();
                        let schedule = Schedule::start(&mut tasks, clock, first, every, run);
                        schedules.insert(function.name, schedule);
                    }
                    Trigger::Route(..) | Trigger::Url(..) | Trigger::Deployment => {}
                }
            }
        }

        let stopping = watch::Sender::new(false);
        let handles = Handles {
            aws: aws.clone(),
            dynamo,
            sqs,
            queue_url: env["INVITE_QUEUE_URL"].clone(),
            externals: externals.clone(),
            clock,
            worker: Arc::clone(&mappings["worker"]),
            timeline,
            watch: Arc::clone(&watch),
            stopping: stopping.subscribe(),
            data_dir: folder,
            shows_key: is_simulated && is_key_ours,
            shows_admin_key: is_simulated && is_admin_key_ours,
        };
        let page = Arc::new(Page::new(&env, handles));
        let routes = api::routes(&functions);
        let router = api::served(
            routes.merge(page::routes(page, Arc::clone(&functions))),
            registry,
        );
        let serving = serve_until(listener, router, Bounds::default(), stopping.subscribe());
        let server = tokio::spawn(serving);
        let started = updates::start(
            &mut tasks,
            &env,
            webhook_url.as_deref(),
            Arc::clone(&functions),
        );
        let started = match started.await {
            // Not before people are heard who tap a claim link.
            Ok(()) => claims::make_ready(&mut tasks, &env, &product_clock).await,
            failed => failed,
        };
        if let Err(problem) = started {
            server.abort();
            return Err(problem);
        }
        Ok(Self {
            url,
            aws,
            env,
            is_simulated: externals.telegram.is_some(),
            externals,
            functions,
            mappings,
            schedules,
            watch,
            machine,
            clock: product_clock,
            stopping,
            server,
            _tasks: tasks,
        })
    }

    /// Makes the checks of the start, for who started it and for the page. It serves meanwhile.
    pub async fn examine(&self) -> Vec<Check> {
        let checks = supervision::examine(&self.machine, &self.env, &self.clock).await;
        self.watch.found(checks.clone());
        checks
    }

    /// Ends it in order: nothing is taken any more, what is under way is finished. What has not ended by then is cut off,
    /// as a `kill -9` would, and loses nothing by it.
    pub async fn stop(self) {
        self.stopping.send_replace(true);
        self.functions.stop();
        for schedule in self.schedules.values() {
            schedule.pause();
        }
        for mapping in self.mappings.values() {
            mapping.stop();
        }
        let ended = async {
            while self.running() > 0 || !self.server.is_finished() {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        if tokio::time::timeout(STOP_TIMEOUT, ended).await.is_err() {
            warn!(
                "not all that was under way has ended in time; it is done again after the next start"
            );
        }
        self.aws.stop().await;
    }

    /// How many invocations run now, of the functions that no caller waits for.
    #[must_use]
    pub fn running(&self) -> usize {
        let batches = self.mappings.values().map(|mapping| mapping.running());
        let by_clock = self.schedules.values().map(|schedule| schedule.running());
        batches.chain(by_clock).sum()
    }

    /// An operator's key that the API takes.
    #[must_use]
    pub fn admin_key(&self) -> &str {
        keys::admin_key(&self.env)
    }

    /// Whether the shops' key was made up here, so that it may be shown.
    #[must_use]
    pub fn is_key_made_up(&self) -> bool {
        !supervision::is_set(&self.machine.given, "API_KEYS")
    }

    /// Whether the operator's key was made up here, so that it may be shown.
    #[must_use]
    pub fn is_admin_key_made_up(&self) -> bool {
        !supervision::is_set(&self.machine.given, "ADMIN_KEYS")
    }

    /// A key that the API takes.
    #[must_use]
    pub fn api_key(&self) -> &str {
        self.env
            .get("API_KEYS")
            .and_then(|keys| keys.split(',').next())
            .unwrap_or_default()
            .trim()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The variables by which the functions find the embedded AWS. Its credentials open nothing, but SDKs want some.
fn embedded_aws(aws: &Aws) -> impl Iterator<Item = (String, String)> {
    let variables = [
        ("AWS_ENDPOINT_URL", aws.url()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "local".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
        ("AWS_SESSION_TOKEN", String::new()),
        ("SECRETS_ARN", String::new()),
        ("TABLE_PREFIX", String::new()),
    ];
    variables
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
}
