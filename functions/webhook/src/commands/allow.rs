//! `/allow <person> <chat>`: somebody may be in a claimed chat for good, without a purchase.
//!
//! The entitlement has the id of the update, so that a repeat finds it and changes nothing.

use domain::member::entitlement::Cover;
use domain::texts::{Name, Text};
use tracing::info;

use super::extend::give;
use crate::Failure;
use crate::conversation::Conversation;

const EXAMPLE: &str = "/allow 123456789 -1001234567890";

pub(super) async fn run(conversation: &Conversation<'_>, arguments: &str) -> Result<(), Failure> {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let told = conversation.person_and_chat(&words, 0, EXAMPLE).await?;
    let Some((person, named)) = told else {
        return Ok(());
    };
    if !named.rest.is_empty() {
        return conversation.how_to(EXAMPLE).await;
    }
    let app = conversation.app;
    if !app.deliveries.is_claimed(named.canonical) {
        let title = conversation.title(named.canonical).await?;
        let chat = Name(&title);
        return conversation.answer(Text::GrantNotHere { chat }).await;
    }
    // Whoever has a seat is not forgotten.
    app.people.keep(person, app.clock.now()).await?;
    info!(by = %conversation.person(), person = %person, chat.id = %named.canonical, outcome = "allowed", "somebody may stay without a purchase");
    let seat = (person, named.canonical);
    give(conversation, seat, Cover::Forever).await
}
