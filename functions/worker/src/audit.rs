//! The audit of a link pool, some of its shards each minute: a slot with neither a link nor a fill task gets its task, and
//! a link that would leave its buyer too little time is evicted.
//!
//! ```text
//! delete the link, if it is still this one   die here: a vacant slot, found by the next audit; the link expires
//! put the revocation                         die here: as above
//! put the fill task
//! ```

use std::collections::BTreeSet;

use domain::link_pool::{SlotId, Target};
use domain::task::{Lane, Revoke, Task, Work};
use futures_util::future::{join_all, try_join_all};
use store::{PooledLink, StoreError};
use tracing::info;

use crate::App;

/// How many writes one audit makes side by side.
const TOGETHER: usize = 16;

/// Looks at some of the shards of a pool; answers whether it put a task. What it did is durable.
///
/// # Errors
/// [`StoreError`] if a table can't be reached; the next audit goes on.
pub(crate) async fn audit(app: &App, target: Target) -> Result<bool, StoreError> {
    let now = app.clock.now();
    let sold_until = now.plus(app.invite_ttl);
    let (mut vacant, mut old): (Vec<SlotId>, Vec<PooledLink>) = (Vec::new(), Vec::new());
    for shard in target.shards_to_audit(now) {
        let links = app.pool.shard(target.pool, shard).await?;
        let taken: BTreeSet<u64> = links.iter().map(|link| link.slot.number).collect();
        vacant.extend(
            target
                .slots_of(shard)
                .filter(|slot| !taken.contains(&slot.number)),
        );
        old.extend(
            links
                .into_iter()
                .filter(|link| link.link_expires_at < sold_until),
        );
    }
    let evicted = evict(app, target, &old).await?;
    vacant.extend(evicted);
    if vacant.is_empty() {
        return Ok(false);
    }
    let asked = asked_for(app, target).await?;
    vacant.retain(|slot| !asked.contains(&slot.task_key()));
    for some in vacant.chunks(TOGETHER) {
        let puts = some.iter().map(|slot| async {
            app.tasks
                .put(&Task::new(slot.pool, Work::Fill(*slot), now))
                .await
        });
        try_join_all(puts).await?;
    }
    if !vacant.is_empty() {
        info!(chat.id = %target.pool, outcome = "asked_for", slots = vacant.len(), target = target.slots, "vacant slots of the link pool are to be filled");
    }
    Ok(!vacant.is_empty())
}

/// Takes links out of their slots and has them revoked; answers the slots that are to be filled again.
async fn evict(app: &App, target: Target, old: &[PooledLink]) -> Result<Vec<SlotId>, StoreError> {
    let now = app.clock.now();
    let mut slots = Vec::new();
    for some in old.chunks(TOGETHER) {
        let evictions = some.iter().map(|link| async {
            if !app.pool.evict(link.slot, &link.invite_link).await? {
                return Ok(None);
            }
            let revoke = Revoke {
                invite_link: link.invite_link.clone(),
                bot: link.bot,
                request_id: None,
            };
            let task = Task::new(link.slot.pool, Work::Revoke(revoke), now);
            app.tasks.put(&task).await?;
            Ok::<_, StoreError>(Some(link.slot))
        });
        for evicted in join_all(evictions).await {
            slots.extend(evicted?);
        }
    }
    if !slots.is_empty() {
        info!(chat.id = %target.pool, outcome = "evicted", links = slots.len(), "pooled links became too old to be sold");
    }
    slots.retain(|slot| target.has(*slot));
    Ok(slots)
}

/// The keys of the fill tasks of a chat.
async fn asked_for(app: &App, target: Target) -> Result<BTreeSet<String>, StoreError> {
    let (mut asked, mut after) = (BTreeSet::new(), None);
    loop {
        let (keys, next) = app
            .tasks
            .keys(Lane::Fill(target.pool), after.as_deref())
            .await?;
        asked.extend(keys);
        after = next;
        if after.is_none() {
            return Ok(asked);
        }
    }
}
