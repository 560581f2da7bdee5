//! One poison message never blocks or fails its neighbours.

use std::time::Duration;

use tokio::time::Instant;

use aws_sdk_dynamodb::types::AttributeValue;
use local::harness::TestStack;
use serde_json::json;

#[tokio::test]
async fn a_poison_body_among_nine_good_ones_fails_alone_and_ends_as_a_dead_letter_after_five_receives()
 {
    let mut stack = TestStack::with(&[("SAFE_RPS_SLEEP_MS", "34")]).await;
    stack.leaves_something();
    let mut ids = Vec::new();
    for n in 0..9 {
        ids.push(stack.put_mint(n).await);
    }
    let mut batch = stack.bells(9);
    let mut poison = batch.records[0].clone();
    poison.message_id = Some("poison".to_owned());
    poison.body = Some("{\"kind\": \"work\", \"chatId\": ".to_owned());
    batch.records.insert(4, poison);
    let answer = stack
        .functions()
        .work(batch, Instant::now() + Duration::from_secs(90))
        .await;
    let failed: Vec<_> = answer
        .batch_item_failures
        .iter()
        .map(|failure| failure.item_identifier.as_str())
        .collect();
    assert_eq!(failed, ["poison"]);
    stack.run_until_idle().await;
    assert_eq!(stack.telegram.link_count(), 9);

    stack.send_raw("InviteQueue", "no JSON at all").await;
    let sent = stack.clock.now_ms();
    stack.run_until_idle().await;
    assert_eq!(
        (
            stack.depth("InviteQueue"),
            stack.depth("InviteDeadLetterQueue")
        ),
        (0, 1)
    );
    // Shown five times, each time hidden for six times the function's time-out.
    assert!(stack.clock.now_ms() - sent >= 5 * 540 * 1000);
}

#[tokio::test]
async fn a_poison_event_ends_as_a_dead_letter_and_the_others_are_delivered() {
    let mut stack = TestStack::start().await;
    stack.leaves_something();
    stack.send_raw("EventQueue", "[]").await;
    let (id, _) = stack.admitted("u1", "T1").await;
    assert_eq!(stack.status(&id).await["linkEventFired"], true);
    assert_eq!(
        (
            stack.depth("EventQueue"),
            stack.depth("EventDeadLetterQueue")
        ),
        (0, 1)
    );
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_set_aside_and_its_neighbours_are_served() {
    let stack = TestStack::start().await;
    let key = [("x-admin-key", stack.local.admin_key())];
    let chat = format!("/v1/admin/chats/{}", stack.chat_id);
    let reason = json!({"reason": "test"}).to_string();
    let paused = stack.post(&format!("{chat}/pause"), reason, &key).await;
    assert_eq!(paused.status, 200, "{}", paused.body);
    let broken = stack.bought("u1", "T1").await;
    let good = stack.bought("u2", "T2").await;
    let set = async |status: &str| {
        let update = stack.dynamodb().update_item().table_name("InviteRequests");
        let update = update.key("requestId", AttributeValue::S(broken.clone()));
        let update = update.update_expression("SET #status = :status");
        let update = update.expression_attribute_names("#status", "status");
        let status = AttributeValue::S(status.to_owned());
        let update = update.expression_attribute_values(":status", status);
        update.send().await.unwrap();
    };
    set("OF_ANOTHER_VERSION").await;
    assert_eq!(
        stack.post(&format!("{chat}/resume"), "", &key).await.status,
        200
    );
    stack.run_until_idle().await;
    assert_eq!(stack.status(&good).await["status"], "DONE");
    assert_eq!(stack.functions().monitor().await["failedInvites"], 1);
    let failed = stack.get("/v1/admin/invites?status=failed", &key).await;
    assert_eq!(
        failed.body["chats"][0]["invites"][0]["requestId"],
        json!(broken),
        "{}",
        failed.body
    );
    // Once the record is mended, a retry serves its buyer.
    set("QUEUED").await;
    let all = stack.post("/v1/admin/invites/retry-all", "", &key).await;
    assert_eq!(
        (&all.body["retried"], &all.body["left"]),
        (&json!(1), &json!(0)),
        "{}",
        all.body
    );
    stack.run_until_idle().await;
    assert_eq!(stack.status(&broken).await["status"], "DONE");
}
