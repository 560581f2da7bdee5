//! Orders that are paid once.

use std::time::Duration;

use domain::report::PaymentReport;
use domain::stripe::{SignatureRefusal, StripeReport, StripeSecrets};
use serde_json::json;
use simulators::stripe::{BuyerAction, DisputeStep, RefundPlan, ReleaseOrder};
use stripe::{RefundRequest, coupon_id};

use super::shop::{DAY, ORDER, Settled, Shop, client};

#[tokio::test]
async fn a_payment_is_a_charge_of_its_intent_with_the_banks_date() {
    let mut shop = Shop::new().await;
    let session = shop.open(shop.request(ORDER, None), 3000).await;
    assert!(session.url.unwrap().starts_with(&shop.simulated.url()));
    assert!(!session.is_live);
    shop.simulated.act(&session.id, &BuyerAction::Pay).unwrap();
    let paid_at = shop.now();
    let events = shop.events().await;
    shop.turn(250);
    for event in &events {
        assert_eq!(
            shop.settle_body(&event.body).await,
            Settled::Order(ORDER.into(), None)
        );
    }
    let intent = shop.of_session(&session.id, "payment_intent");
    let charges = shop.facts("charge");
    assert_eq!(charges.len(), 1, "{charges:?}");
    let at = charges[0]["at"].as_i64().unwrap();
    assert!((paid_at - 5..=paid_at + 5).contains(&at), "{at} {paid_at}");
    assert_eq!(
        charges[0],
        json!({"kind": "charge", "key": intent, "status": "paid", "amount": 3000, "currency": "usd", "at": at})
    );
    assert_eq!(shop.state(), "PAID");
    // What later events name leads to the order and the charge.
    for id in [&intent, &shop.bank_charge(&intent)] {
        assert_eq!(shop.refs[id], (ORDER.to_owned(), Some(intent.clone())));
    }
}

#[tokio::test]
async fn a_slow_payment_is_pending_and_then_paid_or_void_in_whatever_order_the_events_come() {
    for (succeeds, state) in [(true, "PAID"), (false, "OPEN")] {
        let mut shop = Shop::new().await;
        let session = shop.open(shop.request(ORDER, None), 3000).await;
        shop.simulated
            .act(&session.id, &BuyerAction::PayLater)
            .unwrap();
        shop.settle_all().await;
        assert_eq!(shop.state(), "PENDING");
        shop.simulated.hold_events();
        shop.simulated.settle(&session.id, succeeds).unwrap();
        shop.simulated.release_events(ReleaseOrder::Reversed);
        shop.settle_all().await;
        assert_eq!(shop.state(), state);
    }
}

#[tokio::test]
async fn a_declined_card_is_no_charge_and_the_end_of_the_session_closes_its_own_order_alone() {
    let mut shop = Shop::new().await;
    let session = shop.open(shop.request(ORDER, None), 3000).await;
    let declined = BuyerAction::Decline("generic_decline".into());
    shop.simulated.act(&session.id, &declined).unwrap();
    shop.settle_all().await;
    assert_eq!(
        (shop.state().as_str(), shop.facts("charge").len()),
        ("OPEN", 0)
    );

    // Another attempt, whose session nobody was told of, ends by itself.
    let form = shop.request(ORDER, None).form();
    let other = shop.stripe.create_session(&form, "other").await.unwrap();
    assert_ne!(other.id, session.id);
    shop.stripe.expire_session(&other.id).await.unwrap();
    shop.settle_all().await;
    assert_eq!(shop.state(), "OPEN");
    shop.stripe.expire_session(&session.id).await.unwrap();
    shop.settle_all().await;
    assert_eq!(shop.state(), "EXPIRED");
    // One that has ended is refused, and nothing else.
    let refused = shop.stripe.expire_session(&session.id).await.unwrap_err();
    assert!(!refused.fault().may_be_done());
}

#[tokio::test]
async fn refunds_that_are_pending_done_or_failed_are_those_of_the_charge_whoever_made_them() {
    let mut shop = Shop::new().await;
    let session = shop.paid_once().await;
    let intent = shop.of_session(&session.id, "payment_intent");
    shop.simulated.plan_refunds(RefundPlan::Pend);
    let request = RefundRequest {
        id: "auto#1",
        order: ORDER,
        charge: &intent,
        amount: Some(1000),
    };
    let made = shop.stripe.create_refund(request).await.unwrap();
    // Under the same key it is the same one.
    let again = shop.stripe.create_refund(request).await.unwrap();
    let refund = made.object().id().unwrap().to_owned();
    assert_eq!(again.object().id(), Some(&*refund));
    assert_eq!(made.named().order.as_deref(), Some(ORDER));
    shop.settle(made).await;
    assert_eq!(shop.state(), "PARTLY_REFUNDED");
    assert_eq!(
        shop.facts("refund"),
        [
            json!({"kind": "refund", "key": refund, "charge": intent, "status": "pending", "amount": 1000})
        ]
    );
    shop.simulated.succeed_refund(&refund).unwrap();
    shop.settle_all().await;
    assert_eq!(shop.facts("refund")[0]["status"], "done");
    shop.simulated
        .fail_refund(&refund, "expired_or_canceled_card")
        .unwrap();
    shop.settle_all().await;
    assert_eq!(shop.state(), "PAID");
    assert_eq!(
        shop.standing()["cases"],
        json!([format!("refund_failed#{refund}")])
    );

    // One of the dashboard names nothing of ours: it is found by what was stored, and without that at Stripe.
    shop.refs.clear();
    let form = format!("payment_intent={intent}&amount=500");
    let made = dashboard(&shop, "/v1/refunds", &form).await;
    shop.settle_all().await;
    let refunds = shop.facts("refund");
    let own = refunds
        .iter()
        .find(|fact| fact["key"] == made["id"])
        .unwrap();
    assert_eq!(
        (&own["charge"], &own["amount"]),
        (&json!(intent), &json!(500))
    );
    // Both are listed, with our ids.
    let listed = shop.stripe.refunds(&intent).await.unwrap();
    let ids: Vec<_> = listed
        .iter()
        .map(|report| report.object().value()["metadata"]["refund_id"].clone())
        .collect();
    assert_eq!(ids, [json!(null), json!("auto#1")]);
    // All that is left, and then there is nothing.
    let rest = |id| RefundRequest {
        id,
        amount: None,
        ..request
    };
    let all = shop.stripe.create_refund(rest("auto#2")).await.unwrap();
    assert_eq!(all.object().integer("amount"), Some(2500));
    let none = shop.stripe.create_refund(rest("auto#3")).await.unwrap_err();
    assert_eq!(none.code(), Some("charge_already_refunded"));
    assert!(!none.fault().may_be_done());
}

async fn dashboard(shop: &Shop, path: &str, form: &str) -> serde_json::Value {
    let request = http::Request::post(path)
        .header("authorization", format!("Bearer {}", super::shop::KEY))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(bytes::Bytes::from(form.to_owned()));
    let answer = shop.simulated.call(request.unwrap()).await.unwrap();
    serde_json::from_slice(answer.body()).unwrap()
}

#[tokio::test]
async fn a_dispute_is_what_it_is_now_whatever_old_events_say() {
    let mut shop = Shop::new().await;
    let session = shop.paid_once().await;
    let intent = shop.of_session(&session.id, "payment_intent");
    let bank = shop.bank_charge(&intent);
    let dispute = shop.simulated.inquire(&bank, "fraudulent").unwrap();
    shop.settle_all().await;
    assert_eq!(
        shop.standing()["cases"],
        json!([format!("inquiry#{dispute}")])
    );
    assert_eq!(shop.state(), "PAID");
    shop.simulated
        .step_dispute(&dispute, DisputeStep::Escalate)
        .unwrap();
    shop.settle_all().await;
    assert_eq!(shop.state(), "DISPUTED");
    assert_eq!(shop.facts("dispute")[0]["amount"], 3000);
    assert_eq!(shop.facts("dispute")[0]["charge"], *intent);

    shop.simulated.hold_events();
    shop.simulated
        .step_dispute(&dispute, DisputeStep::Lose)
        .unwrap();
    shop.simulated
        .step_dispute(&dispute, DisputeStep::Appeal)
        .unwrap();
    shop.simulated
        .step_dispute(&dispute, DisputeStep::Win)
        .unwrap();
    shop.simulated.release_events(ReleaseOrder::Reversed);
    shop.settle_all().await;
    assert_eq!(shop.state(), "PAID");
    assert_eq!(shop.facts("dispute")[0]["status"], "won");
    let listed = shop.stripe.disputes(&intent).await.unwrap();
    assert_eq!(listed.len(), 1);
}

#[tokio::test]
async fn a_warning_is_of_the_charge() {
    let mut shop = Shop::new().await;
    let session = shop.paid_once().await;
    let intent = shop.of_session(&session.id, "payment_intent");
    let warning = shop
        .simulated
        .warn_of_fraud(&shop.bank_charge(&intent))
        .unwrap();
    shop.refs.clear();
    shop.settle_all().await;
    assert_eq!(
        shop.facts("warning"),
        [json!({"kind": "warning", "key": warning, "charge": intent})]
    );
}

#[tokio::test]
async fn a_session_that_costs_nothing_is_a_charge_of_the_session() {
    let mut shop = Shop::new().await;
    shop.stripe
        .create_coupon(ORDER, 3000, "usd", "Welcome")
        .await
        .unwrap();
    // It exists already, which is as good.
    shop.stripe
        .create_coupon(ORDER, 3000, "usd", "Welcome")
        .await
        .unwrap();
    assert_eq!(
        shop.simulated.coupon(&coupon_id(ORDER)).unwrap()["amount_off"],
        3000
    );
    let mut request = shop.request(ORDER, None);
    request.has_coupon = true;
    request.email = Some("a+b@example.org");
    let session = shop.open(request, 0).await;
    shop.simulated.act(&session.id, &BuyerAction::Pay).unwrap();
    shop.settle_all().await;
    let charges = shop.facts("charge");
    assert_eq!(
        (&charges[0]["key"], &charges[0]["amount"]),
        (&json!(session.id), &json!(0))
    );
    assert_eq!(shop.state(), "PAID");
}

#[tokio::test]
async fn without_any_event_the_session_tells_it_all_and_lists_tell_what_was_missed() {
    let mut shop = Shop::new().await;
    let since = shop.now();
    let session = shop.open(shop.request(ORDER, None), 3000).await;
    shop.simulated.act(&session.id, &BuyerAction::Pay).unwrap();
    let lookup = domain::report::Lookup::Session(session.id.clone());
    let read = shop.stripe.fetch(&lookup).await.unwrap().unwrap();
    shop.settle(read).await;
    assert_eq!(shop.state(), "PAID");

    let told = shop.events().await;
    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let page = shop
            .stripe
            .events_since(since - 10, after.as_deref())
            .await
            .unwrap();
        listed.extend(page.events);
        match page.after {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(listed.len(), told.len());
    for event in listed {
        assert_eq!(
            shop.settle_body(&event.body).await,
            Settled::Order(ORDER.into(), None)
        );
        let read = shop.stripe.event(&event.head.id).await.unwrap().unwrap();
        assert_eq!(read, StripeReport::of_event(&event.body).unwrap());
    }
    assert_eq!(shop.stripe.event("evt_unknown").await.unwrap(), None);
}

#[tokio::test]
async fn what_is_not_ours_is_nobodys() {
    let mut shop = Shop::new().await;
    // The same account sells other things, with ids of its own.
    let form = shop.request("invoice-7", None).form();
    let session = shop.stripe.create_session(&form, "k").await.unwrap();
    shop.simulated.act(&session.id, &BuyerAction::Pay).unwrap();
    let intent = shop.of_session(&session.id, "payment_intent");
    dashboard(&shop, "/v1/refunds", &format!("payment_intent={intent}")).await;
    let settled = shop.settle_all().await;
    assert!(settled.len() >= 2);
    assert!(
        settled.iter().all(|settled| *settled == Settled::Nobody),
        "{settled:?}"
    );
}

#[tokio::test]
async fn events_are_signed_by_each_secret_while_it_is_rotated_and_grow_stale() {
    let mut shop = Shop::new().await;
    let session = shop.open(shop.request(ORDER, None), 3000).await;
    let id = shop.stripe.webhook_endpoints().await.unwrap()[0].id.clone();
    let new = shop
        .simulated
        .roll_secret(&id, Duration::from_secs(DAY))
        .unwrap();
    shop.simulated.act(&session.id, &BuyerAction::Pay).unwrap();
    let event = shop.events().await.pop().unwrap();
    let new = StripeSecrets::parse(&new).unwrap();
    for secrets in [&shop.secrets, &new] {
        secrets
            .verify(&event.body, &event.signature, shop.now())
            .unwrap();
        let late = secrets.verify(&event.body, &event.signature, shop.now() + 400);
        assert_eq!(late, Err(SignatureRefusal::Stale));
    }
    shop.turn(2 * DAY);
    shop.simulated
        .resend(
            &domain::stripe::EventHead::parse(&event.body).unwrap().id,
            &id,
        )
        .unwrap();
    let event = shop.events().await.pop().unwrap();
    let now = shop.now();
    assert_eq!(new.verify(&event.body, &event.signature, now), Ok(()));
    let old = shop.secrets.verify(&event.body, &event.signature, now);
    assert_eq!(old, Err(SignatureRefusal::Unsigned));
}

#[tokio::test]
async fn a_key_of_the_other_mode_is_told_by_its_name_and_an_event_by_its_own_word() {
    use stripe::Stripe;
    for (key, expected) in [
        ("sk_live_1", Some(true)),
        ("rk_live_1", Some(true)),
        ("sk_test_1", Some(false)),
        ("rk_test_1", Some(false)),
        ("pk_live_1", None),
        ("sk_live\n_1", None),
        ("whsec_1", None),
        ("", None),
    ] {
        assert_eq!(Stripe::is_live_key(key), expected, "{key}");
    }
    let mut shop = Shop::new().await;
    let session = shop.open(shop.request(ORDER, None), 3000).await;
    shop.simulated.act(&session.id, &BuyerAction::Pay).unwrap();
    for event in shop.events().await {
        let named = StripeReport::of_event(&event.body).unwrap().named();
        assert_eq!(named.is_live, Some(false));
    }
    let stranger = client(&shop.simulated.url(), "sk_live_stranger");
    let refused = stranger.account().await.unwrap_err();
    assert_eq!(refused.fault(), domain::report::PaymentFault::Key);
    assert!(!format!("{refused:?} {refused}").contains("stranger"));
}
