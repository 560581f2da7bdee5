//! A rate limit never fails a request, never spends its attempts, and is obeyed by everybody.

use std::time::Duration;

use futures_util::future::join_all;
use local::harness::{Outside, TestStack, any_port};
use local::stack::Data;
use simulators::telegram::{ChatKind, Fault, FaultRule, Limit, Rights};

async fn waits_out(retry_after: u32) {
    let stack = TestStack::start().await;
    stack.telegram.fail(
        FaultRule::on(
            "createChatInviteLink",
            Fault::TooManyRequests { retry_after },
        )
        .times(1),
    );
    let id = stack.bought("u1", "T1").await;
    stack
        .run_until(|| stack.telegram.too_many_requests() > 0)
        .await;
    let refused_at = stack.clock.now_ms();
    let status = stack.status(&id).await;
    assert_eq!(
        (status["status"].as_str(), status["attempts"].as_u64()),
        (Some("QUEUED"), Some(0)),
        "{status}"
    );
    // Another buyer of the same chat must wait as well.
    let other = stack.bought("u2", "T2").await;
    stack.run_until_idle().await;
    for id in [&id, &other] {
        let status = stack.status(id).await;
        assert_eq!(
            (status["status"].as_str(), status["attempts"].as_u64()),
            (Some("DONE"), Some(1)),
            "{status}"
        );
    }
    let calls = stack.telegram.calls();
    let minted: Vec<i64> = calls
        .iter()
        .filter(|call| call.status == 200 && call.method == "createChatInviteLink")
        .map(|call| call.at_ms)
        .collect();
    assert_eq!(minted.len(), 2);
    // The clock stood still between the refusal and the first look at it, but for the milliseconds of the look.
    let waited = minted[0] - refused_at;
    assert!(
        waited >= i64::from(retry_after) * 1000 - 200,
        "waited {waited} ms of {retry_after} s"
    );
    assert_eq!(stack.telegram.violation_count(), 0);
}

#[tokio::test]
async fn a_429_of_3_seconds_is_waited_out_by_all_of_the_chat() {
    waits_out(3).await;
}

#[tokio::test]
async fn a_429_of_40_seconds_is_waited_out_by_all_of_the_chat() {
    waits_out(40).await;
}

#[tokio::test]
async fn a_429_of_2000_seconds_is_waited_out_by_all_of_the_chat() {
    waits_out(2000).await;
}

#[tokio::test]
async fn a_429_without_json_is_a_rate_limit_too() {
    let stack = TestStack::start().await;
    stack
        .telegram
        .fail(FaultRule::on("createChatInviteLink", Fault::TooManyRequestsHtml).times(2));
    let (id, _) = stack.admitted("u1", "T1").await;
    assert_eq!(stack.status(&id).await["attempts"], 1);
}

#[tokio::test]
async fn a_hundred_buyers_at_five_links_a_second_all_get_in_and_nothing_is_dropped() {
    let stack = TestStack::start().await;
    stack.telegram.set_limit(Some(Limit {
        calls: 5,
        per: Duration::from_secs(1),
        burst: 20,
    }));
    let ids =
        join_all((0..100).map(async |n| stack.bought(&format!("u{n}"), &format!("T{n}")).await))
            .await;
    stack.run_until_idle().await;
    for id in &ids {
        let status = stack.status(id).await;
        assert_eq!(
            (status["status"].as_str(), status["attempts"].as_u64()),
            (Some("DONE"), Some(1)),
            "{status}"
        );
    }
    assert_eq!(stack.telegram.link_count(), 100);
    assert_eq!(stack.telegram.violation_count(), 0);
}

#[tokio::test]
async fn one_chats_pause_does_not_hold_another_chat() {
    let externals = Outside::start("123456789:AAExternal_token_of_nobody_00000000", "key").await;
    let (busy, elsewhere) = (externals.chat_id, externals.chat_id - 1);
    let telegram = &externals.telegram;
    telegram.add_chat(elsewhere, "Elsewhere", ChatKind::Supergroup);
    telegram.make_admin(externals.bot_id, elsewhere, Rights::all());
    let chats = format!("{busy},{elsewhere}");
    let env = [("TELEGRAM_CHAT_ID", chats.as_str())];
    let stack = externals.stack(any_port(), Data::Ephemeral, &env).await;
    let stack = stack.unwrap();
    telegram.fail(
        FaultRule::on(
            "createChatInviteLink",
            Fault::TooManyRequests { retry_after: 300 },
        )
        .chat(busy)
        .times(1),
    );
    let id = stack.bought("u1", "T1").await;
    stack.run_until(|| telegram.too_many_requests() > 0).await;
    // The limiter is that of one bot and one chat: a link of another chat of the bot is made at once.
    let before = stack.clock.now_ms();
    let body = serde_json::json!({"userId": "u2", "transactionId": "T2", "chatId": elsewhere});
    assert_eq!(stack.request(&body, &[]).await.status, 200);
    stack.run_until(|| telegram.link_count() > 0).await;
    assert!(stack.clock.now_ms() - before < 60_000);
    stack.run_until_idle().await;
    assert_eq!(stack.status(&id).await["status"], "DONE");
}
