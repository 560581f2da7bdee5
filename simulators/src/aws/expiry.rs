//! What is past its time to live, found by an index instead of by reading every item again each minute.
//!
//! The engine's own sweep parses each row of each table. In a file, a second connection keeps an index of SQLite's own
//! on the attribute, and asks it; deleting stays the engine's. In memory there is no second connection: there its sweep
//! runs, and the slower it is the seldomer.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// How many items are deleted before others may use the tables.
pub(crate) const PAGE: usize = 25;

/// A table with a time to live.
pub(crate) struct Mortal {
    name: String,
    attribute: String,
    keys: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyPart {
    attribute_name: String,
}

/// The connection that asks.
pub(crate) struct Expiry {
    connection: Connection,
}

impl Expiry {
    /// For the engine's file, which exists.
    pub(crate) fn open(file: &Path) -> Result<Self, rusqlite::Error> {
        let connection = Connection::open(file)?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        Ok(Self { connection })
    }

    /// The tables with a time to live, each with its index. Making an index writes: nobody else may meanwhile.
    pub(crate) fn tables(&self) -> Result<Vec<Mortal>, rusqlite::Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT table_name, ttl_attribute, key_schema FROM _tables
             WHERE ttl_enabled = 1 AND ttl_attribute IS NOT NULL ORDER BY table_name",
        )?;
        let rows = statement.query_map([], |row| {
            let key_schema: String = row.get(2)?;
            let parts: Vec<KeyPart> = serde_json::from_str(&key_schema).unwrap_or_default();
            Ok(Mortal {
                name: row.get(0)?,
                attribute: row.get(1)?,
                keys: parts.into_iter().map(|part| part.attribute_name).collect(),
            })
        })?;
        let tables: Vec<Mortal> = rows.collect::<Result<_, _>>()?;
        for table in &tables {
            self.index(table)?;
        }
        Ok(tables)
    }

    fn index(&self, table: &Mortal) -> Result<(), rusqlite::Error> {
        let name = format!("{}::expiry::{}", table.name, table.attribute);
        let there: Option<i64> = self
            .connection
            .prepare_cached("SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = ?1")?
            .query_row([&name], |row| row.get(0))
            .optional()?;
        if there.is_some() {
            return Ok(());
        }
        self.connection.execute_batch(&format!(
            "CREATE INDEX {} ON {} ({})",
            quoted(&name),
            quoted(&table.name),
            table.expression()
        ))
    }

    /// Deletions, as DynamoDB is asked for them, of what ended before `now_seconds`: each of the item as it is then.
    pub(crate) fn due(
        &self,
        table: &Mortal,
        now_seconds: i64,
    ) -> Result<Vec<Value>, rusqlite::Error> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT item_json FROM {} WHERE {expression} >= 0 AND {expression} < ?1 LIMIT ?2",
            quoted(&table.name),
            expression = table.expression()
        ))?;
        let rows = statement.query_map((now_seconds, PAGE as i64), |row| row.get(0))?;
        let items: Vec<String> = rows.collect::<Result<_, _>>()?;
        let deletions = items.iter().filter_map(|item| {
            let item: Map<String, Value> = serde_json::from_str(item).ok()?;
            let key: Map<String, Value> = table
                .keys
                .iter()
                .map(|name| Some((name.clone(), item.get(name)?.clone())))
                .collect::<Option<_>>()?;
            Some(json!({
                "TableName": table.name,
                "Key": key,
                "ConditionExpression": "#ends < :now",
                "ExpressionAttributeNames": {"#ends": table.attribute},
                "ExpressionAttributeValues": {":now": {"N": now_seconds.to_string()}},
            }))
        });
        Ok(deletions.collect())
    }
}

impl Mortal {
    /// When an item ends, in SQL: nothing where it says no number.
    fn expression(&self) -> String {
        let path = format!("$.{}.N", quoted(&self.attribute)).replace('\'', "''");
        format!("CAST(json_extract(item_json, '{path}') AS INTEGER)")
    }
}

/// A name as SQL takes it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
