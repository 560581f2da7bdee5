//! The same fold, naively: it plays every day from the first to the last and asks each entitlement.

use super::super::entitlement::{Cover, Entitlement, EntitlementId};
use super::Right;

/// How many days are played. Whatever covers on the last of them never ends.
pub(super) const DAYS: i64 = 400;

/// What the fold has to answer, in whole units of time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) right: Right,
    pub(super) until: Option<i64>,
    pub(super) forever: bool,
    pub(super) level: Option<u32>,
}

/// An entitlement and what happened to it.
struct Player<'a> {
    id: &'a EntitlementId,
    fact: &'a Entitlement,
    units_left: i64,
    over_on: Option<i64>,
}

/// Plays `facts`, whose instants are multiples of `unit` milliseconds, and answers for the day `day`.
pub(super) fn play(facts: &[(EntitlementId, Entitlement)], unit: i64, day: i64) -> Expected {
    let (covered, over) = days(facts, unit, true);
    let at = |day: i64| usize::try_from(day).unwrap();
    let nothing = |right| Expected {
        right,
        until: None,
        forever: false,
        level: None,
    };
    if let Some(level) = covered[at(day)] {
        let end = (day..DAYS).find(|day| covered[at(*day)].is_none());
        return Expected {
            right: Right::Entitled,
            until: end,
            forever: end.is_none(),
            level: Some(level),
        };
    }
    let grace = |(index, over): (usize, &Option<i64>)| {
        let grace = i64::try_from(facts[index].1.grace.as_millis()).unwrap() / unit;
        over.is_some_and(|over| over <= day && day < over + grace)
    };
    if over.iter().enumerate().any(grace) {
        return nothing(Right::Grace);
    }
    if days(facts, unit, false).0[at(day)].is_some() {
        return nothing(Right::Suspended);
    }
    let has_begun = facts.iter().any(|(_, fact)| fact.start.ms() / unit <= day);
    nothing(if has_begun { Right::Ended } else { Right::None })
}

/// The highest level of each day, and of each entitlement the day on which it was over by time.
fn days(
    facts: &[(EntitlementId, Entitlement)],
    unit: i64,
    with_disputes: bool,
) -> (Vec<Option<u32>>, Vec<Option<i64>>) {
    let mut players: Vec<Player<'_>> = facts
        .iter()
        .map(|(id, fact)| Player {
            id,
            fact,
            units_left: match fact.cover {
                Cover::Days { seconds } => i64::try_from(seconds).unwrap() * 1000 / unit,
                Cover::Until(_) | Cover::Forever => 0,
            },
            over_on: None,
        })
        .collect();
    let mut levels = Vec::new();
    for day in 0..DAYS {
        let is_on = |fact: &Entitlement| {
            let is_stopped = fact.cut_at.is_some_and(|cut| cut.ms() / unit <= day)
                || (with_disputes && fact.suspended_at.is_some_and(|at| at.ms() / unit <= day));
            fact.start.ms() / unit <= day && !is_stopped
        };
        let mut level = None;
        for player in &mut players {
            match player.fact.cover {
                _ if !is_on(player.fact) => {}
                Cover::Forever => level = level.max(Some(player.fact.level)),
                Cover::Until(until) if day < until.ms() / unit => {
                    level = level.max(Some(player.fact.level));
                    if day + 1 == until.ms() / unit {
                        player.over_on = Some(day + 1);
                    }
                }
                Cover::Until(_) | Cover::Days { .. } => {}
            }
        }
        let mut first: Option<usize> = None;
        for (index, player) in players.iter().enumerate() {
            if player.units_left == 0 || !is_on(player.fact) {
                continue;
            }
            let goes_before = |other: &Player<'_>| {
                let (mine, others) = (player.fact, other.fact);
                mine.level > others.level
                    || (mine.level == others.level
                        && (mine.start < others.start
                            || (mine.start == others.start && player.id < other.id)))
            };
            if first.is_none_or(|first| goes_before(&players[first])) {
                first = Some(index);
            }
        }
        if let Some(index) = first
            && Some(players[index].fact.level) > level
        {
            let player = &mut players[index];
            level = Some(player.fact.level);
            player.units_left -= 1;
            if player.units_left == 0 {
                player.over_on = Some(day + 1);
            }
        }
        levels.push(level);
    }
    let over = players.iter().map(|player| player.over_on).collect();
    (levels, over)
}
