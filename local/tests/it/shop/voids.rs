//! A seat that is taken back: its link dies, whatever was under way, and who was faster is recorded.

use std::time::Duration;

use local::harness::{HOUR, JOINED, TestStack};
use serde_json::json;
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::{Fault, Tap};

#[tokio::test]
async fn a_voided_request_has_no_link_and_no_seat_and_stays_as_it_was() {
    let stack = TestStack::start().await;
    let (shop, operator) = (stack.shop(), stack.operator());
    let (id, link) = stack.admitted("u1", "T1").await;
    let rule = FaultRule::new(WireFault::ResetAfter).on(Service::DynamoDb, "TransactWriteItems");
    let hits = stack.aws().wire().fail(rule);
    let voided = shop.void(&id).await.done();
    assert_eq!(hits.count(), 1);
    assert!(voided["voidedAt"].is_string());
    assert_eq!(
        (
            &voided["status"],
            voided.get("inviteLink"),
            voided.get("linkExpiresAt")
        ),
        (&json!("DONE"), None, None)
    );
    stack.run_until_idle().await;
    assert!(stack.telegram.is_revoked(&link));
    assert_eq!(stack.customer(77).tap(&link), Tap::Revoked);
    stack.advance_when_idle(HOUR).await;
    assert_eq!(
        shop.void(&id).await.done(),
        voided,
        "a repeat changes nothing"
    );
    assert_eq!(shop.status(&id).await, voided);
    let repeat = shop.buy("u1", "T1").await;
    assert_eq!(
        (
            repeat.status,
            &repeat.body["status"],
            &repeat.body["voidedAt"]
        ),
        (200, &json!("done"), &voided["voidedAt"])
    );
    assert_eq!(repeat.body.get("inviteLink"), None);
    stack.advance_when_idle(HOUR * 60).await;
    assert_eq!(shop.buy("u1", "T1").await.body.get("reissued"), None);
    let answer = shop.reissue(&id).await;
    assert_eq!(answer.refusal(), (409, "voided"));
    assert_eq!(operator.history(&id).await, ["shop: void"]);
    let shown = operator.invite(&id).await;
    assert_eq!(
        (&shown["voidedAt"], shown.get("link")),
        (&voided["voidedAt"], None)
    );
    stack.run_until_idle().await;
    assert_eq!(stack.telegram.link_count(), 1);
}

#[tokio::test]
async fn who_waits_is_voided_and_no_link_is_handed_out() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    stack.pause_schedule();
    stack.queues_are_down();
    let id = shop.bought("u1", "T1").await;
    let voided = shop.void(&id).await.done();
    assert_eq!(voided["status"], "QUEUED");
    stack.aws().wire().clear_faults();
    stack.functions().tick().await;
    stack.run_until_idle().await;
    assert_eq!(stack.telegram.link_count(), 0);
    assert!(stack.tasks().await.is_empty(), "its task is dropped");
    let status = shop.status(&id).await;
    assert_eq!(
        (&status["status"], &status["voidedAt"]),
        (&json!("QUEUED"), &voided["voidedAt"])
    );
    assert!(stack.webengage.ingested().is_empty());
}

#[tokio::test]
async fn a_link_that_is_being_made_when_its_request_is_voided_is_revoked() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    let late = Fault::AnswerLate(Duration::from_secs(10));
    stack.telegram.fail_mints(1, late);
    let id = shop.bought("u1", "T1").await;
    stack.run_until(|| stack.telegram.link_count() == 1).await;
    shop.void(&id).await.done();
    stack.run_until_idle().await;
    assert!(stack.telegram.links_alive().is_empty());
    let status = shop.status(&id).await;
    assert_eq!(
        (&status["status"], status.get("inviteLink")),
        (&json!("QUEUED"), None)
    );
    assert!(stack.webengage.ingested().is_empty());
    assert!(stack.tasks().await.is_empty());
}

#[tokio::test]
async fn a_link_that_is_being_replaced_is_revoked_by_a_void_too() {
    let stack = TestStack::start().await;
    let (shop, operator) = (stack.shop(), stack.operator());
    let (id, old) = stack.admitted("u1", "T1").await;
    stack.pause_schedule();
    stack.queues_are_down();
    shop.reissue(&id).await.done();
    shop.void(&id).await.done();
    stack.aws().wire().clear_faults();
    stack.functions().tick().await;
    stack.run_until_idle().await;
    assert!(stack.telegram.is_revoked(&old));
    assert_eq!(stack.telegram.link_count(), 1);
    assert!(stack.tasks().await.is_empty());
    assert_eq!(operator.history(&id).await, ["shop: reissue", "shop: void"]);
    assert_eq!(operator.invite(&id).await.get("replaced"), None);
}

#[tokio::test]
async fn the_event_of_a_voided_link_is_not_delivered_and_nothing_is_pending() {
    let stack = TestStack::start().await;
    let (shop, operator) = (stack.shop(), stack.operator());
    stack.webengage.outage();
    let id = shop.bought("u1", "T1").await;
    stack
        .run_until(|| stack.webengage.attempt_count() > 0)
        .await;
    shop.void(&id).await.done();
    assert_eq!(operator.invite(&id).await.get("pendingSince"), None);
    stack.webengage.recover();
    stack.run_until_idle().await;
    assert!(stack.webengage.ingested().is_empty());
    assert_eq!(operator.invite(&id).await.get("pendingSince"), None);
}

#[tokio::test]
async fn what_was_given_up_is_voided_and_not_retried() {
    let stack = TestStack::with(&[("MAX_ATTEMPTS", "1")]).await;
    let (shop, operator) = (stack.shop(), stack.operator());
    stack.telegram.fail_mints(1, Fault::Internal);
    let id = shop.bought("u1", "T1").await;
    stack.run_until_idle().await;
    assert_eq!(shop.status(&id).await["status"], "FAILED");
    shop.void(&id).await.done();
    assert_eq!(shop.status(&id).await["status"], "FAILED");
    let answer = operator.retry(&id).await;
    assert_eq!(answer.refusal(), (409, "voided"));
    let all = operator.retry_all().await.done();
    assert_eq!((&all["retried"], &all["left"]), (&json!(0), &json!(0)));
    stack.run_until_idle().await;
    assert_eq!(stack.telegram.link_count(), 0);
}

#[tokio::test]
async fn who_was_faster_than_the_void_is_recorded_and_a_void_after_a_join_is_refused() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    let (id, link) = stack.admitted("u1", "T1").await;
    stack.pause_schedule();
    stack.queues_are_down();
    shop.void(&id).await.done();
    stack.aws().wire().clear_faults();
    // The link is revoked by the next tick only.
    stack.customer(77).join_by(&link);
    shop.until(&id, "the join is recorded", |status| {
        status["joined"] == true
    })
    .await;
    stack.functions().tick().await;
    stack.run_until_idle().await;
    let status = shop.status(&id).await;
    assert_eq!(
        (&status["telegramUserId"], status.get("inviteLink")),
        (&json!(77), None)
    );
    assert!(status["voidedAt"].is_string());
    assert_eq!(stack.webengage.delivered(JOINED), [link]);
    assert_eq!(shop.void(&id).await.status, 200, "it is voided");

    let (id, link) = stack.admitted("u2", "T2").await;
    stack.customer(78).join_by(&link);
    stack.run_until_idle().await;
    for action in ["void", "reissue"] {
        let answer = shop.act(&id, action, "").await;
        assert_eq!(answer.refusal(), (409, "already_joined"));
        let sentence = answer.body["error"].as_str().unwrap();
        assert!(
            sentence.contains("remove that person from the chat"),
            "{sentence}"
        );
    }
    // What the sentence says is what helps.
    stack.customer(78).leave();
    shop.until(&id, "the leave is recorded", |status| {
        status["leftAt"].is_string()
    })
    .await;
    let voided = shop.void(&id).await.done();
    assert_eq!(
        (&voided["joined"], voided["voidedAt"].is_string()),
        (&json!(true), true)
    );
    stack.run_until_idle().await;
    assert!(stack.telegram.links_alive().is_empty());
}
