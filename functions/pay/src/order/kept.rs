//! What the pages of orders show, kept for a moment: however many ask for one order, it is read once in that time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::id::OrderId;
use domain::time::Timestamp;
use runtime::clock::Clock;
use runtime::telemetry::chain;
use store::{OrderPage, Orders};
use tracing::error;

use crate::recent::Recent;

/// How long it is kept.
const KEPT: Duration = Duration::from_secs(2);
/// How many orders are kept at most.
const ORDERS_MAX: usize = 2_000;

/// It can't be read now; it is logged why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NotShown;

/// What was read, and when. Who reads holds the lock, so that all others wait for the same answer.
type Slot = tokio::sync::Mutex<Option<(Timestamp, Result<Option<OrderPage>, NotShown>)>>;

/// The page items of orders.
pub(crate) struct KeptPages {
    orders: Orders,
    kept: Mutex<Recent<OrderId, Arc<Slot>>>,
}

impl KeptPages {
    pub(crate) fn new(orders: Orders) -> Self {
        let kept = Mutex::new(Recent::new(ORDERS_MAX));
        Self { orders, kept }
    }

    /// What the page of an order shows, as of a moment ago; nothing if there is no such order.
    ///
    /// # Errors
    /// [`NotShown`], which is kept as well: a table that is away is not asked by each caller.
    pub(crate) async fn get(
        &self,
        order: OrderId,
        clock: &Clock,
    ) -> Result<Option<OrderPage>, NotShown> {
        let slot = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(kept.of(order))
        };
        let mut read = slot.lock().await;
        let now = clock.now();
        if let Some((at, page)) = read.as_ref()
            && *at <= now
            && now.since(*at) < KEPT
        {
            return page.clone();
        }
        let page = self.orders.page(order).await.map_err(|fault| {
            error!(order.id = %order, fault = "unavailable", "the page of an order could not be read: {}", chain(&fault));
            NotShown
        });
        *read = Some((clock.now(), page.clone()));
        page
    }
}
