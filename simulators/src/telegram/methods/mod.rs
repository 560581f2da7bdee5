//! The methods that are simulated, each a decision on the world at one instant.

mod chat;
mod checkout;
mod copy;
mod forum;
mod invite;
mod join;
mod message;
mod moderation;
mod pin;
mod profile;
mod reaction;
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
    let result = match method {
        "setWebhook" => return webhook::set(world, request),
        "deleteWebhook" => return webhook::delete(world, request),
        "createChatInviteLink" => invite::create(world, request),
        "editChatInviteLink" => invite::edit(world, request),
        "revokeChatInviteLink" => invite::revoke(world, request),
        "exportChatInviteLink" => invite::export(world, request),
        "approveChatJoinRequest" => join::approve(world, request),
        "declineChatJoinRequest" => join::decline(world, request),
        "answerChatJoinRequestQuery" => join::answer_query(world, request),
        "answerPreCheckoutQuery" => checkout::answer(world, request),
        "createInvoiceLink" => checkout::create_link(world, request),
        "sendInvoice" => checkout::send(world, request),
        "refundStarPayment" => checkout::refund(world, request),
        "editUserStarSubscription" => checkout::edit_subscription(world, request),
        "getStarTransactions" => checkout::transactions(world, request),
        "getMe" => chat::get_me(world, request),
        "getChat" => chat::get_chat(world, request),
        "getChatMember" => chat::get_member(world, request),
        "getChatAdministrators" => chat::get_administrators(world, request),
        "banChatMember" => moderation::ban(world, request),
        "unbanChatMember" => moderation::unban(world, request),
        "sendMessage" => message::send(world, request),
        "editMessageText" => message::edit_text(world, request),
        "editMessageCaption" => message::edit_caption(world, request),
        "editMessageReplyMarkup" => message::edit_keyboard(world, request),
        "deleteMessage" => message::delete(world, request),
        "deleteMessages" => message::delete_many(world, request),
        "sendChatAction" => message::action(world, request),
        "answerCallbackQuery" => message::answer_callback(world, request),
        "pinChatMessage" => pin::pin(world, request),
        "unpinChatMessage" => pin::unpin(world, request),
        "leaveChat" => moderation::leave(world, request),
        "getChatMemberCount" => chat::count_members(world, request),
        "copyMessage" => copy::one(world, request),
        "copyMessages" => copy::many(world, request),
        "setMessageReaction" => reaction::set(world, request),
        "createForumTopic" => forum::create(world, request),
        "editForumTopic" => forum::edit(world, request),
        "closeForumTopic" => forum::close(world, request),
        "reopenForumTopic" => forum::reopen(world, request),
        "deleteForumTopic" => forum::delete(world, request),
        "setMyCommands" => profile::set_commands(world, request),
        "getMyCommands" => profile::get_commands(world, request),
        "deleteMyCommands" => profile::delete_commands(world, request),
        "setMyDescription" => profile::set_description(world, request),
        "getMyDescription" => profile::get_description(world, request),
        "setMyShortDescription" => profile::set_short_description(world, request),
        "getMyShortDescription" => profile::get_short_description(world, request),
        "setChatMenuButton" => profile::set_menu_button(world, request),
        "getChatMenuButton" => profile::get_menu_button(world, request),
        "getWebhookInfo" => webhook::info(world, request),
        other => Err(Refusal::bad_request(format!(
            "simulator: method not simulated: {other}"
        ))),
    };
    result.map(MethodAnswer::from)
}
