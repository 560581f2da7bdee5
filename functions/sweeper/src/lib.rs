//! Every 15 minutes: finds what is open and stands still, and queues what it waits for.
//!
//! ```text
//! read the index of open requests, the oldest first, and the record of each
//! nobody works on it        its job again       die here: the next run goes on
//! DONE or joined, untold    its event again     as above; the event is known by its id
//! nothing left to do        out of the index    as above
//! ```
//!
//! It decides nothing: a job or an event that it sends once too often ends as one that SQS delivered twice. But each run
//! could add a copy of everything that waits in a long queue, or lies among the dead letters until a person sends it
//! back. So both are asked first: if they hold as many messages as there are requests that wait for one, those are
//! theirs, and none is added.

use std::time::Duration;

use common::aws;
use common::clock::Clock;
use common::config::Env;
use common::domain::event::Event;
use common::domain::id::{OpenShard, RequestId};
use common::domain::job::Job;
use common::domain::open::{Need, UNSETTLED_AFTER};
use common::domain::time::Timestamp;
use common::queue::{DeadLetters, EventQueue, InviteQueue, QueueError, QueueName};
use common::store::Invites;
use common::telemetry::chain;
use futures_util::future::{join_all, try_join};
use serde::Serialize;
use tokio::time::Instant;
use tracing::{error, info, warn};

/// How many entries one run looks at in each of the sixteen parts of the index, at most.
const LOOKS_MAX_OF_SHARD: usize = 320;
/// How many records of a part are read at once.
const PAGE: i32 = 25;
/// How many parts are looked at together.
const TOGETHER: usize = 4;
/// How many jobs, and how many events, one run sends at most.
const SENT_MAX: usize = 1000;
/// What is left of an invocation when it stops to look: enough to send what was found.
const RESERVE: Duration = Duration::from_secs(30);

/// What the handler needs.
pub struct App {
    invites: Invites,
    jobs: InviteQueue,
    events: EventQueue,
    letters: DeadLetters,
    clock: Clock,
}

impl App {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, clock: Clock) -> Self {
        let aws = aws::Shared::from_env(env);
        Self {
            invites: Invites::from_env(aws.dynamodb(), env),
            jobs: InviteQueue::from_env(aws.sqs(), env),
            events: EventQueue::from_env(aws.sqs(), env),
            letters: DeadLetters::from_env(aws.sqs(), env),
            clock,
        }
    }
}

/// What one run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// Open requests that are old enough to be looked at.
    pub looked: u64,
    /// Jobs sent again.
    pub jobs: u64,
    /// Events sent again.
    pub events: u64,
    /// Requests of which nothing was left to be done.
    pub closed: u64,
    /// Requests that stand still and were left to the messages in the queue, or to the next run.
    pub waiting_jobs: u64,
    /// Facts that are untold and were left to the messages in the queue, or to the next run.
    pub waiting_events: u64,
    /// Parts of the run that failed; the next one tries again.
    pub failed: u64,
    /// Whether more was to be looked at than one run does.
    pub is_cut: bool,
}

/// What requests need that stand still.
#[derive(Default)]
struct Found {
    jobs: Vec<Job>,
    events: Vec<Event>,
    complete: Vec<RequestId>,
    looked: u64,
    failed: u64,
    is_cut: bool,
}

impl Found {
    fn add(&mut self, other: Self) {
        self.jobs.extend(other.jobs);
        self.events.extend(other.events);
        self.complete.extend(other.complete);
        self.looked += other.looked;
        self.failed += other.failed;
        self.is_cut |= other.is_cut;
    }
}

/// Looks after what is open. What it did is durable; what it could not do is logged and left to the next run. It looks
/// at nothing more shortly before `deadline`.
pub async fn handle(app: &App, deadline: Instant) -> Done {
    let mut found = Found::default();
    let mut shards: Vec<OpenShard> = OpenShard::all().collect();
    // Whichever comes last may be left out.
    fastrand::shuffle(&mut shards);
    for some in shards.chunks(TOGETHER) {
        let parts = some.iter().map(|shard| look_at(app, *shard, deadline));
        join_all(parts)
            .await
            .into_iter()
            .for_each(|part| found.add(part));
    }
    let mut done = Done {
        looked: found.looked,
        failed: found.failed,
        is_cut: found.is_cut,
        ..Done::default()
    };
    send_jobs(app, found.jobs, &mut done).await;
    send_events(app, found.events, &mut done).await;
    close(app, &found.complete, &mut done).await;
    tell(&done);
    done
}

/// Looks at one part of the index, the oldest first.
async fn look_at(app: &App, shard: OpenShard, deadline: Instant) -> Found {
    let now = app.clock.now();
    let before = now.minus(UNSETTLED_AFTER);
    let (mut found, mut after, mut looks) = (Found::default(), None, 0);
    loop {
        let is_late = deadline.saturating_duration_since(Instant::now()) < RESERVE;
        if is_late || looks >= LOOKS_MAX_OF_SHARD {
            found.is_cut = true;
            return found;
        }
        let page = match app.invites.open(shard, before, after, PAGE).await {
            Ok(page) => page,
            Err(fault) => {
                error!(
                    fault = "unavailable",
                    "a part of the open requests can't be looked at: {}",
                    chain(&fault)
                );
                found.failed += 1;
                return found;
            }
        };
        looks += page.ids.len();
        for (id, need) in needs(app, &page.ids, now, &mut found).await {
            found.looked += 1;
            found.jobs.extend(need.job.map(Job::Mint));
            found.events.extend(need.events);
            found.complete.extend(need.is_complete.then_some(id));
        }
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}

/// What each of these needs, by its record: the index lags behind. One that can't be read keeps nobody else waiting.
async fn needs(
    app: &App,
    ids: &[RequestId],
    now: Timestamp,
    found: &mut Found,
) -> Vec<(RequestId, Need)> {
    let records = join_all(ids.iter().map(|id| app.invites.get(*id))).await;
    let mut needs = Vec::with_capacity(ids.len());
    for (id, record) in ids.iter().zip(records) {
        match record {
            Ok(invite) => needs.extend(invite.map(|invite| (*id, invite.needs(now)))),
            Err(fault) => {
                error!(invite.id = %id, fault = "unavailable", "an open request can't be looked at: {}", chain(&fault));
                found.failed += 1;
            }
        }
    }
    needs
}

/// How many of `wanted` messages may be sent, if `there` are some already.
fn allowed(wanted: usize, there: u64) -> usize {
    if there >= wanted as u64 {
        0
    } else {
        wanted.min(SENT_MAX)
    }
}

async fn send_jobs(app: &App, mut jobs: Vec<Job>, done: &mut Done) {
    let wanted = jobs.len();
    if wanted > 0 {
        let there = try_join(app.jobs.depth(), app.letters.depth(QueueName::Invites));
        jobs.truncate(room(wanted, there.await, done));
        done.jobs = count(app.jobs.send_all(&jobs).await, done);
        done.waiting_jobs = (wanted as u64).saturating_sub(done.jobs);
    }
}

async fn send_events(app: &App, mut events: Vec<Event>, done: &mut Done) {
    let wanted = events.len();
    if wanted > 0 {
        let there = try_join(app.events.depth(), app.letters.depth(QueueName::Events));
        events.truncate(room(wanted, there.await, done));
        done.events = count(app.events.send_all(&events).await, done);
        done.waiting_events = (wanted as u64).saturating_sub(done.events);
    }
}

/// How many messages may be sent; none, if the queue does not tell what it holds.
fn room(wanted: usize, there: Result<(u64, u64), QueueError>, done: &mut Done) -> usize {
    match there {
        Ok((waiting, dead)) => allowed(wanted, waiting.saturating_add(dead)),
        Err(fault) => {
            error!(
                fault = "unavailable",
                "a queue does not tell how much it holds: {}",
                chain(&fault)
            );
            done.failed += 1;
            0
        }
    }
}

/// How many were sent.
fn count(sent: Vec<Result<(), QueueError>>, done: &mut Done) -> u64 {
    let mut all = 0;
    for result in sent {
        match result {
            Ok(()) => all += 1,
            Err(fault) => {
                error!(
                    fault = "unavailable",
                    "a message could not be sent again: {}",
                    chain(&fault)
                );
                done.failed += 1;
            }
        }
    }
    all
}

async fn close(app: &App, ids: &[RequestId], done: &mut Done) {
    for some in ids.chunks(PAGE.unsigned_abs() as usize) {
        for closed in join_all(some.iter().map(|id| app.invites.close(*id))).await {
            match closed {
                Ok(closed) => done.closed += u64::from(closed),
                Err(fault) => {
                    error!(
                        fault = "unavailable",
                        "a complete request could not be closed: {}",
                        chain(&fault)
                    );
                    done.failed += 1;
                }
            }
        }
    }
}

/// The one line of a run.
fn tell(done: &Done) {
    let Done {
        looked,
        jobs,
        events,
        closed,
        waiting_jobs,
        waiting_events,
        failed,
        is_cut,
    } = *done;
    // Whatever was sent was lost on its way: nobody must act, but somebody may want to know why.
    if jobs + events > 0 {
        warn!(
            outcome = "swept",
            looked,
            jobs,
            events,
            closed,
            waiting_jobs,
            waiting_events,
            failed,
            is_cut,
            "what stood still was queued again"
        );
    } else {
        info!(
            outcome = "swept",
            looked,
            jobs,
            events,
            closed,
            waiting_jobs,
            waiting_events,
            failed,
            is_cut,
            "nothing was to be queued again"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_in_the_queue_is_not_sent_once_more() {
        let rows = [
            (1, 0, 1),
            (1, 1, 0),
            (10, 9, 10),
            (10, 10, 0),
            (10, 5000, 0),
            (5000, 0, SENT_MAX),
            (5000, 4999, SENT_MAX),
        ];
        for (wanted, there, sent) in rows {
            assert_eq!(
                allowed(wanted, there),
                sent,
                "{wanted} wanted, {there} there"
            );
        }
    }
}
