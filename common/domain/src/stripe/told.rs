//! Where an event or an object of Stripe's belongs, and what has to be read before it tells something.

use super::super::report::{Lookup, Named, OrderSeen, PaymentReport, Reading, Said};
use super::object::StripeObject;
use super::{CHARGE, PROVIDER, facts};

/// An event of Stripe's, or an object that was read there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StripeReport {
    object: StripeObject,
    /// The type of the event that told it; absent if it was read.
    event: Option<String>,
    is_live: Option<bool>,
    is_foreign: bool,
}

impl StripeReport {
    /// An object as it was read at Stripe just now.
    #[must_use]
    pub fn read(object: StripeObject) -> Self {
        let is_live = object.value()["livemode"].as_bool();
        Self {
            object,
            event: None,
            is_live,
            is_foreign: false,
        }
    }

    pub(super) const fn told(object: StripeObject, event: String, is_live: bool) -> Self {
        Self {
            object,
            event: Some(event),
            is_live: Some(is_live),
            is_foreign: false,
        }
    }

    pub(super) const fn of_others(mut self, is_foreign: bool) -> Self {
        self.is_foreign = is_foreign;
        self
    }

    /// The object in it.
    #[must_use]
    pub const fn object(&self) -> &StripeObject {
        &self.object
    }

    /// Where a refund, a dispute or a warning belongs: to the order of the payment that it is about.
    fn of_payment(&self) -> Named {
        let object = &self.object;
        let (intent, charge) = (object.other("payment_intent"), object.other("charge"));
        let upwards = match (intent, charge) {
            (Some(intent), _) => Some(Lookup::Intent(intent.to_owned())),
            (None, Some(charge)) => Some(Lookup::Charge(charge.to_owned())),
            (None, None) => None,
        };
        // A refund of ours says both; without the charge the order alone would not do.
        let own = object.order().zip(object.metadata(CHARGE));
        Named {
            charge: own.as_ref().map(|(_, charge)| (*charge).to_owned()),
            order: own.map(|(order, _)| order),
            refs: owned([intent, charge]),
            upwards,
            is_live: self.is_live,
        }
    }

    /// The same, in the words of the object itself.
    fn own(&self) -> Named {
        let object = &self.object;
        let id = object.id();
        let named = Named {
            is_live: self.is_live,
            order: object.order(),
            refs: owned([id]),
            ..Named::default()
        };
        match object.kind() {
            "checkout.session" => {
                let others = ["payment_intent", "invoice", "subscription"];
                let others = others.map(|name| object.other(name));
                Named {
                    refs: owned([id].into_iter().chain(others)),
                    ..named
                }
            }
            // The intent of a subscription's invoice has no metadata, and its charge is the invoice.
            "payment_intent" => Named {
                charge: named.order.as_ref().and(id).map(str::to_owned),
                upwards: id.map(|id| Lookup::InvoiceOfIntent(id.to_owned())),
                ..named
            },
            "charge" => {
                let intent = object.other("payment_intent");
                Named {
                    charge: named.order.as_ref().and(intent).map(str::to_owned),
                    refs: owned([intent, id]),
                    upwards: intent.map(|intent| Lookup::Intent(intent.to_owned())),
                    ..named
                }
            }
            "invoice" => {
                let subscription = object.subscription();
                Named {
                    order: object.order_of_subscription(),
                    charge: id.map(str::to_owned),
                    refs: owned([id, subscription]),
                    upwards: subscription.map(|id| Lookup::Subscription(id.to_owned())),
                    ..named
                }
            }
            "subscription" => named,
            "refund" | "dispute" | "radar.early_fraud_warning" => self.of_payment(),
            _ => Named {
                is_live: self.is_live,
                ..Named::default()
            },
        }
    }
}

fn owned<'a>(ids: impl IntoIterator<Item = Option<&'a str>>) -> Vec<String> {
    ids.into_iter().flatten().map(str::to_owned).collect()
}

impl PaymentReport for StripeReport {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn named(&self) -> Named {
        match self.is_foreign {
            true => Named {
                is_live: self.is_live,
                ..Named::default()
            },
            false => self.own(),
        }
    }

    fn reading(&self, order: &OrderSeen<'_>) -> Reading {
        let object = &self.object;
        let Some(id) = object.id() else {
            return Reading::Unclear("the object has no id");
        };
        let said = match (object.kind(), self.event.as_deref()) {
            // The first invoice is not told as failed where its debit was tried by the session.
            ("checkout.session", Some("checkout.session.async_payment_failed"))
                if object.text("mode") == Some("subscription") =>
            {
                facts::failed_first_invoice(object, order)
            }
            ("checkout.session", Some(_)) => return Reading::Fetch(Lookup::Session(id.to_owned())),
            ("checkout.session", None) => facts::session(object, id, order),
            ("invoice", event) => facts::invoice(object, id, order).map(|said| Said {
                notice: facts::notice(object, id, event),
                ..said
            }),
            ("subscription", Some(_)) => {
                return Reading::Fetch(Lookup::Subscription(id.to_owned()));
            }
            ("subscription", None) => Ok(facts::subscription(object, id, order)),
            ("dispute", Some(_)) => return Reading::Fetch(Lookup::Dispute(id.to_owned())),
            ("dispute", None) => facts::dispute(object, id, order),
            ("refund", _) => facts::refund(object, id, order),
            ("radar.early_fraud_warning", _) => facts::warning(id, order),
            _ => Ok(Said::default()),
        };
        said.map_or_else(Reading::Unclear, Reading::Says)
    }
}
