//! What operators and shops do to a request: what its state allows, and what its record keeps of it.
//!
//! Every action may be asked for twice, by a person who saw no answer: the second time finds what the first one did,
//! and changes nothing.

use super::event::EventName;
use super::history::{Entry, HISTORY_MAX};
use super::invite::{Invite, Status};
use super::time::Timestamp;

/// What an action writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A request that was given up begins anew.
    Anew,
    /// One that is under way stays as it is.
    Again,
    /// Its link is to be replaced.
    Reissue,
    /// An event counts as not delivered.
    ResetFlag(EventName),
    /// The seat is taken back, and its link is revoked.
    Void,
    /// An event is not delivered any more.
    GiveUp(EventName),
    /// None: it was done before.
    Nothing,
}

/// Why an action is refused; nothing is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The link is there: there is nothing to be retried.
    AlreadyDone,
    /// There is no link to be replaced.
    NotDone,
    /// Somebody joined by the link: another one would be a second seat.
    AlreadyJoined,
    /// Another link than the one that was named is there by now.
    LinkReplaced,
    /// The event has not come true.
    NoSuchEvent,
    /// WebEngage has accepted the event.
    AlreadyDelivered,
    /// The seat was taken back.
    Voided,
    /// The buyer has a claim link, which does not end: there is nothing to be replaced.
    ClaimLink,
    /// The buyer has an invite link: there is no claim that could move.
    NoClaimLink,
    /// The seat moved as often as it may for now.
    MovedTooOften,
    /// An operator ended the seat: what is left of it can't move.
    SeatEnded,
}

impl Rejection {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::AlreadyDone,
        Self::NotDone,
        Self::AlreadyJoined,
        Self::LinkReplaced,
        Self::NoSuchEvent,
        Self::AlreadyDelivered,
        Self::Voided,
        Self::ClaimLink,
        Self::NoClaimLink,
        Self::MovedTooOften,
        Self::SeatEnded,
    ];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::AlreadyDone => "already_done",
            Self::NotDone => "not_done",
            Self::AlreadyJoined => "already_joined",
            Self::LinkReplaced => "link_replaced",
            Self::NoSuchEvent => "no_such_event",
            Self::AlreadyDelivered => "already_delivered",
            Self::Voided => "voided",
            Self::ClaimLink => "claim_link",
            Self::NoClaimLink => "no_claim_link",
            Self::MovedTooOften => "moved_too_often",
            Self::SeatEnded => "seat_ended",
        }
    }

    /// What its caller is told.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::AlreadyDone => "The request has its link; to get another one, re-issue it.",
            Self::NotDone => {
                "The request has no link that could be replaced: wait until it is DONE; if it is FAILED, an operator has to retry it."
            }
            Self::AlreadyJoined => {
                "Somebody joined by the link and has the seat; remove that person from the chat in Telegram, and call again once they have left."
            }
            Self::LinkReplaced => {
                "Another link than the named one is there by now; nothing was changed."
            }
            Self::NoSuchEvent => "This has not happened, so there is no event to send.",
            Self::AlreadyDelivered => {
                "WebEngage has taken this event, so there is nothing to be given up."
            }
            Self::Voided => {
                "The request was voided, so its seat is gone for good; a new payment needs a transactionId of its own."
            }
            Self::ClaimLink => {
                "The request has a claim link, which works until it is claimed: send the buyer the inviteLink of GET again."
            }
            Self::NoClaimLink => {
                "The request has no claim link, so its seat is nobody's to move; to get another link, re-issue it."
            }
            Self::MovedTooOften => {
                "The seat has moved as often as it may within 30 days; an operator may still move it."
            }
            Self::SeatEnded => {
                "An operator ended the seat, so there is nothing to be moved; a new seat needs a new payment or a grant."
            }
        }
    }
}

impl Invite {
    /// What a retry does.
    ///
    /// # Errors
    /// [`Rejection::AlreadyDone`] and [`Rejection::Voided`].
    pub const fn retry(&self) -> Result<Change, Rejection> {
        if self.voided_at.is_some() {
            return Err(Rejection::Voided);
        }
        match self.status {
            Status::Failed => Ok(Change::Anew),
            Status::Queued | Status::Processing => Ok(Change::Again),
            Status::Done => Err(Rejection::AlreadyDone),
        }
    }

    /// What the replacement of the link of version `link_version` does, or of the present one if none is named.
    ///
    /// # Errors
    /// [`Rejection::Voided`], [`Rejection::ClaimLink`], [`Rejection::AlreadyJoined`], [`Rejection::LinkReplaced`] and
    /// [`Rejection::NotDone`].
    pub fn reissue(&self, link_version: Option<u32>) -> Result<Change, Rejection> {
        if self.voided_at.is_some() {
            return Err(Rejection::Voided);
        }
        if self.claim_version.is_some() {
            return Err(Rejection::ClaimLink);
        }
        if self.is_seat_taken() {
            return Err(Rejection::AlreadyJoined);
        }
        let under_way = matches!(self.status, Status::Queued | Status::Processing);
        match link_version {
            // The same again, and perhaps a new link is there already.
            Some(version) if version.checked_add(1) == Some(self.link_version) => {
                return match self.status {
                    Status::Failed => Err(Rejection::NotDone),
                    _ => Ok(Change::Again),
                };
            }
            Some(version) if version != self.link_version => return Err(Rejection::LinkReplaced),
            None if under_way && self.replaced.is_some() => return Ok(Change::Again),
            _ => {}
        }
        if self.status == Status::Done && self.invite_link.is_some() {
            Ok(Change::Reissue)
        } else {
            Err(Rejection::NotDone)
        }
    }

    /// What the repeat of a payment does: its link is replaced if it ended before anybody joined by it.
    #[must_use]
    pub fn repeat(&self, now: Timestamp) -> Change {
        if self.is_expired_unused(now) {
            Change::Reissue
        } else {
            Change::Nothing
        }
    }

    /// What taking the seat back does. Who holds it must have left first.
    ///
    /// # Errors
    /// [`Rejection::AlreadyJoined`].
    pub const fn void(&self) -> Result<Change, Rejection> {
        if self.voided_at.is_some() {
            Ok(Change::Nothing)
        } else if self.is_seat_taken() {
            Err(Rejection::AlreadyJoined)
        } else {
            Ok(Change::Void)
        }
    }

    /// What sending an event again does.
    ///
    /// # Errors
    /// [`Rejection::NoSuchEvent`].
    pub const fn resend(&self, event: EventName) -> Result<Change, Rejection> {
        if self.is_true(event) {
            Ok(Change::ResetFlag(event))
        } else {
            Err(Rejection::NoSuchEvent)
        }
    }

    /// What giving an event up does.
    ///
    /// # Errors
    /// [`Rejection::NoSuchEvent`] and [`Rejection::AlreadyDelivered`].
    pub const fn give_up(&self, event: EventName) -> Result<Change, Rejection> {
        let (is_fired, is_given_up) = match event {
            EventName::LinkCreated => (self.link_event_fired, self.link_event_given_up),
            EventName::Joined => (self.join_event_fired, self.join_event_given_up),
        };
        if !self.is_true(event) {
            Err(Rejection::NoSuchEvent)
        } else if is_fired {
            Err(Rejection::AlreadyDelivered)
        } else if is_given_up {
            Ok(Change::Nothing)
        } else {
            Ok(Change::GiveUp(event))
        }
    }

    /// Whether an event has come true.
    #[must_use]
    pub const fn is_true(&self, event: EventName) -> bool {
        match event {
            EventName::LinkCreated => {
                matches!(self.status, Status::Done) && self.invite_link.is_some()
            }
            EventName::Joined => self.joined_at.is_some() && self.telegram_user_id.is_some(),
        }
    }

    /// The present link as an entry names it, and who came by it and left.
    #[must_use]
    pub fn link_in_words(&self) -> String {
        let mut words = format!("link {}", self.link_version);
        if let Some(at) = self.link_expires_at {
            words.push_str(&format!(", which works until {at}"));
        }
        if let (Some(person), Some(joined), Some(left)) =
            (self.telegram_user_id, self.joined_at, self.left_at)
        {
            words.push_str(&format!(
                ", by which {person} joined at {joined} and left at {left}"
            ));
        }
        words
    }

    /// The history with one more entry: the newest of them.
    #[must_use]
    pub fn history_with(&self, entry: &Entry) -> Vec<Entry> {
        let kept = self
            .history
            .len()
            .saturating_sub(HISTORY_MAX.saturating_sub(1));
        let mut history = self.history[kept..].to_vec();
        history.push(entry.clone());
        history
    }
}

#[cfg(test)]
mod tests {
    use super::super::id::{BotId, ChatId, IdentitySource, InviteLink, RequestId, TelegramUserId};
    use super::super::invite::ReplacedLink;
    use super::super::purchase::{Chats, Purchase};
    use super::super::text::object;
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_763_640_000_000);

    fn queued() -> Invite {
        let chats = Chats::parse("-1").unwrap();
        let body = br#"{"userId": "u", "transactionId": "T"}"#;
        let purchase = Purchase::parse(&object(body).unwrap(), None, &chats).unwrap();
        let id = RequestId::derive(ChatId(-1), IdentitySource::Transaction("T"));
        Invite::accept(id, &purchase, NOW)
    }

    fn done(link_version: u32) -> Invite {
        let link = InviteLink::new("https://t.me/+a");
        Invite {
            link_version,
            ..queued().served_from_pool(ChatId(-1), link, NOW)
        }
    }

    fn being_replaced() -> Invite {
        let before = done(0);
        Invite {
            status: Status::Queued,
            link_version: 1,
            replaced: Some(ReplacedLink {
                invite_link: before.invite_link.unwrap(),
                bot: BotId(1),
                link_expires_at: None,
                done_at: None,
                link_event_fired: true,
                is_revoked: false,
                reissued_at: NOW,
            }),
            ..queued()
        }
    }

    fn joined(invite: Invite) -> Invite {
        Invite {
            joined_at: Some(NOW),
            telegram_user_id: Some(TelegramUserId(7)),
            ..invite
        }
    }

    #[test]
    fn a_claim_link_is_never_replaced_since_it_does_not_end() {
        let link = InviteLink::new("https://t.me/admit_bot?start=c_a");
        let claimed = queued().served_by_claim(link);
        assert_eq!(claimed.reissue(None), Err(Rejection::ClaimLink));
        let years = std::time::Duration::from_secs(10 * 365 * 24 * 3600);
        assert_eq!(claimed.repeat(NOW.plus(years)), Change::Nothing);
        assert_eq!(claimed.void(), Ok(Change::Void));
    }

    #[test]
    fn what_has_no_link_yet_is_retried_and_nothing_else() {
        let failed = Invite {
            status: Status::Failed,
            ..queued()
        };
        assert_eq!(failed.retry(), Ok(Change::Anew));
        assert_eq!(queued().retry(), Ok(Change::Again));
        assert_eq!(done(0).retry(), Err(Rejection::AlreadyDone));
    }

    #[test]
    fn a_link_is_replaced_once_however_often_that_is_asked() {
        assert_eq!(done(0).reissue(None), Ok(Change::Reissue));
        assert_eq!(done(0).reissue(Some(0)), Ok(Change::Reissue));
        assert_eq!(being_replaced().reissue(None), Ok(Change::Again));
        assert_eq!(being_replaced().reissue(Some(0)), Ok(Change::Again));
        assert_eq!(done(1).reissue(Some(0)), Ok(Change::Again));
        assert_eq!(done(1).reissue(Some(1)), Ok(Change::Reissue));
        assert_eq!(done(2).reissue(Some(0)), Err(Rejection::LinkReplaced));
        assert_eq!(done(0).reissue(Some(1)), Err(Rejection::LinkReplaced));
        assert_eq!(
            done(0).reissue(Some(u32::MAX)),
            Err(Rejection::LinkReplaced)
        );
        assert_eq!(queued().reissue(None), Err(Rejection::NotDone));
        assert_eq!(queued().reissue(Some(0)), Err(Rejection::NotDone));
        let given_up = Invite {
            status: Status::Failed,
            ..being_replaced()
        };
        assert_eq!(given_up.reissue(Some(0)), Err(Rejection::NotDone));
        assert_eq!(given_up.retry(), Ok(Change::Anew));
    }

    #[test]
    fn nobody_who_joined_gets_a_second_seat() {
        for invite in [done(0), being_replaced(), done(1)] {
            assert_eq!(
                joined(invite).reissue(Some(0)),
                Err(Rejection::AlreadyJoined)
            );
        }
    }

    #[test]
    fn who_left_may_come_back() {
        let left = Invite {
            left_at: Some(NOW),
            ..joined(done(0))
        };
        assert_eq!(left.reissue(None), Ok(Change::Reissue));
        assert_eq!(left.void(), Ok(Change::Void));
        assert_eq!(
            left.resend(EventName::Joined),
            Ok(Change::ResetFlag(EventName::Joined))
        );
    }

    #[test]
    fn a_seat_is_taken_back_once_and_only_while_nobody_holds_it() {
        let failed = Invite {
            status: Status::Failed,
            ..queued()
        };
        for invite in [queued(), done(0), being_replaced(), failed.clone()] {
            assert_eq!(invite.void(), Ok(Change::Void));
        }
        assert_eq!(joined(done(0)).void(), Err(Rejection::AlreadyJoined));
        let voided = |invite: Invite| Invite {
            voided_at: Some(NOW),
            invite_link: None,
            ..invite
        };
        for invite in [queued(), done(0), joined(done(0)), failed] {
            let invite = voided(invite);
            assert_eq!(invite.void(), Ok(Change::Nothing));
            assert_eq!(invite.reissue(None), Err(Rejection::Voided));
            assert_eq!(invite.retry(), Err(Rejection::Voided));
            assert_eq!(invite.repeat(NOW), Change::Nothing);
            assert_eq!(
                invite.resend(EventName::LinkCreated),
                Err(Rejection::NoSuchEvent)
            );
        }
    }

    #[test]
    fn the_repeat_of_a_payment_replaces_a_link_that_expired_unused_and_nothing_else() {
        assert_eq!(done(0).repeat(NOW), Change::Reissue);
        let works = Invite {
            link_expires_at: Some(NOW.plus(std::time::Duration::from_secs(1))),
            ..done(0)
        };
        for invite in [works, joined(done(0)), queued(), being_replaced()] {
            assert_eq!(invite.repeat(NOW), Change::Nothing);
        }
    }

    #[test]
    fn an_event_is_given_up_while_it_is_not_delivered() {
        for event in [EventName::LinkCreated, EventName::Joined] {
            let invite = joined(done(0));
            assert_eq!(queued().give_up(event), Err(Rejection::NoSuchEvent));
            assert_eq!(invite.give_up(event), Ok(Change::GiveUp(event)));
            let given_up = Invite {
                link_event_given_up: true,
                join_event_given_up: true,
                ..invite.clone()
            };
            assert_eq!(given_up.give_up(event), Ok(Change::Nothing));
            assert_eq!(given_up.resend(event), Ok(Change::ResetFlag(event)));
            let delivered = Invite {
                link_event_fired: true,
                join_event_fired: true,
                ..invite
            };
            assert_eq!(delivered.give_up(event), Err(Rejection::AlreadyDelivered));
        }
    }

    #[test]
    fn only_what_came_true_is_sent_again() {
        for event in [EventName::LinkCreated, EventName::Joined] {
            assert_eq!(queued().resend(event), Err(Rejection::NoSuchEvent));
            assert_eq!(joined(done(0)).resend(event), Ok(Change::ResetFlag(event)));
        }
        let (link, join) = (EventName::LinkCreated, EventName::Joined);
        assert_eq!(done(0).resend(link), Ok(Change::ResetFlag(link)));
        assert_eq!(done(0).resend(join), Err(Rejection::NoSuchEvent));
        assert_eq!(
            being_replaced().resend(link),
            Err(Rejection::NoSuchEvent),
            "the old link is dead and there is no other one"
        );
    }

    #[test]
    fn a_history_keeps_the_newest() {
        let mut invite = queued();
        for number in 0..120 {
            let entry = Entry::new(
                NOW,
                "ann",
                super::super::history::Action::Retry,
                &format!("{number}"),
            );
            invite.history = invite.history_with(&entry);
        }
        assert_eq!(invite.history.len(), HISTORY_MAX);
        assert_eq!(invite.history.first().unwrap().detail, "70");
        assert_eq!(invite.history.last().unwrap().detail, "119");
    }
}
