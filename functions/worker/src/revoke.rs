//! Taking a link out of use. Asking twice is harmless, and a link that is never revoked expires by itself.

use domain::fault::Fault;
use domain::retry::AfterFailure;
use domain::task::{Revoke, Task};
use runtime::telemetry::chain;
use store::StoreError;
use tracing::field::display;
use tracing::{error, info, warn};

use crate::call::{Call, Failed, TaskEnd};
use crate::finish::done;

/// Does one revocation.
pub(crate) async fn run(
    call: &Call<'_>,
    task: &Task,
    revoke: &Revoke,
) -> Result<TaskEnd, StoreError> {
    if !call.reach_slot().await {
        return Ok(TaskEnd::NotCalled);
    }
    let (app, chat) = (call.app, call.chat());
    let id = revoke.request_id.map(display);
    let Err(failure) = call.bot.revoke_invite_link(chat, &revoke.invite_link).await else {
        call.succeeded();
        info!(invite.id = id, chat.id = %chat, outcome = "revoked", "link revoked");
        return done(app, task).await;
    };
    let (fault, sentence) = (failure.fault(), chain(&failure));
    if fault == Fault::Permanent {
        info!(invite.id = id, chat.id = %chat, outcome = "revoked_before", "the link was out of use: {sentence}");
        return done(app, task).await;
    }
    let attempts = task.attempts.saturating_add(1);
    match call.failed(task, &failure).await {
        Failed::NotCounted => Ok(TaskEnd::NotCalled),
        Failed::NotCountedUntil(at) => call.defer(task, at, attempts, &failure).await,
        Failed::Own => {
            let jitter = fastrand::f64();
            if let AfterFailure::Wait(delay) = app.rules.of_revocation(task.attempts, fault, jitter)
            {
                warn!(invite.id = id, chat.id = %chat, task.attempt = attempts, fault = fault.as_str(), outcome = "deferred",
                    "link not revoked yet: {sentence}");
                let at = app.clock.now().plus(delay);
                return call.defer(task, at, attempts, &failure).await;
            }
            error!(invite.id = id, chat.id = %chat, task.attempt = attempts, fault = fault.as_str(), outcome = "given_up",
                "a used link can't be revoked and works again if its user leaves, until it expires: {sentence}");
            app.tasks.fail(task, &sentence).await?;
            Ok(TaskEnd::Done)
        }
    }
}
