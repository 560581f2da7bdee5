//! Payouts by hand: what payees are due is gathered once, approved, paid and booked, whatever dies and whatever runs beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use local::harness::{HOUR, TestStack};
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};

use super::ledger::{DAY, balances, next_day, sold, swept, trial};
use super::orders::{returned, table};
use super::quiet;

/// What one sale of 30 USD leaves to its owner.
const SHARE: i64 = 2910;
const PLACE: &str = "payees/owner:o1/usd";

/// A stack whose owner has an address that may be paid to, and so many sales that are available.
async fn due(sales: usize) -> TestStack {
    let stack = quiet(&[("SAFE_RPS_SLEEP_MS", "34")]).await;
    account(&stack, "DE89 3704", json!(1), None).await;
    for number in 0..sales {
        sold(&stack, &format!("u{number}")).await;
    }
    later(&stack, 8 * DAY).await;
    stack
}

async fn later(stack: &TestStack, by: Duration) {
    stack.advance_when_idle(by).await;
    stack.run_until_idle().await;
}

async fn account(stack: &TestStack, address: &str, threshold: Value, max: Option<i64>) -> Value {
    let body = json!({"address": address, "threshold": threshold, "max": max});
    stack.operator().put(PLACE, &body).await.done()["account"].clone()
}

async fn gathered(stack: &TestStack) -> Value {
    let body = json!({"payee": "owner:o1", "currency": "usd"});
    stack.operator().post("payouts", &body).await.done()["payout"].clone()
}

async fn said(stack: &TestStack, payout: &Value, what: &str, body: Value) -> Value {
    let id = payout["payoutId"].as_str().unwrap();
    let path = format!("payouts/{id}/{what}");
    stack.operator().post(&path, &body).await.done()["payout"].clone()
}

async fn refused(stack: &TestStack, path: &str, body: Value) {
    let refused = stack.operator().post(path, &body).await;
    assert_eq!(
        refused.refusal(),
        (409, "payout_refused"),
        "{path}: {}",
        refused.body
    );
}

/// The rows of the owner, by where they stand.
async fn rows(stack: &TestStack) -> BTreeMap<String, i64> {
    let call = stack.dynamodb().query().table_name("Payables");
    let found = call
        .key_condition_expression("payee = :payee")
        .expression_attribute_values(":payee", AttributeValue::S("owner:o1#usd".to_owned()))
        .send()
        .await
        .unwrap();
    let rows = found.items.unwrap_or_default();
    let mut transactions = BTreeSet::new();
    rows.iter()
        .map(|item| {
            let row = item["row"].as_s().unwrap().clone();
            let (_, transaction) = row.split_once('#').unwrap();
            assert!(
                transactions.insert(transaction.to_owned()),
                "{row} stands twice"
            );
            (row, item["amount"].as_s().unwrap().parse().unwrap())
        })
        .collect()
}

/// What the rows at a place add up to.
async fn sum(stack: &TestStack, place: &str) -> i64 {
    let place = format!("{place}#");
    let rows = rows(stack).await;
    rows.iter()
        .filter(|(row, _)| row.starts_with(&place))
        .map(|(_, amount)| amount)
        .sum()
}

/// The books of so many sales, of which so much is on its way out, and out.
async fn assert_books(stack: &TestStack, sales: i64, payout: &Value, (way, out): (i64, i64)) {
    let trial = trial(stack).await;
    assert_eq!(trial["isBalanced"], true, "{trial}");
    let id = payout["payoutId"].as_str().unwrap();
    let expected = [
        ("provider:stripe".to_owned(), 3000 * sales),
        ("platform:fee".to_owned(), -90 * sales),
        ("owner:o1".to_owned(), way + out - SHARE * sales),
        (format!("payout:{id}"), -way),
        ("bank".to_owned(), -out),
    ];
    let expected: BTreeMap<String, i64> = expected
        .into_iter()
        .filter(|(_, amount)| *amount != 0)
        .collect();
    assert_eq!(balances(&trial), expected);
}

#[tokio::test]
async fn what_an_owner_is_due_is_gathered_approved_and_paid_once() {
    let stack = due(3).await;
    let payout = gathered(&stack).await;
    assert_eq!(
        (
            &payout["state"],
            &payout["total"],
            &payout["rows"],
            &payout["address"]
        ),
        (
            &json!("CLOSED"),
            &json!(3 * SHARE),
            &json!(3),
            &json!("DE89 3704")
        )
    );
    let id = payout["payoutId"].as_str().unwrap().to_owned();
    assert_eq!(
        (sum(&stack, &id).await, sum(&stack, "open").await),
        (3 * SHARE, 0)
    );
    assert_books(&stack, 3, &payout, (3 * SHARE, 0)).await;
    // Not before it is approved.
    let paying = json!({"reference": "SEPA 77"});
    refused(&stack, &format!("payouts/{id}/paid"), paying.clone()).await;
    // What is sold meanwhile is of the next one.
    sold(&stack, "late").await;
    assert_eq!(gathered(&stack).await, payout);
    let listed = stack.operator().get("payouts?state=CLOSED").await.done();
    assert_eq!(listed["payouts"], json!([payout]));

    let approved = said(&stack, &payout, "approve", json!({})).await;
    assert_eq!(
        (&approved["state"], &approved["approvedBy"].is_string()),
        (&json!("APPROVED"), &true)
    );
    assert_eq!(said(&stack, &payout, "approve", json!({})).await, approved);
    let paid = said(&stack, &payout, "paid", paying.clone()).await;
    assert_eq!(
        (&paid["state"], &paid["reference"]),
        (&json!("PAID"), &json!("SEPA 77"))
    );
    assert_eq!(said(&stack, &payout, "paid", paying).await, paid);
    refused(
        &stack,
        &format!("payouts/{id}/paid"),
        json!({"reference": "SEPA 78"}),
    )
    .await;
    refused(
        &stack,
        &format!("payouts/{id}/failed"),
        json!({"reason": "no"}),
    )
    .await;
    refused(&stack, &format!("payouts/{id}/approve"), json!({})).await;
    assert_eq!(sum(&stack, &id).await, 3 * SHARE);
    assert_books(&stack, 4, &payout, (0, 3 * SHARE)).await;
    let listed = stack.operator().get("payouts?state=PAID").await.done();
    assert_eq!(listed["payouts"], json!([paid]));

    // The next one has what was sold since, once that is available.
    refused(
        &stack,
        "payouts",
        json!({"payee": "owner:o1", "currency": "usd"}),
    )
    .await;
    later(&stack, 8 * DAY).await;
    let next = gathered(&stack).await;
    assert_ne!(next["payoutId"], payout["payoutId"]);
    assert_eq!((&next["total"], &next["rows"]), (&json!(SHARE), &json!(1)));
    // The books close with payouts in them.
    next_day(&stack).await;
    assert!(swept(&stack).await > 0);
    assert_eq!(trial(&stack).await["isBalanced"], true);
}

#[tokio::test]
async fn what_is_not_available_or_too_little_waits_and_what_was_returned_is_taken_off() {
    let stack = quiet(&[]).await;
    let order = sold(&stack, "alice").await;
    let asking = json!({"payee": "owner:o1", "currency": "usd"});
    let unknown = stack.operator().post("payouts", &asking).await;
    assert_eq!(unknown.refusal(), (404, "not_found"));
    account(&stack, "DE1", json!("3000"), None).await;
    later(&stack, 2 * DAY).await;
    refused(&stack, "payouts", asking.clone()).await;
    later(&stack, 6 * DAY).await;
    // One sale is below the threshold.
    refused(&stack, "payouts", asking.clone()).await;
    account(&stack, "DE1", json!(1), None).await;
    sold(&stack, "bob").await;
    // It was returned today, and is not waited for.
    let orders = table(&stack);
    let stored = orders.get(order.id).await.unwrap().unwrap();
    let now = domain::time::Timestamp::from_ms(stack.clock.now_ms());
    let hold = domain::order::record::PayoutHold(7 * DAY);
    let back = stored.learn([returned("re_1", "pi_alice", 3000)], now, hold);
    orders
        .write(&back.unwrap().unwrap())
        .await
        .unwrap()
        .unwrap();
    super::ledger::settle(&stack, &order).await;
    assert_eq!(rows(&stack).await.len(), 3);
    refused(&stack, "payouts", asking).await;
    later(&stack, 8 * DAY).await;
    let payout = gathered(&stack).await;
    assert_eq!(
        (&payout["total"], &payout["rows"]),
        (&json!(SHARE), &json!(3))
    );
    assert_books(&stack, 1, &payout, (SHARE, 0)).await;
}

#[tokio::test]
async fn a_payout_has_no_more_than_its_bound_and_there_is_one_a_day() {
    let stack = due(3).await;
    account(&stack, "DE89 3704", json!(1), Some(2 * SHARE + 1)).await;
    let payout = gathered(&stack).await;
    assert_eq!(payout["total"], json!(2 * SHARE));
    said(&stack, &payout, "approve", json!({})).await;
    said(&stack, &payout, "paid", json!({"reference": "1"})).await;
    refused(
        &stack,
        "payouts",
        json!({"payee": "owner:o1", "currency": "usd"}),
    )
    .await;
    later(&stack, DAY).await;
    assert_eq!(gathered(&stack).await["total"], json!(SHARE));
}

#[tokio::test]
async fn runners_at_once_and_sales_meanwhile_make_one_payout_of_each_row() {
    let stack = due(60).await;
    let body = json!({"payee": "owner:o1", "currency": "usd"});
    let operator = stack.operator();
    let calls = (0..4).map(|_| operator.post("payouts", &body));
    let (answers, _) = tokio::join!(futures_util::future::join_all(calls), sold(&stack, "late"));
    for answer in answers {
        // One that was never first is told to come again.
        assert!([200, 503].contains(&answer.status), "{}", answer.body);
    }
    let payout = gathered(&stack).await;
    let id = payout["payoutId"].as_str().unwrap();
    assert_eq!(
        (&payout["state"], &payout["total"]),
        (&json!("CLOSED"), &json!(60 * SHARE))
    );
    assert_eq!(
        (sum(&stack, id).await, sum(&stack, "open").await),
        (60 * SHARE, SHARE)
    );
    assert_books(&stack, 61, &payout, (60 * SHARE, 0)).await;
}

#[tokio::test]
async fn a_death_at_any_call_leaves_a_payout_that_goes_on() {
    let stack = due(60).await;
    let operator = stack.operator();
    let asking = json!({"payee": "owner:o1", "currency": "usd"});
    for fault in [WireFault::ResetBefore, WireFault::ResetAfter] {
        // Begin, two moves, close, sum; approve; fail, two moves, end: each dies once, however often the client tries.
        for call in 0..5 {
            let rule = FaultRule::new(fault).on(Service::DynamoDb, "TransactWriteItems");
            stack.aws().wire().fail(rule.skip(call).times(8));
            let _ = operator.post("payouts", &asking).await;
            stack.aws().wire().clear_faults();
        }
        let payout = gathered(&stack).await;
        let id = payout["payoutId"].as_str().unwrap();
        assert_eq!(
            (&payout["state"], &payout["total"]),
            (&json!("CLOSED"), &json!(60 * SHARE))
        );
        assert_books(&stack, 60, &payout, (60 * SHARE, 0)).await;
        for (what, body, calls) in [
            ("approve", json!({}), 1),
            ("failed", json!({"reason": "the bank is closed"}), 4),
        ] {
            for call in 0..calls {
                let rule = FaultRule::new(fault).on(Service::DynamoDb, "TransactWriteItems");
                stack.aws().wire().fail(rule.skip(call).times(8));
                let _ = operator.post(&format!("payouts/{id}/{what}"), &body).await;
                stack.aws().wire().clear_faults();
            }
            said(&stack, &payout, what, body).await;
        }
        let ended = operator.get(&format!("payouts/{id}")).await.done();
        assert_eq!(ended["payout"]["state"], "FAILED", "{ended}");
        assert_eq!(
            (sum(&stack, id).await, sum(&stack, "open").await),
            (0, 60 * SHARE)
        );
        assert_books(&stack, 60, &payout, (0, 0)).await;
        later(&stack, DAY).await;
    }
    assert_eq!(rows(&stack).await.len(), 60);
}

#[tokio::test]
async fn an_address_that_changes_waits_a_day_and_frees_what_was_not_approved() {
    let stack = due(1).await;
    let payout = gathered(&stack).await;
    let id = payout["payoutId"].as_str().unwrap();
    let changed = account(&stack, "GB2", json!(1), None).await;
    assert_eq!(changed["payoutId"], Value::Null, "{changed}");
    assert_eq!(
        (sum(&stack, id).await, sum(&stack, "open").await),
        (0, SHARE)
    );
    refused(&stack, &format!("payouts/{id}/approve"), json!({})).await;
    assert_books(&stack, 1, &payout, (0, 0)).await;
    later(&stack, 23 * HOUR).await;
    refused(
        &stack,
        "payouts",
        json!({"payee": "owner:o1", "currency": "usd"}),
    )
    .await;
    later(&stack, 2 * HOUR).await;
    let next = gathered(&stack).await;
    assert_eq!(
        (&next["address"], &next["total"]),
        (&json!("GB2"), &json!(SHARE))
    );
    // Somebody may be paying it at this moment.
    said(&stack, &next, "approve", json!({})).await;
    let body = json!({"address": "FR3", "threshold": 1});
    let refusal = stack.operator().put(PLACE, &body).await;
    assert_eq!(refusal.refusal(), (409, "payout_refused"));
    said(
        &stack,
        &next,
        "failed",
        json!({"reason": "returned by the bank"}),
    )
    .await;
    assert_eq!(
        account(&stack, "FR3", json!(1), None).await["address"],
        "FR3"
    );
    assert_eq!(sum(&stack, "open").await, SHARE);
}

/// A list of payouts as a file.
async fn listed(stack: &TestStack, query: &str) -> (u16, String) {
    let url = format!("{}/v1/admin/payouts?{query}", stack.local.url);
    let client = runtime::http::client(Duration::from_secs(30)).unwrap();
    let call = client.get(url);
    let call = call.header("x-admin-key", stack.local.admin_key());
    let answer = call.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn payouts_are_listed_for_a_bank_and_no_address_is_a_formula() {
    let stack = due(2).await;
    account(&stack, "=HYPERLINK(\"x\");+1", json!(1), None).await;
    later(&stack, 2 * DAY).await;
    let payout = gathered(&stack).await;
    let id = payout["payoutId"].as_str().unwrap();
    said(&stack, &payout, "approve", json!({})).await;
    let begun = payout["begunAt"].as_str().unwrap();
    let head = "payoutId,state,payee,currency,amount,address,begunAt,reference\r\n";
    let line =
        format!("{id},APPROVED,owner:o1,usd,58.20,\"'=HYPERLINK(\"\"x\"\");'+1\",{begun},\r\n");
    let all = "state=APPROVED&format=csv";
    let expected = (200, format!("{head}{line}"));
    assert_eq!(listed(&stack, all).await, expected);
    let day = &begun[..10];
    assert_eq!(listed(&stack, &format!("{all}&day={day}")).await, expected);
    let none = (200, head.to_owned());
    assert_eq!(listed(&stack, &format!("{all}&day=2026-01-01")).await, none);
    assert_eq!(listed(&stack, "state=CLOSED&format=csv").await, none);
    for wrong in ["format=csv", "state=PAID&format=csv&day=x"] {
        assert_eq!(listed(&stack, wrong).await.0, 400, "{wrong}");
    }
    let wrong = "payouts?state=PAID&format=xml";
    let refused = stack.operator().get(wrong).await;
    assert_eq!(refused.refusal(), (400, "invalid_query"));
}

#[tokio::test]
async fn what_is_no_account_or_payout_is_refused_and_says_why() {
    let stack = quiet(&[]).await;
    let operator = stack.operator();
    let right = json!({"address": "DE1", "threshold": 1});
    for (path, body) in [
        ("payees/held/usd", right.clone()),
        ("payees/owner:/usd", right.clone()),
        ("payees/owner:o1/USD", right.clone()),
        ("payees/owner:o1/xtR", right.clone()),
        (PLACE, json!({"address": " ", "threshold": 1})),
        (PLACE, json!({"address": "a\nb", "threshold": 1})),
        (PLACE, json!({"address": "DE1", "threshold": -1})),
        (PLACE, json!({"address": "DE1", "threshold": 1.5})),
        (PLACE, json!({"address": "DE1", "threshold": 5, "max": 4})),
        (PLACE, json!({"threshold": 1})),
    ] {
        let refused = operator.put(path, &body).await;
        assert_eq!(
            refused.refusal(),
            (400, "invalid_parameter"),
            "{path} {body}"
        );
    }
    for path in [
        "payouts",
        "payouts?state=OPEN",
        "payouts?state=PAID&after=x",
        "payees?after=",
    ] {
        let refused = operator.get(path).await;
        assert_eq!(refused.refusal(), (400, "invalid_query"), "{path}");
    }
    for path in [
        PLACE,
        "payouts/po_1",
        "payouts/po_00000000000000000000000000000000",
    ] {
        assert_eq!(
            operator.get(path).await.refusal(),
            (404, "not_found"),
            "{path}"
        );
    }
    let listed = operator.get("payees").await.done();
    assert_eq!(
        (&listed["accounts"], &listed["next"]),
        (&json!([]), &Value::Null)
    );
}
