//! Whether an event was signed with the endpoint's secret, and just now.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::text::list;

/// The header with the time and the signatures.
pub const SIGNATURE_HEADER: &str = "stripe-signature";
/// How far the time of a signature may be from ours, in seconds.
pub const TOLERANCE_SEC: u64 = 300;
/// The longest header in bytes: theirs has a signature for each secret, two while one is rotated.
const HEADER_MAX: usize = 4096;
/// Bytes of a signature.
const SIGNATURE: usize = 32;

/// The secrets of the endpoint. All are accepted, so that they can be rotated.
pub struct StripeSecrets(Vec<Hmac<Sha256>>);

/// Why an event is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureRefusal {
    /// The header is none of theirs.
    #[error("the header is no signature of Stripe's")]
    Malformed,
    /// No secret signed it.
    #[error("the signature is not ours")]
    Unsigned,
    /// It was signed, but too long ago, or one of the clocks is wrong.
    #[error("it was signed more than {TOLERANCE_SEC} seconds from now")]
    Stale,
}

impl StripeSecrets {
    /// Reads a comma-separated list; `None` if it is empty. The whole text of a secret is the key, `whsec_` and all.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let macs = list(text).map(|secret| Hmac::new_from_slice(secret.as_bytes()).ok());
        let macs: Vec<_> = macs.collect::<Option<_>>()?;
        (!macs.is_empty()).then_some(Self(macs))
    }

    /// Checks the raw body of an event at `now`, in seconds since the Unix epoch. One of the secrets must have made one of
    /// the signatures of the scheme `v1`; they are compared in constant time.
    ///
    /// # Errors
    /// [`SignatureRefusal`]
    pub fn verify(&self, body: &[u8], header: &str, now: i64) -> Result<(), SignatureRefusal> {
        let header = Header::parse(header).ok_or(SignatureRefusal::Malformed)?;
        let is_signed = self.0.iter().any(|mac| {
            let mac = mac.clone().chain_update(header.time).chain_update(b".");
            let mac = mac.chain_update(body);
            let made = |signature: &[u8; SIGNATURE]| mac.clone().verify_slice(signature).is_ok();
            header.signatures.iter().any(made)
        });
        if !is_signed {
            return Err(SignatureRefusal::Unsigned);
        }
        match now.abs_diff(header.at) {
            0..=TOLERANCE_SEC => Ok(()),
            _ => Err(SignatureRefusal::Stale),
        }
    }
}

impl fmt::Debug for StripeSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StripeSecrets")
    }
}

struct Header<'a> {
    /// As it is written, since that is signed.
    time: &'a str,
    at: i64,
    signatures: Vec<[u8; SIGNATURE]>,
}

impl<'a> Header<'a> {
    /// `t=<seconds>,v1=<hexadecimal>[,v1=…][,v0=…]`: other schemes are passed over, as is a signature that is none.
    fn parse(text: &'a str) -> Option<Self> {
        if text.len() > HEADER_MAX {
            return None;
        }
        let (mut time, mut signatures) = (None, Vec::new());
        for item in text.split(',') {
            match item.trim().split_once('=') {
                Some(("t", _)) if time.is_some() => return None,
                Some(("t", value)) => time = Some(value),
                Some(("v1", value)) => signatures.extend(bytes(value)),
                _ => {}
            }
        }
        let time = time.filter(|time| time.bytes().all(|byte| byte.is_ascii_digit()))?;
        Some(Self {
            time,
            at: time.parse().ok()?,
            signatures,
        })
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

    const NOW: i64 = 1_700_000_000;
    const BODY: &[u8] = br#"{"id":"evt_1"}"#;

    fn secrets(text: &str) -> StripeSecrets {
        StripeSecrets::parse(text).unwrap()
    }

    fn signature(secret: &str, time: &str, body: &[u8]) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        let mac = mac.chain_update(time).chain_update(".").chain_update(body);
        let bytes = mac.finalize().into_bytes();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn header(secret: &str, at: i64) -> String {
        let time = at.to_string();
        format!("t={time},v1={}", signature(secret, &time, BODY))
    }

    #[test]
    fn a_signature_is_the_hmac_of_time_and_body_by_the_text_of_the_secret() {
        // By: printf '1700000000.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_vector
        let known = "c6014fd4b390b4bc9c887a309c78277b7c4c562fbe61a9e713bfc5da054789da";
        assert_eq!(signature("whsec_vector", "1700000000", BODY), known);
        let header = format!("t=1700000000,v1={}", known.to_uppercase());
        assert_eq!(secrets("whsec_vector").verify(BODY, &header, NOW), Ok(()));
    }

    #[test]
    fn old_and_new_secrets_open_and_so_does_either_of_two_signatures() {
        let (old, new) = (header("whsec_old", NOW), header("whsec_new", NOW));
        let both = format!("{old},{}", new.split_once(',').unwrap().1);
        let with_v0 = format!("{new},v0={}", "0".repeat(64));
        for (listed, header, expected) in [
            ("whsec_old", &old, Ok(())),
            ("whsec_new, whsec_old", &old, Ok(())),
            ("whsec_new, whsec_old", &new, Ok(())),
            ("whsec_new", &both, Ok(())),
            ("whsec_old", &both, Ok(())),
            ("whsec_new", &with_v0, Ok(())),
            ("whsec_new", &old, Err(SignatureRefusal::Unsigned)),
            ("old", &old, Err(SignatureRefusal::Unsigned)),
        ] {
            assert_eq!(
                secrets(listed).verify(BODY, header, NOW),
                expected,
                "{listed} {header}"
            );
        }
        assert!(StripeSecrets::parse(" , ").is_none());
        assert_eq!(format!("{:?}", secrets("whsec_old")), "StripeSecrets");
    }

    #[test]
    fn the_time_may_be_five_minutes_off_and_no_second_more() {
        let secrets = secrets("whsec_1");
        for (off, expected) in [
            (0, Ok(())),
            (300, Ok(())),
            (-300, Ok(())),
            (301, Err(SignatureRefusal::Stale)),
            (-301, Err(SignatureRefusal::Stale)),
        ] {
            let header = header("whsec_1", NOW + off);
            assert_eq!(secrets.verify(BODY, &header, NOW), expected, "{off}");
        }
        let far = header("whsec_1", i64::MAX);
        assert_eq!(
            secrets.verify(BODY, &far, i64::MIN),
            Err(SignatureRefusal::Stale)
        );
    }

    #[test]
    fn one_changed_bit_of_the_signature_the_body_the_time_or_the_secret_is_refused() {
        let secrets = secrets("whsec_1");
        let time = NOW.to_string();
        let signed = bytes(&signature("whsec_1", &time, BODY)).unwrap();
        for bit in 0..SIGNATURE * 8 {
            let mut changed = signed;
            changed[bit / 8] ^= 1 << (bit % 8);
            let changed: String = changed.iter().map(|byte| format!("{byte:02x}")).collect();
            let header = format!("t={time},v1={changed}");
            assert_eq!(
                secrets.verify(BODY, &header, NOW),
                Err(SignatureRefusal::Unsigned)
            );
        }
        let good = header("whsec_1", NOW);
        for index in 0..BODY.len() {
            for bit in 0..8 {
                let mut changed = BODY.to_vec();
                changed[index] ^= 1 << bit;
                assert_eq!(
                    secrets.verify(&changed, &good, NOW),
                    Err(SignatureRefusal::Unsigned)
                );
            }
        }
        let later = good.replace(&time, &(NOW + 1).to_string());
        assert_eq!(
            secrets.verify(BODY, &later, NOW),
            Err(SignatureRefusal::Unsigned)
        );
        // The same time in other digits is another text.
        let padded = good.replace("t=", "t=0");
        assert_eq!(
            secrets.verify(BODY, &padded, NOW),
            Err(SignatureRefusal::Unsigned)
        );
    }

    #[test]
    fn a_header_that_is_none_is_refused_whatever_it_holds() {
        let secrets = secrets("whsec_1");
        let good = header("whsec_1", NOW);
        let signature = good.split_once("v1=").unwrap().1;
        for (header, refusal) in [
            (String::new(), SignatureRefusal::Malformed),
            ("t".into(), SignatureRefusal::Malformed),
            (format!("v1={signature}"), SignatureRefusal::Malformed),
            (format!("t=,v1={signature}"), SignatureRefusal::Malformed),
            (
                format!("t=-{NOW},v1={signature}"),
                SignatureRefusal::Malformed,
            ),
            (
                format!("t=+{NOW},v1={signature}"),
                SignatureRefusal::Malformed,
            ),
            (
                format!("t={NOW}.0,v1={signature}"),
                SignatureRefusal::Malformed,
            ),
            (
                format!("t={NOW},t={NOW},v1={signature}"),
                SignatureRefusal::Malformed,
            ),
            (
                format!("t=99999999999999999999,v1={signature}"),
                SignatureRefusal::Malformed,
            ),
            (
                format!("{good}{}", ",v1=".repeat(2000)),
                SignatureRefusal::Malformed,
            ),
            (format!("t={NOW}"), SignatureRefusal::Unsigned),
            (format!("t={NOW},v1="), SignatureRefusal::Unsigned),
            (
                format!("t={NOW},v1={}", &signature[1..]),
                SignatureRefusal::Unsigned,
            ),
            (
                format!("t={NOW},v1={signature}00"),
                SignatureRefusal::Unsigned,
            ),
            (
                format!("t={NOW},v0={signature}"),
                SignatureRefusal::Unsigned,
            ),
            (
                format!("t={NOW},v1={}", "é".repeat(32)),
                SignatureRefusal::Unsigned,
            ),
        ] {
            assert_eq!(secrets.verify(BODY, &header, NOW), Err(refusal), "{header}");
        }
        // Signatures that are none do not spoil one that is.
        let among = format!("t={NOW},v1=zz,v2=x,junk,v1={signature}");
        assert_eq!(secrets.verify(BODY, &among, NOW), Ok(()));
    }
}
