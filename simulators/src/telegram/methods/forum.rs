//! Topics of a forum: create, edit, close, reopen, delete.

use serde_json::{Value, json};

use super::Request;
use crate::telegram::conversation::{Conversation, Draft};
use crate::telegram::member::User;
use crate::telegram::refusal::Refusal;
use crate::telegram::state::TelegramState;
use crate::telegram::topic::Topic;

const LONGEST_NAME: usize = 128;
const COLORS: [i64; 6] = [
    7_322_096, 16_766_590, 13_338_331, 9_367_192, 16_749_490, 16_478_047,
];

/// Not idempotent: each call begins a topic.
pub(super) fn create(world: &mut TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    let chat_id = managed(world, request)?;
    let name = name(request)?.ok_or_else(|| Refusal::bad_request("TOPIC_TITLE_EMPTY"))?;
    let [first_color, ..] = COLORS;
    let icon_color = request.params.integer("icon_color").unwrap_or(first_color);
    if !COLORS.contains(&icon_color) {
        return Err(Refusal::bad_request("TOPIC_ICON_COLOR_INVALID"));
    }
    let topic = Topic {
        name: name.clone(),
        icon_color,
        is_closed: false,
    };
    let bot = bot(world, request)?;
    let thread_id = world
        .begin_topic(chat_id, bot, topic, request.now_ms)
        .ok_or_else(not_a_forum)?;
    Ok(json!({"message_thread_id": thread_id, "name": name, "icon_color": icon_color}))
}

pub(super) fn edit(world: &mut TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    let chat_id = managed(world, request)?;
    let thread_id = thread_id(request);
    let name = name(request)?;
    let bot = bot(world, request)?;
    let topics = world
        .chats
        .get_mut(&chat_id)
        .and_then(|chat| chat.topics.as_mut());
    let topic = topics
        .and_then(|topics| topics.get_mut(&thread_id))
        .ok_or_else(|| Refusal::bad_request("TOPIC_ID_INVALID"))?;
    let Some(name) = name.filter(|name| *name != topic.name) else {
        return Err(Refusal::bad_request("TOPIC_NOT_MODIFIED"));
    };
    topic.name.clone_from(&name);
    let mut draft = Draft::service(bot, "forum_topic_edited", json!({"name": name}));
    draft.thread_id = Some(thread_id);
    world.say(Conversation::chat(chat_id), draft, request.now_ms);
    Ok(json!(true))
}

pub(super) fn close(world: &mut TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    set_closed(world, request, true)
}

pub(super) fn reopen(world: &mut TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    set_closed(world, request, false)
}

fn set_closed(
    world: &mut TelegramState,
    request: &Request<'_>,
    is_closed: bool,
) -> Result<Value, Refusal> {
    let chat_id = managed(world, request)?;
    let bot = bot(world, request)?;
    world.set_topic_closed(chat_id, thread_id(request), bot, is_closed, request.now_ms)?;
    Ok(json!(true))
}

/// It takes the right to delete messages.
pub(super) fn delete(world: &mut TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    let chat = world.chat_for(request.bot_id, &request.chat_id(), request.now_ms)?;
    let chat_id = chat.id;
    let rights = chat.rights(request.bot_id);
    if chat.topics.is_none() {
        return Err(not_a_forum());
    }
    if !rights.is_some_and(|rights| rights.can_delete_messages) {
        return Err(Refusal::bad_request("not enough rights to delete a topic"));
    }
    if world.delete_topic(chat_id, thread_id(request)) {
        Ok(json!(true))
    } else {
        Err(Refusal::bad_request("TOPIC_ID_INVALID"))
    }
}

/// A forum in which the bot may manage topics.
fn managed(world: &TelegramState, request: &Request<'_>) -> Result<i64, Refusal> {
    if request.params.0.contains_key("icon_custom_emoji_id") {
        let what = "simulator: not simulated: icon_custom_emoji_id";
        return Err(Refusal::bad_request(what));
    }
    if request.chat_id().as_i64().is_some_and(|id| id > 0) {
        return Err(not_a_forum());
    }
    let chat = world.chat_for(request.bot_id, &request.chat_id(), request.now_ms)?;
    if chat.topics.is_none() {
        return Err(not_a_forum());
    }
    match chat.rights(request.bot_id) {
        Some(rights) if rights.can_manage_topics => Ok(chat.id),
        _ => Err(Refusal::bad_request("not enough rights to create a topic")),
    }
}

fn not_a_forum() -> Refusal {
    Refusal::bad_request("the chat is not a forum")
}

fn thread_id(request: &Request<'_>) -> i64 {
    let thread_id = request.params.integer("message_thread_id");
    thread_id.unwrap_or_default()
}

/// A name of 1 to 128 characters; none if it is absent or empty.
fn name(request: &Request<'_>) -> Result<Option<String>, Refusal> {
    let name = request.params.text("name").unwrap_or_default().trim();
    if name.chars().count() > LONGEST_NAME {
        return Err(Refusal::bad_request("TOPIC_TITLE_TOO_LONG"));
    }
    Ok((!name.is_empty()).then(|| name.to_owned()))
}

fn bot(world: &TelegramState, request: &Request<'_>) -> Result<User, Refusal> {
    let bot = world.bots.get(&request.bot_id).map(|bot| bot.user.clone());
    bot.ok_or_else(Refusal::unauthorized)
}
