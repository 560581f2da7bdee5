//! What an attacker may try, and what happens: the tests that `docs/SECURITY.md` names.

mod authentication;
mod json;
mod slow;
mod table;
mod updates;
mod wire;

use std::time::Duration;

use local::harness::TestStack;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const REQUEST: &str = "/v1/invite/request";
const WEBHOOK: &str = "/v1/telegram/webhook";
const SECRET_HEADER: &str = "x-telegram-bot-api-secret-token";
const GOOD: &str = r#"{"userId": "u1", "transactionId": "T1"}"#;
/// How long a connection may take that nobody holds up.
const TIMEOUT: Duration = Duration::from_secs(30);

/// One answer of a connection.
#[derive(Debug)]
struct RawAnswer {
    status: u16,
    head: String,
    body: String,
}

impl RawAnswer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// The host and port of a local stack's API.
fn address(stack: &TestStack) -> &str {
    stack.local.url.trim_start_matches("http://")
}

/// A connection to a local stack.
async fn connect(stack: &TestStack) -> TcpStream {
    TcpStream::connect(address(stack)).await.unwrap()
}

/// Sends bytes as they are, and reads all that comes until the local stack closes the connection.
async fn exchange(stack: &TestStack, bytes: &[u8]) -> Vec<RawAnswer> {
    let stream = connect(stack).await;
    let (mut reading, mut writing) = stream.into_split();
    let bytes = bytes.to_vec();
    // Side by side, so that a server that answers early is heard.
    let sent = tokio::spawn(async move {
        let _ = writing.write_all(&bytes).await;
        writing
    });
    let mut answers = Vec::new();
    let read = reading.read_to_end(&mut answers);
    let ended = tokio::time::timeout(TIMEOUT, read).await;
    assert!(ended.is_ok(), "the connection was left open");
    sent.abort();
    self::answers(&answers)
}

/// The answers one after the other; all of the local stack's tell their length.
fn answers(mut bytes: &[u8]) -> Vec<RawAnswer> {
    let mut answers = Vec::new();
    while let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        bytes = &bytes[end + 4..];
        let body = String::from_utf8_lossy(&bytes[..length.min(bytes.len())]).into_owned();
        bytes = &bytes[length.min(bytes.len())..];
        answers.push(RawAnswer { status, head, body });
    }
    answers
}

/// A request in HTTP/1.1 that asks to close the connection after it.
fn call(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method} {target} HTTP/1.1\r\nconnection: close\r\n").into_bytes();
    if !headers.iter().any(|(name, _)| *name == "host") {
        bytes.extend_from_slice(b"host: 127.0.0.1\r\n");
    }
    let tells_length = headers
        .iter()
        .any(|(name, _)| ["content-length", "transfer-encoding"].contains(name));
    if !tells_length {
        bytes.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
    }
    for (name, value) in headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// One call on a connection of its own, which must be answered.
async fn ask(
    stack: &TestStack,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> RawAnswer {
    let mut answers = exchange(stack, &call(method, target, headers, body)).await;
    assert_eq!(answers.len(), 1, "{method} {target:.80} {headers:.80?}");
    answers.remove(0)
}

/// The webhook's secret.
fn secret(stack: &TestStack) -> String {
    stack.env()["TELEGRAM_WEBHOOK_SECRET"].clone()
}

/// A purchase is accepted: the local stack still serves.
async fn still_serves(stack: &TestStack) {
    let id = uuid::Uuid::new_v4().to_string();
    assert_eq!(stack.shop().buy(&id, &id).await.status, 200);
    stack.run_until_idle().await;
}
