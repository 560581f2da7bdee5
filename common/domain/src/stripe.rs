//! Stripe: whether an event is genuine, which order it is about, and what it says of it.
//!
//! What Stripe sends is the JSON of an *event* with an *object* in it, in the shape of the API version of the endpoint, not
//! of ours; fields that were moved in 2025 are read at both places, and unknown words break nothing. An object that was
//! told in an event may be old. What only rises, an invoice that was paid and a refund, is taken from there. A session is
//! read anew with its payment; a subscription and a dispute, which go back and forth, after the order was read
//! ([`report`](super::report)).
//!
//! The key of a charge is the payment intent of a session, the session if there was nothing to pay, the invoice of a
//! subscription.

mod event;
mod facts;
mod object;
mod signature;
mod told;

pub use event::{BODY_MAX, EVENT_TYPES, EventHead};
pub use object::StripeObject;
pub use signature::{SIGNATURE_HEADER, SignatureRefusal, StripeSecrets, TOLERANCE_SEC};
pub use told::StripeReport;

/// The API version of our requests, which the webhook endpoint has too.
pub const API_VERSION: &str = "2026-10-28.endive";
/// The name by which orders' terms know Stripe.
pub const PROVIDER: &str = "stripe";
/// The metadata that names our order, on whatever carries it.
pub const ORDER_ID: &str = "order_id";
/// The metadata of a refund that names the charge of the order that it is of, by its key.
pub const CHARGE: &str = "charge";
/// The metadata of a refund that names it by our own id.
pub const REFUND_ID: &str = "refund_id";

#[cfg(test)]
mod tests;
