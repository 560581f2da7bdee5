//! Answers in the words of Telegram's Bot API, which libraries read.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

/// Why a call is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BotApiRefusal {
    /// The error code, which is the HTTP status as well.
    pub(crate) code: u16,
    /// What is wrong, in Telegram's manner.
    pub(crate) description: String,
    /// When the call may come again.
    pub(crate) retry_after: Option<Duration>,
    /// The id of the supergroup that the chat has become.
    pub(crate) migrated_to: Option<i64>,
}

impl BotApiRefusal {
    pub(crate) fn new(code: u16, description: impl Into<String>) -> Self {
        Self {
            code,
            description: description.into(),
            retry_after: None,
            migrated_to: None,
        }
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized")
    }

    pub(crate) fn unavailable() -> Self {
        Self::new(503, "Service Unavailable: try again in a few seconds")
    }

    pub(crate) fn too_large() -> Self {
        Self::new(413, "Request Entity Too Large")
    }

    /// Nothing may be sent for `wait`.
    pub(crate) fn too_many(wait: Duration) -> Self {
        let seconds = seconds(wait);
        Self {
            retry_after: Some(wait),
            ..Self::new(429, format!("Too Many Requests: retry after {seconds}"))
        }
    }

    pub(crate) fn answer(&self) -> Response<Bytes> {
        let mut body =
            json!({"ok": false, "error_code": self.code, "description": self.description});
        if let Some(wait) = self.retry_after {
            body["parameters"]["retry_after"] = seconds(wait).into();
        }
        if let Some(chat) = self.migrated_to {
            body["parameters"]["migrate_to_chat_id"] = chat.into();
        }
        let status = StatusCode::from_u16(self.code).unwrap_or(StatusCode::BAD_GATEWAY);
        let mut answer = written(status, body.to_string());
        if let Some(wait) = self.retry_after {
            let wait = HeaderValue::from(seconds(wait));
            answer.headers_mut().insert(RETRY_AFTER, wait);
        }
        answer
    }
}

/// Whole seconds, rounded up: who comes a fraction early comes in vain.
fn seconds(wait: Duration) -> u64 {
    wait.as_millis()
        .div_ceil(1000)
        .max(1)
        .try_into()
        .unwrap_or(u64::MAX)
}

/// What a call that was done answers.
#[derive(Debug, PartialEq)]
pub(crate) enum BotApiAnswer {
    /// A result.
    Result(Value),
    /// A result, as JSON.
    Written(String),
    /// That it was done, with a word about it.
    Done(&'static str),
    /// A file.
    File(Bytes),
}

impl BotApiAnswer {
    pub(crate) fn answer(self) -> Response<Bytes> {
        let body = match self {
            Self::Result(result) => json!({"ok": true, "result": result}).to_string(),
            Self::Written(result) => format!(r#"{{"ok":true,"result":{result}}}"#),
            Self::Done(word) => {
                json!({"ok": true, "result": true, "description": word}).to_string()
            }
            Self::File(bytes) => {
                let mut answer = Response::new(bytes);
                let headers = answer.headers_mut();
                let binary = HeaderValue::from_static("application/octet-stream");
                headers.insert(CONTENT_TYPE, binary);
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                return answer;
            }
        };
        written(StatusCode::OK, body)
    }
}

fn written(status: StatusCode, body: String) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    let json = HeaderValue::from_static("application/json");
    headers.insert(CONTENT_TYPE, json);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
