//! The router of commands: each is a file of its own.
//!
//! Who may use a command, and where, stands in [`domain::command::COMMANDS`].

mod allow;
pub(crate) mod buyer;
mod doctor;
pub(crate) mod end;
mod extend;
mod grant;
mod language;
pub(crate) mod orders;
mod pause;
pub(crate) mod privacy;
mod resume;
mod role;
pub(crate) mod shop;
mod start;
mod stop;
mod subject;

use domain::command::{CommandName, CommandPlace, WrittenCommand};
use domain::message::Class;
use domain::person::{Counted, Intake};
use domain::texts::{Address, Text, help};
use domain::update::GroupMessage;
use store::FrontBot;
use tracing::info;

use crate::Failure;
use crate::conversation::Conversation;

/// As what a command is counted. Whoever wants to hear no more is never held up.
pub(crate) const fn counted(command: WrittenCommand<'_>) -> Option<Counted> {
    match command {
        WrittenCommand::Known {
            command: CommandName::Stop,
            ..
        } => None,
        WrittenCommand::Known { .. } | WrittenCommand::Unknown { .. } => Some(Counted::Command),
    }
}

/// Whether a command in a group is one of ours that is answered there: unknown ones are met with silence.
pub(crate) fn is_for_us(message: &GroupMessage, front: &FrontBot) -> bool {
    matches!(
        WrittenCommand::read(&message.text, &front.username),
        Some(WrittenCommand::Known { command, .. })
            if command.entry().places.contains(&CommandPlace::Group)
    )
}

/// Does what a command asks for, if it is taken and the person has the right to it.
pub(crate) async fn taken(
    conversation: &Conversation<'_>,
    written: WrittenCommand<'_>,
    intake: Intake,
    place: CommandPlace,
) -> Result<(), Failure> {
    let (command, arguments) = match written {
        WrittenCommand::Known { command, arguments } => (command, arguments),
        WrittenCommand::Unknown { .. } if intake != Intake::Taken => return Ok(()),
        WrittenCommand::Unknown { word } => {
            let app = conversation.app;
            if app.feed.has_backend(app.clock.now()).await? {
                // It may be one of theirs.
                return Ok(());
            }
            let text = conversation.unknown(word, place);
            return conversation.answer(text).await;
        }
    };
    match permits(conversation, command, intake, place).await? {
        true => run(conversation, command, arguments, place).await,
        false => Ok(()),
    }
}

/// Whether a command is taken there and the person has the right to it; else they are told why not.
pub(crate) async fn permits(
    conversation: &Conversation<'_>,
    command: CommandName,
    intake: Intake,
    place: CommandPlace,
) -> Result<bool, Failure> {
    let entry = command.entry();
    let refusal = if intake != Intake::Taken {
        Text::TooManyCommands { command }
    } else if !entry.places.contains(&place) {
        Text::NotHere { command }
    } else if !entry.is_for(conversation.role, place) {
        Text::NeedsRole {
            command,
            role: entry.role,
        }
    } else {
        info!(
            command = entry.name,
            outcome = "command",
            "a person used a command"
        );
        return Ok(true);
    };
    conversation.answer(refusal).await?;
    Ok(false)
}

/// Does what a permitted command asks for.
pub(crate) async fn run(
    conversation: &Conversation<'_>,
    command: CommandName,
    arguments: &str,
    place: CommandPlace,
) -> Result<(), Failure> {
    let language = conversation.language;
    match command {
        CommandName::Start => start::run(conversation, arguments).await,
        CommandName::Access => conversation.show_seats(Text::AccessNothing).await,
        CommandName::Shop => shop::run(conversation).await,
        CommandName::Orders => orders::run(conversation).await,
        CommandName::Coupon => shop::coupon(conversation, arguments).await,
        CommandName::Gift => shop::gifts(conversation).await,
        CommandName::Help => {
            let html = help(language, conversation.role, place);
            conversation.say(Class::Reply, html, Vec::new()).await
        }
        CommandName::Language => language::run(conversation, arguments).await,
        CommandName::Terms => match &conversation.app.terms_url {
            Some(url) => {
                conversation
                    .answer(Text::Terms { page: Address(url) })
                    .await
            }
            None => conversation.answer(Text::TermsUnset).await,
        },
        CommandName::Privacy => privacy::run(conversation).await,
        CommandName::Stop => stop::run(conversation).await,
        CommandName::PaySupport => support(conversation, Text::PaySupport).await,
        CommandName::Support => support(conversation, Text::Support).await,
        CommandName::Role => role::run(conversation, arguments).await,
        CommandName::Buyer => buyer::run(conversation, arguments).await,
        CommandName::Grant => grant::run(conversation, arguments).await,
        CommandName::Extend => extend::run(conversation, arguments).await,
        CommandName::End => end::run(conversation, arguments).await,
        CommandName::Allow => allow::run(conversation, arguments).await,
        CommandName::Doctor => doctor::run(conversation).await,
        CommandName::Pause => pause::run(conversation, arguments).await,
        CommandName::Resume => resume::run(conversation, arguments).await,
        CommandName::Reply
        | CommandName::Note
        | CommandName::Delete
        | CommandName::Close
        | CommandName::Block
        | CommandName::Unblock => conversation.answer(Text::UnknownCommand).await,
    }
}

/// How to reach a person: by writing here, if somebody reads it.
async fn support(conversation: &Conversation<'_>, here: Text<'_>) -> Result<(), Failure> {
    let app = conversation.app;
    let text = match (app.operator_chat, &app.support_url) {
        (Some(_), _) => here,
        (None, Some(url)) => Text::SupportElsewhere {
            contact: Address(url),
        },
        (None, None) => Text::SupportNone,
    };
    conversation.answer(text).await
}
