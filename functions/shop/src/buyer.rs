//! What a buyer has and has ordered before: nothing is sold to them twice, and few orders of theirs wait for money.
//!
//! The index of a buyer's orders is a moment behind, so two calls at once may both find nothing. That costs nothing but a second
//! order; who pays both is found by `settlement`.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::id::OrderId;
use domain::money::PaymentProvider;
use domain::order::record::Order;
use futures_util::future::try_join_all;
use runtime::response::{Refusal, Rejection};

use crate::wish::invalid;
use crate::{App, unavailable};

/// How many orders of a buyer are looked at, the newest first.
const LOOKED_AT: i32 = 100;
/// For how long what a person paid in coins counts.
const COINS_COUNT_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// Whether the buyer of `wanted` may order it; answers the order of theirs that stands for it, if there is one.
///
/// # Errors
/// They have it, too many orders wait, or too much would be paid in coins.
pub(crate) async fn check(app: &App, wanted: &Order) -> Result<Option<OrderId>, Refusal> {
    let is_in_coins = wanted.terms.provider == PaymentProvider::NowPayments.as_str();
    if let Some(limits) = app.coins_per_order.as_ref().filter(|_| is_in_coins) {
        within(limits, wanted, wanted.terms.due)?;
    }
    let per_person = app.coins_per_person.as_ref().filter(|_| is_in_coins);
    let Some(buyer) = wanted.buyer.key() else {
        return match per_person {
            Some(_) => Err(invalid(
                "userId: must name the buyer, since what a person may pay in coins is limited.",
            )),
            None => Ok(None),
        };
    };
    let (now, ids) = (
        app.clock.now(),
        app.orders.of_buyer(&buyer, LOOKED_AT).await,
    );
    let ids = ids.map_err(unavailable)?;
    let found = try_join_all(ids.into_iter().map(|id| app.orders.get(id))).await;
    let before: Vec<Order> = found.map_err(unavailable)?.into_iter().flatten().collect();
    let has = |order: &Order| order.is_owned(now) && order.sells_same(wanted);
    if wanted.is_lasting() && before.iter().any(has) {
        return Err(Rejection::AlreadyOwned.into());
    }
    if let Some(same) = before.iter().find(|order| order.stands_for(wanted, now)) {
        return Ok(Some(same.id));
    }
    let open = before.iter().filter(|order| order.is_open_at(now)).count();
    if open >= app.open_orders_max {
        return Err(Rejection::TooManyOpenOrders.into());
    }
    if let Some(limits) = per_person {
        let counted = before.iter().filter(|order| {
            (&order.terms.provider, &order.terms.currency)
                == (&wanted.terms.provider, &wanted.terms.currency)
                && now.since(order.created_at) < COINS_COUNT_FOR
                && order.counts_at(now)
        });
        let sum = counted
            .map(|order| order.terms.due)
            .fold(wanted.terms.due, i128::saturating_add);
        within(limits, wanted, sum)?;
    }
    Ok(None)
}

/// Whether an amount is within the limit of its currency; where there are limits, a currency without one is not taken.
fn within(limits: &BTreeMap<String, i128>, wanted: &Order, amount: i128) -> Result<(), Refusal> {
    match limits.get(&wanted.terms.currency) {
        Some(most) if amount <= *most => Ok(()),
        _ => Err(Rejection::LimitReached.into()),
    }
}
