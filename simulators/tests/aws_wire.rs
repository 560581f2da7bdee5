//! The wire itself: malformed calls, faults on order, the recorder and the hook, secrets, stopping.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod aws_client;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_client::{AwsWorld, code, post};
use aws_sdk_sqs::error::SdkError;
use simulators::aws::{FaultRule, Phase, Service, WireFault};

#[tokio::test]
async fn unknown_targets_are_unknown_operations() {
    let world = AwsWorld::start().await;
    for target in [
        None,
        Some(""),
        Some("nonsense"),
        Some("AmazonSQS."),
        Some("AmazonSQS.Dance"),
        Some("AmazonSQS.SendMessage.Twice"),
        Some("DynamoDB_20120810.Dance"),
        Some("DynamoDB_20111205.GetItem"),
        Some("secretsmanager.DeleteSecret"),
        Some("AmazonSNS.Publish"),
    ] {
        let answer = post(&world.aws.url(), target, true, "{}").await;
        assert_eq!(
            (answer.status, answer.kind()),
            (400, "com.amazon.coral.service#UnknownOperationException"),
            "{target:?}"
        );
    }
}

#[tokio::test]
async fn a_call_without_a_signature_is_refused_and_has_no_effect() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    let body = format!(r#"{{"QueueUrl": "{url}", "MessageBody": "x"}}"#);
    for target in [
        "AmazonSQS.SendMessage",
        "DynamoDB_20120810.ListTables",
        "secretsmanager.GetSecretValue",
    ] {
        let answer = post(&world.aws.url(), Some(target), false, body.clone()).await;
        assert_eq!(answer.status, 400);
        assert!(
            answer
                .kind()
                .ends_with("#MissingAuthenticationTokenException"),
            "{answer:?}"
        );
    }
    assert_eq!(world.aws.queue_depth("Orders").unwrap().total(), 0);
}

#[tokio::test]
async fn malformed_bodies_are_serialization_exceptions_and_never_a_panic() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"not json".to_vec(),
        b"{".to_vec(),
        b"[]".to_vec(),
        b"null".to_vec(),
        b"\"text\"".to_vec(),
        b"{\"a\": \xff\xfe}".to_vec(),
        b"\x00".to_vec(),
        deep.into_bytes(),
    ];
    for target in [
        "AmazonSQS.SendMessage",
        "AmazonSQS.ReceiveMessage",
        "DynamoDB_20120810.PutItem",
        "secretsmanager.GetSecretValue",
    ] {
        for body in &bodies {
            let answer = post(&world.aws.url(), Some(target), true, body.clone()).await;
            let shown = String::from_utf8_lossy(&body[..body.len().min(20)]);
            assert_eq!(
                (answer.status, answer.kind()),
                (400, "com.amazon.coral.service#SerializationException"),
                "{target} {shown}"
            );
        }
    }
    for (operation, body) in [
        ("SendMessage", r#"{"QueueUrl": 7, "MessageBody": "x"}"#),
        ("SendMessage", r#"{"QueueUrl": "U", "MessageBody": ["x"]}"#),
        (
            "SendMessage",
            r#"{"QueueUrl": "U", "MessageBody": "x", "DelaySeconds": "1"}"#,
        ),
        (
            "SendMessage",
            r#"{"QueueUrl": "U", "MessageBody": "x", "DelaySeconds": 1.5}"#,
        ),
        (
            "SendMessage",
            r#"{"QueueUrl": "U", "MessageBody": "x", "MessageAttributes": []}"#,
        ),
        ("SendMessageBatch", r#"{"QueueUrl": "U", "Entries": {}}"#),
        ("SendMessageBatch", r#"{"QueueUrl": "U", "Entries": [7]}"#),
        (
            "ReceiveMessage",
            r#"{"QueueUrl": "U", "MaxNumberOfMessages": true}"#,
        ),
        (
            "ReceiveMessage",
            r#"{"QueueUrl": "U", "AttributeNames": "All"}"#,
        ),
        (
            "SetQueueAttributes",
            r#"{"QueueUrl": "U", "Attributes": {"DelaySeconds": 5}}"#,
        ),
    ] {
        let body = body.replace("\"U\"", &format!("\"{url}\""));
        let answer = post(
            &world.aws.url(),
            Some(&format!("AmazonSQS.{operation}")),
            true,
            body.clone(),
        )
        .await;
        assert_eq!(
            (answer.status, answer.kind()),
            (400, "com.amazon.coral.service#SerializationException"),
            "{body} {answer:?}"
        );
    }
}

#[tokio::test]
async fn missing_members_are_named() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    for (operation, body, missing) in [
        ("CreateQueue", "{}", "QueueName"),
        ("GetQueueUrl", "{}", "QueueName"),
        ("DeleteQueue", "{}", "QueueUrl"),
        ("SendMessage", r#"{"MessageBody": "x"}"#, "QueueUrl"),
        ("SendMessage", r#"{"QueueUrl": "U"}"#, "MessageBody"),
        ("ReceiveMessage", "{}", "QueueUrl"),
        ("DeleteMessage", r#"{"QueueUrl": "U"}"#, "ReceiptHandle"),
        ("SetQueueAttributes", r#"{"QueueUrl": "U"}"#, "Attributes"),
        ("TagQueue", r#"{"QueueUrl": "U"}"#, "Tags"),
        ("UntagQueue", r#"{"QueueUrl": "U"}"#, "TagKeys"),
        ("StartMessageMoveTask", "{}", "SourceArn"),
        ("ListMessageMoveTasks", "{}", "SourceArn"),
        ("CancelMessageMoveTask", "{}", "TaskHandle"),
        (
            "SendMessageBatch",
            r#"{"QueueUrl": "U", "Entries": [{"MessageBody": "x"}]}"#,
            "Id",
        ),
    ] {
        let body = body.replace("\"U\"", &format!("\"{url}\""));
        let answer = post(
            &world.aws.url(),
            Some(&format!("AmazonSQS.{operation}")),
            true,
            body,
        )
        .await;
        assert_eq!(answer.status, 400);
        assert_eq!(
            answer.query_error.as_deref(),
            Some("MissingParameter;Sender"),
            "{operation}"
        );
        let message = answer.body["message"].as_str().unwrap();
        assert_eq!(
            message,
            format!("The request must contain the parameter {missing}.")
        );
    }
}

#[tokio::test]
async fn errors_carry_both_of_their_names() {
    let world = AwsWorld::start().await;
    let body = r#"{"QueueUrl": "http://x/000000000000/Nobody", "MessageBody": "x"}"#;
    let answer = post(&world.aws.url(), Some("AmazonSQS.SendMessage"), true, body).await;
    assert_eq!(
        (answer.status, answer.kind()),
        (400, "com.amazonaws.sqs#QueueDoesNotExist")
    );
    assert_eq!(
        answer.query_error.as_deref(),
        Some("AWS.SimpleQueueService.NonExistentQueue;Sender")
    );
}

#[tokio::test]
async fn bodies_beyond_the_limit_are_refused_before_they_are_read_whole() {
    let world = AwsWorld::start().await;
    world.queue("Orders").await;
    for (target, bytes) in [
        ("AmazonSQS.SendMessage", 7 << 20),
        ("DynamoDB_20120810.PutItem", 17 << 20),
    ] {
        let url = world.aws.url();
        let address = url.trim_start_matches("http://");
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {address}\r\nX-Amz-Target: {target}\r\nContent-Length: {bytes}\r\n\r\n"
        );
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        // The length alone is enough; not one byte of the body was sent.
        tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut answer))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(&answer, b"HTTP/1.1 413", "{target}");
    }
}

#[tokio::test]
async fn secrets_are_answered_by_name_or_arn_and_unknown_ones_are_not_found() {
    let world = AwsWorld::start().await;
    let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:admit/prod-AbCdEf";
    world.aws.put_secret(arn, r#"{"TELEGRAM_BOT_TOKEN":"1:a"}"#);
    world.aws.put_secret("plain", "{}");
    for id in [arn, "admit/prod"] {
        let answer = post(
            &world.aws.url(),
            Some("secretsmanager.GetSecretValue"),
            true,
            format!(r#"{{"SecretId": "{id}"}}"#),
        )
        .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(
            answer.body["SecretString"],
            r#"{"TELEGRAM_BOT_TOKEN":"1:a"}"#
        );
        assert_eq!(answer.body["ARN"], arn);
        assert_eq!(answer.body["Name"], "admit/prod");
        assert_eq!(answer.body["VersionStages"][0], "AWSCURRENT");
    }
    let missing = post(
        &world.aws.url(),
        Some("secretsmanager.GetSecretValue"),
        true,
        r#"{"SecretId": "other"}"#,
    )
    .await;
    assert_eq!(
        (missing.status, missing.kind()),
        (400, "ResourceNotFoundException")
    );
    let empty = post(
        &world.aws.url(),
        Some("secretsmanager.GetSecretValue"),
        true,
        "{}",
    )
    .await;
    assert_eq!((empty.status, empty.kind()), (400, "ValidationException"));
}

#[tokio::test]
async fn a_throttled_call_is_refused_in_the_services_own_words() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    let hits = world
        .aws
        .wire()
        .fail(FaultRule::new(WireFault::Throttle).times(2));
    let send = world
        .sqs
        .send_message()
        .queue_url(&url)
        .message_body("x")
        .send()
        .await
        .unwrap_err();
    assert!(send.into_service_error().is_request_throttled());
    let list = world.dynamodb.list_tables().send().await;
    assert_eq!(code(list), "ProvisionedThroughputExceededException");
    assert_eq!(hits.count(), 2);
    world.send(&url, "then it works").await;
    assert_eq!(world.bodies(&url).await, ["then it works"]);
}

#[tokio::test]
async fn a_failing_service_answers_500_without_effect() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    world.aws.wire().fail(
        FaultRule::new(WireFault::InternalError)
            .on(Service::Sqs, "SendMessage")
            .always(),
    );
    for _ in 0..3 {
        let error = world
            .sqs
            .send_message()
            .queue_url(&url)
            .message_body("x")
            .send()
            .await
            .unwrap_err();
        let SdkError::ServiceError(error) = error else {
            panic!("{error:?}")
        };
        assert_eq!(error.raw().status().as_u16(), 500);
    }
    world.aws.wire().clear_faults();
    world.send(&url, "x").await;
    assert_eq!(world.aws.queue_depth("Orders").unwrap().total(), 1);
}

#[tokio::test]
async fn a_reset_before_has_no_effect_and_a_reset_after_has() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    let send = || {
        world
            .sqs
            .send_message()
            .queue_url(&url)
            .message_body("x")
            .send()
    };
    for (action, stored) in [(WireFault::ResetBefore, 0), (WireFault::ResetAfter, 1)] {
        let hits = world.aws.wire().fail(
            FaultRule::new(action)
                .on(Service::Sqs, "SendMessage")
                .named("Orders"),
        );
        let error = send().await.unwrap_err();
        assert!(
            matches!(
                error,
                SdkError::DispatchFailure(_) | SdkError::ResponseError(_)
            ),
            "{error:?}"
        );
        assert_eq!(hits.count(), 1);
        assert_eq!(
            world.aws.queue_depth("Orders").unwrap().total(),
            stored,
            "{action:?}"
        );
    }
    send().await.unwrap();
}

#[tokio::test]
async fn a_fault_is_for_the_calls_that_it_names_after_those_that_it_skips() {
    let world = AwsWorld::start().await;
    let (url, other) = (world.queue("Orders").await, world.queue("Other").await);
    let rule = FaultRule::new(WireFault::Throttle)
        .on(Service::Sqs, "SendMessage")
        .named("Orders")
        .skip(1)
        .times(2);
    let hits = world.aws.wire().fail(rule);
    let mut failed = Vec::new();
    for _ in 0..5 {
        world.send(&other, "passes").await;
        failed.push(
            world
                .sqs
                .send_message()
                .queue_url(&url)
                .message_body("x")
                .send()
                .await
                .is_err(),
        );
    }
    assert_eq!(failed, [false, true, true, false, false]);
    assert_eq!(hits.count(), 2);
}

#[tokio::test]
async fn a_delayed_call_waits_by_the_clock_and_a_hanging_one_for_ever() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    let rule = |action| FaultRule::new(action).on(Service::Sqs, "SendMessage");
    let hits = world
        .aws
        .wire()
        .fail(rule(WireFault::Delay(Duration::from_secs(3600))));
    let begun = Instant::now();
    let send = tokio::spawn(
        world
            .sqs
            .send_message()
            .queue_url(&url)
            .message_body("late")
            .send(),
    );
    while hits.count() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.aws.queue_depth("Orders").unwrap().total(), 0);
    world.advance(3600);
    send.await.unwrap().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));

    world.aws.wire().fail(rule(WireFault::Hang));
    let send = world
        .sqs
        .send_message()
        .queue_url(&url)
        .message_body("never")
        .send();
    tokio::time::timeout(Duration::from_millis(200), send)
        .await
        .unwrap_err();
    assert_eq!(world.bodies(&url).await, ["late"]);
}

#[tokio::test]
async fn the_recorder_keeps_calls_of_all_services_in_order_with_what_was_asked() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    world.aws.wire().record_calls(true);
    world.send(&url, "x").await;
    world
        .sqs
        .get_queue_url()
        .queue_name("Nobody")
        .send()
        .await
        .unwrap_err();
    world.dynamodb.list_tables().send().await.unwrap();
    let calls = world.aws.wire().calls();
    let seen: Vec<_> = calls
        .iter()
        .map(|call| (call.operation, call.table_or_queue.as_deref(), call.status))
        .collect();
    assert_eq!(
        seen,
        [
            ("SendMessage", Some("Orders"), 200),
            ("GetQueueUrl", Some("Nobody"), 400),
            ("ListTables", None, 200)
        ]
    );
    assert_eq!(calls[0].request["MessageBody"], "x");
    assert!(
        calls
            .windows(2)
            .all(|pair| pair[0].seq < pair[1].seq && pair[0].at_ms <= pair[1].at_ms)
    );
    assert_eq!(
        world.aws.wire().counts()[&(Service::Sqs, "CreateQueue")],
        1,
        "counted before the recorder was on"
    );
}

#[tokio::test]
async fn the_hook_is_told_just_before_and_just_after_the_effect() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    let answered = Arc::new(Mutex::new(Vec::new()));
    let (aws, heard) = (world.aws.clone(), Arc::clone(&answered));
    world.aws.wire().on_call(Arc::new(move |phase, call| {
        let depth = aws.queue_depth("Orders").unwrap().total();
        heard
            .lock()
            .unwrap()
            .push((phase, call.operation, call.status, depth));
    }));
    world.send(&url, "x").await;
    world.aws.wire().clear_hook();
    world.send(&url, "unheard").await;
    assert_eq!(
        *answered.lock().unwrap(),
        [
            (Phase::Before, "SendMessage", 0, 0),
            (Phase::After, "SendMessage", 200, 1)
        ]
    );
}

#[tokio::test]
async fn a_stopped_server_refuses_connections_and_frees_its_port() {
    let world = AwsWorld::start().await;
    let url = world.queue("Orders").await;
    world.aws.stop().await;
    let send = world
        .sqs
        .send_message()
        .queue_url(&url)
        .message_body("x")
        .send()
        .await
        .unwrap_err();
    assert!(matches!(send, SdkError::DispatchFailure(_)), "{send:?}");
    let address = world.aws.url().trim_start_matches("http://").to_owned();
    drop(tokio::net::TcpListener::bind(address).await.unwrap());
    world.aws.stop().await;
}

#[tokio::test]
async fn a_server_stops_when_its_last_handle_is_dropped() {
    let AwsWorld { aws, sqs, .. } = AwsWorld::start().await;
    let other = aws.clone();
    drop(aws);
    sqs.list_queues().send().await.unwrap();
    drop(other);
    tokio::task::yield_now().await;
    sqs.list_queues().send().await.unwrap_err();
}
