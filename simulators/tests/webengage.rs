//! The simulated WebEngage: validation, deduplication, limits, faults and its log.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

#[path = "telegram_support/mod.rs"]
mod telegram_support;

use std::time::Duration;

use serde_json::{Map, Value, json};
use simulators::clock::Clock;
use simulators::webengage::{DataType, Failure, IngestOutcome, Mode, WebEngage};
use telegram_support::{ANY, client, eventually};

const LICENSE: &str = "in~abc123";
const KEY: &str = "key-1";

struct Site {
    engage: WebEngage,
    clock: Clock,
    http: reqwest::Client,
}

struct EventAnswer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    text: String,
    body: Value,
}

impl EventAnswer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Site {
    async fn new() -> Self {
        let clock = Clock::new();
        let engage = WebEngage::start(ANY, clock.clone(), LICENSE, KEY)
            .await
            .unwrap();
        Self {
            engage,
            clock,
            http: client(),
        }
    }

    fn request(
        &self,
        license: &str,
        key: &str,
        id: Option<&str>,
        body: &Value,
    ) -> reqwest::RequestBuilder {
        let url = format!("{}/v1/accounts/{license}/events", self.engage.url());
        let request = self.http.post(url).bearer_auth(key).json(body);
        id.into_iter()
            .fold(request, |request, id| request.header("x-request-id", id))
    }

    async fn send(&self, id: Option<&str>, body: &Value) -> reqwest::Result<EventAnswer> {
        answer(self.request(LICENSE, KEY, id, body).send().await?).await
    }

    async fn post(&self, id: &str, body: &Value) -> EventAnswer {
        self.send(Some(id), body).await.unwrap()
    }
}

async fn answer(response: reqwest::Response) -> reqwest::Result<EventAnswer> {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await?;
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Ok(EventAnswer {
        status,
        headers,
        text,
        body,
    })
}

fn event() -> Value {
    json!({
        "userId": "u1", "eventName": "pass_paid_community_telegram_joined", "eventTime": "2026-11-20T10:00:00+0000",
        "eventData": {"transactionId": "t1", "telegramUserId": "42"},
    })
}

fn with(change: Value) -> Value {
    let mut event = event();
    for (key, value) in change.as_object().unwrap() {
        event[key] = value.clone();
    }
    event
}

#[tokio::test]
async fn an_event_is_queued_and_logged_with_its_request_id() {
    let site = Site::new().await;
    let answer = site.post("0a1b", &event()).await;
    assert_eq!(
        (answer.status, answer.body),
        (201, json!({"response": {"status": "queued"}}))
    );
    let ingested = site.engage.ingested();
    assert_eq!(ingested.len(), 1);
    assert_eq!(ingested[0].request_id.as_deref(), Some("0a1b"));
    assert_eq!(ingested[0].body, event());
    assert!((ingested[0].at_ms - site.clock.now_ms()).abs() < 5_000);
    assert_eq!(site.engage.attempts()[0].outcome, IngestOutcome::Ingested);
}

#[tokio::test]
async fn a_wrong_licence_is_404_and_a_wrong_key_401() {
    let site = Site::new().await;
    for (license, key, status) in [
        ("other", KEY, 404),
        (LICENSE, "key-2", 401),
        ("other", "key-2", 404),
    ] {
        let response = site
            .request(license, key, None, &event())
            .send()
            .await
            .unwrap();
        let answer = answer(response).await.unwrap();
        assert_eq!(
            (answer.status, &answer.body["response"]["status"]),
            (status, &json!("error")),
            "{license} {key}"
        );
        assert!(answer.body["response"]["message"].is_string());
    }
    let bare = site
        .http
        .post(format!(
            "{}/v1/accounts/{LICENSE}/events",
            site.engage.url()
        ))
        .json(&event());
    assert_eq!(bare.send().await.unwrap().status().as_u16(), 401);
    let get = site
        .http
        .get(format!(
            "{}/v1/accounts/{LICENSE}/events",
            site.engage.url()
        ))
        .send()
        .await
        .unwrap();
    assert_eq!(get.status().as_u16(), 405);
    site.engage.set_api_key("key-2");
    assert_eq!(site.post("aa", &event()).await.status, 401);
    assert_eq!(site.engage.ingested_count(), 0);
}

#[tokio::test]
async fn each_documented_rule_is_a_400_with_its_message() {
    let site = Site::new().await;
    let many = |value: Value| -> Value {
        (0..26)
            .map(|n| (format!("a{n}"), value.clone()))
            .collect::<Map<_, _>>()
            .into()
    };
    for (body, word) in [
        (json!([1]), "JSON object"),
        (json!({"eventName": "x"}), "userId or anonymousId"),
        (with(json!({"anonymousId": "a"})), "Only one"),
        (with(json!({"userId": 7})), "userId"),
        (with(json!({"userId": ""})), "userId"),
        (with(json!({"userId": "u".repeat(101)})), "userId"),
        (with(json!({"eventName": null})), "eventName"),
        (with(json!({"eventName": ""})), "eventName"),
        (with(json!({"eventName": "e".repeat(50)})), "less than 50"),
        (with(json!({"eventName": "we_joined"})), "we_"),
        (with(json!({"eventTime": 1_700_000_000})), "eventTime"),
        (
            with(json!({"eventTime": "2026-11-20T10:00:00Z"})),
            "eventTime",
        ),
        (
            with(json!({"eventTime": "2026-11-20T10:00:00.000+0000"})),
            "eventTime",
        ),
        (
            with(json!({"eventTime": "2026-11-20T10:00:00+00:00"})),
            "eventTime",
        ),
        (
            with(json!({"eventTime": "2026-02-30T10:00:00+0000"})),
            "eventTime",
        ),
        (with(json!({"eventData": "x"})), "eventData"),
        (with(json!({"eventData": {"a": "x".repeat(1000)}})), "1000"),
        (
            with(json!({"eventData": {"a": ["x".repeat(1000)]}})),
            "1000",
        ),
        (with(json!({"eventData": {"n".repeat(50): "x"}})), "name"),
        (with(json!({"eventData": {"a": null}})), "null"),
        (with(json!({"eventData": many(json!(1))})), "Number"),
    ] {
        let answer = site.post("aa", &body).await;
        let message = answer.body["response"]["message"]
            .as_str()
            .unwrap_or_default();
        assert_eq!(
            (answer.status, message.contains(word)),
            (400, true),
            "{body}: {message}"
        );
    }
    for body in [
        with(json!({"userId": "u".repeat(100), "eventName": "e".repeat(49)})),
        with(
            json!({"eventTime": "2018-09-15T18:29:00-0800", "eventData": {"n".repeat(49): "x".repeat(999)}}),
        ),
        json!({"anonymousId": "a", "eventName": "x"}),
    ] {
        assert_eq!(site.send(None, &body).await.unwrap().status, 201, "{body}");
    }
    assert_eq!(site.post("not-hex", &event()).await.status, 400);
    let url = format!("{}/v1/accounts/{LICENSE}/events", site.engage.url());
    for (kind, body) in [("application/json", "{"), ("text/plain", "{}")] {
        let request = site
            .http
            .post(&url)
            .bearer_auth(KEY)
            .header("content-type", kind)
            .body(body);
        assert_eq!(request.send().await.unwrap().status().as_u16(), 400);
    }
}

#[tokio::test]
async fn a_repeated_request_id_is_taken_but_ingested_once_in_four_hours() {
    let site = Site::new().await;
    site.post("bad0", &json!({})).await;
    assert_eq!(site.post("bad0", &event()).await.status, 201);
    for _ in 0..3 {
        assert_eq!(site.post("aa", &event()).await.status, 201);
    }
    assert_eq!(site.engage.ingested_count(), 2);
    site.clock.advance(Duration::from_secs(4 * 3600 - 60));
    site.post("aa", &event()).await;
    assert_eq!(site.engage.ingested_count(), 2);
    site.clock.advance(Duration::from_secs(60));
    site.post("aa", &event()).await;
    assert_eq!(site.engage.ingested_count(), 3);
    let outcomes: Vec<_> = site
        .engage
        .attempts()
        .iter()
        .map(|attempt| attempt.outcome)
        .collect();
    use IngestOutcome::{Ingested, Refused, Repeated};
    assert_eq!(
        outcomes,
        [
            Refused, Ingested, Ingested, Repeated, Repeated, Repeated, Ingested
        ]
    );
}

#[tokio::test]
async fn an_attribute_that_changes_its_type_is_stopped_in_silence() {
    let site = Site::new().await;
    site.send(
        None,
        &with(json!({"eventData": {"telegramUserId": "42", "at": "2026-11-20T10:00:00+0000"}})),
    )
    .await
    .unwrap();
    let changed = site
        .send(
            None,
            &with(json!({"eventData": {"telegramUserId": 42, "at": "now", "new": true}})),
        )
        .await;
    assert_eq!(changed.unwrap().status, 201);
    let stopped = site.engage.stopped();
    let shown: Vec<_> = stopped
        .iter()
        .map(|one| (one.attribute.as_str(), one.fixed, one.came))
        .collect();
    assert_eq!(
        shown,
        [
            ("at", DataType::Date, DataType::String),
            ("telegramUserId", DataType::String, DataType::Number)
        ]
    );
    assert_eq!(site.engage.ingested()[1].stopped, ["at", "telegramUserId"]);
    site.send(
        None,
        &with(json!({"eventName": "other", "eventData": {"telegramUserId": 42}})),
    )
    .await
    .unwrap();
    assert_eq!(site.engage.stopped().len(), 2);
}

#[tokio::test]
async fn the_rate_limit_is_told_in_headers_and_renewed_each_minute() {
    let site = Site::new().await;
    assert_eq!(
        site.post("a0", &event()).await.header("x-ratelimit-limit"),
        Some("5000")
    );
    // To the start of a minute, so that the test doesn't straddle two.
    let into_minute = u64::try_from(site.clock.now_ms() % 60_000).unwrap();
    site.clock
        .advance(Duration::from_millis(60_000 - into_minute));
    site.engage.set_limit(2);
    let first = site.post("a1", &event()).await;
    assert_eq!(
        (first.status, first.header("x-ratelimit-remaining")),
        (201, Some("1"))
    );
    assert_eq!(
        site.post("a2", &event())
            .await
            .header("x-ratelimit-remaining"),
        Some("0")
    );
    let third = site.post("a3", &event()).await;
    assert_eq!(
        (third.status, third.header("x-ratelimit-remaining")),
        (429, Some("0"))
    );
    assert_eq!(
        (
            third.header("x-ratelimit-limit"),
            third.header("retry-after")
        ),
        (Some("2"), None)
    );
    assert_eq!(third.body["response"]["status"], "error");
    site.clock.advance(Duration::from_secs(60));
    assert_eq!(site.post("a3", &event()).await.status, 201);
}

#[tokio::test]
async fn the_modes_fail_as_their_names_say() {
    let site = Site::new().await;
    for (mode, status, retry_after) in [
        (Mode::Down, 503, None),
        (Mode::InternalError, 500, None),
        (Mode::RateLimited { retry_after: None }, 429, None),
        (
            Mode::RateLimited {
                retry_after: Some(7),
            },
            429,
            Some("7"),
        ),
        (Mode::Unauthorized, 401, None),
        (Mode::NotFound, 404, None),
        (Mode::BadRequest, 400, None),
    ] {
        site.engage.set_mode(mode.clone());
        let answer = site.post("aa", &event()).await;
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (status, retry_after),
            "{mode:?}"
        );
        assert_eq!(answer.text.starts_with("<html>"), mode == Mode::Down);
    }
    site.engage.set_mode(Mode::ResetBefore);
    assert!(site.send(Some("aa"), &event()).await.is_err());
    assert_eq!(site.engage.ingested_count(), 0);
    site.engage.set_mode(Mode::ResetAfter);
    assert!(site.send(Some("aa"), &event()).await.is_err());
    assert_eq!(site.engage.ingested_count(), 1);
    site.engage.set_mode(Mode::InternalErrorAfterIngesting);
    assert_eq!(site.post("ab", &event()).await.status, 500);
    assert_eq!(site.engage.ingested_count(), 2);
    site.engage.recover();
    assert_eq!(site.post("aa", &event()).await.status, 201);
    assert_eq!(site.engage.ingested_count(), 2);
    assert_eq!(site.engage.attempt_count(), 11);
}

#[tokio::test]
async fn a_failure_catches_its_event_after_its_skips_as_often_as_told() {
    let site = Site::new().await;
    let other = with(json!({"eventName": "other"}));
    site.engage
        .fail(Failure::of(Mode::Down).event("other").skip(1).times(2));
    let mut statuses = Vec::new();
    for (n, body) in [&event(), &other, &other, &event(), &other, &other]
        .into_iter()
        .enumerate()
    {
        statuses.push(site.post(&format!("{n}"), body).await.status);
    }
    assert_eq!(statuses, [201, 201, 503, 201, 503, 201]);
}

#[tokio::test]
async fn what_hangs_is_ingested_later_even_if_the_client_left_or_never() {
    let site = Site::new().await;
    site.engage.set_mode(Mode::Hang(Duration::from_secs(30)));
    let request = site
        .request(LICENSE, KEY, Some("aa"), &event())
        .timeout(Duration::from_millis(100));
    assert!(request.send().await.unwrap_err().is_timeout());
    assert_eq!(site.engage.ingested_count(), 0);
    site.clock.advance(Duration::from_secs(30));
    site.engage.ingested_at_least(1).await;
    site.engage.set_mode(Mode::HangForever);
    let body = event();
    let (sent, ()) = tokio::join!(site.send(Some("ab"), &body), async {
        eventually("the attempt", || site.engage.attempt_count() == 2).await;
        site.engage.stop().await;
    });
    assert!(sent.is_err());
    assert_eq!(site.engage.ingested_count(), 1);
}
