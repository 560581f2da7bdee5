//! What is not heard any more: what somebody did before their data were erased, which Telegram may send again for a day.

use domain::id::TelegramUserId;
use domain::time::Timestamp;
use store::{StoreError, Unheard};
use tracing::info;

use crate::App;

/// Whether what a person said or asked for at `at` is not heard, since their data were erased after it.
pub(crate) async fn is_unheard(
    app: &App,
    person: TelegramUserId,
    at: Timestamp,
) -> Result<bool, StoreError> {
    Ok(note(app.erasures.of(person, at).await?.is_some()))
}

/// Whether Telegram's word on where a person was at `at` is not heard. While they are taken out of the chats it is.
pub(crate) async fn is_presence_unheard(
    app: &App,
    person: TelegramUserId,
    at: Timestamp,
) -> Result<bool, StoreError> {
    Ok(note(
        app.erasures.of(person, at).await? == Some(Unheard::All),
    ))
}

fn note(is_unheard: bool) -> bool {
    if is_unheard {
        info!(
            outcome = "unheard",
            "what somebody did before their data were erased comes again, and is not heard"
        );
    }
    is_unheard
}
