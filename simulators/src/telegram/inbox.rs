//! The updates of one bot that wait to be taken, by `getUpdates` or by its webhook.
//!
//! Updates leave in parallel lanes (messages by chat, membership by user, and so on): one lane has
//! at most one update under way, and later ones of the lane wait for it. An update lives 24 hours from its event,
//! queries 150 seconds.
//!
//! ```text
//! put -> lane -> (head) ready at t -> taken -> settled: gone, and the next of the lane becomes its head
//!                   ^----------------- failed: ready again at t + delay, unless it would be too old then
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};

use super::schema;

/// How many updates may wait for one bot; the oldest is dropped for a new one.
pub const MOST_PENDING: usize = 200_000;
const DAY_MS: i64 = 24 * 3600 * 1000;
const QUERY_MS: i64 = 150 * 1000;
const LONGEST_RETRY_AFTER_SECONDS: i64 = 3600;
/// More than this without a success, and only one connection is opened until there is one.
const COLD_AFTER_MS: i64 = 10_000;
const GONE_FOR_MS: i64 = 23 * 3600 * 1000;
const OFF_BY_DEFAULT: [&str; 3] = ["chat_member", "message_reaction", "message_reaction_count"];

/// The kinds of update that are one at a time, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Lane {
    Message(i64),
    OwnMembership(i64),
    Membership(i64),
    Callback(i64),
    Payment(i64),
    Alone(u64),
}

#[derive(Debug)]
struct Pending {
    update_id: i64,
    kind: String,
    update: Arc<Value>,
    lane: Lane,
    expires_at_ms: i64,
    wake_at_ms: i64,
    failures: u32,
    delay_seconds: i64,
}

/// A registered webhook.
#[derive(Clone, Debug)]
pub(crate) struct Webhook {
    pub(crate) url: String,
    pub(crate) secret_token: Option<String>,
    pub(crate) max_connections: usize,
    pub(crate) ip_address: Option<String>,
}

/// An update taken for delivery.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) seq: u64,
    pub(crate) update_id: i64,
    pub(crate) kind: String,
    pub(crate) update: Arc<Value>,
    pub(crate) number: u32,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(crate) enum DeliveryOutcome {
    Delivered,
    Failed {
        status: Option<u16>,
        error: String,
        retry_after_seconds: Option<i64>,
    },
}

#[derive(Debug)]
pub(crate) struct Inbox {
    next_update_id: i64,
    next_seq: u64,
    pending: BTreeMap<u64, Pending>,
    lanes: HashMap<Lane, VecDeque<u64>>,
    ready: BTreeSet<(i64, u64)>,
    in_flight: HashSet<u64>,
    allowed: Option<Vec<String>>,
    pub(crate) webhook: Option<Webhook>,
    /// Raised whenever the webhook changes: what a former one still had under way no longer counts.
    pub(crate) epoch: u64,
    /// Raised by each `getUpdates`: the one before is ended.
    pub(crate) poll: u64,
    pub(crate) last_error: Option<(i64, String)>,
    last_success_ms: i64,
    gone_since_ms: Option<i64>,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self {
            next_update_id: fastrand::i64(100_000_000..900_000_000),
            next_seq: 0,
            pending: BTreeMap::new(),
            lanes: HashMap::new(),
            ready: BTreeSet::new(),
            in_flight: HashSet::new(),
            allowed: None,
            webhook: None,
            epoch: 0,
            poll: 0,
            last_error: None,
            last_success_ms: i64::MIN / 2,
            gone_since_ms: None,
        }
    }

    /// What `setWebhook` or `getUpdates` asked for: absent keeps what was, empty is the default.
    pub(crate) fn allow(&mut self, asked: Option<Vec<String>>) {
        if let Some(kinds) = asked {
            self.allowed = (!kinds.is_empty()).then_some(kinds);
        }
    }

    pub(crate) fn allowed(&self) -> Option<&[String]> {
        self.allowed.as_deref()
    }

    pub(crate) fn wants(&self, kind: &str) -> bool {
        match &self.allowed {
            // A kind that the Bot API doesn't have was made up by a test, which wants it delivered.
            _ if !schema::is_update(kind) => true,
            Some(kinds) => kinds.iter().any(|allowed| allowed == kind),
            None => !OFF_BY_DEFAULT.contains(&kind),
        }
    }

    /// Queues an update, given without or with its `update_id`, unless its kind is not asked for.
    pub(crate) fn put(&mut self, mut update: Value, event_ms: i64, now_ms: i64) -> Option<i64> {
        let kind = update
            .as_object()?
            .keys()
            .find(|key| *key != "update_id")?
            .clone();
        if !self.wants(&kind) {
            return None;
        }
        let update_id = match update.get("update_id").and_then(Value::as_i64) {
            Some(given) => given,
            None => self.next_update_id,
        };
        self.next_update_id = self.next_update_id.max(update_id) + 1;
        update["update_id"] = json!(update_id);
        let seq = self.next_seq;
        self.next_seq += 1;
        let lane = lane(&kind, &update[&kind], seq);
        let life = if kind.ends_with("_query") {
            QUERY_MS
        } else {
            DAY_MS
        };
        let expires_at_ms = event_ms + life;
        let pending = Pending {
            update_id,
            kind,
            update: Arc::new(update),
            lane,
            expires_at_ms,
            wake_at_ms: now_ms,
            failures: 0,
            delay_seconds: 1,
        };
        self.pending.insert(seq, pending);
        let waiting = self.lanes.entry(lane).or_default();
        waiting.push_back(seq);
        if waiting.len() == 1 {
            self.ready.insert((now_ms, seq));
        }
        self.drop_old(now_ms);
        Some(update_id)
    }

    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn set_webhook(&mut self, webhook: Option<Webhook>, now_ms: i64) {
        self.epoch += 1;
        self.poll += 1;
        self.webhook = webhook;
        self.last_error = None;
        self.last_success_ms = i64::MIN / 2;
        self.gone_since_ms = None;
        self.in_flight.clear();
        self.ready.clear();
        for head in self.lanes.values().filter_map(VecDeque::front) {
            if let Some(pending) = self.pending.get_mut(head) {
                (pending.wake_at_ms, pending.failures, pending.delay_seconds) = (now_ms, 0, 1);
                self.ready.insert((now_ms, *head));
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        self.pending.clear();
        self.lanes.clear();
        self.ready.clear();
        self.in_flight.clear();
    }

    /// The next update to send, if one is ready and a connection is free for it.
    pub(crate) fn take(&mut self, now_ms: i64) -> Option<Attempt> {
        let webhook = self.webhook.as_ref()?;
        let is_cold = now_ms - self.last_success_ms > COLD_AFTER_MS;
        let connections = if is_cold { 1 } else { webhook.max_connections };
        loop {
            if self.in_flight.len() >= connections {
                return None;
            }
            let (wake_at_ms, seq) = *self.ready.first()?;
            if wake_at_ms > now_ms {
                return None;
            }
            self.ready.pop_first();
            let Some(pending) = self.pending.get(&seq) else {
                continue;
            };
            if pending.expires_at_ms < now_ms {
                self.forget(seq);
                continue;
            }
            self.in_flight.insert(seq);
            return Some(Attempt {
                seq,
                update_id: pending.update_id,
                kind: pending.kind.clone(),
                update: Arc::clone(&pending.update),
                number: pending.failures + 1,
            });
        }
    }

    /// When the next update becomes ready.
    pub(crate) fn wakes_at_ms(&self) -> Option<i64> {
        self.ready.first().map(|(at, _)| *at)
    }

    /// Settles an attempt of the present webhook.
    pub(crate) fn settle(&mut self, seq: u64, outcome: &DeliveryOutcome, now_ms: i64) {
        if !self.in_flight.remove(&seq) {
            return;
        }
        let DeliveryOutcome::Failed {
            status,
            error,
            retry_after_seconds,
        } = outcome
        else {
            self.last_success_ms = now_ms;
            self.gone_since_ms = None;
            self.forget(seq);
            return;
        };
        self.last_error = Some((now_ms / 1000, error.clone()));
        if *status == Some(410) {
            let since = *self.gone_since_ms.get_or_insert(now_ms);
            if now_ms - since > GONE_FOR_MS {
                self.set_webhook(None, now_ms);
                return;
            }
        } else {
            self.gone_since_ms = None;
        }
        let Some(pending) = self.pending.get_mut(&seq) else {
            return;
        };
        let asked = retry_after_seconds
            .unwrap_or(0)
            .clamp(0, LONGEST_RETRY_AFTER_SECONDS);
        let mut delay = asked;
        if asked == 0 && pending.failures > 0 {
            let cap = fastrand::i64(60..=120);
            pending.delay_seconds = (pending.delay_seconds * 2).min(cap);
            delay = pending.delay_seconds;
        }
        let wake_at_ms = now_ms + delay * 1000;
        if wake_at_ms > pending.expires_at_ms {
            self.forget(seq);
            return;
        }
        pending.failures += 1;
        pending.wake_at_ms = wake_at_ms;
        self.ready.insert((wake_at_ms, seq));
    }

    /// Confirms by `offset`, then shows what is left: `getUpdates`.
    pub(crate) fn poll(&mut self, offset: i64, limit: usize, now_ms: i64) -> Vec<Arc<Value>> {
        self.drop_old(now_ms);
        if offset < 0 {
            let keep = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
            let extra = self.pending.len().saturating_sub(keep);
            let old: Vec<u64> = self.pending.keys().take(extra).copied().collect();
            old.into_iter().for_each(|seq| self.forget(seq));
        } else {
            let confirmed = self
                .pending
                .iter()
                .take_while(|(_, pending)| pending.update_id < offset);
            let confirmed: Vec<u64> = confirmed.map(|(seq, _)| *seq).collect();
            confirmed.into_iter().for_each(|seq| self.forget(seq));
        }
        self.pending
            .values()
            .take(limit)
            .map(|pending| Arc::clone(&pending.update))
            .collect()
    }

    fn drop_old(&mut self, now_ms: i64) {
        while let Some((seq, pending)) = self.pending.first_key_value() {
            if pending.expires_at_ms >= now_ms && self.pending.len() <= MOST_PENDING {
                return;
            }
            let seq = *seq;
            self.forget(seq);
        }
    }

    fn forget(&mut self, seq: u64) {
        let Some(gone) = self.pending.remove(&seq) else {
            return;
        };
        self.ready.remove(&(gone.wake_at_ms, seq));
        self.in_flight.remove(&seq);
        let Some(waiting) = self.lanes.get_mut(&gone.lane) else {
            return;
        };
        if waiting.front() == Some(&seq) {
            waiting.pop_front();
        } else {
            waiting.retain(|other| *other != seq);
        }
        match waiting.front().copied() {
            None => {
                self.lanes.remove(&gone.lane);
            }
            Some(next) if !self.in_flight.contains(&next) => {
                if let Some(pending) = self.pending.get(&next) {
                    self.ready.insert((pending.wake_at_ms, next));
                }
            }
            Some(_) => {}
        }
    }
}

fn lane(kind: &str, body: &Value, seq: u64) -> Lane {
    let id = |object: &str| body[object]["id"].as_i64();
    let lane = match kind {
        "message" | "edited_message" | "channel_post" | "edited_channel_post" => {
            id("chat").map(Lane::Message)
        }
        "my_chat_member" => id("chat").map(Lane::OwnMembership),
        "chat_member" => body["new_chat_member"]["user"]["id"]
            .as_i64()
            .map(Lane::Membership),
        "chat_join_request" => id("from").map(Lane::Membership),
        "callback_query" => id("from").map(Lane::Callback),
        "pre_checkout_query" | "shipping_query" => id("from").map(Lane::Payment),
        _ => None,
    };
    lane.unwrap_or(Lane::Alone(seq))
}
