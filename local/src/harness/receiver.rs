//! A receiver of signed calls and of actors' updates, outside of the local stack: it answers as a test says, and keeps what came.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode};
use bytes::Bytes;
use serde_json::Value;
use tokio::sync::Notify;

use super::any_port;

/// What a receiver answers.
#[derive(Clone)]
pub enum Reply {
    /// A status, these headers, and a body of so many bytes.
    Answer(u16, Vec<(&'static str, String)>, usize),
    /// 200, and a body of this content type.
    Says(&'static str, String),
    /// 204, once somebody says so.
    Held(Arc<Notify>),
    /// Nothing, ever.
    Hang,
}

impl Reply {
    /// A status and nothing else.
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new(), 0)
    }
}

/// A call that came.
#[derive(Clone, Debug)]
pub struct ReceivedCall {
    /// Its `webhook-id`.
    pub id: String,
    /// Its `webhook-timestamp`, in seconds.
    pub seconds: i64,
    /// Its `webhook-signature`.
    pub signatures: String,
    /// Its `X-Telegram-Bot-Api-Secret-Token`.
    pub secret_token: String,
    /// Its body, as it came.
    pub body: String,
    /// The path that was called.
    pub path: String,
}

impl ReceivedCall {
    /// Its body.
    ///
    /// # Panics
    /// If it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a call with JSON")
    }

    /// The type that its body names.
    #[must_use]
    pub fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap_or_default().to_owned()
    }
}

#[derive(Default)]
struct Kept {
    calls: Vec<ReceivedCall>,
    next: VecDeque<Reply>,
    always: Option<Reply>,
    refused: Option<String>,
}

/// A receiver of signed calls.
#[derive(Clone)]
pub struct Receiver {
    /// Its `host:port`.
    pub host: String,
    kept: Arc<Mutex<Kept>>,
}

impl Receiver {
    /// Starts one that takes everything.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(any_port())
            .await
            .expect("a free port");
        let host = listener.local_addr().expect("an address").to_string();
        let kept = Arc::<Mutex<Kept>>::default();
        let router = Router::new()
            .fallback(receive)
            .with_state(Arc::clone(&kept));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { host, kept }
    }

    /// A URL of it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host)
    }

    /// It answers all that comes like this, from now on.
    pub fn answers(&self, reply: Reply) {
        self.lock().always = Some(reply);
    }

    /// It answers 500 to what holds this word, from now on.
    pub fn refuses(&self, word: &str) {
        self.lock().refused = Some(word.to_owned());
    }

    /// It answers the next call like this.
    pub fn answers_next(&self, reply: Reply) {
        self.lock().next.push_back(reply);
    }

    /// What came so far.
    #[must_use]
    pub fn calls(&self) -> Vec<ReceivedCall> {
        self.lock().calls.clone()
    }

    /// The types of what came so far.
    #[must_use]
    pub fn kinds(&self) -> Vec<String> {
        self.calls().iter().map(ReceivedCall::kind).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn receive(
    State(kept): State<Arc<Mutex<Kept>>>,
    uri: axum::http::Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<axum::body::Body> {
    let text = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let call = ReceivedCall {
        id: text("webhook-id"),
        seconds: text("webhook-timestamp").parse().unwrap_or_default(),
        signatures: text("webhook-signature"),
        secret_token: text("x-telegram-bot-api-secret-token"),
        body: String::from_utf8_lossy(&body).into_owned(),
        path: uri.path().to_owned(),
    };
    let reply = {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = kept.refused.as_ref();
        let is_refused = refused.is_some_and(|word| call.body.contains(word));
        kept.calls.push(call);
        match is_refused {
            true => Some(Reply::status(500)),
            false => kept.next.pop_front().or_else(|| kept.always.clone()),
        }
    };
    match reply.unwrap_or(Reply::status(204)) {
        Reply::Held(gate) => {
            gate.notified().await;
            let mut answer = Response::new(axum::body::Body::empty());
            *answer.status_mut() = StatusCode::NO_CONTENT;
            answer
        }
        Reply::Hang => std::future::pending().await,
        Reply::Says(kind, body) => {
            let mut answer = Response::new(axum::body::Body::from(body));
            let kind = axum::http::HeaderValue::from_static(kind);
            answer.headers_mut().insert("content-type", kind);
            answer
        }
        Reply::Answer(status, headers, bytes) => {
            let mut answer = Response::new(axum::body::Body::from("x".repeat(bytes)));
            *answer.status_mut() = StatusCode::from_u16(status).expect("a status");
            for (name, value) in headers {
                let value = value.parse().expect("a header");
                answer.headers_mut().insert(name, value);
            }
            answer
        }
    }
}
