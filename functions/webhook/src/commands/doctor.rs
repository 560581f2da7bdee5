//! `/doctor`: how it stands with the chats and with what could not be handled, as far as the tables tell. What only a bot's
//! token shows is for `setup` and `admit doctor`.

use domain::id::ChatId;
use domain::message::Class;
use domain::task::Lane;
use domain::texts::html::{MESSAGE_UNITS, cut};
use domain::texts::{Name, Text};

use super::pause::paused_lines;
use crate::Failure;
use crate::conversation::Conversation;

/// How many waiting tasks of a lane are counted at most.
const COUNTED: i32 = 100;
/// How many parked updates are counted at most.
const PARKED: i32 = 50;

pub(super) async fn run(conversation: &Conversation<'_>) -> Result<(), Failure> {
    let app = conversation.app;
    let mut lines = Vec::new();
    for (_, canonical) in app.chats.all() {
        lines.extend(of_chat(conversation, canonical).await?);
    }
    let parked = app.updates.parked(PARKED).await?.len();
    if parked > 0 {
        let number = count(parked);
        lines.push(Text::UpdatesParked { number }.html(conversation.language));
    }
    let html = cut(&lines.join("\n"), MESSAGE_UNITS);
    conversation.say(Class::Reply, html, Vec::new()).await
}

async fn of_chat(
    conversation: &Conversation<'_>,
    canonical: ChatId,
) -> Result<Vec<String>, Failure> {
    let (app, language) = (conversation.app, conversation.language);
    let now = app.clock.now();
    let title = conversation.title(canonical).await?;
    let chat = Name(&title);
    let mut lines = Vec::new();
    let is_claimed = app.deliveries.is_claimed(canonical);
    if is_claimed && app.chat_infos.get(canonical).await?.is_none() {
        lines.push(Text::ChatNoDoor { chat }.html(language));
    }
    let lease = app.limits_of_chats.get(canonical).await?;
    let pause = lease.operator_pause.as_ref();
    if let Some(pause) = pause.filter(|pause| pause.lasts(now)) {
        lines.extend(paused_lines(conversation, &title, pause));
    }
    if lease
        .limiters
        .values()
        .any(|limiter| limiter.circuit.is_open())
    {
        lines.push(Text::ChatBroken { chat }.html(language));
    }
    if lines.is_empty() {
        lines.push(Text::ChatReady { chat }.html(language));
    }
    let mut waiting = 0;
    for lane in Lane::mints(canonical) {
        waiting += app.tasks.page(lane, None, COUNTED).await?.found.len();
    }
    if waiting > 0 {
        let number = count(waiting);
        lines.push(Text::ChatWaiting { chat, number }.html(language));
    }
    Ok(lines)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
