//! The lists of requests that wait and that were given up, and retrying all of these.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use local::harness::TestStack;
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};

use super::{acted, failed, get, history, post, quiet, story};

async fn list(stack: &TestStack, query: &str) -> Value {
    let answer = get(stack, &format!("invites?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["chats"][0].clone()
}

fn ids(page: &Value) -> Vec<String> {
    let rows = page["invites"].as_array().unwrap().iter();
    rows.map(|row| row["requestId"].as_str().unwrap().to_owned())
        .collect()
}

async fn retry_all(stack: &TestStack, body: Value) -> Value {
    let answer = post(stack, "invites/retry-all", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

async fn pause(stack: &TestStack) {
    let path = format!("chats/{}/pause", stack.chat_id);
    let answer = post(stack, &path, &json!({"reason": "test"})).await;
    assert_eq!(answer.status, 200);
}

async fn resume(stack: &TestStack) {
    let path = format!("chats/{}/resume", stack.chat_id);
    assert_eq!(post(stack, &path, &json!({})).await.status, 200);
}

/// An item of a lane that no version of ours writes.
async fn put_malformed(stack: &TestStack, lane: &str, key: &str) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let item: HashMap<String, AttributeValue> = [
        ("lane".to_owned(), text(lane)),
        ("key".to_owned(), text(key)),
        ("kind".to_owned(), text("?")),
    ]
    .into();
    let put = stack.dynamodb().put_item().table_name("ChatTasks");
    put.set_item(Some(item)).send().await.unwrap();
}

#[tokio::test]
async fn who_waits_is_listed_the_oldest_first_over_all_lanes_page_by_page() {
    let stack = quiet(&[("SAFE_RPS_SLEEP_MS", "34")]).await;
    let (replaced, _) = stack.admitted("u0", "T0").await;
    pause(&stack).await;
    let mut bought = Vec::new();
    for number in 0..130 {
        stack.advance(std::time::Duration::from_millis(10));
        if number == 60 {
            // Between the others by its age, in the lane of its bot.
            acted(&stack, &replaced, "reissue", json!({})).await;
            bought.push(replaced.clone());
            stack.advance(std::time::Duration::from_millis(10));
        }
        bought.push(stack.bought("ann", &format!("N{number}")).await);
    }
    let chat = stack.chat_id;
    let first = list(&stack, "status=Waiting").await;
    assert_eq!(first["chatId"], chat);
    let row = &first["invites"][0];
    assert_eq!(
        [
            &row["kind"],
            &row["status"],
            &row["userId"],
            &row["transactionId"]
        ],
        ["mint", "QUEUED", "ann", "N0"]
    );
    assert_eq!(row["attempts"], 0);
    let (mut found, mut page, mut pages) = (ids(&first), first, 1);
    while let Some(cursor) = page["cursor"].as_str() {
        page = list(
            &stack,
            &format!("status=WAITING&chatId={chat}&cursor={cursor}"),
        )
        .await;
        assert!(page["invites"].as_array().unwrap().len() <= 50);
        found.extend(ids(&page));
        pages += 1;
    }
    assert_eq!((&found, pages), (&bought, 3));
    let kinds = list(&stack, "status=waiting").await["invites"].to_string();
    assert!(!kinds.contains("t.me"), "no link");
    resume(&stack).await;
    stack.run_until_idle().await;
    assert!(ids(&list(&stack, "status=waiting").await).is_empty());
}

#[tokio::test]
async fn a_request_that_waits_after_a_failure_is_listed_with_the_reason() {
    let stack = quiet(&[("BASE_BACKOFF_SEC", "600")]).await;
    let fault = simulators::telegram::Fault::Internal;
    let rule = simulators::telegram::FaultRule::on("createChatInviteLink", fault);
    stack.telegram.fail(rule.times(1));
    let id = stack.bought("u1", "T1").await;
    let row = local::harness::until("the task is deferred", async || {
        let row = list(&stack, "status=waiting").await["invites"][0].clone();
        row["notBefore"].is_string().then_some(row)
    })
    .await;
    assert_eq!(
        (&row["requestId"], &row["attempts"]),
        (&json!(id), &json!(1))
    );
    assert_eq!(row["status"], "PROCESSING");
    let error = row["lastError"].as_str().unwrap();
    assert!(
        error.starts_with("Telegram refused createChatInviteLink: 500"),
        "{error}"
    );
    stack.run_until_idle().await;
}

#[tokio::test]
async fn all_that_was_given_up_is_listed_and_retried_and_what_is_malformed_is_left_and_counted() {
    let stack = quiet(&[]).await;
    let mut given_up = Vec::new();
    for number in 0..5 {
        given_up.push(failed(&stack, "u", &format!("T{number}")).await);
        // A success between, so that it is each one's own failure.
        stack.admitted("v", &format!("V{number}")).await;
    }
    let (replaced, _) = stack.admitted("w", "W").await;
    super::refuse_for_good(&stack);
    acted(&stack, &replaced, "reissue", json!({})).await;
    stack.run_until_idle().await;
    given_up.push(replaced.clone());
    let lane = format!("{}#failed", stack.chat_id);
    put_malformed(&stack, &lane, "9999999999999#x").await;
    let page = list(&stack, "status=FAILED").await;
    let rows = page["invites"].as_array().unwrap();
    assert_eq!(rows.len(), 7);
    let malformed = rows.iter().filter(|row| row["kind"] == "malformed").count();
    assert_eq!(malformed, 1);
    let listed: Vec<&str> = rows
        .iter()
        .filter_map(|row| row["requestId"].as_str())
        .collect();
    assert_eq!(listed, given_up);
    assert_eq!(
        (&rows[1]["attempts"], &rows[1]["status"]),
        (&json!(5), &json!("FAILED"))
    );
    assert!(
        rows[1]["lastError"]
            .as_str()
            .unwrap()
            .starts_with("Telegram refused")
    );

    // An answer of DynamoDB is lost on the way, and a second operator calls at the same time.
    let rule = FaultRule::new(WireFault::ResetAfter).on(Service::DynamoDb, "TransactWriteItems");
    let hits = stack.aws().wire().fail(rule.skip(2));
    let body = json!({"chatId": stack.chat_id});
    let (one, other) = tokio::join!(retry_all(&stack, body.clone()), retry_all(&stack, body));
    assert_eq!(hits.count(), 1);
    assert!(
        one["retried"].as_u64().unwrap() + other["retried"].as_u64().unwrap() >= 6,
        "{one} {other}"
    );
    stack.run_until_idle().await;
    let links = stack.telegram.links().len();
    for id in &given_up {
        stack.link(id).await;
    }
    assert_eq!(links, 5 + 1 + 6, "each got one");
    for id in &given_up[..5] {
        assert!(
            history(&story(&stack, id).await)
                .iter()
                .all(|action| *action == "retry")
        );
    }
    let again = retry_all(&stack, json!({})).await;
    assert_eq!(
        again,
        json!({"ok": true, "retried": 0, "dropped": 0, "malformed": 1, "failed": 0, "left": 1})
    );
    let answer = post(&stack, "invites/retry-all", &json!({"chatId": -7})).await;
    assert_eq!((answer.status, answer.code()), (400, "unknown_chat"));
}

#[tokio::test]
async fn one_call_retries_a_bounded_number_and_tells_what_is_left() {
    let stack = quiet(&[]).await;
    pause(&stack).await;
    // As if 230 revocations had been given up.
    let lane = format!("{}#failed", stack.chat_id);
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let number = |number: &str| AttributeValue::N(number.to_owned());
    for n in 0..230 {
        let url = format!("https://t.me/+given-up-{n}");
        let hash = domain::id::InviteLink::new(&url).hash();
        let key = format!("1#1767225600000#{}", hash.as_str());
        let item: HashMap<String, AttributeValue> = [
            ("lane", text(&lane)),
            ("key", text(&key)),
            ("kind", text("revoke")),
            ("chatId", number(&stack.chat_id.to_string())),
            ("botId", number(&stack.bot_id.to_string())),
            ("inviteLink", text(&url)),
            ("createdAt", text("2026-01-01T00:00:00.000Z")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let put = stack.dynamodb().put_item().table_name("ChatTasks");
        put.set_item(Some(item)).send().await.unwrap();
    }
    let page = list(&stack, "status=failed").await;
    assert_eq!(page["invites"], json!([]));
    assert_eq!(
        (
            page["others"].as_array().unwrap().len(),
            &page["isMoreOthers"]
        ),
        (50, &json!(true))
    );
    assert_eq!(page["others"][0]["kind"], "revoke");
    let first = retry_all(&stack, json!({})).await;
    assert_eq!(
        (&first["retried"], &first["left"]),
        (&json!(200), &json!(30))
    );
    // Some tools send every value as text.
    let chat = json!({"chatId": stack.chat_id.to_string()});
    let second = retry_all(&stack, chat).await;
    assert_eq!(
        (&second["retried"], &second["left"]),
        (&json!(30), &json!(0))
    );
    assert_eq!(stack.tasks().await.len(), 230, "each in its own lane");
    resume(&stack).await;
    stack.run_until_idle().await;
}
