//! Refunds: what is refused, what is pending, and what fails after it looked done.

use serde_json::{Value, json};

use super::ask::{StripeAsk, StripeResult};
use super::kind::ObjectKind;
use super::list;
use super::money::TransactionOf;
use super::refusal::StripeRefusal;
use super::terms::RefundPlan;
use super::values::{integer, merge_metadata, or_empty, text};
use super::world::StripeWorld;

/// `POST /v1/refunds`.
pub(super) fn create(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let params = &ask.params;
    let charge = match (params["charge"].as_str(), params["payment_intent"].as_str()) {
        (Some(_), Some(_)) => return Err(StripeRefusal::exclusive("payment_intent, charge")),
        (None, None) => {
            return Err(StripeRefusal::invalid(
                "One of the following params should be provided for this request: payment_intent or charge.",
            ));
        }
        (Some(charge), None) => world
            .find(ObjectKind::Charge, charge, "charge")
            .map_err(StripeRefusal::in_parameter)?,
        (None, Some(intent)) => {
            let intent = world
                .find(ObjectKind::Intent, intent, "payment_intent")
                .map_err(StripeRefusal::in_parameter)?;
            let latest = text(&intent["latest_charge"]);
            let charge = world.get(ObjectKind::Charge, latest).filter(|charge| charge["paid"] == true);
            charge.ok_or_else(|| {
                let message = format!(
                    "This PaymentIntent ({}) does not have a successful charge to refund.",
                    text(&intent["id"])
                );
                StripeRefusal::invalid(message).param("payment_intent")
            })?
        }
    }
    .clone();
    let id = text(&charge["id"]);
    if charge["paid"] != true {
        return Err(StripeRefusal::invalid(format!(
            "Charge {id} has not been paid and cannot be refunded."
        )));
    }
    if world.is_withdrawn(id) {
        return Err(StripeRefusal::invalid(format!(
            "Charge {id} has been charged back; cannot issue a refund."
        ))
        .code("charge_disputed"));
    }
    let rest = integer(&charge["amount"]) - integer(&charge["amount_refunded"]);
    if rest == 0 {
        return Err(
            StripeRefusal::invalid(format!("Charge {id} has already been refunded."))
                .code("charge_already_refunded"),
        );
    }
    let amount = params["amount"].as_i64().unwrap_or(rest);
    if amount < 1 {
        return Err(StripeRefusal::invalid("Invalid positive integer")
            .code("parameter_invalid_integer")
            .param("amount"));
    }
    if amount > rest {
        return Err(StripeRefusal::invalid(format!(
            "Refund amount ({amount}) is greater than unrefunded amount on charge ({rest})"
        ))
        .param("amount"));
    }
    let refund = world.new_refund(&charge, amount, params);
    Ok(world.read(ObjectKind::Refund, &refund))
}

/// `GET /v1/refunds/{refund}`.
pub(super) fn retrieve(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    world.find(ObjectKind::Refund, &ask.id, "id").cloned()
}

/// `POST /v1/refunds/{refund}`: its metadata.
pub(super) fn update(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    world.find(ObjectKind::Refund, &ask.id, "id")?;
    let previous = world.change(ObjectKind::Refund, &ask.id, |refund| {
        merge_metadata(&mut refund["metadata"], &ask.params["metadata"]);
    });
    world.emit_change("refund.updated", ObjectKind::Refund, &ask.id, previous);
    Ok(world.read(ObjectKind::Refund, &ask.id))
}

/// `POST /v1/refunds/{refund}/cancel`: only refunds that wait for the buyer can be, and none here does.
pub(super) fn cancel(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let refund = world.find(ObjectKind::Refund, &ask.id, "id")?;
    Err(StripeRefusal::invalid(format!(
        "You can only cancel a refund with a status of requires_action; this one has a status of {}.",
        text(&refund["status"])
    )))
}

/// `GET /v1/refunds`.
pub(super) fn list_all(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let equal = list::equal(&ask.params, &["charge", "payment_intent"]);
    list::list(world, ObjectKind::Refund, &ask.params, equal)
}

impl StripeWorld {
    fn new_refund(&mut self, charge: &Value, amount: i64, params: &Value) -> String {
        let id = self.new_id(ObjectKind::Refund);
        let charge_id = text(&charge["id"]).to_owned();
        let kind = if charge["payment_method_details"]["type"] == "card" {
            "refund"
        } else {
            "payment_refund"
        };
        let transaction = self.book(&TransactionOf {
            source: &id,
            kind,
            amount: -amount,
            fee: 0,
            currency: text(&charge["currency"]),
            description: json!("REFUND FOR CHARGE"),
        });
        let status = match self.refund_plan {
            RefundPlan::Succeed => "succeeded",
            RefundPlan::Pend => "pending",
        };
        let mut refund = json!({
            "id": id, "object": "refund", "amount": amount, "balance_transaction": transaction,
            "charge": charge_id, "created": self.now, "currency": charge["currency"],
            "customer": charge["customer"], "customer_account": null,
            "destination_details": {
                "card": {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"},
                "type": "card",
            },
            "metadata": or_empty(&params["metadata"]), "payment_intent": charge["payment_intent"],
            "payment_method": charge["payment_method"], "reason": params["reason"], "receipt_number": null,
            "source_transfer_reversal": null, "status": status, "transfer_reversal": null,
        });
        if status == "pending" {
            refund["pending_reason"] = json!("processing");
        }
        self.put(ObjectKind::Refund, refund);
        let previous = self.add_refunded(&charge_id, amount);
        self.emit("refund.created", ObjectKind::Refund, &id);
        self.emit_change("charge.refunded", ObjectKind::Charge, &charge_id, previous);
        id
    }

    fn add_refunded(&mut self, charge: &str, amount: i64) -> Value {
        self.change(ObjectKind::Charge, charge, |charge| {
            let refunded = integer(&charge["amount_refunded"]) + amount;
            charge["amount_refunded"] = json!(refunded);
            charge["refunded"] = json!(refunded == integer(&charge["amount"]));
        })
    }

    /// A pending refund is done.
    pub(super) fn succeed_refund(&mut self, id: &str) -> Result<(), StripeRefusal> {
        let refund = self.find(ObjectKind::Refund, id, "id")?;
        if refund["status"] != "pending" {
            return Err(StripeRefusal::invalid("This refund is not pending."));
        }
        let previous = self.change(ObjectKind::Refund, id, |refund| {
            refund["status"] = json!("succeeded");
            if let Some(refund) = refund.as_object_mut() {
                refund.remove("pending_reason");
            }
        });
        self.emit_change("refund.updated", ObjectKind::Refund, id, previous);
        Ok(())
    }

    /// A refund fails, pending or done as it looked: the money is back with the account.
    pub(super) fn fail_refund(&mut self, id: &str, reason: &str) -> Result<(), StripeRefusal> {
        let refund = self.find(ObjectKind::Refund, id, "id")?.clone();
        if refund["status"] == "failed" {
            return Err(StripeRefusal::invalid("This refund has failed already."));
        }
        let amount = integer(&refund["amount"]);
        let transaction = self.book(&TransactionOf {
            source: id,
            kind: "refund_failure",
            amount,
            fee: 0,
            currency: text(&refund["currency"]),
            description: json!("REFUND FAILURE"),
        });
        let failed = json!({
            "status": "failed", "failure_reason": reason, "failure_balance_transaction": transaction,
        });
        let previous = self.change(ObjectKind::Refund, id, |refund| {
            if let (Some(refund), Value::Object(failed)) = (refund.as_object_mut(), failed) {
                refund.remove("pending_reason");
                refund.extend(failed);
            }
        });
        let charge = text(&refund["charge"]).to_owned();
        let of_charge = self.add_refunded(&charge, -amount);
        self.emit_change("refund.updated", ObjectKind::Refund, id, previous);
        self.emit("refund.failed", ObjectKind::Refund, id);
        self.emit_change("charge.updated", ObjectKind::Charge, &charge, of_charge);
        Ok(())
    }
}
