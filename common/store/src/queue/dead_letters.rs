//! The dead letters of both queues: what lies there, and sending it back to where it came from.

use aws_sdk_sqs::types::{
    ListMessageMoveTasksResultEntry, Message, MessageSystemAttributeName, QueueAttributeName,
};

use super::{Bell, QueueError};
use domain::event::{EventMessage, EventName};
use domain::id::{ChatId, RequestId};
use domain::time::Timestamp;
use runtime::aws::QueueDepth;
use runtime::config::Env;

/// How many letters one look shows, which is the most that one receive brings.
const SHOWN: i32 = 10;
/// How long a look may wait, in seconds: one that does not wait asks a part of SQS's servers alone.
const WAIT_SECONDS: i32 = 1;
/// How many tasks are listed.
const TASKS: i32 = 10;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueName {
    /// Bells of the dispatchers.
    Invites,
    /// Events for WebEngage.
    Events,
}

impl QueueName {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Invites, Self::Events];

    /// The word in calls and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invites => "invites",
            Self::Events => "events",
        }
    }

    /// Reads the word of [`QueueName::as_str`].
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == word)
    }
}

/// A dead letter: what it was about, without the link that it may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// SQS's id of it.
    pub message_id: String,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
    /// What kind of message: `bell`, `event`, `pending` or, if it can't be read, `unreadable`.
    pub kind: &'static str,
    /// The request that it is about.
    pub request_id: Option<RequestId>,
    /// The chat that it is about.
    pub chat: Option<ChatId>,
    /// Which event it is.
    pub event_name: Option<EventName>,
    /// How long its body is.
    pub bytes: usize,
}

impl DeadLetter {
    fn read(message: &Message) -> Self {
        let body = message.body.as_deref().unwrap_or_default();
        let sent_ms = message
            .attributes
            .as_ref()
            .and_then(|all| all.get(&MessageSystemAttributeName::SentTimestamp))
            .and_then(|text| text.parse().ok());
        let unreadable = Self {
            message_id: message.message_id.clone().unwrap_or_default(),
            sent_at: sent_ms.map(Timestamp::from_ms),
            kind: "unreadable",
            request_id: None,
            chat: None,
            event_name: None,
            bytes: body.len(),
        };
        if let Ok(Bell::Work { chat_id }) = serde_json::from_str(body) {
            return Self {
                kind: "bell",
                chat: Some(chat_id),
                ..unreadable
            };
        }
        match serde_json::from_str(body) {
            Ok(EventMessage::Event(event)) => Self {
                kind: "event",
                request_id: Some(event.request_id),
                event_name: Some(event.event_name),
                ..unreadable
            },
            Ok(EventMessage::Pending(pending)) => Self {
                kind: "pending",
                request_id: Some(pending.request_id),
                ..unreadable
            },
            Err(_) => unreadable,
        }
    }
}

/// Dead letters on their way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveTask {
    /// SQS's word for how it is: `RUNNING`, `COMPLETED`, `CANCELLING`, `CANCELLED` or `FAILED`.
    pub status: String,
    /// How many were moved, about.
    pub moved: i64,
    /// How many were to be moved when it began, about.
    pub to_move: Option<i64>,
    /// When it began.
    pub started_at: Timestamp,
    /// Why it failed.
    pub failure: Option<String>,
}

impl MoveTask {
    fn read(entry: ListMessageMoveTasksResultEntry) -> Self {
        Self {
            status: entry.status.unwrap_or_default(),
            moved: entry.approximate_number_of_messages_moved,
            to_move: entry.approximate_number_of_messages_to_move,
            started_at: Timestamp::from_ms(entry.started_timestamp),
            failure: entry.failure_reason,
        }
    }

    /// Whether it still moves.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.status == "RUNNING"
    }
}

/// What lies in a dead-letter queue.
#[derive(Clone, Debug)]
pub struct Sample {
    /// How many messages, about.
    pub count: u64,
    /// Some of them, up to ten.
    pub messages: Vec<DeadLetter>,
    /// The tasks that move or moved letters back, the newest first.
    pub tasks: Vec<MoveTask>,
}

/// What became of sending letters back.
#[derive(Clone, Debug)]
pub enum Redriven {
    /// They are on their way.
    Started,
    /// They were already.
    Running(MoveTask),
}

/// The dead letters of both queues.
#[derive(Clone)]
pub struct DeadLetters {
    client: aws_sdk_sqs::Client,
    invites: String,
    events: String,
}

impl DeadLetters {
    /// The queues that `INVITE_DEAD_LETTER_QUEUE_URL` and `EVENT_DEAD_LETTER_QUEUE_URL` name.
    pub fn from_env(client: aws_sdk_sqs::Client, env: &mut Env) -> Self {
        Self {
            client,
            invites: env.required("INVITE_DEAD_LETTER_QUEUE_URL"),
            events: env.required("EVENT_DEAD_LETTER_QUEUE_URL"),
        }
    }

    fn url(&self, queue: QueueName) -> &str {
        match queue {
            QueueName::Invites => &self.invites,
            QueueName::Events => &self.events,
        }
    }

    /// How many letters a queue holds, about.
    ///
    /// # Errors
    /// [`QueueError`] if SQS does not tell.
    pub async fn depth(&self, queue: QueueName) -> Result<u64, QueueError> {
        let depth = QueueDepth::new(self.client.clone(), self.url(queue).to_owned());
        depth
            .depth()
            .await
            .map_err(QueueError::call("GetQueueAttributes of a depth"))
    }

    /// Looks at what lies in a queue, and leaves it as it is.
    ///
    /// # Errors
    /// [`QueueError`] if SQS does not tell.
    pub async fn sample(&self, queue: QueueName) -> Result<Sample, QueueError> {
        let url = self.url(queue);
        let count = self.depth(queue).await?;
        // Shown again at once, to whoever sends it back.
        let received = self
            .client
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(SHOWN)
            .visibility_timeout(0)
            .wait_time_seconds(if count == 0 { 0 } else { WAIT_SECONDS })
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .send()
            .await
            .map_err(QueueError::call("ReceiveMessage of dead letters"))?;
        let messages = received.messages.unwrap_or_default();
        Ok(Sample {
            count,
            messages: messages.iter().map(DeadLetter::read).collect(),
            tasks: self.tasks(&self.arn(queue).await?).await?,
        })
    }

    /// Sends all dead letters back to the queue that they came from, unless they are on their way already.
    ///
    /// # Errors
    /// [`QueueError`] if it can't be told; doing it again is harmless.
    pub async fn redrive(&self, queue: QueueName) -> Result<Redriven, QueueError> {
        let arn = self.arn(queue).await?;
        if let Some(running) = self.running(&arn).await? {
            return Ok(Redriven::Running(running));
        }
        let call = self.client.start_message_move_task().source_arn(&arn);
        let Err(refusal) = call.send().await else {
            return Ok(Redriven::Started);
        };
        // Somebody else was first, or the SDK repeated a call whose answer was lost.
        match self.running(&arn).await? {
            Some(running) => Ok(Redriven::Running(running)),
            None => Err(QueueError::call("StartMessageMoveTask")(refusal)),
        }
    }

    async fn running(&self, arn: &str) -> Result<Option<MoveTask>, QueueError> {
        let tasks = self.tasks(arn).await?;
        Ok(tasks.into_iter().find(MoveTask::is_running))
    }

    async fn tasks(&self, arn: &str) -> Result<Vec<MoveTask>, QueueError> {
        let call = self.client.list_message_move_tasks().source_arn(arn);
        let answer = call
            .max_results(TASKS)
            .send()
            .await
            .map_err(QueueError::call("ListMessageMoveTasks"))?;
        let tasks = answer.results.unwrap_or_default();
        Ok(tasks.into_iter().map(MoveTask::read).collect())
    }

    async fn arn(&self, queue: QueueName) -> Result<String, QueueError> {
        let call = self
            .client
            .get_queue_attributes()
            .queue_url(self.url(queue));
        let answer = call
            .attribute_names(QueueAttributeName::QueueArn)
            .send()
            .await
            .map_err(QueueError::call("GetQueueAttributes of an ARN"))?;
        let arn = answer
            .attributes
            .and_then(|mut all| all.remove(&QueueAttributeName::QueueArn));
        arn.ok_or_else(|| QueueError::call("GetQueueAttributes of an ARN")("SQS told none"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(body: &str) -> DeadLetter {
        let message = Message::builder().message_id("m").body(body).build();
        DeadLetter::read(&message)
    }

    #[test]
    fn a_letter_tells_what_it_is_about_and_holds_no_link() {
        let id = "ac51f4db-4bc1-8c75-b824-613c155f6d40";
        let cases = [
            (format!(r#"{{"requestId":"{id}"}}"#), "pending"),
            (
                format!(
                    r#"{{"eventId":"e","requestId":"{id}","eventName":"pass_paid_community_telegram_joined","userId":"u","eventTime":"2026-01-01T00:00:00.000Z","eventData":{{"inviteLink":"https://t.me/+secret"}}}}"#
                ),
                "event",
            ),
        ];
        for (body, kind) in cases {
            let letter = letter(&body);
            assert_eq!((letter.kind, letter.bytes), (kind, body.len()));
            assert_eq!(
                letter.request_id.map(|id| id.to_string()).as_deref(),
                Some(id)
            );
            assert!(!format!("{letter:?}").contains("secret"));
        }
        let bell = letter(r#"{"kind":"work","chatId":-1}"#);
        assert_eq!((bell.kind, bell.chat), ("bell", Some(ChatId(-1))));
        for body in ["", "{", r#"{"inviteLink": "https://t.me/+secret"}"#] {
            let letter = letter(body);
            assert_eq!((letter.kind, letter.bytes), ("unreadable", body.len()));
            assert!(!format!("{letter:?}").contains("secret"));
        }
    }
}
