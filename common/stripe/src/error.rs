//! How a call of Stripe's API fails, by its structure. No word of Stripe's is kept that may repeat what a buyer wrote.

use std::time::Duration;

use serde::Deserialize;

use domain::report::PaymentFault;
use runtime::http::Answer;
use runtime::secrets;
use runtime::transport::CallError;

/// The longest `Retry-After` that is believed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
/// The longest word of an error that is kept, in bytes.
const WORD_MAX: usize = 100;

/// A call that failed. What it says is fit for logs.
#[derive(Debug, thiserror::Error)]
pub enum StripeError {
    /// No connection: Stripe never saw the call.
    #[error("Stripe can't be reached for {call}")]
    NotSent {
        /// The call.
        call: &'static str,
        /// The transport's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The connection broke or the time was over.
    #[error("Stripe did not answer {call}")]
    NoAnswer {
        /// The call.
        call: &'static str,
        /// The transport's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer is none of the API's: somebody in between has answered.
    #[error("{call} was answered with HTTP {status}, but not by Stripe's API")]
    Garbled {
        /// The call.
        call: &'static str,
        /// The HTTP status.
        status: u16,
    },
    /// The API answered that it failed.
    #[error("Stripe failed at {call}: HTTP {status}")]
    Down {
        /// The call.
        call: &'static str,
        /// The HTTP status.
        status: u16,
    },
    /// A limit was reached, or the object or the key is in use just now.
    #[error("Stripe wants {call} later")]
    Wait {
        /// The call.
        call: &'static str,
        /// Its `Retry-After`, if it sent one.
        after: Option<Duration>,
    },
    /// Stripe refused.
    #[error("Stripe refused {call}: HTTP {status} {} {}{}", .why.kind, .why.code.as_deref().unwrap_or("without a code"), .why.place())]
    Refused {
        /// The call.
        call: &'static str,
        /// The HTTP status.
        status: u16,
        /// Why.
        why: Box<Why>,
    },
}

/// Why a call was refused, in Stripe's words for programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Why {
    /// `invalid_request_error`, `card_error`, ..
    pub kind: String,
    /// `resource_missing`, ..
    pub code: Option<String>,
    /// The parameter of ours that it is about.
    pub param: Option<String>,
    /// The right that the key lacks, such as `rak_refund_write`.
    pub right: Option<String>,
}

impl Why {
    fn place(&self) -> String {
        let place = |word: &str, of: &Option<String>| {
            let of = of.as_ref();
            of.map_or_else(String::new, |of| format!(", {word} {of}"))
        };
        format!(
            "{}{}",
            place("parameter", &self.param),
            place("the key lacks", &self.right)
        )
    }
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error: ErrorFields,
}

#[derive(Deserialize)]
struct ErrorFields {
    #[serde(rename = "type")]
    kind: String,
    code: Option<String>,
    param: Option<String>,
    message: Option<String>,
}

impl StripeError {
    /// What the failure means.
    #[must_use]
    pub const fn fault(&self) -> PaymentFault {
        match self {
            Self::NotSent { .. } => PaymentFault::NotSent,
            // No API of Stripe's: STRIPE_API_BASE leads elsewhere.
            Self::Garbled {
                status: 300..=499, ..
            } => PaymentFault::NotSent,
            Self::NoAnswer { .. } | Self::Garbled { .. } => PaymentFault::Unknown,
            Self::Down { .. } => PaymentFault::Failed,
            Self::Wait { after, .. } => PaymentFault::Wait(*after),
            Self::Refused {
                status: 401 | 403, ..
            } => PaymentFault::Key,
            Self::Refused { .. } => PaymentFault::Refused,
        }
    }

    /// Stripe's code for a refusal, such as `resource_missing`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { why, .. } => why.code.as_deref(),
            _ => None,
        }
    }

    /// Whether the key is known and lacks the right.
    #[must_use]
    pub const fn lacks_right(&self) -> bool {
        match self {
            Self::Refused {
                status: 401 | 403,
                why,
                ..
            } if why.right.is_some() => true,
            Self::Refused { status: 403, .. } => true,
            _ => false,
        }
    }

    /// Whether there is no such object.
    #[must_use]
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// A refund of what no payment intent paid.
    pub(crate) fn unpaid(call: &'static str) -> Self {
        let why = Why {
            code: Some("no_payment_intent".to_owned()),
            ..Why::default()
        };
        Self::Refused {
            call,
            status: 404,
            why: Box::new(why),
        }
    }

    pub(crate) fn of_transport(call: &'static str, error: CallError) -> Self {
        match error {
            CallError::NotSent(source) => Self::NotSent { call, source },
            CallError::NoAnswer(source) => Self::NoAnswer { call, source },
            CallError::TooLarge { status } => Self::Garbled { call, status },
        }
    }

    /// The failure that an answer tells; nothing if it is a success.
    pub(crate) fn of_answer(call: &'static str, answer: &Answer) -> Option<Self> {
        let status = answer.status;
        if (200..=299).contains(&status) {
            return None;
        }
        let after = answer.retry_after().map(Duration::from_secs);
        let after = after.map(|after| after.min(RETRY_AFTER_MAX));
        let told: Option<ErrorAnswer> = serde_json::from_slice(&answer.body).ok();
        Some(match (status, told) {
            (429, _) => Self::Wait { call, after },
            (_, None) => Self::Garbled { call, status },
            // Another request holds the key.
            (409, Some(_)) => Self::Wait { call, after },
            (400..=499, Some(told)) => {
                if status == 401 {
                    secrets::refused();
                }
                let why = Box::new(Why::of(told.error));
                Self::Refused { call, status, why }
            }
            (_, Some(_)) => Self::Down { call, status },
        })
    }
}

impl Why {
    fn of(error: ErrorFields) -> Self {
        let message = error.message.unwrap_or_default();
        let mut words = message.split(|sign: char| sign != '_' && !sign.is_ascii_lowercase());
        let right = words
            .find(|word| word.starts_with("rak_"))
            .map(str::to_owned);
        Self {
            kind: word(error.kind).unwrap_or_default(),
            code: error.code.and_then(word),
            param: error.param.and_then(word),
            right: right.and_then(word),
        }
    }
}

/// A word for programs: nothing that a person wrote.
fn word(text: String) -> Option<String> {
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"_[].".contains(&byte);
    (text.len() <= WORD_MAX && text.bytes().all(is_sign)).then_some(text)
}
