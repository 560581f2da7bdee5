//! NOWPayments: whether a notification of theirs (an IPN) is genuine, and what a payment that they report is worth to an
//! order.
//!
//! The signature stands in the header [`SIGNATURE_HEADER`]: the HMAC-SHA512, in hexadecimal, of the body's JSON with
//! sorted keys, keyed by the account's IPN secret (<https://documenter.getpostman.com/view/7907941/2s93JusNJt>). It is
//! made over numbers as JavaScript writes them, not over the bytes that came, so a body is read once, by
//! [`IpnBody::parse`], and amounts are taken from what was signed and from nothing else.
//!
//! A notification has no instant and no id of its own, and may be repeated for ever: it is a bell. What it says is
//! harmless twice, and in any order, because a charge only ever rises (`payment`).

mod amount;
mod body;
mod coin;
mod payment;
mod signature;
mod told;

pub use amount::CoinAmount;
pub use body::{BODY_MAX, BodyForm, IpnBody};
pub use payment::{
    CoinCharge, CoinPayment, CoinStatus, CoinTerms, DepositTime, OrderPrice, Unjudged,
};
pub use signature::{IpnRefusal, IpnSecrets, SIGNATURE_HEADER};
pub use told::CoinReport;

/// The name by which orders' terms know NOWPayments.
pub const PROVIDER: &str = "nowpayments";
