//! The answer before a payment.

use serde_json::{Value, json};

use super::Request;
use crate::telegram::purchase::Checkout;
use crate::telegram::queries::{Asked, too_old};
use crate::telegram::refusal::Refusal;
use crate::telegram::state::TelegramState;

pub(super) fn answer(world: &mut TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    let id = request
        .params
        .text("pre_checkout_query_id")
        .unwrap_or_default();
    let asked = world
        .queries
        .answerable(request.bot_id, id, request.now_ms)?;
    let Asked::ToPay(purchase) = asked else {
        return Err(too_old());
    };
    if purchase.checkout != Checkout::Waiting {
        return Err(too_old());
    }
    if !request.params.flag("ok") {
        let message = request.params.text("error_message").unwrap_or_default();
        if message.is_empty() {
            return Err(Refusal::bad_request("error message is empty"));
        }
        purchase.checkout = Checkout::Refused(message.to_owned());
        return Ok(json!(true));
    }
    let charge_id = format!("stx{:032x}", fastrand::u128(..));
    purchase.checkout = Checkout::Paid(charge_id.clone());
    let purchase = purchase.clone();
    let draft = purchase.message(&charge_id);
    world.say(purchase.conversation(request.bot_id), draft, request.now_ms);
    Ok(json!(true))
}
