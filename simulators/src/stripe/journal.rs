//! What happened: requests and deliveries of events, in rings.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

/// How many requests, and how many deliveries, are remembered, the newest.
pub const REMEMBERED: usize = 10_000;

/// One request to the API.
#[derive(Clone, Debug)]
pub struct StripeCall {
    /// The HTTP method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The parameters as they came.
    pub params: Value,
    /// The header `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// If the answer was one that had been kept.
    pub was_replayed: bool,
    /// The HTTP status; 0 if the connection was cut or there was no answer yet.
    pub status: u16,
    /// The message of an error.
    pub message: Option<String>,
    /// When it came, in milliseconds.
    pub at_ms: i64,
}

/// One try to deliver an event.
#[derive(Clone, Debug)]
pub struct StripeDelivery {
    /// The endpoint's id.
    pub endpoint_id: String,
    /// The event's id.
    pub event_id: String,
    /// The event's type.
    pub event_type: String,
    /// 1 for the first try.
    pub attempt: u32,
    /// The body.
    pub event: Arc<Value>,
    /// The HTTP status of the answer, if there was one.
    pub status: Option<u16>,
    /// When it was sent, in milliseconds.
    pub at_ms: i64,
}

#[derive(Debug, Default)]
pub(super) struct StripeJournal {
    pub(super) calls: VecDeque<StripeCall>,
    pub(super) call_count: u64,
    pub(super) deliveries: VecDeque<StripeDelivery>,
}

impl StripeJournal {
    /// Notes a request as it comes, and gives its number.
    pub(super) fn arrived(&mut self, call: StripeCall) -> u64 {
        if self.calls.len() >= REMEMBERED {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
        self.call_count += 1;
        self.call_count
    }

    pub(super) fn answered(&mut self, number: u64, how: impl FnOnce(&mut StripeCall)) {
        let behind = usize::try_from(self.call_count - number).unwrap_or(usize::MAX);
        let index = self.calls.len().checked_sub(behind.saturating_add(1));
        if let Some(call) = index.and_then(|index| self.calls.get_mut(index)) {
            how(call);
        }
    }

    pub(super) fn delivered(&mut self, delivery: StripeDelivery) {
        if self.deliveries.len() >= REMEMBERED {
            self.deliveries.pop_front();
        }
        self.deliveries.push_back(delivery);
    }
}
