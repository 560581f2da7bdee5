//! `/privacy`: what is kept, and what a person may do with it: have a copy, or have all of it erased, which is asked twice.
//!
//! ```text
//! put the job              its id is made of the update     die here: Telegram sends the update again, it is the same job
//! say that it has begun    die here: as above
//! ```
//!
//! The jobs themselves are done by another function, each minute.

use domain::button::ButtonData;
use domain::job::{JobId, JobKind};
use domain::message::{Button, Class};
use domain::texts::{Address, Label, Text};
use store::NewJob;
use tracing::info;

use crate::Failure;
use crate::conversation::Conversation;

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
    let seats = conversation.seats_of(conversation.person()).await?.len();
    let text = match u32::try_from(seats).unwrap_or(u32::MAX) {
        0 => Text::EraseAsk,
        chats => Text::EraseAskSeats { chats },
    };
    question(conversation, text, &Label::EraseYes, ButtonData::EraseYes).await
}

/// Asks once more.
pub(crate) async fn ask_again(conversation: &Conversation<'_>) -> Result<(), Failure> {
    let text = Text::EraseAskAgain;
    question(conversation, text, &Label::EraseNow, ButtonData::EraseNow).await
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

/// Asks for the erasure of the person's data.
pub(crate) async fn erase(conversation: &Conversation<'_>) -> Result<(), Failure> {
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
