//! Disputes and early fraud warnings.

use serde_json::json;
use simulators::stripe::DisputeStep;

use crate::site::SellerSite;

#[tokio::test]
async fn a_chargeback_takes_the_money_and_gives_it_back_when_it_is_won() {
    let site = SellerSite::new().await;
    let charge = site.charge().await;
    let dispute = site.stripe.dispute(&charge, "fraudulent").unwrap();
    assert!(site.stripe.dispute(&charge, "fraudulent").is_err());
    let path = format!("/v1/disputes/{dispute}");
    let open = site.get(&path).await;
    assert_eq!(
        (&open["status"], &open["amount"]),
        (&json!("needs_response"), &json!(3000))
    );
    assert_eq!(open["balance_transactions"][0]["net"], -4500);
    assert_eq!(
        site.get(&format!("/v1/charges/{charge}")).await["disputed"],
        true
    );
    let refused = site
        .refused("POST", "/v1/refunds", &[("charge", &charge)])
        .await;
    assert_eq!(
        (refused.status, refused.error("code")),
        (400, "charge_disputed")
    );
    let steps: [(DisputeStep, &str, &[&str]); 7] = [
        (
            DisputeStep::Respond,
            "under_review",
            &["charge.dispute.updated"],
        ),
        (
            DisputeStep::Win,
            "won",
            &["charge.dispute.closed", "charge.dispute.funds_reinstated"],
        ),
        (
            DisputeStep::Appeal,
            "appeal_needs_response",
            &["charge.dispute.updated", "charge.dispute.funds_withdrawn"],
        ),
        (
            DisputeStep::Respond,
            "appeal_under_review",
            &["charge.dispute.updated"],
        ),
        (DisputeStep::Lose, "lost", &["charge.dispute.closed"]),
        (
            DisputeStep::Appeal,
            "appeal_under_review",
            &["charge.dispute.updated"],
        ),
        (
            DisputeStep::Win,
            "won",
            &["charge.dispute.closed", "charge.dispute.funds_reinstated"],
        ),
    ];
    for (step, status, events) in steps {
        let types = site
            .events_of(async |site| site.stripe.step_dispute(&dispute, step).unwrap())
            .await;
        assert_eq!(types, events, "{step:?}");
        assert_eq!(site.get(&path).await["status"], status, "{step:?}");
    }
    assert!(
        site.stripe
            .step_dispute(&dispute, DisputeStep::Lose)
            .is_err()
    );
    let sum: i64 = site.get(&path).await["balance_transactions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|booked| booked["amount"].as_i64().unwrap())
        .sum();
    assert_eq!(sum, 0);
}

#[tokio::test]
async fn an_inquiry_takes_nothing_until_it_becomes_a_chargeback() {
    let site = SellerSite::new().await;
    let charge = site.charge().await;
    let inquiry = site.stripe.inquire(&charge, "general").unwrap();
    let path = format!("/v1/disputes/{inquiry}");
    let open = site.get(&path).await;
    assert_eq!(
        (&open["status"], &open["is_charge_refundable"]),
        (&json!("warning_needs_response"), &json!(true))
    );
    assert_eq!(open["balance_transactions"], json!([]));
    site.ok(
        "POST",
        "/v1/refunds",
        &[("charge", &charge), ("amount", "100")],
    )
    .await;
    site.stripe
        .step_dispute(&inquiry, DisputeStep::Escalate)
        .unwrap();
    let chargeback = site.get(&path).await;
    assert_eq!(
        (&chargeback["status"], &chargeback["is_charge_refundable"]),
        (&json!("needs_response"), &json!(false))
    );
    let closed = site.ok("POST", &format!("{path}/close"), &[]).await;
    assert_eq!(closed["status"], "lost");
    assert_eq!(
        site.refused("POST", &format!("{path}/close"), &[])
            .await
            .status,
        400
    );

    let other = site.charge().await;
    let inquiry = site.stripe.inquire(&other, "general").unwrap();
    site.stripe
        .step_dispute(&inquiry, DisputeStep::CloseInquiry)
        .unwrap();
    let closed = site.ok("GET", "/v1/disputes", &[("charge", &other)]).await;
    assert_eq!(closed["data"][0]["status"], "warning_closed");
}

#[tokio::test]
async fn a_warning_names_its_charge() {
    let site = SellerSite::new().await;
    let charge = site.charge().await;
    let warning = site.stripe.warn_of_fraud(&charge).unwrap();
    let shown = site
        .get(&format!("/v1/radar/early_fraud_warnings/{warning}"))
        .await;
    assert_eq!(
        (&shown["charge"], &shown["actionable"]),
        (&json!(charge), &json!(true))
    );
    let listed = site
        .ok(
            "GET",
            "/v1/radar/early_fraud_warnings",
            &[("charge", &charge)],
        )
        .await;
    assert_eq!(listed["data"], json!([shown]));
    assert_eq!(
        site.event_types().last().unwrap(),
        "radar.early_fraud_warning.created"
    );
}
