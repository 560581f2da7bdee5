//! `/start`, with or without the payload of a link.

use domain::command::StartPayload;
use domain::texts::Text;

use super::shop;
use crate::Failure;
use crate::conversation::Conversation;

pub(super) async fn run(conversation: &Conversation<'_>, arguments: &str) -> Result<(), Failure> {
    match StartPayload::read(arguments) {
        // A claim that is none: cut, or never ours. One that can be read is claimed before.
        StartPayload::Claim(_) | StartPayload::OrderClaim(_) => {
            conversation.answer(Text::ClaimUnknown).await
        }
        StartPayload::Product { product, .. } => shop::show_product(conversation, product).await,
        StartPayload::Nothing
        | StartPayload::Referral(_)
        | StartPayload::Source(_)
        | StartPayload::Unknown(_) => conversation.show_seats(Text::Welcome).await,
    }
}
