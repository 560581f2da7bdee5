//! Claim links: what a buyer gets in place of an invite link, so that only the payer comes in.
//!
//! A claim link opens the front bot, `https://t.me/<bot>?start=c_<token>`. Whoever presses Start with it becomes the
//! holder of the request's seat, and a join request of theirs is approved; nobody else's is. It costs no call of
//! Telegram, and forwarding it does no harm once it is used.
//!
//! The token names its request and is signed, so a wrong one is refused before anything is read:
//!
//! ```text
//! byte  0       the number of the key it is signed with
//!       1       the claim version: a request that moves to somebody else has another one
//!       2..18   the request
//!       18..34  HMAC-SHA256 of the kind and the bytes before, cut to 16 bytes
//! ```
//!
//! These are 46 characters of base64url, 48 with the prefix of its kind; Telegram carries 64 of `A-Za-z0-9_-`
//! (<https://core.telegram.org/bots/features#deep-linking>).

mod order;
mod page;

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::id::{ChatId, InviteLink, RequestId};
use super::purchase::Chats;
use super::text::list;
use super::time::Timestamp;

pub use order::ORDER_PREFIX;
pub use page::PublicUrl;

/// What stands before the token of a request in a payload of `/start`.
pub const PREFIX: &str = "c_";
/// Bytes of what is signed.
const SIGNED: usize = 18;
/// Bytes of the signature.
const SIGNATURE: usize = 16;
/// Characters of a payload: the prefix and 34 bytes in base64url.
const PAYLOAD_CHARS: usize = 48;
/// The shortest key, in bytes: one that can't be guessed has no fewer characters.
pub const KEY_MIN: usize = 32;

/// The keys that claim links are signed with. All are accepted, so that keys can be rotated; the first one signs.
pub struct ClaimKeys(Vec<Key>);

struct Key {
    number: u8,
    mac: Hmac<Sha256>,
}

impl ClaimKeys {
    /// Reads a comma-separated list, the newest first; `None` if it is empty or a key is shorter than [`KEY_MIN`] bytes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let key = |key: &str| {
            let mac = Hmac::new_from_slice(key.as_bytes()).ok()?;
            // Of the key and not of its place in the list, which changes when another one is put before it.
            let number = Sha256::digest(key)[0];
            (key.len() >= KEY_MIN).then_some(Key { number, mac })
        };
        let keys: Vec<Key> = list(text).map(key).collect::<Option<_>>()?;
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// No key at all: what a configuration with a problem has, and one without claim links. It signs nothing.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Whether there is a key.
    #[must_use]
    pub const fn can_sign(&self) -> bool {
        !self.0.is_empty()
    }

    /// The token of a claim; nothing without a key.
    #[must_use]
    pub fn sign(&self, claim: Claim) -> Option<ClaimToken> {
        self.sign_as(PREFIX, claim.version, claim.request_id.to_bytes())
    }

    /// The claim of a token, with or without its prefix; nothing if no key signed it.
    #[must_use]
    pub fn open(&self, token: &str) -> Option<Claim> {
        let (version, request) = self.open_as(PREFIX, token)?;
        Some(Claim {
            request_id: RequestId::from_bytes(request),
            version,
        })
    }

    fn sign_as(&self, kind: &'static str, version: u8, of: [u8; 16]) -> Option<ClaimToken> {
        let key = self.0.first()?;
        let mut bytes = [0; SIGNED + SIGNATURE];
        bytes[0] = key.number;
        bytes[1] = version;
        bytes[2..SIGNED].copy_from_slice(&of);
        let signature = signing(key, kind, &bytes[..SIGNED]).finalize().into_bytes();
        bytes[SIGNED..].copy_from_slice(&signature[..SIGNATURE]);
        let token = URL_SAFE_NO_PAD.encode(bytes);
        Some(ClaimToken { kind, token })
    }

    /// The claim version and what is claimed.
    fn open_as(&self, kind: &str, token: &str) -> Option<(u8, [u8; 16])> {
        let token = token.strip_prefix(kind).unwrap_or(token);
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let bytes: [u8; SIGNED + SIGNATURE] = bytes.try_into().ok()?;
        let (signed, signature) = bytes.split_at(SIGNED);
        let mut keys = self.0.iter().filter(|key| key.number == signed[0]);
        let is_signed = keys.any(|key| {
            let signing = signing(key, kind, signed);
            signing.verify_truncated_left(signature).is_ok()
        });
        is_signed.then_some((signed[1], signed[2..].try_into().ok()?))
    }
}

fn signing(key: &Key, kind: &str, signed: &[u8]) -> Hmac<Sha256> {
    key.mac.clone().chain_update(kind).chain_update(signed)
}

/// What a claim link claims: the seat of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The request.
    pub request_id: RequestId,
    /// The claim version of the request for which it was made; the links of others are dead.
    pub version: u8,
}

/// Why a claim is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimRefusal {
    /// Nobody signed it, or its request is forgotten.
    Unknown,
    /// Its shop took the seat back.
    Voided,
    /// Another claim link of the request took its place.
    Replaced,
    /// Somebody else has the seat.
    Taken,
}

impl ClaimRefusal {
    /// The word for logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Voided => "voided",
            Self::Replaced => "replaced",
            Self::Taken => "taken",
        }
    }
}

/// Within which time a second dispute of one request is not chance.
const DISPUTES_WITHIN: Duration = Duration::from_secs(24 * 3600);

/// Whether the dispute of a request at `at` was noted after another within a day of it. `times` has them in the order in which
/// they were noted, which need not be that of time, and no more once there are too many: such a request is disputed each time.
#[must_use]
pub fn is_disputed_again(times: &[Timestamp], at: Timestamp) -> bool {
    let Some(place) = times.iter().position(|time| *time == at) else {
        return !times.is_empty();
    };
    let mut noted_before = times.iter().take(place);
    noted_before.any(|time| at.since(*time).max(time.since(at)) < DISPUTES_WITHIN)
}

/// The token of a claim link: whoever holds it may claim the seat, so it is a secret of the payer. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimToken {
    kind: &'static str,
    token: String,
}

impl ClaimToken {
    /// The text of it, without the prefix.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.token
    }

    /// The payload of `/start`, with the prefix of its kind.
    #[must_use]
    pub fn payload(&self) -> String {
        format!("{}{}", self.kind, self.token)
    }

    /// What names it in the address of its page: of a request the token alone, of an order the payload.
    #[must_use]
    pub fn in_page(&self) -> String {
        match self.kind {
            PREFIX => self.token.clone(),
            _ => self.payload(),
        }
    }

    /// The link that opens the bot `username` with it; `base` is Telegram's, `https://t.me`.
    #[must_use]
    pub fn link(&self, base: &str, username: &str) -> InviteLink {
        InviteLink::new(format!("{base}/{username}?start={}", self.payload()))
    }

    /// The link that opens the bot `username` with it in the app, past any web site
    /// (<https://core.telegram.org/api/links#bot-links>).
    #[must_use]
    pub fn app_link(&self, username: &str) -> InviteLink {
        let payload = self.payload();
        InviteLink::new(format!("tg://resolve?domain={username}&start={payload}"))
    }
}

impl fmt::Debug for ClaimToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimToken(…)")
    }
}

/// The first thing in a text that looks like the payload of a claim link: people paste the link, or its end, or write the
/// command by hand.
#[must_use]
pub fn payload_in(text: &str) -> Option<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    text.split(|c| !is_part(c)).find(|part| {
        part.len() == PAYLOAD_CHARS && (part.starts_with(PREFIX) || part.starts_with(ORDER_PREFIX))
    })
}

/// Whether a run of letters, digits, `_` and `-` may hold a claim token. One of a token's length counts, unless it is a
/// hexadecimal number, as a receipt may have.
fn may_hold_payload(part: &str) -> bool {
    const BARE_CHARS: usize = PAYLOAD_CHARS - PREFIX.len();
    let with_prefix = |prefix: &str| {
        let mut ends = part.match_indices(prefix);
        ends.any(|(at, _)| part.len() - at - prefix.len() >= BARE_CHARS)
    };
    let is_number = part.bytes().all(|c| c.is_ascii_hexdigit());
    let is_bare = part.len() == BARE_CHARS && !is_number;
    is_bare || with_prefix(PREFIX) || with_prefix(ORDER_PREFIX)
}

/// The runs of letters, digits, `_` and `-` of a text, and what is between them, in turn: that comes first.
fn runs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (between, run) = rest.split_at(rest.find(is_part).unwrap_or(rest.len()));
        let (part, after) = run.split_at(run.find(|c| !is_part(c)).unwrap_or(run.len()));
        rest = after;
        Some((between, part))
    })
}

/// Whether a claim link or token can be read in a text.
#[must_use]
pub fn may_show_payload(text: &str) -> bool {
    runs(text).any(|(_, part)| may_hold_payload(part))
}

/// Where claim links and tokens stand in a text: the bytes that are not to be shown.
#[must_use]
pub fn payload_places(text: &str) -> Vec<Range<usize>> {
    let mut at = 0;
    let places = runs(text).filter_map(|(between, part)| {
        let start = at + between.len();
        at = start + part.len();
        may_hold_payload(part).then_some(start..at)
    });
    places.collect()
}

/// A text in which no claim link or token can be read any more: `…` stands in place of each.
#[must_use]
pub fn without_payloads(text: &str) -> String {
    let (mut shown, mut copied) = (String::with_capacity(text.len()), 0);
    for place in payload_places(text) {
        shown.push_str(&text[copied..place.start]);
        shown.push('…');
        copied = place.end;
    }
    shown.push_str(&text[copied..]);
    shown
}

/// A text in which no invite link can be read any more, as `/+…` or `/joinchat/…` (Bot API, `ChatInviteLink`): `…` stands in place
/// of each hash.
#[must_use]
pub fn without_invite_links(text: &str) -> String {
    with_hashes_as(text, |_| "…".to_owned())
}

/// A text in which no invite link can be read any more, and which is as long as it was, in UTF-16 units: each hash is `…` all
/// over.
#[must_use]
pub fn with_invite_links_masked(text: &str) -> String {
    // A hash is of ASCII, and `…` is one unit.
    with_hashes_as(text, |hash| "…".repeat(hash.len()))
}

/// A text with something else in place of the hash of each invite link.
fn with_hashes_as(text: &str, mask: impl Fn(&str) -> String) -> String {
    let mut last = "";
    let shown = runs(text).flat_map(|(between, part)| {
        let is_hash = between.ends_with("/+") || (between == "/" && last == "joinchat");
        last = part;
        let part = if is_hash { mask(part) } else { part.to_owned() };
        [between.to_owned(), part]
    });
    shown.collect()
}

/// What the buyers of each chat get: an invite link for one member, or a claim link.
#[derive(Clone, Debug, Default)]
pub struct ChatDeliveries {
    /// The chats that are claimed, by the ids by which their payments are known.
    claimed: Vec<ChatId>,
}

impl ChatDeliveries {
    /// Reads `link` or `claim` for all of `chats`, or `chatId=kind` pairs with commas between, the others being `link`;
    /// `None` if it is neither, or a chat is not one of ours.
    #[must_use]
    pub fn parse(text: &str, chats: &Chats) -> Option<Self> {
        let kind = |text: &str| match text.trim() {
            "link" => Some(false),
            "claim" => Some(true),
            _ => None,
        };
        let all: Vec<(ChatId, bool)> = if text.contains('=') {
            let pairs = list(text).map(|pair| {
                let (chat, text) = pair.split_once('=')?;
                let (_, canonical_id) = chats.named(ChatId(chat.trim().parse().ok()?))?;
                Some((canonical_id, kind(text)?))
            });
            pairs.collect::<Option<_>>()?
        } else {
            let is_claimed = kind(text)?;
            chats.all().map(|(_, id)| (id, is_claimed)).collect()
        };
        let claimed = all.into_iter().filter(|(_, is_claimed)| *is_claimed);
        Some(Self {
            claimed: claimed.map(|(chat, _)| chat).collect(),
        })
    }

    /// Whether a buyer of the chat gets a claim link whose payments are known by `canonical_chat`.
    #[must_use]
    pub fn is_claimed(&self, canonical_chat: ChatId) -> bool {
        self.claimed.contains(&canonical_chat)
    }

    /// Whether any chat is claimed.
    #[must_use]
    pub fn has_claims(&self) -> bool {
        !self.claimed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::id::IdentitySource;
    use super::*;

    const OLD: &str = "old-claim-key-0123456789abcdef-0123456789";
    const NEW: &str = "new-claim-key-0123456789abcdef-0123456789";

    fn claim(version: u8) -> Claim {
        let source = IdentitySource::Transaction("T1");
        Claim {
            request_id: RequestId::derive(ChatId(-1), source),
            version,
        }
    }

    fn keys(text: &str) -> ClaimKeys {
        ClaimKeys::parse(text).unwrap()
    }

    #[test]
    fn no_token_is_left_in_a_text_and_all_else_stays() {
        let token = "A-b_".repeat(12);
        let token = &token[..46];
        for (text, shown) in [
            (format!("/start c_{token}"), "/start …".to_owned()),
            (
                format!("see https://t.me/b?start=c_{token}, please"),
                "see https://t.me/b?start=…, please".to_owned(),
            ),
            (
                format!("https://shop.example/c/{token}"),
                "https://shop.example/c/…".to_owned(),
            ),
            (format!("o_{token} {token}"), "… …".to_owned()),
            (format!("xc_{token}y"), "…".to_owned()),
        ] {
            assert_eq!(without_payloads(&text), shown);
        }
        for text in [
            "",
            "Привет, c_short",
            &"ab12".repeat(16),
            &"0f".repeat(23),
            "a — b",
        ] {
            assert_eq!(without_payloads(text), text);
        }
    }

    #[test]
    fn a_token_fits_into_a_deep_link_and_says_what_it_claims() {
        let keys = keys(NEW);
        for version in [0, 1, 255] {
            let token = keys.sign(claim(version)).unwrap();
            let payload = format!("{PREFIX}{}", token.expose());
            assert_eq!(payload.len(), 48);
            let allowed = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
            assert!(payload.chars().all(allowed), "{payload}");
            assert_eq!(keys.open(&payload), Some(claim(version)));
            assert_eq!(keys.open(token.expose()), Some(claim(version)));
            let link = token.link("https://t.me", "admit_bot");
            assert_eq!(
                link.expose(),
                format!("https://t.me/admit_bot?start={payload}")
            );
            let in_app = format!("tg://resolve?domain=admit_bot&start={payload}");
            assert_eq!(token.app_link("admit_bot").expose(), in_app);
        }
    }

    #[test]
    fn one_bit_changed_anywhere_opens_nothing() {
        let keys = keys(NEW);
        let token = keys.sign(claim(3)).unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(token.expose()).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(keys.open(&URL_SAFE_NO_PAD.encode(changed)), None, "{bit}");
        }
        for wrong in [
            "",
            "c_",
            "c_x",
            &"A".repeat(46),
            &"é".repeat(23),
            &token.expose()[1..],
        ] {
            assert_eq!(keys.open(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_key_that_moved_down_the_list_still_opens_and_one_that_is_gone_does_not() {
        let token = keys(OLD).sign(claim(0)).unwrap();
        assert_eq!(
            keys(&format!("{NEW},{OLD}")).open(token.expose()),
            Some(claim(0))
        );
        assert_eq!(keys(NEW).open(token.expose()), None);
        let rotated = keys(&format!("{NEW},{OLD}")).sign(claim(0)).unwrap();
        assert_eq!(keys(NEW).open(rotated.expose()), Some(claim(0)));
    }

    #[test]
    fn a_payload_is_found_in_whatever_way_it_is_written() {
        let token = keys(NEW).sign(claim(0)).unwrap();
        let payload = format!("c_{}", token.expose());
        let found = Some(payload.as_str());
        for text in [
            format!("/start {payload}"),
            format!("/start@admit_bot {payload}"),
            format!("https://t.me/admit_bot?start={payload}"),
            format!("tg://resolve?domain=admit_bot&start={payload}"),
            format!("my link ({payload})."),
            payload.clone(),
        ] {
            assert_eq!(payload_in(&text), found, "{text}");
        }
        for text in [
            "",
            "/start",
            "c_",
            "hello",
            &format!("x{payload}"),
            &payload[..47],
        ] {
            assert_eq!(payload_in(text), None, "{text}");
        }
    }

    #[test]
    fn keys_that_could_be_guessed_are_refused() {
        for text in ["", " , ", "short", &format!("{NEW},short")] {
            assert!(ClaimKeys::parse(text).is_none(), "{text:?}");
        }
        assert!(ClaimKeys::none().sign(claim(0)).is_none());
    }

    #[test]
    fn two_disputes_within_a_day_are_no_chance() {
        let hour = |hour: i64| Timestamp::from_seconds(1_800_000_000 + hour * 3600);
        let again = |hours: &[i64], at: i64| {
            let times: Vec<Timestamp> = hours.iter().copied().map(hour).collect();
            is_disputed_again(&times, hour(at))
        };
        assert!(!again(&[], 5) && !again(&[5], 5) && !again(&[5, 29], 29));
        assert!(again(&[5, 28], 28) && again(&[0, 28, 40], 40));
        // Two at once, of which the later one was noted first: one of them rings.
        assert!(again(&[28, 5], 5) && !again(&[28, 5], 28) && !again(&[30, 5], 5));
        // Too many to be noted.
        assert!(again(&[5, 6], 99));
    }

    #[test]
    fn a_token_does_not_show_in_debug() {
        let token = keys(NEW).sign(claim(0)).unwrap();
        assert!(!format!("{token:?}").contains(token.expose()));
    }

    #[test]
    fn the_page_of_a_claim_link_has_its_token_and_other_links_have_none() {
        let url = PublicUrl::parse("https://pay.example/x/").unwrap();
        let token = keys(NEW).sign(claim(0)).unwrap();
        let page = url.claim_page(&token.link("https://t.me", "admit_bot"));
        let expected = format!("https://pay.example/x/c/{}", token.expose());
        assert_eq!(page, Some(InviteLink::new(expected)));
        assert_eq!(url.claim_page(&InviteLink::new("https://t.me/+abc")), None);
    }

    #[test]
    fn people_reach_us_by_https_or_on_the_machine_itself() {
        for (text, is_right) in [
            ("https://pay.example", true),
            ("https://pay.example:8443/a/", true),
            ("http://127.0.0.1:9000", true),
            ("http://localhost", true),
            ("http://[::1]:9000", true),
            ("http://pay.example", false),
            ("http://localhost.pay.example", false),
            ("https://", false),
            ("https://pay.example?x=1", false),
            ("https://user@pay.example", false),
            ("https://pay.example/\"><b>", false),
            ("pay.example", false),
            ("", false),
        ] {
            assert_eq!(PublicUrl::parse(text).is_some(), is_right, "{text}");
        }
    }

    #[test]
    fn each_chat_has_its_own_delivery() {
        let chats = Chats::parse("-100,-300=-200").unwrap();
        let of = |text: &str| {
            let deliveries = ChatDeliveries::parse(text, &chats)?;
            Some([ChatId(-100), ChatId(-200)].map(|chat| deliveries.is_claimed(chat)))
        };
        assert_eq!(of("link"), Some([false, false]));
        assert_eq!(of("claim"), Some([true, true]));
        // A group that became a supergroup is named by either of its ids.
        assert_eq!(of("-300=claim"), Some([false, true]));
        assert_eq!(of(" -200=claim , -100=link"), Some([false, true]));
        for wrong in ["", "both", "-1=claim", "-100=both", "-100"] {
            assert_eq!(of(wrong), None, "{wrong:?}");
        }
    }
}
