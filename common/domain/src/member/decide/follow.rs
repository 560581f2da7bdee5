//! What follows from a change: the effects of the pair of right and presence, and the fields that are derived.

use super::super::effect::{SeatEffect, SeatEvent, WayInTone};
use super::super::fold::{self, Right, Standing};
use super::super::presence::PresenceState;
use super::super::removal::RemovalCause;
use super::super::{OVER_KEPT, SEAT_HISTORY_MAX, SeatEntry};
use super::{Draft, SeatChange};

impl Draft<'_> {
    /// What follows from right and presence as they are now, and the derived fields.
    pub(super) fn finish(mut self, is_undo: bool) -> SeatChange {
        self.drop_old();
        let standing = self.standing();
        if standing.right.is_admitted() {
            self.seat.guest = false;
            self.seat.moved_at = None;
        }
        self.skip_if_moot();
        self.plan_if_moved(&standing);
        let rights_before = [self.before.right, self.before.standing(self.now).right];
        self.follow_pair(&standing, rights_before, is_undo);
        self.follow_right(&standing, rights_before);
        let seat = &mut self.seat;
        seat.right = standing.right;
        seat.until = standing.until;
        seat.grace_until = standing.grace_until;
        if seat != self.before {
            seat.version = seat.version.saturating_add(1);
            let at = self.now;
            let notes = self.notes.into_iter();
            seat.history
                .extend(notes.map(|what| SeatEntry { at, what }));
            let excess = seat.history.len().saturating_sub(SEAT_HISTORY_MAX);
            seat.history.drain(..excess);
        }
        SeatChange {
            seat: self.seat,
            effects: self.effects,
        }
    }

    /// Who is inside although their seat moved to another account is taken out, whenever they are seen inside: a join
    /// request that was approved a moment before the move lets them in after it. Who is outside may have come in before the
    /// chat was claimed, or the word of it was lost: that is looked at once.
    fn plan_if_moved(&mut self, standing: &Standing) {
        let seat = &self.seat;
        let Some(moved_at) = seat.moved_at.filter(|_| standing.right == Right::Ended) else {
            return;
        };
        match seat.presence {
            PresenceState::In if !seat.guest && seat.removal.is_none() => {
                self.plan(RemovalCause::Moved);
            }
            PresenceState::Out if self.before.moved_at.is_none() => {
                self.effects.push(SeatEffect::LookIfInside { moved_at });
            }
            _ => {}
        }
    }

    fn drop_old(&mut self) {
        let at = self.now.minus(OVER_KEPT);
        let seat = &mut self.seat;
        if let Some(floor) = fold::drop_over(&mut seat.entitlements, seat.floor.as_ref(), at) {
            seat.floor = Some(floor);
        }
    }

    /// What the pair of right and presence asks for, when it has become what it is.
    fn follow_pair(&mut self, standing: &Standing, rights_before: [Right; 2], is_undo: bool) {
        let is_admitted = standing.right.is_admitted();
        let was_admitted = rights_before.into_iter().all(Right::is_admitted);
        match self.seat.presence {
            PresenceState::In | PresenceState::Exempt => {
                self.seat.requested_at = None;
                self.seat.removed_at = None;
                self.seat.offered_at = None;
            }
            PresenceState::Banned => self.seat.requested_at = None,
            PresenceState::Out => {
                let is_new = !(was_admitted && self.before.presence == PresenceState::Out);
                if self.seat.requested_at.is_some() && is_admitted && is_new {
                    self.approve_once();
                } else if is_new {
                    // By the facts as they are now: was the removal right?
                    let removed_at = self.seat.removed_at;
                    let was_wrong = removed_at.is_some_and(|at| self.seat.is_admitted(at));
                    self.offer_if_admitted(if is_undo || was_wrong {
                        WayInTone::Apology
                    } else {
                        WayInTone::Plain
                    });
                }
            }
        }
        let has_conflict = is_admitted && self.seat.presence == PresenceState::Banned;
        if !has_conflict {
            self.seat.review = None;
        } else if self.seat.review.is_none() {
            self.seat.review = Some(self.now);
            self.effects.push(SeatEffect::Review);
        }
    }

    /// Who waits at the door is let in without another tap.
    fn approve_once(&mut self) {
        let is_approved = |effect: &SeatEffect| matches!(effect, SeatEffect::Approve { .. });
        if let Some(requested_at) = self.seat.requested_at
            && !self.effects.iter().any(is_approved)
        {
            self.effects.push(SeatEffect::Approve { requested_at });
        }
    }

    /// What the right asks for, when it has become what it is.
    fn follow_right(&mut self, standing: &Standing, rights_before: [Right; 2]) {
        let [stored, _] = rights_before;
        let event = match (standing.right, standing.grace_until) {
            (Right::Grace, Some(until)) => {
                let is_told = stored == Right::Grace && self.before.grace_until == Some(until);
                if !is_told {
                    self.effects.push(SeatEffect::GraceBegins {
                        until,
                        charge: standing.charge.clone(),
                    });
                }
                (stored != Right::Grace).then_some(SeatEvent::Grace)
            }
            (Right::Ended, _) => {
                (stored != Right::Ended && stored != Right::None).then_some(SeatEvent::Ended)
            }
            (Right::Entitled, _) => {
                let is_back =
                    |right| matches!(right, Right::Grace | Right::Suspended | Right::Ended);
                rights_before
                    .into_iter()
                    .any(is_back)
                    .then_some(SeatEvent::Restored)
            }
            _ => None,
        };
        if let Some(event) = event {
            self.notes.push(event.as_str().to_owned());
            self.effects.push(SeatEffect::Event(event));
        }
    }
}
