//! Sending: delays, sizes, attributes, digests, batches.

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
    SendMessageBatchRequestEntry,
};
use simulators::aws::sqs::Depth;

use crate::aws_client::{AwsWorld, code, post};

const MIB: usize = 1_048_576;

fn text(data_type: &str, value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder()
        .data_type(data_type)
        .string_value(value)
        .build()
        .unwrap()
}

fn entry(id: &str, body: &str) -> SendMessageBatchRequestEntry {
    SendMessageBatchRequestEntry::builder()
        .id(id)
        .message_body(body)
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_sent_message_is_answered_with_its_id_and_the_digest_of_its_body() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    let sent = world
        .sqs
        .send_message()
        .queue_url(&url)
        .message_body("hello")
        .send()
        .await
        .unwrap();
    assert_eq!(
        sent.md5_of_message_body(),
        Some("5d41402abc4b2a76b9719d911017c592")
    );
    assert_eq!(sent.md5_of_message_attributes(), None);
    let received = world.receive(&url).await.remove(0);
    assert_eq!(received.message_id(), sent.message_id());
    assert_eq!(received.md5_of_body(), sent.md5_of_message_body());
    assert_eq!(received.body(), Some("hello"));
}

#[tokio::test]
async fn delays_run_from_0_to_900_seconds_and_901_is_refused() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    for refused in [-1, 901, i32::MAX] {
        let send = world
            .sqs
            .send_message()
            .queue_url(&url)
            .message_body("x")
            .delay_seconds(refused)
            .send()
            .await;
        assert_eq!(code(send), "InvalidParameterValue", "{refused}");
    }
    assert_eq!(world.aws.queue_depth("Orders"), Some(Depth::default()));
    world
        .sqs
        .send_message()
        .queue_url(&url)
        .message_body("late")
        .delay_seconds(900)
        .send()
        .await
        .unwrap();
    world.advance(899);
    assert!(world.receive(&url).await.is_empty());
    world.advance(1);
    assert_eq!(world.bodies(&url).await, ["late"]);
}

#[tokio::test]
async fn a_queues_own_delay_counts_unless_the_message_has_one() {
    let world = AwsWorld::start().await;
    let url = world.queue_with("Orders", &[("DelaySeconds", "60")]).await;
    world.send(&url, "by the queue").await;
    world
        .sqs
        .send_message()
        .queue_url(&url)
        .message_body("at once")
        .delay_seconds(0)
        .send()
        .await
        .unwrap();
    assert_eq!(world.bodies(&url).await, ["at once"]);
    world.advance(60);
    assert!(
        world
            .bodies(&url)
            .await
            .contains(&"by the queue".to_owned())
    );
}

#[tokio::test]
async fn attributes_come_back_as_they_were_sent_with_the_digest_of_aws() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    let binary = MessageAttributeValue::builder()
        .data_type("Binary.png")
        .binary_value(Blob::new([0, 255, 1]));
    let send = world.sqs.send_message().queue_url(&url).message_body("x");
    let send = send
        .message_attributes("city", text("String", "Any City"))
        .message_attributes("population", text("Number.int", "1250800"))
        .message_attributes("image", binary.build().unwrap());
    let sent = send.send().await.unwrap();
    let received = world.receive(&url).await.remove(0);
    assert_eq!(
        received.md5_of_message_attributes(),
        sent.md5_of_message_attributes()
    );
    let attributes = received.message_attributes().unwrap();
    assert_eq!(attributes["city"], text("String", "Any City"));
    assert_eq!(attributes["population"], text("Number.int", "1250800"));
    assert_eq!(
        attributes["image"].binary_value().unwrap().as_ref(),
        [0, 255, 1]
    );
}

#[tokio::test]
async fn the_attribute_digest_is_the_one_that_boto3_and_moto_compute() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    let binary = MessageAttributeValue::builder()
        .data_type("Binary")
        .binary_value(Blob::new("AAEC"));
    let send = world
        .sqs
        .send_message()
        .queue_url(&url)
        .message_body("hello");
    let send = send
        .message_attributes("k", text("String", "v"))
        .message_attributes("b", binary.build().unwrap());
    let sent = send.send().await.unwrap();
    assert_eq!(
        sent.md5_of_message_attributes(),
        Some("de1313472243d7638162ef784e39a3c8")
    );
}

#[tokio::test]
async fn only_the_attributes_asked_for_come_back_by_name_prefix_or_all() {
    let world = AwsWorld::start().await;
    let url = world
        .queue_with("Orders", &[("VisibilityTimeout", "0")])
        .await;
    let send = world.sqs.send_message().queue_url(&url).message_body("x");
    let send = send
        .message_attributes("shop.id", text("String", "1"))
        .message_attributes("shop.name", text("String", "2"));
    send.message_attributes("other", text("String", "3"))
        .send()
        .await
        .unwrap();
    for (wanted, expected) in [
        (vec![], vec![]),
        (vec!["other"], vec!["other"]),
        (vec!["shop.*"], vec!["shop.id", "shop.name"]),
        (vec!["shop.id", "absent"], vec!["shop.id"]),
        (vec!["All"], vec!["other", "shop.id", "shop.name"]),
        (vec![".*"], vec!["other", "shop.id", "shop.name"]),
        (vec!["absent"], vec![]),
    ] {
        let mut call = world.sqs.receive_message().queue_url(&url);
        for name in &wanted {
            call = call.message_attribute_names(*name);
        }
        let message = call.send().await.unwrap().messages.unwrap().remove(0);
        let mut names: Vec<&str> = message
            .message_attributes()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str())
            .collect();
        names.sort_unstable();
        assert_eq!(names, expected, "{wanted:?}");
    }
}

#[tokio::test]
async fn attributes_with_wrong_names_types_or_values_are_refused() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    let long = "a".repeat(257);
    for (name, value) in [
        ("AWS.secret", text("String", "x")),
        ("amazon.secret", text("String", "x")),
        (".start", text("String", "x")),
        ("end.", text("String", "x")),
        ("two..dots", text("String", "x")),
        ("sp ace", text("String", "x")),
        (long.as_str(), text("String", "x")),
        ("", text("String", "x")),
        ("a", text("Strange", "x")),
        ("a", text("", "x")),
        ("a", text("String", "")),
        ("a", text("Number", "twelve")),
        ("a", text("Number", "")),
        ("a", text("Binary", "not given as binary")),
        (
            "a",
            MessageAttributeValue::builder()
                .data_type("String")
                .build()
                .unwrap(),
        ),
    ] {
        let send = world.sqs.send_message().queue_url(&url).message_body("x");
        let sent = send.message_attributes(name, value.clone()).send().await;
        assert_eq!(code(sent), "InvalidParameterValue", "{name:?} {value:?}");
    }
    let unheard = text("String", "\u{1}");
    let send = world
        .sqs
        .send_message()
        .queue_url(&url)
        .message_body("x")
        .message_attributes("a", unheard);
    assert_eq!(code(send.send().await), "InvalidMessageContents");
    let mut many = world.sqs.send_message().queue_url(&url).message_body("x");
    for number in 0..11 {
        many = many.message_attributes(format!("a{number}"), text("String", "x"));
    }
    assert_eq!(code(many.send().await), "InvalidParameterValue");
    assert_eq!(world.aws.queue_depth("Orders"), Some(Depth::default()));
}

#[tokio::test]
async fn the_trace_header_travels_with_the_message() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    let trace = MessageSystemAttributeValue::builder()
        .data_type("String")
        .string_value("Root=1-5")
        .build()
        .unwrap();
    let send = world.sqs.send_message().queue_url(&url).message_body("x");
    let send = send.message_system_attributes(
        MessageSystemAttributeNameForSends::AwsTraceHeader,
        trace.clone(),
    );
    assert!(
        send.send()
            .await
            .unwrap()
            .md5_of_message_system_attributes()
            .is_some()
    );
    let received = world.receive(&url).await.remove(0);
    assert_eq!(
        received.attributes().unwrap()[&"AWSTraceHeader".into()],
        "Root=1-5"
    );
    let other = world.sqs.send_message().queue_url(&url).message_body("x");
    let other = other
        .message_system_attributes("SenderId".into(), trace)
        .send()
        .await;
    assert_eq!(code(other), "InvalidParameterValue");
}

#[tokio::test]
async fn a_message_has_up_to_one_mebibyte_its_attributes_included() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    world.send(&url, &"x".repeat(MIB)).await;
    let over = world
        .sqs
        .send_message()
        .queue_url(&url)
        .message_body("x".repeat(MIB + 1))
        .send()
        .await;
    assert_eq!(code(over), "InvalidParameterValue");
    // Name 1, type 6, value 3: ten bytes beside the body.
    let with = |bytes: usize| {
        let send = world
            .sqs
            .send_message()
            .queue_url(&url)
            .message_body("x".repeat(bytes));
        send.message_attributes("a", text("String", "123"))
    };
    with(MIB - 10).send().await.unwrap();
    assert_eq!(code(with(MIB - 9).send().await), "InvalidParameterValue");
    let wide = "é".repeat(MIB / 2);
    world.send(&url, &wide).await;
    let received = world.receive(&url).await;
    assert_eq!(received.len(), 3);
    assert!(
        received
            .iter()
            .any(|message| message.body() == Some(wide.as_str())),
        "bytes count, not characters"
    );
}

#[tokio::test]
async fn a_queues_own_limit_counts_too() {
    let world = AwsWorld::start().await;
    let url = world
        .queue_with("Orders", &[("MaximumMessageSize", "1024")])
        .await;
    world.send(&url, &"x".repeat(1024)).await;
    let over = world
        .sqs
        .send_message()
        .queue_url(&url)
        .message_body("x".repeat(1025))
        .send()
        .await;
    assert_eq!(code(over), "InvalidParameterValue");
    let batch = world
        .sqs
        .send_message_batch()
        .queue_url(&url)
        .entries(entry("fits", "x"));
    let batch = batch
        .entries(entry("over", &"x".repeat(1025)))
        .send()
        .await
        .unwrap();
    assert_eq!(batch.successful()[0].id(), "fits");
    assert_eq!(batch.failed()[0].id(), "over");
}

#[tokio::test]
async fn empty_bodies_and_characters_that_xml_lacks_are_refused() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    assert_eq!(
        code(
            world
                .sqs
                .send_message()
                .queue_url(&url)
                .message_body("")
                .send()
                .await
        ),
        "MissingParameter"
    );
    for body in [
        "\u{0}", "a\u{1}b", "\u{b}", "\u{1f}", "\u{fffe}", "\u{ffff}",
    ] {
        let send = world
            .sqs
            .send_message()
            .queue_url(&url)
            .message_body(body)
            .send()
            .await;
        assert_eq!(code(send), "InvalidMessageContents", "{body:?}");
    }
    for body in [
        "\t\r\n", " ", "\u{7f}", "\u{d7ff}", "\u{e000}", "\u{fffd}", "😀", "\"\\/",
    ] {
        world.send(&url, body).await;
        assert_eq!(world.bodies(&url).await, [body]);
    }
    let lone_surrogate = format!(r#"{{"QueueUrl": "{url}", "MessageBody": "\ud800"}}"#);
    let sent = post(&url, Some("AmazonSQS.SendMessage"), true, lone_surrogate).await;
    assert_eq!(
        (sent.status, sent.kind()),
        (400, "com.amazon.coral.service#SerializationException")
    );
}

#[tokio::test]
async fn a_batch_stores_the_right_entries_and_names_the_wrong_ones() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    let late = SendMessageBatchRequestEntry::builder()
        .id("late")
        .message_body("x")
        .delay_seconds(901)
        .build()
        .unwrap();
    let odd = entry("odd", "\u{1}");
    let batch = world
        .sqs
        .send_message_batch()
        .queue_url(&url)
        .entries(entry("one", "a"));
    let batch = batch
        .entries(late)
        .entries(odd)
        .entries(entry("two", "b"))
        .send()
        .await
        .unwrap();
    let stored: Vec<&str> = batch
        .successful()
        .iter()
        .map(|result| result.id())
        .collect();
    assert_eq!(stored, ["one", "two"]);
    assert_eq!(
        batch.successful()[0].md5_of_message_body(),
        "0cc175b9c0f1b6a831c399e269772661"
    );
    let failed: Vec<_> = batch
        .failed()
        .iter()
        .map(|error| (error.id(), error.code(), error.sender_fault()))
        .collect();
    assert_eq!(
        failed,
        [
            ("late", "InvalidParameterValue", true),
            ("odd", "InvalidMessageContents", true)
        ]
    );
    assert_eq!(world.bodies(&url).await, ["a", "b"]);
}

#[tokio::test]
async fn a_batch_has_one_to_ten_entries_with_distinct_ids() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    let send = |entries: Vec<SendMessageBatchRequestEntry>| {
        world
            .sqs
            .send_message_batch()
            .queue_url(&url)
            .set_entries(Some(entries))
            .send()
    };
    let numbered = |count: usize| {
        (0..count)
            .map(|number| entry(&number.to_string(), "x"))
            .collect::<Vec<_>>()
    };
    assert_eq!(send(numbered(10)).await.unwrap().successful().len(), 10);
    assert_eq!(
        code(send(numbered(11)).await),
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"
    );
    assert_eq!(
        code(send(vec![]).await),
        "AWS.SimpleQueueService.EmptyBatchRequest"
    );
    let twice = send(vec![entry("a", "x"), entry("a", "y")])
        .await
        .unwrap_err()
        .into_service_error();
    assert!(twice.is_batch_entry_ids_not_distinct(), "{twice:?}");
    for id in ["sp ace", "dot.", &"a".repeat(81)] {
        let sent = send(vec![entry(id, "x")]).await;
        assert_eq!(
            code(sent),
            "AWS.SimpleQueueService.InvalidBatchEntryId",
            "{id}"
        );
    }
    assert_eq!(
        world.aws.queue_depth("Orders").unwrap().total(),
        10,
        "a refused batch stores nothing"
    );
}

#[tokio::test]
async fn a_batch_has_up_to_one_mebibyte_in_all() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    let half = "x".repeat(MIB / 2);
    let batch = |rest: &str| {
        let call = world
            .sqs
            .send_message_batch()
            .queue_url(&url)
            .entries(entry("a", &half))
            .entries(entry("b", &half));
        if rest.is_empty() {
            call
        } else {
            call.entries(entry("c", rest))
        }
    };
    assert_eq!(
        code(batch("x").send().await),
        "AWS.SimpleQueueService.BatchRequestTooLong"
    );
    assert_eq!(world.aws.queue_depth("Orders"), Some(Depth::default()));
    assert_eq!(batch("").send().await.unwrap().successful().len(), 2);
}

#[tokio::test]
async fn a_deduplication_id_is_for_fifo_queues_and_a_group_is_kept() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    let send = || world.sqs.send_message().queue_url(&url).message_body("x");
    assert_eq!(
        code(send().message_deduplication_id("d").send().await),
        "InvalidParameterValue"
    );
    send().message_group_id("tenant-1").send().await.unwrap();
    assert_eq!(
        world.receive(&url).await[0].attributes().unwrap()[&"MessageGroupId".into()],
        "tenant-1"
    );
}
