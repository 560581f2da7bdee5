//! What shows that the invariants hold: the real handlers with the real clients, on one thread, in time that stands still
//! while anything can run.
//!
//! [`world`] is that world, [`wire`] what every call in it passes, [`logs`] what it logs, [`invariants`] what must hold in
//! the end. [`crash`] lets every caller die at every call, [`processes`] does so to real processes.
//! [`rate_limit`] measures how much of Telegram's limit is used. [`seat`] and [`fold`] fold
//! entitlements and orders for comparison with others.

mod allowed;
pub mod bench;
mod books;
mod claims;
mod consistency;
pub mod crash;
pub mod durability;
pub mod fairness;
pub mod fold;
mod freeze;
pub mod invariants;
mod lines;
pub mod logs;
pub mod orders;
pub mod plot;
pub mod processes;
mod providers;
pub mod rate_limit;
pub mod replay;
pub mod report;
pub mod sale;
pub mod scenarios;
pub mod seat;
pub mod seeds;
mod taken;
pub mod wire;
pub mod workers;
pub mod world;
