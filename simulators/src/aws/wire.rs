//! The recorder on the wire: who called what, what it cost, and the hooks and faults that tests set.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::call::{Service, WireCall};
use super::faults::{FaultHits, FaultRule, Faults, WireFault};

/// Whether a [`Hook`] is told before the effect of a call or after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing has happened yet. What the hook does (end a process, say) comes before the effect; the call itself
    /// goes on, unless a fault stops it.
    Before,
    /// The effect is stored; the caller has not been answered.
    After,
}

/// Is told of every call. It runs on the server's own task: it must not block, nor call the
/// server. One that holds an [`Aws`](super::Aws) keeps that server alive until the hook is cleared.
pub type Hook = Arc<dyn Fn(Phase, &WireCall) + Send + Sync>;

#[derive(Default)]
struct WireState {
    counts: BTreeMap<(Service, &'static str), u64>,
    calls: Vec<WireCall>,
    faults: Faults,
    hook: Option<Hook>,
}

/// The recorder, the faults and the hook of one server.
#[derive(Default)]
pub struct Wire {
    state: Mutex<WireState>,
    seq: AtomicU64,
    recording: AtomicBool,
    /// Whether anything needs the parsed call: the recorder, a fault or the hook.
    watched: AtomicBool,
}

impl Wire {
    /// Starts (or stops) keeping every call. What was kept stays until it is taken.
    pub fn record_calls(&self, on: bool) {
        self.recording.store(on, Ordering::SeqCst);
        self.settle_watch(&self.lock());
    }

    /// The calls kept so far, in the order in which they ended.
    #[must_use]
    pub fn calls(&self) -> Vec<WireCall> {
        self.lock().calls.clone()
    }

    /// The calls kept so far, which are then forgotten.
    #[must_use]
    pub fn take_calls(&self) -> Vec<WireCall> {
        std::mem::take(&mut self.lock().calls)
    }

    /// How often each operation was called since the start. Always counted.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<(Service, &'static str), u64> {
        self.lock().counts.clone()
    }

    /// How often this operation was called since the start.
    #[must_use]
    pub fn count(&self, service: Service, operation: &str) -> u64 {
        let state = self.lock();
        let counts = state.counts.iter();
        counts
            .filter(|((of, name), _)| *of == service && *name == operation)
            .map(|(_, count)| count)
            .sum()
    }

    /// Orders a fault. Several may be in force: the first that matches a call and is not used up decides.
    pub fn fail(&self, rule: FaultRule) -> FaultHits {
        let mut state = self.lock();
        let hits = state.faults.add(rule);
        self.settle_watch(&state);
        hits
    }

    /// Ends all faults, except for the calls that they already hold.
    pub fn clear_faults(&self) {
        let mut state = self.lock();
        state.faults.clear();
        self.settle_watch(&state);
    }

    /// Sets the hook that is told of every call, just before its effect and just after it.
    pub fn on_call(&self, hook: Hook) {
        let mut state = self.lock();
        state.hook = Some(hook);
        self.settle_watch(&state);
    }

    /// Removes the hook.
    pub fn clear_hook(&self) {
        let mut state = self.lock();
        state.hook = None;
        self.settle_watch(&state);
    }

    pub(crate) fn count_call(&self, service: Service, operation: &'static str) {
        *self.lock().counts.entry((service, operation)).or_default() += 1;
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.watched.load(Ordering::SeqCst)
    }

    pub(crate) fn is_recording(&self) -> bool {
        self.recording.load(Ordering::SeqCst)
    }

    pub(crate) fn next_seq(&self) -> u64 {
        self.seq.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn fault_for(&self, call: &WireCall) -> Option<WireFault> {
        self.lock().faults.take(call)
    }

    pub(crate) fn tell(&self, phase: Phase, call: &WireCall) {
        let hook = self.lock().hook.clone();
        if let Some(hook) = hook {
            hook(phase, call);
        }
    }

    pub(crate) fn record(&self, call: WireCall) {
        if self.is_recording() {
            self.lock().calls.push(call);
        }
    }

    fn settle_watch(&self, state: &WireState) {
        let watched = self.is_recording() || !state.faults.is_empty() || state.hook.is_some();
        self.watched.store(watched, Ordering::SeqCst);
    }

    fn lock(&self) -> MutexGuard<'_, WireState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire")
            .field("recording", &self.is_recording())
            .finish_non_exhaustive()
    }
}
