use serde_json::{Value, json};

use super::*;

const EXPIRES_AT: i64 = 1_000_000;
const PRICE: OrderPrice<'_> = OrderPrice {
    currency: "usd",
    amount: 3000,
    exponent: 2,
};
const IN_TIME: DepositTime = DepositTime {
    came_at: EXPIRES_AT,
    order_expires_at: EXPIRES_AT,
};

/// A payment of 30.00 USD by 60 TRX, with these fields changed.
fn payment(change: Value) -> Result<CoinPayment, &'static str> {
    let mut body = json!({
        "payment_id": 5_077_125_051_i64, "parent_payment_id": null, "invoice_id": 4_522_625_843_i64,
        "payment_status": "finished", "price_amount": 30, "price_currency": "usd", "pay_amount": 60.0,
        "actually_paid": 60, "pay_currency": "trx", "order_id": "ord_1", "purchase_id": "6084744717",
        "outcome_amount": 59.7, "outcome_currency": "trx", "fee": {"currency": "trx", "serviceFee": 9999},
    });
    for (name, value) in change.as_object().unwrap() {
        body[name] = value.clone();
    }
    CoinPayment::read(&IpnBody::parse(body.to_string().as_bytes()).unwrap())
}

fn charge(change: Value) -> Result<CoinCharge, Unjudged> {
    payment(change).unwrap().charge(PRICE, None, IN_TIME)
}

fn paid(amount: u64) -> Result<CoinCharge, Unjudged> {
    Ok(CoinCharge::Paid {
        amount,
        flag: None,
        is_refunded: false,
    })
}

fn flagged(amount: u64, flag: ChargeFlag) -> Result<CoinCharge, Unjudged> {
    Ok(CoinCharge::Paid {
        amount,
        flag: Some(flag),
        is_refunded: false,
    })
}

fn terms(coin: &str, amount: &str) -> CoinTerms {
    CoinTerms {
        coin: coin.into(),
        amount: CoinAmount::parse(amount).unwrap(),
    }
}

#[test]
fn a_status_makes_a_charge_pending_void_or_paid() {
    for (status, expected) in [
        ("waiting", Ok(CoinCharge::Pending)),
        ("confirming", Ok(CoinCharge::Pending)),
        ("confirmed", Ok(CoinCharge::Pending)),
        ("sending", Ok(CoinCharge::Pending)),
        ("partially_paid", paid(3000)),
        ("finished", paid(3000)),
        ("FINISHED", paid(3000)),
        ("expired", Ok(CoinCharge::Void)),
        ("failed", Ok(CoinCharge::Void)),
        ("cancelled", Ok(CoinCharge::Void)),
        (
            "refunded",
            Ok(CoinCharge::Paid {
                amount: 3000,
                flag: None,
                is_refunded: true,
            }),
        ),
        ("wrong_asset_confirmed", flagged(0, ChargeFlag::WrongAsset)),
        ("something_new", Err(Unjudged::Status)),
    ] {
        assert_eq!(
            charge(json!({"payment_status": status})),
            expected,
            "{status}"
        );
    }
}

#[test]
fn the_amount_is_what_came_of_what_was_asked_for_whatever_the_status_says() {
    for (change, expected) in [
        (
            json!({"actually_paid": 40, "payment_status": "finished"}),
            paid(2000),
        ),
        (json!({"actually_paid": 59.999999}), paid(2999)),
        (
            json!({"actually_paid": "59.5", "payment_status": "partially_paid"}),
            paid(2975),
        ),
        (json!({"actually_paid": 60.4}), paid(3020)),
        (json!({"actually_paid": 120}), paid(6000)),
        (json!({"actually_paid": 0}), paid(0)),
        (json!({"actually_paid": null}), paid(0)),
        (
            json!({"actually_paid": 1e-7, "pay_amount": 3e-7}),
            paid(1000),
        ),
        (
            json!({"price_amount": "30.00", "pay_amount": "60", "actually_paid": "60.0"}),
            paid(3000),
        ),
        (json!({"price_currency": "USD"}), paid(3000)),
        (json!({"pay_amount": 0}), Err(Unjudged::Amounts)),
        (json!({"pay_amount": null}), Err(Unjudged::Amounts)),
        (
            json!({"price_amount": 1}),
            flagged(0, ChargeFlag::AmountDiffers),
        ),
        (
            json!({"price_amount": 30.001}),
            flagged(0, ChargeFlag::AmountDiffers),
        ),
        (
            json!({"price_amount": 300}),
            flagged(0, ChargeFlag::AmountDiffers),
        ),
        (
            json!({"price_currency": "eur"}),
            flagged(0, ChargeFlag::WrongCurrency),
        ),
    ] {
        assert_eq!(charge(change.clone()), expected, "{change}");
    }
}

#[test]
fn a_repeated_deposit_counts_by_the_terms_of_its_parent() {
    let child = |change: Value| {
        let mut fields = json!({
            "payment_id": 502, "parent_payment_id": 501, "price_amount": 9.87, "price_currency": "usd",
            "pay_amount": 20, "actually_paid": 20,
        });
        for (name, value) in change.as_object().unwrap() {
            fields[name] = value.clone();
        }
        payment(fields).unwrap()
    };
    let parent = terms("trx", "60");
    let at = |came_at| DepositTime {
        came_at,
        order_expires_at: EXPIRES_AT,
    };
    let plain = child(json!({}));
    assert_eq!(plain.charge(PRICE, Some(&parent), IN_TIME), paid(1000));
    assert_eq!(plain.charge(PRICE, None, IN_TIME), Err(Unjudged::Parent));
    let waiting = child(json!({"payment_status": "confirming"}));
    assert_eq!(
        waiting.charge(PRICE, None, IN_TIME),
        Ok(CoinCharge::Pending)
    );
    let other = terms("usdttrc20", "30");
    assert_eq!(
        plain.charge(PRICE, Some(&other), IN_TIME),
        flagged(0, ChargeFlag::WrongAsset)
    );
    let day = 24 * 3600;
    assert_eq!(
        plain.charge(PRICE, Some(&parent), at(EXPIRES_AT + day)),
        paid(1000)
    );
    assert_eq!(
        plain.charge(PRICE, Some(&parent), at(EXPIRES_AT + day + 1)),
        flagged(1000, ChargeFlag::LateDeposit)
    );
    // A payment of its own is never late: its price was promised.
    let own = payment(json!({})).unwrap();
    assert_eq!(
        own.charge(PRICE, None, at(EXPIRES_AT + 9 * day)),
        paid(3000)
    );
}

#[test]
fn coins_of_another_kind_than_first_asked_for_are_worth_nothing_by_themselves() {
    let changed =
        payment(json!({"pay_currency": "eth", "pay_amount": 0.01, "actually_paid": 0.01}));
    let changed = changed.unwrap();
    let first = terms("trx", "60");
    assert_eq!(
        changed.charge(PRICE, Some(&first), IN_TIME),
        flagged(0, ChargeFlag::WrongAsset)
    );
    assert_eq!(changed.charge(PRICE, None, IN_TIME), paid(3000));
}

#[test]
fn ids_may_be_numbers_or_texts_and_what_is_missing_is_named() {
    let of_numbers = payment(json!({})).unwrap();
    let of_texts = payment(json!({
        "payment_id": "5077125051", "invoice_id": "4522625843", "pay_amount": "60.00", "actually_paid": "60",
        "price_amount": "30", "outcome_amount": "59.70",
    }));
    assert_eq!(Ok(&of_numbers), of_texts.as_ref());
    assert_eq!(of_numbers.payment_id, "5077125051");
    assert_eq!(of_numbers.invoice_id.as_deref(), Some("4522625843"));
    assert_eq!(
        of_numbers.outcome,
        CoinAmount::parse("59.7").map(|amount| (amount, "trx".to_owned()))
    );
    for (name, value) in [
        ("payment_id", json!(null)),
        ("payment_id", json!([1])),
        ("payment_status", json!(null)),
        ("price_amount", json!(null)),
        ("price_amount", json!(-30)),
        ("price_amount", json!("thirty")),
        ("price_currency", json!(null)),
        ("pay_currency", json!({})),
        ("pay_amount", json!(1e300)),
        ("actually_paid", json!(-1)),
        ("actually_paid", json!("1e-60")),
    ] {
        assert_eq!(payment(json!({name: value.clone()})), Err(name), "{value}");
    }
}
