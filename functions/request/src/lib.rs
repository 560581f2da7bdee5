//! `POST /v1/invite/request`: a shop reports a payment, which is [taken in](intake::Intake::accept). What a shop changes of a
//! request afterwards is in the module `actions`.

mod actions;

use std::time::Duration;

use bytes::Bytes;
use domain::claim::PublicUrl;
use domain::id::{InviteLink, RequestId};
use domain::invite::{Invite, Status};
use domain::purchase::{self, Chats, Identity, Purchase};
use domain::time::Timestamp;
use http::{Request, Response, StatusCode};
use intake::{Intake, TakenIn};
use runtime::auth::Verifier;
use runtime::aws;
use runtime::body;
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::response::{Rejection, json};
use runtime::settings;
use runtime::telemetry::chain;
use runtime::view::InviteView;
use serde::Serialize;
use store::Dedup;
use tracing::{error, info};

/// What the handler needs.
pub struct App {
    keys: Verifier,
    chats: Chats,
    intake: Intake,
    dedup: Dedup,
    duplicate_window: Duration,
    /// How often a shop may have a seat moved.
    rebinds_max: u32,
    public_url: Option<PublicUrl>,
    clock: Clock,
}

impl App {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, clock: Clock) -> Self {
        let aws = aws::Shared::from_env(env);
        let chats = settings::chats(env);
        Self {
            keys: Verifier::api_keys(env),
            intake: Intake::from_env(env, &aws, &chats, &clock),
            chats,
            dedup: Dedup::from_env(aws.dynamodb(), env),
            duplicate_window: settings::duplicate_window(env),
            rebinds_max: settings::rebinds_max(env),
            public_url: settings::public_url(env),
            clock,
        }
    }

    async fn view(&self, invite: Invite) -> InviteView {
        let beside = self.intake.link_beside(&invite, self.clock.now()).await;
        InviteView::new(invite, beside, self.public_url.as_ref())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Accepted {
    ok: bool,
    status: &'static str,
    request_id: RequestId,
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicate: Option<bool>,
    /// The link had expired unused: another one is being made.
    #[serde(skip_serializing_if = "Option::is_none")]
    reissued: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invite_link: Option<InviteLink>,
    /// What stands beside an invite link: it opens the bot, which tells the first person who comes the invite link.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim_link: Option<InviteLink>,
    /// The page of the claim link.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim_page: Option<InviteLink>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    voided_at: Option<Timestamp>,
}

/// Answers one call. A 200 means that the request is durable and will end DONE or FAILED.
pub async fn handle(app: &App, request: Request<Bytes>) -> Response<Bytes> {
    let answer = match actions::named(request.uri().path()) {
        _ if !app.keys.knows_api_key(request.headers()) => Err(Rejection::Unauthorized),
        Some((id, action)) => actions::answer(app, &request, id, action).await,
        None => accept(app, &request)
            .await
            .map(|accepted| json(StatusCode::OK, &accepted)),
    };
    answer.unwrap_or_else(|rejection| {
        info!(outcome = rejection.code(), "request refused");
        rejection.answer()
    })
}

async fn accept(app: &App, request: &Request<Bytes>) -> Result<Accepted, Rejection> {
    body::check_size(request.body())?;
    let idempotency_key = match request
        .headers()
        .get("idempotency-key")
        .map(|value| value.to_str())
    {
        None => None,
        Some(Ok(key)) => Some(key),
        Some(Err(_)) => return Err(purchase::Rejection::InvalidTransactionId.into()),
    };
    let fields = body::fields(request.body())?;
    let purchase = Purchase::parse(&fields, idempotency_key, &app.chats)?;
    let now = app.clock.now();
    let id = match purchase.identity() {
        Identity::Payment(id) => id,
        Identity::Window(window) => {
            let opened = app
                .dedup
                .open_window(window, app.duplicate_window, now)
                .await
                .map_err(unavailable)?;
            purchase.window_opened_at(opened)
        }
    };
    let taken = app.intake.accept(&purchase, id, now).await?;
    Ok(accepted(app, taken).await)
}

/// Answers a payment: with its link, if it has one already.
async fn accepted(app: &App, taken: TakenIn) -> Accepted {
    let TakenIn {
        invite,
        is_repeat,
        is_reissued,
    } = taken;
    let (status, has_link) = match (invite.status, is_repeat) {
        (Status::Done, false) if invite.invite_link.is_some() => ("done", true),
        (_, false) => ("queued", false),
        (Status::Queued, true) => ("queued", true),
        (Status::Processing, true) => ("processing", true),
        (Status::Done, true) => ("done", true),
        (Status::Failed, true) => ("failed", true),
    };
    if !is_repeat {
        info!(invite.id = %invite.request_id, outcome = status, "request accepted");
    }
    let claim_link = app.intake.link_beside(&invite, app.clock.now()).await;
    let invite_link = invite.invite_link.clone().filter(|_| has_link);
    Accepted {
        ok: true,
        status,
        request_id: invite.request_id,
        duplicate: is_repeat.then_some(true),
        reissued: is_reissued.then_some(true),
        link_expires_at: invite.link_expires_at.filter(|_| invite_link.is_some()),
        claim_page: invite.claim_page(claim_link.as_ref(), app.public_url.as_ref()),
        claim_link,
        invite_link,
        voided_at: invite.voided_at,
    }
}

fn unavailable(fault: impl std::error::Error) -> Rejection {
    error!(
        fault = "unavailable",
        "a request could not be accepted: {}",
        chain(&fault)
    );
    Rejection::Unavailable
}
