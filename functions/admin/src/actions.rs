//! What an operator does to one request.
//!
//! ```text
//! read the record, decide
//! write it, with the line in its history and the task that follows    one transaction
//! ring the bell, or send the event     die here: the tick looks within a minute; the sweeper sends within the hour
//! ```

use common::answer::Rejection;
use common::domain::action::{Action, Change, Entry, Refused};
use common::domain::event::EventName;
use common::domain::id::{BotId, RequestId};
use common::domain::invite::{Invite, Status};
use common::store::Acted;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::info;

use crate::view::Story;
use crate::{App, unavailable};

/// How often an action is decided anew because the record had changed.
const TRIES: u32 = 5;

/// The body of `reissue`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reissue {
    /// The version of the link that is to be replaced: a repeat of the call then replaces nothing else.
    link_version: Option<u32>,
}

/// The body of `resend-event`.
#[derive(Deserialize)]
pub(crate) struct ResendEvent {
    event: String,
}

/// Has the link made that was not made.
pub(crate) async fn retry(app: &App, who: &str, id: RequestId) -> Result<Value, Rejection> {
    let detail = |invite: &Invite| {
        let error = invite.error.as_deref().unwrap_or("no error");
        format!(
            "{} after {} tries: {error}",
            invite.status.as_str(),
            invite.attempts
        )
    };
    let (invite, change) = act(app, who, id, Action::Retry, Invite::retry, detail).await?;
    ring(app, &invite).await;
    Ok(told(invite, change))
}

/// Has the link replaced by another.
pub(crate) async fn reissue(
    app: &App,
    who: &str,
    id: RequestId,
    asked: Reissue,
) -> Result<Value, Rejection> {
    let detail = |invite: &Invite| match invite.link_expires_at {
        Some(at) => format!("link {}, which works until {at}", invite.link_version),
        None => format!("link {}", invite.link_version),
    };
    let decide = |invite: &Invite| invite.reissue(asked.link_version);
    let (invite, change) = act(app, who, id, Action::Reissue, decide, detail).await?;
    ring(app, &invite).await;
    Ok(told(invite, change))
}

/// Has a fact told again.
pub(crate) async fn resend_event(
    app: &App,
    who: &str,
    id: RequestId,
    asked: ResendEvent,
) -> Result<Value, Rejection> {
    let name = match asked.event.as_str() {
        "link_created" => EventName::LinkCreated,
        "joined" => EventName::Joined,
        _ => return Err(Rejection::InvalidParameter),
    };
    let detail = |_: &Invite| asked.event.clone();
    let decide = |invite: &Invite| invite.resend(name);
    let (invite, _) = act(app, who, id, Action::ResendEvent, decide, detail).await?;
    // Without one, WebEngage has taken it in the meantime.
    for event in invite.pending_events() {
        if event.event_name == name {
            app.events.send(&event).await.map_err(unavailable)?;
        }
    }
    let note = "WebEngage takes an event of the same id once within 4 hours; after that it counts it again.";
    Ok(json!({"invite": Story::from(invite), "note": note}))
}

/// Decides by the record as it is, and writes that with its line in the history.
async fn act(
    app: &App,
    who: &str,
    id: RequestId,
    action: Action,
    decide: impl Fn(&Invite) -> Result<Change, Refused>,
    detail: impl Fn(&Invite) -> String,
) -> Result<(Invite, Change), Rejection> {
    let found = app.invites.get(id).await.map_err(unavailable)?;
    let mut invite = found.ok_or(Rejection::NotFound)?;
    for _ in 0..TRIES {
        let change = decide(&invite)?;
        let bot = match &invite.invite_link {
            Some(link) if change == Change::Reissue => {
                let record = app.links.get(&link.hash()).await.map_err(unavailable)?;
                record.and_then(|record| record.bot)
            }
            _ => None,
        };
        // The record of a link may be forgotten: then it has expired, and any bot finds it so.
        let bot = bot
            .or_else(|| app.bots.first().copied())
            .unwrap_or(BotId(0));
        let entry = Entry::new(app.clock.now(), who, action, &detail(&invite));
        let acted = app.invites.act(&app.tasks, &invite, change, bot, &entry);
        let acted = acted.await;
        match acted.map_err(unavailable)? {
            Acted::Done(acted) => {
                info!(invite.id = %id, operator.name = who, outcome = action.as_str(), "an operator acted on a request");
                return Ok((*acted, change));
            }
            Acted::Newer(newer) => invite = *newer,
            Acted::Missing => return Err(Rejection::NotFound),
        }
    }
    Err(Rejection::Unavailable)
}

async fn ring(app: &App, invite: &Invite) {
    if invite.status != Status::Done {
        app.bells.ring(invite.pool).await;
    }
}

fn told(invite: Invite, change: Change) -> Value {
    json!({"repeated": change == Change::Again, "invite": Story::from(invite)})
}
