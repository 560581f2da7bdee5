//! Moving a seat to another account: its claim link is replaced, and the person who comes with the new one takes the seat over.
//!
//! ```text
//! claimed by H --(rebind: the next claim version, another link)--> moving --(N claims)--> claimed by N
//!                                                                     |
//!                                                                     +--(H claims)--> claimed by H
//! ```
//!
//! H keeps the seat until it is claimed, unless it was stolen. Then H is taken out of the chat, if nothing else entitles
//! them (`member`). A seat that an operator ended moves to nobody, also if its new link was out before.

use std::time::Duration;

use super::action::{Change, Rejection};
use super::history::{Action, HOLDER, SHOP};
use super::id::TelegramUserId;
use super::invite::Invite;
use super::member::Seat;
use super::member::entitlement::EntitlementId;
use super::time::Timestamp;

/// The time within which a seat moves so often.
pub const REBIND_WINDOW: Duration = Duration::from_secs(30 * 24 * 3600);

/// What somebody wants who has a seat moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rebind {
    /// The claim version that is to be replaced: a repeat of the call then replaces nothing else. Absent: the present one.
    pub claim_version: Option<u8>,
    /// Whether who has it loses it at once.
    pub is_stolen: bool,
    /// How often a shop and the holder may have it moved within [`REBIND_WINDOW`], together; absent for operators.
    pub limit: Option<u32>,
    /// Who must have it, where it is they who want it moved.
    pub holder: Option<TelegramUserId>,
}

impl Invite {
    /// What a move does at `now`.
    ///
    /// # Errors
    /// [`Rejection::Voided`], [`Rejection::NoClaimLink`], [`Rejection::LinkReplaced`] and [`Rejection::MovedTooOften`].
    pub fn rebind(&self, asked: Rebind, now: Timestamp) -> Result<Change, Rejection> {
        if self.voided_at.is_some() {
            return Err(Rejection::Voided);
        }
        let present = self.claim_version.ok_or(Rejection::NoClaimLink)?;
        // It was taken from them, and goes to who paid: they have no say in it, and see no link of it.
        let is_lost = asked.holder != self.bound_to || self.is_stolen;
        if asked.holder.is_some() && is_lost {
            return Err(Rejection::LinkReplaced);
        }
        match asked.claim_version {
            // The same again.
            Some(version) if version.checked_add(1) == Some(present) => return Ok(Change::Nothing),
            Some(version) if version != present => return Err(Rejection::LinkReplaced),
            _ => {}
        }
        let is_over = asked.limit.is_some_and(|limit| self.moves(now) >= limit);
        if is_over || present == u8::MAX {
            return Err(Rejection::MovedTooOften);
        }
        Ok(Change::Reissue)
    }

    /// How often its shop and its holder had it moved within [`REBIND_WINDOW`], as far as the history goes back.
    fn moves(&self, now: Timestamp) -> u32 {
        let since = now.minus(REBIND_WINDOW);
        let moves = self.history.iter().filter(|entry| {
            entry.action == Action::Rebind.as_str()
                && [SHOP, HOLDER].contains(&entry.who.as_str())
                && entry.at > since
        });
        u32::try_from(moves.count()).unwrap_or(u32::MAX)
    }

    /// From whom a claim by `person` takes the seat over, if it does.
    #[must_use]
    pub fn taken_over_from(&self, person: TelegramUserId) -> Option<TelegramUserId> {
        self.bound_to
            .filter(|holder| self.is_moving && *holder != person)
    }

    /// Whether it is this person who may have it moved by their own hand, as far as their seat is not ended. Not who had it
    /// taken from them.
    #[must_use]
    pub fn may_move_by(&self, person: TelegramUserId) -> bool {
        self.bound_to == Some(person)
            && !self.is_stolen
            && self.claim_version.is_some()
            && self.voided_at.is_none()
    }

    /// Whether an operator ended what it gives, as the seat of who has it shows. A stolen seat is cut by its move.
    #[must_use]
    pub fn is_ended_in(&self, seat: &Seat) -> bool {
        let id = EntitlementId::of_request(self.request_id);
        let known = seat.entitlements.get(&id);
        !self.is_stolen && known.is_some_and(|known| known.cut_at.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::super::claim::{Claim, ClaimRefusal};
    use super::super::history::{self, Entry};
    use super::super::id::{ChatId, IdentitySource, InviteLink, RequestId};
    use super::super::purchase::{Chats, Purchase};
    use super::super::text::object;
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_763_640_000_000);
    const HOLDER: TelegramUserId = TelegramUserId(7);
    const OTHER: TelegramUserId = TelegramUserId(8);

    fn claimed(version: u8) -> Invite {
        let chats = Chats::parse("-1").unwrap();
        let body = br#"{"userId": "u", "transactionId": "T"}"#;
        let purchase = Purchase::parse(&object(body).unwrap(), None, &chats).unwrap();
        let id = RequestId::derive(ChatId(-1), IdentitySource::Transaction("T"));
        let link = InviteLink::new("https://t.me/admit_bot?start=c_a");
        Invite {
            claim_version: Some(version),
            bound_to: Some(HOLDER),
            ..Invite::accept(id, &purchase, NOW).served_by_claim(link)
        }
    }

    fn of(claim_version: Option<u8>) -> Rebind {
        Rebind {
            claim_version,
            limit: Some(3),
            ..Rebind::default()
        }
    }

    #[test]
    fn only_its_holder_moves_it_by_their_own_hand() {
        let by = |holder| Rebind {
            holder: Some(holder),
            ..of(Some(4))
        };
        assert_eq!(claimed(4).rebind(by(HOLDER), NOW), Ok(Change::Reissue));
        assert_eq!(claimed(5).rebind(by(HOLDER), NOW), Ok(Change::Nothing));
        for version in [4, 5] {
            let refused = claimed(version).rebind(by(OTHER), NOW);
            assert_eq!(refused, Err(Rejection::LinkReplaced));
        }
        let unclaimed = Invite {
            bound_to: None,
            ..claimed(4)
        };
        // Nor who had it taken from them: neither another link, nor the one that was made for who paid.
        let stolen = |version| Invite {
            is_moving: true,
            is_stolen: true,
            ..claimed(version)
        };
        assert!(claimed(4).may_move_by(HOLDER) && !stolen(4).may_move_by(HOLDER));
        for request in [unclaimed, stolen(4), stolen(5)] {
            let refused = request.rebind(by(HOLDER), NOW);
            assert_eq!(refused, Err(Rejection::LinkReplaced));
        }
    }

    #[test]
    fn what_an_operator_ended_is_told_from_what_was_stolen() {
        let request = claimed(1);
        let mut seat = Seat::new(HOLDER, ChatId(-1));
        assert!(!request.is_ended_in(&seat));
        let id = EntitlementId::of_request(request.request_id);
        seat.entitlements.insert(id.clone(), request.entitlement());
        assert!(!request.is_ended_in(&seat));
        let mut ended = request.entitlement();
        ended.cut_at = Some(NOW);
        seat.entitlements.insert(id, ended);
        assert!(request.is_ended_in(&seat));
        let stolen = Invite {
            is_moving: true,
            is_stolen: true,
            ..request
        };
        assert!(!stolen.is_ended_in(&seat));
    }

    #[test]
    fn a_seat_moves_once_however_often_that_is_asked() {
        let seat = claimed(4);
        assert_eq!(seat.rebind(of(None), NOW), Ok(Change::Reissue));
        assert_eq!(seat.rebind(of(Some(4)), NOW), Ok(Change::Reissue));
        assert_eq!(seat.rebind(of(Some(3)), NOW), Ok(Change::Nothing));
        for version in [2, 5, u8::MAX] {
            assert_eq!(
                seat.rebind(of(Some(version)), NOW),
                Err(Rejection::LinkReplaced)
            );
        }
        let voided = Invite {
            voided_at: Some(NOW),
            ..seat.clone()
        };
        assert_eq!(voided.rebind(of(None), NOW), Err(Rejection::Voided));
        let by_link = Invite {
            claim_version: None,
            ..seat
        };
        assert_eq!(by_link.rebind(of(None), NOW), Err(Rejection::NoClaimLink));
    }

    #[test]
    fn shop_and_holder_move_it_three_times_in_thirty_days_and_an_operator_as_often_as_it_takes() {
        let ago = |days: u64| NOW.minus(Duration::from_secs(days * 24 * 3600));
        let entry = |who, at| Entry::new(at, who, Action::Rebind, "");
        let mut seat = claimed(9);
        seat.history = vec![
            entry(SHOP, ago(30)),
            entry(history::HOLDER, ago(29)),
            entry("ann", ago(2)),
            Entry::new(ago(1), SHOP, Action::Void, ""),
            entry(SHOP, ago(1)),
        ];
        assert_eq!(seat.rebind(of(None), NOW), Ok(Change::Reissue));
        seat.history.push(entry(SHOP, NOW));
        assert_eq!(seat.rebind(of(None), NOW), Err(Rejection::MovedTooOften));
        // A repeat is answered all the same.
        assert_eq!(seat.rebind(of(Some(8)), NOW), Ok(Change::Nothing));
        let by_operator = Rebind {
            limit: None,
            ..of(None)
        };
        assert_eq!(seat.rebind(by_operator, NOW), Ok(Change::Reissue));
        assert_eq!(
            claimed(u8::MAX).rebind(by_operator, NOW),
            Err(Rejection::MovedTooOften)
        );
    }

    #[test]
    fn a_moving_seat_is_for_whoever_has_the_new_link_and_for_nobody_with_the_old_one() {
        let claim = |version| Claim {
            request_id: claimed(0).request_id,
            version,
        };
        let seat = claimed(1);
        assert_eq!(seat.check_claim(claim(1), OTHER), Err(ClaimRefusal::Taken));
        assert_eq!(seat.check_claim(claim(1), HOLDER), Ok(()));
        assert_eq!(seat.check_claim_link(claim(1)), Err(ClaimRefusal::Taken));
        assert_eq!(seat.taken_over_from(OTHER), None);
        let moving = Invite {
            is_moving: true,
            ..seat
        };
        assert_eq!(moving.check_claim_link(claim(1)), Ok(()));
        for person in [HOLDER, OTHER] {
            assert_eq!(moving.check_claim(claim(1), person), Ok(()));
            assert_eq!(
                moving.check_claim(claim(0), person),
                Err(ClaimRefusal::Replaced)
            );
        }
        assert_eq!(moving.taken_over_from(OTHER), Some(HOLDER));
        assert_eq!(moving.taken_over_from(HOLDER), None);
    }
}
