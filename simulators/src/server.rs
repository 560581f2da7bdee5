//! The HTTP server of the simulators of Telegram, WebEngage and Stripe: an axum router on connections that a request can cut, or
//! on none, where requests are handed to it one by one.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower_service::Service;

use crate::socket::{Cut, Reset, Stream};

/// How long a stopping server waits for answers under way.
const STOP_GRACE: Duration = Duration::from_millis(500);

/// A TCP listener that hands a [`Cut`] to each connection.
pub(crate) struct CutListener(TcpListener);

impl Listener for CutListener {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        loop {
            match self.0.accept().await {
                Ok((tcp, address)) => {
                    return (Stream::new(tcp, Cut::default()), address);
                }
                Err(error) => {
                    tracing::warn!(%error, "a simulator could not accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, CutListener>> for Cut {
    fn connect_info(stream: IncomingStream<'_, CutListener>) -> Self {
        stream.io().cut()
    }
}

/// A running HTTP server.
#[derive(Debug)]
pub(crate) struct Server {
    url: String,
    router: Router,
    stopping: watch::Sender<bool>,
    task: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Server {
    /// Binds `listen` and serves the router made by `router`, which is given a signal that turns true when the
    /// server stops: requests that hang must end then.
    pub(crate) async fn start<F>(listen: SocketAddr, router: F) -> io::Result<Self>
    where
        F: FnOnce(watch::Receiver<bool>) -> Router,
    {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let (stopping, stopped) = watch::channel(false);
        let router = router(stopped.clone());
        let service = router.clone().into_make_service_with_connect_info::<Cut>();
        let task = tokio::spawn(async move {
            let serve =
                axum::serve(CutListener(listener), service).with_graceful_shutdown(until(stopped));
            if let Err(error) = serve.await {
                tracing::error!(%error, "a simulator's server ended");
            }
        });
        Ok(Self {
            url: format!("http://{address}"),
            router,
            stopping,
            task: tokio::sync::Mutex::new(Some(task)),
        })
    }

    /// Serves the same without a socket, as `url`: [`Server::call`] is the only way to it.
    pub(crate) fn in_process<F>(url: &str, router: F) -> Self
    where
        F: FnOnce(watch::Receiver<bool>) -> Router,
    {
        let (stopping, stopped) = watch::channel(false);
        Self {
            url: url.to_owned(),
            router: router(stopped),
            stopping,
            task: tokio::sync::Mutex::new(None),
        }
    }

    /// Hands one request to the router, as if it had come by a connection of its own.
    pub(crate) async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Reset> {
        if *self.stopping.borrow() {
            return Err(Reset);
        }
        let cut = Cut::default();
        let mut request = request.map(Body::from);
        request.extensions_mut().insert(ConnectInfo(cut.clone()));
        let Ok(response) = self.router.clone().call(request).await;
        if cut.is_cut() {
            return Err(Reset);
        }
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|_| Reset)?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }

    /// The base URL, without a slash at its end.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A signal that turns true when the server stops.
    pub(crate) fn stopped(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// Stops listening, ends what hangs, and waits a moment for answers under way.
    pub(crate) async fn stop(&self) {
        self.stopping.send_replace(true);
        if let Some(mut task) = self.task.lock().await.take()
            && tokio::time::timeout(STOP_GRACE, &mut task).await.is_err()
        {
            task.abort();
        }
    }
}

/// Waits until the signal turns true, or its sender is gone.
pub(crate) async fn until(mut signal: watch::Receiver<bool>) {
    while !*signal.borrow_and_update() {
        if signal.changed().await.is_err() {
            return;
        }
    }
}
