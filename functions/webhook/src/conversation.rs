//! The talk of the bot with a person: who it is, how much is taken of them, and what it says.

use domain::button::ButtonData;
use domain::command::{CommandPlace, Role, nearest};
use domain::id::{ChatId, TelegramUserId};
use domain::invite::Invite;
use domain::member::Seat;
use domain::message::{Button, ButtonAction, Class};
use domain::person::{Counted, Intake, Person, Reachable};
use domain::texts::html::{MESSAGE_UNITS, cut};
use domain::texts::{AccessLine, Date, Label, LabelName, Language, Name, Text, access};
use domain::time::Timestamp;
use domain::update::Sender;
use store::{ChatInfo, Sighting};
use tracing::info;

use crate::say::{Cause, say, say_aside};
use crate::unheard::is_unheard;
use crate::{App, Failure};

/// The most requests of a person of which each has a button that moves it: more would hide the way in.
const MOVES_SHOWN: usize = 8;

/// What a person sent.
pub(crate) struct Sight<'a> {
    /// Who.
    pub(crate) sender: &'a Sender,
    /// As what it is counted, if it is.
    pub(crate) counted: Option<Counted>,
    /// Whether it was not met before: then it was counted.
    pub(crate) is_first: bool,
    /// What an answer answers.
    pub(crate) cause: Cause,
}

/// The request whose invite link lets a person into a chat.
pub(crate) struct OfChat {
    /// The title of the chat, if it is known.
    pub(crate) title: Option<String>,
    /// The request.
    pub(crate) invite: Invite,
}

/// The talk with a person.
pub(crate) struct Conversation<'a> {
    pub(crate) app: &'a App,
    pub(crate) cause: Cause,
    pub(crate) who: Person,
    pub(crate) language: Language,
    pub(crate) role: Role,
    /// The person whom a command is about that names nobody: whose topic it stands in.
    pub(crate) subject: Option<TelegramUserId>,
}

/// Who writes for an administrator who stays anonymous, in each group (Bot API, `Message.sender_chat`: `GroupAnonymousBot`).
const ANONYMOUS: TelegramUserId = TelegramUserId(1_087_968_824);

impl<'a> Conversation<'a> {
    /// Notes and counts what a person sent; nothing if it is to be met with silence.
    pub(crate) async fn begin(
        app: &'a App,
        seen: Sight<'_>,
    ) -> Result<Option<(Self, Intake)>, Failure> {
        if is_unheard(app, seen.sender.person, seen.cause.at).await? {
            return Ok(None);
        }
        let now = app.clock.now();
        let counted = seen.counted.filter(|_| seen.is_first);
        let sighting = Sighting {
            sender: seen.sender,
            at: seen.cause.at,
            // A private chat has the id of its person.
            is_private: seen.cause.chat.0 == seen.sender.person.0,
        };
        let (who, count) = app.people.seen(sighting, counted, now).await?;
        let role = match app.owners.contains(&who.id) {
            true => Role::Owner,
            false => who.role.unwrap_or(Role::Public),
        };
        let intake = counted.map_or(Intake::Taken, |counted| {
            app.limits.intake(counted, count, role)
        });
        if intake == Intake::Silent {
            info!(
                outcome = "too_many",
                "a person sends more than is taken in a minute"
            );
            return Ok(None);
        }
        let language_code = seen.sender.language_code.as_deref();
        let language = Language::choose(who.language, language_code, app.default_language);
        let conversation = Self {
            app,
            cause: seen.cause,
            who,
            language,
            role,
            subject: None,
        };
        Ok(Some((conversation, intake)))
    }

    /// The talk with an administrator of the operators' chat who stays anonymous. Nobody can tell who it is, so nothing is
    /// noted or counted, and they are an operator, whatever else they may be.
    pub(crate) fn anonymous(app: &'a App, cause: Cause) -> Self {
        let role = Role::Operator;
        let who = Person {
            id: ANONYMOUS,
            language: None,
            role: Some(role),
            name: String::new(),
            username: None,
            reachable: Reachable::Unknown,
            opted_out: false,
            blocked: false,
            created_at: cause.at,
            last_seen_at: cause.at,
        };
        Self {
            app,
            cause,
            who,
            language: app.default_language,
            role,
            subject: None,
        }
    }

    pub(crate) const fn person(&self) -> TelegramUserId {
        self.who.id
    }

    /// The command that was most likely meant, or that there is none.
    pub(crate) fn unknown(&self, word: &str, place: CommandPlace) -> Text<'static> {
        match nearest(word, self.role, place) {
            Some(command) => Text::DidYouMean { command },
            None => Text::UnknownCommand,
        }
    }

    /// The way into each chat that the person may be in, which is how a lost one is found again; without one, `otherwise`.
    pub(crate) async fn show_seats(&self, otherwise: Text<'_>) -> Result<(), Failure> {
        let (seats, links) = self.seats_of(self.person()).await?;
        let ways = self.ways_in(self.person(), &seats, links, self.language);
        let Some((html, mut buttons)) = ways.await? else {
            return self.answer(otherwise).await;
        };
        buttons.extend(self.moves(&seats).await?);
        buttons.push(self.button(&Label::LostLink, ButtonData::LostLink));
        self.say(Class::Reply, html, buttons).await
    }

    /// A button for each request of these seats that the person may have moved to another account of theirs.
    async fn moves(&self, seats: &[(ChatInfo, Seat)]) -> Result<Vec<Vec<Button>>, Failure> {
        let mut buttons = Vec::new();
        for (info, seat) in seats {
            let live = seat.entitlements.iter();
            let live = live.filter(|(_, entitlement)| entitlement.cut_at.is_none());
            for id in live.filter_map(|(id, _)| id.request()) {
                if buttons.len() == MOVES_SHOWN {
                    return Ok(buttons);
                }
                let invite = self.app.invites.get(id).await?;
                if !invite.is_some_and(|invite| invite.may_move_by(self.person())) {
                    continue;
                }
                let chat = LabelName(&info.title);
                let label = match seats {
                    [_] => Label::AnotherAccount,
                    _ => Label::AnotherAccountOf { chat },
                };
                buttons.push(self.button(&label, ButtonData::AnotherAccount(id)));
            }
        }
        Ok(buttons)
    }

    /// Has the same sent to another person, in their language; answers whether there is a way in.
    pub(crate) async fn tell_way_in(
        &self,
        person: TelegramUserId,
        language: Language,
    ) -> Result<bool, Failure> {
        let (seats, links) = self.seats_of(person).await?;
        let ways = self.ways_in(person, &seats, links, language).await?;
        let Some((html, buttons)) = ways else {
            return Ok(false);
        };
        say_aside(self.app, self.cause, ChatId(person.0), html, buttons).await?;
        Ok(true)
    }

    /// The title of a chat, or its id before `setup` has seen it.
    pub(crate) async fn title(&self, canonical: ChatId) -> Result<String, Failure> {
        let title = self.app.chat_infos.title(canonical).await?;
        Ok(title.unwrap_or_else(|| canonical.to_string()))
    }

    /// The claimed chats that a person may be in now, with their seats, and the request that lets them into each other one, by
    /// its invite link.
    async fn seats_of(
        &self,
        person: TelegramUserId,
    ) -> Result<(Vec<(ChatInfo, Seat)>, Vec<OfChat>), Failure> {
        let now = self.app.clock.now();
        let mut seats = self.app.seats.of(person).await?;
        seats.retain(|seat| seat.is_admitted(now));
        let links = self.by_link(&seats).await?;
        seats.retain(|seat| self.app.deliveries.is_claimed(seat.chat));
        let mut infos = Vec::new();
        for seat in seats {
            if let Some(info) = self.app.chat_infos.get(seat.chat).await? {
                infos.push((info, seat));
            }
        }
        Ok((infos, links))
    }

    /// What a person is told of the ways in, with a button for each; nothing if they have none.
    async fn ways_in(
        &self,
        person: TelegramUserId,
        seats: &[(ChatInfo, Seat)],
        links: Vec<OfChat>,
        language: Language,
    ) -> Result<Option<(String, Vec<Vec<Button>>)>, Failure> {
        let (list, mut buttons) = ways_in(seats, self.app.clock.now(), language);
        let mut parts: Vec<String> = (!seats.is_empty()).then_some(list).into_iter().collect();
        for OfChat { title, invite } in links {
            let mut shown = self.shown(person, invite, language).await?;
            if let Some(title) = &title {
                let chat = LabelName(title);
                parts.push(format!("<b>{}</b>\n{}", Name(title), shown.html));
                if let Some(button) = &mut shown.button {
                    button.text = Label::OpenChat { chat }.plain(language);
                }
            } else {
                parts.push(shown.html);
            }
            buttons.extend(shown.button.map(|button| vec![button]));
        }
        let html = cut(&parts.join("\n\n"), MESSAGE_UNITS);
        Ok((!parts.is_empty()).then_some((html, buttons)))
    }

    /// The button by which an entitled person asks to be let in, or opens the chat that they are in.
    pub(crate) fn way_in(&self, info: &ChatInfo) -> Vec<Button> {
        way_in(info, self.language)
    }

    /// A row with one button of ours.
    pub(crate) fn button(&self, label: &Label<'_>, data: ButtonData) -> Vec<Button> {
        vec![Button {
            text: label.plain(self.language),
            action: ButtonAction::Callback(data.to_string()),
        }]
    }

    /// Answers with a sentence.
    pub(crate) async fn answer(&self, text: Text<'_>) -> Result<(), Failure> {
        self.say(Class::Reply, text.html(self.language), Vec::new())
            .await
    }

    pub(crate) async fn say(
        &self,
        class: Class,
        html: String,
        buttons: Vec<Vec<Button>>,
    ) -> Result<(), Failure> {
        say(self.app, self.cause, class, html, buttons).await
    }
}

/// The list of seats, with a button for each.
fn ways_in(
    seats: &[(ChatInfo, Seat)],
    now: Timestamp,
    language: Language,
) -> (String, Vec<Vec<Button>>) {
    let lines: Vec<AccessLine<'_>> = seats
        .iter()
        .map(|(info, seat)| AccessLine {
            chat: Name(&info.title),
            until: seat.standing(now).until.map(Date),
        })
        .collect();
    let buttons = seats.iter().map(|(info, _)| way_in(info, language));
    (access(language, &lines), buttons.collect())
}

fn way_in(info: &ChatInfo, language: Language) -> Vec<Button> {
    let label = Label::OpenChat {
        chat: LabelName(&info.title),
    };
    vec![Button {
        text: label.plain(language),
        action: ButtonAction::Url(info.request_link.expose().to_owned()),
    }]
}
