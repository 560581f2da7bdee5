//! `/privacy`: what is kept, and what a person may do with it: have a copy, or have all of it erased, which is asked twice.
//!
//! ```text
//! put the job              its id is made of the update     die here: Telegram sends the update again, it is the same job
//! say that it has begun    die here: as above
//! ```
//!
//! The jobs themselves are done by another function, each minute.

use std::collections::BTreeSet;

use domain::button::ButtonData;
use domain::id::ChatId;
use domain::job::{EraseQuestion, JobId, JobKind};
use domain::message::{Button, Class};
use domain::texts::{Address, Label, Text};
use store::NewJob;
use tracing::info;

use crate::Failure;
use crate::conversation::Conversation;
use crate::joins::request_of;

/// Answers `/privacy`: what is kept, and what the person may do.
pub(super) async fn run(conversation: &Conversation<'_>) -> Result<(), Failure> {
    let days = u32::try_from(conversation.app.people.ttl_days()).unwrap_or(u32::MAX);
    let mut html = Text::Privacy { days }.html(conversation.language);
    if let Some(url) = &conversation.app.privacy_url {
        html.push_str("\n\n");
        html.push_str(&Text::PrivacyPolicy { page: Address(url) }.html(conversation.language));
    }
    let buttons = vec![
        conversation.button(&Label::Export, ButtonData::Export),
        conversation.button(&Label::Erase, ButtonData::Erase),
    ];
    conversation.say(Class::Reply, html, buttons).await
}

/// Asks for the export of the person's data.
pub(crate) async fn export(conversation: &Conversation<'_>) -> Result<(), Failure> {
    ask_for(conversation, JobKind::Export).await?;
    conversation.answer(Text::ExportStarted).await
}

/// Asks whether the person's data are to be erased, and says what ends with them.
pub(crate) async fn ask(conversation: &Conversation<'_>) -> Result<(), Failure> {
    let chats = chats_that_end(conversation).await?;
    let text = match chats {
        0 => Text::EraseAsk,
        chats => Text::EraseAskSeats { chats },
    };
    let yes = ButtonData::EraseYes(EraseQuestion::new(chats, conversation.app.clock.now()));
    question(conversation, text, &Label::EraseYes, yes).await
}

/// Asks once more, if this is what they were asked a moment ago; else from the start.
pub(crate) async fn ask_again(
    conversation: &Conversation<'_>,
    asked: EraseQuestion,
) -> Result<(), Failure> {
    let (chats, now) = (
        chats_that_end(conversation).await?,
        conversation.app.clock.now(),
    );
    if !asked.stands(chats, now) {
        return ask(conversation).await;
    }
    let yes = ButtonData::EraseNow(EraseQuestion::new(chats, now));
    question(conversation, Text::EraseAskAgain, &Label::EraseNow, yes).await
}

/// In how many chats the person's access ends with their data, claimed or joined by an invite link.
async fn chats_that_end(conversation: &Conversation<'_>) -> Result<u32, Failure> {
    let (app, person) = (conversation.app, conversation.person());
    let now = app.clock.now();
    let mut seats = app.seats.of(person).await?;
    seats.retain(|seat| seat.is_admitted(now));
    let mut chats: BTreeSet<ChatId> = seats.iter().map(|seat| seat.chat).collect();
    for (id, canonical_id) in app.chats.all() {
        if chats.contains(&canonical_id) {
            continue;
        }
        let Some(request) = request_of(app, id, person).await? else {
            continue;
        };
        let is_in = app.invites.get(request).await?.is_some_and(|invite| {
            invite.telegram_user_id == Some(person)
                && invite.joined_at.is_some()
                && invite.left_at.is_none()
        });
        if is_in {
            chats.insert(canonical_id);
        }
    }
    Ok(u32::try_from(chats.len()).unwrap_or(u32::MAX))
}

async fn question(
    conversation: &Conversation<'_>,
    text: Text<'_>,
    yes: &Label<'_>,
    data: ButtonData,
) -> Result<(), Failure> {
    let buttons: Vec<Vec<Button>> = vec![
        conversation.button(yes, data),
        conversation.button(&Label::EraseNot, ButtonData::EraseNot),
    ];
    let html = text.html(conversation.language);
    conversation.say(Class::Reply, html, buttons).await
}

/// Asks for the erasure of the person's data, if this is what they were asked a moment ago: a button stays in the chat for
/// ever.
pub(crate) async fn erase(
    conversation: &Conversation<'_>,
    asked: EraseQuestion,
) -> Result<(), Failure> {
    let chats = chats_that_end(conversation).await?;
    if !asked.stands(chats, conversation.app.clock.now()) {
        return ask(conversation).await;
    }
    ask_for(conversation, JobKind::Erase).await?;
    conversation.answer(Text::EraseStarted).await
}

async fn ask_for(conversation: &Conversation<'_>, kind: JobKind) -> Result<(), Failure> {
    let (app, cause) = (conversation.app, conversation.cause);
    let job = NewJob {
        id: JobId::of_update(kind, cause.bot, cause.update),
        kind,
        person: conversation.person(),
        operator: None,
        language: Some(conversation.language),
    };
    let id = app.jobs.ask(&job, app.clock.now()).await?;
    info!(job.id = %id, kind = kind.as_str(), outcome = "asked", "a person asked for what is known of them");
    Ok(())
}
