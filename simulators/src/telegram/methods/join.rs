//! Join requests: approve, decline, and the answer of the chat's processor.

use serde_json::{Value, json};

use super::Request;
use crate::telegram::join_request::Verdict;
use crate::telegram::member::User;
use crate::telegram::queries::{Asked, too_old};
use crate::telegram::refusal::Refusal;
use crate::telegram::state::TelegramState;

pub(super) fn approve(world: &mut TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    settle(world, request, Verdict::Approved)
}

pub(super) fn decline(world: &mut TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    settle(world, request, Verdict::Declined)
}

fn settle(
    world: &mut TelegramState,
    request: &Request<'_>,
    verdict: Verdict,
) -> Result<Value, Refusal> {
    let chat_id = chat_of(world, request.bot_id, &request.chat_id(), request.now_ms)?;
    let user_id = request.user_id();
    // A bot can't name a user whom it never met.
    if !world.seen.contains(&(request.bot_id, user_id)) {
        return Err(Refusal::bad_request("USER_ID_INVALID"));
    }
    let bot = bot(world, request)?;
    world.settle_request(chat_id, user_id, &bot, verdict, request.now_ms)?;
    Ok(json!(true))
}

/// A query is answered once. `queue` leaves the request to the administrators.
pub(super) fn answer_query(
    world: &mut TelegramState,
    request: &Request<'_>,
) -> Result<Value, Refusal> {
    let verdict = match request.params.text("result").unwrap_or_default() {
        "approve" => Some(Verdict::Approved),
        "decline" => Some(Verdict::Declined),
        "queue" => None,
        other => {
            let what = format!("simulator: unknown result {other}");
            return Err(Refusal::bad_request(what));
        }
    };
    let id = request.params.text("chat_join_request_query_id");
    let id = id.unwrap_or_default();
    let asked = world
        .queries
        .answerable(request.bot_id, id, request.now_ms)?;
    let Asked::ToJoin { chat_id, user_id } = *asked else {
        return Err(too_old());
    };
    chat_of(world, request.bot_id, &json!(chat_id), request.now_ms)?;
    let bot = bot(world, request)?;
    if let Some(verdict) = verdict {
        world.settle_request(chat_id, user_id, &bot, verdict, request.now_ms)?;
    }
    world.queries.forget(id);
    Ok(json!(true))
}

/// A chat in which the bot may settle requests.
fn chat_of(
    world: &TelegramState,
    bot_id: i64,
    chat_id: &Value,
    now_ms: i64,
) -> Result<i64, Refusal> {
    let chat = world.chat_for(bot_id, chat_id, now_ms)?;
    match chat.rights(bot_id) {
        Some(rights) if rights.can_invite_users => Ok(chat.id),
        _ => Err(Refusal::bad_request("CHAT_ADMIN_REQUIRED")),
    }
}

fn bot(world: &TelegramState, request: &Request<'_>) -> Result<User, Refusal> {
    let bot = world.bots.get(&request.bot_id).map(|bot| bot.user.clone());
    bot.ok_or_else(Refusal::unauthorized)
}
