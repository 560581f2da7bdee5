//! The hosted page, as a browser uses it.

use serde_json::json;

use crate::site::{SellerSite, answer};

async fn press(site: &SellerSite, page: &str, action: &str) -> crate::site::StripeAnswer {
    let request = site
        .http
        .post(page)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("action={action}"));
    answer(request).await.unwrap()
}

#[tokio::test]
async fn a_buyer_pays_on_the_page_and_is_sent_back_with_the_session() {
    let site = SellerSite::new().await;
    let session = site
        .session(&[(
            "line_items[0][price_data][product_data][name]",
            "<b>Seat</b>",
        )])
        .await;
    let page = session["url"].as_str().unwrap();
    let shown = answer(site.http.get(page)).await.unwrap();
    assert_eq!(shown.status, 200);
    assert!(
        shown.text.contains("3000 USD") && shown.text.contains("&lt;b&gt;Seat"),
        "{}",
        shown.text
    );
    assert!(shown.text.contains("value=\"pay\"") && shown.text.contains("value=\"delayed\""));
    let declined = press(&site, page, "decline").await;
    assert_eq!(declined.status, 200);
    assert!(
        declined.text.contains("Your card was declined."),
        "{}",
        declined.text
    );
    let asked = press(&site, page, "authenticate").await;
    assert!(asked.text.contains("authentication_passed") && !asked.text.contains("value=\"pay\""));
    let failed = press(&site, page, "authentication_failed").await;
    assert!(
        failed.text.contains("failed authentication"),
        "{}",
        failed.text
    );
    let paid = press(&site, page, "pay").await;
    let id = session["id"].as_str().unwrap();
    assert_eq!(paid.status, 303);
    assert_eq!(
        paid.headers["location"],
        format!("https://example.com/done?s={id}")
    );
    let over = answer(site.http.get(page)).await.unwrap();
    assert!(
        over.text.contains("This session is complete."),
        "{}",
        over.text
    );
    let session = site.get(&format!("/v1/checkout/sessions/{id}")).await;
    assert_eq!(session["payment_status"], "paid");
}

#[tokio::test]
async fn a_buyer_leaves_or_pays_by_bank_debit() {
    let site = SellerSite::new().await;
    let session = site.session(&[]).await;
    let page = session["url"].as_str().unwrap();
    let left = press(&site, page, "cancel").await;
    assert_eq!(
        (left.status, left.headers["location"].to_str().unwrap()),
        (303, "https://example.com/back")
    );
    let path = format!("/v1/checkout/sessions/{}", session["id"].as_str().unwrap());
    assert_eq!(site.get(&path).await["status"], "open");
    assert_eq!(press(&site, page, "delayed").await.status, 303);
    let complete = site.get(&path).await;
    assert_eq!(
        (&complete["status"], &complete["payment_status"]),
        (&json!("complete"), &json!("unpaid"))
    );
    let nothing = answer(
        site.http
            .get(format!("{}/c/pay/cs_none", site.stripe.url())),
    )
    .await
    .unwrap();
    assert_eq!(nothing.status, 404);
}
