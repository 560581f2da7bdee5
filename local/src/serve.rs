//! The HTTP server of the local stack: HTTP/1.1, one task a connection, and bounds for callers who are slow or many.
//! `axum::serve` has none: whoever sends half a request holds its connection for ever.

use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The largest head of a request, in bytes. API Gateway's own limit is 10 KiB.
const HEAD_MAX_BYTES: usize = 32 * 1024;
/// How long to wait when no connection can be accepted, most likely for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(50);
/// How often a connection is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// What a connection may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How long the head of a request may take from its first byte, and the first byte of a connection.
    pub head: Duration,
    /// How long a connection may be idle between two requests. Longer than the proxies in front keep theirs (nginx and
    /// ALB: 60 s), or now and then one sends a request into a connection that is just being closed, and answers 502.
    /// While half of the connections are taken, idle ones go as early as slow heads do.
    pub idle: Duration,
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
            idle: Duration::from_secs(90),
            life: Duration::from_secs(600),
            connections: 512,
        }
    }
}

/// Serves until aborted. The connections are this task's own, so they end with it.
pub async fn serve(listener: TcpListener, router: Router, bounds: Bounds) {
    let (_never, stopping) = watch::channel(false);
    serve_until(listener, router, bounds, stopping).await;
}

/// Serves until `stopping` says so: then nothing is accepted, and it returns when the requests under way are answered.
pub async fn serve_until(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    stopping: watch::Receiver<bool>,
) {
    let free = Arc::new(Semaphore::new(bounds.connections));
    let mut connections = JoinSet::new();
    let mut stop = pin!(stopped(stopping.clone()));
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = async {
            // Nobody closes the semaphore.
            let permit = Arc::clone(&free).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            () = &mut stop => break,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let (router, free) = (router.clone(), Arc::clone(&free));
                let stopping = stopping.clone();
                connections.spawn(async move {
                    connection(stream, router, bounds, &free, stopping).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Waits for the stop; for ever, if nobody is left to order it.
pub(crate) async fn stopped(mut stopping: watch::Receiver<bool>) {
    if stopping.wait_for(|stopping| *stopping).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn connection(
    stream: TcpStream,
    router: Router,
    bounds: Bounds,
    free: &Semaphore,
    stopping: watch::Receiver<bool>,
) {
    // Answers are small and whole: none gains by waiting for more.
    let _ = stream.set_nodelay(true);
    let activity = Activity::default();
    let stream = Watched {
        stream,
        activity: activity.clone(),
    };
    let router = TowerToHyperService::new(router);
    let of_service = activity.clone();
    let service = service_fn(move |request| {
        of_service.enter(Phase::Serving);
        let (answered, activity) = (router.call(request), of_service.clone());
        async move {
            let answered = answered.await;
            activity.enter(Phase::Idle);
            answered
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        // What the phases do not see: the rest of a head whose first bytes came along with the request before.
        .header_read_timeout(bounds.idle + bounds.head)
        .max_buf_size(HEAD_MAX_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = pin!(served);
    let mut stop = pin!(stopped(stopping));
    let end = Instant::now() + bounds.life;
    loop {
        tokio::select! {
            // An error is the caller's: no HTTP, half a request, a connection that broke.
            _ = served.as_mut() => return,
            () = &mut stop => {
                // One that is idle is closed at once, a request under way is answered.
                served.as_mut().graceful_shutdown();
                let _ = served.await;
                return;
            }
            () = tokio::time::sleep(POLL_INTERVAL) => {}
        }
        let (phase, since) = activity.now();
        let is_crowded = free.available_permits() < bounds.connections / 2;
        let is_slow = match phase {
            Phase::Serving => false,
            Phase::Idle if !is_crowded => since.elapsed() >= bounds.idle,
            Phase::Idle | Phase::Head => since.elapsed() >= bounds.head,
        };
        if is_slow && phase == Phase::Head {
            return;
        }
        if is_slow || Instant::now() >= end {
            served.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(bounds.head, served).await;
            return;
        }
    }
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The head of a request: its first one, or one of which something has come.
    Head,
    /// An answer.
    Serving,
    /// The next request.
    Idle,
}

/// What a connection waits for, and since when.
#[derive(Clone)]
struct Activity(Arc<Mutex<(Phase, Instant)>>);

impl Default for Activity {
    fn default() -> Self {
        Self(Arc::new(Mutex::new((Phase::Head, Instant::now()))))
    }
}

impl Activity {
    fn enter(&self, phase: Phase) {
        *self.lock() = (phase, Instant::now());
    }

    fn now(&self) -> (Phase, Instant) {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, (Phase, Instant)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that notes when a head begins to come.
struct Watched {
    stream: TcpStream,
    activity: Activity,
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if buf.filled().len() > before && this.activity.now().0 == Phase::Idle {
            this.activity.enter(Phase::Head);
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
