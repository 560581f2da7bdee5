//! What a payee says of the address that they are to be paid at: theirs, or not.

use domain::message::Class;
use domain::payout::AddressMark;
use domain::texts::Text;
use tracing::{error, info};

use crate::Failure;
use crate::conversation::Conversation;

/// How often an account is read anew because somebody else wrote it.
const TRIES: u32 = 8;

/// Writes what a person said of an address, if it is theirs to say; the button can be made up, or an old one.
pub(crate) async fn answered(
    conversation: &Conversation<'_>,
    mark: AddressMark,
    is_right: bool,
) -> Result<(), Failure> {
    let (app, person) = (conversation.app, conversation.person());
    for _ in 0..TRIES {
        let account = app.payees.account_of(mark).await?;
        let after = account
            .as_ref()
            .and_then(|account| account.answered(person, mark, is_right));
        let Some(after) = after else {
            return conversation.answer(Text::ChangedMeanwhile).await;
        };
        if account.as_ref() != Some(&after) && !app.payees.write_account(&after).await? {
            continue;
        }
        let text = match is_right {
            true => {
                info!(
                    payout.payee = after.payee,
                    outcome = "address_confirmed",
                    "a payee says that an address is right"
                );
                Text::PayoutAddressConfirmed
            }
            false => {
                error!(
                    payout.payee = after.payee,
                    fault = "address_denied",
                    "a payee says that the address which was written for them is wrong; nothing more is approved to it"
                );
                Text::PayoutAddressDenied
            }
        };
        let html = text.html(conversation.language);
        return conversation.say(Class::Reply, html, Vec::new()).await;
    }
    Err("the account of a payee changes all the time".into())
}
