//! One run: looks what is due, and delivers it, to each endpoint a few at a time.
//!
//! Each endpoint has places of its own, so one that is slow takes time of nobody else; one that fails again and again is left
//! alone for a while. What is due is read to its end in each look, so nobody hides behind another's flood; there is a bound to
//! it, since above that an endpoint's announcements are parked as they come.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use domain::hook::{DisabledBy, Endpoint, EndpointId, HOOK_SHARDS, HookState};
use domain::time::Timestamp;
use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, FutureExt as _, try_join_all};
use futures_util::stream::FuturesUnordered;
use runtime::outbound::Called;
use runtime::telemetry::chain;
use serde::Serialize;
use store::queue::HookBell;
use store::{Changed, Claiming, DueDelivery, StoreError};
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
/// How many deliveries to an endpoint may wait; what comes then is parked.
const WAITING_MAX: usize = 10_000;
/// With how few left it takes announcements again.
const WAITING_LOW: usize = 8_000;

/// What a tick did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HooksTicked {
    /// Deliveries that were taken, and updates.
    pub delivered: u64,
    /// Calls that failed, and writes.
    pub failed: u64,
}

/// The deliveries to one endpoint.
struct EndpointLane {
    endpoint: Arc<Endpoint>,
    due: VecDeque<DueDelivery>,
    under_way: usize,
    failures_in_a_row: u32,
}

/// A delivery that was seen to.
struct EndedDelivery {
    endpoint: EndpointId,
    called: Result<Option<Called>, StoreError>,
}

/// Looks after all deliveries, and how much waits for each endpoint.
pub(crate) async fn tick(app: &App, until: Instant) -> HooksTicked {
    let ticked = serve(app, until).await;
    if let Err(fault) = measure(app).await {
        error!(
            fault = "unavailable",
            "how much waits for each endpoint can't be told: {}",
            chain(&fault)
        );
    }
    ticked
}

/// Delivers until nothing is due or `until` is over. What goes wrong is logged, and left to the tick.
pub(crate) async fn serve(app: &App, until: Instant) -> HooksTicked {
    let mut run = DeliveryRun {
        app,
        lanes: BTreeMap::new(),
        calls: FuturesUnordered::new(),
        done: HooksTicked::default(),
        looked_at: None,
    };
    if let Err(fault) = run.serve(until).await {
        run.done.failed += 1;
        error!(
            fault = "unavailable",
            "deliveries to endpoints can't be made, the tick goes on: {}",
            chain(&fault)
        );
    }
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
    lanes: BTreeMap<EndpointId, EndpointLane>,
    calls: FuturesUnordered<BoxFuture<'a, EndedDelivery>>,
    done: HooksTicked,
    looked_at: Option<Instant>,
}

impl DeliveryRun<'_> {
    async fn serve(&mut self, until: Instant) -> Result<(), StoreError> {
        loop {
            let now = self.app.clock.monotonic();
            let is_over = self.app.is_over(until);
            if !is_over {
                let is_dry = self.lanes.values().all(|lane| lane.due.is_empty());
                let is_due = self.looked_at.is_none_or(|at| now >= at + LOOK_AFTER);
                if is_due || (is_dry && self.calls.is_empty()) {
                    self.look().await?;
                    self.looked_at = Some(now);
                }
                self.begin();
            }
            if self.calls.is_empty() {
                let is_left = self.lanes.values().any(|lane| !lane.due.is_empty());
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
                if is_over || !is_left {
                    return Ok(());
                }
                continue;
            }
            if let Ok(Some(ended)) = tokio::time::timeout(LOOK_AFTER, self.calls.next()).await {
                self.take_in(ended).await?;
            }
        }
    }

    /// Reads what is due, of all endpoints that may be called.
    async fn look(&mut self) -> Result<(), StoreError> {
        let (app, now) = (self.app, self.app.clock.now());
        let shards = (0..HOOK_SHARDS).map(|shard| app.deliveries.due(shard, now));
        let mut found: BTreeMap<EndpointId, Vec<DueDelivery>> = BTreeMap::new();
        for due in try_join_all(shards).await?.into_iter().flatten() {
            found.entry(due.endpoint.clone()).or_default().push(due);
        }
        for lane in self.lanes.values_mut() {
            lane.due.clear();
        }
        for (id, mut due) in found {
            due.sort_by_key(|due| due.due_at);
            due.truncate(KEPT_MAX);
            match app.endpoints.get(&id).await? {
                Some(endpoint) if endpoint.disabled.is_none() => {
                    let is_paused = endpoint.is_paused(now);
                    let endpoint = Arc::new(endpoint);
                    let lane = self.lanes.entry(id).or_insert_with(|| EndpointLane {
                        endpoint: Arc::clone(&endpoint),
                        due: VecDeque::new(),
                        under_way: 0,
                        failures_in_a_row: 0,
                    });
                    lane.endpoint = endpoint;
                    if !is_paused {
                        lane.due = due.into();
                    }
                }
                gone => park(app, &due, gone.is_some(), now).await?,
            }
        }
        Ok(())
    }

    fn begin(&mut self) {
        let app = self.app;
        for (id, lane) in &mut self.lanes {
            while lane.under_way < PLACES
                && let Some(due) = lane.due.pop_front()
            {
                lane.under_way += 1;
                let (id, endpoint) = (id.clone(), Arc::clone(&lane.endpoint));
                let call = async move {
                    let called = deliver(app, &endpoint, &due).await;
                    EndedDelivery {
                        endpoint: id,
                        called,
                    }
                };
                self.calls.push(call.boxed());
            }
        }
    }

    /// Notes what a delivery came to.
    async fn take_in(&mut self, ended: EndedDelivery) -> Result<(), StoreError> {
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
        let (known, now) = (&lane.endpoint, self.app.clock.now());
        let changed = if answer.is_success() {
            self.done.delivered += 1;
            lane.failures_in_a_row = 0;
            if known.failing_since.is_none() && known.paused_until.is_none() {
                return Ok(());
            }
            self.app
                .endpoints
                .change(&ended.endpoint, Endpoint::after_success)
                .await?
        } else {
            self.done.failed += 1;
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
        lane.endpoint = Arc::from(changed);
        Ok(())
    }
}

/// Parks what is due for an endpoint that is disabled or deleted.
async fn park(
    app: &App,
    due: &[DueDelivery],
    is_there: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(first) = due.first() else {
        return Ok(());
    };
    for due in due {
        if let Claiming::Ours(_, claimed) = app.deliveries.claim(due, now).await? {
            let settled = app
                .deliveries
                .settle(due, claimed, None, HookState::Parked, None);
            settled.await?;
        }
    }
    warn!(endpoint.id = %first.endpoint, outcome = "parked", deliveries = due.len(), endpoint.is_there = is_there,
        "deliveries to an endpoint that is disabled or deleted are parked");
    Ok(())
}

/// Marks the endpoints for which too much waits, and those for which it no longer does.
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
    for (id, subscription) in directory {
        let Some(subscription) = subscription else {
            continue;
        };
        let count = waiting.get(&id).copied().unwrap_or(0);
        let is_full = match subscription.is_full {
            true => count > WAITING_LOW,
            false => count >= WAITING_MAX,
        };
        if is_full == subscription.is_full {
            continue;
        }
        let marked = app.endpoints.change(&id, |endpoint| Endpoint {
            is_full,
            ..endpoint
        });
        marked.await?;
        match is_full {
            true => error!(endpoint.id = %id, fault = "endpoint_full", deliveries = count,
                "so much waits for an endpoint that what is announced from now on is parked; replay it once the endpoint works"),
            false => {
                info!(endpoint.id = %id, deliveries = count, outcome = "resumed", "an endpoint takes announcements again")
            }
        }
    }
    Ok(())
}
