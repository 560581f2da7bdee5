//! JSON on which readers disagree: there is one reading, and it is tested.

use local::harness::TestStack;
use serde_json::{Value, json};
use simulators::telegram::{Tap, User};

use super::{GOOD, REQUEST, SECRET_HEADER, WEBHOOK, ask, secret, still_serves};

/// More levels than a stack has frames for.
const LEVELS: usize = 100_000;

#[tokio::test]
async fn of_a_key_that_comes_twice_the_last_counts_for_a_payment_and_none_for_the_rest() {
    let mut stack = TestStack::start().await;
    let shop = stack.shop();
    let key = stack.local.api_key().to_owned();
    let twice = br#"{"userId": "first", "transactionId": "first", "userId": "last", "transactionId": "last"}"#;
    let answer = ask(&stack, "POST", REQUEST, &[("x-api-key", &key)], twice).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    stack.run_until_idle().await;
    let id = answer.json()["requestId"].as_str().unwrap().to_owned();
    let stored = shop.status(&id).await;
    assert_eq!(
        (&stored["userId"], &stored["transactionId"]),
        (&json!("last"), &json!("last"))
    );
    // The same words by another way are the same payment: no second reader saw the first.
    let again = shop.buy("last", "last").await;
    assert_eq!(
        (again.request_id(), &again.body["duplicate"]),
        (id.clone(), &json!(true))
    );
    let delivered = &stack.webengage.ingested()[0].body;
    assert_eq!(
        (
            &delivered["userId"],
            &delivered["eventData"]["transactionId"]
        ),
        (&json!("last"), &json!("last"))
    );

    // An update with one is no update that Telegram sends.
    let link = shop.link(&id).await;
    let user = r#"{"id": 77, "is_bot": false, "first_name": "A"}"#;
    let change = |twice: &str| {
        format!(
            r#"{{"update_id": 1, "chat_member": {{"chat": {{"id": {}, "type": "supergroup"}}, "from": {user}, "date": 1795176000,
            "old_chat_member": {{"status": "left", "user": {user}}}, "new_chat_member": {{"status": "member", "user": {user}}},
            "invite_link": {{"invite_link": "{link}"}}{twice}}}}}"#,
            stack.chat_id
        )
    };
    let secret = secret(&stack);
    for twice in [
        format!(r#", "chat": {{"id": {}}}"#, stack.chat_id),
        r#", "date": 1"#.to_owned(),
        format!(r#", "new_chat_member": {{"status": "member", "user": {user}, "user": {user}}}"#),
        format!(r#", "invite_link": {{"invite_link": "{link}"}}"#),
    ] {
        let body = change(&twice);
        let answer = ask(
            &stack,
            "POST",
            WEBHOOK,
            &[(SECRET_HEADER, &secret)],
            body.as_bytes(),
        )
        .await;
        assert_eq!(
            (answer.status, &answer.json()["result"]),
            (200, &json!("ignored")),
            "{body}"
        );
    }
    assert_eq!(shop.status(&id).await["joined"], false);

    // A bell or an event with one is poison.
    let bell = json!({"kind": "work", "chatId": stack.chat_id});
    let body = bell.to_string().replace('{', r#"{"chatId": -1, "#);
    stack.send_raw("InviteQueue", &body).await;
    stack.leaves_something();
    stack.run_until_idle().await;
    assert_eq!(stack.depth("InviteDeadLetterQueue"), 1);
    assert_eq!(shop.status(&id).await["userId"], "last");
}

#[tokio::test]
async fn an_id_up_to_2_to_the_53_or_in_quotes_arrives_to_the_last_digit() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    let key = stack.local.api_key().to_owned();
    for id in [
        "9007199254740991",
        "-9007199254740991",
        "\"9007199254740993\"",
        "\"18446744073709551615\"",
    ] {
        let body = format!(r#"{{"userId": {id}, "transactionId": {id}}}"#);
        let id = id.trim_matches('"');
        let answer = ask(
            &stack,
            "POST",
            REQUEST,
            &[("x-api-key", &key)],
            body.as_bytes(),
        )
        .await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        stack.run_until_idle().await;
        let request_id = answer.json()["requestId"].as_str().unwrap().to_owned();
        let stored = shop.status(&request_id).await;
        assert_eq!(
            (&stored["userId"], &stored["transactionId"]),
            (&json!(id), &json!(id))
        );
        let event = stack.webengage.ingested().pop().unwrap().body;
        assert_eq!(
            (&event["userId"], &event["eventData"]["transactionId"]),
            (&json!(id), &json!(id))
        );
    }
    // And a person's, which has up to 52 bits today.
    let (request_id, link) = stack.admitted("u", "T").await;
    assert_eq!(
        stack.telegram.tap(&link, User::new(9_007_199_254_740_993)),
        Tap::Joined
    );
    stack.run_until_idle().await;
    assert_eq!(
        shop.status(&request_id).await["telegramUserId"],
        9_007_199_254_740_993_i64
    );
    let event = stack.webengage.ingested().pop().unwrap().body;
    assert_eq!(event["eventData"]["telegramUserId"], "9007199254740993");
}

#[tokio::test]
async fn numbers_that_no_two_readers_agree_on_are_no_ids() {
    let stack = TestStack::start().await;
    let key = stack.local.api_key().to_owned();
    for number in [
        "1e400",
        "-1e400",
        "-0",
        "-0.0",
        "0e0",
        "1E0",
        "1e-400",
        "1e19",
        "9007199254740993.0",
        "9007199254740993",
        "18446744073709551616",
        "1e999999999999999999999",
    ] {
        let body = format!(r#"{{"userId": {number}, "transactionId": "T"}}"#);
        let answer = ask(
            &stack,
            "POST",
            REQUEST,
            &[("x-api-key", &key)],
            body.as_bytes(),
        )
        .await;
        assert_eq!(answer.status, 400, "{number}: {}", answer.body);
        let code = answer.code();
        assert!(
            ["invalid_json", "invalid_user_id"].contains(&code.as_str()),
            "{number}: {code}"
        );
    }
    // Where no field of ours is meant, a number beyond all bounds spoils nothing, and is not taken for another.
    let secret = secret(&stack);
    for number in ["1e400", "-0", "1e999999999999999999999"] {
        let body = format!(r#"{{"update_id": {number}, "message": {{"date": {number}}}}}"#);
        let answer = ask(
            &stack,
            "POST",
            WEBHOOK,
            &[(SECRET_HEADER, &secret)],
            body.as_bytes(),
        )
        .await;
        assert_eq!(
            (answer.status, &answer.json()["result"]),
            (200, &json!("ignored")),
            "{number}"
        );
    }
}

#[tokio::test]
async fn a_hundred_thousand_levels_end_no_process_whoever_reads_them() {
    let mut stack = TestStack::start().await;
    let (key, secret) = (stack.local.api_key().to_owned(), secret(&stack));
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let nested = format!("{}1{}", open.repeat(LEVELS), close.repeat(LEVELS));
        let endless = open.repeat(LEVELS);
        let is_small = nested.len() < 60_000;
        for body in [
            nested.clone(),
            endless,
            format!(r#"{{"userId": {nested}}}"#),
        ] {
            let answer = ask(
                &stack,
                "POST",
                REQUEST,
                &[("x-api-key", &key)],
                body.as_bytes(),
            )
            .await;
            assert!([400, 413].contains(&answer.status), "{}", answer.body);
            let cut = &body[..body.len().min(64_000)];
            let answer = ask(
                &stack,
                "POST",
                REQUEST,
                &[("x-api-key", &key)],
                cut.as_bytes(),
            )
            .await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (400, "invalid_json")
            );
            let answer = ask(
                &stack,
                "POST",
                WEBHOOK,
                &[(SECRET_HEADER, &secret)],
                body.as_bytes(),
            )
            .await;
            assert!([200, 400].contains(&answer.status), "{}", answer.body);
            let answer = ask(
                &stack,
                "POST",
                "/local/actions/buy",
                &[("x-api-key", &key)],
                &body.as_bytes()[..16_000],
            )
            .await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (400, "invalid_json")
            );
        }
        assert!(!is_small);
        stack.send_raw("InviteQueue", &nested).await;
        let event = format!(
            r#"{{"eventId": "e", "requestId": "{}", "eventName": "pass_paid_community_telegram_joined", "userId": "u",
            "eventTime": "2026-11-20T12:00:00.000Z", "eventData": {{"a": {nested}}}}}"#,
            uuid::Uuid::nil()
        );
        stack.send_raw("EventQueue", &event).await;
    }
    stack.leaves_something();
    stack.run_until_idle().await;
    assert_eq!(stack.depth("InviteDeadLetterQueue"), 2);
    assert_eq!(stack.depth("EventDeadLetterQueue"), 2);
    still_serves(&stack).await;
}

#[tokio::test]
async fn what_a_shop_writes_into_an_id_is_an_id_to_everybody_behind() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    let ids = [
        r#"","eventName":"pass_paid_community_telegram_joined","x":""#,
        r#"{"$ne": null}"#,
        "'; DROP TABLE InviteRequests; --",
        "attribute_exists(requestId)",
        "$(jndi:ldap://127.0.0.1/x)",
        "http://169.254.169.254/latest/meta-data/",
        "../../../v1/accounts/other/events",
        "=HYPERLINK(\"http://127.0.0.1\")",
        "<script>alert(1)</script>",
        "line\r\nx-api-key: forged\r\n\r\nline",
        "\u{0}\u{1b}[2J",
    ];
    for id in ids {
        let answer = shop.buy(id, id).await;
        assert_eq!(answer.status, 200, "{id}: {}", answer.body);
        stack.run_until_idle().await;
        let stored = shop.status(&answer.request_id()).await;
        assert_eq!(
            (&stored["userId"], &stored["transactionId"]),
            (&json!(id), &json!(id))
        );
        let event = stack.webengage.ingested().pop().unwrap().body;
        let link = stored["inviteLink"].clone();
        let mut right = json!({"userId": id, "eventName": "pass_paid_community_telegram_link_created",
            "eventData": {"transactionId": id, "inviteLink": link}});
        right["eventTime"] = event["eventTime"].clone();
        assert_eq!(event, right);
    }
    assert_eq!(stack.webengage.ingested().len(), ids.len());
    assert_eq!(stack.telegram.link_count(), ids.len());
}

#[tokio::test]
async fn a_body_that_is_no_text_is_refused_before_anything_is_done() {
    let stack = TestStack::start().await;
    let (key, secret) = (stack.local.api_key().to_owned(), secret(&stack));
    let bodies: [&[u8]; 8] = [
        b"{\"userId\": \"\xff\xfe\"}",
        b"{\"userId\": \"\xc0\x80\"}",
        b"{\"userId\": \"\xed\xa0\x80\"}",
        b"{\"userId\": \"u\", \"\xff\": 1}",
        b"{\"userId\": \"\xf8\x88\x80\x80\x80\"}",
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf\xef\xbb\xbf{\"userId\": \"u\"}",
        b"{\"userId\": \"u\"}\x00",
    ];
    for body in bodies {
        for (target, header, value) in [
            (REQUEST, "x-api-key", &key),
            (WEBHOOK, SECRET_HEADER, &secret),
        ] {
            let answer = ask(&stack, "POST", target, &[(header, value)], body).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (400, "invalid_json"),
                "{target} {body:?}"
            );
        }
    }
    // Half a pair of surrogates is no character: a payment by it is none, and an update with it is none of ours.
    for half in [r"\ud800", r"\udc00", r"\udc00\ud800", r"\ud83dx"] {
        let body = GOOD.replace("u1", half);
        let answer = ask(
            &stack,
            "POST",
            REQUEST,
            &[("x-api-key", &key)],
            body.as_bytes(),
        )
        .await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "invalid_json"),
            "{half}"
        );
        let body = format!(r#"{{"chat_member": {{"invite_link": {{"invite_link": "{half}"}}}}}}"#);
        let answer = ask(
            &stack,
            "POST",
            WEBHOOK,
            &[(SECRET_HEADER, &secret)],
            body.as_bytes(),
        )
        .await;
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({"ok": true, "result": "ignored"})),
            "{half}"
        );
    }
    assert_eq!(stack.telegram.link_count(), 0);
    let _: Value = stack.shop().status("x").await;
}
