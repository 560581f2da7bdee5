//! The client for calls to the outside: TLS on *ring*, the Mozilla roots, time-outs on everything.

use std::sync::Arc;
use std::time::Duration;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept for the next call.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// The largest answer that is read.
const ANSWER_MAX_BYTES: usize = 1024 * 1024;

/// A client whose calls end within `timeout`. It follows no redirects and uses no proxy of the environment.
///
/// # Errors
/// A sentence, if the TLS set-up is broken.
pub fn client(timeout: Duration) -> Result<reqwest::Client, String> {
    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .map_err(|error| error.to_string())?
    .with_root_certificates(roots)
    .with_no_client_auth();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .user_agent("admit-one");
    client.build().map_err(|error| error.to_string())
}

/// Reads an answer's body.
///
/// # Errors
/// The transport's error, without its URL; `None` if the body is larger than 1 MiB.
pub(crate) async fn body(mut answer: reqwest::Response) -> Result<Vec<u8>, Option<reqwest::Error>> {
    let mut body = Vec::new();
    while let Some(chunk) = answer
        .chunk()
        .await
        .map_err(|error| Some(error.without_url()))?
    {
        if body.len() + chunk.len() > ANSWER_MAX_BYTES {
            return Err(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
