//! Bad input, route by route: the documented error in the documented form, never a 5xx, never an effect.
//!
//! "No effect" is read at the wire: while a case runs, no function may call AWS for more than to read.

mod event;
mod request;
mod status;
mod webhook;

use std::collections::HashMap;

use local::harness::TestStack;
use serde_json::{Value, json};
use simulators::aws::WireCall;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) const REQUEST: &str = "/v1/invite/request";
const WEBHOOK: &str = "/v1/telegram/webhook";
const SECRET_HEADER: &str = "x-telegram-bot-api-secret-token";
const KIB_64: usize = 64 * 1024;
const GOOD: &str = r#"{"userId": "u1", "transactionId": "T1"}"#;

/// One call, byte by byte, and what it must be answered: a status, and the `code` of an error or the `result` of a 200.
pub(crate) struct Case {
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Vec<u8>,
    status: u16,
    word: &'static str,
}

impl Case {
    pub(crate) fn new(
        method: &'static str,
        target: impl Into<String>,
        status: u16,
        word: &'static str,
    ) -> Self {
        Self {
            method,
            target: target.into(),
            headers: Vec::new(),
            body: Vec::new(),
            status,
            word,
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn headers(mut self, headers: Vec<(&'static str, Vec<u8>)>) -> Self {
        self.headers.extend(headers);
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    fn describe(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {:.60}", String::from_utf8_lossy(value)))
            .collect();
        format!(
            "{} {:.80} {headers:?} {} bytes {body:.80?}",
            self.method,
            self.target,
            body.len()
        )
    }
}

/// An answer as it came over the wire.
pub(crate) struct PostAnswer {
    pub(crate) status: u16,
    headers: HashMap<String, String>,
    pub(crate) body: Value,
}

impl PostAnswer {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map(String::as_str)
            .unwrap_or_default()
    }
}

/// Sends a call as it is: no client in between tidies paths, headers or bodies.
pub(crate) async fn send(stack: &TestStack, case: &Case) -> PostAnswer {
    let address = stack.local.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut call = format!("{} {} HTTP/1.1\r\n", case.method, case.target).into_bytes();
    let length = case.body.len().to_string();
    let own: [(&str, &[u8]); 3] = [
        ("host", address.as_bytes()),
        ("connection", b"close"),
        ("content-length", length.as_bytes()),
    ];
    let given = case
        .headers
        .iter()
        .map(|(name, value)| (*name, value.as_slice()));
    for (name, value) in own.into_iter().chain(given) {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            call.extend_from_slice(part);
        }
    }
    call.extend_from_slice(b"\r\n");
    call.extend_from_slice(&case.body);
    // A server may answer and close before it has read all.
    let _ = stream.write_all(&call).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.expect("an answer with a head");
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    PostAnswer {
        status: status.unwrap().parse().unwrap(),
        headers: lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect(),
        body: serde_json::from_slice(&answer[end + 4..]).unwrap_or_default(),
    }
}

/// What is wrong with an answer, if anything.
fn complaint(case: &Case, answer: &PostAnswer, calls: &[WireCall]) -> Option<String> {
    if answer.status != case.status {
        return Some(format!("{} {}", answer.status, answer.body));
    }
    let effect = |call: &&WireCall| !["GetItem", "ReceiveMessage"].contains(&call.operation);
    if let Some(call) = calls.iter().find(effect) {
        return Some(format!("done with {} {}", call.operation, call.request));
    }
    if answer.status == 200 {
        let is_right = answer.body["result"] == case.word;
        return (!is_right).then(|| answer.body.to_string());
    }
    let sentence = answer.body["error"].as_str().unwrap_or_default();
    let is_one_sentence = sentence.ends_with('.')
        && (10..160).contains(&sentence.len())
        && !sentence.contains(". ")
        && !sentence.contains('\n');
    if answer.body != json!({"ok": false, "code": case.word, "error": sentence}) || !is_one_sentence
    {
        return Some(answer.body.to_string());
    }
    let has_headers = answer.header("content-type") == "application/json"
        && answer.header("cache-control") == "no-store"
        && (case.status != 401 || answer.header("www-authenticate") == "Bearer");
    (!has_headers).then(|| format!("{:?}", answer.headers))
}

/// Runs a table; all that is wrong in it is reported together.
async fn refuse_all(stack: &TestStack, cases: Vec<Case>) {
    assert!(cases.len() >= 60, "only {} cases", cases.len());
    let done = || (stack.telegram.link_count(), stack.webengage.attempt_count());
    let before = done();
    stack.aws().wire().record_calls(true);
    let mut wrong = Vec::new();
    for case in &cases {
        let _ = stack.aws().wire().take_calls();
        let answer = send(stack, case).await;
        if let Some(complaint) = complaint(case, &answer, &stack.aws().wire().take_calls()) {
            let (status, word) = (case.status, case.word);
            wrong.push(format!(
                "{}\n    must be {status} {word}, is {complaint}",
                case.describe()
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} cases:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
    stack.run_until_idle().await;
    assert_eq!(done(), before);
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

/// Each line of a table.
fn lines(table: &str) -> impl Iterator<Item = &str> {
    table.trim_matches('\n').lines()
}

/// Bodies that are no JSON whatever the route expects, one a line.
const NO_JSON: &str = r#"
{
{"userId": "u1"
{"userId": "u1
{"userId": "u1", "transactionId": "T
{"userId": }
{"userId"}
{"userId": "u1",}
{"userId": "u1"} x
{"userId": "u1"}{"userId": "u2"}
{'userId': 'u1'}
{userId: "u1"}
/* comment */ {"userId": "u1"}
{"userId": NaN}
{"userId": Infinity}
{"userId": -Infinity}
{"userId": 0x10}
{"userId": 01}
{"userId": +1}
{"userId": .5}
{"userId": 1.}
{"userId": "a\x41"}
{"userId": "\u12"}
userId=u1&transactionId=T1
<userId>u1</userId>
undefined
TRUE
u1
"#;

/// All of them, with those that are no line of text.
fn no_json() -> Vec<Vec<u8>> {
    let text = lines(NO_JSON).map(|line| line.as_bytes().to_vec());
    let bytes: [&[u8]; 14] = [
        b"",
        b" \n\t ",
        b"\0",
        b"{}\0",
        b"{\"userId\": \"a\0b\"}",
        b"{\"userId\": \"a\nb\"}",
        b"\xef\xbb\xbf",
        b"\xef\xbb\xbf\xef\xbb\xbf{\"userId\": \"u1\"}",
        b"{\"userId\": \"\xff\"}",
        b"{\"userId\": \"\xc0\x80\"}",
        b"{\"userId\": \"\xed\xa0\x80\"}",
        b"{\"userId\": \"\xf0\x9f\x98",
        b"--x\r\ncontent-disposition: form-data; name=\"userId\"\r\n\r\nu1\r\n--x--\r\n",
        // `{}`, compressed by gzip.
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00",
    ];
    let utf16 = GOOD.encode_utf16().flat_map(u16::to_le_bytes).collect();
    text.chain(bytes.map(<[u8]>::to_vec))
        .chain([utf16, vec![b'['; 10_000]])
        .collect()
}

/// Headers by which a caller without a key (or secret) tries to get in, with `secret` as the right one for `header`.
fn break_ins(header: &'static str, secret: &str) -> Vec<Vec<(&'static str, Vec<u8>)>> {
    let half = &secret[..secret.len() / 2];
    let in_header = [
        String::new(),
        "wrong".to_owned(),
        half.to_owned(),
        secret[1..].to_owned(),
        format!("{secret}x"),
        secret.to_uppercase(),
        format!("\"{secret}\""),
        format!("{secret},{secret}"),
        format!("{half} {half}"),
        format!("Bearer {secret}"),
        "x".repeat(10_000),
    ];
    let in_authorization = [
        secret.to_owned(),
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer wrong".to_owned(),
        format!("Bearer {half}"),
        format!("Bearer{secret}"),
        format!("Bearer: {secret}"),
        format!("Bearer {secret} x"),
        format!("Token {secret}"),
        format!("Basic {secret}"),
        "Basic dTpw".to_owned(),
    ];
    let elsewhere = [
        ("x-auth", secret.to_owned()),
        ("api-key", secret.to_owned()),
        ("x-api-token", secret.to_owned()),
        ("cookie", format!("{header}={secret}")),
        ("proxy-authorization", format!("Bearer {secret}")),
    ];
    let mut tries = vec![
        vec![],
        vec![
            (header, b"wrong".to_vec()),
            ("authorization", b"Bearer wrong".to_vec()),
        ],
        // A header that is sent twice is one value with a comma in it, as behind API Gateway.
        vec![
            (header, b"wrong".to_vec()),
            (header, secret.as_bytes().to_vec()),
        ],
        vec![
            (header, secret.as_bytes().to_vec()),
            (header, secret.as_bytes().to_vec()),
        ],
        vec![(header, [secret.as_bytes(), b"\xc3\xa9"].concat())],
        vec![(header, b"\xff\xfe".to_vec())],
    ];
    let single = in_header
        .map(|value| (header, value))
        .into_iter()
        .chain(in_authorization.map(|value| ("authorization", value)))
        .chain(elsewhere);
    tries.extend(single.map(|(name, value)| vec![(name, value.into_bytes())]));
    tries
}
