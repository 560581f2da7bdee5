//! What a deployment looks at, and the form of what is sent.

use serde_json::Value;
use simulators::stripe::document;
use stripe::{EndpointFault, Period, Recurring, Right};

use domain::stripe::{API_VERSION, EVENT_TYPES};

use super::shop::{ORDER, Shop, client, endpoint, monthly};

#[tokio::test]
async fn the_account_its_endpoints_and_its_portal_are_looked_at() {
    let shop = Shop::new().await;
    let account = shop.stripe.account().await.unwrap();
    assert!(account.charges_enabled);
    assert_eq!(account.default_currency.as_deref(), Some("usd"));
    endpoint(&shop.simulated, API_VERSION, &EVENT_TYPES[1..]).await;
    endpoint(&shop.simulated, "2024-06-20", &EVENT_TYPES).await;
    endpoint(&shop.simulated, API_VERSION, &["*"]).await;
    let endpoints = shop.stripe.webhook_endpoints().await.unwrap();
    let wrong: Vec<_> = endpoints
        .iter()
        .filter_map(|endpoint| Some((endpoint, endpoint.fault()?)))
        .collect();
    assert_eq!(endpoints.len(), 4);
    let faults: Vec<_> = wrong.iter().map(|(_, fault)| fault).collect();
    assert_eq!(wrong.len(), 3, "{faults:?}");
    let has = |fault: EndpointFault| faults.contains(&&fault);
    assert!(has(EndpointFault::Version));
    assert!(has(EndpointFault::Missing(vec![
        "checkout.session.completed"
    ])));
    assert!(has(EndpointFault::Needless(vec!["*".to_owned()])));
    for (endpoint, fault) in &wrong {
        let repaired = shop.stripe.repair_endpoint(&endpoint.id).await.unwrap();
        let left = (*fault == EndpointFault::Version).then_some(EndpointFault::Version);
        assert_eq!(repaired.fault(), left, "{fault:?}");
        assert_eq!(repaired.url, endpoint.url);
    }

    assert_eq!(shop.stripe.portal_switches_plans().await.unwrap(), None);
    for is_switching in [true, false] {
        shop.simulated.save_portal_settings(false, is_switching);
        let switches = shop.stripe.portal_switches_plans().await.unwrap();
        assert_eq!(switches, Some(is_switching));
    }
}

/// What each call needs, as the simulator names it.
const RIGHTS: [(Right, &str); 9] = [
    (Right::Sessions, "checkout_session_write"),
    (Right::Coupons, "coupon_write"),
    (Right::Refunds, "refund_write"),
    (Right::Subscriptions, "subscription_write"),
    (Right::Charges, "charge_read"),
    (Right::Intents, "payment_intent_read"),
    (Right::Invoices, "invoice_read"),
    (Right::Disputes, "dispute_read"),
    (Right::Events, "event_read"),
];

#[tokio::test]
async fn a_right_is_asked_for_without_changing_anything() {
    let shop = Shop::new().await;
    assert_eq!(RIGHTS.map(|(right, _)| right), Right::ALL);
    assert!(!shop.stripe.is_restricted());
    let before = shop.simulated.events().len();
    for (lacking, name) in RIGHTS {
        let key = format!("rk_test_{name}");
        let others = RIGHTS.iter().filter(|(right, _)| *right != lacking);
        let others: Vec<&str> = others.map(|(_, name)| *name).collect();
        shop.simulated.add_restricted_key(&key, &others);
        let restricted = client(&shop.simulated.url(), &key);
        assert!(restricted.is_restricted());
        for right in Right::ALL {
            let has = restricted.has_right(right).await.unwrap();
            assert_eq!(has, right != lacking, "{right:?} without {name}");
        }
    }
    assert_eq!(shop.simulated.events().len(), before);
    let unknown = client(&shop.simulated.url(), "rk_test_unknown");
    assert!(unknown.has_right(Right::Events).await.is_err());
}

#[test]
fn the_simulator_is_of_the_version_that_is_asked_for() {
    assert_eq!(simulators::stripe::API_VERSION, API_VERSION);
}

/// Whether the document knows a parameter of the form, named as `a[b][0][c]`.
fn is_known(name: &str) -> bool {
    let post = &document()["paths"]["/v1/checkout/sessions"]["post"];
    let body = &post["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"];
    let mut schema = body.clone();
    for step in name.split(['[', ']']).filter(|step| !step.is_empty()) {
        let choices = schema["anyOf"].as_array().cloned();
        let choices = choices.unwrap_or_else(|| vec![schema.clone()]);
        let next = choices.into_iter().find_map(|choice| {
            let is_place = step.bytes().all(|byte| byte.is_ascii_digit());
            let next = match is_place {
                true => choice["items"].clone(),
                false => choice["properties"][step].clone(),
            };
            let further = choice["additionalProperties"].clone();
            [next, further].into_iter().find(Value::is_object)
        });
        match next {
            Some(next) => schema = next,
            None => return false,
        }
    }
    true
}

#[tokio::test]
async fn every_form_is_stripes_own_and_the_same_each_time() {
    let shop = Shop::new().await;
    let kinds = [
        None,
        Some(monthly()),
        Some(Recurring {
            every: Period::Weeks(2),
            trial_days: Some(7),
        }),
        Some(Recurring {
            every: Period::Months(3),
            trial_days: None,
        }),
        Some(Recurring {
            every: Period::Years(1),
            trial_days: None,
        }),
    ];
    for (attempt, recurring) in kinds.into_iter().enumerate() {
        let mut request = shop.request(ORDER, recurring);
        request.email = Some("buyer+1@example.org");
        let form = request.form();
        assert_eq!(form, request.form());
        // The simulator refuses whatever the document does not know.
        shop.stripe
            .create_session(&form, &attempt.to_string())
            .await
            .unwrap();
        request.is_taxed = true;
        request.has_coupon = true;
        for (name, _) in form_urlencoded::parse(request.form().as_bytes()) {
            assert!(is_known(&name), "{name}");
        }
    }
    assert!(!is_known("line_items[0][price_data][colour]"));
    let sent = shop.simulated.calls().pop().unwrap().params;
    assert_eq!(sent["adaptive_pricing"]["enabled"], "false");
    assert_eq!(sent["automatic_tax"]["enabled"], "false");
    assert_eq!(sent["client_reference_id"], ORDER);
    for place in [&sent["metadata"], &sent["subscription_data"]["metadata"]] {
        assert_eq!(place["order_id"], ORDER);
    }
    assert_eq!(
        sent["success_url"],
        "https://shop.example/thanks?s={CHECKOUT_SESSION_ID}"
    );
    assert_eq!(
        sent["line_items"]["0"]["price_data"]["product_data"]["name"],
        "Members & friends"
    );
}
