use serde_json::{Value, json};

use super::super::super::order::fact::Facts;
use super::super::super::order::terms::OrderTerms;
use super::*;

const ORDER: &str = "3f2b8a52-0d4e-4b6e-9c56-6a2f6f0a1b11";
const STORED_AT: i64 = 1_700_000_000;

/// A payment of 30.00 USD by 60 TRX, with these fields changed.
fn read(change: Value) -> Result<CoinReport, &'static str> {
    let mut body = json!({
        "payment_id": 5_077_125_051_i64, "parent_payment_id": null, "invoice_id": 4_522_625_843_i64,
        "payment_status": "finished", "price_amount": 30, "price_currency": "usd", "pay_amount": 60.0,
        "actually_paid": 60, "pay_currency": "trx", "order_id": ORDER, "purchase_id": "6084744717",
        "outcome_amount": 59.7, "outcome_currency": "trx",
    });
    for (name, value) in change.as_object().unwrap() {
        body[name] = value.clone();
    }
    CoinReport::of_body(body.to_string().as_bytes())
}

fn report(change: Value) -> CoinReport {
    read(change).unwrap()
}

fn reading(report: &CoinReport, facts: &Facts) -> Reading {
    let terms = r#"{"provider": "nowpayments", "currency": "usd", "due": 3000, "owner": "o1"}"#;
    let terms: OrderTerms = serde_json::from_str(terms).unwrap();
    report.reading(&OrderSeen {
        terms: &terms,
        facts,
        version: 7,
        checkout: Some("4522625843"),
        expires_at: STORED_AT - 2 * 86_400,
        charge: None,
        stored_at: STORED_AT,
    })
}

fn facts_with(report: &CoinReport, known: &Facts) -> Vec<Value> {
    match reading(report, known) {
        Reading::Says(said) => said
            .facts
            .iter()
            .map(|fact| serde_json::to_value(fact).unwrap())
            .collect(),
        other => panic!("{other:?}"),
    }
}

fn facts(report: &CoinReport) -> Vec<Value> {
    facts_with(report, &Facts::default())
}

#[test]
fn a_payment_is_a_charge_in_the_orders_currency_with_the_coin_that_came_of_it() {
    assert_eq!(
        facts(&report(json!({}))),
        [json!({
            "kind": "charge", "key": "5077125051", "status": "paid", "amount": 3000, "currency": "usd", "at": STORED_AT,
            "outcome": {"currency": "trx", "amount": 59_700_000}, "coin": "trx",
        })]
    );
    let half = facts(&report(
        json!({"payment_status": "partially_paid", "actually_paid": "30"}),
    ));
    assert_eq!(half[0]["amount"], 1500);
    for (status, word, amount) in [
        ("waiting", "pending", 3000),
        ("sending", "pending", 3000),
        ("expired", "void", 0),
    ] {
        let told = facts(&report(json!({"payment_status": status})));
        assert_eq!(
            (&told[0]["status"], &told[0]["amount"]),
            (&json!(word), &json!(amount)),
            "{status}"
        );
        assert_eq!(told[0].get("outcome"), None);
    }
    // Every coin in decimals of its own, for ever the same.
    for (coin, amount, units) in [
        ("usdttrc20", "29.1", 29_100_000_i128),
        ("btc", "0.00000001", 1),
        ("eth", "0.5", 500_000_000_000_000_000),
        ("newcoin", "2", 2_000_000_000_000_000_000),
    ] {
        let told = facts(&report(
            json!({"outcome_currency": coin.to_uppercase(), "outcome_amount": amount}),
        ));
        assert_eq!(
            told[0]["outcome"].to_string(),
            format!(r#"{{"amount":{units},"currency":"{coin}"}}"#)
        );
    }
    // Untold, it is what was paid.
    let untold = facts(&report(json!({"outcome_amount": null})));
    assert_eq!(
        untold[0]["outcome"],
        json!({"currency": "trx", "amount": 60_000_000})
    );
}

#[test]
fn what_was_refunded_came_and_went() {
    let told = facts(&report(json!({"payment_status": "refunded"})));
    assert_eq!(told[0]["status"], "paid");
    assert_eq!(
        told[1],
        json!({
            "kind": "refund", "key": "5077125051", "charge": "5077125051", "status": "done", "amount": 3000,
        })
    );
}

#[test]
fn what_does_not_fit_is_flagged() {
    for (change, flag, currency) in [
        (json!({"price_currency": "eur"}), "wrong_currency", "eur"),
        (json!({"price_amount": 1}), "amount_differs", "usd"),
        (
            json!({"payment_status": "wrong_asset_confirmed"}),
            "wrong_asset",
            "usd",
        ),
    ] {
        let told = facts(&report(change));
        assert_eq!(
            (&told[0]["flag"], &told[0]["currency"]),
            (&json!(flag), &json!(currency))
        );
        assert_eq!(told[0]["amount"], 0);
    }
    for change in [
        json!({"payment_status": "something_new"}),
        json!({"pay_amount": 0}),
    ] {
        assert!(matches!(
            reading(&report(change), &Facts::default()),
            Reading::Unclear(_)
        ));
    }
}

#[test]
fn a_coin_that_changed_after_it_was_first_told_is_the_wrong_one() {
    let Reading::Says(first) = reading(
        &report(json!({"payment_status": "waiting"})),
        &Facts::default(),
    ) else {
        panic!("nothing is said");
    };
    let known: Facts = first.facts.into_iter().collect();
    let changed = report(json!({"pay_currency": "xrp", "pay_amount": 1, "actually_paid": 1}));
    let told = facts_with(&changed, &known);
    assert_eq!(
        (&told[0]["flag"], &told[0]["amount"]),
        (&json!("wrong_asset"), &json!(0))
    );
    // The coin that was asked for stays known.
    assert_eq!(told[0]["coin"], "trx");
}

#[test]
fn a_deposit_to_a_used_address_is_judged_by_its_parents_terms() {
    let child = || {
        report(json!({
            "payment_id": 7, "parent_payment_id": 5_077_125_051_i64, "actually_paid": 30, "pay_amount": 30,
            "price_amount": 15, "order_id": null, "invoice_id": null,
        }))
    };
    let lookup = Lookup::Deposit {
        payment: "7".into(),
        parent: "5077125051".into(),
    };
    assert_eq!(
        reading(&child(), &Facts::default()),
        Reading::Fetch(lookup.clone())
    );
    let named = child().named();
    assert_eq!(
        (named.order, named.refs),
        (None, vec!["7".into(), "5077125051".into()])
    );
    assert_eq!(named.upwards, Some(lookup));

    let whole = child().of_parent(report(json!({})));
    let named = whole.named();
    assert_eq!((named.order.as_deref(), named.upwards), (Some(ORDER), None));
    assert_eq!(named.refs.last().map(String::as_str), Some("4522625843"));
    let told = facts(&whole);
    assert_eq!(
        (&told[0]["key"], &told[0]["amount"]),
        (&json!("7"), &json!(1500))
    );
    // The order expired two days before.
    assert_eq!(told[0]["flag"], "late_deposit");
    let other = child().of_parent(report(json!({"pay_currency": "btc"})));
    assert_eq!(facts(&other)[0]["flag"], "wrong_asset");
}

#[test]
fn only_our_own_ids_are_orders_and_odd_ids_are_no_payments() {
    for (order, expected) in [
        (json!(ORDER), Some(ORDER)),
        (json!(ORDER.to_uppercase()), Some(ORDER)),
        (json!("ord_1"), None),
        (json!(17), None),
        (Value::Null, None),
    ] {
        let named = report(json!({"order_id": order})).named();
        assert_eq!(named.order.as_deref(), expected);
        assert_eq!(named.charge.as_deref(), Some("5077125051"));
        assert_eq!(named.is_live, None);
    }
    for field in [
        "payment_id",
        "parent_payment_id",
        "invoice_id",
        "payment_status",
    ] {
        for value in ["a#b".to_owned(), "x".repeat(65), "é".to_owned()] {
            assert_eq!(read(json!({field: value})), Err(field));
        }
    }
    assert_eq!(CoinReport::of_body(b"[]"), Err("body"));
    assert_eq!(CoinReport::of_body(b"{}"), Err("payment_id"));
}

#[test]
fn a_notification_is_known_by_what_it_says() {
    let key = |change: Value| report(change).event_key();
    assert_eq!(key(json!({})), "5077125051#finished#60");
    assert_eq!(
        key(json!({"actually_paid": "60.0", "payment_status": "FINISHED"})),
        key(json!({}))
    );
    let others = [
        json!({"actually_paid": 61}),
        json!({"payment_status": "sending"}),
        json!({"payment_id": 1}),
    ];
    for other in others {
        assert_ne!(key(other), key(json!({})));
    }
}
