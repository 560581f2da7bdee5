use serde_json::{Value, json};

use super::super::order::fact::{Facts, OrderFact};
use super::super::order::terms::OrderTerms;
use super::super::report::{Lookup, Named, OrderSeen, PaymentReport, Reading, Said};
use super::*;

const SAMPLES: &str = include_str!("sample-objects.json");
const ORDER: &str = "3f2b8a52-0d4e-4b6e-9c56-6a2f6f0a1b11";
const STORED_AT: i64 = 1_700_000_000;

fn sample(kind: &str) -> Value {
    let file: Value = serde_json::from_str(SAMPLES).unwrap();
    file["resources"][kind].clone()
}

/// An object of a kind with these fields.
fn object(kind: &str, fields: Value) -> StripeReport {
    let mut object = json!({"object": kind, "id": format!("{kind}_1")});
    object
        .as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    StripeReport::read(StripeObject::new(object))
}

fn event(kind: &str, object: &Value) -> Vec<u8> {
    let event = json!({
        "id": "evt_1", "object": "event", "type": kind, "livemode": true, "created": STORED_AT,
        "api_version": "2024-06-20", "data": {"object": object}, "pending_webhooks": 1, "surprise": [1.5e300],
    });
    event.to_string().into_bytes()
}

fn reading_with(report: &StripeReport, charge: Option<&str>, known: &[Value]) -> Reading {
    let terms = r#"{"provider": "stripe", "currency": "usd", "due": 3000, "owner": "o1"}"#;
    let terms: OrderTerms = serde_json::from_str(terms).unwrap();
    let facts = known
        .iter()
        .map(|fact| serde_json::from_str::<OrderFact>(&fact.to_string()));
    let facts: Facts = facts.map(Result::unwrap).collect();
    report.reading(&OrderSeen {
        terms: &terms,
        facts: &facts,
        version: 7,
        checkout: Some("checkout.session_1"),
        expires_at: STORED_AT,
        charge,
        stored_at: STORED_AT,
    })
}

fn reading(report: &StripeReport, charge: Option<&str>) -> Reading {
    reading_with(report, charge, &[])
}

fn said(report: &StripeReport, charge: Option<&str>) -> Said {
    match reading(report, charge) {
        Reading::Says(said) => said,
        other => panic!("{other:?}"),
    }
}

fn facts(report: &StripeReport, charge: Option<&str>) -> Vec<Value> {
    let facts = said(report, charge).facts;
    facts
        .iter()
        .map(|fact| serde_json::to_value(fact).unwrap())
        .collect()
}

#[test]
fn stripes_own_samples_are_read_and_are_nobodys() {
    for kind in [
        "checkout.session",
        "payment_intent",
        "charge",
        "invoice",
        "subscription",
        "refund",
        "dispute",
    ] {
        let sample = sample(kind);
        let told = StripeReport::of_event(&event("x.y", &sample)).unwrap();
        let read = StripeReport::read(StripeObject::new(sample));
        for report in [&told, &read] {
            assert_eq!(
                (report.named().order, report.provider()),
                (None, "stripe"),
                "{kind}"
            );
            // Nothing in them breaks, whatever is asked.
            let _: Reading = reading(report, Some("pi_1"));
        }
        assert_eq!(told.named().is_live, Some(true));
        assert_eq!(told.object().kind(), kind);
    }
    let head = EventHead::parse(sample("event").to_string().as_bytes()).unwrap();
    assert_eq!(
        head.object,
        Some(("plan".into(), "price_1PgafmB7WZ01zgkW6dKueIc5".into()))
    );
    let named = StripeReport::of_event(sample("event").to_string().as_bytes())
        .unwrap()
        .named();
    assert_eq!(
        named,
        Named {
            is_live: Some(false),
            ..Named::default()
        }
    );
}

#[test]
fn what_is_no_event_is_none_whatever_it_holds() {
    let good = event("invoice.paid", &json!({"object": "invoice", "id": "in_1"}));
    let head = EventHead::parse(&good).unwrap();
    assert_eq!(
        (head.id.as_str(), head.kind.as_str(), head.is_live),
        ("evt_1", "invoice.paid", true)
    );
    assert_eq!(head.object, Some(("invoice".into(), "in_1".into())));
    assert_eq!(head.api_version.as_deref(), Some("2024-06-20"));
    let changed = |field: &str, value: Value| {
        let mut event: Value = serde_json::from_slice(&good).unwrap();
        event[field] = value;
        event.to_string().into_bytes()
    };
    let bodies = [
        Vec::new(),
        b"{}".to_vec(),
        b"[]".to_vec(),
        b"null".to_vec(),
        b"\xff".to_vec(),
        good[..good.len() - 1].to_vec(),
        [b"[".repeat(100_000), b"]".repeat(100_000)].concat(),
        changed("id", json!(7)),
        changed("id", json!("")),
        changed("id", json!("evt_1#x")),
        changed("id", json!("e".repeat(256))),
        changed("type", json!("invoice paid")),
        changed("livemode", json!("yes")),
        changed("created", json!(1.5)),
        changed("data", json!(null)),
    ];
    for body in bodies {
        assert_eq!(
            EventHead::parse(&body),
            None,
            "{:?}",
            String::from_utf8_lossy(&body[..body.len().min(80)])
        );
    }
    // The head is told of a body of any length, and of an object of any kind.
    let long = changed("surprise", json!("x".repeat(2 * BODY_MAX)));
    assert_eq!(EventHead::parse(&long).unwrap().id, "evt_1");
    let odd = changed("data", json!({"object": {"object": "thing", "id": "a b"}}));
    assert_eq!(EventHead::parse(&odd).unwrap().object, None);
    let report = StripeReport::of_event(&odd).unwrap();
    assert_eq!(
        report.named(),
        Named {
            is_live: Some(true),
            ..Named::default()
        }
    );
    assert_eq!(said(&report, None), Said::default());
}

#[test]
fn an_event_of_a_connected_account_is_nobodys() {
    let mut event: Value =
        serde_json::from_slice(&event("x.y", &json!({"object": "invoice", "id": "in_1"}))).unwrap();
    event["account"] = json!("acct_other");
    event["data"]["object"]["metadata"] = json!({"order_id": ORDER});
    let body = event.to_string().into_bytes();
    assert!(EventHead::parse(&body).unwrap().is_foreign);
    let named = StripeReport::of_event(&body).unwrap().named();
    assert_eq!(
        named,
        Named {
            is_live: Some(true),
            ..Named::default()
        }
    );
}

#[test]
fn the_order_is_named_by_our_id_then_by_references_then_upwards() {
    let named = |kind: &str, fields: Value| object(kind, fields).named();
    let order = || json!({"order_id": ORDER.to_uppercase()});
    let ours = Some(ORDER.to_owned());
    let refs = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();

    let session = named(
        "checkout.session",
        json!({
            "metadata": order(), "payment_intent": {"id": "pi_1"}, "subscription": null, "invoice": "in_1",
        }),
    );
    let others = json!({"metadata": {"order_id": "order 7"}, "client_reference_id": ORDER});
    assert_eq!(
        named("checkout.session", others).order,
        None,
        "a payer can write it into the address of a payment link"
    );
    assert_eq!(session.order, ours);
    assert_eq!(session.refs, refs(&["checkout.session_1", "pi_1", "in_1"]));
    assert_eq!(session.upwards, None);

    let subscription = "sub_1";
    for (place, fields) in [
        (
            "new",
            json!({"parent": {"subscription_details": {"metadata": order(), "subscription": subscription}}}),
        ),
        (
            "old",
            json!({"subscription_details": {"metadata": order()}, "subscription": subscription}),
        ),
        (
            "older",
            json!({"lines": {"data": [{"metadata": {}}, {"metadata": order()}]}, "subscription": {"id": subscription}}),
        ),
    ] {
        let invoice = named("invoice", fields);
        assert_eq!(
            (&invoice.order, &invoice.charge),
            (&ours, &Some("invoice_1".into())),
            "{place}"
        );
        assert_eq!(invoice.refs, refs(&["invoice_1", subscription]), "{place}");
        assert_eq!(
            invoice.upwards,
            Some(Lookup::Subscription(subscription.into())),
            "{place}"
        );
    }
    assert_eq!(
        named("subscription", json!({"metadata": order()})).order,
        ours
    );

    let intent = named("payment_intent", json!({"metadata": order()}));
    assert_eq!(
        (intent.order, intent.charge),
        (ours.clone(), Some("payment_intent_1".into()))
    );
    // That of an invoice tells neither, and is none by itself.
    let intent = named("payment_intent", json!({"metadata": {}}));
    assert_eq!((intent.order, intent.charge), (None, None));
    assert_eq!(
        intent.upwards,
        Some(Lookup::InvoiceOfIntent("payment_intent_1".into()))
    );
    let charge = named(
        "charge",
        json!({"metadata": order(), "payment_intent": "pi_1"}),
    );
    assert_eq!(
        (charge.order, charge.charge),
        (ours.clone(), Some("pi_1".into()))
    );

    for kind in ["refund", "dispute", "radar.early_fraud_warning"] {
        let told = named(
            kind,
            json!({"payment_intent": "pi_1", "charge": {"id": "ch_1"}, "metadata": order()}),
        );
        assert_eq!(
            (told.order, told.charge),
            (None, None),
            "{kind}: which charge?"
        );
        assert_eq!(told.refs, refs(&["pi_1", "ch_1"]));
        assert_eq!(told.upwards, Some(Lookup::Intent("pi_1".into())));
        let told = named(kind, json!({"payment_intent": null, "charge": "ch_1"}));
        assert_eq!(
            (told.refs, told.upwards),
            (refs(&["ch_1"]), Some(Lookup::Charge("ch_1".into())))
        );
        assert_eq!(named(kind, json!({})), Named::default());
    }
    let own = named(
        "refund",
        json!({"payment_intent": "pi_1", "metadata": {"order_id": ORDER, "charge": "in_1"}}),
    );
    assert_eq!((own.order, own.charge), (ours, Some("in_1".into())));
}

#[test]
fn what_goes_back_and_forth_is_read_and_has_the_orders_version() {
    for (kind, lookup) in [
        ("checkout.session", Lookup::Session("x_1".into())),
        ("customer.subscription", Lookup::Subscription("x_1".into())),
        ("charge.dispute", Lookup::Dispute("x_1".into())),
    ] {
        let object = kind.rsplit_once("r.").map_or(kind, |(_, object)| object);
        let object = object.strip_prefix("charge.").unwrap_or(object);
        let told = event(
            "any.thing",
            &json!({"object": object, "id": "x_1", "status": "lost"}),
        );
        let told = StripeReport::of_event(&told).unwrap();
        assert_eq!(reading(&told, Some("pi_1")), Reading::Fetch(lookup));
    }
    let dispute = |status: &str| {
        let report = object(
            "dispute",
            json!({"status": status, "amount": 3000, "currency": "usd"}),
        );
        reading(&report, Some("pi_1"))
    };
    for (status, word) in [
        ("warning_needs_response", "inquiry"),
        ("warning_under_review", "inquiry"),
        ("warning_closed", "closed"),
        ("prevented", "closed"),
        ("needs_response", "open"),
        ("under_review", "open"),
        ("appeal_needs_response", "open"),
        ("appeal_under_review", "open"),
        ("lost", "lost"),
        ("won", "won"),
    ] {
        let Reading::Says(said) = dispute(status) else {
            panic!("{status}");
        };
        let fact = serde_json::to_value(&said.facts[0]).unwrap();
        let expected = json!({
            "kind": "dispute", "key": "dispute_1", "charge": "pi_1", "status": word, "amount": 3000, "seq": 7,
        });
        assert_eq!(fact, expected, "{status}");
    }
    assert!(matches!(dispute("something_new"), Reading::Unclear(_)));

    for (fields, word) in [
        (json!({"status": "active"}), Some("active")),
        (json!({"status": "trialing"}), Some("active")),
        (
            json!({"status": "active", "cancel_at_period_end": true}),
            Some("ending"),
        ),
        (json!({"status": "active", "cancel_at": 1}), Some("ending")),
        (json!({"status": "paused"}), Some("ending")),
        (
            json!({"status": "past_due", "cancel_at_period_end": true}),
            Some("failing"),
        ),
        (json!({"status": "unpaid"}), Some("failing")),
        (json!({"status": "canceled"}), Some("ended")),
        (json!({"status": "incomplete_expired"}), Some("ended")),
        (json!({"status": "something_new"}), None),
    ] {
        let told = facts(&object("subscription", fields.clone()), None);
        let expected: Vec<_> = word
            .map(|word| json!({"kind": "subscription", "key": "subscription_1", "status": word, "seq": 7}))
            .into_iter()
            .collect();
        assert_eq!(told, expected, "{fields}");
    }
}

#[test]
fn a_dispute_in_the_banks_currency_is_of_all_of_the_charge() {
    let dispute = object(
        "dispute",
        json!({"status": "needs_response", "amount": 27, "currency": "eur"}),
    );
    assert!(matches!(
        reading(&dispute, Some("pi_1")),
        Reading::Unclear(_)
    ));
    let charge = json!({"kind": "charge", "key": "pi_1", "status": "paid", "amount": 3000, "currency": "usd", "at": 1});
    match reading_with(&dispute, Some("pi_1"), &[charge]) {
        Reading::Says(said) => {
            assert_eq!(
                serde_json::to_value(&said.facts[0]).unwrap()["amount"],
                3000
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_refund_is_of_its_charge_and_failed_covers_cancelled() {
    for (status, word) in [
        ("pending", Some("pending")),
        ("requires_action", Some("pending")),
        ("succeeded", Some("done")),
        ("failed", Some("failed")),
        ("canceled", Some("failed")),
        ("something_new", None),
    ] {
        let refund = object("refund", json!({"status": status, "amount": 500}));
        match (reading(&refund, Some("pi_1")), word) {
            (Reading::Says(said), Some(word)) => {
                let fact = serde_json::to_value(&said.facts[0]).unwrap();
                assert_eq!(
                    fact,
                    json!({"kind": "refund", "key": "refund_1", "charge": "pi_1", "status": word, "amount": 500})
                );
            }
            (Reading::Unclear(_), None) => {}
            other => panic!("{status}: {other:?}"),
        }
        assert!(matches!(reading(&refund, None), Reading::Unclear(_)));
    }
    for amount in [json!(null), json!(-5), json!(1.5), json!("500")] {
        let refund = object("refund", json!({"status": "succeeded", "amount": amount}));
        assert!(
            matches!(reading(&refund, Some("pi_1")), Reading::Unclear(_)),
            "{amount}"
        );
    }
}

#[test]
fn an_invoice_is_a_charge_up_to_the_end_of_its_last_line_with_the_tax_in_it() {
    let invoice = |more: Value| {
        let mut fields = json!({
            "status": "paid", "amount_paid": 3570, "amount_due": 3570, "currency": "usd",
            "status_transitions": {"paid_at": 1_690_000_000},
            "lines": {"data": [{"period": {"end": 5}}, {"period": {"end": 9}}, {"period": {"end": 7}}, {}]},
        });
        fields
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        object("invoice", fields)
    };
    let paid = json!({
        "kind": "charge", "key": "invoice_1", "status": "paid", "amount": 3570, "currency": "usd", "at": 1_690_000_000,
        "end": 9, "tax": 570,
    });
    for tax in [
        json!({"total_taxes": [{"amount": 500}, {"amount": 70}], "tax": 9}),
        json!({"total_tax_amounts": [{"amount": 570}]}),
        json!({"total_taxes": [], "tax": 570}),
    ] {
        assert_eq!(
            facts(&invoice(tax.clone()), None),
            std::slice::from_ref(&paid),
            "{tax}"
        );
    }
    let untaxed = facts(&invoice(json!({"total_taxes": []})), None);
    assert_eq!(untaxed[0].get("tax"), None);
    // Without a date of its own, that of the first report.
    let undated = facts(&invoice(json!({"status_transitions": null})), None);
    assert_eq!(undated[0]["at"], STORED_AT);
    let eur = facts(&invoice(json!({"currency": "eur"})), None);
    assert_eq!(
        (&eur[0]["flag"], &eur[0]["currency"]),
        (&json!("wrong_currency"), &json!("eur"))
    );
    for (status, word) in [
        ("void", json!("void")),
        ("uncollectible", json!("void")),
        ("open", Value::Null),
        ("draft", Value::Null),
    ] {
        let told = facts(&invoice(json!({"status": status})), None);
        assert_eq!(
            told.first()
                .map_or(Value::Null, |fact| fact["status"].clone()),
            word,
            "{status}"
        );
    }
    assert!(matches!(
        reading(&invoice(json!({"status": "something_new"})), None),
        Reading::Unclear(_)
    ));
    // The references lead from all that later events may name.
    let refs = |more: Value| said(&invoice(more), None).refs;
    let new = refs(json!({
        "parent": {"subscription_details": {"subscription": "sub_1"}},
        "payments": {"data": [{"payment": {"payment_intent": "pi_1"}}]},
    }));
    let old = refs(json!({"subscription": "sub_1", "payment_intent": "pi_1", "charge": "ch_1"}));
    let pairs = |refs: Vec<super::super::report::PaymentRef>| {
        refs.into_iter()
            .map(|own| (own.id, own.charge))
            .collect::<Vec<_>>()
    };
    let of_invoice = |id: &str| (id.to_owned(), Some("invoice_1".to_owned()));
    let expected = vec![
        of_invoice("invoice_1"),
        ("sub_1".into(), None),
        of_invoice("pi_1"),
    ];
    assert_eq!(pairs(new), expected);
    assert_eq!(pairs(old), [expected, vec![of_invoice("ch_1")]].concat());
}

#[test]
fn a_notice_is_of_one_try_of_one_invoice() {
    let invoice = json!({
        "object": "invoice", "id": "in_1", "status": "open", "attempt_count": 2, "next_payment_attempt": 99,
        "hosted_invoice_url": "https://pay.example/in_1",
    });
    let notice = |kind: &str| {
        said(
            &StripeReport::of_event(&event(kind, &invoice)).unwrap(),
            None,
        )
        .notice
    };
    let failed = notice("invoice.payment_failed").unwrap();
    assert_eq!(
        (failed.invoice.as_str(), failed.attempt, failed.needs_action),
        ("in_1", 2, false)
    );
    assert_eq!(
        (failed.page.as_deref(), failed.next_at),
        (Some("https://pay.example/in_1"), Some(99))
    );
    assert!(
        notice("invoice.payment_action_required")
            .unwrap()
            .needs_action
    );
    assert_eq!(notice("invoice.updated"), None);
}

#[test]
fn a_session_of_another_attempt_closes_nothing_and_a_setup_is_nothing() {
    let session = |fields: Value| object("checkout.session", fields);
    let expired = json!({"mode": "payment", "status": "expired", "payment_status": "unpaid", "payment_intent": null});
    assert_eq!(
        facts(&session(expired.clone()), None),
        [json!({"kind": "closed", "key": "expired"})]
    );
    let mut other = expired;
    other["id"] = json!("cs_other");
    assert_eq!(facts(&session(other), None), Vec::<Value>::new());
    let setup =
        json!({"mode": "setup", "status": "complete", "payment_status": "no_payment_required"});
    assert_eq!(said(&session(setup), None), Said::default());
    let strange =
        json!({"mode": "payment", "status": "complete", "payment_status": "something_new"});
    assert!(matches!(
        reading(&session(strange), None),
        Reading::Unclear(_)
    ));
    let open =
        json!({"mode": "payment", "status": "open", "payment_status": "no_payment_required"});
    assert_eq!(facts(&session(open), None), Vec::<Value>::new());
    let taxed = json!({
        "mode": "payment", "status": "complete", "payment_status": "paid", "amount_total": 3000, "currency": "usd",
        "total_details": {"amount_tax": 479},
        "payment_intent": {"object": "payment_intent", "id": "pi_1", "latest_charge": {"id": "ch_1", "created": 5}},
    });
    assert_eq!(
        facts(&session(taxed), None),
        [json!({
            "kind": "charge", "key": "pi_1", "status": "paid", "amount": 3000, "currency": "usd", "at": 5, "tax": 479,
        })]
    );
}
