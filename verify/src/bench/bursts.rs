//! A whole local stack that works as it does in production, given one invite and one join, then many at once, and watched at
//! the wire of its AWS.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::report::BenchReport;
use super::usage::{self, Life, Usage};
use local::harness::TestStack;
use local::resources::{EVENTS, INVITES};

/// How often it is looked whether all is done, and for how long it must be.
const POLL_INTERVAL: Duration = Duration::from_millis(2);
const IDLE_POLLS: u32 = 25;
/// Longest wait for a burst to be worked off.
const TIMEOUT: Duration = Duration::from_secs(120);
/// How many invites a burst is.
const BURST: usize = 200;

/// Counts, and adds the section. The local stack's clock runs `clock_speed` times as fast as time, since most of a burst is waiting.
///
/// # Errors
/// If the local stack does not work off what it is given.
pub(crate) async fn measure(report: &mut BenchReport, clock_speed: u32) -> anyhow::Result<Life> {
    let stack = TestStack::start().await;
    let clock = stack.clock.clone();
    let hurry = tokio::spawn(async move {
        let mut looked = Instant::now();
        loop {
            tokio::time::sleep(POLL_INTERVAL).await;
            let passed = looked.elapsed();
            looked = Instant::now();
            clock.advance(passed * (clock_speed - 1));
        }
    });
    let (lone_invite, links) = invites(&stack, "lone", 1).await?;
    // Past the slot of the invite, so that the revocation finds an idle line as it would hours later.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let lone_join = joins(&stack, &links).await?;
    let (burst_invite, links) = invites(&stack, "burst", BURST).await?;
    let burst_join = joins(&stack, &links).await?;
    hurry.abort();
    let life = Life {
        lone_invite,
        lone_join,
        burst_invite,
        burst_join,
    };
    report.add(usage::section(&life, clock_speed));
    for (what, usage, at_most) in [
        ("write units per lone invite", &life.lone_invite, 11.0),
        ("write units per invite of a burst", &life.burst_invite, 9.1),
        ("write units per lone join", &life.lone_join, 8.0),
        ("write units per join of a burst", &life.burst_join, 6.1),
    ] {
        report.target(what, usage.write_units(), at_most, "");
    }
    Ok(life)
}

/// Buys at once and counts until all links are out and their events delivered; answers the links.
async fn invites(
    stack: &TestStack,
    name: &str,
    count: usize,
) -> anyhow::Result<(Usage, Vec<String>)> {
    let ids = std::cell::RefCell::new(Vec::with_capacity(count));
    let usage = counted(stack, count, async {
        let bought = stream::iter(0..count)
            .map(|number| async move {
                let name = format!("{name}-{number}");
                let answer = stack.shop().buy(&name, &name).await;
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
        let status = stack.shop().status(&id).await;
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
async fn joins(stack: &TestStack, links: &[String]) -> anyhow::Result<Usage> {
    let before = stack.webengage.ingested_count();
    let usage = counted(stack, links.len(), async {
        for (person, link) in (800_000_000..).zip(links) {
            let person = stack.customer(person + i64::try_from(links.len())?);
            let _ = person.tap(link);
        }
        Ok(())
    })
    .await?;
    let delivered = stack.webengage.ingested_count() - before;
    anyhow::ensure!(
        delivered == links.len() as u64,
        "{delivered} of {} joins were delivered",
        links.len()
    );
    Ok(usage)
}

/// Does `work`, waits until nothing is left to do, and answers what one of `count` used.
async fn counted(
    stack: &TestStack,
    count: usize,
    work: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<Usage> {
    let wire = stack.aws().wire();
    drop(wire.take_calls());
    wire.record_calls(true);
    let mut usage = Usage::default();
    let done = async {
        let (began, mut looked_ms, mut idle) = (Instant::now(), stack.clock.now_ms(), 0);
        while idle < IDLE_POLLS {
            anyhow::ensure!(
                began.elapsed() < TIMEOUT,
                "the local stack did not come to rest"
            );
            tokio::time::sleep(POLL_INTERVAL).await;
            let passed_ms = (stack.clock.now_ms() - looked_ms) as f64;
            looked_ms = stack.clock.now_ms();
            usage.worker_ms += stack.local.mappings["worker"].running() as f64 * passed_ms;
            usage.events_ms += stack.local.mappings["events"].running() as f64 * passed_ms;
            let left = stack.depth(INVITES.queue) + stack.depth(EVENTS.queue);
            let pending = stack.telegram.pending_updates(stack.bot_id);
            let is_idle = left == 0 && pending == 0 && stack.local.running() == 0;
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
        usage.add(&call, share);
    }
    Ok(usage)
}
