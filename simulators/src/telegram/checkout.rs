//! A person pays a bot with Stars: the bot is asked first, and told of the payment afterwards.

use serde_json::json;

use super::Telegram;
use super::member::User;
use super::person::Reach;
use super::purchase::{Checkout, Purchase};
use super::queries::Asked;

impl Telegram {
    /// The person confirms an invoice of so many Stars with this payload: the bot gets a `pre_checkout_query`, whose id
    /// this gives. If the bot consents in time, it gets the `successful_payment`.
    pub fn pays_stars(&self, bot_id: i64, user: &User, payload: &str, stars: i64) -> String {
        self.shared.change(|state, now_ms| {
            let world = &mut state.world;
            world.set_reach(bot_id, user, Reach::Open, now_ms);
            let purchase = Purchase {
                user: user.clone(),
                payload: payload.to_owned(),
                stars,
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
}
