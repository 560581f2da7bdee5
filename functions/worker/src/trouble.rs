//! What a failed call does to the chat's line, and so to the jobs beside the one that failed.

use std::time::Duration;

use common::domain::fault::Fault;
use common::domain::pace::Pace;
use common::domain::time::Timestamp;
use common::store::PaceKey;
use common::telemetry::chain;
use tracing::{error, warn};

use crate::App;
use crate::line::Line;

/// How long the job waits if its line can't be written: longer than most outages of a table.
const BLIND_WAIT: Duration = Duration::from_secs(60);

/// What trouble with the chat, not with the job, means for the job.
pub(crate) enum Trouble {
    /// It asks for another turn; no try was spent.
    Again,
    /// The line could not be told: it waits until then; no try was spent.
    Wait(Timestamp),
    /// It is the job's own trouble.
    Own,
}

/// Tells everyone else who calls for this chat about `fault`, and answers what it means for the job.
pub(crate) async fn spread(app: &App, line: &Line<'_>, fault: Fault, sentence: &str) -> Trouble {
    let now = app.clock.now();
    let (chat, bot) = (line.chat, line.bot.bot());
    match fault {
        Fault::RateLimited { after } => {
            warn!(chat.id = %chat, bot.id = %bot, fault = fault.as_str(), retry_after_s = after.as_secs(), "Telegram limits the rate; the jobs of this bot and chat wait");
            let trouble = change(app, line, line.slots, now, after, |pace| {
                pace.rate_limited(after, now)
            });
            let trouble = trouble.await;
            let of_bot = PaceKey::of_bot(bot);
            if line.slots != of_bot {
                let until = now.plus(after);
                let compared = app
                    .paces
                    .change(of_bot, now, |pace| pace.compare_wait(chat, until, now));
                if let Err(fault) = compared.await {
                    warn!(chat.id = %chat, bot.id = %bot, fault = "unavailable", "a wait could not be compared: {}", chain(&fault));
                }
            }
            trouble
        }
        Fault::ChatFault => {
            error!(chat.id = %chat, bot.id = %bot, fault = fault.as_str(),
                "the bot can't work in the chat, its jobs wait or go to another bot until that is mended: {sentence}");
            change(app, line, line.pair(), now, BLIND_WAIT, |pace| {
                pace.hold(now)
            })
            .await
        }
        // A refusal of a kind that Telegram does not make: there is nowhere to move to.
        Fault::Migrated(new_chat) if new_chat == chat => Trouble::Own,
        Fault::Migrated(new_chat) => {
            error!(chat.id = %chat, chat.moved_to = %new_chat, fault = fault.as_str(),
                "the group became a supergroup: name it in TELEGRAM_CHAT_ID as new=old");
            change(app, line, line.pair(), now, BLIND_WAIT, |pace| {
                pace.migrated_to = Some(new_chat)
            })
            .await
        }
        Fault::Retry | Fault::Unknown | Fault::Permanent | Fault::Refused => Trouble::Own,
    }
}

/// Changes a line, so that all who take turns from it know; if it can't be written, the job waits for `after`.
async fn change(
    app: &App,
    line: &Line<'_>,
    key: PaceKey,
    now: Timestamp,
    after: Duration,
    stop: impl Fn(&mut Pace),
) -> Trouble {
    line.change();
    let successes = app.take_successes(key);
    let changed = app.paces.change(key, now, |pace| {
        pace.succeeded(successes);
        stop(pace);
    });
    match changed.await {
        Ok(()) => Trouble::Again,
        Err(fault) => {
            error!(chat.id = %line.chat, bot.id = %line.bot.bot(), fault = "unavailable", "a pause could not be stored: {}", chain(&fault));
            Trouble::Wait(now.plus(after).plus(Duration::from_secs(1)))
        }
    }
}
