//! The tables of presence and removal cell by cell, and what follows.

mod effects;
mod entitlements;
mod moved;
mod presence;
mod removal;
mod sequences;

use super::super::command::*;
use super::super::removal::DisputeAction;
use super::*;
use crate::id::{ChatId, IdentitySource, RequestId, TelegramUserId};

const CHAT: ChatId = ChatId(-100);
const SKEW: Duration = Duration::from_secs(600);
const RULES: RemovalRules = RemovalRules {
    dispute_action: DisputeAction::Remove,
    skew: SKEW,
};
const KEEP: RemovalRules = RemovalRules {
    dispute_action: DisputeAction::Keep,
    skew: SKEW,
};

fn day(n: i64) -> Timestamp {
    Timestamp::from_seconds(n * 86_400)
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn request(name: &str) -> RequestId {
    RequestId::derive(CHAT, IdentitySource::Transaction(name))
}

/// A seat with this right from day 90 to day 120, and on day 100.
fn entitlement_of(right: Right) -> Option<Entitlement> {
    let paid = |from, to| Entitlement {
        grace: secs(3 * 86_400),
        ..Entitlement::new(Cover::Until(day(to)), day(from))
    };
    match right {
        Right::None => None,
        Right::Entitled => Some(paid(90, 120)),
        Right::Grace => Some(paid(60, 99)),
        Right::Suspended => Some(Entitlement {
            suspended_at: Some(day(95)),
            ..paid(90, 120)
        }),
        Right::Ended => Some(paid(50, 80)),
    }
}

/// A seat as it was last written on day 99, with this right on day 100 and this presence.
fn seat(right: Right, presence: PresenceState) -> Seat {
    let mut seat = Seat {
        presence,
        presence_at: Some(day(99)),
        right,
        ..Seat::new(TelegramUserId(7), CHAT)
    };
    if let Some(entitlement) = entitlement_of(right) {
        let id = EntitlementId::of_request(request("T"));
        seat.entitlements.insert(id, entitlement);
    }
    let standing = seat.standing(day(100));
    assert_eq!(standing.right, right);
    (seat.until, seat.grace_until) = (standing.until, standing.grace_until);
    seat
}

fn planned(cause: RemovalCause, seat: Seat) -> Seat {
    Seat {
        removal: Some(Removal {
            cause,
            planned_at: day(99),
            stage: RemovalStage::Planned { held: None },
        }),
        ..seat
    }
}

fn calling(seat: Seat) -> Seat {
    Seat {
        removal: Some(Removal {
            cause: RemovalCause::Ended,
            planned_at: day(99),
            stage: RemovalStage::Calling {
                claimed_at: day(100),
            },
        }),
        ..seat
    }
}

/// What `command` makes of the seat, `seconds` after the beginning of day 100.
fn after(seat: &Seat, seconds: u64, command: SeatCommand) -> SeatChange {
    decide(seat, &command, day(100).plus(secs(seconds))).unwrap()
}

fn refused(seat: &Seat, seconds: u64, command: SeatCommand) -> SeatRejection {
    decide(seat, &command, day(100).plus(secs(seconds))).unwrap_err()
}

fn presence_of(event: PresenceEvent, seconds: u64) -> SeatCommand {
    SeatCommand::Presence {
        event,
        date: day(100).plus(secs(seconds)),
    }
}

fn claim(failed_guard: Option<&str>) -> SeatCommand {
    SeatCommand::ClaimRemoval {
        rules: RULES,
        failed_guard: failed_guard.map(ToOwned::to_owned),
    }
}

fn called(outcome: RemovalOutcome, seconds: u64) -> SeatCommand {
    SeatCommand::RemovalCalled {
        claimed_at: day(100),
        outcome,
        date: day(100).plus(secs(seconds)),
    }
}

fn row(row: RemovalRow) -> SeatEffect {
    SeatEffect::Row {
        planned_at: day(99),
        row,
    }
}

fn is_way_in(effect: &SeatEffect) -> bool {
    matches!(effect, SeatEffect::WayIn { .. })
}
