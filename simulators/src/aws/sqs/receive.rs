//! Receiving: what is visible, at most ten at a time, hidden from then on; and the wait of a long poll.

use serde_json::{Map, Value, json};

use super::arn::arn;
use super::attributes::Queue;
use super::dead_letter::DeadLetters;
use super::error::SqsError;
use super::handle::Handle;
use super::message::{attributes_md5, body_md5};
use super::params::Params;
use super::store::{Store, Stored};
use super::{Answered, Sqs};

/// Who sent a message, as SQS would name the caller's user.
const SENDER_ID: &str = "AIDAADMITONELOCALUSER";

const SYSTEM_ATTRIBUTES: [&str; 10] = [
    "All",
    "ApproximateFirstReceiveTimestamp",
    "ApproximateReceiveCount",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
    "MessageDeduplicationId",
    "MessageGroupId",
    "SenderId",
    "SentTimestamp",
    "SequenceNumber",
];

/// One `ReceiveMessage`, read and found right.
struct Receive<'a> {
    queue: &'a str,
    most: usize,
    visibility_seconds: Option<i64>,
    wait_seconds: Option<i64>,
    system_names: Vec<&'a str>,
    attribute_names: Vec<&'a str>,
}

impl<'a> Receive<'a> {
    fn read(params: &'a Params) -> Result<Self, SqsError> {
        let most = params
            .integer_within("MaxNumberOfMessages", 1, 10)?
            .unwrap_or(1);
        let mut system_names = params.texts("AttributeNames")?;
        system_names.extend(params.texts("MessageSystemAttributeNames")?);
        if let Some(unknown) = system_names
            .iter()
            .find(|name| !SYSTEM_ATTRIBUTES.contains(name))
        {
            return Err(SqsError::unknown_attribute(unknown));
        }
        Ok(Self {
            queue: params.queue_name()?,
            most: usize::try_from(most).unwrap_or(1),
            visibility_seconds: params.integer_within("VisibilityTimeout", 0, 43_200)?,
            wait_seconds: params.integer_within("WaitTimeSeconds", 0, 20)?,
            system_names,
            attribute_names: params.texts("MessageAttributeNames")?,
        })
    }

    fn wants_system(&self, name: &str) -> bool {
        self.system_names
            .iter()
            .any(|wanted| *wanted == name || *wanted == "All")
    }

    fn wants_attribute(&self, name: &str) -> bool {
        self.attribute_names
            .iter()
            .any(|wanted| match wanted.strip_suffix(".*") {
                Some(prefix) => name.starts_with(prefix),
                None => *wanted == name || *wanted == "All",
            })
    }
}

impl Sqs {
    pub(super) async fn receive_message(&self, params: &Params) -> Answered {
        let receive = Receive::read(params)?;
        let started_ms = self.clock.now_ms();
        loop {
            // Listening starts before looking, so that nothing sent in between is missed.
            let waker = self
                .store()
                .waker(receive.queue)
                .ok_or_else(SqsError::no_queue)?;
            let mut woken = std::pin::pin!(waker.notified());
            woken.as_mut().enable();

            let now_ms = self.clock.now_ms();
            let (messages, until_ms) = {
                let mut store = self.store();
                let queue = store.queue(receive.queue)?;
                let messages = take(&mut store, &queue, &receive, now_ms)?;
                let wait_seconds = receive.wait_seconds.unwrap_or(queue.wait_seconds);
                let deadline_ms = started_ms + wait_seconds * 1000;
                if !messages.is_empty() || now_ms >= deadline_ms {
                    drop(store);
                    return Ok(if messages.is_empty() {
                        json!({})
                    } else {
                        json!({"Messages": messages})
                    });
                }
                (
                    messages,
                    store
                        .next_due(&queue, now_ms)?
                        .map_or(deadline_ms, |due| due.min(deadline_ms)),
                )
            };
            debug_assert!(
                messages.is_empty(),
                "a receive that found messages has returned them"
            );
            tokio::select! {
                biased;
                () = woken => {}
                () = self.clock.sleep_until(until_ms) => {}
            }
        }
    }
}

/// Takes what is due, in one transaction: poison goes to the dead-letter queue, the rest is hidden and given out.
fn take(
    store: &mut Store,
    queue: &Queue,
    receive: &Receive<'_>,
    now_ms: i64,
) -> Result<Vec<Value>, SqsError> {
    store.sweep(queue, now_ms)?;
    let dead_letters = DeadLetters::of(store, queue);
    let visible_ms = now_ms
        + receive
            .visibility_seconds
            .unwrap_or(queue.visibility_seconds)
            * 1000;
    let mut taken = Vec::new();
    let mut due = store.due(queue, now_ms, receive.most)?;
    if due.is_empty() {
        return Ok(taken);
    }
    let transaction = store.transaction()?;
    loop {
        let mut buried = 0;
        for message in due {
            if let Some(dead_letters) = dead_letters
                .as_ref()
                .filter(|letters| letters.claim(&message))
            {
                dead_letters.bury(store, &message, now_ms)?;
                buried += 1;
                continue;
            }
            let handle = Handle::fresh(queue.id, message.seq);
            store.hide(message.seq, handle.receipt, now_ms, visible_ms)?;
            taken.push(received(message, handle, receive, now_ms));
        }
        if buried == 0 || taken.len() >= receive.most {
            break;
        }
        // Room that poison left is filled, unless a visibility time-out of zero shows again what was just taken.
        due = if visible_ms > now_ms {
            store.due(queue, now_ms, receive.most - taken.len())?
        } else {
            Vec::new()
        };
    }
    transaction.commit()?;
    if let Some(dead_letters) = dead_letters {
        store.wake(dead_letters.target());
    }
    Ok(taken)
}

/// A message as the caller asked to see it.
fn received(message: Stored, handle: Handle, receive: &Receive<'_>, now_ms: i64) -> Value {
    let mut answer = Map::new();
    answer.insert("MD5OfBody".to_owned(), body_md5(&message.body).into());
    if let Some(attributes) = message
        .attributes
        .as_deref()
        .filter(|_| !receive.attribute_names.is_empty())
    {
        let all: Map<String, Value> = serde_json::from_str(attributes).unwrap_or_default();
        let wanted: Map<String, Value> = all
            .into_iter()
            .filter(|(name, _)| receive.wants_attribute(name))
            .collect();
        if !wanted.is_empty() {
            answer.insert(
                "MD5OfMessageAttributes".to_owned(),
                attributes_md5(&wanted).into(),
            );
            answer.insert("MessageAttributes".to_owned(), wanted.into());
        }
    }
    if !receive.system_names.is_empty() {
        let mut system: Map<String, Value> = message
            .system
            .as_deref()
            .and_then(|system| serde_json::from_str(system).ok())
            .unwrap_or_default();
        let first_ms = message.first_received_ms.unwrap_or(now_ms);
        system.insert(
            "ApproximateFirstReceiveTimestamp".to_owned(),
            first_ms.to_string().into(),
        );
        system.insert(
            "ApproximateReceiveCount".to_owned(),
            (message.receives + 1).to_string().into(),
        );
        system.insert("SenderId".to_owned(), SENDER_ID.into());
        system.insert(
            "SentTimestamp".to_owned(),
            message.sent_ms.to_string().into(),
        );
        if let Some(origin) = &message.origin {
            system.insert("DeadLetterQueueSourceArn".to_owned(), arn(origin).into());
        }
        system.retain(|name, _| receive.wants_system(name));
        if !system.is_empty() {
            answer.insert("Attributes".to_owned(), system.into());
        }
    }
    answer.insert("MessageId".to_owned(), message.id.into());
    answer.insert("ReceiptHandle".to_owned(), handle.encode().into());
    answer.insert("Body".to_owned(), message.body.into());
    answer.into()
}
