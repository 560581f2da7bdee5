use std::time::Duration;

use super::oracle::{DAYS, Expected, play};
use super::*;

const DAY_MS: i64 = 86_400_000;

fn day(n: i64) -> Timestamp {
    Timestamp::from_ms(n * DAY_MS)
}

fn days(n: u64) -> Cover {
    Cover::Days {
        seconds: n * 86_400,
    }
}

fn until(n: i64) -> Cover {
    Cover::Until(day(n))
}

/// What covers from `start`, with a grace of three days.
fn one(cover: Cover, start: i64) -> Entitlement {
    Entitlement {
        grace: Duration::from_secs(3 * 86_400),
        ..Entitlement::new(cover, day(start))
    }
}

fn on_level(level: u32, entitlement: Entitlement) -> Entitlement {
    Entitlement {
        level,
        ..entitlement
    }
}

fn cut(at: i64, entitlement: Entitlement) -> Entitlement {
    Entitlement {
        cut_at: Some(day(at)),
        ..entitlement
    }
}

fn suspended(at: i64, entitlement: Entitlement) -> Entitlement {
    Entitlement {
        suspended_at: Some(day(at)),
        ..entitlement
    }
}

fn named(entitlements: impl IntoIterator<Item = Entitlement>) -> Vec<(EntitlementId, Entitlement)> {
    let ids = ["a", "b", "c", "d", "e", "f"].map(EntitlementId::new);
    ids.into_iter().zip(entitlements).collect()
}

fn at(entitlements: &[Entitlement], now: i64) -> Standing {
    let all = named(entitlements.iter().cloned());
    fold(&all.into_iter().collect(), None, day(now))
}

/// The days on which the cover that holds on `now` ends, and its level.
fn cover(entitlements: &[Entitlement], now: i64) -> Option<(Option<i64>, u32)> {
    let standing = at(entitlements, now);
    let until = standing.until.map(|until| until.ms() / DAY_MS);
    standing.level.map(|level| (until, level))
}

#[test]
fn days_bought_twice_add_up_and_run_one_after_the_other() {
    let both = [one(days(30), 0), one(days(30), 10)];
    assert_eq!(cover(&both, 12), Some((Some(60), 0)));
    assert_eq!(at(&both, 60).right, Right::Grace);
    assert_eq!(at(&both, 63).right, Right::Ended);
}

#[test]
fn a_gift_waits_behind_a_subscription_that_renews() {
    let gift = one(days(30), 5);
    let months = [one(until(30), 0), one(until(60), 30), gift];
    assert_eq!(cover(&months, 45), Some((Some(90), 0)));
}

#[test]
fn an_upgrade_runs_at_once_while_the_days_of_the_lower_level_wait() {
    let upgraded = [one(days(30), 0), on_level(1, one(days(30), 10))];
    assert_eq!(cover(&upgraded, 9), Some((Some(60), 0)));
    assert_eq!(cover(&upgraded, 10), Some((Some(60), 1)));
    assert_eq!(cover(&upgraded, 40), Some((Some(60), 0)));
}

#[test]
fn a_lower_level_does_not_stop_the_days_of_a_higher_one() {
    let both = [one(until(100), 0), on_level(2, one(days(30), 10))];
    assert_eq!(cover(&both, 39), Some((Some(100), 2)));
    assert_eq!(cover(&both, 40), Some((Some(100), 0)));
}

#[test]
fn lifetime_stops_the_clock_and_starts_it_again_if_it_is_refunded() {
    let both = [one(days(30), 0), cut(110, one(Cover::Forever, 10))];
    assert_eq!(cover(&both, 50), Some((Some(130), 0)));
    let kept = [one(days(30), 0), one(Cover::Forever, 10)];
    let standing = at(&kept, 50);
    assert_eq!((standing.until, standing.forever), (None, true));
}

#[test]
fn a_refunded_first_purchase_lets_the_second_begin_at_once() {
    let refunded = [cut(12, one(days(30), 0)), one(days(30), 10)];
    assert_eq!(cover(&refunded, 12), Some((Some(42), 0)));
    let before_it_ran = [cut(0, one(days(30), 0)), one(days(30), 10)];
    assert_eq!(cover(&before_it_ran, 12), Some((Some(40), 0)));
}

#[test]
fn banked_days_run_to_the_second() {
    let start = Timestamp::from_ms(1_000_007);
    let short = Entitlement::new(Cover::Days { seconds: 90 }, start);
    let all: Entitlements = named([short]).into_iter().collect();
    let right = |ms| fold(&all, None, Timestamp::from_ms(ms)).right;
    assert_eq!(right(1_000_006), Right::None);
    assert_eq!(right(1_000_007), Right::Entitled);
    assert_eq!(right(1_090_006), Right::Entitled);
    assert_eq!(right(1_090_007), Right::Ended);
}

#[test]
fn a_length_beyond_all_time_is_for_ever() {
    let endless = Cover::Days { seconds: u64::MAX };
    assert!(at(&[one(endless, 5)], 9).forever);
}

/// The columns of the table of the right, as they are on day 100, by one charge. `NONE` has none.
fn column(right: Right) -> Option<Entitlement> {
    match right {
        Right::None => None,
        Right::Entitled => Some(one(until(120), 90)),
        Right::Grace => Some(one(until(99), 60)),
        Right::Suspended => Some(suspended(95, one(until(120), 90))),
        Right::Ended => Some(one(until(80), 50)),
    }
}

#[test]
fn the_table_of_the_right_holds_cell_by_cell() {
    use Right::{Ended, Entitled, Grace, Suspended};
    type Event = fn(&mut Vec<Entitlement>);
    const COLUMNS: [Right; 5] = [Right::None, Entitled, Grace, Suspended, Ended];
    let paid: Event = |all| all.push(one(until(140), 100));
    let time: Event = |_| {};
    let refunded: Event = |all| all[0].cut_at = Some(day(100));
    let refund_failed: Event = |all| all[0].cut_at = None;
    let disputed: Event = |all| all[0].suspended_at = all[0].suspended_at.or(Some(day(100)));
    let won: Event = |all| {
        all[0].suspended_at = None;
        all[0].cut_at = None;
    };
    let lost: Event = |all| all[0].cut_at = Some(day(100));
    // The event, the day on which it is seen, and what it makes of each column; nothing where it can't come.
    let rows: [(&str, Event, i64, [Option<Right>; 5]); 8] = [
        ("paid", paid, 100, [Some(Entitled); 5]),
        (
            "cover ends by time",
            time,
            120,
            [None, Some(Grace), None, Some(Ended), None],
        ),
        (
            "grace ends",
            time,
            102,
            [None, None, Some(Ended), None, None],
        ),
        (
            "refunded in full",
            refunded,
            100,
            [None, Some(Ended), Some(Grace), Some(Ended), Some(Ended)],
        ),
        (
            "refund failed",
            refund_failed,
            100,
            [
                None,
                Some(Entitled),
                Some(Grace),
                Some(Suspended),
                Some(Ended),
            ],
        ),
        (
            "disputed",
            disputed,
            100,
            [
                None,
                Some(Suspended),
                Some(Grace),
                Some(Suspended),
                Some(Ended),
            ],
        ),
        (
            "dispute won",
            won,
            100,
            [
                None,
                Some(Entitled),
                Some(Grace),
                Some(Entitled),
                Some(Ended),
            ],
        ),
        (
            "dispute lost",
            lost,
            100,
            [None, Some(Ended), Some(Grace), Some(Ended), Some(Ended)],
        ),
    ];
    for (event, apply, now, results) in rows {
        for (before, after) in COLUMNS.into_iter().zip(results) {
            let mut all: Vec<Entitlement> = column(before).into_iter().collect();
            assert_eq!(at(&all, 100).right, before, "the column");
            let Some(after) = after else { continue };
            apply(&mut all);
            assert_eq!(at(&all, now).right, after, "{event}, {}", before.as_str());
        }
    }
}

#[test]
fn what_the_table_says_of_single_cells_holds() {
    let trial = Entitlement::new(until(120), day(90));
    assert_eq!(at(&[trial], 120).right, Right::Ended, "no grace");
    let renewed = [one(until(120), 90), one(until(140), 100)];
    assert_eq!(at(&renewed, 100).until, Some(day(140)), "a later end");
    let running = cut(95, one(until(120), 90));
    assert_eq!(at(std::slice::from_ref(&running), 100).right, Right::Ended);
    let refund_failed = Entitlement {
        cut_at: None,
        ..running
    };
    assert_eq!(at(&[refund_failed], 100).right, Right::Entitled);
    let won_too_late = one(until(120), 90);
    assert_eq!(at(&[won_too_late], 123).right, Right::Ended);
}

#[test]
fn of_several_entitlements_the_leftmost_right_holds() {
    let columns = [
        Right::Entitled,
        Right::Grace,
        Right::Suspended,
        Right::Ended,
    ];
    for (index, first) in columns.into_iter().enumerate() {
        for second in &columns[index..] {
            let both = [first, *second].map(|right| column(right).unwrap());
            assert_eq!(at(&both, 100).right, first, "{first:?} and {second:?}");
        }
    }
}

#[test]
fn grace_names_its_end_and_the_longest_one_counts() {
    let long = Entitlement {
        grace: Duration::from_secs(14 * 86_400),
        ..one(until(98), 60)
    };
    let standing = at(&[one(until(99), 60), long], 100);
    assert_eq!(standing.grace_until, Some(day(112)));
    assert_eq!(standing.charge, Some(EntitlementId::new("b")));
}

/// A small generator of numbers, the same on every machine (SplitMix64).
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        i64::try_from((z ^ (z >> 31)) % u64::try_from(limit).unwrap()).unwrap()
    }

    fn one_of<const N: usize>(&mut self, values: [i64; N]) -> i64 {
        values[usize::try_from(self.below(i64::try_from(N).unwrap())).unwrap()]
    }

    /// An entitlement whose instants are multiples of `unit` milliseconds.
    fn entitlement(&mut self, unit: i64, starts: i64) -> Entitlement {
        let instant = |n: i64| Timestamp::from_ms(n * unit);
        let units = |n: i64| u64::try_from(n * unit / 1000).unwrap();
        let start = self.below(starts);
        let cover = match self.below(5) {
            0 | 1 => Cover::Days {
                seconds: units(self.one_of([1, 7, 30])),
            },
            2 | 3 => Cover::Until(instant(start + self.one_of([0, 1, 8, 30]))),
            _ => Cover::Forever,
        };
        let later = self.one_of([0, 1, 5, 25]);
        let stop = Some(instant(start + later));
        let (cut_at, suspended_at) = match self.below(6) {
            0 | 1 => (stop, None),
            2 => (None, stop),
            3 => (stop, Some(instant(start + self.below(30)))),
            _ => (None, None),
        };
        Entitlement {
            cover,
            start: instant(start),
            grace: Duration::from_secs(units(self.one_of([0, 3, 14]))),
            cut_at,
            suspended_at,
            level: u32::try_from(self.below(3)).unwrap(),
            order_version: None,
        }
    }

    fn history(&mut self, unit: i64) -> Vec<(EntitlementId, Entitlement)> {
        let starts = self.one_of([1, 10, 40, 90]);
        let count = self.below(6);
        named((0..count).map(|_| self.entitlement(unit, starts)))
    }
}

fn permutations<T: Clone>(values: &[T]) -> Vec<Vec<T>> {
    let Some((first, rest)) = values.split_first() else {
        return vec![Vec::new()];
    };
    let mut all = Vec::new();
    for shorter in permutations(rest) {
        for place in 0..=shorter.len() {
            let mut longer = shorter.clone();
            longer.insert(place, first.clone());
            all.push(longer);
        }
    }
    all
}

fn in_units(standing: &Standing, unit: i64) -> Expected {
    Expected {
        right: standing.right,
        until: standing.until.map(|until| until.ms() / unit),
        forever: standing.forever,
        level: standing.level,
    }
}

#[test]
fn the_fold_equals_a_naive_one_that_plays_every_day() {
    let mut draw = Draw(7);
    let mut rights = BTreeMap::new();
    for round in 0..6_000 {
        let unit = draw.one_of([1000, DAY_MS]);
        let history = draw.history(unit);
        let all: Entitlements = history.iter().cloned().collect();
        for _ in 0..3 {
            let now = draw.below(160);
            let expected = play(&history, unit, now);
            let standing = fold(&all, None, Timestamp::from_ms(now * unit));
            let found = in_units(&standing, unit);
            assert_eq!(found, expected, "round {round}, day {now}: {history:#?}");
            *rights.entry(found.right).or_insert(0) += 1;
        }
    }
    let rarest = rights.values().min();
    assert!(rights.len() == 5 && rarest > Some(&300), "{rights:?}");
}

#[test]
fn the_order_in_which_entitlements_arrive_does_not_matter() {
    let mut draw = Draw(11);
    for _ in 0..400 {
        let history = draw.history(DAY_MS);
        let now = draw.below(120);
        let expected = play(&history, DAY_MS, now);
        for order in permutations(&history) {
            assert_eq!(play(&order, DAY_MS, now), expected, "the oracle itself");
            let mut all = Entitlements::new();
            for (id, entitlement) in order {
                all.insert(id, entitlement);
            }
            assert_eq!(in_units(&fold(&all, None, day(now)), DAY_MS), expected);
        }
    }
}

#[test]
fn what_is_dropped_is_not_missed() {
    let mut draw = Draw(13);
    let mut dropped = 0;
    for _ in 0..3_000 {
        let mut history = draw.history(DAY_MS);
        for (_, entitlement) in &mut history {
            entitlement.suspended_at = None;
        }
        let whole: Entitlements = history.into_iter().collect();
        let mut kept = whole.clone();
        let mut floor = None;
        let mut at = 0;
        for _ in 0..3 {
            at += draw.below(40);
            if let Some(new) = drop_over(&mut kept, floor.as_ref(), day(at)) {
                floor = Some(new);
                dropped += 1;
            }
        }
        // The grace of what was dropped is over long before it is dropped: after 400 days.
        for now in (at + 14..DAYS).step_by(7) {
            let expected = fold(&whole, None, day(now));
            assert_eq!(
                fold(&kept, floor.as_ref(), day(now)),
                expected,
                "{whole:#?}"
            );
            let again = fold(&whole, floor.as_ref(), day(now));
            assert_eq!(again, expected, "what is written again runs no second time");
        }
    }
    assert!(dropped > 1_000, "{dropped}");
}

#[test]
fn nothing_is_dropped_while_a_dispute_is_open() {
    let mut all: Entitlements = named([one(days(30), 0), suspended(20, one(days(30), 5))])
        .into_iter()
        .collect();
    assert_eq!(drop_over(&mut all, None, day(300)), None);
    all.get_mut(&EntitlementId::new("b")).unwrap().cut_at = Some(day(60));
    assert!(drop_over(&mut all, None, day(300)).is_some());
    assert!(all.is_empty());
}
