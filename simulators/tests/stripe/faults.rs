//! Idempotency keys, faults, and rate limits.

use std::time::Duration;

use serde_json::{Value, json};
use simulators::stripe::{StripeFault, StripeFaultRule, StripeLimits, StripeRefusal};

use crate::site::{DAY, PAYMENT, SellerSite, StripeAnswer, answer};

const SESSIONS: &str = "/v1/checkout/sessions";

async fn create(
    site: &SellerSite,
    key: &str,
    more: &[(&str, &str)],
) -> reqwest::Result<StripeAnswer> {
    let params = [PAYMENT, more].concat();
    answer(
        site.request("POST", SESSIONS, &params)
            .header("idempotency-key", key),
    )
    .await
}

async fn sessions(site: &SellerSite) -> usize {
    let listed = site.get(SESSIONS).await;
    listed["data"].as_array().unwrap().len()
}

fn rule(fault: StripeFault) -> StripeFaultRule {
    StripeFaultRule::on("POST", SESSIONS, fault).times(1)
}

#[tokio::test]
async fn the_same_key_gives_the_same_answer_for_a_day() {
    let site = SellerSite::new().await;
    let first = create(&site, "k1", &[]).await.unwrap();
    assert!(first.headers.get("idempotent-replayed").is_none());
    let again = create(&site, "k1", &[]).await.unwrap();
    assert_eq!((again.status, &again.text), (200, &first.text));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(
        again.headers["original-request"],
        first.headers["request-id"]
    );
    assert_ne!(again.headers["request-id"], first.headers["request-id"]);
    assert_eq!(sessions(&site).await, 1);
    assert!(site.stripe.calls()[1].was_replayed);
    let other = create(&site, "k1", &[("metadata[a]", "b")]).await.unwrap();
    assert_eq!(
        (other.status, other.error("type")),
        (400, "idempotency_error")
    );
    site.advance(DAY + 1);
    let fresh = create(&site, "k1", &[]).await.unwrap();
    assert_ne!(fresh.body["id"], first.body["id"]);
    let long = "k".repeat(256);
    assert_eq!(create(&site, &long, &[]).await.unwrap().status, 400);
}

#[tokio::test]
async fn what_failed_validation_is_not_kept_and_what_was_refused_later_is() {
    let site = SellerSite::new().await;
    let bad = create(&site, "k1", &[("foo", "1")]).await.unwrap();
    assert_eq!(bad.status, 400);
    assert_eq!(create(&site, "k1", &[]).await.unwrap().status, 200);
    let refund = |key: &'static str| {
        let request = site.request("POST", "/v1/refunds", &[("charge", "ch_none")]);
        answer(request.header("idempotency-key", key))
    };
    let first = refund("k2").await.unwrap();
    let again = refund("k2").await.unwrap();
    assert_eq!((first.status, again.status), (400, 400));
    assert_eq!(again.headers["idempotent-replayed"], "true");
}

#[tokio::test]
async fn a_5xx_is_kept_under_its_key_with_and_without_effect() {
    let site = SellerSite::new().await;
    for (place, fault, made) in [
        (0, StripeFault::Internal, 0),
        (1, StripeFault::InternalAfterEffect, 1),
    ] {
        let key = format!("k{place}");
        site.stripe.fail(rule(fault));
        let first = create(&site, &key, &[]).await.unwrap();
        assert_eq!((first.status, first.error("type")), (500, "api_error"));
        let again = create(&site, &key, &[]).await.unwrap();
        assert_eq!((again.status, &again.text), (500, &first.text));
        assert_eq!(sessions(&site).await, made);
    }
    assert_eq!(create(&site, "next", &[]).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_lost_answer_is_given_to_the_same_key() {
    let site = SellerSite::new().await;
    site.stripe.fail(rule(StripeFault::ResetAfter));
    assert!(create(&site, "k1", &[]).await.is_err());
    assert_eq!(sessions(&site).await, 1);
    let again = create(&site, "k1", &[]).await.unwrap();
    assert_eq!(
        (
            again.status,
            again.headers["idempotent-replayed"].to_str().unwrap()
        ),
        (200, "true")
    );
    assert_eq!(sessions(&site).await, 1);
    site.stripe.fail(rule(StripeFault::ResetBefore));
    assert!(create(&site, "k2", &[]).await.is_err());
    assert_eq!(sessions(&site).await, 1);
    assert_eq!(create(&site, "k2", &[]).await.unwrap().status, 200);
    assert_eq!(sessions(&site).await, 2);
}

#[tokio::test]
async fn a_key_in_use_is_409_until_its_request_ends() {
    let site = SellerSite::new().await;
    site.stripe
        .fail(rule(StripeFault::HangThenSucceed(Duration::from_secs(60))));
    let hanging = async { create(&site, "k1", &[]).await.unwrap() };
    let meanwhile = async {
        while site.stripe.calls().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let clash = create(&site, "k1", &[]).await.unwrap();
        site.advance(61);
        clash
    };
    let (first, clash) = tokio::join!(hanging, meanwhile);
    assert_eq!(
        (clash.status, clash.error("code")),
        (409, "idempotency_key_in_use")
    );
    assert_eq!(clash.headers["stripe-should-retry"], "true");
    assert_eq!(first.status, 200);
    assert_eq!(create(&site, "k1", &[]).await.unwrap().text, first.text);
    assert_eq!(sessions(&site).await, 1);
}

#[tokio::test]
async fn other_faults_look_as_they_do_and_have_the_effect_that_they_say() {
    let site = SellerSite::new().await;
    let refuse =
        StripeRefusal::new(402, "card_error", "Your card was declined.").code("card_declined");
    for (fault, status, code, made) in [
        (StripeFault::BadGateway, 502, "", 0),
        (StripeFault::RateLimited, 429, "rate_limit", 0),
        (StripeFault::LockTimeout, 429, "lock_timeout", 0),
        (StripeFault::Refuse(refuse), 402, "card_declined", 0),
        (StripeFault::Garbage, 200, "", 1),
    ] {
        let before = sessions(&site).await;
        site.stripe.fail(rule(fault.clone()));
        let got = site.send("POST", SESSIONS, PAYMENT).await;
        assert_eq!((got.status, got.error("code")), (status, code), "{fault:?}");
        assert_eq!(sessions(&site).await - before, made, "{fault:?}");
        if status == 502 || status == 200 {
            assert_eq!(got.body, Value::Null, "no JSON");
        }
    }
    site.stripe
        .fail(rule(StripeFault::AnswerLate(Duration::from_secs(30))));
    let late = async { site.send("POST", SESSIONS, PAYMENT).await };
    let before = sessions(&site).await;
    let turn = async {
        while sessions(&site).await == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        site.advance(31);
    };
    assert_eq!(tokio::join!(late, turn).0.status, 200);
    site.stripe
        .fail(StripeFaultRule::always(StripeFault::Internal));
    assert_eq!(site.send("GET", "/v1/balance", &[]).await.status, 500);
    site.stripe.clear_faults();
    assert_eq!(site.send("GET", "/v1/balance", &[]).await.status, 200);
}

#[tokio::test]
async fn a_request_that_hangs_ends_when_the_server_stops() {
    let site = SellerSite::new().await;
    site.stripe
        .fail(StripeFaultRule::always(StripeFault::HangForever));
    let hanging = async { answer(site.request("GET", "/v1/balance", &[])).await };
    let stop = async {
        while site.stripe.calls().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        site.stripe.stop().await;
    };
    assert!(tokio::join!(hanging, stop).0.is_err());
    assert_eq!(site.stripe.calls()[0].status, 0);
}

#[tokio::test]
async fn too_many_requests_in_a_second_are_429() {
    let site = SellerSite::new().await;
    site.stripe.set_limits(Some(StripeLimits {
        endpoint: 0,
        ..StripeLimits::PUBLISHED
    }));
    let refused = site.refused("GET", "/v1/balance", &[]).await;
    assert_eq!((refused.status, refused.error("code")), (429, "rate_limit"));
    site.stripe.set_limits(None);
    assert_eq!(site.get("/v1/balance").await["object"], json!("balance"));
}
