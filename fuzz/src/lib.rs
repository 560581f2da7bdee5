//! What the targets share: the functions as they are deployed, on a world without sockets, and words about answers.
//!
//! A target asserts more than that nothing panics. What it asserts stands beside it.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use domain::time::Timestamp;
use http::{Request, Response};
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::transport::Transport;
use tokio::runtime::Runtime;

/// The shop's key; the samples in `events/` have it.
pub const API_KEY: &str = "demo-shop-key-0123456789abcdef";
/// The webhook's secret; the samples in `events/` have it.
pub const WEBHOOK_SECRET: &str = "demo-webhook-secret-0123456789";
/// The bot's token.
pub const BOT_TOKEN: &str = "123456789:AAfuzzfuzzfuzzfuzzfuzzfuzzfuzzfuzzfu";
/// WebEngage's key.
pub const WEBENGAGE_KEY: &str = "fuzzed-webengage-key";

/// What every function needs.
const ENVIRONMENT: [(&str, &str); 16] = [
    ("API_KEYS", API_KEY),
    ("TELEGRAM_WEBHOOK_SECRET", WEBHOOK_SECRET),
    ("TELEGRAM_BOT_TOKEN", BOT_TOKEN),
    ("TELEGRAM_CHAT_ID", "-1001234567890,-1009=-9"),
    ("WEBENGAGE_LICENSE_CODE", "in~fuzz"),
    ("WEBENGAGE_API_KEY", WEBENGAGE_KEY),
    (
        "INVITE_QUEUE_URL",
        "https://sqs.us-east-1.amazonaws.com/0/InviteQueue",
    ),
    (
        "EVENT_QUEUE_URL",
        "https://sqs.us-east-1.amazonaws.com/0/EventQueue",
    ),
    (
        "MESSAGE_QUEUE_URL",
        "https://sqs.us-east-1.amazonaws.com/0/MessageQueue",
    ),
    (
        "HOOK_QUEUE_URL",
        "https://sqs.us-east-1.amazonaws.com/0/HookQueue",
    ),
    (
        "PAYMENT_QUEUE_URL",
        "https://sqs.us-east-1.amazonaws.com/0/PaymentQueue",
    ),
    ("AWS_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "fuzz"),
    ("AWS_SECRET_ACCESS_KEY", "fuzz"),
    ("SAFE_RPS_SLEEP_MS", "34"),
    ("CLAIM_KEY", "fuzzed-claim-key-0123456789abcdef-01"),
];

/// The world that a function sees: AWS, Telegram and WebEngage as one closure, and time that passes by itself.
pub struct FuzzWorld {
    runtime: Runtime,
    calls: Arc<Mutex<Vec<Request<Bytes>>>>,
    answer: Arc<Mutex<ApiGatewayResponse>>,
}

type ApiGatewayResponse = Box<dyn Fn(&Request<Bytes>) -> Response<Bytes> + Send>;

impl Default for FuzzWorld {
    fn default() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        Self {
            runtime: runtime.expect("a runtime"),
            calls: Arc::default(),
            answer: Arc::new(Mutex::new(Box::new(well))),
        }
    }
}

impl FuzzWorld {
    /// Starts a function in this world.
    pub fn start<A>(&self, from_env: impl FnOnce(&mut Env, Clock) -> A) -> A {
        let _entered = self.runtime.enter();
        let mut env = self.env();
        let app = from_env(
            &mut env,
            Clock::simulated(Timestamp::from_ms(1_795_176_000_000)),
        );
        env.check().expect("a whole environment");
        app
    }

    /// The environment of every function, with all calls led here.
    #[must_use]
    pub fn env(&self) -> Env {
        let (calls, answer) = (Arc::clone(&self.calls), Arc::clone(&self.answer));
        Env::from_iter(ENVIRONMENT).on(Transport::new(move |request| {
            let response = answer.lock().unwrap_or_else(PoisonError::into_inner)(&request);
            calls
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(request);
            Box::pin(async move { Ok(response) })
        }))
    }

    /// From now on every call is answered with this.
    pub fn answer_all(&self, status: u16, retry_after: &str, body: &[u8]) {
        let mut response = Response::new(Bytes::copy_from_slice(body));
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
        if let Ok(value) = retry_after.parse() {
            response
                .headers_mut()
                .insert(http::header::RETRY_AFTER, value);
        }
        self.answer(move |_| response.clone());
    }

    /// From now on every call is answered by this.
    pub fn answer(&self, answer: impl Fn(&Request<Bytes>) -> Response<Bytes> + Send + 'static) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(answer);
    }

    /// Runs to the end, with nothing in the list of calls before.
    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        drop(self.taken());
        self.runtime.block_on(work)
    }

    /// The calls of the last run.
    #[must_use]
    pub fn taken(&self) -> Vec<Request<Bytes>> {
        std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A world in which everything goes well and nothing is stored yet.
#[must_use]
pub fn well(request: &Request<Bytes>) -> Response<Bytes> {
    let target = request
        .headers()
        .get("x-amz-target")
        .and_then(|value| value.to_str().ok());
    let body = match target.map(|target| target.rsplit('.').next().unwrap_or_default()) {
        Some("SendMessage") => r#"{"MessageId": "1", "MD5OfMessageBody": "0"}"#.to_owned(),
        Some("SendMessageBatch") => r#"{"Successful": [], "Failed": []}"#.to_owned(),
        Some(_) => "{}".to_owned(),
        None if request.uri().path().ends_with("/createChatInviteLink") => {
            r#"{"ok": true, "result": {"invite_link": "https://t.me/+fuzz", "member_limit": 1}}"#
                .to_owned()
        }
        None if request.uri().path().starts_with("/v1/accounts/") => {
            r#"{"response": {"status": "queued"}}"#.to_owned()
        }
        None => r#"{"ok": true, "result": true}"#.to_owned(),
    };
    let mut response = Response::new(Bytes::from(body));
    if target.is_some() {
        response.headers_mut().insert(
            http::header::CONTENT_TYPE,
            http::HeaderValue::from_static("application/x-amz-json-1.0"),
        );
    }
    response
}

/// What a call to AWS does: the last word of its `X-Amz-Target`.
#[must_use]
pub fn operation(call: &Request<Bytes>) -> &str {
    let target = call
        .headers()
        .get("x-amz-target")
        .and_then(|value| value.to_str().ok());
    target
        .and_then(|target| target.rsplit('.').next())
        .unwrap_or_default()
}

/// An input in two parts: the first line, and all after it.
#[must_use]
pub fn head_and_body(input: &[u8]) -> (&str, &[u8]) {
    let end = input
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(input.len());
    let body = input.get(end + 1..).unwrap_or_default();
    (std::str::from_utf8(&input[..end]).unwrap_or_default(), body)
}

/// An error and its causes, as others may write it, without what clears a log line of ours.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(line, ": {error}");
        cause = error.source();
    }
    line
}
