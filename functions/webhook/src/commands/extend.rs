//! `/extend <person> <chat> <days or forever>`: a seat lasts longer. The days run once nothing else covers.
//!
//! The entitlement has the id of the update, so that a repeat writes the same.

use domain::member::command::SeatCommand;
use domain::member::entitlement::{Cover, Entitlement, EntitlementId};
use domain::texts::Text;
use tracing::info;

use super::grant::Length;
use super::subject::chat_named;
use crate::Failure;
use crate::conversation::Conversation;

const EXAMPLE: &str = "/extend 123456789 -1001234567890 30";

pub(super) async fn run(conversation: &Conversation<'_>, arguments: &str) -> Result<(), Failure> {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let Some((who, words)) = words.split_first() else {
        return conversation.how_to(EXAMPLE).await;
    };
    let Some(person) = conversation.one_person(who).await? else {
        return conversation.answer(Text::NobodyFound).await;
    };
    let Some(named) = chat_named(conversation.app, words) else {
        return conversation.unknown_chat().await;
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
    let write = write(conversation, cover);
    conversation
        .change_seat(seat, |_| vec![write.clone()])
        .await
}

/// The entitlement that this update gives.
pub(super) fn write(conversation: &Conversation<'_>, cover: Cover) -> SeatCommand {
    let cause = conversation.cause;
    let name = format!("{}-{}-{}", conversation.person(), cause.bot, cause.update);
    SeatCommand::Write {
        id: EntitlementId::of_operator(&name),
        entitlement: Entitlement::new(cover, cause.at),
    }
}
