//! The client for calls to the outside: TLS on *ring*, the Mozilla roots, time-outs on everything.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request};

use crate::config::Env;
use crate::transport::{CallError, Transport};
use domain::time::Timestamp;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept for the next call, to AWS and to all others. What stands in between (NAT, proxies,
/// a frozen sandbox of Lambda) forgets idle connections without a word, and the call that takes such a one is lost: a
/// handshake more, where calls are that far apart, is the smaller price.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest wait for a call that names none of its own.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// What an answer's body may hold at most, in bytes.
const ANSWER_MAX_BYTES: usize = 1024 * 1024;

/// An answer, read to its end.
pub struct Answer {
    /// Its HTTP status.
    pub status: u16,
    headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// The seconds of its `Retry-After` header, which tells them, or an instant by the clock of its `Date` header.
    pub fn retry_after(&self) -> Option<u64> {
        let value = self.header(&http::header::RETRY_AFTER)?;
        value.parse().ok().or_else(|| {
            let at = Timestamp::of_http(value)?;
            Some(at.since(self.date()?).as_secs())
        })
    }

    /// What time it is at the other side, by its `Date` header.
    pub fn date(&self) -> Option<Timestamp> {
        Timestamp::of_http(self.header(&http::header::DATE)?)
    }

    fn header(&self, name: &http::HeaderName) -> Option<&str> {
        Some(self.headers.get(name)?.to_str().ok()?.trim())
    }
}

/// What a failed call of `reqwest` means.
fn failure(error: reqwest::Error) -> CallError {
    match error.is_connect() {
        true => CallError::NotSent(Box::new(error.without_url())),
        false => CallError::NoAnswer(Box::new(error.without_url())),
    }
}

/// The way to the outside: the network, or what a simulation puts in its place.
#[derive(Clone)]
pub enum Http {
    /// The network.
    Network(reqwest::Client),
    /// What a simulation puts in its place.
    Simulated(Transport),
}

impl Http {
    /// The network, unless the environment is one of a simulation.
    pub fn from_env(env: &mut Env) -> Self {
        if let Some(transport) = env.transport() {
            return Self::Simulated(transport);
        }
        let client = client(CALL_TIMEOUT).unwrap_or_else(|error| {
            env.problem(format!("no HTTP client: {error}"));
            reqwest::Client::default()
        });
        Self::Network(client)
    }

    /// Posts JSON and reads the answer to its end, all within `timeout`.
    pub async fn post_json(
        &self,
        url: &str,
        mut headers: HeaderMap,
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<Answer, CallError> {
        let json = HeaderValue::from_static("application/json");
        headers.insert(http::header::CONTENT_TYPE, json);
        self.send(Outgoing {
            method: Method::POST,
            url,
            headers,
            body,
            timeout,
            answer_max_bytes: ANSWER_MAX_BYTES,
        })
        .await
    }

    /// Sends a call and reads the answer to its end.
    pub async fn send(&self, call: Outgoing<'_>) -> Result<Answer, CallError> {
        match self {
            Self::Network(client) => {
                let request = client
                    .request(call.method, call.url)
                    .timeout(call.timeout)
                    .headers(call.headers)
                    .body(call.body);
                let answer = request.send().await.map_err(failure)?;
                read(answer, call.answer_max_bytes).await
            }
            Self::Simulated(transport) => {
                let mut request = Request::new(Bytes::from(call.body));
                *request.method_mut() = call.method;
                *request.uri_mut() = call
                    .url
                    .parse()
                    .map_err(|error| CallError::NotSent(Box::new(error)))?;
                *request.headers_mut() = call.headers;
                let answer = tokio::time::timeout(call.timeout, transport.call(request)).await;
                let answer = answer.map_err(|over| CallError::NoAnswer(Box::new(over)))??;
                let (parts, body) = answer.into_parts();
                Ok(Answer {
                    status: parts.status.as_u16(),
                    headers: parts.headers,
                    body,
                })
            }
        }
    }
}

/// A call to the outside.
pub struct Outgoing<'a> {
    /// Its method.
    pub method: Method,
    /// Where to.
    pub url: &'a str,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
    /// How long it may take, to the end of the answer.
    pub timeout: Duration,
    /// The largest body of an answer that is read, in bytes.
    pub answer_max_bytes: usize,
}

/// Puts a body at a URL that its owner signed beforehand, as CloudFormation does for the answers of custom resources,
/// and answers the HTTP status. Without a content type: S3 takes the one that was signed, which is none.
///
/// # Errors
/// [`CallError`]; also if the URL is not `https`, but of a server on this machine.
pub async fn put_presigned(url: &str, body: Vec<u8>, timeout: Duration) -> Result<u16, CallError> {
    let refused = |why: String| CallError::NotSent(why.into());
    let url = reqwest::Url::parse(url).map_err(|_| refused("it is no URL".to_owned()))?;
    let is_loopback = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    if url.scheme() != "https" && !is_loopback {
        return Err(refused("it is no https URL".to_owned()));
    }
    let client = client(timeout).map_err(refused)?;
    let answer = client.put(url).body(body).send().await;
    answer
        .map(|answer| answer.status().as_u16())
        .map_err(failure)
}

/// A client whose calls end within `timeout`. It follows no redirects and uses no proxy of the environment.
///
/// # Errors
/// A sentence, if the TLS set-up is broken.
pub fn client(timeout: Duration) -> Result<reqwest::Client, String> {
    builder(timeout)?.build().map_err(|error| error.to_string())
}

/// What [`client`] builds.
pub(crate) fn builder(timeout: Duration) -> Result<reqwest::ClientBuilder, String> {
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
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .user_agent("admit-one"))
}

async fn read(mut answer: reqwest::Response, most: usize) -> Result<Answer, CallError> {
    let status = answer.status().as_u16();
    let headers = std::mem::take(answer.headers_mut());
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failure)? {
        if body.len() + chunk.len() > most {
            return Err(CallError::TooLarge { status });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer {
        status,
        headers,
        body: body.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry_after(value: &str, date: Option<&str>) -> Option<u64> {
        let date = date.map(|date| (http::header::DATE, date));
        let headers = [(http::header::RETRY_AFTER, value)].into_iter().chain(date);
        let headers = headers.map(|(name, value)| (name, value.parse().unwrap()));
        let answer = Answer {
            status: 503,
            headers: headers.collect(),
            body: Bytes::new(),
        };
        answer.retry_after()
    }

    #[test]
    fn a_wait_is_told_in_seconds_or_as_an_instant_of_the_other_sides_clock() {
        let (now, then) = (
            "Tue, 15 Nov 1994 08:12:31 GMT",
            "Tue, 15 Nov 1994 08:14:01 GMT",
        );
        assert_eq!(retry_after("120", None), Some(120));
        assert_eq!(retry_after(then, Some(now)), Some(90));
        assert_eq!(retry_after(now, Some(then)), Some(0));
        assert_eq!(retry_after(then, None), None);
        assert_eq!(retry_after("soon", Some(now)), None);
        assert_eq!(retry_after("-1", Some(now)), None);
    }
}
