use super::*;

/// The states of the machine, of a person whose right has ended and who is inside.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Machine {
    NoRemoval,
    Planned,
    Calling,
}

const MACHINES: [Machine; 3] = [Machine::NoRemoval, Machine::Planned, Machine::Calling];

fn with(machine: Machine, seat: Seat) -> Seat {
    match machine {
        Machine::NoRemoval => seat,
        Machine::Planned => planned(RemovalCause::Ended, seat),
        Machine::Calling => calling(seat),
    }
}

fn machine_of(seat: &Seat) -> Machine {
    match &seat.removal {
        None => Machine::NoRemoval,
        Some(removal) if removal.claimed_at().is_some() => Machine::Calling,
        Some(_) => Machine::Planned,
    }
}

fn rows_of(change: &SeatChange) -> Vec<&RemovalRow> {
    let rows = change.effects.iter();
    rows.filter_map(|effect| match effect {
        SeatEffect::Row { row, .. } => Some(row),
        _ => None,
    })
    .collect()
}

fn paid() -> SeatCommand {
    SeatCommand::Bind {
        request: request("new"),
        entitlement: Entitlement::new(Cover::Forever, day(100)),
    }
}

#[test]
fn the_table_of_removal_holds_cell_by_cell() {
    use Machine::{Calling, NoRemoval, Planned};
    let in_chat = || seat(Right::Ended, PresenceState::In);
    let guest = || Seat {
        guest: true,
        ..in_chat()
    };
    let out = || seat(Right::Ended, PresenceState::Out);
    let tick = || SeatCommand::Tick { rules: RULES };
    let undo = || SeatCommand::UndoRemoval {
        planned_at: day(99),
        courtesy: secs(7 * 86_400),
    };
    let refusal = || RemovalOutcome::Refused {
        reason: "chat held".to_owned(),
    };
    let left = || presence_of(PresenceEvent::Left, 5);
    type Cell = Option<(Machine, PresenceState, Option<RemovalRow>)>;
    let to = |machine, presence, row| Some((machine, presence, row));
    let planned_row = |held: Option<&str>| {
        Some(RemovalRow::Planned {
            cause: RemovalCause::Ended,
            held: held.map(ToOwned::to_owned),
        })
    };
    let skipped = |reason| Some(RemovalRow::Skipped(reason));
    let (inside, outside, exempt) = (PresenceState::In, PresenceState::Out, PresenceState::Exempt);
    // The event, the seat it meets, and what each column becomes: state, presence, row. Nothing is a refusal.
    let rows: Vec<(&str, SeatCommand, Seat, [Cell; 3])> = vec![
        (
            "tick: ended, inside, no guest",
            tick(),
            in_chat(),
            [
                to(Planned, inside, planned_row(None)),
                to(Planned, inside, None),
                to(Calling, inside, None),
            ],
        ),
        (
            "tick: a guest",
            tick(),
            guest(),
            [
                to(NoRemoval, inside, None),
                to(NoRemoval, inside, skipped(SkipReason::Guest)),
                to(Calling, inside, None),
            ],
        ),
        (
            "tick: not inside",
            tick(),
            out(),
            [
                to(NoRemoval, outside, None),
                to(NoRemoval, outside, skipped(SkipReason::NotIn(outside))),
                to(Calling, outside, None),
            ],
        ),
        (
            "admitted",
            paid(),
            in_chat(),
            [
                to(NoRemoval, inside, None),
                to(NoRemoval, inside, skipped(SkipReason::Admitted)),
                to(Calling, inside, None),
            ],
        ),
        (
            "the dispatcher claims",
            claim(None),
            in_chat(),
            [None, to(Calling, inside, None), None],
        ),
        (
            "the dispatcher claims who is admitted",
            claim(None),
            seat(Right::Grace, PresenceState::In),
            [
                None,
                to(NoRemoval, inside, skipped(SkipReason::Admitted)),
                None,
            ],
        ),
        (
            "the dispatcher claims, a guard fails",
            claim(Some("clock")),
            in_chat(),
            [None, to(Planned, inside, planned_row(Some("clock"))), None],
        ),
        (
            "Telegram: done",
            called(RemovalOutcome::Done, 2),
            in_chat(),
            [
                to(NoRemoval, outside, None),
                to(NoRemoval, outside, Some(RemovalRow::Done)),
                to(NoRemoval, outside, Some(RemovalRow::Done)),
            ],
        ),
        (
            "Telegram: administrator",
            called(RemovalOutcome::IsExempt, 2),
            in_chat(),
            [
                to(NoRemoval, inside, None),
                to(Planned, inside, None),
                to(NoRemoval, exempt, skipped(SkipReason::NotIn(exempt))),
            ],
        ),
        (
            "refused for the chat",
            called(refusal(), 2),
            in_chat(),
            [
                to(NoRemoval, inside, None),
                to(Planned, inside, None),
                to(Planned, inside, planned_row(Some("chat held"))),
            ],
        ),
        (
            "time-out",
            called(RemovalOutcome::Unknown, 2),
            in_chat(),
            [
                to(NoRemoval, inside, None),
                to(Planned, inside, None),
                to(Calling, inside, None),
            ],
        ),
        (
            "a newer update of presence",
            left(),
            in_chat(),
            [
                to(NoRemoval, outside, None),
                to(NoRemoval, outside, skipped(SkipReason::NotIn(outside))),
                to(NoRemoval, outside, skipped(SkipReason::NotIn(outside))),
            ],
        ),
        (
            "a newer update: still inside",
            presence_of(PresenceEvent::UnbannedByHand, 5),
            in_chat(),
            [
                to(NoRemoval, inside, None),
                to(Planned, inside, None),
                to(NoRemoval, inside, skipped(SkipReason::NewerUpdate)),
            ],
        ),
        (
            "a newer update: removed by our call",
            presence_of(PresenceEvent::RemovedByOurCall, 5),
            in_chat(),
            [
                to(NoRemoval, outside, None),
                to(NoRemoval, outside, Some(RemovalRow::Done)),
                to(NoRemoval, outside, Some(RemovalRow::Done)),
            ],
        ),
        (
            "an operator dismisses",
            SeatCommand::DismissGuest,
            in_chat(),
            [None, to(Planned, inside, None), None],
        ),
        (
            "an operator undoes",
            undo(),
            out(),
            [to(NoRemoval, outside, Some(RemovalRow::Undone)), None, None],
        ),
    ];
    for (event, command, seat, cells) in rows {
        for (machine, cell) in MACHINES.into_iter().zip(cells) {
            let before = with(machine, seat.clone());
            let now = day(100).plus(secs(10));
            let name = format!("{event}, {machine:?}");
            match (decide(&before, &command, now), cell) {
                (Ok(change), Some((machine, presence, row))) => {
                    assert_eq!(machine_of(&change.seat), machine, "{name}");
                    assert_eq!(change.seat.presence, presence, "{name}");
                    let row: Vec<&RemovalRow> = row.iter().collect();
                    assert_eq!(rows_of(&change), row, "{name}");
                }
                (Err(_), None) => {}
                (found, _) => panic!("{name}: {found:?}"),
            }
        }
    }
}

#[test]
fn a_refusal_says_why() {
    let ended = seat(Right::Ended, PresenceState::In);
    let undo = SeatCommand::UndoRemoval {
        planned_at: day(99),
        courtesy: secs(1),
    };
    let plan = planned(RemovalCause::Ended, ended.clone());
    let call = calling(ended.clone());
    for (seat, seconds, command, refusal) in [
        (&ended, 0, claim(None), SeatRejection::NoRemoval),
        (&call, 59, claim(None), SeatRejection::RemovalClaimed),
        (&call, 60, claim(None), SeatRejection::LookFirst),
        (
            &ended,
            0,
            SeatCommand::DismissGuest,
            SeatRejection::NotAGuest,
        ),
        (
            &call,
            0,
            SeatCommand::DismissGuest,
            SeatRejection::RemovalClaimed,
        ),
        (&plan, 0, undo.clone(), SeatRejection::RemovalPlanned),
        (&call, 0, undo, SeatRejection::RemovalClaimed),
    ] {
        assert_eq!(refused(seat, seconds, command), refusal);
    }
}

#[test]
fn a_guest_who_is_dismissed_is_planned_and_claimed_without_a_right_that_ended() {
    let guest = Seat {
        guest: true,
        ..seat(Right::None, PresenceState::In)
    };
    let change = after(&guest, 0, SeatCommand::DismissGuest);
    assert!(!change.seat.guest);
    let removal = change.seat.removal.as_ref().unwrap();
    assert_eq!(removal.cause, RemovalCause::Dismissed);
    let waits = after(&change.seat, 1, SeatCommand::Tick { rules: KEEP });
    assert_eq!(machine_of(&waits.seat), Machine::Planned);
    let claimed = after(&waits.seat, 2, claim(None));
    assert_eq!(machine_of(&claimed.seat), Machine::Calling);
    let bought = after(&waits.seat, 2, paid());
    assert_eq!(machine_of(&bought.seat), Machine::NoRemoval);
}

#[test]
fn a_call_that_is_refused_for_who_has_paid_meanwhile_writes_one_row() {
    let paid_meanwhile = after(&calling(seat(Right::Ended, PresenceState::In)), 1, paid());
    let refusal = RemovalOutcome::Refused {
        reason: "chat held".to_owned(),
    };
    let back = after(&paid_meanwhile.seat, 2, called(refusal, 2));
    let skipped = RemovalRow::Skipped(SkipReason::Admitted);
    assert_eq!(rows_of(&back), [&skipped]);
    assert_eq!(machine_of(&back.seat), Machine::NoRemoval);
}

#[test]
fn a_right_has_to_be_over_for_longer_than_clocks_differ() {
    let mut seat = seat(Right::Entitled, PresenceState::In);
    for one in seat.entitlements.values_mut() {
        one.cover = Cover::Until(day(100));
        one.grace = Duration::ZERO;
    }
    let tick = SeatCommand::Tick { rules: RULES };
    assert_eq!(
        machine_of(&after(&seat, 599, tick.clone()).seat),
        Machine::NoRemoval
    );
    assert_eq!(machine_of(&after(&seat, 600, tick).seat), Machine::Planned);
    // Planned by a clock that was ahead.
    let early = planned(RemovalCause::Ended, seat);
    let claimed = after(&early, 599, claim(None));
    assert_eq!(machine_of(&claimed.seat), Machine::Planned);
    assert!(matches!(
        rows_of(&claimed)[..],
        [RemovalRow::Planned { held: Some(_), .. }]
    ));
    assert_eq!(
        machine_of(&after(&early, 600, claim(None)).seat),
        Machine::Calling
    );
}

#[test]
fn a_dispute_removes_only_if_the_setting_says_so() {
    let disputed = seat(Right::Suspended, PresenceState::In);
    let tick = |rules| SeatCommand::Tick { rules };
    let kept = after(&disputed, 0, tick(KEEP));
    assert_eq!(machine_of(&kept.seat), Machine::NoRemoval);
    let change = after(&disputed, 0, tick(RULES));
    let removal = change.seat.removal.clone().unwrap();
    assert_eq!(removal.cause, RemovalCause::Disputed);
    let claim_kept = SeatCommand::ClaimRemoval {
        rules: KEEP,
        failed_guard: None,
    };
    for command in [tick(KEEP), claim_kept] {
        let skipped = after(&change.seat, 60, command);
        assert_eq!(machine_of(&skipped.seat), Machine::NoRemoval);
        assert_eq!(
            rows_of(&skipped),
            [&RemovalRow::Skipped(SkipReason::DisputeKept)]
        );
    }
}

#[test]
fn a_lease_that_lapsed_asks_for_a_look_and_is_settled_as_the_look_finds() {
    use LookFinding::{Exempt, In, Kicked, Out};
    let lapsed = calling(seat(Right::Ended, PresenceState::In));
    let tick = SeatCommand::Tick { rules: RULES };
    let look = SeatEffect::LookAtCall {
        claimed_at: day(100),
    };
    assert!(!after(&lapsed, 59, tick.clone()).effects.contains(&look));
    let ticked = after(&lapsed, 60, tick);
    assert!(ticked.effects.contains(&look));
    assert_eq!(machine_of(&ticked.seat), Machine::Calling);
    let ban_ends = Some(day(100).plus(secs(70)));
    let banned = PresenceState::Banned;
    let exempt = PresenceState::Exempt;
    let again = RemovalRow::Planned {
        cause: RemovalCause::Ended,
        held: None,
    };
    for (finding, machine, row) in [
        (In, Machine::Planned, again),
        (Out, Machine::NoRemoval, RemovalRow::Done),
        (
            Kicked { until: ban_ends },
            Machine::NoRemoval,
            RemovalRow::Done,
        ),
        (
            Kicked { until: None },
            Machine::NoRemoval,
            RemovalRow::Skipped(SkipReason::NotIn(banned)),
        ),
        (
            Exempt,
            Machine::NoRemoval,
            RemovalRow::Skipped(SkipReason::NotIn(exempt)),
        ),
    ] {
        let event = PresenceEvent::Look(finding);
        let change = after(&lapsed, 61, presence_of(event, 61));
        assert_eq!(machine_of(&change.seat), machine, "{finding:?}");
        assert_eq!(rows_of(&change), [&row], "{finding:?}");
    }
    let early = after(&lapsed, 30, presence_of(PresenceEvent::Look(In), 30));
    let still = "the call may still be made";
    assert_eq!(machine_of(&early.seat), Machine::Calling, "{still}");
}

#[test]
fn the_result_of_another_claim_says_only_what_was_done() {
    let claimed_again = Seat {
        removal: Some(Removal {
            cause: RemovalCause::Ended,
            planned_at: day(99),
            stage: RemovalStage::Calling {
                claimed_at: day(100).plus(secs(120)),
            },
        }),
        ..seat(Right::Ended, PresenceState::In)
    };
    let refusal = RemovalOutcome::Refused {
        reason: String::new(),
    };
    for outcome in [refusal, RemovalOutcome::IsExempt, RemovalOutcome::Unknown] {
        let change = after(&claimed_again, 130, called(outcome, 10));
        assert_eq!(
            (change.seat, change.effects.len()),
            (claimed_again.clone(), 0)
        );
    }
    let done = after(&claimed_again, 130, called(RemovalOutcome::Done, 10));
    assert_eq!(machine_of(&done.seat), Machine::NoRemoval);
    assert_eq!(done.seat.presence, PresenceState::Out);
}

#[test]
fn a_ban_by_hand_that_came_between_look_and_call_is_put_back() {
    let claimed = calling(seat(Right::Ended, PresenceState::In));
    let banned = after(&claimed, 1, presence_of(PresenceEvent::BannedByHand, 1));
    let reason = SkipReason::NotIn(PresenceState::Banned);
    assert_eq!(rows_of(&banned), [&RemovalRow::Skipped(reason)]);
    let done = after(&banned.seat, 3, called(RemovalOutcome::Done, 2));
    assert_eq!(done.effects, [SeatEffect::BanAgain]);
    assert_eq!(done.seat.presence, PresenceState::Banned);
}

#[test]
fn an_undo_gives_courtesy_once_and_the_next_tick_plans_nothing() {
    let done = after(
        &calling(seat(Right::Ended, PresenceState::In)),
        2,
        called(RemovalOutcome::Done, 2),
    );
    let undo = SeatCommand::UndoRemoval {
        planned_at: day(99),
        courtesy: secs(7 * 86_400),
    };
    let undone = after(&done.seat, 10, undo.clone());
    assert!(undone.effects.contains(&row(RemovalRow::Undone)));
    let tones: Vec<_> = undone
        .effects
        .iter()
        .filter(|effect| is_way_in(effect))
        .collect();
    assert!(
        matches!(
            tones[..],
            [SeatEffect::WayIn {
                tone: WayInTone::Apology,
                ..
            }]
        ),
        "{tones:?}"
    );
    let seven_days = day(107).plus(secs(10));
    assert_eq!(undone.seat.until, Some(seven_days));
    let again = after(&undone.seat, 20, undo);
    assert_eq!((&again.seat, again.effects.len()), (&undone.seat, 0));
    let joined = presence_of(PresenceEvent::JoinedByOurDoor, 30);
    let inside = after(&undone.seat, 30, joined).seat;
    let ticked = after(&inside, 3600, SeatCommand::Tick { rules: RULES });
    assert_eq!(machine_of(&ticked.seat), Machine::NoRemoval);
}
