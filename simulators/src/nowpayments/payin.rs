//! Invoices and payments, and how they are shown.

use super::coin::Coin;
use super::decimal::Decimal;
use super::js::Js;
use super::time::iso;

/// The status of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayinStatus {
    /// `waiting`
    Waiting,
    /// `confirming`
    Confirming,
    /// `confirmed`
    Confirmed,
    /// `sending`
    Sending,
    /// `partially_paid`
    PartiallyPaid,
    /// `finished`
    Finished,
    /// `failed`
    Failed,
    /// `refunded`
    Refunded,
    /// `expired`
    Expired,
    /// `cancelled`
    Cancelled,
    /// `wrong_asset_confirmed`
    WrongAssetConfirmed,
}

impl PayinStatus {
    /// As bodies have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Confirming => "confirming",
            Self::Confirmed => "confirmed",
            Self::Sending => "sending",
            Self::PartiallyPaid => "partially_paid",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Refunded => "refunded",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::WrongAssetConfirmed => "wrong_asset_confirmed",
        }
    }

    /// Whether coins are on their way.
    pub(super) const fn is_moving(self) -> bool {
        matches!(self, Self::Confirming | Self::Confirmed | Self::Sending)
    }
}

/// What a merchant asks for, by an invoice or by a payment.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) price: Decimal,
    pub(super) currency: String,
    pub(super) callback: Option<String>,
    pub(super) order_id: Option<String>,
    pub(super) description: Option<String>,
    pub(super) is_fixed_rate: bool,
    pub(super) is_fee_paid_by_user: bool,
}

#[derive(Debug)]
pub(super) struct Invoice {
    pub(super) id: u64,
    pub(super) token_id: u64,
    pub(super) order: Order,
    pub(super) coin: Option<&'static Coin>,
    pub(super) success_url: Option<String>,
    pub(super) cancel_url: Option<String>,
    pub(super) partially_paid_url: Option<String>,
    pub(super) created_ms: i64,
}

#[derive(Clone, Debug)]
pub(super) struct Payin {
    pub(super) id: u64,
    pub(super) parent: Option<u64>,
    pub(super) children: Vec<u64>,
    pub(super) invoice: Option<u64>,
    /// The key that made it: others don't see it.
    pub(super) api_key: String,
    pub(super) token_id: u64,
    pub(super) status: PayinStatus,
    pub(super) order: Order,
    pub(super) coin: &'static Coin,
    pub(super) address: String,
    pub(super) memo: Option<u64>,
    pub(super) pay_amount: Decimal,
    pub(super) paid: Decimal,
    pub(super) purchase_id: u64,
    pub(super) outcome: Decimal,
    pub(super) outcome_coin: &'static Coin,
    pub(super) payin_hash: Option<String>,
    pub(super) created_ms: i64,
    pub(super) updated_ms: i64,
    pub(super) estimate_until_ms: i64,
    pub(super) expires_ms: i64,
}

impl Invoice {
    /// The answer to its creation.
    pub(super) fn js(&self, base: &str) -> Js {
        let order = &self.order;
        Js::object([
            ("id", Js::text(self.id)),
            ("token_id", Js::text(self.token_id)),
            ("order_id", Js::maybe(order.order_id.as_deref())),
            ("order_description", Js::maybe(order.description.as_deref())),
            ("price_amount", Js::text(order.price)),
            ("price_currency", Js::text(&order.currency)),
            ("pay_currency", Js::maybe(self.coin.map(|coin| coin.code))),
            ("ipn_callback_url", Js::maybe(order.callback.as_deref())),
            (
                "invoice_url",
                Js::text(format!("{base}/payment/?iid={}", self.id)),
            ),
            ("success_url", Js::maybe(self.success_url.as_deref())),
            ("cancel_url", Js::maybe(self.cancel_url.as_deref())),
            (
                "partially_paid_url",
                Js::maybe(self.partially_paid_url.as_deref()),
            ),
            ("payout_currency", Js::Null),
            ("created_at", Js::text(iso(self.created_ms))),
            ("updated_at", Js::text(iso(self.created_ms))),
            ("is_fixed_rate", Js::Bool(order.is_fixed_rate)),
            ("is_fee_paid_by_user", Js::Bool(order.is_fee_paid_by_user)),
        ])
    }
}

impl Payin {
    /// The answer to its creation.
    pub(super) fn created(&self) -> Js {
        let order = &self.order;
        Js::object([
            ("payment_id", Js::text(self.id)),
            ("payment_status", Js::text(self.status.as_str())),
            ("pay_address", Js::text(&self.address)),
            ("price_amount", Js::amount(order.price)),
            ("price_currency", Js::text(&order.currency)),
            ("pay_amount", Js::amount(self.pay_amount)),
            ("pay_currency", Js::text(self.coin.code)),
            ("order_id", Js::maybe(order.order_id.as_deref())),
            ("order_description", Js::maybe(order.description.as_deref())),
            ("ipn_callback_url", Js::maybe(order.callback.as_deref())),
            ("created_at", Js::text(iso(self.created_ms))),
            ("updated_at", Js::text(iso(self.updated_ms))),
            ("purchase_id", Js::text(self.purchase_id)),
            ("amount_received", Js::Null),
            ("payin_extra_id", self.memo()),
            ("smart_contract", Js::text("")),
            ("network", Js::text(self.coin.network)),
            ("network_precision", Js::number(self.coin.precision)),
            ("time_limit", Js::Null),
            ("burning_percent", Js::Null),
            (
                "expiration_estimate_date",
                Js::text(iso(self.estimate_until_ms)),
            ),
            ("is_fixed_rate", Js::Bool(order.is_fixed_rate)),
            ("is_fee_paid_by_user", Js::Bool(order.is_fee_paid_by_user)),
            ("valid_until", Js::text(iso(self.expires_ms))),
            ("type", Js::text("crypto2crypto")),
        ])
    }

    /// What `GET /payment/{id}` and the list show.
    pub(super) fn shown(&self) -> Js {
        let order = &self.order;
        Js::object([
            ("payment_id", Js::number(self.id)),
            ("parent_payment_id", self.parent()),
            ("invoice_id", self.invoice()),
            ("payment_status", Js::text(self.status.as_str())),
            ("pay_address", Js::text(&self.address)),
            ("payin_extra_id", self.memo()),
            ("price_amount", Js::amount(order.price)),
            ("price_currency", Js::text(&order.currency)),
            ("pay_amount", Js::amount(self.pay_amount)),
            ("actually_paid", Js::amount(self.paid)),
            ("pay_currency", Js::text(self.coin.code)),
            ("order_id", Js::maybe(order.order_id.as_deref())),
            ("order_description", Js::maybe(order.description.as_deref())),
            ("purchase_id", Js::text(self.purchase_id)),
            ("outcome_amount", Js::amount(self.outcome)),
            ("outcome_currency", Js::text(self.outcome_coin.code)),
            ("payout_hash", Js::Null),
            ("payin_hash", Js::maybe(self.payin_hash.as_deref())),
            ("created_at", Js::text(iso(self.created_ms))),
            ("updated_at", Js::text(iso(self.updated_ms))),
            // As the service has it: the word, not nothing.
            ("burning_percent", Js::text("null")),
            ("type", Js::text("crypto2crypto")),
            ("payment_extra_ids", self.children()),
        ])
    }

    /// What a notification says.
    pub(super) fn notice(&self) -> Js {
        let order = &self.order;
        Js::object([
            ("payment_id", Js::number(self.id)),
            ("parent_payment_id", self.parent()),
            ("invoice_id", self.invoice()),
            ("payment_status", Js::text(self.status.as_str())),
            ("pay_address", Js::text(&self.address)),
            ("payin_extra_id", self.memo()),
            ("price_amount", Js::amount(order.price)),
            ("price_currency", Js::text(&order.currency)),
            ("pay_amount", Js::amount(self.pay_amount)),
            ("actually_paid", Js::amount(self.paid)),
            ("actually_paid_at_fiat", Js::number(0)),
            ("pay_currency", Js::text(self.coin.code)),
            ("order_id", Js::maybe(order.order_id.as_deref())),
            ("order_description", Js::maybe(order.description.as_deref())),
            ("purchase_id", Js::text(self.purchase_id)),
            ("outcome_amount", Js::amount(self.outcome)),
            ("outcome_currency", Js::text(self.outcome_coin.code)),
            ("payment_extra_ids", self.children()),
            (
                "fee",
                // Not in the order of its keys, and with as many digits as a double has: as the service does.
                Js::object([
                    ("currency", Js::text(self.outcome_coin.code)),
                    ("depositFee", Js::number("0.09853637216235617")),
                    ("withdrawalFee", Js::number(0)),
                    ("serviceFee", Js::number(0)),
                ]),
            ),
        ])
    }

    fn parent(&self) -> Js {
        self.parent.map_or(Js::Null, Js::number)
    }

    fn invoice(&self) -> Js {
        self.invoice.map_or(Js::Null, Js::number)
    }

    fn memo(&self) -> Js {
        self.memo.map_or(Js::Null, Js::text)
    }

    fn children(&self) -> Js {
        if self.children.is_empty() {
            return Js::Null;
        }
        Js::List(self.children.iter().map(Js::number).collect())
    }
}
