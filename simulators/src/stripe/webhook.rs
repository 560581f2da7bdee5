//! Delivery of events to the registered endpoints, signed.
//!
//! Any 2xx is a success; a redirect is not. A failure is tried again with growing gaps, signed anew each time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request};
use serde_json::Value;
use sha2::Sha256;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::event;
use super::journal::StripeDelivery;
use super::kind::ObjectKind;
use super::outbox::EventParcel;
use super::shared::StripeShared;
use super::values::{integer, text};
use crate::clock::Clock;
use crate::server::until;

const RESPONSE_TIMEOUT_MS: i64 = 20_000;
/// Of real time: a test that turns the clock far does not time out an answer that is about to come.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);

/// One delivery under way.
struct SignedParcel {
    parcel: EventParcel,
    livemode: bool,
    event: Arc<Value>,
    request: Request<Bytes>,
}

/// Lets happen what is due, and delivers, until the server stops.
pub(super) async fn deliver_all(shared: Arc<StripeShared>, stopped: watch::Receiver<bool>) {
    let mut under_way = JoinSet::new();
    let stop = until(stopped);
    tokio::pin!(stop);
    loop {
        let changed = shared.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        let (parcels, wakes_at_ms) = ready(&shared);
        for parcel in parcels {
            under_way.spawn(deliver(Arc::clone(&shared), parcel));
        }
        while under_way.try_join_next().is_some() {}
        tokio::select! {
            biased;
            () = &mut stop => return,
            () = &mut changed => {}
            () = sleep(&shared.clock, wakes_at_ms) => {}
        }
    }
}

async fn sleep(clock: &Clock, until_ms: Option<i64>) {
    match until_ms {
        Some(at_ms) => clock.sleep_until(at_ms).await,
        None => std::future::pending().await,
    }
}

fn ready(shared: &StripeShared) -> (Vec<SignedParcel>, Option<i64>) {
    let mut state = shared.lock();
    let now_ms = shared.clock.now_ms();
    let mut signed = Vec::new();
    let mut is_any_dropped = false;
    let mut wakes_at_ms: Option<i64> = None;
    for world in state.worlds() {
        for parcel in world.outbox.take(now_ms) {
            let endpoint = world.read(ObjectKind::Endpoint, &parcel.endpoint_id);
            let event = world.read(ObjectKind::Event, &parcel.event_id);
            let secrets = world.outbox.secrets.get(&parcel.endpoint_id);
            // An endpoint that was deleted or disabled meanwhile gets nothing.
            let (Some(secrets), true) = (secrets, endpoint["status"] == "enabled") else {
                world.outbox.settle(parcel, true, true, now_ms);
                is_any_dropped = true;
                continue;
            };
            let event = event::as_of(world, event, &endpoint["api_version"]);
            let body = serde_json::to_vec_pretty(&event).unwrap_or_default();
            let signature = signature(&secrets.valid(now_ms), now_ms.div_euclid(1000), &body);
            signed.push(SignedParcel {
                request: request(text(&endpoint["url"]), &signature, body),
                livemode: world.livemode,
                event: Arc::new(event),
                parcel,
            });
        }
        let due_ms = world.next_due().map(|at| at.saturating_mul(1000));
        wakes_at_ms = [wakes_at_ms, due_ms, world.outbox.next_due_ms()]
            .into_iter()
            .flatten()
            .min();
    }
    drop(state);
    if is_any_dropped {
        shared.changed.notify_waiters();
    }
    (signed, wakes_at_ms)
}

/// The header `Stripe-Signature` over the body, sent at `now` (seconds), by each secret's literal text.
#[must_use]
pub fn signature(secrets: &[&str], now: i64, body: &[u8]) -> String {
    let mut header = format!("t={now}");
    for secret in secrets {
        // A key of any length is one.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
            continue;
        };
        mac.update(format!("{now}.").as_bytes());
        mac.update(body);
        header.push_str(",v1=");
        for byte in mac.finalize().into_bytes() {
            header.push_str(&format!("{byte:02x}"));
        }
    }
    header
}

fn request(url: &str, signature: &str, body: Vec<u8>) -> Request<Bytes> {
    let mut request = Request::new(Bytes::from(body));
    *request.method_mut() = Method::POST;
    // A URL that is no URI after all leads nowhere.
    *request.uri_mut() = url.parse().unwrap_or_default();
    let headers = request.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static("Stripe/1.0 (+https://stripe.com/docs/webhooks)"),
    );
    if let Ok(signature) = HeaderValue::from_str(signature) {
        headers.insert("stripe-signature", signature);
    }
    request
}

async fn time_out(clock: &Clock, since_ms: i64) {
    tokio::time::sleep(SHORTEST_TIMEOUT).await;
    clock.sleep_until(since_ms + RESPONSE_TIMEOUT_MS).await;
}

async fn deliver(shared: Arc<StripeShared>, signed: SignedParcel) {
    let SignedParcel {
        parcel,
        livemode,
        event,
        request,
    } = signed;
    let at_ms = shared.clock.now_ms();
    let transport = shared.transport().clone();
    let answer = tokio::select! {
        biased;
        answer = transport.carry(request) => answer.ok(),
        () = time_out(&shared.clock, at_ms) => None,
    };
    let status = answer.map(|answer| answer.status());
    let succeeded = status.is_some_and(|status| status.is_success());
    shared.change(|state| {
        let now_ms = shared.clock.now_ms();
        state.journal.delivered(StripeDelivery {
            endpoint_id: parcel.endpoint_id.clone(),
            event_id: parcel.event_id.clone(),
            event_type: text(&event["type"]).to_owned(),
            attempt: parcel.attempt,
            event: Arc::clone(&event),
            status: status.map(|status| status.as_u16()),
            at_ms,
        });
        let world = state.world(livemode);
        if succeeded && !parcel.is_repeat {
            world.change(ObjectKind::Event, &parcel.event_id, |event| {
                let pending = integer(&event["pending_webhooks"]);
                event["pending_webhooks"] = (pending - 1).max(0).into();
            });
        }
        world.outbox.settle(parcel, succeeded, livemode, now_ms);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_hmac_of_time_and_body_by_each_secret() {
        // By: printf '1700000000.{}' | openssl dgst -sha256 -hmac whsec_a
        let header = signature(&["whsec_a", "whsec_b"], 1_700_000_000, b"{}");
        assert_eq!(
            header,
            "t=1700000000,v1=04339dc4f01d6541e8d3b7e4bd93cd2d4f680ccb28592270900b08e49cc09e57,\
             v1=c5189ebadc3785f3f35cf54514c1960853eb90d63e53d893af772bcdc3781c6f"
        );
    }
}
