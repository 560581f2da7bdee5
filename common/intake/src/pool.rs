//! A pooled link for a new request: DONE in its own answer, without a word to Telegram.
//!
//! ```text
//! look at a shard, choose a link
//! take it             one transaction, which makes the event pending: die before it, and nothing happened
//! queue the event     die here: the sweeper finds it pending
//! put the fill task   die here: the audit finds the slot vacant
//! ```
//!
//! Takers spread over the shards by chance. One that comes too late for its link looks at another shard, and never tries
//! the same link again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::id::ChatId;
use domain::invite::Invite;
use domain::link_pool::SHARDS;
use domain::task::{Task, Work};
use domain::time::Timestamp;
use futures_util::future::{join, try_join_all};
use runtime::telemetry::chain;
use store::{LinkPool, PooledLink, StoreError, Taken};
use tracing::{error, info, warn};

use crate::Intake;

/// How often a taker may come too late before it leaves the rest to the queue. Each time another one was served.
const LOSSES_MAX: u32 = 12;
/// How many shards are looked at together once the first ones were empty.
const TOGETHER_MAX: usize = 8;
/// How long an empty pool is not looked at again: a sold-out sale would pay for 32 looks an order. A link comes about
/// every 3 seconds, so little is missed.
const EMPTY_FOR: Duration = Duration::from_secs(2);
/// The pools that were found empty, and until when they are not looked at.
#[derive(Default)]
pub(crate) struct Empty(Mutex<HashMap<ChatId, Timestamp>>);

impl Empty {
    fn lock(&self) -> MutexGuard<'_, HashMap<ChatId, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn holds(&self, pool: ChatId, now: Timestamp) -> bool {
        self.lock().get(&pool).is_some_and(|until| *until > now)
    }

    fn note(&self, pool: ChatId, now: Timestamp) {
        self.lock().insert(pool, now.plus(EMPTY_FOR));
    }
}

/// How a new request was served.
pub(crate) enum Served {
    /// It is DONE; this is its record.
    Done(Box<Invite>),
    /// It was not new: this is its record.
    Known(Box<Invite>),
    /// The pool did not serve it.
    Not,
}

/// Serves `accepted`, a request that has no record yet, from the pool. On [`Served::Done`] that is durable. What goes
/// wrong is logged, and leaves the request to the dispatcher: if a link was taken after all, its record says so.
pub(crate) async fn serve(app: &Intake, pool: ChatId, accepted: &Invite) -> Served {
    let now = app.clock.now();
    if app.targets.of(pool).is_none() || app.empty.holds(pool, now) {
        return Served::Not;
    }
    match take(app, pool, accepted).await {
        Ok(served) => served,
        Err(fault) => {
            warn!(invite.id = %accepted.request_id, chat.id = %accepted.chat, fault = "unavailable",
                "the link pool can't be taken from, the dispatcher serves: {}", chain(&fault));
            Served::Not
        }
    }
}

async fn take(app: &Intake, pool: ChatId, accepted: &Invite) -> Result<Served, StoreError> {
    let mut losses = 0;
    while losses < LOSSES_MAX {
        let mut shards: Vec<u64> = (0..SHARDS).collect();
        fastrand::shuffle(&mut shards);
        let (mut seen, mut together) = (false, 1);
        while !shards.is_empty() && losses < LOSSES_MAX {
            let some = shards.split_off(shards.len().saturating_sub(together));
            let links = choices(&app.pool, pool, &some, app.clock.now().plus(app.invite_ttl));
            let links = links.await?;
            // Many together while there is nothing; then one by one again, since each look costs.
            together = if links.is_empty() {
                (together * 2).min(TOGETHER_MAX)
            } else {
                1
            };
            for link in links {
                seen = true;
                match take_one(app, &link, accepted).await? {
                    Some(served) => return Ok(served),
                    None => losses += 1,
                }
                if losses == LOSSES_MAX {
                    break;
                }
            }
        }
        if !seen {
            app.empty.note(pool, app.clock.now());
            break;
        }
    }
    info!(invite.id = %accepted.request_id, chat.id = %accepted.chat, outcome = "sold_out", pool.losses = losses, "nothing to be had in the link pool");
    Ok(Served::Not)
}

/// One link by chance of each of these shards, of those whose link works until `sold_until` at least.
async fn choices(
    links: &LinkPool,
    pool: ChatId,
    shards: &[u64],
    sold_until: Timestamp,
) -> Result<Vec<PooledLink>, StoreError> {
    let pages = try_join_all(shards.iter().map(|shard| links.look(pool, *shard))).await?;
    let chosen = pages.into_iter().filter_map(|mut links| {
        links.retain(|link| link.link_expires_at >= sold_until);
        (!links.is_empty()).then(|| links.swap_remove(fastrand::usize(..links.len())))
    });
    Ok(chosen.collect())
}

/// Tries to take one link; nothing if it is to be had no more.
async fn take_one(
    app: &Intake,
    pooled: &PooledLink,
    accepted: &Invite,
) -> Result<Option<Served>, StoreError> {
    let id = accepted.request_id;
    let done = accepted.clone().served_from_pool(
        pooled.chat,
        pooled.invite_link.clone(),
        pooled.link_expires_at,
    );
    let expires_at = accepted.created_at.plus(app.retention);
    let taken = app
        .pool
        .take(pooled, &done, &app.invites, &app.links, expires_at)
        .await?;
    Ok(match taken {
        Taken::Ours => {
            follow_up(app, pooled, &done).await;
            let waited = app.clock.now().since(accepted.created_at);
            info!(invite.id = %id, chat.id = %pooled.chat, pool.slot = pooled.slot.number, outcome = "taken",
                waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX), "a pooled link was handed out");
            Some(Served::Done(Box::new(done)))
        }
        Taken::Known(invite) => Some(Served::Known(invite)),
        Taken::Busy => app
            .invites
            .get(id)
            .await?
            .map(|invite| Served::Known(Box::new(invite))),
        Taken::Gone => None,
        Taken::Spoiled => {
            error!(invite.id = %id, chat.id = %pooled.chat, pool.slot = pooled.slot.number, fault = "spoiled_link",
                "a pooled link is somebody's already, or has no record of its own; it is evicted");
            app.pool.evict(pooled.slot, &pooled.invite_link).await?;
            None
        }
    })
}

/// What follows once a link is taken. The buyer has it whatever fails here.
async fn follow_up(app: &Intake, pooled: &PooledLink, done: &Invite) {
    let id = done.request_id;
    let event = async {
        for event in done.pending_events() {
            if let Err(fault) = app.events.send_now(event).await {
                warn!(invite.id = %id, fault = "unavailable", "an event could not be queued, the sweeper will: {}", chain(&fault));
            }
        }
    };
    let refill = async {
        let task = Task::new(pooled.slot.pool, Work::Fill(pooled.slot), app.clock.now());
        if app.targets.has(pooled.slot)
            && let Err(fault) = app.tasks.put(&task).await
        {
            warn!(chat.id = %pooled.chat, fault = "unavailable", "a slot could not be asked for, the audit will: {}", chain(&fault));
        }
    };
    join(event, refill).await;
}
