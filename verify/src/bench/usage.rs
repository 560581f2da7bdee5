//! What one invite or one join uses of AWS, and how that is shown.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use simulators::aws::{Service, WireCall};

use super::report::Section;
use local::resources::{EVENTS, INVITES, MESSAGES, PAYMENTS};

/// What one phase used, per invite or per join.
#[derive(Clone, Default)]
pub(crate) struct Usage {
    /// Calls and units by table or queue and operation.
    pub(crate) calls: BTreeMap<(String, &'static str), Use>,
    /// Milliseconds that the worker ran.
    pub(crate) worker_ms: f64,
    /// Milliseconds that `events` ran.
    pub(crate) events_ms: f64,
}

/// Calls and units.
#[derive(Clone, Copy, Default)]
pub(crate) struct Use {
    pub(crate) calls: f64,
    pub(crate) read_units: f64,
    pub(crate) write_units: f64,
}

impl Usage {
    /// Everything that `of` this service was used.
    fn total(&self, of: impl Fn(&Use) -> f64) -> f64 {
        self.calls.values().map(of).sum()
    }

    pub(crate) fn write_units(&self) -> f64 {
        self.total(|used| used.write_units)
    }

    pub(crate) fn read_units(&self) -> f64 {
        self.total(|used| used.read_units)
    }

    /// Calls of SQS.
    pub(crate) fn sqs_calls(&self) -> f64 {
        let queues = self
            .calls
            .iter()
            .filter(|((name, _), _)| name.ends_with("Queue"));
        queues.map(|(_, used)| used.calls).sum()
    }

    /// Batches that the functions behind all queues were invoked with.
    pub(crate) fn all_batches(&self) -> f64 {
        let queues = [INVITES.queue, EVENTS.queue, MESSAGES.queue, PAYMENTS.queue];
        queues.iter().map(|queue| self.batches(queue)).sum()
    }

    /// Batches that the function behind `queue` was invoked with.
    pub(crate) fn batches(&self, queue: &str) -> f64 {
        let key = (queue.to_owned(), "DeleteMessageBatch");
        self.calls.get(&key).map_or(0.0, |used| used.calls)
    }
}

impl Usage {
    /// Counts a call. Receiving is counted by what was received and deleted: how often an empty queue is asked depends on
    /// time, not on invites.
    pub(crate) fn add(&mut self, call: &WireCall, share: f64) {
        if call.operation == "ReceiveMessage" || call.service == Service::SecretsManager {
            return;
        }
        let name = call.table_or_queue.clone().unwrap_or_default();
        if call.operation == "DeleteMessageBatch" {
            let received = self
                .calls
                .entry((name.clone(), "ReceiveMessage"))
                .or_default();
            received.calls += share;
        }
        let used = self.calls.entry((name, call.operation)).or_default();
        used.calls += share;
        used.read_units += share * call.read_units;
        used.write_units += share * call.write_units;
    }
}
/// A lone invite, a lone join, and bursts of both.
pub(crate) struct Life {
    pub(crate) lone_invite: Usage,
    pub(crate) lone_join: Usage,
    pub(crate) burst_invite: Usage,
    pub(crate) burst_join: Usage,
}

/// What each of these used, by table or queue and operation, and in all.
pub(crate) fn rows(phases: &[&Usage]) -> Vec<Vec<String>> {
    let mut keys: Vec<_> = phases.iter().flat_map(|usage| usage.calls.keys()).collect();
    keys.sort();
    keys.dedup();
    let mut rows: Vec<Vec<String>> = keys
        .into_iter()
        .map(|key| {
            let mut row = vec![format!("{} {}", key.0, key.1)];
            row.extend(
                phases
                    .iter()
                    .map(|usage| usage.calls.get(key).map_or_else(String::new, cell)),
            );
            row
        })
        .collect();
    for (name, figure) in [
        (
            "all write units",
            &Usage::write_units as &dyn Fn(&Usage) -> f64,
        ),
        ("all read units", &Usage::read_units),
        ("all SQS calls", &Usage::sqs_calls),
    ] {
        let mut row = vec![name.to_owned()];
        row.extend(phases.iter().map(|usage| format!("{:.2}", figure(usage))));
        rows.push(row);
    }
    rows
}

/// The table of all phases.
pub(crate) fn section(life: &Life, clock_speed: u32) -> Section {
    let rows = rows(&[
        &life.lone_invite,
        &life.lone_join,
        &life.burst_invite,
        &life.burst_join,
    ]);
    Section {
        name: "units",
        title: "What one invite and one join use, counted at the wire".to_owned(),
        columns: vec!["", "lone invite", "lone join", "invite of 200", "join of 200"],
        rows,
        notes: vec![
            format!("Calls per invite or join, with its DynamoDB units (W write, R read; failed conditions too). An invite: payment to link and its event; a \
             join: update to event and revocation. Bursts come at once and are worked off at the learned rate_limit, by a clock that runs {clock_speed} times as fast as time."),
            "Receives that came back empty are not counted here: they depend on time, not on invites.".to_owned(),
        ],
        figures: json!({"loneInvite": figures(&life.lone_invite), "loneJoin": figures(&life.lone_join),
            "burstInvite": figures(&life.burst_invite), "burstJoin": figures(&life.burst_join)}),
    }
}

fn cell(used: &Use) -> String {
    let mut cell = format!("{:.2}", used.calls);
    for (units, letter) in [(used.write_units, 'W'), (used.read_units, 'R')] {
        if units > 0.0 {
            cell += &format!(" ({units:.2} {letter})");
        }
    }
    cell
}

pub(crate) fn figures(usage: &Usage) -> Value {
    let calls = usage.calls.iter().map(|((name, operation), used)| {
        json!({"of": name, "operation": operation, "calls": used.calls, "readUnits": used.read_units, "writeUnits": used.write_units})
    });
    json!({"writeUnits": usage.write_units(), "readUnits": usage.read_units(), "sqsCalls": usage.sqs_calls(),
        "workerMs": usage.worker_ms, "eventsMs": usage.events_ms, "calls": calls.collect::<Vec<_>>()})
}
