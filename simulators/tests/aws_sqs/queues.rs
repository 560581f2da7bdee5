//! Queues: making, finding, configuring, emptying, deleting, tagging.

use std::collections::HashMap;

use aws_sdk_sqs::types::QueueAttributeName;
use simulators::aws::sqs::Depth;

use crate::aws_client::{AwsWorld, code, post};

async fn attributes(world: &AwsWorld, url: &str) -> HashMap<String, String> {
    let call = world
        .sqs
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(QueueAttributeName::All);
    let answered = call.send().await.unwrap().attributes.unwrap_or_default();
    answered
        .into_iter()
        .map(|(name, value)| (name.as_str().to_owned(), value))
        .collect()
}

#[tokio::test]
async fn a_queue_is_made_with_the_defaults_of_aws() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    assert_eq!(url, format!("{}/000000000000/Orders", world.aws.url()));
    let answered = attributes(&world, &url).await;
    for (name, value) in [
        ("VisibilityTimeout", "30"),
        ("MessageRetentionPeriod", "345600"),
        ("DelaySeconds", "0"),
        ("ReceiveMessageWaitTimeSeconds", "0"),
        ("MaximumMessageSize", "1048576"),
        ("QueueArn", "arn:aws:sqs:us-east-1:000000000000:Orders"),
        ("ApproximateNumberOfMessages", "0"),
        ("ApproximateNumberOfMessagesNotVisible", "0"),
        ("ApproximateNumberOfMessagesDelayed", "0"),
        ("SqsManagedSseEnabled", "true"),
    ] {
        assert_eq!(
            answered.get(name).map(String::as_str),
            Some(value),
            "{name}"
        );
    }
    assert_eq!(
        answered["CreatedTimestamp"],
        answered["LastModifiedTimestamp"]
    );
    assert!(
        !answered.contains_key("RedrivePolicy"),
        "what was never set is not told"
    );
}

#[tokio::test]
async fn making_a_queue_again_with_the_same_attributes_finds_it() {
    let world = AwsWorld::start().await;
    let url = world
        .queue_with("Orders", &[("VisibilityTimeout", "90")])
        .await;
    assert_eq!(
        world
            .queue_with("Orders", &[("VisibilityTimeout", "90")])
            .await,
        url
    );
    assert_eq!(
        world.queue("Orders").await,
        url,
        "attributes that are not named are not compared"
    );
    let other = world
        .sqs
        .create_queue()
        .queue_name("Orders")
        .attributes(QueueAttributeName::VisibilityTimeout, "91");
    assert_eq!(code(other.send().await), "QueueAlreadyExists");
    let other = world
        .sqs
        .create_queue()
        .queue_name("Orders")
        .attributes(QueueAttributeName::DelaySeconds, "1");
    let error = other.send().await.unwrap_err().into_service_error();
    assert!(error.is_queue_name_exists(), "{error:?}");
}

#[tokio::test]
async fn queue_names_have_up_to_eighty_letters_digits_hyphens_and_underscores() {
    let world = AwsWorld::start().await;
    world.queue(&"a".repeat(80)).await;
    world.queue("A-z_09").await;
    for name in [&"a".repeat(81), "with space", "with.dot", "ümlaut", "a/b"] {
        let made = world.sqs.create_queue().queue_name(name).send().await;
        assert_eq!(code(made), "InvalidParameterValue", "{name}");
    }
    assert_eq!(
        code(world.sqs.create_queue().queue_name("").send().await),
        "MissingParameter"
    );
}

#[tokio::test]
async fn fifo_queues_are_refused_clearly() {
    let world = AwsWorld::start().await;
    let by_name = world
        .sqs
        .create_queue()
        .queue_name("Orders.fifo")
        .send()
        .await;
    assert_eq!(code(by_name), "AWS.SimpleQueueService.UnsupportedOperation");
    let by_attribute = world
        .sqs
        .create_queue()
        .queue_name("Orders")
        .attributes(QueueAttributeName::FifoQueue, "true");
    assert_eq!(
        code(by_attribute.send().await),
        "AWS.SimpleQueueService.UnsupportedOperation"
    );
}

#[tokio::test]
async fn attributes_outside_of_their_ranges_are_refused_and_change_nothing() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    let before = attributes(&world, &url).await;
    for (name, values) in [
        ("VisibilityTimeout", ["-1", "43201", "soon"]),
        ("MessageRetentionPeriod", ["59", "1209601", ""]),
        ("DelaySeconds", ["-1", "901", "1.5"]),
        ("ReceiveMessageWaitTimeSeconds", ["-1", "21", "x"]),
        ("MaximumMessageSize", ["1023", "1048577", "1k"]),
    ] {
        for value in values {
            let set = world
                .sqs
                .set_queue_attributes()
                .queue_url(&url)
                .attributes("DelaySeconds".into(), "7");
            let set = set.attributes(name.into(), value).send().await;
            assert_eq!(code(set), "InvalidAttributeValue", "{name} = {value:?}");
        }
    }
    let unknown = world
        .sqs
        .set_queue_attributes()
        .queue_url(&url)
        .attributes("Colour".into(), "red")
        .send()
        .await;
    assert_eq!(code(unknown), "InvalidAttributeName");
    let read_only = world
        .sqs
        .set_queue_attributes()
        .queue_url(&url)
        .attributes("QueueArn".into(), "x")
        .send()
        .await;
    assert_eq!(code(read_only), "InvalidAttributeName");
    assert_eq!(attributes(&world, &url).await, before);
}

#[tokio::test]
async fn attributes_at_the_ends_of_their_ranges_are_taken_and_told() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    world.advance(5);
    for (name, values) in [
        ("VisibilityTimeout", ["0", "43200"]),
        ("MessageRetentionPeriod", ["60", "1209600"]),
        ("DelaySeconds", ["0", "900"]),
        ("ReceiveMessageWaitTimeSeconds", ["0", "20"]),
        ("MaximumMessageSize", ["1024", "1048576"]),
    ] {
        for value in values {
            let set = world
                .sqs
                .set_queue_attributes()
                .queue_url(&url)
                .attributes(name.into(), value);
            set.send().await.unwrap();
            assert_eq!(attributes(&world, &url).await[name], value, "{name}");
        }
    }
    let answered = attributes(&world, &url).await;
    assert_ne!(
        answered["CreatedTimestamp"],
        answered["LastModifiedTimestamp"]
    );
}

#[tokio::test]
async fn only_the_attributes_asked_for_are_told_and_unknown_ones_are_refused() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    let call = || world.sqs.get_queue_attributes().queue_url(&url);
    assert_eq!(
        call().send().await.unwrap().attributes,
        None,
        "none asked, none told"
    );
    let two = call()
        .attribute_names("QueueArn".into())
        .attribute_names("DelaySeconds".into())
        .send()
        .await
        .unwrap();
    assert_eq!(two.attributes.unwrap().len(), 2);
    assert_eq!(
        code(call().attribute_names("Colour".into()).send().await),
        "InvalidAttributeName"
    );
}

#[tokio::test]
async fn queues_are_found_by_name_and_listed_by_prefix_and_page() {
    let world = AwsWorld::start().await;
    for name in ["a-1", "a-2", "a-3", "b-1"] {
        world.queue(name).await;
    }
    let found = world
        .sqs
        .get_queue_url()
        .queue_name("a-2")
        .send()
        .await
        .unwrap();
    assert_eq!(found.queue_url.unwrap(), world.aws.queue_url("a-2"));
    let missing = world
        .sqs
        .get_queue_url()
        .queue_name("c")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(missing.is_queue_does_not_exist(), "{missing:?}");

    assert_eq!(
        world
            .sqs
            .list_queues()
            .send()
            .await
            .unwrap()
            .queue_urls()
            .len(),
        4
    );
    let list = || {
        world
            .sqs
            .list_queues()
            .queue_name_prefix("a-")
            .max_results(2)
    };
    let first = list().send().await.unwrap();
    assert_eq!(
        first.queue_urls(),
        [world.aws.queue_url("a-1"), world.aws.queue_url("a-2")]
    );
    let second = list()
        .next_token(first.next_token.unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(second.queue_urls(), [world.aws.queue_url("a-3")]);
    assert_eq!(second.next_token, None);
    assert_eq!(
        world
            .sqs
            .list_queues()
            .queue_name_prefix("zz")
            .send()
            .await
            .unwrap()
            .queue_urls,
        None
    );
}

#[tokio::test]
async fn a_deleted_queue_is_gone_with_its_messages() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    world.send(&url, "lost").await;
    world
        .sqs
        .delete_queue()
        .queue_url(&url)
        .send()
        .await
        .unwrap();
    let send = world
        .sqs
        .send_message()
        .queue_url(&url)
        .message_body("x")
        .send()
        .await;
    assert_eq!(code(send), "AWS.SimpleQueueService.NonExistentQueue");
    assert_eq!(
        code(world.sqs.delete_queue().queue_url(&url).send().await),
        "AWS.SimpleQueueService.NonExistentQueue"
    );
    let url = world.queue("Orders").await;
    assert!(world.receive(&url).await.is_empty());
}

#[tokio::test]
async fn purging_empties_a_queue_and_not_twice_within_a_minute() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    let other = world.queue("Other").await;
    for body in ["a", "b", "c"] {
        world.send(&url, body).await;
    }
    world.send(&other, "stays").await;
    world
        .sqs
        .receive_message()
        .queue_url(&url)
        .send()
        .await
        .unwrap();
    world
        .sqs
        .purge_queue()
        .queue_url(&url)
        .send()
        .await
        .unwrap();
    assert_eq!(world.aws.queue_depth("Orders"), Some(Depth::default()));
    let again = world
        .sqs
        .purge_queue()
        .queue_url(&url)
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(again.is_purge_queue_in_progress(), "{again:?}");
    world.advance(60);
    world
        .sqs
        .purge_queue()
        .queue_url(&url)
        .send()
        .await
        .unwrap();
    assert_eq!(world.bodies(&other).await, ["stays"]);
}

#[tokio::test]
async fn counts_tell_visible_in_flight_and_delayed_messages_apart() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    for body in ["a", "b", "c"] {
        world.send(&url, body).await;
    }
    world
        .sqs
        .send_message()
        .queue_url(&url)
        .message_body("later")
        .delay_seconds(10)
        .send()
        .await
        .unwrap();
    world
        .sqs
        .receive_message()
        .queue_url(&url)
        .max_number_of_messages(2)
        .send()
        .await
        .unwrap();
    let answered = attributes(&world, &url).await;
    assert_eq!(answered["ApproximateNumberOfMessages"], "1");
    assert_eq!(answered["ApproximateNumberOfMessagesNotVisible"], "2");
    assert_eq!(answered["ApproximateNumberOfMessagesDelayed"], "1");
    let depth = world.aws.queue_depth("Orders").unwrap();
    assert_eq!(
        depth,
        Depth {
            visible: 1,
            in_flight: 2,
            delayed: 1
        }
    );
    assert_eq!(depth.total(), 4);
    world.advance(31);
    assert_eq!(
        world.aws.queue_depth("Orders"),
        Some(Depth {
            visible: 4,
            in_flight: 0,
            delayed: 0
        })
    );
    assert_eq!(world.aws.queue_depth("Nobody"), None);
}

#[tokio::test]
async fn tags_are_kept_replaced_and_removed() {
    let world = AwsWorld::start().await;
    let made = world
        .sqs
        .create_queue()
        .queue_name("Orders")
        .tags("team", "shop")
        .send()
        .await
        .unwrap();
    let url = made.queue_url.unwrap();
    world
        .sqs
        .tag_queue()
        .queue_url(&url)
        .tags("env", "test")
        .tags("team", "sales")
        .send()
        .await
        .unwrap();
    let tags = world
        .sqs
        .list_queue_tags()
        .queue_url(&url)
        .send()
        .await
        .unwrap()
        .tags
        .unwrap();
    assert_eq!(
        tags,
        HashMap::from([
            ("env".into(), "test".into()),
            ("team".into(), "sales".into())
        ])
    );
    world
        .sqs
        .untag_queue()
        .queue_url(&url)
        .tag_keys("env")
        .tag_keys("never")
        .send()
        .await
        .unwrap();
    let tags = world
        .sqs
        .list_queue_tags()
        .queue_url(&url)
        .send()
        .await
        .unwrap()
        .tags
        .unwrap();
    assert_eq!(tags, HashMap::from([("team".into(), "sales".into())]));
    assert_eq!(
        code(
            world
                .sqs
                .tag_queue()
                .queue_url(&url)
                .tags("", "x")
                .send()
                .await
        ),
        "InvalidParameterValue"
    );
}

#[tokio::test]
async fn queues_settings_tags_and_messages_outlive_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let world = AwsWorld::in_folder(folder.path()).await;
    let (url, _) = world.queue_and_dead("Orders", "Dead", 3).await;
    world
        .sqs
        .tag_queue()
        .queue_url(&url)
        .tags("team", "shop")
        .send()
        .await
        .unwrap();
    world.send(&url, "kept").await;
    let before = attributes(&world, &url).await;
    world.aws.stop().await;
    drop(world);

    let again = AwsWorld::in_folder(folder.path()).await;
    let url = again.aws.queue_url("Orders");
    assert_eq!(attributes(&again, &url).await, before);
    let tags = again
        .sqs
        .list_queue_tags()
        .queue_url(&url)
        .send()
        .await
        .unwrap()
        .tags
        .unwrap();
    assert_eq!(tags["team"], "shop");
    assert_eq!(again.bodies(&url).await, ["kept"]);
}

#[tokio::test]
async fn a_queue_url_counts_by_its_end_whatever_host_it_names_and_whatever_path_is_posted_to() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    let body = r#"{"QueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/Orders", "MessageBody": "x"}"#;
    let sent = post(&url, Some("AmazonSQS.SendMessage"), true, body).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    assert_eq!(world.bodies(&url).await, ["x"]);
}
