//! The dispatcher of each chat: makes links, for requests and for the link pool, replaces and revokes them, lets people in
//! and takes out whose seat moved, as fast as Telegram allows.
//!
//! The table of tasks is the record of the work, and SQS is the bell: a message of the invite queue says that a chat may have due tasks,
//! and nothing else. Each chat has one dispatcher at a time, who holds its lease (`domain::lease`); the tick, once a
//! minute and past the queue, looks after the chats that nobody serves.

mod approve;
mod audit;
mod board;
mod call;
mod decline;
mod fill;
mod finish;
mod given_up;
mod mint;
mod remove;
mod replace;
mod revoke;
mod run;
mod seat;
mod task;
mod tick;
mod waiting;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use domain::event::EventMessage;
use domain::id::ChatId;
use domain::link_pool::Targets;
use domain::purchase::Chats;
use domain::retry::RetryRules;
use domain::texts::Language;
use futures_util::future::join_all;
use runtime::aws;
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::lambda::{Invocation, Tick, failed_messages, message_id};
use runtime::settings::{self, Lifetimes};
use serde::Serialize;
use store::queue::{Bell, Bells, Envelope, MessageBell, Queue};
use store::{
    Announcements, BotInfos, ChatInfos, Invites, LinkPool, LinkTeller, Links, Messages, People,
    RateLimits, Seats, Tasks,
};
use telegram::{self, Bots};
use tokio::time::Instant;
use tracing::{error, warn};

pub use tick::Ticked;

/// How long a run that a bell woke begins calls.
const DISPATCH_OF_BELL: Duration = Duration::from_secs(10);
/// How long one does that the tick woke.
const DISPATCH_OF_TICK: Duration = Duration::from_secs(50);
/// What a call may take after it was begun: Telegram's answer, and our own writes.
const CALL_TIME: Duration =
    Duration::from_secs(telegram::CALL_TIMEOUT.as_secs() + 2 * aws::CALL_TIMEOUT.as_secs());

/// What the handler needs.
pub struct App {
    bots: Bots,
    chats: Chats,
    invites: Invites,
    links: Links,
    tasks: Tasks,
    limits: RateLimits,
    pool: LinkPool,
    seats: Seats,
    bot_infos: BotInfos,
    people: People,
    default_language: Language,
    chat_infos: ChatInfos,
    link_teller: LinkTeller,
    messages: Messages,
    message_bells: Bells<MessageBell>,
    targets: Targets,
    bells: Bells,
    events: Queue<EventMessage>,
    announcements: Announcements,
    rules: RetryRules,
    invite_ttl: Duration,
    pool_ttl: Duration,
    retention: Duration,
    clock: Clock,
    is_stopping: AtomicBool,
}

impl App {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, clock: Clock) -> Self {
        let aws = aws::Shared::from_env(env);
        let Lifetimes { invite, retention } = Lifetimes::from_env(env);
        let chats = settings::chats(env);
        let targets = settings::link_pool_targets(env, &chats);
        Self {
            bots: Bots::from_env(env, &clock),
            chats,
            invites: Invites::from_env(aws.dynamodb(), env),
            links: Links::from_env(aws.dynamodb(), env),
            tasks: Tasks::from_env(aws.dynamodb(), env),
            limits: RateLimits::from_env(aws.dynamodb(), env),
            pool: LinkPool::from_env(aws.dynamodb(), env),
            seats: Seats::from_env(aws.dynamodb(), env),
            bot_infos: BotInfos::from_env(aws.dynamodb(), env),
            people: People::from_env(aws.dynamodb(), env),
            default_language: settings::default_language(env),
            chat_infos: ChatInfos::from_env(aws.dynamodb(), env),
            link_teller: LinkTeller::from_env(env, &aws, &clock),
            messages: Messages::from_env(aws.dynamodb(), env),
            message_bells: Bells::from_env(aws.sqs(), env, &clock),
            pool_ttl: settings::link_pool_ttl(env, &targets),
            targets,
            bells: Bells::from_env(aws.sqs(), env, &clock),
            events: Queue::from_env(aws.sqs(), env),
            announcements: Announcements::from_env(&aws, env, &clock),
            rules: RetryRules {
                max_attempts: settings::max_attempts(env),
                base_backoff: settings::base_backoff(env),
            },
            invite_ttl: invite,
            retention,
            clock,
            is_stopping: AtomicBool::new(false),
        }
    }

    /// No call of Telegram is begun from now on: the process is about to end.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
    }

    /// All bots, as a lease names those that can't call.
    fn bot_ids(&self) -> String {
        let ids: Vec<String> = self.bots.iter().map(|bot| bot.bot().to_string()).collect();
        ids.join(",")
    }
}

/// What the function answers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum WorkerAnswer {
    /// The bells that SQS is to show again.
    Batch(SqsBatchResponse),
    /// What the tick did.
    Tick(Ticked),
}

/// Handles one invocation. It begins no call that could outlast `deadline`.
pub async fn handle(app: &App, invocation: Invocation, deadline: Instant) -> WorkerAnswer {
    match invocation {
        Invocation::Batch(batch) => WorkerAnswer::Batch(answer_bells(app, batch, deadline).await),
        Invocation::Tick(Tick::Tick) => WorkerAnswer::Tick(tick(app, deadline).await),
    }
}

/// Serves the chats of a batch of bells, side by side. Messages that it answers as failed are shown again by SQS, and after
/// five times go to the dead-letter queue; nothing is lost by that.
pub async fn answer_bells(app: &App, batch: SqsEvent, deadline: Instant) -> SqsBatchResponse {
    let (mut chats, mut poison): (BTreeSet<ChatId>, Vec<String>) = (BTreeSet::new(), Vec::new());
    for message in &batch.records {
        match Envelope::open(message).map(|envelope| envelope.message) {
            Ok(Bell::Work { chat_id }) => match app.chats.named(chat_id) {
                Some((_, pool)) => {
                    chats.insert(pool);
                }
                None => {
                    warn!(chat.id = %chat_id, outcome = "dropped", "a bell of a chat that TELEGRAM_CHAT_ID does not name");
                }
            },
            Err(_) => {
                error!(
                    message.id = message_id(message),
                    fault = "poison",
                    "unparseable message in InviteQueue"
                );
                poison.push(message_id(message));
            }
        }
    }
    let budget = budget(app, DISPATCH_OF_BELL, deadline);
    join_all(
        chats
            .into_iter()
            .map(|chat| run::dispatch(app, chat, budget)),
    )
    .await;
    failed_messages(poison)
}

/// Looks after all chats, past the queue.
pub async fn tick(app: &App, deadline: Instant) -> Ticked {
    tick::tick(app, budget(app, DISPATCH_OF_TICK, deadline)).await
}

/// Until when calls may be begun: none that could outlast the invocation.
fn budget(app: &App, length: Duration, deadline: Instant) -> run::Budget {
    let left = deadline.saturating_duration_since(Instant::now());
    run::Budget {
        until: app.clock.monotonic() + length.min(left.saturating_sub(CALL_TIME)),
    }
}
