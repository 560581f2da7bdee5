//! What was ingested and what was tried, in rings; the request ids of the last four hours; the count of the minute.

use std::collections::{HashMap, VecDeque};

use serde_json::Value;

use super::fault::{Failure, Mode};
use super::rules::{StoppedAttribute, Types};

/// How many ingested events, and how many attempts, are remembered, the newest.
pub const REMEMBERED: usize = 10_000;
/// How many request ids are remembered at most.
pub const MOST_REQUEST_IDS: usize = 500_000;
const REPEAT_WINDOW_MS: i64 = 4 * 3600 * 1000;
const MINUTE_MS: i64 = 60_000;

/// An event that was ingested.
#[derive(Clone, Debug)]
pub struct Ingested {
    /// The `x-request-id`, if there was one.
    pub request_id: Option<String>,
    /// The event as it came.
    pub body: Value,
    /// The attributes that were stopped for their changed type.
    pub stopped: Vec<String>,
    /// When, in milliseconds.
    pub at_ms: i64,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IngestOutcome {
    /// Not answered yet, or never.
    Waiting,
    /// Ingested.
    Ingested,
    /// Taken, but the same request id was ingested less than four hours before.
    Repeated,
    /// Not ingested.
    Refused,
}

/// One request for the events of an account, right or wrong.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The `x-request-id`, if there was one.
    pub request_id: Option<String>,
    /// The body, or null if it was no JSON.
    pub body: Value,
    /// The status of the answer; 0 if the connection was cut or there was none yet.
    pub status: u16,
    /// What became of it.
    pub outcome: IngestOutcome,
    /// The message of an error.
    pub message: Option<String>,
    /// When it came, in milliseconds.
    pub at_ms: i64,
}

#[derive(Debug)]
pub(super) struct Store {
    pub(super) mode: Mode,
    pub(super) failures: Vec<Failure>,
    pub(super) ingested: VecDeque<Ingested>,
    pub(super) ingested_count: u64,
    pub(super) attempts: VecDeque<Attempt>,
    pub(super) attempt_count: u64,
    pub(super) stopped: VecDeque<StoppedAttribute>,
    pub(super) limit_per_minute: u32,
    types: Types,
    request_ids: HashMap<String, i64>,
    request_order: VecDeque<(i64, String)>,
    minute: (i64, u32),
}

impl Store {
    pub(super) fn new(limit_per_minute: u32) -> Self {
        Self {
            mode: Mode::Up,
            failures: Vec::new(),
            ingested: VecDeque::new(),
            ingested_count: 0,
            attempts: VecDeque::new(),
            attempt_count: 0,
            stopped: VecDeque::new(),
            limit_per_minute,
            types: Types::default(),
            request_ids: HashMap::new(),
            request_order: VecDeque::new(),
            minute: (0, 0),
        }
    }

    /// Notes an attempt as it comes, and gives its number.
    pub(super) fn arrived(&mut self, attempt: Attempt) -> u64 {
        push(&mut self.attempts, attempt);
        self.attempt_count += 1;
        self.attempt_count
    }

    pub(super) fn answered(
        &mut self,
        number: u64,
        status: u16,
        outcome: IngestOutcome,
        message: Option<String>,
    ) {
        let behind = usize::try_from(self.attempt_count - number).unwrap_or(usize::MAX);
        let index = self.attempts.len().checked_sub(behind + 1);
        if let Some(attempt) = index.and_then(|index| self.attempts.get_mut(index)) {
            (attempt.status, attempt.outcome, attempt.message) = (status, outcome, message);
        }
    }

    /// Counts a request of this minute; gives what is left, or none if there was nothing left.
    pub(super) fn admit(&mut self, now_ms: i64) -> Option<u32> {
        let minute = now_ms / MINUTE_MS;
        if self.minute.0 != minute {
            self.minute = (minute, 0);
        }
        if self.minute.1 >= self.limit_per_minute {
            return None;
        }
        self.minute.1 += 1;
        Some(self.limit_per_minute - self.minute.1)
    }

    /// Ingests the event, unless its request id was ingested less than four hours ago.
    pub(super) fn ingest(
        &mut self,
        request_id: Option<&str>,
        body: Value,
        at_ms: i64,
    ) -> IngestOutcome {
        while let Some((since, id)) = self.request_order.front() {
            if at_ms - since < REPEAT_WINDOW_MS && self.request_order.len() < MOST_REQUEST_IDS {
                break;
            }
            self.request_ids.remove(id);
            self.request_order.pop_front();
        }
        if let Some(id) = request_id {
            if self.request_ids.contains_key(id) {
                return IngestOutcome::Repeated;
            }
            self.request_ids.insert(id.to_owned(), at_ms);
            self.request_order.push_back((at_ms, id.to_owned()));
        }
        let stopped = self.types.note(&body, at_ms);
        let names = stopped
            .iter()
            .map(|stopped| stopped.attribute.clone())
            .collect();
        stopped
            .into_iter()
            .for_each(|attribute| push(&mut self.stopped, attribute));
        let request_id = request_id.map(str::to_owned);
        push(
            &mut self.ingested,
            Ingested {
                request_id,
                body,
                stopped: names,
                at_ms,
            },
        );
        self.ingested_count += 1;
        IngestOutcome::Ingested
    }
}

fn push<T>(ring: &mut VecDeque<T>, item: T) {
    while ring.len() >= REMEMBERED {
        ring.pop_front();
    }
    ring.push_back(item);
}
