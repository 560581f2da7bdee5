//! Sending messages, and what their failures mean.

use serde_json::{Map, Value, json};

use domain::fault::Fault;
use domain::id::ChatId;
use domain::marked::MarkedText;
use domain::message::{Button, ButtonAction, SendFault};

use super::error::TelegramError;
use super::{CALL_TIMEOUT, Telegram};

/// The reaction by which the bot shows that a message was passed on: one of a fixed list (Bot API, `ReactionTypeEmoji`).
pub const PASSED_ON: &str = "👌";

/// Under which names the words below a file are given, and what is marked in them.
const CAPTION: (&str, &str) = ("caption", "caption_entities");

/// What a bot does in a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChatCall {
    /// `sendMessage`.
    Send(Outgoing),
    /// `sendMessage`, of the words of somebody as they marked them.
    SendWords(MarkedText),
    /// `copyMessage`.
    Copy {
        /// The chat that it is copied from.
        from: ChatId,
        /// The message there.
        message: i64,
        /// Its caption, in place of its own.
        caption: Option<MarkedText>,
    },
    /// `copyMessages`: what can't be copied is passed over.
    CopyAll {
        /// The chat that they are copied from.
        from: ChatId,
        /// The messages there, at most 100, in order.
        messages: Vec<i64>,
    },
    /// `editMessageText`.
    EditText {
        /// The message.
        message: i64,
        /// What it is to say.
        text: MarkedText,
    },
    /// `editMessageCaption`.
    EditCaption {
        /// The message.
        message: i64,
        /// What it is to say.
        text: MarkedText,
    },
    /// `deleteMessage`.
    Delete {
        /// The message.
        message: i64,
    },
    /// `setMessageReaction`: it was passed on.
    React {
        /// The message.
        message: i64,
    },
    /// `pinChatMessage`, without a sound.
    Pin {
        /// The message.
        message: i64,
    },
    /// `createForumTopic`. Not idempotent: each call begins a topic.
    CreateTopic {
        /// 1 to 128 characters.
        name: String,
    },
    /// `reopenForumTopic`.
    ReopenTopic,
    /// `closeForumTopic`.
    CloseTopic,
    /// `deleteForumTopic`.
    DeleteTopic,
    /// `editForumTopic`.
    RenameTopic {
        /// 1 to 128 characters.
        name: String,
    },
    /// A method that an actor called, with these parameters; the chat is named among them if it takes one.
    Passed {
        /// The method.
        method: &'static str,
        /// Its parameters.
        parameters: Map<String, Value>,
        /// How many messages it sends, at least 1.
        sends: u32,
    },
}

impl ChatCall {
    /// How many messages it counts for at Telegram.
    #[must_use]
    pub fn sends(&self) -> u32 {
        match self {
            Self::CopyAll { messages, .. } => u32::try_from(messages.len()).unwrap_or(u32::MAX),
            Self::Passed { sends, .. } => *sends,
            _ => 1,
        }
    }
}

/// What came of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acted {
    /// The ids that Telegram gave to what was made: of each message that was sent or copied, or of a topic; none for the rest.
    pub ids: Vec<i64>,
    /// What a message says that an actor sent, of several the first, be it below a file.
    pub words: Option<String>,
}

/// A text that is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// Telegram's HTML.
    pub html: String,
    /// Rows of buttons.
    pub buttons: Vec<Vec<Button>>,
    /// Whether it can't be forwarded or saved.
    pub protect: bool,
    /// Whether it arrives without a sound.
    pub silent: bool,
    /// The message of the same chat that it answers.
    pub reply_to: Option<i64>,
}

impl Telegram {
    /// Does `call` in `chat`, and in its topic `thread`. Not idempotent: each call sends, copies or makes anew.
    ///
    /// # Errors
    /// [`TelegramError`]; by its [`SendFault`] the effect may have happened.
    pub async fn act(
        &self,
        chat: ChatId,
        thread: Option<i64>,
        call: &ChatCall,
    ) -> Result<Acted, TelegramError> {
        let (method, mut parameters) = call.parameters();
        if let ChatCall::Passed { .. } = call {
            return self.act_for_actor(chat, method, parameters).await;
        }
        parameters["chat_id"] = json!(chat);
        // In a group, what answers nothing would stand in no topic; a person is to know in any case.
        if chat.0 > 0 && parameters.get("reply_parameters").is_some() {
            parameters["reply_parameters"]["allow_sending_without_reply"] = json!(true);
        }
        if let Some(thread) = thread.filter(|_| call.is_in_topic()) {
            parameters["message_thread_id"] = json!(thread);
        }
        let answer: Value = self.call(method, &parameters, CALL_TIMEOUT).await?;
        let ids = match call {
            ChatCall::Send(_) | ChatCall::SendWords(_) | ChatCall::Copy { .. } => {
                vec![answer["message_id"].as_i64()]
            }
            ChatCall::CopyAll { .. } => {
                let copies = answer.as_array().map(Vec::as_slice).unwrap_or_default();
                copies
                    .iter()
                    .map(|copy| copy["message_id"].as_i64())
                    .collect()
            }
            ChatCall::CreateTopic { .. } => vec![answer["message_thread_id"].as_i64()],
            _ => return Ok(Acted::default()),
        };
        // It was done, but what answers is not the Bot API.
        let garbled = TelegramError::Garbled {
            method,
            status: 200,
        };
        let ids = ids.into_iter().collect::<Option<_>>().ok_or(garbled)?;
        Ok(Acted { ids, words: None })
    }

    /// Does what an actor called, as it was called; in the chat by its present id, if it names one.
    async fn act_for_actor(
        &self,
        chat: ChatId,
        method: &'static str,
        mut parameters: Value,
    ) -> Result<Acted, TelegramError> {
        if let Some(named) = parameters.get_mut("chat_id") {
            *named = json!(chat);
        }
        let answer: Value = self.call(method, &parameters, CALL_TIMEOUT).await?;
        let all = match &answer {
            Value::Array(all) => all.as_slice(),
            one => std::slice::from_ref(one),
        };
        let words = all.first().and_then(|message| {
            let words = message["text"].as_str().or(message["caption"].as_str());
            words.map(str::to_owned)
        });
        let ids = all.iter().filter_map(|one| one["message_id"].as_i64());
        Ok(Acted {
            ids: ids.collect(),
            words,
        })
    }
}

impl ChatCall {
    /// Whether Telegram takes a topic beside the chat.
    const fn is_in_topic(&self) -> bool {
        match self {
            Self::Send(_)
            | Self::SendWords(_)
            | Self::Copy { .. }
            | Self::CopyAll { .. }
            | Self::ReopenTopic
            | Self::CloseTopic
            | Self::DeleteTopic
            | Self::RenameTopic { .. } => true,
            Self::EditText { .. }
            | Self::EditCaption { .. }
            | Self::Delete { .. }
            | Self::React { .. }
            | Self::Pin { .. }
            | Self::Passed { .. }
            | Self::CreateTopic { .. } => false,
        }
    }

    /// The method, and what it is called with beside the chat.
    fn parameters(&self) -> (&'static str, Value) {
        match self {
            Self::Send(outgoing) => ("sendMessage", outgoing.parameters()),
            Self::SendWords(words) => {
                let fixed = json!({"link_preview_options": {"is_disabled": true}});
                (
                    "sendMessage",
                    with_words(fixed, ("text", "entities"), words),
                )
            }
            Self::Copy {
                from,
                message,
                caption,
            } => {
                let fixed = json!({"from_chat_id": from, "message_id": message});
                let parameters = match caption {
                    Some(caption) => with_words(fixed, CAPTION, caption),
                    None => fixed,
                };
                ("copyMessage", parameters)
            }
            Self::CopyAll { from, messages } => (
                "copyMessages",
                json!({"from_chat_id": from, "message_ids": messages}),
            ),
            Self::EditText { message, text } => (
                "editMessageText",
                with_words(json!({"message_id": message}), ("text", "entities"), text),
            ),
            Self::EditCaption { message, text } => (
                "editMessageCaption",
                with_words(json!({"message_id": message}), CAPTION, text),
            ),
            Self::Delete { message } => ("deleteMessage", json!({"message_id": message})),
            Self::React { message } => (
                "setMessageReaction",
                json!({"message_id": message, "reaction": [{"type": "emoji", "emoji": PASSED_ON}]}),
            ),
            Self::Pin { message } => (
                "pinChatMessage",
                json!({"message_id": message, "disable_notification": true}),
            ),
            Self::CreateTopic { name } => ("createForumTopic", json!({"name": name})),
            Self::ReopenTopic => ("reopenForumTopic", json!({})),
            Self::CloseTopic => ("closeForumTopic", json!({})),
            Self::DeleteTopic => ("deleteForumTopic", json!({})),
            Self::RenameTopic { name } => ("editForumTopic", json!({"name": name})),
            Self::Passed {
                method, parameters, ..
            } => (*method, Value::Object(parameters.clone())),
        }
    }
}

/// Parameters and these words, under the names for the words and for what is marked in them.
fn with_words(mut parameters: Value, (text, marks): (&str, &str), words: &MarkedText) -> Value {
    parameters[text] = json!(words.text);
    if !words.marks.is_empty() {
        parameters[marks] = json!(words.marks);
    }
    parameters
}

impl Outgoing {
    fn parameters(&self) -> Value {
        // What is behind an address in it is the person's alone: Telegram is not to fetch it.
        let mut parameters = json!({
            "text": self.html, "parse_mode": "HTML", "link_preview_options": {"is_disabled": true},
        });
        if self.protect {
            parameters["protect_content"] = json!(true);
        }
        if self.silent {
            parameters["disable_notification"] = json!(true);
        }
        if let Some(message) = self.reply_to {
            parameters["reply_parameters"] = json!({"message_id": message});
        }
        if !self.buttons.is_empty() {
            let rows: Vec<Vec<Value>> = self
                .buttons
                .iter()
                .map(|row| row.iter().map(button).collect())
                .collect();
            parameters["reply_markup"] = json!({"inline_keyboard": rows});
        }
        parameters
    }
}

fn button(button: &Button) -> Value {
    let text = &button.text;
    match &button.action {
        ButtonAction::Url(url) => json!({"text": text, "url": url}),
        ButtonAction::Callback(data) => json!({"text": text, "callback_data": data}),
        ButtonAction::Copy(copied) => json!({"text": text, "copy_text": {"text": copied}}),
    }
}

impl TelegramError {
    /// What the failure of a call means that an actor made: a method that this Bot API does not know is no fault of the bot's.
    #[must_use]
    pub fn send_fault_of_actor(&self) -> SendFault {
        match self {
            Self::Refused { status: 404, .. } => SendFault::Refused,
            other => other.send_fault(),
        }
    }

    /// What the failure of sending a message means.
    #[must_use]
    pub fn send_fault(&self) -> SendFault {
        match self {
            Self::Unreachable { .. } => SendFault::Retry,
            Self::NoAnswer { .. } => SendFault::Unknown,
            // Not the Bot API: TELEGRAM_API_BASE leads elsewhere.
            Self::Garbled {
                status: 300..=499, ..
            } => SendFault::BotFault,
            Self::Garbled { .. } => SendFault::Unknown,
            Self::Refused { .. } if self.is_frozen() => SendFault::BotFault,
            Self::Refused {
                fault: Fault::RateLimited { after },
                ..
            } => SendFault::RateLimited { after: *after },
            Self::Refused {
                fault: Fault::Migrated(chat),
                ..
            } => SendFault::Migrated(*chat),
            Self::Refused {
                status,
                description,
                ..
            } => SendFault::of_refusal(*status, description),
            // Of links alone.
            Self::WrongClock { .. } | Self::NotSingleUse { .. } => SendFault::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::fault::{Refusal, classify};
    use domain::marked::TextMark;

    use super::*;

    #[test]
    fn a_call_is_written_as_the_bot_api_reads_it() {
        let plain = Outgoing {
            html: "<b>Paid</b>".to_owned(),
            ..Outgoing::default()
        };
        let button = |text: &str, action| Button {
            text: text.to_owned(),
            action,
        };
        let all = Outgoing {
            html: "Hi".to_owned(),
            buttons: vec![
                vec![
                    button("Open", ButtonAction::Url("https://t.me/+a".to_owned())),
                    button("Copy", ButtonAction::Copy("/start c_x".to_owned())),
                ],
                vec![button("End", ButtonAction::Callback("~end:1:2".to_owned()))],
            ],
            protect: true,
            silent: true,
            reply_to: Some(4),
        };
        let from = ChatId(5);
        for (call, method, parameters) in [
            (
                ChatCall::Send(plain),
                "sendMessage",
                json!({
                    "text": "<b>Paid</b>", "parse_mode": "HTML",
                    "link_preview_options": {"is_disabled": true},
                }),
            ),
            (
                ChatCall::Send(all),
                "sendMessage",
                json!({
                    "text": "Hi", "parse_mode": "HTML",
                    "link_preview_options": {"is_disabled": true},
                    "protect_content": true, "disable_notification": true,
                    "reply_parameters": {"message_id": 4},
                    "reply_markup": {"inline_keyboard": [
                        [{"text": "Open", "url": "https://t.me/+a"}, {"text": "Copy", "copy_text": {"text": "/start c_x"}}],
                        [{"text": "End", "callback_data": "~end:1:2"}],
                    ]},
                }),
            ),
            (
                ChatCall::Copy {
                    from,
                    message: 6,
                    caption: None,
                },
                "copyMessage",
                json!({"from_chat_id": 5, "message_id": 6}),
            ),
            (
                ChatCall::CopyAll {
                    from,
                    messages: vec![6, 7],
                },
                "copyMessages",
                json!({"from_chat_id": 5, "message_ids": [6, 7]}),
            ),
            (
                ChatCall::SendWords(MarkedText {
                    text: "<Hi>".to_owned(),
                    marks: vec![TextMark::bold(1, 2)],
                }),
                "sendMessage",
                json!({"text": "<Hi>", "link_preview_options": {"is_disabled": true},
                    "entities": [{"type": "bold", "offset": 1, "length": 2}]}),
            ),
            (
                ChatCall::EditCaption {
                    message: 6,
                    text: MarkedText::plain("me".to_owned()),
                },
                "editMessageCaption",
                json!({"message_id": 6, "caption": "me"}),
            ),
            (
                ChatCall::Passed {
                    method: "sendDice",
                    parameters: Map::from_iter([("chat_id".to_owned(), 7.into())]),
                    sends: 1,
                },
                "sendDice",
                json!({"chat_id": 7}),
            ),
            (
                ChatCall::React { message: 6 },
                "setMessageReaction",
                json!({"message_id": 6, "reaction": [{"type": "emoji", "emoji": "👌"}]}),
            ),
            (
                ChatCall::CreateTopic {
                    name: "Ann · 7".to_owned(),
                },
                "createForumTopic",
                json!({"name": "Ann · 7"}),
            ),
        ] {
            assert_eq!(call.parameters(), (method, parameters));
        }
    }

    #[test]
    fn a_failure_is_known_by_its_structure() {
        let method = "sendMessage";
        let refused = |status, description: &str, retry_after, moved| TelegramError::Refused {
            method,
            status,
            description: description.to_owned(),
            fault: classify(Refusal {
                status,
                description,
                retry_after,
                migrate_to_chat_id: moved,
            }),
        };
        let source = || "broken".into();
        let moved = "Bad Request: group chat was upgraded to a supergroup chat";
        let after = Duration::from_secs(9);
        let cases = [
            (
                TelegramError::Unreachable {
                    method,
                    source: source(),
                },
                SendFault::Retry,
            ),
            (
                TelegramError::NoAnswer {
                    method,
                    source: source(),
                },
                SendFault::Unknown,
            ),
            (
                TelegramError::Garbled {
                    method,
                    status: 502,
                },
                SendFault::Unknown,
            ),
            (
                TelegramError::Garbled {
                    method,
                    status: 200,
                },
                SendFault::Unknown,
            ),
            (
                TelegramError::Garbled {
                    method,
                    status: 404,
                },
                SendFault::BotFault,
            ),
            (
                refused(429, "Too Many Requests: retry after 9", Some(9), None),
                SendFault::RateLimited { after },
            ),
            (
                refused(400, moved, None, Some(-1009)),
                SendFault::Migrated(ChatId(-1009)),
            ),
            (
                refused(400, "Bad Request: FROZEN_METHOD_INVALID", None, None),
                SendFault::BotFault,
            ),
            (
                refused(403, "Forbidden: bot was blocked by the user", None, None),
                SendFault::Unreachable,
            ),
            (
                refused(400, "Bad Request: chat not found", None, None),
                SendFault::Refused,
            ),
            (
                refused(500, "Internal Server Error", None, None),
                SendFault::Unknown,
            ),
        ];
        let unknown = refused(404, "Not Found: method not found", None, None);
        assert_eq!(unknown.send_fault(), SendFault::BotFault);
        assert_eq!(unknown.send_fault_of_actor(), SendFault::Refused);
        for (failure, fault) in cases {
            assert_eq!(failure.send_fault(), fault, "{failure}");
        }
    }
}
