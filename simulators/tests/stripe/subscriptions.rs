//! Subscriptions: their beginning, renewals by the turned clock, failures, trials and ends.

use serde_json::{Value, json};
use simulators::stripe::{BuyerAction, RenewalOutcome};

use crate::site::{DAY, SellerSite};

const HOUR: u64 = 3_600;

fn id(object: &Value) -> &str {
    object["id"].as_str().unwrap()
}

async fn latest_invoice(site: &SellerSite, subscription: &str) -> Value {
    let invoices = site
        .ok(
            "GET",
            "/v1/invoices",
            &[("subscription", subscription), ("limit", "1")],
        )
        .await;
    invoices["data"][0].clone()
}

async fn status(site: &SellerSite, subscription: &str) -> Value {
    site.get(&format!("/v1/subscriptions/{subscription}")).await["status"].clone()
}

#[tokio::test]
async fn the_first_invoice_is_paid_before_the_session_is_complete() {
    let site = SellerSite::new().await;
    let session = site.subscription_session(&[]).await;
    let types = site
        .events_of(async |site| drop(site.paid(&session).await))
        .await;
    let place = |wanted: &str| types.iter().position(|event| event == wanted).unwrap();
    assert!(
        place("invoice.paid") < place("checkout.session.completed"),
        "{types:?}"
    );
    let session = site
        .get(&format!("/v1/checkout/sessions/{}", id(&session)))
        .await;
    assert_eq!(
        (&session["payment_status"], &session["payment_intent"]),
        (&json!("paid"), &json!(null))
    );
    let subscription = site
        .get(&format!(
            "/v1/subscriptions/{}",
            session["subscription"].as_str().unwrap()
        ))
        .await;
    assert_eq!(
        (&subscription["status"], &subscription["metadata"]),
        (&json!("active"), &json!({"order_id": "order-2"}))
    );
    assert_eq!(
        subscription["current_period_end"],
        json!(null),
        "moved to the items"
    );
    let item = &subscription["items"]["data"][0];
    let length = item["current_period_end"].as_i64().unwrap()
        - item["current_period_start"].as_i64().unwrap();
    assert_eq!(length, 30 * 86_400);
    let path = format!("/v1/invoices/{}", session["invoice"].as_str().unwrap());
    let invoice = site.ok("GET", &path, &[("expand[]", "payments")]).await;
    assert_eq!(
        (&invoice["status"], &invoice["billing_reason"]),
        (&json!("paid"), &json!("subscription_create"))
    );
    assert_eq!(
        invoice["parent"]["subscription_details"]["metadata"],
        json!({"order_id": "order-2"})
    );
    assert_eq!(invoice["subscription"], json!(null), "moved to the parent");
    let intent = invoice["payments"]["data"][0]["payment"]["payment_intent"]
        .as_str()
        .unwrap();
    let found = site
        .ok(
            "GET",
            "/v1/invoice_payments",
            &[
                ("payment[type]", "payment_intent"),
                ("payment[payment_intent]", intent),
            ],
        )
        .await;
    assert_eq!(found["data"][0]["invoice"], invoice["id"]);
    let charge = site
        .ok("GET", "/v1/charges", &[("payment_intent", intent)])
        .await;
    assert_eq!(
        charge["data"][0]["metadata"],
        json!({}),
        "a charge of a subscription has no order id"
    );
}

#[tokio::test]
async fn renewals_come_an_hour_after_each_period_however_far_the_clock_is_turned() {
    let site = SellerSite::new().await;
    let subscription = site.subscription(&[]).await;
    let sub = id(&subscription);
    let end = subscription["items"]["data"][0]["current_period_end"]
        .as_i64()
        .unwrap();
    site.advance(30 * DAY + 60);
    let draft = latest_invoice(&site, sub).await;
    assert_eq!(
        (&draft["status"], &draft["billing_reason"]),
        (&json!("draft"), &json!("subscription_cycle"))
    );
    assert_eq!(
        draft["lines"]["data"][0]["period"],
        json!({"start": end, "end": end + 30 * 86_400})
    );
    site.advance(HOUR);
    let paid = latest_invoice(&site, sub).await;
    assert_eq!(
        (&paid["status"], &paid["amount_paid"]),
        (&json!("paid"), &json!(1000))
    );
    assert_eq!(paid["status_transitions"]["paid_at"], json!(end + 3_600));
    site.advance(90 * DAY);
    let invoices = site
        .ok("GET", "/v1/invoices", &[("subscription", sub)])
        .await;
    assert_eq!(invoices["data"].as_array().unwrap().len(), 5);
    let events = site.stripe.events();
    let updated = events
        .iter()
        .find(|event| event["type"] == "customer.subscription.updated")
        .unwrap();
    let previous = &updated["data"]["previous_attributes"];
    assert!(
        previous["items"].is_object() && previous["latest_invoice"].is_string(),
        "{previous}"
    );
}

#[tokio::test]
async fn a_renewal_that_fails_is_tried_again_and_can_be_paid() {
    let site = SellerSite::new().await;
    let subscription = site.subscription(&[]).await;
    let sub = id(&subscription);
    site.stripe
        .set_renewal(
            sub,
            RenewalOutcome::Decline("card_velocity_exceeded".into()),
        )
        .unwrap();
    site.advance(30 * DAY + HOUR + 60);
    let failed = latest_invoice(&site, sub).await;
    assert_eq!(
        (&failed["status"], &failed["attempt_count"]),
        (&json!("open"), &json!(1))
    );
    assert!(failed["next_payment_attempt"].as_i64().unwrap() > site.now());
    assert!(failed["hosted_invoice_url"].is_string());
    assert_eq!(status(&site, sub).await, "past_due");
    site.stripe
        .set_renewal(sub, RenewalOutcome::Succeed)
        .unwrap();
    site.advance(3 * DAY);
    let paid = latest_invoice(&site, sub).await;
    assert_eq!(
        (&paid["status"], &paid["attempt_count"]),
        (&json!("paid"), &json!(2))
    );
    assert_eq!(status(&site, sub).await, "active");
    assert!(site.stripe.pay_invoice(id(&paid)).is_err());
}

#[tokio::test]
async fn after_its_last_try_the_subscription_ends() {
    let site = SellerSite::new().await;
    let subscription = site.subscription(&[]).await;
    let sub = id(&subscription);
    site.stripe
        .set_renewal(sub, RenewalOutcome::Decline("generic_decline".into()))
        .unwrap();
    site.advance(50 * DAY);
    let ended = site.get(&format!("/v1/subscriptions/{sub}")).await;
    assert_eq!(
        (&ended["status"], &ended["cancellation_details"]["reason"]),
        (&json!("canceled"), &json!("payment_failed"))
    );
    let invoice = latest_invoice(&site, sub).await;
    assert_eq!(
        (&invoice["attempt_count"], &invoice["next_payment_attempt"]),
        (&json!(4), &json!(null))
    );
    let types = site.event_types();
    assert_eq!(
        types
            .iter()
            .filter(|event| *event == "invoice.payment_failed")
            .count(),
        4
    );
    assert_eq!(types.last().unwrap(), "customer.subscription.deleted");
}

#[tokio::test]
async fn a_renewal_that_needs_three_d_secure_is_paid_on_its_page() {
    let site = SellerSite::new().await;
    let subscription = site.subscription(&[]).await;
    let sub = id(&subscription);
    site.stripe
        .set_renewal(sub, RenewalOutcome::RequireAction)
        .unwrap();
    site.advance(30 * DAY + HOUR + 60);
    let types = site.event_types();
    assert!(
        types.contains(&"invoice.payment_action_required".to_owned()),
        "{types:?}"
    );
    let invoice = latest_invoice(&site, sub).await;
    let page = invoice["hosted_invoice_url"].as_str().unwrap();
    let answer = site
        .http
        .post(page)
        .body("action=pay")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    assert_eq!(latest_invoice(&site, sub).await["status"], "paid");
    assert_eq!(status(&site, sub).await, "active");
}

#[tokio::test]
async fn a_trial_is_free_is_told_of_and_then_renews() {
    let site = SellerSite::new().await;
    let trial = ("subscription_data[trial_period_days]", "7");
    let session = site.paid(&site.subscription_session(&[trial]).await).await;
    assert_eq!(
        (&session["amount_total"], &session["payment_status"]),
        (&json!(0), &json!("no_payment_required"))
    );
    let sub = session["subscription"].as_str().unwrap();
    assert_eq!(status(&site, sub).await, "trialing");
    let first = latest_invoice(&site, sub).await;
    assert_eq!(
        (&first["status"], &first["amount_due"]),
        (&json!("paid"), &json!(0))
    );
    site.advance(4 * DAY + 60);
    assert_eq!(
        site.event_types().last().unwrap(),
        "customer.subscription.trial_will_end"
    );
    site.advance(3 * DAY + HOUR);
    assert_eq!(status(&site, sub).await, "active");
    assert_eq!(latest_invoice(&site, sub).await["amount_paid"], 1000);
}

#[tokio::test]
async fn a_subscription_ends_with_its_period_or_at_once() {
    let site = SellerSite::new().await;
    let subscription = site.subscription(&[]).await;
    let path = format!("/v1/subscriptions/{}", id(&subscription));
    let ending = site
        .ok("POST", &path, &[("cancel_at_period_end", "true")])
        .await;
    assert_eq!(
        ending["cancel_at"],
        ending["items"]["data"][0]["current_period_end"]
    );
    let kept = site
        .ok("POST", &path, &[("cancel_at_period_end", "false")])
        .await;
    assert_eq!(
        (&kept["cancel_at"], &kept["canceled_at"]),
        (&json!(null), &json!(null))
    );
    site.ok("POST", &path, &[("cancel_at_period_end", "true")])
        .await;
    site.advance(30 * DAY + 1);
    let ended = site.get(&path).await;
    assert_eq!(
        (&ended["status"], &ended["ended_at"]),
        (&json!("canceled"), &ending["cancel_at"])
    );
    assert_eq!(
        site.event_types().last().unwrap(),
        "customer.subscription.deleted"
    );
    assert_eq!(
        site.refused("POST", &path, &[("cancel_at_period_end", "true")])
            .await
            .status,
        400
    );

    let other = site.subscription(&[]).await;
    let path = format!("/v1/subscriptions/{}", id(&other));
    let ended = site
        .ok("DELETE", &path, &[("cancellation_details[comment]", "bye")])
        .await;
    assert_eq!(
        (&ended["status"], &ended["cancellation_details"]["comment"]),
        (&json!("canceled"), &json!("bye"))
    );
    assert_eq!(site.refused("DELETE", &path, &[]).await.status, 404);
    site.advance(60 * DAY);
    let invoices = site
        .ok("GET", "/v1/invoices", &[("subscription", id(&other))])
        .await;
    assert_eq!(invoices["data"].as_array().unwrap().len(), 1);
    let listed = site.get("/v1/subscriptions").await;
    assert_eq!(listed["data"], json!([]));
    let all = site
        .ok("GET", "/v1/subscriptions", &[("status", "all")])
        .await;
    assert_eq!(all["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_coupon_of_one_period_does_not_lower_the_renewal() {
    let site = SellerSite::new().await;
    for (coupon, duration, renewal) in [("once", "once", 1000), ("always", "forever", 750)] {
        let params = [
            ("id", coupon),
            ("percent_off", "25"),
            ("duration", duration),
        ];
        site.ok("POST", "/v1/coupons", &params).await;
        let subscription = site.subscription(&[("discounts[0][coupon]", coupon)]).await;
        let first = latest_invoice(&site, id(&subscription)).await;
        assert_eq!(
            (&first["amount_paid"], &first["subtotal"]),
            (&json!(750), &json!(1000))
        );
        site.advance(30 * DAY + HOUR + 60);
        let second = latest_invoice(&site, id(&subscription)).await;
        assert_eq!(second["amount_paid"], renewal, "{coupon}");
        site.ok(
            "DELETE",
            &format!("/v1/subscriptions/{}", id(&subscription)),
            &[],
        )
        .await;
    }
}

#[tokio::test]
async fn a_first_payment_by_bank_debit_settles_later() {
    let site = SellerSite::new().await;
    for (succeeds, wanted) in [(true, "active"), (false, "past_due")] {
        let session = site.subscription_session(&[]).await;
        site.stripe
            .act(id(&session), &BuyerAction::PayLater)
            .unwrap();
        let session = site
            .get(&format!("/v1/checkout/sessions/{}", id(&session)))
            .await;
        assert_eq!(session["payment_status"], "unpaid");
        let sub = session["subscription"].as_str().unwrap();
        assert_eq!(latest_invoice(&site, sub).await["status"], "open");
        site.stripe.settle(id(&session), succeeds).unwrap();
        assert_eq!(status(&site, sub).await, wanted);
    }
}

#[tokio::test]
async fn a_declined_first_payment_makes_no_subscription() {
    let site = SellerSite::new().await;
    let session = site.subscription_session(&[]).await;
    let decline = BuyerAction::Decline("generic_decline".into());
    site.stripe.act(id(&session), &decline).unwrap();
    let listed = site
        .ok("GET", "/v1/subscriptions", &[("status", "all")])
        .await;
    assert_eq!(listed["data"], json!([]));
    site.stripe
        .act(id(&session), &BuyerAction::RequireAuthentication)
        .unwrap();
    site.stripe
        .act(id(&session), &BuyerAction::Authenticate { passes: true })
        .unwrap();
    let listed = site.get("/v1/subscriptions").await;
    assert_eq!(listed["data"][0]["status"], "active");
    assert_eq!(
        site.get("/v1/payment_intents").await["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_paused_subscription_makes_no_invoice_until_it_goes_on() {
    let site = SellerSite::new().await;
    let subscription = site.subscription(&[]).await;
    let sub = id(&subscription);
    site.stripe.pause_subscription(sub).unwrap();
    assert!(site.stripe.pause_subscription(sub).is_err());
    assert_eq!(status(&site, sub).await, "paused");
    site.advance(40 * DAY);
    site.stripe.resume_subscription(sub).unwrap();
    assert_eq!(
        site.event_types().last().unwrap(),
        "customer.subscription.resumed"
    );
    assert!(site.stripe.resume_subscription(sub).is_err());
    let first = latest_invoice(&site, sub).await;
    assert_eq!(first["billing_reason"], "subscription_create");
    site.advance(30 * DAY + HOUR + 60);
    let renewed = latest_invoice(&site, sub).await;
    assert_eq!(
        (&renewed["billing_reason"], &renewed["status"]),
        (&json!("subscription_cycle"), &json!("paid"))
    );
    assert_eq!(status(&site, sub).await, "active");
}
