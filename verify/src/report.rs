//! `cargo run --release -p verify -- report`: runs all of it, measures, and writes `docs/REPORT.md` with its plots.

mod rate_limits;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::Context as _;

use super::plot::{Chart, Line};
use super::scenarios::Size as Scale;
use super::seeds::Size;
use super::{crash, durability, processes, sale, seeds};

/// What to run, and how much of it.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// As much as CI does.
    #[arg(long)]
    small: bool,
    /// Where `REPORT.md` and its plots go.
    #[arg(long, default_value = "docs")]
    out: PathBuf,
    /// Seeds of the simulation; by default 300, of few payments each with --small.
    #[arg(long)]
    seeds: Option<u64>,
    /// Orders of the sale; by default 100000, or with --small 5000.
    #[arg(long)]
    payments: Option<u64>,
    /// How often the local stack is killed; by default 20, or with --small 5.
    #[arg(long)]
    rounds: Option<u64>,
    /// Seconds of each fuzz target; none by default, since they are built apart.
    #[arg(long)]
    fuzz: Option<u64>,
    /// Where the functions' release binaries are, to be killed as processes; without it they are not.
    #[arg(long)]
    functions: Option<PathBuf>,
    /// Run only these.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
}

/// A part of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// A death at every call.
    Crashes,
    /// Worlds drawn from seeds.
    Seeds,
    /// The cases that no draw would meet.
    Special,
    /// Limits to be found, and several bots.
    RateLimits,
    /// A sale from the link pool.
    Sale,
    /// The local stack, killed again and again.
    Durability,
    /// The benchmark.
    Bench,
}

/// One in so many seeds is run once more with hundreds of payments.
const LARGE_IN: u64 = 20;

/// A figure and what it must be.
struct Bound {
    what: String,
    figure: String,
    bound: &'static str,
    holds: bool,
    /// Whether it is an invariant, without which the report fails; otherwise it is an aim.
    must: bool,
}

/// The report as it grows.
#[derive(Default)]
struct Report {
    bounds: Vec<Bound>,
    sections: String,
    plots: Vec<(&'static str, String)>,
}

impl Report {
    /// Adds a figure with what it must be, and says so at once: the whole takes minutes.
    fn bound(&mut self, what: &str, figure: String, bound: &'static str, holds: bool) {
        self.figure(what, figure, bound, holds, true);
    }

    /// As [`Report::bound`], for what is aimed at: missed, it is said, and nothing fails.
    fn aim(&mut self, what: &str, figure: String, bound: &'static str, holds: bool) {
        self.figure(what, figure, bound, holds, false);
    }

    fn figure(&mut self, what: &str, figure: String, bound: &'static str, holds: bool, must: bool) {
        let outcome = if holds { "holds" } else { "DOES NOT HOLD" };
        let mut out = std::io::stderr().lock();
        let _ = writeln!(out, "{what}: {figure} ({bound}): {outcome}");
        self.bounds.push(Bound {
            what: what.to_owned(),
            figure,
            bound,
            holds,
            must,
        });
    }

    fn section(&mut self, title: &str, text: &str) {
        let _ = write!(self.sections, "\n## {title}\n\n{text}");
    }
}

/// Runs, measures and writes.
///
/// # Errors
/// What does not hold, after the report is written; or what could not be run.
pub async fn command(arguments: Arguments) -> anyhow::Result<()> {
    let began = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (small, folder) = (arguments.small, arguments.functions.clone());
    let seeds = arguments.seeds.unwrap_or(300);
    // A world has a runtime of its own, which can't be started within this one.
    let only = arguments.only.clone();
    let wants = move |part| only.is_empty() || only.contains(&part);
    let runs = wants.clone();
    let worlds = tokio::task::spawn_blocking(move || {
        let mut report = Report::default();
        if runs(Part::Crashes) {
            let size = match small {
                true => crash::Size::Sample,
                false => crash::Size::Whole,
            };
            crashes(&mut report, threads, size);
            if let Some(folder) = &folder {
                killed(&mut report, threads, folder)?;
            }
        }
        if runs(Part::Seeds) {
            if small {
                simulation(
                    &mut report,
                    "Seeds",
                    seeds,
                    ("--small", &Size::small()),
                    threads,
                )?;
            } else {
                simulation(&mut report, "Seeds", seeds, ("", &Size::full()), threads)?;
                let large = ("--large", &Size::large());
                simulation(
                    &mut report,
                    "Seeds of hundreds of payments",
                    seeds / LARGE_IN,
                    large,
                    threads,
                )?;
            }
        }
        // `cargo test` runs these smaller.
        if runs(Part::Special) && !small {
            scenarios(&mut report, threads);
        }
        if runs(Part::RateLimits) {
            rate_limits::rate_limits(&mut report, small, threads)?;
        }
        anyhow::Ok(report)
    });
    let mut report = worlds.await??;
    let (payments, rounds) = match arguments.small {
        true => (5000, 5),
        false => (100_000, 20),
    };
    if wants(Part::Sale) {
        sold(&mut report, arguments.payments.unwrap_or(payments)).await?;
    }
    if wants(Part::Durability) {
        survived(&mut report, arguments.rounds.unwrap_or(rounds)).await?;
    }
    if let Some(seconds) = arguments.fuzz {
        fuzzed(&mut report, seconds)?;
    }
    if wants(Part::Bench) {
        let text = crate::bench::tables(arguments.small, arguments.functions).await?;
        report.section("The benchmark", &text);
    }
    write_report(&arguments.out, &report, began)?;
    let missed: Vec<&str> = report
        .bounds
        .iter()
        .filter(|bound| bound.must && !bound.holds)
        .map(|bound| bound.what.as_str())
        .collect();
    anyhow::ensure!(missed.is_empty(), "does not hold: {}", missed.join("; "));
    Ok(())
}

fn crashes(report: &mut Report, threads: usize, size: crash::Size) {
    let began = Instant::now();
    let outcomes = crash::matrix(threads, size, &crash::Flow::ALL);
    let cases: usize = outcomes.iter().map(|outcome| outcome.cases).sum();
    let violations: Vec<String> = outcomes
        .iter()
        .flat_map(|outcome| &outcome.violations)
        .map(ToString::to_string)
        .collect();
    let mut text = "Each flow is run once and its calls are listed. Then it is run again for each call: its \
        caller dies just before it, or just after its effect, or the connection breaks there, or it is frozen for longer than a lease; for mint, join, pool and \
        re-issue two such deaths, for each pair; and everything is repeated twice and five times. SQS and Telegram deliver again until all is quiet, \
        and the invariants are checked.\n\n| flow | calls | cases | violations |\n| --- | --- | --- | --- |\n"
        .to_owned();
    for outcome in &outcomes {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            outcome.flow,
            outcome.call_sites,
            outcome.cases,
            outcome.violations.len()
        );
    }
    let _ = writeln!(
        text,
        "\n{cases} cases in {:.0} s. All: `cargo run --release -p verify -- crash`, one with its trace: `-- crash --case mint/7-after`.",
        began.elapsed().as_secs_f64()
    );
    for violation in &violations {
        let _ = writeln!(text, "\n    {violation}");
    }
    report.section("Crashes", &text);
    report.bound(
        "crash cases",
        cases.to_string(),
        "at least 500",
        cases >= 500,
    );
    report.bound(
        "crashes: violations",
        violations.len().to_string(),
        "0",
        violations.is_empty(),
    );
}

/// The functions as processes, ended by the kernel.
fn killed(report: &mut Report, threads: usize, folder: &Path) -> anyhow::Result<()> {
    let began = Instant::now();
    let outcomes = processes::matrix(threads, folder)?;
    let cases: usize = outcomes.iter().map(|outcome| outcome.cases).sum();
    let violations: Vec<String> = outcomes
        .iter()
        .flat_map(|outcome| &outcome.violations)
        .map(ToString::to_string)
        .collect();
    let mut text = format!(
        "The binaries as they are deployed, each a process that asks an emulated Lambda for its invocations, ended by SIGKILL just \
        before or just after each of its calls: {cases} cases in {:.0} s. `cargo run --release -p verify -- crash --processes`.\n",
        began.elapsed().as_secs_f64()
    );
    for violation in &violations {
        let _ = writeln!(text, "\n    {violation} --processes");
    }
    report.section("Killed processes", &text);
    report.bound(
        "killed processes: violations",
        format!("{} in {cases} cases", violations.len()),
        "0",
        violations.is_empty(),
    );
    Ok(())
}

fn simulation(
    report: &mut Report,
    title: &str,
    count: u64,
    (flag, size): (&str, &Size),
    threads: usize,
) -> anyhow::Result<()> {
    let summary = seeds::many_as(1..count + 1, threads, size, |_| {})?;
    let mut text = format!(
        "{} seeds, each a world with its own bots, chats, workers, limits, customers and faults: throttled and failing DynamoDB and \
        SQS calls, resets, hangs, delays, duplicates, reordering, deaths, 429s, WebEngage outages, lost rights, updates \
        shuffled and sent again. In three of four the bot is in use: people race for claim links, ask at doors, leave, move, block and \
        write, operators answer, actors read along.\n\n| | |\n| --- | --- |\n",
        summary.seeds
    );
    for (what, figure) in [
        ("payments", summary.payments.to_string()),
        ("links made", summary.links.to_string()),
        ("calls of the functions", summary.calls.to_string()),
        (
            "calls that went wrong on purpose",
            summary.faults.to_string(),
        ),
        ("invocations that died", summary.deaths.to_string()),
        ("simulated days", format!("{:.0}", summary.virtual_days)),
        (
            "events that WebEngage took again after it had forgotten them (4 hours)",
            summary.allowed_repeats.to_string(),
        ),
        (
            "the longest wait for a link once the faults were over",
            format!("{:.0} s", summary.longest_wait.as_secs_f64()),
        ),
        ("real time", format!("{:.0} s", summary.seconds)),
        ("violations", summary.failures.len().to_string()),
    ] {
        let _ = writeln!(text, "| {what} | {figure} |");
    }
    let _ = writeln!(
        text,
        "\nAny number: `cargo run --release -p verify -- simulate --seeds 1000 {flag}`; one with its trace: `-- simulate --seed 7 --trace {flag}`."
    );
    for failure in &summary.failures {
        let _ = writeln!(
            text,
            "\n    seed {}: {}",
            failure.seed,
            failure.broken.join("; ")
        );
    }
    report.section(title, &text);
    report.bound(
        &format!("{}: violations", title.to_lowercase()),
        format!("{} in {} seeds", summary.failures.len(), summary.seeds),
        "0",
        summary.failures.is_empty(),
    );
    Ok(())
}

/// The cases that no draw would meet.
fn scenarios(report: &mut Report, threads: usize) {
    let (mut text, mut broken) = (String::new(), 0);
    for (name, results) in super::scenarios::all(Scale::Full, threads, "") {
        match results {
            Ok(sentence) => {
                let _ = writeln!(text, "- {name}: {sentence}");
            }
            Err(error) => {
                broken += 1;
                let _ = writeln!(text, "- **{name}: {error:#}**");
            }
        }
    }
    report.section("Made on purpose", &text);
    report.bound(
        "scenarios made on purpose: broken",
        broken.to_string(),
        "0",
        broken == 0,
    );
}

async fn sold(report: &mut Report, payments: u64) -> anyhow::Result<()> {
    let sale = sale::run(payments).await?;
    let rate = sale.payments as f64 / sale.seconds;
    let accepted = sale::without_pool(payments).await?;
    let mut text = format!(
        "{} payments from {} callers at once over HTTP, against {} links in the pool; API, functions, tables, queues and callers share one \
        machine.\n\n| | |\n| --- | --- |\n| payments a second | {rate:.0} |\n| with a link in the answer | {} |\n| links given twice | {} |\n\
        | p50, p99, longest | {:.1} ms, {:.1} ms, {:.0} ms |\n| calls of Telegram | {} |\n| a payment costs | {:.2} write units, {:.2} read units, {:.2} SQS requests |\n\n\
        ![Orders a second](report/sale.svg)\n",
        sale.payments,
        sale.callers,
        sale.payments,
        sale.linked,
        sale.duplicates,
        sale.p50_ms,
        sale.p99_ms,
        sale.longest_ms,
        sale.telegram_calls,
        sale.write_units,
        sale.read_units,
        sale.sqs,
    );
    let _ = writeln!(
        text,
        "\nWithout a pool the links are made later; {} payments from {} callers at once were accepted at {:.0} a second, p50 {:.1} ms, \
        p99 {:.1} ms. How long the links then take: the scenario `sale-without-pool`.",
        accepted.payments,
        accepted.callers,
        accepted.payments as f64 / accepted.seconds,
        accepted.p50_ms,
        accepted.p99_ms,
    );
    report.section("A sale", &text);
    report.plots.push((
        "sale.svg",
        Chart {
            title: format!("A sale of {} payments from the link pool", sale.payments),
            x: "seconds",
            y: "payments a second",
            lines: vec![Line {
                name: "answered with a link".to_owned(),
                colour: "#2a7",
                dashed: false,
                points: sale
                    .by_second
                    .iter()
                    .enumerate()
                    .map(|(second, payments)| (second as f64 + 0.5, *payments as f64))
                    .collect(),
            }],
        }
        .svg(),
    ));
    report.bound(
        "sale: payments with their link in the answer",
        format!("{} of {}", sale.linked, sale.payments),
        "all",
        sale.linked == sale.payments,
    );
    report.bound(
        "sale: links given twice",
        sale.duplicates.to_string(),
        "0",
        sale.duplicates == 0,
    );
    report.aim(
        "sale: p99",
        format!("{:.1} ms", sale.p99_ms),
        "under 100 ms",
        sale.p99_ms < 100.0,
    );
    Ok(())
}

async fn survived(report: &mut Report, rounds: u64) -> anyhow::Result<()> {
    let found = durability::run(rounds).await?;
    let mut text = format!(
        "The stack under load, ended by `kill -9` {} times and started again on the same folder: {} payments were answered \
        200, {} of them are missing or wrong; {} links were made by a process that died, and seen by nobody. {:.0} s.\n",
        found.rounds,
        found.accepted,
        found.broken.len(),
        found.unseen,
        found.seconds
    );
    for broken in &found.broken {
        let _ = writeln!(text, "\n    {broken}");
    }
    report.section("Durability", &text);
    report.bound(
        "kill -9: payments missing or wrong",
        found.broken.len().to_string(),
        "0",
        found.broken.is_empty(),
    );
    Ok(())
}

fn fuzzed(report: &mut Report, seconds: u64) -> anyhow::Result<()> {
    let output = Command::new(".ci/fuzz.sh")
        .arg(seconds.to_string())
        .output();
    let output = output.context("running .ci/fuzz.sh, which wants the project's folder")?;
    let lines = String::from_utf8_lossy(&output.stdout);
    let lines: String = lines
        .lines()
        .filter(|line| line.starts_with("fuzz: "))
        .fold(String::new(), |all, line| all + "    " + line + "\n");
    report.section(
        "Fuzz",
        &format!("{seconds} s each, `.ci/fuzz.sh {seconds}`:\n\n{lines}"),
    );
    report.bound(
        "fuzz: targets with a finding",
        u8::from(!output.status.success()).to_string(),
        "0",
        output.status.success(),
    );
    Ok(())
}

/// Writes the report. Parts that were not run this time stay as an earlier run has written them.
fn write_report(out: &Path, report: &Report, began: Instant) -> anyhow::Result<()> {
    let plots = out.join("report");
    std::fs::create_dir_all(&plots)?;
    for (name, svg) in &report.plots {
        std::fs::write(plots.join(name), svg)?;
    }
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = said("git", &["rev-parse", "--short", "HEAD"]).unwrap_or_default();
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, name)| name);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let command = format!("cargo run --release -p verify -- {}", asked.join(" "));

    let path = out.join("REPORT.md");
    let earlier = std::fs::read_to_string(&path).unwrap_or_default();
    let mut parts = earlier.split("\n## ");
    let rows = parts.next().unwrap_or_default().lines();
    let rows = rows.filter(|line| line.starts_with("| ")).skip(2);
    let mut rows: Vec<String> = rows.map(str::to_owned).collect();
    for bound in &report.bounds {
        let holds = if bound.holds { "holds" } else { "**missed**" };
        let start = format!("| {} |", bound.what);
        let row = format!("{start} {} | {} | {holds} |", bound.figure, bound.bound);
        match rows.iter_mut().find(|row| row.starts_with(&start)) {
            Some(known) => *known = row,
            None => rows.push(row),
        }
    }
    let title = |section: &str| section.lines().next().unwrap_or_default().to_owned();
    let mut sections: Vec<String> = parts.map(|part| part.trim_end().to_owned()).collect();
    for new in report.sections.split("\n## ").skip(1) {
        let (name, text) = new.split_once('\n').unwrap_or((new, ""));
        let minutes = began.elapsed().as_secs_f64() / 60.0;
        let new = format!(
            "{name}\n\nCommit {commit}, one of the parts that took {minutes:.0} minutes: `{command}`.\n{}",
            text.trim_end()
        );
        match sections.iter_mut().find(|known| title(known) == name) {
            Some(known) => *known = new,
            None => sections.push(new),
        }
    }
    let mut text = format!(
        "# Report\n\nWhat was verified and measured, by a command that anyone can run; each part names it, and its commit. \
        {processor}, {threads} processors. Times are of this machine; counts and ratios are not.\n\n\
        | what | figure | bound | |\n| --- | --- | --- | --- |\n{}\n",
        rows.join("\n")
    );
    for section in sections {
        let _ = write!(text, "\n## {section}\n");
    }
    std::fs::write(path, text)?;
    Ok(())
}
