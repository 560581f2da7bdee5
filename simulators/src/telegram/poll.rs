//! `getUpdates`: one poller at a time, never beside a webhook; asking with an offset confirms what is before it.

use serde_json::Value;
use tokio::sync::watch;

use super::methods::allowed_updates;
use super::refusal::Refusal;
use super::schema::Params;
use super::shared::Shared;
use crate::server::until;

const LONGEST_POLL_SECONDS: i64 = 50;
const MOST_UPDATES: i64 = 100;

/// Waits for updates, at most `timeout` seconds of the clock.
pub(crate) async fn get_updates(
    shared: &Shared,
    bot_id: i64,
    params: &Params,
    stopped: watch::Receiver<bool>,
) -> Result<Value, Refusal> {
    let limit = params
        .integer("limit")
        .filter(|limit| *limit > 0)
        .unwrap_or(MOST_UPDATES)
        .min(MOST_UPDATES);
    let limit = usize::try_from(limit).unwrap_or(1);
    let timeout = params
        .integer("timeout")
        .unwrap_or_default()
        .clamp(0, LONGEST_POLL_SECONDS);
    let mut offset = params.integer("offset").unwrap_or_default();
    let until_ms = shared.clock.now_ms() + timeout * 1000;
    let allowed = allowed_updates(params.texts("allowed_updates"))?;
    let mine = shared.change(|state, _| {
        let inbox = &mut state.world.bots.get_mut(&bot_id).ok_or_else(Refusal::unauthorized)?.inbox;
        if inbox.webhook.is_some() {
            let what = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";
            return Err(Refusal::conflict(what));
        }
        inbox.allow(allowed);
        inbox.poll += 1;
        Ok(inbox.poll)
    })?;
    loop {
        let changed = shared.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        let updates = take(shared, bot_id, mine, offset, limit)?;
        if !updates.is_empty() || shared.clock.now_ms() >= until_ms {
            // What was confirmed may be what somebody waits for.
            shared.changed.notify_waiters();
            return Ok(Value::Array(updates));
        }
        offset = offset.max(0);
        tokio::select! {
            biased;
            () = &mut changed => {}
            () = shared.clock.sleep_until(until_ms) => {}
            () = until(stopped.clone()) => return Err(Refusal::new(500, "Internal Server Error: restart")),
        }
    }
}

fn take(
    shared: &Shared,
    bot_id: i64,
    mine: u64,
    offset: i64,
    limit: usize,
) -> Result<Vec<Value>, Refusal> {
    let mut state = shared.lock();
    let inbox = &mut state
        .world
        .bots
        .get_mut(&bot_id)
        .ok_or_else(Refusal::unauthorized)?
        .inbox;
    if inbox.webhook.is_some() {
        return Err(Refusal::conflict("terminated by setWebhook request"));
    }
    if inbox.poll != mine {
        let what = "terminated by other getUpdates request; make sure that only one bot instance is running";
        return Err(Refusal::conflict(what));
    }
    let updates = inbox.poll(offset, limit, shared.clock.now_ms());
    Ok(updates
        .into_iter()
        .map(|update| update.as_ref().clone())
        .collect())
}
