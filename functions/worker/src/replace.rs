//! Replacing a link: the old one is revoked before another one is made.
//!
//! ```text
//! an operator, a shop: DONE -> QUEUED, the old link as `replaced`, and this task     one transaction
//! revoke the old link                          die here: revoked once more by the next try
//! note that, and put the mint of the new one   one transaction
//! make a link                                  as any other mint; settling it removes `replaced`
//! ```
//!
//! Somebody may join by the old link on the way. The webhook records that, and then nobody else gets the seat: who works
//! on the request sees it, and it is DONE with the old link again. Only a join that Telegram reports after the new link
//! was handed out comes too late for that: the webhook then has the new link revoked.

use domain::invite::{Invite, ReplacedLink};
use domain::task::{Mint, Replace, Revoke, Task, Work};
use runtime::telemetry::chain;
use store::{Minted, StoreError};
use tracing::{error, info, warn};

use crate::App;
use crate::call::{Call, Failed, TaskEnd};
use crate::finish::{done, retry_or_fail, send_pending};
use crate::given_up::give_up;

/// Does one replacement.
pub(crate) async fn run(
    call: &Call<'_>,
    task: &Task,
    replace: &Replace,
) -> Result<TaskEnd, StoreError> {
    let app = call.app;
    let Some((invite, old)) = wanted(app, replace).await? else {
        return done(app, task).await;
    };
    if invite.is_already_joined() {
        return restore(call, task, &invite).await;
    }
    if !call.reach_slot().await {
        return Ok(TaskEnd::NotCalled);
    }
    let chat = call.chat();
    let failure = match call.bot.revoke_invite_link(chat, &old.invite_link).await {
        Ok(()) => {
            call.succeeded();
            return revoked(app, task, &invite, "revoked").await;
        }
        Err(failure) => failure,
    };
    if old.is_dead_after(failure.fault(), app.clock.now()) {
        return revoked(app, task, &invite, &chain(&failure)).await;
    }
    match call.failed(task, &failure).await {
        Failed::NotCounted => Ok(TaskEnd::NotCalled),
        Failed::NotCountedUntil(at) => {
            let attempts = task.attempts.saturating_add(1);
            call.defer(task, at, attempts, &failure).await
        }
        Failed::Own => {
            let mint = Mint::of(&invite);
            let minted = Minted {
                mint: &mint,
                chat,
                canonical_chat: invite.canonical_chat,
                created_at: invite.created_at,
                expires_at: app.clock.now().plus(app.retention),
                attempts: invite.attempts.saturating_add(1),
            };
            retry_or_fail(call, task, &minted, Some(&invite), &failure).await
        }
    }
}

/// The request and the link that is to be replaced; nothing if that is not wanted any more.
async fn wanted(
    app: &App,
    replace: &Replace,
) -> Result<Option<(Invite, ReplacedLink)>, StoreError> {
    let Some(invite) = app.invites.get(replace.request_id).await? else {
        return Ok(None);
    };
    let old = invite.to_be_replaced(replace.link_version).cloned();
    Ok(old.map(|old| (invite, old)))
}

/// The old link lets nobody in any more: the new one is to be made.
async fn revoked(
    app: &App,
    task: &Task,
    invite: &Invite,
    why: &str,
) -> Result<TaskEnd, StoreError> {
    let id = invite.request_id;
    let mint = Task::new(task.chat, Work::Mint(Mint::of(invite)), task.created_at);
    let mint = mint.traced(task.trace.clone());
    let noted = app
        .invites
        .note_revoked(&app.tasks, task, &mint, app.clock.now())
        .await?;
    if noted {
        info!(invite.id = %id, chat.id = %task.chat, outcome = "revoked", "the link that is to be replaced is revoked: {why}");
        // The next look finds the mint.
        return Ok(TaskEnd::Deferred(app.clock.now()));
    }
    Ok(TaskEnd::NotCalled)
}

/// Somebody joined by the link that was to be replaced: DONE with the old link, and what was not delivered is queued.
pub(crate) async fn restore(
    call: &Call<'_>,
    task: &Task,
    invite: &Invite,
) -> Result<TaskEnd, StoreError> {
    let (app, id, now) = (call.app, invite.request_id, call.app.clock.now());
    let Some(old) = &invite.replaced else {
        return done(app, task).await;
    };
    // The used link is revoked by the webhook; if that was an even older one, this one must go too.
    if invite.joined_link.as_ref() != Some(&old.invite_link) {
        let revoke = Revoke {
            invite_link: old.invite_link.clone(),
            bot: old.bot,
            request_id: Some(id),
        };
        let revoke = Task::new(task.chat, Work::Revoke(revoke), task.created_at);
        app.tasks.put(&revoke).await?;
    }
    if let Some(restored) = app.invites.restore(invite, old, now).await? {
        send_pending(app, &restored).await;
        warn!(invite.id = %id, chat.id = %task.chat, outcome = "restored", "somebody joined by the link that was to be replaced: it stays the one of the request");
    }
    done(app, task).await
}

/// A task of a bot that `TELEGRAM_BOT_TOKEN` does not name any more: it can't be done, unless that is not needed.
pub(crate) async fn without_its_bot(app: &App, task: &Task) -> Result<(), StoreError> {
    const REASON: &str =
        "the link can't be revoked: TELEGRAM_BOT_TOKEN does not name the bot that made it";
    if let Work::Replace(replace) = &task.work {
        let Some((invite, old)) = wanted(app, replace).await? else {
            return app.tasks.delete(&task.key()).await;
        };
        if old.is_expired(app.clock.now()) {
            return revoked(app, task, &invite, "it has expired")
                .await
                .map(|_| ());
        }
    }
    error!(invite.id = task.request_id().map(tracing::field::display), chat.id = %task.chat, fault = "unknown_bot",
        "a link can't be revoked, since TELEGRAM_BOT_TOKEN does not name the bot that made it; it works until it expires");
    give_up(app, task, REASON).await
}
