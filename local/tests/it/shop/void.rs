//! A seat that is taken back: its link dies, whatever was under way, and who was faster is recorded.

use std::time::Duration;

use local::harness::{TestBundle, until};
use serde_json::json;
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::{Fault, Tap};
use simulators::webengage::Mode;

use super::{HOUR, JOINED, act, acted, alive, history, links_told, queues_are_down, story};

#[tokio::test]
async fn a_voided_request_has_no_link_and_no_seat_and_stays_as_it_was() {
    let bundle = TestBundle::start().await;
    let (id, link) = bundle.admitted("u1", "T1").await;
    let rule = FaultRule::new(WireFault::ResetAfter).on(Service::DynamoDb, "TransactWriteItems");
    let hits = bundle.aws().wire().fail(rule);
    let voided = acted(&bundle, &id, "void").await;
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
    bundle.settle().await;
    assert!(bundle.telegram.link(&link).unwrap().revoked);
    assert_eq!(bundle.tap(&link, 77), Tap::Revoked);
    bundle.turn_when_idle(HOUR).await;
    assert_eq!(
        acted(&bundle, &id, "void").await,
        voided,
        "a repeat changes nothing"
    );
    assert_eq!(bundle.status(&id).await, voided);
    let repeat = bundle.buy("u1", "T1").await;
    assert_eq!(
        (
            repeat.status,
            &repeat.body["status"],
            &repeat.body["voidedAt"]
        ),
        (200, &json!("done"), &voided["voidedAt"])
    );
    assert_eq!(repeat.body.get("inviteLink"), None);
    bundle.turn_when_idle(HOUR * 60).await;
    assert_eq!(bundle.buy("u1", "T1").await.body.get("reissued"), None);
    let answer = act(&bundle, &id, "reissue", "").await;
    assert_eq!((answer.status, answer.code()), (409, "voided"));
    assert_eq!(history(&bundle, &id).await, ["void"]);
    let shown = story(&bundle, &id).await;
    assert_eq!(
        (&shown["voidedAt"], shown.get("link")),
        (&voided["voidedAt"], None)
    );
    bundle.settle().await;
    assert_eq!(bundle.telegram.link_count(), 1);
}

#[tokio::test]
async fn who_waits_is_voided_and_no_link_is_handed_out() {
    let bundle = TestBundle::start().await;
    bundle.pause_schedule();
    queues_are_down(&bundle);
    let id = bundle.bought("u1", "T1").await;
    let voided = acted(&bundle, &id, "void").await;
    assert_eq!(voided["status"], "QUEUED");
    bundle.aws().wire().clear_faults();
    bundle.functions().tick().await;
    bundle.settle().await;
    assert_eq!(bundle.telegram.link_count(), 0);
    assert!(bundle.tasks().await.is_empty(), "its task is dropped");
    let status = bundle.status(&id).await;
    assert_eq!(
        (&status["status"], &status["voidedAt"]),
        (&json!("QUEUED"), &voided["voidedAt"])
    );
    assert!(bundle.webengage.ingested().is_empty());
}

#[tokio::test]
async fn a_link_that_is_being_made_when_its_request_is_voided_is_revoked() {
    let bundle = TestBundle::start().await;
    let late = Fault::AnswerLate(Duration::from_secs(10));
    bundle
        .telegram
        .fail(simulators::telegram::FaultRule::on("createChatInviteLink", late).times(1));
    let id = bundle.bought("u1", "T1").await;
    bundle.run_until(|| bundle.telegram.link_count() == 1).await;
    acted(&bundle, &id, "void").await;
    bundle.settle().await;
    assert!(alive(&bundle).is_empty());
    let status = bundle.status(&id).await;
    assert_eq!(
        (&status["status"], status.get("inviteLink")),
        (&json!("QUEUED"), None)
    );
    assert!(bundle.webengage.ingested().is_empty());
    assert!(bundle.tasks().await.is_empty());
}

#[tokio::test]
async fn a_link_that_is_being_replaced_is_revoked_by_a_void_too() {
    let bundle = TestBundle::start().await;
    let (id, old) = bundle.admitted("u1", "T1").await;
    bundle.pause_schedule();
    queues_are_down(&bundle);
    acted(&bundle, &id, "reissue").await;
    acted(&bundle, &id, "void").await;
    bundle.aws().wire().clear_faults();
    bundle.functions().tick().await;
    bundle.settle().await;
    assert!(bundle.telegram.link(&old).unwrap().revoked);
    assert_eq!(bundle.telegram.link_count(), 1);
    assert!(bundle.tasks().await.is_empty());
    assert_eq!(history(&bundle, &id).await, ["reissue", "void"]);
    assert_eq!(story(&bundle, &id).await.get("replaced"), None);
}

#[tokio::test]
async fn the_event_of_a_voided_link_is_not_delivered_and_nothing_is_pending() {
    let bundle = TestBundle::start().await;
    bundle.webengage.set_mode(Mode::Down);
    let id = bundle.bought("u1", "T1").await;
    bundle
        .run_until(|| bundle.webengage.attempt_count() > 0)
        .await;
    acted(&bundle, &id, "void").await;
    assert_eq!(story(&bundle, &id).await.get("pendingSince"), None);
    bundle.webengage.mend();
    bundle.settle().await;
    assert!(bundle.webengage.ingested().is_empty());
    assert_eq!(story(&bundle, &id).await.get("pendingSince"), None);
}

#[tokio::test]
async fn what_was_given_up_is_voided_and_not_retried() {
    let bundle = TestBundle::with(&[("MAX_ATTEMPTS", "1")]).await;
    let fault = simulators::telegram::FaultRule::on("createChatInviteLink", Fault::Internal);
    bundle.telegram.fail(fault.times(1));
    let id = bundle.bought("u1", "T1").await;
    bundle.settle().await;
    assert_eq!(bundle.status(&id).await["status"], "FAILED");
    acted(&bundle, &id, "void").await;
    assert_eq!(bundle.status(&id).await["status"], "FAILED");
    let key = [("x-admin-key", bundle.bundle.admin_key())];
    let path = format!("/v1/admin/invites/{id}/retry");
    let answer = bundle.post(&path, "", &key).await;
    assert_eq!((answer.status, answer.code()), (409, "voided"));
    let all = bundle.post("/v1/admin/invites/retry-all", "", &key).await;
    assert_eq!(
        (&all.body["retried"], &all.body["left"]),
        (&json!(0), &json!(0))
    );
    bundle.settle().await;
    assert_eq!(bundle.telegram.link_count(), 0);
}

#[tokio::test]
async fn who_was_faster_than_the_void_is_recorded_and_a_void_after_a_join_is_refused() {
    let bundle = TestBundle::start().await;
    let (id, link) = bundle.admitted("u1", "T1").await;
    bundle.pause_schedule();
    queues_are_down(&bundle);
    acted(&bundle, &id, "void").await;
    bundle.aws().wire().clear_faults();
    // The link is revoked by the next tick only.
    assert_eq!(bundle.tap(&link, 77), Tap::Joined);
    until("the join is recorded", async || {
        (bundle.status(&id).await["joined"] == true).then_some(())
    })
    .await;
    bundle.functions().tick().await;
    bundle.settle().await;
    let status = bundle.status(&id).await;
    assert_eq!(
        (&status["telegramUserId"], status.get("inviteLink")),
        (&json!(77), None)
    );
    assert!(status["voidedAt"].is_string());
    assert_eq!(links_told(&bundle, JOINED), [link]);
    assert_eq!(
        act(&bundle, &id, "void", "").await.status,
        200,
        "it is voided"
    );

    let (id, link) = bundle.admitted("u2", "T2").await;
    assert_eq!(bundle.tap(&link, 78), Tap::Joined);
    bundle.settle().await;
    for action in ["void", "reissue"] {
        let answer = act(&bundle, &id, action, "").await;
        assert_eq!((answer.status, answer.code()), (409, "already_joined"));
        let sentence = answer.body["error"].as_str().unwrap();
        assert!(
            sentence.contains("remove that person from the chat"),
            "{sentence}"
        );
    }
    // What the sentence says is what helps.
    bundle.telegram.leave(bundle.chat_id, 78);
    until("the leave is recorded", async || {
        (bundle.status(&id).await["leftAt"].is_string()).then_some(())
    })
    .await;
    let voided = acted(&bundle, &id, "void").await;
    assert_eq!(
        (&voided["joined"], voided["voidedAt"].is_string()),
        (&json!(true), true)
    );
    bundle.settle().await;
    assert!(alive(&bundle).is_empty());
}
