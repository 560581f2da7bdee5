//! What was accepted survives the end of the process at any moment.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod aws_client;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use aws_client::{AwsWorld, dynamodb_client, sqs_client};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
};
use simulators::aws::{Aws, Storage};
use simulators::clock::Clock;

/// This test binary again, as a server that keeps its data in `folder`.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "the_server_that_is_killed",
                "--ignored",
                "--nocapture",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "{}", folder.display()).unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines
            .find_map(|line| {
                line.unwrap()
                    .strip_prefix("listening on ")
                    .map(str::to_owned)
            })
            .unwrap();
        Self { child, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // On Unix this is SIGKILL.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "is started by the other tests, as a process of its own; ends when its standard input does"]
fn the_server_that_is_killed() {
    let mut folder = String::new();
    std::io::stdin().read_line(&mut folder).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(2)
        .build()
        .unwrap();
    let storage = Storage::Folder(folder.trim().into());
    let aws = runtime
        .block_on(Aws::start(
            ([127, 0, 0, 1], 0).into(),
            storage,
            Clock::new(),
        ))
        .unwrap();
    println!("\nlistening on {}", aws.url());
    std::io::stdout().flush().unwrap();
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).unwrap();
    runtime.block_on(aws.stop());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_of_a_rush_it_keeps_every_message_and_item_that_it_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let (sqs, dynamodb) = (sqs_client(&server.url), dynamodb_client(&server.url));
    let url = sqs
        .create_queue()
        .queue_name("Rush")
        .send()
        .await
        .unwrap()
        .queue_url
        .unwrap();
    let key = AttributeDefinition::builder()
        .attribute_name("id")
        .attribute_type("S".into())
        .build()
        .unwrap();
    let schema = KeySchemaElement::builder()
        .attribute_name("id")
        .key_type(KeyType::Hash)
        .build()
        .unwrap();
    let table = dynamodb
        .create_table()
        .table_name("Orders")
        .billing_mode(BillingMode::PayPerRequest);
    table
        .attribute_definitions(key)
        .key_schema(schema)
        .send()
        .await
        .unwrap();

    let rush: Vec<_> = (0..4)
        .map(|worker| {
            let (sqs, dynamodb, url) = (sqs.clone(), dynamodb.clone(), url.clone());
            tokio::spawn(async move {
                let (mut sent, mut put) = (Vec::new(), Vec::new());
                for order in 0.. {
                    let id = format!("{worker}-{order}");
                    let put_item = dynamodb
                        .put_item()
                        .table_name("Orders")
                        .item("id", AttributeValue::S(id.clone()));
                    if put_item
                        .condition_expression("attribute_not_exists(id)")
                        .send()
                        .await
                        .is_err()
                    {
                        break;
                    }
                    put.push(id.clone());
                    if sqs
                        .send_message()
                        .queue_url(&url)
                        .message_body(&id)
                        .send()
                        .await
                        .is_err()
                    {
                        break;
                    }
                    sent.push(id);
                }
                (sent, put)
            })
        })
        .collect();
    while sqs_count(&sqs, &url).await < 100 {
        tokio::task::yield_now().await;
    }
    drop(server);
    let (mut sent, mut put) = (Vec::new(), Vec::new());
    for worker in rush {
        let (its_sent, its_put) = worker.await.unwrap();
        sent.extend(its_sent);
        put.extend(its_put);
    }
    // What each worker had last sent may be counted, and its answer cut off.
    assert!(sent.len() >= 96, "the rush was under way: {}", sent.len());

    let again = AwsWorld::in_folder(folder.path()).await;
    for id in &put {
        let get = again
            .dynamodb
            .get_item()
            .table_name("Orders")
            .key("id", AttributeValue::S(id.clone()));
        assert!(
            get.send().await.unwrap().item.is_some(),
            "order {id} was accepted and is gone"
        );
    }
    let url = again.aws.queue_url("Rush");
    let mut found = Vec::new();
    loop {
        let bodies = again.bodies(&url).await;
        if bodies.is_empty() {
            break;
        }
        found.extend(bodies);
    }
    let lost: Vec<_> = sent.iter().filter(|id| !found.contains(id)).collect();
    assert!(
        lost.is_empty(),
        "messages that were accepted and are gone: {lost:?}"
    );
}

async fn sqs_count(sqs: &aws_sdk_sqs::Client, url: &str) -> u32 {
    let attributes = sqs
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names("All".into())
        .send()
        .await
        .unwrap();
    attributes.attributes.unwrap()[&"ApproximateNumberOfMessages".into()]
        .parse()
        .unwrap()
}

#[tokio::test]
async fn a_killed_server_leaves_in_flight_messages_hidden_with_their_handles_and_counts() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let sqs = sqs_client(&server.url);
    let url = sqs
        .create_queue()
        .queue_name("Held")
        .send()
        .await
        .unwrap()
        .queue_url
        .unwrap();
    for body in ["kept", "deleted"] {
        sqs.send_message()
            .queue_url(&url)
            .message_body(body)
            .send()
            .await
            .unwrap();
    }
    let received = sqs
        .receive_message()
        .queue_url(&url)
        .max_number_of_messages(10)
        .send()
        .await
        .unwrap();
    let received = received.messages.unwrap();
    assert_eq!(received.len(), 2);
    drop(server);

    let again = AwsWorld::in_folder(folder.path()).await;
    let url = again.aws.queue_url("Held");
    assert!(
        again.receive(&url).await.is_empty(),
        "both are still hidden"
    );
    let deleted = received
        .iter()
        .find(|message| message.body() == Some("deleted"))
        .unwrap();
    let delete = again
        .sqs
        .delete_message()
        .queue_url(&url)
        .receipt_handle(deleted.receipt_handle().unwrap());
    delete.send().await.unwrap();
    again.advance(31);
    let left = again.receive(&url).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].body(), Some("kept"));
    assert_eq!(
        left[0].attributes().unwrap()[&"ApproximateReceiveCount".into()],
        "2"
    );
}
