//! `/pause <chat> [minutes] <reason>`: nobody works on a chat until that is over, or resumed.

use domain::lease::OperatorPause;
use domain::message::Class;
use domain::texts::{Date, Name, Text};
use tracing::info;

use super::subject::chat_named;
use crate::Failure;
use crate::conversation::Conversation;

const EXAMPLE: &str = "/pause -1001234567890 60 moving to another group";

pub(super) async fn run(conversation: &Conversation<'_>, arguments: &str) -> Result<(), Failure> {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let app = conversation.app;
    let Some(named) = chat_named(app, &words) else {
        return conversation.unknown_chat().await;
    };
    let minutes = named.rest.first().and_then(|word| word.parse().ok());
    let reason = match minutes {
        Some(_) => named.rest[1..].join(" "),
        None => named.rest.join(" "),
    };
    let who = format!("telegram:{}", conversation.person());
    // The time of the update: a repeat writes the same.
    let Some(pause) = OperatorPause::ask(&reason, &who, minutes, conversation.cause.at) else {
        return conversation.how_to(EXAMPLE).await;
    };
    app.limits_of_chats
        .operator_pause(named.canonical, &pause)
        .await?;
    info!(chat.id = %named.canonical, operator.name = who, outcome = "paused", "an operator paused a chat");
    let title = conversation.title(named.canonical).await?;
    let html = paused_lines(conversation, &title, &pause).join("\n");
    conversation.say(Class::Reply, html, Vec::new()).await
}

/// A pause, as lines.
pub(super) fn paused_lines(
    conversation: &Conversation<'_>,
    title: &str,
    pause: &OperatorPause,
) -> Vec<String> {
    let paused = Text::ChatPaused {
        chat: Name(title),
        reason: Name(&pause.reason),
    };
    let end = pause
        .until
        .map(|until| Text::PauseEnds { until: Date(until) });
    let texts = [Some(paused), end].into_iter().flatten();
    texts.map(|text| text.html(conversation.language)).collect()
}
