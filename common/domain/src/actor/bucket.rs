//! How fast actors send: one token bucket of them all, and one of each.
//!
//! A bucket is kept as the instant at which it will be full again. A message takes one token; while there is none it is
//! told when there will be one, and waits for it if that is soon. A call of more messages than a bucket holds leaves when
//! the bucket is full, and owes the rest.

use std::time::Duration;

use super::super::time::Timestamp;

/// How many messages a second all actors of a bot may send together: a share of the bot's limit that `messenger` leaves
/// free.
pub const ACTOR_RATE: u32 = 5;
/// The longest that a send waits for its turn; beyond, the caller is told when to come again.
pub const SEND_WAIT_MAX: Duration = Duration::from_secs(3);
/// A bucket that is to be full later than this was written by a clock that was ahead: a call of 100 messages takes the
/// tokens of 100 s at one a second.
const AHEAD_MAX: Duration = Duration::from_secs(120);

/// A bucket that takes `rate` tokens a second and holds as many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendBucket {
    /// When it is full, or will be; nothing if it was never used.
    pub full_at: Option<Timestamp>,
    /// Tokens a second, at least 1.
    pub rate: u32,
}

impl SendBucket {
    fn interval(&self) -> Duration {
        Duration::from_secs(1) / self.rate.max(1)
    }

    /// When it is full, as far as that can be believed.
    fn full(&self, now: Timestamp) -> Timestamp {
        let full_at = self.full_at.filter(|at| *at <= now.plus(AHEAD_MAX));
        full_at.unwrap_or(now).max(now)
    }

    /// When there are so many tokens, or as many as it holds; not later than `now` if there are.
    fn free_at(&self, tokens: u32, now: Timestamp) -> Timestamp {
        let holds = self.rate.max(1);
        let left = self.interval() * (holds - tokens.clamp(1, holds));
        self.full(now).minus(left)
    }

    /// When it is full again once so many tokens are taken.
    fn after(&self, tokens: u32, now: Timestamp) -> Timestamp {
        self.full(now).plus(self.interval() * tokens.max(1))
    }
}

/// What becomes of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendTurn {
    /// It takes its tokens and leaves at `at`.
    Takes {
        /// When it may leave.
        at: Timestamp,
        /// When the bucket of all is full again.
        all_full_at: Timestamp,
        /// When the actor's own is.
        own_full_at: Timestamp,
    },
    /// It takes nothing: its turn would be at this instant.
    Later(Timestamp),
}

/// The turn of a send of so many messages at `now`, which may not leave before `not_before`: a wait of Telegram's.
#[must_use]
pub fn turn(
    all: SendBucket,
    own: SendBucket,
    messages: u32,
    not_before: Timestamp,
    now: Timestamp,
) -> SendTurn {
    let at = all
        .free_at(messages, now)
        .max(own.free_at(messages, now))
        .max(not_before)
        .max(now);
    if at > now.plus(SEND_WAIT_MAX) {
        return SendTurn::Later(at);
    }
    SendTurn::Takes {
        at,
        all_full_at: all.after(messages, now),
        own_full_at: own.after(messages, now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_763_640_000_000);

    /// Sends as fast as the buckets let it for so many seconds; answers how many left.
    fn played(rate: u32, own_rate: u32, seconds: u64, every: Duration) -> u32 {
        let (mut all, mut own) = (None, None);
        let (mut now, mut left) = (NOW, 0);
        let end = NOW.plus(Duration::from_secs(seconds));
        while now < end {
            let of = |full_at, rate| SendBucket { full_at, rate };
            let turn = turn(of(all, rate), of(own, own_rate), 1, NOW, now);
            if let SendTurn::Takes {
                at,
                all_full_at,
                own_full_at,
            } = turn
            {
                (all, own) = (Some(all_full_at), Some(own_full_at));
                left += u32::from(at < end);
            }
            now = now.plus(every);
        }
        left
    }

    #[test]
    fn over_any_time_no_more_leave_than_the_rate_and_one_burst() {
        for (rate, own_rate) in [(5, 5), (5, 1), (5, 2), (1, 5)] {
            for every in [1, 7, 90, 210, 1000] {
                for seconds in [1, 5, 60] {
                    let every = Duration::from_millis(every);
                    let left = played(rate, own_rate, seconds, every);
                    let most = rate.min(own_rate) * (u32::try_from(seconds).unwrap() + 1);
                    assert!(left <= most, "{left} > {most}: {rate} {own_rate} {seconds}");
                }
            }
        }
        assert!(played(5, 5, 60, Duration::from_millis(7)) >= 300);
    }

    #[test]
    fn many_messages_at_once_take_as_many_tokens() {
        let of = |full_at| SendBucket { full_at, rate: 5 };
        for (messages, busy_ms) in [(1, 200), (3, 600), (5, 1000), (10, 2000), (100, 20_000)] {
            let first = turn(of(None), of(None), messages, NOW, NOW);
            let SendTurn::Takes {
                at,
                all_full_at,
                own_full_at,
            } = first
            else {
                panic!("{first:?}")
            };
            assert_eq!((at, all_full_at), (NOW, own_full_at), "{messages}");
            assert_eq!(all_full_at, NOW.plus(Duration::from_millis(busy_ms)));
            // What they owe is believed: the next one waits for it.
            let next = turn(of(Some(all_full_at)), of(None), 1, NOW, NOW);
            let free_at = all_full_at.minus(Duration::from_millis(800)).max(NOW);
            match next {
                SendTurn::Takes { at, .. } => assert_eq!(at, free_at, "{messages}"),
                SendTurn::Later(at) => assert_eq!(at, free_at, "{messages}"),
            }
        }
    }

    #[test]
    fn a_wait_of_telegrams_counts_and_a_long_one_is_told() {
        let fresh = SendBucket {
            full_at: None,
            rate: 5,
        };
        let soon = NOW.plus(Duration::from_secs(2));
        assert!(
            matches!(turn(fresh, fresh, 1, soon, NOW), SendTurn::Takes { at, .. } if at == soon)
        );
        let late = NOW.plus(Duration::from_secs(4));
        assert_eq!(turn(fresh, fresh, 1, late, NOW), SendTurn::Later(late));
    }

    #[test]
    fn a_clock_that_was_ahead_stops_nobody() {
        let ahead = SendBucket {
            full_at: Some(NOW.plus(Duration::from_secs(3600))),
            rate: 5,
        };
        assert!(matches!(turn(ahead, ahead, 1, NOW, NOW), SendTurn::Takes { at, .. } if at == NOW));
    }
}
