//! A seat that is taken back: its link dies, whatever was under way, and who was faster is recorded.

use std::time::Duration;

use local::harness::{TestStack, until};
use serde_json::json;
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::{Fault, Tap};
use simulators::webengage::Mode;

use super::{HOUR, JOINED, act, acted, alive, history, links_told, queues_are_down, story};

#[tokio::test]
async fn a_voided_request_has_no_link_and_no_seat_and_stays_as_it_was() {
    let stack = TestStack::start().await;
    let (id, link) = stack.admitted("u1", "T1").await;
    let rule = FaultRule::new(WireFault::ResetAfter).on(Service::DynamoDb, "TransactWriteItems");
    let hits = stack.aws().wire().fail(rule);
    let voided = acted(&stack, &id, "void").await;
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
    assert!(stack.telegram.link(&link).unwrap().revoked);
    assert_eq!(stack.tap(&link, 77), Tap::Revoked);
    stack.advance_when_idle(HOUR).await;
    assert_eq!(
        acted(&stack, &id, "void").await,
        voided,
        "a repeat changes nothing"
    );
    assert_eq!(stack.status(&id).await, voided);
    let repeat = stack.buy("u1", "T1").await;
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
    assert_eq!(stack.buy("u1", "T1").await.body.get("reissued"), None);
    let answer = act(&stack, &id, "reissue", "").await;
    assert_eq!((answer.status, answer.code()), (409, "voided"));
    assert_eq!(history(&stack, &id).await, ["void"]);
    let shown = story(&stack, &id).await;
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
    stack.pause_schedule();
    queues_are_down(&stack);
    let id = stack.bought("u1", "T1").await;
    let voided = acted(&stack, &id, "void").await;
    assert_eq!(voided["status"], "QUEUED");
    stack.aws().wire().clear_faults();
    stack.functions().tick().await;
    stack.run_until_idle().await;
    assert_eq!(stack.telegram.link_count(), 0);
    assert!(stack.tasks().await.is_empty(), "its task is dropped");
    let status = stack.status(&id).await;
    assert_eq!(
        (&status["status"], &status["voidedAt"]),
        (&json!("QUEUED"), &voided["voidedAt"])
    );
    assert!(stack.webengage.ingested().is_empty());
}

#[tokio::test]
async fn a_link_that_is_being_made_when_its_request_is_voided_is_revoked() {
    let stack = TestStack::start().await;
    let late = Fault::AnswerLate(Duration::from_secs(10));
    stack
        .telegram
        .fail(simulators::telegram::FaultRule::on("createChatInviteLink", late).times(1));
    let id = stack.bought("u1", "T1").await;
    stack.run_until(|| stack.telegram.link_count() == 1).await;
    acted(&stack, &id, "void").await;
    stack.run_until_idle().await;
    assert!(alive(&stack).is_empty());
    let status = stack.status(&id).await;
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
    let (id, old) = stack.admitted("u1", "T1").await;
    stack.pause_schedule();
    queues_are_down(&stack);
    acted(&stack, &id, "reissue").await;
    acted(&stack, &id, "void").await;
    stack.aws().wire().clear_faults();
    stack.functions().tick().await;
    stack.run_until_idle().await;
    assert!(stack.telegram.link(&old).unwrap().revoked);
    assert_eq!(stack.telegram.link_count(), 1);
    assert!(stack.tasks().await.is_empty());
    assert_eq!(history(&stack, &id).await, ["reissue", "void"]);
    assert_eq!(story(&stack, &id).await.get("replaced"), None);
}

#[tokio::test]
async fn the_event_of_a_voided_link_is_not_delivered_and_nothing_is_pending() {
    let stack = TestStack::start().await;
    stack.webengage.set_mode(Mode::Down);
    let id = stack.bought("u1", "T1").await;
    stack
        .run_until(|| stack.webengage.attempt_count() > 0)
        .await;
    acted(&stack, &id, "void").await;
    assert_eq!(story(&stack, &id).await.get("pendingSince"), None);
    stack.webengage.mend();
    stack.run_until_idle().await;
    assert!(stack.webengage.ingested().is_empty());
    assert_eq!(story(&stack, &id).await.get("pendingSince"), None);
}

#[tokio::test]
async fn what_was_given_up_is_voided_and_not_retried() {
    let stack = TestStack::with(&[("MAX_ATTEMPTS", "1")]).await;
    let fault = simulators::telegram::FaultRule::on("createChatInviteLink", Fault::Internal);
    stack.telegram.fail(fault.times(1));
    let id = stack.bought("u1", "T1").await;
    stack.run_until_idle().await;
    assert_eq!(stack.status(&id).await["status"], "FAILED");
    acted(&stack, &id, "void").await;
    assert_eq!(stack.status(&id).await["status"], "FAILED");
    let key = [("x-admin-key", stack.local.admin_key())];
    let path = format!("/v1/admin/invites/{id}/retry");
    let answer = stack.post(&path, "", &key).await;
    assert_eq!((answer.status, answer.code()), (409, "voided"));
    let all = stack.post("/v1/admin/invites/retry-all", "", &key).await;
    assert_eq!(
        (&all.body["retried"], &all.body["left"]),
        (&json!(0), &json!(0))
    );
    stack.run_until_idle().await;
    assert_eq!(stack.telegram.link_count(), 0);
}

#[tokio::test]
async fn who_was_faster_than_the_void_is_recorded_and_a_void_after_a_join_is_refused() {
    let stack = TestStack::start().await;
    let (id, link) = stack.admitted("u1", "T1").await;
    stack.pause_schedule();
    queues_are_down(&stack);
    acted(&stack, &id, "void").await;
    stack.aws().wire().clear_faults();
    // The link is revoked by the next tick only.
    assert_eq!(stack.tap(&link, 77), Tap::Joined);
    until("the join is recorded", async || {
        (stack.status(&id).await["joined"] == true).then_some(())
    })
    .await;
    stack.functions().tick().await;
    stack.run_until_idle().await;
    let status = stack.status(&id).await;
    assert_eq!(
        (&status["telegramUserId"], status.get("inviteLink")),
        (&json!(77), None)
    );
    assert!(status["voidedAt"].is_string());
    assert_eq!(links_told(&stack, JOINED), [link]);
    assert_eq!(
        act(&stack, &id, "void", "").await.status,
        200,
        "it is voided"
    );

    let (id, link) = stack.admitted("u2", "T2").await;
    assert_eq!(stack.tap(&link, 78), Tap::Joined);
    stack.run_until_idle().await;
    for action in ["void", "reissue"] {
        let answer = act(&stack, &id, action, "").await;
        assert_eq!((answer.status, answer.code()), (409, "already_joined"));
        let sentence = answer.body["error"].as_str().unwrap();
        assert!(
            sentence.contains("remove that person from the chat"),
            "{sentence}"
        );
    }
    // What the sentence says is what helps.
    stack.telegram.leave(stack.chat_id, 78);
    until("the leave is recorded", async || {
        (stack.status(&id).await["leftAt"].is_string()).then_some(())
    })
    .await;
    let voided = acted(&stack, &id, "void").await;
    assert_eq!(
        (&voided["joined"], voided["voidedAt"].is_string()),
        (&json!(true), true)
    );
    stack.run_until_idle().await;
    assert!(alive(&stack).is_empty());
}
