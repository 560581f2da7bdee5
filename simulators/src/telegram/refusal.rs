//! The refusals of the Bot API: error code, description, parameters, and their body.

use serde_json::{Value, json};

/// `{"ok": false, ...}`, before it is rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The error code, which is the HTTP status too.
    pub code: u16,
    /// The description, with its prefix ("Bad Request: ", "Forbidden: " ...).
    pub description: String,
    /// `parameters.retry_after`, in seconds; also sent as the `Retry-After` header.
    pub retry_after: Option<u32>,
    /// `parameters.migrate_to_chat_id`.
    pub migrate_to_chat_id: Option<i64>,
}

impl Refusal {
    /// Any code with any description.
    #[must_use]
    pub fn new(code: u16, description: impl Into<String>) -> Self {
        Self {
            code,
            description: description.into(),
            retry_after: None,
            migrate_to_chat_id: None,
        }
    }

    /// 400, `Bad Request: ...`.
    #[must_use]
    pub fn bad_request(what: impl AsRef<str>) -> Self {
        Self::new(400, format!("Bad Request: {}", what.as_ref()))
    }

    /// 403, `Forbidden: ...`.
    #[must_use]
    pub fn forbidden(what: impl AsRef<str>) -> Self {
        Self::new(403, format!("Forbidden: {}", what.as_ref()))
    }

    /// 409, `Conflict: ...`.
    #[must_use]
    pub fn conflict(what: impl AsRef<str>) -> Self {
        Self::new(409, format!("Conflict: {}", what.as_ref()))
    }

    /// 401, a token that is unknown or revoked.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized")
    }

    /// 404, a path that is no method call.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(404, "Not Found")
    }

    /// 429 with `retry_after` seconds.
    #[must_use]
    pub fn too_many_requests(retry_after: u32) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(429, format!("Too Many Requests: retry after {retry_after}"))
        }
    }

    /// 400 for a basic group that became the supergroup `new_chat_id`.
    #[must_use]
    pub fn migrated(new_chat_id: i64) -> Self {
        Self {
            migrate_to_chat_id: Some(new_chat_id),
            ..Self::bad_request("group chat was upgraded to a supergroup chat")
        }
    }

    pub(crate) fn body(&self) -> Value {
        let mut body =
            json!({"ok": false, "error_code": self.code, "description": self.description});
        if let Some(seconds) = self.retry_after {
            body["parameters"]["retry_after"] = json!(seconds);
        }
        if let Some(chat_id) = self.migrate_to_chat_id {
            body["parameters"]["migrate_to_chat_id"] = json!(chat_id);
        }
        body
    }
}
