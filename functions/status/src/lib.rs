//! `GET /v1/invite/{requestId}`: where a request stands.

use bytes::Bytes;
use common::answer::{Rejection, json};
use common::auth::Verifier;
use common::aws;
use common::clock::Clock;
use common::config::Env;
use common::domain::id::{ChatId, InviteLink, RequestId, TelegramUserId};
use common::domain::invite::Invite;
use common::domain::time::Timestamp;
use common::store::Invites;
use common::telemetry::chain;
use http::{Request, Response, StatusCode};
use serde::Serialize;
use tracing::{error, info};

/// What the handler needs.
pub struct App {
    keys: Verifier,
    invites: Invites,
}

impl App {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, _clock: Clock) -> Self {
        let aws = aws::Shared::from_env(env);
        Self {
            keys: Verifier::api_keys(env),
            invites: Invites::from_env(aws.dynamodb(), env),
        }
    }
}

/// A request as callers see it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    ok: bool,
    request_id: RequestId,
    user_id: String,
    transaction_id: String,
    chat_id: ChatId,
    status: &'static str,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    invite_link: Option<InviteLink>,
    link_event_fired: bool,
    joined: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    joined_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    telegram_user_id: Option<TelegramUserId>,
    join_event_fired: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Invite> for View {
    fn from(invite: Invite) -> Self {
        Self {
            ok: true,
            request_id: invite.request_id,
            user_id: invite.user_id,
            transaction_id: invite.transaction_id,
            chat_id: invite.chat,
            status: invite.status.as_str(),
            attempts: invite.attempts,
            invite_link: invite.invite_link,
            link_event_fired: invite.link_event_fired,
            joined: invite.joined_at.is_some(),
            joined_at: invite.joined_at,
            telegram_user_id: invite.telegram_user_id,
            join_event_fired: invite.join_event_fired,
            error: invite.error,
            created_at: invite.created_at,
            updated_at: invite.updated_at,
        }
    }
}

/// Answers one call.
pub async fn handle(app: &App, request: Request<Bytes>) -> Response<Bytes> {
    match find(app, &request).await {
        Ok(invite) => json(StatusCode::OK, &View::from(invite)),
        Err(rejection) => {
            info!(outcome = rejection.code(), "status refused");
            rejection.answer()
        }
    }
}

async fn find(app: &App, request: &Request<Bytes>) -> Result<Invite, Rejection> {
    if !app.keys.knows_api_key(request.headers()) {
        return Err(Rejection::Unauthorized);
    }
    let last = request.uri().path().rsplit('/').next().unwrap_or_default();
    let id: RequestId = last.parse().map_err(|_| Rejection::InvalidRequestId)?;
    match app.invites.get(id).await {
        Ok(Some(invite)) => Ok(invite),
        Ok(None) => Err(Rejection::NotFound),
        Err(fault) => {
            error!(invite.id = %id, fault = "unavailable", "a status could not be read: {}", chain(&fault));
            Err(Rejection::Unavailable)
        }
    }
}
