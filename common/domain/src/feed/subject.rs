//! Which updates stand in the feed, and whom each may concern.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::super::button::OUR_MARK;
use super::super::claim::{self, with_invite_links_masked};
use super::super::id::{ChatId, hex};

/// Whom an update may concern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedTopic {
    /// A message in a private chat, or its edit: whoever reads.
    Talk,
    /// The press of a button: a backend, and the actor that sent it.
    Press,
    /// A message in a group: those whose key names the chat.
    Group(ChatId),
    /// A join, a join request, a payment: a backend.
    Backend,
}

impl FeedTopic {
    /// The word for it, as a record has it; a group's chat stands beside.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Talk => "talk",
            Self::Press => "press",
            Self::Group(_) => "group",
            Self::Backend => "backend",
        }
    }

    /// The topic of a record.
    #[must_use]
    pub fn read(word: &str, chat: Option<ChatId>) -> Option<Self> {
        match (word, chat) {
            ("talk", _) => Some(Self::Talk),
            ("press", _) => Some(Self::Press),
            ("group", Some(chat)) => Some(Self::Group(chat)),
            ("backend", _) => Some(Self::Backend),
            _ => None,
        }
    }
}

/// An update that may stand in the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedSubject {
    /// Its kind, the name of its field in Telegram's `Update`.
    pub kind: &'static str,
    /// Whom it may concern.
    pub topic: FeedTopic,
    /// Of the press of a button: the message that has it, by its chat and its number there.
    pub pressed: Option<(ChatId, i64)>,
    /// Of what every bot of a chat is told: what makes the same thing one, whichever bot tells it.
    pub same: Option<String>,
}

/// The kinds of update that may stand in the feed.
const KINDS: [&str; 8] = [
    "message",
    "edited_message",
    "callback_query",
    "chat_member",
    "chat_join_request",
    "pre_checkout_query",
    "shipping_query",
    "subscription",
];

/// Strings that Telegram makes, among them long ones that may look like a claim token.
const MADE_BY_TELEGRAM: [&str; 4] = [
    "file_id",
    "file_unique_id",
    "telegram_payment_charge_id",
    "provider_payment_charge_id",
];

/// Fields of a message that bring along what stands in another one.
const OF_OTHER_MESSAGES: [&str; 4] = [
    "reply_to_message",
    "quote",
    "external_reply",
    "pinned_message",
];

/// What an update is about, if it may stand in the feed. Our own buttons, whatever has a claim link anywhere in it, messages
/// that bots send and places on which a live location moves do not.
#[must_use]
pub fn read(update: &Value) -> Option<FeedSubject> {
    let kind = KINDS.into_iter().find(|kind| update[*kind].is_object())?;
    let content = &update[kind];
    // Whoever holds a claim link may claim the seat: it is the payer's secret until they do.
    if may_show_claim(content) {
        return None;
    }
    let (topic, pressed) = match kind {
        "edited_message" if is_of_live_location(content) => return None,
        "message" | "edited_message" => (of_message(content)?, None),
        "callback_query" => {
            let is_own = content["data"]
                .as_str()
                .is_some_and(|data| data.starts_with(OUR_MARK));
            if is_own {
                return None;
            }
            let message = &content["message"];
            let chat = message["chat"]["id"].as_i64().map(ChatId);
            (FeedTopic::Press, chat.zip(message["message_id"].as_i64()))
        }
        _ => (FeedTopic::Backend, None),
    };
    let same = match kind {
        "chat_member" | "chat_join_request" => Some(same(kind, content)),
        _ => None,
    };
    Some(FeedSubject {
        kind,
        topic,
        pressed,
        same,
    })
}

/// The queue of an update of this kind and content, as Telegram has them: of a message its chat, of all else its person.
#[must_use]
pub fn queue(kind: &str, content: &Value) -> i64 {
    let of = match kind {
        "message" | "edited_message" => &content["chat"],
        "chat_member" => &content["new_chat_member"]["user"],
        _ => &content["from"],
    };
    of["id"].as_i64().unwrap_or_default()
}

/// What makes a join or a join request one, of which each administrator bot of the chat is told: chat, person, second, and
/// from where to where. A hash of it: it stands where a person can't be looked for who is erased.
fn same(kind: &str, content: &Value) -> String {
    let chat = content["chat"]["id"].as_i64().unwrap_or_default();
    let at = content["date"].as_i64().unwrap_or_default();
    let status = |member: &str| content[member]["status"].as_str().unwrap_or_default();
    let person = match kind {
        "chat_member" => &content["new_chat_member"]["user"]["id"],
        _ => &content["from"]["id"],
    };
    let person = person.as_i64().unwrap_or_default();
    let (old, new) = (status("old_chat_member"), status("new_chat_member"));
    let what = format!("{chat}#{person}#{at}#{old}#{new}");
    format!("{kind}#{}", hex(&Sha256::digest(what)))
}

/// Whether a claim link or token can be read anywhere in it: in a text or a caption, what they answer or quote, the link
/// behind a word, a button.
fn may_show_claim(value: &Value) -> bool {
    match value {
        Value::String(text) => claim::may_show_payload(text),
        Value::Array(values) => values.iter().any(may_show_claim),
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            !MADE_BY_TELEGRAM.contains(&name.as_str()) && may_show_claim(value)
        }),
        _ => false,
    }
}

/// Whether an edited message is a live location that has moved: its phone reports that every few seconds, for up to days.
fn is_of_live_location(message: &Value) -> bool {
    let has = |field: &str| !message[field].is_null();
    has("location") && !has("text") && !has("caption")
}

/// An update as actors see it: without the invite link by which somebody joins, which lets others in too, and without those
/// in what a message answers, quotes or pins, which may be what a buyer was given. `…` stands in their place, since libraries
/// want the field, and as long as they were, since entities name places in texts.
#[must_use]
pub fn shown(mut update: Value) -> Value {
    for kind in ["chat_member", "chat_join_request"] {
        if let Some(link) = update.pointer_mut(&format!("/{kind}/invite_link/invite_link")) {
            *link = "…".into();
        }
    }
    mask_links(&mut update, false);
    update
}

/// Masks the invite links in all that other messages bring along; `is_of_other` says that this is such.
fn mask_links(value: &mut Value, is_of_other: bool) {
    match value {
        Value::String(text) if is_of_other => *text = with_invite_links_masked(text),
        Value::Array(values) => {
            for value in values {
                mask_links(value, is_of_other);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = name.as_str();
                if !MADE_BY_TELEGRAM.contains(&name) {
                    mask_links(value, is_of_other || OF_OTHER_MESSAGES.contains(&name));
                }
            }
        }
        _ => {}
    }
}

fn of_message(message: &Value) -> Option<FeedTopic> {
    let chat = ChatId(message["chat"]["id"].as_i64()?);
    if message["from"]["is_bot"] == true {
        return None;
    }
    let pays = ["successful_payment", "refunded_payment"]
        .iter()
        .any(|field| !message[*field].is_null());
    Some(match message["chat"]["type"].as_str()? {
        _ if pays => FeedTopic::Backend,
        "private" => FeedTopic::Talk,
        _ => FeedTopic::Group(chat),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn topic(update: &Value) -> Option<FeedTopic> {
        read(update).map(|subject| subject.topic)
    }

    fn message(kind: &str, more: &Value) -> Value {
        let mut message = json!({"message_id": 3, "date": 1, "from": {"id": 7, "is_bot": false},
            "chat": {"id": 7, "type": "private"}});
        let fields = more.as_object().unwrap().clone();
        message.as_object_mut().unwrap().extend(fields);
        json!({"update_id": 1, kind: message})
    }

    #[test]
    fn each_update_concerns_whom_it_should() {
        let group = json!({"id": -5, "type": "supergroup"});
        let token = "A".repeat(46);
        for (update, expected) in [
            (
                message("message", &json!({"text": "hi"})),
                Some(FeedTopic::Talk),
            ),
            (
                message("edited_message", &json!({"text": "hi"})),
                Some(FeedTopic::Talk),
            ),
            (
                message("message", &json!({"location": {"live_period": 60}})),
                Some(FeedTopic::Talk),
            ),
            (
                message("edited_message", &json!({"location": {"live_period": 60}})),
                None,
            ),
            (
                message("message", &json!({"photo": []})),
                Some(FeedTopic::Talk),
            ),
            (
                message("message", &json!({"successful_payment": {}})),
                Some(FeedTopic::Backend),
            ),
            (
                message("message", &json!({"chat": group})),
                Some(FeedTopic::Group(ChatId(-5))),
            ),
            (
                message("message", &json!({"text": format!("/start c_{token}")})),
                None,
            ),
            (
                message("message", &json!({"from": {"id": 9, "is_bot": true}})),
                None,
            ),
            (message("channel_post", &json!({})), None),
            (message("business_message", &json!({})), None),
            (json!({"chat_member": {}}), Some(FeedTopic::Backend)),
            (json!({"chat_join_request": {}}), Some(FeedTopic::Backend)),
            (json!({"pre_checkout_query": {}}), Some(FeedTopic::Backend)),
            (json!({"my_chat_member": {}}), None),
            (json!({"callback_query": {"data": "~a:1:2"}}), None),
            (
                json!({"callback_query": {"data": "a"}}),
                Some(FeedTopic::Press),
            ),
            (json!({"callback_query": {}}), Some(FeedTopic::Press)),
            (json!({"message": 1}), None),
            (json!([]), None),
            (Value::Null, None),
        ] {
            assert_eq!(topic(&update), expected, "{update}");
        }
    }

    #[test]
    fn a_claim_link_is_found_wherever_it_stands() {
        let token = "Q".repeat(46);
        let link = format!("https://t.me/shop_bot?start=c_{token}");
        let entity = json!([{"type": "text_link", "offset": 0, "length": 1, "url": link}]);
        let markup = json!({"inline_keyboard": [[{"text": "a", "url": link}]]});
        let press = |message: Value| json!({"callback_query": {"data": "a", "message": message}});
        for update in [
            message("message", &json!({"text": format!("look: {link}")})),
            message("message", &json!({"text": token})),
            message("message", &json!({"caption": link})),
            message("edited_message", &json!({"text": "a", "entities": entity})),
            message("message", &json!({"text": "a", "caption_entities": entity})),
            message(
                "message",
                &json!({"text": "a", "reply_to_message": {"text": link}}),
            ),
            message(
                "message",
                &json!({"text": "a", "reply_to_message": {"entities": entity}}),
            ),
            message("message", &json!({"text": "a", "quote": {"text": link}})),
            message(
                "message",
                &json!({"text": "a", "external_reply": {"link_preview_options": {"url": link}}}),
            ),
            message("message", &json!({"text": "a", "reply_markup": markup})),
            press(json!({"text": link})),
            press(json!({"text": "a", "reply_markup": markup})),
        ] {
            assert_eq!(topic(&update), None, "{update}");
        }
        // A file's name at Telegram is long, and means nothing.
        let file = format!("AgACAgIAAxkBAAc_{token}");
        let photo = json!({"photo": [{"file_id": file, "file_unique_id": token}]});
        assert_eq!(topic(&message("message", &photo)), Some(FeedTopic::Talk));
    }

    #[test]
    fn the_link_of_a_join_is_not_shown() {
        let link = json!({"invite_link": "https://t.me/+AbCdEf", "name": "T-1"});
        for kind in ["chat_member", "chat_join_request"] {
            let update = json!({"update_id": 1, kind: {"date": 1, "invite_link": link}});
            let seen = shown(update);
            assert_eq!(
                seen[kind]["invite_link"],
                json!({"invite_link": "…", "name": "T-1"})
            );
            assert_eq!(seen[kind]["date"], 1);
        }
        let talk = message("message", &json!({"text": "https://t.me/+AbCdEf"}));
        assert_eq!(shown(talk.clone()), talk);
    }

    #[test]
    fn an_invite_link_is_not_shown_in_what_a_message_answers_quotes_or_pins() {
        let link = "see https://t.me/+AbC_dEf-12 there";
        let masked = format!("see https://t.me/+{} there", "…".repeat(10));
        let other = |text: &str| {
            json!({"message_id": 2, "text": text, "photo": [{"file_id": "a/+b"}],
            "entities": [{"type": "bold", "offset": 29, "length": 5, "url": text}],
            "reply_markup": {"inline_keyboard": [[{"text": "Get in", "url": text}]]}})
        };
        for field in OF_OTHER_MESSAGES {
            for wrap in [
                |message: Value| message,
                |message: Value| json!({"update_id": 1, "callback_query": {"data": "a", "message": message["message"]}}),
            ] {
                let given = wrap(message(
                    "message",
                    &json!({"text": link, field: other(link)}),
                ));
                let expected = wrap(message(
                    "message",
                    &json!({"text": link, field: other(&masked)}),
                ));
                assert_eq!(shown(given), expected, "{field}");
            }
        }
        // Telegram made links in this way once, and they work.
        let old = message("message", &json!({"quote": {"text": "t.me/joinchat/AbC"}}));
        assert_eq!(shown(old)["message"]["quote"]["text"], "t.me/joinchat/………");
    }

    #[test]
    fn a_press_names_the_message_that_has_the_button() {
        let update = json!({"callback_query": {"data": "a",
            "message": {"message_id": 12, "chat": {"id": 7, "type": "private"}}}});
        assert_eq!(read(&update).unwrap().pressed, Some((ChatId(7), 12)));
    }

    #[test]
    fn a_join_is_the_same_whichever_bot_tells_it() {
        let join = |update: i64, person: i64, date: i64, new: &str| {
            let member = |status: &str| json!({"status": status, "user": {"id": person}});
            let update = json!({"update_id": update, "chat_member": {"chat": {"id": -5}, "date": date,
                "old_chat_member": member("left"), "new_chat_member": member(new)}});
            read(&update).unwrap().same.unwrap()
        };
        assert_eq!(join(1, 7, 10, "member"), join(99, 7, 10, "member"));
        for other in [
            join(1, 8, 10, "member"),
            join(1, 7, 11, "member"),
            join(1, 7, 10, "kicked"),
        ] {
            assert_ne!(join(1, 7, 10, "member"), other);
        }
        let talk = message("message", &json!({"text": "hi"}));
        assert_eq!(read(&talk).unwrap().same, None);
    }

    #[test]
    fn a_topic_is_written_and_read_back() {
        let chat = Some(ChatId(-5));
        for topic in [
            FeedTopic::Talk,
            FeedTopic::Press,
            FeedTopic::Group(ChatId(-5)),
            FeedTopic::Backend,
        ] {
            assert_eq!(FeedTopic::read(topic.as_str(), chat), Some(topic));
        }
        assert_eq!(FeedTopic::read("group", None), None);
        assert_eq!(FeedTopic::read("", chat), None);
    }
}
