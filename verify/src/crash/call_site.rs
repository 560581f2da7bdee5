//! The calls of a flow, counted, and the faults that they meet.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::invariants::Allowed;

use super::case::{Case, InjectedFault, What};
use super::flow::Flow;
use crate::wire::{CallOutcome, FaultPolicy, WireCall};

struct CallSiteState {
    flow: Flow,
    open: bool,
    /// The parity of the calls that are made twice.
    twice: Option<usize>,
    seen: Vec<WireCall>,
    injected: Vec<InjectedFault>,
    hits: usize,
    unheard: bool,
}

/// Clones are the same.
#[derive(Clone)]
pub(crate) struct CallSites(Arc<Mutex<CallSiteState>>);

impl CallSites {
    pub(crate) fn new(case: &Case) -> Self {
        let injected = match &case.what {
            What::Injected(injected) => injected.clone(),
            _ => Vec::new(),
        };
        Self(Arc::new(Mutex::new(CallSiteState {
            flow: case.flow,
            open: false,
            twice: match case.what {
                What::CallsTwice { first } => Some(usize::from(!first)),
                _ => None,
            },
            seen: Vec::new(),
            injected,
            hits: 0,
            unheard: false,
        })))
    }

    /// From here on the calls count.
    pub(crate) fn open(&self) {
        self.state().open = true;
    }

    /// From here on they don't.
    pub(crate) fn close(&self) {
        self.state().open = false;
    }

    pub(crate) fn fault_policy(&self) -> FaultPolicy {
        let call_sites = self.clone();
        Box::new(move |call, _| call_sites.state().decide(call))
    }

    pub(crate) fn seen(&self) -> Vec<WireCall> {
        self.state().seen.clone()
    }

    /// The faults that met no call: a case must be what its name says.
    pub(crate) fn missed(&self) -> Vec<String> {
        let state = self.state();
        let missed = state.injected.iter().skip(state.hits);
        missed
            .map(|injected| {
                let calls = state.seen.len();
                format!("the fault {injected} met no call: there were {calls}")
            })
            .collect()
    }

    /// Whether a call has met a fault, or was made twice.
    pub(crate) fn is_disturbed(&self) -> bool {
        let state = self.state();
        state.hits > 0 || state.twice.is_some()
    }

    /// Whether an answer of Telegram was lost: the product can't obey what it never observed.
    pub(crate) fn lost_an_answer_of_telegram(&self) -> bool {
        self.state().unheard
    }

    fn state(&self) -> MutexGuard<'_, CallSiteState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CallSiteState {
    fn decide(&mut self, call: &WireCall) -> CallOutcome {
        if !self.open || !self.flow.covers(call) {
            return CallOutcome::Pass;
        }
        let at = self.seen.len();
        let same = self.seen.iter().filter(|known| *known == call).count();
        self.seen.push(call.clone());
        let outcome = match self.injected.get(self.hits).filter(|next| next.at == at) {
            Some(injected) => {
                self.hits += 1;
                injected.fault.outcome()
            }
            None if self.twice == Some(same % 2) => CallOutcome::Twice,
            None => CallOutcome::Pass,
        };
        let is_unheard = matches!(
            outcome,
            CallOutcome::DieAfter
                | CallOutcome::CutAfter
                | CallOutcome::Twice
                | CallOutcome::FreezeBefore(_)
                | CallOutcome::FreezeAfter(_)
        );
        self.unheard |= call.service == "Telegram" && is_unheard;
        outcome
    }
}

impl CallSites {
    /// What the case may end with.
    pub(crate) fn allowed(&self, case: &Case) -> Allowed {
        Allowed {
            flood_calls: self.lost_an_answer_of_telegram(),
            ..case.flow.allowed()
        }
    }
}
