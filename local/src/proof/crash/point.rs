//! The calls of a flow, counted, and the blows that they meet.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::case::{Case, Strike, What};
use super::flow::Flow;
use crate::proof::wire::{Call, Judge, Verdict};

struct State {
    flow: Flow,
    open: bool,
    /// The parity of the calls that are made twice.
    twice: Option<usize>,
    seen: Vec<Call>,
    strikes: Vec<Strike>,
    hits: usize,
    unheard: bool,
}

/// Clones are the same.
#[derive(Clone)]
pub(in crate::proof) struct Points(Arc<Mutex<State>>);

impl Points {
    pub(in crate::proof) fn new(case: &Case) -> Self {
        let strikes = match &case.what {
            What::Struck(strikes) => strikes.clone(),
            _ => Vec::new(),
        };
        Self(Arc::new(Mutex::new(State {
            flow: case.flow,
            open: false,
            twice: match case.what {
                What::CallsTwice { first } => Some(usize::from(!first)),
                _ => None,
            },
            seen: Vec::new(),
            strikes,
            hits: 0,
            unheard: false,
        })))
    }

    /// From here on the calls count.
    pub(in crate::proof) fn open(&self) {
        self.state().open = true;
    }

    /// From here on they don't.
    pub(in crate::proof) fn close(&self) {
        self.state().open = false;
    }

    pub(in crate::proof) fn judge(&self) -> Judge {
        let points = self.clone();
        Box::new(move |call, _| points.state().decide(call))
    }

    pub(in crate::proof) fn seen(&self) -> Vec<Call> {
        self.state().seen.clone()
    }

    /// The blows that met no call: a case must be what its name says.
    pub(in crate::proof) fn missed(&self) -> Vec<String> {
        let state = self.state();
        let missed = state.strikes.iter().skip(state.hits);
        missed
            .map(|strike| {
                let calls = state.seen.len();
                format!("the blow {strike} met no call: there were {calls}")
            })
            .collect()
    }

    /// Whether an answer of Telegram was lost: the product can't obey what it never heard.
    pub(in crate::proof) fn lost_an_answer_of_telegram(&self) -> bool {
        self.state().unheard
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn decide(&mut self, call: &Call) -> Verdict {
        if !self.open || !self.flow.covers(call) {
            return Verdict::Pass;
        }
        let at = self.seen.len();
        let same = self.seen.iter().filter(|known| *known == call).count();
        self.seen.push(call.clone());
        let verdict = match self.strikes.get(self.hits).filter(|next| next.at == at) {
            Some(strike) => {
                self.hits += 1;
                strike.blow.verdict()
            }
            None if self.twice == Some(same % 2) => Verdict::Twice,
            None => Verdict::Pass,
        };
        let is_unheard = matches!(
            verdict,
            Verdict::DieAfter
                | Verdict::CutAfter
                | Verdict::Twice
                | Verdict::FreezeBefore(_)
                | Verdict::FreezeAfter(_)
        );
        self.unheard |= call.service == "Telegram" && is_unheard;
        verdict
    }
}
