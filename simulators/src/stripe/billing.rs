//! Invoices of subscriptions: the first, the renewals about an hour after each period's end, tries and their failures.

use serde_json::{Value, json};

use super::ask::{StripeAsk, StripeResult};
use super::catalog::period_end;
use super::coupon;
use super::kind::ObjectKind;
use super::list;
use super::payment::Confirmation;
use super::refusal::StripeRefusal;
use super::terms::RenewalOutcome;
use super::values::{integer, random_text, text};
use super::world::{DueAction, StripeWorld};

/// How long a renewal's invoice is a draft.
const DRAFT_TIME: i64 = 3_600;
/// How long after each failed try the next one comes; after the last the subscription ends.
const RETRY_GAPS: [i64; 3] = [3 * 86_400, 5 * 86_400, 7 * 86_400];

/// Why an invoice was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BillingReason {
    Created,
    Cycle,
}

/// An invoice to be made.
pub(super) struct NewInvoice<'a> {
    pub(super) subscription: &'a str,
    pub(super) reason: BillingReason,
    pub(super) amount: i64,
    pub(super) discount: i64,
    /// What its line pays for, in seconds.
    pub(super) period: (i64, i64),
}

/// `GET /v1/invoices/{invoice}`.
pub(super) fn retrieve(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    world.find(ObjectKind::Invoice, &ask.id, "invoice").cloned()
}

/// `GET /v1/invoices`.
pub(super) fn list_all(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let equal = list::equal(&ask.params, &["customer", "status"]);
    let subscription = &ask.params["subscription"];
    list::list(world, ObjectKind::Invoice, &ask.params, |invoice| {
        equal(invoice)
            && (subscription.is_null()
                || *subscription == invoice["parent"]["subscription_details"]["subscription"])
    })
}

/// `GET /v1/invoice_payments/{invoice_payment}`.
pub(super) fn retrieve_payment(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    world
        .find(ObjectKind::InvoicePayment, &ask.id, "invoice_payment")
        .cloned()
}

/// `GET /v1/invoice_payments`.
pub(super) fn list_payments(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let equal = list::equal(&ask.params, &["invoice", "status"]);
    let payment = &ask.params["payment"];
    list::list(world, ObjectKind::InvoicePayment, &ask.params, |own| {
        let names =
            |field: &str| payment[field].is_null() || payment[field] == own["payment"][field];
        equal(own) && ["type", "payment_intent"].into_iter().all(names)
    })
}

impl StripeWorld {
    /// A draft, and its event.
    pub(super) fn new_invoice(&mut self, new: &NewInvoice<'_>) -> String {
        let id = self.new_id(ObjectKind::Invoice);
        let subscription = self.read(ObjectKind::Subscription, new.subscription);
        let customer = self.read(ObjectKind::Customer, text(&subscription["customer"]));
        let item = &subscription["items"]["data"][0];
        let (currency, total) = (&subscription["currency"], new.amount - new.discount);
        let discount_id = self
            .subscription_terms
            .get(new.subscription)
            .and_then(|terms| terms.discount.clone())
            .filter(|_| new.discount > 0);
        let discounts: Vec<&String> = discount_id.iter().collect();
        let amounts: Vec<Value> = discount_id
            .iter()
            .map(|discount| json!({"amount": new.discount, "discount": discount}))
            .collect();
        let is_first = new.reason == BillingReason::Created;
        let line = json!({
            "id": format!("il_1{}", random_text(23)), "object": "line_item", "amount": new.amount,
            "currency": currency, "description": "1 × Admit One", "discount_amounts": amounts, "discountable": true,
            "discounts": discounts, "invoice": id, "livemode": self.livemode, "metadata": subscription["metadata"],
            "parent": {
                "invoice_item_details": null,
                "subscription_item_details": {
                    "invoice_item": null, "proration": false, "proration_details": {"credited_items": null},
                    "subscription": new.subscription, "subscription_item": item["id"],
                },
                "type": "subscription_item_details",
            },
            "period": {"start": new.period.0, "end": new.period.1}, "pretax_credit_amounts": [],
            "pricing": {
                "price_details": {"price": item["price"]["id"], "product": item["price"]["product"]},
                "type": "price_details", "unit_amount_decimal": item["price"]["unit_amount_decimal"],
            },
            "quantity": item["quantity"], "quantity_decimal": "1", "subscription": new.subscription,
            "subtotal": new.amount, "taxes": [],
        });
        let period_start = if is_first {
            self.now
        } else {
            integer(
                &self.read(ObjectKind::Invoice, text(&subscription["latest_invoice"]))["period_end"],
            )
        };
        let invoice = json!({
            "id": id, "object": "invoice", "account_country": "US", "account_name": "Admit One",
            "account_tax_ids": null, "amount_due": total, "amount_overpaid": 0, "amount_paid": 0,
            "amount_paid_off_stripe": 0, "amount_remaining": total, "amount_shipping": 0, "application": null,
            "attempt_count": 0, "attempted": false, "auto_advance": true,
            "automatic_tax": {
                "disabled_reason": null, "enabled": false, "liability": null, "provider": null, "status": null,
            },
            "automatically_finalizes_at": if is_first { Value::Null } else { json!(self.now + DRAFT_TIME) },
            "billing_reason": if is_first { "subscription_create" } else { "subscription_cycle" },
            "collection_method": "charge_automatically", "created": self.now, "currency": currency,
            "custom_fields": null, "customer": subscription["customer"], "customer_account": null,
            "customer_address": null, "customer_email": customer["email"], "customer_name": customer["name"],
            "customer_phone": null, "customer_shipping": null, "customer_tax_exempt": "none",
            "customer_tax_ids": [], "default_payment_method": null, "default_source": null,
            "default_tax_rates": [], "description": subscription["description"], "discounts": discounts,
            "due_date": null, "effective_at": null, "ending_balance": null, "footer": null, "from_invoice": null,
            "hosted_invoice_url": null, "invoice_pdf": null, "issuer": {"type": "self"},
            "last_finalization_error": null, "latest_revision": null,
            "lines": {
                "object": "list", "data": [line], "has_more": false, "url": format!("/v1/invoices/{id}/lines"),
            },
            "livemode": self.livemode, "metadata": {},
            "next_payment_attempt": if is_first { Value::Null } else { json!(self.now + DRAFT_TIME) },
            "number": null, "on_behalf_of": null,
            "parent": {
                "quote_details": null,
                "subscription_details": {
                    "metadata": subscription["metadata"], "subscription": new.subscription,
                },
                "type": "subscription_details",
            },
            "payment_settings": {
                "default_mandate": null, "payment_method_options": null, "payment_method_types": null,
            },
            "period_end": self.now, "period_start": period_start, "post_payment_credit_notes_amount": 0,
            "pre_payment_credit_notes_amount": 0, "receipt_number": null, "rendering": null, "shipping_cost": null,
            "shipping_details": null, "starting_balance": 0, "statement_descriptor": null, "status": "draft",
            "status_details": null,
            "status_transitions": {
                "finalized_at": null, "marked_uncollectible_at": null, "paid_at": null, "voided_at": null,
            },
            "subtotal": new.amount, "subtotal_excluding_tax": new.amount, "test_clock": null, "total": total,
            "total_discount_amounts": amounts, "total_excluding_tax": total, "total_pretax_credit_amounts": [],
            "total_taxes": [], "webhooks_delivered_at": null,
        });
        self.put(ObjectKind::Invoice, invoice);
        self.set(
            ObjectKind::Subscription,
            new.subscription,
            json!({"latest_invoice": id}),
        );
        self.emit("invoice.created", ObjectKind::Invoice, &id);
        id
    }

    /// Makes a draft payable by `intent`; without one there is nothing to pay.
    pub(super) fn open_invoice(&mut self, id: &str, intent: Option<String>) {
        let invoice = self.read(ObjectKind::Invoice, id);
        let prefix =
            self.read(ObjectKind::Customer, text(&invoice["customer"]))["invoice_prefix"].clone();
        self.invoice_count += 1;
        let number = format!("{}-{:04}", text(&prefix), self.invoice_count);
        let page = format!("{}/i/{id}", self.url);
        let now = self.now;
        self.change(ObjectKind::Invoice, id, |invoice| {
            invoice["status"] = json!("open");
            invoice["status_transitions"]["finalized_at"] = json!(now);
            invoice["automatically_finalizes_at"] = Value::Null;
            invoice["effective_at"] = json!(now);
            invoice["ending_balance"] = json!(0);
            invoice["number"] = json!(number);
            invoice["invoice_pdf"] = json!(format!("{page}/pdf"));
            invoice["hosted_invoice_url"] = json!(page);
        });
        self.emit("invoice.finalized", ObjectKind::Invoice, id);
        if let Some(intent) = intent {
            let payment = self.new_id(ObjectKind::InvoicePayment);
            let object = json!({
                "id": payment, "object": "invoice_payment", "amount_paid": null,
                "amount_requested": invoice["amount_due"], "created": self.now, "currency": invoice["currency"],
                "invoice": id, "is_default": true, "livemode": self.livemode,
                "payment": {"payment_intent": intent, "type": "payment_intent"}, "status": "open",
                "status_transitions": {"canceled_at": null, "paid_at": null},
            });
            self.put(ObjectKind::InvoicePayment, object);
        }
    }

    pub(super) fn count_attempt(&mut self, id: &str) {
        self.change(ObjectKind::Invoice, id, |invoice| {
            invoice["attempt_count"] = json!(integer(&invoice["attempt_count"]) + 1);
            invoice["attempted"] = json!(true);
            invoice["next_payment_attempt"] = Value::Null;
        });
    }

    fn payment_of(&self, invoice: &str) -> Option<Value> {
        let mut payments = self.all(ObjectKind::InvoicePayment);
        payments
            .find(|payment| payment["invoice"] == invoice)
            .cloned()
    }

    /// Notes that an invoice is paid, tells, and makes its subscription active again.
    pub(super) fn invoice_was_paid(&mut self, id: &str) {
        let now = self.now;
        self.change(ObjectKind::Invoice, id, |invoice| {
            invoice["status"] = json!("paid");
            invoice["amount_paid"] = invoice["amount_due"].clone();
            invoice["amount_remaining"] = json!(0);
            invoice["attempted"] = json!(true);
            invoice["auto_advance"] = json!(false);
            invoice["next_payment_attempt"] = Value::Null;
            invoice["status_transitions"]["paid_at"] = json!(now);
        });
        if let Some(payment) = self.payment_of(id) {
            let payment_id = text(&payment["id"]);
            let paid = json!({
                "amount_paid": payment["amount_requested"], "status": "paid",
                "status_transitions": {"canceled_at": null, "paid_at": now},
            });
            self.set(ObjectKind::InvoicePayment, payment_id, paid);
            self.emit(
                "invoice_payment.paid",
                ObjectKind::InvoicePayment,
                payment_id,
            );
        }
        self.emit("invoice.paid", ObjectKind::Invoice, id);
        self.emit("invoice.payment_succeeded", ObjectKind::Invoice, id);
        let subscription = self.subscription_of(id);
        if self.read(ObjectKind::Subscription, &subscription)["status"] == "past_due" {
            self.set_subscription_status(&subscription, "active");
        }
    }

    fn subscription_of(&self, invoice: &str) -> String {
        let invoice = self.read(ObjectKind::Invoice, invoice);
        text(&invoice["parent"]["subscription_details"]["subscription"]).to_owned()
    }

    /// A try failed: the next one is planned, or the subscription ends.
    pub(super) fn invoice_failed(&mut self, id: &str, needs_action: bool) {
        let invoice = self.read(ObjectKind::Invoice, id);
        let gap = usize::try_from(integer(&invoice["attempt_count"]) - 1)
            .ok()
            .and_then(|attempt| RETRY_GAPS.get(attempt));
        let next = gap.map(|gap| self.now + gap);
        let previous = self.set(
            ObjectKind::Invoice,
            id,
            json!({"next_payment_attempt": next}),
        );
        if needs_action {
            self.emit("invoice.payment_action_required", ObjectKind::Invoice, id);
        }
        self.emit("invoice.payment_failed", ObjectKind::Invoice, id);
        self.emit_change("invoice.updated", ObjectKind::Invoice, id, previous);
        let subscription = self.subscription_of(id);
        match next {
            Some(next) => {
                self.at(next, DueAction::RetryInvoice(id.to_owned()));
                self.set_subscription_status(&subscription, "past_due");
            }
            None => self.cancel_subscription(&subscription, "payment_failed"),
        }
    }

    /// The end of a period: the next one begins with an invoice, or the subscription ends.
    pub(super) fn end_period(&mut self, id: &str) {
        let subscription = self.read(ObjectKind::Subscription, id);
        let item = &subscription["items"]["data"][0];
        // A period that was begun anew meanwhile ends later.
        let is_over = item["current_period_end"]
            .as_i64()
            .is_some_and(|end| end <= self.now);
        if !is_over || matches!(text(&subscription["status"]), "canceled" | "paused") {
            return;
        }
        if subscription["cancel_at_period_end"] == true {
            self.cancel_subscription(id, "cancellation_requested");
            return;
        }
        let start = integer(&item["current_period_end"]);
        let anchor = integer(&subscription["billing_cycle_anchor"]);
        let price = &item["price"];
        let end = period_end(start, anchor, &price["recurring"]);
        let amount = integer(&price["unit_amount"]) * integer(&item["quantity"]);
        let discount = self.renewal_discount(id, &subscription, amount);
        let invoice = self.new_invoice(&NewInvoice {
            subscription: id,
            reason: BillingReason::Cycle,
            amount,
            discount,
            period: (start, end),
        });
        let mut previous = self.change(ObjectKind::Subscription, id, |subscription| {
            let item = &mut subscription["items"]["data"][0];
            item["current_period_start"] = json!(start);
            item["current_period_end"] = json!(end);
            if subscription["status"] == "trialing" {
                subscription["status"] = json!("active");
            }
        });
        previous["latest_invoice"] = subscription["latest_invoice"].clone();
        self.emit_change(
            "customer.subscription.updated",
            ObjectKind::Subscription,
            id,
            previous,
        );
        self.at(end, DueAction::EndPeriod(id.to_owned()));
        self.at(self.now + DRAFT_TIME, DueAction::FinalizeInvoice(invoice));
    }

    /// What the subscription's coupon still takes off.
    fn renewal_discount(&self, id: &str, subscription: &Value, amount: i64) -> i64 {
        let coupon = self
            .subscription_terms
            .get(id)
            .and_then(|terms| terms.coupon.as_deref())
            .map(|coupon| self.read(ObjectKind::Coupon, coupon))
            .unwrap_or_default();
        let applies = match text(&coupon["duration"]) {
            "forever" => true,
            "repeating" => {
                let months =
                    json!({"interval": "month", "interval_count": coupon["duration_in_months"]});
                let start = integer(&subscription["start_date"]);
                self.now < period_end(start, start, &months)
            }
            _ => false,
        };
        if applies {
            coupon::discount(&coupon, amount, text(&subscription["currency"])).unwrap_or(0)
        } else {
            0
        }
    }

    /// The end of a draft: it is open, and tried for the first time.
    pub(super) fn finalize_invoice(&mut self, id: &str) {
        let invoice = self.read(ObjectKind::Invoice, id);
        if invoice["status"] != "draft" || invoice["auto_advance"] != true {
            return;
        }
        if integer(&invoice["amount_due"]) == 0 {
            self.open_invoice(id, None);
            self.invoice_was_paid(id);
            return;
        }
        let data = json!({"description": "Subscription update"});
        let intent = self.new_intent(
            integer(&invoice["amount_due"]),
            text(&invoice["currency"]),
            &invoice["customer"],
            &data,
        );
        self.open_invoice(id, Some(intent));
        self.try_invoice(id);
    }

    pub(super) fn retry_invoice(&mut self, id: &str) {
        let invoice = self.read(ObjectKind::Invoice, id);
        if invoice["status"] == "open" && invoice["auto_advance"] == true {
            self.try_invoice(id);
        }
    }

    fn try_invoice(&mut self, id: &str) {
        let subscription = self.subscription_of(id);
        let terms = self.subscription_terms.get(&subscription);
        let how = match terms.map(|terms| terms.renewal.clone()).unwrap_or_default() {
            RenewalOutcome::Succeed => Confirmation::Succeed,
            RenewalOutcome::Decline(code) => Confirmation::Decline(code),
            RenewalOutcome::RequireAction => Confirmation::RequireAction,
        };
        let Some(payment) = self.payment_of(id) else {
            return;
        };
        self.count_attempt(id);
        self.confirm(text(&payment["payment"]["payment_intent"]), &how);
        match how {
            Confirmation::Succeed => self.invoice_was_paid(id),
            Confirmation::RequireAction => self.invoice_failed(id, true),
            Confirmation::Decline(_) | Confirmation::Process => self.invoice_failed(id, false),
        }
    }

    /// The customer pays an open invoice on its hosted page.
    pub(super) fn pay_invoice(&mut self, id: &str) -> Result<(), StripeRefusal> {
        let invoice = self.find(ObjectKind::Invoice, id, "invoice")?;
        if invoice["status"] != "open" {
            return Err(StripeRefusal::invalid(format!(
                "This invoice has a status of `{}`.",
                text(&invoice["status"])
            )));
        }
        let Some(payment) = self.payment_of(id) else {
            return Err(StripeRefusal::invalid("This invoice has nothing to pay."));
        };
        self.count_attempt(id);
        let intent = text(&payment["payment"]["payment_intent"]).to_owned();
        self.confirm(&intent, &Confirmation::Succeed);
        self.invoice_was_paid(id);
        Ok(())
    }
}
