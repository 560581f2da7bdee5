//! What endpoints are told of an update.
//!
//! Each is said before the update counts as handled, and again when it comes again: its id is made of what the record has.

use domain::hook::{Announcement, HookKind};
use domain::id::{ChatId, RequestId, TelegramUserId};
use domain::invite::Invite;
use domain::join::Presence;
use domain::time::Timestamp;

use crate::{App, Failure};

/// The buyer of a request joined, as its record has it.
pub(crate) async fn joined(app: &App, invite: &Invite) -> Result<(), Failure> {
    tell(app, Announcement::invite_joined(invite)).await
}

/// The buyer of a request is back, if its record has that return: a late or repeated update may tell an older one.
pub(crate) async fn returned(app: &App, id: RequestId, presence: &Presence) -> Result<(), Failure> {
    if !is_wanted(app, HookKind::InviteJoined).await? {
        return Ok(());
    }
    let invite = app.invites.get(id).await?;
    let is_this = |invite: &Invite| {
        invite.returned_at == Some(presence.at) && invite.telegram_user_id == Some(presence.person)
    };
    let back = invite.filter(is_this);
    tell(app, back.as_ref().and_then(Announcement::invite_joined)).await
}

/// The buyer of a request left, if its record has that leave: a late or repeated update may tell an older one.
pub(crate) async fn left(app: &App, id: RequestId, leave: &Presence) -> Result<(), Failure> {
    if !is_wanted(app, HookKind::InviteLeft).await? {
        return Ok(());
    }
    let invite = app.invites.get(id).await?;
    let left = invite.filter(|invite| invite.left_at == Some(leave.at));
    tell(app, left.as_ref().and_then(Announcement::invite_left)).await
}

/// The seat of a request is a person's by now, as its record has it, unless it has moved on since.
pub(crate) async fn bound(app: &App, id: RequestId, person: TelegramUserId) -> Result<(), Failure> {
    let is_wanted =
        is_wanted(app, HookKind::SeatClaimed).await? || is_wanted(app, HookKind::SeatMoved).await?;
    if !is_wanted {
        return Ok(());
    }
    let invite = app.invites.get(id).await?;
    let bound = invite.filter(|invite| invite.bound_to == Some(person));
    tell(app, bound.as_ref().and_then(Announcement::seat_bound)).await
}

/// A person wants a seat that somebody else has claimed.
pub(crate) async fn conflict(
    app: &App,
    invite: &Invite,
    person: TelegramUserId,
    at: Timestamp,
) -> Result<(), Failure> {
    tell(app, Some(Announcement::seat_conflict(invite, person, at))).await
}

/// A free seat is given, by a request of its own.
pub(crate) async fn granted(app: &App, invite: &Invite) -> Result<(), Failure> {
    let now = app.clock.now();
    let of_payment = Announcement::of_payment(invite);
    Ok(app.announcements.announce(of_payment, now).await?)
}

/// The rights that requests gave to a person in a chat and that ended, as their seat has it. What was voided is told by the
/// call of its shop, and what moved as that.
pub(crate) async fn ended(
    app: &App,
    (person, chat): (TelegramUserId, ChatId),
) -> Result<(), Failure> {
    if !is_wanted(app, HookKind::SeatEnded).await? {
        return Ok(());
    }
    let seat = app.seats.get(person, chat).await?;
    for (id, entitlement) in &seat.entitlements {
        let Some((request, at)) = id.request().zip(entitlement.cut_at) else {
            continue;
        };
        let invite = app.invites.get(request).await?.filter(|invite| {
            invite.voided_at.is_none()
                && invite.bound_to.or(invite.telegram_user_id) == Some(person)
        });
        tell(
            app,
            invite.map(|invite| Announcement::seat_ended(&invite, person, at)),
        )
        .await?;
    }
    Ok(())
}

async fn is_wanted(app: &App, kind: HookKind) -> Result<bool, Failure> {
    let now = app.clock.now();
    Ok(app.announcements.are_wanted(kind, now).await?)
}

/// Says what happened, if anything did.
pub(crate) async fn tell(app: &App, announcement: Option<Announcement>) -> Result<(), Failure> {
    let now = app.clock.now();
    Ok(app.announcements.announce(announcement, now).await?)
}
