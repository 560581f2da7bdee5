use super::*;

fn paid(seconds: u64) -> SeatCommand {
    SeatCommand::Bind {
        request: request("new"),
        entitlement: Entitlement::new(Cover::Forever, day(100).plus(secs(seconds))),
    }
}

fn way_in(tone: WayInTone, name: &str) -> SeatEffect {
    SeatEffect::WayIn {
        tone,
        charge: Some(EntitlementId::of_request(request(name))),
    }
}

fn count(change: &SeatChange, is_it: impl Fn(&SeatEffect) -> bool) -> usize {
    change.effects.iter().filter(|effect| is_it(effect)).count()
}

#[test]
fn whoever_is_admitted_and_outside_gets_a_way_in_once() {
    let outside = seat(Right::Ended, PresenceState::Out);
    let bound = after(&outside, 0, paid(0));
    assert!(bound.effects.contains(&way_in(WayInTone::Plain, "new")));
    assert_eq!(bound.seat.offered_at, Some(day(100)));
    let ticked = after(&bound.seat, 60, SeatCommand::Tick { rules: RULES });
    assert_eq!((&ticked.seat, ticked.effects.len()), (&bound.seat, 0));
    let joined = presence_of(PresenceEvent::JoinedByOurDoor, 60);
    let joined = after(&bound.seat, 60, joined);
    assert_eq!(joined.seat.offered_at, None);
    assert_eq!(joined.effects, []);
    // The way back is offered once per leave.
    let mut keys = Vec::new();
    let mut seat = joined.seat;
    for round in 1..3 {
        let at = round * 100;
        let left = after(&seat, at, presence_of(PresenceEvent::Left, at));
        assert_eq!(left.effects, [way_in(WayInTone::Plain, "new")]);
        keys.push(left.effects[0].key(&left.seat));
        let repeated = after(&left.seat, at, presence_of(PresenceEvent::Left, at));
        assert_eq!(repeated.effects, []);
        let back = presence_of(PresenceEvent::JoinedByOurDoor, at + 1);
        seat = after(&left.seat, at + 1, back).seat;
    }
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn a_person_whom_we_removed_although_they_had_paid_gets_an_apology() {
    let claimed = calling(seat(Right::Ended, PresenceState::In));
    // The payment arrives between claim and answer: its buyer is out, and gets in again.
    let paid_meanwhile = after(&claimed, 1, paid(1)).seat;
    let done = after(&paid_meanwhile, 3, called(RemovalOutcome::Done, 2));
    assert!(done.effects.contains(&way_in(WayInTone::Apology, "new")));
    assert!(done.effects.contains(&row(RemovalRow::Done)));
    assert!(!done.effects.contains(&SeatEffect::HowToReturn));
    // The same, and the payment is reported an hour later.
    let removed = after(&claimed, 3, called(RemovalOutcome::Done, 2));
    let reported = after(&removed.seat, 3600, paid(1));
    assert!(
        reported
            .effects
            .contains(&way_in(WayInTone::Apology, "new"))
    );
    // Who buys again after a removal that was right gets no apology.
    let again = after(&removed.seat, 3600, paid(3600));
    assert!(again.effects.contains(&way_in(WayInTone::Plain, "new")));
}

#[test]
fn a_removal_that_is_done_says_how_to_come_back_and_raises_the_event_once() {
    let claimed = calling(seat(Right::Ended, PresenceState::In));
    let event = SeatEffect::Event(SeatEvent::Removed);
    let done = after(&claimed, 3, called(RemovalOutcome::Done, 2));
    assert_eq!(
        done.effects,
        [
            row(RemovalRow::Done),
            SeatEffect::HowToReturn,
            event.clone()
        ]
    );
    let update = presence_of(PresenceEvent::RemovedByOurCall, 3);
    assert_eq!(after(&done.seat, 4, update.clone()).effects, []);
    // The update may be faster than the answer.
    let seen = after(&claimed, 3, update);
    assert_eq!(seen.effects, done.effects);
    let answered = after(&seen.seat, 4, called(RemovalOutcome::Done, 3));
    assert_eq!((answered.seat, answered.effects.len()), (seen.seat, 0));
}

#[test]
fn a_banned_person_who_is_admitted_is_put_to_operators_once_and_never_let_in() {
    let banned = seat(Right::Ended, PresenceState::Banned);
    let bound = after(&banned, 0, paid(0));
    assert_eq!(bound.seat.review, Some(day(100)));
    assert!(bound.effects.contains(&SeatEffect::Review));
    assert_eq!(count(&bound, is_way_in), 0);
    let ticked = after(&bound.seat, 60, SeatCommand::Tick { rules: RULES });
    assert_eq!(ticked.effects, []);
    let unbanned = presence_of(PresenceEvent::UnbannedByHand, 60);
    let unbanned = after(&bound.seat, 60, unbanned);
    assert_eq!(unbanned.seat.review, None);
    assert_eq!(count(&unbanned, is_way_in), 1);
}

#[test]
fn grace_end_and_return_are_told_once_each() {
    let mut seat = seat(Right::Entitled, PresenceState::In);
    let tick = SeatCommand::Tick { rules: RULES };
    let grace = SeatEffect::GraceBegins {
        until: day(123),
        charge: Some(EntitlementId::of_request(request("T"))),
    };
    for (now, effects) in [
        (119, vec![]),
        (120, vec![grace, SeatEffect::Event(SeatEvent::Grace)]),
        (121, vec![]),
        (123, vec![SeatEffect::Event(SeatEvent::Ended)]),
    ] {
        let change = decide(&seat, &tick, day(now)).unwrap();
        assert_eq!(change.effects, effects, "{now}");
        assert_eq!(change.seat.version == seat.version, effects.is_empty());
        seat = change.seat;
    }
    assert_eq!(seat.grace_until, None);
    let renewed = SeatCommand::Bind {
        request: request("new"),
        entitlement: Entitlement::new(Cover::Forever, day(123)),
    };
    let back = decide(&seat, &renewed, day(123)).unwrap();
    assert_eq!(back.effects, [SeatEffect::Event(SeatEvent::Restored)]);
    let names = [
        SeatEvent::Grace,
        SeatEvent::Ended,
        SeatEvent::Removed,
        SeatEvent::Restored,
    ];
    let names = names.map(SeatEvent::as_str);
    let expected = ["seat.grace", "seat.ended", "seat.removed", "seat.restored"];
    assert_eq!(names, expected);
}

#[test]
fn the_door_asks_right_and_presence_and_nothing_else() {
    let ask = |path| SeatCommand::AskAtDoor {
        path,
        date: day(100),
    };
    let requested_at = day(100);
    let approve = SeatEffect::Approve { requested_at };
    let how_to_claim = SeatEffect::HowToClaim { requested_at };
    let support = SeatEffect::AskSupport { requested_at };
    for right in [
        Right::Entitled,
        Right::Grace,
        Right::Suspended,
        Right::Ended,
        Right::None,
    ] {
        for path in [DoorPath::OwnLink, DoorPath::Other] {
            let banned = after(&seat(right, PresenceState::Banned), 0, ask(path));
            assert!(banned.effects.contains(&support), "{right:?}");
            assert_eq!(banned.seat.requested_at, None);
            let outside = after(&seat(right, PresenceState::Out), 0, ask(path));
            let expected = match (right.is_admitted(), path) {
                (true, _) => Some(&approve),
                (false, DoorPath::OwnLink) => Some(&how_to_claim),
                (false, DoorPath::Other) => None,
            };
            let expected: Vec<&SeatEffect> = expected.into_iter().collect();
            let found: Vec<&SeatEffect> = outside.effects.iter().collect();
            assert_eq!(found, expected, "{right:?}, {path:?}");
            let waits = outside.seat.requested_at.is_some();
            assert_eq!(waits, !expected.is_empty());
        }
    }
}

#[test]
fn who_waits_at_the_door_is_let_in_by_a_purchase_without_another_tap() {
    let ask = SeatCommand::AskAtDoor {
        path: DoorPath::OwnLink,
        date: day(100),
    };
    let waits = after(&seat(Right::None, PresenceState::Out), 0, ask.clone()).seat;
    let bound = after(&waits, 60, paid(60));
    let requested_at = day(100);
    assert_eq!(bound.effects, [SeatEffect::Approve { requested_at }]);
    // Telegram does not know the request any more: another way in.
    let gone = after(&bound.seat, 70, SeatCommand::LeaveDoor { date: day(100) });
    assert_eq!(gone.effects, [way_in(WayInTone::Plain, "new")]);
    let inside = presence_of(PresenceEvent::JoinedByOurDoor, 70);
    let inside = after(&bound.seat, 70, inside).seat;
    assert_eq!(inside.requested_at, None);
    // The update of the request comes once more, late.
    let late = after(&inside, 80, ask);
    assert_eq!((&late.seat, late.effects.len()), (&inside, 0));
    // Declined after the hold.
    let declined = after(&waits, 900, SeatCommand::LeaveDoor { date: day(100) });
    assert_eq!(declined.seat.requested_at, None);
    assert_eq!(declined.effects, []);
}

#[test]
fn no_two_effects_of_one_seat_share_a_key() {
    let seat = seat(Right::Entitled, PresenceState::Out);
    let requested_at = day(100);
    let effects = [
        way_in(WayInTone::Plain, "T"),
        SeatEffect::Approve { requested_at },
        SeatEffect::HowToClaim { requested_at },
        SeatEffect::AskSupport { requested_at },
        SeatEffect::GraceBegins {
            until: day(103),
            charge: None,
        },
        SeatEffect::HowToReturn,
        SeatEffect::Review,
        SeatEffect::BanAgain,
        SeatEffect::LookAtCall {
            claimed_at: day(100),
        },
        SeatEffect::LookIfInside { moved_at: day(100) },
        row(RemovalRow::Done),
        SeatEffect::Event(SeatEvent::Grace),
        SeatEffect::Event(SeatEvent::Ended),
    ];
    let mut keys: Vec<String> = effects.iter().map(|effect| effect.key(&seat)).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), effects.len());
    assert!(
        keys.iter().all(|key| key.starts_with("-100#7#")),
        "{keys:?}"
    );
}
