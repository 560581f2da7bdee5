//! The bell of settlement.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Envelope, Queue, QueueError};
use domain::id::OrderId;
use runtime::config::Env;

/// The body of a bell of `PaymentQueue`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum PaymentBell {
    /// An event came.
    Event {
        /// Its key in the inbox.
        key: String,
    },
    /// An order has something pending.
    Order {
        /// The order.
        id: OrderId,
    },
    /// There may be events and orders that are due.
    Work,
}

impl Queue<PaymentBell> {
    /// The queue that `PAYMENT_QUEUE_URL` names.
    pub fn of_payments(client: aws_sdk_sqs::Client, env: &mut Env) -> Self {
        Self::new(client, env.required("PAYMENT_QUEUE_URL"))
    }

    /// Rings. Durable on return.
    ///
    /// # Errors
    /// [`QueueError`] if it can't be told whether it rang; ringing again is harmless.
    pub async fn ring(&self, bell: PaymentBell) -> Result<(), QueueError> {
        self.send(Envelope::new(bell), Duration::ZERO).await
    }
}
