//! Once a minute: measures what no function sees while it works. How much waits in the queues, who waits longest for a
//! link, which order waits longest for a person, and what Telegram says of the webhooks.
//!
//! It changes nothing. What can't be measured is logged and left out, and hides nothing else.

mod waiting;

use std::time::Duration;

use domain::fault::Fault;
use domain::purchase::Chats;
use domain::time::Timestamp;
use futures_util::future::{join_all, join4, try_join, try_join_all};
use runtime::aws::{self, QueueDepth};
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::redaction::of_others;
use runtime::settings;
use runtime::telemetry::chain;
use serde::{Deserialize, Serialize};
use store::{Orders, RateLimits, Tasks};
use telegram::{Bots, Telegram, WebhookInfo, allowed_updates, webhook_address};
use tokio::time::timeout;
use tracing::{error, info, warn};

/// Longest wait for one measurement, so that the next run is not late.
const TIMEOUT: Duration = Duration::from_secs(25);
/// How long ago a delivery failed that counts: since about the last run but one, so that none is missed.
const JUST_NOW: Duration = Duration::from_secs(120);

/// `WEBHOOK_URL` where Telegram is asked for updates: no webhook is looked at.
pub const POLLING: &str = "polling";

/// What the handler needs.
pub struct App {
    bots: Bots,
    talks: bool,
    /// Where updates should go; nowhere, if they are asked for.
    webhook_url: Option<String>,
    invite_queue: QueueDepth,
    event_queue: QueueDepth,
    invite_dead_letters: QueueDepth,
    event_dead_letters: QueueDepth,
    chats: Chats,
    tasks: Tasks,
    limits: RateLimits,
    orders: Orders,
    clock: Clock,
}

impl App {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, clock: Clock) -> Self {
        let webhook_url = env.required("WEBHOOK_URL");
        let aws = aws::Shared::from_env(env);
        let queue_depth = |url| QueueDepth::new(aws.sqs(), url);
        let chats = settings::chats(env);
        Self {
            bots: Bots::from_env(env, &clock),
            talks: settings::talks(env, &chats),
            webhook_url: (webhook_url != POLLING).then_some(webhook_url),
            invite_queue: queue_depth(env.required("INVITE_QUEUE_URL")),
            event_queue: queue_depth(env.required("EVENT_QUEUE_URL")),
            invite_dead_letters: queue_depth(env.required("INVITE_DEAD_LETTER_QUEUE_URL")),
            event_dead_letters: queue_depth(env.required("EVENT_DEAD_LETTER_QUEUE_URL")),
            chats,
            tasks: Tasks::from_env(aws.dynamodb(), env),
            limits: RateLimits::from_env(aws.dynamodb(), env),
            orders: Orders::from_env(aws.dynamodb(), env),
            clock,
        }
    }
}

/// What was measured; what could not be is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// Bells on their way, whatever their state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invite_queue_depth: Option<u64>,
    /// Messages in the queue of events, whatever their state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_queue_depth: Option<u64>,
    /// Bells that failed five times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invite_dead_letters: Option<u64>,
    /// Events that were given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_dead_letters: Option<u64>,
    /// For how many seconds the buyer waits who waits longest for a link; 0 if nobody does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_unserved_seconds: Option<u64>,
    /// Requests that were given up and are neither retried nor voided: their buyers have no link. Of each chat at most
    /// 25 of each kind are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_invites: Option<u64>,
    /// For how many seconds the order waits that waits longest for a person's decision; 0 if none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_case_seconds: Option<u64>,
    /// Updates that wait at Telegram, of all bots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_pending_updates: Option<u64>,
    /// Bots whose updates do not come: the webhook is another, or a delivery failed just now, or the token is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_errors: Option<u64>,
    /// How much could not be measured.
    pub failed: u64,
}

/// Measures everything once.
pub async fn handle(app: &App) -> Seen {
    let now = app.clock.now();
    let mut failed = 0;
    let (queues, (longest, failed_invites), oldest_case, webhooks) = join4(
        join_all([
            depth("InviteQueue", &app.invite_queue),
            depth("EventQueue", &app.event_queue),
            depth("InviteDeadLetterQueue", &app.invite_dead_letters),
            depth("EventDeadLetterQueue", &app.event_dead_letters),
        ]),
        buyers(app, now),
        oldest_case(app, now),
        webhooks(app, now),
    )
    .await;
    failed += queues.iter().filter(|depth| depth.is_none()).count() as u64;
    failed += u64::from(longest.is_none()) + u64::from(oldest_case.is_none()) + webhooks.unknown;
    let mut queues = queues.into_iter();
    let mut next = || queues.next().flatten();
    let seen = Seen {
        invite_queue_depth: next(),
        event_queue_depth: next(),
        invite_dead_letters: next(),
        event_dead_letters: next(),
        oldest_unserved_seconds: longest,
        failed_invites,
        oldest_case_seconds: oldest_case,
        webhook_pending_updates: webhooks.pending,
        webhook_errors: webhooks.errors,
        failed,
    };
    info!(
        outcome = "measured",
        queue.invites = seen.invite_queue_depth,
        queue.events = seen.event_queue_depth,
        queue.dead_invites = seen.invite_dead_letters,
        queue.dead_events = seen.event_dead_letters,
        oldest_unserved_s = seen.oldest_unserved_seconds,
        invites.failed = seen.failed_invites,
        oldest_case_s = seen.oldest_case_seconds,
        webhook.pending = seen.webhook_pending_updates,
        webhook.errors = seen.webhook_errors,
        failed,
        "measured"
    );
    seen
}

/// How full a queue is, if SQS tells.
async fn depth(queue: &str, queue_depth: &QueueDepth) -> Option<u64> {
    let measured = queue_depth.depth().await;
    measured
        .inspect_err(|sentence| {
            error!(
                fault = "unavailable",
                "the depth of {queue} is not known: {sentence}"
            );
        })
        .ok()
}

/// For how many seconds somebody waits for a link, at most, and how many requests were given up.
async fn buyers(app: &App, now: Timestamp) -> (Option<u64>, Option<u64>) {
    let chats = app.chats.all().map(async |(_, chat)| {
        let longest = waiting::longest(&app.tasks, &app.limits, chat);
        try_join(longest, waiting::failed(&app.tasks, chat)).await
    });
    let found = match timeout(TIMEOUT, try_join_all(chats)).await {
        Ok(Ok(found)) => found,
        Ok(Err(failure)) => {
            let sentence = chain(&failure);
            error!(
                fault = "unavailable",
                "who waits for a link is not known: {sentence}"
            );
            return (None, None);
        }
        Err(_) => {
            error!(
                fault = "unavailable",
                "who waits for a link is not known: the table did not answer in time"
            );
            return (None, None);
        }
    };
    let oldest = found.iter().filter_map(|(since, _)| *since).min();
    let longest = oldest.map_or(0, |since| now.since(since).as_secs());
    (
        Some(longest),
        Some(found.iter().map(|(_, failed)| failed).sum()),
    )
}

/// For how many seconds an order waits for a person, at most.
async fn oldest_case(app: &App, now: Timestamp) -> Option<u64> {
    match timeout(TIMEOUT, app.orders.with_cases(1)).await {
        Ok(Ok(found)) => Some(
            found
                .first()
                .map_or(0, |(_, since)| now.since(*since).as_secs()),
        ),
        Ok(Err(failure)) => {
            error!(
                fault = "unavailable",
                "which order waits for a person is not known: {}",
                chain(&failure)
            );
            None
        }
        Err(_) => {
            error!(
                fault = "unavailable",
                "which order waits for a person is not known: the table did not answer in time"
            );
            None
        }
    }
}

/// What Telegram says of all webhooks.
struct Webhooks {
    pending: Option<u64>,
    errors: Option<u64>,
    /// Bots that Telegram says nothing of.
    unknown: u64,
}

async fn webhooks(app: &App, now: Timestamp) -> Webhooks {
    let Some(url) = &app.webhook_url else {
        return Webhooks {
            pending: None,
            errors: None,
            unknown: 0,
        };
    };
    let asked = app.bots.iter().enumerate();
    let asked = asked.map(|(place, bot)| {
        let updates = allowed_updates(app.talks, place);
        webhook_of(webhook_address(url, place, bot.bot()), bot, updates, now)
    });
    let asked = join_all(asked).await;
    let unknown = asked.iter().filter(|measured| measured.is_none()).count() as u64;
    let known: Vec<(u64, bool)> = asked.into_iter().flatten().collect();
    let is_known = !known.is_empty();
    Webhooks {
        pending: is_known.then(|| known.iter().map(|(pending, _)| pending).sum()),
        errors: is_known.then(|| known.iter().filter(|(_, is_wrong)| *is_wrong).count() as u64),
        unknown,
    }
}

/// How many updates wait for a bot, and whether they do not come; nothing if Telegram does not tell.
async fn webhook_of(
    url: String,
    bot: &Telegram,
    updates: &[&str],
    now: Timestamp,
) -> Option<(u64, bool)> {
    let id = bot.bot();
    let failure = match timeout(TIMEOUT, bot.webhook_info()).await {
        Ok(Ok(info)) => {
            let sentence = info
                .mismatch(&url, updates)
                .or_else(|| failed_just_now(&info, now));
            if let Some(sentence) = &sentence {
                error!(bot.id = %id, fault = "configuration", "joins do not come: {}", of_others(sentence));
            }
            return Some((info.pending_update_count, sentence.is_some()));
        }
        Ok(Err(failure)) => failure,
        Err(_) => {
            warn!(bot.id = %id, fault = "unknown", "Telegram does not tell of the webhook in time");
            return None;
        }
    };
    let sentence = chain(&failure);
    match failure.fault() {
        Fault::RateLimited { .. } | Fault::Retry | Fault::Unknown => {
            warn!(bot.id = %id, fault = failure.fault().as_str(), "Telegram does not tell of the webhook: {sentence}");
            None
        }
        Fault::ChatFault | Fault::Permanent | Fault::Refused | Fault::Migrated(_) => {
            error!(bot.id = %id, fault = failure.fault().as_str(), "Telegram does not tell of the webhook: {sentence}");
            Some((0, true))
        }
    }
}

/// What Telegram says of a delivery that failed since about the last run.
fn failed_just_now(info: &WebhookInfo, now: Timestamp) -> Option<String> {
    let at = Timestamp::from_seconds(info.last_error_date?);
    let words = info.last_error_message.as_deref().unwrap_or_default();
    (now.since(at) < JUST_NOW).then(|| format!("Telegram can't deliver: {words}"))
}
