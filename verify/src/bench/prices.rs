//! What a million invites or joins cost at list prices: us-east-1, on demand, without free tiers, in US dollars.

use serde_json::{Map, json};

use super::functions::Calls;
use super::report::{BenchReport, Section};
use super::usage::{Life, Usage};
use local::resources::{EVENTS, INVITES};

/// <https://aws.amazon.com/dynamodb/pricing/on-demand/>: a million write request units.
const WRITE_UNITS: f64 = 0.625;
/// The same page: a million read request units.
const READ_UNITS: f64 = 0.125;
/// <https://aws.amazon.com/sqs/pricing/>: a million requests to standard queues.
const SQS_CALLS: f64 = 0.40;
/// <https://aws.amazon.com/lambda/pricing/>: a GB-second on arm64.
const LAMBDA_GB_SECOND: f64 = 0.000_013_333_4;
/// The same page: a million invocations.
const LAMBDA_INVOCATIONS: f64 = 0.20;
/// <https://aws.amazon.com/api-gateway/pricing/>: a million calls of an HTTP API.
const HTTP_API_CALLS: f64 = 1.00;
/// <https://aws.amazon.com/cloudwatch/pricing/>: a GB of logs taken in.
const LOGS_GB: f64 = 0.50;
/// `MemorySize` of `template.yaml`.
const MEMORY_GB: f64 = 0.25;

/// Invocations of one function per invite or join, and their length.
struct Invoked {
    function: &'static str,
    times: f64,
    ms: f64,
}

/// Adds what a million costs. Lambda's time and logs are those that `calls` measured.
pub(crate) fn add(report: &mut BenchReport, life: &Life, calls: &Calls) {
    let phases = [
        ("lone invites", &life.lone_invite, "request", false),
        ("lone joins", &life.lone_join, "webhook", false),
        (
            "invites in bursts of 200",
            &life.burst_invite,
            "request",
            true,
        ),
        ("joins in bursts of 200", &life.burst_join, "webhook", true),
    ];
    let (mut rows, mut figures) = (Vec::new(), Map::new());
    for (name, usage, front, is_burst) in phases {
        let parts = parts(usage, &invoked(usage, front, is_burst, calls), calls);
        let total: f64 = parts.iter().map(|(_, dollars)| dollars).sum();
        let mut row = vec![name.to_owned()];
        row.extend(parts.iter().map(|(_, dollars)| format!("{dollars:.2}")));
        row.push(format!("{total:.2}"));
        rows.push(row);
        let parts: Map<_, _> = parts
            .iter()
            .map(|(part, dollars)| ((*part).to_owned(), json!(dollars)))
            .collect();
        figures.insert(name.to_owned(), json!({"total": total, "parts": parts}));
    }
    let mut notes = vec![
        "List prices of us-east-1 without free tiers; storage, call_site-in-time recovery, alarms and traffic are not in it.".to_owned(),
        "Receives that find an empty queue cost the same however many invites there are: Lambda's five long polls of 20 s at once for each of two queues \
         are 1.3 million receives a month, $0.52.".to_owned(),
    ];
    notes.push(if calls.is_empty() {
        "Lambda's compute and logs are left out: the functions were not measured in this run.".to_owned()
    } else {
        "Lambda's time is as measured here, over loopback, at 256 MB on arm64's price, rounded up to whole milliseconds; in a burst the worker and `events` are \
         billed as long as they ran in the local stack, the waits for slots included. Each further 10 ms that one invocation waits for the network is $0.03 a million.".to_owned()
    });
    report.add(Section {
        name: "cost",
        title: "What a million costs, in US dollars".to_owned(),
        columns: vec![
            "a million",
            "DynamoDB writes",
            "reads",
            "SQS",
            "HTTP API",
            "Lambda calls",
            "Lambda time",
            "logs",
            "all",
        ],
        rows,
        notes,
        figures: figures.into(),
    });
}

fn invoked(usage: &Usage, front: &'static str, is_burst: bool, calls: &Calls) -> [Invoked; 3] {
    let measured = |function: &str| calls.get(function).map_or(0.0, |run| run.wall_ms);
    let behind = |function, queue, ran_ms: f64| {
        let times = usage.batches(queue);
        let ms = match is_burst && !calls.is_empty() && times > 0.0 {
            true => ran_ms / times,
            false => measured(function),
        };
        Invoked {
            function,
            times,
            ms,
        }
    };
    [
        Invoked {
            function: front,
            times: 1.0,
            ms: measured(front),
        },
        behind("worker", INVITES.queue, usage.worker_ms),
        behind("events", EVENTS.queue, usage.events_ms),
    ]
}

/// What so many units, GB-seconds and invocations cost, in dollars.
pub(crate) fn of_polling(
    read_units: f64,
    write_units: f64,
    gb_seconds: f64,
    invocations: f64,
) -> f64 {
    let per_million =
        read_units * READ_UNITS + write_units * WRITE_UNITS + invocations * LAMBDA_INVOCATIONS;
    per_million / 1e6 + gb_seconds * LAMBDA_GB_SECOND
}

/// What a million of what was counted cost, in dollars: each is a call of the HTTP API and of its function, and each batch of a queue
/// another invocation.
pub(crate) fn of_purchase(usage: &Usage) -> f64 {
    usage.write_units() * WRITE_UNITS
        + usage.read_units() * READ_UNITS
        + usage.sqs_calls() * SQS_CALLS
        + HTTP_API_CALLS
        + (1.0 + usage.all_batches()) * LAMBDA_INVOCATIONS
}

/// The price of a million, part by part. Amounts per million are amounts per one.
fn parts(usage: &Usage, invoked: &[Invoked], calls: &Calls) -> [(&'static str, f64); 7] {
    let gb_seconds = |run: &Invoked| run.times * run.ms.ceil() / 1000.0 * MEMORY_GB;
    let log_bytes = |run: &Invoked| {
        calls
            .get(run.function)
            .map_or(0.0, |measured| measured.log_bytes)
    };
    let sum = |of: &dyn Fn(&Invoked) -> f64| invoked.iter().map(of).sum::<f64>();
    [
        ("writes", usage.write_units() * WRITE_UNITS),
        ("reads", usage.read_units() * READ_UNITS),
        ("sqs", usage.sqs_calls() * SQS_CALLS),
        ("httpApi", HTTP_API_CALLS),
        ("lambdaCalls", sum(&|run| run.times) * LAMBDA_INVOCATIONS),
        ("lambdaTime", sum(&gb_seconds) * 1e6 * LAMBDA_GB_SECOND),
        // One line for each message, however many come in a batch.
        ("logs", sum(&log_bytes) * 1e6 / 1e9 * LOGS_GB),
    ]
}
