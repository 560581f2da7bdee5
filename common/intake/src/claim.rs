//! A claim link for a new request: DONE in its own answer, without a word to Telegram and without a task.
//!
//! ```text
//! write the record with its claim link     one write, which makes the event pending: die before it, and nothing happened
//!     of a buyer whom the shop knows: with their seat, and the task that lets them in if they wait at the door
//! ring the bell, queue the event           die here: the tick looks within a minute, the sweeper finds it pending
//! ```
//!
//! In a chat that is not claimed a claim link stands beside the invite link, where one can be made; it is stored nowhere. A
//! buyer whom the shop knows has claimed the request by its payment: that is written after it, since the payment is accepted
//! whatever becomes of it, and the next report of it writes it then.

use std::time::Duration;

use domain::claim::{ChatDeliveries, Claim};
use domain::hook::Announcement;
use domain::id::{ChatId, InviteLink, TelegramUserId};
use domain::invite::Invite;
use domain::join::Join;
use domain::member::command::{SeatChange, SeatCommand};
use domain::member::decide::decide;
use domain::member::entitlement::EntitlementId;
use domain::member::presence::PresenceState;
use domain::purchase::{self, Chats};
use domain::time::Timestamp;
use runtime::aws;
use runtime::config::Env;
use runtime::response::Rejection;
use runtime::settings;
use runtime::telemetry::chain;
use store::{Binding, ClaimLinks, Created, Joined, SeatWritten};
use tracing::{error, info, warn};

use crate::{Intake, unavailable};

/// How often a request is bound anew because somebody else claimed it meanwhile.
const BIND_TRIES: u32 = 3;

/// What makes claim links, and for whom.
pub(crate) struct Claims {
    deliveries: ChatDeliveries,
    pub(crate) links: ClaimLinks,
    retention: Duration,
}

/// How a payment of a claimed chat was taken.
pub(crate) enum Claimable {
    /// It is DONE; this is its record.
    New(Box<Invite>),
    /// It was not new: this is its record.
    Known(Box<Invite>),
}

impl Claims {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub(crate) fn from_env(env: &mut Env, chats: &Chats, aws: &aws::Shared) -> Self {
        let deliveries = settings::chat_deliveries(env, chats);
        Self {
            links: ClaimLinks::from_env(env, &deliveries, aws),
            deliveries,
            retention: settings::claim_retention(env),
        }
    }

    /// Whether the buyers of the chat get claim links.
    pub(crate) fn serve(&self, canonical_chat: ChatId) -> bool {
        self.deliveries.is_claimed(canonical_chat)
    }

    /// The claim link that stands beside the invite link of a request; nothing where none can be made.
    pub(crate) async fn link_beside(&self, invite: &Invite, now: Timestamp) -> Option<InviteLink> {
        self.links.beside(invite.claim_beside(), now).await
    }

    async fn can_bind_link(
        &self,
        invite: &Invite,
        person: TelegramUserId,
        now: Timestamp,
    ) -> Result<bool, Rejection> {
        if invite
            .telegram_user_id
            .is_some_and(|joined| joined != person)
        {
            return Ok(false);
        }
        let front = self.links.front(now).await.map_err(unavailable)?;
        Ok(front.is_some())
    }
}

/// Accepts a request that has no record yet, for `person` if the shop knows them. On [`Claimable::New`] it is durable, and
/// its event pending.
pub(crate) async fn accept(
    app: &Intake,
    invite: Invite,
    person: Option<TelegramUserId>,
) -> Result<Claimable, Rejection> {
    let now = app.clock.now();
    let claim = Claim {
        request_id: invite.request_id,
        version: 0,
    };
    let link = app.claims.links.link(claim, now).await?;
    let done = Invite {
        bound_to: person,
        bound_at: person.map(|_| now),
        ..invite.served_by_claim(link)
    };
    let known = match person {
        None => {
            let expires_at = done.created_at.plus(app.claims.retention);
            let created = app.invites.create(&done, expires_at).await;
            match created.map_err(unavailable)? {
                Created::Existing(invite) => Some(invite),
                Created::New => None,
            }
        }
        Some(person) if bind(app, person, &done, Binding::New(&done)).await? => None,
        Some(_) => {
            let found = app.invites.get(done.request_id).await;
            let found = found.map_err(unavailable)?.ok_or(Rejection::Unavailable)?;
            Some(Box::new(found))
        }
    };
    if let Some(known) = known {
        return Ok(Claimable::Known(known));
    }
    for event in done.pending_events() {
        if let Err(fault) = app.events.send_now(event).await {
            warn!(invite.id = %done.request_id, fault = "unavailable", "an event could not be queued, the sweeper will: {}", chain(&fault));
        }
    }
    info!(invite.id = %done.request_id, chat.id = %done.chat, outcome = "claimable", "a claim link was handed out");
    Ok(Claimable::New(Box::new(done)))
}

/// A payment is reported for `person`, and its record is there: its seat is theirs, or becomes so if nobody has claimed it.
/// One that has moved since is whose it is by now.
///
/// # Errors
/// [`purchase::Rejection::TelegramUserConflict`] if somebody else has it.
pub(crate) async fn repeated(
    app: &Intake,
    mut invite: Invite,
    person: Option<TelegramUserId>,
) -> Result<Invite, Rejection> {
    let Some(person) = person.filter(|_| invite.voided_at.is_none()) else {
        return Ok(invite);
    };
    for _ in 0..BIND_TRIES {
        let version = match (invite.claim_version, invite.bound_to) {
            // Of one with an invite link nothing is to be told but the link.
            (None, Some(holder)) if holder == person => return Ok(invite),
            (None | Some(0), Some(holder)) if holder != person => {
                warn!(invite.id = %invite.request_id, outcome = "conflict", "one transaction, two people of Telegram");
                return Err(purchase::Rejection::TelegramUserConflict.into());
            }
            // The person who joined has it. Without a bot that talks with people nobody could tell them anything, nor claim it.
            (None, None)
                if !app
                    .claims
                    .can_bind_link(&invite, person, app.clock.now())
                    .await? =>
            {
                return Ok(invite);
            }
            // Nobody has claimed it, by whichever of its links.
            (version, None) => version.unwrap_or_default(),
            // Also if it is theirs already: the first call may have died before it told of their join.
            (Some(version), Some(holder)) if holder == person && !invite.is_moving => version,
            (_, Some(_)) => return Ok(invite),
        };
        let binding = match invite.has_invite_link() {
            true => Binding::Link(invite.request_id),
            false => Binding::Claim(Claim {
                request_id: invite.request_id,
                version,
            }),
        };
        let is_bound = bind(app, person, &invite, binding).await?;
        let found = app.invites.get(invite.request_id).await;
        invite = found.map_err(unavailable)?.ok_or(Rejection::Unavailable)?;
        if is_bound {
            return Ok(invite);
        }
    }
    Err(Rejection::Unavailable)
}

/// Binds a request to a person whom the shop knows; answers whether it was to be had. Who waits at the door is let in, and
/// who is inside has joined.
async fn bind(
    app: &Intake,
    person: TelegramUserId,
    invite: &Invite,
    binding: Binding<'_>,
) -> Result<bool, Rejection> {
    let now = app.clock.now();
    let command = SeatCommand::Bind {
        request: invite.request_id,
        entitlement: invite.entitlement(),
    };
    let written = app.seats.bind(
        (person, invite.canonical_chat),
        binding,
        (&app.invites, &app.tasks),
        now,
        |seat| decide(seat, &command, now),
        SeatChange::tasks,
    );
    let change = match written.await.map_err(unavailable)? {
        SeatWritten::Done(change) => change,
        SeatWritten::NotClaimable => return Ok(false),
        SeatWritten::Rejected(rejection) => {
            error!(invite.id = %invite.request_id, fault = "seat_refused", "a request does not fit into the seat of its buyer: {}", rejection.code());
            // An invite link lets its buyer in without a seat, and its payment is stored already.
            return match invite.has_invite_link() {
                true => Ok(true),
                false => Err(Rejection::Unavailable),
            };
        }
    };
    if !change.tasks().is_empty() {
        app.bells.ring(invite.canonical_chat).await;
    }
    let followed = app
        .seats
        .follow_order(person, invite, (&app.invites, &app.tasks), now);
    followed.await.map_err(unavailable)?;
    let is_inside = matches!(
        change.seat.presence,
        PresenceState::In | PresenceState::Exempt
    );
    // Nobody is inside by an invite link that they have not used.
    let is_inside = is_inside && !invite.has_invite_link();
    if let Some(link) = invite.invite_link.clone().filter(|_| is_inside) {
        let join = Join {
            chat: invite.chat,
            person,
            link,
            at: now,
        };
        let recorded = app.invites.record_join(invite.request_id, &join, now).await;
        let recorded = recorded.map_err(unavailable)?;
        if let Joined::First(joined) = &recorded
            && let Some(event) = joined.unsent_join_event(&join.link)
            && let Err(fault) = app.events.send_now(event).await
        {
            warn!(invite.id = %invite.request_id, fault = "unavailable", "an event could not be queued, the sweeper will: {}", chain(&fault));
        }
        // Also the second time: the first call may have died before it.
        if let Joined::First(joined) | Joined::Again(joined) = &recorded {
            let joined = Announcement::invite_joined(joined);
            let announced = app.announcements.announce(joined, now).await;
            announced.map_err(unavailable)?;
        }
    }
    Ok(true)
}

/// Ends what a voided request gave to the person who claimed it; answers whose right ended, and when: that may be before, if it
/// had ended otherwise. Durable on return; done twice it is as done once.
pub(crate) async fn close(
    app: &Intake,
    invite: &Invite,
) -> Result<Option<(TelegramUserId, Timestamp)>, Rejection> {
    let Some(person) = invite.bound_to else {
        return Ok(None);
    };
    let (id, now) = (
        EntitlementId::of_request(invite.request_id),
        app.clock.now(),
    );
    let close = SeatCommand::Close {
        id: id.clone(),
        at: now,
    };
    let written = app.seats.change(
        (person, invite.canonical_chat),
        &app.tasks,
        now,
        |seat| decide(seat, &close, now),
        |_| Vec::new(),
    );
    Ok(match written.await.map_err(unavailable)? {
        SeatWritten::Done(change) => {
            let entitlement = change.seat.entitlements.get(&id);
            let cut_at = entitlement.and_then(|entitlement| entitlement.cut_at);
            cut_at.map(|at| (person, at))
        }
        // Their seat never had it.
        SeatWritten::Rejected(_) | SeatWritten::NotClaimable => None,
    })
}
