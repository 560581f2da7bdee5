//! Actors' webhooks: each reads the feed from its actor's cursor, as a poll does, and sends what it finds.
//!
//! ```text
//! take the lease of the actor (conditional)      die here: it lapses after a minute; until then nobody sends
//! read the feed beyond the cursor
//! send the first update of each queue            die here: it is sent again, under the same number
//! put the message that its answer asks for       die here: the same; the message is put once (`answered`)
//! write what was taken, what is tried again, and the cursor, if the lease is still ours
//!                                                die here: all is as it should be
//! give the lease back, look once more            die here: it lapses; what came meanwhile is found by the tick
//! ```
//!
//! Each actor has a run of its own, so one that is slow takes time of nobody else.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use domain::actor::webhook::{AHEAD_MAX, ActorWebhook, AfterRefusal};
use domain::actor::{Actor, ActorName};
use domain::feed::{TOMBSTONE_AFTER, walk};
use domain::id::{BotId, FeedSeq};
use domain::time::Timestamp;
use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, FutureExt as _, join_all};
use futures_util::stream::FuturesUnordered;
use runtime::outbound::Called;
use runtime::telemetry::chain;
use store::StoreError;
use store::queue::HookBell;
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::App;
use crate::answered::{self, TakenUpdate};
use crate::run::HooksTicked;

/// For how long an actor's feed is one run's own: as long as a run takes at most.
const LEASE: Duration = Duration::from_secs(60);
/// How soon the feed is read again.
const LOOK_AFTER: Duration = Duration::from_secs(1);
/// How many pages of the feed a look reads.
const PAGES_MAX: u32 = 10;
/// Waits of up to this are rung for; the tick finds the others.
const RUNG_FOR_MAX: Duration = Duration::from_secs(15);

/// How a run of an actor's feed ended.
enum FeedRunEnd {
    /// Nothing is to be sent now; something is then.
    Dry(Option<Timestamp>),
    /// Its time is over, and something may be left.
    Left,
    /// The actor has changed, or another run has its lease.
    Lost,
}

/// An update that was sent.
struct SentUpdate {
    seq: FeedSeq,
    called: Called,
    /// Whether the method in its answer is as good as carried out, if there is one.
    carried_out: Result<(), StoreError>,
    ms: u64,
}

/// Sends the updates of all actors with a webhook until nothing is to be sent or `until` is over. What goes wrong is logged,
/// and left to the tick.
pub(crate) async fn serve(app: &App, until: Instant) -> HooksTicked {
    let mut done = HooksTicked::default();
    let (bot, names) = match readers(app).await {
        Ok(Some(found)) => found,
        Ok(None) => return done,
        Err(fault) => {
            done.failed += 1;
            error!(
                fault = "unavailable",
                "it can't be told which actors have webhooks, the tick goes on: {}",
                chain(&fault)
            );
            return done;
        }
    };
    let runs = names.iter().map(|name| serve_actor(app, bot, name, until));
    for run in join_all(runs).await {
        done.delivered += run.delivered;
        done.failed += run.failed;
    }
    done
}

/// The bot whose feed is sent, and to whom.
async fn readers(app: &App) -> Result<Option<(BotId, Vec<ActorName>)>, StoreError> {
    let names = app.actors.with_webhooks().await?;
    if names.is_empty() {
        return Ok(None);
    }
    let front = app.bots.front_lately(app.clock.now()).await?;
    Ok(front.map(|front| (front.bot, names)))
}

/// Sends the updates of one actor, unless another run does.
async fn serve_actor(app: &App, bot: BotId, name: &ActorName, until: Instant) -> HooksTicked {
    let mut done = HooksTicked::default();
    let holder = format!("{:016x}", fastrand::u64(..));
    if let Err(fault) = run_leased(app, (bot, name), &holder, until, &mut done).await {
        done.failed += 1;
        error!(actor.name = %name, fault = "unavailable", "updates can't be sent to an actor, the tick goes on: {}", chain(&fault));
    }
    done
}

async fn run_leased(
    app: &App,
    (bot, name): (BotId, &ActorName),
    holder: &str,
    until: Instant,
    done: &mut HooksTicked,
) -> Result<(), StoreError> {
    loop {
        let now = app.clock.now();
        let lapses = now.plus(LEASE);
        let leased = app.actors.lease_webhook(name, holder, lapses, now).await?;
        let Some(actor) = leased else {
            return Ok(());
        };
        let is_reader = actor.is_open(now) && actor.role.reads();
        let Some(webhook) = actor.webhook.clone().filter(|_| is_reader) else {
            return app.actors.release_webhook(name, holder).await;
        };
        let mut run = FeedRun::new(app, bot, actor, webhook, holder);
        let ended = run.serve(until, done).await;
        let head = run.head;
        drop(run);
        if !matches!(ended, Ok(FeedRunEnd::Lost)) {
            app.actors.release_webhook(name, holder).await?;
        }
        let wait = match ended? {
            FeedRunEnd::Lost => return Ok(()),
            FeedRunEnd::Left => Some(Duration::ZERO),
            FeedRunEnd::Dry(wakes_at) => {
                // Bells that came while the lease was ours found nothing to do.
                if app.bots.feed_head(bot).await? > head {
                    continue;
                }
                let wait = wakes_at.map(|at| at.since(app.clock.now()));
                wait.filter(|wait| *wait <= RUNG_FOR_MAX)
            }
        };
        if let Some(wait) = wait
            && let Err(fault) = app.bells.send(HookBell::Work, wait).await
        {
            warn!(
                fault = "unavailable",
                "no bell could be sent, the tick will look: {}",
                chain(&fault)
            );
        }
        return Ok(());
    }
}

/// The sending to one actor, while its lease is ours.
struct FeedRun<'a> {
    app: &'a App,
    bot: BotId,
    actor: Actor,
    /// The actor as it was when the run began.
    caller: Arc<Actor>,
    webhook: ActorWebhook,
    holder: &'a str,
    /// What is looked at: the numbers of updates that the actor sees, in order, each with its queue.
    window: Vec<(FeedSeq, i64)>,
    /// When each was written, and what is sent.
    updates: BTreeMap<FeedSeq, (Timestamp, String)>,
    /// All up to this was looked at.
    position: FeedSeq,
    /// The last number of the feed when it was looked at.
    head: FeedSeq,
    under_way: BTreeSet<FeedSeq>,
    calls: FuturesUnordered<BoxFuture<'a, SentUpdate>>,
    looked_at: Option<Instant>,
}

impl<'a> FeedRun<'a> {
    fn new(app: &'a App, bot: BotId, actor: Actor, webhook: ActorWebhook, holder: &'a str) -> Self {
        Self {
            app,
            bot,
            position: actor.cursor,
            head: actor.cursor,
            caller: Arc::new(actor.clone()),
            actor,
            webhook,
            holder,
            window: Vec::new(),
            updates: BTreeMap::new(),
            under_way: BTreeSet::new(),
            calls: FuturesUnordered::new(),
            looked_at: None,
        }
    }

    async fn serve(
        &mut self,
        until: Instant,
        done: &mut HooksTicked,
    ) -> Result<FeedRunEnd, StoreError> {
        let begun_at = self.actor.cursor;
        loop {
            let is_over = self.app.is_over(until);
            if !is_over {
                let now = self.app.clock.monotonic();
                let is_due = self.looked_at.is_none_or(|at| now >= at + LOOK_AFTER);
                if is_due || (self.calls.is_empty() && self.ready().is_empty()) {
                    self.look().await?;
                    self.looked_at = Some(now);
                }
                self.begin();
            }
            if self.calls.is_empty() {
                // What the actor does not see is passed over.
                if self.settle() > begun_at && !self.write().await? {
                    return Ok(FeedRunEnd::Lost);
                }
                return Ok(match is_over {
                    true => FeedRunEnd::Left,
                    false => FeedRunEnd::Dry(self.wakes_at()),
                });
            }
            let ended = tokio::time::timeout(LOOK_AFTER, self.calls.next()).await;
            let Ok(Some(ended)) = ended else {
                continue;
            };
            self.take_in(ended, done);
            // Those that ended beside it are written with it.
            while let Some(ended) = self.calls.next().now_or_never().flatten() {
                self.take_in(ended, done);
            }
            if !self.write().await? {
                return Ok(FeedRunEnd::Lost);
            }
        }
    }

    fn ready(&self) -> Vec<FeedSeq> {
        let now = self.app.clock.now();
        let progress = &self.actor.progress;
        progress.ready(&self.window, &self.under_way, now)
    }

    /// When something is to be sent that can't be sent now.
    fn wakes_at(&self) -> Option<Timestamp> {
        let is_before_gap = self.position < self.head && self.window.len() < AHEAD_MAX;
        let gap = is_before_gap.then(|| self.app.clock.now().plus(TOMBSTONE_AFTER));
        let waits = self.actor.progress.wakes_at(&self.window);
        waits.into_iter().chain(gap).min()
    }

    /// Reads what stands beyond the cursor, as far as the actor may be ahead, and buries what is missing there.
    async fn look(&mut self) -> Result<(), StoreError> {
        let (feed, bot) = (&self.app.feed, self.bot);
        self.head = self.app.bots.feed_head(bot).await?;
        self.position = self.actor.cursor;
        self.window.clear();
        self.updates.clear();
        for _ in 0..PAGES_MAX {
            let room = AHEAD_MAX.saturating_sub(self.window.len());
            if room == 0 || self.position >= self.head {
                return Ok(());
            }
            let page = feed.page(bot, self.position, self.head).await?;
            let now = self.app.clock.now();
            let retention = feed.retention();
            let walked = walk(&self.actor, self.position, &page, room, retention, now);
            for (seq, update) in walked.updates {
                let Some((queue, body)) = update.sent_as(seq) else {
                    error!(fault = "malformed", feed.seq = %seq, "an update of the feed can't be read, and is passed over");
                    continue;
                };
                let item = page.iter().find(|item| item.seq == seq);
                let written_at = item.map_or(now, |item| item.at);
                self.window.push((seq, queue));
                self.updates.insert(seq, (written_at, body));
            }
            let is_stuck = walked.position == self.position && walked.missing.is_none();
            for seq in walked.missing.into_iter().flatten() {
                feed.put_tombstone(bot, FeedSeq(seq), now).await?;
            }
            if is_stuck {
                return Ok(());
            }
            self.position = walked.position;
        }
        Ok(())
    }

    fn begin(&mut self) {
        let most = usize::try_from(self.webhook.max_connections).unwrap_or(1);
        for seq in self.ready() {
            if self.under_way.len() >= most {
                return;
            }
            let queue = self.window.iter().find(|(of, _)| *of == seq);
            let Some(((written_at, body), (_, queue))) = self.updates.get(&seq).zip(queue) else {
                continue;
            };
            let (written_at, queue) = (*written_at, *queue);
            self.under_way.insert(seq);
            let (app, bot, url, body) =
                (self.app, self.bot, self.webhook.url.clone(), body.clone());
            let caller = Arc::clone(&self.caller);
            let secret = self.webhook.secret.clone();
            let secret = secret.map(|secret| ("x-telegram-bot-api-secret-token", secret));
            let headers: HashMap<_, _> = secret.into_iter().collect();
            let call = async move {
                let began = app.clock.now();
                let (called, answer) = app.caller.ask(&url, &headers, body).await;
                let took = app.clock.now().since(began);
                let update = TakenUpdate {
                    bot,
                    actor: &caller,
                    seq,
                    written_at,
                    queue,
                };
                let carried_out = match called.0.is_success() {
                    true => answered::carry_out(app, &update, &answer).await,
                    false => Ok(()),
                };
                SentUpdate {
                    seq,
                    called,
                    carried_out,
                    ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                }
            };
            self.calls.push(call.boxed());
        }
    }

    /// Notes what came of an update. One whose answer can't be seen to counts as not taken, and is sent again.
    fn take_in(&mut self, ended: SentUpdate, done: &mut HooksTicked) {
        let SentUpdate {
            seq,
            called: (answer, asked),
            carried_out,
            ms,
        } = ended;
        let now = self.app.clock.now();
        self.under_way.remove(&seq);
        let name = &self.actor.name;
        let written_at = self.updates.get(&seq).map_or(now, |(at, _)| *at);
        if let Err(fault) = carried_out {
            done.failed += 1;
            let progress = &mut self.actor.progress;
            let after = progress.refuse((seq, written_at), "its answer was not kept", None, now);
            let outcome = match after {
                AfterRefusal::Again(_) => "deferred",
                AfterRefusal::GivenUp => "parked",
            };
            error!(actor.name = %name, feed.seq = %seq, fault = "unavailable", outcome,
                "the method in the answer of an actor's webhook could not be kept, its update is sent again for a day: {}", chain(&fault));
            return;
        }
        if answer.is_success() {
            done.delivered += 1;
            self.actor.progress.take(seq);
            info!(actor.name = %name, feed.seq = %seq, answer = %answer, ms, outcome = "delivered", "an actor took an update");
            return;
        }
        done.failed += 1;
        let progress = &mut self.actor.progress;
        match progress.refuse((seq, written_at), answer, asked, now) {
            AfterRefusal::Again(at) => {
                warn!(actor.name = %name, feed.seq = %seq, answer = %answer, ms, next = %at, outcome = "deferred", "an actor did not take an update, it is sent again");
            }
            AfterRefusal::GivenUp => {
                error!(actor.name = %name, feed.seq = %seq, answer = %answer, ms, fault = "actor_failing", outcome = "parked",
                    "an update is given up that an actor did not take for a day; its getWebhookInfo says why");
            }
        }
    }

    /// Moves the cursor as far as it may go.
    fn settle(&mut self) -> FeedSeq {
        let position = self.position;
        let cursor = self.actor.progress.settle(&mut self.window, position);
        self.actor.cursor = self.actor.cursor.max(cursor);
        self.actor.cursor
    }

    /// Writes how far it has come; answers whether the lease is still ours.
    async fn write(&mut self) -> Result<bool, StoreError> {
        let cursor = self.settle();
        let (actor, holder) = (&self.actor, self.holder);
        self.app
            .actors
            .note_webhook(&actor.name, holder, cursor, &actor.progress)
            .await
    }
}
