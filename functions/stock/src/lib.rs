//! Once a minute: throws away what is too old to be sold, and orders what is missing in stock.
//!
//! ```text
//! take a unit that is too old off its shelf   die here: a link that nobody has, until it expires
//! queue its revocation                        die here: the next run goes on
//!
//! keep other runs from ordering, for a minute
//! send the orders                             die here: sent again by a later run; the worker makes a unit once, and
//!                                             revokes what it makes twice
//! note the orders                             die here: the next run goes on
//! ```

use std::time::Duration;

use common::aws;
use common::clock::Clock;
use common::config::Env;
use common::domain::job::{Job, Restock, Revoke};
use common::domain::pace::Place;
use common::domain::stock::{ORDERING, SHARDS, Stocked, Targets, count_shard};
use common::domain::time::Timestamp;
use common::queue::{InviteQueue, PutBack, QueueError};
use common::store::{LedgerRecord, Stock, StoreError, Unit};
use common::telemetry::chain;
use futures_util::future::try_join_all;
use serde::Serialize;
use tracing::{error, info, warn};

/// Over how long the orders of one run are spread: until the next run. Jobs that come together would wait in the queue
/// for one another.
const SPREAD: Duration = Duration::from_secs(60);
/// How many units one run throws away at most, and so how many revocations it queues.
const DISCARDS_MAX: usize = 1000;
/// How many of one shard, about, before the others have their turn.
const DISCARDS_MAX_OF_SHARD: usize = 64;

/// What the handler needs.
pub struct App {
    targets: Targets,
    stock: Stock,
    jobs: InviteQueue,
    stock_ttl: Duration,
    invite_ttl: Duration,
    clock: Clock,
}

impl App {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, clock: Clock) -> Self {
        let aws = aws::Shared::from_env(env);
        let chats = env.chats();
        let targets = env.stock_targets(&chats);
        let invite_ttl = env.invite_ttl();
        let retention = env.retention();
        let stock_ttl =
            Duration::from_secs(env.number("STOCK_TTL_SEC", 2_592_000, 3600..=31_536_000));
        if !targets.is_empty() && stock_ttl <= invite_ttl {
            env.problem(
                "STOCK_TTL_SEC must be longer than INVITE_TTL_SEC: no link in stock could ever be sold"
                    .to_owned(),
            );
        }
        if !targets.is_empty() && stock_ttl > retention {
            env.problem(
                "STOCK_TTL_SEC is longer than RETENTION_DAYS: the record of a link would be gone before the link"
                    .to_owned(),
            );
        }
        Self {
            targets,
            stock: Stock::from_env(aws.dynamodb(), env),
            jobs: InviteQueue::from_env(aws.sqs(), env),
            stock_ttl,
            invite_ttl,
            clock,
        }
    }
}

/// What one run did, of all chats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// Units on the shelves that can be sold.
    pub available: u64,
    /// Units ordered.
    pub ordered: u64,
    /// Units thrown away.
    pub thrown_away: u64,
    /// Chats that could not be seen to; the next run tries again.
    pub failed: u64,
}

/// Our own fault: the next run tries again.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Sees to the stock of all chats. What it did is durable; what it could not do is logged and left to the next run.
pub async fn handle(app: &App) -> Done {
    let mut done = Done::default();
    for stocked in app.targets.iter() {
        if let Err(fault) = see_to(app, stocked, &mut done).await {
            error!(chat.id = %stocked.chat, fault = "unavailable", "the stock of a chat can't be seen to: {}", chain(&fault));
            done.failed += 1;
        }
    }
    done
}

async fn see_to(app: &App, stocked: &Stocked, done: &mut Done) -> Result<(), RunError> {
    // Before the count, so that what comes in between is counted and not missed.
    let record = app.stock.ledger(stocked.shelf).await?;
    let counts = (0..SHARDS).map(|shard| sort_out(app, stocked, shard));
    let (mut available, mut too_old) = (0, Vec::new());
    for (count, old) in try_join_all(counts).await? {
        available += count;
        too_old.extend(old);
    }
    too_old.truncate(DISCARDS_MAX);
    done.available += available;
    done.thrown_away += throw_away(app, stocked, &too_old).await?;
    done.ordered += order(app, stocked, &record, available).await?;
    Ok(())
}

/// How many units of a shard can be sold, and those of the lowest that no longer can.
async fn sort_out(
    app: &App,
    stocked: &Stocked,
    shard: u64,
) -> Result<(u64, Vec<Unit>), StoreError> {
    let sold_until = app.clock.now().plus(app.invite_ttl);
    let mut old: Vec<Unit> = Vec::new();
    loop {
        let after = old.last().map_or(0, |unit| unit.id.number);
        let page = app.stock.glance(stocked.shelf, shard, after).await?;
        let (too_old, good): (Vec<Unit>, Vec<Unit>) = page
            .units
            .into_iter()
            .partition(|unit| unit.link_expires_at < sold_until);
        old.extend(too_old);
        // Takers look at the lowest units alone: what is too old must not stand before what can be sold.
        if page.is_full && good.is_empty() && old.len() < DISCARDS_MAX_OF_SHARD {
            continue;
        }
        let last = if page.is_full {
            app.stock.last_number(stocked.shelf, shard).await?
        } else {
            None
        };
        let numbers: Vec<u64> = old.iter().chain(&good).map(|unit| unit.id.number).collect();
        let count = count_shard(&numbers, last).saturating_sub(old.len() as u64);
        return Ok((count, old));
    }
}

/// Takes units off their shelves and queues their revocation; answers how many.
async fn throw_away(app: &App, stocked: &Stocked, units: &[Unit]) -> Result<u64, RunError> {
    let discards = units
        .iter()
        .map(|unit| app.stock.discard(unit.id, &unit.invite_link));
    let discarded = try_join_all(discards).await?;
    let gone = units.iter().zip(discarded).filter(|(_, gone)| *gone);
    let revocations: Vec<Job> = gone
        .map(|(unit, _)| {
            Job::Revoke(Revoke {
                chat_id: stocked.chat,
                invite_link: unit.invite_link.clone(),
                request_id: None,
                bot_id: Some(unit.bot),
                not_before: None,
            })
        })
        .collect();
    let count = revocations.len() as u64;
    if count > 0 {
        info!(chat.id = %stocked.chat, outcome = "thrown_away", units = count, "links in stock became too old to be sold");
    }
    for sent in send(app, revocations).await {
        sent?;
    }
    Ok(count)
}

/// Orders what is missing; answers how many units.
async fn order(
    app: &App,
    stocked: &Stocked,
    record: &LedgerRecord,
    available: u64,
) -> Result<u64, RunError> {
    let now = app.clock.now();
    let before = &record.ledger;
    if before.ordering_until > now {
        return Ok(0);
    }
    let mut after = before.clone();
    let count = after.order(stocked.target, available, now);
    if after.given_up > before.given_up {
        warn!(chat.id = %stocked.chat, outcome = "given_up", units = after.given_up.saturating_sub(before.made),
            "nothing came into stock for an hour; what was ordered is ordered anew");
    }
    if count == 0 {
        if after != *before {
            app.stock.store_ledger(record, &after).await?;
        }
        return Ok(0);
    }
    let mut alone = before.clone();
    alone.ordering_until = now.plus(ORDERING);
    let Some(record) = app.stock.store_ledger(record, &alone).await? else {
        return Ok(0);
    };
    let last_before = after.ordered - count;
    let units = last_before + 1..=after.ordered;
    let orders = units.clone().map(|unit| {
        Job::Stock(Restock {
            chat_id: stocked.chat,
            shelf: stocked.shelf,
            unit,
            ttl_sec: app.stock_ttl.as_secs(),
            not_before: None,
        })
    });
    let sent = send(app, orders.collect()).await;
    // A unit that was not sent leaves a hole, unless nothing after it was sent.
    let last = units.zip(&sent).filter(|(_, sent)| sent.is_ok()).last();
    after.ordered = last.map_or(last_before, |(unit, _)| unit);
    after.ordering_until = Timestamp::from_ms(0);
    app.stock.store_ledger(&record, &after).await?;
    info!(chat.id = %stocked.chat, outcome = "ordered", units = count, available, target = stocked.target,
        outstanding = after.outstanding(), "links are ordered for the stock");
    for sent in sent {
        sent?;
    }
    Ok(count)
}

/// Sends jobs, spread over the time until the next run.
async fn send(app: &App, jobs: Vec<Job>) -> Vec<Result<(), QueueError>> {
    let now = app.clock.now();
    let step = SPREAD / u32::try_from(jobs.len().max(1)).unwrap_or(u32::MAX);
    let spread = jobs
        .into_iter()
        .zip(0_u32..)
        .map(|(job, position)| PutBack {
            job,
            at: now.plus(step * position),
            attempt: 0,
            place: Place::New,
            trace: None,
        });
    app.jobs.put_back(spread.collect(), now).await
}
