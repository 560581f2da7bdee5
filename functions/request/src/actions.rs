//! `/v1/invite/{requestId}/{action}`: what a shop changes of a request of its own.
//!
//! Each call may be repeated: `void` finds what it did before; `reissue` replaces the link that `linkVersion` names, or
//! the present one; `rebind` the claim link that `claimVersion` names, or the present one.

use bytes::Bytes;
use domain::action::Change;
use domain::history::{Action, SHOP};
use domain::hook::Announcement;
use domain::id::RequestId;
use domain::invite::{Invite, Status};
use domain::rebind::Rebind;
use http::{Method, Request, Response, StatusCode};
use runtime::body;
use runtime::response::{Rejection, json};
use serde::Deserialize;
use tracing::info;

use crate::{App, unavailable};

/// The body of `reissue`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReissueBody {
    /// The version of the link that is to be replaced: a repeat of the call then replaces nothing else.
    link_version: Option<u32>,
}

/// The request and the action that a path names, if it is of this kind.
pub(crate) fn named(path: &str) -> Option<(&str, &str)> {
    let (_, rest) = path.split_once("/v1/invite/")?;
    rest.split_once('/')
}

/// The body of `rebind`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RebindBody {
    /// The version of the claim link that is to be replaced: a repeat of the call then replaces nothing else.
    claim_version: Option<u8>,
    /// Whether who has the seat loses it at once.
    #[serde(default)]
    stolen: bool,
}

/// Answers one call of a shop whose key is right.
pub(crate) async fn answer(
    app: &App,
    request: &Request<Bytes>,
    id: &str,
    action: &str,
) -> Result<Response<Bytes>, Rejection> {
    let action = match action {
        "reissue" => Action::Reissue,
        "void" => Action::Void,
        "rebind" => Action::Rebind,
        _ => return Err(Rejection::NotFound),
    };
    if request.method() != Method::POST {
        return Err(Rejection::MethodNotAllowed("POST"));
    }
    let id: RequestId = id.parse()?;
    body::check_size(request.body())?;
    let acting = app.intake.acting();
    if action == Action::Rebind {
        let asked: RebindBody = body::read(request.body())?;
        let asked = Rebind {
            claim_version: asked.claim_version,
            is_stolen: asked.stolen,
            limit: Some(app.rebinds_max),
            holder: None,
        };
        let with = (app.intake.claim_links(), &app.intake.seats);
        let (invite, is_news) = acting.rebind(SHOP, id, asked, with).await?;
        if asked.is_stolen {
            app.intake.bells.ring(invite.canonical_chat).await;
        }
        // Also the second time: the first call may have died before it.
        let ended = acting.taken_away(&invite, asked, &app.intake.seats).await?;
        let ended = ended.map(|(person, at)| Announcement::seat_ended(&invite, person, at));
        let announcements = Announcement::invite_done(&invite).into_iter().chain(ended);
        announce(app, announcements).await?;
        info!(invite.id = %id, outcome = action.as_str(), is_repeated = !is_news, "a shop had a seat moved");
        return Ok(json(StatusCode::OK, &app.view(invite).await));
    }
    let (invite, change) = if action == Action::Void {
        let detail =
            |invite: &Invite| format!("{}, link {}", invite.status.as_str(), invite.link_version);
        let (invite, change) = acting.act(SHOP, id, action, Invite::void, detail).await?;
        // Also the second time: the first call may have died before it.
        let ended = app.intake.close(&invite).await?;
        let ended = ended.map(|(person, at)| Announcement::seat_ended(&invite, person, at));
        let announcements = Announcement::invite_voided(&invite)
            .into_iter()
            .chain(ended);
        announce(app, announcements).await?;
        (invite, change)
    } else {
        let asked: ReissueBody = body::read(request.body())?;
        let decide = |invite: &Invite| invite.reissue(asked.link_version);
        acting
            .act(SHOP, id, action, decide, Invite::link_in_words)
            .await?
    };
    // A revocation, or a link that is to be made.
    if change != Change::Nothing && (action == Action::Void || invite.status != Status::Done) {
        app.intake.bells.ring(invite.canonical_chat).await;
    }
    info!(invite.id = %id, outcome = action.as_str(), is_repeated = change == Change::Nothing, "a shop acted on a request");
    Ok(json(StatusCode::OK, &app.view(invite).await))
}

/// Says what happened.
async fn announce(
    app: &App,
    announcements: impl IntoIterator<Item = Announcement>,
) -> Result<(), Rejection> {
    let now = app.clock.now();
    let announced = app.intake.announcements.announce(announcements, now).await;
    announced.map_err(unavailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_request_and_an_action_or_is_the_one_of_payments() {
        assert_eq!(named("/v1/invite/a/void"), Some(("a", "void")));
        assert_eq!(named("/prod/v1/invite/a/void"), Some(("a", "void")));
        assert_eq!(named("/v1/invite/a/void/x"), Some(("a", "void/x")));
        assert_eq!(named("/v1/invite/request"), None);
        assert_eq!(named("/"), None);
    }
}
