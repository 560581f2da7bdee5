//! What a broken or hostile server answers in WebEngage's place, and events whose parts end up in headers. First a line
//! with the status and, after a space, the `Retry-After` header; then a line with the `eventId`; then the body.
//!
//! Only a 2xx that says so counts as delivered, and no error holds the key or a word of the body.

#![no_main]

use std::sync::LazyLock;

use domain::event::Event;
use fuzz::{FuzzWorld, WEBENGAGE_KEY, chain, head_and_body};
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use webengage::WebEngage;

static WORLD: LazyLock<FuzzWorld> = LazyLock::new(FuzzWorld::default);
static WEBENGAGE: LazyLock<WebEngage> =
    LazyLock::new(|| WORLD.start(|env, _| WebEngage::from_env(env)));

fuzz_target!(|input: &[u8]| {
    let (head, rest) = head_and_body(input);
    let (event_id, body) = head_and_body(rest);
    let (status, retry_after) = head.split_once(' ').unwrap_or((head, ""));
    let status = status.parse().unwrap_or(200);
    WORLD.answer_all(status, retry_after, body);
    let event = json!({"eventId": event_id, "requestId": "765bc1e6-9ac7-80a5-897d-a1a85a8e8947",
        "eventName": "pass_paid_community_telegram_joined", "userId": String::from_utf8_lossy(body),
        "eventTime": "2026-11-20T12:00:00.000Z", "eventData": {"inviteLink": event_id}});
    let event: Event = serde_json::from_value(event).expect("an event");
    let delivered = WORLD.run(WEBENGAGE.deliver(&event));
    let calls = WORLD.taken();
    assert_eq!(calls.len(), 1);
    let sent: serde_json::Value = serde_json::from_slice(calls[0].body()).expect("JSON");
    assert_eq!(sent, event.webengage_body(), "told something else");
    assert_eq!(
        calls[0].headers()["authorization"],
        format!("Bearer {WEBENGAGE_KEY}").as_str()
    );
    assert_eq!(
        calls[0].headers().len(),
        2 + usize::from(calls[0].headers().contains_key("x-request-id"))
    );
    let status = http::StatusCode::from_u16(status).unwrap_or_default();
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let answer: serde_json::Value = serde_json::from_slice(text).unwrap_or_default();
    let word = answer["response"]["status"].as_str().unwrap_or_default();
    let is_taken = status.is_success() && word.eq_ignore_ascii_case("queued");
    assert_eq!(delivered.is_ok(), is_taken);
    if let Err(error) = delivered {
        let line = chain(&error);
        assert!(line.len() < 200 && !line.contains(WEBENGAGE_KEY), "{line}");
        let _ = error.fault();
    }
});
