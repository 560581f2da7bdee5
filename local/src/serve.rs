//! The HTTP server of the bundle: HTTP/1.1, one task a connection, and bounds for callers who are slow or many.
//! `axum::serve` has none: whoever sends half a request holds its connection for ever.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// The largest head of a request, in bytes. API Gateway's own limit is 10 KiB.
const HEAD_MAX_BYTES: usize = 32 * 1024;
/// How long to wait when no connection can be accepted, most likely for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// What a connection may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How long the head of a request may take, and how long a connection may be idle.
    pub head: Duration,
    /// How long a connection lives; a request that is under way then has as long as a head to end. It bounds callers who
    /// do not read their answers.
    pub life: Duration,
    /// How many connections are served at once. Further ones wait to be accepted.
    pub connections: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            life: Duration::from_secs(600),
            connections: 512,
        }
    }
}

/// Serves until aborted. The connections are this task's own, so they end with it.
pub async fn serve(listener: TcpListener, router: Router, bounds: Bounds) {
    let free = Arc::new(Semaphore::new(bounds.connections));
    let mut connections = JoinSet::new();
    loop {
        // Nobody closes the semaphore.
        let Ok(permit) = Arc::clone(&free).acquire_owned().await else {
            return;
        };
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let router = router.clone();
                connections.spawn(async move {
                    connection(stream, router, bounds).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, router: Router, bounds: Bounds) {
    // Answers are small and whole: none gains by waiting for more.
    let _ = stream.set_nodelay(true);
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        .max_buf_size(HEAD_MAX_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut served = pin!(served);
    // An error is the caller's: no HTTP, half a request, a connection that broke.
    if tokio::time::timeout(bounds.life, served.as_mut())
        .await
        .is_err()
    {
        served.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(bounds.head, served).await;
    }
}
