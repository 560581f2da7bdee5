//! Takes in a payment: the buyer's link is taken from the link pool, or a task is put. Durable on return.
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

mod claim;
mod pool;

use std::time::Duration;

use domain::action::Change;
use domain::event::EventMessage;
use domain::history::{Action, SHOP};
use domain::hook::Announcement;
use domain::id::{InviteLink, RequestId, TelegramUserId};
use domain::invite::Invite;
use domain::link_pool::Targets;
use domain::purchase::{Chats, Purchase};
use domain::task::{Mint, Task, Work};
use domain::time::Timestamp;
use futures_util::future::join;
use runtime::aws;
use runtime::clock::Clock;
use runtime::config::Env;
use runtime::response::Rejection;
use runtime::settings;
use runtime::telemetry::chain;
use runtime::trace;
use store::acting::Acting;
use store::queue::{Bells, Queue};
use store::{
    Announcements, ClaimLinks, Created, Invites, LinkPool, LinkTeller, Links, Seats, Tasks,
    ToldLink,
};
use tracing::{error, info, warn};

/// What takes payments in: the tables and queues that a request begins in, and what acts on one later.
pub struct Intake {
    /// The table of requests.
    pub invites: Invites,
    /// The table of seats.
    pub seats: Seats,
    /// What rings for a chat.
    pub bells: Bells,
    /// What tells endpoints and operators.
    pub announcements: Announcements,
    links: Links,
    tasks: Tasks,
    pool: LinkPool,
    claims: claim::Claims,
    events: Queue<EventMessage>,
    targets: Targets,
    empty: pool::Empty,
    link_teller: LinkTeller,
    invite_ttl: Duration,
    retention: Duration,
    clock: Clock,
}

/// What became of a payment.
pub struct TakenIn {
    /// Its request.
    pub invite: Invite,
    /// Whether it was known before; nothing was announced twice.
    pub is_repeat: bool,
    /// Whether its link had expired unused, so that another one is being made.
    pub is_reissued: bool,
}

impl Intake {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub fn from_env(env: &mut Env, aws: &aws::Shared, chats: &Chats, clock: &Clock) -> Self {
        Self {
            invites: Invites::from_env(aws.dynamodb(), env),
            seats: Seats::from_env(aws.dynamodb(), env),
            bells: Bells::from_env(aws.sqs(), env, clock),
            announcements: Announcements::from_env(aws, env, clock),
            links: Links::from_env(aws.dynamodb(), env),
            tasks: Tasks::from_env(aws.dynamodb(), env),
            pool: LinkPool::from_env(aws.dynamodb(), env),
            claims: claim::Claims::from_env(env, chats, aws),
            events: Queue::from_env(aws.sqs(), env),
            targets: settings::link_pool_targets(env, chats),
            empty: pool::Empty::default(),
            link_teller: LinkTeller::from_env(env, aws, clock),
            invite_ttl: settings::invite_ttl(env),
            retention: settings::retention(env),
            clock: clock.clone(),
        }
    }

    /// What carries out an action on a request.
    #[must_use]
    pub const fn acting(&self) -> Acting<'_> {
        Acting {
            invites: &self.invites,
            links: &self.links,
            tasks: &self.tasks,
            events: &self.events,
            clock: &self.clock,
            any_bot: None,
        }
    }

    /// What makes claim links.
    #[must_use]
    pub const fn claim_links(&self) -> &ClaimLinks {
        &self.claims.links
    }

    /// The claim link that stands beside the invite link of a request; nothing where none can be made.
    pub async fn link_beside(&self, invite: &Invite, now: Timestamp) -> Option<InviteLink> {
        self.claims.link_beside(invite, now).await
    }

    /// Ends what a voided request gave to the person who claimed it; answers whose right ended, and when: that may be before,
    /// if it had ended otherwise. Durable on return; done twice it is as done once.
    ///
    /// # Errors
    /// [`Rejection::Unavailable`] if it can't be told; doing it again is harmless.
    pub async fn close(
        &self,
        invite: &Invite,
    ) -> Result<Option<(TelegramUserId, Timestamp)>, Rejection> {
        claim::close(self, invite).await
    }

    /// Takes in the payment that is known as `id`. On return the request is durable and will end DONE or FAILED, and its
    /// payment was announced.
    ///
    /// # Errors
    /// Why it is refused: nothing was changed. [`Rejection::Unavailable`]: it may have been taken in, and doing it again is
    /// harmless.
    pub async fn accept(
        &self,
        purchase: &Purchase,
        id: RequestId,
        now: Timestamp,
    ) -> Result<TakenIn, Rejection> {
        if let Some(invite) = self.invites.get(id).await.map_err(unavailable)? {
            return repeated(self, purchase, invite, now).await;
        }
        let invite = Invite::accept(id, purchase, now);
        if self.claims.serve(invite.canonical_chat) {
            return match claim::accept(self, invite, purchase.telegram_user_id).await? {
                claim::Claimable::New(invite) => announced(self, *invite).await,
                claim::Claimable::Known(invite) => answer_of(self, purchase, *invite, now).await,
            };
        }
        match pool::serve(self, purchase.canonical_chat(), &invite).await {
            pool::Served::Done(invite) => return known_buyer(self, purchase, *invite).await,
            pool::Served::Known(invite) => return answer_of(self, purchase, *invite, now).await,
            pool::Served::Not => {}
        }
        let pool = purchase.canonical_chat();
        let task = Task::new(pool, Work::Mint(Mint::of(&invite)), now).traced(trace::header());
        self.tasks.put(&task).await.map_err(unavailable)?;
        // From here on the payment is accepted, whatever becomes of the rest.
        let created = self.invites.create(&invite, now.plus(self.retention));
        let (created, ()) = join(created, self.bells.ring(pool)).await;
        match created.map_err(unavailable)? {
            Created::New => known_buyer(self, purchase, invite).await,
            Created::Existing(invite) => answer_of(self, purchase, *invite, now).await,
        }
    }
}

/// Answers a payment that was new when its record was looked for, and has one now.
async fn answer_of(
    app: &Intake,
    purchase: &Purchase,
    invite: Invite,
    now: Timestamp,
) -> Result<TakenIn, Rejection> {
    if invite.is_of(purchase, now) {
        return known_buyer(app, purchase, invite).await;
    }
    repeated(app, purchase, invite, now).await
}

/// Answers a payment that is new: whom the shop knows has its seat from now on, and is told its link if it is there.
async fn known_buyer(
    app: &Intake,
    purchase: &Purchase,
    invite: Invite,
) -> Result<TakenIn, Rejection> {
    let invite = claim::repeated(app, invite, purchase.telegram_user_id).await?;
    tell(app, &invite, purchase.telegram_user_id).await;
    announced(app, invite).await
}

/// Announces a payment that is new, and answers it.
async fn announced(app: &Intake, invite: Invite) -> Result<TakenIn, Rejection> {
    announce(app, &invite).await?;
    Ok(TakenIn {
        invite,
        is_repeat: false,
        is_reissued: false,
    })
}

/// Announces a payment, and its link if it has one. Of a repeat nothing is announced twice.
async fn announce(app: &Intake, invite: &Invite) -> Result<(), Rejection> {
    let of_payment = Announcement::of_payment(invite);
    let announced = app
        .announcements
        .announce(of_payment, app.clock.now())
        .await;
    announced.map_err(unavailable)
}

/// Answers a payment that is known: with what became of it, unless somebody else made it. A link that expired unused is
/// replaced.
async fn repeated(
    app: &Intake,
    purchase: &Purchase,
    invite: Invite,
    now: Timestamp,
) -> Result<TakenIn, Rejection> {
    let request_id = invite.request_id;
    invite.check_buyer(purchase).inspect_err(|_| {
        warn!(invite.id = %request_id, outcome = "conflict", "one transaction, two users");
    })?;
    let invite = claim::repeated(app, invite, purchase.telegram_user_id).await?;
    // The call before may have died before it.
    announce(app, &invite).await?;
    let (invite, is_reissued) = match invite.repeat(now) {
        Change::Nothing => (invite, false),
        _ => reissue(app, invite, now).await?,
    };
    // The first call may have died before it.
    tell(app, &invite, purchase.telegram_user_id).await;
    info!(invite.id = %request_id, outcome = "duplicate", "request repeated");
    Ok(TakenIn {
        invite,
        is_repeat: true,
        is_reissued,
    })
}

/// Has the bot tell an invite link to a buyer whom the shop knows and who has its seat; a claim link they have from the shop.
/// Once, however often a payment is reported. What can't be told holds up no payment: the shop has the link.
async fn tell(app: &Intake, invite: &Invite, person: Option<TelegramUserId>) {
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
    app: &Intake,
    invite: Invite,
    now: Timestamp,
) -> Result<(Invite, bool), Rejection> {
    let acting = app.acting();
    let decide = |invite: &Invite| Ok(invite.repeat(now));
    let detail = |invite: &Invite| format!("{}, and was not used", invite.link_in_words());
    let (invite, change) = acting
        .act_on(SHOP, invite, Action::Reissue, decide, detail)
        .await?;
    if change == Change::Nothing {
        return Ok((invite, false));
    }
    app.bells.ring(invite.canonical_chat).await;
    info!(invite.id = %invite.request_id, outcome = "reissued", "the link of a repeated payment had expired unused");
    Ok((invite, true))
}

fn unavailable(fault: impl std::error::Error) -> Rejection {
    error!(
        fault = "unavailable",
        "a request could not be accepted: {}",
        chain(&fault)
    );
    Rejection::Unavailable
}
