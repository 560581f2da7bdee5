//! Retrying, and telling again.

use futures_util::future::join_all;
use local::harness::{HOUR, JOINED, LINK_CREATED};
use serde_json::json;
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::Fault;

use super::{failed, pending, quiet};

#[tokio::test]
async fn a_failed_request_is_retried_and_gets_its_link() {
    let stack = quiet(&[]).await;
    let operator = stack.operator();
    let id = failed(&stack, "u1", "T1").await;
    assert_eq!(pending(&stack).await, 0, "what is given up has no event");
    let answer = operator.retry(&id).await.done();
    assert_eq!(
        (&answer["repeated"], &answer["invite"]["status"]),
        (&json!(false), &json!("QUEUED"))
    );
    assert_eq!(answer["invite"]["attempts"], 0);
    assert_eq!(answer["invite"].get("error"), None);
    stack.run_until_idle().await;
    let link = stack.shop().link(&id).await;
    let view = operator.invite(&id).await;
    assert_eq!(view["history"][0]["action"], "retry");
    let detail = view["history"][0]["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("FAILED after 5 tries: Telegram refused"),
        "{detail}"
    );
    assert_eq!(
        (&view["attempts"], view.get("pendingSince")),
        (&json!(1), None)
    );
    assert_eq!(stack.webengage.delivered(LINK_CREATED), [link]);
    let again = operator.retry(&id).await;
    assert_eq!(again.refusal(), (409, "already_done"));
    assert_eq!(
        operator.history(&id).await,
        ["operator: retry"],
        "a refusal is no action"
    );
}

#[tokio::test]
async fn a_retry_without_a_bell_is_found_by_the_tick() {
    let stack = quiet(&[]).await;
    let (shop, operator) = (stack.shop(), stack.operator());
    let id = failed(&stack, "u1", "T1").await;
    stack.pause_schedule();
    stack.queues_are_down();
    let answer = operator.retry(&id).await.done();
    assert_eq!(answer["repeated"], false);
    assert_eq!(shop.status(&id).await["status"], "QUEUED");
    stack.functions().tick().await;
    shop.link(&id).await;
    stack.aws().wire().clear_faults();
    stack.clock.advance(HOUR * 2);
    assert_eq!(stack.functions().sweep().await["events"], 1);
    stack.run_until_idle().await;
    assert_eq!(operator.history(&id).await, ["operator: retry"]);
}

#[tokio::test]
async fn a_retry_whose_answer_was_lost_is_in_the_history_once() {
    let stack = quiet(&[]).await;
    let operator = stack.operator();
    let id = failed(&stack, "u1", "T1").await;
    let rule = FaultRule::new(WireFault::ResetAfter).on(Service::DynamoDb, "TransactWriteItems");
    let hits = stack.aws().wire().fail(rule);
    let answer = operator.retry(&id).await.done();
    assert_eq!((hits.count(), &answer["repeated"]), (1, &json!(false)));
    stack.run_until_idle().await;
    stack.shop().link(&id).await;
    assert_eq!(operator.history(&id).await, ["operator: retry"]);
}

#[tokio::test]
async fn who_waits_after_a_failure_is_due_at_once_by_a_retry() {
    let stack = quiet(&[("BASE_BACKOFF_SEC", "600")]).await;
    let (shop, operator) = (stack.shop(), stack.operator());
    stack.telegram.fail_mints(2, Fault::Internal);
    let id = shop.bought("u1", "T1").await;
    stack.run_until(|| stack.telegram.mints() == 1).await;
    shop.until(&id, "the try is noted", |status| {
        status["status"] == "PROCESSING"
    })
    .await;
    let began = stack.clock.now_ms();
    let answer = operator.retry(&id).await.done();
    assert_eq!(answer["repeated"], true);
    stack.run_until(|| stack.telegram.mints() == 2).await;
    assert!(stack.clock.now_ms() - began < 120_000, "at once");
    stack.run_until_idle().await;
    shop.link(&id).await;
    assert_eq!(operator.history(&id).await, ["operator: retry"]);
}

#[tokio::test]
async fn twenty_operators_at_once_have_one_request_made_once() {
    let stack = quiet(&[]).await;
    let operator = stack.operator();
    let id = failed(&stack, "u1", "T1").await;
    let before = stack.telegram.link_count();
    let calls = (0..20).map(|_| operator.retry(&id));
    let answers = join_all(calls).await;
    let done = answers.iter().filter(|answer| answer.status == 200).count();
    assert!(done >= 1, "{answers:?}");
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        assert!(
            ["already_done", "unavailable"].contains(&refused.code()),
            "{refused:?}"
        );
    }
    stack.run_until_idle().await;
    stack.shop().link(&id).await;
    assert_eq!(stack.telegram.link_count(), before + 1);
    assert_eq!(operator.history(&id).await.len(), done);
}

#[tokio::test]
async fn a_fact_is_told_again_and_webengage_counts_it_once_within_four_hours() {
    let stack = quiet(&[]).await;
    let operator = stack.operator();
    let (id, link) = stack.admitted("u1", "T1").await;
    let answer = operator.resend_event(&id, "joined").await;
    assert_eq!(answer.refusal(), (409, "no_such_event"));

    let attempts = stack.webengage.attempt_count();
    let answer = operator.resend_event(&id, "link_created").await.done();
    assert!(answer["note"].as_str().unwrap().contains("4 hours"));
    assert_eq!(answer["invite"]["events"]["linkCreated"]["fired"], false);
    stack.run_until_idle().await;
    assert_eq!(stack.webengage.attempt_count(), attempts + 1);
    assert_eq!(stack.webengage.delivered(LINK_CREATED), [link.as_str()]);
    stack.clock.advance(HOUR * 5);
    operator.resend_event(&id, "link_created").await.done();
    stack.run_until_idle().await;
    assert_eq!(
        stack.webengage.delivered(LINK_CREATED),
        [link.clone(), link.clone()]
    );

    stack.customer(77).join_by(&link);
    stack.run_until_idle().await;
    stack.clock.advance(HOUR * 5);
    operator.resend_event(&id, "joined").await.done();
    stack.run_until_idle().await;
    assert_eq!(stack.webengage.delivered(JOINED), [link.clone(), link]);
    let view = operator.invite(&id).await;
    let history = operator.history(&id).await;
    assert_eq!(history, ["operator: resend_event"; 3]);
    assert_eq!(view["history"][2]["detail"], "joined");
    assert_eq!(view.get("pendingSince"), None);
    assert_eq!(pending(&stack).await, 0);
}

#[tokio::test]
async fn a_telling_that_died_before_its_message_is_swept() {
    let stack = quiet(&[]).await;
    let (id, link) = stack.admitted("u1", "T1").await;
    stack.clock.advance(HOUR * 5);
    stack.queues_are_down();
    let answer = stack.operator().resend_event(&id, "link_created").await;
    assert_eq!(answer.status, 503);
    stack.aws().wire().clear_faults();
    stack.clock.advance(HOUR * 2);
    assert_eq!(stack.functions().sweep().await["events"], 1);
    stack.run_until_idle().await;
    assert_eq!(
        stack.webengage.delivered(LINK_CREATED),
        [link.clone(), link]
    );
    assert_eq!(stack.shop().status(&id).await["linkEventFired"], true);
}

#[tokio::test]
async fn a_history_keeps_its_newest_fifty_lines() {
    let stack = quiet(&[]).await;
    let operator = stack.operator();
    let (id, _) = stack.admitted("u1", "T1").await;
    for _ in 0..55 {
        operator.resend_event(&id, "link_created").await.done();
    }
    stack.run_until_idle().await;
    assert_eq!(operator.history(&id).await.len(), 50);
    assert_eq!(stack.shop().status(&id).await["linkEventFired"], true);
}

#[tokio::test]
async fn an_event_that_cannot_be_delivered_is_given_up_with_the_reason_and_may_come_back() {
    let stack = quiet(&[]).await;
    let (shop, operator) = (stack.shop(), stack.operator());
    stack.webengage.outage();
    let id = shop.bought("u1", "T1").await;
    stack
        .run_until(|| stack.webengage.attempt_count() > 0)
        .await;
    let give_up = || operator.give_up_event(&id, "link_created", "the account is closed");
    let link = shop.link(&id).await;
    assert_eq!(pending(&stack).await, 1);
    let answer = operator.give_up_event(&id, "joined", "r").await;
    assert_eq!(answer.refusal(), (409, "no_such_event"));
    for wrong in [
        json!({"event": "link_created"}),
        json!({"event": "link_created", "reason": " "}),
        json!({"event": "link_created", "reason": "x".repeat(181)}),
        json!({"event": "x", "reason": "r"}),
    ] {
        let answer = operator.act(&id, "give-up-event", wrong).await;
        assert_eq!(answer.refusal(), (400, "invalid_parameter"));
    }
    let answer = give_up().await.done();
    let event = &answer["invite"]["events"]["linkCreated"];
    assert_eq!(
        (&answer["repeated"], &event["givenUp"], &event["fired"]),
        (&json!(false), &json!(true), &json!(false))
    );
    assert_eq!(pending(&stack).await, 0);
    // Its message is dropped when it is met, though WebEngage would take it by now.
    stack.webengage.recover();
    let attempts = stack.webengage.attempt_count();
    stack.run_until_idle().await;
    assert_eq!(stack.webengage.attempt_count(), attempts);
    stack.clock.advance(HOUR * 30);
    assert_eq!(stack.functions().sweep().await["events"], 0);
    let answer = give_up().await.done();
    assert_eq!(answer["repeated"], true);
    let shown = operator.invite(&id).await;
    let history = operator.history(&id).await;
    assert_eq!(
        history,
        ["operator: give_up_event"],
        "a repeat is no action"
    );
    assert_eq!(
        shown["history"][0]["detail"],
        "link_created: the account is closed"
    );
    // The other event of the request goes on, and the last of both leaves nothing pending.
    stack.customer(77).join_by(&link);
    stack.run_until_idle().await;
    assert_eq!(stack.webengage.delivered(JOINED), [link.as_str()]);
    assert_eq!(pending(&stack).await, 0);
    // Who thinks better of it sends it again.
    operator.resend_event(&id, "link_created").await.done();
    stack.run_until_idle().await;
    assert_eq!(stack.webengage.delivered(LINK_CREATED), [link]);
    let event = &operator.invite(&id).await["events"]["linkCreated"];
    assert_eq!(
        (&event["givenUp"], &event["fired"]),
        (&json!(false), &json!(true))
    );
    let answer = give_up().await;
    assert_eq!(answer.refusal(), (409, "already_delivered"));
}

#[tokio::test]
async fn one_of_two_events_given_up_leaves_the_other_one_pending() {
    let stack = quiet(&[]).await;
    let (shop, operator) = (stack.shop(), stack.operator());
    stack.webengage.outage();
    let id = shop.bought("u1", "T1").await;
    stack
        .run_until(|| stack.webengage.attempt_count() > 0)
        .await;
    let link = shop.link(&id).await;
    stack.customer(77).join_by(&link);
    shop.until(&id, "the join is recorded", |status| {
        status["joined"] == true
    })
    .await;
    let rule = FaultRule::new(WireFault::ResetAfter).on(Service::DynamoDb, "TransactWriteItems");
    let hits = stack.aws().wire().fail(rule);
    operator
        .give_up_event(&id, "link_created", "closed")
        .await
        .done();
    assert_eq!(hits.count(), 1);
    assert_eq!(pending(&stack).await, 1, "of the join");
    operator.give_up_event(&id, "joined", "closed").await.done();
    assert_eq!(pending(&stack).await, 0);
    stack.webengage.recover();
    stack.run_until_idle().await;
    assert!(stack.webengage.ingested().is_empty());
    assert_eq!(operator.history(&id).await, ["operator: give_up_event"; 2]);
}
