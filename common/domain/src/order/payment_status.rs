//! What a program hears of an order that asks for it: one word of three, and a sentence.

use super::fold::OrderState;

/// Where a payment stands, for who waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentStatus {
    /// It may still be paid, or what came is not yet decided.
    Pending,
    /// It is paid.
    Confirmed,
    /// It is not paid, and nothing is to be waited for.
    Failed,
}

impl PaymentStatus {
    /// The word in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Failed => "failed",
        }
    }
}

impl OrderState {
    /// Where the payment stands.
    #[must_use]
    pub const fn payment_status(self) -> PaymentStatus {
        match self {
            Self::Paid | Self::PartlyRefunded => PaymentStatus::Confirmed,
            Self::Lost | Self::Refunded | Self::Refused | Self::Cancelled | Self::Expired => {
                PaymentStatus::Failed
            }
            Self::Open | Self::Pending | Self::Underpaid | Self::Disputed => PaymentStatus::Pending,
        }
    }

    /// The state in a sentence, for the people who write such programs.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Open => "The order waits for its payment.",
            Self::Pending => "A payment is on its way; its provider has not confirmed it yet.",
            Self::Underpaid => "A payment came, and a part of the price is missing.",
            Self::Paid => "The order is paid.",
            Self::PartlyRefunded => "The order is paid, and a part of the money was returned.",
            Self::Disputed => "The payment is disputed and not yet decided.",
            Self::Lost => "A dispute took the payment back.",
            Self::Refunded => "The payment was returned.",
            Self::Refused => "The order could not be filled; its money goes back.",
            Self::Cancelled => "The order was cancelled.",
            Self::Expired => "The time to pay the order is over.",
        }
    }
}
