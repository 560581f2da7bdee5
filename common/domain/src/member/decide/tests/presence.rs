use super::*;
use PresenceEvent::*;

/// The person's right, and what we did to them before.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Person {
    Admitted,
    Unknown,
    Ended,
    EndedAndRemovedByUs,
}

const PERSONS: [Person; 4] = [
    Person::Admitted,
    Person::Unknown,
    Person::Ended,
    Person::EndedAndRemovedByUs,
];

fn seat_of(person: Person, presence: PresenceState) -> Seat {
    let right = match person {
        Person::Admitted => Right::Entitled,
        Person::Unknown => Right::None,
        Person::Ended | Person::EndedAndRemovedByUs => Right::Ended,
    };
    Seat {
        removed_at: (person == Person::EndedAndRemovedByUs).then(|| day(98)),
        ..seat(right, presence)
    }
}

fn is_guest(rule: &str, person: Person) -> bool {
    match rule {
        "" => false,
        "guest if not admitted" => person != Person::Admitted,
        "guest if unknown" => person == Person::Unknown,
        "guest if removed by us or unknown" => {
            matches!(person, Person::Unknown | Person::EndedAndRemovedByUs)
        }
        _ => panic!("{rule}"),
    }
}

#[test]
fn the_table_of_presence_holds_cell_by_cell() {
    let look = |finding| Look(finding);
    let kicked = |until: Option<i64>| {
        look(LookFinding::Kicked {
            until: until.map(day),
        })
    };
    let rows: [(PresenceEvent, [&str; 4]); 13] = [
        // The columns: OUT, IN, BANNED, EXEMPT.
        (
            JoinedByOurDoor,
            ["IN; guest if unknown", "IN", "BANNED", "EXEMPT"],
        ),
        (
            PutInByHand,
            [
                "IN; guest if not admitted",
                "IN",
                "IN; guest if not admitted",
                "EXEMPT",
            ],
        ),
        (Left, ["OUT", "OUT", "BANNED", "OUT"]),
        (RemovedByOurCall, ["OUT", "OUT", "BANNED", "EXEMPT"]),
        (BannedByHand, ["BANNED"; 4]),
        (UnbannedByHand, ["OUT", "IN", "OUT", "EXEMPT"]),
        (Promoted, ["EXEMPT"; 4]),
        (
            Demoted,
            ["OUT", "IN", "BANNED", "IN; guest if not admitted"],
        ),
        (
            look(LookFinding::In),
            [
                "IN; guest if removed by us or unknown",
                "IN",
                "IN; guest if not admitted",
                "IN; guest if not admitted",
            ],
        ),
        (look(LookFinding::Out), ["OUT"; 4]),
        (look(LookFinding::Exempt), ["EXEMPT"; 4]),
        (kicked(None), ["BANNED"; 4]),
        (kicked(Some(300)), ["BANNED"; 4]),
    ];
    for (event, cells) in rows {
        for (before, cell) in PresenceState::ALL.into_iter().zip(cells) {
            let (state, rule) = cell.split_once("; ").unwrap_or((cell, ""));
            for person in PERSONS {
                let seat = seat_of(person, before);
                let change = after(&seat, 0, presence_of(event, 0));
                let name = format!("{event:?}, {before:?}, {person:?}");
                assert_eq!(change.seat.presence.as_str(), state, "{name}");
                assert_eq!(change.seat.guest, is_guest(rule, person), "{name}");
                assert_eq!(change.seat.presence_at, Some(day(100)), "{name}");
                assert_eq!(change.seat.checked_at, Some(day(100)), "{name}");
                let ban_again = event == RemovedByOurCall && before == PresenceState::Banned;
                let effects = &change.effects;
                assert_eq!(effects.contains(&SeatEffect::BanAgain), ban_again, "{name}");
            }
        }
    }
}

#[test]
fn only_a_newer_date_counts() {
    let inside = seat(Right::Ended, PresenceState::In);
    for (date, counts) in [(98, false), (99, false), (100, true)] {
        let command = SeatCommand::Presence {
            event: BannedByHand,
            date: day(date),
        };
        let change = after(&inside, 0, command);
        let is_banned = change.seat.presence == PresenceState::Banned;
        assert_eq!(is_banned, counts, "{date}");
        assert_eq!(change.seat.version > inside.version, counts, "{date}");
        assert_eq!(
            change.effects.is_empty(),
            !counts || inside.removal.is_none()
        );
    }
}

#[test]
fn a_ban_that_ends_near_a_call_of_ours_is_our_own() {
    let until = |seconds| {
        Look(LookFinding::Kicked {
            until: Some(seconds),
        })
    };
    let removed = Seat {
        removed_at: Some(day(100)),
        ..seat(Right::Ended, PresenceState::Out)
    };
    let claimed = calling(seat(Right::Ended, PresenceState::In));
    let at = |seconds| day(100).plus(secs(seconds));
    for (seat, seconds, state) in [
        (&removed, 60, PresenceState::Out),
        (&removed, 90, PresenceState::Out),
        (&removed, 91, PresenceState::Banned),
        // The call was made at any moment of the lease.
        (&claimed, 120, PresenceState::Out),
        (&claimed, 150, PresenceState::Out),
        (&claimed, 151, PresenceState::Banned),
    ] {
        let change = after(seat, 70, presence_of(until(at(seconds)), 70));
        assert_eq!(change.seat.presence, state, "{seconds}");
    }
}

#[test]
fn who_becomes_admitted_is_no_guest_any_more() {
    let guest = after(
        &seat(Right::Ended, PresenceState::Out),
        0,
        presence_of(PutInByHand, 0),
    );
    assert!(guest.seat.guest);
    let paid = SeatCommand::Bind {
        request: request("new"),
        entitlement: Entitlement::new(Cover::Forever, day(100)),
    };
    let bound = after(&guest.seat, 1, paid);
    assert!(!bound.seat.guest);
    assert!(!bound.effects.iter().any(is_way_in), "they are in");
}

#[test]
fn a_guest_who_is_seen_inside_again_stays_a_guest_and_one_who_leaves_does_not() {
    let guest = Seat {
        guest: true,
        ..seat(Right::Ended, PresenceState::In)
    };
    for (event, is_guest) in [
        (Look(LookFinding::In), true),
        (PutInByHand, true),
        (UnbannedByHand, true),
        (Left, false),
        (BannedByHand, false),
        (Promoted, false),
    ] {
        let change = after(&guest, 0, presence_of(event, 0));
        assert_eq!(change.seat.guest, is_guest, "{event:?}");
    }
}
