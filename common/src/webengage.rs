//! WebEngage's events API. It tells repeats of one `x-request-id` apart for 4 hours.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::config::Env;
use crate::domain::event::Event;
use crate::http;

/// Longest wait for an answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// A delivery that failed. What it says is fit for logs.
#[derive(Debug, thiserror::Error)]
pub enum WebEngageError {
    /// No answer; WebEngage may have taken the event, and will know it again.
    #[error("WebEngage did not answer")]
    NoAnswer(#[source] reqwest::Error),
    /// A limit was reached.
    #[error("WebEngage limits the rate")]
    RateLimited {
        /// Its `Retry-After`, if it sent one.
        after: Option<Duration>,
    },
    /// WebEngage is not well (or redirects, which it never does when it is).
    #[error("WebEngage answered HTTP {0}")]
    Down(u16),
    /// The event, the key or the licence is wrong: a person must act.
    #[error("WebEngage refused the event: HTTP {status} {}", hint(*.status))]
    Refused {
        /// The HTTP status.
        status: u16,
    },
}

/// What a person should look at.
const fn hint(status: u16) -> &'static str {
    match status {
        401 | 403 => "(check WEBENGAGE_API_KEY and its permissions)",
        404 => "(check WEBENGAGE_LICENSE_CODE, and WEBENGAGE_API_BASE for the data centre)",
        _ => "(the event's form)",
    }
}

/// What is to be done about a failed delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryFault {
    /// Deliver it again later; not before the time that was asked for, if any.
    Again(Option<Duration>),
    /// Delivering it again does not help until a person acts.
    Person,
}

impl WebEngageError {
    /// What is to be done about it.
    #[must_use]
    pub const fn fault(&self) -> DeliveryFault {
        match self {
            Self::NoAnswer(_) | Self::Down(_) => DeliveryFault::Again(None),
            Self::RateLimited { after } => DeliveryFault::Again(*after),
            Self::Refused { .. } => DeliveryFault::Person,
        }
    }
}

/// One WebEngage account.
#[derive(Clone)]
pub struct WebEngage {
    http: reqwest::Client,
    url: String,
    key: SecretString,
}

impl WebEngage {
    /// The account of `WEBENGAGE_LICENSE_CODE` and `WEBENGAGE_API_KEY`, at `WEBENGAGE_API_BASE`.
    pub fn from_env(env: &mut Env) -> Self {
        let base = env.base_url("WEBENGAGE_API_BASE", "https://api.webengage.com");
        let license = env.required("WEBENGAGE_LICENSE_CODE");
        if !license
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "~-_.".contains(c))
        {
            env.problem(
                "WEBENGAGE_LICENSE_CODE holds a character that no licence code has".to_owned(),
            );
        }
        let http = http::client(CALL_TIMEOUT).unwrap_or_else(|error| {
            env.problem(format!("no HTTP client: {error}"));
            reqwest::Client::default()
        });
        let url = format!("{base}/v1/accounts/{license}/events");
        Self {
            http,
            url,
            key: env.secret("WEBENGAGE_API_KEY"),
        }
    }

    /// Delivers an event. On return WebEngage has accepted it; delivered twice within 4 hours it is ingested once.
    ///
    /// # Errors
    /// [`WebEngageError`].
    pub async fn deliver(&self, event: &Event) -> Result<(), WebEngageError> {
        let call = self
            .http
            .post(&self.url)
            .bearer_auth(self.key.expose_secret())
            .header("x-request-id", &event.event_id);
        let answer = call.json(&event.webengage_body()).send().await;
        let answer = answer.map_err(|error| WebEngageError::NoAnswer(error.without_url()))?;
        let status = answer.status().as_u16();
        let after = answer
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.trim().parse().ok());
        // Reading to the end lets the connection be used again; the status has said all that counts.
        let _ = http::body(answer).await;
        match status {
            200..=299 => Ok(()),
            429 => Err(WebEngageError::RateLimited {
                after: after.map(Duration::from_secs),
            }),
            408 | 425 => Err(WebEngageError::Down(status)),
            400..=499 => Err(WebEngageError::Refused { status }),
            _ => Err(WebEngageError::Down(status)),
        }
    }
}
