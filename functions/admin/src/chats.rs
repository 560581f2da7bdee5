//! The chats: how fast each bot may call for each, who waits, and pausing them by hand.

use domain::id::{BotId, ChatId};
use domain::lease::{ChatLease, OperatorPause};
use domain::limiter::Limiter;
use domain::task::Lane;
use domain::text::list as parts;
use domain::time::Timestamp;
use futures_util::future::{try_join, try_join_all};
use runtime::config::Env;
use runtime::response::Rejection;
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Found, StoreError};
use tracing::info;

use crate::{App, unavailable};

/// How many waiting tasks of a lane are counted at most.
const COUNTED: i32 = 100;

/// The body of `pause`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pause {
    reason: String,
    /// How long, in minutes; without, until somebody resumes.
    until_minutes: Option<u64>,
}

/// The ids of the bots of `TELEGRAM_BOT_TOKEN`: rate limiters are kept by them. The rest of the token is not kept.
pub(crate) fn bots(env: &mut Env) -> Vec<BotId> {
    let tokens = env.required("TELEGRAM_BOT_TOKEN");
    let bots: Option<Vec<BotId>> = parts(&tokens).map(BotId::of_token).collect();
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
    let chats = app.chats.all().map(|(chat, pool)| view(app, chat, pool));
    Ok(json!({"chats": try_join_all(chats).await?}))
}

/// Pauses a chat: none of its links is made or revoked until that is over.
pub(crate) async fn pause(
    app: &App,
    who: &str,
    chat: ChatId,
    asked: Pause,
) -> Result<Value, Rejection> {
    let now = app.clock.now();
    let pause = OperatorPause::ask(&asked.reason, who, asked.until_minutes, now);
    let pause = pause.ok_or(Rejection::InvalidParameter)?;
    let (chat, pool) = app.chats.known(chat)?;
    let paused = app.limits.operator_pause(pool, &pause).await;
    paused.map_err(unavailable)?;
    info!(chat.id = %chat, operator.name = who, outcome = "paused", "an operator paused a chat");
    Ok(json!({"chat": view(app, chat, pool).await?}))
}

/// Ends a pause by hand, and closes the circuit of a chat that was found broken; a wait that Telegram asked for goes on.
pub(crate) async fn resume(app: &App, who: &str, chat: ChatId) -> Result<Value, Rejection> {
    let (chat, pool) = app.chats.known(chat)?;
    let now = app.clock.now();
    let resumed = app.limits.resume_by(pool, who, now).await;
    let resumed = resumed.map_err(unavailable)?;
    app.bells.ring(pool).await;
    info!(chat.id = %chat, operator.name = who, outcome = "resumed", "an operator resumed a chat");
    Ok(json!({"resumed": resumed, "chat": view(app, chat, pool).await?}))
}

/// How it stands with a chat.
async fn view(app: &App, chat: ChatId, pool: ChatId) -> Result<Value, Rejection> {
    let now = app.clock.now();
    let lease = async { app.limits.get(pool).await.map_err(unavailable) };
    let waiting = async { waiting(app, pool).await.map_err(unavailable) };
    let (lease, waiting) = try_join(lease, waiting).await?;
    let bots: Vec<Value> = app
        .bots
        .iter()
        .map(|bot| {
            let fresh = app.limits.new_limiter();
            let limiter = lease.limiters.get(bot).unwrap_or(&fresh);
            bot_view(*bot, limiter, now)
        })
        .collect();
    let mut view = json!({
        "chatId": chat, "waiting": waiting.count, "isMore": waiting.is_more, "isDispatched": lease.is_held(now),
        "bots": bots,
    });
    if let Some(since) = waiting.since {
        view["waitingSince"] = json!(since);
    }
    if let Some((_, to)) = lease.migrated {
        view["migratedTo"] = json!(to);
    }
    if let Some(pause) = &lease.operator_pause {
        view["pause"] = pause_view(pause, &lease, now);
    }
    Ok(view)
}

/// Buyers that wait for a link.
#[derive(Default)]
struct Waiting {
    count: usize,
    is_more: bool,
    since: Option<Timestamp>,
}

async fn waiting(app: &App, pool: ChatId) -> Result<Waiting, StoreError> {
    let lanes = Lane::mints(pool).map(|lane| app.tasks.page(lane, None, COUNTED));
    let mut waiting = Waiting::default();
    for page in try_join_all(lanes).await? {
        waiting.count += page.found.len();
        waiting.is_more |= page.more_after.is_some();
        let first = page.found.iter().find_map(|found| match found {
            Found::Task(task) => Some(task.created_at),
            Found::Malformed(_) => None,
        });
        waiting.since = waiting.since.into_iter().chain(first).min();
    }
    Ok(waiting)
}

fn bot_view(bot: BotId, limiter: &Limiter, now: Timestamp) -> Value {
    let circuit = &limiter.circuit;
    let mut view = json!({
        "botId": bot, "intervalMs": limiter.interval_ms, "isOpen": circuit.is_open(), "opened": circuit.opened,
    });
    if limiter.waits_until(now) > now {
        view["pausedUntil"] = json!(limiter.waits_until(now));
    }
    view
}

fn pause_view(pause: &OperatorPause, lease: &ChatLease, now: Timestamp) -> Value {
    let lasts = lease.stopped_until(now).is_some();
    let mut view =
        json!({"lasts": lasts, "reason": pause.reason, "who": pause.who, "at": pause.at});
    if let Some(until) = pause.until {
        view["until"] = json!(until);
    }
    if let Some((at, who)) = &pause.lifted {
        view["liftedAt"] = json!(at);
        view["liftedBy"] = json!(who);
    }
    view
}
