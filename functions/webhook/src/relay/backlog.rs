//! Whether more of what a person writes is passed on while what they wrote before still waits.
//!
//! ```text
//! count it                      die here: counted, and passed on when the update is sent again, without a count
//! the mark has left: the new one is this message      die here: as above; one that was never put has left, too
//! ```

use domain::message::{Class, Content, Message, MessageId, MessageKey, TopicOwner};
use domain::texts::Text;

use super::{RelayAuthor, RelayCause, put};
use crate::{App, Failure};

/// How often a message is counted if other ones of the person become the mark at the same moment.
const TRIES: u32 = 3;

/// Counts a message of a person; answers the mark for which it has to wait, if it is not taken.
pub(crate) async fn waits_for(
    app: &App,
    cause: RelayCause,
    author: RelayAuthor,
) -> Result<Option<MessageId>, Failure> {
    let (own, next) = (TopicOwner::Person(author.person), cause.id("1"));
    for _ in 0..TRIES {
        let known = app.topics.count_word(own, &next, cause.at).await?;
        if !known.is_full() {
            return Ok(None);
        }
        let key = MessageKey::of(cause.bot, cause.desk, Class::Operator, &known.mark);
        if app.messages.task(&key).await?.is_some() {
            return Ok(Some(known.mark));
        }
        if app.topics.mark(own, &known.mark, &next).await? {
            return Ok(None);
        }
    }
    Ok(None)
}

/// Tells a person, once for a mark, that a message of theirs is not taken.
pub(crate) async fn refuse(
    app: &App,
    cause: RelayCause,
    author: RelayAuthor,
    (message, mark): (i64, &MessageId),
) -> Result<(), Failure> {
    let content = Content::Answer {
        to: message,
        html: Text::TooManyMessages.html(author.language),
    };
    let told = Message {
        id: mark.then("full"),
        class: Class::Reply,
        ..cause.message("full", author.chat(), content)
    };
    put(app, cause, &[told]).await
}
