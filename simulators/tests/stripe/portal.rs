//! The customer portal.

use serde_json::json;

use crate::site::{SellerSite, answer};

const SESSIONS: &str = "/v1/billing_portal/sessions";
const CONFIGURATIONS: &str = "/v1/billing_portal/configurations";

#[tokio::test]
async fn the_portal_needs_settings_that_were_saved() {
    let site = SellerSite::new().await;
    let customer = site
        .ok("POST", "/v1/customers", &[("email", "a@b.example")])
        .await;
    let id = customer["id"].as_str().unwrap();
    let refused = site.refused("POST", SESSIONS, &[("customer", id)]).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused
            .error("message")
            .contains("default configuration has not been created")
    );
    let saved = site.stripe.save_portal_settings(false, false);
    let session = site
        .ok(
            "POST",
            SESSIONS,
            &[("customer", id), ("return_url", "https://example.com/")],
        )
        .await;
    assert_eq!(session["configuration"], json!(saved));
    let listed = site
        .ok("GET", CONFIGURATIONS, &[("is_default", "true")])
        .await;
    let update = &listed["data"][0]["features"]["subscription_update"];
    assert_eq!(update["enabled"], false);
    site.stripe.save_portal_settings(false, true);
    let listed = site
        .ok("GET", CONFIGURATIONS, &[("is_default", "true")])
        .await;
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    assert_eq!(
        listed["data"][0]["features"]["subscription_update"]["enabled"],
        true
    );
}

#[tokio::test]
async fn a_configuration_is_made_changed_and_used() {
    let site = SellerSite::new().await;
    let params = [
        ("features[payment_method_update][enabled]", "true"),
        ("features[subscription_cancel][enabled]", "false"),
        ("business_profile[headline]", "Seats"),
    ];
    let made = site.ok("POST", CONFIGURATIONS, &params).await;
    assert_eq!(
        (&made["is_default"], &made["business_profile"]["headline"]),
        (&json!(false), &json!("Seats"))
    );
    let id = made["id"].as_str().unwrap();
    let subscription = site.subscription(&[]).await;
    let customer = subscription["customer"].as_str().unwrap();
    let cancel = [
        ("customer", customer),
        ("configuration", id),
        ("flow_data[type]", "subscription_cancel"),
        (
            "flow_data[subscription_cancel][subscription]",
            subscription["id"].as_str().unwrap(),
        ),
    ];
    assert_eq!(site.refused("POST", SESSIONS, &cancel).await.status, 400);
    let path = format!("{CONFIGURATIONS}/{id}");
    let changed = site
        .ok(
            "POST",
            &path,
            &[("features[subscription_cancel][enabled]", "true")],
        )
        .await;
    assert_eq!(changed["features"]["subscription_cancel"]["enabled"], true);
    assert_eq!(
        changed["features"]["payment_method_update"]["enabled"],
        true
    );
    assert_eq!(site.get(&path).await, changed);
    let session = site.ok("POST", SESSIONS, &cancel).await;
    assert_eq!(
        session["flow"]["subscription_cancel"]["subscription"],
        subscription["id"]
    );
}

#[tokio::test]
async fn a_customer_cancels_in_the_portal() {
    let site = SellerSite::new().await;
    site.stripe.save_portal_settings(false, false);
    let subscription = site.subscription(&[]).await;
    let id = subscription["id"].as_str().unwrap();
    let customer = subscription["customer"].as_str().unwrap();
    let session = site
        .ok(
            "POST",
            SESSIONS,
            &[
                ("customer", customer),
                ("return_url", "https://example.com/me"),
            ],
        )
        .await;
    let page = session["url"].as_str().unwrap();
    let press = |body: String| {
        let request = site.http.post(page).body(body);
        answer(request.header("content-type", "application/x-www-form-urlencoded"))
    };
    let shown = press(format!("action=cancel&subscription={id}"))
        .await
        .unwrap();
    assert!(
        shown.text.contains("ends with its period"),
        "{}",
        shown.text
    );
    let ending = site.get(&format!("/v1/subscriptions/{id}")).await;
    assert_eq!(ending["cancel_at_period_end"], true);
    let back = press("action=return".to_owned()).await.unwrap();
    assert_eq!(
        (back.status, back.headers["location"].to_str().unwrap()),
        (303, "https://example.com/me")
    );
}
