//! A provider that fails order after order is left alone for a while: checkouts are answered at once, and say who else can be
//! paid.
//!
//! ```text
//! closed --(orders in a row fail, or it says when to come again)--> paused --(its time is over)--> one order probes
//!   ^                                                                 ^----------(it fails)------------+
//!   +--------------------------------------(it goes well)---------------------------------------------+
//! ```
//!
//! It is kept in the memory of the process. In a table, each checkout would read one more item, the same one for all, and a process
//! whose own network is broken would stop the others. So each process learns by itself, at the price of [`ORDERS`] slow answers.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::id::OrderId;
use domain::money::PaymentProvider;
use domain::report::PaymentFault;
use domain::time::Timestamp;

/// How many different orders in a row must fail.
const ORDERS: usize = 3;
/// How long the first pause is; each further one is twice as long.
const FIRST: Duration = Duration::from_secs(15);
/// The longest, unless the provider asks for more.
const LONGEST: Duration = Duration::from_secs(300);

/// How it stands with one provider.
#[derive(Debug, Default)]
struct Breaker {
    /// The orders that failed since one went well, until it pauses.
    failed: Vec<OrderId>,
    /// The end of the pause, and how long it was; absent: calls are made.
    paused: Option<(Timestamp, Duration)>,
    /// Whether one order tries after a pause how it is now.
    is_probing: bool,
}

/// How it stands with all of them.
#[derive(Debug, Default)]
pub(crate) struct Breakers(Mutex<BTreeMap<PaymentProvider, Breaker>>);

impl Breakers {
    /// For how long the provider is still left alone.
    pub(crate) fn pause(&self, provider: PaymentProvider, now: Timestamp) -> Option<Duration> {
        self.at(provider, |breaker| breaker.left(now))
    }

    /// Lets a call pass: any of a provider that works, and after a pause one alone.
    ///
    /// # Errors
    /// For how long the provider is still left alone.
    pub(crate) fn admit(&self, provider: PaymentProvider, now: Timestamp) -> Result<(), Duration> {
        self.at(provider, |breaker| match breaker.left(now) {
            Some(left) => Err(left),
            None => {
                if let Some((until, long)) = &mut breaker.paused {
                    // The others wait for how this one goes.
                    *until = now.plus(*long);
                    breaker.is_probing = true;
                }
                Ok(())
            }
        })
    }

    /// The provider took an order, or refused it as one that it understood.
    pub(crate) fn answered(&self, provider: PaymentProvider) {
        self.at(provider, |breaker| *breaker = Breaker::default());
    }

    /// A call about an order failed; answers for how long the provider is left alone, if a pause begins by that.
    pub(crate) fn failed(
        &self,
        provider: PaymentProvider,
        order: OrderId,
        fault: PaymentFault,
        now: Timestamp,
    ) -> Option<Duration> {
        let asked = match fault {
            PaymentFault::Refused => {
                self.answered(provider);
                return None;
            }
            PaymentFault::Wait(after) => after,
            PaymentFault::NotSent
            | PaymentFault::Unknown
            | PaymentFault::Failed
            | PaymentFault::Key => None,
        };
        self.at(provider, |breaker| {
            if !breaker.failed.contains(&order) {
                breaker.failed.push(order);
            }
            let long = match (breaker.paused, asked) {
                (_, Some(asked)) => asked.max(FIRST),
                (Some((_, before)), None) if breaker.is_probing => {
                    before.saturating_mul(2).min(LONGEST)
                }
                // It was under way when the pause began.
                (Some(_), None) => return None,
                (None, None) if breaker.failed.len() >= ORDERS => FIRST,
                (None, None) => return None,
            };
            breaker.failed.clear();
            breaker.is_probing = false;
            breaker.paused = Some((now.plus(long), long));
            Some(long)
        })
    }

    fn at<T>(&self, provider: PaymentProvider, how: impl FnOnce(&mut Breaker) -> T) -> T {
        let mut breakers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        how(breakers.entry(provider).or_default())
    }
}

impl Breaker {
    fn left(&self, now: Timestamp) -> Option<Duration> {
        let (until, _) = self.paused?;
        (now < until).then(|| until.since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRIPE: PaymentProvider = PaymentProvider::Stripe;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000 + seconds)
    }

    fn order(number: u8) -> OrderId {
        OrderId::from_random([number; 16])
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn three_orders_in_a_row_pause_it_and_then_one_probes() {
        let breakers = Breakers::default();
        let failed =
            |number, now| breakers.failed(STRIPE, order(number), PaymentFault::Unknown, now);
        assert_eq!(failed(1, at(0)), None);
        // The same order again shows nothing new.
        assert_eq!(failed(1, at(0)), None);
        assert_eq!(failed(2, at(0)), None);
        breakers.answered(STRIPE);
        assert_eq!([1, 2].map(|number| failed(number, at(1))), [None, None]);
        assert_eq!(breakers.admit(STRIPE, at(1)), Ok(()));
        assert_eq!(failed(3, at(1)), Some(FIRST));
        assert_eq!(breakers.admit(STRIPE, at(6)), Err(seconds(10)));
        assert_eq!(breakers.pause(STRIPE, at(6)), Some(seconds(10)));
        assert_eq!(breakers.pause(PaymentProvider::Stars, at(6)), None);
        assert_eq!(breakers.admit(STRIPE, at(16)), Ok(()));
        assert_eq!(breakers.admit(STRIPE, at(16)), Err(FIRST));
        assert_eq!(failed(4, at(17)), Some(seconds(30)));
        assert_eq!(breakers.admit(STRIPE, at(46)), Err(seconds(1)));
        assert_eq!(breakers.admit(STRIPE, at(47)), Ok(()));
        breakers.answered(STRIPE);
        assert_eq!(breakers.admit(STRIPE, at(48)), Ok(()));
        assert_eq!(failed(5, at(48)), None);
    }

    #[test]
    fn calls_that_were_under_way_make_no_pause_longer_and_none_is_asked_for_is_none() {
        let breakers = Breakers::default();
        let failed = |number| breakers.failed(STRIPE, order(number), PaymentFault::Unknown, at(0));
        let pauses: Vec<_> = (1..=8).map(failed).collect();
        assert_eq!(pauses.iter().flatten().collect::<Vec<_>>(), [&FIRST]);
        let at_once = PaymentFault::Wait(Some(Duration::ZERO));
        assert_eq!(
            breakers.failed(STRIPE, order(9), at_once, at(0)),
            Some(FIRST)
        );
    }

    #[test]
    fn what_the_provider_asks_for_is_kept_and_an_order_that_it_refuses_shows_that_it_works() {
        let breakers = Breakers::default();
        let wait = PaymentFault::Wait(Some(seconds(900)));
        assert_eq!(
            breakers.failed(STRIPE, order(1), wait, at(0)),
            Some(seconds(900))
        );
        assert_eq!(breakers.admit(STRIPE, at(899)), Err(seconds(1)));
        assert_eq!(breakers.admit(STRIPE, at(900)), Ok(()));
        // Nobody asked for so much time again.
        let key = PaymentFault::Key;
        assert_eq!(
            breakers.failed(STRIPE, order(2), key, at(900)),
            Some(LONGEST)
        );
        assert_eq!(breakers.admit(STRIPE, at(1800)), Ok(()));
        assert_eq!(
            breakers.failed(STRIPE, order(3), PaymentFault::Refused, at(1800)),
            None
        );
        assert_eq!(breakers.admit(STRIPE, at(1800)), Ok(()));
        for (number, expected) in [(1, None), (2, None), (3, Some(FIRST))] {
            let fault = PaymentFault::Wait(None);
            assert_eq!(
                breakers.failed(STRIPE, order(number), fault, at(2000)),
                expected
            );
        }
    }
}
