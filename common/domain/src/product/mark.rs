//! A short name for a tier as it was offered, which fits behind a button.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::{CouponCode, ProductId, TierId};

/// A digest of a product's id, its version, a tier's id and the coupon of the offer, if it has one: 16 digits. Once the product changes, it stands for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfferMark(u64);

impl OfferMark {
    /// That of a tier.
    #[must_use]
    pub fn of(
        product: &ProductId,
        version: u64,
        tier: &TierId,
        coupon: Option<&CouponCode>,
    ) -> Self {
        let offer = match coupon {
            Some(code) => format!("{product}#{version}#{tier}#{code}"),
            None => format!("{product}#{version}#{tier}"),
        };
        let digest: [u8; 32] = Sha256::digest(offer).into();
        let bytes = digest.first_chunk().copied().unwrap_or_default();
        Self(u64::from_be_bytes(bytes))
    }
}

impl fmt::Display for OfferMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for OfferMark {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}
