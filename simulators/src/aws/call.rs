//! A call of AWS, as it is seen on the wire.

use serde_json::Value;

/// An AWS service that this server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// DynamoDB.
    DynamoDb,
    /// SQS.
    Sqs,
    /// Secrets Manager.
    SecretsManager,
}

/// One call as it was seen on the wire.
#[derive(Clone, Debug)]
pub struct WireCall {
    /// Its place in the order of arrival, from 1.
    pub seq: u64,
    /// The service called.
    pub service: Service,
    /// The operation, as AWS spells it.
    pub operation: &'static str,
    /// The table, queue or secret that it names; the first table of a call that names several.
    pub table_or_queue: Option<String>,
    /// The body; `null` if it was not JSON.
    pub request: Value,
    /// The status answered; 0 while there is none, and for good if the connection was cut before the effect.
    pub status: u16,
    /// DynamoDB read units used, by DynamoDB's own count. Counted only while recording.
    pub read_units: f64,
    /// DynamoDB write units used, those of failed conditions included. Counted only while recording.
    pub write_units: f64,
    /// When it arrived, by the clock.
    pub at_ms: i64,
}
