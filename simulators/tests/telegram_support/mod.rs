//! A bot in a chat, and a webhook that answers as told.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use simulators::clock::Clock;
use simulators::telegram::{ChatKind, Rights, Telegram};

/// The bot's token.
pub(crate) const TOKEN: &str = "4242:AAbbCC-dd_EE";
/// The chat's id.
pub(crate) const CHAT: i64 = -1_001_234_567_890;
/// Any free port.
pub(crate) const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A Telegram with one bot, an administrator of one supergroup.
pub(crate) struct TelegramWorld {
    pub(crate) telegram: Telegram,
    pub(crate) clock: Clock,
    pub(crate) bot: i64,
    pub(crate) http: reqwest::Client,
}

/// What came back from a call.
#[derive(Debug)]
pub(crate) struct BotAnswer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl TelegramWorld {
    pub(crate) async fn new() -> Self {
        let clock = Clock::new();
        let telegram = Telegram::start(ANY, clock.clone()).await.unwrap();
        let bot = telegram.add_bot(TOKEN);
        telegram.add_chat(CHAT, "Paid community", ChatKind::Supergroup);
        telegram.make_admin(bot, CHAT, Rights::all());
        Self {
            telegram,
            clock,
            bot,
            http: client(),
        }
    }

    pub(crate) fn endpoint(&self, token: &str, method: &str) -> String {
        format!("{}/bot{token}/{method}", self.telegram.url())
    }

    pub(crate) async fn call_as(
        &self,
        token: &str,
        method: &str,
        params: Value,
    ) -> reqwest::Result<BotAnswer> {
        let response = self
            .http
            .post(self.endpoint(token, method))
            .json(&params)
            .send()
            .await?;
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get("retry-after")
            .map(|value| value.to_str().unwrap().to_owned());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(BotAnswer {
            status,
            retry_after,
            text,
            body,
        })
    }

    pub(crate) async fn call(&self, method: &str, params: Value) -> BotAnswer {
        self.call_as(TOKEN, method, params).await.unwrap()
    }

    /// The result of a call that must succeed.
    pub(crate) async fn ok(&self, method: &str, params: Value) -> Value {
        let answer = self.call(method, params).await;
        assert_eq!(
            (answer.status, &answer.body["ok"]),
            (200, &json!(true)),
            "{answer:?}"
        );
        answer.body["result"].clone()
    }

    /// The code and description of a call that must be refused.
    pub(crate) async fn refused(&self, method: &str, params: Value) -> (u16, String) {
        let answer = self.call(method, params).await;
        assert_eq!(answer.body["ok"], json!(false), "{answer:?}");
        assert_eq!(
            answer.body["error_code"],
            json!(answer.status),
            "{answer:?}"
        );
        (
            answer.status,
            answer.body["description"].as_str().unwrap().to_owned(),
        )
    }

    /// A new link for one member.
    pub(crate) async fn link(&self, name: &str) -> String {
        let link = self
            .ok(
                "createChatInviteLink",
                json!({"chat_id": CHAT, "member_limit": 1, "name": name}),
            )
            .await;
        link["invite_link"].as_str().unwrap().to_owned()
    }
}

/// A client whose calls end.
pub(crate) fn client() -> reqwest::Client {
    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_root_certificates(roots)
    .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .timeout(Duration::from_secs(30))
        .build()
        .unwrap()
}

/// One update as it reached the webhook.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) secret: Option<String>,
    pub(crate) update: Value,
}

/// How the webhook answers.
#[derive(Clone, Debug)]
pub(crate) enum Respond {
    MemberStatus(u16),
    RetryAfter(u16, u32),
    Body(Value),
    Redirect(String),
    Hang,
}

#[derive(Clone, Default)]
pub(crate) struct Hook {
    pub(crate) received: Arc<Mutex<Vec<Received>>>,
    pub(crate) answers: Arc<Mutex<VecDeque<Respond>>>,
    pub(crate) concurrent: Arc<Mutex<(usize, usize)>>,
    pub(crate) slow: Arc<Mutex<Duration>>,
    pub(crate) url: String,
}

impl Hook {
    /// A webhook that answers 200 unless told otherwise.
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(ANY).await.unwrap();
        let hook = Self {
            url: format!("http://{}/hook", listener.local_addr().unwrap()),
            ..Self::default()
        };
        let router = Router::new()
            .route("/hook", post(receive))
            .with_state(hook.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        hook
    }

    pub(crate) fn answer(&self, answers: impl IntoIterator<Item = Respond>) {
        self.answers.lock().unwrap().extend(answers);
    }

    pub(crate) fn updates(&self) -> Vec<Value> {
        self.received
            .lock()
            .unwrap()
            .iter()
            .map(|received| received.update.clone())
            .collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.received.lock().unwrap().len()
    }
}

async fn receive(
    State(hook): State<Hook>,
    headers: HeaderMap,
    body: axum::Json<Value>,
) -> Response {
    let secret = headers
        .get("x-telegram-bot-api-secret-token")
        .map(|value| value.to_str().unwrap().to_owned());
    hook.received.lock().unwrap().push(Received {
        secret,
        update: body.0,
    });
    {
        let mut concurrent = hook.concurrent.lock().unwrap();
        concurrent.0 += 1;
        concurrent.1 = concurrent.1.max(concurrent.0);
    }
    let slow = *hook.slow.lock().unwrap();
    if !slow.is_zero() {
        tokio::time::sleep(slow).await;
    }
    let answer = hook
        .answers
        .lock()
        .unwrap()
        .pop_front()
        .unwrap_or(Respond::MemberStatus(200));
    hook.concurrent.lock().unwrap().0 -= 1;
    match answer {
        Respond::MemberStatus(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Respond::RetryAfter(status, seconds) => (
            StatusCode::from_u16(status).unwrap(),
            [("retry-after", seconds.to_string())],
        )
            .into_response(),
        Respond::Body(body) => axum::Json(body).into_response(),
        Respond::Redirect(to) => {
            (StatusCode::TEMPORARY_REDIRECT, [("location", to)]).into_response()
        }
        Respond::Hang => std::future::pending().await,
    }
}

/// Waits until the condition holds, at most ten seconds.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never: {what}");
}

/// Asserts that an object has only documented fields and all required ones.
pub(crate) fn conforms(name: &str, object: &Value) {
    let list: Value = serde_json::from_str(include_str!("../../bot-api/methods.json")).unwrap();
    let fields = list["types"][name].as_object().unwrap();
    for key in object.as_object().unwrap().keys() {
        assert!(fields.contains_key(key), "{name} has no {key}: {object}");
    }
    for (key, field) in fields {
        let is_there = field["required"] == json!(false) || !object[key].is_null();
        assert!(is_there, "{name} lacks {key}: {object}");
    }
}
