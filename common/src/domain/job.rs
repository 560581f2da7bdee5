//! What the worker is asked to do: the messages of the invite queue.

use serde::{Deserialize, Serialize};

use super::id::{BotId, ChatId, InviteLink, RequestId};
use super::invite::Invite;
use super::stock::UnitId;
use super::time::Timestamp;

/// A message of the invite queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Job {
    /// Make the link of a request.
    Mint(Mint),
    /// Take a link out of use.
    Revoke(Revoke),
    /// Make a link for the stock.
    Stock(Restock),
}

/// Make the link of a request. It carries everything, so that the worker can create a record that was never written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mint {
    /// The request.
    pub request_id: RequestId,
    /// The shop's user.
    pub user_id: String,
    /// The shop's transaction; empty if it has none.
    pub transaction_id: String,
    /// The chat that was paid for.
    pub chat_id: ChatId,
    /// When the request was accepted.
    pub created_at: Timestamp,
    /// Not to be tried before this: set on every job that was put back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
}

impl Mint {
    /// The job of a request whose record is there, to be done now.
    #[must_use]
    pub fn of(invite: &Invite) -> Self {
        Self {
            request_id: invite.request_id,
            user_id: invite.user_id.clone(),
            transaction_id: invite.transaction_id.clone(),
            chat_id: invite.chat,
            created_at: invite.created_at,
            not_before: None,
        }
    }
}

/// Take a link out of use: it was used, or its attempt lost the request to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revoke {
    /// The chat that the link leads to.
    pub chat_id: ChatId,
    /// The link.
    pub invite_link: InviteLink,
    /// The request that it was made for; a link of the stock that was never sold has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// The bot that made it, and alone can revoke it; the first one, if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bot_id: Option<BotId>,
    /// Not to be tried before this: set on every job that was put back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
}

/// Make a link for the stock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Restock {
    /// The chat that the link is to lead to.
    pub chat_id: ChatId,
    /// The id that the chat's payments are known by.
    pub shelf: ChatId,
    /// The number of the unit.
    pub unit: u64,
    /// How long the link is to work, from its making on, in seconds.
    pub ttl_sec: u64,
    /// Not to be tried before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
}

impl Restock {
    /// The unit that it makes.
    #[must_use]
    pub const fn unit_id(&self) -> UnitId {
        UnitId {
            shelf: self.shelf,
            number: self.unit,
        }
    }
}

impl Job {
    /// The chat that the job is about.
    #[must_use]
    pub const fn chat(&self) -> ChatId {
        match self {
            Self::Mint(mint) => mint.chat_id,
            Self::Revoke(revoke) => revoke.chat_id,
            Self::Stock(stock) => stock.chat_id,
        }
    }

    /// The request that the job is about, if there is one.
    #[must_use]
    pub const fn request_id(&self) -> Option<RequestId> {
        match self {
            Self::Mint(mint) => Some(mint.request_id),
            Self::Revoke(revoke) => revoke.request_id,
            Self::Stock(_) => None,
        }
    }

    /// When the job may be tried, if it was put back.
    #[must_use]
    pub const fn not_before(&self) -> Option<Timestamp> {
        match self {
            Self::Mint(mint) => mint.not_before,
            Self::Revoke(revoke) => revoke.not_before,
            Self::Stock(stock) => stock.not_before,
        }
    }

    /// The same job, not to be tried before `at`.
    #[must_use]
    pub fn put_back_until(mut self, at: Timestamp) -> Self {
        match &mut self {
            Self::Mint(mint) => mint.not_before = Some(at),
            Self::Revoke(revoke) => revoke.not_before = Some(at),
            Self::Stock(stock) => stock.not_before = Some(at),
        }
        self
    }

    /// The same job for the chat that its chat has become.
    #[must_use]
    pub fn moved_to(mut self, chat: ChatId) -> Self {
        match &mut self {
            Self::Mint(mint) => mint.chat_id = chat,
            Self::Revoke(revoke) => revoke.chat_id = chat,
            Self::Stock(stock) => stock.chat_id = chat,
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::super::id::IdentitySource;
    use super::*;

    #[test]
    fn jobs_read_as_the_contract_writes_them() {
        let id = RequestId::derive(ChatId(-1), IdentitySource::Transaction("T1"));
        let mint = format!(
            r#"{{"kind":"mint","requestId":"{id}","userId":"u","transactionId":"T1","chatId":-1,"createdAt":"2026-01-01T00:00:00.000Z"}}"#
        );
        let job: Job = serde_json::from_str(&mint).unwrap();
        assert_eq!(serde_json::to_string(&job).unwrap(), mint);
        let revoke = format!(
            r#"{{"kind":"revoke","chatId":-1,"inviteLink":"https://t.me/+a","requestId":"{id}"}}"#
        );
        let job: Job = serde_json::from_str(&revoke).unwrap();
        assert_eq!(serde_json::to_string(&job).unwrap(), revoke);
        let stock = r#"{"kind":"stock","chatId":-1,"shelf":-2,"unit":7,"ttlSec":2592000}"#;
        let moved: Job = serde_json::from_str(stock).unwrap();
        assert_eq!(serde_json::to_string(&moved).unwrap(), stock);
        let later = job.put_back_until(Timestamp::from_ms(0));
        assert!(
            serde_json::to_string(&later)
                .unwrap()
                .contains(r#""notBefore":"1970-01-01T00:00:00.000Z""#)
        );
    }
}
