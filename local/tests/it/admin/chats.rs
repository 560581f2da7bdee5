//! The pace as operators see it, and pausing a chat by hand.

use std::time::Duration;

use serde_json::{Value, json};
use simulators::telegram::{Fault, FaultRule, Rights, Tap};

use super::{get, post, quiet};
use common::domain::time::Timestamp;
use local::harness::{TestBundle, until};

async fn chat(bundle: &TestBundle) -> Value {
    let shown = get(bundle, "chats").await;
    assert_eq!(shown.status, 200, "{}", shown.body);
    assert_eq!(shown.body["chats"][0]["chatId"], bundle.chat_id);
    shown.body["chats"][0].clone()
}

async fn pause(bundle: &TestBundle, body: Value) -> Value {
    let answer = post(bundle, &format!("chats/{}/pause", bundle.chat_id), &body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["chat"].clone()
}

async fn resume(bundle: &TestBundle) -> Value {
    let path = format!("chats/{}/resume", bundle.chat_id);
    let answer = post(bundle, &path, &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

/// Lets time pass, with the schedules of each minute.
async fn pass(bundle: &TestBundle, minutes: u64) {
    for _ in 0..minutes {
        bundle.turn_when_idle(Duration::from_secs(60)).await;
    }
}

#[tokio::test]
async fn a_pause_by_hand_holds_all_calls_without_a_try_until_somebody_resumes() {
    let bundle = quiet(&[]).await;
    let (_, link) = bundle.admitted("u0", "T0").await;
    let paused = &pause(&bundle, json!({"reason": "audit"})).await["pause"];
    assert_eq!(
        (&paused["lasts"], &paused["reason"], &paused["who"]),
        (&json!(true), &json!("audit"), &json!("operator"))
    );
    assert_eq!(paused.get("until"), None);
    let calls = bundle.telegram.calls().len();
    let began = bundle.clock.now_ms();
    let ids = [
        bundle.bought("u1", "T1").await,
        bundle.bought("u2", "T2").await,
    ];
    assert_eq!(
        bundle.tap(&link, 77),
        Tap::Joined,
        "who has a link still gets in"
    );
    pass(&bundle, 30).await;
    assert_eq!(
        bundle.telegram.calls().len(),
        calls,
        "neither a link nor a revocation"
    );
    for id in &ids {
        let status = bundle.status(id).await;
        assert_eq!(
            (&status["status"], &status["attempts"]),
            (&json!("QUEUED"), &json!(0))
        );
    }
    let waiting = chat(&bundle).await;
    assert_eq!(
        (&waiting["waiting"], &waiting["isMore"]),
        (&json!(2), &json!(false))
    );
    let since: Timestamp = waiting["waitingSince"].as_str().unwrap().parse().unwrap();
    assert!((began..began + 60_000).contains(&since.ms()));
    assert_eq!(resume(&bundle).await["resumed"], true);
    let lifted = &chat(&bundle).await["pause"];
    assert_eq!(
        (&lifted["lasts"], &lifted["liftedBy"]),
        (&json!(false), &json!("operator"))
    );
    let resumed = bundle.clock.now_ms();
    bundle.settle().await;
    for id in &ids {
        bundle.link(id).await;
        assert_eq!(bundle.status(id).await["attempts"], 1);
    }
    assert!(
        bundle.clock.now_ms() - resumed < 60_000,
        "the resumption rings"
    );
    assert!(bundle.telegram.link(&link).unwrap().revoked);
    assert_eq!(chat(&bundle).await.get("waitingSince"), None);
    assert_eq!(resume(&bundle).await["resumed"], false, "once");
    bundle.settle().await;
}

#[tokio::test]
async fn a_pause_ends_by_itself_and_no_success_lifts_it() {
    let bundle = quiet(&[]).await;
    // Under way when the pause comes: its success must not end it.
    let late = Fault::AnswerLate(Duration::from_secs(5));
    bundle
        .telegram
        .fail(FaultRule::on("createChatInviteLink", late).times(1));
    let first = bundle.bought("u1", "T1").await;
    bundle.run_until(|| bundle.telegram.link_count() == 1).await;
    pause(&bundle, json!({"reason": "audit", "untilMinutes": 60})).await;
    bundle.turn(Duration::from_secs(5));
    let second = bundle.bought("u2", "T2").await;
    pass(&bundle, 50).await;
    bundle.link(&first).await;
    assert_eq!(bundle.status(&second).await["status"], "QUEUED");
    pass(&bundle, 15).await;
    bundle.settle().await;
    bundle.link(&second).await;
    assert_eq!(chat(&bundle).await["pause"]["lasts"], false);
}

#[tokio::test]
async fn a_resumption_closes_the_circuit_of_a_repaired_chat_and_ends_no_flood_wait() {
    let bundle = quiet(&[]).await;
    bundle
        .telegram
        .make_admin(bundle.bot_id, bundle.chat_id, Rights::none());
    let id = bundle.bought("u1", "T1").await;
    bundle
        .run_until(|| bundle.telegram.count("createChatInviteLink") >= 3)
        .await;
    let open = until("the circuit is open", async || {
        let chat = chat(&bundle).await;
        let is_open = chat["bots"][0]["isOpen"] == true && chat["isDispatched"] == false;
        is_open.then_some(chat)
    })
    .await;
    assert!(open["bots"][0]["opened"].as_u64().unwrap() >= 1, "{open}");
    bundle
        .telegram
        .make_admin(bundle.bot_id, bundle.chat_id, Rights::all());
    let answer = resume(&bundle).await;
    assert_eq!(
        (&answer["resumed"], &answer["chat"]["bots"][0]["isOpen"]),
        (&json!(true), &json!(false))
    );
    let next = bundle.bought("u2", "T2").await;
    bundle.settle().await;
    for id in [&id, &next] {
        bundle.link(id).await;
        assert_eq!(bundle.status(id).await["attempts"], 1);
    }
    // What Telegram asked for is kept, whatever a person says.
    let limited = Fault::TooManyRequests { retry_after: 600 };
    bundle
        .telegram
        .fail(FaultRule::on("createChatInviteLink", limited).times(1));
    let third = bundle.bought("u3", "T3").await;
    let waits = async || {
        let bot = &chat(&bundle).await["bots"][0];
        bot["pausedUntil"].is_string().then_some(())
    };
    until("the wait is stored", waits).await;
    assert_eq!(resume(&bundle).await["resumed"], false);
    waits().await.expect("the wait goes on");
    bundle.settle().await;
    bundle.link(&third).await;
}
