//! What a user would see, shown on the whole local stack at the wire: the real SDK clients against embedded AWS, and
//! simulated Telegram and WebEngage.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what a test relies on fails it; clippy knows only test functions themselves"
)]

mod abuse;
mod account;
mod admin;
mod bad_input;
mod chat_faults;
mod consistency;
mod dispatch;
mod incident;
mod joins;
mod link_pool;
mod machine;
mod marketing;
mod observability;
mod poison;
mod rate_limit;
mod real_mode;
mod secrets;
mod shop;
mod startup;
mod structure;
