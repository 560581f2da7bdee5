//! The link pool: links made ahead of a sale as fast as Telegram allows, and taken by a request in its own answer.
//!
//! A slot (0 to target - 1) holds a pooled link, or a fill task asks for one; after a crash neither, until the audit
//! finds it. There is no counter and no estimate: the target is reached exactly, in whatever order calls return.

use super::id::ChatId;
use super::purchase::Chats;
use super::text::list;
use super::time::Timestamp;

/// Over how many partitions a chat's pool is spread. One partition takes 1,000 write units a second, and a link that is
/// taken costs two: this is for 16,000 orders a second, and takers rarely meet.
pub const SHARDS: u64 = 32;
/// The largest pool of one chat.
pub const TARGET_MAX: u64 = 100_000;
/// How many slots one audit looks at, about: a chat whose pool is smaller is looked at whole each minute.
const AUDITED: u64 = 1000;

/// A slot of a link pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotId {
    /// The chat by which its payments are known: it stays when the chat becomes a supergroup.
    pub pool: ChatId,
    /// Its number, from 0.
    pub number: u64,
}

impl SlotId {
    /// The shard that it lies in.
    #[must_use]
    pub const fn shard(&self) -> u64 {
        self.number % SHARDS
    }

    /// The sort key of its fill task: of one width, so that they stand in order.
    #[must_use]
    pub fn task_key(&self) -> String {
        format!("{:07}", self.number)
    }
}

/// How large the pool of a chat is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The chat by which its payments are known.
    pub pool: ChatId,
    /// How many links; more than 0.
    pub slots: u64,
}

impl Target {
    /// The shards that an audit in the minute of `now` looks at: all in turn, about 1,000 slots or one shard at a time.
    pub fn shards_to_audit(&self, now: Timestamp) -> impl Iterator<Item = u64> + use<> {
        let of_shard = self.slots.div_ceil(SHARDS).max(1);
        let count = (AUDITED / of_shard).clamp(1, SHARDS);
        let minute = u64::try_from(now.ms().div_euclid(60_000)).unwrap_or(0);
        let first = minute.wrapping_mul(count);
        (first..first + count).map(|shard| shard % SHARDS)
    }

    /// The slots of a shard.
    pub fn slots_of(&self, shard: u64) -> impl Iterator<Item = SlotId> + use<> {
        let (pool, slots) = (self.pool, self.slots);
        let numbers = (shard..slots).step_by(usize::try_from(SHARDS).unwrap_or(usize::MAX));
        numbers.map(move |number| SlotId { pool, number })
    }

    /// Whether the slot is one of those that are to hold a link.
    #[must_use]
    pub fn has(&self, slot: SlotId) -> bool {
        self.pool == slot.pool && slot.number < self.slots
    }
}

/// The chats that have a link pool.
#[derive(Clone, Debug, Default)]
pub struct Targets(Vec<Target>);

impl Targets {
    /// Reads a number for every chat of `chats`, or `chatId=number` pairs with commas between; `None` if it is neither, a
    /// number is too large, or a chat is not one of ours. Chats whose number is 0 have no pool.
    #[must_use]
    pub fn parse(text: &str, chats: &Chats) -> Option<Self> {
        let number = |text: &str| {
            let number: u64 = text.trim().parse().ok()?;
            (number <= TARGET_MAX).then_some(number)
        };
        let all: Vec<Target> = if text.contains('=') {
            let pairs = list(text).map(|pair| {
                let (chat, slots) = pair.split_once('=')?;
                let (_, pool) = chats.named(ChatId(chat.trim().parse().ok()?))?;
                let slots = number(slots)?;
                Some(Target { pool, slots })
            });
            pairs.collect::<Option<_>>()?
        } else {
            let slots = number(text)?;
            let all = chats.all().map(|(_, pool)| Target { pool, slots });
            all.collect()
        };
        Some(Self(
            all.into_iter().filter(|target| target.slots > 0).collect(),
        ))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Target> {
        self.0.iter()
    }

    /// Whether no chat has a pool.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The target of a chat, if it is to have a pool.
    #[must_use]
    pub fn of(&self, pool: ChatId) -> Option<Target> {
        self.0.iter().find(|target| target.pool == pool).copied()
    }

    /// Whether the slot is to hold a link.
    #[must_use]
    pub fn has(&self, slot: SlotId) -> bool {
        self.0.iter().any(|target| target.has(slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(text: &str) -> Option<Vec<(i64, u64)>> {
        let chats = Chats::parse("-1, -100=-2").unwrap();
        let targets = Targets::parse(text, &chats)?;
        let all = targets.0.iter();
        Some(all.map(|target| (target.pool.0, target.slots)).collect())
    }

    #[test]
    fn a_target_is_one_number_or_pairs() {
        assert_eq!(targets("0"), Some(vec![]));
        assert_eq!(targets(" 7 "), Some(vec![(-1, 7), (-2, 7)]));
        assert_eq!(targets("-1=5"), Some(vec![(-1, 5)]));
        let both = Some(vec![(-1, 5), (-2, 100_000)]);
        assert_eq!(targets("-1 = 5, -2=100000,"), both);
        assert_eq!(targets("-1 = 5, -100=100000,"), both);
        for wrong in [
            "", "x", "-5", "1.5", "100001", "-3=5", "-1=", "-1=x", "-1=5,6",
        ] {
            assert_eq!(targets(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_slot_lies_in_one_shard_and_every_shard_is_audited_in_turn() {
        for slots in [1, 31, 32, 200, 500, 10_000, 100_000] {
            let target = Target {
                pool: ChatId(-1),
                slots,
            };
            let mut all: Vec<u64> = (0..SHARDS)
                .flat_map(|shard| {
                    let of_shard = target.slots_of(shard);
                    of_shard.inspect(move |slot| assert_eq!(slot.shard(), shard))
                })
                .map(|slot| slot.number)
                .collect();
            all.sort_unstable();
            assert!(all.iter().copied().eq(0..slots));
            let mut audited: Vec<u64> = (0..SHARDS)
                .flat_map(|minute| {
                    let now = i64::try_from(minute * 60_000).unwrap();
                    target.shards_to_audit(Timestamp::from_ms(now))
                })
                .collect();
            audited.sort_unstable();
            audited.dedup();
            assert_eq!(audited.len() as u64, SHARDS, "{slots}");
        }
        let small = Target {
            pool: ChatId(-1),
            slots: 500,
        };
        assert_eq!(small.shards_to_audit(Timestamp::from_ms(0)).count(), 32);
    }
}
