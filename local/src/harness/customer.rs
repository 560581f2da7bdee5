//! The customer: a person of Telegram's, who taps links and comes and goes.

use simulators::telegram::{
    Conversation, SeenButton, SeenMessage, StartPayload, StartTap, Tap, Telegram, User,
};

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

    /// Taps a claim link, then START in the bot that it opens.
    ///
    /// # Panics
    /// If it opens no bot.
    pub fn claim_by(&self, link: &str) {
        let user = User::new(self.id);
        let tap = self
            .telegram
            .taps_start_link(link, &user, StartPayload::Kept);
        assert!(matches!(tap, StartTap::Started(_)), "{tap:?} by {link}");
    }

    /// Writes something to a bot.
    pub fn say(&self, bot_id: i64, text: &str) {
        let conversation = Conversation::private(bot_id, self.id);
        self.telegram.says(conversation, &User::new(self.id), text);
    }

    /// What a bot has sent them, the oldest first.
    #[must_use]
    pub fn messages_of(&self, bot_id: i64) -> Vec<SeenMessage> {
        let mut all = self
            .telegram
            .messages(Conversation::private(bot_id, self.id));
        all.retain(|message| message.from_id == Some(bot_id));
        all
    }

    /// The addresses that the buttons below a bot's last message open.
    #[must_use]
    pub fn ways_in(&self, bot_id: i64) -> Vec<String> {
        let last = self.messages_of(bot_id).pop();
        let buttons = last.map(|message| message.buttons).unwrap_or_default();
        let opened = buttons
            .into_iter()
            .flatten()
            .filter_map(|button: SeenButton| button.url);
        opened.collect()
    }

    /// Whether they are in the chat.
    #[must_use]
    pub fn is_in(&self) -> bool {
        self.telegram.status(self.chat, self.id).is_present()
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
