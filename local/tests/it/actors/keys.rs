//! Keys: made, shown once, rotated, ended; and never written anywhere.

use std::time::Duration;

use local::harness::process::Process;
use local::harness::{ExternalServices, HOUR, TestStack};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

#[tokio::test]
async fn a_key_is_shown_once_and_works_until_it_is_rotated_or_its_actor_deleted() {
    let stack = TestStack::start().await;
    let operator = stack.operator();
    let first = stack.actor("crm", "operator").await;
    let (bot, secret) = first.key.split_once(':').unwrap();
    assert_eq!((bot, secret.len()), (stack.bot_id.to_string().as_str(), 35));
    let listed = operator.get("actors").await.done();
    assert_eq!(listed["actors"][0]["name"], "crm");
    assert!(!listed.to_string().contains(secret));
    let again = operator
        .post("actors", &json!({"name": "crm", "role": "backend"}))
        .await;
    assert_eq!(again.refusal(), (409, "actor_exists"));

    let rotated = operator.post("actors/crm/rotate", &json!({})).await.done();
    let second = stack.actor_with(rotated["key"].as_str().unwrap());
    assert_ne!(first.key, second.key);
    for actor in [&first, &second] {
        assert_eq!(actor.get("getMe").await.status, 200);
    }
    stack.clock.advance(HOUR);
    let ended = first.get("getMe").await;
    assert_eq!(
        (ended.status, &ended.body["description"]),
        (401, &json!("Unauthorized"))
    );
    assert_eq!(second.get("getMe").await.status, 200);
    // The oldest of three ends at once.
    let third = operator.post("actors/crm/rotate", &json!({})).await.done();
    let fourth = operator.post("actors/crm/rotate", &json!({})).await.done();
    assert_eq!(second.get("getMe").await.status, 401);
    let third = stack.actor_with(third["key"].as_str().unwrap());
    let fourth = stack.actor_with(fourth["key"].as_str().unwrap());
    assert_eq!(third.get("getMe").await.status, 200);

    assert_eq!(operator.delete("actors/crm").await.status, 200);
    for actor in [&third, &fourth] {
        assert_eq!(actor.get("getMe").await.status, 401);
    }
    assert_eq!(
        operator.delete("actors/crm").await.refusal(),
        (404, "not_found")
    );
    assert_eq!(
        operator.post("actors/crm/rotate", &json!({})).await.status,
        404
    );
    assert_eq!(operator.get("actors").await.done()["actors"], json!([]));
}

#[tokio::test]
async fn an_actor_is_made_within_bounds_and_ends_when_it_is_to() {
    let stack = TestStack::start().await;
    let operator = stack.operator();
    let now = domain::time::Timestamp::from_ms(stack.clock.now_ms());
    let end = |by: Duration| now.plus(by).to_string();
    for wrong in [
        json!({"name": "crm"}),
        json!({"name": "Crm", "role": "operator"}),
        json!({"name": "crm", "role": "owner"}),
        json!({"name": "crm", "role": "operator", "rate": 0}),
        json!({"name": "crm", "role": "operator", "rate": 6}),
        json!({"name": "crm", "role": "operator", "chats": [0]}),
        json!({"name": "crm", "role": "operator", "chats": [7]}),
        json!({"name": "crm", "role": "operator", "chats": (-21..=-1).collect::<Vec<i64>>()}),
        json!({"name": "crm", "role": "operator", "expiresAt": "soon"}),
        json!({"name": "crm", "role": "operator", "expiresAt": "2020-01-01T00:00:00Z"}),
        json!({"name": "crm", "role": "operator", "key": "mine"}),
    ] {
        let refused = operator.post("actors", &wrong).await;
        assert_eq!(refused.refusal(), (400, "invalid_parameter"), "{wrong}");
    }
    let body = json!({"name": "crm", "role": "operator", "expiresAt": end(HOUR)});
    let crm = stack.actor_as(&body).await;
    assert_eq!(crm.get("getMe").await.status, 200);
    stack.clock.advance(HOUR);
    assert_eq!(crm.get("getMe").await.status, 401);
    for number in 1..50 {
        let body = json!({"name": format!("a{number}"), "role": "aggregator"});
        assert_eq!(operator.post("actors", &body).await.status, 200, "{number}");
    }
    let one_more = operator
        .post("actors", &json!({"name": "a50", "role": "aggregator"}))
        .await;
    assert_eq!(one_more.refusal(), (409, "too_many_actors"));
}

#[tokio::test]
async fn who_has_no_key_hears_the_same_whatever_it_looks_like() {
    let stack = TestStack::start().await;
    let secret = "A".repeat(35);
    for key in [
        format!("{}:{secret}", stack.bot_id),
        format!("1:{secret}"),
        secret.clone(),
        "x".to_owned(),
    ] {
        let refused = stack.actor_with(&key).get("getMe").await;
        let expected = json!({"ok": false, "error_code": 401, "description": "Unauthorized"});
        assert_eq!((refused.status, refused.body), (401, expected), "{key}");
    }
    let crm = stack.actor("crm", "operator").await;
    let encoded = stack.actor_with(&crm.key.replace(':', "%3A"));
    assert_eq!(encoded.get("getMe").await.status, 200);
    assert_eq!(
        stack.get(&format!("/bot{}", crm.key), &[]).await.status,
        404
    );
    for path in ["a/photos/file_1.jpg", "%2e%2e/x", "..%2Fx"] {
        assert_eq!(crm.file(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_body_of_fifty_megabytes_is_taken_and_a_larger_one_is_refused_in_telegrams_words() {
    let stack = TestStack::start().await;
    let crm = stack.actor("crm", "operator").await;
    let kind = "application/octet-stream";
    let taken = crm.send("getMe", kind, vec![b'x'; 50 * 1024 * 1024]).await;
    assert_eq!(taken.status, 200, "{}", taken.body);
    let refused = crm.send("getMe", kind, vec![b'x'; 52 * 1024 * 1024]).await;
    assert_eq!(refused.status, 413, "{}", refused.body);
}

#[tokio::test]
async fn large_bodies_without_a_key_that_works_take_no_place_of_others() {
    let stack = TestStack::start().await;
    let crm = stack.actor("crm", "operator").await;
    let address = stack.local.url.trim_start_matches("http://");
    let mut strangers = Vec::new();
    for body in ["content-length: 52000000", "transfer-encoding: chunked"] {
        for _ in 0..4 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head =
                format!("POST /bot1:wrong/sendDocument HTTP/1.1\r\nhost: h\r\n{body}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            strangers.push(stream);
        }
    }
    let kind = "application/octet-stream";
    let large = crm.send("getMe", kind, vec![b'x'; 2 * 1024 * 1024]);
    let taken = tokio::time::timeout(Duration::from_secs(9), large).await;
    assert_eq!(taken.expect("nobody is before it").status, 200);
    // A caller who sends all of it hears why it is refused.
    let wrong = stack.actor_with("1:wrong");
    let refused = wrong.send("getMe", kind, vec![b'x'; 2 * 1024 * 1024]);
    assert_eq!(refused.await.status, 401);
}

#[tokio::test]
async fn a_key_stands_in_no_line_of_a_log_at_the_chattiest_level() {
    let externals =
        ExternalServices::start("987654321:AAPlantedBotTokenPlantedBotToken012", "k").await;
    let mut env = externals.env();
    env.extend([
        ("API_KEYS", "shop-key"),
        ("ADMIN_KEYS", "ann:0123456789abcdef"),
        ("RUST_LOG", "trace"),
    ]);
    let process = Process::start(&["--ephemeral"], &env).await;
    let client = runtime::http::client(Duration::from_secs(30)).unwrap();
    let url = process.url.clone();
    let made = client
        .post(format!("{url}/v1/admin/actors"))
        .header("x-admin-key", "0123456789abcdef")
        .body(json!({"name": "crm", "role": "operator"}).to_string())
        .send()
        .await
        .unwrap();
    let made: Value = made.json().await.unwrap();
    let key = made["key"].as_str().unwrap();
    for call in [
        "getMe",
        "getUpdates?timeout=1",
        "banChatMember",
        "nothing",
        "sendMessage?chat_id=7&text=x",
    ] {
        let answer = client.get(format!("{url}/bot{key}/{call}")).send().await;
        assert!(answer.unwrap().status().as_u16() < 500, "{call}");
    }
    let file = client.get(format!("{url}/file/bot{key}/x/y")).send().await;
    assert_eq!(file.unwrap().status().as_u16(), 404);
    process
        .says("an actor called a method that is not its own")
        .await;
    let secret = key.split_once(':').unwrap().1;
    for line in process.written() {
        assert!(!line.contains(secret), "{line}");
    }
}
