//! Events whose message was lost are sent again; what waits in the queue or lies in the dead letters is left alone.

use aws_sdk_dynamodb::types::AttributeValue;
use local::harness::{HOUR, JOINED, LINK_CREATED, MINUTE, TestStack};
use serde_json::json;
use simulators::webengage::Mode;

use super::{lose, pending, quiet};

/// Waits until the event queue holds so many messages, all of them delayed.
async fn all_wait(stack: &TestStack, count: usize) {
    let count = u64::try_from(count).unwrap();
    let all_delayed = || {
        let depth = stack.aws().queue_depth("EventQueue").unwrap();
        depth.delayed == count && depth.total() == count
    };
    stack.run_until(all_delayed).await;
}

/// Requests that have their links, and whose events WebEngage does not take.
async fn undelivered(stack: &TestStack, count: usize) -> Vec<String> {
    stack.webengage.outage();
    let ids = stack.shop().bought_by_each_of(count).await;
    all_wait(stack, count).await;
    ids
}

#[tokio::test]
async fn events_whose_queue_was_purged_are_told_within_an_hour_and_two_runs() {
    let stack = quiet(&[("SAFE_RPS_SLEEP_MS", "34")]).await;
    let ids = undelivered(&stack, 40).await;
    let link = stack.shop().link(&ids[0]).await;
    stack.customer(77).join_by(&link);
    all_wait(&stack, 41).await;
    lose(&stack, "EventQueue").await;
    assert_eq!(pending(&stack).await, 40);
    stack.webengage.recover();
    assert_eq!(
        stack.functions().sweep().await,
        json!({"events": 0, "failed": 0})
    );
    stack.clock.advance(HOUR);
    stack.functions().sweep().await;
    stack.clock.advance(MINUTE);
    let done = stack.functions().sweep().await;
    assert_eq!(done["failed"], 0);
    stack.run_until_idle().await;
    assert_eq!(stack.webengage.delivered(LINK_CREATED).len(), 40);
    assert_eq!(stack.webengage.delivered(JOINED), [link]);
    assert_eq!(pending(&stack).await, 0);
    assert_eq!(
        stack.functions().sweep().await,
        json!({"events": 0, "failed": 0})
    );
}

#[tokio::test]
async fn the_schedule_runs_it_by_itself() {
    let stack = TestStack::start().await;
    undelivered(&stack, 1).await;
    lose(&stack, "EventQueue").await;
    stack.webengage.recover();
    for _ in 0..65 {
        stack.advance_when_idle(MINUTE).await;
    }
    stack
        .run_until(|| !stack.webengage.ingested().is_empty())
        .await;
    stack.run_until_idle().await;
    assert_eq!(stack.webengage.delivered(LINK_CREATED).len(), 1);
    assert_eq!(pending(&stack).await, 0);
}

#[tokio::test]
async fn while_webengage_is_away_for_a_day_no_event_has_two_messages() {
    const WAITING: usize = 40;
    let stack = quiet(&[("SAFE_RPS_SLEEP_MS", "34")]).await;
    undelivered(&stack, WAITING).await;
    // A jump over a whole hour at once would be an hour without a try.
    for _ in 0..27 {
        stack.advance_when_idle(MINUTE * 55).await;
        let done = stack.functions().sweep().await;
        assert_eq!(done, json!({"events": 0, "failed": 0}));
        // One more would be waited for in vain.
        all_wait(&stack, WAITING).await;
    }
    stack.webengage.recover();
    stack.run_until_idle().await;
    assert_eq!(stack.webengage.delivered(LINK_CREATED).len(), WAITING);
    assert_eq!(pending(&stack).await, 0);
}

#[tokio::test]
async fn dead_letters_are_not_sent_again_by_themselves_and_a_redrive_delivers_them() {
    let stack = quiet(&[]).await;
    stack.webengage.set_mode(Mode::Unauthorized);
    stack.shop().bought_by_each_of(3).await;
    stack.run_until_idle().await;
    assert_eq!(stack.depth("EventDeadLetterQueue"), 3);
    assert_eq!(pending(&stack).await, 0);
    for _ in 0..3 {
        stack.advance_when_idle(HOUR * 24).await;
        assert_eq!(
            stack.functions().sweep().await,
            json!({"events": 0, "failed": 0})
        );
        stack.run_until_idle().await;
    }
    assert_eq!(stack.depth("EventDeadLetterQueue"), 3, "none was added");
    stack.webengage.recover();
    stack.redrive("EventDeadLetterQueue").await;
    stack
        .run_until(|| stack.depth("EventDeadLetterQueue") == 0)
        .await;
    stack.run_until_idle().await;
    assert_eq!(stack.webengage.delivered(LINK_CREATED).len(), 3);
    assert_eq!(pending(&stack).await, 0);
}

#[tokio::test]
async fn what_is_delivered_and_still_stands_as_pending_leaves_the_index() {
    let stack = quiet(&[]).await;
    let (id, _) = stack.admitted("u1", "T1").await;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let update = stack
        .dynamodb()
        .update_item()
        .table_name("InviteRequests")
        .key("requestId", text(&id))
        .update_expression("SET pendingShard = :shard, pendingSince = :since")
        .expression_attribute_values(":shard", text("3"))
        .expression_attribute_values(":since", text("2026-01-01T00:00:00.000Z"));
    update.send().await.unwrap();
    assert_eq!(pending(&stack).await, 1);
    stack.clock.advance(HOUR);
    assert_eq!(
        stack.functions().sweep().await,
        json!({"events": 0, "failed": 0})
    );
    assert_eq!(pending(&stack).await, 0);
    assert_eq!(stack.shop().status(&id).await["status"], "DONE");
}

#[tokio::test]
async fn a_record_that_cannot_be_read_keeps_nobody_else_waiting() {
    let stack = quiet(&[("SAFE_RPS_SLEEP_MS", "34")]).await;
    let ids = undelivered(&stack, 40).await;
    lose(&stack, "EventQueue").await;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let spoil = stack
        .dynamodb()
        .update_item()
        .table_name("InviteRequests")
        .key("requestId", text(&ids[0]))
        .update_expression("SET #status = :bad")
        .expression_attribute_names("#status", "status")
        .expression_attribute_values(":bad", text("?"));
    spoil.send().await.unwrap();
    stack.webengage.recover();
    stack.clock.advance(HOUR + MINUTE);
    let done = stack.functions().sweep().await;
    assert_eq!(done, json!({"events": 39, "failed": 0}));
    stack.run_until_idle().await;
    assert_eq!(stack.webengage.delivered(LINK_CREATED).len(), 39);
}

#[tokio::test]
async fn while_the_queue_is_down_nothing_is_lost_and_a_later_run_goes_on() {
    let stack = quiet(&[]).await;
    undelivered(&stack, 1).await;
    lose(&stack, "EventQueue").await;
    stack.webengage.recover();
    stack.clock.advance(HOUR + MINUTE);
    stack.queues_are_down();
    let done = stack.functions().sweep().await;
    assert_eq!(done, json!({"events": 0, "failed": 1}));
    stack.aws().wire().clear_faults();
    stack.clock.advance(HOUR + MINUTE);
    assert_eq!(stack.functions().sweep().await["events"], 1);
    stack.run_until_idle().await;
    assert_eq!(stack.webengage.delivered(LINK_CREATED).len(), 1);
    assert_eq!(pending(&stack).await, 0);
}
