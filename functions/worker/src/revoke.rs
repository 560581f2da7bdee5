//! Taking a link out of use. Asking twice is harmless, and a link that is never revoked expires by itself.

use common::domain::fault::Fault;
use common::domain::job::{Job, Revoke};
use common::domain::pace::Place;
use common::domain::retry::backoff;
use common::queue::PutBack;
use common::telemetry::chain;
use common::trace;
use tracing::field::display;
use tracing::{error, info, warn};

use crate::line::Line;
use crate::trouble::{Trouble, spread};
use crate::{App, End, WorkError};

/// Runs one revocation; the slot has come.
pub(crate) async fn run(
    app: &App,
    line: &Line<'_>,
    revoke: Revoke,
    attempt: u32,
    paced: bool,
) -> Result<End, WorkError> {
    let (id, chat) = (revoke.request_id.map(display), line.chat);
    if let Some(bot) = revoke.bot_id.filter(|bot| *bot != line.bot.bot()) {
        error!(invite.id = id, chat.id = %chat, bot.id = %bot, fault = "unknown_bot", outcome = "failed",
            "a used link can't be revoked, since TELEGRAM_BOT_TOKEN does not name the bot that made it; it works again if its user leaves, until it expires");
        return Ok(End::Done);
    }
    let Err(failure) = line.bot.revoke_invite_link(chat, &revoke.invite_link).await else {
        app.note_success(line.slots, paced);
        info!(invite.id = id, chat.id = %chat, outcome = "revoked", "link revoked");
        return Ok(End::Done);
    };
    let fault = failure.fault();
    let sentence = chain(&failure);
    let trouble = match fault {
        // It may be this link's alone; the next mint will tell, and hold the chat if it must be held.
        Fault::ChatFault => Trouble::Own,
        _ => spread(app, line, fault, &sentence).await,
    };
    let (at, attempt) = match trouble {
        Trouble::Again => return Ok(End::Again),
        Trouble::Wait(at) => (at, attempt),
        Trouble::Own if fault == Fault::Permanent => {
            info!(invite.id = id, chat.id = %chat, outcome = "revoked_before", "the link was out of use: {sentence}");
            return Ok(End::Done);
        }
        Trouble::Own if attempt.saturating_add(1) >= app.rules.max_attempts => {
            error!(invite.id = id, chat.id = %chat, job.attempt = attempt, fault = fault.as_str(), outcome = "failed",
                "a used link can't be revoked and works again if its user leaves, until it expires: {sentence}");
            return Ok(End::Done);
        }
        Trouble::Own => {
            let delay = backoff(app.rules.base_backoff, attempt, fastrand::f64());
            warn!(invite.id = id, chat.id = %chat, job.attempt = attempt, fault = fault.as_str(), outcome = "put_back",
                "link not revoked yet: {sentence}");
            (app.clock.now().plus(delay), attempt.saturating_add(1))
        }
    };
    Ok(End::PutBack(PutBack {
        job: Job::Revoke(revoke),
        at,
        attempt,
        place: Place::New,
        trace: trace::header(),
    }))
}
