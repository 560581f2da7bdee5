//! What a buyer does on the hosted page: pays, is declined, is asked for 3-D Secure, pays by a slow method, leaves.

use serde_json::{Value, json};

use super::kind::ObjectKind;
use super::payment::{ChargeFailure, Confirmation};
use super::refusal::StripeRefusal;
use super::values::{integer, text};
use super::world::{DueAction, StripeWorld};

/// What a buyer does on the page of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuyerAction {
    /// Pays by a card that is good.
    Pay,
    /// Tries a card that the bank declines with this `decline_code`, `generic_decline` for example. The session stays
    /// open.
    Decline(String),
    /// Tries a card whose bank asks for 3-D Secure. The session stays open.
    RequireAuthentication,
    /// Passes the 3-D Secure that was asked for, or not.
    Authenticate {
        /// If it was passed.
        passes: bool,
    },
    /// Pays by a bank debit: the session is complete, the money comes later or not at all.
    PayLater,
    /// The same, and the debit ends by itself.
    PayLaterSettling {
        /// After how many seconds.
        after: i64,
        /// If the money comes.
        succeeds: bool,
    },
}

impl StripeWorld {
    /// Does it, or says why the page would not.
    pub(super) fn act(&mut self, id: &str, action: &BuyerAction) -> Result<(), StripeRefusal> {
        let session = self.find(ObjectKind::Session, id, "session")?.clone();
        if session["status"] != "open" {
            return Err(StripeRefusal::invalid(format!(
                "This Checkout Session has a status of `{}`.",
                text(&session["status"])
            )));
        }
        let is_free = session["payment_status"] == "no_payment_required";
        match action {
            _ if is_free => self.complete(&session, None),
            BuyerAction::Pay => self.pay(&session, &Confirmation::Succeed),
            BuyerAction::Decline(code) => self.pay(&session, &Confirmation::Decline(code.clone())),
            BuyerAction::RequireAuthentication => self.pay(&session, &Confirmation::RequireAction),
            BuyerAction::Authenticate { passes } => {
                let intent = self.intent_of(id);
                if self.read(ObjectKind::Intent, &intent)["status"] != "requires_action" {
                    return Err(StripeRefusal::invalid("No authentication was asked for."));
                }
                if *passes {
                    self.complete(&session, Some((intent, Confirmation::Succeed)));
                } else {
                    self.fail(&intent, &ChargeFailure::UNAUTHENTICATED);
                }
            }
            BuyerAction::PayLater => self.pay(&session, &Confirmation::Process),
            BuyerAction::PayLaterSettling { after, succeeds } => {
                self.pay(&session, &Confirmation::Process);
                let settle = DueAction::SettleSession {
                    session: id.to_owned(),
                    succeeds: *succeeds,
                };
                self.at(self.now + after, settle);
            }
        }
        Ok(())
    }

    /// The intent of a session, which in mode subscription it doesn't show; empty before the first try.
    fn intent_of(&self, session: &str) -> String {
        let terms = self.terms.get(session);
        terms
            .and_then(|terms| terms.intent.clone())
            .unwrap_or_default()
    }

    fn pay(&mut self, session: &Value, how: &Confirmation) {
        let id = text(&session["id"]);
        let known = self.intent_of(id);
        let intent = if known.is_empty() {
            let customer = self.customer_of(session);
            let terms = self.terms.get(id);
            let data = terms.map_or(Value::Null, |terms| terms.payment_intent_data.clone());
            let amount = integer(&session["amount_total"]);
            self.new_intent(amount, text(&session["currency"]), &customer, &data)
        } else {
            known
        };
        if let Some(terms) = self.terms.get_mut(id) {
            terms.intent = Some(intent.clone());
        }
        if session["mode"] != "subscription" {
            self.set(ObjectKind::Session, id, json!({"payment_intent": intent}));
        }
        match how {
            Confirmation::Succeed | Confirmation::Process => {
                self.complete(session, Some((intent, how.clone())));
            }
            Confirmation::Decline(_) | Confirmation::RequireAction => self.confirm(&intent, how),
        }
    }

    /// The customer of the session, made now if the session makes one.
    fn customer_of(&mut self, session: &Value) -> Value {
        let id = text(&session["id"]);
        let now = self.read(ObjectKind::Session, id);
        if now["customer"].is_string() || now["customer_creation"] != "always" {
            return now["customer"].clone();
        }
        let email = session["customer_email"]
            .as_str()
            .unwrap_or("buyer@example.com");
        let customer = self.new_customer(&json!({"email": email, "name": "Jenny Rosen"}));
        self.set(ObjectKind::Session, id, json!({"customer": customer}));
        json!(customer)
    }

    /// The session is complete. What was paid is told before the session, as it is mostly seen.
    fn complete(&mut self, session: &Value, payment: Option<(String, Confirmation)>) {
        let id = text(&session["id"]);
        let customer = self.customer_of(session);
        if session["mode"] == "subscription" {
            self.begin_subscription(id, &customer, payment.as_ref());
        } else if let Some((intent, how)) = &payment {
            self.confirm(intent, how);
        }
        let status = match &payment {
            None => "no_payment_required",
            Some((_, Confirmation::Succeed)) => "paid",
            Some(_) => "unpaid",
        };
        self.complete_session(id, &customer, json!({"payment_status": status}));
        self.emit("checkout.session.completed", ObjectKind::Session, id);
    }

    /// The end of a slow method. A session that does not wait for one stays as it is.
    pub(super) fn settle_session(&mut self, id: &str, succeeds: bool) {
        let session = self.read(ObjectKind::Session, id);
        let invoice = text(&session["invoice"]).to_owned();
        let intent = self.intent_of(id);
        if self.read(ObjectKind::Intent, &intent)["status"] != "processing" {
            return;
        }
        if succeeds {
            self.succeed(&intent);
            if !invoice.is_empty() {
                self.invoice_was_paid(&invoice);
            }
            self.set(ObjectKind::Session, id, json!({"payment_status": "paid"}));
            self.emit(
                "checkout.session.async_payment_succeeded",
                ObjectKind::Session,
                id,
            );
        } else {
            self.fail(&intent, &ChargeFailure::DEBIT_FAILED);
            if !invoice.is_empty() {
                self.invoice_failed(&invoice, false);
            }
            self.emit(
                "checkout.session.async_payment_failed",
                ObjectKind::Session,
                id,
            );
        }
    }
}
