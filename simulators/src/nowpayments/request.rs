//! A call of the API, and its answer.

use serde_json::Value;

use super::js::Js;

/// One call.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) endpoint: &'static str,
    /// What stands for `{id}` in the path, or nothing.
    pub(super) id: String,
    pub(super) query: String,
    /// Null if there was none, or no JSON.
    pub(super) body: Value,
    pub(super) api_key: Option<String>,
    pub(super) token: Option<String>,
}

/// What a call is answered if it can be done.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Json(u16, Js),
    Text(&'static str),
}

pub(super) fn ok(body: Js) -> Answer {
    Answer::Json(200, body)
}
