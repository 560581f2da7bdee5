//! `/grant <chat> <days or forever>`: a free seat, as a claim link to pass on; in a topic, at once for its person. Everybody who reads
//! a claim link can use it, so in a group it is not shown: its administrator gets it in private.
//!
//! ```text
//! write the request      its transaction is the update, so that a repeat finds it      die here: as below
//! bind it, in a topic    to the same person, however often                             die here: as below
//! put the link, and, in a group, the answer      die before it: Telegram sends the update again, and the link is the same
//! ```
//!
//! No shop sold it, so no event of it is sent to anybody.

use std::time::Duration;

use domain::claim::Claim;
use domain::id::{ChatId, TelegramUserId};
use domain::invite::Invite;
use domain::message::Class;
use domain::person::Reachable;
use domain::purchase::{Identity, Purchase};
use domain::texts::{Address, Date, Language, Name, Text};
use domain::time::Timestamp;
use serde_json::json;
use store::Created;
use tracing::{error, info};

use super::subject::chat_named;
use crate::conversation::Conversation;
use crate::say::{say_aside_to_pass_on, say_to_pass_on};
use crate::{Failure, announce};

const EXAMPLE: &str = "/grant -1001234567890 30";
/// The longest seat that is given with an end.
const DAYS_MAX: u64 = 3650;

/// For how long: a number of days, or for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// So many seconds.
    Seconds(u64),
    /// Without an end.
    Forever,
}

impl Length {
    /// Reads what an administrator wrote; nothing if it is neither.
    pub(super) fn read(word: &str) -> Option<Self> {
        if word.eq_ignore_ascii_case("forever") {
            return Some(Self::Forever);
        }
        let days: u64 = word.parse().ok()?;
        let is_length = (1..=DAYS_MAX).contains(&days);
        is_length.then_some(Self::Seconds(days * 24 * 3600))
    }

    /// When it ends that begins at `start`; nothing if never.
    pub(super) fn end(self, start: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Seconds(seconds) => Some(start.plus(Duration::from_secs(seconds))),
            Self::Forever => None,
        }
    }
}

pub(super) async fn run(conversation: &Conversation<'_>, arguments: &str) -> Result<(), Failure> {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let app = conversation.app;
    let Some(named) = chat_named(app, &words) else {
        return conversation.unknown_chat().await;
    };
    let length = match named.rest {
        [word] => Length::read(word),
        _ => None,
    };
    let Some(length) = length else {
        return conversation.how_to(EXAMPLE).await;
    };
    let title = conversation.title(named.canonical).await?;
    let chat = Name(&title);
    if !app.deliveries.is_claimed(named.canonical) {
        return conversation.answer(Text::GrantNotHere { chat }).await;
    }
    // Before anything is made: in a group nobody could be shown the link.
    let is_in_group = conversation.cause.chat != private_chat(conversation.person());
    let is_reachable = conversation.who.reachable == Reachable::Yes;
    if is_in_group && conversation.subject.is_none() && !is_reachable {
        return conversation.answer(Text::GrantStartFirst).await;
    }
    let until = length.end(conversation.cause.at);
    let Some(invite) = request_of(conversation, named.chat, until).await? else {
        return conversation.answer(Text::GrantNotHere { chat }).await;
    };
    let invite = match app
        .invites
        .create(&invite, invite.created_at.plus(app.claim_retention))
        .await?
    {
        Created::New => {
            info!(invite.id = %invite.request_id, chat.id = %named.canonical, by = %conversation.person(), outcome = "granted", "a free seat was given");
            invite
        }
        Created::Existing(invite) => *invite,
    };
    announce::granted(app, &invite).await?;
    if let Some(person) = conversation.subject {
        return at_once(conversation, person, &invite).await;
    }
    let Some(link) = invite.invite_link.as_ref() else {
        return conversation.answer(Text::GrantNotHere { chat }).await;
    };
    let link = Address(link.expose());
    let text = match invite.seat_until {
        Some(until) => Text::GrantUntil {
            chat,
            link,
            until: Date(until),
        },
        None => Text::GrantForever { chat, link },
    };
    if !is_in_group {
        let html = text.html(conversation.language);
        return say_to_pass_on(app, conversation.cause, html).await;
    }
    let chosen = conversation.who.language;
    let html = text.html(Language::choose(chosen, None, app.default_language));
    let to = private_chat(conversation.person());
    say_aside_to_pass_on(app, conversation.cause, to, html).await?;
    conversation.answer(Text::GrantInPrivate { chat }).await
}

/// A private chat has the id of its person.
const fn private_chat(person: TelegramUserId) -> ChatId {
    ChatId(person.0)
}

/// Gives the seat to the person of the topic, and has them told the way in, if the bot can write to them.
async fn at_once(
    conversation: &Conversation<'_>,
    person: TelegramUserId,
    invite: &Invite,
) -> Result<(), Failure> {
    let app = conversation.app;
    let seat = match conversation.give_request(person, invite).await? {
        Ok(seat) => seat,
        Err(refusal) => return conversation.answer(refusal).await,
    };
    let known = app.people.get(person).await?;
    let known = known.filter(|known| known.reachable == Reachable::Yes);
    let is_told = match known {
        Some(known) => {
            let language = Language::choose(known.language, None, app.default_language);
            conversation.tell_way_in(person, language).await?
        }
        None => false,
    };
    let told = match is_told {
        true => Text::WaySent,
        false => Text::WayNotSent,
    };
    let title = conversation.title(seat.chat).await?;
    let lines = [
        conversation.name_line(person).await?,
        conversation.line_of(&seat, &title),
        told.html(conversation.language),
    ];
    let html = lines.join("\n");
    conversation.say(Class::Reply, html, Vec::new()).await
}

/// The request of this update, with its claim link; nothing if none can be made.
async fn request_of(
    conversation: &Conversation<'_>,
    chat: ChatId,
    until: Option<Timestamp>,
) -> Result<Option<Invite>, Failure> {
    let (app, cause) = (conversation.app, conversation.cause);
    let transaction = format!("grant-{}-{}", cause.bot, cause.update);
    let fields = json!({
        "userId": format!("granted-by-{}", conversation.person()), "transactionId": transaction, "chatId": chat,
    });
    let purchase = fields
        .as_object()
        .and_then(|fields| Purchase::parse(fields, None, &app.chats).ok());
    let Some(purchase) = purchase else {
        return Ok(None);
    };
    let Identity::Payment(id) = purchase.identity() else {
        return Ok(None);
    };
    let claim = Claim {
        request_id: id,
        version: 0,
    };
    let made = app.front().await?.zip(app.claim_keys.sign(claim));
    let Some((front, token)) = made else {
        error!(
            fault = "configuration",
            "no claim link can be made, since setup has not yet written the name of the front bot: run it again"
        );
        return Ok(None);
    };
    let link = token.link(&app.link_base, &front.username);
    // The time of the update and not the clock: a repeat writes the same.
    Ok(Some(
        Invite::accept(id, &purchase, cause.at).given_free(link, until),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_days_or_for_ever() {
        for (word, length) in [
            ("30", Some(Length::Seconds(30 * 86_400))),
            ("3650", Some(Length::Seconds(3650 * 86_400))),
            ("Forever", Some(Length::Forever)),
            ("0", None),
            ("3651", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(Length::read(word), length, "{word}");
        }
    }
}
