//! Stripe's money at the wire: sessions are made and paid at a simulated Stripe, whose events are verified, and settled as
//! `domain::report` tells it.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod failures;
mod once;
mod setup;
mod shop;
mod subscriptions;
