//! Events as the API lists them, and as an endpoint of another API version gets them.

use serde_json::{Value, json};

use super::ask::{StripeAsk, StripeResult};
use super::kind::ObjectKind;
use super::list;
use super::refusal::StripeRefusal;
use super::values::{integer, text};
use super::world::{API_VERSION, StripeWorld};

/// How long events are listed.
const KEPT: i64 = 30 * 86_400;
/// The first version without the fields that [`as_of`] puts back.
const BASIL: &str = "2025-03-31";

/// `GET /v1/events/{id}`.
pub(super) fn retrieve(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let event = world.find(ObjectKind::Event, &ask.id, "id")?;
    if integer(&event["created"]) < world.now - KEPT {
        return Err(StripeRefusal::no_such("event", &ask.id, "id"));
    }
    Ok(event.clone())
}

/// `GET /v1/events`: of the last 30 days.
pub(super) fn list_all(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let params = &ask.params;
    if !params["type"].is_null() && !params["types"].is_null() {
        return Err(StripeRefusal::exclusive("type, types"));
    }
    let oldest = world.now - KEPT;
    list::list(world, ObjectKind::Event, params, |event| {
        let event_type = text(&event["type"]);
        let is_wanted = match (params["type"].as_str(), params["types"].as_array()) {
            (Some(wanted), _) => matches(wanted, event_type),
            (None, Some(wanted)) => wanted.iter().any(|wanted| wanted == event_type),
            (None, None) => true,
        };
        let is_delivered = integer(&event["pending_webhooks"]) == 0;
        integer(&event["created"]) >= oldest
            && is_wanted
            && params["delivery_success"]
                .as_bool()
                .is_none_or(|wanted| wanted == is_delivered)
    })
}

/// If a type is of the group: a name, or the beginning of one and `*`.
fn matches(group: &str, event_type: &str) -> bool {
    match group.strip_suffix('*') {
        Some(beginning) => event_type.starts_with(beginning),
        None => group == event_type,
    }
}

/// The event in the shape of the endpoint's version: before 2025-03-31, with the fields that were moved then at their
/// old places too. Other differences between versions are not simulated.
pub(super) fn as_of(world: &StripeWorld, mut event: Value, version: &Value) -> Value {
    let Some(version) = version.as_str().filter(|version| *version != API_VERSION) else {
        return event;
    };
    event["api_version"] = json!(version);
    if version >= BASIL {
        return event;
    }
    let object = &mut event["data"]["object"];
    match text(&object["object"]) {
        "invoice" => {
            object["subscription"] =
                object["parent"]["subscription_details"]["subscription"].clone();
            object["paid"] = json!(object["status"] == "paid");
            let own = |payment: &&Value| payment["invoice"] == object["id"];
            let payment = world.all(ObjectKind::InvoicePayment).find(own);
            let intent = payment.map(|payment| payment["payment"]["payment_intent"].clone());
            let intent = intent.unwrap_or_default();
            let charge = world.read(ObjectKind::Intent, text(&intent))["latest_charge"].clone();
            (object["payment_intent"], object["charge"]) = (intent, charge);
        }
        "subscription" => {
            let item = object["items"]["data"][0].clone();
            object["current_period_start"] = item["current_period_start"].clone();
            object["current_period_end"] = item["current_period_end"].clone();
        }
        "charge" | "payment_intent" => {
            let intent = match text(&object["object"]) {
                "charge" => object["payment_intent"].clone(),
                _ => object["id"].clone(),
            };
            let own = |payment: &&Value| payment["payment"]["payment_intent"] == intent;
            let payment = world.all(ObjectKind::InvoicePayment).find(own);
            let invoice = payment.map(|payment| payment["invoice"].clone());
            object["invoice"] = invoice.unwrap_or_default();
        }
        _ => {}
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_of_types_ends_with_a_star() {
        assert!(matches("charge.*", "charge.refunded"));
        assert!(matches("charge.refunded", "charge.refunded"));
        assert!(!matches("charge", "charge.refunded"));
    }
}
