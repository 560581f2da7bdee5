//! The price of a buyer's choice: line by line, promised for a while, whatever becomes of the product.

use std::time::Duration;

use domain::money::pricing::ExchangeRate;
use domain::product::Currency;
use domain::quote::ReferenceRate;
use domain::time::Timestamp;
use local::harness::TestStack;
use runtime::aws::Shared;
use runtime::config::Env;
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};
use store::Quotes;

use super::products::{KEYS, example};

/// A stack that sells the product of the documents.
async fn selling() -> TestStack {
    let stack = TestStack::with(&KEYS).await;
    let product = example(&stack);
    stack.operator().put_product("club", &product).await.done();
    stack
}

fn at(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

/// Keeps a reference rate: one dollar is so many euros.
async fn rate(stack: &TestStack, euros: &str, as_of: Timestamp) {
    let mut env = Env::from_iter(stack.env().clone());
    let dynamo = Shared::from_env(&mut env).dynamodb();
    let quotes = Quotes::from_env(dynamo, &mut env);
    let rate = ReferenceRate {
        rate: ExchangeRate {
            from: "1".parse().unwrap(),
            to: euros.parse().unwrap(),
        },
        source: "ECB".to_owned(),
        as_of,
    };
    let [from, to]: [Currency; 2] = ["usd", "eur"].map(|code| code.parse().unwrap());
    quotes.put_rate(&from, &to, &rate).await.unwrap();
}

#[tokio::test]
async fn a_price_is_promised_line_by_line_and_read_again() {
    let stack = selling().await;
    let shop = stack.shop();
    let wish = json!({
        "productId": "club", "tierId": "month", "currency": "usd", "coupon": " spring ", "months": "3", "trial": false
    });
    let quote = shop.quote(&wish).await.done();
    assert_eq!(
        (&quote["provider"], &quote["currency"]),
        (&json!("stripe"), &json!("usd"))
    );
    assert_eq!(
        (&quote["dueNow"], &quote["recurring"]),
        (&json!(4332), &json!(5415))
    );
    assert_eq!(
        quote["display"],
        "43.32 USD now, then 54.15 USD every 3 months"
    );
    let lines = json!([
        {"kind": "base", "amount": 5700},
        {"kind": "volume", "amount": -285},
        {"kind": "coupon", "amount": -1083}
    ]);
    assert_eq!(quote["lines"], lines);
    assert_eq!(
        (&quote["coupon"], &quote["length"]),
        (&json!("SPRING"), &json!({"months": 3}))
    );
    let (made, ends) = (at(&quote["createdAt"]), at(&quote["expiresAt"]));
    assert_eq!(ends.since(made), Duration::from_secs(900));
    let path = format!("quotes/{}", quote["quoteId"].as_str().unwrap());
    assert_eq!(shop.get(&path).await.done(), quote);
    // Asked for again it is another promise.
    let again = shop.quote(&wish).await.done();
    assert_ne!(again["quoteId"], quote["quoteId"]);
    for odd in ["quotes/none", "quotes/ac51f4db-4bc1-4c75-b824-613c155f6d40"] {
        assert_eq!(shop.get(odd).await.refusal(), (404, "not_found"), "{odd}");
    }
}

#[tokio::test]
async fn each_provider_has_its_own_price() {
    let stack = selling().await;
    let shop = stack.shop();
    for (wish, provider, due, recurring, display) in [
        (
            json!({"tierId": "life", "currency": "USD"}),
            "stripe",
            49_900,
            json!(null),
            "499.00 USD",
        ),
        (
            json!({"tierId": "month", "currency": "eur"}),
            "stripe",
            0,
            json!(1800),
            "free for 7 days, then 18.00 EUR every month",
        ),
        (
            json!({"tierId": "month", "currency": "eur", "provider": "nowpayments"}),
            "nowpayments",
            1800,
            json!(null),
            "18.00 EUR",
        ),
        (
            json!({"tierId": "once", "currency": "XTR", "coupon": "TEN-OFF"}),
            "stars",
            1400,
            json!(null),
            "1400 Stars",
        ),
        (
            json!({"tierId": "once", "provider": "stars"}),
            "stars",
            1500,
            json!(null),
            "1500 Stars",
        ),
    ] {
        let mut asked = wish.clone();
        asked["productId"] = "club".into();
        let quote = shop.quote(&asked).await.done();
        assert_eq!(quote["provider"], provider, "{wish}");
        assert_eq!(
            (&quote["dueNow"], &quote["recurring"]),
            (&json!(due), &recurring),
            "{wish}"
        );
        assert_eq!(quote["display"], display, "{wish}");
    }
}

#[tokio::test]
async fn what_has_no_price_is_refused_with_what_to_do() {
    let stack = selling().await;
    let shop = stack.shop();
    for (wish, refusal, words) in [
        (
            json!({"tierId": "month", "currency": "usd", "productId": "none"}),
            (404, "unknown_tier"),
            "no such product",
        ),
        (
            json!({"tierId": "none", "currency": "usd"}),
            (404, "unknown_tier"),
            "no such tier",
        ),
        (
            json!({"tierId": 7, "currency": "usd"}),
            (404, "unknown_tier"),
            "no such tier",
        ),
        (
            json!({"currency": "usd"}),
            (400, "invalid_parameter"),
            "tierId: is missing",
        ),
        (
            json!({"tierId": "life"}),
            (400, "invalid_parameter"),
            "currency: is missing",
        ),
        (
            json!({"tierId": "life", "currency": "dollars"}),
            (400, "invalid_parameter"),
            "currency: must be a currency",
        ),
        (
            json!({"tierId": "life", "currency": "usd", "provider": "paypal"}),
            (400, "invalid_parameter"),
            "provider",
        ),
        (
            json!({"tierId": "life", "currency": "usd", "coupom": "SPRING"}),
            (400, "invalid_parameter"),
            "coupom",
        ),
        (
            json!({"tierId": "life", "currency": "usd", "months": 1.5}),
            (400, "invalid_parameter"),
            "months",
        ),
        (
            json!({"tierId": "life", "currency": "usd", "months": 3}),
            (400, "invalid_months"),
            "leave months out",
        ),
        (
            json!({"tierId": "life", "currency": "usd", "coupon": "NONE"}),
            (409, "coupon_not_valid"),
            "no such coupon",
        ),
        (
            json!({"tierId": "life", "currency": "usd", "coupon": "a b"}),
            (409, "coupon_not_valid"),
            "coupon",
        ),
        (
            json!({"tierId": "month", "currency": "usd", "coupon": "SPRING"}),
            (409, "coupon_not_valid"),
            "trial false",
        ),
        (
            json!({"tierId": "month", "currency": "XTR"}),
            (409, "currency_not_offered"),
            "offered in eur, usd",
        ),
        (
            json!({"tierId": "life", "currency": "usd", "provider": "stars"}),
            (409, "not_possible_with_provider"),
            "XTR",
        ),
        (
            json!({"tierId": "life", "currency": "eur"}),
            (503, "rate_unavailable"),
            "no fresh rate",
        ),
    ] {
        let mut asked = wish.clone();
        if asked["productId"].is_null() {
            asked["productId"] = "club".into();
        }
        let refused = shop.quote(&asked).await;
        assert_eq!(refused.refusal(), refusal, "{wish}: {}", refused.body);
        let why = refused.body["error"].as_str().unwrap();
        assert!(why.contains(words), "{wish}: {why}");
    }
    for body in ["", "[]", "{"] {
        let key = [("x-api-key", stack.local.api_key())];
        let refused = stack.post("/v1/quotes", body, &key).await;
        assert_eq!(refused.refusal(), (400, "invalid_json"), "{body}");
    }
    let nobody = shop.with_key("wrong-key-0123456789");
    let wish = json!({"productId": "club", "tierId": "life", "currency": "usd"});
    assert_eq!(nobody.quote(&wish).await.refusal(), (401, "unauthorized"));
}

#[tokio::test]
async fn without_a_key_a_provider_is_off() {
    let stack = TestStack::start().await;
    let product = example(&stack);
    stack.operator().put_product("club", &product).await.done();
    let wish = json!({"productId": "club", "tierId": "life", "currency": "usd"});
    let refused = stack.shop().quote(&wish).await;
    assert_eq!(refused.refusal(), (409, "not_possible_with_provider"));
    let why = refused.body["error"].as_str().unwrap();
    assert!(why.contains("take one of stars"), "{why}");
    let stars = json!({"productId": "club", "tierId": "once", "currency": "XTR"});
    stack.shop().quote(&stars).await.done();
}

#[tokio::test]
async fn a_conversion_is_told_and_a_rate_that_is_old_is_none() {
    let stack = selling().await;
    let shop = stack.shop();
    let now = Timestamp::from_ms(stack.clock.now_ms());
    let five_days = Duration::from_secs(432_000);
    let minute = Duration::from_secs(60);
    rate(&stack, "0.9195", now.minus(five_days).plus(minute)).await;
    let wish = json!({"productId": "club", "tierId": "life", "currency": "eur"});
    let quote = shop.quote(&wish).await.done();
    assert_eq!(quote["dueNow"], 45_883);
    let conversion = &quote["lines"][1];
    assert_eq!(
        (&conversion["kind"], &conversion["amount"]),
        (&json!("conversion"), &json!(0))
    );
    assert_eq!(
        (&conversion["from"], &conversion["rate"]),
        (&json!("usd"), &json!("0.9195"))
    );
    assert_eq!(conversion["source"], "ECB");
    // Two minutes later it is too old; prices that are written are quoted all the same.
    stack.clock.advance(minute * 2);
    let refused = shop.quote(&wish).await;
    assert_eq!(refused.refusal(), (503, "rate_unavailable"));
    assert!(refused.retry_after.is_some());
    let own = json!({"productId": "club", "tierId": "month", "currency": "eur", "trial": false});
    assert_eq!(shop.quote(&own).await.done()["dueNow"], 1800);
    // A later rate takes its place; an earlier one that comes after it does not.
    rate(&stack, "0.92", now).await;
    rate(&stack, "0.5", now.minus(minute)).await;
    assert_eq!(shop.quote(&wish).await.done()["dueNow"], 45_908);
    // What was promised stays.
    let path = format!("quotes/{}", quote["quoteId"].as_str().unwrap());
    assert_eq!(shop.get(&path).await.done(), quote);
}

#[tokio::test]
async fn tiers_are_compared_without_a_promise() {
    let stack = selling().await;
    let shop = stack.shop();
    let wire = stack.aws().wire();
    wire.record_calls(true);
    let all = shop
        .get("products/club/quotes?currency=usd&months=1")
        .await
        .done();
    let written = wire.take_calls().into_iter().any(|call| {
        call.table_or_queue.as_deref() == Some("Quotes") && call.operation != "GetItem"
    });
    wire.record_calls(false);
    assert!(!written, "a read writes nothing");
    let told = |quote: &Value| {
        json!([
            quote["tierId"],
            quote["level"],
            quote["dueNow"],
            quote["recurring"],
            quote["unavailable"]
        ])
    };
    let quotes: Vec<Value> = all["quotes"].as_array().unwrap().iter().map(told).collect();
    assert_eq!(
        quotes,
        [
            json!(["month", 0, 0, 1900, null]),
            json!(["once", 0, null, null, "invalid_months"]),
            json!(["life", 1, null, null, "invalid_months"]),
        ]
    );
    let stars = shop.get("products/club/quotes?provider=stars").await.done();
    assert_eq!(stars["quotes"][1]["display"], "1500 Stars");
    for odd in [
        "",
        "?coupon=SPRING&currency=usd",
        "?currency=usd&provider=x",
        "?currency=u",
    ] {
        let refused = shop.get(&format!("products/club/quotes{odd}")).await;
        assert_eq!(refused.refusal(), (400, "invalid_parameter"), "{odd}");
    }
    let none = shop.get("products/none/quotes?currency=usd").await;
    assert_eq!(none.refusal(), (404, "not_found"));
}

#[tokio::test]
async fn a_quote_stands_whatever_becomes_of_the_product() {
    let stack = selling().await;
    let (operator, shop) = (stack.operator(), stack.shop());
    let wish = json!({"productId": "club", "tierId": "life", "currency": "usd"});
    let quote = shop.quote(&wish).await.done();
    let mut product = operator.get("products/club").await.done()["product"].clone();
    product["tiers"][2]["prices"]["usd"] = 99_900.into();
    product["tiers"][2]["soldUntil"] = json!(Timestamp::from_ms(stack.clock.now_ms()));
    operator.put_product("club", &product).await.done();
    stack.clock.advance(Duration::from_millis(1));
    assert_eq!(shop.quote(&wish).await.refusal(), (409, "not_for_sale"));
    operator.delete("products/club?version=2").await.done();
    let path = format!("quotes/{}", quote["quoteId"].as_str().unwrap());
    assert_eq!(shop.get(&path).await.done(), quote);
}

#[tokio::test]
async fn a_quote_that_can_not_be_kept_is_not_promised() {
    let stack = selling().await;
    let shop = stack.shop();
    let wish = json!({"productId": "club", "tierId": "life", "currency": "usd"});
    let fault = FaultRule::new(WireFault::InternalError).on(Service::DynamoDb, "PutItem");
    stack.aws().wire().fail(fault.named("Quotes").always());
    let refused = shop.quote(&wish).await;
    assert_eq!(refused.refusal(), (503, "unavailable"));
    assert!(refused.body["quoteId"].is_null());
    stack.aws().wire().clear_faults();
    // One whose write was not answered is kept.
    let lost = FaultRule::new(WireFault::ResetAfter).on(Service::DynamoDb, "PutItem");
    stack.aws().wire().fail(lost.named("Quotes"));
    let quote = shop.quote(&wish).await;
    assert!([200, 503].contains(&quote.status), "{}", quote.body);
    shop.quote(&wish).await.done();
}
