//! Messages of the bot in a world, and the operators' chat.

use anyhow::Context as _;
use domain::id::BotId;
use domain::message::{Class, Content, Message, MessageId};
use domain::time::Timestamp;
use serde_json::json;
use simulators::telegram::{ChatKind, MessageLimits, Rights};
use store::Messages;
use store::queue::MessageBells;

use super::*;
use local::resources::MESSAGES;

/// Puts messages as a function does that has something to say, past the wire.
pub(crate) struct Speaker {
    messages: Messages,
    bells: MessageBells,
    bot: BotId,
    clock: Clock,
}

impl Speaker {
    /// Has a text sent to a person; it is not rung for.
    pub(crate) async fn put(&self, person: i64, class: Class, html: &str) -> anyhow::Result<()> {
        let now: Timestamp = self.clock.now();
        let message = Message {
            id: MessageId::new(now, html),
            bot: self.bot,
            chat: domain::id::ChatId(person),
            thread: None,
            class,
            content: Content::Text {
                html: html.to_owned(),
                buttons: Vec::new(),
                protect: false,
                silent: false,
            },
            not_before: None,
            not_after: None,
        };
        self.messages.put(&message, now).await?;
        Ok(())
    }

    /// Rings for all that was put, at most once a second.
    pub(crate) async fn ring(&self) {
        self.bells.ring(self.bot).await;
    }
}

impl World {
    /// Somebody who has messages sent by the first bot.
    ///
    /// # Errors
    /// Never in a world that was started.
    pub(crate) fn speaker(&self) -> anyhow::Result<Speaker> {
        let mut env = env_of(&self.env).on(past_the_wire(&self.aws));
        Ok(Speaker {
            messages: Messages::from_env(self.admin.dynamodb(), &mut env),
            bells: MessageBells::from_env(self.admin.sqs(), &mut env, &self.clock),
            bot: BotId(u64::try_from(self.bots[0]).context("a bot")?),
            clock: self.clock.clone(),
        })
    }

    /// Makes the operators' chat that the environment names.
    pub(crate) fn open_operators_chat(&self) {
        let chat = self.env.get("OPERATOR_CHAT_ID");
        if let Some(chat) = chat.and_then(|chat| chat.parse().ok()) {
            self.telegram
                .add_chat(chat, "Operators", ChatKind::Supergroup);
            self.telegram.make_forum(chat);
            self.telegram.make_admin(self.bots[0], chat, Rights::all());
        }
    }

    /// Telegram limits as it publishes it, over a way of 80 ms.
    pub(crate) fn limit_as_published(&self) {
        let limits = MessageLimits::published();
        self.telegram.set_message_limits(limits);
        self.telegram.set_bot_limit(limits.bot);
        let way = Duration::from_millis(80);
        self.telegram.set_latency(way..=way);
    }

    /// Waits until nothing is under way, without a call that would be counted.
    ///
    /// # Errors
    /// If that is not within `most`.
    pub(crate) async fn rest(&self, most: Duration) -> anyhow::Result<()> {
        let (start, mut idle) = (Instant::now(), 0);
        while idle < 5 {
            anyhow::ensure!(start.elapsed() < most, "no rest after {most:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
            let bells = self.aws.queue_depth(MESSAGES.queue);
            let is_quiet = bells.is_none_or(|depth| depth.total() == 0) && self.is_idle();
            idle = if is_quiet { idle + 1 } else { 0 };
        }
        Ok(())
    }

    /// Makes an actor; answers its key.
    ///
    /// # Errors
    /// If it is not made.
    pub(crate) async fn actor(&self, name: &str, role: &str) -> anyhow::Result<String> {
        let made = self
            .operate("actors", &json!({"name": name, "role": role}))
            .await
            .context("admin died")?;
        let key = made.body["key"].as_str();
        Ok(key.with_context(|| format!("{made:?}"))?.to_owned())
    }
}
