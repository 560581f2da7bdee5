//! No secret, no link, no e-mail address and no raw body in anything that the processes write, at the chattiest level.

mod repeated_by_others;

use domain::id::ChatId;
use domain::task::{Mint, Task, Work};
use domain::time::Timestamp;
use local::harness::{ExternalServices, TestStack, until};
use reqwest::Method;
use serde_json::{Value, json};
use simulators::lambda::Function;
use simulators::telegram::{Fault, FaultRule, Tap, User};
use simulators::webengage::Mode;

use crate::startup::{purchase, spawn};
use local::harness::process::Process;

const TOKEN: &str = "987654321:AAPlantedBotTokenPlantedBotToken012";
const WEBENGAGE_KEY: &str = "planted-webengage-key";
const API_KEY: &str = "planted-api-key";
const WEBHOOK_SECRET: &str = "planted-webhook-secret";
const AWS_SECRET: &str = "planted-aws-secret";
const RAW: &str = "planted-raw-body";
/// All of them hold this, and nothing that may be written does.
const PLANTED: [&str; 3] = ["planted", "Planted", "@example.com"];

/// Fails on every line that holds something planted or a link, or a part of one.
fn assert_clean(lines: &[String], links: &[String]) {
    let tails = links.iter().map(|link| link.rsplit_once('+').unwrap().1);
    let forbidden: Vec<&str> = PLANTED.into_iter().chain(["t.me/"]).chain(tails).collect();
    for line in lines {
        let found = forbidden.iter().find(|secret| line.contains(**secret));
        assert!(found.is_none(), "{} is in: {line}", found.unwrap());
    }
}

/// Sends a message to one of the process's queues, as anybody with its AWS address can.
async fn sends(process: &Process, queue: &str, body: &str) {
    let mut env = process.env.clone().into_iter().collect();
    let sqs = runtime::aws::Shared::from_env(&mut env).sqs();
    let sent = sqs.send_message().queue_url(&process.env[queue]);
    sent.message_body(body).send().await.unwrap();
}

#[tokio::test]
async fn the_local_stack_writes_no_secret_and_no_link_whatever_goes_wrong_at_trace_level() {
    let externals = ExternalServices::start(TOKEN, WEBENGAGE_KEY).await;
    let mut env = externals.env();
    env.extend([
        ("API_KEYS", API_KEY),
        ("TELEGRAM_WEBHOOK_SECRET", WEBHOOK_SECRET),
        ("AWS_SECRET_ACCESS_KEY", AWS_SECRET),
        ("BASE_BACKOFF_SEC", "1"),
        ("RUST_LOG", "trace"),
        ("RUST_BACKTRACE", "1"),
    ]);
    let process = Process::start(&["--ephemeral"], &env).await;
    let email = |n: u32| format!("buyer-{n}@example.com");
    let buy = async |n: u32| {
        let body = json!({"userId": email(n), "transactionId": format!("{RAW}-{n}"), "note": RAW});
        let (status, answer) = process.buy(&body).await.unwrap();
        assert_eq!(status, 200, "{answer}");
        answer["requestId"].as_str().unwrap().to_owned()
    };
    let done = async |id: &str| {
        until("a link", async || {
            let link = process.status(id).await["inviteLink"].clone();
            link.as_str().map(str::to_owned)
        })
        .await
    };

    // The happy path, and a leave.
    let first = buy(1).await;
    let link = done(&first).await;
    assert_eq!(externals.telegram.tap(&link, User::new(77)), Tap::Joined);
    process.says("the buyer joined").await;
    process.says("link revoked").await;
    externals.telegram.leave(externals.chat_id, 77);
    process.says("a buyer left").await;
    buy(1).await;
    process.says("request repeated").await;
    let conflict = json!({"userId": email(99), "transactionId": format!("{RAW}-1")});
    assert_eq!(process.buy(&conflict).await.unwrap().0, 409);

    // Telegram refuses and breaks, each in its way; WebEngage is down, then refuses.
    for (n, fault) in [
        Fault::TooManyRequests { retry_after: 1 },
        Fault::BadGatewayAfterEffect,
        Fault::ResetAfter,
        Fault::Garbage,
        Fault::WrongMemberLimit(Some(2)),
    ]
    .into_iter()
    .enumerate()
    {
        let rule = FaultRule::on("createChatInviteLink", fault).times(1);
        externals.telegram.fail(rule);
        done(&buy(10 + u32::try_from(n).unwrap()).await).await;
    }
    process.says("Telegram limits the rate").await;
    process.says("no link yet").await;
    externals.webengage.set_mode(Mode::Down);
    done(&buy(20).await).await;
    process.says("event not delivered yet").await;
    externals.webengage.set_mode(Mode::Unauthorized);
    done(&buy(21).await).await;
    process.says("WebEngage refused the event").await;
    externals.webengage.recover();

    // Poison that holds secrets, wrong keys, bad input.
    let poison = format!(r#"{{"kind": "mint", "inviteLink": "{link}", "userId": "{RAW}""#);
    sends(&process, "INVITE_QUEUE_URL", &poison).await;
    sends(&process, "EVENT_QUEUE_URL", &poison).await;
    process.says("unparseable message in InviteQueue").await;
    process.says("unparseable message in EventQueue").await;
    let bad = format!(r#"{{"userId": "{RAW}", "transactionId": ["{link}", "{TOKEN}"]}}"#);
    for (path, header, body) in [
        (
            "/v1/invite/request",
            ("x-api-key", "planted-wrong-key"),
            &bad,
        ),
        (
            "/v1/invite/request",
            ("authorization", "Basic planted"),
            &bad,
        ),
        ("/v1/invite/request", ("x-api-key", API_KEY), &bad),
        (
            "/v1/telegram/webhook",
            ("x-telegram-bot-api-secret-token", "planted-wrong"),
            &bad,
        ),
        (
            "/v1/telegram/webhook",
            ("x-telegram-bot-api-secret-token", WEBHOOK_SECRET),
            &poison,
        ),
    ] {
        let answer = process.call(Method::POST, path, header, body.clone()).await;
        let (status, answer) = answer.unwrap();
        assert!([400, 401].contains(&status), "{path}: {status}");
        assert_clean(&[answer.to_string()], &[]);
    }
    let path = format!("/v1/invite/{RAW}");
    let key = ("x-api-key", API_KEY);
    assert_eq!(
        process
            .call(Method::GET, &path, key, String::new())
            .await
            .unwrap()
            .0,
        400
    );

    // Last, since the circuit is open for long then: the token is refused, for tasks and for updates.
    externals.telegram.revoke_token(externals.bot_id);
    let last = buy(30).await;
    process.says("its tasks wait or go to another bot").await;
    process.says("no updates come from Telegram").await;
    let status = process.status(&last).await;
    assert_eq!(
        (&status["status"], &status["attempts"]),
        (&json!("QUEUED"), &json!(0)),
        "{status}"
    );

    let links: Vec<String> = externals
        .telegram
        .links()
        .into_iter()
        .map(|link| link.url)
        .collect();
    assert!(links.len() >= 9, "{}", links.len());
    let written = process.written();
    assert!(written.len() > 30, "{written:#?}");
    assert_clean(&written, &links);
}

fn sqs(queue: &str, bodies: &[String]) -> Vec<u8> {
    let records: Vec<Value> = bodies
        .iter()
        .enumerate()
        .map(|(n, body)| json!({"messageId": format!("m{n}"), "body": body, "attributes": {}, "messageAttributes": {},
            "eventSource": "aws:sqs", "eventSourceARN": format!("arn:aws:sqs:us-east-1:000000000000:{queue}")}))
        .collect();
    json!({"Records": records}).to_string().into_bytes()
}

/// A call as API Gateway passes it on: the sample's, with another header and body.
fn http(sample: &str, header: (&str, &str), body: &str) -> Vec<u8> {
    let mut event: Value = serde_json::from_str(sample).unwrap();
    event["headers"][header.0] = json!(header.1);
    event["body"] = json!(body);
    event.to_string().into_bytes()
}

async fn answer(function: &Function, event: Vec<u8>) -> Value {
    serde_json::from_slice(&function.invoke(event).await.unwrap()).unwrap()
}

#[tokio::test]
async fn the_functions_write_no_secret_and_no_link_when_all_goes_well_and_when_nothing_does() {
    let stack = TestStack::with(&[
        ("API_KEYS", API_KEY),
        ("TELEGRAM_WEBHOOK_SECRET", WEBHOOK_SECRET),
        ("WEBENGAGE_LICENSE_CODE", ""),
    ])
    .await;
    let (id, link) = stack.admitted("buyer@example.com", RAW).await;
    let token = stack.env()["TELEGRAM_BOT_TOKEN"]
        .rsplit_once(':')
        .unwrap()
        .1
        .to_owned();
    let mut env: Vec<(&str, &str)> = stack
        .env()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    env.retain(|(_, value)| !value.is_empty());
    env.extend([
        ("AWS_LAMBDA_LOG_LEVEL", "TRACE"),
        ("RUST_LOG", "trace"),
        ("AWS_SECRET_ACCESS_KEY", AWS_SECRET),
    ]);
    let now = Timestamp::from_ms(stack.clock.now_ms());
    // Another pair of hands than the local stack's own: nothing of its queues is in the way.
    let put = async |n: u32| {
        let id = format!("00000000-0000-8000-8000-{n:012}");
        let mint = Mint {
            request_id: id.parse().unwrap(),
            user_id: "buyer@example.com".to_owned(),
            transaction_id: format!("{RAW}-{n}"),
            link_version: 0,
        };
        let task = Task::new(ChatId(stack.chat_id), Work::Mint(mint), now);
        stack.put(&task).await;
    };
    let bell = json!({"kind": "work", "chatId": stack.chat_id}).to_string();
    let poison = format!(r#"{{"kind": "mint", "inviteLink": "{link}", "userId": "{RAW}""#);
    let event = json!({"eventId": "981c3a7157524b880b965971391d0dcd", "requestId": id,
        "eventName": "pass_paid_community_telegram_joined", "userId": "buyer@example.com", "eventTime": now,
        "eventData": {"transactionId": RAW, "inviteLink": link}})
    .to_string();
    let user = json!({"id": 77, "is_bot": false, "first_name": "A"});
    let join = json!({"update_id": 1, "chat_member": {"chat": {"id": stack.chat_id, "type": "supergroup"}, "from": user, "date": 1_795_190_253,
        "old_chat_member": {"status": "left", "user": user}, "new_chat_member": {"status": "member", "user": user},
        "invite_link": {"invite_link": link}}})
    .to_string();
    let mut written = Vec::new();
    let mut keep = |name: &str, function: &Function| {
        let logs = function.logs();
        assert!(!logs.is_empty(), "{name} says nothing");
        written.extend(logs);
    };

    let request = spawn("request", &env).await;
    assert_eq!(answer(&request, purchase(API_KEY)).await["statusCode"], 200);
    assert_eq!(
        answer(&request, purchase("planted-wrong")).await["statusCode"],
        401
    );
    let sample = include_str!("../../../events/request-new.json");
    assert_eq!(
        answer(&request, http(sample, ("x-api-key", API_KEY), &poison)).await["statusCode"],
        400
    );
    keep("request", &request);

    let status = spawn("status", &env).await;
    let sample = include_str!("../../../events/status-found.json");
    let mut found: Value = serde_json::from_str(sample).unwrap();
    found["headers"]["x-api-key"] = json!(API_KEY);
    let path = found["rawPath"]
        .as_str()
        .unwrap()
        .rsplit_once('/')
        .unwrap()
        .0
        .to_owned();
    for (last, code) in [(id.as_str(), 200), (RAW, 400)] {
        found["rawPath"] = json!(format!("{path}/{last}"));
        found["requestContext"]["http"]["path"] = found["rawPath"].clone();
        assert_eq!(
            answer(&status, found.to_string().into_bytes()).await["statusCode"],
            code
        );
    }
    keep("status", &status);

    let worker = spawn("worker", &env).await;
    put(1).await;
    let done = answer(&worker, sqs("InviteQueue", &[bell.clone(), poison.clone()])).await;
    let failed = &done["batchItemFailures"];
    let logs = worker.logs();
    assert_eq!(failed, &json!([{"itemIdentifier": "m1"}]), "{logs:#?}");
    for (n, fault) in [Fault::TooManyRequests { retry_after: 1 }, Fault::BadGateway]
        .into_iter()
        .enumerate()
    {
        stack.telegram.fail_mints(1, fault);
        put(2 + u32::try_from(n).unwrap()).await;
        let _ = answer(&worker, sqs("InviteQueue", std::slice::from_ref(&bell))).await;
        stack.run_until_idle().await;
    }
    keep("worker", &worker);

    let webhook = spawn("webhook", &env).await;
    let sample = include_str!("../../../events/webhook-join.json");
    let secret = |value| ("x-telegram-bot-api-secret-token", value);
    let joined = answer(&webhook, http(sample, secret(WEBHOOK_SECRET), &join)).await;
    assert!(
        joined["body"].as_str().unwrap().contains("joined"),
        "{joined}"
    );
    for (given, body, code) in [
        ("planted-wrong", &join, 401),
        (WEBHOOK_SECRET, &poison, 400),
    ] {
        assert_eq!(
            answer(&webhook, http(sample, secret(given), body)).await["statusCode"],
            code
        );
    }
    keep("webhook", &webhook);

    let events = spawn("events", &env).await;
    for mode in [Mode::Down, Mode::Unauthorized, Mode::Up] {
        stack.webengage.set_mode(mode);
        let _ = answer(&events, sqs("EventQueue", &[event.clone(), poison.clone()])).await;
    }
    keep("events", &events);
    stack.run_until_idle().await;

    // What a function tells its caller or Lambda when AWS itself is away.
    let mut cut_off = env.clone();
    cut_off.push(("AWS_ENDPOINT_URL", "http://127.0.0.1:1"));
    for (name, unhappy) in [
        ("request", purchase(API_KEY)),
        ("webhook", http(sample, secret(WEBHOOK_SECRET), &join)),
        ("worker", sqs("InviteQueue", &[bell])),
        ("events", sqs("EventQueue", &[event])),
    ] {
        let function = spawn(name, &cut_off).await;
        written.push(answer(&function, unhappy).await.to_string());
        let logs = function.logs();
        assert!(
            logs.iter()
                .any(|line| line.contains("\"fault\":\"unavailable\"")),
            "{name}: {logs:#?}"
        );
        written.extend(logs);
    }
    let mut links: Vec<String> = stack
        .telegram
        .links()
        .into_iter()
        .map(|link| link.url)
        .collect();
    links.push(format!("+{token}"));
    links.push(format!("+{}", stack.env()["WEBENGAGE_API_KEY"]));
    assert_clean(&written, &links);
}
