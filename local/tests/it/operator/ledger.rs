//! The books as operators read and export them, and the closing of their days.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::order::record::Order;
use local::harness::{HOUR, TestStack};
use serde_json::{Value, json};
use simulators::aws::{FaultRule, Service, WireFault};

use super::orders::{opened, ordered, paid, returned, user};
use super::quiet;

pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

/// An order of 30 USD that is paid, and booked.
pub(super) async fn sold(stack: &TestStack, buyer: &str) -> Order {
    let order = ordered(
        stack,
        user(buyer),
        opened(),
        vec![paid(&format!("pi_{buyer}"))],
    )
    .await;
    settle(stack, &order).await;
    order
}

/// Has settlement do what is pending of an order.
pub(super) async fn settle(stack: &TestStack, order: &Order) {
    let path = format!("orders/{}/recheck", order.id);
    stack.operator().post(&path, &json!({})).await.done();
    stack.run_until_idle().await;
}

pub(super) async fn trial(stack: &TestStack) -> Value {
    stack.operator().get("ledger/accounts").await.done()
}

pub(super) fn balances(trial: &Value) -> BTreeMap<String, i64> {
    let accounts = trial["accounts"].as_array().unwrap().iter();
    accounts
        .map(|account| {
            let name = account["account"].as_str().unwrap().to_owned();
            (name, account["balance"].as_i64().unwrap())
        })
        .collect()
}

/// What stands on the accounts after so many sales.
fn books(sales: i64) -> BTreeMap<String, i64> {
    let of_one = [
        ("owner:o1", -2910),
        ("platform:fee", -90),
        ("provider:stripe", 3000),
    ];
    of_one
        .map(|(name, amount)| (name.to_owned(), amount * sales))
        .into()
}

fn today(stack: &TestStack) -> String {
    let now = domain::time::Timestamp::from_ms(stack.clock.now_ms());
    now.to_string()[..10].to_owned()
}

/// The text of an export, and where the next page is.
async fn export(stack: &TestStack, query: &str) -> (u16, String, Option<String>) {
    let url = format!("{}/v1/admin/ledger/transactions?{query}", stack.local.url);
    let client = runtime::http::client(Duration::from_secs(30)).unwrap();
    let call = client.get(url);
    let answer = call.header("x-admin-key", stack.local.admin_key()).send();
    let answer = answer.await.unwrap();
    let next = answer.headers().get("link").map(|link| {
        let link = link.to_str().unwrap();
        let next = link.strip_prefix("<?").unwrap();
        next.strip_suffix(">; rel=\"next\"").unwrap().to_owned()
    });
    (answer.status().as_u16(), answer.text().await.unwrap(), next)
}

/// All lines of a day's export.
async fn exported(stack: &TestStack, query: &str) -> Vec<String> {
    let (mut lines, mut next) = (Vec::new(), Some(query.to_owned()));
    while let Some(query) = next {
        let (status, text, more) = export(stack, &query).await;
        assert_eq!(status, 200, "{text}");
        lines.extend(text.lines().map(str::to_owned));
        next = more;
    }
    lines
}

pub(super) async fn swept(stack: &TestStack) -> u64 {
    let swept = stack.functions().sweep().await;
    assert_eq!(swept["failed"], 0, "{swept}");
    swept["closedDays"].as_u64().unwrap_or(0)
}

/// Advances the clock to an hour and a minute into the next day.
pub(super) async fn next_day(stack: &TestStack) {
    let into = stack
        .clock
        .now_ms()
        .rem_euclid(24 * 3600 * 1000)
        .unsigned_abs();
    let left = DAY - Duration::from_millis(into);
    stack
        .advance_when_idle(left + HOUR + Duration::from_secs(60))
        .await;
    stack.run_until_idle().await;
}

#[tokio::test]
async fn what_was_booked_on_a_day_is_exported_by_line_and_adds_up() {
    let stack = quiet(&[]).await;
    let day = today(&stack);
    let order = sold(&stack, "alice").await;
    sold(&stack, "bob").await;
    let lines = exported(&stack, &format!("day={day}")).await;
    assert_eq!(lines.len(), 2, "{lines:?}");
    let id = order.id.to_string();
    let of_alice = lines.iter().find(|line| line.contains(&id)).unwrap();
    let of_alice: Value = serde_json::from_str(of_alice).unwrap();
    assert_eq!(of_alice["day"], json!(day));
    let transaction = of_alice["transaction"].as_str().unwrap();
    assert!(transaction.starts_with(&format!("{id}#")), "{of_alice}");
    let owed = json!({"account": "owner:o1", "currency": "usd", "amount": -2910});
    assert!(
        of_alice["entries"].as_array().unwrap().contains(&owed),
        "{of_alice}"
    );
    let csv = exported(&stack, &format!("day={day}&format=csv")).await;
    assert_eq!(csv[0], "day,transaction,at,account,currency,amount");
    assert_eq!(csv.len(), 1 + 6);
    let amounts = csv[1..].iter().map(|row| row.rsplit(',').next().unwrap());
    assert_eq!(
        amounts
            .map(|amount| amount.parse::<i64>().unwrap())
            .sum::<i64>(),
        0
    );
    let trial = trial(&stack).await;
    assert_eq!(balances(&trial), books(2));
    assert_eq!(
        (&trial["sums"], &trial["isBalanced"]),
        (&json!({"usd": 0}), &json!(true))
    );
    for query in [
        "",
        "day=2026-02-30",
        "day=2026-02-03&format=xml",
        "day=2026-02-03&after=9%23x",
        "day=2026-02-03&shard=1",
    ] {
        assert_eq!(export(&stack, query).await.0, 400, "{query}");
    }
}

#[tokio::test]
async fn a_long_day_is_exported_in_pages_each_transaction_once() {
    let stack = quiet(&[]).await;
    let day = today(&stack);
    for number in 0..1_103 {
        let put = stack.dynamodb().put_item().table_name("Ledger");
        put.item("day", AttributeValue::S(format!("{day}#{}", number % 3)))
            .item("transaction", AttributeValue::S(format!("o{number:05}#1")))
            .item("at", AttributeValue::S(format!("{day}T00:00:00.000Z")))
            .item("entries", AttributeValue::S(r#"[{"account":"held","currency":"usd","amount":1},{"account":"tax","currency":"usd","amount":-1}]"#.to_owned()))
            .send()
            .await
            .unwrap();
    }
    let mut ids: Vec<String> = exported(&stack, &format!("day={day}"))
        .await
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["transaction"].to_string())
        .collect();
    assert_eq!(ids.len(), 1_103);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 1_103);
    assert_eq!(
        exported(&stack, &format!("day={day}&format=csv"))
            .await
            .len(),
        1 + 2 * 1_103
    );
    assert_eq!(balances(&trial(&stack).await)["held"], 1_103);
}

#[tokio::test]
async fn days_are_closed_once_and_balances_are_the_close_and_what_came_since() {
    let stack = quiet(&[]).await;
    let first = today(&stack);
    sold(&stack, "alice").await;
    next_day(&stack).await;
    sold(&stack, "bob").await;
    let before = trial(&stack).await;
    // Two runners at once, and a third after them.
    let (one, other) = tokio::join!(swept(&stack), swept(&stack));
    assert!(one > 0 && other > 0, "{one} {other}");
    assert_eq!(swept(&stack).await, 0);
    let closed = trial(&stack).await;
    assert_eq!(closed["closedDay"], json!(first));
    assert_eq!(closed["accounts"], before["accounts"]);
    assert_eq!(balances(&closed), books(2));
    // What is closed is not read again: who changes it by hand is not heard.
    next_day(&stack).await;
    next_day(&stack).await;
    assert_eq!(swept(&stack).await, 2);
    assert_eq!(balances(&trial(&stack).await), books(2));
}

#[tokio::test]
async fn a_day_waits_for_what_is_still_to_be_booked_of_it() {
    let stack = quiet(&[]).await;
    let first = today(&stack);
    sold(&stack, "alice").await;
    let late = ordered(&stack, user("bob"), opened(), vec![paid("pi_bob")]).await;
    // Nothing can be booked.
    let rule = FaultRule::new(WireFault::InternalError)
        .on(Service::DynamoDb, "TransactWriteItems")
        .always();
    stack.aws().wire().fail(rule);
    next_day(&stack).await;
    swept_but_for(&stack, &first).await;
    stack.run_until_idle().await;
    swept_but_for(&stack, &first).await;
    stack.aws().wire().clear_faults();
    settle(&stack, &late).await;
    assert!(swept(&stack).await > 0);
    let closed = trial(&stack).await;
    assert_eq!(
        (&closed["closedDay"], balances(&closed)),
        (&json!(first), books(2))
    );
    // A later refund is of its own day: the closed one stays as it is.
    let day = exported(&stack, &format!("day={first}")).await;
    let orders = super::orders::table(&stack);
    let stored = orders.get(late.id).await.unwrap().unwrap();
    let now = domain::time::Timestamp::from_ms(stack.clock.now_ms());
    let hold = domain::order::record::PayoutHold(DAY);
    let back = stored.learn([returned("re_1", "pi_bob", 3000)], now, hold);
    orders
        .write(&back.unwrap().unwrap())
        .await
        .unwrap()
        .unwrap();
    settle(&stack, &late).await;
    assert_eq!(exported(&stack, &format!("day={first}")).await, day);
    assert_eq!(balances(&trial(&stack).await), books(1));
}

/// Sweeps, and finds that a day stays open.
async fn swept_but_for(stack: &TestStack, day: &str) {
    let _ = swept(stack).await;
    let closed = trial(stack).await["closedDay"].as_str().unwrap().to_owned();
    assert!(closed.as_str() < day, "{closed}");
}

#[tokio::test]
async fn a_day_whose_books_do_not_sum_to_zero_stays_open_and_says_so() {
    let stack = quiet(&[]).await;
    let day = today(&stack);
    sold(&stack, "alice").await;
    let put = stack.dynamodb().put_item().table_name("Ledger");
    put.item("day", AttributeValue::S(format!("{day}#0")))
        .item("transaction", AttributeValue::S("by hand".to_owned()))
        .item("at", AttributeValue::S(format!("{day}T00:00:00.000Z")))
        .item(
            "entries",
            AttributeValue::S(r#"[{"account":"held","currency":"usd","amount":7}]"#.to_owned()),
        )
        .send()
        .await
        .unwrap();
    next_day(&stack).await;
    swept_but_for(&stack, &day).await;
    let trial = trial(&stack).await;
    assert_eq!(
        (&trial["sums"], &trial["isBalanced"]),
        (&json!({"usd": 7}), &json!(false))
    );
}
