//! One run: looks what is due, and delivers it, to each endpoint a few at a time.
//!
//! Each endpoint has places of its own, so one that is slow takes time of nobody else; one that fails again and again is left
//! alone for a while. What is due is read to its end in each look, so nobody hides behind another's flood; there is a bound to
//! it, since above that an endpoint's announcements are parked as they come. When the time of a run is over, those that still
//! have calls under way begin no more, and while it waits for these it goes on with the others.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use domain::hook::{DisabledBy, Endpoint, EndpointId, HOOK_SHARDS};
use domain::time::Timestamp;
use futures_util::future::{BoxFuture, FutureExt as _, join_all, try_join_all};
use futures_util::stream::{self, FuturesUnordered};
use futures_util::{StreamExt as _, TryStreamExt as _};
use runtime::outbound::Called;
use runtime::telemetry::chain;
use serde::Serialize;
use store::queue::HookBell;
use store::{Changed, DueDelivery, StoreError};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::App;
use crate::call::deliver;

/// How many calls of one run an endpoint has at once.
const PLACES: usize = 4;
/// How many due deliveries of an endpoint are kept from a look.
const KEPT_MAX: usize = 200;
/// How soon it is looked again.
const LOOK_AFTER: Duration = Duration::from_secs(1);
/// How many deliveries to an endpoint may wait; what comes then is held back.
const WAITING_MAX: usize = 10_000;
/// With how few left it takes announcements again.
const WAITING_LOW: usize = 8_000;
/// How many of those that were held back a tick lets go, of all endpoints.
const LET_GO_MAX: usize = 1_000;
/// How many of them it lets go at once.
const LET_GO_AT_ONCE: usize = 8;

/// What a tick did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HooksTicked {
    /// Deliveries that were taken, and updates.
    pub delivered: u64,
    /// Calls that failed, and writes.
    pub failed: u64,
}

/// How long a run goes on.
#[derive(Clone, Copy)]
pub(crate) struct RunTime {
    /// Until when it begins calls.
    pub until: Instant,
    /// Until when it begins calls while it waits for others: none that could outlast the invocation.
    pub latest: Instant,
    /// Whether a bell woke it: the index may show a moment later what it was rung for.
    pub is_rung: bool,
}

/// The deliveries to one endpoint.
#[derive(Default)]
struct EndpointLane {
    /// Nothing if it is disabled or deleted: what is due is parked.
    endpoint: Option<Arc<Endpoint>>,
    due: VecDeque<DueDelivery>,
    under_way: usize,
    failures_in_a_row: u32,
    /// It had calls under way when the time was over, and begins no more.
    is_late: bool,
}

/// A delivery that was seen to.
struct EndedDelivery {
    endpoint: EndpointId,
    called: Result<Option<Called>, StoreError>,
}

/// Looks how much waits for each endpoint, and after all deliveries.
pub(crate) async fn tick(app: &App, time: RunTime) -> HooksTicked {
    if let Err(fault) = measure(app).await {
        error!(
            fault = "unavailable",
            "how much waits for each endpoint can't be told: {}",
            chain(&fault)
        );
    }
    serve(app, time).await
}

/// Delivers until nothing is due or the time is over. What goes wrong is logged, and left to the tick.
pub(crate) async fn serve(app: &App, time: RunTime) -> HooksTicked {
    let mut run = DeliveryRun {
        app,
        time,
        lanes: BTreeMap::new(),
        calls: FuturesUnordered::new(),
        done: HooksTicked::default(),
        looked_at: None,
        is_late: false,
        is_broken: false,
        is_to_look_again: false,
    };
    run.serve().await;
    let done = run.done;
    if done != HooksTicked::default() {
        info!(
            outcome = "released",
            delivered = done.delivered,
            failed = done.failed,
            "a run of deliveries is over"
        );
    }
    done
}

struct DeliveryRun<'a> {
    app: &'a App,
    time: RunTime,
    lanes: BTreeMap<EndpointId, EndpointLane>,
    calls: FuturesUnordered<BoxFuture<'a, EndedDelivery>>,
    done: HooksTicked,
    /// When it looked last, as of the end of that look.
    looked_at: Option<Instant>,
    /// The time was over, and the endpoints that had calls under way then are marked.
    is_late: bool,
    /// What is due can't be read: what is under way is ended, and nothing begun.
    is_broken: bool,
    /// A bell rang and nothing was found.
    is_to_look_again: bool,
}

impl DeliveryRun<'_> {
    async fn serve(&mut self) {
        loop {
            if self.may_begin() && self.is_look_due() {
                self.look_or_break().await;
            }
            // A look takes time.
            if self.may_begin() {
                self.begin();
            }
            if self.calls.is_empty() {
                let is_left = !self.is_dry();
                let is_over = self.is_broken || self.app.is_over(self.time.until);
                if is_over
                    && is_left
                    && let Err(fault) = self.app.bells.send(HookBell::Work, Duration::ZERO).await
                {
                    warn!(
                        fault = "unavailable",
                        "no bell could be sent, the tick will look: {}",
                        chain(&fault)
                    );
                }
                if is_over || (!is_left && !self.is_to_look_again) {
                    return;
                }
                if std::mem::take(&mut self.is_to_look_again) {
                    let clock = &self.app.clock;
                    clock.sleep_until(clock.now().plus(LOOK_AFTER)).await;
                }
                continue;
            }
            let mut ended = tokio::time::timeout(LOOK_AFTER, self.calls.next()).await;
            // All that have ended, so that none waits for a look.
            while let Ok(Some(of)) = ended {
                self.take_in(of).await;
                ended = Ok(self.calls.next().now_or_never().flatten());
            }
        }
    }

    fn is_dry(&self) -> bool {
        self.lanes.values().all(|lane| lane.due.is_empty())
    }

    /// Whether calls may be begun: also after the time, for endpoints that have none, while those of others are waited for.
    fn may_begin(&mut self) -> bool {
        if self.is_broken || self.app.is_over(self.time.latest) {
            return false;
        }
        if !self.app.is_over(self.time.until) {
            return true;
        }
        if !std::mem::replace(&mut self.is_late, true) {
            for lane in self.lanes.values_mut() {
                lane.is_late = lane.under_way > 0;
            }
        }
        !self.calls.is_empty()
    }

    fn is_look_due(&self) -> bool {
        let now = self.app.clock.monotonic();
        self.looked_at.is_none_or(|at| now >= at + LOOK_AFTER)
            || (self.is_dry() && self.calls.is_empty())
    }

    /// Looks; if that fails, the run ends with the calls that are under way.
    async fn look_or_break(&mut self) {
        let is_first = self.looked_at.is_none();
        if let Err(fault) = self.look().await {
            self.is_broken = true;
            self.done.failed += 1;
            for lane in self.lanes.values_mut() {
                lane.due.clear();
            }
            error!(
                fault = "unavailable",
                "deliveries to endpoints can't be made, the tick goes on: {}",
                chain(&fault)
            );
        }
        self.is_to_look_again = is_first && self.time.is_rung && self.lanes.is_empty();
        self.looked_at = Some(self.app.clock.monotonic());
    }

    /// Reads what is due, of all endpoints that may be called.
    async fn look(&mut self) -> Result<(), StoreError> {
        let (app, now) = (self.app, self.app.clock.now());
        let shards = (0..HOOK_SHARDS).map(|shard| app.deliveries.due(shard, now));
        let mut found: BTreeMap<EndpointId, Vec<DueDelivery>> = BTreeMap::new();
        for due in try_join_all(shards).await?.into_iter().flatten() {
            found.entry(due.endpoint.clone()).or_default().push(due);
        }
        let endpoints = join_all(found.keys().map(|id| app.endpoints.get(id))).await;
        for lane in self.lanes.values_mut() {
            lane.due.clear();
        }
        for ((id, mut due), endpoint) in found.into_iter().zip(endpoints) {
            let endpoint = match endpoint {
                Ok(endpoint) => endpoint,
                Err(fault) => {
                    self.done.failed += 1;
                    error!(endpoint.id = %id, fault = "unavailable", "an endpoint can't be read, so it is not called: {}", chain(&fault));
                    continue;
                }
            };
            let is_there = endpoint.is_some();
            let enabled = endpoint.filter(|endpoint| endpoint.disabled.is_none());
            let lane = self.lanes.get(&id);
            let is_known = lane.is_some_and(|lane| lane.endpoint.is_none());
            if enabled.is_none() && !is_known {
                warn!(endpoint.id = %id, outcome = "parked", deliveries = due.len(), endpoint.is_there = is_there,
                    "deliveries to an endpoint that is disabled or deleted are parked");
            }
            let is_paused = enabled
                .as_ref()
                .is_some_and(|endpoint| endpoint.is_paused(now));
            let lane = self.lanes.entry(id).or_default();
            lane.endpoint = enabled.map(Arc::new);
            if !is_paused {
                due.sort_by_key(|due| due.due_at);
                due.truncate(KEPT_MAX);
                lane.due = due.into();
            }
        }
        Ok(())
    }

    fn begin(&mut self) {
        let app = self.app;
        for (id, lane) in &mut self.lanes {
            while !lane.is_late
                && lane.under_way < PLACES
                && let Some(due) = lane.due.pop_front()
            {
                lane.under_way += 1;
                let (id, endpoint) = (id.clone(), lane.endpoint.clone());
                let call = async move {
                    let called = match endpoint {
                        Some(endpoint) => deliver(app, &endpoint, &due).await,
                        None => app.deliveries.park(&due).await.map(|()| None),
                    };
                    EndedDelivery {
                        endpoint: id,
                        called,
                    }
                };
                self.calls.push(call.boxed());
            }
        }
    }

    /// Notes what a delivery came to. That it can't be noted is its endpoint's trouble alone.
    async fn take_in(&mut self, ended: EndedDelivery) {
        let id = ended.endpoint.clone();
        if let Err(fault) = self.note(ended).await {
            error!(endpoint.id = %id, fault = "unavailable", "what an endpoint did can't be noted, its next call counts it: {}", chain(&fault));
        }
    }

    async fn note(&mut self, ended: EndedDelivery) -> Result<(), StoreError> {
        let Some(lane) = self.lanes.get_mut(&ended.endpoint) else {
            return Ok(());
        };
        lane.under_way -= 1;
        let (answer, asked) = match ended.called {
            Ok(Some(called)) => called,
            Ok(None) => return Ok(()),
            Err(fault) => {
                self.done.failed += 1;
                error!(endpoint.id = %ended.endpoint, fault = "unavailable", "a delivery could not be made or settled, it is made again: {}", chain(&fault));
                return Ok(());
            }
        };
        match answer.is_success() {
            true => self.done.delivered += 1,
            false => self.done.failed += 1,
        }
        // One that was disabled or deleted meanwhile is nothing to be noted of.
        let Some(known) = &lane.endpoint else {
            return Ok(());
        };
        let now = self.app.clock.now();
        let changed = if answer.is_success() {
            lane.failures_in_a_row = 0;
            if known.failing_since.is_none() && known.paused_until.is_none() {
                return Ok(());
            }
            self.app
                .endpoints
                .change(&ended.endpoint, Endpoint::after_success)
                .await?
        } else {
            lane.failures_in_a_row += 1;
            let in_a_row = lane.failures_in_a_row;
            let after = known
                .as_ref()
                .clone()
                .after_failure(answer, asked, in_a_row, now);
            if after == **known {
                return Ok(());
            }
            let failed = |endpoint: Endpoint| endpoint.after_failure(answer, asked, in_a_row, now);
            self.app.endpoints.change(&ended.endpoint, failed).await?
        };
        let Changed::Done(changed) = changed else {
            lane.due.clear();
            return Ok(());
        };
        if changed.disabled.is_some() || changed.is_paused(now) {
            lane.due.clear();
        }
        if let Some(by @ (DisabledBy::Gone | DisabledBy::Failing)) = changed.disabled
            && known.disabled.is_none()
        {
            error!(endpoint.id = %ended.endpoint, fault = "endpoint_disabled", by = by.as_str(),
                "an endpoint is disabled: it said that it is gone, or failed for 120 h; enable it and replay what it missed");
        }
        lane.endpoint = Some(Arc::from(changed));
        Ok(())
    }
}

/// Marks the endpoints for which too much waits, and those for which it no longer does; lets go what was held back for these.
async fn measure(app: &App) -> Result<(), StoreError> {
    let directory = app.endpoints.directory().await?;
    if directory.is_empty() {
        return Ok(());
    }
    let mut waiting: BTreeMap<EndpointId, usize> = BTreeMap::new();
    let all = (0..HOOK_SHARDS).map(|shard| app.deliveries.due(shard, Timestamp::from_ms(i64::MAX)));
    for due in try_join_all(all).await?.into_iter().flatten() {
        *waiting.entry(due.endpoint).or_default() += 1;
    }
    let mut room = LET_GO_MAX;
    for (id, subscription) in directory {
        let Some(subscription) = subscription.filter(|wanted| !wanted.is_failed) else {
            continue;
        };
        let count = waiting.get(&id).copied().unwrap_or(0);
        let is_full = match subscription.is_full {
            true => count > WAITING_LOW,
            false => count >= WAITING_MAX,
        };
        if is_full != subscription.is_full {
            let marked = app.endpoints.change(&id, |endpoint| Endpoint {
                is_full,
                ..endpoint
            });
            marked.await?;
            match is_full {
                true => error!(endpoint.id = %id, fault = "endpoint_full", deliveries = count,
                    "so much waits for an endpoint that what is announced from now on is held back until less does"),
                false => {
                    info!(endpoint.id = %id, deliveries = count, outcome = "resumed", "an endpoint takes announcements again")
                }
            }
        }
        if !is_full {
            // Also of one that is full no more: who announces learns that within a minute.
            room -= let_go(app, &id, room.min(WAITING_LOW.saturating_sub(count))).await?;
        }
    }
    Ok(())
}

/// Lets go of what was held back for an endpoint, at most `limit`; answers how many.
async fn let_go(app: &App, id: &EndpointId, limit: usize) -> Result<usize, StoreError> {
    if limit == 0 {
        return Ok(0);
    }
    let shards = (0..HOOK_SHARDS).map(|shard| app.deliveries.held(id, shard, limit));
    let mut held = try_join_all(shards).await?.concat();
    held.sort_by_key(|held| held.due_at);
    held.truncate(limit);
    if !held.is_empty() {
        let now = app.clock.now();
        let all = stream::iter(held.iter().map(Ok));
        all.try_for_each_concurrent(LET_GO_AT_ONCE, |held| app.deliveries.let_go(held, now))
            .await?;
        info!(endpoint.id = %id, deliveries = held.len(), outcome = "resumed", "what was held back for an endpoint is due");
    }
    Ok(held.len())
}
