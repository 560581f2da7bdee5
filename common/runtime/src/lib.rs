//! What every function runs on: its environment and secrets, the clients of AWS and HTTP, who may call it and what it is
//! answered, and what its logs, metrics and traces say.

pub mod auth;
pub mod aws;
pub mod body;
pub mod clock;
pub mod config;
pub mod gateway;
pub mod http;
pub mod lambda;
pub mod metrics;
pub mod outbound;
pub mod redaction;
pub mod response;
pub mod secrets;
pub mod settings;
pub mod telemetry;
pub mod trace;
pub mod transport;
pub mod view;
