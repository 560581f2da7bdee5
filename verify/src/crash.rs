//! The crash matrix: for each thing that the product does, and for each call that it makes on the way, the caller dies
//! just before the call or just after its effect; SQS, Telegram and the shop then do what they do, and in the end every
//! invariant must hold. The same with connections that break, with calls, messages and updates that come several times,
//! and with a second death on the way back from the first.
//!
//! ```text
//! run the flow, nothing happens      the list of its calls: the call sites
//! for each call site, each fault           a new world, the same seed; the fault must hit the very same call
//! for each case of mint and of join   the calls that followed the fault: each may be the second one
//! ```
//!
//! Nothing is listed by hand, so a new call is covered by itself.

mod call_site;
mod case;
mod command;
mod flow;
mod flow_runner;
mod orders;
mod payment;
mod postconditions;
mod receivers;
mod script;

use std::collections::VecDeque;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub use case::{Case, FaultKind, InjectedFault, What};
pub use command::{Arguments, command};
pub use flow::Flow;

use super::invariants;
use super::wire::WireCall;
use super::world::{self, World};
pub(super) use call_site::CallSites;
use flow_runner::FlowRunner;

/// Every case runs in the same world.
const SEED: u64 = 20;
/// Longer rows of the same call (a look at each shard of the pool) are injected at both ends.
const ROW_MAX: usize = 3;

/// How large the matrix is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// All of it.
    Whole,
    /// One fault at each call, everything that is repeated as a whole, and each 20th pair.
    Sample,
    /// One fault at each seventh call, and everything that is repeated as a whole.
    Few,
}

/// Of so many calls one is injected, if few are.
const FEW: usize = 7;

/// What became of one flow.
#[derive(Debug)]
pub struct FlowOutcome {
    /// The flow.
    pub flow: &'static str,
    /// How many calls it makes when nothing happens.
    pub call_sites: usize,
    /// How many cases were ran.
    pub cases: usize,
    /// Those after which something was not as it must be.
    pub violations: Vec<Violation>,
    /// How long they took, of all threads together.
    pub seconds: f64,
}

/// A case after which something was not as it must be.
#[derive(Debug)]
pub struct Violation {
    /// The case.
    pub case: Case,
    /// What was not as it must be.
    pub broken: Vec<String>,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { case, broken } = self;
        write!(
            f,
            "{case}: {}\n  cargo run --release -p verify -- crash --case {case}",
            broken.join("; ")
        )
    }
}

/// One case, ran.
#[derive(Debug)]
pub struct CaseResult {
    /// The calls that may be injected, in order, as they were made.
    pub calls: Vec<WireCall>,
    /// What was not as it must be; empty if all was.
    pub broken: Vec<String>,
    /// Every call with what became of it, and every line that was logged between them.
    pub trace: Vec<String>,
}

/// Runs one case from beginning to end.
#[must_use]
pub fn run(case: &Case) -> CaseResult {
    let call_sites = CallSites::new(case);
    let ended = catch_unwind(AssertUnwindSafe(|| {
        world::run(SEED, async {
            let world = World::start(&case.flow.plan()).await?;
            let runner = FlowRunner::new(world, call_sites.clone(), case);
            let mut broken = match runner.run(case.flow).await {
                Ok(()) => runner.afterwards(case.flow).await?,
                Err(error) => vec![format!("the flow did not end: {error:#}")],
            };
            broken.extend(call_sites.missed());
            let allowed = call_sites.allowed(case);
            broken.extend(invariants::broken(&runner.world, allowed).await?);
            Ok((broken, runner.world.logs.lines()))
        })
    }));
    let (broken, trace) = match ended {
        Ok(Ok(ran)) => ran,
        Ok(Err(error)) => (vec![format!("the world ended: {error:#}")], Vec::new()),
        Err(_) => (vec!["a panic".to_owned()], Vec::new()),
    };
    CaseResult {
        calls: call_sites.seen(),
        broken,
        trace,
    }
}

/// Runs the matrix of these flows on so many threads.
#[must_use]
pub fn matrix(threads: usize, size: Size, flows: &[Flow]) -> Vec<FlowOutcome> {
    let board = CaseList::default();
    for flow in flows.iter().copied() {
        board.state().ready.push_back(Case {
            flow,
            what: What::Nothing,
        });
    }
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| board.work(size));
        }
    });
    let state = board.state.into_inner();
    let state = state.unwrap_or_else(PoisonError::into_inner);
    state.outcomes
}

/// What is still to be run, and what became of the rest.
#[derive(Default)]
struct CaseList {
    state: Mutex<MatrixState>,
}

#[derive(Default)]
struct MatrixState {
    ready: VecDeque<Case>,
    /// Cases under way: each may add further ones.
    playing: usize,
    outcomes: Vec<FlowOutcome>,
}

impl CaseList {
    fn work(&self, size: Size) {
        loop {
            let case = {
                let mut state = self.state();
                match state.ready.pop_front() {
                    Some(case) => {
                        state.playing += 1;
                        case
                    }
                    None if state.playing == 0 => return,
                    None => {
                        drop(state);
                        std::thread::sleep(std::time::Duration::from_millis(5));
                        continue;
                    }
                }
            };
            let began = Instant::now();
            let ran = run(&case);
            let mut state = self.state();
            state.playing -= 1;
            // A flow that fails by itself says nothing about faults.
            if ran.broken.is_empty() {
                state.ready.extend(following(&case, &ran.calls, size));
            }
            state.note(case, ran, began.elapsed().as_secs_f64());
        }
    }

    fn state(&self) -> MutexGuard<'_, MatrixState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MatrixState {
    fn note(&mut self, case: Case, ran: CaseResult, seconds: f64) {
        let flow = case.flow.name();
        let known = self.outcomes.iter().position(|known| known.flow == flow);
        let index = known.unwrap_or_else(|| {
            self.outcomes.push(FlowOutcome {
                flow,
                call_sites: ran.calls.len(),
                cases: 0,
                violations: Vec::new(),
                seconds: 0.0,
            });
            self.outcomes.len() - 1
        });
        let outcome = &mut self.outcomes[index];
        outcome.cases += 1;
        outcome.seconds += seconds;
        if !ran.broken.is_empty() {
            let violation = Violation {
                case,
                broken: ran.broken,
            };
            // At once: whoever waits for the rest may want to stop here.
            let _ = writeln!(std::io::stderr().lock(), "{violation}");
            outcome.violations.push(violation);
        }
    }
}

/// The cases that a ran one leads to.
fn following(case: &Case, calls: &[WireCall], size: Size) -> Vec<Case> {
    let flow = case.flow;
    let of = |what| Case { flow, what };
    match &case.what {
        What::Nothing => {
            let mut cases = vec![
                of(What::CallsTwice { first: true }),
                of(What::CallsTwice { first: false }),
                of(What::Delivered(2)),
                of(What::Delivered(5)),
            ];
            if size == Size::Few {
                let kept = flow.name().len() % cases.len();
                cases = cases.split_off(kept);
                cases.truncate(1);
            }
            for at in call_sites_from(calls, 0) {
                let faults = match size {
                    Size::Whole => FaultKind::ALL.to_vec(),
                    // Death after a call is much like death before the next one, and so on.
                    Size::Few if !(at + flow.name().len()).is_multiple_of(FEW) => Vec::new(),
                    Size::Sample | Size::Few => vec![FaultKind::ALL[(at + at / FEW) % 7]],
                };
                let is_possible = |fault: &FaultKind| {
                    let is_frozen =
                        matches!(fault, FaultKind::FrozenBefore | FaultKind::FrozenAfter);
                    !is_frozen || calls[at].caller == "worker"
                };
                let faults = faults.into_iter().filter(is_possible);
                let injected = faults.map(|fault| InjectedFault { at, fault });
                cases.extend(injected.map(|injected| of(What::Injected(vec![injected]))));
            }
            cases
        }
        What::Injected(injected) if flow.has_second_fault() && size != Size::Few => {
            match injected[..] {
                [first] if first.fault.is_death() || first.fault == FaultKind::CutAfter => {
                    // Two deaths, or two answers that are lost.
                    let faults = match first.fault {
                        FaultKind::CutAfter => &[FaultKind::CutAfter][..],
                        _ => &FaultKind::DEATHS,
                    };
                    let all = call_sites_from(calls, first.at + 1)
                        .into_iter()
                        .flat_map(|at| {
                            let second = faults
                                .iter()
                                .map(move |fault| InjectedFault { at, fault: *fault });
                            second.map(|second| of(What::Injected(vec![first, second])))
                        });
                    let each = match size {
                        Size::Whole => 1,
                        Size::Sample | Size::Few => 20,
                    };
                    // Another part of them for each first fault.
                    all.skip(first.at % each).step_by(each).collect()
                }
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

/// The call_sites from the number `first` on that are injected: all, but for the middle of long rows of one call.
fn call_sites_from(calls: &[WireCall], first: usize) -> Vec<usize> {
    let mut call_sites = Vec::new();
    let mut row = 0;
    for (at, call) in calls.iter().enumerate() {
        let is_end = calls.get(at + 1) != Some(call);
        row += 1;
        if at >= first && (row < ROW_MAX || is_end) {
            call_sites.push(at);
        }
        if is_end {
            row = 0;
        }
    }
    call_sites
}
