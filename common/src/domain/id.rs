//! Identities: newtypes, so that no chat id is ever passed where a user's is due, and no link reaches a log.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::task::MINT_SHARDS;

/// What a request is known by: derived from the payment, so that the same payment always has the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(Uuid);

/// What the identity of a request is derived from. The variants never collide: each is hashed under its own name.
#[derive(Clone, Copy, Debug)]
pub enum IdentitySource<'a> {
    /// The shop's transaction.
    Transaction(&'a str),
    /// The caller's `Idempotency-Key`, when there is no transaction.
    IdempotencyKey(&'a str),
    /// One duplicate window of one user, known by its first millisecond, when there is neither.
    Window {
        /// The shop's user.
        user_id: &'a str,
        /// When the window was opened, in milliseconds since the Unix epoch.
        opened_ms: i64,
    },
}

impl RequestId {
    /// The id of what `source` names, in `chat`: a UUID of version 8 (RFC 9562: custom), the first bytes of a SHA-256.
    #[must_use]
    pub fn derive(chat: ChatId, source: IdentitySource<'_>) -> Self {
        let (kind, value, opened_ms) = match source {
            IdentitySource::Transaction(id) => ("transaction", id, 0),
            IdentitySource::IdempotencyKey(key) => ("idempotency-key", key, 0),
            IdentitySource::Window { user_id, opened_ms } => ("window", user_id, opened_ms),
        };
        let mut hash = Sha256::new();
        hash.update(kind);
        hash.update([0]);
        hash.update(chat.0.to_be_bytes());
        hash.update(opened_ms.to_be_bytes());
        hash.update(value);
        let digest: [u8; 32] = hash.finalize().into();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// The 32 hexadecimal digits without hyphens: exactly what fits into the name of an invite link, which Telegram
    /// cuts at 32 characters without a word.
    #[must_use]
    pub fn link_name(&self) -> String {
        self.0.simple().to_string()
    }

    /// The part of the index of pending events that it stands in: the id's first digit. The digits are those of a hash,
    /// so the sixteen parts are of one size.
    #[must_use]
    pub fn pending_shard(&self) -> PendingShard {
        PendingShard(self.0.as_bytes()[0] >> 4)
    }

    /// The shard of its mint: by another byte of the hash than the pending shard.
    #[must_use]
    pub fn mint_shard(&self) -> u8 {
        self.0.as_bytes()[1] % MINT_SHARDS
    }
}

/// One of the sixteen parts of the index of pending events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingShard(u8);

impl PendingShard {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..16).map(Self)
    }
}

impl fmt::Display for PendingShard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RequestId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Uuid::try_parse(text).map(Self)
    }
}

/// A Telegram chat. Groups, supergroups and channels are negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChatId(pub i64);

impl fmt::Display for ChatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A Telegram user: up to 52 significant bits (Bot API, `User`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TelegramUserId(pub i64);

impl fmt::Display for TelegramUserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A Telegram bot: the digits before the colon of its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BotId(pub u64);

impl fmt::Display for BotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An invite link: whoever holds it gets in, so it is a secret of the payer. `Debug` hides it and there is no
/// `Display`: only an answer, an event, a job and a record may carry it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InviteLink(String);

impl InviteLink {
    /// Wraps the URL as Telegram made it.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The URL itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The key of the link's lookup record.
    #[must_use]
    pub fn hash(&self) -> LinkHash {
        LinkHash(hex(&Sha256::digest(self.0.as_bytes())))
    }
}

impl fmt::Debug for InviteLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InviteLink(hidden)")
    }
}

/// The SHA-256 of an invite link in lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkHash(String);

impl LinkHash {
    /// The 64 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl LinkHash {
    /// The key of the record of what a member of a chat joined by: an update of one who leaves names no link.
    #[must_use]
    pub fn of_member(chat: ChatId, person: TelegramUserId) -> Self {
        Self(hex(&Sha256::digest(format!("member#{chat}#{person}"))))
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: ChatId = ChatId(-100_123);

    #[test]
    fn one_payment_has_one_id_and_another_has_another() {
        let id = RequestId::derive(CHAT, IdentitySource::Transaction("T1"));
        assert_eq!(
            id,
            RequestId::derive(CHAT, IdentitySource::Transaction("T1"))
        );
        let others = [
            RequestId::derive(CHAT, IdentitySource::Transaction("T2")),
            RequestId::derive(ChatId(-100_124), IdentitySource::Transaction("T1")),
            RequestId::derive(CHAT, IdentitySource::IdempotencyKey("T1")),
            RequestId::derive(
                CHAT,
                IdentitySource::Window {
                    user_id: "T1",
                    opened_ms: 0,
                },
            ),
            RequestId::derive(
                CHAT,
                IdentitySource::Window {
                    user_id: "T1",
                    opened_ms: 1,
                },
            ),
        ];
        for other in others {
            assert_ne!(id, other);
        }
    }

    #[test]
    fn the_name_of_a_link_survives_telegrams_cut_at_32() {
        let id = RequestId::derive(CHAT, IdentitySource::Transaction("T1"));
        assert_eq!(id.link_name().len(), 32);
        assert_eq!(id.link_name().parse::<RequestId>().unwrap(), id);
        assert!(PendingShard::all().any(|shard| shard == id.pending_shard()));
        assert_eq!(PendingShard::all().last().unwrap().to_string(), "15");
        assert!(id.mint_shard() < MINT_SHARDS);
    }

    #[test]
    fn a_link_does_not_show_in_debug() {
        let link = InviteLink::new("https://t.me/+secret");
        assert!(!format!("{link:?}").contains("secret"));
        assert_eq!(link.hash().as_str().len(), 64);
    }
}
