//! What a person writes that is no command, on its way into their topic.
//!
//! ```text
//! it is counted towards what waits of them       die here: Telegram sends the update again, and it is not counted
//! the topic is WANTED, by this update            die here: as above
//! what is pinned in the topic is put, if it is new, then the copy      die here: as above; each is known by its id
//! "it has arrived" is put, if a conversation begins                     die here: as above
//! a reminder to look whether the topic is silent, if there is none      die here: as above; it has the update's time
//! when they wrote last is written                die here: as above; the conversation still begins by this update
//! ring                                           die here: the tick looks within a minute
//! ```
//!
//! The topic itself is made by the dispatcher of messages, when the first of them is to be said there.

mod backlog;
mod silence;

use std::time::Duration;

use domain::id::{BotId, ChatId, TelegramUserId};
use domain::marked::{MarkedText, TextMark};
use domain::message::{Class, Content, EditedPart, Message, MessageId, TopicOwner};
use domain::person::{Counted, Intake};
use domain::relay::{PrivateEdit, WrittenMessage, begins_conversation, person_of};
use domain::texts::{AccessLine, Date, Language, Name, Text, access};
use domain::time::Timestamp;
use domain::update::Sender;
use store::{AlbumPart, AlbumParts, FrontBot, PartAdded, TopicRecord};
use tracing::info;

pub(crate) use silence::opened;

use crate::conversation::{Conversation, Sight};
use crate::say::Cause;
use crate::{App, Failure, Met, UpdateOutcome};

/// The name of the topic that new people share.
const NEWCOMERS_NAME: &str = "New people";
/// The longest caption that a bot may write, in UTF-16 units (Bot API, `copyMessage`): some people write longer ones.
const CAPTION_UNITS: usize = 1024;
/// How late word of an arrival is still worth something.
const ARRIVED_AGE: Duration = Duration::from_secs(600);

/// An update of the relay.
#[derive(Clone, Copy)]
pub(crate) struct RelayCause {
    /// The front bot.
    pub(crate) bot: BotId,
    /// The operators' chat.
    pub(crate) desk: ChatId,
    /// The number of the update.
    pub(crate) update: i64,
    /// Its time, by Telegram's clock.
    pub(crate) at: Timestamp,
}

impl RelayCause {
    /// The id of a message that the update causes; `place` tells it from the others, and orders them.
    pub(crate) fn id(self, place: &str) -> MessageId {
        // Of fixed width, so that they stand in order also within a second.
        MessageId::new(self.at, &format!("relay#{:012}#{place}", self.update))
    }

    /// A message that the update causes.
    pub(crate) fn message(self, place: &str, chat: ChatId, content: Content) -> Message {
        Message {
            id: self.id(place),
            bot: self.bot,
            chat,
            thread: None,
            class: Class::Operator,
            content,
            not_before: None,
            not_after: None,
        }
    }

    /// The update that brought the first part of an album: the copies are its message, whichever update brings the others.
    fn of_album(self, album: &AlbumParts) -> Self {
        Self {
            update: album.first_update,
            at: album.first_at,
            ..self
        }
    }
}

/// A person who wrote.
#[derive(Clone, Copy)]
pub(crate) struct RelayAuthor {
    pub(crate) person: TelegramUserId,
    pub(crate) language: Language,
}

impl RelayAuthor {
    /// Their private chat, which has their id.
    pub(crate) const fn chat(self) -> ChatId {
        ChatId(self.person.0)
    }
}

/// An update of the relay, if there is one.
pub(crate) fn cause(app: &App, front: &FrontBot, update: i64, at: Timestamp) -> Option<RelayCause> {
    Some(RelayCause {
        bot: front.bot,
        desk: app.operator_chat?,
        update,
        at,
    })
}

/// Passes on what a person made of a message. It is counted as a message, and what is too much is met with silence.
pub(crate) async fn edited(
    app: &App,
    front: &FrontBot,
    met: Met,
    message: &PrivateEdit,
) -> Result<UpdateOutcome, Failure> {
    let update = met.key.id;
    let Some(cause) = cause(app, front, update, message.at) else {
        return Ok(UpdateOutcome::Ignored);
    };
    let sender = Sender {
        person: message.person,
        name: message.written.author_name.clone(),
        username: message.username.clone(),
        language_code: message.language_code.clone(),
    };
    let seen = Sight {
        sender: &sender,
        counted: Some(Counted::Message),
        is_first: met.is_first,
        cause: Cause::private(front, &sender, update, message.at),
    };
    let Some((conversation, Intake::Taken)) = Conversation::begin(app, seen).await? else {
        return Ok(UpdateOutcome::Ignored);
    };
    let author = RelayAuthor {
        person: message.person,
        language: conversation.language,
    };
    pass_on_edit(app, cause, author, (&message.written, met.is_first)).await
}

/// Passes on what a person wrote, unless too much of theirs waits, if it `counts`: it is no further part of an album, and was not
/// met before.
pub(crate) async fn wrote(
    app: &App,
    cause: RelayCause,
    author: RelayAuthor,
    (written, counts): (&WrittenMessage, bool),
) -> Result<UpdateOutcome, Failure> {
    if !written.is_content {
        return Ok(UpdateOutcome::Ignored);
    }
    let own = TopicOwner::Person(author.person);
    let mut record = app.topics.get(own, cause.desk).await?;
    if record.is_blocked {
        return Ok(UpdateOutcome::Ignored);
    }
    let to = Passage {
        cause,
        chat: cause.desk,
        from: author.chat(),
        language: author.language,
    };
    // What is answered in private waits for no operator.
    let counts = counts && is_shown(to, written);
    if counts && let Some(mark) = backlog::waits_for(app, cause, author).await? {
        info!(
            outcome = "too_many",
            "more of what a person wrote waits than may"
        );
        backlog::refuse(app, cause, author, (written.message, &mark)).await?;
        if let Some(group) = &written.album {
            let now = app.clock.now();
            app.relay_map
                .withhold_album(author.chat(), group, now)
                .await?;
        }
        return Ok(UpdateOutcome::Handled);
    }
    let owner = owner(app, cause, author, &mut record).await?;
    let post = |content: Content| {
        let name = match owner {
            TopicOwner::Person(_) => written.author_name.as_str(),
            TopicOwner::Newcomers => NEWCOMERS_NAME,
        };
        Content::InTopic {
            owner,
            topic_name: owner.topic_name(name),
            language: app.default_language,
            post: Box::new(content),
        }
    };
    let mut messages = Vec::new();
    if record.wanted_by == Some(cause.update) {
        let html = card(app, author, &written.author_name).await?;
        let content = post(Content::Pinned { html });
        messages.push(cause.message("0card", cause.desk, content));
    }
    let copy = passed_on(app, to, written, post).await?;
    // Of an album the first part alone has its message.
    let is_shown = copy.chat == cause.desk && copy.id.is_beside(&cause.id("0head"));
    if owner == TopicOwner::Newcomers && is_shown {
        let content = post(Content::About {
            person: author.person,
            html: format!("<b>{}</b> · {}", Name(&written.author_name), author.person),
        });
        messages.push(cause.message("0head", cause.desk, content));
    }
    messages.push(copy);
    if let Some(name) = renamed(&record, owner, written) {
        let content = post(Content::RenameTopic { name });
        messages.push(Message {
            class: Class::Reply,
            ..cause.message("2name", cause.desk, content)
        });
    }
    let begins = record.conversation_by == Some(cause.update)
        || begins_conversation(record.relayed_at, cause.at);
    if begins {
        messages.push(arrived(app, cause, author));
    }
    put(app, cause, &messages).await?;
    let reminder_at = silence::remind(app, cause, owner, &record).await?;
    let begun_by = begins.then_some(cause.update);
    app.topics
        .note_word(own, cause.at, begun_by, reminder_at)
        .await?;
    info!(
        outcome = "relayed",
        messages = messages.len(),
        "what a person wrote is passed on"
    );
    Ok(UpdateOutcome::Handled)
}

/// Has operators told something of a person, in their topic, once for the update. A blocked person has nothing told.
pub(crate) async fn note(
    app: &App,
    cause: RelayCause,
    author: RelayAuthor,
    name: &str,
    html: &str,
) -> Result<(), Failure> {
    let own = TopicOwner::Person(author.person);
    let mut record = app.topics.get(own, cause.desk).await?;
    if record.is_blocked {
        return Ok(());
    }
    let owner = owner(app, cause, author, &mut record).await?;
    let (name_shown, told) = match owner {
        TopicOwner::Person(_) => (name, silent(html.to_owned())),
        TopicOwner::Newcomers => {
            let head = format!("<b>{}</b> · {}", Name(name), author.person);
            let about = Content::About {
                person: author.person,
                html: format!("{head}\n{html}"),
            };
            (NEWCOMERS_NAME, about)
        }
    };
    let post = |content: Content| Content::InTopic {
        owner,
        topic_name: owner.topic_name(name_shown),
        language: app.default_language,
        post: Box::new(content),
    };
    let mut messages = Vec::new();
    if record.wanted_by == Some(cause.update) {
        let html = card(app, author, name).await?;
        messages.push(cause.message("0card", cause.desk, post(Content::Pinned { html })));
    }
    messages.push(cause.message("1", cause.desk, post(told)));
    put(app, cause, &messages).await?;
    // A topic in which nobody ever says a word is closed as well.
    if let Some(at) = silence::remind(app, cause, owner, &record).await? {
        app.topics.note_reminder(own, at).await?;
    }
    Ok(())
}

async fn pass_on_edit(
    app: &App,
    cause: RelayCause,
    author: RelayAuthor,
    (written, counts): (&WrittenMessage, bool),
) -> Result<UpdateOutcome, Failure> {
    let own = TopicOwner::Person(author.person);
    let record = app.topics.get(own, cause.desk).await?;
    let is_known = record.relayed_at.is_some() && !record.is_blocked;
    let Some(edit) = edit(author.chat(), author.language, written).filter(|_| is_known) else {
        return Ok(UpdateOutcome::Ignored);
    };
    // A part that waits would be copied as it is by now.
    if let Some(group) = written.album.as_ref().filter(|_| written.holds_token)
        && app
            .relay_map
            .waits_in_album(author.chat(), group, written.message)
            .await?
    {
        let now = app.clock.now();
        app.relay_map
            .withhold_album(author.chat(), group, now)
            .await?;
        let told = not_passed_on(cause, author.chat(), author.language, written);
        put(app, cause, &[told]).await?;
        return Ok(UpdateOutcome::Handled);
    }
    if counts && backlog::waits_for(app, cause, author).await?.is_some() {
        return Ok(UpdateOutcome::Ignored);
    }
    // The copy says where it stands; a new one, if that is gone, is said in their own topic.
    let content = Content::InTopic {
        owner: own,
        topic_name: own.topic_name(&written.author_name),
        language: app.default_language,
        post: Box::new(edit),
    };
    put(app, cause, &[cause.message("1", cause.desk, content)]).await?;
    Ok(UpdateOutcome::Handled)
}

/// The message by which the copy of an edited one follows it; nothing for a command.
pub(crate) fn edit(from: ChatId, language: Language, written: &WrittenMessage) -> Option<Content> {
    let (text, part) = match (&written.text, &written.caption) {
        (Some(text), _) => (text, EditedPart::Text),
        (None, Some(caption)) => (caption, EditedPart::Caption),
        (None, None) => return None,
    };
    (!text.starts_with('/')).then(|| {
        let shown = shown(from, text, written);
        let shown = match part {
            EditedPart::Text => shown,
            EditedPart::Caption => shown.cut(CAPTION_UNITS),
        };
        Content::Edit {
            from,
            message: written.message,
            text: shown.text,
            marks: shown.marks,
            part,
            language,
        }
    })
}

/// What the other side may see of words that were written in this chat. What an operator sends is theirs to send.
fn shown(from: ChatId, words: &str, written: &WrittenMessage) -> MarkedText {
    let words = MarkedText {
        text: words.to_owned(),
        marks: written.marks.clone(),
    };
    match person_of(from) {
        Some(_) => words.without_payloads(),
        None => words,
    }
}

/// In whose topic a person's words are shown. The first words of a new person count towards the topics of the hour.
async fn owner(
    app: &App,
    cause: RelayCause,
    author: RelayAuthor,
    record: &mut TopicRecord,
) -> Result<TopicOwner, Failure> {
    let own = TopicOwner::Person(author.person);
    if record.state.is_some() {
        return Ok(own);
    }
    let now = app.clock.now();
    let seats = app.seats.of(author.person).await?;
    let has_seat = seats.iter().any(|seat| seat.is_admitted(now));
    if !has_seat && !app.topics.count_new(now, app.new_topics_per_hour).await? {
        info!(
            outcome = "topic_shared",
            "more new people write than topics may be made for in an hour"
        );
        return Ok(TopicOwner::Newcomers);
    }
    // As long as there is a topic; before it, so that none is forgotten because we died between.
    app.people.keep(author.person, now).await?;
    app.topics.want(own, cause.desk, cause.update, now).await?;
    record.wanted_by = Some(cause.update);
    Ok(own)
}

/// The way of a message from one side to the other.
#[derive(Clone, Copy)]
pub(crate) struct Passage {
    pub(crate) cause: RelayCause,
    /// Where to.
    pub(crate) chat: ChatId,
    /// Where it was written.
    pub(crate) from: ChatId,
    /// The language of whoever wrote it.
    pub(crate) language: Language,
}

/// What is sent of what was written: a copy, unless operators could read a claim link or token there.
pub(crate) async fn passed_on(
    app: &App,
    to: Passage,
    written: &WrittenMessage,
    post: impl Fn(Content) -> Content,
) -> Result<Message, Failure> {
    let is_withheld = written.holds_token && person_of(to.from).is_some();
    if let Some(group) = written.album.as_ref().filter(|_| !is_withheld) {
        return album(app, to, written, group, &post).await;
    }
    Ok(match copy(to, written) {
        Some(content) => to.cause.message("1", to.chat, post(content)),
        None => not_passed_on(to.cause, to.from, to.language, written),
    })
}

/// Whether anything of a message stands on the other side: see [`passed_on`].
fn is_shown(to: Passage, written: &WrittenMessage) -> bool {
    let is_of_album = written.album.is_some() && !written.holds_token;
    is_of_album || copy(to, written).is_some()
}

/// The copy of a message; nothing if operators could read a claim link or token there. What a person wrote is said in the words
/// that were seen: while it waits they may edit it, and a copy would show what it says by then.
fn copy(to: Passage, written: &WrittenMessage) -> Option<Content> {
    let copy = |text: Option<String>, caption: Option<String>, marks: Vec<TextMark>| {
        let as_words = text.is_some() && person_of(to.from).is_some();
        Content::Copy {
            from: to.from,
            message: written.message,
            text,
            caption,
            marks,
            as_words,
            asked_by: None,
            language: to.language,
        }
    };
    if person_of(to.from).is_none() {
        return Some(copy(written.text.clone(), None, Vec::new()));
    }
    match (&written.text, &written.caption) {
        (Some(text), _) => {
            let words = shown(to.from, text, written);
            Some(copy(Some(words.text), None, words.marks))
        }
        (None, Some(caption)) => {
            let words = shown(to.from, caption, written).cut(CAPTION_UNITS);
            Some(copy(None, Some(words.text), words.marks))
        }
        (None, None) if written.holds_token => None,
        (None, None) => {
            let none = written.takes_caption.then(String::new);
            Some(copy(None, none, Vec::new()))
        }
    }
}

/// Tells somebody that a message of theirs is not passed on.
fn not_passed_on(
    cause: RelayCause,
    chat: ChatId,
    language: Language,
    written: &WrittenMessage,
) -> Message {
    let content = Content::Answer {
        to: written.message,
        html: Text::NotPassedOn.html(language),
    };
    cause.message("1", chat, content)
}

/// Adds a part to its album. One that comes after the others were copied is copied alone.
async fn album(
    app: &App,
    to: Passage,
    written: &WrittenMessage,
    group: &str,
    post: impl Fn(Content) -> Content,
) -> Result<Message, Failure> {
    let part = AlbumPart {
        message: written.message,
        at: to.cause.at,
        update: to.cause.update,
    };
    let now = app.clock.now();
    Ok(
        match app.relay_map.add_part(to.from, group, part, now).await? {
            PartAdded::Album(album) => {
                let content = Content::Album {
                    from: to.from,
                    group: group.to_owned(),
                    first: album.first,
                    language: to.language,
                };
                let cause = to.cause.of_album(&album);
                cause.message("1", to.chat, post(content))
            }
            PartAdded::TooLate => match copy(to, written) {
                Some(content) => to.cause.message("1", to.chat, post(content)),
                None => not_passed_on(to.cause, to.from, to.language, written),
            },
        },
    )
}

/// A text that arrives without a sound.
fn silent(html: String) -> Content {
    Content::Text {
        html,
        buttons: Vec::new(),
        protect: false,
        silent: true,
    }
}

/// What is pinned in a topic: who it is, their language, and their seats.
async fn card(app: &App, author: RelayAuthor, name: &str) -> Result<String, Failure> {
    let now = app.clock.now();
    let mut seats = app.seats.of(author.person).await?;
    seats.retain(|seat| seat.is_admitted(now));
    let mut titles = Vec::new();
    for seat in &seats {
        let title = app.chat_infos.title(seat.chat).await?;
        let title = title.unwrap_or_else(|| seat.chat.to_string());
        titles.push((title, seat.standing(now).until));
    }
    let lines: Vec<AccessLine<'_>> = titles
        .iter()
        .map(|(title, until)| AccessLine {
            chat: Name(title),
            until: until.map(Date),
        })
        .collect();
    let language = app.default_language;
    let head = Text::TopicHead {
        person: Name(name),
        language: Name(author.language.name()),
    };
    let below = match lines.is_empty() {
        true => Text::TopicNoSeat.html(language),
        false => access(language, &lines),
    };
    Ok(format!("{}\n\n{below}", head.html(language)))
}

/// The name that a topic is to have, if its person shows another one by now.
fn renamed(record: &TopicRecord, owner: TopicOwner, written: &WrittenMessage) -> Option<String> {
    let known = record.name.as_deref()?;
    let name = owner.topic_name(&written.author_name);
    (owner != TopicOwner::Newcomers && known != name).then_some(name)
}

/// A person is told that their words have arrived, and when somebody is there to read them.
fn arrived(app: &App, cause: RelayCause, author: RelayAuthor) -> Message {
    let opening = app
        .support_hours
        .and_then(|hours| hours.next_opening(cause.at));
    let text = match opening {
        None => Text::SupportArrived,
        Some(from) => Text::SupportArrivedLater { from: Date(from) },
    };
    Message {
        class: Class::Reply,
        not_after: Some(cause.at.plus(ARRIVED_AGE)),
        ..cause.message(
            "3arrived",
            author.chat(),
            silent(text.html(author.language)),
        )
    }
}

/// Puts messages, in their order, and rings.
pub(crate) async fn put(app: &App, cause: RelayCause, messages: &[Message]) -> Result<(), Failure> {
    for message in messages {
        app.messages.put(message, app.clock.now()).await?;
    }
    app.message_bells.ring(cause.bot).await;
    Ok(())
}
