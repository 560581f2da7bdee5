//! What the bot has said to a person stands in their topic, too, as a line: what concerns their access and their payments.
//!
//! A line follows from its message, so it is put once; it comes after what people say to each other, and is dropped if it comes
//! late. None is worth a message that is sent twice, so whatever goes wrong with it is logged and nothing else.

use domain::message::{Class, Content, Message, TopicOwner, TopicState};
use domain::relay::{LINE_AGE, person_of, shown_line};
use domain::texts::Text;
use runtime::telemetry::chain;
use store::StoreError;
use tracing::warn;

use crate::App;

/// Has a message that was sent to a person shown in their topic, if it is open.
pub(crate) async fn show_sent(app: &App, message: &Message) {
    // What stands in the topic itself is copied, and no text.
    if let Content::Text { html, .. } = &message.content
        && message.class.is_sent_again()
    {
        show(app, message, Text::TopicSent, html).await;
    }
}

/// Has what was said to a person by a message, as HTML, shown in their topic, if it is open.
pub(crate) async fn show(app: &App, message: &Message, head: Text<'_>, said: &str) {
    if let Err(fault) = put_line(app, message, head, said).await {
        warn!(message.id = %message.id, fault = "unavailable", "what a person was sent is not shown in their topic: {}", chain(&fault));
    }
}

async fn put_line(
    app: &App,
    message: &Message,
    head: Text<'_>,
    said: &str,
) -> Result<(), StoreError> {
    let desk = app.operator_chat.filter(|_| app.shows_sent);
    let (Some(desk), Some(person)) = (desk, person_of(message.chat)) else {
        return Ok(());
    };
    let owner = TopicOwner::Person(person);
    let Some(TopicState::Open(_)) = app.topics.get(owner, desk).await?.state else {
        return Ok(());
    };
    let language = app.default_language;
    let line = Message {
        // One cause may say something to many.
        id: message.id.then(&format!("shown#{person}")),
        chat: desk,
        thread: None,
        class: Class::Reply,
        content: shown_line(head, said, owner, language),
        not_before: None,
        not_after: Some(app.clock.now().plus(LINE_AGE)),
        ..message.clone()
    };
    app.messages.put(&line, app.clock.now()).await?;
    app.bells.ring(line.bot).await;
    Ok(())
}
