//! The bell of a chat, of a bot's messages, or of deliveries to endpoints: a message that wakes a dispatcher, and carries no work.
//!
//! A process that has sent a bell which is still to arrive sends none: whoever puts a task before that is covered by it.
//!
//! ```text
//! task   task task    task          task
//!  |      |    |       |             |
//!  ring   ring in 1 s, which covers  ring        at most one bell a second, process and dispatcher
//! ```

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tracing::warn;

use super::{Envelope, Queue, QueueError};
use domain::id::{BotId, ChatId};
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::telemetry::chain;

/// At most one bell in this time, but for the first.
const APART: Duration = Duration::from_secs(1);

/// The body of a bell, which says whom it wakes.
pub trait BellBody: Copy + Eq + Hash + fmt::Display + Serialize {
    /// The URL of its queue.
    fn queue_url(env: &mut Env) -> String;
}

/// The body of a bell of `InviteQueue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Bell {
    /// There may be tasks of a chat that are due.
    Work {
        /// The chat by which its payments are known.
        chat_id: ChatId,
    },
}

impl BellBody for Bell {
    fn queue_url(env: &mut Env) -> String {
        env.required("INVITE_QUEUE_URL")
    }
}

impl From<ChatId> for Bell {
    fn from(chat_id: ChatId) -> Self {
        Self::Work { chat_id }
    }
}

impl fmt::Display for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Work { chat_id } = self;
        write!(f, "chat {chat_id}")
    }
}

/// The body of a bell of `MessageQueue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum MessageBell {
    /// There may be messages of a bot that are due.
    Work {
        /// The bot.
        bot_id: BotId,
    },
}

impl BellBody for MessageBell {
    fn queue_url(env: &mut Env) -> String {
        env.required("MESSAGE_QUEUE_URL")
    }
}

impl From<BotId> for MessageBell {
    fn from(bot_id: BotId) -> Self {
        Self::Work { bot_id }
    }
}

impl fmt::Display for MessageBell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Work { bot_id } = self;
        write!(f, "bot {bot_id}")
    }
}

/// The body of a bell of `HookQueue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum HookBell {
    /// There may be deliveries to endpoints that are due, or updates for actors that have webhooks.
    Work,
}

impl BellBody for HookBell {
    fn queue_url(env: &mut Env) -> String {
        env.required("HOOK_QUEUE_URL")
    }
}

impl fmt::Display for HookBell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("endpoints")
    }
}

/// The bells of one queue. Copies share what they know of the bells that were sent.
#[derive(Clone)]
pub struct Bells<B = Bell> {
    queue: Queue<B>,
    clock: Clock,
    sent: Arc<Mutex<HashMap<B, Sent>>>,
}

/// The bells of all bots' messages.
pub type MessageBells = Bells<MessageBell>;

/// The bells of all deliveries to endpoints.
pub type HookBells = Bells<HookBell>;

/// The last bell to a dispatcher.
#[derive(Clone, Copy)]
struct Sent {
    at: Instant,
    /// Tasks that are put before this are covered: a bell arrives later.
    covers_until: Instant,
}

/// What to do about a task that was put.
enum BellPlan {
    Covered,
    Send(Duration),
}

impl<B: BellBody> Bells<B> {
    /// The queue that the variable of its bells names.
    pub fn from_env(client: aws_sdk_sqs::Client, env: &mut Env, clock: &Clock) -> Self {
        Self {
            queue: Queue::new(client, B::queue_url(env)),
            clock: clock.clone(),
            sent: Arc::default(),
        }
    }

    /// Wakes the dispatcher of a chat or a bot, whose task is put already, unless a bell is on its way. A bell that can't be
    /// sent is logged and left to the tick, which looks each minute.
    pub async fn ring(&self, of: impl Into<B>) {
        let bell = of.into();
        let BellPlan::Send(delay) = self.plan(bell, self.clock.monotonic()) else {
            return;
        };
        if let Err(fault) = self.send(bell, delay).await {
            self.lock().remove(&bell);
            warn!(bell.of = %bell, fault = "unavailable", "no bell could be sent, the tick will look: {}", chain(&fault));
        }
    }

    /// Sends a bell that arrives in `delay`, as the holder of the lease, who knows that there is no other.
    ///
    /// # Errors
    /// [`QueueError`] if it can't be told whether it was sent; a second one is harmless.
    pub async fn send(&self, of: impl Into<B>, delay: Duration) -> Result<(), QueueError> {
        let envelope = Envelope {
            // The task has its own.
            trace: None,
            ..Envelope::new(of.into())
        };
        self.queue.send(envelope, delay).await
    }

    fn plan(&self, bell: B, now: Instant) -> BellPlan {
        let mut sent = self.lock();
        let last = sent.get(&bell).copied();
        let (plan, covers_until) = match last {
            Some(last) if now < last.covers_until => return BellPlan::Covered,
            Some(last) if now < last.at + APART => (BellPlan::Send(APART), now + APART),
            _ => (BellPlan::Send(Duration::ZERO), now),
        };
        sent.insert(
            bell,
            Sent {
                at: covers_until,
                covers_until,
            },
        );
        plan
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<B, Sent>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bells() -> Bells {
        let mut env = Env::from_iter([
            ("INVITE_QUEUE_URL", "http://127.0.0.1:1/q"),
            ("AWS_REGION", "x"),
            ("AWS_ACCESS_KEY_ID", "x"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
        ]);
        Bells::from_env(
            runtime::aws::Shared::from_env(&mut env).sqs(),
            &mut env,
            &Clock::default(),
        )
    }

    #[test]
    fn a_burst_rings_twice_a_second_at_most_and_covers_every_task() {
        let bells = bells();
        let (chat, other) = (ChatId(-1), ChatId(-2));
        let start = Instant::now();
        let delay =
            |chat: ChatId, ms| match bells.plan(chat.into(), start + Duration::from_millis(ms)) {
                BellPlan::Covered => None,
                BellPlan::Send(delay) => Some(delay.as_secs()),
            };
        assert_eq!(delay(chat, 0), Some(0), "the first rings at once");
        assert_eq!(
            delay(other, 0),
            Some(0),
            "another chat has a bell of its own"
        );
        let rung = (1..=100).filter(|step| delay(chat, step * 50).is_some());
        let rung = rung.count();
        assert!((4..=6).contains(&rung), "{rung} in 5 s");
        assert_eq!(delay(chat, 10_000), Some(0));
    }

    #[test]
    fn a_bell_reads_as_the_contract_writes_it() {
        let body = r#"{"kind":"work","chatId":-1001}"#;
        let bell: Bell = serde_json::from_str(body).unwrap();
        assert_eq!(bell, ChatId(-1001).into());
        assert_eq!(serde_json::to_string(&bell).unwrap(), body);
        let body = r#"{"kind":"work","botId":7}"#;
        let bell: MessageBell = serde_json::from_str(body).unwrap();
        assert_eq!(bell, BotId(7).into());
        assert_eq!(serde_json::to_string(&bell).unwrap(), body);
        let body = r#"{"kind":"work"}"#;
        let bell: HookBell = serde_json::from_str(body).unwrap();
        assert_eq!(serde_json::to_string(&bell).unwrap(), body);
    }
}
