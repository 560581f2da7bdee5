//! How a message is over: its record says so, a line tells it, and its task is gone.

use domain::hook::Announcement;
use domain::message::{Class, Ending, MessageState, MessageTask, SendFault};
use runtime::telemetry::chain;
use store::{Settlement, StoreError};
use telegram::TelegramError;
use tracing::{error, info, warn};

use crate::App;

/// Telegram took a message, and gave it this id, if it is one that has an id.
pub(crate) async fn sent(
    app: &App,
    task: &MessageTask,
    telegram_message_id: Option<i64>,
) -> Result<(), StoreError> {
    let settlement = Settlement {
        state: MessageState::Sent,
        telegram_message_id,
        error: None,
    };
    let now = app.clock.now();
    app.messages
        .settle(task, &settlement, app.retention, now)
        .await?;
    let waited = now.since(task.not_before.unwrap_or(task.message.at()));
    info!(message.id = %task.message, message.class = task.class.as_str(), chat.id = %task.chat, bot.id = %task.bot, outcome = "sent",
        waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX), "a message was sent");
    Ok(())
}

/// The time of a message is over.
pub(crate) async fn expired(app: &App, task: &MessageTask) -> Result<(), StoreError> {
    announce(app, task, "expired").await?;
    settle(app, task, MessageState::Expired, task.last_error.clone()).await?;
    warn!(message.id = %task.message, message.class = task.class.as_str(), chat.id = %task.chat, bot.id = %task.bot, outcome = "expired",
        undelivered = undelivered(task), "a message was dropped, since its time was over before it could be sent");
    Ok(())
}

/// It can't be told whether a message was sent by a process that died over it.
pub(crate) async fn unknown(app: &App, task: &MessageTask) -> Result<(), StoreError> {
    let sentence = "the process died while it sent this".to_owned();
    over(app, task, Ending::Unknown, SendFault::Unknown, &sentence).await
}

/// A message is not to be sent.
pub(crate) async fn forbidden(
    app: &App,
    task: &MessageTask,
    sentence: String,
) -> Result<(), StoreError> {
    settle(app, task, MessageState::Refused, Some(sentence)).await
}

/// A message failed for good.
pub(crate) async fn failed(
    app: &App,
    task: &MessageTask,
    ending: Ending,
    failure: &TelegramError,
) -> Result<(), StoreError> {
    over(app, task, ending, failure.send_fault(), &chain(failure)).await
}

async fn over(
    app: &App,
    task: &MessageTask,
    ending: Ending,
    fault: SendFault,
    sentence: &str,
) -> Result<(), StoreError> {
    if ending == Ending::Parked {
        return park(app, task, fault.as_str(), sentence).await;
    }
    if let Ending::Unreachable | Ending::Unknown = ending {
        announce(app, task, fault.as_str()).await?;
    }
    settle(app, task, ending.state(), Some(sentence.to_owned())).await?;
    let (id, class, chat, bot) = (&task.message, task.class.as_str(), task.chat, task.bot);
    match ending {
        Ending::Sent | Ending::Parked => {
            info!(message.id = %id, message.class = class, chat.id = %chat, bot.id = %bot, outcome = "sent", "the message is as it is to be: {sentence}");
        }
        Ending::Unreachable if chat.0 < 0 => {
            error!(message.id = %id, message.class = class, chat.id = %chat, bot.id = %bot, fault = "group_unreachable", outcome = "unreachable",
                undelivered = undelivered(task), "the bot can't write to a group: {sentence}");
        }
        Ending::Unreachable => {
            info!(message.id = %id, message.class = class, chat.id = %chat, bot.id = %bot, outcome = "unreachable",
                undelivered = undelivered(task), "a person can't be reached: {sentence}");
        }
        Ending::Refused => {
            warn!(message.id = %id, message.class = class, chat.id = %chat, bot.id = %bot, outcome = "refused",
                "Telegram does not do this: {sentence}");
        }
        Ending::NotStarted => {
            info!(message.id = %id, message.class = class, chat.id = %chat, bot.id = %bot, outcome = "not_started", "a person has not started the bot yet: {sentence}");
        }
        Ending::Unknown => {
            warn!(message.id = %id, message.class = class, chat.id = %chat, bot.id = %bot, fault = "unknown", outcome = "unknown_outcome",
                "it is not known whether a message was sent, it is not sent again: {sentence}");
        }
    }
    Ok(())
}

/// Gives a message up: a person must act.
pub(crate) async fn park(
    app: &App,
    task: &MessageTask,
    fault: &str,
    sentence: &str,
) -> Result<(), StoreError> {
    announce(app, task, fault).await?;
    app.messages.park(task, sentence, app.clock.now()).await?;
    error!(message.id = %task.message, message.class = task.class.as_str(), chat.id = %task.chat, bot.id = %task.bot, fault, outcome = "parked",
        undelivered = undelivered(task), "a message is given up, it lies in the lane of parked ones: {sentence}");
    Ok(())
}

async fn settle(
    app: &App,
    task: &MessageTask,
    state: MessageState,
    error: Option<String>,
) -> Result<(), StoreError> {
    let settlement = Settlement {
        state,
        telegram_message_id: None,
        error,
    };
    let now = app.clock.now();
    app.messages
        .settle(task, &settlement, app.retention, now)
        .await
}

/// Announces that nobody gets a message that somebody paid for, before it is settled: dying in between, its task is met again.
async fn announce(app: &App, task: &MessageTask, why: &str) -> Result<(), StoreError> {
    let counts = undelivered(task) > 0;
    let undelivered = counts.then(|| Announcement::message_undelivered(task, why));
    app.announcements
        .announce(undelivered, app.clock.now())
        .await
}

/// What a message that nobody got adds to the metric: those that somebody paid for count.
fn undelivered(task: &MessageTask) -> u64 {
    u64::from(task.class == Class::Transactional)
}
