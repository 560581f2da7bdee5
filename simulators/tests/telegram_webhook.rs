//! How updates leave by webhook: secret, lanes, connections, retries, and what is refused.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod telegram_support;

use std::time::Duration;

use serde_json::json;
use simulators::telegram::{Tap, User};
use telegram_support::{CHAT, Hook, Respond, TelegramWorld, eventually};

const SECRET: &str = "A-secret_1";

async fn hooked() -> (TelegramWorld, Hook) {
    let world = TelegramWorld::new().await;
    let hook = Hook::start().await;
    let params = json!({"url": hook.url, "secret_token": SECRET, "allowed_updates": ["chat_member"], "drop_pending_updates": true});
    world.ok("setWebhook", params).await;
    (world, hook)
}

async fn join(world: &TelegramWorld, user: i64) -> String {
    let url = world.link(&format!("r{user}")).await;
    assert_eq!(world.telegram.tap(&url, User::new(user)), Tap::Joined);
    url
}

#[tokio::test]
async fn a_failed_delivery_is_repeated_at_once_then_after_2_4_8_seconds() {
    let (world, hook) = hooked().await;
    hook.answer([500, 503, 404, 302].map(Respond::MemberStatus));
    join(&world, 1).await;
    eventually("the first retry", || hook.count() == 2).await;
    for (attempts, wait) in [(3, 2), (4, 4), (5, 8)] {
        eventually("the failure is noted", || {
            world.telegram.deliveries().len() == attempts - 1
        })
        .await;
        world
            .clock
            .advance(Duration::from_millis(wait * 1000 - 1500));
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert_eq!(hook.count(), attempts - 1, "too early");
        world.clock.advance(Duration::from_millis(1500));
        eventually("the next retry", || hook.count() == attempts).await;
    }
    world.telegram.delivered().await;
    let ids: Vec<_> = hook
        .updates()
        .iter()
        .map(|update| update["update_id"].clone())
        .collect();
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]));
    let attempts: Vec<_> = world
        .telegram
        .deliveries()
        .iter()
        .map(|delivery| (delivery.attempt, delivery.status))
        .collect();
    assert_eq!(
        attempts,
        [
            (1, Some(500)),
            (2, Some(503)),
            (3, Some(404)),
            (4, Some(302)),
            (5, Some(200))
        ]
    );
    let info = world.ok("getWebhookInfo", json!({})).await;
    assert_eq!(
        info["last_error_message"],
        "Wrong response from the webhook: 302 Found"
    );
    assert!(info["last_error_date"].is_i64());
    assert_eq!(info["pending_update_count"], json!(0));
}

#[tokio::test]
async fn retry_after_of_the_webhook_is_honoured_and_clamped_to_an_hour() {
    let (world, hook) = hooked().await;
    hook.answer([
        Respond::RetryAfter(503, 30),
        Respond::RetryAfter(503, 90_000),
    ]);
    join(&world, 1).await;
    eventually("the first answer", || {
        world.telegram.deliveries().len() == 1
    })
    .await;
    world.clock.advance(Duration::from_secs(29));
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(hook.count(), 1);
    world.clock.advance(Duration::from_secs(1));
    eventually("the second answer", || {
        world.telegram.deliveries().len() == 2
    })
    .await;
    world.clock.advance(Duration::from_secs(3600));
    world.telegram.delivered().await;
    assert_eq!(hook.count(), 3);
}

#[tokio::test]
async fn an_update_is_dropped_when_its_next_try_would_be_a_day_after_the_event() {
    let (world, hook) = hooked().await;
    hook.answer((0..40).map(|_| Respond::RetryAfter(503, 3600)));
    join(&world, 1).await;
    for attempt in 1..=24 {
        eventually("the attempt", || {
            world.telegram.deliveries().len() == attempt
        })
        .await;
        assert_eq!(hook.count(), attempt);
        world.clock.advance(Duration::from_secs(3600));
    }
    world.telegram.delivered().await;
    assert_eq!(hook.count(), 24);
    assert_eq!(world.telegram.pending_updates(world.bot), 0);
}

#[tokio::test]
async fn updates_about_one_user_wait_for_each_other_and_those_about_others_do_not() {
    let (world, hook) = hooked().await;
    hook.answer([Respond::RetryAfter(503, 20)]);
    join(&world, 1).await;
    eventually("the refusal", || world.telegram.deliveries().len() == 1).await;
    world.telegram.leave(CHAT, 1);
    join(&world, 2).await;
    eventually("the other user", || hook.count() == 2).await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(hook.count(), 2);
    assert_eq!(
        world.ok("getWebhookInfo", json!({})).await["pending_update_count"],
        json!(2)
    );
    world.clock.advance(Duration::from_secs(20));
    world.telegram.delivered().await;
    let users: Vec<_> = hook
        .updates()
        .iter()
        .map(|u| u["chat_member"]["new_chat_member"]["user"]["id"].clone())
        .collect();
    assert_eq!(users, [json!(1), json!(2), json!(1), json!(1)]);
    assert_eq!(
        hook.updates()[3]["chat_member"]["new_chat_member"]["status"],
        "left"
    );
}

#[tokio::test]
async fn as_many_connections_as_asked_for_once_one_delivery_succeeded() {
    let (world, hook) = hooked().await;
    let params = json!({"url": hook.url, "max_connections": 3, "allowed_updates": ["chat_member"]});
    world.ok("setWebhook", params).await;
    *hook.slow.lock().unwrap() = Duration::from_millis(30);
    hook.answer([Respond::MemberStatus(500)]);
    for user in 1..=12 {
        world.telegram.add_by_admin(CHAT, User::new(user));
    }
    eventually("two attempts", || hook.count() == 2).await;
    assert_eq!(
        hook.concurrent.lock().unwrap().1,
        1,
        "one connection until one delivery succeeded"
    );
    world.telegram.delivered().await;
    assert_eq!(hook.concurrent.lock().unwrap().1, 3);
}

#[tokio::test]
async fn no_answer_within_a_minute_is_a_failure_and_redirects_are_not_followed() {
    let (world, hook) = hooked().await;
    let elsewhere = Hook::start().await;
    hook.answer([Respond::Hang, Respond::Redirect(elsewhere.url.clone())]);
    join(&world, 1).await;
    eventually("the first attempt", || hook.count() == 1).await;
    world.clock.advance(Duration::from_secs(60));
    eventually("the second attempt", || {
        world.telegram.deliveries().len() == 2
    })
    .await;
    let info = world.ok("getWebhookInfo", json!({})).await;
    assert_eq!(
        info["last_error_message"],
        "Wrong response from the webhook: 307 Temporary Redirect"
    );
    world.clock.advance(Duration::from_secs(2));
    world.telegram.delivered().await;
    assert_eq!(
        world.telegram.deliveries()[0].error.as_deref(),
        Some("Read timeout expired")
    );
    assert_eq!((hook.count(), elsewhere.count()), (3, 0));
}

#[tokio::test]
async fn a_webhook_that_is_gone_for_23_hours_is_removed() {
    let (world, hook) = hooked().await;
    hook.answer((0..40).map(|_| Respond::RetryAfter(410, 3600)));
    world.telegram.add_by_admin(CHAT, User::new(1));
    for attempt in 1..=12 {
        eventually("the attempt", || {
            world.telegram.deliveries().len() == attempt
        })
        .await;
        world.clock.advance(Duration::from_secs(3600));
    }
    world.telegram.add_by_admin(CHAT, User::new(2));
    for _ in 0..14 {
        let before = world.telegram.deliveries().len();
        world.clock.advance(Duration::from_secs(3600));
        if world.ok("getWebhookInfo", json!({})).await["url"] == "" {
            break;
        }
        eventually("the attempt", || world.telegram.deliveries().len() > before).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(world.ok("getWebhookInfo", json!({})).await["url"], "");
}

#[tokio::test]
async fn a_method_in_the_webhooks_answer_is_carried_out_unless_it_reads() {
    let (world, hook) = hooked().await;
    hook.answer([
        Respond::Body(json!({"method": "banChatMember", "chat_id": CHAT, "user_id": 1})),
        Respond::Body(json!({"method": "deleteWebhook"})),
    ]);
    world.telegram.add_by_admin(CHAT, User::new(1));
    eventually("the ban", || world.telegram.count("banChatMember") == 1).await;
    world.telegram.delivered().await;
    assert_eq!(
        world.telegram.tap(&world.link("x").await, User::new(1)),
        Tap::Banned
    );
    assert_eq!(world.telegram.count("deleteWebhook"), 0);
}

#[tokio::test]
async fn a_webhook_must_be_https_with_a_plain_secret() {
    let world = TelegramWorld::new().await;
    for (params, description) in [
        (
            json!({"url": "http://example.com/x"}),
            "bad webhook: An HTTPS URL must be provided for webhook",
        ),
        (
            json!({"url": "https://example.com:9000/x"}),
            "bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443",
        ),
        (json!({"url": "nonsense"}), "invalid webhook URL specified"),
        (
            json!({"url": "https://example.com", "secret_token": "a b"}),
            "secret token contains unallowed characters",
        ),
        (
            json!({"url": "https://example.com", "secret_token": "a".repeat(257)}),
            "secret token is too long",
        ),
    ] {
        assert_eq!(
            world.refused("setWebhook", params).await,
            (400, format!("Bad Request: {description}"))
        );
    }
    let answer = world
        .call("setWebhook", json!({"url": "http://127.0.0.1:9/x"}))
        .await;
    assert_eq!(
        answer.body,
        json!({"ok": true, "result": true, "description": "Webhook was set"})
    );
    world.telegram.only_https_webhooks(true);
    assert_eq!(
        world
            .refused("setWebhook", json!({"url": "http://127.0.0.1:9/x"}))
            .await
            .0,
        400
    );
    let answer = world.call("deleteWebhook", json!({})).await;
    assert_eq!(answer.body["description"], "Webhook was deleted");
    let answer = world.call("setWebhook", json!({"url": ""})).await;
    assert_eq!(answer.body["description"], "Webhook is already deleted");
}

#[tokio::test]
async fn what_waits_survives_a_change_of_webhook_and_is_dropped_only_on_demand() {
    let world = TelegramWorld::new().await;
    world.ok("setWebhook", json!({"url": "http://127.0.0.1:9/", "allowed_updates": ["chat_member"], "drop_pending_updates": true})).await;
    world.telegram.add_by_admin(CHAT, User::new(1));
    eventually("a failure", || world.telegram.deliveries().len() >= 2).await;
    let info = world.ok("getWebhookInfo", json!({})).await;
    assert_eq!(info["last_error_message"], "Connection refused");
    assert_eq!(info["pending_update_count"], json!(1));
    let hook = Hook::start().await;
    world.ok("setWebhook", json!({"url": hook.url})).await;
    world.telegram.delivered().await;
    assert_eq!(hook.count(), 1);
    assert_eq!(hook.received.lock().unwrap()[0].secret, None);
    world.ok("deleteWebhook", json!({})).await;
    world.telegram.add_by_admin(CHAT, User::new(2));
    assert_eq!(world.telegram.pending_updates(world.bot), 1);
    world
        .ok("deleteWebhook", json!({"drop_pending_updates": true}))
        .await;
    assert_eq!(world.telegram.pending_updates(world.bot), 0);
}

#[tokio::test]
async fn any_raw_update_is_delivered_like_a_genuine_one_even_twice() {
    let (world, hook) = hooked().await;
    let raw = json!({"update_id": 5, "chat_member": {"odd": true}});
    assert_eq!(world.telegram.send_update(world.bot, raw.clone()), Some(5));
    assert_eq!(world.telegram.send_update(world.bot, raw), Some(5));
    assert_eq!(
        world
            .telegram
            .send_update(world.bot, json!({"message": {"text": "hi"}})),
        None
    );
    assert!(
        world
            .telegram
            .send_update(world.bot, json!({"no_such_kind": {}}))
            .is_some()
    );
    world.telegram.delivered().await;
    assert_eq!(hook.count(), 3);
}
