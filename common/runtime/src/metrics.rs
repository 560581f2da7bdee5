//! Metrics, in CloudWatch's embedded metric format: a line in the log from which CloudWatch takes numbers.
//!
//! What is counted is what the logs say: each metric is one rule about the fields of a log line, whatever the log level,
//! and nothing else in the code knows of metrics. One line an invocation tells them all, so that a batch of ten costs no
//! more than one message.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use crate::clock::Clock;
use domain::time::Timestamp;

/// The most values of one metric in one line.
const VALUES_MAX: usize = 100;

/// What a metric's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// They are added up.
    Count,
    /// Seconds that are added up.
    Seconds,
    /// Each is kept: it is one of many, whose percentiles count.
    Each(&'static str),
    /// The last one is kept: it is how things stand.
    Gauge(&'static str),
}

/// A metric: which log lines it counts, and by which field.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name in CloudWatch.
    pub name: &'static str,
    kind: Kind,
    /// Where the line comes from: a function, or a module of one.
    pub source: &'static str,
    /// What the line's field `outcome` says; with `!` before it, the field `fault`.
    pub says: &'static str,
    /// The number; each line counts 1 if it names none.
    pub field: &'static str,
}

const fn rule(
    name: &'static str,
    kind: Kind,
    source: &'static str,
    says: &'static str,
    field: &'static str,
) -> Rule {
    Rule {
        name,
        kind,
        source,
        says,
        field,
    }
}

const MS: Kind = Kind::Each("Milliseconds");
const SECONDS: Kind = Kind::Each("Seconds");

/// All of them.
pub const RULES: [Rule; 41] = [
    rule("Requests", Kind::Count, "request", "queued", ""),
    rule("Requests", Kind::Count, "request", "done", ""),
    rule("Requests", Kind::Count, "request", "duplicate", ""),
    rule("DuplicateRequests", Kind::Count, "request", "duplicate", ""),
    rule("Links", Kind::Count, "request", "taken", ""),
    rule("RequestToLink", MS, "request", "taken", "waited_ms"),
    rule("Links", Kind::Count, "worker::mint", "done", ""),
    rule("RequestToLink", MS, "worker::mint", "done", "waited_ms"),
    rule(
        "Attempts",
        Kind::Count,
        "worker::mint",
        "done",
        "task.attempt",
    ),
    rule(
        "Attempts",
        Kind::Count,
        "worker::finish",
        "failed",
        "task.attempt",
    ),
    rule(
        "FailedInvites",
        Kind::Gauge("Count"),
        "monitor",
        "measured",
        "invites.failed",
    ),
    rule("RateLimited", Kind::Count, "worker", "!rate_limited", ""),
    rule(
        "PausedSeconds",
        Kind::Seconds,
        "worker",
        "!rate_limited",
        "retry_after_s",
    ),
    rule("ChatFaults", Kind::Count, "worker", "!chat_fault", ""),
    rule("RateLimited", Kind::Count, "messenger", "!rate_limited", ""),
    rule(
        "PausedSeconds",
        Kind::Seconds,
        "messenger",
        "!rate_limited",
        "retry_after_s",
    ),
    rule("MessagesSent", Kind::Count, "messenger", "sent", ""),
    rule(
        "MessagesUndelivered",
        Kind::Count,
        "messenger",
        "unreachable",
        "undelivered",
    ),
    rule(
        "MessagesUndelivered",
        Kind::Count,
        "messenger",
        "expired",
        "undelivered",
    ),
    rule(
        "MessagesUndelivered",
        Kind::Count,
        "messenger",
        "parked",
        "undelivered",
    ),
    rule("Joins", Kind::Count, "webhook", "joined", ""),
    rule("RequestToJoin", SECONDS, "webhook", "joined", "waited_s"),
    rule("OrphanJoins", Kind::Count, "webhook", "orphan", ""),
    rule("EventsDelivered", Kind::Count, "events", "delivered", ""),
    rule("EventsFailing", Kind::Count, "events", "deferred", ""),
    rule(
        "EventsFailing",
        Kind::Count,
        "events",
        "!webengage_refused",
        "",
    ),
    rule(
        "EventsFailing",
        Kind::Count,
        "events",
        "!webengage_down",
        "",
    ),
    rule("Swept", Kind::Count, "sweeper", "swept", "events"),
    rule(
        "PaymentFaults",
        Kind::Count,
        "settlement",
        "!payment_event_parked",
        "",
    ),
    rule(
        "PaymentFaults",
        Kind::Count,
        "settlement",
        "!effect_failed",
        "",
    ),
    rule(
        "PaymentFaults",
        Kind::Count,
        "settlement",
        "!ref_conflict",
        "",
    ),
    rule(
        "PaymentFaults",
        Kind::Count,
        "settlement",
        "!auto_refunds_capped",
        "",
    ),
    rule("PaymentFaults", Kind::Count, "settlement", "found", ""),
    rule(
        "InviteQueueDepth",
        Kind::Gauge("Count"),
        "monitor",
        "measured",
        "queue.invites",
    ),
    rule(
        "EventQueueDepth",
        Kind::Gauge("Count"),
        "monitor",
        "measured",
        "queue.events",
    ),
    rule(
        "InviteDeadLetters",
        Kind::Gauge("Count"),
        "monitor",
        "measured",
        "queue.dead_invites",
    ),
    rule(
        "EventDeadLetters",
        Kind::Gauge("Count"),
        "monitor",
        "measured",
        "queue.dead_events",
    ),
    rule(
        "OldestUnserved",
        Kind::Gauge("Seconds"),
        "monitor",
        "measured",
        "oldest_unserved_s",
    ),
    rule(
        "OldestCase",
        Kind::Gauge("Seconds"),
        "monitor",
        "measured",
        "oldest_case_s",
    ),
    rule(
        "WebhookPendingUpdates",
        Kind::Gauge("Count"),
        "monitor",
        "measured",
        "webhook.pending",
    ),
    rule(
        "WebhookErrors",
        Kind::Gauge("Count"),
        "monitor",
        "measured",
        "webhook.errors",
    ),
];

/// The metrics that a log line counts for, with their numbers.
#[must_use]
pub fn numbers_of(event: &Event<'_>) -> Vec<(&'static str, f64)> {
    let mut fields = Fields::default();
    event.record(&mut fields);
    let target = event.metadata().target();
    RULES
        .iter()
        .filter_map(|rule| Some((rule.name, rule.number(target, &fields)?)))
        .collect()
}

/// The metric of all lines with a `fault`, each kind by itself: the one with a dimension.
pub const FAULTS: &str = "Faults";
const FAULT: &str = "fault";

/// The fields of a log line that rules look at.
#[derive(Default)]
struct Fields {
    outcome: String,
    fault: String,
    numbers: BTreeMap<&'static str, f64>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "outcome" => self.outcome = format!("{value:?}"),
            FAULT => self.fault = format!("{value:?}"),
            _ => {}
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "outcome" => value.clone_into(&mut self.outcome),
            FAULT => value.clone_into(&mut self.fault),
            _ => {}
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.numbers.insert(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        // Nothing that is counted here comes near 2^53.
        self.record_f64(field, value as f64);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.record_f64(field, value as f64);
    }
}

impl Rule {
    /// The number that the line adds, if it is one of this metric's.
    fn number(&self, target: &str, fields: &Fields) -> Option<f64> {
        let says = match self.says.strip_prefix('!') {
            Some(fault) => fields.fault == fault,
            None => fields.outcome == self.says,
        };
        let rest = target.strip_prefix(self.source);
        let is_its = says && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
        match self.field {
            "" => is_its.then_some(1.0),
            field => fields.numbers.get(field).copied().filter(|_| is_its),
        }
    }
}

/// What was counted and not told yet.
#[derive(Default)]
struct Tally {
    values: BTreeMap<&'static str, (Kind, Vec<f64>)>,
    faults: BTreeMap<String, u64>,
}

impl Tally {
    fn take_in(&mut self, target: &str, fields: &Fields) {
        for rule in &RULES {
            let Some(number) = rule.number(target, fields) else {
                continue;
            };
            let (_, values) = self
                .values
                .entry(rule.name)
                .or_insert((rule.kind, Vec::new()));
            match (rule.kind, values.last_mut()) {
                (Kind::Count | Kind::Seconds, Some(sum)) => *sum += number,
                (Kind::Gauge(_), Some(last)) => *last = number,
                _ => values.push(number),
            }
        }
        if !fields.fault.is_empty() {
            *self.faults.entry(fields.fault.clone()).or_default() += 1;
        }
    }

    /// The lines that tell all, and forgets it.
    fn lines(&mut self, namespace: &str, at: Timestamp) -> Vec<Value> {
        let mut lines = Vec::new();
        let mut values = std::mem::take(&mut self.values);
        while !values.is_empty() {
            let (mut names, mut line) = (Vec::new(), Map::new());
            for (name, (kind, values)) in &mut values {
                let unit = match kind {
                    Kind::Count => "Count",
                    Kind::Seconds => "Seconds",
                    Kind::Each(unit) | Kind::Gauge(unit) => unit,
                };
                names.push(json!({"Name": name, "Unit": unit}));
                let some: Vec<f64> = values.drain(..values.len().min(VALUES_MAX)).collect();
                let value = match some[..] {
                    [one] => json!(one),
                    _ => json!(some),
                };
                line.insert((*name).to_owned(), value);
            }
            values.retain(|_, (_, values)| !values.is_empty());
            lines.push(document(namespace, at, json!([[]]), &names, line));
        }
        for (fault, count) in std::mem::take(&mut self.faults) {
            let line = Map::from_iter([
                (FAULTS.to_owned(), json!(count)),
                (FAULT.to_owned(), json!(fault)),
            ]);
            let names = [json!({"Name": FAULTS, "Unit": "Count"})];
            lines.push(document(namespace, at, json!([[FAULT]]), &names, line));
        }
        lines
    }
}

/// See "Specification: Embedded metric format" of the CloudWatch user guide.
fn document(
    namespace: &str,
    at: Timestamp,
    dimensions: Value,
    names: &[Value],
    mut line: Map<String, Value>,
) -> Value {
    let directive = json!({"Namespace": namespace, "Dimensions": dimensions, "Metrics": names});
    let head = json!({"Timestamp": at.ms(), "CloudWatchMetrics": [directive]});
    line.insert("_aws".to_owned(), head);
    Value::Object(line)
}

/// What all functions of this process count, and the namespace it is told in.
static METER: OnceLock<(String, Mutex<Tally>)> = OnceLock::new();

/// Counts from log lines.
pub(crate) struct Meter;

impl Meter {
    /// The counter of this process, told in `namespace`.
    pub(crate) fn start(namespace: String) -> Self {
        METER.get_or_init(|| (namespace, Mutex::default()));
        Self
    }
}

impl<S: Subscriber> Layer<S> for Meter {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Some((_, tally)) = METER.get() else {
            return;
        };
        let mut fields = Fields::default();
        event.record(&mut fields);
        tally
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take_in(event.metadata().target(), &fields);
    }
}

/// Writes what was counted since the last time to the log, if anything was. Lambda freezes a process between two
/// invocations, so this is the last thing that each does.
pub(crate) fn tell(clock: &Clock) {
    let Some((namespace, tally)) = METER.get() else {
        return;
    };
    let lines = tally
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .lines(namespace, clock.now());
    let mut out = std::io::stdout().lock();
    for line in lines {
        // Who can't write a log can't say so either.
        let _ = writeln!(out, "{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(outcome: &str, fault: &str, numbers: &[(&'static str, f64)]) -> Fields {
        Fields {
            outcome: outcome.to_owned(),
            fault: fault.to_owned(),
            numbers: numbers.iter().copied().collect(),
        }
    }

    #[test]
    fn a_batch_is_one_line_and_each_kind_of_fault_another() {
        let mut tally = Tally::default();
        for ms in 0..120 {
            let numbers = [("waited_ms", f64::from(ms)), ("task.attempt", 1.0)];
            tally.take_in("worker::mint", &fields("done", "", &numbers));
            tally.take_in("worker::revoke", &fields("done", "", &numbers));
        }
        tally.take_in(
            "worker",
            &fields("", "rate_limited", &[("retry_after_s", 7.0)]),
        );
        tally.take_in("request", &fields("", "rate_limited", &[]));
        let lines = tally.lines("AdmitOne/test", Timestamp::from_ms(1_763_640_000_000));
        assert_eq!(lines.len(), 3, "{lines:?}");
        let [first, second, faults] = &lines[..] else {
            panic!("three lines")
        };
        assert_eq!(first["Links"], 120.0);
        assert_eq!(first["Attempts"], 120.0);
        assert_eq!(first["PausedSeconds"], 7.0);
        assert_eq!(first["RateLimited"], 1.0);
        assert_eq!(first["RequestToLink"].as_array().unwrap().len(), 100);
        assert_eq!(second["RequestToLink"].as_array().unwrap().len(), 20);
        assert_eq!(second.as_object().unwrap().len(), 2, "{second}");
        assert_eq!(
            (&faults["Faults"], &faults["fault"]),
            (&json!(2), &json!("rate_limited"))
        );
        let directive = &first["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "AdmitOne/test");
        assert_eq!(directive["Dimensions"], json!([[]]));
        assert!(
            directive["Metrics"]
                .as_array()
                .unwrap()
                .contains(&json!({"Name": "RequestToLink", "Unit": "Milliseconds"})),
            "{directive}"
        );
        assert_eq!(first["_aws"]["Timestamp"], 1_763_640_000_000_i64);
        assert!(
            tally
                .lines("AdmitOne/test", Timestamp::from_ms(0))
                .is_empty()
        );
    }

    #[test]
    fn a_gauge_is_the_last_and_what_was_not_measured_is_not_told() {
        let mut tally = Tally::default();
        tally.take_in(
            "monitor",
            &fields("measured", "", &[("queue.invites", 5.0)]),
        );
        tally.take_in(
            "monitor",
            &fields("measured", "", &[("queue.invites", 3.0)]),
        );
        let lines = tally.lines("AdmitOne/test", Timestamp::from_ms(0));
        assert_eq!(lines[0]["InviteQueueDepth"], 3.0);
        assert!(lines[0].get("OldestUnserved").is_none());
    }
}
