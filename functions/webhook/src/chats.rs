//! Chats that have become others: a group that is made a supergroup gets another id. All that is known of it stays under the
//! one by which its payments are known.
//!
//! It is heard of in three ways, of which one is enough: by the service message, which the bot gets that people talk with if it
//! is in the chat; by a join request with the chat's own link, which any bot gets; by the dispatcher, when Telegram refuses the
//! old id. So no bot asks for every message of its chats for this alone.
//!
//! ```text
//! note the other id       die here: Telegram sends the update again, or the next one tells
//! handle the update       as one of the chat that it was
//! ```

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use domain::id::ChatId;
use domain::update::{ChatMoved, JoinRequest, UpdateKind};
use tracing::{error, info};

use crate::{App, Failure, UpdateOutcome};

/// The chats that are known to have become others, each new id with the one by which its payments are known. That never changes.
#[derive(Default)]
pub(crate) struct MovedChats(Mutex<BTreeMap<ChatId, ChatId>>);

impl MovedChats {
    /// The id by which the payments of a chat are known that has become `chat`.
    pub(crate) fn canonical_of(&self, chat: ChatId) -> Option<ChatId> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&chat).copied()
    }

    fn learn(&self, chat: ChatId, canonical: ChatId) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(chat, canonical);
    }
}

/// Finds out whether the chat of an update is one of ours that got another id. Where a group of ours may have got one, it costs a
/// read of each chat that no setting names, and nothing else.
pub(crate) async fn learn(app: &App, kind: &UpdateKind) -> Result<(), Failure> {
    if !app.chats.all().any(|(chat, _)| chat.is_basic_group()) {
        return Ok(());
    }
    let chat = match kind {
        UpdateKind::Member(change) => change.chat(),
        UpdateKind::JoinRequest(request) => Some(request.chat),
        UpdateKind::Bot(membership) => Some(membership.chat).filter(|_| !membership.is_private),
        UpdateKind::Group(message) => Some(message.chat),
        _ => None,
    };
    let Some(chat) = chat.filter(|chat| !app.is_ours(*chat) && app.operator_chat != Some(*chat))
    else {
        return Ok(());
    };
    let known = app.chat_infos.canonical_of(chat).await?;
    match (known.filter(|known| app.chats.contains(*known)), kind) {
        (Some(canonical), _) => app.moved_chats.learn(chat, canonical),
        (None, UpdateKind::JoinRequest(request)) => by_link(app, request).await?,
        (None, _) => {}
    }
    Ok(())
}

/// Somebody asks at an unknown chat by the link of one of ours: it is that chat.
async fn by_link(app: &App, request: &JoinRequest) -> Result<(), Failure> {
    let Some(link) = &request.link else {
        return Ok(());
    };
    for (_, canonical) in app.chats.all() {
        if !app.deliveries.is_claimed(canonical) {
            continue;
        }
        let info = app.chat_infos.get(canonical).await?;
        if info.is_some_and(|info| info.request_link == *link) {
            return note(app, canonical, request.chat).await;
        }
    }
    Ok(())
}

/// Telegram says that a group has become a supergroup.
pub(crate) async fn moved(app: &App, moved: &ChatMoved) -> Result<UpdateOutcome, Failure> {
    let ours = app
        .chats
        .named(moved.chat)
        .filter(|_| !app.is_ours(moved.to));
    let Some((_, canonical)) = ours else {
        info!(chat.id = %moved.chat, outcome = "ignored", "a group has become a supergroup, which is none of ours or is known");
        return Ok(UpdateOutcome::Ignored);
    };
    note(app, canonical, moved.to).await?;
    Ok(UpdateOutcome::Handled)
}

async fn note(app: &App, canonical: ChatId, to: ChatId) -> Result<(), Failure> {
    app.chat_infos.moved(canonical, to, app.clock.now()).await?;
    app.moved_chats.learn(to, canonical);
    error!(chat.id = %canonical, chat.moved_to = %to, fault = "migrated",
        "the group became a supergroup: name it in TELEGRAM_CHAT_ID as new=old");
    Ok(())
}
