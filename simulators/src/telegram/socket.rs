//! A listener whose connections can be cut off from inside a request, as a network does it.
//!
//! Owns nothing but the sockets. A cut connection answers with a TCP reset: the client sees no status, no body and
//! no orderly end, and can't tell whether its request had an effect.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long a stopping server waits for answers under way.
const STOP_GRACE: Duration = Duration::from_millis(500);

/// The handle by which a request cuts its own connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cut(Arc<AtomicBool>);

impl Cut {
    /// From now on nothing can be read from or written to the connection; its end is a reset.
    pub(crate) fn cut(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn is_cut(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// One accepted connection.
pub(crate) struct Stream {
    tcp: TcpStream,
    cut: Cut,
}

impl Stream {
    fn check(&self) -> io::Result<()> {
        if self.cut.is_cut() {
            // With a zero linger time the close that follows is a reset instead of an orderly end.
            let _ = self.tcp.set_zero_linger();
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Err(error) = this.check() {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut this.tcp).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Err(error) = this.check() {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut this.tcp).poll_write(context, buffer)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Err(error) = this.check() {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut this.tcp).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Err(error) = this.check() {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut this.tcp).poll_shutdown(context)
    }
}

/// A TCP listener that hands a [`Cut`] to each connection.
pub(crate) struct CutListener(TcpListener);

impl Listener for CutListener {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        loop {
            match self.0.accept().await {
                Ok((tcp, address)) => {
                    let _ = tcp.set_nodelay(true);
                    return (
                        Stream {
                            tcp,
                            cut: Cut::default(),
                        },
                        address,
                    );
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
        stream.io().cut.clone()
    }
}

/// A running HTTP server.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
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
        let service = router(stopped.clone()).into_make_service_with_connect_info::<Cut>();
        let task = tokio::spawn(async move {
            let serve =
                axum::serve(CutListener(listener), service).with_graceful_shutdown(until(stopped));
            if let Err(error) = serve.await {
                tracing::error!(%error, "a simulator's server ended");
            }
        });
        Ok(Self {
            address,
            stopping,
            task: tokio::sync::Mutex::new(Some(task)),
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
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
