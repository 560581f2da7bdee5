//! A Stripe with a key, a client, and a receiver of webhooks; on its drop each event is checked.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use simulators::clock::Clock;
use simulators::stripe::{API_VERSION, BuyerAction, Stripe};

use crate::conforms;

pub(crate) const KEY: &str = "sk_test_simulated";
pub(crate) const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
pub(crate) const DAY: u64 = 86_400;

pub(crate) struct SellerSite {
    pub(crate) stripe: Stripe,
    pub(crate) clock: Clock,
    pub(crate) http: reqwest::Client,
    pub(crate) inbox: EventReceiver,
}

#[derive(Debug)]
pub(crate) struct StripeAnswer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl StripeAnswer {
    pub(crate) fn error(&self, field: &str) -> &str {
        self.body["error"][field].as_str().unwrap_or_default()
    }
}

impl Drop for SellerSite {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for event in self.stripe.events() {
            let problems = conforms::event_problems(&event);
            assert!(problems.is_empty(), "{}: {problems:#?}", event["type"]);
        }
    }
}

impl SellerSite {
    pub(crate) async fn new() -> Self {
        let clock = Clock::new();
        let stripe = Stripe::start(ANY, clock.clone()).await.unwrap();
        stripe.add_key(KEY);
        Self {
            stripe,
            clock,
            http: client(),
            inbox: EventReceiver::start().await,
        }
    }

    /// A site whose events come to `inbox`, and the endpoint's id.
    pub(crate) async fn with_endpoint() -> (Self, String) {
        let site = Self::new().await;
        let url = site.inbox.url.clone();
        let endpoint = site
            .ok(
                "POST",
                "/v1/webhook_endpoints",
                &[
                    ("url", &url),
                    ("enabled_events[0]", "*"),
                    ("api_version", API_VERSION),
                ],
            )
            .await;
        let secret = endpoint["secret"].as_str().unwrap();
        site.inbox.secrets.lock().unwrap().push(secret.to_owned());
        (site, endpoint["id"].as_str().unwrap().to_owned())
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now_ms() / 1000
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        params: &[(&str, &str)],
    ) -> reqwest::RequestBuilder {
        let encoded: Vec<String> = params
            .iter()
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        let url = format!("{}{path}", self.stripe.url());
        let request = if method == "POST" {
            self.http
                .post(url)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(encoded.join("&"))
        } else {
            let url = format!("{url}?{}", encoded.join("&"));
            self.http.request(method.parse().unwrap(), url)
        };
        request
            .bearer_auth(KEY)
            .header("stripe-version", API_VERSION)
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        params: &[(&str, &str)],
    ) -> StripeAnswer {
        answer(self.request(method, path, params)).await.unwrap()
    }

    /// The answer of a request that must succeed, checked.
    pub(crate) async fn ok(&self, method: &str, path: &str, params: &[(&str, &str)]) -> Value {
        let answer = self.send(method, path, params).await;
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text);
        if path != "/v1/account" {
            let problems = conforms::answer_problems(method, path, &answer.body);
            assert!(problems.is_empty(), "{method} {path}: {problems:#?}");
        }
        answer.body
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.ok("GET", path, &[]).await
    }

    /// The answer of a request that must be refused, its shape checked.
    pub(crate) async fn refused(
        &self,
        method: &str,
        path: &str,
        params: &[(&str, &str)],
    ) -> StripeAnswer {
        let answer = self.send(method, path, params).await;
        assert!(answer.status >= 400, "{method} {path}: {}", answer.text);
        let problems = conforms::problems("error", &answer.body);
        assert!(problems.is_empty(), "{problems:#?}");
        answer
    }

    /// A new session for 30.00 USD.
    pub(crate) async fn session(&self, more: &[(&str, &str)]) -> Value {
        let params = [PAYMENT, more].concat();
        self.ok("POST", "/v1/checkout/sessions", &params).await
    }

    /// A new session for a subscription of 10.00 USD a month.
    pub(crate) async fn subscription_session(&self, more: &[(&str, &str)]) -> Value {
        let params = [SUBSCRIPTION, more].concat();
        self.ok("POST", "/v1/checkout/sessions", &params).await
    }

    /// A session that was paid, as it is then.
    pub(crate) async fn paid(&self, session: &Value) -> Value {
        let id = session["id"].as_str().unwrap();
        self.stripe.act(id, &BuyerAction::Pay).unwrap();
        self.get(&format!("/v1/checkout/sessions/{id}")).await
    }

    /// The charge of a new session that was paid.
    pub(crate) async fn charge(&self) -> String {
        let session = self.paid(&self.session(&[]).await).await;
        let intent = session["payment_intent"].as_str().unwrap();
        let intent = self.get(&format!("/v1/payment_intents/{intent}")).await;
        intent["latest_charge"].as_str().unwrap().to_owned()
    }

    /// A subscription that was begun, as it is then.
    pub(crate) async fn subscription(&self, more: &[(&str, &str)]) -> Value {
        let session = self.paid(&self.subscription_session(more).await).await;
        let id = session["subscription"].as_str().unwrap();
        self.get(&format!("/v1/subscriptions/{id}")).await
    }

    /// The types of all events so far.
    pub(crate) fn event_types(&self) -> Vec<String> {
        let events = self.stripe.events();
        events
            .iter()
            .map(|event| event["type"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The types of the events that `action` makes.
    pub(crate) async fn events_of(&self, action: impl AsyncFnOnce(&Self)) -> Vec<String> {
        let before = self.event_types().len();
        action(self).await;
        self.event_types().split_off(before)
    }
}

pub(crate) const PAYMENT: &[(&str, &str)] = &[
    ("mode", "payment"),
    ("line_items[0][quantity]", "1"),
    ("line_items[0][price_data][currency]", "usd"),
    ("line_items[0][price_data][unit_amount]", "3000"),
    (
        "line_items[0][price_data][product_data][name]",
        "Seat & more",
    ),
    (
        "success_url",
        "https://example.com/done?s={CHECKOUT_SESSION_ID}",
    ),
    ("cancel_url", "https://example.com/back"),
    ("client_reference_id", "order-1"),
    ("metadata[order_id]", "order-1"),
    ("payment_intent_data[metadata][order_id]", "order-1"),
];
pub(crate) const SUBSCRIPTION: &[(&str, &str)] = &[
    ("mode", "subscription"),
    ("line_items[0][quantity]", "1"),
    ("line_items[0][price_data][currency]", "usd"),
    ("line_items[0][price_data][unit_amount]", "1000"),
    ("line_items[0][price_data][recurring][interval]", "day"),
    ("line_items[0][price_data][recurring][interval_count]", "30"),
    ("line_items[0][price_data][product_data][name]", "Seat"),
    ("success_url", "https://example.com/done"),
    ("subscription_data[metadata][order_id]", "order-2"),
];

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> reqwest::Result<StripeAnswer> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await?;
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Ok(StripeAnswer {
        status,
        headers,
        text,
        body,
    })
}

pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            _ if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// A client whose calls end, and that follows no redirect.
pub(crate) fn client() -> reqwest::Client {
    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(30))
        .build()
        .unwrap()
}

/// A webhook that answers 200 unless told otherwise.
#[derive(Clone, Default)]
pub(crate) struct EventReceiver {
    pub(crate) url: String,
    pub(crate) received: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    pub(crate) statuses: Arc<Mutex<VecDeque<u16>>>,
    pub(crate) secrets: Arc<Mutex<Vec<String>>>,
}

impl EventReceiver {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(ANY).await.unwrap();
        let receiver = Self {
            url: format!("http://{}/hook", listener.local_addr().unwrap()),
            ..Self::default()
        };
        let router = Router::new()
            .route("/hook", post(receive))
            .with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    /// The events that came, in the order of arrival, each checked: its signature and its shape.
    pub(crate) fn events(&self) -> Vec<Value> {
        let received = self.received.lock().unwrap();
        let events = received.iter().map(|(headers, body)| {
            let header = headers["stripe-signature"].to_str().unwrap();
            let secrets = self.secrets.lock().unwrap();
            assert!(
                secrets.iter().any(|secret| is_signed(header, body, secret)),
                "{header}"
            );
            let event: Value = serde_json::from_slice(body).unwrap();
            let problems = conforms::event_problems(&event);
            assert!(problems.is_empty(), "{problems:#?}");
            event
        });
        events.collect()
    }

    pub(crate) fn types(&self) -> Vec<String> {
        let events = self.events();
        events
            .iter()
            .map(|event| event["type"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(crate) fn headers(&self) -> Vec<String> {
        let received = self.received.lock().unwrap();
        let headers = received
            .iter()
            .map(|(headers, _)| &headers["stripe-signature"]);
        headers
            .map(|header| header.to_str().unwrap().to_owned())
            .collect()
    }
}

/// If the header has the signature of the body by the secret.
pub(crate) fn is_signed(header: &str, body: &[u8], secret: &str) -> bool {
    let parts = || header.split(',').filter_map(|part| part.split_once('='));
    let (_, at) = parts().find(|(name, _)| *name == "t").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(at.as_bytes());
    mac.update(b".");
    mac.update(body);
    let digest = mac.finalize().into_bytes();
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    parts().any(|(name, value)| name == "v1" && value == digest)
}

async fn receive(
    State(receiver): State<EventReceiver>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    receiver.received.lock().unwrap().push((headers, body));
    let status = receiver.statuses.lock().unwrap().pop_front().unwrap_or(200);
    StatusCode::from_u16(status).unwrap().into_response()
}
