//! One answer of the AWS JSON protocol, before it is put on the wire.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

/// The content type of DynamoDB's and SQS's protocol.
pub(crate) const AMZ_JSON_1_0: &str = "application/x-amz-json-1.0";
/// The content type of Secrets Manager's protocol.
pub(crate) const AMZ_JSON_1_1: &str = "application/x-amz-json-1.1";

/// Status and body, and what the protocol adds in headers.
#[derive(Debug)]
pub(crate) struct AwsResponse {
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
    /// `x-amzn-query-error`, by which SQS tells its older error codes.
    pub(crate) query_error: Option<String>,
    /// DynamoDB adds the CRC-32 of its bodies.
    pub(crate) checksum: bool,
}

impl AwsResponse {
    pub(crate) fn ok(body: impl Into<Bytes>) -> Self {
        Self::new(StatusCode::OK, body)
    }

    pub(crate) fn new(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            content_type: AMZ_JSON_1_0,
            body: body.into(),
            query_error: None,
            checksum: false,
        }
    }

    pub(crate) fn json(status: StatusCode, body: &Value) -> Self {
        Self::new(status, body.to_string())
    }

    /// No such operation, or no target at all.
    pub(crate) fn unknown_operation() -> Self {
        Self::json(
            StatusCode::BAD_REQUEST,
            &json!({"__type": "com.amazon.coral.service#UnknownOperationException"}),
        )
    }

    /// The body is not a JSON object.
    pub(crate) fn unreadable() -> Self {
        Self::json(
            StatusCode::BAD_REQUEST,
            &json!({"__type": "com.amazon.coral.service#SerializationException"}),
        )
    }

    /// The body is larger than the service takes.
    pub(crate) fn too_large() -> Self {
        Self::json(
            StatusCode::PAYLOAD_TOO_LARGE,
            &json!({"__type": "com.amazon.coral.service#RequestEntityTooLargeException",
                    "message": "Request size exceeded the limit of the service."}),
        )
    }

    pub(crate) fn into_response(self) -> Response<Bytes> {
        let checksum = self.checksum.then(|| crc32fast::hash(&self.body));
        let length = self.body.len();
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(self.content_type),
        );
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        let id = crate::random::uuid();
        if let Ok(id) = HeaderValue::from_str(
            id.hyphenated()
                .encode_lower(&mut uuid::Uuid::encode_buffer()),
        ) {
            headers.insert("x-amzn-requestid", id);
        }
        if let Some(checksum) = checksum {
            headers.insert("x-amz-crc32", HeaderValue::from(checksum));
        }
        if let Some(code) = self.query_error
            && let Ok(code) = HeaderValue::from_str(&code)
        {
            headers.insert("x-amzn-query-error", code);
        }
        response
    }
}
