//! Where a payee is paid, who says that it is right, and what a payout to it takes.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::id::TelegramUserId;
use super::super::order::day::BookDay;
use super::super::time::Timestamp;
use super::{PayableRow, Payout, PayoutId, PayoutRefused, PayoutState, ROWS_MAX, hex, is_hex, sum};

/// How long a new address waits, so that the payee can say that it is wrong.
pub const ADDRESS_WAIT: Duration = Duration::from_secs(24 * 3600);

/// What a payee said of an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AddressConfirmation {
    /// Nobody is asked: the payee has no account in Telegram.
    #[default]
    NotAsked,
    /// The payee is asked, and has not answered.
    Asked,
    /// It is right.
    Confirmed,
    /// It is wrong.
    Denied,
}

/// What the question whether an address is right is known by: a digest of payee, currency and address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressMark([u8; 32]);

impl fmt::Display for AddressMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|digit| write!(f, "{}", char::from(*digit)))
    }
}

/// The text is not the mark of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoAddressMark;

impl FromStr for AddressMark {
    type Err = NoAddressMark;

    fn from_str(text: &str) -> Result<Self, NoAddressMark> {
        let digits: [u8; 32] = text.as_bytes().try_into().map_err(|_| NoAddressMark)?;
        match is_hex(&digits) {
            true => Ok(Self(digits)),
            false => Err(NoAddressMark),
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
    /// Which address it is: each change is the next one.
    #[serde(default)]
    pub address_version: u64,
    /// The payee in Telegram, who confirms a new address.
    #[serde(default)]
    pub telegram_user_id: Option<TelegramUserId>,
    /// Who that was before the last change, and may say that it is wrong.
    #[serde(default)]
    pub former: Option<TelegramUserId>,
    /// What the payee said of the address.
    #[serde(default)]
    pub confirmation: AddressConfirmation,
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

impl PayoutAccount {
    /// The account with another address, of another person, or with other bounds. A new address or person waits, and the person
    /// is asked; who it was before is asked as well, since the change may be a theft.
    #[must_use]
    pub fn changed(
        &self,
        (address, person): (&str, Option<TelegramUserId>),
        (threshold, max): (i128, Option<i128>),
        now: Timestamp,
    ) -> Self {
        let bounded = Self {
            threshold,
            max,
            ..self.clone()
        };
        // Written anew after a no, it is asked about anew.
        let is_denied = self.confirmation == AddressConfirmation::Denied;
        if self.address == address && self.telegram_user_id == person && !is_denied {
            return bounded;
        }
        // Who may still say no stays through changes that follow before money may go to the address.
        let before = match self.check_address(now) {
            Ok(()) => self.telegram_user_id.or(self.former),
            Err(_) => self.former.or(self.telegram_user_id),
        };
        Self {
            address: address.to_owned(),
            address_version: self.address_version.saturating_add(1),
            telegram_user_id: person,
            former: before.filter(|before| Some(*before) != person),
            confirmation: match person {
                Some(_) => AddressConfirmation::Asked,
                None => AddressConfirmation::NotAsked,
            },
            usable_at: now.plus(ADDRESS_WAIT),
            ..bounded
        }
    }

    /// What the question whether the present address is right is known by.
    #[must_use]
    pub fn mark(&self) -> AddressMark {
        let Self {
            payee,
            currency,
            address_version,
            address,
            ..
        } = self;
        let text = format!("{payee}#{currency}#{address_version}#{address}");
        AddressMark(hex(&text))
    }

    /// Who is asked whether the address is right, or told of it.
    pub fn asked(&self) -> impl Iterator<Item = TelegramUserId> {
        self.telegram_user_id.into_iter().chain(self.former)
    }

    /// When the present address was written.
    #[must_use]
    pub fn address_since(&self) -> Timestamp {
        self.usable_at.minus(ADDRESS_WAIT)
    }

    /// The account once `person` said of the address that `mark` names whether it is right; nothing if that is not theirs to say,
    /// or is not asked any more. Who was the payee before says no, and not yes.
    #[must_use]
    pub fn answered(
        &self,
        person: TelegramUserId,
        mark: AddressMark,
        is_right: bool,
    ) -> Option<Self> {
        let is_payee = self.telegram_user_id == Some(person);
        let is_heard = is_payee || (self.former == Some(person) && !is_right);
        // Who has said no is not talked round by a tap: an operator writes the address anew.
        let is_open = self.confirmation != AddressConfirmation::Denied || !is_right;
        (self.mark() == mark && is_heard && is_open).then(|| Self {
            confirmation: match is_right {
                true => AddressConfirmation::Confirmed,
                false => AddressConfirmation::Denied,
            },
            ..self.clone()
        })
    }

    /// Whether money may go to the present address.
    ///
    /// # Errors
    /// [`PayoutRefused`] if not, and why.
    pub fn check_address(&self, now: Timestamp) -> Result<(), PayoutRefused> {
        match self.confirmation {
            AddressConfirmation::Asked => return Err(PayoutRefused::Unconfirmed),
            AddressConfirmation::Denied => return Err(PayoutRefused::Denied),
            AddressConfirmation::NotAsked | AddressConfirmation::Confirmed => {}
        }
        match now < self.usable_at {
            true => Err(PayoutRefused::Address),
            false => Ok(()),
        }
    }

    /// A payout that begins, within `cap`, and the account that knows of it.
    ///
    /// # Errors
    /// [`PayoutRefused`] if there is none to begin.
    pub fn begin(
        &self,
        open: &[PayableRow],
        (now, cap): (Timestamp, Option<i128>),
    ) -> Result<(Self, Payout), PayoutRefused> {
        let day = BookDay::of(now);
        if self.live.is_some() {
            return Err(PayoutRefused::State);
        }
        if self.begun_at.is_some_and(|at| BookDay::of(at) >= day) {
            return Err(PayoutRefused::Today);
        }
        self.check_address(now)?;
        let chosen = self.choose(&[], open, (now, cap));
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
    /// gone; then those that are available, the oldest first, while the sum stays within `max` and the deployment's
    /// `cap` of a payout.
    #[must_use]
    pub fn choose<'a>(
        &self,
        claimed: &[PayableRow],
        open: &'a [PayableRow],
        (now, cap): (Timestamp, Option<i128>),
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
            let fits = with.filter(|with| self.max.into_iter().chain(cap).all(|max| *with <= max));
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
