//! The passing of time: what is due happens, and notifications set out.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::ipn::Ipn;
use super::shared::Shared;
use crate::server::until;

/// How long a notification waits for its answer, by the clock.
const ANSWER_WITHIN_MS: i64 = 3_000;
/// Of real time: a test that turns the clock far does not time out an answer that is about to come.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);
/// The header with the signature.
const SIGNATURE: &str = "x-nowpayments-sig";

/// Runs until the server stops.
pub(super) async fn run(shared: Arc<Shared>, stopped: watch::Receiver<bool>) {
    let mut under_way = JoinSet::new();
    let stop = until(stopped);
    tokio::pin!(stop);
    loop {
        let changed = shared.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        let (ready, wakes_at_ms) = shared.ready();
        for ipn in ready {
            under_way.spawn(deliver(Arc::clone(&shared), ipn));
        }
        while under_way.try_join_next().is_some() {}
        let sleep = async {
            match wakes_at_ms {
                Some(at_ms) => shared.clock.sleep_until(at_ms).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = &mut stop => return,
            () = &mut changed => {}
            () = sleep => {}
        }
    }
}

async fn deliver(shared: Arc<Shared>, ipn: Ipn) {
    let at_ms = shared.clock.now_ms();
    let transport = shared.transport().clone();
    let time_out = async {
        tokio::time::sleep(SHORTEST_TIMEOUT).await;
        shared.clock.sleep_until(at_ms + ANSWER_WITHIN_MS).await;
    };
    let answer = tokio::select! {
        biased;
        answer = transport.carry(request(&ipn)) => answer.ok(),
        () = time_out => None,
    };
    let status = answer.map(|answer| answer.status().as_u16());
    shared.change(|state, now_ms| state.ipns.settle(ipn, status, at_ms, now_ms));
}

fn request(ipn: &Ipn) -> Request<Bytes> {
    let mut request = Request::new(Bytes::from(ipn.body.clone()));
    *request.method_mut() = Method::POST;
    // What an endpoint took is a URL; one that is no URI after all leads nowhere.
    *request.uri_mut() = ipn.url.parse().unwrap_or_default();
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(signature) = HeaderValue::from_str(&ipn.signature) {
        headers.insert(SIGNATURE, signature);
    }
    request
}
