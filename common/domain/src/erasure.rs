//! How an erased person is known without being named: by an HMAC of their id, which only the deployment can make.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::id::{TelegramUserId, hex};
use super::text::list;

/// What keeps this apart from all else that is signed with the same keys.
const PURPOSE: &str = "erasure#";

/// The keys of marks, the secrets of the webhook. A mark is written with the first, and looked for with each.
#[derive(Clone)]
pub struct ErasureKeys(Vec<Hmac<Sha256>>);

impl fmt::Debug for ErasureKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErasureKeys(…)")
    }
}

impl ErasureKeys {
    /// Reads a comma-separated list, the newest first; none of an empty one.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let keys = list(text).filter_map(|key| Hmac::new_from_slice(key.as_bytes()).ok());
        Self(keys.collect())
    }

    /// The marks of a person, the one that is written first.
    pub fn marks(&self, person: TelegramUserId) -> impl Iterator<Item = PersonMark> {
        self.0.iter().map(move |key| {
            let signed = key.clone().chain_update(format!("{PURPOSE}{person}"));
            PersonMark(hex(&signed.finalize().into_bytes()))
        })
    }
}

/// What stands for an erased person: 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonMark(String);

impl PersonMark {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_of_its_person_and_key_and_found_after_a_rotation() {
        let marks = |keys: &str, person| {
            let keys = ErasureKeys::parse(keys);
            keys.marks(TelegramUserId(person)).collect::<Vec<_>>()
        };
        let written = marks("old-key", 7);
        assert_eq!(written[0].as_str().len(), 64);
        assert!(!written[0].as_str().contains("#7"));
        assert_ne!(written, marks("old-key", 8));
        assert_ne!(written, marks("new-key", 7));
        assert!(marks("new-key,old-key", 7).contains(&written[0]));
        assert!(marks("", 7).is_empty());
    }
}
