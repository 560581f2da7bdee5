//! What decides: records, a command and `now` in, a decision out.
//!
//! Nothing here waits, reads a clock, draws a random number or knows AWS, Lambda or HTTP; whoever calls passes in what
//! it read and carries out what is decided.

pub mod action;
pub mod actor;
pub mod button;
pub mod claim;
pub mod claiming;
pub mod command;
pub mod delivery;
pub mod erasure;
pub mod event;
pub mod exact;
pub mod fault;
pub mod feed;
pub mod history;
pub mod hook;
pub mod id;
pub mod invite;
pub mod job;
pub mod join;
pub mod lanes;
pub mod lease;
pub mod limiter;
pub mod link_pool;
pub mod marked;
pub mod member;
pub mod message;
pub mod money;
pub mod nowpayments;
pub mod order;
pub mod ordering;
pub mod own;
pub mod payout;
pub mod person;
pub mod product;
pub mod purchase;
pub mod quote;
pub mod rebind;
pub mod relay;
pub mod reminder;
pub mod report;
pub mod retry;
pub mod stars;
pub mod stripe;
pub mod task;
pub mod text;
pub mod texts;
pub mod time;
pub mod update;
