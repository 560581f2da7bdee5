//! Closes the days of the books: once no order has a transaction of a day that waits to be booked, what stands on each account is
//! kept, and nobody need add the day up again.
//!
//! ```text
//! read the last close
//! is a transaction of a day that is over pending?    then that day waits, and those after it
//! add up the day, look once more                     die here: nothing happened
//! put the close, if there is none of the day         die here: the next day is next
//! ```

use domain::id::ORDER_SHARDS;
use domain::order::day::BookDay;
use domain::order::record::Order;
use domain::time::Timestamp;
use futures_util::StreamExt as _;
use futures_util::stream;
use runtime::telemetry::chain;
use std::time::Duration;
use store::{Close, StoreError};
use tokio::time::Instant;
use tracing::{error, info};

use crate::{App, RESERVE};

/// How long after its end a day may be closed: what was decided in it is written by then, and the index of due orders shows it.
const AFTER: Duration = Duration::from_secs(3600);
/// After how long a day that can't be closed is a fault, which a person hears of.
const LATE: Duration = Duration::from_secs(3 * 24 * 3600);
/// How many orders are read side by side.
const TOGETHER: usize = 16;

/// Closes the days that can be closed; answers how many.
pub(crate) async fn close(app: &App, deadline: Instant) -> Result<u64, StoreError> {
    let now = app.clock.now();
    let mut last = app.books.last_close(now).await?;
    let mut closed = 0;
    while last.day.next().end().plus(AFTER) <= now && has_time(deadline) {
        let day = last.day.next();
        if !is_booked(app, day, now, deadline).await? {
            break;
        }
        let mut balances = last.balances;
        app.books.add_day(day, &mut balances).await?;
        let sums = balances.sums().unwrap_or_default();
        if let Some((currency, sum)) = sums.into_iter().find(|(_, sum)| *sum != 0) {
            error!(fault = "books_unbalanced", ledger.day = %day, ledger.currency = currency, ledger.sum = %sum, "the books don't sum to zero, the day stays open");
            break;
        }
        // An index may miss an order for a moment while the order is written.
        if !is_booked(app, day, now, deadline).await? {
            break;
        }
        last = Close { day, balances };
        app.books.close(&last, now).await?;
        closed += 1;
        info!(outcome = "closed", ledger.day = %day, "a day of the books was closed");
    }
    Ok(closed)
}

fn has_time(deadline: Instant) -> bool {
    deadline.saturating_duration_since(Instant::now()) > RESERVE
}

/// Whether all that was decided up to the end of a day is booked.
async fn is_booked(
    app: &App,
    day: BookDay,
    now: Timestamp,
    deadline: Instant,
) -> Result<bool, StoreError> {
    let by = now.plus(Order::DUE_WITHIN);
    for shard in 0..ORDER_SHARDS {
        // So many orders are open that it takes too long: the next run tries.
        if !has_time(deadline) {
            return Ok(false);
        }
        let ids = app.orders.all_due(shard, by).await?;
        let mut orders =
            stream::iter(ids.into_iter().map(|id| app.orders.get(id))).buffer_unordered(TOGETHER);
        while let Some(order) = orders.next().await {
            let order = match order {
                Ok(order) => order,
                // What it says is not known, so the day stays open.
                Err(fault @ StoreError::Malformed { .. }) => {
                    error!(fault = "books_open", ledger.day = %day, "an order can't be read, the day can't be closed: {}", chain(&fault));
                    return Ok(false);
                }
                Err(fault) => return Err(fault),
            };
            let Some(order) = order else { continue };
            if order
                .unbooked_since()
                .is_none_or(|since| since >= day.end())
            {
                continue;
            }
            if day.end().plus(LATE) <= now {
                error!(fault = "books_open", ledger.day = %day, order.id = %order.id, "a day of the books stays open, since an order has something to book");
            }
            return Ok(false);
        }
    }
    Ok(true)
}
