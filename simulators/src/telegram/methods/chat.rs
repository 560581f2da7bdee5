//! What a bot may ask about itself, a chat and its members.

use serde_json::{Value, json};

use super::Request;
use crate::telegram::chat::{Chat, ChatKind};
use crate::telegram::member::MemberStatus;
use crate::telegram::person::private_chat;
use crate::telegram::refusal::Refusal;
use crate::telegram::state::TelegramState;

pub(super) fn get_me(world: &TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    let bot = world
        .bots
        .get(&request.bot_id)
        .ok_or_else(Refusal::unauthorized)?;
    let mut me = bot.user.json();
    me["can_join_groups"] = json!(true);
    for ability in [
        "can_read_all_group_messages",
        "supports_guest_queries",
        "supports_inline_queries",
        "can_connect_to_business",
        "has_main_web_app",
        "has_topics_enabled",
        "allows_users_to_create_topics",
        "can_manage_bots",
    ] {
        me[ability] = json!(false);
    }
    let processes = |chat: &Chat| chat.request_processor == Some(request.bot_id);
    me["supports_join_request_queries"] = json!(world.chats.values().any(processes));
    Ok(me)
}

pub(super) fn get_chat(world: &TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    let mut full = match request.chat_id().as_i64().filter(|id| *id > 0) {
        Some(user_id) => {
            let met = world.seen.contains(&(request.bot_id, user_id));
            let user = world.user(user_id).filter(|_| met);
            private_chat(user.ok_or_else(|| Refusal::bad_request("chat not found"))?)
        }
        None => {
            let chat = world.chat_for(request.bot_id, &request.chat_id(), request.now_ms)?;
            let mut shown = chat.json();
            let processor = chat.request_processor.and_then(|id| world.user(id));
            if let Some(bot) = processor {
                shown["guard_bot"] = bot.json();
            }
            shown
        }
    };
    full["accent_color_id"] = json!(0);
    full["max_reaction_count"] = json!(11);
    full["accepted_gift_types"] = json!({
        "unlimited_gifts": false, "limited_gifts": false, "unique_gifts": false, "premium_subscription": false,
        "gifts_from_channels": false,
    });
    Ok(full)
}

pub(super) fn get_member(world: &TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    let chat = world.chat_for(request.bot_id, &request.chat_id(), request.now_ms)?;
    let user_id = request.user_id();
    let here = chat.members.get(&user_id).map(|member| &member.user);
    // Someone who never was in this chat is shown as left if Telegram knows him at all.
    let user = here
        .or_else(|| world.user(user_id))
        .ok_or_else(|| Refusal::bad_request("PARTICIPANT_ID_INVALID"))?;
    Ok(chat
        .status(user_id, request.now_ms)
        .json(user, chat.kind == ChatKind::Channel))
}

pub(super) fn get_administrators(
    world: &TelegramState,
    request: &Request<'_>,
) -> Result<Value, Refusal> {
    let chat = world.chat_for(request.bot_id, &request.chat_id(), request.now_ms)?;
    let bots_too = request.params.flag("return_bots");
    let mut members: Vec<_> = chat
        .members
        .values()
        .filter(|member| {
            matches!(
                member.status,
                MemberStatus::Creator | MemberStatus::Administrator(_)
            )
        })
        .filter(|member| !member.user.is_bot || bots_too || member.user.id == request.bot_id)
        .collect();
    members.sort_by_key(|member| member.user.id);
    let is_channel = chat.kind == ChatKind::Channel;
    Ok(members
        .iter()
        .map(|member| member.status.json(&member.user, is_channel))
        .collect())
}

pub(super) fn count_members(
    world: &TelegramState,
    request: &Request<'_>,
) -> Result<Value, Refusal> {
    let chat = world.chat_for(request.bot_id, &request.chat_id(), request.now_ms)?;
    let members = chat.members.keys();
    let present = members.filter(|id| chat.status(**id, request.now_ms).is_present());
    Ok(json!(present.count()))
}
