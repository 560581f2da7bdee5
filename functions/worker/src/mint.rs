//! Making the link of a request.
//!
//! ```text
//! read the record
//! createChatInviteLink   die here: an orphaned link that nobody knows, expires by itself; the task makes another
//! write the lookup       die here: as above; the lookup of an unknown link is found by nobody
//! settle DONE            die here: the task finds the request DONE with its event pending, and queues it
//! queue the event        die here: as above, and the event is known by its id
//! announce it            die here: as above, and so is what is announced
//! tell the person who has claimed it            die here: as above, and the message is known by request and version
//! delete the task
//! ```
//!
//! Two dispatchers may work on one request, if one of them was frozen: settling decides, and the loser's link is revoked.

use domain::fault::Fault;
use domain::id::InviteLink;
use domain::invite::{Invite, MintStep, Settled};
use domain::task::{Mint, Task};
use domain::time::Timestamp;
use runtime::telemetry::chain;
use store::{LinkRecord, Minted, Owner, StoreError, ToldLink};
use telegram::TelegramError;
use tracing::{info, warn};

use crate::call::{Call, Failed, TaskEnd};
use crate::finish::{announce_done, done, retry_or_fail, send, send_pending};
use crate::{App, replace};

/// Does one mint.
pub(crate) async fn run(call: &Call<'_>, task: &Task, mint: &Mint) -> Result<TaskEnd, StoreError> {
    let (app, id) = (call.app, mint.request_id);
    let record = app.invites.get(id).await?;
    let step = record
        .as_ref()
        .map_or(MintStep::Make, |invite| invite.mint_step(mint.link_version));
    // The record says whose request it is, and not the task, whose report may have died between task and record: of two
    // buyers who report one transaction one is refused.
    let of_record = record.as_ref().map(Mint::of);
    let mint = of_record.as_ref().unwrap_or(mint);
    match (step, &record) {
        (MintStep::Make, _) => make(call, task, mint, record.as_ref()).await,
        (MintStep::HandedOut, Some(invite)) => {
            send_pending(app, invite).await;
            announce_done(app, id, Some(invite)).await?;
            if let Some((person, told)) = invite.bound_to.zip(ToldLink::of(invite)) {
                app.link_teller.tell(person, told, app.clock.now()).await?;
            }
            info!(invite.id = %id, outcome = "duplicate", "the link was handed out before");
            done(app, task).await
        }
        (MintStep::Restore, Some(invite)) => replace::restore(call, task, invite).await,
        (MintStep::Drop | MintStep::HandedOut | MintStep::Restore, _) => {
            info!(invite.id = %id, outcome = "dropped", "the request wants no link of this task any more");
            done(app, task).await
        }
    }
}

async fn make(
    call: &Call<'_>,
    task: &Task,
    mint: &Mint,
    record: Option<&Invite>,
) -> Result<TaskEnd, StoreError> {
    if !call.reach_slot().await {
        return Ok(TaskEnd::NotCalled);
    }
    let (app, id, chat) = (call.app, mint.request_id, call.chat());
    let now = app.clock.now();
    let expires_at = now.plus(app.invite_ttl);
    let minted = Minted {
        mint,
        chat,
        canonical_chat: task.chat,
        created_at: task.created_at,
        // The record of a late re-issue outlives its link too.
        expires_at: record.map_or_else(
            || now.plus(app.retention),
            |invite| invite.kept_until(expires_at),
        ),
        attempts: record.map_or(0, |invite| invite.attempts).saturating_add(1),
    };
    let name = id.link_name();
    match call.bot.create_invite_link(chat, &name, expires_at).await {
        Ok(link) => {
            call.succeeded();
            hand_out(call, task, &minted, record, link, expires_at).await
        }
        Err(failure) => {
            if let TelegramError::NotSingleUse { link, .. } = &failure {
                call.revoke_later(link, Some(id)).await?;
            }
            match call.failed(task, &failure).await {
                Failed::NotCounted => {
                    note_reason(app, record, &failure).await;
                    Ok(TaskEnd::NotCalled)
                }
                Failed::NotCountedUntil(at) => call.defer(task, at, task.attempts, &failure).await,
                Failed::Own => retry_or_fail(call, task, &minted, record, &failure).await,
            }
        }
    }
}

/// Lets the status of the request at the head tell what its chat waits for.
async fn note_reason(app: &App, record: Option<&Invite>, failure: &TelegramError) {
    let reason = chain(failure);
    let Some(invite) = record.filter(|invite| {
        failure.fault() == Fault::ChatFault && invite.error.as_deref() != Some(&reason)
    }) else {
        return;
    };
    if let Err(fault) = app.invites.note_reason(invite.request_id, &reason).await {
        warn!(invite.id = %invite.request_id, fault = "unavailable", "the reason of a wait could not be noted: {}", chain(&fault));
    }
}

/// Stores the link and hands it out, unless the request wants another one by now.
async fn hand_out(
    call: &Call<'_>,
    task: &Task,
    minted: &Minted<'_>,
    record: Option<&Invite>,
    link: InviteLink,
    link_expires_at: Timestamp,
) -> Result<TaskEnd, StoreError> {
    let (app, mint) = (call.app, minted.mint);
    let (id, now) = (mint.request_id, app.clock.now());
    let lookup = LinkRecord {
        invite_link: link.clone(),
        owner: Some(Owner {
            request_id: id,
            user_id: mint.user_id.clone(),
            transaction_id: mint.transaction_id.clone(),
        }),
        slot: None,
        chat: minted.chat,
        canonical_chat: call.canonical_chat,
        bot: Some(call.bot.bot()),
    };
    if let Err(fault) = app.links.put(&lookup, now, now.plus(app.retention)).await {
        // Nobody has seen the link, so it may be revoked; without a table to note that in, it expires.
        let _ = call.revoke_later(&link, Some(id)).await;
        return Err(fault);
    }
    let settled = app
        .invites
        .settle(minted, &link, link_expires_at, now)
        .await?;
    match settled {
        Settled::HandedOut(bound_to) => {
            let event = domain::event::Event::link_created(
                id,
                &mint.user_id,
                &mint.transaction_id,
                &link,
                now,
            );
            send(app, event.of_version(mint.link_version)).await;
            announce_done(app, id, None).await?;
            let accepted_at = record.map_or(task.created_at, |invite| invite.created_at);
            // Who claims it from now on is answered with it.
            if let Some(person) = bound_to {
                let told = ToldLink {
                    request_id: id,
                    canonical_chat: call.canonical_chat,
                    created_at: accepted_at,
                    link_version: mint.link_version,
                    link: &link,
                    expires_at: Some(link_expires_at),
                };
                app.link_teller.tell(person, told, now).await?;
            }
            info!(invite.id = %id, chat.id = %minted.chat, task.attempt = minted.attempts, outcome = "done",
                waited_ms = u64::try_from(now.since(accepted_at).as_millis()).unwrap_or(u64::MAX), "link handed out");
            done(app, task).await
        }
        Settled::Lost => {
            call.revoke_later(&link, Some(id)).await?;
            warn!(invite.id = %id, chat.id = %minted.chat, outcome = "lost", "the request was settled otherwise meanwhile; the link made is revoked");
            // What it wants by now is found by the next look.
            Ok(TaskEnd::NotCalled)
        }
        Settled::AlreadyJoined => {
            call.revoke_later(&link, Some(id)).await?;
            warn!(invite.id = %id, chat.id = %minted.chat, outcome = "lost", "somebody joined by the link that was to be replaced; the link made is revoked");
            Ok(TaskEnd::NotCalled)
        }
    }
}
