//! Facts are taken from structure, not from text: the same link, payment, chat or answer is known in whatever form it
//! comes, and what only looks like one is not.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use domain::id::{ChatId, InviteLink};
use local::harness::{Outside, TestStack, any_port, until};
use local::stack::Data;
use runtime::config::Env;
use runtime::redaction::is_secret;
use runtime::telemetry::chain;
use serde_json::{Value, json};
use simulators::clock::Clock;
use simulators::telegram::{ChatKind, Fault, FaultRule, Refusal, Rights, Telegram};
use telegram::Bots;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;

use super::bad_input::{Case, REQUEST, send};
use super::startup::spawn;

const TOKEN: &str = "987654321:AAF-structure-bot-token-0123456789";

/// A join as Telegram tells it, by a link in this form.
fn join_update(stack: &TestStack, link: &str, person: i64) -> Value {
    let user = json!({"id": person, "is_bot": false, "first_name": "A"});
    json!({"update_id": 1, "chat_member": {
        "chat": {"id": stack.chat_id, "type": "supergroup", "title": "Premium Club"},
        "from": user, "date": stack.clock.now_ms() / 1000,
        "old_chat_member": {"status": "left", "user": user},
        "new_chat_member": {"status": "member", "user": user},
        "invite_link": {"invite_link": link, "creator": {"id": stack.bot_id, "is_bot": true, "first_name": "B"},
            "creates_join_request": false, "is_primary": false, "is_revoked": false},
    }})
}

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
        let answer = stack.update(&join_update(&stack, form, person)).await;
        assert_eq!(answer.body["result"], "joined", "{form}");
        stack.run_until_idle().await;
        let status = stack.status(&id).await;
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
        assert!(stack.telegram.link(&link).unwrap().revoked, "{form}");
        let told = stack.webengage.ingested().pop().unwrap().body;
        assert_eq!(told["eventData"]["inviteLink"], link, "{form}");
        // The next update tells it as before: one join.
        let again = stack.update(&join_update(&stack, &link, person)).await;
        assert_eq!(again.body["result"], "duplicate", "{form}");
    }
    for cut in [
        "https://t.me/+AbCdEfGh...",
        "https://t.me/+AbCdEfGh\u{2026}",
    ] {
        let answer = stack.update(&join_update(&stack, cut, 7)).await;
        assert_eq!(answer.body["result"], "ignored", "{cut}");
    }
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
    let key = [("x-admin-key", stack.local.admin_key())];
    let find = async |query: String| {
        let path = format!("/v1/admin/invites?{query}");
        stack.get(&path, &key).await.body
    };
    for text in sought {
        for encoded in [
            text.bytes().map(|byte| format!("%{byte:02X}")).collect(),
            // As somebody types it.
            text.replace(' ', "%20").replace('&', "%26"),
        ] {
            let found = find(format!("link={encoded}")).await;
            assert_eq!(found["invites"][0]["requestId"], id, "{encoded}");
        }
    }
    // A plus that was not encoded is a space; where nothing is found, that is said.
    let found = find("userId=john+vip@example.com".to_owned()).await;
    assert_eq!(found["invites"], json!([]));
    assert!(found["hint"].as_str().unwrap().contains("%2B"), "{found}");
    let found = find("userId=john%2Bvip@example.com".to_owned()).await;
    assert_eq!(found, json!({"ok": true, "invites": []}));
}

#[tokio::test]
async fn one_payment_stays_one_however_it_was_copied_and_encoded() {
    let stack = TestStack::start().await;
    let key = stack.local.api_key().to_owned();
    let chat = stack.chat_id;
    let plain = stack.bought("u1", "T-1").await;
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
    let path = format!("/v1/admin/chats/{chat}/resume");
    let admin = [("x-admin-key", stack.local.admin_key())];
    let answer = stack.post(&path, "\u{feff}{}".to_owned(), &admin).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
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

#[tokio::test]
async fn a_clock_that_telegram_contradicts_holds_the_chat_and_is_named() {
    let outside = Outside::start(TOKEN, "structure-webengage-key").await;
    // Telegram's own clock is three days ahead of the local stack's: links of two days are over when they are asked for.
    let clock = Clock::new();
    clock.advance(Duration::from_secs(3 * 24 * 3600));
    let telegram = Telegram::start(any_port(), clock).await.unwrap();
    let bot = telegram.add_bot(TOKEN);
    telegram.add_chat(outside.chat_id, "Outside", ChatKind::Supergroup);
    telegram.make_admin(bot, outside.chat_id, Rights::all());
    let env = [("TELEGRAM_API_BASE", telegram.url())];
    let env = env.each_ref().map(|(name, value)| (*name, value.as_str()));
    let stack = outside
        .stack(any_port(), Data::Ephemeral, &env)
        .await
        .unwrap();
    let id = stack.bought("u1", "T1").await;
    let error = until("a reason", async || {
        stack.status(&id).await["error"].as_str().map(str::to_owned)
    })
    .await;
    // To the minute, or one less.
    assert!(
        error
            .contains("the clock of this machine is 3 d 0 h 0 min behind Telegram's: set it right")
            || error.contains("the clock of this machine is 2 d 23 h 59 min behind Telegram's"),
        "{error}"
    );
    let status = stack.status(&id).await;
    assert_eq!(
        (&status["status"], &status["attempts"]),
        (&json!("QUEUED"), &json!(0)),
        "{status}"
    );
    // The clock is set right, which ends the hold as well.
    stack.advance(Duration::from_secs(3 * 24 * 3600));
    let done = until("the link", async || {
        let status = stack.status(&id).await;
        (status["status"] == "DONE").then_some(status)
    })
    .await;
    assert_eq!(done["attempts"], 1, "{done}");
    until("empty queues", async || {
        let left = stack.depth("InviteQueue") + stack.depth("EventQueue");
        (left == 0).then_some(())
    })
    .await;
}

/// A server that answers every call with this, as a proxy between us and the others does.
async fn proxy(
    status: StatusCode,
    kind: &'static str,
    body: impl Fn(String) -> String + Clone + Send + Sync + 'static,
) -> String {
    let answer = move |uri: axum::http::Uri| {
        let body = body(uri.to_string());
        async move { (status, [(header::CONTENT_TYPE, kind)], body) }
    };
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

#[tokio::test]
async fn an_answer_that_repeats_a_secret_or_a_link_leaves_none_in_the_record() {
    let outside = Outside::start(TOKEN, "structure-webengage-key").await;
    let echo = |uri: String| {
        let said = format!(
            "Bad Request: no {uri}, token {TOKEN}, hook structure-webhook-secret, https://t.me/+AbCdEfGhIjKlMnOp"
        );
        json!({"ok": false, "error_code": 400, "description": said}).to_string()
    };
    let base = proxy(StatusCode::BAD_REQUEST, "application/json", echo).await;
    let env = [
        ("TELEGRAM_API_BASE", base.as_str()),
        ("TELEGRAM_WEBHOOK_SECRET", "structure-webhook-secret"),
    ];
    let mut env = Env::from_iter(outside.env().into_iter().chain(env));
    let bots = Bots::from_env(&mut env, &runtime::clock::Clock::real());
    let bot = bots.iter().next().unwrap();
    let link = InviteLink::new("https://t.me/+AbCdEfGhIjKlMnOp");
    let chat = ChatId(outside.chat_id);
    let refused = [
        bot.me().await.err().unwrap(),
        bot.revoke_invite_link(chat, &link).await.err().unwrap(),
    ];
    for error in refused {
        let said = format!("{error} {error:?} {}", chain(&error));
        for secret in [
            TOKEN,
            "AAF-structure",
            "structure-webhook-secret",
            "AbCdEfGhIjKlMnOp",
        ] {
            assert!(!said.contains(secret), "{said}");
        }
        assert!(said.contains("Bad Request: no /bot"), "{said}");
    }
}

#[tokio::test]
async fn what_telegram_repeats_of_a_secret_is_not_in_the_status_of_a_request() {
    let stack = TestStack::with(&[("MAX_ATTEMPTS", "1")]).await;
    let token = stack.env()["TELEGRAM_BOT_TOKEN"].clone();
    let words = format!("Bad Request: /bot{token}/createChatInviteLink t.me/+AbCdEfGhIjKlMnOp");
    stack.telegram.fail(
        FaultRule::on(
            "createChatInviteLink",
            Fault::Refuse(Refusal::new(400, words)),
        )
        .times(1),
    );
    let id = stack.bought("u1", "T1").await;
    let error = until("a reason", async || {
        stack.status(&id).await["error"].as_str().map(str::to_owned)
    })
    .await;
    assert!(
        error.contains("Bad Request: /bot[") && !error.contains(&token),
        "{error}"
    );
    assert!(
        error.contains("[link]") && !error.contains("AbCdEf"),
        "{error}"
    );
    stack.run_until_idle().await;
}

/// Reads one call, head and body, from a connection; `None` if it is closed.
async fn read_call(stream: &mut TcpStream) -> Option<()> {
    let (mut call, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream
            .read(&mut chunk)
            .await
            .ok()
            .filter(|read| *read > 0)?;
        call.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&call).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.trim().parse().unwrap()) {
            return Some(());
        }
    }
}

/// How many connections die in the pool below: more than a call has tries.
const DYING: usize = 4;

#[tokio::test]
async fn connections_that_died_without_a_word_cost_a_call_one_try() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let all_are_in_use = Arc::new(Barrier::new(DYING));
    tokio::spawn(async move {
        for number in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let all_are_in_use = Arc::clone(&all_are_in_use);
            tokio::spawn(async move {
                let mut is_first = true;
                while read_call(&mut stream).await.is_some() {
                    // As behind a proxy that has forgotten the connection: it is open, and nothing comes back.
                    if number < DYING && !is_first {
                        std::future::pending::<()>().await;
                    }
                    if number < DYING {
                        all_are_in_use.wait().await;
                    }
                    let body = r#"{"TableNames": []}"#;
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    is_first = false;
                }
            });
        }
    });
    let mut env = Env::from_iter([
        ("AWS_ACCESS_KEY_ID", "k"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", url.as_str()),
    ]);
    let dynamo = runtime::aws::Shared::from_env(&mut env).dynamodb();
    let at_once = (0..DYING).map(|_| dynamo.list_tables().send());
    for answer in futures_util::future::join_all(at_once).await {
        answer.unwrap();
    }
    // All connections of the pool are dead by now; a second try takes none of them.
    dynamo.list_tables().send().await.unwrap();
}

#[tokio::test]
async fn a_function_answers_an_event_that_is_none_of_its_gateways_with_a_sentence() {
    let stack = TestStack::start().await;
    let env: Vec<_> = stack
        .env()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let function = spawn("request", &env).await;
    function.ready().await.unwrap();
    let of_gateway = |odd: Value| {
        json!({"version": "2.0", "rawPath": REQUEST, "rawQueryString": odd, "headers": odd,
            "requestContext": {"http": {"method": "POST"}}, "body": "{}", "isBase64Encoded": odd})
    };
    let of_rest = json!({"httpMethod": "POST", "path": REQUEST, "headers": {"x-api-key": "k"},
        "requestContext": {"httpMethod": "POST"}, "body": "{}"});
    let of_balancer = json!({"httpMethod": "POST", "path": REQUEST, "headers": {},
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:x"}}, "body": ""});
    for (event, status, code) in [
        (of_gateway(Value::Null), 401, "unauthorized"),
        (of_gateway(json!(7)), 401, "unauthorized"),
        (of_rest, 400, "unsupported_event"),
        (of_balancer, 400, "unsupported_event"),
        (json!({"key1": "value1"}), 400, "unsupported_event"),
        (json!([]), 400, "unsupported_event"),
        (json!(null), 400, "unsupported_event"),
    ] {
        let answer = function
            .invoke(event.to_string().into_bytes())
            .await
            .unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(
            (&answer["statusCode"], &body["code"]),
            (&json!(status), &json!(code)),
            "{event}"
        );
    }
}

#[test]
fn every_setting_that_is_called_a_secret_is_cleared_from_what_others_say() {
    let operations = include_str!("../../../docs/OPERATIONS.md");
    let rows = operations.lines().filter(|line| line.starts_with("| `"));
    let secrets: Vec<&str> = rows
        .filter_map(|row| row.split_once(" (secret) |").map(|(name, _)| name))
        .flat_map(|names| names.split('`').filter(|name| name.contains('_')))
        .collect();
    assert!(secrets.len() >= 6, "{secrets:?}");
    for name in secrets {
        // A licence code stands in the URL of WebEngage's own pages.
        let is_right = is_secret(name) || name == "WEBENGAGE_LICENSE_CODE";
        assert!(is_right, "{name} is a secret by no rule of its name");
    }
    assert!(!is_secret("TELEGRAM_CHAT_ID") && !is_secret("AWS_ACCESS_KEY_ID"));
}
