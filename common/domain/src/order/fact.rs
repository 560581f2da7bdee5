//! Facts: what a provider, a person or we ourselves reported of an order.
//!
//! A fact has an identity, its kind and key. Two of one identity are joined into one: commutative, associative, and a repeat
//! changes nothing. So the facts of an order are the same in whatever order they came, and no clock decides which report is
//! newer. What can go back and forth at the provider, a dispute and a subscription, carries `seq`, the number of the
//! reading of it; the highest wins.

mod read;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// An amount of a currency or coin, in its minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// The currency or coin, as the provider writes it.
    pub currency: String,
    /// The amount.
    pub amount: i128,
}

/// Where a charge stands, the word that outlasts the others last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChargeStatus {
    /// Money is on its way.
    Pending,
    /// It will not come.
    Void,
    /// It came.
    Paid,
}

/// Why a charge does not count by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChargeFlag {
    /// In another currency than the order's.
    WrongCurrency,
    /// Of another price than the order's.
    AmountDiffers,
    /// In another coin than was asked for.
    WrongAsset,
    /// A deposit to a used address, long after the order.
    LateDeposit,
}

/// One money that a buyer gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeFact {
    /// Where it stands.
    pub status: ChargeStatus,
    /// How much, in minor units of `currency`.
    pub amount: i128,
    /// The order's currency, but for a flagged charge.
    pub currency: String,
    /// When it was made, in seconds since the Unix epoch: by the provider's own record, else when it was first stored.
    pub at: i64,
    /// Up to when it pays, if the provider says so, in seconds since the Unix epoch.
    pub end: Option<i64>,
    /// How much of the amount is tax, if the provider says so.
    pub tax: Option<i128>,
    /// Why it does not count by itself.
    pub flag: Option<ChargeFlag>,
    /// What came of it, if that is another coin or currency.
    pub outcome: Option<Asset>,
}

/// Where a refund stands, the word that outlasts the others last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RefundStatus {
    /// Asked for.
    Pending,
    /// It reached the buyer.
    Done,
    /// It failed or was cancelled, maybe after it looked done: the money is ours again.
    Failed,
}

/// Money on its way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundFact {
    /// The charge's key.
    pub charge: String,
    /// Where it stands.
    pub status: RefundStatus,
    /// How much, in minor units of the order's currency.
    pub amount: i128,
    /// What went back, if that is another coin or currency.
    pub outcome: Option<Asset>,
}

/// Where a dispute stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DisputeStatus {
    /// The bank asks; no money moved.
    Inquiry,
    /// The bank asked, and no dispute came of it.
    Closed,
    /// The money is withdrawn until it is decided.
    Open,
    /// The money is gone.
    Lost,
    /// The money came back.
    Won,
}

impl DisputeStatus {
    /// Whether it keeps the money from us.
    pub(super) const fn withholds(self) -> bool {
        matches!(self, Self::Open | Self::Lost)
    }

    /// Whether the holder of the card complained, however it ended.
    pub(super) const fn was_open(self) -> bool {
        matches!(self, Self::Open | Self::Lost | Self::Won)
    }
}

/// A dispute as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisputeFact {
    /// The charge's key.
    pub charge: String,
    /// Where it stands.
    pub status: DisputeStatus,
    /// How much of the charge, in minor units of the order's currency.
    pub amount: i128,
    /// Which reading it is of.
    pub seq: u64,
}

/// Whether a subscription renews: a hint for messages, which moves neither money nor seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RenewalStatus {
    /// It renews.
    Active,
    /// A renewal failed, and is tried again.
    Failing,
    /// It ends with its period.
    Ending,
    /// It ended.
    Ended,
}

/// What a person may decide of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DecisionAction {
    /// What came is enough, or is worth a value.
    Accept,
    /// The seat stays.
    Keep,
    /// The seat ends.
    End,
}

/// Why nobody pays an order any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Closing {
    /// Its time is over.
    Expired,
    /// Somebody cancelled it.
    Cancelled,
}

/// What a fact says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FactBody {
    /// `charge`
    Charge(ChargeFact),
    /// `refund`
    Refund(RefundFact),
    /// `dispute`
    Dispute(DisputeFact),
    /// `subscription`
    Subscription {
        /// Where it stands.
        status: RenewalStatus,
        /// Which reading it is of.
        seq: u64,
    },
    /// `warning`: the bank takes a charge for fraud.
    Warning {
        /// The charge's key.
        charge: String,
    },
    /// `fee`: what the provider kept.
    Fee {
        /// The charge's key.
        charge: String,
        /// How much; negative if it was given back.
        fee: Asset,
    },
    /// `note`: a case that no other fact makes; the key is its id.
    Note,
    /// `closed`: nobody pays it any more; the key says why.
    Closed(Closing),
    /// `refused`: it can't be sold; the key says why.
    Refused,
    /// `replaced`: another order took its place; the key is that order.
    Replaced {
        /// When, in seconds since the Unix epoch.
        at: i64,
    },
    /// `started`: a gift was claimed.
    Started {
        /// When, in seconds since the Unix epoch.
        at: i64,
    },
    /// `decision`: of a person; the key is the case's id.
    Decision {
        /// What they decided.
        action: DecisionAction,
        /// What a flagged charge is worth, in minor units of the order's currency.
        value: Option<i128>,
    },
}

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderFact {
    /// Its key among those of its kind.
    pub key: String,
    /// What it says.
    pub body: FactBody,
    /// Further fields, which the fold does not ask. They only decide between two reports that are otherwise alike.
    pub further: BTreeMap<String, Value>,
}

/// The kind of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FactKind {
    /// A charge.
    Charge,
    /// A refund.
    Refund,
    /// A dispute.
    Dispute,
    /// A subscription.
    Subscription,
    /// A warning of fraud.
    Warning,
    /// A fee.
    Fee,
    /// A case that was found elsewhere.
    Note,
    /// The end of checkout.
    Closed,
    /// A refusal to sell.
    Refused,
    /// The replacement by another order.
    Replaced,
    /// The claim of a gift.
    Started,
    /// A person's decision.
    Decision,
}

impl FactBody {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> FactKind {
        match self {
            Self::Charge(_) => FactKind::Charge,
            Self::Refund(_) => FactKind::Refund,
            Self::Dispute(_) => FactKind::Dispute,
            Self::Subscription { .. } => FactKind::Subscription,
            Self::Warning { .. } => FactKind::Warning,
            Self::Fee { .. } => FactKind::Fee,
            Self::Note => FactKind::Note,
            Self::Closed(_) => FactKind::Closed,
            Self::Refused => FactKind::Refused,
            Self::Replaced { .. } => FactKind::Replaced,
            Self::Started { .. } => FactKind::Started,
            Self::Decision { .. } => FactKind::Decision,
        }
    }

    /// Whether money is on its way.
    pub(super) const fn is_pending_charge(&self) -> bool {
        matches!(self, Self::Charge(charge) if matches!(charge.status, ChargeStatus::Pending))
    }

    /// Whether nobody pays any more.
    pub(super) const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }

    /// Whether somebody cancelled it.
    pub(super) const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Closed(Closing::Cancelled))
    }
}

/// What two facts of one order are compared by, to tell whether they are of the same thing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FactId {
    /// The kind.
    pub kind: FactKind,
    /// The key.
    pub key: String,
}

impl OrderFact {
    /// A fact without further fields.
    #[must_use]
    pub fn new(key: impl Into<String>, body: FactBody) -> Self {
        Self {
            key: key.into(),
            body,
            further: BTreeMap::new(),
        }
    }

    /// Its identity.
    #[must_use]
    pub fn id(&self) -> FactId {
        FactId {
            kind: self.body.kind(),
            key: self.key.clone(),
        }
    }

    /// Of two facts of one identity the one with the higher rank says what is; the times of a charge are those of all
    /// reports with its status.
    fn join(self, other: Self) -> Self {
        let times = |fact: &Self| match &fact.body {
            FactBody::Charge(charge) => Some((charge.status, charge.at, charge.end)),
            _ => None,
        };
        let both = times(&self).zip(times(&other));
        let mut joined = if other.rank() > self.rank() {
            other
        } else {
            self
        };
        if let (FactBody::Charge(charge), Some((one, other))) = (&mut joined.body, both)
            && one.0 == other.0
        {
            charge.at = one.1.min(other.1);
            charge.end = one.2.max(other.2);
        }
        joined
    }

    /// A total order among the facts of one identity, but for a charge's times.
    fn rank(&self) -> (i128, i128, String) {
        let (first, second) = match &self.body {
            FactBody::Charge(charge) => (charge.status as i128, charge.amount),
            FactBody::Refund(refund) => (refund.status as i128, refund.amount),
            FactBody::Dispute(dispute) => (i128::from(dispute.seq), 0),
            FactBody::Subscription { seq, .. } => (i128::from(*seq), 0),
            // The earliest is the highest: `!at` falls as `at` rises.
            FactBody::Replaced { at } | FactBody::Started { at } => (i128::from(!*at), 0),
            FactBody::Warning { .. }
            | FactBody::Fee { .. }
            | FactBody::Note
            | FactBody::Closed(_)
            | FactBody::Refused
            | FactBody::Decision { .. } => (0, 0),
        };
        (first, second, self.canonical_json())
    }
}

/// What is known of an order, joined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts(BTreeMap<FactId, OrderFact>);

impl Facts {
    /// Adds what a report says.
    pub fn add(&mut self, fact: OrderFact) {
        match self.0.entry(fact.id()) {
            Entry::Vacant(vacant) => {
                vacant.insert(fact);
            }
            Entry::Occupied(mut known) => {
                let joined = known.get().clone().join(fact);
                known.insert(joined);
            }
        }
    }

    /// Adds what others know.
    pub fn merge(&mut self, other: Self) {
        self.extend(other.0.into_values());
    }

    /// All of them, by kind and key.
    pub fn iter(&self) -> impl Iterator<Item = &OrderFact> {
        self.0.values()
    }

    /// The decision of a case, by its id.
    pub(super) fn decision(&self, case: &str) -> Option<(DecisionAction, Option<i128>)> {
        let id = FactId {
            kind: FactKind::Decision,
            key: case.to_owned(),
        };
        match self.0.get(&id)?.body {
            FactBody::Decision { action, value } => Some((action, value)),
            _ => None,
        }
    }
}

impl Serialize for Facts {
    /// A list of the facts, by kind and key.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Facts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<OrderFact>::deserialize(deserializer).map(Self::from_iter)
    }
}

impl Extend<OrderFact> for Facts {
    fn extend<T: IntoIterator<Item = OrderFact>>(&mut self, facts: T) {
        facts.into_iter().for_each(|fact| self.add(fact));
    }
}

impl FromIterator<OrderFact> for Facts {
    fn from_iter<T: IntoIterator<Item = OrderFact>>(facts: T) -> Self {
        let mut all = Self::default();
        all.extend(facts);
        all
    }
}

#[cfg(test)]
mod tests;
