//! Dead letters: what lies there, and back to where it came from.

use futures_util::future::join_all;
use serde_json::json;
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::webengage::Mode;

use super::quiet;

#[tokio::test]
async fn dead_letters_are_shown_without_what_they_hold_and_sent_back() {
    let mut stack = quiet(&[]).await;
    let (shop, operator) = (stack.shop(), stack.operator());
    stack.leaves_something();
    let (id, link) = stack.admitted("u1", "T1").await;
    let poison = format!(r#"{{"kind": "mint", "inviteLink": "{link}""#);
    stack.send_raw("InviteQueue", &poison).await;
    stack.webengage.set_mode(Mode::Unauthorized);
    let second = shop.bought("u2", "T2").await;
    stack.run_until_idle().await;
    let shown = operator.dead_letters().await;
    assert_eq!(shown.status, 200, "{}", shown.body);
    let (invites, events) = (
        &shown.body["queues"]["invites"],
        &shown.body["queues"]["events"],
    );
    assert_eq!(
        (&invites["count"], &events["count"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(invites["messages"][0]["kind"], "unreadable");
    assert_eq!(invites["messages"][0]["bytes"], poison.len());
    assert_eq!(events["messages"][0]["kind"], "event");
    assert_eq!(events["messages"][0]["requestId"], second);
    assert_eq!(
        (&invites["tasks"], &events["tasks"]),
        (&json!([]), &json!([]))
    );
    assert!(
        !shown.body.to_string().contains("t.me"),
        "no link: {}",
        shown.body
    );
    assert_ne!(id, second);

    // Looking changes nothing, however often.
    for _ in 0..3 {
        let again = operator.dead_letters().await;
        assert_eq!(
            again.body["queues"]["events"]["messages"][0]["requestId"],
            second
        );
    }
    stack.webengage.recover();
    let answer = operator.redrive("events").await;
    assert_eq!(
        (answer.status, &answer.body["result"]),
        (200, &json!("started")),
        "{}",
        answer.body
    );
    stack
        .run_until(|| stack.depth("EventDeadLetterQueue") == 0)
        .await;
    stack.run_until_idle().await;
    assert_eq!(shop.status(&second).await["linkEventFired"], true);
    assert_eq!(
        stack.depth("InviteDeadLetterQueue"),
        1,
        "the other queue is left alone"
    );
    let shown = operator.dead_letters().await.body;
    let task = &shown["queues"]["events"]["tasks"][0];
    assert_eq!(
        (&task["status"], &task["moved"]),
        (&json!("COMPLETED"), &json!(1))
    );
}

#[tokio::test]
async fn a_redrive_that_is_under_way_is_no_error() {
    let mut stack = quiet(&[]).await;
    let operator = stack.operator();
    stack.leaves_something();
    let poison = (0..20).map(|_| stack.send_raw("EventQueue", "[]"));
    join_all(poison).await;
    stack.run_until_idle().await;
    assert_eq!(stack.depth("EventDeadLetterQueue"), 20);
    // One a second, so that it is under way for a while.
    let sqs = stack.sqs();
    let arn = "arn:aws:sqs:us-east-1:000000000000:EventDeadLetterQueue";
    let slow = sqs.start_message_move_task().source_arn(arn);
    slow.max_number_of_messages_per_second(1)
        .send()
        .await
        .unwrap();
    for _ in 0..2 {
        let answer = operator.redrive("events").await;
        assert_eq!(
            (answer.status, &answer.body["result"]),
            (200, &json!("running")),
            "{}",
            answer.body
        );
        assert_eq!(answer.body["task"]["status"], "RUNNING");
    }
    let shown = operator.dead_letters().await.body;
    assert_eq!(shown["queues"]["events"]["tasks"][0]["status"], "RUNNING");
    assert!(
        shown["queues"]["events"]["messages"]
            .as_array()
            .unwrap()
            .len()
            <= 10
    );
}

#[tokio::test]
async fn while_sqs_is_down_the_operator_hears_it() {
    let stack = quiet(&[]).await;
    let operator = stack.operator();
    let rule = FaultRule::new(WireFault::InternalError).on(Service::Sqs, "GetQueueAttributes");
    stack.aws().wire().fail(rule.always());
    let shown = operator.dead_letters().await;
    assert_eq!(shown.refusal(), (503, "unavailable"));
    let answer = operator.redrive("invites").await;
    assert_eq!(answer.refusal(), (503, "unavailable"));
    assert!(answer.retry_after.is_some());
}
