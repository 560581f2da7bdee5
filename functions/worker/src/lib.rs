//! The invite queue: mints links, for requests and for the stock, and revokes them, at the pace that Telegram allows.
//!
//! A batch is parsed message by message, then served chat by chat: each chat's jobs take their turns from the chat's
//! line (`common::domain::pace`), run at their slots, and what has no slot goes back to the queue until its place in
//! the line comes up. A message is handed back to SQS as failed only for our own faults and for poison.

mod chat;
mod line;
mod mint;
mod reissue;
mod revoke;
mod stock;
mod trouble;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use common::aws;
use common::clock::Clock;
use common::config::Env;
use common::domain::id::{BotId, ChatId};
use common::domain::job::Job;
use common::domain::pace::{Place, Successes};
use common::domain::retry::RetryRules;
use common::domain::time::Timestamp;
use common::lambda::{hand_back, message_id};
use common::queue::{EventQueue, InviteQueue, PutBack, QueueError, attempt_of, place_of, trace_of};
use common::store::{Invites, Links, PaceKey, Paces, Stock, StoreError};
use common::telegram::Bots;
use common::telemetry::chain;
use futures_util::future::join_all;
use tokio::time::Instant;
use tracing::{error, info};

/// What the handler needs.
pub struct App {
    bots: Bots,
    invites: Invites,
    links: Links,
    stock: Stock,
    paces: Paces,
    jobs: InviteQueue,
    events: EventQueue,
    rules: RetryRules,
    invite_ttl: Duration,
    retention: Duration,
    clock: Clock,
    /// Calls that went well since the pace was last stored. They ride on its next write; lost, they only delay learning.
    successes: Mutex<HashMap<PaceKey, Successes>>,
    /// Whether the chats of a bot share a limit, and when that was read.
    known_limits: Mutex<HashMap<BotId, (bool, Timestamp)>>,
}

impl App {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, clock: Clock) -> Self {
        let aws = aws::Shared::from_env(env);
        let invite_ttl = env.invite_ttl();
        let retention = env.retention();
        if invite_ttl > retention {
            env.problem(
                "INVITE_TTL_SEC is longer than RETENTION_DAYS: who joins last would be forgotten"
                    .to_owned(),
            );
        }
        Self {
            bots: Bots::from_env(env),
            invites: Invites::from_env(aws.dynamodb(), env),
            links: Links::from_env(aws.dynamodb(), env),
            stock: Stock::from_env(aws.dynamodb(), env),
            paces: Paces::from_env(aws.dynamodb(), env),
            jobs: InviteQueue::from_env(aws.sqs(), env),
            events: EventQueue::from_env(aws.sqs(), env),
            rules: RetryRules {
                max_attempts: env.number("MAX_ATTEMPTS", 50, 1..=1000),
                base_backoff: env.base_backoff(),
            },
            invite_ttl,
            retention,
            clock,
            successes: Mutex::default(),
            known_limits: Mutex::default(),
        }
    }

    fn note_success(&self, key: PaceKey, paced: bool) {
        let mut successes = self
            .successes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let noted = successes.entry(key).or_default();
        noted.all += 1;
        noted.paced += u32::from(paced);
    }

    fn known_limits(&self) -> MutexGuard<'_, HashMap<BotId, (bool, Timestamp)>> {
        self.known_limits
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn take_successes(&self, key: PaceKey) -> Successes {
        self.successes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&key)
            .unwrap_or_default()
    }
}

/// Our own fault: the message is handed back, and SQS shows it again.
#[derive(Debug, thiserror::Error)]
enum WorkError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// One job of the batch, with the messages that asked for it.
struct Task {
    /// More than one if a mint came in several copies: calls at the same instant queue one each.
    message_ids: Vec<String>,
    job: Job,
    attempt: u32,
    place: Place,
    /// The trace of the request, which the message carries.
    trace: Option<String>,
}

impl Task {
    fn ends(self, end: End) -> Served {
        Served {
            message_ids: self.message_ids,
            end,
        }
    }

    fn put_back_until(self, at: Timestamp, place: Place) -> Served {
        let Self {
            message_ids,
            job,
            attempt,
            trace,
            ..
        } = self;
        Served {
            message_ids,
            end: End::PutBack(PutBack {
                job,
                at,
                attempt,
                place,
                trace,
            }),
        }
    }

    /// Takes in another copy of the same mint, which is due when the earlier of both is, or of the same unit; hands it
    /// back if it is none.
    fn absorb(&mut self, other: Self) -> Option<Self> {
        match (&mut self.job, &other.job) {
            (Job::Mint(mint), Job::Mint(copy)) if mint.request_id == copy.request_id => {
                mint.not_before = mint.not_before.min(copy.not_before);
                self.place = self.place.min(other.place);
                self.message_ids.extend(other.message_ids);
                None
            }
            (Job::Stock(stock), Job::Stock(copy)) if stock.unit_id() == copy.unit_id() => {
                self.message_ids.extend(other.message_ids);
                None
            }
            _ => Some(other),
        }
    }
}

/// How a job ended for now.
enum End {
    /// Nothing is left to do; SQS may delete the message.
    Done,
    /// To be sent again, for later.
    PutBack(PutBack),
    /// The line has changed: it asks for another turn at once.
    Again,
    /// Our own fault, logged: SQS is to show the message again.
    HandBack,
}

/// The messages of a job and how it ended.
struct Served {
    message_ids: Vec<String>,
    end: End,
}

/// Works off a batch. Messages that it answers as failed are shown again by SQS, and after five times go to the
/// dead-letter queue; all others are done, or were sent again for later. It begins no call that could outlast
/// `deadline`.
pub async fn handle(app: &App, batch: SqsEvent, deadline: Instant) -> SqsBatchResponse {
    let now = app.clock.now();
    let (tasks, mut served) = parse(&batch);
    let mut chats: BTreeMap<ChatId, Vec<Task>> = BTreeMap::new();
    for task in tasks {
        match task.job.not_before().filter(|at| *at > now) {
            Some(at) => {
                let place = task.place;
                served.push(task.put_back_until(at, place));
            }
            None => chats.entry(task.job.chat()).or_default().push(task),
        }
    }
    let chats = join_all(
        chats
            .into_iter()
            .map(|(id, tasks)| chat::serve(app, id, tasks, deadline)),
    )
    .await;
    served.extend(chats.into_iter().flatten());
    hand_back(put_back(app, served).await)
}

/// Reads the messages one by one: the jobs, and what is none.
fn parse(batch: &SqsEvent) -> (Vec<Task>, Vec<Served>) {
    let (mut tasks, mut poison): (Vec<Task>, _) = (Vec::new(), Vec::new());
    for message in &batch.records {
        let message_ids = vec![message_id(message)];
        let Ok(job) = serde_json::from_str::<Job>(message.body.as_deref().unwrap_or_default())
        else {
            error!(
                message.id = message_id(message),
                fault = "poison",
                "a message of the invite queue is no job"
            );
            let end = End::HandBack;
            poison.push(Served { message_ids, end });
            continue;
        };
        // Without a place, one that was put back waited for its own sake, and has waited enough.
        let place = place_of(message).unwrap_or(match job.not_before() {
            None => Place::New,
            Some(_) => Place::Front,
        });
        let task = Task {
            message_ids,
            job,
            attempt: attempt_of(message),
            place,
            trace: trace_of(message).map(str::to_owned),
        };
        let left = tasks
            .iter_mut()
            .try_fold(task, |task, known| known.absorb(task).ok_or(()));
        tasks.extend(left.ok());
    }
    (tasks, poison)
}

/// Sends what is to be put back; answers the ids of the messages that SQS must keep.
async fn put_back(app: &App, served: Vec<Served>) -> Vec<String> {
    let (mut keep, mut ids, mut jobs) = (Vec::new(), Vec::new(), Vec::new());
    for Served { message_ids, end } in served {
        match end {
            End::Done => {}
            End::HandBack | End::Again => keep.extend(message_ids),
            End::PutBack(job) => {
                ids.push(message_ids);
                jobs.push(job);
            }
        }
    }
    if !jobs.is_empty() {
        info!(
            outcome = "put_back",
            jobs = jobs.len(),
            "jobs wait for their turn"
        );
    }
    let sent = app.jobs.put_back(jobs, app.clock.now()).await;
    for (message_ids, sent) in ids.into_iter().zip(sent) {
        if let Err(fault) = sent {
            error!(
                message.ids = ?message_ids,
                fault = "unavailable",
                "a job could not be put back: {}",
                chain(&fault)
            );
            keep.extend(message_ids);
        }
    }
    keep
}
