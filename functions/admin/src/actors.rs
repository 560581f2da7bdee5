//! Who shares the bot: actors, their roles and keys.
//!
//! A key is shown once, by the call that makes it; only its hash is kept. A call whose answer was lost is followed by a
//! rotation, or by a deletion: both may be repeated.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::actor::bucket::ACTOR_RATE;
use domain::actor::webhook::WebhookProgress;
use domain::actor::{ACTOR_CHATS_MAX, Actor, ActorKey, ActorName, ActorRejection, ActorRole};
use domain::id::{BotId, ChatId};
use domain::time::Timestamp;
use runtime::response::Rejection;
use serde::Deserialize;
use serde_json::{Value, json};
use store::ActorMade;
use tracing::info;
use uuid::Uuid;

use crate::{App, unavailable};

/// The latest end of a key: a later one is no end.
const ENDS_WITHIN: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

/// What is asked for of an actor that is to be made.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewActor {
    name: String,
    role: String,
    #[serde(default)]
    chats: Vec<i64>,
    rate: Option<u32>,
    expires_at: Option<Timestamp>,
}

/// All actors, without their keys.
pub(crate) async fn list(app: &App) -> Result<Value, Rejection> {
    let actors = app.actors.all().await.map_err(unavailable)?;
    let views: Vec<Value> = actors.iter().map(view).collect();
    Ok(json!({"actors": views}))
}

/// Makes an actor; it reads from now on.
pub(crate) async fn create(app: &App, who: &str, new: NewActor) -> Result<Value, Rejection> {
    let front = front(app)?;
    let now = app.clock.now();
    let invalid = |()| Rejection::InvalidParameter;
    let rate = new.rate.unwrap_or(ACTOR_RATE);
    let is_end = |end: Timestamp| end > now && end < now.plus(ENDS_WITHIN);
    if !(1..=ACTOR_RATE).contains(&rate)
        || new.chats.len() > ACTOR_CHATS_MAX
        // A person is named by having written to the bot, and an opt-out holds.
        || new.chats.iter().any(|chat| *chat >= 0)
        || !new.expires_at.is_none_or(is_end)
    {
        return Err(Rejection::InvalidParameter);
    }
    let name: ActorName = new.name.parse().map_err(invalid)?;
    let role: ActorRole = new.role.parse().map_err(invalid)?;
    let actor = Actor {
        name,
        role,
        chats: new.chats.into_iter().map(ChatId).collect::<BTreeSet<_>>(),
        rate,
        expires_at: new.expires_at,
        created_at: now,
        cursor: app.bot_infos.feed_head(front).await.map_err(unavailable)?,
        allowed_updates: None,
        webhook: None,
        progress: WebhookProgress::default(),
        poll: None,
        asked_offset: None,
    };
    let key = new_key(front);
    let made = app.actors.create(&actor, &key.hash()).await;
    match made.map_err(unavailable)? {
        ActorMade::Done => {}
        ActorMade::Exists => return Err(Rejection::Actor(ActorRejection::Exists)),
        ActorMade::TooMany => return Err(Rejection::Actor(ActorRejection::TooMany)),
    }
    info!(operator.name = who, actor.name = %actor.name, actor.role = role.as_str(), outcome = "actor_made",
        "an operator made an actor");
    let mut view = view(&actor);
    view["key"] = key.expose().into();
    Ok(view)
}

/// Gives an actor another key; the one before works for an hour more.
pub(crate) async fn rotate(app: &App, who: &str, name: &str) -> Result<Value, Rejection> {
    let front = front(app)?;
    let name: ActorName = name.parse().map_err(|()| Rejection::NotFound)?;
    let key = new_key(front);
    let rotated = app.actors.rotate(&name, &key.hash(), app.clock.now()).await;
    let actor = rotated.map_err(unavailable)?.ok_or(Rejection::NotFound)?;
    info!(operator.name = who, actor.name = %name, outcome = "key_rotated", "an operator rotated the key of an actor");
    let mut view = view(&actor);
    view["key"] = key.expose().into();
    Ok(view)
}

/// Deletes an actor; its keys end at once.
pub(crate) async fn delete(app: &App, who: &str, name: &str) -> Result<Value, Rejection> {
    let name: ActorName = name.parse().map_err(|()| Rejection::NotFound)?;
    if !app.actors.delete(&name).await.map_err(unavailable)? {
        return Err(Rejection::NotFound);
    }
    info!(operator.name = who, actor.name = %name, outcome = "actor_deleted", "an operator deleted an actor");
    Ok(json!({"name": name.as_str()}))
}

/// The bot that actors share.
fn front(app: &App) -> Result<BotId, Rejection> {
    app.bots.first().copied().ok_or(Rejection::Unavailable)
}

fn new_key(front: BotId) -> ActorKey {
    let mut random = [0; 32];
    // 244 bits of the system's generator.
    let (one, other) = random.split_at_mut(16);
    one.copy_from_slice(Uuid::new_v4().as_bytes());
    other.copy_from_slice(Uuid::new_v4().as_bytes());
    ActorKey::make(front, &random)
}

fn view(actor: &Actor) -> Value {
    let mut view = json!({
        "name": actor.name.as_str(), "role": actor.role.as_str(), "chats": actor.chats, "rate": actor.rate,
        "createdAt": actor.created_at,
    });
    if let Some(end) = actor.expires_at {
        view["expiresAt"] = json!(end);
    }
    view
}
