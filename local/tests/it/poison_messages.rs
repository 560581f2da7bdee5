//! One poison message never blocks or fails its neighbours.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use local::harness::TestStack;
use tokio::time::Instant;

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
    assert_eq!(stack.shop().status(&id).await["linkEventFired"], true);
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
    let shop = stack.shop();
    let operator = stack.operator();
    operator.pause("test").await.done();
    let broken = shop.bought("u1", "T1").await;
    let good = shop.bought("u2", "T2").await;
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
    operator.resume().await.done();
    stack.run_until_idle().await;
    assert_eq!(shop.status(&good).await["status"], "DONE");
    assert_eq!(stack.functions().monitor().await["failedInvites"], 1);
    let failed = operator.list("status=failed").await;
    assert_eq!(failed["invites"][0]["requestId"], broken, "{failed}");
    // Once the record is fixed, a retry serves its buyer.
    set("QUEUED").await;
    let all = operator.retry_all().await.done();
    assert_eq!([&all["retried"], &all["left"]], [1, 0], "{all}");
    stack.run_until_idle().await;
    assert_eq!(shop.status(&broken).await["status"], "DONE");
}
