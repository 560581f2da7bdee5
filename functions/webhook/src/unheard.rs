//! What is not heard any more: what somebody did before their data were erased, which Telegram may send again for a day.

use domain::id::TelegramUserId;
use domain::time::Timestamp;
use store::StoreError;
use tracing::info;

use crate::App;

/// Whether what a person did at `at` is not heard, since their data were erased after it.
pub(crate) async fn is_unheard(
    app: &App,
    person: TelegramUserId,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let is_unheard = app.erasures.covers(person, at).await?;
    if is_unheard {
        info!(
            outcome = "unheard",
            "what somebody did before their data were erased comes again, and is not heard"
        );
    }
    Ok(is_unheard)
}
