//! Keys, modes, versions, and what is no request of the API.

use serde_json::json;
use simulators::stripe::{BuyerAction, document};

use crate::conforms;
use crate::site::{KEY, PAYMENT, SellerSite, answer};

#[tokio::test]
async fn a_request_needs_a_key_that_is_known() {
    let site = SellerSite::new().await;
    let url = format!("{}/v1/balance", site.stripe.url());
    for (key, words) in [
        (None, "You did not provide an API key."),
        (
            Some("sk_test_wrong_wrong"),
            "Invalid API Key provided: sk_test_*******rong",
        ),
    ] {
        let request = key
            .into_iter()
            .fold(site.http.get(&url), |request, key| request.bearer_auth(key));
        let refused = answer(request).await.unwrap();
        assert_eq!(refused.status, 401);
        assert!(
            refused.error("message").starts_with(words),
            "{}",
            refused.text
        );
    }
    assert_eq!(site.get("/v1/balance").await["livemode"], false);
    site.stripe.revoke_key(KEY);
    assert_eq!(site.send("GET", "/v1/balance", &[]).await.status, 401);
}

#[tokio::test]
async fn a_restricted_key_may_do_what_it_says_and_the_refusal_names_the_right() {
    let site = SellerSite::new().await;
    let key = "rk_test_restricted";
    site.stripe
        .add_restricted_key(key, &["checkout_session_write", "refund_read"]);
    for (method, path, wanted) in [
        ("GET", "/v1/checkout/sessions", None),
        ("GET", "/v1/refunds", None),
        ("POST", "/v1/refunds", Some("rak_refund_write")),
        ("GET", "/v1/charges", Some("rak_charge_read")),
        ("GET", "/v1/prices", Some("rak_plan_read")),
    ] {
        let mut request = site.request(method, path, &[]).build().unwrap();
        request
            .headers_mut()
            .insert("authorization", format!("Bearer {key}").parse().unwrap());
        let response = site.http.execute(request).await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        match wanted {
            None => assert_eq!(status, 200, "{path}: {text}"),
            Some(right) => assert!(status == 403 && text.contains(right), "{path}: {text}"),
        }
    }
}

#[tokio::test]
async fn test_mode_and_live_mode_are_apart() {
    let site = SellerSite::new().await;
    site.stripe.add_key("sk_live_simulated");
    let test = site.session(&[]).await;
    let live = site.request("POST", "/v1/checkout/sessions", PAYMENT);
    let mut live = live.build().unwrap();
    live.headers_mut()
        .insert("authorization", "Bearer sk_live_simulated".parse().unwrap());
    let live: serde_json::Value = site.http.execute(live).await.unwrap().json().await.unwrap();
    assert_eq!(
        (&test["livemode"], &live["livemode"]),
        (&json!(false), &json!(true))
    );
    let id = live["id"].as_str().unwrap();
    assert!(id.starts_with("cs_live_"), "{id}");
    let refused = site
        .refused("GET", &format!("/v1/checkout/sessions/{id}"), &[])
        .await;
    assert_eq!(
        (refused.status, refused.error("code")),
        (404, "resource_missing")
    );
    assert!(
        refused.error("message").contains("exists in live mode"),
        "{}",
        refused.text
    );
    site.stripe.act(id, &BuyerAction::Pay).unwrap();
    let live_events = site.stripe.events();
    assert!(live_events.iter().all(|event| event["livemode"] == true));
}

#[tokio::test]
async fn what_is_no_request_of_the_api_is_refused() {
    let site = SellerSite::new().await;
    let refused = site.refused("GET", "/v1/nothing", &[]).await;
    assert_eq!(refused.status, 404);
    assert!(
        refused
            .error("message")
            .starts_with("Unrecognized request URL (GET: /v1/nothing)")
    );
    assert_eq!(
        site.refused("POST", "/v1/balance", &[("a", "b")])
            .await
            .status,
        404
    );
    for (version, words) in [
        ("2020-08-27", "simulator: the API version 2020-08-27"),
        ("tomorrow", "Invalid Stripe API version: tomorrow"),
    ] {
        let mut request = site.request("GET", "/v1/balance", &[]).build().unwrap();
        request
            .headers_mut()
            .insert("stripe-version", version.parse().unwrap());
        let response = site.http.execute(request).await.unwrap();
        assert_eq!(response.status().as_u16(), 400);
        assert!(response.text().await.unwrap().contains(words));
    }
    let url = format!("{}/v1/refunds", site.stripe.url());
    let request = site
        .http
        .post(url)
        .bearer_auth(KEY)
        .json(&json!({"charge": "ch_1"}));
    let refused = answer(request).await.unwrap();
    assert_eq!(refused.status, 400);
    assert!(
        refused
            .error("message")
            .starts_with("Invalid request (check that your POST content type")
    );
}

#[tokio::test]
async fn account_and_balance_tell_of_the_key() {
    let site = SellerSite::new().await;
    let account = site.get("/v1/account").await;
    assert!(account["id"].as_str().unwrap().starts_with("acct_"));
    let empty = site.get("/v1/balance").await;
    assert_eq!(empty["available"][0]["amount"], 0);
    site.charge().await;
    let pending = site.get("/v1/balance").await;
    assert_eq!(pending["pending"][0]["amount"], 3000 - 117);
    site.advance(2 * crate::site::DAY + 1);
    let available = site.get("/v1/balance").await;
    assert_eq!(available["available"][0]["amount"], 3000 - 117);
    let booked = site.get("/v1/balance_transactions").await;
    assert_eq!(booked["data"][0]["status"], "available");
    let id = booked["data"][0]["id"].as_str().unwrap();
    assert_eq!(
        site.get(&format!("/v1/balance_transactions/{id}")).await,
        booked["data"][0]
    );
}

#[test]
fn the_document_is_of_the_simulated_version() {
    assert_eq!(
        document()["info"]["version"],
        simulators::stripe::API_VERSION
    );
    let problems = conforms::problems("fee", &json!({}));
    assert!(!problems.is_empty());
}
