//! One call about a task, and what its failure means: for the task, and for the bot that made it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use domain::fault::Fault;
use domain::id::{ChatId, InviteLink, RequestId};
use domain::lease::Paused;
use domain::limiter::{Cause, Charged, Pacing};
use domain::retry::backoff;
use domain::task::{Revoke, Task, Work};
use domain::time::Timestamp;
use runtime::telemetry::chain;
use store::StoreError;
use telegram::{Telegram, TelegramError};
use tracing::{error, warn};

use crate::App;
use crate::board::{Board, Leaving};

/// How often a chat is followed in one run that has moved. Two that point at each other would be followed for ever.
const MOVES_MAX: u32 = 2;

/// A bot at the slot of a task.
pub(crate) struct Call<'a> {
    pub(crate) app: &'a App,
    pub(crate) bot: &'a Telegram,
    /// The chat by which its payments are known.
    pub(crate) canonical_chat: ChatId,
    /// The chat's id, as it is configured.
    pub(crate) configured: ChatId,
    pub(crate) slot: Timestamp,
    pub(crate) pacing: Pacing,
    pub(crate) board: Arc<Board>,
}

/// How a task ended for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskEnd {
    /// It is out of its lane, or another write left nothing of it to be done.
    Done,
    /// It waits for its own sake until then.
    Deferred(Timestamp),
    /// It is due as before: its call was not made, or was not its own failure.
    NotCalled,
}

/// Whose a failure is.
pub(crate) enum Failed {
    /// The bot's, or the chat's: the task is due as before, and no try is counted.
    NotCounted,
    /// The same, but the task is to wait until then.
    NotCountedUntil(Timestamp),
    /// The task's own.
    Own,
}

impl Call<'_> {
    /// The id by which the chat is called now.
    pub(crate) fn chat(&self) -> ChatId {
        self.board.lock().chat
    }

    /// Waits for the slot; answers whether the call may be made then: its bot may have been told to wait meanwhile, a person
    /// may have stopped the chat, and a process that was frozen has lost the lease.
    pub(crate) async fn reach_slot(&self) -> bool {
        self.app.clock.sleep_until(self.slot).await;
        let leaving = {
            let (now, monotonic) = (self.app.clock.now(), self.app.clock.monotonic());
            self.board.lock().leave(self.bot.bot(), now, monotonic)
        };
        if let Leaving::At(at) = leaving {
            self.app.clock.sleep_until(at).await;
        }
        let (now, monotonic) = (self.app.clock.now(), self.app.clock.monotonic());
        let board = self.board.lock();
        leaving != Leaving::Paused
            && !board.is_broken
            && monotonic < board.ends
            && !self.app.is_stopping.load(Ordering::SeqCst)
            && board.may_leave(self.bot.bot(), now)
    }

    /// A call went well.
    pub(crate) fn succeeded(&self) {
        let mut board = self.board.lock();
        if let Some(limiter) = board.limiters.get_mut(&self.bot.bot()) {
            limiter.succeeded(self.pacing);
        }
    }

    /// A call failed: what the bot and all who call for this chat must know of it is noted before anything else.
    pub(crate) async fn failed(&self, task: &Task, failure: &TelegramError) -> Failed {
        let (app, bot, now) = (self.app, self.bot.bot(), self.app.clock.now());
        let chat = self.chat();
        let fault = failure.fault();
        match fault {
            Fault::RateLimited { after } => {
                let pause = {
                    let mut board = self.board.lock();
                    let limiter = board.limiters.get_mut(&bot);
                    limiter.map(|limiter| limiter.rate_limited(after, now))
                };
                if let Some(pause) = pause
                    && let Err(fault) = app
                        .limits
                        .pause(self.canonical_chat, Paused::Bot(bot), pause)
                        .await
                {
                    error!(chat.id = %chat, bot.id = %bot, fault = "unavailable", "a wait could not be stored: {}", chain(&fault));
                    self.board.lock().is_broken = true;
                }
                warn!(chat.id = %chat, bot.id = %bot, fault = fault.as_str(), retry_after_s = after.as_secs(), "Telegram limits the rate of a bot in a chat");
                Failed::NotCounted
            }
            Fault::Migrated(to) if to != chat => {
                // What the webhook reads goes first: from the lease on nobody calls the old id, so that this is not met again.
                let noted = async {
                    let canonical_chat = self.canonical_chat;
                    app.chat_infos.moved(canonical_chat, to, now).await?;
                    app.limits
                        .migrate(canonical_chat, self.configured, to)
                        .await
                };
                if let Err(fault) = noted.await {
                    error!(chat.id = %chat, fault = "unavailable", "the new id of a chat could not be stored: {}", chain(&fault));
                    self.board.lock().is_broken = true;
                }
                let is_circle = {
                    let mut board = self.board.lock();
                    board.chat = to;
                    board.moves += 1;
                    board.moves > MOVES_MAX
                };
                if is_circle {
                    self.open_circuit(now);
                }
                error!(chat.id = %chat, chat.moved_to = %to, fault = fault.as_str(),
                    "the group became a supergroup: name it in TELEGRAM_CHAT_ID as new=old");
                Failed::NotCounted
            }
            Fault::ChatFault if task.work.makes_link() => {
                self.open_circuit(now);
                error!(chat.id = %chat, bot.id = %bot, fault = fault.as_str(),
                    "the bot can't work in the chat, its tasks wait or go to another bot until that is fixed: {}", chain(failure));
                Failed::NotCounted
            }
            // It may be about this link alone; the next mint will tell.
            Fault::ChatFault => match self.charge(task, failure, now) {
                Failed::Own => {
                    let wait = backoff(app.rules.base_backoff, task.attempts, fastrand::f64());
                    Failed::NotCountedUntil(now.plus(wait))
                }
                opened => opened,
            },
            Fault::Retry
            | Fault::Unknown
            | Fault::Permanent
            | Fault::Refused
            | Fault::Migrated(_) => self.charge(task, failure, now),
        }
    }

    /// The bot can't work in the chat.
    fn open_circuit(&self, now: Timestamp) {
        let mut board = self.board.lock();
        board.is_dirty = true;
        if let Some(limiter) = board.limiters.get_mut(&self.bot.bot()) {
            limiter.circuit.chat_fault(now);
        }
    }

    /// Lays a failure to the task's account, unless different tasks in a row have failed alike.
    fn charge(&self, task: &Task, failure: &TelegramError, now: Timestamp) -> Failed {
        let (bot, fault) = (self.bot.bot(), failure.fault());
        let cause = Cause::of(fault, failure.kind());
        let mut board = self.board.lock();
        let Some(limiter) = board.limiters.get_mut(&bot) else {
            return Failed::Own;
        };
        let is_trouble = cause == Cause::Failure;
        if limiter.circuit.failed(&task.name(), cause, now) == Charged::Own {
            return Failed::Own;
        }
        let due = limiter.circuit.due_after_probe();
        board.is_dirty = true;
        drop(board);
        let (chat, sentence) = (self.chat(), chain(failure));
        if is_trouble {
            warn!(chat.id = %chat, bot.id = %bot, fault = fault.as_str(), "the calls of a bot fail one after another, they are made slowly: {sentence}");
        } else {
            error!(chat.id = %chat, bot.id = %bot, fault = "chat_fault",
                "Telegram refuses whatever the bot asks in the chat, its tasks wait or go to another bot until that is fixed: {sentence}");
        }
        Failed::NotCountedUntil(due)
    }

    /// Has the task wait until `at`; no try is counted.
    pub(crate) async fn defer(
        &self,
        task: &Task,
        at: Timestamp,
        attempts: u32,
        failure: &TelegramError,
    ) -> Result<TaskEnd, StoreError> {
        let sentence = chain(failure);
        self.app.tasks.defer(task, at, attempts, &sentence).await?;
        Ok(TaskEnd::Deferred(at))
    }

    /// Has a link of this bot revoked, which must never be seen. Durable on return.
    pub(crate) async fn revoke_later(
        &self,
        link: &InviteLink,
        request_id: Option<RequestId>,
    ) -> Result<(), StoreError> {
        let revoke = Revoke {
            invite_link: link.clone(),
            bot: self.bot.bot(),
            request_id,
        };
        let task = Task::new(
            self.canonical_chat,
            Work::Revoke(revoke),
            self.app.clock.now(),
        );
        let task = task.traced(runtime::trace::header());
        self.app.tasks.put(&task).await
    }
}
