//! `GET /v1/invite/{requestId}`: where a request stands; and the files of exports.

mod exports;

use bytes::Bytes;
use domain::claim::{ChatDeliveries, PublicUrl};
use domain::id::RequestId;
use domain::invite::Invite;
use http::{Request, Response, StatusCode};
use runtime::auth::Verifier;
use runtime::aws;
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::response::{Rejection, json};
use runtime::settings;
use runtime::telemetry::chain;
use runtime::view::InviteView;
use store::{ClaimLinks, Invites, Jobs};
use tracing::{error, info};

/// What the handler needs.
pub struct App {
    keys: Verifier,
    invites: Invites,
    jobs: Jobs,
    clock: Clock,
    claim_links: ClaimLinks,
    public_url: Option<PublicUrl>,
}

impl App {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, clock: Clock) -> Self {
        let aws = aws::Shared::from_env(env);
        Self {
            keys: Verifier::api_keys(env),
            invites: Invites::from_env(aws.dynamodb(), env),
            jobs: Jobs::from_env(aws.dynamodb(), env),
            clock,
            claim_links: ClaimLinks::from_env(env, &ChatDeliveries::default(), &aws),
            public_url: settings::public_url(env),
        }
    }
}

/// Answers one call.
pub async fn handle(app: &App, request: Request<Bytes>) -> Response<Bytes> {
    if request.uri().path().contains(exports::PATH) {
        return exports::answer(app, &request).await;
    }
    match find(app, &request).await {
        Ok(invite) => {
            let beside = app
                .claim_links
                .beside(invite.claim_beside(), app.clock.now());
            let view = InviteView::new(invite, beside.await, app.public_url.as_ref());
            json(StatusCode::OK, &view)
        }
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
    let id: RequestId = last.parse()?;
    match app.invites.get(id).await {
        Ok(Some(invite)) => Ok(invite),
        Ok(None) => Err(Rejection::NotFound),
        Err(fault) => {
            error!(invite.id = %id, fault = "unavailable", "a status could not be read: {}", chain(&fault));
            Err(Rejection::Unavailable)
        }
    }
}
