//! What a bot sells for Stars: invoices, payments, subscriptions, refunds, and the list of all of them.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod telegram_support;

use serde_json::{Value, json};
use simulators::telegram::{Checkout, Conversation, User};
use telegram_support::TelegramWorld;

const ANNA: i64 = 501;

fn invoice() -> Value {
    json!({
        "title": "One month", "description": "Premium Club, one month", "payload": "order-1", "provider_token": "",
        "currency": "XTR", "prices": [{"label": "One month", "amount": 500}],
    })
}

/// Confirms the invoice of a link, and has the bot consent.
async fn pays(world: &TelegramWorld, link: &str) -> String {
    let query = world.telegram.pays_invoice(link, &User::new(ANNA)).unwrap();
    let yes = json!({"pre_checkout_query_id": query, "ok": true});
    world.ok("answerPreCheckoutQuery", yes).await;
    match world.telegram.checkout(&query) {
        Some(Checkout::Paid(charge)) => charge,
        other => panic!("{other:?}"),
    }
}

async fn told(world: &TelegramWorld, field: &str) -> Value {
    let updates = world.ok("getUpdates", json!({})).await;
    let mut messages = updates.as_array().unwrap().iter();
    let message = messages.find(|update| update["message"][field].is_object());
    message.unwrap_or_else(|| panic!("{updates}"))["message"][field].clone()
}

#[tokio::test]
async fn an_invoice_is_as_telegram_takes_it() {
    let world = TelegramWorld::new().await;
    let changes: [(&str, Value, &str); 7] = [
        ("title", json!("x".repeat(33)), "INVOICE_TITLE_INVALID"),
        ("description", json!(""), "INVOICE_DESCRIPTION_INVALID"),
        ("payload", json!("ü".repeat(65)), "INVOICE_PAYLOAD_INVALID"),
        ("prices", json!([]), "CURRENCY_TOTAL_AMOUNT_INVALID"),
        (
            "prices",
            json!([{"label": "x", "amount": 0}]),
            "CURRENCY_TOTAL_AMOUNT_INVALID",
        ),
        (
            "subscription_period",
            json!(86_400),
            "SUBSCRIPTION_PERIOD_INVALID",
        ),
        (
            "provider_token",
            json!("1:TEST"),
            "simulator: Stars need no provider_token",
        ),
    ];
    for (field, value, why) in changes {
        let mut wrong = invoice();
        wrong[field] = value;
        let refused = world.refused("createInvoiceLink", wrong).await;
        assert_eq!(refused, (400, format!("Bad Request: {why}")), "{field}");
    }
    let mut dear = invoice();
    dear["subscription_period"] = json!(2_592_000);
    dear["prices"][0]["amount"] = json!(10_001);
    let refused = world.refused("createInvoiceLink", dear).await;
    assert!(refused.1.contains("AMOUNT_INVALID"), "{refused:?}");
}

#[tokio::test]
async fn a_payment_is_listed_told_and_given_back_once() {
    let world = TelegramWorld::new().await;
    let link = world.ok("createInvoiceLink", invoice()).await;
    let charge = pays(&world, link.as_str().unwrap()).await;
    let paid = told(&world, "successful_payment").await;
    assert_eq!(
        (&paid["total_amount"], &paid["telegram_payment_charge_id"]),
        (&json!(500), &json!(charge))
    );
    assert_eq!(paid["is_recurring"], Value::Null);
    let back = json!({"user_id": ANNA, "telegram_payment_charge_id": charge});
    let other = json!({"user_id": 502, "telegram_payment_charge_id": charge});
    let refused = world.refused("refundStarPayment", other).await;
    assert_eq!(refused.1, "Bad Request: CHARGE_ID_INVALID");
    world.ok("refundStarPayment", back.clone()).await;
    let returned = told(&world, "refunded_payment").await;
    assert_eq!(returned["invoice_payload"], "order-1");
    let refused = world.refused("refundStarPayment", back).await;
    assert_eq!(refused.1, "Bad Request: CHARGE_ALREADY_REFUNDED");
    let listed = world.ok("getStarTransactions", json!({})).await;
    let listed = listed["transactions"].as_array().unwrap();
    let [came, went] = &listed[..] else {
        panic!("{listed:?}");
    };
    assert_eq!((&came["id"], &went["id"]), (&json!(charge), &json!(charge)));
    assert_eq!(came["source"]["invoice_payload"], "order-1");
    assert_eq!(went["receiver"]["user"]["id"], ANNA);
    let rest = json!({"offset": 1, "limit": 1});
    let rest = world.ok("getStarTransactions", rest).await;
    assert_eq!(rest["transactions"], json!([went]));
}

#[tokio::test]
async fn a_subscription_renews_until_it_is_cancelled() {
    let world = TelegramWorld::new().await;
    let mut monthly = invoice();
    monthly["subscription_period"] = json!(2_592_000);
    let link = world.ok("createInvoiceLink", monthly).await;
    let first = pays(&world, link.as_str().unwrap()).await;
    let paid = told(&world, "successful_payment").await;
    assert_eq!(
        (&paid["is_recurring"], &paid["is_first_recurring"]),
        (&json!(true), &json!(true))
    );
    let until = paid["subscription_expiration_date"].as_i64().unwrap();
    let second = world.telegram.renews_stars(world.bot, &first).unwrap();
    assert_ne!(first, second);
    let updates = world.ok("getUpdates", json!({"offset": -1})).await;
    let renewed = &updates[0]["message"]["successful_payment"];
    assert_eq!(renewed["is_first_recurring"], Value::Null);
    assert_eq!(renewed["subscription_expiration_date"], until + 2_592_000);
    let end = json!({"user_id": ANNA, "telegram_payment_charge_id": first, "is_canceled": true});
    world.ok("editUserStarSubscription", end).await;
    assert_eq!(world.telegram.renews_stars(world.bot, &first), None);
}

#[tokio::test]
async fn an_invoice_in_a_message_is_paid_and_what_is_lost_is_listed() {
    let world = TelegramWorld::new().await;
    world
        .telegram
        .presses_start(world.bot, &User::new(ANNA), "");
    let mut sent = invoice();
    sent["chat_id"] = json!(ANNA);
    let message = world.ok("sendInvoice", sent).await;
    assert_eq!(message["invoice"]["total_amount"], 500);
    world.telegram.loses_payments(world.bot, true);
    let id = message["message_id"].as_i64().unwrap();
    let user = User::new(ANNA);
    let query = world.telegram.pays_invoice_message(world.bot, &user, id);
    let yes = json!({"pre_checkout_query_id": query.unwrap(), "ok": true});
    world.ok("answerPreCheckoutQuery", yes).await;
    let updates = world.ok("getUpdates", json!({})).await;
    let is_told = |update: &Value| update["message"]["successful_payment"].is_object();
    assert!(!updates.as_array().unwrap().iter().any(is_told));
    assert_eq!(world.telegram.star_transactions(world.bot).len(), 1);
    let place = Conversation::private(world.bot, ANNA);
    assert_eq!(world.telegram.messages(place).len(), 3);
}
