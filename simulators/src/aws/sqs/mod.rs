//! SQS standard queues: the JSON protocol, on SQLite.
//!
//! At least once, roughly in the order in which messages become visible. All times are those of the
//! [`Clock`], so a turned clock ends delays, visibility time-outs, retention and long polls.
//! FIFO queues are refused: nothing here orders by group.

mod attributes;
mod batch;
mod dead_letter;
mod error;
mod handle;
mod message;
mod move_task;
mod params;
mod queues;
mod receive;
mod redrive_policy;
mod schema;
mod send;
mod settle;
mod store;
mod tags;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::answer::Answer;
use super::{ACCOUNT, Storage};
use crate::clock::Clock;

pub(crate) use error::SqsError;
pub(crate) use move_task::resume as resume_move_tasks;
use params::Params;
use store::Store;

/// What an operation answers when it does not refuse.
type Answered = Result<Value, SqsError>;

/// A queue's messages at one moment, exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Can be received now.
    pub visible: u64,
    /// Were received and wait for their deletion or their visibility time-out.
    pub in_flight: u64,
    /// Were sent with a delay that still runs.
    pub delayed: u64,
}

impl Depth {
    /// All messages.
    #[must_use]
    pub fn total(self) -> u64 {
        self.visible + self.in_flight + self.delayed
    }
}

/// All queues.
pub(crate) struct Sqs {
    store: Mutex<Store>,
    clock: Clock,
    url: String,
}

impl Sqs {
    pub(crate) fn open(
        storage: &Storage,
        clock: Clock,
        url: String,
    ) -> Result<Self, rusqlite::Error> {
        let store = match storage {
            Storage::Memory => Store::memory()?,
            Storage::Folder(folder) => Store::file(&folder.join("sqs.sqlite"))?,
        };
        Ok(Self {
            store: Mutex::new(store),
            clock,
            url,
        })
    }

    pub(crate) fn depth(&self, name: &str) -> Option<Depth> {
        let mut store = self.store();
        let queue = store.queue(name).ok()?;
        store.depth(&queue, self.clock.now_ms()).ok()
    }

    /// Waits until the queue has a message that can be received. A queue that is not there is not waited for.
    pub(crate) async fn until_due(&self, name: &str) {
        loop {
            // Listening starts before looking, so that nothing sent in between is missed.
            let Some(waker) = self.store().waker(name) else {
                return;
            };
            let mut woken = std::pin::pin!(waker.notified());
            woken.as_mut().enable();
            let now_ms = self.clock.now_ms();
            let next_ms = {
                let store = self.store();
                let Ok(queue) = store.queue(name) else {
                    return;
                };
                match store.due(&queue, now_ms, 1) {
                    Ok(due) if due.is_empty() => {}
                    _ => return,
                }
                store.next_due(&queue, now_ms).ok().flatten()
            };
            let due = async {
                match next_ms {
                    Some(at_ms) => self.clock.sleep_until(at_ms).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = woken => {}
                () = due => {}
            }
        }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue_url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT}/{name}", self.url)
    }
}

const OPERATIONS: &[&str] = &[
    "CancelMessageMoveTask",
    "ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch",
    "CreateQueue",
    "DeleteMessage",
    "DeleteMessageBatch",
    "DeleteQueue",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "ListMessageMoveTasks",
    "ListQueueTags",
    "ListQueues",
    "PurgeQueue",
    "ReceiveMessage",
    "SendMessage",
    "SendMessageBatch",
    "SetQueueAttributes",
    "StartMessageMoveTask",
    "TagQueue",
    "UntagQueue",
];

/// The operation by its name on the wire.
pub(crate) fn operation(name: &str) -> Option<&'static str> {
    OPERATIONS.iter().find(|known| **known == name).copied()
}

/// Runs one call.
pub(crate) async fn call(sqs: &Arc<Sqs>, operation: &str, body: &[u8]) -> Answer {
    let Ok(Value::Object(members)) = serde_json::from_slice::<Value>(body) else {
        return Answer::unreadable();
    };
    let params = Params::new(members);
    let answered = match operation {
        "CancelMessageMoveTask" => sqs.cancel_message_move_task(&params),
        "ChangeMessageVisibility" => sqs.change_message_visibility(&params),
        "ChangeMessageVisibilityBatch" => sqs.change_message_visibility_batch(&params),
        "CreateQueue" => sqs.create_queue(&params),
        "DeleteMessage" => sqs.delete_message(&params),
        "DeleteMessageBatch" => sqs.delete_message_batch(&params),
        "DeleteQueue" => sqs.delete_queue(&params),
        "GetQueueAttributes" => sqs.get_queue_attributes(&params),
        "GetQueueUrl" => sqs.get_queue_url(&params),
        "ListDeadLetterSourceQueues" => sqs.list_dead_letter_source_queues(&params),
        "ListMessageMoveTasks" => sqs.list_message_move_tasks(&params),
        "ListQueueTags" => sqs.list_queue_tags(&params),
        "ListQueues" => sqs.list_queues(&params),
        "PurgeQueue" => sqs.purge_queue(&params),
        "ReceiveMessage" => sqs.receive_message(&params).await,
        "SendMessage" => sqs.send_message(&params),
        "SendMessageBatch" => sqs.send_message_batch(&params),
        "SetQueueAttributes" => sqs.set_queue_attributes(&params),
        "StartMessageMoveTask" => move_task::start(sqs, &params),
        "TagQueue" => sqs.tag_queue(&params),
        "UntagQueue" => sqs.untag_queue(&params),
        _ => return Answer::unknown_operation(),
    };
    match answered {
        // AWS answers an operation that has nothing to say with no body at all.
        Ok(Value::Null) => Answer::ok(""),
        Ok(answer) => Answer::ok(answer.to_string()),
        Err(error) => error.into_answer(),
    }
}
