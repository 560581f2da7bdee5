//! How updates leave by `getUpdates`.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod telegram_support;

use std::time::Duration;

use serde_json::{Value, json};
use simulators::telegram::User;
use telegram_support::{CHAT, TelegramWorld, eventually};

#[tokio::test]
async fn get_updates_confirms_by_offset_and_remembers_what_was_asked_for() {
    let world = TelegramWorld::new().await;
    let start = world
        .ok(
            "getUpdates",
            json!({"offset": -1, "allowed_updates": ["chat_member"]}),
        )
        .await;
    let first = start[0]["update_id"].as_i64().unwrap();
    assert!(start[0]["my_chat_member"].is_object());
    for user in 1..=5 {
        world.telegram.add_by_admin(CHAT, User::new(user));
    }
    let ids = |updates: Value| -> Vec<i64> {
        updates
            .as_array()
            .unwrap()
            .iter()
            .map(|update| update["update_id"].as_i64().unwrap() - first)
            .collect()
    };
    assert_eq!(
        ids(world.ok("getUpdates", json!({"limit": 2})).await),
        [0, 1]
    );
    assert_eq!(
        ids(world.ok("getUpdates", json!({"offset": first + 3})).await),
        [3, 4, 5]
    );
    assert_eq!(ids(world.ok("getUpdates", json!({})).await), [3, 4, 5]);
    assert_eq!(
        ids(world.ok("getUpdates", json!({"offset": -2})).await),
        [4, 5]
    );
    assert_eq!(
        ids(world.ok("getUpdates", json!({"offset": first + 6})).await),
        [0_i64; 0]
    );
    assert_eq!(world.telegram.pending_updates(world.bot), 0);
}

#[tokio::test]
async fn a_long_poll_ends_with_the_update_or_with_its_time() {
    let world = TelegramWorld::new().await;
    let clear = json!({"offset": -1, "allowed_updates": ["chat_member"]});
    let last = world.ok("getUpdates", clear).await[0]["update_id"]
        .as_i64()
        .unwrap();
    let poll = json!({"offset": last + 1, "timeout": 50});
    let (answer, ()) = tokio::join!(world.ok("getUpdates", poll.clone()), async {
        eventually("the poll", || world.telegram.count("getUpdates") == 2).await;
        world.telegram.add_by_admin(CHAT, User::new(1));
    });
    assert_eq!(
        answer[0]["chat_member"]["new_chat_member"]["user"]["id"],
        json!(1)
    );
    let poll = json!({"offset": last + 2, "timeout": 50});
    let (answer, ()) = tokio::join!(world.ok("getUpdates", poll), async {
        eventually("the poll", || world.telegram.count("getUpdates") == 3).await;
        world.clock.advance(Duration::from_secs(50));
    });
    assert_eq!(answer, json!([]));
}

#[tokio::test]
async fn there_is_one_poller_and_none_beside_a_webhook() {
    let world = TelegramWorld::new().await;
    world
        .ok(
            "getUpdates",
            json!({"offset": -1, "allowed_updates": ["poll"]}),
        )
        .await;
    let offset = 2_000_000_000;
    let poll = json!({"timeout": 50, "offset": offset});
    let (first, ()) = tokio::join!(world.refused("getUpdates", poll.clone()), async {
        eventually("the poll", || world.telegram.count("getUpdates") == 2).await;
        world.ok("getUpdates", json!({"offset": offset})).await;
    });
    let words = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
    assert_eq!(first, (409, words.into()));
    let (second, ()) = tokio::join!(world.refused("getUpdates", poll.clone()), async {
        eventually("the poll", || world.telegram.count("getUpdates") == 4).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
        world
            .ok("setWebhook", json!({"url": "http://127.0.0.1:9/"}))
            .await;
    });
    assert_eq!(
        second,
        (409, "Conflict: terminated by setWebhook request".into())
    );
    let third = world.refused("getUpdates", poll).await;
    assert_eq!(third.0, 409);
    assert!(
        third
            .1
            .starts_with("Conflict: can't use getUpdates method while webhook is active")
    );
}
