//! Orders that are paid in coins.

use std::time::Duration;

use domain::nowpayments::CoinAmount;
use serde_json::json;
use simulators::nowpayments::{Deposited, IpnForm, PayinStatus, WrongAssets};

use super::merchant::{DAY, Merchant, ORDER, coins};

#[tokio::test]
async fn a_payment_of_an_invoice_is_a_charge_in_each_form_of_the_signature() {
    for (form, as_text) in [
        (IpnForm::Recursive, false),
        (IpnForm::RecursiveListsKept, true),
    ] {
        let mut shop = Merchant::new().await;
        shop.simulated.set_ipn_form(form);
        shop.simulated.set_numbers_as_text(as_text);
        let invoice = shop.invoice().await;
        assert!(
            invoice.url.starts_with(&shop.simulated.url()),
            "{}",
            invoice.url
        );
        let (payment, asked) = shop.choose(&invoice, "trx").await;
        shop.settle_all().await;
        assert_eq!(shop.state(), "PENDING");
        shop.send(payment, "trx", asked).await;
        assert!(shop.settle_all().await >= 2);
        assert_eq!(shop.state(), "PAID");
        // 30.00 USD are 60 TRX, of which the service keeps half a percent.
        assert_eq!(
            shop.standing()["ledger"]["provider:nowpayments trx"],
            59_700_000
        );
    }
}

#[tokio::test]
async fn too_little_is_completed_by_a_second_payment_of_the_same_invoice() {
    let mut shop = Merchant::new().await;
    let invoice = shop.invoice().await;
    let (first, _) = shop.choose(&invoice, "trx").await;
    shop.send(first, "trx", coins("40")).await;
    shop.settle_all().await;
    assert_eq!(shop.state(), "UNDERPAID");
    let (second, _) = shop.choose(&invoice, "usdttrc20").await;
    shop.send(second, "usdttrc20", coins("10")).await;
    shop.settle_all().await;
    assert_eq!(shop.state(), "PAID");
    assert_eq!(shop.facts.iter().count(), 2);
}

#[tokio::test]
async fn a_second_deposit_to_the_same_address_is_a_charge_by_its_parents_terms() {
    for tell_order in [true, false] {
        let mut shop = Merchant::new().await;
        shop.simulated
            .set_repeated_deposits(PayinStatus::Finished, tell_order);
        let invoice = shop.invoice().await;
        let (payment, _) = shop.choose(&invoice, "trx").await;
        shop.send(payment, "trx", coins("40")).await;
        let child = shop.send(payment, "trx", coins("20")).await;
        assert!(matches!(child, Deposited::Child(_)));
        shop.settle_all().await;
        assert_eq!(
            (shop.state().as_str(), &shop.standing()["cases"]),
            ("PAID", &json!([]))
        );
        // Long after the order's end it is for a person.
        shop.clock.advance(Duration::from_secs(3 * DAY));
        let Deposited::Child(late) = shop.send(payment, "trx", coins("60")).await else {
            panic!("no payment of its own");
        };
        shop.settle_all().await;
        assert_eq!(
            shop.standing()["cases"],
            json!([format!("late_deposit#{late}")])
        );
    }
}

#[tokio::test]
async fn the_wrong_coin_is_for_a_person_however_the_account_takes_it() {
    for how in [
        WrongAssets::ByHand,
        WrongAssets::AsChild,
        WrongAssets::InPlace,
    ] {
        let mut shop = Merchant::new().await;
        shop.simulated.set_wrong_assets(how);
        let invoice = shop.invoice().await;
        let (payment, _) = shop.choose(&invoice, "usdttrc20").await;
        shop.settle_all().await;
        shop.send(payment, "trx", coins("30")).await;
        shop.settle_all().await;
        let cases = shop.standing()["cases"].clone();
        assert!(
            cases[0].as_str().unwrap().starts_with("wrong_asset#"),
            "{how:?}: {cases}"
        );
        assert_ne!(shop.state(), "PAID", "{how:?}");
    }
}

#[tokio::test]
async fn what_is_refunded_or_expired_is_told() {
    let mut shop = Merchant::new().await;
    let invoice = shop.invoice().await;
    let (payment, asked) = shop.choose(&invoice, "trx").await;
    shop.send(payment, "trx", asked).await;
    shop.settle_all().await;
    shop.simulated.set_status(payment, PayinStatus::Refunded);
    shop.settle_all().await;
    assert_eq!(shop.state(), "REFUNDED");

    let mut shop = Merchant::new().await;
    let invoice = shop.invoice().await;
    shop.choose(&invoice, "trx").await;
    shop.clock.advance(Duration::from_secs(8 * DAY));
    shop.settle_all().await;
    assert_eq!(shop.state(), "OPEN");
}

#[tokio::test]
async fn without_any_notification_the_list_of_an_invoices_payments_tells_it_all() {
    let mut shop = Merchant::new().await;
    // As it is until a secret exists.
    shop.simulated.set_ipn_secret(None);
    let (invoice, other) = (shop.invoice().await, shop.invoice().await);
    let (payment, asked) = shop.choose(&invoice, "trx").await;
    shop.choose(&invoice, "usdttrc20").await;
    shop.choose(&other, "trx").await;
    shop.send(payment, "trx", asked).await;
    assert_eq!(shop.settle_all().await, 0);
    // Each list logs in anew: a token lives five minutes.
    for _ in 0..2 {
        let listed = shop.client.payments_of(&invoice.id).await.unwrap();
        assert_eq!(listed.len(), 2);
        for report in listed {
            shop.settle(report).await;
        }
        shop.clock.advance(Duration::from_secs(600));
    }
    assert_eq!(shop.state(), "PAID");
    let alone = shop
        .client
        .payment(&payment.to_string())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(alone.payment().order_id.as_deref(), Some(ORDER));
    assert_eq!(shop.client.payment("1").await.unwrap(), None);
}

#[tokio::test]
async fn rates_and_least_amounts_are_exact() {
    let shop = Merchant::new().await;
    shop.client.status().await.unwrap();
    let amount = |text| CoinAmount::parse(text).unwrap();
    for as_text in [false, true] {
        shop.simulated.set_numbers_as_text(as_text);
        let estimate = shop
            .client
            .estimate(amount("29.90"), "usd", "trx")
            .await
            .unwrap();
        assert_eq!(estimate, amount("59.8"));
        assert_eq!(shop.client.min_amount("trx").await.unwrap(), amount("1"));
    }
    let unknown = shop.client.min_amount("nocoin").await.unwrap_err();
    assert!(!unknown.fault().may_be_done());
}

#[tokio::test]
async fn the_request_of_an_invoice_is_the_same_each_time_and_its_price_a_number() {
    let shop = Merchant::new().await;
    let body = shop.request().body().unwrap();
    assert_eq!(shop.request().body().unwrap(), body);
    assert!(
        body.starts_with(r#"{"price_amount":30.00,"price_currency":"usd","#),
        "{body}"
    );
    for (amount, currency) in [(0, "usd"), (-1, "usd"), (3000, "US$"), (3000, "")] {
        let mut request = shop.request();
        (request.amount, request.currency) = (amount, currency);
        assert_eq!(request.body(), None);
    }
    // Sent twice, it is two: nobody is told of the first.
    shop.client.create_invoice(&body).await.unwrap();
    shop.client.create_invoice(&body).await.unwrap();
    assert_eq!(shop.simulated.invoices_of(ORDER).len(), 2);
}
