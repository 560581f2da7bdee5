//! The lists of requests that wait and that were given up, and retrying all of these.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use local::harness::{TestStack, until};
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::Fault;

use super::{failed, quiet, refuse_for_good};

fn ids(page: &Value) -> Vec<String> {
    let rows = page["invites"].as_array().unwrap().iter();
    rows.map(|row| row["requestId"].as_str().unwrap().to_owned())
        .collect()
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
    let (shop, operator) = (stack.shop(), stack.operator());
    let (replaced, _) = stack.admitted("u0", "T0").await;
    operator.pause("test").await.done();
    let mut bought = Vec::new();
    for number in 0..105 {
        stack.clock.advance(Duration::from_millis(10));
        if number == 60 {
            // Between the others by its age, in the lane of its bot.
            operator.reissue(&replaced).await.done();
            bought.push(replaced.clone());
            stack.clock.advance(Duration::from_millis(10));
        }
        bought.push(shop.bought("ann", &format!("N{number}")).await);
    }
    let chat = stack.chat_id;
    let first = operator.list("status=Waiting").await;
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
        page = operator
            .list(&format!("status=WAITING&chatId={chat}&cursor={cursor}"))
            .await;
        assert!(page["invites"].as_array().unwrap().len() <= 50);
        found.extend(ids(&page));
        pages += 1;
    }
    assert_eq!((&found, pages), (&bought, 3));
    let kinds = operator.list("status=waiting").await["invites"].to_string();
    assert!(!kinds.contains("t.me"), "no link");
    operator.resume().await.done();
    stack.run_until_idle().await;
    assert!(ids(&operator.list("status=waiting").await).is_empty());
}

#[tokio::test]
async fn a_request_that_waits_after_a_failure_is_listed_with_the_reason() {
    let stack = quiet(&[("BASE_BACKOFF_SEC", "600")]).await;
    let operator = stack.operator();
    stack.telegram.fail_mints(1, Fault::Internal);
    let id = stack.shop().bought("u1", "T1").await;
    let row = until("the task is deferred", async || {
        let row = operator.list("status=waiting").await["invites"][0].clone();
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
    let (shop, operator) = (stack.shop(), stack.operator());
    let mut given_up = Vec::new();
    for number in 0..5 {
        given_up.push(failed(&stack, "u", &format!("T{number}")).await);
        // A success between, so that it is each one's own failure.
        stack.admitted("v", &format!("V{number}")).await;
    }
    let (replaced, _) = stack.admitted("w", "W").await;
    refuse_for_good(&stack);
    operator.reissue(&replaced).await.done();
    stack.run_until_idle().await;
    given_up.push(replaced.clone());
    let lane = format!("{}#failed", stack.chat_id);
    put_malformed(&stack, &lane, "9999999999999#x").await;
    let page = operator.list("status=FAILED").await;
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
    let chat = json!({"chatId": stack.chat_id});
    let retry_all = || operator.post("invites/retry-all", &chat);
    let (one, other) = tokio::join!(retry_all(), retry_all());
    let (one, other) = (one.done(), other.done());
    assert_eq!(hits.count(), 1);
    assert!(
        one["retried"].as_u64().unwrap() + other["retried"].as_u64().unwrap() >= 6,
        "{one} {other}"
    );
    stack.run_until_idle().await;
    let links = stack.telegram.links().len();
    for id in &given_up {
        shop.link(id).await;
    }
    assert_eq!(links, 5 + 1 + 6, "each got one");
    for id in &given_up[..5] {
        let history = operator.history(id).await;
        assert!(history.iter().all(|entry| entry == "operator: retry"));
    }
    let again = operator.retry_all().await.done();
    assert_eq!(
        again,
        json!({"ok": true, "retried": 0, "dropped": 0, "malformed": 1, "failed": 0, "left": 1})
    );
    let answer = operator
        .post("invites/retry-all", &json!({"chatId": -7}))
        .await;
    assert_eq!(answer.refusal(), (400, "unknown_chat"));
}

#[tokio::test]
async fn one_call_retries_a_bounded_number_and_tells_what_is_left() {
    const GIVEN_UP: usize = 205;
    let stack = quiet(&[("SAFE_RPS_SLEEP_MS", "34")]).await;
    let operator = stack.operator();
    operator.pause("test").await.done();
    // As if more revocations than a call takes had been given up.
    let lane = format!("{}#failed", stack.chat_id);
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let number = |number: &str| AttributeValue::N(number.to_owned());
    for n in 0..GIVEN_UP {
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
    let page = operator.list("status=failed").await;
    assert_eq!(page["invites"], json!([]));
    assert_eq!(
        (
            page["others"].as_array().unwrap().len(),
            &page["isMoreOthers"]
        ),
        (50, &json!(true))
    );
    assert_eq!(page["others"][0]["kind"], "revoke");
    let first = operator.retry_all().await.done();
    assert_eq!(
        (&first["retried"], &first["left"]),
        (&json!(200), &json!(5))
    );
    // Some tools send every value as text.
    let chat = json!({"chatId": stack.chat_id.to_string()});
    let second = operator.post("invites/retry-all", &chat).await.done();
    assert_eq!(
        (&second["retried"], &second["left"]),
        (&json!(5), &json!(0))
    );
    assert_eq!(stack.tasks().await.len(), GIVEN_UP, "each in its own lane");
    operator.resume().await.done();
    stack.run_until_idle().await;
}
