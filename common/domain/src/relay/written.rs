//! What somebody wrote, as far as the relay reads it: which message it is, where it stands, and what may be shown of it.
//!
//! Fields: <https://core.telegram.org/bots/api#message>.

use std::time::Duration;

use serde_json::Value;

use super::super::claim::may_show_payload;
use super::super::id::{ChatId, TelegramUserId};
use super::super::marked::TextMark;
use super::super::person::Sender;
use super::super::time::Timestamp;

/// What a message holds that somebody wrote or sent, and that is no report of the app's.
const CONTENTS: [&str; 20] = [
    "text",
    "animation",
    "audio",
    "checklist",
    "contact",
    "dice",
    "document",
    "game",
    "invoice",
    "live_photo",
    "location",
    "paid_media",
    "photo",
    "poll",
    "sticker",
    "story",
    "venue",
    "video",
    "video_note",
    "voice",
];

/// Those of them below which words may stand.
const CAPTIONED: [&str; 6] = ["animation", "audio", "document", "photo", "video", "voice"];

/// What somebody wrote.
#[derive(Clone, PartialEq, Eq)]
pub struct WrittenMessage {
    /// Its id in its chat.
    pub message: i64,
    /// The topic in which it stands.
    pub thread: Option<i64>,
    /// The message that it answers; not the one by which its topic began.
    pub reply_to: Option<i64>,
    /// Who wrote the message that it answers.
    pub reply_to_author: Option<i64>,
    /// The album of which it is a part.
    pub album: Option<String>,
    /// What it says, if it is nothing but text.
    pub text: Option<String>,
    /// What stands below its file.
    pub caption: Option<String>,
    /// What is marked in its text, or below its file.
    pub marks: Vec<TextMark>,
    /// Whether it holds a claim link or token somewhere: then no copy of it may be shown.
    pub holds_token: bool,
    /// Whether it is a file below which words may stand.
    pub takes_caption: bool,
    /// Whether somebody wrote or sent something; else the app reports something.
    pub is_content: bool,
    /// The name of whom it is of, as they show it.
    pub author_name: String,
    /// What it reports of its topic.
    pub topic: Option<TopicReport>,
}

/// Without the words, which are the person's own.
impl std::fmt::Debug for WrittenMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WrittenMessage({}, {:?}, …)", self.message, self.thread)
    }
}

/// What Telegram reports of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicReport {
    /// It began, under this name.
    Created(String),
    /// It was closed.
    Closed,
    /// It was opened again.
    Reopened,
}

impl WrittenMessage {
    /// What it says, be it below a file; empty if nothing.
    #[must_use]
    pub fn words(&self) -> &str {
        let words = self.text.as_deref().or(self.caption.as_deref());
        words.unwrap_or_default()
    }

    /// Reads a `Message`; `None` if it has no id.
    #[must_use]
    pub fn read(message: &Value) -> Option<Self> {
        let text = |field: &str| message[field].as_str().map(str::to_owned);
        let thread = message["message_thread_id"].as_i64();
        let thread = thread.filter(|_| message["is_topic_message"] == Value::Bool(true));
        // In a topic, what answers nothing is shown as an answer to the message by which the topic began.
        let reply_to = message["reply_to_message"]["message_id"].as_i64();
        let reply_to = reply_to.filter(|answered| Some(*answered) != thread);
        let topic = if let Some(name) = message["forum_topic_created"]["name"].as_str() {
            Some(TopicReport::Created(name.to_owned()))
        } else if message["forum_topic_closed"].is_object() {
            Some(TopicReport::Closed)
        } else if message["forum_topic_reopened"].is_object() {
            Some(TopicReport::Reopened)
        } else {
            None
        };
        let from = &message["from"];
        let names = ["first_name", "last_name"].map(|part| from[part].as_str().unwrap_or_default());
        Some(Self {
            message: message["message_id"].as_i64()?,
            thread,
            reply_to,
            reply_to_author: message["reply_to_message"]["from"]["id"].as_i64(),
            album: text("media_group_id"),
            text: text("text"),
            caption: text("caption"),
            marks: TextMark::read_all(match message["text"].is_string() {
                true => &message["entities"],
                false => &message["caption_entities"],
            }),
            holds_token: holds_token(message),
            takes_caption: CAPTIONED.iter().any(|field| !message[field].is_null()),
            is_content: CONTENTS.iter().any(|field| !message[field].is_null()),
            author_name: names.join(" ").trim().to_owned(),
            topic,
        })
    }
}

/// In whose name Telegram itself writes: what the channel of a group posts.
const TELEGRAM: i64 = 777_000;

/// Who wrote in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeskAuthor {
    /// A person.
    Person(Sender),
    /// An administrator who stays anonymous: nobody can tell who it is.
    Anonymous,
    /// The bot of this id.
    Bot(i64),
}

/// Somebody wrote in a group, or a topic of it is reported of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeskMessage {
    /// The group.
    pub chat: ChatId,
    /// Who wrote.
    pub author: DeskAuthor,
    /// When it was written, to the second, by Telegram's clock.
    pub written_at: Timestamp,
    /// When it was edited, or else written.
    pub at: Timestamp,
    /// What.
    pub written: WrittenMessage,
}

/// How long after an operator wrote a message an edit may be the first of it that is passed on.
const FIRST_EDIT_AGE: Duration = Duration::from_secs(3600);

impl DeskMessage {
    /// Whether it is so young that what an operator makes of it may be passed on, although it never was: it was meant for nobody
    /// until now, or it still waits.
    #[must_use]
    pub fn may_be_new(&self) -> bool {
        self.at.since(self.written_at) <= FIRST_EDIT_AGE
    }

    /// Reads a `Message` of a supergroup. `None` of what a channel said there, of Telegram itself, and of a bot's words.
    #[must_use]
    pub fn read(message: &Value) -> Option<Self> {
        let chat = &message["chat"];
        let from = &message["from"];
        let written = WrittenMessage::read(message)?;
        let author = match &message["sender_chat"]["id"] {
            Value::Null if from["is_bot"] == Value::Bool(true) => {
                DeskAuthor::Bot(from["id"].as_i64()?)
            }
            Value::Null if from["id"] == TELEGRAM => return None,
            Value::Null => DeskAuthor::Person(Sender {
                person: TelegramUserId(from["id"].as_i64()?),
                name: written.author_name.clone(),
                username: from["username"].as_str().map(str::to_owned),
                language_code: from["language_code"].as_str().map(str::to_owned),
            }),
            sender if *sender == chat["id"] => DeskAuthor::Anonymous,
            _ => return None,
        };
        let is_heard = !matches!(author, DeskAuthor::Bot(_)) || written.topic.is_some();
        if chat["type"] != "supergroup" || !is_heard {
            return None;
        }
        Some(Self {
            chat: ChatId(chat["id"].as_i64()?),
            author,
            written_at: Timestamp::from_seconds(message["date"].as_i64()?),
            at: time_of(message)?,
            written,
        })
    }
}

/// A person edited what they wrote to the bot in private.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateEdit {
    /// Who.
    pub person: TelegramUserId,
    /// Their username, if they have one.
    pub username: Option<String>,
    /// The language of their app, as an IETF tag, if Telegram tells it.
    pub language_code: Option<String>,
    /// When, to the second, by Telegram's clock.
    pub at: Timestamp,
    /// What it says now.
    pub written: WrittenMessage,
}

impl PrivateEdit {
    /// Reads a `Message` of a private chat that was edited; `None` of one without words, as a live location that moves.
    #[must_use]
    pub fn read(message: &Value) -> Option<Self> {
        let from = &message["from"];
        let is_person = from["is_bot"] == Value::Bool(false) && from["id"] == message["chat"]["id"];
        if message["chat"]["type"] != "private" || !is_person {
            return None;
        }
        let written = WrittenMessage::read(message)?;
        if written.text.is_none() && written.caption.is_none() {
            return None;
        }
        Some(Self {
            person: TelegramUserId(from["id"].as_i64()?),
            username: from["username"].as_str().map(str::to_owned),
            language_code: from["language_code"].as_str().map(str::to_owned),
            at: time_of(message)?,
            written,
        })
    }
}

/// When a message was edited, or else written.
fn time_of(message: &Value) -> Option<Timestamp> {
    let edited = message["edit_date"].as_i64();
    let seconds = edited.or_else(|| message["date"].as_i64())?;
    Some(Timestamp::from_seconds(seconds))
}

/// Whether a claim link or token stands in what a copy would show: the words, the links behind them, or the buttons.
fn holds_token(message: &Value) -> bool {
    let shown = [
        "text",
        "entities",
        "caption",
        "caption_entities",
        "checklist",
        "quote",
        "contact",
        "poll",
        "venue",
        "reply_markup",
    ];
    shown.iter().any(|field| holds(&message[field]))
}

fn holds(value: &Value) -> bool {
    match value {
        Value::String(text) => may_show_payload(text),
        Value::Array(values) => values.iter().any(holds),
        Value::Object(fields) => fields.values().any(holds),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TOKEN: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRST";

    fn read(change: Value) -> WrittenMessage {
        let mut message =
            json!({"message_id": 3, "from": {"id": 7, "first_name": "Ann", "last_name": "Lee"}});
        for (key, value) in change.as_object().unwrap() {
            message[key] = value.clone();
        }
        WrittenMessage::read(&message).unwrap()
    }

    #[test]
    fn what_stands_in_a_topic_answers_what_was_answered_and_not_the_beginning_of_the_topic() {
        let in_topic = |answered: i64| {
            read(
                json!({"text": "Hi", "message_thread_id": 2, "is_topic_message": true,
                "reply_to_message": {"message_id": answered}}),
            )
        };
        assert_eq!((in_topic(2).thread, in_topic(2).reply_to), (Some(2), None));
        assert_eq!(in_topic(9).reply_to, Some(9));
        // A thread of answers in a group is no topic.
        assert_eq!(
            read(json!({"text": "Hi", "message_thread_id": 2})).thread,
            None
        );
        assert_eq!(in_topic(2).author_name, "Ann Lee");
    }

    #[test]
    fn what_the_app_reports_is_nobodys_words() {
        for (content, is_content) in [
            (json!({"text": "Hi"}), true),
            (json!({"poll": {"question": "?"}}), true),
            (json!({"pinned_message": {"message_id": 1}}), false),
            (json!({"forum_topic_edited": {"name": "x"}}), false),
        ] {
            assert_eq!(read(content.clone()).is_content, is_content, "{content}");
        }
        let created = read(json!({"forum_topic_created": {"name": "Ann · 7"}}));
        assert_eq!(
            created.topic,
            Some(TopicReport::Created("Ann · 7".to_owned()))
        );
        let closed = read(json!({"forum_topic_closed": {}}));
        assert_eq!(closed.topic, Some(TopicReport::Closed));
    }

    #[test]
    fn a_token_is_found_wherever_a_copy_would_show_it() {
        for content in [
            json!({"text": format!("/start c_{TOKEN}")}),
            json!({"text": "here", "entities": [{"type": "text_link", "url": format!("https://t.me/b?start=c_{TOKEN}")}]}),
            json!({"photo": [], "caption": format!("https://shop.example/c/{TOKEN}")}),
            json!({"poll": {"question": "?", "options": [{"text": TOKEN}]}}),
        ] {
            assert!(read(content.clone()).holds_token, "{content}");
        }
        // The ids of files are as long as tokens, and open nothing.
        let photo = json!({"photo": [{"file_id": TOKEN}], "caption": "me"});
        assert!(!read(photo).holds_token);
        assert!(!read(json!({"text": "order 12"})).holds_token);
    }

    #[test]
    fn an_edit_is_of_words() {
        let edited = |content: Value| {
            let mut message = json!({"message_id": 3, "date": 5, "edit_date": 6, "chat": {"id": 7, "type": "private"},
                "from": {"id": 7, "is_bot": false, "first_name": "Ann"}});
            for (key, value) in content.as_object().unwrap() {
                message[key] = value.clone();
            }
            PrivateEdit::read(&message).map(|edit| edit.at)
        };
        let at = Some(Timestamp::from_seconds(6));
        assert_eq!(edited(json!({"text": "Hi"})), at);
        assert_eq!(edited(json!({"photo": [], "caption": "me"})), at);
        assert_eq!(edited(json!({"location": {"latitude": 1.0}})), None);
    }

    #[test]
    fn what_was_never_passed_on_is_by_an_edit_within_an_hour_alone() {
        for (edited, may_be_new) in [(5, true), (3605, true), (3606, false)] {
            let message = json!({"message_id": 3, "date": 5, "edit_date": edited, "text": "Hi",
                "chat": {"id": -100, "type": "supergroup"}, "from": {"id": 7, "is_bot": false}});
            let message = DeskMessage::read(&message).unwrap();
            assert_eq!(message.may_be_new(), may_be_new, "{edited}");
        }
    }

    #[test]
    fn people_and_anonymous_administrators_are_heard_in_a_group_and_nobody_else_but_of_topics() {
        let written = |change: Value| {
            let mut message = json!({"message_id": 3, "date": 5, "text": "Hi",
                "chat": {"id": -100, "type": "supergroup"},
                "from": {"id": 7, "is_bot": false, "first_name": "Olga"}});
            for (key, value) in change.as_object().unwrap() {
                message[key] = value.clone();
            }
            DeskMessage::read(&message).map(|message| message.author)
        };
        let olga = DeskAuthor::Person(Sender {
            person: TelegramUserId(7),
            name: "Olga".to_owned(),
            username: None,
            language_code: None,
        });
        let bot = json!({"id": 1, "is_bot": true, "first_name": "B"});
        for (change, author) in [
            (json!({}), Some(olga)),
            (
                json!({"from": bot, "sender_chat": {"id": -100}}),
                Some(DeskAuthor::Anonymous),
            ),
            (json!({"from": bot, "sender_chat": {"id": -200}}), None),
            (json!({"from": {"id": 777_000, "is_bot": false}}), None),
            (json!({"from": bot}), None),
            (
                json!({"from": bot, "text": null, "forum_topic_created": {"name": "Ann · 7"}}),
                Some(DeskAuthor::Bot(1)),
            ),
            (json!({"chat": {"id": -100, "type": "group"}}), None),
        ] {
            assert_eq!(written(change.clone()), author, "{change}");
        }
    }
}
