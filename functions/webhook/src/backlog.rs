//! Whether more of what a person writes is passed on while what they wrote before still waits.

use domain::message::{Class, Content, Message, MessageKey};
use domain::person::Intake;
use domain::relay::RelayBacklog;
use domain::texts::Text;

use crate::relay::{RelayAuthor, RelayCause, put};
use crate::{App, Failure};

/// What becomes of what a person wrote, of whom this was known, and what is known then; that is written once it is passed on.
pub(crate) async fn intake(
    app: &App,
    cause: RelayCause,
    known: Option<RelayBacklog>,
) -> Result<(Intake, RelayBacklog), Failure> {
    let full = known.as_ref().filter(|known| known.is_full());
    let mark_waits = match full {
        Some(full) => {
            let key = MessageKey::of(cause.bot, cause.desk, Class::Operator, &full.mark);
            app.messages.task(&key).await?.is_some()
        }
        None => false,
    };
    Ok(RelayBacklog::intake(known, &cause.id("1"), mark_waits))
}

/// Tells a person that a message of theirs is not taken.
pub(crate) async fn refuse(
    app: &App,
    cause: RelayCause,
    author: RelayAuthor,
    message: i64,
) -> Result<(), Failure> {
    let content = Content::Answer {
        to: message,
        html: Text::TooManyMessages.html(author.language),
    };
    let told = Message {
        class: Class::Reply,
        ..cause.message("full", author.chat(), content)
    };
    put(app, cause, &[told]).await
}
