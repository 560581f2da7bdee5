//! Move tasks: dead letters sent back, to where they came from or to one queue, as fast as can be or at a rate.
//!
//! A moved message is a new one to its queue, with a new id, age and count. A task and its progress are stored with
//! the messages that it moves, so it goes on after a restart.

use std::sync::{Arc, Weak};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rusqlite::{OptionalExtension, Row, params};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::arn::{arn, name_in_arn};
use super::attributes::Queue;
use super::error::SqsError;
use super::params::Params;
use super::store::Store;
use super::{Answered, Sqs, dead_letter};

/// How many messages move in one transaction when no rate is asked for.
const STEP: i64 = 500;

struct MoveTask {
    handle: String,
    source: String,
    destination: Option<String>,
    per_second: Option<i64>,
    status: String,
    moved: i64,
    to_move: i64,
    started_ms: i64,
    failure: Option<String>,
}

impl MoveTask {
    const COLUMNS: &str =
        "handle, source, destination, per_second, status, moved, to_move, started_ms, failure";

    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            handle: row.get(0)?,
            source: row.get(1)?,
            destination: row.get(2)?,
            per_second: row.get(3)?,
            status: row.get(4)?,
            moved: row.get(5)?,
            to_move: row.get(6)?,
            started_ms: row.get(7)?,
            failure: row.get(8)?,
        })
    }

    fn find(store: &Store, handle: &str) -> Result<Option<Self>, SqsError> {
        let sql = format!("SELECT {} FROM move_task WHERE handle = ?1", Self::COLUMNS);
        Ok(store
            .connection()
            .prepare_cached(&sql)?
            .query_row([handle], Self::read)
            .optional()?)
    }

    /// The tasks of a source, the newest first.
    fn of_source(store: &Store, source: &str) -> Result<Vec<Self>, SqsError> {
        let sql = format!(
            "SELECT {} FROM move_task WHERE source = ?1 ORDER BY seq DESC LIMIT 10",
            Self::COLUMNS
        );
        let mut statement = store.connection().prepare_cached(&sql)?;
        let tasks = statement.query_map([source], Self::read)?;
        Ok(tasks.collect::<Result<_, _>>()?)
    }

    fn end(&self, store: &Store, status: &str, failure: Option<&str>) -> Result<(), SqsError> {
        store.connection().execute(
            "UPDATE move_task SET status = ?2, failure = ?3 WHERE handle = ?1",
            params![self.handle, status, failure],
        )?;
        Ok(())
    }

    fn entry(&self) -> Value {
        let mut entry = json!({
            "Status": self.status,
            "SourceArn": arn(&self.source),
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self.to_move,
            "StartedTimestamp": self.started_ms,
        });
        if self.status == "RUNNING" {
            entry["TaskHandle"] = self.handle.clone().into();
        }
        if let Some(destination) = &self.destination {
            entry["DestinationArn"] = arn(destination).into();
        }
        if let Some(per_second) = self.per_second {
            entry["MaxNumberOfMessagesPerSecond"] = per_second.into();
        }
        if let Some(failure) = &self.failure {
            entry["FailureReason"] = failure.clone().into();
        }
        entry
    }
}

/// `StartMessageMoveTask`: answers at once; the messages move in the background.
pub(super) fn start(sqs: &Arc<Sqs>, params: &Params) -> Answered {
    let source_arn = params.required("SourceArn")?;
    let per_second = params.integer_within("MaxNumberOfMessagesPerSecond", 1, 500)?;
    let missing = |parameter: &str| {
        SqsError::no_resource(format!(
            "The resource that you specified for the {parameter} parameter doesn't exist."
        ))
    };
    let mut store = sqs.store();
    let source = name_in_arn(source_arn)
        .and_then(|name| store.queue(name).ok())
        .ok_or_else(|| missing("SourceArn"))?;
    let destination = match params.text("DestinationArn")? {
        None => None,
        Some(given) => {
            let queue = name_in_arn(given).and_then(|name| store.queue(name).ok());
            Some(queue.ok_or_else(|| missing("DestinationArn"))?)
        }
    };
    if dead_letter::sources(&store, &source.name).is_empty() {
        return Err(SqsError::invalid(
            "Source queue must be configured as a Dead Letter Queue.",
        ));
    }
    if destination
        .as_ref()
        .is_some_and(|destination| destination.id == source.id)
    {
        return Err(SqsError::invalid(
            "Source queue arn and destination queue arn cannot be the same.",
        ));
    }
    if MoveTask::of_source(&store, &source.name)?
        .iter()
        .any(|task| task.status == "RUNNING")
    {
        return Err(SqsError::unsupported(
            "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
        ));
    }
    let now_ms = sqs.clock.now_ms();
    let to_move = store.depth(&source, now_ms)?.total();
    let identity = json!({"taskId": crate::random::uuid().to_string(), "sourceArn": source.arn()});
    let handle = STANDARD.encode(identity.to_string());
    store.connection().execute(
        "INSERT INTO move_task (handle, source, destination, per_second, status, moved, to_move, started_ms)
         VALUES (?1, ?2, ?3, ?4, 'RUNNING', 0, ?5, ?6)",
        params![
            handle,
            source.name,
            destination.map(|queue| queue.name.clone()),
            per_second,
            i64::try_from(to_move).unwrap_or(i64::MAX),
            now_ms
        ],
    )?;
    drop(store);
    tokio::spawn(run(Arc::downgrade(sqs), handle.clone()));
    Ok(json!({"TaskHandle": handle}))
}

/// Goes on with the tasks that were running when the last process ended.
pub(crate) fn resume(sqs: &Arc<Sqs>) -> Vec<JoinHandle<()>> {
    let store = sqs.store();
    let handles: Result<Vec<String>, rusqlite::Error> = store
        .connection()
        .prepare("SELECT handle FROM move_task WHERE status = 'RUNNING'")
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect());
    match handles {
        Ok(handles) => handles
            .into_iter()
            .map(|handle| tokio::spawn(run(Arc::downgrade(sqs), handle)))
            .collect(),
        Err(error) => {
            tracing::error!(%error, "the move tasks could not be read");
            Vec::new()
        }
    }
}

/// Moves step by step until the task ends or the server does.
async fn run(sqs: Weak<Sqs>, handle: String) {
    loop {
        let (pause_until_ms, clock) = {
            let Some(sqs) = sqs.upgrade() else { return };
            let now_ms = sqs.clock.now_ms();
            match step(&sqs.store(), &handle, now_ms) {
                Ok(Some(rate)) => (rate.map(|_| now_ms + 1000), sqs.clock.clone()),
                Ok(None) | Err(_) => return,
            }
        };
        match pause_until_ms {
            Some(until_ms) => clock.sleep_until(until_ms).await,
            None => tokio::task::yield_now().await,
        }
    }
}

/// Moves some messages in one transaction with the task's count. `None` once the task has ended; else its rate.
fn step(store: &Store, handle: &str, now_ms: i64) -> Result<Option<Option<i64>>, SqsError> {
    let Some(task) = MoveTask::find(store, handle)?.filter(|task| task.status == "RUNNING") else {
        return Ok(None);
    };
    let fail = |reason: &str| task.end(store, "FAILED", Some(reason)).map(|()| None);
    let Ok(source) = store.queue(&task.source) else {
        return fail("AWS.SimpleQueueService.NonExistentQueue");
    };
    let most = usize::try_from(task.per_second.unwrap_or(STEP)).unwrap_or(1);
    let due = store.due(&source, now_ms, most)?;
    if due.is_empty() {
        task.end(store, "COMPLETED", None)?;
        return Ok(None);
    }
    let transaction = store.transaction()?;
    let mut failure = None;
    let mut moved = 0;
    let mut reached: Vec<Arc<Queue>> = Vec::new();
    for message in due {
        let Some(name) = task.destination.as_deref().or(message.origin.as_deref()) else {
            failure = Some("CouldNotDetermineMessageSource");
            break;
        };
        let Ok(target) = store.queue(name) else {
            failure = Some("AWS.SimpleQueueService.NonExistentQueue");
            break;
        };
        store
            .connection()
            .prepare_cached(
                "UPDATE message SET queue = ?2, id = ?3, sent_ms = ?4, visible_ms = ?4, received = 0, receives = 0,
                     receipt = 0, first_received_ms = NULL, received_ms = NULL, origin = NULL WHERE seq = ?1",
            )?
            .execute(params![message.seq, target.id, crate::random::uuid().to_string(), now_ms])?;
        moved += 1;
        if !reached.iter().any(|queue| queue.id == target.id) {
            reached.push(target);
        }
    }
    store
        .connection()
        .prepare_cached("UPDATE move_task SET moved = moved + ?2 WHERE handle = ?1")?
        .execute(params![handle, moved])?;
    transaction.commit()?;
    for queue in reached {
        store.wake(&queue.name);
    }
    match failure {
        Some(reason) => fail(reason),
        None => Ok(Some(task.per_second)),
    }
}

impl Sqs {
    pub(super) fn list_message_move_tasks(&self, params: &Params) -> Answered {
        let source_arn = params.required("SourceArn")?;
        let most = params.integer_within("MaxResults", 1, 10)?.unwrap_or(1);
        let store = self.store();
        let source = name_in_arn(source_arn)
            .and_then(|name| store.queue(name).ok())
            .ok_or_else(|| {
                SqsError::no_resource(
                    "The resource that you specified for the SourceArn parameter doesn't exist.",
                )
            })?;
        let tasks = MoveTask::of_source(&store, &source.name)?;
        drop(store);
        let entry: Vec<Value> = tasks
            .iter()
            .take(usize::try_from(most).unwrap_or(1))
            .map(MoveTask::entry)
            .collect();
        Ok(json!({"Results": entry}))
    }

    pub(super) fn cancel_message_move_task(&self, params: &Params) -> Answered {
        let handle = params.required("TaskHandle")?;
        let store = self.store();
        let task = MoveTask::find(&store, handle)?
            .ok_or_else(|| SqsError::no_resource("Task does not exist."))?;
        if task.status != "RUNNING" {
            return Err(SqsError::unsupported("Only active tasks can be cancelled."));
        }
        task.end(&store, "CANCELLED", None)?;
        Ok(json!({"ApproximateNumberOfMessagesMoved": task.moved}))
    }
}
