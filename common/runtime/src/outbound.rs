//! Calls to targets that others name: to addresses of the public alone, and to nothing of ours.
//!
//! A name is resolved once for a connection, each of its addresses is judged, and exactly these are connected to; so a name
//! whose answer changes leads nowhere else. No redirect is followed and no proxy used.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request};
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::config::Env;
use crate::http::builder;
use crate::transport::Transport;
use domain::hook::{ExemptHosts, HookAnswer, TargetRefusal, check_target, is_public};
use domain::time::Timestamp;

/// Longest wait for an answer.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// How much of an answer's body is read, in bytes.
pub const ANSWER_MAX_BYTES: usize = 64 * 1024;
/// The longest URL of a target, in bytes.
const URL_MAX_BYTES: usize = 2048;

/// Which targets may be called.
#[derive(Clone, Default)]
pub struct CallTargets(ExemptHosts);

/// Why a URL is not one of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTarget {
    /// It is not a URL with a host, is too long, or holds a password or a fragment.
    Url,
    /// It may not be called.
    Refused(TargetRefusal),
}

impl CallTargets {
    /// `HOOK_EXEMPT_HOSTS`: hosts that may be called whatever they are. A function on Lambda must not have it.
    pub fn from_env(env: &mut Env) -> Self {
        let Some(text) = env.optional("HOOK_EXEMPT_HOSTS") else {
            return Self::default();
        };
        if env.optional("AWS_LAMBDA_FUNCTION_NAME").is_some() {
            env.problem(
                "HOOK_EXEMPT_HOSTS is for tests and one machine: on Lambda it would open what lies within".to_owned(),
            );
        }
        Self(ExemptHosts::parse(&text).unwrap_or_else(|| {
            env.problem(
                "HOOK_EXEMPT_HOSTS must be host:port pairs, separated by commas".to_owned(),
            );
            ExemptHosts::default()
        }))
    }

    /// Reads and judges the URL of a target.
    ///
    /// # Errors
    /// [`NoTarget`].
    pub fn check(&self, url: &str) -> Result<Url, NoTarget> {
        self.judge(url).map(|(url, _)| url)
    }

    /// The URL, and whether its host is exempt.
    fn judge(&self, url: &str) -> Result<(Url, bool), NoTarget> {
        let url = Url::parse(url).map_err(|_| NoTarget::Url)?;
        // As it is kept and called, which may be longer than it was written.
        if url.as_str().len() > URL_MAX_BYTES {
            return Err(NoTarget::Url);
        }
        let parts = url.host_str().zip(url.port_or_known_default());
        let (host, port) = parts.ok_or(NoTarget::Url)?;
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(NoTarget::Url);
        }
        // A dot at the end is the same name.
        let host = host.trim_end_matches('.');
        check_target(url.scheme(), host, port, &self.0).map_err(NoTarget::Refused)?;
        let is_exempt = self.0.contain(host, port);
        Ok((url, is_exempt))
    }
}

/// The addresses of a name.
pub type Looked = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Looks a name up and lets through what is the public's.
struct PublicResolver(Arc<dyn Fn(String) -> Looked + Send + Sync>);

/// A name leads to an address that is not the public's.
#[derive(Debug)]
struct NotPublic;

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name leads to an address that is not the public's")
    }
}

impl Error for NotPublic {}

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let looked = (self.0)(name.as_str().to_owned());
        Box::pin(async move {
            let addresses = looked.await?;
            // One that is not is enough: who mixes them means no good.
            if !addresses.iter().all(|address| is_public(*address)) {
                return Err(NotPublic.into());
            }
            let addresses = addresses
                .into_iter()
                .map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// What came of a call, and the wait that the other side asked for.
pub type Called = (HookAnswer, Option<Duration>);

/// The body of an answer.
#[derive(Debug, Default)]
pub struct AnswerBody {
    /// Its `Content-Type`; empty if it names none.
    pub content_type: String,
    /// The body; nothing if it is larger than [`ANSWER_MAX_BYTES`], or broke off.
    pub whole: Option<Bytes>,
}

/// What calls targets.
pub struct Caller {
    targets: CallTargets,
    way: Way,
}

enum Way {
    Network {
        guarded: reqwest::Client,
        exempt: reqwest::Client,
    },
    Simulated(Transport),
}

impl Caller {
    /// The network, unless the environment is one of a simulation.
    pub fn from_env(env: &mut Env) -> Self {
        let targets = CallTargets::from_env(env);
        if let Some(transport) = env.transport() {
            let way = Way::Simulated(transport);
            return Self { targets, way };
        }
        let caller = Self::new(targets, |name| {
            Box::pin(async move {
                let addresses = tokio::net::lookup_host((name, 0)).await?;
                Ok(addresses.map(|address| address.ip()).collect())
            })
        });
        caller.unwrap_or_else(|error| {
            env.problem(format!("no HTTP client: {error}"));
            Self {
                targets: CallTargets::default(),
                way: Way::Network {
                    guarded: reqwest::Client::default(),
                    exempt: reqwest::Client::default(),
                },
            }
        })
    }

    /// The network, where names are looked up by `look_up`.
    ///
    /// # Errors
    /// A sentence, if the TLS set-up is broken.
    pub fn new(
        targets: CallTargets,
        look_up: impl Fn(String) -> Looked + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let resolver = PublicResolver(Arc::new(look_up));
        let guarded = builder(CALL_TIMEOUT)?.dns_resolver(Arc::new(resolver));
        let way = Way::Network {
            guarded: guarded.build().map_err(|error| error.to_string())?,
            exempt: builder(CALL_TIMEOUT)?
                .build()
                .map_err(|error| error.to_string())?,
        };
        Ok(Self { targets, way })
    }

    /// Posts JSON to a target. The status decides as soon as it is there.
    pub async fn post(
        &self,
        url: &str,
        headers: &HashMap<&'static str, String>,
        body: String,
    ) -> Called {
        self.ask(url, headers, body).await.0
    }

    /// The same, with the body of the answer.
    pub async fn ask(
        &self,
        url: &str,
        headers: &HashMap<&'static str, String>,
        body: String,
    ) -> (Called, AnswerBody) {
        let failed = |answer: HookAnswer| ((answer, None), AnswerBody::default());
        let Ok((url, is_exempt)) = self.targets.judge(url) else {
            return failed(HookAnswer::Forbidden);
        };
        let mut sent = HeaderMap::new();
        sent.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                sent.insert(*name, value);
            }
        }
        match &self.way {
            Way::Network { guarded, exempt } => {
                let client = if is_exempt { exempt } else { guarded };
                let call = client.post(url).headers(sent).body(body).send();
                match call.await {
                    Ok(answer) => {
                        let called = told(answer.status().as_u16(), answer.headers());
                        let content_type = content_type(answer.headers());
                        let whole = read(answer).await;
                        let body = AnswerBody {
                            content_type,
                            whole,
                        };
                        (called, body)
                    }
                    Err(error) if leads_within(&error) => failed(HookAnswer::Forbidden),
                    Err(error) if error.is_connect() => failed(HookAnswer::Unreachable),
                    Err(_) => failed(HookAnswer::NoAnswer),
                }
            }
            Way::Simulated(transport) => {
                let mut request = Request::new(Bytes::from(body));
                *request.method_mut() = Method::POST;
                let Ok(uri) = url.as_str().parse() else {
                    return failed(HookAnswer::Forbidden);
                };
                *request.uri_mut() = uri;
                *request.headers_mut() = sent;
                match tokio::time::timeout(CALL_TIMEOUT, transport.call(request)).await {
                    Ok(Ok(answer)) => {
                        let called = told(answer.status().as_u16(), answer.headers());
                        let content_type = content_type(answer.headers());
                        let whole = Some(answer.into_body());
                        let whole = whole.filter(|body| body.len() <= ANSWER_MAX_BYTES);
                        let body = AnswerBody {
                            content_type,
                            whole,
                        };
                        (called, body)
                    }
                    Ok(Err(crate::transport::CallError::NotSent(_))) => {
                        failed(HookAnswer::Unreachable)
                    }
                    Ok(Err(_)) | Err(_) => failed(HookAnswer::NoAnswer),
                }
            }
        }
    }
}

fn told(status: u16, headers: &HeaderMap) -> Called {
    let text = |name: http::HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let asked = text(RETRY_AFTER).and_then(|value| {
        let seconds = value.parse().ok().map(Duration::from_secs);
        seconds.or_else(|| {
            Some(Timestamp::of_http(value)?.since(Timestamp::of_http(text(http::header::DATE)?)?))
        })
    });
    (HookAnswer::Status(status), asked)
}

fn content_type(headers: &HeaderMap) -> String {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    kind.unwrap_or_default().to_owned()
}

/// Reads a body to its end, so that its connection may be used again; nothing if it is too large, or breaks off.
async fn read(mut answer: reqwest::Response) -> Option<Bytes> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.ok()? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_MAX_BYTES {
            return None;
        }
    }
    Some(body.into())
}

fn leads_within(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        if error.is::<NotPublic>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_target_is_read_as_its_caller_reads_it() {
        let targets = CallTargets(ExemptHosts::parse("127.0.0.1:9000").unwrap());
        for url in [
            "https://shop.example/hooks?key=1",
            "https://SHOP.example:8443",
            "http://127.0.0.1:9000/x",
            "https://1.1.1.1/",
        ] {
            assert!(targets.check(url).is_ok(), "{url}");
        }
        for url in [
            "",
            "shop.example",
            "https://",
            "https://a:b@shop.example/",
            "https://shop.example/#x",
            "http://shop.example/",
            "https://shop.example:22/",
            "ftp://shop.example/",
            // All of these are an address within, spelt differently.
            "https://127.0.0.1/",
            "https://127.1/",
            "https://0x7f.0.0.1/",
            "https://2130706433/",
            "https://017700000001/",
            "https://127.0.0.1./",
            "https://[::1]/",
            "https://[::ffff:169.254.169.254]/",
            "https://[64:ff9b::a9fe:a9fe]/",
            "https://169.254.169.254/latest/meta-data/",
            "https://%31%32%37.0.0.1/",
        ] {
            assert!(targets.check(url).is_err(), "{url}");
        }
        for long in ["x".repeat(2048), "é".repeat(700)] {
            assert!(targets.check(&format!("https://a.example/{long}")).is_err());
        }
    }

    #[test]
    fn a_function_on_lambda_refuses_to_start_with_exempt_hosts() {
        let check = |name: &str, value: &str| {
            let mut env = Env::from_iter([
                ("HOOK_EXEMPT_HOSTS", value),
                ("AWS_LAMBDA_FUNCTION_NAME", name),
            ]);
            CallTargets::from_env(&mut env);
            env.check().map_err(|refusal| refusal.to_string())
        };
        assert_eq!(check("", "localhost:80"), Ok(()));
        assert!(
            check("", "localhost")
                .unwrap_err()
                .contains("HOOK_EXEMPT_HOSTS")
        );
        assert!(
            check("hooks", "localhost:80")
                .unwrap_err()
                .contains("Lambda")
        );
        assert_eq!(check("hooks", ""), Ok(()));
    }

    /// What a call to a name comes to whose look-ups answer these, one after the other, and how often it was looked up.
    async fn call(answers: &'static [&'static [&'static str]]) -> (HookAnswer, usize) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let caller = Caller::new(CallTargets::default(), move |_| {
            let place = counted
                .fetch_add(1, Ordering::SeqCst)
                .min(answers.len() - 1);
            let addresses = answers[place]
                .iter()
                .map(|address| address.parse().unwrap())
                .collect();
            Box::pin(async move { Ok(addresses) })
        });
        let (answer, _) = caller
            .unwrap()
            .post("https://moving.example/", &HashMap::new(), String::new())
            .await;
        (answer, asked.load(Ordering::SeqCst))
    }

    #[tokio::test]
    async fn a_name_that_leads_within_is_not_called_in_whatever_company() {
        for answers in [
            &[&["127.0.0.1"] as &[&str]] as &[&[&str]],
            &[&["1.1.1.1", "10.0.0.1"]],
            &[&["::1"]],
            &[&["fd00:ec2::254"]],
        ] {
            assert_eq!(
                call(answers).await,
                (HookAnswer::Forbidden, 1),
                "{answers:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_name_is_looked_up_once_and_its_next_answer_is_not_asked_for() {
        // Nobody answers there, or it is refused: it is not the address within, which would answer.
        let (answer, looked) =
            call(&[&["2606:4700:ffff:ffff:ffff:ffff:ffff:ffff"], &["127.0.0.1"]]).await;
        assert_eq!(looked, 1);
        assert!(
            !matches!(answer, HookAnswer::Status(_) | HookAnswer::Forbidden),
            "{answer}"
        );
    }
}
