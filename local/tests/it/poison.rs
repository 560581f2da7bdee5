//! One poison message never blocks or fails its neighbours.

use std::time::Duration;

use tokio::time::Instant;

use aws_sdk_dynamodb::types::AttributeValue;
use local::harness::TestBundle;
use serde_json::json;

#[tokio::test]
async fn a_poison_body_among_nine_good_ones_fails_alone_and_ends_as_a_dead_letter_after_five_receives()
 {
    let mut bundle = TestBundle::with(&[("SAFE_RPS_SLEEP_MS", "34")]).await;
    bundle.leaves_something();
    let mut ids = Vec::new();
    for n in 0..9 {
        ids.push(bundle.put_mint(n).await);
    }
    let mut batch = bundle.bells(9);
    let mut poison = batch.records[0].clone();
    poison.message_id = Some("poison".to_owned());
    poison.body = Some("{\"kind\": \"work\", \"chatId\": ".to_owned());
    batch.records.insert(4, poison);
    let answer = bundle
        .functions()
        .work(batch, Instant::now() + Duration::from_secs(90))
        .await;
    let failed: Vec<_> = answer
        .batch_item_failures
        .iter()
        .map(|failure| failure.item_identifier.as_str())
        .collect();
    assert_eq!(failed, ["poison"]);
    bundle.settle().await;
    assert_eq!(bundle.telegram.link_count(), 9);

    bundle.send_raw("InviteQueue", "no JSON at all").await;
    let sent = bundle.clock.now_ms();
    bundle.settle().await;
    assert_eq!(
        (
            bundle.depth("InviteQueue"),
            bundle.depth("InviteDeadLetterQueue")
        ),
        (0, 1)
    );
    // Shown five times, each time hidden for six times the function's time-out.
    assert!(bundle.clock.now_ms() - sent >= 5 * 540 * 1000);
}

#[tokio::test]
async fn a_poison_event_ends_as_a_dead_letter_and_the_others_are_delivered() {
    let mut bundle = TestBundle::start().await;
    bundle.leaves_something();
    bundle.send_raw("EventQueue", "[]").await;
    let (id, _) = bundle.admitted("u1", "T1").await;
    assert_eq!(bundle.status(&id).await["linkEventFired"], true);
    assert_eq!(
        (
            bundle.depth("EventQueue"),
            bundle.depth("EventDeadLetterQueue")
        ),
        (0, 1)
    );
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_set_aside_and_its_neighbours_are_served() {
    let bundle = TestBundle::start().await;
    let key = [("x-admin-key", bundle.bundle.admin_key())];
    let chat = format!("/v1/admin/chats/{}", bundle.chat_id);
    let reason = json!({"reason": "test"}).to_string();
    let paused = bundle.post(&format!("{chat}/pause"), reason, &key).await;
    assert_eq!(paused.status, 200, "{}", paused.body);
    let broken = bundle.bought("u1", "T1").await;
    let good = bundle.bought("u2", "T2").await;
    let set = async |status: &str| {
        let update = bundle.dynamodb().update_item().table_name("InviteRequests");
        let update = update.key("requestId", AttributeValue::S(broken.clone()));
        let update = update.update_expression("SET #status = :status");
        let update = update.expression_attribute_names("#status", "status");
        let status = AttributeValue::S(status.to_owned());
        let update = update.expression_attribute_values(":status", status);
        update.send().await.unwrap();
    };
    set("OF_ANOTHER_VERSION").await;
    assert_eq!(
        bundle
            .post(&format!("{chat}/resume"), "", &key)
            .await
            .status,
        200
    );
    bundle.settle().await;
    assert_eq!(bundle.status(&good).await["status"], "DONE");
    assert_eq!(bundle.functions().monitor().await.failed_invites, Some(1));
    let failed = bundle.get("/v1/admin/invites?status=failed", &key).await;
    assert_eq!(
        failed.body["chats"][0]["invites"][0]["requestId"],
        json!(broken),
        "{}",
        failed.body
    );
    // Once the record is mended, a retry serves its buyer.
    set("QUEUED").await;
    let all = bundle.post("/v1/admin/invites/retry-all", "", &key).await;
    assert_eq!(
        (&all.body["retried"], &all.body["left"]),
        (&json!(1), &json!(0)),
        "{}",
        all.body
    );
    bundle.settle().await;
    assert_eq!(bundle.status(&broken).await["status"], "DONE");
}
