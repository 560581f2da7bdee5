//! A request as an operation gets it, and what the operation gives.

use serde_json::Value;

use super::refusal::StripeRefusal;

/// What an operation gives.
pub(super) type StripeResult = Result<Value, StripeRefusal>;

/// A request that was checked.
#[derive(Debug)]
pub(super) struct StripeAsk {
    /// The id in the path; empty if there is none.
    pub(super) id: String,
    /// The parameters with their documented types.
    pub(super) params: Value,
}
