//! What a bot looks at when its time has come: topics that may be silent, and chats that may be none of ours.
//!
//! ```text
//! somebody spoke since    put the next reminder    die here: this one is looked at again, and a second one is nobody's
//!                         it is the topic's        die here: this one is nobody's by now, and is deleted
//! nobody did              put the closing          die here: put again, it is known by its id
//!                         the topic has none       die here: this one is nobody's by now, and is deleted
//! a foreign chat          leave it                 die here: it is left again, which Telegram refuses
//!                         unless somebody with a role acted there since, whose word lies behind this one
//!                         429: note the wait       die here: it is asked once more, and says so again
//! delete the reminder
//! ```
//!
//! A wait that Telegram asks for here is noted for the chat alone: no message met it, and strangers, who add the bot to many
//! chats, must not hold up what is said to others.

use domain::id::{BotId, ChatId, TelegramUserId};
use domain::lease::Paused;
use domain::limiter::Pause;
use domain::message::{Class, Content, Message, MessageId, SendFault, TopicOwner, TopicState};
use domain::reminder::{Reminder, silent_at, wanted_between};
use domain::time::Timestamp;
use runtime::telemetry::chain;
use store::StoreError;
use telegram::{Telegram, TelegramError};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::App;

/// How many reminders of a bot one tick looks at.
const REMINDERS: i32 = 25;

/// Looks at what is due of a bot, and begins nothing after `until`. What can't be seen to is left to the next tick.
pub(crate) async fn look(app: &App, telegram: &Telegram, until: Instant) {
    let bot = telegram.bot();
    let due = match app.reminders.due(bot, app.clock.now(), REMINDERS).await {
        Ok(due) => due,
        Err(fault) => return failed(bot, &fault),
    };
    // While one chat waits, none is left.
    let mut may_leave = true;
    for due in due {
        if app.clock.monotonic() >= until {
            return;
        }
        let is_done = match due.reminder {
            Some(Reminder::Silence(person)) => match silence(app, bot, person, due.at).await {
                Ok(()) => true,
                Err(fault) => {
                    failed(bot, &fault);
                    // It would be met again and again, before its neighbours.
                    fault.is_lasting()
                }
            },
            Some(Reminder::WantedChat(_)) => true,
            Some(Reminder::ForeignChat(_)) if !may_leave => false,
            Some(Reminder::ForeignChat(chat)) => match foreign(app, telegram, chat, due.at).await {
                Ok(end) => {
                    may_leave = end != ForeignEnd::Waits;
                    end == ForeignEnd::Settled
                }
                Err(fault) => {
                    failed(bot, &fault);
                    // A wait may not be known, or not be stored.
                    may_leave = false;
                    false
                }
            },
            None => {
                error!(bot.id = %bot, fault = "poison", "a reminder can't be read, it is deleted");
                true
            }
        };
        if is_done && let Err(fault) = app.reminders.delete(bot, &due).await {
            failed(bot, &fault);
        }
    }
}

fn failed(bot: BotId, fault: &StoreError) {
    error!(bot.id = %bot, fault = "unavailable", "a reminder can't be seen to: {}", chain(fault));
}

/// Closes the topic of a person in which nobody has said anything for long, or moves its reminder.
async fn silence(
    app: &App,
    bot: BotId,
    person: TelegramUserId,
    at: Timestamp,
) -> Result<(), StoreError> {
    let owner = TopicOwner::Person(person);
    let Some(desk) = app.operator_chat else {
        return app.topics.remind(owner, at, None).await;
    };
    let topic = app.topics.get(owner, desk).await?;
    // Another one has taken its place, or the person is gone.
    if topic.reminder_at != Some(at) {
        return Ok(());
    }
    let Some(TopicState::Open(_)) = topic.state else {
        return app.topics.remind(owner, at, None).await;
    };
    let last = topic.relayed_at.max(topic.answered_at);
    if let Some(next) = last.map(silent_at).filter(|next| *next > at) {
        app.reminders
            .put(bot, next, Reminder::Silence(person))
            .await?;
        return app.topics.remind(owner, at, Some(next)).await;
    }
    let close = Message {
        id: MessageId::new(at, &format!("silence#{person}")),
        bot,
        chat: desk,
        thread: None,
        class: Class::Operator,
        content: Content::InTopic {
            owner,
            topic_name: owner.topic_name(""),
            language: app.default_language,
            post: Box::new(Content::CloseTopic),
        },
        not_before: None,
        not_after: None,
    };
    app.messages.put(&close, app.clock.now()).await?;
    app.bells.ring(bot).await;
    info!(
        outcome = "topic_silent",
        "a topic in which nobody has said anything for 14 days is closed"
    );
    app.topics.remind(owner, at, None).await
}

/// Whether a chat that is none of ours is left.
enum Leaving {
    Now,
    /// Telegram has told the bot to wait, or the chat: nobody calls it then, and the next tick looks again.
    Later,
    /// Somebody with a role acted there since.
    CalledOff,
}

/// Whether a chat is left, by a reminder of this time.
async fn leaving(
    app: &App,
    bot: BotId,
    chat: ChatId,
    at: Timestamp,
) -> Result<Leaving, StoreError> {
    let wanted = Reminder::WantedChat(chat);
    let is_wanted = app.reminders.has_between(bot, wanted, wanted_between(at));
    if is_wanted.await? {
        return Ok(Leaving::CalledOff);
    }
    let (lease, now) = (app.limits.get(bot).await?, app.clock.now());
    let pauses = [lease.pauses.get(&bot), lease.chat_pauses.get(&chat)];
    let mut pauses = pauses.into_iter().flatten();
    Ok(match pauses.any(|pause| pause.until > now) {
        true => Leaving::Later,
        false => Leaving::Now,
    })
}

/// What became of a chat that may be none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ForeignEnd {
    /// It is left, or is one of ours, or the bot is not in it.
    Settled,
    /// It could not be left: the next tick tries again.
    Later,
    /// Telegram has the bot wait.
    Waits,
}

/// Leaves a chat that is none of ours, by a reminder of this time, but in no wait. A wait that Telegram asks for is durable on return.
async fn foreign(
    app: &App,
    telegram: &Telegram,
    chat: ChatId,
    at: Timestamp,
) -> Result<ForeignEnd, StoreError> {
    let bot = telegram.bot();
    match leaving(app, bot, chat, at).await? {
        Leaving::Now => {}
        Leaving::Later => return Ok(ForeignEnd::Waits),
        Leaving::CalledOff => {
            info!(chat.id = %chat, bot.id = %bot, outcome = "foreign_chat_kept",
                "the bot stays in a chat that no setting names, since somebody with a role acted there");
            return Ok(ForeignEnd::Settled);
        }
    }
    let left = match is_ours(app, telegram, chat).await {
        Ok(true) => return Ok(ForeignEnd::Settled),
        Ok(false) => telegram.leave(chat).await,
        Err(failure) => Err(failure),
    };
    let Err(failure) = left else {
        info!(chat.id = %chat, bot.id = %bot, outcome = "foreign_chat_left",
            "the bot left a chat that no setting names");
        return Ok(ForeignEnd::Settled);
    };
    let fault = failure.send_fault();
    // It was put out meanwhile, or the chat is gone.
    if !is_passing(&failure) {
        return Ok(ForeignEnd::Settled);
    }
    warn!(chat.id = %chat, bot.id = %bot, fault = fault.as_str(),
        "the bot can't leave a chat that no setting names, a later tick tries again: {}", chain(&failure));
    let SendFault::RateLimited { after } = fault else {
        return Ok(ForeignEnd::Later);
    };
    let pause = Pause::new(after, app.clock.now());
    app.limits.pause(bot, Paused::Chat(chat), pause).await?;
    Ok(ForeignEnd::Waits)
}

/// Whether the chat is named by the settings of now, or one that they name has become it.
async fn is_ours(app: &App, telegram: &Telegram, chat: ChatId) -> Result<bool, TelegramError> {
    if app.chats.contains(chat) || app.operator_chat == Some(chat) {
        return Ok(true);
    }
    // A group that becomes a supergroup has another id, and the bot is added to it by nobody with a role.
    let named = app.chats.all().map(|(chat, _)| chat);
    for group in named.filter(|group| group.is_basic_group()) {
        match telegram.chat(group).await {
            // It may have become the other one all the same: not every call says so.
            Ok(_) => return Ok(true),
            Err(failure) => match failure.send_fault() {
                SendFault::Migrated(to) if to == chat => return Ok(true),
                _ if is_passing(&failure) => return Err(failure),
                _ => {}
            },
        }
    }
    Ok(false)
}

/// Whether it may be otherwise in a minute.
fn is_passing(failure: &TelegramError) -> bool {
    matches!(
        failure.send_fault(),
        SendFault::Retry | SendFault::Unknown | SendFault::RateLimited { .. } | SendFault::BotFault
    )
}
