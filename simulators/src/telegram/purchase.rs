//! What a person pays a bot for with Stars, and what became of it.

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
    pub(crate) checkout: Checkout,
}

impl Purchase {
    /// The service message about it.
    pub(crate) fn message(&self, charge_id: &str) -> Draft {
        let payment = json!({
            "currency": "XTR", "total_amount": self.stars, "invoice_payload": self.payload,
            "telegram_payment_charge_id": charge_id, "provider_payment_charge_id": "",
        });
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
}
