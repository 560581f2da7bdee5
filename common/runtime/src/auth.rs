//! Who may call. Comparisons take the same time however much of a guess is right.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use domain::text::list;

use crate::config::Env;

/// The header in which Telegram repeats the secret that the webhook was registered with, as it is.
pub const WEBHOOK_SECRET_HEADER: &str = "x-telegram-bot-api-secret-token";

/// The header of an operator's key.
pub const ADMIN_KEY_HEADER: &str = "x-admin-key";
/// The longest name of an operator.
const OPERATOR_MAX_CHARS: usize = 64;
/// The shortest key of an operator: one that can't be guessed has no fewer characters.
const OPERATOR_KEY_MIN: usize = 16;

/// Secrets that a caller may know. Only their digests are kept, so that a comparison leaks no length either.
pub struct Verifier {
    digests: Vec<[u8; 32]>,
}

impl Verifier {
    /// The keys of `API_KEYS`, comma-separated; all are valid, so that keys can be rotated.
    pub fn api_keys(env: &mut Env) -> Self {
        let keys = env.required("API_KEYS");
        Self::of_list(env, "API_KEYS", &keys)
    }

    /// The secrets of `TELEGRAM_WEBHOOK_SECRET`: one a bot, in the order of their tokens, separated by commas.
    pub fn webhook_secrets(env: &mut Env) -> Self {
        let secrets = env.required("TELEGRAM_WEBHOOK_SECRET");
        Self::of_list(env, "TELEGRAM_WEBHOOK_SECRET", &secrets)
    }

    fn of_list(env: &mut Env, name: &str, text: &str) -> Self {
        let digests: Vec<_> = list(text).map(digest).collect();
        if digests.is_empty() && !text.is_empty() {
            env.problem(format!("{name} holds nothing but commas"));
        }
        Self { digests }
    }

    /// Whether the caller knows a key, in `x-api-key` or as a bearer token.
    #[must_use]
    pub fn knows_api_key(&self, headers: &HeaderMap) -> bool {
        let key = headers.get("x-api-key").map(|value| value.as_bytes());
        let bearer = headers
            .get(AUTHORIZATION)
            .and_then(|value| bearer_token(value.as_bytes()));
        [key, bearer]
            .into_iter()
            .flatten()
            .any(|presented| self.accepts(presented))
    }

    /// Whether the caller is Telegram.
    #[must_use]
    pub fn knows_webhook_secret(&self, headers: &HeaderMap) -> bool {
        headers
            .get(WEBHOOK_SECRET_HEADER)
            .is_some_and(|presented| self.accepts(presented.as_bytes()))
    }

    fn accepts(&self, presented: &[u8]) -> bool {
        let presented = digest(presented);
        let accepted = self.digests.iter().fold(Choice::from(0), |found, known| {
            found | known.ct_eq(&presented)
        });
        accepted.into()
    }
}

/// Whether what a caller shows is this secret.
#[must_use]
pub fn is_same_secret(known: &str, presented: &str) -> bool {
    digest(known).ct_eq(&digest(presented)).into()
}

/// The operators: each key has a name, so that what was done is known by who did it.
pub struct Operators(Vec<Operator>);

struct Operator {
    name: String,
    digest: [u8; 32],
}

impl Operators {
    /// The keys of `ADMIN_KEYS`: `name:key` pairs, comma-separated. A name may have several keys, so that they can be
    /// rotated. A shop's key is none of them.
    pub fn from_env(env: &mut Env) -> Self {
        let text = env.required("ADMIN_KEYS");
        let pairs = list(&text).map(|pair| {
            let (name, key) = pair.split_once(':')?;
            let (name, key) = (name.trim(), key.trim());
            let is_name = (1..=OPERATOR_MAX_CHARS).contains(&name.len())
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "._-@".contains(c));
            let operator = Operator {
                name: name.to_owned(),
                digest: digest(key),
            };
            (is_name && key.len() >= OPERATOR_KEY_MIN).then_some(operator)
        });
        let operators: Option<Vec<Operator>> = pairs.collect();
        let operators = operators.unwrap_or_else(|| {
            env.problem(format!(
                "ADMIN_KEYS must be name:key pairs separated by commas: names of letters, digits and . _ - @, keys of at least {OPERATOR_KEY_MIN} characters"
            ));
            Vec::new()
        });
        if operators.is_empty() && !text.is_empty() {
            env.problem("ADMIN_KEYS holds no usable key".to_owned());
        }
        Self(operators)
    }

    /// Whose key the caller knows, in `x-admin-key` or as a bearer token. All keys are compared, whichever fits.
    #[must_use]
    pub fn who(&self, headers: &HeaderMap) -> Option<&str> {
        let key = headers.get(ADMIN_KEY_HEADER).map(|value| value.as_bytes());
        let bearer = headers
            .get(AUTHORIZATION)
            .and_then(|value| bearer_token(value.as_bytes()));
        let presented: Vec<[u8; 32]> = [key, bearer].into_iter().flatten().map(digest).collect();
        let found = self.0.iter().filter(|operator| {
            let knows = presented.iter().fold(Choice::from(0), |found, presented| {
                found | operator.digest.ct_eq(presented)
            });
            knows.into()
        });
        // To the end, whichever fits: how long it takes must not tell.
        found.fold(None, |_, operator| Some(operator.name.as_str()))
    }
}

fn digest(secret: impl AsRef<[u8]>) -> [u8; 32] {
    Sha256::digest(secret.as_ref()).into()
}

/// The token of `Bearer <token>`; the scheme's case is free (RFC 9110).
fn bearer_token(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(http::HeaderName::from_static(name), value.parse().unwrap())])
    }

    #[test]
    fn every_listed_key_opens_in_both_headers_and_nothing_else_does() {
        let keys = Verifier::api_keys(&mut Env::from_iter([("API_KEYS", "old, new,")]));
        for (name, value) in [
            ("x-api-key", "old"),
            ("x-api-key", "new"),
            ("authorization", "Bearer new"),
            ("authorization", "bearer  old"),
        ] {
            assert!(keys.knows_api_key(&headers(name, value)), "{name}: {value}");
        }
        for (name, value) in [
            ("x-api-key", ""),
            ("x-api-key", "ol"),
            ("x-api-key", "old, new"),
            ("x-api-key", "Bearer old"),
            ("authorization", "old"),
            ("authorization", "Basic old"),
            ("authorization", "Bearer "),
            ("authorization", "Bearer"),
            ("x-telegram-bot-api-secret-token", "old"),
        ] {
            assert!(
                !keys.knows_api_key(&headers(name, value)),
                "{name}: {value}"
            );
        }
    }

    #[test]
    fn an_unset_secret_is_a_problem_and_opens_nothing() {
        let mut env = Env::from_iter([("API_KEYS", " , ,")]);
        let keys = Verifier::api_keys(&mut env);
        let secret = Verifier::webhook_secrets(&mut env);
        assert_eq!(
            env.check().unwrap_err().to_string(),
            "the environment is incomplete: API_KEYS holds nothing but commas; TELEGRAM_WEBHOOK_SECRET is missing"
        );
        assert!(!keys.knows_api_key(&headers("x-api-key", "")));
        assert!(!secret.knows_webhook_secret(&headers(WEBHOOK_SECRET_HEADER, "")));
    }

    #[test]
    fn an_operator_is_known_by_the_key_and_by_nothing_else() {
        let keys = "ann:0123456789abcdef, bob@desk:fedcba9876543210,ann:second-key-of-ann";
        let operators = Operators::from_env(&mut Env::from_iter([("ADMIN_KEYS", keys)]));
        for (name, value, who) in [
            ("x-admin-key", "0123456789abcdef", "ann"),
            ("x-admin-key", "second-key-of-ann", "ann"),
            ("authorization", "Bearer fedcba9876543210", "bob@desk"),
        ] {
            assert_eq!(operators.who(&headers(name, value)), Some(who), "{value}");
        }
        for (name, value) in [
            ("x-admin-key", ""),
            ("x-admin-key", "ann"),
            ("x-admin-key", "ann:0123456789abcdef"),
            ("x-admin-key", "0123456789abcde"),
            ("x-api-key", "0123456789abcdef"),
            ("authorization", "Basic 0123456789abcdef"),
            ("authorization", "0123456789abcdef"),
        ] {
            assert_eq!(
                operators.who(&headers(name, value)),
                None,
                "{name}: {value}"
            );
        }
    }

    #[test]
    fn a_key_without_name_or_too_short_a_one_opens_nothing() {
        for keys in [
            "0123456789abcdef",
            "ann:short",
            ":0123456789abcdef",
            "a n:0123456789abcdef",
            ",",
        ] {
            let mut env = Env::from_iter([("ADMIN_KEYS", keys)]);
            let operators = Operators::from_env(&mut env);
            let report = env.check().unwrap_err().to_string();
            assert!(
                report.contains("ADMIN_KEYS") && !report.contains("0123"),
                "{report}"
            );
            assert_eq!(operators.who(&headers("x-admin-key", "")), None);
            let key = keys.rsplit(':').next().unwrap_or_default();
            assert_eq!(operators.who(&headers("x-admin-key", key)), None, "{keys}");
        }
    }
}
