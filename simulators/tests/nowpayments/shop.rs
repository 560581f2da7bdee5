//! A merchant with an account at NOWPayments without sockets, and an endpoint that answers as told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{Request, Response};
use serde_json::{Value, json};
use sha2::Sha512;
use simulators::Reset;
use simulators::clock::Clock;
use simulators::nowpayments::{Decimal, Deliver, NowPayments};

/// 2026-01-01 at midnight.
pub(crate) const START_MS: i64 = 1_767_225_600_000;
pub(crate) const KEY: &str = "KEY-1";
pub(crate) const SECRET: &str = "ipn-secret";
pub(crate) const EMAIL: &str = "shop@example.com";
pub(crate) const PASSWORD: &str = "pass word";
const ENDPOINT: &str = "https://shop.example/ipn";

/// One notification as it came.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    /// Seconds since the start.
    pub(crate) at: i64,
    pub(crate) signature: String,
    pub(crate) text: String,
    pub(crate) body: Value,
}

/// How the endpoint answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Respond {
    Status(u16),
    Reset,
    Hang,
}

pub(crate) struct Shop {
    pub(crate) now: NowPayments,
    pub(crate) clock: Clock,
    notices: Arc<Mutex<Vec<Notice>>>,
    answers: Arc<Mutex<VecDeque<Respond>>>,
}

/// What came back from a call.
#[derive(Debug)]
pub(crate) struct ShopAnswer {
    pub(crate) status: u16,
    pub(crate) text: String,
    pub(crate) body: Value,
    pub(crate) location: Option<String>,
}

impl Shop {
    /// With an IPN secret, at the pace of a second.
    pub(crate) fn new() -> Self {
        let clock = Clock::simulated(START_MS);
        let now = NowPayments::in_process(clock.clone(), KEY, (EMAIL, PASSWORD));
        now.set_ipn_secret(Some(SECRET));
        let shop = Self {
            now,
            clock,
            notices: Arc::default(),
            answers: Arc::default(),
        };
        shop.now.deliver_to(shop.endpoint());
        shop
    }

    fn endpoint(&self) -> Deliver {
        let (clock, notices, answers) = (
            self.clock.clone(),
            Arc::clone(&self.notices),
            Arc::clone(&self.answers),
        );
        Arc::new(move |request: Request<Bytes>| {
            assert_eq!(request.uri(), ENDPOINT);
            assert_eq!(request.headers()["content-type"], "application/json");
            let text = String::from_utf8(request.body().to_vec()).unwrap();
            notices.lock().unwrap().push(Notice {
                at: (clock.now_ms() - START_MS) / 1000,
                signature: request.headers()["x-nowpayments-sig"]
                    .to_str()
                    .unwrap()
                    .to_owned(),
                body: serde_json::from_str(&text).unwrap(),
                text,
            });
            let answer = answers
                .lock()
                .unwrap()
                .pop_front()
                .unwrap_or(Respond::Status(200));
            Box::pin(async move {
                match answer {
                    Respond::Status(status) => Ok(Response::builder()
                        .status(status)
                        .body(Bytes::new())
                        .unwrap()),
                    Respond::Reset => Err(Reset),
                    Respond::Hang => std::future::pending().await,
                }
            })
        })
    }

    /// Answers the next notifications so, and then 200.
    pub(crate) fn answer(&self, answers: impl IntoIterator<Item = Respond>) {
        self.answers.lock().unwrap().extend(answers);
    }

    pub(crate) fn notices(&self) -> Vec<Notice> {
        self.notices.lock().unwrap().clone()
    }

    /// The statuses that were told, with the seconds.
    pub(crate) fn told(&self) -> Vec<(i64, String)> {
        let notices = self.notices();
        let status = |body: &Value| {
            let status = if body["status"].is_null() {
                &body["payment_status"]
            } else {
                &body["status"]
            };
            status.as_str().unwrap().to_owned()
        };
        notices
            .iter()
            .map(|notice| (notice.at, status(&notice.body)))
            .collect()
    }

    pub(crate) async fn sleep(&self, seconds: i64) {
        self.clock
            .sleep_until(self.clock.now_ms() + seconds * 1000)
            .await;
    }

    pub(crate) async fn send(
        &self,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<ShopAnswer, Reset> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.now.url()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self
            .now
            .call(request.body(Bytes::from(body)).unwrap())
            .await?;
        let text = String::from_utf8(response.body().to_vec()).unwrap();
        let location = response.headers().get("location");
        Ok(ShopAnswer {
            status: response.status().as_u16(),
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            location: location.map(|location| location.to_str().unwrap().to_owned()),
            text,
        })
    }

    /// A call with the key.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> ShopAnswer {
        self.call_with(method, path, &[("x-api-key", KEY)], body)
            .await
    }

    pub(crate) async fn call_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> ShopAnswer {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.send((method, &format!("/v1{path}")), headers, body)
            .await
            .unwrap()
    }

    /// A call with the key and a new token.
    pub(crate) async fn call_logged_in(&self, method: &str, path: &str, body: Value) -> ShopAnswer {
        let bearer = self.bearer().await;
        let headers = [("x-api-key", KEY), ("authorization", bearer.as_str())];
        self.call_with(method, path, &headers, body).await
    }

    /// The header of a new token.
    pub(crate) async fn bearer(&self) -> String {
        let login = json!({"email": EMAIL, "password": PASSWORD});
        let answer = self.call_with("POST", "/auth", &[], login).await;
        format!("Bearer {}", answer.body["token"].as_str().unwrap())
    }

    /// An invoice of 30.00 USD with these fields added; its answer.
    pub(crate) async fn invoice(&self, more: Value) -> Value {
        let mut body = json!({
            "price_amount": 30, "price_currency": "usd", "order_id": "ord_1", "ipn_callback_url": ENDPOINT,
        });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let answer = self.call("POST", "/invoice", body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body
    }

    /// A payment of 30.00 USD in a coin, with these fields added; its id.
    pub(crate) async fn payment(&self, coin: &str, more: Value) -> u64 {
        let mut body = json!({
            "price_amount": 30, "price_currency": "usd", "order_id": "ord_1", "ipn_callback_url": ENDPOINT,
            "pay_currency": coin,
        });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let answer = self.call("POST", "/payment", body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body["payment_id"].as_str().unwrap().parse().unwrap()
    }

    pub(crate) async fn look(&self, payment: u64) -> Value {
        let answer = self
            .call("GET", &format!("/payment/{payment}"), Value::Null)
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// Waits for what is under way, at most an hour.
    pub(crate) async fn settle(&self) {
        let hour = Duration::from_secs(3600);
        tokio::time::timeout(hour, self.now.settled())
            .await
            .unwrap();
    }
}

pub(crate) fn amount(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

/// The signature of a text by a secret.
pub(crate) fn signed(secret: &str, text: &str) -> String {
    let mac = Hmac::<Sha512>::new_from_slice(secret.as_bytes()).unwrap();
    let digest = mac.chain_update(text).finalize().into_bytes();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
