//! What the functions are measured on: an embedded AWS of their own, the simulated outside, and the bundle's routes.
//!
//! Nothing here works off the queues, so that what is measured is the function that is called and nothing beside it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use common::aws::Shared;
use common::clock::Clock;
use simulators::aws::{Aws, Storage};
use simulators::telegram::{ChatKind, Rights};
use tokio::task::JoinSet;

use crate::bundle::{Bundle, Data, Options};
use crate::demo::{Demo, Stage};
use crate::functions::{Functions, env_of};
use crate::serve::{Bounds, serve};
use crate::supervision::Supervision;
use crate::timeline::Timeline;
use crate::{resources, routes};

/// The chats that mints are spread over: each has a limiter of its own, so that none has to wait for its slot.
pub(crate) const CHATS: i64 = 100;

/// A running stand; dropped, it stops.
pub(crate) struct Stand {
    /// The environment of the functions.
    pub(crate) env: HashMap<String, String>,
    /// Where the bundle's routes are served, in this process.
    pub(crate) url: String,
    /// The tables and queues.
    pub(crate) shared: Shared,
    /// The first of the chats.
    pub(crate) first_chat: i64,
    aws: Aws,
    /// Keeps the simulated outside alive; its own queues stay empty.
    _bundle: Bundle,
    _api: JoinSet<()>,
}

impl Stand {
    /// Starts one, in memory.
    ///
    /// # Errors
    /// What could not be started.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let any_port = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let clock = simulators::clock::Clock::new();
        let bundle = Bundle::start(Options {
            listen: any_port,
            aws_listen: any_port,
            data: Data::Ephemeral,
            env: HashMap::new(),
            clock: clock.clone(),
            timeline: Timeline::default(),
            supervision: Supervision::Off,
        })
        .await?;
        let aws = Aws::start(any_port, Storage::Memory, clock.clone()).await?;
        let mut env = bundle.env.clone();
        env.insert("AWS_ENDPOINT_URL".to_owned(), aws.url());
        // As deployed: metrics are a part of what logs cost.
        env.insert("METRICS_NAMESPACE".to_owned(), "AdmitOne/bench".to_owned());
        for (name, queue) in [
            ("INVITE_QUEUE_URL", resources::INVITES.queue),
            ("EVENT_QUEUE_URL", resources::EVENTS.queue),
        ] {
            env.insert(name.to_owned(), aws.queue_url(queue));
        }
        let shared = Shared::from_env(&mut env_of(&env));
        resources::create_tables(&shared.dynamodb()).await?;
        resources::create_queues(&shared.sqs()).await?;

        let telegram = bundle
            .world
            .telegram
            .clone()
            .context("Telegram is not simulated")?;
        for chat in telegram.chat_id + 1..telegram.chat_id + CHATS {
            telegram
                .server
                .add_chat(chat, "Benchmark", ChatKind::Supergroup);
            telegram
                .server
                .make_admin(telegram.bot_id, chat, Rights::all());
        }
        if let Some(webengage) = &bundle.world.webengage {
            webengage.set_limit(u32::MAX);
        }

        let chats = telegram.chat_id..telegram.chat_id + CHATS;
        let chats: Vec<String> = chats.map(|chat| chat.to_string()).collect();
        env.insert("TELEGRAM_CHAT_ID".to_owned(), chats.join(","));

        let functions = Arc::new(Functions::start(&mut env_of(&env), &Clock::real())?);
        let stage = Stage {
            aws: aws.clone(),
            dynamo: shared.dynamodb(),
            sqs: shared.sqs(),
            queue_url: aws.queue_url(resources::INVITES.queue),
            world: bundle.world.clone(),
            clock,
            worker: Arc::clone(&bundle.worker),
            timeline: Timeline::default(),
            watch: Arc::default(),
            stopping: tokio::sync::watch::channel(false).1,
            folder: None,
            shows_key: false,
            shows_admin_key: false,
        };
        let demo = Demo::new(&env, stage);
        let listener = tokio::net::TcpListener::bind(any_port).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = routes::router(functions, Arc::new(demo));
        let mut api = JoinSet::new();
        api.spawn(serve(listener, router, Bounds::default()));
        Ok(Self {
            env,
            url,
            shared,
            first_chat: telegram.chat_id,
            aws,
            _bundle: bundle,
            _api: api,
        })
    }

    /// Calls of AWS since the start.
    pub(crate) fn aws_calls(&self) -> u64 {
        self.aws.wire().counts().values().sum()
    }

    /// A variable of the functions' environment.
    #[must_use]
    pub(crate) fn value(&self, name: &str) -> &str {
        self.env.get(name).map(String::as_str).unwrap_or_default()
    }
}
