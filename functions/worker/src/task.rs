//! Which kind of task does what.

use domain::task::{Task, Work};
use store::StoreError;

use crate::call::{Call, TaskEnd};
use crate::{approve, decline, fill, given_up, mint, remove, replace, revoke};

/// Does a task. One whose records can't be read is set aside: met again it would end in the same way, before its
/// neighbours.
pub(crate) async fn run(call: &Call<'_>, task: &Task) -> Result<TaskEnd, StoreError> {
    let end = match &task.work {
        Work::Mint(mint) => mint::run(call, task, mint).await,
        Work::Replace(replace) => replace::run(call, task, replace).await,
        Work::Revoke(revoke) => revoke::run(call, task, revoke).await,
        Work::Fill(slot) => fill::run(call, task, *slot).await,
        Work::Approve(person) => approve::run(call, task, *person).await,
        Work::Decline(decline) => decline::run(call, task, *decline).await,
        Work::Remove(person) => remove::run(call, task, *person).await,
    };
    match end {
        Err(fault @ StoreError::Malformed { .. }) => {
            given_up::set_aside(call.app, task, &fault).await?;
            Ok(TaskEnd::Done)
        }
        end => end,
    }
}
