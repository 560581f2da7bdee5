//! What of a call's parameters is passed on to Telegram, and what the call is about.
//!
//! Only the parameters of the official list pass. Those that would spend Stars, speak for others or name another chat are
//! refused aloud, since leaving them out would change what the call does. Whatever has a structure is written anew, as it was
//! understood here: a second reading of the same text might find another button in it.

use serde_json::{Map, Value};

use super::super::button::OUR_MARK;
use super::super::id::ChatId;
use super::MethodRule;

/// Parameters that are refused in every method, unless they are empty or false.
const REFUSED: [&str; 4] = [
    "allow_paid_broadcast",
    "business_connection_id",
    "suggested_post_parameters",
    "inline_message_id",
];
/// Parameters that are read here; as text they are JSON.
const STRUCTURED: [&str; 3] = ["reply_markup", "reply_parameters", "rich_message"];
/// How many levels of lists and objects a parameter has at most: what is stored of a call must be read again, and there it stands
/// within others.
const LEVELS_MAX: usize = 64;
/// The most messages that a call names (Bot API, `deleteMessages`).
const MESSAGES_MAX: usize = 100;

/// Why a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassRefusal {
    /// It has a parameter that no actor may use.
    Parameter(&'static str),
    /// A button has data that begins as our own buttons' do.
    OwnButton,
    /// It answers a message of another chat.
    ReplyElsewhere,
    /// A parameter can't be read.
    Malformed(&'static str),
    /// A parameter has more levels than anything that Telegram reads.
    TooDeep(&'static str),
    /// A chat is not named by its numeric id.
    ChatId,
    /// No chat is named.
    NoChat,
    /// No message is named, or too many are.
    MessageIds,
}

impl PassRefusal {
    /// The error code of the answer, which is its HTTP status as well.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Parameter(_) | Self::OwnButton | Self::ReplyElsewhere => 403,
            Self::Malformed(_)
            | Self::TooDeep(_)
            | Self::ChatId
            | Self::NoChat
            | Self::MessageIds => 400,
        }
    }

    /// The description of the answer, worded as Telegram's are.
    #[must_use]
    pub fn description(self) -> String {
        match self {
            Self::Parameter(name) => format!("Forbidden: actors may not use {name}"),
            Self::OwnButton => "Forbidden: callback_data may not begin with ~".to_owned(),
            Self::ReplyElsewhere => "Forbidden: actors may reply in the same chat only".to_owned(),
            Self::Malformed(name) => format!("Bad Request: can't parse {name}"),
            Self::TooDeep(name) => {
                format!("Bad Request: {name} has more than {LEVELS_MAX} levels within one another")
            }
            Self::ChatId => "Bad Request: chats must be named by their numeric ids".to_owned(),
            Self::NoChat => "Bad Request: chat_id is empty".to_owned(),
            Self::MessageIds => "Bad Request: message identifier is not specified".to_owned(),
        }
    }
}

/// What is passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedCall {
    /// The parameters.
    pub parameters: Map<String, Value>,
    /// The chat that it is about, if it names one.
    pub chat: Option<ChatId>,
    /// The chat that it copies from, if it names one.
    pub from_chat: Option<ChatId>,
    /// The messages that it names.
    pub messages: Vec<i64>,
    /// How many messages it sends, at least 1.
    pub sends: u32,
}

impl PassedCall {
    /// The chat that the call must name.
    ///
    /// # Errors
    /// [`PassRefusal::NoChat`].
    pub fn named_chat(&self) -> Result<ChatId, PassRefusal> {
        self.chat.ok_or(PassRefusal::NoChat)
    }

    /// The messages of which the call must name at least one.
    ///
    /// # Errors
    /// [`PassRefusal::MessageIds`].
    pub fn named_messages(&self) -> Result<&[i64], PassRefusal> {
        match self.messages.len() {
            1..=MESSAGES_MAX => Ok(&self.messages),
            _ => Err(PassRefusal::MessageIds),
        }
    }
}

/// What is passed on of a call with these parameters.
///
/// # Errors
/// [`PassRefusal`].
pub fn pass(rule: &MethodRule, given: Map<String, Value>) -> Result<PassedCall, PassRefusal> {
    for name in REFUSED {
        if given.get(name).is_some_and(is_set) {
            return Err(PassRefusal::Parameter(name));
        }
    }
    let mut parameters = Map::new();
    for name in &rule.parameters {
        match given.get(*name) {
            None | Some(Value::Null) => {}
            Some(value) => {
                let value = match STRUCTURED.contains(name) {
                    true => structured(name, value)?,
                    false => Some(value.clone()),
                };
                if value
                    .as_ref()
                    .is_some_and(|value| is_deeper(value, LEVELS_MAX))
                {
                    return Err(PassRefusal::TooDeep(name));
                }
                parameters.extend(value.map(|value| ((*name).to_owned(), value)));
            }
        }
    }
    let chat = chat_of(&parameters, "chat_id")?;
    let from_chat = chat_of(&parameters, "from_chat_id")?;
    if parameters.get("reply_markup").is_some_and(has_own_button)
        || parameters.get("rich_message").is_some_and(has_own_button)
    {
        return Err(PassRefusal::OwnButton);
    }
    if let Some(other) = parameters
        .get("reply_parameters")
        .and_then(|reply| reply.get("chat_id"))
        && !(other.is_null() || number(other).is_some() && number(other) == chat.map(|chat| chat.0))
    {
        return Err(PassRefusal::ReplyElsewhere);
    }
    let messages = messages(&parameters)?;
    let sends = match rule.name {
        "copyMessages" => messages.len(),
        "sendMediaGroup" => album_size(&parameters),
        _ => 1,
    };
    Ok(PassedCall {
        parameters,
        chat,
        from_chat,
        messages,
        sends: u32::try_from(sends.clamp(1, MESSAGES_MAX)).unwrap_or(1),
    })
}

/// How many parts an album has; none if it can't be read, which Telegram refuses.
fn album_size(parameters: &Map<String, Value>) -> usize {
    let parsed = match parameters.get("media") {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
        Some(media) => media.clone(),
        None => Value::Null,
    };
    parsed.as_array().map_or(0, Vec::len)
}

fn chat_of(parameters: &Map<String, Value>, name: &str) -> Result<Option<ChatId>, PassRefusal> {
    match parameters.get(name) {
        None => Ok(None),
        Some(value) => {
            let id = number(value).filter(|id| *id != 0);
            id.map(|id| Some(ChatId(id))).ok_or(PassRefusal::ChatId)
        }
    }
}

/// A number, or a text that is one.
#[must_use]
pub fn number(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_i64(),
    }
}

/// Whether a parameter says anything.
fn is_set(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !matches!(
            text.trim().to_ascii_lowercase().as_str(),
            "" | "false" | "0" | "null" | "none"
        ),
        Value::Number(number) => number.as_i64() != Some(0),
        Value::Bool(true) | Value::Array(_) | Value::Object(_) => true,
    }
}

/// A parameter with a structure; nothing if it is empty.
fn structured(name: &'static str, value: &Value) -> Result<Option<Value>, PassRefusal> {
    let value = match value {
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::String(text) => {
            serde_json::from_str(text).map_err(|_| PassRefusal::Malformed(name))?
        }
        other => other.clone(),
    };
    match value {
        Value::Null => Ok(None),
        Value::Object(_) => Ok(Some(value)),
        _ => Err(PassRefusal::Malformed(name)),
    }
}

/// Whether a value has more levels of lists and objects than so many.
fn is_deeper(value: &Value, levels: usize) -> bool {
    let is_deeper_within = |value: &Value| is_deeper(value, levels - 1);
    match value {
        Value::Array(values) => levels == 0 || values.iter().any(is_deeper_within),
        Value::Object(fields) => levels == 0 || fields.values().any(is_deeper_within),
        _ => false,
    }
}

/// Whether any button within has data of our own form.
fn has_own_button(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.iter().any(has_own_button),
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            let is_own = name == "callback_data"
                && value
                    .as_str()
                    .is_some_and(|data| data.trim_start().starts_with(OUR_MARK));
            is_own || has_own_button(value)
        }),
        _ => false,
    }
}

fn messages(parameters: &Map<String, Value>) -> Result<Vec<i64>, PassRefusal> {
    if let Some(one) = parameters.get("message_id") {
        return number(one)
            .map(|id| vec![id])
            .ok_or(PassRefusal::MessageIds);
    }
    let Some(all) = parameters.get("message_ids") else {
        return Ok(Vec::new());
    };
    let parsed: Value = match all {
        Value::String(text) => {
            serde_json::from_str(text).map_err(|_| PassRefusal::Malformed("message_ids"))?
        }
        other => other.clone(),
    };
    let ids = parsed.as_array().map(|ids| ids.iter().map(number));
    let ids: Option<Vec<i64>> = ids.and_then(Iterator::collect);
    ids.ok_or(PassRefusal::Malformed("message_ids"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::method;
    use super::*;

    fn passed(name: &str, given: Value) -> Result<PassedCall, PassRefusal> {
        let Value::Object(given) = given else {
            panic!("{given}")
        };
        pass(method(name).unwrap(), given)
    }

    #[test]
    fn what_is_not_in_the_official_list_is_left_out() {
        let call = passed(
            "sendMessage",
            json!({"chat_id": "7", "text": "hi", "color": "red", "parse_mode": null, "disable_notification": true}),
        )
        .unwrap();
        let expected = json!({"chat_id": "7", "text": "hi", "disable_notification": true});
        assert_eq!(Value::Object(call.parameters), expected);
        assert_eq!(call.chat, Some(ChatId(7)));
    }

    #[test]
    fn what_spends_or_speaks_for_others_is_refused_aloud() {
        for (name, value) in [
            ("allow_paid_broadcast", json!(true)),
            ("allow_paid_broadcast", json!("true")),
            ("allow_paid_broadcast", json!("1")),
            ("business_connection_id", json!("b")),
            ("suggested_post_parameters", json!({})),
        ] {
            let call = passed(
                "sendMessage",
                json!({"chat_id": 7, "text": "x", name: value}),
            );
            assert_eq!(call.unwrap_err(), PassRefusal::Parameter(name));
        }
        for value in [
            json!(null),
            json!(false),
            json!(""),
            json!("False"),
            json!(0),
        ] {
            let given = json!({"chat_id": 7, "text": "x", "allow_paid_broadcast": value});
            let call = passed("sendMessage", given).unwrap();
            assert!(!call.parameters.contains_key("allow_paid_broadcast"));
        }
    }

    #[test]
    fn a_button_of_ours_is_refused_however_it_is_written() {
        let markup =
            |data: &str| json!({"inline_keyboard": [[{"text": "a", "callback_data": data}]]});
        for markup in [
            markup("~a:1:2"),
            markup(" ~a"),
            json!(markup("~a").to_string()),
            json!(r#"{"inline_keyboard":[[{"text":"a","callback_data":"\u007ea"}]]}"#),
        ] {
            let given = json!({"chat_id": 7, "text": "x", "reply_markup": markup});
            let refused = passed("sendMessage", given.clone()).unwrap_err();
            assert_eq!(refused, PassRefusal::OwnButton, "{given}");
        }
        // Of two of one name the last one counts, and it is written alone.
        let twice =
            r#"{"inline_keyboard":[[{"text":"a","callback_data":"~a","callback_data":"b"}]]}"#;
        let given = json!({"chat_id": 7, "text": "x", "reply_markup": twice});
        let call = passed("sendMessage", given).unwrap();
        assert!(!call.parameters["reply_markup"].to_string().contains('~'));
    }

    #[test]
    fn what_has_too_many_levels_is_refused_as_text_and_as_json() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        // The keyboard itself is one level.
        for (levels, is_taken) in [(10, true), (63, true), (64, false), (100, false)] {
            let text = format!(r#"{{"keyboard": {}}}"#, nested(levels));
            let parsed: Value = serde_json::from_str(&text).unwrap();
            for markup in [json!(text), parsed] {
                let given = json!({"chat_id": 7, "text": "x", "reply_markup": markup});
                let refusal = passed("sendMessage", given).err();
                let expected = (!is_taken).then_some(PassRefusal::TooDeep("reply_markup"));
                assert_eq!(refusal, expected, "{levels}");
            }
        }
        // What no parser reads is no text of a keyboard.
        let given = json!({"chat_id": 7, "text": "x", "reply_markup": nested(5000)});
        let refusal = passed("sendMessage", given).unwrap_err();
        assert_eq!(refusal, PassRefusal::Malformed("reply_markup"));
        assert_eq!(refusal.code(), 400);
        let refusal = PassRefusal::TooDeep("media");
        assert_eq!(refusal.code(), 400);
        assert!(
            refusal
                .description()
                .contains("media has more than 64 levels")
        );
    }

    #[test]
    fn a_reply_stays_in_its_chat() {
        let given = |reply: Value| json!({"chat_id": "7", "text": "x", "reply_parameters": reply});
        for reply in [
            json!({"message_id": 3}),
            json!({"message_id": 3, "chat_id": 7}),
            json!({"message_id": 3, "chat_id": "7"}),
            json!({"message_id": 3, "chat_id": null}),
            json!(r#"{"message_id": 3}"#),
            json!(""),
        ] {
            assert!(
                passed("sendMessage", given(reply.clone())).is_ok(),
                "{reply}"
            );
        }
        for reply in [
            json!({"message_id": 3, "chat_id": 8}),
            json!({"message_id": 3, "chat_id": "@chat"}),
            json!(r#"{"message_id": 3, "chat_id": -5}"#),
        ] {
            let refused = passed("sendMessage", given(reply.clone())).unwrap_err();
            assert_eq!(refused, PassRefusal::ReplyElsewhere, "{reply}");
        }
        for reply in [json!("{"), json!(7), json!([])] {
            let refused = passed("sendMessage", given(reply.clone())).unwrap_err();
            assert_eq!(
                refused,
                PassRefusal::Malformed("reply_parameters"),
                "{reply}"
            );
        }
    }

    #[test]
    fn a_chat_is_named_by_its_number() {
        for chat in [
            json!("@chat"),
            json!(""),
            json!(0),
            json!(1.5),
            json!({}),
            json!("7x"),
        ] {
            let refused = passed("sendMessage", json!({"chat_id": chat, "text": "x"}));
            assert_eq!(refused.unwrap_err(), PassRefusal::ChatId, "{chat}");
        }
        let none = passed("sendMessage", json!({"text": "x"})).unwrap();
        assert_eq!(none.named_chat(), Err(PassRefusal::NoChat));
        let copy = json!({"chat_id": 7, "from_chat_id": -5, "message_ids": "[1, 2]"});
        let copy = passed("copyMessages", copy).unwrap();
        assert_eq!(copy.from_chat, Some(ChatId(-5)));
        assert_eq!(copy.named_messages(), Ok(&[1, 2][..]));
    }

    #[test]
    fn the_messages_that_are_named_are_read() {
        let ids = |ids: Value| {
            let call = passed("deleteMessages", json!({"chat_id": 7, "message_ids": ids}));
            call.and_then(|call| call.named_messages().map(<[i64]>::to_vec))
        };
        assert_eq!(ids(json!([1, "2"])), Ok(vec![1, 2]));
        assert_eq!(ids(json!("[3]")), Ok(vec![3]));
        assert_eq!(ids(json!([])), Err(PassRefusal::MessageIds));
        assert_eq!(ids(json!(vec![1; 101])), Err(PassRefusal::MessageIds));
        assert_eq!(
            ids(json!("1,2")),
            Err(PassRefusal::Malformed("message_ids"))
        );
        let one = passed("deleteMessage", json!({"chat_id": 7, "message_id": "x"}));
        assert_eq!(one.unwrap_err(), PassRefusal::MessageIds);
    }

    #[test]
    fn as_many_messages_are_counted_as_are_sent() {
        let copy = |ids: Value| json!({"chat_id": 7, "from_chat_id": 7, "message_ids": ids});
        let album = |media: Value| json!({"chat_id": 7, "media": media});
        for (name, given, sends) in [
            ("sendMessage", json!({"chat_id": 7, "text": "x"}), 1),
            ("copyMessages", copy(json!([1, 2, 3])), 3),
            ("copyMessages", copy(json!("[1, 2]")), 2),
            ("sendMediaGroup", album(json!([{}, {}])), 2),
            ("sendMediaGroup", album(json!("[{}, {}, {}]")), 3),
            ("sendMediaGroup", album(json!("x")), 1),
            (
                "deleteMessages",
                json!({"chat_id": 7, "message_ids": [1, 2]}),
                1,
            ),
        ] {
            assert_eq!(
                passed(name, given.clone()).unwrap().sends,
                sends,
                "{name} {given}"
            );
        }
    }
}
