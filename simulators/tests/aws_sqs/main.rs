//! SQS as AWS has it, through the real SDK client.

#[path = "../aws_client/mod.rs"]
mod aws_client;

mod dead_letters;
mod move_tasks;
mod queues;
mod receive;
mod send;
mod settle;
