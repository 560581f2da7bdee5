//! Each function's release binary as Lambda would run it: its start, its calls, its memory and its size.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, json};

use super::Effort;
use super::binary::{self, FUNCTIONS};
use super::environment::{Events, Run, Subject};
use super::figures::mb;
use super::fixture::Fixture;
use super::report::{BenchReport, Section};
use super::{order_seed, payload, seed};

/// Calls that a program makes before its processor time is counted.
pub(crate) const WARM_UP: usize = 200;

/// The figures of the functions, by name, for the price of a million.
pub(crate) type Calls = BTreeMap<&'static str, Run>;

/// Measures all functions in `folder`.
///
/// # Errors
/// A missing binary, or a call that did not succeed.
pub(crate) async fn measure(
    report: &mut BenchReport,
    folder: &Path,
    effort: Effort,
) -> anyhow::Result<Calls> {
    let fixture = &Fixture::that_sells().await?;
    let mut section = Section {
        name: "functions",
        title: "Each function's release binary under a Lambda runtime emulator".to_owned(),
        columns: vec![
            "function", "ready ms", "first answer ms", "warm p50 ms", "CPU ms per call", "peak RSS MB", "stripped MB", "zip MB",
        ],
        notes: vec![
            format!(
                "Medians of {} starts; CPU (user and system, the kernel's ticks) and peak memory over {} further calls of one process.",
                effort.starts, effort.calls
            ),
            "Every call does its whole work against the embedded AWS and the simulated Telegram and WebEngage over loopback: request, new \
             payments (GetItem, two PutItem, SendMessage at most once a second); worker, one mint; events, one delivery; webhook, joins; status, a finished invite; shop, checkouts at the simulated \
             Stripe; pay, where an order stands; payments, new events of Stripe; settlement, the page of a new order.".to_owned(),
            "The simulated services speak plain HTTP, so a first answer here has no TLS handshake in it.".to_owned(),
            "Release profile for all code: opt-level s, fat LTO, panic abort, stripped. Zip: deflated as `bootstrap`.".to_owned(),
        ],
        ..Section::default()
    };
    let (mut calls, mut figures) = (Calls::new(), Map::new());
    for function in FUNCTIONS {
        let path = binary::find(folder, function)?;
        let (stripped, zipped) = binary::sizes(&path)?;
        let mut subject = Subject {
            binary: path,
            events: events(fixture, function, effort).await?,
            answer: answer(function),
        };
        let start = subject.starts(fixture, effort.starts).await?;
        let running = subject.spawn(fixture).await?;
        subject.run(fixture, &running, WARM_UP).await?;
        let run = subject.run(fixture, &running, effort.calls).await?;
        let rss_mb = running.peak_rss_kb()? as f64 * 1024.0 / 1e6;
        let (stripped, zipped) = (mb(stripped), mb(zipped));
        section.rows.push(vec![
            function.to_owned(),
            format!("{:.1}", start.ready_ms),
            format!("{:.1}", start.first_ms),
            format!("{:.2}", start.warm_ms),
            format!("{:.2}", run.cpu_ms),
            format!("{rss_mb:.1}"),
            format!("{stripped:.2}"),
            format!("{zipped:.2}"),
        ]);
        figures.insert(
            function.to_owned(),
            json!({"readyMs": start.ready_ms, "firstAnswerMs": start.first_ms, "warmP50Ms": start.warm_ms, "cpuMsPerCall": run.cpu_ms,
                "p50Ms": run.p50_ms, "p99Ms": run.p99_ms, "peakRssMb": rss_mb, "strippedMb": stripped, "zipMb": zipped, "logBytesPerCall": run.log_bytes}),
        );
        report.target(
            format!("{function}: spawn to ready"),
            start.ready_ms,
            6.0,
            " ms",
        );
        report.target(
            format!("{function}: first answer"),
            start.first_ms,
            20.0,
            " ms",
        );
        report.target(format!("{function}: peak RSS"), rss_mb, 12.0, " MB");
        report.target(format!("{function}: zip"), zipped, 2.8, " MB");
        calls.insert(function, run);
    }
    section.figures = figures.into();
    report.add(section);
    Ok(calls)
}

/// What a good answer of each function contains.
fn answer(function: &str) -> &'static str {
    match function {
        "request" => r#"\"status\":\"queued\",\"requestId\""#,
        "webhook" => r#"\"result\":\"joined\""#,
        "status" => r#"\"status\":\"DONE\""#,
        "shop" => r#"\"payUrl\""#,
        "pay" => r#"\"payment_status\""#,
        "payments" => r#"\"result\":\"kept\""#,
        _ => r#""batchItemFailures":[]"#,
    }
}

/// Events for all calls of one function; finished invites are made for those that need them.
async fn events<'a>(
    fixture: &'a Fixture,
    function: &'static str,
    effort: Effort,
) -> anyhow::Result<Events<'a>> {
    let needed = match function {
        "webhook" | "events" | "worker" => effort.starts * 21 + WARM_UP + effort.calls,
        "status" => 1,
        _ => 0,
    };
    let invites = if function == "worker" {
        seed::tasks(fixture, function, needed).await?;
        Vec::new()
    } else {
        seed::invites(fixture, function, needed).await?
    };
    let orders = match function {
        "settlement" => {
            order_seed::orders(fixture, effort.starts * 21 + WARM_UP + effort.calls).await?
        }
        "pay" => order_seed::pages(fixture, effort.starts * 21 + WARM_UP + effort.calls).await?,
        _ => Vec::new(),
    };
    let mut number = 0_u64;
    Ok(Box::new(move || {
        number += 1;
        let name = format!("{function}-{number}");
        let invite = |position: u64| {
            let position = usize::try_from(position)?.saturating_sub(1);
            invites
                .get(position.min(needed.saturating_sub(1)))
                .ok_or_else(|| anyhow::anyhow!("too few invites"))
        };
        let order = |position: u64| {
            let position = usize::try_from(position)?.saturating_sub(1);
            let order = orders.get(position).copied();
            order.ok_or_else(|| anyhow::anyhow!("too few orders"))
        };
        match function {
            "shop" => payload::checkout_event(fixture, &name),
            "pay" => payload::poll_event(order(number)?),
            "payments" => payload::payment_event(fixture, &name),
            "settlement" => payload::order_bell_event(order(number)?),
            "request" => payload::request_event(fixture, &name),
            "worker" => payload::bell_event(fixture, number),
            "events" => payload::delivery_event(invite(number)?),
            "webhook" => payload::join_event(fixture, invite(number)?, number),
            _ => payload::status_event(fixture, invite(1)?.id),
        }
    }))
}
