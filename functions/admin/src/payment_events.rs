//! What providers of payments reported, and having an event settled once more that was parked. Never a body.

use runtime::response::{Refusal, Rejection};
use serde::Deserialize;
use serde_json::{Value, json};
use store::PaymentEvent;
use store::queue::PaymentBell;
use tracing::info;

use crate::{App, orders, unavailable};

const KEY_MAX_BYTES: usize = 1_000;

/// The body of `replay`.
#[derive(Deserialize)]
pub(crate) struct Asked {
    key: String,
}

/// Where the event of a key stands.
pub(crate) async fn show(app: &App, query: &str) -> Result<Value, Refusal> {
    let asked: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    match &asked[..] {
        [(name, key)] if name == "key" => Ok(json!({"event": view(&get(app, key).await?)})),
        _ => {
            let why = "Name the key of an event, percent-encoded: ?key=stripe%23evt_…";
            Err(Refusal::saying(Rejection::InvalidQuery, why))
        }
    }
}

/// Has a parked event settled once more; one that is not parked stays as it is.
pub(crate) async fn replay(app: &App, who: &str, asked: Asked) -> Result<Value, Refusal> {
    // Before anything is written: what is not there can't be parked.
    get(app, &asked.key).await?;
    let is_replayed = app
        .payment_events
        .replay(&asked.key, app.clock.now())
        .await
        .map_err(unavailable)?;
    let event = get(app, &asked.key).await?;
    if is_replayed {
        info!(
            operator.name = who,
            outcome = "replay",
            payment.event = asked.key,
            "an operator has a payment event settled once more"
        );
    }
    // Also the second time: the first call may have died before it.
    if event.state.is_open() {
        orders::ring(app, PaymentBell::Event { key: asked.key }).await;
    }
    Ok(json!({"event": view(&event)}))
}

async fn get(app: &App, key: &str) -> Result<PaymentEvent, Refusal> {
    let unknown = || {
        Refusal::saying(
            Rejection::NotFound,
            "There is no payment event of this key.",
        )
    };
    if !(1..=KEY_MAX_BYTES).contains(&key.len()) {
        return Err(unknown());
    }
    let found = app.payment_events.get(key).await.map_err(unavailable)?;
    found.ok_or_else(unknown)
}

fn view(event: &PaymentEvent) -> Value {
    json!({
        "key": event.key,
        "state": event.state.as_str(),
        "receivedAt": event.received_at,
        "attempts": event.attempts,
        "why": event.why,
        "bytes": event.body.len(),
    })
}
