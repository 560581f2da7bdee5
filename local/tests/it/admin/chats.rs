//! The pace as operators see it, and pausing a chat by hand.

use std::time::Duration;

use serde_json::{Value, json};
use simulators::telegram::{Fault, FaultRule, Rights, Tap};

use super::{get, post, quiet};
use domain::time::Timestamp;
use local::harness::{TestStack, until};

async fn chat(stack: &TestStack) -> Value {
    let shown = get(stack, "chats").await;
    assert_eq!(shown.status, 200, "{}", shown.body);
    assert_eq!(shown.body["chats"][0]["chatId"], stack.chat_id);
    shown.body["chats"][0].clone()
}

async fn pause(stack: &TestStack, body: Value) -> Value {
    let answer = post(stack, &format!("chats/{}/pause", stack.chat_id), &body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["chat"].clone()
}

async fn resume(stack: &TestStack) -> Value {
    let path = format!("chats/{}/resume", stack.chat_id);
    let answer = post(stack, &path, &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

/// Lets time pass, with the schedules of each minute.
async fn pass(stack: &TestStack, minutes: u64) {
    for _ in 0..minutes {
        stack.advance_when_idle(Duration::from_secs(60)).await;
    }
}

#[tokio::test]
async fn a_pause_by_hand_holds_all_calls_without_a_try_until_somebody_resumes() {
    let stack = quiet(&[]).await;
    let (_, link) = stack.admitted("u0", "T0").await;
    let paused = &pause(&stack, json!({"reason": "audit"})).await["pause"];
    assert_eq!(
        (&paused["lasts"], &paused["reason"], &paused["who"]),
        (&json!(true), &json!("audit"), &json!("operator"))
    );
    assert_eq!(paused.get("until"), None);
    let calls = stack.telegram.calls().len();
    let began = stack.clock.now_ms();
    let ids = [
        stack.bought("u1", "T1").await,
        stack.bought("u2", "T2").await,
    ];
    assert_eq!(
        stack.tap(&link, 77),
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
        let status = stack.status(id).await;
        assert_eq!(
            (&status["status"], &status["attempts"]),
            (&json!("QUEUED"), &json!(0))
        );
    }
    let waiting = chat(&stack).await;
    assert_eq!(
        (&waiting["waiting"], &waiting["isMore"]),
        (&json!(2), &json!(false))
    );
    let since: Timestamp = waiting["waitingSince"].as_str().unwrap().parse().unwrap();
    assert!((began..began + 60_000).contains(&since.ms()));
    assert_eq!(resume(&stack).await["resumed"], true);
    let lifted = &chat(&stack).await["pause"];
    assert_eq!(
        (&lifted["lasts"], &lifted["liftedBy"]),
        (&json!(false), &json!("operator"))
    );
    let resumed = stack.clock.now_ms();
    stack.run_until_idle().await;
    for id in &ids {
        stack.link(id).await;
        assert_eq!(stack.status(id).await["attempts"], 1);
    }
    assert!(
        stack.clock.now_ms() - resumed < 60_000,
        "the resumption rings"
    );
    assert!(stack.telegram.link(&link).unwrap().revoked);
    assert_eq!(chat(&stack).await.get("waitingSince"), None);
    assert_eq!(resume(&stack).await["resumed"], false, "once");
    stack.run_until_idle().await;
}

#[tokio::test]
async fn a_pause_ends_by_itself_and_no_success_lifts_it() {
    let stack = quiet(&[]).await;
    // Under way when the pause comes: its success must not end it.
    let late = Fault::AnswerLate(Duration::from_secs(5));
    stack
        .telegram
        .fail(FaultRule::on("createChatInviteLink", late).times(1));
    let first = stack.bought("u1", "T1").await;
    stack.run_until(|| stack.telegram.link_count() == 1).await;
    pause(&stack, json!({"reason": "audit", "untilMinutes": 60})).await;
    stack.advance(Duration::from_secs(5));
    let second = stack.bought("u2", "T2").await;
    pass(&stack, 50).await;
    stack.link(&first).await;
    assert_eq!(stack.status(&second).await["status"], "QUEUED");
    pass(&stack, 15).await;
    stack.run_until_idle().await;
    stack.link(&second).await;
    assert_eq!(chat(&stack).await["pause"]["lasts"], false);
}

#[tokio::test]
async fn a_resumption_closes_the_circuit_of_a_repaired_chat_and_ends_no_flood_wait() {
    let stack = quiet(&[]).await;
    stack
        .telegram
        .make_admin(stack.bot_id, stack.chat_id, Rights::none());
    let id = stack.bought("u1", "T1").await;
    stack
        .run_until(|| stack.telegram.count("createChatInviteLink") >= 3)
        .await;
    let open = until("the circuit is open", async || {
        let chat = chat(&stack).await;
        let is_open = chat["bots"][0]["isOpen"] == true && chat["isDispatched"] == false;
        is_open.then_some(chat)
    })
    .await;
    assert!(open["bots"][0]["opened"].as_u64().unwrap() >= 1, "{open}");
    stack
        .telegram
        .make_admin(stack.bot_id, stack.chat_id, Rights::all());
    let answer = resume(&stack).await;
    assert_eq!(
        (&answer["resumed"], &answer["chat"]["bots"][0]["isOpen"]),
        (&json!(true), &json!(false))
    );
    let next = stack.bought("u2", "T2").await;
    stack.run_until_idle().await;
    for id in [&id, &next] {
        stack.link(id).await;
        assert_eq!(stack.status(id).await["attempts"], 1);
    }
    // What Telegram asked for is kept, whatever a person says.
    let limited = Fault::TooManyRequests { retry_after: 600 };
    stack
        .telegram
        .fail(FaultRule::on("createChatInviteLink", limited).times(1));
    let third = stack.bought("u3", "T3").await;
    let waits = async || {
        let bot = &chat(&stack).await["bots"][0];
        bot["pausedUntil"].is_string().then_some(())
    };
    until("the wait is stored", waits).await;
    assert_eq!(resume(&stack).await["resumed"], false);
    waits().await.expect("the wait goes on");
    stack.run_until_idle().await;
    stack.link(&third).await;
}
