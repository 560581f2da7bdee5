//! The queues: sending now or later. SQS delays at most 15 minutes, so longer delays chain by `notBefore`.

use std::time::Duration;

use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use serde::Serialize;

use crate::config::Env;
use crate::domain::event::Event;
use crate::domain::job::Job;
use crate::domain::time::Timestamp;

/// The longest `DelaySeconds` that SQS takes.
const DELAY_MAX: Duration = Duration::from_secs(900);
/// The most messages that one call sends.
const BATCH_MAX: usize = 10;
/// The message attribute that counts the tries of a message that was put back.
const ATTEMPT: &str = "attempt";

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

/// A job to be put back: not before `at`, on its `attempt`th try of this message.
pub struct PutBack {
    /// The job.
    pub job: Job,
    /// When it may be tried.
    pub at: Timestamp,
    /// How often the message was tried in earnest.
    pub attempt: u32,
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
        self.0.send(job, Duration::ZERO, 0).await
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
            let batch = jobs
                .by_ref()
                .take(BATCH_MAX)
                .map(|PutBack { job, at, attempt }| {
                    (
                        serde_json::to_string(&job.put_back_until(at)),
                        at.since(now),
                        attempt,
                    )
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
        self.0.send(event, Duration::ZERO, 0).await
    }

    /// Sends an event to be delivered again after `delay` (at most 15 minutes) as try number `attempt`.
    ///
    /// # Errors
    /// [`QueueError`] if it can't be told whether it was sent; sending it again is harmless.
    pub async fn put_back(
        &self,
        event: &Event,
        delay: Duration,
        attempt: u32,
    ) -> Result<(), QueueError> {
        self.0.send(event, delay, attempt).await
    }
}

/// The number of earlier tries that a received message's attributes tell.
#[must_use]
pub fn attempt_of(message: &aws_lambda_events::sqs::SqsMessage) -> u32 {
    let value = message
        .message_attributes
        .get(ATTEMPT)
        .and_then(|attribute| attribute.string_value.as_deref());
    value.and_then(|value| value.parse().ok()).unwrap_or(0)
}

fn attempt_attribute(attempt: u32) -> Option<MessageAttributeValue> {
    let value = MessageAttributeValue::builder()
        .data_type("Number")
        .string_value(attempt.to_string());
    (attempt > 0).then(|| value.build().ok()).flatten()
}

/// Whole seconds, rounded up, so that nothing comes back too early; at most what SQS takes.
fn delay_seconds(delay: Duration) -> i32 {
    let rounded_up = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
    i32::try_from(rounded_up.min(DELAY_MAX.as_secs())).unwrap_or(900)
}

impl Queue {
    async fn send(
        &self,
        message: &impl Serialize,
        delay: Duration,
        attempt: u32,
    ) -> Result<(), QueueError> {
        let mut call = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(serde_json::to_string(message)?);
        if !delay.is_zero() {
            call = call.delay_seconds(delay_seconds(delay));
        }
        if let Some(attribute) = attempt_attribute(attempt) {
            call = call.message_attributes(ATTEMPT, attribute);
        }
        let answer = call.send().await;
        answer.map(|_| ()).map_err(|source| QueueError::Call {
            operation: "SendMessage",
            source: Box::new(source),
        })
    }

    async fn send_batch(
        &self,
        messages: Vec<(serde_json::Result<String>, Duration, u32)>,
    ) -> Vec<Result<(), QueueError>> {
        let mut results: Vec<Result<(), QueueError>> = Vec::with_capacity(messages.len());
        let mut call = self.client.send_message_batch().queue_url(&self.url);
        for (position, (body, delay, attempt)) in messages.into_iter().enumerate() {
            let entry = body.map_err(QueueError::from).and_then(|body| {
                let entry = SendMessageBatchRequestEntry::builder()
                    .id(position.to_string())
                    .message_body(body);
                let entry = entry.delay_seconds(delay_seconds(delay));
                let entry = match attempt_attribute(attempt) {
                    Some(attribute) => entry.message_attributes(ATTEMPT, attribute),
                    None => entry,
                };
                entry.build().map_err(|source| QueueError::Call {
                    operation: "SendMessageBatch",
                    source: Box::new(source),
                })
            });
            match entry {
                Ok(entry) => {
                    call = call.entries(entry);
                    results.push(Ok(()));
                }
                Err(error) => results.push(Err(error)),
            }
        }
        match call.send().await {
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
                    *result = Err(QueueError::Call {
                        operation: "SendMessageBatch",
                        source: sentence.clone().into(),
                    });
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
    fn a_delay_is_rounded_up_and_never_more_than_sqs_takes() {
        let delays = [0, 1, 999, 1000, 1001, 900_000, 900_001, 2_000_000]
            .map(|ms| delay_seconds(Duration::from_millis(ms)));
        assert_eq!(delays, [0, 1, 1, 1, 2, 900, 900, 900]);
    }
}
