//! The updates of Telegram that ended badly five times, and having one handled once more.

use domain::id::BotId;
use runtime::response::Rejection;
use serde_json::{Value, json};
use store::UpdateKey;
use tracing::info;

use crate::{App, unavailable};

/// How many are shown of each kind.
const SHOWN: i32 = 50;

/// What is parked. What people wrote in it is not shown.
pub(crate) async fn parked(app: &App) -> Result<Value, Rejection> {
    let parked = app.updates.parked(SHOWN).await.map_err(unavailable)?;
    let updates: Vec<Value> = parked
        .iter()
        .map(|update| {
            json!({
                "botId": update.key.bot.0,
                "updateId": update.key.id,
                "kind": update.kind,
                "parkedAt": update.parked_at,
                "replay": update.is_replayed,
            })
        })
        .collect();
    Ok(json!({"updates": updates}))
}

/// Has a parked update handled once more, within a minute. Asked for again, it changes nothing.
pub(crate) async fn replay(app: &App, who: &str, bot: &str, id: &str) -> Result<Value, Rejection> {
    let (bot, id) = (bot.parse().map(BotId), id.parse());
    let (Ok(bot), Ok(id)) = (bot, id) else {
        return Err(Rejection::NotFound);
    };
    let key = UpdateKey { bot, id };
    if !app.updates.replay(key).await.map_err(unavailable)? {
        return Err(Rejection::NotFound);
    }
    info!(operator.name = who, outcome = "replay", update.id = id, bot.id = %bot, "an operator has a parked update handled once more");
    Ok(json!({"result": "replay", "botId": bot.0, "updateId": id}))
}
