//! The queues: bells for the dispatcher, and events, now or later. SQS delays at most 15 minutes, so longer delays of
//! events chain by `notBefore`.

mod bell;
mod dead_letters;
mod event;
mod payment;

use std::collections::HashMap;
use std::marker::PhantomData;
use std::time::Duration;

use aws_lambda_events::sqs::SqsMessage;
use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use domain::delivery::Tried;
use domain::time::Timestamp;
use runtime::trace;

pub use bell::{Bell, BellBody, Bells, HookBell, HookBells, MessageBell, MessageBells};
pub use dead_letters::{DeadLetter, DeadLetters, MoveTask, QueueName, Redriven, Sample};
pub use payment::PaymentBell;

/// The longest `DelaySeconds` that SQS takes.
const DELAY_MAX: Duration = Duration::from_secs(900);
/// The message attribute that counts the tries of a message that was deferred.
const ATTEMPT: &str = "attempt";
/// The message attribute that tells when a message may be seen to again.
const NOT_BEFORE: &str = "notBefore";

/// The message attribute that tells when a message was first sent, in milliseconds since the Unix epoch.
const FIRST_SENT: &str = "firstSent";
/// The system attribute that tells when a message was sent, in the same unit.
const SENT: &str = "SentTimestamp";
/// The system attribute that counts how many times a message was shown.
const RECEIVES: &str = "ApproximateReceiveCount";
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

/// A message, and what its attributes tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope<M> {
    /// What its body tells.
    pub message: M,
    /// The tries to see to it.
    pub tried: Tried,
    /// The trace that it belongs to.
    pub trace: Option<String>,
}

impl<M> Envelope<M> {
    /// A new message of the present trace.
    pub fn new(message: M) -> Self {
        Self {
            message,
            tried: Tried::default(),
            trace: trace::header(),
        }
    }
}

impl<M: DeserializeOwned> Envelope<M> {
    /// Reads a message as SQS shows it.
    ///
    /// # Errors
    /// If its body is not such a message.
    pub fn open(shown: &SqsMessage) -> Result<Self, serde_json::Error> {
        Ok(Self {
            message: serde_json::from_str(shown.body.as_deref().unwrap_or_default())?,
            tried: tried_of(shown),
            trace: trace_of(shown).map(str::to_owned),
        })
    }
}

/// The trace that a message belongs to which SQS shows, if it tells one.
#[must_use]
pub fn trace_of(shown: &SqsMessage) -> Option<&str> {
    shown.attributes.get(TRACE).map(String::as_str)
}

fn tried_of(shown: &SqsMessage) -> Tried {
    let system = |name| shown.attributes.get(name).map(String::as_str);
    let attribute = |name| {
        let attribute = shown.message_attributes.get(name)?;
        attribute.string_value.as_deref()
    };
    let count = |text: Option<&str>| text.and_then(|text| text.parse().ok());
    let first_sent = attribute(FIRST_SENT).or_else(|| system(SENT));
    Tried {
        attempt: count(attribute(ATTEMPT)).unwrap_or(0),
        receives: count(system(RECEIVES)).unwrap_or(1),
        not_before: attribute(NOT_BEFORE).and_then(|text| text.parse().ok()),
        first_sent: first_sent
            .and_then(|ms| ms.parse().ok())
            .map(Timestamp::from_ms),
    }
}

/// The SQS queue of the messages `M`.
pub struct Queue<M> {
    client: aws_sdk_sqs::Client,
    url: String,
    messages: PhantomData<fn(&M)>,
}

impl<M> Clone for Queue<M> {
    fn clone(&self) -> Self {
        Self::new(self.client.clone(), self.url.clone())
    }
}

impl<M> Queue<M> {
    const fn new(client: aws_sdk_sqs::Client, url: String) -> Self {
        Self {
            client,
            url,
            messages: PhantomData,
        }
    }
}

impl<M: Serialize> Queue<M> {
    /// Sends a message that is to arrive in `delay`, or as late as SQS allows. Durable on return.
    ///
    /// # Errors
    /// [`QueueError`] if it can't be told whether it was sent.
    pub async fn send(&self, envelope: Envelope<M>, delay: Duration) -> Result<(), QueueError> {
        let attributes = attributes(&envelope.tried)?;
        let call = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(body(&envelope.message)?);
        let call = call
            .set_delay_seconds((!delay.is_zero()).then(|| delay_seconds(delay)))
            .set_message_attributes((!attributes.is_empty()).then_some(attributes))
            .set_message_system_attributes(envelope.trace.and_then(system_attributes));
        let answer = call.send().await;
        answer.map(|_| ()).map_err(QueueError::call("SendMessage"))
    }
}

fn body(message: &impl Serialize) -> Result<String, QueueError> {
    // The two characters of Unicode that SQS refuses and JSON allows; in JSON they stand in strings alone.
    Ok(serde_json::to_string(message)?
        .replace('\u{fffe}', "\\ufffe")
        .replace('\u{ffff}', "\\uffff"))
}

/// What a message tells of its tries, as far as there were any.
fn attributes(tried: &Tried) -> Result<HashMap<String, MessageAttributeValue>, QueueError> {
    let attempt = (tried.attempt > 0).then(|| tried.attempt.to_string());
    let attributes = [
        (ATTEMPT, "Number", attempt),
        (
            NOT_BEFORE,
            "String",
            tried.not_before.map(|at| at.to_string()),
        ),
        (
            FIRST_SENT,
            "Number",
            tried.first_sent.map(|at| at.ms().to_string()),
        ),
    ];
    let attributes = attributes
        .into_iter()
        .filter_map(|(name, data_type, value)| {
            let attribute = MessageAttributeValue::builder().data_type(data_type);
            Some((name.to_owned(), attribute.string_value(value?).build()))
        });
    attributes
        .map(|(name, attribute)| {
            let attribute = attribute.map_err(QueueError::call("building an attribute"))?;
            Ok((name, attribute))
        })
        .collect()
}

/// What SQS itself is told with a message of the trace of `header`.
fn system_attributes(
    header: String,
) -> Option<HashMap<MessageSystemAttributeNameForSends, MessageSystemAttributeValue>> {
    let value = MessageSystemAttributeValue::builder()
        .data_type("String")
        .string_value(header)
        .build()
        .ok()?;
    let name = MessageSystemAttributeNameForSends::AwsTraceHeader;
    Some(HashMap::from([(name, value)]))
}

/// Whole seconds, rounded up, so that nothing comes back too early; at most what SQS takes.
fn delay_seconds(delay: Duration) -> i32 {
    let rounded_up = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
    i32::try_from(rounded_up.min(DELAY_MAX.as_secs())).unwrap_or(900)
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::sqs::SqsMessageAttribute;

    use super::*;

    #[test]
    fn what_sqs_refuses_is_written_as_an_escape() {
        let body = body(&"a\u{ffff}b\u{fffe}").unwrap();
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

    #[test]
    fn what_is_told_of_the_tries_is_read_as_it_is_written() {
        assert!(attributes(&Tried::default()).unwrap().is_empty());
        let at = Timestamp::from_ms(1_763_640_000_123);
        let tried = Tried {
            attempt: 3,
            receives: 2,
            not_before: Some(at),
            first_sent: Some(at),
        };
        let mut shown = SqsMessage::default();
        for (name, value) in attributes(&tried).unwrap() {
            let mut attribute = SqsMessageAttribute::default();
            attribute.string_value = value.string_value;
            shown.message_attributes.insert(name, attribute);
        }
        let system = [(RECEIVES, "2"), (SENT, "1"), (TRACE, "Root=1-2-3")];
        for (name, value) in system {
            shown.attributes.insert(name.to_owned(), value.to_owned());
        }
        shown.body = Some("7".to_owned());
        let envelope: Envelope<u32> = Envelope::open(&shown).unwrap();
        let (message, trace) = (7, Some("Root=1-2-3".to_owned()));
        let expected = Envelope {
            message,
            tried,
            trace,
        };
        assert_eq!(envelope, expected);
        shown.message_attributes.clear();
        let first_sent = Some(Timestamp::from_ms(1));
        assert_eq!(tried_of(&shown).first_sent, first_sent);
        assert!(Envelope::<String>::open(&shown).is_err());
    }
}
