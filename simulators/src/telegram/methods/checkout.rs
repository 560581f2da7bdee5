//! What is sold for Stars: invoices, the answer before a payment, refunds, subscriptions, and all that came and went.

use serde_json::{Value, json};

use super::{Request, message};
use crate::telegram::checkout::of_message;
use crate::telegram::entities::Formatted;
use crate::telegram::purchase::{Checkout, Invoice};
use crate::telegram::queries::{Asked, too_old};
use crate::telegram::refusal::Refusal;
use crate::telegram::state::TelegramState;

/// The one length of a subscription, in seconds.
const PERIOD: i64 = 2_592_000;
/// The largest price of a subscription.
const SUBSCRIPTION_MAX: i64 = 10_000;
const TITLE_MAX: usize = 32;
const DESCRIPTION_MAX: usize = 255;
const PAYLOAD_MAX: usize = 128;
const TRANSACTIONS_MAX: i64 = 100;

pub(super) fn answer(world: &mut TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    let id = request
        .params
        .text("pre_checkout_query_id")
        .unwrap_or_default();
    let (bot_id, now_ms) = (request.bot_id, request.now_ms);
    let asked = world.queries.answerable(bot_id, id, now_ms)?;
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
    let till = world.stars.tills.entry(bot_id).or_default();
    let (charge_id, renewal) = till.take(purchase, None, now_ms);
    purchase.checkout = Checkout::Paid(charge_id.clone());
    let purchase = purchase.clone();
    let draft = purchase.message(&charge_id, renewal);
    world.tell_of_payment(bot_id, purchase.conversation(bot_id), draft, now_ms);
    Ok(json!(true))
}

pub(super) fn create_link(
    world: &mut TelegramState,
    request: &Request<'_>,
) -> Result<Value, Refusal> {
    let invoice = invoice(request)?;
    let link = format!("https://t.me/${:032x}", fastrand::u128(..));
    world.stars.invoices.insert(link.clone(), invoice);
    Ok(json!(link))
}

pub(super) fn send(world: &mut TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    let invoice = invoice(request)?;
    let conversation = world.writable(request.bot_id, &request.chat_id(), request.now_ms)?;
    let mut draft = message::draft(world, request, conversation, Formatted::default())?;
    let shown = json!({
        "title": request.params.text("title"), "description": request.params.text("description"),
        "start_parameter": request.params.text("start_parameter").unwrap_or_default(),
        "currency": "XTR", "total_amount": invoice.stars,
    });
    draft.more.insert("invoice".to_owned(), shown);
    let sent = world.post(conversation, draft, request.now_ms);
    let sent = sent.ok_or_else(|| Refusal::bad_request("chat not found"))?;
    let key = of_message(request.bot_id, conversation.chat_id(), sent.id);
    world.stars.invoices.insert(key, invoice);
    Ok(world.message_json(conversation, &sent))
}

/// What is asked for, if Telegram takes it.
fn invoice(request: &Request<'_>) -> Result<Invoice, Refusal> {
    let params = request.params;
    let text = |name: &str| params.text(name).unwrap_or_default();
    let refused = |why: &str| Err(Refusal::bad_request(why));
    if text("currency") != "XTR" {
        return refused("simulator: only XTR is simulated");
    }
    if !text("provider_token").is_empty() {
        return refused("simulator: Stars need no provider_token");
    }
    if !(1..=TITLE_MAX).contains(&text("title").chars().count()) {
        return refused("INVOICE_TITLE_INVALID");
    }
    if !(1..=DESCRIPTION_MAX).contains(&text("description").chars().count()) {
        return refused("INVOICE_DESCRIPTION_INVALID");
    }
    if !(1..=PAYLOAD_MAX).contains(&text("payload").len()) {
        return refused("INVOICE_PAYLOAD_INVALID");
    }
    let prices = params.0.get("prices").and_then(Value::as_array);
    let price = match prices.map(Vec::as_slice) {
        Some([price])
            if price["label"]
                .as_str()
                .is_some_and(|label| !label.is_empty()) =>
        {
            price["amount"].as_i64().filter(|amount| *amount > 0)
        }
        _ => None,
    };
    let Some(stars) = price else {
        return refused("CURRENCY_TOTAL_AMOUNT_INVALID");
    };
    let period = params.integer("subscription_period");
    if period.is_some_and(|period| period != PERIOD) {
        return refused("SUBSCRIPTION_PERIOD_INVALID");
    }
    if period.is_some() && stars > SUBSCRIPTION_MAX {
        return refused("STARS_SUBSCRIPTION_AMOUNT_INVALID");
    }
    Ok(Invoice {
        bot_id: request.bot_id,
        payload: text("payload").to_owned(),
        stars,
        period,
    })
}

/// What is named by a charge, if it is of the person who is named with it.
fn charge<'a>(request: &Request<'a>) -> &'a str {
    request
        .params
        .text("telegram_payment_charge_id")
        .unwrap_or_default()
}

pub(super) fn refund(world: &mut TelegramState, request: &Request<'_>) -> Result<Value, Refusal> {
    let id = charge(request);
    if id.is_empty() {
        return Err(Refusal::bad_request("CHARGE_ID_EMPTY"));
    }
    let till = world.stars.tills.entry(request.bot_id).or_default();
    let known = till.charges.get(id);
    let known = known.filter(|known| known.purchase.user.id == request.user_id());
    let known = known.ok_or_else(|| Refusal::bad_request("CHARGE_ID_INVALID"))?;
    if known.is_refunded {
        return Err(Refusal::bad_request("CHARGE_ALREADY_REFUNDED"));
    }
    let conversation = known.purchase.conversation(request.bot_id);
    if let Some(draft) = till.give_back(id, request.now_ms) {
        world.tell_of_payment(request.bot_id, conversation, draft, request.now_ms);
    }
    Ok(json!(true))
}

pub(super) fn edit_subscription(
    world: &mut TelegramState,
    request: &Request<'_>,
) -> Result<Value, Refusal> {
    let till = world.stars.tills.entry(request.bot_id).or_default();
    let known = till.subscriptions.get_mut(charge(request));
    let known = known.filter(|known| known.purchase.user.id == request.user_id());
    let known = known.ok_or_else(|| Refusal::bad_request("CHARGE_ID_INVALID"))?;
    known.is_canceled = request.params.flag("is_canceled");
    Ok(json!(true))
}

pub(super) fn transactions(
    world: &mut TelegramState,
    request: &Request<'_>,
) -> Result<Value, Refusal> {
    let params = request.params;
    let offset = params.integer("offset").unwrap_or(0);
    let limit = params.integer("limit").unwrap_or(TRANSACTIONS_MAX);
    if offset < 0 || !(1..=TRANSACTIONS_MAX).contains(&limit) {
        return Err(Refusal::bad_request("simulator: offset or limit"));
    }
    let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
    let taken = usize::try_from(limit).unwrap_or(0);
    let all = world.stars.tills.get(&request.bot_id);
    let all = all.map(|till| till.transactions.as_slice());
    let page = all.unwrap_or_default().iter().skip(skipped).take(taken);
    Ok(json!({"transactions": page.collect::<Vec<_>>()}))
}
