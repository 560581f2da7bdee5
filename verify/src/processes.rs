//! The crash matrix with real processes: the release binaries under a Lambda runtime, killed by SIGKILL at the same
//! call sites. What surrounds them is the world of the other matrix; only its time is real, and turned forward where SQS
//! and Telegram would wait for minutes.
//!
//! ```text
//! a binary --socket--> its gate --the wire, the fault policy--> AWS, Telegram, WebEngage in this process
//! ```
//!
//! The binaries' own clock can't be turned, so that the lease of a chat whose dispatcher was killed is made to lapse in
//! its record.

mod cluster;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::crash::{
    CallSites, Case, CaseResult, FaultKind, Flow, FlowOutcome, InjectedFault, Violation, What,
};
use super::invariants::{self, Allowed};
use super::logs;
use cluster::ProcessCluster;
use local::functions::{FUNCTIONS, Trigger};

/// What is run.
const FLOWS: [Flow; 6] = [
    Flow::Request,
    Flow::RequestInWindow,
    Flow::Mint,
    Flow::MintLimited,
    Flow::Join,
    Flow::Events,
];
/// How many calls of a flow are injected.
const POINTS_MAX: usize = 25;
/// The functions that a cluster drives: those that a route or a queue invokes.
fn driven() -> impl Iterator<Item = &'static str> {
    let is_driven = |trigger: &Trigger| matches!(trigger, Trigger::Route(..) | Trigger::Queue(_));
    let all = FUNCTIONS.iter();
    all.filter(move |function| function.triggers.iter().any(is_driven))
        .map(|function| function.name)
}

/// Runs the matrix with the binaries in `folder`, on so many threads.
///
/// # Errors
/// A binary that is missing, with the command that builds it.
pub fn matrix(threads: usize, folder: &Path) -> anyhow::Result<Vec<FlowOutcome>> {
    for function in driven() {
        crate::bench::find_binary(folder, function)?;
    }
    let mut outcomes = Vec::new();
    for flow in FLOWS {
        let began = Instant::now();
        let of = |what| Case { flow, what };
        let undisturbed = of(What::Nothing);
        let (first, _) = run_once(&undisturbed, folder);
        let call_sites = first.calls.len();
        // Behind these a run only waits.
        let cases: Vec<Case> = (0..call_sites.min(POINTS_MAX))
            .flat_map(|at| {
                FaultKind::DEATHS.map(|fault| of(What::Injected(vec![InjectedFault { at, fault }])))
            })
            .collect();
        let mut violations = Vec::new();
        if !first.broken.is_empty() {
            violations.push(Violation {
                case: undisturbed,
                broken: first.broken,
            });
        }
        let found = Mutex::new(violations);
        let injected = AtomicUsize::new(1);
        let left = Mutex::new(cases.iter());
        std::thread::scope(|scope| {
            for _ in 0..threads.max(1) {
                scope.spawn(|| {
                    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
                    while let Some(case) = next() {
                        let (CaseResult { broken, .. }, missed) = run_once(case, folder);
                        // Real time decides how often a run looks, so the last calls are not always made.
                        injected.fetch_add(usize::from(missed.is_empty()), Ordering::Relaxed);
                        if !broken.is_empty() {
                            let case = case.clone();
                            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                            found.push(Violation { case, broken });
                        }
                    }
                });
            }
        });
        outcomes.push(FlowOutcome {
            flow: flow.name(),
            call_sites,
            cases: injected.into_inner(),
            violations: found.into_inner().unwrap_or_else(PoisonError::into_inner),
            seconds: began.elapsed().as_secs_f64(),
        });
    }
    Ok(outcomes)
}

/// Runs one case with the binaries in `folder`.
#[must_use]
pub fn run(case: &Case, folder: &Path) -> CaseResult {
    let (mut ran, missed) = run_once(case, folder);
    ran.broken.extend(missed);
    ran
}

/// As [`run`]; the faults that met no call are told apart.
fn run_once(case: &Case, folder: &Path) -> (CaseResult, Vec<String>) {
    let call_sites = CallSites::new(case);
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let _listening = logs::listen();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let cluster = ProcessCluster::start(case, &call_sites, folder).await?;
            let mut broken = match cluster.run(case.flow).await {
                Ok(()) => Vec::new(),
                Err(error) => vec![format!("the flow did not end: {error:#}")],
            };
            cluster.stop().await;
            let allowed = Allowed {
                // The world's clock is turned and the processes' is not, so how long something took is not known.
                out_of_order: true,
                ..call_sites.allowed(case)
            };
            broken.extend(invariants::broken(&cluster.world, allowed).await?);
            anyhow::Ok((broken, cluster.world.logs.lines()))
        })
    }));
    let (broken, trace) = match ended {
        Ok(Ok(ran)) => ran,
        Ok(Err(error)) => (vec![format!("the world ended: {error:#}")], Vec::new()),
        Err(_) => (vec!["a panic".to_owned()], Vec::new()),
    };
    let ran = CaseResult {
        calls: call_sites.seen(),
        broken,
        trace,
    };
    (ran, call_sites.missed())
}
