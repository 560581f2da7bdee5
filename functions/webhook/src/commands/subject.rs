//! Whom and what a command of operators is about, as they write it, and how it is shown to them.

use domain::id::{ChatId, TelegramUserId};
use domain::member::Seat;
use domain::member::command::{SeatChange, SeatCommand};
use domain::member::decide::decide;
use domain::member::presence::PresenceState;
use domain::message::Class;
use domain::person::Person;
use domain::texts::{Code, Date, Name, Text};
use store::SeatWritten;

use crate::conversation::Conversation;
use crate::{App, Failure};

/// A chat of ours that a command names.
pub(super) struct NamedChat<'a> {
    /// Its present id.
    pub(super) chat: ChatId,
    /// The one by which its payments are known.
    pub(super) canonical: ChatId,
    /// What is written behind it.
    pub(super) rest: &'a [&'a str],
}

/// The chat that the words begin with, by its id. Where there is one chat alone, it need not be named.
pub(super) fn chat_named<'a>(app: &App, words: &'a [&'a str]) -> Option<NamedChat<'a>> {
    // No other number that is written behind a command is negative.
    let named = words.first().filter(|word| word.starts_with('-'));
    let ((chat, canonical), rest) = match named {
        Some(word) => (app.chats.named(ChatId(word.parse().ok()?))?, &words[1..]),
        None => {
            let mut all = app.chats.all();
            let only = all.next().filter(|_| all.next().is_none())?;
            (only, words)
        }
    };
    Some(NamedChat {
        chat,
        canonical,
        rest,
    })
}

/// How a person is shown: with what they call themselves, which proves nothing.
pub(super) fn called(person: &Person) -> String {
    match &person.username {
        Some(username) => format!("{} (@{username})", person.name),
        None => person.name.clone(),
    }
}

/// The id that a word is, if it is one of a person.
pub(super) fn person_id(word: &str) -> Option<TelegramUserId> {
    let id = word.parse().ok().filter(|id| *id > 0);
    id.map(TelegramUserId)
}

impl Conversation<'_> {
    /// Says how the command is written.
    pub(super) async fn how_to(&self, example: &str) -> Result<(), Failure> {
        let example = Code(example);
        self.answer(Text::HowTo { example }).await
    }

    /// Names the chats that there are.
    pub(super) async fn unknown_chat(&self) -> Result<(), Failure> {
        let all = self.app.chats.all().map(|(chat, _)| chat.to_string());
        let all = all.collect::<Vec<String>>().join(", ");
        self.answer(Text::ChatUnknown { known: Code(&all) }).await
    }

    /// The person that a word names, by id or `@name`; nothing if it is nobody, or several.
    pub(super) async fn one_person(&self, word: &str) -> Result<Option<TelegramUserId>, Failure> {
        let Some(username) = word.strip_prefix('@') else {
            return Ok(person_id(word));
        };
        let found = self.app.people.named(username).await?;
        Ok(match found[..] {
            [person] => Some(person),
            _ => None,
        })
    }

    /// The person and the chat that a command is written with, in this order, before `others` words of its own; nothing if
    /// they are not told, which is answered. Where there is a person whom it is about, nobody need be named.
    pub(super) async fn person_and_chat<'w>(
        &self,
        words: &'w [&'w str],
        others: usize,
        example: &str,
    ) -> Result<Option<(TelegramUserId, NamedChat<'w>)>, Failure> {
        // A chat is the only negative number.
        let of_no_chat = words.iter().filter(|word| !word.starts_with('-'));
        let subject = self.subject.filter(|_| of_no_chat.count() <= others);
        let (person, words) = match (subject, words.split_first()) {
            (Some(subject), _) => (Some(subject), words),
            (None, Some((who, words))) => (self.one_person(who).await?, words),
            (None, None) => {
                self.how_to(example).await?;
                return Ok(None);
            }
        };
        let Some(person) = person else {
            self.answer(Text::NobodyFound).await?;
            return Ok(None);
        };
        let Some(named) = chat_named(self.app, words) else {
            self.unknown_chat().await?;
            return Ok(None);
        };
        Ok(Some((person, named)))
    }

    /// Until when a seat lets its person in, as a line.
    pub(super) fn line_of(&self, seat: &Seat, title: &str) -> String {
        let standing = seat.standing(self.app.clock.now());
        let chat = Name(title);
        let text = match (standing.right.is_admitted(), standing.until) {
            (false, _) => Text::SeatEnded { chat },
            (true, None) => Text::AccessForever { chat },
            (true, Some(until)) => Text::AccessUntil {
                chat,
                until: Date(until),
            },
        };
        text.html(self.language)
    }

    /// The same, and where the person is.
    pub(super) fn lines_of(&self, seat: &Seat, title: &str) -> Vec<String> {
        let presence = match seat.presence {
            PresenceState::In | PresenceState::Exempt => Text::PersonIn,
            PresenceState::Out => Text::PersonOut,
            PresenceState::Banned => Text::PersonBanned,
        };
        let door = seat.requested_at.map(|_| Text::PersonAtDoor);
        let mut lines = vec![self.line_of(seat, title)];
        let where_they_are = [Some(presence), door].into_iter().flatten();
        lines.extend(where_they_are.map(|text| text.html(self.language)));
        lines
    }

    /// Changes a seat by the hand of this operator, and says what it is then. Whoever waits at the door is let in by the same
    /// transaction, if they may come in now.
    pub(super) async fn change_seat(
        &self,
        (person, chat): (TelegramUserId, ChatId),
        commands: impl Fn(&Seat) -> Vec<SeatCommand>,
    ) -> Result<(), Failure> {
        let (app, now) = (self.app, self.app.clock.now());
        let written = app.seats.change(
            (person, chat),
            &app.tasks,
            now,
            |seat| {
                let mut effects = Vec::new();
                let mut changed = seat.clone();
                for command in commands(seat) {
                    let change = decide(&changed, &command, now)?;
                    effects.extend(change.effects);
                    changed = change.seat;
                }
                Ok(SeatChange {
                    seat: changed,
                    effects,
                })
            },
            SeatChange::tasks,
        );
        let seat = match written.await? {
            SeatWritten::Done(change) => change.seat,
            SeatWritten::Rejected(rejection) => {
                let reason = Code(rejection.code());
                return self.answer(Text::SeatRefused { reason }).await;
            }
            SeatWritten::NotClaimable => return self.answer(Text::ChangedMeanwhile).await,
        };
        app.bells.ring(chat).await;
        let title = self.title(chat).await?;
        let html = format!(
            "{}\n{}",
            self.name_line(person).await?,
            self.line_of(&seat, &title)
        );
        self.say(Class::Reply, html, Vec::new()).await
    }

    /// A person, as a line.
    pub(super) async fn name_line(&self, person: TelegramUserId) -> Result<String, Failure> {
        let known = self.app.people.get(person).await?;
        let name = known.as_ref().map(called).unwrap_or_default();
        let id = person.to_string();
        let line = Text::PersonLine {
            person: Name(&name),
            id: Code(&id),
        };
        Ok(line.html(self.language))
    }
}
