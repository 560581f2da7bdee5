//! Copies of messages, which don't say where they come from.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::Request;
use super::message::{LONGEST_CAPTION, draft, formatted, keyboard, simulated};
use crate::telegram::conversation::{ChatMessage, Conversation};
use crate::telegram::entities::Formatted;
use crate::telegram::media::new_album;
use crate::telegram::refusal::Refusal;
use crate::telegram::state::TelegramState;

const MOST_COPIED: usize = 100;

pub(super) fn one(world: &mut TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    simulated(request)?;
    let to = world.writable(request.bot_id, &request.chat_id(), request.now_ms)?;
    let id = request.params.integer("message_id").unwrap_or_default();
    let message = original(world, request, id)?
        .ok_or_else(|| Refusal::bad_request("message to copy not found"))?;
    if !is_copyable(&message) {
        return Err(Refusal::bad_request("message can't be copied"));
    }
    let mut said = message.draft.said.clone();
    if message.is_media() && request.params.0.contains_key("caption") {
        said = formatted(world, request, "caption")?;
        if said.units() > LONGEST_CAPTION {
            return Err(Refusal::bad_request("message caption is too long"));
        }
    }
    let mut copy = draft(world, request, to, said)?;
    copy.keyboard = keyboard(request, to)?;
    copy.more.clone_from(&message.draft.more);
    let copy = world.post(to, copy, request.now_ms);
    let copy = copy.ok_or_else(|| Refusal::bad_request("chat not found"))?;
    Ok(json!({"message_id": copy.id}))
}

/// Those that are not there or can't be copied are passed over; albums stay albums.
pub(super) fn many(world: &mut TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    simulated(request)?;
    let to = world.writable(request.bot_id, &request.chat_id(), request.now_ms)?;
    let ids = request.params.integers("message_ids");
    if ids.len() > MOST_COPIED {
        return Err(Refusal::bad_request(
            "too many message identifiers specified",
        ));
    }
    if ids.is_empty() || !ids.is_sorted_by(|one, next| one < next) {
        let what = "message identifiers must be in a strictly increasing order";
        return Err(Refusal::bad_request(what));
    }
    let mut originals = Vec::new();
    for id in ids {
        let message = original(world, request, id)?;
        originals.extend(message.filter(is_copyable));
    }
    if originals.is_empty() {
        return Err(Refusal::bad_request("there are no messages to copy"));
    }
    let mut albums = HashMap::new();
    let mut copies = Vec::new();
    for message in originals {
        let mut said = message.draft.said.clone();
        if message.is_media() && request.params.flag("remove_caption") {
            said = Formatted::default();
        }
        let mut copy = draft(world, request, to, said)?;
        copy.more.clone_from(&message.draft.more);
        let album = message.draft.album.clone();
        copy.album = album.map(|album| albums.entry(album).or_insert_with(new_album).clone());
        let copy = world.post(to, copy, request.now_ms);
        copies.extend(copy.map(|copy| json!({"message_id": copy.id})));
    }
    Ok(Value::Array(copies))
}

/// Not what tells of something that happened, and nothing that is protected.
fn is_copyable(message: &ChatMessage) -> bool {
    !message.is_service() && !message.draft.is_protected
}

fn original(
    world: &TelegramState,
    request: &Request<'_>,
    id: i64,
) -> Result<Option<ChatMessage>, Refusal> {
    let from = request.params.0.get("from_chat_id");
    let from = from.cloned().unwrap_or_default();
    let conversation = match from.as_i64().filter(|id| *id > 0) {
        // A chat that the person has blocked since may be read still.
        Some(user_id) if world.seen.contains(&(request.bot_id, user_id)) => {
            Conversation::private(request.bot_id, user_id)
        }
        Some(_) => return Err(Refusal::bad_request("chat not found")),
        None => Conversation::chat(world.chat_for(request.bot_id, &from, request.now_ms)?.id),
    };
    Ok(world.log(conversation).and_then(|log| log.get(id)).cloned())
}
