//! The rules where the stories leave room, a line each: an order, its facts, and what of the result is asserted.

use super::*;

const ONCE: &str = r#"{"orderId": "o", "provider": "stripe", "currency": "usd", "due": 3000, "seconds": 2592000, "feeBps": 300, "owner": "o1", "chats": [-1001], "autoRefund": true"#;
const CRYPTO: &str = r#"{"orderId": "o", "provider": "nowpayments", "currency": "usd", "due": 3000, "seconds": 2592000, "feeBps": 300, "owner": "o1", "chats": [-1001], "underpaidBps": 100, "overpaidBps": 100"#;
const MONTHLY: &str = r#"{"orderId": "o", "provider": "stripe", "recurring": true, "currency": "usd", "due": 3000, "price": 3000, "seconds": 2592000, "feeBps": 300, "owner": "o1", "chats": [-1001], "autoRefund": true"#;

fn terms(order: &str, more: &str) -> OrderTerms {
    serde_json::from_str(&format!("{order}{more}}}")).unwrap()
}

/// Facts in short, separated by commas: `paid <key> <amount> <at>`, `refund <charge> <amount>`, `open <charge> <amount>`, …
fn facts(short: &str) -> Vec<OrderFact> {
    let one = |(index, short): (usize, &str)| {
        let words: Vec<&str> = short.split_whitespace().collect();
        let quoted = |at: usize| format!("{:?}", words[at]);
        let number = |at: usize| words[at];
        let flag = |at: usize| {
            let flag = words.get(at).map(|flag| format!(r#", "flag": {flag:?}"#));
            flag.unwrap_or_default()
        };
        fact(&match words[0] {
            status @ ("pending" | "void" | "paid") => format!(
                r#"{{"kind": "charge", "key": {}, "status": "{status}", "amount": {}, "currency": "usd", "at": {}{}}}"#,
                quoted(1),
                number(2),
                number(3),
                flag(4),
            ),
            "coin" => format!(
                r#"{{"kind": "charge", "key": {}, "status": "paid", "amount": 0, "currency": "usd", "at": 1000, "flag": "wrong_asset", "outcome": {{"currency": "trx", "amount": {}}}}}"#,
                quoted(1),
                number(2),
            ),
            "coin-back" => format!(
                r#"{{"kind": "refund", "key": "re_{index}", "charge": {}, "status": "done", "amount": 0, "outcome": {{"currency": "trx", "amount": {}}}}}"#,
                quoted(1),
                number(2),
            ),
            refund @ ("refund" | "failed-refund" | "asked-refund") => format!(
                r#"{{"kind": "refund", "key": "re_{index}", "charge": {}, "status": "{}", "amount": {}}}"#,
                quoted(1),
                match refund {
                    "refund" => "done",
                    "failed-refund" => "failed",
                    _ => "pending",
                },
                number(2),
            ),
            status @ ("inquiry" | "open" | "lost" | "won") => format!(
                r#"{{"kind": "dispute", "key": "dp_{index}", "charge": {}, "status": "{status}", "amount": {}, "seq": 1}}"#,
                quoted(1),
                number(2),
            ),
            "closed" | "refused" | "note" => {
                format!(r#"{{"kind": {}, "key": {}}}"#, quoted(0), quoted(1))
            }
            "warning" => format!(
                r#"{{"kind": "warning", "key": "w_{index}", "charge": {}}}"#,
                quoted(1)
            ),
            "replaced" | "started" => format!(
                r#"{{"kind": {}, "key": "k_{index}", "at": {}}}"#,
                quoted(0),
                number(1),
            ),
            action @ ("accept" | "keep" | "end") => {
                let value = words.get(2).map(|value| format!(r#", "value": {value}"#));
                format!(
                    r#"{{"kind": "decision", "key": {}, "action": "{action}"{}}}"#,
                    quoted(1),
                    value.unwrap_or_default(),
                )
            }
            status @ ("active" | "ended") => {
                format!(
                    r#"{{"kind": "subscription", "key": "sub_1", "status": "{status}", "seq": {index}}}"#
                )
            }
            "fee" => format!(
                r#"{{"kind": "fee", "key": "txn_{index}", "charge": {}, "amount": {}, "currency": {}}}"#,
                quoted(1),
                number(2),
                quoted(3),
            ),
            other => panic!("{other}"),
        })
    };
    let each = short.split(", ").filter(|one| !one.is_empty());
    each.enumerate().map(one).collect()
}

/// Asserts the named fields of what the facts fold to; in the ledger, what is named and nothing else.
fn expect(order: &str, more: &str, short: &str, expected: &str) {
    let found = json(&folded(&terms(order, more), &facts(short)));
    let expected: Value = serde_json::from_str(expected).unwrap();
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&found[name], value, "`{name}` of {short:?} in {found:#}");
    }
}

#[test]
fn states_of_what_is_not_covered() {
    for (short, state, seat) in [
        ("", "OPEN", "none"),
        ("pending a 0 1000", "PENDING", "none"),
        ("pending a 0 1000, closed expired", "PENDING", "none"),
        ("void a 0 1000", "OPEN", "none"),
        ("closed expired", "EXPIRED", "none"),
        ("closed expired, closed cancelled", "CANCELLED", "none"),
        ("paid a 2000 1000", "UNDERPAID", "none"),
        ("paid a 2000 1000, pending b 0 1000", "UNDERPAID", "none"),
        ("paid a 2000 1000, refund a 2000", "REFUNDED", "none"),
        ("refused sold_out", "REFUSED", "none"),
        ("refused sold_out, paid a 3000 1000", "REFUSED", "none"),
        (
            "refused sold_out, paid a 3000 1000, refund a 3000",
            "REFUNDED",
            "none",
        ),
        ("coin a 55", "OPEN", "none"),
        ("coin a 55, closed expired", "EXPIRED", "none"),
        (
            "refund a 3000, open a 3000, fee a 10 usd, warning a",
            "OPEN",
            "none",
        ),
    ] {
        expect(
            CRYPTO,
            "",
            short,
            &format!(r#"{{"state": "{state}", "seat": "{seat}", "until": null, "grants": []}}"#),
        );
    }
}

#[test]
fn underpaid_and_overpaid() {
    for (short, expected) in [
        // Held until a person decides; a case only once nobody pays any more.
        (
            "paid a 2000 1000",
            r#"{"cases": [], "ledger": {"provider:nowpayments usd": 2000, "held usd": -2000}}"#,
        ),
        (
            "paid a 2000 1000, closed expired",
            r#"{"cases": ["underpaid#2000"]}"#,
        ),
        (
            "paid a 2969 1000, closed expired",
            r#"{"cases": ["underpaid#2969"]}"#,
        ),
        ("paid a 2970 1000", r#"{"state": "PAID", "cases": []}"#),
        // A decision covers what was seen, and more of it is too much again.
        (
            "paid a 2000 1000, accept underpaid#2000, paid b 1000 2000",
            r#"{"state": "PAID", "cases": ["overpaid#1000"], "until": 2593000}"#,
        ),
        (
            "paid a 1500 1000, accept underpaid#2000, closed expired",
            r#"{"state": "UNDERPAID", "cases": ["underpaid#1500"]}"#,
        ),
        (
            "paid a 2000 1000, closed expired, keep underpaid#2000",
            r#"{"state": "UNDERPAID", "cases": []}"#,
        ),
        ("paid a 3030 1000", r#"{"cases": [], "state": "PAID"}"#),
        (
            "paid a 3031 1000",
            r#"{"cases": ["overpaid#31"], "ledger": {"provider:nowpayments usd": 3031, "held usd": -31, "platform:fee usd": -90, "owner:o1 usd": -2910}}"#,
        ),
        (
            "paid a 3031 1000, keep overpaid#31",
            r#"{"cases": [], "state": "PAID"}"#,
        ),
        (
            "paid a 3031 1000, refund a 31",
            r#"{"cases": [], "state": "PAID", "ledger": {"provider:nowpayments usd": 3000, "platform:fee usd": -90, "owner:o1 usd": -2910}}"#,
        ),
    ] {
        expect(CRYPTO, "", short, expected);
    }
}

#[test]
fn flagged_charges_count_for_what_a_person_says() {
    for (short, expected) in [
        (
            "coin a 55",
            r#"{"cases": ["wrong_asset#a"], "ledger": {"provider:nowpayments trx": 55, "held trx": -55}}"#,
        ),
        (
            "coin a 55, coin-back a 55",
            r#"{"cases": [], "ledger": {}, "state": "OPEN"}"#,
        ),
        (
            "coin a 55, refund a 0",
            r#"{"cases": [], "ledger": {}, "state": "OPEN"}"#,
        ),
        (
            "coin a 55, coin-back a 30",
            r#"{"cases": ["wrong_asset#a"], "ledger": {"provider:nowpayments trx": 25, "held trx": -25}}"#,
        ),
        (
            "coin a 55, keep wrong_asset#a",
            r#"{"cases": [], "ledger": {"provider:nowpayments trx": 55, "held trx": -55}}"#,
        ),
        (
            "coin a 55, accept wrong_asset#a 2000, paid b 1000 5000",
            r#"{"cases": [], "state": "PAID", "until": 2597000}"#,
        ),
        (
            "paid a 3000 1000, paid b 1700 9000 late_deposit, refund b 1700",
            r#"{"cases": [], "state": "PAID", "ledger": {"provider:nowpayments usd": 3000, "platform:fee usd": -90, "owner:o1 usd": -2910}}"#,
        ),
        (
            "paid a 3000 1000, paid b 1700 9000 late_deposit, accept late_deposit#b",
            r#"{"cases": [], "state": "PAID"}"#,
        ),
        (
            "paid a 3000 1000, paid b 1700 9000 late_deposit, accept late_deposit#b 1700",
            r#"{"cases": ["overpaid#1700"], "state": "PAID"}"#,
        ),
        (
            "paid a 1000 1000, paid b 1700 9000 late_deposit, accept late_deposit#b 2000",
            r#"{"cases": [], "state": "PAID", "ledger": {"provider:nowpayments usd": 2700, "exchange:nowpayments usd": 300, "platform:fee usd": -90, "owner:o1 usd": -2910}}"#,
        ),
    ] {
        expect(CRYPTO, "", short, expected);
    }
}

#[test]
fn what_is_too_much_goes_back_the_latest_first() {
    for (short, refunds, cases) in [
        (
            "paid a 3000 1, paid b 3000 2, paid c 3000 3",
            r#"[{"amount": 3000, "charge": "c"}, {"amount": 3000, "charge": "b"}]"#,
            "[]",
        ),
        (
            "paid a 2000 1, paid b 3000 2",
            r#"[{"amount": 2000, "charge": "a"}]"#,
            "[]",
        ),
        (
            "paid a 3000 1, paid b 3000 2, refund b 1000",
            r#"[{"amount": 2000, "charge": "b"}]"#,
            "[]",
        ),
        (
            "paid a 3000 1, paid b 3000 2, asked-refund b 3000",
            "[]",
            "[]",
        ),
        (
            "paid a 3000 1, paid b 3000 2, open b 1000",
            "[]",
            r#"["dispute#dp_2", "overpaid#2000"]"#,
        ),
        ("paid a 5000 1", "[]", r#"["overpaid#2000"]"#),
        (
            "paid a 3000 1, refused sold_out, failed-refund a 3000",
            "[]",
            r#"["refund_by_hand#3000", "refund_failed#re_2"]"#,
        ),
    ] {
        expect(
            ONCE,
            "",
            short,
            &format!(r#"{{"refunds": {refunds}, "cases": {cases}}}"#),
        );
    }
}

#[test]
fn disputes_of_what_is_paid_once() {
    for (short, expected) in [
        (
            "paid a 3000 1000, open a 3000",
            r#"{"state": "DISPUTED", "seat": "suspended", "until": 2593000, "cases": ["dispute#dp_1"], "ledger": {}}"#,
        ),
        (
            "paid a 3000 1000, lost a 3000",
            r#"{"state": "LOST", "seat": "ended", "until": null, "grants": [], "cases": [], "ledger": {}}"#,
        ),
        (
            "paid a 3000 1000, inquiry a 3000",
            r#"{"state": "PAID", "seat": "active", "cases": ["inquiry#dp_1"]}"#,
        ),
        // What is left still covers the price.
        (
            "paid a 3000 1000, paid b 3000 2000, lost b 3000",
            r#"{"state": "PAID", "seat": "active", "refunds": []}"#,
        ),
        (
            "paid a 3000 1000, paid b 3000 2000, open a 3000",
            r#"{"state": "PAID", "seat": "active", "refunds": [], "cases": ["dispute#dp_2"]}"#,
        ),
        // Two disputes of two charges.
        (
            "paid a 3000 1000, paid b 3000 2000, lost a 3000, open b 3000",
            r#"{"state": "LOST", "seat": "ended"}"#,
        ),
        // The loss is the owner's.
        (
            "paid a 3000 1000, refund a 3000, lost a 3000",
            r#"{"state": "LOST", "cases": ["over_refunded#3000"], "ledger": {"provider:stripe usd": -3000, "owner:o1 usd": 3000}}"#,
        ),
        (
            "paid a 3000 1000, refund a 5000",
            r#"{"state": "REFUNDED", "seat": "ended", "cases": ["over_refunded#2000"]}"#,
        ),
        (
            "paid a 3000 1000, warning a",
            r#"{"cases": ["fraud_warning#w_1"], "seat": "active"}"#,
        ),
        (
            "paid a 3000 1000, note already_owned",
            r#"{"cases": ["already_owned"]}"#,
        ),
        (
            "paid a 3000 1000, note already_owned, keep already_owned",
            r#"{"cases": []}"#,
        ),
    ] {
        expect(ONCE, "", short, expected);
    }
}

#[test]
fn subscriptions() {
    for (short, expected) in [
        (
            "paid a 3000 1000",
            r#"{"renews": "unknown", "cancelSubscription": false}"#,
        ),
        (
            "replaced 5000",
            r#"{"state": "OPEN", "cancelSubscription": true}"#,
        ),
        ("replaced 5000, ended", r#"{"cancelSubscription": false}"#),
        (
            "paid a 3000 1000, open a 3000",
            r#"{"state": "DISPUTED", "cancelSubscription": true, "seat": "suspended", "until": 2593000}"#,
        ),
        (
            "paid a 3000 1000, won a 3000, active",
            r#"{"state": "PAID", "cancelSubscription": true}"#,
        ),
        (
            "paid a 3000 1000, inquiry a 3000",
            r#"{"cancelSubscription": false}"#,
        ),
        (
            "paid a 3000 1000, paid b 3000 2600000, refund a 3000",
            r#"{"cancelSubscription": false, "state": "PARTLY_REFUNDED"}"#,
        ),
        (
            "paid a 3000 1000, paid b 3000 2600000, refund b 1000",
            r#"{"cancelSubscription": false, "state": "PARTLY_REFUNDED", "cases": ["partial_refund#b#2000"], "until": 5192000}"#,
        ),
        (
            "paid a 3000 1000, paid b 3000 2600000, end partial_refund#b#2000, refund b 1000",
            r#"{"grants": [], "seat": "ended", "until": null, "cases": []}"#,
        ),
        (
            "paid a 3000 1000, paid b 2500 2600000",
            r#"{"cases": ["amount_differs#b"], "state": "PAID"}"#,
        ),
        (
            "paid a 3000 1000, paid b 3000 2600000, replaced 3000000",
            r#"{"seat": "ended", "until": 3000000}"#,
        ),
        (
            "paid a 3000 1000, paid b 3000 2000, refused sold_out",
            r#"{"state": "REFUSED", "refunds": [{"amount": 3000, "charge": "b"}, {"amount": 3000, "charge": "a"}], "cancelSubscription": true}"#,
        ),
    ] {
        expect(MONTHLY, "", short, expected);
    }
}

#[test]
fn gifts_free_orders_and_seats_for_ever() {
    let grant = |at: i64, seconds: &str| {
        format!(r#"{{"at": {at}, "end": null, "key": "once", "seconds": {seconds}}}"#)
    };
    for (more, short, at, until) in [
        (
            r#", "gift": true"#,
            "paid a 3000 1000",
            2_593_000,
            "5185000",
        ),
        (
            r#", "gift": true"#,
            "paid a 3000 1000, started 500000",
            500_000,
            "3092000",
        ),
        (
            r#", "gift": true"#,
            "paid a 3000 1000, started 9000000",
            2_593_000,
            "5185000",
        ),
        ("", "paid a 3000 1000, started 500000", 1000, "2593000"),
    ] {
        let grant = grant(at, "2592000");
        expect(
            ONCE,
            more,
            short,
            &format!(r#"{{"grants": [{grant}], "until": {until}, "seat": "active"}}"#),
        );
    }
    let forever = ONCE.replace("2592000", "null");
    let expected = format!(
        r#"{{"grants": [{}], "until": null, "seat": "active"}}"#,
        grant(1000, "null")
    );
    expect(&forever, "", "paid a 3000 1000", &expected);
    expect(
        &forever,
        "",
        "paid a 3000 1000, replaced 7000",
        r#"{"until": 7000, "seat": "ended"}"#,
    );
    let free = ONCE.replace("3000", "0");
    expect(
        &free,
        "",
        "paid free_o 0 1000",
        r#"{"state": "PAID", "seat": "active", "until": 2593000, "ledger": {}}"#,
    );
    expect(&free, "", "", r#"{"state": "OPEN", "seat": "none"}"#);
}

#[test]
fn commissions_end_and_fees_keep_their_currency() {
    let affiliate = r#", "affiliate": "a7", "commissionBps": 2000, "renewalCommissionBps": 1000, "commissionUntil": 1000"#;
    expect(
        ONCE,
        affiliate,
        "paid a 3000 1000, fee a 40 eur",
        r#"{"ledger": {"provider:stripe usd": 3000, "platform:fee usd": -90, "affiliate:a7 usd": -600, "owner:o1 usd": -2310, "provider:stripe eur": -40, "owner:o1 eur": 40}}"#,
    );
    expect(
        ONCE,
        affiliate,
        "paid a 3000 1001",
        r#"{"ledger": {"provider:stripe usd": 3000, "platform:fee usd": -90, "owner:o1 usd": -2910}}"#,
    );
    expect(
        MONTHLY,
        affiliate,
        "paid a 3000 1000, paid b 3000 2000",
        r#"{"ledger": {"provider:stripe usd": 6000, "platform:fee usd": -180, "affiliate:a7 usd": -600, "owner:o1 usd": -5220}}"#,
    );
}
