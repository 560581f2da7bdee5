//! `cargo run -p verify -- crash`: runs the matrix, or one case of it with its trace.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;

use super::super::processes;
use super::{Case, CaseResult, Flow, FlowOutcome, Size, matrix, run};

/// What to run.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Run this one case and print its trace, for example `mint/7-after`.
    #[arg(long)]
    case: Option<Case>,
    /// Name the flows and their calls, and run nothing else.
    #[arg(long, conflicts_with = "case")]
    list: bool,
    /// Run these flows instead of all.
    #[arg(long)]
    flow: Vec<Flow>,
    /// Run a sample instead of all.
    #[arg(long)]
    sample: bool,
    /// Run with real processes, killed by SIGKILL, instead of on one thread.
    #[arg(long)]
    processes: bool,
    /// Where the functions' binaries are, for `--processes`.
    #[arg(long, default_value = "target/lambda")]
    functions: PathBuf,
    /// How many worlds at once; as many as there are processors if not given.
    #[arg(long)]
    threads: Option<usize>,
}

/// Runs what `arguments` ask for, and prints what came of it.
///
/// # Errors
/// If an invariant did not hold.
pub fn command(arguments: &Arguments) -> anyhow::Result<()> {
    let ask = || match (&arguments.case, arguments.list) {
        (Some(case), _) => tell(case, arguments),
        (None, true) => list(),
        (None, false) => all(arguments),
    };
    // A thread without a runtime, since each world brings its own.
    let reply = std::thread::scope(|scope| scope.spawn(ask).join());
    reply.map_err(|_| anyhow::anyhow!("a panic"))?
}

fn tell(case: &Case, arguments: &Arguments) -> anyhow::Result<()> {
    let CaseResult { broken, trace, .. } = if arguments.processes {
        processes::run(case, &arguments.functions)
    } else {
        run(case)
    };
    let mut out = std::io::stdout().lock();
    for line in trace {
        writeln!(out, "{line}")?;
    }
    anyhow::ensure!(broken.is_empty(), "{case}: {}", broken.join("; "));
    writeln!(out, "{case}: every invariant holds")?;
    Ok(())
}

fn list() -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for flow in Flow::ALL {
        let case = Case {
            flow,
            what: super::What::Nothing,
        };
        writeln!(out, "{}", flow.name())?;
        for (at, call) in run(&case).calls.iter().enumerate() {
            writeln!(out, "  {at:>3} {call}")?;
        }
    }
    Ok(())
}

fn all(arguments: &Arguments) -> anyhow::Result<()> {
    let began = Instant::now();
    let threads = arguments.threads.map_or_else(
        || std::thread::available_parallelism().context("counting the processors"),
        |threads| std::num::NonZeroUsize::new(threads).context("no thread"),
    )?;
    let size = if arguments.sample {
        Size::Sample
    } else {
        Size::Whole
    };
    let outcomes = if arguments.processes {
        processes::matrix(threads.get(), &arguments.functions)?
    } else {
        let flows = match arguments.flow[..] {
            [] => &Flow::ALL[..],
            ref some => some,
        };
        matrix(threads.get(), size, flows)
    };
    let mut out = std::io::stdout().lock();
    for outcome in &outcomes {
        writeln!(out, "{}", row(outcome))?;
    }
    let cases: usize = outcomes.iter().map(|outcome| outcome.cases).sum();
    let violations: Vec<String> = outcomes
        .iter()
        .flat_map(|outcome| &outcome.violations)
        .map(ToString::to_string)
        .collect();
    writeln!(
        out,
        "{cases} cases, {} violations, {:.1} s",
        violations.len(),
        began.elapsed().as_secs_f64()
    )?;
    anyhow::ensure!(violations.is_empty(), "\n{}", violations.join("\n"));
    Ok(())
}

fn row(outcome: &FlowOutcome) -> String {
    format!(
        "{:<20} {:>3} call_sites {:>5} cases {:>3} violations {:>6.1} s",
        outcome.flow,
        outcome.call_sites,
        outcome.cases,
        outcome.violations.len(),
        outcome.seconds
    )
}
