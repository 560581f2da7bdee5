//! Who may ask, and finding requests.

use serde_json::{Value, json};

use super::quiet;

const ID: &str = "00000000-0000-8000-8000-00000000000a";

#[tokio::test]
async fn nobody_but_an_operator_gets_in_by_any_route_and_an_operator_is_no_shop() {
    let stack = quiet(&[]).await;
    let chat = stack.chat_id;
    let routes = [
        ("GET", "invites?userId=u1".to_owned()),
        ("POST", format!("invites/{ID}/retry")),
        ("POST", format!("invites/{ID}/reissue")),
        ("POST", format!("invites/{ID}/resend-event")),
        ("POST", format!("invites/{ID}/give-up-event")),
        ("GET", "invites?status=failed".to_owned()),
        ("POST", "invites/retry-all".to_owned()),
        ("GET", "dead-letters".to_owned()),
        ("POST", "dead-letters/redrive".to_owned()),
        ("GET", "chats".to_owned()),
        ("POST", format!("chats/{chat}/pause")),
        ("POST", format!("chats/{chat}/resume")),
    ];
    let shop = stack.local.api_key();
    let operator = stack.local.admin_key();
    let bearer = format!("Bearer {shop}");
    let named = format!("operator:{operator}");
    let cut = &operator[..operator.len() - 1];
    let secret = stack.env()["TELEGRAM_WEBHOOK_SECRET"].clone();
    let strangers: [&[(&str, &str)]; 8] = [
        &[],
        &[("x-api-key", shop)],
        &[("x-admin-key", shop)],
        &[("authorization", &bearer)],
        &[("x-api-key", operator)],
        &[("x-admin-key", &named)],
        &[("x-admin-key", cut)],
        &[("x-admin-key", &secret)],
    ];
    for (method, route) in &routes {
        let path = format!("/v1/admin/{route}");
        for headers in strangers {
            let answer = match *method {
                "GET" => stack.get(&path, headers).await,
                _ => stack.post(&path, "{}", headers).await,
            };
            assert_eq!(
                answer.refusal(),
                (401, "unauthorized"),
                "{method} {route} {headers:?}"
            );
        }
    }
    // As a bearer token it does as well; and it is no key of a shop.
    let bearer = format!("Bearer {operator}");
    let by_bearer = [("authorization", bearer.as_str())];
    assert_eq!(stack.get("/v1/admin/chats", &by_bearer).await.status, 200);
    for headers in [&by_bearer[..], &[("x-api-key", operator)]] {
        let path = format!("/v1/invite/{ID}");
        assert_eq!(stack.get(&path, headers).await.status, 401);
    }
}

#[tokio::test]
async fn a_request_is_found_by_all_that_people_know_of_it() {
    let stack = quiet(&[]).await;
    let operator = stack.operator();
    let (id, link) = stack.admitted("ann lee", "T/1 &2").await;
    stack.shop().bought("bob", "T-9").await;
    stack.run_until_idle().await;
    let encoded = link.replace('+', "%2B");
    for query in [
        format!("requestId={id}"),
        "transactionId=T%2F1%20%262".to_owned(),
        "transactionId=T%2F1+%262".to_owned(),
        format!("transactionId=T%2F1%20%262&chatId={}", stack.chat_id),
        "userId=ann%20lee".to_owned(),
        "userId=ann+lee&else=1".to_owned(),
        format!("link={encoded}"),
        // As somebody types it.
        format!("link={link}"),
    ] {
        let found = operator.find(&query).await;
        assert_eq!(found.status, 200, "{query}: {}", found.body);
        let invites = found.body["invites"].as_array().unwrap();
        assert_eq!(invites.len(), 1, "{query}");
        assert_eq!(invites[0]["requestId"], id, "{query}");
    }
    for query in [
        format!("requestId={ID}"),
        "transactionId=T".to_owned(),
        "userId=ann".to_owned(),
        "link=https://t.me/%2Bnobodys".to_owned(),
    ] {
        let found = operator.find(&query).await;
        assert_eq!(found.body, json!({"ok": true, "invites": []}), "{query}");
    }
}

#[tokio::test]
async fn all_of_a_request_is_told() {
    let stack = quiet(&[]).await;
    let operator = stack.operator();
    let (id, link) = stack.admitted("u1", "T1").await;
    let view = operator.invite(&id).await;
    assert_eq!(
        [&view["status"], &view["userId"], &view["transactionId"]],
        ["DONE", "u1", "T1"]
    );
    assert_eq!(view["link"]["inviteLink"], link);
    assert!(view["link"]["expiresAt"].is_string() && view["link"]["doneAt"].is_string());
    assert_eq!(
        (&view["linkVersion"], &view["attempts"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(view["events"]["linkCreated"]["fired"], true);
    assert_eq!(view["events"]["joined"]["isTrue"], false);
    let ids: Vec<String> = stack
        .webengage
        .ingested()
        .into_iter()
        .filter_map(|event| event.request_id)
        .collect();
    assert_eq!(view["events"]["linkCreated"]["eventId"], ids[0]);
    assert_eq!(
        (view.get("pendingSince"), &view["history"]),
        (None, &json!([]))
    );
    assert_eq!(view.get("join"), None);
    stack.customer(77).join_by(&link);
    stack.run_until_idle().await;
    let view = operator.invite(&id).await;
    assert_eq!(view["join"]["telegramUserId"], 77);
    assert_eq!(view["join"]["inviteLink"], link);
    assert_eq!(view["events"]["joined"]["fired"], true);
    assert_eq!(view.get("pendingSince"), None);
}

#[tokio::test]
async fn a_users_requests_come_page_by_page_the_newest_first() {
    let stack = quiet(&[("SAFE_RPS_SLEEP_MS", "34")]).await;
    let (shop, operator) = (stack.shop(), stack.operator());
    let mut bought = Vec::new();
    for number in 0..45 {
        bought.push(shop.bought("ann", &format!("T{number}")).await);
    }
    stack.run_until_idle().await;
    let (mut found, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = operator.find(&format!("userId=ann{cursor}")).await.body;
        let invites = page["invites"].as_array().unwrap();
        assert!(invites.len() <= 20);
        found.extend(invites.iter().map(|invite| invite["requestId"].clone()));
        pages += 1;
        match page["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    bought.reverse();
    assert_eq!(
        (found, pages),
        (bought.into_iter().map(Value::from).collect(), 3)
    );
}

#[tokio::test]
async fn a_call_that_is_no_question_is_refused_by_what_is_wrong() {
    let stack = quiet(&[]).await;
    let operator = stack.operator();
    let long = |most: usize| "x".repeat(most + 1);
    for (query, status, code) in [
        (String::new(), 400, "invalid_query"),
        ("chatId=-1".to_owned(), 400, "invalid_query"),
        (format!("requestId={ID}&userId=u"), 400, "invalid_query"),
        ("userId=u&userId=v".to_owned(), 400, "invalid_query"),
        ("requestId=x".to_owned(), 400, "invalid_request_id"),
        ("transactionId=T&chatId=-7".to_owned(), 400, "unknown_chat"),
        ("transactionId=T&chatId=x".to_owned(), 400, "unknown_chat"),
        ("transactionId=".to_owned(), 400, "invalid_transaction_id"),
        (
            format!("transactionId={}", long(256)),
            400,
            "invalid_transaction_id",
        ),
        ("userId=%20".to_owned(), 400, "invalid_user_id"),
        (format!("userId={}", long(100)), 400, "invalid_user_id"),
        ("userId=u&cursor=x".to_owned(), 400, "invalid_parameter"),
        ("status=done".to_owned(), 400, "invalid_parameter"),
        ("status=failed&userId=u".to_owned(), 400, "invalid_query"),
        (
            "status=failed&cursor=61".to_owned(),
            400,
            "invalid_parameter",
        ),
        ("status=failed&chatId=-7".to_owned(), 400, "unknown_chat"),
        (format!("link={}", long(256)), 400, "invalid_parameter"),
    ] {
        let answer = operator.find(&query).await;
        assert_eq!(answer.refusal(), (status, code), "{query}");
    }
    for (path, body, status, code) in [
        ("invites/x/retry", "{}", 400, "invalid_request_id"),
        (&format!("invites/{ID}/retry"), "{}", 404, "not_found"),
        (&format!("invites/{ID}/reissue"), "{}", 404, "not_found"),
        (&format!("invites/{ID}/reissue"), "[]", 400, "invalid_json"),
        (
            &format!("invites/{ID}/reissue"),
            r#"{"linkVersion": -1}"#,
            400,
            "invalid_parameter",
        ),
        (
            &format!("invites/{ID}/resend-event"),
            "{}",
            400,
            "invalid_parameter",
        ),
        (
            &format!("invites/{ID}/resend-event"),
            r#"{"event": "x"}"#,
            400,
            "invalid_parameter",
        ),
        ("dead-letters/redrive", "{", 400, "invalid_json"),
        (
            "dead-letters/redrive",
            r#"{"queue": "x"}"#,
            400,
            "invalid_parameter",
        ),
        ("chats/x/pause", r#"{"reason": "r"}"#, 400, "unknown_chat"),
        ("chats/-7/pause", r#"{"reason": "r"}"#, 400, "unknown_chat"),
        ("chats/-7/resume", "{}", 400, "unknown_chat"),
    ] {
        let answer = operator.send(path, body).await;
        assert_eq!(answer.refusal(), (status, code), "{path} {body}");
    }
    let chat = format!("chats/{}/pause", stack.chat_id);
    for body in [
        json!({}),
        json!({"reason": " "}),
        json!({"reason": long(200)}),
        json!({"reason": "r", "untilMinutes": 0}),
        json!({"reason": "r", "untilMinutes": 43_201}),
        json!({"reason": "r", "untilMinutes": "5"}),
    ] {
        let answer = operator.post(&chat, &body).await;
        assert_eq!(answer.refusal(), (400, "invalid_parameter"), "{body}");
    }
    let big = json!({"linkVersion": 0, "note": "x".repeat(70_000)});
    let answer = operator.post(&format!("invites/{ID}/reissue"), &big).await;
    assert_eq!(answer.refusal(), (413, "too_large"));
}
