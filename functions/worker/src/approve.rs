//! Letting a person in who asked for it. Asking twice is harmless: Telegram then knows of no request.
//!
//! ```text
//! wait for the slot
//! read the seat             not entitled any more: the task is done, and the request waits for another claim
//! approveChatJoinRequest    die here: the task is met again, and Telegram says that nobody asks
//! nobody asks: getChatMember, and whoever is not in is told to tap again
//! delete the task
//! ```

use domain::fault::Fault;
use domain::id::TelegramUserId;
use domain::member::command::SeatCommand;
use domain::member::presence::{LookFinding, PresenceEvent};
use domain::retry::AfterFailure;
use domain::task::Task;
use runtime::telemetry::chain;
use store::StoreError;
use telegram::TelegramError;
use tracing::{error, info, warn};

use crate::call::{Call, Failed, TaskEnd};
use crate::finish::done;
use crate::seat::{self, DoorNews};

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
        return look(call, task, person).await;
    }
    let says = |word: &str| {
        matches!(&failure, TelegramError::Refused { status: 400, description, .. }
            if description.contains(word))
    };
    if says("USER_ID_INVALID") && is_let_in_by_door_bot(call, person).await? {
        info!(chat.id = %chat, outcome = "approved", "a person was let in by the bot that was asked");
        return done(app, task).await;
    }
    if says("USER_CHANNELS_TOO_MUCH") {
        let cause = format!("{}#{person}#too_many_chats", task.key());
        let whom = (person, call.canonical_chat);
        let news = DoorNews::TooManyChats;
        seat::tell(app, whom, &cause, task.created_at, news).await;
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

/// There is no join request any more: the person is in, or has to ask once more.
async fn look(call: &Call<'_>, task: &Task, person: TelegramUserId) -> Result<TaskEnd, StoreError> {
    let (app, chat) = (call.app, call.chat());
    let finding = match call.bot.whereabouts(chat, person).await {
        Ok(finding) => finding,
        Err(failure) => {
            // Whoever is not in writes to the bot, and gets the button.
            warn!(chat.id = %chat, outcome = "approved_before", "there is no join request any more, and it can't be told where its person is: {}", chain(&failure));
            return done(app, task).await;
        }
    };
    let date = seat::date_of_answer(app);
    let event = PresenceEvent::Look(finding);
    seat::change(call, person, &SeatCommand::Presence { event, date }).await?;
    if finding == LookFinding::Out {
        let date = task.created_at;
        seat::change(call, person, &SeatCommand::LeaveDoor { date }).await?;
    }
    info!(chat.id = %chat, outcome = "approved_before", "there is no join request any more, or its person is in");
    done(app, task).await
}

/// A bot knows whom it has met; the chat's door bot is the one that was asked.
async fn is_let_in_by_door_bot(
    call: &Call<'_>,
    person: TelegramUserId,
) -> Result<bool, StoreError> {
    let info = call.app.chat_infos.get(call.canonical_chat).await?;
    let door = info.map(|info| info.door_bot);
    let door = door.filter(|door| *door != call.bot.bot());
    let Some(door) = door.and_then(|door| call.app.bots.get(door)) else {
        return Ok(false);
    };
    Ok(door.approve_join_request(call.chat(), person).await.is_ok())
}

/// Whether there is nothing left to be approved or declined.
pub(crate) fn is_settled(failure: &TelegramError) -> bool {
    matches!(failure, TelegramError::Refused { status: 400, description, .. }
        if SETTLED.iter().any(|code| description.contains(code)))
}

/// Whether Telegram refuses this person alone: in too many chats, deleted, or never seen by the bot. It says nothing of the
/// chat, so it opens no circuit.
pub(crate) fn is_about_person(failure: &TelegramError) -> bool {
    matches!(failure, TelegramError::Refused { status: 400, description, .. } if description.contains("USER_"))
}
