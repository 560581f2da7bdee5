//! Subscriptions: how they begin, are changed, and end.

use serde_json::{Value, json};

use super::ask::{StripeAsk, StripeResult};
use super::billing::{BillingReason, NewInvoice};
use super::catalog::period_end;
use super::kind::ObjectKind;
use super::list;
use super::payment::Confirmation;
use super::refusal::StripeRefusal;
use super::terms::SubscriptionTerms;
use super::values::{integer, merge_metadata, or_empty, or_null, random_text, text};
use super::world::{DueAction, StripeWorld};

/// How long before its end a trial is told of.
const TRIAL_NOTICE: i64 = 3 * 86_400;

/// `GET /v1/subscriptions/{subscription_exposed_id}`.
pub(super) fn retrieve(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    world.find(ObjectKind::Subscription, &ask.id, "id").cloned()
}

/// `GET /v1/subscriptions`: those that are canceled only if they are asked for.
pub(super) fn list_all(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let equal = list::equal(&ask.params, &["customer"]);
    let wanted = ask.params["status"].as_str();
    list::list(
        world,
        ObjectKind::Subscription,
        &ask.params,
        |subscription| {
            let status = text(&subscription["status"]);
            let is_wanted = match wanted {
                None => status != "canceled",
                Some("all") => true,
                Some("ended") => status == "canceled" || status == "incomplete_expired",
                Some(wanted) => status == wanted,
            };
            is_wanted && equal(subscription)
        },
    )
}

/// `POST /v1/subscriptions/{subscription_exposed_id}`: its end with the period, metadata, description.
pub(super) fn update(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let (id, params) = (&ask.id, &ask.params);
    let subscription = world.find(ObjectKind::Subscription, id, "id")?.clone();
    if subscription["status"] == "canceled" && !params["cancel_at_period_end"].is_null() {
        return Err(StripeRefusal::invalid(
            "A canceled subscription can only update its cancellation_details and metadata.",
        ));
    }
    let now = world.now;
    let previous = world.change(ObjectKind::Subscription, id, |subscription| {
        match params["cancel_at_period_end"].as_bool() {
            Some(true) if subscription["cancel_at_period_end"] != true => {
                subscription["cancel_at_period_end"] = json!(true);
                subscription["cancel_at"] =
                    subscription["items"]["data"][0]["current_period_end"].clone();
                subscription["canceled_at"] = json!(now);
                subscription["cancellation_details"]["reason"] = json!("cancellation_requested");
            }
            Some(false) if subscription["cancel_at_period_end"] == true => {
                subscription["cancel_at_period_end"] = json!(false);
                subscription["cancel_at"] = Value::Null;
                subscription["canceled_at"] = Value::Null;
                subscription["cancellation_details"]["reason"] = Value::Null;
            }
            _ => {}
        }
        note_cancellation(subscription, params);
        if !params["description"].is_null() {
            subscription["description"] = or_null(&params["description"]);
        }
        merge_metadata(&mut subscription["metadata"], &params["metadata"]);
    });
    if previous
        .as_object()
        .is_some_and(|changed| !changed.is_empty())
    {
        world.emit_change(
            "customer.subscription.updated",
            ObjectKind::Subscription,
            id,
            previous,
        );
    }
    Ok(world.read(ObjectKind::Subscription, id))
}

fn note_cancellation(subscription: &mut Value, params: &Value) {
    for field in ["comment", "feedback"] {
        let given = &params["cancellation_details"][field];
        if !given.is_null() {
            subscription["cancellation_details"][field] = or_null(given);
        }
    }
}

/// `DELETE /v1/subscriptions/{subscription_exposed_id}`: its end at once.
pub(super) fn cancel(world: &mut StripeWorld, ask: &StripeAsk) -> StripeResult {
    let subscription = world.find(ObjectKind::Subscription, &ask.id, "id")?;
    if subscription["status"] == "canceled" {
        // One that has ended is no longer found by this call.
        return Err(StripeRefusal::no_such("subscription", &ask.id, "id"));
    }
    if ask.params["invoice_now"] == true || ask.params["prorate"] == true {
        return Err(StripeRefusal::not_simulated("proration"));
    }
    world.change(ObjectKind::Subscription, &ask.id, |subscription| {
        note_cancellation(subscription, &ask.params);
    });
    world.cancel_subscription(&ask.id, "cancellation_requested");
    Ok(world.read(ObjectKind::Subscription, &ask.id))
}

impl StripeWorld {
    /// The subscription of a session, with its first invoice.
    pub(super) fn begin_subscription(
        &mut self,
        session: &str,
        customer: &Value,
        payment: Option<&(String, Confirmation)>,
    ) {
        let Some(terms) = self.terms.get(session).cloned() else {
            return;
        };
        let item = terms.items.first().cloned().unwrap_or_default();
        let anchor = terms.trial_end.unwrap_or(self.now);
        let end = terms
            .trial_end
            .unwrap_or_else(|| period_end(self.now, anchor, &item["price"]["recurring"]));
        let id = self.new_id(ObjectKind::Subscription);
        let discount = terms
            .coupon
            .as_ref()
            .map(|_| format!("di_1{}", random_text(23)));
        let subscription = self.new_subscription(
            &id,
            customer,
            &item,
            &terms,
            (anchor, end),
            discount.as_deref(),
        );
        self.put(ObjectKind::Subscription, subscription);
        let subscription_terms = SubscriptionTerms::new(terms.coupon.clone(), discount);
        self.subscription_terms
            .insert(id.clone(), subscription_terms);
        self.at(end, DueAction::EndPeriod(id.clone()));
        if let Some(trial_end) = terms.trial_end {
            let notice_at = (trial_end - TRIAL_NOTICE).max(self.now);
            self.at(notice_at, DueAction::WarnOfTrialEnd(id.clone()));
        }
        self.emit(
            "customer.subscription.created",
            ObjectKind::Subscription,
            &id,
        );
        let invoice = self.new_invoice(&NewInvoice {
            subscription: &id,
            reason: BillingReason::Created,
            amount: integer(&item["amount_subtotal"]),
            discount: integer(&item["amount_discount"]),
            period: (self.now, end),
        });
        self.set(
            ObjectKind::Session,
            session,
            json!({"subscription": id, "invoice": invoice}),
        );
        self.open_invoice(&invoice, payment.map(|(intent, _)| intent.clone()));
        match payment {
            Some((intent, how)) => {
                self.confirm(intent, how);
                self.count_attempt(&invoice);
                if *how == Confirmation::Succeed {
                    self.invoice_was_paid(&invoice);
                }
            }
            None => self.invoice_was_paid(&invoice),
        }
    }

    fn new_subscription(
        &self,
        id: &str,
        customer: &Value,
        item: &Value,
        terms: &super::terms::SessionTerms,
        (anchor, end): (i64, i64),
        discount: Option<&str>,
    ) -> Value {
        let data = &terms.subscription_data;
        let ids: Vec<&str> = discount.into_iter().collect();
        let item = json!({
            "id": format!("si_{}", random_text(14)), "object": "subscription_item", "billing_thresholds": null,
            "created": self.now, "current_period_end": end, "current_period_start": self.now, "discounts": [],
            "metadata": {}, "price": item["price"], "quantity": item["quantity"], "subscription": id,
            "tax_rates": [],
        });
        let is_trial = terms.trial_end.is_some();
        json!({
            "id": id, "object": "subscription", "application": null, "application_fee_percent": null,
            "automatic_tax": {"disabled_reason": null, "enabled": false, "liability": null},
            "billing_cycle_anchor": anchor, "billing_cycle_anchor_config": null,
            "billing_mode": {
                "flexible": {"proration_discounts": "included"}, "type": "flexible", "updated_at": self.now,
            },
            "billing_schedules": [], "billing_thresholds": null, "cancel_at": null, "cancel_at_period_end": false,
            "canceled_at": null, "cancellation_details": {"comment": null, "feedback": null, "reason": null},
            "collection_method": "charge_automatically", "created": self.now,
            "currency": item["price"]["currency"], "customer": customer, "customer_account": null,
            "days_until_due": null, "default_payment_method": format!("pm_1{}", random_text(23)),
            "default_source": null, "default_tax_rates": [], "description": data["description"],
            "discounts": ids, "ended_at": null,
            "invoice_settings": {"account_tax_ids": null, "issuer": {"type": "self"}},
            "items": {
                "object": "list", "data": [item], "has_more": false,
                "url": format!("/v1/subscription_items?subscription={id}"),
            },
            "latest_invoice": null, "livemode": self.livemode, "managed_payments": {"enabled": false},
            "metadata": or_empty(&data["metadata"]), "next_pending_invoice_item_invoice": null,
            "on_behalf_of": null, "pause_collection": null,
            "payment_settings": {
                "payment_method_options": null, "payment_method_types": null, "save_default_payment_method": "off",
            },
            "pending_invoice_item_interval": null, "pending_setup_intent": null, "pending_update": null,
            "schedule": null, "start_date": self.now, "status": if is_trial { "trialing" } else { "active" },
            "status_details": null, "test_clock": null, "transfer_data": null, "trial_end": terms.trial_end,
            "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
            "trial_start": is_trial.then_some(self.now),
        })
    }

    pub(super) fn warn_of_trial_end(&mut self, id: &str) {
        if self.read(ObjectKind::Subscription, id)["status"] == "trialing" {
            self.emit(
                "customer.subscription.trial_will_end",
                ObjectKind::Subscription,
                id,
            );
        }
    }

    /// Ends it now, and collects no more of its invoices.
    pub(super) fn cancel_subscription(&mut self, id: &str, reason: &str) {
        let unpaid: Vec<String> = self
            .all(ObjectKind::Invoice)
            .filter(|invoice| {
                invoice["parent"]["subscription_details"]["subscription"] == id
                    && matches!(text(&invoice["status"]), "draft" | "open")
            })
            .map(|invoice| text(&invoice["id"]).to_owned())
            .collect();
        for invoice in unpaid {
            self.set(
                ObjectKind::Invoice,
                &invoice,
                json!({"auto_advance": false, "next_payment_attempt": null}),
            );
        }
        let now = self.now;
        self.change(ObjectKind::Subscription, id, |subscription| {
            subscription["status"] = json!("canceled");
            subscription["ended_at"] = json!(now);
            if subscription["canceled_at"].is_null() {
                subscription["canceled_at"] = json!(now);
            }
            subscription["cancellation_details"]["reason"] = json!(reason);
        });
        self.emit(
            "customer.subscription.deleted",
            ObjectKind::Subscription,
            id,
        );
    }

    /// Stops it: no invoice is made meanwhile.
    pub(super) fn pause_subscription(&mut self, id: &str) -> Result<(), StripeRefusal> {
        let subscription = self.find(ObjectKind::Subscription, id, "id")?;
        if !matches!(text(&subscription["status"]), "active" | "trialing") {
            return Err(StripeRefusal::invalid("This subscription can't be paused."));
        }
        let paused = json!({
            "status": "paused",
            "status_details": {"paused": {
                "subscription": {"type": "pause_requested"}, "transitioned_at": self.now, "type": "subscription",
            }},
        });
        self.set(ObjectKind::Subscription, id, paused);
        self.emit("customer.subscription.paused", ObjectKind::Subscription, id);
        Ok(())
    }

    /// Lets it go on, with a period that begins now; what would have been due meanwhile never is.
    pub(super) fn resume_subscription(&mut self, id: &str) -> Result<(), StripeRefusal> {
        let subscription = self.find(ObjectKind::Subscription, id, "id")?;
        if subscription["status"] != "paused" {
            return Err(StripeRefusal::invalid("This subscription is not paused."));
        }
        let recurring = subscription["items"]["data"][0]["price"]["recurring"].clone();
        let (now, end) = (self.now, period_end(self.now, self.now, &recurring));
        self.change(ObjectKind::Subscription, id, |subscription| {
            subscription["status"] = json!("active");
            subscription["status_details"] = Value::Null;
            subscription["billing_cycle_anchor"] = json!(now);
            let item = &mut subscription["items"]["data"][0];
            item["current_period_start"] = json!(now);
            item["current_period_end"] = json!(end);
        });
        self.at(end, DueAction::EndPeriod(id.to_owned()));
        self.emit(
            "customer.subscription.resumed",
            ObjectKind::Subscription,
            id,
        );
        Ok(())
    }

    /// Changes the status, and tells.
    pub(super) fn set_subscription_status(&mut self, id: &str, status: &str) {
        let present = text(&self.read(ObjectKind::Subscription, id)["status"]).to_owned();
        if present == status || present == "canceled" {
            return;
        }
        let previous = self.set(ObjectKind::Subscription, id, json!({"status": status}));
        self.emit_change(
            "customer.subscription.updated",
            ObjectKind::Subscription,
            id,
            previous,
        );
    }
}
