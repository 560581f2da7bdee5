//! What the calls of a run tell about it: each is a line of its trace, and some are kept for the checker.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use serde_json::Value;
use simulators::aws::Aws;

use super::super::wire::{CallOutcome, LAMBDA, Step, Watcher};
use super::super::world::World;
use super::script::ActiveFaults;
use super::trace::Trace;

/// The most messages that are delivered again in one run.
const COPIES_MAX: u32 = 60;

/// What was seen of the calls.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Calls that did not go well by payment, those of AWS that the simulator failed excepted.
    pub(crate) faults: u64,
    /// Requests whose task was to wait for a while, for whatever reason.
    pub(crate) deferred: BTreeSet<String>,
    /// WebEngage's acceptances that reached their caller: when, by the event's id.
    pub(crate) accepted: BTreeMap<String, Vec<Duration>>,
    /// Calls under way: the service, and the event's id of those to WebEngage.
    under_way: BTreeMap<u64, (&'static str, Option<String>)>,
}

/// What was seen of the calls. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder(Arc<Mutex<Seen>>);

impl Recorder {
    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches the calls of `world` from now on.
    pub(crate) fn open(
        world: &World,
        active_faults: &ActiveFaults,
        trace: &Trace,
        seed: u64,
    ) -> Self {
        let recorder = Self::default();
        let watcher = CallWatch {
            recorder: recorder.clone(),
            active_faults: active_faults.clone(),
            trace: trace.clone(),
            aws: world.aws.clone(),
            rng: Rng::with_seed(seed ^ 0xc0b1e5),
            copies: 0,
        };
        world.wire.watch_calls(watcher.into_watcher());
        recorder
    }
}

struct CallWatch {
    recorder: Recorder,
    active_faults: ActiveFaults,
    trace: Trace,
    aws: Aws,
    rng: Rng,
    copies: u32,
}

impl CallWatch {
    fn into_watcher(mut self) -> Watcher {
        Box::new(move |step| self.see(step))
    }

    fn see(&mut self, step: &Step<'_>) {
        match step {
            Step::Leaves {
                number,
                call,
                outcome,
                request,
            } => {
                match outcome {
                    CallOutcome::Pass => self.trace.tell(format_args!("  {number} {call}")),
                    _ => self
                        .trace
                        .tell(format_args!("  {number} {call} ** {outcome:?}")),
                }
                let mut seen = self.recorder.seen();
                seen.faults += u64::from(*outcome != CallOutcome::Pass);
                let event = request.headers().get("x-request-id");
                let event = event.and_then(|id| id.to_str().ok()).map(str::to_owned);
                match call.service {
                    "Telegram" | "WebEngage" => {
                        seen.under_way.insert(*number, (call.service, event));
                    }
                    "DynamoDB" if call.target == "ChatTasks" && call.operation == "UpdateItem" => {
                        let body: Value =
                            serde_json::from_slice(request.body()).unwrap_or_default();
                        let key = body["Key"]["key"]["S"].as_str().unwrap_or_default();
                        let id = key.rsplit('#').next().unwrap_or_default();
                        seen.deferred.insert(id.to_owned());
                    }
                    "SQS" if call.caller != LAMBDA && call.operation.starts_with("SendMessage") => {
                        drop(seen);
                        self.copy(request);
                    }
                    _ => {}
                }
            }
            Step::Answered { number, status } => {
                match status {
                    Some(200) => self.trace.tell(format_args!("  {number} = 200")),
                    Some(status) => self.trace.tell(format_args!("  {number} = {status}")),
                    None => self.trace.tell(format_args!("  {number} = broken")),
                }
                let mut seen = self.recorder.seen();
                let went_well = status.is_some_and(|status| status < 300);
                if let Some((_, event)) = seen.under_way.remove(number) {
                    seen.faults += u64::from(!went_well);
                    if let (Some(event), true) = (event, went_well) {
                        let now = self.trace.now();
                        seen.accepted.entry(event).or_default().push(now);
                    }
                }
            }
        }
    }

    /// Sends the same message once more, later, as SQS may deliver one twice.
    fn copy(&mut self, request: &http::Request<bytes::Bytes>) {
        let Some((one_in, later)) = self.active_faults.rates().copies else {
            return;
        };
        // A message that is put back again and again would have more copies each time, which is not what SQS does.
        if self.copies >= COPIES_MAX || self.rng.u32(0..one_in) > 0 {
            return;
        }
        self.copies += 1;
        let later = later.mul_f64(self.rng.f64());
        let (aws, request, trace) = (self.aws.clone(), request.clone(), self.trace.clone());
        tokio::spawn(async move {
            tokio::time::sleep(later).await;
            trace.tell(format_args!("SQS: a message is there again"));
            let _ = aws.call(request).await;
        });
    }
}
