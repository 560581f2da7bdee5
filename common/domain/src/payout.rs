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

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::exact::{Overflow, add};
use super::order::day::BookDay;
use super::order::ledger::{LedgerAccount, LedgerEntry};
use super::time::Timestamp;

/// How long a new address waits, so that the payee can say that it is wrong.
pub const ADDRESS_WAIT: Duration = Duration::from_secs(24 * 3600);
/// How many rows a payout has at most; what is left is of the next one.
pub const ROWS_MAX: usize = 5_000;

/// The id of a payout, made of payee, currency and day: a run that died is taken up again by the next one of that day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PayoutId(String);

impl PayoutId {
    /// The payout of a payee in a currency, begun on a day.
    #[must_use]
    pub fn derive(payee: &str, currency: &str, day: BookDay) -> Self {
        let digest = Sha256::digest(format!("{payee}#{currency}#{day}"));
        let hex: String = digest.iter().take(16).map(|b| format!("{b:02x}")).collect();
        Self(format!("po_{hex}"))
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
        let hex = text.strip_prefix("po_").ok_or(NoPayoutId)?;
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        match hex.len() == 32 && hex.bytes().all(is_hex) {
            true => Ok(Self(text.to_owned())),
            false => Err(NoPayoutId),
        }
    }
}

/// Where a payee is paid in a currency.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PayoutAccount {
    /// The account of the payee in the books: `owner:<id>` or `affiliate:<id>`.
    pub payee: String,
    /// The currency.
    pub currency: String,
    /// Where to pay, in words for a person: an IBAN with its holder, an address of a coin.
    pub address: String,
    /// Below which sum nothing is paid, in minor units.
    pub threshold: i128,
    /// How much a payout has at most, in minor units. There is one a day.
    pub max: Option<i128>,
    /// From when on the address is paid to.
    pub usable_at: Timestamp,
    /// The payout that is not over.
    pub live: Option<PayoutId>,
    /// When the newest payout was begun.
    pub begun_at: Option<Timestamp>,
    /// How often it was written.
    pub revision: u64,
}

impl fmt::Debug for PayoutAccount {
    /// Without the address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PayoutAccount")
            .field("payee", &self.payee)
            .field("currency", &self.currency)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
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
    /// Nothing is due, or less than the threshold.
    TooLittle,
    /// One was begun today.
    Today,
}

impl PayoutAccount {
    /// The account with another address and other bounds; a new address waits.
    #[must_use]
    pub fn changed(
        &self,
        address: &str,
        (threshold, max): (i128, Option<i128>),
        now: Timestamp,
    ) -> Self {
        let usable_at = match self.address == address {
            true => self.usable_at,
            false => now.plus(ADDRESS_WAIT),
        };
        Self {
            address: address.to_owned(),
            threshold,
            max,
            usable_at,
            ..self.clone()
        }
    }

    /// A payout that begins, and the account that knows of it.
    ///
    /// # Errors
    /// [`PayoutRefused`] if there is none to begin.
    pub fn begin(
        &self,
        open: &[PayableRow],
        now: Timestamp,
    ) -> Result<(Self, Payout), PayoutRefused> {
        let day = BookDay::of(now);
        if self.live.is_some() {
            return Err(PayoutRefused::State);
        }
        if self.begun_at.is_some_and(|at| BookDay::of(at) >= day) {
            return Err(PayoutRefused::Today);
        }
        if now < self.usable_at {
            return Err(PayoutRefused::Address);
        }
        let chosen = self.choose(&[], open, now);
        if !self.is_enough(sum(chosen).unwrap_or(0)) {
            return Err(PayoutRefused::TooLittle);
        }
        let id = PayoutId::derive(&self.payee, &self.currency, day);
        let account = Self {
            live: Some(id.clone()),
            begun_at: Some(now),
            ..self.clone()
        };
        let payout = Payout {
            id,
            payee: self.payee.clone(),
            currency: self.currency.clone(),
            address: self.address.clone(),
            state: PayoutState::Claiming,
            total: None,
            rows: None,
            begun_at: now,
            approved_by: None,
            ended_by: None,
            words: None,
            ended_at: None,
            revision: 0,
        };
        Ok((account, payout))
    }

    /// Which rows a payout takes yet: first all that were taken back, available or not, so that nobody is paid what is known to be
    /// gone; then those that are available, the oldest first, while the sum stays within `max`.
    #[must_use]
    pub fn choose<'a>(
        &self,
        claimed: &[PayableRow],
        open: &'a [PayableRow],
        now: Timestamp,
    ) -> Vec<&'a PayableRow> {
        let left = ROWS_MAX.saturating_sub(claimed.len());
        let (back, due): (Vec<_>, Vec<_>) = open.iter().partition(|row| row.amount < 0);
        let mut chosen: Vec<&PayableRow> = back.into_iter().take(left).collect();
        let so_far = sum(claimed.iter().chain(chosen.iter().copied()));
        let Ok(mut total) = so_far else {
            return Vec::new();
        };
        for row in due.into_iter().filter(|row| row.available_at <= now) {
            let with = total.checked_add(row.amount);
            let fits = with.filter(|with| self.max.is_none_or(|max| *with <= max));
            if let Some(with) = fits.filter(|_| chosen.len() < left) {
                total = with;
                chosen.push(row);
            }
        }
        chosen
    }

    /// Whether a sum is paid out.
    #[must_use]
    pub const fn is_enough(&self, total: i128) -> bool {
        total > 0 && total >= self.threshold
    }

    /// The account once its payout is over.
    #[must_use]
    pub fn without_live(&self) -> Self {
        Self {
            live: None,
            ..self.clone()
        }
    }
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
        if account.address != self.address || now < account.usable_at {
            return Err(PayoutRefused::Address);
        }
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
