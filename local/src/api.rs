//! The routes of the API gateway.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{any, get, post};
use bytes::Bytes;
use http::Uri;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use runtime::response::Rejection;
use tokio::sync::Semaphore;

use crate::body::{BODY_TIMEOUT, Fate, answer, read_within};
use crate::functions::{Function, Functions, Method, Trigger};

/// The largest body that is taken, in bytes: API Gateway's own limit is 10 MB, Lambda's 6 MB.
const BODY_MAX_BYTES: usize = 6 * 1024 * 1024;
/// The largest body of which a signature is checked, in bytes: larger than any that a provider is known to send.
const SIGNED_BODY_MAX_BYTES: usize = 1024 * 1024;
/// The largest body that is taken at a Function URL while others are, in bytes.
const SMALL_BODY_BYTES: u64 = 1024 * 1024;
/// How many larger ones are taken at once: they lie in memory as a whole.
const LARGE_BODIES: usize = 4;
/// How long a large body may take to come.
const LARGE_BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// The routes of the API gateway.
pub fn routes(functions: &Arc<Functions>) -> Router {
    let mut router = Router::new();
    for function in functions.registry() {
        for trigger in function.triggers {
            if let Trigger::Route(method, path) = trigger {
                let served = Served(Arc::clone(functions), function.name);
                let route = match method {
                    Method::Get => get(call),
                    Method::Post => post(call),
                    Method::Any => any(call),
                };
                router = router.route(path, route.with_state(served));
            }
            if let Trigger::Url(paths, most) = trigger {
                let served = UrlServed {
                    functions: Arc::clone(functions),
                    name: function.name,
                    most: *most,
                    large: Arc::new(Semaphore::new(LARGE_BODIES)),
                };
                for path in *paths {
                    router = router.route(path, any(call_url).with_state(served.clone()));
                }
            }
        }
    }
    router
}

/// A router as it is served: what it lacks is answered as the gateway does.
pub fn served(routes: Router, registry: &'static [Function]) -> Router {
    routes
        .method_not_allowed_fallback(async move |request: Request| {
            method_not_allowed(&request, registry)
        })
        .fallback(async || answer(Rejection::NotFound.answer()))
        .layer(from_fn(close_after_chunks))
}

/// What a route reaches: one of the functions.
#[derive(Clone)]
struct Served(Arc<Functions>, &'static str);

/// A body in chunks ends its connection. If it told a length as well, a proxy in front may have believed that one, and
/// take what follows for somebody else's (RFC 9112, section 6.3); the server below shows us no such length.
async fn close_after_chunks(request: Request, next: Next) -> Response {
    let is_in_chunks = request.headers().contains_key(TRANSFER_ENCODING);
    let mut response = next.run(request).await;
    if is_in_chunks {
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

impl Served {
    async fn whole(&self, request: Request) -> Result<http::Request<Bytes>, Response> {
        let request = with_headers_joined(request);
        // What a provider sends is genuine by a signature of its body, which has to be read first.
        if self.1 == "payments" {
            return read_within(request, SIGNED_BODY_MAX_BYTES, Fate::Kept, BODY_TIMEOUT).await;
        }
        let fate = match self.0.knows(request.headers()) {
            true => Fate::Kept,
            false => Fate::Forgotten,
        };
        read_within(request, BODY_MAX_BYTES, fate, BODY_TIMEOUT).await
    }
}

/// The request as API Gateway passes it on: of a header that is sent several times, the values are one, with commas between.
fn with_headers_joined(mut request: Request) -> Request {
    let headers = request.headers_mut();
    let names: Vec<HeaderName> = headers.keys().cloned().collect();
    for name in names {
        let values: Vec<&[u8]> = headers
            .get_all(&name)
            .iter()
            .map(HeaderValue::as_bytes)
            .collect();
        if values.len() > 1 {
            // Bytes of header values with commas between are a header value.
            if let Ok(joined) = HeaderValue::from_bytes(&values.join(&b","[..])) {
                headers.insert(name, joined);
            }
        }
    }
    request
}

async fn call(State(served): State<Served>, request: Request) -> Response {
    // A route of `GET` takes `HEAD` too, and the functions know none.
    let is_head = request.method() == http::Method::HEAD;
    match served.whole(request).await {
        Ok(mut request) => {
            if is_head {
                *request.method_mut() = http::Method::GET;
            }
            answer(served.0.get(served.1).call(request).await)
        }
        Err(refusal) => refusal,
    }
}

/// What a Function URL reaches: one of the functions.
#[derive(Clone)]
struct UrlServed {
    functions: Arc<Functions>,
    name: &'static str,
    most: usize,
    large: Arc<Semaphore>,
}

async fn call_url(State(served): State<UrlServed>, request: Request) -> Response {
    let length = request.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let has_body = length.is_some() || request.headers().contains_key(TRANSFER_ENCODING);
    let is_small = !has_body || length.is_some_and(|length| length <= SMALL_BODY_BYTES);
    if !is_small && let Some(refusal) = refused_by_key(&served, request.uri().clone()).await {
        // Read, so that the caller hears it; not kept, and in nobody's place.
        let _ = read_within(request, served.most, Fate::Forgotten, BODY_TIMEOUT).await;
        return refusal;
    }
    // Nobody closes the semaphore.
    let _permit = match is_small {
        true => None,
        false => served.large.acquire().await.ok(),
    };
    let timeout = match is_small {
        true => BODY_TIMEOUT,
        false => LARGE_BODY_TIMEOUT,
    };
    match read_within(request, served.most, Fate::Kept, timeout).await {
        Ok(request) => answer(served.functions.get(served.name).call(request).await),
        Err(refusal) => refusal,
    }
}

/// What is answered to a call whose key does not work, before its body is kept: that would lie in memory as a whole.
async fn refused_by_key(served: &UrlServed, of_request: Uri) -> Option<Response> {
    let path = of_request.path();
    let bot = path
        .strip_prefix("/file")
        .unwrap_or(path)
        .split('/')
        .nth(1)?;
    let asked = http::Request::get(format!("/{bot}/getMe"));
    let asked = asked.body(Bytes::new()).ok()?;
    let answered = served.functions.get(served.name).call(asked).await;
    (answered.status() == http::StatusCode::UNAUTHORIZED).then(|| answer(answered))
}

/// Whether a path is one of a route, whose parts in braces stand for any.
fn is_of_route(path: &str, route: &str) -> bool {
    let (mut parts, mut of_route) = (path.split('/'), route.split('/'));
    loop {
        match (parts.next(), of_route.next()) {
            (None, None) => return true,
            (Some(part), Some(of)) if part == of || of.starts_with('{') => {}
            _ => return false,
        }
    }
}

fn method_not_allowed(request: &Request, registry: &[Function]) -> Response {
    let path = request.uri().path();
    let of_all = registry.iter().flat_map(|function| function.triggers);
    let takes_post = path.starts_with("/local/actions/")
        || of_all.into_iter().any(
            |trigger| matches!(trigger, Trigger::Route(Method::Post, of_route) if is_of_route(path, of_route)),
        );
    let allowed = if takes_post { "POST" } else { "GET" };
    answer(Rejection::MethodNotAllowed(allowed).answer())
}
