//! `/extend <person> <chat> <days or forever>`: a seat lasts longer. The days run once nothing else covers.
//!
//! The entitlement has the id of the update, so that a repeat finds it and changes nothing.

use domain::id::{ChatId, TelegramUserId};
use domain::member::command::SeatCommand;
use domain::member::entitlement::{Cover, Entitlement, EntitlementId};
use domain::texts::Text;
use tracing::info;

use super::grant::Length;
use crate::Failure;
use crate::conversation::Conversation;

const EXAMPLE: &str = "/extend 123456789 -1001234567890 30";

pub(super) async fn run(conversation: &Conversation<'_>, arguments: &str) -> Result<(), Failure> {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let told = conversation.person_and_chat(&words, 1, EXAMPLE).await?;
    let Some((person, named)) = told else {
        return Ok(());
    };
    let length = match named.rest {
        [word] => Length::read(word),
        _ => None,
    };
    let Some(length) = length else {
        return conversation.how_to(EXAMPLE).await;
    };
    let seat = (person, named.canonical);
    let known = conversation.app.seats.get(seat.0, seat.1).await?;
    if known.entitlements.is_empty() {
        return conversation.answer(Text::PersonNoSeat).await;
    }
    let cover = match length {
        Length::Seconds(seconds) => Cover::Days { seconds },
        Length::Forever => Cover::Forever,
    };
    info!(by = %conversation.person(), person = %person, chat.id = %named.canonical, outcome = "extended", "a seat is made to last longer");
    give(conversation, seat, cover).await
}

/// Gives the entitlement of this update, once: a late repeat does not bring back what was ended since.
pub(super) async fn give(
    conversation: &Conversation<'_>,
    seat: (TelegramUserId, ChatId),
    cover: Cover,
) -> Result<(), Failure> {
    let cause = conversation.cause;
    let name = format!("{}-{}-{}", conversation.person(), cause.bot, cause.update);
    let id = EntitlementId::of_operator(&name);
    let write = SeatCommand::Write {
        id: id.clone(),
        entitlement: Entitlement::new(cover, cause.at),
    };
    conversation
        .change_seat(seat, |seat| match seat.entitlements.contains_key(&id) {
            true => Vec::new(),
            false => vec![write.clone()],
        })
        .await
}
