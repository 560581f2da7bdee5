//! What the calls of one run share: the limiters, the chat's present id, and whether the run may go on.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::id::{BotId, ChatId};
use domain::lanes::{BotState, SHARE};
use domain::lease::{ChatLease, Learned};
use domain::limiter::{Circuit, Limiter, Pacing};
use domain::time::Timestamp;
use tokio::time::Instant;

/// How long before its slot a task is begun: what it reads before it calls Telegram must not make the calls uneven.
pub(crate) const LEAD: Duration = Duration::from_millis(30);
/// The most calls of a chat under way at once: Telegram answers late when it sleeps through a flood wait.
const UNDER_WAY_MAX: u32 = 64;

/// The board of one run. The dispatcher reads it before it begins a call, the calls write on it as they are answered.
pub(crate) struct Board(Mutex<State>);

pub(crate) struct State {
    /// The limiters of the bots, with the waits that are known.
    pub(crate) limiters: BTreeMap<BotId, Limiter>,
    /// The id by which the chat is called.
    pub(crate) chat: ChatId,
    /// How often the chat was found to have moved in this run.
    pub(crate) moves: u32,
    /// A write failed: nothing more is begun, and the tick goes on.
    pub(crate) is_broken: bool,
    /// Something is known that the next holder must know if this one dies.
    pub(crate) is_dirty: bool,
    /// When the lease lapses, by our own monotonic clock: no call is made from then on.
    pub(crate) ends: Instant,
    /// Calls that were begun.
    pub(crate) calls: u32,
    /// The same of each bot, from a number on that chance gives: a run is too short for a turn that comes by counting.
    turns: BTreeMap<BotId, u32>,
    under_way: BTreeMap<BotId, u32>,
    /// When the last call of each bot leaves.
    leaves_at: BTreeMap<BotId, Instant>,
    /// Until when a person has stopped the chat.
    stopped_until: Option<Timestamp>,
    resumes: u64,
}

/// Whether a call may leave at its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaving {
    Now,
    /// Not before this: the call before it leaves late, and a strict limit would refuse one that follows it sooner.
    At(Timestamp),
    /// The bot was told to wait meanwhile, or a person stopped the chat.
    Paused,
}

impl Board {
    /// The board of a lease that was just taken, for a chat that is configured as `configured`.
    pub(crate) fn new(
        lease: &ChatLease,
        configured: ChatId,
        bots: impl Iterator<Item = BotId>,
        fresh: &Limiter,
        ends: Instant,
    ) -> Self {
        let mut limiters = lease.limiters.clone();
        for bot in bots {
            limiters.entry(bot).or_insert_with(|| fresh.clone());
        }
        let turns = limiters.keys().map(|bot| (*bot, fastrand::u32(..SHARE)));
        let turns = turns.collect();
        Self(Mutex::new(State {
            limiters,
            chat: lease.current_id(configured),
            moves: 0,
            is_broken: false,
            is_dirty: false,
            ends,
            calls: 0,
            turns,
            under_way: BTreeMap::new(),
            leaves_at: BTreeMap::new(),
            stopped_until: None,
            resumes: lease.resumes,
        }))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes over what others have stored: every wait, where the chat moved, whether a person resumed it.
    pub(crate) fn take_over(&mut self, lease: &ChatLease, configured: ChatId, now: Timestamp) {
        self.stopped_until = lease.stopped_until(now);
        self.chat = lease.current_id(configured);
        for (bot, pause) in &lease.pauses {
            if let Some(limiter) = self.limiters.get_mut(bot) {
                limiter.paused_until = limiter.paused_until.max(pause.until);
            }
        }
        if self.resumes != lease.resumes {
            self.resumes = lease.resumes;
            for limiter in self.limiters.values_mut() {
                limiter.circuit = Circuit::default();
            }
        }
    }

    /// What the next holder must know.
    pub(crate) fn learned(&self) -> Learned {
        Learned {
            limiters: self.limiters.clone(),
            resumes: self.resumes,
            ..Learned::default()
        }
    }

    /// How it stands with these bots at `now`.
    pub(crate) fn bots(&self, bots: impl Iterator<Item = BotId>, now: Timestamp) -> Vec<BotState> {
        let all: u32 = self.under_way.values().sum();
        bots.filter_map(|bot| {
            let limiter = self.limiters.get(&bot)?;
            let own = self.under_way.get(&bot).copied().unwrap_or_default();
            Some(BotState {
                bot,
                free_at: limiter.free_at(now),
                is_able: all < UNDER_WAY_MAX && (own == 0 || !limiter.circuit.is_open()),
                is_turn: self.turns.get(&bot).is_some_and(|turn| turn % SHARE == 0),
            })
        })
        .collect()
    }

    /// Takes the next slot of a bot; its call is under way from now on.
    pub(crate) fn begin(&mut self, bot: BotId, now: Timestamp) -> Option<(Timestamp, Pacing)> {
        self.calls = self.calls.wrapping_add(1);
        *self.under_way.entry(bot).or_default() += 1;
        let turn = self.turns.entry(bot).or_default();
        *turn = turn.wrapping_add(1);
        Some(self.limiters.get_mut(&bot)?.take_slot(now))
    }

    /// Whether a call of this bot may leave: no wait and no person forbids it.
    pub(crate) fn may_leave(&self, bot: BotId, now: Timestamp) -> bool {
        let limiter = self.limiters.get(&bot);
        limiter.is_some_and(|limiter| limiter.waits_until(now) <= now)
            && self.stopped_until.is_none_or(|until| until <= now)
    }

    /// The call of a slot is about to leave. Calls that came late leave in the order in which they came, an interval apart,
    /// and what is begun after them has its slot after them.
    pub(crate) fn leave(&mut self, bot: BotId, now: Timestamp, monotonic: Instant) -> Leaving {
        if !self.may_leave(bot, now) {
            return Leaving::Paused;
        }
        let Some(limiter) = self.limiters.get_mut(&bot) else {
            return Leaving::Paused;
        };
        let last = self.leaves_at.get(&bot);
        let earliest = last.map_or(monotonic, |last| *last + limiter.interval());
        let rest = earliest.saturating_duration_since(monotonic);
        // In whole milliseconds, as times are.
        let rest = Duration::from_millis(
            u64::try_from(rest.as_micros().div_ceil(1000)).unwrap_or(u64::MAX),
        );
        let at = now.plus(rest);
        self.leaves_at.insert(bot, monotonic + rest);
        limiter.called(at);
        if rest.is_zero() {
            Leaving::Now
        } else {
            Leaving::At(at)
        }
    }

    /// A call is over.
    pub(crate) fn end(&mut self, bot: BotId) {
        if let Some(count) = self.under_way.get_mut(&bot) {
            *count = count.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_calls_leave_in_order_an_interval_apart_and_later_ones_begin_after_them() {
        let (bot, interval) = (BotId(1), Duration::from_millis(200));
        let fresh = Limiter::new(interval);
        let lease = ChatLease::default();
        let board = Board::new(
            &lease,
            ChatId(-1),
            [bot].into_iter(),
            &fresh,
            Instant::now(),
        );
        let mut board = board.lock();
        let (now, monotonic) = (Timestamp::from_ms(1_763_640_000_000), Instant::now());
        for _ in 0..5 {
            board.begin(bot, now);
        }
        // All five come at once, three seconds late.
        let late = now.plus(Duration::from_secs(3));
        let left: Vec<Leaving> = (0..5).map(|_| board.leave(bot, late, monotonic)).collect();
        let at = |n: u32| Leaving::At(late.plus(interval * n));
        assert_eq!(left, [Leaving::Now, at(1), at(2), at(3), at(4)]);
        let next = board.begin(bot, late).unwrap().0;
        assert_eq!(next, late.plus(interval * 5));
        // A person stops the chat: what has not left does not.
        board.stopped_until = Some(late.plus(Duration::from_secs(60)));
        assert!(!board.may_leave(bot, late));
        assert_eq!(board.leave(bot, late, monotonic), Leaving::Paused);
    }

    #[test]
    fn runs_of_three_calls_leave_one_call_in_twenty_of_each_bot_to_revocations() {
        fastrand::seed(7);
        let bots = [BotId(1), BotId(2)];
        let fresh = Limiter::new(Duration::from_secs(3));
        let now = Timestamp::from_ms(1_763_640_000_000);
        let mut turns = [0_u32; 2];
        for _ in 0..2000 {
            let lease = ChatLease::default();
            let board = Board::new(&lease, ChatId(-1), bots.into_iter(), &fresh, Instant::now());
            for _ in 0..3 {
                for (bot, turns) in bots.iter().zip(&mut turns) {
                    let mut board = board.lock();
                    *turns += u32::from(board.bots([*bot].into_iter(), now)[0].is_turn);
                    board.begin(*bot, now);
                    board.end(*bot);
                }
            }
        }
        for turns in turns {
            assert!(
                (200..400).contains(&turns),
                "{turns} of 6000, not about 300"
            );
        }
    }
}
