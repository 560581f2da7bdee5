//! When it is looked whether a topic is silent.

use domain::message::TopicOwner;
use domain::reminder::{Reminder, silent_at};
use domain::time::Timestamp;
use store::TopicRecord;

use super::RelayCause;
use crate::{App, Failure};

/// A topic is open that may have no reminder: whoever opens it again need not say anything there.
pub(crate) async fn opened(app: &App, cause: RelayCause, owner: TopicOwner) -> Result<(), Failure> {
    let record = app.topics.get(owner, cause.desk).await?;
    if let Some(at) = remind(app, cause, owner, &record).await? {
        app.topics.note_reminder(owner, at).await?;
    }
    Ok(())
}

/// Has it looked whether the topic is silent, unless that is to be looked at; answers when.
pub(super) async fn remind(
    app: &App,
    cause: RelayCause,
    owner: TopicOwner,
    record: &TopicRecord,
) -> Result<Option<Timestamp>, Failure> {
    let (TopicOwner::Person(person), None) = (owner, record.reminder_at) else {
        return Ok(None);
    };
    let at = silent_at(cause.at);
    app.reminders
        .put(cause.bot, at, Reminder::Silence(person))
        .await?;
    Ok(Some(at))
}
