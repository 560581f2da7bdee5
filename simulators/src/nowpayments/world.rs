//! The invoices, payments and payouts that there are, and what happens to them by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use super::account::WrongAssets;
use super::coin::{self, COINS, Coin};
use super::decimal::Decimal;
use super::ipn::Ipns;
use super::js::Js;
use super::payin::{Invoice, Payin, PayinStatus};
use super::payout::{Batch, Withdrawal, WithdrawalStatus};

/// How many invoices, payments, and so on are kept, the newest of each.
const MOST_OF_EACH: usize = 50_000;
/// Ids begin above it, as the service's have ten digits.
const FIRST_ID: u64 = 4_500_000_000;

/// What happens by itself when its time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// A payment that nobody paid expires.
    Expiry(u64),
    /// A payment goes on.
    Payin(u64, PayinStatus),
    /// A batch of payouts that nobody verified is rejected.
    Rejection(u64),
    /// A withdrawal goes on.
    Withdrawal(u64, WithdrawalStatus),
}

impl Due {
    const fn is_of(self, id: u64) -> bool {
        match self {
            Self::Expiry(of)
            | Self::Payin(of, _)
            | Self::Rejection(of)
            | Self::Withdrawal(of, _) => of == id,
        }
    }
}

/// How the service behaves.
#[derive(Debug)]
pub(super) struct Settings {
    /// How long each step of a payment or a payout takes.
    pub(super) pace: Duration,
    pub(super) wrong_assets: WrongAssets,
    /// How a repeated deposit ends.
    pub(super) repeated_status: PayinStatus,
    /// Whether a repeated deposit tells the order and the invoice of its parent; else nothing does but the parent's id.
    pub(super) repeated_tell_order: bool,
    /// The coin that deposits are turned into; absent: the one that came.
    pub(super) outcome_coin: Option<&'static Coin>,
    pub(super) has_numbers_as_text: bool,
    /// How many of the next withdrawals fail.
    pub(super) failing_withdrawals: u32,
}

/// What is in custody of a coin.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Balance {
    pub(super) amount: Decimal,
    pub(super) pending: Decimal,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) invoices: BTreeMap<u64, Invoice>,
    pub(super) payins: BTreeMap<u64, Payin>,
    pub(super) batches: BTreeMap<u64, Batch>,
    pub(super) withdrawals: BTreeMap<u64, Withdrawal>,
    pub(super) balances: BTreeMap<&'static str, Balance>,
    pub(super) settings: Settings,
    rates: BTreeMap<&'static str, Decimal>,
    due: BTreeMap<(i64, u64), Due>,
    dues: u64,
    last_id: u64,
}

impl Default for World {
    fn default() -> Self {
        Self {
            invoices: BTreeMap::new(),
            payins: BTreeMap::new(),
            batches: BTreeMap::new(),
            withdrawals: BTreeMap::new(),
            balances: BTreeMap::new(),
            settings: Settings {
                pace: Duration::from_secs(1),
                wrong_assets: WrongAssets::default(),
                repeated_status: PayinStatus::Finished,
                repeated_tell_order: false,
                outcome_coin: None,
                has_numbers_as_text: false,
                failing_withdrawals: 0,
            },
            rates: COINS
                .iter()
                .map(|coin| (coin.code, coin.first_rate()))
                .collect(),
            due: BTreeMap::new(),
            dues: 0,
            last_id: FIRST_ID,
        }
    }
}

impl World {
    /// A new id, of any kind.
    pub(super) fn new_id(&mut self) -> u64 {
        self.last_id += fastrand::u64(1..=97);
        self.last_id
    }

    pub(super) fn at(&mut self, at_ms: i64, due: Due) {
        self.dues += 1;
        self.due.insert((at_ms, self.dues), due);
    }

    /// Nothing happens to it by itself any more.
    pub(super) fn leave_alone(&mut self, id: u64) {
        self.due.retain(|_, due| !due.is_of(id));
    }

    /// The steps of a payment or a payout, each a pace after the one before.
    pub(super) fn steps<const N: usize>(&mut self, now_ms: i64, steps: [Due; N]) {
        let pace_ms = i64::try_from(self.settings.pace.as_millis()).unwrap_or(i64::MAX / 16);
        let mut at_ms = now_ms;
        for due in steps {
            at_ms = at_ms.saturating_add(pace_ms);
            self.at(at_ms, due);
        }
    }

    /// Lets happen what was due until now, in its order. True if anything was.
    pub(super) fn pass(&mut self, ipns: &mut Ipns, now_ms: i64) -> bool {
        let mut has_happened = false;
        while let Some((&(at_ms, number), &due)) = self.due.first_key_value() {
            if at_ms > now_ms {
                break;
            }
            has_happened = true;
            self.due.remove(&(at_ms, number));
            match due {
                Due::Expiry(id) => self.expire(id, ipns, at_ms),
                Due::Payin(id, status) => self.set_payin(id, status, ipns, at_ms),
                Due::Rejection(id) => self.reject(id, ipns, at_ms),
                Due::Withdrawal(id, status) => self.set_withdrawal(id, status, ipns, at_ms),
            }
        }
        has_happened
    }

    /// When the next thing happens by itself.
    pub(super) fn wakes_at_ms(&self) -> Option<i64> {
        self.due.first_key_value().map(|((at_ms, _), _)| *at_ms)
    }

    /// Whether all that happens by itself is of this kind.
    pub(super) fn dues_are(&self, kind: impl Fn(&Due) -> bool) -> bool {
        self.due.values().all(kind)
    }

    /// What one of a coin or of a fiat currency is worth in USD.
    pub(super) fn rate(&self, code: &str) -> Option<Decimal> {
        let code = code.to_lowercase();
        coin::fiat(&code).or_else(|| self.rates.get(code.as_str()).copied())
    }

    pub(super) fn set_rate(&mut self, coin: &'static Coin, usd: Decimal) {
        self.rates.insert(coin.code, usd);
    }

    /// An amount of one currency in a coin, by the rates of now.
    pub(super) fn in_coin(&self, amount: Decimal, currency: &str, coin: &Coin) -> Option<Decimal> {
        let usd = amount.times(self.rate(currency)?);
        Some(usd.over(self.rate(coin.code)?).rounded(coin.places()))
    }

    /// What a body looks like by the present setting.
    pub(super) fn shaped(&self, body: Js) -> Js {
        if self.settings.has_numbers_as_text {
            body.with_numbers_as_text()
        } else {
            body
        }
    }

    /// Forgets the oldest of what there are too many of.
    pub(super) fn forget(&mut self) {
        while self.invoices.len() > MOST_OF_EACH {
            self.invoices.pop_first();
        }
        while self.payins.len() > MOST_OF_EACH {
            self.payins.pop_first();
        }
        while self.batches.len() > MOST_OF_EACH {
            self.batches.pop_first();
        }
        while self.withdrawals.len() > MOST_OF_EACH {
            self.withdrawals.pop_first();
        }
    }
}
