//! Membership updates, and how they leave: by webhook with Telegram's retries, or by `getUpdates`.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod telegram_support;

use std::time::Duration;

use serde_json::{Value, json};
use simulators::telegram::{Rights, Tap, User};
use telegram_support::{CHAT, Hook, Respond, World, eventually};

const SECRET: &str = "A-secret_1";

async fn hooked() -> (World, Hook) {
    let world = World::new().await;
    let hook = Hook::start().await;
    let params = json!({"url": hook.url, "secret_token": SECRET, "allowed_updates": ["chat_member"], "drop_pending_updates": true});
    world.ok("setWebhook", params).await;
    (world, hook)
}

async fn join(world: &World, user: i64) -> String {
    let url = world.link(&format!("r{user}")).await;
    assert_eq!(world.telegram.tap(&url, User::new(user)), Tap::Joined);
    url
}

#[tokio::test]
async fn a_join_by_link_reaches_the_webhook_with_its_secret_and_the_whole_link() {
    let (world, hook) = hooked().await;
    let url = join(&world, 1).await;
    world.telegram.delivered().await;
    let received = hook.received.lock().unwrap().clone();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].secret.as_deref(), Some(SECRET));
    let update = &received[0].update;
    let joined = &update["chat_member"];
    assert!(update["update_id"].is_i64());
    assert_eq!(
        joined["chat"],
        json!({"id": CHAT, "title": "Paid community", "type": "supergroup"})
    );
    assert_eq!(joined["from"]["id"], json!(1));
    assert_eq!(joined["old_chat_member"]["status"], "left");
    assert_eq!(joined["new_chat_member"]["status"], "member");
    assert_eq!(joined["new_chat_member"]["user"]["id"], json!(1));
    assert_eq!(joined["invite_link"]["invite_link"], json!(url));
    assert_eq!(joined["invite_link"]["name"], "r1");
    assert_eq!(joined["invite_link"]["member_limit"], json!(1));
    assert_eq!(joined["invite_link"]["creator"]["id"], json!(world.bot));
    assert!(joined.get("via_join_request").is_none());
    assert!((joined["date"].as_i64().unwrap() - world.clock.now_ms() / 1000).abs() <= 2);
    let delivery = &world.telegram.deliveries()[0];
    assert_eq!(
        (delivery.attempt, delivery.status, delivery.kind.as_str()),
        (1, Some(200), "chat_member")
    );
}

#[tokio::test]
async fn each_change_of_membership_says_who_did_it_and_what_changed() {
    let (world, hook) = hooked().await;
    let telegram = &world.telegram;
    let owner = simulators::telegram::OWNER_ID;
    telegram.add_by_admin(CHAT, User::new(9));
    telegram.promote(CHAT, 9, Rights::none());
    telegram.demote(CHAT, 9);
    telegram.restrict(CHAT, User::new(9), true);
    telegram.leave(CHAT, 9);
    telegram.restrict(CHAT, User::new(9), true);
    telegram.ban(CHAT, User::new(9), 0);
    telegram.unban(CHAT, 9);
    telegram.join_by_name(CHAT, User::new(9));
    world
        .ok("banChatMember", json!({"chat_id": CHAT, "user_id": 9}))
        .await;
    telegram.delivered().await;
    let seen: Vec<_> = hook
        .updates()
        .iter()
        .map(|update| {
            let change = &update["chat_member"];
            assert!(change.get("invite_link").is_none());
            let status = |member: &Value| {
                let is_member = member["is_member"]
                    .as_bool()
                    .map(|is| format!("({is})"))
                    .unwrap_or_default();
                format!("{}{is_member}", member["status"].as_str().unwrap())
            };
            let from = change["from"]["id"].as_i64().unwrap();
            (
                from,
                status(&change["old_chat_member"]),
                status(&change["new_chat_member"]),
            )
        })
        .collect();
    let expected = [
        (owner, "left", "member"),
        (owner, "member", "administrator"),
        (owner, "administrator", "member"),
        (owner, "member", "restricted(true)"),
        (9, "restricted(true)", "restricted(false)"),
        (owner, "restricted(false)", "restricted(true)"),
        (owner, "restricted(true)", "kicked"),
        (owner, "kicked", "left"),
        (9, "left", "member"),
        (world.bot, "member", "kicked"),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(from, old, new)| (*from, (*old).to_owned(), (*new).to_owned()))
        .collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn someone_restricted_who_joins_by_a_link_is_restricted_and_a_member() {
    let (world, hook) = hooked().await;
    world.telegram.restrict(CHAT, User::new(3), false);
    join(&world, 3).await;
    world.telegram.delivered().await;
    let change = hook.updates().pop().unwrap()["chat_member"].clone();
    assert_eq!(change["old_chat_member"]["is_member"], json!(false));
    assert_eq!(change["new_chat_member"]["is_member"], json!(true));
    assert!(change["invite_link"].is_object());
}

#[tokio::test]
async fn another_bot_sees_the_join_but_not_the_whole_link() {
    let (world, _hook) = hooked().await;
    let other = world.telegram.add_bot("77:other");
    world.telegram.make_admin(other, CHAT, Rights::none());
    let ask = json!({"allowed_updates": ["chat_member"]});
    world
        .call_as("77:other", "getUpdates", ask.clone())
        .await
        .unwrap();
    let url = join(&world, 1).await;
    let answer = world.call_as("77:other", "getUpdates", ask).await.unwrap();
    let updates = answer.body["result"].as_array().unwrap();
    let link = &updates.last().unwrap()["chat_member"]["invite_link"];
    let shown = link["invite_link"].as_str().unwrap();
    assert!(
        shown.ends_with("...") && shown.starts_with(&url[..20]) && shown != url,
        "{shown}"
    );
    assert_eq!(link["creator"]["id"], json!(world.bot));
}

#[tokio::test]
async fn approval_names_the_approver_and_only_a_request_without_a_link_says_so() {
    let (world, hook) = hooked().await;
    let params = json!({"url": hook.url, "allowed_updates": ["chat_member", "chat_join_request"]});
    world.ok("setWebhook", params).await;
    let link = world
        .ok(
            "createChatInviteLink",
            json!({"chat_id": CHAT, "creates_join_request": true}),
        )
        .await;
    let url = link["invite_link"].as_str().unwrap();
    world.telegram.tap(url, User::new(1));
    world.telegram.ask_to_join(CHAT, User::new(2));
    for user in [1, 2] {
        world
            .ok(
                "approveChatJoinRequest",
                json!({"chat_id": CHAT, "user_id": user}),
            )
            .await;
    }
    world.telegram.delivered().await;
    let updates = hook.updates();
    let of = |kind: &str, user: i64| {
        let is = |update: &&Value| {
            let body = &update[kind];
            body["new_chat_member"]["user"]["id"] == user
                || (kind == "chat_join_request" && body["from"]["id"] == user)
        };
        updates.iter().find(is).unwrap()[kind].clone()
    };
    assert_eq!(
        of("chat_join_request", 1)["invite_link"]["invite_link"],
        url
    );
    assert!(of("chat_join_request", 2).get("invite_link").is_none());
    assert_eq!(of("chat_member", 1)["from"]["id"], json!(world.bot));
    assert_eq!(
        of("chat_member", 1)["invite_link"]["creates_join_request"],
        json!(true)
    );
    assert!(of("chat_member", 1).get("via_join_request").is_none());
    assert_eq!(of("chat_member", 2)["via_join_request"], json!(true));
}

#[tokio::test]
async fn chat_member_comes_only_when_asked_for_and_only_to_administrators() {
    let world = World::new().await;
    let hook = Hook::start().await;
    world
        .ok(
            "setWebhook",
            json!({"url": hook.url, "drop_pending_updates": true}),
        )
        .await;
    join(&world, 1).await;
    world.telegram.delivered().await;
    let kinds = |hook: &Hook| -> Vec<bool> {
        hook.updates()
            .iter()
            .map(|update| update["chat_member"].is_object())
            .collect()
    };
    assert!(!kinds(&hook).contains(&true));
    // Naming it sticks, also when a later call doesn't say anything; an empty list is the default again.
    world
        .ok(
            "setWebhook",
            json!({"url": hook.url, "allowed_updates": ["chat_member"]}),
        )
        .await;
    world.ok("setWebhook", json!({"url": hook.url})).await;
    assert_eq!(
        world.ok("getWebhookInfo", json!({})).await["allowed_updates"],
        json!(["chat_member"])
    );
    join(&world, 2).await;
    world.telegram.delivered().await;
    assert_eq!(kinds(&hook).iter().filter(|is| **is).count(), 1);
    world
        .ok(
            "setWebhook",
            json!({"url": hook.url, "allowed_updates": []}),
        )
        .await;
    join(&world, 3).await;
    world.telegram.delivered().await;
    assert_eq!(kinds(&hook).iter().filter(|is| **is).count(), 1);
    world
        .ok(
            "setWebhook",
            json!({"url": hook.url, "allowed_updates": ["chat_member"]}),
        )
        .await;
    world.telegram.demote_bot(world.bot, CHAT);
    world.telegram.add_by_admin(CHAT, User::new(4));
    world.telegram.delivered().await;
    assert_eq!(kinds(&hook).iter().filter(|is| **is).count(), 1);
}

#[tokio::test]
async fn the_bots_own_fate_is_told_to_it() {
    let (world, hook) = hooked().await;
    world
        .ok(
            "setWebhook",
            json!({"url": hook.url, "allowed_updates": ["my_chat_member"]}),
        )
        .await;
    world.telegram.kick_bot(world.bot, CHAT);
    world.telegram.delivered().await;
    let change = hook.updates().pop().unwrap()["my_chat_member"].clone();
    assert_eq!(change["old_chat_member"]["status"], "administrator");
    assert_eq!(change["new_chat_member"]["status"], "kicked");
    assert_eq!(change["new_chat_member"]["user"]["id"], json!(world.bot));
}

#[tokio::test]
async fn a_failed_delivery_is_repeated_at_once_then_after_2_4_8_seconds() {
    let (world, hook) = hooked().await;
    hook.answer([500, 503, 404, 302].map(Respond::Status));
    join(&world, 1).await;
    eventually("the first retry", || hook.count() == 2).await;
    for (attempts, wait) in [(3, 2), (4, 4), (5, 8)] {
        eventually("the failure is noted", || {
            world.telegram.deliveries().len() == attempts - 1
        })
        .await;
        world.clock.turn(Duration::from_millis(wait * 1000 - 900));
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert_eq!(hook.count(), attempts - 1, "too early");
        world.clock.turn(Duration::from_millis(900));
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
    world.clock.turn(Duration::from_secs(29));
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(hook.count(), 1);
    world.clock.turn(Duration::from_secs(1));
    eventually("the second answer", || {
        world.telegram.deliveries().len() == 2
    })
    .await;
    world.clock.turn(Duration::from_secs(3600));
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
        world.clock.turn(Duration::from_secs(3600));
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
    world.clock.turn(Duration::from_secs(20));
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
    hook.answer([Respond::Status(500)]);
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
    world.clock.turn(Duration::from_secs(60));
    eventually("the second attempt", || {
        world.telegram.deliveries().len() == 2
    })
    .await;
    let info = world.ok("getWebhookInfo", json!({})).await;
    assert_eq!(
        info["last_error_message"],
        "Wrong response from the webhook: 307 Temporary Redirect"
    );
    world.clock.turn(Duration::from_secs(2));
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
        world.clock.turn(Duration::from_secs(3600));
    }
    world.telegram.add_by_admin(CHAT, User::new(2));
    for _ in 0..14 {
        let before = world.telegram.deliveries().len();
        world.clock.turn(Duration::from_secs(3600));
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
    let world = World::new().await;
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
    let world = World::new().await;
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
async fn get_updates_confirms_by_offset_and_remembers_what_was_asked_for() {
    let world = World::new().await;
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
    let world = World::new().await;
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
        world.clock.turn(Duration::from_secs(50));
    });
    assert_eq!(answer, json!([]));
}

#[tokio::test]
async fn there_is_one_poller_and_none_beside_a_webhook() {
    let world = World::new().await;
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
