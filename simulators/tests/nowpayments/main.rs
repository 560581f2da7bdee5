//! The simulated NOWPayments: invoices and payments, the page, notifications, payouts, faults.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod faults;
mod ipns;
mod payments;
mod payouts;
mod shop;
