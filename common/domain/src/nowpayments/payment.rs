//! What a payment that NOWPayments reports is worth to an order: the charge that it is.
//!
//! The fee of the body is never looked at, nor is `actually_paid_at_fiat`, which is mostly zero.

use super::super::order::fact::ChargeFlag;
use super::amount::CoinAmount;
use super::body::IpnBody;

/// How long after an order's expiry a deposit to a used address still counts as meant for it, in seconds.
const LATE_AFTER_SEC: i64 = 24 * 3600;

/// What NOWPayments says of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoinStatus {
    /// `waiting`: nothing came yet.
    Waiting,
    /// `confirming`, `confirmed`, `sending`: coins are on their way.
    Moving,
    /// `partially_paid` and `finished`: what came is ours. Which of the two it is tells nothing of the amount.
    Settled,
    /// `refunded`: what came went back.
    Refunded,
    /// `expired`, `failed`, `cancelled`. Coins that come later change it again.
    Ended,
    /// `wrong_asset_confirmed`: coins of another kind came.
    WrongAsset,
}

impl CoinStatus {
    /// Reads a status; nothing if it is one that isn't known, which says nothing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "waiting" => Self::Waiting,
            "confirming" | "confirmed" | "sending" => Self::Moving,
            "partially_paid" | "finished" => Self::Settled,
            "refunded" => Self::Refunded,
            "expired" | "failed" | "cancelled" => Self::Ended,
            "wrong_asset_confirmed" => Self::WrongAsset,
            _ => return None,
        })
    }
}

/// A payment as a notification or an answer of the API has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoinPayment {
    /// Its id: the key of its charge.
    pub payment_id: String,
    /// The payment to whose address it was sent once more.
    pub parent_payment_id: Option<String>,
    /// The invoice that it was made from.
    pub invoice_id: Option<String>,
    /// The order, by our own id.
    pub order_id: Option<String>,
    /// Its status, if it is a known one.
    pub status: Option<CoinStatus>,
    /// The price that it was made for, in `price_currency`.
    pub price_amount: CoinAmount,
    /// The currency of the price, in small letters.
    pub price_currency: String,
    /// What was to be paid, and in which coin.
    pub asked: CoinTerms,
    /// What came.
    pub paid: CoinAmount,
    /// What we get of it, and in which coin (in small letters).
    pub outcome: Option<(CoinAmount, String)>,
}

/// What an address was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoinTerms {
    /// The coin, in small letters.
    pub coin: String,
    /// How much of it is the whole price.
    pub amount: CoinAmount,
}

/// What an order costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderPrice<'a> {
    /// Its currency.
    pub currency: &'a str,
    /// Units of 10^-`exponent`.
    pub amount: u64,
    /// 2 at NOWPayments, for every currency.
    pub exponent: u32,
}

/// When a deposit came, in seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepositTime {
    /// The instant of the deposit: the provider's, else that of the first report of it.
    pub came_at: i64,
    /// When the order expires.
    pub order_expires_at: i64,
}

/// What a payment says of the charge with its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CoinCharge {
    /// Nothing is ours yet.
    Pending,
    /// Nothing came.
    Void,
    /// Something is ours, or was.
    Paid {
        /// In units of the order's price; zero where what came can't be measured by it.
        amount: u64,
        /// Why a person must look.
        flag: Option<ChargeFlag>,
        /// All of it went back.
        is_refunded: bool,
    },
}

/// Why a payment can't be judged yet, or at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unjudged {
    /// A status that isn't known.
    #[error("its status is not a known one")]
    Status,
    /// It came to the address of another payment, whose terms aren't given.
    #[error("it needs the terms of the payment whose address it came to")]
    Parent,
    /// What was to be paid is zero, or what came is worth more than a price can be.
    #[error("its amounts make no price")]
    Amounts,
}

impl CoinPayment {
    /// Reads a payment; gives the name of the first field that is missing or isn't what it should be.
    ///
    /// # Errors
    /// That name.
    pub fn read(body: &IpnBody) -> Result<Self, &'static str> {
        let text = |name: &'static str| body.scalar(name).ok_or(name);
        let owned = |name| body.scalar(name).map(str::to_owned);
        let amount = |name| CoinAmount::parse(text(name)?).ok_or(name);
        // What is not there yet is zero; what is there and no amount is an error.
        let later = |name| match body.scalar(name) {
            Some(text) => CoinAmount::parse(text).ok_or(name),
            None => Ok(CoinAmount::ZERO),
        };
        let outcome = owned("outcome_currency")
            .zip(body.scalar("outcome_amount").and_then(CoinAmount::parse));
        Ok(Self {
            payment_id: text("payment_id")?.to_owned(),
            parent_payment_id: owned("parent_payment_id"),
            invoice_id: owned("invoice_id"),
            order_id: owned("order_id"),
            status: CoinStatus::parse(text("payment_status")?),
            price_amount: amount("price_amount")?,
            price_currency: text("price_currency")?.to_ascii_lowercase(),
            asked: CoinTerms {
                coin: text("pay_currency")?.to_ascii_lowercase(),
                amount: later("pay_amount")?,
            },
            paid: later("actually_paid")?,
            outcome: outcome.map(|(coin, amount)| (amount, coin.to_ascii_lowercase())),
        })
    }

    /// The charge that this payment is. `terms` are those for which its address was made: of its parent if it has one, else
    /// its own as they were first seen, if they were.
    ///
    /// # Errors
    /// [`Unjudged`]
    pub fn charge(
        &self,
        price: OrderPrice<'_>,
        terms: Option<&CoinTerms>,
        time: DepositTime,
    ) -> Result<CoinCharge, Unjudged> {
        let status = self.status.ok_or(Unjudged::Status)?;
        match status {
            CoinStatus::Waiting | CoinStatus::Moving => return Ok(CoinCharge::Pending),
            CoinStatus::Ended => return Ok(CoinCharge::Void),
            CoinStatus::Settled | CoinStatus::Refunded | CoinStatus::WrongAsset => {}
        }
        let paid = |amount, flag| CoinCharge::Paid {
            amount,
            flag,
            is_refunded: status == CoinStatus::Refunded,
        };
        let is_child = self.parent_payment_id.is_some();
        if is_child && terms.is_none() {
            return Err(Unjudged::Parent);
        }
        // The price of a repeated deposit is its worth on that day; what its parent was made for is in the parent.
        if !is_child && let Some(flag) = self.other_price(price) {
            return Ok(paid(0, Some(flag)));
        }
        let terms = terms.unwrap_or(&self.asked);
        if status == CoinStatus::WrongAsset || terms.coin != self.asked.coin {
            return Ok(paid(0, Some(ChargeFlag::WrongAsset)));
        }
        // What its own address asks for may have been renewed since it was first seen.
        let whole = if is_child {
            terms.amount
        } else {
            self.asked.amount
        };
        let amount = self.paid.share(price.amount, whole);
        let amount = amount.ok_or(Unjudged::Amounts)?;
        let is_late =
            time.came_at > time.order_expires_at.saturating_add(LATE_AFTER_SEC) && is_child;
        Ok(paid(amount, is_late.then_some(ChargeFlag::LateDeposit)))
    }

    fn other_price(&self, price: OrderPrice<'_>) -> Option<ChargeFlag> {
        if !self.price_currency.eq_ignore_ascii_case(price.currency) {
            return Some(ChargeFlag::WrongCurrency);
        }
        let expected = CoinAmount::of_units(price.amount, price.exponent);
        (expected != Some(self.price_amount)).then_some(ChargeFlag::AmountDiffers)
    }
}

#[cfg(test)]
mod tests;
