//! API keys: secret ones, and restricted ones with their rights.

use std::collections::{BTreeSet, HashMap};

use super::refusal::StripeRefusal;

/// The account of all keys.
pub(super) const ACCOUNT: &str = "acct_1AdmitOneSimulated";

#[derive(Debug, Default)]
pub(super) struct ApiKeys(HashMap<String, ApiKey>);

#[derive(Clone, Debug)]
struct ApiKey {
    /// Absent: a secret key, which may do all.
    rights: Option<BTreeSet<String>>,
}

impl ApiKeys {
    pub(super) fn add(&mut self, key: &str, rights: Option<BTreeSet<String>>) {
        self.0.insert(key.to_owned(), ApiKey { rights });
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.0.remove(key);
    }

    /// The key of a header `Authorization`, if it is known.
    pub(super) fn check(&self, authorization: Option<&str>) -> Result<String, StripeRefusal> {
        let unauthorized = |message: String| {
            StripeRefusal::new(401, "invalid_request_error", message).validation()
        };
        let key = authorization
            .and_then(|value| value.strip_prefix("Bearer "))
            .map(str::trim);
        let Some(key) = key.filter(|key| !key.is_empty()) else {
            return Err(unauthorized(
                "You did not provide an API key. You need to provide your API key in the Authorization header, using \
                 Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication \
                 for details, or we can help at https://support.stripe.com/."
                    .to_owned(),
            ));
        };
        if self.0.contains_key(key) {
            Ok(key.to_owned())
        } else {
            Err(unauthorized(format!(
                "Invalid API Key provided: {}",
                masked(key)
            )))
        }
    }

    /// If the key may do what `right` names; the right to write includes reading.
    pub(super) fn allow(&self, key: &str, right: &str) -> Result<(), StripeRefusal> {
        let Some(rights) = self.0.get(key).and_then(|key| key.rights.as_ref()) else {
            return Ok(());
        };
        let has = |right: &str| rights.contains(right);
        let writes = right
            .strip_suffix("_read")
            .is_some_and(|name| has(&format!("{name}_write")));
        if has(right) || writes {
            return Ok(());
        }
        let message = format!(
            "The provided key '{}' does not have the required permissions for this endpoint on account '{ACCOUNT}'. Having \
             the 'rak_{right}' permission would allow this request to continue.",
            masked(key)
        );
        Err(StripeRefusal::new(403, "invalid_request_error", message).validation())
    }
}

/// If the key is of live mode.
pub(super) fn is_live(key: &str) -> bool {
    key.contains("_live_")
}

fn masked(key: &str) -> String {
    let count = key.chars().count();
    let (kept, shown) = (count.min(8), count.saturating_sub(8).min(4));
    let start: String = key.chars().take(kept).collect();
    let end: String = key.chars().skip(count - shown).collect();
    format!("{start}{}{end}", "*".repeat(count - kept - shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_to_write_includes_reading() {
        let mut keys = ApiKeys::default();
        let rights = ["refund_write".to_owned(), "charge_read".to_owned()];
        keys.add("rk_test_1", Some(rights.into()));
        for (right, is_allowed) in [
            ("refund_write", true),
            ("refund_read", true),
            ("charge_read", true),
            ("charge_write", false),
        ] {
            assert_eq!(
                keys.allow("rk_test_1", right).is_ok(),
                is_allowed,
                "{right}"
            );
        }
    }

    #[test]
    fn a_key_is_told_masked() {
        assert_eq!(masked("sk_test_abcdef1234"), "sk_test_******1234");
        assert_eq!(masked("short"), "short");
    }
}
