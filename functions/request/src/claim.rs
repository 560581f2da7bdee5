//! A claim link for a new request: DONE in its own answer, without a word to Telegram and without a task.
//!
//! ```text
//! write the record with its claim link     one write, which makes the event pending: die before it, and nothing happened
//! queue the event                          die here: the sweeper finds it pending
//! ```

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::claim::{ChatDeliveries, Claim, ClaimKeys};
use domain::id::{ChatId, InviteLink};
use domain::invite::Invite;
use domain::member::command::SeatCommand;
use domain::member::decide::decide;
use domain::member::entitlement::EntitlementId;
use domain::purchase::Chats;
use domain::time::Timestamp;
use runtime::aws;
use runtime::config::Env;
use runtime::response::Rejection;
use runtime::settings;
use runtime::telemetry::chain;
use store::{BotInfos, Created, FrontBot, StoreError};
use tracing::{error, info, warn};

use crate::{App, unavailable};

/// How long the name of the front bot is believed: people rename bots by hand, and seldom.
const NAME_KEPT: Duration = Duration::from_secs(60);

/// What makes claim links.
pub(crate) struct Claims {
    deliveries: ChatDeliveries,
    keys: ClaimKeys,
    bots: BotInfos,
    link_base: String,
    retention: Duration,
    front: Mutex<Option<(FrontBot, Timestamp)>>,
}

/// How a payment of a claimed chat was taken.
pub(crate) enum Claimable {
    /// It is DONE; this is its record.
    New(Box<Invite>),
    /// It was not new: this is its record.
    Known(Box<Invite>),
}

impl Claims {
    /// Reads the environment; what is missing is reported by [`Env::check`].
    pub(crate) fn from_env(env: &mut Env, chats: &Chats, aws: &aws::Shared) -> Self {
        let deliveries = settings::chat_deliveries(env, chats);
        Self {
            keys: settings::claim_keys(env, &deliveries),
            deliveries,
            bots: BotInfos::from_env(aws.dynamodb(), env),
            link_base: settings::telegram_link_base(env),
            retention: settings::claim_retention(env),
            front: Mutex::default(),
        }
    }

    /// Whether the buyers of the chat get claim links.
    pub(crate) fn serve(&self, canonical_chat: ChatId) -> bool {
        self.deliveries.is_claimed(canonical_chat)
    }

    /// The front bot, read at most once in [`NAME_KEPT`]; nothing before `setup` has written it.
    async fn front(&self, now: Timestamp) -> Result<Option<FrontBot>, StoreError> {
        let kept = self
            .front
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some((front, read_at)) = kept
            && now.since(read_at) < NAME_KEPT
        {
            return Ok(Some(front));
        }
        let front = self.bots.front().await?;
        let mut kept = self.front.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = front.clone().map(|front| (front, now));
        Ok(front)
    }

    async fn link(&self, claim: Claim, now: Timestamp) -> Result<InviteLink, Rejection> {
        let front = self.front(now).await.map_err(unavailable)?;
        let made = front.zip(self.keys.sign(claim));
        let Some((front, token)) = made else {
            error!(
                fault = "configuration",
                "no claim link can be made, since setup has not yet written the name of the front bot: run it again"
            );
            return Err(Rejection::Unavailable);
        };
        Ok(token.link(&self.link_base, &front.username))
    }
}

/// Accepts a request that has no record yet. On [`Claimable::New`] it is durable, and its event pending.
pub(crate) async fn accept(app: &App, invite: Invite) -> Result<Claimable, Rejection> {
    let now = app.clock.now();
    let claim = Claim {
        request_id: invite.request_id,
        version: 0,
    };
    let link = app.claims.link(claim, now).await?;
    let done = invite.served_by_claim(link);
    let expires_at = done.created_at.plus(app.claims.retention);
    match app
        .invites
        .create(&done, expires_at)
        .await
        .map_err(unavailable)?
    {
        Created::Existing(invite) => Ok(Claimable::Known(invite)),
        Created::New => {
            for event in done.pending_events() {
                if let Err(fault) = app.events.send_now(event).await {
                    warn!(invite.id = %done.request_id, fault = "unavailable", "an event could not be queued, the sweeper will: {}", chain(&fault));
                }
            }
            info!(invite.id = %done.request_id, chat.id = %done.chat, outcome = "claimable", "a claim link was handed out");
            Ok(Claimable::New(Box::new(done)))
        }
    }
}

/// Ends what a voided request gave to whoever has claimed it. Durable on return; done twice it is as done once.
pub(crate) async fn close(app: &App, invite: &Invite) -> Result<(), Rejection> {
    let Some(person) = invite.bound_to else {
        return Ok(());
    };
    let now = app.clock.now();
    let close = SeatCommand::Close {
        id: EntitlementId::of_request(invite.request_id),
        at: now,
    };
    let written = app.seats.change(
        (person, invite.canonical_chat),
        &app.tasks,
        now,
        |seat| decide(seat, &close, now),
        |_| Vec::new(),
    );
    written.await.map(|_| ()).map_err(unavailable)
}
