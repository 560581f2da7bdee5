//! `POST /v1/invite/request`.

use local::harness::TestStack;
use serde_json::json;

use super::{
    Case, GOOD, KIB_64, REQUEST, SECRET_HEADER, break_ins, lines, nested, no_json, refuse_all,
};

/// JSON, but no object, or nothing that can be read.
const NO_OBJECT: &str = r#"
[]
[{"userId": "u1"}]
"u1"
1
-1.5
true
null
{"userId": 1e999}
{"userId": "\ud800"}
{"userId": "\udc00\ud800"}
{"userId": "u1", "note": "\ud83d"}
"#;

/// Values that are no id, whichever id is meant.
const NO_ID: &str = r#"
true
false
[]
["u1"]
{}
{"id": "u1"}
1.5
1.0
1e3
1E+2
1e-3
-0
-0.0
9007199254740993.0
9007199254740992
-9007199254740992
9007199254740993
18446744073709551615
18446744073709551616
-9223372036854775808
-9223372036854775809
12345678901234567890123456789
"#;

/// Texts that nobody filled in, whichever id is meant.
const UNFILLED: &str = r#"
undefined
Undefined
NULL
NaN
nil
None
(null)
<nil>
[object Object]
{{userId}}
{{ order.id }}-1
${userId}
${jndi:ldap://127.0.0.1/x}
#{id}
<%= id %>
*|EMAIL|*
%%user%%
%user_id%
{userId}
{0}
%s
order-%d
order-undefined
\u0075ndefined
undefined\u200b
\u200b
\ufeff \u2060
\u200e\u200f\u200d
"#;

/// Bodies that name no user.
const NO_USER: &str = r#"
{}
{"transactionId": "T1"}
{"userid": "u1"}
{"user_id": "u1"}
{"USERID": "u1"}
{"userId ": "u1"}
{"userId": null}
{"userId": ""}
{"userId": " "}
{"userId": "\t\r\n"}
{"userId": "\u00a0\u2003\u3000"}
{"userId": "\u2029\u0085"}
{"data": {"userId": "u1"}}
{"userId": "u1", "userId": " "}
"#;

/// Values that are none of our chats.
const NO_CHAT: &str = r#"
0
1
-1
true
false
[]
{}
""
"all"
"-1001234567891"
"-1001234567890.0"
[-1001234567890]
-1001234567890.0
1001234567890
1.5
1e12
9223372036854775807
-9223372036854775808
9223372036854775808
18446744073709551616
"#;

#[tokio::test]
async fn what_is_no_usable_purchase_is_refused_by_the_part_that_is_wrong_and_nothing_is_done() {
    let stack = TestStack::start().await;
    let key = stack.local.api_key().to_owned();
    let post =
        |status, word| Case::new("POST", REQUEST, status, word).header("x-api-key", key.as_bytes());
    let bad = |word, body: String| post(400, word).body(body);
    let mut cases: Vec<Case> = no_json()
        .into_iter()
        .map(|body| post(400, "invalid_json").body(body))
        .collect();
    cases.extend(lines(NO_OBJECT).map(|body| bad("invalid_json", body.to_owned())));
    for value in lines(NO_ID) {
        cases.push(bad(
            "invalid_user_id",
            format!(r#"{{"userId": {value}, "transactionId": "T1"}}"#),
        ));
        cases.push(bad(
            "invalid_user_id",
            format!(r#"{{"userId": "u1", "userId": {value}}}"#),
        ));
        cases.push(bad(
            "invalid_transaction_id",
            format!(r#"{{"userId": "u1", "transactionId": {value}}}"#),
        ));
    }
    for text in lines(UNFILLED).chain([" ", "\\t\\u00a0"]) {
        cases.push(bad(
            "invalid_user_id",
            format!(r#"{{"userId": "{text}", "transactionId": "T1"}}"#),
        ));
        cases.push(bad(
            "invalid_transaction_id",
            format!(r#"{{"userId": "u1", "transactionId": "{text}"}}"#),
        ));
        if !text.contains('\\') && !text.trim().is_empty() {
            let body = r#"{"userId": "u1"}"#.to_owned();
            cases.push(bad("invalid_transaction_id", body).header("idempotency-key", text));
        }
    }
    for letter in ["a", "ß", "語", "😀", "\\u0000"] {
        let (user, transaction) = (letter.repeat(101), letter.repeat(257));
        cases.push(bad("invalid_user_id", format!(r#"{{"userId": "{user}"}}"#)));
        cases.push(bad(
            "invalid_transaction_id",
            format!(r#"{{"userId": "u1", "transactionId": "{transaction}"}}"#),
        ));
    }
    cases.extend(lines(NO_USER).map(|body| bad("invalid_user_id", body.to_owned())));
    cases.extend(lines(NO_CHAT).map(|chat| {
        let body = format!(r#"{{"userId": "u1", "transactionId": "T1", "chatId": {chat}}}"#);
        bad("unknown_chat", body)
    }));
    for idempotency_key in [
        "k".repeat(257).into_bytes(),
        b"caf\xc3\xa9".to_vec(),
        b"\xff".to_vec(),
    ] {
        cases.push(
            bad("invalid_transaction_id", r#"{"userId": "u1"}"#.to_owned())
                .header("idempotency-key", idempotency_key),
        );
    }
    cases.push(bad(
        "invalid_json",
        format!(r#"{{"userId": "u1", "note": {}}}"#, nested(10_000)),
    ));
    cases.push(bad("invalid_json", "x".repeat(KIB_64)));
    let padded = format!("{GOOD}{}", " ".repeat(2 * 1024 * 1024));
    for body in [
        padded[..=KIB_64].to_owned(),
        "x".repeat(KIB_64 + 1),
        nested(1_000_000),
        padded,
    ] {
        cases.push(post(413, "too_large").body(body));
    }
    refuse_all(&stack, cases).await;
}

#[tokio::test]
async fn nobody_gets_in_without_a_key_whatever_header_it_is_tried_in() {
    let both_keys = "first-key-0123456789,second-key-0123456789";
    let key = "first-key-0123456789";
    let stack = TestStack::with(&[("API_KEYS", both_keys)]).await;
    let webhook_secret = stack.env()["TELEGRAM_WEBHOOK_SECRET"].clone();
    let status = format!("/v1/invite/{}", uuid::Uuid::nil());
    let mut cases = Vec::new();
    for (method, target) in [("POST", REQUEST), ("GET", status.as_str())] {
        let call = || Case::new(method, target, 401, "unauthorized").body(GOOD);
        let tries = break_ins("x-api-key", key).into_iter();
        cases.extend(tries.map(|headers| call().headers(headers)));
        cases.push(call().header("x-api-key", both_keys));
        cases.push(call().header("x-api-key", webhook_secret.as_bytes()));
        cases.push(call().header(SECRET_HEADER, key));
        cases.push(call().header("authorization", format!("Bearer {webhook_secret}")));
        // A caller without key learns nothing of what else is wrong.
        cases.push(call().body("{"));
        cases.push(call().body(vec![b'x'; KIB_64 + 1]));
        let with_query = format!("{target}?x-api-key={key}");
        cases.push(Case::new(method, with_query, 401, "unauthorized").body(GOOD));
    }
    cases.push(Case::new("GET", "/v1/invite/no-id", 401, "unauthorized"));
    cases.push(Case::new("GET", "/local/state", 401, "unauthorized"));
    cases.push(Case::new("POST", "/local/actions/buy", 401, "unauthorized").body("{}"));
    refuse_all(&stack, cases).await;
}

#[tokio::test]
async fn input_at_the_edge_of_what_is_allowed_is_taken_as_it_was_sent() {
    let stack = TestStack::with(&[("SAFE_RPS_SLEEP_MS", "34")]).await;
    let bearer = format!("bearer  {}", stack.local.api_key());
    let (ascii, wide, emoji) = ("t".repeat(256), "語".repeat(256), "😀".repeat(100));
    let bodies = [
        format!(
            r#"{{"userId": "{}", "transactionId": "A1"}}"#,
            "a".repeat(100)
        ),
        format!(r#"{{"userId": " \t{emoji}\n", "transactionId": "A2"}}"#),
        format!(r#"{{"userId": "u1", "transactionId": "{ascii}"}}"#),
        format!(r#"{{"userId": "u1", "transactionId": " {wide} "}}"#),
        r#"{"userId": 9007199254740991, "transactionId": "18446744073709551615"}"#.to_owned(),
        r#"{"userId": -9007199254740991, "transactionId": 0}"#.to_owned(),
        r#"{"userId": "x", "userId": "last", "transactionId": null, "chatId": null}"#.to_owned(),
        r#"{"userId": "\u0000", "transactionId": "a\u0000b"}"#.to_owned(),
        r#"{"userId": "\ud83d\ude00", "transactionId": "\u2764\ufe0f"}"#.to_owned(),
        r#"{"userId": "' OR 1=1 --", "transactionId": "$(jndi:x)", "extra": [1e300]}"#.to_owned(),
        format!(
            r#"{{"userId": "deep", "transactionId": "D1", "extra": {}}}"#,
            nested(100)
        ),
        format!("{GOOD}{}", " ".repeat(KIB_64 - GOOD.len())),
    ];
    let stored_as = [
        ("a".repeat(100), "A1".to_owned()),
        (emoji, "A2".to_owned()),
        ("u1".to_owned(), ascii),
        ("u1".to_owned(), wide),
        (
            "9007199254740991".to_owned(),
            "18446744073709551615".to_owned(),
        ),
        ("-9007199254740991".to_owned(), "0".to_owned()),
        ("last".to_owned(), String::new()),
        ("\0".to_owned(), "a\0b".to_owned()),
        ("😀".to_owned(), "\u{2764}\u{fe0f}".to_owned()),
        ("' OR 1=1 --".to_owned(), "$(jndi:x)".to_owned()),
        ("deep".to_owned(), "D1".to_owned()),
        ("u1".to_owned(), "T1".to_owned()),
    ];
    for (body, (user_id, transaction_id)) in bodies.iter().zip(&stored_as) {
        let answer = stack
            .post(REQUEST, body.clone(), &[("authorization", bearer.as_str())])
            .await;
        assert_eq!(
            (answer.status, &answer.body["status"]),
            (200, &json!("queued")),
            "{body:.80}: {}",
            answer.body
        );
        let stored = stack.shop().status(&answer.request_id()).await;
        assert_eq!(
            (&stored["userId"], &stored["transactionId"]),
            (&json!(user_id), &json!(transaction_id)),
            "{body:.80}"
        );
    }
    stack.run_until_idle().await;
    assert_eq!(stack.telegram.link_count(), bodies.len());
    assert_eq!(stack.webengage.ingested().len(), bodies.len());
}
