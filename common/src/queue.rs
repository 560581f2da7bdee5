//! The queues: sending now or later. SQS delays at most 15 minutes, so longer delays chain by `notBefore`.

mod dead_letters;

use std::collections::HashMap;
use std::time::Duration;

use aws_lambda_events::sqs::SqsMessage;
use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
    SendMessageBatchRequestEntry,
};
use serde::Serialize;

use crate::aws::Gauge;
use crate::config::Env;
use crate::domain::event::{Event, Promise};
use crate::domain::job::Job;
use crate::domain::pace::Place;
use crate::domain::time::Timestamp;
use crate::trace;

pub use dead_letters::{DeadLetters, Letter, MoveTask, Peek, QueueName, Redriven};

/// The longest `DelaySeconds` that SQS takes.
const DELAY_MAX: Duration = Duration::from_secs(900);
/// The most messages that one call sends.
const BATCH_MAX: usize = 10;
/// The message attribute that counts the tries of a message that was put back.
const ATTEMPT: &str = "attempt";
/// The message attribute that tells a job's place in its line: 0 for the front, otherwise the number of its ticket.
const PLACE: &str = "place";
/// The message attribute that tells when an event may be delivered again; a job has that in its body.
const NOT_BEFORE: &str = "notBefore";

/// The system attribute that tells the trace of a message. It is not counted among the ten attributes.
const TRACE: &str = "AWSTraceHeader";

/// What went wrong with a queue.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// SQS refused the call or did not answer; messages may have been sent.
    #[error("SQS did not do {operation}")]
    Call {
        /// The SQS operation and what it was for.
        operation: &'static str,
        /// What the SDK says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// SQS took some messages of a batch and refused this one.
    #[error("SQS refused a message of a batch: {code}")]
    Entry {
        /// The error code of the entry.
        code: String,
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

/// The queue of jobs for the worker.
#[derive(Clone)]
pub struct InviteQueue(Queue);

/// The queue of events for WebEngage.
#[derive(Clone)]
pub struct EventQueue(Queue);

/// A job to be put back: not before `at`, on its `attempt`th try of this message, with its place in the line.
pub struct PutBack {
    /// The job.
    pub job: Job,
    /// When it may be tried.
    pub at: Timestamp,
    /// How often the message was tried in earnest.
    pub attempt: u32,
    /// The place to come back with.
    pub place: Place,
    /// The trace that it belongs to.
    pub trace: Option<String>,
}

impl InviteQueue {
    /// The queue that `INVITE_QUEUE_URL` names.
    pub fn from_env(client: aws_sdk_sqs::Client, env: &mut Env) -> Self {
        Self(Queue {
            client,
            url: env.required("INVITE_QUEUE_URL"),
        })
    }

    /// Sends a job to be done now. Durable on return.
    ///
    /// # Errors
    /// [`QueueError`] if it can't be told whether it was sent; sending it again is harmless.
    pub async fn send(&self, job: &Job) -> Result<(), QueueError> {
        self.0.send(Outgoing::now(job)?).await
    }

    /// Sends jobs to be done now. Answers one result for each, in order; what is `Ok` is durable.
    pub async fn send_all(&self, jobs: &[Job]) -> Vec<Result<(), QueueError>> {
        self.0.send_all(jobs).await
    }

    /// How many messages it holds, about, whatever their state.
    ///
    /// # Errors
    /// [`QueueError`] if SQS does not tell.
    pub async fn depth(&self) -> Result<u64, QueueError> {
        self.0.depth().await
    }

    /// Puts jobs back until their time. Answers one result for each, in order; what is `Ok` is durable.
    pub async fn put_back(
        &self,
        jobs: Vec<PutBack>,
        now: Timestamp,
    ) -> Vec<Result<(), QueueError>> {
        let mut results = Vec::with_capacity(jobs.len());
        let mut jobs = jobs.into_iter().peekable();
        while jobs.peek().is_some() {
            let batch = jobs.by_ref().take(BATCH_MAX).map(|back| {
                let outgoing = Outgoing::now(&back.job.put_back_until(back.at))?;
                let outgoing = outgoing.delayed(back.at.since(now)).traced(back.trace);
                outgoing.on_attempt(back.attempt)?.in_place(back.place)
            });
            results.extend(self.0.send_batch(batch.collect()).await);
        }
        results
    }
}

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

    /// Sends events to be delivered now. Answers one result for each, in order; what is `Ok` is durable.
    pub async fn send_all(&self, events: &[Event]) -> Vec<Result<(), QueueError>> {
        self.0.send_all(events).await
    }

    /// How many messages it holds, about, whatever their state.
    ///
    /// # Errors
    /// [`QueueError`] if SQS does not tell.
    pub async fn depth(&self) -> Result<u64, QueueError> {
        self.0.depth().await
    }

    /// Sends the promise of an event, to be looked into not before `at`, as look number `attempt`. Durable on return.
    ///
    /// # Errors
    /// [`QueueError`] if it can't be told whether it was sent; sending it again is harmless.
    pub async fn promise(
        &self,
        promise: &Promise,
        at: Timestamp,
        attempt: u32,
        now: Timestamp,
    ) -> Result<(), QueueError> {
        let outgoing = Outgoing::now(promise)?.delayed(at.since(now));
        self.0.send(outgoing.on_attempt(attempt)?).await
    }

    /// Sends an event to be delivered again, not before `at`, as try number `attempt`. Durable on return.
    ///
    /// # Errors
    /// [`QueueError`] if it can't be told whether it was sent; sending it again is harmless.
    pub async fn put_back(
        &self,
        event: &Event,
        at: Timestamp,
        attempt: u32,
        now: Timestamp,
    ) -> Result<(), QueueError> {
        let outgoing = Outgoing::now(event)?.delayed(at.since(now));
        let outgoing = outgoing.with(NOT_BEFORE, "String", at.to_string())?;
        self.0.send(outgoing.on_attempt(attempt)?).await
    }
}

/// The number of earlier tries that a received message's attributes tell.
#[must_use]
pub fn attempt_of(message: &SqsMessage) -> u32 {
    let attempt = attribute_of(message, ATTEMPT);
    attempt.and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// The place in the line that a received job's attributes tell.
#[must_use]
pub fn place_of(message: &SqsMessage) -> Option<Place> {
    Some(match attribute_of(message, PLACE)?.parse().ok()? {
        0 => Place::Front,
        ticket => Place::Ticket(ticket),
    })
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

    fn in_place(self, place: Place) -> Result<Self, QueueError> {
        match place {
            Place::New | Place::Yielding { .. } => Ok(self),
            Place::Front => self.with(PLACE, "Number", "0".to_owned()),
            Place::Ticket(number) => self.with(PLACE, "Number", number.to_string()),
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

    async fn send_all(&self, messages: &[impl Serialize]) -> Vec<Result<(), QueueError>> {
        let mut results = Vec::with_capacity(messages.len());
        for batch in messages.chunks(BATCH_MAX) {
            let batch = batch.iter().map(Outgoing::now);
            results.extend(self.send_batch(batch.collect()).await);
        }
        results
    }

    async fn depth(&self) -> Result<u64, QueueError> {
        let gauge = Gauge::new(self.client.clone(), self.url.clone());
        gauge
            .depth()
            .await
            .map_err(QueueError::call("GetQueueAttributes of a depth"))
    }

    /// Sends up to 10 messages; answers one result for each, in order.
    async fn send_batch(
        &self,
        messages: Vec<Result<Outgoing, QueueError>>,
    ) -> Vec<Result<(), QueueError>> {
        let mut results = Vec::with_capacity(messages.len());
        let mut entries = Vec::with_capacity(messages.len());
        for (position, outgoing) in messages.into_iter().enumerate() {
            let entry = outgoing.and_then(|outgoing| {
                let system = outgoing.system_attributes();
                let Outgoing {
                    body,
                    delay,
                    attributes,
                    ..
                } = outgoing;
                let entry = SendMessageBatchRequestEntry::builder()
                    .id(position.to_string())
                    .message_body(body)
                    .delay_seconds(delay_seconds(delay))
                    .set_message_attributes((!attributes.is_empty()).then_some(attributes))
                    .set_message_system_attributes(system);
                entry
                    .build()
                    .map_err(QueueError::call("building a message"))
            });
            results.push(entry.map(|entry| entries.push(entry)));
        }
        let call = self.client.send_message_batch().queue_url(&self.url);
        match call.set_entries(Some(entries)).send().await {
            Ok(answer) => {
                for refused in answer.failed {
                    let position: usize = refused.id.parse().unwrap_or(usize::MAX);
                    if let Some(result) = results.get_mut(position) {
                        *result = Err(QueueError::Entry { code: refused.code });
                    }
                }
            }
            Err(error) => {
                let sentence = crate::telemetry::chain(&error);
                for result in results.iter_mut().filter(|result| result.is_ok()) {
                    *result = Err(QueueError::call("SendMessageBatch")(sentence.clone()));
                }
            }
        }
        results
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
