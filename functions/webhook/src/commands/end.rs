//! `/end <person> <chat>`: a seat is ended, after a question. All that gives access is cut; nobody is removed by it.

use domain::button::ButtonData;
use domain::command::Role;
use domain::id::{ChatId, TelegramUserId};
use domain::member::command::SeatCommand;
use domain::message::Class;
use domain::texts::{Code, Label, Name, Text};
use tracing::info;

use crate::conversation::Conversation;
use crate::{Failure, announce};

const EXAMPLE: &str = "/end 123456789 -1001234567890";

pub(super) async fn run(conversation: &Conversation<'_>, arguments: &str) -> Result<(), Failure> {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let told = conversation.person_and_chat(&words, 0, EXAMPLE).await?;
    let Some((person, named)) = told else {
        return Ok(());
    };
    if !named.rest.is_empty() {
        return conversation.how_to(EXAMPLE).await;
    }
    let app = conversation.app;
    let seat = app.seats.get(person, named.canonical).await?;
    if !seat.is_admitted(app.clock.now()) {
        return conversation.answer(Text::PersonNoSeat).await;
    }
    let (id, title) = (
        person.to_string(),
        conversation.title(named.canonical).await?,
    );
    let text = Text::EndAsk {
        person: Code(&id),
        chat: Name(&title),
    };
    let data = ButtonData::EndSeat {
        person,
        chat: named.canonical,
        version: seat.version,
    };
    let button = conversation.button(&Label::EndSeat, data);
    let html = text.html(conversation.language);
    conversation.say(Class::Reply, html, vec![button]).await
}

/// The question was answered, by whoever may: the button can be made up.
pub(crate) async fn confirmed(
    conversation: &Conversation<'_>,
    (person, chat): (TelegramUserId, ChatId),
    version: u64,
) -> Result<(), Failure> {
    let app = conversation.app;
    if conversation.role < Role::Admin || app.chats.named(chat).is_none() {
        info!(
            outcome = "unknown_button",
            "a button is pressed by somebody who has no right to it"
        );
        return Ok(());
    }
    let seat = app.seats.get(person, chat).await?;
    let now = app.clock.now();
    if seat.version != version {
        // Pressed twice, or handled again: what it asked for is so.
        announce::ended(app, (person, chat)).await?;
        let text = match seat.is_admitted(now) {
            true => Text::ChangedMeanwhile.html(conversation.language),
            false => conversation.line_of(&seat, &conversation.title(chat).await?),
        };
        return conversation.say(Class::Reply, text, Vec::new()).await;
    }
    info!(by = %conversation.person(), person = %person, chat.id = %chat, outcome = "ended", "a seat is ended");
    conversation
        .change_seat((person, chat), |seat| {
            // What was bought since the question was asked is not ended by its answer.
            let asked = seat.entitlements.keys().filter(|_| seat.version == version);
            let close = |id| SeatCommand::Close { id, at: now };
            asked.cloned().map(close).collect()
        })
        .await?;
    announce::ended(app, (person, chat)).await
}
