//! What must hold at the end of a sale: each order stands where its money says, no order waits for long once nothing is wrong, and
//! none waits for what befalls another.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::id::OrderId;
use domain::order::fold::OrderState;
use domain::order::record::Order;

use super::buyers::Bought;
use super::plan::{Afterwards, OrderPlan, Pays, Provider, SEATS};
use super::{OrderReport, Sale};
use crate::invariants::{Allowed, broken};

/// Once the faults are over, money is known within this time: an open order is looked up every hour, what can't be settled or done
/// waits for an hour at most, and the clocks are off by two minutes.
pub(super) const KNOWN_WITHIN: Duration = Duration::from_secs(9_000);
/// Money that no fault meets is known within this time, whatever befalls others.
const UNDISTURBED: Duration = Duration::from_secs(180);
/// Writes of tables.
const WRITES: [&str; 5] = [
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "BatchWriteItem",
    "TransactWriteItems",
];

/// Whatever is broken, with the figures of the seed.
pub(super) async fn check(sale: &Sale<'_>, bought: &[Bought]) -> anyhow::Result<OrderReport> {
    let world = sale.world;
    let allowed = Allowed {
        dead_bells: true,
        delivered_again: true,
        out_of_order: true,
        flood_calls: true,
        unheard: true,
        ..Allowed::default()
    };
    let orders = world.orders().await?;
    let by_id: BTreeMap<String, &Order> = orders
        .iter()
        .map(|order| (order.id.to_string(), order))
        .collect();
    let mut report = OrderReport {
        orders: orders.len(),
        events: world.items("PaymentEvents").await?.len(),
        deaths: world.wire.deaths(),
        broken: broken(world, allowed).await?,
        ..OrderReport::default()
    };
    let mut known = BTreeSet::new();
    for (bought, plan) in bought.iter().zip(&sale.plan.orders) {
        let mut say = |what: String| {
            report
                .broken
                .push(format!("order {}: {what}", bought.number))
        };
        bought.wrong.iter().cloned().for_each(&mut say);
        let Some(id) = &bought.id else {
            continue;
        };
        known.insert(id);
        let Some(order) = by_id.get(id) else {
            say(format!("I2: {id} is not there"));
            continue;
        };
        let wanted = wanted(plan, bought);
        if !wanted.contains(&order.state) {
            say(format!(
                "I2: {id} is {:?} instead of {wanted:?}: {bought:?}",
                order.state
            ));
        }
        let told = world.poll(&bought.status_url).await;
        let is_confirmed = matches!(order.state, OrderState::Paid | OrderState::PartlyRefunded);
        let says_so = told
            .as_ref()
            .map(|told| told.body["data"]["confirmed"] == true);
        if says_so != Some(is_confirmed) {
            say(format!(
                "{id} is {:?}, and its page is told {told:?}",
                order.state
            ));
        }
        if plan.provider == Provider::Stars && order.has_money() {
            let said = world.messages_to(plan.person());
            let thanks = said.iter().filter(|said| said.text.contains("has arrived"));
            let thanks = thanks.count();
            if thanks != usize::from(order.entitlement.is_some()) {
                say(format!("I12: the buyer of {id} was thanked {thanks} times"));
            }
        }
    }
    if known.len() != orders.len() {
        let wrong = format!("I8: {} orders of {} buyers", orders.len(), known.len());
        report.broken.push(wrong);
    }
    report.paid = orders.iter().filter(|order| order.has_money()).count();
    let few = orders.iter().filter(|order| {
        let holds = matches!(order.state, OrderState::Paid | OrderState::Disputed);
        holds && order.sold.tier_id == "few"
    });
    if few.count() > SEATS {
        report
            .broken
            .push(format!("more than {SEATS} seats are sold"));
    }
    let writes = local::resources::TABLES.iter().flat_map(|table| {
        let wire = &world.wire;
        WRITES.map(move |write| wire.count_by("pay", write, table.name))
    });
    if writes.sum::<u64>() > 0 {
        report.broken.push("a poll wrote something".to_owned());
    }
    waits(sale, bought, &mut report);
    Ok(report)
}

/// Where an order may stand.
fn wanted(plan: &OrderPlan, bought: &Bought) -> Vec<OrderState> {
    let mut wanted = match (plan.pays, bought.paid_at) {
        (Pays::Half, _) => vec![OrderState::Underpaid],
        (_, None) => vec![OrderState::Expired],
        (Pays::Nothing | Pays::Whole | Pays::Halves | Pays::Twice, Some(_)) => {
            vec![match plan.afterwards {
                _ if !bought.is_done => OrderState::Paid,
                Afterwards::Stays | Afterwards::Disputed { is_won: true } => OrderState::Paid,
                Afterwards::PartBack => OrderState::PartlyRefunded,
                Afterwards::AllBack | Afterwards::AllBackThere => OrderState::Refunded,
                Afterwards::Disputed { is_won: false } => OrderState::Lost,
            }]
        }
    };
    // It came too late for one of the few seats: the money goes back, or waits for an operator.
    if plan.is_limited {
        wanted.extend([OrderState::Refunded, OrderState::Refused]);
    }
    wanted
}

/// Progress: a payment is known soon after all is well. Fairness: an order that meets no fault is known soon, whatever others meet.
fn waits(sale: &Sale<'_>, bought: &[Bought], report: &mut OrderReport) {
    let (plan, seen) = (sale.plan, sale.seen());
    let faults_end = plan.windows.iter().map(|window| window.to).max();
    let faults_end = faults_end.unwrap_or_default();
    for (bought, order) in bought.iter().zip(&plan.orders) {
        let (Some(id), Some(paid_at)) = (&bought.id, bought.paid_at) else {
            continue;
        };
        let Ok(id) = id.parse::<OrderId>() else {
            continue;
        };
        let Some(seen_at) = seen.get(&id).copied() else {
            let wrong =
                format!("progress: {id} was paid at {paid_at:?} and not known in time: {order:?}");
            report.broken.push(wrong);
            continue;
        };
        let wait = seen_at.saturating_sub(paid_at.max(faults_end));
        report.longest_wait = report.longest_wait.max(wait);
        if wait > KNOWN_WITHIN {
            let wrong = format!("progress: {id} waited {wait:?}: {order:?}");
            report.broken.push(wrong);
        }
        let until = paid_at + UNDISTURBED;
        let is_met = plan.windows.iter().any(|window| {
            let is_then = window.from <= until && order.at <= window.to;
            is_then && window.fault.meets(order.provider)
        });
        if is_met {
            continue;
        }
        let wait = seen_at.saturating_sub(paid_at);
        report.longest_undisturbed = report.longest_undisturbed.max(wait);
        if wait > UNDISTURBED {
            let wrong = format!("fairness: {id} met no fault and waited {wait:?}: {order:?}");
            report.broken.push(wrong);
        }
    }
}
