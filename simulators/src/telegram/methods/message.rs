//! Messages: send, edit, delete, and the answers to pressed buttons.

use serde_json::{Value, json};

use super::Request;
use crate::telegram::conversation::{ChatMessage, Conversation, Draft};
use crate::telegram::entities::{Entity, Formatted, parse_html};
use crate::telegram::keyboard;
use crate::telegram::member::User;
use crate::telegram::queries::{Asked, CallbackAnswer, too_old};
use crate::telegram::refusal::Refusal;
use crate::telegram::schema;
use crate::telegram::state::TelegramState;

const LONGEST_TEXT: usize = 4096;
/// The longest caption, in UTF-16 units.
pub(super) const LONGEST_CAPTION: usize = 1024;
const LONGEST_ANSWER: usize = 200;
const MOST_DELETED: usize = 100;
const DELETABLE_SECONDS: i64 = 48 * 3600;
/// The topic that every forum has.
const GENERAL: i64 = 1;
const NOT_MODIFIED: &str = "message is not modified: specified new message content and reply markup are exactly the \
same as a current content and reply markup of the message";
/// Parameters that change what is sent, and are not simulated: refused, so that none is dropped in silence.
const NOT_SIMULATED: [&str; 6] = [
    "business_connection_id",
    "direct_messages_topic_id",
    "allow_paid_broadcast",
    "message_effect_id",
    "suggested_post_parameters",
    "inline_message_id",
];
const ACTIONS: [&str; 11] = [
    "typing",
    "upload_photo",
    "record_video",
    "upload_video",
    "record_voice",
    "upload_voice",
    "upload_document",
    "choose_sticker",
    "find_location",
    "record_video_note",
    "upload_video_note",
];

pub(super) fn send(world: &mut TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    simulated(request)?;
    let said = text(world, request)?;
    let conversation = world.writable(request.bot_id, &request.chat_id(), request.now_ms)?;
    let mut draft = draft(world, request, conversation, said)?;
    draft.keyboard = keyboard(request, conversation)?;
    let message = world.post(conversation, draft, request.now_ms);
    let message = message.ok_or_else(|| Refusal::bad_request("chat not found"))?;
    Ok(world.message_json(conversation, &message))
}

/// What a bot sends, with what all sending methods have in common.
pub(super) fn draft(
    world: &TelegramState,
    request: &Request<'_>,
    conversation: Conversation,
    said: Formatted,
) -> Result<Draft, Refusal> {
    let bot = bot(world, request)?;
    let mut draft = Draft::new(bot.clone(), said);
    draft.thread_id = thread(world, request, conversation)?;
    draft.is_protected = request.params.flag("protect_content");
    draft.is_silent = request.params.flag("disable_notification");
    draft.reply_to = reply_to(world, request, conversation)?;
    Ok(draft)
}

/// The topic that the call names. General is none.
fn thread(
    world: &TelegramState,
    request: &Request<'_>,
    conversation: Conversation,
) -> Result<Option<i64>, Refusal> {
    let thread_id = request.params.integer("message_thread_id");
    let Some(thread_id) = thread_id.filter(|id| *id != 0) else {
        return Ok(None);
    };
    let chat_id = conversation.chat_id();
    let chat = world.chats.get(&chat_id);
    if thread_id == GENERAL && chat.is_some_and(|chat| chat.topics.is_some()) {
        return Ok(None);
    }
    let topic = world.topic(chat_id, thread_id);
    let topic = topic.ok_or_else(|| Refusal::bad_request("message thread not found"))?;
    let rights = chat.and_then(|chat| chat.rights(request.bot_id));
    if topic.is_closed && !rights.is_some_and(|rights| rights.can_manage_topics) {
        return Err(Refusal::bad_request("TOPIC_CLOSED"));
    }
    Ok(Some(thread_id))
}

fn reply_to(
    world: &TelegramState,
    request: &Request<'_>,
    conversation: Conversation,
) -> Result<Option<i64>, Refusal> {
    let Some(reply) = request.params.0.get("reply_parameters") else {
        return Ok(None);
    };
    if let Some(field) = schema::unknown_field("ReplyParameters", reply) {
        return Err(not_simulated(&format!("reply_parameters.{field}")));
    }
    if !reply["chat_id"].is_null() || !reply["quote"].is_null() {
        return Err(not_simulated("a reply to another chat or to a quote"));
    }
    let id = reply["message_id"].as_i64().unwrap_or_default();
    if world
        .log(conversation)
        .and_then(|log| log.get(id))
        .is_some()
    {
        return Ok(Some(id));
    }
    if reply["allow_sending_without_reply"] == json!(true) {
        return Ok(None);
    }
    Err(Refusal::bad_request("message to be replied not found"))
}

pub(super) fn edit_text(
    world: &mut TelegramState,
    request: &Request<'_>,
) -> Result<Value, Refusal> {
    simulated(request)?;
    if request.params.0.contains_key("rich_message") {
        return Err(not_simulated("rich_message"));
    }
    let said = text(world, request)?;
    edit(world, request, Some(said))
}

/// Of what has a caption alone.
pub(super) fn edit_caption(
    world: &mut TelegramState,
    request: &Request<'_>,
) -> Result<Value, Refusal> {
    simulated(request)?;
    let said = formatted(world, request, "caption")?;
    if said.units() > LONGEST_CAPTION {
        return Err(Refusal::bad_request("message caption is too long"));
    }
    let conversation = world.writable(request.bot_id, &request.chat_id(), request.now_ms)?;
    let message = message_mut(world, request, conversation)
        .ok_or_else(|| Refusal::bad_request("message to edit not found"))?;
    if !message.is_from(request.bot_id) || !message.is_media() {
        return Err(Refusal::bad_request("message can't be edited"));
    }
    if message.draft.said == said {
        return Err(Refusal::bad_request(NOT_MODIFIED));
    }
    message.edit(said, request.now_ms);
    let message = message.clone();
    Ok(world.message_json(conversation, &message))
}

pub(super) fn edit_keyboard(
    world: &mut TelegramState,
    request: &Request<'_>,
) -> Result<Value, Refusal> {
    simulated(request)?;
    edit(world, request, None)
}

/// Without a keyboard, the one that was there is taken away.
fn edit(
    world: &mut TelegramState,
    request: &Request<'_>,
    said: Option<Formatted>,
) -> Result<Value, Refusal> {
    let conversation = world.writable(request.bot_id, &request.chat_id(), request.now_ms)?;
    let keyboard = keyboard(request, conversation)?;
    let message = message_mut(world, request, conversation)
        .ok_or_else(|| Refusal::bad_request("message to edit not found"))?;
    let is_text = !message.is_service() && (said.is_none() || !message.is_media());
    if !message.is_from(request.bot_id) || !is_text {
        return Err(Refusal::bad_request("message can't be edited"));
    }
    let said = said.unwrap_or_else(|| message.draft.said.clone());
    if message.draft.said == said && message.draft.keyboard == keyboard {
        return Err(Refusal::bad_request(NOT_MODIFIED));
    }
    message.draft.keyboard = keyboard;
    message.edit(said, request.now_ms);
    let message = message.clone();
    Ok(world.message_json(conversation, &message))
}

pub(super) fn delete(world: &mut TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    let conversation = world.writable(request.bot_id, &request.chat_id(), request.now_ms)?;
    let id = request.params.integer("message_id").unwrap_or_default();
    delete_one(world, request, conversation, id)?;
    Ok(json!(true))
}

/// Messages that are not there are passed over.
pub(super) fn delete_many(
    world: &mut TelegramState,
    request: &Request<'_>,
) -> Result<Value, Refusal> {
    let conversation = world.writable(request.bot_id, &request.chat_id(), request.now_ms)?;
    let ids = request.params.integers("message_ids");
    if ids.is_empty() || ids.len() > MOST_DELETED {
        return Err(Refusal::bad_request(
            "too many message identifiers specified",
        ));
    }
    for id in ids {
        let exists = world
            .log(conversation)
            .is_some_and(|log| log.get(id).is_some());
        if exists {
            delete_one(world, request, conversation, id)?;
        }
    }
    Ok(json!(true))
}

fn delete_one(
    world: &mut TelegramState,
    request: &Request<'_>,
    conversation: Conversation,
    id: i64,
) -> Result<(), Refusal> {
    let may_any = match conversation {
        Conversation::Private { .. } => true,
        Conversation::Chat { chat_id } => world
            .chats
            .get(&chat_id)
            .and_then(|chat| chat.rights(request.bot_id))
            .is_some_and(|rights| rights.can_delete_messages),
    };
    let message = world.log_mut(conversation).and_then(|log| log.get_mut(id));
    let message = message.ok_or_else(|| Refusal::bad_request("message to delete not found"))?;
    let age = request.now_ms / 1000 - message.date;
    let is_admin_of_chat = may_any && matches!(conversation, Conversation::Chat { .. });
    if !may_any && !message.is_from(request.bot_id) || age > DELETABLE_SECONDS && !is_admin_of_chat
    {
        return Err(Refusal::bad_request(
            "message can't be deleted for everyone",
        ));
    }
    message.is_deleted = true;
    Ok(())
}

pub(super) fn answer_callback(
    world: &mut TelegramState,
    request: &Request<'_>,
) -> Result<Value, Refusal> {
    let text = request.params.text("text").filter(|text| !text.is_empty());
    if text.is_some_and(|text| text.chars().count() > LONGEST_ANSWER) {
        return Err(Refusal::bad_request("MESSAGE_TOO_LONG"));
    }
    let id = request.params.text("callback_query_id").unwrap_or_default();
    let asked = world
        .queries
        .answerable(request.bot_id, id, request.now_ms)?;
    let Asked::Button(shown) = asked else {
        return Err(too_old());
    };
    // The person is shown the first answer only.
    shown.get_or_insert_with(|| CallbackAnswer {
        text: text.map(str::to_owned),
        is_alert: request.params.flag("show_alert"),
        url: request.params.text("url").map(str::to_owned),
    });
    Ok(json!(true))
}

/// It is shown for five seconds, so it is not kept: the journal has the call.
pub(super) fn action(world: &TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    world.writable(request.bot_id, &request.chat_id(), request.now_ms)?;
    let action = request.params.text("action").unwrap_or_default();
    if ACTIONS.contains(&action) {
        Ok(json!(true))
    } else {
        Err(Refusal::bad_request("wrong parameter action in request"))
    }
}

pub(super) fn simulated(request: &Request<'_>) -> Result<(), Refusal> {
    let given = NOT_SIMULATED
        .iter()
        .find(|name| request.params.0.contains_key(**name));
    given.map_or(Ok(()), |name| Err(not_simulated(name)))
}

fn not_simulated(what: &str) -> Refusal {
    Refusal::bad_request(format!("simulator: not simulated: {what}"))
}

pub(super) fn bot<'a>(
    world: &'a TelegramState,
    request: &Request<'_>,
) -> Result<&'a User, Refusal> {
    let bot = world.bots.get(&request.bot_id).map(|bot| &bot.user);
    bot.ok_or_else(Refusal::unauthorized)
}

pub(super) fn keyboard(
    request: &Request<'_>,
    conversation: Conversation,
) -> Result<Option<Value>, Refusal> {
    let is_private = matches!(conversation, Conversation::Private { .. });
    keyboard::inline(request.params.0.get("reply_markup"), is_private)
}

fn message_mut<'a>(
    world: &'a mut TelegramState,
    request: &Request<'_>,
    conversation: Conversation,
) -> Option<&'a mut ChatMessage> {
    let id = request.params.integer("message_id").unwrap_or_default();
    world.log_mut(conversation)?.get_mut(id)
}

/// The text after its entities are parsed, of a length that Telegram takes.
fn text(world: &TelegramState, request: &Request<'_>) -> Result<Formatted, Refusal> {
    let said = formatted(world, request, "text")?;
    match said.units() {
        0 => Err(Refusal::bad_request("message text is empty")),
        1..=LONGEST_TEXT => Ok(said),
        _ => Err(Refusal::bad_request("message is too long")),
    }
}

/// The parameter of that name after its entities are parsed.
pub(super) fn formatted(
    world: &TelegramState,
    request: &Request<'_>,
    name: &str,
) -> Result<Formatted, Refusal> {
    let list = match name {
        "caption" => "caption_entities",
        _ => "entities",
    };
    let entities = request.params.0.get(list);
    let given = request.params.text(name).unwrap_or_default();
    let mode = request.params.text("parse_mode").unwrap_or_default();
    let said = match mode.to_ascii_lowercase().as_str() {
        "" => match entities {
            Some(list) => Formatted::given(given, list)
                .map_err(|what| Refusal::bad_request(format!("can't parse entities: {what}")))?,
            None => Formatted::plain(given),
        },
        "html" => parse_html(given)
            .map_err(|what| Refusal::bad_request(format!("can't parse entities: {what}")))?,
        "markdown" | "markdownv2" => return Err(not_simulated(&format!("parse_mode {mode}"))),
        _ => return Err(Refusal::bad_request("unsupported parse_mode")),
    };
    Ok(with_mentions(world, request.bot_id, said))
}

/// A link `tg://user?id=` mentions a user that the bot has met; of anybody else it is plain text.
fn with_mentions(world: &TelegramState, bot_id: i64, mut said: Formatted) -> Formatted {
    let mentioned = |entity: &Entity| {
        let (_, link) = entity.detail.as_ref()?;
        let id = link.as_str()?.strip_prefix("tg://user?id=")?;
        id.parse::<i64>().ok()
    };
    said.entities.retain_mut(|entity| {
        let Some(id) = mentioned(entity) else {
            return true;
        };
        let user = world
            .user(id)
            .filter(|_| world.seen.contains(&(bot_id, id)));
        if let Some(user) = user {
            "text_mention".clone_into(&mut entity.kind);
            entity.detail = Some(("user", user.json()));
        }
        user.is_some()
    });
    said
}
