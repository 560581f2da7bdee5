//! `local bench`: what the functions cost in time, memory, processor and money, measured beside something to compare with.
//!
//! It owns no threshold of time: the figures of one machine mean little on another, so what is claimed is counted
//! (units, calls, bytes) or a ratio between two programs in one run.

mod binary;
mod bursts;
mod claims;
mod environment;
pub(crate) mod figures;
mod fixture;
mod functions;
mod libraries;
mod load;
mod messages;
mod money;
mod node_baseline;
mod order_seed;
mod payload;
mod polling;
mod prices;
mod report;
mod routes;
mod seed;
pub mod server;
mod talk;
mod usage;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

pub(crate) use binary::find as find_binary;
use report::BenchReport;

/// What to measure, and how long.
#[derive(Args)]
pub struct Arguments {
    /// How long each load lasts; by default 3, or with --quick 0.5.
    #[arg(long)]
    seconds: Option<f64>,
    /// Measure only these.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// Fewer starts, calls and rounds, for CI.
    #[arg(long)]
    quick: bool,
    /// Where the functions' release binaries are; by default beside this program.
    #[arg(long)]
    functions: Option<PathBuf>,
}

/// A part of the benchmark.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Requests per second and latency of the HTTP routes in this process.
    Load,
    /// Each function's binary: start, calls, memory, size.
    Functions,
    /// `request` and `payments` beside Node services.
    Node,
    /// The routes of money: a provider's events, checkouts, polls.
    Money,
    /// What a purchase uses of AWS, and what a million cost.
    Purchases,
    /// DynamoDB units and SQS calls per invite and join, and what a million costs.
    Units,
    /// From the claim link to the chat, for 1, 100 and 10,000 people at once, and what each costs.
    Claims,
    /// Messages at Telegram's limit, receipts in a broadcast, and floods.
    Messages,
    /// An actor's `getUpdates`, idle and busy.
    Polling,
    /// `webhook` beside bots on aiogram and grammY; only if it is named, since it installs them.
    Libraries,
}

/// How much of everything.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// Starts of each program.
    starts: usize,
    /// Calls over which processor time is counted.
    calls: usize,
    /// Turns of the comparison.
    rounds: usize,
    /// Length of each load.
    load: Duration,
}

/// Measures, prints the tables, and writes `bench.json` into the build's folder.
///
/// # Errors
/// What could not be measured, and how to fix it.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let tables = measure(arguments).await?;
    std::io::stdout().lock().write_all(tables.as_bytes())?;
    Ok(())
}

/// Measures everything, with less effort if it is to be `quick`; answers the tables as Markdown.
///
/// # Errors
/// What could not be measured, and how to fix it.
pub(crate) async fn tables(quick: bool, functions: Option<PathBuf>) -> anyhow::Result<String> {
    let arguments = Arguments {
        seconds: None,
        only: Vec::new(),
        quick,
        functions,
    };
    measure(arguments).await
}

/// A part that is measured in simulated time.
type Simulated = fn(&mut BenchReport, bool) -> anyhow::Result<()>;

async fn measure(arguments: Arguments) -> anyhow::Result<String> {
    let program = std::env::current_exe()?;
    let beside = program.parent().context("this program has no folder")?;
    let folder = arguments
        .functions
        .clone()
        .unwrap_or_else(|| beside.to_owned());
    let (starts, calls, rounds, seconds, clock_speed) = match arguments.quick {
        false => (15, 2000, 5, 3.0, 2),
        true => (5, 300, 3, 0.5, 8),
    };
    let effort = Effort {
        starts,
        calls,
        rounds,
        load: Duration::try_from_secs_f64(arguments.seconds.unwrap_or(seconds))?,
    };
    let wants = |part| arguments.only.is_empty() || arguments.only.contains(&part);
    let mut report = BenchReport::default();
    if wants(Part::Load) {
        routes::measure(&mut report, effort.load).await?;
    }
    if wants(Part::Money) {
        money::load(&mut report, effort.load).await?;
    }
    let mut calls = functions::Calls::new();
    if wants(Part::Functions) {
        calls = functions::measure(&mut report, &folder, effort).await?;
    }
    if wants(Part::Node) {
        node_baseline::measure(&mut report, &folder, effort).await?;
    }
    if arguments.only.contains(&Part::Libraries) {
        libraries::measure(&mut report, &folder, effort).await?;
    }
    if wants(Part::Units) {
        let life = bursts::measure(&mut report, clock_speed).await?;
        prices::add(&mut report, &life, &calls);
    }
    for (part, simulated) in [
        (Part::Claims, claims::measure as Simulated),
        (Part::Messages, messages::measure),
        (Part::Polling, polling::measure),
        (Part::Purchases, money::purchases),
    ] {
        if wants(part) {
            // A world has a runtime of its own, which can't be started within this one.
            let run = move || simulated(&mut report, arguments.quick).map(|()| report);
            report = tokio::task::spawn_blocking(run).await??;
        }
    }
    let json = beside.parent().unwrap_or(beside).join("bench.json");
    std::fs::write(&json, serde_json::to_vec_pretty(&report.json())?)?;
    Ok(report.text())
}
