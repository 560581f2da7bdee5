//! WebEngage's events API. It tells repeats of one `x-request-id` apart for 4 hours.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use domain::delivery::DeliveryFault;
use domain::event::Event;
use domain::text::without_mark;
use runtime::config::Env;
use runtime::http::Http;
use runtime::transport::CallError;
use runtime::{secrets, trace};

/// By which repeats of one event are known.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest wait for an answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest `Retry-After` that is believed: a longer one is a mistake of somebody in between.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// A delivery that failed. What it says is fit for logs.
#[derive(Debug, thiserror::Error)]
pub enum WebEngageError {
    /// No answer; WebEngage may have taken the event, and will know it again.
    #[error("WebEngage did not answer")]
    NoAnswer(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A limit was reached.
    #[error("WebEngage limits the rate")]
    RateLimited {
        /// Its `Retry-After`, if it sent one.
        after: Option<Duration>,
    },
    /// WebEngage is not well (or redirects, which it never does when it is).
    #[error("WebEngage answered HTTP {status}")]
    Down {
        /// The HTTP status.
        status: u16,
        /// Its `Retry-After`, if it sent one.
        after: Option<Duration>,
    },
    /// A success by its status, but not by its words: somebody in between has answered (a firewall's challenge, an error
    /// page with 200), or WebEngage takes it back.
    #[error("WebEngage answered HTTP {status}, but not that the event is queued")]
    NotTaken {
        /// The HTTP status.
        status: u16,
        /// Its `Retry-After`, if it sent one.
        after: Option<Duration>,
    },
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

impl WebEngageError {
    /// What is to be done about it.
    #[must_use]
    pub const fn fault(&self) -> DeliveryFault {
        match self {
            Self::NoAnswer(_) => DeliveryFault::Again(None),
            Self::RateLimited { after } => DeliveryFault::RateLimited(*after),
            Self::Down { after, .. } | Self::NotTaken { after, .. } => DeliveryFault::Again(*after),
            Self::Refused { .. } => DeliveryFault::Person,
        }
    }
}

/// One WebEngage account.
#[derive(Clone)]
pub struct WebEngage {
    http: Http,
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
        let url = format!("{base}/v1/accounts/{license}/events");
        let key = env.secret("WEBENGAGE_API_KEY");
        if HeaderValue::from_str(key.expose_secret()).is_err() {
            env.problem("WEBENGAGE_API_KEY holds a character that no header can carry".to_owned());
        }
        Self {
            http: Http::from_env(env),
            url,
            key,
        }
    }

    /// Delivers an event. On return WebEngage has said that it is queued; delivered twice within 4 hours it is ingested once.
    ///
    /// # Errors
    /// [`WebEngageError`].
    pub async fn deliver(&self, event: &Event) -> Result<(), WebEngageError> {
        let known_by = Some(event.event_id.as_str());
        self.post(known_by, &event.webengage_body()).await
    }

    /// Whether host, licence and key are right, and nothing else: an event without a user and a name is sent, which
    /// WebEngage refuses with 400 once it knows the caller. Nothing is ingested.
    ///
    /// # Errors
    /// [`WebEngageError`]: refused with 401 the key is wrong, with 404 the licence or the data centre.
    pub async fn check(&self) -> Result<(), WebEngageError> {
        match self.post(None, &json!({})).await {
            Err(WebEngageError::Refused { status: 400 | 422 }) => Ok(()),
            other => other,
        }
    }

    async fn post(&self, known_by: Option<&str>, body: &Value) -> Result<(), WebEngageError> {
        let mut headers = HeaderMap::new();
        let key = format!("Bearer {}", self.key.expose_secret());
        let key = Some((header::AUTHORIZATION, key.as_str()));
        for (name, value) in key.into_iter().chain(known_by.map(|id| (REQUEST_ID, id))) {
            // The key was checked at the start; an id that no header can carry only loses its own repeats.
            if let Ok(mut value) = HeaderValue::from_str(value) {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
        let body = body.to_string().into_bytes();
        let call = self.http.post_json(&self.url, headers, body, CALL_TIMEOUT);
        let answer = trace::call("WebEngage", "events", call, |answer| answer.status).await;
        let (status, after, words) = match answer {
            Ok(answer) => (answer.status, answer.retry_after(), Words::of(&answer.body)),
            // Longer than any answer of WebEngage's.
            Err(CallError::TooLarge { status }) => (status, None, Words::OfSomebodyElse),
            Err(CallError::NotSent(source) | CallError::NoAnswer(source)) => {
                return Err(WebEngageError::NoAnswer(source));
            }
        };
        let after = after.map(|seconds| Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
        if matches!(status, 401 | 404) {
            secrets::refused();
        }
        match status {
            200..=299 if words == Words::Queued => Ok(()),
            200..=299 => Err(WebEngageError::NotTaken { status, after }),
            429 => Err(WebEngageError::RateLimited { after }),
            408 | 425 => Err(WebEngageError::Down { status, after }),
            // WebEngage refuses keys by 401: this is a firewall before it.
            403 if words == Words::OfSomebodyElse => Err(WebEngageError::Down { status, after }),
            400..=499 => Err(WebEngageError::Refused { status }),
            _ => Err(WebEngageError::Down { status, after }),
        }
    }
}

/// What the body of an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Words {
    /// `{"response": {"status": "queued"}}`: the event is taken.
    Queued,
    /// The same form with another status.
    Other,
    /// Nothing of WebEngage's.
    OfSomebodyElse,
}

impl Words {
    fn of(body: &[u8]) -> Self {
        let answer: Option<Value> = serde_json::from_slice(without_mark(body)).ok();
        let status = answer
            .as_ref()
            .and_then(|answer| answer["response"]["status"].as_str());
        match status {
            Some(status) if status.eq_ignore_ascii_case("queued") => Self::Queued,
            Some(_) => Self::Other,
            None => Self::OfSomebodyElse,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_webengages_own_words_say_that_an_event_is_taken() {
        for (body, words) in [
            (r#"{"response":{"status":"queued"}}"#, Words::Queued),
            (
                "\u{feff}{\"response\": {\"status\": \"Queued\", \"x\": 1}}",
                Words::Queued,
            ),
            (
                r#"{"response":{"status":"error","message":"queued"}}"#,
                Words::Other,
            ),
            (r#"{"response":{"status":null}}"#, Words::OfSomebodyElse),
            (r#"{"status":"queued"}"#, Words::OfSomebodyElse),
            (
                r#"[{"response":{"status":"queued"}}]"#,
                Words::OfSomebodyElse,
            ),
            ("<html>queued</html>", Words::OfSomebodyElse),
            (r#"{"response":{"status":"queued"}"#, Words::OfSomebodyElse),
            ("", Words::OfSomebodyElse),
        ] {
            assert_eq!(Words::of(body.as_bytes()), words, "{body}");
        }
    }
}
