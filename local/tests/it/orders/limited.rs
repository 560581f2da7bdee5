//! Tiers with few seats, and coupons with few uses: nothing is sold twice, and what nobody pays for is for sale again.

use futures_util::future::join_all;
use local::harness::{ApiAnswer, MINUTE, TestStack};
use serde_json::{Value, json};
use simulators::stripe::BuyerAction;

use super::{SELLS, count, order, pay_in_coins, requests, settled};

async fn selling() -> TestStack {
    let stack = TestStack::with(&[SELLS]).await;
    let product = json!({
        "title": "Premium Club", "chats": [stack.chat_id], "owner": "o1",
        "tiers": [
            {"id": "few", "title": "One of two", "length": "forEver", "prices": {"usd": 3000}, "seats": 2},
            {"id": "any", "title": "Any", "length": "forEver", "prices": {"usd": 3000}},
        ],
        "coupons": [
            {"code": "ONE", "off": {"bps": 5000}, "uses": 1},
            {"code": "EACH", "off": {"bps": 5000}, "oncePerPerson": true},
        ],
    });
    stack.operator().put_product("club", &product).await.done();
    stack
}

async fn ordered(stack: &TestStack, user: &str, wish: Value) -> ApiAnswer {
    let mut wish = wish;
    wish["productId"] = "club".into();
    wish["currency"] = "usd".into();
    let quote = stack.shop().quote(&wish).await.done()["quoteId"].clone();
    let body = json!({"quoteId": quote, "userId": user});
    let key = format!("K-{user}-{wish}");
    stack.shop().checkout(&body, &key).await
}

fn few() -> Value {
    json!({"tierId": "few", "provider": "stripe"})
}

fn session_of(order: &Value) -> String {
    let object = &order["checkout"]["object"];
    object.as_str().unwrap().to_owned()
}

/// Waits until an order of a tier with few seats can't be paid any more, and is closed.
async fn closed(stack: &TestStack) {
    for _ in 0..65 {
        stack.clock.advance(MINUTE);
        stack.run_until_idle().await;
    }
}

#[tokio::test]
async fn of_twenty_who_order_two_seats_at_once_two_get_one() {
    let stack = selling().await;
    let users: Vec<String> = (0..20).map(|number| format!("u{number}")).collect();
    let orders = join_all(users.iter().map(|user| ordered(&stack, user, few()))).await;
    let taken: Vec<_> = orders
        .iter()
        .filter(|answer| answer.status == 200)
        .collect();
    assert_eq!(taken.len(), 2);
    for refused in orders.iter().filter(|answer| answer.status != 200) {
        assert_eq!(refused.refusal(), (409, "sold_out"));
    }
    // Two items, and the counter.
    assert_eq!(count(&stack, "Reservations").await, 3);
    settled(&stack).await;
}

#[tokio::test]
async fn a_seat_that_nobody_pays_for_is_for_sale_again_and_one_that_was_refunded_too() {
    let stack = selling().await;
    for user in ["a", "b"] {
        ordered(&stack, user, few()).await.done();
    }
    assert_eq!(
        ordered(&stack, "c", few()).await.refusal(),
        (409, "sold_out")
    );
    closed(&stack).await;
    let made = ordered(&stack, "d", few()).await.done();
    let id = made["orderId"].as_str().unwrap();
    let placed = order(&stack, id).await;
    stack
        .stripe()
        .act(&session_of(&placed), &BuyerAction::Pay)
        .unwrap();
    settled(&stack).await;
    ordered(&stack, "e", few()).await.done();
    assert_eq!(
        ordered(&stack, "f", few()).await.refusal(),
        (409, "sold_out")
    );
    let intent = super::intent_of(&stack, &session_of(&placed));
    let form = format!("payment_intent={}", intent["id"].as_str().unwrap());
    super::at_stripe(&stack, "/v1/refunds", &form).await;
    settled(&stack).await;
    ordered(&stack, "f", few()).await.done();
    settled(&stack).await;
}

#[tokio::test]
async fn late_money_for_a_seat_that_was_sold_meanwhile_is_refused_and_shown_to_operators() {
    let stack = selling().await;
    let coins = json!({"tierId": "few", "provider": "nowpayments"});
    let late = ordered(&stack, "late", coins).await.done();
    closed(&stack).await;
    for user in ["a", "b"] {
        ordered(&stack, user, few()).await.done();
    }
    pay_in_coins(&stack, late["payUrl"].as_str().unwrap(), 1).await;
    let refused = order(&stack, late["orderId"].as_str().unwrap()).await;
    assert_eq!(refused["state"], "REFUSED", "{refused}");
    assert_eq!(refused["cases"], json!(["refund_by_hand#3000"]));
    assert_eq!(requests(&stack).await, 0);
    settled(&stack).await;
}

#[tokio::test]
async fn late_money_for_a_seat_that_is_still_free_is_taken() {
    let stack = selling().await;
    let coins = json!({"tierId": "few", "provider": "nowpayments"});
    let late = ordered(&stack, "late", coins).await.done();
    closed(&stack).await;
    pay_in_coins(&stack, late["payUrl"].as_str().unwrap(), 1).await;
    let paid = order(&stack, late["orderId"].as_str().unwrap()).await;
    assert_eq!(paid["state"], "PAID", "{paid}");
    ordered(&stack, "a", few()).await.done();
    assert_eq!(
        ordered(&stack, "b", few()).await.refusal(),
        (409, "sold_out")
    );
    settled(&stack).await;
}

#[tokio::test]
async fn a_coupon_is_used_once_by_one_of_two_and_once_by_each() {
    let stack = selling().await;
    let with = |code: &str| json!({"tierId": "any", "provider": "stripe", "coupon": code});
    let (one, two) = tokio::join!(
        ordered(&stack, "a", with("ONE")),
        ordered(&stack, "b", with("ONE"))
    );
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    ordered(&stack, "a", with("EACH")).await.done();
    ordered(&stack, "b", with("EACH")).await.done();
    let wish = json!({"productId": "club", "currency": "usd", "tierId": "few", "provider": "stripe", "coupon": "EACH"});
    let quote = stack.shop().quote(&wish).await.done()["quoteId"].clone();
    let again = json!({"quoteId": quote, "userId": "a"});
    assert_eq!(
        stack.shop().checkout(&again, "K9").await.refusal(),
        (409, "sold_out")
    );
    let nobody = json!({"quoteId": quote});
    assert_eq!(
        stack.shop().checkout(&nobody, "K10").await.refusal(),
        (400, "invalid_parameter")
    );
    settled(&stack).await;
}

#[tokio::test]
async fn a_first_period_for_nothing_costs_nothing_and_the_next_one_its_price() {
    let stack = TestStack::with(&[SELLS]).await;
    let product = json!({
        "title": "Premium Club", "chats": [stack.chat_id], "owner": "o1",
        "tiers": [{"id": "sub", "title": "Each month", "length": {"months": 1}, "recurring": true, "prices": {"usd": 3000}}],
        "coupons": [{"code": "FREE", "off": {"bps": 10000}}],
    });
    stack.operator().put_product("club", &product).await.done();
    let wish = json!({"tierId": "sub", "provider": "stripe", "coupon": "FREE"});
    let made = ordered(&stack, "a", wish).await.done();
    let placed = order(&stack, made["orderId"].as_str().unwrap()).await;
    let session = stack.stripe().object(&session_of(&placed)).unwrap();
    assert_eq!(session["amount_total"], 0, "{session}");
    stack
        .stripe()
        .act(&session_of(&placed), &BuyerAction::Pay)
        .unwrap();
    settled(&stack).await;
    let paid = order(&stack, made["orderId"].as_str().unwrap()).await;
    assert_eq!(paid["state"], "PAID", "{paid}");
    assert_eq!(requests(&stack).await, 1);
}
