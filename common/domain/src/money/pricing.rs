//! What a quote asks: a price, the discounts on it, the conversion, and one rounding at the end.
//!
//! Everything between is exact. A price is a fraction of 128-bit numbers; a rate that does not leave room for that is an
//! error, not a loss of digits.

use rust_decimal::Decimal;

use super::super::exact::{ALL_BPS, Overflow, add, subtract, sum};
use super::MinorUnit;

/// What a coupon takes off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CouponValue {
    /// A share of what is left, in basis points; above 10,000 is as 10,000.
    Percent(u32),
    /// An amount, in minor units of the price.
    Amount(i128),
}

/// A rate as a ratio, so that the cross rate of two currencies is exact: one `from` is `to` / `from` of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExchangeRate {
    /// How much of the price's currency the source gives for its own unit.
    pub from: Decimal,
    /// How much of the charged currency it gives for the same.
    pub to: Decimal,
}

/// What a price is made of. Amounts are in minor units of the price's currency, and not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceParts {
    /// The price of all that is bought.
    pub base: i128,
    /// The discount for several periods at once, in basis points.
    pub volume_bps: u32,
    /// The coupon.
    pub coupon: Option<CouponValue>,
    /// The discount for who was brought by somebody, in basis points.
    pub referral_bps: u32,
    /// The most that these three take off the base together, in basis points.
    pub most_off_bps: u32,
    /// What the order that is replaced did not use.
    pub unused: i128,
    /// The rate to the currency that is charged, if that is another.
    pub rate: Option<ExchangeRate>,
}

/// A price in the currency that is charged, line by line, in its minor units. The lines before `due` sum up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceLines {
    /// The price.
    pub base: i128,
    /// The discount for several periods; this and the next three are 0 or less.
    pub volume: i128,
    /// What the coupon takes off.
    pub coupon: i128,
    /// The discount for who was brought by somebody.
    pub referral: i128,
    /// What the order that is replaced did not use.
    pub unused: i128,
    /// What leads to an amount that can be charged.
    pub rounding: i128,
    /// What is to be paid now.
    pub due: i128,
}

/// Why there is no price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceFault {
    /// A part is negative.
    #[error("`{0}` is negative")]
    Negative(&'static str),
    /// A rate is not more than 0.
    #[error("a rate is more than 0")]
    NoRate,
    /// A number does not fit.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

/// Prices `parts`, which are counted in `priced`, for a charge that is counted in `charged`.
///
/// Each discount is taken from what the ones before it left, and none takes more than may be taken off in all. What is left is rounded half up to what can be charged, and
/// is the least charge if it is less, but 0 if nothing is left.
///
/// # Errors
/// See [`PriceFault`].
pub fn price(
    parts: &PriceParts,
    priced: MinorUnit,
    charged: MinorUnit,
) -> Result<PriceLines, PriceFault> {
    let coupon_amount = match parts.coupon {
        Some(CouponValue::Amount(amount)) => amount,
        Some(CouponValue::Percent(_)) | None => 0,
    };
    for (name, amount) in [
        ("base", parts.base),
        ("coupon", coupon_amount),
        ("unused", parts.unused),
    ] {
        if amount < 0 {
            return Err(PriceFault::Negative(name));
        }
    }
    let one = match parts.rate {
        Some(rate) => conversion(rate, priced, charged)?,
        None => power_ratio(charged.exponent, priced.exponent)?,
    };
    let base = one.times(parts.base, 1)?;
    let least = base.less_bps(parts.most_off_bps)?;
    let after_volume = base.less_bps(parts.volume_bps)?.at_least(least)?;
    let after_coupon = match parts.coupon {
        Some(CouponValue::Percent(bps)) => after_volume.less_bps(bps)?,
        Some(CouponValue::Amount(amount)) => after_volume.less(one.times(amount, 1)?)?,
        None => after_volume,
    };
    let after_coupon = after_coupon.at_least(least)?;
    let after_referral = after_coupon.less_bps(parts.referral_bps)?;
    let after_referral = after_referral.at_least(least)?;
    let left = after_referral.less(one.times(parts.unused, 1)?)?;
    let steps = [base, after_volume, after_coupon, after_referral, left];
    let mut lines = [0; 5];
    let mut before = 0;
    for (line, step) in lines.iter_mut().zip(steps) {
        // Each line leads from one rounded subtotal to the next, so that none strays further than a minor unit.
        let subtotal = step.half_up(1)?;
        *line = subtract(subtotal, before, "price")?;
        before = subtotal;
    }
    let due = match left.half_up(charged.step)? {
        _ if left.num == 0 => 0,
        due => due.max(charged.least),
    };
    let [base, volume, coupon, referral, unused] = lines;
    Ok(PriceLines {
        base,
        volume,
        coupon,
        referral,
        unused,
        rounding: subtract(due, sum(lines, "price")?, "price")?,
        due,
    })
}

/// What is left of a charge for a time, to the second, rounded down: what an order that is replaced did not use.
///
/// # Errors
/// The product does not fit.
pub fn unused(charge: i128, seconds_left: u32, seconds: u32) -> Result<i128, Overflow> {
    let left = i128::from(seconds_left.min(seconds));
    super::super::exact::share_down(charge, left, i128::from(seconds), "unused")
}

/// A number that is not negative, as a ratio in lowest terms.
#[derive(Clone, Copy)]
struct Ratio {
    num: i128,
    den: i128,
}

const TOO_LARGE: Overflow = Overflow { field: "price" };

impl Ratio {
    fn times(self, num: i128, den: i128) -> Result<Self, Overflow> {
        // Reduced crosswise, the product is in lowest terms, and no larger than it has to be.
        let (own, others) = (common(self.num, den), common(num, self.den));
        let product = |one: i128, other: i128| one.checked_mul(other).ok_or(TOO_LARGE);
        Ok(Self {
            num: product(divided(self.num, own), divided(num, others))?,
            den: product(divided(self.den, others), divided(den, own))?,
        })
    }

    fn less_bps(self, bps: u32) -> Result<Self, Overflow> {
        let left = subtract(ALL_BPS, i128::from(bps), "price")?;
        self.times(left.max(0), ALL_BPS)
    }

    /// What is left after `other`, at least 0.
    fn less(self, other: Self) -> Result<Self, Overflow> {
        let shared = common(self.den, other.den);
        let scale = divided(other.den, shared);
        let own = self.num.checked_mul(scale).ok_or(TOO_LARGE)?;
        let taken = other.num.checked_mul(divided(self.den, shared));
        let num = subtract(own, taken.ok_or(TOO_LARGE)?, "price")?;
        let den = self.den.checked_mul(scale).ok_or(TOO_LARGE)?;
        Self {
            num: num.max(0),
            den: 1,
        }
        .times(1, den)
    }

    /// The larger of the two.
    fn at_least(self, least: Self) -> Result<Self, Overflow> {
        match least.less(self)?.num {
            0 => Ok(self),
            _ => Ok(least),
        }
    }

    /// The nearest multiple of `step`, half up.
    fn half_up(self, step: i128) -> Result<i128, Overflow> {
        let steps = self.times(1, step)?;
        let floor = divided(steps.num, steps.den);
        let rest = steps.num.checked_rem(steps.den).unwrap_or(0);
        let is_half = rest >= subtract(steps.den, rest, "price")?;
        let count = add(floor, i128::from(is_half), "price")?;
        count.checked_mul(step).ok_or(TOO_LARGE)
    }
}

/// How many minor units of the charge one minor unit of the price is.
fn conversion(
    rate: ExchangeRate,
    priced: MinorUnit,
    charged: MinorUnit,
) -> Result<Ratio, PriceFault> {
    if rate.from <= Decimal::ZERO || rate.to <= Decimal::ZERO {
        return Err(PriceFault::NoRate);
    }
    let (from, to) = (rate.from.normalize(), rate.to.normalize());
    let scale = power_ratio(from.scale(), to.scale())?;
    let units = power_ratio(charged.exponent, priced.exponent)?;
    let of_rate = Ratio { num: 1, den: 1 }.times(to.mantissa(), from.mantissa())?;
    Ok(of_rate
        .times(scale.num, scale.den)?
        .times(units.num, units.den)?)
}

/// Ten to the difference of two exponents.
fn power_ratio(up: u32, down: u32) -> Result<Ratio, Overflow> {
    let power = |exponent: u32| 10_i128.checked_pow(exponent).ok_or(TOO_LARGE);
    Ok(Ratio {
        num: power(up.saturating_sub(down))?,
        den: power(down.saturating_sub(up))?,
    })
}

/// The greatest common divisor of two numbers, neither of them negative; 1 if both are 0.
fn common(one: i128, other: i128) -> i128 {
    let (mut one, mut other) = (one, other);
    while let Some(rest) = one.checked_rem(other) {
        (one, other) = (other, rest);
    }
    one.max(1)
}

/// No divisor here is 0: they are steps, denominators and common divisors.
fn divided(one: i128, by: i128) -> i128 {
    one.checked_div(by).unwrap_or(0)
}

#[cfg(test)]
mod tests;
