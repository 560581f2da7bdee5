//! Why there is no price.

use std::fmt;

/// Why a wish has no price: a stable code, and what the caller can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuoteRejection {
    /// The reason.
    pub kind: QuoteRejectionKind,
    /// One sentence: what is wrong with the wish, and what to do.
    pub why: String,
}

/// Why a wish has no price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuoteRejectionKind {
    /// There is no such product, or no such tier of it.
    UnknownTier,
    /// The tier is not sold at this time.
    NotForSale,
    /// So many months can't be bought at once.
    InvalidMonths,
    /// The tier has no price in this currency.
    CurrencyNotOffered,
    /// The coupon is not one, or not for this.
    CouponNotValid,
    /// The provider is off, or can't sell this.
    NotPossibleWithProvider,
    /// There is no rate that is fresh enough to convert the price.
    RateUnavailable,
}

impl QuoteRejectionKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::UnknownTier,
        Self::NotForSale,
        Self::InvalidMonths,
        Self::CurrencyNotOffered,
        Self::CouponNotValid,
        Self::NotPossibleWithProvider,
        Self::RateUnavailable,
    ];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnknownTier => "unknown_tier",
            Self::NotForSale => "not_for_sale",
            Self::InvalidMonths => "invalid_months",
            Self::CurrencyNotOffered => "currency_not_offered",
            Self::CouponNotValid => "coupon_not_valid",
            Self::NotPossibleWithProvider => "not_possible_with_provider",
            Self::RateUnavailable => "rate_unavailable",
        }
    }

    /// What its caller is told, if nothing is known of the case.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::UnknownTier => "There is no such product, or no such tier of it.",
            Self::NotForSale => "The tier is not sold at this time.",
            Self::InvalidMonths => "So many months can't be bought at once.",
            Self::CurrencyNotOffered => "The tier has no price in this currency.",
            Self::CouponNotValid => "The coupon is not one, or not for this.",
            Self::NotPossibleWithProvider => "This provider can't sell that.",
            Self::RateUnavailable => {
                "There is no fresh rate to convert the price with; ask in a currency that has a price of its own, or again later."
            }
        }
    }
}

impl QuoteRejection {
    pub(super) fn new(kind: QuoteRejectionKind, why: impl Into<String>) -> Self {
        Self {
            kind,
            why: why.into(),
        }
    }
}

impl From<QuoteRejectionKind> for QuoteRejection {
    fn from(kind: QuoteRejectionKind) -> Self {
        Self::new(kind, kind.sentence())
    }
}

impl fmt::Display for QuoteRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)
    }
}
