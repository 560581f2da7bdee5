//! What a call that can't be done is answered. The codes that the documentation doesn't show are guesses that clients must
//! not build on; the statuses and the shape are documented.

use super::js::Js;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
        }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BAD_REQUEST", message)
    }

    pub(super) fn bad_payout(message: impl Into<String>) -> Self {
        Self::new(400, "BAD_CREATE_WITHDRAWAL_REQUEST", message)
    }

    pub(super) fn not_found(what: &str) -> Self {
        let code = format!("{}_NOT_FOUND", what.to_uppercase());
        Self::new(404, &code, format!("{what} not found"))
    }

    pub(super) fn js(&self) -> Js {
        Js::object([
            ("status", Js::Bool(false)),
            ("statusCode", Js::number(self.status)),
            ("code", Js::text(&self.code)),
            ("message", Js::text(&self.message)),
        ])
    }
}
