//! One run of a chat's dispatcher: takes the lease, does what is due, and releases.
//!
//! ```text
//! take --> look --> begin, begin, begin ... each at its slot, beside one another
//!            ^        |  check the lease if it was read more than 250 ms ago
//!            +--------+  renew, then look again: a bell came, or 10 s are gone
//!                     |
//!                     +--> nothing due:   release, unless a bell came meanwhile
//!                     +--> all must wait, or the time is over:   release, and ring for later
//! ```
//!
//! Whoever dies on the way leaves a lease that lapses, and tasks that are met again. The invariants: no call without a live
//! lease, or in a wait that was stored before the last check; a task that was committed before a bell is seen by the look
//! that the bell causes.

mod release;

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use domain::id::{BotId, ChatId};
use domain::lanes::{BotState, Lanes, Next, UnderWay};
use domain::lease::{ChatLease, LEASE, LEASE_RESERVE, Paused, RunEnd, WAIT_MAX};
use domain::retry::AfterFailure;
use domain::task::{Lane, Task, TaskKey};
use domain::time::Timestamp;
use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, try_join_all};
use futures_util::stream::FuturesUnordered;
use runtime::telemetry::chain;
use store::{Found, LanePage, Malformed, Marking, Released, StoreError, Taking};
use tokio::time::Instant;
use tracing::{error, warn};
use uuid::Uuid;

use crate::App;
use crate::board::{Board, LEAD};
use crate::call::{Call, TaskEnd};
use crate::{given_up, waiting};

/// How old what is known of the lease may be when a call is begun.
const CHECK_AFTER: Duration = Duration::from_millis(250);
/// How often the lease is read while calls are under way and nothing else is due.
const RECHECK: Duration = Duration::from_secs(1);
/// How soon after a look a bell causes the next one.
const LOOK_AFTER_BELL: Duration = Duration::from_secs(1);
/// How soon it is looked again in any case.
const LOOK_AFTER: Duration = Duration::from_secs(10);
/// How many tasks of a lane one page shows.
const PAGE: i32 = 25;
/// How often a bell that finds the lease held and then free tries again.
const TAKES: u32 = 3;

/// Until when calls may be begun.
#[derive(Clone, Copy)]
pub(crate) struct Budget {
    pub(crate) until: Instant,
}

/// A call that is over.
struct Finished {
    task: Task,
    bot: BotId,
    end: Result<TaskEnd, StoreError>,
}

/// Serves a chat until nothing is due, all must wait, or the budget is over. What goes wrong is logged, and left to the
/// tick.
pub(crate) async fn dispatch(app: &App, chat: ChatId, budget: Budget) {
    let dispatched = async {
        for _ in 0..TAKES {
            let owner = Uuid::new_v4().to_string();
            // Measured from before the write, so that we never take the lease for longer than it is.
            let ends = app.clock.monotonic() + LEASE;
            let now = app.clock.now();
            let taking = app.limits.take(chat, &owner, &app.bot_ids(), now).await?;
            match taking {
                Taking::Ours(lease) => {
                    let run = Run::new(app, chat, owner, *lease, ends, budget);
                    return run.serve().await;
                }
                Taking::Waiting | Taking::HeldAndRung => return Ok(()),
                Taking::Held => match app.limits.mark(chat, app.clock.now()).await? {
                    Marking::Rung => return Ok(()),
                    Marking::Free => {}
                },
            }
        }
        Ok(())
    };
    let dispatched: Result<(), StoreError> = dispatched.await;
    if let Err(fault) = dispatched {
        error!(chat.id = %chat, fault = "unavailable", "the tasks of a chat can't be served, the tick goes on: {}", chain(&fault));
    }
}

struct Run<'a> {
    app: &'a App,
    chat: ChatId,
    configured: ChatId,
    owner: String,
    lease: ChatLease,
    /// When the lease lapses, by our own monotonic clock.
    ends: Instant,
    budget: Budget,
    /// When the lease was read last.
    read_at: Instant,
    /// It was read for the task that is begun next, and nothing was waited for since.
    is_checked: bool,
    /// When the lanes were looked at last.
    looked_at: Instant,
    lanes: Lanes,
    under_way: UnderWay,
    board: std::sync::Arc<Board>,
    calls: FuturesUnordered<BoxFuture<'a, Finished>>,
    finished: Vec<Finished>,
    /// Until when those had asked who wait long and were told so.
    told_until: Option<Timestamp>,
    /// The process died twice in a row: one task at a time, named before it is begun.
    is_careful: bool,
}

impl<'a> Run<'a> {
    fn new(
        app: &'a App,
        chat: ChatId,
        owner: String,
        lease: ChatLease,
        ends: Instant,
        budget: Budget,
    ) -> Self {
        let configured = app.chats.named(chat).map_or(chat, |(id, _)| id);
        let bots = app.bots.iter().map(telegram::Telegram::bot);
        let fresh = app.limits.new_limiter();
        let now = app.clock.monotonic();
        Self {
            app,
            chat,
            configured,
            owner,
            board: std::sync::Arc::new(Board::new(&lease, configured, bots, &fresh, ends)),
            is_careful: lease.needs_care(),
            lease,
            ends,
            budget,
            read_at: now,
            is_checked: false,
            looked_at: now,
            lanes: Lanes::new(chat, [].into_iter(), app.clock.now()),
            under_way: UnderWay::default(),
            calls: FuturesUnordered::new(),
            finished: Vec::new(),
            told_until: None,
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
                error!(chat.id = %self.chat, fault = "unavailable", "a run of the dispatcher ends early, the tick goes on: {}", chain(&fault));
                RunEnd::Broken
            });
            if over == RunEnd::Broken {
                // What has not called yet does not.
                self.board.lock().is_broken = true;
            }
            while let Some(finished) = self.calls.next().await {
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

    /// Begins what is due until there is a reason to end.
    async fn work(&mut self) -> Result<RunEnd, StoreError> {
        loop {
            self.take_in();
            if self.board.lock().is_broken {
                return Ok(RunEnd::Broken);
            }
            if self.app.clock.monotonic() >= self.budget.until
                || self.app.is_stopping.load(Ordering::SeqCst)
            {
                return Ok(RunEnd::Budget);
            }
            let is_lapsing = self.ends < self.app.clock.monotonic() + LEASE_RESERVE;
            if (self.is_look_due() || is_lapsing) && !self.look_again().await? {
                return Ok(RunEnd::Broken);
            }
            let now = self.app.clock.now();
            if let Some(until) = self.lease.stopped_until(now) {
                if self.calls.is_empty() {
                    return Ok(RunEnd::Later(until));
                }
                self.wait(now.plus(RECHECK)).await;
                self.recheck().await?;
                continue;
            }
            let bots = self.board.lock().bots(self.bots(), now);
            let soon = now.plus(LEAD);
            let next = if self.is_careful && !self.calls.is_empty() {
                Next::Wait(now.plus(RECHECK))
            } else {
                self.lanes.next(&bots, soon, &self.under_way)
            };
            match next {
                Next::Read(lane, after) => self.read_on(lane, &after).await?,
                Next::Begin(task, bot) => {
                    if !self.begin(*task, bot).await? {
                        return Ok(RunEnd::Broken);
                    }
                }
                Next::Wait(at) if at <= now.plus(WAIT_MAX) || !self.calls.is_empty() => {
                    let poll = now.plus(RECHECK);
                    self.wait(at.minus(LEAD).min(poll)).await;
                    self.recheck().await?;
                }
                Next::Wait(at) => return Ok(RunEnd::Later(at)),
                Next::Nothing if !self.calls.is_empty() => {
                    self.wait(now.plus(RECHECK)).await;
                    self.recheck().await?;
                }
                Next::Nothing if self.lanes.is_late => {
                    self.wait(now.plus(LOOK_AFTER_BELL)).await;
                    if !self.look_again().await? {
                        return Ok(RunEnd::Broken);
                    }
                }
                Next::Nothing => match self.later(&bots, now) {
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

    fn bots(&self) -> impl Iterator<Item = BotId> + use<'a> {
        self.app.bots.iter().map(telegram::Telegram::bot)
    }

    /// When there may be something to do that is not due yet: for a task that waits, or in the lane of a bot that waits,
    /// which was not read.
    fn later(&self, bots: &[BotState], now: Timestamp) -> Option<Timestamp> {
        let unread = bots.iter().filter(|state| !self.lanes.reads(state.bot));
        let unread = unread.map(|state| state.free_at.max(now));
        self.lanes.deferred_until.into_iter().chain(unread).min()
    }

    fn since(&self, earlier: Instant) -> Duration {
        let now = self.app.clock.monotonic();
        now.saturating_duration_since(earlier)
    }

    fn is_look_due(&self) -> bool {
        let since = self.since(self.looked_at);
        since >= LOOK_AFTER
            || (self.lease.is_rung && since >= LOOK_AFTER_BELL)
            || self.board.lock().is_dirty
    }

    /// Waits until `at`, or until a call is over.
    async fn wait(&mut self, at: Timestamp) {
        self.is_checked = false;
        let sleep = self.app.clock.sleep_until(at);
        tokio::select! {
            biased;
            Some(finished) = self.calls.next(), if !self.calls.is_empty() => self.finished.push(finished),
            () = sleep => {}
        }
    }

    /// Carries `work` out while the calls that are under way go on.
    async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                Some(finished) = self.calls.next(), if !self.calls.is_empty() => self.finished.push(finished),
            }
        }
    }

    /// Takes in what the calls came to that are over.
    fn take_in(&mut self) {
        let finished: Vec<Finished> = self.finished.drain(..).collect();
        for Finished { task, bot, end } in finished {
            self.under_way.end(&task);
            self.board.lock().end(bot);
            match end {
                Ok(TaskEnd::Done) => {}
                Ok(TaskEnd::Deferred(at)) => self.lanes.defer(Some(at)),
                Ok(TaskEnd::NotCalled) => self.lanes.give_back(task),
                Err(fault) => {
                    error!(invite.id = task.request_id().map(tracing::field::display), chat.id = %self.chat, fault = "unavailable",
                        "a task could not be ended, it is met again: {}", chain(&fault));
                    self.board.lock().is_broken = true;
                }
            }
        }
    }

    /// Reads all lanes at once, but those of bots that wait.
    async fn look(&mut self) -> Result<(), StoreError> {
        self.looked_at = self.app.clock.monotonic();
        let now = self.app.clock.now();
        let bots = self.board.lock().bots(self.bots(), now);
        let near = bots
            .iter()
            .filter(|state| state.free_at <= now.plus(WAIT_MAX));
        let mut lanes = Lanes::new(self.chat, near.map(|state| state.bot), now);
        let app = self.app;
        let reads = lanes.lanes().into_iter().map(async |lane| {
            let page = app.tasks.page(lane, None, PAGE).await?;
            Ok::<_, StoreError>((lane, page))
        });
        let pages = self.beside(try_join_all(reads)).await?;
        let mut malformed = Vec::new();
        for (lane, page) in pages {
            let (tasks, others) = page.split();
            lanes.add(lane, tasks, &self.under_way, now);
            malformed.extend(others);
        }
        self.lanes = lanes;
        self.tell_who_waits(now).await;
        self.set_aside(&malformed).await?;
        self.unknown_bots().await
    }

    /// Nothing is read for it while nobody waits long.
    async fn tell_who_waits(&mut self, now: Timestamp) {
        let oldest = self.lanes.oldest();
        if !oldest.is_some_and(|oldest| waiting::is_long(oldest, now)) {
            return;
        }
        let (app, chat, told_until) = (self.app, self.chat, self.told_until);
        let under_way = self.under_way.clone();
        let told = waiting::tell(app, chat, told_until, move |task| under_way.has(task));
        self.told_until = self.beside(told).await;
    }

    async fn read_on(&mut self, lane: Lane, after: &str) -> Result<(), StoreError> {
        let app = self.app;
        let page: LanePage = self.beside(app.tasks.page(lane, Some(after), PAGE)).await?;
        let now = self.app.clock.now();
        let (tasks, malformed) = page.split();
        self.lanes.add(lane, tasks, &self.under_way, now);
        self.set_aside(&malformed).await
    }

    /// Moves what is not a task of ours out of the way.
    async fn set_aside(&mut self, all: &[Malformed]) -> Result<(), StoreError> {
        for malformed in all {
            error!(chat.id = %self.chat, task.key = malformed.key.key, fault = "poison",
                "a task has no usable {}; it lies in the lane of failed ones", malformed.attribute);
            let app = self.app;
            self.beside(app.tasks.set_aside(self.chat, malformed))
                .await?;
        }
        Ok(())
    }

    /// Sees to the lanes of bots that made links here once, and that `TELEGRAM_BOT_TOKEN` does not name any more.
    async fn unknown_bots(&mut self) -> Result<(), StoreError> {
        let known: Vec<BotId> = self.bots().collect();
        let unknown: Vec<BotId> = self.lease.limiters.keys().copied().collect();
        for bot in unknown.into_iter().filter(|bot| !known.contains(bot)) {
            let page = self
                .app
                .tasks
                .page(Lane::Bot(self.chat, bot), None, PAGE)
                .await?;
            for found in page.found {
                let Found::Task(task) = found else { continue };
                match crate::replace::without_its_bot(self.app, &task).await {
                    Err(fault @ StoreError::Malformed { .. }) => {
                        given_up::set_aside(self.app, &task, &fault).await?;
                    }
                    seen_to => seen_to?,
                }
            }
        }
        Ok(())
    }

    /// Begins a task at the next slot of its bot; answers whether the lease is still ours.
    async fn begin(&mut self, task: Task, bot: BotId) -> Result<bool, StoreError> {
        let may_begin = match std::mem::take(&mut self.is_checked) {
            // A table that is slow slows the calls and does not stop them.
            true => self.since(self.read_at) < LEASE_RESERVE,
            false => self.since(self.read_at) <= CHECK_AFTER,
        };
        if !may_begin {
            self.lanes.give_back(task);
            let is_ours = self.check().await?;
            self.is_checked = is_ours;
            return Ok(is_ours);
        }
        if self.is_careful {
            let key = task.key().to_string();
            let (app, owner) = (self.app, self.owner.clone());
            let noted = app.limits.set_doing(self.chat, &owner, Some(&key));
            if !self.beside(noted).await? {
                return Ok(false);
            }
        }
        let now = self.app.clock.now();
        let Some((slot, pacing)) = self.board.lock().begin(bot, now) else {
            return Ok(true);
        };
        let Some(telegram) = self.app.bots.get(bot) else {
            return Ok(true);
        };
        self.under_way.begin(&task);
        let call = Call {
            app: self.app,
            bot: telegram,
            canonical_chat: self.chat,
            configured: self.configured,
            slot,
            pacing,
            board: std::sync::Arc::clone(&self.board),
        };
        self.calls.push(Box::pin(async move {
            let trace = task.trace.clone();
            let end =
                runtime::trace::within(trace.as_deref(), crate::task::run(&call, &task)).await;
            Finished { task, bot, end }
        }));
        Ok(true)
    }

    /// Reads the lease, and takes over what others stored in it; answers whether it is still ours.
    async fn check(&mut self) -> Result<bool, StoreError> {
        let read_at = self.app.clock.monotonic();
        let app = self.app;
        let lease = self.beside(app.limits.get(self.chat)).await?;
        let is_ours = lease.owner.as_deref() == Some(&self.owner)
            && lease
                .until
                .is_some_and(|until| until > self.app.clock.now());
        if !is_ours {
            warn!(chat.id = %self.chat, outcome = "lost", "the lease of a chat lapsed in mid-work");
            return Ok(false);
        }
        self.read_at = read_at;
        self.take_over(lease).await?;
        Ok(true)
    }

    /// Reads the lease now and then while nothing is begun, so that a bell is heard.
    async fn recheck(&mut self) -> Result<(), StoreError> {
        if self.since(self.read_at) >= RECHECK && !self.check().await? {
            self.board.lock().is_broken = true;
        }
        Ok(())
    }

    /// Renews the lease and clears its bell; a look must follow. Answers whether it is still ours.
    async fn renew(&mut self) -> Result<bool, StoreError> {
        let read_at = self.app.clock.monotonic();
        let learned = {
            let mut board = self.board.lock();
            board.is_dirty = false;
            board.learned()
        };
        let (app, owner) = (self.app, self.owner.clone());
        let renewed = app
            .limits
            .renew(self.chat, &owner, &learned, app.clock.now());
        let Some(lease) = self.beside(renewed).await? else {
            warn!(chat.id = %self.chat, outcome = "lost", "the lease of a chat could not be renewed");
            return Ok(false);
        };
        self.read_at = read_at;
        self.ends = read_at + LEASE;
        self.board.lock().ends = self.ends;
        self.take_over(lease).await?;
        Ok(true)
    }

    async fn take_over(&mut self, lease: ChatLease) -> Result<(), StoreError> {
        let now = self.app.clock.now();
        self.board.lock().take_over(&lease, self.configured, now);
        self.lease = lease;
        self.correct_pauses().await
    }

    /// Puts right what a clock stored that was ahead of ours.
    async fn correct_pauses(&mut self) -> Result<(), StoreError> {
        let now = self.app.clock.now();
        for (bot, stored) in self.lease.pauses.clone() {
            if let Some(corrected) = stored.corrected(now) {
                warn!(chat.id = %self.chat, bot.id = %bot, fault = "clock", "a wait was stored by a clock that was ahead; it counts from now on");
                let app = self.app;
                let put = app
                    .limits
                    .correct_pause(self.chat, Paused::Bot(bot), stored, corrected);
                self.beside(put).await?;
                self.lease.pauses.insert(bot, corrected);
                if let Some(limiter) = self.board.lock().limiters.get_mut(&bot) {
                    limiter.paused_until = corrected.until;
                }
            }
        }
        Ok(())
    }

    /// The last holder died while it worked on one task alone: that task waits, and is given up at the fifth time.
    async fn after_crash(&mut self) -> Result<(), StoreError> {
        let Some(key) = self.lease.doing.take() else {
            return Ok(());
        };
        let (app, now) = (self.app, self.app.clock.now());
        if let Ok(TaskKey { lane, key }) = key.parse()
            && let Some(Found::Task(task)) = app.tasks.get(lane, &key).await?
        {
            let crashes = task.crashes.saturating_add(1);
            error!(invite.id = task.request_id().map(tracing::field::display), chat.id = %self.chat, task.crashes = crashes, fault = "killed",
                "the process died while it worked on a task alone");
            match task.after_crash(fastrand::f64()) {
                AfterFailure::Wait(wait) => {
                    app.tasks.note_crash(&task, crashes, now.plus(wait)).await?;
                }
                AfterFailure::GiveUp => {
                    const REASON: &str = "the process died five times while it worked on this";
                    given_up::give_up(app, &task, REASON).await?;
                }
            }
        }
        app.limits.set_doing(self.chat, &self.owner, None).await?;
        Ok(())
    }
}
