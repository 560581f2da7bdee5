//! What a person writes to the bot in private: a claim of a seat, above all.
//!
//! ```text
//! read the request, read the seat
//! bind         one transaction: the request is theirs, the seat has its entitlement, and whoever waits at the door has
//!              a task that lets them in      die before it: Telegram sends the update again
//! put the message with the way in           die here: as above; the request is bound, to the same person
//! ring both bells                           die here: as above; the ticks look within a minute
//! ```
//!
//! The ids of message and task are made of the update, so that however often it is sent there is one of each.

use domain::claim::{Claim, ClaimRefusal, payload_in};
use domain::id::{RequestId, TelegramUserId};
use domain::invite::Invite;
use domain::join::Presence;
use domain::member::command::{SeatChange, SeatCommand};
use domain::member::decide::decide;
use domain::member::entitlement::{Cover, Entitlement};
use domain::member::presence::PresenceState;
use domain::message::{Button, ButtonAction, Class};
use domain::texts::{AccessLine, Date, Label, LabelName, Language, Name, Text, access};
use domain::update::PrivateMessage;
use store::{ChatInfo, SeatWritten};
use tracing::field::display;
use tracing::{error, info, warn};

use crate::say::{Cause, say, say_missed};
use crate::{App, Failure, UpdateOutcome};
use crate::{door, relay};

/// How often a claim is read anew because another one was faster.
const CLAIM_TRIES: u32 = 3;

/// Handles what a person wrote.
pub(crate) async fn private(
    app: &App,
    update: i64,
    message: &PrivateMessage,
) -> Result<UpdateOutcome, Failure> {
    let text = message
        .text
        .as_deref()
        .filter(|_| app.deliveries.has_claims());
    let is_relayed = app.operator_chat.is_some() && is_for_people(message);
    if text.is_none() && !is_relayed {
        return Ok(UpdateOutcome::Ignored);
    }
    let Some(front) = app.bots.front().await? else {
        error!(
            fault = "configuration",
            "what people write is not answered, since setup has not yet written the name of the front bot: run it again"
        );
        return Ok(UpdateOutcome::Ignored);
    };
    if is_relayed && let Some(cause) = relay::cause(app, &front, update, message.at) {
        return relay::wrote(app, cause, message).await;
    }
    let Some(text) = text else {
        return Ok(UpdateOutcome::Ignored);
    };
    let conversation = Conversation {
        app,
        cause: Cause {
            bot: front.bot,
            person: message.person,
            update,
            at: message.at,
        },
        language: Language::choose(None, message.language_code.as_deref(), Language::English),
    };
    if text.starts_with("/start") {
        say_missed(app, conversation.cause).await?;
    }
    match payload_in(text) {
        Some(payload) => conversation.claim(payload).await?,
        None => conversation.show_seats().await?,
    }
    Ok(UpdateOutcome::Handled)
}

/// Whether it is for the operators: neither a command nor a claim.
fn is_for_people(message: &PrivateMessage) -> bool {
    let text = message.text.as_deref().unwrap_or_default();
    !text.starts_with('/') && payload_in(text).is_none()
}

struct Conversation<'a> {
    app: &'a App,
    cause: Cause,
    language: Language,
}

impl Conversation<'_> {
    const fn person(&self) -> TelegramUserId {
        self.cause.person
    }

    async fn claim(&self, payload: &str) -> Result<(), Failure> {
        let Some(claim) = self.app.claim_keys.open(payload) else {
            return self.refuse(None, ClaimRefusal::Unknown).await;
        };
        let id = Some(claim.request_id);
        // Who comes second reads why from the record as the first one left it.
        for _ in 0..CLAIM_TRIES {
            let Some(invite) = self.app.invites.get(claim.request_id).await? else {
                return self.refuse(id, ClaimRefusal::Unknown).await;
            };
            if let Err(refusal) = invite.check_claim(claim, self.person()) {
                return self.refuse(id, refusal).await;
            }
            match self.bind(&invite, claim).await? {
                SeatWritten::Done(change) => return self.claimed(&invite, &change).await,
                SeatWritten::NotClaimable => {}
                SeatWritten::Rejected(rejection) => {
                    error!(invite.id = %claim.request_id, fault = "seat_refused", "a claim does not fit into its seat: {}", rejection.code());
                    return self.refuse(id, ClaimRefusal::Unknown).await;
                }
            }
        }
        Err(Failure::from("a claim was contended again and again"))
    }

    async fn claimed(&self, invite: &Invite, change: &SeatChange) -> Result<(), Failure> {
        let chat = invite.canonical_chat;
        info!(invite.id = %invite.request_id, chat.id = %chat, outcome = "claimed", "a seat was claimed");
        if !door::approvals(change, chat).is_empty() {
            self.app.bells.ring(chat).await;
        }
        if matches!(
            change.seat.presence,
            PresenceState::In | PresenceState::Exempt
        ) {
            let presence = Presence {
                chat: invite.chat,
                person: self.person(),
                at: self.cause.at,
            };
            door::admitted(self.app, &presence, chat).await?;
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
        let way_in = self.way_in(&info);
        self.say(Class::Transactional, text.html(self.language), way_in)
            .await
    }

    async fn bind(&self, invite: &Invite, claim: Claim) -> Result<SeatWritten, Failure> {
        let (chat, now) = (invite.canonical_chat, self.app.clock.now());
        let bind = SeatCommand::Bind {
            request: invite.request_id,
            entitlement: Entitlement::new(Cover::Forever, invite.created_at),
        };
        let (app, person) = (self.app, self.person());
        let written = app.seats.bind(
            (person, chat),
            claim,
            (&app.invites, &app.tasks),
            now,
            |seat| decide(seat, &bind, now),
            |change| door::approvals(change, chat),
        );
        Ok(written.await?)
    }

    async fn refuse(&self, id: Option<RequestId>, refusal: ClaimRefusal) -> Result<(), Failure> {
        let id = id.map(display);
        let text = match refusal {
            ClaimRefusal::Unknown => Text::ClaimUnknown,
            ClaimRefusal::Voided => Text::ClaimVoided,
            ClaimRefusal::Replaced => Text::ClaimReplaced,
            ClaimRefusal::Taken => Text::ClaimTaken,
        };
        match refusal {
            ClaimRefusal::Taken => {
                warn!(
                    invite.id = id,
                    outcome = "conflict",
                    "somebody wants a seat that somebody else has claimed"
                );
            }
            _ => info!(
                invite.id = id,
                outcome = refusal.as_str(),
                "a claim was refused"
            ),
        }
        self.say(Class::Reply, text.html(self.language), Vec::new())
            .await
    }

    /// The way into each chat that the person may be in, which is how a lost one is found again.
    async fn show_seats(&self) -> Result<(), Failure> {
        let now = self.app.clock.now();
        let mut seats = self.app.seats.of(self.person()).await?;
        seats.retain(|seat| seat.is_admitted(now));
        let mut infos = Vec::new();
        for seat in &seats {
            if let Some(info) = self.app.chat_infos.get(seat.chat).await? {
                infos.push((info, seat.standing(now).until));
            }
        }
        if infos.is_empty() {
            return self
                .say(Class::Reply, Text::Welcome.html(self.language), Vec::new())
                .await;
        }
        let lines: Vec<AccessLine<'_>> = infos
            .iter()
            .map(|(info, until)| AccessLine {
                chat: Name(&info.title),
                until: until.map(Date),
            })
            .collect();
        let ways_in = infos.iter().flat_map(|(info, _)| self.way_in(info));
        self.say(
            Class::Reply,
            access(self.language, &lines),
            ways_in.collect(),
        )
        .await
    }

    /// The button by which an entitled person asks to be let in, or opens the chat that they are in.
    fn way_in(&self, info: &ChatInfo) -> Vec<Vec<Button>> {
        let label = Label::OpenChat {
            chat: LabelName(&info.title),
        };
        vec![vec![Button {
            text: label.plain(self.language),
            action: ButtonAction::Url(info.request_link.expose().to_owned()),
        }]]
    }

    async fn say(
        &self,
        class: Class,
        html: String,
        buttons: Vec<Vec<Button>>,
    ) -> Result<(), Failure> {
        say(self.app, self.cause, class, html, buttons).await
    }
}
