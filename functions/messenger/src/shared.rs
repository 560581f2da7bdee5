//! What the sends of one run share: the limiter, the pace of each chat, what groups have become, and whether the run may go
//! on.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::id::{BotId, ChatId};
use domain::lease::{ChatLease, Learned};
use domain::limiter::{Limiter, Pacing};
use domain::message::{ChatPace, LastTurns, MessageKey, Scopes};
use domain::time::Timestamp;
use tokio::time::Instant;

/// What one run shares. The dispatcher reads it before it begins a message, the sends write on it as they are answered.
pub(crate) struct Shared(Mutex<RunState>);

pub(crate) struct RunState {
    /// The limiter of all that the bot sends, with the wait that is known.
    pub(crate) limiter: Limiter,
    /// When each chat may be written to next.
    pub(crate) pace: ChatPace,
    /// Which chats Telegram refused since a message was taken.
    pub(crate) scopes: Scopes,
    /// A write failed: nothing more is begun, and the tick goes on.
    pub(crate) is_broken: bool,
    /// Something is known that the next holder must know if this one dies.
    pub(crate) is_dirty: bool,
    /// When the lease lapses, by our own monotonic clock: nothing is sent from then on.
    pub(crate) ends: Instant,
    /// Messages that were begun.
    pub(crate) sends: u32,
    /// Messages that were settled since their words stand in another one.
    pub(crate) settled_beside: Vec<MessageKey>,
    /// What groups have become that are supergroups now.
    moved: BTreeMap<ChatId, ChatId>,
    resumes: u64,
}

impl Shared {
    /// What is known of a lease that was just taken.
    pub(crate) fn new(lease: &ChatLease, bot: BotId, fresh: Limiter, ends: Instant) -> Self {
        let mut state = RunState {
            limiter: lease.limiters.get(&bot).cloned().unwrap_or(fresh),
            pace: ChatPace::new(lease.chat_slots.clone()),
            scopes: Scopes::default(),
            is_broken: false,
            is_dirty: false,
            ends,
            sends: 0,
            settled_beside: Vec::new(),
            moved: BTreeMap::new(),
            resumes: lease.resumes,
        };
        state.take_over(lease);
        Self(Mutex::new(state))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, RunState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunState {
    /// Takes over every wait that others have stored.
    pub(crate) fn take_over(&mut self, lease: &ChatLease) {
        for pause in lease.pauses.values() {
            self.limiter.paused_until = self.limiter.paused_until.max(pause.until);
        }
        for (chat, pause) in &lease.chat_pauses {
            self.pace.pause(*chat, pause.until);
        }
    }

    /// What the next holder must know, who goes on with these turns.
    pub(crate) fn learned(&self, bot: BotId, turns: LastTurns, now: Timestamp) -> Learned {
        Learned {
            limiters: BTreeMap::from([(bot, self.limiter.clone())]),
            resumes: self.resumes,
            chat_slots: self.pace.ahead(now),
            turns,
        }
    }

    /// Takes the next slot for a message to a chat.
    pub(crate) fn begin(&mut self, chat: ChatId, now: Timestamp) -> (Timestamp, Pacing) {
        self.sends = self.sends.wrapping_add(1);
        let (slot, pacing) = self.limiter.take_slot(now);
        let slot = slot.max(self.pace.free_at(chat, now));
        self.pace.take(chat, slot);
        (slot, pacing)
    }

    /// Takes so many slots more, for a call at a slot that sends more than one message: what follows it waits for them.
    pub(crate) fn take_more(&mut self, chat: ChatId, slots: u32) {
        self.limiter.take_more(slots);
        self.pace.take_more(chat, slots);
    }

    /// Whether a message to this chat may leave: the lease is ours, and no wait forbids it.
    pub(crate) fn may_leave(&self, chat: ChatId, now: Timestamp, monotonic: Instant) -> bool {
        !self.is_broken
            && monotonic < self.ends
            && self.limiter.waits_until(now) <= now
            && self.pace.paused_until(chat) <= now
    }

    /// The id by which a chat is written to.
    pub(crate) fn current_id(&self, chat: ChatId) -> ChatId {
        self.moved.get(&chat).copied().unwrap_or(chat)
    }

    /// A group has another id by now.
    pub(crate) fn moved(&mut self, from: ChatId, to: ChatId) {
        self.moved.insert(from, to);
    }
}
