//! Events that get lost, or that nobody takes for a day: each reaches WebEngage, and none has two messages.

use std::time::Duration;

use simulators::aws::{FaultRule as AwsRule, Service, WireFault};
use simulators::webengage::Mode;

use super::super::invariants::Allowed;
use super::super::world::{Plan, run};
use super::{Size, buy, check, world};
use local::resources::EVENTS;

/// The messages of all events are lost: the sweeper sends others within an hour and two minutes.
pub(super) fn lost(size: Size) -> anyhow::Result<String> {
    run(1, async {
        let world = world(Plan::default()).await?;
        let away = AwsRule::new(WireFault::InternalError).on(Service::Sqs, "ReceiveMessage");
        world.aws.wire().fail(away.named(EVENTS.queue).always());
        let payments = size.pick(10, 500);
        for number in 0..payments {
            buy(&world, number, 0).await?;
        }
        while world.telegram.link_count() < payments {
            world.wait(Duration::from_secs(1)).await;
        }
        world.wait(Duration::from_secs(5)).await;
        world.purge(EVENTS.queue).await?;
        world.aws.wire().clear_faults();
        let purged = world.clock.now();
        check(&world, Allowed::default()).await?;
        let last = world
            .webengage
            .ingested()
            .iter()
            .map(|event| event.at_ms)
            .max();
        let took = last.unwrap_or_default() - purged.ms();
        anyhow::ensure!(took <= 3_720_000, "the last came after {took} ms");
        Ok(format!(
            "{payments} events whose messages were lost: all delivered {:.0} minutes later",
            took as f64 / 60_000.0
        ))
    })
}

/// WebEngage is away for a day.
pub(super) fn away(size: Size) -> anyhow::Result<String> {
    run(1, async {
        let world = world(Plan::default()).await?;
        let (payments, hours) = size.pick((20, 4), (1000, 24));
        world.webengage.set_mode(Mode::Down);
        for number in 0..payments {
            buy(&world, number, 0).await?;
        }
        world.wait(Duration::from_secs(hours * 3600)).await;
        let depth = world.aws.queue_depth(EVENTS.queue);
        let messages = depth.map_or(0, simulators::aws::sqs::Depth::total);
        let sent = world.wire.count_by("sweeper", "SendMessage", EVENTS.queue);
        anyhow::ensure!(
            messages == payments as u64 && sent == 0,
            "{messages} messages of {payments} events, {sent} sent again"
        );
        world.webengage.set_mode(Mode::Up);
        check(&world, Allowed::default()).await?;
        Ok(format!(
            "{hours} hours without WebEngage, {payments} events waiting: each had one message all the while, and was delivered once"
        ))
    })
}
