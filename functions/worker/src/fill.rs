//! Making a link for a vacant slot of the link pool.
//!
//! ```text
//! read the slot          occupied: the task is done
//! createChatInviteLink   die here: an orphaned link that nobody knows, expires by itself; the task makes another
//! write the lookup       die here: as above; a lookup without owner
//! put it into the slot   die here: the task finds the slot occupied. Put twice, the second link is revoked
//! delete the task
//! ```

use domain::link_pool::SlotId;
use domain::task::Task;
use runtime::telemetry::chain;
use store::{LinkRecord, Pooled, PooledLink, StoreError};
use telegram::TelegramError;
use tracing::{info, warn};

use crate::call::{Call, Failed, TaskEnd};
use crate::finish::done;

/// Fills one slot.
pub(crate) async fn run(call: &Call<'_>, task: &Task, slot: SlotId) -> Result<TaskEnd, StoreError> {
    let app = call.app;
    if !app.targets.has(slot) || app.pool.is_occupied(slot).await? {
        return done(app, task).await;
    }
    if !call.reach_slot().await {
        return Ok(TaskEnd::NotCalled);
    }
    let chat = call.chat();
    let now = app.clock.now();
    let expires_at = now.plus(app.pool_ttl.min(app.retention));
    let name = format!("pool {}", slot.number);
    let failure = match call.bot.create_invite_link(chat, &name, expires_at).await {
        Ok(link) => {
            call.succeeded();
            let pooled = PooledLink {
                slot,
                invite_link: link,
                chat,
                bot: call.bot.bot(),
                link_expires_at: expires_at,
            };
            return add(call, task, &pooled).await;
        }
        Err(failure) => failure,
    };
    if let TelegramError::NotSingleUse { link, .. } = &failure {
        call.revoke_later(link, None).await?;
    }
    let attempts = task.attempts.saturating_add(1);
    match call.failed(task, &failure).await {
        Failed::NotCounted => Ok(TaskEnd::NotCalled),
        Failed::NotCountedUntil(at) => call.defer(task, at, task.attempts, &failure).await,
        Failed::Own => {
            let rules = app.rules;
            let delay = rules.wait(failure.fault(), task.attempts, fastrand::f64());
            warn!(chat.id = %chat, pool.slot = slot.number, task.attempt = attempts, fault = failure.fault().as_str(), outcome = "deferred",
                "no link for the link pool yet: {}", chain(&failure));
            call.defer(task, app.clock.now().plus(delay), attempts, &failure)
                .await
        }
    }
}

async fn add(call: &Call<'_>, task: &Task, pooled: &PooledLink) -> Result<TaskEnd, StoreError> {
    let (app, now) = (call.app, call.app.clock.now());
    let lookup = LinkRecord {
        invite_link: pooled.invite_link.clone(),
        owner: None,
        slot: Some(pooled.slot),
        chat: pooled.chat,
        canonical_chat: call.canonical_chat,
        bot: Some(pooled.bot),
    };
    if let Err(fault) = app.links.put(&lookup, now, now.plus(app.retention)).await {
        // Nobody can have bought the link, so it may be revoked; without a table to note that in, it expires.
        let _ = call.revoke_later(&pooled.invite_link, None).await;
        return Err(fault);
    }
    match app.pool.add(pooled).await? {
        Pooled::There => {
            info!(chat.id = %pooled.chat, pool.slot = pooled.slot.number, outcome = "pooled", "a link lies in the link pool");
        }
        Pooled::Occupied => {
            call.revoke_later(&pooled.invite_link, None).await?;
            warn!(chat.id = %pooled.chat, pool.slot = pooled.slot.number, outcome = "lost", "the slot was filled meanwhile; the second link is revoked");
        }
    }
    done(app, task).await
}
