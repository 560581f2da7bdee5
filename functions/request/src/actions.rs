//! `/v1/invite/{requestId}/{action}`: what a shop changes of a request of its own.
//!
//! Each call may be repeated: `void` finds what it did before; `reissue` replaces the link that `linkVersion` names, or
//! the present one.

use bytes::Bytes;
use domain::action::Change;
use domain::history::{Action, SHOP};
use domain::id::RequestId;
use domain::invite::{Invite, Status};
use domain::text::without_mark;
use http::{Method, Request, Response, StatusCode};
use runtime::response::{Rejection, json};
use runtime::view::InviteView;
use serde::Deserialize;
use tracing::info;

use crate::{App, BODY_MAX_BYTES};

/// The body of `reissue`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reissue {
    /// The version of the link that is to be replaced: a repeat of the call then replaces nothing else.
    link_version: Option<u32>,
}

/// The request and the action that a path names, if it is of this kind.
pub(crate) fn named(path: &str) -> Option<(&str, &str)> {
    let (_, rest) = path.split_once("/v1/invite/")?;
    rest.split_once('/')
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
        _ => return Err(Rejection::NotFound),
    };
    if request.method() != Method::POST {
        return Err(Rejection::MethodNotAllowed("POST"));
    }
    let id: RequestId = id.parse().map_err(|_| Rejection::InvalidRequestId)?;
    if request.body().len() > BODY_MAX_BYTES {
        return Err(Rejection::TooLarge);
    }
    let acting = app.acting();
    let (invite, change) = if action == Action::Void {
        let detail =
            |invite: &Invite| format!("{}, link {}", invite.status.as_str(), invite.link_version);
        acting.act(SHOP, id, action, Invite::void, detail).await?
    } else {
        let asked = read(request.body())?;
        let decide = |invite: &Invite| invite.reissue(asked.link_version);
        acting
            .act(SHOP, id, action, decide, Invite::link_in_words)
            .await?
    };
    // A revocation, or a link that is to be made.
    if change != Change::Nothing && (action == Action::Void || invite.status != Status::Done) {
        app.bells.ring(invite.pool).await;
    }
    info!(invite.id = %id, outcome = action.as_str(), is_repeated = change == Change::Nothing, "a shop acted on a request");
    Ok(json(StatusCode::OK, &InviteView::from(invite)))
}

/// Reads a body; none at all is an object without fields.
fn read(body: &Bytes) -> Result<Reissue, Rejection> {
    match without_mark(body).trim_ascii() {
        [] => Ok(Reissue::default()),
        body => {
            let fields: serde_json::Value =
                serde_json::from_slice(body).map_err(|_| Rejection::InvalidJson)?;
            if !fields.is_object() {
                return Err(Rejection::InvalidJson);
            }
            serde_json::from_value(fields).map_err(|_| Rejection::InvalidParameter)
        }
    }
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
