//! Orders: paid on the web at a provider, and in.

mod buyers;
mod by_hand;
mod gifts;
mod incident;
mod limited;
mod providers_down;
mod renewals;
mod stars;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use local::harness::{HOUR, LINK_CREATED, MINUTE, TestStack};
use serde_json::{Value, json};
use simulators::nowpayments::Decimal;
use simulators::stripe::{
    BuyerAction, DisputeStep, EventFault, EventRule, RefundPlan, StripeFault, StripeFaultRule,
};

const SELLS: (&str, &str) = ("PAYMENTS_MODE", "test");

/// A tier that is paid once, for thirty days.
fn product(stack: &TestStack) -> Value {
    json!({
        "title": "Premium Club", "chats": [stack.chat_id], "owner": "o1", "feeBps": 300,
        "tiers": [
            {"id": "month", "title": "One month", "length": {"days": 30}, "prices": {"usd": 3000}},
            {"id": "sub", "title": "Each month", "length": {"months": 1}, "recurring": true, "prices": {"usd": 2000}},
        ],
    })
}

async fn selling(env: &[(&str, &str)]) -> TestStack {
    let stack = TestStack::with(&[&[SELLS], env].concat()).await;
    stack
        .operator()
        .put_product("club", &product(&stack))
        .await
        .done();
    stack
}

/// The order of a checkout of this user.
struct Placed {
    id: String,
    session: String,
}

async fn quoted(stack: &TestStack, tier: &str, provider: &str) -> Value {
    let wish =
        json!({"productId": "club", "tierId": tier, "currency": "usd", "provider": provider});
    stack.shop().quote(&wish).await.done()["quoteId"].clone()
}

async fn placed(stack: &TestStack, tier: &str, user: &str) -> Placed {
    let quote = quoted(stack, tier, "stripe").await;
    let body = json!({"quoteId": quote, "userId": user});
    let made = stack
        .shop()
        .checkout(&body, &format!("K-{user}-{tier}"))
        .await
        .done();
    let url = made["payUrl"].as_str().unwrap();
    let session = url
        .split(&['/', '#'][..])
        .find(|part| part.starts_with("cs_"));
    Placed {
        id: made["orderId"].as_str().unwrap().to_owned(),
        session: session.unwrap_or_else(|| panic!("{url}")).to_owned(),
    }
}

async fn settled(stack: &TestStack) {
    stack.stripe().delivered().await;
    stack.run_until_idle().await;
    stack.stripe().delivered().await;
    stack.run_until_idle().await;
}

/// The record of an order, as it is stored.
async fn order(stack: &TestStack, id: &str) -> Value {
    let found = stack.dynamodb().get_item().table_name("Orders");
    let found = found
        .key("orderId", AttributeValue::S(id.to_owned()))
        .key("item", AttributeValue::S("order".to_owned()));
    let found = found
        .consistent_read(true)
        .send()
        .await
        .unwrap()
        .item
        .unwrap();
    serde_json::from_str(found["record"].as_s().unwrap()).unwrap()
}

/// All items of a table, but for the closes of the books.
#[expect(
    clippy::disallowed_methods,
    reason = "the test wants all that there is"
)]
async fn items(stack: &TestStack, table: &str) -> Vec<HashMap<String, AttributeValue>> {
    let call = stack.dynamodb().scan().table_name(table);
    let mut items = call.send().await.unwrap().items.unwrap_or_default();
    let close = AttributeValue::S("close".to_owned());
    items.retain(|item| item.get("day") != Some(&close));
    items
}

/// How many items a table has.
async fn count(stack: &TestStack, table: &str) -> usize {
    items(stack, table).await.len()
}

/// The balances of all accounts, as the ledger's entries add up.
async fn balances(stack: &TestStack) -> Value {
    let mut sums = std::collections::BTreeMap::<String, i64>::new();
    for item in items(stack, "Ledger").await {
        let entries: Vec<Value> = serde_json::from_str(item["entries"].as_s().unwrap()).unwrap();
        let mut total = 0;
        for entry in entries {
            let amount = entry["amount"].as_i64().unwrap();
            total += amount;
            *sums
                .entry(entry["account"].as_str().unwrap().to_owned())
                .or_default() += amount;
        }
        assert_eq!(total, 0, "a transaction does not balance");
    }
    sums.retain(|_, sum| *sum != 0);
    json!(sums)
}

/// The request of an order's buyer, as its shop sees it.
async fn request_of(stack: &TestStack, user: &str) -> Value {
    let found = stack
        .operator()
        .find(&format!("userId={user}"))
        .await
        .done();
    let found = found["invites"].as_array().unwrap().clone();
    let [request] = &found[..] else {
        panic!("{found:?}");
    };
    stack
        .shop()
        .status(request["requestId"].as_str().unwrap())
        .await
}

/// What a dashboard does at Stripe: a call with the account's own key.
async fn at_stripe(stack: &TestStack, path: &str, form: &str) -> Value {
    let key = &stack.local.env["STRIPE_SECRET_KEY"];
    let call = http::Request::post(path)
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.to_owned().into())
        .unwrap();
    let answer = stack.stripe().call(call).await.unwrap();
    let body = serde_json::from_slice(answer.body()).unwrap();
    assert!(answer.status().is_success(), "{body}");
    body
}

fn intent_of(stack: &TestStack, session: &str) -> Value {
    let session = stack.stripe().object(session).unwrap();
    let intent = session["payment_intent"].as_str().unwrap().to_owned();
    stack.stripe().object(&intent).unwrap()
}

/// How many requests there are of any buyer.
async fn requests(stack: &TestStack) -> usize {
    count(stack, "InviteRequests").await
}

#[tokio::test]
async fn who_pays_by_card_is_in_and_the_books_say_whose_the_money_is() {
    let stack = selling(&[]).await;
    let placed = placed(&stack, "month", "alice").await;
    assert_eq!(order(&stack, &placed.id).await["state"], "OPEN");
    stack
        .stripe()
        .act(&placed.session, &BuyerAction::Pay)
        .unwrap();
    settled(&stack).await;
    let paid = order(&stack, &placed.id).await;
    assert_eq!(
        (&paid["state"], &paid["pending"]),
        (&json!("PAID"), &json!([]))
    );
    let request = request_of(&stack, "alice").await;
    assert_eq!(request["transactionId"], json!(placed.id));
    let alice = stack.customer(7);
    let _ = alice.tap(request["inviteLink"].as_str().unwrap());
    stack.run_until_idle().await;
    assert!(alice.is_in());
    assert_eq!(stack.webengage.delivered(LINK_CREATED).len(), 1);
    let books = json!({"owner:o1": -2910, "platform:fee": -90, "provider:stripe": 3000});
    assert_eq!(balances(&stack).await, books);
    assert_eq!(count(&stack, "Payables").await, 1);
}

#[tokio::test]
async fn what_is_told_nine_times_at_once_and_looked_up_has_one_effect() {
    let stack = selling(&[]).await;
    let placed = placed(&stack, "month", "alice").await;
    let stripe = stack.stripe();
    stripe.fail_delivery(&EventRule {
        event_type: None,
        times: None,
        fault: EventFault::Repeat(9),
    });
    stripe.act(&placed.session, &BuyerAction::Pay).unwrap();
    settled(&stack).await;
    for _ in 0..3 {
        stack.clock.advance(HOUR);
        settled(&stack).await;
    }
    assert_eq!(order(&stack, &placed.id).await["state"], "PAID");
    assert_eq!(requests(&stack).await, 1);
    assert_eq!(
        (
            count(&stack, "Ledger").await,
            count(&stack, "Payables").await
        ),
        (1, 1)
    );
    assert_eq!(stack.webengage.delivered(LINK_CREATED).len(), 1);
}

#[tokio::test]
async fn an_order_whose_events_are_all_lost_is_found_paid_within_minutes() {
    let stack = selling(&[]).await;
    let placed = placed(&stack, "month", "alice").await;
    let stripe = stack.stripe();
    stripe.fail_delivery(&EventRule {
        event_type: None,
        times: None,
        fault: EventFault::Lose,
    });
    stripe.act(&placed.session, &BuyerAction::Pay).unwrap();
    settled(&stack).await;
    assert_eq!(order(&stack, &placed.id).await["state"], "OPEN");
    for _ in 0..5 {
        stack.clock.advance(MINUTE);
        stack.run_until_idle().await;
    }
    assert_eq!(order(&stack, &placed.id).await["state"], "PAID");
    assert_eq!(request_of(&stack, "alice").await["status"], "DONE");
}

#[tokio::test]
async fn a_call_that_is_made_again_is_the_same_order_and_another_body_is_refused() {
    let stack = selling(&[]).await;
    let quote = quoted(&stack, "month", "stripe").await;
    let body = json!({"quoteId": quote, "userId": "alice"});
    let shop = stack.shop();
    let calls = (0..10).map(|_| shop.checkout(&body, "K1"));
    let answers: Vec<Value> = join_all(calls)
        .await
        .into_iter()
        .map(|one| one.done())
        .collect();
    let first = &answers[0];
    for answer in &answers {
        assert_eq!(
            (&answer["orderId"], &answer["payUrl"]),
            (&first["orderId"], &first["payUrl"])
        );
    }
    let other = json!({"quoteId": quote, "userId": "bob"});
    let refused = shop.checkout(&other, "K1").await;
    assert_eq!(refused.refusal(), (409, "idempotency_conflict"));
    assert_eq!(sessions(&stack).await.len(), 1);
    let [order] = &orders(&stack).await[..] else {
        panic!("not one order");
    };
    assert_eq!(order["id"], first["orderId"]);
    settled(&stack).await;
}

#[tokio::test]
async fn a_tier_is_ordered_at_its_price_of_now_without_a_quote() {
    let stack = selling(&[]).await;
    let shop = stack.shop();
    let body = json!({"productId": "club", "tierId": "month", "currency": "usd", "provider": "stripe", "userId": "alice"});
    let calls = (0..5).map(|_| shop.checkout(&body, "K1"));
    let made: BTreeSet<String> = join_all(calls)
        .await
        .into_iter()
        .map(|one| one.done()["orderId"].to_string())
        .collect();
    assert_eq!(made.len(), 1);
    let [order] = &orders(&stack).await[..] else {
        panic!("not one order");
    };
    assert_eq!(
        (&order["terms"]["due"], &order["sold"]["tierId"]),
        (&json!(3000), &json!("month"))
    );
    let with = |name: &str, value: Value| {
        let mut other = body.clone();
        other[name] = value;
        other
    };
    let quote = quoted(&stack, "month", "stripe").await;
    for (wish, refused) in [
        (with("tierId", json!("gold")), (404, "unknown_tier")),
        (
            with("currency", json!("jpy")),
            (409, "currency_not_offered"),
        ),
        (with("coupon", json!("NONE")), (409, "coupon_not_valid")),
        (with("quoteId", quote.clone()), (400, "invalid_parameter")),
        (json!({"userId": "alice"}), (400, "invalid_parameter")),
        (
            json!({"quoteId": quote, "provider": "nowpayments"}),
            (400, "invalid_parameter"),
        ),
    ] {
        let answer = shop.checkout(&wish, &wish.to_string()).await;
        assert_eq!(answer.refusal(), refused, "{wish}");
    }
    assert_eq!(orders(&stack).await.len(), 1);
    let named = json!({"quoteId": quote, "provider": "stripe", "userId": "bob"});
    shop.checkout(&named, "K2").await.done();
    settled(&stack).await;
}

/// The records of all orders.
async fn orders(stack: &TestStack) -> Vec<Value> {
    let items = items(stack, "Orders").await;
    let orders = items
        .iter()
        .filter(|item| item["item"].as_s().is_ok_and(|item| item == "order"));
    orders
        .map(|item| serde_json::from_str(item["record"].as_s().unwrap()).unwrap())
        .collect()
}

#[tokio::test]
async fn a_provider_whose_answer_is_lost_is_asked_for_the_same_page_again() {
    let stack = selling(&[]).await;
    let stripe = stack.stripe();
    let lost = StripeFaultRule::on("POST", "/v1/checkout/sessions", StripeFault::ResetAfter);
    stripe.fail(lost.times(1));
    let quote = quoted(&stack, "month", "stripe").await;
    let body = json!({"quoteId": quote, "userId": "alice"});
    let shop = stack.shop();
    let away = shop.checkout(&body, "K1").await;
    assert_eq!(away.refusal(), (503, "provider_unavailable"));
    let made = shop.checkout(&body, "K1").await.done();
    let sessions = sessions(&stack).await;
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    assert_eq!(made["payUrl"], sessions[0]["url"]);
    settled(&stack).await;
}

/// All sessions of the account.
async fn sessions(stack: &TestStack) -> Vec<Value> {
    let key = &stack.local.env["STRIPE_SECRET_KEY"];
    let call = http::Request::get("/v1/checkout/sessions")
        .header("authorization", format!("Bearer {key}"))
        .body(bytes::Bytes::new())
        .unwrap();
    let answer = stack.stripe().call(call).await.unwrap();
    let body: Value = serde_json::from_slice(answer.body()).unwrap();
    body["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_refund_ends_the_seat_and_one_that_fails_gives_it_back() {
    let stack = selling(&[("CHAT_DELIVERY", "claim")]).await;
    let placed = placed(&stack, "month", "alice").await;
    stack
        .stripe()
        .act(&placed.session, &BuyerAction::Pay)
        .unwrap();
    settled(&stack).await;
    let link = request_of(&stack, "alice").await["inviteLink"].clone();
    let alice = stack.customer(7);
    alice.claim_by(link.as_str().unwrap());
    stack.run_until_idle().await;
    stack.stripe().plan_refunds(RefundPlan::Pend);
    let intent = intent_of(&stack, &placed.session);
    let form = format!("payment_intent={}", intent["id"].as_str().unwrap());
    let refund = at_stripe(&stack, "/v1/refunds", &form).await;
    settled(&stack).await;
    assert_eq!(order(&stack, &placed.id).await["state"], "REFUNDED");
    assert_eq!(seat(&stack, 7).await["right"], "ENDED");
    assert_eq!(balances(&stack).await, json!({}));
    stack
        .stripe()
        .fail_refund(refund["id"].as_str().unwrap(), "lost_or_stolen_card")
        .unwrap();
    settled(&stack).await;
    let again = order(&stack, &placed.id).await;
    assert_eq!(again["state"], "PAID");
    assert_eq!(again["cases"].as_array().unwrap().len(), 1, "{again}");
    assert_eq!(seat(&stack, 7).await["right"], "ENTITLED");
    assert_eq!(balances(&stack).await["provider:stripe"], 3000);
}

/// The seat of a person in the chat, as it is stored.
async fn seat(stack: &TestStack, person: i64) -> Value {
    let text = |text: String| AttributeValue::S(text);
    let found = stack.dynamodb().get_item().table_name("Members");
    let found = found
        .key("telegramUserId", text(person.to_string()))
        .key("chatId", text(stack.chat_id.to_string()));
    let item = found.send().await.unwrap().item.unwrap();
    json!({"right": item["right"].as_s().unwrap()})
}

#[tokio::test]
async fn a_dispute_suspends_the_seat_and_whoever_wins_it_has_it_back() {
    let stack = selling(&[("CHAT_DELIVERY", "claim")]).await;
    let placed = placed(&stack, "month", "alice").await;
    stack
        .stripe()
        .act(&placed.session, &BuyerAction::Pay)
        .unwrap();
    settled(&stack).await;
    let charge = intent_of(&stack, &placed.session)["latest_charge"]
        .as_str()
        .unwrap()
        .to_owned();
    let dispute = stack.stripe().dispute(&charge, "fraudulent").unwrap();
    settled(&stack).await;
    // Nobody had claimed it yet: whoever does now has what the order grants by now.
    let link = request_of(&stack, "alice").await["inviteLink"].clone();
    stack.customer(7).claim_by(link.as_str().unwrap());
    settled(&stack).await;
    assert_eq!(order(&stack, &placed.id).await["state"], "DISPUTED");
    assert_eq!(seat(&stack, 7).await["right"], "SUSPENDED");
    stack
        .stripe()
        .step_dispute(&dispute, DisputeStep::Win)
        .unwrap();
    settled(&stack).await;
    assert_eq!(order(&stack, &placed.id).await["state"], "PAID");
    assert_eq!(seat(&stack, 7).await["right"], "ENTITLED");
    // Taken up again, it takes the seat from who has it by then.
    stack
        .stripe()
        .step_dispute(&dispute, DisputeStep::Appeal)
        .unwrap();
    settled(&stack).await;
    assert_ne!(seat(&stack, 7).await["right"], "ENTITLED");
    stack
        .stripe()
        .step_dispute(&dispute, DisputeStep::Lose)
        .unwrap();
    settled(&stack).await;
    assert_eq!(order(&stack, &placed.id).await["state"], "LOST");
    assert_eq!(seat(&stack, 7).await["right"], "ENDED");
    assert_eq!(balances(&stack).await["owner:o1"], Value::Null);
}

#[tokio::test]
async fn coins_are_counted_by_what_came_and_a_second_payment_completes_the_price() {
    let stack = selling(&[]).await;
    let quote = quoted(&stack, "month", "nowpayments").await;
    let body = json!({"quoteId": quote, "userId": "alice"});
    let made = stack.shop().checkout(&body, "K1").await.done();
    let id = made["orderId"].as_str().unwrap();
    pay_in_coins(&stack, made["payUrl"].as_str().unwrap(), 2).await;
    assert_eq!(order(&stack, id).await["state"], "UNDERPAID");
    assert_eq!(requests(&stack).await, 0);
    pay_in_coins(&stack, made["payUrl"].as_str().unwrap(), 2).await;
    let paid = order(&stack, id).await;
    assert_eq!(paid["state"], "PAID", "{paid}");
    assert_eq!(requests(&stack).await, 1);
    assert_eq!(balances(&stack).await["owner:o1"], -2910);
}

/// Pays one of so many parts of an invoice on its page.
async fn pay_in_coins(stack: &TestStack, url: &str, parts: i64) {
    let now = stack.nowpayments();
    let invoice: u64 = url.rsplit('=').next().unwrap().parse().unwrap();
    let form = format!("iid={invoice}&coin=usdttrc20");
    let call = http::Request::post("/payment/coin")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.into())
        .unwrap();
    now.call(call).await.unwrap();
    let payin = now.payins().pop().unwrap();
    let call = http::Request::get(format!("/v1/payment/{}", payin.id))
        .header("x-api-key", &stack.local.env["NOWPAYMENTS_API_KEY"])
        .body(bytes::Bytes::new())
        .unwrap();
    let told: Value = serde_json::from_slice(now.call(call).await.unwrap().body()).unwrap();
    let amount = told["pay_amount"].to_string();
    let half = half(&amount, parts);
    // Its statuses follow each other at once: nobody turns the clock while they are waited for.
    now.set_pace(Duration::ZERO);
    now.deposit(payin.id, payin.coin, Decimal::parse(&half).unwrap());
    now.settled().await;
    stack.run_until_idle().await;
}

/// A decimal amount divided by a small whole, of 8 decimals.
fn half(amount: &str, parts: i64) -> String {
    let (whole, decimals) = amount.split_once('.').unwrap_or((amount, ""));
    let units: i64 = format!("{whole}{decimals:0<8}").parse().unwrap();
    let part = units / parts;
    format!("{}.{:08}", part / 100_000_000, part % 100_000_000)
}

#[tokio::test]
async fn an_order_that_nobody_pays_is_closed_at_its_provider_and_can_not_be_paid_any_more() {
    let stack = selling(&[]).await;
    let placed = placed(&stack, "month", "alice").await;
    for _ in 0..24 {
        stack.clock.advance(HOUR);
        stack.run_until_idle().await;
    }
    settled(&stack).await;
    let closed = order(&stack, &placed.id).await;
    assert_eq!(
        (&closed["state"], &closed["dueAt"]),
        (&json!("EXPIRED"), &Value::Null)
    );
    assert_eq!(
        stack.stripe().object(&placed.session).unwrap()["status"],
        "expired"
    );
    let late = stack.stripe().act(&placed.session, &BuyerAction::Pay);
    assert!(late.is_err());
    assert_eq!(requests(&stack).await, 0);
}

#[tokio::test]
async fn nobody_without_the_providers_signature_changes_anything() {
    let stack = selling(&[]).await;
    let placed = placed(&stack, "month", "alice").await;
    let event = json!({
        "id": "evt_forged", "object": "event", "type": "checkout.session.completed", "livemode": false, "created": 1,
        "data": {"object": {"id": placed.session, "object": "checkout.session", "payment_status": "paid", "status": "complete",
            "mode": "payment", "amount_total": 3000, "currency": "usd", "metadata": {"order_id": placed.id}}},
    });
    for (path, name, signature) in [
        ("stripe", "stripe-signature", "t=1,v1=00"),
        ("stripe", "stripe-signature", ""),
        ("nowpayments", "x-nowpayments-sig", "00"),
    ] {
        let answer = stack
            .post(
                &format!("/v1/payments/{path}"),
                event.to_string(),
                &[(name, signature)],
            )
            .await;
        assert_eq!(answer.refusal(), (401, "unauthorized"));
    }
    let answer = stack
        .post("/v1/payments/paypal", event.to_string(), &[])
        .await;
    assert_eq!(answer.refusal(), (404, "not_found"));
    settled(&stack).await;
    assert_eq!(order(&stack, &placed.id).await["state"], "OPEN");
    assert_eq!(count(&stack, "PaymentEvents").await, 0);
}
