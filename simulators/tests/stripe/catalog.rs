//! Coupons, customers, products and prices.

use serde_json::json;

use crate::site::SellerSite;

const COUPONS: &str = "/v1/coupons";

#[tokio::test]
async fn a_coupon_has_the_id_that_was_chosen_and_exists_once() {
    let site = SellerSite::new().await;
    let params = [
        ("id", "adm_order-1"),
        ("amount_off", "500"),
        ("currency", "usd"),
        ("max_redemptions", "1"),
    ];
    let coupon = site.ok("POST", COUPONS, &params).await;
    assert_eq!(
        (&coupon["id"], &coupon["duration"]),
        (&json!("adm_order-1"), &json!("once"))
    );
    let again = site.refused("POST", COUPONS, &params).await;
    assert_eq!(
        (again.status, again.error("code")),
        (400, "resource_already_exists")
    );
    assert_eq!(site.get(&format!("{COUPONS}/adm_order-1")).await, coupon);
    let drawn = site.ok("POST", COUPONS, &[("percent_off", "12.5")]).await;
    assert_eq!(drawn["percent_off"], 12.5);
    let listed = site.get(COUPONS).await;
    assert_eq!(listed["data"].as_array().unwrap().len(), 2);
    site.ok("DELETE", &format!("{COUPONS}/adm_order-1"), &[])
        .await;
    assert_eq!(
        site.refused("GET", &format!("{COUPONS}/adm_order-1"), &[])
            .await
            .status,
        404
    );
    for params in [
        vec![],
        vec![
            ("percent_off", "10"),
            ("amount_off", "1"),
            ("currency", "usd"),
        ],
        vec![("percent_off", "101")],
        vec![("amount_off", "1")],
        vec![("amount_off", "0"), ("currency", "usd")],
        vec![("percent_off", "10"), ("duration", "repeating")],
        vec![("percent_off", "10"), ("id", "a b")],
    ] {
        assert_eq!(
            site.refused("POST", COUPONS, &params).await.status,
            400,
            "{params:?}"
        );
    }
}

#[tokio::test]
async fn a_customer_is_made_changed_and_deleted_with_its_subscriptions() {
    let site = SellerSite::new().await;
    let subscription = site.subscription(&[]).await;
    let path = format!(
        "/v1/customers/{}",
        subscription["customer"].as_str().unwrap()
    );
    let changed = site
        .ok("POST", &path, &[("name", "A"), ("metadata[person]", "p1")])
        .await;
    assert_eq!(
        (&changed["name"], &changed["metadata"]),
        (&json!("A"), &json!({"person": "p1"}))
    );
    let whole = site
        .ok("GET", &path, &[("expand[]", "subscriptions")])
        .await;
    assert_eq!(whole["subscriptions"]["data"][0]["id"], subscription["id"]);
    let found = site
        .ok("GET", "/v1/customers", &[("email", "buyer@example.com")])
        .await;
    assert_eq!(found["data"].as_array().unwrap().len(), 1);
    site.ok("DELETE", &path, &[]).await;
    assert_eq!(site.refused("GET", &path, &[]).await.status, 404);
    let ended = site
        .get(&format!(
            "/v1/subscriptions/{}",
            subscription["id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(ended["status"], "canceled");
}

#[tokio::test]
async fn a_price_of_a_session_can_be_read_but_not_used_again() {
    let site = SellerSite::new().await;
    let session = site.session(&[]).await;
    let items = format!(
        "/v1/checkout/sessions/{}/line_items",
        session["id"].as_str().unwrap()
    );
    let items = site.get(&items).await;
    let price = items["data"][0]["price"].clone();
    let id = price["id"].as_str().unwrap();
    assert_eq!(site.get(&format!("/v1/prices/{id}")).await, price);
    let product = price["product"].as_str().unwrap();
    let product = site.get(&format!("/v1/products/{product}")).await;
    assert_eq!(product["name"], "Seat & more");
    assert_eq!(site.get("/v1/products").await["data"], json!([product]));
    let listed = site.ok("GET", "/v1/prices", &[("type", "one_time")]).await;
    assert_eq!(listed["data"], json!([price]));
    let params = [
        ("mode", "payment"),
        ("line_items[0][price]", id),
        ("line_items[0][quantity]", "2"),
        ("success_url", "https://example.com/"),
    ];
    let refused = site.refused("POST", "/v1/checkout/sessions", &params).await;
    assert_eq!(
        (refused.status, refused.error("param")),
        (400, "line_items[0][price]")
    );
}
