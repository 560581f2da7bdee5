//! The account: its objects in one mode, and what is due when.
//!
//! No I/O and no clock: a call or a timer sets `now`, changes objects, and leaves events.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde_json::{Map, Value, json};

use super::kind::ObjectKind;
use super::outbox::EventOutbox;
use super::refusal::StripeRefusal;
use super::terms::{RefundPlan, SessionTerms, SubscriptionTerms};
use super::values::{random_text, text};

/// How many objects of one kind are kept; the oldest is forgotten for a new one.
pub const MOST_OBJECTS: usize = 100_000;
/// The API version that is simulated.
pub const API_VERSION: &str = "2026-10-28.endive";

/// What happens by itself, and to which object.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum DueAction {
    ExpireSession(String),
    SettleSession { session: String, succeeds: bool },
    EndPeriod(String),
    WarnOfTrialEnd(String),
    FinalizeInvoice(String),
    RetryInvoice(String),
}

#[derive(Debug, Default)]
struct Shelf {
    order: VecDeque<String>,
    objects: HashMap<String, Value>,
}

#[derive(Debug)]
pub(crate) struct StripeWorld {
    pub(super) livemode: bool,
    /// The base of the pages' URLs.
    pub(super) url: String,
    /// Seconds since the Unix epoch.
    pub(super) now: i64,
    shelves: BTreeMap<ObjectKind, Shelf>,
    pub(super) terms: HashMap<String, SessionTerms>,
    timers: BTreeMap<(i64, u64), DueAction>,
    timer_count: u64,
    pub(super) outbox: EventOutbox,
    pub(super) subscription_terms: HashMap<String, SubscriptionTerms>,
    pub(super) refund_plan: RefundPlan,
    /// The request that is carried out: its id and idempotency key, for the events that it makes.
    pub(super) request: (Option<String>, Option<String>),
    pub(super) invoice_count: u64,
}

impl StripeWorld {
    pub(super) fn new(livemode: bool) -> Self {
        Self {
            livemode,
            url: String::new(),
            now: 0,
            shelves: BTreeMap::new(),
            terms: HashMap::new(),
            timers: BTreeMap::new(),
            timer_count: 0,
            outbox: EventOutbox::default(),
            subscription_terms: HashMap::new(),
            refund_plan: RefundPlan::default(),
            request: (None, None),
            invoice_count: 0,
        }
    }

    /// A new id of the kind.
    pub(super) fn new_id(&self, kind: ObjectKind) -> String {
        match kind {
            ObjectKind::Session => {
                let mode = if self.livemode { "live" } else { "test" };
                format!("cs_{mode}_a1{}", random_text(56))
            }
            ObjectKind::Customer | ObjectKind::Product => {
                format!("{}{}", kind.prefix(), random_text(14))
            }
            ObjectKind::Coupon => random_text(8),
            _ => format!("{}1{}", kind.prefix(), random_text(23)),
        }
    }

    pub(super) fn put(&mut self, kind: ObjectKind, object: Value) {
        let id = text(&object["id"]).to_owned();
        let shelf = self.shelves.entry(kind).or_default();
        if shelf.objects.insert(id.clone(), object).is_none() {
            shelf.order.push_back(id);
        }
        if shelf.order.len() > MOST_OBJECTS
            && let Some(oldest) = shelf.order.pop_front()
        {
            shelf.objects.remove(&oldest);
            self.terms.remove(&oldest);
            self.subscription_terms.remove(&oldest);
        }
    }

    pub(super) fn remove(&mut self, kind: ObjectKind, id: &str) {
        if let Some(shelf) = self.shelves.get_mut(&kind) {
            shelf.objects.remove(id);
            shelf.order.retain(|kept| kept != id);
        }
    }

    pub(super) fn get(&self, kind: ObjectKind, id: &str) -> Option<&Value> {
        self.shelves.get(&kind)?.objects.get(id)
    }

    /// The object, or null.
    pub(super) fn read(&self, kind: ObjectKind, id: &str) -> Value {
        self.get(kind, id).cloned().unwrap_or(Value::Null)
    }

    /// The object, or 404 about the parameter.
    pub(super) fn find(
        &self,
        kind: ObjectKind,
        id: &str,
        param: &str,
    ) -> Result<&Value, StripeRefusal> {
        self.get(kind, id)
            .ok_or_else(|| StripeRefusal::no_such(kind.object(), id, param))
    }

    /// All of a kind, oldest first.
    pub(super) fn all(&self, kind: ObjectKind) -> impl DoubleEndedIterator<Item = &Value> {
        let shelf = self.shelves.get(&kind);
        shelf.into_iter().flat_map(|shelf| {
            shelf
                .order
                .iter()
                .filter_map(move |id| shelf.objects.get(id))
        })
    }

    /// Changes an object, and gives what its changed fields were, as `previous_attributes` has them.
    pub(super) fn change(
        &mut self,
        kind: ObjectKind,
        id: &str,
        how: impl FnOnce(&mut Value),
    ) -> Value {
        let object = self
            .shelves
            .get_mut(&kind)
            .and_then(|shelf| shelf.objects.get_mut(id));
        let Some(object) = object else {
            return Value::Null;
        };
        let before = object.clone();
        how(object);
        let changed = before.as_object().into_iter().flatten();
        let changed: Map<String, Value> = changed
            .filter(|(key, value)| object[key.as_str()] != **value)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        Value::Object(changed)
    }

    /// Sets fields of an object; gives the same as [`StripeWorld::change`].
    pub(super) fn set(&mut self, kind: ObjectKind, id: &str, fields: Value) -> Value {
        self.change(kind, id, |object| {
            if let (Some(object), Value::Object(fields)) = (object.as_object_mut(), fields) {
                object.extend(fields);
            }
        })
    }

    pub(super) fn at(&mut self, at: i64, action: DueAction) {
        self.timer_count += 1;
        self.timers.insert((at, self.timer_count), action);
    }

    /// When something happens by itself next, in seconds.
    pub(super) fn next_due(&self) -> Option<i64> {
        self.timers.keys().next().map(|(at, _)| *at)
    }

    /// Lets happen what is due until `now`, each at its own time.
    pub(super) fn advance(&mut self, now: i64) {
        while let Some((&(at, number), _)) = self.timers.first_key_value()
            && at <= now
        {
            let Some(action) = self.timers.remove(&(at, number)) else {
                break;
            };
            self.now = self.now.max(at);
            self.request = (None, None);
            match action {
                DueAction::ExpireSession(id) => self.expire_session(&id),
                DueAction::SettleSession { session, succeeds } => {
                    self.settle_session(&session, succeeds);
                }
                DueAction::EndPeriod(id) => self.end_period(&id),
                DueAction::WarnOfTrialEnd(id) => self.warn_of_trial_end(&id),
                DueAction::FinalizeInvoice(id) => self.finalize_invoice(&id),
                DueAction::RetryInvoice(id) => self.retry_invoice(&id),
            }
        }
        self.now = self.now.max(now);
    }

    /// Makes an event about the object as it is now.
    pub(super) fn emit(&mut self, event_type: &str, kind: ObjectKind, id: &str) {
        self.emit_change(event_type, kind, id, Value::Null);
    }

    /// The same, with what the changed fields were.
    pub(super) fn emit_change(
        &mut self,
        event_type: &str,
        kind: ObjectKind,
        id: &str,
        previous: Value,
    ) {
        let mut data = json!({"object": self.read(kind, id)});
        if previous
            .as_object()
            .is_some_and(|fields| !fields.is_empty())
        {
            data["previous_attributes"] = previous;
        }
        let event_id = self.new_id(ObjectKind::Event);
        let endpoints: Vec<String> = self
            .all(ObjectKind::Endpoint)
            .filter(|endpoint| wants(endpoint, event_type))
            .map(|endpoint| text(&endpoint["id"]).to_owned())
            .collect();
        let (request_id, key) = self.request.clone();
        let event = json!({
            "id": event_id, "object": "event", "api_version": API_VERSION, "created": self.now, "data": data,
            "livemode": self.livemode, "pending_webhooks": endpoints.len(),
            "request": {"id": request_id, "idempotency_key": key}, "type": event_type,
        });
        self.put(ObjectKind::Event, event);
        let at_ms = self.now.saturating_mul(1000);
        self.outbox.send(&event_id, event_type, &endpoints, at_ms);
    }
}

/// If the endpoint is told of events of this type.
fn wants(endpoint: &Value, event_type: &str) -> bool {
    let types = endpoint["enabled_events"].as_array().into_iter().flatten();
    endpoint["status"] == "enabled"
        && types
            .map(text)
            .any(|wanted| wanted == "*" || wanted == event_type)
}
