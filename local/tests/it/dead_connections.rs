//! Connections that a proxy forgot: a call finds a living one.

use std::sync::Arc;

use local::harness::any_port;
use runtime::config::Env;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;

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
