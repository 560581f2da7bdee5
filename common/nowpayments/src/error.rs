//! How a call of NOWPayments' API fails, by its structure.

use std::time::Duration;

use serde::Deserialize;

use domain::report::PaymentFault;
use runtime::http::Answer;
use runtime::secrets;
use runtime::transport::CallError;

/// The longest `Retry-After` that is believed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
/// The longest code that is kept, in bytes.
const CODE_MAX: usize = 100;

/// A call that failed. What it says is fit for logs.
#[derive(Debug, thiserror::Error)]
pub enum NowPaymentsError {
    /// No connection: NOWPayments never saw the call.
    #[error("NOWPayments can't be reached for {call}")]
    NotSent {
        /// The call.
        call: &'static str,
        /// The transport's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The connection broke or the time was over.
    #[error("NOWPayments did not answer {call}")]
    NoAnswer {
        /// The call.
        call: &'static str,
        /// The transport's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer is none of the API's.
    #[error("{call} was answered with HTTP {status}, but not by NOWPayments' API")]
    Garbled {
        /// The call.
        call: &'static str,
        /// The HTTP status.
        status: u16,
    },
    /// The API answered that it failed.
    #[error("NOWPayments failed at {call}: HTTP {status}")]
    Down {
        /// The call.
        call: &'static str,
        /// The HTTP status.
        status: u16,
    },
    /// A limit was reached.
    #[error("NOWPayments wants {call} later")]
    Wait {
        /// The call.
        call: &'static str,
        /// Its `Retry-After`, if it sent one.
        after: Option<Duration>,
    },
    /// NOWPayments refused.
    #[error("NOWPayments refused {call}: HTTP {status} {code}")]
    Refused {
        /// The call.
        call: &'static str,
        /// The HTTP status.
        status: u16,
        /// NOWPayments' word for programs.
        code: String,
    },
    /// The list of payments is behind the account's e-mail and password, which were not given.
    #[error("NOWPayments' list of payments needs the account's login")]
    NoLogin,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    code: String,
}

impl NowPaymentsError {
    /// What the failure means.
    #[must_use]
    pub const fn fault(&self) -> PaymentFault {
        match self {
            Self::NotSent { .. } => PaymentFault::NotSent,
            // No API of NOWPayments': NOWPAYMENTS_API_BASE leads elsewhere.
            Self::Garbled {
                status: 300..=499, ..
            } => PaymentFault::NotSent,
            Self::NoAnswer { .. } | Self::Garbled { .. } => PaymentFault::Unknown,
            Self::Down { .. } => PaymentFault::Failed,
            Self::Wait { after, .. } => PaymentFault::Wait(*after),
            Self::NoLogin
            | Self::Refused {
                status: 401 | 403, ..
            } => PaymentFault::Key,
            Self::Refused { .. } => PaymentFault::Refused,
        }
    }

    pub(crate) const fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
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
            (400..=499, Some(ErrorAnswer { mut code })) => {
                if matches!(status, 401 | 403) {
                    secrets::refused();
                }
                let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
                if code.len() > CODE_MAX || !code.bytes().all(is_sign) {
                    code.clear();
                }
                Self::Refused { call, status, code }
            }
            (_, Some(_)) => Self::Down { call, status },
        })
    }
}
