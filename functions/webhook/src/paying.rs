//! Payments in Telegram Stars: our word before one, and what became of it.
//!
//! ```text
//! pre_checkout_query   read the order, decide; bind it to who pays    die here: Telegram asks again, or nobody pays
//! payment, refund      note the person; put the event, if it is not there; ring
//!                                                                     die here: Telegram sends it again; the sweeper rings
//! ```
//!
//! Neither is claimed: asked twice, the same is said, and the inbox of payments takes each event once.

use bytes::Bytes;
use domain::id::{ChatId, OrderId, TelegramUserId};
use domain::member::entitlement::{Cover, EntitlementId};
use domain::order::consent::{AboutToPay, PayRefusal};
use domain::order::record::Order;
use domain::texts::{Language, Text};
use domain::time::Timestamp;
use domain::update::{PreCheckout, StarsTold};
use http::{Response, StatusCode};
use runtime::response::json;
use runtime::telemetry::chain;
use serde_json::{Value, json};
use store::Sighting;
use store::queue::PaymentBell;
use tracing::{info, warn};

use crate::unheard::is_unheard;
use crate::{App, Failure, UpdateOutcome};

/// How often an order is read anew because somebody else wrote it.
const TRIES: u32 = 4;

/// What is said to somebody who is about to pay.
enum Word {
    Yes,
    No(Text<'static>),
    /// It is for another program that sells with this bot to say.
    None,
}

/// Answers whether a payment is taken; Telegram waits ten seconds for it.
pub(crate) async fn asked(app: &App, query: &PreCheckout) -> Result<Response<Bytes>, Failure> {
    let word = decide(app, query).await?;
    let language = Language::choose(None, query.language_code.as_deref(), app.default_language);
    let reply = |ok: Value| {
        let mut reply =
            json!({"method": "answerPreCheckoutQuery", "pre_checkout_query_id": query.id});
        if let (Some(reply), Value::Object(ok)) = (reply.as_object_mut(), ok) {
            reply.extend(ok);
        }
        json(StatusCode::OK, &reply)
    };
    Ok(match word {
        Word::Yes => reply(json!({"ok": true})),
        Word::No(why) => reply(json!({"ok": false, "error_message": why.html(language)})),
        Word::None => json(StatusCode::OK, &json!({"ok": true, "result": "ignored"})),
    })
}

async fn decide(app: &App, query: &PreCheckout) -> Result<Word, Failure> {
    let Ok(id) = query.payload.parse::<OrderId>() else {
        return of_none_of_ours(app).await;
    };
    let by = AboutToPay {
        query: &query.id,
        person: query.person,
        currency: &query.currency,
        amount: query.amount,
    };
    for _ in 0..TRIES {
        let Some(order) = app.orders.get(id).await? else {
            return of_none_of_ours(app).await;
        };
        let now = app.clock.now();
        if let Err(refusal) = order.may_be_paid(by, now) {
            info!(order.id = %id, outcome = "pay_refused", "a payment in Stars is refused before it is made: {refusal:?}");
            return Ok(Word::No(why(refusal)));
        }
        if !order.terms.gift && owns(app, query.person, &order).await? {
            info!(order.id = %id, outcome = "already_owned", "a payment in Stars is refused, since the person has the same already");
            return Ok(Word::No(Text::PayOwned));
        }
        let is_consented = match order.consented(by, now) {
            None => true,
            Some(consented) => app.orders.write(&consented).await?.is_some(),
        };
        if is_consented {
            info!(order.id = %id, outcome = "pay_taken", "a payment in Stars may be made");
            return Ok(Word::Yes);
        }
    }
    Err(Failure::from("an order changes all the time"))
}

/// What is said of a payment for no order of ours: nothing, if a program behind the bot may be selling.
async fn of_none_of_ours(app: &App) -> Result<Word, Failure> {
    Ok(match app.feed.has_backend(app.clock.now()).await? {
        true => Word::None,
        false => Word::No(Text::PayOver),
    })
}

/// Whether a payment is for something that a program behind the bot sold: an order of ours is stored before its invoice.
async fn is_of_another_program(app: &App, id: OrderId) -> Result<bool, Failure> {
    Ok(app.feed.has_backend(app.clock.now()).await? && app.orders.get(id).await?.is_none())
}

const fn why(refusal: PayRefusal) -> Text<'static> {
    match refusal {
        PayRefusal::NotYours => Text::PayNotYours,
        PayRefusal::Over => Text::PayOver,
        PayRefusal::UnderWay => Text::PayUnderWay,
        PayRefusal::SoldOut => Text::PaySoldOut,
        PayRefusal::Changed => Text::PayChanged,
    }
}

/// Whether a person has all that an order would give them: for ever, or, of a subscription, by one that renews.
async fn owns(app: &App, person: TelegramUserId, order: &Order) -> Result<bool, Failure> {
    for chat in &order.sold.chats {
        if !has(app, person, order, *chat).await? {
            return Ok(false);
        }
    }
    Ok(!order.sold.chats.is_empty())
}

/// The same in one of its chats.
async fn has(
    app: &App,
    person: TelegramUserId,
    order: &Order,
    chat: ChatId,
) -> Result<bool, Failure> {
    let now = app.clock.now();
    let seat = app.seats.get(person, chat).await?;
    for (id, entitlement) in &seat.entitlements {
        let is_enough = entitlement.cut_at.is_none()
            && entitlement.suspended_at.is_none()
            && entitlement.level >= order.sold.level;
        let lasts = match entitlement.cover {
            _ if !is_enough => false,
            Cover::Forever => true,
            Cover::Until(end) if order.terms.recurring && end > now => renews(app, id, now).await?,
            Cover::Until(_) | Cover::Days { .. } => false,
        };
        if lasts {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether an entitlement is of a subscription that goes on: whose renewals were ended may begin another one.
async fn renews(app: &App, id: &EntitlementId, now: Timestamp) -> Result<bool, Failure> {
    let Some(request) = id.request() else {
        return Ok(false);
    };
    let invite = app.invites.get(request).await?;
    let Some(ordered) = invite.and_then(|invite| invite.order) else {
        return Ok(false);
    };
    let order = app.orders.get(ordered.order).await?;
    Ok(order.is_some_and(|order| order.is_owned(now)))
}

/// Keeps what was told of a payment. Durable on return.
pub(crate) async fn told(app: &App, told: &StarsTold) -> Result<UpdateOutcome, Failure> {
    let (report, now) = (&told.report, app.clock.now());
    let Ok(id) = report.payload.parse::<OrderId>() else {
        return Ok(UpdateOutcome::Ignored);
    };
    if is_of_another_program(app, id).await? {
        return Ok(UpdateOutcome::Ignored);
    }
    let key = report.event_key();
    let is_new = app.payment_events.put(&key, &report.body(), now).await?;
    // A payer has opened the private chat, so they can be told what came of it. The money of an erased person counts, too, and that
    // of a person whose record can not be written.
    if let Some(sender) = &told.from
        && matches!(is_unheard(app, sender.person, told.at).await, Ok(false))
    {
        let sighting = Sighting {
            sender,
            at: told.at,
            is_private: true,
        };
        if let Err(fault) = app.people.seen(sighting, None, now).await {
            warn!(
                fault = "unavailable",
                "who paid could not be noted: {}",
                chain(&fault)
            );
        }
    }
    if !is_new {
        return Ok(UpdateOutcome::Duplicate);
    }
    if let Err(fault) = app.payment_bells.ring(PaymentBell::Event { key }).await {
        warn!(
            fault = "unavailable",
            "settlement was not rung, the sweeper will: {}",
            chain(&fault)
        );
    }
    info!(
        outcome = "kept",
        payment.provider = "stars",
        "a payment event was kept"
    );
    Ok(UpdateOutcome::Handled)
}
