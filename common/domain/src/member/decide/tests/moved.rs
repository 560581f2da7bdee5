use super::*;
use crate::task::Work;

fn moved(seat: &Seat) -> SeatChange {
    let id = EntitlementId::of_request(request("T"));
    let away = SeatCommand::MoveAway { id, at: day(100) };
    decide(seat, &away, day(100)).unwrap()
}

fn cause(seat: &Seat) -> Option<RemovalCause> {
    seat.removal.as_ref().map(|removal| removal.cause)
}

fn see(seat: &Seat, event: PresenceEvent, date: Timestamp) -> SeatChange {
    decide(seat, &SeatCommand::Presence { event, date }, date).unwrap()
}

#[test]
fn whoever_is_inside_is_taken_out_at_once_when_their_seat_moves() {
    let change = moved(&seat(Right::Entitled, PresenceState::In));
    assert_eq!(cause(&change.seat), Some(RemovalCause::Moved));
    let row = RemovalRow::Planned {
        cause: RemovalCause::Moved,
        held: None,
    };
    let planned_at = day(100);
    assert!(
        change
            .effects
            .contains(&SeatEffect::Row { planned_at, row })
    );
    // No clock has to agree with what a person ordered.
    let claimed = decide(&change.seat, &claim(None), day(100)).unwrap().seat;
    assert_eq!(
        claimed.removal.and_then(|removal| removal.claimed_at()),
        Some(day(100))
    );
    // Done twice it is as done once.
    let again = moved(&change.seat);
    assert_eq!(again.seat, change.seat);
}

#[test]
fn whoever_has_another_right_stays_when_one_of_them_moves() {
    let mut both = seat(Right::Entitled, PresenceState::In);
    let id = EntitlementId::of_request(request("other"));
    let other = Entitlement::new(Cover::Forever, day(90));
    both.entitlements.insert(id, other);
    let change = moved(&both);
    assert_eq!(change.seat.right, Right::Entitled);
    assert_eq!((cause(&change.seat), change.seat.moved_at), (None, None));
}

#[test]
fn whoever_buys_again_before_the_call_is_not_taken_out() {
    let change = moved(&seat(Right::Entitled, PresenceState::In));
    let bind = SeatCommand::Bind {
        request: request("new"),
        entitlement: Entitlement::new(Cover::Forever, day(100)),
    };
    let bought = decide(&change.seat, &bind, day(100)).unwrap().seat;
    assert_eq!((cause(&bought), bought.moved_at), (None, None));
    let refused = decide(&bought, &claim(None), day(100));
    assert_eq!(refused.unwrap_err(), SeatRejection::NoRemoval);
}

#[test]
fn whoever_comes_in_by_an_approval_that_was_under_way_is_taken_out_then() {
    let change = moved(&seat(Right::Entitled, PresenceState::Out));
    assert_eq!(cause(&change.seat), None);
    let inside = see(&change.seat, PresenceEvent::JoinedByOurDoor, day(101));
    assert_eq!(cause(&inside.seat), Some(RemovalCause::Moved));
}

#[test]
fn whoever_is_put_in_by_hand_after_the_move_is_a_guest() {
    let change = moved(&seat(Right::Entitled, PresenceState::Out));
    let inside = see(&change.seat, PresenceEvent::PutInByHand, day(101));
    assert!(inside.seat.guest);
    assert_eq!(cause(&inside.seat), None);
}

#[test]
fn a_seat_without_the_entitlement_stays_as_it_is() {
    for presence in PresenceState::ALL {
        let before = seat(Right::None, presence);
        assert_eq!(moved(&before).seat, before);
    }
}

#[test]
fn whoever_is_outside_as_far_as_we_know_is_looked_for_once() {
    let change = moved(&seat(Right::Entitled, PresenceState::Out));
    let tasks = change.tasks();
    let works: Vec<_> = tasks.iter().map(|task| &task.work).collect();
    assert_eq!(works, [&Work::Remove(TelegramUserId(7))]);
    assert_eq!(moved(&change.seat).tasks(), []);
    // The look that finds them plans it.
    let found = PresenceEvent::Look(LookFinding::In);
    let found = see(&change.seat, found, day(101));
    assert_eq!(cause(&found.seat), Some(RemovalCause::Moved));
}

#[test]
fn whoever_asks_at_another_door_does_not_wait_at_ours_any_more() {
    let before = seat(Right::None, PresenceState::Out);
    let ask = |path, date| SeatCommand::AskAtDoor { path, date };
    let asked = decide(&before, &ask(DoorPath::OwnLink, day(100)), day(100)).unwrap();
    assert_eq!(asked.seat.requested_at, Some(day(100)));
    for (date, left) in [
        (day(99), Some(day(100))),
        (day(100), Some(day(100))),
        (day(101), None),
    ] {
        let other = decide(&asked.seat, &ask(DoorPath::Other, date), day(101)).unwrap();
        assert_eq!(other.seat.requested_at, left, "{date}");
        assert_eq!(other.effects, []);
    }
}
