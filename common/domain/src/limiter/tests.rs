//! The limiter as the dispatcher uses it, and the limits that it finds.

use super::*;

const NOW: Timestamp = Timestamp::from_ms(1_763_640_000_000);

fn at(ms: u64) -> Timestamp {
    NOW.plus(Duration::from_millis(ms))
}

/// A limiter that was never used.
fn fresh(interval_ms: u64) -> Limiter {
    Limiter::new(Duration::from_millis(interval_ms))
}

#[test]
fn slots_follow_one_another_by_the_interval() {
    let mut limiter = fresh(1000);
    assert!(limiter.free_at(NOW) <= NOW);
    assert_eq!(limiter.take_slot(NOW), (NOW, Pacing::Alone));
    assert_eq!(limiter.take_slot(NOW), (at(1000), Pacing::Paced));
    assert_eq!(limiter.free_at(NOW), at(2000));
    assert_eq!(limiter.take_slot(at(2100)), (at(2100), Pacing::Paced));
    assert_eq!(limiter.take_slot(at(60_000)), (at(60_000), Pacing::Alone));
}

#[test]
fn a_429_holds_the_bot_for_at_least_what_was_asked() {
    for seconds in [3, 40, 2000] {
        let mut limiter = fresh(220);
        let pause = limiter.rate_limited(Duration::from_secs(seconds), NOW);
        assert!(pause.until > at(seconds * 1000));
        assert_eq!(limiter.free_at(at(500)), pause.until);
        limiter.rate_limited(Duration::from_secs(1), at(100));
        assert_eq!(
            limiter.free_at(at(500)),
            pause.until,
            "a shorter wait shortens nothing"
        );
    }
}

#[test]
fn an_absurd_wait_is_believed_for_a_day() {
    let mut limiter = fresh(1000);
    limiter.rate_limited(Duration::MAX, NOW);
    assert_eq!(limiter.paused_until.since(NOW).as_secs(), 24 * 3600);
}

#[test]
fn a_storm_of_429s_in_which_nothing_goes_well_slows_once() {
    let mut limiter = fresh(1000);
    for _ in 0..5 {
        limiter.rate_limited(Duration::from_secs(3), NOW);
    }
    for minute in 1..10 {
        limiter.rate_limited(Duration::from_secs(3), at(minute * 60_000));
    }
    assert!((limiter.interval_ms - 2000.0).abs() < 1.0);
}

#[test]
fn what_a_clock_that_was_ahead_stored_stops_nothing() {
    let mut limiter = fresh(220);
    limiter.next_slot = at(3_600_000);
    assert!(limiter.free_at(NOW) <= NOW);
    limiter.next_slot = at(60_000);
    assert_eq!(limiter.free_at(NOW), at(60_000));
    let mut circuit = Circuit::default();
    circuit.chat_fault(at(300_000));
    assert!(circuit.waits_until(NOW) <= NOW);
    circuit.chat_fault(NOW);
    assert_eq!(circuit.waits_until(NOW), at(60_000), "the second time");
    let stored = Pause::new(Duration::from_secs(30), at(3_600_000));
    let corrected = stored.corrected(NOW).unwrap();
    assert_eq!(corrected.until, at(30_500));
    assert_eq!(corrected.corrected(NOW), None);
    assert_eq!(
        Pause::new(Duration::from_secs(7200), at(4000)).corrected(NOW),
        None
    );
}

#[test]
fn a_success_closes_the_circuit_and_a_call_by_itself_says_nothing_of_the_limit() {
    let mut limiter = fresh(1000);
    limiter.circuit.chat_fault(NOW);
    assert_eq!(limiter.free_at(NOW), at(30_000));
    for minute in 1..100_u64 {
        let (_, pacing) = limiter.take_slot(at(minute * 60_000));
        limiter.succeeded(pacing);
    }
    assert!(!limiter.circuit.is_open());
    assert!((limiter.interval_ms - 1000.0).abs() < 1e-9);
}

/// Telegram's side of it: a bucket that refuses, and then refuses everything until the wait is over.
struct Bucket {
    per_second: f64,
    burst: f64,
    left: f64,
    at: f64,
    wait_until: f64,
}

impl Bucket {
    fn call(&mut self, now: f64) -> Option<u64> {
        self.left = (self.left + (now - self.at) * self.per_second).min(self.burst);
        self.at = now;
        if now < self.wait_until {
            return Some((self.wait_until - now).ceil() as u64);
        }
        if self.left >= 1.0 - 1e-9 {
            self.left -= 1.0;
            return None;
        }
        let wait = ((1.0 - self.left) / self.per_second).ceil().max(1.0);
        self.wait_until = now + wait;
        Some(wait as u64)
    }
}

/// The part of what the limit allows that is used, and the part of the calls that is refused, after the first
/// minute, with somebody at every slot.
fn learn(per_second: impl Fn(f64) -> f64, burst: f64, seconds: f64) -> (f64, f64) {
    let mut bucket = Bucket {
        per_second: per_second(0.0),
        burst,
        left: burst,
        at: 0.0,
        wait_until: 0.0,
    };
    let (mut limiter, mut now) = (fresh(220), 0.0);
    let (mut allowed, mut made, mut refused, mut before) = (0.0, 0.0, 0.0, 0.0);
    while now < seconds {
        bucket.per_second = per_second(now);
        let instant = at((now * 1000.0) as u64);
        let counts = now > 60.0;
        if counts {
            allowed += (now - before) * bucket.per_second;
        }
        before = now;
        match bucket.call(now) {
            None => {
                made += f64::from(u8::from(counts));
                let (_, pacing) = limiter.take_slot(instant);
                limiter.succeeded(pacing);
                limiter.next_slot = instant.plus(limiter.interval());
                now += limiter.interval().as_secs_f64();
            }
            Some(wait) => {
                refused += f64::from(u8::from(counts));
                limiter.rate_limited(Duration::from_secs(wait), instant);
                now = limiter.paused_until.since(NOW).as_secs_f64();
            }
        }
    }
    (made / allowed, refused / (made + refused))
}

#[test]
fn every_limit_is_found_and_used() {
    for per_second in [1.0 / 3.0, 1.0, 5.0, 12.0, 30.0] {
        for burst in [1.0, 2.0, 5.0, 20.0, 30.0] {
            let (used, refused) = learn(|_| per_second, burst, 7200.0);
            assert!(used > 0.97, "{per_second}/s, bursts of {burst}: {used}");
            assert!(
                refused < 0.005,
                "{per_second}/s, bursts of {burst}: {refused}"
            );
        }
    }
}

#[test]
fn a_limit_that_halves_or_doubles_is_found_again() {
    for burst in [1.0, 20.0] {
        let (used, refused) = learn(|now| if now < 3600.0 { 5.0 } else { 2.5 }, burst, 7200.0);
        assert!(used > 0.97 && refused < 0.01, "{used} {refused}");
        let (used, refused) = learn(|now| if now < 3600.0 { 5.0 } else { 10.0 }, burst, 7200.0);
        assert!(used > 0.95 && refused < 0.01, "{used} {refused}");
    }
}

#[test]
fn what_is_spared_is_left_free() {
    let interval = |learned_ms: u64, spared| {
        let limiter = Limiter {
            spared,
            ..Limiter::new(Duration::from_millis(learned_ms))
        };
        limiter.interval().as_millis()
    };
    assert_eq!(interval(34, 0), 34);
    assert_eq!(interval(34, 5), 41, "29 a second less 5");
    assert_eq!(interval(100, 5), 200);
    assert_eq!(interval(1000, 5), 2000, "half of one a second");
}
