use std::collections::HashMap;

use super::*;

/// Events of one seat. Those that take time say how much; every other one takes a minute.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Bought,
    BoughtAhead,
    Refunded,
    MovedAway,
    Disputed,
    DisputeWon,
    DaysPass,
    LeasePasses,
    Joins,
    PutIn,
    Leaves,
    Banned,
    Unbanned,
    Promoted,
    Demoted,
    LookIn,
    LookOut,
    Ticks,
    Claims,
    Done,
    Refused,
    TimesOut,
    Dismisses,
    Undoes,
}

use Happening::*;

const ALL: [Happening; 24] = [
    Bought,
    BoughtAhead,
    Refunded,
    MovedAway,
    Disputed,
    DisputeWon,
    DaysPass,
    LeasePasses,
    Joins,
    PutIn,
    Leaves,
    Banned,
    Unbanned,
    Promoted,
    Demoted,
    LookIn,
    LookOut,
    Ticks,
    Claims,
    Done,
    Refused,
    TimesOut,
    Dismisses,
    Undoes,
];

fn commands(happening: Happening, seat: &Seat, now: Timestamp) -> Option<SeatCommand> {
    let id = EntitlementId::of_request(request("T"));
    let disputed = |suspended_at| {
        let entitlement = seat.entitlements.get(&id)?.clone();
        Some(SeatCommand::Write {
            id: id.clone(),
            entitlement: Entitlement {
                suspended_at,
                ..entitlement
            },
        })
    };
    let presence = |event| Some(SeatCommand::Presence { event, date: now });
    let called = |outcome| {
        Some(SeatCommand::RemovalCalled {
            claimed_at: seat.removal.as_ref()?.claimed_at()?,
            outcome,
            date: now,
        })
    };
    match happening {
        Bought => Some(SeatCommand::Bind {
            request: request("T"),
            entitlement: Entitlement {
                grace: secs(86_400),
                ..Entitlement::new(
                    Cover::Days {
                        seconds: 2 * 86_400,
                    },
                    now,
                )
            },
        }),
        // By a clock that is ahead of ours: it admits once time has passed, without another command.
        BoughtAhead => Some(SeatCommand::Bind {
            request: request("ahead"),
            entitlement: Entitlement::new(Cover::Forever, now.plus(secs(600))),
        }),
        Refunded => Some(SeatCommand::Close { id, at: now }),
        MovedAway => Some(SeatCommand::MoveAway { id, at: now }),
        Disputed => disputed(Some(now)),
        DisputeWon => disputed(None),
        DaysPass | LeasePasses => None,
        Joins => presence(PresenceEvent::JoinedByOurDoor),
        PutIn => presence(PresenceEvent::PutInByHand),
        Leaves => presence(PresenceEvent::Left),
        Banned => presence(PresenceEvent::BannedByHand),
        Unbanned => presence(PresenceEvent::UnbannedByHand),
        Promoted => presence(PresenceEvent::Promoted),
        Demoted => presence(PresenceEvent::Demoted),
        LookIn => presence(PresenceEvent::Look(LookFinding::In)),
        LookOut => presence(PresenceEvent::Look(LookFinding::Out)),
        Ticks => Some(SeatCommand::Tick { rules: RULES }),
        Claims => Some(claim(None)),
        Done => called(RemovalOutcome::Done),
        Refused => called(RemovalOutcome::Refused {
            reason: "held".to_owned(),
        }),
        TimesOut => called(RemovalOutcome::Unknown),
        Dismisses => Some(SeatCommand::DismissGuest),
        Undoes => Some(SeatCommand::UndoRemoval {
            planned_at: now,
            courtesy: secs(7 * 86_400),
        }),
    }
}

/// What must hold after every command.
fn check(before: &Seat, change: &SeatChange, now: Timestamp, path: &[Happening]) {
    let seat = &change.seat;
    let right = seat.standing(now).right;
    let claimed = |seat: &Seat| seat.removal.as_ref().and_then(Removal::claimed_at);
    if claimed(seat).is_some() && claimed(before).is_none() {
        assert!(!right.is_admitted(), "claimed while admitted: {path:?}");
        assert_eq!(seat.presence, PresenceState::In, "{path:?}");
        assert!(!seat.guest, "{path:?}");
    }
    let is_planned = seat.removal.is_some() && claimed(seat).is_none();
    assert!(!(is_planned && right.is_admitted()), "{path:?}");
    assert!(!(seat.guest && right.is_admitted()), "{path:?}");
    assert!(
        !seat.guest || seat.presence == PresenceState::In,
        "{path:?}"
    );
    let is_banned_but_paid = right.is_admitted() && seat.presence == PresenceState::Banned;
    assert_eq!(seat.review.is_some(), is_banned_but_paid, "{path:?}");
    if right.is_admitted() && seat.presence == PresenceState::Out {
        assert!(seat.offered_at.is_some(), "without a way in: {path:?}");
    }
    let offers = change.effects.iter().filter(|effect| is_way_in(effect));
    assert!(offers.count() <= 1, "{path:?}");
    // Whoever is inside after the end of their right is removed by the next tick, or is a guest.
    let later = now.plus(SKEW);
    let stays_ended = right == Right::Ended && seat.standing(later).right == Right::Ended;
    if stays_ended && seat.presence == PresenceState::In && !seat.guest {
        let tick = SeatCommand::Tick { rules: RULES };
        let ticked = decide(seat, &tick, later).unwrap().seat;
        assert!(ticked.removal.is_some(), "nobody removes them: {path:?}");
    }
    assert_eq!(seat.right, right, "{path:?}");
}

/// A seat without what only records: two seats that differ in it alone have one future.
fn bare(seat: &Seat) -> Seat {
    Seat {
        history: Vec::new(),
        version: 0,
        ..seat.clone()
    }
}

fn play(start: Seat, length: usize) -> usize {
    let mut states: HashMap<(Seat, Timestamp), Vec<Happening>> =
        HashMap::from([((start, day(100)), Vec::new())]);
    let mut claims = 0;
    for left in (0..length).rev() {
        let mut next = HashMap::new();
        for ((seat, now), path) in &states {
            for happening in ALL {
                let now = now.plus(secs(match happening {
                    DaysPass => 2 * 86_400,
                    LeasePasses => 3600,
                    _ => 60,
                }));
                let mut path = path.clone();
                path.push(happening);
                let change = match commands(happening, seat, now) {
                    Some(command) => match decide(seat, &command, now) {
                        Ok(change) => change,
                        Err(_) => continue,
                    },
                    None => SeatChange {
                        seat: seat.clone(),
                        effects: Vec::new(),
                    },
                };
                if commands(happening, seat, now).is_some() {
                    check(seat, &change, now, &path);
                }
                let claimed = change.seat.removal.as_ref().and_then(Removal::claimed_at);
                claims += usize::from(claimed == Some(now));
                if left > 0 {
                    next.entry((bare(&change.seat), now)).or_insert(path);
                }
            }
        }
        states = next;
    }
    claims
}

#[test]
fn no_sequence_of_five_events_claims_the_removal_of_who_is_admitted() {
    let planned_guest = planned(
        RemovalCause::Dismissed,
        seat(Right::None, PresenceState::In),
    );
    let starts = [
        Seat::new(TelegramUserId(7), CHAT),
        seat(Right::Entitled, PresenceState::In),
        seat(Right::Ended, PresenceState::In),
        calling(seat(Right::Ended, PresenceState::In)),
        planned_guest,
    ];
    let claims: usize = std::thread::scope(|scope| {
        let played = starts.map(|start| scope.spawn(|| play(start, 5)));
        played.map(|thread| thread.join().unwrap()).iter().sum()
    });
    assert!(claims > 100, "{claims}");
}
