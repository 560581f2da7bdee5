//! The reaction of a bot to a message: one of a fixed list.

use serde_json::{Value, json};

use super::Request;
use crate::telegram::refusal::Refusal;
use crate::telegram::state::TelegramState;

/// The emoji of `ReactionTypeEmoji`.
const EMOJI: [&str; 73] = [
    "❤",
    "👍",
    "👎",
    "🔥",
    "🥰",
    "👏",
    "😁",
    "🤔",
    "🤯",
    "😱",
    "🤬",
    "😢",
    "🎉",
    "🤩",
    "🤮",
    "💩",
    "🙏",
    "👌",
    "🕊",
    "🤡",
    "🥱",
    "🥴",
    "😍",
    "🐳",
    "❤\u{200d}🔥",
    "🌚",
    "🌭",
    "💯",
    "🤣",
    "⚡",
    "🍌",
    "🏆",
    "💔",
    "🤨",
    "😐",
    "🍓",
    "🍾",
    "💋",
    "🖕",
    "😈",
    "😴",
    "😭",
    "🤓",
    "👻",
    "👨\u{200d}💻",
    "👀",
    "🎃",
    "🙈",
    "😇",
    "😨",
    "🤝",
    "✍",
    "🤗",
    "🫡",
    "🎅",
    "🎄",
    "☃",
    "💅",
    "🤪",
    "🗿",
    "🆒",
    "💘",
    "🙉",
    "🦄",
    "😘",
    "💊",
    "🙊",
    "😎",
    "👾",
    "🤷\u{200d}♂",
    "🤷",
    "🤷\u{200d}♀",
    "😡",
];

/// A bot has one reaction at most; an empty list takes it back.
pub(super) fn set(world: &mut TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    let conversation = world.writable(request.bot_id, &request.chat_id(), request.now_ms)?;
    let reactions = request.params.0.get("reaction").and_then(Value::as_array);
    let reactions = reactions.cloned().unwrap_or_default();
    if reactions.len() > 1 {
        return Err(Refusal::bad_request("REACTIONS_TOO_MANY"));
    }
    let emoji = match reactions.first() {
        None => None,
        Some(reaction) => {
            let emoji = reaction["emoji"].as_str().unwrap_or_default();
            if reaction["type"] != "emoji" || !EMOJI.contains(&emoji) {
                return Err(Refusal::bad_request("REACTION_INVALID"));
            }
            Some(emoji.to_owned())
        }
    };
    let id = request.params.integer("message_id").unwrap_or_default();
    let message = world.log_mut(conversation).and_then(|log| log.get_mut(id));
    let message = message.ok_or_else(|| Refusal::bad_request("message to react not found"))?;
    message.reactions.remove(&request.bot_id);
    message
        .reactions
        .extend(emoji.map(|emoji| (request.bot_id, emoji)));
    Ok(json!(true))
}
