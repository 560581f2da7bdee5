//! The customer: a person of Telegram's, who taps links and comes and goes.

use simulators::telegram::{Tap, Telegram, User};

/// A person, and the chat that they want to be in.
pub struct Customer {
    telegram: Telegram,
    chat: i64,
    id: i64,
}

impl Customer {
    pub(super) fn new(telegram: Telegram, chat: i64, id: i64) -> Self {
        Self { telegram, chat, id }
    }

    /// Taps a link, and answers what Telegram shows.
    #[must_use]
    pub fn tap(&self, link: &str) -> Tap {
        self.telegram.tap(link, User::new(self.id))
    }

    /// Taps a link that must let them in.
    ///
    /// # Panics
    /// If it does not.
    pub fn join_by(&self, link: &str) {
        assert_eq!(self.tap(link), Tap::Joined, "{} by {link}", self.id);
    }

    /// Leaves the chat.
    pub fn leave(&self) {
        self.telegram.leave(self.chat, self.id);
    }

    /// Is added to the chat by its owner's hand, without a link.
    pub fn is_added(&self) {
        self.telegram.add_by_admin(self.chat, User::new(self.id));
    }
}
