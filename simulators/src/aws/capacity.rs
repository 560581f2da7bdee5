//! What a DynamoDB call used, by DynamoDB's own count: write units of 1 KB, read units of 4 KB (half when eventual),
//! both twice in a transaction, and a failed condition paid in full by the size of the item that it found.

use dynoxide::types::{TRANSACTIONAL_CAPACITY_FACTOR, item_size, write_capacity_units};
use dynoxide::{Database, DynoxideError};
use serde_json::{Map, Value, json};

/// Units used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Units {
    pub(crate) read: f64,
    pub(crate) write: f64,
}

enum Kind {
    Read,
    Write,
    Free,
}

fn kind(operation: &str, request: &Value) -> Kind {
    match operation {
        "GetItem" | "Query" | "Scan" | "BatchGetItem" | "TransactGetItems" => Kind::Read,
        "PutItem" | "UpdateItem" | "DeleteItem" | "BatchWriteItem" | "TransactWriteItems" => {
            Kind::Write
        }
        "ExecuteStatement" => {
            let statement = request
                .get("Statement")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let verb = statement.split_whitespace().next().unwrap_or_default();
            if verb.eq_ignore_ascii_case("select") {
                Kind::Read
            } else {
                Kind::Write
            }
        }
        "BatchExecuteStatement" | "ExecuteTransaction" => Kind::Write,
        _ => Kind::Free,
    }
}

/// Makes the request ask for what it uses. True if it did not by itself, so that the answer is to be taken out again.
pub(crate) fn ask(operation: &str, request: &mut Value) -> bool {
    if matches!(kind(operation, request), Kind::Free) {
        return false;
    }
    let Some(members) = request.as_object_mut() else {
        return false;
    };
    let asked = members
        .get("ReturnConsumedCapacity")
        .and_then(Value::as_str);
    if matches!(asked, Some("TOTAL" | "INDEXES")) || asked.is_some_and(|mode| mode != "NONE") {
        return false;
    }
    members.insert("ReturnConsumedCapacity".to_owned(), json!("TOTAL"));
    true
}

/// Reads the units out of an answer and, if the question was ours, takes them out of it.
pub(crate) fn read(
    operation: &str,
    request: &Value,
    body: Vec<u8>,
    is_ours: bool,
) -> (Vec<u8>, Units) {
    let kind = kind(operation, request);
    if matches!(kind, Kind::Free) {
        return (body, Units::default());
    }
    let Ok(Value::Object(mut answer)) = serde_json::from_slice(&body) else {
        return (body, Units::default());
    };
    let mut units = Units::default();
    match answer.get("ConsumedCapacity") {
        Some(Value::Array(tables)) => tables
            .iter()
            .for_each(|table| add(&mut units, &kind, table)),
        Some(table) => add(&mut units, &kind, table),
        None => {}
    }
    if is_ours && answer.remove("ConsumedCapacity").is_some() {
        return (Value::Object(answer).to_string().into_bytes(), units);
    }
    (body, units)
}

fn add(units: &mut Units, kind: &Kind, table: &Value) {
    let number = |name: &str| table.get(name).and_then(Value::as_f64);
    match (number("ReadCapacityUnits"), number("WriteCapacityUnits")) {
        (None, None) => {
            let total = number("CapacityUnits").unwrap_or_default();
            match kind {
                Kind::Read => units.read += total,
                Kind::Write => units.write += total,
                Kind::Free => {}
            }
        }
        (read, write) => {
            units.read += read.unwrap_or_default();
            units.write += write.unwrap_or_default();
        }
    }
}

/// What a refused call used: nothing, unless it was a condition that failed.
pub(crate) fn of_failure(
    db: &Database,
    operation: &str,
    request: &Value,
    error: &DynoxideError,
) -> Units {
    let write = match error {
        DynoxideError::ConditionalCheckFailedException(..) if operation != "ExecuteStatement" => {
            write_capacity_units(size_now(db, request).unwrap_or_default())
        }
        DynoxideError::ConditionalCheckFailedException(..)
        | DynoxideError::StatementConditionalCheckFailed(..) => 1.0,
        DynoxideError::TransactionCanceledException(..) => {
            let actions = request.get("TransactItems").and_then(Value::as_array);
            let parts = actions
                .into_iter()
                .flatten()
                .filter_map(|action| action.as_object()?.values().next());
            parts
                .map(|part| {
                    TRANSACTIONAL_CAPACITY_FACTOR
                        * write_capacity_units(size_now(db, part).unwrap_or_default())
                })
                .sum()
        }
        _ => 0.0,
    };
    Units { read: 0.0, write }
}

/// The size of the item that a put, update, delete or check names, as it is now.
fn size_now(db: &Database, part: &Value) -> Option<usize> {
    let table = part.get("TableName")?;
    let key = match part.get("Key") {
        Some(key) => key.clone(),
        None => Value::Object(key_of(db, table, part.get("Item")?.as_object()?)?),
    };
    let request = json!({"TableName": table, "Key": key, "ConsistentRead": true});
    let found = db.get_item(serde_json::from_value(request).ok()?).ok()?;
    found.item.as_ref().map(item_size)
}

fn key_of(db: &Database, table: &Value, item: &Map<String, Value>) -> Option<Map<String, Value>> {
    let described = db
        .describe_table(serde_json::from_value(json!({"TableName": table})).ok()?)
        .ok()?;
    let described = serde_json::to_value(described).ok()?;
    let mut key = Map::new();
    for part in described.pointer("/Table/KeySchema")?.as_array()? {
        let name = part.get("AttributeName")?.as_str()?;
        key.insert(name.to_owned(), item.get(name)?.clone());
    }
    Some(key)
}
