//! Receiving: order, hiding, counts, retention, and long polls that wake when they should.

use std::time::{Duration, Instant};

use crate::aws_client::{AwsWorld, code};

#[tokio::test]
async fn messages_come_at_most_ten_at_a_time_roughly_in_order_and_are_then_hidden() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    for number in 0..12 {
        world.send(&url, &number.to_string()).await;
    }
    let one = world
        .sqs
        .receive_message()
        .queue_url(&url)
        .send()
        .await
        .unwrap()
        .messages
        .unwrap();
    assert_eq!(one.len(), 1, "one unless more are asked for");
    let next = world.bodies(&url).await;
    assert_eq!(next, ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
    assert_eq!(world.bodies(&url).await, ["11"]);
    assert!(world.bodies(&url).await.is_empty());
    for refused in [0, 11, -1] {
        let call = world
            .sqs
            .receive_message()
            .queue_url(&url)
            .max_number_of_messages(refused)
            .send()
            .await;
        assert_eq!(code(call), "InvalidParameterValue", "{refused}");
    }
}

#[tokio::test]
async fn a_message_is_shown_again_after_its_visibility_time_out_with_a_fresh_handle() {
    let world = AwsWorld::start().await;
    let url = world
        .queue_with("Orders", &[("VisibilityTimeout", "40")])
        .await;
    world.send(&url, "x").await;
    let first = world.receive(&url).await.remove(0);
    world.advance(39);
    assert!(world.receive(&url).await.is_empty());
    world.advance(1);
    let second = world.receive(&url).await.remove(0);
    assert_eq!(first.message_id(), second.message_id());
    assert_ne!(first.receipt_handle(), second.receipt_handle());
    let attribute = |message: &aws_sdk_sqs::types::Message, name: &str| {
        message.attributes().unwrap()[&name.into()].clone()
    };
    assert_eq!(attribute(&first, "ApproximateReceiveCount"), "1");
    assert_eq!(attribute(&second, "ApproximateReceiveCount"), "2");
    for unchanged in [
        "SentTimestamp",
        "ApproximateFirstReceiveTimestamp",
        "SenderId",
    ] {
        assert_eq!(
            attribute(&first, unchanged),
            attribute(&second, unchanged),
            "{unchanged}"
        );
    }
    let sent: i64 = attribute(&first, "SentTimestamp").parse().unwrap();
    let seen: i64 = attribute(&first, "ApproximateFirstReceiveTimestamp")
        .parse()
        .unwrap();
    assert!(sent <= seen && seen <= world.clock.now_ms() - 40_000);
}

#[tokio::test]
async fn a_receive_may_choose_its_own_visibility_time_out() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    world.send(&url, "x").await;
    let receive = |seconds| {
        world
            .sqs
            .receive_message()
            .queue_url(&url)
            .visibility_timeout(seconds)
            .send()
    };
    assert_eq!(receive(0).await.unwrap().messages().len(), 1);
    assert_eq!(
        receive(600).await.unwrap().messages().len(),
        1,
        "zero hides for no time"
    );
    world.advance(599);
    assert_eq!(receive(1).await.unwrap().messages().len(), 0);
    world.advance(1);
    assert_eq!(receive(43_200).await.unwrap().messages().len(), 1);
    assert_eq!(code(receive(43_201).await), "InvalidParameterValue");
    assert_eq!(code(receive(-1).await), "InvalidParameterValue");
}

#[tokio::test]
async fn system_attributes_come_only_when_asked_for_by_either_name_of_the_member() {
    let world = AwsWorld::start().await;
    let url = world
        .queue_with("Orders", &[("VisibilityTimeout", "0")])
        .await;
    world.send(&url, "x").await;
    let receive = || world.sqs.receive_message().queue_url(&url);
    let none = receive().send().await.unwrap().messages.unwrap().remove(0);
    assert_eq!(none.attributes(), None);
    let new = receive()
        .message_system_attribute_names("SentTimestamp".into())
        .send()
        .await
        .unwrap();
    assert_eq!(new.messages()[0].attributes().unwrap().len(), 1);
    #[expect(deprecated, reason = "older SDKs ask by this name")]
    let old = receive()
        .attribute_names("ApproximateReceiveCount".into())
        .send()
        .await
        .unwrap();
    assert_eq!(
        old.messages()[0].attributes().unwrap()[&"ApproximateReceiveCount".into()],
        "3"
    );
    let unknown = receive()
        .message_system_attribute_names("Colour".into())
        .send()
        .await;
    assert_eq!(code(unknown), "InvalidAttributeName");
}

#[tokio::test]
async fn what_is_older_than_the_retention_period_is_gone() {
    let world = AwsWorld::start().await;
    let url = world
        .queue_with("Orders", &[("MessageRetentionPeriod", "60")])
        .await;
    world.send(&url, "old").await;
    world.advance(30);
    world.send(&url, "young").await;
    world.advance(30);
    assert_eq!(world.bodies(&url).await, ["young"]);
    world.advance(60);
    assert!(world.bodies(&url).await.is_empty());
    assert_eq!(world.aws.queue_depth("Orders").unwrap().total(), 0);
}

#[tokio::test]
async fn wait_times_run_from_0_to_20_seconds() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    for refused in [-1, 21] {
        let call = world
            .sqs
            .receive_message()
            .queue_url(&url)
            .wait_time_seconds(refused)
            .send()
            .await;
        assert_eq!(code(call), "InvalidParameterValue", "{refused}");
    }
}

/// Starts a long poll of twenty seconds and waits until it is there.
async fn long_poll(world: &AwsWorld, url: &str) -> tokio::task::JoinHandle<Vec<String>> {
    let calls = || {
        world
            .aws
            .wire()
            .count(simulators::aws::Service::Sqs, "ReceiveMessage")
    };
    let before = calls();
    let call = world
        .sqs
        .receive_message()
        .queue_url(url)
        .wait_time_seconds(20);
    let poll = tokio::spawn(async move {
        let messages = call.send().await.unwrap().messages.unwrap_or_default();
        messages
            .into_iter()
            .map(|message| message.body.unwrap())
            .collect()
    });
    while calls() == before {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert!(!poll.is_finished());
    poll
}

/// The poll's bodies, which must come far sooner than its wait ends.
async fn soon(poll: tokio::task::JoinHandle<Vec<String>>) -> Vec<String> {
    tokio::time::timeout(Duration::from_secs(5), poll)
        .await
        .expect("woken")
        .unwrap()
}

#[tokio::test]
async fn a_long_poll_wakes_at_once_when_a_message_is_sent() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    let poll = long_poll(&world, &url).await;
    let sent_at = Instant::now();
    world.send(&url, "x").await;
    assert_eq!(soon(poll).await, ["x"]);
    assert!(
        sent_at.elapsed() < Duration::from_millis(500),
        "{:?}",
        sent_at.elapsed()
    );
}

#[tokio::test]
async fn a_long_poll_wakes_when_a_delay_lapses_also_one_that_began_after_it() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    let poll = long_poll(&world, &url).await;
    world
        .sqs
        .send_message()
        .queue_url(&url)
        .message_body("x")
        .delay_seconds(10)
        .send()
        .await
        .unwrap();
    world.advance(10);
    assert_eq!(soon(poll).await, ["x"]);
}

#[tokio::test]
async fn a_long_poll_wakes_when_a_visibility_time_out_lapses_or_is_changed() {
    let world = AwsWorld::start().await;
    let url = world
        .queue_with("Orders", &[("VisibilityTimeout", "15")])
        .await;
    world.send(&url, "x").await;
    world.receive(&url).await;
    let poll = long_poll(&world, &url).await;
    world.advance(15);
    assert_eq!(soon(poll).await, ["x"]);

    let url = world.queue("Changed").await;
    world.send(&url, "y").await;
    let handle = world.receive(&url).await.remove(0).receipt_handle.unwrap();
    let poll = long_poll(&world, &url).await;
    let change = world
        .sqs
        .change_message_visibility()
        .queue_url(&url)
        .receipt_handle(handle);
    change.visibility_timeout(0).send().await.unwrap();
    assert_eq!(soon(poll).await, ["y"]);
}

#[tokio::test]
async fn a_long_poll_that_finds_nothing_ends_empty_when_its_time_is_over() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    let poll = long_poll(&world, &url).await;
    world.advance(20);
    assert!(soon(poll).await.is_empty());
}

#[tokio::test]
async fn the_queues_own_wait_counts_unless_the_call_has_one() {
    let world = AwsWorld::start().await;
    let url = world
        .queue_with("Orders", &[("ReceiveMessageWaitTimeSeconds", "20")])
        .await;
    let at_once = world
        .sqs
        .receive_message()
        .queue_url(&url)
        .wait_time_seconds(0)
        .send()
        .await
        .unwrap();
    assert!(at_once.messages().is_empty());
    let (sqs, of) = (world.sqs.clone(), url.clone());
    let waiting = tokio::spawn(async move {
        sqs.receive_message()
            .queue_url(of)
            .send()
            .await
            .unwrap()
            .messages()
            .len()
    });
    world.send(&url, "x").await;
    assert_eq!(waiting.await.unwrap(), 1);
}

#[tokio::test]
async fn a_long_poll_ends_with_the_queue_it_waits_on() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    let call = world
        .sqs
        .receive_message()
        .queue_url(&url)
        .wait_time_seconds(20);
    let poll = tokio::spawn(call.send());
    tokio::time::sleep(Duration::from_millis(20)).await;
    world
        .sqs
        .delete_queue()
        .queue_url(&url)
        .send()
        .await
        .unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(5), poll)
        .await
        .expect("ended")
        .unwrap();
    assert_eq!(code(ended), "AWS.SimpleQueueService.NonExistentQueue");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_pollers_share_the_messages_and_none_gets_one_twice() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    let pollers: Vec<_> = (0..8)
        .map(|_| {
            let (sqs, url) = (world.sqs.clone(), url.clone());
            tokio::spawn(async move {
                let mut bodies = Vec::new();
                loop {
                    let call = sqs
                        .receive_message()
                        .queue_url(&url)
                        .max_number_of_messages(10)
                        .wait_time_seconds(1);
                    let messages = call.send().await.unwrap().messages.unwrap_or_default();
                    if messages.is_empty() {
                        return bodies;
                    }
                    bodies.extend(messages.into_iter().map(|message| message.body.unwrap()));
                }
            })
        })
        .collect();
    for number in 0..200 {
        world.send(&url, &format!("{number:03}")).await;
    }
    let mut all = Vec::new();
    for poller in pollers {
        all.extend(poller.await.unwrap());
    }
    all.sort();
    let sent: Vec<String> = (0..200).map(|number| format!("{number:03}")).collect();
    assert_eq!(all, sent);
}
