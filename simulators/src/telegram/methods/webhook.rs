//! Registering where updates go, and looking at how that goes.

use std::net::IpAddr;

use reqwest::Url;
use serde_json::{Value, json};

use super::{MethodAnswer, Request};
use crate::telegram::inbox::{Inbox, Webhook};
use crate::telegram::refusal::Refusal;
use crate::telegram::schema;
use crate::telegram::state::TelegramState;

const DEFAULT_CONNECTIONS: i64 = 40;
const LONGEST_SECRET: usize = 256;
const PORTS: [u16; 4] = [443, 80, 88, 8443];

pub(super) fn set(
    world: &mut TelegramState,
    request: &Request<'_>,
) -> Result<MethodAnswer, Refusal> {
    let params = request.params;
    let address = params.text("url").unwrap_or_default();
    if address.is_empty() {
        return delete(world, request);
    }
    let url = check_url(address, request.allow_http)?;
    let secret_token = params
        .text("secret_token")
        .filter(|secret| !secret.is_empty());
    if let Some(secret) = secret_token {
        if secret.len() > LONGEST_SECRET {
            return Err(Refusal::bad_request("secret token is too long"));
        }
        if !secret
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        {
            return Err(Refusal::bad_request(
                "secret token contains unallowed characters",
            ));
        }
    }
    let connections = params
        .integer("max_connections")
        .unwrap_or(DEFAULT_CONNECTIONS)
        .clamp(1, 100);
    let webhook = Webhook {
        url: url.into(),
        secret_token: secret_token.map(str::to_owned),
        max_connections: usize::try_from(connections).unwrap_or(1),
        ip_address: params.text("ip_address").map(str::to_owned),
    };
    let allowed = allowed_updates(params.texts("allowed_updates"))?;
    let inbox = inbox(world, request)?;
    inbox.allow(allowed);
    if params.flag("drop_pending_updates") {
        inbox.clear();
    }
    inbox.set_webhook(Some(webhook), request.now_ms);
    Ok(MethodAnswer {
        result: json!(true),
        description: Some("Webhook was set"),
    })
}

pub(super) fn delete(
    world: &mut TelegramState,
    request: &Request<'_>,
) -> Result<MethodAnswer, Refusal> {
    let inbox = inbox(world, request)?;
    let was_set = inbox.webhook.is_some();
    if request.params.flag("drop_pending_updates") {
        inbox.clear();
    }
    if was_set {
        inbox.set_webhook(None, request.now_ms);
    }
    let description = if was_set {
        "Webhook was deleted"
    } else {
        "Webhook is already deleted"
    };
    Ok(MethodAnswer {
        result: json!(true),
        description: Some(description),
    })
}

pub(super) fn info(world: &mut TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    let inbox = inbox(world, request)?;
    let url = inbox
        .webhook
        .as_ref()
        .map(|webhook| webhook.url.clone())
        .unwrap_or_default();
    let mut info = json!({
        "url": url, "has_custom_certificate": false, "pending_update_count": inbox.len(),
    });
    if let Some(webhook) = &inbox.webhook {
        info["max_connections"] = json!(webhook.max_connections);
        if let Some(address) = &webhook.ip_address {
            info["ip_address"] = json!(address);
        }
        if let Some((date, message)) = &inbox.last_error {
            info["last_error_date"] = json!(date);
            info["last_error_message"] = json!(message);
        }
    }
    if let Some(kinds) = inbox.allowed() {
        info["allowed_updates"] = json!(kinds);
    }
    Ok(info)
}

/// Telegram ignores the names that it doesn't know; here a typo is refused.
pub(crate) fn allowed_updates(asked: Option<Vec<String>>) -> Result<Option<Vec<String>>, Refusal> {
    let unknown = asked.iter().flatten().find(|kind| !schema::is_update(kind));
    match unknown {
        Some(kind) => Err(Refusal::bad_request(format!(
            "simulator: unknown update type {kind}"
        ))),
        None => Ok(asked),
    }
}

fn check_url(address: &str, allow_http: bool) -> Result<Url, Refusal> {
    let url =
        Url::parse(address).map_err(|_| Refusal::bad_request("invalid webhook URL specified"))?;
    let host = url
        .host_str()
        .unwrap_or_default()
        .trim_start_matches('[')
        .trim_end_matches(']');
    let is_loopback =
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if allow_http && is_loopback && matches!(url.scheme(), "http" | "https") {
        return Ok(url);
    }
    if url.scheme() != "https" {
        return Err(Refusal::bad_request(
            "bad webhook: An HTTPS URL must be provided for webhook",
        ));
    }
    if !url
        .port_or_known_default()
        .is_some_and(|port| PORTS.contains(&port))
    {
        let what = "bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443";
        return Err(Refusal::bad_request(what));
    }
    if is_loopback {
        return Err(Refusal::bad_request(format!(
            "bad webhook: IP address {host} is reserved"
        )));
    }
    Ok(url)
}

fn inbox<'a>(
    world: &'a mut TelegramState,
    request: &Request<'_>,
) -> Result<&'a mut Inbox, Refusal> {
    world
        .bots
        .get_mut(&request.bot_id)
        .map(|bot| &mut bot.inbox)
        .ok_or_else(Refusal::unauthorized)
}
