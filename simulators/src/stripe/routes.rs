//! Which request does what: by method and documented path, with the right that it needs and what of its parameters is
//! simulated.

use super::ask::{StripeAsk, StripeResult};
use super::world::StripeWorld;
use super::{
    billing, catalog, coupon, customer, dispute, endpoint, event, payment, portal, refund, session,
    subscription,
};

/// One documented operation.
pub(super) struct StripeOperation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    /// Of a restricted key, without `rak_`.
    pub(super) right: &'static str,
    /// The parameters that are simulated, each with all below it.
    pub(super) simulated: &'static [&'static str],
    pub(super) run: fn(&mut StripeWorld, &StripeAsk) -> StripeResult,
}

const fn operation(
    method: &'static str,
    path: &'static str,
    right: &'static str,
    simulated: &'static [&'static str],
    run: fn(&mut StripeWorld, &StripeAsk) -> StripeResult,
) -> StripeOperation {
    StripeOperation {
        method,
        path,
        right,
        simulated,
        run,
    }
}

const SESSION: &[&str] = &[
    "adaptive_pricing[enabled]",
    "allow_promotion_codes",
    "allowed_payment_method_types",
    "automatic_tax[enabled]",
    "billing_address_collection",
    "cancel_url",
    "client_reference_id",
    "customer",
    "customer_creation",
    "customer_email",
    "discounts[coupon]",
    "excluded_payment_method_types",
    "expires_at",
    "invoice_creation[enabled]",
    "line_items[metadata]",
    "line_items[price]",
    "line_items[price_data]",
    "line_items[quantity]",
    "locale",
    "metadata",
    "mode",
    "payment_intent_data[description]",
    "payment_intent_data[metadata]",
    "payment_intent_data[receipt_email]",
    "payment_intent_data[statement_descriptor_suffix]",
    "payment_method_collection",
    "submit_type",
    "subscription_data[description]",
    "subscription_data[metadata]",
    "subscription_data[trial_end]",
    "subscription_data[trial_period_days]",
    "success_url",
    "ui_mode",
];
const CONFIGURATION: &[&str] = &[
    "active",
    "business_profile",
    "default_return_url",
    "features[customer_update]",
    "features[invoice_history]",
    "features[payment_method_update][enabled]",
    "features[subscription_cancel][enabled]",
    "features[subscription_cancel][mode]",
    "features[subscription_cancel][proration_behavior]",
    "features[subscription_update][enabled]",
    "metadata",
    "name",
];
const CUSTOMER: &[&str] = &["description", "email", "metadata", "name", "phone"];
const ENDPOINT: &[&str] = &[
    "api_version",
    "connect",
    "description",
    "disabled",
    "enabled_events",
    "metadata",
    "url",
];
const PAGE: &[&str] = &["created", "ending_before", "limit", "starting_after"];
const BY_CHARGE: &[&str] = &[
    "charge",
    "created",
    "ending_before",
    "limit",
    "payment_intent",
    "starting_after",
];

/// All of them. The rights of events, disputes, warnings, the portal, webhook endpoints and the account are not documented
/// with their names.
#[rustfmt::skip]
pub(super) const OPERATIONS: &[StripeOperation] = &[
    operation("GET", "/v1/account", "accounts_kyc_basic_read", &[], payment::account),
    operation("GET", "/v1/balance", "balance_read", &[], payment::balance),
    operation("GET", "/v1/balance_transactions", "balance_read", &["created", "currency", "ending_before", "limit", "source", "starting_after", "type"], payment::list_transactions),
    operation("GET", "/v1/balance_transactions/{id}", "balance_read", &[], payment::retrieve_transaction),
    operation("GET", "/v1/billing_portal/configurations", "customer_portal_read", &["active", "ending_before", "is_default", "limit", "starting_after"], portal::list_configurations),
    operation("POST", "/v1/billing_portal/configurations", "customer_portal_write", CONFIGURATION, portal::create_configuration),
    operation("GET", "/v1/billing_portal/configurations/{configuration}", "customer_portal_read", &[], portal::retrieve_configuration),
    operation("POST", "/v1/billing_portal/configurations/{configuration}", "customer_portal_write", CONFIGURATION, portal::update_configuration),
    operation("POST", "/v1/billing_portal/sessions", "customer_portal_write", &["configuration", "customer", "flow_data[subscription_cancel][subscription]", "flow_data[type]", "locale", "return_url"], portal::create_session),
    operation("GET", "/v1/charges", "charge_read", &["created", "customer", "ending_before", "limit", "payment_intent", "starting_after"], payment::list_charges),
    operation("GET", "/v1/charges/{charge}", "charge_read", &[], payment::retrieve_charge),
    operation("GET", "/v1/checkout/sessions", "checkout_session_read", &["created", "customer", "customer_details[email]", "ending_before", "limit", "payment_intent", "starting_after", "status", "subscription"], session::list_all),
    operation("POST", "/v1/checkout/sessions", "checkout_session_write", SESSION, session::create),
    operation("GET", "/v1/checkout/sessions/{session}", "checkout_session_read", &[], session::retrieve),
    operation("POST", "/v1/checkout/sessions/{session}", "checkout_session_write", &["metadata"], session::update),
    operation("POST", "/v1/checkout/sessions/{session}/expire", "checkout_session_write", &[], session::expire),
    operation("GET", "/v1/checkout/sessions/{session}/line_items", "checkout_session_read", &["ending_before", "limit", "starting_after"], session::line_items),
    operation("GET", "/v1/coupons", "coupon_read", PAGE, coupon::list_all),
    operation("POST", "/v1/coupons", "coupon_write", &["amount_off", "currency", "duration", "duration_in_months", "id", "max_redemptions", "metadata", "name", "percent_off", "redeem_by"], coupon::create),
    operation("GET", "/v1/coupons/{coupon}", "coupon_read", &[], coupon::retrieve),
    operation("DELETE", "/v1/coupons/{coupon}", "coupon_write", &[], coupon::delete),
    operation("GET", "/v1/customers", "customer_read", &["created", "email", "ending_before", "limit", "starting_after"], customer::list_all),
    operation("POST", "/v1/customers", "customer_write", CUSTOMER, customer::create),
    operation("GET", "/v1/customers/{customer}", "customer_read", &[], customer::retrieve),
    operation("POST", "/v1/customers/{customer}", "customer_write", CUSTOMER, customer::update),
    operation("DELETE", "/v1/customers/{customer}", "customer_write", &[], customer::delete),
    operation("GET", "/v1/disputes", "dispute_read", BY_CHARGE, dispute::list_all),
    operation("GET", "/v1/disputes/{dispute}", "dispute_read", &[], dispute::retrieve),
    operation("POST", "/v1/disputes/{dispute}/close", "dispute_write", &[], dispute::close),
    operation("GET", "/v1/events", "event_read", &["created", "delivery_success", "ending_before", "limit", "starting_after", "type", "types"], event::list_all),
    operation("GET", "/v1/events/{id}", "event_read", &[], event::retrieve),
    operation("GET", "/v1/invoice_payments", "invoice_read", &["created", "ending_before", "invoice", "limit", "payment[payment_intent]", "payment[type]", "starting_after", "status"], billing::list_payments),
    operation("GET", "/v1/invoice_payments/{invoice_payment}", "invoice_read", &[], billing::retrieve_payment),
    operation("GET", "/v1/invoices", "invoice_read", &["created", "customer", "ending_before", "limit", "starting_after", "status", "subscription"], billing::list_all),
    operation("GET", "/v1/invoices/{invoice}", "invoice_read", &[], billing::retrieve),
    operation("GET", "/v1/payment_intents", "payment_intent_read", &["created", "customer", "ending_before", "limit", "starting_after"], payment::list_intents),
    operation("GET", "/v1/payment_intents/{intent}", "payment_intent_read", &[], payment::retrieve_intent),
    operation("POST", "/v1/payment_intents/{intent}/cancel", "payment_intent_write", &["cancellation_reason"], payment::cancel_intent),
    operation("GET", "/v1/prices", "plan_read", &["active", "created", "currency", "ending_before", "limit", "product", "starting_after", "type"], catalog::list_prices),
    operation("GET", "/v1/prices/{price}", "plan_read", &[], catalog::retrieve_price),
    operation("GET", "/v1/products", "product_read", &["active", "created", "ending_before", "limit", "starting_after"], catalog::list_products),
    operation("GET", "/v1/products/{id}", "product_read", &[], catalog::retrieve_product),
    operation("GET", "/v1/radar/early_fraud_warnings", "charge_read", BY_CHARGE, dispute::list_warnings),
    operation("GET", "/v1/radar/early_fraud_warnings/{early_fraud_warning}", "charge_read", &[], dispute::retrieve_warning),
    operation("GET", "/v1/refunds", "refund_read", BY_CHARGE, refund::list_all),
    operation("POST", "/v1/refunds", "refund_write", &["amount", "charge", "metadata", "payment_intent", "reason"], refund::create),
    operation("GET", "/v1/refunds/{refund}", "refund_read", &[], refund::retrieve),
    operation("POST", "/v1/refunds/{refund}", "refund_write", &["metadata"], refund::update),
    operation("POST", "/v1/refunds/{refund}/cancel", "refund_write", &[], refund::cancel),
    operation("GET", "/v1/subscriptions", "subscription_read", &["created", "customer", "ending_before", "limit", "starting_after", "status"], subscription::list_all),
    operation("GET", "/v1/subscriptions/{subscription_exposed_id}", "subscription_read", &[], subscription::retrieve),
    operation("POST", "/v1/subscriptions/{subscription_exposed_id}", "subscription_write", &["cancel_at_period_end", "cancellation_details", "description", "metadata"], subscription::update),
    operation("DELETE", "/v1/subscriptions/{subscription_exposed_id}", "subscription_write", &["cancellation_details", "invoice_now", "prorate"], subscription::cancel),
    operation("GET", "/v1/webhook_endpoints", "webhook_read", &["ending_before", "limit", "starting_after"], endpoint::list_all),
    operation("POST", "/v1/webhook_endpoints", "webhook_write", ENDPOINT, endpoint::create),
    operation("GET", "/v1/webhook_endpoints/{webhook_endpoint}", "webhook_read", &[], endpoint::retrieve),
    operation("POST", "/v1/webhook_endpoints/{webhook_endpoint}", "webhook_write", ENDPOINT, endpoint::update),
    operation("DELETE", "/v1/webhook_endpoints/{webhook_endpoint}", "webhook_write", &[], endpoint::delete),
];

/// The operation of a request, and the id in its path.
pub(super) fn find(method: &str, path: &str) -> Option<(&'static StripeOperation, String)> {
    let matching = |operation: &'static StripeOperation| {
        let id = id_in(operation.path, path)?;
        (operation.method == method).then_some((operation, id))
    };
    OPERATIONS.iter().find_map(matching)
}

fn id_in(template: &str, path: &str) -> Option<String> {
    let mut id = String::new();
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(id),
            (Some(wanted), Some(given)) if wanted.starts_with('{') && !given.is_empty() => {
                id = super::form::decode(given);
            }
            (Some(wanted), Some(given)) if wanted == given => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stripe::schema;

    #[test]
    fn each_operation_is_documented() {
        for operation in OPERATIONS {
            let documented = &schema::document()["paths"][operation.path];
            let method = operation.method.to_lowercase();
            assert!(
                documented[method].is_object(),
                "{} {}",
                operation.method,
                operation.path
            );
        }
    }

    #[test]
    fn a_path_is_found_with_its_id() {
        let (operation, id) = find("POST", "/v1/checkout/sessions/cs_1/expire").unwrap();
        assert_eq!(
            (operation.path, id.as_str()),
            ("/v1/checkout/sessions/{session}/expire", "cs_1")
        );
        assert!(find("POST", "/v1/checkout/sessions/cs_1/expire/").is_none());
        assert!(find("PUT", "/v1/refunds").is_none());
    }
}
