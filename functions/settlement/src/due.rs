//! What is due: events that could not be settled, effects that stayed, and orders that wait for money.

use std::collections::HashSet;
use std::time::Duration;

use domain::id::{ORDER_SHARDS, OrderId};
use domain::order::fact::FactBody;
use domain::order::record::{Checkout, Order};
use domain::report::PaymentFault;
use domain::stars::PROVIDER as STARS;
use runtime::telemetry::chain;
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::{App, SettleError, effects, stars, take, take_key};

/// How many events and orders of one part are seen to in one look.
const OF_SHARD_MAX: i32 = 50;
/// How long after its end an order waits for a provider that can't be asked.
const CLOSED_UNASKED: Duration = Duration::from_secs(24 * 3600);
/// How often an order is read anew because somebody else wrote it.
const TRIES: u32 = 5;

/// Sees to what is due, the longest waiting of each part first, until `until`.
pub(crate) async fn serve(app: &App, until: Instant) {
    let mut shards: Vec<u8> = (0..ORDER_SHARDS).collect();
    // Whichever comes last may be left out.
    fastrand::shuffle(&mut shards);
    let mut away = HashSet::new();
    for shard in shards {
        if let Err(fault) = serve_shard(app, shard, &mut away, until).await {
            error!(
                fault = "unavailable",
                "what is due of a part of the orders can't be seen to: {}",
                chain(&fault)
            );
        }
    }
}

/// The same of one part. Of a provider that is `away`, since it did not answer a moment ago, nothing is asked in this run: each call
/// would take its time-out from the orders behind it.
async fn serve_shard(
    app: &App,
    shard: u8,
    away: &mut HashSet<String>,
    until: Instant,
) -> Result<(), SettleError> {
    for key in app
        .events
        .open(shard, app.clock.now(), OF_SHARD_MAX)
        .await?
    {
        if app.is_over(until) {
            return Ok(());
        }
        take_key(app, &key).await;
    }
    for id in app.orders.due(shard, app.clock.now(), OF_SHARD_MAX).await? {
        if app.is_over(until) {
            return Ok(());
        }
        if let Err(fault) = look(app, id, away).await {
            error!(order.id = %id, fault = "unavailable", "a due order can't be seen to: {}", chain(&fault));
            if let Err(fault) = put_off(app, id).await {
                error!(order.id = %id, fault = "unavailable", "a due order can't be put off: {}", chain(&fault));
            }
        }
    }
    Ok(())
}

/// Does what is pending of an order for which a bell was rung. What can't be done is due again.
pub(crate) async fn see_to(app: &App, id: OrderId) {
    match opened(app, id).await {
        Ok(Some(order)) => effects::run(app, order).await,
        Ok(None) => {}
        Err(fault) => {
            error!(order.id = %id, fault = "unavailable", "an order can't be seen to, it is due again: {}", chain(&fault));
        }
    }
}

/// The order, with its invoice, if it is paid in Stars and has none yet.
async fn opened(app: &App, id: OrderId) -> Result<Option<Order>, SettleError> {
    match app.orders.get(id).await? {
        Some(order) => stars::opened(app, order).await,
        None => Ok(None),
    }
}

/// Sees to an order that is due: does what stayed; looks at its provider, or closes it once its time is over.
async fn look(app: &App, id: OrderId, away: &mut HashSet<String>) -> Result<(), SettleError> {
    let Some(order) = app.orders.get(id).await? else {
        return Ok(());
    };
    // Somebody else has seen to it since.
    if order.due_at.is_none_or(|due| due > app.clock.now()) {
        return Ok(());
    }
    let Some(order) = stars::opened(app, order).await? else {
        return Ok(());
    };
    let is_payable = order.is_payable();
    if !order.pending.is_empty() {
        effects::run(app, order.clone()).await;
        // An effect that keeps failing holds up no look: the money may be there.
        if !is_payable {
            return Ok(());
        }
    }
    let is_over = app.clock.now() >= order.pay_until;
    let is_closing = is_over && is_payable && !order.is_closed();
    // Whose provider can't be asked for a day is closed all the same: money that comes later counts.
    let is_unasked = is_closing && app.clock.now() >= order.pay_until.plus(CLOSED_UNASKED);
    if away.contains(&order.terms.provider) && !is_unasked {
        return put_off(app, id).await;
    }
    if let Checkout::Open { object, .. } = &order.checkout
        && let Err(fault) = look_up(app, &order, object, is_closing).await
    {
        if matches!(&fault, SettleError::Provider(fault) if fault.is_away()) {
            away.insert(order.terms.provider.clone());
        }
        if !is_unasked {
            return Err(fault);
        }
        error!(order.id = %id, fault = "unavailable", "an order is closed without a look at its provider: {}", chain(&fault));
    }
    looked(app, id, is_over, order.paid()).await
}

/// Takes in what the provider knows; before that, if its time is over, nobody can pay it there any more.
async fn look_up(
    app: &App,
    order: &Order,
    object: &str,
    is_closing: bool,
) -> Result<(), SettleError> {
    let (id, provider) = (order.id, order.terms.provider.as_str());
    if provider == STARS {
        return stars::catch_up(app).await;
    }
    // Closed first, so that nobody pays between the look and the end.
    if is_closing {
        match app.providers.close(provider, object).await {
            Ok(()) => {}
            Err(fault) if fault.fault() == PaymentFault::Refused => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    let mut reports = app.providers.look(provider, object).await?;
    // Its page tells the first payment alone.
    for fact in order.facts.iter() {
        if matches!(fact.body, FactBody::Subscription { .. }) {
            reports.extend(app.providers.renewals(provider, &fact.key).await?);
        }
    }
    for report in reports {
        take::apply(app, id, report, None, app.clock.now()).await?;
    }
    Ok(())
}

/// Writes that an order was looked at; one whose time is over and that nobody has paid is closed. `paid` is the number of its payments
/// before the look.
async fn looked(app: &App, id: OrderId, is_over: bool, paid: usize) -> Result<(), SettleError> {
    for _ in 0..TRIES {
        let Some(order) = app.orders.get(id).await? else {
            return Ok(());
        };
        let now = app.clock.now();
        let closed = match is_over && order.lacks_ending() {
            true => order.learn([order.ending()], now, app.hold)?,
            false => None,
        };
        let next = closed.unwrap_or_else(|| order.looked(now));
        if let Some(stored) = app.orders.write(&next).await? {
            // Telegram's list says by itself what was found in it.
            if stored.paid() > paid && stored.terms.provider != STARS {
                warn!(order.id = %id, outcome = "found", "a provider has a payment that no event told of");
            }
            info!(order.id = %id, outcome = stored.state.as_str(), "an order was looked up at its provider");
            effects::run(app, stored).await;
            return Ok(());
        }
    }
    Err(SettleError::Contended)
}

/// Leaves an order whose provider does not answer to a later look.
async fn put_off(app: &App, id: OrderId) -> Result<(), SettleError> {
    if let Some(order) = app.orders.get(id).await? {
        let next = match order.pending.is_empty() {
            true => order.looked(app.clock.now()),
            false => order.done(&[], app.clock.now()),
        };
        app.orders.write(&next).await?;
    }
    Ok(())
}
