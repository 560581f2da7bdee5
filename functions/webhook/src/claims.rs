//! A claim of a seat: the token of a claim link, tapped or pasted.
//!
//! ```text
//! read the request, read the seat
//! bind         one transaction: the request is theirs, the seat has its entitlement, and whoever waits at the door has
//!              a task that lets them in      die before it: Telegram sends the update again
//! announce it                               die here: as above
//! put the message with the way in           die here: as above; the request is bound, to the same person
//!     of an invite link as in the module `links`
//! ring both bells                           die here: as above; the ticks look within a minute
//! ```
//!
//! The ids of message and task are made of the update, so that however often it is sent there is one of each.

use domain::button::ButtonData;
use domain::claim::{Claim, ClaimRefusal};
use domain::id::{RequestId, TelegramUserId};
use domain::invite::Invite;
use domain::join::Presence;
use domain::member::Seat;
use domain::member::command::{SeatChange, SeatCommand, SeatRejection};
use domain::member::decide::decide;
use domain::member::entitlement::EntitlementId;
use domain::member::presence::PresenceState;
use domain::message::Class;
use domain::order::record::Order;
use domain::texts::{Code, Label, Name, Text};
use store::{Binding, SeatWritten};
use tracing::{error, info, warn};

use crate::conversation::Conversation;
use crate::{Failure, announce, door, gifts};

/// How often a claim is read anew because another one was faster.
const CLAIM_TRIES: u32 = 3;

/// What came of a claim of one request.
pub(crate) enum Claimed {
    /// It is theirs.
    Bound(Box<Invite>, Box<SeatChange>),
    /// It gives nothing any more.
    Ended(Box<Invite>),
    /// It is not theirs to claim.
    Refused(ClaimRefusal),
    /// They bought it for somebody else: they are asked first.
    Asks(Box<Order>),
}

impl Conversation<'_> {
    /// Claims what a token that the person has is for.
    pub(crate) async fn claim(&self, payload: &str) -> Result<(), Failure> {
        if let Some(order) = self.app.claim_keys.open_order(payload) {
            return self.claim_order(order, false).await;
        }
        let Some(claim) = self.app.claim_keys.open(payload) else {
            return self.refuse(None, ClaimRefusal::Unknown).await;
        };
        let claimed = self.claim_request(claim, false).await?;
        self.answer_claim(claim.request_id, claimed).await
    }

    /// Claims the seat of a request. Who bought it for somebody else is asked, unless it is known that they are `sure`.
    pub(crate) async fn claim_request(
        &self,
        claim: Claim,
        is_sure: bool,
    ) -> Result<Claimed, Failure> {
        // Who comes second reads why from the record as the first one left it.
        for _ in 0..CLAIM_TRIES {
            let Some(invite) = self.app.invites.get(claim.request_id).await? else {
                return Ok(Claimed::Refused(ClaimRefusal::Unknown));
            };
            if let Err(refusal) = invite.check_claim(claim, self.person()) {
                if refusal == ClaimRefusal::Taken {
                    announce::conflict(self.app, &invite, self.person(), self.cause.at).await?;
                }
                return Ok(Claimed::Refused(refusal));
            }
            let gift = gifts::of(self.app, &invite).await?;
            if let Some(order) = gift.filter(|order| !is_sure && self.gives(order, &invite)) {
                return Ok(Claimed::Asks(order));
            }
            self.send_join_of_holder(&invite).await?;
            match self.bind(self.person(), &invite, claim).await? {
                SeatWritten::Done(change) => return self.settle_claim(invite, change).await,
                SeatWritten::NotClaimable => {}
                SeatWritten::Rejected(SeatRejection::EntitlementEnded) => {
                    info!(invite.id = %claim.request_id, outcome = "seat_ended", "a claim was refused, since an operator ended the seat that was to move");
                    return Ok(Claimed::Ended(Box::new(invite)));
                }
                SeatWritten::Rejected(rejection) => {
                    error!(invite.id = %claim.request_id, fault = "seat_refused", "a claim does not fit into its seat: {}", rejection.code());
                    return Ok(Claimed::Refused(ClaimRefusal::Unknown));
                }
            }
        }
        Err(Failure::from("a claim was contended again and again"))
    }

    /// Tells what came of a claim of one request.
    pub(crate) async fn answer_claim(
        &self,
        id: RequestId,
        claimed: Claimed,
    ) -> Result<(), Failure> {
        match claimed {
            Claimed::Bound(invite, change) => self.tell_claimed(&invite, &change).await,
            Claimed::Ended(invite) => self.say_ended(&invite).await,
            Claimed::Refused(refusal) => self.refuse(Some(id), refusal).await,
            Claimed::Asks(order) => self.ask_of_gift(&order).await,
        }
    }

    /// Does what follows from a claim for others.
    async fn settle_claim(
        &self,
        invite: Invite,
        change: Box<SeatChange>,
    ) -> Result<Claimed, Failure> {
        // By its link nothing else lets them in.
        let has_another =
            !invite.has_invite_link() && change.seat.is_admitted(self.app.clock.now());
        if invite.is_ended_in(&change.seat) && !has_another {
            return Ok(Claimed::Ended(Box::new(invite)));
        }
        self.bound(self.person(), &invite, &change).await?;
        Ok(Claimed::Bound(Box::new(invite), change))
    }

    async fn tell_claimed(&self, invite: &Invite, change: &SeatChange) -> Result<(), Failure> {
        let chat = invite.canonical_chat;
        if invite.has_invite_link() {
            return self.hand_over(invite).await;
        }
        let Some(info) = self.app.chat_infos.get(chat).await? else {
            error!(invite.id = %invite.request_id, chat.id = %chat, fault = "configuration",
                "a claimed chat has no request link, so its buyers can't come in: run setup again");
            let name = chat.to_string();
            let text = Text::ClaimFollows { chat: Name(&name) };
            let html = text.html(self.language);
            return self.say(Class::Transactional, html, Vec::new()).await;
        };
        let title = Name(&info.title);
        let text = match change.seat.presence {
            PresenceState::In | PresenceState::Exempt => Text::AlreadyIn { chat: title },
            PresenceState::Out => Text::ClaimAccepted { chat: title },
            PresenceState::Banned => Text::Banned { chat: title },
        };
        let way_in = vec![self.way_in(&info)];
        self.say(Class::Transactional, text.html(self.language), way_in)
            .await
    }

    pub(crate) async fn say_ended(&self, invite: &Invite) -> Result<(), Failure> {
        let title = self.title(invite.canonical_chat).await?;
        let chat = Name(&title);
        self.answer(Text::SeatEnded { chat }).await
    }

    /// Has a request that nobody has claimed be somebody's, by the hand of an administrator; answers the seat, or why there is
    /// none. Done again, it changes nothing.
    pub(crate) async fn give_request(
        &self,
        person: TelegramUserId,
        invite: &Invite,
    ) -> Result<Result<Seat, Text<'static>>, Failure> {
        let claim = Claim {
            request_id: invite.request_id,
            version: invite.claim_version.unwrap_or_default(),
        };
        Ok(match self.bind(person, invite, claim).await? {
            SeatWritten::Done(change) => {
                self.bound(person, invite, &change).await?;
                Ok(change.seat)
            }
            SeatWritten::NotClaimable => Err(Text::ChangedMeanwhile),
            SeatWritten::Rejected(rejection) => Err(Text::SeatRefused {
                reason: Code(rejection.code()),
            }),
        })
    }

    /// What follows for others from a request that is somebody's now. Before the person is told: whoever has a seat is not
    /// forgotten.
    async fn bound(
        &self,
        person: TelegramUserId,
        invite: &Invite,
        change: &SeatChange,
    ) -> Result<(), Failure> {
        let (app, chat) = (self.app, invite.canonical_chat);
        info!(invite.id = %invite.request_id, chat.id = %chat, outcome = "claimed", "a seat was claimed");
        announce::bound(app, invite.request_id, person).await?;
        app.people.keep(person, app.clock.now()).await?;
        if !change.tasks().is_empty() || invite.is_moving {
            app.bells.ring(chat).await;
        }
        if matches!(
            change.seat.presence,
            PresenceState::In | PresenceState::Exempt
        ) {
            let presence = Presence {
                chat: invite.chat,
                person,
                at: self.cause.at,
            };
            door::admitted(app, &presence, chat).await?;
        }
        Ok(())
    }

    /// Binds the request to the person; while it moves, its former holder loses it by the same transaction.
    async fn bind(
        &self,
        person: TelegramUserId,
        invite: &Invite,
        claim: Claim,
    ) -> Result<SeatWritten, Failure> {
        let (chat, now) = (invite.canonical_chat, self.app.clock.now());
        let gift = gifts::of(self.app, invite).await?;
        let entitlement = match gift {
            Some(_) => gifts::begun(invite.entitlement(), now),
            None => invite.entitlement(),
        };
        let is_regained = invite.is_stolen || invite.taken_over_from(person).is_some();
        let command = match is_regained {
            // Whoever had it once and lost it has it again. What an operator ended stays so.
            true => SeatCommand::Write {
                id: EntitlementId::of_request(invite.request_id),
                entitlement,
            },
            false => SeatCommand::Bind {
                request: invite.request_id,
                entitlement,
            },
        };
        let app = self.app;
        let binding = match invite.taken_over_from(person) {
            Some(holder) => Binding::TakeOver {
                read: invite,
                claim,
                holder,
            },
            None if invite.is_stolen => Binding::TakeBack(claim),
            None if invite.has_invite_link() => Binding::Link(invite.request_id),
            None => Binding::Claim(claim),
        };
        let written = app.seats.bind(
            (person, chat),
            binding,
            (&app.invites, &app.tasks),
            now,
            |seat| decide(seat, &command, now),
            SeatChange::tasks,
        );
        let written = written.await?;
        if matches!(written, SeatWritten::Done(_)) {
            // First what may have been taken away meanwhile: then nobody keeps a right because the rest failed.
            let with = (&app.invites, &app.tasks);
            app.seats.follow_order(person, invite, with, now).await?;
            if let Some(order) = gift {
                gifts::started(app, &order, now).await?;
            }
        }
        Ok(written)
    }

    /// The record is about to forget that its former holder joined: the event of that must be queued first, and announced.
    async fn send_join_of_holder(&self, invite: &Invite) -> Result<(), Failure> {
        if invite.taken_over_from(self.person()).is_none() {
            return Ok(());
        }
        let link = invite.link_of_join();
        if let Some(event) = link.and_then(|link| invite.unsent_join_event(link)) {
            self.app.events.send_now(event).await?;
        }
        announce::joined(self.app, invite).await
    }

    pub(crate) async fn refuse(
        &self,
        id: Option<RequestId>,
        refusal: ClaimRefusal,
    ) -> Result<(), Failure> {
        let text = match refusal {
            ClaimRefusal::Unknown => Text::ClaimUnknown,
            ClaimRefusal::Voided => Text::ClaimVoided,
            ClaimRefusal::Replaced => Text::ClaimReplaced,
            ClaimRefusal::Taken => Text::ClaimTaken,
        };
        match refusal {
            ClaimRefusal::Taken => {
                warn!(
                    invite.id = id.map(display),
                    outcome = "conflict",
                    "somebody wants a seat that somebody else has claimed"
                );
            }
            _ => info!(
                invite.id = id.map(display),
                outcome = refusal.as_str(),
                "a claim was refused"
            ),
        }
        let buttons = match (refusal, id) {
            (ClaimRefusal::Taken, Some(id)) => vec![
                self.button(&Label::OtherAccount, ButtonData::OtherAccount(id)),
                self.button(&Label::NotMe, ButtonData::NotMe(id)),
            ],
            _ => Vec::new(),
        };
        self.say(Class::Reply, text.html(self.language), buttons)
            .await
    }
}
