//! Giving a task up that no try can end well: its request is FAILED, until an operator retries it.

use domain::hook::Announcement;
use domain::task::{Mint, Task, Work};
use domain::time::Timestamp;
use runtime::telemetry::chain;
use store::{AnnouncementWrites, Minted, StoreError};
use tracing::error;

use crate::App;

/// Moves a task whose records can't be read to the lane of failed ones.
pub(crate) async fn set_aside(
    app: &App,
    task: &Task,
    fault: &StoreError,
) -> Result<(), StoreError> {
    let sentence = chain(fault);
    app.tasks.fail(task, &sentence).await?;
    error!(invite.id = task.request_id().map(tracing::field::display), chat.id = %task.chat, fault = "malformed",
        "a task can't be done, since a record of it can't be read; it lies in the lane of failed ones: {sentence}");
    Ok(())
}

/// Gives a task up: its request is FAILED, and it lies in the lane of failed ones.
pub(crate) async fn give_up(app: &App, task: &Task, error: &str) -> Result<(), StoreError> {
    let now = app.clock.now();
    let mut is_announced = false;
    let failed = match &task.work {
        Work::Mint(mint) => {
            let record = app.invites.get(mint.request_id).await?;
            let minted = Minted {
                mint,
                chat: task.chat,
                canonical_chat: task.chat,
                created_at: task.created_at,
                expires_at: now.plus(app.retention),
                attempts: record.map_or(0, |invite| invite.attempts),
            };
            let also = writes(app, mint, task, now).await?;
            is_announced = !also.is_empty();
            app.invites
                .fail(&app.tasks, task, Some(&minted), error, also, now)
                .await?
        }
        Work::Replace(replace) => {
            let record = app.invites.get(replace.request_id).await?;
            let also = match record.as_ref().map(Mint::of) {
                Some(mint) => writes(app, &mint, task, now).await?,
                None => AnnouncementWrites::default(),
            };
            is_announced = !also.is_empty();
            app.invites
                .fail(&app.tasks, task, None, error, also, now)
                .await?
        }
        Work::Revoke(_) | Work::Fill(_) | Work::Approve(_) | Work::Decline(_) | Work::Remove(_) => {
            app.tasks.fail(task, error).await?;
            true
        }
    };
    if failed {
        if is_announced {
            app.announcements.ring().await;
        }
        let outcome = match &task.work {
            Work::Mint(_) | Work::Replace(_) => "failed",
            _ => "given_up",
        };
        error!(invite.id = task.request_id().map(tracing::field::display), chat.id = %task.chat, outcome,
            "a task is given up; it lies in the lane of failed ones: {error}");
    } else {
        // Its request wants nothing of it any more.
        app.tasks.delete(&task.key()).await?;
    }
    Ok(())
}

/// What tells endpoints that a request is FAILED, by the same transaction.
async fn writes(
    app: &App,
    mint: &Mint,
    task: &Task,
    now: Timestamp,
) -> Result<AnnouncementWrites, StoreError> {
    let announced = Announcement::invite_failed(mint, task.chat, now);
    app.announcements.writes(&announced, now).await
}
