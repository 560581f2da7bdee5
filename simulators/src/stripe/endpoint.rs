//! Webhook endpoints, as the API registers them.

use serde_json::{Value, json};

use super::ask::{StripeAsk, StripeResult};
use super::kind::ObjectKind;
use super::list;
use super::outbox::SigningSecrets;
use super::refusal::StripeRefusal;
use super::values::{merge_metadata, or_empty, or_null, text};
use super::world::StripeWorld;

const MOST_ENDPOINTS: usize = 16;

/// `POST /v1/webhook_endpoints`: the only answer with the secret.
pub(super) fn create(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let params = &ask.params;
    check_url(world, &params["url"])?;
    if world.all(ObjectKind::Endpoint).count() >= MOST_ENDPOINTS {
        return Err(StripeRefusal::invalid(format!(
            "You have reached the maximum of {MOST_ENDPOINTS} webhook endpoints."
        )));
    }
    if params["connect"] == true {
        return Err(StripeRefusal::not_simulated("connect").param("connect"));
    }
    let id = world.new_id(ObjectKind::Endpoint);
    let endpoint = json!({
        "id": id, "object": "webhook_endpoint", "api_version": params["api_version"], "application": null,
        "created": world.now, "description": or_null(&params["description"]),
        "enabled_events": params["enabled_events"], "livemode": world.livemode,
        "metadata": or_empty(&params["metadata"]), "status": "enabled", "url": params["url"],
    });
    world.put(ObjectKind::Endpoint, endpoint.clone());
    let secrets = SigningSecrets::new();
    let mut created = endpoint;
    created["secret"] = json!(secrets.newest());
    world.outbox.secrets.insert(id, secrets);
    Ok(created)
}

fn check_url(world: &StripeWorld, url: &Value) -> Result<(), StripeRefusal> {
    let url = text(url);
    let host = url.strip_prefix("http://").unwrap_or_default();
    let is_local = ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .any(|local| host.starts_with(local));
    if url.starts_with("https://") || is_local || (!world.livemode && !host.is_empty()) {
        return Ok(());
    }
    let message = if host.is_empty() {
        "Not a valid URL"
    } else {
        "Invalid URL: URL must be HTTPS in live mode"
    };
    Err(StripeRefusal::invalid(message)
        .code("url_invalid")
        .param("url"))
}

/// `GET /v1/webhook_endpoints/{webhook_endpoint}`.
pub(super) fn retrieve(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    world
        .find(ObjectKind::Endpoint, &ask.id, "webhook_endpoint")
        .cloned()
}

/// `POST /v1/webhook_endpoints/{webhook_endpoint}`: the API version can't be changed.
pub(super) fn update(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let params = &ask.params;
    world.find(ObjectKind::Endpoint, &ask.id, "webhook_endpoint")?;
    if !params["url"].is_null() {
        check_url(world, &params["url"])?;
    }
    world.change(ObjectKind::Endpoint, &ask.id, |endpoint| {
        for field in ["enabled_events", "url"] {
            if !params[field].is_null() {
                endpoint[field] = params[field].clone();
            }
        }
        if !params["description"].is_null() {
            endpoint["description"] = or_null(&params["description"]);
        }
        if let Some(disabled) = params["disabled"].as_bool() {
            endpoint["status"] = json!(if disabled { "disabled" } else { "enabled" });
        }
        merge_metadata(&mut endpoint["metadata"], &params["metadata"]);
    });
    Ok(world.read(ObjectKind::Endpoint, &ask.id))
}

/// `DELETE /v1/webhook_endpoints/{webhook_endpoint}`.
pub(super) fn delete(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    world.find(ObjectKind::Endpoint, &ask.id, "webhook_endpoint")?;
    world.remove(ObjectKind::Endpoint, &ask.id);
    world.outbox.secrets.remove(&ask.id);
    Ok(json!({"id": ask.id, "object": "webhook_endpoint", "deleted": true}))
}

/// `GET /v1/webhook_endpoints`.
pub(super) fn list_all(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    list::list(world, ObjectKind::Endpoint, &ask.params, |_| true)
}
