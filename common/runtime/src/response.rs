//! What callers over HTTP are answered: JSON, and errors with a stable code and one sentence.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use serde_json::json;

use domain::actor::ActorRejection;
use domain::id::InvalidRequestId;
use domain::quote::{QuoteRejection, QuoteRejectionKind};
use domain::{action, purchase};

/// After how many seconds a caller should try again when a service behind us is down.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// Why a call is not done: what the rules of its aggregate refuse, or what is wrong with the call itself. The codes are part
/// of the contract; `docs/OPERATIONS.md` has a line for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The purchase is refused.
    Purchase(purchase::Rejection),
    /// The action on a request is refused.
    Action(action::Rejection),
    /// The actor is not made.
    Actor(ActorRejection),
    /// There is no price.
    Quote(QuoteRejectionKind),
    /// The product may not be sold like this.
    InvalidProduct,
    /// The product is of another version than the one that was named.
    ProductChanged,
    /// The id in the path is not a request's id.
    InvalidRequestId,
    /// The body is not a JSON object.
    InvalidJson,
    /// The query asks for nothing, or for several things at once.
    InvalidQuery,
    /// A field of the body or of the query is missing, unknown or out of bounds.
    InvalidParameter,
    /// The URL is not one that may be called.
    InvalidTarget,
    /// There are as many endpoints as there may be.
    TooManyEndpoints,
    /// The endpoint is disabled.
    EndpointDisabled,
    /// The `Idempotency-Key` was used for another order.
    IdempotencyConflict,
    /// The quote does not hold any more.
    QuoteExpired,
    /// There is none left of something limited.
    SoldOut,
    /// The case of an order is not there, or somebody decided it.
    CaseNotOpen,
    /// A refund is of more than is left, or of what a dispute has.
    RefundNotPossible,
    /// The order is neither open nor renews.
    NothingToCancel,
    /// The buyer has what they order, for good or as long as they pay.
    AlreadyOwned,
    /// The buyer has had the time that is free once a person.
    TrialUsed,
    /// So many orders of the buyer wait for their money.
    TooManyOpenOrders,
    /// More would be paid in coins than is allowed.
    LimitReached,
    /// The rules of payouts refuse it.
    PayoutRefused,
    /// The provider of payments can't take the order now.
    ProviderUnavailable,
    /// The body is larger than is read.
    TooLarge,
    /// No known key, or no known secret.
    Unauthorized,
    /// There is no such request, or no such route.
    NotFound,
    /// The route takes this method alone.
    MethodNotAllowed(&'static str),
    /// The caller asks more often than is answered; after how many seconds it is again.
    TooManyRequests(u64),
    /// The function was called with another event than those of its gateway.
    UnsupportedEvent,
    /// A service behind us did not do its part; nothing is known to have been accepted.
    Unavailable,
}

/// The rejections of calls that no aggregate knows.
const OF_CALLS: [Rejection; 28] = [
    Rejection::InvalidProduct,
    Rejection::ProductChanged,
    Rejection::InvalidRequestId,
    Rejection::InvalidJson,
    Rejection::InvalidQuery,
    Rejection::InvalidParameter,
    Rejection::InvalidTarget,
    Rejection::TooManyEndpoints,
    Rejection::EndpointDisabled,
    Rejection::IdempotencyConflict,
    Rejection::QuoteExpired,
    Rejection::SoldOut,
    Rejection::CaseNotOpen,
    Rejection::RefundNotPossible,
    Rejection::NothingToCancel,
    Rejection::AlreadyOwned,
    Rejection::TrialUsed,
    Rejection::TooManyOpenOrders,
    Rejection::LimitReached,
    Rejection::PayoutRefused,
    Rejection::ProviderUnavailable,
    Rejection::TooLarge,
    Rejection::Unauthorized,
    Rejection::NotFound,
    Rejection::MethodNotAllowed("POST"),
    Rejection::TooManyRequests(60),
    Rejection::UnsupportedEvent,
    Rejection::Unavailable,
];

impl Rejection {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        let of_purchases = purchase::Rejection::ALL.into_iter().map(Self::Purchase);
        let of_actions = action::Rejection::ALL.into_iter().map(Self::Action);
        let of_actors = ActorRejection::ALL.into_iter().map(Self::Actor);
        let of_quotes = QuoteRejectionKind::ALL.into_iter().map(Self::Quote);
        of_purchases
            .chain(of_actions)
            .chain(of_actors)
            .chain(of_quotes)
            .chain(OF_CALLS)
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Purchase(
                purchase::Rejection::TransactionConflict
                | purchase::Rejection::TelegramUserConflict,
            )
            | Self::Action(_)
            | Self::Actor(_)
            | Self::Quote(
                QuoteRejectionKind::NotForSale
                | QuoteRejectionKind::CurrencyNotOffered
                | QuoteRejectionKind::CouponNotValid
                | QuoteRejectionKind::NotPossibleWithProvider,
            )
            | Self::ProductChanged
            | Self::TooManyEndpoints
            | Self::EndpointDisabled
            | Self::IdempotencyConflict
            | Self::QuoteExpired
            | Self::SoldOut
            | Self::CaseNotOpen
            | Self::RefundNotPossible
            | Self::NothingToCancel
            | Self::AlreadyOwned
            | Self::TrialUsed
            | Self::TooManyOpenOrders
            | Self::PayoutRefused => StatusCode::CONFLICT,
            Self::LimitReached => StatusCode::FORBIDDEN,
            Self::Purchase(
                purchase::Rejection::InvalidUserId
                | purchase::Rejection::InvalidTransactionId
                | purchase::Rejection::UnknownChat
                | purchase::Rejection::InvalidTelegramUserId,
            )
            | Self::Quote(QuoteRejectionKind::InvalidMonths)
            | Self::InvalidProduct
            | Self::InvalidRequestId
            | Self::InvalidJson
            | Self::InvalidQuery
            | Self::InvalidParameter
            | Self::InvalidTarget
            | Self::UnsupportedEvent => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::NotFound | Self::Quote(QuoteRejectionKind::UnknownTier) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooManyRequests(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable
            | Self::ProviderUnavailable
            | Self::Quote(QuoteRejectionKind::RateUnavailable) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Purchase(rejection) => rejection.code(),
            Self::Action(rejection) => rejection.code(),
            Self::Actor(rejection) => rejection.code(),
            Self::Quote(rejection) => rejection.code(),
            Self::InvalidProduct => "invalid_product",
            Self::ProductChanged => "product_changed",
            Self::InvalidRequestId => InvalidRequestId::CODE,
            Self::InvalidJson => "invalid_json",
            Self::InvalidQuery => "invalid_query",
            Self::InvalidParameter => "invalid_parameter",
            Self::InvalidTarget => "invalid_target",
            Self::TooManyEndpoints => "too_many_endpoints",
            Self::EndpointDisabled => "endpoint_disabled",
            Self::IdempotencyConflict => "idempotency_conflict",
            Self::QuoteExpired => "quote_expired",
            Self::SoldOut => "sold_out",
            Self::CaseNotOpen => "case_not_open",
            Self::RefundNotPossible => "refund_not_possible",
            Self::NothingToCancel => "nothing_to_cancel",
            Self::AlreadyOwned => "already_owned",
            Self::TrialUsed => "trial_used",
            Self::TooManyOpenOrders => "too_many_open_orders",
            Self::LimitReached => "limit_reached",
            Self::PayoutRefused => "payout_refused",
            Self::ProviderUnavailable => "provider_unavailable",
            Self::TooLarge => "too_large",
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::TooManyRequests(_) => "too_many_requests",
            Self::UnsupportedEvent => "unsupported_event",
            Self::Unavailable => "unavailable",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::Purchase(rejection) => rejection.sentence(),
            Self::Action(rejection) => rejection.sentence(),
            Self::Actor(rejection) => rejection.sentence(),
            Self::Quote(rejection) => rejection.sentence(),
            Self::InvalidProduct => "The product may not be sold like this.",
            Self::ProductChanged => {
                "The product is of another version: read it, and send what you change with that version."
            }
            Self::InvalidRequestId => InvalidRequestId::SENTENCE,
            Self::InvalidJson => "The body must be a JSON object in UTF-8.",
            Self::InvalidQuery => {
                "The query must name exactly one of requestId, transactionId, userId, link and status, each percent-encoded."
            }
            Self::InvalidParameter => {
                "A field of the body or of the query is missing, of the wrong type or out of bounds."
            }
            Self::InvalidTarget => {
                "The URL must be https, on port 443 or 8443, without user, password or fragment, and not lead to an address within."
            }
            Self::TooManyEndpoints => "There are 20 endpoints, and no more are taken: delete one.",
            Self::IdempotencyConflict => {
                "This Idempotency-Key was used with another body: send the same one, or take a new key."
            }
            Self::CaseNotOpen => {
                "The order has no such case, or somebody decided it: look at the order."
            }
            Self::RefundNotPossible => "So much is not left of the charge, or a dispute has it.",
            Self::NothingToCancel => {
                "The order is neither open nor renews: look at its state and its facts."
            }
            Self::AlreadyOwned => "The buyer has this already.",
            Self::TrialUsed => "The buyer has had the trial: ask for a quote with trial false.",
            Self::TooManyOpenOrders => {
                "The buyer has as many orders as may wait for their money: pay one of them, or cancel it."
            }
            Self::LimitReached => "So much may not be paid in coins: take another provider.",
            Self::PayoutRefused => "The payout can't be made like this now: look at it.",
            Self::QuoteExpired => "The quote does not hold any more: ask for another one.",
            Self::SoldOut => "There is none left.",
            Self::ProviderUnavailable => {
                "The provider of payments can't take the order now: try again with the same Idempotency-Key."
            }
            Self::EndpointDisabled => "The endpoint is disabled: enable it first.",
            Self::TooLarge => "The body must not be larger than 64 KiB.",
            Self::Unauthorized => {
                "Send a valid key as x-api-key or as a bearer token, or the webhook's secret token."
            }
            Self::NotFound => "There is no such request, or no such route.",
            Self::MethodNotAllowed(_) => "The route takes the method of the header Allow alone.",
            Self::TooManyRequests(_) => {
                "You ask too often; ask again after as many seconds as Retry-After says."
            }
            Self::UnsupportedEvent => {
                "This function takes calls of an HTTP API or a function URL, in the payload format 2.0."
            }
            Self::Unavailable => {
                "A service behind this one did not answer; send the same request again in a few seconds."
            }
        }
    }

    /// The answer.
    #[must_use]
    pub fn answer(self) -> Response<Bytes> {
        self.answer_saying(self.sentence())
    }

    fn answer_saying(self, sentence: &str) -> Response<Bytes> {
        let status = self.status();
        let mut answer = json(
            status,
            &json!({"ok": false, "code": self.code(), "error": sentence}),
        );
        if status.is_server_error() {
            answer
                .headers_mut()
                .insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
        }
        if let Self::TooManyRequests(seconds) = self {
            let seconds = HeaderValue::from(seconds);
            answer.headers_mut().insert(RETRY_AFTER, seconds);
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

impl From<purchase::Rejection> for Rejection {
    fn from(rejection: purchase::Rejection) -> Self {
        Self::Purchase(rejection)
    }
}

impl From<action::Rejection> for Rejection {
    fn from(rejection: action::Rejection) -> Self {
        Self::Action(rejection)
    }
}

impl From<InvalidRequestId> for Rejection {
    fn from(InvalidRequestId: InvalidRequestId) -> Self {
        Self::InvalidRequestId
    }
}

/// A rejection with a sentence about the very call: which field it is, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rejection.
    pub rejection: Rejection,
    why: Option<String>,
    elsewhere: Option<Elsewhere>,
}

/// What can be done about a provider that can't take an order.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Elsewhere {
    providers: Vec<&'static str>,
    after: Option<Duration>,
}

impl Refusal {
    /// A rejection that says why.
    #[must_use]
    pub fn saying(rejection: Rejection, why: impl Into<String>) -> Self {
        Self {
            rejection,
            why: Some(why.into()),
            elsewhere: None,
        }
    }

    /// [`Rejection::ProviderUnavailable`], with the providers that can be paid instead, and after how long it makes sense to ask
    /// for the same again, if that is known.
    #[must_use]
    pub fn elsewhere(providers: Vec<&'static str>, after: Option<Duration>) -> Self {
        Self {
            elsewhere: Some(Elsewhere { providers, after }),
            ..Rejection::ProviderUnavailable.into()
        }
    }

    /// The answer.
    #[must_use]
    pub fn answer(&self) -> Response<Bytes> {
        if let Some(elsewhere) = &self.elsewhere {
            return self.answer_naming(elsewhere);
        }
        match &self.why {
            Some(why) => self.rejection.answer_saying(why),
            None => self.rejection.answer(),
        }
    }

    fn answer_naming(&self, elsewhere: &Elsewhere) -> Response<Bytes> {
        let (code, sentence) = (self.rejection.code(), self.rejection.sentence());
        let body = json!({
            "ok": false, "code": code, "error": sentence, "providers": elsewhere.providers,
        });
        let mut answer = json(self.rejection.status(), &body);
        // A part of a second is a whole one more.
        let seconds = |after: Duration| after.as_secs() + u64::from(after.subsec_nanos() > 0);
        let after = elsewhere.after.map(seconds).map(HeaderValue::from);
        answer
            .headers_mut()
            .insert(RETRY_AFTER, after.unwrap_or(RETRY_AFTER_SECONDS));
        answer
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self {
            rejection,
            why: None,
            elsewhere: None,
        }
    }
}

impl From<QuoteRejection> for Refusal {
    fn from(rejection: QuoteRejection) -> Self {
        Self::saying(Rejection::Quote(rejection.kind), rejection.why)
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn each_rejection_has_a_code_of_its_own_and_the_status_of_the_contract() {
        let statuses: BTreeMap<&str, u16> = Rejection::all()
            .map(|rejection| (rejection.code(), rejection.status().as_u16()))
            .collect();
        let expected = BTreeMap::from([
            ("actor_exists", 409),
            ("already_delivered", 409),
            ("already_done", 409),
            ("already_joined", 409),
            ("case_not_open", 409),
            ("refund_not_possible", 409),
            ("nothing_to_cancel", 409),
            ("already_owned", 409),
            ("trial_used", 409),
            ("too_many_open_orders", 409),
            ("limit_reached", 403),
            ("claim_link", 409),
            ("coupon_not_valid", 409),
            ("currency_not_offered", 409),
            ("endpoint_disabled", 409),
            ("idempotency_conflict", 409),
            ("provider_unavailable", 503),
            ("quote_expired", 409),
            ("sold_out", 409),
            ("payout_refused", 409),
            ("invalid_json", 400),
            ("invalid_months", 400),
            ("invalid_parameter", 400),
            ("invalid_product", 400),
            ("invalid_query", 400),
            ("invalid_request_id", 400),
            ("invalid_target", 400),
            ("invalid_telegram_user_id", 400),
            ("invalid_transaction_id", 400),
            ("invalid_user_id", 400),
            ("link_replaced", 409),
            ("method_not_allowed", 405),
            ("moved_too_often", 409),
            ("seat_ended", 409),
            ("no_claim_link", 409),
            ("no_such_event", 409),
            ("not_done", 409),
            ("not_for_sale", 409),
            ("not_found", 404),
            ("not_possible_with_provider", 409),
            ("product_changed", 409),
            ("rate_unavailable", 503),
            ("telegram_user_conflict", 409),
            ("too_large", 413),
            ("too_many_endpoints", 409),
            ("too_many_actors", 409),
            ("too_many_requests", 429),
            ("transaction_conflict", 409),
            ("unauthorized", 401),
            ("unavailable", 503),
            ("unknown_chat", 400),
            ("unknown_tier", 404),
            ("unsupported_event", 400),
            ("voided", 409),
        ]);
        assert_eq!(statuses, expected);
        assert_eq!(Rejection::all().count(), expected.len());
    }
}
