//! How fast one chat may be written to, beside what its bot may send in all.
//!
//! Telegram's FAQ bounds a private chat to a message a second and a group to 20 a minute; it may say 429 sooner. A 429 does
//! not say whose limit it met. A person's chat is kept to its bound, so while the bot sends at its own rate it is the bot's;
//! otherwise it is taken for the chat's. When a second chat is refused before anything went well, it is the bot's, too.
//! <https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this>

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::id::ChatId;
use super::super::limiter::Pacing;
use super::super::time::Timestamp;
use super::lane::is_group;

/// Between two messages of a bot that was never limited: 30 a second.
pub const MESSAGE_INTERVAL: Duration = Duration::from_millis(34);
/// Between two messages to a person.
const PRIVATE_INTERVAL: Duration = Duration::from_secs(1);
/// Between two messages to a group: 20 a minute.
const GROUP_INTERVAL: Duration = Duration::from_secs(3);
/// A slot that lies further ahead was stored by a clock that was ahead: a call sends up to a hundred messages, and to a group
/// these take five minutes.
const SLOT_AHEAD_MAX: Duration = Duration::from_secs(310);

/// When each chat may be written to next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatPace {
    slots: BTreeMap<ChatId, Timestamp>,
    paused: BTreeMap<ChatId, Timestamp>,
}

impl ChatPace {
    /// As the last holder left it: the slots that lay ahead.
    #[must_use]
    pub fn new(slots: BTreeMap<ChatId, Timestamp>) -> Self {
        Self {
            slots,
            paused: BTreeMap::new(),
        }
    }

    /// When a message to this chat may leave; in the past if it may now.
    #[must_use]
    pub fn free_at(&self, chat: ChatId, now: Timestamp) -> Timestamp {
        let never = Timestamp::from_ms(0);
        let slot = self.slots.get(&chat).copied().unwrap_or(never);
        let slot = if slot > now.plus(SLOT_AHEAD_MAX) {
            never
        } else {
            slot
        };
        slot.max(self.paused_until(chat))
    }

    /// Until when Telegram wants nothing for this chat.
    #[must_use]
    pub fn paused_until(&self, chat: ChatId) -> Timestamp {
        let paused = self.paused.get(&chat).copied();
        paused.unwrap_or(Timestamp::from_ms(0))
    }

    /// A message to this chat leaves at `at`.
    pub fn take(&mut self, chat: ChatId, at: Timestamp) {
        self.slots.insert(chat, at.plus(interval(chat)));
    }

    /// A call sends so many messages more than one.
    pub fn take_more(&mut self, chat: ChatId, messages: u32) {
        if let Some(slot) = self.slots.get_mut(&chat) {
            *slot = slot.plus(interval(chat) * messages);
        }
    }

    /// No message left at `at` after all: another one may.
    pub fn give_back(&mut self, chat: ChatId, at: Timestamp) {
        if self.slots.get(&chat) == Some(&at.plus(interval(chat))) {
            self.slots.insert(chat, at);
        }
    }

    /// Telegram wants nothing for this chat before `until`; a wait only grows.
    pub fn pause(&mut self, chat: ChatId, until: Timestamp) {
        let paused = self.paused.entry(chat).or_insert(until);
        *paused = until.max(*paused);
    }

    /// A wait was stored by a clock that was ahead: it ends at `until`.
    pub fn correct(&mut self, chat: ChatId, until: Timestamp) {
        self.paused.insert(chat, until);
    }

    /// The slots that still lie ahead: the next holder must know them.
    #[must_use]
    pub fn ahead(&self, now: Timestamp) -> BTreeMap<ChatId, Timestamp> {
        let ahead = self.slots.iter().filter(|(_, at)| **at > now);
        ahead.map(|(chat, at)| (*chat, *at)).collect()
    }
}

const fn interval(chat: ChatId) -> Duration {
    match is_group(chat) {
        true => GROUP_INTERVAL,
        false => PRIVATE_INTERVAL,
    }
}

/// What a 429 is taken to be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseScope {
    /// This chat alone.
    Chat,
    /// All that the bot sends.
    Bot,
}

/// Which chats were refused since something went well.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scopes {
    refused: Option<ChatId>,
}

impl Scopes {
    /// A message was taken.
    pub const fn succeeded(&mut self) {
        self.refused = None;
    }

    /// Telegram said 429 to a message for this chat, which left at this pace.
    pub fn rate_limited(&mut self, chat: ChatId, pacing: Pacing) -> PauseScope {
        match self.refused.replace(chat) {
            Some(other) if other != chat => PauseScope::Bot,
            _ if pacing == Pacing::Paced && !is_group(chat) => PauseScope::Bot,
            _ => PauseScope::Chat,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_763_640_000_000);
    const PERSON: ChatId = ChatId(5);
    const GROUP: ChatId = ChatId(-5);

    fn after(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn a_person_gets_a_message_a_second_and_a_group_twenty_a_minute() {
        for (chat, per_minute) in [(PERSON, 60), (GROUP, 20)] {
            let (mut pace, mut now, mut count) = (ChatPace::default(), NOW, 0);
            while now < after(60) {
                pace.take(chat, now);
                count += 1;
                now = pace.free_at(chat, now);
            }
            assert_eq!(count, per_minute, "{chat}");
        }
    }

    #[test]
    fn a_call_of_a_hundred_messages_is_followed_by_nothing_for_as_long_as_they_would_take() {
        let mut pace = ChatPace::default();
        for chat in [PERSON, GROUP] {
            pace.take(chat, NOW);
            pace.take_more(chat, 99);
        }
        // Also by the next holder.
        for pace in [pace.clone(), ChatPace::new(pace.ahead(NOW))] {
            assert_eq!(pace.free_at(PERSON, NOW), after(100));
            assert_eq!(pace.free_at(GROUP, NOW), after(300));
        }
    }

    #[test]
    fn a_slot_at_which_nothing_left_is_had_by_the_next() {
        let mut pace = ChatPace::default();
        pace.take(GROUP, NOW);
        pace.give_back(GROUP, after(1));
        assert_eq!(pace.free_at(GROUP, NOW), after(3));
        pace.give_back(GROUP, NOW);
        assert_eq!(pace.free_at(GROUP, NOW), NOW);
        pace.give_back(PERSON, NOW);
        assert!(pace.free_at(PERSON, NOW) <= NOW);
    }

    #[test]
    fn a_wait_only_grows_and_is_of_its_chat() {
        let mut pace = ChatPace::default();
        pace.pause(GROUP, after(40));
        pace.pause(GROUP, after(30));
        assert_eq!(pace.free_at(GROUP, NOW), after(40));
        assert!(pace.free_at(PERSON, NOW) <= NOW);
    }

    #[test]
    fn the_next_holder_knows_the_slots_that_lie_ahead_and_believes_no_clock_that_was() {
        let mut pace = ChatPace::default();
        pace.take(PERSON, NOW);
        pace.take(GROUP, NOW);
        let next = ChatPace::new(pace.ahead(after(2)));
        assert_eq!(next.free_at(GROUP, after(2)), after(3));
        assert!(next.free_at(PERSON, after(2)) <= NOW);
        let skewed = ChatPace::new([(GROUP, after(3600))].into());
        assert!(skewed.free_at(GROUP, NOW) <= NOW);
    }

    #[test]
    fn a_second_chat_that_is_refused_makes_it_the_bots_limit() {
        let mut scopes = Scopes::default();
        let alone = |scopes: &mut Scopes, chat| scopes.rate_limited(chat, Pacing::Alone);
        assert_eq!(alone(&mut scopes, PERSON), PauseScope::Chat);
        assert_eq!(alone(&mut scopes, PERSON), PauseScope::Chat);
        assert_eq!(alone(&mut scopes, GROUP), PauseScope::Bot);
        scopes.succeeded();
        assert_eq!(alone(&mut scopes, PERSON), PauseScope::Chat);
    }

    #[test]
    fn a_refusal_while_the_bot_sends_at_its_rate_is_the_bots_but_of_a_group() {
        for (chat, scope) in [(PERSON, PauseScope::Bot), (GROUP, PauseScope::Chat)] {
            assert_eq!(Scopes::default().rate_limited(chat, Pacing::Paced), scope);
        }
    }
}
