//! Words and amounts of products that are right by their type.

use std::fmt;
use std::str::FromStr;

use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// The longest id of a product and of a tier.
const ID_MAX: usize = 40;
/// The lengths of a coupon's code.
const CODE_LENGTHS: std::ops::RangeInclusive<usize> = 3..=32;
/// The largest amount: JavaScript counts so far, too, and no price of ours is larger.
const AMOUNT_MAX: u64 = 999_999_999_999;

/// A text that is not such a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be {must_be}")]
pub struct NotAWord {
    must_be: &'static str,
}

macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $must_be:literal, $is_one:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NotAWord;

            fn from_str(text: &str) -> Result<Self, NotAWord> {
                let is_one: fn(&str) -> bool = $is_one;
                match is_one(text) {
                    true => Ok(Self(text.to_owned())),
                    false => Err(NotAWord { must_be: $must_be }),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAWord;

            fn try_from(text: String) -> Result<Self, NotAWord> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> Self {
                word.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

fn is_id(text: &str) -> bool {
    let is_letter = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    (1..=ID_MAX).contains(&text.len()) && text.bytes().all(is_letter)
}

word!(
    /// The id of a product.
    ProductId,
    "1 to 40 of the characters a to z, 0 to 9 and -",
    is_id
);
word!(
    /// The id of a tier, within its product.
    TierId,
    "1 to 40 of the characters a to z, 0 to 9 and -",
    is_id
);
word!(
    /// What a buyer types to have a coupon.
    CouponCode,
    "3 to 32 of the characters A to Z, 0 to 9 and -",
    |text| {
        let is_letter = |byte: u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'-');
        CODE_LENGTHS.contains(&text.len()) && text.bytes().all(is_letter)
    }
);
word!(
    /// A currency: an ISO code in lower case, or `XTR`, which are Telegram Stars.
    Currency,
    "a currency of ISO 4217 in lower case, such as usd, or XTR for Telegram Stars",
    |text| text == STARS
        || (text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_lowercase()))
);

const STARS: &str = "XTR";

impl CouponCode {
    /// The code that a buyer typed: in any letter case, with blanks around it.
    ///
    /// # Errors
    /// [`NotAWord`].
    pub fn typed(text: &str) -> Result<Self, NotAWord> {
        text.trim().to_ascii_uppercase().parse()
    }
}

impl Currency {
    /// Telegram Stars.
    #[must_use]
    pub fn stars() -> Self {
        Self(STARS.to_owned())
    }

    /// Whether it is Telegram Stars.
    #[must_use]
    pub fn is_stars(&self) -> bool {
        self.0 == STARS
    }

    /// The currency that a caller named, in any letter case.
    ///
    /// # Errors
    /// [`NotAWord`].
    pub fn named(text: &str) -> Result<Self, NotAWord> {
        match text.trim() {
            text if text.eq_ignore_ascii_case(STARS) => Ok(Self::stars()),
            text => text.to_ascii_lowercase().parse(),
        }
    }
}

/// An amount that is not negative, in minor units. Read from an integer, or from its digits as a string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct MinorAmount(u64);

impl MinorAmount {
    /// The amount; absent if it is negative or too large to be one.
    #[must_use]
    pub fn of(amount: i128) -> Option<Self> {
        let amount = u64::try_from(amount).ok()?;
        (amount <= AMOUNT_MAX).then_some(Self(amount))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> i128 {
        self.0.into()
    }
}

impl fmt::Display for MinorAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for MinorAmount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AmountVisitor)
    }
}

struct AmountVisitor;

impl Visitor<'_> for AmountVisitor {
    type Value = MinorAmount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a whole number of minor units from 0 to {AMOUNT_MAX}, or its digits as a string"
        )
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<MinorAmount, E> {
        let amount = MinorAmount::of(number.into());
        amount.ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<MinorAmount, E> {
        let amount = MinorAmount::of(number.into());
        amount.ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_str<E: serde::de::Error>(self, digits: &str) -> Result<MinorAmount, E> {
        // No sign, which `parse` would take.
        let is_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        let number: Option<u64> = digits.parse().ok().filter(|_| is_digits);
        let amount = number.and_then(|number| MinorAmount::of(number.into()));
        amount.ok_or_else(|| E::invalid_value(Unexpected::Str(digits), &self))
    }
}
