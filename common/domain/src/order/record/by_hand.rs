//! What an operator does with an order by hand: money goes back, a subscription renews no more, nobody pays it any more.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::super::time::Timestamp;
use super::super::fact::{FactBody, OrderFact, RefundFact, RefundStatus, RenewalStatus};
use super::super::fold::left_of_charges;
use super::{Effect, LearnFault, Order, PayoutHold};

/// A refund as an operator asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundWish {
    /// The key of the charge; absent: the one of which something is left.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub charge: Option<String>,
    /// How much, in minor units; absent: all that is left.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub amount: Option<i128>,
    /// By what the payment is found with which it was returned by hand; absent: the provider is to return it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reference: Option<String>,
}

/// A refund that an operator asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AskedRefund {
    /// As it was asked for: the same again is the same refund.
    pub wish: RefundWish,
    /// The charge's key.
    pub charge: String,
    /// How much, in minor units.
    pub amount: i128,
    /// The operator.
    pub by: String,
    /// When.
    pub asked_at: Timestamp,
}

/// Why a refund is not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefundRefused {
    /// Another one was asked for under its id.
    #[error("another refund has this id")]
    OtherWish,
    /// Something is left of several charges.
    #[error("it does not say of which charge")]
    WhichCharge,
    /// A dispute has the charge, or took it.
    #[error("the charge is disputed")]
    Disputed,
    /// The charge is not paid, or so much is not left of it.
    #[error("only {0} is left")]
    Left(i128),
    /// The provider returns nothing by call.
    #[error("the provider returns nothing by call")]
    ByHandAlone,
    /// The order can't take it in.
    #[error(transparent)]
    Learn(#[from] LearnFault),
}

/// There is nothing to cancel: it is paid once, or over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is nothing to cancel")]
pub struct CancelRefused;

impl Order {
    /// The order once an operator asked for a refund, which is then pending; or once it knows of one that was made by hand.
    /// Nothing if it was asked for already.
    ///
    /// # Errors
    /// [`RefundRefused`]; then nothing is to be written.
    pub fn refund(
        &self,
        id: &str,
        wish: RefundWish,
        by: &str,
        now: Timestamp,
        hold: PayoutHold,
    ) -> Result<Option<Self>, RefundRefused> {
        if let Some(asked) = self.refunds.get(id) {
            return match asked.wish == wish {
                true => Ok(None),
                false => Err(RefundRefused::OtherWish),
            };
        }
        if wish.reference.is_none() && !self.terms.auto_refund {
            return Err(RefundRefused::ByHandAlone);
        }
        let (charge, amount) = self.refundable(&wish)?;
        let mut next = match &wish.reference {
            None => self.clone(),
            Some(reference) => {
                let refund = RefundFact {
                    charge: charge.clone(),
                    status: RefundStatus::Done,
                    amount,
                    outcome: None,
                };
                let fact = OrderFact {
                    key: format!("hand#{id}"),
                    body: FactBody::Refund(refund),
                    further: BTreeMap::from([
                        ("reference".to_owned(), Value::from(reference.as_str())),
                        ("by".to_owned(), Value::from(by)),
                    ]),
                };
                let learnt = self.learn([fact], now, hold)?;
                learnt.unwrap_or_else(|| self.clone())
            }
        };
        if wish.reference.is_none() {
            next.pend(Effect::Return { id: id.to_owned() });
            next.tries = 0;
            next.due_at = next.next_due(now);
        }
        let asked = AskedRefund {
            wish,
            charge,
            amount,
            by: by.to_owned(),
            asked_at: now,
        };
        next.refunds.insert(id.to_owned(), asked);
        Ok(Some(next))
    }

    /// The charge that a refund is of, and how much of it goes back: never more than is left once all that is pending was made.
    fn refundable(&self, wish: &RefundWish) -> Result<(String, i128), RefundRefused> {
        let all = left_of_charges(&self.terms, &self.facts).map_err(LearnFault::from)?;
        let mut left: Vec<_> = all
            .into_iter()
            .filter(|one| wish.charge.as_ref().is_none_or(|key| *key == one.charge))
            .collect();
        for one in &mut left {
            one.amount = one.amount.saturating_sub(self.on_its_way(&one.charge));
        }
        if wish.charge.is_none() && left.len() > 1 {
            left.retain(|one| one.amount > 0);
        }
        let one = match &left[..] {
            [] => return Err(RefundRefused::Left(0)),
            [one] => one,
            _ => return Err(RefundRefused::WhichCharge),
        };
        if one.is_disputed {
            return Err(RefundRefused::Disputed);
        }
        let amount = wish.amount.unwrap_or(one.amount);
        // A coin that was not asked for counts nothing; it goes back all the same.
        let is_nothing = wish.reference.is_some() && one.is_whole && (amount, one.amount) == (0, 0);
        match is_nothing || (amount > 0 && amount <= one.amount) {
            true => Ok((one.charge.clone(), amount)),
            false => Err(RefundRefused::Left(one.amount.max(0))),
        }
    }

    /// What pending calls are to return of a charge.
    fn on_its_way(&self, charge: &str) -> i128 {
        let pending = self.pending.iter().map(|effect| match effect {
            Effect::Refund { charge: of, amount } if of == charge => *amount,
            Effect::Return { id } => match self.refunds.get(id) {
                Some(asked) if asked.charge == charge => asked.amount,
                _ => 0,
            },
            _ => 0,
        });
        pending.fold(0, i128::saturating_add)
    }

    /// Whether a refund that was asked for can still be made, by what is known at this moment.
    ///
    /// # Errors
    /// A sum does not fit.
    pub fn may_return(&self, asked: &AskedRefund) -> Result<bool, LearnFault> {
        let left = left_of_charges(&self.terms, &self.facts)?;
        let of = left.iter().find(|one| one.charge == asked.charge);
        Ok(of.is_some_and(|one| !one.is_disputed && asked.amount <= one.amount))
    }

    /// The fact that a refund was not made: a case, named by what it was of.
    #[must_use]
    pub fn refund_refused(of: &str) -> OrderFact {
        OrderFact::new(format!("refund_refused#{of}"), FactBody::Note)
    }

    /// The fact that a charge too many was not returned by itself, since so many were: a case.
    #[must_use]
    pub fn refund_capped(charge: &str) -> OrderFact {
        OrderFact::new(format!("refund_capped#{charge}"), FactBody::Note)
    }

    /// The order once an operator cancelled it: nobody is to pay it from now on, or its subscription is to renew no more. The
    /// same again asks for the same.
    ///
    /// # Errors
    /// [`CancelRefused`]; then nothing is to be written.
    pub fn cancel(&self, by: &str, now: Timestamp) -> Result<Self, CancelRefused> {
        let mut next = self.clone();
        next.cancelled_by = Some(by.to_owned());
        if self.is_payable() && !self.is_closed() {
            next.pay_until = self.pay_until.min(now);
            next.looks = 0;
            next.due_at = next.next_due(now);
            return Ok(next);
        }
        if self.terms.recurring && self.renews() {
            next.pend(Effect::EndRenewals);
            next.due_at = next.next_due(now);
            return Ok(next);
        }
        Err(CancelRefused)
    }

    /// Whether a subscription has begun and renews, as far as is known.
    #[must_use]
    pub fn renews(&self) -> bool {
        let told: Vec<RenewalStatus> = self
            .facts
            .iter()
            .filter_map(|fact| match fact.body {
                FactBody::Subscription { status, .. } => Some(status),
                _ => None,
            })
            .collect();
        let goes_on = |status| matches!(status, &RenewalStatus::Active | &RenewalStatus::Failing);
        match &told[..] {
            // An invoice may be told before its subscription.
            [] => self.has_money(),
            told => told.iter().any(goes_on),
        }
    }
}
