//! Orders that are paid in Telegram Stars: their invoice, what came and went, refunds, the end of a subscription.
//!
//! Telegram tells of a payment by an update, and keeps a list of all that came and went, the oldest first. Where that list was read up
//! to stands in the inbox; what it tells goes through the inbox as an update does, under the same key:
//!
//! ```text
//! read the list from where it was read up to    die here: nothing happened
//! put each event that is not there, settle it   die here: it is open, and settled by the sweeper's bell
//! note where it was read up to                  die here: the same is read again, and is there already
//! ```

use std::time::Duration;

use domain::id::OrderId;
use domain::order::fact::{FactBody, OrderFact, RenewalStatus};
use domain::order::record::{Checkout, Order};
use domain::report::PaymentFault;
use domain::stars::{PROVIDER, StarsReport, returned};
use runtime::telemetry::chain;
use tracing::{error, info, warn};

use crate::providers::ProviderError;
use crate::{App, SettleError, take_key};

/// How many pages of the list are read at once, at most; the rest is read the next time.
const PAGES_MAX: u32 = 50;
/// How often the list is read at most.
const READ_EVERY: Duration = Duration::from_secs(30);
/// How many entries a page has, at most.
const PAGE: u8 = 100;

/// Makes the invoice of an order that has none yet and waits for payment; answers the order as it is stored then. Two that make one
/// each are no matter: the first that is stored is the one that people are told of.
pub(crate) async fn opened(app: &App, order: Order) -> Result<Option<Order>, SettleError> {
    let Checkout::Creating { request, .. } = &order.checkout else {
        return Ok(Some(order));
    };
    let now = app.clock.now();
    let is_wanted = order.is_payable() && !order.is_closed() && now < order.pay_until;
    if order.terms.provider != PROVIDER || !is_wanted {
        return Ok(Some(order));
    }
    let next = match app.providers.bot()?.create_invoice_link(request).await {
        Ok(link) => order.opened(link.clone(), link, now),
        Err(fault) if fault.payment_fault() == PaymentFault::Refused => {
            error!(order.id = %order.id, fault = "provider_refused", "Telegram does not take an order: {}", chain(&fault));
            let given_up = order.learn([Order::cancelled()], now, app.hold)?;
            given_up.unwrap_or_else(|| order.clone())
        }
        Err(fault) => return Err(ProviderError::from(fault).into()),
    };
    match app.orders.write(&next).await? {
        Some(stored) => Ok(Some(stored)),
        None => Ok(app.orders.get(order.id).await?),
    }
}

/// Takes in what Telegram knows of payments and has not told, of all orders: once in [`READ_EVERY`], however many ask.
pub(crate) async fn catch_up(app: &App) -> Result<(), SettleError> {
    let mut read_at = app.stars_read_at.lock().await;
    let now = app.clock.now();
    if read_at.is_none_or(|at| now >= at.plus(READ_EVERY)) {
        read_on(app).await?;
        *read_at = Some(now);
    }
    Ok(())
}

async fn read_on(app: &App) -> Result<(), SettleError> {
    let bot = app.providers.bot()?;
    // Each bot has a list of its own.
    let list = format!("{PROVIDER}#{}", bot.bot());
    let mut read_up_to = app.events.read_up_to(&list).await?;
    for _ in 0..PAGES_MAX {
        let page = bot.star_transactions(read_up_to, PAGE).await;
        let page = page.map_err(ProviderError::from)?;
        for report in page.iter().filter_map(StarsReport::of_transaction) {
            // The bot may sell for others, too. An order of ours is stored before its invoice.
            let is_ours = match report.payload.parse::<OrderId>() {
                Ok(id) => app.orders.get(id).await?.is_some(),
                Err(_) => false,
            };
            if !is_ours {
                continue;
            }
            let (key, now) = (report.event_key(), app.clock.now());
            if app.events.put(&key, &report.body(), now).await? {
                warn!(
                    payment.event = key,
                    outcome = "found",
                    "Telegram lists a payment that no update told of yet"
                );
                take_key(app, &key).await;
            }
        }
        if page.is_empty() {
            break;
        }
        read_up_to = read_up_to.saturating_add(u64::try_from(page.len()).unwrap_or(u64::MAX));
        app.events.note_read_up_to(&list, read_up_to).await?;
        if page.len() < usize::from(PAGE) {
            break;
        }
    }
    Ok(())
}

/// Gives a charge back, all of it, as Stars go back no other way; answers the fact of it. Nothing if that can't be done.
pub(crate) async fn give_back(
    app: &App,
    order: &Order,
    charge: &str,
    amount: Option<i128>,
) -> Result<Option<OrderFact>, SettleError> {
    let paid = order.facts.iter().find_map(|fact| match &fact.body {
        FactBody::Charge(paid) if fact.key == charge => Some(paid.amount),
        _ => None,
    });
    let (Some(paid), Some(person)) = (paid, order.buyer.telegram_user_id) else {
        return Ok(None);
    };
    if amount.is_some_and(|amount| amount != paid) {
        return Ok(None);
    }
    match app.providers.bot()?.refund_stars(person, charge).await {
        Ok(()) => Ok(Some(returned(charge, paid))),
        Err(fault) if fault.payment_fault() == PaymentFault::Refused => {
            warn!(order.id = %order.id, outcome = "refund_refused", "Telegram did not return a charge: {}", chain(&fault));
            Ok(None)
        }
        Err(fault) => Err(ProviderError::from(fault).into()),
    }
}

/// Whether a charge went back already, as Telegram told.
pub(crate) fn is_given_back(order: &Order, charge: &str) -> bool {
    let mut facts = order.facts.iter();
    facts.any(|fact| fact.key == charge && matches!(fact.body, FactBody::Refund(_)))
}

/// Has a subscription end with what is paid of it, which Telegram does not tell.
pub(crate) async fn end(
    app: &App,
    order: &Order,
    first_charge: &str,
) -> Result<Vec<OrderFact>, SettleError> {
    // Whose data were erased is known to nobody any more; they can end it at Telegram.
    let Some(person) = order.buyer.telegram_user_id else {
        warn!(order.id = %order.id, outcome = "not_cancelled", "a subscription is not ended, since nobody knows whose it is");
        return Ok(Vec::new());
    };
    let bot = app.providers.bot()?;
    match bot.cancel_star_subscription(person, first_charge).await {
        Ok(()) => {}
        // It is over, or Telegram does not know it: asking again changes nothing.
        Err(fault) if fault.payment_fault() == PaymentFault::Refused => {
            error!(order.id = %order.id, fault = "provider_refused", "Telegram does not end a subscription: {}", chain(&fault));
            return Ok(Vec::new());
        }
        Err(fault) => return Err(ProviderError::from(fault).into()),
    }
    info!(order.id = %order.id, outcome = "cancelled", "a subscription in Stars renews no more");
    let body = FactBody::Subscription {
        status: RenewalStatus::Ending,
        seq: order.version.saturating_add(1),
    };
    Ok(vec![OrderFact::new(first_charge, body)])
}
