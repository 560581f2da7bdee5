//! Every claim and settle is one conditional write: races, lapsed leases, lost answers.

use std::time::Duration;

use tokio::time::Instant;

use aws_lambda_events::sqs::SqsEvent;
use futures_util::future::join_all;
use local::harness::TestBundle;
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::Fault;

const ID: &str = "00000000-0000-8000-8000-00000000000a";

fn mint_job(bundle: &TestBundle) -> Value {
    json!({"kind": "mint", "requestId": ID, "userId": "u1", "transactionId": "T1", "chatId": bundle.chat_id,
        "createdAt": "2026-01-01T00:00:00.000Z"})
}

fn batch(job: &Value) -> SqsEvent {
    serde_json::from_value(json!({"Records": [{"messageId": "m1", "body": job.to_string()}]}))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_workers_on_one_job_hand_out_one_link() {
    let bundle = TestBundle::start().await;
    let deadline = Instant::now() + Duration::from_secs(60);
    let job = mint_job(&bundle);
    let answers = join_all((0..50).map(|_| worker_run(&bundle, &job, deadline))).await;
    assert!(answers.iter().all(|failed| *failed == 0));
    bundle.settle().await;
    let handed_out = bundle.link(ID).await;
    let links = bundle.telegram.links();
    assert_eq!(
        links
            .iter()
            .filter(|link| !link.revoked)
            .map(|link| link.url.as_str())
            .collect::<Vec<_>>(),
        [handed_out]
    );
    assert_eq!(bundle.webengage.ingested().len(), 1);
}

async fn worker_run(bundle: &TestBundle, job: &Value, deadline: Instant) -> usize {
    bundle
        .functions()
        .work(batch(job), deadline)
        .await
        .batch_item_failures
        .len()
}

#[tokio::test]
async fn an_owner_whose_lease_lapsed_loses_and_revokes_the_link_it_made() {
    let bundle = TestBundle::start().await;
    // Telegram takes longer over the first call than the lease holds; meanwhile another worker takes over.
    bundle.telegram.fail(
        simulators::telegram::FaultRule::on(
            "createChatInviteLink",
            Fault::AnswerLate(Duration::from_secs(90)),
        )
        .times(1),
    );
    let job = mint_job(&bundle);
    let deadline = Instant::now() + Duration::from_secs(60);
    let slow = worker_run(&bundle, &job, deadline);
    let fast = async {
        while bundle.telegram.link_count() == 0 {
            tokio::task::yield_now().await;
        }
        bundle.turn(Duration::from_secs(70));
        worker_run(&bundle, &job, deadline).await;
        let winner = bundle.link(ID).await;
        bundle.turn(Duration::from_secs(30));
        winner
    };
    let (_, winner) = tokio::join!(slow, fast);
    bundle.settle().await;
    assert_eq!(bundle.link(ID).await, winner);
    let links = bundle.telegram.links();
    assert_eq!(links.len(), 2);
    assert!(
        links
            .iter()
            .all(|link| link.revoked == (link.url != winner)),
        "the loser's link is revoked, the winner's is not"
    );
    assert_eq!(bundle.webengage.ingested().len(), 1);
}

/// A write whose effect happened and whose answer was lost: the SDK sends it again and must find its own.
async fn survives_a_lost_answer(operation: &str, table: &str, skip: u64) {
    let bundle = TestBundle::start().await;
    let hits = bundle.aws().wire().fail(
        FaultRule::new(WireFault::ResetAfter)
            .on(Service::DynamoDb, operation)
            .named(table)
            .skip(skip),
    );
    let (id, link) = bundle.admitted("u1", "T1").await;
    assert_eq!(hits.count(), 1, "the call that was to be hit was made");
    assert_eq!(bundle.status(&id).await["attempts"], 1);
    assert!(
        !bundle.telegram.link(&link).unwrap().revoked,
        "the link that was handed out works"
    );
    assert_eq!(bundle.telegram.link_count(), 1);
    assert_eq!(bundle.webengage.ingested().len(), 1);
}

#[tokio::test]
async fn a_lost_answer_to_the_first_write_is_no_duplicate() {
    let bundle = TestBundle::start().await;
    bundle.aws().wire().fail(
        FaultRule::new(WireFault::ResetAfter)
            .on(Service::DynamoDb, "PutItem")
            .named("InviteRequests"),
    );
    let answer = bundle.buy("u1", "T1").await;
    assert_eq!((answer.status, answer.body.get("duplicate")), (200, None));
    bundle.settle().await;
}

#[tokio::test]
async fn a_lost_answer_to_the_claim_is_survived() {
    survives_a_lost_answer("UpdateItem", "InviteRequests", 0).await;
}

#[tokio::test]
async fn a_lost_answer_to_settling_is_survived_and_the_link_is_not_revoked() {
    survives_a_lost_answer("UpdateItem", "InviteRequests", 1).await;
}

#[tokio::test]
async fn a_lost_answer_to_marking_the_event_is_survived() {
    survives_a_lost_answer("UpdateItem", "InviteRequests", 2).await;
}

#[tokio::test]
async fn a_lost_answer_to_the_lookup_is_survived() {
    survives_a_lost_answer("PutItem", "InviteLinks", 0).await;
}

#[tokio::test]
async fn a_lost_answer_to_the_pace_is_survived() {
    survives_a_lost_answer("PutItem", "Pace", 0).await;
}

#[tokio::test]
async fn a_worker_killed_in_mid_call_costs_one_invisible_link_and_nothing_else() {
    let bundle = TestBundle::start().await;
    bundle.telegram.fail(
        simulators::telegram::FaultRule::on(
            "createChatInviteLink",
            Fault::AnswerLate(Duration::from_secs(10)),
        )
        .times(1),
    );
    let id = bundle.bought("u1", "T1").await;
    bundle.run_until(|| bundle.telegram.link_count() == 1).await;
    assert_eq!(bundle.unplug_worker(), 1);
    bundle.settle().await;
    let link = bundle.link(&id).await;
    assert_eq!(bundle.telegram.link_count(), 2);
    assert!(!bundle.telegram.link(&link).unwrap().revoked);
    assert_eq!(bundle.webengage.ingested().len(), 1);
}

#[tokio::test]
async fn a_job_without_record_makes_the_record() {
    let bundle = TestBundle::start().await;
    bundle.send_job(&mint_job(&bundle)).await;
    bundle.settle().await;
    let status = bundle.status(ID).await;
    assert_eq!(
        (status["status"].as_str(), status["userId"].as_str()),
        (Some("DONE"), Some("u1"))
    );
    assert_eq!(status["createdAt"], "2026-01-01T00:00:00.000Z");
}

#[tokio::test]
async fn while_the_queue_is_down_a_request_is_not_accepted_and_leaves_nothing() {
    let bundle = TestBundle::start().await;
    bundle.aws().wire().fail(
        FaultRule::new(WireFault::InternalError)
            .on(Service::Sqs, "SendMessage")
            .always(),
    );
    let answer = bundle.buy("u1", "T1").await;
    assert_eq!(
        (answer.status, answer.code(), answer.retry_after.as_deref()),
        (503, "unavailable", Some("5"))
    );
    bundle.aws().wire().clear_faults();
    let (id, _) = bundle.admitted("u1", "T1").await;
    assert_eq!(bundle.status(&id).await["attempts"], 1);
    assert_eq!(bundle.telegram.link_count(), 1);
}

#[tokio::test]
async fn a_request_whose_record_could_not_be_written_is_served_all_the_same() {
    let bundle = TestBundle::start().await;
    bundle.aws().wire().fail(
        FaultRule::new(WireFault::InternalError)
            .on(Service::DynamoDb, "PutItem")
            .named("InviteRequests")
            .always(),
    );
    let answer = bundle.buy("u1", "T1").await;
    assert_eq!((answer.status, answer.code()), (503, "unavailable"));
    bundle.aws().wire().clear_faults();
    bundle.settle().await;
    // The job was queued, so the buyer has a link; the shop's retry finds it.
    let again = bundle.buy("u1", "T1").await;
    assert_eq!(
        (&again.body["status"], &again.body["duplicate"]),
        (&json!("done"), &json!(true))
    );
    assert_eq!(bundle.telegram.link_count(), 1);
}
