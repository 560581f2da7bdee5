//! The order as it is kept: what was agreed, what is known of it, and what still has to be done because of that.
//!
//! ```text
//! facts --learn--> merged, folded, compared with what was booked and issued --> effects, in `pending`
//!                  one write under the version that was read                    done by whoever wrote, or by the next look
//! ```
//!
//! An effect stands in the record before it is done, and is taken out once it was. Each may be done again: its receiver
//! knows it by its id. What is asked for once in the life of an order stays in `issued`, longer than any receiver remembers.

mod by_hand;
mod decide;
mod due;
mod effect;
mod notice;
mod owned;
mod sold;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::id::OrderId;
use super::super::money::AmountTable;
use super::super::time::Timestamp;
use super::fact::{ChargeStatus, FactBody, Facts, OrderFact, RefundStatus};
use super::fold::{OrderSeat, OrderStanding, OrderState, fold};
use super::ledger::{Balances, LedgerAccount, LedgerFault, difference};
use super::terms::OrderTerms;

pub use by_hand::{AskedRefund, CancelRefused, RefundRefused, RefundWish};
pub use decide::{Decision, DecisionRefused};
pub use effect::{BookedEntry, Effect, OrderMessage, OwnerNews, Payable};
pub use sold::{OrderBuyer, OrderEntitlement, OrderedSeat, Reservation, SoldTier};

/// How many facts an order has at most; more are a fault of somebody's.
pub const FACTS_MAX: usize = 1_000;
/// How long an order is kept to which no money came.
pub const UNPAID_KEPT: Duration = Duration::from_secs(90 * 24 * 3600);

/// Whether money is real.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PaymentsMode {
    /// It is.
    Live,
    /// It is play money of the provider's.
    Test,
}

/// Where the checkout at the provider stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "state",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Checkout {
    /// The provider is being asked; nobody was told of a page to pay on.
    Creating {
        /// The request, byte for byte, so that it can be made again under the same key.
        request: String,
        /// How often a request of another key was needed.
        attempt: u32,
        /// What the coupon of the first payment takes off, in minor units, if the first is less than later ones.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        off: Option<i64>,
    },
    /// The provider has a page to pay on.
    Open {
        /// The session or invoice at the provider.
        object: String,
        /// The page.
        pay_url: String,
    },
    /// Nothing is to be paid at a provider.
    Free,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Its id, random.
    pub id: OrderId,
    /// How often something was learnt of it.
    pub version: u64,
    /// How often it was written; a write asks for the one that it read.
    pub revision: u64,
    /// Whether its money is real.
    pub mode: PaymentsMode,
    /// What was sold.
    pub sold: SoldTier,
    /// To whom.
    pub buyer: OrderBuyer,
    /// What was agreed.
    pub terms: OrderTerms,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it can be paid.
    pub pay_until: Timestamp,
    /// The checkout.
    pub checkout: Checkout,
    /// What is known of it.
    pub facts: Facts,
    /// Where it stands, by the fold: for reading only.
    pub state: OrderState,
    /// What it does for a seat, by the fold: for reading only.
    pub seat: OrderSeat,
    /// What a person has to decide, by the fold: for reading only.
    pub cases: BTreeSet<String>,
    /// The seat of each of its chats, by the fold; absent before it was paid.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub entitlement: Option<OrderEntitlement>,
    /// Whether it holds one of each of its reservations.
    #[serde(default)]
    pub is_holding: bool,
    /// What the ledger has been told.
    pub booked: Balances,
    /// The ids of what is asked for once.
    pub issued: BTreeSet<String>,
    /// What still has to be done.
    pub pending: Vec<Effect>,
    /// How often what is pending was tried in vain.
    #[serde(default)]
    pub tries: u32,
    /// How often it was looked up at its provider.
    #[serde(default)]
    pub looks: u32,
    /// When somebody has to look at it; absent: never again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub due_at: Option<Timestamp>,
    /// Since when there is a case.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub case_since: Option<Timestamp>,
    /// The refunds that operators asked for, by their ids of them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub refunds: BTreeMap<String, AskedRefund>,
    /// The operator who cancelled it, or `buyer` if its buyer ended its renewal.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cancelled_by: Option<String>,
    /// The payment in Stars that was consented to last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub consent: Option<Consent>,
}

/// A payment in Stars that was taken; whether it was made is told by a fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// The id of Telegram's query.
    pub query: String,
    /// When.
    pub at: Timestamp,
}

/// Why an order can't take in what was reported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LearnFault {
    /// It would have more than [`FACTS_MAX`] facts.
    #[error("an order has more than 1000 facts")]
    TooManyFacts,
    /// A sum, share or time does not fit, or the books don't balance.
    #[error(transparent)]
    Books(#[from] LedgerFault),
}

impl From<super::super::exact::Overflow> for LearnFault {
    fn from(overflow: super::super::exact::Overflow) -> Self {
        Self::Books(overflow.into())
    }
}

/// What is agreed at checkout.
#[derive(Clone, Debug)]
pub struct NewOrder {
    /// Its id, random.
    pub id: OrderId,
    /// Whether its money is real.
    pub mode: PaymentsMode,
    /// What is sold.
    pub sold: SoldTier,
    /// To whom.
    pub buyer: OrderBuyer,
    /// What is agreed.
    pub terms: OrderTerms,
    /// Until when it can be paid.
    pub pay_until: Timestamp,
    /// The checkout.
    pub checkout: Checkout,
}

/// For how long payees wait for what they are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayoutHold(pub Duration);

/// For how long Telegram itself holds Stars back.
const STARS_HOLD: Duration = Duration::from_secs(21 * 24 * 3600);

impl PayoutHold {
    /// When what a provider took `at` this instant may be paid out: what was paid in Stars not before Telegram lets them go.
    #[must_use]
    pub fn end(self, provider: &str, at: Timestamp) -> Timestamp {
        let is_stars = AmountTable::of_provider(provider) == AmountTable::Stars;
        at.plus(match is_stars {
            true => self.0.max(STARS_HOLD),
            false => self.0,
        })
    }
}

impl Order {
    /// The order as it is first written: nothing came yet.
    #[must_use]
    pub fn new(new: NewOrder, now: Timestamp) -> Self {
        let mut order = Self {
            id: new.id,
            version: 1,
            revision: 1,
            mode: new.mode,
            sold: new.sold,
            buyer: new.buyer,
            terms: new.terms,
            created_at: now,
            pay_until: new.pay_until,
            checkout: new.checkout,
            facts: Facts::default(),
            state: OrderState::Open,
            seat: OrderSeat::None,
            cases: BTreeSet::new(),
            entitlement: None,
            is_holding: true,
            booked: Balances::default(),
            issued: BTreeSet::new(),
            pending: vec![Effect::Page],
            tries: 0,
            looks: 0,
            due_at: None,
            case_since: None,
            refunds: BTreeMap::new(),
            cancelled_by: None,
            consent: None,
        };
        order.due_at = order.next_due(now);
        order
    }

    /// Whether money ever came: such an order is kept for good.
    #[must_use]
    pub fn has_money(&self) -> bool {
        let mut facts = self.facts.iter();
        facts.any(|fact| matches!(fact.body, FactBody::Charge(_)))
    }

    /// What is missing of what is due, in minor units; nothing if it is all there.
    #[must_use]
    pub fn missing(&self) -> Option<i128> {
        let mut left = self.terms.due;
        for fact in self.facts.iter() {
            let out = match &fact.body {
                FactBody::Charge(charge)
                    if charge.status == ChargeStatus::Paid && charge.flag.is_none() =>
                {
                    charge.amount.checked_neg()?
                }
                FactBody::Refund(refund) if refund.status != RefundStatus::Failed => refund.amount,
                _ => 0,
            };
            left = left.checked_add(out)?;
        }
        (left > 0).then_some(left)
    }

    /// An amount of its currency, for people, as `30.00 USD`.
    #[must_use]
    pub fn amount_in_words(&self, amount: i128) -> String {
        let table = AmountTable::of_provider(&self.terms.provider);
        table.in_words(&self.terms.currency, amount)
    }

    /// Whether it can still be paid, as far as is known.
    #[must_use]
    pub const fn is_payable(&self) -> bool {
        matches!(
            self.state,
            OrderState::Open | OrderState::Pending | OrderState::Underpaid
        )
    }

    /// The order once `facts` are known too; nothing if they say nothing new. Its version is the next one.
    ///
    /// # Errors
    /// [`LearnFault`]; then nothing is to be written.
    pub fn learn(
        &self,
        facts: impl IntoIterator<Item = OrderFact>,
        now: Timestamp,
        hold: PayoutHold,
    ) -> Result<Option<Self>, LearnFault> {
        let mut known = self.facts.clone();
        known.extend(facts);
        if known == self.facts {
            return Ok(None);
        }
        if known.iter().count() > FACTS_MAX {
            return Err(LearnFault::TooManyFacts);
        }
        let standing = fold(&self.terms, &known)?;
        let mut next = Self {
            version: self.version.saturating_add(1),
            facts: known,
            ..self.clone()
        };
        next.book(&standing, now, hold)?;
        next.entitle(&standing, now);
        next.ask(&standing, self, now);
        next.case_since = match (standing.cases.is_empty(), self.case_since) {
            (true, _) => None,
            (false, since) => since.or(Some(now)),
        };
        next.state = standing.state;
        next.seat = standing.seat;
        next.cases = standing.cases;
        let is_over = next.is_unsold() || next.seat == OrderSeat::Ended;
        if is_over && next.is_holding && !next.sold.reservations.is_empty() {
            next.is_holding = false;
            next.pend(Effect::Release);
        }
        next.pend(Effect::Page);
        next.tries = 0;
        next.due_at = next.next_due(now);
        Ok(Some(next))
    }

    /// Whether it pays for a seat and holds none of what is limited: it was released, and the money came late.
    #[must_use]
    pub fn lacks_reservations(&self, now: Timestamp) -> bool {
        let gives = |entitlement: OrderEntitlement| {
            let is_over = entitlement.ends_at().is_some_and(|end| end <= now);
            entitlement.cut_at.is_none() && (self.terms.recurring || !is_over)
        };
        !self.is_holding
            && !self.sold.reservations.is_empty()
            && self.entitlement.is_some_and(gives)
    }

    /// The order once it holds its reservations again.
    #[must_use]
    pub fn holding(self) -> Self {
        let mut next = Self {
            is_holding: true,
            ..self
        };
        next.pending.retain(|effect| *effect != Effect::Release);
        // Who gives it back at this moment does not know yet: it is taken once more, after this is written.
        next.pend(Effect::Reserve);
        next
    }

    /// The fact that it can't be sold, since there is none left.
    #[must_use]
    pub fn sold_out() -> OrderFact {
        OrderFact::new("sold_out", FactBody::Refused)
    }

    /// The order once `done` of what was pending is done, by a look at `now`.
    #[must_use]
    pub fn done(&self, done: &[Effect], now: Timestamp) -> Self {
        let mut next = self.clone();
        next.pending.retain(|effect| !done.contains(effect));
        // No way in was made of what had ended: should it be given back, it is asked for again.
        if self.entitlement.is_none_or(|of| of.cut_at.is_some()) {
            for effect in done {
                if matches!(effect, Effect::Invite { .. }) {
                    next.issued.remove(&effect.id(self.id));
                }
            }
        }
        next.tries = match next.pending.is_empty() {
            true => 0,
            false => self.tries.saturating_add(1),
        };
        next.due_at = next.next_due(now);
        next
    }

    /// The order when somebody wants it looked up at its provider now.
    #[must_use]
    pub fn to_be_looked_at(&self, now: Timestamp) -> Self {
        Self {
            due_at: Some(now),
            ..self.clone()
        }
    }

    /// The order without its buyer, who is a pseudonym from now on; what is known of its money stays.
    #[must_use]
    pub fn without_buyer(&self, pseudonym: &str) -> Self {
        let mut next = self.clone();
        next.buyer = OrderBuyer {
            user_id: Some(pseudonym.to_owned()),
            telegram_user_id: None,
        };
        // It may hold an address of e-mail. Nobody is to pay on a page that is not there yet.
        if let Checkout::Creating { request, .. } = &mut next.checkout {
            request.clear();
        }
        next
    }

    /// The order once its provider has a page to pay on.
    #[must_use]
    pub fn opened(&self, object: String, pay_url: String, now: Timestamp) -> Self {
        let mut next = Self {
            checkout: Checkout::Open { object, pay_url },
            ..self.clone()
        };
        next.pend(Effect::Page);
        next.due_at = next.next_due(now);
        next
    }

    /// The order after an effect was not wanted any more: should it be wanted again, it is asked for again.
    #[must_use]
    pub fn not_wanted(&self, effect: &Effect) -> Self {
        let mut next = self.clone();
        next.pending.retain(|pending| pending != effect);
        next.issued.remove(&effect.id(self.id));
        next
    }

    /// The page on which it is paid, if its provider has made one.
    #[must_use]
    pub const fn pay_url(&self) -> Option<&String> {
        match &self.checkout {
            Checkout::Open { pay_url, .. } => Some(pay_url),
            Checkout::Creating { .. } | Checkout::Free => None,
        }
    }

    /// The order once its provider failed by itself: the next request is made under another key, since the failure is kept
    /// under this one.
    #[must_use]
    pub fn attempted(&self) -> Self {
        let mut next = self.clone();
        if let Checkout::Creating { attempt, .. } = &mut next.checkout {
            *attempt = attempt.saturating_add(1);
        }
        next
    }

    fn book(
        &mut self,
        standing: &OrderStanding,
        now: Timestamp,
        hold: PayoutHold,
    ) -> Result<(), LearnFault> {
        let entries = difference(&self.booked, &standing.ledger)?;
        if entries.is_empty() {
            return Ok(());
        }
        let due = |entry: &super::ledger::LedgerEntry| match &entry.account {
            LedgerAccount::Owner(_) | LedgerAccount::Affiliate(_) => Some(Payable {
                payee: entry.account.to_string(),
                currency: entry.currency.clone(),
                // What stands on a payee's account is owed to them: a credit, which is negative.
                amount: entry.amount.checked_neg()?,
                available_at: hold.end(&self.terms.provider, now),
            }),
            _ => None,
        };
        let payables = entries.iter().filter_map(due).collect();
        self.booked = standing.ledger.clone();
        self.pend(Effect::Transaction {
            version: self.version,
            at: now,
            entries: entries.into_iter().map(BookedEntry::from).collect(),
            payables,
        });
        Ok(())
    }

    fn entitle(&mut self, standing: &OrderStanding, now: Timestamp) {
        let seconds = |at: i64| Timestamp::from_seconds(at);
        let mut uncut = standing.grants.iter().filter(|grant| grant.cut.is_none());
        let (first, last) = (standing.grants.first(), uncut.next_back());
        let cuts = standing.grants.iter().filter_map(|grant| grant.cut);
        let replaced_at = cuts.max().map(seconds);
        let before = self.entitlement;
        let wanted = match (first, last) {
            // Nothing is left of what was granted: it ends now, once.
            _ if matches!(standing.seat, OrderSeat::Ended | OrderSeat::None) => {
                before.map(|before| OrderEntitlement {
                    cut_at: before.cut_at.or(replaced_at).or(Some(now)),
                    ..before
                })
            }
            (Some(first), Some(last)) => Some(OrderEntitlement {
                start: seconds(first.at),
                end: match self.terms.recurring {
                    true => standing.until.map(seconds),
                    false => last.end.map(seconds),
                },
                seconds: match self.terms.recurring {
                    true => None,
                    false => last.seconds.and_then(|seconds| u64::try_from(seconds).ok()),
                },
                cut_at: None,
                suspended_at: None,
                level: self.sold.level,
                version: self.version,
            }),
            _ => before.map(|before| OrderEntitlement {
                cut_at: replaced_at,
                ..before
            }),
        };
        let suspended_at = (standing.seat == OrderSeat::Suspended).then(|| {
            let since = before.and_then(|before| before.suspended_at);
            since.unwrap_or(now)
        });
        let wanted = wanted.map(|wanted| OrderEntitlement {
            suspended_at,
            version: self.version,
            ..wanted
        });
        let is_same = match (wanted, before) {
            (Some(wanted), Some(before)) => wanted.is_same_but_version(before),
            (wanted, before) => wanted == before,
        };
        if !is_same {
            self.entitlement = wanted;
            self.pend(Effect::Seat);
        }
    }

    /// Asks for what is asked for once.
    fn ask(&mut self, standing: &OrderStanding, before: &Self, now: Timestamp) {
        if matches!(standing.seat, OrderSeat::Active) {
            for chat in self.sold.chats.clone() {
                self.issue(Effect::Invite { chat });
            }
            if self.is_lasting() && self.buyer.key().is_some() {
                self.issue(Effect::Compare);
            }
        }
        let message = match standing.state {
            OrderState::Paid if before.state != OrderState::PartlyRefunded => {
                Some(OrderMessage::Paid)
            }
            OrderState::Underpaid => Some(OrderMessage::Underpaid),
            OrderState::Refunded => Some(OrderMessage::Refunded),
            _ => None,
        };
        if let Some(message) = message {
            self.issue(Effect::Message { message });
        }
        let sale = (message == Some(OrderMessage::Paid)).then_some(OwnerNews::Sale);
        let cases = standing.cases.iter().cloned().map(OwnerNews::Case);
        for news in sale.into_iter().chain(cases) {
            self.issue(Effect::TellOwners { news, at: now });
        }
        for call in &standing.refunds {
            self.issue(Effect::Refund {
                charge: call.charge.clone(),
                amount: call.amount,
            });
        }
        if standing.cancel_subscription {
            self.issue(Effect::Cancel);
        }
    }

    fn issue(&mut self, effect: Effect) {
        if self.issued.insert(effect.id(self.id)) {
            self.pend(effect);
        }
    }

    /// What follows each change stands there once: the next doing of it shows the newest state.
    fn pend(&mut self, effect: Effect) {
        if !self.pending.contains(&effect) {
            self.pending.push(effect);
        }
    }
}
