//! Whether a notification was signed with the account's IPN secret.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;

use super::body::{BODY_MAX, BodyForm, IpnBody};
use crate::text::list;

/// The header with the signature, 128 hexadecimal digits.
pub const SIGNATURE_HEADER: &str = "x-nowpayments-sig";
/// Bytes of a signature.
const SIGNATURE: usize = 64;

/// The IPN secrets of the account. All are accepted, so that they can be rotated.
pub struct IpnSecrets(Vec<Hmac<Sha512>>);

/// Why a notification is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IpnRefusal {
    /// It is longer than any of theirs.
    #[error("the body is longer than {BODY_MAX} bytes")]
    TooLong,
    /// It is not an object of JSON, or nests deeper than any of theirs.
    #[error("the body is not an object of JSON")]
    Unreadable,
    /// No secret signed it.
    #[error("the signature is not ours")]
    Unsigned,
}

impl IpnSecrets {
    /// Reads a comma-separated list; `None` if it is empty.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let macs = list(text).map(|secret| Hmac::new_from_slice(secret.as_bytes()).ok());
        let macs: Vec<_> = macs.collect::<Option<_>>()?;
        (!macs.is_empty()).then_some(Self(macs))
    }

    /// The body of a notification, if one of the secrets signed it in one of the forms. Signatures are compared in
    /// constant time.
    ///
    /// # Errors
    /// [`IpnRefusal`]
    pub fn verify(&self, body: &[u8], signature: &str) -> Result<IpnBody, IpnRefusal> {
        if body.len() > BODY_MAX {
            return Err(IpnRefusal::TooLong);
        }
        // Before the body is read, since reading costs more.
        let signature = bytes(signature).ok_or(IpnRefusal::Unsigned)?;
        let body = IpnBody::parse(body).ok_or(IpnRefusal::Unreadable)?;
        for form in [BodyForm::ListsAsObjects, BodyForm::ListsKept] {
            let text = body.canonical(form);
            let is_signed = |mac: &Hmac<Sha512>| {
                let mac = mac.clone().chain_update(&text);
                mac.verify_slice(&signature).is_ok()
            };
            if self.0.iter().any(is_signed) {
                return Ok(body);
            }
        }
        Err(IpnRefusal::Unsigned)
    }
}

impl fmt::Debug for IpnSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IpnSecrets")
    }
}

fn bytes(hexadecimal: &str) -> Option<[u8; SIGNATURE]> {
    let digits = hexadecimal.as_bytes();
    if digits.len() != 2 * SIGNATURE {
        return None;
    }
    let mut bytes = [0; SIGNATURE];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let digit = char::from(*digit).to_digit(16)?;
            *byte = (*byte << 4) | u8::try_from(digit).ok()?;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VECTORS: &str = include_str!("ipn-vectors.json");

    struct Vector {
        name: String,
        body: String,
        forms: [(BodyForm, String, String); 2],
        old: String,
    }

    fn vectors() -> Vec<Vector> {
        let file: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
        let vectors = file["vectors"].as_array().unwrap();
        vectors
            .iter()
            .map(|vector| {
                let text = |name: &str| vector[name].as_str().unwrap().to_owned();
                let form = |form, name: &str| {
                    let (canonical, signature) =
                        (format!("canonical_{name}"), format!("sig_{name}"));
                    (form, text(&canonical), text(&signature))
                };
                Vector {
                    name: text("name"),
                    body: text("body"),
                    forms: [
                        form(BodyForm::ListsAsObjects, "recursive"),
                        form(BodyForm::ListsKept, "recursive_arrays_kept"),
                    ],
                    old: text("sig_replacer_list"),
                }
            })
            .collect()
    }

    fn secrets() -> IpnSecrets {
        IpnSecrets::parse("another-secret, test-ipn-secret").unwrap()
    }

    #[test]
    fn every_vector_is_signed_in_both_forms_and_in_the_old_one_without_nested_objects() {
        let vectors = vectors();
        assert_eq!(vectors.len(), 5);
        for vector in vectors {
            let name = &vector.name;
            let parsed = IpnBody::parse(vector.body.as_bytes()).unwrap();
            for (form, canonical, signature) in &vector.forms {
                assert_eq!(&parsed.canonical(*form), canonical, "{name} {form:?}");
                let verified = secrets().verify(vector.body.as_bytes(), signature);
                assert_eq!(verified.as_ref(), Ok(&parsed), "{name} {form:?}");
                let capital = signature.to_uppercase();
                assert!(secrets().verify(vector.body.as_bytes(), &capital).is_ok());
            }
            let has_nested_object = vector.body.contains("\"fee\":{");
            let old = secrets().verify(vector.body.as_bytes(), &vector.old);
            assert_eq!(old.is_err(), has_nested_object, "{name}");
        }
    }

    #[test]
    fn one_changed_bit_of_the_signature_or_of_the_secret_is_refused() {
        for vector in vectors() {
            let (_, _, signature) = &vector.forms[0];
            let body = vector.body.as_bytes();
            let signed = bytes(signature).unwrap();
            for bit in 0..SIGNATURE * 8 {
                let mut changed = signed;
                changed[bit / 8] ^= 1 << (bit % 8);
                let changed: String = changed.iter().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!(secrets().verify(body, &changed), Err(IpnRefusal::Unsigned));
            }
            let other = IpnSecrets::parse("test-ipn-secreu").unwrap();
            assert_eq!(other.verify(body, signature), Err(IpnRefusal::Unsigned));
        }
    }

    #[test]
    fn a_changed_body_is_never_taken_for_another_one_that_was_signed() {
        for vector in vectors() {
            let (_, _, signature) = &vector.forms[0];
            let body = vector.body.into_bytes();
            let signed = IpnBody::parse(&body).unwrap();
            for index in 0..body.len() {
                for bit in 0..8 {
                    let mut changed = body.clone();
                    changed[index] ^= 1 << bit;
                    match secrets().verify(&changed, signature) {
                        // `1E-7` for `1e-7`, and the like: the same numbers in other words.
                        Ok(same) => assert_eq!(same, signed),
                        Err(refusal) => assert_ne!(refusal, IpnRefusal::TooLong),
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_no_signature_or_no_body_is_refused() {
        let secrets = secrets();
        for signature in ["", "0", &"0".repeat(127), &"g".repeat(128), &"é".repeat(64)] {
            assert_eq!(secrets.verify(b"{}", signature), Err(IpnRefusal::Unsigned));
        }
        let zeros = "0".repeat(128);
        assert_eq!(secrets.verify(b"[]", &zeros), Err(IpnRefusal::Unreadable));
        let long = vec![b' '; BODY_MAX + 1];
        assert_eq!(secrets.verify(&long, &zeros), Err(IpnRefusal::TooLong));
        assert!(IpnSecrets::parse(" , ").is_none());
        assert_eq!(format!("{secrets:?}"), "IpnSecrets");
    }
}
