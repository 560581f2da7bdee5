//! What a failed call does to the chat's line, and so to the jobs beside the one that failed.

use std::sync::atomic::Ordering;
use std::time::Duration;

use common::domain::fault::Fault;
use common::domain::id::ChatId;
use common::domain::pace::{Pace, Ticket, Turn};
use common::domain::time::Timestamp;
use common::telemetry::chain;
use tracing::{error, warn};

use crate::App;
use crate::line::Line;

/// How long the job waits if its line can't be written: longer than most outages of a table.
const BLIND_WAIT: Duration = Duration::from_secs(60);

/// What trouble with the chat, not with the job, means for the job.
pub(crate) enum Trouble {
    /// Wait until then; no try was spent.
    Wait(Timestamp),
    /// Go on with this chat; no try was spent.
    Move(ChatId),
    /// It is the job's own trouble.
    Own,
}

/// Tells everyone else who calls for this chat about `fault`, and answers what it means for the job, whose next place
/// is one of `ticket`.
pub(crate) async fn spread(
    app: &App,
    line: &Line,
    ticket: Ticket,
    fault: Fault,
    sentence: &str,
) -> Trouble {
    let now = app.clock.now();
    let chat = line.key.chat;
    match fault {
        Fault::RateLimited { after } => {
            warn!(chat.id = %chat, fault = fault.as_str(), retry_after_s = after.as_secs(), "Telegram limits the rate; the chat's jobs wait");
            Trouble::Wait(
                pause(app, line, ticket, now, after, |pace| {
                    pace.rate_limited(after, now)
                })
                .await,
            )
        }
        Fault::ChatFault => {
            error!(chat.id = %chat, bot.id = %line.key.bot, fault = fault.as_str(),
                "the bot can't work in the chat, its jobs are held until that is mended: {sentence}");
            Trouble::Wait(pause(app, line, ticket, now, BLIND_WAIT, |pace| pace.hold(now)).await)
        }
        // A refusal of a kind that Telegram does not make: there is nowhere to move to.
        Fault::Migrated(new_chat) if new_chat == chat => Trouble::Own,
        Fault::Migrated(new_chat) => {
            error!(chat.id = %chat, chat.moved_to = %new_chat, fault = fault.as_str(),
                "the group became a supergroup: name it in TELEGRAM_CHAT_ID as new=old");
            if let Err(fault) = app
                .paces
                .change(line.key, now, |pace| pace.migrated_to = Some(new_chat))
                .await
            {
                error!(chat.id = %chat, fault = "unavailable", "the move of a chat could not be stored: {}", chain(&fault));
            }
            line.changed.store(true, Ordering::Relaxed);
            Trouble::Move(new_chat)
        }
        Fault::Retry | Fault::Unknown | Fault::Permanent | Fault::Refused => Trouble::Own,
    }
}

/// Pauses the line and answers the job's place in it; if the line can't be written, at least `after` from now.
async fn pause(
    app: &App,
    line: &Line,
    ticket: Ticket,
    now: Timestamp,
    after: Duration,
    stop: impl Fn(&mut Pace),
) -> Timestamp {
    line.changed.store(true, Ordering::Relaxed);
    let successes = app.take_successes(line.key);
    let place = app.paces.change(line.key, now, |pace| {
        pace.succeeded(successes);
        stop(pace);
        pace.take(&[ticket], now, Duration::ZERO)
    });
    match place.await.as_deref() {
        Ok([Turn::Later(at) | Turn::Slot(at), ..]) => *at,
        Ok([]) => now.plus(after),
        Err(fault) => {
            error!(chat.id = %line.key.chat, fault = "unavailable", "a pause could not be stored: {}", chain(fault));
            now.plus(after).plus(Duration::from_secs(1))
        }
    }
}
