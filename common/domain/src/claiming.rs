//! Who may claim a request, whose it is, and what they have of it.

use super::claim::{Claim, ClaimRefusal, PublicUrl};
use super::id::{InviteLink, TelegramUserId};
use super::invite::{Invite, Status};
use super::time::Timestamp;

/// What the invite link of a request is to the person who has claimed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkWay {
    /// It lets them in.
    Ready,
    /// It is still to be made.
    Follows,
    /// Its making was given up, until an operator retries it.
    Failed,
    /// It has expired, or they came in by it and left: another one can take its place.
    Spent,
    /// They are inside by it.
    Inside,
    /// Somebody else is inside by it.
    Used,
}

impl Invite {
    /// Who has its seat: the person who claimed it; without a claim, the one who joined by its invite link.
    #[must_use]
    pub fn holder(&self) -> Option<TelegramUserId> {
        let by_link = self.telegram_user_id.filter(|_| self.has_invite_link());
        self.bound_to.or(by_link)
    }

    /// Whether its buyer gets an invite link, beside which a claim link may stand. Its claim version is always 0.
    #[must_use]
    pub const fn has_invite_link(&self) -> bool {
        self.claim_version.is_none()
    }

    /// Whether a claim of it is this person's to make. Who made it already may do so again.
    ///
    /// # Errors
    /// Why it is not.
    pub fn check_claim(&self, claim: Claim, person: TelegramUserId) -> Result<(), ClaimRefusal> {
        match self.check_claim_link(claim) {
            Err(ClaimRefusal::Taken) if self.holder() == Some(person) => Ok(()),
            checked => checked,
        }
    }

    /// Whether it can be claimed, by the first person who comes.
    ///
    /// # Errors
    /// Why it is not.
    pub fn check_claim_link(&self, claim: Claim) -> Result<(), ClaimRefusal> {
        if self.voided_at.is_some() {
            Err(ClaimRefusal::Voided)
        } else if self.claim_version.unwrap_or_default() != claim.version {
            Err(ClaimRefusal::Replaced)
        } else if self.holder().is_some() && !self.is_moving {
            Err(ClaimRefusal::Taken)
        } else {
            Ok(())
        }
    }

    /// The claim whose link may stand beside its invite link; nothing if its buyer gets a claim link alone, or it was voided.
    #[must_use]
    pub fn claim_beside(&self) -> Option<Claim> {
        let claim = Claim {
            request_id: self.request_id,
            version: 0,
        };
        (self.has_invite_link() && self.voided_at.is_none()).then_some(claim)
    }

    /// The page of its claim link, at the address where people reach us. `beside` is the claim link that stands beside its
    /// invite link, if one does.
    #[must_use]
    pub fn claim_page(
        &self,
        beside: Option<&InviteLink>,
        public_url: Option<&PublicUrl>,
    ) -> Option<InviteLink> {
        let link = match self.has_invite_link() {
            true => beside,
            false => self.invite_link.as_ref(),
        };
        public_url?.claim_page(link?)
    }

    /// What its invite link is to `person`, who has claimed it.
    #[must_use]
    pub fn link_way(&self, person: TelegramUserId, now: Timestamp) -> LinkWay {
        let is_over = self.left_at.is_some() || self.link_expires_at.is_some_and(|at| at <= now);
        if self.is_seat_taken() {
            match self.telegram_user_id == Some(person) {
                true => LinkWay::Inside,
                false => LinkWay::Used,
            }
        } else if self.status == Status::Failed {
            LinkWay::Failed
        } else if self.status != Status::Done || self.invite_link.is_none() {
            LinkWay::Follows
        } else if is_over {
            LinkWay::Spent
        } else {
            LinkWay::Ready
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::id::{ChatId, IdentitySource, RequestId};
    use super::super::purchase::{Chats, Purchase};
    use super::super::text::object;
    use super::*;

    const START: Timestamp = Timestamp::from_ms(1_763_640_000_000);
    const END: Timestamp = Timestamp::from_ms(1_763_650_000_000);
    const HOLDER: TelegramUserId = TelegramUserId(7);
    const OTHER: TelegramUserId = TelegramUserId(8);

    fn queued() -> Invite {
        let chats = Chats::parse("-1").unwrap();
        let body = br#"{"userId": "u", "transactionId": "T"}"#;
        let purchase = Purchase::parse(&object(body).unwrap(), None, &chats).unwrap();
        let id = RequestId::derive(ChatId(-1), IdentitySource::Transaction("T"));
        Invite::accept(id, &purchase, START)
    }

    fn done() -> Invite {
        queued().served_from_pool(ChatId(-1), InviteLink::new("https://t.me/+a"), END)
    }

    fn joined_by(person: TelegramUserId, invite: Invite) -> Invite {
        Invite {
            joined_at: Some(START),
            telegram_user_id: Some(person),
            ..invite
        }
    }

    #[test]
    fn a_request_with_an_invite_link_is_claimed_once_or_by_whoever_joined() {
        let claim = done().claim_beside().unwrap();
        assert_eq!(claim.version, 0);
        let bound = Invite {
            bound_to: Some(HOLDER),
            ..queued()
        };
        for (invite, of_holder, of_other) in [
            (queued(), Ok(()), Ok(())),
            (bound.clone(), Ok(()), Err(ClaimRefusal::Taken)),
            (joined_by(HOLDER, done()), Ok(()), Err(ClaimRefusal::Taken)),
            // The person who claimed it has it, also if another one came in.
            (joined_by(OTHER, bound), Ok(()), Err(ClaimRefusal::Taken)),
        ] {
            assert_eq!(invite.check_claim(claim, HOLDER), of_holder);
            assert_eq!(invite.check_claim(claim, OTHER), of_other);
        }
        let next = Claim {
            version: 1,
            ..claim
        };
        assert_eq!(done().check_claim_link(next), Err(ClaimRefusal::Replaced));
        let voided = Invite {
            voided_at: Some(START),
            ..done()
        };
        assert_eq!(voided.check_claim_link(claim), Err(ClaimRefusal::Voided));
        assert_eq!(voided.claim_beside(), None);
        // Beside a claim link stands no other.
        let link = InviteLink::new("https://t.me/admit_bot?start=c_a");
        assert_eq!(queued().served_by_claim(link).claim_beside(), None);
    }

    #[test]
    fn a_link_is_ready_spent_or_used_for_whoever_claimed_it() {
        let left = |person| Invite {
            left_at: Some(START),
            ..joined_by(person, done())
        };
        let expired = Invite {
            link_expires_at: Some(START),
            ..done()
        };
        let failed = Invite {
            status: Status::Failed,
            ..queued()
        };
        for (invite, way) in [
            (queued(), LinkWay::Follows),
            (failed, LinkWay::Failed),
            (done(), LinkWay::Ready),
            (expired, LinkWay::Spent),
            (joined_by(HOLDER, done()), LinkWay::Inside),
            (joined_by(OTHER, done()), LinkWay::Used),
            (left(HOLDER), LinkWay::Spent),
            (left(OTHER), LinkWay::Spent),
        ] {
            assert_eq!(invite.link_way(HOLDER, START), way);
        }
    }
}
