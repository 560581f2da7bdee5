//! An item of the table of tasks, as DynamoDB hands it over: of an older or newer version, or mended by hand.
//!
//! What is a task survives being written again. The dispatcher that meets the item sets it aside if it is not a task of
//! that place, and calls nobody for it; whatever it puts into the table can be read again.

#![no_main]

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lambda_events::sqs::SqsEvent;
use bytes::Bytes;
use domain::task::{Lane, Task};
use fuzz::{FuzzWorld, operation, well};
use http::{Request, Response};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use store::{Found, Tasks};

/// The table by itself.
static TABLE: LazyLock<FuzzWorld> = LazyLock::new(FuzzWorld::default);
static TASKS: LazyLock<Tasks> = LazyLock::new(|| {
    TABLE.start(|env, _| Tasks::from_env(runtime::aws::Shared::from_env(env).dynamodb(), env))
});
/// The dispatcher.
static WORLD: LazyLock<FuzzWorld> = LazyLock::new(FuzzWorld::default);
static WORKER: LazyLock<worker::App> = LazyLock::new(|| WORLD.start(worker::App::from_env));

fn dynamo(body: &Value) -> Response<Bytes> {
    Response::new(Bytes::from(body.to_string()))
}

fn is_tasks(call: &Value) -> bool {
    call["TableName"] == "ChatTasks"
}

/// The task that an item is, read in the lane that it names.
fn read(item: &Value) -> Option<Found> {
    let lane: Lane = item["lane"]["S"].as_str()?.parse().ok()?;
    let item = item.clone();
    TABLE.answer(move |_| dynamo(&json!({"Items": [item], "Count": 1, "ScannedCount": 1})));
    let page = TABLE.run(TASKS.page(lane, None, 1)).ok()?;
    page.found.into_iter().next()
}

/// The items that were put into the table of tasks.
fn put(calls: &[Request<Bytes>]) -> Vec<Value> {
    let mut items = Vec::new();
    for call in calls {
        let body = serde_json::from_slice::<Value>(call.body()).unwrap_or_default();
        match operation(call) {
            "PutItem" if is_tasks(&body) => items.push(body["Item"].clone()),
            "TransactWriteItems" => {
                let writes = body["TransactItems"].as_array().into_iter().flatten();
                let puts = writes
                    .map(|write| &write["Put"])
                    .filter(|put| is_tasks(put));
                items.extend(puts.map(|put| put["Item"].clone()));
            }
            _ => {}
        }
    }
    items
}

fn rewritten(task: &Task) {
    TABLE.answer(|_| dynamo(&json!({})));
    TABLE.run(TASKS.put(task)).expect("DynamoDB takes it");
    let items = put(&TABLE.taken());
    let Some(Found::Task(again)) = items.first().and_then(read) else {
        panic!("a task that was put is not read: {items:?}");
    };
    assert_eq!(again, *task);
}

fuzz_target!(|input: &[u8]| {
    let Ok(item) = serde_json::from_slice::<Value>(input) else {
        return;
    };
    let Some(found) = read(&item) else {
        return;
    };
    if let Found::Task(task) = &found
        && !matches!(task.key().lane, Lane::Failed(_))
    {
        rewritten(task);
    }
    // The dispatcher's look shows it once, in its lane.
    let (lane, shown) = (item["lane"]["S"].clone(), AtomicBool::new(false));
    let one = json!({"Items": [item], "Count": 1, "ScannedCount": 1});
    WORLD.answer(move |call| {
        let asked = serde_json::from_slice::<Value>(call.body()).unwrap_or_default();
        let is_its = operation(call) == "Query"
            && asked["ExpressionAttributeValues"][":lane"]["S"] == lane
            && !shown.swap(true, Ordering::SeqCst);
        if is_its { dynamo(&one) } else { well(call) }
    });
    let bell = json!({"kind": "work", "chatId": -1_001_234_567_890_i64}).to_string();
    let batch = json!({"Records": [{"messageId": "m", "body": bell}]});
    let batch: SqsEvent = serde_json::from_value(batch).expect("a batch");
    let answer = WORLD.run(worker::answer_bells(
        &WORKER,
        batch,
        runtime::lambda::deadline(0),
    ));
    assert!(answer.batch_item_failures.is_empty(), "a bell is no poison");
    let calls = WORLD.taken();
    if matches!(found, Found::Malformed(_)) {
        let host = |call: &Request<Bytes>| call.uri().host().unwrap_or_default().to_owned();
        let called = calls.iter().any(|call| host(call) == "api.telegram.org");
        assert!(!called, "Telegram was called for what is no task");
    }
    for item in put(&calls) {
        // What was set aside lies in its lane as it was.
        let is_set_aside = item["lastError"]["S"]
            .as_str()
            .is_some_and(|error| error.starts_with("malformed: "));
        if !is_set_aside {
            assert!(matches!(read(&item), Some(Found::Task(_))), "{item}");
        }
    }
});
