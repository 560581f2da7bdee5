//! The kinds of objects, each with the name that Stripe gives it and the prefix of its ids.

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum ObjectKind {
    Session,
    Intent,
    Charge,
    Refund,
    Dispute,
    Warning,
    Customer,
    Product,
    Price,
    Subscription,
    Invoice,
    InvoicePayment,
    Coupon,
    Transaction,
    PortalSession,
    PortalConfiguration,
    Endpoint,
    Event,
}

impl ObjectKind {
    pub(super) const ALL: [Self; 18] = [
        Self::Session,
        Self::Intent,
        Self::Charge,
        Self::Refund,
        Self::Dispute,
        Self::Warning,
        Self::Customer,
        Self::Product,
        Self::Price,
        Self::Subscription,
        Self::Invoice,
        Self::InvoicePayment,
        Self::Coupon,
        Self::Transaction,
        Self::PortalSession,
        Self::PortalConfiguration,
        Self::Endpoint,
        Self::Event,
    ];

    /// The value of `object`.
    pub(super) fn object(self) -> &'static str {
        match self {
            Self::Session => "checkout.session",
            Self::Intent => "payment_intent",
            Self::Charge => "charge",
            Self::Refund => "refund",
            Self::Dispute => "dispute",
            Self::Warning => "radar.early_fraud_warning",
            Self::Customer => "customer",
            Self::Product => "product",
            Self::Price => "price",
            Self::Subscription => "subscription",
            Self::Invoice => "invoice",
            Self::InvoicePayment => "invoice_payment",
            Self::Coupon => "coupon",
            Self::Transaction => "balance_transaction",
            Self::PortalSession => "billing_portal.session",
            Self::PortalConfiguration => "billing_portal.configuration",
            Self::Endpoint => "webhook_endpoint",
            Self::Event => "event",
        }
    }

    /// What an id begins with; coupons have ids of any shape.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Session => "cs_",
            Self::Intent => "pi_",
            Self::Charge => "ch_",
            Self::Refund => "re_",
            Self::Dispute => "du_",
            Self::Warning => "issfr_",
            Self::Customer => "cus_",
            Self::Product => "prod_",
            Self::Price => "price_",
            Self::Subscription => "sub_",
            Self::Invoice => "in_",
            Self::InvoicePayment => "inpay_",
            Self::Coupon => "",
            Self::Transaction => "txn_",
            Self::PortalSession => "bps_",
            Self::PortalConfiguration => "bpc_",
            Self::Endpoint => "we_",
            Self::Event => "evt_",
        }
    }

    /// Where its list is.
    pub(super) fn url(self) -> &'static str {
        match self {
            Self::Session => "/v1/checkout/sessions",
            Self::Intent => "/v1/payment_intents",
            Self::Charge => "/v1/charges",
            Self::Refund => "/v1/refunds",
            Self::Dispute => "/v1/disputes",
            Self::Warning => "/v1/radar/early_fraud_warnings",
            Self::Customer => "/v1/customers",
            Self::Product => "/v1/products",
            Self::Price => "/v1/prices",
            Self::Subscription => "/v1/subscriptions",
            Self::Invoice => "/v1/invoices",
            Self::InvoicePayment => "/v1/invoice_payments",
            Self::Coupon => "/v1/coupons",
            Self::Transaction => "/v1/balance_transactions",
            Self::PortalSession => "/v1/billing_portal/sessions",
            Self::PortalConfiguration => "/v1/billing_portal/configurations",
            Self::Endpoint => "/v1/webhook_endpoints",
            Self::Event => "/v1/events",
        }
    }

    /// The kind of an id, by its prefix.
    pub(super) fn of_id(id: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| !kind.prefix().is_empty() && id.starts_with(kind.prefix()))
    }
}
