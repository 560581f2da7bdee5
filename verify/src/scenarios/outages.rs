//! A whole service is away: nothing is given up, no try is spent on waits, and no link is made that could not be stored.

use std::time::Duration;

use simulators::aws::{FaultRule as AwsRule, Service, WireFault};
use simulators::telegram::{Fault, FaultRule, Limit};

use super::super::invariants::Allowed;
use super::super::world::{Plan, run};
use super::{Size, buy, check, longest_wait, payment_body, served, within, world};

/// SQS refuses every call for an hour: links are made by the ticks, and handed out.
pub(super) fn without_sqs(size: Size) -> anyhow::Result<String> {
    run(1, async {
        let world = world(Plan::default()).await?;
        let rule = AwsRule::new(WireFault::InternalError).of(Service::Sqs);
        world.aws.wire().fail(rule.always());
        let minutes = size.pick(8, 60);
        for minute in 0..minutes {
            buy(&world, minute, 0).await?;
            world.wait(Duration::from_secs(61)).await;
        }
        let wait = longest_wait(&world).await?;
        within("a payment", wait, Duration::from_secs(65))?;
        world.aws.wire().clear_faults();
        check(&world, Allowed::default()).await?;
        let all = served(&world).await?;
        anyhow::ensure!(
            all.iter().all(|served| served.attempts == 1),
            "a wait was a try"
        );
        Ok(format!(
            "{minutes} minutes without SQS: each of {minutes} payments had its link within {:.0} s; every event came afterwards",
            wait.as_secs_f64()
        ))
    })
}

/// DynamoDB refuses every call for a minute, in the middle of a backlog.
pub(super) fn without_dynamodb(size: Size) -> anyhow::Result<String> {
    run(1, async {
        let world = world(Plan::default()).await?;
        world.telegram.set_limit(Some(Limit::per_minute(60, 1)));
        let payments = size.pick(20, 200);
        for number in 0..payments {
            buy(&world, number, 0).await?;
        }
        world.wait(Duration::from_secs(8)).await;
        let rule = AwsRule::new(WireFault::InternalError).of(Service::DynamoDb);
        world.aws.wire().fail(rule.always());
        world.wait(Duration::from_secs(60)).await;
        world.aws.wire().clear_faults();
        let body = payment_body(&world, payments, 0);
        let reply = world.buy_until_accepted(&body, 60).await;
        anyhow::ensure!(reply.is_some_and(|reply| reply.status == 200), "refused");
        check(&world, Allowed::default()).await?;
        let all = served(&world).await?;
        anyhow::ensure!(
            all.iter().all(|served| served.attempts == 1),
            "a wait was a try"
        );
        let unseen = world.telegram.link_count() - all.len();
        anyhow::ensure!(unseen <= 4, "{unseen} links were made for nobody");
        Ok(format!(
            "a minute without DynamoDB in a backlog of {payments}: all served, {unseen} links were made that could not be stored"
        ))
    })
}

/// Telegram answers 502 for half an hour.
pub(super) fn without_telegram(size: Size) -> anyhow::Result<String> {
    run(1, async {
        let world = world(Plan::default()).await?;
        let (minutes, payments) = size.pick((8, 12), (30, 90));
        world.telegram.fail(FaultRule::always(Fault::BadGateway));
        for number in 0..payments {
            buy(&world, number, 0).await?;
            world
                .wait(Duration::from_secs(minutes * 60) / u32::try_from(payments)?)
                .await;
        }
        let calls = world.telegram.count("createChatInviteLink");
        world.telegram.clear_faults();
        let over = world.clock.now();
        let allowed = Allowed {
            out_of_order: true,
            ..Allowed::default()
        };
        check(&world, allowed).await?;
        let all = served(&world).await?;
        let tries = all.iter().map(|served| served.attempts).max();
        let tries = tries.unwrap_or_default();
        let last = all.iter().map(|served| served.done).max().unwrap_or(over);
        let after = last.since(over);
        // Which of the waiting tasks a probe takes is chance; what must not come near is MAX_ATTEMPTS, which is 50.
        anyhow::ensure!(
            calls <= 25 + minutes * 2 && tries <= 15,
            "{calls} calls, {tries} tries"
        );
        within("the last payment", after, Duration::from_secs(180))?;
        Ok(format!(
            "{minutes} minutes of 502: {calls} calls, at most {tries} tries of one of {payments} payments, none given up; the last was served \
             {:.0} s afterwards",
            after.as_secs_f64()
        ))
    })
}
