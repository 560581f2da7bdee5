//! What a buyer has and has ordered before, what they and the owners hear, and what is not returned by itself.

use std::collections::BTreeSet;

use domain::order::fact::OrderFact;
use domain::order::record::PayoutHold;
use domain::time::Timestamp;
use local::harness::{ApiAnswer, HOUR, TestStack};
use runtime::config::Env;
use serde_json::{Value, json};
use simulators::stripe::{BuyerAction, RenewalOutcome};
use simulators::telegram::SeenMessage;
use store::Orders;

use super::{SELLS, balances, intent_of, order, pay_in_coins, placed, requests, selling, settled};

async fn shop(env: &[(&str, &str)]) -> TestStack {
    let stack = TestStack::with(&[&[SELLS], env].concat()).await;
    let product = json!({
        "title": "Premium Club", "chats": [stack.chat_id], "owner": "o1",
        "tiers": [
            {"id": "ever", "title": "For ever", "length": "forEver", "prices": {"usd": 3000, "eur": 2500}},
            {"id": "month", "title": "One month", "length": {"days": 30}, "prices": {"usd": 1000}},
            {"id": "week", "title": "One week", "length": {"days": 7}, "prices": {"usd": 500}},
            {"id": "day", "title": "One day", "length": {"days": 1}, "prices": {"usd": 200}},
            {"id": "sub", "title": "Each month", "length": {"months": 1}, "recurring": true, "prices": {"usd": 2000}},
            {"id": "try", "title": "Each month, tried", "length": {"months": 1}, "recurring": true, "trialDays": 7, "prices": {"usd": 2000}},
        ],
    });
    stack.operator().put_product("club", &product).await.done();
    stack
}

/// A checkout under a key of its own.
async fn ordered(
    stack: &TestStack,
    buyer: &Value,
    (tier, provider, currency): (&str, &str, &str),
) -> ApiAnswer {
    let wish =
        json!({"productId": "club", "tierId": tier, "currency": currency, "provider": provider});
    let quote = stack.shop().quote(&wish).await.done()["quoteId"].clone();
    let mut body = buyer.clone();
    body["quoteId"] = quote;
    let key = uuid::Uuid::new_v4().to_string();
    stack.shop().checkout(&body, &key).await
}

fn user(name: &str) -> Value {
    json!({"userId": name})
}

const fn by_card(tier: &str) -> (&str, &str, &str) {
    (tier, "stripe", "usd")
}

fn id_of(made: &Value) -> String {
    made["orderId"].as_str().unwrap().to_owned()
}

async fn session_of(stack: &TestStack, id: &str) -> String {
    let order = order(stack, id).await;
    let object = &order["checkout"]["object"];
    object.as_str().unwrap().to_owned()
}

async fn pay(stack: &TestStack, id: &str) {
    let session = session_of(stack, id).await;
    stack.stripe().act(&session, &BuyerAction::Pay).unwrap();
    settled(stack).await;
}

#[tokio::test]
async fn nobody_buys_again_what_they_have_for_good_or_pay_for_each_month() {
    let stack = shop(&[]).await;
    for tier in ["ever", "sub"] {
        let made = ordered(&stack, &user("alice"), by_card(tier)).await.done();
        pay(&stack, &id_of(&made)).await;
        let again = ordered(&stack, &user("alice"), by_card(tier)).await;
        assert_eq!(again.refusal(), (409, "already_owned"), "{tier}");
        let other = ordered(&stack, &user("bob"), by_card(tier)).await;
        other.done();
    }
    // Time may be bought again, and what was given back too.
    for _ in 0..2 {
        let made = ordered(&stack, &user("carol"), by_card("month"))
            .await
            .done();
        pay(&stack, &id_of(&made)).await;
    }
    let made = ordered(&stack, &user("dora"), by_card("ever")).await.done();
    pay(&stack, &id_of(&made)).await;
    let path = format!("orders/{}/refunds", id_of(&made));
    stack
        .operator()
        .post(&path, &json!({"refundId": "R"}))
        .await
        .done();
    settled(&stack).await;
    ordered(&stack, &user("dora"), by_card("ever")).await.done();
    // Renewed no more, it may be bought anew.
    let made = ordered(&stack, &user("erik"), by_card("sub")).await.done();
    pay(&stack, &id_of(&made)).await;
    let path = format!("orders/{}/cancel", id_of(&made));
    stack.operator().post(&path, &json!({})).await.done();
    settled(&stack).await;
    ordered(&stack, &user("erik"), by_card("sub")).await.done();
    settled(&stack).await;
}

#[tokio::test]
async fn who_pays_for_the_same_twice_all_the_same_is_a_case() {
    let stack = shop(&[]).await;
    let coins = ("ever", "nowpayments", "usd");
    let one = ordered(&stack, &user("alice"), by_card("ever"))
        .await
        .done();
    let other = ordered(&stack, &user("alice"), coins).await.done();
    pay(&stack, &id_of(&one)).await;
    assert_eq!(order(&stack, &id_of(&one)).await["cases"], json!([]));
    pay_in_coins(&stack, other["payUrl"].as_str().unwrap(), 1).await;
    settled(&stack).await;
    let second = order(&stack, &id_of(&other)).await;
    assert_eq!(second["state"], "PAID", "{second}");
    let case = format!("already_owned#{}", id_of(&one));
    assert_eq!(second["cases"], json!([case]));
    assert_eq!(order(&stack, &id_of(&one)).await["cases"], json!([]));
}

#[tokio::test]
async fn the_same_wish_is_the_same_order_and_few_orders_wait_at_once() {
    let stack = shop(&[]).await;
    let alice = user("alice");
    let first = ordered(&stack, &alice, by_card("ever")).await.done();
    let again = ordered(&stack, &alice, by_card("ever")).await.done();
    assert_eq!(
        (&again["orderId"], &again["payUrl"]),
        (&first["orderId"], &first["payUrl"])
    );
    let mut ids = BTreeSet::from([id_of(&first)]);
    for wish in [by_card("month"), ("ever", "nowpayments", "usd")] {
        ids.insert(id_of(&ordered(&stack, &alice, wish).await.done()));
    }
    assert_eq!(ids.len(), 3);
    let fourth = ordered(&stack, &alice, by_card("week")).await;
    assert_eq!(fourth.refusal(), (409, "too_many_open_orders"));
    // Of somebody else, and of nobody: not counted.
    ordered(&stack, &user("bob"), by_card("week")).await.done();
    for _ in 0..4 {
        ordered(&stack, &json!({}), by_card("week")).await.done();
    }
    let path = format!("orders/{}/cancel", id_of(&first));
    stack.operator().post(&path, &json!({})).await.done();
    settled(&stack).await;
    ordered(&stack, &alice, by_card("week")).await.done();
    settled(&stack).await;
}

#[tokio::test]
async fn a_key_that_found_an_order_finds_it_again() {
    let stack = shop(&[]).await;
    let first = ordered(&stack, &user("alice"), by_card("month"))
        .await
        .done();
    let wish =
        json!({"productId": "club", "tierId": "month", "currency": "usd", "provider": "stripe"});
    let quote = stack.shop().quote(&wish).await.done()["quoteId"].clone();
    let body = json!({"quoteId": quote, "userId": "alice"});
    for _ in 0..2 {
        let found = stack.shop().checkout(&body, "K2").await.done();
        assert_eq!(found["orderId"], first["orderId"]);
    }
    pay(&stack, &id_of(&first)).await;
    let found = stack.shop().checkout(&body, "K2").await.done();
    assert_eq!(
        (&found["orderId"], &found["status"]),
        (&first["orderId"], &json!("PAID"))
    );
    let other = json!({"quoteId": quote, "userId": "bob"});
    let refused = stack.shop().checkout(&other, "K2").await;
    assert_eq!(refused.refusal(), (409, "idempotency_conflict"));
}

#[tokio::test]
async fn what_is_paid_in_coins_is_limited_by_order_and_by_person() {
    let limits = [
        ("CRYPTO_MAX_PER_ORDER", "usd=3000"),
        ("CRYPTO_MAX_PER_PERSON_30D", "usd=3500, eur=100"),
    ];
    let stack = shop(&limits).await;
    let coins = |tier| (tier, "nowpayments", "usd");
    // Without a limit of its currency, nothing is taken in it.
    let euros = ordered(&stack, &user("alice"), ("ever", "nowpayments", "eur")).await;
    assert_eq!(euros.refusal(), (403, "limit_reached"));
    let nobody = ordered(&stack, &json!({}), coins("week")).await;
    assert_eq!(nobody.refusal(), (400, "invalid_parameter"));
    let made = ordered(&stack, &user("alice"), coins("ever")).await.done();
    pay_in_coins(&stack, made["payUrl"].as_str().unwrap(), 1).await;
    let more = ordered(&stack, &user("alice"), coins("month")).await;
    assert_eq!(more.refusal(), (403, "limit_reached"));
    ordered(&stack, &user("alice"), coins("week")).await.done();
    ordered(&stack, &user("bob"), coins("month")).await.done();
    // By card as much as they like.
    ordered(&stack, &user("alice"), by_card("month"))
        .await
        .done();
    settled(&stack).await;
}

#[tokio::test]
async fn a_trial_is_had_once_by_a_person() {
    let stack = shop(&[]).await;
    let nobody = ordered(&stack, &json!({}), by_card("try")).await;
    assert_eq!(nobody.refusal(), (400, "invalid_parameter"));
    let made = ordered(&stack, &user("alice"), by_card("try")).await.done();
    pay(&stack, &id_of(&made)).await;
    let path = format!("orders/{}/cancel", id_of(&made));
    stack.operator().post(&path, &json!({})).await.done();
    settled(&stack).await;
    let again = ordered(&stack, &user("alice"), by_card("try")).await;
    assert_eq!(again.refusal(), (409, "trial_used"));
    ordered(&stack, &user("bob"), by_card("try")).await.done();
    settled(&stack).await;
}

/// What a message says, without the marks around names.
fn said(message: &SeenMessage) -> String {
    message.text.replace(['\u{2068}', '\u{2069}'], "")
}

/// Writes that the money of one order came to another one, as if it had been paid twice.
async fn paid_twice(stack: &TestStack, id: &str, charge: &str) {
    let orders = Orders::from_env(stack.dynamodb(), &mut Env::from_iter(stack.env().clone()));
    let order = orders.get(id.parse().unwrap()).await.unwrap().unwrap();
    let now = Timestamp::from_ms(stack.clock.now_ms());
    let fact: OrderFact = serde_json::from_value(json!({
        "kind": "charge", "key": charge, "status": "paid", "amount": 3000, "currency": "usd", "at": now.seconds() + 1,
    }))
    .unwrap();
    let hold = PayoutHold(HOUR);
    let next = order.learn([fact], now, hold).unwrap().unwrap();
    orders.write(&next).await.unwrap().unwrap();
    let path = format!("orders/{id}/recheck");
    stack.operator().post(&path, &json!({})).await.done();
    settled(stack).await;
}

#[tokio::test]
async fn what_goes_back_by_itself_is_capped_by_the_hour_and_left_to_operators() {
    let stack = selling(&[("AUTO_REFUND_MAX_PER_HOUR", "1")]).await;
    let mut paid = Vec::new();
    for user in ["a", "b", "c", "d"] {
        let placed = placed(&stack, "month", user).await;
        let session = &placed.session;
        stack.stripe().act(session, &BuyerAction::Pay).unwrap();
        settled(&stack).await;
        let intent = intent_of(&stack, session)["id"]
            .as_str()
            .unwrap()
            .to_owned();
        paid.push((placed.id, intent));
    }
    paid_twice(&stack, &paid[0].0, &paid[2].1).await;
    let first = order(&stack, &paid[0].0).await;
    assert_eq!(
        (&first["state"], &first["cases"]),
        (&json!("PAID"), &json!([])),
        "{first}"
    );
    let (id, charge) = (&paid[1].0, &paid[3].1);
    paid_twice(&stack, id, charge).await;
    let second = order(&stack, id).await;
    let case = format!("refund_capped#{charge}");
    let cases = second["cases"].as_array().unwrap();
    assert!(cases.contains(&json!(case)), "{second}");
    assert_eq!(second["pending"], json!([]));
    let operator = stack.operator();
    let refund = json!({"refundId": "R", "charge": charge});
    operator
        .post(&format!("orders/{id}/refunds"), &refund)
        .await
        .done();
    let decision = json!({"case": case, "action": "keep", "note": "returned"});
    operator
        .post(&format!("orders/{id}/decisions"), &decision)
        .await
        .done();
    settled(&stack).await;
    let second = order(&stack, id).await;
    assert_eq!(
        (&second["state"], &second["cases"]),
        (&json!("PAID"), &json!([])),
        "{second}"
    );
    assert_eq!(balances(&stack).await["held"], Value::Null);
    assert_eq!(requests(&stack).await, 4);
}

#[tokio::test]
async fn who_does_not_pay_a_renewal_is_told_once_a_try_where_to_mend_it() {
    let stack = shop(&[("CHAT_DELIVERY", "claim")]).await;
    let alice = stack.customer(7);
    alice.say(stack.bot_id, "/start");
    stack.run_until_idle().await;
    let buyer = json!({"telegramUserId": 7});
    let made = ordered(&stack, &buyer, by_card("sub")).await.done();
    pay(&stack, &id_of(&made)).await;
    let session = session_of(&stack, &id_of(&made)).await;
    let session = stack.stripe().object(&session).unwrap();
    let subscription = session["subscription"].as_str().unwrap();
    let declined = RenewalOutcome::Decline("generic_decline".to_owned());
    stack.stripe().set_renewal(subscription, declined).unwrap();
    for _ in 0..32 {
        stack.clock.advance(HOUR * 24);
        settled(&stack).await;
    }
    let told = |words: &str| {
        let messages = alice.messages_of(stack.bot_id);
        let told = messages.iter().filter(|seen| seen.text.contains(words));
        told.map(said).collect::<Vec<_>>()
    };
    let failed = told("failed");
    assert!(!failed.is_empty(), "{:?}", told(""));
    for text in &failed {
        assert!(
            text.contains("Premium Club") && text.contains("/i/in_"),
            "{text}"
        );
    }
    // What is reported once more is not told once more.
    let events = stack.stripe().events();
    let of_renewal = |event: &&Value| event["type"] == "invoice.payment_failed";
    assert_eq!(failed.len(), events.iter().filter(of_renewal).count());
}

#[tokio::test]
async fn owners_hear_of_a_sale_and_of_what_waits_for_them_once() {
    for (setting, sales) in [("each", 1), ("off", 0)] {
        let stack = shop(&[
            ("BOT_OWNERS", "1"),
            ("SALE_MESSAGES", setting),
            ("CHAT_DELIVERY", "claim"),
        ])
        .await;
        let owner = stack.customer(1);
        owner.say(stack.bot_id, "/start");
        stack.run_until_idle().await;
        let made = ordered(&stack, &user("alice"), by_card("ever"))
            .await
            .done();
        pay(&stack, &id_of(&made)).await;
        let path = format!("orders/{}/refunds", id_of(&made));
        let part = json!({"refundId": "R", "amount": 1000});
        stack.operator().post(&path, &part).await.done();
        settled(&stack).await;
        let messages: Vec<String> = owner.messages_of(stack.bot_id).iter().map(said).collect();
        let count = |words: &str| messages.iter().filter(|text| text.contains(words)).count();
        assert_eq!(
            count("Sold: Premium Club, For ever, for 30.00 USD"),
            sales,
            "{messages:?}"
        );
        assert_eq!(count("partial_refund#2000"), 1, "{messages:?}");
        assert_eq!(count(&id_of(&made)), 1, "{messages:?}");
    }
}
