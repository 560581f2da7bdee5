//! What every call of every function passes in a simulated world: it is named, counted, delayed, and may be the last
//! thing that its caller does.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lambda_events::sqs::SqsBatchResponse;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Request, Response};
use runtime::lambda::failed_messages;
use runtime::transport::{CallError, Transport};
use serde_json::Value;
use simulators::Reset;
use simulators::aws::Aws;
use simulators::telegram::Telegram;
use simulators::webengage::WebEngage;
use tokio::task::{AbortHandle, Id};

use super::freeze::freeze;
use super::providers::Providers;

/// One call on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireCall {
    /// The function that makes it, or `lambda` for what Lambda itself does for a queue.
    pub caller: &'static str,
    /// `DynamoDB`, `SQS`, `Telegram`, `WebEngage`, `Stripe`, `NOWPayments` or `Receiver`.
    pub service: &'static str,
    /// The operation or method.
    pub operation: String,
    /// The table, queue, chat or path.
    pub target: String,
}

/// Where URLs lead that somebody registers in a world: a server that takes whatever it is sent.
pub(crate) const RECEIVER: &str = "receiver.invalid";

/// What [`RECEIVER`] was sent.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// The id of an announcement; empty of anything else.
    pub(crate) id: String,
    /// The body.
    pub(crate) body: Value,
}

impl fmt::Display for WireCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            caller,
            service,
            operation,
            target,
        } = self;
        write!(f, "{caller}: {service} {operation} {target}")
    }
}

/// What is to become of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// It goes its way.
    Pass,
    /// Its caller dies before it has left.
    DieBefore,
    /// Its caller dies when its effect is there, before the answer.
    DieAfter,
    /// The connection breaks before it has left.
    CutBefore,
    /// The connection breaks when its effect is there.
    CutAfter,
    /// Its caller, a worker, is frozen for so long before it leaves.
    FreezeBefore(Duration),
    /// Its caller, a worker, is frozen for so long before it has the answer.
    FreezeAfter(Duration),
    /// It is made twice, at once one after the other; the caller sees the second answer.
    Twice,
}

/// Decides over each call of the functions (not over Lambda's own). It is asked in the order in which they are made.
pub type FaultPolicy = Box<dyn FnMut(&WireCall, &Request<Bytes>) -> CallOutcome + Send>;

/// Ends a caller that is a process.
pub(crate) type Killer = Box<dyn Fn() + Send>;

/// What becomes of a call, step by step. The steps of one call have the same `number`; a call whose caller stopped
/// waiting for it has no last step.
#[derive(Debug)]
pub enum Step<'a> {
    /// It leaves its caller.
    Leaves {
        /// Its place in the order of all calls.
        number: u64,
        /// The call.
        call: &'a WireCall,
        /// What is to become of it.
        outcome: CallOutcome,
        /// As it is sent.
        request: &'a Request<Bytes>,
    },
    /// Its caller has the answer; `None` if the connection broke.
    Answered {
        /// Its place in the order of all calls.
        number: u64,
        /// The HTTP status.
        status: Option<u16>,
    },
}

/// Is told of every step of every call, Lambda's own included.
pub type Watcher = Box<dyn FnMut(&Step<'_>) + Send>;

#[derive(Default)]
struct WireState {
    fault_policy: Option<FaultPolicy>,
    watcher: Option<Watcher>,
    number: u64,
    invocations: Vec<AbortHandle>,
    calls: u64,
    deaths: BTreeMap<&'static str, u64>,
    killers: BTreeMap<&'static str, Killer>,
    cuts: u64,
    shows: Option<Shows>,
    counts: BTreeMap<(&'static str, &'static str, String, String), u64>,
    slow: BTreeMap<&'static str, Duration>,
    heard: Vec<Heard>,
    providers: Option<Providers>,
}

/// Messages that are shown several times each.
struct Shows {
    times: u32,
    shown: BTreeMap<String, u32>,
    /// How many more may be shown again: an event that is deferred is a new message, so the copies of its copies multiply.
    left: u32,
}

/// How many repeats there are in one world.
const SHOWN_AGAIN_MAX: u32 = 200;

/// The way of all calls to the simulators. Clones are the same one.
#[derive(Clone)]
pub struct Wire {
    aws: Aws,
    telegram: Telegram,
    webengage: WebEngage,
    /// The longest way of a call of AWS, each direction.
    latency: Duration,
    state: Arc<Mutex<WireState>>,
}

impl Wire {
    pub(crate) fn new(
        aws: Aws,
        telegram: Telegram,
        webengage: WebEngage,
        latency: Duration,
    ) -> Self {
        Self {
            aws,
            telegram,
            webengage,
            latency,
            state: Arc::default(),
        }
    }

    /// Leads to those who take money, too.
    pub(crate) fn reaches(&self, providers: Providers) {
        self.state().providers = Some(providers);
    }

    /// Lets `fault_policy` decide from now on.
    pub fn fault_policy(&self, fault_policy: FaultPolicy) {
        self.state().fault_policy = Some(fault_policy);
    }

    /// Tells `watcher` of every call from now on.
    pub fn watch_calls(&self, watcher: Watcher) {
        self.state().watcher = Some(watcher);
    }

    /// Lets every call pass from now on.
    pub fn pass_all(&self) {
        self.state().fault_policy = None;
    }

    /// What [`RECEIVER`] was sent, in order.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.state().heard.clone()
    }

    /// How many calls the functions made.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// How often an operation of a service was called for a table, queue or chat, by functions and by Lambda.
    #[must_use]
    pub fn count(&self, service: &str, operation: &str, target: &str) -> u64 {
        let state = self.state();
        let counts = state.counts.iter();
        counts
            .filter(|((_, of, name, to), _)| *of == service && name == operation && to == target)
            .map(|(_, count)| count)
            .sum()
    }

    /// How often a function called an operation for a table, queue or chat.
    #[must_use]
    pub fn count_by(&self, caller: &str, operation: &str, target: &str) -> u64 {
        let state = self.state();
        let counts = state.counts.iter();
        counts
            .filter(|((by, _, name, to), _)| *by == caller && name == operation && to == target)
            .map(|(_, count)| count)
            .sum()
    }

    /// How many invocations died by an injected fault.
    #[must_use]
    pub fn deaths(&self) -> u64 {
        self.state().deaths.values().sum()
    }

    /// How many invocations of one function died by an injected fault.
    #[must_use]
    pub fn deaths_of(&self, caller: &str) -> u64 {
        let state = self.state();
        state.deaths.get(caller).copied().unwrap_or_default()
    }

    /// How many calls of Telegram were cut by an injected fault: tries, as far as their callers can know.
    #[must_use]
    pub fn cuts(&self) -> u64 {
        self.state().cuts
    }

    /// From now on every message is shown `times` times: that it was handled is lost on the way, but the last time.
    /// After 200 repeats each is shown once.
    pub fn show_each_message(&self, times: u32) {
        self.state().shows = Some(Shows {
            times,
            shown: BTreeMap::new(),
            left: SHOWN_AGAIN_MAX,
        });
    }

    /// What Lambda makes of a function's answer for these messages, if each is to be shown several times.
    pub(crate) fn show_again(
        &self,
        message_ids: Vec<String>,
        mut answer: SqsBatchResponse,
    ) -> SqsBatchResponse {
        let mut state = self.state();
        let Some(shows) = &mut state.shows else {
            return answer;
        };
        for id in message_ids {
            let count = shows.shown.entry(id.clone()).or_default();
            *count += 1;
            let failures = &mut answer.batch_item_failures;
            let is_back = failures.iter().any(|known| known.item_identifier == id);
            if *count < shows.times && shows.left > 0 && !is_back {
                shows.left -= 1;
                failures.extend(failed_messages([id]).batch_item_failures);
            }
        }
        answer
    }

    /// The calls of this function take up to so much longer from now on, before they have their effect.
    pub fn slow_down(&self, caller: &'static str, most: Duration) {
        self.state().slow.insert(caller, most);
    }

    /// How a caller dies that is a process of its own.
    pub(crate) fn kills(&self, caller: &'static str, kill: Killer) {
        self.state().killers.insert(caller, kill);
    }

    /// Makes a task known as an invocation, so that it can die.
    pub(crate) fn watch(&self, invocation: AbortHandle) {
        let invocations = &mut self.state().invocations;
        invocations.retain(|known| !known.is_finished());
        invocations.push(invocation);
    }

    /// The transport of a function.
    pub(crate) fn transport(&self, caller: &'static str) -> Transport {
        let wire = self.clone();
        Transport::new(move |request| {
            let wire = wire.clone();
            async move { wire.carry(caller, request).await }.boxed()
        })
    }

    async fn carry(
        &self,
        caller: &'static str,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, CallError> {
        let (number, outcome) = self.outcome(&describe(caller, &request), &request);
        let answer = self.carry_by(caller, outcome, request).await;
        if let Some(watcher) = &mut self.state().watcher {
            let status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
            watcher(&Step::Answered { number, status });
        }
        answer
    }

    async fn carry_by(
        &self,
        caller: &'static str,
        outcome: CallOutcome,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, CallError> {
        let is_cut = matches!(outcome, CallOutcome::CutBefore | CallOutcome::CutAfter);
        let is_telegram = request.uri().host() == Some("telegram.invalid");
        self.state().cuts += u64::from(is_cut && is_telegram);
        let mut given_up = GivenUp(is_telegram.then_some(self));
        match outcome {
            CallOutcome::DieBefore => return self.die(caller).await,
            CallOutcome::CutBefore => return Err(broken()),
            CallOutcome::FreezeBefore(time) => freeze(time).await,
            CallOutcome::Twice => {
                let _ = self.deliver_for(caller, request.clone()).await;
            }
            CallOutcome::Pass
            | CallOutcome::DieAfter
            | CallOutcome::CutAfter
            | CallOutcome::FreezeAfter(_) => {}
        }
        let answer = self.deliver_for(caller, request).await;
        given_up.0 = None;
        match outcome {
            CallOutcome::DieAfter => self.die(caller).await,
            CallOutcome::CutAfter => Err(broken()),
            CallOutcome::FreezeAfter(time) => {
                freeze(time).await;
                answer.map_err(|Reset| broken())
            }
            _ => answer.map_err(|Reset| broken()),
        }
    }

    fn outcome(&self, call: &WireCall, request: &Request<Bytes>) -> (u64, CallOutcome) {
        let mut state = self.state();
        let (operation, target) = (call.operation.clone(), call.target.clone());
        let of = (call.caller, call.service, operation, target);
        *state.counts.entry(of).or_default() += 1;
        state.number += 1;
        let number = state.number;
        let outcome = if call.caller == LAMBDA {
            CallOutcome::Pass
        } else {
            state.calls += 1;
            let fault_policy = state.fault_policy.as_mut();
            fault_policy.map_or(CallOutcome::Pass, |fault_policy| {
                fault_policy(call, request)
            })
        };
        if let Some(watcher) = &mut state.watcher {
            watcher(&Step::Leaves {
                number,
                call,
                outcome,
                request,
            });
        }
        (number, outcome)
    }

    async fn deliver_for(
        &self,
        caller: &'static str,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Reset> {
        let slow = self.state().slow.get(caller).copied();
        if let Some(most) = slow {
            tokio::time::sleep(most.mul_f64(fastrand::f64())).await;
        }
        self.deliver(request).await
    }

    async fn deliver(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Reset> {
        match request.uri().host().unwrap_or_default() {
            "telegram.invalid" => self.telegram.call(request).await,
            "webengage.invalid" => self.webengage.call(request).await,
            host @ ("stripe.invalid" | "nowpayments.invalid") => {
                let is_stripe = host == "stripe.invalid";
                let providers = self.state().providers.clone().ok_or(Reset)?;
                match is_stripe {
                    true => providers.stripe.call(request).await,
                    false => providers.nowpayments.call(request).await,
                }
            }
            RECEIVER => {
                let id = request.headers().get("webhook-id");
                let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
                self.state().heard.push(Heard {
                    id: id.to_owned(),
                    body: serde_json::from_slice(request.body()).unwrap_or_default(),
                });
                Ok(Response::new(Bytes::new()))
            }
            _ => {
                self.travel().await;
                let answer = self.aws.call(request).await;
                self.travel().await;
                answer
            }
        }
    }

    async fn travel(&self) {
        if !self.latency.is_zero() {
            let most = u64::try_from(self.latency.as_micros()).unwrap_or(u64::MAX);
            tokio::time::sleep(Duration::from_micros(fastrand::u64(0..=most))).await;
        }
    }

    /// Ends the invocation that calls, as a process ends: nothing of it runs any more.
    async fn die(&self, caller: &'static str) -> Result<Response<Bytes>, CallError> {
        let me: Option<Id> = tokio::task::try_id();
        {
            let mut state = self.state();
            *state.deaths.entry(caller).or_default() += 1;
            if let Some(kill) = state.killers.get(caller) {
                kill();
            }
            for invocation in &state.invocations {
                if Some(invocation.id()) == me {
                    invocation.abort();
                }
            }
        }
        std::future::pending().await
    }

    fn state(&self) -> MutexGuard<'_, WireState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The caller of what Lambda does for a queue.
pub(crate) const LAMBDA: &str = "lambda";

pub(super) fn broken() -> CallError {
    CallError::NoAnswer(Box::new(Reset))
}

/// What a call is, by its request alone.
fn describe(caller: &'static str, request: &Request<Bytes>) -> WireCall {
    let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let (service, operation, target) = match request.uri().host().unwrap_or_default() {
        "telegram.invalid" => {
            let method = request.uri().path().rsplit('/').next().unwrap_or_default();
            ("Telegram", method.to_owned(), body["chat_id"].to_string())
        }
        "webengage.invalid" => ("WebEngage", "events".to_owned(), text("eventName")),
        "stripe.invalid" => ("Stripe", request.method().to_string(), kind_of(request)),
        "nowpayments.invalid" => (
            "NOWPayments",
            request.method().to_string(),
            kind_of(request),
        ),
        RECEIVER => (
            "Receiver",
            "POST".to_owned(),
            request.uri().path().to_owned(),
        ),
        _ => {
            let target = request.headers().get("x-amz-target");
            let target = target
                .and_then(|target| target.to_str().ok())
                .unwrap_or_default();
            let (service, operation) = target.split_once('.').unwrap_or_default();
            let queue = text("QueueUrl");
            let queue = queue.rsplit('/').next().unwrap_or_default().to_owned();
            match service {
                "AmazonSQS" => ("SQS", operation.to_owned(), queue),
                _ => ("DynamoDB", operation.to_owned(), text("TableName")),
            }
        }
    };
    WireCall {
        caller,
        service,
        operation,
        target,
    }
}

/// The path of a call of a provider's API without the ids in it: they are random.
fn kind_of(request: &Request<Bytes>) -> String {
    let is_id = |part: &&str| part.bytes().any(|byte| byte.is_ascii_digit());
    let parts = request
        .uri()
        .path()
        .split('/')
        .filter(|part| !part.is_empty());
    let parts: Vec<&str> = parts.filter(|part| !is_id(part)).collect();
    parts.join("/")
}

/// Counts a call of Telegram as cut off if its caller gives it up before it is answered: Telegram may sleep through a flood
/// wait, and knows nothing of a call that was given up meanwhile.
struct GivenUp<'a>(Option<&'a Wire>);

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        if let Some(wire) = self.0 {
            wire.state().cuts += 1;
        }
    }
}
