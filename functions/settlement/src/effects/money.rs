//! What can't be undone: money that goes back, subscriptions that end. Each is decided by what is known at this moment, just before
//! its call.
//!
//! ```text
//! ask whether it was made     die here: nothing happened
//! read the order, decide      die here: nothing happened
//! call, under its own id      die here: it was made, and is found by its id the next time
//! learn of it and clear it    die here: as above; its event tells the same
//! ```

use ::stripe::{CancelAt, RefundRequest};
use domain::order::fact::{FactBody, OrderFact};
use domain::order::fold::{OrderStanding, fold};
use domain::order::record::{LearnFault, Order};
use domain::report::{OrderSeen, PaymentFault, Reading};
use domain::stars::PROVIDER as STARS;
use runtime::telemetry::chain;
use tracing::{error, info, warn};

use super::Performed;
use crate::providers::Report;
use crate::{App, SettleError, stars};

/// The order as it is stored now.
async fn newest(app: &App, order: &Order) -> Result<Option<Order>, SettleError> {
    Ok(app.orders.get(order.id).await?)
}

fn standing(order: &Order) -> Result<OrderStanding, SettleError> {
    Ok(fold(&order.terms, &order.facts).map_err(LearnFault::from)?)
}

/// Returns what is left of a charge that is too much.
pub(super) async fn refund(
    app: &App,
    order: &Order,
    charge: &str,
) -> Result<Performed, SettleError> {
    let (id, of_order) = (format!("auto#{charge}"), order.id.to_string());
    let request = RefundRequest {
        id: &id,
        order: &of_order,
        charge,
        amount: None,
    };
    let provider = order.terms.provider.as_str();
    let made = app.providers.made(provider, request).await?;
    let Some(newest) = newest(app, order).await? else {
        return Ok(Performed::NotWanted);
    };
    if let Some(made) = made {
        return Ok(Performed::Done(told(app, &newest, charge, &made)));
    }
    let standing = standing(&newest)?;
    let call = standing.refunds.iter().find(|call| call.charge == charge);
    let Some(call) = call else {
        info!(order.id = %order.id, outcome = "not_wanted", "a refund is not wanted any more");
        return Ok(Performed::NotWanted);
    };
    let (counted, most) = (format!("{of_order}#{charge}"), app.refunds_per_hour);
    let is_taken = app.limits.take_refund(&counted, most, app.clock.now());
    if !is_taken.await? {
        error!(order.id = %order.id, fault = "auto_refunds_capped", "a charge too many is not returned by itself, since so many were within this hour: an operator decides");
        return Ok(Performed::Done(vec![Order::refund_capped(charge)]));
    }
    let request = RefundRequest {
        amount: Some(call.amount),
        ..request
    };
    returned(app, &newest, request, charge).await
}

/// Makes the refund that an operator asked for.
pub(super) async fn give_back(
    app: &App,
    order: &Order,
    id: &str,
) -> Result<Performed, SettleError> {
    let Some(asked) = order.refunds.get(id) else {
        return Ok(Performed::NotWanted);
    };
    let of_order = order.id.to_string();
    let request = RefundRequest {
        id,
        order: &of_order,
        charge: &asked.charge,
        amount: Some(asked.amount),
    };
    let made = app.providers.made(&order.terms.provider, request).await?;
    let Some(newest) = newest(app, order).await? else {
        return Ok(Performed::NotWanted);
    };
    if let Some(made) = made {
        return Ok(Performed::Done(told(app, &newest, &asked.charge, &made)));
    }
    if newest.terms.provider == STARS && stars::is_given_back(&newest, &asked.charge) {
        return Ok(Performed::Done(Vec::new()));
    }
    if !newest.may_return(asked)? {
        warn!(order.id = %order.id, outcome = "refund_refused", "a refund that an operator asked for can't be made any more");
        return Ok(Performed::Done(vec![Order::refund_refused(id)]));
    }
    returned(app, &newest, request, id).await
}

/// Has the provider make a refund. One that it refuses is a case, which is named by what it is `of`.
async fn returned(
    app: &App,
    order: &Order,
    request: RefundRequest<'_>,
    of: &str,
) -> Result<Performed, SettleError> {
    if order.terms.provider == STARS {
        let back = stars::give_back(app, order, request.charge, request.amount).await?;
        let told = back.unwrap_or_else(|| Order::refund_refused(of));
        return Ok(Performed::Done(vec![told]));
    }
    let made = match app.providers.refund(&order.terms.provider, request).await {
        Ok(made) => made,
        // Nothing is left of it, or a dispute has it: that is told by events of their own.
        Err(fault) if fault.fault() == PaymentFault::Refused => {
            warn!(order.id = %order.id, outcome = "refund_refused", "a provider did not return a charge: {}", chain(&fault));
            return Ok(Performed::Done(vec![Order::refund_refused(of)]));
        }
        Err(fault) => return Err(fault.into()),
    };
    info!(order.id = %order.id, outcome = "refunded", "a charge was returned");
    let facts = made.map(|made| told(app, order, request.charge, &made));
    Ok(Performed::Done(facts.unwrap_or_default()))
}

/// What a refund that was made says of its order.
fn told(app: &App, order: &Order, charge: &str, made: &Report) -> Vec<OrderFact> {
    let seen = OrderSeen {
        terms: &order.terms,
        facts: &order.facts,
        version: order.version.saturating_add(1),
        checkout: None,
        expires_at: order.pay_until.seconds(),
        charge: Some(charge),
        stored_at: app.clock.now().seconds(),
    };
    match made.reading(&seen) {
        Reading::Says(said) => said.facts,
        // Its event tells it.
        Reading::Fetch(_) | Reading::Unclear(_) => Vec::new(),
    }
}

/// Ends the subscription at the provider at once; what was paid is kept.
pub(super) async fn cancel(app: &App, order: &Order) -> Result<Performed, SettleError> {
    match newest(app, order).await? {
        Some(newest) if standing(&newest)?.cancel_subscription => {
            end(app, &newest, CancelAt::Now).await
        }
        _ => Ok(Performed::NotWanted),
    }
}

/// Ends the renewals of a subscription at the provider.
pub(super) async fn end_renewals(app: &App, order: &Order) -> Result<Performed, SettleError> {
    match newest(app, order).await? {
        Some(newest) if newest.renews() => end(app, &newest, CancelAt::PeriodEnd).await,
        _ => Ok(Performed::NotWanted),
    }
}

async fn end(app: &App, order: &Order, at: CancelAt) -> Result<Performed, SettleError> {
    let subscriptions: Vec<&str> = order
        .facts
        .iter()
        .filter(|fact| matches!(fact.body, FactBody::Subscription { .. }))
        .map(|fact| fact.key.as_str())
        .collect();
    // An invoice may be told before its subscription.
    if subscriptions.is_empty() {
        return Err(SettleError::Unclear("its subscription is not known yet"));
    }
    if order.terms.provider == STARS {
        let mut told = Vec::new();
        for subscription in subscriptions {
            told.extend(stars::end(app, order, subscription).await?);
        }
        return Ok(Performed::Done(told));
    }
    for subscription in subscriptions {
        let ended = app
            .providers
            .cancel(&order.terms.provider, subscription, at);
        ended.await?;
    }
    Ok(Performed::Done(Vec::new()))
}
