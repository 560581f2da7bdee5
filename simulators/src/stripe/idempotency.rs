//! Answers that are kept under the key that the caller gave with the request.
//!
//! What was kept is given again, a 5xx too, to the same request; another request under the key is refused, and so is one
//! while the first is still being carried out. A request that failed validation is not kept. After 24 hours a key is new.

use std::collections::HashMap;

use serde_json::Value;

use super::refusal::StripeRefusal;

const KEPT_MS: i64 = 24 * 3_600_000;
const LONGEST_KEY: usize = 255;

/// An answer as it was given.
#[derive(Clone, Debug)]
pub(super) struct KeptAnswer {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) request_id: String,
}

#[derive(Debug)]
struct KeptRequest {
    fingerprint: String,
    since_ms: i64,
    /// Absent while it is carried out.
    answer: Option<KeptAnswer>,
}

/// By mode and key.
#[derive(Debug, Default)]
pub(super) struct IdempotencyKeys(HashMap<(bool, String), KeptRequest>);

impl IdempotencyKeys {
    /// Takes the key for a request, or gives what was answered to it before.
    pub(super) fn begin(
        &mut self,
        livemode: bool,
        key: &str,
        fingerprint: &str,
        now_ms: i64,
    ) -> Result<Option<KeptAnswer>, StripeRefusal> {
        let refused = |status, message: String| {
            StripeRefusal::new(status, "idempotency_error", message).validation()
        };
        if key.is_empty() || key.len() > LONGEST_KEY {
            let message =
                format!("Idempotency keys must be between 1 and {LONGEST_KEY} characters long.");
            return Err(StripeRefusal::invalid(message).validation());
        }
        self.0.retain(|_, kept| now_ms - kept.since_ms < KEPT_MS);
        let place = (livemode, key.to_owned());
        if let Some(kept) = self.0.get(&place) {
            if kept.fingerprint != fingerprint {
                return Err(refused(
                    400,
                    format!(
                        "Keys for idempotent requests can only be used with the same parameters they were first used \
                         with. Try using a key other than '{key}' if you meant to execute a different request."
                    ),
                ));
            }
            return match &kept.answer {
                Some(answer) => Ok(Some(answer.clone())),
                None => Err(refused(
                    409,
                    format!(
                        "There is currently another in-progress request using this Idempotent Key (that probably means \
                         you submitted twice, and the other request is still going through): {key}. Please try again \
                         later."
                    ),
                )
                .code("idempotency_key_in_use")),
            };
        }
        let request = KeptRequest {
            fingerprint: fingerprint.to_owned(),
            since_ms: now_ms,
            answer: None,
        };
        self.0.insert(place, request);
        Ok(None)
    }

    /// Keeps the answer, or gives the key free.
    pub(super) fn end(&mut self, livemode: bool, key: &str, answer: Option<KeptAnswer>) {
        let place = (livemode, key.to_owned());
        match answer {
            None => {
                self.0.remove(&place);
            }
            answer => {
                if let Some(kept) = self.0.get_mut(&place) {
                    kept.answer = answer;
                }
            }
        }
    }
}
