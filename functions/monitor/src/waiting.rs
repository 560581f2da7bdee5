//! Who has paid and waits for a link, for how long.

use common::domain::action::Action;
use common::domain::id::OpenShard;
use common::domain::invite::{Invite, Status};
use common::domain::time::Timestamp;
use common::store::{Invites, StoreError};
use futures_util::future::try_join_all;

/// How many keys are read of the index at once. Most often the first is that of somebody who waits.
const PAGE: i32 = 25;
/// How many records of one shard are looked at, at most. While WebEngage is down, those before it are people who have
/// their link: their events alone are open.
const LOOKS_MAX_OF_SHARD: usize = 250;

/// Who waits longest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Longest {
    /// Since when; nobody waits if there is none.
    pub(crate) since: Option<Timestamp>,
    /// Whether so much is open that not all of it was looked at: somebody may wait longer.
    pub(crate) is_partial: bool,
}

/// Who waits longest at `now`.
///
/// # Errors
/// [`StoreError`] if the requests can't be read.
pub(crate) async fn longest(invites: &Invites, now: Timestamp) -> Result<Longest, StoreError> {
    let shards = OpenShard::all().map(|shard| longest_of(invites, shard, now));
    let shards = try_join_all(shards).await?;
    Ok(Longest {
        since: shards.iter().filter_map(|longest| longest.since).min(),
        is_partial: shards.iter().any(|longest| longest.is_partial),
    })
}

async fn longest_of(
    invites: &Invites,
    shard: OpenShard,
    now: Timestamp,
) -> Result<Longest, StoreError> {
    let (mut after, mut looks) = (None, 0);
    loop {
        let page = invites.open(shard, now, after, PAGE).await?;
        for id in page.ids {
            looks += 1;
            // The index lags behind by a moment: the record decides.
            let invite = invites.get(id).await?;
            if let Some(since) = invite.as_ref().and_then(waits_since) {
                return Ok(Longest {
                    since: Some(since),
                    is_partial: false,
                });
            }
        }
        if page.next.is_none() || looks >= LOOKS_MAX_OF_SHARD {
            return Ok(Longest {
                since: None,
                is_partial: page.next.is_some(),
            });
        }
        after = page.next;
    }
}

/// Since when its buyer waits for a link, if so. An operator who has it made again starts the wait anew.
fn waits_since(invite: &Invite) -> Option<Timestamp> {
    match invite.status {
        Status::Done | Status::Failed => None,
        Status::Queued | Status::Processing => {
            let anew = |action| matches!(action, Action::Retry | Action::Reissue);
            let last = invite.history.iter().rfind(|entry| anew(entry.action));
            Some(last.map_or(invite.created_at, |entry| entry.at))
        }
    }
}
