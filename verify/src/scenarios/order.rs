//! Who comes first is served first, at the rate limit of the limit, whatever happens meanwhile.

use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use simulators::aws::{FaultRule as AwsRule, Service, WireFault};
use simulators::telegram::{Fault, FaultRule, Limit};

use super::super::fairness::overtaken;
use super::super::invariants::{Allowed, broken};
use super::super::world::{Plan, World, run};
use super::{Size, buy, check, longest_wait, payment_body, served, within, world};
use local::resources::INVITES;

/// How many buy at once.
const BUYERS: usize = 50;

/// Many payments, a part at once.
async fn buy_all(world: &World, numbers: std::ops::Range<usize>) -> anyhow::Result<()> {
    let numbers: Vec<usize> = numbers.collect();
    for some in numbers.chunks(BUYERS) {
        try_join_all(some.iter().map(|number| buy(world, *number, 0))).await?;
    }
    Ok(())
}

/// Orders that wait at 20 a minute, and newcomers, whose writes take up to a second; 75 s without any worker, a restart,
/// limits that change.
pub(super) fn first_come_first_served(size: Size) -> anyhow::Result<String> {
    run(1, async {
        let world = world(Plan::default()).await?;
        let limit = |calls| world.telegram.set_limit(Some(Limit::per_minute(calls, 1)));
        limit(20);
        let way = Duration::from_millis(80);
        world.telegram.set_latency(way..=way);
        world.wire.slow_down("request", Duration::from_secs(1));
        let (waiting, newcomers) = size.pick((60, 30), (1000, 900));
        buy_all(&world, 0..waiting).await?;
        let part = Duration::from_secs(4) * u32::try_from(newcomers / 6)?;
        let shop = join_all((0..newcomers).map(async |n| {
            world.wait(Duration::from_secs(4) * u32::try_from(n)?).await;
            buy(&world, waiting + n, 0).await
        }));
        let faults = async {
            world.wait(part).await;
            // No worker runs, by a bell or by the tick.
            let away = AwsRule::new(WireFault::InternalError).on(Service::Sqs, "ReceiveMessage");
            world.aws.wire().fail(away.named(INVITES.queue).always());
            world.pause_schedules();
            world.kill_worker();
            world.wait(Duration::from_secs(75)).await;
            world.aws.wire().clear_faults();
            world.resume_schedules();
            world.wait(part).await;
            world.kill_worker();
            world.wait(part).await;
            limit(40);
            world.wait(part).await;
            limit(20);
        };
        let (sold, ()) = tokio::join!(shop, faults);
        sold.into_iter().collect::<anyhow::Result<Vec<()>>>()?;
        world.run_until_idle().await?;
        let wrong = broken(&world, Allowed::default()).await?;
        anyhow::ensure!(wrong.is_empty(), "{}", wrong.join("; "));
        let all = waiting + newcomers;
        let part_refused = world.telegram.too_many_requests() as f64 / all as f64;
        anyhow::ensure!(
            part_refused < size.pick(0.15, 0.03),
            "{part_refused} refused"
        );
        Ok(format!(
            "{waiting} waiting and {newcomers} newcomers at 20 a minute: nobody was overtaken; {:.2} % of the calls met a 429",
            part_refused * 100.0
        ))
    })
}

/// Waits until so many links are made and stored, for `within` at most.
async fn links_made(world: &World, links: usize, within: Duration) -> anyhow::Result<()> {
    let deadline = tokio::time::Instant::now() + within;
    while world.telegram.link_count() < links {
        anyhow::ensure!(tokio::time::Instant::now() < deadline, "still not served");
        world.wait(Duration::from_secs(1)).await;
    }
    world.wait(Duration::from_secs(2)).await;
    Ok(())
}

/// A backlog at its rate limit, and a lone payment of another chat now and then.
pub(super) fn backlog(size: Size) -> anyhow::Result<String> {
    let (payments, per_minute) = size.pick((80, 20), (100_000, 1200));
    run(1, async {
        let plan = Plan {
            chats: 2,
            events: false,
            ..Plan::default()
        };
        let world = world(plan).await?;
        world
            .telegram
            .set_limit(Some(Limit::per_minute(per_minute, 1)));
        let way = Duration::from_millis(80);
        world.telegram.set_latency(way..=way);
        let start = world.clock.now();
        buy_all(&world, 0..payments).await?;
        let expected = Duration::from_secs_f64(payments as f64 / f64::from(per_minute) * 60.0);
        let lone = 10;
        for number in 0..lone {
            world.wait(expected / (lone + 2)).await;
            buy(&world, payments + number as usize, 1).await?;
        }
        links_made(&world, payments + lone as usize, expected).await?;
        let all = served(&world).await?;
        let (one, other): (Vec<_>, Vec<_>) = all.iter().partition(|one| one.chat == world.chats[0]);
        anyhow::ensure!(one.len() == payments, "{} requests", one.len());
        let last = one.iter().map(|served| served.done).max().unwrap_or(start);
        let minutes = last.since(start).as_secs_f64() / 60.0;
        let used = payments as f64 / minutes / f64::from(per_minute);
        let refused = world.telegram.too_many_requests() as f64 / payments as f64;
        let sqs = world.bell_calls() as f64 / payments as f64;
        let leases = world.lease_writes() as f64 / payments as f64;
        let longest = other.iter().map(|served| served.wait()).max();
        let longest = longest.unwrap_or_default();
        within("a lone payment", longest, Duration::from_secs(2))?;
        let late = overtaken(&world, Duration::from_secs(1), |_| false).await?;
        anyhow::ensure!(
            late.is_empty(),
            "{} were overtaken: {:?}",
            late.len(),
            late.first()
        );
        let figures = format!(
            "{payments} payments at {per_minute} a minute: {minutes:.0} minutes, {:.1} % of the limit used, {:.2} % refused, {sqs:.2} SQS requests \
             and {leases:.2} writes of the lease a link; a lone payment of another chat waited {} ms at most",
            used * 100.0,
            refused * 100.0,
            longest.as_millis()
        );
        let bounds = size.pick((0.8, 0.1), (0.97, 0.01));
        let bells = size.pick(2.0, 1.0);
        anyhow::ensure!(
            used >= bounds.0 && refused <= bounds.1 && sqs <= bells,
            "{figures}"
        );
        Ok(figures)
    })
}

/// A sale without a link pool: all payments at once, and four bots that each may make 30 links a second.
pub(super) fn sale_without_pool(size: Size) -> anyhow::Result<String> {
    let (payments, per_minute) = size.pick((120, 120), (100_000, 1800));
    run(1, async {
        let plan = Plan {
            bots: 4,
            events: false,
            ..Plan::default()
        };
        let bots = plan.bots;
        let world = world(plan).await?;
        world
            .telegram
            .set_limit(Some(Limit::per_minute(per_minute, 1)));
        let way = Duration::from_millis(80);
        world.telegram.set_latency(way..=way);
        let start = world.clock.now();
        buy_all(&world, 0..payments).await?;
        let expected = payments as f64 * 60.0 / f64::from(per_minute) / bots as f64;
        links_made(&world, payments, Duration::from_secs_f64(2.0 * expected)).await?;
        let all = served(&world).await?;
        anyhow::ensure!(all.len() == payments, "{} requests", all.len());
        let last = all.iter().map(|served| served.done).max().unwrap_or(start);
        let seconds = last.since(start).as_secs_f64();
        let used = payments as f64 / seconds * 60.0 / f64::from(per_minute) / bots as f64;
        let refused = world.telegram.too_many_requests() as f64 / payments as f64;
        let sqs = world.bell_calls() as f64 / payments as f64;
        let links = world.telegram.link_count();
        let figures = format!(
            "{payments} payments without a pool, {bots} bots at {per_minute} links a minute each: served in {seconds:.0} s, {:.1} % of the limit \
             used, {links} links, {:.2} % of the calls met a 429, {sqs:.2} SQS requests a link",
            used * 100.0,
            refused * 100.0
        );
        let least = size.pick(0.3, 0.9);
        anyhow::ensure!(used >= least && links == payments, "{figures}");
        Ok(figures)
    })
}

/// Clocks of workers that are off by five minutes, in both directions, with waits and payments all the while: waits may
/// move, nobody is overtaken or given up.
pub(super) fn clocks(size: Size) -> anyhow::Result<String> {
    run(1, async {
        let plan = Plan {
            bots: 2,
            chats: 2,
            skews_ms: vec![0, 300_000, -300_000],
            ..Plan::default()
        };
        let world = world(plan).await?;
        world.telegram.set_limit(Some(Limit::per_minute(30, 1)));
        let payments = size.pick(16, 200);
        for number in 0..payments {
            if number % 20 == 10 {
                let wait = Fault::TooManyRequests { retry_after: 60 };
                let rule = FaultRule::on("createChatInviteLink", wait);
                world.telegram.fail(rule.times(2));
            }
            if number % 16 == 8 {
                world.kill_worker();
            }
            let body = payment_body(&world, number, number % 2);
            let reply = world.buy_until_accepted(&body, 5).await;
            anyhow::ensure!(reply.is_some_and(|reply| reply.status == 200), "refused");
            world.wait(Duration::from_secs(5)).await;
        }
        let allowed = Allowed {
            flood_calls: true,
            out_of_order: true,
            ..Allowed::default()
        };
        check(&world, allowed).await?;
        let wait = longest_wait(&world).await?;
        within("a payment", wait, Duration::from_secs(900))?;
        let all = served(&world).await?;
        anyhow::ensure!(
            all.iter().all(|served| served.attempts == 1),
            "a wait was a try"
        );
        // A task that was worked on alone when its worker was killed waits for up to 90 s.
        let overtaken = overtaken(&world, Duration::from_secs(120), |_| false).await?;
        anyhow::ensure!(overtaken.is_empty(), "{overtaken:?}");
        Ok(format!(
            "{payments} payments, clocks five minutes ahead and behind: the longest wait was {:.0} s, of which 60 were ordered",
            wait.as_secs_f64()
        ))
    })
}
