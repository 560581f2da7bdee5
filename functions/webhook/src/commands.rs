//! What each command does.
//!
//! Who may use a command, and where, stands in [`domain::command::COMMANDS`].

use domain::button::ButtonData;
use domain::command::{CommandName, CommandPlace, Role, StartPayload, WrittenCommand};
use domain::id::TelegramUserId;
use domain::message::{Button, ButtonAction, Class};
use domain::person::{Counted, Intake};
use domain::texts::{Address, Label, Language, Text, help};
use domain::update::GroupMessage;
use store::FrontBot;
use tracing::info;

use crate::conversation::Conversation;
use crate::{Failure, privacy};

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
            let text = conversation.unknown(word, place);
            return conversation.answer(text).await;
        }
    };
    if intake != Intake::Taken {
        return conversation.answer(Text::TooManyCommands { command }).await;
    }
    let entry = command.entry();
    if !entry.is_for(conversation.role, place) {
        let text = Text::NeedsRole {
            command,
            role: entry.role,
        };
        return conversation.answer(text).await;
    }
    info!(
        command = entry.name,
        outcome = "command",
        "a person used a command"
    );
    run(conversation, command, arguments, place).await
}

async fn run(
    conversation: &Conversation<'_>,
    command: CommandName,
    arguments: &str,
    place: CommandPlace,
) -> Result<(), Failure> {
    let language = conversation.language;
    match command {
        CommandName::Start => start(conversation, arguments).await,
        CommandName::Access => conversation.show_seats(Text::AccessNothing).await,
        CommandName::Help => {
            let html = help(language, conversation.role, place);
            conversation.say(Class::Reply, html, Vec::new()).await
        }
        CommandName::Language => choose_language(conversation, arguments).await,
        CommandName::Terms => match &conversation.app.terms_url {
            Some(url) => {
                conversation
                    .answer(Text::Terms { page: Address(url) })
                    .await
            }
            None => conversation.answer(Text::TermsUnset).await,
        },
        CommandName::Privacy => privacy::show(conversation).await,
        CommandName::Stop => stop(conversation).await,
        CommandName::PaySupport => conversation.answer(Text::PaySupport).await,
        CommandName::Support => conversation.answer(Text::Support).await,
        CommandName::Role => appoint(conversation, arguments).await,
        CommandName::Buyer
        | CommandName::Reply
        | CommandName::Note
        | CommandName::Close
        | CommandName::Block
        | CommandName::Unblock
        | CommandName::Grant
        | CommandName::Extend
        | CommandName::End
        | CommandName::Allow
        | CommandName::Today
        | CommandName::Doctor
        | CommandName::Pause
        | CommandName::Resume => conversation.answer(Text::UnknownCommand).await,
    }
}

async fn start(conversation: &Conversation<'_>, arguments: &str) -> Result<(), Failure> {
    match StartPayload::read(arguments) {
        // A claim that is none: cut, or never ours. One that can be read is claimed before.
        StartPayload::Claim(_) | StartPayload::OrderClaim(_) => {
            conversation.answer(Text::ClaimUnknown).await
        }
        StartPayload::Nothing
        | StartPayload::Product { .. }
        | StartPayload::Referral(_)
        | StartPayload::Source(_)
        | StartPayload::Unknown(_) => conversation.show_seats(Text::Welcome).await,
    }
}

async fn choose_language(conversation: &Conversation<'_>, word: &str) -> Result<(), Failure> {
    if let Some(language) = Language::of_word(word) {
        let people = &conversation.app.people;
        people
            .choose_language(conversation.person(), language)
            .await?;
        let html = Text::LanguageChosen.html(language);
        return conversation.say(Class::Reply, html, Vec::new()).await;
    }
    let choices = Language::ALL.map(|language| {
        vec![Button {
            text: language.name().to_owned(),
            action: ButtonAction::Callback(ButtonData::Language(language).to_string()),
        }]
    });
    let html = Text::LanguageList.html(conversation.language);
    conversation.say(Class::Reply, html, choices.into()).await
}

async fn stop(conversation: &Conversation<'_>) -> Result<(), Failure> {
    let (app, person) = (conversation.app, conversation.person());
    app.people.opt_out(person, true, app.clock.now()).await?;
    let again = conversation.button(&Label::NewsAgain, ButtonData::NewsAgain);
    let html = Text::Stopped.html(conversation.language);
    conversation.say(Class::Reply, html, vec![again]).await
}

/// `/role <id> <role>`: nobody gives or takes what is not below their own role.
async fn appoint(conversation: &Conversation<'_>, arguments: &str) -> Result<(), Failure> {
    let mut words = arguments.split_whitespace();
    let person = words.next().and_then(|id| id.parse().ok());
    let role = words.next().and_then(Role::of_word);
    let (Some(person), Some(role)) = (person.map(TelegramUserId), role) else {
        return conversation.answer(Text::RoleHowTo).await;
    };
    let app = conversation.app;
    let known = app.people.get(person).await?.and_then(|known| known.role);
    let is_owner = app.owners.contains(&person);
    let is_below = |role: Role| role < conversation.role;
    if is_owner || !is_below(role) || !known.is_none_or(is_below) {
        return conversation.answer(Text::RoleTooHigh).await;
    }
    let given = (role > Role::Member).then_some(role);
    app.people.appoint(person, given, app.clock.now()).await?;
    info!(outcome = "appointed", by = %conversation.person(), person = %person, role = role.as_str(), "a role was given or taken");
    let id = person.to_string();
    let text = Text::RoleGiven {
        person: domain::texts::Name(&id),
        role: given.unwrap_or(Role::Public),
    };
    conversation.answer(text).await
}
