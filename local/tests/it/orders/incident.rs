//! One payment in coins, of which everybody heard nine times: by callbacks, by polls of the page, by a process that died
//! after each of its effects.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Method;
use local::harness::{LINK_CREATED, MINUTE, TestStack};
use serde_json::{Value, json};
use simulators::aws::{Phase, WireCall};
use simulators::nowpayments::{IpnFate, IpnRule};

use crate::pay::see;

use super::{SELLS, balances, count, order, pay_in_coins, request_of, requests};

async fn selling() -> TestStack {
    let stack = TestStack::with(&[SELLS]).await;
    let product = json!({
        "title": "Premium Club", "chats": [stack.chat_id], "owner": "o1", "feeBps": 300,
        "tiers": [{"id": "month", "title": "One month", "length": {"days": 30}, "prices": {"usd": 135}}],
    });
    stack.operator().put_product("club", &product).await.done();
    stack
}

/// What the checkout of alice answered.
async fn ordered(stack: &TestStack) -> Value {
    let wish = json!({"productId": "club", "tierId": "month", "currency": "usd", "provider": "nowpayments"});
    let quote = stack.shop().quote(&wish).await.done()["quoteId"].clone();
    let body = json!({"quoteId": quote, "userId": "alice"});
    stack.shop().checkout(&body, "K1").await.done()
}

/// Polls as the page of the buyer does, so many times in so many minutes.
async fn polled(stack: &TestStack, url: &str, times: u32, minutes: u32) {
    for _ in 0..times {
        let seen = see(Method::GET, url, &[]).await;
        assert!([200, 429].contains(&seen.status.as_u16()), "{}", seen.text);
        stack.advance_when_idle(MINUTE * minutes / times).await;
    }
}

/// One of everything.
async fn has_one_effect(stack: &TestStack, id: &str, when: &str) {
    let paid = order(stack, id).await;
    assert_eq!(
        (&paid["state"], &paid["pending"]),
        (&json!("PAID"), &json!([])),
        "{when}: {paid}"
    );
    assert_eq!(requests(stack).await, 1, "{when}");
    let books = (
        count(stack, "Ledger").await,
        count(stack, "Payables").await,
        stack.webengage.delivered(LINK_CREATED).len(),
    );
    assert_eq!(books, (1, 1, 1), "{when}");
    let sums = balances(stack).await;
    assert_eq!(
        (&sums["owner:o1"], &sums["platform:fee"]),
        (&json!(-131), &json!(-4)),
        "{when}"
    );
    assert_eq!(request_of(stack, "alice").await["status"], "DONE", "{when}");
}

#[tokio::test]
async fn nine_callbacks_and_eight_minutes_of_polls_have_one_effect() {
    let stack = selling().await;
    let made = ordered(&stack).await;
    let status = made["statusUrl"].as_str().unwrap();
    stack
        .nowpayments()
        .treat_ipns(IpnRule::of(IpnFate::Repeated(9)));
    polled(&stack, status, 9, 1).await;
    assert_eq!(requests(&stack).await, 0, "a poll makes nothing");
    pay_in_coins(&stack, made["payUrl"].as_str().unwrap(), 1).await;
    polled(&stack, status, 9, 8).await;
    stack.nowpayments().settled().await;
    stack.run_until_idle().await;
    has_one_effect(&stack, made["orderId"].as_str().unwrap(), "in the end").await;
}

#[tokio::test]
async fn polls_without_a_callback_process_nothing_and_the_clock_does() {
    let stack = selling().await;
    stack.nowpayments().treat_ipns(IpnRule::of(IpnFate::Lost));
    let made = ordered(&stack).await;
    let (id, status) = (
        made["orderId"].as_str().unwrap(),
        made["statusUrl"].as_str().unwrap(),
    );
    pay_in_coins(&stack, made["payUrl"].as_str().unwrap(), 1).await;
    stack.pause_schedule();
    polled(&stack, status, 20, 10).await;
    assert_eq!(requests(&stack).await, 0);
    assert_eq!(order(&stack, id).await["state"], "OPEN");
    stack.functions().sweep().await;
    stack.run_until_idle().await;
    has_one_effect(&stack, id, "looked up").await;
}

/// The writes of settlement that stay: the order, the books, the request, what an object is of.
fn has_effect(call: &WireCall) -> bool {
    let is_write = ["PutItem", "UpdateItem", "TransactWriteItems"].contains(&call.operation);
    let table = call.table_or_queue.as_deref().unwrap_or_default();
    is_write && ["Orders", "Ledger", "InviteRequests", "PaymentRefs"].contains(&table)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_after_any_of_its_effects_does_none_twice() {
    let (mut deaths, mut is_over) = (0, false);
    for at in 0.. {
        if is_over {
            break;
        }
        let stack = selling().await;
        let made = ordered(&stack).await;
        let settlement = Arc::clone(&stack.local.mappings["settlement"]);
        let seen = Arc::new(AtomicUsize::new(0));
        let died = Arc::new(AtomicUsize::new(0));
        let (count, killed) = (Arc::clone(&seen), Arc::clone(&died));
        stack.aws().wire().on_call(Arc::new(move |when, call| {
            if when == Phase::After
                && has_effect(call)
                && settlement.running() > 0
                && count.fetch_add(1, Ordering::SeqCst) == at
            {
                killed.fetch_add(settlement.kill(), Ordering::SeqCst);
            }
        }));
        stack
            .nowpayments()
            .treat_ipns(IpnRule::of(IpnFate::Repeated(3)));
        pay_in_coins(&stack, made["payUrl"].as_str().unwrap(), 1).await;
        for _ in 0..2 {
            stack.advance_when_idle(MINUTE).await;
        }
        stack.run_until_idle().await;
        stack.aws().wire().clear_hook();
        has_one_effect(
            &stack,
            made["orderId"].as_str().unwrap(),
            &format!("died after effect {at}"),
        )
        .await;
        deaths += died.load(Ordering::SeqCst);
        is_over = seen.load(Ordering::SeqCst) <= at;
    }
    assert!(deaths >= 5, "only {deaths} deaths");
}
