//! An object of Stripe's, and its fields wherever the version put them.

use std::fmt;

use serde_json::Value;
use uuid::Uuid;

use super::ORDER_ID;

/// An object of the API, of any kind.
#[derive(Clone, PartialEq, Eq)]
pub struct StripeObject(Value);

impl StripeObject {
    /// An object as it came.
    #[must_use]
    pub const fn new(value: Value) -> Self {
        Self(value)
    }

    /// The word for its kind, such as `checkout.session`; empty if it has none.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text("object").unwrap_or_default()
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.text("id")
    }

    /// A text that isn't empty.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        text(&self.0[name])
    }

    /// A whole number.
    #[must_use]
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.0[name].as_i64()
    }

    /// Whether a field is `true`.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.0[name] == true
    }

    /// The whole object.
    #[must_use]
    pub const fn value(&self) -> &Value {
        &self.0
    }

    /// Of an invoice: the payment intents that pay it.
    #[must_use]
    pub fn paying_intents(&self) -> Vec<String> {
        self.intents().map(str::to_owned).collect()
    }

    /// An amount: not negative.
    pub(super) fn amount(&self, name: &str) -> Option<i128> {
        let amount = self.0[name].as_u64();
        amount.map(i128::from)
    }

    /// The id of another object, which may be expanded.
    pub(super) fn other(&self, name: &str) -> Option<&str> {
        reference(&self.0[name])
    }

    /// Another object, if it is expanded.
    pub(super) fn expanded(&self, name: &str) -> Option<Self> {
        let value = &self.0[name];
        value.is_object().then(|| Self(value.clone()))
    }

    /// A text of its metadata.
    pub(super) fn metadata(&self, name: &str) -> Option<&str> {
        text(&self.0["metadata"][name])
    }

    /// Our order, if its metadata names one.
    pub(super) fn order(&self) -> Option<String> {
        order_id(&self.0["metadata"][ORDER_ID])
    }

    /// Of an invoice: the order in the snapshot of its subscription's metadata, where it stands since 2025-03-31 or stood
    /// before, else in that of its lines.
    pub(super) fn order_of_subscription(&self) -> Option<String> {
        let snapshots = [
            &self.0["parent"]["subscription_details"]["metadata"],
            &self.0["subscription_details"]["metadata"],
        ];
        let lines = self.lines().map(|line| &line["metadata"]);
        snapshots
            .into_iter()
            .chain(lines)
            .find_map(|metadata| order_id(&metadata[ORDER_ID]))
    }

    /// Of an invoice: its subscription, where it stands since 2025-03-31 or stood before.
    pub(super) fn subscription(&self) -> Option<&str> {
        let present = reference(&self.0["parent"]["subscription_details"]["subscription"]);
        present.or_else(|| self.other("subscription"))
    }

    /// Of an invoice: the payment intents that pay it: those of its payments, if they were asked for, else the one of before
    /// 2025-03-31.
    pub(super) fn intents(&self) -> impl Iterator<Item = &str> {
        let payments = list(&self.0["payments"]["data"]);
        let present = payments.filter_map(|own| reference(&own["payment"]["payment_intent"]));
        present.chain(self.other("payment_intent"))
    }

    /// Of an invoice: up to when its lines pay.
    pub(super) fn paid_until(&self) -> Option<i64> {
        self.lines()
            .filter_map(|line| line["period"]["end"].as_i64())
            .max()
    }

    /// Of an invoice: the tax in it, in the places of three versions. None is no tax.
    pub(super) fn tax(&self) -> Option<i128> {
        let sum = |taxes: &Value| {
            let amounts = list(taxes).filter_map(|tax| tax["amount"].as_u64());
            amounts.map(i128::from).sum::<i128>()
        };
        let sums = [
            sum(&self.0["total_taxes"]),
            sum(&self.0["total_tax_amounts"]),
        ];
        let old = self.amount("tax");
        sums.into_iter().chain(old).find(|tax| *tax > 0)
    }

    fn lines(&self) -> impl Iterator<Item = &Value> {
        list(&self.0["lines"]["data"])
    }
}

/// What buyers wrote stays out of logs.
impl fmt::Debug for StripeObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StripeObject({:?}, {:?})", self.kind(), self.id())
    }
}

fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// An id, or that of the object in its place.
fn reference(value: &Value) -> Option<&str> {
    text(value).or_else(|| text(&value["id"]))
}

/// Our own ids are UUIDs: an account that sells other things too may use the same word for ids of theirs.
pub(super) fn order_id(value: &Value) -> Option<String> {
    let id = Uuid::try_parse(text(value)?).ok()?;
    Some(id.to_string())
}
