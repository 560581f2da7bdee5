//! The world outside, for development and tests: AWS, Telegram and WebEngage at the wire, and the Lambda runtime.
//!
//! Written from the services' own documentation, never from the product's types: this crate does not depend on
//! `common`, so that a misreading in the client can't hide behind the same misreading here.

pub mod aws;
pub mod clock;
pub mod lambda;
mod server;
mod socket;
pub mod telegram;
pub mod webengage;
