//! Flood control and faults, as a client meets them.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod telegram_support;

use std::time::Duration;

use serde_json::json;
use simulators::telegram::{Fault, FaultRule, Limit, Refusal};
use telegram_support::{CHAT, TelegramWorld, eventually};

fn create() -> serde_json::Value {
    json!({"chat_id": CHAT, "member_limit": 1})
}

const CREATE: &str = "createChatInviteLink";

#[tokio::test]
async fn a_429_has_the_genuine_body_and_header_and_ends_when_it_says() {
    let world = TelegramWorld::new().await;
    world.telegram.set_limit(Some(Limit::per_minute(20, 2)));
    world.ok(CREATE, create()).await;
    world.ok(CREATE, create()).await;
    let answer = world.call(CREATE, create()).await;
    assert_eq!(
        (answer.status, answer.retry_after.as_deref()),
        (429, Some("3"))
    );
    assert_eq!(
        answer.body,
        json!({"ok": false, "error_code": 429, "description": "Too Many Requests: retry after 3", "parameters": {"retry_after": 3}})
    );
    assert_eq!(world.telegram.violation_count(), 0);
    world.clock.advance(Duration::from_millis(1500));
    assert_eq!(world.call(CREATE, create()).await.status, 429);
    assert_eq!(world.telegram.violation_count(), 1);
    assert_eq!(world.telegram.violations()[0].chat_id, Some(CHAT));
    world.clock.advance(Duration::from_millis(1500));
    world.ok(CREATE, create()).await;
    assert_eq!(world.telegram.too_many_requests(), 2);
    assert_eq!(world.telegram.links().len(), 3);
}

#[tokio::test]
async fn a_limit_changes_while_running_and_is_shared_by_the_link_methods_of_a_pair() {
    let world = TelegramWorld::new().await;
    world.telegram.set_limit(Some(Limit {
        calls: 1,
        per: Duration::from_secs(3600),
        burst: 2,
    }));
    let url = world.link("a").await;
    world
        .ok(
            "revokeChatInviteLink",
            json!({"chat_id": CHAT, "invite_link": url}),
        )
        .await;
    let answer = world.call(CREATE, create()).await;
    assert_eq!(
        (answer.status, answer.retry_after.as_deref()),
        (429, Some("3600"))
    );
    world.ok("getChat", json!({"chat_id": CHAT})).await;
    world.telegram.set_limit(None);
    world.ok(CREATE, create()).await;
    world.telegram.set_retry_after(Some(40));
    world
        .telegram
        .set_limit_for(world.bot, CHAT, Some(Limit::per_minute(60, 1)));
    world
        .telegram
        .set_method_limit("revokeChatInviteLink", None);
    let mut refused = None;
    let mut last = String::new();
    for _ in 0..3 {
        let answer = world.call(CREATE, create()).await;
        match answer.status {
            200 => {
                last = answer.body["result"]["invite_link"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            }
            _ => refused = answer.retry_after,
        }
    }
    assert_eq!(refused.as_deref(), Some("40"));
    if last.is_empty() {
        last = world.telegram.links().last().unwrap().url.clone();
    }
    world
        .ok(
            "revokeChatInviteLink",
            json!({"chat_id": CHAT, "invite_link": last}),
        )
        .await;
}

#[tokio::test]
async fn a_limit_of_the_whole_bot_and_of_one_method() {
    let world = TelegramWorld::new().await;
    world.telegram.set_method_limit(
        "setWebhook",
        Some(Limit {
            calls: 1,
            per: Duration::from_secs(1),
            burst: 1,
        }),
    );
    let set = json!({"url": "http://127.0.0.1:9/"});
    world.ok("setWebhook", set.clone()).await;
    assert_eq!(
        world.call("setWebhook", set).await.retry_after.as_deref(),
        Some("1")
    );
    world.telegram.set_bot_limit(Some(Limit::per_minute(60, 3)));
    for _ in 0..3 {
        world.ok("getMe", json!({})).await;
    }
    assert_eq!(world.call("getMe", json!({})).await.status, 429);
}

#[tokio::test]
async fn faults_without_effect_leave_no_link() {
    let world = TelegramWorld::new().await;
    let telegram = &world.telegram;
    let faults = [
        (Fault::TooManyRequests { retry_after: 40 }, 429),
        (Fault::TooManyRequestsHtml, 429),
        (Fault::Internal, 500),
        (Fault::BadGateway, 502),
        (
            Fault::Refuse(Refusal::forbidden("bot was kicked from the channel chat")),
            403,
        ),
        (
            Fault::Refuse(Refusal::bad_request("CHAT_ADMIN_REQUIRED")),
            400,
        ),
        (Fault::Refuse(Refusal::migrated(-1005)), 400),
    ];
    for (fault, status) in faults {
        telegram.fail(FaultRule::on(CREATE, fault.clone()).times(1));
        let answer = world.call(CREATE, create()).await;
        assert_eq!(answer.status, status, "{fault:?}");
        let is_html = matches!(fault, Fault::TooManyRequestsHtml | Fault::BadGateway);
        assert_eq!(
            answer.text.starts_with("<html>"),
            is_html,
            "{}",
            answer.text
        );
        if let Fault::TooManyRequests { .. } = fault {
            assert_eq!(answer.retry_after.as_deref(), Some("40"));
            assert_eq!(answer.body["parameters"]["retry_after"], json!(40));
        }
        if fault == Fault::TooManyRequestsHtml {
            assert_eq!(answer.retry_after, None);
        }
    }
    telegram.fail(FaultRule::on(CREATE, Fault::ResetBefore).times(1));
    let error = world
        .call_as(telegram_support::TOKEN, CREATE, create())
        .await
        .unwrap_err();
    assert!(
        !error.is_timeout() && !error.is_connect() && error.status().is_none(),
        "{error:?}"
    );
    assert_eq!(telegram.link_count(), 0);
    world.ok(CREATE, create()).await;
    assert_eq!(telegram.link_count(), 1);
}

#[tokio::test]
async fn faults_after_the_effect_leave_a_link_that_the_client_does_not_know() {
    let world = TelegramWorld::new().await;
    let telegram = &world.telegram;
    telegram.fail(FaultRule::on(CREATE, Fault::ResetAfter).times(1));
    assert!(
        world
            .call_as(telegram_support::TOKEN, CREATE, create())
            .await
            .is_err()
    );
    assert_eq!(telegram.link_count(), 1);
    telegram.fail(FaultRule::on(CREATE, Fault::Garbage).times(1));
    let answer = world.call(CREATE, create()).await;
    assert_eq!((answer.status, answer.body.is_null()), (200, true));
    assert_eq!(telegram.link_count(), 2);
    telegram.fail(FaultRule::on(CREATE, Fault::BadGatewayAfterEffect).times(1));
    assert_eq!(world.call(CREATE, create()).await.status, 502);
    assert_eq!(telegram.link_count(), 3);
    telegram.fail(FaultRule::on(CREATE, Fault::WrongMemberLimit(Some(5))).times(1));
    assert_eq!(world.ok(CREATE, create()).await["member_limit"], json!(5));
    telegram.fail(FaultRule::on(CREATE, Fault::WrongMemberLimit(None)).times(1));
    assert!(world.ok(CREATE, create()).await["member_limit"].is_null());
    assert!(
        telegram
            .links()
            .iter()
            .all(|link| link.member_limit == Some(1))
    );
}

#[tokio::test]
async fn a_call_that_hangs_succeeds_later_even_if_its_client_left() {
    let world = TelegramWorld::new().await;
    let telegram = &world.telegram;
    telegram.fail(FaultRule::on(CREATE, Fault::HangThenSucceed(Duration::from_secs(8))).times(2));
    let (link, ()) = tokio::join!(world.ok(CREATE, create()), async {
        eventually("the call", || telegram.count(CREATE) == 1).await;
        assert_eq!(telegram.link_count(), 0);
        world.clock.advance(Duration::from_secs(8));
    });
    assert!(link["invite_link"].is_string());
    let hanging = world
        .http
        .post(world.endpoint(telegram_support::TOKEN, CREATE))
        .json(&create());
    let error = hanging
        .timeout(Duration::from_millis(150))
        .send()
        .await
        .unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(telegram.link_count(), 1);
    world.clock.advance(Duration::from_secs(8));
    eventually("the effect without a client", || telegram.link_count() == 2).await;
    telegram.fail(FaultRule::on(CREATE, Fault::AnswerLate(Duration::from_secs(8))).times(1));
    let (_, ()) = tokio::join!(world.ok(CREATE, create()), async {
        eventually("the effect before the answer", || {
            telegram.link_count() == 3
        })
        .await;
        world.clock.advance(Duration::from_secs(8));
    });
}

#[tokio::test]
async fn a_call_that_hangs_for_ever_has_no_effect_and_ends_with_the_server() {
    let world = TelegramWorld::new().await;
    world.telegram.fail(FaultRule::always(Fault::HangForever));
    let call = world
        .http
        .post(world.endpoint(telegram_support::TOKEN, CREATE))
        .json(&create())
        .send();
    let (answer, ()) = tokio::join!(call, async {
        eventually("the call", || world.telegram.count(CREATE) == 1).await;
        world.clock.advance(Duration::from_secs(3600));
        tokio::time::sleep(Duration::from_millis(50)).await;
        world.telegram.stop().await;
    });
    assert!(answer.is_err());
    assert_eq!(world.telegram.link_count(), 0);
    assert_eq!(world.telegram.calls()[0].status, 0);
    assert!(
        world
            .http
            .get(world.telegram.url())
            .send()
            .await
            .unwrap_err()
            .is_connect()
    );
}

#[tokio::test]
async fn a_rule_skips_catches_its_times_and_can_be_cleared() {
    let world = TelegramWorld::new().await;
    let telegram = &world.telegram;
    telegram.fail(
        FaultRule::on(CREATE, Fault::Internal)
            .skip(1)
            .times(2)
            .chat(CHAT),
    );
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(world.call(CREATE, create()).await.status);
    }
    assert_eq!(statuses, [200, 500, 500, 200]);
    telegram.fail(FaultRule::always(Fault::BadGateway));
    assert_eq!(world.call("getMe", json!({})).await.status, 502);
    telegram.clear_faults();
    assert_eq!(world.call("getMe", json!({})).await.status, 200);
    let recorded: Vec<_> = telegram
        .calls()
        .iter()
        .map(|call| (call.method.clone(), call.status))
        .collect();
    assert_eq!(recorded.len(), 6);
    assert_eq!(recorded[4], ("getMe".to_owned(), 502));
}

#[tokio::test]
async fn a_call_during_an_injected_wait_is_a_violation_but_is_served() {
    let world = TelegramWorld::new().await;
    world
        .telegram
        .fail(FaultRule::on(CREATE, Fault::TooManyRequests { retry_after: 40 }).times(1));
    assert_eq!(world.call(CREATE, create()).await.status, 429);
    assert_eq!(world.telegram.violation_count(), 0);
    world.clock.advance(Duration::from_secs(39));
    world.ok(CREATE, create()).await;
    assert_eq!(world.telegram.violation_count(), 1);
    world.clock.advance(Duration::from_secs(2));
    world.ok(CREATE, create()).await;
    assert_eq!(world.telegram.violation_count(), 1);
}
