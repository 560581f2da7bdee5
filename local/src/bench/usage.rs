//! What invites and joins use of AWS, counted at the wire of a whole bundle that works as it does in production.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use simulators::aws::{Service, WireCall};

use super::report::{Report, Section};
use crate::harness::TestBundle;
use crate::resources::{EVENTS, INVITES};

/// How often it is looked whether all is done, and for how long it must be.
const GLANCE: Duration = Duration::from_millis(2);
const IDLE_GLANCES: u32 = 25;
/// Longest wait for a burst to be worked off.
const PATIENCE: Duration = Duration::from_secs(120);
/// How many invites a burst is.
const BURST: usize = 200;

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

    /// Batches that the function behind `queue` was invoked with.
    pub(crate) fn batches(&self, queue: &str) -> f64 {
        let key = (queue.to_owned(), "DeleteMessageBatch");
        self.calls.get(&key).map_or(0.0, |used| used.calls)
    }
}

/// A lone invite, a lone join, and bursts of both.
pub(crate) struct Life {
    pub(crate) lone_invite: Usage,
    pub(crate) lone_join: Usage,
    pub(crate) burst_invite: Usage,
    pub(crate) burst_join: Usage,
}

/// Counts, and adds the section. The bundle's clock runs `haste` times as fast as time, since most of a burst is waiting.
///
/// # Errors
/// If the bundle does not work off what it is given.
pub(crate) async fn measure(report: &mut Report, haste: u32) -> anyhow::Result<Life> {
    let bundle = TestBundle::start().await;
    let clock = bundle.clock.clone();
    let hurry = tokio::spawn(async move {
        let mut looked = Instant::now();
        loop {
            tokio::time::sleep(GLANCE).await;
            let passed = looked.elapsed();
            looked = Instant::now();
            clock.turn(passed * (haste - 1));
        }
    });
    let (lone_invite, links) = invites(&bundle, "lone", 1).await?;
    // Past the slot of the invite, so that the revocation finds an idle line as it would hours later.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let lone_join = joins(&bundle, &links).await?;
    let (burst_invite, links) = invites(&bundle, "burst", BURST).await?;
    let burst_join = joins(&bundle, &links).await?;
    hurry.abort();
    let life = Life {
        lone_invite,
        lone_join,
        burst_invite,
        burst_join,
    };
    report.add(section(&life, haste));
    for (what, usage, at_most) in [
        ("write units per lone invite", &life.lone_invite, 5.0),
        ("write units per invite of a burst", &life.burst_invite, 5.0),
        ("write units per lone join", &life.lone_join, 2.0),
        ("write units per join of a burst", &life.burst_join, 2.0),
    ] {
        report.target(what, usage.write_units(), at_most, "");
    }
    Ok(life)
}

/// Buys at once and counts until all links are out and their events delivered; answers the links.
async fn invites(
    bundle: &TestBundle,
    name: &str,
    count: usize,
) -> anyhow::Result<(Usage, Vec<String>)> {
    let ids = std::cell::RefCell::new(Vec::with_capacity(count));
    let usage = counted(bundle, count, async {
        let bought = stream::iter(0..count)
            .map(|number| async move {
                let name = format!("{name}-{number}");
                let answer = bundle.buy(&name, &name).await;
                anyhow::ensure!(
                    answer.status == 200,
                    "a purchase was refused: {}",
                    answer.body
                );
                Ok(answer.request_id())
            })
            .buffer_unordered(32)
            .try_collect::<Vec<_>>()
            .await?;
        ids.borrow_mut().extend(bought);
        Ok(())
    })
    .await?;
    let mut links = Vec::with_capacity(count);
    for id in ids.into_inner() {
        let status = bundle.status(&id).await;
        anyhow::ensure!(
            status["linkEventFired"] == true,
            "an invite is not done: {status}"
        );
        let link = status["inviteLink"]
            .as_str()
            .context("an invite without link")?;
        links.push(link.to_owned());
    }
    Ok((usage, links))
}

/// Lets a person of its own tap each link and counts until all joins are delivered and all links revoked.
async fn joins(bundle: &TestBundle, links: &[String]) -> anyhow::Result<Usage> {
    let before = bundle.webengage.ingested_count();
    let usage = counted(bundle, links.len(), async {
        for (person, link) in (800_000_000..).zip(links) {
            let _ = bundle.tap(link, person + i64::try_from(links.len())?);
        }
        Ok(())
    })
    .await?;
    let delivered = bundle.webengage.ingested_count() - before;
    anyhow::ensure!(
        delivered == links.len() as u64,
        "{delivered} of {} joins were delivered",
        links.len()
    );
    Ok(usage)
}

/// Does `work`, waits until nothing is left to do, and answers what one of `count` used.
async fn counted(
    bundle: &TestBundle,
    count: usize,
    work: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<Usage> {
    let wire = bundle.aws().wire();
    let (worker, events) = (&bundle.bundle.worker, &bundle.bundle.events);
    drop(wire.take_calls());
    wire.record_calls(true);
    let mut usage = Usage::default();
    let done = async {
        let (began, mut looked_ms, mut idle) = (Instant::now(), bundle.clock.now_ms(), 0);
        while idle < IDLE_GLANCES {
            anyhow::ensure!(
                began.elapsed() < PATIENCE,
                "the bundle did not come to rest"
            );
            tokio::time::sleep(GLANCE).await;
            let passed_ms = (bundle.clock.now_ms() - looked_ms) as f64;
            looked_ms = bundle.clock.now_ms();
            usage.worker_ms += worker.running() as f64 * passed_ms;
            usage.events_ms += events.running() as f64 * passed_ms;
            let left = bundle.depth(INVITES.queue) + bundle.depth(EVENTS.queue);
            let pending = bundle.telegram.pending_updates(bundle.bot_id);
            let is_idle = left == 0 && pending == 0 && worker.running() + events.running() == 0;
            idle = if is_idle { idle + 1 } else { 0 };
        }
        Ok(())
    };
    // The work is over long before the rest.
    let (worked, rested) = futures_util::future::join(work, done).await;
    worked?;
    rested?;
    wire.record_calls(false);
    let share = 1.0 / count as f64;
    usage.worker_ms *= share;
    usage.events_ms *= share;
    for call in wire.take_calls() {
        add(&mut usage, &call, share);
    }
    Ok(usage)
}

/// Counts a call. Receiving is counted by what was received and deleted: how often an empty queue is asked depends on
/// time, not on invites.
fn add(usage: &mut Usage, call: &WireCall, share: f64) {
    if call.operation == "ReceiveMessage" || call.service == Service::SecretsManager {
        return;
    }
    let name = call.table_or_queue.clone().unwrap_or_default();
    if call.operation == "DeleteMessageBatch" {
        let received = usage
            .calls
            .entry((name.clone(), "ReceiveMessage"))
            .or_default();
        received.calls += share;
    }
    let used = usage.calls.entry((name, call.operation)).or_default();
    used.calls += share;
    used.read_units += share * call.read_units;
    used.write_units += share * call.write_units;
}

fn section(life: &Life, haste: u32) -> Section {
    let phases = [
        &life.lone_invite,
        &life.lone_join,
        &life.burst_invite,
        &life.burst_join,
    ];
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
    Section {
        name: "units",
        title: "What one invite and one join use, counted at the wire".to_owned(),
        columns: vec!["", "lone invite", "lone join", "invite of 200", "join of 200"],
        rows,
        notes: vec![
            format!("Calls per invite or join, with its DynamoDB units (W write, R read; failed conditions too). An invite: payment to link and its event; a \
             join: update to event and revocation. Bursts come at once and are worked off at the learned pace, by a clock that runs {haste} times as fast as time."),
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

fn figures(usage: &Usage) -> Value {
    let calls = usage.calls.iter().map(|((name, operation), used)| {
        json!({"of": name, "operation": operation, "calls": used.calls, "readUnits": used.read_units, "writeUnits": used.write_units})
    });
    json!({"writeUnits": usage.write_units(), "readUnits": usage.read_units(), "sqsCalls": usage.sqs_calls(),
        "workerMs": usage.worker_ms, "eventsMs": usage.events_ms, "calls": calls.collect::<Vec<_>>()})
}
