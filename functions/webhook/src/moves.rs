//! Moving a seat by the hand of who has it, since they have another account.
//!
//! ```text
//! "I have another account"                      reads the request, and asks; nothing is changed
//! "Make the new link"                           names the claim version that was shown
//!   write the record with the next claim link   one write, if the seat is theirs at that version still: pressed twice, raced or
//!                                               sent again, it is the same link      die here: Telegram sends the press again
//!   put the message with it                     die here: as above; it is known by the update
//! ```
//!
//! The buttons can be made up: who has the seat is read from the record, by the very write that moves it.

use domain::action;
use domain::button::ButtonData;
use domain::history::HOLDER;
use domain::id::RequestId;
use domain::message::{Button, ButtonAction, Class};
use domain::rebind::Rebind;
use domain::texts::{Address, Label, Name, Text};
use runtime::response::Rejection;
use tracing::info;

use crate::Failure;
use crate::conversation::Conversation;

/// Says what a move does, and asks whether it is wanted.
pub(crate) async fn ask(conversation: &Conversation<'_>, id: RequestId) -> Result<(), Failure> {
    let app = conversation.app;
    let invite = app.invites.get(id).await?;
    let invite = invite.filter(|invite| invite.may_move_by(conversation.person()));
    let Some((invite, version)) = invite.and_then(|invite| {
        let version = invite.claim_version?;
        Some((invite, version))
    }) else {
        return conversation.answer(Text::ChangedMeanwhile).await;
    };
    let title = conversation.title(invite.canonical_chat).await?;
    let chat = Name(&title);
    let seat = app.seats.get(conversation.person(), invite.canonical_chat);
    if invite.is_ended_in(&seat.await?) {
        return conversation.answer(Text::SeatEnded { chat }).await;
    }
    let moves = ButtonData::Move {
        request: id,
        version,
    };
    let buttons = vec![
        conversation.button(&Label::Move, moves),
        conversation.button(&Label::MoveNot, ButtonData::MoveNot),
    ];
    let html = Text::MoveAsk { chat }.html(conversation.language);
    conversation.say(Class::Reply, html, buttons).await
}

/// The question was answered: the request has another claim link, which its holder is told.
pub(crate) async fn confirmed(
    conversation: &Conversation<'_>,
    id: RequestId,
    version: u8,
) -> Result<(), Failure> {
    let (app, person) = (conversation.app, conversation.person());
    let asked = Rebind {
        claim_version: Some(version),
        is_stolen: false,
        limit: Some(app.rebinds_max),
        holder: Some(person),
    };
    let with = (&app.claim_links, &app.seats);
    let (invite, is_news) = match app.acting().rebind(HOLDER, id, asked, with).await {
        Ok(moved) => moved,
        Err(Rejection::Unavailable) => return Err(Failure::from("a seat could not be moved")),
        Err(rejection) => return refused(conversation, id, rejection).await,
    };
    // Claimed back, or by somebody else, since: the link says nothing any more.
    let link = invite.invite_link.as_ref().filter(|_| invite.is_moving);
    let Some(link) = link else {
        return conversation.answer(Text::ChangedMeanwhile).await;
    };
    info!(invite.id = %id, outcome = "moving", is_repeated = !is_news, "a person has their seat moved to another account");
    let title = conversation.title(invite.canonical_chat).await?;
    let text = Text::MoveReady {
        chat: Name(&title),
        link: Address(link.expose()),
    };
    // The message is protected, so that the link is not passed on by mistake: it is copied on purpose.
    let copy = Button {
        text: Label::CopyLink.plain(conversation.language),
        action: ButtonAction::Copy(link.expose().to_owned()),
    };
    let html = text.html(conversation.language);
    let buttons = vec![vec![copy]];
    conversation.say(Class::Transactional, html, buttons).await
}

async fn refused(
    conversation: &Conversation<'_>,
    id: RequestId,
    rejection: Rejection,
) -> Result<(), Failure> {
    info!(invite.id = %id, outcome = rejection.code(), "a seat is not moved by its holder");
    let text = match rejection {
        Rejection::Action(action::Rejection::MovedTooOften) => Text::MoveTooOften,
        Rejection::Action(action::Rejection::Voided) => Text::ClaimVoided,
        _ => Text::ChangedMeanwhile,
    };
    conversation.answer(text).await
}
