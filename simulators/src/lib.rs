//! The world outside, for development and tests: AWS, Telegram, WebEngage, NOWPayments and Stripe at the wire, and the
//! Lambda runtime.
//!
//! Written from the services' own documentation, never from the product's types: this crate does not depend on
//! `common`, so that a misreading in the client can't hide behind the same misreading here.
//!
//! AWS, Telegram, WebEngage, NOWPayments and Stripe listen on a socket (`start`) or on none (`in_process`), where `call`
//! carries each request. Without sockets, by [`Clock::simulated`](clock::Clock::simulated) on a single-threaded runtime whose clock
//! is paused, a run takes no time and is the same for the same `fastrand::seed`: nothing here depends on the order of a
//! hash map or on which of two ready things is looked at first, and all lots are drawn from that generator.

// The literals of Stripe's largest objects.
#![recursion_limit = "256"]

pub mod aws;
pub mod clock;
pub mod lambda;
pub mod nowpayments;
mod random;
mod server;
mod socket;
pub mod stripe;
pub mod telegram;
mod transport;
pub mod webengage;

pub use socket::Reset;
