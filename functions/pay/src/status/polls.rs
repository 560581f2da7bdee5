//! How often an order is asked for from an address, in memory.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::id::OrderId;
use domain::time::Timestamp;
use runtime::gateway::CallerAddress;

use crate::recent::Recent;

/// How often one address may ask for one order within [`WINDOW`].
const POLLS_MAX: usize = 5;
const WINDOW: Duration = Duration::from_secs(60);
/// After how many seconds to ask again, from poll to poll; the last stays.
const GAPS: [u64; 4] = [5, 10, 20, 40];
/// After which silence the gaps begin anew.
const FORGOTTEN: Duration = Duration::from_secs(15 * 60);
/// How many orders and addresses are counted at most.
const COUNTED_MAX: usize = 20_000;

/// The polls of one order from one address.
#[derive(Default)]
struct Polled {
    /// Those of the last [`WINDOW`] that were answered.
    lately: VecDeque<Timestamp>,
    last: Option<Timestamp>,
    count: usize,
}

/// The polls of all orders.
pub(crate) struct Polls(Mutex<Recent<(OrderId, Option<CallerAddress>), Polled>>);

impl Default for Polls {
    fn default() -> Self {
        Self(Mutex::new(Recent::new(COUNTED_MAX)))
    }
}

impl Polls {
    /// Counts a poll; answers after how many seconds the next one makes sense.
    ///
    /// # Errors
    /// After how many seconds one is answered again, if this one is one too many.
    pub(crate) fn count(
        &self,
        order: OrderId,
        address: Option<CallerAddress>,
        now: Timestamp,
    ) -> Result<u64, u64> {
        let mut polls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let polled = polls.of((order, address));
        let is_recent = |at: &Timestamp| *at <= now && now.since(*at) < WINDOW;
        polled.lately.retain(is_recent);
        if polled.lately.len() >= POLLS_MAX {
            let free = polled.lately.front().map(|first| first.plus(WINDOW));
            let wait = free.map_or(WINDOW, |free| free.since(now));
            return Err(wait.as_millis().div_ceil(1000).try_into().unwrap_or(60));
        }
        let before = polled.last.replace(now);
        if before.is_none_or(|before| now.since(before) >= FORGOTTEN) {
            polled.count = 0;
        }
        let gap = GAPS[polled.count.min(GAPS.len() - 1)];
        polled.count = polled.count.saturating_add(1);
        polled.lately.push_back(now);
        Ok(gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_ms(1_795_176_000_000);

    fn address(text: &str) -> Option<CallerAddress> {
        text.parse().ok().map(CallerAddress)
    }

    #[test]
    fn who_asks_on_is_told_to_ask_less_often_and_who_comes_back_later_begins_anew() {
        let (polls, order) = (Polls::default(), OrderId::from_random([1; 16]));
        let at = |seconds| START.plus(Duration::from_secs(seconds));
        let ask = |seconds| polls.count(order, address("192.0.2.1"), at(seconds));
        for (seconds, gap) in [(0, 5), (5, 10), (15, 20), (35, 40), (75, 40), (115, 40)] {
            assert_eq!(ask(seconds), Ok(gap), "{seconds}");
        }
        assert_eq!(ask(115 + 15 * 60), Ok(5));
    }

    #[test]
    fn the_sixth_within_a_minute_waits_and_others_do_not_wait_for_it() {
        let (polls, order) = (Polls::default(), OrderId::from_random([1; 16]));
        let at = |ms| START.plus(Duration::from_millis(ms));
        let ask = |ms| polls.count(order, address("192.0.2.1"), at(ms));
        for second in 0..5 {
            assert!(ask(second * 1000).is_ok());
        }
        assert_eq!(ask(5_000), Err(55));
        // A refusal is not counted, and half a second is one.
        assert_eq!(ask(59_500), Err(1));
        assert!(ask(60_000).is_ok());
        assert_eq!(ask(60_000), Err(1));
        let other = OrderId::from_random([2; 16]);
        assert_eq!(polls.count(order, address("2001:db8::1"), at(5_000)), Ok(5));
        assert_eq!(polls.count(order, None, at(5_000)), Ok(5));
        assert_eq!(polls.count(other, address("192.0.2.1"), at(5_000)), Ok(5));
    }
}
