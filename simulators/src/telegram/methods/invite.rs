//! Invite links: create, edit, revoke, export.

use serde_json::{Value, json};

use super::Request;
use crate::telegram::link::{Link, Terms, clean_name};
use crate::telegram::refusal::Refusal;
use crate::telegram::state::TelegramState;

/// Above this Telegram's own clamp has already cut, and the server behind it refuses.
const MOST_MEMBERS: i64 = 99_999;

pub(super) fn create(world: &mut TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    let chat_id = world
        .inviting_chat(request.bot_id, &request.chat_id(), request.now_ms)?
        .id;
    let terms = terms(request)?;
    let link = Link::new(chat_id, request.bot_id, terms, request.now_ms);
    let shown = show(world, &link, request.bot_id);
    world.add_link(link);
    Ok(shown)
}

pub(super) fn edit(world: &mut TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    let url = own_link(world, request)?;
    let terms = terms(request)?;
    if let Some(link) = world.links.get_mut(&url) {
        link.set(terms);
    }
    shown(world, &url, request.bot_id)
}

pub(super) fn revoke(world: &mut TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    let url = own_link(world, request)?;
    if let Some(link) = world.links.get_mut(&url) {
        link.revoked = true;
    }
    shown(world, &url, request.bot_id)
}

/// A new primary link; the former one is dead from then on.
pub(super) fn export(world: &mut TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    let chat_id = world
        .inviting_chat(request.bot_id, &request.chat_id(), request.now_ms)?
        .id;
    let mut link = Link::new(chat_id, request.bot_id, Terms::default(), request.now_ms);
    link.is_primary = true;
    for old in world.links.values_mut() {
        if old.is_primary && old.chat_id == chat_id && old.creator_bot_id == request.bot_id {
            old.revoked = true;
        }
    }
    let url = link.url.clone();
    world.add_link(link);
    Ok(json!(url))
}

/// A live link of this bot in this chat.
fn own_link(world: &TelegramState, request: &Request<'_>) -> Result<String, Refusal> {
    let chat_id = world
        .inviting_chat(request.bot_id, &request.chat_id(), request.now_ms)?
        .id;
    let url = request.params.text("invite_link").unwrap_or_default();
    let link = world
        .links
        .get(url)
        .filter(|link| link.chat_id == chat_id && !link.revoked);
    let link = link.ok_or_else(|| Refusal::bad_request("INVITE_HASH_EXPIRED"))?;
    if link.creator_bot_id != request.bot_id {
        return Err(Refusal::bad_request("CHAT_ADMIN_REQUIRED"));
    }
    Ok(link.url.clone())
}

/// Names are cut and numbers clamped in silence; 0 members is no limit.
fn terms(request: &Request<'_>) -> Result<Terms, Refusal> {
    let params = request.params;
    let member_limit = params
        .integer("member_limit")
        .unwrap_or_default()
        .clamp(0, 100_000);
    let expire_date = params.integer("expire_date").unwrap_or_default();
    let creates_join_request = params.flag("creates_join_request");
    if creates_join_request && member_limit > 0 {
        let what = "member limit can't be specified for links requiring administrator approval";
        return Err(Refusal::bad_request(what));
    }
    if member_limit > MOST_MEMBERS {
        return Err(Refusal::bad_request("USAGE_LIMIT_INVALID"));
    }
    if expire_date != 0 && expire_date <= request.now_ms / 1000 {
        return Err(Refusal::bad_request("EXPIRE_DATE_INVALID"));
    }
    Ok(Terms {
        name: params.text("name").and_then(clean_name),
        expire_date: (expire_date != 0).then_some(expire_date),
        member_limit: (member_limit != 0).then_some(member_limit),
        creates_join_request,
    })
}

fn shown(world: &TelegramState, url: &str, bot_id: i64) -> Result<Value, Refusal> {
    let link = world
        .links
        .get(url)
        .ok_or_else(|| Refusal::bad_request("INVITE_HASH_EXPIRED"))?;
    Ok(show(world, link, bot_id))
}

fn show(world: &TelegramState, link: &Link, bot_id: i64) -> Value {
    world
        .creator(link)
        .map_or(Value::Null, |creator| link.json(creator, bot_id))
}
