//! The tick: each minute, past the queue, whatever became of the bells.
//!
//! It reads the lanes of all chats that no live lease holds, takes those with due tasks, and runs them together. So a
//! clogged, purged or broken queue costs a minute at most.

use domain::id::ChatId;
use domain::task::Lane;
use futures_util::future::{join_all, try_join_all};
use runtime::telemetry::chain;
use serde::Serialize;
use store::{Found, StoreError};
use tracing::{error, info};

use crate::run::{Budget, dispatch};
use crate::{App, audit, waiting};

/// What one tick did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ticked {
    /// Chats whose tasks were due.
    pub dispatched: u64,
    /// Chats that could not be seen to; the next tick tries again.
    pub failed: u64,
}

/// Looks after all chats until the budget is over.
pub(crate) async fn tick(app: &App, budget: Budget) -> Ticked {
    let chats = app.chats.all().map(|(_, pool)| of_chat(app, pool, budget));
    let mut ticked = Ticked::default();
    for seen in join_all(chats).await {
        match seen {
            Ok(dispatched) => ticked.dispatched += u64::from(dispatched),
            Err(fault) => {
                error!(
                    fault = "unavailable",
                    "a chat can't be seen to, the next tick tries again: {}",
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

/// Audits the link pool of a chat, and dispatches what is due; answers whether there was anything.
async fn of_chat(app: &App, chat: ChatId, budget: Budget) -> Result<bool, StoreError> {
    if let Some(target) = app.targets.of(chat)
        && let Err(fault) = audit::audit(app, target).await
    {
        error!(chat.id = %chat, fault = "unavailable", "a link pool can't be audited, the next tick goes on: {}", chain(&fault));
    }
    let now = app.clock.now();
    let lease = app.limits.get(chat).await?;
    if lease.is_held(now) {
        return Ok(false);
    }
    if lease.is_waiting(&app.bot_ids(), now) {
        // Nobody serves them now, and nobody else would say so.
        waiting::tell(app, chat, None, |_| false).await;
        return Ok(false);
    }
    let bots = app.bots.iter().map(telegram::Telegram::bot);
    let mut bots: Vec<_> = bots
        .filter(|bot| {
            let limiter = lease.limiters.get(bot);
            limiter.is_none_or(|limiter| limiter.waits_until(now) <= now)
        })
        .collect();
    bots.extend(
        lease
            .limiters
            .keys()
            .filter(|bot| app.bots.get(**bot).is_none()),
    );
    let lanes = Lane::mints(chat)
        .chain([Lane::Later(chat), Lane::Fill(chat)])
        .chain(bots.into_iter().map(|bot| Lane::Bot(chat, bot)));
    let due = try_join_all(lanes.map(async |lane| is_due(app, lane).await)).await?;
    if !due.contains(&true) {
        return Ok(false);
    }
    dispatch(app, chat, budget).await;
    Ok(true)
}

/// Whether a lane has a task that is due. Pages of tasks that are not are read past.
async fn is_due(app: &App, lane: Lane) -> Result<bool, StoreError> {
    let mut after: Option<String> = None;
    loop {
        let page = app.tasks.page(lane, after.as_deref(), PAGE).await?;
        let now = app.clock.now();
        let is_due = page.found.iter().any(|found| match found {
            Found::Malformed(_) => true,
            Found::Task(task) => task.is_due(now),
        });
        // What comes due later lies behind what comes due first, but for removals that were put off.
        let is_over = match page.found.last() {
            Some(Found::Task(task)) => task.ends_due(now),
            Some(Found::Malformed(_)) | None => false,
        };
        after = page.more_after.filter(|_| !is_over);
        if is_due || after.is_none() {
            return Ok(is_due);
        }
    }
}

/// How many tasks of a lane one page shows. Most often the first is due.
const PAGE: i32 = 10;
