//! Payment intents and charges: how a payment is tried, succeeds, fails, waits for the buyer or for a slow method.

use serde_json::{Value, json};

use super::ask::{StripeAsk, StripeResult};
use super::kind::ObjectKind;
use super::list;
use super::money::{self, TransactionOf};
use super::refusal::StripeRefusal;
use super::values::{integer, or_empty, random_text, text};
use super::world::StripeWorld;

/// How a payment is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Confirmation {
    /// By a card, at once.
    Succeed,
    /// The bank refuses, with this `decline_code`.
    Decline(String),
    /// The bank asks for 3-D Secure.
    RequireAction,
    /// By a bank debit, which takes days.
    Process,
}

/// Why a charge failed.
pub(super) struct ChargeFailure<'a> {
    code: &'a str,
    decline_code: Option<&'a str>,
    message: &'a str,
}

impl<'a> ChargeFailure<'a> {
    pub(super) fn declined(decline_code: &'a str) -> Self {
        let message = match decline_code {
            "insufficient_funds" => "Your card has insufficient funds.",
            _ => "Your card was declined.",
        };
        Self {
            code: "card_declined",
            decline_code: Some(decline_code),
            message,
        }
    }

    pub(super) const UNAUTHENTICATED: ChargeFailure<'static> = ChargeFailure {
        code: "payment_intent_authentication_failure",
        decline_code: None,
        message: "The provided payment method has failed authentication.",
    };
    pub(super) const DEBIT_FAILED: ChargeFailure<'static> = ChargeFailure {
        code: "payment_method_provider_decline",
        decline_code: None,
        message: "The payment was declined by the buyer's bank.",
    };
}

/// `GET /v1/payment_intents/{intent}`.
pub(super) fn retrieve_intent(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    world.find(ObjectKind::Intent, &ask.id, "intent").cloned()
}

/// `GET /v1/payment_intents`.
pub(super) fn list_intents(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let equal = list::equal(&ask.params, &["customer"]);
    list::list(world, ObjectKind::Intent, &ask.params, equal)
}

/// `POST /v1/payment_intents/{intent}/cancel`: each belongs to a session or an invoice, so it is refused.
pub(super) fn cancel_intent(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let intent = world.find(ObjectKind::Intent, &ask.id, "intent")?;
    let status = text(&intent["status"]);
    if status == "succeeded" || status == "canceled" || status == "processing" {
        return Err(StripeRefusal::invalid(format!(
            "You cannot cancel this PaymentIntent because it has a status of {status}. Only a PaymentIntent with one of \
             the following statuses may be canceled: requires_payment_method, requires_capture, requires_confirmation, \
             requires_action."
        ))
        .code("payment_intent_unexpected_state"));
    }
    Err(StripeRefusal::invalid(
        "You cannot cancel PaymentIntents created by Checkout or by an invoice: expire the session, or void the invoice.",
    ))
}

/// `GET /v1/charges/{charge}`.
pub(super) fn retrieve_charge(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    world.find(ObjectKind::Charge, &ask.id, "charge").cloned()
}

/// `GET /v1/charges`.
pub(super) fn list_charges(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let equal = list::equal(&ask.params, &["customer", "payment_intent"]);
    list::list(world, ObjectKind::Charge, &ask.params, equal)
}

/// `GET /v1/balance_transactions/{id}`.
pub(super) fn retrieve_transaction(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let transaction = world.find(ObjectKind::Transaction, &ask.id, "id")?.clone();
    Ok(world.shown(ObjectKind::Transaction, transaction))
}

/// `GET /v1/balance_transactions`.
pub(super) fn list_transactions(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let equal = list::equal(&ask.params, &["currency", "source", "type"]);
    list::list(world, ObjectKind::Transaction, &ask.params, equal)
}

/// `GET /v1/balance`.
pub(super) fn balance(world: &mut StripeWorld, _: &StripeAsk) -> StripeResult {
    Ok(world.balance())
}

/// `GET /v1/account`.
pub(super) fn account(world: &mut StripeWorld, _: &StripeAsk) -> StripeResult {
    Ok(json!({
        "id": super::keys::ACCOUNT, "object": "account", "business_profile": {"name": "Admit One"},
        "charges_enabled": true, "country": "US", "created": world.now, "default_currency": "usd",
        "details_submitted": true, "email": "owner@example.com", "metadata": {}, "payouts_enabled": true,
        "settings": {"dashboard": {"display_name": "Admit One", "timezone": "Etc/UTC"}}, "type": "standard",
    }))
}

impl StripeWorld {
    /// A new intent; `data` is what `payment_intent_data` gave.
    pub(super) fn new_intent(
        &mut self,
        amount: i64,
        currency: &str,
        customer: &Value,
        data: &Value,
    ) -> String {
        let id = self.new_id(ObjectKind::Intent);
        let intent = json!({
            "id": id, "object": "payment_intent", "allowed_payment_method_types": null, "amount": amount,
            "amount_capturable": 0, "amount_details": {"tip": {}}, "amount_received": 0, "application": null,
            "application_fee_amount": null, "automatic_payment_methods": null, "canceled_at": null,
            "cancellation_reason": null, "capture_method": "automatic_async",
            "client_secret": format!("{id}_secret_{}", random_text(25)), "confirmation_method": "automatic",
            "created": self.now, "currency": currency, "customer": customer, "customer_account": null,
            "description": data["description"], "excluded_payment_method_types": null, "last_payment_error": null,
            "latest_charge": null, "livemode": self.livemode, "managed_payments": {"enabled": false},
            "metadata": or_empty(&data["metadata"]), "next_action": null, "on_behalf_of": null,
            "payment_method": null, "payment_method_configuration_details": null,
            "payment_method_options": {}, "payment_method_types": ["card", "us_bank_account"], "processing": null,
            "receipt_email": data["receipt_email"], "review": null, "setup_future_usage": null, "shipping": null,
            "statement_descriptor": null, "statement_descriptor_suffix": data["statement_descriptor_suffix"],
            "status": "requires_payment_method", "transfer_data": null, "transfer_group": null,
        });
        self.put(ObjectKind::Intent, intent);
        self.emit("payment_intent.created", ObjectKind::Intent, &id);
        id
    }

    /// Tries the payment, and leaves its events.
    pub(super) fn confirm(&mut self, intent: &str, how: &Confirmation) {
        match how {
            Confirmation::Succeed => self.succeed(intent),
            Confirmation::Decline(code) => self.fail(intent, &ChargeFailure::declined(code)),
            Confirmation::RequireAction => {
                let method = format!("pm_1{}", random_text(23));
                let url = format!("{}/3ds/{intent}", self.url);
                let waiting = json!({
                    "status": "requires_action", "payment_method": method,
                    "next_action": {"type": "redirect_to_url", "redirect_to_url": {"return_url": null, "url": url}},
                });
                self.set(ObjectKind::Intent, intent, waiting);
                self.emit("payment_intent.requires_action", ObjectKind::Intent, intent);
            }
            Confirmation::Process => {
                let charge = self.new_charge(intent, "us_bank_account");
                let processing = json!({
                    "status": "processing", "latest_charge": charge, "last_payment_error": null,
                    "next_action": null,
                });
                self.set(ObjectKind::Intent, intent, processing);
                self.emit("charge.pending", ObjectKind::Charge, &charge);
                self.emit("payment_intent.processing", ObjectKind::Intent, intent);
            }
        }
    }

    /// The money came: by the charge that is pending, or by a new one.
    pub(super) fn succeed(&mut self, intent: &str) {
        let charge = self
            .pending_charge(intent)
            .unwrap_or_else(|| self.new_charge(intent, "card"));
        let shown = self.read(ObjectKind::Charge, &charge);
        let amount = integer(&shown["amount"]);
        let kind = if shown["payment_method_details"]["type"] == "card" {
            "charge"
        } else {
            "payment"
        };
        let transaction = self.book(&TransactionOf {
            source: &charge,
            kind,
            amount,
            fee: money::fee(amount),
            currency: text(&shown["currency"]),
            description: shown["description"].clone(),
        });
        let succeeded = json!({
            "status": "succeeded", "paid": true, "captured": true, "amount_captured": amount,
            "balance_transaction": transaction,
            "receipt_url": format!("{}/receipts/{charge}", self.url),
        });
        self.set(ObjectKind::Charge, &charge, succeeded);
        let succeeded = json!({
            "status": "succeeded", "amount_received": amount, "latest_charge": charge, "last_payment_error": null,
            "next_action": null, "payment_method": shown["payment_method"],
        });
        self.set(ObjectKind::Intent, intent, succeeded);
        self.emit("charge.succeeded", ObjectKind::Charge, &charge);
        self.emit("payment_intent.succeeded", ObjectKind::Intent, intent);
    }

    /// The money did not come.
    pub(super) fn fail(&mut self, intent: &str, why: &ChargeFailure<'_>) {
        let charge = self
            .pending_charge(intent)
            .unwrap_or_else(|| self.new_charge(intent, "card"));
        let failed = json!({
            "status": "failed", "paid": false, "failure_code": why.code, "failure_message": why.message,
            "outcome": {
                "advice_code": null, "network_advice_code": null, "network_decline_code": null,
                "network_status": "declined_by_network", "reason": why.decline_code, "risk_level": "normal",
                "risk_score": 20, "seller_message": "The bank did not return any further details.",
                "type": "issuer_declined",
            },
        });
        self.set(ObjectKind::Charge, &charge, failed);
        let mut error = json!({
            "type": "card_error", "code": why.code, "message": why.message, "charge": charge,
            "doc_url": format!("https://stripe.com/docs/error-codes/{}", why.code.replace('_', "-")),
        });
        if let Some(code) = why.decline_code {
            error["decline_code"] = json!(code);
        }
        let failed = json!({
            "status": "requires_payment_method", "latest_charge": charge, "last_payment_error": error,
            "next_action": null, "payment_method": null,
        });
        self.set(ObjectKind::Intent, intent, failed);
        self.emit("charge.failed", ObjectKind::Charge, &charge);
        self.emit("payment_intent.payment_failed", ObjectKind::Intent, intent);
    }

    fn pending_charge(&self, intent: &str) -> Option<String> {
        let latest = self.read(ObjectKind::Intent, intent)["latest_charge"].clone();
        let charge = self.read(ObjectKind::Charge, text(&latest));
        (charge["status"] == "pending").then(|| text(&latest).to_owned())
    }

    fn new_charge(&mut self, intent_id: &str, method: &str) -> String {
        let id = self.new_id(ObjectKind::Charge);
        let intent = self.read(ObjectKind::Intent, intent_id);
        let customer = self.read(ObjectKind::Customer, text(&intent["customer"]));
        let details = if method == "card" {
            json!({"type": "card", "card": {
                "amount_authorized": intent["amount"], "brand": "visa",
                "checks": {
                    "address_line1_check": null, "address_postal_code_check": "pass", "cvc_check": "pass",
                },
                "country": "US", "exp_month": 12, "exp_year": 2034, "fingerprint": "AOB934RVNwzk6xtn",
                "funding": "credit", "last4": "4242", "network": "visa", "three_d_secure": null, "wallet": null,
            }})
        } else {
            json!({"type": method, method: {
                "account_holder_type": "individual", "account_type": "checking", "bank_name": "STRIPE TEST BANK",
                "fingerprint": "1JWtPxqbdX5Gamtz", "last4": "6789", "routing_number": "110000000",
            }})
        };
        let charge = json!({
            "id": id, "object": "charge", "amount": intent["amount"], "amount_captured": 0, "amount_refunded": 0,
            "application": null, "application_fee": null, "application_fee_amount": null,
            "balance_transaction": null,
            "billing_details": {
                "address": {
                    "city": null, "country": "US", "line1": null, "line2": null, "postal_code": "94103",
                    "state": null,
                },
                "email": customer["email"], "name": "Jenny Rosen", "phone": null, "tax_id": null,
            },
            "calculated_statement_descriptor": "ADMIT ONE", "captured": false, "created": self.now,
            "currency": intent["currency"], "customer": intent["customer"], "description": intent["description"],
            "disputed": false, "failure_balance_transaction": null, "failure_code": null, "failure_message": null,
            "fraud_details": {}, "livemode": self.livemode, "metadata": intent["metadata"], "on_behalf_of": null,
            "outcome": {
                "advice_code": null, "network_advice_code": null, "network_decline_code": null,
                "network_status": "approved_by_network", "reason": null, "risk_level": "normal", "risk_score": 20,
                "seller_message": "Payment complete.", "type": "authorized",
            },
            "paid": false, "payment_intent": intent_id, "payment_method": format!("pm_1{}", random_text(23)),
            "payment_method_details": details, "radar_options": {}, "receipt_email": intent["receipt_email"],
            "receipt_number": null, "receipt_url": null, "refunded": false, "review": null, "shipping": null,
            "source_transfer": null, "statement_descriptor": null,
            "statement_descriptor_suffix": intent["statement_descriptor_suffix"], "status": "pending",
            "transfer_data": null, "transfer_group": null,
        });
        self.put(ObjectKind::Charge, charge);
        id
    }
}
