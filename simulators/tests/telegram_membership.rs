//! Changes of membership, and the updates that tell of them.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod telegram_support;

use serde_json::{Value, json};
use simulators::telegram::{Rights, Tap, User};
use telegram_support::{CHAT, Hook, TelegramWorld};

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
    let world = TelegramWorld::new().await;
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
    assert!(
        world
            .ok("getWebhookInfo", json!({}))
            .await
            .get("allowed_updates")
            .is_none()
    );
    let before = hook.count();
    join(&world, 3).await;
    world.telegram.delivered().await;
    // The service message of the join, which is on by default.
    assert_eq!(hook.count(), before + 1);
    assert!(hook.updates()[before]["message"]["new_chat_members"].is_array());
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
