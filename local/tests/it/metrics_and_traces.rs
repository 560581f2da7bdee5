//! What the functions' processes tell of themselves: metrics and traces.

use std::net::UdpSocket;
use std::time::Duration;

use aws_sdk_sqs::types::MessageSystemAttributeName;
use domain::id::ChatId;
use domain::task::{Mint, Task, Work};
use domain::time::Timestamp;
use local::harness::TestStack;
use serde_json::{Value, json};
use simulators::lambda::Function;
use simulators::telegram::Fault;

use crate::startup::{env_without, spawn};

const ROOT: &str = "1-6920a1b2-0123456789abcdef01234567";

/// A bell of the chat, as Lambda hands it to the worker.
pub(crate) fn bell(stack: &TestStack) -> Vec<u8> {
    let body = json!({"kind": "work", "chatId": stack.chat_id}).to_string();
    let record = json!({"messageId": "m", "body": body, "attributes": {}, "messageAttributes": {},
        "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:InviteQueue"});
    json!({"Records": [record]}).to_string().into_bytes()
}

fn metrics(function: &Function) -> Vec<Value> {
    let logs = function.logs();
    let lines = logs
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["_aws"].is_object()).collect()
}

#[tokio::test]
async fn an_invocation_counts_what_it_did_in_one_line_also_when_logs_are_off() {
    let stack = TestStack::start().await;
    let mut env = env_without(&stack, &[]);
    env.extend([
        ("METRICS_NAMESPACE", "AdmitOne/test"),
        ("AWS_LAMBDA_LOG_LEVEL", "ERROR"),
    ]);
    stack.pause_schedule();
    let worker = spawn("worker", &env).await;
    stack.put_mint(1).await;
    stack.put_mint(2).await;
    worker.invoke(bell(&stack)).await.unwrap();
    let delivered = metrics(&worker);
    let [line] = &delivered[..] else {
        panic!("one line: {:#?}", worker.logs());
    };
    assert_eq!(
        (&line["Links"], &line["Attempts"]),
        (&json!(2.0), &json!(2.0))
    );
    assert_eq!(line["RequestToLink"].as_array().unwrap().len(), 2, "{line}");
    assert_eq!(
        line["_aws"]["CloudWatchMetrics"][0]["Namespace"],
        "AdmitOne/test"
    );

    stack
        .telegram
        .fail_mints(1, Fault::TooManyRequests { retry_after: 7 });
    stack.put_mint(3).await;
    worker.invoke(bell(&stack)).await.unwrap();
    let delivered = metrics(&worker);
    assert_eq!(delivered[1]["RateLimited"], 1.0, "{delivered:#?}");
    assert_eq!(delivered[1]["PausedSeconds"], 7.0, "{delivered:#?}");
    assert_eq!(
        (&delivered[2]["Faults"], &delivered[2]["fault"]),
        (&json!(1), &json!("rate_limited"))
    );
    stack.run_until_idle().await;
}

#[tokio::test]
async fn one_payment_is_followed_through_the_queues_to_telegram() {
    let mut stack = TestStack::start().await;
    stack.leaves_something();
    stack.pause_schedule();
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    daemon
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let address = daemon.local_addr().unwrap().to_string();
    // Nobody receives from there but this test.
    let parked = stack.env()["EVENT_QUEUE_URL"].replace("EventQueue", "EventDeadLetterQueue");
    let mut env = env_without(&stack, &["EVENT_QUEUE_URL"]);
    env.extend([
        ("AWS_XRAY_DAEMON_ADDRESS", address.as_str()),
        ("EVENT_QUEUE_URL", parked.as_str()),
    ]);
    let trace = format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1");
    let worker = spawn("worker", &env).await;
    // The task tells whose trace it is; a bell is of many.
    let put = async |n: u32, trace: &str| {
        let mint = Mint {
            request_id: format!("00000000-0000-8000-8000-{n:012}").parse().unwrap(),
            user_id: format!("u{n}"),
            transaction_id: format!("T{n}"),
            link_version: 0,
        };
        let now = Timestamp::from_ms(stack.clock.now_ms());
        let task = Task::new(ChatId(stack.chat_id), Work::Mint(mint), now);
        stack.put(&task.traced(Some(trace.to_owned()))).await;
    };
    put(1, &trace).await;
    worker.invoke(bell(&stack)).await.unwrap();

    let mut datagram = [0; 4096];
    let length = daemon.recv(&mut datagram).unwrap();
    let (_, document) = std::str::from_utf8(&datagram[..length])
        .unwrap()
        .split_once('\n')
        .unwrap();
    let document: Value = serde_json::from_str(document).unwrap();
    assert_eq!(
        (&document["name"], &document["trace_id"]),
        (&json!("Telegram"), &json!(ROOT))
    );
    assert_eq!(document["http"]["response"]["status"], 200);
    assert!(
        !document
            .to_string()
            .contains(stack.env()["TELEGRAM_BOT_TOKEN"].as_str())
    );

    let mut env = stack.env().clone().into_iter().collect();
    let sqs = runtime::aws::Shared::from_env(&mut env).sqs();
    let received = sqs
        .receive_message()
        .queue_url(&parked)
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .send()
        .await
        .unwrap();
    let event = received.messages().first().expect("the event is queued");
    let carried = event
        .attributes()
        .and_then(|all| all.get(&MessageSystemAttributeName::AwsTraceHeader));
    assert_eq!(carried, Some(&trace));

    // One that is not sampled costs nothing.
    daemon
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    put(2, &trace.replace("Sampled=1", "Sampled=0")).await;
    worker.invoke(bell(&stack)).await.unwrap();
    assert_eq!(stack.telegram.link_count(), 2);
    assert!(daemon.recv(&mut datagram).is_err());
}
