//! What a person pays a bot for with Stars, and what became of it.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::conversation::{Conversation, Draft};
use super::member::User;

/// A payment that waits for the bot's consent, or what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checkout {
    /// The bot has not answered. After ten seconds it is too late: nothing is paid.
    Waiting,
    /// Paid, under this charge id.
    Paid(String),
    /// The bot refused with this message.
    Refused(String),
}

/// What is paid for.
#[derive(Clone, Debug)]
pub(crate) struct Purchase {
    pub(crate) user: User,
    pub(crate) payload: String,
    pub(crate) stars: i64,
    /// How many seconds one payment lasts, of a subscription.
    pub(crate) period: Option<i64>,
    pub(crate) checkout: Checkout,
}

impl Purchase {
    /// The service message about it.
    pub(crate) fn message(&self, charge_id: &str, renewal: Option<Renewal>) -> Draft {
        let mut payment = json!({
            "currency": "XTR", "total_amount": self.stars, "invoice_payload": self.payload,
            "telegram_payment_charge_id": charge_id, "provider_payment_charge_id": "",
        });
        if let Some(Renewal { ends_at, is_first }) = renewal {
            payment["subscription_expiration_date"] = json!(ends_at);
            payment["is_recurring"] = json!(true);
            if is_first {
                payment["is_first_recurring"] = json!(true);
            }
        }
        Draft::service(self.user.clone(), "successful_payment", payment)
    }

    pub(crate) fn query(&self, id: &str) -> Value {
        json!({
            "id": id, "from": self.user.json(), "currency": "XTR", "total_amount": self.stars,
            "invoice_payload": self.payload,
        })
    }

    /// Where the person sees it.
    pub(crate) fn conversation(&self, bot_id: i64) -> Conversation {
        Conversation::private(bot_id, self.user.id)
    }

    fn transaction(&self, charge_id: &str, side: &str, now_ms: i64) -> Value {
        let mut partner = json!({
            "type": "user", "transaction_type": "invoice_payment", "user": self.user.json(),
            "invoice_payload": self.payload,
        });
        if let Some(period) = self.period {
            partner["subscription_period"] = json!(period);
        }
        json!({"id": charge_id, "amount": self.stars, "date": now_ms / 1000, side: partner})
    }
}

/// What a payment of a subscription says of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Renewal {
    /// Up to when it is paid, in epoch seconds.
    pub(crate) ends_at: i64,
    /// Whether it is the first payment.
    pub(crate) is_first: bool,
}

/// An invoice that a bot made, by a link or in a message.
#[derive(Clone, Debug)]
pub(crate) struct Invoice {
    pub(crate) bot_id: i64,
    pub(crate) payload: String,
    pub(crate) stars: i64,
    pub(crate) period: Option<i64>,
}

/// A payment that was made.
#[derive(Clone, Debug)]
pub(crate) struct Charge {
    pub(crate) purchase: Purchase,
    pub(crate) is_refunded: bool,
}

/// A person's subscription to a bot.
#[derive(Clone, Debug)]
pub(crate) struct StarSubscription {
    pub(crate) purchase: Purchase,
    /// In epoch seconds.
    pub(crate) ends_at: i64,
    pub(crate) is_canceled: bool,
}

/// The Stars of one bot.
#[derive(Debug, Default)]
pub(crate) struct Till {
    /// All that came and went, the oldest first.
    pub(crate) transactions: Vec<Value>,
    /// By their ids.
    pub(crate) charges: BTreeMap<String, Charge>,
    /// By the id of their first charge.
    pub(crate) subscriptions: BTreeMap<String, StarSubscription>,
    /// Whether the bot is told of no payment.
    pub(crate) is_silent: bool,
}

impl Till {
    /// Takes the money; gives the charge's id and what it says of a subscription. `first` is the first charge of the subscription
    /// that it renews.
    pub(crate) fn take(
        &mut self,
        purchase: &Purchase,
        first: Option<&str>,
        now_ms: i64,
    ) -> (String, Option<Renewal>) {
        let id = format!("stx{:032x}", fastrand::u128(..));
        let transaction = purchase.transaction(&id, "source", now_ms);
        self.transactions.push(transaction);
        let charge = Charge {
            purchase: purchase.clone(),
            is_refunded: false,
        };
        self.charges.insert(id.clone(), charge);
        let renewal = purchase.period.map(|period| {
            let key = first.unwrap_or(&id).to_owned();
            let subscription = self.subscriptions.entry(key);
            let subscription = subscription.or_insert_with(|| StarSubscription {
                purchase: purchase.clone(),
                ends_at: now_ms / 1000,
                is_canceled: false,
            });
            subscription.ends_at = subscription.ends_at.max(now_ms / 1000) + period;
            Renewal {
                ends_at: subscription.ends_at,
                is_first: first.is_none(),
            }
        });
        (id, renewal)
    }

    /// Gives the money back.
    pub(crate) fn give_back(&mut self, charge_id: &str, now_ms: i64) -> Option<Draft> {
        let charge = self.charges.get_mut(charge_id)?;
        charge.is_refunded = true;
        let purchase = charge.purchase.clone();
        let transaction = purchase.transaction(charge_id, "receiver", now_ms);
        self.transactions.push(transaction);
        let refund = json!({
            "currency": "XTR", "total_amount": purchase.stars, "invoice_payload": purchase.payload,
            "telegram_payment_charge_id": charge_id,
        });
        Some(Draft::service(purchase.user, "refunded_payment", refund))
    }
}

/// What all bots sell for Stars.
#[derive(Debug, Default)]
pub(crate) struct Stars {
    /// By the links that lead to them.
    pub(crate) invoices: HashMap<String, Invoice>,
    /// By the bot's id.
    pub(crate) tills: BTreeMap<i64, Till>,
}
