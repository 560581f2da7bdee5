//! Seeds: a few hundred payments each, in a world that goes wrong in every way at once, drawn from a number. The same
//! number is the same trace, call by call.
//!
//! A seed draws a `plan`; `script` injects the faults, `clients` buy and join, `bot` has the people who use the bot, `recorder`
//! sees each call, `trace` keeps it, and when all is over `outcome` says what is broken.

mod bot;
mod bot_plan;
mod clients;
mod draw;
mod outcome;
mod payment;
mod plan;
mod recorder;
mod script;
mod trace;

use std::io::Write as _;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tracing_subscriber::Layer as _;
use tracing_subscriber::layer::SubscriberExt as _;

use super::orders;
use super::scenarios;
use super::world::{World, run};
use bot::{BotChecker, BotStage, People};
use clients::{Clients, CustomerInbox};
use outcome::Checker;
use plan::SeedPlan;
pub use plan::Size;
use recorder::Recorder;
use script::ActiveFaults;
use trace::Trace;

/// How long a world is watched after it has come to rest.
const REST: Duration = Duration::from_secs(1800);
/// How often it is looked whether a table has something to do: what comes of it is seen at once.
const LOOK: Duration = Duration::from_secs(60);
/// The longest that a world may take to come to rest after its faults.
const SETTLE_MAX: Duration = Duration::from_secs(10 * 24 * 3600);

/// What came of one seed.
#[derive(Clone, Debug)]
pub struct SeedReport {
    /// The seed.
    pub seed: u64,
    /// Orders.
    pub payments: u64,
    /// Calls that the functions made.
    pub calls: u64,
    /// Calls that went wrong on purpose.
    pub faults: u64,
    /// Invocations that died.
    pub deaths: u64,
    /// Links that were made.
    pub links: u64,
    /// Requests that a refusal failed.
    pub failed: u64,
    /// The world's time.
    pub time: Duration,
    /// Events that WebEngage ingested again because it had forgotten them, which only its own documentation allows.
    pub allowed_repeats: u64,
    /// The longest that a link took after the faults, or after its request if that came later.
    pub longest_wait: Duration,
    /// Over all that happened, in order.
    pub hash: u64,
    /// What is not as it must be.
    pub broken: Vec<String>,
    /// All that happened, if it was asked for.
    pub trace: Option<String>,
}

/// What came of many seeds.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Seeds.
    pub seeds: u64,
    /// Orders.
    pub payments: u64,
    /// Calls that the functions made.
    pub calls: u64,
    /// Calls that went wrong on purpose.
    pub faults: u64,
    /// Invocations that died.
    pub deaths: u64,
    /// Links that were made.
    pub links: u64,
    /// Requests that a refusal failed.
    pub failed: u64,
    /// The worlds' time.
    pub virtual_days: f64,
    /// Events that WebEngage ingested again because it had forgotten them.
    pub allowed_repeats: u64,
    /// The longest that a link took after the faults.
    pub longest_wait: Duration,
    /// The seeds that broke something.
    pub failures: Vec<SeedReport>,
    /// Real seconds.
    pub seconds: f64,
}

impl Summary {
    fn add(&mut self, report: SeedReport) {
        self.seeds += 1;
        self.payments += report.payments;
        self.calls += report.calls;
        self.faults += report.faults;
        self.deaths += report.deaths;
        self.links += report.links;
        self.failed += report.failed;
        self.virtual_days += report.time.as_secs_f64() / 86_400.0;
        self.allowed_repeats += report.allowed_repeats;
        self.longest_wait = self.longest_wait.max(report.longest_wait);
        if !report.broken.is_empty() {
            self.failures.push(report);
        }
    }
}

/// Runs a seed as CI does.
///
/// # Errors
/// If the world can't be built or read.
pub fn simulate(seed: u64) -> anyhow::Result<SeedReport> {
    simulate_as(seed, &Size::full(), false)
}

/// Runs a seed of another size, with its trace or without.
///
/// # Errors
/// If the world can't be built or read.
pub fn simulate_as(seed: u64, size: &Size, with_story: bool) -> anyhow::Result<SeedReport> {
    run(seed, live(seed, size, with_story))
}

async fn live(seed: u64, size: &Size, with_story: bool) -> anyhow::Result<SeedReport> {
    let plan = SeedPlan::draw(seed, size);
    let trace = Trace::begin(with_story);
    let _listening = with_story.then(|| listen(&trace));
    let world = World::start(&plan.world).await?;
    let stage = match &plan.bot {
        Some(bot) => Some(BotStage::open(&world, &trace, bot).await?),
        None => None,
    };
    let start = world.clock.now();
    let active_faults = ActiveFaults::default();
    script::set_up(&world, &plan, &active_faults, &trace, seed);
    let recorder = Recorder::open(&world, &active_faults, &trace, seed);
    trace.tell(format_args!(
        "seed {seed}: {} payments, {:?} {:?} a {:?}, {:?}, {:?}",
        plan.payments.len(),
        plan.limit,
        plan.way,
        plan.scope,
        plan.world,
        plan.bot
    ));
    let clients = Clients {
        world: &world,
        active_faults: &active_faults,
        trace: &trace,
        payments: &plan.payments,
        purchases: Mutex::default(),
    };
    let mut inbox = CustomerInbox::default();
    let faults = script::perform(&world, &plan, &active_faults, &trace);
    let people = People::new(&clients, plan.faults_end).await?;
    let phase = async { tokio::join!(clients.shop(), faults, people.live()) };
    let whole = async {
        tokio::select! {
            biased;
            ((), faults, ()) = phase => faults?,
            () = clients.live(&mut inbox) => {}
        }
        world.wire.pass_all();
        trace.tell(format_args!("the faults and the payments are over"));
        rest(&world, &clients, &mut inbox, stage.as_ref()).await
    };
    let settled = tokio::select! {
        biased;
        settled = whole => settled?,
        ended = BotStage::work(stage.as_ref()) => ended?,
    };
    trace.tell(format_args!("at rest: {settled}"));
    let checker = Checker {
        world: &world,
        plan: &plan,
        active_faults: &active_faults,
        recorder: &recorder,
        trace: &trace,
        clients: &clients,
        start,
    };
    let mut outcome = checker.check().await?;
    if let Some(stage) = &stage {
        let checker = BotChecker {
            world: &world,
            plan: &plan,
            active_faults: &active_faults,
            recorder: &recorder,
            people: &people,
            stage,
            start,
        };
        outcome.broken.extend(checker.check().await?);
    }
    if !settled {
        let wrong = format!("I2: not at rest {SETTLE_MAX:?} after the faults");
        outcome.broken.insert(0, wrong);
    }
    let faults = recorder.seen().faults + active_faults.aws_hits();
    Ok(SeedReport {
        seed,
        payments: plan.payments.len() as u64,
        calls: world.wire.calls(),
        faults,
        deaths: world.wire.deaths(),
        links: outcome.links as u64,
        failed: outcome.failed,
        time: trace.now(),
        allowed_repeats: outcome.allowed_repeats,
        longest_wait: outcome.longest_wait,
        hash: trace.hash(),
        broken: outcome.broken,
        trace: trace.take_text(),
    })
}

/// Waits until nothing is left to do for anybody; answers whether that came.
async fn rest(
    world: &World,
    clients: &Clients<'_>,
    inbox: &mut CustomerInbox,
    stage: Option<&BotStage<'_>>,
) -> anyhow::Result<bool> {
    let began = tokio::time::Instant::now();
    let (mut quiet_since, mut look_at) = (None, began);
    while began.elapsed() < SETTLE_MAX {
        let next = clients.step(inbox).await;
        let is_idle = world.is_idle() && inbox.is_idle(world);
        if is_idle && tokio::time::Instant::now() < look_at {
            tokio::time::sleep_until(next).await;
            continue;
        }
        look_at = tokio::time::Instant::now() + LOOK;
        let is_bot_quiet = match stage {
            Some(stage) if is_idle => stage.is_idle() && world.is_bot_quiet().await?,
            _ => true,
        };
        if is_idle && is_bot_quiet && world.is_quiet().await? {
            let since = *quiet_since.get_or_insert(tokio::time::Instant::now());
            if since.elapsed() >= REST {
                return Ok(true);
            }
        } else {
            quiet_since = None;
        }
        tokio::time::sleep_until(next).await;
    }
    Ok(false)
}

/// Lets the functions' log lines be part of the trace, on this thread.
fn listen(trace: &Trace) -> tracing::subscriber::DefaultGuard {
    let ours = tracing_subscriber::filter::filter_fn(|metadata| {
        local::functions::is_ours(metadata.target())
    });
    let lines = tracing_subscriber::fmt::layer()
        .compact()
        .without_time()
        .with_ansi(false)
        .with_writer(trace.clone())
        .with_filter(ours);
    tracing::subscriber::set_default(tracing_subscriber::registry().with(lines))
}

/// Runs many seeds, each on one thread, `threads` at once; `done` is told of each.
///
/// # Errors
/// If a world can't be built or read.
pub fn many_as(
    seeds: Range<u64>,
    threads: usize,
    size: &Size,
    done: impl Fn(&SeedReport) + Sync,
) -> anyhow::Result<Summary> {
    let began = Instant::now();
    let (next, summary) = (AtomicU64::new(seeds.start), Mutex::new(Summary::default()));
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1))
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= seeds.end {
                            return anyhow::Ok(());
                        }
                        let report = simulate_as(seed, size, false)?;
                        done(&report);
                        summary
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .add(report);
                    }
                })
            })
            .collect();
        for worker in workers {
            match worker.join() {
                Ok(worked) => worked?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        anyhow::Ok(())
    })?;
    let mut summary = summary.into_inner().unwrap_or_else(PoisonError::into_inner);
    summary.failures.sort_by_key(|report| report.seed);
    summary.seconds = began.elapsed().as_secs_f64();
    Ok(summary)
}

/// What the command line asks for.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many seeds to run, on all cores.
    #[arg(long, default_value_t = 300)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Run this one alone.
    #[arg(long)]
    seed: Option<u64>,
    /// With --seed: print all that happens.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Draw as little as the tests do.
    #[arg(long)]
    small: bool,
    /// Draw hundreds of payments a seed.
    #[arg(long, conflicts_with = "small")]
    large: bool,
    /// Run seeds of orders instead: money, providers, and what is told of payments.
    #[arg(long, conflicts_with = "large")]
    orders: bool,
    /// Run the scenarios instead that no draw would meet: at their full size, or with --small as the tests do.
    #[arg(long, conflicts_with_all = ["seed", "from", "seeds", "orders"])]
    special: bool,
    /// Of the scenarios those whose name holds this.
    #[arg(long, requires = "special")]
    only: Option<String>,
}

/// The command line's `simulate`. Fails if anything is broken.
///
/// # Errors
/// What is broken, or why a world could not be run.
pub fn command(arguments: &Arguments) -> anyhow::Result<()> {
    // A world has a runtime of its own, which can't be started within another one.
    std::thread::scope(|scope| {
        let obeys = scope.spawn(|| obey(arguments));
        obeys
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn obey_orders(arguments: &Arguments, threads: usize) -> anyhow::Result<()> {
    let size = match arguments.small {
        true => orders::Size::Small,
        false => orders::Size::Full,
    };
    let seeds = match arguments.seed {
        Some(seed) => seed..seed.saturating_add(1),
        None => arguments.from..arguments.from.saturating_add(arguments.seeds),
    };
    let report = orders::many(seeds, threads, size)?;
    let mut out = std::io::stdout().lock();
    for line in report.trace.iter().filter(|_| arguments.trace) {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "{}", report.sentence()?)?;
    Ok(())
}

fn obey(arguments: &Arguments) -> anyhow::Result<()> {
    let (size, flag) = match (arguments.small, arguments.large) {
        (true, _) => (Size::small(), " --small"),
        (_, true) => (Size::large(), " --large"),
        _ => (Size::full(), ""),
    };
    let mut out = std::io::stdout().lock();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    if arguments.special {
        drop(out);
        let size = match arguments.small {
            true => scenarios::Size::Small,
            false => scenarios::Size::Full,
        };
        let only = arguments.only.as_deref().unwrap_or_default();
        let results = scenarios::all(size, threads, only);
        let mut out = std::io::stdout().lock();
        for (name, results) in &results {
            match results {
                Ok(sentence) => writeln!(out, "{name}: {sentence}")?,
                Err(error) => writeln!(out, "BROKEN {name}: {error:#}")?,
            }
        }
        let broken = results
            .iter()
            .filter(|(_, results)| results.is_err())
            .count();
        anyhow::ensure!(broken == 0, "{broken} scenarios are broken");
        return Ok(());
    }
    if arguments.orders {
        drop(out);
        return obey_orders(arguments, threads);
    }
    if let Some(seed) = arguments.seed {
        let report = simulate_as(seed, &size, arguments.trace)?;
        if let Some(trace) = &report.trace {
            out.write_all(trace.as_bytes())?;
        }
        writeln!(out, "{}", line(&report))?;
        for broken in &report.broken {
            writeln!(out, "  {broken}")?;
        }
        anyhow::ensure!(report.broken.is_empty(), "seed {seed} broke an invariant");
        return Ok(());
    }
    drop(out);
    let done = AtomicU64::new(0);
    let seeds = arguments.from..arguments.from.saturating_add(arguments.seeds);
    let summary = many_as(seeds, threads, &size, |report| {
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        let mut out = std::io::stdout().lock();
        if !report.broken.is_empty() {
            let _ = writeln!(
                out,
                "BROKEN {}\n  {}\n  replay: cargo run --release -p verify -- simulate --seed {}{flag} --trace",
                line(report),
                report.broken.join("\n  "),
                report.seed
            );
        } else if done.is_multiple_of(50) {
            let _ = writeln!(out, "{done} seeds");
        }
    })?;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{} seeds, {} payments, {} links, {} calls, {} faults, {} deaths, {} failed by refusals, {:.1} virtual days in {:.0} s; \
         longest wait after the faults {:?}; {} events told again after four hours; {} seeds broken",
        summary.seeds,
        summary.payments,
        summary.links,
        summary.calls,
        summary.faults,
        summary.deaths,
        summary.failed,
        summary.virtual_days,
        summary.seconds,
        summary.longest_wait,
        summary.allowed_repeats,
        summary.failures.len()
    )?;
    anyhow::ensure!(summary.failures.is_empty(), "an invariant is broken");
    Ok(())
}

fn line(report: &SeedReport) -> String {
    format!(
        "seed {}: {} payments, {} links, {} calls, {} faults, {} deaths, {:.1} h, longest wait {:?}, {} told again, hash {:016x}",
        report.seed,
        report.payments,
        report.links,
        report.calls,
        report.faults,
        report.deaths,
        report.time.as_secs_f64() / 3600.0,
        report.longest_wait,
        report.allowed_repeats,
        report.hash
    )
}
