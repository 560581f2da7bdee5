//! What operators do with an order: money goes back once, nobody pays it any more, it renews no more.

use futures_util::future::join_all;
use local::harness::{HOUR, MINUTE, TestStack};
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};
use simulators::stripe::{BuyerAction, StripeFault, StripeFaultRule};

use super::{
    Placed, balances, intent_of, order, pay_in_coins, placed, quoted, request_of, seat, selling,
    settled,
};

/// An order that was paid by card, with its charge.
async fn paid(stack: &TestStack) -> (Placed, String) {
    let placed = placed(stack, "month", "alice").await;
    stack
        .stripe()
        .act(&placed.session, &BuyerAction::Pay)
        .unwrap();
    settled(stack).await;
    let intent = intent_of(stack, &placed.session);
    (placed, intent["id"].as_str().unwrap().to_owned())
}

/// All refunds of a charge, as Stripe has them.
async fn refunds(stack: &TestStack, intent: &str) -> Vec<u64> {
    let key = &stack.local.env["STRIPE_SECRET_KEY"];
    let call = http::Request::get(format!("/v1/refunds?payment_intent={intent}"))
        .header("authorization", format!("Bearer {key}"))
        .body(bytes::Bytes::new())
        .unwrap();
    let answer = stack.stripe().call(call).await.unwrap();
    let body: Value = serde_json::from_slice(answer.body()).unwrap();
    let refunds = body["data"].as_array().unwrap().iter();
    refunds
        .map(|refund| refund["amount"].as_u64().unwrap())
        .collect()
}

async fn minutes(stack: &TestStack, count: u32) {
    for _ in 0..count {
        stack.clock.advance(MINUTE);
        stack.run_until_idle().await;
    }
}

#[tokio::test]
async fn money_goes_back_once_however_often_an_operator_says_so() {
    let stack = selling(&[("CHAT_DELIVERY", "claim")]).await;
    let (placed, intent) = paid(&stack).await;
    let link = request_of(&stack, "alice").await["inviteLink"].clone();
    stack.customer(7).claim_by(link.as_str().unwrap());
    stack.run_until_idle().await;
    let path = format!("orders/{}/refunds", placed.id);
    let operator = stack.operator();
    let body = json!({"refundId": "R-1"});
    let asked = join_all((0..5).map(|_| operator.post(&path, &body))).await;
    for answer in asked {
        answer.done();
    }
    settled(&stack).await;
    operator.post(&path, &body).await.done();
    settled(&stack).await;
    assert_eq!(refunds(&stack, &intent).await, [3000]);
    let gone = order(&stack, &placed.id).await;
    assert_eq!(
        (&gone["state"], &gone["pending"]),
        (&json!("REFUNDED"), &json!([])),
        "{gone}"
    );
    assert_eq!(gone["refunds"]["R-1"]["amount"], 3000);
    assert!(gone["refunds"]["R-1"]["by"].is_string(), "{gone}");
    assert_eq!(balances(&stack).await, json!({}));
    assert_eq!(seat(&stack, 7).await["right"], "ENDED");
    let other = operator
        .post(&path, &json!({"refundId": "R-1", "amount": 1000}))
        .await;
    assert_eq!(other.refusal(), (409, "idempotency_conflict"));
    let more = operator.post(&path, &json!({"refundId": "R-2"})).await;
    assert_eq!(more.refusal(), (409, "refund_not_possible"));
}

#[tokio::test]
async fn never_more_goes_back_than_is_left_of_a_charge() {
    let stack = selling(&[]).await;
    let (placed, intent) = paid(&stack).await;
    let path = format!("orders/{}/refunds", placed.id);
    let operator = stack.operator();
    let ask = |id: &str, amount: Value| json!({"refundId": id, "charge": intent, "amount": amount});
    // Two who ask at once for two thirds each.
    let (first, second) = (ask("A", json!(2000)), ask("B", json!("2000")));
    let (one, other) = tokio::join!(operator.post(&path, &first), operator.post(&path, &second));
    let mut codes = [one.status, other.status];
    codes.sort_unstable();
    assert_eq!(codes, [200, 409]);
    settled(&stack).await;
    assert_eq!(refunds(&stack, &intent).await, [2000]);
    let partly = order(&stack, &placed.id).await;
    assert_eq!(partly["state"], "PARTLY_REFUNDED");
    assert_eq!(partly["cases"], json!(["partial_refund#1000"]));
    for (id, amount) in [("C", json!(1001)), ("C", json!(0))] {
        let refused = operator.post(&path, &ask(id, amount)).await;
        assert_eq!(refused.refusal(), (409, "refund_not_possible"));
    }
    operator.post(&path, &ask("C", json!(1000))).await.done();
    settled(&stack).await;
    assert_eq!(order(&stack, &placed.id).await["state"], "REFUNDED");
    assert_eq!(balances(&stack).await, json!({}));
    for wrong in [
        json!({}),
        json!({"refundId": "a b"}),
        json!({"refundId": "auto#x"}),
        json!({"refundId": "x".repeat(65)}),
        json!({"refundId": "D", "amuont": 5}),
        json!({"refundId": "D", "amount": 1.5}),
        json!({"refundId": "D", "reference": " "}),
    ] {
        let refused = operator.post(&path, &wrong).await;
        assert_eq!(refused.refusal(), (400, "invalid_parameter"), "{wrong}");
    }
    let unknown = operator
        .post(&path, &json!({"refundId": "D", "charge": "pi_none"}))
        .await;
    assert_eq!(unknown.refusal(), (409, "refund_not_possible"));
}

#[tokio::test]
async fn whichever_call_is_lost_one_refund_is_made() {
    let lost = |method, path| StripeFaultRule::on(method, path, StripeFault::ResetAfter).times(1);
    let not_sent =
        |method, path| StripeFaultRule::on(method, path, StripeFault::ResetBefore).times(1);
    let at_stripe = [
        lost("POST", "/v1/refunds"),
        not_sent("POST", "/v1/refunds"),
        lost("GET", "/v1/refunds"),
    ];
    let at_aws = |skip: u64, fault| {
        let rule = FaultRule::new(fault).on(Service::DynamoDb, "PutItem");
        rule.named("Orders").skip(skip).times(3)
    };
    let faults = (0..2).flat_map(|skip| {
        [
            at_aws(skip, WireFault::ResetBefore),
            at_aws(skip, WireFault::ResetAfter),
        ]
    });
    let stripe = at_stripe.into_iter().map(|rule| (Some(rule), None));
    let aws = faults.map(|rule| (None, Some(rule)));
    let cases = stripe.chain(aws).enumerate();
    join_all(cases.map(|(number, (stripe, aws))| refunded_with(number, stripe, aws))).await;
}

async fn refunded_with(number: usize, stripe: Option<StripeFaultRule>, aws: Option<FaultRule>) {
    let stack = selling(&[]).await;
    let (placed, intent) = paid(&stack).await;
    if let Some(rule) = stripe {
        stack.stripe().fail(rule);
    }
    if let Some(rule) = aws {
        stack.aws().wire().fail(rule);
    }
    let path = format!("orders/{}/refunds", placed.id);
    let body = json!({"refundId": "R"});
    let mut answer = stack.operator().post(&path, &body).await;
    for _ in 0..5 {
        if answer.status == 200 {
            break;
        }
        answer = stack.operator().post(&path, &body).await;
    }
    answer.done();
    stack.run_until_idle().await;
    minutes(&stack, 5).await;
    settled(&stack).await;
    assert_eq!(refunds(&stack, &intent).await, [3000], "fault {number}");
    let gone = order(&stack, &placed.id).await;
    assert_eq!(
        (&gone["state"], &gone["pending"], &gone["cases"]),
        (&json!("REFUNDED"), &json!([]), &json!([])),
        "fault {number}: {gone}"
    );
}

#[tokio::test]
async fn what_a_bank_took_or_holds_is_not_returned() {
    let stack = selling(&[]).await;
    let (placed, intent) = paid(&stack).await;
    let charge = stack.stripe().object(&intent).unwrap()["latest_charge"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("orders/{}/refunds", placed.id);
    // The bank is faster than the operator: by what is known just before the call it is not made.
    stack.stripe().hold_events();
    stack.stripe().dispute(&charge, "fraudulent").unwrap();
    let operator = stack.operator();
    operator.post(&path, &json!({"refundId": "R"})).await.done();
    stack.run_until_idle().await;
    stack
        .stripe()
        .release_events(simulators::stripe::ReleaseOrder::AsMade);
    settled(&stack).await;
    assert_eq!(refunds(&stack, &intent).await, Vec::<u64>::new());
    let disputed = order(&stack, &placed.id).await;
    let cases: Vec<&str> = disputed["cases"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(cases.contains(&"refund_refused#R"), "{disputed}");
    let refused = operator.post(&path, &json!({"refundId": "R2"})).await;
    assert_eq!(refused.refusal(), (409, "refund_not_possible"));
}

#[tokio::test]
async fn coins_are_returned_by_hand_and_the_books_follow() {
    let stack = selling(&[]).await;
    let quote = quoted(&stack, "month", "nowpayments").await;
    let body = json!({"quoteId": quote, "userId": "alice"});
    let made = stack.shop().checkout(&body, "K1").await.done();
    let id = made["orderId"].as_str().unwrap();
    pay_in_coins(&stack, made["payUrl"].as_str().unwrap(), 1).await;
    assert_eq!(order(&stack, id).await["state"], "PAID");
    let path = format!("orders/{id}/refunds");
    let operator = stack.operator();
    let refused = operator.post(&path, &json!({"refundId": "R"})).await;
    assert_eq!(refused.refusal(), (409, "refund_not_possible"));
    let body = json!({"refundId": "R", "reference": "tx 5f9c"});
    for _ in 0..2 {
        operator.post(&path, &body).await.done();
        settled(&stack).await;
    }
    let gone = order(&stack, id).await;
    assert_eq!(
        (&gone["state"], &gone["cases"]),
        (&json!("REFUNDED"), &json!([])),
        "{gone}"
    );
    let facts = gone["facts"].as_array().unwrap();
    let refund = facts.iter().find(|fact| fact["kind"] == "refund").unwrap();
    assert_eq!(
        (&refund["key"], &refund["reference"], &refund["amount"]),
        (&json!("hand#R"), &json!("tx 5f9c"), &json!(3000))
    );
    let books = balances(&stack).await;
    assert_eq!(
        (&books["owner:o1"], &books["platform:fee"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn an_order_that_an_operator_cancels_can_not_be_paid_any_more() {
    let stack = selling(&[]).await;
    let placed = placed(&stack, "month", "alice").await;
    let path = format!("orders/{}/cancel", placed.id);
    let down = StripeFaultRule::on("POST", "/v1/checkout/sessions", StripeFault::ResetBefore);
    stack.stripe().fail(down.times(1));
    for _ in 0..2 {
        stack.operator().post(&path, &json!({})).await.done();
    }
    settled(&stack).await;
    minutes(&stack, 15).await;
    settled(&stack).await;
    let closed = order(&stack, &placed.id).await;
    assert_eq!(
        (&closed["state"], &closed["dueAt"]),
        (&json!("CANCELLED"), &Value::Null),
        "{closed}"
    );
    assert_eq!(
        stack.stripe().object(&placed.session).unwrap()["status"],
        "expired"
    );
    assert!(
        stack
            .stripe()
            .act(&placed.session, &BuyerAction::Pay)
            .is_err()
    );
    let refused = stack.operator().post(&path, &json!({})).await;
    assert_eq!(refused.refusal(), (409, "nothing_to_cancel"));
}

#[tokio::test]
async fn a_subscription_that_an_operator_cancels_ends_with_what_was_paid() {
    let stack = selling(&[("CHAT_DELIVERY", "claim")]).await;
    let placed = placed(&stack, "sub", "alice").await;
    stack
        .stripe()
        .act(&placed.session, &BuyerAction::Pay)
        .unwrap();
    settled(&stack).await;
    let link = request_of(&stack, "alice").await["inviteLink"].clone();
    stack.customer(7).claim_by(link.as_str().unwrap());
    settled(&stack).await;
    let path = format!("orders/{}/cancel", placed.id);
    stack.operator().post(&path, &json!({})).await.done();
    settled(&stack).await;
    let session = stack.stripe().object(&placed.session).unwrap();
    let subscription = session["subscription"].as_str().unwrap().to_owned();
    let ending = stack.stripe().object(&subscription).unwrap();
    assert_eq!(
        (&ending["cancel_at_period_end"], &ending["status"]),
        (&json!(true), &json!("active"))
    );
    assert_eq!(seat(&stack, 7).await["right"], "ENTITLED");
    assert_eq!(order(&stack, &placed.id).await["state"], "PAID");
    let again = stack.operator().post(&path, &json!({})).await;
    assert_eq!(again.refusal(), (409, "nothing_to_cancel"));
    for _ in 0..35 {
        stack.clock.advance(HOUR * 24);
        settled(&stack).await;
    }
    assert_eq!(balances(&stack).await["provider:stripe"], 2000);
}
