//! Removing people, letting them come again, and leaving.

use serde_json::{Value, json};

use super::Request;
use crate::telegram::chat::{Chat, ChatKind};
use crate::telegram::member::{MemberStatus, User};
use crate::telegram::refusal::Refusal;
use crate::telegram::state::{TelegramState, Via};

const SHORTEST_BAN_SECONDS: i64 = 30;
const LONGEST_BAN_SECONDS: i64 = 366 * 24 * 3600;

pub(super) fn ban(world: &mut TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    let chat = world.restricting_chat(request.bot_id, &request.chat_id(), request.now_ms)?;
    let (chat_id, user) = target(world, chat, request)?;
    let ahead = request.params.integer("until_date").unwrap_or_default() - request.now_ms / 1000;
    // Less than 30 seconds or more than 366 days from now is for ever.
    let is_for_ever = !(SHORTEST_BAN_SECONDS..=LONGEST_BAN_SECONDS).contains(&ahead);
    let until_date = if is_for_ever {
        0
    } else {
        request.now_ms / 1000 + ahead
    };
    apply(
        world,
        chat_id,
        &user,
        MemberStatus::Kicked { until_date },
        request,
    )
}

/// Without `only_if_banned` this removes a present member.
pub(super) fn unban(world: &mut TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    let chat = world.restricting_chat(request.bot_id, &request.chat_id(), request.now_ms)?;
    if chat.kind == ChatKind::Group {
        return Err(Refusal::bad_request(
            "method is available for supergroup and channel chats only",
        ));
    }
    let status = chat.status(request.user_id(), request.now_ms);
    let (chat_id, user) = target(world, chat, request)?;
    let is_banned = matches!(status, MemberStatus::Kicked { .. });
    if status == MemberStatus::Left || (request.params.flag("only_if_banned") && !is_banned) {
        return Ok(json!(true));
    }
    apply(world, chat_id, &user, MemberStatus::Left, request)
}

/// The bot goes, of itself.
pub(super) fn leave(world: &mut TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    let chat = world.chat_for(request.bot_id, &request.chat_id(), request.now_ms)?;
    let chat_id = chat.id;
    let Some(bot) = world.bots.get(&request.bot_id).map(|bot| bot.user.clone()) else {
        return Err(Refusal::unauthorized());
    };
    apply(world, chat_id, &bot, MemberStatus::Left, request)
}

fn target(
    world: &TelegramState,
    chat: &Chat,
    request: &Request<'_>,
) -> Result<(i64, User), Refusal> {
    let user_id = request.user_id();
    match chat.status(user_id, request.now_ms) {
        MemberStatus::Creator => return Err(Refusal::bad_request("can't remove chat owner")),
        MemberStatus::Administrator(_) if user_id == request.bot_id => {
            return Err(Refusal::bad_request("can't restrict self"));
        }
        MemberStatus::Administrator(_) => {
            return Err(Refusal::bad_request("user is an administrator of the chat"));
        }
        MemberStatus::Member
        | MemberStatus::Restricted { .. }
        | MemberStatus::Left
        | MemberStatus::Kicked { .. } => {}
    }
    let here = chat.members.get(&user_id).map(|member| &member.user);
    let user = here.or_else(|| world.user(user_id)).cloned();
    let user = user.ok_or_else(|| Refusal::bad_request("PARTICIPANT_ID_INVALID"))?;
    Ok((chat.id, user))
}

fn apply(
    world: &mut TelegramState,
    chat_id: i64,
    user: &User,
    status: MemberStatus,
    request: &Request<'_>,
) -> Result<Value, Refusal> {
    let Some(bot) = world.bots.get(&request.bot_id).map(|bot| bot.user.clone()) else {
        return Err(Refusal::unauthorized());
    };
    world.change(chat_id, user, status, &bot, &Via::Hand, request.now_ms);
    Ok(json!(true))
}
