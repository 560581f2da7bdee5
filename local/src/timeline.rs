//! What the page shows as it happens: our own log lines of late, which hold no secret and no link.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use common::clock::Clock;
use common::telemetry::is_ours;
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
    lines: Arc<Mutex<VecDeque<Value>>>,
}

impl Timeline {
    /// An empty one, dated by `clock`.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            lines: Arc::default(),
        }
    }

    /// The lines about one request, newest first.
    #[must_use]
    pub fn of_request(&self, request_id: &str) -> Vec<Value> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines
            .iter()
            .rev()
            .filter(|line| line["requestId"] == request_id)
            .cloned()
            .collect()
    }

    /// The last `most` lines, newest first.
    #[must_use]
    pub fn newest(&self, most: usize) -> Vec<Value> {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .rev()
            .take(most)
            .cloned()
            .collect()
    }
}

#[derive(Default)]
struct Line {
    message: String,
    request_id: Option<String>,
    fields: Map<String, Value>,
}

impl Visit for Line {
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
        let mut line = Line::default();
        event.record(&mut line);
        let line = json!({
            "at": self.clock.now(),
            "level": event.metadata().level().as_str().to_lowercase(),
            "message": line.message,
            "requestId": line.request_id,
            "fields": line.fields,
        });
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}
