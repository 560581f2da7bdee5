//! All requests in short, and the newest in full, kept up to date by what is written to their table: totals and rows cost
//! no reading of the table, and the page is sent only what changed.
//!
//! What an earlier run left is read in the background, page by page, while everything serves; until then the totals say
//! that they are not whole.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use simulators::aws::{Aws, Changes};
use tracing::error;
use uuid::Uuid;

/// How many requests the page shows.
pub(super) const SHOWN: usize = 300;
const TABLE: &str = "InviteRequests";
const KEY: &str = "requestId";
/// The most keys of one BatchGetItem.
const BATCH: usize = 100;
/// How many requests of an earlier run are read at once. Others wait for the tables meanwhile.
const PAGE: usize = 200;

/// A request in short: its status, and whether somebody joined.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Brief {
    status: InviteStatus,
    joined: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum InviteStatus {
    Queued,
    Processing,
    Done,
    Failed,
}

impl InviteStatus {
    fn of(name: &str) -> Self {
        match name {
            "PROCESSING" => Self::Processing,
            "DONE" => Self::Done,
            "FAILED" => Self::Failed,
            _ => Self::Queued,
        }
    }
}

/// A request in full, and since which version it is so.
struct Row {
    version: u64,
    shown: Value,
}

#[derive(Default)]
struct Known {
    all: HashMap<Uuid, Brief>,
    totals: BTreeMap<Brief, usize>,
    /// By when they were made.
    newest: BTreeMap<(String, Uuid), Row>,
    version: u64,
    is_whole: bool,
}

/// What is known of all requests.
pub(super) struct InviteBoard {
    aws: Aws,
    changes: Changes,
    known: Mutex<Known>,
}

impl InviteBoard {
    /// Begins to watch, and to read what is there already.
    pub(super) fn start(aws: Aws) -> Arc<Self> {
        let board = Arc::new(Self {
            changes: aws.watch(TABLE, KEY),
            aws,
            known: Mutex::default(),
        });
        // No more than the board itself lives for it.
        let reading = Arc::downgrade(&board);
        tokio::spawn(async move {
            let mut from = Value::Null;
            loop {
                let Some(board) = reading.upgrade() else {
                    return;
                };
                let began = Instant::now();
                from = match board.read_page(&from) {
                    Ok(from) => from,
                    Err(problem) => {
                        error!(
                            fault = "unavailable",
                            "the requests of an earlier run can't be read for the page: {problem}"
                        );
                        return;
                    }
                };
                if from.is_null() {
                    let mut known = board.known();
                    known.is_whole = true;
                    known.version += 1;
                    return;
                }
                drop(board);
                // Half of the time is the callers'.
                tokio::time::sleep(began.elapsed().max(Duration::from_millis(1))).await;
            }
        });
        board
    }

    /// Reads some requests of an earlier run; answers where to go on.
    fn read_page(&self, from: &Value) -> Result<Value, String> {
        let mut ask = json!({"TableName": TABLE, "Limit": PAGE});
        if !from.is_null() {
            ask["ExclusiveStartKey"] = from.clone();
        }
        // Held from the reading on: what was noted by then is older.
        let mut known = self.known();
        let mut page = self.aws.inspect("Scan", &ask).map_err(words)?;
        for item in items(page["Items"].take()) {
            known.note(&item);
        }
        Ok(page["LastEvaluatedKey"].take())
    }

    /// Takes in what was written since the last time.
    pub(super) fn refresh(&self) -> anyhow::Result<()> {
        let ids = self.changes.take();
        for some in ids.chunks(BATCH) {
            let keys: Vec<Value> = some.iter().map(|id| json!({KEY: {"S": id}})).collect();
            let ask = json!({"RequestItems": {TABLE: {"Keys": keys}}});
            let mut known = self.known();
            let mut answer = self.aws.inspect("BatchGetItem", &ask)?;
            let mut gone: Vec<&String> = some.iter().collect();
            for item in items(answer["Responses"][TABLE].take()) {
                gone.retain(|id| item[KEY] != id.as_str());
                known.note(&item);
            }
            for id in gone {
                known.forget(id);
            }
        }
        Ok(())
    }

    /// The version of all that is shown: what is newer has a higher one.
    pub(super) fn version(&self) -> u64 {
        self.known().version
    }

    /// The rows that are newer than `version`, the newest request first.
    pub(super) fn rows_after(&self, version: u64) -> Vec<Value> {
        let known = self.known();
        let rows = known.newest.values().rev();
        rows.filter(|row| row.version > version)
            .map(|row| row.shown.clone())
            .collect()
    }

    /// One request, though it may not be among the newest.
    pub(super) fn find(&self, id: &str) -> anyhow::Result<Option<Value>> {
        let ask = json!({"TableName": TABLE, "Key": {KEY: {"S": id}}});
        let mut answer = self.aws.inspect("GetItem", &ask)?;
        Ok(answer["Item"]
            .is_object()
            .then(|| view(plain(answer["Item"].take()))))
    }

    /// How many requests there are, of each kind.
    pub(super) fn totals(&self) -> Value {
        let known = self.known();
        let count = |matches: fn(&Brief) -> bool| -> usize {
            let of_kind = known.totals.iter().filter(|(brief, _)| matches(brief));
            of_kind.map(|(_, count)| count).sum()
        };
        json!({
            "requests": known.all.len(),
            "queued": count(|brief| brief.status == InviteStatus::Queued),
            "processing": count(|brief| brief.status == InviteStatus::Processing),
            "done": count(|brief| brief.status == InviteStatus::Done),
            "failed": count(|brief| brief.status == InviteStatus::Failed),
            "joined": count(|brief| brief.joined),
            "whole": known.is_whole,
        })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn note(&mut self, item: &Value) {
        let Some(id) = item[KEY].as_str().and_then(|id| id.parse::<Uuid>().ok()) else {
            return;
        };
        let brief = Brief {
            status: InviteStatus::of(item["status"].as_str().unwrap_or_default()),
            joined: item.get("joinedAt").is_some(),
        };
        if let Some(before) = self.all.insert(id, brief) {
            self.discount(before);
        }
        *self.totals.entry(brief).or_default() += 1;
        let created = item["createdAt"].as_str().unwrap_or_default().to_owned();
        let place = (created, id);
        let oldest = self.newest.keys().next();
        if self.newest.len() >= SHOWN && oldest.is_some_and(|oldest| place < *oldest) {
            self.version += 1;
            return;
        }
        let shown = view(item.clone());
        // Noted once more without a change, it is not sent again.
        if self
            .newest
            .get(&place)
            .is_some_and(|row| row.shown == shown)
        {
            return;
        }
        self.version += 1;
        let version = self.version;
        self.newest.insert(place, Row { version, shown });
        while self.newest.len() > SHOWN {
            self.newest.pop_first();
        }
    }

    fn forget(&mut self, id: &str) {
        let Ok(id) = id.parse::<Uuid>() else {
            return;
        };
        if let Some(before) = self.all.remove(&id) {
            self.discount(before);
            self.newest.retain(|(_, shown), _| *shown != id);
            self.version += 1;
        }
    }

    fn discount(&mut self, brief: Brief) {
        if let Some(count) = self.totals.get_mut(&brief) {
            *count -= 1;
        }
    }
}

fn words(error: simulators::aws::AwsError) -> String {
    runtime::telemetry::chain(&error)
}

fn items(items: Value) -> impl Iterator<Item = Value> {
    let items = match items {
        Value::Array(items) => items,
        _ => Vec::new(),
    };
    items.into_iter().map(plain)
}

/// An item of DynamoDB's JSON by its attributes' own names.
fn plain(item: Value) -> Value {
    let Value::Object(attributes) = item else {
        return Value::Null;
    };
    let value = |mut typed: Value| {
        let Some((of_type, value)) = typed.as_object_mut().and_then(|typed| {
            let of_type = typed.keys().next()?.clone();
            let value = typed.remove(&of_type)?;
            Some((of_type, value))
        }) else {
            return Value::Null;
        };
        match of_type.as_str() {
            "S" | "BOOL" => value,
            "N" => value
                .as_str()
                .and_then(|number| number.parse::<serde_json::Number>().ok())
                .map_or(Value::Null, Value::Number),
            _ => Value::Null,
        }
    };
    let plain: Map<String, Value> = attributes
        .into_iter()
        .map(|(name, typed)| (name, value(typed)))
        .collect();
    Value::Object(plain)
}

/// A record of a request as the page shows it.
fn view(mut item: Value) -> Value {
    item["joined"] = json!(item.get("joinedAt").is_some());
    item["linkEventFired"] = item["weLinkEventFired"].take();
    for hidden in [
        "weLinkEventFired",
        "expiresAt",
        "pendingShard",
        "pendingSince",
        "pendingSends",
        "replaced",
        "joinedLink",
        "history",
        "actions",
    ] {
        item.as_object_mut().map(|fields| fields.remove(hidden));
    }
    item
}
