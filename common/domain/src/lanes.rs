//! What one look showed of a chat's lanes, and which task of it is next.
//!
//! Mints and replacements, whose buyers wait, go by age. Then come revocations, then declines and removals, then the fills of
//! the link pool. So that used links die during a long sale too, each [`SHARE`]th call of a bot is a revocation, if there is
//! one, or else a decline or a removal.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::id::{BotId, ChatId, MINT_SHARDS, RequestId};
use super::limiter::CLOCK_AHEAD;
use super::task::{Lane, Task, TaskKey, Work};
use super::time::Timestamp;

/// One call in so many is left to revocations, however many mints wait.
pub const SHARE: u32 = 20;

/// A part of a lane, in order.
#[derive(Debug, Default)]
pub struct Page {
    /// What stands there.
    pub tasks: Vec<Task>,
    /// The last key, if the lane goes on.
    pub more_after: Option<String>,
}

/// The part of a lane that was read.
#[derive(Debug)]
struct Buffer {
    lane: Lane,
    tasks: VecDeque<Task>,
    more_after: Option<String>,
}

/// What is under way: neither begun again nor twice for one request.
#[derive(Clone, Debug, Default)]
pub struct UnderWay {
    keys: BTreeSet<TaskKey>,
    requests: BTreeSet<RequestId>,
}

impl UnderWay {
    /// A task is begun.
    pub fn begin(&mut self, task: &Task) {
        self.keys.insert(task.key());
        self.requests.extend(task.request_id());
    }

    /// It is over.
    pub fn end(&mut self, task: &Task) {
        self.keys.remove(&task.key());
        if let Some(id) = task.request_id() {
            self.requests.remove(&id);
        }
    }

    /// Whether it is under way, or another one of its request.
    #[must_use]
    pub fn has(&self, task: &Task) -> bool {
        self.keys.contains(&task.key())
            || task
                .request_id()
                .is_some_and(|id| self.requests.contains(&id))
    }
}

/// What is to be done next.
#[derive(Debug, PartialEq)]
pub enum Next {
    /// This lane is to be read on behind the key, before anything younger is begun.
    Read(Lane, String),
    /// This task is to be begun by this bot.
    Begin(Box<Task>, BotId),
    /// There are tasks, and the first bot that may do one is free then.
    Wait(Timestamp),
    /// Nothing is due, as far as was read.
    Nothing,
}

/// A bot, as far as the choice of the next task asks.
#[derive(Clone, Copy, Debug)]
pub struct BotState {
    /// The bot.
    pub bot: BotId,
    /// When its next call may be begun.
    pub free_at: Timestamp,
    /// Whether it may begin one at all now, whatever its slot.
    pub is_able: bool,
    /// Whether its next call is one that is left to revocations.
    pub is_turn: bool,
}

/// The lanes of a chat, as one look showed them.
#[derive(Debug)]
pub struct Lanes {
    mints: Vec<Buffer>,
    bots: BTreeMap<BotId, Buffer>,
    later: Buffer,
    fill: Buffer,
    horizon: Timestamp,
    /// Whether a task was committed while the look was under way: it must look again before it releases.
    pub is_late: bool,
    /// When the first task is due that is not yet.
    pub deferred_until: Option<Timestamp>,
}

impl Lanes {
    /// The lanes before they are read: those of `bots` and the ones of all.
    #[must_use]
    pub fn new(chat: ChatId, bots: impl Iterator<Item = BotId>, horizon: Timestamp) -> Self {
        let buffer = |lane| Buffer {
            lane,
            tasks: VecDeque::new(),
            more_after: None,
        };
        Self {
            mints: (0..MINT_SHARDS)
                .map(|shard| buffer(Lane::Mint(chat, shard)))
                .collect(),
            bots: bots
                .map(|bot| (bot, buffer(Lane::Bot(chat, bot))))
                .collect(),
            later: buffer(Lane::Later(chat)),
            fill: buffer(Lane::Fill(chat)),
            horizon,
            is_late: false,
            deferred_until: None,
        }
    }

    /// When the oldest task was put for which a person waits, as far as was read.
    #[must_use]
    pub fn oldest(&self) -> Option<Timestamp> {
        let first = self.mints.iter().filter_map(|buffer| buffer.tasks.front());
        first.map(|task| task.created_at).min()
    }

    /// The lanes to be read.
    #[must_use]
    pub fn lanes(&self) -> Vec<Lane> {
        let all = self.mints.iter().chain(self.bots.values());
        let all = all.chain([&self.later, &self.fill]);
        all.map(|buffer| buffer.lane).collect()
    }

    /// Whether the lane of this bot is among them.
    #[must_use]
    pub fn reads(&self, bot: BotId) -> bool {
        self.bots.contains_key(&bot)
    }

    /// Takes in a page of a lane.
    pub fn add(&mut self, lane: Lane, page: Page, under_way: &UnderWay, now: Timestamp) {
        let mut tasks = Vec::new();
        // A lane in the order in which its tasks come due is not read on behind the first that is not.
        let more_after = page
            .more_after
            .filter(|_| !page.tasks.last().is_some_and(|task| task.ends_due(now)));
        let idle = page.tasks.into_iter().filter(|task| !under_way.has(task));
        for task in idle {
            // One that lies too far ahead was written by a clock that is ahead: it waits for no horizon.
            let is_late =
                task.created_at > self.horizon && task.created_at <= now.plus(CLOCK_AHEAD);
            if is_late {
                self.is_late = true;
            } else if task.is_due(now) {
                tasks.push(task);
            } else {
                self.defer(task.not_before);
            }
        }
        if let Some(buffer) = self.buffer(lane) {
            buffer.tasks.extend(tasks);
            buffer.more_after = more_after;
        }
    }

    /// A task waits until `at`.
    pub fn defer(&mut self, at: Option<Timestamp>) {
        self.deferred_until = match (self.deferred_until, at) {
            (Some(known), Some(at)) => Some(known.min(at)),
            (known, at) => known.or(at),
        };
    }

    /// Puts a task back in its place: it was not called.
    pub fn give_back(&mut self, task: Task) {
        let key = task.key();
        if let Some(buffer) = self.buffer(key.lane) {
            let place = buffer.tasks.partition_point(|other| other.key() < key);
            buffer.tasks.insert(place, task);
        }
    }

    fn buffer(&mut self, lane: Lane) -> Option<&mut Buffer> {
        let all = self.mints.iter_mut().chain(self.bots.values_mut());
        all.chain([&mut self.later, &mut self.fill])
            .find(|buffer| buffer.lane == lane)
    }

    /// Whether a bot has tasks of its own that were read.
    fn has_own(&self, bot: BotId) -> bool {
        self.bots
            .get(&bot)
            .is_some_and(|buffer| !buffer.tasks.is_empty())
    }

    /// Chooses the next task: for the bot whose limiter is free first, at `now` or at most then.
    pub fn next(&mut self, bots: &[BotState], now: Timestamp, under_way: &UnderWay) -> Next {
        if let Some(Buffer {
            lane,
            more_after: Some(after),
            ..
        }) = self.unread()
        {
            return Next::Read(*lane, after.clone());
        }
        let mut bots: Vec<BotState> = bots.to_vec();
        bots.sort_by_key(|state| (state.free_at, state.bot));
        let mut wait: Option<Timestamp> = None;
        for state in bots {
            if !self.has_any(state.bot) {
                continue;
            }
            if state.free_at > now {
                wait = Some(wait.map_or(state.free_at, |known| known.min(state.free_at)));
            } else if state.is_able
                && let Some(task) = self.take(state, under_way)
            {
                return Next::Begin(Box::new(task), state.bot);
            }
        }
        wait.map_or(Next::Nothing, Next::Wait)
    }

    /// A lane whose page is used up and that goes on.
    fn unread(&self) -> Option<&Buffer> {
        let is_used_up = |buffer: &&Buffer| buffer.tasks.is_empty() && buffer.more_after.is_some();
        let mut first = self.mints.iter().chain(self.bots.values());
        first.find(is_used_up).or_else(|| {
            let rest = [&self.later, &self.fill];
            rest.into_iter().find(is_used_up)
        })
    }

    fn has_any(&self, bot: BotId) -> bool {
        self.mints.iter().any(|buffer| !buffer.tasks.is_empty())
            || self.has_own(bot)
            || !self.later.tasks.is_empty()
            || !self.fill.tasks.is_empty()
    }

    /// The next task that this bot does.
    fn take(&mut self, state: BotState, under_way: &UnderWay) -> Option<Task> {
        let mint = self.oldest_mint(under_way);
        let has_later = !self.later.tasks.is_empty();
        let own = self.bots.get(&state.bot).and_then(|own| own.tasks.front());
        let own = own.map(|task| (task.created_at, matches!(task.work, Work::Replace(_))));
        let from = match (mint, own) {
            (Some((_, made)), Some((asked, true))) if asked < made => {
                Lane::Bot(ChatId(0), state.bot)
            }
            (Some(_), Some((_, false))) if state.is_turn => Lane::Bot(ChatId(0), state.bot),
            (Some(_), None) if state.is_turn && has_later => Lane::Later(ChatId(0)),
            (Some((shard, _)), _) => Lane::Mint(ChatId(0), shard),
            (None, Some(_)) => Lane::Bot(ChatId(0), state.bot),
            (None, None) if has_later => Lane::Later(ChatId(0)),
            (None, None) => Lane::Fill(ChatId(0)),
        };
        match from {
            Lane::Mint(_, shard) => self.mints.get_mut(usize::from(shard))?.tasks.pop_front(),
            Lane::Bot(_, bot) => self.bots.get_mut(&bot)?.tasks.pop_front(),
            Lane::Later(_) => self.later.tasks.pop_front(),
            Lane::Fill(_) | Lane::Failed(_) => self.fill.tasks.pop_front(),
        }
    }

    /// The shard of the oldest mint, and its age. A second task of a request that is under way is left for the next look.
    fn oldest_mint(&mut self, under_way: &UnderWay) -> Option<(u8, Timestamp)> {
        let mut oldest: Option<(String, u8, Timestamp)> = None;
        for (shard, buffer) in (0_u8..).zip(&mut self.mints) {
            while buffer.tasks.front().is_some_and(|task| under_way.has(task)) {
                buffer.tasks.pop_front();
                self.is_late = true;
            }
            let Some(task) = buffer.tasks.front() else {
                continue;
            };
            let key = task.key().key;
            if oldest.as_ref().is_none_or(|(known, _, _)| key < *known) {
                oldest = Some((key, shard, task.created_at));
            }
        }
        oldest.map(|(_, shard, at)| (shard, at))
    }
}

#[cfg(test)]
mod tests {
    use super::super::id::{IdentitySource, InviteLink, TelegramUserId};
    use super::super::link_pool::SlotId;
    use super::super::task::{Mint, Replace, Revoke};

    use super::*;

    const CHAT: ChatId = ChatId(-1);
    const BOT: BotId = BotId(7);
    const NOW: Timestamp = Timestamp::from_ms(1_763_640_000_000);

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(NOW.ms() + ms)
    }

    fn id(name: &str) -> RequestId {
        RequestId::derive(CHAT, IdentitySource::Transaction(name))
    }

    fn mint(name: &str, ms: i64) -> Task {
        let mint = Mint {
            request_id: id(name),
            user_id: name.to_owned(),
            transaction_id: name.to_owned(),
            link_version: 0,
        };
        Task::new(CHAT, Work::Mint(mint), at(ms))
    }

    fn replace(name: &str, ms: i64) -> Task {
        let replace = Replace {
            request_id: id(name),
            bot: BOT,
            link_version: 1,
        };
        Task::new(CHAT, Work::Replace(replace), at(ms))
    }

    fn revoke(name: &str, ms: i64) -> Task {
        let revoke = Revoke {
            invite_link: InviteLink::new(format!("https://t.me/+{name}")),
            bot: BOT,
            request_id: None,
        };
        Task::new(CHAT, Work::Revoke(revoke), at(ms))
    }

    fn fill(number: u64) -> Task {
        Task::new(CHAT, Work::Fill(SlotId { pool: CHAT, number }), at(-1))
    }

    fn lanes(tasks: Vec<Task>) -> Lanes {
        let mut lanes = Lanes::new(CHAT, [BOT].into_iter(), NOW);
        let mut by_lane: BTreeMap<Lane, Vec<Task>> = BTreeMap::new();
        for task in tasks {
            by_lane.entry(task.key().lane).or_default().push(task);
        }
        for (lane, mut tasks) in by_lane {
            tasks.sort_by_key(Task::key);
            let page = Page {
                tasks,
                more_after: None,
            };
            lanes.add(lane, page, &UnderWay::default(), NOW);
        }
        lanes
    }

    fn free(calls: u32) -> BotState {
        BotState {
            bot: BOT,
            free_at: NOW,
            is_able: true,
            is_turn: calls % SHARE == SHARE - 1,
        }
    }

    fn order(lanes: &mut Lanes, first_call: u32) -> Vec<String> {
        let mut order = Vec::new();
        let mut calls = first_call;
        while let Next::Begin(task, _) = lanes.next(&[free(calls)], NOW, &UnderWay::default()) {
            order.push(match &task.work {
                Work::Mint(mint) => mint.user_id.clone(),
                Work::Replace(_) => "replace".to_owned(),
                Work::Revoke(_) => "revoke".to_owned(),
                Work::Fill(slot) => format!("fill {}", slot.number),
                Work::Approve(person) => format!("approve {person}"),
                Work::Decline(decline) => format!("decline {}", decline.person),
                Work::Remove(person) => format!("remove {person}"),
            });
            calls += 1;
        }
        order
    }

    #[test]
    fn buyers_go_by_age_then_revocations_then_fills() {
        let mut tasks: Vec<Task> = (0..9_i32)
            .map(|number| mint(&number.to_string(), i64::from(number) - 100))
            .collect();
        tasks.push(replace("r", -96));
        tasks.push(revoke("x", -1000));
        tasks.extend([fill(3), fill(1)]);
        let order = order(&mut lanes(tasks), 0);
        let expected = [
            "0", "1", "2", "3", "4", "replace", "5", "6", "7", "8", "revoke", "fill 1", "fill 3",
        ];
        // A replacement as old as a mint goes after it.
        assert_eq!(order, expected);
    }

    fn decline(person: i64, ms: i64) -> Task {
        let hold = std::time::Duration::from_secs(900);
        Task::decline_of(CHAT, TelegramUserId(person), at(ms).minus(hold), hold)
    }

    #[test]
    fn what_nobody_waits_for_goes_after_buyers_and_before_fills_and_has_its_share_of_a_sale() {
        let remove = Task::new(CHAT, Work::Remove(TelegramUserId(5)), at(-7));
        let mut few = lanes(vec![
            fill(1),
            decline(7, -5),
            remove,
            decline(8, 60_000),
            mint("m", -1),
        ]);
        assert_eq!(order(&mut few, 0), ["m", "remove 5", "decline 7", "fill 1"]);
        assert_eq!(few.deferred_until, Some(at(60_000)));
        let sale = (0..30_i32).map(|number| mint(&number.to_string(), i64::from(number) - 100));
        let order = order(&mut lanes(sale.chain([decline(7, -5)]).collect()), 0);
        assert_eq!(order[19], "decline 7");
    }

    #[test]
    fn declines_are_not_read_on_behind_the_first_that_is_not_due() {
        for (ahead, is_read_on) in [(-1, true), (1, false)] {
            let mut lanes = lanes(vec![]);
            let page = Page {
                tasks: vec![decline(7, -5), decline(8, ahead)],
                more_after: Some("k".to_owned()),
            };
            lanes.add(Lane::Later(CHAT), page, &UnderWay::default(), NOW);
            while let Next::Begin(..) = lanes.next(&[free(0)], NOW, &UnderWay::default()) {}
            let read_on = Next::Read(Lane::Later(CHAT), "k".to_owned());
            let next = lanes.next(&[free(0)], NOW, &UnderWay::default());
            assert_eq!(next == read_on, is_read_on, "{ahead}");
        }
    }

    #[test]
    fn a_sale_leaves_one_call_in_twenty_to_revocations() {
        let mut tasks: Vec<Task> = (0..60_i32)
            .map(|number| mint(&number.to_string(), i64::from(number) - 100))
            .collect();
        tasks.extend((0..9).map(|number| revoke(&number.to_string(), -1)));
        let order = order(&mut lanes(tasks), 0);
        let revocations: Vec<usize> = order
            .iter()
            .enumerate()
            .filter(|(_, what)| *what == "revoke")
            .map(|(place, _)| place)
            .collect();
        assert_eq!(revocations[..3], [19, 39, 59]);
        assert_eq!(revocations.len(), 9);
    }

    #[test]
    fn nothing_younger_is_begun_before_a_lane_is_read_on() {
        let mut lanes = lanes(vec![mint("young", -1)]);
        let other = lanes
            .lanes()
            .into_iter()
            .find(|lane| matches!(lane, Lane::Mint(..)) && *lane != mint("young", 0).key().lane)
            .unwrap();
        let page = Page {
            tasks: vec![],
            more_after: Some("k".to_owned()),
        };
        lanes.add(other, page, &UnderWay::default(), NOW);
        let next = lanes.next(&[free(0)], NOW, &UnderWay::default());
        assert_eq!(next, Next::Read(other, "k".to_owned()));
    }

    #[test]
    fn what_is_not_due_or_came_after_the_look_is_left() {
        let mut waiting = mint("waiting", -10);
        waiting.not_before = Some(at(5000));
        let mut lanes = lanes(vec![waiting, mint("late", 3), mint("ahead", 3_600_000)]);
        assert_eq!(lanes.deferred_until, Some(at(5000)));
        assert!(lanes.is_late);
        assert_eq!(order(&mut lanes, 0), ["ahead"]);
    }

    #[test]
    fn what_came_long_after_the_look_is_left_for_the_next_one_too() {
        let mut lanes = lanes(vec![]);
        let task = mint("newer", 7000);
        let page = Page {
            tasks: vec![task.clone()],
            more_after: None,
        };
        // Others that came between may lie in lanes that are not read on.
        lanes.add(task.key().lane, page, &UnderWay::default(), at(7500));
        assert!(lanes.is_late);
        assert!(order(&mut lanes, 0).is_empty());
    }

    #[test]
    fn a_request_is_not_begun_twice() {
        let mut under_way = UnderWay::default();
        under_way.begin(&mint("a", -10));
        let mut lanes = lanes(vec![mint("a", -5), mint("b", -1)]);
        let Next::Begin(task, _) = lanes.next(&[free(0)], NOW, &under_way) else {
            panic!("nothing begun");
        };
        assert_eq!(task.request_id(), Some(id("b")));
        assert!(lanes.is_late, "the other one is looked at again");
        under_way.end(&mint("a", -10));
        assert!(!under_way.has(&mint("a", -5)));
    }

    #[test]
    fn a_bot_that_waits_is_waited_for_only_if_it_has_something_to_do() {
        let waiting = BotState {
            free_at: at(3000),
            ..free(0)
        };
        let other = BotState {
            bot: BotId(8),
            ..waiting
        };
        let mut own = lanes(vec![revoke("x", -1)]);
        let next = own.next(&[waiting, other], NOW, &UnderWay::default());
        assert_eq!(next, Next::Wait(at(3000)));
        let mut none = lanes(vec![]);
        let next = none.next(&[waiting], NOW, &UnderWay::default());
        assert_eq!(next, Next::Nothing);
        let give_back = mint("a", -3);
        let mut lanes = lanes(vec![mint("b", -2), give_back.clone()]);
        let Next::Begin(task, _) = lanes.next(&[free(0)], NOW, &UnderWay::default()) else {
            panic!("nothing begun");
        };
        assert_eq!(*task, give_back);
        lanes.give_back(*task);
        assert_eq!(order(&mut lanes, 0), ["a", "b"]);
    }
}
