//! Events at the receiver: signed, repeated, delayed, lost, out of order, tried again.

use std::time::Duration;

use serde_json::json;
use simulators::stripe::{EventFault, EventRule, ReleaseOrder};

use crate::site::{DAY, SellerSite, is_signed};

async fn pay(site: &SellerSite) {
    let session = site.session(&[]).await;
    site.paid(&session).await;
    site.stripe.delivered().await;
}

fn rule(event_type: &str, fault: EventFault) -> EventRule {
    EventRule {
        event_type: Some(event_type.to_owned()),
        times: Some(1),
        fault,
    }
}

/// Waits until so many deliveries came.
async fn arrived(site: &SellerSite, count: usize) {
    for _ in 0..2_000 {
        if site.inbox.headers().len() >= count {
            site.stripe.delivered().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never {count}: {:?}", site.inbox.types());
}

#[tokio::test]
async fn events_are_delivered_signed_as_the_endpoint_asked() {
    let (site, endpoint) = SellerSite::with_endpoint().await;
    let path = format!("/v1/webhook_endpoints/{endpoint}");
    site.ok(
        "POST",
        &path,
        &[("enabled_events[0]", "checkout.session.completed")],
    )
    .await;
    pay(&site).await;
    let events = site.inbox.events();
    assert_eq!(site.inbox.types(), ["checkout.session.completed"]);
    assert_eq!(events[0]["data"]["object"]["payment_status"], "paid");
    assert_eq!(events[0]["api_version"], simulators::stripe::API_VERSION);
    let listed = site
        .ok("GET", "/v1/events", &[("delivery_success", "false")])
        .await;
    assert_eq!(listed["data"], json!([]));
    site.ok("POST", &path, &[("disabled", "true")]).await;
    pay(&site).await;
    assert_eq!(site.inbox.types().len(), 1);
}

#[tokio::test]
async fn both_secrets_sign_while_one_follows_the_other() {
    let (site, endpoint) = SellerSite::with_endpoint().await;
    let new = site
        .stripe
        .roll_secret(&endpoint, Duration::from_secs(DAY))
        .unwrap();
    pay(&site).await;
    let old = site.inbox.secrets.lock().unwrap()[0].clone();
    let is_signed_by = |secret: &str, place: usize| {
        let received = site.inbox.received.lock().unwrap();
        let (headers, body) = &received[place];
        is_signed(headers["stripe-signature"].to_str().unwrap(), body, secret)
    };
    assert!(is_signed_by(&old, 0) && is_signed_by(&new, 0));
    let count = site.inbox.headers().len();
    site.advance(DAY + 1);
    pay(&site).await;
    assert!(!is_signed_by(&old, count) && is_signed_by(&new, count));
    assert!(site.stripe.roll_secret("we_none", Duration::ZERO).is_none());
    site.inbox.secrets.lock().unwrap().push(new);
    site.inbox.events();
}

#[tokio::test]
async fn a_failed_delivery_is_signed_anew_and_tried_again() {
    let (site, _) = SellerSite::with_endpoint().await;
    site.inbox.statuses.lock().unwrap().extend([500, 302]);
    site.ok("POST", "/v1/customers", &[]).await;
    site.stripe.delivered().await;
    assert_eq!(site.inbox.headers().len(), 1);
    let pending = site
        .ok("GET", "/v1/events", &[("delivery_success", "false")])
        .await;
    assert_eq!(pending["data"][0]["pending_webhooks"], 1);
    site.advance(601);
    arrived(&site, 2).await;
    site.advance(7_201);
    arrived(&site, 3).await;
    let events = site.inbox.events();
    assert!(events.iter().all(|event| event["id"] == events[0]["id"]));
    let headers = site.inbox.headers();
    assert!(headers[0] != headers[1] && headers[1] != headers[2]);
    let tries: Vec<_> = site
        .stripe
        .deliveries()
        .iter()
        .map(|delivery| (delivery.attempt, delivery.status))
        .collect();
    assert_eq!(tries, [(1, Some(500)), (2, Some(302)), (3, Some(200))]);
    let listed = site
        .ok("GET", "/v1/events", &[("delivery_success", "true")])
        .await;
    assert_eq!(listed["data"][0]["pending_webhooks"], 0);
    let id = events[0]["id"].as_str().unwrap();
    let endpoint = site.stripe.deliveries()[0].endpoint_id.clone();
    site.stripe.resend(id, &endpoint).unwrap();
    arrived(&site, 4).await;
}

#[tokio::test]
async fn deliveries_are_lost_late_or_repeated_on_demand() {
    let (site, _) = SellerSite::with_endpoint().await;
    site.stripe
        .fail_delivery(&rule("charge.succeeded", EventFault::Lose));
    site.stripe.fail_delivery(&rule(
        "payment_intent.succeeded",
        EventFault::Delay(Duration::from_secs(3_600)),
    ));
    site.stripe
        .fail_delivery(&rule("checkout.session.completed", EventFault::Repeat(5)));
    pay(&site).await;
    let mut types = site.inbox.types();
    types.sort();
    let mut wanted = vec!["checkout.session.completed".to_owned(); 5];
    wanted.push("payment_intent.created".to_owned());
    assert_eq!(types, wanted);
    site.advance(3_601);
    arrived(&site, 7).await;
    assert_eq!(
        site.inbox.types().last().unwrap(),
        "payment_intent.succeeded"
    );
    let lost = site
        .ok("GET", "/v1/events", &[("delivery_success", "false")])
        .await;
    assert_eq!(lost["data"][0]["type"], "charge.succeeded");
    assert_eq!(lost["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn held_events_come_in_the_order_that_the_test_says() {
    for order in [ReleaseOrder::AsMade, ReleaseOrder::Reversed] {
        let (site, _) = SellerSite::with_endpoint().await;
        site.stripe.hold_events();
        pay(&site).await;
        assert!(site.inbox.types().is_empty());
        site.stripe.release_events(order);
        arrived(&site, 4).await;
        let mut types = site.event_types();
        if order == ReleaseOrder::Reversed {
            types.reverse();
        }
        assert_eq!(site.inbox.types(), types);
    }
    let (site, _) = SellerSite::with_endpoint().await;
    site.stripe.hold_events();
    pay(&site).await;
    site.stripe.release_events(ReleaseOrder::Shuffled);
    arrived(&site, 4).await;
}

#[tokio::test]
async fn an_endpoint_of_an_old_version_gets_the_fields_at_their_old_places() {
    let site = SellerSite::new().await;
    let url = site.inbox.url.clone();
    let params = [
        ("url", url.as_str()),
        ("enabled_events[0]", "invoice.paid"),
        ("api_version", "2024-06-20"),
    ];
    site.ok("POST", "/v1/webhook_endpoints", &params).await;
    let subscription = site.subscription(&[]).await;
    site.stripe.delivered().await;
    let received = site.inbox.received.lock().unwrap();
    let event: serde_json::Value = serde_json::from_slice(&received[0].1).unwrap();
    assert_eq!(event["api_version"], "2024-06-20");
    assert_eq!(event["data"]["object"]["subscription"], subscription["id"]);
    assert!(
        event["data"]["object"]["charge"]
            .as_str()
            .unwrap()
            .starts_with("ch_")
    );
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_counts_as_failed() {
    let site = SellerSite::new().await;
    let params = [
        ("url", "http://127.0.0.1:1/none"),
        ("enabled_events[0]", "*"),
    ];
    let endpoint = site.ok("POST", "/v1/webhook_endpoints", &params).await;
    site.ok("POST", "/v1/customers", &[]).await;
    site.stripe.delivered().await;
    let deliveries = site.stripe.deliveries();
    assert_eq!((deliveries.len(), deliveries[0].status), (1, None));
    site.ok(
        "DELETE",
        &format!("/v1/webhook_endpoints/{}", endpoint["id"].as_str().unwrap()),
        &[],
    )
    .await;
    site.advance(DAY);
    site.ok("POST", "/v1/customers", &[]).await;
    site.stripe.delivered().await;
    assert_eq!(site.stripe.deliveries().len(), 1);
}
