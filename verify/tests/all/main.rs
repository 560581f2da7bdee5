//! The product in simulated worlds: crashes at every call, seeds, the rate limit.

#![expect(clippy::unwrap_used, reason = "a test")]

mod crash;
mod durability;
mod seeds;

use std::time::Duration;

use serde_json::json;
use verify::invariants::{Allowed, broken};
use verify::rate_limit::Case;
use verify::world::{Plan, World, run};

#[test]
fn a_world_sells_admits_and_rests() {
    let began = std::time::Instant::now();
    run(1, async {
        let world = World::start(&Plan::default()).await?;
        for n in 0..20 {
            let body = json!({"userId": format!("u{n}"), "transactionId": format!("T{n}")});
            assert_eq!(world.buy(&body).await.unwrap().status, 200);
        }
        world.run_until_idle().await?;
        for (n, link) in world.telegram.links().iter().enumerate() {
            world.tap(&link.url, 1000 + n as i64);
        }
        world.run_until_idle().await?;
        world.wait(Duration::from_secs(3600)).await;
        assert_eq!(
            broken(&world, Allowed::default()).await?,
            Vec::<String>::new()
        );
        assert_eq!(world.webengage.ingested().len(), 40);
        println!("{} calls in {:?}", world.wire.calls(), began.elapsed());
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_limit_is_found_and_used() {
    let found = Case::new("1/s", 1.0, 20, 4).run(1).unwrap();
    assert!(found.used > 0.95, "{found:?}");
    assert_eq!(found.during_pause, 0, "{found:?}");
    // A run of 10 s and its last call.
    assert!(found.longest_invocation < 13.0, "{found:?}");
    assert!(found.sqs_per_link <= 1.0, "{found:?}");
}

#[test]
fn a_slow_limit_without_bursts_is_found_and_used() {
    let found = Case::new("20/min", 1.0 / 3.0, 1, 30).run(1).unwrap();
    assert!(found.used > 0.9, "{found:?}");
    assert_eq!(found.during_pause, 0, "{found:?}");
}
