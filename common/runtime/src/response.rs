//! What callers over HTTP are answered: JSON, and errors with a stable code and one sentence.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use serde_json::json;

use domain::action::Refused;
use domain::purchase::Invalid;

/// After how many seconds a caller should try again when a service behind us is down.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// Why a call is not done. The codes are part of the contract; `docs/OPERATIONS.md` has a line for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The body is no JSON (object).
    InvalidJson,
    /// `userId` is missing or unusable.
    InvalidUserId,
    /// `transactionId` or `Idempotency-Key` is unusable.
    InvalidTransactionId,
    /// `chatId` is none of ours.
    UnknownChat,
    /// The id in the path is no request id.
    InvalidRequestId,
    /// No known key, or no known secret.
    Unauthorized,
    /// There is no such request, or no such route.
    NotFound,
    /// The route takes this method alone.
    MethodNotAllowed(&'static str),
    /// The transaction belongs to another user.
    TransactionConflict,
    /// The query asks for nothing, or for several things at once.
    InvalidQuery,
    /// A field of an operator's call is missing, unknown or out of bounds.
    InvalidParameter,
    /// The link is there: nothing is to be retried.
    AlreadyDone,
    /// There is no link yet that could be replaced.
    NotDone,
    /// Somebody joined: another link would be a second seat.
    AlreadyJoined,
    /// Another link took the place of the one that was named.
    LinkReplaced,
    /// The fact has not come true.
    NoSuchEvent,
    /// WebEngage has taken the event: there is nothing to be given up.
    AlreadyDelivered,
    /// The seat was taken back by its shop.
    Voided,
    /// The body is larger than is read.
    TooLarge,
    /// The function was called with another event than those of its gateway.
    UnsupportedEvent,
    /// A service behind us did not do its part; nothing is known to have been accepted.
    Unavailable,
}

impl Rejection {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::InvalidJson,
        Self::InvalidUserId,
        Self::InvalidTransactionId,
        Self::UnknownChat,
        Self::InvalidRequestId,
        Self::Unauthorized,
        Self::NotFound,
        Self::MethodNotAllowed("POST"),
        Self::TransactionConflict,
        Self::InvalidQuery,
        Self::InvalidParameter,
        Self::AlreadyDone,
        Self::NotDone,
        Self::AlreadyJoined,
        Self::LinkReplaced,
        Self::NoSuchEvent,
        Self::AlreadyDelivered,
        Self::Voided,
        Self::TooLarge,
        Self::UnsupportedEvent,
        Self::Unavailable,
    ];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.parts().1
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        self.parts().0
    }

    const fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::InvalidJson => (
                StatusCode::BAD_REQUEST,
                "invalid_json",
                "The body must be a JSON object in UTF-8.",
            ),
            Self::InvalidUserId => (
                StatusCode::BAD_REQUEST,
                "invalid_user_id",
                "userId must be a string that is filled in, or an integer below 2^53, of 1 to 100 characters.",
            ),
            Self::InvalidTransactionId => (
                StatusCode::BAD_REQUEST,
                "invalid_transaction_id",
                "transactionId and Idempotency-Key must be a string that is filled in, or an integer below 2^53, of at most 256 characters.",
            ),
            Self::UnknownChat => (
                StatusCode::BAD_REQUEST,
                "unknown_chat",
                "chatId must be one of the chats of TELEGRAM_CHAT_ID.",
            ),
            Self::InvalidRequestId => (
                StatusCode::BAD_REQUEST,
                "invalid_request_id",
                "The path must end in a requestId, which is a UUID.",
            ),
            Self::Unauthorized => (
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "Send a valid key as x-api-key or as a bearer token, or the webhook's secret token.",
            ),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "not_found",
                "There is no such request, or no such route.",
            ),
            Self::MethodNotAllowed(_) => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "The route takes the method of the header Allow alone.",
            ),
            Self::TransactionConflict => (
                StatusCode::CONFLICT,
                "transaction_conflict",
                "This transaction was already used for another userId; nothing was changed.",
            ),
            Self::InvalidQuery => (
                StatusCode::BAD_REQUEST,
                "invalid_query",
                "The query must name exactly one of requestId, transactionId, userId, link and status, each percent-encoded.",
            ),
            Self::InvalidParameter => (
                StatusCode::BAD_REQUEST,
                "invalid_parameter",
                "A field of the body or of the query is missing, of the wrong type or out of bounds.",
            ),
            Self::AlreadyDone => (
                StatusCode::CONFLICT,
                "already_done",
                "The request has its link; to get another one, re-issue it.",
            ),
            Self::NotDone => (
                StatusCode::CONFLICT,
                "not_done",
                "The request has no link that could be replaced: wait until it is DONE; if it is FAILED, an operator has to retry it.",
            ),
            Self::AlreadyJoined => (
                StatusCode::CONFLICT,
                "already_joined",
                "Somebody joined by the link and has the seat; remove that person from the chat in Telegram, and call again once they have left.",
            ),
            Self::LinkReplaced => (
                StatusCode::CONFLICT,
                "link_replaced",
                "Another link than the named one is there by now; nothing was changed.",
            ),
            Self::NoSuchEvent => (
                StatusCode::CONFLICT,
                "no_such_event",
                "This has not come true, so there is nothing to be told.",
            ),
            Self::AlreadyDelivered => (
                StatusCode::CONFLICT,
                "already_delivered",
                "WebEngage has taken this event, so there is nothing to be given up.",
            ),
            Self::Voided => (
                StatusCode::CONFLICT,
                "voided",
                "The request was voided, so its seat is gone for good; a new payment needs a transactionId of its own.",
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                "The body must not be larger than 64 KiB.",
            ),
            Self::UnsupportedEvent => (
                StatusCode::BAD_REQUEST,
                "unsupported_event",
                "This function takes calls of an HTTP API or a function URL, in the payload format 2.0.",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "A service behind this one did not answer; send the same request again in a few seconds.",
            ),
        }
    }

    /// The answer.
    #[must_use]
    pub fn answer(self) -> Response<Bytes> {
        let (status, code, sentence) = self.parts();
        let mut answer = json(
            status,
            &json!({"ok": false, "code": code, "error": sentence}),
        );
        if status.is_server_error() {
            answer
                .headers_mut()
                .insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
        }
        if let Self::MethodNotAllowed(method) = self {
            answer
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static(method));
        }
        if status == StatusCode::UNAUTHORIZED {
            answer
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        answer
    }
}

impl From<Refused> for Rejection {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::AlreadyDone => Self::AlreadyDone,
            Refused::NotDone => Self::NotDone,
            Refused::AlreadyJoined => Self::AlreadyJoined,
            Refused::Replaced => Self::LinkReplaced,
            Refused::NoSuchEvent => Self::NoSuchEvent,
            Refused::AlreadyDelivered => Self::AlreadyDelivered,
            Refused::Voided => Self::Voided,
        }
    }
}

impl From<Invalid> for Rejection {
    fn from(invalid: Invalid) -> Self {
        match invalid {
            Invalid::Json => Self::InvalidJson,
            Invalid::UserId => Self::InvalidUserId,
            Invalid::TransactionId => Self::InvalidTransactionId,
            Invalid::Chat => Self::UnknownChat,
        }
    }
}

/// A JSON answer, never to be cached: it may hold a link.
#[must_use]
pub fn json(status: StatusCode, body: &impl Serialize) -> Response<Bytes> {
    let mut answer = Response::new(
        serde_json::to_vec(body)
            .map(Bytes::from)
            .unwrap_or_default(),
    );
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
