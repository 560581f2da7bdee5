//! The chats: how fast each bot may call for each, who waits, and pausing them by hand.

use std::time::Duration;

use common::answer::Rejection;
use common::config::{Env, list as parts};
use common::domain::id::{BotId, ChatId};
use common::domain::pace::{Pace, Stop};
use common::domain::time::Timestamp;
use common::store::PaceKey;
use futures_util::future::{try_join, try_join_all};
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::info;

use crate::{App, unavailable};

/// The longest reason of a pause, in characters.
const REASON_MAX_CHARS: usize = 200;
/// The longest pause that ends by itself, in minutes: 30 days.
const PAUSE_MAX_MINUTES: u64 = 30 * 24 * 60;
/// How often a chat is followed that has moved.
const MOVES_MAX: usize = 3;

/// The body of `pause`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pause {
    reason: String,
    /// How long, in minutes; without, until somebody resumes.
    until_minutes: Option<u64>,
}

/// The ids of the bots of `TELEGRAM_BOT_TOKEN`: paces are kept by them. The rest of the token is not kept.
pub(crate) fn bots(env: &mut Env) -> Vec<BotId> {
    let tokens = env.required("TELEGRAM_BOT_TOKEN");
    let id = |token: &str| Some(BotId(token.split_once(':')?.0.parse().ok()?));
    let bots: Option<Vec<BotId>> = parts(&tokens).map(id).collect();
    bots.filter(|bots| !bots.is_empty()).unwrap_or_else(|| {
        if !tokens.is_empty() {
            env.problem(
                "TELEGRAM_BOT_TOKEN is no bot token (digits, a colon, letters), nor several with commas between"
                    .to_owned(),
            );
        }
        Vec::new()
    })
}

/// How it stands with all chats.
pub(crate) async fn list(app: &App) -> Result<Value, Rejection> {
    let chats = app.chats.all().map(|(chat, _)| view(app, chat));
    Ok(json!({"chats": try_join_all(chats).await?}))
}

/// Pauses a chat: none of its links is made or revoked until that is over.
pub(crate) async fn pause(
    app: &App,
    who: &str,
    chat: ChatId,
    asked: Pause,
) -> Result<Value, Rejection> {
    let reason = asked.reason.trim();
    let is_reason = (1..=REASON_MAX_CHARS).contains(&reason.chars().count());
    let is_length = asked
        .until_minutes
        .is_none_or(|minutes| (1..=PAUSE_MAX_MINUTES).contains(&minutes));
    if !is_reason || !is_length {
        return Err(Rejection::InvalidParameter);
    }
    let now = app.clock.now();
    let until = asked
        .until_minutes
        .map(|minutes| now.plus(Duration::from_secs(minutes * 60)));
    let stop = Stop {
        reason: reason.to_owned(),
        who: who.to_owned(),
        at: now,
        until,
        lifted: None,
    };
    let (chat, _) = change(app, chat, now, |pace| pace.stop = Some(stop.clone())).await?;
    info!(chat.id = %chat, operator.name = who, outcome = "paused", "an operator paused a chat");
    Ok(json!({"chat": view(app, chat).await?}))
}

/// Ends a pause by hand, and the hold of a chat that was found broken.
pub(crate) async fn resume(app: &App, who: &str, chat: ChatId) -> Result<Value, Rejection> {
    let now = app.clock.now();
    let (chat, ended) = change(app, chat, now, |pace| pace.resume(who, now)).await?;
    let resumed = ended.into_iter().any(|ended| ended);
    info!(chat.id = %chat, operator.name = who, outcome = "resumed", "an operator resumed a chat");
    Ok(json!({"resumed": resumed, "chat": view(app, chat).await?}))
}

/// Changes the lines of all bots in a chat, also under the ids that it had and has; answers its id.
async fn change<T>(
    app: &App,
    chat: ChatId,
    now: Timestamp,
    decide: impl Fn(&mut Pace) -> T,
) -> Result<(ChatId, Vec<T>), Rejection> {
    let (chat, known_as) = app.chats.named(chat).ok_or(Rejection::UnknownChat)?;
    let mut results = Vec::new();
    for bot in &app.bots {
        let mut chats = vec![chat];
        if known_as != chat {
            chats.push(known_as);
        }
        let mut at = 0;
        while let Some(chat) = chats.get(at).copied() {
            let key = PaceKey { bot: *bot, chat };
            let changed = app.paces.change(key, now, |pace| {
                let result = decide(pace);
                (result, pace.migrated_to)
            });
            let (result, migrated_to) = changed.await.map_err(unavailable)?;
            results.push(result);
            at += 1;
            chats.extend(migrated_to.filter(|to| !chats.contains(to) && at <= MOVES_MAX));
        }
    }
    Ok((chat, results))
}

/// How it stands with a chat.
async fn view(app: &App, chat: ChatId) -> Result<Value, Rejection> {
    let lines = app.bots.iter().map(|bot| line_view(app, *bot, chat));
    Ok(json!({"chatId": chat, "bots": try_join_all(lines).await?}))
}

async fn line_view(app: &App, bot: BotId, chat: ChatId) -> Result<Value, Rejection> {
    let now = app.clock.now();
    let own = app.paces.read(PaceKey { bot, chat });
    let of_bot = app.paces.read(PaceKey::of_bot(bot));
    let (own, of_bot) = try_join(own, of_bot).await.map_err(unavailable)?;
    let (own, of_bot) = (own.pace, of_bot.pace);
    let shares_limit = of_bot.shared_until > now;
    let slots = if shares_limit { &of_bot } else { &own };
    let paused_until = own.paused_until.max(slots.paused_until);
    let mut view = json!({
        "botId": bot,
        "intervalMs": slots.interval_ms,
        "waiting": slots.tickets.get(&chat).map_or(0, |tickets| tickets.out()),
        "holds": own.holds,
        "isHeld": own.holds > 0 && own.held_until > now,
        "sharesLimit": shares_limit,
    });
    if paused_until > now {
        view["pausedUntil"] = json!(paused_until);
    }
    if let Some(to) = own.migrated_to {
        view["migratedTo"] = json!(to);
    }
    if let Some(stop) = &own.stop {
        view["stop"] = stop_view(stop, now);
    }
    Ok(view)
}

fn stop_view(stop: &Stop, now: Timestamp) -> Value {
    let mut view =
        json!({"lasts": stop.lasts(now), "reason": stop.reason, "who": stop.who, "at": stop.at});
    if let Some(until) = stop.until {
        view["until"] = json!(until);
    }
    if let Some((at, who)) = &stop.lifted {
        view["liftedAt"] = json!(at);
        view["liftedBy"] = json!(who);
    }
    view
}
