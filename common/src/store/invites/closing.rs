//! The writes that may leave nothing to be done about a request, and take it out of the index of open ones then.

use aws_sdk_dynamodb::types::AttributeValue;

use super::super::StoreError;
use super::super::attributes::*;
use super::super::item::{n, s};
use super::{Invites, Update};
use crate::domain::event::EventName;
use crate::domain::id::RequestId;
use crate::domain::invite::Status;
use crate::domain::time::Timestamp;

/// What became of marking an event as fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// It is marked.
    Fired,
    /// There is no such request, any more.
    Missing,
    /// The link that it tells of was replaced; nothing changed.
    Replaced,
}

/// Whether a write closes a request.
#[derive(Clone, Copy)]
enum Closing {
    Yes,
    No,
}

impl Invites {
    /// Marks that WebEngage accepted an event of link number `issue`. The write that leaves nothing to be done closes the
    /// request. Idempotent. Costs one write, and two if it is not the last flag to be set.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told.
    pub async fn mark_fired(
        &self,
        id: RequestId,
        event: EventName,
        issue: u32,
        now: Timestamp,
    ) -> Result<Marked, StoreError> {
        // An update can't decide by itself whether it is the last one. So there are two, and the condition of one is the
        // opposite of the other's: whoever writes between makes the second try's condition the true one, or the third's.
        for closing in [Closing::Yes, Closing::No, Closing::Yes, Closing::No] {
            match self.mark(id, event, issue, closing, now).await? {
                Update::Applied(_) => return Ok(Marked::Fired),
                Update::Refused(None) => return Ok(Marked::Missing),
                Update::Refused(Some(item)) => {
                    let invite = self.read(&item)?;
                    if event == EventName::LinkCreated && invite.issue != issue {
                        return Ok(Marked::Replaced);
                    }
                }
            }
        }
        Err(StoreError::Contended {
            table: self.0.name.clone(),
        })
    }

    async fn mark(
        &self,
        id: RequestId,
        event: EventName,
        issue: u32,
        closing: Closing,
        now: Timestamp,
    ) -> Result<Update, StoreError> {
        let (flag, is_last) = match event {
            EventName::LinkCreated => (
                LINK_EVENT_FIRED,
                "#status = :done AND (attribute_not_exists(joinedAt) OR joinEventFired = :yes)",
            ),
            EventName::Joined => (
                JOIN_EVENT_FIRED,
                "(#status = :done AND weLinkEventFired = :yes) OR #status = :failed",
            ),
        };
        let is_of_issue = match (event, issue) {
            (EventName::Joined, _) => "",
            (EventName::LinkCreated, 0) => " AND (attribute_not_exists(#issue) OR #issue = :issue)",
            (EventName::LinkCreated, _) => " AND #issue = :issue",
        };
        let (and, also) = match closing {
            Closing::Yes => ("AND", " REMOVE openShard"),
            Closing::No => ("AND NOT", ""),
        };
        let mut update = self
            .update(id)
            .update_expression(format!("SET #flag = :yes, updatedAt = :now{also}"))
            .condition_expression(format!(
                "attribute_exists(requestId) {and} ({is_last}){is_of_issue}"
            ))
            .expression_attribute_names("#flag", flag)
            .expression_attribute_names("#status", STATUS)
            .expression_attribute_values(":yes", AttributeValue::Bool(true))
            .expression_attribute_values(":done", s(Status::Done.as_str()))
            .expression_attribute_values(":now", s(now));
        update = match event {
            EventName::LinkCreated => update
                .expression_attribute_names("#issue", ISSUE)
                .expression_attribute_values(":issue", n(issue)),
            EventName::Joined => {
                update.expression_attribute_values(":failed", s(Status::Failed.as_str()))
            }
        };
        self.send(update, "UpdateItem to mark an event as fired")
            .await
    }

    /// Takes a request out of the index of open ones, if nothing is left to be done about it; answers whether it did.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be told; doing it again is harmless.
    pub async fn close(&self, id: RequestId) -> Result<bool, StoreError> {
        let update = self
            .update(id)
            .update_expression("REMOVE openShard")
            .condition_expression(
                "attribute_exists(openShard) AND (attribute_not_exists(joinedAt) OR joinEventFired = :yes) \
                 AND (#status = :failed OR (#status = :done AND weLinkEventFired = :yes))",
            )
            .expression_attribute_names("#status", STATUS)
            .expression_attribute_values(":done", s(Status::Done.as_str()))
            .expression_attribute_values(":failed", s(Status::Failed.as_str()))
            .expression_attribute_values(":yes", AttributeValue::Bool(true));
        Ok(matches!(
            self.send(update, "UpdateItem to close a request").await?,
            Update::Applied(_)
        ))
    }
}
