//! The cases that no draw would meet, each at the size that a test has time for, and at its full one.

mod bells;
mod broken_day;
mod claims;
mod concurrency;
mod events;
mod order;
mod outages;
mod poison;
mod pool;

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use domain::time::Timestamp;
use serde_json::{Value, json};

pub use broken_day::broken_day;
pub use concurrency::{identical, resent};

use super::invariants::{Allowed, broken};
use super::orders;
use super::rate_limit::Case;
use super::world::{Plan, World};

/// How large a scenario is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// What a debug build does in seconds.
    Small,
    /// What the report tells of.
    Full,
}

impl Size {
    fn pick<T>(self, small: T, full: T) -> T {
        match self {
            Self::Small => small,
            Self::Full => full,
        }
    }
}

/// A scenario; it answers a sentence with its figures.
pub type Scenario = fn(Size) -> anyhow::Result<String>;

/// All of them.
pub const SCENARIOS: [(&str, Scenario); 24] = [
    ("rung-at-every-call", bells::rung_at_every_call),
    ("bells-all-the-time", bells::all_the_time),
    ("bells-in-a-pause", bells::in_a_pause),
    ("short-waits", bells::short_waits),
    ("first-come-first-served", order::first_come_first_served),
    ("backlog", order::backlog),
    ("sale-without-pool", order::sale_without_pool),
    ("ten-chats", ten_chats),
    ("clocks", order::clocks),
    ("without-sqs", outages::without_sqs),
    ("without-dynamodb", outages::without_dynamodb),
    ("without-telegram", outages::without_telegram),
    ("poison-mint", poison::mint),
    ("poison-revocation", poison::revocation),
    ("poison-fill", poison::fill),
    ("limited-revocations", poison::limited_revocations),
    ("pool-exact", pool::exact),
    ("pool-put-again", pool::put_again),
    ("pool-evicted-while-sold", pool::evicted_while_sold),
    ("events-lost", events::lost),
    ("events-away", events::away),
    ("at-the-door", claims::at_the_door),
    ("concurrency", concurrency),
    ("orders", sold),
];

/// Runs those whose name holds `only`, so many at once.
#[must_use]
pub fn all(size: Size, threads: usize, only: &str) -> Vec<(&'static str, anyhow::Result<String>)> {
    let wanted = SCENARIOS.iter().filter(|(name, _)| name.contains(only));
    let wanted: Vec<&(&str, Scenario)> = wanted.collect();
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while let Some((name, run)) = wanted.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let sentence = run(size);
                    let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                    results.push((*name, sentence));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    let place = |name: &str| SCENARIOS.iter().position(|(known, _)| *known == name);
    results.sort_by_key(|(name, _)| place(name));
    results
}

/// The same again and again: requests, updates; and a chat that is broken for a day.
fn concurrency(size: Size) -> anyhow::Result<String> {
    let resent = resent(size.pick(10, 300), 5)?;
    let same = identical(size.pick(300, 100_000), 64)?;
    let day = broken_day(size.pick(240, 15))?;
    Ok(format!(
        "{} joins in {} updates, resent and shuffled: {} counted; {} identical requests: {} bells, {} link, {} event; a chat broken for a \
         day: {} payments, another chat's waited {} ms at most, those of a bot that still could {} ms, the rest was served {:.0} s after it \
         was fixed, after {} probes",
        resent.payments,
        resent.deliveries,
        resent.joined,
        same.requests,
        same.bells,
        same.links,
        same.events,
        day.payments,
        day.longest_beside.as_millis(),
        day.longest_by_the_other_bot.as_millis(),
        day.served_after.as_secs_f64(),
        day.probes
    ))
}

/// Seeds of orders.
fn sold(size: Size) -> anyhow::Result<String> {
    let report = match size {
        Size::Small => orders::many(1..9, 1, orders::Size::Small)?,
        Size::Full => orders::many(1..41, 1, orders::Size::Full)?,
    };
    report.sentence()
}

/// Busy chats and few workers: each chat uses most of its limit, by bells and ticks.
fn ten_chats(size: Size) -> anyhow::Result<String> {
    let case = Case {
        chats: size.pick(4, 10),
        workers: size.pick(1, 2),
        ..Case::new("20/min", 1.0 / 3.0, 1, size.pick(6, 20))
    };
    let found = case.run(1)?;
    anyhow::ensure!(
        found.used > 0.8 && found.fairness > 0.8 && found.during_pause == 0,
        "{found:?}"
    );
    Ok(format!(
        "{} chats, {} workers: {:.1} % of the limits used, the slowest chat at {:.0} % of the fastest, {:.2} SQS requests a link",
        case.chats,
        case.workers,
        found.used * 100.0,
        found.fairness * 100.0,
        found.sqs_per_link
    ))
}

/// A world with the way of a call that AWS takes.
async fn world(plan: Plan) -> anyhow::Result<World> {
    let latency = Duration::from_millis(5);
    World::start(&Plan { latency, ..plan }).await
}

/// The payment of this number for this chat.
fn payment_body(world: &World, number: usize, chat: usize) -> Value {
    json!({"userId": format!("u{number}"), "transactionId": format!("T{number}"), "chatId": world.chats[chat]})
}

/// Reports a payment, and expects that it is accepted at once.
async fn buy(world: &World, number: usize, chat: usize) -> anyhow::Result<()> {
    let reply = world.buy(&payment_body(world, number, chat)).await;
    anyhow::ensure!(
        reply.as_ref().is_some_and(|reply| reply.status == 200),
        "payment {number} was told {reply:?}"
    );
    Ok(())
}

/// Waits until all is quiet, and checks every invariant.
async fn check(world: &World, allowed: Allowed) -> anyhow::Result<()> {
    world.run_until_idle().await?;
    let wrong = broken(world, allowed).await?;
    anyhow::ensure!(wrong.is_empty(), "{}", wrong.join("; "));
    Ok(())
}

/// A request that has its link.
struct ServedTimes {
    chat: i64,
    created: Timestamp,
    done: Timestamp,
    attempts: u64,
}

impl ServedTimes {
    fn wait(&self) -> Duration {
        self.done.since(self.created)
    }
}

/// All requests, which must have their links.
async fn served(world: &World) -> anyhow::Result<Vec<ServedTimes>> {
    let items = world.items("InviteRequests").await?;
    let instant = |item: &Value, name: &str| -> anyhow::Result<Timestamp> {
        let text = item[name].as_str();
        let text = text.with_context(|| format!("{name} is missing: {item}"))?;
        text.parse().map_err(|_| anyhow::anyhow!("{text}"))
    };
    items
        .iter()
        .map(|item| {
            Ok(ServedTimes {
                chat: item["chatId"].as_i64().unwrap_or_default(),
                created: instant(item, "createdAt")?,
                done: instant(item, "doneAt")?,
                attempts: item["attempts"].as_u64().unwrap_or_default(),
            })
        })
        .collect()
}

/// The longest wait of all requests.
async fn longest_wait(world: &World) -> anyhow::Result<Duration> {
    let served = served(world).await?;
    Ok(served
        .iter()
        .map(ServedTimes::wait)
        .max()
        .unwrap_or_default())
}

/// Expects that a wait is not longer than this.
fn within(what: &str, wait: Duration, bound: Duration) -> anyhow::Result<()> {
    anyhow::ensure!(wait <= bound, "{what}: {wait:?}, more than {bound:?}");
    Ok(())
}
