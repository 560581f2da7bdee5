//! The dispatcher of each bot's messages: sends them to people and groups as fast as Telegram allows, and each in its turn.
//!
//! The table of tasks is the record of the work, and SQS is the bell: a message of the message queue says that a bot may have
//! due messages, and nothing else. Each bot has one dispatcher at a time, who holds its lease (`domain::lease`); the tick,
//! once a minute and past the queue, looks after the bots that nobody serves.

mod called;
mod post;
mod remind;
mod run;
mod send;
mod settle;
mod shared;
mod shown;
mod tick;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use domain::id::{BotId, ChatId};
use domain::purchase::Chats;
use domain::retry::RetryRules;
use domain::texts::Language;
use futures_util::future::join_all;
use runtime::aws;
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::lambda::{Invocation, Tick, failed_messages, message_id};
use runtime::settings;
use serde::Serialize;
use store::queue::{Envelope, MessageBell, MessageBells};
use store::{Actors, Announcements, Messages, People, RateLimits, RelayMap, Reminders, Topics};
use telegram::{self, Bots};
use tokio::time::Instant;
use tracing::{error, warn};

pub use tick::MessengerTicked;

/// How long a run that a bell woke begins calls.
const DISPATCH_OF_BELL: Duration = Duration::from_secs(10);
/// How long one does that the tick woke.
const DISPATCH_OF_TICK: Duration = Duration::from_secs(50);
/// What a message may take after it was begun: our own writes before and after, and Telegram's answer.
const SEND_TIME: Duration =
    Duration::from_secs(telegram::CALL_TIMEOUT.as_secs() + 3 * aws::CALL_TIMEOUT.as_secs());

/// What the handler needs.
pub struct App {
    bots: Bots,
    messages: Messages,
    relay_map: RelayMap,
    topics: Topics,
    reminders: Reminders,
    people: People,
    limits: RateLimits,
    actors: Actors,
    bells: MessageBells,
    chats: Chats,
    operator_chat: Option<ChatId>,
    shows_sent: bool,
    default_language: Language,
    announcements: Announcements,
    rules: RetryRules,
    retention: Duration,
    clock: Clock,
    is_stopping: AtomicBool,
}

impl App {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, clock: Clock) -> Self {
        let aws = aws::Shared::from_env(env);
        let chats = settings::chats(env);
        Self {
            bots: Bots::from_env(env, &clock),
            messages: Messages::from_env(aws.dynamodb(), env),
            relay_map: RelayMap::from_env(aws.dynamodb(), env),
            topics: Topics::from_env(aws.dynamodb(), env),
            reminders: Reminders::from_env(aws.dynamodb(), env),
            people: People::from_env(aws.dynamodb(), env),
            limits: RateLimits::of_messages(aws.dynamodb(), env),
            actors: Actors::from_env(aws.dynamodb(), env),
            bells: MessageBells::from_env(aws.sqs(), env, &clock),
            operator_chat: settings::operator_chat(env, &chats),
            chats,
            shows_sent: settings::relay_shows_sent(env),
            default_language: settings::default_language(env),
            announcements: Announcements::from_env(&aws, env, &clock),
            rules: RetryRules {
                max_attempts: settings::max_attempts(env),
                base_backoff: settings::base_backoff(env),
            },
            retention: settings::message_retention(env),
            clock,
            is_stopping: AtomicBool::new(false),
        }
    }

    /// No message is begun from now on: the process is about to end.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
    }
}

/// What the function answers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum MessengerAnswer {
    /// The bells that SQS is to show again.
    Batch(SqsBatchResponse),
    /// What the tick did.
    Tick(MessengerTicked),
}

/// Handles one invocation. It begins no message that could outlast `deadline`.
pub async fn handle(app: &App, invocation: Invocation, deadline: Instant) -> MessengerAnswer {
    match invocation {
        Invocation::Batch(batch) => {
            MessengerAnswer::Batch(answer_bells(app, batch, deadline).await)
        }
        Invocation::Tick(Tick::Tick) => MessengerAnswer::Tick(tick(app, deadline).await),
    }
}

/// Serves the bots of a batch of bells, side by side. Messages that it answers as failed are shown again by SQS, and after
/// five times go to the dead-letter queue; nothing is lost by that.
pub async fn answer_bells(app: &App, batch: SqsEvent, deadline: Instant) -> SqsBatchResponse {
    let (mut bots, mut poison): (BTreeSet<BotId>, Vec<String>) = (BTreeSet::new(), Vec::new());
    for message in &batch.records {
        match Envelope::open(message).map(|envelope| envelope.message) {
            Ok(MessageBell::Work { bot_id }) => {
                bots.insert(bot_id);
            }
            Err(_) => {
                error!(
                    message.id = message_id(message),
                    fault = "poison",
                    "unparseable message in MessageQueue"
                );
                poison.push(message_id(message));
            }
        }
    }
    let until = until(app, DISPATCH_OF_BELL, deadline);
    join_all(bots.into_iter().map(async |bot| match app.bots.get(bot) {
        Some(telegram) => run::dispatch(app, telegram, until).await,
        None => {
            warn!(bot.id = %bot, outcome = "dropped", "a bell of a bot that TELEGRAM_BOT_TOKEN does not name");
        }
    }))
    .await;
    failed_messages(poison)
}

/// Looks after all bots, past the queue.
pub async fn tick(app: &App, deadline: Instant) -> MessengerTicked {
    tick::tick(app, until(app, DISPATCH_OF_TICK, deadline)).await
}

/// Until when messages may be begun: none that could outlast the invocation.
fn until(app: &App, length: Duration, deadline: Instant) -> Instant {
    let left = deadline.saturating_duration_since(Instant::now());
    app.clock.monotonic() + length.min(left.saturating_sub(SEND_TIME))
}
