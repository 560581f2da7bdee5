//! Carrying out what an operator or a shop does to a request.
//!
//! ```text
//! read the record, decide
//! write it, with the entry in its history and the task that follows    one transaction
//! ring the bell, or send the event     die here: the tick looks within a minute; the sweeper sends within the hour
//! ```

use tracing::{error, warn};

use crate::queue::Queue;
use crate::{Acted, ClaimLinks, Invites, Links, SeatWritten, Seats, StoreError, Tasks};
use domain::action::{self, Change};
use domain::claim::Claim;
use domain::event::EventMessage;
use domain::history::{Action, Entry};
use domain::id::{BotId, RequestId, TelegramUserId};
use domain::invite::Invite;
use domain::member::entitlement::EntitlementId;
use domain::rebind::Rebind;
use domain::time::Timestamp;
use runtime::clock::Clock;
use runtime::response::Rejection;
use runtime::telemetry::chain;

/// How often an action is decided anew because the record had changed.
const TRIES: u32 = 5;

/// What an action needs.
#[derive(Clone, Copy)]
pub struct Acting<'a> {
    /// The table of requests.
    pub invites: &'a Invites,
    /// The table of links, which tells who made one.
    pub links: &'a Links,
    /// The table of tasks.
    pub tasks: &'a Tasks,
    /// The queue of events.
    pub events: &'a Queue<EventMessage>,
    /// What tells the time.
    pub clock: &'a Clock,
    /// A bot that finds a link expired whose record is forgotten.
    pub any_bot: Option<BotId>,
}

impl Acting<'_> {
    /// Decides by the record of the request as it is, and writes that with `who` and `detail` in its history. Answers the
    /// record then, and what was done. Durable then; a decision for [`Change::Nothing`] writes nothing.
    ///
    /// # Errors
    /// Why it is not done; what keeps it from being done is logged. Doing it again is harmless.
    pub async fn act(
        &self,
        who: &str,
        id: RequestId,
        action: Action,
        decide: impl Fn(&Invite) -> Result<Change, action::Rejection>,
        detail: impl Fn(&Invite) -> String,
    ) -> Result<(Invite, Change), Rejection> {
        let found = self.invites.get(id).await.map_err(unavailable(id))?;
        let read = found.ok_or(Rejection::NotFound)?;
        self.act_on(who, read, action, decide, detail).await
    }

    /// The same of a request whose record was read a moment ago.
    ///
    /// # Errors
    /// As of [`Acting::act`].
    pub async fn act_on(
        &self,
        who: &str,
        read: Invite,
        action: Action,
        decide: impl Fn(&Invite) -> Result<Change, action::Rejection>,
        detail: impl Fn(&Invite) -> String,
    ) -> Result<(Invite, Change), Rejection> {
        let (id, mut invite) = (read.request_id, read);
        for _ in 0..TRIES {
            let change = decide(&invite)?;
            if change == Change::Nothing {
                return Ok((invite, change));
            }
            let bot = self.bot_of(&invite, change).await?;
            self.send_join(&invite, change).await?;
            let entry = Entry::new(self.clock.now(), who, action, &detail(&invite));
            let acted = self
                .invites
                .act(self.tasks, &invite, change, bot, &entry)
                .await;
            match acted {
                Ok(Acted::Done(acted)) => return Ok((*acted, change)),
                Ok(Acted::Newer(newer)) => invite = *newer,
                Ok(Acted::Missing) => return Err(Rejection::NotFound),
                // Somebody else writes it at this very moment.
                Err(StoreError::Contended { .. }) => {
                    let found = self.invites.get(id).await.map_err(unavailable(id))?;
                    invite = found.ok_or(Rejection::NotFound)?;
                }
                Err(fault) => return Err(unavailable(id)(fault)),
            }
        }
        error!(invite.id = %id, fault = "unavailable", "an action was not done, since the record of its request changes all the time");
        Err(Rejection::Unavailable)
    }

    /// Has the seat of a request moved to whoever comes with another claim link, which the record that is answered has;
    /// answers whether that was not done before. Durable then.
    ///
    /// ```text
    /// write the record with the next claim link     one write: the link before it is dead
    /// take the seat from who has it, if stolen      die here: the call was not answered, and is made again
    ///     and if it still moves away from them      by one transaction: who claims it in between keeps it
    /// ```
    ///
    /// # Errors
    /// As of [`Acting::act`].
    pub async fn rebind(
        &self,
        who: &str,
        id: RequestId,
        asked: Rebind,
        (links, seats): (&ClaimLinks, &Seats),
    ) -> Result<(Invite, bool), Rejection> {
        let found = self.invites.get(id).await.map_err(unavailable(id))?;
        let mut invite = found.ok_or(Rejection::NotFound)?;
        for _ in 0..TRIES {
            let now = self.clock.now();
            if invite.rebind(asked, now)? == Change::Nothing {
                self.take_away(&invite, asked, seats).await?;
                return Ok((invite, false));
            }
            if let Some(holder) = invite.bound_to {
                let seat = seats.get(holder, invite.canonical_chat).await;
                if invite.is_ended_in(&seat.map_err(unavailable(id))?) {
                    return Err(action::Rejection::SeatEnded.into());
                }
            }
            let claim = Claim {
                request_id: id,
                version: invite.claim_version.unwrap_or_default().saturating_add(1),
            };
            let link = links.link(claim, now).await?;
            let detail = match (invite.bound_to, asked.is_stolen) {
                (None, _) => "claimed by nobody".to_owned(),
                (Some(holder), false) => format!("claimed by {holder}"),
                (Some(holder), true) => format!("stolen, claimed by {holder}"),
            };
            let entry = Entry::new(now, who, Action::Rebind, &detail);
            let acted = self
                .invites
                .rebind(&invite, &link, &entry, asked.is_stolen)
                .await;
            match acted.map_err(unavailable(id))? {
                Acted::Done(moved) => {
                    self.take_away(&moved, asked, seats).await?;
                    for event in moved.pending_events() {
                        if let Err(fault) = self.events.send_now(event).await {
                            warn!(invite.id = %id, fault = "unavailable", "an event could not be queued, the sweeper will: {}", chain(&fault));
                        }
                    }
                    return Ok((*moved, true));
                }
                Acted::Newer(newer) => invite = *newer,
                Acted::Missing => return Err(Rejection::NotFound),
            }
        }
        error!(invite.id = %id, fault = "unavailable", "a seat was not moved, since the record of its request changes all the time");
        Err(Rejection::Unavailable)
    }

    /// A stolen seat does not wait for its new holder. Whoever claimed it meanwhile, its rightful holder too, keeps it.
    async fn take_away(
        &self,
        invite: &Invite,
        asked: Rebind,
        seats: &Seats,
    ) -> Result<(), Rejection> {
        let id = invite.request_id;
        let Some(holder) = invite.bound_to.filter(|_| asked.is_stolen) else {
            return Ok(());
        };
        let mut read = invite.clone();
        for _ in 0..TRIES {
            if !read.is_moving || read.bound_to != Some(holder) {
                return Ok(());
            }
            let (with, now) = ((self.invites, self.tasks), self.clock.now());
            let taken = seats.take_away(&read, holder, with, now).await;
            match taken.map_err(unavailable(id))? {
                SeatWritten::Done(_) | SeatWritten::Rejected(_) => return Ok(()),
                SeatWritten::NotClaimable => {}
            }
            let found = self.invites.get(id).await.map_err(unavailable(id))?;
            read = found.ok_or(Rejection::NotFound)?;
        }
        error!(invite.id = %id, fault = "unavailable", "a stolen seat was not taken away, since the record of its request changes all the time");
        Err(Rejection::Unavailable)
    }

    /// From whom a stolen seat is taken away that nobody has claimed since, and since when.
    ///
    /// # Errors
    /// As of [`Acting::act`].
    pub async fn taken_away(
        &self,
        invite: &Invite,
        asked: Rebind,
        seats: &Seats,
    ) -> Result<Option<(TelegramUserId, Timestamp)>, Rejection> {
        let id = invite.request_id;
        let is_taken = asked.is_stolen && invite.is_moving;
        let Some(holder) = invite.bound_to.filter(|_| is_taken) else {
            return Ok(None);
        };
        let seat = seats.get(holder, invite.canonical_chat).await;
        let seat = seat.map_err(unavailable(id))?;
        let entitlement = seat.entitlements.get(&EntitlementId::of_request(id));
        let cut_at = entitlement.and_then(|entitlement| entitlement.cut_at);
        Ok(cut_at.map(|at| (holder, at)))
    }

    /// Who made the present link of `invite`, as far as `change` must know.
    async fn bot_of(&self, invite: &Invite, change: Change) -> Result<Option<BotId>, Rejection> {
        let id = invite.request_id;
        let Some(link) = &invite.invite_link else {
            return Ok(None);
        };
        // Nobody made a claim link, and nobody has to revoke it.
        if !matches!(change, Change::Reissue | Change::Void) || invite.claim_version.is_some() {
            return Ok(None);
        }
        let record = self.links.get(&link.hash()).await;
        let record = record.map_err(unavailable(id))?;
        // The record of a link is kept as long as the link works at least.
        let bot = record.and_then(|record| record.bot).or(self.any_bot);
        let now = self.clock.now();
        let is_expired = invite.link_expires_at.is_some_and(|at| at <= now);
        if bot.is_none() && !is_expired {
            error!(invite.id = %id, fault = "unknown_bot",
                "a link can't be revoked, since its record does not name the bot that made it; it works until it expires");
            if change == Change::Reissue {
                return Err(Rejection::Unavailable);
            }
        }
        Ok(bot)
    }

    /// The record will forget who joined before: an event of that which was not delivered must be queued first.
    async fn send_join(&self, invite: &Invite, change: Change) -> Result<(), Rejection> {
        if change != Change::Reissue || invite.left_at.is_none() {
            return Ok(());
        }
        let event = invite
            .link_of_join()
            .and_then(|link| invite.unsent_join_event(link));
        match event {
            Some(event) => {
                let sent = self.events.send_now(event).await;
                sent.map_err(unavailable(invite.request_id))
            }
            None => Ok(()),
        }
    }
}

fn unavailable<E: std::error::Error>(id: RequestId) -> impl Fn(E) -> Rejection {
    move |fault| {
        error!(invite.id = %id, fault = "unavailable", "an action could not be done: {}", chain(&fault));
        Rejection::Unavailable
    }
}
