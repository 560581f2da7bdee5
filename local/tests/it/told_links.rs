//! The bot tells an invite link in private to a buyer whom the shop knows in Telegram, once.

use std::time::Duration;

use local::harness::TestStack;
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::telegram::SeenMessage;

/// Its bot talks with people, and its chat's buyers get invite links.
const TALKS: (&str, &str) = ("OPERATOR_CHAT_ID", "-1001777000111");
const ALICE: i64 = 7;

fn payment(transaction: &str) -> Value {
    json!({"userId": "alice", "transactionId": transaction, "telegramUserId": ALICE})
}

/// A stack whose bot Alice has started.
async fn started(env: &[(&str, &str)]) -> TestStack {
    let all: Vec<_> = [TALKS].into_iter().chain(env.iter().copied()).collect();
    let stack = TestStack::with(&all).await;
    stack.customer(ALICE).say(stack.bot_id, "/start");
    stack.run_until_idle().await;
    stack
}

/// What the bot told Alice of links.
fn told(stack: &TestStack) -> Vec<SeenMessage> {
    let mut all = stack.customer(ALICE).messages_of(stack.bot_id);
    all.retain(|message| message.text.contains("your way in"));
    all
}

async fn link_of(stack: &TestStack, id: &str) -> String {
    let shown = stack.shop().status(id).await;
    shown["inviteLink"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_link_is_told_once_however_often_its_payment_is_reported() {
    for pool in [None, Some(("LINK_POOL_TARGET", "4"))] {
        let stack = started(pool.as_slice()).await;
        stack.run_for(Duration::from_secs(120)).await;
        let mut id = String::new();
        for _ in 0..5 {
            let answer = stack.shop().request(&payment("T1"), &[]).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            id = answer.request_id();
            stack.run_until_idle().await;
        }
        let link = link_of(&stack, &id).await;
        let [message] = &told(&stack)[..] else {
            panic!("{pool:?}: {:?}", told(&stack));
        };
        assert!(message.text.contains(&link), "{}", message.text);
        assert!(message.text.contains("It works until"), "{}", message.text);
        assert!(message.is_protected);
        stack.customer(ALICE).join_by(&link);
        stack.run_until_idle().await;
        // Who is in is told nothing.
        stack.shop().request(&payment("T1"), &[]).await;
        stack.run_until_idle().await;
        assert_eq!(told(&stack).len(), 1);
    }
}

#[tokio::test]
async fn a_link_that_was_handed_out_by_a_process_that_died_before_it_told_it_is_told() {
    let stack = started(&[]).await;
    stack.telegram.take_rights();
    let answer = stack.shop().request(&payment("T1"), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    // Messages can't be put, but links are made.
    let rule = FaultRule::new(WireFault::InternalError).on(Service::DynamoDb, "TransactWriteItems");
    stack.aws().wire().fail(rule.always());
    stack.telegram.give_rights();
    stack.run_for(Duration::from_secs(90)).await;
    assert!(told(&stack).is_empty());
    stack.aws().wire().clear_faults();
    stack.run_for(Duration::from_secs(120)).await;
    stack.run_until_idle().await;
    assert_eq!(told(&stack).len(), 1);
    assert_eq!(stack.telegram.links_alive().len(), 1);
    assert!(stack.tasks().await.is_empty());
}

#[tokio::test]
async fn nobody_is_told_who_never_started_the_bot_or_whose_transaction_is_another_buyers() {
    let stack = started(&[]).await;
    let mut unknown = payment("T1");
    unknown["telegramUserId"] = json!(8);
    assert_eq!(stack.shop().request(&unknown, &[]).await.status, 200);
    stack.run_until_idle().await;
    assert!(stack.customer(8).messages_of(stack.bot_id).is_empty());
    // Somebody else's payment: refused, and its link is not told to her.
    let mut other = payment("T1");
    other["userId"] = json!("bob");
    let refused = stack.shop().request(&other, &[]).await;
    assert_eq!(refused.refusal(), (409, "transaction_conflict"));
    stack.run_until_idle().await;
    assert!(told(&stack).is_empty());
}
