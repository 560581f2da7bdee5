//! AWS, Telegram and WebEngage without sockets, how they are asked, and a webhook that answers as told.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use simulators::Reset;
use simulators::aws::{Aws, Storage};
use simulators::clock::Clock;
use simulators::telegram::{ChatKind, Deliver, Rights, Telegram};
use simulators::webengage::WebEngage;

/// 2026-01-01 at midnight.
pub(crate) const START_MS: i64 = 1_767_225_600_000;
pub(crate) const CHAT: i64 = -1_001_234_567_890;
pub(crate) const TOKEN: &str = "4242:AAbbCC-dd_EE";
pub(crate) const OTHER_TOKEN: &str = "4343:AAbbCC-dd_EE";
pub(crate) const CREATE: &str = "createChatInviteLink";
pub(crate) const LICENSE: &str = "in~1234";
pub(crate) const KEY: &str = "key";
/// Far less than any virtual time that the tests spend.
pub(crate) const NO_TIME: Duration = Duration::from_secs(5);

/// The clock of a test, and how far it has gone.
pub(crate) struct Watch {
    pub(crate) clock: Clock,
    pub(crate) since: Instant,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self {
            clock: Clock::simulated(START_MS),
            since: Instant::now(),
        }
    }

    pub(crate) fn passed_ms(&self) -> i64 {
        assert!(self.since.elapsed() < NO_TIME, "{:?}", self.since.elapsed());
        self.clock.now_ms() - START_MS
    }
}

pub(crate) fn aws(clock: &Clock) -> Aws {
    Aws::in_process(Storage::Memory, clock.clone()).unwrap()
}

pub(crate) async fn ask_aws(aws: &Aws, target: &str, body: Value) -> Result<Value, Reset> {
    let request = Request::post(aws.url())
        .header("x-amz-target", target)
        .header("x-amz-date", "20260101T000000Z")
        .header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0",
        )
        .body(Bytes::from(body.to_string()))
        .unwrap();
    let response = aws.call(request).await?;
    assert_eq!(
        response.headers()["content-length"],
        response.body().len().to_string()
    );
    assert_eq!(response.status(), 200, "{target} {response:?}");
    Ok(serde_json::from_slice(response.body()).unwrap_or(Value::Null))
}

pub(crate) async fn queue(aws: &Aws, name: &str) -> String {
    let answer = ask_aws(aws, "AmazonSQS.CreateQueue", json!({"QueueName": name}));
    let answer = answer.await.unwrap();
    let url = answer["QueueUrl"].as_str().unwrap();
    assert_eq!(url, format!("http://aws.invalid/000000000000/{name}"));
    url.to_owned()
}

pub(crate) async fn send(
    aws: &Aws,
    url: &str,
    body: &str,
    delay_seconds: u32,
) -> Result<Value, Reset> {
    let message = json!({"QueueUrl": url, "MessageBody": body, "DelaySeconds": delay_seconds});
    ask_aws(aws, "AmazonSQS.SendMessage", message).await
}

/// One long poll of 20 seconds; the bodies.
pub(crate) async fn poll(aws: &Aws, url: &str) -> Result<Vec<String>, Reset> {
    let receive = json!({"QueueUrl": url, "WaitTimeSeconds": 20, "MaxNumberOfMessages": 10});
    let answer = ask_aws(aws, "AmazonSQS.ReceiveMessage", receive).await?;
    let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
    Ok(messages
        .iter()
        .map(|message| message["Body"].as_str().unwrap().to_owned())
        .collect())
}

/// A Telegram with one chat and one bot that is its administrator.
pub(crate) fn telegram(clock: &Clock) -> Telegram {
    let telegram = Telegram::in_process(clock.clone());
    telegram.add_chat(CHAT, "Paid community", ChatKind::Supergroup);
    add_admin(&telegram, TOKEN);
    telegram
}

pub(crate) fn add_admin(telegram: &Telegram, token: &str) {
    let bot = telegram.add_bot(token);
    telegram.make_admin(bot, CHAT, Rights::all());
}

pub(crate) async fn ask_bot(
    telegram: &Telegram,
    token: &str,
    method: &str,
    params: Value,
) -> Result<Response<Bytes>, Reset> {
    let request = Request::post(format!("{}/bot{token}/{method}", telegram.url()))
        .header("content-type", "application/json")
        .body(Bytes::from(params.to_string()))
        .unwrap();
    telegram.call(request).await
}

pub(crate) async fn create(telegram: &Telegram, token: &str) -> Result<Response<Bytes>, Reset> {
    ask_bot(
        telegram,
        token,
        CREATE,
        json!({"chat_id": CHAT, "member_limit": 1}),
    )
    .await
}

pub(crate) fn link(answer: &Response<Bytes>) -> String {
    assert_eq!(answer.status(), 200, "{answer:?}");
    let answer: Value = serde_json::from_slice(answer.body()).unwrap();
    answer["result"]["invite_link"].as_str().unwrap().to_owned()
}

pub(crate) fn webengage(clock: &Clock) -> WebEngage {
    WebEngage::in_process(clock.clone(), LICENSE, KEY)
}

pub(crate) async fn tell_marketing(webengage: &WebEngage, id: u32) -> Result<StatusCode, Reset> {
    let event = json!({"userId": id.to_string(), "eventName": "invite", "eventData": {"n": id}});
    let request = Request::post(format!("{}/v1/accounts/{LICENSE}/events", webengage.url()))
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {KEY}"))
        .header("x-request-id", format!("{id:08x}"))
        .body(Bytes::from(event.to_string()))
        .unwrap();
    Ok(webengage.call(request).await?.status())
}

/// What reached the webhook: when, the secret, the update's id.
pub(crate) type Deliveries = Arc<Mutex<Vec<(i64, String, i64)>>>;

/// How a webhook answers one delivery.
#[derive(Clone, Copy)]
pub(crate) enum Respond {
    MemberStatus(u16),
    RetryAfter(u32),
    Reset,
    Hang,
}

/// A webhook that answers as told, by turns, and then 200.
pub(crate) fn webhook(clock: &Clock, answers: Vec<Respond>) -> (Deliver, Deliveries) {
    let deliveries = Deliveries::default();
    let (clock, seen) = (clock.clone(), Arc::clone(&deliveries));
    let deliver: Deliver = Arc::new(move |request: Request<Bytes>| {
        let secret = request.headers()["x-telegram-bot-api-secret-token"].clone();
        let update: Value = serde_json::from_slice(request.body()).unwrap();
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push((
                clock.now_ms() - START_MS,
                secret.to_str().unwrap().to_owned(),
                update["update_id"].as_i64().unwrap(),
            ));
            seen.len() - 1
        };
        let respond = answers
            .get(number)
            .copied()
            .unwrap_or(Respond::MemberStatus(200));
        Box::pin(async move {
            let response = Response::builder();
            match respond {
                Respond::MemberStatus(status) => Ok(response.status(status)),
                Respond::RetryAfter(seconds) => {
                    Ok(response.status(503).header("retry-after", seconds))
                }
                Respond::Reset => Err(Reset),
                Respond::Hang => std::future::pending().await,
            }
            .map(|response| response.body(Bytes::new()).unwrap())
        })
    });
    (deliver, deliveries)
}

pub(crate) async fn set_webhook(telegram: &Telegram) {
    let params = json!({"url": "http://127.0.0.1/hook", "secret_token": "s-1", "allowed_updates": ["chat_member"],
                        "drop_pending_updates": true});
    let answer = ask_bot(telegram, TOKEN, "setWebhook", params);
    assert_eq!(answer.await.unwrap().status(), 200);
}
