//! Which bots there are, and the webhook of each: registered, and read back.

use domain::text::list;
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::settings;
use secrecy::SecretString;
use telegram::{Bots, Telegram, TelegramError, WebhookInfo, allowed_updates, webhook_address};

/// The path of the webhook below the address of the API.
pub const WEBHOOK_PATH: &str = "/v1/telegram/webhook";

/// One bot and the secret that Telegram repeats with each of its updates.
#[derive(Clone)]
pub struct Bot {
    /// The bot.
    pub telegram: Telegram,
    /// Its secret.
    pub secret: SecretString,
    /// The kinds of update that its webhook gets.
    pub updates: &'static [&'static str],
    /// Its place in the list of bots.
    pub place: usize,
}

/// Why a webhook is not registered.
#[derive(Debug, thiserror::Error)]
pub enum Unregistered {
    /// Telegram did not do it, or did not answer.
    #[error(transparent)]
    Failed(#[from] TelegramError),
    /// Telegram keeps another webhook than was asked for.
    #[error("{0}")]
    Wrong(String),
}

impl Bot {
    /// The bots of `TELEGRAM_BOT_TOKEN`, each with its secret of `TELEGRAM_WEBHOOK_SECRET`: the first with the first.
    pub fn all_from_env(env: &mut Env, clock: &Clock) -> Vec<Self> {
        let bots = Bots::from_env(env, clock);
        let chats = settings::chats(env);
        let talks = settings::talks(env, &chats);
        let secrets = env.required("TELEGRAM_WEBHOOK_SECRET");
        let secrets: Vec<&str> = list(&secrets).collect();
        let count = bots.iter().count();
        // Said once: who has no token at all is told that already.
        if secrets.len() != count && count > 0 && !secrets.is_empty() {
            env.problem(format!(
                "TELEGRAM_WEBHOOK_SECRET must hold one secret for each bot of TELEGRAM_BOT_TOKEN, in the same order: there are {} of {count}",
                secrets.len(),
            ));
        }
        let pairs = bots.iter().cloned().zip(secrets);
        pairs
            .enumerate()
            .map(|(place, (telegram, secret))| Self {
                telegram,
                secret: secret.into(),
                updates: allowed_updates(talks, place),
                place,
            })
            .collect()
    }

    /// Where its updates go, `url` being the address of the webhook.
    #[must_use]
    pub fn address(&self, url: &str) -> String {
        webhook_address(url, self.place, self.telegram.bot())
    }

    /// Registers the webhook, whose address is `url`, and reads back what Telegram made of it. Done again, it changes nothing.
    ///
    /// # Errors
    /// [`Unregistered`].
    pub async fn register(&self, url: &str) -> Result<WebhookInfo, Unregistered> {
        self.telegram
            .set_webhook(&self.address(url), &self.secret, self.updates)
            .await?;
        let info = self.telegram.webhook_info().await?;
        match info.mismatch(&self.address(url), self.updates) {
            Some(sentence) => Err(Unregistered::Wrong(sentence)),
            None => Ok(info),
        }
    }
}
