//! Links in stock: made ahead of a sale at the pace that Telegram allows, and taken by a request in its own answer.
//!
//! ```text
//! ordered ------------------------------> 1 2 3 4 5 6 7 8 9   units are numbered by one counter a chat
//! made, the last one --------------> 6        jobs of 7 8 9 are on their way
//! on the shelf ----------------> 2 . 4 5 6    3 was taken; the lowest are the oldest, and go first
//! ```
//!
//! A unit lies in the shard of its number's remainder, so the numbers of one shard follow one another by [`SHARDS`]: from
//! the first and the last of them follows how many there are, without counting. Takers take among the lowest of a shard,
//! so holes are there alone.

use std::time::Duration;

use super::id::ChatId;
use super::purchase::Chats;
use super::time::Timestamp;

/// Over how many partitions a chat's stock is spread. One partition takes 1000 write units a second, and a unit that is
/// taken costs two: this is for 16,000 orders a second, and takers rarely meet.
pub const SHARDS: u64 = 32;
/// The most links of one chat that may be in stock.
pub const TARGET_MAX: u64 = 1_000_000;
/// The most units ordered in one run.
const ORDER_MAX: u64 = 1000;
/// How many units are ordered at first, when nothing is known of the pace: what is safe in any chat.
const ORDER_FIRST: u64 = 20;
/// The fewest units ordered in one run, however slow the pace.
const ORDER_MIN: u64 = 5;
/// How long ordered units may make no progress before they are given up: longer than most holds of a chat.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(3600);
/// How long a run keeps others from ordering: longer than it may take. A run that died is followed by another then.
pub const ORDERING: Duration = Duration::from_secs(60);

/// A unit of the stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UnitId {
    /// The id that the chat's payments are known by: it stays when the chat becomes a supergroup.
    pub shelf: ChatId,
    /// Its number, from 1.
    pub number: u64,
}

impl UnitId {
    /// The shard that it lies in.
    #[must_use]
    pub const fn shard(&self) -> u64 {
        self.number % SHARDS
    }
}

/// A chat that is to have links in stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stocked {
    /// The chat that the links lead to.
    pub chat: ChatId,
    /// Where its units lie.
    pub shelf: ChatId,
    /// How many links it is to have in stock; more than 0.
    pub target: u64,
}

/// The chats that are to have links in stock.
#[derive(Clone, Debug, Default)]
pub struct Targets(Vec<Stocked>);

impl Targets {
    /// Reads a number for every chat of `chats`, or `chatId=number` pairs with commas between; `None` if it is neither, a
    /// number is too large, or a chat is none of ours. Chats whose number is 0 have no stock.
    #[must_use]
    pub fn parse(text: &str, chats: &Chats) -> Option<Self> {
        let number = |text: &str| {
            let number: u64 = text.trim().parse().ok()?;
            (number <= TARGET_MAX).then_some(number)
        };
        let all: Vec<Stocked> = if text.contains('=') {
            let pairs = text.split(',').map(str::trim);
            let pairs = pairs.filter(|part| !part.is_empty()).map(|pair| {
                let (chat, target) = pair.split_once('=')?;
                let (chat, shelf) = chats.named(ChatId(chat.trim().parse().ok()?))?;
                let target = number(target)?;
                Some(Stocked {
                    chat,
                    shelf,
                    target,
                })
            });
            pairs.collect::<Option<_>>()?
        } else {
            let target = number(text)?;
            let all = chats.all().map(|(chat, shelf)| Stocked {
                chat,
                shelf,
                target,
            });
            all.collect()
        };
        Some(Self(
            all.into_iter()
                .filter(|stocked| stocked.target > 0)
                .collect(),
        ))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Stocked> {
        self.0.iter()
    }

    /// Whether no chat has a stock.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this shelf is to have links.
    #[must_use]
    pub fn has(&self, shelf: ChatId) -> bool {
        self.0.iter().any(|stocked| stocked.shelf == shelf)
    }
}

/// How many units a shard has, of which `first` are the lowest numbers: all of them if there is no `last`, the highest
/// number, and otherwise as many as fit between.
#[must_use]
pub fn count_shard(first: &[u64], last: Option<u64>) -> u64 {
    let between = match (first.last(), last) {
        (Some(end), Some(last)) => last.saturating_sub(*end) / SHARDS,
        _ => 0,
    };
    first.len() as u64 + between
}

/// What was ordered of a chat's stock, and how fast that comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// The highest number that was ordered.
    pub ordered: u64,
    /// The highest number that was made.
    pub made: u64,
    /// Orders up to this number are void.
    pub given_up: u64,
    /// What `made` was when the last run looked.
    pub seen: u64,
    /// How many units a run may have on their way: what came between two runs, learned.
    pub order_max: u64,
    /// How many units the last run ordered.
    pub last_order: u64,
    /// When `made` was last seen to grow, or an order was made while nothing was on its way.
    pub progress_at: Timestamp,
    /// Until when another run is ordering.
    pub ordering_until: Timestamp,
}

impl Default for Ledger {
    fn default() -> Self {
        let never = Timestamp::from_ms(0);
        Self {
            ordered: 0,
            made: 0,
            given_up: 0,
            seen: 0,
            order_max: ORDER_FIRST,
            last_order: 0,
            progress_at: never,
            ordering_until: never,
        }
    }
}

impl Ledger {
    /// How many units are on their way. One that was overtaken by a later one is not counted: it may have failed.
    #[must_use]
    pub fn outstanding(&self) -> u64 {
        self.ordered.saturating_sub(self.made.max(self.given_up))
    }

    /// Whether the order of this unit is void.
    #[must_use]
    pub const fn is_void(&self, number: u64) -> bool {
        number <= self.given_up
    }

    /// Orders what is missing of `target` when `available` units are on the shelf, as far as the pace lets hope that it
    /// comes before the next run: jobs that wait in the queue ask for their turn again and again, and cost. Answers how
    /// many units that is: the highest numbers of those ordered.
    pub fn order(&mut self, target: u64, available: u64, now: Timestamp) -> u64 {
        // What a run sent that died before it noted it may have been made.
        self.ordered = self.ordered.max(self.made);
        let came = self.made.saturating_sub(self.seen);
        self.seen = self.made.max(self.seen);
        if came > 0 {
            self.progress_at = now;
        }
        if self.outstanding() > 0 && now.since(self.progress_at) >= GIVE_UP_AFTER {
            self.given_up = self.ordered;
            self.order_max = ORDER_FIRST;
        }
        let outstanding = self.outstanding();
        if outstanding * 4 <= self.last_order {
            // As much as was allowed, and nearly all of it came: there may be room for more.
            if self.last_order >= self.order_max {
                self.order_max = (self.order_max * 2).min(ORDER_MAX);
            }
        } else {
            self.order_max = came.clamp(ORDER_MIN, self.order_max.max(ORDER_MIN));
        }
        let missing = target.saturating_sub(available.saturating_add(outstanding));
        let count = missing.min(self.order_max.saturating_sub(outstanding));
        if count > 0 && outstanding == 0 {
            self.progress_at = now;
        }
        self.last_order = count;
        self.ordered = self.ordered.saturating_add(count);
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn targets(text: &str) -> Option<Vec<(i64, i64, u64)>> {
        let chats = Chats::parse("-1, -100=-2").unwrap();
        let targets = Targets::parse(text, &chats)?;
        let all = targets
            .iter()
            .map(|stocked| (stocked.chat.0, stocked.shelf.0, stocked.target));
        Some(all.collect())
    }

    #[test]
    fn a_target_is_one_number_or_pairs() {
        assert_eq!(targets("0"), Some(vec![]));
        assert_eq!(targets(" 7 "), Some(vec![(-1, -1, 7), (-100, -2, 7)]));
        assert_eq!(targets("-1=5"), Some(vec![(-1, -1, 5)]));
        let both = Some(vec![(-1, -1, 5), (-100, -2, 1_000_000)]);
        assert_eq!(targets("-1 = 5, -2=1000000,"), both);
        for wrong in [
            "", "x", "-5", "1.5", "1000001", "-3=5", "-1=", "-1=x", "-1=5,6",
        ] {
            assert_eq!(targets(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_shard_is_counted_from_its_ends() {
        assert_eq!(count_shard(&[], None), 0);
        assert_eq!(count_shard(&[5, 37, 133], None), 3);
        assert_eq!(count_shard(&[5, 37, 133], Some(133)), 3);
        assert_eq!(count_shard(&[5, 37, 133], Some(133 + 32 * 10)), 13);
    }

    /// Runs once a minute over a pace of `pace` units a minute, for so many minutes; what was made, and the most that
    /// ever waited.
    fn filled(target: u64, pace: u64, minutes: u32) -> (u64, u64) {
        let (mut ledger, mut most) = (Ledger::default(), 0);
        let mut now = Timestamp::from_ms(0);
        for _ in 0..minutes {
            ledger.order(target, ledger.made, now);
            most = most.max(ledger.outstanding());
            ledger.made += ledger.outstanding().min(pace);
            now = now.plus(MINUTE);
        }
        (ledger.made, most)
    }

    #[test]
    fn orders_follow_the_pace_and_never_pass_the_target() {
        assert_eq!(filled(64, 1000, 10), (64, 40));
        // A slow line is kept busy with little waiting.
        let (made, most) = filled(10_000, 20, 60);
        assert!(made >= 20 * 55, "{made}");
        assert!(most <= 40, "{most}");
        let (made, most) = filled(100_000, 500, 60);
        assert!(made >= 500 * 45, "{made}");
        assert!(most <= 1000, "{most}");
        assert_eq!(filled(0, 20, 10), (0, 0));
    }

    #[test]
    fn orders_without_progress_are_given_up_after_an_hour_and_made_anew() {
        let mut ledger = Ledger::default();
        let start = Timestamp::from_ms(1_000_000);
        assert_eq!(ledger.order(50, 0, start), 20);
        for minute in 1..60 {
            let now = start.plus(MINUTE * minute);
            assert_eq!(ledger.order(50, 0, now), 0, "{minute}");
        }
        assert!(!ledger.is_void(20));
        assert_eq!(ledger.order(50, 0, start.plus(GIVE_UP_AFTER)), 20);
        assert!(ledger.is_void(20) && !ledger.is_void(21));
        // What was held comes after all: it is void, and the new ones count.
        ledger.made = 40;
        assert_eq!(ledger.outstanding(), 0);
    }

    #[test]
    fn numbers_of_a_run_that_died_before_its_note_are_not_ordered_twice() {
        let mut ledger = Ledger {
            made: 10,
            ..Ledger::default()
        };
        assert_eq!(ledger.order(12, 10, Timestamp::from_ms(0)), 2);
        assert_eq!(ledger.ordered, 12);
    }

    #[test]
    fn what_was_taken_is_ordered_again() {
        let mut ledger = Ledger::default();
        let now = Timestamp::from_ms(0);
        assert_eq!(ledger.order(10, 0, now), 10);
        ledger.made = 10;
        assert_eq!(ledger.order(10, 10, now.plus(MINUTE)), 0);
        assert_eq!(ledger.order(10, 7, now.plus(MINUTE * 2)), 3);
        assert_eq!(ledger.order(10, 7, now.plus(MINUTE * 2)), 0);
    }
}
