//! Payments in Telegram Stars.

use serde::Deserialize;
use serde_json::{Value, json};

use domain::fault::Fault;
use domain::id::TelegramUserId;
use domain::report::PaymentFault;
use runtime::clock::Clock;
use runtime::config::Env;

use super::error::TelegramError;
use super::{Bots, CALL_TIMEOUT, Telegram};

#[derive(Deserialize)]
struct StarTransactions {
    transactions: Vec<Value>,
}

impl Telegram {
    /// The bot that people pay: the first one.
    pub fn front_from_env(env: &mut Env, clock: &Clock) -> Option<Self> {
        let bots = Bots::from_env(env, clock);
        bots.iter().next().cloned()
    }

    /// Makes a link to an invoice, by the parameters of `createInvoiceLink`. Each call makes another link; one that nobody was told
    /// of can't be paid.
    ///
    /// # Errors
    /// [`TelegramError`]; a link may have been made.
    pub async fn create_invoice_link(&self, parameters: &str) -> Result<String, TelegramError> {
        let parameters: Value = serde_json::from_str(parameters).unwrap_or_default();
        self.call("createInvoiceLink", &parameters, CALL_TIMEOUT)
            .await
    }

    /// Gives all of a payment back. Done already is success.
    ///
    /// # Errors
    /// [`TelegramError`]; it may have been done, and asking again is harmless.
    pub async fn refund_stars(
        &self,
        person: TelegramUserId,
        charge: &str,
    ) -> Result<(), TelegramError> {
        let parameters = json!({"user_id": person, "telegram_payment_charge_id": charge});
        let refunded = self.call::<bool>("refundStarPayment", &parameters, CALL_TIMEOUT);
        match refunded.await {
            Ok(_) => Ok(()),
            Err(TelegramError::Refused { description, .. })
                if description.contains("CHARGE_ALREADY_REFUNDED") =>
            {
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }

    /// Has a subscription end with what is paid of it. It is known by its first charge. Idempotent.
    ///
    /// # Errors
    /// [`TelegramError`].
    pub async fn cancel_star_subscription(
        &self,
        person: TelegramUserId,
        first_charge: &str,
    ) -> Result<(), TelegramError> {
        let parameters = json!({
            "user_id": person, "telegram_payment_charge_id": first_charge, "is_canceled": true,
        });
        self.call::<bool>("editUserStarSubscription", &parameters, CALL_TIMEOUT)
            .await
            .map(|_| ())
    }

    /// All Stars that came to the bot and went from it, the oldest first, from the `offset`th on; up to `limit`, at most 100.
    ///
    /// # Errors
    /// [`TelegramError`].
    pub async fn star_transactions(
        &self,
        offset: u64,
        limit: u8,
    ) -> Result<Vec<Value>, TelegramError> {
        let parameters = json!({"offset": offset, "limit": limit});
        let page: StarTransactions = self
            .call("getStarTransactions", &parameters, CALL_TIMEOUT)
            .await?;
        Ok(page.transactions)
    }
}

impl TelegramError {
    /// What a failed call about a payment means for it.
    #[must_use]
    pub fn payment_fault(&self) -> PaymentFault {
        match self.fault() {
            Fault::RateLimited { after } => PaymentFault::Wait(Some(after)),
            Fault::Retry => PaymentFault::NotSent,
            Fault::Unknown => PaymentFault::Unknown,
            Fault::ChatFault => PaymentFault::Key,
            Fault::Permanent | Fault::Refused | Fault::Migrated(_) => PaymentFault::Refused,
        }
    }
}
