//! Money: whole numbers of minor units, as each provider counts them, and their decimal text.
//!
//! How many decimals a currency has depends on who is asked: ISO counts Icelandic krónur whole, Stripe in hundredths that end in
//! `00`. So an amount always goes with the [`MinorUnit`] of its provider. Prices: [`pricing`].

#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        clippy::float_arithmetic
    )
)]

pub mod pricing;

use serde::{Deserialize, Serialize};

/// Who takes a payment. A word in lower case in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PaymentProvider {
    /// Cards and what else Stripe takes.
    Stripe,
    /// Coins, by NOWPayments.
    NowPayments,
    /// Telegram Stars.
    Stars,
}

impl PaymentProvider {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stripe => "stripe",
            Self::NowPayments => "nowpayments",
            Self::Stars => "stars",
        }
    }

    /// The one that the word is for.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        let all = [Self::Stripe, Self::NowPayments, Self::Stars];
        all.into_iter().find(|provider| provider.as_str() == word)
    }

    /// How it counts amounts.
    #[must_use]
    pub const fn amounts(self) -> AmountTable {
        match self {
            Self::Stripe => AmountTable::Stripe,
            Self::NowPayments => AmountTable::NowPayments,
            Self::Stars => AmountTable::Stars,
        }
    }
}

/// Who takes the money, and so how amounts are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AmountTable {
    /// Stripe: lower-case ISO codes, in minor units of its own table (docs.stripe.com/currencies).
    Stripe,
    /// NOWPayments: prices in two decimals.
    NowPayments,
    /// Telegram Stars, whole.
    Stars,
}

/// How a provider counts a currency, and what of it can be charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MinorUnit {
    /// How many decimals of the currency one minor unit stands behind.
    pub exponent: u32,
    /// A charge is a multiple of this many minor units.
    pub step: i128,
    /// The least charge, but for none at all.
    pub least: i128,
}

/// Stripe's largest charge, in minor units: eight digits, but for a few currencies.
const STRIPE_MOST: i128 = 99_999_999;
const STRIPE_MOST_OF: [(&str, i128); 2] = [("inr", 999_999_999), ("idr", 999_999_999_999)];
/// The largest price in coins that we ask for, in minor units: as Stripe's largest.
const NOWPAYMENTS_MOST: i128 = 999_999_999_999;
/// The largest price in Stars that we ask for. Telegram publishes none.
const STARS_MOST: i128 = 100_000;

/// Stripe's currencies without decimals.
const STRIPE_WHOLE: [&str; 15] = [
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf",
    "xof", "xpf",
];
/// Stripe's currencies without decimals that are sent in hundredths all the same.
const STRIPE_WHOLE_IN_HUNDREDTHS: [&str; 2] = ["isk", "ugx"];
/// Stripe's currencies with three decimals, the last of them 0.
const STRIPE_THREE: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];
/// Stripe's least charges, in minor units. They hold for the currency of settlement; one that is charged is mostly that.
const STRIPE_LEAST: [(&str, i128); 24] = [
    ("aed", 200),
    ("aud", 50),
    ("bgn", 100),
    ("brl", 50),
    ("cad", 50),
    ("chf", 50),
    ("czk", 1500),
    ("dkk", 250),
    ("eur", 50),
    ("gbp", 30),
    ("hkd", 400),
    ("huf", 17_500),
    ("inr", 50),
    ("jpy", 50),
    ("mxn", 1000),
    ("myr", 200),
    ("nok", 300),
    ("nzd", 50),
    ("pln", 200),
    ("ron", 200),
    ("sek", 300),
    ("sgd", 50),
    ("thb", 1000),
    ("usd", 50),
];

impl AmountTable {
    /// The table of a provider, by its name; of one that is unknown, Stripe's.
    #[must_use]
    pub fn of_provider(name: &str) -> Self {
        match name {
            "stars" => Self::Stars,
            "nowpayments" => Self::NowPayments,
            _ => Self::Stripe,
        }
    }

    /// The table of a currency in the books, of whatever provider.
    #[must_use]
    pub fn of_books(currency: &str) -> Self {
        match currency {
            "XTR" => Self::Stars,
            code if code.len() == 3 => Self::Stripe,
            _ => Self::NowPayments,
        }
    }

    /// An amount of `currency` in minor units, as people write it: `30.00 USD`, without decimals where there can be none.
    #[must_use]
    pub fn in_words(self, currency: &str, amount: i128) -> String {
        let code = match self {
            Self::Stars => "Stars".to_owned(),
            Self::Stripe | Self::NowPayments => currency.to_uppercase(),
        };
        let Some(unit) = self.unit(currency) else {
            return format!("{amount} {code}");
        };
        let text = unit.format(amount);
        let is_whole = 10_i128.checked_pow(unit.exponent) == Some(unit.step);
        match text.split_once('.') {
            Some((whole, _)) if is_whole => format!("{whole} {code}"),
            _ => format!("{text} {code}"),
        }
    }

    /// How `currency` is counted; absent if it is not written as this provider writes currencies.
    #[must_use]
    pub fn unit(self, currency: &str) -> Option<MinorUnit> {
        let is_code = |letters: std::ops::RangeInclusive<usize>| {
            letters.contains(&currency.len())
                && currency
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        match self {
            Self::Stars => (currency == "XTR").then_some(MinorUnit {
                exponent: 0,
                step: 1,
                least: 1,
            }),
            Self::NowPayments => is_code(2..=20).then_some(MinorUnit {
                exponent: 2,
                step: 1,
                least: 1,
            }),
            Self::Stripe => is_code(3..=3).then(|| stripe_unit(currency)),
        }
    }

    /// The largest charge in `currency`, in its minor units.
    #[must_use]
    pub fn most(self, currency: &str) -> i128 {
        match self {
            Self::Stars => STARS_MOST,
            Self::NowPayments => NOWPAYMENTS_MOST,
            Self::Stripe => {
                let known = STRIPE_MOST_OF.iter().find(|(code, _)| *code == currency);
                known.map_or(STRIPE_MOST, |(_, most)| *most)
            }
        }
    }
}

fn stripe_unit(currency: &str) -> MinorUnit {
    let (exponent, step) = if STRIPE_WHOLE.contains(&currency) {
        (0, 1)
    } else if STRIPE_WHOLE_IN_HUNDREDTHS.contains(&currency) {
        (2, 100)
    } else if STRIPE_THREE.contains(&currency) {
        (3, 10)
    } else {
        (2, 1)
    };
    let known = STRIPE_LEAST.iter().find(|(code, _)| *code == currency);
    MinorUnit {
        exponent,
        step,
        least: known.map_or(step, |(_, least)| *least),
    }
}

/// Why a text is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountFault {
    /// It is not digits, with at most one point between them.
    #[error("an amount is written in digits, with at most one point between them")]
    NotDecimal,
    /// It has more decimals than the currency.
    #[error("the amount has more than {exponent} decimals")]
    TooFine {
        /// How many it may have.
        exponent: u32,
    },
    /// It does not fit.
    #[error("the amount is too large")]
    TooLarge,
}

impl MinorUnit {
    /// Reads an amount like `12.5`, without a sign or an exponent. Zeros beyond the currency's decimals are none.
    ///
    /// # Errors
    /// See [`AmountFault`].
    pub fn parse(self, text: &str) -> Result<i128, AmountFault> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !are_digits(whole) || !are_digits(decimals) {
            return Err(AmountFault::NotDecimal);
        }
        let exponent = self.exponent;
        let width = usize::try_from(exponent).map_err(|_| AmountFault::TooLarge)?;
        let decimals = decimals.trim_end_matches('0');
        if decimals.len() > width {
            return Err(AmountFault::TooFine { exponent });
        }
        let digits = format!("{whole}{decimals:0<width$}");
        digits.parse().map_err(|_| AmountFault::TooLarge)
    }

    /// Writes an amount with all decimals of the currency: `12.50`.
    #[must_use]
    pub fn format(self, amount: i128) -> String {
        let width = usize::try_from(self.exponent).unwrap_or(0);
        let sign = if amount < 0 { "-" } else { "" };
        let digits = amount.unsigned_abs().to_string();
        let least = width.saturating_add(1);
        let digits = format!("{digits:0>least$}");
        let (whole, decimals) = digits.split_at(digits.len().saturating_sub(width));
        match decimals {
            "" => format!("{sign}{whole}"),
            _ => format!("{sign}{whole}.{decimals}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_provider_counts_in_its_own_way() {
        use AmountTable::{NowPayments, Stars, Stripe};
        let unit = |exponent, step, least| {
            Some(MinorUnit {
                exponent,
                step,
                least,
            })
        };
        for (table, currency, expected) in [
            (Stripe, "usd", unit(2, 1, 50)),
            (Stripe, "gbp", unit(2, 1, 30)),
            (Stripe, "jpy", unit(0, 1, 50)),
            (Stripe, "krw", unit(0, 1, 1)),
            (Stripe, "isk", unit(2, 100, 100)),
            (Stripe, "ugx", unit(2, 100, 100)),
            (Stripe, "kwd", unit(3, 10, 10)),
            (Stripe, "huf", unit(2, 1, 17_500)),
            (Stripe, "USD", None),
            (Stripe, "usdt", None),
            (NowPayments, "usd", unit(2, 1, 1)),
            (NowPayments, "usdttrc20", unit(2, 1, 1)),
            (NowPayments, "", None),
            (Stars, "XTR", unit(0, 1, 1)),
            (Stars, "usd", None),
        ] {
            assert_eq!(table.unit(currency), expected, "{table:?} {currency}");
        }
    }

    #[test]
    fn people_read_an_amount_as_its_provider_counts_it() {
        for (provider, currency, amount, words) in [
            ("stripe", "usd", 3000, "30.00 USD"),
            ("stripe", "jpy", 3000, "3000 JPY"),
            ("stripe", "isk", 300_000, "3000 ISK"),
            ("stripe", "kwd", 3000, "3.000 KWD"),
            ("nowpayments", "jpy", 3000, "30.00 JPY"),
            ("stars", "XTR", 500, "500 Stars"),
            // Not a code of Stripe's: as it is counted.
            ("stripe", "usdt", 7, "7 USDT"),
        ] {
            let table = AmountTable::of_provider(provider);
            assert_eq!(table.in_words(currency, amount), words);
        }
    }

    #[test]
    fn amounts_are_read_and_written_exactly() {
        let unit = |exponent| MinorUnit {
            exponent,
            step: 1,
            least: 1,
        };
        for (exponent, text, amount, written) in [
            (2, "12.5", 1250, "12.50"),
            (2, "0.07", 7, "0.07"),
            (2, "007", 700, "7.00"),
            (2, "1.500", 150, "1.50"),
            (0, "500", 500, "500"),
            (0, "500.00", 500, "500"),
            (3, "1.23", 1230, "1.230"),
            (18, "0.000000000000000001", 1, "0.000000000000000001"),
        ] {
            assert_eq!(unit(exponent).parse(text), Ok(amount), "{text}");
            assert_eq!(unit(exponent).format(amount), written);
            assert_eq!(unit(exponent).parse(written), Ok(amount), "{written}");
        }
        assert_eq!(unit(2).format(-5), "-0.05");
        assert_eq!(
            unit(0).format(i128::MIN),
            "-170141183460469231731687303715884105728"
        );
        for (text, fault) in [
            ("", AmountFault::NotDecimal),
            (".5", AmountFault::NotDecimal),
            ("5.", AmountFault::NotDecimal),
            ("-5", AmountFault::NotDecimal),
            ("+5", AmountFault::NotDecimal),
            ("1e3", AmountFault::NotDecimal),
            ("1,5", AmountFault::NotDecimal),
            ("1.2.3", AmountFault::NotDecimal),
            ("٣", AmountFault::NotDecimal),
            ("0.001", AmountFault::TooFine { exponent: 2 }),
            (
                "1701411834604692317316873037158841057.28",
                AmountFault::TooLarge,
            ),
        ] {
            assert_eq!(unit(2).parse(text), Err(fault), "{text}");
        }
    }
}
