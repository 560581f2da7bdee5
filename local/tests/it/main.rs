//! What a user would see, shown on the whole local stack at the wire: the real SDK clients against embedded AWS, and
//! simulated Telegram and WebEngage.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what a test relies on fails it; clippy knows only test functions themselves"
)]

mod abuse;
mod access;
mod actors;
mod bad_input;
mod claim_beside;
mod claim_links;
mod claim_page;
mod commands;
mod consistency;
mod copied_links_and_payments;
mod dead_connections;
mod deployment_checks;
mod endpoints;
mod link_pool;
mod messages;
mod metrics_and_traces;
mod moves;
mod one_dispatcher_per_chat;
mod one_payment_one_link;
mod operator;
mod orders;
mod personal_data;
mod phone;
mod poison_messages;
mod products;
mod quotes;
mod rate_limit;
mod real_telegram;
mod relay;
mod rotated_secrets;
mod secrets;
mod service_on_one_machine;
mod shop;
mod startup;
mod telegram_failures;
mod told_links;
mod update_kinds;
mod webengage_failures;
mod who_joined;
