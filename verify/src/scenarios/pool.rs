//! The link pool ends at its target exactly, whatever happens on the way.

use std::time::Duration;

use fastrand::Rng;
use futures_util::future::try_join_all;
use simulators::telegram::Limit;

use super::super::invariants::Allowed;
use super::super::wire::CallOutcome;
use super::super::world::{Plan, World, run};
use super::{Size, buy, check, payment_body, world};

fn plan(target: usize) -> Plan {
    Plan {
        env: vec![("LINK_POOL_TARGET", target.to_string())],
        ..Plan::default()
    }
}

const ALLOWED: Allowed = Allowed {
    failed: false,
    dead_letters: [0, 0],
    dead_bells: true,
    delivered_again: false,
    out_of_order: true,
    flood_calls: true,
    unheard: false,
};

/// Filled while processes die, sold meanwhile, the target up and down again.
pub(super) fn exact(size: Size) -> anyhow::Result<String> {
    let targets: &[usize] = size.pick(&[20], &[200, 10_000]);
    let mut reply = Vec::new();
    for target in targets {
        reply.push(run(1, exact_at(*target))?);
    }
    Ok(reply.join("; "))
}

async fn exact_at(target: usize) -> anyhow::Result<String> {
    let world = world(plan(target)).await?;
    world.telegram.set_limit(Some(Limit::per_minute(1200, 20)));
    let mut rng = Rng::with_seed(7);
    let one_in = u32::try_from(target)?.max(100) / 2;
    world.wire.fault_policy(Box::new(move |call, _| {
        match (call.caller, rng.u32(0..one_in)) {
            ("worker", 0) => CallOutcome::DieBefore,
            ("worker", 1) => CallOutcome::DieAfter,
            ("worker", 2) => CallOutcome::CutAfter,
            ("worker", 3) => CallOutcome::FreezeAfter(Duration::from_secs(40)),
            _ => CallOutcome::Pass,
        }
    }));
    check(&world, ALLOWED).await?;
    let mut sold = 0;
    sell(&world, &mut sold, target / 4).await?;
    check(&world, ALLOWED).await?;
    world.set_pool_target(target * 3 / 2);
    check(&world, ALLOWED).await?;
    world.set_pool_target(target / 2);
    // As many as simulated WebEngage remembers.
    sell(&world, &mut sold, target.min(7_000)).await?;
    check(&world, ALLOWED).await?;
    let deaths = world.wire.deaths_of("worker");
    Ok(format!(
        "a pool of {target}, then {}, then {}: exact each time, {sold} sold meanwhile, {deaths} deaths",
        target * 3 / 2,
        target / 2
    ))
}

/// So many payments, a few at once; what the pool can't serve is served otherwise.
async fn sell(world: &World, sold: &mut usize, payments: usize) -> anyhow::Result<()> {
    let numbers: Vec<usize> = (*sold..*sold + payments).collect();
    *sold += payments;
    for some in numbers.chunks(10) {
        try_join_all(some.iter().map(|number| buy(world, *number, 0))).await?;
        world.wait(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// The answer of a put is lost, the link is sold, and then the SDK repeats the put: nobody gets that link once more.
pub(super) fn put_again(_: Size) -> anyhow::Result<String> {
    run(1, async {
        let world = world(plan(1)).await?;
        let (reached, mut reaches) = tokio::sync::mpsc::unbounded_channel();
        let mut is_first = true;
        world.wire.fault_policy(Box::new(move |call, _| {
            if is_first && call.target == "LinkPool" && call.operation == "PutItem" {
                is_first = false;
                let _ = reached.send(());
                return CallOutcome::CutAfter;
            }
            CallOutcome::Pass
        }));
        reaches.recv().await;
        // Its effect is there a moment later.
        while world.pooled().await? == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let first = world.buy(&payment_body(&world, 1, 0)).await;
        let second = world.buy(&payment_body(&world, 2, 0)).await;
        let link = |reply: Option<super::super::world::Reply>| {
            reply.map(|reply| reply.body["inviteLink"].clone())
        };
        let (first, second) = (link(first), link(second));
        anyhow::ensure!(
            first.as_ref().is_some_and(|link| link.is_string()) && first != second,
            "{first:?}, {second:?}"
        );
        // The next buyer finds the link sold, and has it evicted.
        world.wait(Duration::from_secs(5)).await;
        buy(&world, 3, 0).await?;
        check(&world, ALLOWED).await?;
        Ok("a link that was sold while it was put again has one owner".to_owned())
    })
}

/// Links become too old to be sold at the moment of a sale.
pub(super) fn evicted_while_sold(size: Size) -> anyhow::Result<String> {
    run(1, async {
        let target = size.pick(10, 200);
        let mut plan = plan(target);
        plan.env.extend([
            ("INVITE_TTL_SEC", "86400".to_owned()),
            ("LINK_POOL_TTL_SEC", "87000".to_owned()),
        ]);
        let world = world(plan).await?;
        world.run_until_idle().await?;
        let (mut sold, payments) = (0, target * 2);
        // The links live for ten minutes as goods; the sale goes on through their end.
        world.wait(Duration::from_secs(570)).await;
        while sold < payments {
            sell(&world, &mut sold, 2).await?;
            let rate_limit = Duration::from_secs(240) / u32::try_from(payments / 2)?;
            world.wait(rate_limit).await;
        }
        check(&world, ALLOWED).await?;
        Ok(format!(
            "{sold} sold while the links of a pool of {target} become too old: each has one owner, and the pool is full again"
        ))
    })
}
