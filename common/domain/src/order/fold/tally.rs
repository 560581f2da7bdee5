//! What came, what went out of it, and how much of that is earned.

use std::cmp::Reverse;

use super::super::super::exact::{ALL_BPS, Overflow, add, share_down, subtract, sum};
use super::super::fact::{
    Asset, ChargeFact, ChargeStatus, DecisionAction, DisputeFact, DisputeStatus, FactBody, Facts,
    RefundFact, RefundStatus,
};
use super::super::terms::OrderTerms;
use super::RefundCall;

/// A charge that is paid, with what was reported of it.
pub(super) struct PaidCharge<'a> {
    pub(super) key: &'a str,
    pub(super) charge: &'a ChargeFact,
    /// Whether it is flagged and nobody said what it is worth: its money lies with us, and counts for nothing.
    pub(super) is_held: bool,
    /// What it counts for, in the order's currency.
    pub(super) value: i128,
    /// The refunds that did not fail.
    pub(super) refunds: Vec<&'a RefundFact>,
    /// The disputes that are open or lost.
    pub(super) disputes: Vec<&'a DisputeFact>,
    /// How much of the value the refunds take.
    pub(super) refunded: i128,
    /// What is left of the value. Less than nothing, if more went out than came.
    pub(super) net: i128,
}

impl<'a> PaidCharge<'a> {
    fn new(key: &'a str, charge: &'a ChargeFact, facts: &'a Facts) -> Result<Self, Overflow> {
        let value = value(key, charge, facts);
        let mut paid = Self {
            key,
            charge,
            is_held: value.is_none(),
            value: value.unwrap_or(0),
            refunds: Vec::new(),
            disputes: Vec::new(),
            refunded: 0,
            net: 0,
        };
        for fact in facts.iter() {
            match &fact.body {
                FactBody::Refund(refund)
                    if refund.charge == key && refund.status != RefundStatus::Failed =>
                {
                    paid.refunds.push(refund);
                }
                FactBody::Dispute(dispute)
                    if dispute.charge == key && dispute.status.withholds() =>
                {
                    paid.disputes.push(dispute);
                }
                _ => {}
            }
        }
        if !paid.is_held {
            paid.refunded = sum(paid.refunds.iter().map(|one| one.amount), "refunds")?;
            let disputed = sum(paid.disputes.iter().map(|one| one.amount), "disputes")?;
            let out = add(paid.refunded, disputed, "out")?;
            paid.net = subtract(paid.value, out, "net")?;
        }
        Ok(paid)
    }

    /// Whether it was given back in full. A trial, which costs nothing, never is.
    pub(super) const fn is_refunded(&self) -> bool {
        self.value > 0 && self.refunded >= self.value
    }

    /// What came: the amount, or what a provider made of it.
    pub(super) fn came(&self) -> Asset {
        let as_charged = || Asset {
            currency: self.charge.currency.clone(),
            amount: self.charge.amount,
        };
        self.charge.outcome.clone().unwrap_or_else(as_charged)
    }

    /// Of a held charge, what each refund returned. One that names no coin and is of the whole charge returned all that
    /// was left of what came.
    pub(super) fn returned(&self) -> Result<Vec<Asset>, Overflow> {
        let mut left = self.came();
        let mut returned = Vec::new();
        for refund in &self.refunds {
            let is_whole = self.charge.outcome.is_some() && refund.amount >= self.charge.amount;
            let back = match &refund.outcome {
                Some(outcome) => outcome.clone(),
                None if is_whole => left.clone(),
                None => Asset {
                    currency: self.charge.currency.clone(),
                    amount: refund.amount,
                },
            };
            if back.currency == left.currency {
                left.amount = subtract(left.amount, back.amount, "refunds")?;
            }
            returned.push(back);
        }
        Ok(returned)
    }
}

/// What a charge counts for. A flagged one counts for what a person says.
fn value(key: &str, charge: &ChargeFact, facts: &Facts) -> Option<i128> {
    let Some(flag) = charge.flag else {
        return Some(charge.amount);
    };
    match facts.decision(&format!("{}#{key}", flag.as_str()))? {
        (DecisionAction::Accept, value) => value,
        (DecisionAction::Keep | DecisionAction::End, _) => None,
    }
}

/// The sums of an order, in minor units of its currency.
pub(super) struct Tally<'a> {
    /// The charges that are paid, the earliest first.
    pub(super) paid: Vec<PaidCharge<'a>>,
    /// What has to come at least: what was due, or what a person accepted instead, less the tolerance.
    pub(super) least: i128,
    pub(super) gross: i128,
    pub(super) net: i128,
    pub(super) is_refused: bool,
    /// Whether it was ever paid for and sold.
    pub(super) is_covered: bool,
    pub(super) sold: i128,
    pub(super) earned: i128,
    /// What is neither earned nor out.
    pub(super) excess: i128,
    /// Refunds to ask of the provider.
    pub(super) calls: Vec<RefundCall>,
    /// What of the excess no call returns.
    pub(super) rest: i128,
    /// What of the rest is too small to return.
    pub(super) rounding: i128,
    /// Whether a dispute was lost, and took what was sold with it.
    pub(super) is_lost: bool,
    /// Whether a dispute is open, and holds back what was sold.
    pub(super) is_disputed: bool,
    /// Whether there was a dispute, however it ended.
    pub(super) was_disputed: bool,
}

impl<'a> Tally<'a> {
    pub(super) fn of(terms: &OrderTerms, facts: &'a Facts) -> Result<Self, Overflow> {
        let mut paid = Vec::new();
        for fact in facts.iter() {
            if let FactBody::Charge(charge) = &fact.body
                && charge.status == ChargeStatus::Paid
            {
                paid.push(PaidCharge::new(&fact.key, charge, facts)?);
            }
        }
        paid.sort_by_key(|one| (one.charge.at, one.key));
        let due = due(terms, facts);
        let least = subtract(
            due,
            share_down(due, terms.underpaid_bps, ALL_BPS, "due")?,
            "due",
        )?;
        let gross = sum(paid.iter().map(|one| one.value), "gross")?;
        let net = sum(paid.iter().map(|one| one.net), "net")?;
        let has_counted = paid.iter().any(|one| !one.is_held);
        let is_refused = facts.iter().any(|fact| fact.body == FactBody::Refused);
        let is_covered = has_counted && !is_refused && (terms.recurring || gross >= least);
        let (sold, earned) = match (is_covered, terms.recurring) {
            (false, _) => (0, net.min(0)),
            (true, true) => (gross, net),
            (true, false) => (gross.min(due), net.min(due)),
        };
        let excess = subtract(net, earned, "excess")?;
        let calls = refund_calls(terms, facts, &paid, excess)?;
        let called = sum(calls.iter().map(|call| call.amount), "refunds")?;
        let rest = subtract(excess, called, "excess")?;
        let most = share_down(due, terms.overpaid_bps, ALL_BPS, "due")?;
        // Of an order that is paid twice a dispute takes only what was too much.
        let hurts = terms.recurring || net < least;
        let counted = || paid.iter().filter(|one| !one.is_held);
        let any = |status: DisputeStatus| {
            let mut disputes = counted().flat_map(|one| &one.disputes);
            hurts && disputes.any(|dispute| dispute.status == status)
        };
        let (is_lost, is_disputed) = (any(DisputeStatus::Lost), any(DisputeStatus::Open));
        let was_disputed = facts.iter().any(|fact| match &fact.body {
            FactBody::Dispute(dispute) => {
                dispute.status.was_open() && paid.iter().any(|one| one.key == dispute.charge)
            }
            _ => false,
        });
        Ok(Self {
            least,
            gross,
            net,
            is_refused,
            is_covered,
            sold,
            earned,
            excess,
            calls,
            rest,
            rounding: if is_covered && rest <= most { rest } else { 0 },
            is_lost,
            is_disputed,
            was_disputed,
            paid,
        })
    }

    /// The charges that count, the earliest first.
    pub(super) fn counted(&self) -> impl DoubleEndedIterator<Item = &PaidCharge<'a>> {
        self.paid.iter().filter(|one| !one.is_held)
    }

    /// The newest charge that counts.
    pub(super) fn newest(&self) -> Option<&PaidCharge<'a>> {
        self.counted().next_back()
    }

    /// The charge of that key, if it is paid.
    pub(super) fn paid(&self, key: &str) -> Option<&PaidCharge<'a>> {
        self.paid.iter().find(|one| one.key == key)
    }

    /// The charge that completed the price of what is paid once.
    pub(super) fn completing(&self) -> Result<Option<&PaidCharge<'a>>, Overflow> {
        let mut so_far = 0;
        for one in self.counted() {
            so_far = add(so_far, one.value, "gross")?;
            if so_far >= self.least {
                return Ok(Some(one));
            }
        }
        Ok(None)
    }
}

/// What was due, or the least that a person accepted instead.
fn due(terms: &OrderTerms, facts: &Facts) -> i128 {
    let accepted = facts.iter().filter_map(|fact| match fact.body {
        FactBody::Decision {
            action: DecisionAction::Accept,
            ..
        } => fact.key.strip_prefix("underpaid#")?.parse::<i128>().ok(),
        _ => None,
    });
    accepted
        .filter(|amount| !amount.is_negative())
        .chain([terms.due])
        .min()
        .unwrap_or(terms.due)
}

/// Whole charges that the provider gives back by call, the latest first, as far as they fit into the excess. None that is
/// disputed, and none any more once a refund failed.
fn refund_calls(
    terms: &OrderTerms,
    facts: &Facts,
    paid: &[PaidCharge<'_>],
    excess: i128,
) -> Result<Vec<RefundCall>, Overflow> {
    let has_failed = facts.iter().any(|fact| match &fact.body {
        FactBody::Refund(refund) => {
            refund.status == RefundStatus::Failed && paid.iter().any(|one| one.key == refund.charge)
        }
        _ => false,
    });
    let mut calls = Vec::new();
    if !terms.auto_refund || has_failed {
        return Ok(calls);
    }
    let mut left = excess;
    let mut latest: Vec<_> = paid.iter().filter(|one| !one.is_held).collect();
    latest.sort_by_key(|one| Reverse((one.charge.at, one.key)));
    for one in latest {
        if one.net > 0 && one.net <= left && one.disputes.is_empty() {
            left = subtract(left, one.net, "excess")?;
            calls.push(RefundCall {
                amount: one.net,
                charge: one.key.to_owned(),
            });
        }
    }
    Ok(calls)
}
