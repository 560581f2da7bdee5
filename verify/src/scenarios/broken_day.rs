//! A chat that is broken for a day.

use std::time::Duration;

use serde_json::json;
use simulators::telegram::{Limit, Rights};

use super::super::invariants::{Allowed, broken};
use super::super::world::{Plan, World, run};
use super::{ServedTimes, served};

/// What came of a chat that was broken for a day.
#[derive(Clone, Copy, Debug, Default)]
pub struct BrokenDay {
    /// Orders for the broken chat, and for the one beside it.
    pub payments: usize,
    /// The longest wait of a payment for the chat beside it.
    pub longest_beside: Duration,
    /// The longest wait in the broken chat while one of its bots could work.
    pub longest_by_the_other_bot: Duration,
    /// How long after the chat was fixed its last link came.
    pub served_after: Duration,
    /// Calls that found it broken.
    pub probes: usize,
}

/// Two bots and two chats. In the first chat one bot loses its rights for a day, then both do; payments for each chat come
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
        let mut payments = 0;
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
                    let reply = world.buy(&body).await;
                    anyhow::ensure!(reply.is_some_and(|reply| reply.status == 200), "refused");
                    payments += 1;
                }
                world.wait(Duration::from_secs(every * 60)).await;
            }
            for bot in bots {
                world.telegram.make_admin(*bot, sick, Rights::all());
            }
            if day == 1 {
                world.run_until_idle().await?;
            }
        }
        let recovered = world.clock.now();
        let second_day = start.plus(Duration::from_secs(DAY * 60));
        world.run_until_idle().await?;
        let wrong = broken(&world, Allowed::default()).await?;
        anyhow::ensure!(wrong.is_empty(), "{wrong:?}");
        let mut day = BrokenDay {
            payments,
            probes: world
                .telegram
                .calls()
                .iter()
                .filter(|call| call.status == 400)
                .count(),
            ..BrokenDay::default()
        };
        for ServedTimes {
            chat,
            created,
            done,
            ..
        } in served(&world).await?
        {
            let wait = done.since(created);
            if chat != sick {
                day.longest_beside = day.longest_beside.max(wait);
            } else if created < second_day {
                day.longest_by_the_other_bot = day.longest_by_the_other_bot.max(wait);
            } else {
                day.served_after = day.served_after.max(done.since(recovered));
            }
        }
        // A hold of ten minutes at most, and the rate limit of two bots.
        let paced = limit.per.mul_f64(payments as f64 / 2.0 / 20.0);
        anyhow::ensure!(
            day.longest_beside <= Duration::from_secs(10)
                && day.longest_by_the_other_bot <= Duration::from_secs(60)
                && day.served_after <= Duration::from_secs(900) + paced,
            "{day:?}"
        );
        Ok(day)
    })
}
