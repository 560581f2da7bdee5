//! Pinned messages, of which a chat may have several.

use serde_json::{Value, json};

use super::Request;
use super::message::bot;
use crate::telegram::conversation::{Conversation, Draft};
use crate::telegram::refusal::Refusal;
use crate::telegram::state::TelegramState;

/// A service message tells of it.
pub(super) fn pin(world: &mut TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    let conversation = conversation(world, request)?;
    let id = request.params.integer("message_id").unwrap_or_default();
    let log = world.log_mut(conversation);
    let not_found = || Refusal::bad_request("message to pin not found");
    let log = log
        .filter(|log| log.get(id).is_some())
        .ok_or_else(not_found)?;
    if !log.pinned.insert(id) {
        return Err(Refusal::bad_request("CHAT_NOT_MODIFIED"));
    }
    let Some(message) = log.get(id).cloned() else {
        return Err(not_found());
    };
    let pinned = world.message_json(conversation, &message);
    let bot = bot(world, request)?.clone();
    let mut draft = Draft::service(bot, "pinned_message", pinned);
    draft.thread_id = message.draft.thread_id;
    draft.is_silent = request.params.flag("disable_notification");
    world.say(conversation, draft, request.now_ms);
    Ok(json!(true))
}

/// Without a message, the newest that is pinned.
pub(super) fn unpin(world: &mut TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    let conversation = conversation(world, request)?;
    let id = request.params.integer("message_id");
    let pinned = world.log_mut(conversation).map(|log| &mut log.pinned);
    let is_unpinned = pinned.is_some_and(|pinned| match id {
        Some(id) => pinned.remove(&id),
        None => pinned.pop_last().is_some(),
    });
    if is_unpinned {
        Ok(json!(true))
    } else {
        Err(Refusal::bad_request("message to unpin not found"))
    }
}

/// A conversation in which the bot may pin: in private each may.
fn conversation(world: &TelegramState, request: &Request<'_>) -> Result<Conversation, Refusal> {
    if request.params.0.contains_key("business_connection_id") {
        let what = "simulator: not simulated: business_connection_id";
        return Err(Refusal::bad_request(what));
    }
    let conversation = world.writable(request.bot_id, &request.chat_id(), request.now_ms)?;
    let may = match conversation {
        Conversation::Private { .. } => true,
        Conversation::Chat { chat_id } => world
            .chats
            .get(&chat_id)
            .and_then(|chat| chat.rights(request.bot_id))
            .is_some_and(|rights| rights.can_pin_messages),
    };
    if may {
        Ok(conversation)
    } else {
        let what = "not enough rights to manage pinned messages in the chat";
        Err(Refusal::bad_request(what))
    }
}
