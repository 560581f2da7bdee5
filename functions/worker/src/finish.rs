//! What follows when a task was tried: it is done, waits for another try, or its request is FAILED.

use domain::event::Event;
use domain::hook::{Announcement, HookKind};
use domain::id::RequestId;
use domain::invite::Invite;
use domain::retry::AfterFailure;
use domain::task::Task;
use runtime::telemetry::chain;
use store::{Minted, StoreError};
use telegram::TelegramError;
use tracing::{error, warn};

use crate::App;
use crate::call::{Call, TaskEnd};

/// A try failed for the request's own sake: it is tried again later, or FAILED.
pub(crate) async fn retry_or_fail(
    call: &Call<'_>,
    task: &Task,
    minted: &Minted<'_>,
    record: Option<&Invite>,
    failure: &TelegramError,
) -> Result<TaskEnd, StoreError> {
    let (app, id, now) = (call.app, minted.mint.request_id, call.app.clock.now());
    let (fault, sentence) = (failure.fault(), chain(failure));
    let earlier = record.map(Invite::tries).unwrap_or_default();
    let AfterFailure::Wait(delay) = app.rules.of_request(earlier, fault, fastrand::f64()) else {
        let announced = Announcement::invite_failed(minted.mint, minted.chat, now);
        let also = app.announcements.writes(&announced, now).await?;
        let is_announced = !also.is_empty();
        let failed = app
            .invites
            .fail(&app.tasks, task, Some(minted), &sentence, also, now)
            .await?;
        if failed {
            if is_announced {
                app.announcements.ring().await;
            }
            error!(invite.id = %id, chat.id = %minted.chat, task.attempt = minted.attempts, fault = fault.as_str(), outcome = "failed",
                "a paid request is given up, the buyer has no link: {sentence}");
            return Ok(TaskEnd::Done);
        }
        // It is settled, voided or already joined: the next look tells.
        return Ok(TaskEnd::NotCalled);
    };
    warn!(invite.id = %id, chat.id = %minted.chat, task.attempt = minted.attempts, fault = fault.as_str(), outcome = "deferred",
        delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), "no link yet: {sentence}");
    app.invites
        .note_try(minted, earlier.and(fault).refusals, &sentence, now)
        .await?;
    call.defer(task, now.plus(delay), task.attempts, failure)
        .await
}

/// Queues an event. One that can't be queued holds up nobody: it is pending, and the sweeper sends it.
pub(crate) async fn send(app: &App, event: Event) {
    let id = event.request_id;
    if let Err(fault) = app.events.send_now(event).await {
        warn!(invite.id = %id, fault = "unavailable", "an event could not be queued, the sweeper will: {}", chain(&fault));
    }
}

/// Queues what of a request was not delivered.
pub(crate) async fn send_pending(app: &App, invite: &Invite) {
    for event in invite.pending_events() {
        send(app, event).await;
    }
}

/// Announces that a request has its link, as its record has it; nothing of one that is not DONE any more. The payment is announced
/// as well: `request` may have died before it was, and its shop need not report it again.
pub(crate) async fn announce_done(
    app: &App,
    id: RequestId,
    read: Option<&Invite>,
) -> Result<(), StoreError> {
    let (of, now) = (&app.announcements, app.clock.now());
    let is_wanted = of.are_wanted(HookKind::InviteDone, now).await?
        || of.are_wanted(HookKind::InviteCreated, now).await?;
    if !is_wanted {
        return Ok(());
    }
    let found = match read {
        Some(_) => None,
        None => app.invites.get(id).await?,
    };
    let announcements = read.or(found.as_ref()).map(Announcement::of_payment);
    of.announce(announcements.into_iter().flatten(), now).await
}

/// Takes a task out of its lane.
pub(crate) async fn done(app: &App, task: &Task) -> Result<TaskEnd, StoreError> {
    app.tasks.delete(&task.key()).await?;
    Ok(TaskEnd::Done)
}
