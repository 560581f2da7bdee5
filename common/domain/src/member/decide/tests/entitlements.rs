use super::*;

fn bind(name: &str, cover: Cover) -> SeatCommand {
    SeatCommand::Bind {
        request: request(name),
        entitlement: Entitlement::new(cover, day(100)),
    }
}

#[test]
fn a_request_is_bound_once_and_stays_closed_if_it_is_bound_again() {
    let empty = Seat::new(TelegramUserId(7), CHAT);
    let bound = after(&empty, 0, bind("T", Cover::Forever)).seat;
    let id = EntitlementId::of_request(request("T"));
    assert_eq!(id.as_str(), format!("request#{}", request("T")));
    assert_eq!((bound.right, bound.version), (Right::Entitled, 1));
    let again = after(&bound, 5, bind("T", Cover::Forever));
    assert_eq!((&again.seat, again.effects.len()), (&bound, 0));

    let at = day(100).plus(secs(10));
    let close = SeatCommand::Close { id, at };
    let closed = after(&bound, 10, close.clone()).seat;
    assert_eq!((closed.right, closed.version), (Right::Ended, 2));
    assert_eq!(after(&closed, 20, close).seat, closed);
    assert_eq!(after(&closed, 20, bind("T", Cover::Forever)).seat, closed);
}

#[test]
fn an_earlier_cut_is_never_put_off() {
    let id = EntitlementId::of_operator("1");
    let cut = Entitlement {
        cut_at: Some(day(95)),
        ..Entitlement::new(Cover::Forever, day(90))
    };
    let mut seat = seat(Right::None, PresenceState::Out);
    seat.entitlements.insert(id.clone(), cut);
    let close = |at| SeatCommand::Close {
        id: id.clone(),
        at: day(at),
    };
    let cut_at = |seat: &Seat| seat.entitlements[&id].cut_at;
    assert_eq!(cut_at(&after(&seat, 0, close(100)).seat), Some(day(95)));
    assert_eq!(cut_at(&after(&seat, 0, close(92)).seat), Some(day(92)));
}

#[test]
fn what_is_unknown_can_not_be_closed() {
    let close = SeatCommand::Close {
        id: EntitlementId::new("nothing"),
        at: day(100),
    };
    let seat = seat(Right::Entitled, PresenceState::In);
    let refusal = refused(&seat, 0, close);
    assert_eq!(refusal, SeatRejection::UnknownEntitlement);
    let mut codes = SeatRejection::ALL.map(SeatRejection::code).to_vec();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), SeatRejection::ALL.len());
}

#[test]
fn an_entitlement_is_extended_shortened_and_restored_by_writing_it_again() {
    let id = EntitlementId::of_request(request("T"));
    let write = |cover| SeatCommand::Write {
        id: id.clone(),
        entitlement: Entitlement::new(cover, day(90)),
    };
    let mut seat = seat(Right::Entitled, PresenceState::In);
    for end in [150, 101] {
        seat = after(&seat, 0, write(Cover::Until(day(end)))).seat;
        assert_eq!(seat.until, Some(day(end)));
    }
    let close = SeatCommand::Close {
        id: id.clone(),
        at: day(100),
    };
    seat = after(&seat, 0, close).seat;
    assert_eq!(seat.right, Right::Ended);
    let restored = after(&seat, 1, write(Cover::Until(day(150))));
    assert_eq!(restored.seat.right, Right::Entitled);
    let event = SeatEffect::Event(SeatEvent::Restored);
    assert!(restored.effects.contains(&event));
}

#[test]
fn forty_entitlements_are_live_at_most_and_those_that_are_over_do_not_count() {
    let mut seat = Seat::new(TelegramUserId(7), CHAT);
    let over = Entitlement::new(Cover::Until(day(99)), day(50));
    for n in 0..9 {
        let id = EntitlementId::of_operator(&format!("over{n}"));
        seat.entitlements.insert(id, over.clone());
    }
    let days = Cover::Days { seconds: 86_400 };
    for n in 0..40 {
        seat = after(&seat, 0, bind(&n.to_string(), days)).seat;
    }
    assert_eq!(seat.until, Some(day(140)));
    let refusal = refused(&seat, 0, bind("one more", days));
    assert_eq!(refusal, SeatRejection::TooManyEntitlements);
    // The first day is over on the next.
    assert!(decide(&seat, &bind("one more", days), day(101)).is_ok());
    let known = EntitlementId::of_request(request("0"));
    let longer = SeatCommand::Write {
        id: known,
        entitlement: Entitlement::new(Cover::Forever, day(100)),
    };
    assert!(
        decide(&seat, &longer, day(100)).is_ok(),
        "it is not a new one"
    );
    let revived = SeatCommand::Write {
        id: EntitlementId::of_operator("over0"),
        entitlement: Entitlement::new(Cover::Forever, day(100)),
    };
    assert_eq!(
        refused(&seat, 0, revived),
        SeatRejection::TooManyEntitlements
    );
}

#[test]
fn what_is_over_is_dropped_after_400_days_and_the_right_stays_ended() {
    let mut seat = seat(Right::Ended, PresenceState::Out);
    for (now, kept) in [(479, 1), (480, 0)] {
        let tick = SeatCommand::Tick { rules: RULES };
        seat = decide(&seat, &tick, day(now)).unwrap().seat;
        assert_eq!(seat.entitlements.len(), kept, "{now}");
        assert_eq!(seat.right, Right::Ended);
        let expires_at = seat.expires_at(day(now));
        assert_eq!(expires_at, (kept == 0).then(|| day(now + 90)));
    }
    assert_eq!(seat.floor.unwrap().at, day(80));
}

#[test]
fn a_history_keeps_the_newest_twenty() {
    let mut seat = Seat::new(TelegramUserId(7), CHAT);
    for n in 0..25 {
        let days = Cover::Days { seconds: 60 };
        seat = after(&seat, n, bind(&n.to_string(), days)).seat;
    }
    assert_eq!(seat.history.len(), SEAT_HISTORY);
    assert!(seat.history.is_sorted_by_key(|entry| entry.at));
    assert_eq!(seat.history.last().unwrap().at, day(100).plus(secs(24)));
    assert_eq!(seat.version, 25);
}

const SEAT_HISTORY: usize = super::super::super::SEAT_HISTORY_MAX;
