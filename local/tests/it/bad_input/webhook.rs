//! `POST /v1/telegram/webhook`.

use local::harness::TestStack;
use serde_json::Value;

use super::{Case, KIB_64, SECRET_HEADER, WEBHOOK, break_ins, lines, nested, no_json, refuse_all};

/// Updates that can't be a join, one a line.
const NO_JOIN: &str = r#"
{}
[]
null
true
1
"text"
{"update_id": null}
{"update_id": 18446744073709551616}
{"chat_member": null}
{"message": {}}
{"message": {"text": "\ud800"}}
{"my_chat_member": {}}
{"CHAT_MEMBER": {}}
{"chat_member": {}, "chat_member": {}}
"#;

/// Wrong values for a part of a genuine join: the pointer below `chat_member`, then the values. `-` takes it away.
const SPOILED: &str = r#"
: null [] {} "x" 1 true [[[]]] -
/chat: null [] {} "x" 1 true [[[]]] -
/chat/id: null "1" 1.5 -1001234567890.0 18446744073709551615 1e300 true [] {} 0 1 1001234567890 9223372036854775807 -9223372036854775808 -
/date: null "1" 1.5 18446744073709551615 1e300 true [] {} -
/old_chat_member: null [] {} "x" 1 true [[[]]] -
/old_chat_member/status: null 1 [] {} "" "Left" "member" "administrator" "creator" "nobody" -
/new_chat_member: null [] {} "x" 1 true [[[]]] -
/new_chat_member/status: null 1 [] {} "" "Member" "MEMBER" "owner" "left" "kicked" "restricted" "member\u0000" -
/new_chat_member/user: null [] {} "x" 1 true [[[]]] -
/new_chat_member/user/id: null "1" 1.5 77.0 18446744073709551615 1e300 true [] {} -
/new_chat_member/user/is_bot: null 1 "false" true [] {} -
/invite_link: null [] {} "x" 1 true -
/invite_link/invite_link: null 1 [] {} true "https://t.me/+AbCdEf..." -
"#;

/// The updates of [`SPOILED`], made of a genuine join.
fn spoiled(join: &Value) -> Vec<String> {
    let mut updates = Vec::new();
    for line in lines(SPOILED) {
        let (pointer, values) = line.split_once(": ").unwrap();
        let pointer = format!("/chat_member{pointer}");
        for value in values.split(' ') {
            let mut update = join.clone();
            if value == "-" {
                let (parent, field) = pointer.rsplit_once('/').unwrap();
                let parent = update.pointer_mut(parent).unwrap().as_object_mut().unwrap();
                parent.remove(field).unwrap();
            } else {
                *update.pointer_mut(&pointer).unwrap() = serde_json::from_str(value).unwrap();
            }
            updates.push(update.to_string());
        }
    }
    updates
}

#[tokio::test]
async fn an_update_that_is_no_join_is_ignored_and_what_is_no_json_refused() {
    let stack = TestStack::start().await;
    let (_, link) = stack.admitted("u1", "T1").await;
    let join = stack.telegram.join_report(&link, 77);
    let secret = stack.env()["TELEGRAM_WEBHOOK_SECRET"].clone();
    let post = |status, word| {
        Case::new("POST", WEBHOOK, status, word).header(SECRET_HEADER, secret.as_bytes())
    };
    let mut cases: Vec<Case> = no_json()
        .into_iter()
        .map(|body| post(400, "invalid_json").body(body))
        .collect();
    let mut ignored: Vec<String> = lines(NO_JOIN).map(str::to_owned).collect();
    ignored.extend(spoiled(&join));
    // A key twice: whichever counts, a parser before us may have read the other.
    let whole = join.to_string();
    ignored.push(format!(
        "{}, \"chat_member\": null}}",
        whole.strip_suffix('}').unwrap()
    ));
    for depth in [10_000, 1_000_000] {
        ignored.push(nested(depth));
        ignored.push(format!(r#"{{"message": {}}}"#, nested(depth)));
        ignored.push(format!(r#"{{"chat_member": {}}}"#, nested(depth)));
    }
    ignored.push(format!(
        r#"{{"message": {{"text": "{}"}}}}"#,
        "x".repeat(KIB_64)
    ));
    cases.extend(
        ignored
            .into_iter()
            .map(|body| post(200, "ignored").body(body)),
    );
    // Nobody who lacks the secret is heard, least of all with a genuine join.
    let forged = || Case::new("POST", WEBHOOK, 401, "unauthorized").body(whole.clone());
    let tries = break_ins(SECRET_HEADER, &secret).into_iter();
    cases.extend(tries.map(|headers| forged().headers(headers)));
    let api_key = stack.local.api_key().as_bytes();
    cases.push(forged().header("x-api-key", api_key));
    cases.push(forged().header("x-api-key", secret.as_bytes()));
    cases.push(forged().header(SECRET_HEADER, api_key));
    cases.push(forged().header("authorization", format!("Bearer {secret}")));
    for below in ["", secret.as_str()] {
        let target = format!("{WEBHOOK}/{below}");
        let case = Case::new("POST", target, 404, "not_found").body(whole.clone());
        cases.push(case.header(SECRET_HEADER, secret.as_bytes()));
    }
    for method in ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        cases.push(Case::new(method, WEBHOOK, 405, "method_not_allowed").body(whole.clone()));
    }
    refuse_all(&stack, cases).await;
    // The join that all were made of is one.
    assert_eq!(stack.telegram.sent(&join).await, "joined");
    stack.run_until_idle().await;
}
