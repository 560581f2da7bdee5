//! The customer portal: its configurations, and sessions of it.

use serde_json::{Value, json};

use super::ask::{StripeAsk, StripeResult};
use super::kind::ObjectKind;
use super::list;
use super::refusal::StripeRefusal;
use super::values::{merge_metadata, or_empty, or_null, text};
use super::world::StripeWorld;

/// `POST /v1/billing_portal/configurations`.
pub(super) fn create_configuration(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let id = world.new_configuration(&ask.params, false);
    world.emit(
        "billing_portal.configuration.created",
        ObjectKind::PortalConfiguration,
        &id,
    );
    Ok(world.read(ObjectKind::PortalConfiguration, &id))
}

/// `GET /v1/billing_portal/configurations/{configuration}`.
pub(super) fn retrieve_configuration(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    world
        .find(ObjectKind::PortalConfiguration, &ask.id, "configuration")
        .cloned()
}

/// `POST /v1/billing_portal/configurations/{configuration}`.
pub(super) fn update_configuration(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let kind = ObjectKind::PortalConfiguration;
    let present = world.find(kind, &ask.id, "configuration")?;
    if present["is_default"] == true && ask.params["active"] == false {
        return Err(
            StripeRefusal::invalid("You cannot deactivate the default configuration.")
                .param("active"),
        );
    }
    let now = world.now;
    let features = &ask.params["features"];
    let previous = world.change(kind, &ask.id, |configuration| {
        if let Some(active) = ask.params["active"].as_bool() {
            configuration["active"] = json!(active);
        }
        if let Some(shown) = configuration["features"].as_object_mut() {
            for (name, feature) in shown {
                for (field, value) in features[name.as_str()].as_object().into_iter().flatten() {
                    feature[field.as_str()] = value.clone();
                }
            }
        }
        configuration["updated"] = json!(now);
        merge_metadata(&mut configuration["metadata"], &ask.params["metadata"]);
    });
    world.emit_change(
        "billing_portal.configuration.updated",
        kind,
        &ask.id,
        previous,
    );
    Ok(world.read(kind, &ask.id))
}

/// `GET /v1/billing_portal/configurations`.
pub(super) fn list_configurations(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let equal = list::equal(&ask.params, &["active", "is_default"]);
    list::list(world, ObjectKind::PortalConfiguration, &ask.params, equal)
}

/// `POST /v1/billing_portal/sessions`.
pub(super) fn create_session(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let params = &ask.params;
    let customer = params["customer"]
        .as_str()
        .ok_or_else(|| StripeRefusal::missing_parameter("customer"))?;
    world
        .find(ObjectKind::Customer, customer, "customer")
        .map_err(StripeRefusal::in_parameter)?;
    let configuration = match params["configuration"].as_str() {
        Some(id) => world
            .find(ObjectKind::PortalConfiguration, id, "configuration")
            .map_err(StripeRefusal::in_parameter)?,
        None => world
            .all(ObjectKind::PortalConfiguration)
            .find(|configuration| configuration["is_default"] == true)
            .ok_or_else(|| {
                let mode = if world.livemode { "live" } else { "test" };
                StripeRefusal::invalid(format!(
                    "No configuration provided and your {mode} mode default configuration has not been created. Provide \
                     a configuration or create your default by saving your customer portal settings in {mode} mode at \
                     https://dashboard.stripe.com/{mode}/settings/billing/portal."
                ))
            })?,
    }
    .clone();
    let flow = flow(world, &params["flow_data"], customer, &configuration)?;
    let id = world.new_id(ObjectKind::PortalSession);
    let session = json!({
        "id": id, "object": "billing_portal.session", "after_expiration": null,
        "configuration": configuration["id"], "created": world.now, "customer": customer, "customer_account": null,
        "flow": flow, "livemode": world.livemode, "locale": params["locale"], "on_behalf_of": null,
        "return_url": params["return_url"], "url": format!("{}/p/session/{id}", world.url),
    });
    world.put(ObjectKind::PortalSession, session.clone());
    world.emit(
        "billing_portal.session.created",
        ObjectKind::PortalSession,
        &id,
    );
    Ok(session)
}

fn flow(world: &StripeWorld, data: &Value, customer: &str, configuration: &Value) -> StripeResult {
    let Some(kind) = data["type"].as_str() else {
        return Ok(Value::Null);
    };
    let mut flow = json!({
        "after_completion": {"hosted_confirmation": null, "redirect": null, "type": "portal_homepage"},
        "subscription_cancel": null, "subscription_update": null, "subscription_update_confirm": null, "type": kind,
    });
    match kind {
        "payment_method_update" => {}
        "subscription_cancel" => {
            let param = "flow_data[subscription_cancel][subscription]";
            let id = data["subscription_cancel"]["subscription"]
                .as_str()
                .ok_or_else(|| StripeRefusal::missing_parameter(param))?;
            let subscription = world
                .find(ObjectKind::Subscription, id, param)
                .map_err(StripeRefusal::in_parameter)?;
            if subscription["customer"] != customer {
                return Err(StripeRefusal::no_such("subscription", id, param).in_parameter());
            }
            if configuration["features"]["subscription_cancel"]["enabled"] != true {
                return Err(StripeRefusal::invalid(
                    "This subscription cannot be canceled because the subscription cancellation feature in the portal \
                     configuration is disabled.",
                ));
            }
            flow["subscription_cancel"] = json!({"retention": null, "subscription": id});
        }
        _ => return Err(StripeRefusal::not_simulated(kind).param("flow_data[type]")),
    }
    Ok(flow)
}

impl StripeWorld {
    /// A configuration with what `features` gives, the rest off.
    pub(super) fn new_configuration(&mut self, params: &Value, is_default: bool) -> String {
        let id = self.new_id(ObjectKind::PortalConfiguration);
        let features = &params["features"];
        let is_on = |name: &str| features[name]["enabled"] == true;
        let profile = &params["business_profile"];
        let cancel = &features["subscription_cancel"];
        let allowed = &features["customer_update"]["allowed_updates"];
        let configuration = json!({
            "id": id, "object": "billing_portal.configuration", "active": true, "application": null,
            "business_profile": {
                "headline": or_null(&profile["headline"]), "privacy_policy_url": profile["privacy_policy_url"],
                "terms_of_service_url": profile["terms_of_service_url"],
            },
            "created": self.now, "default_return_url": or_null(&params["default_return_url"]),
            "features": {
                "customer_update": {
                    "allowed_updates": if allowed.is_array() { allowed.clone() } else { json!([]) },
                    "enabled": is_on("customer_update"),
                },
                "invoice_history": {"enabled": is_on("invoice_history")},
                "payment_method_update": {
                    "enabled": is_on("payment_method_update"), "payment_method_configuration": null,
                },
                "subscription_cancel": {
                    "cancellation_reason": {"enabled": false, "options": []},
                    "enabled": is_on("subscription_cancel"),
                    "mode": cancel["mode"].as_str().unwrap_or("at_period_end"),
                    "proration_behavior": cancel["proration_behavior"].as_str().unwrap_or("none"),
                },
                "subscription_update": {
                    "billing_cycle_anchor": null, "default_allowed_updates": [],
                    "enabled": is_on("subscription_update"), "products": [], "proration_behavior": "none",
                    "schedule_at_period_end": {"conditions": []}, "trial_update_behavior": "end_trial",
                },
            },
            "is_default": is_default, "livemode": self.livemode, "login_page": {"enabled": false, "url": null},
            "metadata": or_empty(&params["metadata"]), "name": or_null(&params["name"]), "updated": self.now,
        });
        self.put(ObjectKind::PortalConfiguration, configuration);
        id
    }

    /// The customer cancels in the portal, as the configuration allows.
    pub(super) fn cancel_in_portal(
        &mut self,
        session: &str,
        subscription: &str,
    ) -> Result<(), StripeRefusal> {
        let session = self.find(ObjectKind::PortalSession, session, "session")?;
        let configuration = self.read(
            ObjectKind::PortalConfiguration,
            text(&session["configuration"]),
        );
        let cancel = &configuration["features"]["subscription_cancel"];
        let customer = session["customer"].clone();
        let own = self.find(ObjectKind::Subscription, subscription, "id")?;
        if cancel["enabled"] != true || own["customer"] != customer {
            return Err(StripeRefusal::invalid("The portal does not offer that."));
        }
        if cancel["mode"] == "immediately" {
            self.cancel_subscription(subscription, "cancellation_requested");
            return Ok(());
        }
        let ask = StripeAsk {
            id: subscription.to_owned(),
            params: json!({"cancel_at_period_end": true}),
        };
        super::subscription::update(self, &ask).map(|_| ())
    }
}
