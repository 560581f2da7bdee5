//! Orders that renew.

use domain::report::Lookup;
use serde_json::json;
use simulators::stripe::{BuyerAction, DisputeStep, ReleaseOrder, RenewalOutcome};
use stripe::{CancelAt, Recurring, RefundRequest, coupon_id};

use super::shop::{DAY, ORDER, Settled, Shop, monthly};

fn keys(facts: &[serde_json::Value]) -> Vec<&str> {
    let keys = facts.iter().map(|fact| fact["key"].as_str().unwrap());
    keys.collect()
}

#[tokio::test]
async fn each_period_is_a_charge_of_its_invoice_and_the_session_a_bell_for_the_first() {
    let mut shop = Shop::new().await;
    let began = shop.now();
    let session = shop.subscribed().await;
    let invoice = shop.of_session(&session.id, "invoice");
    let charges = shop.facts("charge");
    assert_eq!(keys(&charges), [&*invoice]);
    assert_eq!(
        (&charges[0]["status"], &charges[0]["amount"]),
        (&json!("paid"), &json!(3000))
    );
    let end = charges[0]["end"].as_i64().unwrap();
    assert!((began + 30 * 86_400 - 5..=began + 30 * 86_400 + 5).contains(&end));
    assert_eq!(shop.standing()["renews"], "active");

    shop.turn(30 * DAY + 3700);
    shop.settle_all().await;
    let charges = shop.facts("charge");
    assert_eq!(charges.len(), 2);
    let last = charges
        .iter()
        .map(|charge| charge["end"].as_i64().unwrap())
        .max();
    assert_eq!(last, Some(end + 30 * 86_400));
    assert_eq!(shop.state(), "PAID");
}

#[tokio::test]
async fn without_events_the_session_tells_the_first_invoice() {
    let mut shop = Shop::new().await;
    let session = shop.open(shop.request(ORDER, Some(monthly())), 3000).await;
    shop.simulated.act(&session.id, &BuyerAction::Pay).unwrap();
    let lookup = Lookup::Session(session.id.clone());
    let read = shop.stripe.fetch(&lookup).await.unwrap().unwrap();
    shop.settle(read).await;
    let by_session = shop.facts("charge");
    shop.settle_all().await;
    assert_eq!(shop.facts("charge"), by_session);
    assert_eq!(shop.state(), "PAID");
}

#[tokio::test]
async fn events_in_reverse_without_a_stored_session_end_the_same() {
    let mut shop = Shop::new().await;
    shop.simulated.hold_events();
    let session = shop.open(shop.request(ORDER, Some(monthly())), 3000).await;
    // The answer to its creation was lost: nobody stored the session.
    shop.orders.get_mut(ORDER).unwrap().checkout = None;
    shop.simulated.act(&session.id, &BuyerAction::Pay).unwrap();
    shop.turn(30 * DAY + 3700);
    shop.simulated.delivered().await;
    shop.simulated.release_events(ReleaseOrder::Reversed);
    shop.settle_all().await;
    assert_eq!(
        (shop.state().as_str(), shop.facts("charge").len()),
        ("PAID", 2)
    );
}

#[tokio::test]
async fn old_shapes_of_invoices_and_subscriptions_tell_the_same() {
    let mut shop = Shop::with_version("2024-06-20").await;
    let session = shop.subscribed().await;
    let invoice = shop.of_session(&session.id, "invoice");
    assert_eq!(keys(&shop.facts("charge")), [&*invoice]);
    assert_eq!(shop.standing()["renews"], "active");
}

#[tokio::test]
async fn a_refund_and_a_dispute_of_a_renewal_are_found_upwards_and_name_the_invoice() {
    let mut shop = Shop::new().await;
    shop.subscribed().await;
    shop.turn(30 * DAY + 3700);
    shop.settle_all().await;
    let charges = shop.facts("charge");
    let newest = charges
        .iter()
        .max_by_key(|charge| charge["at"].as_i64())
        .unwrap();
    let invoice = newest["key"].as_str().unwrap().to_owned();
    let intent = shop
        .stripe
        .invoice(&invoice)
        .await
        .unwrap()
        .unwrap()
        .object()
        .paying_intents();
    shop.refs.clear();
    let dispute = shop
        .simulated
        .dispute(&shop.bank_charge(&intent[0]), "fraudulent")
        .unwrap();
    shop.settle_all().await;
    let disputes = shop.facts("dispute");
    assert_eq!(
        (&disputes[0]["key"], &disputes[0]["charge"]),
        (&json!(dispute), &json!(invoice))
    );
    assert_eq!(shop.state(), "DISPUTED");
    // A card whose holder complained isn't charged again.
    assert_eq!(shop.standing()["cancelSubscription"], true);
    shop.simulated
        .step_dispute(&dispute, DisputeStep::Win)
        .unwrap();
    shop.settle_all().await;

    shop.refs.clear();
    let refund = RefundRequest {
        id: "op-1",
        order: ORDER,
        charge: &invoice,
        amount: None,
    };
    let made = shop.stripe.create_refund(refund).await;
    match made {
        Ok(made) => {
            shop.settle(made).await;
            assert_eq!(shop.facts("refund")[0]["charge"], json!(invoice));
            assert_eq!(shop.stripe.refunds(&invoice).await.unwrap().len(), 1);
        }
        // A charge that was disputed can't be refunded.
        Err(error) => assert_eq!(error.code(), Some("charge_disputed")),
    }
    let first = charges.iter().map(|charge| charge["key"].as_str().unwrap());
    let first = first.filter(|key| *key != invoice).collect::<Vec<_>>()[0].to_owned();
    let made = shop
        .stripe
        .create_refund(RefundRequest {
            charge: &first,
            id: "op-2",
            ..refund
        })
        .await
        .unwrap();
    shop.settle(made).await;
    shop.settle_all().await;
    let refunds = shop.facts("refund");
    let own = refunds
        .iter()
        .find(|refund| refund["charge"] == json!(first))
        .unwrap();
    assert_eq!(
        (&own["status"], &own["amount"]),
        (&json!("done"), &json!(3000))
    );
}

#[tokio::test]
async fn a_declined_renewal_is_a_notice_for_each_try_and_no_charge() {
    let mut shop = Shop::new().await;
    let session = shop.subscribed().await;
    let subscription = shop.of_session(&session.id, "subscription");
    for (outcome, needs_action) in [
        (RenewalOutcome::Decline("insufficient_funds".into()), false),
        (RenewalOutcome::RequireAction, true),
    ] {
        shop.simulated.set_renewal(&subscription, outcome).unwrap();
        shop.turn(30 * DAY + 3700);
        let settled = shop.settle_all().await;
        let notices = settled.into_iter().filter_map(|settled| match settled {
            Settled::Order(_, notice) => notice,
            _ => None,
        });
        let notices: Vec<_> = notices.collect();
        assert!(!notices.is_empty());
        let own = notices
            .iter()
            .find(|notice| notice.needs_action == needs_action)
            .unwrap();
        assert!(
            own.page
                .as_ref()
                .unwrap()
                .starts_with(&shop.simulated.url()),
            "{own:?}"
        );
        assert!(own.attempt >= 1);
        assert_eq!(shop.facts("charge").len(), 1);
        assert_eq!(
            shop.standing()["renews"],
            if needs_action { "ended" } else { "failing" }
        );
        if !needs_action {
            assert!(own.next_at.is_some());
            continue;
        }
    }
}

#[tokio::test]
async fn a_trial_costs_nothing_until_it_ends_and_a_coupon_lowers_the_first_period_alone() {
    let mut shop = Shop::new().await;
    let began = shop.now();
    let trial = Recurring {
        trial_days: Some(7),
        ..monthly()
    };
    let session = shop.open(shop.request(ORDER, Some(trial)), 0).await;
    shop.simulated.act(&session.id, &BuyerAction::Pay).unwrap();
    shop.settle_all().await;
    let charges = shop.facts("charge");
    assert_eq!(charges[0]["amount"], 0);
    assert!((charges[0]["end"].as_i64().unwrap() - began - 7 * 86_400).abs() < 5);
    assert_eq!(shop.state(), "PAID");

    let mut shop = Shop::new().await;
    shop.stripe
        .create_coupon(ORDER, 1200, "usd", "Welcome")
        .await
        .unwrap();
    let mut request = shop.request(ORDER, Some(monthly()));
    request.has_coupon = true;
    let session = shop.open(request, 1800).await;
    shop.simulated.act(&session.id, &BuyerAction::Pay).unwrap();
    shop.turn(30 * DAY + 3700);
    shop.settle_all().await;
    let mut amounts: Vec<_> = shop
        .facts("charge")
        .iter()
        .map(|charge| charge["amount"].as_i64().unwrap())
        .collect();
    amounts.sort_unstable();
    assert_eq!(amounts, [1800, 3000]);
    assert_eq!(shop.standing()["cases"], json!([]));
    assert_eq!(
        shop.simulated.coupon(&coupon_id(ORDER)).unwrap()["times_redeemed"],
        1
    );
}

#[tokio::test]
async fn a_slow_first_payment_is_pending_then_paid_or_void() {
    for (succeeds, status, state) in [(true, "paid", "PAID"), (false, "void", "OPEN")] {
        let mut shop = Shop::new().await;
        let session = shop.open(shop.request(ORDER, Some(monthly())), 3000).await;
        shop.simulated
            .act(&session.id, &BuyerAction::PayLater)
            .unwrap();
        shop.settle_all().await;
        assert_eq!(shop.state(), "PENDING");
        shop.simulated.settle(&session.id, succeeds).unwrap();
        shop.settle_all().await;
        assert_eq!(
            (&shop.facts("charge")[0]["status"], shop.state().as_str()),
            (&json!(status), state)
        );
    }
}

#[tokio::test]
async fn a_subscription_is_ended_at_once_or_with_its_period_and_once_more_without_harm() {
    let mut shop = Shop::new().await;
    let session = shop.subscribed().await;
    let subscription = shop.of_session(&session.id, "subscription");
    for (at, renews) in [
        (CancelAt::PeriodEnd, "ending"),
        (CancelAt::PeriodEnd, "ending"),
        (CancelAt::Now, "ended"),
        (CancelAt::Now, "ended"),
        (CancelAt::PeriodEnd, "ended"),
    ] {
        shop.stripe
            .cancel_subscription(&subscription, at)
            .await
            .unwrap();
        shop.settle_all().await;
        assert_eq!(shop.standing()["renews"], renews);
    }
    shop.turn(60 * DAY);
    shop.settle_all().await;
    assert_eq!(shop.facts("charge").len(), 1);

    let mut shop = Shop::new().await;
    let session = shop.subscribed().await;
    let subscription = shop.of_session(&session.id, "subscription");
    shop.simulated.pause_subscription(&subscription).unwrap();
    shop.settle_all().await;
    assert_eq!(shop.standing()["renews"], "ending");
    shop.simulated.resume_subscription(&subscription).unwrap();
    shop.settle_all().await;
    assert_eq!(shop.standing()["renews"], "active");
}
