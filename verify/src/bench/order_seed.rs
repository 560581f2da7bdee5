//! Orders, and pages of orders, made ready.

use std::time::Duration;

use anyhow::Context as _;
use domain::id::OrderId;
use domain::order::fold::OrderState;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use local::env::env_of;
use runtime::clock::Clock;
use serde_json::Value;
use store::{OrderPage, Orders};

use super::fixture::Fixture;
use super::payload;

/// How many are made at once.
const AT_ONCE: usize = 16;
/// Longest call.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Pages of orders, written as settlement writes them.
pub(crate) async fn pages(fixture: &Fixture, count: usize) -> anyhow::Result<Vec<OrderId>> {
    let store = &Orders::from_env(fixture.shared.dynamodb(), &mut env_of(&fixture.env));
    let pay_until = Clock::real().now().plus(Duration::from_secs(24 * 3600));
    let page = &OrderPage {
        state: OrderState::Open,
        title: "Premium Club".to_owned(),
        provider: "stripe".to_owned(),
        currency: "usd".to_owned(),
        due: 3000,
        missing: None,
        pay_url: Some("https://checkout.example/c/pay/cs_test".to_owned()),
        pay_until,
        is_test: true,
        is_gift: false,
        requests: Vec::new(),
        version: 1,
        revision: 1,
    };
    stream::iter(0..count)
        .map(|_| async move {
            let id = OrderId::from_random(fastrand::u128(..).to_be_bytes());
            store.show(id, page, false).await?;
            anyhow::Ok(id)
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// Orders by card, whose pages are not shown yet.
pub(crate) async fn orders(fixture: &Fixture, count: usize) -> anyhow::Result<Vec<OrderId>> {
    let http = &runtime::http::client(TIMEOUT).map_err(anyhow::Error::msg)?;
    let url = &format!("{}/v1/checkout", fixture.url);
    let first = fixture.people(u64::try_from(count)?);
    stream::iter(first..first + u64::try_from(count)?)
        .map(|number| async move {
            let call = http
                .post(url)
                .header("x-api-key", fixture.value("API_KEYS"))
                .body(payload::checkout(&format!("seed-{number}")));
            let answer = call.send().await?.error_for_status()?.bytes().await?;
            let made: Value = serde_json::from_slice(&answer)?;
            let id = made["orderId"].as_str().context("no order")?;
            let id: Result<OrderId, _> = id.parse();
            id.map_err(|_| anyhow::anyhow!("no id of an order: {made}"))
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}
