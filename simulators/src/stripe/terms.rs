//! What objects have beside what the API shows of them, and what tests chose for them.

use serde_json::Value;

/// What a session will make when it is paid.
#[derive(Clone, Debug)]
pub(super) struct SessionTerms {
    /// The `item` objects of `line_items`.
    pub(super) items: Vec<Value>,
    pub(super) payment_intent_data: Value,
    pub(super) subscription_data: Value,
    pub(super) coupon: Option<String>,
    /// The end of the trial, in seconds.
    pub(super) trial_end: Option<i64>,
    /// The payment intent, once the buyer has tried.
    pub(super) intent: Option<String>,
}

/// How the invoices of a subscription end from now on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RenewalOutcome {
    /// They are paid.
    #[default]
    Succeed,
    /// The bank declines with this `decline_code`.
    Decline(String),
    /// The bank asks for 3-D Secure.
    RequireAction,
}

/// What of a subscription is not shown.
#[derive(Clone, Debug)]
pub(super) struct SubscriptionTerms {
    pub(super) coupon: Option<String>,
    pub(super) discount: Option<String>,
    pub(super) renewal: RenewalOutcome,
}

impl SubscriptionTerms {
    pub(super) fn new(coupon: Option<String>, discount: Option<String>) -> Self {
        Self {
            coupon,
            discount,
            renewal: RenewalOutcome::default(),
        }
    }
}

/// How refunds go from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RefundPlan {
    /// They succeed at once, as those of cards do.
    #[default]
    Succeed,
    /// They are pending until a test says how they end.
    Pend,
}
