//! What is known of one person, in a file or gone: asked for by the person in the bot, or by an operator.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::job::names_person;
use domain::texts::{Label, Language};
use local::harness::TestStack;
use local::resources::{INDEXES, TABLES};
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::{ButtonTap, Conversation, Tap, User};
use store::{Holding, PERSONAL_TABLES};

const CLAIMED: (&str, &str) = ("CHAT_DELIVERY", "claim");
/// A person whose id is no part of any other number.
const ALICE: i64 = 7_301_550_907;
/// The shop's name for her.
const USER: &str = "alice-of-the-shop";

#[test]
fn every_table_is_in_the_registry_of_personal_data() {
    let made: BTreeSet<&str> = TABLES.iter().map(|table| table.name).collect();
    let known: BTreeSet<&str> = PERSONAL_TABLES.iter().map(|table| table.name).collect();
    assert_eq!(made, known, "what each table holds of a person");
    assert_eq!(known.len(), PERSONAL_TABLES.len(), "none twice");
    for table in &PERSONAL_TABLES {
        let Holding::Partition(key, sort) = table.holding else {
            continue;
        };
        let shape = TABLES.iter().find(|made| made.name == table.name).unwrap();
        let keys = (shape.key, shape.sort_key.map(|(name, _)| name));
        assert_eq!((key, sort), keys, "{}", table.name);
    }
    let page = include_str!("../../../docs/design/personal-data.md");
    for table in &known {
        let row = format!("| `{table}` |");
        assert!(
            page.contains(&row),
            "docs/design/personal-data.md lacks {table}"
        );
    }
    // By these a person's items are found.
    for (table, index) in [("InviteRequests", "ByPerson"), ("Jobs", "ByPerson")] {
        assert!(
            INDEXES
                .iter()
                .any(|known| known.table == table && known.name == index)
        );
    }
}

/// The tables whose items name somebody, by the id or by the shop's name.
#[expect(clippy::disallowed_methods, reason = "a test looks at everything")]
async fn tables_that_name(stack: &TestStack, person: i64, user: &str) -> Vec<String> {
    let mut found = Vec::new();
    for table in &TABLES {
        let call = stack.dynamodb().scan().table_name(table.name);
        let mut items = call.into_paginator().items().send();
        while let Some(item) = items.next().await {
            let item = AttributeValue::M(item.unwrap());
            if names(&item, person, user) {
                found.push(format!("{}: {item:?}", table.name));
            }
        }
    }
    found
}

fn names(value: &AttributeValue, person: i64, user: &str) -> bool {
    let is_text = |text: &str| names_person(text, person) || text.contains(user);
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => is_text(text),
        AttributeValue::M(fields) => fields
            .iter()
            .any(|(name, value)| is_text(name) || names(value, person, user)),
        AttributeValue::L(values) => values.iter().any(|value| names(value, person, user)),
        AttributeValue::Ss(texts) | AttributeValue::Ns(texts) => {
            texts.iter().any(|text| is_text(text))
        }
        _ => false,
    }
}

/// Buys, claims, asks at the door, is in, and talks; answers the claim link and the request.
async fn lives(stack: &TestStack) -> (String, String) {
    let bought = stack.shop().buy(USER, "T-alice").await;
    let link = bought.body["inviteLink"].as_str().unwrap().to_owned();
    let alice = stack.customer(ALICE);
    alice.claim_by(&link);
    stack.run_until_idle().await;
    let door = alice.ways_in(stack.bot_id).remove(0);
    assert_eq!(alice.tap(&door), Tap::Requested);
    stack.run_until_idle().await;
    assert!(alice.is_in());
    alice.say(stack.bot_id, "hello there");
    stack.run_until_idle().await;
    (link, bought.request_id())
}

/// Taps a button below the bot's last message to her.
async fn taps(stack: &TestStack, label: &Label<'_>) {
    let last = stack
        .customer(ALICE)
        .messages_of(stack.bot_id)
        .pop()
        .unwrap();
    let tap = stack.telegram.taps_button(
        Conversation::private(stack.bot_id, ALICE),
        &User::new(ALICE),
        last.message_id,
        &label.plain(Language::English),
    );
    assert!(matches!(tap, ButtonTap::Asked(_)), "{tap:?}: {last:?}");
    stack.run_until_idle().await;
}

fn said(stack: &TestStack) -> String {
    let last = stack.customer(ALICE).messages_of(stack.bot_id).pop();
    last.unwrap().text
}

/// Works off what is asked, over the time that an erasure waits for what is under way.
async fn work_off(stack: &TestStack) {
    for _ in 0..3 {
        let done = stack.functions().work_off_jobs().await;
        assert_eq!(done["failed"], 0, "{done}");
        stack.run_until_idle().await;
        stack.advance_when_idle(Duration::from_secs(40)).await;
    }
}

/// What lies at an address: the status and the lines.
async fn fetched(address: &str) -> (u16, Vec<Value>) {
    let client = runtime::http::client(Duration::from_secs(10)).unwrap();
    let answer = client.get(address).send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    (status, lines.collect())
}

#[tokio::test]
async fn a_person_gets_a_file_of_all_that_is_known_of_them_for_a_day() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (_, request) = lives(&stack).await;
    let alice = stack.customer(ALICE);
    alice.say(stack.bot_id, "/privacy");
    stack.run_until_idle().await;
    taps(&stack, &Label::Export).await;
    work_off(&stack).await;
    let text = said(&stack);
    let address = text
        .split_whitespace()
        .find(|word| word.starts_with("http"));
    let address = address.unwrap().to_owned();
    let (status, lines) = fetched(&address).await;
    assert_eq!(status, 200);
    assert_eq!(lines[0]["person"], json!(ALICE));
    let of = |table: &str| lines.iter().find(|line| line["table"] == table);
    for table in ["InviteRequests", "Members", "People", "Messages"] {
        assert!(of(table).is_some(), "{table}: {lines:?}");
    }
    assert_eq!(of("InviteRequests").unwrap()["item"]["requestId"], request);
    // Neither for who guesses nor for ever.
    let other = if address.ends_with('0') { "1" } else { "0" };
    let guessed = format!("{}{other}", &address[..address.len() - 1]);
    assert_eq!(fetched(&guessed).await.0, 404);
    assert_eq!(fetched(&format!("{address}?page=2")).await.0, 404);
    assert_eq!(fetched(&format!("{address}?page=x")).await.0, 400);
    stack.clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(fetched(&address).await.0, 404);
}

#[tokio::test]
async fn an_erased_person_is_in_no_table_and_nothing_that_comes_again_brings_them_back() {
    let stack = TestStack::with(&[CLAIMED]).await;
    let (link, request) = lives(&stack).await;
    let alice = stack.customer(ALICE);
    assert!(tables_that_name(&stack, ALICE, USER).await.len() > 4);
    let door_report = stack.telegram.leave_report(ALICE);

    alice.say(stack.bot_id, "/privacy");
    stack.run_until_idle().await;
    taps(&stack, &Label::Erase).await;
    assert!(said(&stack).contains("access ends"), "{}", said(&stack));
    taps(&stack, &Label::EraseNot).await;
    alice.say(stack.bot_id, "/privacy");
    stack.run_until_idle().await;
    for label in [Label::Erase, Label::EraseYes, Label::EraseNow] {
        taps(&stack, &label).await;
    }
    work_off(&stack).await;

    let receipt = said(&stack);
    for told in ["erased", "InviteRequests: 1", "Members: 1", "backups"] {
        assert!(receipt.contains(told), "{told}: {receipt}");
    }
    assert_eq!(
        tables_that_name(&stack, ALICE, USER).await,
        Vec::<String>::new()
    );
    for queue in ["InviteQueue", "MessageQueue", "EventQueue"] {
        assert_eq!(stack.depth(queue), 0, "{queue}");
    }
    // The books keep the payment, and serve it to nobody.
    let shown = stack.shop().status(&request).await;
    assert_eq!(shown["transactionId"], "T-alice");
    assert!(
        shown["userId"].as_str().unwrap().starts_with("p_"),
        "{shown}"
    );
    let again = stack.shop().buy(USER, "T-alice").await;
    assert_eq!(again.refusal(), (409, "transaction_conflict"));

    // What Telegram sends again of the time before.
    assert_eq!(stack.telegram.sent(&door_report).await, "ignored");
    assert_eq!(
        tables_that_name(&stack, ALICE, USER).await,
        Vec::<String>::new()
    );

    // A new word begins anew, with nothing of before.
    stack.clock.advance(Duration::from_secs(2));
    alice.claim_by(&link);
    stack.run_until_idle().await;
    assert!(alice.ways_in(stack.bot_id).is_empty());
    assert!(!tables_that_name(&stack, ALICE, USER).await.is_empty());
    let jobs = stack.operator().get("jobs").await.done();
    let job = &jobs["jobs"][0];
    assert_eq!(
        (&job["kind"], &job["stage"]),
        (&json!("erase"), &json!("DONE"))
    );
    assert!(
        job["telegramUserId"].is_null() && job["rolledOver"]["backups"].is_string(),
        "{job}"
    );
}

#[tokio::test]
async fn an_erasure_that_dies_at_any_call_goes_on_in_the_next_run() {
    for fault in [WireFault::InternalError, WireFault::ResetAfter] {
        let stack = TestStack::with(&[CLAIMED]).await;
        lives(&stack).await;
        let path = format!("people/{ALICE}/erase");
        let asked = stack.operator().post(&path, &json!({})).await;
        assert_eq!(asked.status, 202, "{}", asked.body);
        let id = asked.body["jobId"].as_str().unwrap().to_owned();
        let again = stack.operator().post(&path, &json!({})).await;
        assert_eq!(again.body["jobId"], json!(id));
        let stage = async || {
            let job = stack.operator().get(&format!("jobs/{id}")).await.done();
            job["job"]["stage"].as_str().unwrap().to_owned()
        };
        stack.pause_schedule();
        let (mut died, mut skip) = (0, 1);
        while stage().await != "DONE" {
            let rule = FaultRule::new(fault)
                .of(Service::DynamoDb)
                .skip(skip)
                .always();
            stack.aws().wire().fail(rule);
            let done = stack.functions().work_off_jobs().await;
            stack.aws().wire().clear_faults();
            died += u64::from(done["failed"] == 1);
            // Each run dies some calls later than the one before.
            skip += 4;
            // The bell of its receipt may have been lost.
            let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
            stack.functions().get("messenger").tick(deadline).await;
            stack.run_until_idle().await;
            stack.advance_when_idle(Duration::from_secs(40)).await;
            assert!(skip < 400, "it comes to an end");
        }
        assert!(died > 5, "{died} runs died");
        assert_eq!(
            tables_that_name(&stack, ALICE, USER).await,
            Vec::<String>::new()
        );
    }
}

#[tokio::test]
async fn an_operator_gets_the_address_and_bad_calls_get_a_clear_answer() {
    let stack = TestStack::with(&[CLAIMED]).await;
    lives(&stack).await;
    let operator = stack.operator();
    let messages = stack.customer(ALICE).messages_of(stack.bot_id).len();
    let asked = operator
        .post(&format!("people/{ALICE}/export"), &json!({}))
        .await;
    assert_eq!(asked.status, 202, "{}", asked.body);
    let id = asked.body["jobId"].as_str().unwrap().to_owned();
    work_off(&stack).await;
    let job = operator.get(&format!("jobs/{id}")).await.done();
    let address = job["job"]["links"][0].as_str().unwrap();
    assert_eq!(fetched(address).await.0, 200);
    // She has not asked, so she is not told.
    assert_eq!(
        stack.customer(ALICE).messages_of(stack.bot_id).len(),
        messages
    );
    for (method, path) in [("POST", "people/x/erase"), ("GET", "jobs/nothing-known")] {
        let answer = match method {
            "GET" => operator.get(path).await,
            _ => operator.post(path, &json!({})).await,
        };
        assert_eq!(answer.refusal(), (404, "not_found"), "{path}");
    }
    // Of somebody of whom nothing is known there is nothing to do, and that is done.
    let asked = operator.post("people/99/erase", &json!({})).await;
    assert_eq!(asked.status, 202);
    work_off(&stack).await;
    let id = asked.body["jobId"].as_str().unwrap().to_owned();
    let job = operator.get(&format!("jobs/{id}")).await.done();
    assert_eq!(job["job"]["stage"], "DONE", "{job}");
}
