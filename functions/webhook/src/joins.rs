//! Who came into a chat, and who went out: the join of a request is recorded, once, and what follows from it is queued.
//!
//! ```text
//! record the join (conditional)   die here: Telegram sends the update again, the join is found recorded
//! put the revocation              die here: as above; the same join is the same task
//! put the member                  die here: as above; it is how a leave, which names no link, finds its request
//! write the seat                  die here: as above; only in a claimed chat, of a link that was handed out before it was
//! report it                       die here: as above; if somebody else has claimed the request
//! queue the event                 die here: as above; the event is known by its id, and pending
//! ```
//!
//! A pooled link that was never sold is evicted, and then revoked: dying in between, it is found evicted when Telegram
//! sends the update again.
//!
//! The event goes last, so that a join whose event was delivered had its revocation put.

use domain::id::{BotId, ChatId, InviteLink, RequestId, TelegramUserId};
use domain::invite::Invite;
use domain::join::{Join, MemberChange, Presence};
use domain::member::presence::PresenceEvent;
use domain::task::{Revoke, Task, Work};
use runtime::trace;
use store::{Joined, LinkRecord, Owner, StoreError};
use tracing::field::display;
use tracing::{error, info, warn};

use crate::door::{self, Whereabouts};
use crate::unheard::is_presence_unheard;
use crate::{App, Failure, UpdateOutcome, announce, gifts};

/// Somebody came into a chat, or went out. In a claimed chat that is kept in their seat first.
pub(crate) async fn member(app: &App, change: &MemberChange) -> Result<UpdateOutcome, Failure> {
    // Where nobody talks with the bot, a join is kept in its request alone, and is recorded there once.
    if let Some((person, at)) = change.who_and_when().filter(|_| app.talks())
        && is_presence_unheard(app, person, at).await?
    {
        return Ok(UpdateOutcome::Ignored);
    }
    let (presence, event) = match change {
        MemberChange::Join(join) => return joined(app, join).await,
        MemberChange::Entry(presence) => (presence, PresenceEvent::PutInByHand),
        MemberChange::Leave(presence) => (presence, PresenceEvent::Left),
        MemberChange::Removal(presence) => (presence, PresenceEvent::RemovedByOurCall),
        MemberChange::Ban(presence) => (presence, PresenceEvent::BannedByHand),
        MemberChange::Unban(presence) => (presence, PresenceEvent::UnbannedByHand),
        MemberChange::Ignored(_) => return Ok(UpdateOutcome::Ignored),
    };
    let chat = app.canonical_chat(presence.chat);
    if app.deliveries.is_claimed(chat) {
        door::moved(app, presence, chat, event).await?;
    }
    let whereabouts = match event {
        PresenceEvent::PutInByHand => Whereabouts::Inside,
        _ => Whereabouts::Outside,
    };
    if app.deliveries.is_claimed(chat) {
        door::note(app, presence, chat, whereabouts).await?;
    }
    note(app, presence, whereabouts).await
}

/// Somebody came in by a link of our bot: by the request link of a claimed chat, or by one that was handed out.
async fn joined(app: &App, join: &Join) -> Result<UpdateOutcome, Failure> {
    let chat = app.canonical_chat(join.chat);
    if !app.deliveries.is_claimed(chat) {
        return attribute(app, join).await;
    }
    let presence = Presence {
        chat: join.chat,
        person: join.person,
        at: join.at,
    };
    door::moved(app, &presence, chat, PresenceEvent::JoinedByOurDoor).await?;
    let outcome = door::admitted(app, &presence, chat).await?;
    match door::is_request_link(app, chat, &join.link).await? {
        true => Ok(outcome),
        // A link that was handed out before the chat was claimed.
        false => attribute(app, join).await,
    }
}

/// Finds whose link it was, records the join and queues what follows from it.
async fn attribute(app: &App, join: &Join) -> Result<UpdateOutcome, Failure> {
    let Some(mut link) = app.links.get(&join.link.hash()).await? else {
        if !app.is_ours(join.chat) {
            return Ok(UpdateOutcome::Ignored);
        }
        warn!(chat.id = %join.chat, outcome = "orphan", "somebody joined by a link that no request has");
        return Ok(UpdateOutcome::Orphan);
    };
    // A group that became a supergroup is known by the links that were made for its new id.
    if !app.is_ours(join.chat) && link.chat != join.chat {
        let request = link.owner.map(|owner| display(owner.request_id));
        error!(invite.id = request, chat.id = %join.chat, fault = "unknown_chat",
            "a join by one of our links in a chat that TELEGRAM_CHAT_ID does not name was ignored");
        return Ok(UpdateOutcome::Ignored);
    }
    if link.owner.is_none() {
        // Evicted first, so that it is never sold from now on; if that comes too late, it has an owner.
        if let Some(slot) = link.slot {
            app.pool.evict(slot, &link.invite_link).await?;
        }
        link = app.links.get(&join.link.hash()).await?.unwrap_or(link);
    }
    match &link.owner {
        Some(owner) => record(app, join, &link, owner).await,
        None => {
            error!(chat.id = %join.chat, outcome = "orphan", fault = "unsold_link_used",
                "somebody joined by a pooled link that was never sold; it is evicted and revoked");
            revoke(app, join, &link, None).await?;
            Ok(UpdateOutcome::Orphan)
        }
    }
}

/// Records that somebody left who had joined by a link of ours, so that the seat can be given anew; or that they are back
/// by another way.
async fn note(
    app: &App,
    presence: &Presence,
    whereabouts: Whereabouts,
) -> Result<UpdateOutcome, Failure> {
    let (chat, person) = (presence.chat, presence.person);
    let Some(id) = request_of(app, chat, person).await? else {
        return Ok(UpdateOutcome::Ignored);
    };
    let now = app.clock.now();
    let (is_news, outcome) = match whereabouts {
        Whereabouts::Outside => (app.invites.record_leave(id, presence, now).await?, "left"),
        Whereabouts::Inside => (
            app.invites.record_return(id, presence, now).await?,
            "returned",
        ),
    };
    match whereabouts {
        Whereabouts::Outside => announce::left(app, id, presence).await?,
        Whereabouts::Inside => announce::returned(app, id, presence).await?,
    }
    if is_news {
        info!(invite.id = %id, chat.id = %chat, outcome, "a buyer left, or is back without a link");
    }
    let canonical_id = app.canonical_chat(chat);
    if whereabouts == Whereabouts::Outside && app.deliveries.is_claimed(canonical_id) {
        door::left_by_link(app, presence, canonical_id, id).await?;
    }
    Ok(UpdateOutcome::Ignored)
}

/// By which request somebody came into a chat. A group that became a supergroup is looked up by both of its ids: by the new
/// one alone while TELEGRAM_CHAT_ID does not name it.
pub(crate) async fn request_of(
    app: &App,
    chat: ChatId,
    person: TelegramUserId,
) -> Result<Option<RequestId>, StoreError> {
    let canonical_id = app.canonical_chat(chat);
    match app.links.of_member(canonical_id, person).await? {
        None if canonical_id != chat => app.links.of_member(chat, person).await,
        found => Ok(found),
    }
}

/// Records the join by the link of `owner`, and queues what follows from it.
async fn record(
    app: &App,
    join: &Join,
    link: &LinkRecord,
    owner: &Owner,
) -> Result<UpdateOutcome, Failure> {
    let id = owner.request_id;
    match app.invites.record_join(id, join, app.clock.now()).await? {
        Joined::First(invite) => {
            if invite.voided_at.is_some() {
                error!(invite.id = %id, chat.id = %join.chat, fault = "voided_link_used",
                    "somebody joined by a link before it was revoked, whose request its shop had voided; remove them from the chat, or let them stay");
            }
            queue_consequences(app, join, link, &invite).await?;
            let waited_s = app.clock.now().since(invite.created_at).as_secs();
            info!(invite.id = %id, chat.id = %join.chat, outcome = "joined", waited_s, "the buyer joined");
            Ok(UpdateOutcome::Joined)
        }
        Joined::Again(invite) => {
            // Nobody is named whose data were erased.
            let same_person = invite
                .telegram_user_id
                .is_none_or(|person| person == join.person);
            if !same_person {
                error!(invite.id = %id, chat.id = %join.chat, fault = "link_used_twice",
                    "a second person joined by a used link before it was revoked");
            }
            // All of it again, whatever is done already: which part the first delivery died before can't be told.
            queue_consequences(app, join, link, &invite).await?;
            info!(invite.id = %id, chat.id = %join.chat, outcome = "duplicate", "a join was reported again");
            Ok(UpdateOutcome::Duplicate)
        }
        Joined::Past(invite) => {
            revoke(app, join, link, Some(invite.request_id)).await?;
            info!(invite.id = %id, chat.id = %join.chat, outcome = "duplicate", "a join was reported again whose person has left since");
            Ok(UpdateOutcome::Duplicate)
        }
        Joined::Missing => {
            revoke(app, join, link, Some(id)).await?;
            warn!(invite.id = %id, chat.id = %join.chat, outcome = "orphan", "the request of a link is gone; the link is revoked");
            Ok(UpdateOutcome::Orphan)
        }
    }
}

/// Has a link revoked, by the bot that made it, because of `join`.
async fn revoke(
    app: &App,
    join: &Join,
    link: &LinkRecord,
    request_id: Option<RequestId>,
) -> Result<(), Failure> {
    let pool = link.canonical_chat;
    match link.bot {
        Some(bot) => revoke_by(app, pool, bot, &link.invite_link, request_id, join).await,
        None => {
            warn!(invite.id = request_id.map(display), chat.id = %link.chat, fault = "unknown_bot",
                "a used link can't be revoked, since its record does not name the bot that made it; it works again if its user leaves, until it expires");
            Ok(())
        }
    }
}

async fn revoke_by(
    app: &App,
    pool: ChatId,
    bot: BotId,
    link: &InviteLink,
    request_id: Option<RequestId>,
    join: &Join,
) -> Result<(), Failure> {
    let revoke = Revoke {
        invite_link: link.clone(),
        bot,
        request_id,
    };
    let task = Task::new(pool, Work::Revoke(revoke), join.at);
    app.tasks.put(&task.traced(trace::header())).await?;
    app.bells.ring(pool).await;
    Ok(())
}

/// The link by which somebody came in was replaced: the one that took its place is revoked.
async fn revoke_successor(
    app: &App,
    join: &Join,
    used: &LinkRecord,
    invite: &Invite,
) -> Result<(), Failure> {
    let Some(present) = invite.successor_of(&used.invite_link) else {
        return Ok(());
    };
    match app.links.get(&present.hash()).await? {
        Some(record) => revoke(app, join, &record, Some(invite.request_id)).await,
        None => Ok(()),
    }
}

/// Somebody has claimed the request, and somebody else came in by its link. That is for people to decide: the link was the
/// shop's to give away.
async fn report_stranger(app: &App, join: &Join, invite: &Invite) -> Result<(), Failure> {
    if invite.bound_to.is_none_or(|holder| holder == join.person) {
        return Ok(());
    }
    warn!(invite.id = %invite.request_id, chat.id = %join.chat, telegram.user = %join.person, outcome = "conflict",
        "somebody joined by the invite link of a seat that somebody else has claimed");
    announce::conflict(app, invite, join.person, join.at).await
}

async fn queue_consequences(
    app: &App,
    join: &Join,
    link: &LinkRecord,
    invite: &Invite,
) -> Result<(), Failure> {
    revoke(app, join, link, Some(invite.request_id)).await?;
    revoke_successor(app, join, link, invite).await?;
    report_stranger(app, join, invite).await?;
    if invite.telegram_user_id == Some(join.person) {
        let now = app.clock.now();
        // As long as the record: what would be found later would have no request.
        let kept = invite.expires_at.unwrap_or_else(|| invite.kept_until(now));
        let chat = app.canonical_chat(join.chat);
        let put = app
            .links
            .put_member(chat, join.person, invite.request_id, now, kept);
        put.await?;
        door::joined_by_link(app, join, chat, invite).await?;
        if let Some(order) = gifts::of(app, invite).await? {
            gifts::started(app, &order, join.at).await?;
        }
    }
    if let Some(event) = invite.unsent_join_event(&link.invite_link) {
        app.events.send_now(event).await?;
    }
    announce::joined(app, invite).await
}
