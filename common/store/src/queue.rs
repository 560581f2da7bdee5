//! The queues: bells for the dispatcher, and events, now or later. SQS delays at most 15 minutes, so longer delays of
//! events chain by `notBefore`.

mod bell;
mod dead_letters;

use std::collections::HashMap;
use std::time::Duration;

use aws_lambda_events::sqs::SqsMessage;
use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
};
use serde::Serialize;

use domain::event::{Event, PendingEvents};
use domain::time::Timestamp;
use runtime::config::Env;
use runtime::trace;

pub use bell::{Bell, InviteQueue};
pub use dead_letters::{DeadLetter, DeadLetters, MoveTask, QueueName, Redriven, Sample};

/// The longest `DelaySeconds` that SQS takes.
const DELAY_MAX: Duration = Duration::from_secs(900);
/// The message attribute that counts the tries of an event that was deferred.
const ATTEMPT: &str = "attempt";
/// The message attribute that tells when an event may be delivered again.
const NOT_BEFORE: &str = "notBefore";

/// The message attribute that tells when an event was first sent, in milliseconds since the Unix epoch.
const FIRST_SENT: &str = "firstSent";
/// The system attribute that tells when a message was sent, in the same unit.
const SENT: &str = "SentTimestamp";
/// The system attribute that tells the trace of a message. It is not counted among the ten attributes.
const TRACE: &str = "AWSTraceHeader";

/// What went wrong with a queue.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// SQS refused the call or did not answer; messages may have been sent.
    #[error("SQS {operation} failed")]
    Call {
        /// The SQS operation and what it was for.
        operation: &'static str,
        /// What the SDK says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A message can't be written as JSON.
    #[error("a message can't be written as JSON")]
    Body(#[from] serde_json::Error),
}

impl QueueError {
    fn call<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        operation: &'static str,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self::Call {
            operation,
            source: source.into(),
        }
    }
}

/// One SQS queue.
#[derive(Clone)]
struct Queue {
    client: aws_sdk_sqs::Client,
    url: String,
}

/// The queue of events for WebEngage.
#[derive(Clone)]
pub struct EventQueue(Queue);

impl EventQueue {
    /// The queue that `EVENT_QUEUE_URL` names.
    pub fn from_env(client: aws_sdk_sqs::Client, env: &mut Env) -> Self {
        Self(Queue {
            client,
            url: env.required("EVENT_QUEUE_URL"),
        })
    }

    /// Sends an event to be delivered now. Durable on return.
    ///
    /// # Errors
    /// [`QueueError`] if it can't be told whether it was sent; sending it again is harmless.
    pub async fn send(&self, event: &Event) -> Result<(), QueueError> {
        self.0.send(Outgoing::now(event)?).await
    }

    /// Has whatever of a request was not delivered delivered now. Durable on return.
    ///
    /// # Errors
    /// [`QueueError`] if it can't be told whether it was sent; sending it again is harmless.
    pub async fn send_pending(&self, pending: &PendingEvents) -> Result<(), QueueError> {
        self.0.send(Outgoing::now(pending)?).await
    }

    /// Sends an event to be delivered again, not before `at`, as try number `attempt`; it was sent first at `first_sent`.
    /// Durable on return.
    ///
    /// # Errors
    /// [`QueueError`] if it can't be told whether it was sent; sending it again is harmless.
    pub async fn defer(
        &self,
        event: &Event,
        at: Timestamp,
        attempt: u32,
        first_sent: Timestamp,
        now: Timestamp,
    ) -> Result<(), QueueError> {
        let outgoing = Outgoing::now(event)?.delayed(at.since(now));
        let outgoing = outgoing.with(NOT_BEFORE, "String", at.to_string())?;
        let outgoing = outgoing.with(FIRST_SENT, "Number", first_sent.ms().to_string())?;
        self.0.send(outgoing.on_attempt(attempt)?).await
    }
}

/// How many times SQS has shown a message, this time included.
#[must_use]
pub fn receives_of(message: &SqsMessage) -> u32 {
    let count = message.attributes.get("ApproximateReceiveCount");
    count.and_then(|count| count.parse().ok()).unwrap_or(1)
}

/// The number of earlier tries that a received message's attributes tell.
#[must_use]
pub fn attempt_of(message: &SqsMessage) -> u32 {
    let attempt = attribute_of(message, ATTEMPT);
    attempt.and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// The trace that a received message belongs to, if it tells one.
#[must_use]
pub fn trace_of(message: &SqsMessage) -> Option<&str> {
    message.attributes.get(TRACE).map(String::as_str)
}

/// The time before which a received event is not to be delivered, if its attributes tell one.
#[must_use]
pub fn not_before_of(message: &SqsMessage) -> Option<Timestamp> {
    attribute_of(message, NOT_BEFORE)?.parse().ok()
}

/// When a received event was first sent, before it was deferred; nothing if the message does not tell.
#[must_use]
pub fn first_sent_of(message: &SqsMessage) -> Option<Timestamp> {
    let sent = || message.attributes.get(SENT).map(String::as_str);
    let ms = attribute_of(message, FIRST_SENT).or_else(sent)?;
    ms.parse().ok().map(Timestamp::from_ms)
}

fn attribute_of<'a>(message: &'a SqsMessage, name: &str) -> Option<&'a str> {
    message
        .message_attributes
        .get(name)?
        .string_value
        .as_deref()
}

/// Whole seconds, rounded up, so that nothing comes back too early; at most what SQS takes.
fn delay_seconds(delay: Duration) -> i32 {
    let rounded_up = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
    i32::try_from(rounded_up.min(DELAY_MAX.as_secs())).unwrap_or(900)
}

/// A message to be sent.
struct Outgoing {
    body: String,
    delay: Duration,
    attributes: HashMap<String, MessageAttributeValue>,
    trace: Option<String>,
}

impl Outgoing {
    fn now(message: &impl Serialize) -> Result<Self, QueueError> {
        // The two characters of Unicode that SQS refuses and JSON allows; in JSON they stand in strings alone.
        let body = serde_json::to_string(message)?
            .replace('\u{fffe}', "\\ufffe")
            .replace('\u{ffff}', "\\uffff");
        Ok(Self {
            body,
            delay: Duration::ZERO,
            attributes: HashMap::new(),
            trace: trace::header(),
        })
    }

    fn traced(mut self, trace: Option<String>) -> Self {
        self.trace = trace;
        self
    }

    /// What SQS itself is told with the message.
    fn system_attributes(
        &self,
    ) -> Option<HashMap<MessageSystemAttributeNameForSends, MessageSystemAttributeValue>> {
        let value = MessageSystemAttributeValue::builder()
            .data_type("String")
            .string_value(self.trace.clone()?)
            .build()
            .ok()?;
        let name = MessageSystemAttributeNameForSends::AwsTraceHeader;
        Some(HashMap::from([(name, value)]))
    }

    fn delayed(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    fn on_attempt(self, attempt: u32) -> Result<Self, QueueError> {
        match attempt {
            0 => Ok(self),
            _ => self.with(ATTEMPT, "Number", attempt.to_string()),
        }
    }

    fn with(mut self, name: &str, data_type: &str, value: String) -> Result<Self, QueueError> {
        let attribute = MessageAttributeValue::builder().data_type(data_type);
        let attribute = attribute.string_value(value).build();
        let attribute = attribute.map_err(QueueError::call("building an attribute"))?;
        self.attributes.insert(name.to_owned(), attribute);
        Ok(self)
    }
}

impl Queue {
    async fn send(&self, outgoing: Outgoing) -> Result<(), QueueError> {
        let system = outgoing.system_attributes();
        let Outgoing {
            body,
            delay,
            attributes,
            ..
        } = outgoing;
        let call = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(body);
        let call = call
            .set_delay_seconds((!delay.is_zero()).then(|| delay_seconds(delay)))
            .set_message_attributes((!attributes.is_empty()).then_some(attributes))
            .set_message_system_attributes(system);
        let answer = call.send().await;
        answer.map(|_| ()).map_err(QueueError::call("SendMessage"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sqs_refuses_is_written_as_an_escape() {
        let body = Outgoing::now(&"a\u{ffff}b\u{fffe}").unwrap().body;
        assert_eq!(body, r#""a\uffffb\ufffe""#);
        assert_eq!(
            serde_json::from_str::<String>(&body).unwrap(),
            "a\u{ffff}b\u{fffe}"
        );
    }

    #[test]
    fn a_delay_is_rounded_up_and_never_more_than_sqs_takes() {
        let delays = [0, 1, 999, 1000, 1001, 900_000, 900_001, 2_000_000]
            .map(|ms| delay_seconds(Duration::from_millis(ms)));
        assert_eq!(delays, [0, 1, 1, 1, 2, 900, 900, 900]);
    }
}
