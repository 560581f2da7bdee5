//! Customers.

use serde_json::{Value, json};

use super::ask::{StripeAsk, StripeResult};
use super::kind::ObjectKind;
use super::list;
use super::values::{merge_metadata, or_empty, or_null, random_text, text};
use super::world::StripeWorld;

/// `POST /v1/customers`.
pub(super) fn create(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let id = world.new_customer(&ask.params);
    Ok(world.read(ObjectKind::Customer, &id))
}

/// `GET /v1/customers/{customer}`.
pub(super) fn retrieve(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    world
        .find(ObjectKind::Customer, &ask.id, "customer")
        .cloned()
}

/// `POST /v1/customers/{customer}`.
pub(super) fn update(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    world.find(ObjectKind::Customer, &ask.id, "customer")?;
    let previous = world.change(ObjectKind::Customer, &ask.id, |customer| {
        for field in ["description", "email", "name", "phone"] {
            if !ask.params[field].is_null() {
                customer[field] = or_null(&ask.params[field]);
            }
        }
        merge_metadata(&mut customer["metadata"], &ask.params["metadata"]);
    });
    world.emit_change("customer.updated", ObjectKind::Customer, &ask.id, previous);
    Ok(world.read(ObjectKind::Customer, &ask.id))
}

/// `DELETE /v1/customers/{customer}`: its subscriptions end at once.
pub(super) fn delete(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    world.find(ObjectKind::Customer, &ask.id, "customer")?;
    let own = |subscription: &&Value| {
        subscription["customer"] == ask.id.as_str() && subscription["status"] != "canceled"
    };
    let running: Vec<String> = world
        .all(ObjectKind::Subscription)
        .filter(own)
        .map(|subscription| text(&subscription["id"]).to_owned())
        .collect();
    for subscription in running {
        world.cancel_subscription(&subscription, "cancellation_requested");
    }
    world.emit("customer.deleted", ObjectKind::Customer, &ask.id);
    world.remove(ObjectKind::Customer, &ask.id);
    Ok(json!({"id": ask.id, "object": "customer", "deleted": true}))
}

/// `GET /v1/customers`.
pub(super) fn list_all(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let equal = list::equal(&ask.params, &["email"]);
    list::list(world, ObjectKind::Customer, &ask.params, equal)
}

impl StripeWorld {
    /// A new customer, and its event.
    pub(super) fn new_customer(&mut self, params: &Value) -> String {
        let id = self.new_id(ObjectKind::Customer);
        let customer = json!({
            "id": id, "object": "customer", "address": null, "balance": 0, "created": self.now, "currency": null,
            "customer_account": null, "default_source": null, "delinquent": false,
            "description": or_null(&params["description"]), "discount": null, "email": or_null(&params["email"]),
            "invoice_prefix": random_text(8).to_uppercase(),
            "invoice_settings": {
                "custom_fields": null, "default_payment_method": null, "footer": null, "rendering_options": null,
            },
            "livemode": self.livemode, "metadata": or_empty(&params["metadata"]), "name": or_null(&params["name"]),
            "next_invoice_sequence": 1, "phone": or_null(&params["phone"]), "preferred_locales": [],
            "shipping": null, "tax_exempt": "none", "test_clock": null,
        });
        self.put(ObjectKind::Customer, customer);
        self.emit("customer.created", ObjectKind::Customer, &id);
        id
    }
}
