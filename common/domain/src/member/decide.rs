//! The one place that changes a seat: a seat, a command and `now` in, the seat as it is to be written and what follows out.

mod follow;

use std::time::Duration;

use super::super::time::Timestamp;
use super::command::{DoorPath, SeatChange, SeatCommand, SeatRejection};
use super::effect::{SeatEffect, SeatEvent, WayInTone};
use super::entitlement::{Cover, Entitlement, EntitlementId};
use super::fold::{self, Right, Standing};
use super::presence::{self, LookFinding, PresenceContext, PresenceEvent, PresenceState};
use super::removal::{
    REMOVAL_LEASE, Removal, RemovalCause, RemovalOutcome, RemovalRow, RemovalRules, RemovalStage,
    SkipReason,
};
use super::{LIVE_ENTITLEMENTS_MAX, Seat};

/// What `command` makes of `seat` at `now`.
///
/// A repeat of a command changes nothing, and neither does word of Telegram's that is not newer than what is known.
///
/// # Errors
/// [`SeatRejection`], if the state of the seat does not allow the command.
pub fn decide(
    seat: &Seat,
    command: &SeatCommand,
    now: Timestamp,
) -> Result<SeatChange, SeatRejection> {
    let mut draft = Draft {
        before: seat,
        seat: seat.clone(),
        effects: Vec::new(),
        notes: Vec::new(),
        now,
    };
    match command {
        SeatCommand::Bind {
            request,
            entitlement,
        } => {
            let id = EntitlementId::of_request(*request);
            let is_known = draft.seat.entitlements.contains_key(&id);
            if !is_known {
                draft.write(&id, entitlement)?;
            }
        }
        SeatCommand::Write { id, entitlement } => draft.write(id, entitlement)?,
        SeatCommand::Order {
            request,
            entitlement,
        } => {
            let id = EntitlementId::of_request(*request);
            let present = draft.seat.entitlements.get(&id);
            let is_newer = present.is_none_or(|present| match present.order_version {
                Some(version) => Some(version) < entitlement.order_version,
                None => present.cut_at.is_none(),
            });
            if is_newer {
                draft.write(&id, entitlement)?;
            }
        }
        SeatCommand::Close { id, at } => draft.close(id, *at)?,
        SeatCommand::MoveAway { id, at } => draft.move_away(id, *at),
        SeatCommand::Presence { event, date } => draft.presence(*event, *date),
        SeatCommand::AskAtDoor { path, date } => draft.ask_at_door(*path, *date),
        SeatCommand::LeaveDoor { date } => draft.leave_door(*date),
        SeatCommand::Tick { rules } => draft.tick(*rules),
        SeatCommand::ClaimRemoval {
            rules,
            failed_guard,
        } => draft.claim(*rules, failed_guard.as_deref())?,
        SeatCommand::RemovalCalled {
            claimed_at,
            outcome,
            date,
        } => draft.called(*claimed_at, outcome, *date),
        SeatCommand::DismissGuest => draft.dismiss()?,
        SeatCommand::UndoRemoval {
            planned_at,
            courtesy,
        } => draft.undo(*planned_at, *courtesy)?,
    }
    Ok(draft.finish(matches!(command, SeatCommand::UndoRemoval { .. })))
}

struct Draft<'a> {
    before: &'a Seat,
    seat: Seat,
    effects: Vec<SeatEffect>,
    notes: Vec<String>,
    now: Timestamp,
}

impl Draft<'_> {
    fn standing(&self) -> Standing {
        self.seat.standing(self.now)
    }

    fn row(&mut self, planned_at: Timestamp, row: RemovalRow) {
        // One row is written once by one change: the last word on it counts.
        self.effects.retain(
            |effect| !matches!(effect, SeatEffect::Row { planned_at: of, .. } if *of == planned_at),
        );
        self.effects.push(SeatEffect::Row { planned_at, row });
    }

    fn skip(&mut self, reason: SkipReason) {
        if let Some(removal) = self.seat.removal.take() {
            self.notes.push("removal skipped".to_owned());
            self.row(removal.planned_at, RemovalRow::Skipped(reason));
        }
    }

    fn plan(&mut self, cause: RemovalCause) {
        self.seat.removal = Some(Removal {
            cause,
            planned_at: self.now,
            stage: RemovalStage::Planned { held: None },
        });
        self.notes
            .push(format!("removal planned: {}", cause.as_str()));
        self.row(self.now, RemovalRow::Planned { cause, held: None });
    }

    /// Puts a removal back to PLANNED.
    fn hold(&mut self, held: Option<&str>) {
        let Some(removal) = &mut self.seat.removal else {
            return;
        };
        let stage = RemovalStage::Planned {
            held: held.map(ToOwned::to_owned),
        };
        if removal.stage == stage {
            return;
        }
        removal.stage = stage;
        let (planned_at, cause) = (removal.planned_at, removal.cause);
        let held = held.map(ToOwned::to_owned);
        self.notes.push(held.as_ref().map_or_else(
            || "removal planned again".to_owned(),
            |held| format!("removal held: {held}"),
        ));
        self.row(planned_at, RemovalRow::Planned { cause, held });
    }

    /// A planned removal that has lost its reason is skipped.
    fn skip_if_moot(&mut self) {
        let is_planned = self
            .seat
            .removal
            .as_ref()
            .is_some_and(|removal| removal.claimed_at().is_none());
        if !is_planned {
            return;
        }
        if self.standing().right.is_admitted() {
            self.skip(SkipReason::Admitted);
        } else if self.seat.presence != PresenceState::In {
            self.skip(SkipReason::NotIn(self.seat.presence));
        } else if self.seat.guest {
            self.skip(SkipReason::Guest);
        }
    }

    fn write(
        &mut self,
        id: &EntitlementId,
        entitlement: &Entitlement,
    ) -> Result<(), SeatRejection> {
        let present = self.seat.entitlements.get(id);
        if present == Some(entitlement) {
            return Ok(());
        }
        let floor = self.seat.floor.as_ref();
        let over = fold::over(&self.seat.entitlements, floor, self.now);
        let live = self.seat.entitlements.len() - over.len();
        if (present.is_none() || over.contains(id)) && live >= LIVE_ENTITLEMENTS_MAX {
            return Err(SeatRejection::TooManyEntitlements);
        }
        let entitlements = &mut self.seat.entitlements;
        entitlements.insert(id.clone(), entitlement.clone());
        self.notes.push(format!("entitlement {id} written"));
        Ok(())
    }

    fn close(&mut self, id: &EntitlementId, at: Timestamp) -> Result<(), SeatRejection> {
        let entitlement = self.seat.entitlements.get_mut(id);
        let entitlement = entitlement.ok_or(SeatRejection::UnknownEntitlement)?;
        // Also of one that its order had cut: what is closed here no order gives back.
        if entitlement.order_version.take().is_some() {
            self.notes
                .push(format!("entitlement {id} taken from its order"));
        }
        if entitlement.cut_at.is_none_or(|cut| cut > at) {
            entitlement.cut_at = Some(at);
            self.notes.push(format!("entitlement {id} closed"));
        }
        Ok(())
    }

    fn move_away(&mut self, id: &EntitlementId, at: Timestamp) {
        if self.seat.entitlements.contains_key(id) && self.close(id, at).is_ok() {
            self.seat.moved_at = Some(self.seat.moved_at.unwrap_or(self.now));
        }
    }

    fn presence(&mut self, event: PresenceEvent, date: Timestamp) {
        if self.seat.presence_at.is_some_and(|known| date <= known) {
            return;
        }
        let claimed_at = self.seat.removal.as_ref().and_then(Removal::claimed_at);
        let call = claimed_at
            .map(|at| (at, at.plus(REMOVAL_LEASE)))
            .or_else(|| self.seat.removed_at.map(|at| (at, at)));
        let context = PresenceContext {
            right: self.standing().right,
            is_removed: self.seat.removed_at.is_some(),
            call,
        };
        let before = self.seat.presence;
        let step = presence::step(before, event, context);
        self.seat.presence = step.state;
        self.seat.presence_at = Some(date);
        self.seat.checked_at = Some(date);
        if before != step.state {
            self.seat.guest = step.is_guest;
            self.notes.push(event.as_str().to_owned());
        }
        if step.lifted_ban {
            self.effects.push(SeatEffect::BanAgain);
        }
        let was_in = before == PresenceState::In;
        match event {
            PresenceEvent::RemovedByOurCall if step.state == PresenceState::Out => {
                self.removed(date, was_in);
            }
            // A look that finds what is known says nothing of a call that may still be made.
            PresenceEvent::Look(LookFinding::In) if claimed_at.is_some() => {
                let removal = self.seat.removal.as_ref();
                if removal.is_some_and(|removal| removal.has_lapsed(self.now)) {
                    self.hold(None);
                }
            }
            PresenceEvent::Look(_) if claimed_at.is_some() && step.state == PresenceState::Out => {
                self.removed(date, was_in);
            }
            _ if claimed_at.is_some() => self.skip(match step.state {
                PresenceState::In => SkipReason::NewerUpdate,
                state => SkipReason::NotIn(state),
            }),
            _ => {}
        }
    }

    /// A call of ours took the person out.
    fn removed(&mut self, date: Timestamp, is_news: bool) {
        self.seat.removed_at = Some(date);
        if let Some(removal) = self.seat.removal.take() {
            self.row(removal.planned_at, RemovalRow::Done);
            self.notes.push("removal done".to_owned());
        } else if !is_news {
            return;
        }
        if !self.standing().right.is_admitted() {
            self.effects.push(SeatEffect::HowToReturn);
        }
        self.effects.push(SeatEffect::Event(SeatEvent::Removed));
    }

    fn ask_at_door(&mut self, path: DoorPath, date: Timestamp) {
        if self.seat.presence == PresenceState::Banned {
            self.effects
                .push(SeatEffect::AskSupport { requested_at: date });
            return;
        }
        let is_in = matches!(
            self.seat.presence,
            PresenceState::In | PresenceState::Exempt
        );
        if is_in && self.seat.presence_at.is_some_and(|known| date < known) {
            return;
        }
        let is_admitted = self.standing().right.is_admitted();
        if !is_admitted && path == DoorPath::Other {
            // Telegram keeps one request of a person: it is another administrator's by now, and not ours to decline.
            if self.seat.requested_at.is_some_and(|known| known < date) {
                self.seat.requested_at = None;
                self.notes.push("asked at another door".to_owned());
            }
            return;
        }
        if self.seat.requested_at.is_none_or(|known| known < date) {
            self.seat.requested_at = Some(date);
            self.notes.push("asked at the door".to_owned());
        }
        self.effects.push(if is_admitted {
            SeatEffect::Approve { requested_at: date }
        } else {
            SeatEffect::HowToClaim { requested_at: date }
        });
    }

    fn leave_door(&mut self, date: Timestamp) {
        if self.seat.requested_at != Some(date) {
            return;
        }
        self.seat.requested_at = None;
        self.notes.push("left the door".to_owned());
        if self.seat.presence == PresenceState::Out {
            self.offer_if_admitted(WayInTone::Plain);
        }
    }

    fn offer_if_admitted(&mut self, tone: WayInTone) {
        let standing = self.standing();
        if standing.right.is_admitted() {
            self.seat.offered_at = Some(self.now);
            self.effects.push(SeatEffect::WayIn {
                tone,
                charge: standing.charge,
            });
        }
    }

    /// Why the person is to be removed, by the right now and `skew` ago.
    fn due(&self, rules: RemovalRules) -> Option<RemovalCause> {
        let earlier = self.seat.standing(self.now.minus(rules.skew)).right;
        rules.cause(earlier)?;
        rules.cause(self.standing().right)
    }

    fn tick(&mut self, rules: RemovalRules) {
        self.skip_if_moot();
        match &self.seat.removal {
            None => {
                let may = self.seat.presence == PresenceState::In && !self.seat.guest;
                if let Some(cause) = self.due(rules).filter(|_| may) {
                    self.plan(cause);
                }
            }
            Some(removal) => match removal.claimed_at() {
                Some(claimed_at) if removal.has_lapsed(self.now) => {
                    self.effects.push(SeatEffect::LookAtCall { claimed_at });
                }
                Some(_) => {}
                None => self.skip_if_kept(rules),
            },
        }
    }

    /// A removal for a dispute has no reason any more if the setting is another by now.
    fn skip_if_kept(&mut self, rules: RemovalRules) {
        let right = self.standing().right;
        let cause = self.seat.removal.as_ref().map(|removal| removal.cause);
        let is_ordered = cause.is_some_and(RemovalCause::is_ordered);
        if !is_ordered && right == Right::Suspended && rules.cause(right).is_none() {
            self.skip(SkipReason::DisputeKept);
        }
    }

    fn claim(
        &mut self,
        rules: RemovalRules,
        failed_guard: Option<&str>,
    ) -> Result<(), SeatRejection> {
        let removal = self.seat.removal.as_ref();
        let removal = removal.ok_or(SeatRejection::NoRemoval)?;
        if removal.has_lapsed(self.now) {
            return Err(SeatRejection::LookFirst);
        }
        if removal.claimed_at().is_some() {
            return Err(SeatRejection::RemovalClaimed);
        }
        self.skip_if_moot();
        self.skip_if_kept(rules);
        let due = self.due(rules);
        let Some(removal) = &mut self.seat.removal else {
            return Ok(());
        };
        if let Some(guard) = failed_guard {
            self.hold(Some(guard));
        } else if !removal.cause.is_ordered() && due.is_none() {
            self.hold(Some("the right ended too short a time ago"));
        } else {
            removal.stage = RemovalStage::Calling {
                claimed_at: self.now,
            };
            self.notes.push("removal claimed".to_owned());
        }
        Ok(())
    }

    fn called(&mut self, claimed_at: Timestamp, outcome: &RemovalOutcome, date: Timestamp) {
        let claimed = self.seat.removal.as_ref().and_then(Removal::claimed_at);
        if claimed != Some(claimed_at) {
            // Telegram's update was faster, and is what counts; but what was done was done.
            if *outcome == RemovalOutcome::Done {
                self.presence(PresenceEvent::RemovedByOurCall, date);
            }
            return;
        }
        match outcome {
            RemovalOutcome::Done => {
                self.settle(PresenceState::Out, date);
                self.removed(date, true);
            }
            RemovalOutcome::IsExempt => {
                self.settle(PresenceState::Exempt, date);
                self.skip(SkipReason::NotIn(PresenceState::Exempt));
            }
            RemovalOutcome::Refused { reason } => self.hold(Some(reason)),
            RemovalOutcome::Unknown => self.effects.push(SeatEffect::LookAtCall { claimed_at }),
        }
    }

    /// Telegram's answer to a call is its newest word: a newer one would have ended the claim.
    fn settle(&mut self, state: PresenceState, date: Timestamp) {
        self.seat.presence = state;
        self.seat.guest = false;
        let date = self.seat.presence_at.map_or(date, |known| known.max(date));
        self.seat.presence_at = Some(date);
        self.seat.checked_at = Some(date);
    }

    fn dismiss(&mut self) -> Result<(), SeatRejection> {
        match &self.seat.removal {
            Some(removal) if removal.claimed_at().is_some() => Err(SeatRejection::RemovalClaimed),
            Some(_) => Ok(()),
            None if self.seat.guest && !self.standing().right.is_admitted() => {
                self.seat.guest = false;
                self.plan(RemovalCause::Dismissed);
                Ok(())
            }
            None => Err(SeatRejection::NotAGuest),
        }
    }

    fn undo(&mut self, planned_at: Timestamp, courtesy: Duration) -> Result<(), SeatRejection> {
        match &self.seat.removal {
            None => {}
            Some(removal) if removal.claimed_at().is_some() => {
                return Err(SeatRejection::RemovalClaimed);
            }
            Some(_) => return Err(SeatRejection::RemovalPlanned),
        }
        let id = EntitlementId::of_operator(&format!("undo#{}", planned_at.ms()));
        if self.seat.entitlements.contains_key(&id) {
            return Ok(());
        }
        // Whatever was removed by mistake comes back, on its level, until the facts are mended.
        let levels = self.seat.entitlements.values().map(|one| one.level);
        let entitlement = Entitlement {
            level: levels.max().unwrap_or(0),
            ..Entitlement::new(Cover::Until(self.now.plus(courtesy)), self.now)
        };
        self.write(&id, &entitlement)?;
        self.row(planned_at, RemovalRow::Undone);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
