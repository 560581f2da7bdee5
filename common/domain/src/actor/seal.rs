//! Sealed paths of files.
//!
//! Telegram's paths of files can be guessed (`photos/file_7.jpg`), and its own URLs of files hold the bot's token. So an
//! actor is answered `<seal>/<path>`, and a path is served to the actor that it was sealed for, for an hour. The seal is
//! base64url of the end, in minutes since the Unix epoch, and of an HMAC-SHA256 of actor, end and path, cut to 16 bytes.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::super::time::Timestamp;
use super::ActorMark;

/// How long a path works at least: Telegram's own does for an hour (Bot API, `getFile`).
const LASTS: Duration = Duration::from_secs(3600);
/// Bytes of the end.
const END: usize = 4;
/// Bytes of the signature.
const SIGNATURE: usize = 16;
/// The longest path, in bytes.
const PATH_MAX: usize = 512;

/// What paths are sealed with.
#[derive(Clone)]
pub struct FileSealer(Hmac<Sha256>);

impl FileSealer {
    /// Seals with a secret of the bot's; nothing if it can't be a key.
    #[must_use]
    pub fn new(secret: &str) -> Option<Self> {
        let mac = Hmac::new_from_slice(secret.as_bytes()).ok()?;
        Some(Self(mac.chain_update("files of actors\0")))
    }

    fn signing(&self, actor: &ActorMark, end: [u8; END], path: &str) -> Hmac<Sha256> {
        let mac = self.0.clone();
        mac.chain_update(actor.as_str())
            .chain_update([0])
            .chain_update(end)
            .chain_update(path)
    }

    /// The path that the actor is answered.
    #[must_use]
    pub fn seal(&self, actor: &ActorMark, path: &str, now: Timestamp) -> String {
        let end = u32::try_from(now.plus(LASTS).seconds() / 60 + 1).unwrap_or(u32::MAX);
        let end = end.to_be_bytes();
        let signature = self.signing(actor, end, path).finalize().into_bytes();
        let mut seal = end.to_vec();
        seal.extend_from_slice(&signature[..SIGNATURE]);
        format!("{}/{path}", URL_SAFE_NO_PAD.encode(seal))
    }

    /// Telegram's path of a sealed one; nothing if it was not sealed for this actor, is over, or leads elsewhere.
    #[must_use]
    pub fn open<'a>(&self, actor: &ActorMark, sealed: &'a str, now: Timestamp) -> Option<&'a str> {
        let (seal, path) = sealed.split_once('/')?;
        let seal = URL_SAFE_NO_PAD.decode(seal).ok()?;
        let seal: [u8; END + SIGNATURE] = seal.try_into().ok()?;
        let (end, signature) = seal.split_at(END);
        let end: [u8; END] = end.try_into().ok()?;
        self.signing(actor, end, path)
            .verify_truncated_left(signature)
            .ok()?;
        let is_over = now.seconds() / 60 >= i64::from(u32::from_be_bytes(end));
        (!is_over && is_plain(path)).then_some(path)
    }
}

/// Whether a path stays below where it begins, and means nothing else to a server on the way.
#[must_use]
pub fn is_plain(path: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let mut parts = path.split('/');
    (1..=PATH_MAX).contains(&path.len())
        && path.chars().all(is_part)
        && parts.all(|part| !part.is_empty() && part != "." && part != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_763_640_000_000);
    const PATH: &str = "photos/file_7.jpg";

    #[test]
    fn a_path_opens_for_its_actor_and_its_hour() {
        let sealer = FileSealer::new("123:secret").unwrap();
        let (crm, later) = ("crm@1".parse().unwrap(), "crm@2".parse().unwrap());
        let sealed = sealer.seal(&crm, PATH, NOW);
        assert!(sealed.ends_with("/photos/file_7.jpg"), "{sealed}");
        let hour = Duration::from_secs(3600);
        assert_eq!(sealer.open(&crm, &sealed, NOW), Some(PATH));
        assert_eq!(sealer.open(&crm, &sealed, NOW.plus(hour)), Some(PATH));
        assert_eq!(sealer.open(&crm, &sealed, NOW.plus(hour * 2)), None);
        assert_eq!(sealer.open(&later, &sealed, NOW), None);
        let other = sealed.replace("file_7", "file_8");
        assert_eq!(sealer.open(&crm, &other, NOW), None);
        let others = FileSealer::new("124:secret").unwrap();
        assert_eq!(others.open(&crm, &sealed, NOW), None);
        for odd in ["", "/", PATH, "AAAA/x", "é/x", &format!("/{sealed}")] {
            assert_eq!(sealer.open(&crm, odd, NOW), None, "{odd}");
        }
    }

    #[test]
    fn a_path_that_leads_elsewhere_is_refused_although_it_is_sealed() {
        let sealer = FileSealer::new("123:secret").unwrap();
        let crm = "crm@1".parse().unwrap();
        for path in [
            "../x",
            "a/../b",
            "/etc/passwd",
            "a//b",
            "a/./b",
            "a?b",
            "a%2e",
            "",
            "a/",
        ] {
            let sealed = sealer.seal(&crm, path, NOW);
            assert_eq!(sealer.open(&crm, &sealed, NOW), None, "{path}");
        }
    }
}
