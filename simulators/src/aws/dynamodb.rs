//! DynamoDB: the embedded engine behind the wire, called in this process.
//!
//! The engine's own HTTP server is not used, so a call costs no second connection. What that server adds to the
//! engine, the reading of bodies and the wording of unreadable ones, is done here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use dynoxide::{Database, DynoxideError};
use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::capacity::{self, Units};
use super::changes::Watchers;
use super::expiry::{Expiry, PAGE};
use super::group_commit::{GroupCommit, NotDurable};
use super::response::AwsResponse;
use super::{AwsError, AwsState, Storage};
use crate::clock::Clock;

/// How often items past their time to live are deleted, at most. AWS promises days.
const EXPIRY_INTERVAL: Duration = Duration::from_mins(1);
/// How many times as long as it took the next deletion waits, where that is longer.
const EXPIRY_REST: u32 = 100;

/// What changes nothing. The others commit, unless they are refused.
const READS: [&str; 8] = [
    "BatchGetItem",
    "DescribeTable",
    "DescribeTimeToLive",
    "GetItem",
    "ListTables",
    "ListTagsOfResource",
    "Query",
    "Scan",
];

macro_rules! operations {
    ($($wire:literal => $method:ident),* $(,)?) => {
        /// The operation by its name on the wire.
        pub(crate) fn operation(name: &str) -> Option<&'static str> {
            match name { $($wire => Some($wire),)* _ => None }
        }

        fn run(db: &Database, operation: &str, body: &[u8]) -> Result<Vec<u8>, DynoxideError> {
            match operation {
                $($wire => write(&db.$method(read(operation, body)?)?),)*
                _ => Err(DynoxideError::InternalServerError(format!("no operation {operation}"))),
            }
        }
    };
}

operations! {
    "BatchExecuteStatement" => batch_execute_statement,
    "BatchGetItem" => batch_get_item,
    "BatchWriteItem" => batch_write_item,
    "CreateTable" => create_table,
    "DeleteItem" => delete_item,
    "DeleteTable" => delete_table,
    "DescribeTable" => describe_table,
    "DescribeTimeToLive" => describe_time_to_live,
    "ExecuteStatement" => execute_statement,
    "ExecuteTransaction" => execute_transaction,
    "GetItem" => get_item,
    "ListTables" => list_tables,
    "ListTagsOfResource" => list_tags_of_resource,
    "PutItem" => put_item,
    "Query" => query,
    "Scan" => scan,
    "TagResource" => tag_resource,
    "TransactGetItems" => transact_get_items,
    "TransactWriteItems" => transact_write_items,
    "UntagResource" => untag_resource,
    "UpdateItem" => update_item,
    "UpdateTable" => update_table,
    "UpdateTimeToLive" => update_time_to_live,
}

/// The engine's clock is the state's, so that what expires by a turned clock is found expired.
struct EngineClock(Clock);

impl dynoxide::storage_backend::Clock for EngineClock {
    fn now_unix_secs(&self) -> u64 {
        u64::try_from(self.0.now_ms() / 1000).unwrap_or_default()
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a date fits a double for the next 285,000 years"
    )]
    fn now_unix_secs_f64(&self) -> f64 {
        self.0.now_ms() as f64 / 1000.0
    }
}

/// The tables.
pub(crate) struct DynamoDb {
    db: Database,
    /// How many commits there were. Held over each call: what a call has seen was committed before its number.
    commits: Mutex<u64>,
    log: Option<GroupCommit>,
    expiry: Option<Mutex<Expiry>>,
    clock: Clock,
    pub(crate) watchers: Watchers,
}

impl DynamoDb {
    pub(crate) fn open(storage: &Storage, clock: &Clock) -> Result<Self, AwsError> {
        let (db, log, expiry) = match storage.folder() {
            None => {
                let clock = Arc::new(EngineClock(clock.clone()));
                let db = Database::memory_with_clock(clock).map_err(AwsError::Tables)?;
                (db, None, None)
            }
            Some(folder) => {
                let file = folder.join("dynamodb.sqlite");
                let db = Database::new(&file.to_string_lossy()).map_err(AwsError::Tables)?;
                // The engine's name for `PRAGMA synchronous = NORMAL`: a commit is in the write-ahead log when it
                // returns, and flushed by the group commit.
                db.disable_bulk_loading().map_err(AwsError::Tables)?;
                let log = match storage {
                    Storage::Unsynced(_) => None,
                    _ => Some(GroupCommit::of_database(&file).map_err(AwsError::Log)?),
                };
                let expiry = Expiry::open(&file).map_err(AwsError::Expiry)?;
                (db, log, Some(Mutex::new(expiry)))
            }
        };
        Ok(Self {
            db,
            commits: Mutex::new(0),
            log,
            expiry,
            clock: clock.clone(),
            watchers: Watchers::default(),
        })
    }

    /// The answer, and the number of the commit that must be [durable](DynamoDb::durable) before it is given.
    pub(crate) fn call(&self, operation: &str, body: &Bytes) -> (AwsResponse, u64) {
        let mut commits = self.commits();
        let result = run(&self.db, operation, body);
        let commit = self.count(&mut commits, operation, body, &result);
        drop(commits);
        (answer(operation, result), commit)
    }

    /// As [`DynamoDb::call`], and says what the call used. The caller's answer is as if it had not been measured.
    pub(crate) fn call_measured(
        &self,
        operation: &str,
        request: &Value,
    ) -> (AwsResponse, u64, Units) {
        let mut asked = request.clone();
        let is_ours = capacity::ask(operation, &mut asked);
        let asked = asked.to_string();
        let mut commits = self.commits();
        let result = run(&self.db, operation, asked.as_bytes());
        let commit = self.count(&mut commits, operation, asked.as_bytes(), &result);
        drop(commits);
        match result {
            Ok(body) => {
                let (body, units) = capacity::read(operation, request, body, is_ours);
                (answer(operation, Ok(body)), commit, units)
            }
            Err(error) => {
                let units = capacity::of_failure(&self.db, operation, request, &error);
                (answer(operation, Err(error)), commit, units)
            }
        }
    }

    /// Waits until this commit is on the disk. Reads wait as writes do: what they have seen may be of a write that
    /// nobody was told of yet, and must not be told and then be lost.
    pub(crate) async fn durable(&self, commit: u64) -> Result<(), NotDurable> {
        match &self.log {
            Some(log) => log.durable(commit).await,
            None => Ok(()),
        }
    }

    /// Whether the disk did not take what was written.
    pub(crate) fn has_failed(&self) -> bool {
        self.log.as_ref().is_some_and(GroupCommit::has_failed)
    }

    /// How often the log was flushed.
    pub(crate) fn flushes(&self) -> u64 {
        self.log.as_ref().map_or(0, GroupCommit::flushes)
    }

    /// A call of this process's own, beside the wire.
    pub(crate) fn inspect(&self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        let body = run(&self.db, operation, request.to_string().as_bytes());
        let body = body.map_err(AwsError::Tables)?;
        Ok(serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Counts the commit of a call, if it made one, and notes what it wrote.
    fn count(
        &self,
        commits: &mut u64,
        operation: &str,
        body: &[u8],
        result: &Result<Vec<u8>, DynoxideError>,
    ) -> u64 {
        // What is refused was rolled back; a fault may have come after the commit.
        let may_have_committed = match result {
            Ok(_) => true,
            Err(error) => error.status_code() >= 500,
        };
        if may_have_committed && !READS.contains(&operation) {
            *commits += 1;
            self.watchers.wrote(operation, body);
        }
        *commits
    }

    fn commits(&self) -> MutexGuard<'_, u64> {
        self.commits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Deletes what is past its time to live; answers how many items.
    pub(crate) fn expire(&self) -> Result<usize, AwsError> {
        let Some(expiry) = &self.expiry else {
            return self.db.sweep_ttl().map_err(AwsError::Tables);
        };
        let now_seconds = self.clock.now_ms() / 1000;
        let expiry = expiry.lock().unwrap_or_else(PoisonError::into_inner);
        let tables = {
            let _alone = self.commits();
            expiry.tables().map_err(AwsError::Expiry)?
        };
        let mut deleted = 0;
        for table in &tables {
            loop {
                let due = expiry.due(table, now_seconds).map_err(AwsError::Expiry)?;
                let found = due.len();
                let mut went = 0;
                for deletion in due {
                    let body = Bytes::from(deletion.to_string());
                    let (answer, _) = self.call("DeleteItem", &body);
                    went += usize::from(answer.status.is_success());
                }
                deleted += went;
                // One that can't be deleted is not tried for ever.
                if found < PAGE || went == 0 {
                    break;
                }
            }
        }
        Ok(deleted)
    }
}

/// Deletes what is past its time to live, every minute, until aborted.
pub(crate) async fn expire_forever(state: Arc<AwsState>) {
    let mut wait = EXPIRY_INTERVAL;
    loop {
        tokio::time::sleep(wait).await;
        let began = Instant::now();
        let swept = {
            let state = Arc::clone(&state);
            tokio::task::spawn_blocking(move || state.dynamodb.expire()).await
        };
        wait = EXPIRY_INTERVAL.max(began.elapsed() * EXPIRY_REST);
        match swept {
            Ok(Ok(items)) => tracing::debug!(items, "items past their time to live were deleted"),
            Ok(Err(error)) => {
                tracing::error!(%error, "items past their time to live could not be deleted")
            }
            Err(_) => return,
        }
    }
}

fn answer(operation: &str, result: Result<Vec<u8>, DynoxideError>) -> AwsResponse {
    let mut answer = match result {
        Ok(body) => AwsResponse::ok(body),
        Err(DynoxideError::ConditionalCheckFailedException(message, Some(item)))
            if operation == "ExecuteStatement" =>
        {
            refusal(&DynoxideError::StatementConditionalCheckFailed(
                message, item,
            ))
        }
        Err(error) => refusal(&error),
    };
    answer.checksum = true;
    answer
}

fn refusal(error: &DynoxideError) -> AwsResponse {
    let status = StatusCode::from_u16(error.status_code()).unwrap_or(StatusCode::BAD_REQUEST);
    if status.is_server_error() {
        tracing::error!(%error, "the tables failed");
    }
    AwsResponse::new(status, error.to_json())
}

/// Asked too fast.
pub(crate) fn throttled() -> AwsResponse {
    let mut answer = AwsResponse::json(
        StatusCode::BAD_REQUEST,
        &json!({
            "__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
            "message": "The level of configured provisioned throughput for the table was exceeded. Consider increasing your \
                        provisioning level with the UpdateTable API.",
        }),
    );
    answer.checksum = true;
    answer
}

/// The item is part of a transaction.
pub(crate) fn in_transaction() -> AwsResponse {
    let mut answer = AwsResponse::json(
        StatusCode::BAD_REQUEST,
        &json!({
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionConflictException",
            "message": "Transaction is ongoing for the item",
        }),
    );
    answer.checksum = true;
    answer
}

/// The service failed.
pub(crate) fn failed() -> AwsResponse {
    refusal(&DynoxideError::InternalServerError(
        "Internal server error".to_owned(),
    ))
}

fn write<T: Serialize>(response: &T) -> Result<Vec<u8>, DynoxideError> {
    serde_json::to_vec(response)
        .map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

fn read<T: DeserializeOwned>(operation: &str, body: &[u8]) -> Result<T, DynoxideError> {
    serde_json::from_slice(body).map_err(|error| unreadable(operation, body, &error))
}

/// What DynamoDB says of a body that can't be read as a request. The engine's types mark what they refuse by a prefix.
fn unreadable(operation: &str, body: &[u8], error: &serde_json::Error) -> DynoxideError {
    match serde_json::from_slice(body) {
        Ok(Value::Object(_)) => {}
        Ok(_) => return DynoxideError::SerializationException("Unexpected field type".to_owned()),
        Err(_) => return DynoxideError::SerializationException(String::new()),
    }
    let said = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    let message = said.strip_suffix(&position).unwrap_or(&said);
    if let Some(message) = message.strip_prefix("VALIDATION_REQUEST:") {
        let enveloped = matches!(operation, "PutItem" | "UpdateItem" | "DeleteItem");
        let envelope = if enveloped {
            "1 validation error detected: "
        } else {
            ""
        };
        return DynoxideError::ValidationException(format!("{envelope}{message}"));
    }
    for prefix in ["VALIDATION:", "VALIDATION_AS_READ:"] {
        if let Some(message) = message.strip_prefix(prefix) {
            return DynoxideError::ValidationException(message.to_owned());
        }
    }
    for prefix in ["SERIALIZATION:", "SERIALIZATION_AS_READ:"] {
        if let Some(message) = message.strip_prefix(prefix) {
            return DynoxideError::SerializationException(message.to_owned());
        }
    }
    if message.contains("empty AttributeValue") {
        return DynoxideError::ValidationException(
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
                .to_owned(),
        );
    }
    if message.contains("AttributeValue")
        || message.contains("missing field")
        || message.contains("unknown variant")
        || message.contains("invalid type: null")
    {
        return DynoxideError::ValidationException(message.to_owned());
    }
    DynoxideError::SerializationException(match mistaken_type(message) {
        Some((given, wanted)) => format!("{given} cannot be converted to {wanted}"),
        None => "Start of structure or map found where not expected.".to_owned(),
    })
}

/// `NUMBER_VALUE` and `String`, of "invalid type: integer `23`, expected a string".
fn mistaken_type(message: &str) -> Option<(&'static str, &'static str)> {
    let (given, wanted) = message
        .strip_prefix("invalid type: ")?
        .split_once(", expected ")?;
    let given = match given.split([' ', '`']).next()? {
        "integer" => "NUMBER_VALUE",
        "floating" => "DECIMAL_VALUE",
        "string" => "STRING_VALUE",
        "boolean" if given.contains("true") => "TRUE_VALUE",
        "boolean" => "FALSE_VALUE",
        _ => return None,
    };
    let wanted = if wanted.contains("string") {
        "String"
    } else if wanted.contains("bool") {
        "Boolean"
    } else if wanted.contains('i') && (wanted.contains("32") || wanted.contains("64"))
        || wanted.contains("integer")
    {
        "Integer"
    } else {
        return None;
    };
    Some((given, wanted))
}
