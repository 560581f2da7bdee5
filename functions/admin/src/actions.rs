//! What an operator does to one request.
//!
//! ```text
//! read the record, decide
//! write it, with the line in its history and the task that follows    one transaction
//! ring the bell, or send the event     die here: the tick looks within a minute; the sweeper sends within the hour
//! ```

use domain::action::{self, Change};
use domain::event::EventName;
use domain::history::Action;
use domain::hook::Announcement;
use domain::id::RequestId;
use domain::invite::{Invite, Status};
use domain::rebind::Rebind;
use runtime::response::Rejection;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::info;

use crate::view::OperatorInviteView;
use crate::{App, unavailable};

/// The longest reason for giving an event up, in characters.
const REASON_MAX_CHARS: usize = 180;

/// The body of `reissue`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reissue {
    /// The version of the link that is to be replaced: a repeat of the call then replaces nothing else.
    link_version: Option<u32>,
}

/// The body of `rebind`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RebindSeat {
    /// The version of the claim link that is to be replaced: a repeat of the call then replaces nothing else.
    claim_version: Option<u8>,
    /// Whether who has the seat loses it at once.
    #[serde(default)]
    stolen: bool,
}

/// The body of `resend-event`.
#[derive(Deserialize)]
pub(crate) struct ResendEvent {
    event: String,
}

/// The body of `give-up-event`.
#[derive(Deserialize)]
pub(crate) struct GiveUpEvent {
    event: String,
    reason: String,
}

/// Has the link made that was not made.
pub(crate) async fn retry(app: &App, who: &str, id: RequestId) -> Result<Value, Rejection> {
    let (invite, change) = act(app, who, id, Action::Retry, Invite::retry, state_in_words).await?;
    ring(app, &invite).await;
    Ok(changed(invite, change))
}

/// What a retry finds.
pub(crate) fn state_in_words(invite: &Invite) -> String {
    let error = invite.error.as_deref().unwrap_or("no error");
    format!(
        "{} after {} tries: {error}",
        invite.status.as_str(),
        invite.attempts
    )
}

/// Has the link replaced by another.
pub(crate) async fn reissue(
    app: &App,
    who: &str,
    id: RequestId,
    asked: Reissue,
) -> Result<Value, Rejection> {
    let decide = |invite: &Invite| invite.reissue(asked.link_version);
    let detail = Invite::link_in_words;
    let (invite, change) = act(app, who, id, Action::Reissue, decide, detail).await?;
    ring(app, &invite).await;
    Ok(changed(invite, change))
}

/// Has the seat moved to whoever comes with another claim link, as often as it takes.
pub(crate) async fn rebind(
    app: &App,
    who: &str,
    id: RequestId,
    asked: RebindSeat,
) -> Result<Value, Rejection> {
    let asked = Rebind {
        claim_version: asked.claim_version,
        is_stolen: asked.stolen,
        limit: None,
        holder: None,
    };
    let with = (&app.claim_links, &app.seats);
    let acting = app.acting();
    let (invite, is_news) = acting.rebind(who, id, asked, with).await?;
    if asked.is_stolen {
        app.bells.ring(invite.canonical_chat).await;
    }
    // Also the second time: the first call may have died before it.
    let ended = acting.taken_away(&invite, asked, &app.seats).await?;
    let ended = ended.map(|(person, at)| Announcement::seat_ended(&invite, person, at));
    let announcements = Announcement::invite_done(&invite).into_iter().chain(ended);
    let announced = app
        .announcements
        .announce(announcements, app.clock.now())
        .await;
    announced.map_err(unavailable)?;
    info!(invite.id = %id, operator.name = who, outcome = Action::Rebind.as_str(), "an operator had a seat moved");
    Ok(json!({"repeated": !is_news, "invite": OperatorInviteView::from(invite)}))
}

/// Sends an event again.
pub(crate) async fn resend_event(
    app: &App,
    who: &str,
    id: RequestId,
    asked: ResendEvent,
) -> Result<Value, Rejection> {
    let name = event_name(&asked.event)?;
    let detail = |_: &Invite| asked.event.clone();
    let decide = |invite: &Invite| invite.resend(name);
    let (invite, _) = act(app, who, id, Action::ResendEvent, decide, detail).await?;
    // Without one, WebEngage has taken it in the meantime.
    for event in invite.pending_events() {
        if event.event_name == name {
            app.events.send_now(event).await.map_err(unavailable)?;
        }
    }
    let note = "WebEngage takes an event of the same id once within 4 hours; after that it counts it again.";
    Ok(json!({"invite": OperatorInviteView::from(invite), "note": note}))
}

/// Gives an event up that can't be delivered: nothing waits for it any more.
pub(crate) async fn give_up_event(
    app: &App,
    who: &str,
    id: RequestId,
    asked: GiveUpEvent,
) -> Result<Value, Rejection> {
    let name = event_name(&asked.event)?;
    let reason = asked.reason.trim();
    if !(1..=REASON_MAX_CHARS).contains(&reason.chars().count()) {
        return Err(Rejection::InvalidParameter);
    }
    let detail = |_: &Invite| format!("{}: {reason}", asked.event);
    let decide = |invite: &Invite| invite.give_up(name);
    let (invite, change) = act(app, who, id, Action::GiveUpEvent, decide, detail).await?;
    Ok(changed(invite, change))
}

fn event_name(word: &str) -> Result<EventName, Rejection> {
    match word {
        "link_created" => Ok(EventName::LinkCreated),
        "joined" => Ok(EventName::Joined),
        _ => Err(Rejection::InvalidParameter),
    }
}

/// Carries an action out, and logs who did it.
async fn act(
    app: &App,
    who: &str,
    id: RequestId,
    action: Action,
    decide: impl Fn(&Invite) -> Result<Change, action::Rejection>,
    detail: impl Fn(&Invite) -> String,
) -> Result<(Invite, Change), Rejection> {
    let acted = app.acting().act(who, id, action, decide, detail).await?;
    info!(invite.id = %id, operator.name = who, outcome = action.as_str(), "an operator acted on a request");
    Ok(acted)
}

async fn ring(app: &App, invite: &Invite) {
    if invite.status != Status::Done {
        app.bells.ring(invite.canonical_chat).await;
    }
}

fn changed(invite: Invite, change: Change) -> Value {
    let is_repeated = matches!(change, Change::Again | Change::Nothing);
    json!({"repeated": is_repeated, "invite": OperatorInviteView::from(invite)})
}
