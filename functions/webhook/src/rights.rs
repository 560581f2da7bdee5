//! The bot's own rights in a chat, and whether a person can be written to.
//!
//! Written by the date of the update, so that it may come twice and out of order.

use domain::hook::Announcement;
use domain::id::{BotId, ChatId};
use domain::message::Class;
use domain::person::Reachable;
use domain::reminder::{Reminder, leaves_at};
use domain::texts::{Language, Name, Text};
use domain::update::{AdministratorRight, BotMembership, BotStanding};
use tracing::{error, info};

use crate::say::{Cause, say};
use crate::unheard::is_unheard;
use crate::{App, Failure, UpdateOutcome, announce};

/// Something changed for the bot.
pub(crate) async fn changed(
    app: &App,
    bot: Option<BotId>,
    update: i64,
    membership: &BotMembership,
) -> Result<UpdateOutcome, Failure> {
    let front = match app.talks() {
        true => app.front().await?.map(|front| front.bot),
        false => None,
    };
    if membership.is_private {
        // Nobody is written to by another bot than the front bot.
        if front.is_none() || bot.is_some_and(|bot| Some(bot) != front) {
            return Ok(UpdateOutcome::Ignored);
        }
        let reachable = match membership.standing {
            BotStanding::Out => Reachable::No,
            BotStanding::Administrator { .. } | BotStanding::Member => Reachable::Yes,
        };
        let person = membership.by.person;
        if is_unheard(app, person, membership.at).await? {
            return Ok(UpdateOutcome::Ignored);
        }
        app.people.reach(person, reachable, membership.at).await?;
        return Ok(UpdateOutcome::Handled);
    }
    match app.is_ours(membership.chat) {
        true => in_our_chat(app, bot.or(front), update, membership).await,
        false => elsewhere(app, bot.or(front), update, membership).await,
    }
}

/// In a chat that we sell: without its rights nobody comes in.
async fn in_our_chat(
    app: &App,
    bot: Option<BotId>,
    update: i64,
    membership: &BotMembership,
) -> Result<UpdateOutcome, Failure> {
    let chat = app.canonical_chat(membership.chat);
    if app.deliveries.is_claimed(chat) {
        let door = app.chat_infos.get(chat).await?.map(|info| info.door_bot);
        // People come in by its door bot; another one needs no right there.
        if bot.is_some() && door.is_some() && bot != door {
            return Ok(UpdateOutcome::Ignored);
        }
    }
    let lacks = lacking(&membership.standing);
    let title = Name(&membership.title);
    if lacks.is_empty() {
        info!(chat.id = %chat, outcome = "rights", "a bot has its rights in a chat");
        tell_owners(app, update, membership, Text::RightsBack { chat: title }).await?;
    } else {
        error!(chat.id = %chat, fault = "rights_lost", lacks, "a bot lost what it needs in a chat, so that nobody comes in by it; give it back");
        let lost = Announcement::bot_rights_lost(bot, chat, &lacks, membership.at);
        announce::tell(app, Some(lost)).await?;
        let text = Text::RightsLost {
            chat: title,
            right: Name(&lacks),
        };
        tell_owners(app, update, membership, text).await?;
    }
    Ok(UpdateOutcome::Handled)
}

/// In a chat that no setting names: an owner who sets one up is told its id and what is missing. One to which somebody
/// without a role has just added the bot is left, unless it is one of ours by then, or an owner acts there meanwhile.
async fn elsewhere(
    app: &App,
    bot: Option<BotId>,
    update: i64,
    membership: &BotMembership,
) -> Result<UpdateOutcome, Failure> {
    let is_in = membership.standing != BotStanding::Out;
    if !is_in || app.operator_chat == Some(membership.chat) {
        return Ok(UpdateOutcome::Ignored);
    }
    if !app.owners.contains(&membership.by.person) {
        return match bot.filter(|_| !membership.was_in && app.talks()) {
            Some(bot) => foreign(app, bot, membership).await,
            None => Ok(UpdateOutcome::Ignored),
        };
    }
    wanted(app, bot, membership).await?;
    let (id, lacks) = (membership.chat.to_string(), lacking(&membership.standing));
    let text = Text::AddedToChat {
        chat: Name(&membership.title),
        id: Name(&id),
        right: Name(if lacks.is_empty() { "-" } else { &lacks }),
    };
    tell_owners(app, update, membership, text).await?;
    Ok(UpdateOutcome::Handled)
}

/// Has the bot leave a chat, in a while. One that is in `Chats`, by any of its ids, was sold once.
async fn foreign(
    app: &App,
    bot: BotId,
    membership: &BotMembership,
) -> Result<UpdateOutcome, Failure> {
    let chat = membership.chat;
    let known = app.people.get(membership.by.person).await?;
    if known.is_some_and(|known| known.role.is_some()) {
        wanted(app, Some(bot), membership).await?;
        return Ok(UpdateOutcome::Ignored);
    }
    if app.chat_infos.knows(chat).await? {
        return Ok(UpdateOutcome::Ignored);
    }
    let at = leaves_at(membership.at);
    app.reminders
        .put(bot, at, Reminder::ForeignChat(chat))
        .await?;
    info!(chat.id = %chat, bot.id = %bot, outcome = "foreign_chat",
        "somebody without a role added the bot to a chat that no setting names; it leaves in ten minutes");
    Ok(UpdateOutcome::Handled)
}

/// Somebody with a role acts in a chat that no setting names: the bot does not leave it, if a stranger had added it before.
async fn wanted(app: &App, bot: Option<BotId>, membership: &BotMembership) -> Result<(), Failure> {
    let Some(bot) = bot.filter(|_| app.talks()) else {
        return Ok(());
    };
    let at = leaves_at(membership.at);
    let wanted = Reminder::WantedChat(membership.chat);
    app.reminders.put(bot, at, wanted).await?;
    Ok(())
}

/// What the bot lacks, by the names that Telegram's API has for it; empty if nothing.
fn lacking(standing: &BotStanding) -> String {
    match standing {
        BotStanding::Administrator { lacks } => {
            let names: Vec<&str> = lacks
                .iter()
                .copied()
                .map(AdministratorRight::as_str)
                .collect();
            names.join(", ")
        }
        BotStanding::Member | BotStanding::Out => "administrator".to_owned(),
    }
}

/// Owners who never started the bot can't be written to: for them there is the alarm.
async fn tell_owners(
    app: &App,
    update: i64,
    membership: &BotMembership,
    text: Text<'_>,
) -> Result<(), Failure> {
    if !app.talks() {
        return Ok(());
    }
    let Some(front) = app.front().await? else {
        return Ok(());
    };
    for owner in &app.owners {
        let known = app.people.get(*owner).await?;
        let Some(known) = known.filter(|known| known.reachable == Reachable::Yes) else {
            continue;
        };
        let language = Language::choose(known.language, None, app.default_language);
        let cause = Cause {
            bot: front.bot,
            chat: ChatId(owner.0),
            thread: None,
            update,
            at: membership.at,
        };
        let html = text.html(language);
        say(app, cause, Class::Transactional, html, Vec::new()).await?;
    }
    Ok(())
}
