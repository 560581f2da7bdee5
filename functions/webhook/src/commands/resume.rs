//! `/resume <chat>`: ends a pause by hand, and tries a chat again that was found broken.

use domain::texts::{Name, Text};
use tracing::info;

use super::subject::chat_named;
use crate::Failure;
use crate::conversation::Conversation;

const EXAMPLE: &str = "/resume -1001234567890";

pub(super) async fn run(conversation: &Conversation<'_>, arguments: &str) -> Result<(), Failure> {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let app = conversation.app;
    let Some(named) = chat_named(app, &words) else {
        return conversation.unknown_chat().await;
    };
    if !named.rest.is_empty() {
        return conversation.how_to(EXAMPLE).await;
    }
    let who = format!("telegram:{}", conversation.person());
    let now = app.clock.now();
    app.limits_of_chats
        .resume_by(named.canonical, &who, now)
        .await?;
    app.bells.ring(named.canonical).await;
    info!(chat.id = %named.canonical, operator.name = who, outcome = "resumed", "an operator resumed a chat");
    let title = conversation.title(named.canonical).await?;
    let chat = Name(&title);
    conversation.answer(Text::ChatResumed { chat }).await
}
