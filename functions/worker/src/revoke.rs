//! Taking a link out of use. Asking twice is harmless, and a link that is never revoked expires by itself.

use common::domain::fault::Fault;
use common::domain::job::{Job, Revoke};
use common::domain::pace::Ticket;
use common::domain::retry::backoff;
use common::queue::PutBack;
use common::telemetry::chain;
use tracing::{error, info, warn};

use crate::line::Line;
use crate::trouble::{Trouble, spread};
use crate::{App, End, WorkError};

/// Runs one revocation; the slot has come.
pub(crate) async fn run(
    app: &App,
    line: &Line,
    revoke: Revoke,
    attempt: u32,
) -> Result<End, WorkError> {
    let id = revoke.request_id;
    let Err(failure) = app
        .telegram
        .revoke_invite_link(line.key.chat, &revoke.invite_link)
        .await
    else {
        app.note_success(line.key);
        info!(invite.id = %id, chat.id = %line.key.chat, outcome = "revoked", "link revoked");
        return Ok(End::Done);
    };
    let fault = failure.fault();
    let sentence = chain(&failure);
    let job = Job::Revoke(revoke);
    let trouble = match fault {
        // It may be this link's alone; the next mint will tell, and hold the chat if it must be held.
        Fault::ChatFault => Trouble::Own,
        _ => spread(app, line, Ticket::Revocation, fault, &sentence).await,
    };
    let put_back = match trouble {
        Trouble::Wait(at) => PutBack { job, at, attempt },
        Trouble::Move(chat) => PutBack {
            job: job.moved_to(chat),
            at: app.clock.now(),
            attempt,
        },
        Trouble::Own if fault == Fault::Permanent => {
            info!(invite.id = %id, chat.id = %line.key.chat, outcome = "revoked_before", "the link was out of use: {sentence}");
            return Ok(End::Done);
        }
        Trouble::Own if attempt.saturating_add(1) >= app.rules.max_attempts => {
            error!(invite.id = %id, chat.id = %line.key.chat, job.attempt = attempt, fault = fault.as_str(), outcome = "failed",
                "a used link can't be revoked and works again if its user leaves, until it expires: {sentence}");
            return Ok(End::Done);
        }
        Trouble::Own => {
            let delay = backoff(app.rules.base_backoff, attempt, fastrand::f64());
            warn!(invite.id = %id, chat.id = %line.key.chat, job.attempt = attempt, fault = fault.as_str(), outcome = "put_back",
                "link not revoked yet: {sentence}");
            PutBack {
                job,
                at: app.clock.now().plus(delay),
                attempt: attempt.saturating_add(1),
            }
        }
    };
    Ok(End::PutBack(put_back))
}
