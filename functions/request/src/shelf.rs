//! A link of the stock for a new request: DONE in its own answer, without a word to Telegram.
//!
//! ```text
//! look at a shard, choose a unit
//! send the promise of the event    die here: `events` finds no record within a minute, and drops it
//! take the unit                    one transaction: die before it, and nothing happened; after it, all did, and
//!                                  `events` finds the record DONE
//! ```
//!
//! Takers spread over the shards by chance. One that comes too late for its unit looks at another shard, and never tries
//! the same unit again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::domain::event::Promise;
use common::domain::id::ChatId;
use common::domain::invite::Invite;
use common::domain::stock::SHARDS;
use common::domain::time::Timestamp;
use common::store::{Stock, StoreError, Taken, Unit};
use common::telemetry::chain;
use futures_util::future::try_join_all;
use tracing::{error, info, warn};

use crate::App;

/// How often a taker may come too late before it leaves the rest to the queue. Each time another one was served.
const LOSSES_MAX: u32 = 12;
/// How many shards are looked at together once the first ones were empty.
const TOGETHER_MAX: usize = 8;
/// How long an empty stock is not looked at again: a sold-out sale would pay for 32 looks an order. A link comes about
/// every 3 seconds, so little is missed.
const EMPTY_FOR: Duration = Duration::from_secs(2);
/// How late the promise is looked into first: usually the request is DONE by then.
const PROMISE_AFTER: Duration = Duration::from_secs(2);

/// The shelves that were found empty, and until when they are not looked at.
#[derive(Default)]
pub(crate) struct Empty(Mutex<HashMap<ChatId, Timestamp>>);

impl Empty {
    fn lock(&self) -> MutexGuard<'_, HashMap<ChatId, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn holds(&self, shelf: ChatId, now: Timestamp) -> bool {
        self.lock().get(&shelf).is_some_and(|until| *until > now)
    }

    fn note(&self, shelf: ChatId, now: Timestamp) {
        self.lock().insert(shelf, now.plus(EMPTY_FOR));
    }
}

/// How a new request was served.
pub(crate) enum Served {
    /// It is DONE; this is its record.
    Done(Box<Invite>),
    /// It was not new: this is its record.
    Known(Box<Invite>),
    /// The stock did not serve it.
    Not,
}

/// Serves `accepted`, a request that has no record yet, from the shelf. On [`Served::Done`] that is durable. What goes
/// wrong is logged, and leaves the request to the queue: if the unit was taken after all, its record says so.
pub(crate) async fn serve(app: &App, shelf: ChatId, accepted: &Invite) -> Served {
    let now = app.clock.now();
    if !app.targets.has(shelf) || app.empty.holds(shelf, now) {
        return Served::Not;
    }
    match take(app, shelf, accepted).await {
        Ok(served) => served,
        Err(fault) => {
            warn!(invite.id = %accepted.request_id, chat.id = %accepted.chat, fault = "unavailable",
                "the stock can't be taken from, the queue serves: {}", chain(&fault));
            Served::Not
        }
    }
}

async fn take(app: &App, shelf: ChatId, accepted: &Invite) -> Result<Served, StoreError> {
    let (mut losses, mut is_promised) = (0, false);
    while losses < LOSSES_MAX {
        let mut shards: Vec<u64> = (0..SHARDS).collect();
        fastrand::shuffle(&mut shards);
        let (mut seen, mut together) = (false, 1);
        while !shards.is_empty() && losses < LOSSES_MAX {
            let some = shards.split_off(shards.len().saturating_sub(together));
            let units = choices(
                &app.stock,
                shelf,
                &some,
                app.clock.now().plus(app.invite_ttl),
            );
            let units = units.await?;
            // Many together while there is nothing; then one by one again, since each look costs.
            together = if units.is_empty() {
                (together * 2).min(TOGETHER_MAX)
            } else {
                1
            };
            for unit in units {
                seen = true;
                if !is_promised {
                    if !promise(app, accepted).await {
                        return Ok(Served::Not);
                    }
                    is_promised = true;
                }
                match take_one(app, &unit, accepted).await? {
                    Some(served) => return Ok(served),
                    None => losses += 1,
                }
                if losses == LOSSES_MAX {
                    break;
                }
            }
        }
        if !seen {
            app.empty.note(shelf, app.clock.now());
            break;
        }
    }
    info!(invite.id = %accepted.request_id, chat.id = %accepted.chat, outcome = "sold_out", stock.losses = losses, "nothing to be had in stock");
    Ok(Served::Not)
}

/// One unit by chance of each of these shards, of those whose link works until `sold_until` at least.
async fn choices(
    stock: &Stock,
    shelf: ChatId,
    shards: &[u64],
    sold_until: Timestamp,
) -> Result<Vec<Unit>, StoreError> {
    let pages = try_join_all(shards.iter().map(|shard| stock.look(shelf, *shard))).await?;
    let chosen = pages.into_iter().filter_map(|page| {
        let mut units = page.units;
        units.retain(|unit| unit.link_expires_at >= sold_until);
        (!units.is_empty()).then(|| units.swap_remove(fastrand::usize(..units.len())))
    });
    Ok(chosen.collect())
}

/// Promises the event; answers whether that is durable.
async fn promise(app: &App, accepted: &Invite) -> bool {
    let now = app.clock.now();
    let promise = Promise {
        request_id: accepted.request_id,
        promised_at: now,
    };
    let sent = app
        .events
        .promise(&promise, now.plus(PROMISE_AFTER), 0, now)
        .await;
    sent.inspect_err(|fault| {
        warn!(invite.id = %accepted.request_id, fault = "unavailable",
            "an event could not be promised, the queue serves: {}", chain(fault));
    })
    .is_ok()
}

/// Tries to take one unit; nothing if it is to be had no more.
async fn take_one(app: &App, unit: &Unit, accepted: &Invite) -> Result<Option<Served>, StoreError> {
    let id = accepted.request_id;
    let done = accepted.clone().served_from_stock(
        unit.chat,
        unit.invite_link.clone(),
        unit.link_expires_at,
    );
    let expires_at = accepted.created_at.plus(app.retention);
    let taken = app
        .stock
        .take(unit, &done, &app.invites, &app.links, expires_at)
        .await?;
    Ok(match taken {
        Taken::Ours => {
            let waited = app.clock.now().since(accepted.created_at);
            info!(invite.id = %id, chat.id = %unit.chat, stock.unit = unit.id.number, outcome = "taken",
                waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX), "a link of the stock was handed out");
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
            error!(invite.id = %id, chat.id = %unit.chat, stock.unit = unit.id.number, fault = "spoiled_unit",
                "a link in stock has no record of its own and is thrown away");
            app.stock.discard(unit.id, &unit.invite_link).await?;
            None
        }
    })
}
