//! Work that can't be done: tasks that end the process, and the lane of a bot that may not call.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::id::{BotId, ChatId, InviteLink};
use domain::task::{Revoke, Task, Work};
use serde_json::Value;
use simulators::telegram::Limit;
use store::Tasks;

use super::super::invariants::Allowed;
use super::super::wire::{CallOutcome, Step};
use super::super::world::{Plan, World, run};
use super::{Size, buy, check, longest_wait, within, world};
use local::env::env_of;

/// Four ticks, and what they take.
const FOUR_TICKS: Duration = Duration::from_secs(4 * 60 + 20);
/// The parameters by which a call of Telegram is known: the names of links, or links.
type Deadly = Arc<Mutex<BTreeSet<String>>>;

/// From now on the worker dies before it calls Telegram about any of `deadly`.
fn kill_at(world: &World, deadly: &Deadly) {
    let deadly = Arc::clone(deadly);
    world.wire.fault_policy(Box::new(move |call, request| {
        if call.caller != "worker" || call.service != "Telegram" {
            return CallOutcome::Pass;
        }
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let deadly = deadly.lock().unwrap_or_else(PoisonError::into_inner);
        let is_deadly = ["name", "invite_link"].iter().any(|name| {
            body[*name]
                .as_str()
                .is_some_and(|text| deadly.contains(text))
        });
        if is_deadly {
            CallOutcome::DieBefore
        } else {
            CallOutcome::Pass
        }
    }));
}

fn add(deadly: &Deadly, name: &str) {
    let mut deadly = deadly.lock().unwrap_or_else(PoisonError::into_inner);
    deadly.insert(name.to_owned());
}

/// What may come of it: the deadly one may be given up, and so may its bells.
const ALLOWED: Allowed = Allowed {
    failed: true,
    dead_letters: [0, 0],
    dead_bells: true,
    delivered_again: false,
    out_of_order: true,
    flood_calls: true,
    unheard: false,
};

/// A payment whose mint ends the process, and others behind it.
pub(super) fn mint(_: Size) -> anyhow::Result<String> {
    run(1, async {
        let world = world(Plan::default()).await?;
        let deadly = Deadly::default();
        kill_at(&world, &deadly);
        // The first payment's id is known by a repeat before its turn comes: the chat is paused meanwhile.
        let chat = world.chats[0];
        let pause = serde_json::json!({"reason": "test"});
        world.operate(&format!("chats/{chat}/pause"), &pause).await;
        for number in 0..5 {
            buy(&world, number, 0).await?;
        }
        let first = world.buy(&super::payment_body(&world, 0, 0)).await;
        let id = first.map(|reply| reply.body["requestId"].clone());
        let id = id.and_then(|id| Some(id.as_str()?.to_owned()));
        add(&deadly, &id.unwrap_or_default().replace('-', ""));
        world
            .operate(&format!("chats/{chat}/resume"), &serde_json::json!({}))
            .await;
        let began = world.clock.now();
        while world.telegram.link_count() < 4 {
            within("the neighbours", world.clock.now().since(began), FOUR_TICKS)?;
            world.wait(Duration::from_secs(1)).await;
        }
        let took = world.clock.now().since(began);
        check(&world, ALLOWED).await?;
        Ok(format!(
            "a mint that ends the process, {} times: four payments behind it were served after {:.0} s",
            world.wire.deaths_of("worker"),
            took.as_secs_f64()
        ))
    })
}

/// A revocation that ends the process, another one behind it, and a payment.
pub(super) fn revocation(_: Size) -> anyhow::Result<String> {
    run(1, async {
        let world = world(Plan::default()).await?;
        let deadly = Deadly::default();
        kill_at(&world, &deadly);
        for number in 0..2 {
            buy(&world, number, 0).await?;
        }
        world.run_until_idle().await?;
        let links = world.telegram.links();
        add(&deadly, &links[0].url);
        for (link, person) in links.iter().zip(1000..) {
            world.tap(&link.url, person);
            world.wait(Duration::from_secs(1)).await;
        }
        buy(&world, 2, 0).await?;
        let began = world.clock.now();
        let is_revoked = |url: &str| world.telegram.link(url).is_some_and(|link| link.revoked);
        while world.telegram.link_count() < 3 || !is_revoked(&links[1].url) {
            within("the neighbours", world.clock.now().since(began), FOUR_TICKS)?;
            world.wait(Duration::from_secs(1)).await;
        }
        let took = world.clock.now().since(began);
        // It is given up at the fifth time; what an operator does then is his.
        world.run_until_idle().await?;
        anyhow::ensure!(!is_revoked(&links[0].url), "it was not deadly");
        let failed = world.items("ChatTasks").await?;
        anyhow::ensure!(failed.len() == 1, "{failed:?}");
        Ok(format!(
            "a revocation that ends the process, {} times: its neighbours were served after {:.0} s",
            world.wire.deaths_of("worker"),
            took.as_secs_f64()
        ))
    })
}

/// A slot of the pool whose filling ends the process, the other slots, and a payment.
pub(super) fn fill(_: Size) -> anyhow::Result<String> {
    run(1, async {
        let deadly = Deadly::default();
        add(&deadly, "pool 0");
        let plan = Plan {
            env: vec![("LINK_POOL_TARGET", "3".to_owned())],
            ..Plan::default()
        };
        let world = world(plan).await?;
        kill_at(&world, &deadly);
        let began = world.clock.now();
        while world.pooled().await? < 2 {
            let first_tick = Duration::from_secs(60);
            within(
                "the other slots",
                world.clock.now().since(began),
                FOUR_TICKS + first_tick,
            )?;
            world.wait(Duration::from_secs(1)).await;
        }
        let took = world.clock.now().since(began);
        deadly
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        check(&world, ALLOWED).await?;
        Ok(format!(
            "a slot whose filling ends the process: the others were filled after {:.0} s; once it was harmless, it was filled too",
            took.as_secs_f64()
        ))
    })
}

/// Revocations of a bot that must wait: the other bot's mints go on, and read none of them.
pub(super) fn limited_revocations(size: Size) -> anyhow::Result<String> {
    run(1, async {
        let plan = Plan {
            bots: 2,
            ..Plan::default()
        };
        let world = world(plan).await?;
        let (count, payments) = (size.pick(500, 10_000), 20);
        let (limited, chat) = (world.bots[0], world.chats[0]);
        let once = Limit {
            calls: 1,
            per: Duration::from_secs(7200),
            burst: 1,
        };
        world.telegram.set_limit_for(limited, chat, Some(once));
        world.telegram.set_retry_after(Some(7200));
        let tasks = Tasks::from_env(world.admin.dynamodb(), &mut env_of(&world.env));
        let now = world.clock.now();
        for number in 0..count {
            let revoke = Revoke {
                invite_link: InviteLink::new(format!("https://t.me/+used{number}")),
                bot: BotId(limited.unsigned_abs()),
                request_id: None,
            };
            tasks
                .put(&Task::new(ChatId(chat), Work::Revoke(revoke), now))
                .await?;
        }
        // Both learn of the wait.
        world.wait(Duration::from_secs(70)).await;
        let read = Arc::<AtomicU64>::default();
        let (seen, lane) = (Arc::clone(&read), format!("{chat}#bot#{limited}"));
        world.wire.watch_calls(Box::new(move |step| {
            if let Step::Leaves { call, request, .. } = step
                && call.operation == "Query"
                && String::from_utf8_lossy(request.body()).contains(&lane)
            {
                seen.fetch_add(1, Ordering::SeqCst);
            }
        }));
        for number in 0..payments {
            buy(&world, number, 0).await?;
            world.wait(Duration::from_secs(5)).await;
        }
        let read = read.load(Ordering::SeqCst);
        anyhow::ensure!(read == 0, "its lane was read {read} times");
        let wait = longest_wait(&world).await?;
        within("a payment", wait, Duration::from_secs(3))?;
        Ok(format!(
            "{count} revocations of a limited bot: {payments} payments read none of them, and waited {} ms at most",
            wait.as_millis()
        ))
    })
}
