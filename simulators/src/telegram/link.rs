//! Invite links: their rules, and how much of them each bot sees.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::member::User;

/// How many of the users that joined by one link are remembered; older ones are forgotten, their count is not.
pub const REMEMBERED_JOINERS: usize = 1000;
const LONGEST_NAME: usize = 32;

/// An invite link, as tests and the demo see it.
#[derive(Clone, Debug)]
pub struct Link {
    /// The whole link, `https://t.me/+...`.
    pub url: String,
    /// The chat that it leads to.
    pub chat_id: i64,
    /// The name as Telegram keeps it: white space cleaned up, at most 32 characters.
    pub name: Option<String>,
    /// The bot that made it, or [`OWNER_ID`](super::OWNER_ID).
    pub creator_bot_id: i64,
    /// Epoch seconds after which it is dead.
    pub expire_date: Option<i64>,
    /// How many members may be in the chat at the same time by this link; absent is no limit.
    pub member_limit: Option<i64>,
    /// Whether it makes join requests instead of members.
    pub creates_join_request: bool,
    /// Whether it is the bot's primary link.
    pub is_primary: bool,
    /// Whether it was revoked.
    pub revoked: bool,
    /// Who joined by it, oldest first, each join once, at most [`REMEMBERED_JOINERS`].
    pub joined: Vec<i64>,
    /// How often someone joined by it.
    pub joins: u64,
    /// When it was made, in milliseconds.
    pub created_at_ms: i64,
    pub(crate) present: BTreeSet<i64>,
    pub(crate) requests: BTreeSet<i64>,
}

impl Link {
    pub(crate) fn new(chat_id: i64, creator_bot_id: i64, terms: Terms, now_ms: i64) -> Self {
        let mut link = Self {
            url: unguessable(),
            chat_id,
            name: None,
            creator_bot_id,
            expire_date: None,
            member_limit: None,
            creates_join_request: false,
            is_primary: false,
            revoked: false,
            joined: Vec::new(),
            joins: 0,
            created_at_ms: now_ms,
            present: BTreeSet::new(),
            requests: BTreeSet::new(),
        };
        link.set(terms);
        link
    }

    pub(crate) fn set(&mut self, terms: Terms) {
        self.name = terms.name;
        self.expire_date = terms.expire_date;
        self.member_limit = terms.member_limit;
        self.creates_join_request = terms.creates_join_request;
    }

    pub(crate) fn is_expired(&self, now_seconds: i64) -> bool {
        self.expire_date
            .is_some_and(|expires| expires <= now_seconds)
    }

    /// The limit is on members present by this link, not on its uses: a used link works again once its user left.
    pub(crate) fn is_full(&self) -> bool {
        let present = i64::try_from(self.present.len()).unwrap_or(i64::MAX);
        self.member_limit.is_some_and(|limit| present >= limit)
    }

    pub(crate) fn record_join(&mut self, user_id: i64) {
        self.present.insert(user_id);
        self.requests.remove(&user_id);
        self.joins += 1;
        if self.joined.len() >= REMEMBERED_JOINERS {
            self.joined.remove(0);
        }
        self.joined.push(user_id);
    }

    /// The `ChatInviteLink` as `viewer` sees it: only its creator sees the whole link.
    pub(crate) fn json(&self, creator: &User, viewer_bot_id: i64) -> Value {
        let url = if viewer_bot_id == self.creator_bot_id {
            self.url.clone()
        } else {
            let shown: String = self.url.chars().take("https://t.me/+".len() + 8).collect();
            format!("{shown}...")
        };
        let mut link = json!({
            "invite_link": url, "creator": creator.json(), "creates_join_request": self.creates_join_request,
            "is_primary": self.is_primary, "is_revoked": self.revoked,
        });
        if let Some(name) = &self.name {
            link["name"] = json!(name);
        }
        if let Some(expires) = self.expire_date {
            link["expire_date"] = json!(expires);
        }
        if let Some(limit) = self.member_limit {
            link["member_limit"] = json!(limit);
        }
        if !self.requests.is_empty() {
            link["pending_join_request_count"] = json!(self.requests.len());
        }
        link
    }
}

/// What a caller may choose about a link, already as Telegram keeps it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    pub(crate) name: Option<String>,
    pub(crate) expire_date: Option<i64>,
    pub(crate) member_limit: Option<i64>,
    pub(crate) creates_join_request: bool,
}

/// White space cleaned up, and silently cut at 32 characters.
pub(crate) fn clean_name(name: &str) -> Option<String> {
    let words: Vec<&str> = name
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|w| !w.is_empty())
        .collect();
    let cut: String = words.join(" ").chars().take(LONGEST_NAME).collect();
    let cut = cut.trim_end();
    (!cut.is_empty()).then(|| cut.to_owned())
}

fn unguessable() -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bits = fastrand::u128(..);
    let mut url = String::from("https://t.me/+");
    for _ in 0..16 {
        let index = usize::try_from(bits & 63).unwrap_or_default();
        url.push(char::from(ALPHABET.get(index).copied().unwrap_or(b'A')));
        bits >>= 6;
    }
    url
}
