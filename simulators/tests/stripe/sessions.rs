//! Checkout sessions in mode payment: creation, payment in all ways, expiry.

use serde_json::json;
use simulators::stripe::BuyerAction;

use crate::site::{DAY, PAYMENT, SUBSCRIPTION, SellerSite};

const SESSIONS: &str = "/v1/checkout/sessions";

#[tokio::test]
async fn a_session_is_paid_and_its_metadata_reach_the_charge() {
    let site = SellerSite::new().await;
    let session = site.session(&[]).await;
    assert_eq!(session["status"], "open");
    assert_eq!(session["payment_status"], "unpaid");
    assert_eq!(session["payment_intent"], json!(null));
    assert_eq!(session["amount_total"], 3000);
    let page = format!(
        "{}/c/pay/{}",
        site.stripe.url(),
        session["id"].as_str().unwrap()
    );
    assert_eq!(session["url"], json!(page));
    let types = site
        .events_of(async |site| {
            let paid = site.paid(&session).await;
            assert_eq!(
                (&paid["status"], &paid["payment_status"]),
                (&json!("complete"), &json!("paid"))
            );
            assert_eq!(paid["url"], json!(null));
            assert_eq!(paid["customer_details"]["email"], "buyer@example.com");
            let path = format!(
                "/v1/payment_intents/{}",
                paid["payment_intent"].as_str().unwrap()
            );
            let intent = site
                .ok(
                    "GET",
                    &path,
                    &[("expand[]", "latest_charge.balance_transaction")],
                )
                .await;
            assert_eq!(intent["status"], "succeeded");
            let charge = &intent["latest_charge"];
            assert_eq!(charge["metadata"], json!({"order_id": "order-1"}));
            assert_eq!(charge["balance_transaction"]["net"], 3000 - 117);
        })
        .await;
    assert_eq!(
        types,
        [
            "payment_intent.created",
            "charge.succeeded",
            "payment_intent.succeeded",
            "checkout.session.completed"
        ]
    );
    let again = site
        .stripe
        .act(session["id"].as_str().unwrap(), &BuyerAction::Pay);
    assert!(again.is_err());
}

#[tokio::test]
async fn a_declined_card_leaves_the_session_open_for_another_try() {
    let site = SellerSite::new().await;
    let session = site.session(&[]).await;
    let id = session["id"].as_str().unwrap();
    let decline = BuyerAction::Decline("insufficient_funds".into());
    site.stripe.act(id, &decline).unwrap();
    let open = site.get(&format!("{SESSIONS}/{id}")).await;
    assert_eq!(
        (&open["status"], &open["payment_status"]),
        (&json!("open"), &json!("unpaid"))
    );
    let intent = open["payment_intent"].as_str().unwrap();
    let failed = site.get(&format!("/v1/payment_intents/{intent}")).await;
    assert_eq!(failed["status"], "requires_payment_method");
    assert_eq!(
        failed["last_payment_error"]["decline_code"],
        "insufficient_funds"
    );
    let paid = site.paid(&session).await;
    assert_eq!(paid["payment_intent"], intent);
    let charges = site
        .ok("GET", "/v1/charges", &[("payment_intent", intent)])
        .await;
    let statuses: Vec<_> = charges["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|charge| charge["status"].clone())
        .collect();
    assert_eq!(statuses, ["succeeded", "failed"]);
}

#[tokio::test]
async fn three_d_secure_is_passed_or_not() {
    let site = SellerSite::new().await;
    let session = site.session(&[]).await;
    let id = session["id"].as_str().unwrap();
    let authenticate = |passes| BuyerAction::Authenticate { passes };
    assert!(site.stripe.act(id, &authenticate(true)).is_err());
    site.stripe
        .act(id, &BuyerAction::RequireAuthentication)
        .unwrap();
    let open = site.get(&format!("{SESSIONS}/{id}")).await;
    let intent = format!(
        "/v1/payment_intents/{}",
        open["payment_intent"].as_str().unwrap()
    );
    assert_eq!(site.get(&intent).await["status"], "requires_action");
    site.stripe.act(id, &authenticate(false)).unwrap();
    let failed = site.get(&intent).await;
    assert_eq!(
        failed["last_payment_error"]["code"],
        "payment_intent_authentication_failure"
    );
    site.stripe
        .act(id, &BuyerAction::RequireAuthentication)
        .unwrap();
    site.stripe.act(id, &authenticate(true)).unwrap();
    assert_eq!(site.get(&intent).await["status"], "succeeded");
    assert_eq!(
        site.get(&format!("{SESSIONS}/{id}")).await["payment_status"],
        "paid"
    );
}

#[tokio::test]
async fn a_slow_method_completes_the_session_unpaid_and_ends_later() {
    let site = SellerSite::new().await;
    for (succeeds, event, status) in [
        (true, "checkout.session.async_payment_succeeded", "paid"),
        (false, "checkout.session.async_payment_failed", "unpaid"),
    ] {
        let session = site.session(&[]).await;
        let id = session["id"].as_str().unwrap();
        let after = i64::try_from(3 * DAY).unwrap();
        site.stripe
            .act(id, &BuyerAction::PayLaterSettling { after, succeeds })
            .unwrap();
        let complete = site.get(&format!("{SESSIONS}/{id}")).await;
        assert_eq!(
            (&complete["status"], &complete["payment_status"]),
            (&json!("complete"), &json!("unpaid"))
        );
        site.advance(3 * DAY + 1);
        assert_eq!(
            site.get(&format!("{SESSIONS}/{id}")).await["payment_status"],
            status
        );
        assert_eq!(site.event_types().last().unwrap(), event);
    }
    let session = site.session(&[]).await;
    let id = session["id"].as_str().unwrap();
    site.stripe.act(id, &BuyerAction::PayLater).unwrap();
    site.stripe.settle(id, true).unwrap();
    let count = site.event_types().len();
    site.stripe.settle(id, false).unwrap();
    assert_eq!(site.event_types().len(), count);
}

#[tokio::test]
async fn a_session_expires_by_the_clock_or_by_a_call_while_it_is_open() {
    let site = SellerSite::new().await;
    let (at, late) = ((site.now() + 1_900).to_string(), site.now() + 1_900);
    let session = site.session(&[("expires_at", &at)]).await;
    let path = format!("{SESSIONS}/{}", session["id"].as_str().unwrap());
    assert_eq!(session["expires_at"], late);
    site.advance(1_890);
    assert_eq!(site.get(&path).await["status"], "open");
    site.advance(11);
    let expired = site.get(&path).await;
    assert_eq!(
        (&expired["status"], &expired["url"]),
        (&json!("expired"), &json!(null))
    );
    assert_eq!(site.event_types(), ["checkout.session.expired"]);
    let refused = site.refused("POST", &format!("{path}/expire"), &[]).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.error("message").contains("`expired`"),
        "{}",
        refused.text
    );
    let session = site.session(&[]).await;
    let path = format!("{SESSIONS}/{}", session["id"].as_str().unwrap());
    let expired = site.ok("POST", &format!("{path}/expire"), &[]).await;
    assert_eq!(expired["status"], "expired");
    let paid = site.paid(&site.session(&[]).await).await;
    let path = format!("{SESSIONS}/{}/expire", paid["id"].as_str().unwrap());
    assert_eq!(site.refused("POST", &path, &[]).await.status, 400);
}

#[tokio::test]
async fn a_coupon_lowers_the_total_once_even_to_nothing() {
    let site = SellerSite::new().await;
    site.ok(
        "POST",
        "/v1/coupons",
        &[
            ("id", "adm_1"),
            ("percent_off", "100"),
            ("max_redemptions", "1"),
        ],
    )
    .await;
    let session = site.session(&[("discounts[0][coupon]", "adm_1")]).await;
    assert_eq!(session["amount_total"], 0);
    assert_eq!(session["payment_status"], "no_payment_required");
    let done = site.paid(&session).await;
    assert_eq!(
        (&done["status"], &done["payment_intent"]),
        (&json!("complete"), &json!(null))
    );
    let again = [PAYMENT, &[("discounts[0][coupon]", "adm_1")]].concat();
    assert_eq!(
        site.refused("POST", SESSIONS, &again).await.error("code"),
        "coupon_expired"
    );
    site.ok(
        "POST",
        "/v1/coupons",
        &[("id", "adm_2"), ("amount_off", "501"), ("currency", "usd")],
    )
    .await;
    let session = site.session(&[("discounts[0][coupon]", "adm_2")]).await;
    assert_eq!(session["amount_total"], 2499);
    let path = format!("{SESSIONS}/{}", session["id"].as_str().unwrap());
    let session = site.ok("GET", &path, &[("expand[]", "line_items")]).await;
    assert_eq!(session["line_items"]["data"][0]["amount_discount"], 501);
    assert_eq!(session["discounts"][0]["coupon"], "adm_2");
    let items = site.get(&format!("{path}/line_items")).await;
    assert_eq!(items["data"], session["line_items"]["data"]);
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_its_parameter() {
    let site = SellerSite::new().await;
    let soon = (site.now() + 1_700).to_string();
    let late = (site.now() + 90_000).to_string();
    let long = "x".repeat(201);
    let value = "x".repeat(501);
    for (change, code, param) in [
        (("foo", "1"), "parameter_unknown", "foo"),
        (
            ("line_items[0][foo]", "1"),
            "parameter_unknown",
            "line_items[0][foo]",
        ),
        (
            ("payment_method_types[0]", "card"),
            "payment_method_types_no_longer_supported",
            "payment_method_types",
        ),
        (("ui_mode", "hosted"), "", "ui_mode"),
        (("mode", "other"), "", "mode"),
        (("expires_at", &soon), "", "expires_at"),
        (("expires_at", &late), "", "expires_at"),
        (
            ("expires_at", "soon"),
            "parameter_invalid_integer",
            "expires_at",
        ),
        (
            ("success_url", ""),
            "parameter_invalid_empty",
            "success_url",
        ),
        (("success_url", "example"), "url_invalid", "success_url"),
        (
            ("line_items[0][price_data][unit_amount]", "49"),
            "amount_too_small",
            "",
        ),
        (
            ("line_items[0][price_data][unit_amount]", "100000000"),
            "amount_too_large",
            "",
        ),
        (
            ("line_items[0][price_data][currency]", "xyz"),
            "",
            "line_items[0][price_data][currency]",
        ),
        (
            ("line_items[0][quantity]", "0"),
            "",
            "line_items[0][quantity]",
        ),
        (
            ("line_items[0][price_data][recurring][interval]", "month"),
            "",
            "line_items",
        ),
        (("customer", "cus_none"), "resource_missing", "customer"),
        (
            ("discounts[0][coupon]", "none"),
            "resource_missing",
            "discounts[0][coupon]",
        ),
        (("client_reference_id", &long), "", "client_reference_id"),
        (("metadata[k]", &value), "", "metadata[k]"),
        (
            ("subscription_data[metadata][k]", "v"),
            "",
            "subscription_data",
        ),
        (
            ("allow_promotion_codes", "yes"),
            "",
            "allow_promotion_codes",
        ),
    ] {
        let params = [PAYMENT, &[change]].concat();
        let refused = site.refused("POST", SESSIONS, &params).await;
        let got = (
            refused.status,
            refused.error("code"),
            refused.error("param"),
        );
        assert_eq!(got, (400, code, param), "{change:?}: {}", refused.text);
        assert_eq!(refused.error("type"), "invalid_request_error");
        assert!(
            !refused.error("message").starts_with("simulator"),
            "{}",
            refused.text
        );
    }
    for missing in [
        "mode",
        "success_url",
        "line_items[0][price_data][currency]",
        "line_items[0][quantity]",
    ] {
        let params: Vec<_> = PAYMENT
            .iter()
            .copied()
            .filter(|(name, _)| *name != missing)
            .collect();
        let refused = site.refused("POST", SESSIONS, &params).await;
        assert_eq!(
            (
                refused.status,
                refused.error("code"),
                refused.error("param")
            ),
            (400, "parameter_missing", missing)
        );
    }
    let both = [
        PAYMENT,
        &[("customer", "cus_1"), ("customer_email", "a@b.example")],
    ]
    .concat();
    assert!(
        site.refused("POST", SESSIONS, &both)
            .await
            .error("message")
            .contains("only specify one")
    );
    let wrong = [SUBSCRIPTION, &[("payment_intent_data[metadata][k]", "v")]].concat();
    assert_eq!(
        site.refused("POST", SESSIONS, &wrong).await.error("param"),
        "payment_intent_data"
    );
    let other = [
        PAYMENT,
        &[("shipping_address_collection[allowed_countries][0]", "US")],
    ]
    .concat();
    assert!(
        site.refused("POST", SESSIONS, &other)
            .await
            .error("message")
            .starts_with("simulator: ")
    );
    assert!(site.event_types().is_empty());
}

#[tokio::test]
async fn metadata_are_changed_key_by_key() {
    let site = SellerSite::new().await;
    let session = site.session(&[("metadata[b]", "1")]).await;
    let path = format!("{SESSIONS}/{}", session["id"].as_str().unwrap());
    let changed = site
        .ok("POST", &path, &[("metadata[b]", ""), ("metadata[c]", "2")])
        .await;
    assert_eq!(
        changed["metadata"],
        json!({"order_id": "order-1", "c": "2"})
    );
}
