//! `/stop`: no marketing any more.

use domain::button::ButtonData;
use domain::message::Class;
use domain::texts::{Label, Text};

use crate::Failure;
use crate::conversation::Conversation;

pub(super) async fn run(conversation: &Conversation<'_>) -> Result<(), Failure> {
    let (app, person) = (conversation.app, conversation.person());
    app.people.opt_out(person, true, app.clock.now()).await?;
    let again = conversation.button(&Label::NewsAgain, ButtonData::NewsAgain);
    let html = Text::Stopped.html(conversation.language);
    conversation.say(Class::Reply, html, vec![again]).await
}
