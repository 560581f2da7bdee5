//! Payouts: addresses, codes, statuses, and answers that are lost.

use serde_json::{Value, json};
use simulators::Reset;
use simulators::nowpayments::{Trouble, TroubleRule, WithdrawalStatus};

use crate::shop::{KEY, Shop, ShopAnswer, amount};

const TRON: &str = "TEmGwPeRTPiLFLVfBxXkSP91yc5GMNQhfS";

/// A shop with 100 TRX and one address on the list.
fn shop() -> Shop {
    let shop = Shop::new();
    shop.now.set_balance("trx", amount("100"));
    shop.now.list_payout_address(TRON);
    shop
}

fn body(change: Value) -> Value {
    let mut withdrawal = json!({"address": TRON, "currency": "trx", "amount": 40.25, "unique_external_id": "batch_1"});
    for (name, value) in change.as_object().unwrap() {
        withdrawal[name] = value.clone();
    }
    json!({"payout_description": "batch_1", "ipn_callback_url": "https://shop.example/ipn", "withdrawals": [withdrawal]})
}

async fn create(shop: &Shop, body: Value) -> ShopAnswer {
    shop.call_logged_in("POST", "/payout", body).await
}

async fn verify(shop: &Shop, batch: &str, code: &str) -> ShopAnswer {
    let path = format!("/payout/{batch}/verify");
    shop.call_logged_in("POST", &path, json!({"verification_code": code}))
        .await
}

async fn balance(shop: &Shop) -> Value {
    shop.call("GET", "/balance", Value::Null).await.body["trx"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_payout_is_created_verified_and_paid_and_each_status_is_told() {
    let shop = shop();
    let created = create(&shop, body(json!({}))).await;
    assert_eq!(created.status, 200, "{created:?}");
    let batch = created.body["id"].as_str().unwrap();
    let withdrawal = &created.body["withdrawals"][0];
    assert_eq!(
        (&withdrawal["status"], &withdrawal["amount"]),
        (&json!("CREATING"), &json!("40.25"))
    );
    assert_eq!(withdrawal["batch_withdrawal_id"], batch);
    assert_eq!(
        (
            &withdrawal["payout_description"],
            &withdrawal["unique_external_id"]
        ),
        (&json!("batch_1"), &json!("batch_1"))
    );
    assert_eq!(
        balance(&shop).await,
        json!({"amount": 59.75, "pendingAmount": 40.25})
    );
    shop.sleep(60).await;
    let verified = verify(&shop, batch, "123456").await;
    assert_eq!((verified.status, verified.text.as_str()), (200, "OK"));
    shop.settle().await;
    let id = withdrawal["id"].as_str().unwrap();
    for path in [format!("/payout/{batch}"), format!("/payout/{id}")] {
        let seen = shop.call("GET", &path, Value::Null).await.body[0].clone();
        assert_eq!(
            (&seen["id"], &seen["status"]),
            (&json!(id), &json!("FINISHED"))
        );
        assert!(
            seen["hash"].is_string() && seen["requested_at"].is_string(),
            "{seen}"
        );
    }
    assert_eq!(
        balance(&shop).await,
        json!({"amount": 59.75, "pendingAmount": 0})
    );
    let told: Vec<(i64, String)> = shop.told();
    let told: Vec<_> = told
        .iter()
        .map(|(at, status)| (*at, status.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (0, "CREATING"),
            (61, "WAITING"),
            (62, "PROCESSING"),
            (63, "SENDING"),
            (64, "FINISHED")
        ]
    );
    assert_eq!(shop.notices()[4].body["id"], id);
    assert_eq!(
        verify(&shop, batch, "123456").await.status,
        400,
        "verified already"
    );
}

#[tokio::test(start_paused = true)]
async fn the_code_may_be_tried_ten_times_and_an_hour_later_all_is_rejected() {
    let shop = shop();
    shop.now.set_verification_code("999000");
    let created = create(&shop, body(json!({}))).await;
    let batch = created.body["id"].as_str().unwrap();
    for _ in 0..10 {
        assert_eq!(verify(&shop, batch, "123456").await.status, 400);
    }
    let late = verify(&shop, batch, "999000").await;
    assert_eq!(
        (late.status, &late.body["message"]),
        (400, &json!("no attempts left"))
    );
    shop.sleep(3_601).await;
    let seen = shop
        .call("GET", &format!("/payout/{batch}"), Value::Null)
        .await
        .body;
    assert_eq!(seen[0]["status"], "REJECTED");
    assert_eq!(
        balance(&shop).await,
        json!({"amount": 100, "pendingAmount": 0})
    );
    assert_eq!(verify(&shop, batch, "999000").await.status, 400);
    assert_eq!(verify(&shop, "1", "999000").await.status, 404);
    shop.settle().await;
    assert_eq!(shop.told().pop(), Some((3_600, "REJECTED".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn what_can_t_be_paid_out_is_refused_and_takes_nothing() {
    let shop = shop();
    let bitcoin = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
    for (change, status, code) in [
        (
            json!({"address": bitcoin}),
            400,
            "BAD_CREATE_WITHDRAWAL_REQUEST",
        ),
        (
            json!({"address": TRON.replace("TE", "TT")}),
            400,
            "BAD_CREATE_WITHDRAWAL_REQUEST",
        ),
        (json!({"amount": 0.5}), 400, "BAD_CREATE_WITHDRAWAL_REQUEST"),
        (
            json!({"amount": 40.123_456_7}),
            400,
            "BAD_CREATE_WITHDRAWAL_REQUEST",
        ),
        (
            json!({"amount": 100.000_001}),
            400,
            "BAD_CREATE_WITHDRAWAL_REQUEST",
        ),
        (json!({"amount": null}), 400, "BAD_REQUEST"),
        (json!({"currency": "doge"}), 400, "BAD_REQUEST"),
        (json!({"addres": TRON}), 400, "BAD_REQUEST"),
    ] {
        let answer = create(&shop, body(change.clone())).await;
        assert_eq!(
            (answer.status, answer.body["code"].as_str()),
            (status, Some(code)),
            "{change}"
        );
    }
    let empty = create(&shop, json!({"withdrawals": []})).await;
    assert_eq!(empty.status, 400);
    let without_token = shop.call("POST", "/payout", body(json!({}))).await;
    assert_eq!(without_token.status, 401);
    let mut two = body(json!({"amount": 60}));
    let again = two["withdrawals"][0].clone();
    two["withdrawals"].as_array_mut().unwrap().push(again);
    assert_eq!(
        create(&shop, two).await.status,
        400,
        "together more than there is"
    );
    shop.now.set_caller_listed(false);
    let unlisted = create(&shop, body(json!({}))).await;
    assert_eq!(
        (unlisted.status, &unlisted.body["code"]),
        (403, &json!("ACCESS_DENIED"))
    );
    assert_eq!(
        balance(&shop).await,
        json!({"amount": 100, "pendingAmount": 0})
    );
    assert!(shop.now.withdrawals().is_empty() && shop.told().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_batch_whose_answer_was_lost_is_found_by_its_description_and_its_time() {
    let shop = shop();
    create(
        &shop,
        body(json!({"amount": 5, "payout_description": "batch_0"})),
    )
    .await;
    shop.sleep(3_600 * 24).await;
    shop.now
        .fail(TroubleRule::on("POST /payout", Trouble::ResetAfter).times(1));
    let bearer = shop.bearer().await;
    let headers = [("x-api-key", KEY), ("authorization", bearer.as_str())];
    let lost = shop
        .send(
            ("POST", "/v1/payout"),
            &headers,
            body(json!({})).to_string(),
        )
        .await;
    assert_eq!(lost.err(), Some(Reset));
    let list = shop
        .call(
            "GET",
            "/payout?date_from=2026-01-02T00:00:00.000Z&status=creating",
            Value::Null,
        )
        .await;
    let found = list.body["payouts"].as_array().unwrap();
    assert_eq!(found.len(), 1, "{list:?}");
    assert_eq!(found[0]["payout_description"], "batch_1");
    let batch = found[0]["batch_withdrawal_id"].as_str().unwrap();
    let path = format!("/payout?batch_id={batch}");
    let by_batch = shop.call("GET", &path, Value::Null).await.body;
    assert_eq!(by_batch["payouts"], json!(found));
    assert_eq!(verify(&shop, batch, "123456").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_withdrawal_that_failed_gives_its_money_back_and_may_go_out_after_all() {
    let shop = shop();
    shop.now.fail_withdrawals(1);
    let created = create(&shop, body(json!({"amount": 40}))).await;
    verify(&shop, created.body["id"].as_str().unwrap(), "123456").await;
    shop.settle().await;
    let (id, _, status) = shop.now.withdrawals()[0];
    assert_eq!(status, WithdrawalStatus::Failed);
    assert_eq!(
        balance(&shop).await,
        json!({"amount": 100, "pendingAmount": 0})
    );
    shop.now.set_withdrawal(id, WithdrawalStatus::Finished);
    shop.settle().await;
    assert_eq!(
        balance(&shop).await,
        json!({"amount": 60, "pendingAmount": 0})
    );
    assert_eq!(shop.told().pop().unwrap().1, "FINISHED");
}

#[tokio::test(start_paused = true)]
async fn several_withdrawals_have_their_instants_in_both_cases_and_addresses_are_checked() {
    let shop = shop();
    shop.now.pay_out_to_all();
    let mut two = body(json!({"amount": 10}));
    let by_fiat = json!({"address": TRON.replace("TE", "TT"), "currency": "trx", "amount": 1, "fiat_amount": 5, "fiat_currency": "usd"});
    two["withdrawals"].as_array_mut().unwrap().push(by_fiat);
    let created = create(&shop, two).await.body;
    assert!(created["withdrawals"][0]["created_at"].is_string());
    assert!(created["withdrawals"][1]["createdAt"].is_string());
    assert_eq!(created["withdrawals"][1]["amount"], "10");
    for (address, currency, status) in [
        (TRON, "trx", 200),
        (TRON, "usdttrc20", 200),
        (TRON, "eth", 400),
        ("T", "trx", 400),
    ] {
        let body = json!({"address": address, "currency": currency, "extra_id": null});
        let answer = shop.call("POST", "/payout/validate-address", body).await;
        assert_eq!(
            (answer.status, answer.text == "OK"),
            (status, status == 200),
            "{address} {currency}"
        );
    }
    let fee = shop
        .call("GET", "/payout/fee?currency=trx&amount=10", Value::Null)
        .await
        .body;
    assert_eq!(fee, json!({"currency": "trx", "fee": 1.1}));
    let least = shop
        .call("GET", "/payout-withdrawal/min-amount/trx", Value::Null)
        .await
        .body;
    assert_eq!(least, json!({"success": true, "result": 1}));
}
