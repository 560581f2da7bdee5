//! A message to a person, put once: its id is made of the update that causes it.

use std::time::Duration;

use domain::id::{BotId, ChatId};
use domain::message::{Button, Class, Content, Message, MessageId, missed};
use domain::time::Timestamp;
use domain::update::Sender;
use store::FrontBot;
use tracing::info;

use crate::{App, Failure};

/// How late an answer is still worth something.
const REPLY_AGE: Duration = Duration::from_secs(600);

/// Whom a message is for, and what causes it.
#[derive(Clone, Copy)]
pub(crate) struct Cause {
    /// The bot that people talk with.
    pub(crate) bot: BotId,
    /// The chat: a private one has the id of its person.
    pub(crate) chat: ChatId,
    /// The topic there, in a forum.
    pub(crate) thread: Option<i64>,
    /// The number of the update.
    pub(crate) update: i64,
    /// Its time, by Telegram's clock.
    pub(crate) at: Timestamp,
}

impl Cause {
    /// Something that a person sent, which is answered in private.
    pub(crate) const fn private(
        front: &FrontBot,
        sender: &Sender,
        update: i64,
        at: Timestamp,
    ) -> Self {
        Self {
            bot: front.bot,
            chat: ChatId(sender.person.0),
            thread: None,
            update,
            at,
        }
    }
}

/// Has a second message sent, to `chat`, however often its update comes; durable on return. Its id is another one, since it
/// may go to the chat of the first.
pub(crate) async fn say_aside(
    app: &App,
    cause: Cause,
    chat: ChatId,
    html: String,
    buttons: Vec<Vec<Button>>,
) -> Result<(), Failure> {
    let (id, cause) = aside(cause, chat);
    put(app, id, cause, Class::Transactional, html, buttons, true).await
}

/// The same of one that the person is to pass on.
pub(crate) async fn say_aside_to_pass_on(
    app: &App,
    cause: Cause,
    chat: ChatId,
    html: String,
) -> Result<(), Failure> {
    let (id, cause) = aside(cause, chat);
    let class = Class::Transactional;
    put(app, id, cause, class, html, Vec::new(), false).await
}

fn aside(cause: Cause, chat: ChatId) -> (MessageId, Cause) {
    let id = MessageId::new(cause.at, &format!("update#{}#aside", cause.update));
    let cause = Cause {
        chat,
        thread: None,
        ..cause
    };
    (id, cause)
}

/// Has a message sent that the person is to pass on, however often its update comes; durable on return.
pub(crate) async fn say_to_pass_on(app: &App, cause: Cause, html: String) -> Result<(), Failure> {
    let id = MessageId::new(cause.at, &format!("update#{}", cause.update));
    let class = Class::Transactional;
    put(app, id, cause, class, html, Vec::new(), false).await
}

/// Has a message sent, however often its update comes; durable on return.
pub(crate) async fn say(
    app: &App,
    cause: Cause,
    class: Class,
    html: String,
    buttons: Vec<Vec<Button>>,
) -> Result<(), Failure> {
    let id = MessageId::new(cause.at, &format!("update#{}", cause.update));
    put(app, id, cause, class, html, buttons, true).await
}

async fn put(
    app: &App,
    id: MessageId,
    cause: Cause,
    class: Class,
    html: String,
    buttons: Vec<Vec<Button>>,
    protect: bool,
) -> Result<(), Failure> {
    let message = Message {
        id,
        bot: cause.bot,
        chat: cause.chat,
        thread: cause.thread,
        class,
        content: Content::Text {
            html,
            buttons,
            protect,
            silent: false,
        },
        not_before: None,
        not_after: (class == Class::Reply).then(|| cause.at.plus(REPLY_AGE)),
    };
    app.messages.put(&message, app.clock.now()).await?;
    app.message_bells.ring(cause.bot).await;
    Ok(())
}

/// How many of the newest messages to a person are looked at for those that they missed.
const MISSED_AMONG: i32 = 50;

/// Has a person told what they missed while the bot could not write to them: of each kind the newest, of what concerns
/// their access and their payments. Durable on return; the same update says it once.
pub(crate) async fn say_missed(app: &App, cause: Cause) -> Result<(), Failure> {
    let newest = app.messages.last(cause.chat, MISSED_AMONG).await?;
    let newest: Vec<_> = newest
        .into_iter()
        .map(|record| (record.message, record.state))
        .collect();
    let missed = missed(&newest, cause.at);
    for message in &missed {
        let again = Message {
            id: message.id.again(cause.at),
            not_before: None,
            ..(*message).clone()
        };
        app.messages.put(&again, app.clock.now()).await?;
    }
    if !missed.is_empty() {
        app.message_bells.ring(cause.bot).await;
        info!(
            outcome = "said_again",
            messages = missed.len(),
            "a person is told what they missed"
        );
    }
    Ok(())
}
