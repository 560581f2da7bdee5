//! After a receive: deleting a message, or changing for how long it is hidden.
//!
//! As standard queues have it, the latest handle counts: deleting by an older one succeeds and deletes nothing once
//! the message was received again, and deleting twice is no error. A handle that outlived its visibility time-out
//! still deletes, as long as nobody else received the message.

use serde_json::Value;

use super::attributes::Queue;
use super::batch::{self, Results};
use super::error::SqsError;
use super::handle::Handle;
use super::params::Params;
use super::store::Store;
use super::{Answered, Sqs};

/// Twelve hours from its receive, a message is visible again whatever was asked.
const LONGEST_HIDDEN_MS: i64 = 43_200_000;

impl Sqs {
    pub(super) fn delete_message(&self, params: &Params) -> Answered {
        let store = self.store();
        let queue = store.queue(params.queue_name()?)?;
        delete(&store, &queue, params)
    }

    pub(super) fn delete_message_batch(&self, params: &Params) -> Answered {
        self.settle_batch(params, "DeleteMessageBatchRequestEntry", delete)
    }

    pub(super) fn change_message_visibility(&self, params: &Params) -> Answered {
        let store = self.store();
        let queue = store.queue(params.queue_name()?)?;
        let now_ms = self.clock.now_ms();
        let answer = change_visibility(&store, &queue, params, now_ms)?;
        store.wake(&queue.name);
        Ok(answer)
    }

    pub(super) fn change_message_visibility_batch(&self, params: &Params) -> Answered {
        let now_ms = self.clock.now_ms();
        let kind = "ChangeMessageVisibilityBatchRequestEntry";
        let answer = self.settle_batch(params, kind, |store, queue, entry| {
            change_visibility(store, queue, entry, now_ms)
        })?;
        self.store().wake(params.queue_name()?);
        Ok(answer)
    }

    /// One transaction for the whole batch; an entry that is refused has done nothing.
    fn settle_batch(
        &self,
        params: &Params,
        kind: &str,
        settle: impl Fn(&Store, &Queue, &Params) -> Answered,
    ) -> Answered {
        let store = self.store();
        let queue = store.queue(params.queue_name()?)?;
        let entries = batch::entries(params, kind)?;
        let mut results = Results::default();
        let transaction = store.transaction()?;
        for (id, entry) in &entries {
            results.add(id, settle(&store, &queue, entry));
        }
        transaction.commit()?;
        drop(store);
        Ok(results.into_answer())
    }
}

fn handle(queue: &Queue, params: &Params) -> Result<Handle, SqsError> {
    let text = params.required("ReceiptHandle")?;
    Handle::decode(text)
        .filter(|handle| handle.queue == queue.id)
        .ok_or_else(|| SqsError::receipt_handle(text))
}

fn delete(store: &Store, queue: &Queue, params: &Params) -> Answered {
    let handle = handle(queue, params)?;
    store.remove(queue, handle.seq, handle.receipt)?;
    Ok(Value::Null)
}

fn change_visibility(store: &Store, queue: &Queue, params: &Params, now_ms: i64) -> Answered {
    let handle = handle(queue, params)?;
    let Some(seconds) = params.integer_within("VisibilityTimeout", 0, 43_200)? else {
        return Err(SqsError::missing("VisibilityTimeout"));
    };
    let held = store
        .held(queue, handle.seq)?
        .filter(|held| held.receipt == handle.receipt)
        .ok_or_else(|| {
            SqsError::invalid_value(
                &handle.encode(),
                "ReceiptHandle",
                "Message does not exist or is not available for visibility timeout change.",
            )
        })?;
    if held.visible_ms <= now_ms {
        return Err(SqsError::not_in_flight());
    }
    let visible_ms = now_ms + seconds * 1000;
    if visible_ms > held.received_ms + LONGEST_HIDDEN_MS {
        return Err(SqsError::invalid_value(
            &seconds.to_string(),
            "VisibilityTimeout",
            "Total VisibilityTimeout for the message is beyond the limit [43200 seconds].",
        ));
    }
    store.show_at(handle.seq, visible_ms)?;
    Ok(Value::Null)
}
