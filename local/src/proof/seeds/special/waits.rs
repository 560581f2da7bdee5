//! Long waits: a chat that is broken for a day, and a backlog.

use std::time::Duration;

use anyhow::Context as _;
use common::domain::time::Timestamp;
use serde_json::{Value, json};
use simulators::telegram::{Limit, Rights};

use super::super::super::invariants::{Allowed, broken};
use super::super::super::fairness::overtaken;
use super::super::super::world::{Plan, World, run};

/// How long each request took from its acceptance to its link.
async fn waits(world: &World) -> anyhow::Result<Vec<(i64, Timestamp, Timestamp)>> {
    let items = world.items("InviteRequests").await?;
    let instant = |item: &Value, name: &str| -> anyhow::Result<Timestamp> {
        let text = item[name].as_str().context("an instant is missing")?;
        text.parse().map_err(|_| anyhow::anyhow!("{text}"))
    };
    items
        .iter()
        .map(|item| {
            let chat = item["chatId"].as_i64().unwrap_or_default();
            Ok((chat, instant(item, "createdAt")?, instant(item, "doneAt")?))
        })
        .collect()
}

/// What came of a chat that was broken for a day.
#[derive(Clone, Copy, Debug, Default)]
pub struct BrokenDay {
    /// Orders for the broken chat, and for the one beside it.
    pub orders: usize,
    /// The longest wait of an order for the chat beside it.
    pub longest_beside: Duration,
    /// The longest wait in the broken chat while one of its bots could work.
    pub longest_by_the_other_bot: Duration,
    /// How long after the chat was mended its last link came.
    pub served_after: Duration,
    /// Calls that found it broken.
    pub probes: usize,
}

/// Two bots and two chats. In the first chat one bot loses its rights for a day, then both do; orders for each chat come
/// every `every` minutes.
///
/// # Errors
/// What is broken.
pub fn broken_day(every: u64) -> anyhow::Result<BrokenDay> {
    const DAY: u64 = 24 * 60;
    run(1, async {
        let world = World::start(&Plan {
            bots: 2,
            chats: 2,
            latency: Duration::from_millis(5),
            ..Plan::default()
        })
        .await?;
        let limit = Limit::per_minute(20, 1);
        world.telegram.set_limit(Some(limit));
        let (sick, start) = (world.chats[0], world.clock.now());
        let mut orders = 0;
        for (day, bots) in [(1, &world.bots[..1]), (2, &world.bots[..])] {
            for bot in bots {
                let fewer = Rights {
                    can_invite_users: false,
                    ..Rights::all()
                };
                world.telegram.make_admin(*bot, sick, fewer);
            }
            for minute in (0..DAY).step_by(usize::try_from(every)?) {
                for chat in &world.chats {
                    let body = json!({"userId": format!("u{chat}"), "chatId": chat,
                        "transactionId": format!("T{day}-{minute}-{chat}")});
                    let told = world.buy(&body).await;
                    anyhow::ensure!(told.is_some_and(|told| told.status == 200), "refused");
                    orders += 1;
                }
                world.wait(Duration::from_secs(every * 60)).await;
            }
            for bot in bots {
                world.telegram.make_admin(*bot, sick, Rights::all());
            }
            if day == 1 {
                world.settle().await?;
            }
        }
        let mended = world.clock.now();
        let second_day = start.plus(Duration::from_secs(DAY * 60));
        world.settle().await?;
        let wrong = broken(&world, Allowed::default()).await?;
        anyhow::ensure!(wrong.is_empty(), "{wrong:?}");
        let mut day = BrokenDay {
            orders,
            probes: world
                .telegram
                .calls()
                .iter()
                .filter(|call| call.status == 400)
                .count(),
            ..BrokenDay::default()
        };
        for (chat, created, done) in waits(&world).await? {
            let wait = done.since(created);
            if chat != sick {
                day.longest_beside = day.longest_beside.max(wait);
            } else if created < second_day {
                day.longest_by_the_other_bot = day.longest_by_the_other_bot.max(wait);
            } else {
                day.served_after = day.served_after.max(done.since(mended));
            }
        }
        // A hold of ten minutes at most, and the pace of two bots.
        let paced = limit.per.mul_f64(orders as f64 / 2.0 / 20.0);
        anyhow::ensure!(
            day.longest_beside <= Duration::from_secs(10)
                && day.longest_by_the_other_bot <= Duration::from_secs(60)
                && day.served_after <= Duration::from_secs(900) + paced,
            "{day:?}"
        );
        Ok(day)
    })
}

/// What came of a backlog.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backlog {
    /// Orders, all at once.
    pub orders: usize,
    /// Until the last one had its link.
    pub minutes: f64,
    /// The part of the limit that was used.
    pub used: f64,
    /// Calls that met a 429.
    pub refused: u64,
    /// Orders that were overtaken by one that came more than a call's time later.
    pub overtaken: usize,
    /// SQS requests of the worker and its poller, a link.
    pub sqs_per_link: f64,
    /// Writes of the lease, a link.
    pub lease_writes_per_link: f64,
}

/// `orders` at once for one chat, at `per_minute`.
///
/// # Errors
/// What is broken.
pub fn backlog(orders: usize, per_minute: u32) -> anyhow::Result<Backlog> {
    run(1, async {
        let world = World::start(&Plan {
            latency: Duration::from_millis(5),
            ..Plan::default()
        })
        .await?;
        world
            .telegram
            .set_limit(Some(Limit::per_minute(per_minute, 1)));
        let way = Duration::from_millis(80);
        world.telegram.set_latency(way..=way);
        let start = world.clock.now();
        for n in 0..orders {
            let body = json!({"userId": format!("u{n}"), "transactionId": format!("T{n}")});
            let told = world.buy(&body).await;
            anyhow::ensure!(told.is_some_and(|told| told.status == 200), "refused");
        }
        world.settle().await?;
        let wrong = broken(&world, Allowed::default()).await?;
        anyhow::ensure!(wrong.is_empty(), "{wrong:?}");
        let waits = waits(&world).await?;
        anyhow::ensure!(waits.len() == orders, "{} requests", waits.len());
        let last = waits.iter().map(|(.., done)| *done).max().unwrap_or(start);
        let minutes = last.since(start).as_secs_f64() / 60.0;
        let of_all = |count: u64| count as f64 / orders as f64;
        Ok(Backlog {
            orders,
            minutes,
            used: orders as f64 / minutes / f64::from(per_minute),
            refused: world.telegram.too_many_requests(),
            overtaken: overtaken(&world, Duration::from_secs(1), |_| false).await?.len(),
            sqs_per_link: of_all(world.bell_calls()),
            lease_writes_per_link: of_all(world.lease_writes()),
        })
    })
}
