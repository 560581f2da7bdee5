//! What a bot shows of itself: commands, descriptions, the menu button.

use serde_json::{Value, json};

use super::Request;
use crate::telegram::profile::BotProfile;
use crate::telegram::refusal::Refusal;
use crate::telegram::state::TelegramState;

const MOST_COMMANDS: usize = 100;
const LONGEST_COMMAND: usize = 32;
const LONGEST_COMMAND_DESCRIPTION: usize = 256;
const LONGEST_DESCRIPTION: usize = 512;
const LONGEST_SHORT_DESCRIPTION: usize = 120;

/// No commands are the same as deleted ones.
pub(super) fn set_commands(
    world: &mut TelegramState,
    request: &Request<'_>,
) -> Result<Value, Refusal> {
    let key = (scope(world, request)?, language(request)?);
    let commands = request.params.0.get("commands").and_then(Value::as_array);
    let commands = commands.cloned().unwrap_or_default();
    if commands.len() > MOST_COMMANDS {
        return Err(Refusal::bad_request(
            "there can be at most 100 bot commands",
        ));
    }
    commands.iter().try_for_each(check_command)?;
    let profile = profile(world, request)?;
    if commands.is_empty() {
        profile.commands.remove(&key);
    } else {
        profile.commands.insert(key, commands);
    }
    Ok(json!(true))
}

fn check_command(command: &Value) -> Result<(), Refusal> {
    let text = |name: &str| command[name].as_str().unwrap_or_default().to_owned();
    let name = text("command");
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !(1..=LONGEST_COMMAND).contains(&name.len()) || !name.bytes().all(is_allowed) {
        return Err(Refusal::bad_request("BOT_COMMAND_INVALID"));
    }
    let length = text("description").chars().count();
    if !(1..=LONGEST_COMMAND_DESCRIPTION).contains(&length) {
        return Err(Refusal::bad_request("BOT_COMMAND_DESCRIPTION_INVALID"));
    }
    Ok(())
}

pub(super) fn delete_commands(
    world: &mut TelegramState,
    request: &Request<'_>,
) -> Result<Value, Refusal> {
    let key = (scope(world, request)?, language(request)?);
    profile(world, request)?.commands.remove(&key);
    Ok(json!(true))
}

/// Those of exactly this scope and language: no other stands in.
pub(super) fn get_commands(
    world: &mut TelegramState,
    request: &Request<'_>,
) -> Result<Value, Refusal> {
    let key = (scope(world, request)?, language(request)?);
    let commands = profile(world, request)?.commands.get(&key);
    Ok(json!(commands.cloned().unwrap_or_default()))
}

pub(super) fn set_description(
    world: &mut TelegramState,
    request: &Request<'_>,
) -> Result<Value, Refusal> {
    let (language, text) = (
        language(request)?,
        described(request, "description", LONGEST_DESCRIPTION)?,
    );
    profile(world, request)?.descriptions.insert(language, text);
    Ok(json!(true))
}

pub(super) fn get_description(
    world: &mut TelegramState,
    request: &Request<'_>,
) -> Result<Value, Refusal> {
    let language = language(request)?;
    let text = BotProfile::text(&profile(world, request)?.descriptions, &language);
    Ok(json!({"description": text}))
}

pub(super) fn set_short_description(
    world: &mut TelegramState,
    request: &Request<'_>,
) -> Result<Value, Refusal> {
    let language = language(request)?;
    let text = described(request, "short_description", LONGEST_SHORT_DESCRIPTION)?;
    let profile = profile(world, request)?;
    profile.short_descriptions.insert(language, text);
    Ok(json!(true))
}

pub(super) fn get_short_description(
    world: &mut TelegramState,
    request: &Request<'_>,
) -> Result<Value, Refusal> {
    let language = language(request)?;
    let text = BotProfile::text(&profile(world, request)?.short_descriptions, &language);
    Ok(json!({"short_description": text}))
}

fn described(request: &Request<'_>, name: &str, longest: usize) -> Result<String, Refusal> {
    let text = request.params.text(name).unwrap_or_default();
    if text.chars().count() > longest {
        return Err(Refusal::bad_request(format!("{name} is too long")));
    }
    Ok(text.to_owned())
}

pub(super) fn set_menu_button(
    world: &mut TelegramState,
    request: &Request<'_>,
) -> Result<Value, Refusal> {
    let chat_id = menu_chat(world, request)?;
    let default = json!({"type": "default"});
    let button = request
        .params
        .0
        .get("menu_button")
        .unwrap_or(&default)
        .clone();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match text(&button["type"]).as_str() {
        "default" | "commands" => {}
        "web_app" if text(&button["text"]).is_empty() => {
            return Err(Refusal::bad_request("BUTTON_TEXT_INVALID"));
        }
        "web_app" if !text(&button["web_app"]["url"]).starts_with("https://") => {
            return Err(Refusal::bad_request("BUTTON_URL_INVALID"));
        }
        "web_app" => {}
        _ => return Err(Refusal::bad_request("MenuButton has unsupported type")),
    }
    profile(world, request)?
        .menu_buttons
        .insert(chat_id, button);
    Ok(json!(true))
}

/// That of the person, else the one for all.
pub(super) fn get_menu_button(
    world: &mut TelegramState,
    request: &Request<'_>,
) -> Result<Value, Refusal> {
    let chat_id = menu_chat(world, request)?;
    let buttons = &profile(world, request)?.menu_buttons;
    let button = buttons.get(&chat_id).or_else(|| buttons.get(&None));
    Ok(button
        .cloned()
        .unwrap_or_else(|| json!({"type": "default"})))
}

fn menu_chat(world: &TelegramState, request: &Request<'_>) -> Result<Option<i64>, Refusal> {
    let chat_id = request.params.integer("chat_id").filter(|id| *id != 0);
    match chat_id {
        Some(id) if !world.seen.contains(&(request.bot_id, id)) => {
            Err(Refusal::bad_request("chat not found"))
        }
        other => Ok(other),
    }
}

/// A scope as one word. Those that name a chat need one that the bot knows.
fn scope(world: &TelegramState, request: &Request<'_>) -> Result<String, Refusal> {
    let Some(scope) = request.params.0.get("scope") else {
        return Ok("default".to_owned());
    };
    let kind = scope["type"].as_str().unwrap_or_default();
    let chat_id = &scope["chat_id"];
    match kind {
        "default" | "all_private_chats" | "all_group_chats" | "all_chat_administrators" => {
            Ok(kind.to_owned())
        }
        "chat" | "chat_administrators" | "chat_member" => {
            let person = chat_id.as_i64().filter(|id| *id > 0);
            let id = match person {
                Some(id) if kind == "chat" && world.seen.contains(&(request.bot_id, id)) => id,
                Some(_) => return Err(Refusal::bad_request("chat not found")),
                None => world.chat_for(request.bot_id, chat_id, request.now_ms)?.id,
            };
            let user_id = match (kind, scope["user_id"].as_i64()) {
                ("chat_member", None) => {
                    return Err(Refusal::bad_request("invalid user_id specified"));
                }
                ("chat_member", Some(user_id)) => user_id,
                _ => 0,
            };
            Ok(format!("{kind}:{id}:{user_id}"))
        }
        _ => Err(Refusal::bad_request(
            "can't parse BotCommandScope: Unsupported type specified",
        )),
    }
}

fn language(request: &Request<'_>) -> Result<String, Refusal> {
    let code = request.params.text("language_code").unwrap_or_default();
    let is_code = code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_lowercase());
    if code.is_empty() || is_code {
        Ok(code.to_owned())
    } else {
        Err(Refusal::bad_request("invalid language code specified"))
    }
}

fn profile<'a>(
    world: &'a mut TelegramState,
    request: &Request<'_>,
) -> Result<&'a mut BotProfile, Refusal> {
    let bot = world.bots.get_mut(&request.bot_id);
    bot.map(|bot| &mut bot.profile)
        .ok_or_else(Refusal::unauthorized)
}
