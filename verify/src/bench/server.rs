//! `webhook` behind HTTP in a process of its own, for the comparison with bots on other libraries: nothing simulated is in
//! it, so that its processor time is the product's.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use futures_util::FutureExt as _;
use local::event_source_mapping::{EventSourceMapping, Handler};
use local::functions::{FUNCTIONS, Function, Functions, is_ours};
use local::resources::MESSAGES;
use local::serve::{Bounds, serve};
use local::{api, harness};
use runtime::aws::Shared;
use runtime::clock::Clock;
use runtime::config::Env;
use tokio::task::JoinSet;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How the server differs.
#[derive(Args)]
pub struct ServerArguments {
    /// The port on the loopback address.
    #[arg(long)]
    port: u16,
    /// Send what is to be said, too, fed by its queue.
    #[arg(long)]
    messenger: bool,
}

/// Serves until it is killed.
///
/// # Errors
/// What is missing in the environment, or can't be started.
pub async fn run(arguments: ServerArguments) -> anyhow::Result<()> {
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_ansi(false)
        .with_filter(LevelFilter::INFO)
        .with_filter(filter_fn(|line| is_ours(line.target())));
    tracing_subscriber::registry().with(lines).try_init()?;
    let served = |function: &&Function| {
        function.name == "webhook" || (arguments.messenger && function.name == "messenger")
    };
    let registry: Vec<Function> = FUNCTIONS.iter().filter(served).copied().collect();
    // It lives as long as the process.
    let registry: &'static [Function] = registry.leak();
    let mut env = Env::of_process();
    let functions = Arc::new(Functions::start(registry, &mut env, &Clock::real())?);
    let mut tasks = JoinSet::new();
    if arguments.messenger {
        let url = env.optional(MESSAGES.url_variable);
        let messenger = functions.get("messenger").clone();
        let handler: Handler = Arc::new(move |batch, deadline| {
            let messenger = messenger.clone();
            async move { messenger.batch(batch, deadline).await }.boxed()
        });
        EventSourceMapping::start(
            &mut tasks,
            &Shared::from_env(&mut env).sqs(),
            &MESSAGES,
            url.context("no queue")?,
            handler,
        );
    }
    let mut address = harness::any_port();
    address.set_port(arguments.port);
    let listener = tokio::net::TcpListener::bind(address).await?;
    let bounds = Bounds {
        // Of the whole comparison.
        life: Duration::from_secs(24 * 3600),
        ..Bounds::default()
    };
    let router = api::served(api::routes(&functions), registry);
    serve(listener, router, bounds).await;
    Ok(())
}
