//! Orders at the operators' routes: what waits for a person, what they decide, and what follows.

use std::time::Duration;

use domain::id::OrderId;
use domain::order::fact::OrderFact;
use domain::order::record::{
    Checkout, NewOrder, Order, OrderBuyer, PaymentsMode, PayoutHold, SoldTier,
};
use domain::order::terms::OrderTerms;
use domain::time::Timestamp;
use local::harness::TestStack;
use local::resources::SWEEP_TIMEOUT;
use runtime::config::Env;
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};
use store::{EventState, Ordered, Orders, PaymentEvents, Reservations};

use super::quiet;

const HOLD: PayoutHold = PayoutHold(Duration::from_secs(7 * 24 * 3600));
/// What no operator is to see of an order.
const PAGE: &str = "https://checkout.example/c/secret";

pub(crate) fn table(stack: &TestStack) -> Orders {
    let mut env = Env::from_iter(stack.env().clone());
    Orders::from_env(stack.dynamodb(), &mut env)
}

fn now(stack: &TestStack) -> Timestamp {
    Timestamp::from_ms(stack.clock.now_ms())
}

fn fact(text: &Value) -> OrderFact {
    serde_json::from_str(&text.to_string()).unwrap()
}

pub(crate) fn paid(key: &str) -> OrderFact {
    fact(&json!({
        "kind": "charge", "key": key, "status": "paid", "amount": 3000, "currency": "usd", "at": 1_763_640_000,
    }))
}

pub(crate) fn returned(key: &str, charge: &str, amount: u32) -> OrderFact {
    fact(&json!({
        "kind": "refund", "key": key, "charge": charge, "status": "done", "amount": amount,
    }))
}

/// Puts an order of 30 USD of which these facts are known, as `settlement` would.
pub(crate) async fn ordered(
    stack: &TestStack,
    buyer: OrderBuyer,
    checkout: Checkout,
    facts: Vec<OrderFact>,
) -> Order {
    let terms: OrderTerms = serde_json::from_str(
        r#"{"provider": "stripe", "currency": "usd", "due": 3000, "owner": "o1", "feeBps": 300, "autoRefund": true, "seconds": 2592000}"#,
    )
    .unwrap();
    let now = now(stack);
    let new = NewOrder {
        id: OrderId::from_random(*uuid::Uuid::new_v4().as_bytes()),
        mode: PaymentsMode::Test,
        sold: SoldTier {
            product_id: "club".to_owned(),
            tier_id: "month".to_owned(),
            title: "Club, a month".to_owned(),
            level: 1,
            chats: vec![domain::id::ChatId(stack.chat_id)],
            coupon: None,
            reservations: Vec::new(),
        },
        buyer,
        terms,
        pay_until: now.plus(Duration::from_secs(3600)),
        checkout,
    };
    let orders = table(stack);
    let order = Order::new(new, now);
    let reservations =
        Reservations::from_env(stack.dynamodb(), &mut Env::from_iter(stack.env().clone()));
    let made = orders
        .create(&order, None, &reservations, now)
        .await
        .unwrap();
    assert_eq!(made, Ordered::New);
    match order.learn(facts, now, HOLD).unwrap() {
        Some(learnt) => orders.write(&learnt).await.unwrap().unwrap(),
        None => order,
    }
}

pub(crate) fn user(id: &str) -> OrderBuyer {
    OrderBuyer {
        user_id: Some(id.to_owned()),
        telegram_user_id: None,
    }
}

pub(crate) fn opened() -> Checkout {
    Checkout::Open {
        object: "cs_1".to_owned(),
        pay_url: PAGE.to_owned(),
    }
}

/// An order of which a third was returned, and its case.
async fn returned_in_part(stack: &TestStack, buyer: &str) -> (String, &'static str) {
    let facts = vec![paid("pi_1"), returned("re_1", "pi_1", 1000)];
    let order = ordered(stack, user(buyer), opened(), facts).await;
    (order.id.to_string(), "partial_refund#2000")
}

async fn shown(stack: &TestStack, id: &str) -> Value {
    let shown = stack.operator().get(&format!("orders/{id}")).await.done();
    shown["order"].clone()
}

/// The ids that a question answers.
async fn listed(stack: &TestStack, query: &str) -> Vec<String> {
    let found = stack
        .operator()
        .get(&format!("orders?{query}"))
        .await
        .done();
    assert_eq!(found["isMore"], false);
    let orders = found["orders"].as_array().unwrap().iter();
    orders
        .map(|order| order["orderId"].as_str().unwrap().to_owned())
        .collect()
}

fn deciding(case: &str, action: &str) -> Value {
    json!({"case": case, "action": action, "note": "she wrote to us"})
}

#[tokio::test]
async fn a_case_is_listed_decided_once_and_what_follows_is_done() {
    let stack = quiet(&[]).await;
    let operator = stack.operator();
    let (id, case) = returned_in_part(&stack, "alice").await;
    stack.clock.advance(Duration::from_secs(5));
    let (later, _) = returned_in_part(&stack, "bob").await;
    let at_rest = ordered(&stack, user("alice"), opened(), vec![paid("pi_2")]).await;
    let at_rest = at_rest.id.to_string();
    assert_eq!(listed(&stack, "cases").await, [id.clone(), later.clone()]);
    assert_eq!(
        listed(&stack, "buyer=user%23alice").await,
        [at_rest, id.clone()]
    );
    assert_eq!(
        listed(&stack, "buyer=user%23nobody").await,
        Vec::<String>::new()
    );

    let order = shown(&stack, &id).await;
    assert_eq!(order["state"], "PARTLY_REFUNDED", "{order}");
    assert_eq!(order["cases"], json!([case]));
    assert_eq!(order["facts"].as_array().unwrap().len(), 2);
    assert_eq!(
        order["checkout"],
        json!({"state": "open", "object": "cs_1"})
    );
    assert!(!order.to_string().contains(PAGE), "{order}");

    let path = format!("orders/{id}/decisions");
    let decided = operator.post(&path, &deciding(case, "end")).await.done();
    assert_eq!(decided["order"]["seat"], "ended", "{decided}");
    stack.run_until_idle().await;
    let order = shown(&stack, &id).await;
    assert_eq!(
        (&order["cases"], &order["pending"]),
        (&json!([]), &json!([])),
        "{order}"
    );
    let mut facts = order["facts"].as_array().unwrap().iter();
    let decision = facts.find(|fact| fact["kind"] == "decision").unwrap();
    assert_eq!(
        (&decision["key"], &decision["action"], &decision["note"]),
        (&json!(case), &json!("end"), &json!("she wrote to us"))
    );
    assert!(
        decision["by"].is_string() && decision["decidedAt"].is_string(),
        "{decision}"
    );
    assert_eq!(listed(&stack, "cases").await, [later]);
    // Whatever is decided after that.
    for action in ["end", "keep"] {
        let second = operator.post(&path, &deciding(case, action)).await;
        assert_eq!(second.refusal(), (409, "case_not_open"), "{action}");
    }
}

#[tokio::test]
async fn of_two_operators_who_decide_at_once_one_does() {
    let stack = quiet(&[]).await;
    let operator = stack.operator();
    let (id, case) = returned_in_part(&stack, "alice").await;
    let path = format!("orders/{id}/decisions");
    let (keep, end) = (deciding(case, "keep"), deciding(case, "end"));
    let (one, other) = tokio::join!(operator.post(&path, &keep), operator.post(&path, &end));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    stack.run_until_idle().await;
    let facts = shown(&stack, &id).await["facts"].clone();
    let facts = facts.as_array().unwrap().iter();
    assert_eq!(facts.filter(|fact| fact["kind"] == "decision").count(), 1);
}

#[tokio::test]
async fn what_is_no_decision_is_refused_and_says_why() {
    let stack = quiet(&[]).await;
    let operator = stack.operator();
    let (id, case) = returned_in_part(&stack, "alice").await;
    let path = format!("orders/{id}/decisions");
    let long = "x".repeat(501);
    let cases = [
        (deciding("partial_refund#1", "keep"), 409, "case_not_open"),
        (deciding(case, "forgive"), 400, "invalid_parameter"),
        (
            json!({"case": case, "action": "keep"}),
            400,
            "invalid_parameter",
        ),
        (
            json!({"case": case, "action": "keep", "note": " "}),
            400,
            "invalid_parameter",
        ),
        (
            json!({"case": case, "action": "keep", "note": long}),
            400,
            "invalid_parameter",
        ),
        // Nothing of this case is to be valued.
        (
            json!({"case": case, "action": "accept", "value": 7, "note": "x"}),
            400,
            "invalid_parameter",
        ),
        (
            json!({"case": case, "action": "accept", "value": 1.5, "note": "x"}),
            400,
            "invalid_parameter",
        ),
        (
            json!({"case": case, "action": "accept", "value": "-1", "note": "x"}),
            400,
            "invalid_parameter",
        ),
    ];
    for (body, status, code) in cases {
        let refused = operator.post(&path, &body).await;
        assert_eq!(refused.refusal(), (status, code), "{body}");
    }
    let unknown = "00000000-0000-4000-8000-000000000000";
    for path in [
        format!("orders/{unknown}/decisions"),
        "orders/x/decisions".to_owned(),
    ] {
        let refused = operator.post(&path, &deciding(case, "keep")).await;
        assert_eq!(refused.refusal(), (404, "not_found"), "{path}");
    }
    for query in [
        "orders",
        "orders?buyer=",
        "orders?cases&buyer=user%23alice",
        "orders?state=paid",
    ] {
        let refused = operator.get(query).await;
        assert_eq!(refused.refusal(), (400, "invalid_query"), "{query}");
    }
    assert_eq!(listed(&stack, "cases").await, [id]);
}

#[tokio::test]
async fn what_a_strange_coin_is_worth_is_said_by_a_person() {
    let stack = quiet(&[]).await;
    let flagged = fact(&json!({
        "kind": "charge", "key": "55", "status": "paid", "amount": 0, "currency": "usd", "at": 1_763_640_000,
        "flag": "wrong_asset", "outcome": {"currency": "btc", "amount": 90000},
    }));
    let order = ordered(&stack, user("alice"), opened(), vec![flagged]).await;
    let path = format!("orders/{}/decisions", order.id);
    let mut body = deciding("wrong_asset#55", "accept");
    let refused = stack.operator().post(&path, &body).await;
    assert_eq!(refused.refusal(), (400, "invalid_parameter"));
    body["value"] = json!("3000");
    let decided = stack.operator().post(&path, &body).await.done();
    assert_eq!(decided["order"]["state"], "PAID", "{decided}");
    stack.run_until_idle().await;
    let shown = shown(&stack, &order.id.to_string()).await;
    assert_eq!(shown["pending"], json!([]), "{shown}");
}

#[tokio::test]
async fn while_the_queue_is_down_a_decision_is_taken_and_followed_by_the_next_sweep() {
    let stack = quiet(&[]).await;
    let (id, case) = returned_in_part(&stack, "alice").await;
    let rule = FaultRule::new(WireFault::InternalError)
        .on(Service::Sqs, "SendMessage")
        .always();
    stack.aws().wire().fail(rule);
    let path = format!("orders/{id}/decisions");
    stack
        .operator()
        .post(&path, &deciding(case, "keep"))
        .await
        .done();
    stack.aws().wire().clear_faults();
    let order = shown(&stack, &id).await;
    assert_ne!(order["pending"], json!([]), "{order}");
    stack.advance_when_idle(Duration::from_secs(61)).await;
    let deadline = tokio::time::Instant::now() + SWEEP_TIMEOUT;
    let swept = stack.functions().get("sweeper").tick(deadline).await;
    assert_eq!(swept["isSettlementRung"], true, "{swept}");
    stack.run_until_idle().await;
    let order = shown(&stack, &id).await;
    assert_eq!(order["pending"], json!([]), "{order}");
}

#[tokio::test]
async fn an_order_is_looked_up_when_an_operator_says_so() {
    let stack = quiet(&[]).await;
    let order = ordered(&stack, user("alice"), Checkout::Free, Vec::new()).await;
    let id = order.id.to_string();
    // What its first writing left is done, then it waits for its time.
    stack
        .operator()
        .post(&format!("orders/{id}/recheck"), &json!({}))
        .await
        .done();
    stack.run_until_idle().await;
    assert_eq!(shown(&stack, &id).await["pending"], json!([]));
    let before = shown(&stack, &id).await["looks"].as_u64().unwrap();
    let asked = stack
        .operator()
        .post(&format!("orders/{id}/recheck"), &json!({}))
        .await;
    assert_eq!(asked.status, 200, "{}", asked.body);
    stack.run_until_idle().await;
    let order = shown(&stack, &id).await;
    assert_eq!(
        (&order["looks"], &order["state"]),
        (&json!(before + 1), &json!("OPEN")),
        "{order}"
    );
    let refused = stack.operator().post("orders/x/recheck", &json!({})).await;
    assert_eq!(refused.refusal(), (404, "not_found"));
}

#[tokio::test]
async fn a_parked_payment_event_is_settled_once_more() {
    let stack = quiet(&[]).await;
    let operator = stack.operator();
    let mut env = Env::from_iter(stack.env().clone());
    let events = PaymentEvents::from_env(stack.dynamodb(), &mut env);
    let key = "nowpayments#77#finished#1.35";
    let put = events.put(key, r#"{"pay_address": "of somebody"}"#, now(&stack));
    assert!(put.await.unwrap());
    events.settle(key, EventState::Parked).await.unwrap();
    let query = "payment-events?key=nowpayments%2377%23finished%231.35";
    let event = operator.get(query).await.done()["event"].clone();
    assert_eq!(
        (&event["key"], &event["state"]),
        (&json!(key), &json!("PARKED"))
    );
    assert!(!event.to_string().contains("somebody"), "{event}");

    let body = json!({"key": key});
    let replayed = operator.post("payment-events/replay", &body).await.done();
    assert_eq!(replayed["event"]["state"], "WAITING");
    stack.run_until_idle().await;
    // It is tried, and can't be told yet, as before.
    let event = operator.get(query).await.done()["event"].clone();
    assert_eq!(
        (&event["state"], &event["attempts"]),
        (&json!("WAITING"), &json!(1))
    );
    assert!(
        event["why"].as_str().is_some_and(|why| !why.is_empty()),
        "{event}"
    );
    // Said twice it changes nothing.
    let again = operator.post("payment-events/replay", &body).await.done();
    assert_eq!(again["event"]["state"], "WAITING");
    stack.run_until_idle().await;

    let unknown = json!({"key": "stripe#evt_none"});
    for answer in [
        operator.post("payment-events/replay", &unknown).await,
        operator.get("payment-events?key=stripe%23evt_none").await,
        operator.get("payment-events?key=").await,
    ] {
        assert_eq!(answer.refusal(), (404, "not_found"));
    }
    let refused = operator.get("payment-events").await;
    assert_eq!(refused.refusal(), (400, "invalid_query"));
}
