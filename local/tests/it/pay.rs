//! The page of an order and the state of its payment: both only show what the order's page item says, to whoever asks however
//! often.

mod order_page;
mod payment_status;
mod product_page;

use domain::claim::ClaimKeys;
use domain::id::OrderId;
use domain::order::fold::OrderState;
use domain::time::Timestamp;
use http::{HeaderMap, StatusCode};
use local::harness::{HOUR, TestStack};
use reqwest::Method;
use serde_json::Value;
use simulators::aws::{Service, WireCall};
use store::{OrderPage, Orders};

const CLAIMED: (&str, &str) = ("CHAT_DELIVERY", "claim");

/// An answer as a browser gets it.
pub(crate) struct Seen {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    pub(crate) text: String,
}

impl Seen {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

pub(crate) async fn see(method: Method, url: &str, headers: &[(&str, &str)]) -> Seen {
    let client = runtime::http::client(std::time::Duration::from_secs(30)).unwrap();
    let call = client.request(method, url);
    let call = headers
        .iter()
        .fold(call, |call, (name, value)| call.header(*name, *value));
    let answer = call.send().await.unwrap();
    Seen {
        status: answer.status(),
        headers: answer.headers().clone(),
        text: answer.text().await.unwrap(),
    }
}

fn id(number: u8) -> OrderId {
    OrderId::from_random([number; 16])
}

/// The token of an order's page, by the key of the stack.
fn token(stack: &TestStack, order: OrderId) -> String {
    let keys = ClaimKeys::parse(&stack.env()["CLAIM_KEY"]).unwrap();
    keys.sign_page(order).unwrap()
}

fn page_of(stack: &TestStack, state: OrderState) -> OrderPage {
    OrderPage {
        state,
        title: "Gold club".to_owned(),
        provider: "stripe".to_owned(),
        currency: "usd".to_owned(),
        due: 3000,
        missing: (state == OrderState::Underpaid).then_some(150),
        pay_url: Some("https://pay.example/session".to_owned()),
        pay_until: Timestamp::from_ms(stack.clock.now_ms()).plus(HOUR),
        is_test: false,
        is_gift: false,
        requests: Vec::new(),
        version: 1,
        revision: 1,
    }
}

/// Writes what the page of an order shows, as `settlement` does.
async fn show(stack: &TestStack, order: OrderId, page: &OrderPage) {
    let orders = Orders::from_env(stack.dynamodb(), &mut stack.config());
    orders.show(order, page, true).await.unwrap();
}

/// The calls of the tables and queues that a test recorded, but the pollers' own.
fn of_functions(calls: Vec<WireCall>) -> Vec<WireCall> {
    let mut calls = calls;
    calls.retain(|call| call.service == Service::DynamoDb || call.operation.starts_with("Send"));
    calls
}

/// Whether a call reads the small item of an order.
fn is_page_read(call: &WireCall) -> bool {
    call.operation == "GetItem"
        && call.table_or_queue.as_deref() == Some("Orders")
        && call.request["Key"]["item"]["S"] == "page"
        && call.request["ConsistentRead"] != true
}
