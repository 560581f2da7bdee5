//! What SQS refuses, in its two spellings: the type of the JSON protocol and the older code in `x-amzn-query-error`.

use http::StatusCode;
use serde_json::{Value, json};

use crate::aws::response::AwsResponse;

/// A refusal, or a failure of the store.
#[derive(Debug)]
pub(crate) struct SqsError {
    kind: &'static str,
    code: &'static str,
    message: String,
    is_ours: bool,
}

impl SqsError {
    fn refusal(kind: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code,
            message: message.into(),
            is_ours: false,
        }
    }

    /// A value out of its range, or otherwise not allowed.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::refusal(
            "com.amazon.coral.service#InvalidParameterValueException",
            "InvalidParameterValue",
            message,
        )
    }

    /// A value of a parameter, with the reason against it.
    pub(crate) fn invalid_value(value: &str, parameter: &str, reason: &str) -> Self {
        Self::invalid(format!(
            "Value {value} for parameter {parameter} is invalid. Reason: {reason}"
        ))
    }

    pub(crate) fn missing(parameter: &str) -> Self {
        Self::refusal(
            "com.amazon.coral.service#MissingRequiredParameterException",
            "MissingParameter",
            format!("The request must contain the parameter {parameter}."),
        )
    }

    /// A JSON value of the wrong type.
    pub(crate) fn mistyped(message: impl Into<String>) -> Self {
        Self::refusal(
            "com.amazon.coral.service#SerializationException",
            "MalformedInput",
            message,
        )
    }

    pub(crate) fn no_queue() -> Self {
        Self::refusal(
            "com.amazonaws.sqs#QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue",
            "The specified queue does not exist.",
        )
    }

    pub(crate) fn queue_name_exists(attribute: &str) -> Self {
        Self::refusal(
            "com.amazonaws.sqs#QueueNameExists",
            "QueueAlreadyExists",
            format!(
                "A queue already exists with the same name and a different value for attribute {attribute}"
            ),
        )
    }

    pub(crate) fn unknown_attribute(name: &str) -> Self {
        Self::refusal(
            "com.amazonaws.sqs#InvalidAttributeName",
            "InvalidAttributeName",
            format!("Unknown Attribute {name}."),
        )
    }

    pub(crate) fn attribute_value(name: &str) -> Self {
        Self::refusal(
            "com.amazonaws.sqs#InvalidAttributeValue",
            "InvalidAttributeValue",
            format!("Invalid value for the parameter {name}."),
        )
    }

    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::refusal(
            "com.amazonaws.sqs#UnsupportedOperation",
            "AWS.SimpleQueueService.UnsupportedOperation",
            message,
        )
    }

    pub(crate) fn no_resource(message: impl Into<String>) -> Self {
        Self::refusal(
            "com.amazonaws.sqs#ResourceNotFoundException",
            "ResourceNotFoundException",
            message,
        )
    }

    pub(crate) fn message_contents(character: char) -> Self {
        Self::refusal(
            "com.amazonaws.sqs#InvalidMessageContents",
            "InvalidMessageContents",
            format!(
                "Invalid binary character '#x{:X}' was found in the message body, the set of allowed characters is \
                 #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
                u32::from(character)
            ),
        )
    }

    pub(crate) fn receipt_handle(handle: &str) -> Self {
        let shown: String = handle.chars().take(120).collect();
        Self::refusal(
            "com.amazonaws.sqs#ReceiptHandleIsInvalid",
            "ReceiptHandleIsInvalid",
            format!("The input receipt handle \"{shown}\" is not a valid receipt handle."),
        )
    }

    pub(crate) fn not_in_flight() -> Self {
        Self::refusal(
            "com.amazonaws.sqs#MessageNotInflight",
            "AWS.SimpleQueueService.MessageNotInflight",
            "The specified message isn't in flight.",
        )
    }

    pub(crate) fn purge_in_progress(queue: &str) -> Self {
        Self::refusal(
            "com.amazonaws.sqs#PurgeQueueInProgress",
            "AWS.SimpleQueueService.PurgeQueueInProgress",
            format!("Only one PurgeQueue operation on {queue} is allowed every 60 seconds."),
        )
    }

    pub(crate) fn empty_batch(entry: &str) -> Self {
        Self::refusal(
            "com.amazonaws.sqs#EmptyBatchRequest",
            "AWS.SimpleQueueService.EmptyBatchRequest",
            format!("There should be at least one {entry} in the request."),
        )
    }

    pub(crate) fn too_many_entries(entries: usize) -> Self {
        Self::refusal(
            "com.amazonaws.sqs#TooManyEntriesInBatchRequest",
            "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            format!("Maximum number of entries per request are 10. You have sent {entries}."),
        )
    }

    pub(crate) fn entry_id() -> Self {
        Self::refusal(
            "com.amazonaws.sqs#InvalidBatchEntryId",
            "AWS.SimpleQueueService.InvalidBatchEntryId",
            "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 \
             letters long.",
        )
    }

    pub(crate) fn entry_id_repeated(id: &str) -> Self {
        Self::refusal(
            "com.amazonaws.sqs#BatchEntryIdsNotDistinct",
            "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
            format!("Id {id} repeated."),
        )
    }

    pub(crate) fn batch_too_long(bytes: usize, limit: usize) -> Self {
        Self::refusal(
            "com.amazonaws.sqs#BatchRequestTooLong",
            "AWS.SimpleQueueService.BatchRequestTooLong",
            format!(
                "Batch requests cannot be longer than {limit} bytes. You have sent {bytes} bytes."
            ),
        )
    }

    pub(crate) fn throttled() -> Self {
        Self::refusal(
            "com.amazonaws.sqs#RequestThrottled",
            "RequestThrottled",
            "Request is throttled.",
        )
    }

    pub(crate) fn internal() -> Self {
        Self {
            kind: "com.amazon.coral.service#InternalFailure",
            code: "InternalFailure",
            message: "We encountered an internal error. Please try again.".to_owned(),
            is_ours: true,
        }
    }

    fn side(&self) -> &'static str {
        if self.is_ours { "Receiver" } else { "Sender" }
    }

    /// As the entry of a batch that failed.
    pub(crate) fn into_entry(self, id: &str) -> Value {
        json!({"Id": id, "SenderFault": !self.is_ours, "Code": self.code, "Message": self.message})
    }

    pub(crate) fn into_answer(self) -> AwsResponse {
        let status = if self.is_ours {
            StatusCode::INTERNAL_SERVER_ERROR
        } else {
            StatusCode::BAD_REQUEST
        };
        let mut answer = AwsResponse::json(
            status,
            &json!({"__type": self.kind, "message": self.message}),
        );
        answer.query_error = Some(format!("{};{}", self.code, self.side()));
        answer
    }
}

impl From<rusqlite::Error> for SqsError {
    fn from(error: rusqlite::Error) -> Self {
        tracing::error!(%error, "the queues failed");
        Self::internal()
    }
}
