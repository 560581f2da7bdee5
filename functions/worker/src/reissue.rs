//! Replacing a link: the old one is dead before another one is made.
//!
//! ```text
//! an operator: DONE -> QUEUED, the old link as `revoking`
//! claim
//! revoke the old link     die here: revoked once more by the next try
//! note that it is dead    QUEUED again; the job asks for another turn, so that each call of Telegram has its own slot
//! claim, make a link      as any other mint; settling it removes `revoking`
//! ```
//!
//! Somebody may join by the old link on the way. The webhook records that, and then nobody else gets the seat: whoever
//! claims or settles sees it, and the request is DONE with the old link again. Only a join that Telegram reports after
//! the new link was handed out comes too late for that: the webhook then has the new link revoked.

use common::domain::fault::Fault;
use common::domain::invite::{Invite, Revoking};
use common::domain::job::{Job, Mint, Revoke};
use common::telegram::{Telegram, TelegramError};
use common::telemetry::chain;
use tracing::{error, info, warn};

use crate::line::Line;
use crate::mint::put_back_or_fail;
use crate::{App, End, WorkError};

/// Clears the way for a new link: the seat is found taken, or the old link is made dead.
pub(crate) async fn clear(
    app: &App,
    line: &Line<'_>,
    mint: Mint,
    owner: &str,
    invite: &Invite,
    old: &Revoking,
) -> Result<End, WorkError> {
    if invite.is_seat_taken() {
        return restore(app, line, owner, invite, old).await;
    }
    let (id, now) = (invite.request_id, app.clock.now());
    let is_expired = old.link_expires_at.is_some_and(|at| at < now);
    let of_old = match old.bot {
        None => Some(line.bot),
        Some(bot) => app.bots.get(bot),
    };
    let Some(bot) = of_old else {
        if is_expired {
            return dead(app, line, owner, invite, "it has expired").await;
        }
        let reason =
            "the old link can't be revoked: TELEGRAM_BOT_TOKEN does not name the bot that made it";
        if app.invites.fail(id, owner, reason, now).await? {
            error!(invite.id = %id, chat.id = %line.chat, fault = "unknown_bot", outcome = "failed",
                "a link can't be replaced, since TELEGRAM_BOT_TOKEN does not name the bot that made it");
        }
        return Ok(End::Done);
    };
    match bot.revoke_invite_link(line.chat, &old.invite_link).await {
        Ok(()) => dead(app, line, owner, invite, "revoked").await,
        Err(failure) if is_dead_by(&failure, is_expired) => {
            dead(app, line, owner, invite, &chain(&failure)).await
        }
        Err(failure) => {
            let own = line_of(app, line, bot).await?;
            let line = own.as_ref().unwrap_or(line);
            put_back_or_fail(app, line, mint, owner, invite, &failure).await
        }
    }
}

/// Whether the refusal of a revocation says that the link is of no use to anybody.
fn is_dead_by(failure: &TelegramError, is_expired: bool) -> bool {
    match failure.fault() {
        Fault::Permanent => true,
        Fault::RateLimited { .. } | Fault::Migrated(_) => false,
        // It has ended by itself: nothing of this must hold its buyer up.
        Fault::Retry | Fault::Unknown | Fault::ChatFault | Fault::Refused => is_expired,
    }
}

/// The line of the bot that failed, if it is not that of the slot: it is the one to be paused or held.
async fn line_of<'a>(
    app: &App,
    line: &Line<'_>,
    bot: &'a Telegram,
) -> Result<Option<Line<'a>>, WorkError> {
    if bot.bot() == line.bot.bot() {
        return Ok(None);
    }
    Ok(Some(Line::of(app, bot, line.chat, app.clock.now()).await?))
}

/// The old link lets nobody in any more: the request asks for a turn for the new one.
async fn dead(
    app: &App,
    line: &Line<'_>,
    owner: &str,
    invite: &Invite,
    why: &str,
) -> Result<End, WorkError> {
    let id = invite.request_id;
    app.invites.note_dead(id, owner, app.clock.now()).await?;
    info!(invite.id = %id, chat.id = %line.chat, outcome = "revoked", "the link that is to be replaced is dead: {why}");
    Ok(End::Again)
}

/// The seat is taken: DONE with the old link, and what was not told of it is told.
async fn restore(
    app: &App,
    line: &Line<'_>,
    owner: &str,
    invite: &Invite,
    old: &Revoking,
) -> Result<End, WorkError> {
    let id = invite.request_id;
    // The used link is revoked by the webhook; if that was an even older one, this one must go too.
    if invite.joined_link.as_ref() != Some(&old.invite_link) {
        let revoke = Revoke {
            chat_id: line.chat,
            invite_link: old.invite_link.clone(),
            request_id: Some(id),
            bot_id: old.bot,
            not_before: None,
        };
        app.jobs.send(&Job::Revoke(revoke)).await?;
    }
    let now = app.clock.now();
    let Some(restored) = app.invites.restore(invite, old, owner, now).await? else {
        warn!(invite.id = %id, chat.id = %line.chat, outcome = "lost", "lease lapsed in mid-work");
        return Ok(End::Done);
    };
    if let Some(event) = restored.unsent_link_event() {
        app.events.send(&event).await?;
    }
    warn!(invite.id = %id, chat.id = %line.chat, outcome = "restored", "somebody joined by the link that was to be replaced: it stays the one of the request");
    Ok(End::Done)
}
