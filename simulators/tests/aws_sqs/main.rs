//! SQS as AWS has it, through the real SDK client.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

#[path = "../aws_client/mod.rs"]
mod aws_client;

mod dead_letters;
mod move_tasks;
mod queues;
mod receive;
mod send;
mod settle;
