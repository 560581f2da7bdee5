//! Buttons below a message: what Telegram takes, and what it refuses.

use serde_json::{Value, json};

use super::entities::whole_url;
use super::refusal::Refusal;
use super::schema;

const LONGEST_DATA_BYTES: usize = 64;
const LONGEST_COPIED: usize = 256;
const MOST_BUTTONS: usize = 100;
/// A button has exactly one of these.
const ACTIONS: [&str; 10] = [
    "url",
    "callback_data",
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "copy_text",
    "callback_game",
    "pay",
];

/// The checked keyboard, or none if it has no buttons.
pub(crate) fn inline(markup: Option<&Value>, is_private: bool) -> Result<Option<Value>, Refusal> {
    let Some(markup) = markup else {
        return Ok(None);
    };
    let Some(rows) = markup["inline_keyboard"].as_array() else {
        return Err(simulator("only inline keyboards are simulated"));
    };
    if let Some(field) = schema::unknown_field("InlineKeyboardMarkup", markup) {
        return Err(simulator(&format!("unknown field {field} of a keyboard")));
    }
    let mut buttons = Vec::new();
    for row in rows {
        let row = row.as_array().ok_or_else(|| {
            Refusal::bad_request("can't parse inline keyboard: expected an Array of Arrays")
        })?;
        buttons.extend(row);
    }
    if buttons.len() > MOST_BUTTONS {
        return Err(Refusal::bad_request("REPLY_MARKUP_TOO_LONG"));
    }
    for (number, button) in buttons.iter().enumerate() {
        check(button, number == 0, is_private)?;
    }
    let rows: Vec<&Value> = rows
        .iter()
        .filter(|row| row.as_array().is_some_and(|row| !row.is_empty()))
        .collect();
    Ok((!rows.is_empty()).then(|| json!({"inline_keyboard": rows})))
}

fn check(button: &Value, is_first: bool, is_private: bool) -> Result<(), Refusal> {
    let unparsable =
        |what: &str| Refusal::bad_request(format!("can't parse inline keyboard button: {what}"));
    if let Some(field) = schema::unknown_field("InlineKeyboardButton", button) {
        return Err(simulator(&format!("unknown field {field} of a button")));
    }
    if button["text"].as_str().is_none_or(str::is_empty) {
        return Err(unparsable("Can't find field \"text\""));
    }
    let mut actions = ACTIONS.iter().filter(|name| !button[**name].is_null());
    let Some(action) = actions.next() else {
        return Err(unparsable(
            "Text buttons are unallowed in the inline keyboard",
        ));
    };
    if let Some(second) = actions.next() {
        return Err(simulator(&format!(
            "a button has both {action} and {second}"
        )));
    }
    if let Some(style) = button["style"].as_str()
        && !["danger", "success", "primary"].contains(&style)
    {
        return Err(simulator(&format!("unknown style {style} of a button")));
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let is_right = match *action {
        "callback_data" => {
            let length = text(&button["callback_data"]).len();
            if !(1..=LONGEST_DATA_BYTES).contains(&length) {
                return Err(Refusal::bad_request("BUTTON_DATA_INVALID"));
            }
            true
        }
        "url" => {
            let url = text(&button["url"]);
            if whole_url(&url).is_none() {
                let what = format!("inline keyboard button URL '{url}' is invalid: Wrong HTTP URL");
                return Err(Refusal::bad_request(what));
            }
            true
        }
        "copy_text" => {
            let length = text(&button["copy_text"]["text"]).chars().count();
            if !(1..=LONGEST_COPIED).contains(&length) {
                return Err(Refusal::bad_request("BUTTON_COPY_TEXT_INVALID"));
            }
            true
        }
        "web_app" => is_private && text(&button["web_app"]["url"]).starts_with("https://"),
        "pay" => is_first,
        _ => true,
    };
    if is_right {
        Ok(())
    } else {
        Err(Refusal::bad_request("BUTTON_TYPE_INVALID"))
    }
}

fn simulator(what: &str) -> Refusal {
    Refusal::bad_request(format!("simulator: {what}"))
}
