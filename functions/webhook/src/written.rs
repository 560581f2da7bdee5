//! What people write: a claim, a command, or something for a person to read.

use domain::claim::payload_in;
use domain::command::{CommandName, CommandPlace, WrittenCommand};
use domain::id::ChatId;
use domain::message::{Button, ButtonAction, Class};
use domain::person::{Counted, Intake};
use domain::texts::{Label, Text};
use domain::update::{GroupMessage, PrivateMessage};
use store::{FrontBot, PartCount};

use crate::conversation::{Conversation, Sight};
use crate::relay::{self, RelayAuthor};
use crate::say::{Cause, say_missed};
use crate::unheard::is_unheard;
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
        (Some(payload), _) if is_signed(app, payload) => None,
        (Some(_), _) => Some(Counted::Command),
        (None, Some(command)) => commands::counted(command),
        (None, None) => match part_of_album(app, message, update).await? {
            Some(PartCount::Withheld) => return Ok(UpdateOutcome::Ignored),
            Some(PartCount::Further) => None,
            Some(PartCount::First) | None => Some(Counted::Message),
        },
    };
    let seen = Sight {
        sender: &message.from,
        counted,
        is_first: met.is_first,
        cause: Cause::private(front, &message.from, update, message.at),
    };
    let Some((conversation, intake)) = Conversation::begin(app, seen).await? else {
        if counted == Some(Counted::Message) {
            withhold(app, message).await?;
        }
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
            withhold(app, message).await?;
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

/// Whether a key of ours signed the payload of a claim link, of a request or of an order.
fn is_signed(app: &App, payload: &str) -> bool {
    app.claim_keys.open(payload).is_some() || app.claim_keys.open_order(payload).is_some()
}

/// What becomes of a part of an album that is to be passed on; nothing of any other message. The album is counted once.
async fn part_of_album(
    app: &App,
    message: &PrivateMessage,
    update: i64,
) -> Result<Option<PartCount>, Failure> {
    let Some(group) = album_of(app, message).await? else {
        return Ok(None);
    };
    let (chat, now) = (ChatId(message.from.person.0), app.clock.now());
    let counted = app.relay_map.count_part(chat, group, update, now).await?;
    Ok(Some(counted))
}

/// An album of which one part is not taken is not passed on without it.
async fn withhold(app: &App, message: &PrivateMessage) -> Result<(), Failure> {
    if let Some(group) = album_of(app, message).await? {
        let (chat, now) = (ChatId(message.from.person.0), app.clock.now());
        app.relay_map.withhold_album(chat, group, now).await?;
    }
    Ok(())
}

/// The album of a message that operators may see. Nothing is noted of whom the bot does not hear.
async fn album_of<'a>(app: &App, message: &'a PrivateMessage) -> Result<Option<&'a str>, Failure> {
    let album = message.written.album.as_deref();
    let Some(group) = album.filter(|_| app.operator_chat.is_some()) else {
        return Ok(None);
    };
    let is_heard = !is_unheard(app, message.from.person, message.at).await?;
    Ok(is_heard.then_some(group))
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
