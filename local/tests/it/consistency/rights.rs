//! Conditions of rights: what a role allows under one is what its function does, seen at the wire.

use std::collections::BTreeSet;
use std::time::Duration;

use local::harness::{Receiver, Reply, TestStack};
use local::resources::HOOKS_TICK_TIMEOUT;
use serde_json::{Value, json};
use simulators::aws::WireCall;

use super::template::resources;

/// The attributes that an update mentions, and those of its key.
fn mentioned(call: &WireCall) -> BTreeSet<String> {
    const WORDS: [&str; 10] = [
        "SET",
        "REMOVE",
        "ADD",
        "DELETE",
        "AND",
        "OR",
        "NOT",
        "attribute_exists",
        "attribute_not_exists",
        "if_not_exists",
    ];
    let request = &call.request;
    let names = request["Key"].as_object().unwrap().keys().cloned();
    let mut found: BTreeSet<String> = names.collect();
    for expression in ["UpdateExpression", "ConditionExpression"] {
        let text = request[expression].as_str().unwrap_or_default();
        let is_word = |c: char| c.is_ascii_alphanumeric() || "_:#".contains(c);
        let words = text.split(|c| !is_word(c));
        let words = words.filter(|word| !word.is_empty() && !word.starts_with(':'));
        for word in words.filter(|word| !WORDS.contains(word)) {
            let named = request["ExpressionAttributeNames"][word].as_str();
            found.insert(named.unwrap_or(word).to_owned());
        }
    }
    found
}

/// It calls addresses that others name, so it could not have an actor's updates sent elsewhere, or give it another role.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hooks_writes_of_an_actor_what_its_role_names_and_reads_no_keys() {
    let receiver = Receiver::start().await;
    let env = [
        ("CHAT_DELIVERY", "claim"),
        ("HOOK_EXEMPT_HOSTS", receiver.host.as_str()),
    ];
    let stack = TestStack::with(&env).await;
    let crm = stack.actor("crm", "operator").await;
    let set = json!({"url": receiver.url("/")});
    crm.call("setWebhook", &set).await.done();
    stack.clock.advance(Duration::from_secs(5));
    stack.pause_schedule();
    receiver.answers(Reply::status(500));
    stack.customer(7).say(stack.bot_id, "Hello");
    stack.run_until_idle().await;
    stack.clock.advance(Duration::from_secs(60));
    // From here on `hooks` alone is at work.
    let wire = stack.aws().wire();
    wire.record_calls(true);
    let deadline = tokio::time::Instant::now() + HOOKS_TICK_TIMEOUT;
    stack.functions().get("hooks").tick(deadline).await;
    let calls = wire.take_calls();
    wire.record_calls(false);
    assert!(receiver.calls().len() >= 2, "it was sent again");
    receiver.answers(Reply::status(200));
    stack.clock.advance(Duration::from_secs(60));
    let deadline = tokio::time::Instant::now() + HOOKS_TICK_TIMEOUT;
    stack.functions().get("hooks").tick(deadline).await;
    let of_actors = calls
        .iter()
        .filter(|call| call.table_or_queue.as_deref() == Some("Actors"));
    let (mut written, mut keys) = (BTreeSet::new(), BTreeSet::new());
    for call in of_actors {
        let key = call.request["Key"]["keyHash"]["S"].as_str().unwrap();
        keys.insert((call.operation, key.to_owned()));
        if call.operation == "UpdateItem" {
            written.extend(mentioned(call));
            for returned in ["ReturnValues", "ReturnValuesOnConditionCheckFailure"] {
                let is_none = [&Value::Null, &json!("NONE")].contains(&&call.request[returned]);
                assert!(is_none, "{}", call.request);
            }
        }
    }
    let expected = [
        ("GetItem", "actor#crm"),
        ("GetItem", "list"),
        ("UpdateItem", "actor#crm"),
    ];
    assert_eq!(
        keys,
        expected.map(|(call, key)| (call, key.to_owned())).into()
    );
    let role = &resources("AWS::IAM::Role")["HooksRole"]["Properties"]["Policies"][0];
    let statements = role["PolicyDocument"]["Statement"].as_array().unwrap();
    let under = |operation: &str| {
        let action = format!("dynamodb:{operation}");
        let mut found = statements.iter().filter(|statement| {
            statement["Action"] == action && statement["Resource"]["!GetAtt"] == "Actors.Arn"
        });
        let statement = found.next().expect("a statement of its own");
        assert!(found.next().is_none());
        statement["Condition"].clone()
    };
    assert_eq!(
        under("GetItem"),
        json!({"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["list", "actor#*"]}})
    );
    let update = under("UpdateItem");
    assert_eq!(
        update["ForAllValues:StringLike"]["dynamodb:LeadingKeys"],
        json!(["actor#*"])
    );
    let allowed = &update["ForAllValues:StringEquals"]["dynamodb:Attributes"];
    let allowed: BTreeSet<String> = serde_json::from_value(allowed.clone()).unwrap();
    // Why one failed is written where one fails.
    assert!(written.is_subset(&allowed), "{written:?}");
    for never in [
        "role",
        "chats",
        "rate",
        "webhookUrl",
        "webhookSecret",
        "presentKey",
    ] {
        assert!(!allowed.contains(never), "{never}");
    }
    let unused: Vec<_> = allowed.difference(&written).collect();
    assert!(unused.is_empty(), "{unused:?}");
}
