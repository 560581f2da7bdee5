//! What carries calls to the outside in the place of the network, in a simulation in one process.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};

/// A call without a usable answer. None of the sources holds the URL, since that may hold a token.
#[derive(Debug)]
pub enum CallError {
    /// No connection: the other side never saw the call.
    NotSent(Box<dyn Error + Send + Sync>),
    /// The connection broke or the time was over: the effect may have happened.
    NoAnswer(Box<dyn Error + Send + Sync>),
    /// The answer is larger than is read: 1 MiB, unless the call says otherwise.
    TooLarge {
        /// Its HTTP status.
        status: u16,
    },
}

/// The answer of a call that a [`Transport`] carries.
pub type Carried = Pin<Box<dyn Future<Output = Result<Response<Bytes>, CallError>> + Send>>;

/// What carries calls in the place of sockets, in a simulation in one process.
#[derive(Clone)]
pub struct Transport(Arc<dyn Fn(Request<Bytes>) -> Carried + Send + Sync>);

impl Transport {
    /// A transport that answers by `carry`.
    pub fn new(carry: impl Fn(Request<Bytes>) -> Carried + Send + Sync + 'static) -> Self {
        Self(Arc::new(carry))
    }

    /// Carries one call.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, CallError> {
        (self.0)(request).await
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}
