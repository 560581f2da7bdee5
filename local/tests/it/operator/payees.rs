//! Payees who are asked in the bot whether the address that they are to be paid at is theirs.

use aws_sdk_dynamodb::types::AttributeValue;
use local::harness::{HOUR, TestStack};
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::{Conversation, SeenMessage, User};

use super::ledger::{DAY, sold};
use super::quiet;

const PLACE: &str = "payees/owner:o1/usd";
const ANN: i64 = 7;
const EVE: i64 = 8;

/// A stack with a sale, whose owner Ann has started the bot, as has Eve.
async fn stack() -> TestStack {
    let stack = quiet(&[("CHAT_DELIVERY", "claim")]).await;
    for person in [ANN, EVE] {
        stack.customer(person).say(stack.bot_id, "/start");
    }
    sold(&stack, "buyer").await;
    later(&stack, 8 * DAY).await;
    stack
}

async fn later(stack: &TestStack, by: std::time::Duration) {
    stack.advance_when_idle(by).await;
    stack.run_until_idle().await;
}

async fn put(stack: &TestStack, address: &str, person: Option<i64>) -> Value {
    let body = json!({"address": address, "telegramUserId": person, "threshold": 1});
    let written = stack.operator().put(PLACE, &body).await.done();
    stack.run_until_idle().await;
    written["account"].clone()
}

async fn confirmation(stack: &TestStack) -> String {
    let account = stack.operator().get(PLACE).await.done();
    let said = &account["account"]["confirmation"];
    said.as_str().unwrap().to_owned()
}

/// Why nothing is gathered; nothing if it is.
async fn refusal(stack: &TestStack) -> Option<String> {
    let body = json!({"payee": "owner:o1", "currency": "usd"});
    let answer = stack.operator().post("payouts", &body).await;
    match answer.status {
        200 => None,
        _ => {
            assert_eq!(answer.refusal(), (409, "payout_refused"));
            Some(answer.body["error"].as_str().unwrap().to_owned())
        }
    }
}

/// What the bot has said to a person of an address.
fn told(stack: &TestStack, person: i64, address: &str) -> Vec<SeenMessage> {
    let all = stack.customer(person).messages_of(stack.bot_id);
    all.into_iter()
        .filter(|message| message.text.contains(address))
        .collect()
}

/// Whoever it is presses the button of a message that says so; what the bot says then.
async fn presses(stack: &TestStack, person: i64, message: &SeenMessage, says: &str) -> String {
    let mut buttons = message.buttons.iter().flatten();
    let button = buttons.find(|button| button.text.contains(says));
    let data = button.and_then(|button| button.callback_data.clone());
    let data = data.unwrap_or_else(|| panic!("no button {says}: {message:?}"));
    let place = Conversation::private(stack.bot_id, person);
    let user = User::new(person);
    let sent = stack
        .telegram
        .sends_callback(place, &user, message.message_id, &data);
    sent.expect("the message is there");
    stack.run_until_idle().await;
    let said = stack.customer(person).messages_of(stack.bot_id);
    said.last().unwrap().text.clone()
}

#[tokio::test]
async fn a_payee_is_asked_once_and_nothing_is_paid_before_they_say_yes() {
    let stack = stack().await;
    let account = put(&stack, "DE89 <3704>", Some(ANN)).await;
    assert_eq!(
        (&account["confirmation"], &account["telegramUserId"]),
        (&json!("ASKED"), &json!(ANN))
    );
    put(&stack, "DE89 <3704>", Some(ANN)).await;
    let asked = told(&stack, ANN, "DE89 <3704>");
    assert_eq!(asked.len(), 1, "{asked:?}");
    later(&stack, 25 * HOUR).await;
    let why = refusal(&stack).await.unwrap();
    assert!(why.contains("has not said"), "{why}");
    let said = presses(&stack, ANN, &asked[0], "Yes, it is right").await;
    assert!(said.contains("Thank you"), "{said}");
    assert_eq!(confirmation(&stack).await, "CONFIRMED");
    assert_eq!(refusal(&stack).await, None);
    // Another address is another question, and the old button says nothing of it.
    put(&stack, "GB2", Some(ANN)).await;
    assert_eq!(confirmation(&stack).await, "ASKED");
    let said = presses(&stack, ANN, &asked[0], "Yes, it is right").await;
    assert!(said.contains("changed meanwhile"), "{said}");
    assert_eq!(confirmation(&stack).await, "ASKED");
}

#[tokio::test]
async fn who_was_the_payee_before_stops_an_address_of_somebody_else() {
    let stack = stack().await;
    put(&stack, "DE1", Some(ANN)).await;
    let asked = told(&stack, ANN, "DE1");
    presses(&stack, ANN, &asked[0], "Yes, it is right").await;
    later(&stack, 25 * HOUR).await;
    assert_eq!(refusal(&stack).await, None);
    put(&stack, "XX99", Some(EVE)).await;
    let to_eve = told(&stack, EVE, "XX99");
    presses(&stack, EVE, &to_eve[0], "Yes, it is right").await;
    assert_eq!(confirmation(&stack).await, "CONFIRMED");
    let to_ann = told(&stack, ANN, "XX99");
    let [to_ann] = &to_ann[..] else {
        panic!("{to_ann:?}")
    };
    let labels: Vec<_> = to_ann.buttons.iter().flatten().map(|b| &b.text).collect();
    assert_eq!(labels, ["No, it is wrong"]);
    presses(&stack, ANN, to_ann, "No, it is wrong").await;
    assert_eq!(confirmation(&stack).await, "DENIED");
    // Her no stays.
    let said = presses(&stack, EVE, &to_eve[0], "Yes, it is right").await;
    assert!(said.contains("changed meanwhile"), "{said}");
    later(&stack, 25 * HOUR).await;
    let why = refusal(&stack).await.unwrap();
    assert!(why.contains("is wrong"), "{why}");
}

#[tokio::test]
async fn a_death_while_a_payee_is_asked_leaves_a_question_that_the_same_call_asks() {
    let stack = stack().await;
    let body = json!({"address": "DE1", "telegramUserId": ANN, "threshold": 1});
    for fault in [WireFault::ResetBefore, WireFault::ResetAfter] {
        for operation in ["TransactWriteItems", "GetItem", "PutItem", "BatchWriteItem"] {
            let rule = FaultRule::new(fault).on(Service::DynamoDb, operation);
            stack.aws().wire().fail(rule.times(8));
            let _ = stack.operator().put(PLACE, &body).await;
            stack.aws().wire().clear_faults();
        }
    }
    put(&stack, "DE1", Some(ANN)).await;
    assert_eq!(told(&stack, ANN, "DE1").len(), 1);
    assert_eq!(confirmation(&stack).await, "ASKED");
}

#[tokio::test]
async fn what_is_approved_on_a_day_stays_within_its_bound() {
    let env = [
        ("PAYOUT_MAX_PER_BATCH", "usd=2910"),
        ("PAYOUT_MAX_PER_DAY", "usd=5000"),
    ];
    let stack = quiet(&env).await;
    put(&stack, "DE1", None).await;
    for buyer in ["a", "b", "c"] {
        sold(&stack, buyer).await;
    }
    later(&stack, 8 * DAY).await;
    let asking = json!({"payee": "owner:o1", "currency": "usd"});
    let payout = stack.operator().post("payouts", &asking).await.done()["payout"].clone();
    assert_eq!(payout["total"], 2910);
    let id = payout["payoutId"].as_str().unwrap().to_owned();
    let approve = format!("payouts/{id}/approve");
    let approved = stack.operator().post(&approve, &json!({})).await.done();
    assert_eq!(approved["payout"]["state"], "APPROVED");
    let failed = json!({"reason": "no"});
    let path = format!("payouts/{id}/failed");
    stack.operator().post(&path, &failed).await.done();
    // Another payee has no room left on this day, and has it on the next one.
    let put = stack.dynamodb().put_item().table_name("Payables");
    let text = |text: &str| AttributeValue::S(text.to_owned());
    put.item("payee", text("owner:o2#usd"))
        .item("row", text("open#2026-01-01T00:00:00.000Z#x#1"))
        .item("amount", text("2910"))
        .send()
        .await
        .unwrap();
    let account = json!({"address": "DE2", "threshold": 1});
    let written = stack.operator().put("payees/owner:o2/usd", &account).await;
    written.done();
    later(&stack, 25 * HOUR).await;
    let asking = |payee: &str| json!({"payee": payee, "currency": "usd"});
    for payee in ["owner:o1", "owner:o2"] {
        let gathered = stack.operator().post("payouts", &asking(payee)).await;
        let id = gathered.done()["payout"]["payoutId"].clone();
        let approve = format!("payouts/{}/approve", id.as_str().unwrap());
        let answer = stack.operator().post(&approve, &json!({})).await;
        match payee {
            "owner:o1" => assert_eq!(answer.status, 200, "{}", answer.body),
            _ => {
                assert_eq!(answer.refusal(), (409, "payout_refused"));
                let why = answer.body["error"].as_str().unwrap();
                assert!(why.contains("PAYOUT_MAX_PER_DAY"), "{why}");
                later(&stack, 24 * HOUR).await;
                let answer = stack.operator().post(&approve, &json!({})).await;
                assert_eq!(answer.status, 200, "{}", answer.body);
            }
        }
    }
}
