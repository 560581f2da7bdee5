//! Refunds: done, pending, failed after they looked done, refused.

use serde_json::json;
use simulators::stripe::RefundPlan;

use crate::site::SellerSite;

const REFUNDS: &str = "/v1/refunds";

#[tokio::test]
async fn refunds_add_up_to_the_charge_and_no_further() {
    let site = SellerSite::new().await;
    let charge = site.charge().await;
    let part = [
        ("charge", charge.as_str()),
        ("amount", "1000"),
        ("metadata[refund_id]", "r1"),
    ];
    let refund = site.ok("POST", REFUNDS, &part).await;
    assert_eq!(
        (&refund["status"], &refund["amount"]),
        (&json!("succeeded"), &json!(1000))
    );
    let path = format!("/v1/charges/{charge}");
    let shown = site.ok("GET", &path, &[("expand[]", "refunds")]).await;
    assert_eq!(
        (&shown["amount_refunded"], &shown["refunded"]),
        (&json!(1000), &json!(false))
    );
    assert_eq!(
        shown["refunds"]["data"][0]["metadata"],
        json!({"refund_id": "r1"})
    );
    let more = site
        .refused("POST", REFUNDS, &[("charge", &charge), ("amount", "2001")])
        .await;
    assert_eq!((more.status, more.error("param")), (400, "amount"));
    let intent = shown["payment_intent"].as_str().unwrap();
    let rest = site
        .ok("POST", REFUNDS, &[("payment_intent", intent)])
        .await;
    assert_eq!(rest["amount"], 2000);
    assert_eq!(site.get(&path).await["refunded"], true);
    let again = site.refused("POST", REFUNDS, &[("charge", &charge)]).await;
    assert_eq!(
        (again.status, again.error("code")),
        (400, "charge_already_refunded")
    );
    let booked = site
        .ok("GET", "/v1/balance_transactions", &[("type", "refund")])
        .await;
    assert_eq!(booked["data"].as_array().unwrap().len(), 2);
    for (params, status) in [
        (vec![], 400),
        (
            vec![("charge", charge.as_str()), ("payment_intent", intent)],
            400,
        ),
        (vec![("charge", "ch_none")], 400),
        (vec![("charge", charge.as_str()), ("reason", "no")], 400),
    ] {
        assert_eq!(
            site.refused("POST", REFUNDS, &params).await.status,
            status,
            "{params:?}"
        );
    }
    assert_eq!(
        site.refused("GET", "/v1/refunds/re_none", &[]).await.status,
        404
    );
}

#[tokio::test]
async fn a_refund_that_was_done_can_fail_and_the_charge_is_whole_again() {
    let site = SellerSite::new().await;
    let charge = site.charge().await;
    let refund = site.ok("POST", REFUNDS, &[("charge", &charge)]).await;
    let id = refund["id"].as_str().unwrap();
    let types = site
        .events_of(async |site| {
            site.stripe
                .fail_refund(id, "expired_or_canceled_card")
                .unwrap();
        })
        .await;
    assert_eq!(types, ["refund.updated", "refund.failed", "charge.updated"]);
    let failed = site.get(&format!("{REFUNDS}/{id}")).await;
    assert_eq!(
        (&failed["status"], &failed["failure_reason"]),
        (&json!("failed"), &json!("expired_or_canceled_card"))
    );
    let shown = site.get(&format!("/v1/charges/{charge}")).await;
    assert_eq!(
        (&shown["amount_refunded"], &shown["refunded"]),
        (&json!(0), &json!(false))
    );
    assert!(site.stripe.fail_refund(id, "unknown").is_err());
    site.ok("POST", REFUNDS, &[("charge", &charge)]).await;
}

#[tokio::test]
async fn a_pending_refund_ends_as_the_test_says() {
    let site = SellerSite::new().await;
    site.stripe.plan_refunds(RefundPlan::Pend);
    let charge = site.charge().await;
    let refund = site
        .ok("POST", REFUNDS, &[("charge", &charge), ("amount", "1000")])
        .await;
    let id = refund["id"].as_str().unwrap();
    assert_eq!(refund["status"], "pending");
    let types = site
        .events_of(async |site| site.stripe.succeed_refund(id).unwrap())
        .await;
    assert_eq!(types, ["refund.updated"]);
    let events = site.stripe.events();
    assert_eq!(
        events.last().unwrap()["data"]["previous_attributes"]["status"],
        "pending"
    );
    assert!(site.stripe.succeed_refund(id).is_err());
    let path = format!("{REFUNDS}/{id}");
    assert_eq!(site.get(&path).await["status"], "succeeded");
    assert_eq!(
        site.refused("POST", &format!("{path}/cancel"), &[])
            .await
            .status,
        400
    );
    let changed = site.ok("POST", &path, &[("metadata[a]", "b")]).await;
    assert_eq!(changed["metadata"], json!({"a": "b"}));
}
