//! An amount of a coin, exact.

use std::fmt;

/// How many decimals an amount can have: a number of JavaScript in the size of a coin's amount has no more.
const DECIMALS: u32 = 24;
/// Above every amount: with 24 decimals it stays below a third of what 128 bits hold, which [`CoinAmount::share`] needs.
const LIMIT: u128 = 10_u128.pow(37);
/// The longest text of an amount, in bytes.
const TEXT_MAX: usize = 64;

/// An amount of a coin: not negative, at most 24 decimals, below ten trillions. In units of 10^-24.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct CoinAmount(u128);

impl CoinAmount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Reads a decimal number, with or without an exponent, as JSON and JavaScript write it. Nothing if it is none, or has
    /// more digits than an amount can have: it is never rounded.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > TEXT_MAX {
            return None;
        }
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return None,
            None => (mantissa, ""),
        };
        if whole.is_empty() {
            return None;
        }
        let mut amount: u128 = 0;
        for digit in whole.chars().chain(fraction.chars()) {
            let digit = u128::from(digit.to_digit(10)?);
            amount = amount.checked_mul(10)?.checked_add(digit)?;
        }
        if amount == 0 {
            return Some(Self::ZERO);
        }
        let decimals = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        let shift = i32::try_from(DECIMALS).ok()?.checked_sub(decimals)?;
        let power = 10_u128.checked_pow(shift.unsigned_abs())?;
        let units = if shift >= 0 {
            amount.checked_mul(power)?
        } else if amount.is_multiple_of(power) {
            amount / power
        } else {
            return None;
        };
        (units < LIMIT).then_some(Self(units))
    }

    /// So many units of 10^-`exponent`, such as cents with the exponent 2; nothing if an amount can't hold it.
    #[must_use]
    pub fn of_units(units: u64, exponent: u32) -> Option<Self> {
        let power = 10_u128.checked_pow(DECIMALS.checked_sub(exponent)?)?;
        let units = u128::from(units).checked_mul(power)?;
        (units < LIMIT).then_some(Self(units))
    }

    /// The amount in units of 10^-`exponent`, rounded down; nothing above 24.
    #[must_use]
    pub fn units(self, exponent: u32) -> Option<u128> {
        Some(self.0 / 10_u128.checked_pow(DECIMALS.checked_sub(exponent)?)?)
    }

    /// `price` x this amount / `whole`, rounded down; nothing if `whole` is zero or the result beyond 64 bits.
    #[must_use]
    pub fn share(self, price: u64, whole: Self) -> Option<u64> {
        let (times, rest) = (self.0.checked_div(whole.0)?, self.0.checked_rem(whole.0)?);
        // Long multiplication by the bits of the price: the remainder stays below `whole`, twice it and `rest` more within
        // 128 bits.
        let (mut quotient, mut remainder) = (0_u128, 0_u128);
        for bit in (0..u64::BITS).rev() {
            quotient = quotient.checked_mul(2)?;
            remainder = remainder.checked_mul(2)?;
            if (price >> bit) & 1 == 1 {
                quotient = quotient.checked_add(times)?;
                remainder = remainder.checked_add(rest)?;
            }
            quotient = quotient.checked_add(remainder / whole.0)?;
            remainder %= whole.0;
        }
        u64::try_from(quotient).ok()
    }
}

/// As decimals without an exponent and without zeros at the end.
impl fmt::Display for CoinAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let power = 10_u128.pow(DECIMALS);
        let (whole, fraction) = (self.0 / power, self.0 % power);
        let fraction = format!("{fraction:024}");
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{whole}"),
            fraction => write!(f, "{whole}.{fraction}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> CoinAmount {
        CoinAmount::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn an_amount_is_read_exactly_or_not_at_all() {
        for (text, shown) in [
            ("0", "0"),
            ("0e99", "0"),
            ("10.0", "10"),
            ("29.912345", "29.912345"),
            ("94.088939000", "94.088939"),
            ("1e-7", "0.0000001"),
            ("1.5e-9", "0.0000000015"),
            ("1e+12", "1000000000000"),
            ("0.09853637216235617", "0.09853637216235617"),
            ("0.000041013900000000004", "0.000041013900000000004"),
            (
                "9999999999999.999999999999999999999999",
                "9999999999999.999999999999999999999999",
            ),
        ] {
            assert_eq!(amount(text).to_string(), shown, "{text}");
        }
        for refused in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e",
            "e1",
            "1e-30",
            "1e99999999999",
            "1e-2147483648",
            "1e2147483647",
            "1 ",
            "0x1",
            "1,5",
            "NaN",
            "١",
            "10000000000000",
            "1e+21",
            "0.0000000000000000000000001",
            "1000000000000000000000000000000000000000000000000000000000000000000000",
        ] {
            assert_eq!(CoinAmount::parse(refused), None, "{refused}");
        }
    }

    #[test]
    fn a_share_is_rounded_down_and_exact_in_the_extremes() {
        for (price, paid, whole, expected) in [
            (2990, "29.912345", "29.912345", Some(2990)),
            (2990, "29.912344", "29.912345", Some(2989)),
            (2990, "29.912346", "29.912345", Some(2990)),
            (3000, "1", "3", Some(1000)),
            (3000, "2", "3", Some(2000)),
            (100, "1e-7", "3e-7", Some(33)),
            (500, "180", "165.652609", Some(543)),
            (2990, "0", "29.9", Some(0)),
            (0, "5", "1", Some(0)),
            (2990, "1", "0", None),
            (
                u64::MAX,
                "9999999999999.999999999999999999999999",
                "9999999999999.999999999999999999999999",
                Some(u64::MAX),
            ),
            (
                u64::MAX,
                "9999999999999.999999999999999999999998",
                "9999999999999.999999999999999999999999",
                Some(u64::MAX - 1),
            ),
            (u64::MAX, "2", "1", None),
            (1, "9999999999999", "1e-24", None),
        ] {
            assert_eq!(
                amount(paid).share(price, amount(whole)),
                expected,
                "{price} x {paid} / {whole}"
            );
        }
    }

    #[test]
    fn units_are_those_of_the_exponent() {
        assert_eq!(CoinAmount::of_units(2990, 2), Some(amount("29.9")));
        assert_eq!(CoinAmount::of_units(u64::MAX, 0), None);
        assert_eq!(CoinAmount::of_units(1, 25), None);
        assert_eq!(amount("1.3100009").units(6), Some(1_310_000));
        assert_eq!(amount("55").units(25), None);
    }
}
