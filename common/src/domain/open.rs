//! What a request that is still open needs, when it has been so for too long.
//!
//! A request is open from its record on until it is settled and all that became true was told. Whatever stopped on the
//! way (a message lost, a queue emptied by hand, a process that died between a write and the message after it) leaves
//! it open, and shows here.

use std::time::Duration;

use super::event::Event;
use super::invite::{Invite, Status};
use super::job::Mint;
use super::time::Timestamp;

/// How long nothing must have happened to a request before anybody looks after it. By then its messages have come many
/// times, unless they wait behind others.
pub const UNSETTLED_AFTER: Duration = Duration::from_secs(3600);

/// What a request needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Need {
    /// Its job: nobody works on it.
    pub job: Option<Mint>,
    /// What was not told.
    pub events: Vec<Event>,
    /// It is complete, and has no business in the index of open requests.
    pub is_complete: bool,
}

impl Invite {
    /// What it needs at `now`.
    #[must_use]
    pub fn needs(&self, now: Timestamp) -> Need {
        if !self.is_open || now.since(self.updated_at) < UNSETTLED_AFTER {
            return Need::default();
        }
        // In the hands of a worker, or put back until then: its job comes by itself.
        let is_waiting = self.lease_until.is_some_and(|until| until >= now);
        let job = match self.status {
            Status::Queued | Status::Processing if !is_waiting => Some(Mint::of(self)),
            _ => None,
        };
        let of_link = match self.status {
            Status::Done => self.unsent_link_event(),
            _ => None,
        };
        let of_join = self
            .link_of_join()
            .and_then(|link| self.unsent_join_event(link));
        Need {
            job,
            events: of_link.into_iter().chain(of_join).collect(),
            is_complete: self.is_complete(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::EventName;
    use super::super::id::{ChatId, IdentitySource, InviteLink, RequestId, TelegramUserId};
    use super::super::purchase::{Chats, Purchase};
    use super::*;

    const START: Timestamp = Timestamp::from_ms(1_763_640_000_000);

    fn queued() -> Invite {
        let chats = Chats::parse("-1").unwrap();
        let body = br#"{"userId": "u", "transactionId": "T"}"#;
        let purchase = Purchase::parse(body, None, &chats).unwrap();
        let id = RequestId::derive(ChatId(-1), IdentitySource::Transaction("T"));
        Invite::accept(id, &purchase, START)
    }

    fn done() -> Invite {
        queued().served_from_stock(ChatId(-1), InviteLink::new("https://t.me/+a"), START)
    }

    fn joined(invite: Invite) -> Invite {
        Invite {
            joined_at: Some(START),
            telegram_user_id: Some(TelegramUserId(7)),
            joined_link: Some(InviteLink::new("https://t.me/+b")),
            ..invite
        }
    }

    fn needs(invite: &Invite) -> Need {
        invite.needs(START.plus(UNSETTLED_AFTER))
    }

    #[test]
    fn what_is_young_waits_or_is_not_open_needs_nothing() {
        let nearly = START.plus(UNSETTLED_AFTER - Duration::from_millis(1));
        assert_eq!(queued().needs(nearly), Need::default());
        let put_back = Invite {
            lease_until: Some(START.plus(UNSETTLED_AFTER)),
            ..queued()
        };
        assert_eq!(needs(&put_back), Need::default());
        let closed = Invite {
            is_open: false,
            ..queued()
        };
        assert_eq!(needs(&closed), Need::default());
    }

    #[test]
    fn nobodys_request_needs_its_job() {
        for (status, lease_until) in [
            (Status::Queued, None),
            (Status::Queued, Some(START)),
            (Status::Processing, Some(START)),
        ] {
            let invite = Invite {
                status,
                lease_until,
                ..queued()
            };
            let need = needs(&invite);
            assert_eq!(need.job, Some(Mint::of(&invite)), "{status:?}");
            assert!(need.events.is_empty() && !need.is_complete);
        }
    }

    #[test]
    fn what_was_not_told_is_told_with_the_link_that_it_came_by() {
        let need = needs(&joined(done()));
        let [link, join] = &need.events[..] else {
            panic!("{need:?}");
        };
        assert_eq!(link.event_name, EventName::LinkCreated);
        assert_eq!(join.event_name, EventName::Joined);
        assert_eq!(join.event_data["inviteLink"], "https://t.me/+b");
        assert!(need.job.is_none() && !need.is_complete);
    }

    #[test]
    fn what_is_complete_is_closed() {
        let told = Invite {
            link_event_fired: true,
            ..done()
        };
        assert!(needs(&told).is_complete);
        assert!(!needs(&joined(told.clone())).is_complete);
        let all_told = Invite {
            join_event_fired: true,
            ..joined(told)
        };
        assert!(needs(&all_told).is_complete);
        let failed = Invite {
            status: Status::Failed,
            ..queued()
        };
        assert!(needs(&failed).is_complete);
        assert!(!needs(&joined(failed)).is_complete);
    }
}
