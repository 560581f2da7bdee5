//! What an actor's `getUpdates` costs an hour, idle and busy: in simulated time, by the difference to the same world
//! without it.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use domain::time::Timestamp;
use http::{Request, StatusCode};
use serde_json::{Map, Value, json};
use simulators::telegram::{Conversation, User};

use super::prices;
use super::report::{BenchReport, Section};
use super::usage::Usage;
use crate::world::{Plan, World, run};

/// How long a library asks a poll to be held, in seconds; the product holds it no longer than `POLL_HOLD_SEC`.
const ASKED: Duration = Duration::from_secs(50);
/// `MemorySize` of `botapi` in `template.yaml`.
const MEMORY_GB: f64 = 0.125;
/// The longest way of a call of AWS, each direction.
const AWS_WAY: Duration = Duration::from_millis(5);
/// The first person who writes.
const FIRST_PERSON: i64 = 60_000_000;
/// How many people write, in turns.
const PEOPLE: i64 = 1000;
const HOUR: Duration = Duration::from_secs(3600);

/// What a time with this many updates a second used, with the actor's polls or without.
#[derive(Default)]
struct PollingUse {
    usage: Usage,
    polls: u64,
    held: Duration,
    updates: u64,
    lasted: Duration,
}

/// Measures an hour, a minute if it is to be `quick`, and adds what an hour takes.
///
/// # Errors
/// If an update is not read.
pub(crate) fn measure(report: &mut BenchReport, quick: bool) -> anyhow::Result<()> {
    let mut section = Section {
        name: "polling",
        title: "An actor that asks for updates all the time, an hour of it".to_owned(),
        columns: vec![
            "updates/s",
            "polls",
            "updates read",
            "read units",
            "write units",
            "GB-s",
            "USD a month",
        ],
        notes: vec![
            format!(
                "One actor (operator), which asks by `getUpdates` with `timeout` {} again as soon as it is answered; the difference to the same time in \
                 the same world while it does not ask. Simulated time, {}, taken for an hour. GB-s: as long as polls are held, at 128 MB.",
                ASKED.as_secs(),
                if quick {
                    "a minute"
                } else {
                    "an hour idle, ten minutes busy"
                }
            ),
            "USD a month: 730 such hours at list prices (us-east-1, arm64), with the invocations."
                .to_owned(),
        ],
        ..Section::default()
    };
    let mut figures = Map::new();
    for (per_second, length) in [(0, HOUR), (10, HOUR / 6)] {
        let length = if quick { HOUR / 60 } else { length };
        let polled = polling(per_second, length, true)?;
        let without = polling(per_second, length, false)?;
        // The last poll ends later than it was to.
        let of_hour = HOUR.as_secs_f64() / polled.lasted.as_secs_f64();
        let beyond = |figure: &dyn Fn(&Usage) -> f64| {
            of_hour * (figure(&polled.usage) - figure(&without.usage))
        };
        let (reads, writes) = (beyond(&Usage::read_units), beyond(&Usage::write_units));
        let polls = polled.polls as f64 * of_hour;
        let gb_seconds = polled.held.as_secs_f64() * MEMORY_GB * of_hour;
        let month = 730.0 * prices::of_polling(reads, writes, gb_seconds, polls);
        section.rows.push(vec![
            per_second.to_string(),
            format!("{polls:.0}"),
            format!("{:.0}", polled.updates as f64 * of_hour),
            format!("{reads:.0}"),
            format!("{writes:.0}"),
            format!("{gb_seconds:.0}"),
            format!("{month:.2}"),
        ]);
        let value: Value = json!({"polls": polls, "readUnits": reads, "writeUnits": writes, "gbSeconds": gb_seconds, "dollarsAMonth": month});
        figures.insert(format!("{per_second} a second"), value);
    }
    section.figures = figures.into();
    report.add(section);
    Ok(())
}

fn polling(per_second: u32, length: Duration, asks: bool) -> anyhow::Result<PollingUse> {
    run(1, async {
        let env = [
            ("CHAT_DELIVERY", "claim"),
            ("CLAIM_KEY", "verify-claim-key-0123456789abcdef-01"),
        ];
        let world = World::start(&Plan {
            latency: AWS_WAY,
            schedules: false,
            env: env.map(|(name, value)| (name, value.to_owned())).to_vec(),
            ..Plan::default()
        })
        .await?;
        let key = world.actor("crm", "operator").await?;
        // Until then webhook may believe that nobody reads.
        world.wait(Duration::from_secs(10)).await;
        let until = world.clock.now().plus(length);
        let (read, (), usage) = tokio::try_join!(
            async {
                match asks {
                    true => poll(&world, &key, until).await,
                    false => Ok(PollingUse::default()),
                }
            },
            write(&world, per_second, until),
            count(&world, until.plus(ASKED))
        )?;
        if asks {
            let written = u64::from(per_second) * length.as_secs();
            // The last ones may have come after the last poll.
            let missing = written.saturating_sub(read.updates);
            anyhow::ensure!(
                missing <= u64::from(per_second) * 3,
                "{missing} were not read"
            );
        }
        Ok(PollingUse { usage, ..read })
    })
}

/// What is used until then.
async fn count(world: &World, until: Timestamp) -> anyhow::Result<Usage> {
    let (wire, mut usage) = (world.aws.wire(), Usage::default());
    wire.record_calls(true);
    while world.clock.now() < until {
        world.wait(Duration::from_secs(1)).await;
        for call in wire.take_calls() {
            usage.add(&call, 1.0);
        }
    }
    wire.record_calls(false);
    Ok(usage)
}

/// People write, so many messages a second, evenly.
async fn write(world: &World, per_second: u32, until: Timestamp) -> anyhow::Result<()> {
    if per_second == 0 {
        return Ok(());
    }
    let (every, bot) = (Duration::from_secs(1) / per_second, world.bots[0]);
    let mut number = 0;
    while world.clock.now() < until {
        let person = FIRST_PERSON + number % PEOPLE;
        let place = Conversation::private(bot, person);
        world.telegram.says(place, &User::new(person), "Hello");
        number += 1;
        world.wait(every).await;
    }
    Ok(())
}

/// Asks again and again.
async fn poll(world: &World, key: &str, until: Timestamp) -> anyhow::Result<PollingUse> {
    let (mut found, mut offset) = (PollingUse::default(), 0);
    let start = world.clock.now();
    while world.clock.now() < until {
        let body = json!({"offset": offset, "timeout": ASKED.as_secs()});
        let request = Request::post(format!("/bot{key}/getUpdates"));
        let request = request
            .header("content-type", "application/json")
            .body(Bytes::from(body.to_string()))?;
        let began = world.clock.now();
        let answer = world.function("botapi").call(request).await;
        found.held += world.clock.now().since(began);
        found.polls += 1;
        let is_ok = answer.status() == StatusCode::OK;
        let body: Value = serde_json::from_slice(answer.body())?;
        anyhow::ensure!(is_ok, "{body}");
        let updates = body["result"].as_array().context("no updates")?;
        found.updates += updates.len() as u64;
        if let Some(last) = updates.last() {
            offset = last["update_id"].as_i64().context("no number")? + 1;
        }
        // Its next call is on the way.
        world.wait(Duration::from_millis(50)).await;
    }
    found.lasted = world.clock.now().since(start);
    Ok(found)
}
