//! The record of one request, and what its state allows.
//!
//! ```text
//! QUEUED --(a try did not succeed)--> PROCESSING ----> DONE | FAILED
//!    |                                                  |       |
//!    +----------------------------------------> DONE    |       |
//!    ^                                                  |       |
//!    +---- a re-issue: the next link version -----------+       +-- retry
//! ```
//!
//! A request that is re-issued keeps its old link as [`ReplacedLink`] until that is revoked and another one is handed
//! out. If somebody joined by the old one meanwhile, the request is DONE with the old link again.

use std::time::Duration;

use super::event::{Event, EventName};
use super::fault::Fault;
use super::history::Entry;
use super::id::{BotId, ChatId, InviteLink, RequestId, TelegramUserId};
use super::member::entitlement::{Cover, Entitlement};
use super::order::record::OrderedSeat;
use super::purchase::{self, Purchase};
use super::retry::Tries;
use super::time::Timestamp;

/// How long the message of an event has before the sweeper sends another one.
pub const PENDING_AFTER: Duration = Duration::from_secs(3600);
/// The longest time between two messages that the sweeper sends of one event.
const RESEND_MAX: Duration = Duration::from_secs(24 * 3600);
/// How long a record is kept after its link has ended, at least: whoever asks then is told what became of it.
pub const KEPT_AFTER_LINK: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long the sweeper waits for the message that it sends of an event, after `sends` others: an hour, then two, and so on
/// up to a day.
#[must_use]
pub fn resend_wait(sends: u32) -> Duration {
    PENDING_AFTER
        .saturating_mul(1_u32.checked_shl(sends).unwrap_or(u32::MAX))
        .min(RESEND_MAX)
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Accepted, waiting for its turn.
    Queued,
    /// A try did not succeed, and it is retried.
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
    /// The chat by which the payment is known: that of its tasks. It stays when a group becomes a supergroup.
    pub canonical_chat: ChatId,
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
    /// An operator gave the *link created* event up: it is not delivered any more.
    pub link_event_given_up: bool,
    /// WebEngage accepted the *joined* event.
    pub join_event_fired: bool,
    /// An operator gave the *joined* event up.
    pub join_event_given_up: bool,
    /// Who joined by the link.
    pub telegram_user_id: Option<TelegramUserId>,
    /// When they joined.
    pub joined_at: Option<Timestamp>,
    /// When who joined last has left the chat. It stays until somebody joins again.
    pub left_at: Option<Timestamp>,
    /// When somebody was inside again last by the same seat, after a leave.
    pub returned_at: Option<Timestamp>,
    /// The version of the link from which on a join counts: that of the last re-issue after somebody had left. The event
    /// of each of these joins has an id of its own.
    pub join_version: u32,
    /// What went wrong last.
    pub error: Option<String>,
    /// When the link was handed out.
    pub done_at: Option<Timestamp>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// How many links of it were replaced: the version of the present one.
    pub link_version: u32,
    /// The link that is being replaced.
    pub replaced: Option<ReplacedLink>,
    /// The link that the person joined by; it may be one that was replaced.
    pub joined_link: Option<InviteLink>,
    /// When the sweeper sends the events that were not delivered by then; nothing if all are.
    pub pending_since: Option<Timestamp>,
    /// The key of its task in the lane of failed ones.
    pub failed_key: Option<String>,
    /// When its shop took the seat back, before anybody had joined.
    pub voided_at: Option<Timestamp>,
    /// Which claim link of it works, if its buyer got a claim link in place of an invite link.
    pub claim_version: Option<u8>,
    /// Who claimed it.
    pub bound_to: Option<TelegramUserId>,
    /// When they did, or claimed it back after it was taken away from them as stolen.
    pub bound_at: Option<Timestamp>,
    /// From whom they took it over, if it moved to them and they did not claim it back since.
    pub bound_from: Option<TelegramUserId>,
    /// Whether whoever comes with its present claim link takes it over from who claimed it.
    pub is_moving: bool,
    /// Whether who claimed it loses it before it is taken over: it was stolen.
    pub is_stolen: bool,
    /// When the seat that it gives ends; nothing if never.
    pub seat_until: Option<Timestamp>,
    /// The order that bought it, with what that grants by now; absent if a shop reported the payment.
    pub order: Option<OrderedSeat>,
    /// What operators did to it, the newest last.
    pub history: Vec<Entry>,
    /// How much they ever did to it.
    pub actions: u64,
    /// When the record is forgotten, as far as it says.
    pub expires_at: Option<Timestamp>,
}

/// A link that is being replaced by another: it must be revoked before the other one is handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplacedLink {
    /// The link.
    pub invite_link: InviteLink,
    /// The bot that made it, and alone can revoke it.
    pub bot: BotId,
    /// When it stops to work by itself.
    pub link_expires_at: Option<Timestamp>,
    /// When it was handed out.
    pub done_at: Option<Timestamp>,
    /// WebEngage accepted its event.
    pub link_event_fired: bool,
    /// Telegram took it out of use.
    pub is_revoked: bool,
    /// When the other link was asked for first.
    pub reissued_at: Timestamp,
}

impl ReplacedLink {
    /// Whether it has ended by itself.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.link_expires_at.is_some_and(|at| at < now)
    }

    /// Whether it lets nobody in any more, although its revocation failed by `fault`.
    #[must_use]
    pub fn is_dead_after(&self, fault: Fault, now: Timestamp) -> bool {
        match fault {
            Fault::Permanent => true,
            Fault::RateLimited { .. } | Fault::Migrated(_) => false,
            // It has ended by itself: nothing of this must hold its buyer up.
            Fault::Retry | Fault::Unknown | Fault::ChatFault | Fault::Refused => {
                self.is_expired(now)
            }
        }
    }
}

/// What a mint is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MintStep {
    /// Make the link.
    Make,
    /// Nothing but to see that its event is queued: the link was handed out.
    HandedOut,
    /// Hand out the replaced link again: somebody joined by it.
    Restore,
    /// Nothing: the request was given up or voided, or wants another version of the link.
    Drop,
}

/// What is to become of a message that tells an event of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventState {
    /// It is to be delivered.
    Wanted,
    /// WebEngage has accepted it.
    Delivered,
    /// An operator gave it up.
    GivenUp,
    /// It is about a link that was replaced or voided: nobody must be sent to it.
    Replaced,
}

/// What a try to settle a request as DONE came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// This link is the one that was handed out; to whom it is told, if they had claimed the request by then.
    HandedOut(Option<TelegramUserId>),
    /// The request is settled, voided, or at another version; this link must never be seen.
    Lost,
    /// Somebody joined by the link that was to be replaced: there is no seat for this one, which must never be seen.
    AlreadyJoined,
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
            canonical_chat: purchase.canonical_chat(),
            status: Status::Queued,
            attempts: 0,
            refusals: 0,
            invite_link: None,
            link_expires_at: None,
            link_event_fired: false,
            link_event_given_up: false,
            join_event_fired: false,
            join_event_given_up: false,
            telegram_user_id: None,
            joined_at: None,
            left_at: None,
            returned_at: None,
            join_version: 0,
            error: None,
            done_at: None,
            created_at: now,
            updated_at: now,
            link_version: 0,
            replaced: None,
            joined_link: None,
            pending_since: None,
            failed_key: None,
            voided_at: None,
            claim_version: None,
            bound_to: None,
            bound_at: None,
            bound_from: None,
            is_moving: false,
            is_stolen: false,
            seat_until: None,
            order: purchase.order,
            history: Vec::new(),
            actions: 0,
            expires_at: None,
        }
    }

    /// The same request, DONE with a pooled link, without any try at Telegram.
    #[must_use]
    pub fn served_from_pool(
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
            pending_since: Some(self.updated_at.plus(PENDING_AFTER)),
            ..self
        }
    }

    /// The same request, DONE with its first claim link, `link`: it works until it is claimed, voided or moved.
    #[must_use]
    pub fn served_by_claim(self, link: InviteLink) -> Self {
        Self {
            status: Status::Done,
            invite_link: Some(link),
            done_at: Some(self.updated_at),
            pending_since: Some(self.updated_at.plus(PENDING_AFTER)),
            claim_version: Some(0),
            ..self
        }
    }

    /// The same request as a free seat until `seat_until`, with its claim link: no shop has sold it, so none is told of it.
    #[must_use]
    pub fn given_free(self, link: InviteLink, seat_until: Option<Timestamp>) -> Self {
        Self {
            pending_since: None,
            link_event_given_up: true,
            join_event_given_up: true,
            seat_until,
            ..self.served_by_claim(link)
        }
    }

    /// Whether no event of it is for anybody: no shop sold it.
    #[must_use]
    pub const fn tells_nobody(&self) -> bool {
        self.link_event_given_up
            && self.join_event_given_up
            && !self.link_event_fired
            && !self.join_event_fired
    }

    /// What it grants to whoever claims it.
    #[must_use]
    pub fn entitlement(&self) -> Entitlement {
        match self.order {
            Some(order) => order.entitlement.of_seat(),
            None => Entitlement::new(
                self.seat_until.map_or(Cover::Forever, Cover::Until),
                self.created_at,
            ),
        }
    }

    /// What a mint of this version of the link is to do.
    #[must_use]
    pub fn mint_step(&self, link_version: u32) -> MintStep {
        match self.status {
            Status::Done => MintStep::HandedOut,
            Status::Failed => MintStep::Drop,
            Status::Queued | Status::Processing => {
                if self.is_already_joined() {
                    MintStep::Restore
                } else if self.voided_at.is_some()
                    || self.link_version != link_version
                    || self.replaced.as_ref().is_some_and(|old| !old.is_revoked)
                {
                    // While the old link works, its replacement comes first, and puts a mint of its own.
                    MintStep::Drop
                } else {
                    MintStep::Make
                }
            }
        }
    }

    /// Reads the refusal of settling with `link` from the record as it stands. The maker may find itself: the SDK repeats
    /// a write whose answer was lost.
    #[must_use]
    pub fn settle_refused(&self, link: &InviteLink) -> Settled {
        if self.invite_link.as_ref() == Some(link) {
            Settled::HandedOut(self.bound_to)
        } else if self.is_already_joined() {
            Settled::AlreadyJoined
        } else {
            Settled::Lost
        }
    }

    /// The tries that it has behind it.
    #[must_use]
    pub const fn tries(&self) -> Tries {
        Tries {
            attempts: self.attempts,
            refusals: self.refusals,
        }
    }

    /// Whether it waits for its link of this version.
    #[must_use]
    pub const fn waits_for(&self, link_version: u32) -> bool {
        matches!(self.status, Status::Queued | Status::Processing)
            && self.voided_at.is_none()
            && self.link_version == link_version
    }

    /// Whether it was given up before it had its link of this version.
    #[must_use]
    pub fn has_failed(&self, link_version: u32) -> bool {
        self.status == Status::Failed
            && self.voided_at.is_none()
            && self.link_version == link_version
    }

    /// The link that is to make place for the one of this version; nothing if that is not wanted any more.
    #[must_use]
    pub fn to_be_replaced(&self, link_version: u32) -> Option<&ReplacedLink> {
        self.replaced
            .as_ref()
            .filter(|_| self.waits_for(link_version))
    }

    /// The link that took the place of `used`, by which somebody joined: the seat is taken, so it must go. One that is being
    /// replaced itself is seen to by its task.
    #[must_use]
    pub fn successor_of(&self, used: &InviteLink) -> Option<&InviteLink> {
        let present = self.invite_link.as_ref();
        present.filter(|link| self.link_version > 0 && *link != used)
    }

    /// Whether a purchase that means this request is its buyer's.
    ///
    /// # Errors
    /// [`purchase::Rejection::TransactionConflict`] if it is somebody else's.
    pub fn check_buyer(&self, purchase: &Purchase) -> Result<(), purchase::Rejection> {
        if self.user_id == purchase.user_id {
            Ok(())
        } else {
            Err(purchase::Rejection::TransactionConflict)
        }
    }

    /// Whether this is the record of a purchase that was accepted at `at`, written by another hand: the dispatcher was
    /// faster, or the SDK repeated a write whose answer was lost. The record of a call in the very same millisecond can't be
    /// told from it.
    #[must_use]
    pub fn is_of(&self, purchase: &Purchase, at: Timestamp) -> bool {
        self.created_at == at && self.user_id == purchase.user_id
    }

    /// Whether somebody joined, and has not left.
    #[must_use]
    pub const fn is_seat_taken(&self) -> bool {
        self.joined_at.is_some() && self.left_at.is_none()
    }

    /// Whether its link is there for its buyer, who has not used it.
    #[must_use]
    pub const fn waits_to_be_used(&self) -> bool {
        matches!(self.status, Status::Done)
            && self.invite_link.is_some()
            && self.voided_at.is_none()
            && !self.is_seat_taken()
    }

    /// Whether its link has ended by itself before anybody joined by it.
    #[must_use]
    pub fn is_expired_unused(&self, now: Timestamp) -> bool {
        self.status == Status::Done
            && self.invite_link.is_some()
            && self.joined_at.is_none()
            && self.voided_at.is_none()
            && self.link_expires_at.is_some_and(|at| at <= now)
    }

    /// Until when the record is to be kept, if its link ends at `link_expires_at`.
    #[must_use]
    pub fn kept_until(&self, link_expires_at: Timestamp) -> Timestamp {
        let least = link_expires_at.plus(KEPT_AFTER_LINK);
        self.expires_at.map_or(least, |at| at.max(least))
    }

    /// What is to become of a message that tells `event`.
    #[must_use]
    pub fn state_of(&self, event: &Event) -> EventState {
        let (version, is_fired, is_given_up) = match event.event_name {
            EventName::LinkCreated => (
                self.link_version,
                self.link_event_fired,
                self.link_event_given_up,
            ),
            EventName::Joined => (
                self.join_version,
                self.join_event_fired,
                self.join_event_given_up,
            ),
        };
        match event.event_name {
            EventName::LinkCreated if event.link_version != version => EventState::Replaced,
            // Of somebody who has left meanwhile, and whose seat is free again: it came true all the same.
            EventName::Joined if event.link_version != version => EventState::Wanted,
            _ if is_fired => EventState::Delivered,
            _ if is_given_up => EventState::GivenUp,
            _ => EventState::Wanted,
        }
    }

    /// Whether somebody joined by the link that is being replaced.
    #[must_use]
    pub fn is_already_joined(&self) -> bool {
        self.replaced.is_some() && self.joined_at.is_some()
    }

    /// The events that became true and were not delivered.
    #[must_use]
    pub fn pending_events(&self) -> Vec<Event> {
        let of_link = match self.status {
            Status::Done => self.unsent_link_event(),
            _ => None,
        };
        let of_join = self
            .link_of_join()
            .and_then(|link| self.unsent_join_event(link));
        of_link.into_iter().chain(of_join).collect()
    }

    /// The *link created* event, if the link is there and WebEngage has not accepted the event yet.
    #[must_use]
    pub fn unsent_link_event(&self) -> Option<Event> {
        let link = self
            .invite_link
            .as_ref()
            .filter(|_| !self.link_event_fired && !self.link_event_given_up)
            .filter(|_| self.voided_at.is_none())?;
        let event = Event::link_created(
            self.request_id,
            &self.user_id,
            &self.transaction_id,
            link,
            self.done_at.unwrap_or(self.updated_at),
        );
        Some(event.of_version(self.link_version))
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
            .filter(|_| !self.join_event_fired && !self.join_event_given_up)?;
        let event = Event::joined(
            self.request_id,
            &self.user_id,
            &self.transaction_id,
            link,
            person,
            at,
        );
        Some(event.of_version(self.join_version))
    }
}

#[cfg(test)]
mod tests;
