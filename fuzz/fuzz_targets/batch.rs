//! A whole SQS batch, attributes and all, to `worker` and to `events`.
//!
//! What is no bell (or event) is handed back, no message is named that was not in the batch, and nothing is sent that
//! the next receiver could not read.

#![no_main]

use std::collections::HashSet;
use std::sync::LazyLock;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use domain::event::{Event, PendingEvents};
use fuzz::{FuzzWorld, operation};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use store::queue::Bell;

static WORLD: LazyLock<FuzzWorld> = LazyLock::new(FuzzWorld::default);
static WORKER: LazyLock<worker::App> = LazyLock::new(|| WORLD.start(worker::App::from_env));
static EVENTS: LazyLock<events::App> = LazyLock::new(|| WORLD.start(events::App::from_env));

/// Whether a body is one of the event queue.
fn is_told(body: &str) -> bool {
    serde_json::from_str::<Event>(body).is_ok()
        || serde_json::from_str::<PendingEvents>(body).is_ok()
}

fn check(batch: &SqsEvent, answer: &SqsBatchResponse, is_read: impl Fn(&str) -> bool) {
    let id = |message: &aws_lambda_events::sqs::SqsMessage| {
        message.message_id.clone().unwrap_or_default()
    };
    let failed: HashSet<&str> = answer
        .batch_item_failures
        .iter()
        .map(|failure| failure.item_identifier.as_str())
        .collect();
    let ids: HashSet<String> = batch.records.iter().map(id).collect();
    assert!(
        failed.iter().all(|id| ids.contains(*id)),
        "a message that was not in the batch"
    );
    for message in &batch.records {
        if !is_read(message.body.as_deref().unwrap_or_default()) {
            assert!(failed.contains(id(message).as_str()), "poison was deleted");
        }
    }
    for call in WORLD.taken() {
        if operation(&call) != "SendMessage" {
            continue;
        }
        let body: Value = serde_json::from_slice(call.body()).expect("JSON");
        let text = body["MessageBody"].as_str().expect("a text");
        assert!(
            !text.contains(['\u{fffe}', '\u{ffff}']),
            "SQS takes no such character"
        );
        let is_readable = serde_json::from_str::<Bell>(text).is_ok() || is_told(text);
        assert!(is_readable, "poison was sent");
    }
}

fuzz_target!(|input: &[u8]| {
    let Ok(batch) = serde_json::from_slice::<SqsEvent>(input) else {
        return;
    };
    // SQS hands over ten at most.
    if batch.records.len() > 10 {
        return;
    }
    let answer = WORLD.run(worker::answer_bells(
        &WORKER,
        batch.clone(),
        runtime::lambda::deadline(0),
    ));
    check(&batch, &answer, |body| {
        serde_json::from_str::<Bell>(body).is_ok()
    });
    let answer = WORLD.run(events::handle(&EVENTS, batch.clone()));
    check(&batch, &answer, is_told);
});
