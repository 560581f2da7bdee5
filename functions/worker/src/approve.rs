//! Letting a person in who asked for it. Asking twice is harmless: Telegram then knows of no request.
//!
//! ```text
//! wait for the slot
//! read the seat             not entitled any more: the task is done, and the request waits for another claim
//! approveChatJoinRequest    die here: the task is met again, and Telegram says that nobody asks
//! delete the task
//! ```

use domain::fault::Fault;
use domain::id::TelegramUserId;
use domain::retry::AfterFailure;
use domain::task::Task;
use runtime::telemetry::chain;
use store::StoreError;
use telegram::TelegramError;
use tracing::{error, info, warn};

use crate::call::{Call, Failed, TaskEnd};
use crate::finish::done;

/// What Telegram says when there is nothing left to be approved: nobody asks any more, or the person is in already.
const SETTLED: [&str; 2] = ["HIDE_REQUESTER_MISSING", "USER_ALREADY_PARTICIPANT"];

/// Does one approval.
pub(crate) async fn run(
    call: &Call<'_>,
    task: &Task,
    person: TelegramUserId,
) -> Result<TaskEnd, StoreError> {
    let (app, chat) = (call.app, call.chat());
    if !call.reach_slot().await {
        return Ok(TaskEnd::NotCalled);
    }
    // After the wait: the seat may have ended meanwhile. A slot that is not used costs less than a stranger in the chat.
    let seat = app.seats.get(person, call.canonical_chat).await?;
    if !seat.is_admitted(app.clock.now()) {
        info!(chat.id = %chat, outcome = "dropped", "a join request is left alone, since its person is not entitled any more");
        return done(app, task).await;
    }
    let Err(failure) = call.bot.approve_join_request(chat, person).await else {
        call.succeeded();
        info!(chat.id = %chat, outcome = "approved", "a person was let in who is entitled");
        return done(app, task).await;
    };
    let (fault, sentence) = (failure.fault(), chain(&failure));
    if is_settled(&failure) {
        call.succeeded();
        info!(chat.id = %chat, outcome = "approved_before", "there is no join request any more, or its person is in");
        return done(app, task).await;
    }
    let attempts = task.attempts.saturating_add(1);
    let failed = match is_about_person(&failure) {
        true => Failed::Own,
        false => call.failed(task, &failure).await,
    };
    match failed {
        Failed::NotCounted => Ok(TaskEnd::NotCalled),
        Failed::NotCountedUntil(at) => call.defer(task, at, task.attempts, &failure).await,
        Failed::Own => {
            let next = app
                .rules
                .of_revocation(task.attempts, fault, fastrand::f64());
            if let AfterFailure::Wait(delay) = next
                && fault != Fault::Permanent
            {
                warn!(chat.id = %chat, task.attempt = attempts, fault = fault.as_str(), outcome = "deferred",
                    "a person is not let in yet: {sentence}");
                let at = app.clock.now().plus(delay);
                return call.defer(task, at, attempts, &failure).await;
            }
            error!(chat.id = %chat, task.attempt = attempts, fault = fault.as_str(), outcome = "given_up",
                "a person who is entitled can't be let in: {sentence}");
            app.tasks.fail(task, &sentence).await?;
            Ok(TaskEnd::Done)
        }
    }
}

/// Whether there is nothing left to be approved.
fn is_settled(failure: &TelegramError) -> bool {
    matches!(failure, TelegramError::Refused { status: 400, description, .. }
        if SETTLED.iter().any(|code| description.contains(code)))
}

/// Whether Telegram refuses this person alone: in too many chats, deleted, or never seen by the bot. It says nothing of the
/// chat, so it opens no circuit.
fn is_about_person(failure: &TelegramError) -> bool {
    matches!(failure, TelegramError::Refused { status: 400, description, .. } if description.contains("USER_"))
}
