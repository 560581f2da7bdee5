//! The queue of events for WebEngage.

use std::time::Duration;

use super::{Envelope, Queue, QueueError};
use domain::delivery::{NextTry, Tried};
use domain::event::{Event, EventMessage};
use domain::time::Timestamp;
use runtime::config::Env;

impl Queue<EventMessage> {
    /// The queue that `EVENT_QUEUE_URL` names.
    pub fn from_env(client: aws_sdk_sqs::Client, env: &mut Env) -> Self {
        Self::new(client, env.required("EVENT_QUEUE_URL"))
    }

    /// Sends an event, or has whatever of a request was not delivered delivered now. Durable on return.
    ///
    /// # Errors
    /// [`QueueError`] if it can't be told whether it was sent; sending it again is harmless.
    pub async fn send_now(&self, message: impl Into<EventMessage>) -> Result<(), QueueError> {
        let envelope = Envelope::new(message.into());
        self.send(envelope, Duration::ZERO).await
    }

    /// Sends an event for its next try, after those that its last message tells of. Durable on return.
    ///
    /// # Errors
    /// [`QueueError`] if it can't be told whether it was sent; sending it again is harmless.
    pub async fn defer(
        &self,
        event: Event,
        tried: &Tried,
        next: NextTry,
        now: Timestamp,
    ) -> Result<(), QueueError> {
        let envelope = Envelope {
            tried: tried.and(next, now),
            ..Envelope::new(EventMessage::Event(event))
        };
        self.send(envelope, next.at.since(now)).await
    }
}
