//! `/buyer <id, request, transaction or @name>`: one buyer's timeline, with what can be mended. Alone in a topic, it is that
//! of its person.

use std::collections::BTreeSet;

use domain::button::ButtonData;
use domain::command::Role;
use domain::id::{ChatId, IdentitySource, RequestId, TelegramUserId};
use domain::invite::Invite;
use domain::member::entitlement::EntitlementId;
use domain::message::Class;
use domain::person::Reachable;
use domain::purchase::TRANSACTION_ID_MAX_CHARS;
use domain::text;
use domain::texts::html::{MESSAGE_UNITS, cut};
use domain::texts::{Code, Date, Label, Language, Text};
use tracing::info;

use super::subject::person_id;
use crate::Failure;
use crate::conversation::Conversation;

const EXAMPLE: &str = "/buyer @name";
/// How many of the last messages are shown.
const MESSAGES: i32 = 5;
/// How many requests of a seat are shown.
const REQUESTS: usize = 10;

/// What is found of a buyer.
#[derive(Default)]
struct Found {
    people: BTreeSet<i64>,
    /// Requests that nobody has claimed.
    unclaimed: Vec<Invite>,
}

pub(super) async fn run(conversation: &Conversation<'_>, arguments: &str) -> Result<(), Failure> {
    let sought = match (text::clean(arguments), conversation.subject) {
        (sought, Some(subject)) if sought.is_empty() => subject.to_string(),
        (sought, _) => sought,
    };
    if sought.is_empty() || sought.chars().count() > TRANSACTION_ID_MAX_CHARS {
        return conversation.how_to(EXAMPLE).await;
    }
    let found = find(conversation, &sought).await?;
    let people: Vec<TelegramUserId> = found.people.into_iter().map(TelegramUserId).collect();
    let mut lines = Vec::new();
    let mut buttons = Vec::new();
    match people[..] {
        [] => {}
        [person] => {
            lines.extend(timeline(conversation, person).await?);
            buttons.push(conversation.button(&Label::SendWayIn, ButtonData::WayIn(person)));
        }
        _ => {
            lines.push(Text::SeveralFound.html(conversation.language));
            for person in people {
                lines.push(conversation.name_line(person).await?);
            }
        }
    }
    for invite in &found.unclaimed {
        lines.extend(request_lines(conversation, invite));
        lines.push(Text::RequestUnclaimed.html(conversation.language));
    }
    if lines.is_empty() {
        return conversation.answer(Text::NobodyFound).await;
    }
    let html = cut(&lines.join("\n"), MESSAGE_UNITS);
    conversation.say(Class::Reply, html, buttons).await
}

async fn find(conversation: &Conversation<'_>, sought: &str) -> Result<Found, Failure> {
    let app = conversation.app;
    let mut found = Found::default();
    if let Some(username) = sought.strip_prefix('@') {
        let named = app.people.named(username).await?;
        found.people.extend(named.iter().map(|person| person.0));
        return Ok(found);
    }
    if let Some(person) = person_id(sought) {
        let is_known = app.people.get(person).await?.is_some();
        if is_known || !app.seats.of(person).await?.is_empty() {
            found.people.insert(person.0);
        }
    }
    // A shop's transaction may look like anything else.
    let of_transaction = app
        .chats
        .all()
        .map(|(_, chat)| RequestId::derive(chat, IdentitySource::Transaction(sought)));
    let ids: BTreeSet<RequestId> = of_transaction.chain(sought.parse().ok()).collect();
    for id in ids {
        let Some(invite) = app.invites.get(id).await? else {
            continue;
        };
        match invite.bound_to.or(invite.telegram_user_id) {
            Some(person) => {
                found.people.insert(person.0);
                // Of a chat without claims no seat leads to it.
                if invite.bound_to.is_none() {
                    found.unclaimed.push(invite);
                }
            }
            None => found.unclaimed.push(invite),
        }
    }
    Ok(found)
}

/// All that is known of a person.
async fn timeline(
    conversation: &Conversation<'_>,
    person: TelegramUserId,
) -> Result<Vec<String>, Failure> {
    let (app, language) = (conversation.app, conversation.language);
    let known = app.people.get(person).await?;
    let reachable = match known.map(|known| known.reachable) {
        Some(Reachable::Yes) => Text::PersonReachable,
        Some(Reachable::No) => Text::PersonBlockedBot,
        Some(Reachable::Unknown) | None => Text::PersonSilent,
    };
    let mut lines = vec![
        conversation.name_line(person).await?,
        reachable.html(language),
    ];
    let seats = app.seats.of(person).await?;
    if seats.is_empty() {
        lines.push(Text::PersonNoSeat.html(language));
    }
    for seat in &seats {
        let title = conversation.title(seat.chat).await?;
        lines.push(String::new());
        lines.extend(conversation.lines_of(seat, &title));
        let ids = seat.entitlements.keys().filter_map(EntitlementId::request);
        for id in ids.take(REQUESTS) {
            if let Some(invite) = app.invites.get(id).await? {
                lines.extend(request_lines(conversation, &invite));
            }
        }
    }
    let messages = app.messages.last(ChatId(person.0), MESSAGES).await?;
    if !messages.is_empty() {
        lines.push(String::new());
    }
    for record in messages {
        let text = Text::MessageLine {
            at: Date(record.message.id.at()),
            state: Code(record.state.as_str()),
        };
        lines.push(text.html(language));
    }
    Ok(lines)
}

fn request_lines(conversation: &Conversation<'_>, invite: &Invite) -> Vec<String> {
    let id = invite.request_id.to_string();
    let transaction = match invite.transaction_id.as_str() {
        "" => "-",
        transaction => transaction,
    };
    let request = Text::RequestLine {
        id: Code(&id),
        transaction: Code(transaction),
        status: Code(invite.status.as_str()),
        at: Date(invite.created_at),
    };
    let joined = invite
        .joined_at
        .map(|at| Text::RequestJoined { at: Date(at) });
    let voided = invite
        .voided_at
        .map(|at| Text::RequestVoided { at: Date(at) });
    let texts = [Some(request), joined, voided].into_iter().flatten();
    texts.map(|text| text.html(conversation.language)).collect()
}

/// An operator has the way in sent to a person: the button can be made up, so the role decides.
pub(crate) async fn send_way_in(
    conversation: &Conversation<'_>,
    person: TelegramUserId,
) -> Result<(), Failure> {
    if conversation.role < Role::Operator {
        info!(
            outcome = "unknown_button",
            "a button is pressed by somebody who has no right to it"
        );
        return Ok(());
    }
    let app = conversation.app;
    let known = app.people.get(person).await?;
    let known = known.filter(|known| known.reachable == Reachable::Yes);
    let Some(known) = known else {
        return conversation.answer(Text::WayNotSent).await;
    };
    let language = Language::choose(known.language, None, app.default_language);
    if !conversation.tell_way_in(person, language).await? {
        return conversation.answer(Text::WayNotSent).await;
    }
    info!(by = %conversation.person(), person = %person, outcome = "way_in", "an operator had the way in sent");
    conversation.answer(Text::WaySent).await
}
