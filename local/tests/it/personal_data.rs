//! What is known of one person, in a file or gone: asked for by the person in the bot, or by an operator.

mod orders;
mod others;

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::job::names_person;
use domain::texts::{Label, Language};
use local::harness::{Receiver, TestStack};
use local::resources::{INDEXES, TABLES};
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::{ButtonTap, Conversation, Tap, User};
use store::{Fate, Holding, PERSONAL_TABLES};

const CLAIMED: (&str, &str) = ("CHAT_DELIVERY", "claim");
/// A person whose id is no part of any other number.
const ALICE: i64 = 7_301_550_907;
/// The shop's name for her.
const USER: &str = "alice-of-the-shop";
/// What she calls herself.
const NAMES: [&str; 2] = ["Alice-Liddell", "alice_from_wonderland"];
/// Somebody to whom she gives a seat.
const BOB: i64 = 7_301_550_111;
const DESK: i64 = -1_001_777_000_111;
const WITH_DESK: [(&str, &str); 2] = [CLAIMED, ("OPERATOR_CHAT_ID", "-1001777000111")];

fn herself() -> User {
    User::new(ALICE).named(NAMES[0]).with_username(NAMES[1])
}

#[test]
fn every_table_is_in_the_registry_of_personal_data() {
    let made: BTreeSet<&str> = TABLES.iter().map(|table| table.name).collect();
    let known: BTreeSet<&str> = PERSONAL_TABLES.iter().map(|table| table.name).collect();
    assert_eq!(made, known, "what each table holds of a person");
    assert_eq!(known.len(), PERSONAL_TABLES.len(), "none twice");
    for table in &PERSONAL_TABLES {
        assert_eq!(
            matches!(table.holding, Holding::Nobody(_)),
            table.fate == Fate::Untouched,
            "{}",
            table.name
        );
        let shape = TABLES.iter().find(|made| made.name == table.name).unwrap();
        // What is not looked for ends by itself.
        let is_passing = matches!(table.holding, Holding::Passing(_));
        assert!(!is_passing || shape.ends, "{}", table.name);
        assert_eq!(is_passing, table.fate == Fate::Ended, "{}", table.name);
        let Holding::Partition(key, sort) = table.holding else {
            continue;
        };
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
    let by_person = INDEXES.iter().filter(|index| index.name == "ByPerson");
    assert_eq!(by_person.count(), 4);
    for (table, index) in [
        ("InviteRequests", "ByPerson"),
        ("Deliveries", "ByPerson"),
        ("Deliveries", "ByRequest"),
        ("RelayMap", "ByPerson"),
        ("Jobs", "ByPerson"),
    ] {
        assert!(
            INDEXES
                .iter()
                .any(|known| known.table == table && known.name == index)
        );
    }
}

/// The items that name somebody, by the id or by one of the names, but for those that the registry knows to end by themselves,
/// which have their end.
#[expect(clippy::disallowed_methods, reason = "a test looks at everything")]
async fn tables_that_name(stack: &TestStack, person: i64, user: &str) -> Vec<String> {
    let mut found = Vec::new();
    for table in &TABLES {
        let call = stack.dynamodb().scan().table_name(table.name);
        let mut items = call.into_paginator().items().send();
        while let Some(item) = items.next().await {
            let item = AttributeValue::M(item.unwrap());
            if !names(&item, person, user) {
                continue;
            }
            match is_passing(table.name) {
                false => found.push(format!("{}: {item:?}", table.name)),
                true => {
                    let end = item.as_m().unwrap()["expiresAt"].as_n().unwrap();
                    let left = end.parse::<i64>().unwrap() - stack.clock.now_ms() / 1000;
                    assert!(left <= 48 * 3600, "{}: {left} s", table.name);
                }
            }
        }
    }
    found
}

fn is_passing(table: &str) -> bool {
    let line = PERSONAL_TABLES.iter().find(|line| line.name == table);
    matches!(line.unwrap().holding, Holding::Passing(_))
}

fn names(value: &AttributeValue, person: i64, user: &str) -> bool {
    let is_text = |text: &str| {
        names_person(text, person) || [user].iter().chain(&NAMES).any(|name| text.contains(*name))
    };
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

/// Has her erased by an operator; answers the job.
async fn asked_to_erase(stack: &TestStack) -> String {
    let path = format!("people/{ALICE}/erase");
    let asked = stack.operator().post(&path, &json!({})).await;
    assert_eq!(asked.status, 202, "{}", asked.body);
    asked.body["jobId"].as_str().unwrap().to_owned()
}

async fn stage_of(stack: &TestStack, job: &str) -> String {
    let job = stack.operator().get(&format!("jobs/{job}")).await.done();
    job["job"]["stage"].as_str().unwrap().to_owned()
}

/// Works off what is asked, over the time that an erasure waits for what is under way.
async fn work_off(stack: &TestStack) {
    for _ in 0..4 {
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
    assert!(!alice.is_in(), "she is out of the chat");

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
        let id = asked_to_erase(&stack).await;
        assert_eq!(asked_to_erase(&stack).await, id);
        stack.pause_schedule();
        let (mut died, mut skip) = (0, 1);
        while stage_of(&stack, &id).await != "DONE" {
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
            for function in ["worker", "messenger"] {
                stack.functions().get(function).tick(deadline).await;
            }
            stack.run_until_idle().await;
            stack.advance_when_idle(Duration::from_secs(40)).await;
            assert!(skip < 400, "it comes to an end");
        }
        assert!(died > 5, "{died} runs died");
        assert!(!stack.customer(ALICE).is_in());
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

/// A person of whom every table knows something: she bought, moved a seat to somebody, talks with operators in her topic, by
/// words, edits and albums, and an actor writes to her.
async fn lives_everywhere(stack: &TestStack) {
    lives(stack).await;
    let moved = stack.shop().buy("bob-of-the-shop", "T-moved").await;
    let link = moved.body["inviteLink"].as_str().unwrap().to_owned();
    stack.customer(ALICE).claim_by(&link);
    stack.run_until_idle().await;
    let rebound = stack.shop().act(&moved.request_id(), "rebind", "{}").await;
    let link = rebound.body["inviteLink"].as_str().unwrap().to_owned();
    stack.customer(BOB).claim_by(&link);
    stack.run_until_idle().await;
    let bob = stack.customer(BOB);
    let door = bob.ways_in(stack.bot_id).remove(0);
    assert_eq!(bob.tap(&door), Tap::Requested);
    stack.run_until_idle().await;
    assert!(bob.is_in());

    let actor = stack.actor("crm", "backend").await;
    actor.writes(ALICE, "from the crm").await.done();
    let private = Conversation::private(stack.bot_id, ALICE);
    let (me, operator) = (herself(), User::new(500).named("Olga"));
    stack.telegram.add_by_admin(DESK, operator.clone());
    stack.run_until_idle().await;
    let word = stack.telegram.says(private, &me, "where is my link?");
    stack.run_until_idle().await;
    assert!(stack.telegram.edits(private, word, "where is my seat?"));
    stack.run_until_idle().await;
    let topic = stack.telegram.topics(DESK)[0].thread_id;
    stack
        .telegram
        .says_in_topic(DESK, topic, &operator, "it is there");
    stack.run_until_idle().await;
    assert_eq!(said(stack), "it is there");
}

#[tokio::test]
async fn of_a_person_whom_every_table_knows_nothing_is_left_not_even_the_topic() {
    let receiver = Receiver::start().await;
    let exempt = ("HOOK_EXEMPT_HOSTS", receiver.host.as_str());
    let stack = TestStack::with(&[WITH_DESK[0], WITH_DESK[1], exempt]).await;
    for path in ["/all", "/down"] {
        let endpoint = json!({"url": receiver.url(path), "links": true});
        stack.operator().post("endpoints", &endpoint).await.done();
    }
    lives_everywhere(&stack).await;
    let known = tables_that_name(&stack, ALICE, USER).await;
    for table in [
        "Deliveries",
        "InviteRequests",
        "Members",
        "Messages",
        "People",
        "RelayMap",
    ] {
        assert!(
            known.iter().any(|item| item.starts_with(table)),
            "{table}: {known:?}"
        );
    }
    // What she says at the same moment is heard before it, or not at all.
    let private = Conversation::private(stack.bot_id, ALICE);
    stack.telegram.says(private, &herself(), "one thing more");

    let id = asked_to_erase(&stack).await;
    work_off(&stack).await;
    assert_eq!(stage_of(&stack, &id).await, "DONE");
    assert_eq!(
        tables_that_name(&stack, ALICE, USER).await,
        Vec::<String>::new()
    );
    assert!(stack.telegram.topics(DESK).is_empty());
    assert!(!stack.customer(ALICE).is_in());
    let told = receiver.calls();
    let ended = told.iter().filter(|call| call.kind() == "seat.ended");
    assert_eq!(ended.count(), 2, "each endpoint, once");
    // Whoever has her seat by now keeps it.
    assert!(stack.customer(BOB).is_in());
    assert!(
        !tables_that_name(&stack, BOB, "bob-of-the-shop")
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn whoever_came_in_by_an_invite_link_is_taken_out_as_well() {
    let stack = TestStack::start().await;
    let (_, link) = stack.admitted(USER, "T-alice").await;
    let alice = stack.customer(ALICE);
    alice.join_by(&link);
    stack.run_until_idle().await;
    assert!(alice.is_in());
    let id = asked_to_erase(&stack).await;
    work_off(&stack).await;
    assert_eq!(stage_of(&stack, &id).await, "DONE");
    assert!(!alice.is_in());
    assert_eq!(
        tables_that_name(&stack, ALICE, USER).await,
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn a_seat_is_not_forgotten_before_its_person_is_out_and_what_is_bought_meanwhile_ends_too() {
    let stack = TestStack::with(&[CLAIMED]).await;
    lives(&stack).await;
    stack.telegram.take_rights();
    let id = asked_to_erase(&stack).await;
    stack.pause_schedule();
    let run = async || {
        let done = stack.functions().work_off_jobs().await;
        assert_eq!(done["failed"], 0, "{done}");
    };
    run().await;
    // Her shop knows her, and sells her another seat, which undoes the removal.
    let more = json!({"userId": USER, "transactionId": "T-more", "telegramUserId": ALICE});
    let more = stack.shop().request(&more, &[]).await;
    assert_eq!(more.status, 200, "{}", more.body);
    for _ in 0..2 {
        run().await;
        stack.clock.advance(Duration::from_secs(60));
        assert_eq!(stage_of(&stack, &id).await, "LEAVING");
        assert!(stack.customer(ALICE).is_in());
    }
    assert!(!tables_that_name(&stack, ALICE, USER).await.is_empty());
    stack.telegram.give_rights();
    stack.clock.advance(Duration::from_secs(3600));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    stack.functions().get("worker").tick(deadline).await;
    stack.run_until_idle().await;
    assert!(!stack.customer(ALICE).is_in());
    run().await;
    assert_eq!(stage_of(&stack, &id).await, "TELLING");
    // Once more, when all of it seems to be erased.
    let again = json!({"userId": USER, "transactionId": "T-again", "telegramUserId": ALICE});
    let again = stack.shop().request(&again, &[]).await;
    assert_eq!(again.status, 200, "{}", again.body);
    work_off(&stack).await;
    assert_eq!(stage_of(&stack, &id).await, "DONE");
    assert_eq!(
        tables_that_name(&stack, ALICE, USER).await,
        Vec::<String>::new()
    );
}
