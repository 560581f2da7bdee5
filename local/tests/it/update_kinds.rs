//! Every kind of update, as the types of two widely used libraries write it (`local/tests/clients/updates.py`): answered at
//! once, whatever is in it, and none ends badly.

use std::time::Duration;

use local::harness::TestStack;
use serde::Deserialize;
use serde_json::{Value, json};
use simulators::telegram::User;

const UPDATES: &str = include_str!("../data/updates.jsonl");
const DESK: i64 = -1_001_777_000_111;

#[derive(Deserialize)]
struct Sample {
    /// The library, the kind, and what is in it.
    of: String,
    update: Value,
}

#[tokio::test]
async fn every_kind_of_update_is_answered_and_none_is_parked() {
    let desk = DESK.to_string();
    let stack = TestStack::with(&[("CHAT_DELIVERY", "claim"), ("OPERATOR_CHAT_ID", &desk)]).await;
    stack
        .telegram
        .add_by_admin(DESK, User::new(500).named("Olga"));
    stack.actor("crm", "backend").await;
    let mut not_taken = Vec::new();
    for line in UPDATES.lines() {
        let Sample { of, update } = serde_json::from_str(line).unwrap();
        let answer = stack.telegram.send(&update).await;
        if answer.status != 200 {
            not_taken.push(format!("{of}: {}", answer.status));
        }
        // Nobody writes more than 30 messages a minute.
        stack.clock.advance(Duration::from_secs(2));
    }
    assert_eq!(not_taken, Vec::<String>::new());
    let parked = stack.operator().get("updates/parked").await.done();
    assert_eq!(parked["updates"], json!([]));
    stack.run_until_idle().await;
    // And the bot lives on.
    let ann = stack.customer(1_000_007);
    ann.say(stack.bot_id, "/help");
    stack.run_until_idle().await;
    assert!(!ann.messages_of(stack.bot_id).is_empty());
}
