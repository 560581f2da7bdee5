//! The methods that are simulated, each a decision on the world at one instant.

mod chat;
mod invite;
mod moderation;
mod webhook;

pub(crate) use webhook::allowed_updates;

use serde_json::Value;

use super::refusal::Refusal;
use super::schema::Params;
use super::state::TelegramState;

/// One call, already authenticated and checked against the field list.
pub(crate) struct Request<'a> {
    pub(crate) bot_id: i64,
    pub(crate) params: &'a Params,
    pub(crate) now_ms: i64,
    /// Whether a webhook may be plain HTTP to a loopback address.
    pub(crate) allow_http: bool,
}

impl Request<'_> {
    fn chat_id(&self) -> Value {
        self.params.0.get("chat_id").cloned().unwrap_or(Value::Null)
    }

    fn user_id(&self) -> i64 {
        self.params.integer("user_id").unwrap_or_default()
    }
}

/// What a method answers: the result, and for some a description beside it.
pub(crate) struct MethodAnswer {
    pub(crate) result: Value,
    pub(crate) description: Option<&'static str>,
}

impl From<Value> for MethodAnswer {
    fn from(result: Value) -> Self {
        Self {
            result,
            description: None,
        }
    }
}

/// Carries the call out. `getUpdates` waits, and is the server's own.
pub(crate) fn run(
    world: &mut TelegramState,
    method: &str,
    request: &Request<'_>,
) -> Result<MethodAnswer, Refusal> {
    match method {
        "createChatInviteLink" => invite::create(world, request).map(MethodAnswer::from),
        "editChatInviteLink" => invite::edit(world, request).map(MethodAnswer::from),
        "revokeChatInviteLink" => invite::revoke(world, request).map(MethodAnswer::from),
        "exportChatInviteLink" => invite::export(world, request).map(MethodAnswer::from),
        "approveChatJoinRequest" => invite::approve(world, request).map(MethodAnswer::from),
        "declineChatJoinRequest" => invite::decline(world, request).map(MethodAnswer::from),
        "getMe" => chat::get_me(world, request).map(MethodAnswer::from),
        "getChat" => chat::get_chat(world, request).map(MethodAnswer::from),
        "getChatMember" => chat::get_member(world, request).map(MethodAnswer::from),
        "getChatAdministrators" => chat::get_administrators(world, request).map(MethodAnswer::from),
        "banChatMember" => moderation::ban(world, request).map(MethodAnswer::from),
        "unbanChatMember" => moderation::unban(world, request).map(MethodAnswer::from),
        "setWebhook" => webhook::set(world, request),
        "deleteWebhook" => webhook::delete(world, request),
        "getWebhookInfo" => webhook::info(world, request).map(MethodAnswer::from),
        other => Err(Refusal::bad_request(format!(
            "simulator: method not simulated: {other}"
        ))),
    }
}
