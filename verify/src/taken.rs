//! When Telegram took which call of a world: its own log is a ring, and what is measured here is longer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::time::Timestamp;
use serde_json::Value;

use crate::wire::Step;
use crate::world::World;

/// A call that Telegram answered 200.
#[derive(Clone, Debug)]
pub(crate) struct TakenCall {
    /// The method.
    pub(crate) method: String,
    /// The chat; a private one has the id of its person.
    pub(crate) chat: i64,
    /// What is written; empty where nothing is.
    pub(crate) text: String,
    /// When it was answered.
    pub(crate) at: Timestamp,
}

#[derive(Default)]
struct TakenState {
    under_way: HashMap<u64, TakenCall>,
    taken: Vec<TakenCall>,
    /// How many of each method.
    counts: HashMap<String, usize>,
}

/// All calls that Telegram took since this was made. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct TakenCalls(Arc<Mutex<TakenState>>);

impl TakenCalls {
    /// Watches a world from now on.
    pub(crate) fn of(world: &World) -> Self {
        let calls = Self::default();
        let (seen, clock) = (calls.clone(), world.clock.clone());
        world.wire.watch_calls(Box::new(move |step| {
            let mut state = seen.lock();
            match step {
                Step::Leaves {
                    number,
                    call,
                    request,
                    ..
                } if call.service == "Telegram" => {
                    let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
                    let call = TakenCall {
                        method: call.operation.clone(),
                        chat: body["chat_id"].as_i64().unwrap_or_default(),
                        text: body["text"].as_str().unwrap_or_default().to_owned(),
                        at: clock.now(),
                    };
                    state.under_way.insert(*number, call);
                }
                Step::Answered { number, status } => {
                    if let Some(mut call) = state.under_way.remove(number)
                        && *status == Some(200)
                    {
                        call.at = clock.now();
                        *state.counts.entry(call.method.clone()).or_default() += 1;
                        state.taken.push(call);
                    }
                }
                Step::Leaves { .. } => {}
            }
        }));
        calls
    }

    /// How many there are of a method.
    pub(crate) fn count(&self, method: &str) -> usize {
        let state = self.lock();
        state.counts.get(method).copied().unwrap_or_default()
    }

    /// Those of a method, in the order in which they were answered.
    pub(crate) fn all(&self, method: &str) -> Vec<TakenCall> {
        let state = self.lock();
        let taken = state.taken.iter();
        taken
            .filter(|call| call.method == method)
            .cloned()
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, TakenState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
