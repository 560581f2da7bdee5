//! How Telegram's updates reach the webhook function: by the webhook that is registered here, or by long polling where
//! Telegram can't reach this machine.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use domain::fault::Fault;
use http::Request;
use runtime::auth::WEBHOOK_SECRET_HEADER;
use runtime::clock::Clock;
use runtime::telemetry::chain;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use setup::registration::{Bot, Unregistered, WEBHOOK_PATH};
use telegram::TelegramError;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use crate::env::env_of;
use crate::functions::Functions;

/// How long one `getUpdates` waits for updates.
const POLL: Duration = Duration::from_secs(25);
/// How long to wait when another program asks for the same bot's updates.
const TAKEN_PAUSE: Duration = Duration::from_secs(10);
/// How long to wait after a call of Telegram that failed.
const PAUSE: Duration = Duration::from_secs(5);

/// Where Telegram reaches the webhook by `PUBLIC_URL`; nowhere without one.
pub(crate) fn public_webhook(env: &HashMap<String, String>) -> Option<String> {
    let url = env.get("PUBLIC_URL")?.trim().trim_end_matches('/');
    (!url.is_empty()).then(|| format!("{url}{WEBHOOK_PATH}"))
}

/// Starts the way by which updates come: a webhook at `webhook_url`, verified on return; without one, long polling.
///
/// # Errors
/// A sentence, if Telegram refuses the webhook or keeps another one than was asked for.
pub(crate) async fn start(
    tasks: &mut JoinSet<()>,
    env: &HashMap<String, String>,
    webhook_url: Option<&str>,
    functions: Arc<Functions>,
) -> anyhow::Result<()> {
    let mut read = env_of(env);
    let bots = Bot::all_from_env(&mut read, &Clock::real());
    read.check()?;
    for bot in bots {
        start_one(tasks, bot, webhook_url, &functions).await?;
    }
    Ok(())
}

/// As [`start`], for one bot.
async fn start_one(
    tasks: &mut JoinSet<()>,
    bot: Bot,
    webhook_url: Option<&str>,
    functions: &Arc<Functions>,
) -> anyhow::Result<()> {
    let Some(url) = webhook_url.map(str::to_owned) else {
        // A refused token stays refused: that is said now, not again and again.
        match bot.telegram.webhook_info().await {
            Err(failure) if !passes(&failure) => {
                return Err(failure).context("asking Telegram for updates");
            }
            _ => {}
        }
        tasks.spawn(poll(bot, Arc::clone(functions)));
        return Ok(());
    };
    match register(&bot, &url).await {
        Err(Unregistered::Failed(failure)) if passes(&failure) || may_pass(&failure, &url) => {
            let sentence = chain(&failure);
            warn!("the webhook is not registered yet, which is tried again: {sentence}");
            // The shop can sell meanwhile; joins are sent by Telegram once it knows where to.
            tasks.spawn(async move {
                let mut failure = failure;
                loop {
                    wait_after(&failure).await;
                    match register(&bot, &url).await {
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

/// Whether Telegram may take the webhook later that it refuses now. It looks the host up and connects to it; where the
/// URL is one that it can take, a 400 means that this does not work yet: a name that is not known yet, a proxy in front
/// that is not up.
fn may_pass(failure: &TelegramError, url: &str) -> bool {
    let Ok(url) = url.parse::<http::Uri>() else {
        return false;
    };
    let is_acceptable = url.scheme_str() == Some("https")
        && [443, 80, 88, 8443].contains(&url.port_u16().unwrap_or(443));
    is_acceptable && matches!(failure, TelegramError::Refused { status: 400, .. })
}

async fn register(bot: &Bot, url: &str) -> Result<(), Unregistered> {
    let info = bot.register(url).await?;
    info!(
        pending = info.pending_update_count,
        "webhook registered and verified"
    );
    Ok(())
}

/// Asks for updates for ever. An update counts as received only once the webhook function has answered it with 200:
/// until then it is asked for again.
async fn poll(bot: Bot, functions: Arc<Functions>) {
    let path = bot.address(WEBHOOK_PATH);
    let Bot {
        telegram,
        secret,
        updates: kinds,
        ..
    } = bot;
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
        match telegram.updates(next, POLL, kinds).await {
            Ok(updates) => {
                for update in updates {
                    if !serve(&functions, &path, secret.expose_secret(), &update).await {
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
async fn serve(functions: &Arc<Functions>, path: &str, secret: &str, update: &Value) -> bool {
    let request = Request::post(path).header(WEBHOOK_SECRET_HEADER, secret);
    match request.body(Bytes::from(update.to_string())) {
        Ok(request) => {
            let functions = Arc::clone(functions);
            let handled = tokio::spawn(async move { functions.get("webhook").call(request).await });
            match handled.await {
                Ok(answer) => answer.status().is_success(),
                // It would end in the same way each time, and all others would wait behind it.
                Err(_) => {
                    let id = update.get("update_id").and_then(Value::as_i64);
                    error!(
                        fault = "panic",
                        update.id = id,
                        "the webhook function panicked over an update, which is passed over"
                    );
                    true
                }
            }
        }
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
    if let TelegramError::Refused { status: 409, .. } = failure {
        // Each asks again and again, and takes the joins that come to it meanwhile: nothing is gained by haste.
        error!(
            fault = "configuration",
            "another program asks for this bot's updates, or has set a webhook for it, and gets the joins that this one misses: stop that one, or give this one a bot of its own ({sentence})"
        );
        tokio::time::sleep(TAKEN_PAUSE).await;
        return;
    }
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
