//! The queues and their messages on one SQLite connection. Every method is one transaction, or joins the caller's.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use tokio::sync::Notify;

use super::Depth;
use super::attributes::{Queue, Settings};
use super::error::SqsError;
use super::message::NewMessage;
use super::schema;

/// How long a queue is left alone between two deletions of what is too old. Receives never see what is too old.
const SWEEP_INTERVAL_MS: i64 = 1_000;

/// A queue with what this process knows of it beside the store.
struct Slot {
    queue: Arc<Queue>,
    wake: Arc<Notify>,
    purged_ms: Option<i64>,
    swept_ms: i64,
}

/// A message as it is received.
pub(super) struct Stored {
    pub(super) seq: i64,
    pub(super) id: String,
    pub(super) body: String,
    pub(super) attributes: Option<String>,
    pub(super) system: Option<String>,
    pub(super) sent_ms: i64,
    pub(super) receives: i64,
    pub(super) first_received_ms: Option<i64>,
    pub(super) origin: Option<String>,
}

impl Stored {
    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            seq: row.get(0)?,
            id: row.get(1)?,
            body: row.get(2)?,
            attributes: row.get(3)?,
            system: row.get(4)?,
            sent_ms: row.get(5)?,
            receives: row.get(6)?,
            first_received_ms: row.get(7)?,
            origin: row.get(8)?,
        })
    }
}

/// What is known of a message by its handle.
pub(super) struct Held {
    pub(super) visible_ms: i64,
    pub(super) receipt: i64,
    pub(super) received_ms: i64,
}

pub(super) struct Store {
    connection: Connection,
    slots: BTreeMap<String, Slot>,
}

impl Store {
    pub(super) fn memory() -> Result<Self, rusqlite::Error> {
        Self::open(Connection::open_in_memory()?)
    }

    pub(super) fn file(path: &Path) -> Result<Self, rusqlite::Error> {
        Self::open(Connection::open(path)?)
    }

    fn open(connection: Connection) -> Result<Self, rusqlite::Error> {
        schema::prepare(&connection)?;
        let mut store = Self {
            connection,
            slots: BTreeMap::new(),
        };
        let mut statement = store
            .connection
            .prepare("SELECT id, name, created_ms, modified_ms, settings, tags FROM queue")?;
        let queues: Vec<Queue> = statement
            .query_map([], |row| {
                let (name, settings, tags): (String, String, String) =
                    (row.get(1)?, row.get(4)?, row.get(5)?);
                let mut queue = Queue::new(
                    row.get(0)?,
                    &name,
                    row.get(2)?,
                    Settings::from_json(&settings),
                );
                queue.modified_ms = row.get(3)?;
                queue.tags = serde_json::from_str(&tags).unwrap_or_default();
                Ok(queue)
            })?
            .collect::<Result<_, _>>()?;
        drop(statement);
        for queue in queues {
            store.keep(queue);
        }
        Ok(store)
    }

    fn keep(&mut self, queue: Queue) {
        let queue = Arc::new(queue);
        match self.slots.get_mut(&queue.name) {
            Some(slot) => slot.queue = queue,
            None => {
                let slot = Slot {
                    queue: Arc::clone(&queue),
                    wake: Arc::default(),
                    purged_ms: None,
                    swept_ms: 0,
                };
                self.slots.insert(queue.name.clone(), slot);
            }
        }
    }

    pub(super) fn transaction(&self) -> Result<Transaction<'_>, rusqlite::Error> {
        self.connection.unchecked_transaction()
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn queue(&self, name: &str) -> Result<Arc<Queue>, SqsError> {
        self.slots
            .get(name)
            .map(|slot| Arc::clone(&slot.queue))
            .ok_or_else(SqsError::no_queue)
    }

    pub(super) fn queues(&self) -> impl Iterator<Item = &Arc<Queue>> {
        self.slots.values().map(|slot| &slot.queue)
    }

    /// Wakes the long polls of a queue: something may have become visible, or will at another time than they think.
    pub(super) fn wake(&self, name: &str) {
        if let Some(slot) = self.slots.get(name) {
            slot.wake.notify_waiters();
        }
    }

    pub(super) fn waker(&self, name: &str) -> Option<Arc<Notify>> {
        self.slots.get(name).map(|slot| Arc::clone(&slot.wake))
    }

    pub(super) fn create(
        &mut self,
        name: &str,
        settings: Settings,
        tags: BTreeMap<String, String>,
        now_ms: i64,
    ) -> Result<(), SqsError> {
        let stored_tags = serde_json::to_string(&tags).unwrap_or_default();
        self.connection.execute(
            "INSERT INTO queue (name, created_ms, modified_ms, settings, tags) VALUES (?1, ?2, ?2, ?3, ?4)",
            params![name, now_ms, settings.to_json(), stored_tags],
        )?;
        let mut queue = Queue::new(self.connection.last_insert_rowid(), name, now_ms, settings);
        queue.tags = tags;
        self.keep(queue);
        Ok(())
    }

    /// Stores a queue's changed settings or tags.
    pub(super) fn change(&mut self, queue: Queue) -> Result<(), SqsError> {
        let tags = serde_json::to_string(&queue.tags).unwrap_or_default();
        self.connection.execute(
            "UPDATE queue SET modified_ms = ?2, settings = ?3, tags = ?4 WHERE id = ?1",
            params![queue.id, queue.modified_ms, queue.settings.to_json(), tags],
        )?;
        self.keep(queue);
        Ok(())
    }

    pub(super) fn delete(&mut self, queue: &Queue) -> Result<(), SqsError> {
        let transaction = self.transaction()?;
        transaction.execute("DELETE FROM message WHERE queue = ?1", [queue.id])?;
        transaction.execute("DELETE FROM queue WHERE id = ?1", [queue.id])?;
        transaction.commit()?;
        if let Some(slot) = self.slots.remove(&queue.name) {
            slot.wake.notify_waiters();
        }
        Ok(())
    }

    /// Deletes all messages, if that was not done within the last minute.
    pub(super) fn purge(&mut self, queue: &Queue, now_ms: i64) -> Result<(), SqsError> {
        let slot = self
            .slots
            .get_mut(&queue.name)
            .ok_or_else(SqsError::no_queue)?;
        if slot
            .purged_ms
            .is_some_and(|purged_ms| now_ms - purged_ms < 60_000)
        {
            return Err(SqsError::purge_in_progress(&queue.name));
        }
        slot.purged_ms = Some(now_ms);
        self.connection
            .execute("DELETE FROM message WHERE queue = ?1", [queue.id])?;
        Ok(())
    }

    /// Deletes what is past the retention period, at most once a second.
    pub(super) fn sweep(&mut self, queue: &Queue, now_ms: i64) -> Result<(), SqsError> {
        let Some(slot) = self.slots.get_mut(&queue.name) else {
            return Ok(());
        };
        if now_ms - slot.swept_ms < SWEEP_INTERVAL_MS {
            return Ok(());
        }
        slot.swept_ms = now_ms;
        self.connection
            .prepare_cached("DELETE FROM message WHERE queue = ?1 AND sent_ms <= ?2")?
            .execute(params![queue.id, now_ms - queue.retention_ms])?;
        Ok(())
    }

    pub(super) fn depth(&mut self, queue: &Queue, now_ms: i64) -> Result<Depth, SqsError> {
        self.sweep(queue, now_ms)?;
        let mut statement = self.connection.prepare_cached(
            "SELECT count(*) FILTER (WHERE visible_ms <= ?2),
                    count(*) FILTER (WHERE visible_ms > ?2 AND received = 1),
                    count(*) FILTER (WHERE visible_ms > ?2 AND received = 0)
             FROM message INDEXED BY message_due WHERE queue = ?1",
        )?;
        Ok(statement.query_row(params![queue.id, now_ms], |row| {
            Ok(Depth {
                visible: row.get(0)?,
                in_flight: row.get(1)?,
                delayed: row.get(2)?,
            })
        })?)
    }

    pub(super) fn insert(
        &self,
        queue: &Queue,
        message: &NewMessage<'_>,
        now_ms: i64,
    ) -> Result<(), SqsError> {
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO message (queue, visible_ms, received, receives, receipt, sent_ms, id, attributes, system, body)
             VALUES (?1, ?2, 0, 0, 0, ?3, ?4, ?5, ?6, ?7)",
        )?;
        let visible_ms = now_ms + message.delay_seconds * 1000;
        statement.execute(params![
            queue.id,
            visible_ms,
            now_ms,
            message.id,
            message.attributes,
            message.system,
            message.body
        ])?;
        Ok(())
    }

    /// The messages that can be received now, the longest visible first.
    pub(super) fn due(
        &self,
        queue: &Queue,
        now_ms: i64,
        most: usize,
    ) -> Result<Vec<Stored>, SqsError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT seq, id, body, attributes, system, sent_ms, receives, first_received_ms, origin FROM message
             WHERE queue = ?1 AND visible_ms <= ?2 AND sent_ms > ?3 ORDER BY visible_ms LIMIT ?4",
        )?;
        let rows = statement.query_map(
            params![
                queue.id,
                now_ms,
                now_ms - queue.retention_ms,
                i64::try_from(most).unwrap_or(1)
            ],
            Stored::read,
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// When the next hidden message becomes visible.
    pub(super) fn next_due(&self, queue: &Queue, now_ms: i64) -> Result<Option<i64>, SqsError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT min(visible_ms) FROM message WHERE queue = ?1 AND visible_ms > ?2",
        )?;
        Ok(statement.query_row(params![queue.id, now_ms], |row| row.get(0))?)
    }

    /// Hides a received message and makes `receipt` the only one that deletes it.
    pub(super) fn hide(
        &self,
        seq: i64,
        receipt: i64,
        now_ms: i64,
        visible_ms: i64,
    ) -> Result<(), SqsError> {
        self.connection
            .prepare_cached(
                "UPDATE message SET visible_ms = ?4, received = 1, receives = receives + 1, receipt = ?2, received_ms = ?3,
                     first_received_ms = coalesce(first_received_ms, ?3) WHERE seq = ?1",
            )?
            .execute(params![seq, receipt, now_ms, visible_ms])?;
        Ok(())
    }

    /// Moves a message to its dead-letter queue, where it is visible at once. It keeps its id, its age and its count.
    pub(super) fn bury(
        &self,
        seq: i64,
        source: &str,
        target: &Queue,
        now_ms: i64,
    ) -> Result<(), SqsError> {
        self.connection
            .prepare_cached(
                "UPDATE message SET queue = ?2, origin = ?3, visible_ms = ?4, received = 0, receipt = 0 WHERE seq = ?1",
            )?
            .execute(params![seq, target.id, source, now_ms])?;
        Ok(())
    }

    pub(super) fn held(&self, queue: &Queue, seq: i64) -> Result<Option<Held>, SqsError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT visible_ms, receipt, coalesce(received_ms, 0) FROM message WHERE seq = ?1 AND queue = ?2",
        )?;
        Ok(statement
            .query_row(params![seq, queue.id], |row| {
                Ok(Held {
                    visible_ms: row.get(0)?,
                    receipt: row.get(1)?,
                    received_ms: row.get(2)?,
                })
            })
            .optional()?)
    }

    pub(super) fn show_at(&self, seq: i64, visible_ms: i64) -> Result<(), SqsError> {
        self.connection
            .prepare_cached("UPDATE message SET visible_ms = ?2 WHERE seq = ?1")?
            .execute(params![seq, visible_ms])?;
        Ok(())
    }

    /// Deletes a message if this is its latest receipt. An older one deletes nothing, which is no error.
    pub(super) fn remove(&self, queue: &Queue, seq: i64, receipt: i64) -> Result<(), SqsError> {
        self.connection
            .prepare_cached("DELETE FROM message WHERE seq = ?1 AND queue = ?2 AND receipt = ?3")?
            .execute(params![seq, queue.id, receipt])?;
        Ok(())
    }
}
