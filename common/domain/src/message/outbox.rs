//! What one look showed of a bot's lanes, and which message of it is next.
//!
//! Classes are served in their order. Within a class the oldest message goes first whose chat may be written to now; one
//! person's messages of a class keep their order, whatever becomes of them, and hold up nobody else's, and so do those in one
//! person's topic of a group:
//!
//! ```text
//! lane   A1  A2  A3  B1  C1        A was written to just now: B1 is next
//!        A1  A2  A3      C1        then C1, or A1 when its second is over
//! ```
//!
//! In a group, which is one chat, people take turns within a class. What one update asks for is one turn.
//!
//! ```text
//! group  A1  A2  A3  B1  C1        A1, B1, C1, A2, A3
//! ```

use std::collections::{BTreeMap, HashSet, VecDeque};

use super::super::id::ChatId;
use super::super::time::Timestamp;
use super::lane::is_group;
use super::turns::{LastTurns, Turns};
use super::{ChatPace, Class, MessageKey, MessageLane, MessageTask, TopicOwner};

/// So many tasks of a group are read before it is told whose turn it is, since each may be of somebody else, or more urgent. Those
/// beyond have no turn yet, unless none of these may leave.
const GROUP_READ_MAX: usize = 400;

/// A part of a lane, in order.
#[derive(Debug, Default)]
pub struct OutboxPage {
    /// What stands there.
    pub tasks: Vec<MessageTask>,
    /// The last place, if the lane goes on.
    pub more_after: Option<String>,
}

/// The part of a lane that was read.
#[derive(Debug, Default)]
struct Buffer {
    tasks: VecDeque<MessageTask>,
    more_after: Option<String>,
}

/// What is to be done next.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// This lane is to be read on behind the place, before anything less urgent is begun.
    Read(MessageLane, String),
    /// This message is to be sent.
    Send(Box<MessageTask>),
    /// The time of this message is over.
    Drop(Box<MessageTask>),
    /// There are messages that are due, and none may leave before then; or another one comes due then.
    Wait(Timestamp),
    /// Nothing is due, as far as was read.
    Nothing,
}

/// The lanes of a bot, as one look showed them.
#[derive(Debug, Default)]
pub struct Outbox {
    lanes: BTreeMap<MessageLane, Buffer>,
    /// What is being sent, by chat: at most one message to each.
    under_way: BTreeMap<ChatId, MessageKey>,
    /// Who was served in groups.
    turns: Turns,
}

/// What became of the search in one lane.
#[derive(Default)]
struct Search {
    /// The place of the message that may leave, and how far it is from its turn.
    found: Option<(usize, u32)>,
    /// When the first message that is due may leave whose chat may not be written to yet.
    wait: Option<Timestamp>,
}

impl Outbox {
    /// Of a run that begins, as the last one left the turns.
    #[must_use]
    pub fn new(turns: LastTurns) -> Self {
        let turns = Turns::new(turns);
        Self {
            turns,
            ..Self::default()
        }
    }

    /// Forgets what was read; what is under way stays so.
    pub fn reset(&mut self) {
        self.lanes.clear();
    }

    /// Takes in a page of a lane.
    pub fn add(&mut self, lane: MessageLane, page: OutboxPage) {
        let buffer = self.lanes.entry(lane).or_default();
        // What is under way lies in its lane until it is settled.
        let under_way = &self.under_way;
        let is_idle = |task: &MessageTask| under_way.get(&task.chat) != Some(&task.key());
        let tasks = page.tasks.into_iter();
        buffer.tasks.extend(tasks.filter(is_idle));
        buffer.more_after = page.more_after;
    }

    /// A message is being sent: none to its chat is begun meanwhile.
    pub fn begin(&mut self, task: &MessageTask) {
        self.under_way.insert(task.chat, task.key());
    }

    /// It is out of its lane: the others who wait in its group go first.
    pub fn served(&mut self, task: &MessageTask) {
        if !is_group(task.chat) {
            return;
        }
        let buffer = self.lanes.get(&task.key().lane);
        let mut others = buffer.into_iter().flat_map(|buffer| &buffer.tasks);
        let goes_on = others.any(|other| {
            other.class == task.class
                && other.turn_of() == task.turn_of()
                && other.message.is_beside(&task.message)
        });
        self.turns.note(task, goes_on);
    }

    /// Whose turns the next run must know.
    #[must_use]
    pub fn turns(&self) -> LastTurns {
        let tasks = self.lanes.values().flat_map(|buffer| &buffer.tasks);
        let of_groups = tasks.filter(|task| is_group(task.chat));
        self.turns
            .last(&of_groups.map(|task| (task.chat, task.class)).collect())
    }

    /// It is over, or put off.
    pub fn end(&mut self, task: &MessageTask) {
        self.under_way.remove(&task.chat);
    }

    /// A message was settled with another one.
    pub fn forget(&mut self, key: &MessageKey) {
        if let Some(buffer) = self.lanes.get_mut(&key.lane) {
            buffer.tasks.retain(|task| task.key() != *key);
        }
    }

    /// Puts a message back in its place.
    pub fn give_back(&mut self, task: MessageTask) {
        let key = task.key();
        let tasks = &mut self.lanes.entry(key.lane).or_default().tasks;
        let place = tasks.partition_point(|other| other.key().place < key.place);
        tasks.insert(place, task);
    }

    /// When the first message comes due that is not yet, as far as was read.
    #[must_use]
    pub fn later(&self, now: Timestamp) -> Option<Timestamp> {
        let tasks = self.lanes.values().flat_map(|buffer| &buffer.tasks);
        let waiting = tasks.filter(|task| !task.is_due(now));
        waiting
            .filter_map(|task| task.not_before.max(task.retry_at))
            .min()
    }

    /// Chooses the next message at `now`, for a bot that may send at `bot_free_at`.
    pub fn next(&mut self, pace: &ChatPace, bot_free_at: Timestamp, now: Timestamp) -> Step {
        if let Some(task) = self.take_expired(now) {
            return Step::Drop(Box::new(task));
        }
        let mut wait: Option<Timestamp> = None;
        let mut beyond = None;
        for class in Class::ALL {
            let mut oldest: Option<(&str, MessageLane, usize)> = None;
            for (lane, buffer) in self.lanes.iter().filter(|(lane, _)| lane.may_hold(class)) {
                let search = match self.yields(*lane, buffer, class, pace, now) {
                    true => continue,
                    false => self.search(buffer, class, pace, now),
                };
                if let Some((at, _)) = search.found {
                    let id = buffer
                        .tasks
                        .get(at)
                        .map_or("", |task| task.message.as_str());
                    if oldest.is_none_or(|(known, _, _)| id < known) {
                        oldest = Some((id, *lane, at));
                    }
                } else if let Some(after) = &buffer.more_after {
                    let MessageLane::Group(_, chat) = lane else {
                        return Step::Read(*lane, after.clone());
                    };
                    // Whatever else lies there is to the same chat, and may not leave yet either.
                    match pace.free_at(*chat, now) {
                        at if at > now => wait = Some(wait.map_or(at, |known| known.min(at))),
                        _ if self.under_way.contains_key(chat) => {}
                        _ if buffer.tasks.len() >= GROUP_READ_MAX => {
                            beyond = Some((*lane, after.clone()));
                        }
                        _ => return Step::Read(*lane, after.clone()),
                    }
                }
                wait = [wait, search.wait].into_iter().flatten().min();
            }
            let Some((_, lane, at)) = oldest else {
                continue;
            };
            if bot_free_at > now {
                return Step::Wait(bot_free_at);
            }
            let buffer = self.lanes.get_mut(&lane);
            if let Some(task) = buffer.and_then(|buffer| buffer.tasks.remove(at)) {
                return Step::Send(Box::new(task));
            }
        }
        if let Some((lane, after)) = beyond {
            return Step::Read(lane, after);
        }
        // What comes due before then may be to a chat that may be written to.
        let first = wait.map(|at| self.later(now).map_or(at, |later| later.min(at)));
        first.map_or(Step::Nothing, |at| Step::Wait(at.max(bot_free_at)))
    }

    fn take_expired(&mut self, now: Timestamp) -> Option<MessageTask> {
        let under_way = &self.under_way;
        self.lanes.values_mut().find_map(|buffer| {
            let at = buffer
                .tasks
                .iter()
                .position(|task| task.is_expired(now) && !under_way.contains_key(&task.chat))?;
            buffer.tasks.remove(at)
        })
    }

    /// Whether what people say in a group lets an answer go first.
    fn yields(
        &self,
        lane: MessageLane,
        buffer: &Buffer,
        class: Class,
        pace: &ChatPace,
        now: Timestamp,
    ) -> bool {
        let MessageLane::Group(_, chat) = lane else {
            return false;
        };
        let answer = || self.search(buffer, Class::Reply, pace, now).found;
        class == Class::Operator && self.turns.is_answers_turn(chat) && answer().is_some()
    }

    /// The message of a class in a lane that may leave next: it is due, none before it to its chat and of its person waits, and
    /// its chat may be written to. That is the first one, but in a group, where people take turns.
    fn search(&self, buffer: &Buffer, class: Class, pace: &ChatPace, now: Timestamp) -> Search {
        let mut search = Search::default();
        let waits = |task: &MessageTask| task.retry_at.is_some_and(|at| at > now);
        // Whose words they are is said above them, so nothing of others may come between. After a longer wait it is said again.
        let is_shared = |task: &MessageTask| task.owner == Some(TopicOwner::Newcomers);
        let mut of_class = buffer.tasks.iter().filter(|task| task.class == class);
        let is_shared_held = of_class.any(|task| is_shared(task) && task.waits_shortly(now));
        let mut held: HashSet<(ChatId, Option<TopicOwner>)> = HashSet::new();
        for (at, task) in buffer.tasks.iter().enumerate() {
            if task.class != class || held.contains(&(task.chat, task.turn_of())) {
                continue;
            }
            if task.not_before.is_some_and(|at| at > now) {
                continue;
            }
            held.insert((task.chat, task.turn_of()));
            if self.under_way.contains_key(&task.chat)
                || waits(task)
                || (is_shared(task) && is_shared_held)
            {
                continue;
            }
            let free_at = pace.free_at(task.chat, now);
            if free_at > now {
                search.wait = Some(search.wait.map_or(free_at, |known| known.min(free_at)));
                continue;
            }
            let distance = match is_group(task.chat) {
                true => self.turns.distance(task),
                false => 0,
            };
            if search.found.is_none_or(|(_, known)| distance < known) {
                search.found = Some((at, distance));
            }
            if distance == 0 {
                return search;
            }
        }
        search
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::id::{BotId, TelegramUserId};
    use super::super::MessageId;
    use super::*;

    const BOT: BotId = BotId(7);
    const NOW: Timestamp = Timestamp::from_ms(1_763_640_000_000);
    const GROUP: i64 = -100;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(NOW.ms() + ms)
    }

    /// A message whose cause is `name`, `ms` from now.
    fn task(class: Class, chat: i64, ms: i64, name: &str) -> MessageTask {
        MessageTask {
            message: MessageId::new(at(ms), name),
            bot: BOT,
            chat: ChatId(chat),
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

    fn outbox(tasks: Vec<MessageTask>) -> Outbox {
        let mut outbox = Outbox::default();
        let mut by_lane: BTreeMap<MessageLane, Vec<MessageTask>> = BTreeMap::new();
        for task in tasks {
            by_lane.entry(task.key().lane).or_default().push(task);
        }
        for (lane, mut tasks) in by_lane {
            tasks.sort_by_key(MessageTask::key);
            let more_after = None;
            outbox.add(lane, OutboxPage { tasks, more_after });
        }
        outbox
    }

    fn name(task: &MessageTask) -> String {
        let text = task.message.as_str();
        text.split_once('#').unwrap().1.to_owned()
    }

    /// What is sent, in order, by a bot whose calls take no time and whose chats have no limit of their own.
    fn order(outbox: &mut Outbox) -> Vec<String> {
        let mut order = Vec::new();
        while let Step::Send(task) = outbox.next(&ChatPace::default(), NOW, NOW) {
            order.push(name(&task));
            outbox.served(&task);
        }
        order
    }

    #[test]
    fn classes_go_in_order_and_within_one_the_oldest_first() {
        let mut all = outbox(vec![
            task(Class::Marketing, 1, -9000, "offer"),
            task(Class::Reply, 2, -8000, "help"),
            task(Class::Operator, 3, -2000, "hello"),
            task(Class::Operator, GROUP, -3000, "in the group"),
            task(Class::Transactional, 12, -10, "receipt 2"),
            task(Class::Transactional, 4, -20, "receipt 1"),
        ]);
        let expected = [
            "receipt 1",
            "receipt 2",
            "in the group",
            "hello",
            "help",
            "offer",
        ];
        assert_eq!(order(&mut all), expected);
    }

    #[test]
    fn a_flood_of_one_person_delays_nobody_behind_it() {
        // 8 and 16 are of one shard.
        let mut tasks: Vec<MessageTask> = (0..20_i32)
            .map(|n| task(Class::Operator, 8, i64::from(n) - 100, &n.to_string()))
            .collect();
        tasks.push(task(Class::Operator, 16, -1, "other"));
        let (mut outbox, mut pace) = (outbox(tasks), ChatPace::default());
        let Step::Send(first) = outbox.next(&pace, NOW, NOW) else {
            panic!("something is due")
        };
        assert_eq!(name(&first), "0");
        pace.take(first.chat, NOW);
        outbox.begin(&first);
        let next = outbox.next(&pace, NOW, NOW);
        assert!(
            matches!(&next, Step::Send(task) if name(task) == "other"),
            "{next:?}"
        );
        outbox.end(&first);
        let wait = outbox.next(&pace, NOW, NOW);
        assert_eq!(wait, Step::Wait(NOW.plus(Duration::from_secs(1))));
    }

    #[test]
    fn one_that_is_tried_again_later_holds_up_what_follows_it_to_its_chat_alone() {
        let mut failed = task(Class::Transactional, 8, -30, "failed");
        failed.retry_at = Some(at(5000));
        let scheduled = MessageTask {
            not_before: Some(at(9000)),
            ..task(Class::Transactional, 16, -29, "scheduled")
        };
        let mut all = outbox(vec![
            failed,
            scheduled,
            task(Class::Transactional, 8, -20, "behind it"),
            task(
                Class::Transactional,
                16,
                -10,
                "not behind what is scheduled",
            ),
            task(Class::Reply, 8, -5, "of another class"),
        ]);
        let expected = ["not behind what is scheduled", "of another class"];
        assert_eq!(order(&mut all), expected);
        assert_eq!(all.later(NOW), Some(at(5000)));
    }

    #[test]
    fn a_chat_that_waits_long_delays_nobody_elses_next_try() {
        let mut failed = task(Class::Transactional, 8, -30, "failed");
        failed.retry_at = Some(at(5000));
        let waiting = task(Class::Operator, GROUP, -20, "waiting");
        let mut pace = ChatPace::default();
        pace.pause(ChatId(GROUP), at(60_000));
        let mut all = outbox(vec![failed, waiting]);
        assert_eq!(all.next(&pace, NOW, NOW), Step::Wait(at(5000)));
        // The bot itself may have to wait.
        assert_eq!(all.next(&pace, at(7000), NOW), Step::Wait(at(7000)));
        let next = all.next(&pace, NOW, at(5000));
        assert!(
            matches!(&next, Step::Send(task) if name(task) == "failed"),
            "{next:?}"
        );
        assert_eq!(all.next(&pace, NOW, at(5000)), Step::Wait(at(60_000)));
    }

    #[test]
    fn one_that_is_tried_again_later_holds_up_in_a_group_what_is_said_in_the_same_topic_alone() {
        let in_topic = |person, ms, name| MessageTask {
            owner: Some(TopicOwner::Person(TelegramUserId(person))),
            ..task(Class::Operator, GROUP, ms, name)
        };
        let failed = MessageTask {
            retry_at: Some(at(5000)),
            ..in_topic(7, -30, "failed")
        };
        let mut all = outbox(vec![
            failed,
            in_topic(7, -20, "behind it"),
            in_topic(8, -10, "of somebody else"),
            task(Class::Operator, GROUP, -5, "in no topic"),
        ]);
        assert_eq!(order(&mut all), ["of somebody else", "in no topic"]);
        // One at a time, whose ever it is.
        let mut all = outbox(vec![in_topic(7, -20, "one"), in_topic(8, -10, "two")]);
        let Step::Send(begun) = all.next(&ChatPace::default(), NOW, NOW) else {
            panic!("something is due")
        };
        all.begin(&begun);
        assert_eq!(all.next(&ChatPace::default(), NOW, NOW), Step::Nothing);
    }

    #[test]
    fn a_group_is_not_read_on_while_nothing_may_leave_to_it() {
        let lane = MessageLane::Group(BOT, ChatId(GROUP));
        let page = || OutboxPage {
            tasks: vec![task(Class::Operator, GROUP, -9, "backlog")],
            more_after: Some("k".to_owned()),
        };
        let receipt = || vec![task(Class::Transactional, 8, -1, "receipt")];
        let mut pace = ChatPace::default();
        pace.take(ChatId(GROUP), NOW);
        let mut all = outbox(receipt());
        all.add(lane, page());
        let next = all.next(&pace, NOW, NOW);
        assert!(
            matches!(&next, Step::Send(task) if name(task) == "receipt"),
            "{next:?}"
        );
        let free_at = pace.free_at(ChatId(GROUP), NOW);
        assert_eq!(all.next(&pace, NOW, NOW), Step::Wait(free_at));
        assert_eq!(
            all.next(&pace, NOW, free_at),
            Step::Read(lane, "k".to_owned())
        );
    }

    #[test]
    fn a_lane_whose_page_may_not_leave_is_read_on_before_what_is_less_urgent() {
        let mut all = outbox(vec![task(Class::Marketing, 1, -9, "offer")]);
        let lane = MessageLane::of(BOT, ChatId(8), Class::Operator);
        let (mut pace, more) = (ChatPace::default(), Some("k".to_owned()));
        pace.take(ChatId(8), NOW);
        let page = OutboxPage {
            tasks: vec![task(Class::Operator, 8, -9, "flood")],
            more_after: more,
        };
        all.add(lane, page);
        assert_eq!(all.next(&pace, NOW, NOW), Step::Read(lane, "k".to_owned()));
        all.add(lane, OutboxPage::default());
        let next = all.next(&pace, NOW, NOW);
        assert!(
            matches!(&next, Step::Send(task) if name(task) == "offer"),
            "{next:?}"
        );
    }

    #[test]
    fn what_is_no_longer_worth_sending_is_dropped_whoever_waits() {
        let mut late = task(Class::Reply, 8, -900_000, "late");
        late.not_after = Some(at(-1));
        let mut all = outbox(vec![late]);
        let paused = NOW.plus(Duration::from_secs(60));
        let next = all.next(&ChatPace::default(), paused, NOW);
        assert!(
            matches!(&next, Step::Drop(task) if name(task) == "late"),
            "{next:?}"
        );
        assert_eq!(all.next(&ChatPace::default(), paused, NOW), Step::Nothing);
    }

    #[test]
    fn what_is_under_way_is_not_begun_again_after_a_look_and_what_was_not_called_is_met_in_its_place()
     {
        let (one, two) = (
            task(Class::Reply, 8, -20, "one"),
            task(Class::Reply, 8, -10, "two"),
        );
        let mut all = outbox(vec![one.clone(), two.clone()]);
        let Step::Send(begun) = all.next(&ChatPace::default(), NOW, NOW) else {
            panic!("something is due")
        };
        all.begin(&begun);
        all.reset();
        let page = OutboxPage {
            tasks: vec![one, two],
            more_after: None,
        };
        all.add(begun.key().lane, page);
        assert_eq!(all.next(&ChatPace::default(), NOW, NOW), Step::Nothing);
        all.end(&begun);
        all.give_back(*begun);
        assert_eq!(order(&mut all), ["one", "two"]);
    }
}
