//! `/doctor`: how it stands with the chats and with what could not be handled, as far as the tables tell. What only a bot's
//! token shows is for `setup` and `admit doctor`.

use domain::id::ChatId;
use domain::message::Class;
use domain::task::Lane;
use domain::texts::html::{MESSAGE_UNITS, cut};
use domain::texts::{Name, Text};
use futures_util::future::{try_join, try_join_all, try_join3};

use super::pause::paused_lines;
use crate::Failure;
use crate::conversation::Conversation;

/// How many waiting tasks of a lane are counted at most.
const COUNTED: i32 = 100;
/// How many parked updates are counted at most.
const PARKED: i32 = 50;

pub(super) async fn run(conversation: &Conversation<'_>) -> Result<(), Failure> {
    let app = conversation.app;
    let chats = app.chats.all();
    let chats = try_join_all(chats.map(|(_, canonical)| of_chat(conversation, canonical)));
    let parked = async { Ok(app.updates.parked(PARKED).await?.len()) };
    let (lines, parked) = try_join(chats, parked).await?;
    let mut lines = lines.concat();
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
    let waiting = Lane::mints(canonical).map(|lane| app.tasks.page(lane, None, COUNTED));
    let read = try_join3(
        app.chat_infos.get(canonical),
        app.limits_of_chats.get(canonical),
        try_join_all(waiting),
    );
    let (info, lease, waiting) = read.await?;
    let is_ready = info.is_some();
    let title = info.map_or_else(|| canonical.to_string(), |info| info.title);
    let chat = Name(&title);
    let mut lines = Vec::new();
    let is_claimed = app.deliveries.is_claimed(canonical);
    if is_claimed && !is_ready {
        lines.push(Text::ChatNoDoor { chat }.html(language));
    }
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
    let waiting: usize = waiting.iter().map(|page| page.found.len()).sum();
    if waiting > 0 {
        let number = count(waiting);
        lines.push(Text::ChatWaiting { chat, number }.html(language));
    }
    Ok(lines)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
