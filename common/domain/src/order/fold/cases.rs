//! What no rule decides. A case is open while the facts make it and no decision has its id.
//!
//! An id is made of the reason, the object and the amount, as far as they can differ: a decision never covers more than
//! was seen.

use std::collections::BTreeSet;

use super::super::super::exact::{Overflow, negate, sum};
use super::super::fact::{DisputeStatus, FactBody, Facts, RefundStatus};
use super::super::terms::OrderTerms;
use super::OrderState;
use super::tally::{PaidCharge, Tally};

/// The ids of the open cases.
pub(super) fn cases(
    terms: &OrderTerms,
    facts: &Facts,
    tally: &Tally<'_>,
    state: OrderState,
) -> Result<BTreeSet<String>, Overflow> {
    let mut cases = BTreeSet::new();
    of_the_order(facts, tally, &mut cases);
    let taken = tally.counted().map(|one| one.net.min(0));
    let taken = negate(sum(taken, "net")?, "net")?;
    if taken > 0 {
        cases.insert(format!("over_refunded#{taken}"));
    }
    for one in &tally.paid {
        cases.extend(of_a_charge(terms, one)?);
    }
    if state == OrderState::PartlyRefunded && !terms.recurring {
        cases.insert(format!("partial_refund#{}", tally.earned));
    }
    cases.extend(facts.iter().filter_map(|fact| {
        let paid = |charge: &str| tally.paid(charge);
        match &fact.body {
            FactBody::Refund(refund) if refund.status == RefundStatus::Failed => {
                paid(&refund.charge).map(|_| format!("refund_failed#{}", fact.key))
            }
            FactBody::Dispute(dispute) => match dispute.status {
                DisputeStatus::Inquiry => {
                    paid(&dispute.charge).map(|_| format!("inquiry#{}", fact.key))
                }
                DisputeStatus::Open => {
                    paid(&dispute.charge).map(|_| format!("dispute#{}", fact.key))
                }
                DisputeStatus::Closed | DisputeStatus::Lost | DisputeStatus::Won => None,
            },
            // Once the money is back there is nothing to complain about.
            FactBody::Warning { charge } => paid(charge)
                .filter(|one| one.net > 0)
                .map(|_| format!("fraud_warning#{}", fact.key)),
            FactBody::Note => Some(fact.key.clone()),
            _ => None,
        }
    }));
    cases.retain(|case| facts.decision(case).is_none());
    Ok(cases)
}

/// Money that lies with us, and nothing says what for.
fn of_the_order(facts: &Facts, tally: &Tally<'_>, cases: &mut BTreeSet<String>) {
    let is_closed = facts.iter().any(|fact| fact.body.is_closed());
    if tally.is_refused {
        if tally.rest > 0 {
            cases.insert(format!("refund_by_hand#{}", tally.rest));
        }
    } else if tally.is_covered {
        if tally.rest > tally.rounding {
            cases.insert(format!("overpaid#{}", tally.rest));
        }
    } else if is_closed && tally.net > 0 {
        cases.insert(format!("underpaid#{}", tally.net));
    }
}

fn of_a_charge(terms: &OrderTerms, one: &PaidCharge<'_>) -> Result<Vec<String>, Overflow> {
    let mut cases = Vec::new();
    if one.is_held {
        let came = one.came();
        let returned = one.returned()?;
        let same = returned
            .iter()
            .filter(|back| back.currency == came.currency);
        let back = sum(same.map(|back| back.amount), "refunds")?;
        let is_returned = !returned.is_empty() && back >= came.amount;
        if let Some(flag) = one.charge.flag.filter(|_| !is_returned) {
            cases.push(format!("{}#{}", flag.as_str(), one.key));
        }
    } else if terms.recurring {
        let is_expected = one.value == terms.due || terms.price == Some(one.value);
        if one.charge.flag.is_none() && !is_expected {
            cases.push(format!("amount_differs#{}", one.key));
        }
        if one.refunded > 0 && one.net > 0 {
            cases.push(format!("partial_refund#{}#{}", one.key, one.net));
        }
    }
    Ok(cases)
}
