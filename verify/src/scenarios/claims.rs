//! Buyers of a claimed chat who stand at its door.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use simulators::telegram::{Fault, FaultRule, Limit, Tap, User};

use super::super::invariants::Allowed;
use super::super::world::{Plan, World};
use super::{Size, check, payment_body, world};
use crate::world::run;

/// How often people look what became of what they did.
const POLL: Duration = Duration::from_secs(5);
/// How often they look until something must be wrong.
const LOOKS: u32 = 600;

/// Whoever asks first is let in first.
pub(super) fn at_the_door(size: Size) -> anyhow::Result<String> {
    let people = size.pick(8, 100);
    let waited = run(1, in_order(people))?;
    Ok(format!(
        "{people} buyers at one door at once: whoever asks first is let in first, the last one after {:.0} s",
        waited.as_secs_f64()
    ))
}

fn plan() -> Plan {
    let env = [
        ("CHAT_DELIVERY", "claim"),
        ("JOIN_REQUEST_HOLD_SEC", "60"),
        ("CLAIM_KEY", "verify-claim-key-0123456789abcdef-01"),
    ];
    Plan {
        env: env.map(|(name, value)| (name, value.to_owned())).into(),
        ..Plan::default()
    }
}

/// Claims, and waits for the way in.
async fn claims(world: &World, person: i64, link: &str) -> anyhow::Result<()> {
    world.claim(link, person)?;
    for _ in 0..LOOKS {
        if world.way_in(person).is_some() {
            return Ok(());
        }
        world.wait(POLL).await;
    }
    anyhow::bail!("{person} never has a way in")
}

/// A rush at one door: everybody is let in, in the order in which they asked; answers how long the last one waited.
async fn in_order(people: usize) -> anyhow::Result<Duration> {
    let world = world(plan()).await?;
    world.telegram.set_limit(Some(Limit::per_minute(20, 1)));
    let door = world.door(world.chats[0]).await?;
    let door = door.context("a chat without a door")?;
    for number in 0..people {
        let body = payment_body(&world, number, 0);
        let reply = world.buy(&body).await.context("no answer")?;
        let link = reply.body["inviteLink"].as_str().context("no link")?;
        claims(&world, 10_000 + i64::try_from(number)?, link).await?;
    }
    world.run_until_idle().await?;
    // So that they all stand there before the first is let in.
    let busy = Fault::TooManyRequests { retry_after: 240 };
    let rule = FaultRule::on("approveChatJoinRequest", busy);
    world.telegram.fail(rule.times(1));
    let mut asked = Vec::new();
    // Not in the order of their ids, and each in a second of their own.
    for number in (0..people).rev() {
        let person = 10_000 + i64::try_from(number)?;
        let tap = world.telegram.tap(&door, User::new(person));
        anyhow::ensure!(tap == Tap::Requested, "{person} got {tap:?}");
        asked.push((person, world.clock.now()));
        world.wait(Duration::from_millis(1100)).await;
    }
    world.run_until_idle().await?;
    let calls = world.telegram.calls();
    let let_in = calls
        .iter()
        .filter(|call| call.method == "approveChatJoinRequest" && call.status == 200);
    let let_in: Vec<(Value, i64)> = let_in
        .map(|call| (call.params["user_id"].clone(), call.at_ms))
        .collect();
    let order: Vec<&Value> = let_in.iter().map(|(person, _)| person).collect();
    let expected: Vec<Value> = asked.iter().map(|(person, _)| json!(person)).collect();
    anyhow::ensure!(
        order == expected.iter().collect::<Vec<_>>(),
        "asked {expected:?}, let in {order:?}"
    );
    let last = asked.last().context("nobody")?.1.ms();
    let waited = let_in.last().context("nobody")?.1 - last;
    check(&world, Allowed::default()).await?;
    Ok(Duration::from_millis(u64::try_from(waited)?))
}
