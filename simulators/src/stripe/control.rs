//! What tests and the page do: what buyers, banks and the dashboard do, and what breaks.
//!
//! Ids are found in either mode.

use std::time::Duration;

use serde_json::{Value, json};

use super::Stripe;
use super::checkout::BuyerAction;
use super::dispute::DisputeStep;
use super::fault::StripeFaultRule;
use super::journal::{StripeCall, StripeDelivery};
use super::kind::ObjectKind;
use super::limit::StripeLimits;
use super::outbox::{EventParcel, EventRule, ReleaseOrder};
use super::refusal::StripeRefusal;
use super::terms::{RefundPlan, RenewalOutcome};
use super::values::text;
use super::world::StripeWorld;
use crate::transport::{Deliver, WebhookTransport};

/// Buyers, banks, the dashboard.
impl Stripe {
    /// Accepts a secret key (`sk_test_…` or `sk_live_…`), which may do all.
    pub fn add_key(&self, key: &str) {
        self.shared.change(|state| state.keys.add(key, None));
    }

    /// Accepts a restricted key (`rk_test_…` or `rk_live_…`) with these rights: `checkout_session_write`,
    /// `refund_read`, .. The right to write includes reading.
    pub fn add_restricted_key(&self, key: &str, rights: &[&str]) {
        let rights = rights.iter().map(|right| (*right).to_owned()).collect();
        self.shared
            .change(|state| state.keys.add(key, Some(rights)));
    }

    /// Refuses the key with 401 from now on.
    pub fn revoke_key(&self, key: &str) {
        self.shared.change(|state| state.keys.remove(key));
    }

    /// What the buyer of a session does on its page.
    ///
    /// # Errors
    /// The refusal of the page: the session is not open, or there is nothing to authenticate.
    pub fn act(&self, session: &str, action: &BuyerAction) -> Result<(), StripeRefusal> {
        self.at(ObjectKind::Session, session, |world| {
            world.act(session, action)
        })
    }

    /// Ends a slow payment of a session: the money comes, or not. A session that waits for none stays as it is.
    ///
    /// # Errors
    /// If there is no such session.
    pub fn settle(&self, session: &str, succeeds: bool) -> Result<(), StripeRefusal> {
        self.at(ObjectKind::Session, session, |world| {
            world.settle_session(session, succeeds);
            Ok(())
        })
    }

    /// How the invoices of a subscription end from now on.
    ///
    /// # Errors
    /// If there is no such subscription.
    pub fn set_renewal(
        &self,
        subscription: &str,
        outcome: RenewalOutcome,
    ) -> Result<(), StripeRefusal> {
        self.at(ObjectKind::Subscription, subscription, |world| {
            if let Some(terms) = world.subscription_terms.get_mut(subscription) {
                terms.renewal = outcome;
            }
            Ok(())
        })
    }

    /// Pauses a subscription: no invoice is made meanwhile.
    ///
    /// # Errors
    /// If there is no such subscription, or it doesn't run.
    pub fn pause_subscription(&self, subscription: &str) -> Result<(), StripeRefusal> {
        self.at(ObjectKind::Subscription, subscription, |world| {
            world.pause_subscription(subscription)
        })
    }

    /// Lets a paused subscription go on; its period begins now.
    ///
    /// # Errors
    /// If there is no such subscription, or it isn't paused.
    pub fn resume_subscription(&self, subscription: &str) -> Result<(), StripeRefusal> {
        self.at(ObjectKind::Subscription, subscription, |world| {
            world.resume_subscription(subscription)
        })
    }

    /// The customer pays an open invoice on its hosted page.
    ///
    /// # Errors
    /// If there is no such invoice, or it isn't open.
    pub fn pay_invoice(&self, invoice: &str) -> Result<(), StripeRefusal> {
        self.at(ObjectKind::Invoice, invoice, |world| {
            world.pay_invoice(invoice)
        })
    }

    /// How refunds go from now on, in both modes.
    pub fn plan_refunds(&self, plan: RefundPlan) {
        self.shared.change(|state| {
            for world in state.worlds() {
                world.refund_plan = plan;
            }
        });
    }

    /// A pending refund is done.
    ///
    /// # Errors
    /// If there is no such refund, or it isn't pending.
    pub fn succeed_refund(&self, refund: &str) -> Result<(), StripeRefusal> {
        self.at(ObjectKind::Refund, refund, |world| {
            world.succeed_refund(refund)
        })
    }

    /// A refund fails, even one that looked done; `reason` is Stripe's, `expired_or_canceled_card` for example.
    ///
    /// # Errors
    /// If there is no such refund, or it has failed already.
    pub fn fail_refund(&self, refund: &str, reason: &str) -> Result<(), StripeRefusal> {
        self.at(ObjectKind::Refund, refund, |world| {
            world.fail_refund(refund, reason)
        })
    }

    /// The cardholder's bank takes back a charge; gives the dispute's id. `reason` is Stripe's, `fraudulent` for example.
    ///
    /// # Errors
    /// If there is no such charge, or its money is not there to be taken.
    pub fn dispute(&self, charge: &str, reason: &str) -> Result<String, StripeRefusal> {
        self.at(ObjectKind::Charge, charge, |world| {
            world.open_dispute(charge, false, reason)
        })
    }

    /// The cardholder's bank asks about a charge, and takes nothing; gives the dispute's id.
    ///
    /// # Errors
    /// As [`Stripe::dispute`].
    pub fn inquire(&self, charge: &str, reason: &str) -> Result<String, StripeRefusal> {
        self.at(ObjectKind::Charge, charge, |world| {
            world.open_dispute(charge, true, reason)
        })
    }

    /// Takes a dispute one step further.
    ///
    /// # Errors
    /// If there is no such dispute, or it is not at that step.
    pub fn step_dispute(&self, dispute: &str, step: DisputeStep) -> Result<(), StripeRefusal> {
        self.at(ObjectKind::Dispute, dispute, |world| {
            world.step_dispute(dispute, step)
        })
    }

    /// The card's network warns that a charge may be fraud; gives the warning's id.
    ///
    /// # Errors
    /// If there is no such charge.
    pub fn warn_of_fraud(&self, charge: &str) -> Result<String, StripeRefusal> {
        self.at(ObjectKind::Charge, charge, |world| {
            world.warn_of_fraud(charge)
        })
    }

    /// Saves the portal's settings in the dashboard, which makes the default configuration: cards, invoices and cancelling
    /// are on, switching plans is as given. Gives its id.
    pub fn save_portal_settings(&self, livemode: bool, is_switching_on: bool) -> String {
        let features = json!({"features": {
            "invoice_history": {"enabled": true}, "payment_method_update": {"enabled": true},
            "subscription_cancel": {"enabled": true, "mode": "at_period_end"},
            "subscription_update": {"enabled": is_switching_on},
        }});
        self.shared.change(|state| {
            let world = state.world(livemode);
            let former: Vec<String> = world
                .all(ObjectKind::PortalConfiguration)
                .map(|configuration| text(&configuration["id"]).to_owned())
                .collect();
            for id in former {
                world.set(
                    ObjectKind::PortalConfiguration,
                    &id,
                    json!({"is_default": false}),
                );
            }
            world.new_configuration(&features, true)
        })
    }

    /// Gives the endpoint a new secret; the present one signs too for this long. Gives the new one, or none if there is
    /// no such endpoint.
    pub fn roll_secret(&self, endpoint: &str, overlap: Duration) -> Option<String> {
        let overlap_ms = i64::try_from(overlap.as_millis()).unwrap_or(i64::MAX / 2);
        let until_ms = self.shared.clock.now_ms().saturating_add(overlap_ms);
        self.shared.change(|state| {
            let mut worlds = state.worlds().into_iter();
            let secrets = worlds.find_map(|world| world.outbox.secrets.get_mut(endpoint))?;
            secrets.roll(until_ms);
            Some(secrets.newest().to_owned())
        })
    }

    /// Sends an event to an endpoint once more, as the dashboard does on demand.
    ///
    /// # Errors
    /// If there is no such event.
    pub fn resend(&self, event: &str, endpoint: &str) -> Result<(), StripeRefusal> {
        let now_ms = self.shared.clock.now_ms();
        self.at(ObjectKind::Event, event, |world| {
            world.outbox.push(EventParcel {
                event_id: event.to_owned(),
                endpoint_id: endpoint.to_owned(),
                attempt: 1,
                due_ms: now_ms,
                is_repeat: true,
                is_in_line: false,
            });
            Ok(())
        })
    }

    fn at<T>(
        &self,
        kind: ObjectKind,
        id: &str,
        how: impl FnOnce(&mut StripeWorld) -> Result<T, StripeRefusal>,
    ) -> Result<T, StripeRefusal> {
        self.shared.change(|state| {
            let livemode = state.live.get(kind, id).is_some();
            let world = state.world(livemode);
            world.find(kind, id, "id")?;
            world.request = (None, None);
            how(world)
        })
    }
}

/// What breaks.
impl Stripe {
    /// Adds a rule after those that there are.
    pub fn fail(&self, rule: StripeFaultRule) {
        self.shared.change(|state| state.faults.0.push(rule));
    }

    /// Adds a rule for deliveries of events, after those that there are.
    pub fn fail_delivery(&self, rule: &EventRule) {
        self.shared.change(|state| {
            for world in state.worlds() {
                world.outbox.rules.push(rule.clone());
            }
        });
    }

    /// Drops all rules.
    pub fn clear_faults(&self) {
        self.shared.change(|state| {
            state.faults.0.clear();
            for world in state.worlds() {
                world.outbox.rules.clear();
            }
        });
    }

    /// Limits requests by the second, by [`StripeLimits::PUBLISHED`] for example; none, the default, is no limit.
    pub fn set_limits(&self, limits: Option<StripeLimits>) {
        self.shared.change(|state| state.counts.limits = limits);
    }

    /// Keeps the events that come until [`Stripe::release_events`].
    pub fn hold_events(&self) {
        self.shared.change(|state| {
            for world in state.worlds() {
                world.outbox.hold();
            }
        });
    }

    /// Sends the events that were kept, in this order.
    pub fn release_events(&self, order: ReleaseOrder) {
        let now_ms = self.shared.clock.now_ms();
        self.shared.change(|state| {
            for world in state.worlds() {
                world.outbox.release(order, now_ms);
            }
        });
    }

    /// Delivers events through this function from now on, whatever the host of the endpoint's URL.
    pub fn deliver_to(&self, deliver: Deliver) {
        *self.shared.transport() = WebhookTransport::Function(deliver);
    }
}

/// A look at what there is, and what happened.
impl Stripe {
    /// An object by its id; coupons by [`Stripe::coupon`].
    #[must_use]
    pub fn object(&self, id: &str) -> Option<Value> {
        let kind = ObjectKind::of_id(id)?;
        self.find_object(kind, id)
    }

    /// A coupon.
    #[must_use]
    pub fn coupon(&self, id: &str) -> Option<Value> {
        self.find_object(ObjectKind::Coupon, id)
    }

    fn find_object(&self, kind: ObjectKind, id: &str) -> Option<Value> {
        let mut state = self.shared.lock();
        state.worlds().into_iter().find_map(|world| {
            let object = world.get(kind, id)?.clone();
            Some(world.shown(kind, object))
        })
    }

    /// All events, oldest first, those of test mode before those of live mode.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        let mut state = self.shared.lock();
        let worlds = state.worlds().into_iter();
        worlds
            .flat_map(|world| world.all(ObjectKind::Event).cloned().collect::<Vec<_>>())
            .collect()
    }

    /// The newest requests, oldest first, at most [`REMEMBERED`](super::journal::REMEMBERED).
    #[must_use]
    pub fn calls(&self) -> Vec<StripeCall> {
        self.shared.lock().journal.calls.iter().cloned().collect()
    }

    /// The newest deliveries of events, oldest first.
    #[must_use]
    pub fn deliveries(&self) -> Vec<StripeDelivery> {
        self.shared
            .lock()
            .journal
            .deliveries
            .iter()
            .cloned()
            .collect()
    }
}
