//! A quote: a price promised for a while, line by line, with a copy of what is sold for it.
//!
//! The price is computed here ([`QuoteRequest::price`]), from the product as it is, the wish, and a reference rate if the tier
//! has no price of its own in the currency. What is paid is compared with the quote that was stored, never with a fresh rate.

mod price;
mod rejection;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::id::ChatId;
use super::money::PaymentProvider;
use super::money::pricing::ExchangeRate;
use super::product::{Coupon, Currency, MinorAmount, Product, ProductId, Tier, TierLength};
use super::time::Timestamp;

pub use price::{PriceSource, QuoteRequest};
pub use rejection::{QuoteRejection, QuoteRejectionKind};

/// The id of a quote: random, so that nobody guesses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QuoteId(Uuid);

impl QuoteId {
    /// The id of these random bytes.
    #[must_use]
    pub const fn of(random: Uuid) -> Self {
        Self(random)
    }
}

impl fmt::Display for QuoteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for QuoteId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

/// What is sold, as it was when its price was promised. An order has it for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    /// The product.
    pub product_id: ProductId,
    /// The version of its record.
    pub product_version: u64,
    /// What it is called.
    pub product_title: String,
    /// The chats that it opens.
    pub chats: Vec<ChatId>,
    /// Who gets what it earns.
    pub owner: String,
    /// The platform's share, in basis points.
    pub fee_bps: u32,
    /// The tier.
    pub tier: Tier,
    /// For how many months at once it is paid, if not for the length of the tier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub months: Option<u32>,
}

impl Offer {
    /// What is sold of `product`, in the version that its record has.
    #[must_use]
    pub fn of(product: &Product, version: u64, tier: &Tier, months: Option<u32>) -> Self {
        Self {
            product_id: product.id.clone(),
            product_version: version,
            product_title: product.title.clone(),
            chats: product.chats.clone(),
            owner: product.owner.clone(),
            fee_bps: product.fee_bps,
            tier: tier.clone(),
            months,
        }
    }

    /// How long it lasts, or how long each of its periods is.
    #[must_use]
    pub fn length(&self) -> TierLength {
        self.months.map_or(self.tier.length, TierLength::Months)
    }

    /// How many seconds that is from `start`, the day of the order; absent: for ever.
    #[must_use]
    pub fn seconds(&self, start: Timestamp) -> Option<i64> {
        self.length().seconds(start)
    }
}

/// A price for a wish: what is paid now, what is paid for each period after, and how that comes about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuotedPrice {
    /// Who takes the payment.
    pub provider: PaymentProvider,
    /// The currency that is charged.
    pub currency: Currency,
    /// What is to be paid now, in minor units as the provider counts them. The lines sum up to it.
    pub due_now: MinorAmount,
    /// What each later period costs; absent if nothing renews.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recurring: Option<MinorAmount>,
    /// How many days are free before the first charge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial_days: Option<u32>,
    /// The price in words.
    pub display: String,
    /// How what is due now comes about.
    pub lines: Vec<QuoteLine>,
    /// The coupon that was taken into account, as it was then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coupon: Option<Coupon>,
}

/// One line of a price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuoteLine {
    /// What it is.
    pub kind: QuoteLineKind,
    /// By how much it changes the price, in minor units of the currency that is charged.
    pub amount: i64,
    /// The rate, of a conversion.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub rate: Option<QuotedRate>,
}

/// What a line of a price is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum QuoteLineKind {
    /// The price of all that is bought.
    Base,
    /// The discount for several periods.
    Volume,
    /// What the coupon takes off.
    Coupon,
    /// The discount for who was brought by somebody.
    Referral,
    /// What the order that is replaced did not use.
    Unused,
    /// The time that is free.
    Trial,
    /// The rate at which the other lines were converted; its own amount is 0.
    Conversion,
    /// What leads to an amount that can be charged.
    Rounding,
}

/// The rate of a conversion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuotedRate {
    /// The currency of the price that was converted.
    pub from: Currency,
    /// How much one of it is in the currency that is charged, in decimals.
    pub rate: String,
    /// Who says so.
    pub source: String,
    /// Of when it is.
    pub as_of: Timestamp,
}

/// A reference rate, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceRate {
    /// The rate.
    pub rate: ExchangeRate,
    /// Who says so.
    pub source: String,
    /// Of when it is.
    pub as_of: Timestamp,
}

/// A price that was promised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quote {
    /// Its id.
    #[serde(rename = "quoteId")]
    pub id: QuoteId,
    /// What is sold.
    pub offer: Offer,
    /// For how much.
    pub price: QuotedPrice,
    /// When it was promised.
    pub created_at: Timestamp,
    /// Until when it holds.
    pub expires_at: Timestamp,
}

impl Quote {
    /// A price that is promised from `now` on for `ttl`.
    #[must_use]
    pub fn new(
        id: QuoteId,
        offer: Offer,
        price: QuotedPrice,
        now: Timestamp,
        ttl: Duration,
    ) -> Self {
        Self {
            id,
            offer,
            price,
            created_at: now,
            expires_at: now.plus(ttl),
        }
    }

    /// Whether it still holds.
    #[must_use]
    pub fn holds_at(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}

#[cfg(test)]
mod tests;
