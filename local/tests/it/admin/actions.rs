//! Retrying, and telling again.

use serde_json::json;
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::Tap;
use simulators::webengage::Mode;

use super::{
    CREATED, HOUR, JOINED, act, acted, failed, history, pending, queues_are_down, quiet, story,
    told,
};

#[tokio::test]
async fn a_failed_request_is_retried_and_gets_its_link() {
    let bundle = quiet(&[]).await;
    let id = failed(&bundle, "u1", "T1").await;
    assert_eq!(pending(&bundle).await, 0, "what is given up has no event");
    let answer = acted(&bundle, &id, "retry", json!({})).await;
    assert_eq!(
        (&answer["repeated"], &answer["invite"]["status"]),
        (&json!(false), &json!("QUEUED"))
    );
    assert_eq!(answer["invite"]["attempts"], 0);
    assert_eq!(answer["invite"].get("error"), None);
    bundle.settle().await;
    let link = bundle.link(&id).await;
    let story = story(&bundle, &id).await;
    assert_eq!(history(&story), ["retry"]);
    let detail = story["history"][0]["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("FAILED after 5 tries: Telegram refused"),
        "{detail}"
    );
    assert_eq!(
        (&story["attempts"], story.get("pendingSince")),
        (&json!(1), None)
    );
    assert_eq!(told(&bundle, CREATED), [link]);
    let again = act(&bundle, &id, "retry", json!({})).await;
    assert_eq!((again.status, again.code()), (409, "already_done"));
    assert_eq!(
        history(&super::story(&bundle, &id).await),
        ["retry"],
        "a refusal is no action"
    );
}

#[tokio::test]
async fn a_retry_without_a_bell_is_found_by_the_tick() {
    let bundle = quiet(&[]).await;
    let id = failed(&bundle, "u1", "T1").await;
    bundle.pause_schedule();
    queues_are_down(&bundle);
    let answer = acted(&bundle, &id, "retry", json!({})).await;
    assert_eq!(answer["repeated"], false);
    assert_eq!(bundle.status(&id).await["status"], "QUEUED");
    bundle.functions().tick().await;
    bundle.link(&id).await;
    bundle.aws().wire().clear_faults();
    bundle.turn(HOUR * 2);
    assert_eq!(bundle.functions().sweep().await.events, 1);
    bundle.settle().await;
    assert_eq!(history(&story(&bundle, &id).await), ["retry"]);
}

#[tokio::test]
async fn a_retry_whose_answer_was_lost_is_in_the_history_once() {
    let bundle = quiet(&[]).await;
    let id = failed(&bundle, "u1", "T1").await;
    let rule = FaultRule::new(WireFault::ResetAfter).on(Service::DynamoDb, "TransactWriteItems");
    let hits = bundle.aws().wire().fail(rule);
    let answer = acted(&bundle, &id, "retry", json!({})).await;
    assert_eq!((hits.count(), &answer["repeated"]), (1, &json!(false)));
    bundle.settle().await;
    bundle.link(&id).await;
    assert_eq!(history(&story(&bundle, &id).await), ["retry"]);
}

#[tokio::test]
async fn who_waits_after_a_failure_is_due_at_once_by_a_retry() {
    let bundle = quiet(&[("BASE_BACKOFF_SEC", "600")]).await;
    let fault = simulators::telegram::Fault::Internal;
    let rule = simulators::telegram::FaultRule::on("createChatInviteLink", fault);
    bundle.telegram.fail(rule.times(2));
    let id = bundle.bought("u1", "T1").await;
    let tried = || bundle.telegram.count("createChatInviteLink") == 1;
    bundle.run_until(tried).await;
    local::harness::until("the try is noted", async || {
        (bundle.status(&id).await["status"] == "PROCESSING").then_some(())
    })
    .await;
    let began = bundle.clock.now_ms();
    let answer = acted(&bundle, &id, "retry", json!({})).await;
    assert_eq!(answer["repeated"], true);
    bundle
        .run_until(|| bundle.telegram.count("createChatInviteLink") == 2)
        .await;
    assert!(bundle.clock.now_ms() - began < 120_000, "at once");
    bundle.settle().await;
    bundle.link(&id).await;
    assert_eq!(history(&story(&bundle, &id).await), ["retry"]);
}

#[tokio::test]
async fn twenty_operators_at_once_have_one_request_made_once() {
    let bundle = quiet(&[]).await;
    let id = failed(&bundle, "u1", "T1").await;
    let before = bundle.telegram.link_count();
    let calls = (0..20).map(|_| act(&bundle, &id, "retry", json!({})));
    let answers = futures_util::future::join_all(calls).await;
    let done = answers.iter().filter(|answer| answer.status == 200).count();
    assert!(done >= 1, "{answers:?}");
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        assert!(
            ["already_done", "unavailable"].contains(&refused.code()),
            "{refused:?}"
        );
    }
    bundle.settle().await;
    bundle.link(&id).await;
    assert_eq!(bundle.telegram.link_count(), before + 1);
    let story = story(&bundle, &id).await;
    assert_eq!(history(&story).len(), done);
}

#[tokio::test]
async fn a_fact_is_told_again_and_webengage_counts_it_once_within_four_hours() {
    let bundle = quiet(&[]).await;
    let (id, link) = bundle.admitted("u1", "T1").await;
    let resend = json!({"event": "link_created"});
    let joined = json!({"event": "joined"});
    let answer = act(&bundle, &id, "resend-event", joined.clone()).await;
    assert_eq!((answer.status, answer.code()), (409, "no_such_event"));

    let attempts = bundle.webengage.attempt_count();
    let answer = acted(&bundle, &id, "resend-event", resend.clone()).await;
    assert!(answer["note"].as_str().unwrap().contains("4 hours"));
    assert_eq!(answer["invite"]["events"]["linkCreated"]["fired"], false);
    bundle.settle().await;
    assert_eq!(bundle.webengage.attempt_count(), attempts + 1);
    assert_eq!(told(&bundle, CREATED), std::slice::from_ref(&link));
    bundle.turn(HOUR * 5);
    acted(&bundle, &id, "resend-event", resend).await;
    bundle.settle().await;
    assert_eq!(told(&bundle, CREATED), [link.clone(), link.clone()]);

    assert_eq!(bundle.tap(&link, 77), Tap::Joined);
    bundle.settle().await;
    bundle.turn(HOUR * 5);
    acted(&bundle, &id, "resend-event", joined).await;
    bundle.settle().await;
    assert_eq!(told(&bundle, JOINED), [link.clone(), link]);
    let story = story(&bundle, &id).await;
    assert_eq!(history(&story), ["resend_event"; 3]);
    assert_eq!(story["history"][2]["detail"], "joined");
    assert_eq!(story.get("pendingSince"), None);
    assert_eq!(pending(&bundle).await, 0);
}

#[tokio::test]
async fn a_telling_that_died_before_its_message_is_swept() {
    let bundle = quiet(&[]).await;
    let (id, link) = bundle.admitted("u1", "T1").await;
    bundle.turn(HOUR * 5);
    queues_are_down(&bundle);
    let answer = act(
        &bundle,
        &id,
        "resend-event",
        json!({"event": "link_created"}),
    )
    .await;
    assert_eq!(answer.status, 503);
    bundle.aws().wire().clear_faults();
    bundle.turn(HOUR * 2);
    assert_eq!(bundle.functions().sweep().await.events, 1);
    bundle.settle().await;
    assert_eq!(told(&bundle, CREATED), [link.clone(), link]);
    assert_eq!(bundle.status(&id).await["linkEventFired"], true);
}

#[tokio::test]
async fn a_history_keeps_its_newest_fifty_lines() {
    let bundle = quiet(&[]).await;
    let (id, _) = bundle.admitted("u1", "T1").await;
    for _ in 0..55 {
        acted(
            &bundle,
            &id,
            "resend-event",
            json!({"event": "link_created"}),
        )
        .await;
    }
    bundle.settle().await;
    let story = story(&bundle, &id).await;
    assert_eq!(history(&story).len(), 50);
    assert_eq!(bundle.status(&id).await["linkEventFired"], true);
}

#[tokio::test]
async fn an_event_that_cannot_be_delivered_is_given_up_with_the_reason_and_may_come_back() {
    let bundle = quiet(&[]).await;
    let give_up = json!({"event": "link_created", "reason": "the account is closed"});
    bundle.webengage.set_mode(Mode::Down);
    let id = bundle.bought("u1", "T1").await;
    bundle
        .run_until(|| bundle.webengage.attempt_count() > 0)
        .await;
    let link = bundle.link(&id).await;
    assert_eq!(pending(&bundle).await, 1);
    let answer = act(
        &bundle,
        &id,
        "give-up-event",
        json!({"event": "joined", "reason": "r"}),
    )
    .await;
    assert_eq!((answer.status, answer.code()), (409, "no_such_event"));
    for wrong in [
        json!({"event": "link_created"}),
        json!({"event": "link_created", "reason": " "}),
        json!({"event": "link_created", "reason": "x".repeat(181)}),
        json!({"event": "x", "reason": "r"}),
    ] {
        let answer = act(&bundle, &id, "give-up-event", wrong).await;
        assert_eq!((answer.status, answer.code()), (400, "invalid_parameter"));
    }
    let answer = acted(&bundle, &id, "give-up-event", give_up.clone()).await;
    let event = &answer["invite"]["events"]["linkCreated"];
    assert_eq!(
        (&answer["repeated"], &event["givenUp"], &event["fired"]),
        (&json!(false), &json!(true), &json!(false))
    );
    assert_eq!(pending(&bundle).await, 0);
    // Its message is dropped when it is met, though WebEngage would take it by now.
    bundle.webengage.mend();
    let attempts = bundle.webengage.attempt_count();
    bundle.settle().await;
    assert_eq!(bundle.webengage.attempt_count(), attempts);
    bundle.turn(HOUR * 30);
    assert_eq!(bundle.functions().sweep().await.events, 0);
    let answer = acted(&bundle, &id, "give-up-event", give_up.clone()).await;
    assert_eq!(answer["repeated"], true);
    let shown = story(&bundle, &id).await;
    assert_eq!(history(&shown), ["give_up_event"], "a repeat is no action");
    assert_eq!(
        shown["history"][0]["detail"],
        "link_created: the account is closed"
    );
    // The other event of the request goes on, and the last of both leaves nothing pending.
    assert_eq!(bundle.tap(&link, 77), Tap::Joined);
    bundle.settle().await;
    assert_eq!(told(&bundle, JOINED), std::slice::from_ref(&link));
    assert_eq!(pending(&bundle).await, 0);
    // Who thinks better of it sends it again.
    acted(
        &bundle,
        &id,
        "resend-event",
        json!({"event": "link_created"}),
    )
    .await;
    bundle.settle().await;
    assert_eq!(told(&bundle, CREATED), [link]);
    let event = &story(&bundle, &id).await["events"]["linkCreated"];
    assert_eq!(
        (&event["givenUp"], &event["fired"]),
        (&json!(false), &json!(true))
    );
    let answer = act(&bundle, &id, "give-up-event", give_up).await;
    assert_eq!((answer.status, answer.code()), (409, "already_delivered"));
}

#[tokio::test]
async fn one_of_two_events_given_up_leaves_the_other_one_pending() {
    let bundle = quiet(&[]).await;
    bundle.webengage.set_mode(Mode::Down);
    let id = bundle.bought("u1", "T1").await;
    bundle
        .run_until(|| bundle.webengage.attempt_count() > 0)
        .await;
    let link = bundle.link(&id).await;
    assert_eq!(bundle.tap(&link, 77), Tap::Joined);
    local::harness::until("the join is recorded", async || {
        (bundle.status(&id).await["joined"] == true).then_some(())
    })
    .await;
    let rule = FaultRule::new(WireFault::ResetAfter).on(Service::DynamoDb, "TransactWriteItems");
    let hits = bundle.aws().wire().fail(rule);
    let give_up = |event: &str| json!({"event": event, "reason": "closed"});
    acted(&bundle, &id, "give-up-event", give_up("link_created")).await;
    assert_eq!(hits.count(), 1);
    assert_eq!(pending(&bundle).await, 1, "of the join");
    acted(&bundle, &id, "give-up-event", give_up("joined")).await;
    assert_eq!(pending(&bundle).await, 0);
    bundle.webengage.mend();
    bundle.settle().await;
    assert!(bundle.webengage.ingested().is_empty());
    assert_eq!(history(&story(&bundle, &id).await), ["give_up_event"; 2]);
}
