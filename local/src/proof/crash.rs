//! The crash matrix: for each thing that the product does, and for each call that it makes on the way, the caller dies
//! just before the call or just after its effect; SQS, Telegram and the shop then do what they do, and in the end every
//! invariant must hold. The same with connections that break, with calls, messages and updates that come several times,
//! and with a second death on the way back from the first.
//!
//! ```text
//! play the flow, nothing happens      the list of its calls: the points
//! for each point, each blow           a new world, the same seed; the blow must hit the very same call
//! for each case of mint and of join   the calls that followed the blow: each may be the second one
//! ```
//!
//! Nothing is listed by hand, so a new call is covered by itself.

mod after;
mod case;
mod command;
mod flow;
mod point;
mod stage;

use std::collections::VecDeque;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub use case::{Blow, Case, Strike, What};
pub use command::{Arguments, command};
pub use flow::Flow;

use super::invariants;
use super::wire::Call;
use super::world::{self, World};
pub(super) use point::Points;
use stage::Stage;

/// Every case plays in the same world.
const SEED: u64 = 20;
/// Longer rows of the same call (a look at each shard of the pool) are struck at both ends.
const ROW_MAX: usize = 3;

/// How large the matrix is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// All of it.
    Whole,
    /// One blow at each call, everything that is repeated as a whole, and each 20th pair.
    Sample,
    /// One blow at each seventh call, and everything that is repeated as a whole.
    Few,
}

/// Of so many calls one is struck, if few are.
const FEW: usize = 7;

/// What became of one flow.
#[derive(Debug)]
pub struct Outcome {
    /// The flow.
    pub flow: &'static str,
    /// How many calls it makes when nothing happens.
    pub points: usize,
    /// How many cases were played.
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
            "{case}: {}\n  cargo run --release -p local -- crash --case {case}",
            broken.join("; ")
        )
    }
}

/// One case, played.
#[derive(Debug)]
pub struct Played {
    /// The calls that may be struck, in order, as they were made.
    pub calls: Vec<Call>,
    /// What was not as it must be; empty if all was.
    pub broken: Vec<String>,
    /// Every call with what became of it, and every line that was logged between them.
    pub story: Vec<String>,
}

/// Plays one case from beginning to end.
#[must_use]
pub fn play(case: &Case) -> Played {
    let points = Points::new(case);
    let told = catch_unwind(AssertUnwindSafe(|| {
        world::run(SEED, async {
            let world = World::start(&case.flow.plan()).await?;
            let stage = Stage::new(world, points.clone(), case);
            let mut broken = match stage.play(case.flow).await {
                Ok(()) => stage.afterwards(case.flow).await?,
                Err(error) => vec![format!("the flow did not end: {error:#}")],
            };
            broken.extend(points.missed());
            let allowed = case.allowed(&points);
            broken.extend(invariants::broken(&stage.world, allowed).await?);
            Ok((broken, stage.world.logs.lines()))
        })
    }));
    let (broken, story) = match told {
        Ok(Ok(played)) => played,
        Ok(Err(error)) => (vec![format!("the world ended: {error:#}")], Vec::new()),
        Err(_) => (vec!["a panic".to_owned()], Vec::new()),
    };
    Played {
        calls: points.seen(),
        broken,
        story,
    }
}

/// Plays the matrix of these flows on so many threads.
#[must_use]
pub fn matrix(threads: usize, size: Size, flows: &[Flow]) -> Vec<Outcome> {
    let board = Board::default();
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

/// What is still to be played, and what became of the rest.
#[derive(Default)]
struct Board {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Case>,
    /// Cases under way: each may add further ones.
    playing: usize,
    outcomes: Vec<Outcome>,
}

impl Board {
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
            let played = play(&case);
            let mut state = self.state();
            state.playing -= 1;
            // A flow that fails by itself says nothing about blows.
            if played.broken.is_empty() {
                state.ready.extend(following(&case, &played.calls, size));
            }
            state.note(case, played, began.elapsed().as_secs_f64());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn note(&mut self, case: Case, played: Played, seconds: f64) {
        let flow = case.flow.name();
        let known = self.outcomes.iter().position(|known| known.flow == flow);
        let index = known.unwrap_or_else(|| {
            self.outcomes.push(Outcome {
                flow,
                points: played.calls.len(),
                cases: 0,
                violations: Vec::new(),
                seconds: 0.0,
            });
            self.outcomes.len() - 1
        });
        let outcome = &mut self.outcomes[index];
        outcome.cases += 1;
        outcome.seconds += seconds;
        if !played.broken.is_empty() {
            let violation = Violation {
                case,
                broken: played.broken,
            };
            // At once: whoever waits for the rest may want to stop here.
            let _ = writeln!(std::io::stderr().lock(), "{violation}");
            outcome.violations.push(violation);
        }
    }
}

/// The cases that a played one leads to.
fn following(case: &Case, calls: &[Call], size: Size) -> Vec<Case> {
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
            for at in struck(calls, 0) {
                let blows = match size {
                    Size::Whole => Blow::ALL.to_vec(),
                    // Death after a call is much like death before the next one, and so on.
                    Size::Few if !(at + flow.name().len()).is_multiple_of(FEW) => Vec::new(),
                    Size::Sample | Size::Few => vec![Blow::ALL[(at + at / FEW) % 7]],
                };
                let is_possible = |blow: &Blow| {
                    let is_frozen = matches!(blow, Blow::FrozenBefore | Blow::FrozenAfter);
                    !is_frozen || calls[at].caller == "worker"
                };
                let blows = blows.into_iter().filter(is_possible);
                let strikes = blows.map(|blow| Strike { at, blow });
                cases.extend(strikes.map(|strike| of(What::Struck(vec![strike]))));
            }
            cases
        }
        What::Struck(strikes) if flow.is_struck_twice() && size != Size::Few => match strikes[..] {
            [first] if first.blow.is_death() || first.blow == Blow::CutAfter => {
                // Two deaths, or two answers that are lost.
                let blows = match first.blow {
                    Blow::CutAfter => &[Blow::CutAfter][..],
                    _ => &Blow::DEATHS,
                };
                let all = struck(calls, first.at + 1).into_iter().flat_map(|at| {
                    let second = blows.iter().map(move |blow| Strike { at, blow: *blow });
                    second.map(|second| of(What::Struck(vec![first, second])))
                });
                let each = match size {
                    Size::Whole => 1,
                    Size::Sample | Size::Few => 20,
                };
                // Another part of them for each first blow.
                all.skip(first.at % each).step_by(each).collect()
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// The points from the number `first` on that are struck: all, but for the middle of long rows of one call.
fn struck(calls: &[Call], first: usize) -> Vec<usize> {
    let mut points = Vec::new();
    let mut row = 0;
    for (at, call) in calls.iter().enumerate() {
        let is_end = calls.get(at + 1) != Some(call);
        row += 1;
        if at >= first && (row < ROW_MAX || is_end) {
            points.push(at);
        }
        if is_end {
            row = 0;
        }
    }
    points
}
