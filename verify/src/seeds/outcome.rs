//! What must hold at the end of a seed beyond the invariants of any world: the exact limits of what was allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::time::Timestamp;
use serde_json::Value;

use super::super::fairness::{overtaken, revoked_late};
use super::super::invariants::{Allowed, broken};
use super::super::world::World;
use super::clients::Clients;
use super::plan::SeedPlan;
use super::recorder::Recorder;
use super::script::ActiveFaults;
use super::trace::{Trace, clock_face};

/// How long WebEngage knows an event again.
const KNOWN_FOR: Duration = Duration::from_secs(4 * 3600);
/// The longest that a job may have been told to wait before the faults were over: the cap of the backoff, and Telegram's
/// longest wait here.
const DEFERRED_MAX: Duration = Duration::from_secs(3600);
/// How long a fixed chat may go unnoticed.
const HELD: Duration = Duration::from_secs(600);
/// SQS's visibility time-out of the invite queue.
const HIDDEN: Duration = Duration::from_secs(540);
/// How long a buyer may be behind one who was called about first: the call's time, and that of a lease whose holder died.
const UNDER_WAY: Duration = Duration::from_secs(120);

/// How long a call may hang and yet be answered in time.
const HANGS: Duration = Duration::from_secs(20);

/// What came of a seed.
#[derive(Debug, Default)]
pub(crate) struct SeedOutcome {
    pub(crate) broken: Vec<String>,
    pub(crate) allowed_repeats: u64,
    pub(crate) failed: u64,
    pub(crate) links: usize,
    pub(crate) longest_wait: Duration,
}

pub(crate) struct Checker<'a> {
    pub(crate) world: &'a World,
    pub(crate) plan: &'a SeedPlan,
    pub(crate) active_faults: &'a ActiveFaults,
    pub(crate) recorder: &'a Recorder,
    pub(crate) trace: &'a Trace,
    pub(crate) clients: &'a Clients<'a>,
    /// When the world began.
    pub(crate) start: Timestamp,
}

impl Checker<'_> {
    pub(crate) async fn check(&self) -> anyhow::Result<SeedOutcome> {
        let (refusals, poison) = {
            let rates = self.active_faults.rates();
            (rates.refusals, rates.poison)
        };
        let allowed = Allowed {
            failed: refusals > 0,
            dead_letters: poison,
            dead_bells: true,
            delivered_again: true,
            out_of_order: true,
            flood_calls: true,
            unheard: self.plan.bot.is_some(),
        };
        let mut outcome = SeedOutcome {
            broken: broken(self.world, allowed).await?,
            links: self.world.telegram.link_count(),
            ..SeedOutcome::default()
        };
        let requests = self.world.items("InviteRequests").await?;
        let requests: Vec<&Value> = requests
            .iter()
            .filter(|item| item.get("status").is_some())
            .collect();
        self.check_payments(&requests, &mut outcome);
        self.check_repeats(&mut outcome);
        self.check_waits(&requests, &mut outcome);
        self.check_calls(&mut outcome);
        self.check_order(&mut outcome).await?;
        outcome.failed = requests
            .iter()
            .filter(|item| item["status"] == "FAILED")
            .count() as u64;
        if outcome.failed > refusals {
            let wrong = format!("I4: {} FAILED by {refusals} refusals", outcome.failed);
            outcome.broken.push(wrong);
        }
        let leaks = self.world.logs.leaks(&[]);
        for line in leaks.into_iter().chain(self.trace.leaks()) {
            outcome
                .broken
                .push(format!("I6: a secret in a log line: {line}"));
        }
        Ok(outcome)
    }

    /// Each payment has one request, and each request one payment.
    fn check_payments(&self, requests: &[&Value], outcome: &mut SeedOutcome) {
        let purchases = self.clients.purchases();
        outcome.broken.extend(purchases.wrong.iter().cloned());
        let mut owners: BTreeMap<&str, usize> = BTreeMap::new();
        for payment in self.clients.payments {
            let ids = purchases.ids.get(&payment.number);
            let ids: Vec<&str> = ids.into_iter().flatten().map(String::as_str).collect();
            if ids.len() != 1 {
                let wrong = format!("I1: payment {} has the requests {ids:?}", payment.number);
                outcome.broken.push(wrong);
            }
            for id in ids {
                if let Some(other) = owners.insert(id, payment.number) {
                    let wrong =
                        format!("I1: {id} is of the payments {other} and {}", payment.number);
                    outcome.broken.push(wrong);
                }
            }
        }
        let known: BTreeSet<&str> = requests
            .iter()
            .filter_map(|item| item["requestId"].as_str())
            .collect();
        if known.iter().any(|id| !owners.contains_key(id)) || known.len() != owners.len() {
            let wrong = format!("I2: {} requests of {} payments", known.len(), owners.len());
            outcome.broken.push(wrong);
        }
    }

    /// An event may be ingested again if its acceptance never reached us, or could not be noted, and WebEngage had
    /// forgotten it.
    fn check_repeats(&self, outcome: &mut SeedOutcome) {
        let mut at: BTreeMap<String, Vec<Duration>> = BTreeMap::new();
        for event in self.world.webengage.ingested() {
            let ms = u64::try_from(event.at_ms - self.start.ms()).unwrap_or_default();
            let id = event.request_id.unwrap_or_default();
            at.entry(id).or_default().push(Duration::from_millis(ms));
        }
        let seen = self.recorder.seen();
        for (id, times) in at {
            let accepted = seen.accepted.get(&id);
            for pair in times.windows(2) {
                let forgotten = pair[1].saturating_sub(pair[0]) >= KNOWN_FOR;
                let noted = accepted
                    .into_iter()
                    .flatten()
                    .any(|at| *at < pair[1] && !self.plan.is_hard(*at));
                if forgotten && !noted {
                    outcome.allowed_repeats += 1;
                } else {
                    let times: Vec<String> = times.iter().map(|at| clock_face(*at)).collect();
                    outcome
                        .broken
                        .push(format!("I3: event {id} was ingested at {times:?}"));
                }
            }
        }
    }

    /// Once the faults are over, a link comes within the waits that were ordered before, and then at the limit's rate limit.
    fn check_waits(&self, requests: &[&Value], outcome: &mut SeedOutcome) {
        let end = self.start.plus(self.plan.faults_end);
        let instant = |item: &Value, name: &str| -> Option<Timestamp> {
            item[name].as_str().and_then(|text| text.parse().ok())
        };
        let waits: Vec<(Duration, &str)> = requests
            .iter()
            // A claim link is there at once, and again after each move.
            .filter(|item| item["claimVersion"].is_null())
            .filter_map(|item| {
                let (done, created) = (instant(item, "doneAt")?, instant(item, "createdAt")?);
                let wait = done.since(created.max(end));
                (done > end).then_some((wait, item["requestId"].as_str()?))
            })
            .collect();
        let limit = self.plan.limit;
        let paced = limit
            .per
            .mul_f64(waits.len() as f64 / f64::from(limit.calls));
        // Mints leave a part of the limit to revocations.
        let bound = DEFERRED_MAX + HELD + 2 * HIDDEN + 2 * paced;
        outcome.longest_wait = waits
            .iter()
            .map(|(wait, _)| *wait)
            .max()
            .unwrap_or_default();
        for (wait, id) in waits {
            if wait > bound {
                outcome.broken.push(format!(
                    "liveness: {id} waited {wait:?} after the faults, more than {bound:?}"
                ));
            }
        }
    }

    /// Nobody is overtaken but by calls under way, and by those who were deferred for their own sake; used links are revoked
    /// soon after the faults.
    async fn check_order(&self, outcome: &mut SeedOutcome) -> anyhow::Result<()> {
        let mut called: BTreeMap<String, u32> = BTreeMap::new();
        for call in self.world.telegram.calls() {
            if let ("createChatInviteLink", Some(name)) =
                (call.method.as_str(), call.params["name"].as_str())
            {
                *called.entry(name.to_owned()).or_default() += 1;
            }
        }
        let deferred = self.recorder.seen().deferred.clone();
        let is_exempt = |id: &str| {
            let calls = called.get(&id.replace('-', "")).copied();
            deferred.contains(id) || calls > Some(1)
        };
        let overtaken = overtaken(self.world, UNDER_WAY, is_exempt).await?;
        outcome.broken.extend(overtaken);
        let limit = self.plan.limit;
        let links = self.world.telegram.link_count() as f64;
        let paced = limit.per.mul_f64(2.0 * links / f64::from(limit.calls));
        let bound = DEFERRED_MAX + HELD + 2 * HIDDEN + paced;
        let end = self.start.plus(self.plan.faults_end);
        outcome.broken.extend(revoked_late(self.world, bound, end));
        Ok(())
    }

    /// Nobody calls for a chat within a wait that its bot was told of, beyond what was under way.
    fn check_calls(&self, outcome: &mut SeedOutcome) {
        // From the arrival of the call that is told of the wait, until all know: its own sleep in Telegram, the way
        // back, and the writes of the rate limit.
        let way = *self.plan.way.end() + 20 * self.plan.world.latency + Duration::from_secs(1);
        let grace = |at: Duration| {
            let ill = self.plan.is_ill(at).then_some(HANGS);
            let grace = way + self.plan.sleeps_through + ill.unwrap_or_default();
            i64::try_from(grace.as_millis()).unwrap_or_default()
        };
        let mut known: BTreeMap<(i64, i64), (i64, i64)> = BTreeMap::new();
        for call in self.world.telegram.calls() {
            let (Some(chat), true) = (call.chat_id, call.method.ends_with("ChatInviteLink")) else {
                continue;
            };
            let pair = (call.bot_id, chat);
            let at = Duration::from_millis(
                u64::try_from(call.at_ms - self.start.ms()).unwrap_or_default(),
            );
            if let Some((since, until)) = known.get(&pair)
                && (since + grace(at)..*until).contains(&call.at_ms)
            {
                outcome.broken.push(format!(
                    "I4: {} of bot {} for {chat} at {} during a flood wait",
                    call.method,
                    call.bot_id,
                    clock_face(at)
                ));
            }
            let words = call.description.as_deref().unwrap_or_default();
            let after = words.strip_prefix("Too Many Requests: retry after ");
            if let Some(after) = after.and_then(|after| after.parse::<i64>().ok())
                && !self.plan.is_hard(at)
            {
                let until = call.at_ms + after * 1000;
                let wait = known.entry(pair).or_insert((call.at_ms, until));
                if until > wait.1 {
                    *wait = (call.at_ms, until);
                }
            }
        }
    }
}
