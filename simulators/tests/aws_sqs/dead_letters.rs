//! The way to the dead-letter queue.

use aws_sdk_sqs::types::QueueAttributeName;

use crate::aws_client::{AwsWorld, code};

#[tokio::test]
async fn the_receive_that_would_be_one_too_many_moves_the_message_instead() {
    let world = AwsWorld::start().await;
    let (url, dead) = world.queue_and_dead("Orders", "Dead", 3).await;
    let id = world.send(&url, "poison").await;
    for count in ["1", "2", "3"] {
        let message = world.receive(&url).await.remove(0);
        assert_eq!(
            message.attributes().unwrap()[&"ApproximateReceiveCount".into()],
            count
        );
        world.advance(30);
    }
    assert!(
        world.receive(&dead).await.is_empty(),
        "nothing moves before a receive asks for it"
    );
    assert!(
        world.receive(&url).await.is_empty(),
        "the fourth receive finds nothing"
    );
    let buried = world.receive(&dead).await.remove(0);
    assert_eq!(buried.message_id(), Some(id.as_str()));
    assert_eq!(buried.body(), Some("poison"));
    let attributes = buried.attributes().unwrap();
    assert_eq!(
        attributes[&"DeadLetterQueueSourceArn".into()],
        "arn:aws:sqs:us-east-1:000000000000:Orders"
    );
    assert_eq!(attributes[&"ApproximateReceiveCount".into()], "4");
    assert_eq!(world.aws.queue_depth("Orders").unwrap().total(), 0);
}

#[tokio::test]
async fn one_poison_message_does_not_keep_its_neighbours_from_being_received() {
    let world = AwsWorld::start().await;
    let (url, dead) = world.queue_and_dead("Orders", "Dead", 1).await;
    for number in 0..5 {
        world.send(&url, &format!("poison {number}")).await;
    }
    assert_eq!(world.receive(&url).await.len(), 5);
    world.advance(30);
    for number in 0..3 {
        world.send(&url, &format!("good {number}")).await;
    }
    let call = world
        .sqs
        .receive_message()
        .queue_url(&url)
        .max_number_of_messages(3)
        .send()
        .await
        .unwrap();
    let bodies: Vec<&str> = call
        .messages()
        .iter()
        .filter_map(|message| message.body())
        .collect();
    assert_eq!(bodies, ["good 0", "good 1", "good 2"]);
    assert_eq!(world.receive(&dead).await.len(), 5);
}

#[tokio::test]
async fn a_dead_letters_age_counts_from_its_first_sending() {
    let world = AwsWorld::start().await;
    let (url, dead) = world.queue_and_dead("Orders", "Dead", 1).await;
    let set = world.sqs.set_queue_attributes().queue_url(&dead);
    set.attributes(QueueAttributeName::MessageRetentionPeriod, "100")
        .send()
        .await
        .unwrap();
    world.send(&url, "x").await;
    world.receive(&url).await;
    world.advance(60);
    assert!(world.receive(&url).await.is_empty());
    assert_eq!(world.aws.queue_depth("Dead").unwrap().visible, 1);
    world.advance(41);
    assert!(
        world.receive(&dead).await.is_empty(),
        "101 seconds old, though 41 in this queue"
    );
}

#[tokio::test]
async fn a_handle_from_before_the_move_deletes_nothing() {
    let world = AwsWorld::start().await;
    let (url, _) = world.queue_and_dead("Orders", "Dead", 1).await;
    world.send(&url, "x").await;
    let handle = world.receive(&url).await.remove(0).receipt_handle.unwrap();
    world.advance(30);
    assert!(world.receive(&url).await.is_empty());
    world
        .sqs
        .delete_message()
        .queue_url(&url)
        .receipt_handle(handle)
        .send()
        .await
        .unwrap();
    assert_eq!(world.aws.queue_depth("Dead").unwrap().visible, 1);
}

#[tokio::test]
async fn redrive_policies_are_checked_when_they_are_set() {
    let world = AwsWorld::start().await;
    world.queue("Dead").await;
    let url = world.queue("Orders").await;
    let arn = "arn:aws:sqs:us-east-1:000000000000:Dead";
    for policy in [
        "nonsense".to_owned(),
        "[]".to_owned(),
        format!(r#"{{"deadLetterTargetArn":"{arn}"}}"#),
        r#"{"maxReceiveCount":3}"#.to_owned(),
        format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":0}}"#),
        format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":1001}}"#),
        format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":3,"colour":"red"}}"#),
        r#"{"deadLetterTargetArn":"Dead","maxReceiveCount":3}"#.to_owned(),
        r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:Nobody","maxReceiveCount":3}"#.to_owned(),
    ] {
        let set = world.sqs.set_queue_attributes().queue_url(&url);
        let set = set.attributes(QueueAttributeName::RedrivePolicy, &policy).send().await;
        assert_eq!(code(set), "InvalidParameterValue", "{policy}");
    }
    let answered = |url: String| {
        let call = world
            .sqs
            .get_queue_attributes()
            .queue_url(url)
            .attribute_names(QueueAttributeName::RedrivePolicy);
        async move {
            call.send()
                .await
                .unwrap()
                .attributes
                .unwrap_or_default()
                .remove(&QueueAttributeName::RedrivePolicy)
        }
    };
    assert_eq!(answered(url.clone()).await, None);
    let set = |policy: String| {
        let set = world.sqs.set_queue_attributes().queue_url(&url);
        set.attributes(QueueAttributeName::RedrivePolicy, policy)
            .send()
    };
    set(format!(
        r#"{{"maxReceiveCount":"5","deadLetterTargetArn":"{arn}"}}"#
    ))
    .await
    .unwrap();
    assert_eq!(
        answered(url.clone()).await.as_deref(),
        Some(
            r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:Dead","maxReceiveCount":5}"#
        )
    );
    set(String::new()).await.unwrap();
    assert_eq!(
        answered(url.clone()).await,
        None,
        "an empty policy removes it"
    );
}

#[tokio::test]
async fn a_queue_may_refuse_to_be_a_dead_letter_queue() {
    let world = AwsWorld::start().await;
    let dead = world.queue("Dead").await;
    let allow = |policy: &str| {
        let set = world.sqs.set_queue_attributes().queue_url(&dead);
        set.attributes(QueueAttributeName::RedriveAllowPolicy, policy)
            .send()
    };
    let policy =
        r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:Dead","maxReceiveCount":3}"#;
    let make = |name: &str| {
        world
            .sqs
            .create_queue()
            .queue_name(name)
            .attributes(QueueAttributeName::RedrivePolicy, policy)
            .send()
    };
    allow(r#"{"redrivePermission":"denyAll"}"#).await.unwrap();
    assert_eq!(code(make("Orders").await), "InvalidParameterValue");
    let only = r#"{"redrivePermission":"byQueue","sourceQueueArns":["arn:aws:sqs:us-east-1:000000000000:Orders"]}"#;
    allow(only).await.unwrap();
    make("Orders").await.unwrap();
    assert_eq!(code(make("Others").await), "InvalidParameterValue");
    allow(r#"{"redrivePermission":"allowAll"}"#).await.unwrap();
    make("Others").await.unwrap();
    assert_eq!(
        code(allow(r#"{"redrivePermission":"some"}"#).await),
        "InvalidAttributeValue"
    );
    assert_eq!(
        code(allow(r#"{"redrivePermission":"byQueue"}"#).await),
        "InvalidAttributeValue"
    );
}

#[tokio::test]
async fn the_sources_of_a_dead_letter_queue_are_listed() {
    let world = AwsWorld::start().await;
    let (orders, dead) = world.queue_and_dead("Orders", "Dead", 3).await;
    let (events, _) = world.queue_and_dead("Events", "Dead", 3).await;
    world.queue("Alone").await;
    let listed = world
        .sqs
        .list_dead_letter_source_queues()
        .queue_url(&dead)
        .send()
        .await
        .unwrap();
    assert_eq!(listed.queue_urls(), [events, orders.clone()]);
    let none = world
        .sqs
        .list_dead_letter_source_queues()
        .queue_url(&orders)
        .send()
        .await
        .unwrap();
    assert!(none.queue_urls().is_empty());
}
