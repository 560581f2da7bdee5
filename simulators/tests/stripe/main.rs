//! The simulated Stripe at the wire: each answer and each event is checked against Stripe's OpenAPI document.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod catalog;
mod clients;
mod conforms;
mod disputes;
mod endpoints;
mod faults;
mod keys;
mod lists;
mod pages;
mod portal;
mod refunds;
mod sessions;
mod site;
mod subscriptions;
mod webhooks;
