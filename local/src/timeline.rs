//! What the page shows as it happens: our own log lines of late, which hold no secret and no link.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::functions::is_ours;
use runtime::clock::Clock;
use runtime::metrics;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// How many lines are kept.
const LINES: usize = 5000;

/// The last lines, oldest first.
#[derive(Clone, Default)]
pub struct Timeline {
    clock: Clock,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    lines: VecDeque<Value>,
    /// The number of the last line.
    last: u64,
    /// What the lines counted since that was last asked for, by metric.
    counted: BTreeMap<&'static str, f64>,
}

impl Timeline {
    /// An empty one, dated by `clock`.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            kept: Arc::default(),
        }
    }

    /// The lines about one request, newest first.
    #[must_use]
    pub fn of_request(&self, request_id: &str) -> Vec<Value> {
        let kept = self.kept();
        let lines = kept.lines.iter().rev();
        lines
            .filter(|line| line["requestId"] == request_id)
            .cloned()
            .collect()
    }

    /// The lines after the one with this number, the last `most` of them, newest first.
    #[must_use]
    pub fn after(&self, number: u64, most: usize) -> Vec<Value> {
        let kept = self.kept();
        let lines = kept.lines.iter().rev().take(most);
        lines
            .take_while(|line| line["number"].as_u64().unwrap_or_default() > number)
            .cloned()
            .collect()
    }

    /// The number of the last line; 0 if there is none.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.kept().last
    }

    /// What the lines have counted since the last call, by the names of the metrics.
    #[must_use]
    pub fn take_counted(&self) -> BTreeMap<&'static str, f64> {
        std::mem::take(&mut self.kept().counted)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct LogLine {
    message: String,
    request_id: Option<String>,
    fields: Map<String, Value>,
}

impl Visit for LogLine {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let mut text = String::new();
        let _ = write!(text, "{value:?}");
        self.record_str(field, &text);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            "invite.id" => self.request_id = Some(value.to_owned()),
            name => {
                self.fields.insert(name.to_owned(), json!(value));
            }
        }
    }
}

impl<S: Subscriber> Layer<S> for Timeline {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if !is_ours(event.metadata().target()) || *event.metadata().level() > tracing::Level::INFO {
            return;
        }
        let mut line = LogLine::default();
        event.record(&mut line);
        let counted = metrics::numbers_of(event);
        let mut kept = self.kept();
        for (metric, number) in counted {
            *kept.counted.entry(metric).or_default() += number;
        }
        // That a minute was quiet is not worth a line each.
        if line
            .fields
            .get("outcome")
            .is_some_and(|outcome| outcome == "measured")
        {
            return;
        }
        kept.last += 1;
        let line = json!({
            "number": kept.last,
            "at": self.clock.now(),
            "level": event.metadata().level().as_str().to_lowercase(),
            "message": line.message,
            "requestId": line.request_id,
            "fields": line.fields,
        });
        if kept.lines.len() == LINES {
            kept.lines.pop_front();
        }
        kept.lines.push_back(line);
    }
}
