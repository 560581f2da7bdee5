//! `POST /v1/invite/request`: a shop reports a payment; the buyer's link is taken from the link pool, or a task is put.
//! What a shop changes of a request afterwards is in the module `actions`.
//!
//! ```text
//! read the record --(there)--> answer the duplicate
//!       | (none)
//! write it with a claim link, if the chat is claimed ------> answer it, and queue the event
//!       | (it is not)
//! take a link from the pool, if the chat has one --(taken)--> answer it
//!       | (none)
//! put the task              die here: the dispatcher creates the record from the task
//!       |
//! write the record, if it is still missing, and ring the bell, side by side
//!                           the loser of a race answers the duplicate; without a bell, the tick looks within a minute
//!       |
//! bind it, if the shop knows its buyer     die here: the shop, which was not answered, reports the payment again
//!       |
//! announce it               die here: the shop, which was not answered, reports the payment again, and so is it announced
//! ```
//!
//! The task goes first because it carries everything: a record without a task would wait for ever.
//!
//! A repeat queues nothing, unless the link has expired before anybody joined by it: then it is replaced, as by a
//! re-issue.

mod actions;
mod claim;
mod pool;

use std::time::Duration;

use bytes::Bytes;
use domain::action::Change;
use domain::claim::PublicUrl;
use domain::event::EventMessage;
use domain::history::{Action, SHOP};
use domain::hook::Announcement;
use domain::id::{InviteLink, RequestId, TelegramUserId};
use domain::invite::{Invite, Status};
use domain::link_pool::Targets;
use domain::purchase::{self, Chats, Identity, Purchase};
use domain::task::{Mint, Task, Work};
use domain::time::Timestamp;
use futures_util::future::join;
use http::{Request, Response, StatusCode};
use runtime::auth::Verifier;
use runtime::aws;
use runtime::body;
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::response::{Rejection, json};
use runtime::settings;
use runtime::telemetry::chain;
use runtime::trace;
use runtime::view::InviteView;
use serde::Serialize;
use store::acting::Acting;
use store::queue::{Bells, Queue};
use store::{
    Announcements, Created, Dedup, Invites, LinkPool, LinkTeller, Links, Seats, Tasks, ToldLink,
};
use tracing::{error, info, warn};

/// What the handler needs.
pub struct App {
    keys: Verifier,
    chats: Chats,
    invites: Invites,
    links: Links,
    tasks: Tasks,
    dedup: Dedup,
    pool: LinkPool,
    claims: claim::Claims,
    seats: Seats,
    bells: Bells,
    events: Queue<EventMessage>,
    announcements: Announcements,
    targets: Targets,
    empty: pool::Empty,
    link_teller: LinkTeller,
    invite_ttl: Duration,
    retention: Duration,
    duplicate_window: Duration,
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
            targets: settings::link_pool_targets(env, &chats),
            claims: claim::Claims::from_env(env, &chats, &aws),
            seats: Seats::from_env(aws.dynamodb(), env),
            chats,
            invites: Invites::from_env(aws.dynamodb(), env),
            links: Links::from_env(aws.dynamodb(), env),
            tasks: Tasks::from_env(aws.dynamodb(), env),
            dedup: Dedup::from_env(aws.dynamodb(), env),
            pool: LinkPool::from_env(aws.dynamodb(), env),
            bells: Bells::from_env(aws.sqs(), env, &clock),
            events: Queue::from_env(aws.sqs(), env),
            announcements: Announcements::from_env(&aws, env, &clock),
            empty: pool::Empty::default(),
            link_teller: LinkTeller::from_env(env, &aws, &clock),
            invite_ttl: settings::invite_ttl(env),
            retention: settings::retention(env),
            duplicate_window: settings::duplicate_window(env),
            public_url: settings::public_url(env),
            clock,
        }
    }

    async fn view(&self, invite: Invite) -> InviteView {
        let beside = self.claims.link_beside(&invite, self.clock.now()).await;
        InviteView::new(invite, beside, self.public_url.as_ref())
    }

    fn acting(&self) -> Acting<'_> {
        Acting {
            invites: &self.invites,
            links: &self.links,
            tasks: &self.tasks,
            events: &self.events,
            clock: &self.clock,
            any_bot: None,
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
    if let Some(invite) = app.invites.get(id).await.map_err(unavailable)? {
        return repeated(app, &purchase, invite, now).await;
    }
    let invite = Invite::accept(id, &purchase, now);
    if app.claims.serve(invite.canonical_chat) {
        return match claim::accept(app, invite, purchase.telegram_user_id).await? {
            claim::Claimable::New(invite) => announced(app, &invite).await,
            claim::Claimable::Known(invite) => answer_of(app, &purchase, *invite, now).await,
        };
    }
    match pool::serve(app, purchase.canonical_chat(), &invite).await {
        pool::Served::Done(invite) => return known_buyer(app, &purchase, *invite).await,
        pool::Served::Known(invite) => return answer_of(app, &purchase, *invite, now).await,
        pool::Served::Not => {}
    }
    let pool = purchase.canonical_chat();
    let task = Task::new(pool, Work::Mint(Mint::of(&invite)), now).traced(trace::header());
    app.tasks.put(&task).await.map_err(unavailable)?;
    // From here on the payment is accepted, whatever becomes of the rest.
    let created = app.invites.create(&invite, now.plus(app.retention));
    let (created, ()) = join(created, app.bells.ring(pool)).await;
    match created.map_err(unavailable)? {
        Created::New => known_buyer(app, &purchase, invite).await,
        Created::Existing(invite) => answer_of(app, &purchase, *invite, now).await,
    }
}

/// Answers a payment that was new when its record was looked for, and has one now.
async fn answer_of(
    app: &App,
    purchase: &Purchase,
    invite: Invite,
    now: Timestamp,
) -> Result<Accepted, Rejection> {
    if invite.is_of(purchase, now) {
        return known_buyer(app, purchase, invite).await;
    }
    repeated(app, purchase, invite, now).await
}

/// Answers a payment that is new: whom the shop knows has its seat from now on, and is told its link if it is there.
async fn known_buyer(
    app: &App,
    purchase: &Purchase,
    invite: Invite,
) -> Result<Accepted, Rejection> {
    let invite = claim::repeated(app, invite, purchase.telegram_user_id).await?;
    tell(app, &invite, purchase.telegram_user_id).await;
    announced(app, &invite).await
}

/// Announces a payment that is new, and answers it.
async fn announced(app: &App, invite: &Invite) -> Result<Accepted, Rejection> {
    announce(app, invite).await?;
    Ok(accepted(app, invite).await)
}

/// Announces a payment, and its link if it has one. Of a repeat nothing is announced twice.
async fn announce(app: &App, invite: &Invite) -> Result<(), Rejection> {
    let of_payment = Announcement::of_payment(invite);
    let announced = app
        .announcements
        .announce(of_payment, app.clock.now())
        .await;
    announced.map_err(unavailable)
}

/// Answers a payment that is new: with its link, if it has one already.
async fn accepted(app: &App, invite: &Invite) -> Accepted {
    let request_id = invite.request_id;
    let (status, invite_link) = match (invite.status, &invite.invite_link) {
        (Status::Done, Some(link)) => ("done", Some(link.clone())),
        _ => ("queued", None),
    };
    info!(invite.id = %request_id, outcome = status, "request accepted");
    let claim_link = app.claims.link_beside(invite, app.clock.now()).await;
    Accepted {
        ok: true,
        status,
        request_id,
        duplicate: None,
        reissued: None,
        link_expires_at: invite.link_expires_at.filter(|_| invite_link.is_some()),
        claim_page: invite.claim_page(claim_link.as_ref(), app.public_url.as_ref()),
        claim_link,
        invite_link,
        voided_at: None,
    }
}

/// Answers a payment that is known: with what became of it, unless somebody else made it. A link that expired unused is
/// replaced.
async fn repeated(
    app: &App,
    purchase: &Purchase,
    invite: Invite,
    now: Timestamp,
) -> Result<Accepted, Rejection> {
    let request_id = invite.request_id;
    invite.check_buyer(purchase).inspect_err(|_| {
        warn!(invite.id = %request_id, outcome = "conflict", "one transaction, two users");
    })?;
    let invite = claim::repeated(app, invite, purchase.telegram_user_id).await?;
    // The call before may have died before it.
    announce(app, &invite).await?;
    let (invite, reissued) = match invite.repeat(now) {
        Change::Nothing => (invite, None),
        _ => reissue(app, invite, now).await?,
    };
    // The first call may have died before it.
    tell(app, &invite, purchase.telegram_user_id).await;
    let status = match invite.status {
        Status::Queued => "queued",
        Status::Processing => "processing",
        Status::Done => "done",
        Status::Failed => "failed",
    };
    info!(invite.id = %request_id, outcome = "duplicate", "request repeated");
    let claim_link = app.claims.link_beside(&invite, now).await;
    Ok(Accepted {
        ok: true,
        status,
        request_id,
        duplicate: Some(true),
        reissued,
        link_expires_at: invite
            .link_expires_at
            .filter(|_| invite.invite_link.is_some()),
        claim_page: invite.claim_page(claim_link.as_ref(), app.public_url.as_ref()),
        claim_link,
        invite_link: invite.invite_link,
        voided_at: invite.voided_at,
    })
}

/// Has the bot tell an invite link to a buyer whom the shop knows and who has its seat; a claim link they have from the shop.
/// Once, however often a payment is reported. What can't be told holds up no payment: the shop has the link.
async fn tell(app: &App, invite: &Invite, person: Option<TelegramUserId>) {
    let person = person.filter(|person| invite.bound_to == Some(*person));
    let Some((person, told)) = person.zip(ToldLink::of(invite)) else {
        return;
    };
    if let Err(fault) = app.link_teller.tell(person, told, app.clock.now()).await {
        warn!(invite.id = %invite.request_id, fault = "unavailable", "a link could not be told in private, the shop has it: {}", chain(&fault));
    }
}

/// Has a link replaced that expired unused, if no other call does so first.
async fn reissue(
    app: &App,
    invite: Invite,
    now: Timestamp,
) -> Result<(Invite, Option<bool>), Rejection> {
    let acting = app.acting();
    let decide = |invite: &Invite| Ok(invite.repeat(now));
    let detail = |invite: &Invite| format!("{}, and was not used", invite.link_in_words());
    let (invite, change) = acting
        .act_on(SHOP, invite, Action::Reissue, decide, detail)
        .await?;
    if change == Change::Nothing {
        return Ok((invite, None));
    }
    app.bells.ring(invite.canonical_chat).await;
    info!(invite.id = %invite.request_id, outcome = "reissued", "the link of a repeated payment had expired unused");
    Ok((invite, Some(true)))
}

fn unavailable(fault: impl std::error::Error) -> Rejection {
    error!(
        fault = "unavailable",
        "a request could not be accepted: {}",
        chain(&fault)
    );
    Rejection::Unavailable
}
