//! What a user would see, shown on the whole bundle at the wire: the real SDK clients against embedded AWS, and
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
mod dispatch;
mod durability;
mod house;
mod incident;
mod joins;
mod link_pool;
mod machine;
mod marketing;
mod poison;
mod rate_limit;
mod real_mode;
mod secrets;
mod seen;
mod shop;
mod startup;
mod structure;
mod trouble;
