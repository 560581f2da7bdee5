//! What the functions share: the domain, which decides, and the adapters, which read and write.
//!
//! Adapters are concrete types over real clients whose base URL is configurable; tests run them against simulators at
//! the wire.

pub mod acting;
pub mod answer;
pub mod auth;
pub mod aws;
pub mod clock;
pub mod config;
pub mod domain;
pub mod gateway;
pub mod http;
pub mod lambda;
pub mod metrics;
pub mod queue;
pub mod redaction;
pub mod secrets;
pub mod store;
pub mod telegram;
pub mod telemetry;
pub mod trace;
pub mod view;
pub mod webengage;
