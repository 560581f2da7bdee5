//! What is written in the operators' chat: answers to people, commands, and what Telegram reports of topics.
//!
//! All that stands in a topic of the bot is sent to its person, but for what begins with `/`: a command, or, with `//`, words
//! among operators. Every person in the chat may answer people; a command asks for its role, as it does in private. Each message
//! is put once, since its id is of the update; whatever else is written is the same when it is written twice. So an update that is sent again does what the first one died before.

use domain::command::{CommandName, CommandPlace, Role, WrittenCommand};
use domain::id::{ChatId, TelegramUserId};
use domain::join::MemberChange;
use domain::message::{Adoption, Class, Content, Message, TopicOwner, TopicState};
use domain::person::{Counted, Intake};
use domain::relay::{DeskAuthor, DeskMessage, TopicReport, WrittenMessage, person_of};
use domain::texts::{Name, Text};
use store::{CopyStanding, FrontBot};
use tracing::{info, warn};

use crate::conversation::{Conversation, Sight};
use crate::relay::{self, Passage, RelayCause, edit, passed_on, put};
use crate::say::Cause;
use crate::{App, Failure, Met, UpdateOutcome, commands};

/// The longest name of a prepared answer, in characters.
const REPLY_NAME_MAX: usize = 32;

/// A command of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TopicCommand<'a> {
    /// Words among operators, which stay where they are.
    Note,
    /// The topic is closed.
    Close,
    /// Nothing that this person writes is passed on.
    Block,
    /// It is again.
    Unblock,
    /// What was sent by the answered message is taken back.
    Delete,
    /// A prepared answer is sent; with `=`, the answered message becomes it.
    Reply(&'a str),
}

/// Handles what was written in the operators' chat.
pub(crate) async fn wrote(
    app: &App,
    front: &FrontBot,
    met: Met,
    message: &DeskMessage,
) -> Result<UpdateOutcome, Failure> {
    let Some(cause) = relay::cause(app, front, met.key.id, message.at) else {
        return Ok(UpdateOutcome::Ignored);
    };
    let written = &message.written;
    if written.topic.is_some() {
        reported(app, cause, message).await?;
        return Ok(UpdateOutcome::Handled);
    }
    let owner = owner_of(app, cause, written).await?;
    let words = written.words();
    // Words among operators.
    if words.starts_with("//") || !written.is_content {
        withhold_album(app, cause, written).await?;
        return Ok(UpdateOutcome::Ignored);
    }
    if words.starts_with('/') {
        // Neither are the other parts, which are updates of their own.
        withhold_album(app, cause, written).await?;
        return commanded(app, cause, (front, met), message, owner).await;
    }
    let Some(owner) = owner else {
        return Ok(UpdateOutcome::Ignored);
    };
    answered(app, cause, written, owner).await?;
    Ok(UpdateOutcome::Handled)
}

/// Handles a command, of a person with the role that it takes. It is about the person of the topic, unless it names another
/// one, and is answered where it stands.
async fn commanded(
    app: &App,
    cause: RelayCause,
    (front, met): (&FrontBot, Met),
    message: &DeskMessage,
    owner: Option<TopicOwner>,
) -> Result<UpdateOutcome, Failure> {
    let written = &message.written;
    let read = WrittenCommand::read(written.words(), &front.username);
    let Some(WrittenCommand::Known { command, arguments }) = read else {
        if owner.is_none() {
            return Ok(UpdateOutcome::Ignored);
        }
        // One for another bot is none of ours, and goes to nobody either.
        say(app, cause, written, Text::TopicUnknownCommand).await?;
        return Ok(UpdateOutcome::Handled);
    };
    let Some((mut conversation, intake)) = talk(app, cause, met, message).await? else {
        return Ok(UpdateOutcome::Ignored);
    };
    let place = CommandPlace::Topic;
    if !commands::permits(&conversation, command, intake, place).await? {
        return Ok(UpdateOutcome::Handled);
    }
    if let Some(owner) = owner {
        conversation.subject = addressee(app, cause, written, owner).await?;
    }
    match (TopicCommand::of(command, arguments), owner) {
        (Some(command), Some(owner)) => {
            let person = conversation.subject;
            carry_out(app, cause, written, (owner, person), command).await?;
        }
        (Some(_), None) => conversation.answer(Text::NotHere { command }).await?,
        (None, _) => commands::run(&conversation, command, arguments, place).await?,
    }
    Ok(UpdateOutcome::Handled)
}

/// The talk with the author of a command, in the language of the chat; nothing if it is to be met with silence.
async fn talk<'a>(
    app: &'a App,
    cause: RelayCause,
    met: Met,
    message: &DeskMessage,
) -> Result<Option<(Conversation<'a>, Intake)>, Failure> {
    let cause = Cause {
        bot: cause.bot,
        chat: cause.desk,
        thread: message.written.thread,
        update: cause.update,
        at: cause.at,
    };
    let sender = match &message.author {
        DeskAuthor::Person(sender) => sender,
        DeskAuthor::Anonymous => {
            let conversation = Conversation::anonymous(app, cause);
            return Ok(Some((conversation, Intake::Taken)));
        }
        DeskAuthor::Bot(_) => return Ok(None),
    };
    let seen = Sight {
        sender,
        counted: Some(Counted::Command),
        is_first: met.is_first,
        cause,
    };
    let begun = Conversation::begin(app, seen).await?;
    Ok(begun.map(|(conversation, intake)| {
        let language = app.default_language;
        let conversation = Conversation {
            language,
            ..conversation
        };
        (conversation, intake)
    }))
}

/// What belongs to words that stay where they are stays there, too.
async fn withhold_album(
    app: &App,
    cause: RelayCause,
    written: &WrittenMessage,
) -> Result<(), Failure> {
    if let Some(group) = &written.album {
        let now = app.clock.now();
        app.relay_map.withhold_album(cause.desk, group, now).await?;
    }
    Ok(())
}

/// Passes on what an operator made of an answer.
pub(crate) async fn edited(
    app: &App,
    front: &FrontBot,
    update: i64,
    message: &DeskMessage,
) -> Result<UpdateOutcome, Failure> {
    let Some(cause) = relay::cause(app, front, update, message.at) else {
        return Ok(UpdateOutcome::Ignored);
    };
    let written = &message.written;
    let owner = owner_of(app, cause, written).await?;
    let content = edit(cause.desk, app.default_language, written);
    let (Some(owner), Some(content)) = (owner, content) else {
        return Ok(UpdateOutcome::Ignored);
    };
    let copy = app.relay_map.standing(cause.desk, written.message);
    let person = match (copy.await?, owner) {
        (CopyStanding::There(copy) | CopyStanding::Gone(copy), _) => person_of(copy.chat),
        (CopyStanding::TakenBack, _) => None,
        (CopyStanding::Unknown, TopicOwner::Person(person)) => {
            message.may_be_new().then_some(person)
        }
        (CopyStanding::Unknown, TopicOwner::Newcomers) => None,
    };
    let Some(person) = person else {
        return Ok(UpdateOutcome::Ignored);
    };
    let message = cause.message("1", ChatId(person.0), content);
    put(app, cause, &[message]).await?;
    Ok(UpdateOutcome::Handled)
}

/// Whether it is the operators' chat that somebody came into or left.
pub(crate) fn is_of(app: &App, change: &MemberChange) -> bool {
    change
        .chat()
        .is_some_and(|chat| app.operator_chat == Some(chat))
}

/// Who leaves the operators' chat is no operator any more. Done twice it is as done once.
pub(crate) async fn left(app: &App, change: &MemberChange) -> Result<UpdateOutcome, Failure> {
    let (MemberChange::Leave(presence)
    | MemberChange::Removal(presence)
    | MemberChange::Ban(presence)) = change
    else {
        return Ok(UpdateOutcome::Ignored);
    };
    let known = app.people.get(presence.person).await?;
    if known.and_then(|known| known.role) != Some(Role::Operator) {
        return Ok(UpdateOutcome::Ignored);
    }
    app.people
        .appoint(presence.person, None, app.clock.now())
        .await?;
    info!(person = %presence.person, outcome = "role_lost", "somebody left the operators' chat, and is no operator any more");
    Ok(UpdateOutcome::Handled)
}

impl<'a> TopicCommand<'a> {
    /// What a command does with the topic in which it stands; nothing if it is no command of topics.
    const fn of(command: CommandName, arguments: &'a str) -> Option<Self> {
        Some(match command {
            CommandName::Note => Self::Note,
            CommandName::Close => Self::Close,
            CommandName::Block => Self::Block,
            CommandName::Unblock => Self::Unblock,
            CommandName::Delete => Self::Delete,
            CommandName::Reply => Self::Reply(arguments),
            _ => return None,
        })
    }
}

/// Telegram reports something of a topic.
async fn reported(app: &App, cause: RelayCause, message: &DeskMessage) -> Result<(), Failure> {
    let (Some(report), Some(thread)) = (&message.written.topic, message.written.thread) else {
        return Ok(());
    };
    let is_ours = match message.author {
        DeskAuthor::Bot(id) => u64::try_from(id) == Ok(cause.bot.0),
        DeskAuthor::Person(_) | DeskAuthor::Anonymous => false,
    };
    match report {
        TopicReport::Created(name) if is_ours => adopt(app, cause, thread, name).await,
        TopicReport::Created(_) => Ok(()),
        TopicReport::Closed | TopicReport::Reopened => {
            let Some(owner) = app.relay_map.topic(cause.desk, thread).await? else {
                return Ok(());
            };
            match report {
                TopicReport::Closed => app.topics.close(owner, (cause.desk, thread)).await?,
                _ => {
                    let topic = (cause.desk, thread);
                    if app.topics.open(owner, topic, None, cause.at).await? {
                        relay::opened(app, cause, owner).await?;
                    }
                }
            }
            Ok(())
        }
    }
}

/// A topic that the bot made belongs to the person in its name. If they have another one, this one is closed.
async fn adopt(app: &App, cause: RelayCause, thread: i64, name: &str) -> Result<(), Failure> {
    let Some(owner) = TopicOwner::of_topic_name(name) else {
        return Ok(());
    };
    let known = app.topics.get(owner, cause.desk).await?.state;
    let is_theirs = match TopicState::adoption(known, thread) {
        Adoption::Known => return Ok(()),
        Adoption::Second => false,
        Adoption::Adopt => {
            app.relay_map.put_topic(cause.desk, thread, owner).await?;
            let topic = (cause.desk, thread);
            app.topics.open(owner, topic, Some(name), cause.at).await?
        }
    };
    if is_theirs {
        info!(
            topic.id = thread,
            outcome = "topic_adopted",
            "a topic is known by its name"
        );
        return Ok(());
    }
    warn!(
        topic.id = thread,
        outcome = "topic_second",
        "a person has two topics, the second is closed"
    );
    let close = Message {
        thread: Some(thread),
        ..cause.message("close", cause.desk, Content::CloseTopic)
    };
    put(app, cause, &[close]).await
}

/// Sends what an operator wrote in a topic to its person.
async fn answered(
    app: &App,
    cause: RelayCause,
    written: &WrittenMessage,
    owner: TopicOwner,
) -> Result<(), Failure> {
    let Some(person) = addressee(app, cause, written, owner).await? else {
        return say(app, cause, written, Text::TopicShared).await;
    };
    let to = Passage {
        cause,
        chat: ChatId(person.0),
        from: cause.desk,
        language: app.default_language,
    };
    let message = passed_on(app, to, written, |content| content).await?;
    put(app, cause, &[message]).await?;
    app.topics.note_answer(owner, cause.at).await?;
    info!(outcome = "answered", "an operator's answer is passed on");
    Ok(())
}

/// Carries out a command of a topic; it is for this person, if it is told whom.
async fn carry_out(
    app: &App,
    cause: RelayCause,
    written: &WrittenMessage,
    (owner, person): (TopicOwner, Option<TelegramUserId>),
    command: TopicCommand<'_>,
) -> Result<(), Failure> {
    match command {
        TopicCommand::Note => done(app, cause, written).await,
        TopicCommand::Close => {
            let close = Content::InTopic {
                owner,
                topic_name: owner.topic_name(""),
                language: app.default_language,
                post: Box::new(Content::CloseTopic),
            };
            put(app, cause, &[cause.message("1", cause.desk, close)]).await
        }
        TopicCommand::Delete => delete(app, cause, written).await,
        TopicCommand::Reply(words) => reply(app, cause, written, person, words).await,
        TopicCommand::Block | TopicCommand::Unblock => {
            let Some(person) = person else {
                return say(app, cause, written, Text::TopicShared).await;
            };
            let is_blocked = command == TopicCommand::Block;
            app.people
                .block(person, is_blocked, app.clock.now())
                .await?;
            let text = match is_blocked {
                true => Text::TopicBlocked,
                false => Text::TopicUnblocked,
            };
            say(app, cause, written, text).await
        }
    }
}

/// Takes back what the answered message sent.
async fn delete(app: &App, cause: RelayCause, written: &WrittenMessage) -> Result<(), Failure> {
    let copy = match written.reply_to {
        Some(answered) => app.relay_map.get(cause.desk, answered).await?,
        None => None,
    };
    let (Some(message), Some(copy)) = (written.reply_to, copy) else {
        return say(app, cause, written, Text::TopicDelete).await;
    };
    // What a person wrote is theirs: the bot posted its copy here.
    let is_ours = written
        .reply_to_author
        .is_some_and(|author| u64::try_from(author) == Ok(cause.bot.0));
    if is_ours || person_of(copy.chat).is_none() {
        return say(app, cause, written, Text::TopicDelete).await;
    }
    let content = Content::Delete {
        from: cause.desk,
        message,
        asked_by: written.message,
        language: app.default_language,
    };
    put(app, cause, &[cause.message("1", copy.chat, content)]).await
}

/// Sends a prepared answer, or has the answered message be one.
async fn reply(
    app: &App,
    cause: RelayCause,
    written: &WrittenMessage,
    person: Option<TelegramUserId>,
    words: &str,
) -> Result<(), Failure> {
    let (is_new, name) = match words.trim().strip_prefix('=') {
        Some(name) => (true, name),
        None => (false, words),
    };
    let name = name.trim().to_lowercase();
    let is_name = !name.is_empty() && name.chars().count() <= REPLY_NAME_MAX;
    let name_shown = Name(if is_name { &name } else { "name" });
    let missing = Text::TopicNoReply { name: name_shown };
    if !is_name {
        return say(app, cause, written, missing).await;
    }
    if is_new {
        let Some(answered) = written.reply_to else {
            return say(app, cause, written, missing).await;
        };
        app.relay_map.put_reply(cause.desk, &name, answered).await?;
        let text = Text::TopicReplyKept { name: name_shown };
        return say(app, cause, written, text).await;
    }
    let Some(prepared) = app.relay_map.reply(cause.desk, &name).await? else {
        return say(app, cause, written, missing).await;
    };
    let Some(person) = person else {
        return say(app, cause, written, Text::TopicShared).await;
    };
    let content = Content::Copy {
        from: cause.desk,
        message: prepared,
        text: None,
        caption: None,
        marks: Vec::new(),
        as_words: false,
        asked_by: Some(written.message),
        language: app.default_language,
    };
    let copy = cause.message("1", ChatId(person.0), content);
    put(app, cause, &[copy]).await
}

/// Whose topic a message stands in, if the bot made it.
async fn owner_of(
    app: &App,
    cause: RelayCause,
    written: &WrittenMessage,
) -> Result<Option<TopicOwner>, Failure> {
    match written.thread {
        Some(thread) => Ok(app.relay_map.topic(cause.desk, thread).await?),
        None => Ok(None),
    }
}

/// Whom a message in a topic is for: its person, or where several write, the one whose message it answers.
async fn addressee(
    app: &App,
    cause: RelayCause,
    written: &WrittenMessage,
    owner: TopicOwner,
) -> Result<Option<TelegramUserId>, Failure> {
    if let TopicOwner::Person(person) = owner {
        return Ok(Some(person));
    }
    let Some(answered) = written.reply_to else {
        return Ok(None);
    };
    let copy = app.relay_map.get(cause.desk, answered).await?;
    Ok(copy.and_then(|copy| person_of(copy.chat)))
}

/// Answers a message of the topic.
async fn say(
    app: &App,
    cause: RelayCause,
    written: &WrittenMessage,
    text: Text<'_>,
) -> Result<(), Failure> {
    let content = Content::Answer {
        to: written.message,
        html: text.html(app.default_language),
    };
    put(app, cause, &[cause.message("say", cause.desk, content)]).await
}

/// Shows that a command was carried out.
async fn done(app: &App, cause: RelayCause, written: &WrittenMessage) -> Result<(), Failure> {
    let content = Content::React {
        message: written.message,
    };
    let shown = Message {
        class: Class::Reply,
        ..cause.message("done", cause.desk, content)
    };
    put(app, cause, &[shown]).await
}
