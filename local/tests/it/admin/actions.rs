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
    let stack = quiet(&[]).await;
    let id = failed(&stack, "u1", "T1").await;
    assert_eq!(pending(&stack).await, 0, "what is given up has no event");
    let answer = acted(&stack, &id, "retry", json!({})).await;
    assert_eq!(
        (&answer["repeated"], &answer["invite"]["status"]),
        (&json!(false), &json!("QUEUED"))
    );
    assert_eq!(answer["invite"]["attempts"], 0);
    assert_eq!(answer["invite"].get("error"), None);
    stack.run_until_idle().await;
    let link = stack.link(&id).await;
    let story = story(&stack, &id).await;
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
    assert_eq!(told(&stack, CREATED), [link]);
    let again = act(&stack, &id, "retry", json!({})).await;
    assert_eq!((again.status, again.code()), (409, "already_done"));
    assert_eq!(
        history(&super::story(&stack, &id).await),
        ["retry"],
        "a refusal is no action"
    );
}

#[tokio::test]
async fn a_retry_without_a_bell_is_found_by_the_tick() {
    let stack = quiet(&[]).await;
    let id = failed(&stack, "u1", "T1").await;
    stack.pause_schedule();
    queues_are_down(&stack);
    let answer = acted(&stack, &id, "retry", json!({})).await;
    assert_eq!(answer["repeated"], false);
    assert_eq!(stack.status(&id).await["status"], "QUEUED");
    stack.functions().tick().await;
    stack.link(&id).await;
    stack.aws().wire().clear_faults();
    stack.advance(HOUR * 2);
    assert_eq!(stack.functions().sweep().await["events"], 1);
    stack.run_until_idle().await;
    assert_eq!(history(&story(&stack, &id).await), ["retry"]);
}

#[tokio::test]
async fn a_retry_whose_answer_was_lost_is_in_the_history_once() {
    let stack = quiet(&[]).await;
    let id = failed(&stack, "u1", "T1").await;
    let rule = FaultRule::new(WireFault::ResetAfter).on(Service::DynamoDb, "TransactWriteItems");
    let hits = stack.aws().wire().fail(rule);
    let answer = acted(&stack, &id, "retry", json!({})).await;
    assert_eq!((hits.count(), &answer["repeated"]), (1, &json!(false)));
    stack.run_until_idle().await;
    stack.link(&id).await;
    assert_eq!(history(&story(&stack, &id).await), ["retry"]);
}

#[tokio::test]
async fn who_waits_after_a_failure_is_due_at_once_by_a_retry() {
    let stack = quiet(&[("BASE_BACKOFF_SEC", "600")]).await;
    let fault = simulators::telegram::Fault::Internal;
    let rule = simulators::telegram::FaultRule::on("createChatInviteLink", fault);
    stack.telegram.fail(rule.times(2));
    let id = stack.bought("u1", "T1").await;
    let tried = || stack.telegram.count("createChatInviteLink") == 1;
    stack.run_until(tried).await;
    local::harness::until("the try is noted", async || {
        (stack.status(&id).await["status"] == "PROCESSING").then_some(())
    })
    .await;
    let began = stack.clock.now_ms();
    let answer = acted(&stack, &id, "retry", json!({})).await;
    assert_eq!(answer["repeated"], true);
    stack
        .run_until(|| stack.telegram.count("createChatInviteLink") == 2)
        .await;
    assert!(stack.clock.now_ms() - began < 120_000, "at once");
    stack.run_until_idle().await;
    stack.link(&id).await;
    assert_eq!(history(&story(&stack, &id).await), ["retry"]);
}

#[tokio::test]
async fn twenty_operators_at_once_have_one_request_made_once() {
    let stack = quiet(&[]).await;
    let id = failed(&stack, "u1", "T1").await;
    let before = stack.telegram.link_count();
    let calls = (0..20).map(|_| act(&stack, &id, "retry", json!({})));
    let answers = futures_util::future::join_all(calls).await;
    let done = answers.iter().filter(|answer| answer.status == 200).count();
    assert!(done >= 1, "{answers:?}");
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        assert!(
            ["already_done", "unavailable"].contains(&refused.code()),
            "{refused:?}"
        );
    }
    stack.run_until_idle().await;
    stack.link(&id).await;
    assert_eq!(stack.telegram.link_count(), before + 1);
    let story = story(&stack, &id).await;
    assert_eq!(history(&story).len(), done);
}

#[tokio::test]
async fn a_fact_is_told_again_and_webengage_counts_it_once_within_four_hours() {
    let stack = quiet(&[]).await;
    let (id, link) = stack.admitted("u1", "T1").await;
    let resend = json!({"event": "link_created"});
    let joined = json!({"event": "joined"});
    let answer = act(&stack, &id, "resend-event", joined.clone()).await;
    assert_eq!((answer.status, answer.code()), (409, "no_such_event"));

    let attempts = stack.webengage.attempt_count();
    let answer = acted(&stack, &id, "resend-event", resend.clone()).await;
    assert!(answer["note"].as_str().unwrap().contains("4 hours"));
    assert_eq!(answer["invite"]["events"]["linkCreated"]["fired"], false);
    stack.run_until_idle().await;
    assert_eq!(stack.webengage.attempt_count(), attempts + 1);
    assert_eq!(told(&stack, CREATED), std::slice::from_ref(&link));
    stack.advance(HOUR * 5);
    acted(&stack, &id, "resend-event", resend).await;
    stack.run_until_idle().await;
    assert_eq!(told(&stack, CREATED), [link.clone(), link.clone()]);

    assert_eq!(stack.tap(&link, 77), Tap::Joined);
    stack.run_until_idle().await;
    stack.advance(HOUR * 5);
    acted(&stack, &id, "resend-event", joined).await;
    stack.run_until_idle().await;
    assert_eq!(told(&stack, JOINED), [link.clone(), link]);
    let story = story(&stack, &id).await;
    assert_eq!(history(&story), ["resend_event"; 3]);
    assert_eq!(story["history"][2]["detail"], "joined");
    assert_eq!(story.get("pendingSince"), None);
    assert_eq!(pending(&stack).await, 0);
}

#[tokio::test]
async fn a_telling_that_died_before_its_message_is_swept() {
    let stack = quiet(&[]).await;
    let (id, link) = stack.admitted("u1", "T1").await;
    stack.advance(HOUR * 5);
    queues_are_down(&stack);
    let answer = act(
        &stack,
        &id,
        "resend-event",
        json!({"event": "link_created"}),
    )
    .await;
    assert_eq!(answer.status, 503);
    stack.aws().wire().clear_faults();
    stack.advance(HOUR * 2);
    assert_eq!(stack.functions().sweep().await["events"], 1);
    stack.run_until_idle().await;
    assert_eq!(told(&stack, CREATED), [link.clone(), link]);
    assert_eq!(stack.status(&id).await["linkEventFired"], true);
}

#[tokio::test]
async fn a_history_keeps_its_newest_fifty_lines() {
    let stack = quiet(&[]).await;
    let (id, _) = stack.admitted("u1", "T1").await;
    for _ in 0..55 {
        acted(
            &stack,
            &id,
            "resend-event",
            json!({"event": "link_created"}),
        )
        .await;
    }
    stack.run_until_idle().await;
    let story = story(&stack, &id).await;
    assert_eq!(history(&story).len(), 50);
    assert_eq!(stack.status(&id).await["linkEventFired"], true);
}

#[tokio::test]
async fn an_event_that_cannot_be_delivered_is_given_up_with_the_reason_and_may_come_back() {
    let stack = quiet(&[]).await;
    let give_up = json!({"event": "link_created", "reason": "the account is closed"});
    stack.webengage.set_mode(Mode::Down);
    let id = stack.bought("u1", "T1").await;
    stack
        .run_until(|| stack.webengage.attempt_count() > 0)
        .await;
    let link = stack.link(&id).await;
    assert_eq!(pending(&stack).await, 1);
    let answer = act(
        &stack,
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
        let answer = act(&stack, &id, "give-up-event", wrong).await;
        assert_eq!((answer.status, answer.code()), (400, "invalid_parameter"));
    }
    let answer = acted(&stack, &id, "give-up-event", give_up.clone()).await;
    let event = &answer["invite"]["events"]["linkCreated"];
    assert_eq!(
        (&answer["repeated"], &event["givenUp"], &event["fired"]),
        (&json!(false), &json!(true), &json!(false))
    );
    assert_eq!(pending(&stack).await, 0);
    // Its message is dropped when it is met, though WebEngage would take it by now.
    stack.webengage.mend();
    let attempts = stack.webengage.attempt_count();
    stack.run_until_idle().await;
    assert_eq!(stack.webengage.attempt_count(), attempts);
    stack.advance(HOUR * 30);
    assert_eq!(stack.functions().sweep().await["events"], 0);
    let answer = acted(&stack, &id, "give-up-event", give_up.clone()).await;
    assert_eq!(answer["repeated"], true);
    let shown = story(&stack, &id).await;
    assert_eq!(history(&shown), ["give_up_event"], "a repeat is no action");
    assert_eq!(
        shown["history"][0]["detail"],
        "link_created: the account is closed"
    );
    // The other event of the request goes on, and the last of both leaves nothing pending.
    assert_eq!(stack.tap(&link, 77), Tap::Joined);
    stack.run_until_idle().await;
    assert_eq!(told(&stack, JOINED), std::slice::from_ref(&link));
    assert_eq!(pending(&stack).await, 0);
    // Who thinks better of it sends it again.
    acted(
        &stack,
        &id,
        "resend-event",
        json!({"event": "link_created"}),
    )
    .await;
    stack.run_until_idle().await;
    assert_eq!(told(&stack, CREATED), [link]);
    let event = &story(&stack, &id).await["events"]["linkCreated"];
    assert_eq!(
        (&event["givenUp"], &event["fired"]),
        (&json!(false), &json!(true))
    );
    let answer = act(&stack, &id, "give-up-event", give_up).await;
    assert_eq!((answer.status, answer.code()), (409, "already_delivered"));
}

#[tokio::test]
async fn one_of_two_events_given_up_leaves_the_other_one_pending() {
    let stack = quiet(&[]).await;
    stack.webengage.set_mode(Mode::Down);
    let id = stack.bought("u1", "T1").await;
    stack
        .run_until(|| stack.webengage.attempt_count() > 0)
        .await;
    let link = stack.link(&id).await;
    assert_eq!(stack.tap(&link, 77), Tap::Joined);
    local::harness::until("the join is recorded", async || {
        (stack.status(&id).await["joined"] == true).then_some(())
    })
    .await;
    let rule = FaultRule::new(WireFault::ResetAfter).on(Service::DynamoDb, "TransactWriteItems");
    let hits = stack.aws().wire().fail(rule);
    let give_up = |event: &str| json!({"event": event, "reason": "closed"});
    acted(&stack, &id, "give-up-event", give_up("link_created")).await;
    assert_eq!(hits.count(), 1);
    assert_eq!(pending(&stack).await, 1, "of the join");
    acted(&stack, &id, "give-up-event", give_up("joined")).await;
    assert_eq!(pending(&stack).await, 0);
    stack.webengage.mend();
    stack.run_until_idle().await;
    assert!(stack.webengage.ingested().is_empty());
    assert_eq!(history(&story(&stack, &id).await), ["give_up_event"; 2]);
}
