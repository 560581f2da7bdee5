//! What happened: calls, violations and webhook deliveries, in rings, with counters that never forget.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;

/// How many calls are remembered, the newest.
pub const REMEMBERED_CALLS: usize = 10_000;
/// How many webhook deliveries are remembered, the newest.
pub const REMEMBERED_DELIVERIES: usize = 5_000;
/// How many violations of flood waits are remembered, the newest.
pub const REMEMBERED_VIOLATIONS: usize = 1_000;

/// One call of a method.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method by its documented name, or as it was called if there is none.
    pub method: String,
    /// The bot; 0 if its token is unknown.
    pub bot_id: i64,
    /// The chat that the call names.
    pub chat_id: Option<i64>,
    /// The checked parameters; those of a refused call as they came.
    pub params: Value,
    /// The HTTP status; 0 if the connection was cut or the call never answered.
    pub status: u16,
    /// The description of a refusal.
    pub description: Option<String>,
    /// When it came, in milliseconds.
    pub at_ms: i64,
}

/// A call made during a flood wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The method.
    pub method: String,
    /// The bot.
    pub bot_id: i64,
    /// The chat that the call names.
    pub chat_id: Option<i64>,
    /// When it came, in milliseconds.
    pub at_ms: i64,
}

/// One attempt to deliver an update to a webhook.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The bot whose webhook it is.
    pub bot_id: i64,
    /// The update's id.
    pub update_id: i64,
    /// The kind of update, `chat_member` for example.
    pub kind: String,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// The whole update.
    pub update: Arc<Value>,
    /// The HTTP status of the answer, if there was one.
    pub status: Option<u16>,
    /// Why it failed, as `getWebhookInfo` tells it.
    pub error: Option<String>,
    /// When it was sent, in milliseconds.
    pub at_ms: i64,
}

#[derive(Debug, Default)]
pub(crate) struct Journal {
    pub(crate) calls: VecDeque<Call>,
    /// The number of the oldest call in the ring.
    oldest_call: u64,
    pub(crate) counts: HashMap<String, u64>,
    pub(crate) too_many_requests: u64,
    /// When the newest of those calls came.
    pub(crate) refused_at_ms: VecDeque<i64>,
    pub(crate) violations: VecDeque<Violation>,
    pub(crate) violation_count: u64,
    pub(crate) deliveries: VecDeque<Delivery>,
    pub(crate) delivery_count: u64,
}

impl Journal {
    /// Notes a call as it comes; it has no status until it is answered.
    pub(crate) fn arrived(&mut self, call: Call) -> u64 {
        *self.counts.entry(call.method.clone()).or_default() += 1;
        self.calls.push_back(call);
        if self.calls.len() > REMEMBERED_CALLS {
            self.calls.pop_front();
            self.oldest_call += 1;
        }
        self.oldest_call + u64::try_from(self.calls.len()).unwrap_or_default() - 1
    }

    pub(crate) fn answered(&mut self, number: u64, status: u16, description: Option<String>) {
        let index = number
            .checked_sub(self.oldest_call)
            .and_then(|index| usize::try_from(index).ok());
        if let Some(call) = index.and_then(|index| self.calls.get_mut(index)) {
            (call.status, call.description) = (status, description);
            if status == 429 {
                if self.refused_at_ms.len() >= REMEMBERED_CALLS {
                    self.refused_at_ms.pop_front();
                }
                self.refused_at_ms.push_back(call.at_ms);
            }
        }
        self.too_many_requests += u64::from(status == 429);
    }

    pub(crate) fn violation(&mut self, violation: Violation) {
        self.violation_count += 1;
        if self.violations.len() >= REMEMBERED_VIOLATIONS {
            self.violations.pop_front();
        }
        self.violations.push_back(violation);
    }

    pub(crate) fn delivery(&mut self, delivery: Delivery) {
        self.delivery_count += 1;
        if self.deliveries.len() >= REMEMBERED_DELIVERIES {
            self.deliveries.pop_front();
        }
        self.deliveries.push_back(delivery);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Call {
        Call {
            method: "getMe".into(),
            bot_id: 1,
            chat_id: None,
            params: Value::Null,
            status: 0,
            description: None,
            at_ms: 0,
        }
    }

    #[test]
    fn the_ring_forgets_the_oldest_call_but_counts_all_and_late_answers_find_theirs() {
        let mut journal = Journal::default();
        let first = journal.arrived(call());
        let second = journal.arrived(call());
        for _ in 0..REMEMBERED_CALLS - 1 {
            journal.arrived(call());
        }
        journal.answered(first, 500, None);
        journal.answered(second, 200, None);
        assert_eq!(journal.calls.len(), REMEMBERED_CALLS);
        assert_eq!(journal.counts["getMe"], REMEMBERED_CALLS as u64 + 1);
        let statuses: Vec<u16> = journal
            .calls
            .iter()
            .take(2)
            .map(|call| call.status)
            .collect();
        assert_eq!(statuses, [200, 0]);
    }
}
