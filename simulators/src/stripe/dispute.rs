//! Disputes, from inquiry or chargeback to their end and beyond it, and early fraud warnings.

use serde_json::{Map, Value, json};

use super::ask::{StripeAsk, StripeResult};
use super::kind::ObjectKind;
use super::list;
use super::money::{DISPUTE_FEE, TransactionOf};
use super::refusal::StripeRefusal;
use super::values::{integer, text};
use super::world::StripeWorld;

/// How long there is to answer a dispute.
const TIME_TO_RESPOND: i64 = 7 * 86_400;
const EVIDENCE: [&str; 27] = [
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
];

/// What a bank or the account does about a dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisputeStep {
    /// An inquiry becomes a chargeback: the money is withdrawn.
    Escalate,
    /// The account sends its evidence.
    Respond,
    /// The bank decides for the account: the money is back.
    Win,
    /// The bank decides for the cardholder.
    Lose,
    /// An inquiry ends without a chargeback.
    CloseInquiry,
    /// A decision is taken up again: a lost dispute by the account, a won one by the cardholder's bank, which takes the
    /// money again.
    Appeal,
}

/// `GET /v1/disputes/{dispute}`.
pub(super) fn retrieve(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    world.find(ObjectKind::Dispute, &ask.id, "dispute").cloned()
}

/// `GET /v1/disputes`.
pub(super) fn list_all(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let equal = list::equal(&ask.params, &["charge", "payment_intent"]);
    list::list(world, ObjectKind::Dispute, &ask.params, equal)
}

/// `POST /v1/disputes/{dispute}/close`: it is conceded.
pub(super) fn close(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let dispute = world.find(ObjectKind::Dispute, &ask.id, "dispute")?;
    let step = match text(&dispute["status"]) {
        "needs_response" | "appeal_needs_response" => DisputeStep::Lose,
        "warning_needs_response" => DisputeStep::CloseInquiry,
        _ => return Err(StripeRefusal::invalid("This dispute is already closed.")),
    };
    world.step_dispute(&ask.id, step)?;
    Ok(world.read(ObjectKind::Dispute, &ask.id))
}

/// `GET /v1/radar/early_fraud_warnings/{early_fraud_warning}`.
pub(super) fn retrieve_warning(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    world
        .find(ObjectKind::Warning, &ask.id, "early_fraud_warning")
        .cloned()
}

/// `GET /v1/radar/early_fraud_warnings`.
pub(super) fn list_warnings(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let equal = list::equal(&ask.params, &["charge", "payment_intent"]);
    list::list(world, ObjectKind::Warning, &ask.params, equal)
}

impl StripeWorld {
    /// If a dispute holds the charge's money, or keeps it.
    pub(super) fn is_withdrawn(&self, charge: &str) -> bool {
        self.all(ObjectKind::Dispute)
            .any(|dispute| dispute["charge"] == charge && dispute["is_charge_refundable"] != true)
    }

    /// The cardholder's bank asks about a charge (an inquiry), or takes it back.
    pub(super) fn open_dispute(
        &mut self,
        charge_id: &str,
        is_inquiry: bool,
        reason: &str,
    ) -> Result<String, StripeRefusal> {
        let charge = self.find(ObjectKind::Charge, charge_id, "charge")?.clone();
        let rest = integer(&charge["amount"]) - integer(&charge["amount_refunded"]);
        if charge["paid"] != true || self.is_withdrawn(charge_id) || rest == 0 {
            return Err(StripeRefusal::invalid("This charge can't be disputed."));
        }
        let id = self.new_id(ObjectKind::Dispute);
        let mut evidence: Map<String, Value> = EVIDENCE
            .iter()
            .map(|field| ((*field).to_owned(), Value::Null))
            .collect();
        evidence.insert("enhanced_evidence".into(), json!({}));
        let dispute = json!({
            "id": id, "object": "dispute", "amount": rest, "balance_transactions": [], "charge": charge_id,
            "created": self.now, "currency": charge["currency"], "enhanced_eligibility_types": [],
            "evidence": evidence,
            "evidence_details": {
                "due_by": self.now + TIME_TO_RESPOND, "enhanced_eligibility": {}, "has_evidence": false,
                "past_due": false, "submission_count": 0,
            },
            "is_charge_refundable": is_inquiry, "livemode": self.livemode, "metadata": {},
            "payment_intent": charge["payment_intent"],
            "payment_method_details": {
                "card": {
                    "brand": "visa", "case_type": if is_inquiry { "inquiry" } else { "chargeback" },
                    "network_reason_code": "10.4",
                },
                "type": "card",
            },
            "reason": reason, "status": if is_inquiry { "warning_needs_response" } else { "needs_response" },
        });
        self.put(ObjectKind::Dispute, dispute);
        if !is_inquiry {
            self.withdraw(&id);
        }
        let previous = self.set(ObjectKind::Charge, charge_id, json!({"disputed": true}));
        self.emit("charge.dispute.created", ObjectKind::Dispute, &id);
        if !is_inquiry {
            self.emit("charge.dispute.funds_withdrawn", ObjectKind::Dispute, &id);
        }
        self.emit_change("charge.updated", ObjectKind::Charge, charge_id, previous);
        Ok(id)
    }

    fn withdraw(&mut self, id: &str) {
        self.move_funds(id, -1, DISPUTE_FEE, "Chargeback withdrawal");
    }

    fn move_funds(&mut self, id: &str, sign: i64, fee: i64, description: &str) {
        let dispute = self.read(ObjectKind::Dispute, id);
        let transaction = self.book(&TransactionOf {
            source: id,
            kind: "adjustment",
            amount: sign * integer(&dispute["amount"]),
            fee,
            currency: text(&dispute["currency"]),
            description: json!(description),
        });
        let transaction = self.read(ObjectKind::Transaction, &transaction);
        let transaction = self.shown(ObjectKind::Transaction, transaction);
        self.change(ObjectKind::Dispute, id, |dispute| {
            if let Some(all) = dispute["balance_transactions"].as_array_mut() {
                all.push(transaction);
            }
            dispute["is_charge_refundable"] = json!(false);
        });
    }

    /// Takes a dispute one step further.
    pub(super) fn step_dispute(
        &mut self,
        id: &str,
        step: DisputeStep,
    ) -> Result<(), StripeRefusal> {
        let dispute = self.find(ObjectKind::Dispute, id, "dispute")?.clone();
        let status = text(&dispute["status"]);
        let is_inquiry = status.starts_with("warning_");
        let is_closed = matches!(status, "won" | "lost" | "warning_closed");
        let next = match step {
            DisputeStep::Escalate if is_inquiry => "needs_response",
            DisputeStep::Respond if !is_closed => match status {
                "warning_needs_response" | "warning_under_review" => "warning_under_review",
                "appeal_needs_response" | "appeal_under_review" => "appeal_under_review",
                _ => "under_review",
            },
            DisputeStep::Win if !is_closed && !is_inquiry => "won",
            DisputeStep::Lose if !is_closed && !is_inquiry => "lost",
            DisputeStep::CloseInquiry if is_inquiry && !is_closed => "warning_closed",
            DisputeStep::Appeal if status == "lost" => "appeal_under_review",
            DisputeStep::Appeal if status == "won" => "appeal_needs_response",
            _ => {
                return Err(StripeRefusal::invalid(format!(
                    "simulator: {step:?} is not possible for a dispute that is {status}"
                )));
            }
        };
        let previous = self.change(ObjectKind::Dispute, id, |dispute| {
            dispute["status"] = json!(next);
            if step == DisputeStep::Respond {
                let count = integer(&dispute["evidence_details"]["submission_count"]) + 1;
                dispute["evidence_details"]["submission_count"] = json!(count);
                dispute["evidence_details"]["has_evidence"] = json!(true);
            }
            if step == DisputeStep::Escalate {
                dispute["payment_method_details"]["card"]["case_type"] = json!("chargeback");
            }
        });
        let moved = match (step, status) {
            (DisputeStep::Escalate, _) => {
                self.withdraw(id);
                Some("charge.dispute.funds_withdrawn")
            }
            (DisputeStep::Appeal, "won") => {
                self.move_funds(id, -1, 0, "Chargeback withdrawal");
                Some("charge.dispute.funds_withdrawn")
            }
            (DisputeStep::Win, _) => {
                self.move_funds(id, 1, 0, "Chargeback reversal");
                Some("charge.dispute.funds_reinstated")
            }
            _ => None,
        };
        if matches!(next, "won" | "lost" | "warning_closed") {
            self.emit("charge.dispute.closed", ObjectKind::Dispute, id);
        } else {
            self.emit_change("charge.dispute.updated", ObjectKind::Dispute, id, previous);
        }
        if let Some(event) = moved {
            self.emit(event, ObjectKind::Dispute, id);
        }
        Ok(())
    }

    /// The card's network warns that a charge may be fraud.
    pub(super) fn warn_of_fraud(&mut self, charge_id: &str) -> Result<String, StripeRefusal> {
        let charge = self.find(ObjectKind::Charge, charge_id, "charge")?.clone();
        let id = self.new_id(ObjectKind::Warning);
        let is_actionable = charge["refunded"] != true && charge["disputed"] != true;
        let warning = json!({
            "id": id, "object": "radar.early_fraud_warning", "actionable": is_actionable, "charge": charge_id,
            "created": self.now, "fraud_type": "made_with_stolen_card", "livemode": self.livemode,
            "payment_intent": charge["payment_intent"],
        });
        self.put(ObjectKind::Warning, warning);
        self.emit(
            "radar.early_fraud_warning.created",
            ObjectKind::Warning,
            &id,
        );
        Ok(id)
    }
}
