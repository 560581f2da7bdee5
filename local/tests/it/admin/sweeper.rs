//! What stopped on its way is found and goes on; what waits behind others is left alone.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;
use simulators::telegram::Tap;
use simulators::webengage::Mode;

use super::{CREATED, HOUR, JOINED, lose, open, post, queues_are_down, quiet, shared, told};
use local::harness::TestBundle;

/// Has a chat paused, so that its jobs wait in their queue.
async fn pause(bundle: &TestBundle) {
    let path = format!("chats/{}/pause", bundle.chat_id);
    let answer = post(bundle, &path, &json!({"reason": "test"})).await;
    assert_eq!(answer.status, 200);
}

async fn resume(bundle: &TestBundle) {
    let path = format!("chats/{}/resume", bundle.chat_id);
    assert_eq!(post(bundle, &path, &json!({})).await.status, 200);
}

/// Waits until all messages of a queue are delayed.
async fn all_wait(bundle: &TestBundle, queue: &str, count: u64) {
    bundle
        .run_until(|| bundle.aws().queue_depth(queue).unwrap().delayed == count)
        .await;
}

#[tokio::test]
async fn a_job_that_was_lost_is_sent_again_after_an_hour_and_not_before() {
    let bundle = quiet(&[]).await;
    pause(&bundle).await;
    let id = bundle.bought("u1", "T1").await;
    all_wait(&bundle, "InviteQueue", 1).await;
    lose(&bundle, "InviteQueue").await;
    resume(&bundle).await;
    bundle.turn(HOUR - Duration::from_secs(60));
    assert_eq!(bundle.functions().sweep().await, sweeper::Done::default());
    bundle.turn(Duration::from_secs(120));
    let done = bundle.functions().sweep().await;
    assert_eq!((done.looked, done.jobs, done.failed), (1, 1, 0));
    bundle.settle().await;
    bundle.link(&id).await;
    assert_eq!(
        bundle.functions().sweep().await,
        sweeper::Done::default(),
        "nothing is open"
    );
}

#[tokio::test]
async fn the_schedule_runs_it_by_itself() {
    let bundle = TestBundle::start().await;
    pause(&bundle).await;
    let id = bundle.bought("u1", "T1").await;
    all_wait(&bundle, "InviteQueue", 1).await;
    lose(&bundle, "InviteQueue").await;
    resume(&bundle).await;
    for _ in 0..80 {
        bundle.turn_when_idle(Duration::from_secs(60)).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    bundle.settle().await;
    bundle.link(&id).await;
}

#[tokio::test]
async fn a_worker_that_died_over_a_lost_job_is_made_good() {
    let bundle = quiet(&[]).await;
    let late = simulators::telegram::Fault::AnswerLate(Duration::from_secs(30));
    let rule = simulators::telegram::FaultRule::on("createChatInviteLink", late);
    bundle.telegram.fail(rule.times(1));
    let id = bundle.bought("u1", "T1").await;
    bundle.run_until(|| bundle.telegram.link_count() == 1).await;
    assert_eq!(bundle.unplug_worker(), 1);
    lose(&bundle, "InviteQueue").await;
    assert_eq!(bundle.status(&id).await["status"], "PROCESSING");
    bundle.turn(HOUR + Duration::from_secs(120));
    assert_eq!(bundle.functions().sweep().await.jobs, 1);
    bundle.settle().await;
    bundle.link(&id).await;
}

#[tokio::test]
async fn facts_that_were_not_told_are_told() {
    let bundle = quiet(&[]).await;
    bundle.webengage.set_mode(Mode::Down);
    let id = bundle.bought("u1", "T1").await;
    all_wait(&bundle, "EventQueue", 1).await;
    let link = bundle.link(&id).await;
    assert_eq!(bundle.tap(&link, 77), Tap::Joined);
    all_wait(&bundle, "EventQueue", 2).await;
    lose(&bundle, "EventQueue").await;
    bundle.webengage.mend();
    bundle.turn(HOUR * 2);
    let done = bundle.functions().sweep().await;
    assert_eq!((done.looked, done.events, done.jobs), (1, 2, 0));
    bundle.settle().await;
    assert_eq!(told(&bundle, CREATED), std::slice::from_ref(&link));
    assert_eq!(told(&bundle, JOINED), [link]);
    assert_eq!(open(&bundle).await, 0);
}

#[tokio::test]
async fn jobs_that_wait_in_their_queue_are_not_multiplied() {
    let bundle = quiet(&[("SAFE_RPS_SLEEP_MS", "34")]).await;
    pause(&bundle).await;
    for number in 0..12 {
        bundle.bought("u", &format!("T{number}")).await;
    }
    all_wait(&bundle, "InviteQueue", 12).await;
    for _ in 0..3 {
        bundle.turn_when_idle(HOUR).await;
        all_wait(&bundle, "InviteQueue", 12).await;
        let done = bundle.functions().sweep().await;
        assert_eq!((done.looked, done.jobs, done.waiting_jobs), (12, 0, 12));
        assert_eq!(bundle.depth("InviteQueue"), 12);
    }
    // One is lost among them: all are sent once more, and the next run finds them there.
    lose(&bundle, "InviteQueue").await;
    let done = bundle.functions().sweep().await;
    assert_eq!((done.jobs, done.waiting_jobs), (12, 0));
    all_wait(&bundle, "InviteQueue", 12).await;
    bundle.turn_when_idle(HOUR).await;
    let done = bundle.functions().sweep().await;
    assert_eq!((done.jobs, done.waiting_jobs), (0, 12));
    resume(&bundle).await;
    bundle.settle().await;
    assert_eq!(bundle.telegram.link_count(), 12);
    assert_eq!(open(&bundle).await, 0);
}

#[tokio::test]
async fn events_that_wait_in_their_queue_are_not_multiplied() {
    let bundle = quiet(&[]).await;
    bundle.webengage.set_mode(Mode::Down);
    for number in 0..3 {
        bundle.bought("u", &format!("T{number}")).await;
    }
    all_wait(&bundle, "EventQueue", 3).await;
    for _ in 0..2 {
        bundle.turn_when_idle(HOUR * 2).await;
        all_wait(&bundle, "EventQueue", 3).await;
        let done = bundle.functions().sweep().await;
        assert_eq!((done.events, done.waiting_events), (0, 3), "{done:?}");
    }
    bundle.webengage.mend();
    bundle.settle().await;
    assert_eq!(told(&bundle, CREATED).len(), 3);
}

#[tokio::test]
async fn what_lies_among_the_dead_letters_is_left_to_a_person() {
    let mut bundle = quiet(&[]).await;
    bundle.leaves_something();
    bundle.webengage.set_mode(Mode::Unauthorized);
    for number in 0..3 {
        bundle.bought("u", &format!("T{number}")).await;
    }
    bundle.settle().await;
    assert_eq!(bundle.depth("EventDeadLetterQueue"), 3);
    for _ in 0..3 {
        bundle.turn_when_idle(HOUR * 2).await;
        let done = bundle.functions().sweep().await;
        assert_eq!((done.events, done.waiting_events), (0, 3), "{done:?}");
        bundle.settle().await;
    }
    assert_eq!(bundle.depth("EventDeadLetterQueue"), 3, "none was added");
    bundle.webengage.mend();
    bundle.redrive("EventDeadLetterQueue").await;
    bundle
        .run_until(|| bundle.depth("EventDeadLetterQueue") == 0)
        .await;
    bundle.settle().await;
    assert_eq!(told(&bundle, CREATED).len(), 3);
    assert_eq!(open(&bundle).await, 0);
}

#[tokio::test]
async fn what_is_complete_and_still_open_is_closed() {
    let bundle = quiet(&[]).await;
    let (id, _) = bundle.admitted("u1", "T1").await;
    let dynamo = shared(&bundle).dynamodb();
    let update = dynamo
        .update_item()
        .table_name("InviteRequests")
        .key("requestId", AttributeValue::S(id.clone()))
        .update_expression("SET openShard = :shard")
        .expression_attribute_values(":shard", AttributeValue::S(id[..1].to_owned()));
    update.send().await.unwrap();
    assert_eq!(open(&bundle).await, 1);
    bundle.turn(HOUR * 2);
    let done = bundle.functions().sweep().await;
    assert_eq!((done.closed, done.jobs, done.events), (1, 0, 0));
    assert_eq!(open(&bundle).await, 0);
    assert_eq!(bundle.status(&id).await["status"], "DONE");
}

#[tokio::test]
async fn a_record_that_cannot_be_read_keeps_nobody_else_waiting() {
    let bundle = quiet(&[]).await;
    pause(&bundle).await;
    let dynamo = shared(&bundle).dynamodb();
    let mut ids = Vec::new();
    for number in 0..20 {
        ids.push(bundle.bought("u", &format!("T{number}")).await);
    }
    all_wait(&bundle, "InviteQueue", 20).await;
    lose(&bundle, "InviteQueue").await;
    let spoil = dynamo
        .update_item()
        .table_name("InviteRequests")
        .key("requestId", AttributeValue::S(ids[0].clone()))
        .update_expression("SET #status = :bad")
        .expression_attribute_names("#status", "status")
        .expression_attribute_values(":bad", AttributeValue::S("?".to_owned()));
    spoil.send().await.unwrap();
    resume(&bundle).await;
    bundle.turn(HOUR * 2);
    let done = bundle.functions().sweep().await;
    assert_eq!((done.jobs, done.failed), (19, 1));
    bundle.settle().await;
    for id in &ids[1..] {
        bundle.link(id).await;
    }
}

#[tokio::test]
async fn while_the_queue_is_down_nothing_is_sent_and_the_next_run_goes_on() {
    let bundle = quiet(&[]).await;
    pause(&bundle).await;
    let id = bundle.bought("u1", "T1").await;
    all_wait(&bundle, "InviteQueue", 1).await;
    lose(&bundle, "InviteQueue").await;
    resume(&bundle).await;
    bundle.turn(HOUR * 2);
    queues_are_down(&bundle);
    let done = bundle.functions().sweep().await;
    assert_eq!((done.jobs, done.waiting_jobs, done.failed), (0, 1, 1));
    bundle.aws().wire().clear_faults();
    assert_eq!(bundle.functions().sweep().await.jobs, 1);
    bundle.settle().await;
    bundle.link(&id).await;
}
