//! The way in of a request with an invite link: the person who has claimed it is told that link, in private.
//!
//! ```text
//! read the request again, since its link may be there by now
//!   the link works, and was there before the claim     a message with it, known by the update
//!   the link came while it was claimed                 the message of the function that handed it out, known by request and version
//!   the link has expired, or its person left           a re-issue, one write and only while that is so
//!                                                      die here: Telegram sends the update again, and finds it under way
//! ```
//!
//! A link that is still to be made is told by the function that hands it out.

use domain::action::{Change, Rejection as ActionRejection};
use domain::claiming::LinkWay;
use domain::history::{Action, HOLDER};
use domain::id::TelegramUserId;
use domain::invite::Invite;
use domain::member::Seat;
use domain::message::{Button, Class};
use domain::texts::{Language, Text};
use runtime::response::Rejection;
use store::ToldLink;
use tracing::{info, warn};

use crate::Failure;
use crate::conversation::Conversation;

/// The most requests of a person whose links are shown at once.
const LINKS_SHOWN: usize = 8;

/// What a person is shown of one request.
pub(crate) struct ShownLink {
    /// As HTML.
    pub(crate) html: String,
    /// What opens it.
    pub(crate) button: Option<Button>,
}

impl Conversation<'_> {
    /// Answers a claim of a request that has an invite link, as it was `read` before it was bound.
    pub(crate) async fn hand_over(&self, read: &Invite) -> Result<(), Failure> {
        let (app, now) = (self.app, self.app.clock.now());
        let Some(invite) = app.invites.get(read.request_id).await? else {
            return self.answer(Text::ClaimUnknown).await;
        };
        if invite.voided_at.is_some() {
            return self.answer(Text::ClaimVoided).await;
        }
        let was_ready = read.link_way(self.person(), now) == LinkWay::Ready
            && read.link_version == invite.link_version;
        if let Some(told) = ToldLink::of(&invite).filter(|_| !was_ready)
            && invite.link_way(self.person(), now) == LinkWay::Ready
        {
            // The function that handed it out meanwhile may have told it.
            return Ok(app.link_teller.tell(self.person(), told, now).await?);
        }
        let shown = self.shown(self.person(), invite, self.language).await?;
        let buttons = shown
            .button
            .map(|button| vec![button])
            .into_iter()
            .collect();
        self.say(Class::Transactional, shown.html, buttons).await
    }

    /// The requests that give these seats by an invite link.
    pub(crate) async fn by_link(&self, seats: &[Seat]) -> Result<Vec<Invite>, Failure> {
        let mut invites = Vec::new();
        for seat in seats {
            if self.app.deliveries.is_claimed(seat.chat) {
                continue;
            }
            let live = seat.entitlements.iter();
            let live = live.filter(|(_, entitlement)| entitlement.cut_at.is_none());
            for id in live.filter_map(|(id, _)| id.request()) {
                if invites.len() == LINKS_SHOWN {
                    return Ok(invites);
                }
                let invite = self.app.invites.get(id).await?;
                invites.extend(invite.filter(|invite| {
                    invite.has_invite_link()
                        && invite.bound_to == Some(seat.person)
                        && invite.voided_at.is_none()
                }));
            }
        }
        Ok(invites)
    }

    /// What `person`, who has claimed a request, is shown of its link; one that lets them in no more is replaced.
    pub(crate) async fn shown(
        &self,
        person: TelegramUserId,
        invite: Invite,
        language: Language,
    ) -> Result<ShownLink, Failure> {
        let text = match invite.link_way(person, self.app.clock.now()) {
            LinkWay::Ready if let Some(told) = ToldLink::of(&invite) => {
                return Ok(ShownLink {
                    html: told.html(language),
                    button: Some(told.button(language)),
                });
            }
            LinkWay::Ready | LinkWay::Follows => Text::LinkFollows,
            LinkWay::Spent => {
                self.replace(person, invite).await?;
                Text::LinkFollows
            }
            LinkWay::Inside => Text::LinkInside,
            LinkWay::Used => {
                warn!(invite.id = %invite.request_id, outcome = "conflict",
                    "somebody asks for a seat that they claimed, and that somebody else has joined by its link");
                Text::LinkUsed
            }
        };
        Ok(ShownLink {
            html: text.html(language),
            button: None,
        })
    }

    /// Has a link replaced that has expired, or by which its person came in and left. The next one is told by the function that makes it.
    async fn replace(&self, person: TelegramUserId, invite: Invite) -> Result<(), Failure> {
        let app = self.app;
        let (id, chat) = (invite.request_id, invite.canonical_chat);
        let decide = |invite: &Invite| match invite.link_way(person, app.clock.now()) {
            LinkWay::Spent if invite.bound_to == Some(person) => invite.reissue(None),
            _ => Ok(Change::Nothing),
        };
        let acted = app
            .acting()
            .act_on(
                HOLDER,
                invite,
                Action::Reissue,
                decide,
                Invite::link_in_words,
            )
            .await;
        match acted {
            Ok((_, change)) => {
                info!(invite.id = %id, outcome = "reissued", is_repeated = change == Change::Nothing, "a person has the link of their seat replaced, which lets them in no more");
                app.bells.ring(chat).await;
                Ok(())
            }
            Err(Rejection::Action(ActionRejection::Voided) | Rejection::NotFound) => Ok(()),
            Err(_) => Err(Failure::from("a link could not be replaced")),
        }
    }
}
