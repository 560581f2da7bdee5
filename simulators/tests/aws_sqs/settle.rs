//! Deleting messages and changing for how long they are hidden.

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
};

use crate::aws_client::{AwsWorld, code};

async fn receive_handle(world: &AwsWorld, url: &str) -> String {
    world.receive(url).await.remove(0).receipt_handle.unwrap()
}

#[tokio::test]
async fn a_deleted_message_does_not_come_back_and_deleting_it_twice_is_no_error() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    world.send(&url, "x").await;
    let handle = receive_handle(&world, &url).await;
    for _ in 0..2 {
        world
            .sqs
            .delete_message()
            .queue_url(&url)
            .receipt_handle(&handle)
            .send()
            .await
            .unwrap();
    }
    world.advance(31);
    assert!(world.receive(&url).await.is_empty());
}

#[tokio::test]
async fn an_old_handle_deletes_nothing_once_the_message_was_received_again() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    world.send(&url, "x").await;
    let old = receive_handle(&world, &url).await;
    world.advance(31);
    let new = receive_handle(&world, &url).await;
    world
        .sqs
        .delete_message()
        .queue_url(&url)
        .receipt_handle(&old)
        .send()
        .await
        .unwrap();
    assert_eq!(
        world.aws.queue_depth("Orders").unwrap().in_flight,
        1,
        "still there"
    );
    world
        .sqs
        .delete_message()
        .queue_url(&url)
        .receipt_handle(&new)
        .send()
        .await
        .unwrap();
    assert_eq!(world.aws.queue_depth("Orders").unwrap().total(), 0);
}

#[tokio::test]
async fn a_handle_still_deletes_after_its_time_out_while_nobody_else_received() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    world.send(&url, "x").await;
    let handle = receive_handle(&world, &url).await;
    world.advance(31);
    world
        .sqs
        .delete_message()
        .queue_url(&url)
        .receipt_handle(&handle)
        .send()
        .await
        .unwrap();
    assert!(world.receive(&url).await.is_empty());
}

#[tokio::test]
async fn handles_that_were_never_given_are_refused_and_so_are_those_of_another_queue() {
    let world = AwsWorld::start().await;
    let (url, other) = (world.queue("Orders").await, world.queue("Other").await);
    world.send(&other, "x").await;
    let foreign = receive_handle(&world, &other).await;
    for handle in ["nonsense", "AAAA", &"A".repeat(2000), &foreign] {
        let delete = world
            .sqs
            .delete_message()
            .queue_url(&url)
            .receipt_handle(handle)
            .send()
            .await;
        let error = delete.unwrap_err().into_service_error();
        assert!(error.is_receipt_handle_is_invalid(), "{error:?}");
        let change = world
            .sqs
            .change_message_visibility()
            .queue_url(&url)
            .receipt_handle(handle);
        assert_eq!(
            code(change.visibility_timeout(1).send().await),
            "ReceiptHandleIsInvalid"
        );
    }
    let empty = world
        .sqs
        .delete_message()
        .queue_url(&url)
        .receipt_handle("")
        .send()
        .await;
    assert_eq!(code(empty), "MissingParameter");
}

#[tokio::test]
async fn changed_visibility_counts_from_the_change() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    world.send(&url, "x").await;
    let handle = receive_handle(&world, &url).await;
    let change = |seconds| {
        world
            .sqs
            .change_message_visibility()
            .queue_url(&url)
            .receipt_handle(&handle)
            .visibility_timeout(seconds)
            .send()
    };
    world.advance(20);
    change(100).await.unwrap();
    world.advance(99);
    assert!(world.receive(&url).await.is_empty());
    change(0).await.unwrap();
    assert_eq!(world.bodies(&url).await, ["x"]);
}

#[tokio::test]
async fn visibility_is_changed_only_in_flight_by_the_latest_handle_and_within_twelve_hours() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    world.send(&url, "x").await;
    let handle = receive_handle(&world, &url).await;
    let change = |handle: &str, seconds| {
        world
            .sqs
            .change_message_visibility()
            .queue_url(&url)
            .receipt_handle(handle)
            .visibility_timeout(seconds)
            .send()
    };
    assert_eq!(code(change(&handle, 43_201).await), "InvalidParameterValue");
    assert_eq!(code(change(&handle, -1).await), "InvalidParameterValue");
    change(&handle, 43_000).await.unwrap();
    world.advance(10);
    assert_eq!(
        code(change(&handle, 43_195).await),
        "InvalidParameterValue",
        "more than 12 hours from the receive"
    );
    change(&handle, 5).await.unwrap();
    world.advance(6);
    let late = change(&handle, 5).await.unwrap_err().into_service_error();
    assert!(late.is_message_not_inflight(), "{late:?}");
    let newer = receive_handle(&world, &url).await;
    assert_eq!(
        code(change(&handle, 5).await),
        "InvalidParameterValue",
        "received again since"
    );
    world
        .sqs
        .delete_message()
        .queue_url(&url)
        .receipt_handle(&newer)
        .send()
        .await
        .unwrap();
    assert_eq!(
        code(change(&newer, 5).await),
        "InvalidParameterValue",
        "deleted"
    );
}

#[tokio::test]
async fn batches_settle_what_they_can_and_name_the_rest() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    for body in ["a", "b"] {
        world.send(&url, body).await;
    }
    let handles: Vec<String> = world
        .receive(&url)
        .await
        .into_iter()
        .map(|m| m.receipt_handle.unwrap())
        .collect();
    let change = |id: &str, handle: &str, seconds| {
        let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
            .id(id)
            .receipt_handle(handle);
        entry.visibility_timeout(seconds).build().unwrap()
    };
    let changed = world.sqs.change_message_visibility_batch().queue_url(&url);
    let changed = changed
        .entries(change("now", &handles[0], 0))
        .entries(change("bad", "nonsense", 0))
        .entries(change("long", &handles[1], 43_201));
    let changed = changed.send().await.unwrap();
    assert_eq!(changed.successful()[0].id(), "now");
    let failed: Vec<_> = changed
        .failed()
        .iter()
        .map(|error| (error.id(), error.code()))
        .collect();
    assert_eq!(
        failed,
        [
            ("bad", "ReceiptHandleIsInvalid"),
            ("long", "InvalidParameterValue")
        ]
    );
    assert_eq!(world.bodies(&url).await, ["a"]);

    let delete = |id: &str, handle: &str| {
        DeleteMessageBatchRequestEntry::builder()
            .id(id)
            .receipt_handle(handle)
            .build()
            .unwrap()
    };
    let deleted = world.sqs.delete_message_batch().queue_url(&url);
    let deleted = deleted
        .entries(delete("one", &handles[1]))
        .entries(delete("bad", "nonsense"))
        .send()
        .await
        .unwrap();
    assert_eq!((deleted.successful().len(), deleted.failed().len()), (1, 1));
    assert_eq!(deleted.failed()[0].code(), "ReceiptHandleIsInvalid");
    let empty = world
        .sqs
        .delete_message_batch()
        .queue_url(&url)
        .set_entries(Some(vec![]))
        .send()
        .await;
    assert_eq!(code(empty), "AWS.SimpleQueueService.EmptyBatchRequest");
    assert_eq!(world.aws.queue_depth("Orders").unwrap().total(), 1);
}
