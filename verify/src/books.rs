//! What must hold of money once a world is quiet: what providers hold is what orders know, once each; what orders know is what
//! the books, the payees and the buyers' seats say; and the books balance.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use domain::order::fact::{ChargeStatus, FactBody, Facts, RefundStatus};
use domain::order::fold::fold;
use domain::order::record::{BookedEntry, Order};
use domain::payout::{Payout, PayoutState};
use serde_json::Value;
use simulators::nowpayments::PayinStatus;

use super::world::World;
use local::resources::PAYMENTS;

/// Balances, by account and currency.
type Sums = BTreeMap<(String, String), i128>;

/// What a provider holds of an order, by the ids of the charges: so much of the order's currency, as far as it can be told.
type Held = BTreeMap<String, BTreeMap<String, Option<i128>>>;

/// Whatever is not as it must be; empty if all is, or nothing is sold.
///
/// # Errors
/// If the world can't be read.
pub(super) async fn broken(world: &World) -> anyhow::Result<Vec<String>> {
    let mut broken = Vec::new();
    if world.providers().is_err() {
        return Ok(broken);
    }
    let orders = world.orders().await?;
    let ledger = transactions(world).await?;
    let payables = payables(world, &mut broken).await?;
    let held = held(world).await?;
    let requests = world.items("InviteRequests").await?;
    let pages = world.items("Orders").await?;
    for order in &orders {
        let id = order.id.to_string();
        let mut say = |what: String| broken.push(format!("{id}: {what}"));
        folded(order, &mut say)?;
        credited(order, held.get(&id), &mut say);
        booked(order, &ledger, &payables, &mut say)?;
        let its_page = pages
            .iter()
            .find(|item| item["item"] == "page" && item["orderId"] == *id)
            .and_then(|item| item["record"].as_str());
        let shown: Value = serde_json::from_str(its_page.unwrap_or("null"))?;
        if shown["state"] != order.state.as_str() {
            say(format!(
                "I8: it is {:?}, its page says {}",
                order.state, shown["state"]
            ));
        }
        let was_covered = order.entitlement.is_some();
        for chat in &order.sold.chats {
            let of_chat = |item: &&Value| {
                item["transactionId"] == *id && item["chatId"].as_i64() == Some(chat.0)
            };
            let count = requests.iter().filter(of_chat).count();
            // One that was over before anybody got in needs none.
            let is_cut = order.entitlement.is_some_and(|of| of.cut_at.is_some());
            if count != usize::from(was_covered) && !(is_cut && count == 0) {
                say(format!("I8: it has {count} requests for {chat}"));
            }
        }
    }
    let known: BTreeSet<String> = orders.iter().map(|order| order.id.to_string()).collect();
    for id in held.keys().filter(|id| !known.contains(*id)) {
        broken.push(format!("I8: money came for {id}, which is not an order"));
    }
    payouts(world, &ledger, &payables, &mut broken).await?;
    for (key, state) in world
        .items("PaymentEvents")
        .await?
        .iter()
        .filter_map(|event| Some((event["eventKey"].as_str()?, event["eventState"].as_str()?)))
    {
        if !["DONE", "IGNORED"].contains(&state) {
            broken.push(format!("I8: the event {key} is left {state}"));
        }
    }
    let dead = world.aws.queue_depth(PAYMENTS.dead_letters);
    let dead = dead.map_or(0, simulators::aws::sqs::Depth::total);
    if dead > 0 {
        broken.push(format!("I7: {dead} dead letters of {}", PAYMENTS.queue));
    }
    Ok(broken)
}

/// An order at rest is what its facts add up to, in whatever order they come and how often; nothing of it is left to be done.
fn folded(order: &Order, say: &mut impl FnMut(String)) -> anyhow::Result<()> {
    let standing = fold(&order.terms, &order.facts)?;
    if standing.state != order.state || standing.ledger != order.booked {
        say(format!(
            "I9: it is not what its facts add up to: {standing:?}"
        ));
    }
    let facts: Vec<_> = order.facts.iter().cloned().collect();
    let mut again = Facts::default();
    for fact in facts.iter().rev().chain(&facts) {
        again.add(fact.clone());
    }
    if fold(&order.terms, &again)? != standing {
        say("I9: its facts add up to something else in another order".to_owned());
    }
    if !order.pending.is_empty() {
        say(format!("I2: these effects are left: {:?}", order.pending));
    }
    let held = order
        .booked
        .iter()
        .filter(|(account, ..)| account.to_string() == "held");
    let is_open = order.is_payable() || !order.cases.is_empty();
    if !is_open && held.count() > 0 {
        say("I10: money is held of an order at rest".to_owned());
    }
    Ok(())
}

/// Each charge at the provider is known once, with its amount, and no other is.
fn credited(
    order: &Order,
    held: Option<&BTreeMap<String, Option<i128>>>,
    say: &mut impl FnMut(String),
) {
    let paid = order.facts.iter().filter_map(|fact| match &fact.body {
        FactBody::Charge(charge) if charge.status == ChargeStatus::Paid => {
            Some((fact.key.clone(), charge.amount))
        }
        _ => None,
    });
    let mut known: BTreeMap<String, i128> = paid.collect();
    for fact in order.facts.iter() {
        if let FactBody::Refund(refund) = &fact.body
            && refund.status != RefundStatus::Failed
            && let Some(left) = known.get_mut(&refund.charge)
        {
            *left -= refund.amount;
        }
    }
    let none = BTreeMap::new();
    let held = held.unwrap_or(&none);
    let is_free = order.terms.due == 0;
    let keys: BTreeSet<&String> = known.keys().collect();
    if keys != held.keys().collect() && !is_free {
        say(format!(
            "I8: it knows the charges {keys:?}, and its provider has {held:?}"
        ));
    }
    for (charge, amount) in held {
        let known = known.get(charge);
        if amount.is_some() && known != amount.as_ref() {
            say(format!("I8: {charge} counts {known:?} of {amount:?}"));
        }
    }
}

/// What the ledger and the payees were told of an order is what its facts add up to.
fn booked(
    order: &Order,
    ledger: &[(String, Vec<BookedEntry>)],
    payables: &[PayableSeen],
    say: &mut impl FnMut(String),
) -> anyhow::Result<()> {
    let id = order.id.to_string();
    let mut sums = Sums::new();
    for (transaction, entries) in ledger {
        let Some((of, version)) = transaction.split_once('#') else {
            continue;
        };
        if of != id {
            continue;
        }
        let version: u64 = version.parse().context("a version")?;
        if version > order.version {
            say(format!(
                "I8: a transaction of its version {version} is booked"
            ));
        }
        for entry in entries {
            add(&mut sums, entry);
        }
    }
    let wanted: Sums = order
        .booked
        .iter()
        .map(|(account, currency, amount)| ((account.to_string(), currency.to_owned()), amount))
        .collect();
    sums.retain(|_, sum| *sum != 0);
    if sums != wanted {
        say(format!(
            "I10: the ledger says {sums:?} instead of {wanted:?}"
        ));
    }
    let mut due = Sums::new();
    for row in payables
        .iter()
        .filter(|row| row.transaction.starts_with(&id))
    {
        let place = (row.payee.clone(), row.currency.clone());
        *due.entry(place).or_default() -= row.amount;
    }
    due.retain(|_, sum| *sum != 0);
    let shares: Sums = wanted
        .into_iter()
        .filter(|((account, _), _)| {
            account.starts_with("owner:") || account.starts_with("affiliate:")
        })
        .collect();
    if due != shares {
        say(format!("I10: payees are due {due:?} instead of {shares:?}"));
    }
    Ok(())
}

fn add(sums: &mut Sums, entry: &BookedEntry) {
    let place = (entry.account.clone(), entry.currency.clone());
    *sums.entry(place).or_default() += entry.amount;
}

/// All transactions of the ledger. One that does not balance is an error at once.
async fn transactions(world: &World) -> anyhow::Result<Vec<(String, Vec<BookedEntry>)>> {
    let mut all = Vec::new();
    for item in world.items("Ledger").await? {
        let Some(entries) = item["entries"].as_str() else {
            continue;
        };
        let transaction = item["transaction"].as_str().context("no transaction")?;
        let entries: Vec<BookedEntry> = serde_json::from_str(entries)?;
        let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
        for entry in &entries {
            *sums.entry(&entry.currency).or_default() += entry.amount;
        }
        anyhow::ensure!(
            sums.values().all(|sum| *sum == 0),
            "I10: {transaction} does not balance: {entries:?}"
        );
        all.push((transaction.to_owned(), entries));
    }
    Ok(all)
}

/// What a payee is due by one transaction.
struct PayableSeen {
    payee: String,
    currency: String,
    /// The payout that it is in, or `open`.
    place: String,
    transaction: String,
    amount: i128,
}

/// All rows of payees: one per transaction and payee.
async fn payables(world: &World, broken: &mut Vec<String>) -> anyhow::Result<Vec<PayableSeen>> {
    let mut rows = Vec::new();
    let mut known = BTreeSet::new();
    for item in world.items("Payables").await? {
        let (Some(whose), Some(row), Some(amount)) = (
            item["payee"].as_str(),
            item["row"].as_str(),
            item["amount"].as_str(),
        ) else {
            continue;
        };
        let (payee, currency) = whose.split_once('#').context("a payee")?;
        let mut parts = row.splitn(3, '#');
        let place = parts.next().context("a place")?.to_owned();
        let transaction = parts.nth(1).context("a transaction")?.to_owned();
        if !known.insert((whose.to_owned(), transaction.clone())) {
            broken.push(format!("I8: {payee} is due {transaction} twice"));
        }
        rows.push(PayableSeen {
            payee: payee.to_owned(),
            currency: currency.to_owned(),
            place,
            transaction,
            amount: amount.parse()?,
        });
    }
    Ok(rows)
}

/// A payout pays its rows and nothing else, and the ledger says where its money is.
async fn payouts(
    world: &World,
    ledger: &[(String, Vec<BookedEntry>)],
    payables: &[PayableSeen],
    broken: &mut Vec<String>,
) -> anyhow::Result<()> {
    let mut sums = Sums::new();
    for (_, entries) in ledger {
        entries.iter().for_each(|entry| add(&mut sums, entry));
    }
    let (mut known, mut paid) = (BTreeSet::from(["open".to_owned()]), Sums::new());
    for item in world.items("Payables").await? {
        let is_payout = item["payee"]
            .as_str()
            .is_some_and(|of| of.starts_with("payout#"));
        if !is_payout {
            continue;
        }
        let record = item["record"].as_str().context("no record")?;
        let payout: Payout = serde_json::from_str(record)?;
        let id = payout.id.to_string();
        let rows = payables.iter().filter(|row| row.place == id);
        let due: i128 = rows.map(|row| row.amount).sum();
        let is_right = match payout.state {
            PayoutState::Failed => due == 0,
            PayoutState::Approved | PayoutState::Paid => payout.total == Some(due),
            PayoutState::Claiming | PayoutState::Closed | PayoutState::Releasing => true,
        };
        if !is_right {
            broken.push(format!("I10: {payout:?} has rows of {due}"));
        }
        let account = (format!("payout:{id}"), payout.currency.clone());
        let on_its_way = sums.get(&account).copied().unwrap_or_default();
        let is_summed = payout.total.is_some();
        let wanted = match payout.state {
            PayoutState::Closed | PayoutState::Approved if is_summed => -due,
            _ => 0,
        };
        if on_its_way != wanted && payout.state != PayoutState::Releasing {
            broken.push(format!("I10: of {payout:?} {on_its_way} is on its way"));
        }
        if payout.state == PayoutState::Paid {
            let bank = ("bank".to_owned(), payout.currency.clone());
            *paid.entry(bank).or_default() -= due;
        }
        known.insert(id);
    }
    for row in payables.iter().filter(|row| !known.contains(&row.place)) {
        broken.push(format!("I10: {} is in no payout", row.transaction));
    }
    let bank = |sums: &Sums| -> Sums {
        let banks = sums.iter().filter(|((account, _), _)| account == "bank");
        banks.map(|(place, sum)| (place.clone(), *sum)).collect()
    };
    if bank(&sums) != paid {
        broken.push(format!("I10: {:?} went out of {paid:?}", bank(&sums)));
    }
    Ok(())
}

/// What providers hold, as they see it.
async fn held(world: &World) -> anyhow::Result<Held> {
    let providers = world.providers()?;
    let mut held = Held::new();
    let refunds = providers.listed("/v1/refunds").await?;
    for intent in providers.listed("/v1/payment_intents").await? {
        let order = intent["metadata"]["order_id"].as_str();
        let (Some(order), Some(id)) = (order, intent["id"].as_str()) else {
            continue;
        };
        if intent["status"] != "succeeded" {
            continue;
        }
        let of_intent = refunds.iter().filter(|of| of["payment_intent"] == id);
        let back = of_intent
            .filter(|of| !["failed", "canceled"].contains(&of["status"].as_str().unwrap_or("")))
            .filter_map(|of| of["amount"].as_i64());
        let amount = intent["amount_received"].as_i64().unwrap_or_default() - back.sum::<i64>();
        let charges = held.entry(order.to_owned()).or_default();
        charges.insert(id.to_owned(), Some(i128::from(amount)));
    }
    for order in world.orders().await? {
        let id = order.id.to_string();
        let invoices = providers.nowpayments.invoices_of(&id);
        for payin in providers.nowpayments.payins() {
            let is_its = payin
                .invoice
                .is_some_and(|invoice| invoices.contains(&invoice));
            let is_paid = matches!(
                payin.status,
                PayinStatus::Finished | PayinStatus::PartiallyPaid
            );
            if is_its && is_paid {
                let charges = held.entry(id.clone()).or_default();
                charges.insert(payin.id.to_string(), None);
            }
        }
    }
    for bot in &world.bots {
        for transaction in world.telegram.star_transactions(*bot) {
            let source = &transaction["source"];
            let payload = source["invoice_payload"].as_str();
            if let (Some(order), Some(id)) = (payload, transaction["id"].as_str()) {
                let charges = held.entry(order.to_owned()).or_default();
                charges.insert(
                    id.to_owned(),
                    transaction["amount"].as_i64().map(i128::from),
                );
            }
            let back = &transaction["receiver"]["invoice_payload"];
            if let (Some(order), Some(id)) = (back.as_str(), transaction["id"].as_str()) {
                let charges = held.entry(order.to_owned()).or_default();
                charges.insert(id.to_owned(), Some(0));
            }
        }
    }
    Ok(held)
}
