//! A person pays a bot with Stars: the bot is asked first, and told of the payment afterwards.

use serde_json::{Value, json};

use super::Telegram;
use super::conversation::{Conversation, Draft};
use super::member::User;
use super::person::Reach;
use super::purchase::{Checkout, Invoice, Purchase};
use super::queries::Asked;
use super::state::TelegramState;

impl Telegram {
    /// The person confirms an invoice of so many Stars with this payload: the bot gets a `pre_checkout_query`, whose id
    /// this gives. If the bot consents in time, it gets the `successful_payment`.
    pub fn pays_stars(&self, bot_id: i64, user: &User, payload: &str, stars: i64) -> String {
        let invoice = Invoice {
            bot_id,
            payload: payload.to_owned(),
            stars,
            period: None,
        };
        self.asks_to_pay(user, &invoice)
    }

    /// The same of the invoice behind a link that a bot made; anybody may tap it, as often as they like. Nothing if there is none.
    pub fn pays_invoice(&self, link: &str, user: &User) -> Option<String> {
        let invoice = self.shared.lock().world.stars.invoices.get(link).cloned()?;
        Some(self.asks_to_pay(user, &invoice))
    }

    /// The same of the invoice in a message of a bot's.
    pub fn pays_invoice_message(
        &self,
        bot_id: i64,
        user: &User,
        message_id: i64,
    ) -> Option<String> {
        self.pays_invoice(&of_message(bot_id, user.id, message_id), user)
    }

    fn asks_to_pay(&self, user: &User, invoice: &Invoice) -> String {
        let bot_id = invoice.bot_id;
        self.shared.change(|state, now_ms| {
            let world = &mut state.world;
            world.set_reach(bot_id, user, Reach::Open, now_ms);
            let purchase = Purchase {
                user: user.clone(),
                payload: invoice.payload.clone(),
                stars: invoice.stars,
                period: invoice.period,
                checkout: Checkout::Waiting,
            };
            let asked = Asked::ToPay(purchase.clone());
            let id = world.queries.put(bot_id, asked, now_ms);
            let query = purchase.query(&id);
            if let Some(bot) = world.bots.get_mut(&bot_id) {
                bot.inbox
                    .put(json!({"pre_checkout_query": query}), now_ms, now_ms);
            }
            id
        })
    }

    /// What became of a payment, by the id of its query.
    #[must_use]
    pub fn checkout(&self, query_id: &str) -> Option<Checkout> {
        match self.shared.lock().world.queries.get(query_id)? {
            Asked::ToPay(purchase) => Some(purchase.checkout.clone()),
            Asked::Button(_) | Asked::ToJoin { .. } => None,
        }
    }

    /// A subscription, by its first charge, is paid for another period, unless it was cancelled; gives the new charge's id.
    pub fn renews_stars(&self, bot_id: i64, first_charge: &str) -> Option<String> {
        self.shared.change(|state, now_ms| {
            let world = &mut state.world;
            let till = world.stars.tills.get_mut(&bot_id)?;
            let subscription = till.subscriptions.get(first_charge)?;
            if subscription.is_canceled {
                return None;
            }
            let purchase = subscription.purchase.clone();
            let (charge, renewal) = till.take(&purchase, Some(first_charge), now_ms);
            let draft = purchase.message(&charge, renewal);
            world.tell_of_payment(bot_id, purchase.conversation(bot_id), draft, now_ms);
            Some(charge)
        })
    }

    /// Whether the subscription of this first charge renews; nothing if there is none.
    #[must_use]
    pub fn renews(&self, bot_id: i64, first_charge: &str) -> Option<bool> {
        let state = self.shared.lock();
        let till = state.world.stars.tills.get(&bot_id)?;
        let subscription = till.subscriptions.get(first_charge)?;
        Some(!subscription.is_canceled)
    }

    /// Whether a charge was given back; nothing if there is none.
    #[must_use]
    pub fn is_refunded(&self, bot_id: i64, charge: &str) -> Option<bool> {
        let state = self.shared.lock();
        let till = state.world.stars.tills.get(&bot_id)?;
        Some(till.charges.get(charge)?.is_refunded)
    }

    /// From now on a bot is told of no payment, as if Telegram had given its updates up; or it is told again.
    pub fn loses_payments(&self, bot_id: i64, are_lost: bool) {
        self.shared.change(|state, _| {
            let till = state.world.stars.tills.entry(bot_id).or_default();
            till.is_silent = are_lost;
        });
    }

    /// All that came to a bot and went from it, as `StarTransaction` objects, the oldest first.
    #[must_use]
    pub fn star_transactions(&self, bot_id: i64) -> Vec<Value> {
        let state = self.shared.lock();
        let till = state.world.stars.tills.get(&bot_id);
        till.map(|till| till.transactions.clone())
            .unwrap_or_default()
    }
}

/// By what the invoice in a message is known.
pub(crate) fn of_message(bot_id: i64, chat_id: i64, message_id: i64) -> String {
    format!("message:{bot_id}:{chat_id}:{message_id}")
}

impl TelegramState {
    /// Says in the private chat what became of a payment, and tells the bot, unless what it is told of payments is lost.
    pub(crate) fn tell_of_payment(
        &mut self,
        bot_id: i64,
        conversation: Conversation,
        draft: Draft,
        now_ms: i64,
    ) {
        let till = self.stars.tills.get(&bot_id);
        match till.is_some_and(|till| till.is_silent) {
            true => drop(self.post(conversation, draft, now_ms)),
            false => drop(self.say(conversation, draft, now_ms)),
        }
    }
}
