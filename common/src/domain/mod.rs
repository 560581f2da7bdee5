//! What decides: records, a command and `now` in, a decision out.
//!
//! Nothing here waits, reads a clock, draws a random number or knows AWS, Lambda or HTTP; whoever calls passes in what
//! it read and carries out what is decided.

pub mod action;
pub mod event;
pub mod fault;
pub mod id;
pub mod invite;
pub mod job;
pub mod join;
pub mod open;
pub mod pace;
pub mod purchase;
pub mod retry;
pub mod stock;
pub mod time;
