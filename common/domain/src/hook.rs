//! Signed calls out: what happened is announced to the endpoints that an owner registered.
//!
//! ```text
//! announcement --(one row for each endpoint that wants its kind)--> WAITING --(2xx)--> DELIVERED
//!                                                                  |   ^
//!                                              (ten tries in 76 h) |   | (a replay)
//!                                                                  v   |
//!                                                                 PARKED
//! ```
//!
//! The form of the calls is that of Standard Webhooks (<https://www.standardwebhooks.com>). The id of an announcement is made
//! of its cause, never of the clock, so an effect that is repeated is the same delivery.

mod address;
mod announcement;
mod endpoint;
mod row;
mod secret;
mod target;

pub use address::is_public;
pub use announcement::{Announcement, HookKind};
pub use endpoint::{DisabledBy, Endpoint, EndpointId, KeptSecret, SECRET_OVERLAP, Subscription};
pub use row::{
    AfterHookTry, HookAnswer, HookEventId, HookState, HookTry, LEASE as HOOK_LEASE, ROW_KEPT,
    SHARDS as HOOK_SHARDS, TRIES_MAX, after_try, is_too_old,
};
pub use secret::HookSecret;
pub use target::{ExemptHosts, TargetRefusal, check_target};
