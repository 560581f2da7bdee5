//! What was approved on a day, of which a deployment may have a bound.

use serde::{Deserialize, Serialize};

use super::super::order::day::BookDay;
use super::super::time::Timestamp;
use super::PayoutRefused;

/// What was approved on a day in a currency. It only grows: what failed after it was approved may have left all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovedOfDay {
    /// The day, in UTC.
    pub day: String,
    /// The currency.
    pub currency: String,
    /// How much, in minor units.
    pub total: i128,
    /// How often it was written.
    pub revision: u64,
}

impl ApprovedOfDay {
    /// A day on which nothing was approved yet.
    #[must_use]
    pub fn new(currency: &str, now: Timestamp) -> Self {
        Self {
            day: BookDay::of(now).to_string(),
            currency: currency.to_owned(),
            total: 0,
            revision: 0,
        }
    }

    /// The day once a payout of this sum is approved, too.
    ///
    /// # Errors
    /// [`PayoutRefused::DayFull`] if that is more than `max`.
    pub fn with(&self, total: i128, max: i128) -> Result<Self, PayoutRefused> {
        let sum = self.total.checked_add(total).filter(|sum| *sum <= max);
        let total = sum.ok_or(PayoutRefused::DayFull)?;
        Ok(Self {
            total,
            ..self.clone()
        })
    }
}
