//! Ways in without the secret, ways to learn it, and what the logs can be made to say.

use local::harness::{ExternalServices, TestStack};
use reqwest::Method;
use runtime::auth::Verifier;
use runtime::config::Env;
use serde_json::json;
use simulators::telegram::{Fault, FaultRule, Refusal, Tap};

use super::{GOOD, REQUEST, SECRET_HEADER, WEBHOOK, ask, secret};
use local::harness::process::Process;

#[tokio::test]
async fn a_key_in_the_url_in_the_body_or_in_a_cookie_opens_nothing() {
    let stack = TestStack::start().await;
    let (known, link) = stack.admitted("u1", "T1").await;
    let (key, secret) = (stack.local.api_key().to_owned(), secret(&stack));
    let with_key = format!(
        r#"{{"userId": "u1", "transactionId": "T2", "x-api-key": "{key}", "apiKey": "{key}"}}"#
    );
    let cookie = format!("x-api-key={key}; authorization=Bearer {key}; {SECRET_HEADER}={secret}");
    for query in [
        "x-api-key",
        "x_api_key",
        "api_key",
        "apikey",
        "key",
        "token",
        "access_token",
        "authorization",
        SECRET_HEADER,
    ] {
        for value in [key.clone(), format!("Bearer%20{key}"), secret.clone()] {
            for (method, target) in [
                ("POST", REQUEST.to_owned()),
                ("POST", WEBHOOK.to_owned()),
                ("GET", format!("/v1/invite/{known}")),
                ("GET", "/local/state".to_owned()),
                ("POST", "/local/actions/buy".to_owned()),
                ("POST", "/local/actions/phone-say".to_owned()),
            ] {
                let target = format!("{target}?{query}={value}");
                let answer = ask(
                    &stack,
                    method,
                    &target,
                    &[("cookie", &cookie)],
                    with_key.as_bytes(),
                )
                .await;
                assert_eq!(
                    (answer.status, answer.code().as_str()),
                    (401, "unauthorized"),
                    "{target}"
                );
                assert!(!answer.body.contains(&link) && !answer.body.contains(&key));
            }
        }
    }
    let user_info = format!("http://key:{key}@127.0.0.1/v1/invite/{known}");
    let answers = super::exchange(&stack, &super::call("GET", &user_info, &[], b"")).await;
    assert!([400, 401].contains(&answers[0].status));
    assert_eq!(stack.telegram.link_count(), 1);
}

#[tokio::test]
async fn without_a_key_a_request_that_exists_looks_like_one_that_does_not() {
    let stack = TestStack::start().await;
    let (known, _) = stack.admitted("u1", "T1").await;
    let nobody = uuid::Uuid::nil().to_string();
    let mut answers = Vec::new();
    for id in [known.as_str(), &nobody, "no-id"] {
        for headers in [&[][..], &[("x-api-key", "guess")]] {
            let answer = ask(&stack, "GET", &format!("/v1/invite/{id}"), headers, b"").await;
            let head: Vec<String> = answer
                .head
                .lines()
                .filter(|line| !line.starts_with("date:"))
                .map(str::to_owned)
                .collect();
            answers.push((answer.status, head, answer.body));
        }
    }
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
    // A payment that is known, and one that is not.
    for body in [
        GOOD,
        r#"{"userId": "u2", "transactionId": "T1"}"#,
        r#"{"userId": "u1", "transactionId": "T9"}"#,
        "{",
    ] {
        let answer = ask(&stack, "POST", REQUEST, &[], body.as_bytes()).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (401, answers[0].2.as_str()),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_key_that_was_taken_out_opens_nothing_and_the_others_go_on() {
    let many: Vec<String> = (0..200)
        .map(|n| format!("shop-key-{n:03}-0123456789abcdef"))
        .collect();
    // A call without a user is refused by what is wrong with it, once its key is known.
    let opens = async |stack: &TestStack, key: &str| {
        let answer = stack.shop().with_key(key).request(&json!({}), &[]).await;
        match answer.refusal() {
            (400, _) => true,
            refusal => {
                assert_eq!(refusal, (401, "unauthorized"));
                false
            }
        }
    };
    let all = many.join(" , ");
    let stack = TestStack::with(&[("API_KEYS", &all)]).await;
    for key in [&many[0], &many[99], &many[199]] {
        assert!(opens(&stack, key).await, "{key}");
    }
    // Restarted without some of them.
    let fewer = many[100..].join(",");
    let stack = TestStack::with(&[("API_KEYS", &fewer)]).await;
    assert!(!opens(&stack, &many[0]).await && !opens(&stack, &many[99]).await);
    assert!(opens(&stack, &many[100]).await && opens(&stack, &many[199]).await);
}

#[tokio::test]
async fn a_webhook_that_is_forged_or_replayed_admits_nobody_twice() {
    let stack = TestStack::start().await;
    let shop = stack.shop();
    let (id, link) = stack.admitted("u1", "T1").await;
    let secret = secret(&stack);
    let user = |id: i64| json!({"id": id, "is_bot": false, "first_name": "A"});
    let join = |person: i64| {
        json!({"update_id": 1, "chat_member": {
            "chat": {"id": stack.chat_id, "type": "supergroup", "title": "T"}, "from": user(person),
            "date": stack.clock.now_ms() / 1000,
            "old_chat_member": {"status": "left", "user": user(person)},
            "new_chat_member": {"status": "member", "user": user(person)},
            "invite_link": {"invite_link": link, "creator": user(1), "creates_join_request": false, "is_primary": false, "is_revoked": false},
        }})
        .to_string()
    };
    // Forged: with every secret but the right one.
    let (almost, longer) = (
        format!("{}x", &secret[..secret.len() - 1]),
        format!("{secret}{secret}"),
    );
    for wrong in ["", "x", &almost, &longer, stack.local.api_key()] {
        let answer = ask(
            &stack,
            "POST",
            WEBHOOK,
            &[(SECRET_HEADER, wrong)],
            join(66).as_bytes(),
        )
        .await;
        assert_eq!(answer.status, 401);
    }
    assert_eq!(shop.status(&id).await["joined"], false);
    // Genuine, then replayed, then replayed for somebody else.
    let mut results = Vec::new();
    for person in [77, 77, 77, 66] {
        let answer = ask(
            &stack,
            "POST",
            WEBHOOK,
            &[(SECRET_HEADER, &secret)],
            join(person).as_bytes(),
        )
        .await;
        results.push(answer.json()["result"].as_str().unwrap().to_owned());
    }
    assert_eq!(results, ["joined", "duplicate", "duplicate", "duplicate"]);
    stack.run_until_idle().await;
    assert_eq!(shop.status(&id).await["telegramUserId"], 77);
    assert_eq!(
        stack.webengage.ingested().len(),
        2,
        "link created and joined, once each"
    );
    assert!(
        !matches!(stack.customer(88).tap(&link), Tap::Joined),
        "the link is out of use"
    );
}

#[tokio::test]
async fn a_page_of_another_site_is_told_nothing_and_may_do_nothing() {
    let stack = TestStack::start().await;
    let evil = [
        ("origin", "https://evil.example"),
        ("host", "127.0.0.1:9000"),
    ];
    let status = format!("/v1/invite/{}", uuid::Uuid::nil());
    for target in [
        REQUEST,
        WEBHOOK,
        status.as_str(),
        "/local/state",
        "/local/actions/buy",
        "/local/actions/phone-say",
        "/local/actions/advance-clock",
        "/",
    ] {
        // Without its leave a browser sends neither a key nor JSON.
        let ask_first = [
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "x-api-key,content-type"),
        ];
        let headers = [&evil[..], &ask_first[..]].concat();
        let answer = ask(&stack, "OPTIONS", target, &headers, b"").await;
        assert_eq!(answer.status, 405, "{target}");
        assert!(
            !answer.head.contains("access-control-"),
            "{target}: {}",
            answer.head
        );
        // What it sends without asking has no key.
        let simple = [&evil[..], &[("content-type", "text/plain")]].concat();
        let answer = ask(&stack, "POST", target, &simple, GOOD.as_bytes()).await;
        assert!(
            [401, 405].contains(&answer.status),
            "{target}: {}",
            answer.status
        );
        let answer = ask(&stack, "GET", target, &evil, b"").await;
        assert!(
            !answer.head.contains("access-control-"),
            "{target}: {}",
            answer.head
        );
    }
    let page = ask(&stack, "GET", "/", &[], b"").await;
    for header in [
        "x-frame-options: deny",
        "frame-ancestors 'none'",
        "connect-src 'self'",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "cache-control: no-store",
    ] {
        assert!(page.head.contains(header), "{header} in {}", page.head);
    }
    assert_eq!(stack.telegram.link_count(), 0);
}

#[tokio::test]
async fn the_key_is_in_the_page_only_for_who_calls_this_machine_by_its_address() {
    let stack = TestStack::start().await;
    let key = stack.local.api_key().to_owned();
    let holds_key = async |host: &str| {
        let page = ask(&stack, "GET", "/", &[("host", host)], b"").await;
        assert_eq!(page.status, 200, "{host}");
        assert!(page.body.contains("admit-one-key"), "{host}");
        page.body.contains(&key)
    };
    for own in [
        "127.0.0.1",
        "127.0.0.1:9000",
        "localhost",
        "LocalHost:9000",
        "[::1]:9000",
        "192.168.1.7:9000",
    ] {
        assert!(holds_key(own).await, "{own}");
    }
    // A name that a stranger has pointed at this machine.
    for foreign in [
        "evil.example",
        "evil.example:9000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example:80@127.0.0.1",
        "127.0.0.1@evil.example",
        "0x7f000001",
        "2130706433",
        "127.1",
        "",
        "[::1].evil.example",
    ] {
        let answer =
            super::exchange(&stack, &super::call("GET", "/", &[("host", foreign)], b"")).await;
        assert!(!answer[0].body.contains(&key), "{foreign}");
    }
    let bytes = b"GET / HTTP/1.0\r\n\r\n";
    assert!(
        !super::exchange(&stack, bytes).await[0].body.contains(&key),
        "no host at all"
    );
}

#[tokio::test]
async fn nobody_writes_a_line_of_the_logs_or_a_colour_into_them() {
    let token = "987654321:AAAbuseAbuseAbuseAbuseAbuseAbuse0123";
    let externals = ExternalServices::start(token, "key").await;
    let mut env = externals.env();
    env.extend([
        ("API_KEYS", "abuse-key"),
        ("TELEGRAM_WEBHOOK_SECRET", "abuse-secret"),
        ("RUST_LOG", "trace"),
        ("BASE_BACKOFF_SEC", "1"),
    ]);
    let process = Process::start(&["--ephemeral"], &env).await;
    let forged = "a\r\nERROR forged line\u{1b}[31m\u{85}ERROR forged\u{2028}ERROR forged";
    // A shop in its ids; somebody without a key; Telegram, or who speaks in its place, in a refusal.
    let bought = process
        .buy(&json!({"userId": forged, "transactionId": forged}))
        .await;
    assert_eq!(bought.unwrap().0, 200);
    process.says("link handed out").await;
    let path = "/v1/invite/%0d%0aERROR%20forged";
    process
        .call(Method::GET, path, ("x-api-key", "abuse-key"), String::new())
        .await
        .unwrap();
    let body = json!({"chat_member": forged}).to_string();
    process
        .call(Method::POST, WEBHOOK, (SECRET_HEADER, "abuse-secret"), body)
        .await
        .unwrap();
    let refused = Fault::Refuse(Refusal::new(400, format!("Bad Request: {forged}")));
    externals
        .telegram
        .fail(FaultRule::on("createChatInviteLink", refused).times(1));
    process
        .buy(&json!({"userId": "u", "transactionId": "T"}))
        .await
        .unwrap();
    process.says("no link yet").await;
    let message = "{\"kind\":\"\r\nERROR forged\"}";
    let mut sqs_env: Env = process.env.clone().into_iter().collect();
    let sqs = runtime::aws::Shared::from_env(&mut sqs_env).sqs();
    let sent = sqs
        .send_message()
        .queue_url(&process.env["INVITE_QUEUE_URL"])
        .message_body(message);
    sent.send().await.unwrap();
    process.says("unparseable message in InviteQueue").await;
    for line in process.written() {
        assert!(!line.trim_start().starts_with("ERROR forged"), "{line}");
        assert!(
            !line.contains(['\u{1b}', '\u{85}', '\u{2028}', '\r']),
            "{line:?}"
        );
    }
}

/// Words of secrets. A line that compares and has one of them must be in a test, or be about something else.
const SECRET_WORDS: [&str; 8] = [
    "secret",
    "token",
    "api_key",
    "password",
    "digest",
    "bearer",
    "presented",
    "expose",
];
/// Lines that compare something else.
const NOT_SECRET: [&str; 2] = [
    "if secrets.len() != count && count > 0 && !secrets.is_empty() {",
    r#"if call.operation == "ReceiveMessage" || call.service == Service::SecretsManager {"#,
];

#[test]
fn secrets_are_compared_as_digests_and_in_constant_time_alone() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for folder in ["common", "functions", "local/src"] {
        rust_files(&root.join(folder), &mut files);
    }
    assert!(files.len() > 40);
    let mut wrong = Vec::new();
    for path in files {
        let source = std::fs::read_to_string(&path).unwrap();
        let product = source.split("#[cfg(test)]").next().unwrap();
        for (number, line) in product.lines().enumerate() {
            let line = line.split("//").next().unwrap();
            let compares = [
                " == ",
                " != ",
                ".eq(",
                ".ne(",
                ".cmp(",
                "starts_with(",
                "ends_with(",
                "matches!",
            ]
            .iter()
            .any(|word| line.contains(word));
            let lower = line.to_lowercase();
            let is_secret = SECRET_WORDS.iter().any(|word| lower.contains(word));
            if compares && is_secret && !NOT_SECRET.iter().any(|known| line.trim() == *known) {
                wrong.push(format!(
                    "{}:{}: {}",
                    path.display(),
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "compared otherwise:\n  {}",
        wrong.join("\n  ")
    );
    // The one place: digests, each of them, by `subtle`, without a way out before the last.
    let auth = std::fs::read_to_string(root.join("common/runtime/src/auth.rs")).unwrap();
    let accepts = auth
        .split("fn accepts")
        .nth(1)
        .unwrap()
        .split("\nfn ")
        .next()
        .unwrap();
    assert!(
        accepts.contains("ct_eq(")
            && accepts.contains(".fold(")
            && accepts.contains("digest(presented)"),
        "{accepts}"
    );
    for early in [
        "return",
        "?",
        ".any(",
        ".find(",
        ".position(",
        "if ",
        "break",
    ] {
        let body = accepts.split("pub fn").next().unwrap();
        assert!(!body.contains(early), "{early} in {body}");
    }
    // Whatever is presented, however long, is hashed first.
    let keys = Verifier::api_keys(&mut Env::from_iter([("API_KEYS", "k")]));
    let mut headers = http::HeaderMap::new();
    headers.insert("x-api-key", "x".repeat(100_000).parse().unwrap());
    assert!(!keys.knows_api_key(&headers));
}

fn rust_files(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}
