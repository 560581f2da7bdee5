//! The services that a local stack calls, outside of it.

use std::net::SocketAddr;

use simulators::clock::Clock;
use simulators::telegram::{ChatKind, Rights, Telegram};
use simulators::webengage::WebEngage;

use super::{TestStack, any_port, options};
use crate::stack::{Data, Stack};

/// Telegram and WebEngage outside the local stack, so that the local stack takes them for the real ones.
pub struct ExternalServices {
    /// Telegram, with one bot that is administrator of one chat.
    pub telegram: Telegram,
    /// WebEngage.
    pub webengage: WebEngage,
    /// The one clock of all of them, and of the local stacks started beside them.
    pub clock: Clock,
    /// The bot.
    pub bot_id: i64,
    /// The chat.
    pub chat_id: i64,
    env: Vec<(&'static str, String)>,
}

impl ExternalServices {
    /// Starts both, with these secrets.
    pub async fn start(bot_token: &str, webengage_key: &str) -> Self {
        let clock = Clock::new();
        let telegram = Telegram::start(any_port(), clock.clone())
            .await
            .expect("Telegram starts");
        let webengage = WebEngage::start(any_port(), clock.clone(), "in~outside", webengage_key)
            .await
            .expect("WebEngage starts");
        let (bot_id, chat_id) = (telegram.add_bot(bot_token), -1_009_876_543_210);
        telegram.add_chat(chat_id, "Outside", ChatKind::Supergroup);
        telegram.make_admin(bot_id, chat_id, Rights::all());
        let env = vec![
            ("TELEGRAM_BOT_TOKEN", bot_token.to_owned()),
            ("TELEGRAM_CHAT_ID", chat_id.to_string()),
            ("TELEGRAM_API_BASE", telegram.url()),
            ("WEBENGAGE_LICENSE_CODE", "in~outside".to_owned()),
            ("WEBENGAGE_API_KEY", webengage_key.to_owned()),
            ("WEBENGAGE_API_BASE", webengage.url()),
        ];
        Self {
            telegram,
            webengage,
            clock,
            bot_id,
            chat_id,
            env,
        }
    }

    /// The variables by which a local stack, or a process, finds them.
    #[must_use]
    pub fn env(&self) -> Vec<(&str, &str)> {
        let pairs = self.env.iter().map(|(name, value)| (*name, value.as_str()));
        pairs.collect()
    }

    /// A local stack beside them; `env` wins over what they need.
    ///
    /// # Errors
    /// The sentence by which it refuses to start.
    pub async fn stack(
        &self,
        listen: SocketAddr,
        data: Data,
        env: &[(&str, &str)],
    ) -> anyhow::Result<TestStack> {
        let all = [&self.env(), env].concat();
        let stack = Stack::start(options(listen, data, &all, &self.clock)).await?;
        let (telegram, webengage) = (self.telegram.clone(), self.webengage.clone());
        let place = (self.bot_id, self.chat_id);
        let clock = self.clock.clone();
        Ok(TestStack::of(stack, telegram, webengage, clock, place))
    }
}
