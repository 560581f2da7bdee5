//! Orders: what is known of the money of each, and what a person decides of it where no rule does.
//!
//! ```text
//! read the order, decide, write it under its revision    die here: nothing happened, or what follows stands in the order
//! ring settlement                                        die here: the order is due within a minute
//! ```

use domain::id::OrderId;
use domain::order::fact::DecisionAction;
use domain::order::record::{
    Checkout, Decision, DecisionRefused, Order, RefundRefused, RefundWish,
};
use futures_util::future::try_join_all;
use runtime::response::{Refusal, Rejection};
use runtime::telemetry::chain;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::queue::PaymentBell;
use tracing::{error, info, warn};

use crate::{App, unavailable};

/// How many orders one call lists.
const SHOWN: i32 = 50;
/// How often an order is read anew because somebody else wrote it.
const TRIES: u32 = 8;
const NOTE_MAX_CHARS: usize = 500;
const REFUND_ID_MAX: usize = 64;
const REFERENCE_MAX_CHARS: usize = 200;
const BUYER_MAX_BYTES: usize = 500;
/// The most that a charge can be worth, in minor units: far more than any, and far from where sums would end.
const VALUE_MAX: i128 = 1_000_000_000_000_000;

/// The body of `decisions`.
#[derive(Deserialize)]
pub(crate) struct Asked {
    case: String,
    action: DecisionAction,
    value: Option<Value>,
    note: String,
}

/// The body of `refunds`. A field that is not known is refused: a misspelt amount would return all.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AskedRefund {
    refund_id: String,
    charge: Option<String>,
    amount: Option<Value>,
    reference: Option<String>,
}

/// Orders with open cases, the longest waiting first; or those of a buyer, the newest first.
pub(crate) async fn list(app: &App, query: &str) -> Result<Value, Refusal> {
    let asked: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    let ids = match &asked[..] {
        [(name, value)] if name == "cases" && value.is_empty() => {
            let found = app.orders.with_cases(SHOWN).await.map_err(unavailable)?;
            found.into_iter().map(|(id, _)| id).collect()
        }
        [(name, buyer)] if name == "buyer" && (1..=BUYER_MAX_BYTES).contains(&buyer.len()) => {
            let found = app.orders.of_buyer(buyer, SHOWN).await;
            found.map_err(unavailable)?
        }
        _ => {
            let why = "Ask for ?cases, or for the orders of a buyer: ?buyer=user%23<userId> or ?buyer=telegram%23<telegramUserId>.";
            return Err(Refusal::saying(Rejection::InvalidQuery, why));
        }
    };
    let is_more = usize::try_from(SHOWN).is_ok_and(|shown| ids.len() >= shown);
    let found = try_join_all(ids.into_iter().map(|id| app.orders.get(id))).await;
    // The index is a moment behind.
    let found: Vec<Value> = found
        .map_err(unavailable)?
        .iter()
        .flatten()
        .map(summary)
        .collect();
    Ok(json!({"orders": found, "isMore": is_more}))
}

/// All of an order but what only its provider or its buyer should see.
pub(crate) async fn show(app: &App, id: &str) -> Result<Value, Refusal> {
    Ok(json!({"order": view(&get(app, order_id(id)?).await?)}))
}

/// Writes what an operator decided of a case. Settlement does what follows.
pub(crate) async fn decide(app: &App, who: &str, id: &str, asked: Asked) -> Result<Value, Refusal> {
    let id = order_id(id)?;
    let decision = read(who, asked)?;
    for _ in 0..TRIES {
        let order = get(app, id).await?;
        let decided = order.decide(decision.clone(), app.clock.now(), app.hold);
        let decided = decided.map_err(|refused| -> Refusal { match refused {
            DecisionRefused::NotOpen => Rejection::CaseNotOpen.into(),
            DecisionRefused::Value => invalid(
                "value: name what a charge is worth, in minor units, if you accept one that is of a wrong_currency, a wrong_asset, a late_deposit or an amount that differs, and leave it out else.",
            ),
            DecisionRefused::Learn(fault) => {
                error!(order.id = %id, fault = "order_unfit", "an order can't take in a decision: {}", chain(&fault));
                Rejection::Unavailable.into()
            }
        } })?;
        if let Some(stored) = app.orders.write(&decided).await.map_err(unavailable)? {
            info!(order.id = %id, operator.name = who, outcome = "decided", order.case = decision.case, action = decision.action.as_str(), "an operator decided a case");
            ring(app, PaymentBell::Order { id }).await;
            return Ok(json!({"order": view(&stored)}));
        }
    }
    Err(Rejection::Unavailable.into())
}

/// Has settlement look at the provider of an order now.
pub(crate) async fn recheck(app: &App, who: &str, id: &str) -> Result<Value, Refusal> {
    let id = order_id(id)?;
    for _ in 0..TRIES {
        let due = get(app, id).await?.to_be_looked_at(app.clock.now());
        if let Some(stored) = app.orders.write(&due).await.map_err(unavailable)? {
            info!(order.id = %id, operator.name = who, outcome = "recheck", "an operator has an order looked up at its provider");
            ring(app, PaymentBell::Work).await;
            return Ok(json!({"order": view(&stored)}));
        }
    }
    Err(Rejection::Unavailable.into())
}

/// Writes that a refund is wanted, or that one was made by hand. Settlement makes it, once.
pub(crate) async fn refund(
    app: &App,
    who: &str,
    id: &str,
    asked: AskedRefund,
) -> Result<Value, Refusal> {
    let id = order_id(id)?;
    let (refund, wish) = read_refund(asked)?;
    for _ in 0..TRIES {
        let order = get(app, id).await?;
        let next = order
            .refund(&refund, wish.clone(), who, app.clock.now(), app.hold)
            .map_err(|refused| not_refunded(id, &refused))?;
        let stored = match next {
            None => Some(order),
            Some(next) => app.orders.write(&next).await.map_err(unavailable)?,
        };
        if let Some(stored) = stored {
            info!(order.id = %id, operator.name = who, outcome = "refund", refund.id = refund, "an operator returns money of an order");
            ring(app, PaymentBell::Order { id }).await;
            return Ok(json!({"order": view(&stored)}));
        }
    }
    Err(Rejection::Unavailable.into())
}

/// Has nobody pay an order from now on, or has its subscription renew no more.
pub(crate) async fn cancel(app: &App, who: &str, id: &str) -> Result<Value, Refusal> {
    let id = order_id(id)?;
    for _ in 0..TRIES {
        let cancelled = get(app, id).await?.cancel(who, app.clock.now());
        let cancelled = cancelled.map_err(|_| Rejection::NothingToCancel)?;
        if let Some(stored) = app.orders.write(&cancelled).await.map_err(unavailable)? {
            info!(order.id = %id, operator.name = who, outcome = "cancelled", "an operator cancelled an order");
            ring(app, PaymentBell::Order { id }).await;
            ring(app, PaymentBell::Work).await;
            return Ok(json!({"order": view(&stored)}));
        }
    }
    Err(Rejection::Unavailable.into())
}

fn read_refund(asked: AskedRefund) -> Result<(String, RefundWish), Refusal> {
    let is_id = |id: &str| {
        (1..=REFUND_ID_MAX).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    if !is_id(&asked.refund_id) {
        return Err(invalid(format!(
            "refundId: must be 1 to {REFUND_ID_MAX} of A-Z a-z 0-9 _ -."
        )));
    }
    let reference = asked.reference.as_deref().map(|text| {
        let text = text.trim();
        (1..=REFERENCE_MAX_CHARS)
            .contains(&text.chars().count())
            .then(|| text.to_owned())
            .ok_or_else(|| invalid("reference: must be 1 to 200 characters."))
    });
    let wish = RefundWish {
        charge: asked.charge,
        amount: amount("amount", asked.amount)?,
        reference: reference.transpose()?,
    };
    Ok((asked.refund_id, wish))
}

fn not_refunded(id: OrderId, refused: &RefundRefused) -> Refusal {
    let not = |why: String| Refusal::saying(Rejection::RefundNotPossible, why);
    match refused {
        RefundRefused::OtherWish => {
            let why = "This refundId was used for another refund of the order: take another one.";
            Refusal::saying(Rejection::IdempotencyConflict, why)
        }
        RefundRefused::WhichCharge => {
            invalid("charge: name it, since something is left of several: see facts.")
        }
        RefundRefused::Disputed => not(
            "A dispute has the charge, or took it: a refund would pay it twice.".to_owned(),
        ),
        RefundRefused::Left(left) => {
            not(format!("Of what was paid {left} minor units are left to return."))
        }
        RefundRefused::ByHandAlone => not(
            "Its provider returns nothing by a call: return it by hand, and name the payment in reference."
                .to_owned(),
        ),
        RefundRefused::Learn(fault) => {
            error!(order.id = %id, fault = "order_unfit", "an order can't take in a refund: {}", chain(fault));
            Rejection::Unavailable.into()
        }
    }
}

/// Rings settlement; without the bell the sweeper does within a minute.
pub(crate) async fn ring(app: &App, bell: PaymentBell) {
    if let Err(fault) = app.payment_bells.ring(bell).await {
        warn!(
            fault = "unavailable",
            "settlement was not rung, the sweeper will: {}",
            chain(&fault)
        );
    }
}

fn read(who: &str, asked: Asked) -> Result<Decision, Refusal> {
    let note = asked.note.trim();
    if !(1..=NOTE_MAX_CHARS).contains(&note.chars().count()) {
        let why = format!("note: say why, in 1 to {NOTE_MAX_CHARS} characters.");
        return Err(invalid(why));
    }
    Ok(Decision {
        case: asked.case,
        action: asked.action,
        value: amount("value", asked.value)?,
        note: note.to_owned(),
        by: who.to_owned(),
    })
}

/// An amount of minor units, as a number or as its digits.
fn amount(field: &str, value: Option<Value>) -> Result<Option<i128>, Refusal> {
    let value = value.filter(|value| !value.is_null()).map(|value| {
        let amount = match &value {
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => number.as_u64().map(i128::from),
            _ => None,
        };
        amount
            .filter(|amount| (0..=VALUE_MAX).contains(amount))
            .ok_or_else(|| {
                invalid(format!(
                    "{field}: must be a whole number of minor units, such as 1350."
                ))
            })
    });
    value.transpose()
}

fn invalid(why: impl Into<String>) -> Refusal {
    Refusal::saying(Rejection::InvalidParameter, why)
}

fn order_id(text: &str) -> Result<OrderId, Refusal> {
    text.parse().map_err(|_| unknown())
}

fn unknown() -> Refusal {
    Refusal::saying(Rejection::NotFound, "There is no order of this id.")
}

async fn get(app: &App, id: OrderId) -> Result<Order, Refusal> {
    let found = app.orders.get(id).await.map_err(unavailable)?;
    found.ok_or_else(unknown)
}

fn summary(order: &Order) -> Value {
    json!({
        "orderId": order.id,
        "state": order.state,
        "mode": order.mode,
        "title": order.sold.title,
        "provider": order.terms.provider,
        "currency": order.terms.currency,
        "due": plain(&order.terms.due),
        "cases": order.cases,
        "caseSince": order.case_since,
        "createdAt": order.created_at,
    })
}

fn view(order: &Order) -> Value {
    let facts: Vec<Value> = order.facts.iter().map(plain).collect();
    let pending: Vec<String> = order
        .pending
        .iter()
        .map(|effect| effect.id(order.id))
        .collect();
    let mut view = summary(order);
    let more = [
        ("version", json!(order.version)),
        ("seat", json!(order.seat)),
        ("sold", json!(order.sold)),
        ("buyer", json!(order.buyer)),
        ("terms", plain(&order.terms)),
        ("checkout", checkout(&order.checkout)),
        ("payUntil", json!(order.pay_until)),
        ("entitlement", json!(order.entitlement)),
        ("facts", json!(facts)),
        ("booked", plain(&order.booked)),
        ("issued", json!(order.issued)),
        ("pending", json!(pending)),
        ("tries", json!(order.tries)),
        ("looks", json!(order.looks)),
        ("dueAt", json!(order.due_at)),
        ("refunds", plain(&order.refunds)),
        ("cancelledBy", json!(order.cancelled_by)),
    ];
    for (name, value) in more {
        view[name] = value;
    }
    view
}

/// Where the checkout stands. The request may hold an address of e-mail, and the page is its buyer's.
fn checkout(checkout: &Checkout) -> Value {
    match checkout {
        Checkout::Creating { attempt, .. } => json!({"state": "creating", "attempt": attempt}),
        Checkout::Open { object, .. } => json!({"state": "open", "object": object}),
        Checkout::Free => json!({"state": "free"}),
    }
}

/// A part of an order as JSON; one with an amount that no number of JSON holds for sure, as the text of it.
fn plain(part: &impl Serialize) -> Value {
    serde_json::to_value(part)
        .unwrap_or_else(|_| serde_json::to_string(part).unwrap_or_default().into())
}
