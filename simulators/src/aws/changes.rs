//! Which items of a table were written, for who shows them: the keys alone, since the last look.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

/// The keys of one table that were written, each once. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    keys: Arc<Mutex<HashSet<String>>>,
}

impl Changes {
    /// The keys since the last call, in no order.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.keys()).into_iter().collect()
    }

    /// Whether there are any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys().is_empty()
    }

    fn keys(&self) -> MutexGuard<'_, HashSet<String>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A table that somebody watches.
#[derive(Debug)]
struct Watched {
    table: String,
    key: String,
    changes: Changes,
}

/// All that are watched.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    watched: Mutex<Vec<Watched>>,
}

impl Watchers {
    /// Watches a table by its partition key, a string.
    pub(crate) fn add(&self, table: &str, key: &str) -> Changes {
        let changes = Changes::default();
        self.watched().push(Watched {
            table: table.to_owned(),
            key: key.to_owned(),
            changes: changes.clone(),
        });
        changes
    }

    /// Notes what a write that was carried out has written. It may note more than that, never less.
    pub(crate) fn wrote(&self, operation: &str, body: &[u8]) {
        let watched = self.watched();
        if watched.is_empty() {
            return;
        }
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        let note = |table: &str, holder: &Value| {
            for one in watched.iter().filter(|one| one.table == table) {
                if let Some(key) = holder[&one.key]["S"].as_str() {
                    one.changes.keys().insert(key.to_owned());
                }
            }
        };
        let mut note_write = |write: &Value| {
            let table = write["TableName"].as_str().unwrap_or_default();
            for holder in ["Item", "Key"] {
                note(table, &write[holder]);
            }
        };
        match operation {
            "PutItem" | "UpdateItem" | "DeleteItem" => note_write(&request),
            "TransactWriteItems" => {
                let writes = request["TransactItems"].as_array().into_iter().flatten();
                for write in writes.filter_map(Value::as_object) {
                    write.values().for_each(&mut note_write);
                }
            }
            "BatchWriteItem" => {
                let tables = request["RequestItems"].as_object().into_iter().flatten();
                for (table, writes) in tables {
                    for write in writes.as_array().into_iter().flatten() {
                        note(table, &write["PutRequest"]["Item"]);
                        note(table, &write["DeleteRequest"]["Key"]);
                    }
                }
            }
            _ => {}
        }
    }

    fn watched(&self) -> MutexGuard<'_, Vec<Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_write_names_its_keys_and_other_tables_are_not_noted() {
        let watchers = Watchers::default();
        let changes = watchers.add("Seats", "id");
        let id = |id: &str| json!({"id": {"S": id}, "n": {"N": "1"}});
        for (operation, body, keys) in [
            (
                "PutItem",
                json!({"TableName": "Seats", "Item": id("a")}),
                &["a"][..],
            ),
            (
                "UpdateItem",
                json!({"TableName": "Seats", "Key": id("b")}),
                &["b"],
            ),
            (
                "DeleteItem",
                json!({"TableName": "Seats", "Key": id("c")}),
                &["c"],
            ),
            (
                "PutItem",
                json!({"TableName": "Other", "Item": id("d")}),
                &[],
            ),
            (
                "TransactWriteItems",
                json!({"TransactItems": [
                    {"Put": {"TableName": "Seats", "Item": id("e")}},
                    {"Update": {"TableName": "Other", "Key": id("f")}},
                    {"Delete": {"TableName": "Seats", "Key": id("g")}},
                ]}),
                &["e", "g"],
            ),
            (
                "BatchWriteItem",
                json!({"RequestItems": {"Seats": [{"PutRequest": {"Item": id("h")}}, {"DeleteRequest": {"Key": id("i")}}]}}),
                &["h", "i"],
            ),
        ] {
            watchers.wrote(operation, body.to_string().as_bytes());
            let mut noted = changes.take();
            noted.sort_unstable();
            assert_eq!(noted, keys, "{operation}");
        }
        assert!(changes.is_empty());
    }
}
