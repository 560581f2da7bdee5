//! The tables behind the queues, and how SQLite is set.

use std::time::Duration;

use rusqlite::Connection;

/// `visible_ms` orders a queue: until then a message is hidden, by its delay or (`received = 1`) by its visibility
/// time-out. `receipt` is the nonce of the latest receive; no earlier handle deletes the message.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    created_ms INTEGER NOT NULL,
    modified_ms INTEGER NOT NULL,
    settings TEXT NOT NULL,
    tags TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS message (
    seq INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,
    visible_ms INTEGER NOT NULL,
    received INTEGER NOT NULL,
    receives INTEGER NOT NULL,
    receipt INTEGER NOT NULL,
    sent_ms INTEGER NOT NULL,
    first_received_ms INTEGER,
    received_ms INTEGER,
    id TEXT NOT NULL,
    origin TEXT,
    attributes TEXT,
    system TEXT,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS message_due ON message (queue, visible_ms, received);
CREATE INDEX IF NOT EXISTS message_age ON message (queue, sent_ms);
CREATE TABLE IF NOT EXISTS move_task (
    seq INTEGER PRIMARY KEY,
    handle TEXT NOT NULL UNIQUE,
    source TEXT NOT NULL,
    destination TEXT,
    per_second INTEGER,
    status TEXT NOT NULL,
    moved INTEGER NOT NULL,
    to_move INTEGER NOT NULL,
    started_ms INTEGER NOT NULL,
    failure TEXT
) STRICT;
";

/// Prepares a connection: in a file, a commit is in the write-ahead log when it returns, which outlives the process;
/// it is flushed to the disk by the group commit, and at checkpoints.
pub(super) fn prepare(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -16_000)?;
    connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.execute_batch(TABLES)
}
