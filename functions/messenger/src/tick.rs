//! The tick: each minute, past the queue, whatever became of the bells.
//!
//! It looks at the reminders that are due. Beside that it reads the lanes of all bots that no live lease holds, takes those with due
//! messages, and runs them together. So a clogged, purged or broken queue costs a minute at most.

use domain::lease::ChatLease;
use domain::message::MessageLane;
use futures_util::future::{join, join_all, try_join_all};
use runtime::telemetry::chain;
use serde::Serialize;
use store::{FoundMessage, StoreError};
use telegram::Telegram;
use tokio::time::Instant;
use tracing::{error, info};

use crate::run::dispatch;
use crate::{App, remind};

/// How many tasks of a lane the first page shows. Most often the first is due.
const PAGE: i32 = 10;
/// How many a further page shows: those before it have their time.
const FURTHER_PAGE: i32 = 100;

/// What one tick did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MessengerTicked {
    /// Bots whose messages were due.
    pub dispatched: u64,
    /// Bots that could not be seen to; the next tick tries again.
    pub failed: u64,
}

/// Looks after all bots until the time is over.
pub(crate) async fn tick(app: &App, until: Instant) -> MessengerTicked {
    let bots = app.bots.iter().map(|bot| of_bot(app, bot, until));
    let mut ticked = MessengerTicked::default();
    // Beside them: a chat that can't be left keeps nobody waiting.
    let reminders = app.bots.iter().map(|bot| remind::look(app, bot, until));
    let (seen, _) = join(join_all(bots), join_all(reminders)).await;
    for seen in seen {
        match seen {
            Ok(dispatched) => ticked.dispatched += u64::from(dispatched),
            Err(fault) => {
                error!(
                    fault = "unavailable",
                    "a bot can't be seen to, the next tick tries again: {}",
                    chain(&fault)
                );
                ticked.failed += 1;
            }
        }
    }
    info!(
        outcome = "ticked",
        dispatched = ticked.dispatched,
        failed = ticked.failed,
        "the tick is over"
    );
    ticked
}

/// Sends what is due of a bot; answers whether there was anything.
async fn of_bot(app: &App, telegram: &Telegram, until: Instant) -> Result<bool, StoreError> {
    let (bot, now) = (telegram.bot(), app.clock.now());
    let lease = app.limits.get(bot).await?;
    if lease.is_held(now) || lease.is_waiting(&bot.to_string(), now) {
        return Ok(false);
    }
    let groups = app.messages.groups(bot).await?.into_iter();
    let groups = groups.map(|group| MessageLane::Group(bot, group.chat));
    let lanes = MessageLane::private(bot).chain(groups);
    let due = try_join_all(lanes.map(async |lane| is_due(app, &lease, lane).await)).await?;
    if !due.contains(&true) {
        return Ok(false);
    }
    dispatch(app, telegram, until).await;
    Ok(true)
}

/// Whether a lane has a message that is due, to a chat that does not wait. Pages of others are read past.
async fn is_due(app: &App, lease: &ChatLease, lane: MessageLane) -> Result<bool, StoreError> {
    let (mut after, mut limit): (Option<String>, i32) = (None, PAGE);
    loop {
        let page = app.messages.page(lane, after.as_deref(), limit).await?;
        let now = app.clock.now();
        let is_due = page.found.iter().any(|found| match found {
            FoundMessage::Malformed(_) => true,
            FoundMessage::Task(task) if task.is_expired(now) => true,
            FoundMessage::Task(task) => {
                let pause = lease.chat_pauses.get(&task.chat);
                task.is_due(now) && pause.is_none_or(|pause| pause.until <= now)
            }
        });
        (after, limit) = (page.more_after, FURTHER_PAGE);
        if is_due || after.is_none() {
            return Ok(is_due);
        }
    }
}
