//! Making a link for the stock.
//!
//! ```text
//! createChatInviteLink   die here: an orphaned link that nobody knows, expires by itself; the unit is made again
//! write the lookup       die here: as above; a lookup without owner
//! put it on the shelf    die here: made again; the second link finds the shelf taken and is revoked. If it was sold
//!                        meanwhile, the stock has a unit more
//! note that it was made  die here: as above; the next unit notes more
//! ```

use std::time::Duration;

use common::domain::fault::Fault;
use common::domain::id::InviteLink;
use common::domain::job::{Job, Restock, Revoke};
use common::domain::pace::Place;
use common::domain::retry::backoff;
use common::queue::PutBack;
use common::store::{LinkRecord, Shelved, Unit};
use common::telegram::TelegramError;
use common::telemetry::chain;
use common::trace;
use tracing::{info, warn};

use crate::line::Line;
use crate::trouble::{Trouble, spread};
use crate::{App, End, WorkError};

/// Runs the making of one unit; the slot has come.
pub(crate) async fn run(
    app: &App,
    line: &Line<'_>,
    restock: Restock,
    attempt: u32,
    paced: bool,
) -> Result<End, WorkError> {
    let id = restock.unit_id();
    if app.stock.ledger(id.shelf).await?.ledger.is_void(id.number) {
        info!(chat.id = %line.chat, stock.unit = id.number, outcome = "void", "the unit was ordered anew meanwhile");
        return Ok(End::Done);
    }
    let expires_at = app
        .clock
        .now()
        .plus(Duration::from_secs(restock.ttl_sec).min(app.retention));
    let name = format!("stock {}", id.number);
    match line
        .bot
        .create_invite_link(line.chat, &name, expires_at)
        .await
    {
        Ok(link) => {
            app.note_success(line.slots, paced);
            let unit = Unit {
                id,
                invite_link: link,
                chat: line.chat,
                bot: line.bot.bot(),
                link_expires_at: expires_at,
            };
            shelve(app, line, unit).await
        }
        Err(failure) => {
            if let TelegramError::NotSingleUse { link, .. } = &failure {
                revoke(app, line, link).await?;
            }
            again_or_never(app, line, restock, attempt, &failure).await
        }
    }
}

async fn shelve(app: &App, line: &Line<'_>, unit: Unit) -> Result<End, WorkError> {
    let now = app.clock.now();
    let lookup = LinkRecord {
        invite_link: unit.invite_link.clone(),
        owner: None,
        unit: Some(unit.id),
        chat: unit.chat,
        bot: Some(unit.bot),
    };
    if let Err(fault) = app.links.put(&lookup, now, now.plus(app.retention)).await {
        // Nobody can have bought the link, so it may be revoked; without a queue to ask for that, it expires.
        let _ = revoke(app, line, &unit.invite_link).await;
        return Err(fault.into());
    }
    match app.stock.shelve(&unit).await? {
        Shelved::There => {
            app.stock.note_made(unit.id).await?;
            info!(chat.id = %line.chat, stock.unit = unit.id.number, outcome = "stocked", "a link lies in stock");
        }
        Shelved::Twice => {
            revoke(app, line, &unit.invite_link).await?;
            // Whoever made it first may have died before it was noted.
            app.stock.note_made(unit.id).await?;
            warn!(chat.id = %line.chat, stock.unit = unit.id.number, outcome = "lost", "the unit was made twice; the second link is revoked");
        }
    }
    Ok(End::Done)
}

/// Queues the revocation of a link that must never be seen.
async fn revoke(app: &App, line: &Line<'_>, link: &InviteLink) -> Result<(), WorkError> {
    let revoke = Revoke {
        chat_id: line.chat,
        invite_link: link.clone(),
        request_id: None,
        bot_id: Some(line.bot.bot()),
        not_before: None,
    };
    Ok(app.jobs.send(&Job::Revoke(revoke)).await?)
}

/// A call failed: the unit is tried again later, or is left to be ordered anew.
async fn again_or_never(
    app: &App,
    line: &Line<'_>,
    restock: Restock,
    attempt: u32,
    failure: &TelegramError,
) -> Result<End, WorkError> {
    let (chat, unit, fault) = (line.chat, restock.unit, failure.fault());
    let sentence = chain(failure);
    let (at, attempt) = match spread(app, line, fault, &sentence).await {
        Trouble::Again => return Ok(End::Again),
        Trouble::Wait(at) => (at, attempt),
        Trouble::Own
            if fault == Fault::Permanent || attempt.saturating_add(1) >= app.rules.max_attempts =>
        {
            warn!(chat.id = %chat, stock.unit = unit, job.attempt = attempt, fault = fault.as_str(), outcome = "failed",
                "a link for the stock is given up; another one will be ordered: {sentence}");
            return Ok(End::Done);
        }
        Trouble::Own => {
            let delay = backoff(app.rules.base_backoff, attempt, fastrand::f64());
            warn!(chat.id = %chat, stock.unit = unit, job.attempt = attempt, fault = fault.as_str(), outcome = "put_back",
                "no link for the stock yet: {sentence}");
            (app.clock.now().plus(delay), attempt.saturating_add(1))
        }
    };
    Ok(End::PutBack(PutBack {
        job: Job::Stock(restock),
        at,
        attempt,
        place: Place::New,
        trace: trace::header(),
    }))
}
