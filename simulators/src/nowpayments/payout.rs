//! Payouts: batches of withdrawals, and how they are shown.

use super::coin::Coin;
use super::decimal::Decimal;
use super::js::Js;
use super::time::iso;

/// The status of a withdrawal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithdrawalStatus {
    /// `CREATING`: not verified.
    Creating,
    /// `WAITING`
    Waiting,
    /// `PROCESSING`
    Processing,
    /// `SENDING`
    Sending,
    /// `FINISHED`
    Finished,
    /// `FAILED`
    Failed,
    /// `REJECTED`
    Rejected,
    /// `CANCELLED`
    Cancelled,
}

impl WithdrawalStatus {
    /// As bodies have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "CREATING",
            Self::Waiting => "WAITING",
            Self::Processing => "PROCESSING",
            Self::Sending => "SENDING",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Rejected => "REJECTED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

#[derive(Debug)]
pub(super) struct Batch {
    pub(super) withdrawals: Vec<u64>,
    /// How many codes were tried.
    pub(super) tries: u32,
    pub(super) is_verified: bool,
}

/// What a merchant asks for.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) address: String,
    pub(super) coin: &'static Coin,
    pub(super) amount: Decimal,
    pub(super) extra_id: Option<String>,
    pub(super) callback: Option<String>,
    pub(super) description: Option<String>,
    pub(super) external_id: Option<String>,
}

#[derive(Debug)]
pub(super) struct Withdrawal {
    pub(super) id: u64,
    pub(super) batch: u64,
    pub(super) wish: Wish,
    pub(super) status: WithdrawalStatus,
    pub(super) hash: Option<String>,
    pub(super) error: Option<&'static str>,
    pub(super) created_ms: i64,
    pub(super) requested_ms: Option<i64>,
    pub(super) updated_ms: Option<i64>,
}

impl Withdrawal {
    /// As answers show it; some have the names of instants in camel case.
    pub(super) fn js(&self, is_camel: bool) -> Js {
        let wish = &self.wish;
        let [created, requested, updated] = if is_camel {
            ["createdAt", "requestedAt", "updatedAt"]
        } else {
            ["created_at", "requested_at", "updated_at"]
        };
        let at = |at_ms: Option<i64>| at_ms.map_or(Js::Null, |at_ms| Js::text(iso(at_ms)));
        Js::object([
            ("is_request_payouts", Js::Bool(false)),
            ("id", Js::text(self.id)),
            ("address", Js::text(&wish.address)),
            ("currency", Js::text(wish.coin.code)),
            ("amount", Js::text(wish.amount)),
            ("batch_withdrawal_id", Js::text(self.batch)),
            ("ipn_callback_url", Js::maybe(wish.callback.as_deref())),
            ("status", Js::text(self.status.as_str())),
            ("extra_id", Js::maybe(wish.extra_id.as_deref())),
            ("hash", Js::maybe(self.hash.as_deref())),
            ("error", Js::maybe(self.error)),
            ("payout_description", Js::maybe(wish.description.as_deref())),
            ("unique_external_id", Js::maybe(wish.external_id.as_deref())),
            (created, Js::text(iso(self.created_ms))),
            (requested, at(self.requested_ms)),
            (updated, at(self.updated_ms)),
        ])
    }

    /// What a notification says.
    pub(super) fn notice(&self) -> Js {
        let wish = &self.wish;
        let at = |at_ms: Option<i64>| at_ms.map_or(Js::Null, |at_ms| Js::text(iso(at_ms)));
        Js::object([
            ("id", Js::text(self.id)),
            ("batch_withdrawal_id", Js::text(self.batch)),
            ("status", Js::text(self.status.as_str())),
            ("error", Js::maybe(self.error)),
            ("currency", Js::text(wish.coin.code)),
            ("amount", Js::text(wish.amount)),
            ("address", Js::text(&wish.address)),
            ("fee", Js::Null),
            ("extra_id", Js::maybe(wish.extra_id.as_deref())),
            ("hash", Js::maybe(self.hash.as_deref())),
            ("ipn_callback_url", Js::maybe(wish.callback.as_deref())),
            ("created_at", Js::text(iso(self.created_ms))),
            ("requested_at", at(self.requested_ms)),
            ("updated_at", at(self.updated_ms)),
        ])
    }
}
