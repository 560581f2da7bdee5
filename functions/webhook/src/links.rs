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

use std::cmp::Reverse;

use domain::action::{Change, Rejection as ActionRejection};
use domain::claiming::LinkWay;
use domain::history::{Action, HOLDER};
use domain::id::{RequestId, TelegramUserId};
use domain::invite::Invite;
use domain::member::Seat;
use domain::message::{Button, Class};
use domain::texts::{Language, Text};
use domain::time::Timestamp;
use runtime::response::Rejection;
use store::ToldLink;
use tracing::{info, warn};

use crate::Failure;
use crate::conversation::{Conversation, OfChat};

/// The most chats whose links are shown at once, the ones of the newest requests.
const CHATS_SHOWN: usize = 8;
/// How many requests of a chat are looked at, the newest.
const REQUESTS_READ: usize = 3;

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

    /// Of the seats in chats with invite links, in the order of the newest request: the request that lets their person in.
    pub(crate) async fn by_link(&self, seats: &[Seat]) -> Result<Vec<OfChat>, Failure> {
        let app = self.app;
        let mut newest: Vec<(Timestamp, &Seat, Vec<RequestId>)> = Vec::new();
        for seat in seats {
            if app.deliveries.is_claimed(seat.chat) {
                continue;
            }
            let requests = seat.requests();
            if let Some((start, _)) = requests.last() {
                let ids = requests.iter().rev().map(|(_, id)| *id);
                newest.push((*start, seat, ids.take(REQUESTS_READ).collect()));
            }
        }
        newest.sort_by_key(|(start, ..)| Reverse(*start));
        let mut links = Vec::new();
        for (_, seat, ids) in newest.into_iter().take(CHATS_SHOWN) {
            if let Some(invite) = self.newest_way(seat, &ids).await? {
                let title = app.chat_infos.title(seat.chat).await?;
                links.push(OfChat { title, invite });
            }
        }
        Ok(links)
    }

    /// The first of these requests of a seat that lets its person in or will; without one, the first that is there.
    async fn newest_way(&self, seat: &Seat, ids: &[RequestId]) -> Result<Option<Invite>, Failure> {
        let now = self.app.clock.now();
        let mut first = None;
        for id in ids {
            let invite = self.app.invites.get(*id).await?.filter(|invite| {
                invite.has_invite_link()
                    && invite.bound_to == Some(seat.person)
                    && invite.voided_at.is_none()
            });
            let Some(invite) = invite else {
                continue;
            };
            match invite.link_way(seat.person, now) {
                LinkWay::Failed | LinkWay::Used => first = first.or(Some(invite)),
                LinkWay::Ready | LinkWay::Follows | LinkWay::Spent | LinkWay::Inside => {
                    return Ok(Some(invite));
                }
            }
        }
        Ok(first)
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
            LinkWay::Failed => Text::LinkFailed,
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
