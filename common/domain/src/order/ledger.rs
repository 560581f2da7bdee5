//! Balances of accounts in double entry, and the entries that lead from one state of the books to another.
//!
//! Debit is positive. Nothing is edited: what the fold says now minus what was booked is the next transaction, so each
//! correction is an entry of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::super::exact::{Overflow, add, negate};

/// What an amount is booked on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LedgerAccount {
    /// What lies at a provider.
    Provider(String),
    /// Between currencies: what came in goes in at one side, what it counts for goes out at the other.
    Exchange(String),
    /// A buyer's money that is not earned.
    Held,
    /// What an owner is due.
    Owner(String),
    /// What an affiliate is due.
    Affiliate(String),
    /// The platform's fee.
    PlatformFee,
    /// Tax that was collected.
    Tax,
    /// Differences too small to return.
    Rounding,
    /// Money of a payout on its way out.
    Payout(String),
    /// Money that went out.
    Bank,
}

impl fmt::Display for LedgerAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provider(name) => write!(f, "provider:{name}"),
            Self::Exchange(name) => write!(f, "exchange:{name}"),
            Self::Held => f.write_str("held"),
            Self::Owner(id) => write!(f, "owner:{id}"),
            Self::Affiliate(id) => write!(f, "affiliate:{id}"),
            Self::PlatformFee => f.write_str("platform:fee"),
            Self::Tax => f.write_str("tax"),
            Self::Rounding => f.write_str("rounding"),
            Self::Payout(id) => write!(f, "payout:{id}"),
            Self::Bank => f.write_str("bank"),
        }
    }
}

/// A text that names no account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoAccount;

impl FromStr for LedgerAccount {
    type Err = NoAccount;

    fn from_str(text: &str) -> Result<Self, NoAccount> {
        Ok(match text {
            "held" => Self::Held,
            "platform:fee" => Self::PlatformFee,
            "tax" => Self::Tax,
            "rounding" => Self::Rounding,
            "bank" => Self::Bank,
            _ => match text.split_once(':').ok_or(NoAccount)? {
                ("provider", name) => Self::Provider(name.to_owned()),
                ("exchange", name) => Self::Exchange(name.to_owned()),
                ("owner", id) => Self::Owner(id.to_owned()),
                ("payout", id) => Self::Payout(id.to_owned()),
                ("affiliate", id) => Self::Affiliate(id.to_owned()),
                _ => return Err(NoAccount),
            },
        })
    }
}

/// One line of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// The account.
    pub account: LedgerAccount,
    /// The currency or coin.
    pub currency: String,
    /// How much, in minor units; debit is positive. Never 0.
    pub amount: i128,
}

/// What stands on the accounts, by currency; an account without a balance is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balances(BTreeMap<(LedgerAccount, String), i128>);

impl Balances {
    /// Books an amount.
    ///
    /// # Errors
    /// The balance does not fit.
    pub fn book(
        &mut self,
        account: LedgerAccount,
        currency: &str,
        amount: i128,
    ) -> Result<(), Overflow> {
        let place = (account, currency.to_owned());
        let before = self.0.get(&place).copied().unwrap_or(0);
        match add(before, amount, "ledger")? {
            0 => self.0.remove(&place),
            after => self.0.insert(place, after),
        };
        Ok(())
    }

    /// Books an amount on one account and its opposite on another.
    pub(super) fn transfer(
        &mut self,
        debit: LedgerAccount,
        credit: LedgerAccount,
        currency: &str,
        amount: i128,
    ) -> Result<(), Overflow> {
        self.book(debit, currency, amount)?;
        self.book(credit, currency, negate(amount, "ledger")?)
    }

    /// What is not 0, by account and currency.
    pub fn iter(&self) -> impl Iterator<Item = (&LedgerAccount, &str, i128)> {
        let places = self.0.iter();
        places.map(|((account, currency), amount)| (account, currency.as_str(), *amount))
    }

    /// What stands on all accounts of each currency together: 0, if every transaction was whole.
    ///
    /// # Errors
    /// A sum does not fit.
    pub fn sums(&self) -> Result<BTreeMap<&str, i128>, Overflow> {
        let mut sums = BTreeMap::new();
        for (_, currency, amount) in self.iter() {
            let sum = sums.entry(currency).or_insert(0);
            *sum = add(*sum, amount, "ledger")?;
        }
        Ok(sums)
    }
}

impl Serialize for Balances {
    /// An object of `"<account> <currency>": amount`, sorted.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let balances = self.iter();
        let named: BTreeMap<String, i128> = balances
            .map(|(account, currency, amount)| (format!("{account} {currency}"), amount))
            .collect();
        named.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Balances {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let named = BTreeMap::<String, i128>::deserialize(deserializer)?;
        let balances = named.into_iter().map(|(place, amount)| {
            // An id may have a blank in it, a currency has none.
            let (account, currency) = place.rsplit_once(' ')?;
            Some(((account.parse().ok()?, currency.to_owned()), amount))
        });
        let read: Option<_> = balances.collect();
        read.map(Self)
            .ok_or_else(|| D::Error::custom("a balance names no account and currency"))
    }
}

/// Why two states of the books have no transaction between them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerFault {
    /// An amount does not fit.
    #[error(transparent)]
    Overflow(#[from] Overflow),
    /// One of the two is not whole.
    #[error("the entries in {currency} do not sum to zero")]
    Unbalanced {
        /// The currency.
        currency: String,
    },
}

/// The transaction that leads from what was booked to what is wanted. No entries: nothing changed.
///
/// # Errors
/// An amount does not fit, or a currency would not sum to zero: then one of the two is broken.
pub fn difference(booked: &Balances, wanted: &Balances) -> Result<Vec<LedgerEntry>, LedgerFault> {
    let mut change = wanted.clone();
    for (account, currency, amount) in booked.iter() {
        change.book(account.clone(), currency, negate(amount, "ledger")?)?;
    }
    if let Some((currency, _)) = change.sums()?.into_iter().find(|(_, sum)| *sum != 0) {
        let currency = currency.to_owned();
        return Err(LedgerFault::Unbalanced { currency });
    }
    let entries = change.0.into_iter();
    let entry = |((account, currency), amount)| LedgerEntry {
        account,
        currency,
        amount,
    };
    Ok(entries.map(entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn books(amounts: &[(LedgerAccount, &str, i128)]) -> Balances {
        let mut balances = Balances::default();
        for (account, currency, amount) in amounts {
            balances.book(account.clone(), currency, *amount).unwrap();
        }
        balances
    }

    #[test]
    fn the_difference_leads_from_one_to_the_other() {
        use LedgerAccount::{Held, Rounding, Tax};
        let booked = books(&[(Held, "usd", 5), (Tax, "usd", -5)]);
        let wanted = books(&[
            (Held, "usd", 7),
            (Rounding, "usd", -7),
            (Held, "eur", 1),
            (Tax, "eur", -1),
        ]);
        let entries = difference(&booked, &wanted).unwrap();
        let written: Vec<String> = entries
            .iter()
            .map(|entry| format!("{} {} {}", entry.account, entry.currency, entry.amount))
            .collect();
        assert_eq!(
            written,
            [
                "held eur 1",
                "held usd 2",
                "tax eur -1",
                "tax usd 5",
                "rounding usd -7"
            ]
        );
        let mut after = booked;
        for entry in entries {
            after
                .book(entry.account, &entry.currency, entry.amount)
                .unwrap();
        }
        assert_eq!(after, wanted);
        assert_eq!(difference(&after, &wanted), Ok(Vec::new()));
    }

    #[test]
    fn books_that_are_not_whole_and_amounts_that_do_not_fit_are_refused() {
        use LedgerAccount::{Held, Tax};
        let broken = books(&[(Held, "usd", 5)]);
        assert_eq!(
            difference(&Balances::default(), &broken)
                .unwrap_err()
                .to_string(),
            "the entries in usd do not sum to zero"
        );
        let mut full = books(&[(Tax, "usd", i128::MAX)]);
        let overflow = full.book(Tax, "usd", 1).unwrap_err();
        assert_eq!(overflow.to_string(), "`ledger` is too large");
    }
}
