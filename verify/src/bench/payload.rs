//! What the functions are called with: the sample events, with names of this run put in.

use anyhow::Context as _;
use domain::id::{OrderId, RequestId};
use runtime::auth::WEBHOOK_SECRET_HEADER;
use serde::Serialize;
use serde_json::{Value, json};
use store::queue::{Bell, PaymentBell};

use super::fixture::Fixture;
use super::seed::{self, Seeded};

const REQUEST: &str = include_str!("../../../events/request-new.json");
const STATUS: &str = include_str!("../../../events/status-found.json");
const JOIN: &str = include_str!("../../../events/webhook-join.json");
const START: &str = include_str!("../../../events/webhook-start.json");
const JOIN_REQUEST: &str = include_str!("../../../events/webhook-join-request.json");
const MESSAGE: &str = include_str!("../../../events/webhook-message.json");
const BELL: &str = include_str!("../../../events/worker-bell.json");
const PAYMENT: &str = include_str!("../../../events/payments-unsigned.json");
const CHECKOUT: &str = include_str!("../../../events/shop-checkout-expired.json");
const POLL: &str = include_str!("../../../events/pay-status-unknown.json");
const EVENT: &str = include_str!("../../../events/events-link-created.json");

/// The body of a purchase.
#[must_use]
pub(crate) fn purchase(name: &str) -> String {
    json!({"userId": format!("user-{name}"), "transactionId": format!("order-{name}")}).to_string()
}

/// The update of somebody who joins by the link of `invite`.
pub(crate) fn join(invite: &Seeded, person: u64) -> anyhow::Result<String> {
    let mut update: Value = serde_json::from_str(body_of(&sample(JOIN)?))?;
    update["update_id"] = json!(person);
    let change = &mut update["chat_member"];
    for part in [
        "/from/id",
        "/old_chat_member/user/id",
        "/new_chat_member/user/id",
    ] {
        *change.pointer_mut(part).context("no such part")? = json!(id_of(person));
    }
    change["invite_link"]["invite_link"] = json!(invite.link.expose());
    change["invite_link"]["name"] = json!(invite.id.link_name());
    Ok(update.to_string())
}

/// The update of a message, which is no join.
pub(crate) fn message() -> anyhow::Result<String> {
    Ok(body_of(&sample(MESSAGE)?).to_owned())
}

/// The update of what a person writes to the bot now.
pub(crate) fn written(person: u64, update: u64, text: &str) -> anyhow::Result<String> {
    let mut update_json: Value = serde_json::from_str(body_of(&sample(START)?))?;
    update_json["update_id"] = json!(update);
    let message = &mut update_json["message"];
    for part in ["/from/id", "/chat/id"] {
        *message.pointer_mut(part).context("no such part")? = json!(id_of(person));
    }
    message["message_id"] = json!(update);
    message["date"] = json!(now_seconds());
    message["text"] = json!(text);
    if text.starts_with('/') {
        let length = text.split(' ').next().unwrap_or_default().len();
        message["entities"] = json!([{"type": "bot_command", "offset": 0, "length": length}]);
    }
    Ok(update_json.to_string())
}

/// The update of a person who presses a button with these data below a message of the bot.
pub(crate) fn press(person: u64, data: &str) -> String {
    let user =
        json!({"id": id_of(person), "is_bot": false, "first_name": "Ann", "language_code": "en"});
    json!({"update_id": person, "callback_query": {
        "id": person.to_string(), "from": user, "chat_instance": "1", "data": data,
        "message": {
            "message_id": 1, "date": now_seconds(), "text": "Welcome",
            "chat": {"id": id_of(person), "type": "private", "first_name": "Ann"},
            "from": {"id": 123_456_789, "is_bot": true, "first_name": "Admit One"},
        },
    }})
    .to_string()
}

/// The update of a person who asks to be let into a chat by its link.
pub(crate) fn join_request(chat: i64, link: &str, person: u64) -> anyhow::Result<String> {
    let mut update: Value = serde_json::from_str(body_of(&sample(JOIN_REQUEST)?))?;
    update["update_id"] = json!(person);
    let request = &mut update["chat_join_request"];
    request["chat"]["id"] = json!(chat);
    request["from"]["id"] = json!(id_of(person));
    request["user_chat_id"] = json!(id_of(person));
    request["date"] = json!(now_seconds());
    request["invite_link"]["invite_link"] = json!(link);
    Ok(update.to_string())
}

/// The update of a person who was let in.
pub(crate) fn let_in(chat: i64, link: &str, person: u64) -> anyhow::Result<String> {
    let mut update: Value = serde_json::from_str(body_of(&sample(JOIN)?))?;
    update["update_id"] = json!(person);
    let change = &mut update["chat_member"];
    for part in [
        "/from/id",
        "/old_chat_member/user/id",
        "/new_chat_member/user/id",
    ] {
        *change.pointer_mut(part).context("no such part")? = json!(id_of(person));
    }
    change["chat"]["id"] = json!(chat);
    change["date"] = json!(now_seconds());
    change["via_join_request"] = json!(true);
    change["invite_link"] = json!({"invite_link": link, "creator": {"id": 123_456_789, "is_bot": true, "first_name": "Admit One"},
        "creates_join_request": true, "is_primary": false, "is_revoked": false});
    Ok(update.to_string())
}

/// The id of a person with this number.
pub(crate) const fn id_of(person: u64) -> u64 {
    700_000_000 + person
}

fn now_seconds() -> i64 {
    runtime::clock::Clock::real().now().seconds()
}

/// API Gateway's event for a purchase.
pub(crate) fn request_event(fixture: &Fixture, name: &str) -> anyhow::Result<Vec<u8>> {
    let mut event = sample(REQUEST)?;
    event["headers"]["x-api-key"] = json!(fixture.value("API_KEYS"));
    event["body"] = json!(purchase(name));
    bytes(&event)
}

/// API Gateway's event for a look at a request.
pub(crate) fn status_event(fixture: &Fixture, id: RequestId) -> anyhow::Result<Vec<u8>> {
    let mut event = sample(STATUS)?;
    event["headers"]["x-api-key"] = json!(fixture.value("API_KEYS"));
    event["rawPath"] = json!(format!("/v1/invite/{id}"));
    event["requestContext"]["http"]["path"] = event["rawPath"].clone();
    event["pathParameters"]["requestId"] = json!(id.to_string());
    bytes(&event)
}

/// API Gateway's event for a join.
pub(crate) fn join_event(
    fixture: &Fixture,
    invite: &Seeded,
    person: u64,
) -> anyhow::Result<Vec<u8>> {
    let mut event = sample(JOIN)?;
    event["headers"][WEBHOOK_SECRET_HEADER] = json!(fixture.value("TELEGRAM_WEBHOOK_SECRET"));
    event["body"] = json!(join(invite, person)?);
    bytes(&event)
}

/// A batch of one bell: of the chat that the task of this number is for.
pub(crate) fn bell_event(fixture: &Fixture, number: u64) -> anyhow::Result<Vec<u8>> {
    let chat_id = seed::chat_of(fixture, number)?;
    batch(BELL, &Bell::Work { chat_id })
}

/// The body of an event of Stripe's that a page was paid on, as large as theirs are.
pub(crate) fn payment(name: &str) -> String {
    let order = RequestId::derive(
        domain::id::ChatId(1),
        domain::id::IdentitySource::Transaction(name),
    );
    let order = order.to_string();
    json!({
        "id": format!("evt_{name}"), "object": "event", "api_version": domain::stripe::API_VERSION, "created": now_seconds(),
        "livemode": false, "pending_webhooks": 1, "type": "checkout.session.completed",
        "request": {"id": null, "idempotency_key": null},
        "data": {"object": {
            "id": format!("cs_test_{name}"), "object": "checkout.session", "amount_subtotal": 3000, "amount_total": 3000,
            "client_reference_id": order, "created": now_seconds(), "currency": "usd", "livemode": false, "mode": "payment",
            "customer_details": {"address": {"city": null, "country": "DE", "line1": null, "line2": null, "postal_code": null,
                "state": null}, "email": "buyer@example.invalid", "name": "A Buyer", "phone": null, "tax_exempt": "none", "tax_ids": []},
            "metadata": {"order_id": order}, "payment_intent": format!("pi_{name}"), "payment_method_types": ["card"],
            "payment_status": "paid", "status": "complete", "success_url": "https://shop.example/thanks", "url": null,
            "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        }},
    })
    .to_string()
}

/// The header with which Stripe signs a body now.
pub(crate) fn payment_signature(secret: &str, body: &str) -> String {
    simulators::stripe::signature(&[secret], now_seconds(), body.as_bytes())
}

/// API Gateway's event for an event of Stripe's.
pub(crate) fn payment_event(fixture: &Fixture, name: &str) -> anyhow::Result<Vec<u8>> {
    let (mut event, body) = (sample(PAYMENT)?, payment(name));
    let signature = payment_signature(fixture.value("STRIPE_WEBHOOK_SECRET"), &body);
    event["headers"]["stripe-signature"] = json!(signature);
    event["body"] = json!(body);
    bytes(&event)
}

/// The body of a checkout by card.
pub(crate) fn checkout(name: &str) -> String {
    json!({"productId": "club", "tierId": "month", "currency": "usd", "provider": "stripe", "userId": format!("user-{name}")})
        .to_string()
}

/// API Gateway's event for a checkout.
pub(crate) fn checkout_event(fixture: &Fixture, name: &str) -> anyhow::Result<Vec<u8>> {
    let mut event = sample(CHECKOUT)?;
    event["headers"]["x-api-key"] = json!(fixture.value("API_KEYS"));
    event["headers"]["idempotency-key"] = json!(name);
    event["body"] = json!(checkout(name));
    bytes(&event)
}

/// API Gateway's event for a look where a payment stands.
pub(crate) fn poll_event(order: OrderId) -> anyhow::Result<Vec<u8>> {
    let mut event = sample(POLL)?;
    event["rawQueryString"] = json!(format!("order_id={order}"));
    event["queryStringParameters"]["order_id"] = json!(order.to_string());
    bytes(&event)
}

/// A batch of one bell for an order.
pub(crate) fn order_bell_event(order: OrderId) -> anyhow::Result<Vec<u8>> {
    batch(BELL, &PaymentBell::Order { id: order })
}

/// A batch of one event to deliver.
pub(crate) fn delivery_event(invite: &Seeded) -> anyhow::Result<Vec<u8>> {
    batch(EVENT, &invite.event)
}

fn batch(sample_text: &str, message: &impl Serialize) -> anyhow::Result<Vec<u8>> {
    let mut event = sample(sample_text)?;
    let record = event.pointer_mut("/Records/0").context("no record")?;
    record["body"] = json!(serde_json::to_string(message)?);
    bytes(&event)
}

fn sample(text: &str) -> anyhow::Result<Value> {
    serde_json::from_str(text).context("a sample event is no JSON")
}

fn body_of(event: &Value) -> &str {
    event["body"].as_str().unwrap_or_default()
}

fn bytes(event: &Value) -> anyhow::Result<Vec<u8>> {
    Ok(serde_json::to_vec(event)?)
}
