//! The way of a webhook's call to its receiver: by the network, or by a function in its place.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use reqwest::Client;
use reqwest::redirect::Policy;

use crate::socket::Reset;

/// The longest body of an answer that is read.
pub(crate) const LONGEST_REPLY: usize = 1 << 20;
const TIMED_OUT: &str = "Read timeout expired";
const REFUSED: &str = "Connection refused";
const CLOSED: &str = "Webhook connection closed";

/// A function in the place of the network: it is given the request of one delivery, and answers as the receiver would.
pub type Deliver = Arc<
    dyn Fn(Request<Bytes>) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, Reset>> + Send>>
        + Send
        + Sync,
>;

/// The way of a webhook's call to its receiver.
#[derive(Clone, Default)]
pub(crate) enum WebhookTransport {
    /// None: every connection is refused.
    #[default]
    Closed,
    Network(Client),
    Function(Deliver),
}

impl std::fmt::Debug for WebhookTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Closed => "Closed",
            Self::Network(_) => "Network",
            Self::Function(_) => "Function",
        })
    }
}

impl WebhookTransport {
    pub(crate) fn network() -> Self {
        match client() {
            Ok(client) => Self::Network(client),
            Err(error) => {
                tracing::error!(%error, "no HTTP client for webhooks: none will be delivered");
                Self::Closed
            }
        }
    }

    /// The answer, or why there is none, as Telegram's `getWebhookInfo` tells it.
    pub(crate) async fn carry(
        self,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, &'static str> {
        match self {
            Self::Closed => Err(REFUSED),
            Self::Network(client) => send(&client, request).await,
            Self::Function(deliver) => deliver(request).await.map_err(|Reset| CLOSED),
        }
    }
}

/// A client as Telegram's and Stripe's: no redirects, and a limit on connecting; on the answer, the clock's.
fn client() -> Result<Client, Box<dyn std::error::Error + Send + Sync>> {
    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(Duration::from_secs(10))
        .timeout(Duration::from_secs(120))
        .build()?;
    Ok(client)
}

async fn send(client: &Client, request: Request<Bytes>) -> Result<Response<Bytes>, &'static str> {
    let (head, body) = request.into_parts();
    let sent = client
        .post(head.uri.to_string())
        .headers(head.headers)
        .body(body)
        .send();
    let mut response = match sent.await {
        Ok(response) => response,
        Err(error) if error.is_timeout() => return Err(TIMED_OUT),
        Err(error) if error.is_connect() => return Err(REFUSED),
        Err(_) => return Err(CLOSED),
    };
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = response.status();
    *answer.headers_mut() = std::mem::take(response.headers_mut());
    if response
        .content_length()
        .is_some_and(|length| length <= LONGEST_REPLY as u64)
    {
        // A body that breaks off is no call in reply; the status stands.
        *answer.body_mut() = response.bytes().await.unwrap_or_default();
    }
    Ok(answer)
}
