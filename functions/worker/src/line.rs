//! The lines of one chat as one invocation knows them: one a bot.

use std::sync::atomic::{AtomicBool, Ordering};

use common::domain::id::{BotId, ChatId};
use common::domain::time::Timestamp;
use common::store::{PaceKey, StoreError};
use common::telegram::Telegram;
use tokio::sync::Notify;

use crate::App;

/// How long it is taken as known whether the chats of a bot share a limit.
const KNOWN_FOR: std::time::Duration = std::time::Duration::from_secs(10);

/// One bot in one chat, as one invocation serves it.
pub(crate) struct Line<'a> {
    pub(crate) bot: &'a Telegram,
    pub(crate) chat: ChatId,
    /// Whose line gives the slots: the pair's own, or the bot's, if its chats share a limit.
    pub(crate) slots: PaceKey,
    /// Set when the line was paused or moved, so that the jobs of this invocation that wait for its slots ask again.
    changed: AtomicBool,
    /// Wakes them.
    wake: Notify,
}

impl<'a> Line<'a> {
    pub(crate) async fn of(
        app: &App,
        bot: &'a Telegram,
        chat: ChatId,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let slots = if shares_a_limit(app, bot.bot(), now).await? {
            PaceKey::of_bot(bot.bot())
        } else {
            PaceKey {
                bot: bot.bot(),
                chat,
            }
        };
        Ok(Self {
            bot,
            chat,
            slots,
            changed: AtomicBool::new(false),
            wake: Notify::new(),
        })
    }

    /// The line was paused or moved: its slots are no more.
    pub(crate) fn change(&self) {
        self.changed.store(true, Ordering::Relaxed);
        self.wake.notify_waiters();
    }

    /// Waits until `wait` is over; answers whether the line still is as it was.
    pub(crate) async fn holds_for(&self, wait: impl Future<Output = ()>) -> bool {
        // Listening starts before looking, so that no change in between is missed.
        let woken = self.wake.notified();
        if !self.changed.load(Ordering::Relaxed) {
            tokio::select! {
                biased;
                () = woken => {}
                () = wait => {}
            }
        }
        !self.changed.load(Ordering::Relaxed)
    }

    /// The record of the bot in this chat: whether it can work there, and where the chat moved.
    pub(crate) fn pair(&self) -> PaceKey {
        PaceKey {
            bot: self.bot.bot(),
            chat: self.chat,
        }
    }
}

/// Whether the chats of the bot were found to share one limit.
async fn shares_a_limit(app: &App, bot: BotId, now: Timestamp) -> Result<bool, StoreError> {
    if let Some((shares, _)) = app
        .known_limits()
        .get(&bot)
        .filter(|(_, at)| now.since(*at) < KNOWN_FOR)
    {
        return Ok(*shares);
    }
    let line = app.paces.read(PaceKey::of_bot(bot)).await?;
    let shares = line.pace.shared_until > now;
    app.known_limits().insert(bot, (shares, now));
    Ok(shares)
}
