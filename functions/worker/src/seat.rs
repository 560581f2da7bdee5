//! What the dispatcher writes of a seat, and what follows from it.
//!
//! ```text
//! write the seat, with its tasks                      one transaction
//! tell the person to tap again, if they were offered  die here: the task is met again, and finds them at no door; whatever
//!                                                     they write to the bot shows them the way in
//! ```

use std::time::Duration;

use domain::id::{ChatId, TelegramUserId};
use domain::member::command::{SeatChange, SeatCommand};
use domain::member::decide::decide;
use domain::member::effect::SeatEffect;
use domain::message::{Button, ButtonAction, Class, Content, Message, MessageId};
use domain::texts::{Label, LabelName, Language, Name, Text};
use domain::time::Timestamp;
use runtime::telemetry::chain;
use store::{ChatInfo, FrontBot, SeatWritten, StoreError};
use tracing::warn;

use crate::App;
use crate::call::Call;

/// How late a place in the queue is still told, after it was true.
const WAITING_AGE: Duration = Duration::from_secs(60);

/// What somebody at the door is told.
#[derive(Clone, Copy)]
pub(crate) enum DoorNews {
    /// Their request is gone: they have to ask once more.
    TapAgain,
    /// They are in as many chats as Telegram allows.
    TooManyChats,
    /// They wait, in this place, and need not do anything.
    Waiting(u32),
}

impl DoorNews {
    const fn text(self, chat: Name<'_>) -> Text<'_> {
        match self {
            Self::TapAgain => Text::JoinTapAgain { chat },
            Self::TooManyChats => Text::JoinTooManyChats { chat },
            Self::Waiting(place) => Text::JoinWaiting { chat, place },
        }
    }

    /// How late it is still worth something, of what nobody misses.
    const fn age(self) -> Option<Duration> {
        match self {
            Self::TapAgain | Self::TooManyChats => None,
            Self::Waiting(_) => Some(WAITING_AGE),
        }
    }
}

/// The date of what Telegram answers now, as far as it says something of a person: to the second, as its updates are, and
/// of the second before, so that an update of this second is newer.
pub(crate) fn date_of_answer(app: &App) -> Timestamp {
    let second = Timestamp::from_seconds(app.clock.now().seconds());
    second.minus(Duration::from_secs(1))
}

/// Changes the seat of a person in the chat; nothing if its state does not allow it. Durable on return.
pub(crate) async fn change(
    call: &Call<'_>,
    person: TelegramUserId,
    command: &SeatCommand,
) -> Result<Option<SeatChange>, StoreError> {
    let (app, now) = (call.app, call.app.clock.now());
    let chat = call.canonical_chat;
    let written = app.seats.change(
        (person, chat),
        &app.tasks,
        now,
        |seat| decide(seat, command, now),
        SeatChange::tasks,
    );
    let SeatWritten::Done(change) = written.await? else {
        return Ok(None);
    };
    for effect in &change.effects {
        if let SeatEffect::WayIn { .. } = effect {
            let key = effect.key(&change.seat);
            tell(app, (person, chat), &key, now, DoorNews::TapAgain).await;
        }
    }
    Ok(Some(*change))
}

/// Has a person told something about the chat, with its button, once for each `cause` and its time `at`. What can't be said is logged: it
/// holds up no call.
pub(crate) async fn tell(
    app: &App,
    (person, chat): (TelegramUserId, ChatId),
    cause: &str,
    at: Timestamp,
    news: DoorNews,
) {
    match door(app, chat).await {
        Ok(Some(door)) => tell_at(app, &door, person, cause, at, news).await,
        Ok(None) => {}
        Err(fault) => not_told(chat, &fault),
    }
}

/// A claimed chat, and the bot that people talk with.
pub(crate) struct Door {
    info: ChatInfo,
    front: FrontBot,
}

/// What is said of a chat at its door needs this (2 read units); nothing of a chat that is not claimed: nobody asks there.
pub(crate) async fn door(app: &App, chat: ChatId) -> Result<Option<Door>, StoreError> {
    let Some(info) = app.chat_infos.get(chat).await? else {
        return Ok(None);
    };
    let front = app.bot_infos.front().await?;
    Ok(front.map(|front| Door { info, front }))
}

fn not_told(chat: ChatId, fault: &StoreError) {
    warn!(chat.id = %chat, fault = "unavailable", "a person could not be told something: {}", chain(fault));
}

/// The same, at a door that is known.
pub(crate) async fn tell_at(
    app: &App,
    Door { info, front }: &Door,
    person: TelegramUserId,
    cause: &str,
    at: Timestamp,
    news: DoorNews,
) {
    let said = async {
        let chosen = app
            .people
            .get(person)
            .await?
            .and_then(|person| person.language);
        let language = chosen.unwrap_or(app.default_language);
        let (now, age) = (app.clock.now(), news.age());
        let message = Message {
            id: MessageId::new(at, cause),
            bot: front.bot,
            // A private chat has the id of its person.
            chat: ChatId(person.0),
            thread: None,
            class: age.map_or(Class::Transactional, |_| Class::Reply),
            content: Content::Text {
                html: news.text(Name(&info.title)).html(language),
                buttons: age.map_or_else(|| way_in(info, language), |_| Vec::new()),
                protect: true,
                silent: false,
            },
            not_before: None,
            not_after: age.map(|age| now.plus(age)),
        };
        app.messages.put(&message, now).await?;
        app.message_bells.ring(front.bot).await;
        Ok::<_, StoreError>(())
    };
    if let Err(fault) = said.await {
        not_told(info.canonical_chat, &fault);
    }
}

fn way_in(info: &ChatInfo, language: Language) -> Vec<Vec<Button>> {
    let label = Label::OpenChat {
        chat: LabelName(&info.title),
    };
    vec![vec![Button {
        text: label.plain(language),
        action: ButtonAction::Url(info.request_link.expose().to_owned()),
    }]]
}
