//! Making the link of a request.
//!
//! ```text
//! claim (lease)      die here: the lease lapses, the message is shown again
//! createChatInviteLink   die here: an orphaned link that nobody knows, expires by itself; the next try makes another
//! write the lookup   die here: as above; the lookup of an unknown link is found by nobody
//! settle DONE        die here: shown again, found DONE with its event unsent: the event is queued
//! queue the event    die here: as above, and the event is known by its id
//! ```
//!
//! A request whose link is to be replaced goes through [`reissue`](crate::reissue) first.

use std::time::Duration;

use common::domain::fault::Fault;
use common::domain::id::InviteLink;
use common::domain::invite::{Claim, Invite, LEASE, Settled};
use common::domain::job::{Job, Mint, Revoke};
use common::domain::pace::Place;
use common::domain::retry::backoff;
use common::domain::time::Timestamp;
use common::queue::PutBack;
use common::store::{LinkRecord, Owner, Tried};
use common::telegram::TelegramError;
use common::telemetry::chain;
use common::trace;
use tracing::{error, info, warn};
use uuid::Uuid;

use crate::line::Line;
use crate::trouble::{Trouble, spread};
use crate::{App, End, WorkError, reissue};

/// A refusal that is not understood is believed when it comes for the fifth time; other trouble between does not count.
const REFUSALS_MAX: u32 = 5;

/// Runs one mint; the slot has come.
pub(crate) async fn run(
    app: &App,
    line: &Line<'_>,
    mint: Mint,
    slot: Timestamp,
    paced: bool,
) -> Result<End, WorkError> {
    let id = mint.request_id;
    let owner = Uuid::new_v4().to_string();
    let now = app.clock.now();
    match app
        .invites
        .claim(&mint, &owner, now, now.plus(app.retention))
        .await?
    {
        Claim::Ours(invite) => {
            app.clock.sleep_until(slot).await;
            if let Some(old) = invite.revoking.as_ref().filter(|old| {
                // Nothing is in the way of a link once the old one is dead and nobody came in by it.
                !old.is_dead || invite.is_seat_taken()
            }) {
                return reissue::clear(app, line, mint, &owner, &invite, old).await;
            }
            try_once(app, line, mint, &owner, &invite, paced).await
        }
        Claim::Done(invite) => {
            if let Some(event) = invite.unsent_link_event() {
                app.events.send(&event).await?;
            }
            info!(invite.id = %id, outcome = "duplicate", "the link was handed out before");
            Ok(End::Done)
        }
        Claim::Failed => {
            info!(invite.id = %id, outcome = "failed_before", "the request was given up before");
            Ok(End::Done)
        }
        // This message must outlive the other worker: it may be the only one if that worker dies.
        Claim::Held { until } => {
            info!(invite.id = %id, outcome = "held", "another worker has the request, or its time has not come");
            Ok(put_back(mint, until.plus(Duration::from_secs(1))))
        }
    }
}

async fn try_once(
    app: &App,
    line: &Line<'_>,
    mint: Mint,
    owner: &str,
    invite: &Invite,
    paced: bool,
) -> Result<End, WorkError> {
    let expires_at = app.clock.now().plus(app.invite_ttl);
    match line
        .bot
        .create_invite_link(line.chat, &mint.request_id.link_name(), expires_at)
        .await
    {
        Ok(link) => {
            app.note_success(line.slots, paced);
            hand_out(app, line, mint, owner, invite, link, expires_at).await
        }
        Err(failure) => {
            if let TelegramError::NotSingleUse { link, .. } = &failure {
                revoke(app, line, invite, link).await?;
            }
            put_back_or_fail(app, line, mint, owner, invite, &failure).await
        }
    }
}

/// Stores the link and hands it out, unless the request was lost to another owner meanwhile.
async fn hand_out(
    app: &App,
    line: &Line<'_>,
    mint: Mint,
    owner: &str,
    invite: &Invite,
    link: InviteLink,
    link_expires_at: Timestamp,
) -> Result<End, WorkError> {
    let id = invite.request_id;
    let now = app.clock.now();
    let lookup = LinkRecord {
        invite_link: link.clone(),
        owner: Some(Owner {
            request_id: id,
            user_id: invite.user_id.clone(),
            transaction_id: invite.transaction_id.clone(),
        }),
        unit: None,
        chat: line.chat,
        bot: Some(line.bot.bot()),
    };
    if let Err(fault) = app.links.put(&lookup, now, now.plus(app.retention)).await {
        // Nobody has seen the link, so it may be revoked; without a queue to ask for that, it expires.
        let _ = revoke(app, line, invite, &link).await;
        return Err(fault.into());
    }
    match app
        .invites
        .settle(id, owner, line.chat, &link, link_expires_at, now)
        .await?
    {
        Settled::HandedOut => {
            let done = Invite {
                invite_link: Some(link),
                link_expires_at: Some(link_expires_at),
                done_at: Some(now),
                ..invite.clone()
            };
            if let Some(event) = done.unsent_link_event() {
                app.events.send(&event).await?;
            }
            info!(invite.id = %id, chat.id = %line.chat, job.attempt = invite.attempts, outcome = "done",
                waited_ms = u64::try_from(now.since(invite.created_at).as_millis()).unwrap_or(u64::MAX), "link handed out");
        }
        Settled::Lost => {
            revoke(app, line, invite, &link).await?;
            warn!(invite.id = %id, chat.id = %line.chat, outcome = "lost", "lease lapsed in mid-work; the link made is revoked");
        }
        Settled::SeatTaken => {
            revoke(app, line, invite, &link).await?;
            warn!(invite.id = %id, chat.id = %line.chat, outcome = "lost", "somebody joined by the link that was to be replaced; the link made is revoked");
            return Ok(put_back(mint, now.plus(LEASE)));
        }
    }
    Ok(End::Done)
}

/// Queues the revocation of a link that must never be seen.
pub(crate) async fn revoke(
    app: &App,
    line: &Line<'_>,
    invite: &Invite,
    link: &InviteLink,
) -> Result<(), WorkError> {
    let revoke = Revoke {
        chat_id: line.chat,
        invite_link: link.clone(),
        request_id: Some(invite.request_id),
        bot_id: Some(line.bot.bot()),
        not_before: None,
    };
    Ok(app.jobs.send(&Job::Revoke(revoke)).await?)
}

/// A call failed: the request goes back to QUEUED with the reason and another time, or ends FAILED.
pub(crate) async fn put_back_or_fail(
    app: &App,
    line: &Line<'_>,
    mint: Mint,
    owner: &str,
    invite: &Invite,
    failure: &TelegramError,
) -> Result<End, WorkError> {
    let (id, attempts, fault) = (invite.request_id, invite.attempts, failure.fault());
    let sentence = chain(failure);
    let (tried, at) = match spread(app, line, fault, &sentence).await {
        // The line says when; the record waits for nothing but that.
        Trouble::Again => {
            let now = app.clock.now();
            app.invites
                .put_back(id, owner, Tried::NotReally, &sentence, now, now)
                .await?;
            return Ok(End::Again);
        }
        Trouble::Wait(at) => (Tried::NotReally, at),
        Trouble::Own if is_last(fault, invite, app.rules.max_attempts) => {
            if app
                .invites
                .fail(id, owner, &sentence, app.clock.now())
                .await?
            {
                error!(invite.id = %id, chat.id = %line.chat, job.attempt = attempts, fault = fault.as_str(), outcome = "failed",
                    "a paid request is given up, the buyer has no link: {sentence}");
                return Ok(End::Done);
            }
            // Another owner has it, or somebody joined by the link that was to be replaced: the next claim tells.
            return Ok(put_back(mint, app.clock.now().plus(LEASE)));
        }
        Trouble::Own => {
            let delay = backoff(
                app.rules.base_backoff,
                attempts.saturating_sub(1),
                fastrand::f64(),
            );
            warn!(invite.id = %id, chat.id = %line.chat, job.attempt = attempts, fault = fault.as_str(), outcome = "put_back",
                delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), "no link yet: {sentence}");
            let tried = match fault {
                Fault::Refused | Fault::Migrated(_) => Tried::Refused,
                _ => Tried::Really,
            };
            (tried, app.clock.now().plus(delay))
        }
    };
    app.invites
        .put_back(id, owner, tried, &sentence, at, app.clock.now())
        .await?;
    Ok(put_back(mint, at))
}

/// A mint's tries are counted in its record, so its messages carry none. It comes back before those that are new.
fn put_back(mint: Mint, at: Timestamp) -> End {
    End::PutBack(PutBack {
        job: Job::Mint(mint),
        at,
        attempt: 0,
        place: Place::Front,
        trace: trace::header(),
    })
}

/// Whether the try of `invite` that failed by `fault` was the last one.
fn is_last(fault: Fault, invite: &Invite, max_attempts: u32) -> bool {
    let is_spent = invite.attempts >= max_attempts;
    match fault {
        Fault::Permanent => true,
        Fault::Refused | Fault::Migrated(_) => is_spent || invite.refusals + 1 >= REFUSALS_MAX,
        Fault::Retry | Fault::Unknown => is_spent,
        Fault::RateLimited { .. } | Fault::ChatFault => false,
    }
}
