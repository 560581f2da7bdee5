//! SQS standard queues: the JSON protocol, on SQLite.
//!
//! At least once, roughly in the order in which messages become visible. All times are those of the
//! [`Clock`], so a turned clock ends delays, visibility time-outs, retention and long polls.
//! FIFO queues are refused: nothing here orders by group.

mod arn;
mod attributes;
mod batch;
mod dead_letter;
mod error;
mod handle;
mod message;
mod move_task;
mod page;
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

use super::group_commit::{GroupCommit, NotDurable};
use super::response::AwsResponse;
use super::{ACCOUNT, AwsError, Storage};
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
    log: Option<GroupCommit>,
    clock: Clock,
    url: String,
}

impl Sqs {
    pub(crate) fn open(storage: &Storage, clock: Clock, url: String) -> Result<Self, AwsError> {
        let (store, log) = match storage.folder() {
            None => (Store::memory().map_err(AwsError::Queues)?, None),
            Some(folder) => {
                let file = folder.join("sqs.sqlite");
                let store = Store::file(&file).map_err(AwsError::Queues)?;
                let log = match storage {
                    Storage::Unsynced(_) => None,
                    _ => Some(GroupCommit::of_database(&file).map_err(AwsError::Log)?),
                };
                (store, log)
            }
        };
        Ok(Self {
            store: Mutex::new(store),
            log,
            clock,
            url,
        })
    }

    /// Whether the disk did not take what was written.
    pub(crate) fn has_failed(&self) -> bool {
        self.log.as_ref().is_some_and(GroupCommit::has_failed)
    }

    /// How often the log was flushed.
    pub(crate) fn flushes(&self) -> u64 {
        self.log.as_ref().map_or(0, GroupCommit::flushes)
    }

    /// Waits until all that is stored now is on the disk.
    async fn durable(&self) -> Result<(), NotDurable> {
        let Some(log) = &self.log else {
            return Ok(());
        };
        let commit = self.store().connection().total_changes();
        log.durable(commit).await
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

/// What must be on the disk before it is answered. Not so what a receive hides and what is deleted or shown at another
/// time: if a power cut takes that back, a message is received once more, as queues may have it at any time.
const DURABLE: &[&str] = &[
    "CancelMessageMoveTask",
    "CreateQueue",
    "DeleteQueue",
    "PurgeQueue",
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
pub(crate) async fn call(sqs: &Arc<Sqs>, operation: &str, body: &[u8]) -> AwsResponse {
    let Ok(Value::Object(members)) = serde_json::from_slice::<Value>(body) else {
        return AwsResponse::unreadable();
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
        _ => return AwsResponse::unknown_operation(),
    };
    if answered.is_ok() && DURABLE.contains(&operation) && sqs.durable().await.is_err() {
        return SqsError::internal().into_answer();
    }
    match answered {
        // AWS answers an operation that has nothing to say with no body at all.
        Ok(Value::Null) => AwsResponse::ok(""),
        Ok(answer) => AwsResponse::ok(answer.to_string()),
        Err(error) => error.into_answer(),
    }
}
