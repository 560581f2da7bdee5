//! Invoices, the page, payments and deposits.

use serde_json::{Value, json};
use simulators::nowpayments::{Deposited, PayinStatus, WrongAssets};

use crate::shop::{KEY, Shop, amount};

#[tokio::test(start_paused = true)]
async fn an_invoice_has_texts_for_its_id_and_its_price_and_no_coin_yet() {
    let shop = Shop::new();
    let invoice = shop
        .invoice(json!({"price_amount": 29.90, "success_url": "https://shop.example/done"}))
        .await;
    let id = invoice["id"].as_str().unwrap();
    assert_eq!(invoice["price_amount"], "29.9");
    assert_eq!(invoice["pay_currency"], Value::Null);
    assert_eq!(
        invoice["invoice_url"],
        format!("http://nowpayments.invalid/payment/?iid={id}")
    );
    assert_eq!(invoice["created_at"], "2026-01-01T00:00:00.000Z");
    assert_eq!(shop.now.invoices_of("ord_1"), [id.parse::<u64>().unwrap()]);
    assert!(shop.told().is_empty(), "nobody pays yet");
    for (body, message) in [
        (json!({"price_currency": "usd"}), "price_amount is required"),
        (
            json!({"price_amount": "30", "price_currency": "usd"}),
            "price_amount must be a number",
        ),
        (
            json!({"price_amount": 0, "price_currency": "usd"}),
            "price_amount must be a positive number",
        ),
        (
            json!({"price_amount": 30, "price_currency": "xyz"}),
            "Currency xyz was not found",
        ),
        (
            json!({"price_amount": 30, "price_currency": "usd", "ipn_callback_url": "shop"}),
            "ipn_callback_url must be a valid uri",
        ),
        (
            json!({"price_amount": 30, "price_currency": "usd", "succes_url": "x"}),
            "simulator: succes_url is not allowed",
        ),
        (json!([1]), "the body must be a JSON object"),
    ] {
        let answer = shop.call("POST", "/invoice", body).await;
        let expected =
            json!({"status": false, "statusCode": 400, "code": "BAD_REQUEST", "message": message});
        assert_eq!((answer.status, answer.body), (400, expected));
    }
}

#[tokio::test(start_paused = true)]
async fn a_browser_pays_on_the_page_and_each_status_is_told() {
    let shop = Shop::new();
    let more = json!({"order_description": "<b>Month</b>", "success_url": "https://shop.example/?a=1&b=2"});
    let invoice = shop.invoice(more).await;
    let path = invoice["invoice_url"]
        .as_str()
        .unwrap()
        .strip_prefix("http://nowpayments.invalid")
        .unwrap();
    let page = async |path: &str| shop.send(("GET", path), &[], String::new()).await.unwrap();
    let post = async |path: &str, form: String| shop.send(("POST", path), &[], form).await.unwrap();
    let first = page(path).await;
    assert!(
        first.text.contains("30 USD") && first.text.contains("&lt;b&gt;Month"),
        "{}",
        first.text
    );
    let iid = invoice["id"].as_str().unwrap();
    let chosen = post("/payment/coin", format!("iid={iid}&coin=trx")).await;
    assert_eq!(chosen.status, 303);
    let again = post("/payment/coin", format!("iid={iid}&coin=trx")).await;
    assert_eq!(again.location, chosen.location, "the one that waits");
    let location = chosen.location.unwrap();
    let waiting = page(&location).await.text;
    assert!(
        waiting.contains("Send <b>60</b> trx to <code>T"),
        "{waiting}"
    );
    let pid = location.rsplit_once("pid=").unwrap().1;
    let paid = post(
        "/payment/deposit",
        format!("iid={iid}&pid={pid}&coin=trx&amount=60"),
    )
    .await;
    assert_eq!(
        (paid.status, paid.location.as_ref()),
        (303, Some(&location))
    );
    shop.settle().await;
    let done = page(&location).await.text;
    assert!(done.contains("<b id=\"status\">finished</b>"), "{done}");
    assert!(
        done.contains("href=\"https://shop.example/?a=1&amp;b=2\""),
        "{done}"
    );
    let told = shop.told();
    let statuses: Vec<_> = told
        .iter()
        .map(|(at, status)| (*at, status.as_str()))
        .collect();
    assert_eq!(
        statuses,
        [
            (0, "waiting"),
            (1, "confirming"),
            (2, "confirmed"),
            (3, "sending"),
            (4, "finished")
        ]
    );
    let body = &shop.notices()[4].body;
    assert_eq!(body["payment_id"].as_u64().unwrap().to_string(), pid);
    assert_eq!(body["invoice_id"].as_u64().unwrap().to_string(), iid);
    assert_eq!(body["order_id"], "ord_1");
    assert_eq!(
        (&body["price_amount"], &body["actually_paid"]),
        (&json!(30), &json!(60))
    );
    let text = &shop.notices()[4].text;
    assert!(
        text.contains("\"depositFee\":0.09853637216235617"),
        "{text}"
    );
    for (method, path, form) in [
        ("GET", "/payment/?iid=1", ""),
        ("GET", "/other", ""),
        ("POST", "/payment/coin", "iid=1&coin=trx"),
    ] {
        let answer = shop
            .send((method, path), &[], form.to_owned())
            .await
            .unwrap();
        assert_eq!(answer.status, 404, "{path}");
    }
    let other_coin = post("/payment/coin", format!("iid={iid}&coin=none")).await;
    assert_eq!(other_coin.status, 400);
}

#[tokio::test(start_paused = true)]
async fn what_came_decides_whether_a_payment_is_finished_or_paid_in_part() {
    for (paid, status, outcome) in [
        ("60", "finished", json!(59.7)),
        ("59.999999", "partially_paid", json!(59.699_999)),
        ("40", "partially_paid", json!(39.8)),
        ("180", "finished", json!(179.1)),
        ("0.000001", "partially_paid", json!(0.000_001)),
    ] {
        let shop = Shop::new();
        let id = shop.payment("trx", json!({})).await;
        assert_eq!(shop.now.deposit(id, "trx", amount(paid)), Deposited::Own);
        shop.settle().await;
        let payment = shop.look(id).await;
        assert_eq!(payment["payment_status"], status, "{paid}");
        assert_eq!(
            payment["actually_paid"].to_string(),
            json!(paid.parse::<f64>().unwrap())
                .to_string()
                .trim_end_matches(".0")
        );
        assert_eq!(
            (&payment["pay_amount"], &payment["outcome_amount"]),
            (&json!(60), &outcome)
        );
        assert_eq!(payment["payment_id"], json!(id));
        assert_eq!(payment["burning_percent"], "null");
        assert_eq!(shop.now.balance("trx"), amount(&outcome.to_string()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_deposit_to_a_used_address_is_a_payment_of_its_own_at_the_price_of_the_day() {
    for (tell_order, end) in [
        (false, PayinStatus::Finished),
        (true, PayinStatus::PartiallyPaid),
    ] {
        let shop = Shop::new();
        shop.now.set_repeated_deposits(end, tell_order);
        let id = shop.payment("trx", json!({})).await;
        shop.now.deposit(id, "trx", amount("40"));
        shop.settle().await;
        assert!(shop.now.set_rate("trx", amount("0.25")));
        let Deposited::Child(child) = shop.now.deposit(id, "trx", amount("20")) else {
            panic!("no payment of its own");
        };
        shop.settle().await;
        let seen = shop.look(child).await;
        assert_eq!(seen["parent_payment_id"], json!(id));
        assert_eq!(seen["payment_status"], end.as_str());
        assert_eq!(
            (
                &seen["price_amount"],
                &seen["pay_amount"],
                &seen["actually_paid"]
            ),
            (&json!(5), &json!(20), &json!(20))
        );
        assert_eq!(seen["order_id"].as_str(), tell_order.then_some("ord_1"));
        let parent = shop.look(id).await;
        assert_eq!(parent["payment_extra_ids"], json!([child]));
        assert_eq!(
            (&parent["payment_status"], &parent["actually_paid"]),
            (&json!("partially_paid"), &json!(40))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_payment_expires_after_a_week_or_twenty_minutes_and_takes_coins_all_the_same() {
    for (more, expires) in [
        (json!({}), 7 * 86_400),
        (json!({"is_fixed_rate": true}), 1_200),
        (json!({"is_fee_paid_by_user": true}), 1_200),
    ] {
        let shop = Shop::new();
        let id = shop.payment("trx", more).await;
        shop.sleep(expires - 1).await;
        assert_eq!(shop.look(id).await["payment_status"], "waiting");
        shop.sleep(2).await;
        assert_eq!(shop.look(id).await["payment_status"], "expired");
        assert_eq!(shop.told()[1], (expires, "expired".to_owned()));
        shop.sleep(86_400).await;
        assert_eq!(shop.now.deposit(id, "trx", amount("60")), Deposited::Own);
        shop.settle().await;
        assert_eq!(shop.look(id).await["payment_status"], "finished");
    }
}

#[tokio::test(start_paused = true)]
async fn coins_of_another_kind_are_dealt_with_in_three_ways() {
    let usdt = || amount("12.5");
    let shop = Shop::new();
    let id = shop.payment("trx", json!({})).await;
    assert_eq!(shop.now.deposit(id, "usdttrc20", usdt()), Deposited::ByHand);
    shop.settle().await;
    let seen = shop.look(id).await;
    assert_eq!(
        (&seen["payment_status"], &seen["actually_paid"]),
        (&json!("wrong_asset_confirmed"), &json!(0))
    );

    shop.now.set_wrong_assets(WrongAssets::AsChild);
    let id = shop.payment("trx", json!({})).await;
    let Deposited::Child(child) = shop.now.deposit(id, "usdttrc20", usdt()) else {
        panic!("no payment of its own");
    };
    shop.settle().await;
    let seen = shop.look(child).await;
    assert_eq!(
        (&seen["payment_status"], &seen["pay_currency"]),
        (&json!("finished"), &json!("usdttrc20"))
    );
    assert_eq!(
        (&seen["parent_payment_id"], &seen["actually_paid"]),
        (&json!(id), &json!(12.5))
    );
    assert_eq!(shop.look(id).await["payment_status"], "waiting");

    shop.now.set_wrong_assets(WrongAssets::InPlace);
    let id = shop.payment("trx", json!({})).await;
    assert_eq!(shop.now.deposit(id, "usdttrc20", usdt()), Deposited::Own);
    shop.settle().await;
    let seen = shop.look(id).await;
    assert_eq!(
        (&seen["payment_status"], &seen["pay_currency"]),
        (&json!("finished"), &json!("usdttrc20"))
    );
    assert_eq!(
        (&seen["parent_payment_id"], &seen["pay_amount"]),
        (&Value::Null, &json!(12.5))
    );
    assert_eq!(seen["price_amount"], json!(30));
    assert_eq!(shop.now.deposit(1, "trx", usdt()), Deposited::Nowhere);
    assert_eq!(shop.now.deposit(id, "doge", usdt()), Deposited::Nowhere);
}

#[tokio::test(start_paused = true)]
async fn an_invoice_has_several_payments_and_the_list_finds_them_with_a_token_alone() {
    let shop = Shop::new();
    let invoice = shop.invoice(json!({})).await;
    let iid = invoice["id"].as_str().unwrap();
    for coin in ["trx", "btc", "xrp"] {
        let body = json!({"iid": iid, "pay_currency": coin});
        let answer = shop.call("POST", "/invoice-payment", body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.body["payin_extra_id"].is_string(), coin == "xrp");
        shop.sleep(60).await;
    }
    shop.payment("trx", json!({"order_id": "ord_2"})).await;
    let path = format!("/payment/?limit=2&page=0&sortBy=created_at&orderBy=asc&invoiceId={iid}");
    assert_eq!(shop.call("GET", &path, Value::Null).await.status, 401);
    let list = shop.call_logged_in("GET", &path, Value::Null).await.body;
    assert_eq!(
        (
            &list["total"],
            &list["pagesCount"],
            &list["data"].as_array().unwrap().len()
        ),
        (&json!(3), &json!(2), &2)
    );
    assert_eq!(list["data"][0]["pay_currency"], "trx");
    assert_eq!(list["data"][0]["invoice_id"].to_string(), iid);
    for (query, coins) in [
        ("limit=500", vec!["trx", "xrp", "btc", "trx"]),
        ("limit=1&page=1", vec!["xrp"]),
        (
            "dateFrom=2026-01-01T00:01:00.000Z&orderBy=asc",
            vec!["btc", "xrp", "trx"],
        ),
        ("dateTo=2026-01-01T00:00:30.000Z", vec!["trx"]),
        ("dateFrom=2026-01-02", vec![]),
    ] {
        let list = shop
            .call_logged_in("GET", &format!("/payment/?{query}"), Value::Null)
            .await
            .body;
        let found: Vec<_> = list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["pay_currency"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(found, coins, "{query}");
    }
    let too_long = shop
        .call_logged_in("GET", "/payment/?limit=501", Value::Null)
        .await;
    assert_eq!(too_long.status, 400);
    let unknown = shop
        .call(
            "POST",
            "/invoice-payment",
            json!({"iid": "1", "pay_currency": "trx"}),
        )
        .await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test(start_paused = true)]
async fn a_token_lives_five_minutes_and_a_payment_is_seen_by_its_own_key() {
    let shop = Shop::new();
    let bearer = shop.bearer().await;
    let headers = [("x-api-key", KEY), ("authorization", bearer.as_str())];
    shop.sleep(299).await;
    assert_eq!(
        shop.call_with("GET", "/payment/", &headers, Value::Null)
            .await
            .status,
        200
    );
    shop.sleep(1).await;
    let late = shop
        .call_with("GET", "/payment/", &headers, Value::Null)
        .await;
    assert_eq!(
        (late.status, &late.body["code"]),
        (401, &json!("AUTH_REQUIRED"))
    );
    let wrong = json!({"email": "shop@example.com", "password": "guess"});
    assert_eq!(
        shop.call_with("POST", "/auth", &[], wrong).await.status,
        403
    );
    let id = shop.payment("trx", json!({})).await;
    let path = format!("/payment/{id}");
    shop.now.add_api_key("KEY-2");
    for (key, status) in [("KEY-1", 200), ("KEY-2", 404), ("KEY-3", 403)] {
        let answer = shop
            .call_with("GET", &path, &[("x-api-key", key)], Value::Null)
            .await;
        assert_eq!(answer.status, status, "{key}");
    }
    shop.now.drop_api_key(KEY);
    assert_eq!(shop.call("GET", &path, Value::Null).await.status, 403);
    assert_eq!(
        shop.call_with("GET", &path, &[], Value::Null).await.status,
        403
    );
    let status = shop.call_with("GET", "/status", &[], Value::Null).await;
    assert_eq!(
        (status.status, status.body),
        (200, json!({"message": "OK"}))
    );
}

#[tokio::test(start_paused = true)]
async fn coins_rates_and_the_least_amounts_are_to_be_had() {
    let shop = Shop::new();
    let get = async |path: &str| shop.call("GET", path, Value::Null).await;
    let coins = get("/currencies").await.body["currencies"].clone();
    assert_eq!(
        coins,
        json!(["btc", "eth", "trx", "usdttrc20", "usdterc20", "xrp"])
    );
    let selected = get("/merchant/coins").await.body["selectedCurrencies"].clone();
    assert_eq!(selected[3], "USDTTRC20");
    assert_eq!(selected.as_array().unwrap().len(), 6);
    shop.now.select_coins(&["trx"]);
    let selected = get("/merchant/coins").await.body["selectedCurrencies"].clone();
    assert_eq!(selected, json!(["TRX"]));
    let full = get("/full-currencies").await.body["currencies"].clone();
    assert_eq!(
        (&full[5]["code"], &full[5]["extra_id_exists"]),
        (&json!("XRP"), &json!(true))
    );
    for (path, expected) in [
        (
            "/estimate?amount=30&currency_from=usd&currency_to=trx",
            json!({"currency_from": "usd", "amount_from": 30, "currency_to": "trx", "estimated_amount": 60}),
        ),
        (
            "/estimate?amount=0.00000012&currency_from=btc&currency_to=usd",
            json!({"currency_from": "btc", "amount_from": 1.2e-7, "currency_to": "usd", "estimated_amount": 0.0072}),
        ),
        (
            "/min-amount?currency_from=trx&fiat_equivalent=usd",
            json!({"currency_from": "trx", "currency_to": "trx", "min_amount": 1, "fiat_equivalent": 0.5}),
        ),
    ] {
        assert_eq!(get(path).await.body, expected, "{path}");
    }
    for path in [
        "/estimate?amount=x&currency_from=usd&currency_to=trx",
        "/estimate?amount=1&currency_from=usd&currency_to=abc",
        "/min-amount",
    ] {
        assert_eq!(get(path).await.status, 400, "{path}");
    }
    let little = json!({"price_amount": 0.01, "price_currency": "usd", "pay_currency": "trx"});
    let answer = shop.call("POST", "/payment", little).await;
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (400, &json!("AMOUNT_MINIMAL_ERROR"))
    );
}

#[tokio::test(start_paused = true)]
async fn an_estimate_is_renewed_once_it_is_over() {
    let shop = Shop::new();
    let id = shop.payment("trx", json!({})).await;
    shop.now.set_rate("trx", amount("0.3"));
    let path = format!("/payment/{id}/update-merchant-estimate");
    let renew = async || shop.call("POST", &path, Value::Null).await.body["pay_amount"].clone();
    assert_eq!(renew().await, json!(60));
    shop.sleep(1_200).await;
    assert_eq!(renew().await, json!(100));
    assert_eq!(shop.look(id).await["pay_amount"], json!(100));
}

#[tokio::test(start_paused = true)]
async fn numbers_may_come_as_texts_everywhere() {
    let shop = Shop::new();
    let id = shop.payment("trx", json!({})).await;
    shop.now.set_numbers_as_text(true);
    shop.now.set_outcome_coin(Some("usdttrc20"));
    shop.now.deposit(id, "trx", amount("60"));
    shop.settle().await;
    let notices = shop.notices();
    for body in [&notices.last().unwrap().body, &shop.look(id).await] {
        assert_eq!(body["payment_id"], json!(id.to_string()));
        assert_eq!(
            (&body["price_amount"], &body["actually_paid"]),
            (&json!("30"), &json!("60"))
        );
        assert_eq!(
            (&body["outcome_amount"], &body["outcome_currency"]),
            (&json!("29.85"), &json!("usdttrc20"))
        );
    }
}
