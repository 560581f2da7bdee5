//! Identities: newtypes, so that no chat id is ever passed where a user's is due, and no link reaches a log.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::text;

/// Over how many partitions the mints of a chat are spread: together they take 4,000 puts and deletes a second, as much
/// as a new on-demand table takes in all.
pub const MINT_SHARDS: u8 = 4;

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

    /// The bytes of it, as a claim token carries them.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        *self.0.as_bytes()
    }

    /// The id of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
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

/// What an order is known by: random, so that no purchase looks like another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderId(Uuid);

impl OrderId {
    /// The id of these random bytes: a UUID of version 4 (RFC 9562).
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// The part of the index of due orders that it stands in, below [`ORDER_SHARDS`].
    #[must_use]
    pub const fn shard(self) -> u8 {
        self.0.as_bytes()[0] % ORDER_SHARDS
    }

    /// The bytes of it, as a token carries them.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        *self.0.as_bytes()
    }
}

/// Over how many partitions what is due of orders and payment events is spread.
pub const ORDER_SHARDS: u8 = 8;

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text that is not the id of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoOrderId;

impl FromStr for OrderId {
    type Err = NoOrderId;

    fn from_str(text: &str) -> Result<Self, NoOrderId> {
        let id = Uuid::try_parse(text).map_err(|_| NoOrderId)?;
        // One form alone, so that one order has one key in every table.
        match id.to_string() == text {
            true => Ok(Self(id)),
            false => Err(NoOrderId),
        }
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
    type Err = InvalidRequestId;

    fn from_str(text: &str) -> Result<Self, InvalidRequestId> {
        Uuid::try_parse(text)
            .map(Self)
            .map_err(|_| InvalidRequestId)
    }
}

/// A text that is refused as the id of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidRequestId;

impl InvalidRequestId {
    /// The stable code.
    pub const CODE: &'static str = "invalid_request_id";
    /// What its caller is told.
    pub const SENTENCE: &'static str = "The path must end in a requestId, which is a UUID.";
}

/// A Telegram chat. Groups, supergroups and channels are negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChatId(pub i64);

impl ChatId {
    /// Whether it is a group that may become a supergroup, with another id. Supergroups and channels have ids below that of
    /// every group, and keep them (Bot API dialog ids).
    #[must_use]
    pub const fn is_basic_group(self) -> bool {
        -1_000_000_000_000 < self.0 && self.0 < 0
    }
}

impl fmt::Display for ChatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A Telegram user: up to 52 significant bits (Bot API, `User`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TelegramUserId(pub i64);

impl TelegramUserId {
    /// The shard of what is done about this person in a chat, among [`MINT_SHARDS`].
    #[must_use]
    pub fn mint_shard(&self) -> u8 {
        u8::try_from(self.0.rem_euclid(i64::from(MINT_SHARDS))).unwrap_or(0)
    }
}

impl fmt::Display for TelegramUserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A Telegram bot: the digits before the colon of its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BotId(pub u64);

impl BotId {
    /// The bot of a token: the digits before its colon.
    #[must_use]
    pub fn of_token(token: &str) -> Option<Self> {
        token.split_once(':')?.0.parse().ok().map(Self)
    }
}

impl fmt::Display for BotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How many numbers of the feed stand in one partition of its table.
const FEED_BLOCK: i32 = 1000;

/// A number of a bot's feed of updates: the first one has 1. Bot API libraries hold it in 32 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeedSeq(pub i32);

impl FeedSeq {
    /// The partition that it stands in.
    #[must_use]
    pub const fn block(self) -> i32 {
        self.0 / FEED_BLOCK
    }

    /// The number after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The number before it.
    #[must_use]
    pub const fn before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for FeedSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An invite link: whoever holds it gets in, so it is a secret of the payer. `Debug` hides it and there is no
/// `Display`: only an answer, an event, a task and a record may carry it.
///
/// It is kept and handed out as Telegram wrote it. Two links are equal, and have one hash, if they are the same to
/// Telegram: the host (`t.me`, `telegram.me`, `telegram.dog`), the scheme and the older form `joinchat/` may change from
/// one answer to the next, the part that identifies the link does not.
#[derive(Clone, Serialize, Deserialize)]
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

    /// The part after `+` or `joinchat/`, which identifies the link; `None` if it has none, or is cut off.
    #[must_use]
    pub fn part(&self) -> Option<&str> {
        part_of(&self.0)
    }

    /// Whether Telegram cut its tail off, as it does where another administrator made the link.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        let url = self.0.trim();
        url.ends_with("...") || url.ends_with('\u{2026}')
    }

    /// The key of the link's lookup record: of `https://t.me/+<part>`, or of the URL as it is if it has no such part.
    #[must_use]
    pub fn hash(&self) -> LinkHash {
        match self.part() {
            Some(part) => LinkHash::of_part(part),
            None => LinkHash(hex(&Sha256::digest(self.0.as_bytes()))),
        }
    }
}

impl PartialEq for InviteLink {
    fn eq(&self, other: &Self) -> bool {
        match (self.part(), other.part()) {
            (None, None) => self.0 == other.0,
            (one, other) => one == other,
        }
    }
}

impl Eq for InviteLink {}

/// The part of an invite link, in any of its forms, that identifies it.
fn part_of(url: &str) -> Option<&str> {
    let url = url.trim_matches(|c: char| c.is_whitespace() || text::is_invisible(c));
    let after = |text: &'_ str, prefix: &str| {
        let begins = text
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        begins.then_some(prefix.len())
    };
    let schemes = ["tg://", "tg:"].map(|scheme| after(url, scheme));
    let part = if let Some(at) = schemes.into_iter().flatten().next() {
        let query = &url[at + after(&url[at..], "join")?..];
        let query = query.trim_start_matches('/').strip_prefix('?')?;
        let found = query.split(['&', '#']).find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            name.eq_ignore_ascii_case("invite").then_some(value)
        })?;
        found.trim_end_matches('/')
    } else {
        let scheme = ["https://", "http://", "//"].map(|scheme| after(url, scheme));
        let url = &url[scheme.into_iter().flatten().next().unwrap_or_default()..];
        let (_, path) = url.split_once('/')?;
        let path = path.trim_start_matches('/');
        let begin = ["+", "%2b", "joinchat/"].map(|form| after(path, form));
        let path = &path[begin.into_iter().flatten().next()?..];
        path.split(['/', '?', '#']).next().unwrap_or_default()
    };
    is_part(part).then_some(part)
}

/// Whether a text can be the part of a link that identifies it: characters of base64url.
fn is_part(text: &str) -> bool {
    let is_of_it = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    !text.is_empty() && text.bytes().all(is_of_it)
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

    /// The hash of what somebody copied to look a link up: the link in any form, its part alone, with or without the
    /// plus before it, or the hash itself.
    #[must_use]
    pub fn sought(text: &str) -> Self {
        let text = text.trim_matches(|c: char| c.is_whitespace() || text::is_invisible(c));
        if text.len() == 64 && text.bytes().all(|c| c.is_ascii_hexdigit()) {
            return Self(text.to_ascii_lowercase());
        }
        match text.strip_prefix('+').unwrap_or(text) {
            part if is_part(part) => Self::of_part(part),
            _ => InviteLink::new(text).hash(),
        }
    }

    /// The hash of the link that this part identifies.
    fn of_part(part: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update("https://t.me/+");
        hash.update(part);
        Self(hex(&hash.finalize()))
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

    #[test]
    fn a_link_is_known_by_its_part_whatever_form_it_comes_in() {
        let link = InviteLink::new("https://t.me/+AbC-12_x");
        // What records of before are known by: the SHA-256 of the URL as it was made.
        let digest = hex(&Sha256::digest("https://t.me/+AbC-12_x"));
        assert_eq!(link.hash().as_str(), digest);
        for form in [
            "https://t.me/+AbC-12_x",
            "http://t.me/+AbC-12_x",
            "HTTPS://T.ME/+AbC-12_x",
            "t.me/+AbC-12_x",
            "//t.me/+AbC-12_x",
            "https://telegram.me/+AbC-12_x",
            "telegram.dog/+AbC-12_x",
            "https://t.me/joinchat/AbC-12_x",
            "https://telegram.me/JoinChat/AbC-12_x",
            "https://t.me/%2BAbC-12_x",
            "https://t.me/+AbC-12_x/",
            "https://t.me/+AbC-12_x?utm_source=mail",
            "https://t.me/+AbC-12_x#top",
            "tg://join?invite=AbC-12_x",
            "TG://Join?Invite=AbC-12_x",
            "tg:join?x=1&invite=AbC-12_x&y=2",
            "tg://join/?invite=AbC-12_x",
            " \u{200b}https://t.me/+AbC-12_x\u{feff}\n",
        ] {
            let other = InviteLink::new(form);
            assert_eq!(other.part(), Some("AbC-12_x"), "{form}");
            assert_eq!(other, link, "{form}");
            assert_eq!(other.hash(), link.hash(), "{form}");
            assert_eq!(LinkHash::sought(form), link.hash(), "{form}");
            assert_eq!(other.expose(), form, "what Telegram gave is kept");
        }
        for sought in [
            "AbC-12_x",
            "+AbC-12_x",
            " AbC-12_x ",
            &digest,
            &digest.to_uppercase(),
        ] {
            assert_eq!(LinkHash::sought(sought), link.hash(), "{sought}");
        }
    }

    #[test]
    fn another_part_is_another_link() {
        let link = InviteLink::new("https://t.me/+AbC");
        for other in [
            "https://t.me/+abc",
            "https://t.me/+AbCd",
            "https://t.me/AbC",
            "https://t.me/+",
            "https://t.me/c/1/AbC",
            "https://t.me/addlist/AbC",
            "tg://resolve?domain=AbC",
            "tg://join?invite=",
            "tg:",
            "",
        ] {
            assert_ne!(InviteLink::new(other), link, "{other}");
            assert_ne!(LinkHash::sought(other), link.hash(), "{other}");
        }
        // Without such a part a link is known by all of it.
        let odd = InviteLink::new("https://t.me/AbC");
        assert_eq!(odd, InviteLink::new("https://t.me/AbC"));
        assert_eq!(
            odd.hash().as_str(),
            hex(&Sha256::digest("https://t.me/AbC"))
        );
    }

    #[test]
    fn a_cut_tail_is_seen_in_both_spellings_and_identifies_nothing() {
        for cut in [
            "https://t.me/+AbC...",
            "https://t.me/+AbC\u{2026}",
            "t.me/+AbC\u{2026} ",
        ] {
            let link = InviteLink::new(cut);
            assert!(link.is_cut(), "{cut}");
            assert_eq!(link.part(), None, "{cut}");
        }
        assert!(!InviteLink::new("https://t.me/+AbC").is_cut());
    }
}
