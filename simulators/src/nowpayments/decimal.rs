//! Amounts: exact decimals of twelve places, and their text as JavaScript writes numbers.

use std::fmt;

/// How many decimals there are.
const PLACES: u32 = 12;
const ONE: i128 = 10_i128.pow(PLACES);
/// Above every amount here.
const LIMIT: i128 = 10_i128.pow(25);

/// An amount of a coin or of a currency, with twelve decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal(i128);

impl Decimal {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Reads a decimal number that isn't negative, `29.9` or `1e-7`; what lies beyond the twelfth decimal is cut off.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: String = format!("{whole}{fraction}");
        if digits.is_empty() || digits.len() > 30 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let digits: i128 = digits.parse().ok()?;
        let places = i32::try_from(PLACES).ok()?;
        let shift = places + exponent.clamp(-100, 100) - i32::try_from(fraction.len()).ok()?;
        let power = 10_i128.checked_pow(shift.unsigned_abs());
        let units = match (shift >= 0, power) {
            (true, Some(power)) => digits.checked_mul(power)?,
            (true, None) => return (digits == 0).then_some(Self::ZERO),
            (false, Some(power)) => digits / power,
            (false, None) => 0,
        };
        (units < LIMIT).then_some(Self(units))
    }

    /// The sum.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0).min(LIMIT))
    }

    /// The difference; nothing if it is negative.
    pub(crate) fn minus(self, other: Self) -> Option<Self> {
        let left = self.0 - other.0;
        (left >= 0).then_some(Self(left))
    }

    /// The product, cut off.
    pub(crate) fn times(self, other: Self) -> Self {
        Self(muldiv(self.0, other.0, ONE))
    }

    /// Half of it, cut off.
    #[must_use]
    pub const fn half(self) -> Self {
        Self(self.0 / 2)
    }

    /// The quotient, cut off; zero by zero.
    pub(crate) fn over(self, other: Self) -> Self {
        Self(muldiv(self.0, ONE, other.0))
    }

    /// Rounded to so many decimals, half up.
    pub(crate) fn rounded(self, places: u32) -> Self {
        let unit = 10_i128.pow(PLACES.saturating_sub(places));
        Self((self.0 + unit / 2) / unit * unit)
    }

    pub(crate) fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether it has at most so many decimals.
    pub(crate) fn has_places(self, places: u32) -> bool {
        self.0 % 10_i128.pow(PLACES.saturating_sub(places)) == 0
    }

    /// The number as JavaScript writes it: with an exponent below a millionth.
    pub(crate) fn js(self) -> String {
        if self.is_zero() || self.0 >= ONE / 1_000_000 {
            return self.to_string();
        }
        let digits = self.0.to_string();
        let exponent = i64::from(PLACES) - digits.len() as i64 + 1;
        let digits = digits.trim_end_matches('0');
        match digits.split_at(1) {
            (first, "") => format!("{first}e-{exponent}"),
            (first, rest) => format!("{first}.{rest}e-{exponent}"),
        }
    }
}

/// `one` x `other` / `by`, saturating.
fn muldiv(one: i128, other: i128, by: i128) -> i128 {
    if by == 0 {
        return 0;
    }
    let result = match one.checked_mul(other) {
        Some(product) => product / by,
        // So large a product has digits to spare.
        None => (one / by).saturating_mul(other),
    };
    result.min(LIMIT)
}

/// Without an exponent, and without zeros at the end.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:012}", self.0 % ONE);
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{}", self.0 / ONE),
            fraction => write!(f, "{}.{fraction}", self.0 / ONE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written_as_javascript_does() {
        for (text, shown) in [
            ("0", "0"),
            ("10.0", "10"),
            ("29.912345", "29.912345"),
            ("0.0000001", "1e-7"),
            ("1.5e-9", "1.5e-9"),
            ("0.000001", "0.000001"),
            ("0.00000123", "0.00000123"),
            ("0.00000012", "1.2e-7"),
            ("1e3", "1000"),
            ("1e-40", "0"),
        ] {
            assert_eq!(
                Decimal::parse(text).map(Decimal::js).as_deref(),
                Some(shown),
                "{text}"
            );
        }
        for refused in ["", "-1", "x", "1e99", "1,5", &"9".repeat(40)] {
            assert_eq!(Decimal::parse(refused), None, "{refused}");
        }
    }

    #[test]
    fn products_and_quotients_are_cut_off_and_rounding_is_half_up() {
        let of = |text: &str| Decimal::parse(text).unwrap_or_default();
        assert_eq!(of("30").over(of("0.5")), of("60"));
        assert_eq!(of("1").over(of("3")).to_string(), "0.333333333333");
        assert_eq!(of("1").over(Decimal::ZERO), Decimal::ZERO);
        assert_eq!(of("0.123456785").rounded(8), of("0.12345679"));
        assert_eq!(of("1000000").times(of("60000")), of("60000000000"));
        assert!(of("0.123456").has_places(6) && !of("0.1234567").has_places(6));
        assert_eq!(of("1").minus(of("2")), None);
    }
}
