//! What claim links need, made ready at the start, as `setup` does at each deployment.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context as _;
use runtime::clock::Clock;
use runtime::settings;
use runtime::telemetry::chain;
use setup::claims::{ClaimSetup, NotReady};
use setup::registration::Bot;
use tokio::task::JoinSet;
use tracing::warn;

use crate::env::env_of;

/// How long to wait after Telegram did not do it.
const PAUSE: Duration = Duration::from_secs(5);

/// Makes it ready, if a chat is claimed. While Telegram does not answer that is tried again beside all else, and no claim
/// link is made.
///
/// # Errors
/// A sentence, if a table does not take it.
pub(crate) async fn make_ready(
    tasks: &mut JoinSet<()>,
    env: &HashMap<String, String>,
    clock: &Clock,
) -> anyhow::Result<()> {
    let mut read = env_of(env);
    let chats = settings::chats(&mut read);
    let setup = ClaimSetup::from_env(&mut read, &chats, clock);
    if !setup.is_needed() {
        return Ok(());
    }
    let bots = Bot::all_from_env(&mut read, &Clock::real());
    read.check()?;
    match setup.make_ready(&bots).await {
        Ok(_) => Ok(()),
        Err(failure @ (NotReady::Store(_) | NotReady::NoBot)) => {
            Err(failure).context("making claim links ready")
        }
        Err(failure @ NotReady::Telegram(_)) => {
            warn!(
                "no claim links are made yet, since Telegram does not do what they need, which is tried again: {}",
                chain(&failure)
            );
            tasks.spawn(async move {
                while setup.make_ready(&bots).await.is_err() {
                    tokio::time::sleep(PAUSE).await;
                }
            });
            Ok(())
        }
    }
}
