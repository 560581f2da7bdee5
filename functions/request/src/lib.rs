//! `POST /v1/invite/request`: a shop reports a payment; the buyer's link is queued.
//!
//! ```text
//! read the record --(there)--> answer the duplicate
//!       | (none)
//! send the job            die here: the worker creates the record from the job
//!       |
//! write the record, if it is still missing; the loser of a race answers the duplicate
//! ```
//!
//! The job goes first because it carries everything: a record without a job would wait for ever.

use std::time::Duration;

use bytes::Bytes;
use common::answer::{Rejection, json};
use common::auth::Verifier;
use common::aws;
use common::clock::Clock;
use common::config::Env;
use common::domain::id::{InviteLink, RequestId};
use common::domain::invite::{Invite, Status};
use common::domain::job::{Job, Mint};
use common::domain::purchase::{Chats, Identity, Purchase};
use common::domain::time::Timestamp;
use common::queue::InviteQueue;
use common::store::{Created, Invites};
use common::telemetry::chain;
use http::{Request, Response, StatusCode};
use serde::Serialize;
use tracing::{error, info, warn};

/// The largest body that is read, in bytes.
pub const BODY_MAX_BYTES: usize = 64 * 1024;

/// What the handler needs.
pub struct App {
    keys: Verifier,
    chats: Chats,
    invites: Invites,
    jobs: InviteQueue,
    retention: Duration,
    duplicate_window: Duration,
    clock: Clock,
}

impl App {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, clock: Clock) -> Self {
        let aws = aws::Shared::from_env(env);
        Self {
            keys: Verifier::api_keys(env),
            chats: env.chats(),
            invites: Invites::from_env(aws.dynamodb(), env),
            jobs: InviteQueue::from_env(aws.sqs(), env),
            retention: env.retention(),
            duplicate_window: Duration::from_secs(env.number(
                "DUPLICATE_WINDOW_SEC",
                600,
                1..=86_400,
            )),
            clock,
        }
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
    #[serde(skip_serializing_if = "Option::is_none")]
    invite_link: Option<InviteLink>,
}

/// Answers one call. A 200 means that the request is durable and will end DONE or FAILED.
pub async fn handle(app: &App, request: Request<Bytes>) -> Response<Bytes> {
    match accept(app, &request).await {
        Ok(accepted) => json(StatusCode::OK, &accepted),
        Err(rejection) => {
            info!(outcome = rejection.code(), "request refused");
            rejection.answer()
        }
    }
}

async fn accept(app: &App, request: &Request<Bytes>) -> Result<Accepted, Rejection> {
    if !app.keys.knows_api_key(request.headers()) {
        return Err(Rejection::Unauthorized);
    }
    if request.body().len() > BODY_MAX_BYTES {
        return Err(Rejection::TooLarge);
    }
    let idempotency_key = match request
        .headers()
        .get("idempotency-key")
        .map(|value| value.to_str())
    {
        None => None,
        Some(Ok(key)) => Some(key),
        Some(Err(_)) => return Err(Rejection::InvalidTransactionId),
    };
    let purchase = Purchase::parse(request.body(), idempotency_key, &app.chats)?;
    let now = app.clock.now();
    let id = match purchase.identity() {
        Identity::Payment(id) => id,
        Identity::Window(window) => {
            let opened = app
                .invites
                .open_window(window, app.duplicate_window, now)
                .await
                .map_err(unavailable)?;
            purchase.window_opened_at(opened)
        }
    };
    if let Some(invite) = app.invites.get(id).await.map_err(unavailable)? {
        return repeated(&purchase, invite);
    }
    app.jobs
        .send(&job(id, &purchase, now))
        .await
        .map_err(unavailable)?;
    let invite = Invite::accept(id, &purchase, now);
    match app
        .invites
        .create(&invite, now.plus(app.retention))
        .await
        .map_err(unavailable)?
    {
        Created::New => Ok(queued(id)),
        // The worker was faster, or the SDK repeated a write whose answer was lost: this is our own record (or that of
        // a call in the very same millisecond, which is then told the same).
        Created::Existing(invite)
            if invite.created_at == now && invite.user_id == purchase.user_id =>
        {
            Ok(queued(id))
        }
        Created::Existing(invite) => repeated(&purchase, *invite),
    }
}

fn job(request_id: RequestId, purchase: &Purchase, now: Timestamp) -> Job {
    Job::Mint(Mint {
        request_id,
        user_id: purchase.user_id.clone(),
        transaction_id: purchase.transaction_id.clone(),
        chat_id: purchase.chat,
        created_at: now,
        not_before: None,
    })
}

fn queued(request_id: RequestId) -> Accepted {
    info!(invite.id = %request_id, outcome = "queued", "request accepted");
    Accepted {
        ok: true,
        status: "queued",
        request_id,
        duplicate: None,
        invite_link: None,
    }
}

/// Answers a payment that is known: with what became of it, unless somebody else made it.
fn repeated(purchase: &Purchase, invite: Invite) -> Result<Accepted, Rejection> {
    let request_id = invite.request_id;
    if invite.user_id != purchase.user_id {
        warn!(invite.id = %request_id, outcome = "conflict", "one transaction, two users");
        return Err(Rejection::TransactionConflict);
    }
    let status = match invite.status {
        Status::Queued => "queued",
        Status::Processing => "processing",
        Status::Done => "done",
        Status::Failed => "failed",
    };
    info!(invite.id = %request_id, outcome = "duplicate", "request repeated");
    Ok(Accepted {
        ok: true,
        status,
        request_id,
        duplicate: Some(true),
        invite_link: invite.invite_link,
    })
}

fn unavailable(fault: impl std::error::Error) -> Rejection {
    error!(
        fault = "unavailable",
        "a request could not be accepted: {}",
        chain(&fault)
    );
    Rejection::Unavailable
}
