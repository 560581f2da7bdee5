//! Does what stands in an order, and takes it out. Each effect may be done again: its receiver knows it.

mod money;

use domain::id::{ChatId, OrderId};
use domain::message::MessageId;
use domain::order::fact::{FactBody, OrderFact};
use domain::order::fold::OrderState;
use domain::order::record::{Checkout, Effect, Order, OrderedSeat};
use domain::purchase::{Identity, Purchase};
use runtime::telemetry::chain;
use store::{Booking, OrderPage, Reserved, SeatWritten};
use tracing::{error, info, warn};

use crate::{App, SettleError, message};

/// How often an order is written anew, because somebody else wrote it, or because an effect told something new.
const ROUNDS: u32 = 8;
/// How many orders of a buyer are looked at, the newest first.
const COMPARED: i32 = 100;

/// Does what is pending of an order as it is stored. What can't be done stays there, and is due again.
pub(crate) async fn run(app: &App, mut order: Order) {
    for _ in 0..ROUNDS {
        if order.pending.is_empty() {
            return;
        }
        let (mut done, mut not_wanted) = (Vec::new(), Vec::new());
        let mut facts = Vec::new();
        for effect in in_turn(&order) {
            match perform(app, &order, &effect).await {
                Ok(Performed::Done(told)) => {
                    facts.extend(told);
                    done.push(effect);
                }
                Ok(Performed::NotWanted) => not_wanted.push(effect),
                Err(fault) => {
                    error!(order.id = %order.id, fault = "effect_failed", effect = effect.id(order.id), "what follows from a payment could not be done, it is due again: {}", chain(&fault));
                }
            }
        }
        let is_all = done.len() + not_wanted.len() == order.pending.len();
        match clear(app, &order, (&done, &not_wanted), facts).await {
            Ok(Some(next)) if next.pending.is_empty() => return,
            // Something new follows; what failed is not tried again at once.
            Ok(Some(next)) if is_all => order = next,
            Ok(_) => return,
            Err(fault) => {
                error!(order.id = %order.id, fault = "unavailable", "what was done of an order could not be noted, it is done again: {}", chain(&fault));
                return;
            }
        }
    }
}

/// The way in before the seat, since the seat is found by its request; the page behind both, since it shows them.
fn in_turn(order: &Order) -> Vec<Effect> {
    let mut effects = order.pending.clone();
    effects.sort_by_key(|effect| match effect {
        Effect::Transaction { .. } => 0,
        Effect::Invite { .. } => 1,
        Effect::Seat => 2,
        Effect::Page => 3,
        Effect::Message { .. } | Effect::Notice { .. } | Effect::TellOwners { .. } => 4,
        Effect::Refund { .. } => 5,
        Effect::Return { .. } => 6,
        Effect::Cancel => 7,
        Effect::EndRenewals => 8,
        Effect::Compare => 9,
        Effect::Release => 10,
        Effect::Reserve => 11,
    });
    effects
}

/// Takes out what is done, and takes in what that told; answers the order as it is stored, or nothing if somebody else writes it
/// all the time.
async fn clear(
    app: &App,
    read: &Order,
    (done, not_wanted): (&[Effect], &[Effect]),
    facts: Vec<OrderFact>,
) -> Result<Option<Order>, SettleError> {
    let mut order = read.clone();
    for _ in 0..ROUNDS {
        let now = app.clock.now();
        // What shows the order as it is was done as it was then: a newer one has to be shown anew.
        let is_newer = order.revision != read.revision;
        let done: Vec<Effect> = done
            .iter()
            .filter(|effect| !(is_newer && effect.shows_state()))
            .cloned()
            .collect();
        let wanted = not_wanted
            .iter()
            .fold(order.clone(), |order, effect| order.not_wanted(effect));
        let cleared = wanted.done(&done, now);
        let learnt = cleared.learn(facts.clone(), now, app.hold)?;
        if let Some(stored) = app.orders.write(&learnt.unwrap_or(cleared)).await? {
            return Ok(Some(stored));
        }
        let Some(newer) = app.orders.get(read.id).await? else {
            return Ok(None);
        };
        order = newer;
    }
    Ok(None)
}

/// What became of an effect.
enum Performed {
    /// It is done, and told this of the order.
    Done(Vec<OrderFact>),
    /// By what is known at this moment it is not wanted any more.
    NotWanted,
}

/// Does one effect.
async fn perform(app: &App, order: &Order, effect: &Effect) -> Result<Performed, SettleError> {
    match effect {
        Effect::Transaction {
            version,
            at,
            entries,
            payables,
        } => {
            let booking = Booking {
                order: order.id,
                version: *version,
                at: *at,
                entries,
                payables,
            };
            app.ledger.book(booking).await?;
        }
        Effect::Invite { chat } => invite(app, order, *chat).await?,
        Effect::Seat => seats(app, order).await?,
        Effect::Page => show(app, order).await?,
        Effect::Message { message } => message::tell(app, order, *message).await?,
        Effect::TellOwners { news, at } => message::tell_owners(app, order, news, *at).await?,
        Effect::Notice {
            page,
            needs_action,
            at,
            ..
        } => {
            let id = MessageId::new(*at, &message::cause(order, effect));
            message::notice(app, order, id, page, *needs_action).await?;
        }
        Effect::Refund { charge, .. } => return money::refund(app, order, charge).await,
        Effect::Return { id } => return money::give_back(app, order, id).await,
        Effect::Cancel => return money::cancel(app, order).await,
        Effect::EndRenewals => return money::end_renewals(app, order).await,
        Effect::Compare => return compare(app, order).await,
        Effect::Release => {
            for of in order.released() {
                app.orders.release(&app.reservations, order, of).await?;
            }
        }
        Effect::Reserve => {
            for of in &order.sold.reservations {
                let taken = app.reservations.take(order.id, of, !of.is_firm).await?;
                if taken == Reserved::SoldOut {
                    return Ok(Performed::Done(vec![Order::sold_out()]));
                }
            }
        }
    }
    Ok(Performed::Done(Vec::new()))
}

async fn invite(app: &App, order: &Order, chat: ChatId) -> Result<(), SettleError> {
    // What ended before anybody got in is no way in; should it be given back, it is asked for again.
    let entitlement = order.entitlement.filter(|of| of.cut_at.is_none());
    let Some(entitlement) = entitlement else {
        return Ok(());
    };
    let seat = OrderedSeat {
        order: order.id,
        entitlement,
    };
    let purchase = Purchase::of_order(order, seat, chat, &app.chats);
    let refused = |rejection: runtime::response::Rejection| SettleError::Refused(rejection.code());
    let purchase = purchase.map_err(|rejection| refused(rejection.into()))?;
    let Identity::Payment(id) = purchase.identity() else {
        return Err(SettleError::Unclear("its order has no id"));
    };
    let taken = app.intake.accept(&purchase, id, app.clock.now()).await;
    let taken = taken.map_err(refused)?;
    info!(order.id = %order.id, invite.id = %id, outcome = "bought", is_repeat = taken.is_repeat, "a paid order has its way in");
    Ok(())
}

/// Writes what the order grants by now, for whoever has it or comes for it.
///
/// ```text
/// write the request, which whoever claims it reads    die here: done again
/// write the seat of whoever has claimed it            die here: done again
/// ```
async fn seats(app: &App, order: &Order) -> Result<(), SettleError> {
    let Some(entitlement) = order.entitlement else {
        return Ok(());
    };
    let seat = OrderedSeat {
        order: order.id,
        entitlement,
    };
    for chat in &order.sold.chats {
        let (id, now) = (order.request_in(*chat), app.clock.now());
        let Some(invite) = app.intake.invites.write_order(id, seat, now).await? else {
            // Made later from its task, it would not know its order. One that was forgotten is nobody's any more.
            let invite = Effect::Invite { chat: *chat };
            if entitlement.cut_at.is_none() && order.pending.contains(&invite) {
                return Err(SettleError::Unclear(
                    "the request of its seat is not there yet",
                ));
            }
            continue;
        };
        let Some(person) = invite.bound_to.filter(|_| invite.voided_at.is_none()) else {
            continue;
        };
        let written = app
            .intake
            .seats
            .write_order(person, &invite, &app.tasks, now);
        match written.await? {
            Some(SeatWritten::Done(change)) if !change.tasks().is_empty() => {
                app.intake.bells.ring(invite.canonical_chat).await;
            }
            Some(SeatWritten::Rejected(rejection)) => {
                return Err(SettleError::Refused(rejection.code()));
            }
            Some(SeatWritten::Done(_) | SeatWritten::NotClaimable) | None => {}
        }
    }
    Ok(())
}

async fn show(app: &App, order: &Order) -> Result<(), SettleError> {
    let pay_url = match &order.checkout {
        Checkout::Open { pay_url, .. } if order.is_payable() => Some(pay_url.clone()),
        Checkout::Open { .. } | Checkout::Creating { .. } | Checkout::Free => None,
    };
    let is_in = order.entitlement.is_some();
    let requests = order.sold.chats.iter().filter(|_| is_in);
    let page = OrderPage {
        state: order.state,
        title: order.sold.title.clone(),
        provider: order.terms.provider.clone(),
        currency: order.terms.currency.clone(),
        due: order.terms.due,
        missing: order
            .missing()
            .filter(|_| order.state == OrderState::Underpaid),
        pay_url,
        pay_until: order.pay_until,
        is_test: order.mode == domain::order::record::PaymentsMode::Test,
        is_gift: order.terms.gift,
        requests: requests
            .map(|chat| order.request_in(*chat).to_string())
            .collect(),
        version: order.version,
        revision: order.revision,
    };
    Ok(app.orders.show(order.id, &page, order.has_money()).await?)
}

/// Looks whether the buyer had the same already. Each of two orders looks after it was written, so that one of them sees the other.
async fn compare(app: &App, order: &Order) -> Result<Performed, SettleError> {
    let Some(buyer) = order.buyer.key() else {
        return Ok(Performed::Done(Vec::new()));
    };
    for id in app.orders.of_buyer(&buyer, COMPARED).await? {
        let Some(other) = app.orders.get(id).await?.filter(|_| id != order.id) else {
            continue;
        };
        let is_told = other
            .facts
            .iter()
            .any(|fact| fact.key == already_owned(order.id));
        if other.is_owned(app.clock.now()) && other.sells_same(order) && !is_told {
            warn!(order.id = %order.id, outcome = "already_owned", "a buyer paid for the same twice: an operator decides");
            let note = OrderFact::new(already_owned(id), FactBody::Note);
            return Ok(Performed::Done(vec![note]));
        }
    }
    Ok(Performed::Done(Vec::new()))
}

/// The case that the buyer of an order has the same by another one.
fn already_owned(other: OrderId) -> String {
    format!("already_owned#{other}")
}
