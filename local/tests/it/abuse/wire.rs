//! Bytes that no honest client sends, to the local stack's API.

use std::time::Duration;

use futures_util::future::join_all;
use local::harness::TestStack;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    GOOD, REQUEST, SECRET_HEADER, WEBHOOK, answers, ask, call, connect, exchange, secret,
    still_serves,
};
use local::harness::process::Process;

const MB_10: usize = 10_000_000;

#[tokio::test]
async fn a_body_of_10_megabytes_is_refused_with_and_without_a_secret_and_however_it_is_sent() {
    let stack = TestStack::start().await;
    let (key, secret) = (stack.local.api_key().to_owned(), secret(&stack));
    let big = vec![b' '; MB_10];
    let status = format!("/v1/invite/{}", uuid::Uuid::nil());
    let chunks: Vec<u8> = [b"989680\r\n", big.as_slice(), b"\r\n0\r\n\r\n"].concat();
    for (method, target, header, value) in [
        ("POST", REQUEST, "x-api-key", key.as_str()),
        ("POST", REQUEST, "x-api-key", "wrong"),
        ("GET", &status, "x-api-key", &key),
        ("POST", WEBHOOK, SECRET_HEADER, &secret),
        ("POST", WEBHOOK, SECRET_HEADER, "wrong"),
        ("POST", "/local/actions/buy", "x-api-key", &key),
    ] {
        let whole = ask(&stack, method, target, &[(header, value)], &big).await;
        let in_chunks = [(header, value), ("transfer-encoding", "chunked")];
        let chunked = ask(&stack, method, target, &in_chunks, &chunks).await;
        for answer in [whole, chunked] {
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (413, "too_large"),
                "{target} {value}"
            );
        }
    }
    // More than is ever read: an answer, and the end of the connection.
    let endless = [
        ("x-api-key", key.as_str()),
        ("content-length", "99999999999"),
    ];
    let stream = connect(&stack).await;
    let (mut reading, mut writing) = stream.into_split();
    let mut sent = 0;
    writing
        .write_all(&call("POST", REQUEST, &endless, b""))
        .await
        .unwrap();
    while sent < 4 * MB_10 && writing.write_all(&big).await.is_ok() {
        sent += MB_10;
    }
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(10), reading.read_to_end(&mut answer)).await;
    assert!(sent < 4 * MB_10, "all of it was read");
    assert_eq!(stack.telegram.link_count(), 0);
    still_serves(&stack).await;
}

/// The most memory that a process had, in MB.
fn peak_mb(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.unwrap().trim().trim_end_matches(" kB");
    peak.parse::<u64>().unwrap() / 1024
}

#[tokio::test]
async fn a_hundred_strangers_with_10_megabytes_each_do_not_fill_the_memory() {
    let process = Process::start(&["--ephemeral"], &[]).await;
    let before = peak_mb(&process);
    let address = process.url.trim_start_matches("http://").to_owned();
    let stranger = async || {
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        let mut bytes = call("POST", REQUEST, &[("content-length", "10000000")], b"");
        // The last byte is kept back, so that all of them are there at once.
        bytes.extend(vec![b' '; MB_10 - 1]);
        let _ = stream.write_all(&bytes).await;
        stream
    };
    let strangers = join_all((0..100).map(|_| stranger())).await;
    let grown = peak_mb(&process) - before;
    println!("{grown} MB for 100 bodies of 10 MB");
    assert!(grown < 150, "grew by {grown} MB");
    drop(strangers);
    let bought = process
        .buy(&json!({"userId": "u", "transactionId": "T"}))
        .await;
    assert_eq!(bought.unwrap().0, 200);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let stack = TestStack::start().await;
    let key = stack.local.api_key().to_owned();
    let long = "x".repeat(64 * 1024);
    let names: Vec<String> = (0..1000).map(|n| format!("x-h{n}")).collect();
    let flood: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let same: Vec<(&str, &str)> = vec![("x-api-key", &key); 1000];
    let target = format!("{REQUEST}?{long}");
    for (target, headers) in [
        (REQUEST, vec![("x-api-key", long.as_str())]),
        (
            REQUEST,
            vec![("idempotency-key", long.as_str()), ("x-api-key", &key)],
        ),
        (REQUEST, flood),
        (REQUEST, same),
        (target.as_str(), vec![("x-api-key", key.as_str())]),
    ] {
        let answer = &exchange(&stack, &call("POST", target, &headers, GOOD.as_bytes())).await[0];
        assert_eq!(answer.status, 431, "{}", answer.head);
    }
    // An Idempotency-Key that fits into a head and is too long all the same is said to be.
    let long = "k".repeat(20_000);
    let headers = [("x-api-key", key.as_str()), ("idempotency-key", &long)];
    let answer = ask(&stack, "POST", REQUEST, &headers, br#"{"userId": "u"}"#).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (400, "invalid_transaction_id")
    );
    assert_eq!(stack.telegram.link_count(), 0);
    still_serves(&stack).await;
}

#[tokio::test]
async fn requests_in_one_packet_are_answered_each_in_order_each_by_its_own_key() {
    let stack = TestStack::start().await;
    let key = stack.local.api_key().to_owned();
    let head = |key: &str, more: &str| {
        format!(
            "POST {REQUEST} HTTP/1.1\r\nhost: 127.0.0.1\r\nx-api-key: {key}\r\ncontent-length: {}\r\n{more}\r\n{GOOD}",
            GOOD.len()
        )
    };
    let mut bytes = head(&key, "");
    for _ in 0..50 {
        bytes += &head("wrong", "");
        bytes += &head(&key, "");
    }
    bytes += &head("wrong", "connection: close\r\n");
    let answers = exchange(&stack, bytes.as_bytes()).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    let right: Vec<u16> = (0..102)
        .map(|n| if n % 2 == 0 { 200 } else { 401 })
        .collect();
    assert_eq!(statuses, right);
    stack.run_until_idle().await;
    assert_eq!(stack.telegram.link_count(), 1);
}

#[tokio::test]
async fn a_length_and_chunks_together_smuggle_no_second_request() {
    let stack = TestStack::start().await;
    let key = stack.local.api_key().to_owned();
    // What a proxy in front has taken for a body, and a lax server takes for a request of its own.
    let hidden = format!(
        "POST {REQUEST} HTTP/1.1\r\nhost: h\r\nx-api-key: {key}\r\ncontent-length: {}\r\n\r\n{GOOD}",
        GOOD.len()
    );
    let length = hidden.len();
    let forms = [
        // The length covers the hidden request; the chunks end before it.
        format!(
            "content-length: {}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
            length + 5
        ),
        format!(
            "transfer-encoding: chunked\r\ncontent-length: {}\r\n\r\n0\r\n\r\n{hidden}",
            length + 5
        ),
        format!("transfer-encoding: xchunked\r\ncontent-length: {length}\r\n\r\n{hidden}"),
        format!("transfer-encoding: chunked, identity\r\ncontent-length: {length}\r\n\r\n{hidden}"),
        format!(
            "transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"
        ),
        format!("transfer-encoding : chunked\r\ncontent-length: {length}\r\n\r\n{hidden}"),
        format!("transfer-encoding:\tchunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("x: y\r\n transfer-encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("content-length: 0\r\ncontent-length: {length}\r\n\r\n{hidden}"),
        format!("content-length: 0, {length}\r\n\r\n{hidden}"),
        format!("content-length: +0\r\n\r\n{hidden}"),
        format!("content-length: -1\r\n\r\n{hidden}"),
        format!("content-length: 0x0\r\n\r\n{hidden}"),
        format!("content-length: 99999999999999999999\r\n\r\n{hidden}"),
        format!("transfer-encoding: chunked\r\n\r\n-1\r\n{hidden}"),
        format!("transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{hidden}"),
        format!(
            "transfer-encoding: chunked\r\n\r\n0;{}\r\n\r\n{hidden}",
            "x".repeat(20_000)
        ),
        format!("x: \rtransfer-encoding: chunked\r\n\r\n{hidden}"),
        format!("x: \0\r\n\r\n{hidden}"),
    ];
    for form in forms {
        let bytes = format!("POST {REQUEST} HTTP/1.1\r\nhost: h\r\n{form}");
        let answers = what_comes(&stack, bytes.as_bytes()).await;
        let shown: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        // Refused, or a request without key; or the rest of its body is waited for. What is hidden is never a request.
        let is_one = shown.is_empty() || (shown.len() == 1 && (400..500).contains(&shown[0]));
        assert!(is_one, "{shown:?} for {form:.120}");
    }
    assert_eq!(stack.telegram.link_count(), 0);
    stack.run_until_idle().await;
    still_serves(&stack).await;
}

/// As [`exchange`], with the sending side closed, so that the local stack closes as well.
async fn exchange_and_close(stack: &TestStack, bytes: &[u8]) -> Vec<super::RawAnswer> {
    let mut stream = connect(stack).await;
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut read = Vec::new();
    let ended = tokio::time::timeout(super::TIMEOUT, stream.read_to_end(&mut read)).await;
    assert!(ended.is_ok(), "the connection was left open");
    answers(&read)
}

/// As [`exchange`], until nothing more comes for a while.
async fn what_comes(stack: &TestStack, bytes: &[u8]) -> Vec<super::RawAnswer> {
    let mut stream = connect(stack).await;
    let _ = stream.write_all(bytes).await;
    let mut read = vec![0; 64 * 1024];
    let mut length = 0;
    let quiet = Duration::from_millis(700);
    while let Ok(Ok(more)) = tokio::time::timeout(quiet, stream.read(&mut read[length..])).await {
        if more == 0 {
            break;
        }
        length += more;
    }
    answers(&read[..length])
}

#[tokio::test]
async fn what_is_no_http_1_is_no_request() {
    let stack = TestStack::start().await;
    let key = stack.local.api_key().to_owned();
    let with_key = format!(
        "POST {REQUEST} HTTP/2.0\r\nx-api-key: {key}\r\ncontent-length: {}\r\n\r\n{GOOD}",
        GOOD.len()
    );
    let hello = [
        &[
            0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03,
        ][..],
        &[7; 512],
    ]
    .concat();
    for bytes in [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00".to_vec(),
        with_key.clone().into_bytes(),
        with_key.replace("HTTP/2.0", "HTTP/0.9").into_bytes(),
        with_key.replace(" HTTP/2.0", "").into_bytes(),
        hello,
        vec![0; 70_000],
        b"\r\n".repeat(40_000),
        b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(),
        b"*1\r\n$4\r\nPING\r\n".to_vec(),
    ] {
        let answers = exchange_and_close(&stack, &bytes).await;
        let is_refused = answers
            .iter()
            .all(|answer| (400..600).contains(&answer.status));
        assert!(is_refused, "{answers:?}");
    }
    assert_eq!(stack.telegram.link_count(), 0);
    // An upgrade is not taken up, and its request is an ordinary one.
    let headers = [
        ("x-api-key", key.as_str()),
        ("upgrade", "h2c"),
        ("http2-settings", "AAMAAABkAAQAAP__"),
    ];
    let answer = ask(&stack, "POST", REQUEST, &headers, GOOD.as_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.head);
    stack.run_until_idle().await;
}

#[tokio::test]
async fn no_spelling_of_a_path_leads_past_a_route() {
    let stack = TestStack::start().await;
    let (known, link) = stack.admitted("u1", "T1").await;
    let key = stack.local.api_key().to_owned();
    let spellings = [
        "//v1/invite/KNOWN",
        "/v1//invite/KNOWN",
        "/v1/invite//KNOWN",
        "/./v1/invite/KNOWN",
        "/v1/./invite/KNOWN",
        "/x/../v1/invite/KNOWN",
        "/%2e%2e/v1/invite/KNOWN",
        "/v1/%2e/invite/KNOWN",
        "/v1%2finvite%2fKNOWN",
        "/v1/invite%2fKNOWN",
        "/v1/invite/%2e%2e/KNOWN",
        "/v1/invite/..%2fKNOWN",
        "/v1/invite/..;/KNOWN",
        "/v1;x/invite/KNOWN",
        "/V1/INVITE/KNOWN",
        "/v1/invite/KNOWN/",
        "/v1/invite/KNOWN%00",
        "/v1/invite/KNOWN%0d%0a",
        "/v1/invite/KNOWN%20",
        "/v1/invite/%00KNOWN",
        "/v1\\invite\\KNOWN",
        "/v1/invite/KNOWN.json",
        "/v1/invite/KNOWN%23",
        "/v1/invite/KNOWN%3fx",
        "/%76%31/invite/KNOWN",
        "/v1/%69nvite/KNOWN",
        "/local/state/../../v1/invite/KNOWN",
        "*",
        "/v1/invite/\u{ff0e}\u{ff0e}/KNOWN",
    ];
    for spelling in spellings {
        let target = spelling.replace("KNOWN", &known);
        for headers in [&[("x-api-key", key.as_str())][..], &[]] {
            let answers = exchange(&stack, &call("GET", &target, headers, b"")).await;
            let answer = &answers[0];
            assert!(
                [400, 401, 404, 405].contains(&answer.status),
                "{target}: {}",
                answer.status
            );
            assert!(!answer.body.contains(&link), "{target}");
        }
    }
    // Spelled with a host, as to a proxy, or with another query, it is the same route, and needs the key as ever.
    for spelling in [
        "http://elsewhere.example/v1/invite/KNOWN",
        "/v1/invite/KNOWN?x-api-key=KEY&key=KEY",
        "/v1/invite/KNOWN?;/../",
    ] {
        let target = spelling.replace("KNOWN", &known).replace("KEY", &key);
        let answer = ask(&stack, "GET", &target, &[], b"").await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (401, "unauthorized"),
            "{target}"
        );
        let answer = ask(&stack, "GET", &target, &[("x-api-key", &key)], b"").await;
        assert_eq!(
            (answer.status, &answer.json()["inviteLink"]),
            (200, &json!(link)),
            "{target}"
        );
    }
}

#[tokio::test]
async fn no_header_changes_the_method_the_path_or_the_caller() {
    let stack = TestStack::start().await;
    let (known, _) = stack.admitted("u1", "T1").await;
    let key = stack.local.api_key().to_owned();
    let status = format!("/v1/invite/{known}");
    let tricks = [
        ("x-http-method-override", "POST"),
        ("x-http-method", "POST"),
        ("x-method-override", "POST"),
        ("x-original-url", status.as_str()),
        ("x-rewrite-url", &status),
        ("x-forwarded-prefix", "/v1"),
        ("x-forwarded-path", &status),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-real-ip", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1"),
        ("x-forwarded-host", "localhost"),
        (
            "x-amzn-requestcontext",
            r#"{"authorizer":{"principalId":"admin"}}"#,
        ),
        ("x-amz-target", "DynamoDB_20120810.GetItem"),
        ("host", "169.254.169.254"),
        ("host", "evil.example"),
        ("origin", "http://127.0.0.1"),
        ("referer", "http://127.0.0.1/"),
        ("connection", "close, x-api-key"),
        ("te", "trailers"),
        ("trailer", "x-api-key"),
        ("expect", "100-continue"),
    ];
    for trick in tricks {
        // Without a key: as ever.
        let answer = exchange(&stack, &call("GET", &status, &[trick], b""))
            .await
            .pop()
            .unwrap();
        assert_eq!(answer.status, 401, "{trick:?}");
        let answer = exchange(&stack, &call("POST", REQUEST, &[trick], GOOD.as_bytes()))
            .await
            .pop()
            .unwrap();
        assert_eq!(answer.status, 401, "{trick:?}");
        // With a key: the method and the path of the first line count.
        let answer = exchange(
            &stack,
            &call(
                "GET",
                REQUEST,
                &[trick, ("x-api-key", &key)],
                GOOD.as_bytes(),
            ),
        )
        .await
        .pop()
        .unwrap();
        assert_eq!(answer.status, 405, "{trick:?}");
        let answer = exchange(
            &stack,
            &call("GET", "/nowhere", &[trick, ("x-api-key", &key)], b""),
        )
        .await
        .pop()
        .unwrap();
        assert_eq!(answer.status, 404, "{trick:?}");
    }
    // A key in the trailers of a chunked body comes too late.
    let chunked = format!(
        "{:x}\r\n{GOOD}\r\n0\r\nx-api-key: {key}\r\n\r\n",
        GOOD.len()
    );
    let headers = [("transfer-encoding", "chunked"), ("trailer", "x-api-key")];
    let answer = ask(&stack, "POST", REQUEST, &headers, chunked.as_bytes()).await;
    assert_eq!(answer.status, 401);
    assert_eq!(stack.telegram.link_count(), 1);
}
