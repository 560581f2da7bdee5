//! The rate limiter as operators see it, and pausing a chat by hand.

use std::time::Duration;

use domain::time::Timestamp;
use local::harness::{MINUTE, TestStack, until};
use serde_json::json;
use simulators::telegram::{Fault, Tap};

use super::quiet;

/// Lets time pass, with the schedules of each minute.
async fn pass(stack: &TestStack, minutes: u64) {
    for _ in 0..minutes {
        stack.advance_when_idle(MINUTE).await;
    }
}

#[tokio::test]
async fn a_pause_by_hand_holds_all_calls_without_a_try_until_somebody_resumes() {
    let stack = quiet(&[]).await;
    let (shop, operator) = (stack.shop(), stack.operator());
    let (_, link) = stack.admitted("u0", "T0").await;
    let paused = &operator.pause("audit").await.done()["chat"]["pause"];
    assert_eq!(
        (&paused["lasts"], &paused["reason"], &paused["who"]),
        (&json!(true), &json!("audit"), &json!("operator"))
    );
    assert_eq!(paused.get("until"), None);
    let calls = stack.telegram.calls().len();
    let began = stack.clock.now_ms();
    let ids = [shop.bought("u1", "T1").await, shop.bought("u2", "T2").await];
    assert_eq!(
        stack.customer(77).tap(&link),
        Tap::Joined,
        "who has a link still gets in"
    );
    pass(&stack, 30).await;
    assert_eq!(
        stack.telegram.calls().len(),
        calls,
        "neither a link nor a revocation"
    );
    for id in &ids {
        shop.stands(id, "QUEUED", 0).await;
    }
    let waiting = operator.chat().await;
    assert_eq!(
        (&waiting["waiting"], &waiting["isMore"]),
        (&json!(2), &json!(false))
    );
    let since: Timestamp = waiting["waitingSince"].as_str().unwrap().parse().unwrap();
    assert!((began..began + 60_000).contains(&since.ms()));
    assert_eq!(operator.resume().await.done()["resumed"], true);
    let lifted = &operator.chat().await["pause"];
    assert_eq!(
        (&lifted["lasts"], &lifted["liftedBy"]),
        (&json!(false), &json!("operator"))
    );
    let resumed = stack.clock.now_ms();
    stack.run_until_idle().await;
    for id in &ids {
        shop.stands(id, "DONE", 1).await;
    }
    assert!(
        stack.clock.now_ms() - resumed < 60_000,
        "the resumption rings"
    );
    assert!(stack.telegram.is_revoked(&link));
    assert_eq!(operator.chat().await.get("waitingSince"), None);
    assert_eq!(operator.resume().await.done()["resumed"], false, "once");
    stack.run_until_idle().await;
}

#[tokio::test]
async fn a_pause_ends_by_itself_and_no_success_lifts_it() {
    let stack = quiet(&[]).await;
    let (shop, operator) = (stack.shop(), stack.operator());
    // Under way when the pause comes: its success must not end it.
    let late = Fault::AnswerLate(Duration::from_secs(5));
    stack.telegram.fail_mints(1, late);
    let first = shop.bought("u1", "T1").await;
    stack.run_until(|| stack.telegram.link_count() == 1).await;
    operator.pause_for(60, "audit").await.done();
    stack.clock.advance(Duration::from_secs(5));
    let second = shop.bought("u2", "T2").await;
    pass(&stack, 50).await;
    shop.link(&first).await;
    assert_eq!(shop.status(&second).await["status"], "QUEUED");
    pass(&stack, 15).await;
    stack.run_until_idle().await;
    shop.link(&second).await;
    assert_eq!(operator.chat().await["pause"]["lasts"], false);
}

#[tokio::test]
async fn a_resumption_closes_the_circuit_of_a_repaired_chat_and_ends_no_flood_wait() {
    let stack = quiet(&[]).await;
    let (shop, operator) = (stack.shop(), stack.operator());
    stack.telegram.take_rights();
    let id = shop.bought("u1", "T1").await;
    stack.run_until(|| stack.telegram.mints() >= 3).await;
    let open = until("the circuit is open", async || {
        let chat = operator.chat().await;
        let is_open = chat["bots"][0]["isOpen"] == true && chat["isDispatched"] == false;
        is_open.then_some(chat)
    })
    .await;
    assert!(open["bots"][0]["opened"].as_u64().unwrap() >= 1, "{open}");
    stack.telegram.give_rights();
    let answer = operator.resume().await.done();
    assert_eq!(
        (&answer["resumed"], &answer["chat"]["bots"][0]["isOpen"]),
        (&json!(true), &json!(false))
    );
    let next = shop.bought("u2", "T2").await;
    stack.run_until_idle().await;
    for id in [&id, &next] {
        shop.stands(id, "DONE", 1).await;
    }
    // What Telegram asked for is kept, whatever a person says.
    let limited = Fault::TooManyRequests { retry_after: 600 };
    stack.telegram.fail_mints(1, limited);
    let third = shop.bought("u3", "T3").await;
    let waits = async || {
        let bot = &operator.chat().await["bots"][0];
        bot["pausedUntil"].is_string().then_some(())
    };
    until("the wait is stored", waits).await;
    assert_eq!(operator.resume().await.done()["resumed"], false);
    waits().await.expect("the wait goes on");
    stack.run_until_idle().await;
    shop.link(&third).await;
}
