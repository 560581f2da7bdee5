//! One run of a bot's dispatcher: takes the lease, sends what is due, and releases.
//!
//! ```text
//! take --> look --> send, send, send ... each at its slot, beside one another, one to a chat
//!            ^        |  check the lease if it was read more than 250 ms ago
//!            +--------+  renew, then look again: a bell came, or 10 s are gone
//!                     |
//!                     +--> nothing due:   release, unless a bell came meanwhile
//!                     +--> all must wait, or the time is over:   release, and ring for later
//! ```
//!
//! The invariants are those of the dispatcher of a chat: nothing is sent without a live lease, or in a wait that was stored
//! before the last check; a message that was put before a bell is seen by the look that the bell causes.

mod release;

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use domain::actor::bucket::ACTOR_RATE;
use domain::id::BotId;
use domain::lease::{ChatLease, LEASE, LEASE_RESERVE, Paused, RunEnd, WAIT_MAX};
use domain::message::{MessageKey, MessageLane, MessageTask, Outbox, Step};
use domain::retry::AfterFailure;
use domain::time::Timestamp;
use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, try_join_all};
use futures_util::stream::FuturesUnordered;
use runtime::telemetry::chain;
use store::{FoundMessage, ListedGroup, MalformedMessage, Marking, Released, StoreError, Taking};
use telegram::Telegram;
use tokio::time::Instant;
use tracing::{error, warn};
use uuid::Uuid;

use crate::send::{self, SendEnd, Sending};
use crate::shared::Shared;
use crate::{App, settle};

/// How old what is known of the lease may be when a message is begun.
const CHECK_AFTER: Duration = Duration::from_millis(250);
/// How often the lease is read while messages are under way and nothing else is due.
const RECHECK: Duration = Duration::from_secs(1);
/// How soon after a look a bell causes the next one.
const LOOK_AFTER_BELL: Duration = Duration::from_millis(700);
/// How soon it is looked again in any case.
const LOOK_AFTER: Duration = Duration::from_secs(10);
/// How long before its slot a message is begun: what is read before must not make the calls uneven.
const LEAD: Duration = Duration::from_millis(30);
/// The most messages under way at once: Telegram answers late when it sleeps through a flood wait.
const UNDER_WAY_MAX: usize = 64;
/// How many tasks of a lane the first page shows.
const PAGE: i32 = 25;
/// How many groups are taken out of the list at one look.
const UNLISTED_MAX: usize = 25;
/// How many a further page shows: it is read because those before it must wait.
const FURTHER_PAGE: i32 = 100;
/// How often a bell that finds the lease held and then free tries again.
const TAKES: u32 = 3;

/// A message that was seen to.
struct FinishedSend {
    task: MessageTask,
    end: Result<SendEnd, StoreError>,
}

/// Serves a bot until nothing is due, all must wait, or `until` is over. What goes wrong is logged, and left to the tick.
pub(crate) async fn dispatch(app: &App, telegram: &Telegram, until: Instant) {
    let bot = telegram.bot();
    let dispatched = async {
        let spared = spared(app, bot).await?;
        for _ in 0..TAKES {
            let owner = Uuid::new_v4().to_string();
            // Measured from before the write, so that we never take the lease for longer than it is.
            let ends = app.clock.monotonic() + LEASE;
            let now = app.clock.now();
            match app.limits.take(bot, &owner, &bot.to_string(), now).await? {
                Taking::Ours(lease) => {
                    let run = OutboxRun::new(app, telegram, owner, *lease, ends, until);
                    run.shared.lock().limiter.spared = spared;
                    return run.serve().await;
                }
                Taking::Waiting | Taking::HeldAndRung => return Ok(()),
                Taking::Held => match app.limits.mark(bot, app.clock.now()).await? {
                    Marking::Rung => return Ok(()),
                    Marking::Free => {}
                },
            }
        }
        Ok(())
    };
    let dispatched: Result<(), StoreError> = dispatched.await;
    if let Err(fault) = dispatched {
        error!(bot.id = %bot, fault = "unavailable", "the messages of a bot can't be sent, the tick goes on: {}", chain(&fault));
    }
}

/// How many messages a second are left to the actors of the bot, who send beside this one: none if it has no actor.
async fn spared(app: &App, bot: BotId) -> Result<u32, StoreError> {
    let is_front = app.bots.iter().next().map(Telegram::bot) == Some(bot);
    let has_actors = is_front && app.actors.readership().await?.has_actors;
    Ok(if has_actors { ACTOR_RATE } else { 0 })
}

struct OutboxRun<'a> {
    app: &'a App,
    telegram: &'a Telegram,
    bot: BotId,
    owner: String,
    lease: ChatLease,
    /// When the lease lapses, by our own monotonic clock.
    ends: Instant,
    /// Until when messages may be begun.
    until: Instant,
    /// When the lease was read last.
    read_at: Instant,
    /// It was read for the message that is begun next, and nothing was waited for since.
    is_checked: bool,
    /// When the lanes were looked at last.
    looked_at: Instant,
    outbox: Outbox,
    shared: Arc<Shared>,
    sends: FuturesUnordered<BoxFuture<'a, FinishedSend>>,
    finished: Vec<FinishedSend>,
    /// The process died twice in a row: one message at a time, named before it is begun.
    is_careful: bool,
}

impl<'a> OutboxRun<'a> {
    fn new(
        app: &'a App,
        telegram: &'a Telegram,
        owner: String,
        lease: ChatLease,
        ends: Instant,
        until: Instant,
    ) -> Self {
        let (bot, now) = (telegram.bot(), app.clock.monotonic());
        let fresh = app.limits.new_limiter();
        Self {
            app,
            telegram,
            bot,
            owner,
            shared: Arc::new(Shared::new(&lease, bot, fresh, ends)),
            is_careful: lease.needs_care(),
            outbox: Outbox::new(lease.turns.clone()),
            lease,
            ends,
            until,
            read_at: now,
            is_checked: false,
            looked_at: now,
            sends: FuturesUnordered::new(),
            finished: Vec::new(),
        }
    }

    async fn serve(mut self) -> Result<(), StoreError> {
        let mut prepared = self.prepare().await;
        loop {
            let over = match prepared {
                Ok(true) => self.work().await,
                Ok(false) => Ok(RunEnd::Broken),
                Err(fault) => Err(fault),
            };
            let over = over.unwrap_or_else(|fault| {
                error!(bot.id = %self.bot, fault = "unavailable", "a run of the dispatcher ends early, the tick goes on: {}", chain(&fault));
                RunEnd::Broken
            });
            if over == RunEnd::Broken {
                // What has not left yet does not.
                self.shared.lock().is_broken = true;
            }
            while let Some(finished) = self.sends.next().await {
                self.finished.push(finished);
            }
            self.take_in();
            if self.release(over).await? == Released::Done {
                return Ok(());
            }
            // A bell came after the last look.
            prepared = self.look_again().await;
        }
    }

    /// Sees to what the last holder left, and looks.
    async fn prepare(&mut self) -> Result<bool, StoreError> {
        self.correct_pauses().await?;
        self.after_crash().await?;
        self.look().await?;
        Ok(true)
    }

    /// Renews and looks; answers whether the lease is still ours.
    async fn look_again(&mut self) -> Result<bool, StoreError> {
        let is_ours = self.renew().await?;
        if is_ours {
            self.look().await?;
        }
        Ok(is_ours)
    }

    /// Sends what is due until there is a reason to end.
    async fn work(&mut self) -> Result<RunEnd, StoreError> {
        loop {
            self.take_in();
            if self.shared.lock().is_broken {
                return Ok(RunEnd::Broken);
            }
            if self.app.clock.monotonic() >= self.until
                || self.app.is_stopping.load(Ordering::SeqCst)
            {
                return Ok(RunEnd::Budget);
            }
            let is_lapsing = self.ends < self.app.clock.monotonic() + LEASE_RESERVE;
            if (self.is_look_due() || is_lapsing) && !self.look_again().await? {
                return Ok(RunEnd::Broken);
            }
            let now = self.app.clock.now();
            match self.next(now) {
                Step::Read(lane, after) => self.read_on(lane, &after).await?,
                Step::Send(task) => {
                    if !self.begin(*task).await? {
                        return Ok(RunEnd::Broken);
                    }
                }
                Step::Drop(task) => self.drop_expired(*task),
                Step::Wait(at) if at <= now.plus(WAIT_MAX) || !self.sends.is_empty() => {
                    self.wait(at.minus(LEAD).min(now.plus(RECHECK))).await;
                    self.recheck().await?;
                }
                Step::Wait(at) => return Ok(RunEnd::Later(at)),
                Step::Nothing if !self.sends.is_empty() => {
                    self.wait(now.plus(RECHECK)).await;
                    self.recheck().await?;
                }
                Step::Nothing => match self.outbox.later(now) {
                    None => return Ok(RunEnd::Idle),
                    Some(at) if at <= now.plus(WAIT_MAX) => {
                        self.wait(at).await;
                        if !self.look_again().await? {
                            return Ok(RunEnd::Broken);
                        }
                    }
                    Some(at) => return Ok(RunEnd::Later(at)),
                },
            }
        }
    }

    /// What is to be done next.
    fn next(&mut self, now: Timestamp) -> Step {
        let under_way = self.sends.len();
        let shared = self.shared.lock();
        let is_full = under_way >= UNDER_WAY_MAX;
        let is_alone = self.is_careful || shared.limiter.circuit.is_open();
        if is_full || (is_alone && under_way > 0) {
            return Step::Wait(now.plus(RECHECK));
        }
        let free_at = shared.limiter.free_at(now);
        self.outbox.next(&shared.pace, free_at, now.plus(LEAD))
    }

    fn since(&self, earlier: Instant) -> Duration {
        let now = self.app.clock.monotonic();
        now.saturating_duration_since(earlier)
    }

    fn is_look_due(&self) -> bool {
        let since = self.since(self.looked_at);
        since >= LOOK_AFTER
            || (self.lease.is_rung && since >= LOOK_AFTER_BELL)
            || self.shared.lock().is_dirty
    }

    /// Waits until `at`, or until a message is seen to.
    async fn wait(&mut self, at: Timestamp) {
        self.is_checked = false;
        let sleep = self.app.clock.sleep_until(at);
        tokio::select! {
            biased;
            Some(finished) = self.sends.next(), if !self.sends.is_empty() => self.finished.push(finished),
            () = sleep => {}
        }
    }

    /// Carries `work` out while the messages that are under way go on.
    async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                Some(finished) = self.sends.next(), if !self.sends.is_empty() => self.finished.push(finished),
            }
        }
    }

    /// Takes in what became of the messages that were seen to.
    fn take_in(&mut self) {
        let finished: Vec<FinishedSend> = self.finished.drain(..).collect();
        for key in std::mem::take(&mut self.shared.lock().settled_beside) {
            self.outbox.forget(&key);
        }
        for FinishedSend { mut task, end } in finished {
            self.outbox.end(&task);
            match end {
                Ok(SendEnd::Done) => self.outbox.served(&task),
                Ok(SendEnd::Over) => {}
                Ok(SendEnd::NotSent) => self.outbox.give_back(task),
                Ok(SendEnd::Deferred(at, attempts)) => {
                    (task.retry_at, task.attempts) = (Some(at), attempts);
                    self.outbox.give_back(task);
                }
                Err(fault) => {
                    error!(message.id = %task.message, chat.id = %task.chat, bot.id = %self.bot, fault = "unavailable",
                        "a message could not be ended, it is met again: {}", chain(&fault));
                    self.shared.lock().is_broken = true;
                }
            }
        }
    }

    /// Reads all lanes at once.
    async fn look(&mut self) -> Result<(), StoreError> {
        self.looked_at = self.app.clock.monotonic();
        let (app, bot) = (self.app, self.bot);
        let groups: Vec<ListedGroup> = self.beside(app.messages.groups(bot)).await?;
        let of_groups = groups
            .iter()
            .map(|group| MessageLane::Group(bot, group.chat));
        let lanes: Vec<MessageLane> = MessageLane::private(bot).chain(of_groups).collect();
        let reads = lanes.into_iter().map(async |lane| {
            let page = app.messages.page(lane, None, PAGE).await?;
            Ok::<_, StoreError>((lane, page))
        });
        let pages = self.beside(try_join_all(reads)).await?;
        self.outbox.reset();
        let (mut malformed, mut empty) = (Vec::new(), BTreeSet::new());
        for (lane, page) in pages {
            if page.found.is_empty() {
                empty.insert(lane);
            }
            let (tasks, others) = page.split();
            self.outbox.add(lane, tasks);
            malformed.extend(others);
        }
        self.set_aside(&malformed).await?;
        // Each group that is listed costs a read at each look, and strangers can add the bot to many.
        let now = app.clock.now();
        let is_unused = |group: &ListedGroup| {
            group.is_old(now) && empty.contains(&MessageLane::Group(bot, group.chat))
        };
        let unused = groups.into_iter().filter(is_unused).take(UNLISTED_MAX);
        let unlisted = unused.map(|group| app.messages.unlist(bot, group, now));
        self.beside(try_join_all(unlisted)).await?;
        Ok(())
    }

    async fn read_on(&mut self, lane: MessageLane, after: &str) -> Result<(), StoreError> {
        let app = self.app;
        let page = app.messages.page(lane, Some(after), FURTHER_PAGE);
        let page = self.beside(page).await?;
        let (tasks, malformed) = page.split();
        self.outbox.add(lane, tasks);
        self.set_aside(&malformed).await
    }

    /// Moves what is not a task of ours out of the way.
    async fn set_aside(&mut self, all: &[MalformedMessage]) -> Result<(), StoreError> {
        for malformed in all {
            error!(bot.id = %self.bot, task.key = malformed.key.place, fault = "poison",
                "a task of a message has no usable {}; it lies in the lane of parked ones", malformed.attribute);
            let app = self.app;
            self.beside(app.messages.set_aside(self.bot, malformed))
                .await?;
        }
        Ok(())
    }

    /// Begins a message at the next slot of the bot; answers whether the lease is still ours.
    async fn begin(&mut self, task: MessageTask) -> Result<bool, StoreError> {
        let may_begin = match std::mem::take(&mut self.is_checked) {
            // A table that is slow slows the messages and does not stop them.
            true => self.since(self.read_at) < LEASE_RESERVE,
            false => self.since(self.read_at) <= CHECK_AFTER,
        };
        if !may_begin {
            self.outbox.give_back(task);
            let is_ours = self.check().await?;
            self.is_checked = is_ours;
            return Ok(is_ours);
        }
        if self.is_careful {
            let key = task.key().to_string();
            let (app, owner) = (self.app, self.owner.clone());
            let noted = app.limits.set_doing(self.bot, &owner, Some(&key));
            if !self.beside(noted).await? {
                return Ok(false);
            }
        }
        let now = self.app.clock.now();
        let (slot, pacing) = self.shared.lock().begin(task.chat, now);
        self.outbox.begin(&task);
        let sending = Sending {
            app: self.app,
            telegram: self.telegram,
            run: self.owner.clone(),
            slot,
            pacing,
            shared: Arc::clone(&self.shared),
        };
        self.sends.push(Box::pin(async move {
            let trace = task.trace.clone();
            let end = runtime::trace::within(trace.as_deref(), send::run(&sending, &task)).await;
            FinishedSend { task, end }
        }));
        Ok(true)
    }

    /// Drops a message whose time is over.
    fn drop_expired(&mut self, task: MessageTask) {
        self.outbox.begin(&task);
        let (app, owner) = (self.app, self.owner.clone());
        self.sends.push(Box::pin(async move {
            let end = send::drop_expired(app, &owner, &task).await;
            FinishedSend { task, end }
        }));
    }

    /// Reads the lease, and takes over what others stored in it; answers whether it is still ours.
    async fn check(&mut self) -> Result<bool, StoreError> {
        let read_at = self.app.clock.monotonic();
        let app = self.app;
        let lease = self.beside(app.limits.get(self.bot)).await?;
        let is_ours = lease.owner.as_deref() == Some(&self.owner)
            && lease
                .until
                .is_some_and(|until| until > self.app.clock.now());
        if !is_ours {
            warn!(bot.id = %self.bot, outcome = "lost", "the lease of a bot's messages lapsed in mid-work");
            return Ok(false);
        }
        self.read_at = read_at;
        self.take_over(lease).await?;
        Ok(true)
    }

    /// Reads the lease now and then while nothing is begun, so that a bell is heard.
    async fn recheck(&mut self) -> Result<(), StoreError> {
        if self.since(self.read_at) >= RECHECK && !self.check().await? {
            self.shared.lock().is_broken = true;
        }
        Ok(())
    }

    /// Renews the lease and clears its bell; a look must follow. Answers whether it is still ours.
    async fn renew(&mut self) -> Result<bool, StoreError> {
        let (read_at, now) = (self.app.clock.monotonic(), self.app.clock.now());
        let learned = {
            let mut shared = self.shared.lock();
            shared.is_dirty = false;
            shared.learned(self.bot, self.outbox.turns(), now)
        };
        let (app, owner) = (self.app, self.owner.clone());
        let renewed = app.limits.renew(self.bot, &owner, &learned, now);
        let Some(lease) = self.beside(renewed).await? else {
            warn!(bot.id = %self.bot, outcome = "lost", "the lease of a bot's messages could not be renewed");
            return Ok(false);
        };
        self.read_at = read_at;
        self.ends = read_at + LEASE;
        self.shared.lock().ends = self.ends;
        self.take_over(lease).await?;
        Ok(true)
    }

    async fn take_over(&mut self, lease: ChatLease) -> Result<(), StoreError> {
        self.shared.lock().take_over(&lease);
        self.lease = lease;
        self.correct_pauses().await
    }

    /// Puts right what a clock stored that was ahead of ours.
    async fn correct_pauses(&mut self) -> Result<(), StoreError> {
        let (now, app) = (self.app.clock.now(), self.app);
        let of_bot = self.lease.pauses.iter();
        let of_bot = of_bot.map(|(bot, pause)| (Paused::Bot(*bot), *pause));
        let of_chats = self.lease.chat_pauses.iter();
        let of_chats = of_chats.map(|(chat, pause)| (Paused::Chat(*chat), *pause));
        let wrong: Vec<_> = of_bot
            .chain(of_chats)
            .filter_map(|(paused, stored)| Some((paused, stored, stored.corrected(now)?)))
            .collect();
        for (paused, stored, corrected) in wrong {
            warn!(bot.id = %self.bot, fault = "clock", "a wait was stored by a clock that was ahead; it counts from now on");
            let put = app
                .limits
                .correct_pause(self.bot, paused, stored, corrected);
            self.beside(put).await?;
            let mut shared = self.shared.lock();
            match paused {
                Paused::Bot(bot) => {
                    self.lease.pauses.insert(bot, corrected);
                    shared.limiter.paused_until = corrected.until;
                }
                Paused::Chat(chat) => {
                    self.lease.chat_pauses.insert(chat, corrected);
                    shared.pace.correct(chat, corrected.until);
                }
            }
        }
        Ok(())
    }

    /// The last holder died while it worked on one message alone: that waits, and is parked at the fifth time.
    async fn after_crash(&mut self) -> Result<(), StoreError> {
        let Some(key) = self.lease.doing.take() else {
            return Ok(());
        };
        let (app, now) = (self.app, self.app.clock.now());
        if let Ok(key) = key.parse::<MessageKey>()
            && let Some(FoundMessage::Task(task)) = app.messages.task(&key).await?
        {
            let crashes = task.crashes.saturating_add(1);
            error!(message.id = %task.message, bot.id = %self.bot, task.crashes = crashes, fault = "killed",
                "the process died while it worked on a message alone");
            match task.after_crash(fastrand::f64()) {
                AfterFailure::Wait(wait) => {
                    let at = now.plus(wait);
                    app.messages.note_death(&task, crashes, at).await?;
                }
                AfterFailure::GiveUp => {
                    const REASON: &str = "the process died five times while it worked on this";
                    settle::park(app, &task, "killed", REASON).await?;
                }
            }
        }
        app.limits.set_doing(self.bot, &self.owner, None).await?;
        Ok(())
    }
}
