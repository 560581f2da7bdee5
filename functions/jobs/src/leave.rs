//! Taking a person who is erased out of the chats: their seats end, and who is inside is taken out, as the former holder of a
//! seat that moved is.
//!
//! ```text
//! mark that their words are not heard           die here: marked again; a job that is late marks them no more
//! end each seat, with the task that looks        one transaction for a seat; die here: the next run ends what is left, and
//!     whether they are inside and takes them out      what was bought meanwhile
//! ring                                           die here: the tick of `worker` looks within a minute
//! tell endpoints which rights ended              die here: told in the next run, and once by its id
//! wait until no seat has a removal, no task is   die here: waited for again
//!     to move them, and what was under way is over
//! ```
//!
//! Where Telegram says they are is heard meanwhile: who was let in a moment before their seat ended is taken out when their
//! join is reported. An administrator of a chat stays, and so does whom a person put in by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::hook::Announcement;
use domain::id::{ChatId, TelegramUserId};
use domain::invite::Invite;
use domain::job::{ERASE_SETTLES, JOB_LATE, UNHEARD};
use domain::member::Seat;
use domain::member::command::{SeatChange, SeatCommand, SeatRejection};
use domain::member::decide::decide;
use domain::member::presence::PresenceState;
use domain::task::Task;
use domain::time::Timestamp;
use store::{JobRecord, PersonKeys, SeatWritten, StoreError, Unheard, UnheardSpan};
use tracing::{error, info};

use crate::App;

/// For how long Telegram keeps a join request, or somebody else sees to it.
const JOIN_REQUEST_KEPT: Duration = Duration::from_secs(24 * 3600);

/// Ends what gives the person of a job access; answers whether they are out of every chat.
pub(crate) async fn go_on(
    app: &App,
    job: &JobRecord,
    keys: &PersonKeys,
) -> Result<bool, StoreError> {
    let now = app.clock.now();
    // Who can't be taken out for hours is not to be met with silence for good.
    if now.since(job.created_at) <= JOB_LATE {
        let until = now.plus(UNHEARD);
        let span = UnheardSpan {
            // What they say after all was erased once is not lost.
            since: job.erased_at.unwrap_or(until),
            until,
        };
        let mark = app.erasures.mark(keys.person, (Unheard::Words, span), now);
        mark.await?;
    }
    let mut joined = joined(app, keys).await?;
    let seats = app.seats.of(keys.person).await?;
    let mut chats: BTreeSet<ChatId> = seats.iter().map(|seat| seat.chat).collect();
    chats.extend(joined.keys());
    chats.retain(|chat| app.chats.contains(*chat));
    for chat in chats {
        let by_link = joined.remove(&chat).unwrap_or_default();
        end(app, (keys.person, chat), &by_link).await?;
    }
    is_out(app, keys).await
}

/// Whether nobody has to take the person out of a chat any more, and nothing that began before their seats ended can still
/// let them in. In a chat that is not ours any more nobody does anything.
pub(crate) async fn is_out(app: &App, keys: &PersonKeys) -> Result<bool, StoreError> {
    let now = app.clock.now();
    let seats = app.seats.of(keys.person).await?;
    let is_over = |seat: &Seat| {
        let has_settled = |at: Timestamp| now.since(at) >= ERASE_SETTLES;
        !app.chats.contains(seat.chat)
            || seat.removal.is_none()
                && !seat.is_admitted(now)
                && seat.moved_at.is_none_or(has_settled)
                && waits_since(seat, now).is_none()
    };
    Ok(seats.iter().all(is_over) && !app.personal.is_being_moved(keys).await?)
}

/// The requests by whose links the person is inside, of which their seats may not know.
async fn joined(app: &App, keys: &PersonKeys) -> Result<BTreeMap<ChatId, Vec<Invite>>, StoreError> {
    let mut joined: BTreeMap<ChatId, Vec<Invite>> = BTreeMap::new();
    for id in keys.requests() {
        let invite = app.invites.get(*id).await?.filter(|invite| {
            invite.telegram_user_id == Some(keys.person)
                && invite.joined_at.is_some()
                && invite.left_at.is_none()
                && invite.claim_version.is_none()
        });
        if let Some(invite) = invite {
            joined
                .entry(invite.canonical_chat)
                .or_default()
                .push(invite);
        }
    }
    Ok(joined)
}

/// Ends all that a seat grants, also by links.
async fn end(
    app: &App,
    (person, chat): (TelegramUserId, ChatId),
    by_link: &[Invite],
) -> Result<(), StoreError> {
    let now = app.clock.now();
    let written = app.seats.change(
        (person, chat),
        &app.tasks,
        now,
        |seat| ended(seat, by_link, now),
        |change| {
            let waits_since = waits_since(&change.seat, now);
            let decline = waits_since.map(|at| Task::decline_of(chat, person, at, Duration::ZERO));
            change.tasks().into_iter().chain(decline).collect()
        },
    );
    match written.await? {
        SeatWritten::Done(change) => {
            if !change.tasks().is_empty() || waits_since(&change.seat, now).is_some() {
                info!(chat.id = %chat, outcome = "leaving", "a person whose data are erased is taken out of a chat, if they are inside, or turned away");
                app.chat_bells.ring(chat).await;
            }
            announce(app, &change.seat).await?;
        }
        SeatWritten::Rejected(rejection) => {
            error!(chat.id = %chat, fault = "seat_refused", "a seat whose person is erased can't be ended: {}", rejection.code());
        }
        SeatWritten::NotClaimable => {}
    }
    Ok(())
}

/// Since when a person stands at the door: they are turned away, or their request would stand there after them and they could
/// never ask again.
fn waits_since(seat: &Seat, now: Timestamp) -> Option<Timestamp> {
    let waits = seat
        .requested_at
        .filter(|_| seat.presence == PresenceState::Out);
    waits.filter(|at| now.since(*at) < JOIN_REQUEST_KEPT)
}

/// Tells endpoints which rights of a seat ended. What was voided, or moved, was told as that.
async fn announce(app: &App, seat: &Seat) -> Result<(), StoreError> {
    for (id, entitlement) in &seat.entitlements {
        let Some((request, at)) = id.request().zip(entitlement.cut_at) else {
            continue;
        };
        let invite = app.invites.get(request).await?.filter(|invite| {
            invite.voided_at.is_none()
                && invite.bound_to.or(invite.telegram_user_id) == Some(seat.person)
        });
        let ended = invite.map(|invite| Announcement::seat_ended(&invite, seat.person, at));
        app.announcements.announce(ended, app.clock.now()).await?;
    }
    Ok(())
}

fn ended(seat: &Seat, by_link: &[Invite], now: Timestamp) -> Result<SeatChange, SeatRejection> {
    let binds = by_link.iter().map(|invite| SeatCommand::Bind {
        request: invite.request_id,
        entitlement: invite.entitlement(),
    });
    let mut all = SeatChange {
        seat: seat.clone(),
        effects: Vec::new(),
    };
    for bind in binds {
        // Who waits at the door is not let in by what ends in the same breath. A seat that is full has rights enough to end.
        if let Ok(bound) = decide(&all.seat, &bind, now) {
            all.seat = bound.seat;
        }
    }
    let known: Vec<_> = all.seat.entitlements.keys().cloned().collect();
    for id in known {
        let change = decide(&all.seat, &SeatCommand::MoveAway { id, at: now }, now)?;
        all.seat = change.seat;
        all.effects.extend(change.effects);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::id::RequestId;
    use domain::member::entitlement::{Cover, Entitlement, EntitlementId};
    use domain::task::Work;

    const NOW: Timestamp = Timestamp::from_ms(1_700_000_000_000);

    fn seat(presence: PresenceState) -> Seat {
        let mut seat = Seat::new(TelegramUserId(7), ChatId(-1));
        for byte in [1, 2] {
            let id = EntitlementId::of_request(RequestId::from_bytes([byte; 16]));
            let forever = Entitlement::new(Cover::Forever, NOW.minus(ERASE_SETTLES));
            seat.entitlements.insert(id, forever);
        }
        seat.presence = presence;
        seat
    }

    #[test]
    fn all_rights_end_and_one_task_takes_out_who_is_or_may_be_inside() {
        for (presence, is_planned, tasks) in [
            (PresenceState::In, true, 1),
            (PresenceState::Out, false, 1),
            (PresenceState::Banned, false, 0),
            (PresenceState::Exempt, false, 0),
        ] {
            let change = ended(&seat(presence), &[], NOW).unwrap();
            assert!(!change.seat.is_admitted(NOW), "{presence:?}");
            assert_eq!(change.seat.removal.is_some(), is_planned, "{presence:?}");
            let works: Vec<Work> = change.tasks().into_iter().map(|task| task.work).collect();
            assert_eq!(
                works,
                vec![Work::Remove(TelegramUserId(7)); tasks],
                "{presence:?}"
            );
            let again = ended(&change.seat, &[], NOW.plus(ERASE_SETTLES)).unwrap();
            assert_eq!(again.seat, change.seat, "twice is once: {presence:?}");
            assert!(again.effects.is_empty(), "{presence:?}");
        }
    }
}
