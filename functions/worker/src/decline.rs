//! Declining a join request that nobody has claimed a seat for. Asking twice is harmless: Telegram then knows of no request.
//!
//! ```text
//! wait for the slot
//! read the seat              entitled by now, or asked again: the task is done, another one sees to it
//! declineChatJoinRequest     die here: the task is met again, and Telegram says that nobody asks
//! write that nobody stands at the door any more; whoever claimed meanwhile is told to tap again
//! delete the task
//! ```

use domain::fault::Fault;
use domain::member::command::SeatCommand;
use domain::retry::AfterFailure;
use domain::task::{Decline, Task};
use runtime::telemetry::chain;
use store::StoreError;
use tracing::{info, warn};

use crate::approve::{is_about_person, is_settled};
use crate::call::{Call, Failed, TaskEnd};
use crate::finish::done;
use crate::seat;

/// Does one decline.
pub(crate) async fn run(
    call: &Call<'_>,
    task: &Task,
    decline: Decline,
) -> Result<TaskEnd, StoreError> {
    let (app, chat, person) = (call.app, call.chat(), decline.person);
    if !call.reach_slot().await {
        return Ok(TaskEnd::NotCalled);
    }
    // After the wait: they may have claimed meanwhile.
    let seat = app.seats.get(person, call.canonical_chat).await?;
    if seat.is_admitted(app.clock.now()) || seat.requested_at != Some(task.created_at) {
        info!(chat.id = %chat, outcome = "dropped", "a join request is not declined, since its person is entitled by now, or gone");
        return done(app, task).await;
    }
    let failure = match call.bot.decline_join_request(chat, person).await {
        Ok(()) => {
            call.succeeded();
            info!(chat.id = %chat, outcome = "declined", "a join request was declined that nobody had claimed a seat for");
            return left_door(call, task, decline).await;
        }
        Err(failure) if is_settled(&failure) || is_about_person(&failure) => {
            call.succeeded();
            info!(chat.id = %chat, outcome = "declined_before", "there is no join request any more: {}", chain(&failure));
            return left_door(call, task, decline).await;
        }
        Err(failure) => failure,
    };
    let (fault, attempts) = (failure.fault(), task.attempts.saturating_add(1));
    match call.failed(task, &failure).await {
        Failed::NotCounted => Ok(TaskEnd::NotCalled),
        Failed::NotCountedUntil(at) => call.defer(task, at, task.attempts, &failure).await,
        Failed::Own => {
            let next = app
                .rules
                .of_revocation(task.attempts, fault, fastrand::f64());
            if let AfterFailure::Wait(delay) = next
                && fault != Fault::Permanent
            {
                let at = app.clock.now().plus(delay);
                return call.defer(task, at, attempts, &failure).await;
            }
            // Telegram forgets it after a day, or an administrator sees to it.
            warn!(chat.id = %chat, task.attempt = attempts, fault = fault.as_str(), outcome = "given_up",
                "a join request can't be declined: {}", chain(&failure));
            done(app, task).await
        }
    }
}

async fn left_door(call: &Call<'_>, task: &Task, decline: Decline) -> Result<TaskEnd, StoreError> {
    let left = SeatCommand::LeaveDoor {
        date: task.created_at,
    };
    seat::change(call, decline.person, &left).await?;
    done(call.app, task).await
}
