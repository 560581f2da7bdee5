//! `POST /v1/invite/request`: the body and the headers that a stranger sends. First the headers, one a line, then an
//! empty line, then the body.
//!
//! What is accepted has ids within their bounds, without white space around them and invisible characters in them, filled
//! in, and means the same payment each time. Only the key opens.

#![no_main]

use domain::purchase::{Chats, Purchase, TRANSACTION_ID_MAX_CHARS, USER_ID_MAX_CHARS};
use domain::text::{is_invisible, object};
use fuzz::API_KEY;
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use runtime::auth::{Verifier, WEBHOOK_SECRET_HEADER};
use runtime::config::Env;
use serde_json::json;

fn headers(mut input: &[u8]) -> (HeaderMap, &[u8]) {
    let mut headers = HeaderMap::new();
    while let Some(end) = input.iter().position(|byte| *byte == b'\n') {
        let (line, rest) = (&input[..end], &input[end + 1..]);
        input = rest;
        if line.is_empty() {
            break;
        }
        let colon = line
            .iter()
            .position(|byte| *byte == b':')
            .unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default().trim_ascii();
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(&line[..colon]),
            HeaderValue::from_bytes(value),
        ) {
            headers.append(name, value);
        }
    }
    (headers, input)
}

fn is_id(text: &str, chars: std::ops::RangeInclusive<usize>) {
    assert_eq!(text, text.trim(), "an id with white space around it");
    assert!(!text.contains(is_invisible), "an id that can't be seen");
    let unfilled = ["undefined", "null", "nan", "[object object]", "%s"];
    assert!(
        !unfilled.contains(&text.to_lowercase().as_str()),
        "an id that is a template"
    );
    assert!(chars.contains(&text.chars().count()), "an id out of bounds");
}

fuzz_target!(|input: &[u8]| {
    let (headers, body) = headers(input);
    let mut env = Env::from_iter([
        ("API_KEYS", API_KEY),
        ("TELEGRAM_WEBHOOK_SECRET", "another-secret"),
    ]);
    let keys = Verifier::api_keys(&mut env);
    let holds_key = headers.values().any(|value| {
        value
            .as_bytes()
            .windows(API_KEY.len())
            .any(|part| part == API_KEY.as_bytes())
    });
    assert!(
        holds_key || !keys.knows_api_key(&headers),
        "opened without the key"
    );
    assert!(
        keys.knows_webhook_secret(&headers)
            == (headers
                .get(WEBHOOK_SECRET_HEADER)
                .map(HeaderValue::as_bytes)
                == Some(API_KEY.as_bytes()))
    );

    let chats = Chats::parse("-1001234567890,-1009=-9").expect("chats");
    let key = headers
        .get("idempotency-key")
        .and_then(|value| value.to_str().ok());
    let Some(fields) = object(body) else {
        return;
    };
    let parsed = Purchase::parse(&fields, key, &chats);
    let Ok(purchase) = &parsed else {
        assert!(
            parsed == Purchase::parse(&fields, key, &chats),
            "refused for another reason"
        );
        return;
    };
    is_id(&purchase.user_id, 1..=USER_ID_MAX_CHARS);
    is_id(&purchase.transaction_id, 0..=TRANSACTION_ID_MAX_CHARS);
    is_id(&purchase.idempotency_key, 0..=TRANSACTION_ID_MAX_CHARS);
    assert!(chats.contains(purchase.chat));
    // No digit of a number is lost: what was no string is an integer, and is written as it was read.
    if let Some(number) = fields["userId"].as_number() {
        assert_eq!(purchase.user_id, number.to_string());
    }
    // The same payment, told again in the plainest words, is the same payment.
    let plain = json!({"userId": purchase.user_id, "transactionId": purchase.transaction_id, "chatId": purchase.chat});
    let again = Purchase::parse(
        plain.as_object().expect("an object"),
        Some(&purchase.idempotency_key),
        &chats,
    );
    assert!(
        again.as_ref() == Ok(purchase),
        "a purchase does not survive its own words"
    );
    assert!(again.map(|again| again.identity()) == Ok(purchase.identity()));
});
