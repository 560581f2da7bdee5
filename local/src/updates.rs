//! How Telegram's updates reach the webhook function: by the webhook that is registered here, or by long polling where
//! Telegram can't reach this machine.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use common::auth::WEBHOOK_SECRET_HEADER;
use common::config::list;
use common::domain::fault::Fault;
use common::telegram::{Bots, Telegram, TelegramError};
use common::telemetry::chain;
use http::Request;
use secrecy::SecretString;
use serde_json::Value;
use tokio::task::JoinSet;
use tracing::{error, info, warn};
use webhook::ALLOWED_UPDATES;

use crate::functions::{Functions, env_of};

/// How long one `getUpdates` waits for updates.
const POLL: Duration = Duration::from_secs(25);
/// How long to wait after a call of Telegram that failed.
const PAUSE: Duration = Duration::from_secs(5);

/// Starts the way by which updates come. With `PUBLIC_URL` set, or in simulation, that is a webhook, verified on
/// return; else long polling.
///
/// # Errors
/// A sentence, if Telegram refuses the webhook or keeps another one than was asked for.
pub(crate) async fn start(
    tasks: &mut JoinSet<()>,
    env: &HashMap<String, String>,
    own_url: &str,
    is_simulated: bool,
    functions: Arc<Functions>,
) -> anyhow::Result<()> {
    let bots = Bots::from_env(&mut env_of(env));
    let secrets = env
        .get("TELEGRAM_WEBHOOK_SECRET")
        .map(String::as_str)
        .unwrap_or_default();
    let secrets: Vec<&str> = list(secrets).collect();
    anyhow::ensure!(
        bots.iter().count() == secrets.len(),
        "TELEGRAM_WEBHOOK_SECRET must hold one secret for each bot of TELEGRAM_BOT_TOKEN, in the same order: there are {} of {}",
        secrets.len(),
        bots.iter().count(),
    );
    let public_url = env
        .get("PUBLIC_URL")
        .map(|url| url.trim().trim_end_matches('/'))
        .filter(|url| !url.is_empty());
    let base = public_url.or_else(|| is_simulated.then_some(own_url));
    for (bot, secret) in bots.iter().zip(secrets) {
        start_one(tasks, bot.clone(), secret, base, &functions).await?;
    }
    Ok(())
}

/// As [`start`], for one bot.
async fn start_one(
    tasks: &mut JoinSet<()>,
    telegram: Telegram,
    secret: &str,
    base: Option<&str>,
    functions: &Arc<Functions>,
) -> anyhow::Result<()> {
    let Some(base) = base else {
        // A refused token stays refused: that is said now, not every five seconds.
        match telegram.webhook_info().await {
            Err(failure) if !passes(&failure) => {
                return Err(failure).context("asking Telegram for updates");
            }
            _ => {}
        }
        tasks.spawn(poll(telegram, secret.to_owned(), Arc::clone(functions)));
        return Ok(());
    };
    let webhook = Webhook {
        telegram,
        url: format!("{base}/v1/telegram/webhook"),
        secret: secret.into(),
    };
    match webhook.register().await {
        Err(Unregistered::Failed(failure)) if passes(&failure) => {
            // The shop can sell meanwhile; joins are sent by Telegram once it knows where to.
            tasks.spawn(async move {
                let mut failure = failure;
                loop {
                    wait_after(&failure).await;
                    match webhook.register().await {
                        Err(Unregistered::Failed(again)) => failure = again,
                        Err(Unregistered::Wrong(sentence)) => {
                            error!(fault = "configuration", "no joins will be seen: {sentence}");
                            return;
                        }
                        Ok(()) => return,
                    }
                }
            });
            Ok(())
        }
        registered => registered.context("registering Telegram's webhook"),
    }
}

/// Whether trouble with Telegram passes by itself.
fn passes(failure: &TelegramError) -> bool {
    matches!(
        failure.fault(),
        Fault::RateLimited { .. } | Fault::Retry | Fault::Unknown
    )
}

/// Why the webhook is not registered.
#[derive(Debug, thiserror::Error)]
enum Unregistered {
    #[error(transparent)]
    Failed(#[from] TelegramError),
    #[error("{0}")]
    Wrong(String),
}

struct Webhook {
    telegram: Telegram,
    url: String,
    secret: SecretString,
}

impl Webhook {
    /// Registers the webhook and reads back what Telegram made of it.
    async fn register(&self) -> Result<(), Unregistered> {
        let (telegram, url) = (&self.telegram, &self.url);
        telegram
            .set_webhook(url, &self.secret, &ALLOWED_UPDATES)
            .await?;
        let info = telegram.webhook_info().await?;
        if !is_same(&info.url, url) {
            return Err(Unregistered::Wrong(format!(
                "Telegram sends updates to another URL than {url}: is another deployment using the same bot?"
            )));
        }
        if ALLOWED_UPDATES
            .iter()
            .any(|update| !info.allowed_updates.iter().any(|allowed| allowed == update))
        {
            return Err(Unregistered::Wrong(format!(
                "Telegram does not send {ALLOWED_UPDATES:?} to the webhook, so no join would be seen"
            )));
        }
        info!(
            pending = info.pending_update_count,
            "webhook registered and verified"
        );
        Ok(())
    }
}

/// Whether two spellings are the same URL: the case of the host and the port that goes without saying do not count.
fn is_same(one: &str, other: &str) -> bool {
    let parsed = |url: &str| reqwest::Url::parse(url).ok();
    one == other || parsed(one).is_some_and(|url| parsed(other) == Some(url))
}

/// Asks for updates for ever. An update counts as received only once the webhook function has answered it with 200:
/// until then it is asked for again.
async fn poll(telegram: Telegram, secret: String, functions: Arc<Functions>) {
    // getUpdates is refused while a webhook is set.
    loop {
        let removed = async {
            let before = telegram.webhook_info().await?;
            telegram.delete_webhook().await.map(|()| before.url)
        };
        match removed.await {
            Ok(url) if url.is_empty() => break,
            Ok(url) => {
                let host = url.split('/').nth(2).unwrap_or_default();
                warn!(
                    webhook.host = host,
                    "this bot's updates went to a webhook; they come here from now on"
                );
                break;
            }
            Err(failure) => wait_after(&failure).await,
        }
    }
    info!("asking Telegram for updates, since PUBLIC_URL is not set");
    let mut next = 0;
    loop {
        match telegram.updates(next, POLL, &ALLOWED_UPDATES).await {
            Ok(updates) => {
                for update in updates {
                    if !serve(&functions, &secret, &update).await {
                        tokio::time::sleep(PAUSE).await;
                        break;
                    }
                    next = update
                        .get("update_id")
                        .and_then(Value::as_i64)
                        .map_or(next, |id| id + 1);
                }
            }
            Err(failure) => wait_after(&failure).await,
        }
    }
}

/// Passes an update to the webhook function, as Telegram would; answers whether it is done with.
async fn serve(functions: &Functions, secret: &str, update: &Value) -> bool {
    let request = Request::post("/v1/telegram/webhook").header(WEBHOOK_SECRET_HEADER, secret);
    match request.body(Bytes::from(update.to_string())) {
        Ok(request) => webhook::handle(&functions.webhook, request)
            .await
            .status()
            .is_success(),
        Err(_) => {
            error!(
                fault = "configuration",
                "TELEGRAM_WEBHOOK_SECRET has a character that no header can hold"
            );
            false
        }
    }
}

async fn wait_after(failure: &TelegramError) {
    let sentence = chain(failure);
    let wait = match failure.fault() {
        Fault::RateLimited { after } => after,
        Fault::ChatFault | Fault::Permanent | Fault::Refused | Fault::Migrated(_) => {
            error!(
                fault = failure.fault().as_str(),
                "no updates come from Telegram: {sentence}"
            );
            PAUSE
        }
        Fault::Retry | Fault::Unknown => {
            warn!(
                fault = failure.fault().as_str(),
                "no updates came from Telegram: {sentence}"
            );
            PAUSE
        }
    };
    tokio::time::sleep(wait).await;
}
