//! The head of an event: by what it is known, and what it is about.

use serde::Deserialize;
use serde_json::Value;

use super::object::StripeObject;
use super::told::StripeReport;

/// The longest body that is kept, in bytes. Of a longer one the id is, by which Stripe gives it again for 30 days.
pub const BODY_MAX: usize = 256 * 1024;
/// The longest id or type in bytes; theirs have less than 80.
const WORD_MAX: usize = 255;

/// The types that the webhook endpoint asks for. `charge.refunded` is none of them: it has a running total, which a refund
/// that fails lowers.
pub const EVENT_TYPES: [&str; 21] = [
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "invoice.paid",
    "invoice.payment_failed",
    "invoice.payment_action_required",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.subscription.trial_will_end",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "radar.early_fraud_warning.created",
];

/// The head of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventHead {
    /// By which repeats of it are known.
    pub id: String,
    /// What happened. Types that nobody asked for may come.
    pub kind: String,
    /// Whether it is of live mode.
    pub is_live: bool,
    /// When it happened, in seconds since the Unix epoch.
    pub created: i64,
    /// In whose shape its object is.
    pub api_version: Option<String>,
    /// What it is about: the word for the kind, such as `invoice`, and the id.
    pub object: Option<(String, String)>,
    /// Whether the account is another one that ours is connected with: nothing of it is ours.
    pub is_foreign: bool,
}

#[derive(Deserialize)]
struct Envelope<D> {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    livemode: bool,
    created: i64,
    api_version: Option<String>,
    account: Option<String>,
    data: D,
}

#[derive(Deserialize)]
struct Data<O> {
    object: O,
}

#[derive(Deserialize)]
struct ObjectHead {
    id: Option<String>,
    object: Option<String>,
}

impl EventHead {
    /// Reads the head of a body of any length; nothing if it is no event.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        let envelope: Envelope<Data<ObjectHead>> = serde_json::from_slice(body).ok()?;
        let Data { object } = envelope.data;
        let object = object.object.zip(object.id);
        let object = object.filter(|(kind, id)| is_word(kind) && is_word(id));
        (is_word(&envelope.id) && is_word(&envelope.kind)).then_some(Self {
            id: envelope.id,
            kind: envelope.kind,
            is_live: envelope.livemode,
            created: envelope.created,
            api_version: envelope.api_version,
            object,
            is_foreign: envelope.account.is_some(),
        })
    }
}

impl StripeReport {
    /// Reads an event that is stored, or that Stripe was asked for; nothing if it is none.
    #[must_use]
    pub fn of_event(body: &[u8]) -> Option<Self> {
        let envelope: Envelope<Data<Value>> = serde_json::from_slice(body).ok()?;
        let is_foreign = envelope.account.is_some();
        let object = StripeObject::new(envelope.data.object);
        Some(Self::told(object, envelope.kind, envelope.livemode).of_others(is_foreign))
    }
}

/// Whether it is a word of Stripe's, fit for a key.
fn is_word(text: &str) -> bool {
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=WORD_MAX).contains(&text.len()) && text.bytes().all(is_sign)
}
