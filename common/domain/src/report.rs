//! What a provider of payments reports, in the one shape that settling an order needs, whoever the provider is.
//!
//! An event is a bell, an object at the provider is the truth. Both are a [`PaymentReport`], and are settled in the same
//! way, of which only the reading and writing in between is the caller's:
//!
//! 1. **Which order?** [`PaymentReport::named`] says whether it is of live or test mode, the order if it names it, else the
//!    objects to look up in the references, in their order, else what to read *upwards* at the provider. What is read there
//!    is a report too, and is asked the same. When nothing is left to read, it is nobody's.
//! 2. **The order is read**, with its version.
//! 3. **What does it say?** [`PaymentReport::reading`], with the order as it was read, gives facts, or what has to be read
//!    first. That reading replaces the report, and is asked again. So what can go back and forth at the provider is read after
//!    the order, and has its version as `seq`: a commit that asks for the version takes the newest reading alone.
//! 4. **The references are put, the facts are committed** if the order still has that version; else from 2.
//!
//! ```text
//! let (mut asked, mut charge) = (report.named(), None)
//! let order = loop {
//!     charge = charge.or(asked.charge)
//!     if let Some(order) = asked.order or, for each of asked.refs, the first that is stored (its charge: charge.or(it)) {
//!         break order
//!     }
//!     match asked.upwards and client.fetch(it)? { Some(found) => asked = found.named(), None => return ignored }
//! }
//! loop {
//!     let order = read(order)
//!     loop match report.reading(&seen(order, charge)) {
//!         Fetch(lookup) => match client.fetch(lookup)? { Some(found) => report = found, None => return wait },
//!         Unclear(why) => return wait(why),
//!         Says(said) => break,
//!     }
//!     put(said.refs); commit(said.facts) if the version is still order.version, else again
//! }
//! ```
//!
//! Nothing is written by any of it, so it may die and begin anew anywhere. A report that is settled twice, late or in
//! another order changes nothing, since its facts are joined.

use core::time::Duration;

use super::order::fact::{Facts, OrderFact};
use super::order::terms::OrderTerms;

/// Something at a provider that has to be read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// Stripe: a Checkout Session with its payment, charge and invoice.
    Session(String),
    /// Stripe: a payment intent.
    Intent(String),
    /// Stripe: the invoice that a payment intent pays.
    InvoiceOfIntent(String),
    /// Stripe: a charge.
    Charge(String),
    /// Stripe: a subscription.
    Subscription(String),
    /// Stripe: a dispute.
    Dispute(String),
    /// NOWPayments: a deposit to the address of another payment, with what that address was made for.
    Deposit {
        /// The payment.
        payment: String,
        /// The payment to whose address it came.
        parent: String,
    },
}

/// Where a report belongs, by its own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Whether it is of live mode or of test mode; absent if the provider does not say.
    pub is_live: Option<bool>,
    /// The order, if it is named by our own id.
    pub order: Option<String>,
    /// Objects whose references may tell the order, to be looked up in this order.
    pub refs: Vec<String>,
    /// The key of the charge that the report is of, if it tells. A refund, a dispute and a warning mostly do not: theirs is
    /// that of the reference, or of what was read upwards.
    pub charge: Option<String>,
    /// What to read at the provider if none of these told the order.
    pub upwards: Option<Lookup>,
}

/// The order as it was read, and what of the event is not in its body.
#[derive(Clone, Copy, Debug)]
pub struct OrderSeen<'a> {
    /// What was agreed at checkout.
    pub terms: &'a OrderTerms,
    /// What is known of it.
    pub facts: &'a Facts,
    /// Its version: the number of what is read after it.
    pub version: u64,
    /// The object at the provider at which the buyer pays, if it is stored: the session, the invoice.
    pub checkout: Option<&'a str>,
    /// When it expires, in seconds since the Unix epoch.
    pub expires_at: i64,
    /// The key of the charge that the search for the order found.
    pub charge: Option<&'a str>,
    /// When the event was first stored, in seconds since the Unix epoch: the date of what the provider does not date.
    pub stored_at: i64,
}

/// What a report says of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// This, or nothing that counts.
    Says(Said),
    /// It can't be told before this is read.
    Fetch(Lookup),
    /// It can't be told yet, or not by this version of the program: for a sentence in the log. Nothing in it is of the body.
    Unclear(&'static str),
}

/// What a report says, in the order's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Facts.
    pub facts: Vec<OrderFact>,
    /// Objects that are this order's from now on, to be stored before the facts.
    pub refs: Vec<PaymentRef>,
    /// What the buyer has to hear beyond the order's state.
    pub notice: Option<PaymentNotice>,
}

/// An object at the provider that is an order's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PaymentRef {
    /// The object's id.
    pub id: String,
    /// The key of the charge that it is of.
    pub charge: Option<String>,
}

/// A renewal that the buyer has to see to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentNotice {
    /// The invoice.
    pub invoice: String,
    /// Which try it was. One message is sent per invoice and try.
    pub attempt: u64,
    /// The provider's page on which it can be paid.
    pub page: Option<String>,
    /// Whether the bank wants to hear from the buyer; else the payment failed.
    pub needs_action: bool,
    /// When it is tried again, in seconds since the Unix epoch; absent: never.
    pub next_at: Option<i64>,
}

/// An event or an object of a provider.
pub trait PaymentReport {
    /// The provider, as an order's terms name it. An order of another one is never touched.
    fn provider(&self) -> &'static str;

    /// Where it belongs.
    fn named(&self) -> Named;

    /// What it says of the order.
    fn reading(&self, order: &OrderSeen<'_>) -> Reading;
}

/// What a call to a provider that failed means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentFault {
    /// It surely did nothing, and may be made again.
    NotSent,
    /// It surely did nothing, and may be made again after a while: the provider's own, if it says one.
    Wait(Option<Duration>),
    /// It may have been done. The same bytes under the same key do no harm, where the provider knows keys.
    Unknown,
    /// The provider answered that it failed by itself, and it may have been done all the same. Where the provider knows keys,
    /// the same key gives the same answer again: look, then make another attempt.
    Failed,
    /// It was refused, and did nothing.
    Refused,
    /// The key is wrong or lacks a right, and it did nothing: no fault of this call's, and a person must act.
    Key,
}

impl PaymentFault {
    /// Whether it may have been done.
    #[must_use]
    pub const fn may_be_done(self) -> bool {
        matches!(self, Self::Unknown | Self::Failed)
    }
}
