//! The record of one request, and what its state allows.
//!
//! ```text
//! QUEUED -> PROCESSING (claim) -> DONE | FAILED
//!    ^          |   a lapsed lease may be claimed again
//!    +----------+   put back: rate limit, backoff, chat held
//!    ^                             |       |
//!    +---- an operator: re-issue --+       +-- retry
//! ```
//!
//! A request that is re-issued keeps its old link as [`Revoking`] until it is dead and another one is handed out. If
//! somebody joined by the old one meanwhile, the seat is taken: the request is DONE with the old link again.

use std::time::Duration;

use super::action::Entry;
use super::event::Event;
use super::id::{BotId, ChatId, InviteLink, RequestId, TelegramUserId};
use super::purchase::Purchase;
use super::time::Timestamp;

/// How long a claim holds. It outlasts all that its owner does with it: at most 20 s for Telegram's answer and two
/// writes of at most 5 s each. The queue shows a message of a dead worker again later than this.
pub const LEASE: Duration = Duration::from_secs(60);

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Accepted, waiting for its turn.
    Queued,
    /// Claimed by a worker until its lease lapses.
    Processing,
    /// The link is handed out.
    Done,
    /// Given up; a person must act.
    Failed,
}

impl Status {
    /// The word in tables and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Processing => "PROCESSING",
            Self::Done => "DONE",
            Self::Failed => "FAILED",
        }
    }

    /// Reads the word of [`Status::as_str`].
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Queued, Self::Processing, Self::Done, Self::Failed]
            .into_iter()
            .find(|status| status.as_str() == word)
    }
}

/// The record of one request.
#[derive(Clone)]
pub struct Invite {
    /// The request.
    pub request_id: RequestId,
    /// The shop's user.
    pub user_id: String,
    /// The shop's transaction; empty if it has none.
    pub transaction_id: String,
    /// The chat that was paid for.
    pub chat: ChatId,
    /// Where it stands.
    pub status: Status,
    /// Real tries at Telegram; a wait for a rate limit or for a held chat is none.
    pub attempts: u32,
    /// How many of them ended in a refusal that may be final.
    pub refusals: u32,
    /// The link that was handed out.
    pub invite_link: Option<InviteLink>,
    /// When the link stops to work.
    pub link_expires_at: Option<Timestamp>,
    /// WebEngage accepted the *link created* event.
    pub link_event_fired: bool,
    /// WebEngage accepted the *joined* event.
    pub join_event_fired: bool,
    /// Who joined by the link.
    pub telegram_user_id: Option<TelegramUserId>,
    /// When they joined.
    pub joined_at: Option<Timestamp>,
    /// What went wrong last.
    pub error: Option<String>,
    /// The claim that holds it.
    pub lease_owner: Option<String>,
    /// When the lease lapses; of a request that was put back, when it may be claimed again.
    pub lease_until: Option<Timestamp>,
    /// When the link was handed out.
    pub done_at: Option<Timestamp>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// How many links of it were replaced: the number of the present one.
    pub issue: u32,
    /// The link that is being replaced.
    pub revoking: Option<Revoking>,
    /// The link that the person joined by; it may be one that was replaced.
    pub joined_link: Option<InviteLink>,
    /// Whether it is in the index of open requests: not all of it is settled and told.
    pub is_open: bool,
    /// What operators did to it, the newest last.
    pub history: Vec<Entry>,
    /// How much they ever did to it.
    pub actions: u64,
}

/// A link that is being replaced by another: it must be dead before the other one is handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoking {
    /// The link.
    pub invite_link: InviteLink,
    /// The bot that made it, and alone can revoke it; the first one, if that is not known.
    pub bot: Option<BotId>,
    /// When it stops to work by itself.
    pub link_expires_at: Option<Timestamp>,
    /// When it was handed out.
    pub done_at: Option<Timestamp>,
    /// WebEngage accepted its event.
    pub link_event_fired: bool,
    /// Telegram took it out of use.
    pub is_dead: bool,
}

/// What became of a try to claim a request.
pub enum Claim {
    /// It is ours until the lease lapses.
    Ours(Box<Invite>),
    /// Its link was handed out before.
    Done(Box<Invite>),
    /// It was given up before.
    Failed,
    /// Another worker has it, or it was put back and its time has not come.
    Held {
        /// When it may be claimed.
        until: Timestamp,
    },
}

/// What a try to settle a request as DONE came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// This link is the one that was handed out.
    HandedOut,
    /// Another owner has the request; this link must never be seen.
    Lost,
    /// Somebody joined by the link that was to be replaced: there is no seat for this one, which must never be seen.
    SeatTaken,
}

impl Invite {
    /// The record of a request accepted at `now`.
    #[must_use]
    pub fn accept(request_id: RequestId, purchase: &Purchase, now: Timestamp) -> Self {
        Self {
            request_id,
            user_id: purchase.user_id.clone(),
            transaction_id: purchase.transaction_id.clone(),
            chat: purchase.chat,
            status: Status::Queued,
            attempts: 0,
            refusals: 0,
            invite_link: None,
            link_expires_at: None,
            link_event_fired: false,
            join_event_fired: false,
            telegram_user_id: None,
            joined_at: None,
            error: None,
            lease_owner: None,
            lease_until: None,
            done_at: None,
            created_at: now,
            updated_at: now,
            issue: 0,
            revoking: None,
            joined_link: None,
            is_open: true,
            history: Vec::new(),
            actions: 0,
        }
    }

    /// The same request, DONE with a link of the stock, without any try at Telegram.
    #[must_use]
    pub fn served_from_stock(
        self,
        chat: ChatId,
        link: InviteLink,
        link_expires_at: Timestamp,
    ) -> Self {
        Self {
            status: Status::Done,
            chat,
            invite_link: Some(link),
            link_expires_at: Some(link_expires_at),
            done_at: Some(self.updated_at),
            ..self
        }
    }

    /// Reads the refusal of a claim by `owner` from the record as it stands.
    ///
    /// The owner may find itself: the SDK repeats a write whose answer was lost.
    #[must_use]
    pub fn claim_refused(self, owner: &str, now: Timestamp) -> Claim {
        match self.status {
            Status::Done => Claim::Done(Box::new(self)),
            Status::Failed => Claim::Failed,
            Status::Processing if self.lease_owner.as_deref() == Some(owner) => {
                Claim::Ours(Box::new(self))
            }
            Status::Processing | Status::Queued => Claim::Held {
                until: self.lease_until.unwrap_or(now),
            },
        }
    }

    /// Reads the refusal of settling with `link` by `owner` from the record as it stands. The link may be in it already:
    /// the SDK repeats a write whose answer was lost, and a link that was handed out must not be revoked.
    #[must_use]
    pub fn settle_refused(&self, link: &InviteLink, owner: &str) -> Settled {
        if self.invite_link.as_ref() == Some(link) {
            Settled::HandedOut
        } else if self.is_seat_taken() && self.lease_owner.as_deref() == Some(owner) {
            Settled::SeatTaken
        } else {
            Settled::Lost
        }
    }

    /// Whether somebody joined by the link that is being replaced.
    #[must_use]
    pub fn is_seat_taken(&self) -> bool {
        self.revoking.is_some() && self.joined_at.is_some()
    }

    /// Whether nothing is left to be done about it: it is settled, and all that became true was told.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let is_join_told = self.joined_at.is_none() || self.join_event_fired;
        match self.status {
            Status::Done => self.link_event_fired && is_join_told,
            Status::Failed => is_join_told,
            Status::Queued | Status::Processing => false,
        }
    }

    /// The *link created* event, if the link is there and WebEngage has not accepted the event yet.
    #[must_use]
    pub fn unsent_link_event(&self) -> Option<Event> {
        let link = self
            .invite_link
            .as_ref()
            .filter(|_| !self.link_event_fired)?;
        let event = Event::link_created(
            self.request_id,
            &self.user_id,
            &self.transaction_id,
            link,
            self.done_at.unwrap_or(self.updated_at),
        );
        Some(event.of_issue(self.issue))
    }

    /// The link that the person joined by, as far as the record knows.
    #[must_use]
    pub fn link_of_join(&self) -> Option<&InviteLink> {
        self.joined_link.as_ref().or(self.invite_link.as_ref())
    }

    /// The *joined* event by `link`, if somebody joined and WebEngage has not accepted the event yet.
    #[must_use]
    pub fn unsent_join_event(&self, link: &InviteLink) -> Option<Event> {
        let (person, at) = self
            .telegram_user_id
            .zip(self.joined_at)
            .filter(|_| !self.join_event_fired)?;
        Some(Event::joined(
            self.request_id,
            &self.user_id,
            &self.transaction_id,
            link,
            person,
            at,
        ))
    }
}
