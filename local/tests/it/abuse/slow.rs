//! Callers who take their time, or all connections.

use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use futures_util::future::join_all;
use local::harness::{TestStack, any_port};
use local::serve::{Bounds, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::{GOOD, REQUEST, SECRET_HEADER, TIMEOUT, WEBHOOK, answers, connect, still_serves};

/// What a dripping caller got, and how long it was let.
async fn drip(mut stream: TcpStream, bytes: &[u8]) -> (Vec<super::RawAnswer>, Duration) {
    let start = Instant::now();
    let (mut reading, mut writing) = stream.split();
    let mut read = Vec::new();
    let dripping = async {
        for byte in bytes.iter().cycle() {
            if writing.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let ended = async {
        // A reset is an end as well.
        let _ = reading.read_to_end(&mut read).await;
    };
    tokio::select! {
        () = ended => {}
        () = dripping => {}
        () = tokio::time::sleep(TIMEOUT) => {}
    }
    (answers(&read), start.elapsed())
}

#[tokio::test]
async fn a_head_or_a_body_that_drips_is_cut_off_after_10_seconds() {
    let stack = TestStack::start().await;
    let key = stack.local.api_key().to_owned();
    let secret = super::secret(&stack);
    let begun = async |bytes: String| {
        let mut stream = connect(&stack).await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        stream
    };
    let head = |target: &str, name: &str, value: &str| {
        format!("POST {target} HTTP/1.1\r\nhost: h\r\n{name}: {value}\r\n")
    };
    let with_length = |head: String| format!("{head}content-length: 60000\r\n\r\n");
    let heads = [
        String::new(),
        "POST".to_owned(),
        head(REQUEST, "x-api-key", &key),
        // After a whole one.
        format!(
            "{}content-length: {}\r\n\r\n{GOOD}",
            head(REQUEST, "x-api-key", &key),
            GOOD.len()
        ),
    ];
    let bodies = [
        with_length(head(REQUEST, "x-api-key", &key)),
        with_length(head(REQUEST, "x-api-key", "wrong")),
        with_length(head(WEBHOOK, SECRET_HEADER, &secret)),
        with_length(head("/local/actions/buy", "x-api-key", &key)),
        format!(
            "{}transfer-encoding: chunked\r\n\r\n",
            head(REQUEST, "x-api-key", &key)
        ),
    ];
    let heads = join_all(heads.into_iter().map(async |bytes| {
        let is_second = bytes.contains(GOOD);
        let (answers, took) = drip(begun(bytes).await, b"x").await;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert!(
            statuses.iter().all(|status| *status == 408 || is_second),
            "{statuses:?}"
        );
        took
    }));
    let bodies = join_all(bodies.into_iter().map(async |bytes| {
        let is_chunked = bytes.contains("chunked");
        let (answers, took) = drip(
            begun(bytes).await,
            if is_chunked { b"1\r\n \r\n" } else { b" " },
        )
        .await;
        assert_eq!(
            (answers[0].status, answers[0].code().as_str()),
            (408, "timeout")
        );
        took
    }));
    // Nor is a connection held that says nothing at all.
    let idle = async {
        let start = Instant::now();
        let _ = connect(&stack).await.read_to_end(&mut Vec::new()).await;
        start.elapsed()
    };
    let (heads, bodies, idle) = tokio::join!(heads, bodies, idle);
    for took in heads.into_iter().chain(bodies).chain([idle]) {
        assert!((9..15).contains(&took.as_secs()), "let for {took:?}");
    }
    stack.run_until_idle().await;
    still_serves(&stack).await;
}

const SHORT: Duration = Duration::from_millis(500);

/// A server with bounds of its own.
async fn small(connections: usize, life: Duration) -> (std::net::SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let large = "x".repeat(32 * 1024 * 1024);
    let router = Router::new()
        .route("/", get(async || "served"))
        .route("/large", get(async move || large.clone()));
    let bounds = Bounds {
        head: SHORT,
        idle: SHORT,
        life,
        connections,
    };
    (address, tokio::spawn(serve(listener, router, bounds)))
}

#[tokio::test]
async fn who_takes_all_connections_is_put_out_and_the_others_are_served() {
    let (address, server) = small(8, TIMEOUT).await;
    // They take every place, and take it again as soon as they are put out.
    let greedy = async || {
        loop {
            let Ok(mut stream) = TcpStream::connect(address).await else {
                return;
            };
            let _ = stream.write_all(b"GET / HTTP/1.1\r\nx: ").await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    };
    let greedy = async { join_all((0..20).map(|_| greedy())).await };
    let honest = async {
        for _ in 0..5 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let call = b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
            stream.write_all(call).await.unwrap();
            let mut answer = Vec::new();
            let answered = tokio::time::timeout(TIMEOUT, stream.read_to_end(&mut answer)).await;
            answered.unwrap().unwrap();
            assert_eq!(answers(&answer)[0].body, "served");
        }
    };
    tokio::select! {
        _ = greedy => panic!("they never end"),
        () = honest => {}
    }
    server.abort();
}

/// How long an answered connection is let idle, with others beside it that are busy.
async fn idle_for(bounds: Bounds, busy: usize) -> Duration {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let slow = async || {
        tokio::time::sleep(TIMEOUT).await;
        "late"
    };
    let router = Router::new()
        .route("/", get(async || "served"))
        .route("/slow", get(slow));
    let server = tokio::spawn(serve(listener, router, bounds));
    let mut others = Vec::new();
    for _ in 0..busy {
        let mut other = TcpStream::connect(address).await.unwrap();
        let call = b"GET /slow HTTP/1.1\r\nhost: h\r\n\r\n";
        other.write_all(call).await.unwrap();
        others.push(other);
    }
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut read = Vec::new();
    for _ in 0..2 {
        let call = b"GET / HTTP/1.1\r\nhost: h\r\n\r\n";
        stream.write_all(call).await.unwrap();
        while !read.ends_with(b"served") {
            assert!(stream.read_buf(&mut read).await.unwrap() > 0);
        }
        read.clear();
    }
    let start = Instant::now();
    stream.read_to_end(&mut read).await.unwrap();
    server.abort();
    start.elapsed()
}

#[tokio::test]
async fn an_answered_connection_outlives_the_pool_of_a_proxy_unless_places_are_short() {
    // nginx and ALB keep theirs for 60 s.
    assert!(Bounds::default().idle >= Duration::from_secs(75));
    let bounds = Bounds {
        head: SHORT,
        idle: 4 * SHORT,
        life: TIMEOUT,
        connections: 8,
    };
    let let_idle = idle_for(bounds, 0).await;
    assert!(
        let_idle >= 4 * SHORT && let_idle < 8 * SHORT,
        "{let_idle:?}"
    );
    let let_idle = idle_for(bounds, 5).await;
    assert!(let_idle >= SHORT && let_idle < 4 * SHORT, "{let_idle:?}");
}

#[tokio::test]
async fn who_does_not_read_the_answers_is_put_out_when_the_connections_life_is_over() {
    let (address, server) = small(1, SHORT).await;
    let mut deaf = TcpStream::connect(address).await.unwrap();
    deaf.write_all(b"GET /large HTTP/1.1\r\nhost: h\r\n\r\n")
        .await
        .unwrap();
    // It is being answered.
    deaf.readable().await.unwrap();
    // The only place is taken until then.
    let start = Instant::now();
    let mut next = TcpStream::connect(address).await.unwrap();
    next.write_all(b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(TIMEOUT, next.read_to_end(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(answers(&answer)[0].body, "served");
    assert!(start.elapsed() > SHORT, "it was never in the way");
    server.abort();
}
