//! Sending: one message, or a batch of which the right ones are stored and the others are told apart.

use serde_json::{Map, Value};

use super::attributes::MAX_MESSAGE_BYTES;
use super::batch::{self, Results};
use super::error::SqsError;
use super::message::{NewMessage, body_md5};
use super::params::Params;
use super::{Answered, Sqs};

impl Sqs {
    pub(super) fn send_message(&self, params: &Params) -> Answered {
        let name = params.queue_name()?;
        let store = self.store();
        let queue = store.queue(name)?;
        let message = NewMessage::read(params, &queue)?;
        store.insert(&queue, &message, self.clock.now_ms())?;
        store.wake(name);
        drop(store);
        Ok(receipt(&message))
    }

    pub(super) fn send_message_batch(&self, params: &Params) -> Answered {
        let name = params.queue_name()?;
        let queue = self.store().queue(name)?;
        let entries = batch::entries(params, "SendMessageBatchRequestEntry")?;
        let messages: Vec<_> = entries
            .iter()
            .map(|(id, entry)| (id, NewMessage::read(entry, &queue)))
            .collect();
        let bytes: usize = entries.iter().map(|(_, entry)| sent_bytes(entry)).sum();
        if bytes > MAX_MESSAGE_BYTES {
            return Err(SqsError::batch_too_long(bytes, MAX_MESSAGE_BYTES));
        }

        let mut results = Results::default();
        let now_ms = self.clock.now_ms();
        let store = self.store();
        // Asked again: the queue may have gone while the batch was read.
        let queue = store.queue(name)?;
        let transaction = store.transaction()?;
        for (id, message) in messages {
            let stored = message.and_then(|message| {
                store.insert(&queue, &message, now_ms)?;
                Ok(receipt(&message))
            });
            results.add(id, stored);
        }
        transaction.commit()?;
        store.wake(name);
        drop(store);
        Ok(results.into_answer())
    }
}

/// What an entry counts against the size of its batch, right or not.
fn sent_bytes(entry: &Params) -> usize {
    let body = entry.text("MessageBody").ok().flatten().map_or(0, str::len);
    let attributes = entry.map("MessageAttributes").ok().flatten();
    let attributes: usize = attributes
        .into_iter()
        .flatten()
        .map(|(name, attribute)| {
            let text = |member: &str| {
                attribute
                    .get(member)
                    .and_then(Value::as_str)
                    .map_or(0, str::len)
            };
            name.len() + text("DataType") + text("StringValue") + text("BinaryValue") / 4 * 3
        })
        .sum();
    body + attributes
}

fn receipt(message: &NewMessage<'_>) -> Value {
    let mut answer = Map::new();
    answer.insert("MessageId".to_owned(), message.id.clone().into());
    answer.insert("MD5OfMessageBody".to_owned(), body_md5(message.body).into());
    if let Some(md5) = &message.attributes_md5 {
        answer.insert("MD5OfMessageAttributes".to_owned(), md5.clone().into());
    }
    if let Some(md5) = &message.system_md5 {
        answer.insert(
            "MD5OfMessageSystemAttributes".to_owned(),
            md5.clone().into(),
        );
    }
    answer.into()
}
