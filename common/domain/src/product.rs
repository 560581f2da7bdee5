//! What is sold: products, their tiers and prices, discounts and coupons.
//!
//! A product is read from JSON as it was written by an operator, and checked as a whole ([`ProductDraft`]). Prices are integers
//! of minor units, as Stripe counts them, Stars whole. What an order needs of a tier is copied into it: nothing that becomes of
//! the product later touches an order.

mod check;
mod draft;
mod ids;
mod mark;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::id::ChatId;
use super::money::pricing::CouponValue;
use super::time::Timestamp;

pub(crate) use check::RECURRING_MONTHS_MAX;
pub use check::{ProductProblem, ProductRules};
pub use draft::ProductDraft;
pub use ids::{CouponCode, Currency, MinorAmount, NotAWord, ProductId, TierId};
pub use mark::OfferMark;

/// The length of a subscription to Telegram Stars, in days: Telegram has no other.
pub const STARS_PERIOD_DAYS: u32 = 30;

/// What is sold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// Its id.
    #[serde(rename = "productId")]
    pub id: ProductId,
    /// What it is called.
    pub title: String,
    /// What a buyer gets.
    #[serde(default)]
    pub description: String,
    /// The address of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// The chats that it opens; several are a bundle.
    pub chats: Vec<ChatId>,
    /// Who gets what it earns.
    pub owner: String,
    /// The platform's share of that, in basis points.
    pub fee_bps: u32,
    /// The currency from whose prices those in other currencies are converted; absent: only prices that are written are offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub convert_from: Option<Currency>,
    /// What may be chosen.
    pub tiers: Vec<Tier>,
    /// Discounts for several periods at once.
    #[serde(default)]
    pub volume: Vec<VolumeDiscount>,
    /// The discount for who was brought by somebody, on what is paid first, in basis points.
    #[serde(default)]
    pub referral_off_bps: u32,
    /// The most that all discounts take off together, in basis points.
    #[serde(default = "all_bps")]
    pub most_off_bps: u32,
    /// The coupons.
    #[serde(default)]
    pub coupons: Vec<Coupon>,
}

const fn all_bps() -> u32 {
    10_000
}

impl Product {
    /// The tier of this id.
    #[must_use]
    pub fn tier(&self, id: &TierId) -> Option<&Tier> {
        self.tiers.iter().find(|tier| tier.id == *id)
    }

    /// The coupon of this code.
    #[must_use]
    pub fn coupon(&self, code: &CouponCode) -> Option<&Coupon> {
        self.coupons.iter().find(|coupon| coupon.code == *code)
    }

    /// The discount for so many months at once, in basis points: that of the longest time that is reached.
    #[must_use]
    pub fn volume_off_bps(&self, months: u32) -> u32 {
        let reached = self.volume.iter().filter(|one| one.months <= months);
        let longest = reached.max_by_key(|one| one.months);
        longest.map_or(0, |one| one.off_bps)
    }
}

/// A way to buy a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tier {
    /// Its id, within the product.
    pub id: TierId,
    /// How much it is above the others, from 0.
    #[serde(default)]
    pub level: u32,
    /// What it is called.
    pub title: String,
    /// How long it lasts.
    pub length: TierLength,
    /// Whether it is paid anew for each length, until somebody ends it.
    #[serde(default)]
    pub recurring: bool,
    /// How many days are free before the first charge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial_days: Option<u32>,
    /// What it costs in each currency, in minor units as Stripe counts them.
    #[serde(default)]
    pub prices: BTreeMap<Currency, MinorAmount>,
    /// What it costs in Telegram Stars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stars_price: Option<MinorAmount>,
    /// How many may be sold; absent: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seats: Option<u32>,
    /// From when on it is sold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sold_from: Option<Timestamp>,
    /// Until when it is sold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sold_until: Option<Timestamp>,
}

impl Tier {
    /// Whether it is sold at `now`; whether seats are left is another question.
    #[must_use]
    pub fn is_sold_at(&self, now: Timestamp) -> bool {
        self.sold_from.is_none_or(|from| from <= now)
            && self.sold_until.is_none_or(|until| now < until)
    }
}

/// How long a tier lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TierLength {
    /// So many times 24 hours.
    Days(u32),
    /// So many months by the calendar.
    Months(u32),
    /// It does not end.
    ForEver,
}

impl TierLength {
    /// How many seconds it is from `start` on: months are as long as the calendar says. Absent: for ever.
    #[must_use]
    pub fn seconds(self, start: Timestamp) -> Option<i64> {
        match self {
            Self::Days(days) => Some(i64::from(days).saturating_mul(24 * 3600)),
            Self::Months(months) => Some(start.plus_months(months).seconds() - start.seconds()),
            Self::ForEver => None,
        }
    }
}

/// A discount for several periods at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeDiscount {
    /// From how many months on.
    pub months: u32,
    /// How much it takes off, in basis points.
    pub off_bps: u32,
}

/// A coupon of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Coupon {
    /// What a buyer types.
    pub code: CouponCode,
    /// What it takes off.
    pub off: CouponOff,
    /// What of a tier that recurs it is for.
    #[serde(default)]
    pub periods: CouponPeriods,
    /// From when on it is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Until when it is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How often it is taken in all; absent: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uses: Option<u32>,
    /// Whether each person may use it once; it needs a known person then.
    #[serde(default)]
    pub once_per_person: bool,
}

impl Coupon {
    /// Whether it is taken at `now`; whether uses are left is another question.
    #[must_use]
    pub fn is_taken_at(&self, now: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }

    /// What it takes off a price in `currency`; absent if it takes nothing off in that.
    #[must_use]
    pub fn value_in(&self, currency: &Currency) -> Option<CouponValue> {
        match &self.off {
            CouponOff::Bps(bps) => Some(CouponValue::Percent(*bps)),
            CouponOff::Amounts(amounts) => amounts
                .get(currency)
                .map(|amount| CouponValue::Amount(amount.get())),
        }
    }
}

/// What a coupon takes off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CouponOff {
    /// A share, in basis points.
    Bps(u32),
    /// An amount in each currency, in minor units as Stripe counts them; `XTR` are Stars.
    Amounts(BTreeMap<Currency, MinorAmount>),
}

/// What of a tier that recurs a coupon is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CouponPeriods {
    /// What is paid first.
    #[default]
    First,
    /// All that is paid.
    All,
}

#[cfg(test)]
mod tests;
