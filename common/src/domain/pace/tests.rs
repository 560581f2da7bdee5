//! The line as its users see it, and the limits that it finds.

use super::*;

const PATIENCE: Duration = Duration::from_millis(2100);
const NOW: Timestamp = Timestamp::from_ms(1_763_640_000_000);
const CHAT: ChatId = ChatId(-100);
const OTHER: ChatId = ChatId(-200);

fn at(ms: u64) -> Timestamp {
    NOW.plus(Duration::from_millis(ms))
}

/// A line that was never called.
fn fresh(interval_ms: u64) -> Pace {
    Pace::new(Duration::from_millis(interval_ms))
}

/// A line that knows its limit.
fn pace(interval_ms: u64) -> Pace {
    Pace {
        ceiling_ms: Some(interval_ms as f64),
        step: 1e-4,
        ..fresh(interval_ms)
    }
}

fn ask(lines: &mut [Pace], chat: ChatId, places: &[Place], now: Timestamp) -> Vec<Turn> {
    let mut lines: Vec<Candidate<'_>> = lines
        .iter_mut()
        .map(|pace| Candidate {
            pace,
            not_before: Timestamp::from_ms(0),
        })
        .collect();
    take(&mut lines, chat, places, now, PATIENCE)
}

fn slots(turns: &[Turn]) -> Vec<(usize, u64)> {
    let slot = |turn: &Turn| match turn {
        Turn::Slot { line, at, .. } => Some((*line, at.since(NOW).as_millis() as u64)),
        Turn::Later { .. } => None,
    };
    turns.iter().filter_map(slot).collect()
}

fn waits(turns: &[Turn]) -> Vec<(Place, u64)> {
    let wait = |turn: &Turn| match turn {
        Turn::Slot { .. } => None,
        Turn::Later { at, place } => Some((*place, at.since(NOW).as_millis() as u64)),
    };
    turns.iter().filter_map(wait).collect()
}

#[test]
fn an_idle_line_serves_at_once_and_then_gives_tickets() {
    let mut pace = [pace(1000)];
    let turns = ask(&mut pace, CHAT, &[Place::New; 6], NOW);
    assert_eq!(slots(&turns), [(0, 50), (0, 1050), (0, 2050)]);
    // Each comes back a second before its turn.
    assert_eq!(
        waits(&turns),
        [
            (Place::Ticket(1), 2050),
            (Place::Ticket(2), 3050),
            (Place::Ticket(3), 4050)
        ]
    );
}

#[test]
fn nobody_new_overtakes_who_holds_a_ticket() {
    let mut pace = [pace(1000)];
    ask(&mut pace, CHAT, &[Place::New; 6], NOW);
    let turns = ask(
        &mut pace,
        CHAT,
        &[Place::Ticket(1), Place::New, Place::Ticket(2)],
        at(1500),
    );
    assert_eq!(slots(&turns), [(0, 3050)]);
    assert_eq!(waits(&turns)[0].0, Place::Ticket(4));
}

#[test]
fn a_slot_that_nobody_came_for_goes_to_whoever_is_there() {
    let mut pace = [pace(1000)];
    ask(&mut pace, CHAT, &[Place::New; 6], NOW);
    let turns = ask(&mut pace, CHAT, &[Place::New], at(9000));
    assert_eq!(slots(&turns), [(0, 9050)]);
}

#[test]
fn a_long_line_looks_in_on_the_way_and_so_sees_that_the_pace_recovered() {
    let mut pace = [pace(1000)];
    let turns = ask(&mut pace, CHAT, &[Place::New; 203], NOW);
    let last = waits(&turns).last().copied().unwrap();
    assert_eq!(last, (Place::Ticket(200), (3050 + 199_000) * 85 / 100));
    pace[0].interval_ms = 100.0;
    let turns = ask(&mut pace, CHAT, &[last.0], at(10_000));
    assert_eq!(slots(&turns), [(0, 10_050)]);
    let turns = ask(&mut pace, CHAT, &[last.0], at(10_000));
    let sooner = waits(&turns)[0].1 - 10_000;
    assert!((15_000..19_000).contains(&sooner), "{sooner}");
}

#[test]
fn tickets_that_never_come_back_hold_up_nobody_for_long() {
    let mut pace = [pace(1000)];
    ask(&mut pace, CHAT, &[Place::New; 100], NOW);
    let turns = ask(&mut pace, CHAT, &[Place::New; 3], at(70_000));
    assert_eq!(slots(&turns).len(), 3);
}

#[test]
fn no_two_jobs_share_a_slot_whatever_comes() {
    let mut pace = [pace(220)];
    let mut taken = Vec::new();
    let places = [
        Place::New,
        Place::Front,
        Place::Yielding { line: Some(0) },
        Place::Ticket(3),
    ];
    for round in 0..200 {
        let turns = ask(&mut pace, CHAT, &places, at(round * 137));
        taken.extend(slots(&turns).into_iter().map(|(_, at)| at));
    }
    assert!(taken.len() > 100);
    assert!(taken.windows(2).all(|pair| pair[1] - pair[0] >= 220));
}

#[test]
fn revocations_yield_to_every_mint() {
    let mut pace = [pace(1000)];
    let revocation = Place::Yielding { line: Some(0) };
    assert_eq!(slots(&ask(&mut pace, CHAT, &[revocation], NOW)), [(0, 50)]);
    ask(&mut pace, CHAT, &[Place::New; 20], NOW);
    let turns = ask(&mut pace, CHAT, &[revocation; 2], at(100));
    assert!(slots(&turns).is_empty());
    assert!(waits(&turns).iter().all(|(_, wait)| *wait > 5000));
}

#[test]
fn bots_share_a_chat_and_one_that_is_paused_is_left_out() {
    let mut lines = [pace(1000), pace(1000), pace(1000)];
    let turns = ask(&mut lines, CHAT, &[Place::New; 6], NOW);
    assert_eq!(
        slots(&turns),
        [(0, 50), (1, 50), (2, 50), (0, 1050), (1, 1050), (2, 1050)]
    );
    lines[1].rate_limited(Duration::from_secs(60), at(1000));
    let turns = ask(&mut lines, CHAT, &[Place::Front; 4], at(2000));
    assert_eq!(slots(&turns), [(0, 2050), (2, 2050), (0, 3050), (2, 3050)]);
}

#[test]
fn chats_that_share_a_line_take_turns() {
    let mut line = [pace(1000)];
    // One chat has a thousand jobs waiting, the other has two.
    ask(&mut line, CHAT, &[Place::New; 1000], NOW);
    let turns = ask(&mut line, OTHER, &[Place::New; 2], at(100));
    let (place, wait) = waits(&turns)[1];
    assert!(wait < 8000, "{wait}");
    // A job far behind in the first chat comes far later than that.
    let turns = ask(&mut line, CHAT, &[Place::Ticket(900)], at(200));
    assert!(waits(&turns)[0].1 > 100_000);
    let turns = ask(&mut line, OTHER, &[place], at(2500));
    assert_eq!(slots(&turns).len(), 1);
}

#[test]
fn chats_that_are_refused_together_wait_after_wait_share_a_limit() {
    let mut bot = pace(220);
    for round in 0..3_u64 {
        assert!(bot.shared_until < NOW);
        let start = round * 100_000;
        bot.compare_wait(CHAT, at(start + 40_000), at(start));
        bot.compare_wait(CHAT, at(start + 40_500), at(start + 500));
        bot.compare_wait(OTHER, at(start + 40_500), at(start + 10_000));
        bot.compare_wait(OTHER, at(start + 40_900), at(start + 20_000));
    }
    assert!(bot.shared_until > at(300_000));
}

#[test]
fn chats_that_wait_by_themselves_or_for_other_times_share_none() {
    let mut bot = pace(220);
    for round in 0..50_u64 {
        let start = round * 100_000;
        // Alone.
        bot.compare_wait(CHAT, at(start + 10_000), at(start));
        bot.compare_wait(OTHER, at(start + 30_000), at(start + 20_000));
        // Together by chance, for other times, or for the same.
        bot.compare_wait(CHAT, at(start + 50_000), at(start + 40_000));
        let end = if round % 2 == 0 { 60_000 } else { 50_000 };
        bot.compare_wait(OTHER, at(start + end), at(start + 41_000));
    }
    assert!(bot.shared_until < NOW);
}

#[test]
fn a_429_holds_everyone_for_at_least_what_was_asked() {
    for seconds in [3, 40, 2000] {
        let mut pace = [pace(220)];
        pace[0].rate_limited(Duration::from_secs(seconds), NOW);
        for place in [
            Place::Front,
            Place::New,
            Place::Ticket(7),
            Place::Yielding { line: Some(0) },
        ] {
            let turns = ask(&mut pace, CHAT, &[place], at(500));
            assert!(waits(&turns)[0].1 > seconds * 1000, "{place:?}");
        }
    }
}

#[test]
fn an_absurd_wait_is_believed_for_a_day() {
    let mut pace = pace(1000);
    pace.rate_limited(Duration::MAX, NOW);
    assert_eq!(pace.paused_until.since(NOW).as_secs(), 24 * 3600);
}

#[test]
fn a_storm_of_429s_in_which_nothing_goes_well_slows_once() {
    let mut pace = fresh(1000);
    for _ in 0..5 {
        pace.rate_limited(Duration::from_secs(3), NOW);
    }
    for minute in 1..10 {
        pace.rate_limited(Duration::from_secs(3), at(minute * 60_000));
    }
    assert!((pace.interval_ms - 2000.0).abs() < 1.0);
}

#[test]
fn a_broken_chat_is_probed_ever_more_slowly_but_at_least_every_ten_minutes() {
    let mut pace = pace(220);
    let mut now = NOW;
    let mut holds = Vec::new();
    for _ in 0..7 {
        pace.hold(now);
        pace.hold(now);
        holds.push(pace.paused_until.since(now).as_secs());
        now = pace.paused_until;
    }
    assert_eq!(holds, [30, 60, 120, 240, 480, 600, 600]);
    pace.succeeded(Successes { all: 1, paced: 1 });
    pace.hold(now);
    assert_eq!(pace.paused_until.since(now).as_secs(), 30);
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
    let (mut pace, mut now) = (fresh(220), 0.0);
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
                let paced = u32::from(pace.is_paced(instant));
                pace.succeeded(Successes { all: 1, paced });
                pace.next_slot = instant.plus(pace.interval());
                now += pace.interval().as_secs_f64();
            }
            Some(wait) => {
                refused += f64::from(u8::from(counts));
                pace.rate_limited(Duration::from_secs(wait), instant);
                now = pace.paused_until.since(NOW).as_secs_f64();
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
fn calls_that_come_by_themselves_say_nothing_of_the_limit() {
    let mut line = [pace(1000)];
    let interval_ms = line[0].interval_ms;
    for minute in 1..100_u64 {
        let turns = ask(&mut line, CHAT, &[Place::New], at(minute * 60_000));
        let Turn::Slot { paced, .. } = turns[0] else {
            panic!("an idle line made a job wait");
        };
        let paced = u32::from(paced);
        line[0].succeeded(Successes { all: 1, paced });
    }
    assert_eq!(line[0].interval_ms, interval_ms);
    let turns = ask(&mut line, CHAT, &[Place::Front; 2], at(7_000_000));
    assert!(matches!(turns[1], Turn::Slot { paced: true, .. }));
}

#[test]
fn before_a_limit_was_met_nobody_is_sent_far_away() {
    let turns = ask(&mut [fresh(1000)], CHAT, &[Place::New; 1000], NOW);
    assert!(waits(&turns).iter().all(|(_, wait)| *wait < 25_000));
}
