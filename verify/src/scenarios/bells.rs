//! Bells that come at a bad time, too often, or for a wait.

use std::time::Duration;

use serde_json::json;
use simulators::telegram::{Fault, FaultRule};

use super::super::invariants::Allowed;
use super::super::wire::CallOutcome;
use super::super::world::{Plan, run};
use super::{Size, buy, check, longest_wait, within, world};
use local::resources::INVITES;

/// How long a worker is held at its call while another payment comes and rings.
const HELD: Duration = Duration::from_millis(300);

/// While a worker makes its n-th call, another payment is put and rings; for each n. No tick helps.
pub(super) fn rung_at_every_call(size: Size) -> anyhow::Result<String> {
    let mut longest = Duration::ZERO;
    for at in (0..).step_by(size.pick(4, 1)) {
        for fault in [
            CallOutcome::FreezeBefore(HELD),
            CallOutcome::FreezeAfter(HELD),
        ] {
            let Some(wait) = run(1, rung_at(at, fault))? else {
                anyhow::ensure!(at > 0, "no call was met");
                return Ok(format!(
                    "a payment comes at each of the first {at} calls of a run: served within {} ms",
                    longest.as_millis()
                ));
            };
            longest = longest.max(wait);
        }
    }
    anyhow::bail!("there are more calls than numbers")
}

/// The longest wait of both payments; nothing if there is no such call.
async fn rung_at(at: u64, fault: CallOutcome) -> anyhow::Result<Option<Duration>> {
    let plan = Plan {
        schedules: false,
        ..Plan::default()
    };
    let world = world(plan).await?;
    let (reached, mut reaches) = tokio::sync::mpsc::unbounded_channel();
    let mut number = 0;
    world.wire.fault_policy(Box::new(move |call, _| {
        if call.caller != "worker" {
            return CallOutcome::Pass;
        }
        number += 1;
        if number != at + 1 {
            return CallOutcome::Pass;
        }
        let _ = reached.send(());
        fault
    }));
    buy(&world, 1, 0).await?;
    let found = tokio::time::timeout(Duration::from_secs(20), reaches.recv()).await;
    if found.is_err() {
        return Ok(None);
    }
    buy(&world, 2, 0).await?;
    world.wait(Duration::from_secs(5)).await;
    check(&world, Allowed::default()).await?;
    let wait = longest_wait(&world).await?;
    within("a payment", wait, Duration::from_secs(5))?;
    Ok(Some(wait))
}

/// A bell every tenth of a second, through the ends of many runs: payments are served, and the runs end.
pub(super) fn all_the_time(size: Size) -> anyhow::Result<String> {
    run(1, async {
        let world = world(Plan::default()).await?;
        let seconds = size.pick(25, 120);
        for second in 0..seconds {
            if second % 2 == 0 {
                buy(&world, second, 0).await?;
            }
            for _ in 0..10 {
                let bell = json!({"kind": "work", "chatId": world.chats[0]});
                world.send(INVITES.queue, &bell).await?;
                world.wait(Duration::from_millis(100)).await;
            }
        }
        check(&world, Allowed::default()).await?;
        let wait = longest_wait(&world).await?;
        within("a payment", wait, Duration::from_secs(3))?;
        let spans = world.workers.spans();
        let longest = spans.iter().max().copied().unwrap_or_default();
        within("a run", longest, Duration::from_secs(62))?;
        Ok(format!(
            "{} bells in {seconds} s: payments waited {} ms at most, the longest run was {:.1} s",
            seconds * 10,
            wait.as_millis(),
            longest.as_secs_f64()
        ))
    })
}

/// A pause of two hours, and bells all the while: no call, no run, and one bell of our own at most.
pub(super) fn in_a_pause(size: Size) -> anyhow::Result<String> {
    run(1, async {
        const PAUSE: u32 = 7200;
        let world = world(Plan::default()).await?;
        let wait = Fault::TooManyRequests { retry_after: PAUSE };
        let rule = FaultRule::on("createChatInviteLink", wait);
        world.telegram.fail(rule.times(1));
        buy(&world, 1, 0).await?;
        world.wait(Duration::from_secs(5)).await;
        let own = || world.wire.count_by("worker", "SendMessage", INVITES.queue);
        let looks = || world.wire.count_by("worker", "Query", "ChatTasks");
        let (calls, rung, looked) = (world.telegram.calls().len(), own(), looks());
        let bells = size.pick(100, 1000);
        for _ in 0..bells {
            let bell = json!({"kind": "work", "chatId": world.chats[0]});
            world.send(INVITES.queue, &bell).await?;
            world
                .wait(Duration::from_secs(u64::from(PAUSE) - 100) / bells)
                .await;
        }
        let (called, rung, looked) = (
            world.telegram.calls().len() - calls,
            own() - rung,
            looks() - looked,
        );
        anyhow::ensure!(
            called == 0 && rung <= 1 && looked <= 120,
            "{called} calls, {rung} bells, {looked} looks in the pause"
        );
        check(&world, Allowed::default()).await?;
        let wait = longest_wait(&world).await?;
        within(
            "the payment",
            wait,
            Duration::from_secs(u64::from(PAUSE) + 75),
        )?;
        Ok(format!(
            "{bells} bells in a pause of 2 h: no call, {rung} bells of our own, {looked} looks; served {:.0} s after it",
            wait.as_secs_f64() - f64::from(PAUSE)
        ))
    })
}

/// Waits that a bell can cover end by the bell, and not by the tick.
pub(super) fn short_waits(_: Size) -> anyhow::Result<String> {
    run(1, async {
        let plan = Plan {
            schedules: false,
            ..Plan::default()
        };
        let world = world(plan).await?;
        let mut latest = Duration::ZERO;
        for (number, seconds) in [1, 3, 5, 8, 30, 61, 300, 800].into_iter().enumerate() {
            let fault = Fault::TooManyRequests {
                retry_after: seconds,
            };
            let rule = FaultRule::on("createChatInviteLink", fault);
            world.telegram.fail(rule.times(1));
            buy(&world, number, 0).await?;
            let asked = world.clock.now();
            world.run_until_idle().await?;
            let wait = super::served(&world).await?;
            let wait = wait.iter().filter(|served| served.done >= asked);
            let wait = wait.map(super::ServedTimes::wait).max().unwrap_or_default();
            let late = wait.saturating_sub(Duration::from_secs(u64::from(seconds)));
            within(
                &format!("after a wait of {seconds} s"),
                late,
                Duration::from_secs(3),
            )?;
            latest = latest.max(late);
            // What the limit taught meanwhile is not what is looked at.
            world.wait(Duration::from_secs(60)).await;
        }
        check(&world, Allowed::default()).await?;
        Ok(format!(
            "waits of 1 to 800 s: the call was made {} ms after them at most, without a tick",
            latest.as_millis()
        ))
    })
}
