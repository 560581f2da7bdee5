//! With a bot token in the environment the local stack serves the real Telegram: here a Telegram, and a WebEngage, that the
//! local stack has not started and takes for the real ones.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use axum::Router;
use local::harness::{ExternalServices, JOINED, LINK_CREATED, TestStack, any_port, until};
use local::stack::Data;
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::{self, Call, Fault, Tap, User};

const TOKEN: &str = "987654321:AAF-outside-bot-token-0123456789abcd";

async fn externals() -> ExternalServices {
    ExternalServices::start(TOKEN, "outside-webengage-key").await
}

/// A port that is free now, for a local stack whose URL must be known before it starts.
fn free_port() -> SocketAddr {
    TcpListener::bind(any_port()).unwrap().local_addr().unwrap()
}

/// A local stack that Telegram reaches by webhook.
async fn by_webhook(externals: &ExternalServices, data: Data) -> TestStack {
    let listen = free_port();
    // With a slash at its end, as people write it.
    let url = format!("http://{listen}/");
    let env = [("PUBLIC_URL", url.as_str())];
    externals.stack(listen, data, &env).await.unwrap()
}

/// A local stack that asks for updates.
async fn by_polling(externals: &ExternalServices, data: Data) -> TestStack {
    externals.stack(any_port(), data, &[]).await.unwrap()
}

/// The sentence by which a local stack refuses to start. It holds no secret.
async fn refusal(externals: &ExternalServices, env: &[(&str, &str)]) -> String {
    let started = externals.stack(any_port(), Data::Ephemeral, env).await;
    let sentence = format!("{:#}", started.err().expect("it refuses to start"));
    assert!(!sentence.contains("AAF-outside"), "{sentence}");
    assert!(!sentence.contains('\n'), "{sentence}");
    sentence
}

/// The calls about updates, in their order.
fn update_calls(externals: &ExternalServices) -> Vec<Call> {
    let methods = [
        "setWebhook",
        "deleteWebhook",
        "getWebhookInfo",
        "getUpdates",
    ];
    let mut calls = externals.telegram.calls();
    calls.retain(|call| methods.contains(&call.method.as_str()));
    calls
}

/// One payment all the way: link, join, both events.
async fn a_payment_lives(stack: &TestStack) {
    let shop = stack.shop();
    assert!(!stack.local.is_simulated);
    let (id, link) = stack.admitted("u1", "T1").await;
    stack.customer(77).join_by(&link);
    shop.until(&id, "the join", |status| status["joined"] == true)
        .await;
    stack.run_until_idle().await;
    let status = shop.status(&id).await;
    let flags = ["linkEventFired", "joined", "joinEventFired"].map(|flag| &status[flag]);
    assert_eq!(flags, [true, true, true], "{status}");
    assert_eq!(status["telegramUserId"], 77);
    assert!(stack.telegram.is_revoked(&link));
    let names: Vec<Value> = stack
        .webengage
        .ingested()
        .iter()
        .map(|event| event.body["eventName"].clone())
        .collect();
    assert_eq!(names, [LINK_CREATED, JOINED]);
}

#[tokio::test]
async fn by_webhook_a_payment_becomes_a_link_a_join_and_two_events() {
    let externals = externals().await;
    let stack = by_webhook(&externals, Data::Ephemeral).await;
    a_payment_lives(&stack).await;
    let calls = update_calls(&externals);
    let methods: Vec<_> = calls.iter().map(|call| call.method.as_str()).collect();
    // Registered once, and what Telegram made of it read back.
    assert_eq!(methods, ["setWebhook", "getWebhookInfo"]);
    let secret = &stack.env()["TELEGRAM_WEBHOOK_SECRET"];
    assert!(secret.len() >= 32);
    assert_eq!(
        calls[0].params,
        json!({
            "url": format!("{}/v1/telegram/webhook", stack.local.url),
            "secret_token": secret,
            "allowed_updates": ["chat_member", "my_chat_member"],
            "max_connections": 40,
        })
    );
    assert!(externals.telegram.delivery_count() >= 1);
}

#[tokio::test]
async fn by_long_polling_a_payment_becomes_a_link_a_join_and_two_events() {
    let externals = externals().await;
    let stack = by_polling(&externals, Data::Ephemeral).await;
    a_payment_lives(&stack).await;
    let calls = update_calls(&externals);
    let is_poll = |call: &Call| call.method == "getUpdates";
    let (before, polls) = calls.split_at(calls.iter().position(is_poll).unwrap());
    // Telegram refuses polls while a webhook is set; what waited for the webhook is kept.
    let deleted = before.iter().find(|call| call.method == "deleteWebhook");
    assert_ne!(deleted.unwrap().params["drop_pending_updates"], true);
    assert!(before.iter().all(|call| call.method != "setWebhook"));
    for poll in polls {
        assert_eq!(poll.method, "getUpdates");
        assert_eq!(
            poll.params["allowed_updates"],
            json!(["chat_member", "my_chat_member"])
        );
    }
    assert_eq!(externals.telegram.delivery_count(), 0);
}

#[tokio::test]
async fn a_join_while_the_local_stack_was_down_is_seen_after_its_old_webhook_gave_way_to_polling() {
    let externals = externals().await;
    let folder = tempfile::tempdir().unwrap();
    let data = || Data::Folder(folder.path().to_owned());
    let before = by_webhook(&externals, data()).await;
    let (id, link) = before.admitted("u1", "T1").await;
    drop(before);
    assert_eq!(externals.telegram.tap(&link, User::new(77)), Tap::Joined);
    // The one before gives its folder back once all its tasks have ended.
    let stack = until("a free folder", async || {
        externals.stack(any_port(), data(), &[]).await.ok()
    })
    .await;
    let shop = stack.shop();
    shop.until(&id, "the join", |status| status["joined"] == true)
        .await;
    stack.run_until_idle().await;
    assert_eq!(shop.status(&id).await["joinEventFired"], true);
    assert_eq!(stack.webengage.ingested().len(), 2);
}

#[tokio::test]
async fn a_polled_update_answered_503_is_asked_for_again_and_those_behind_it_wait() {
    let externals = externals().await;
    let stack = by_polling(&externals, Data::Ephemeral).await;
    let (first, link) = stack.admitted("u1", "T1").await;
    let (second, other_link) = stack.admitted("u2", "T2").await;
    let hits = stack.aws().wire().fail(
        FaultRule::new(WireFault::InternalError)
            .on(Service::DynamoDb, "GetItem")
            .named("InviteLinks")
            .always(),
    );
    stack.customer(77).join_by(&link);
    stack.customer(78).join_by(&other_link);
    // Three tries of the SDK, and then a 503.
    until("a 503", async || (hits.count() >= 3).then_some(())).await;
    assert_eq!(externals.telegram.pending_updates(externals.bot_id), 2);
    stack.aws().wire().clear_faults();
    for id in [&first, &second] {
        stack
            .shop()
            .until(id, "the join", |status| status["joined"] == true)
            .await;
    }
    stack.run_until_idle().await;
    assert_eq!(externals.telegram.pending_updates(externals.bot_id), 0);
    assert_eq!(stack.webengage.ingested().len(), 4);
}

/// A Telegram that takes every webhook and tells this of it afterwards.
async fn telegram_that_keeps(info: Value) -> String {
    let answer = async move |request: axum::extract::Request| {
        let result = match request.uri().path().rsplit('/').next() {
            Some("getWebhookInfo") => info,
            _ => json!(true),
        };
        axum::Json(json!({"ok": true, "result": result}))
    };
    let listener = tokio::net::TcpListener::bind(any_port()).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    url
}

#[tokio::test]
async fn it_refuses_to_start_when_telegram_keeps_another_webhook_than_was_asked_for() {
    let externals = externals().await;
    let ours = "https://shop.example/v1/telegram/webhook";
    let kept = |url: &str, updates: Value| json!({"url": url, "has_custom_certificate": false, "pending_update_count": 0, "allowed_updates": updates});
    for (info, words) in [
        (
            kept(
                "https://other.example/hook",
                json!(["chat_member", "my_chat_member"]),
            ),
            "another URL",
        ),
        (
            kept("", json!(["chat_member", "my_chat_member"])),
            "another URL",
        ),
        (kept(ours, json!(["message"])), "chat_member"),
        (kept(ours, json!([])), "chat_member"),
        (
            json!({"url": ours, "has_custom_certificate": false, "pending_update_count": 0}),
            "chat_member",
        ),
    ] {
        let base = telegram_that_keeps(info).await;
        let env = [
            ("PUBLIC_URL", "https://shop.example"),
            ("TELEGRAM_API_BASE", base.as_str()),
        ];
        let sentence = refusal(&externals, &env).await;
        assert!(sentence.contains(words), "{sentence}");
    }
    let kept = telegram_that_keeps(kept(ours, json!(["chat_member", "my_chat_member"]))).await;
    let env = [
        ("PUBLIC_URL", "https://shop.example"),
        ("TELEGRAM_API_BASE", kept.as_str()),
    ];
    let started = externals.stack(any_port(), Data::Ephemeral, &env).await;
    assert!(started.is_ok(), "the same webhook, kept as asked, will do");
}

#[tokio::test]
async fn it_refuses_to_start_by_webhook_when_telegram_refuses_the_token_or_the_url() {
    let externals = externals().await;
    let plain = refusal(&externals, &[("PUBLIC_URL", "http://shop.example")]).await;
    assert!(
        plain.contains("PUBLIC_URL") && plain.contains("https://"),
        "{plain}"
    );
    externals.telegram.revoke_token(externals.bot_id);
    let refused = refusal(&externals, &[("PUBLIC_URL", "https://shop.example")]).await;
    assert!(
        refused.contains("webhook") && refused.contains("401 Unauthorized"),
        "{refused}"
    );
}

#[tokio::test]
async fn it_refuses_to_start_by_polling_when_telegram_refuses_the_token() {
    let externals = externals().await;
    externals.telegram.revoke_token(externals.bot_id);
    let refused = refusal(&externals, &[]).await;
    assert!(refused.contains("401 Unauthorized"), "{refused}");
}

#[tokio::test]
async fn it_refuses_to_start_with_a_token_and_without_a_chat() {
    let externals = externals().await;
    let sentence = refusal(&externals, &[("TELEGRAM_CHAT_ID", "")]).await;
    assert!(
        sentence.contains("TELEGRAM_CHAT_ID is missing"),
        "{sentence}"
    );
}

#[tokio::test]
async fn polling_survives_an_outage_of_telegram() {
    let externals = externals().await;
    let stack = by_polling(&externals, Data::Ephemeral).await;
    let (id, link) = stack.admitted("u1", "T1").await;
    for fault in [Fault::BadGateway, Fault::ResetBefore] {
        let rule = telegram::FaultRule::on("getUpdates", fault);
        externals.telegram.fail(rule.times(1));
    }
    // Ends the poll that waits, so that the next ones meet the faults.
    stack.clock.advance(Duration::from_secs(30));
    until("three polls", async || {
        (externals.telegram.count("getUpdates") >= 3).then_some(())
    })
    .await;
    stack.customer(77).join_by(&link);
    stack
        .shop()
        .until(&id, "the join", |status| status["joined"] == true)
        .await;
    stack.run_until_idle().await;
    assert_eq!(stack.webengage.ingested().len(), 2);
}

async fn page(stack: &TestStack) -> String {
    let answer = runtime::http::client(Duration::from_secs(10)).unwrap();
    let answer = answer.get(&stack.local.url).send().await.unwrap();
    answer.text().await.unwrap()
}

#[tokio::test]
async fn the_page_holds_no_key_in_real_mode_and_its_acts_do_nothing_to_the_real_world() {
    let simulated = TestStack::start().await;
    assert!(page(&simulated).await.contains(simulated.local.api_key()));
    let externals = externals().await;
    let stack = by_polling(&externals, Data::Ephemeral).await;
    let served = page(&stack).await;
    for secret in ["API_KEYS", "TELEGRAM_WEBHOOK_SECRET", "WEBENGAGE_API_KEY"] {
        assert!(!served.contains(&stack.env()[secret]), "{secret}");
    }
    assert!(!served.contains(TOKEN));
    assert_eq!(stack.get("/local/state", &[]).await.status, 401);
    let key = [("x-api-key", stack.local.api_key())];
    assert_eq!(stack.get("/local/state", &key).await.status, 200);
    let (_, link) = stack.admitted("u1", "T1").await;
    for (act, body) in [
        ("tap", json!({"inviteLink": link, "as": "stranger"})),
        ("telegram-limit", json!({"calls": 1, "perSeconds": 60})),
        ("telegram-storm", json!({"retryAfter": 60, "times": 9})),
        ("telegram-rights", json!({"canInvite": false})),
        ("webengage", json!({"mode": "down"})),
        ("kill-worker", json!({})),
        ("phone-person", json!({"name": "Ann"})),
        ("phone-say", json!({"person": 1, "text": "Hello"})),
        ("phone-open", json!({"person": 1, "link": link})),
        (
            "phone-press",
            json!({"person": 1, "messageId": 1, "button": "Open"}),
        ),
        ("phone-leave", json!({"person": 1})),
        ("phone-block", json!({"person": 1, "blocked": true})),
        ("forum-say", json!({"topic": 1, "text": "Hello"})),
        ("advance-clock", json!({"seconds": 60})),
    ] {
        let path = format!("/local/actions/{act}");
        let without_key = stack.post(&path, body.to_string(), &[]).await;
        assert_eq!(without_key.status, 401, "{act}");
        let answer = stack.post(&path, body.to_string(), &key).await;
        assert_eq!(answer.refusal(), (409, "not_simulated"), "{act}");
    }
}
