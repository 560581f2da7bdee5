//! NOWPayments' money at the wire: invoices are made and paid at a simulated NOWPayments, whose notifications are verified
//! and read.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod failures;
mod invoices;
mod merchant;
