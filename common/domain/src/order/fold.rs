//! What follows from the facts of an order: its state, the seat, what to return, what a person has to decide, the books.
//!
//! 1. `tally` counts the paid charges, what went out of them, and how much is earned.
//! 2. `grants` says for which time that pays.
//! 3. `cases` names what no rule decides.
//! 4. `books` shares out the money.

mod books;
mod cases;
mod grants;
mod tally;

use std::collections::BTreeSet;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::super::exact::{Overflow, subtract, sum};
use super::fact::{FactBody, Facts, RenewalStatus};
use super::ledger::Balances;
use super::terms::OrderTerms;
use tally::Tally;

/// Where an order stands; the first that holds, the order of [`fold`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OrderState {
    /// A dispute took the money.
    Lost,
    /// A dispute holds the money.
    Disputed,
    /// Paid, and nothing of it went back.
    Paid,
    /// All of it went back.
    Refunded,
    /// A part of it went back.
    PartlyRefunded,
    /// Some money came, not enough.
    Underpaid,
    /// It can't be sold; the money goes back.
    Refused,
    /// Money is on its way.
    Pending,
    /// Somebody cancelled it.
    Cancelled,
    /// Its time is over.
    Expired,
    /// It waits for money.
    Open,
}

impl OrderState {
    /// All of them.
    const ALL: [Self; 11] = [
        Self::Lost,
        Self::Disputed,
        Self::Paid,
        Self::Refunded,
        Self::PartlyRefunded,
        Self::Underpaid,
        Self::Refused,
        Self::Pending,
        Self::Cancelled,
        Self::Expired,
        Self::Open,
    ];

    /// The word in tables and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "LOST",
            Self::Disputed => "DISPUTED",
            Self::Paid => "PAID",
            Self::Refunded => "REFUNDED",
            Self::PartlyRefunded => "PARTLY_REFUNDED",
            Self::Underpaid => "UNDERPAID",
            Self::Refused => "REFUSED",
            Self::Pending => "PENDING",
            Self::Cancelled => "CANCELLED",
            Self::Expired => "EXPIRED",
            Self::Open => "OPEN",
        }
    }
}

/// What an order does for a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OrderSeat {
    /// Its grants hold.
    Active,
    /// Its grants rest while a dispute is open.
    Suspended,
    /// It had grants, and they are over.
    Ended,
    /// It never had any.
    None,
}

impl OrderSeat {
    /// All of them.
    const ALL: [Self; 4] = [Self::Active, Self::Suspended, Self::Ended, Self::None];

    /// The word in tables and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Ended => "ended",
            Self::None => "none",
        }
    }
}

/// A time in the chats that an order pays for. Times are in seconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrderGrant {
    /// When it begins.
    pub at: i64,
    /// From when on it gives nothing: another order took its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<i64>,
    /// When it ends, if the provider said so; it decides then, not the length.
    pub end: Option<i64>,
    /// `once`, or the key of the charge that pays it.
    pub key: String,
    /// Its length, which begins no earlier than the grant before it ends; absent: for ever.
    pub seconds: Option<i64>,
}

/// A refund that is to be asked of the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefundCall {
    /// All that is left of the charge.
    pub amount: i128,
    /// The charge's key.
    pub charge: String,
}

/// What is left of a charge that is paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeLeft {
    /// The charge's key.
    pub charge: String,
    /// How much of it neither went back nor is disputed, in minor units of its currency; less than nothing if more went out.
    pub amount: i128,
    /// Whether a dispute has it or took it: it can't be refunded.
    pub is_disputed: bool,
    /// Whether nothing of it went back yet.
    pub is_whole: bool,
}

/// Whether an order renews, as far as its provider told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Renewal {
    /// Nothing was told yet.
    Unknown,
    /// The newest that was told.
    Told(RenewalStatus),
}

impl Renewal {
    /// The word in tables and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Told(status) => status.as_str(),
        }
    }
}

/// What the facts of an order add up to.
///
/// Its JSON has the fields in camelCase and in this order, which is the one of their names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderStanding {
    /// Whether the subscription is to be cancelled at the provider.
    pub cancel_subscription: bool,
    /// The ids of what a person has to decide.
    pub cases: BTreeSet<String>,
    /// The times that it pays for, the earliest first.
    pub grants: Vec<OrderGrant>,
    /// The books of the order.
    pub ledger: Balances,
    /// What is to be refunded by call, the latest charge first.
    pub refunds: Vec<RefundCall>,
    /// Whether it renews; absent if it is paid once.
    #[serde(serialize_with = "renewal_word")]
    pub renews: Option<Renewal>,
    /// What it does for a seat.
    pub seat: OrderSeat,
    /// Where it stands.
    pub state: OrderState,
    /// When the last of its grants is over, in seconds since the Unix epoch; absent without grants, and for ever.
    pub until: Option<i64>,
}

/// An enum that stands in JSON as one of a few words.
macro_rules! in_json_as_word {
    ($($type:ident),+) => { $(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.as_str().serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = String::deserialize(deserializer)?;
                let found = Self::ALL.into_iter().find(|known| known.as_str() == word);
                found.ok_or_else(|| D::Error::custom(format_args!("unknown word {word:?}")))
            }
        }
    )+ };
}

in_json_as_word!(OrderState, OrderSeat);

fn renewal_word<S: Serializer>(
    renewal: &Option<Renewal>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    renewal.map(Renewal::as_str).serialize(serializer)
}

/// What `facts` add up to under `terms`: the same for every order in which they came.
///
/// # Errors
/// A sum, a share or a time does not fit; the error names it.
pub fn fold(terms: &OrderTerms, facts: &Facts) -> Result<OrderStanding, Overflow> {
    let tally = Tally::of(terms, facts)?;
    let state = state(&tally, facts);
    let grants = grants::grants(terms, facts, &tally)?;
    let renews = terms.recurring.then(|| renewal(facts));
    Ok(OrderStanding {
        cancel_subscription: cancels_subscription(&tally, facts, renews),
        cases: cases::cases(terms, facts, &tally, state)?,
        ledger: books::books(terms, facts, &tally)?,
        refunds: tally.calls.clone(),
        renews,
        seat: seat(&tally, &grants),
        state,
        until: grants::until(&grants)?,
        grants,
    })
}

/// What is left of each charge that is paid, also of one that counts for nothing.
///
/// # Errors
/// A sum does not fit; the error names it.
pub fn left_of_charges(terms: &OrderTerms, facts: &Facts) -> Result<Vec<ChargeLeft>, Overflow> {
    let tally = Tally::of(terms, facts)?;
    let left = tally.paid.iter().map(|one| {
        let refunds = one.refunds.iter().map(|refund| refund.amount);
        let disputes = one.disputes.iter().map(|dispute| dispute.amount);
        let out = sum(refunds.chain(disputes), "out")?;
        Ok(ChargeLeft {
            charge: one.key.to_owned(),
            amount: subtract(one.charge.amount, out, "left")?,
            is_disputed: !one.disputes.is_empty(),
            is_whole: one.refunds.is_empty(),
        })
    });
    left.collect()
}

fn state(tally: &Tally<'_>, facts: &Facts) -> OrderState {
    let any = |holds: fn(&FactBody) -> bool| facts.iter().any(|fact| holds(&fact.body));
    if tally.is_lost {
        OrderState::Lost
    } else if tally.is_disputed {
        OrderState::Disputed
    } else if tally.is_covered && tally.earned >= tally.sold {
        OrderState::Paid
    } else if tally.is_covered && tally.earned > 0 {
        OrderState::PartlyRefunded
    } else if tally.is_covered {
        OrderState::Refunded
    } else if tally.net > 0 && !tally.is_refused {
        OrderState::Underpaid
    } else if tally.gross > 0 && tally.net <= 0 {
        OrderState::Refunded
    } else if tally.is_refused {
        OrderState::Refused
    } else if any(FactBody::is_pending_charge) {
        OrderState::Pending
    } else if any(FactBody::is_cancelled) {
        OrderState::Cancelled
    } else if any(FactBody::is_closed) {
        OrderState::Expired
    } else {
        OrderState::Open
    }
}

fn seat(tally: &Tally<'_>, grants: &[OrderGrant]) -> OrderSeat {
    if tally.is_lost {
        OrderSeat::Ended
    } else if tally.is_disputed {
        OrderSeat::Suspended
    } else if grants.iter().any(|grant| grant.cut.is_none()) {
        OrderSeat::Active
    } else if tally.is_covered {
        OrderSeat::Ended
    } else {
        OrderSeat::None
    }
}

/// The newest reading, of whatever subscription.
fn renewal(facts: &Facts) -> Renewal {
    let told = facts.iter().filter_map(|fact| match fact.body {
        FactBody::Subscription { status, seq } => Some((seq, &fact.key, status)),
        _ => None,
    });
    let newest = told.max_by_key(|(seq, key, _)| (*seq, *key));
    newest.map_or(Renewal::Unknown, |(_, _, status)| Renewal::Told(status))
}

/// A card whose holder complained or got the newest money back is not charged again, nor for what is not sold any more.
fn cancels_subscription(tally: &Tally<'_>, facts: &Facts, renews: Option<Renewal>) -> bool {
    let goes_on = renews.is_some_and(|renewal| renewal != Renewal::Told(RenewalStatus::Ended));
    let is_replaced = |body: &FactBody| matches!(body, FactBody::Replaced { .. });
    goes_on
        && (tally.was_disputed
            || tally.is_refused
            || tally.newest().is_some_and(|charge| charge.is_refunded())
            || facts.iter().any(|fact| is_replaced(&fact.body)))
}

#[cfg(test)]
mod tests;
