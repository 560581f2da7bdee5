//! What people write: a claim, a command, or something for a person to read.

use domain::claim::payload_in;
use domain::command::{CommandName, CommandPlace, WrittenCommand};
use domain::id::ChatId;
use domain::message::{Button, ButtonAction, Class};
use domain::person::{Counted, Intake};
use domain::texts::{Label, Text};
use domain::update::{GroupMessage, PrivateMessage};
use store::FrontBot;

use crate::conversation::{Conversation, Sight};
use crate::relay::{self, RelayAuthor};
use crate::say::{Cause, say_missed};
use crate::{App, Failure, Met, UpdateOutcome, commands};

/// Handles what a person wrote in private.
pub(crate) async fn private(
    app: &App,
    front: &FrontBot,
    met: Met,
    message: &PrivateMessage,
) -> Result<UpdateOutcome, Failure> {
    let text = message.text.as_deref().unwrap_or_default();
    let written = WrittenCommand::read(text, &front.username);
    let payload = payload_in(text);
    // Never limited: who paid, and who wants to hear no more.
    let update = met.key.id;
    let counted = match (payload, written) {
        (Some(payload), _) if app.claim_keys.open(payload).is_some() => None,
        (Some(_), _) => Some(Counted::Command),
        (None, Some(command)) => commands::counted(command),
        (None, None) if is_further_part(app, message).await? => None,
        (None, None) => Some(Counted::Message),
    };
    let seen = Sight {
        sender: &message.from,
        counted,
        is_first: met.is_first,
        cause: Cause::private(front, &message.from, update, message.at),
    };
    let Some((conversation, intake)) = Conversation::begin(app, seen).await? else {
        return Ok(UpdateOutcome::Ignored);
    };
    match (payload, written) {
        (Some(payload), _) if intake == Intake::Taken => conversation.claim(payload).await?,
        (Some(_), _) => {
            let command = CommandName::Start;
            conversation
                .answer(Text::TooManyCommands { command })
                .await?;
        }
        (None, Some(command)) => {
            commands::taken(&conversation, command, intake, CommandPlace::Private).await?;
        }
        (None, None) if intake == Intake::Taken => {
            match relay::cause(app, front, update, message.at) {
                Some(cause) => {
                    let author = RelayAuthor {
                        person: conversation.person(),
                        language: conversation.language,
                    };
                    let counts = met.is_first && counted.is_some();
                    let written = (&message.written, counts);
                    return relay::wrote(app, cause, author, written).await;
                }
                // An actor reads it, and answers.
                None if app.feed.has_readers(app.clock.now()).await? => {}
                None => conversation.show_seats(Text::Welcome).await?,
            }
        }
        (None, None) => {
            let text = Text::TooManyMessages.html(conversation.language);
            conversation.say(Class::Reply, text, Vec::new()).await?;
        }
    }
    if let Some(WrittenCommand::Known {
        command: CommandName::Start,
        ..
    }) = written
    {
        say_missed(app, conversation.cause).await?;
    }
    Ok(UpdateOutcome::Handled)
}

/// Whether a message is a part of an album of which another one was taken: the album is counted once.
async fn is_further_part(app: &App, message: &PrivateMessage) -> Result<bool, Failure> {
    let Some(group) = &message.written.album else {
        return Ok(false);
    };
    let chat = ChatId(message.from.person.0);
    let album = app.relay_map.album_of(chat, group).await?;
    Ok(album.is_some_and(|album| album.first != message.message_id))
}

/// Handles a command that a person wrote in a group: the answer is a button to the private chat.
pub(crate) async fn in_group(
    app: &App,
    front: &FrontBot,
    met: Met,
    message: &GroupMessage,
) -> Result<UpdateOutcome, Failure> {
    let seen = Sight {
        sender: &message.from,
        counted: Some(Counted::Command),
        is_first: met.is_first,
        cause: Cause {
            chat: message.chat,
            thread: message.thread,
            ..Cause::private(front, &message.from, met.key.id, message.at)
        },
    };
    let Some((conversation, Intake::Taken)) = Conversation::begin(app, seen).await? else {
        return Ok(UpdateOutcome::Ignored);
    };
    let button = Button {
        text: Label::OpenPrivate.plain(conversation.language),
        action: ButtonAction::Url(format!("{}/{}", app.link_base, front.username)),
    };
    let text = Text::PrivateOnly.html(conversation.language);
    conversation
        .say(Class::Reply, text, vec![vec![button]])
        .await?;
    Ok(UpdateOutcome::Handled)
}
