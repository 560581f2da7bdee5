//! `cargo run`: the local stack on this machine.

use std::collections::HashMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use local::functions::FUNCTIONS;
use local::stack::{Data, Options, Stack};
use local::supervision::{Supervision, log_levels};
use local::timeline::Timeline;
use setup::check::{Check, CheckStatus};
use simulators::clock::Clock;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Admit One on one machine: the API, the queues' workers and an embedded AWS, with Telegram and WebEngage simulated
/// unless TELEGRAM_BOT_TOKEN and WEBENGAGE_API_KEY are set.
#[derive(Parser)]
#[command(name = "admit-one", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Where the API and the page listen; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// Where DynamoDB and SQS listen; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:4566")]
    aws_listen: SocketAddr,
    /// Where the data lies; it survives a restart.
    #[arg(long, default_value = ".admit")]
    data_dir: PathBuf,
    /// Keep the data in memory only.
    #[arg(long)]
    ephemeral: bool,
    /// Whether an answer waits until what it tells of is on the disk.
    #[arg(long, value_enum, default_value_t = Fsync::Always)]
    fsync: Fsync,
    /// Print the addresses and the functions' environment as shell lines instead of the greeting.
    #[arg(long)]
    print_env: bool,
    /// Print nothing: the greeting holds a key, and what a service prints is kept. What the checks of the start find is
    /// logged.
    #[arg(long, conflicts_with = "print_env")]
    quiet: bool,
}

/// When what is stored is flushed to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Fsync {
    /// Before each answer; callers who wait together share a flush. A power cut loses nothing that was answered 200.
    Always,
    /// When the operating system likes: faster, and a power cut may lose payments of the last half minute that were
    /// answered 200. A `kill -9` still loses nothing.
    Never,
}

#[derive(Subcommand)]
enum Command {
    /// Look at everything that a deployment, or this machine, needs, and say what to do. Changes nothing.
    Doctor(local::doctor::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One sentence with its causes; a backtrace helps nobody whose port is in use.
            let _ = writeln!(std::io::stderr().lock(), "admit-one: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let env: HashMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    if let Some(Command::Doctor(arguments)) = arguments.command {
        return local::doctor::run(arguments, &env).await;
    }
    // A stop that is asked for while it starts is one as well.
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let clock = Clock::new();
    let timeline = Timeline::new(runtime::clock::Clock::advanced_by(clock.offset_ms()));
    log(&env, &timeline);
    let starting = Stack::start(Options {
        functions: &FUNCTIONS,
        chat: simulators::telegram::ChatKind::Supergroup,
        listen: arguments.listen,
        aws_listen: arguments.aws_listen,
        data: match (arguments.ephemeral, arguments.fsync) {
            (true, _) => Data::Ephemeral,
            (false, Fsync::Always) => Data::Folder(arguments.data_dir),
            (false, Fsync::Never) => Data::Unsynced(arguments.data_dir),
        },
        env,
        clock,
        timeline,
        supervision: Supervision::On,
    });
    let stack = tokio::select! {
        started = starting => started?,
        interrupted = tokio::signal::ctrl_c() => return Ok(interrupted?),
        _ = terminate.recv() => return Ok(()),
    };
    let banner = match (arguments.print_env, arguments.quiet) {
        (true, _) => local::banner::env(&stack),
        (false, true) => {
            tracing::info!("serves {}", stack.url);
            String::new()
        }
        (false, false) => local::banner::words(&stack),
    };
    std::io::stdout().lock().write_all(banner.as_bytes())?;
    // It serves already: the checks delay nobody.
    let examined = async {
        let is_log = arguments.print_env || arguments.quiet;
        tell(&stack.examine().await, is_log);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = examined => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    // A second one ends it at once.
    tokio::select! {
        () = stack.stop() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(())
}

/// Says what the checks of the start have found: to a person all of it, to a log what needs attention.
fn tell(checks: &[Check], is_log: bool) {
    for check in checks {
        let (what, says) = (&check.what, &check.says);
        match (is_log, check.status) {
            (false, _) => {
                let line = local::supervision::line(check);
                let _ = writeln!(std::io::stdout().lock(), "{line}");
            }
            (true, CheckStatus::Failed) => tracing::error!("{what}: {says}"),
            (true, CheckStatus::Warning) => tracing::warn!("{what}: {says}"),
            (true, CheckStatus::Ok) => tracing::info!("{what}: {says}"),
        }
    }
}

/// Logs what needs attention to standard error, or what `RUST_LOG` asks for, a level or a list such as
/// `info,worker=debug`; the page sees the rest.
fn log(env: &HashMap<String, String>, timeline: &Timeline) {
    let levels = env
        .get("RUST_LOG")
        .and_then(|levels| log_levels(levels))
        .unwrap_or_else(|| Targets::new().with_default(LevelFilter::WARN));
    let ours = || {
        tracing_subscriber::filter::filter_fn(|metadata| {
            local::functions::is_ours(metadata.target())
        })
    };
    let lines = tracing_subscriber::fmt::layer()
        .compact()
        .with_writer(std::io::stderr)
        .with_target(false);
    tracing_subscriber::registry()
        .with(timeline.clone().with_filter(LevelFilter::INFO))
        .with(lines.with_filter(ours()).with_filter(levels))
        .init();
}
