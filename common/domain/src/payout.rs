//! Payouts by hand: what a payee is due is gathered into a payout, approved by a person, paid by a person, and noted as paid.
//!
//! ```text
//! CLAIMING   rows of what is due move into it, the negative ones first
//! CLOSED     no row comes any more; then, and only then, its rows are summed, and the sum is booked
//! APPROVED   a person who is not the payee said that it is to be paid
//! PAID       with the reference of the payment; nothing changes any more
//! RELEASING  it is not paid: its rows go back
//! FAILED     they are back
//! ```
//!
//! A row is in one place at each moment: it moves, and is never marked. So no sum is taken of rows that may still come or go.

mod account;
mod day;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::exact::{Overflow, add};
use super::order::day::BookDay;
use super::order::ledger::{LedgerAccount, LedgerEntry};
use super::time::Timestamp;

pub use account::{ADDRESS_WAIT, AddressConfirmation, AddressMark, NoAddressMark, PayoutAccount};
pub use day::ApprovedOfDay;

/// How many rows a payout has at most; what is left is of the next one.
pub const ROWS_MAX: usize = 5_000;

/// The id of a payout, made of payee, currency and day: a run that died is taken up again by the next one of that day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PayoutId(String);

impl PayoutId {
    /// The payout of a payee in a currency, begun on a day.
    #[must_use]
    pub fn derive(payee: &str, currency: &str, day: BookDay) -> Self {
        let digits = hex(&format!("{payee}#{currency}#{day}"));
        let digits: String = digits.into_iter().map(char::from).collect();
        Self(format!("po_{digits}"))
    }
}

impl fmt::Display for PayoutId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is no id of a payout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPayoutId;

impl FromStr for PayoutId {
    type Err = NoPayoutId;

    fn from_str(text: &str) -> Result<Self, NoPayoutId> {
        let digits = text.strip_prefix("po_").ok_or(NoPayoutId)?;
        match digits.len() == 32 && is_hex(digits.as_bytes()) {
            true => Ok(Self(text.to_owned())),
            false => Err(NoPayoutId),
        }
    }
}

/// What a payee is due by one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayableRow {
    /// `<availableAt>#<transaction>`: it stays where the row moves.
    pub key: String,
    /// How much, in minor units; negative if it is taken back.
    pub amount: i128,
    /// From when on it may be paid out.
    pub available_at: Timestamp,
}

/// Where a payout stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PayoutState {
    /// Rows move into it.
    Claiming,
    /// No row comes any more.
    Closed,
    /// It is to be paid.
    Approved,
    /// It is paid.
    Paid,
    /// It is not paid; its rows go back.
    Releasing,
    /// Its rows are back.
    Failed,
}

impl PayoutState {
    /// The word in the ids of what it books.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claiming => "claiming",
            Self::Closed => "closed",
            Self::Approved => "approved",
            Self::Paid => "paid",
            Self::Releasing => "releasing",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing changes any more.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Paid | Self::Failed)
    }
}

/// A payout.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payout {
    /// Its id.
    pub id: PayoutId,
    /// The account of the payee in the books.
    pub payee: String,
    /// The currency.
    pub currency: String,
    /// Where to pay: a copy, as it was when it was begun.
    pub address: String,
    /// Where it stands.
    pub state: PayoutState,
    /// What is paid, in minor units, once its rows were summed.
    pub total: Option<i128>,
    /// How many rows it has, once they were summed.
    pub rows: Option<usize>,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// The operator who approved it.
    pub approved_by: Option<String>,
    /// The operator who noted that it is paid, or is not.
    pub ended_by: Option<String>,
    /// The reference of the payment, or why there is none.
    pub words: Option<String>,
    /// When that was said.
    pub ended_at: Option<Timestamp>,
    /// How often it was written.
    pub revision: u64,
}

impl fmt::Debug for Payout {
    /// Without the address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payout")
            .field("id", &self.id)
            .field("state", &self.state)
            .field("total", &self.total)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

/// Why a payout does not change as it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayoutRefused {
    /// It stands elsewhere.
    State,
    /// It would be approved by the payee.
    OwnPayout,
    /// The address has changed since it was begun, or is too new.
    Address,
    /// The payee has not said yet that the address is right.
    Unconfirmed,
    /// The payee says that the address is wrong.
    Denied,
    /// More than may be approved on a day.
    DayFull,
    /// Nothing is due, or less than the threshold.
    TooLittle,
    /// One was begun today.
    Today,
}

impl Payout {
    /// The payout once no row comes any more.
    ///
    /// # Errors
    /// [`PayoutRefused::State`] if it is not claiming.
    pub fn close(&self) -> Result<Self, PayoutRefused> {
        self.to(&[PayoutState::Claiming], PayoutState::Closed)
    }

    /// The payout once its rows were summed: with its sum if that is paid out, else it goes back.
    ///
    /// # Errors
    /// [`PayoutRefused::State`] if it is not closed, or was summed.
    pub fn summed(
        &self,
        total: i128,
        rows: usize,
        account: &PayoutAccount,
    ) -> Result<Self, PayoutRefused> {
        if self.total.is_some() {
            return Err(PayoutRefused::State);
        }
        if !account.is_enough(total) {
            return self.to(&[PayoutState::Closed], PayoutState::Releasing);
        }
        Ok(Self {
            total: Some(total),
            rows: Some(rows),
            ..self.to(&[PayoutState::Closed], PayoutState::Closed)?
        })
    }

    /// The payout once `who` said that it is to be paid.
    ///
    /// # Errors
    /// [`PayoutRefused`] if it can't be paid.
    pub fn approve(
        &self,
        who: &str,
        account: &PayoutAccount,
        now: Timestamp,
    ) -> Result<Self, PayoutRefused> {
        if self.total.is_none() {
            return Err(PayoutRefused::State);
        }
        let approved = self.to(&[PayoutState::Closed], PayoutState::Approved)?;
        let id = self.payee.split_once(':').map(|(_, id)| id);
        if id == Some(who) || self.payee == who {
            return Err(PayoutRefused::OwnPayout);
        }
        if account.address != self.address {
            return Err(PayoutRefused::Address);
        }
        account.check_address(now)?;
        Ok(Self {
            approved_by: Some(who.to_owned()),
            ..approved
        })
    }

    /// The payout once `who` paid it, under this reference.
    ///
    /// # Errors
    /// [`PayoutRefused::State`] if it is not approved.
    pub fn paid(&self, who: &str, reference: &str, now: Timestamp) -> Result<Self, PayoutRefused> {
        let paid = self.to(&[PayoutState::Approved], PayoutState::Paid)?;
        Ok(paid.ended(who, reference, now))
    }

    /// The payout that `who` says is not paid: its rows go back.
    ///
    /// # Errors
    /// [`PayoutRefused::State`] if it is over, or going back.
    pub fn fail(&self, who: &str, why: &str, now: Timestamp) -> Result<Self, PayoutRefused> {
        use PayoutState::{Approved, Claiming, Closed, Releasing};
        let failed = self.to(&[Claiming, Closed, Approved], Releasing)?;
        Ok(failed.ended(who, why, now))
    }

    /// The payout once its rows are back.
    ///
    /// # Errors
    /// [`PayoutRefused::State`] if they do not go back.
    pub fn released(&self) -> Result<Self, PayoutRefused> {
        self.to(&[PayoutState::Releasing], PayoutState::Failed)
    }

    /// What is booked with the step that led to this payout from `before`.
    #[must_use]
    pub fn entries(&self, before: &Self) -> Vec<LedgerEntry> {
        let Some(total) = self.total else {
            return Vec::new();
        };
        let on_its_way = LedgerAccount::Payout(self.id.to_string());
        let payee = || self.payee.parse().ok();
        let (debit, credit) = match self.state {
            PayoutState::Closed if before.total.is_none() => (payee(), Some(on_its_way)),
            PayoutState::Paid => (Some(on_its_way), Some(LedgerAccount::Bank)),
            PayoutState::Releasing if before.state != self.state => (Some(on_its_way), payee()),
            _ => return Vec::new(),
        };
        let entry = |account: Option<LedgerAccount>, amount| {
            account.map(|account| LedgerEntry {
                account,
                currency: self.currency.clone(),
                amount,
            })
        };
        let back = total.saturating_neg();
        [entry(debit, total), entry(credit, back)]
            .into_iter()
            .flatten()
            .collect()
    }

    fn to(&self, from: &[PayoutState], to: PayoutState) -> Result<Self, PayoutRefused> {
        if !from.contains(&self.state) {
            return Err(PayoutRefused::State);
        }
        Ok(Self {
            state: to,
            ..self.clone()
        })
    }

    fn ended(self, who: &str, words: &str, now: Timestamp) -> Self {
        Self {
            ended_by: Some(who.to_owned()),
            words: Some(words.to_owned()),
            ended_at: Some(now),
            ..self
        }
    }
}

/// The first half of a digest, in hexadecimal digits.
fn hex(text: &str) -> [u8; 32] {
    let digest = Sha256::digest(text);
    let mut digits = [b'0'; 32];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(digest.iter()) {
        pair.copy_from_slice(format!("{byte:02x}").as_bytes());
    }
    digits
}

fn is_hex(digits: &[u8]) -> bool {
    let is_digit = |b: &u8| b.is_ascii_digit() || (b'a'..=b'f').contains(b);
    digits.iter().all(is_digit)
}

/// What rows add up to.
///
/// # Errors
/// It does not fit.
pub fn sum<'a>(rows: impl IntoIterator<Item = &'a PayableRow>) -> Result<i128, Overflow> {
    let mut rows = rows.into_iter();
    rows.try_fold(0, |sum, row| add(sum, row.amount, "payout"))
}

#[cfg(test)]
mod tests;
