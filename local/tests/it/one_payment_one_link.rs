//! One payment has one effect: the incident of the nine invites, and its relatives.

use std::time::Duration;

use futures_util::future::join_all;
use local::harness::{HOUR, MINUTE, TestStack};
use serde_json::json;

#[tokio::test]
async fn the_nine_invites_incident_nine_calls_over_eight_minutes_give_one_link_and_one_event() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    let first = shop.buy("u1", "T1").await;
    assert_eq!(
        (
            first.status,
            &first.body["status"],
            first.body.get("duplicate")
        ),
        (200, &json!("queued"), None)
    );
    for _ in 1..9 {
        stack.advance_when_idle(MINUTE).await;
        let again = shop.buy("u1", "T1").await;
        assert_eq!(
            (again.status, again.request_id()),
            (200, first.request_id())
        );
        assert_eq!(again.body["duplicate"], true);
    }
    stack.run_until_idle().await;
    let last = shop.buy("u1", "T1").await;
    assert_eq!(last.body["status"], "done");
    assert_eq!(
        last.body["inviteLink"],
        shop.link(&first.request_id()).await
    );
    stack.run_until_idle().await;
    assert_eq!(stack.telegram.link_count(), 1);
    assert_eq!(stack.webengage.ingested().len(), 1);
    assert_eq!(stack.webengage.attempt_count(), 1);
}

#[tokio::test]
async fn two_hundred_calls_at_once_for_one_payment_give_one_link_and_one_event() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    let answers = join_all((0..200).map(|_| shop.buy("u1", "T1"))).await;
    let id = answers[0].request_id();
    assert!(
        answers
            .iter()
            .all(|answer| answer.status == 200 && answer.request_id() == id)
    );
    stack.run_until_idle().await;
    assert_eq!(shop.status(&id).await["attempts"], 1);
    assert_eq!(stack.telegram.link_count(), 1);
    assert_eq!(stack.webengage.ingested().len(), 1);
}

#[tokio::test]
async fn a_repeat_queues_nothing() {
    let stack = TestStack::start().await;
    stack.admitted("u1", "T1").await;
    let calls = || {
        stack
            .aws()
            .wire()
            .count(simulators::aws::Service::Sqs, "SendMessage")
    };
    let before = calls();
    for _ in 0..5 {
        stack.shop().buy("u1", "T1").await;
    }
    assert_eq!(calls(), before);
}

#[tokio::test]
async fn a_hundred_payments_give_a_hundred_links() {
    let stack = TestStack::with(&[("SAFE_RPS_SLEEP_MS", "34")]).await;
    let shop = stack.shop();
    let ids =
        join_all((0..100).map(async |n| shop.bought(&format!("u{n}"), &format!("T{n}")).await))
            .await;
    stack.run_until_idle().await;
    let mut links = std::collections::HashSet::new();
    for id in &ids {
        links.insert(shop.link(id).await);
    }
    assert_eq!(links.len(), 100);
    assert_eq!(stack.telegram.link_count(), 100);
    assert_eq!(stack.webengage.ingested().len(), 100);
}

#[tokio::test]
async fn the_same_transaction_of_another_user_is_refused_and_changes_nothing() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    let (id, _) = stack.admitted("u1", "T1").await;
    let before = shop.status(&id).await;
    let other = shop.buy("u2", "T1").await;
    assert_eq!(other.refusal(), (409, "transaction_conflict"));
    stack.run_until_idle().await;
    assert_eq!(shop.status(&id).await, before);
    assert_eq!(stack.telegram.link_count(), 1);
}

#[tokio::test]
async fn two_users_racing_for_one_transaction_leave_one_of_them_with_one_link() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    let answers =
        join_all((0..40).map(|n| shop.buy(if n % 2 == 0 { "u1" } else { "u2" }, "T1"))).await;
    stack.run_until_idle().await;
    let accepted = answers.iter().find(|answer| answer.status == 200).unwrap();
    let owner = shop.status(&accepted.request_id()).await["userId"].clone();
    for (n, answer) in answers.iter().enumerate() {
        let user = if n % 2 == 0 { "u1" } else { "u2" };
        assert_eq!(
            answer.status,
            if owner == user { 200 } else { 409 },
            "{user} of {owner}: {}",
            answer.body
        );
    }
    assert_eq!(stack.telegram.link_count(), 1);
}

#[tokio::test]
async fn without_a_transaction_the_idempotency_key_names_the_payment() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    let body = json!({"userId": "u1"});
    let first = shop.request(&body, &[("idempotency-key", "k1")]).await;
    stack.advance_when_idle(HOUR * 24).await;
    let again = shop.request(&body, &[("idempotency-key", "k1")]).await;
    assert_eq!(
        (again.request_id(), &again.body["duplicate"]),
        (first.request_id(), &json!(true))
    );
    let other = shop.request(&body, &[("idempotency-key", "k2")]).await;
    assert_ne!(other.request_id(), first.request_id());
    stack.run_until_idle().await;
    assert_eq!(stack.telegram.link_count(), 2);
}

#[tokio::test]
async fn without_either_repeats_within_the_duplicate_window_are_one_request() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    let body = json!({"userId": "u1", "transactionId": ""});
    let answers = join_all((0..50).map(|_| shop.request(&body, &[]))).await;
    let first = answers[0].request_id();
    assert!(
        answers
            .iter()
            .all(|answer| answer.status == 200 && answer.request_id() == first)
    );
    stack.clock.advance(Duration::from_secs(590));
    assert_eq!(shop.request(&body, &[]).await.request_id(), first);
    assert_ne!(
        shop.request(&json!({"userId": "u2"}), &[])
            .await
            .request_id(),
        first
    );
    stack.clock.advance(Duration::from_secs(20));
    assert_ne!(shop.request(&body, &[]).await.request_id(), first);
    stack.run_until_idle().await;
    assert_eq!(stack.telegram.link_count(), 3);
}
