//! The same link and the same payment are known in whatever form they come, and what only looks like one is not.

use domain::id::InviteLink;
use local::harness::TestStack;
use serde_json::json;

use super::bad_input::{Case, REQUEST, send};

/// The link in the forms that Telegram and people have for it.
fn forms(link: &str) -> Vec<String> {
    let part = link.rsplit_once('+').unwrap().1;
    vec![
        format!("https://telegram.me/+{part}"),
        format!("https://telegram.dog/+{part}"),
        format!("http://t.me/+{part}"),
        format!("t.me/+{part}"),
        format!("https://t.me/joinchat/{part}"),
        format!("tg://join?invite={part}"),
        format!(" https://t.me/+{part}/ "),
        format!("https://t.me/+{part}?x=1"),
    ]
}

#[tokio::test]
async fn a_join_is_recorded_in_whatever_form_its_link_is_told() {
    let stack = TestStack::with(&[("SAFE_RPS_SLEEP_MS", "34")]).await;
    for (n, _) in forms("+x").iter().enumerate() {
        let (id, link) = stack.admitted(&format!("u{n}"), &format!("T{n}")).await;
        let (form, person) = (&forms(&link)[n], 100 + i64::try_from(n).unwrap());
        let report = stack.telegram.join_report(form, person);
        assert_eq!(stack.telegram.sent(&report).await, "joined", "{form}");
        stack.run_until_idle().await;
        let status = stack.shop().status(&id).await;
        assert_eq!(
            (
                &status["joined"],
                &status["joinEventFired"],
                &status["inviteLink"]
            ),
            (&json!(true), &json!(true), &json!(link)),
            "{form}"
        );
        // What is revoked and told is the link as it was given.
        assert!(stack.telegram.is_revoked(&link), "{form}");
        let delivered = stack.webengage.ingested().pop().unwrap().body;
        assert_eq!(delivered["eventData"]["inviteLink"], link, "{form}");
        // The next update tells it as before: one join.
        let report = stack.telegram.join_report(&link, person);
        assert_eq!(stack.telegram.sent(&report).await, "duplicate", "{form}");
    }
    for cut in [
        "https://t.me/+AbCdEfGh...",
        "https://t.me/+AbCdEfGh\u{2026}",
    ] {
        let report = stack.telegram.join_report(cut, 7);
        assert_eq!(stack.telegram.sent(&report).await, "ignored", "{cut}");
    }
    stack.run_until_idle().await;
}

#[tokio::test]
async fn an_operator_finds_a_request_by_its_link_in_any_form_its_part_or_its_hash() {
    let stack = TestStack::start().await;
    let (id, link) = stack.admitted("u1", "T1").await;
    let part = link.rsplit_once('+').unwrap().1;
    let hash = InviteLink::new(link.as_str()).hash();
    let mut sought = forms(&link);
    sought.extend([
        part.to_owned(),
        format!("+{part}"),
        hash.as_str().to_owned(),
        hash.as_str().to_uppercase(),
    ]);
    let operator = stack.operator();
    for text in sought {
        for encoded in [
            text.bytes().map(|byte| format!("%{byte:02X}")).collect(),
            // As somebody types it.
            text.replace(' ', "%20").replace('&', "%26"),
        ] {
            let found = operator.find(&format!("link={encoded}")).await.done();
            assert_eq!(found["invites"][0]["requestId"], id, "{encoded}");
        }
    }
    // A plus that was not encoded is a space; where nothing is found, that is said.
    let found = operator.find("userId=john+vip@example.com").await.done();
    assert_eq!(found["invites"], json!([]));
    assert!(found["hint"].as_str().unwrap().contains("%2B"), "{found}");
    let found = operator.find("userId=john%2Bvip@example.com").await.done();
    assert_eq!(found, json!({"ok": true, "invites": []}));
}

#[tokio::test]
async fn one_payment_stays_one_however_it_was_copied_and_encoded() {
    let stack = TestStack::start().await;
    let key = stack.local.api_key().to_owned();
    let chat = stack.chat_id;
    let plain = stack.shop().bought("u1", "T-1").await;
    for body in [
        "\u{feff}{\"userId\": \"u1\", \"transactionId\": \"T-1\"}".to_owned(),
        "{\"userId\": \"u1\u{200b}\", \"transactionId\": \"T-1\u{200b}\"}".to_owned(),
        r#"{"userId": "\ufeffu1", "transactionId": "\u200eT\u2060-1\u200f"}"#.to_owned(),
        format!(r#"{{"userId": "u1", "transactionId": "T-1", "chatId": {chat}}}"#),
        format!(r#"{{"userId": "u1", "transactionId": "T-1", "chatId": "{chat}"}}"#),
        format!(r#"{{"userId": "u1", "transactionId": "T-1", "chatId": " {chat}\u200b "}}"#),
    ] {
        let answer = stack
            .post(REQUEST, body.clone(), &[("x-api-key", &key)])
            .await;
        assert_eq!(answer.status, 200, "{body}: {}", answer.body);
        assert_eq!(answer.request_id(), plain, "{body}");
    }
    stack.run_until_idle().await;
    assert_eq!(stack.telegram.link_count(), 1);
    // A mark before an update and before an operator's call, too.
    let update = format!("\u{feff}{}", json!({"update_id": 1, "message": {}}));
    let secret = stack.env()["TELEGRAM_WEBHOOK_SECRET"].clone();
    let secret = [("x-telegram-bot-api-secret-token", secret.as_str())];
    let answer = stack.post("/v1/telegram/webhook", update, &secret).await;
    assert_eq!(answer.body["result"], "ignored");
    let resume = format!("chats/{chat}/resume");
    stack.operator().send(&resume, "\u{feff}{}").await.done();
    stack.run_until_idle().await;
}

#[tokio::test]
async fn a_header_that_is_sent_twice_is_one_value_as_behind_the_gateway() {
    let stack = TestStack::start().await;
    let key = stack.local.api_key().to_owned();
    let call = |headers: &[(&'static str, &str)]| {
        let mut case = Case::new("POST", REQUEST, 200, "").body(r#"{"userId": "u1"}"#);
        for (name, value) in headers {
            case = case.header(name, *value);
        }
        case
    };
    let twice = call(&[("x-api-key", &key), ("X-Api-Key", &key)]);
    assert_eq!(send(&stack, &twice).await.status, 401);
    let keyed = |keys: &[&str]| {
        let mut case = call(&[("x-api-key", &key)]);
        for key in keys {
            case = case.header("idempotency-key", *key);
        }
        case
    };
    let twice = send(&stack, &keyed(&["k1", "k2"])).await.body["requestId"].clone();
    let joined = send(&stack, &keyed(&["k1,k2"])).await.body["requestId"].clone();
    let once = send(&stack, &keyed(&["k1"])).await.body["requestId"].clone();
    assert!(twice.is_string() && once.is_string());
    assert_eq!(twice, joined);
    assert_ne!(twice, once);
    stack.run_until_idle().await;
}
