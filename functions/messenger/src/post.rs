//! What a message asks of Telegram next: most are one call, and those of the relay look first for the topic, the copy or the
//! parts of an album that they are about.
//!
//! ```text
//! topic: claim CREATING     die here: another run waits 15 s for Telegram's own message, then makes one; refused: WANTED again
//! createForumTopic          die here: as above; Telegram's message tells whose it is, of two the second is closed
//! whose topic it is, OPEN   die here: as above
//! the message itself, at the next slot of its chat: each call takes one
//! the copy, both ways       die here: sent again
//! what follows (a reaction, a line) is put       die here: sent again, and put once, since its id is of the message's
//! settle
//! ```
//!
//! One message of a chat is under way at a time, so that two runs meet at one topic only if a lease was lost.

mod refused;

use std::time::Duration;

use domain::id::ChatId;
use domain::marked::{MarkedText, TextMark};
use domain::message::{
    Content, EditedPart, Message, MessageTask, SendFault, TopicOwner, TopicState, TopicStep,
    is_soon,
};
use domain::relay::{JoinedWords, RelayEnd, follow, is_behind};
use domain::time::Timestamp;
use futures_util::future::try_join_all;
use store::{CopyStanding, FoundMessage, RelayCopy, StoreError};
use telegram::{ChatCall, Outgoing};
use tracing::{info, warn};

use crate::App;
use crate::called::{self, Uncalled};

pub(crate) use refused::{not_made, refused};

/// How long after the last part of an album that was seen its parts are copied.
const ALBUM_WAIT: Duration = Duration::from_millis(1500);
/// How many tasks behind a message are looked at for words of the same person.
const JOINED_MAX: i32 = 50;
/// How long a process may take the operators' chat of before for the present one: it reads the setting when it starts.
const NEWS_WITHIN: Duration = Duration::from_secs(3600);
/// How soon another process is to look at a message for a chat that this one does not know.
const NEWS_ASKED: Duration = Duration::from_secs(60);

/// What a message asks for next.
pub(crate) enum NextStep {
    /// This call.
    Call(NextCall),
    /// Nothing before then.
    WaitUntil(Timestamp),
    /// Nothing: what it was about is gone, or as it is to be, or nobody is to see it.
    Nothing,
    /// Nothing: it may not be done, for this reason.
    Refused(String),
}

/// A call that a message asks for.
pub(crate) struct NextCall {
    /// The topic.
    pub(crate) thread: Option<i64>,
    pub(crate) call: ChatCall,
    pub(crate) purpose: CallPurpose,
}

/// What a call is for.
pub(crate) enum CallPurpose {
    /// It is the message itself, with the words of these others in it.
    Message(Vec<JoinedMessage>),
    /// The topic of the message is made, under this name; claimed at this time.
    Create(TopicOwner, String, Timestamp),
    /// It is opened again.
    Reopen(TopicOwner, i64),
}

/// A message whose words stand in another one.
pub(crate) struct JoinedMessage {
    pub(crate) task: MessageTask,
    /// What its person wrote.
    written: i64,
}

/// Finds what a message asks for next.
pub(crate) async fn next(
    app: &App,
    task: &MessageTask,
    message: &Message,
) -> Result<NextStep, StoreError> {
    let Content::InTopic {
        owner,
        topic_name,
        post,
        ..
    } = &message.content
    else {
        return plain(app, message, &message.content, message.thread).await;
    };
    let chat = message.chat;
    if app.operator_chat != Some(chat) {
        let now = app.clock.now();
        // Who put it may know of another operators' chat before this process does.
        if now.since(message.id.at()) < NEWS_WITHIN {
            return Ok(NextStep::WaitUntil(now.plus(NEWS_ASKED)));
        }
        warn!(message.id = %message.id, chat.id = %chat, outcome = "not_passed_on",
            "a message waited for an operators' chat that is none any more");
        ended(app, message, RelayEnd::Failed(SendFault::Refused)).await?;
        let why = "it waited for an operators' chat that is none any more";
        return Ok(NextStep::Refused(why.to_owned()));
    }
    let record = app.topics.get(*owner, chat).await?;
    let is_blocked = match post.author().map(TopicOwner::Person) {
        None => false,
        Some(author) if author == *owner => record.is_blocked,
        Some(author) => app.topics.get(author, chat).await?.is_blocked,
    };
    if is_blocked {
        // Also what they wrote before an operator blocked them.
        return Ok(NextStep::Refused("its writer is blocked".to_owned()));
    }
    // The copy says where it stands.
    if let Content::Edit {
        from, message: of, ..
    } = post.as_ref()
        && let CopyStanding::There(copy) = app.relay_map.standing(*from, *of).await?
        && copy.chat == chat
    {
        return plain(app, message, post, None).await;
    }
    let known = record.state;
    if matches!(**post, Content::Edit { .. }) && known.and_then(TopicState::thread).is_none() {
        // Nothing of theirs is shown that could follow it.
        return Ok(NextStep::Nothing);
    }
    if matches!(
        **post,
        Content::CloseTopic | Content::RenameTopic { .. } | Content::Line { .. }
    ) {
        // No topic is made, or opened, for that.
        return match known {
            Some(TopicState::Open(thread)) => plain(app, message, post, Some(thread)).await,
            _ => Ok(NextStep::Nothing),
        };
    }
    let now = app.clock.now();
    let call = |call, thread, purpose| {
        NextStep::Call(NextCall {
            thread,
            call,
            purpose,
        })
    };
    Ok(match TopicState::step(known, now) {
        TopicStep::Create if app.topics.claim(*owner, chat, known, now).await? => {
            let name = topic_name.clone();
            let purpose = CallPurpose::Create(*owner, name.clone(), now);
            call(ChatCall::CreateTopic { name }, None, purpose)
        }
        // Another run did it: that one may have made the topic by now.
        TopicStep::Create => NextStep::WaitUntil(now.plus(Duration::from_secs(1))),
        TopicStep::WaitUntil(at) => NextStep::WaitUntil(at),
        TopicStep::Reopen(thread) => {
            let purpose = CallPurpose::Reopen(*owner, thread);
            call(ChatCall::ReopenTopic, Some(thread), purpose)
        }
        TopicStep::Use(thread) => match joined(app, task, message, now).await? {
            Some((words, others)) => {
                let purpose = CallPurpose::Message(others);
                call(ChatCall::SendWords(words), Some(thread), purpose)
            }
            None => plain(app, message, post, Some(thread)).await?,
        },
    })
}

/// What is asked for by a content whose topic, if it has one, is there.
async fn plain(
    app: &App,
    message: &Message,
    content: &Content,
    thread: Option<i64>,
) -> Result<NextStep, StoreError> {
    let call = match content {
        Content::Text {
            html,
            buttons,
            protect,
            silent,
        } => ChatCall::Send(Outgoing {
            html: html.clone(),
            buttons: buttons.clone(),
            protect: *protect,
            silent: *silent,
            reply_to: None,
        }),
        Content::Answer { to, html } => ChatCall::Send(Outgoing {
            html: html.clone(),
            reply_to: Some(*to),
            ..Outgoing::default()
        }),
        Content::Pinned { html } | Content::About { html, .. } | Content::Line { html } => {
            ChatCall::Send(Outgoing {
                html: html.clone(),
                silent: true,
                ..Outgoing::default()
            })
        }
        Content::Copy {
            text: Some(text),
            as_words: true,
            marks,
            ..
        } => ChatCall::SendWords(marked(text, marks)),
        Content::Copy {
            from,
            message,
            caption,
            marks,
            ..
        } => ChatCall::Copy {
            from: *from,
            message: *message,
            caption: caption.as_ref().map(|caption| marked(caption, marks)),
        },
        Content::Album { from, group, .. } => return album(app, *from, group, thread).await,
        Content::Edit {
            from,
            message: written,
            text,
            marks,
            part,
            ..
        } => match app.relay_map.standing(*from, *written).await? {
            CopyStanding::TakenBack => return Ok(NextStep::Nothing),
            CopyStanding::There(RelayCopy { chat, message: of }) if chat == message.chat => {
                match part {
                    EditedPart::Text => ChatCall::EditText {
                        message: of,
                        text: marked(text, marks),
                    },
                    EditedPart::Caption => ChatCall::EditCaption {
                        message: of,
                        text: marked(text, marks),
                    },
                }
            }
            // It is gone, or stands in a message with others, or in another operators' chat. In these words: the original may
            // show more.
            _ => match part {
                EditedPart::Text => ChatCall::SendWords(marked(text, marks)),
                EditedPart::Caption => ChatCall::Copy {
                    from: *from,
                    message: *written,
                    caption: Some(marked(text, marks)),
                },
            },
        },
        Content::Delete {
            from, message: of, ..
        } => match app.relay_map.get(*from, *of).await? {
            Some(copy) if copy.chat == message.chat => ChatCall::Delete {
                message: copy.message,
            },
            _ => return Ok(NextStep::Nothing),
        },
        Content::React { message } => ChatCall::React { message: *message },
        Content::Pin { message } => ChatCall::Pin { message: *message },
        Content::Call {
            actor,
            method,
            parameters,
        } => match called::next(app, message, actor, (method, parameters)).await? {
            Ok(call) => call,
            Err(Uncalled::Refused(why)) => return Ok(NextStep::Refused(why)),
            Err(Uncalled::WaitsUntil(at)) => return Ok(NextStep::WaitUntil(at)),
        },
        Content::CloseTopic => ChatCall::CloseTopic,
        Content::DeleteTopic => ChatCall::DeleteTopic,
        Content::RenameTopic { name } => ChatCall::RenameTopic { name: name.clone() },
        Content::InTopic { .. } => {
            warn!(message.id = %message.id, fault = "poison", "a message of a topic within a topic is dropped");
            return Ok(NextStep::Nothing);
        }
    };
    Ok(NextStep::Call(NextCall {
        thread,
        call,
        purpose: CallPurpose::Message(Vec::new()),
    }))
}

fn marked(text: &str, marks: &[TextMark]) -> MarkedText {
    MarkedText {
        text: text.to_owned(),
        marks: marks.to_vec(),
    }
}

/// An album is copied once no part was seen for a while.
async fn album(
    app: &App,
    from: ChatId,
    group: &str,
    thread: Option<i64>,
) -> Result<NextStep, StoreError> {
    let now = app.clock.now();
    let Some(known) = app.relay_map.album_of(from, group).await? else {
        return Ok(NextStep::Nothing);
    };
    let ready_at = known.last_at.plus(ALBUM_WAIT);
    // What was written by a clock that was ahead is not waited for.
    if ready_at > now && known.last_at <= now.plus(ALBUM_WAIT) {
        return Ok(NextStep::WaitUntil(ready_at));
    }
    let taken = app.relay_map.take_album(from, group, now).await?;
    if taken.is_withheld {
        return Ok(NextStep::Nothing);
    }
    let messages = taken.parts;
    Ok(NextStep::Call(NextCall {
        thread,
        call: ChatCall::CopyAll { from, messages },
        purpose: CallPurpose::Message(Vec::new()),
    }))
}

/// The words of a message that has waited long, and of those behind it by the same person, as one message.
async fn joined(
    app: &App,
    task: &MessageTask,
    message: &Message,
    now: Timestamp,
) -> Result<Option<(MarkedText, Vec<JoinedMessage>)>, StoreError> {
    let Some((owner, _, said)) = words(&message.content).filter(|_| is_behind(message, now)) else {
        return Ok(None);
    };
    let Content::InTopic { language, .. } = &message.content else {
        return Ok(None);
    };
    let mut words_of_all = JoinedWords::new(said, message.id.at(), *language);
    let mut others = Vec::new();
    let key = task.key();
    let page = app.messages.page(key.lane, Some(&key.place), JOINED_MAX);
    let behind = page
        .await?
        .found
        .into_iter()
        .filter_map(|found| match found {
            FoundMessage::Task(next) if next.class == task.class && next.not_before.is_none() => {
                Some(*next)
            }
            _ => None,
        });
    let read = behind.map(async |next| {
        let record = match app.messages.get(next.chat, &next.message).await {
            Err(StoreError::Malformed { .. }) => None,
            record => Some(record?),
        };
        Ok::<_, StoreError>((next, record))
    });
    for (next, record) in try_join_all(read).await? {
        // What can't be read is parked when its turn comes.
        let Some(record) = record else {
            break;
        };
        let Some(record) = record else {
            continue;
        };
        let Content::InTopic { owner: of_next, .. } = &record.message.content else {
            continue;
        };
        if *of_next != owner || record.state.is_settled() {
            continue;
        }
        // What is no words keeps its place among them.
        let Some((_, written, said)) = words(&record.message.content) else {
            break;
        };
        if !words_of_all.add(&said) {
            break;
        }
        others.push(JoinedMessage {
            task: next,
            written,
        });
    }
    match others.is_empty() {
        true => Ok(None),
        false => Ok(Some((words_of_all.said(now), others))),
    }
}

/// Whose words a content is, which message they stand in, and what they are.
fn words(content: &Content) -> Option<(TopicOwner, i64, MarkedText)> {
    let Content::InTopic { owner, post, .. } = content else {
        return None;
    };
    match post.as_ref() {
        // Each of several people is answered by an answer to a message of theirs.
        Content::Copy {
            message,
            text: Some(text),
            marks,
            ..
        } if *owner != TopicOwner::Newcomers => Some((*owner, *message, marked(text, marks))),
        _ => None,
    }
}

/// Writes what a call that is not the message itself has changed.
pub(crate) async fn prepared(
    app: &App,
    message: &Message,
    purpose: &CallPurpose,
    ids: &[i64],
) -> Result<(), StoreError> {
    match purpose {
        CallPurpose::Create(owner, name, _) => {
            if let Some(thread) = ids.first() {
                app.relay_map
                    .put_topic(message.chat, *thread, *owner)
                    .await?;
                let topic = (message.chat, *thread);
                app.topics
                    .open(*owner, topic, Some(name), app.clock.now())
                    .await?;
                info!(chat.id = %message.chat, topic.id = thread, outcome = "topic_created", "a topic was made");
            }
            Ok(())
        }
        CallPurpose::Reopen(owner, thread) => {
            let topic = (message.chat, *thread);
            app.topics
                .open(*owner, topic, None, app.clock.now())
                .await?;
            Ok(())
        }
        CallPurpose::Message(_) => Ok(()),
    }
}

/// Writes what the message itself has changed, and puts what follows.
pub(crate) async fn done(
    app: &App,
    message: &Message,
    call: &NextCall,
    ids: &[i64],
) -> Result<(), StoreError> {
    let (content, owner) = match &message.content {
        Content::InTopic { post, owner, .. } => (post.as_ref(), Some(*owner)),
        content => (content, None),
    };
    let joined = match &call.purpose {
        CallPurpose::Message(joined) => joined.as_slice(),
        CallPurpose::Create(..) | CallPurpose::Reopen(..) => &[],
    };
    match (content, &call.call) {
        // Several stand in one: that is of the last of them, and an edit of any is a new message.
        (Content::Copy { from, .. }, ChatCall::SendWords(_)) if !joined.is_empty() => {
            let last = joined.iter().map(|joined| joined.written).next_back();
            let now = app.clock.now();
            for (id, written) in ids.iter().zip(last) {
                let original = RelayCopy {
                    chat: *from,
                    message: written,
                };
                app.relay_map.put(message.chat, *id, &original, now).await?;
            }
        }
        (
            Content::Copy {
                from,
                message: written,
                asked_by,
                ..
            },
            _,
        ) => {
            let written = asked_by.unwrap_or(*written);
            pair(app, (*from, written), message.chat, ids).await?;
        }
        (
            Content::Edit {
                from,
                message: written,
                ..
            },
            ChatCall::Copy { .. } | ChatCall::SendWords(_),
        ) => {
            pair(app, (*from, *written), message.chat, ids).await?;
        }
        (Content::Album { from, .. }, ChatCall::CopyAll { messages, .. })
            if messages.len() == ids.len() =>
        {
            for (written, id) in messages.iter().zip(ids) {
                pair(app, (*from, *written), message.chat, &[*id]).await?;
            }
        }
        (
            Content::Delete {
                from,
                message: written,
                ..
            },
            _,
        ) => {
            app.relay_map.take_back(*from, *written).await?;
        }
        (Content::CloseTopic, _) => {
            if let (Some(owner), Some(thread)) = (owner, call.thread) {
                app.topics.close(owner, (message.chat, thread)).await?;
            }
        }
        (Content::RenameTopic { name }, _) => {
            if let (Some(owner), Some(thread)) = (owner, call.thread) {
                let topic = (message.chat, thread);
                app.topics
                    .open(owner, topic, Some(name), app.clock.now())
                    .await?;
            }
        }
        _ => {}
    }
    ended(app, message, RelayEnd::Done(ids.first().copied())).await
}

/// A message of the relay has ended: what follows is put.
pub(crate) async fn ended(app: &App, message: &Message, end: RelayEnd) -> Result<(), StoreError> {
    let Some(following) = follow(message, end) else {
        return Ok(());
    };
    app.messages.put(&following, app.clock.now()).await?;
    app.bells.ring(following.bot).await;
    Ok(())
}

/// A message is tried again at `at`. Where several people write, others go on meanwhile, so whose words it is is said above it once
/// more.
pub(crate) async fn put_off(app: &App, message: &Message, at: Timestamp) -> Result<(), StoreError> {
    let now = app.clock.now();
    let is_shared = match &message.content {
        Content::InTopic { owner, post, .. } => {
            *owner == TopicOwner::Newcomers && !matches!(**post, Content::About { .. })
        }
        _ => false,
    };
    let Some(head) = message.id.beside("0head") else {
        return Ok(());
    };
    if !is_shared || is_soon(at, now) {
        return Ok(());
    }
    let head = match app.messages.get(message.chat, &head).await {
        Ok(Some(record)) => record.message,
        Ok(None) | Err(StoreError::Malformed { .. }) => return Ok(()),
        Err(fault) => return Err(fault),
    };
    let Some(id) = head.id.beside(&format!("0head{}", at.ms())) else {
        return Ok(());
    };
    let not_before = Some(at);
    let again = Message {
        id,
        not_before,
        ..head
    };
    app.messages.put(&again, now).await?;
    Ok(())
}

/// Writes both ways which message is the copy of which.
async fn pair(
    app: &App,
    (from, written): (ChatId, i64),
    chat: ChatId,
    ids: &[i64],
) -> Result<(), StoreError> {
    let now = app.clock.now();
    for id in ids {
        let there = RelayCopy { chat, message: *id };
        let back = RelayCopy {
            chat: from,
            message: written,
        };
        app.relay_map.put(chat, *id, &back, now).await?;
        app.relay_map.put(from, written, &there, now).await?;
    }
    Ok(())
}
