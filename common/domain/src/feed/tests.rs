use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::super::id::ChatId;
use super::*;

const NOW: Timestamp = Timestamp::from_ms(1_763_640_000_000);
const RETENTION: Duration = Duration::from_secs(48 * 3600);

fn actor(name: &str, role: ActorRole) -> Actor {
    Actor {
        name: name.parse().unwrap(),
        role,
        chats: BTreeSet::new(),
        rate: 5,
        expires_at: None,
        created_at: NOW,
        cursor: FeedSeq(0),
        allowed_updates: None,
        poll: None,
        asked_offset: None,
    }
}

fn update(kind: &str, topic: FeedTopic) -> FeedUpdate {
    FeedUpdate {
        kind: kind.to_owned(),
        topic,
        sent_by: None,
        body: "{}".to_owned(),
    }
}

fn item(seq: i32, at: Timestamp) -> FeedItem {
    FeedItem {
        seq: FeedSeq(seq),
        at,
        update: Some(update("message", FeedTopic::Talk)),
    }
}

fn seqs(walked: &FeedWalk<'_>) -> Vec<i32> {
    walked.updates.iter().map(|(seq, _)| seq.0).collect()
}

#[test]
fn an_offset_confirms_what_is_below_it() {
    let start = |offset| poll_start(offset, FeedSeq(10), FeedSeq(20));
    for (offset, expected) in [
        (0, PollStart::After(FeedSeq(10))),
        (5, PollStart::After(FeedSeq(10))),
        (11, PollStart::After(FeedSeq(10))),
        (15, PollStart::After(FeedSeq(14))),
        (21, PollStart::After(FeedSeq(20))),
        // Of another bot, or of this one before it was asked here.
        (22, PollStart::After(FeedSeq(10))),
        (874_000_001, PollStart::After(FeedSeq(10))),
        (i64::MAX, PollStart::After(FeedSeq(10))),
        (-1, PollStart::Last(1)),
        (-7, PollStart::Last(7)),
        (i64::MIN, PollStart::Last(100)),
    ] {
        assert_eq!(start(offset), expected, "{offset}");
    }
}

#[test]
fn a_negative_offset_leaves_the_last_ones_that_the_actor_sees() {
    let crm = actor("crm", ActorRole::Operator);
    let mut items: Vec<FeedItem> = (1..=6).rev().map(|seq| item(seq, NOW)).collect();
    items[0].update = Some(update("chat_join_request", FeedTopic::Backend));
    items[2].update = None;
    let before = |count, floor| before_last(&crm, &items, count, FeedSeq(floor), RETENTION, NOW);
    assert_eq!(before(1, 0), FeedSeq(4), "5 is the last that it sees");
    assert_eq!(before(2, 0), FeedSeq(2), "3 is before it");
    assert_eq!(before(2, 3), FeedSeq(3), "what is confirmed stays so");
    assert_eq!(before(100, 0), FeedSeq(0));
    assert_eq!(before(100, 1), FeedSeq(1));
}

#[test]
fn a_gap_is_waited_for_and_then_buried_and_later_forgotten() {
    let crm = actor("crm", ActorRole::Operator);
    let items = [item(1, NOW), item(4, NOW), item(5, NOW)];
    let at = |seconds| {
        let now = NOW.plus(Duration::from_secs(seconds));
        walk(&crm, FeedSeq(0), &items, 100, RETENTION, now)
    };
    for seconds in [0, 14] {
        let walked = at(seconds);
        assert_eq!((seqs(&walked), walked.position), (vec![1], FeedSeq(1)));
        assert_eq!(walked.missing, None, "{seconds}");
    }
    let walked = at(15);
    assert_eq!((seqs(&walked), walked.missing), (vec![1], Some(2..=3)));
    let walked = at(3600);
    assert_eq!((seqs(&walked), walked.missing), (vec![1, 4, 5], None));
    assert_eq!(walked.position, FeedSeq(5));
    assert!(seqs(&at(48 * 3600)).is_empty(), "they have ended");
    assert_eq!(at(48 * 3600).position, FeedSeq(5));
}

#[test]
fn a_wide_gap_is_buried_in_steps() {
    let crm = actor("crm", ActorRole::Operator);
    let items = [item(1000, NOW)];
    let now = NOW.plus(TOMBSTONE_AFTER);
    let walked = walk(&crm, FeedSeq(0), &items, 100, RETENTION, now);
    assert_eq!(walked.missing, Some(1..=50));
}

#[test]
fn a_page_is_no_longer_than_its_limit_and_what_is_not_seen_does_not_count() {
    let crm = actor("crm", ActorRole::Operator);
    let mut items: Vec<FeedItem> = (1..=10).map(|seq| item(seq, NOW)).collect();
    items[1].update = Some(update("chat_join_request", FeedTopic::Backend));
    let walked = walk(&crm, FeedSeq(0), &items, 3, RETENTION, NOW);
    assert_eq!(
        (seqs(&walked), walked.position),
        (vec![1, 3, 4], FeedSeq(4))
    );
}

#[test]
fn each_role_sees_what_is_its_own() {
    let (backend, operator) = (
        actor("shop", ActorRole::Backend),
        actor("desk", ActorRole::Operator),
    );
    let aggregator = actor("ads", ActorRole::Aggregator);
    let mut named = operator.clone();
    named.chats.insert(ChatId(-5));
    let mut pressed = update("callback_query", FeedTopic::Press);
    pressed.sent_by = Some(operator.mark());
    let press_of_others = update("callback_query", FeedTopic::Press);
    let group = update("message", FeedTopic::Group(ChatId(-5)));
    let request = update("chat_join_request", FeedTopic::Backend);
    let talk = update("edited_message", FeedTopic::Talk);
    for (update, sees) in [
        (&talk, [true, true, true, false]),
        (&pressed, [true, true, true, false]),
        (&press_of_others, [true, false, false, false]),
        (&group, [false, false, true, false]),
        (&request, [true, false, false, false]),
    ] {
        let all = [&backend, &operator, &named, &aggregator];
        assert_eq!(all.map(|actor| update.is_for(actor)), sees, "{update:?}");
    }
}

#[test]
fn an_actor_gets_the_kinds_that_it_asks_for() {
    let mut shop = actor("shop", ActorRole::Backend);
    let joined = update("chat_member", FeedTopic::Backend);
    let talk = update("message", FeedTopic::Talk);
    assert!(!joined.is_for(&shop) && talk.is_for(&shop));
    shop.allowed_updates = Some(BTreeSet::new());
    assert!(!joined.is_for(&shop) && talk.is_for(&shop));
    shop.allowed_updates = Some(BTreeSet::from(["chat_member".to_owned()]));
    assert!(joined.is_for(&shop) && !talk.is_for(&shop));
}

/// A small generator of numbers, the same ones for the same seed.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Writers that take numbers and write late, out of order or never, and readers of their own pace: each reader sees each
/// update that was written, once and in order, and none stands still for longer than it must.
#[test]
fn no_reader_misses_an_update_or_sees_one_twice_whatever_commits_out_of_order() {
    for seed in 1..=400 {
        play(seed);
    }
}

struct PlayedReader {
    actor: Actor,
    seen: Vec<String>,
}

fn play(seed: u64) {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
    let mut table: BTreeMap<i32, FeedItem> = BTreeMap::new();
    let (mut head, mut now, mut next_update) = (0, NOW, 0);
    // Numbers that were taken, with the update that is to stand there.
    let mut writers: Vec<(i32, String)> = Vec::new();
    let mut written = BTreeSet::new();
    let reader = |name: &str| PlayedReader {
        actor: actor(name, ActorRole::Operator),
        seen: Vec::new(),
    };
    let mut readers = [reader("a"), reader("b"), reader("c")];
    for step in 0..400 {
        // In the end all that are left die, and the readers get through.
        let roll = if step < 300 { dice.throw(10) } else { 7 };
        match roll {
            0..=3 => {
                head += 1;
                next_update += 1;
                writers.push((head, format!("u{next_update}")));
            }
            4..=5 if !writers.is_empty() => {
                let which = usize::try_from(dice.throw(writers.len() as u64)).unwrap();
                let (seq, body) = writers.swap_remove(which);
                match table.entry(seq) {
                    Entry::Occupied(_) => {
                        head += 1;
                        writers.push((head, body));
                    }
                    Entry::Vacant(vacant) => {
                        let mut written_item = item(seq, now);
                        written_item.update.as_mut().unwrap().body.clone_from(&body);
                        vacant.insert(written_item);
                        written.insert(body);
                    }
                }
            }
            6 if !writers.is_empty() => {
                let which = usize::try_from(dice.throw(writers.len() as u64)).unwrap();
                writers.swap_remove(which);
            }
            _ => now = now.plus(Duration::from_secs(dice.throw(9))),
        }
        let which = usize::try_from(dice.throw(3)).unwrap();
        read(&mut readers[which], &mut table, head, now, dice.throw(3));
    }
    now = now.plus(TOMBSTONE_AFTER);
    for reader in &mut readers {
        for _ in 0..600 {
            read(reader, &mut table, head, now, 0);
        }
        let seen: BTreeSet<String> = reader.seen.iter().cloned().collect();
        assert_eq!(seen.len(), reader.seen.len(), "twice, seed {seed}");
        assert_eq!(seen, written, "missed, seed {seed}");
    }
    let [a, b, c] = &readers;
    assert!(
        a.seen == b.seen && b.seen == c.seen,
        "one order, seed {seed}"
    );
}

/// Polls once: confirms what was seen, reads on, puts tombstones. Now and then what was read is lost on the way, and is
/// asked for again.
fn read(
    reader: &mut PlayedReader,
    table: &mut BTreeMap<i32, FeedItem>,
    head: i32,
    now: Timestamp,
    luck: u64,
) {
    let cursor = reader.actor.cursor;
    let items: Vec<FeedItem> = table
        .range(cursor.0 + 1..)
        .map(|(_, item)| item.clone())
        .collect();
    let walked = walk(&reader.actor, cursor, &items, 3, RETENTION, now);
    if let Some(missing) = walked.missing {
        for seq in missing {
            table.entry(seq).or_insert_with(|| FeedItem {
                update: None,
                ..item(seq, now)
            });
        }
    }
    if luck == 1 {
        return;
    }
    let last = walked.updates.last().map(|(seq, _)| *seq);
    let seen = walked.updates.iter().map(|(_, update)| update.body.clone());
    reader.seen.extend(seen);
    // What is not seen need not be confirmed, and is read again; what is seen is confirmed by the next offset.
    if let Some(last) = last {
        let start = poll_start(i64::from(last.0) + 1, cursor, FeedSeq(head));
        assert_eq!(start, PollStart::After(last));
        reader.actor.cursor = last;
    } else {
        reader.actor.cursor = walked.position;
    }
}
