//! What can go wrong on the wire, on order: which calls, how many of them, and what happens to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::call::{Service, WireCall};

/// What happens to a call instead of, or around, its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireFault {
    /// Refused, without effect, as AWS refuses a caller that asks too fast.
    Throttle,
    /// DynamoDB alone: refused, without effect, since the item is part of a transaction at this moment.
    TransactionConflict,
    /// Answered 500, without effect.
    InternalError,
    /// The connection is reset, without effect.
    ResetBefore,
    /// The effect happens, and then the connection is reset: the caller can't know.
    ResetAfter,
    /// The call waits this long by the [`Clock`](crate::clock::Clock), then runs as usual.
    Delay(Duration),
    /// The call is never answered and has no effect.
    Hang,
}

/// One order: of the calls that match, `skip` pass, then `times` meet the `action`, and all later ones pass.
///
/// ```
/// # use simulators::aws::{FaultRule, Service, WireFault};
/// let third_send_is_lost = FaultRule::new(WireFault::ResetAfter)
///     .on(Service::Sqs, "SendMessage")
///     .named("EventQueue")
///     .skip(2);
/// ```
#[derive(Clone, Debug)]
pub struct FaultRule {
    /// Only calls of this service.
    pub service: Option<Service>,
    /// Only this operation, as AWS spells it (`PutItem`).
    pub operation: Option<String>,
    /// Only calls that name this table, queue or secret.
    pub table_or_queue: Option<String>,
    /// How many matching calls pass first.
    pub skip: u64,
    /// How many matching calls meet the fault after that.
    pub times: u64,
    /// What happens to them.
    pub action: WireFault,
}

impl FaultRule {
    /// The next call, whichever it is, meets `action`.
    #[must_use]
    pub fn new(action: WireFault) -> Self {
        Self {
            service: None,
            operation: None,
            table_or_queue: None,
            skip: 0,
            times: 1,
            action,
        }
    }

    /// Only this operation of this service.
    #[must_use]
    pub fn on(mut self, service: Service, operation: &str) -> Self {
        self.service = Some(service);
        self.operation = Some(operation.to_owned());
        self
    }

    /// Every call of this service.
    #[must_use]
    pub fn of(mut self, service: Service) -> Self {
        self.service = Some(service);
        self
    }

    /// Only calls that name this table, queue or secret.
    #[must_use]
    pub fn named(mut self, table_or_queue: &str) -> Self {
        self.table_or_queue = Some(table_or_queue.to_owned());
        self
    }

    /// Lets this many matching calls pass first.
    #[must_use]
    pub fn skip(mut self, calls: u64) -> Self {
        self.skip = calls;
        self
    }

    /// This many calls meet the fault, instead of one.
    #[must_use]
    pub fn times(mut self, calls: u64) -> Self {
        self.times = calls;
        self
    }

    /// Every matching call meets the fault, until the faults are cleared.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(u64::MAX)
    }

    fn matches(&self, call: &WireCall) -> bool {
        self.service.is_none_or(|service| service == call.service)
            && self
                .operation
                .as_deref()
                .is_none_or(|operation| operation == call.operation)
            && self
                .table_or_queue
                .as_deref()
                .is_none_or(|name| call.table_or_queue.as_deref() == Some(name))
    }
}

/// How many calls met the fault so far: a test that ordered one can show that it was really hit.
#[derive(Clone, Debug, Default)]
pub struct FaultHits(Arc<AtomicU64>);

impl FaultHits {
    /// The number of calls so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// The orders in force. The first that matches and is not used up decides.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Vec<(FaultRule, FaultHits)>,
}

impl Faults {
    pub(crate) fn add(&mut self, rule: FaultRule) -> FaultHits {
        let hits = FaultHits::default();
        self.rules.push((rule, hits.clone()));
        hits
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    pub(crate) fn take(&mut self, call: &WireCall) -> Option<WireFault> {
        for (rule, hits) in &mut self.rules {
            if !rule.matches(call) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
            } else if rule.times > 0 {
                rule.times -= 1;
                hits.0.fetch_add(1, Ordering::SeqCst);
                return Some(rule.action);
            }
        }
        None
    }
}
