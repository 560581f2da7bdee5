//! Whose turn it is in a group: people stand in a circle, and of those who wait within a class the next one goes first, counted from
//! the person who was served last.
//!
//! ```text
//! circle   7 . 9 . 8 .       7 was served: 9, 8, 7 are next, however much 7 has there
//! ```
//!
//! So nobody waits for more than one turn of each of the others, and what the next run must know is one number for each class of a group. Between classes
//! the more urgent one goes first, but for answers: each third message to a group may be one, however much people say there.

use std::collections::{BTreeMap, BTreeSet};

use super::super::id::ChatId;
use super::{Class, MessageId, MessageTask, TopicOwner};

/// What the next run must know of the turns in groups where others wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastTurns {
    /// Where in the circle somebody was served last, by group and class.
    pub places: BTreeMap<(ChatId, Class), u16>,
    /// How many messages of people each group got in a row.
    pub in_a_row: BTreeMap<ChatId, u32>,
}

/// After how many messages of people in a row an answer goes first.
const WORDS_IN_A_ROW: u32 = 2;

/// Who was served.
#[derive(Debug, Default)]
pub(super) struct Turns {
    last: LastTurns,
    /// The last message of each group and class.
    messages: BTreeMap<(ChatId, Class), MessageId>,
}

impl Turns {
    pub(super) const fn new(last: LastTurns) -> Self {
        Self {
            last,
            messages: BTreeMap::new(),
        }
    }

    /// Whether words of people are to let an answer to a group go first.
    pub(super) fn is_answers_turn(&self, chat: ChatId) -> bool {
        let in_a_row = self.last.in_a_row.get(&chat);
        in_a_row.is_some_and(|count| *count >= WORDS_IN_A_ROW)
    }

    /// How far a message is from its turn; what goes on with what was begun is next. Before anybody was served, all are alike.
    pub(super) fn distance(&self, task: &MessageTask) -> u32 {
        let key = (task.chat, task.class);
        let last = self.messages.get(&key);
        if last.is_some_and(|last| last.is_beside(&task.message)) {
            return 0;
        }
        let from = self.last.places.get(&key);
        from.map_or(0, |from| {
            let steps = place(task.turn_of()).wrapping_sub(*from).wrapping_sub(1);
            u32::from(steps).saturating_add(1)
        })
    }

    /// A message is out of its lane. Its person is next, if there is more of the same turn.
    pub(super) fn note(&mut self, task: &MessageTask, goes_on: bool) {
        let (key, place) = ((task.chat, task.class), place(task.turn_of()));
        let place = if goes_on {
            place.wrapping_sub(1)
        } else {
            place
        };
        self.last.places.insert(key, place);
        self.messages.insert(key, task.message.clone());
        let in_a_row = self.last.in_a_row.entry(task.chat).or_default();
        *in_a_row = match task.class {
            Class::Operator => in_a_row.saturating_add(1),
            Class::Transactional | Class::Reply | Class::Marketing => 0,
        };
    }

    /// What the next run must know, of the groups, and classes in them, in which others wait.
    pub(super) fn last(&self, waiting: &BTreeSet<(ChatId, Class)>) -> LastTurns {
        let mut last = self.last.clone();
        last.places.retain(|key, _| waiting.contains(key));
        let waits = |chat: &ChatId| waiting.iter().any(|(of, _)| of == chat);
        last.in_a_row
            .retain(|chat, count| *count > 0 && waits(chat));
        last
    }
}

/// The place of somebody in the circle, which does not tell who it is. Two people may have one, and its turns.
fn place(owner: Option<TopicOwner>) -> u16 {
    let id = match owner {
        Some(TopicOwner::Person(person)) => person.0.unsigned_abs(),
        Some(TopicOwner::Newcomers) | None => 0,
    };
    // Ids of one time are like each other; multiplied by this they lie evenly (D. Knuth, TAOCP 6.4).
    let spread = id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48;
    u16::try_from(spread).unwrap_or_default()
}

impl MessageId {
    /// Whether one cause asks for this message and for `other`, which is to stand beside it: their last words alone differ.
    #[must_use]
    pub fn is_beside(&self, other: &Self) -> bool {
        let cause = self.without_last_word();
        cause.is_some() && cause == other.without_last_word()
    }

    /// The message of this name that its cause asks for, too; nothing if its cause is one word.
    #[must_use]
    pub fn beside(&self, name: &str) -> Option<Self> {
        let rest = self.without_last_word()?;
        Some(Self(format!("{rest}#{name}")))
    }

    /// Nothing if its cause is one word.
    fn without_last_word(&self) -> Option<&str> {
        let (rest, _) = self.0.rsplit_once('#')?;
        rest.contains('#').then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::id::{BotId, TelegramUserId};
    use super::super::super::time::Timestamp;
    use super::super::{ChatPace, MessageLane, Outbox, OutboxPage, Step};
    use super::*;

    const BOT: BotId = BotId(7);
    const NOW: Timestamp = Timestamp::from_ms(1_763_640_000_000);
    const GROUP: ChatId = ChatId(-100);

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(NOW.ms() + ms)
    }

    /// A message to the group whose cause is `name`, `ms` from now.
    fn task(class: Class, ms: i64, name: &str) -> MessageTask {
        MessageTask {
            message: MessageId::new(at(ms), name),
            bot: BOT,
            chat: GROUP,
            class,
            not_before: None,
            not_after: None,
            owner: None,
            author: None,
            retry_at: None,
            attempts: 0,
            crashes: 0,
            last_error: None,
            trace: None,
        }
    }

    fn filled(mut outbox: Outbox, mut tasks: Vec<MessageTask>) -> Outbox {
        tasks.sort_by_key(MessageTask::key);
        let more_after = None;
        let page = OutboxPage { tasks, more_after };
        outbox.add(MessageLane::Group(BOT, GROUP), page);
        outbox
    }

    fn outbox(tasks: Vec<MessageTask>) -> Outbox {
        filled(Outbox::default(), tasks)
    }

    /// The next message, which is sent.
    fn sent(outbox: &mut Outbox) -> Option<String> {
        let Step::Send(task) = outbox.next(&ChatPace::default(), NOW, NOW) else {
            return None;
        };
        outbox.served(&task);
        let (_, name) = task.message.as_str().split_once('#')?;
        Some(name.to_owned())
    }

    /// What is sent, in order, by a bot whose calls take no time to a group that has no limit of its own.
    fn order(outbox: &mut Outbox) -> Vec<String> {
        std::iter::from_fn(|| sent(outbox)).collect()
    }

    #[test]
    fn what_one_cause_asks_for_stands_together() {
        let id = |text: &str| text.parse::<MessageId>().unwrap();
        for (one, other, is_beside) in [
            (
                "1763640000000#relay#000000000009#0head",
                "1763640000000#relay#000000000009#1",
                true,
            ),
            (
                "1763640000000#relay#000000000009#1",
                "1763640000000#relay#000000000010#1",
                false,
            ),
            (
                "1763640000000#relay#000000000009#1",
                "1763640001000#relay#000000000009#1",
                false,
            ),
            // These have nothing in common but the time.
            ("1763640000000#7", "1763640000000#8", false),
        ] {
            assert_eq!(id(one).is_beside(&id(other)), is_beside, "{one} {other}");
        }
    }

    #[test]
    fn in_a_group_people_take_turns_and_nobody_waits_behind_the_flood_of_one() {
        let in_topic = |person, ms, name: &str| MessageTask {
            owner: Some(TopicOwner::Person(TelegramUserId(person))),
            ..task(Class::Operator, ms, name)
        };
        let flood = (0..5_i64).map(|n| in_topic(7, n - 100, &format!("a{n}")));
        let mut all: Vec<MessageTask> = flood.collect();
        all.extend([in_topic(8, -20, "b0"), in_topic(8, -19, "b1")]);
        all.extend([in_topic(9, -10, "c0"), task(Class::Operator, -5, "d0")]);
        all.push(MessageTask {
            class: Class::Reply,
            ..in_topic(9, -200, "a line")
        });
        let mut all = outbox(all);
        let expected = [
            "a0", "c0", "a line", "b0", "d0", "a1", "b1", "a2", "a3", "a4",
        ];
        assert_eq!(order(&mut all), expected);
        // Nobody waits: the next run need not know anything.
        assert_eq!(all.turns(), LastTurns::default());
        // Who comes meanwhile is next, also in the next run.
        let waiting = || vec![in_topic(7, -90, "a5"), in_topic(7, -80, "a6")];
        let mut first = outbox(waiting());
        assert_eq!(sent(&mut first).as_deref(), Some("a5"));
        let mut tasks = waiting().split_off(1);
        tasks.push(in_topic(10, -1, "e0"));
        let mut next = filled(Outbox::new(first.turns()), tasks);
        assert_eq!(order(&mut next), ["e0", "a6"]);
    }

    #[test]
    fn where_new_people_share_a_topic_each_has_a_turn_and_nothing_comes_between_a_name_and_its_words()
     {
        let by = |person, ms, name: &str| MessageTask {
            owner: Some(TopicOwner::Newcomers),
            author: Some(TelegramUserId(person)),
            ..task(Class::Operator, ms, name)
        };
        let all = |copy_waits: bool| {
            let mut first = by(1, -50, "u1#1");
            first.retry_at = copy_waits.then_some(at(5000));
            outbox(vec![
                by(1, -50, "u1#0head"),
                first,
                by(1, -40, "u2#0head"),
                by(1, -40, "u2#1"),
                by(2, -30, "u3#0head"),
                by(2, -30, "u3#1"),
                task(Class::Operator, -5, "other"),
            ])
        };
        let expected = [
            "u1#0head", "u1#1", "other", "u3#0head", "u3#1", "u2#0head", "u2#1",
        ];
        assert_eq!(order(&mut all(false)), expected);
        assert_eq!(order(&mut all(true)), ["other"]);
    }

    #[test]
    fn an_answer_has_its_turn_however_few_messages_a_run_sends() {
        let in_topic = |person, ms, name: &str| MessageTask {
            owner: Some(TopicOwner::Person(TelegramUserId(person))),
            ..task(Class::Operator, ms, name)
        };
        let mut waiting = vec![MessageTask {
            class: Class::Reply,
            ..in_topic(9, -1, "an answer")
        }];
        let all = (0..6_i64).map(|n| in_topic(n, n - 100, &format!("words {n}")));
        waiting.extend(all);
        // Each run sends one message, and knows what the one before it left.
        let (mut turns, mut sent_by_all) = (LastTurns::default(), Vec::new());
        for _ in 0..4 {
            let mut run = filled(Outbox::new(turns), waiting.clone());
            let name = sent(&mut run).unwrap();
            waiting.retain(|task| !task.message.as_str().ends_with(&name));
            turns = run.turns();
            sent_by_all.push(name);
        }
        let place = sent_by_all.iter().position(|name| name == "an answer");
        assert_eq!(place, Some(2), "{sent_by_all:?}");
        // Where nobody waits nothing is kept.
        let mut last = filled(Outbox::new(turns), vec![in_topic(1, 0, "last")]);
        assert!(sent(&mut last).is_some());
        assert_eq!(last.turns(), LastTurns::default());
    }

    #[test]
    fn the_lane_of_a_group_is_read_on_before_turns_are_given_but_not_without_end() {
        let in_topic = |person: i64, n: i64| MessageTask {
            owner: Some(TopicOwner::Person(TelegramUserId(person))),
            ..task(Class::Operator, n - 9000, &format!("{person} {n}"))
        };
        let page = |from: i64, until: i64, person| OutboxPage {
            tasks: (from..until).map(|n| in_topic(person, n)).collect(),
            more_after: Some(until.to_string()),
        };
        let lane = MessageLane::Group(BOT, GROUP);
        let mut outbox = Outbox::new(LastTurns {
            places: [(
                (GROUP, Class::Operator),
                place(Some(TopicOwner::Person(TelegramUserId(1)))),
            )]
            .into(),
            ..LastTurns::default()
        });
        outbox.add(lane, page(0, 25, 1));
        let (mut reads, mut read_to) = (0, 25);
        let first = loop {
            match outbox.next(&ChatPace::default(), NOW, NOW) {
                Step::Read(of, after) => {
                    assert_eq!((of, after), (lane, read_to.to_string()));
                    reads += 1;
                    // Behind the flood of one stands another one.
                    outbox.add(
                        lane,
                        page(read_to, read_to + 100, if reads == 4 { 2 } else { 1 }),
                    );
                    read_to += 100;
                }
                Step::Send(task) => break task,
                step => panic!("{step:?}"),
            }
        };
        assert_eq!(
            (reads, first.turn_of()),
            (4, Some(TopicOwner::Person(TelegramUserId(2))))
        );
        // Of those that were read none may leave: it is read on.
        outbox.reset();
        let mut waiting = page(0, 425, 1);
        for task in &mut waiting.tasks {
            task.retry_at = Some(at(5000));
        }
        outbox.add(lane, waiting);
        let read = outbox.next(&ChatPace::default(), NOW, NOW);
        assert_eq!(read, Step::Read(lane, "425".to_owned()));
        // While the group may not be written to, nothing is read.
        let mut pace = ChatPace::default();
        pace.take(GROUP, NOW);
        outbox.reset();
        outbox.add(lane, page(0, 25, 1));
        assert!(matches!(outbox.next(&pace, NOW, NOW), Step::Wait(_)));
    }
}
