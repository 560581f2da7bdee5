//! What is not heard any more: what somebody did before their data were erased, which Telegram may send again for a day. What
//! they do while that is under way is heard when it is over: until then Telegram keeps it.

use std::fmt;

use domain::id::TelegramUserId;
use domain::time::Timestamp;
use domain::update::UpdateKind;
use store::{Silence, Unheard};
use tracing::info;

use crate::{App, Failure};

/// Something of a person who is being erased at this moment, which is to come again.
#[derive(Debug)]
pub(crate) struct NotYet;

impl fmt::Display for NotYet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its person is being erased, and is heard again when that is over")
    }
}

impl std::error::Error for NotYet {}

/// Why what a person said or asked for at `at` is not heard, if it is not.
///
/// # Errors
/// [`NotYet`], if it is to come again.
pub(crate) async fn silence(
    app: &App,
    person: TelegramUserId,
    at: Timestamp,
) -> Result<Option<Silence>, Failure> {
    let silence = app.erasures.of(person, at, app.clock.now()).await?;
    note(silence)?;
    Ok(silence)
}

/// Whether what a person said or asked for at `at` is not heard, since their data were erased after it.
///
/// # Errors
/// [`NotYet`], if it is to come again.
pub(crate) async fn is_unheard(
    app: &App,
    person: TelegramUserId,
    at: Timestamp,
) -> Result<bool, Failure> {
    Ok(silence(app, person, at).await?.is_some())
}

/// Whether Telegram's word on where a person was at `at` is not heard. While they are taken out of the chats it is.
///
/// # Errors
/// [`NotYet`], if it is to come again.
pub(crate) async fn is_presence_unheard(
    app: &App,
    person: TelegramUserId,
    at: Timestamp,
) -> Result<bool, Failure> {
    let silence = app.erasures.of(person, at, app.clock.now()).await?;
    let silence = silence.filter(|silence| silence.what == Unheard::All);
    note(silence)?;
    Ok(silence.is_some())
}

/// Whether an update that ends badly again and again is of somebody whose data are erased, or were after it: its body is not to
/// be kept.
///
/// # Errors
/// [`NotYet`], if it is to come again.
pub(crate) async fn is_of_unheard(app: &App, kind: &UpdateKind) -> Result<bool, Failure> {
    let (person, at) = match kind {
        UpdateKind::JoinRequest(request) => (request.person, request.at),
        UpdateKind::Private(message) => (message.from.person, message.at),
        UpdateKind::PrivateEdit(edit) => (edit.person, edit.at),
        UpdateKind::Group(message) => (message.from.person, message.at),
        // Telegram gives it no time.
        UpdateKind::Press(press) => (press.from.person, app.clock.now()),
        _ => return Ok(false),
    };
    is_unheard(app, person, at).await
}

fn note(silence: Option<Silence>) -> Result<(), NotYet> {
    match silence {
        Some(silence) if silence.is_for_later => Err(NotYet),
        Some(_) => {
            info!(
                outcome = "unheard",
                "what somebody did before their data were erased comes again, and is not heard"
            );
            Ok(())
        }
        None => Ok(()),
    }
}
