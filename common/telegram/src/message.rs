//! Sending messages, and what their failures mean.

use serde::Deserialize;
use serde_json::{Value, json};

use domain::fault::Fault;
use domain::id::ChatId;
use domain::message::{Button, ButtonAction, Content, Message, SendFault};

use super::error::TelegramError;
use super::{CALL_TIMEOUT, Telegram};

/// A message as Telegram took it.
#[derive(Deserialize)]
struct TakenMessage {
    message_id: i64,
}

impl Telegram {
    /// Sends a message to `chat`, which is the message's own or what a group has become. Answers the id that Telegram gave it
    /// there. Not idempotent: each call sends another one.
    ///
    /// # Errors
    /// [`TelegramError`]; by its [`SendFault`] the message may have been sent.
    pub async fn send_message(
        &self,
        chat: ChatId,
        message: &Message,
    ) -> Result<i64, TelegramError> {
        let parameters = parameters(chat, message);
        let taken: TakenMessage = self.call("sendMessage", &parameters, CALL_TIMEOUT).await?;
        Ok(taken.message_id)
    }
}

fn parameters(chat: ChatId, message: &Message) -> Value {
    let Content::Text {
        html,
        buttons,
        protect,
        silent,
    } = &message.content;
    let mut parameters = json!({"chat_id": chat, "text": html, "parse_mode": "HTML"});
    if let Some(thread) = message.thread {
        parameters["message_thread_id"] = json!(thread);
    }
    if *protect {
        parameters["protect_content"] = json!(true);
    }
    if *silent {
        parameters["disable_notification"] = json!(true);
    }
    if !buttons.is_empty() {
        let rows: Vec<Vec<Value>> = buttons
            .iter()
            .map(|row| row.iter().map(button).collect())
            .collect();
        parameters["reply_markup"] = json!({"inline_keyboard": rows});
    }
    parameters
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
    use domain::id::BotId;
    use domain::message::{Class, MessageId};
    use domain::time::Timestamp;

    use super::*;

    fn message(content: Content, thread: Option<i64>) -> Message {
        Message {
            id: MessageId::new(Timestamp::from_ms(1), "a"),
            bot: BotId(7),
            chat: ChatId(-5),
            thread,
            class: Class::Operator,
            content,
            not_before: None,
            not_after: None,
        }
    }

    #[test]
    fn a_message_is_written_as_the_bot_api_reads_it() {
        let plain = Content::Text {
            html: "<b>Paid</b>".to_owned(),
            buttons: vec![],
            protect: false,
            silent: false,
        };
        assert_eq!(
            parameters(ChatId(5), &message(plain, None)),
            json!({"chat_id": 5, "text": "<b>Paid</b>", "parse_mode": "HTML"})
        );
        let button = |text: &str, action| Button {
            text: text.to_owned(),
            action,
        };
        let all = Content::Text {
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
        };
        assert_eq!(
            parameters(ChatId(-1009), &message(all, Some(3))),
            json!({
                "chat_id": -1009, "message_thread_id": 3, "text": "Hi", "parse_mode": "HTML",
                "protect_content": true, "disable_notification": true,
                "reply_markup": {"inline_keyboard": [
                    [{"text": "Open", "url": "https://t.me/+a"}, {"text": "Copy", "copy_text": {"text": "/start c_x"}}],
                    [{"text": "End", "callback_data": "~end:1:2"}],
                ]},
            })
        );
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
        for (failure, fault) in cases {
            assert_eq!(failure.send_fault(), fault, "{failure}");
        }
    }
}
