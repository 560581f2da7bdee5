//! What the entitlements of a seat add up to: the same for every order in which they arrived.
//!
//! The fold walks once through time, from the first start on, and stops where anything can change: a start, an end, a
//! cut, a suspension, the last second of banked days. Between two stops what covers is constant:
//!
//! 1. Whatever covers until an end or for ever covers from its start, unless it is cut or suspended.
//! 2. Of the banked days that are left, the first by level (highest first), start and id run, if their level is above
//!    all of those; no others do.
//!
//! A dispute stops the cover of its own entitlement alone. What the right would be without it is a second walk that
//! knows no suspensions.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::super::time::Timestamp;
use super::entitlement::{Cover, Entitlement, EntitlementId};

/// The entitlements of a seat.
pub type Entitlements = BTreeMap<EntitlementId, Entitlement>;

/// After every instant that a [`Timestamp`] can hold.
const NEVER: i64 = i64::MAX;

/// What a person may at an instant; the first that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Right {
    /// An entitlement covers.
    Entitled,
    /// A cover ran out, and its grace has not.
    Grace,
    /// An entitlement would cover, but for a dispute.
    Suspended,
    /// There was an entitlement.
    Ended,
    /// There has been no entitlement yet.
    None,
}

impl Right {
    /// All of them, the first that holds first.
    pub const ALL: [Self; 5] = [
        Self::Entitled,
        Self::Grace,
        Self::Suspended,
        Self::Ended,
        Self::None,
    ];

    /// The word in tables and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Entitled => "ENTITLED",
            Self::Grace => "GRACE",
            Self::Suspended => "SUSPENDED",
            Self::Ended => "ENDED",
            Self::None => "NONE",
        }
    }

    /// Whether the door opens: what the link, the claim and the join request ask, and nothing else.
    #[must_use]
    pub const fn is_admitted(self) -> bool {
        matches!(self, Self::Entitled | Self::Grace)
    }
}

/// What the entitlements add up to at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The right.
    pub right: Right,
    /// The end of the unbroken cover that holds at that instant; absent if none holds, or it never ends.
    pub until: Option<Timestamp>,
    /// Whether the unbroken cover that holds at that instant never ends.
    pub forever: bool,
    /// The highest level that covers at that instant.
    pub level: Option<u32>,
    /// The end of the grace that holds at that instant.
    pub grace_until: Option<Timestamp>,
    /// The entitlement that decides: the one that covers with the highest level, or whose grace lasts longest.
    pub charge: Option<EntitlementId>,
}

impl Standing {
    const fn without_cover(right: Right) -> Self {
        Self {
            right,
            until: None,
            forever: false,
            level: None,
            grace_until: None,
            charge: None,
        }
    }
}

/// What is kept of entitlements that were dropped: up to when the walk through time is settled, and how much of banked days
/// it had used by then.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Floor {
    /// The walk begins here.
    pub at: Timestamp,
    /// How many milliseconds of its banked days each entitlement had used by then, dropped ones too: should one be written
    /// again, no part of it runs a second time.
    pub used_ms: BTreeMap<EntitlementId, u64>,
}

/// What the entitlements add up to at `now`; `floor` stands for those that were dropped.
///
/// A cut or suspension before the floor takes effect at the floor.
#[must_use]
pub fn fold(entitlements: &Entitlements, floor: Option<&Floor>, now: Timestamp) -> Standing {
    let walk = Walk::through(entitlements, floor, Disputes::Hold, NEVER);
    if let Some(standing) = walk.covered_at(now.ms()) {
        return standing;
    }
    let in_grace = entitlements.iter().filter_map(|(id, entitlement)| {
        let end = walk.end_of(id, entitlement)?;
        let grace_until = Timestamp::from_ms(end).plus(entitlement.grace);
        let holds = end <= now.ms() && now < grace_until;
        holds.then_some((grace_until, id))
    });
    if let Some((grace_until, id)) = in_grace.max() {
        return Standing {
            grace_until: Some(grace_until),
            charge: Some(id.clone()),
            ..Standing::without_cover(Right::Grace)
        };
    }
    let is_disputed = entitlements.values().any(|one| one.suspended_at.is_some());
    let undisputed = || Walk::through(entitlements, floor, Disputes::Ignored, NEVER);
    Standing::without_cover(
        if is_disputed && undisputed().covered_at(now.ms()).is_some() {
            Right::Suspended
        } else if floor.is_some() || entitlements.values().any(|one| one.start <= now) {
            Right::Ended
        } else {
            Right::None
        },
    )
}

/// Those entitlements whose cover is over at `at`, for good: cut, run out, used up. One that is suspended is not over.
#[must_use]
pub(super) fn over(
    entitlements: &Entitlements,
    floor: Option<&Floor>,
    at: Timestamp,
) -> BTreeSet<EntitlementId> {
    let walk = Walk::through(entitlements, floor, Disputes::Hold, NEVER);
    let is_over = |id: &EntitlementId, one: &Entitlement| {
        let is_cut = one.cut_at.is_some_and(|cut| cut <= at);
        let has_begun = one.start <= at;
        let is_used_up = walk.sources.iter().any(|source| {
            source.id == id
                && source.left == Some(0)
                && source.ended.is_none_or(|end| end <= at.ms())
        });
        let has_run_out = matches!(one.cover, Cover::Until(until) if until <= at);
        is_cut || has_run_out || (has_begun && is_used_up)
    };
    let over = entitlements.iter().filter(|(id, one)| is_over(id, one));
    over.map(|(id, _)| id.clone()).collect()
}

/// Drops the entitlements that are over at `at`, and answers the floor that stands for them; nothing if there are none.
///
/// While a dispute is open nothing is dropped: how it ends decides what of the past is true.
pub(super) fn drop_over(
    entitlements: &mut Entitlements,
    floor: Option<&Floor>,
    at: Timestamp,
) -> Option<Floor> {
    let is_open = |one: &Entitlement| one.suspended_at.is_some() && one.cut_at.is_none();
    if entitlements.values().any(is_open) {
        return None;
    }
    let over = over(entitlements, floor, at);
    if over.is_empty() {
        return None;
    }
    let mut used_ms = floor.map_or_else(BTreeMap::new, |floor| floor.used_ms.clone());
    let walk = Walk::through(entitlements, floor, Disputes::Hold, at.ms());
    for source in &walk.sources {
        let (Some(all), Some(left)) = (source.all(), source.left) else {
            continue;
        };
        used_ms.insert(source.id.clone(), u64::try_from(all - left).unwrap_or(0));
    }
    entitlements.retain(|id, _| !over.contains(id));
    Some(Floor { at, used_ms })
}

/// Whether suspensions count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Disputes {
    Hold,
    Ignored,
}

/// A time, in milliseconds since the Unix epoch, in which the same entitlement decides.
struct Span<'a> {
    from: i64,
    to: i64,
    level: u32,
    id: &'a EntitlementId,
}

/// An entitlement on the walk.
struct Source<'a> {
    id: &'a EntitlementId,
    entitlement: &'a Entitlement,
    /// From when on it covers nothing, whatever is left of it.
    stop: i64,
    /// Banked milliseconds that are left; absent if it is not banked.
    left: Option<i64>,
    /// When the last of them was used, on this walk.
    ended: Option<i64>,
}

impl Source<'_> {
    fn all(&self) -> Option<i64> {
        match self.entitlement.cover {
            Cover::Days { seconds } => {
                Some(i64::try_from(seconds).unwrap_or(NEVER).saturating_mul(1000))
            }
            Cover::Until(_) | Cover::Forever => None,
        }
    }

    const fn start(&self) -> i64 {
        self.entitlement.start.ms()
    }

    const fn can_cover(&self, at: i64) -> bool {
        self.start() <= at && at < self.stop
    }
}

struct Walk<'a> {
    spans: Vec<Span<'a>>,
    sources: Vec<Source<'a>>,
}

impl<'a> Walk<'a> {
    /// Walks from the floor, or the first start, to `horizon`.
    fn through(
        entitlements: &'a Entitlements,
        floor: Option<&Floor>,
        disputes: Disputes,
        horizon: i64,
    ) -> Self {
        let mut sources: Vec<Source<'a>> = entitlements
            .iter()
            .map(|(id, entitlement)| source(id, entitlement, floor, disputes))
            .collect();
        sources.sort_by_key(|one| (Reverse(one.entitlement.level), one.start(), one.id));
        let mut spans = Vec::new();
        let first = sources.iter().map(Source::start).min().unwrap_or(NEVER);
        let mut at = floor.map_or(first, |floor| first.max(floor.at.ms()));
        while at < horizon {
            // In the order of the sources the first that can cover decides, but banked days give way to their equals.
            let steady = sources
                .iter()
                .position(|one| one.left.is_none() && one.can_cover(at));
            let level = steady.map(|index| sources[index].entitlement.level);
            let banked = sources.iter().position(|one| {
                one.left.is_some_and(|left| left > 0)
                    && one.can_cover(at)
                    && level.is_none_or(|level| one.entitlement.level > level)
            });
            let used_up = banked
                .and_then(|index| sources[index].left)
                .map(|left| at.saturating_add(left));
            let edges = sources.iter().flat_map(|one| [one.start(), one.stop]);
            let next = edges
                .filter(|edge| *edge > at)
                .chain(used_up)
                .min()
                .unwrap_or(NEVER)
                .min(horizon);
            if let Some(index) = banked.or(steady) {
                spans.push(Span {
                    from: at,
                    to: next,
                    level: sources[index].entitlement.level,
                    id: sources[index].id,
                });
            }
            if next == NEVER {
                break;
            }
            if let Some(index) = banked {
                let running = &mut sources[index];
                running.left = running.left.map(|left| left - (next - at));
                if running.left == Some(0) {
                    running.ended = Some(next);
                }
            }
            at = next;
        }
        Self { spans, sources }
    }

    /// The standing at `at`, if anything covers then.
    fn covered_at(&self, at: i64) -> Option<Standing> {
        let held = self
            .spans
            .iter()
            .position(|span| span.from <= at && at < span.to)?;
        let mut end = self.spans[held].to;
        for span in &self.spans[held + 1..] {
            if span.from != end {
                break;
            }
            end = span.to;
        }
        let span = &self.spans[held];
        Some(Standing {
            until: (end != NEVER).then(|| Timestamp::from_ms(end)),
            forever: end == NEVER,
            level: Some(span.level),
            charge: Some(span.id.clone()),
            ..Standing::without_cover(Right::Entitled)
        })
    }

    /// When a cover ended by time, in milliseconds since the Unix epoch; absent if it has no end, never began, or was
    /// stopped before.
    fn end_of(&self, id: &EntitlementId, entitlement: &Entitlement) -> Option<i64> {
        match entitlement.cover {
            Cover::Forever => None,
            Cover::Until(until) => {
                let stopped = [entitlement.cut_at, entitlement.suspended_at]
                    .into_iter()
                    .flatten()
                    .any(|stop| stop < until);
                (entitlement.start < until && !stopped).then(|| until.ms())
            }
            Cover::Days { .. } => self.sources.iter().find(|one| one.id == id)?.ended,
        }
    }
}

fn source<'a>(
    id: &'a EntitlementId,
    entitlement: &'a Entitlement,
    floor: Option<&Floor>,
    disputes: Disputes,
) -> Source<'a> {
    let end = match entitlement.cover {
        Cover::Until(until) => Some(until),
        Cover::Days { .. } | Cover::Forever => None,
    };
    let suspended_at = match disputes {
        Disputes::Hold => entitlement.suspended_at,
        Disputes::Ignored => None,
    };
    let stops = [end, entitlement.cut_at, suspended_at];
    let mut source = Source {
        id,
        entitlement,
        stop: stops
            .into_iter()
            .flatten()
            .min()
            .map_or(NEVER, Timestamp::ms),
        left: None,
        ended: None,
    };
    let used = floor
        .and_then(|floor| floor.used_ms.get(id))
        .map_or(0, |used| i64::try_from(*used).unwrap_or(NEVER));
    source.left = source.all().map(|all| all.saturating_sub(used).max(0));
    source
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
