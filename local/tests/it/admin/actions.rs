//! Retrying, and telling again.

use std::time::Duration;

use serde_json::json;
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::Tap;

use super::{
    CREATED, HOUR, JOINED, act, acted, failed, history, lose, open, queues_are_down, quiet, story,
    told,
};

#[tokio::test]
async fn a_failed_request_is_retried_and_gets_its_link() {
    let bundle = quiet(&[]).await;
    let id = failed(&bundle, "u1", "T1").await;
    assert_eq!(open(&bundle).await, 0, "what is given up waits for nobody");
    let answer = acted(&bundle, &id, "retry", json!({})).await;
    assert_eq!(
        (&answer["repeated"], &answer["invite"]["status"]),
        (&json!(false), &json!("QUEUED"))
    );
    assert_eq!(
        (&answer["invite"]["attempts"], &answer["invite"]["isOpen"]),
        (&json!(0), &json!(true))
    );
    assert_eq!(answer["invite"].get("error"), None);
    bundle.settle().await;
    let link = bundle.link(&id).await;
    let story = story(&bundle, &id).await;
    assert_eq!(history(&story), ["retry"]);
    let detail = story["history"][0]["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("FAILED after 1 tries: Telegram refused"),
        "{detail}"
    );
    assert_eq!(
        (&story["attempts"], &story["isOpen"]),
        (&json!(1), &json!(false))
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
async fn a_retry_that_died_before_its_message_is_repeated_or_swept() {
    let bundle = quiet(&[]).await;
    let (mine, swept) = (
        failed(&bundle, "u1", "T1").await,
        failed(&bundle, "u2", "T2").await,
    );
    queues_are_down(&bundle);
    for id in [&mine, &swept] {
        let answer = act(&bundle, id, "retry", json!({})).await;
        assert_eq!((answer.status, answer.code()), (503, "unavailable"));
    }
    bundle.aws().wire().clear_faults();
    bundle.settle().await;
    assert_eq!(bundle.status(&mine).await["status"], "QUEUED");
    let answer = acted(&bundle, &mine, "retry", json!({})).await;
    assert_eq!(answer["repeated"], true);
    bundle.settle().await;
    bundle.link(&mine).await;
    assert_eq!(history(&story(&bundle, &mine).await), ["retry", "retry"]);

    assert_eq!(bundle.functions().sweep().await.jobs, 0, "too young");
    bundle.turn(HOUR + Duration::from_secs(1));
    let done = bundle.functions().sweep().await;
    assert_eq!((done.jobs, done.failed), (1, 0), "{done:?}");
    bundle.settle().await;
    bundle.link(&swept).await;
    assert_eq!(open(&bundle).await, 0);
}

#[tokio::test]
async fn a_retry_whose_answer_was_lost_is_in_the_history_once() {
    let bundle = quiet(&[]).await;
    let id = failed(&bundle, "u1", "T1").await;
    let rule = FaultRule::new(WireFault::ResetAfter).on(Service::DynamoDb, "UpdateItem");
    let hits = bundle.aws().wire().fail(rule.named("InviteRequests"));
    let answer = acted(&bundle, &id, "retry", json!({})).await;
    assert_eq!((hits.count(), &answer["repeated"]), (1, &json!(false)));
    bundle.settle().await;
    bundle.link(&id).await;
    assert_eq!(history(&story(&bundle, &id).await), ["retry"]);
}

#[tokio::test]
async fn a_request_whose_job_was_lost_is_retried() {
    let bundle = quiet(&[]).await;
    bundle.telegram.fail(
        simulators::telegram::FaultRule::on(
            "createChatInviteLink",
            simulators::telegram::Fault::TooManyRequests { retry_after: 600 },
        )
        .times(1),
    );
    let id = bundle.bought("u1", "T1").await;
    bundle
        .run_until(|| bundle.aws().queue_depth("InviteQueue").unwrap().delayed == 1)
        .await;
    lose(&bundle, "InviteQueue").await;
    bundle.turn(HOUR);
    bundle.settle().await;
    assert_eq!(bundle.status(&id).await["status"], "QUEUED");
    let answer = acted(&bundle, &id, "retry", json!({})).await;
    assert_eq!(answer["repeated"], true);
    bundle.settle().await;
    bundle.link(&id).await;
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
    assert_eq!(story["isOpen"], false);
    assert_eq!(open(&bundle).await, 0);
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
