//! A provider that fails order after order: checkouts are answered at once, and say who else can be paid.

use std::time::Duration;

use domain::nowpayments::PROVIDER as COINS;
use simulators::nowpayments::{Trouble, TroubleRule};

use super::*;

/// What becomes of a checkout of this user, without a quote.
async fn tried(stack: &TestStack, provider: &str, user: &str) -> local::harness::ApiAnswer {
    let body = json!({
        "productId": "club", "tierId": "month", "currency": "usd", "provider": provider, "userId": user,
    });
    stack.shop().checkout(&body, &format!("K-{user}")).await
}

/// How often pages were asked for at Stripe.
fn asked(stack: &TestStack) -> usize {
    let calls = stack.stripe().calls();
    let pages = calls
        .iter()
        .filter(|call| (&*call.method, &*call.path) == ("POST", "/v1/checkout/sessions"));
    pages.count()
}

fn providers(answer: &local::harness::ApiAnswer) -> Value {
    answer.body["providers"].clone()
}

#[tokio::test]
async fn a_provider_that_is_down_is_left_alone_and_the_others_sell() {
    let stack = selling(&[]).await;
    let stripe = stack.stripe();
    let down = StripeFaultRule::on("POST", "/v1/checkout/sessions", StripeFault::BadGateway);
    stripe.fail(down);
    for user in ["u1", "u2", "u3"] {
        let away = tried(&stack, "stripe", user).await;
        assert_eq!(away.refusal(), (503, "provider_unavailable"));
        assert_eq!(providers(&away), json!(["nowpayments"]));
    }
    let (before, orders_before) = (asked(&stack), orders(&stack).await.len());
    assert_eq!(orders_before, 3);
    // In the pause nobody is asked, and nothing is ordered; an order that is there waits.
    for user in ["u1", "u4"] {
        let away = tried(&stack, "stripe", user).await;
        assert_eq!(away.refusal(), (503, "provider_unavailable"));
        assert_eq!(providers(&away), json!(["nowpayments"]));
        let after: u64 = away.retry_after.clone().unwrap().parse().unwrap();
        assert!((1..=15).contains(&after), "{after}");
    }
    assert_eq!(asked(&stack), before);
    assert_eq!(orders(&stack).await.len(), orders_before);
    let by_coins = tried(&stack, COINS, "u5").await.done();
    assert!(by_coins["payUrl"].is_string());
    // After it one order asks, whose failure makes the pause longer.
    stack.clock.advance(Duration::from_secs(16));
    for user in ["u1", "u2"] {
        assert_eq!(tried(&stack, "stripe", user).await.status, 503, "{user}");
    }
    assert_eq!(asked(&stack), before + 1);
    stripe.clear_faults();
    stack.clock.advance(Duration::from_secs(31));
    for user in ["u1", "u2", "u4"] {
        let made = tried(&stack, "stripe", user).await.done();
        assert!(made["payUrl"].is_string(), "{user}");
    }
    settled(&stack).await;
}

#[tokio::test]
async fn a_provider_that_says_when_to_come_again_is_not_asked_before() {
    let stack = selling(&[]).await;
    let coins = stack.nowpayments();
    let limit = Trouble::RateLimited {
        retry_after: Some(120),
    };
    coins.fail(TroubleRule::on("POST /invoice", limit).times(1));
    let away = tried(&stack, COINS, "u1").await;
    assert_eq!(away.refusal(), (503, "provider_unavailable"));
    assert_eq!(away.retry_after.as_deref(), Some("120"));
    assert_eq!(providers(&away), json!(["stripe"]));
    assert_eq!(tried(&stack, COINS, "u2").await.refusal().0, 503);
    let invoices = || {
        let calls = coins.calls();
        calls
            .iter()
            .filter(|call| call.endpoint == "POST /invoice")
            .count()
    };
    assert_eq!(invoices(), 1);
    stack.clock.advance(Duration::from_secs(121));
    for user in ["u1", "u2"] {
        tried(&stack, COINS, user).await.done();
    }
    assert_eq!(invoices(), 3);
    settled(&stack).await;
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_asked_for_one_order_of_a_run() {
    let stack = selling(&[]).await;
    let users = ["u1", "u2", "u3", "u4", "u5"];
    let mut orders = Vec::new();
    for user in users {
        orders.push(placed(&stack, "month", user).await);
    }
    settled(&stack).await;
    let stripe = stack.stripe();
    stripe.fail_delivery(&EventRule {
        event_type: None,
        times: None,
        fault: EventFault::Lose,
    });
    for order in &orders {
        stripe.act(&order.session, &BuyerAction::Pay).unwrap();
    }
    let looks = || {
        let calls = stack.stripe().calls();
        let is_look = |path: &str| path.starts_with("/v1/checkout/sessions/");
        calls.iter().filter(|call| is_look(&call.path)).count()
    };
    let before = looks();
    stripe.fail(StripeFaultRule::on(
        "GET",
        "/v1/checkout/sessions/",
        StripeFault::ResetBefore,
    ));
    stack.clock.advance(MINUTE * 4);
    stack.run_for(MINUTE).await;
    assert_eq!(looks() - before, 1, "five orders are due");
    // None of them is forgotten by that.
    stripe.clear_faults();
    stack.clock.advance(MINUTE * 6);
    settled(&stack).await;
    for placed in &orders {
        assert_eq!(order(&stack, &placed.id).await["state"], "PAID");
    }
}
